/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random events drive the core of the gateway (session, pump and all of proto/), over peers, a
 * kernel and a clock that are memory.
 *
 * Input: 1 byte of flags (FLAG_*; 4 means nothing), then events. An event begins with 1 byte: its
 * low five bits modulo EVENT_COUNT say what happens; with bit 7 the next event happens in the same
 * turn; with bit 6 the backend goes first in a turn. Behind this byte stands what happen() reads:
 * one byte, unless the enum says something else. "Content" is 1 byte n. Below 0xf0, n bytes of the
 * input follow. From 0xf0 on, n chooses a size from the table in take_content(), and 1 byte more
 * says what fills it: below 0x80 that byte, else the next (byte - 0x7f) bytes of the input, again
 * and again.
 *
 * The target checks that the client gets what a strict client expects (session_wire.h), that what
 * was said arrives and nothing is lost (session_model.h), that no queue outgrows its ceiling,
 * nothing spins, no deadline is missed and the log blames nobody wrongly. When nothing happens any
 * more, deadlines alone must end the session, with one line in the log, and the session must give
 * all its memory back. */
#include <fcntl.h>
#include <unistd.h>

#include "session_client.h"
#include "session_loop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FLAG_TLS 1
#define FLAG_PAGES 2
#define FLAG_FULL 8 /* another worker holds the last session */
#define FLAG_DRAINING 16
#define FLAG_HTTP 32      /* on_refuse = http, also for requests without a route */
#define FLAG_NO_MEMORY 64 /* memory that was taken away stays away until the session has ended */
#define FLAG_SILENT 128   /* no TLS handshake comes; with FLAG_NO_MEMORY: no memory for a session */

#define EVENTS_MAX 120

enum event {
    EVENT_HEAD = 0, /* 3 bytes: route, flaw and extensions, subprotocols and origin */
    EVENT_FRAME,    /* 1 byte: the first of the frame; content */
    EVENT_DEFLATED, /* 1 byte: how (HOW_*); content */
    EVENT_CLIENT_RAW,
    EVENT_CLIENT_END,
    EVENT_BACKEND_BYTES,
    EVENT_BACKEND_END,
    EVENT_CLIENT_KERNEL, /* 1 byte: how much the kernel takes, an index */
    EVENT_BACKEND_KERNEL,
    EVENT_SEND_REFUSED,
    EVENT_DIALLED,
    EVENT_TIME, /* 1 byte: an index */
    EVENT_TIMER,
    EVENT_END_SESSION,
    EVENT_KILL,
    EVENT_MEMORY,
    EVENT_CHOP,
    EVENT_ACKS,
    EVENT_COUNT
};

static int log_pipe[2];

/* --- events -----------------------------------------------------------------------------------*/

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

/* The peer has closed, and the kernel knows that nobody reads any more. */
static void refuse_sends(uint8_t how)
{
    if ((how & 1) == 0) {
        world.client.is_in_fin = true;
        world.client.is_send_refused = true;
    } else if (world.backend.state == MEMORY_OPEN) {
        end_backend(0);
        world.backend.is_send_refused = true;
    }
}

static void set_kernel(struct memory *m, uint8_t how)
{
    static const size_t budgets[] = {0, MEMORY_ALL, 1, 2, 100, 1000, 4096, 10000, 16384, 65536};
    m->budget_bytes = budgets[how % (sizeof(budgets) / sizeof(budgets[0]))];
}

static void set_acks(uint8_t how)
{
    struct memory *m = how & 1 ? &world.backend : &world.client;
    m->is_ack_frozen = (how & 2) != 0;
    if (m->state == MEMORY_OPEN && m->acked_bytes < m->sent_bytes) {
        m->acked_bytes++;
    }
}

static void set_memory(uint8_t how)
{
    mem_fail_after(how);
    world.is_forced = world.is_forced || how != 0;
}

static void end_session(uint8_t how)
{
    enum life_ending ending = (enum life_ending)(1 + how % (LIFE_ENDING_COUNT - 1));
    world.is_forced = world.is_forced || world_session() != NULL;
    (void)session_end_some(&world.context, ending, 1);
}

static void push_backend(struct span data)
{
    if (world.backend.state == MEMORY_OPEN && memory_has_room(&world.backend, data.len)) {
        memory_push(&world.backend, data.data, data.len);
        model_backend(data);
        spent_bytes += 3 * data.len; /* thousands of records are slow */
    }
}

static void let_time_pass(uint8_t how)
{
    static const uint64_t steps_ms[] = {1, 50, 200, 1000, 2500, 5000, 10000, 15000, 30000, 100000};
    pass_time(steps_ms[how % (sizeof(steps_ms) / sizeof(steps_ms[0]))]);
}

static void kill_session(void)
{
    if (world_session() != NULL) {
        world.is_forced = true;
        session_kill_all(&world.context);
    }
}

