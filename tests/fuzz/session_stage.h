/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session_stage.h: how a fuzzed session begins and ends, and what must be true of its end. */
#ifndef FUZZ_SESSION_STAGE_H
#define FUZZ_SESSION_STAGE_H

#include <fcntl.h>
#include <unistd.h>

#include "session_client.h"
#include "session_loop.h"

#define FLAG_TLS 1
#define FLAG_PAGES 2
#define FLAG_FULL 8 /* another worker holds the last session */
#define FLAG_DRAINING 16
#define FLAG_HTTP 32      /* on_refuse = http, also for requests without a route */
#define FLAG_NO_MEMORY 64 /* memory that was taken away stays away until the session has ended */
#define FLAG_SILENT 128   /* no TLS handshake comes; with FLAG_NO_MEMORY: no memory for a session */

static int log_pipe[2];
static char ending_word[32]; /* of the last session */

/* --- what the peers do ------------------------------------------------------------------------*/

static void end_client(uint8_t how)
{
    switch (how % 6) {
    case 0:
        world.client.is_in_fin = true;
        break;
    case 1:
    case 2:
        memory_reset(&world.client, how % 6 == 1);
        break;
    default:
        if (world.tls.is_live && client_has_room(1)) {
            memory_push(&world.client, "", 1);
            world.tls.end = (enum tls_end)(how % 6 - 2);
            world.is_forced = world.is_forced || world.tls.end == TLS_END_NO_MEMORY;
        }
        break;
    }
}

static void end_backend(uint8_t how)
{
    struct memory *m = &world.backend;
    if (m->state != MEMORY_OPEN || m->is_in_fin || m->is_in_rst) {
        return;
    }
    if (how % 3 == 0) {
        m->is_in_fin = true;
        model_backend_fin();
    } else {
        memory_reset(m, how % 3 == 1);
    }
}

static void push_backend(struct span data)
{
    if (world.backend.state == MEMORY_OPEN && memory_has_room(&world.backend, data.len)) {
        memory_push(&world.backend, data.data, data.len);
        model_backend(data);
        spent_bytes += 3 * data.len; /* thousands of records are slow */
    }
}

/* --- the beginning -----------------------------------------------------------------------------*/

static void on_gone(struct session_context *context)
{
    (void)context;
    world.gone_count++;
}

static struct seat *seat;

/* Monitoring sees nothing open and nothing that waits. */
static void expect_no_gauge(void)
{
    for (size_t row = 0; row < seats_route_count(world.context.seats); row++) {
        const struct seat_route *route = seats_route(world.context.seats, 0, row);
        uint64_t sum = 0;
        for (size_t i = 0; i < LIFE_DEAD; i++) {
            sum |= seat_get(&route->phases[i]);
        }
        for (size_t i = 0; i < SEAT_SIDES; i++) {
            sum |= seat_get(&route->queued_bytes[i]) | seat_get(&route->unacked_bytes[i]);
        }
        expect(sum == 0, "the gauges are at zero");
    }
}

static void prepare_once(void)
{
    static uint8_t fifos[2][FIFO_MAX];
    static uint8_t held[RECORD_BYTES];
    static bool is_done;
    if (!is_done) {
        is_done = true;
        routes_init();
        expect(scratch_init(&scratch), "memory");
        ASAN_POISON_MEMORY_REGION(scratch.plain - SCRATCH_HEADROOM - RED_ZONE, RED_ZONE);
        expect(pipe2(log_pipe, O_NONBLOCK | O_CLOEXEC) == 0, "a pipe");
        log_init(log_pipe[1], LOG_INFO, LOG_KEY_VALUE);
        world.context.scoreboard = scoreboard_new(2, 0);
        world.context.seats = seats_new(1, &config);
        expect(world.context.scoreboard != NULL && world.context.seats != NULL, "memory");
        seat = seat_new((struct seats *)(uintptr_t)world.context.seats, 0, &config);
        expect(seat != NULL, "memory");
        world.client.in = fifos[0];
        world.backend.in = fifos[1];
        world.tls.held = held;
    }
}

