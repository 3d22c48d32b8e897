/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one timer of a session: every deadline of its life, parking, and rates. */
#include "base/clock.h"
#include "gate/session_parts.h"

#define CLOCK_LOOK_MS (60 * UINT64_C(1000))

struct life_deadline session_deadline(const struct session *s)
{
    const struct life_timeouts *timeouts =
        s->route != NULL ? &s->route->timeouts : &s->context->config->early_timeouts;
    if (s->files != NULL && s->route == NULL) {
        struct life_timeouts kept = *timeouts;
        kept.kept_ms = s->files->kept_ms;
        return life_deadline(&s->life, &kept, &s->times);
    }
    return life_deadline(&s->life, timeouts, &s->times);
}

/* When the session parks; 0 = it has nothing to give back. */
static uint64_t park_at_ms(const struct session *s)
{
    return s->route == NULL
               ? 0
               : pump_park_at_ms(&s->pump, s->times.payload_ms, s->route->deflate_idle_ms);
}

void session_set_timer(struct session *s)
{
    struct life_deadline deadline = session_deadline(s);
    uint64_t at_ms = deadline.kind != LIFE_DEADLINE_NONE ? deadline.at_ms : 0;
    uint64_t parking_at_ms = park_at_ms(s);

    if (parking_at_ms != 0 && (at_ms == 0 || parking_at_ms < at_ms)) {
        at_ms = parking_at_ms;
    }
    uint64_t until_ms = pump_throttled_until_ms(&s->pump);
    if (until_ms != 0 && (at_ms == 0 || until_ms < at_ms)) {
        at_ms = until_ms;
    }
    /* The timer finds a later deadline when it rings for the earlier one: moving it for every byte
     * would cost more. */
    if (at_ms != 0 && (s->timer_at_ms == 0 || at_ms < s->timer_at_ms)) {
        s->timer_at_ms = at_ms;
        reactor_timer_at(&s->timer, at_ms);
    }
}

/* Somebody may set the clock, and a machine that sleeps counts no milliseconds: so the look comes
 * once a minute at least. */
bool session_await_expiry(struct session *s)
{
    uint64_t date_s = clock_date_s();
    uint64_t wait_ms = CLOCK_LOOK_MS;

    if (s->who == NULL || s->who->ends_s == 0) {
        s->times.expires_ms = 0; /* a reload may have taken an end away */
        return true;
    }
    bool is_left = s->who->ends_s > date_s;
    if (!is_left) {
        wait_ms = 0;
    } else if (s->who->ends_s - date_s < CLOCK_LOOK_MS / 1000) {
        wait_ms = (s->who->ends_s - date_s) * 1000;
    }
    s->times.expires_ms = reactor_now_ms(s->context->reactor) + wait_ms;
    return is_left;
}

/* True when the peer is slow rather than stuck, or the clock early: the wait begins again. */
static bool is_excused(struct session *s, enum life_excuse excuse)
{
    uint64_t now_ms = reactor_now_ms(s->context->reactor);
    switch (excuse) {
    case LIFE_EXCUSE_PONG:
        return watch_renew(&s->pong_watch, &s->times.ping_sent_ms, &s->pump.client, now_ms);
    case LIFE_EXCUSE_CLIENT:
        return watch_renew(&s->client_watch, &s->times.client_stuck_ms, &s->pump.client, now_ms);
    case LIFE_EXCUSE_BACKEND:
        return watch_renew(&s->backend_watch, &s->times.backend_stuck_ms, &s->pump.backend, now_ms);
    case LIFE_EXCUSE_EITHER:
        return watch_renew_either(&s->idle_watch, &s->times.payload_ms, &s->pump.client,
                                  &s->pump.backend, now_ms);
    case LIFE_EXCUSE_CLOCK:
        return session_await_expiry(s);
    case LIFE_EXCUSE_NONE:
        break;
    }
    return false;
}

/* What a client did whose time for the phase is over; NULL: the ending says it all. */
static const char *late_detail(const struct session *s)
{
    bool is_silent = session_client_bytes(s) == 0;
    if (session_is_header_due(s) && !is_silent) {
        return s->life.phase == LIFE_TLS ? "the PROXY header took longer than tls_timeout"
                                         : "the PROXY header took longer than request_timeout";
    }
    if (s->life.phase == LIFE_TOKEN) {
        return "the first message, which is the token, took longer than auth_timeout";
    }
    if (s->life.phase != LIFE_TLS) {
        return NULL;
    }
    return is_silent ? "the client sent nothing within tls_timeout"
                     : "the TLS handshake took longer than tls_timeout";
}

bool session_take_deadline(struct session *s, struct session_event *out)
{
    struct life_deadline deadline = session_deadline(s);
    uint64_t now_ms = reactor_now_ms(s->context->reactor);
    uint64_t parking_at_ms = park_at_ms(s);

    s->timer_at_ms = 0;
    if (parking_at_ms != 0 && now_ms >= parking_at_ms) {
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
        return !is_excused(s, deadline.excuse);
    case LIFE_DEADLINE_CLIENT:
        if (s->dial != NULL) {
            dial_expire(s->dial); /* it knows what it has waited for */
            return false;
        }
        if (is_excused(s, deadline.excuse)) {
            s->times.phase_since_ms = now_ms;
            return false;
        }
        if (session_is_asking(s)) {
            out->life = (struct life_event){.type = LIFE_EV_END, .ending = LIFE_FULL};
            out->detail = "the password was not checked within request_timeout";
            return true;
        }
        out->life.type = LIFE_EV_DEADLINE;
        out->detail = late_detail(s);
        if (s->life.phase == LIFE_TOKEN) {
            session_tally_refusal(s, IDENTITY_MISSING);
        }
        return true;
    case LIFE_DEADLINE_BACKEND:
        out->life.type = LIFE_EV_BACKEND_DEADLINE;
        return true;
    case LIFE_DEADLINE_PING:
        pump_send_ping(&s->pump);
        watch_begin(&s->pong_watch, &s->times.ping_sent_ms, &s->pump.client, now_ms);
        return false;
    case LIFE_DEADLINE_NONE:
        break;
    }
    return false;
}
