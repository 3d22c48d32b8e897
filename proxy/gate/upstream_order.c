/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The members of a set: in which order a session dials them, and what becomes known of them. */
#include <string.h>

#include "base/mem.h"
#include "gate/upstream_parts.h"

/* A member, as a session finds it. */
struct option {
    bool is_fit; /* it is up, or its trial is due */
    bool is_trial;
    uint64_t word;
    struct seat_fitness *fitness;
};

struct choice {
    size_t count;
    struct option options[FOLLOW_ADDRS_MAX];
    struct balance_backend backends[FOLLOW_ADDRS_MAX];
};

/* --- the order ------------------------------------------------------------------------------- */

static void look_at(struct choice *c, struct upstream_set *set, uint64_t now_ms)
{
    const struct fitness_rules rules = upstream_rules(set->route);
    c->count = set->count;
    for (size_t i = 0; i < c->count; i++) {
        struct upstream_member *m = &set->members[i];
        struct option *o = &c->options[i];
        o->fitness = upstream_member_fitness(set->upstream, m, now_ms);
        o->word = seat_get(&o->fitness->word);
        o->is_trial = fitness_is_trial_due(o->word, now_ms);
        o->is_fit = o->is_trial || fitness_is_up(fitness_state(o->word, &rules, now_ms));
        c->backends[i] =
            (struct balance_backend){.sessions = m->sessions, .key = m->key, .turn = m->turn};
    }
}

/* Those that may be picked: fit ones first, then all that are left. */
static bool weigh(struct choice *c, const struct upstream_set *set, bool is_fit, const bool *is_out,
                  uint64_t now_ms)
{
    const struct fitness_rules rules = upstream_rules(set->route);
    bool is_any = false;
    for (size_t i = 0; i < c->count; i++) {
        bool may_be = !is_out[i] && c->options[i].is_fit == is_fit;
        uint64_t share = fitness_share(c->options[i].word, &rules, now_ms);
        c->backends[i].weight = may_be ? (share > 0 ? share : 1) : 0;
        is_any |= may_be;
    }
    return is_any;
}

/* False: another session tries that one now. */
static bool begin_trial(struct option *o, const struct upstream_question *q)
{
    uint64_t word = o->word;
    return !o->is_trial || atomic_compare_exchange_strong(
                               &o->fitness->word, &word, fitness_try(word, q->now_ms, q->trial_ms));
}

static void keep_turns(struct upstream_set *set, const struct choice *c)
{
    for (size_t i = 0; i < c->count; i++) {
        set->members[i].turn = c->backends[i].turn;
    }
}

static void fill(struct upstream_order *order, struct upstream_set *set, struct choice *c,
                 const struct upstream_question *q)
{
    enum balance_kind kind = upstream_balance_kind(q->route->balance);
    uint64_t source = kind == BALANCE_SOURCE ? balance_source(q->client, q->prefix) : 0;
    bool is_out[FOLLOW_ADDRS_MAX] = {false};
    while (order->count < DIAL_ADDRS_MAX) {
        if (!weigh(c, set, true, is_out, q->now_ms) && !weigh(c, set, false, is_out, q->now_ms)) {
            return;
        }
        size_t at = balance_pick(kind, c->backends, c->count, source);
        if (order->count == 0) {
            keep_turns(set, c); /* only the first one uses its turn */
        }
        if (c->options[at].is_fit && !begin_trial(&c->options[at], q)) {
            c->options[at].is_fit = false; /* among the last ones */
            continue;
        }
        c->options[at].is_trial = false;
        is_out[at] = true;
        order->addrs[order->count] = set->members[at].addr;
        order->ids[order->count++] = set->members[at].id;
    }
}

struct upstream_order *upstream_order_new(struct upstream *upstream,
                                          const struct upstream_question *question, size_t index)
{
    struct upstream_set *set = upstream_find_set(upstream, question->route, index);
    struct upstream_order *order = set != NULL ? mem_alloc_zero(sizeof(*order)) : NULL;
    struct choice *choice = order != NULL ? mem_alloc_zero(sizeof(*choice)) : NULL;
    if (choice == NULL) {
        mem_free(order);
        return NULL;
    }
    look_at(choice, set, question->now_ms);
    fill(order, set, choice, question);
    mem_free(choice);
    return order;
}