static void prepare(uint8_t flags)
{
    prepare_once();
    struct scoreboard *board = world.context.scoreboard;
    const struct seats *seats = world.context.seats;
    uint8_t *client_fifo = world.client.in;
    uint8_t *backend_fifo = world.backend.in;
    uint8_t *held = world.tls.held;
    unguard_plain();
    world = (struct world){.tls.held = held};
    world.context = (struct session_context){
        .reactor = &reactor,
        .scratch = &scratch,
        .config = &config,
        .scoreboard = board,
        .seats = seats,
        .seat = seat,
        .is_draining = (flags & FLAG_DRAINING) != 0,
        .find_page = page_find,
        .on_gone = on_gone,
    };
    list_init(&world.context.sessions);
    list_init(&reactor.deferred);
    reactor.now_ms = 1000;
    peers_init(client_fifo, backend_fifo);
    config.is_http_refusal = (flags & FLAG_HTTP) != 0;
    listens[0].is_tls = (flags & FLAG_TLS) != 0;
    listens[0].has_pages = (flags & FLAG_PAGES) != 0;
    board->slots[1].sessions_now = (flags & FLAG_FULL) != 0 ? 1 : 0;
    spent_bytes = 0;
    model_init();
    wire_init();
}

static bool start(uint8_t flags)
{
    static const struct limits_holds no_holds = {.connection = {0}};
    struct addr peer;
    struct tls *tls = NULL;
    struct carrier carrier = peer_carrier(&world.client);
    expect(addr_parse(SPAN_LIT("192.0.2.1:1234"), &peer), "an address");
    if ((flags & FLAG_TLS) != 0) {
        tls = &world.tls;
        tls->is_live = true;
        tls->handshake_left = HANDSHAKE_BYTES;
    }
    if ((flags & (FLAG_TLS | FLAG_SILENT)) == FLAG_TLS) {
        memory_push(&world.client, "handshake", HANDSHAKE_BYTES);
    } else if ((flags & FLAG_TLS) != 0) {
        model_spoil();
    }
    if ((flags & FLAG_NO_MEMORY) != 0 && (flags & FLAG_SILENT) != 0) {
        mem_fail_after(1);
        expect(!session_start(&world.context, &listens[0], &carrier, tls, &peer, &no_holds),
               "no session");
        expect(!world.tls.is_live && world.client.state == MEMORY_CLOSED,
               "what was handed over is gone");
        mem_fail_after(0);
        return false;
    }
    expect(session_start(&world.context, &listens[0], &carrier, tls, &peer, &no_holds), "memory");
    return true;
}

/* --- the end -----------------------------------------------------------------------------------*/

/* Deadlines alone must end the session. Where a route has none, the operator ends it. */
static void run_out(void)
{
    bool is_told = false;
    for (int rings = 0; world_session() != NULL; rings++) {
        struct session *s = world_session();
        if (world.is_timer_armed && rings < 100) {
            uint64_t at_ms = world.timer->at_ms;
            rings -= pump_throttled_until_ms(&s->pump) != 0; /* as often as the bytes need it */
            reactor.now_ms = at_ms > reactor.now_ms ? at_ms : reactor.now_ms;
            ring();
            continue;
        }
        expect(!is_told && s->life.phase == LIFE_OPEN && s->route->timeouts.idle_ms == 0 &&
                   conn_queued(&s->pump.client) == 0 && conn_queued(&s->pump.backend) == 0,
               "only a session at rest may last");
        is_told = true;
        rings = 0;
        world.is_forced = true;
        (void)session_end_some(&world.context, LIFE_SHUTDOWN, 1);
        run_turns(false);
    }
    run_deferred();
}

/* The client's FIN is an orderly end between messages, over TLS behind close_notify. */
static void check_client_end(const char *word)
{
    const struct memory *backend = &world.backend;
    bool is_ended = listens[0].is_tls ? world.tls.end == TLS_END_NOTIFY : world.client.is_in_fin;
    bool is_whole = is_ended && !model.in_message && !world.is_frame_cut;
    bool is_silent = listens[0].is_tls && world.client.is_in_fin && !world.is_headed;
    expect(strcmp(word, "client_eof") != 0 || model.is_spoiled || is_silent || is_whole,
           "the client has ended in order");
    if (strcmp(word, "client_cut") == 0) {
        expect(world.client.is_in_fin || is_ended, "the client has ended");
        expect(model.is_spoiled || !is_whole, "the client's stream was cut");
        expect(backend->state == MEMORY_UNUSED || backend->state == MEMORY_ABORTED,
               "a cut is a reset for the backend");
    }
}

/* When the last dial has failed, the session has tried every backend, as long as there was time. It
 * tells the worst of what it found. */
