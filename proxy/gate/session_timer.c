/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one timer of a session: every deadline of its life, and memory that is given back when
 * nothing has used it for a while. */
#include "gate/session_parts.h"

struct life_deadline session_deadline(const struct session *s)
{
    const struct life_timeouts *timeouts =
        s->route != NULL ? &s->route->timeouts : &s->context->config->defaults;
    const struct life_times times = {
        .phase_since_ms = s->phase_since_ms,
        .open_since_ms = s->open_since_ms,
        .backend_since_ms = s->fin_since_ms,
        .payload_ms = s->payload_ms,
        .client_heard_ms = s->heard_ms,
        .ping_sent_ms = s->pong_watch.since_ms,
        .client_stuck_ms = s->client_watch.since_ms,
        .backend_stuck_ms = s->backend_watch.since_ms,
        .is_client_paused = s->is_client_paused,
    };
    return life_deadline(&s->life, timeouts, &times);
}

/* When memory that nothing uses is given back; 0 = there is none. */
static uint64_t park_at_ms(const struct session *s)
{
    return s->route == NULL ? 0
                            : pump_park_at_ms(&s->pump, s->payload_ms, s->route->deflate_idle_ms);
}

void session_set_timer(struct session *s)
{
    struct life_deadline deadline = session_deadline(s);
    uint64_t at_ms = deadline.kind != LIFE_DEADLINE_NONE ? deadline.at_ms : 0;
    uint64_t memory_at_ms = park_at_ms(s);

    if (memory_at_ms != 0 && (at_ms == 0 || memory_at_ms < at_ms)) {
        at_ms = memory_at_ms;
    }
    /* A later deadline is noticed when the earlier one rings: moving the timer for every byte would
     * cost more. */
    if (at_ms != 0 && (s->timer_at_ms == 0 || at_ms < s->timer_at_ms)) {
        s->timer_at_ms = at_ms;
        reactor_timer_at(&s->timer, at_ms);
    }
}

/* The peer of a wait that is over may only be slow. */
static bool is_still_taking(struct session *s, enum life_excuse excuse)
{
    uint64_t now_ms = reactor_now_ms(s->context->reactor);
    switch (excuse) {
    case LIFE_EXCUSE_PONG:
        return watch_renew(&s->pong_watch, &s->pump.client, now_ms);
    case LIFE_EXCUSE_CLIENT:
        return watch_renew(&s->client_watch, &s->pump.client, now_ms);
    case LIFE_EXCUSE_BACKEND:
        return watch_renew(&s->backend_watch, &s->pump.backend, now_ms);
    case LIFE_EXCUSE_NONE:
        break;
    }
    return false;
}

bool session_take_deadline(struct session *s, struct session_event *out)
{
    struct life_deadline deadline = session_deadline(s);
    uint64_t now_ms = reactor_now_ms(s->context->reactor);
    uint64_t memory_at_ms = park_at_ms(s);

    s->timer_at_ms = 0;
    if (memory_at_ms != 0 && now_ms >= memory_at_ms) {
        pump_park(&s->pump, now_ms);
        if (s->context->on_park != NULL) {
            s->context->on_park(s->context);
        }
    }
    if (deadline.kind == LIFE_DEADLINE_NONE || now_ms < deadline.at_ms) {
        return false;
    }
    *out = (struct session_event){.detail = NULL};
    switch (deadline.kind) {
    case LIFE_DEADLINE_END:
        out->life = (struct life_event){.type = LIFE_EV_END, .ending = deadline.ending};
        return !is_still_taking(s, deadline.excuse);
    case LIFE_DEADLINE_CLIENT:
        if (is_still_taking(s, deadline.excuse)) {
            s->phase_since_ms = now_ms;
            return false;
        }
        out->life.type = LIFE_EV_DEADLINE;
        return true;
    case LIFE_DEADLINE_BACKEND:
        out->life.type = LIFE_EV_BACKEND_DEADLINE;
        return true;
    case LIFE_DEADLINE_PING:
        pump_send_ping(&s->pump);
        watch_begin(&s->pong_watch, &s->pump.client, now_ms);
        return false;
    case LIFE_DEADLINE_NONE:
        break;
    }
    return false;
}