/* Events for which one byte says everything. */
static void happen_around(enum event event, uint8_t how)
{
    switch (event) {
    case EVENT_CLIENT_END:
        end_client(how);
        break;
    case EVENT_BACKEND_END:
        end_backend(how);
        break;
    case EVENT_CLIENT_KERNEL:
        set_kernel(&world.client, how);
        break;
    case EVENT_BACKEND_KERNEL:
        set_kernel(&world.backend, how);
        break;
    case EVENT_SEND_REFUSED:
        refuse_sends(how);
        break;
    case EVENT_DIALLED:
        dial_answer((enum dial_result)(how % (DIAL_TLS + 1)));
        break;
    case EVENT_TIME:
        let_time_pass(how);
        break;
    case EVENT_END_SESSION:
        end_session(how);
        break;
    case EVENT_MEMORY:
        set_memory(how);
        break;
    case EVENT_CHOP:
        (how & 1 ? &world.backend : &world.client)->chop_bytes = how < 2 ? MEMORY_ALL : how * 4U;
        break;
    case EVENT_ACKS:
        set_acks(how);
        break;
    case EVENT_HEAD:
    case EVENT_FRAME:
    case EVENT_DEFLATED:
    case EVENT_CLIENT_RAW:
    case EVENT_BACKEND_BYTES:
    case EVENT_TIMER:
    case EVENT_KILL:
    case EVENT_COUNT:
        break;
    }
}

static void happen(enum event event, struct reader *r)
{
    uint8_t byte;
    switch (event) {
    case EVENT_HEAD:
        send_head(r);
        break;
    case EVENT_FRAME:
        byte = take_byte(r);
        send_frame(byte, take_content(r));
        break;
    case EVENT_DEFLATED:
        byte = take_byte(r);
        send_deflated(byte, take_content(r));
        break;
    case EVENT_CLIENT_RAW:
        send_raw(take_content(r));
        break;
    case EVENT_BACKEND_BYTES:
        push_backend(take_content(r));
        break;
    case EVENT_TIMER:
        if (world.is_timer_armed && world.timer->at_ms > reactor.now_ms) {
            pass_time(world.timer->at_ms - reactor.now_ms);
        }
        break;
    case EVENT_KILL:
        kill_session();
        break;
    case EVENT_CLIENT_END:
    case EVENT_BACKEND_END:
    case EVENT_CLIENT_KERNEL:
    case EVENT_BACKEND_KERNEL:
    case EVENT_SEND_REFUSED:
    case EVENT_DIALLED:
    case EVENT_TIME:
    case EVENT_END_SESSION:
    case EVENT_MEMORY:
    case EVENT_CHOP:
    case EVENT_ACKS:
    case EVENT_COUNT:
        happen_around(event, take_byte(r));
        break;
    }
}

/* --- beginning and end ------------------------------------------------------------------------*/

static void on_gone(struct session_context *context)
{
    (void)context;
    world.gone_count++;
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
        world.context.scoreboard = scoreboard_new(2);
        expect(world.context.scoreboard != NULL, "memory");
        world.client.in = fifos[0];
        world.backend.in = fifos[1];
        world.tls.held = held;
    }
}

static void prepare(uint8_t flags)
{
    prepare_once();
    struct scoreboard *board = world.context.scoreboard;
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
        expect(!session_start(&world.context, &listens[0], &carrier, tls, &peer), "no session");
        expect(!world.tls.is_live && world.client.state == MEMORY_CLOSED,
               "what was handed over is gone");
        mem_fail_after(0);
        return false;
    }
    expect(session_start(&world.context, &listens[0], &carrier, tls, &peer), "memory");
    return true;
}

/* Deadlines alone must end the session. Where a route has none, the operator ends it. */
static void run_out(void)
{
    bool is_told = false;
    for (int rings = 0; world_session() != NULL; rings++) {
        struct session *s = world_session();
        if (world.is_timer_armed && rings < 100) {
            uint64_t at_ms = world.timer->at_ms;
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
    expect(world.tls.end == TLS_END_NOTIFY || world.client.is_in_fin ||
               strcmp(word, "client_eof") != 0,
           "the client has ended");
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
    char word[32] = "";
    expect(sscanf(strstr(text, " ending="), " ending=%31s", word) == 1, "a word");
    if (!world.is_forced) {
        check_ending(word);
    }
    const char *code = strstr(text, " code=");
    expect(!wire.has_close || (code != NULL && strtoul(code + 6, NULL, 10) == wire.close_code),
           "the code that was sent");
}

static void check_end(size_t blocks_before)
{
    const struct scoreboard *board = world.context.scoreboard;
    expect(world.gone_count == 1 && world.context.session_count == 0, "it is gone");
    expect(world.client.state > MEMORY_OPEN && world.backend.state != MEMORY_OPEN, "all is closed");
    expect(world.dial == NULL && !world.tls.is_live && !world.is_timer_armed, "all has stopped");
    expect(board->slots[0].sessions_now == 0, "it does not count any more");
    expect(mem_live_blocks() == blocks_before, "its memory has come back");
    check_log();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = {data, size};
    uint8_t flags = take_byte(&r);
    size_t blocks_before = mem_live_blocks();
    prepare(flags);
    if (!start(flags)) {
        expect(mem_live_blocks() == blocks_before, "nothing is left");
        return 0;
    }
    for (int i = 0; r.len > 0 && i < EVENTS_MAX; i++) {
        uint8_t what = take_byte(&r);
        happen((enum event)((what & 31) % EVENT_COUNT), &r);
        if ((what & 0x80) == 0) {
            run_turns((what & 0x40) != 0);
            check_rest();
        }
    }
    if ((flags & FLAG_NO_MEMORY) == 0) {
        mem_fail_after(0);
    }
    run_turns(false);
    check_rest();
    run_out();
    mem_fail_after(0);
    check_end(blocks_before);
    return 0;
}
