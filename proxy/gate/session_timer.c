/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one timer of a session: queues that do not move, Pongs that do not come, and every other
 * deadline of its life. */
#include "gate/session.h"
#include "gate/session_parts.h"

/* A queue that does not move is stuck since it last did. */
static void note_progress(const struct conn *c, uint64_t *sent_bytes, uint64_t *acked_bytes,
                          uint64_t *stuck_ms, uint64_t now_ms)
{
    if (conn_queued(c) == 0) {
        *stuck_ms = 0;
    } else if (*stuck_ms == 0) {
        *stuck_ms = now_ms;
        *acked_bytes = conn_acked_bytes(c);
    } else if (c->sent_bytes != *sent_bytes) {
        *stuck_ms = now_ms; /* the old figure will do: the kernel is asked as seldom as can be */
    }
    *sent_bytes = c->sent_bytes;
}

void session_note_progress(struct session *s)
{
    uint64_t now_ms = reactor_now_ms(s->context->reactor);
    note_progress(&s->pump.client, &s->client_sent_bytes, &s->client_acked_bytes,
                  &s->times.client_stuck_ms, now_ms);
    note_progress(&s->pump.backend, &s->backend_sent_bytes, &s->backend_acked_bytes,
                  &s->times.backend_stuck_ms, now_ms);
}

static uint64_t park_at_ms_of(const struct session *s)
{
    return s->route == NULL
               ? 0
               : pump_park_at_ms(&s->pump, s->times.payload_ms, s->route->deflate_idle_ms);
}

void session_set_timer(struct session *s)
{
    const struct life_timeouts *timeouts =
        s->route != NULL ? &s->route->timeouts : &s->context->config->defaults;
    struct life_deadline deadline = life_deadline(&s->life, timeouts, &s->times);

    uint64_t at_ms = deadline.kind != LIFE_DEADLINE_NONE ? deadline.at_ms : 0;
    uint64_t park_at_ms = park_at_ms_of(s);

    if (park_at_ms != 0 && (at_ms == 0 || park_at_ms < at_ms)) {
        at_ms = park_at_ms;
    }
    /* A later deadline is noticed when the earlier one rings: moving the timer for every byte would
     * cost more. */
    if (at_ms != 0 && (s->timer_at_ms == 0 || at_ms < s->timer_at_ms)) {
        s->timer_at_ms = at_ms;
        reactor_timer_at(&s->timer, at_ms);
    }
}

static void begin_pong_wait(struct session *s)
{
    s->times.ping_sent_ms = reactor_now_ms(s->context->reactor);
    s->ping_acked_bytes = conn_acked_bytes(&s->pump.client);
}

static bool has_taken_more(const struct conn *c, uint64_t *acked_bytes, uint64_t *since_ms)
{
    uint64_t now_acked_bytes = conn_acked_bytes(c);
    if (c->is_broken || now_acked_bytes == *acked_bytes) {
        return false;
    }
    *acked_bytes = now_acked_bytes;
    *since_ms = reactor_now_ms(c->reactor);
    return true;
}

/* A queue that does not move and a Pong that does not come may only mean a slow peer with megabytes
 * of ours still in the kernel, which takes nothing more until a third of them has gone. Then the
 * wait starts again. */
static bool is_still_taking(struct session *s, enum life_ending ending)
{
    if (ending == LIFE_CLIENT_LOST) {
        return has_taken_more(&s->pump.client, &s->ping_acked_bytes, &s->times.ping_sent_ms);
    }
    if (ending == LIFE_CLIENT_STALLED) {
        return has_taken_more(&s->pump.client, &s->client_acked_bytes, &s->times.client_stuck_ms);
    }
    return ending == LIFE_BACKEND_STALLED &&
           has_taken_more(&s->pump.backend, &s->backend_acked_bytes, &s->times.backend_stuck_ms);
}

void session_on_timer(struct reactor_timer *timer)
{
    struct session *s = container_of(timer, struct session, timer);
    const struct life_timeouts *timeouts =
        s->route != NULL ? &s->route->timeouts : &s->context->config->defaults;
    struct life_deadline deadline = life_deadline(&s->life, timeouts, &s->times);
    uint64_t now_ms = reactor_now_ms(s->context->reactor);
    uint64_t park_at_ms = park_at_ms_of(s);

    s->timer_at_ms = 0;
    if (park_at_ms != 0 && now_ms >= park_at_ms) {
        pump_park(&s->pump);
        if (s->context->on_rest != NULL) {
            s->context->on_rest(s->context);
        }
    }
    if (deadline.kind != LIFE_DEADLINE_NONE && now_ms >= deadline.at_ms) {
        switch (deadline.kind) {
        case LIFE_DEADLINE_END:
            if (!is_still_taking(s, deadline.ending)) {
                session_step_end(s, deadline.ending, NULL);
            }
            break;
        case LIFE_DEADLINE_CLIENT:
            session_step_type(s, LIFE_EV_DEADLINE);
            break;
        case LIFE_DEADLINE_BACKEND:
            session_step_type(s, LIFE_EV_BACKEND_DEADLINE);
            break;
        case LIFE_DEADLINE_PING:
            pump_send_ping(&s->pump);
            begin_pong_wait(s);
            break;
        case LIFE_DEADLINE_NONE:
            break;
        }
    }
    session_settle(s);
}
