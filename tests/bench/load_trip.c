/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Roles that exchange little: round trips, idle sessions, opening and closing. */
#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "protocol.h"

static void do_nothing(struct load_conn *c)
{
    (void)c;
}

/* Sends the next `count` bytes, which must come back. */
static void ask(struct load_conn *c, uint64_t count)
{
    ws_send_pattern(c, role_start(c) + c->sent, count);
    c->sent += count;
    c->received_goal += count;
}

/* --- round trips ---------------------------------------------------------------------------- */

void trip_init(struct load *load)
{
    load->thinking = calloc(load->conn_count, sizeof(struct load_conn *));
    if (load->thinking == NULL) {
        load_fail(NULL, "out of memory");
    }
}

static void think(struct load_conn *c, uint64_t due_ns)
{
    struct load *load = c->load;
    c->due_ns = due_ns;
    load->thinking[(load->thinking_head + load->thinking_count) % load->conn_count] = c;
    load->thinking_count++;
}

static void trip_begin(struct load_conn *c)
{
    struct load *load = c->load;
    if (load->messages_begun < load->options.messages) {
        load->messages_begun++;
        c->begin_ns = stat_now_ns();
        ask(c, load->options.message_bytes);
    }
}

static void trip_warm(struct load_conn *c)
{
    role_command(c, COMMAND_ECHO, COMMAND_ENDLESS);
    ask(c, c->load->options.message_bytes);
}

static void trip_run(struct load_conn *c)
{
    const struct load_options *options = &c->load->options;
    if (options->think_us == 0) {
        trip_begin(c);
        return;
    }
    /* Spreads the first messages, so that they do not come all at once. */
    think(c, c->load->begin_ns + options->think_us * 1000 * c->index / options->connections);
}

static void trip_payload(struct load_conn *c, const uint8_t *data, size_t len)
{
    struct load *load = c->load;
    role_check(c, data, len);
    if (c->received < c->received_goal) {
        return;
    }
    if (!c->is_running) {
        load_ready(c);
        return;
    }
    uint64_t now_ns = stat_now_ns();
    stat_add(&load->latency, now_ns - c->begin_ns);
    load->messages_ended++;
    if (load->messages_ended == load->options.messages) {
        load_finish(load);
    } else if (load->options.think_us > 0) {
        think(c, now_ns + load->options.think_us * 1000);
    } else {
        trip_begin(c);
    }
}

uint64_t trip_think(struct load *load, uint64_t now_ns)
{
    while (load->thinking_count > 0) {
        struct load_conn *c = load->thinking[load->thinking_head];
        if (c->due_ns > now_ns) {
            return c->due_ns;
        }
        load->thinking_head = (load->thinking_head + 1) % load->conn_count;
        load->thinking_count--;
        trip_begin(c);
        conn_flush(c);
    }
    return 0;
}

const struct load_role role_trip = {"trip", trip_warm, trip_run, trip_payload, do_nothing};

/* --- idle sessions -------------------------------------------------------------------------- */

static void idle_warm(struct load_conn *c)
{
    role_command(c, COMMAND_ECHO, COMMAND_ENDLESS);
    ask(c, 1);
}

/* Proves that the session is alive; beside busy sessions it stays quiet. */
static void idle_run(struct load_conn *c)
{
    if (c->load->role == &role_idle) {
        ask(c, 1);
    }
}

static void idle_payload(struct load_conn *c, const uint8_t *data, size_t len)
{
    role_check(c, data, len);
    if (c->is_running) {
        load_settled(c);
    } else {
        load_ready(c);
    }
}

const struct load_role role_idle = {"idle", idle_warm, idle_run, idle_payload, do_nothing};

/* --- sessions that rest -------------------------------------------------------------------- */

static void rest_run(struct load_conn *c)
{
    (void)c;
}

static void rest_payload(struct load_conn *c, const uint8_t *data, size_t len)
{
    role_check(c, data, len);
    load_ready(c);
}

void rest_ping(struct load *load)
{
    if (load->role == &role_rest && load->is_running) {
        load->messages_ended++;
    }
}

bool rest_close(struct load_conn *c, int code)
{
    if (c->role != &role_rest || !c->is_running || (code != 1001 && code != 1012)) {
        return false;
    }
    c->load->told++;
    conn_finish(c);
    return true;
}

void rest_check_time(struct load *load)
{
    if (load->role == &role_rest && !load->is_done &&
        stat_now_ns() >= load->begin_ns + load->options.seconds * 1000000000U) {
        load_finish(load);
    }
}

const struct load_role role_rest = {"rest", idle_warm, rest_run, rest_payload, do_nothing};

/* --- opening and closing -------------------------------------------------------------------- */

/* Sends the command and one byte in one message; the backend's first byte is the answer. */
static void open_warm(struct load_conn *c)
{
    uint8_t bytes[COMMAND_BYTES + 1];
    command_put(bytes, &(struct command){COMMAND_ECHO, 0, COMMAND_ENDLESS});
    bytes[COMMAND_BYTES] = *pattern_at(role_start(c));
    ws_send(c, bytes, sizeof(bytes));
    c->sent = c->received_goal = 1;
}

static void open_payload(struct load_conn *c, const uint8_t *data, size_t len)
{
    struct load *load = c->load;
    role_check(c, data, len);
    if (load->is_running) {
        stat_add(&load->latency, stat_now_ns() - c->begin_ns);
        load->messages_ended++;
    } else {
        load_ready(c); /* the pilot, which brings a ticket */
        load->resumed = 0;
    }
    conn_finish(c);
}

void open_more(struct load *load)
{
    while (load->opened < load->conn_count &&
           load->messages_begun - load->messages_ended < load->options.concurrency) {
        load->messages_begun++;
        conn_connect(load, &load->conns[load->opened++]);
    }
}

const struct load_role role_open = {"open", open_warm, do_nothing, open_payload, do_nothing};
