/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/life.h"

#include <assert.h>
#include <stddef.h>

/* The client side has nothing left to send: FIN, then discard until its EOF. */
static unsigned finish_client(struct life *life)
{
    life->phase = LIFE_LINGER;
    if (life->client_eof) {
        life->client = LIFE_SIDE_GONE;
        return LIFE_DO_CLIENT_FINISH | LIFE_DO_CLIENT_CLOSE;
    }
    life->client = LIFE_SIDE_LINGERING;
    return LIFE_DO_CLIENT_FINISH;
}

static unsigned drop_client(struct life *life, enum life_action how)
{
    if (life->client == LIFE_SIDE_GONE) {
        return 0;
    }
    life->client = LIFE_SIDE_GONE;
    life->phase = LIFE_LINGER;
    return how;
}

static unsigned drop_backend(struct life *life, enum life_action how)
{
    if (life->backend == LIFE_SIDE_GONE) {
        return 0;
    }
    life->backend = LIFE_SIDE_GONE;
    return how;
}

static unsigned send_close(struct life *life, uint16_t code)
{
    assert(!life->close_sent);
    life->close_sent = true;
    life->close_code = code;
    life->phase = LIFE_CLOSING;
    life->client = LIFE_SIDE_DRAINING;
    return LIFE_DO_SEND_CLOSE;
}

static unsigned send_http(struct life *life)
{
    life->phase = LIFE_ANSWER;
    life->client = LIFE_SIDE_DRAINING;
    return LIFE_DO_SEND_HTTP;
}

static uint16_t close_code_of(const struct life *life, const struct life_ending_row *row)
{
    return row->is_backend_row ? life->route.backend_code : row->close_code;
}

/* What is queued for the client leaves before the FIN. */
static unsigned drain_client(struct life *life)
{
    life->phase = LIFE_ANSWER;
    life->client = LIFE_SIDE_DRAINING;
    return 0;
}

/* The rest of the file still leaves, unless we cannot go on. */
static unsigned end_file(struct life *life, const struct life_ending_row *row)
{
    return row->again == LIFE_AGAIN_CUT_BOTH ? drop_client(life, LIFE_DO_CLIENT_ABORT)
                                             : drain_client(life);
}

/* The client's half of an ending before the 101. */
static unsigned end_client_before_101(struct life *life, const struct life_ending_row *row)
{
    bool is_http =
        row->client == LIFE_CLIENT_HTTP || !life->is_websocket || life->route.is_http_refusal;
    if (row->client == LIFE_CLIENT_RST) {
        return drop_client(life, LIFE_DO_CLIENT_ABORT);
    }
    if (life->phase == LIFE_SERVING) {
        return end_file(life, row);
    }
    bool is_quiet = row->client == LIFE_CLIENT_QUIET;
    if (life->served == LIFE_SERVED_KEPT || (is_quiet && life->served != LIFE_SERVED_NOTHING)) {
        return drain_client(life);
    }
    if (life->phase == LIFE_TLS || is_quiet) {
        return finish_client(life);
    }
    if (is_http) {
        return row->http_status != 0 ? send_http(life) : finish_client(life);
    }
    if (row->close_code == 0) {
        return finish_client(life);
    }
    life->has_upgraded = true;
    return LIFE_DO_REFUSE_101 | send_close(life, close_code_of(life, row));
}

/* Our Close says what the client's said. */
static unsigned echo_close(struct life *life)
{
    return send_close(life, life->received_code == LIFE_NO_CODE ? 0 : life->received_code);
}

/* The same after it. */
static unsigned end_client_after_101(struct life *life, const struct life_ending_row *row)
{
    switch (row->client) {
    case LIFE_CLIENT_ECHO:
        return echo_close(life);
    case LIFE_CLIENT_SAY:
        return send_close(life, close_code_of(life, row));
    case LIFE_CLIENT_RST:
        return drop_client(life, LIFE_DO_CLIENT_ABORT);
    case LIFE_CLIENT_HTTP: /* too late for it, and a Close has no code for it */
    case LIFE_CLIENT_QUIET:
        break;
    }
    /* The client may have closed only its sending half: what is queued for it leaves before the
     * FIN. */
    life->phase = LIFE_CLOSING;
    life->client = LIFE_SIDE_DRAINING;
    return 0;
}

