/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/limits.h"

#define KEYS_OF_CONNECTION 2 /* the source, and the source without a route */
#define KEYS_OF_SESSION 2    /* the source and the identity on their route */

/* The first pause, and how long a failure counts at least. */
#define PAUSE_FIRST_MS 1000
#define FORGET_MS ((uint64_t)15 * 60 * 1000)

size_t limits_keys_for(const struct config *config)
{
    uint64_t connections = config->max_sessions + config->max_pending;
    uint64_t keys = connections + config->max_pending * (KEYS_OF_CONNECTION - 1) +
                    config->max_sessions * KEYS_OF_SESSION + config->route_count;
    for (size_t i = 0; i < config->route_count; i++) {
        keys += config->routes[i].backend_count;
    }
    return quota_keys_for((size_t)keys);
}

/* `route` with data NULL: on any route; empty: on none yet. */
static uint64_t source_key(const struct limits *limits, const struct limits_question *question,
                           struct span route)
{
    const struct limit_subject subject = {
        .source = question->source, .prefix = question->config->source_prefix, .route = route};
    return limit_key(quota_secret(limits->quota), &subject);
}

static uint64_t route_key(const struct limits *limits, const struct config_route *route)
{
    const struct limit_subject subject = {.route = route->policy.name};
    return limit_key(quota_secret(limits->quota), &subject);
}

/* No session has an identity in an [auth] section without a name. */
static uint64_t backend_key(const struct limits *limits, const struct config_route *route,
                            size_t index)
{
    const struct limit_subject subject = {
        .route = route->policy.name, .auth = SPAN_LIT(""), .identity = route->backends[index].text};
    return limit_key(quota_secret(limits->quota), &subject);
}

/* Whom no limit concerns may come although there is no place to count him. */
static struct quota_answer take(const struct limits *limits, uint64_t key,
                                const struct quota_limits *most, uint64_t now_ms,
                                struct quota_hold *hold)
{
    struct quota_answer answer = quota_take(limits->quota, limits->slot, key, most, now_ms, hold);
    if (answer.verdict == QUOTA_FULL && most->held_max == 0 && most->rate.count == 0) {
        answer.verdict = QUOTA_OK;
    }
    return answer;
}

/* Whoever asks again, because the table had no place for another key, keeps what is held. */
static bool hold(const struct limits *limits, uint64_t key, uint64_t held_max, uint64_t now_ms,
                 struct quota_hold *out)
{
    const struct quota_limits most = {.held_max = held_max};
    return out->place != 0 || take(limits, key, &most, now_ms, out).verdict == QUOTA_OK;
}

static void give(const struct limits *limits, struct quota_hold *held)
{
    if (limits->quota != NULL) {
        quota_give(limits->quota, limits->slot, held);
    }
}

const char *limits_entry_key(enum limits_entry entry)
{
    switch (entry) {
    case LIMITS_ENTERED:
        break;
    case LIMITS_CONNECTIONS:
        return "max_connections_per_source";
    case LIMITS_PENDING:
        return "max_pending_per_source";
    }
    return "";
}

enum limits_entry limits_enter(const struct limits *limits, const struct limits_question *question,
                               struct limits_holds *holds)
{
    static const struct span nowhere = {"", 0};
    static const struct span anywhere = {NULL, 0};
    const struct config *config = question->config;

    if (limits->quota == NULL) {
        return LIMITS_ENTERED;
    }
    if (!hold(limits, source_key(limits, question, anywhere), config->max_connections_per_source,
              question->now_ms, &holds->connection)) {
        return LIMITS_CONNECTIONS;
    }
    if (!hold(limits, source_key(limits, question, nowhere), config->max_pending_per_source,
              question->now_ms, &holds->pending)) {
        give(limits, &holds->connection);
        return LIMITS_PENDING;
    }
    return LIMITS_ENTERED;
}

static struct limit_pause pause_of(const struct config *config)
{
    uint64_t most_ms = config->auth_pause_ms;
    return (struct limit_pause){
        .free = config->auth_failures,
        .first_ms = PAUSE_FIRST_MS,
        .most_ms = most_ms,
        .forget_ms = most_ms > FORGET_MS ? most_ms : FORGET_MS,
    };
}

/* Failures count for the source alone: who guesses on one route has guessed for all. */
static uint64_t failure_key(const struct limits *limits, const struct limits_question *question)
{
    return source_key(limits, question, (struct span){NULL, 0});
}

