/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/session.h"

#include <string.h>

#include "base/log.h"
#include "gate/session_parts.h"

#define DISCARD_BYTES (64 * 1024) /* one read from a side whose bytes nobody wants */

/* --- events -------------------------------------------------------------------------------- */

static void on_open(struct session *s, uint64_t now_ms)
{
    s->times.open_since_ms = now_ms;
    s->times.payload_ms = now_ms;
    s->times.client_heard_ms = now_ms;
    session_await_expiry(s); /* ended in the dial: then the timer rings at once */
    const struct pump_rates rates = {.up_bytes = s->route->rate_up_bytes,
                                     .down_bytes = s->route->rate_down_bytes,
                                     .messages = s->route->messages};
    pump_limit(&s->pump, &rates, now_ms);
    session_log_open(s);
}

/* A client that is gone before it took all that waited for it shows in the log. */
static void note_client_side(struct session *s, enum life_side before, unsigned actions,
                             uint64_t now_ms)
{
    bool is_draining = s->life.client == LIFE_SIDE_DRAINING;
    bool was_draining = before == LIFE_SIDE_DRAINING;
    if (is_draining && !was_draining) {
        s->times.end_since_ms = now_ms;
    }
    bool is_cut = (actions & (LIFE_DO_CLIENT_ABORT | LIFE_DO_CLIENT_CLOSE)) != 0 &&
                  (actions & LIFE_DO_CLIENT_FINISH) == 0;
    if (was_draining && is_cut && s->detail == NULL) {
        s->detail = "the client did not take all that waited for it";
    }
}

/* The only caller of life_step. */
static void apply(struct session *s, const struct session_event *event)
{
    struct life before = s->life;
    uint64_t now_ms = reactor_now_ms(s->context->reactor);

    if (!life_has_ended(&before) && event->detail != NULL) {
        s->detail = event->detail;
    }
    unsigned actions = life_step(&s->life, &event->life);
    if (before.phase == LIFE_OPEN && s->life.phase != LIFE_OPEN) {
        session_tally_kernel(s);
    }
    if (s->life.phase != before.phase || s->life.client != before.client) {
        s->times.phase_since_ms = now_ms;
        door_progress(s->door, &s->guest);
    }
    note_client_side(s, before.client, actions, now_ms);
    if (s->life.phase != before.phase) {
        session_stop_asking(s);
        session_tally_phase(s, before.phase);
    }
    if (log_is_on(LOG_DEBUG)) {
        session_log_step(s, &before, &event->life, actions);
    }
    if (s->life.phase == LIFE_OPEN && before.phase != LIFE_OPEN) {
        on_open(s, now_ms);
    }
    if (event->life.type == LIFE_EV_END && life_ending_row(event->life.ending)->is_taken_back) {
        session_end_ticket(s);
    }
    if (!life_has_ended(&before) && life_has_ended(&s->life)) {
        session_give_back(s);
        session_leave_ticket(s);
        if (before.phase == LIFE_TLS) {
            session_keep_sni(s);
        }
    }
    session_act(s, actions);
    if (s->life.phase == LIFE_OPEN) {
        session_drop_request(s);
        session_drop_files(s);
    }
}

static void apply_type(struct session *s, enum life_event_type type)
{
    const struct session_event event = {.life = {.type = type}};
    apply(s, &event);
}

static void apply_end(struct session *s, enum life_ending ending, const char *detail)
{
    const struct session_event event = {{.type = LIFE_EV_END, .ending = ending}, detail};
    apply(s, &event);
}

static void apply_close(struct session *s, uint16_t code)
{
    const struct session_event event = {.life = {.type = LIFE_EV_CLIENT_CLOSE, .code = code}};
    apply(s, &event);
}

/* Makes an event of what the pump reports. */
static void take_report(struct session *s, const struct pump_report *report)
{
    if (report->has_payload) {
        s->times.payload_ms = reactor_now_ms(s->context->reactor);
    }
    switch (report->verdict) {
    case PUMP_MORE:
        break;
    case PUMP_MESSAGE: {
        const struct session_event event = session_take_token(s);
        apply(s, &event);
        break;
    }
    case PUMP_CLOSE:
        apply_close(s, report->code);
        break;
    case PUMP_BAD:
        apply_end(s, report->ending, report->detail);
        if (report->behind == PUMP_CLOSE) {
            apply_close(s, report->code);
        } else if (report->behind == PUMP_BAD) {
            apply_end(s, LIFE_PROTOCOL, NULL);
        }
        break;
    }
}