static unsigned end_backend(struct life *life, const struct life_ending_row *row)
{
    if (life->backend == LIFE_SIDE_GONE) {
        return 0;
    }
    switch (row->backend) {
    case LIFE_BACKEND_FIN:
        life->backend = LIFE_SIDE_DRAINING;
        return 0;
    case LIFE_BACKEND_RST:
        return drop_backend(life, LIFE_DO_BACKEND_ABORT);
    case LIFE_BACKEND_NONE:
        break;
    }
    return drop_backend(life, LIFE_DO_BACKEND_CLOSE);
}

static unsigned end_first(struct life *life, enum life_ending ending)
{
    const struct life_ending_row *row = life_ending_row(ending);
    unsigned actions = life->phase == LIFE_DIAL ? LIFE_DO_CANCEL_DIAL : 0;

    life->ending = ending;
    life->ended_in = life->phase;
    if (row->is_stream_lost) {
        life->close_received = true;
    }
    actions |=
        life->has_upgraded ? end_client_after_101(life, row) : end_client_before_101(life, row);
    life->served = LIFE_SERVED_NOTHING; /* it means something in REQUEST and SERVING alone */
    return actions | end_backend(life, row);
}

/* No more waiting for the backend: the answer to the client's Close. */
static unsigned stop_half_close(struct life *life)
{
    return life->phase == LIFE_HALF_CLOSED ? echo_close(life) : 0;
}

static unsigned cut_both(struct life *life)
{
    return drop_client(life, LIFE_DO_CLIENT_ABORT) | drop_backend(life, LIFE_DO_BACKEND_ABORT);
}

/* A second reason changes nothing but what can no longer be waited for. */
static unsigned end_again(struct life *life, enum life_ending ending)
{
    const struct life_ending_row *row = life_ending_row(ending);

    if (row->is_stream_lost && life->phase == LIFE_CLOSING) {
        life->close_received = true;
        return life->client == LIFE_SIDE_UP ? finish_client(life) : 0;
    }
    switch (row->again) {
    case LIFE_AGAIN_HURRY:
        break;
    case LIFE_AGAIN_CUT_CLIENT:
        return drop_client(life, LIFE_DO_CLIENT_ABORT);
    case LIFE_AGAIN_CUT_BACKEND:
        return stop_half_close(life) | drop_backend(life, LIFE_DO_BACKEND_ABORT);
    case LIFE_AGAIN_CUT_BOTH:
        return cut_both(life);
    }
    return stop_half_close(life);
}

static unsigned end_for(struct life *life, enum life_ending ending)
{
    assert(ending != LIFE_NOT_ENDED);
    return life_has_ended(life) ? end_again(life, ending) : end_first(life, ending);
}

/* What can be said at once is still said. */
static unsigned on_kill(struct life *life)
{
    unsigned actions = end_for(life, LIFE_SHUTDOWN);
    return actions | cut_both(life);
}

/* The client's Close becomes the backend's FIN, behind what is queued for it. */
static unsigned half_close(struct life *life)
{
    if (life->backend != LIFE_SIDE_UP || life->backend_eof) {
        return end_for(life, LIFE_CLIENT_CLOSE);
    }
    life->ending = LIFE_CLIENT_CLOSE;
    life->ended_in = life->phase;
    life->phase = LIFE_HALF_CLOSED;
    life->backend = LIFE_SIDE_DRAINING;
    return 0;
}

static unsigned on_client_close(struct life *life, uint16_t code)
{
    if (!life->has_upgraded || life->close_received || life->client == LIFE_SIDE_GONE) {
        return 0;
    }
    life->close_received = true;
    life->received_code = code != 0 ? code : LIFE_NO_CODE;
    if (!life_has_ended(life)) {
        return half_close(life);
    }
    return life->phase == LIFE_CLOSING && life->client == LIFE_SIDE_UP ? finish_client(life) : 0;
}

