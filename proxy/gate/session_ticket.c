/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Single-use tokens: a session uses its client's, leaves it when the session ends, and ends it when
 * somebody takes the session away. */
#include "base/clock.h"
#include "gate/session_parts.h"

/* The configuration in force has just judged the token, so its section is there. */
static const struct config_auth *find_auth(const struct session *s, struct span name)
{
    const struct config *config = s->context->config;
    for (size_t i = 0; i < config->auth_count; i++) {
        if (span_is_equal(config->auths[i].name, name)) {
            return &config->auths[i];
        }
    }
    return NULL;
}

static struct spent_token token_of(const struct identity *ticket)
{
    return (struct spent_token){ticket->auth, ticket->id, ticket->ticket_ends_s};
}

static struct session_event refuse(struct session *s, enum spent_verdict verdict)
{
    enum life_ending ending = LIFE_AUTH;
    switch (verdict) {
    case SPENT_FIRST:
    case SPENT_AGAIN:
        break;
    case SPENT_USED:
    case SPENT_LATE:
    case SPENT_OFTEN:
    case SPENT_ENDED:
        /* No guess: somebody has proven it, so auth_failures does not count it. */
        session_tally_refusal(s, IDENTITY_USED);
        break;
    case SPENT_LONG:
        session_tally_refusal(s, IDENTITY_FAR_EXP);
        break;
    case SPENT_FULL:
        ending = LIFE_FULL;
        break;
    case SPENT_NO_MEMORY:
        ending = LIFE_INTERNAL;
        break;
    }
    return (struct session_event){{.type = LIFE_EV_END, .ending = ending}, spent_detail(verdict)};
}

bool session_use_ticket(struct session *s, struct session_event *out)
{
    struct identity *ticket = identity_ticket(s->who);
    if (ticket == NULL) {
        return true;
    }
    const struct config_auth *auth = find_auth(s, ticket->auth);
    enum spent_verdict verdict = SPENT_NO_MEMORY;
    if (auth != NULL && s->context->spent != NULL) {
        const struct spent_token token = token_of(ticket);
        const struct spent_terms terms = {auth->reconnect_window_ms, (uint32_t)auth->reconnect_max};
        verdict = spent_use(s->context->spent, &token, &terms, clock_date_s(),
                            reactor_now_ms(s->context->reactor));
    }
    ticket->is_ticket_used = verdict == SPENT_FIRST || verdict == SPENT_AGAIN;
    if (!ticket->is_ticket_used) {
        *out = refuse(s, verdict);
    }
    return ticket->is_ticket_used;
}

void session_leave_ticket(struct session *s)
{
    const struct identity *ticket = identity_ticket(s->who);
    if (ticket != NULL && ticket->is_ticket_used) {
        const struct spent_token token = token_of(ticket);
        spent_leave(s->context->spent, &token, reactor_now_ms(s->context->reactor));
    }
}

void session_end_ticket(struct session *s)
{
    const struct identity *ticket = identity_ticket(s->who);
    if (ticket != NULL && ticket->is_ticket_used) {
        const struct spent_token token = token_of(ticket);
        spent_end(s->context->spent, &token);
    }
}