/* What the client has sent behind its token waits for OPEN. After OPEN only its Close counts. */
static enum pump_mode mode_of(const struct session *s)
{
    switch (s->life.phase) {
    case LIFE_TOKEN:
    case LIFE_DIAL:
        return PUMP_COLLECT;
    case LIFE_OPEN:
        return PUMP_FORWARD;
    case LIFE_TLS:
    case LIFE_REQUEST:
    case LIFE_SERVING:
    case LIFE_HALF_CLOSED:
    case LIFE_CLOSING:
    case LIFE_ANSWER:
    case LIFE_LINGER:
    case LIFE_DEAD:
        break;
    }
    return PUMP_DISCARD;
}

/* Goes on with the held bytes of the client. */
static void resume(struct session *s)
{
    struct pump_report report;
    bool is_open = s->life.phase == LIFE_OPEN;
    bool must_wait = pump_is_client_paused(&s->pump) || pump_is_message_throttled(&s->pump);
    if (pump_is_held(&s->pump) && !(is_open && must_wait)) {
        pump_resume(&s->pump, mode_of(s), &report);
        take_report(s, &report);
    }
}

/* After OPEN the pump must hold nothing: nobody would read the client and see its Close. */
static void discard_held(struct session *s)
{
    if (s->life.phase != LIFE_OPEN) {
        resume(s);
    }
}

static void note_pause(struct session *s)
{
    bool is_client_throttled = pump_is_client_throttled(&s->pump);
    bool is_throttled = is_client_throttled || pump_is_backend_throttled(&s->pump);
    bool is_paused =
        pump_is_client_paused(&s->pump) || pump_is_held(&s->pump) || is_client_throttled;
    if (s->times.is_throttled && !is_throttled) {
        s->times.payload_ms = reactor_now_ms(s->context->reactor); /* payload may have waited */
    }
    s->times.is_throttled = is_throttled;
    if (s->times.is_client_paused && !is_paused) {
        /* A Pong may have waited unread all the while: the wait for it starts again. */
        s->times.client_heard_ms = reactor_now_ms(s->context->reactor);
        s->times.ping_sent_ms = s->times.ping_sent_ms != 0 ? s->times.client_heard_ms : 0;
    }
    s->times.is_client_paused = is_paused;
}

/* Each direction has a flow. On an echo route the client is source and sink of the only one. */
static void note_flow(struct session *s, uint64_t now_ms)
{
    struct conn *client = &s->pump.client;
    struct conn *backend = &s->pump.backend;
    if (s->life.phase != LIFE_OPEN) {
        return;
    }
    /* A side that is not read has a slow sink, whoever makes it slow. */
    s->up.has_refused = s->up.has_refused || pump_is_client_throttled(&s->pump);
    if (s->pump.is_echo) {
        flow_note(&s->up, s->route->latency, client, client, now_ms);
        return;
    }
    s->down.has_refused = s->down.has_refused || pump_is_backend_throttled(&s->pump);
    flow_note(&s->up, s->route->latency, client, backend, now_ms);
    flow_note(&s->down, s->route->latency, backend, client, now_ms);
}

/* Called last in every event. */
void session_settle(struct session *s)
{
    struct session_event event;
    uint64_t now_ms = reactor_now_ms(s->context->reactor);

    discard_held(s);
    while (session_take_pending(s, &event)) {
        apply(s, &event);
        discard_held(s);
    }
    if (s->life.phase == LIFE_DEAD) {
        return;
    }
    conn_uncork(&s->pump.client);
    conn_uncork(&s->pump.backend);
    pump_tell_time(&s->pump, now_ms);
    note_flow(s, now_ms);
    pump_interest(&s->pump, &s->life);
    watch_queue(&s->client_watch, &s->times.client_stuck_ms, &s->pump.client,
                pump_awaits(&s->pump, &s->life, &s->pump.client), now_ms);
    watch_queue(&s->backend_watch, &s->times.backend_stuck_ms, &s->pump.backend,
                pump_awaits(&s->pump, &s->life, &s->pump.backend), now_ms);
    note_pause(s);
    session_tally(s);
    session_set_timer(s);
}