/* `ending` is what the FIN means in a session that has not ended yet. */
static unsigned on_client_eof(struct life *life, enum life_ending ending)
{
    life->client_eof = true;
    if (!life_has_ended(life)) {
        bool has_files = life->phase == LIFE_SERVING || life->served == LIFE_SERVED_KEPT;
        return end_for(life, has_files ? LIFE_FILES : ending);
    }
    /* What is queued, and what the backend still says, is delivered: the peer may have closed only
     * its sending half. */
    if (life->client == LIFE_SIDE_DRAINING || life->phase == LIFE_HALF_CLOSED) {
        return 0;
    }
    /* It went without its Close: our orderly end (close_notify) is still owed. */
    return life->client == LIFE_SIDE_UP ? finish_client(life)
                                        : drop_client(life, LIFE_DO_CLIENT_CLOSE);
}

static unsigned on_client_reset(struct life *life)
{
    if (!life_has_ended(life)) {
        return end_for(life, LIFE_CLIENT_RESET);
    }
    return drop_client(life, LIFE_DO_CLIENT_CLOSE);
}

static unsigned on_client_flushed(struct life *life)
{
    if (life->client != LIFE_SIDE_DRAINING) {
        return 0;
    }
    if (life->phase == LIFE_CLOSING && !life->close_received && !life->client_eof) {
        life->client = LIFE_SIDE_UP; /* now their Close */
        return 0;
    }
    return finish_client(life);
}

static unsigned on_backend_flushed(struct life *life)
{
    if (life->backend != LIFE_SIDE_DRAINING) {
        return 0;
    }
    if (life->backend_eof) {
        life->backend = LIFE_SIDE_GONE;
        return LIFE_DO_BACKEND_FINISH | LIFE_DO_BACKEND_CLOSE;
    }
    life->backend = LIFE_SIDE_LINGERING;
    return LIFE_DO_BACKEND_FINISH;
}

static unsigned on_backend_eof(struct life *life)
{
    if (life->backend == LIFE_SIDE_GONE) {
        return 0;
    }
    life->backend_eof = true;
    if (!life_has_ended(life)) {
        return life->route.is_half_open ? 0 : end_for(life, LIFE_BACKEND_CLOSE);
    }
    unsigned actions = stop_half_close(life);
    if (life->backend == LIFE_SIDE_LINGERING) {
        actions |= drop_backend(life, LIFE_DO_BACKEND_CLOSE);
    }
    return actions;
}

static unsigned on_backend_reset(struct life *life)
{
    if (life->backend == LIFE_SIDE_GONE) {
        return 0;
    }
    if (!life_has_ended(life)) {
        return end_for(life, LIFE_BACKEND_RESET);
    }
    return stop_half_close(life) | drop_backend(life, LIFE_DO_BACKEND_CLOSE);
}

static unsigned on_deadline(struct life *life)
{
    switch (life->phase) {
    case LIFE_TLS:
        return end_for(life, LIFE_TLS_FAILED);
    case LIFE_REQUEST:
        return end_for(life, life->served == LIFE_SERVED_KEPT ? LIFE_FILES : LIFE_HEAD_TOO_SLOW);
    case LIFE_TOKEN:
        return end_for(life, LIFE_AUTH);
    case LIFE_DIAL:
        return end_for(life, LIFE_BACKEND_TIMEOUT);
    case LIFE_HALF_CLOSED: /* the backend has had its time */
        return stop_half_close(life);
    case LIFE_CLOSING: /* their Close did not come */
        return life->client == LIFE_SIDE_UP ? finish_client(life) : 0;
    case LIFE_ANSWER: /* a FIN would say that the answer is whole */
        return drop_client(life, LIFE_DO_CLIENT_ABORT);
    case LIFE_LINGER:
        return drop_client(life, LIFE_DO_CLIENT_CLOSE);
    case LIFE_SERVING: /* a queue that stands still ends it */
    case LIFE_OPEN:
    case LIFE_DEAD:
        break;
    }
    return 0;
}