static void check_dials(const char *word)
{
    static const char *const words[] = {
        [DIAL_OK] = "",
        [DIAL_DENIED] = "target",
        [DIAL_NAME] = "backend_name",
        [DIAL_UNREACHABLE] = "backend_refused",
        [DIAL_TIMEOUT] = "backend_timeout",
        [DIAL_REFUSED] = "backend_refused",
        [DIAL_TLS] = "backend_tls",
        [DIAL_NO_MEMORY] = "internal",
        [DIAL_EXHAUSTED] = "full",
    };
    const struct config_route *route = world.dial_route;
    if (world.dial_count == 0 || world.is_dial_good || world.is_dial_left) {
        return;
    }
    expect(world.dial_count == route->backend_count ||
               world.failed_dial_ms - world.first_dial_ms >= route->timeouts.connect_ms,
           "no backend is left out");
    expect(strcmp(word, words[world.dial_worst]) == 0, "the worst of the dials is told");
}

/* The word blames nobody for what he did not do, and the session passes an orderly end on as
 * one. */
static void check_ending(const char *word)
{
    static const char *const faults[] = {"protocol", "bad_close", "opcode",      "bad_text",
                                         "framing",  "too_big",   "head_too_big"};
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        expect(model.is_spoiled || model.is_refused || strcmp(word, faults[i]) != 0,
               "the client did no wrong");
    }
    expect(model.is_spoiled || model.is_refused || world.is_early ||
               strcmp(word, "bad_request") != 0,
           "the request was good");
    bool is_asked = model.route != NULL && model.route->auth_count > 0;
    expect(strcmp(word, "auth") != 0 || is_asked || model.is_spoiled, "it was asked who it is");
    check_client_end(word);
    check_dials(word);
    expect(model.is_spoiled || model.is_client_done || strcmp(word, "client_close") != 0,
           "the client has closed");
    expect(model.route == NULL || model.is_down_over || strcmp(word, "backend_data") != 0,
           "the backend did no wrong");
    expect(strcmp(word, "internal") != 0, "no failure of our own");
    const struct memory *backend = &world.backend;
    bool is_lost = backend->state == MEMORY_UNUSED || backend->is_in_rst ||
                   backend->is_send_refused || model.is_down_over || model.is_spoiled ||
                   model.up.got < model.up.len;
    expect(is_lost || strcmp(word, "client_close") != 0 || backend->has_fin, "a Close is a FIN");
}

/* Nobody answered to what the client asked, only to its silence (408) or to everybody (503); an
 * operator may end a session whatever it asked. */
static bool has_asked_nothing(void)
{
    return world.is_forced || wire.status == 0 || wire.status == 408 || wire.status == 503;
}

/* The session logs one line, and the line says which Close the client got. Of a client that asked
 * for nothing there may be none. */
static void check_log(void)
{
    char text[2 * LOG_LINE_MAX];
    ssize_t len = read(log_pipe[0], text, sizeof(text) - 1);
    if (len <= 0 && has_asked_nothing()) {
        return;
    }
    expect(len > 0 && len <= LOG_LINE_MAX, "a line");
    text[len] = '\0';
    expect(strchr(text, '\n') == text + len - 1, "one line");
    expect(strstr(text, " event=session.end ") != NULL && strstr(text, " ending=") != NULL,
           "of its end");
    expect(strstr(text, " ending=none ") == NULL, "that has a reason");
    expect(sscanf(strstr(text, " ending="), " ending=%31s", ending_word) == 1, "a word");
    if (!world.is_forced) {
        check_ending(ending_word);
    }
    const char *code = strstr(text, " code=");
    unsigned long sent_code = wire.close_code != 0 ? wire.close_code : LIFE_NO_CODE;
    expect(!wire.has_close || (code != NULL && strtoul(code + 6, NULL, 10) == sent_code),
           "the code that was sent");
}

static void check_end(size_t blocks_before)
{
    const struct scoreboard *board = world.context.scoreboard;
    expect(world.gone_count == 1 && world.context.session_count == 0, "it is gone");
    expect_no_gauge();
    expect(world.client.state > MEMORY_OPEN && world.backend.state != MEMORY_OPEN, "all is closed");
    expect(world.dial == NULL && !world.tls.is_live && !world.is_timer_armed, "all has stopped");
    expect(board->slots[0].sessions_now == 0, "it does not count any more");
    expect(mem_live_blocks() == blocks_before, "its memory has come back");
    check_log();
}

#endif
