/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/life.h"

static void nearer(struct life_deadline *nearest, struct life_deadline other)
{
    if (nearest->kind == LIFE_DEADLINE_NONE || other.at_ms < nearest->at_ms) {
        *nearest = other;
    }
}

static void nearer_event(struct life_deadline *nearest, enum life_deadline_kind kind,
                         uint64_t at_ms)
{
    nearer(nearest, (struct life_deadline){.kind = kind, .at_ms = at_ms});
}

static void nearer_ending(struct life_deadline *nearest, enum life_ending ending,
                          enum life_excuse excuse, uint64_t at_ms)
{
    nearer(nearest, (struct life_deadline){LIFE_DEADLINE_END, ending, excuse, at_ms});
}

static void open_deadlines(struct life_deadline *nearest, const struct life_timeouts *timeouts,
                           const struct life_times *times)
{
    if (timeouts->idle_ms != 0 && !times->is_throttled) {
        nearer_ending(nearest, LIFE_IDLE, LIFE_EXCUSE_EITHER,
                      times->payload_ms + timeouts->idle_ms);
    }
    if (timeouts->max_age_ms != 0) {
        nearer_ending(nearest, LIFE_MAX_AGE, LIFE_EXCUSE_NONE,
                      times->open_since_ms + timeouts->max_age_ms);
    }
    if (times->expires_ms != 0) {
        nearer_ending(nearest, LIFE_AUTH_EXPIRED, LIFE_EXCUSE_CLOCK, times->expires_ms);
    }
    if (times->is_client_paused) {
        return; /* a Pong would wait unread: the stuck queue's deadline runs instead */
    }
    if (times->ping_sent_ms != 0) {
        nearer_ending(nearest, LIFE_CLIENT_LOST, LIFE_EXCUSE_PONG,
                      times->ping_sent_ms + timeouts->pong_ms);
    } else if (timeouts->ping_interval_ms != 0) {
        nearer_event(nearest, LIFE_DEADLINE_PING,
                     times->client_heard_ms + timeouts->ping_interval_ms);
    }
}

/* What the phase as such is allowed to take; the client's side of it. */
static void phase_deadline(struct life_deadline *nearest, const struct life *life,
                           const struct life_timeouts *timeouts, const struct life_times *times)
{
    enum life_excuse excuse = LIFE_EXCUSE_NONE;
    uint64_t allowed_ms = 0;
    switch (life->phase) {
    case LIFE_TLS:
        allowed_ms = timeouts->tls_ms;
        break;
    case LIFE_REQUEST:
        allowed_ms = life->served == LIFE_SERVED_KEPT ? timeouts->kept_ms : timeouts->request_ms;
        break;
    case LIFE_TOKEN:
        allowed_ms = timeouts->token_ms;
        break;
    case LIFE_DIAL:
        allowed_ms = timeouts->connect_ms;
        break;
    case LIFE_CLOSING:
        /* Until our Close has left, the stuck queue's deadline is the one that counts. */
        if (life->client != LIFE_SIDE_UP) {
            return;
        }
        allowed_ms = timeouts->close_ms;
        break;
    case LIFE_HALF_CLOSED:
        allowed_ms = timeouts->close_ms;
        break;
    case LIFE_ANSWER:
        excuse = LIFE_EXCUSE_CLIENT;
        allowed_ms = timeouts->close_ms;
        break;
    case LIFE_LINGER:
        if (life->client != LIFE_SIDE_LINGERING) {
            return;
        }
        allowed_ms = timeouts->linger_ms;
        break;
    case LIFE_SERVING: /* the stuck queue's deadline counts */
    case LIFE_OPEN:
    case LIFE_DEAD:
        return;
    }
    nearer(nearest, (struct life_deadline){.kind = LIFE_DEADLINE_CLIENT,
                                           .excuse = excuse,
                                           .at_ms = times->phase_since_ms + allowed_ms});
}

struct life_deadline life_deadline(const struct life *life, const struct life_timeouts *timeouts,
                                   const struct life_times *times)
{
    struct life_deadline nearest = {.kind = LIFE_DEADLINE_NONE};

    if (life->phase == LIFE_DEAD) {
        return nearest;
    }
    phase_deadline(&nearest, life, timeouts, times);
    if (life->phase == LIFE_OPEN) {
        open_deadlines(&nearest, timeouts, times);
    }
    if (timeouts->end_ms != 0 && life->client == LIFE_SIDE_DRAINING) {
        nearer_ending(&nearest, LIFE_CLIENT_STALLED, LIFE_EXCUSE_NONE,
                      times->end_since_ms + timeouts->end_ms);
    }
    if (times->client_stuck_ms != 0 && life->client != LIFE_SIDE_GONE) {
        nearer_ending(&nearest, LIFE_CLIENT_STALLED, LIFE_EXCUSE_CLIENT,
                      times->client_stuck_ms + timeouts->write_ms);
    }
    if (times->backend_stuck_ms != 0 && life->backend != LIFE_SIDE_GONE) {
        nearer_ending(&nearest, LIFE_BACKEND_STALLED, LIFE_EXCUSE_BACKEND,
                      times->backend_stuck_ms + timeouts->write_ms);
    }
    if (life->backend == LIFE_SIDE_LINGERING && life->phase != LIFE_HALF_CLOSED) {
        nearer_event(&nearest, LIFE_DEADLINE_BACKEND,
                     times->backend_since_ms + timeouts->linger_ms);
    }
    return nearest;
}
