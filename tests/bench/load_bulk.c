/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Roles that move many bytes: echo, download, upload. */
#include <string.h>

#include "load.h"
#include "protocol.h"

#define UPLOAD_STEP (256 * 1024)

uint64_t role_start(const struct load_conn *c)
{
    return (uint64_t)c->index * 7919;
}

void role_command(struct load_conn *c, char op, uint64_t count)
{
    uint8_t bytes[COMMAND_BYTES];
    uint64_t position = role_start(c) + (op == COMMAND_SINK ? c->sent : c->received);
    command_put(bytes, &(struct command){(enum command_op)op, (uint32_t)(position % PATTERN_PERIOD),
                                         count});
    ws_send(c, bytes, sizeof(bytes));
}

void role_check(struct load_conn *c, const uint8_t *data, size_t len)
{
    if (len > c->received_goal - c->received) {
        load_fail(c, "%zu bytes came where they should have ended at %llu", len,
                  (unsigned long long)c->received_goal);
    }
    if (!pattern_is(role_start(c) + c->received, data, len)) {
        load_fail(c, "wrong bytes came, somewhere in %zu after byte %llu", len,
                  (unsigned long long)c->received);
    }
    c->received += len;
}

static void goal_reached(struct load_conn *c)
{
    if (c->is_running) {
        load_settled(c);
    } else {
        load_ready(c);
    }
}

static void bulk_payload(struct load_conn *c, const uint8_t *data, size_t len)
{
    role_check(c, data, len);
    if (c->received == c->received_goal) {
        goal_reached(c);
    }
}

static void echo_warm(struct load_conn *c)
{
    role_command(c, COMMAND_ECHO, COMMAND_ENDLESS);
    c->sent_goal = c->received_goal = c->load->options.warm_bytes;
}

static void echo_run(struct load_conn *c)
{
    c->sent_goal += c->load->options.total_bytes;
    c->received_goal += c->load->options.total_bytes;
}

static void echo_turn(struct load_conn *c)
{
    const struct load_options *options = &c->load->options;
    uint64_t room = options->in_flight_bytes - (c->sent - c->received);
    uint64_t left = c->sent_goal - c->sent;
    /* Sends whole messages; only the last one may be shorter. */
    uint64_t count = left <= room ? left : room / options->message_bytes * options->message_bytes;
    if (count > 0) {
        ws_send_pattern(c, role_start(c) + c->sent, count);
        c->sent += count;
    }
}

static void download_ask(struct load_conn *c, uint64_t count)
{
    role_command(c, COMMAND_SOURCE, count);
    c->received_goal += count;
}

static void download_warm(struct load_conn *c)
{
    download_ask(c, c->load->options.warm_bytes);
}

static void download_run(struct load_conn *c)
{
    download_ask(c, c->load->options.total_bytes);
}

static void download_turn(struct load_conn *c)
{
    (void)c;
}

static void upload_begin(struct load_conn *c, uint64_t count)
{
    role_command(c, COMMAND_SINK, count);
    c->sent_goal += count;
}

static void upload_warm(struct load_conn *c)
{
    upload_begin(c, c->load->options.warm_bytes);
}

static void upload_run(struct load_conn *c)
{
    upload_begin(c, c->load->options.total_bytes);
}

static void upload_payload(struct load_conn *c, const uint8_t *data, size_t len)
{
    struct command report;
    if (c->report_have + len > sizeof(c->report)) {
        load_fail(c, "more came than the sink's report");
    }
    memcpy(c->report + c->report_have, data, len);
    c->report_have += len;
    if (c->report_have < sizeof(c->report)) {
        return;
    }
    uint64_t expected = c->is_running ? c->load->options.total_bytes : c->load->options.warm_bytes;
    if (!command_get(c->report, &report) || report.op != COMMAND_REPORT ||
        report.count != expected || report.start != 0) {
        load_fail(c, "the sink did not get what was sent to it");
    }
    c->report_have = 0;
    c->received = c->sent;
    goal_reached(c);
}

static void upload_turn(struct load_conn *c)
{
    uint64_t left = c->sent_goal - c->sent;
    uint64_t count = left < UPLOAD_STEP ? left : UPLOAD_STEP;
    if (c->out.len < UPLOAD_STEP && count > 0) {
        ws_send_pattern(c, role_start(c) + c->sent, count);
        c->sent += count;
    }
    c->has_more = c->sent < c->sent_goal;
}

const struct load_role role_echo = {"echo", echo_warm, echo_run, bulk_payload, echo_turn};
const struct load_role role_download = {"download", download_warm, download_run, bulk_payload,
                                        download_turn};
const struct load_role role_upload = {"upload", upload_warm, upload_run, upload_payload,
                                      upload_turn};
