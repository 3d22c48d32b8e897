/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a request that the policy admits to a session: the shares of its source and route, memory,
 * who the client is, and a place. What is cheap comes first. */
#include "base/clock.h"
#include "base/mem.h"
#include "conf/change.h"
#include "gate/session_parts.h"

static struct session_event end_event(enum life_ending ending, const char *detail)
{
    return (struct session_event){{.type = LIFE_EV_END, .ending = ending}, detail};
}

const struct config_route *session_route_in_force(const struct session *s)
{
    const struct config *now = s->context->config;
    if (s->config == now) {
        return s->route;
    }
    size_t at =
        change_find_route(now, s->route->policy.name, (size_t)(s->route - s->config->routes));
    return at < now->route_count ? &now->routes[at] : NULL;
}

/* --- shares -------------------------------------------------------------------------------- */

static struct limits_question ask_limits(const struct session *s, struct addr *source)
{
    const struct config_route *route = session_route_in_force(s);
    session_client_address(s, source);
    return (struct limits_question){
        .config = s->context->config,
        .route = route != NULL ? route : s->route,
        .source = source,
        .now_ms = reactor_now_ms(s->context->reactor),
    };
}

static bool take_share(struct session *s, struct session_event *out)
{
    struct addr source;
    const struct limits_question question = ask_limits(s, &source);
    struct limits_refusal refusal = limits_admit(&s->context->limits, &question, &s->holds);
    s->request->wait_ms = refusal.wait_ms;
    *out = end_event(refusal.ending, refusal.detail);
    return refusal.ending == LIFE_NOT_ENDED;
}

/* The last fifth of max_memory is for the sessions that are there. */
static bool is_memory_scarce(const struct config *config)
{
    return config->max_memory_bytes != 0 && mem_live_bytes() >= config->max_memory_bytes / 5 * 4;
}

static bool count(struct session *s, struct session_event *out)
{
    struct session_context *context = s->context;
    if (is_memory_scarce(context->config)) {
        *out = end_event(LIFE_FULL, "max_memory");
        return false;
    }
    s->is_counted =
        scoreboard_add_session(context->scoreboard, context->slot, context->config->max_sessions);
    *out = end_event(LIFE_FULL, "max_sessions");
    return s->is_counted;
}

static void uncount(struct session *s)
{
    struct session_context *context = s->context;
    if (s->is_counted) {
        scoreboard_sub(&context->scoreboard->slots[context->slot].sessions_now, 1);
        s->is_counted = false;
    }
}

void session_give_back(struct session *s)
{
    if (!s->guest.is_session) {
        uncount(s);
        limits_refuse(&s->context->limits, &s->holds);
    }
}

/* --- who it is ----------------------------------------------------------------------------- */

/* The handshake may have begun before the list that is in force now. */
static bool is_revoked_meanwhile(const struct session *s)
{
    struct session_context *context = s->context;
    return s->client_cert != NULL && s->listen->config != context->config &&
           context->is_revoked != NULL && context->is_revoked(context, s->listen, s->client_cert);
}

/* The client proves in its first message who it is. */
static void ask_for_token(struct session *s)
{
    struct life_route rules = s->life.route;
    rules.is_token_first = true;
    life_set_route(&s->life, &rules);
}

static struct session_event take_who(struct session *s, struct identity *who)
{
    struct addr source;
    const struct limits_question question = ask_limits(s, &source);
    s->who = who;
    if (who == NULL) {
        return (struct session_event){{.type = LIFE_EV_REQUEST_OK}, NULL};
    }
    session_tally_identity(s);
    struct limits_refusal refusal =
        limits_admit_identity(&s->context->limits, &question, who->auth, who->subject, &s->holds);
    if (refusal.ending != LIFE_NOT_ENDED) {
        return end_event(refusal.ending, refusal.detail);
    }
    return (struct session_event){{.type = LIFE_EV_REQUEST_OK}, NULL};
}

