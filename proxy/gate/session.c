/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/session.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "gate/session_parts.h"

#define LINGER_DISCARD_BYTES (64 * 1024) /* one read of a side that is only drained */

static void step(struct session *s, const struct life_event *event);

void session_step_type(struct session *s, enum life_event_type type)
{
    struct life_event event = {.type = type};
    step(s, &event);
}

void session_step_end(struct session *s, enum life_ending ending, const char *detail)
{
    struct life_event event = {.type = LIFE_EV_END, .ending = ending};
    if (s->life.ending == LIFE_NOT_ENDED && detail != NULL) {
        s->detail = detail;
    }
    step(s, &event);
}

/* --- actions ------------------------------------------------------------------------------- */

static void on_dial_decided(void *owner)
{
    session_settle(owner);
}

static struct life_event finish_dial(struct session *s)
{
    struct life_event event = {.type = LIFE_EV_END};
    int fd = -1;
    s->connect_ms = reactor_now_ms(s->context->reactor) - s->times.phase_since_ms;
    switch (dial_finish(s->dial, &fd, &s->backend)) {
    case DIAL_OK:
        conn_open(&s->pump.backend, fd, NULL);
        event.type = LIFE_EV_BACKEND_UP;
        break;
    case DIAL_REFUSED:
        event.ending = LIFE_BACKEND_REFUSED;
        break;
    case DIAL_TIMEOUT:
        event.ending = LIFE_BACKEND_TIMEOUT;
        break;
    case DIAL_NAME:
        event.ending = LIFE_BACKEND_NAME;
        break;
    }
    s->dial = NULL;
    return event;
}

static void do_dial(struct session *s)
{
    if (!s->life.has_backend) {
        s->backend = &s->route->backends[0];
        s->is_up_due = true;
        return;
    }
    s->dial = dial_start(s->context->reactor, s->context->resolver, s->route, on_dial_decided, s);
    s->pump.no_memory = s->pump.no_memory || s->dial == NULL;
}

static void do_retire(struct session *s)
{
    assert(s->dial == NULL);
    if (s->is_admitted) {
        scoreboard_sub(&s->context->scoreboard->slots[s->context->slot].sessions_now, 1);
        s->is_admitted = false;
    }
    session_log(s);
    struct scoreboard_slot *slot = &s->context->scoreboard->slots[s->context->slot];
    scoreboard_add(&slot->endings_total[s->life.ending], 1);
    scoreboard_add(&slot->up_bytes_total, s->pump.up_bytes);
    scoreboard_add(&slot->down_bytes_total, s->pump.down_bytes);
    reactor_timer_stop(&s->timer);
    list_unlink(&s->link);
    reactor_defer(s->context->reactor, &s->retire);
}

static void act(struct session *s, unsigned actions)
{
    if (actions & LIFE_DO_DIAL) {
        do_dial(s);
    }
    if ((actions & LIFE_DO_CANCEL_DIAL) && s->dial != NULL) {
        s->backend = dial_cancel(s->dial);
        s->dial = NULL;
    }
    if (actions & LIFE_DO_SEND_HTTP) {
        session_send_http(s);
    }
    if (actions & LIFE_DO_SEND_101) {
        session_send_101(s);
    }
    if (actions & LIFE_DO_SEND_CLOSE) {
        session_send_close(s);
    }
    if (actions & LIFE_DO_BACKEND_ABORT) {
        conn_abort(&s->pump.backend);
    }
    if (actions & LIFE_DO_BACKEND_FINISH) {
        conn_finish(&s->pump.backend);
        s->times.backend_since_ms = reactor_now_ms(s->context->reactor);
    }
    if (actions & LIFE_DO_BACKEND_CLOSE) {
        conn_close(&s->pump.backend);
    }
    if (actions & LIFE_DO_CLIENT_ABORT) {
        conn_abort(&s->pump.client);
    }
    if (actions & LIFE_DO_CLIENT_FINISH) {
        conn_finish(&s->pump.client);
    }
    if (actions & LIFE_DO_CLIENT_CLOSE) {
        conn_close(&s->pump.client);
    }
    if (actions & LIFE_DO_RETIRE) {
        do_retire(s);
    }
}

static void step(struct session *s, const struct life_event *event)
{
    enum life_phase phase = s->life.phase;
    enum life_side client = s->life.client;
    unsigned actions = life_step(&s->life, event);
    uint64_t now_ms = reactor_now_ms(s->context->reactor);

    if (s->life.phase != phase || s->life.client != client) {
        s->times.phase_since_ms = now_ms;
    }
    if (s->life.phase == LIFE_OPEN && phase != LIFE_OPEN) {
        s->times.open_since_ms = now_ms;
        s->times.payload_ms = now_ms;
        s->times.client_heard_ms = now_ms;
    }
    act(s, actions);
}

/* --- after each event ---------------------------------------------------------------------- */

/* A side that cannot be written. One that is still read tells by itself how its peer went, after
 * the bytes that came before: a Close, a FIN or a reset. */
static bool is_lost(const struct conn *conn, enum life_side side, bool is_eof)
{
    return conn->is_broken && (side == LIFE_SIDE_DRAINING || (side == LIFE_SIDE_UP && is_eof));
}