void session_on_dial(void *owner)
{
    session_settle(owner);
}

/* --- readiness ----------------------------------------------------------------------------- */

static void finish_handshake(struct session *s)
{
    if (s->life.phase == LIFE_TLS && s->pump.client.tls != NULL &&
        tls_is_established(s->pump.client.tls)) {
        s->tls_version = tls_version_name(s->pump.client.tls);
        s->client_cert = tls_take_peer(s->pump.client.tls);
        session_tally_handshake(s);
        apply_type(s, LIFE_EV_TLS_DONE);
    }
}

static void client_bytes(struct session *s, uint8_t *data, size_t len)
{
    s->times.client_heard_ms = reactor_now_ms(s->context->reactor);
    s->times.ping_sent_ms = 0;
    finish_handshake(s);
    switch (s->life.phase) {
    case LIFE_REQUEST: {
        struct session_event event;
        if (len == 0) {
            break;
        }
        s->has_asked = true;
        session_begin_request(s);
        bool is_decided = session_take_head(s, data, len, &event);
        explicit_bzero(data, len); /* cookies and tokens stand in it */
        if (is_decided) {
            apply(s, &event);
        }
        break;
    }
    case LIFE_TOKEN:
    case LIFE_OPEN:
    case LIFE_CLOSING:
        if (!s->life.close_received) {
            struct pump_report report;
            pump_client_bytes(&s->pump, data, len, mode_of(s), &report);
            take_report(s, &report);
        }
        break;
    case LIFE_TLS:
    case LIFE_SERVING:
    case LIFE_DIAL:
    case LIFE_HALF_CLOSED:
    case LIFE_ANSWER:
    case LIFE_LINGER:
    case LIFE_DEAD:
        break; /* nobody wants these bytes */
    }
}

static void read_client(struct session *s)
{
    uint8_t *data = NULL;
    size_t len = 0;
    bool is_kept = s->life.phase == LIFE_TOKEN || s->life.phase == LIFE_OPEN;
    size_t most = is_kept ? pump_client_room(&s->pump) : DISCARD_BYTES;
    enum conn_result result = conn_read(&s->pump.client, most, &data, &len);

    if (len > 0 && session_is_header_due(s) && !life_has_ended(&s->life)) {
        struct session_event event;
        result = session_take_header(s, &data, &len, &event);
        if (event.life.type != LIFE_EV_COUNT) {
            apply(s, &event);
        }
    }
    /* The end of a handshake may come with close_notify, and then no byte with it. */
    if (len > 0 || result == CONN_OK || s->life.phase == LIFE_TLS) {
        client_bytes(s, data, len);
    }
    switch (result) {
    case CONN_OK:
    case CONN_AGAIN:
        break;
    case CONN_EOF:
        /* The event comes behind every byte that came before the end. */
        s->is_eof_due = true;
        break;
    case CONN_RESET:
        apply_type(s, LIFE_EV_CLIENT_RESET);
        break;
    case CONN_TLS_FAILED:
        apply_end(s, s->life.phase == LIFE_TLS ? LIFE_TLS_FAILED : LIFE_CLIENT_RESET,
                  tls_detail(s->pump.client.tls));
        break;
    case CONN_NO_MEMORY:
        apply_end(s, LIFE_INTERNAL, "out of memory");
        break;
    }
}

static void flush(struct conn *conn)
{
    enum conn_result result = conn_flush(conn);
    (void)result; /* is_broken and the queue show what came of it */
}

/* Sends the next parts of a file or of a body. */
static void continue_answer(struct session *s)
{
    if (session_continue_files(s)) {
        door_progress(s->door, &s->guest);
    } else if (s->pump.is_client_owed) {
        answer_more(&s->pump, &s->request->page.body);
        door_progress(s->door, &s->guest);
    }
}

static void client_ready(struct session *s, unsigned ready)
{
    struct conn *conn = &s->pump.client;
    pump_tell_time(&s->pump, reactor_now_ms(s->context->reactor));
    if ((ready & REACTOR_WRITE) && conn_queued(conn) > 0) {
        flush(conn);
    }
    continue_answer(s);
    resume(s);
    if ((ready & REACTOR_READ) && life_reads_client(&s->life) && !pump_is_held(&s->pump) &&
        !session_has_ahead(s)) {
        read_client(s);
    }
    session_settle(s);
}