void session_note_guess(struct session *s)
{
    struct addr source;
    const struct limits_question question = ask_limits(s, &source);
    limits_fail(&s->context->limits, &question);
}

/* A client that shows nothing has guessed nothing. */
struct session_event session_refuse_who(struct session *s, unsigned reason, const char *detail)
{
    session_tally_refusal(s, reason);
    if (reason != IDENTITY_MISSING) {
        session_note_guess(s);
    }
    return end_event(LIFE_AUTH, detail);
}

/* Asks about the password, where the request has one and nobody knows whether it is right. False:
 * *out follows from that. */
static bool ask_password(struct session *s, const struct identity_question *question,
                         enum identity_verdict *verdict, struct identity_answer *answer,
                         struct session_event *out)
{
    if (*verdict != IDENTITY_WAIT) {
        return true;
    }
    if (!session_ask_password(s, answer, out)) {
        return false;
    }
    struct identity_question again = *question;
    again.password = s->request->password;
    again.hash = s->request->hash;
    *verdict = identity_of_request(&again, answer);
    return true;
}

struct session_event session_identify(struct session *s, const struct token *token)
{
    const struct identity_question question = {
        .route = session_route_in_force(s),
        .request = &s->request->asked,
        .is_from_trusted_proxy = s->request->admission.front.is_from_trusted_proxy,
        .certificate = s->client_cert,
        .now_s = clock_date_s(),
        .password = s->request->password,
        .hash = s->request->hash,
    };
    struct identity_answer answer;
    struct session_event event;

    if (question.route == NULL) {
        return end_event(LIFE_AUTH, "a reload took the route away");
    }
    if (is_revoked_meanwhile(s)) {
        return end_event(LIFE_AUTH, "certificate is revoked");
    }
    enum identity_verdict verdict = token == NULL
                                        ? identity_of_request(&question, &answer)
                                        : identity_of_token(&question, token->text, &answer);
    if (!ask_password(s, &question, &verdict, &answer, &event)) {
        return event;
    }
    switch (verdict) {
    case IDENTITY_OK:
        return take_who(s, answer.who);
    case IDENTITY_LATER:
        ask_for_token(s);
        return (struct session_event){{.type = LIFE_EV_REQUEST_OK}, NULL};
    case IDENTITY_WAIT: /* no request has two passwords */
    case IDENTITY_REFUSED:
        return session_refuse_who(s, answer.reason, answer.detail);
    case IDENTITY_NO_MEMORY:
        break;
    }
    return end_event(LIFE_INTERNAL, "out of memory");
}

/* --- a place ------------------------------------------------------------------------------- */

struct session_event session_settle_place(struct session *s, const struct session_event *event)
{
    struct session_context *context = s->context;
    if (event->life.type == LIFE_EV_END || event->life.type == LIFE_EV_COUNT) {
        return *event; /* COUNT: it waits for the answer about its password, and keeps its share */
    }
    if (s->life.phase == LIFE_REQUEST && s->life.route.is_token_first) {
        /* A client that still has to say who it is stays a guest at the door, and is no session. */
        uncount(s);
        limits_wait(&context->limits, &s->holds);
        return *event;
    }
    struct session_event refusal = end_event(LIFE_FULL, "the limit of descriptors");
    /* A token that is good once is used last: nothing else refuses behind it. */
    if (door_may_admit(s->door, &s->guest) && session_choose_target(s, &refusal) &&
        session_use_ticket(s, &refusal) && door_admit(s->door, &s->guest)) {
        limits_begin(&context->limits, &s->holds);
        return *event;
    }
    return refusal;
}

struct session_event session_let_in(struct session *s, const struct token *token)
{
    struct session_event event;
    if (session_count_source(s, &event) && take_share(s, &event) && count(s, &event)) {
        event = session_identify(s, token);
    }
    return session_settle_place(s, &event);
}
