/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Role `age`: how old bytes are when they arrive. The backend sends without end, and each block of
 * its bytes begins with the time at which the block left it (protocol.h). Blocks are equally long,
 * so the distribution of their ages is that of all bytes. Backend and load generator share the
 * machine's clock. */
#include <string.h>

#include "load.h"
#include "protocol.h"

#define SECOND_NS 1000000000U
#define AGE_MAX_NS ((uint64_t)600 * SECOND_NS)

static void age_warm(struct load_conn *c)
{
    role_command(c, COMMAND_CLOCK, COMMAND_ENDLESS);
    c->received_goal = COMMAND_ENDLESS;
    c->due_ns = stat_now_ns() + c->load->options.warm_ms * 1000000U;
}

static void age_run(struct load_conn *c)
{
    c->warm_received = c->received;
    c->due_ns = stat_now_ns() + c->load->options.seconds * SECOND_NS;
}

static void age_note(const struct load_conn *c)
{
    struct load *load = c->load;
    uint64_t left_ns = stamp_get(c->stamp);
    if (left_ns > load->wire_ns || load->wire_ns - left_ns > AGE_MAX_NS) {
        load_fail(c, "the stamp before byte %llu is no time", (unsigned long long)c->received);
    }
    if (c->is_running && !load->is_done) {
        stat_add(&load->latency, load->wire_ns - left_ns);
    }
}

static size_t take_stamp(struct load_conn *c, size_t have, const uint8_t *data, size_t len)
{
    size_t part = STAMP_BYTES - have < len ? STAMP_BYTES - have : len;
    memcpy(c->stamp + have, data, part);
    c->received += part;
    if (have + part == STAMP_BYTES) {
        age_note(c);
    }
    return part;
}

static size_t take_pattern(struct load_conn *c, size_t left, const uint8_t *data, size_t len)
{
    size_t part = left < len ? left : len;
    role_check(c, data, part);
    return part;
}

static void age_check_time(struct load_conn *c)
{
    struct load *load = c->load;
    if (load->wire_ns < c->due_ns || load->is_done) {
        return;
    }
    if (c->is_running) {
        c->due_ns = UINT64_MAX;
        load_settled(c);
    } else {
        load_ready(c);
    }
}

static void age_payload(struct load_conn *c, const uint8_t *data, size_t len)
{
    while (len > 0) {
        size_t at = (size_t)(c->received % STAMP_BLOCK);
        size_t part = at < STAMP_BYTES ? take_stamp(c, at, data, len)
                                       : take_pattern(c, STAMP_BLOCK - at, data, len);
        data += part;
        len -= part;
    }
    age_check_time(c);
}

static void age_turn(struct load_conn *c)
{
    (void)c;
}

const struct load_role role_age = {"age", age_warm, age_run, age_payload, age_turn};