/* The session's 101, unless it was sent before. */
static unsigned accept_101(struct life *life)
{
    unsigned actions = life->has_upgraded ? 0 : LIFE_DO_ACCEPT_101;
    life->has_upgraded = true;
    return actions;
}

static unsigned dial(struct life *life)
{
    life->phase = LIFE_DIAL;
    return LIFE_DO_DIAL;
}

static unsigned on_request_ok(struct life *life)
{
    if (life->phase != LIFE_REQUEST) {
        return 0;
    }
    life->served = LIFE_SERVED_NOTHING;
    if (!life->route.is_token_first) {
        return dial(life);
    }
    life->phase = LIFE_TOKEN;
    return accept_101(life);
}

static unsigned on_serve(struct life *life)
{
    if (life->phase != LIFE_REQUEST) {
        return 0;
    }
    life->phase = LIFE_SERVING;
    life_begin_request(life);
    return LIFE_DO_SEND_FILE;
}

static unsigned on_served(struct life *life)
{
    if (life->phase == LIFE_SERVING) {
        life->phase = LIFE_REQUEST;
        life->served = LIFE_SERVED_KEPT;
    }
    return 0;
}

static unsigned on_token_ok(struct life *life)
{
    return life->phase == LIFE_TOKEN ? dial(life) : 0;
}

static unsigned on_backend_up(struct life *life)
{
    if (life->phase != LIFE_DIAL) {
        /* Cancelled meanwhile: whatever was connected is not wanted any more. */
        bool is_unwanted = life->route.has_backend && life->backend == LIFE_SIDE_GONE;
        return is_unwanted ? LIFE_DO_BACKEND_CLOSE : 0;
    }
    life->phase = LIFE_OPEN;
    life->backend = life->route.has_backend ? LIFE_SIDE_UP : LIFE_SIDE_GONE;
    return accept_101(life);
}

static unsigned handle(struct life *life, const struct life_event *event)
{
    switch (event->type) {
    case LIFE_EV_TLS_DONE:
        if (life->phase == LIFE_TLS) {
            life->phase = LIFE_REQUEST;
        }
        return 0;
    case LIFE_EV_REQUEST_OK:
        return on_request_ok(life);
    case LIFE_EV_SERVE:
        return on_serve(life);
    case LIFE_EV_SERVED:
        return on_served(life);
    case LIFE_EV_TOKEN_OK:
        return on_token_ok(life);
    case LIFE_EV_BACKEND_UP:
        return on_backend_up(life);
    case LIFE_EV_END:
        return end_for(life, event->ending);
    case LIFE_EV_KILL:
        return on_kill(life);
    case LIFE_EV_CLIENT_CLOSE:
        return on_client_close(life, event->code);
    case LIFE_EV_CLIENT_EOF:
        return on_client_eof(life, LIFE_CLIENT_EOF);
    case LIFE_EV_CLIENT_CUT:
        return on_client_eof(life, LIFE_CLIENT_CUT);
    case LIFE_EV_CLIENT_RESET:
        return on_client_reset(life);
    case LIFE_EV_CLIENT_FLUSHED:
        return on_client_flushed(life);
    case LIFE_EV_BACKEND_EOF:
        return on_backend_eof(life);
    case LIFE_EV_BACKEND_RESET:
        return on_backend_reset(life);
    case LIFE_EV_BACKEND_FLUSHED:
        return on_backend_flushed(life);
    case LIFE_EV_DEADLINE:
        return on_deadline(life);
    case LIFE_EV_BACKEND_DEADLINE:
        return stop_half_close(life) | drop_backend(life, LIFE_DO_BACKEND_CLOSE);
    case LIFE_EV_COUNT:
        break;
    }
    assert(!"no such event");
    return 0;
}

unsigned life_step(struct life *life, const struct life_event *event)
{
    if (life->phase == LIFE_DEAD) {
        return 0;
    }
    unsigned actions = handle(life, event);
    if (life->client == LIFE_SIDE_GONE && life->backend == LIFE_SIDE_GONE) {
        life->phase = LIFE_DEAD;
        actions |= LIFE_DO_RETIRE;
    }
    return actions;
}
