/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Roles that stop in the middle, so that bytes wait in the proxy and in the kernel.
 *
 * `stall`: the backend sends without end and this side stops reading after warm_bytes. `stall-up`:
 * this side sends without end and the backend reads nothing. Both keep their own socket buffers
 * small (buffer_bytes), because the proxy's are measured. */
#include "load.h"
#include "protocol.h"

#define STEP_BYTES (64 * 1024)

static void stall_warm(struct load_conn *c)
{
    c->received_goal = COMMAND_ENDLESS;
    role_command(c, COMMAND_SOURCE_SHORT, COMMAND_ENDLESS);
}

static void stall_payload(struct load_conn *c, const uint8_t *data, size_t len)
{
    role_check(c, data, len);
    if (c->received >= c->load->options.warm_bytes) {
        c->is_deaf = true;
        load_ready(c);
    }
}

static void stall_up_warm(struct load_conn *c)
{
    role_command(c, COMMAND_STALL, COMMAND_ENDLESS);
    load_ready(c);
}

static void stall_up_payload(struct load_conn *c, const uint8_t *data, size_t len)
{
    (void)data;
    load_fail(c, "%zu bytes came from a backend that sends nothing", len);
}

static void stall_up_turn(struct load_conn *c)
{
    if (c->out.len < STEP_BYTES) {
        ws_send_pattern(c, c->sent, STEP_BYTES);
        c->sent += STEP_BYTES;
    }
    c->has_more = true;
}

static void do_nothing(struct load_conn *c)
{
    (void)c;
}

const struct load_role role_stall = {"stall", stall_warm, load_settled, stall_payload, do_nothing};
const struct load_role role_stall_up = {"stall-up", stall_up_warm, load_settled, stall_up_payload,
                                        stall_up_turn};