/* What follows from the state by itself. Each of these changes the state, so this ends. */
static bool pending_event(struct session *s, struct life_event *out)
{
    const struct life *life = &s->life;
    *out = (struct life_event){.type = LIFE_EV_COUNT};
    if (life->phase == LIFE_DEAD) {
        return false;
    }
    if (s->pump.no_memory && !s->is_no_memory_told) {
        s->is_no_memory_told = true;
        *out = (struct life_event){.type = LIFE_EV_END, .ending = LIFE_INTERNAL};
    } else if (is_lost(&s->pump.client, life->client, life->client_eof)) {
        out->type = LIFE_EV_CLIENT_RESET;
    } else if (is_lost(&s->pump.backend, life->backend, life->backend_eof)) {
        out->type = LIFE_EV_BACKEND_RESET;
    } else if (s->is_up_due) {
        s->is_up_due = false;
        out->type = LIFE_EV_BACKEND_UP;
    } else if (s->dial != NULL && dial_is_decided(s->dial)) {
        *out = finish_dial(s);
    } else if (life->client == LIFE_SIDE_DRAINING && conn_queued(&s->pump.client) == 0) {
        out->type = LIFE_EV_CLIENT_FLUSHED;
    } else if (life->backend == LIFE_SIDE_DRAINING && conn_queued(&s->pump.backend) == 0) {
        out->type = LIFE_EV_BACKEND_FLUSHED;
    }
    return out->type != LIFE_EV_COUNT;
}

static void heed(struct session *s, const struct pump_report *report)
{
    if (report->has_payload) {
        s->times.payload_ms = reactor_now_ms(s->context->reactor);
    }
    switch (report->verdict) {
    case PUMP_MORE:
    case PUMP_MESSAGE: /* no phase collects one yet */
        break;
    case PUMP_CLOSE: {
        struct life_event event = {.type = LIFE_EV_CLIENT_CLOSE, .code = report->code};
        step(s, &event);
        break;
    }
    case PUMP_BAD:
        session_step_end(s, report->ending, report->detail);
        break;
    }
}

/* After OPEN only the client's Close counts. */
static enum pump_mode mode_of(const struct session *s)
{
    return s->life.phase == LIFE_OPEN ? PUMP_FORWARD : PUMP_DISCARD;
}

/* Goes on with what is held of the client's bytes. */
static void resume(struct session *s)
{
    struct pump_report report;
    bool is_open = s->life.phase == LIFE_OPEN;
    if (pump_is_held(&s->pump) && !(is_open && pump_is_client_paused(&s->pump))) {
        pump_resume(&s->pump, mode_of(s), &report);
        heed(s, &report);
    }
}

/* After OPEN nothing is held: the client would not be read, and its Close not be seen. */
static void discard_held(struct session *s)
{
    if (s->life.phase != LIFE_OPEN) {
        resume(s);
    }
}

void session_settle(struct session *s)
{
    struct life_event event;
    uint64_t now_ms = reactor_now_ms(s->context->reactor);

    discard_held(s);
    while (pending_event(s, &event)) {
        step(s, &event);
        discard_held(s);
    }
    if (s->life.phase == LIFE_DEAD) {
        return;
    }
    session_note_progress(s);
    conn_push(&s->pump.client);
    pump_interest(&s->pump, &s->life);

    bool is_paused = pump_is_client_paused(&s->pump);
    if (s->times.is_client_paused && !is_paused) {
        /* A Pong may have waited unread all the while: the wait for it starts again. */
        s->times.client_heard_ms = now_ms;
        s->times.ping_sent_ms = s->times.ping_sent_ms != 0 ? now_ms : 0;
    }
    s->times.is_client_paused = is_paused;
    session_set_timer(s);
}

/* --- readiness ----------------------------------------------------------------------------- */

static void client_bytes(struct session *s, uint8_t *data, size_t len)
{
    s->times.client_heard_ms = reactor_now_ms(s->context->reactor);
    s->times.ping_sent_ms = 0;
    if (s->life.phase == LIFE_TLS && tls_is_established(s->pump.client.tls)) {
        s->tls_version = tls_version_name(s->pump.client.tls);
        session_step_type(s, LIFE_EV_TLS_DONE);
    }
    switch (s->life.phase) {
    case LIFE_REQUEST:
        if (len > 0) {
            session_request_bytes(s, data, len);
        }
        break;
    case LIFE_OPEN:
    case LIFE_CLOSING:
        if (!s->life.close_received) {
            struct pump_report report;
            pump_client_bytes(&s->pump, data, len, mode_of(s), &report);
            heed(s, &report);
        }
        break;
    case LIFE_TLS:
    case LIFE_DIAL:
    case LIFE_HALF_CLOSED:
    case LIFE_REFUSE:
    case LIFE_LINGER:
    case LIFE_DEAD:
        break; /* discarded */
    }
}