void session_on_client_ready(struct conn *conn, unsigned ready)
{
    struct session *s = container_of(conn, struct session, pump.client);
    if (door_is_guest(&s->guest)) {
        door_queue(s->door, &s->guest);
        pump_rest(&s->pump);
        return;
    }
    client_ready(s, ready);
}

void session_serve(struct door_guest *guest)
{
    client_ready(container_of(guest, struct session, guest), REACTOR_READ | REACTOR_WRITE);
}

void session_put_out(struct door_guest *guest)
{
    struct session *s = container_of(guest, struct session, guest);
    apply_end(s, LIFE_FULL, "it made place for a newer one: max_pending");
    apply_type(s, LIFE_EV_KILL);
}

/* Without close_notify anybody on the way may have cut the stream: the page must not take it for
 * the whole. */
static void end_backend(struct session *s)
{
    if (conn_is_cut(&s->pump.backend)) {
        session_note_reset(s);
        const struct session_event event = {.life = {.type = LIFE_EV_BACKEND_RESET},
                                            .detail = "FIN without close_notify"};
        apply(s, &event);
    } else {
        apply_type(s, LIFE_EV_BACKEND_EOF);
    }
}

/* With TLS 1.3 a backend refuses sluice's certificate, or the lack of one, when for sluice the
 * handshake is over already. */
static void fail_backend_tls(struct session *s)
{
    const char *detail = tls_detail(s->pump.backend.tls);
    const struct session_event event = {.life = {.type = LIFE_EV_BACKEND_RESET}, .detail = detail};
    session_note_reset(s);
    if (tls_has_heard(s->pump.backend.tls) || life_has_ended(&s->life)) {
        apply(s, &event);
    } else {
        apply_end(s, LIFE_BACKEND_TLS, detail);
    }
}

static void read_backend(struct session *s)
{
    uint8_t *data = NULL;
    size_t len = 0;
    bool is_forwarded = life_forwards_backend(&s->life);
    size_t most = is_forwarded ? pump_backend_room(&s->pump) : DISCARD_BYTES;
    enum conn_result result = conn_read(&s->pump.backend, most, &data, &len);
    struct pump_report report = {.verdict = PUMP_MORE};

    if (len > 0 && is_forwarded) {
        session_note_spoken(s);
        s->times.payload_ms = reactor_now_ms(s->context->reactor);
        pump_backend_bytes(&s->pump, data, len, &report);
    }
    if (result == CONN_EOF && is_forwarded && report.verdict == PUMP_MORE) {
        pump_backend_end(&s->pump, &report);
    }
    take_report(s, &report);
    switch (result) {
    case CONN_OK:
    case CONN_AGAIN:
        break;
    case CONN_EOF:
        end_backend(s);
        break;
    case CONN_RESET:
        session_note_reset(s);
        apply_type(s, LIFE_EV_BACKEND_RESET);
        break;
    case CONN_TLS_FAILED:
        fail_backend_tls(s);
        break;
    case CONN_NO_MEMORY:
        apply_end(s, LIFE_INTERNAL, "out of memory");
        break;
    }
}

void session_on_backend_ready(struct conn *conn, unsigned ready)
{
    struct session *s = container_of(conn, struct session, pump.backend);
    pump_tell_time(&s->pump, reactor_now_ms(s->context->reactor));
    if ((ready & REACTOR_WRITE) && conn_queued(conn) > 0) {
        flush(conn);
    }
    resume(s);
    if ((ready & REACTOR_READ) && life_reads_backend(&s->life)) {
        read_backend(s);
    }
    session_settle(s);
}

void session_take_event(struct session *s, const struct session_event *event)
{
    apply(s, event);
    session_settle(s);
}

void session_on_timer(struct reactor_timer *timer)
{
    struct session *s = container_of(timer, struct session, timer);
    struct session_event event;
    pump_tell_time(&s->pump, reactor_now_ms(s->context->reactor));
    session_tally_now(s);
    if (session_take_deadline(s, &event)) {
        apply(s, &event);
    }
    session_settle(s);
}