void limits_fail(const struct limits *limits, const struct limits_question *question)
{
    const struct limit_pause pause = pause_of(question->config);
    if (limits->quota != NULL && pause.most_ms > 0) {
        quota_fail(limits->quota, limits->slot, failure_key(limits, question), &pause,
                   question->now_ms);
    }
}

static uint64_t pause_ms(const struct limits *limits, const struct limits_question *question)
{
    const struct limit_pause pause = pause_of(question->config);
    bool can_guess = question->route->auth_count > 0 || config_has_targets(question->route);
    if (!can_guess || pause.most_ms == 0) {
        return 0;
    }
    return quota_pause_ms(limits->quota, failure_key(limits, question), &pause, question->now_ms);
}

struct limits_refusal limits_admit(const struct limits *limits,
                                   const struct limits_question *question,
                                   struct limits_holds *holds)
{
    const struct config_route *route = question->route;
    const struct quota_limits most = {.held_max = route->max_sessions_per_source,
                                      .rate = route->new_sessions_per_source};
    struct limits_refusal refusal = {.ending = LIFE_NOT_ENDED};

    if (limits->quota == NULL) {
        return refusal;
    }
    refusal.wait_ms = pause_ms(limits, question);
    if (refusal.wait_ms > 0) {
        refusal.ending = LIFE_LIMIT_SOURCE;
        refusal.detail = "auth_pause";
        return refusal;
    }
    /* The route comes first: a session that finds it full is none of the new ones of its source. */
    if (!hold(limits, route_key(limits, route), route->max_sessions, question->now_ms,
              &holds->route)) {
        return (struct limits_refusal){.ending = LIFE_LIMIT_ROUTE, .detail = "max_sessions"};
    }
    if (holds->source.place != 0) {
        return refusal; /* see limits_wait */
    }
    struct quota_answer answer = take(limits, source_key(limits, question, route->policy.name),
                                      &most, question->now_ms, &holds->source);
    switch (answer.verdict) {
    case QUOTA_OK:
        return refusal;
    case QUOTA_HELD:
        refusal.detail = "max_sessions_per_source";
        break;
    case QUOTA_OFTEN:
        refusal.detail = "new_sessions_per_source";
        break;
    case QUOTA_FULL:
        refusal.detail = "there are too many sources to count this one";
        break;
    }
    give(limits, &holds->route);
    refusal.ending = LIFE_LIMIT_SOURCE;
    refusal.wait_ms = answer.wait_ms;
    return refusal;
}

struct limits_refusal limits_admit_identity(const struct limits *limits,
                                            const struct limits_question *question,
                                            struct span auth, struct span subject,
                                            struct limits_holds *holds)
{
    const struct config_route *route = question->route;
    const struct limit_subject who = {
        .route = route->policy.name, .auth = auth, .identity = subject};
    struct limits_refusal refusal = {.ending = LIFE_NOT_ENDED};

    if (limits->quota != NULL &&
        !hold(limits, limit_key(quota_secret(limits->quota), &who),
              route->max_sessions_per_identity, question->now_ms, &holds->identity)) {
        refusal.ending = LIFE_LIMIT_SOURCE;
        refusal.detail = "max_sessions_per_identity";
    }
    return refusal;
}

void limits_begin(const struct limits *limits, struct limits_holds *holds)
{
    give(limits, &holds->pending);
}

void limits_wait(const struct limits *limits, struct limits_holds *holds)
{
    give(limits, &holds->route);
}

void limits_refuse(const struct limits *limits, struct limits_holds *holds)
{
    give(limits, &holds->identity);
    give(limits, &holds->source);
    give(limits, &holds->route);
}

bool limits_take_backend(const struct limits *limits, const struct config_route *route,
                         size_t index, uint64_t now_ms, struct limits_holds *holds)
{
    return limits->quota == NULL ||
           hold(limits, backend_key(limits, route, index), route->backends[index].max_sessions,
                now_ms, &holds->backend);
}

void limits_leave_backend(const struct limits *limits, struct limits_holds *holds)
{
    give(limits, &holds->backend);
}

uint64_t limits_backend_sessions(const struct limits *limits, const struct config_route *route,
                                 size_t index)
{
    uint64_t held =
        limits->quota != NULL ? quota_held(limits->quota, backend_key(limits, route, index)) : 0;
    return held != UINT64_MAX ? held : 0;
}

void limits_leave(const struct limits *limits, struct limits_holds *holds)
{
    limits_leave_backend(limits, holds);
    limits_refuse(limits, holds);
    give(limits, &holds->pending);
    give(limits, &holds->connection);
}