static void read_client(struct session *s)
{
    uint8_t *data = NULL;
    size_t len = 0;
    size_t most = s->life.phase == LIFE_OPEN ? pump_client_room(&s->pump) : LINGER_DISCARD_BYTES;
    enum conn_result result = conn_read(&s->pump.client, most, &data, &len);

    if (len > 0 || result == CONN_OK) {
        client_bytes(s, data, len);
    }
    switch (result) {
    case CONN_OK:
    case CONN_AGAIN:
        break;
    case CONN_EOF:
        session_step_type(s, LIFE_EV_CLIENT_EOF);
        break;
    case CONN_RESET:
        session_step_type(s, LIFE_EV_CLIENT_RESET);
        break;
    case CONN_TLS_FAILED:
        session_step_end(s, s->life.phase == LIFE_TLS ? LIFE_TLS_FAILED : LIFE_CLIENT_RESET,
                         "bad TLS record or handshake");
        break;
    case CONN_NO_MEMORY:
        session_step_end(s, LIFE_INTERNAL, "no memory");
        break;
    }
}

static void flush(struct conn *conn)
{
    enum conn_result result = conn_flush(conn);
    (void)result; /* a broken connection shows in is_broken, what is left in the queue */
}

static void on_client_ready(struct conn *conn, unsigned ready)
{
    struct session *s = container_of(conn, struct session, pump.client);
    if ((ready & REACTOR_WRITE) && conn_queued(conn) > 0) {
        flush(conn);
    }
    resume(s);
    if ((ready & REACTOR_READ) && life_reads_client(&s->life) && !pump_is_held(&s->pump)) {
        read_client(s);
    }
    session_settle(s);
}

static void read_backend(struct session *s)
{
    uint8_t *data = NULL;
    size_t len = 0;
    bool is_forwarded = life_forwards_backend(&s->life);
    size_t most = is_forwarded ? pump_backend_room(&s->pump) : LINGER_DISCARD_BYTES;
    enum conn_result result = conn_read(&s->pump.backend, most, &data, &len);
    struct pump_report report = {.verdict = PUMP_MORE};

    if (len > 0 && is_forwarded) {
        s->times.payload_ms = reactor_now_ms(s->context->reactor);
        pump_backend_bytes(&s->pump, data, len, &report);
    }
    if (result == CONN_EOF && is_forwarded && report.verdict == PUMP_MORE) {
        pump_backend_end(&s->pump, &report);
    }
    heed(s, &report);
    switch (result) {
    case CONN_OK:
    case CONN_AGAIN:
        break;
    case CONN_EOF:
        session_step_type(s, LIFE_EV_BACKEND_EOF);
        break;
    case CONN_RESET:
    case CONN_TLS_FAILED:
        session_step_type(s, LIFE_EV_BACKEND_RESET);
        break;
    case CONN_NO_MEMORY:
        session_step_end(s, LIFE_INTERNAL, "no memory");
        break;
    }
}

static void on_backend_ready(struct conn *conn, unsigned ready)
{
    struct session *s = container_of(conn, struct session, pump.backend);
    if ((ready & REACTOR_WRITE) && conn_queued(conn) > 0) {
        flush(conn);
    }
    resume(s);
    if ((ready & REACTOR_READ) && life_reads_backend(&s->life)) {
        read_backend(s);
    }
    session_settle(s);
}

/* --- from outside -------------------------------------------------------------------------- */

static void on_retire(struct reactor_deferred *deferred)
{
    struct session *s = container_of(deferred, struct session, retire);
    struct session_context *context = s->context;
    conn_close(&s->pump.client);
    conn_close(&s->pump.backend);
    pump_done(&s->pump);
    mem_free(s->request);
    mem_free(s);
    context->session_count--;
    context->on_gone(context);
}

bool session_start(struct session_context *context, const struct config_listen *listen, int fd,
                   struct tls *tls, const struct addr *peer)
{
    struct session *s = mem_alloc_zero(sizeof(*s));
    if (s == NULL) {
        tls_free(tls);
        net_close(fd);
        return false;
    }
    uint64_t now_ms = reactor_now_ms(context->reactor);
    s->context = context;
    s->listen = listen;
    memcpy(&s->peer, &peer->u, sizeof(s->peer));
    s->id = context->next_id++;
    s->started_ms = now_ms;
    s->times.phase_since_ms = now_ms;
    pump_init(&s->pump, context->reactor, on_client_ready, on_backend_ready);
    life_init(&s->life, tls != NULL);
    reactor_timer_init(&s->timer, context->reactor, session_on_timer);
    reactor_deferred_init(&s->retire, on_retire);
    list_init(&s->link);
    list_append(&context->sessions, &s->link);
    context->session_count++;
    conn_open(&s->pump.client, fd, tls);
    session_settle(s);
    return true;
}

void session_peer(const struct session *s, struct addr *out)
{
    addr_from_sockaddr((const struct sockaddr *)&s->peer, sizeof(s->peer), out);
}

void session_end(struct session *s, enum life_ending ending)
{
    session_step_end(s, ending, NULL);
    session_settle(s);
}

void session_kill(struct session *s)
{
    session_step_end(s, LIFE_SHUTDOWN, NULL);
    session_step_end(s, LIFE_INTERNAL, NULL); /* a second reason only cuts what is left */
    session_settle(s);
}