/* --- what becomes known ---------------------------------------------------------------------- */

static struct upstream_member *find_member(struct upstream *u, const struct config_route *route,
                                           size_t index, uint64_t id)
{
    struct upstream_set *set = upstream_find_set(u, route, index);
    for (size_t i = 0; set != NULL && i < set->count; i++) {
        if (set->members[i].id == id) {
            return &set->members[i];
        }
    }
    return NULL;
}

static void tell(struct upstream *u, const struct config_route *route, size_t index,
                 struct upstream_member *m, enum upstream_news news, const char *detail,
                 uint64_t now_ms)
{
    const struct upstream_whom whom = {.route = route, .index = index, .member = &m->addr};
    upstream_tell(u, upstream_member_fitness(u, m, now_ms), &whom, news, detail, now_ms);
}

void upstream_member_note(struct upstream *upstream, const struct config_route *route, size_t index,
                          uint64_t id, const struct dial_outcome *outcome, uint64_t now_ms)
{
    struct upstream_member *m = find_member(upstream, route, index, id);
    bool is_good = outcome->result == DIAL_OK;
    if (m == NULL) {
        return;
    }
    if (!upstream_is_word(outcome->result)) {
        upstream_leave_trial(upstream_member_fitness(upstream, m, now_ms), now_ms);
        return;
    }
    m->sessions += is_good ? 1 : 0;
    tell(upstream, route, index, m, is_good ? UPSTREAM_ACCEPTED : UPSTREAM_FAILED, outcome->detail,
         now_ms);
}

void upstream_member_note_left(struct upstream *upstream, const struct config_route *route,
                               size_t index, uint64_t id, uint64_t now_ms)
{
    struct upstream_member *m = find_member(upstream, route, index, id);
    if (m != NULL) {
        upstream_leave_trial(upstream_member_fitness(upstream, m, now_ms), now_ms);
    }
}

void upstream_member_note_reset(struct upstream *upstream, const struct config_route *route,
                                size_t index, uint64_t id, const char *detail, uint64_t now_ms)
{
    struct upstream_member *m = find_member(upstream, route, index, id);
    if (m != NULL) {
        if (upstream->seat != NULL) {
            seat_add(&seat_backend(upstream->seat, route, index)->resets, 1);
        }
        tell(upstream, route, index, m, UPSTREAM_RESET, detail, now_ms);
    }
}

void upstream_member_note_byte(struct upstream *upstream, const struct config_route *route,
                               size_t index, uint64_t id, uint64_t now_ms)
{
    struct upstream_member *m = find_member(upstream, route, index, id);
    if (m != NULL) {
        upstream_speak(upstream_member_fitness(upstream, m, now_ms));
    }
}

void upstream_member_leave(struct upstream *upstream, const struct config_route *route,
                           size_t index, uint64_t id)
{
    struct upstream_member *m = find_member(upstream, route, index, id);
    if (m != NULL && m->sessions > 0) {
        m->sessions--;
    }
}

static bool are_all_down(struct upstream *u, struct upstream_set *set, uint64_t now_ms)
{
    for (size_t i = 0; i < set->count; i++) {
        uint64_t word = seat_get(&upstream_member_fitness(u, &set->members[i], now_ms)->word);
        if (!fitness_is_down_by_check(word)) {
            return false;
        }
    }
    return true;
}

void upstream_member_note_check(struct upstream *upstream, const struct config_route *route,
                                size_t index, const struct addr *addr, bool is_good,
                                const char *detail, uint64_t now_ms)
{
    struct upstream_set *set = upstream_find_set(upstream, route, index);
    for (size_t i = 0; set != NULL && i < set->count; i++) {
        if (addr_is_equal(&set->members[i].addr, addr)) {
            tell(upstream, route, index, &set->members[i],
                 is_good ? UPSTREAM_CHECK_GOOD : UPSTREAM_CHECK_BAD, detail, now_ms);
            bool is_down = are_all_down(upstream, set, now_ms);
            upstream_note_check(upstream, route, index, !is_down, is_down ? detail : NULL, now_ms);
            return;
        }
    }
}
