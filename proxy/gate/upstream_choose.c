/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which backend a session dials next. */
#include <assert.h>

#include "gate/upstream_parts.h"

/* Which backends come first. One that is out may still serve: the last tier leaves nobody out. */
enum tier {
    TIER_FIT = 0,
    TIER_BACKUP, /* when all others are out */
    TIER_OUT,
    TIER_BACKUP_OUT,
    TIER_NONE /* tried already, or with its max_sessions */
};

/* One backend, as a choice finds it. */
struct option {
    enum tier tier;
    struct seat_fitness *fitness; /* NULL: nobody knows how it is */
    uint64_t word;                /* of that */
    bool is_trial;                /* it is out, and this session may try it */
};

struct choice {
    struct upstream *upstream; /* NULL: nobody knows anything */
    const struct upstream_question *question;
    size_t count;
    struct option options[DIAL_CANDIDATES_MAX];
    struct balance_backend backends[DIAL_CANDIDATES_MAX];
};

static bool is_full(const struct upstream_question *question, size_t index, uint64_t sessions)
{
    uint64_t most = question->route->backends[index].max_sessions;
    return most > 0 && sessions >= most;
}

static enum tier tier_of(const struct config_backend *backend, bool is_fit)
{
    if (backend->is_backup) {
        return is_fit ? TIER_BACKUP : TIER_BACKUP_OUT;
    }
    return is_fit ? TIER_FIT : TIER_OUT;
}

static void look_at(struct choice *c, size_t index, struct upstream_tried *tried)
{
    const struct upstream_question *q = c->question;
    const struct config_backend *backend = &q->route->backends[index];
    const struct fitness_rules rules = upstream_rules(q->route);
    struct option *o = &c->options[index];
    struct balance_backend *b = &c->backends[index];
    struct upstream_backend *own =
        c->upstream != NULL ? upstream_own(c->upstream, q->route, index) : NULL;

    *o = (struct option){.tier = TIER_NONE};
    *b = (struct balance_backend){.turn = own != NULL ? own->turn : 0,
                                  .key = own != NULL ? own->key : 0};
    if ((tried->tried >> index & 1) != 0) {
        return;
    }
    if (backend->max_sessions > 0 || q->route->balance == CONFIG_BALANCE_LEAST_SESSIONS) {
        b->sessions = limits_backend_sessions(q->limits, q->route, index);
    }
    if (is_full(q, index, b->sessions)) {
        tried->is_some_full = true;
        return;
    }
    o->fitness = c->upstream != NULL ? upstream_fitness(c->upstream, q->route, index) : NULL;
    o->word = o->fitness != NULL ? seat_get(&o->fitness->word) : 0;
    o->is_trial = fitness_is_trial_due(o->word, q->now_ms);
    bool is_fit = o->is_trial || fitness_is_up(fitness_state(o->word, &rules, q->now_ms));
    o->tier = tier_of(backend, is_fit);
    b->weight =
        (backend->weight > 0 ? backend->weight : 1) * fitness_share(o->word, &rules, q->now_ms);
}

/* In turns and by sessions a trial comes at once: it costs one session a moment, and the backend is
 * back sooner. Else only a session that would get the backend tries it. */
static size_t find_trial(const struct choice *c, enum tier tier)
{
    bool is_open = c->question->route->balance == CONFIG_BALANCE_ROUND_ROBIN ||
                   c->question->route->balance == CONFIG_BALANCE_LEAST_SESSIONS;
    for (size_t i = 0; is_open && i < c->count; i++) {
        if (c->options[i].tier == tier && c->options[i].is_trial) {
            return i;
        }
    }
    return c->count;
}

enum balance_kind upstream_balance_kind(enum config_balance balance)
{
    switch (balance) {
    case CONFIG_BALANCE_FIRST:
        break;
    case CONFIG_BALANCE_ROUND_ROBIN:
        return BALANCE_ROUND_ROBIN;
    case CONFIG_BALANCE_LEAST_SESSIONS:
        return BALANCE_LEAST_SESSIONS;
    case CONFIG_BALANCE_SOURCE:
        return BALANCE_SOURCE;
    }
    return BALANCE_FIRST;
}

static size_t pick(struct choice *c, const struct limit_prefix *prefix)
{
    const struct upstream_question *q = c->question;
    enum tier best = TIER_NONE;
    for (size_t i = 0; i < c->count; i++) {
        best = c->options[i].tier < best ? c->options[i].tier : best;
    }
    if (best == TIER_NONE) {
        return c->count;
    }
    size_t trial = find_trial(c, best);
    if (trial < c->count) {
        return trial;
    }
    for (size_t i = 0; i < c->count; i++) {
        c->backends[i].weight = c->options[i].tier == best ? c->backends[i].weight : 0;
    }
    uint64_t source =
        q->route->balance == CONFIG_BALANCE_SOURCE ? balance_source(q->client, *prefix) : 0;
    size_t at =
        balance_pick(upstream_balance_kind(q->route->balance), c->backends, c->count, source);
    for (size_t i = 0; i < c->count; i++) {
        struct upstream_backend *own =
            c->upstream != NULL ? upstream_own(c->upstream, q->route, i) : NULL;
        if (own != NULL) {
            own->turn = c->backends[i].turn;
        }
    }
    return at;
}

/* False: another session tries the backend. */
static bool begin_trial(const struct option *o, const struct upstream_question *q)
{
    uint64_t word = o->word;
    return !o->is_trial || atomic_compare_exchange_strong(
                               &o->fitness->word, &word, fitness_try(word, q->now_ms, q->trial_ms));
}

bool upstream_choose(struct upstream *upstream, const struct upstream_question *question,
                     struct upstream_tried *tried, struct limits_holds *holds, size_t *out_index)
{
    struct choice c = {.upstream = upstream, .question = question};
    c.count = question->route->backend_count;
    assert(c.count <= DIAL_CANDIDATES_MAX);
    for (;;) {
        for (size_t i = 0; i < c.count; i++) {
            look_at(&c, i, tried);
        }
        size_t at = pick(&c, &question->prefix);
        if (at == c.count) {
            return false;
        }
        if (!limits_take_backend(question->limits, question->route, at, question->now_ms, holds)) {
            tried->is_some_full = true;
            tried->tried |= UINT32_C(1) << at; /* another session was faster */
            continue;
        }
        if (begin_trial(&c.options[at], question)) {
            tried->tried |= UINT32_C(1) << at;
            *out_index = at;
            return true;
        }
        limits_leave_backend(question->limits, holds);
    }
}

size_t upstream_untried(const struct config_route *route, const struct upstream_tried *tried)
{
    size_t count = 0;
    for (size_t i = 0; i < route->backend_count; i++) {
        count += (tried->tried >> i & 1) == 0 ? 1 : 0;
    }
    return count;
}
