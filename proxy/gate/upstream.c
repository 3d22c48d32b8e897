/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What each backend is known to be, and what is told of it. upstream_choose.c chooses. */
#include "gate/upstream.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/change.h"
#include "gate/upstream_parts.h"

struct upstream *upstream_new(const struct config *config, const struct seat *seat)
{
    struct upstream *u = mem_alloc_zero(sizeof(*u));
    size_t count = 0;
    if (u == NULL) {
        return NULL;
    }
    u->config = config;
    u->seat = seat;
    u->first = mem_alloc_zero((config->route_count + 1) * sizeof(*u->first));
    for (size_t i = 0; u->first != NULL && i < config->route_count; i++) {
        u->first[i] = count;
        count += config->routes[i].backend_count;
    }
    u->count = count;
    u->backends = mem_alloc_zero((count + 1) * sizeof(*u->backends));
    if (u->first == NULL || u->backends == NULL) {
        upstream_free(u);
        return NULL;
    }
    for (size_t i = 0; i < config->route_count; i++) {
        for (size_t k = 0; k < config->routes[i].backend_count; k++) {
            u->backends[u->first[i] + k].key = balance_key(config->routes[i].backends[k].text);
        }
    }
    return u;
}

void upstream_free(struct upstream *upstream)
{
    if (upstream != NULL) {
        upstream_unfollow(upstream);
        mem_free(upstream->first);
        mem_free(upstream->backends);
        mem_free(upstream);
    }
}

static void inherit_backend(struct upstream_backend *to, const struct upstream_backend *from)
{
    seat_put(&to->own.word, seat_get(&from->own.word));
    seat_put(&to->own.told, seat_get(&from->own.told));
    seat_put(&to->own.at_ms, seat_get(&from->own.at_ms));
    to->turn = from->turn;
}

static void inherit_route(struct upstream *u, size_t route, const struct upstream *before,
                          size_t from)
{
    const struct config_route *now = &u->config->routes[route];
    const struct config_route *then = &before->config->routes[from];
    for (size_t i = 0; i < now->backend_count; i++) {
        for (size_t k = 0; k < then->backend_count; k++) {
            if (span_is_equal(now->backends[i].text, then->backends[k].text)) {
                inherit_backend(&u->backends[u->first[route] + i],
                                &before->backends[before->first[from] + k]);
            }
        }
    }
}

void upstream_inherit(struct upstream *upstream, const struct upstream *before)
{
    for (size_t i = 0; i < upstream->config->route_count; i++) {
        size_t from = change_find_route(before->config, upstream->config->routes[i].policy.name, i);
        if (from < before->config->route_count) {
            inherit_route(upstream, i, before, from);
        }
    }
}

struct upstream_backend *upstream_own(struct upstream *u, const struct config_route *route,
                                      size_t index)
{
    bool is_own = route >= u->config->routes && route < u->config->routes + u->config->route_count;
    return is_own ? &u->backends[u->first[route - u->config->routes] + index] : NULL;
}

struct seat_fitness *upstream_fitness(struct upstream *u, const struct config_route *route,
                                      size_t index)
{
    struct seat_fitness *shared = u->seat != NULL ? seat_fitness(u->seat, route, index) : NULL;
    struct upstream_backend *own = upstream_own(u, route, index);
    return shared != NULL ? shared : own != NULL ? &own->own : NULL;
}

struct fitness_rules upstream_rules(const struct config_route *route)
{
    return (struct fitness_rules){
        .eject_after = route->eject_after,
        .pause_ms = route->eject_pause_ms > 0 ? route->eject_pause_ms : 1,
        .pause_max_ms = route->eject_pause_max_ms,
        .slow_start_ms = route->slow_start_ms,
    };
}

/* --- the log --------------------------------------------------------------------------------- */

#define STEADY_MS \
    60000 /* the next change of a backend that was steady for so long is told at once */
#define PAUSE_MIN_MS 250 /* after it what changes is told by whoever learns something later */

/* What the log knows of a backend, as one word: whether it is down, how many changes it has not
 * heard of, how long it must wait for the next line, and when it heard the last one. */
#define UNTOLD_AT 1
#define UNTOLD_MAX 2047
#define STEP_AT 12
#define STEP_MAX 8 /* 60 s: see pause_of_step */
#define TOLD_MS_AT 16

struct told {
    bool is_down;
    uint64_t untold;
    uint64_t step;
    uint64_t at_ms;
};

static struct told unpack(uint64_t word)
{
    return (struct told){
        .is_down = (word & 1) != 0,
        .untold = word >> UNTOLD_AT & UNTOLD_MAX,
        .step = word >> STEP_AT & 15,
        .at_ms = word >> TOLD_MS_AT,
    };
}

static uint64_t pack(const struct told *told)
{
    return (told->is_down ? 1U : 0U) | told->untold << UNTOLD_AT | told->step << STEP_AT |
           told->at_ms << TOLD_MS_AT;
}

/* 0, 250, 750, 1750 ... */
static uint64_t pause_of_step(uint64_t step)
{
    uint64_t pause_ms = ((UINT64_C(1) << step) - 1) * PAUSE_MIN_MS;
    return step < STEP_MAX ? pause_ms : STEADY_MS;
}

static void tell(const struct upstream_whom *whom, bool is_down, const char *detail,
                 uint64_t untold)
{
    struct log_line line;
    /* Both at warn: who reads only warnings must also learn that one is over. */
    log_begin(&line, LOG_WARN, is_down ? "backend.down" : "backend.up");
    log_text(&line, "route", whom->route->policy.name);
    log_text(&line, "backend", whom->route->backends[whom->index].text);
    if (whom->member != NULL) {
        char text[ADDR_TEXT_MAX];
        addr_print(whom->member, text, sizeof(text));
        log_str(&line, "address", text);
    }
    if (detail != NULL) {
        log_str(&line, "detail", detail);
    }
    if (untold > 0) {
        log_u64(&line, "suppressed", untold);
    }
    log_end(&line);
}

/* Tells the log what it may hear now. Of several processes that want to tell the same, one does.
 * `was_steady`: the backend has just changed, and had not for long. */
static void tell_log(struct seat_fitness *f, const struct upstream_whom *whom, bool is_down,
                     const char *detail, bool is_change, bool was_steady, uint64_t now_ms)
{
    uint64_t word = seat_get(&f->told);
    for (;;) {
        struct told told = unpack(word);
        uint64_t untold = told.untold + (is_change && told.untold < UNTOLD_MAX ? 1 : 0);
        told.step = was_steady ? 0 : told.step;
        told.untold = untold;
        bool is_due = is_down != told.is_down && now_ms - told.at_ms >= pause_of_step(told.step);
        if (is_due) {
            told =
                (struct told){is_down, 0, told.step < STEP_MAX ? told.step + 1 : STEP_MAX, now_ms};
        }
        uint64_t next = pack(&told);
        if (next == word || atomic_compare_exchange_weak(&f->told, &word, next)) {
            if (is_due) {
                tell(whom, is_down, detail, untold > 0 ? untold - 1 : 0);
            }
            return;
        }
    }
}

static void keep_detail(struct seat_fitness *f, const char *detail)
{
    char text[SEAT_DETAIL_MAX] = "";
    (void)span_copy(span_from_str(detail), text, sizeof(text));
    for (size_t i = 0; i < SEAT_DETAIL_MAX / 8; i++) {
        uint64_t part;
        memcpy(&part, text + 8 * i, sizeof(part));
        seat_put(&f->detail[i], part);
    }
}

/* --- what becomes known ---------------------------------------------------------------------- */

static uint64_t next_word(uint64_t word, enum upstream_news news, const struct config_route *route,
                          uint64_t now_ms)
{
    const struct fitness_rules rules = upstream_rules(route);
    /* Not secret: backends that go down together should not be tried together. */
    uint32_t random = (uint32_t)(word >> 18) * UINT32_C(2654435761) ^ (uint32_t)(now_ms * 40503);
    switch (news) {
    case UPSTREAM_FAILED:
        return fitness_fail(word, &rules, FITNESS_NOT_REACHED, now_ms, random);
    case UPSTREAM_RESET:
        return fitness_fail(word, &rules, FITNESS_RESET, now_ms, random);
    case UPSTREAM_ACCEPTED:
        return fitness_accept(word, now_ms);
    case UPSTREAM_CHECK_BAD:
        return fitness_check(word, false, now_ms);
    case UPSTREAM_CHECK_GOOD:
        break;
    }
    return fitness_check(word, true, now_ms);
}

static bool is_up(uint64_t word, const struct config_route *route, uint64_t now_ms)
{
    const struct fitness_rules rules = upstream_rules(route);
    return fitness_is_up(fitness_state(word, &rules, now_ms));
}

void upstream_tell(struct upstream *u, struct seat_fitness *f, const struct upstream_whom *whom,
                   enum upstream_news news, const char *detail, uint64_t now_ms)
{
    const struct config_route *route = whom->route;
    uint64_t word = seat_get(&f->word);
    uint64_t next = next_word(word, news, route, now_ms);
    while (next != word && !atomic_compare_exchange_weak(&f->word, &word, next)) {
        next = next_word(word, news, route, now_ms);
    }
    bool is_down = !is_up(next, route, now_ms);
    bool is_change = is_down != !is_up(word, route, now_ms);
    bool was_steady = is_change && now_ms - seat_get(&f->at_ms) >= STEADY_MS;
    if (is_change) {
        seat_put(&f->at_ms, now_ms);
    }
    if (is_change && is_down && u->seat != NULL) {
        seat_add(&seat_backend(u->seat, route, whom->index)->ejections, 1);
    }
    if (is_down && detail != NULL && (news != UPSTREAM_CHECK_BAD || is_change)) {
        keep_detail(f, detail);
    }
    tell_log(f, whom, is_down, is_down ? detail : NULL, is_change, was_steady, now_ms);
}

static void note(struct upstream *u, const struct config_route *route, size_t index,
                 enum upstream_news news, const char *detail, uint64_t now_ms)
{
    struct seat_fitness *f =
        upstream_own(u, route, index) != NULL ? upstream_fitness(u, route, index) : NULL;
    const struct upstream_whom whom = {.route = route, .index = index};
    if (f != NULL) { /* else the configuration in force may not have it any more */
        upstream_tell(u, f, &whom, news, detail, now_ms);
    }
}

bool upstream_is_word(enum dial_result result)
{
    return result != DIAL_NO_MEMORY && result != DIAL_EXHAUSTED;
}

void upstream_note(struct upstream *upstream, const struct config_route *route, size_t index,
                   const struct dial_outcome *outcome, uint64_t now_ms)
{
    if (!upstream_is_word(outcome->result)) {
        upstream_note_left(upstream, route, index, now_ms);
        return;
    }
    enum upstream_news news = outcome->result == DIAL_OK ? UPSTREAM_ACCEPTED : UPSTREAM_FAILED;
    note(upstream, route, index, news, outcome->detail, now_ms);
}

void upstream_leave_trial(struct seat_fitness *f, uint64_t now_ms)
{
    uint64_t word = seat_get(&f->word);
    uint64_t next = fitness_leave(word, now_ms);
    while (next != word && !atomic_compare_exchange_weak(&f->word, &word, next)) {
        next = fitness_leave(word, now_ms);
    }
}

void upstream_note_left(struct upstream *upstream, const struct config_route *route, size_t index,
                        uint64_t now_ms)
{
    struct seat_fitness *f = upstream_fitness(upstream, route, index);
    if (f != NULL) {
        upstream_leave_trial(f, now_ms);
    }
}

void upstream_note_reset(struct upstream *upstream, const struct config_route *route, size_t index,
                         const char *detail, uint64_t now_ms)
{
    if (upstream->seat != NULL) {
        seat_add(&seat_backend(upstream->seat, route, index)->resets, 1);
    }
    note(upstream, route, index, UPSTREAM_RESET, detail, now_ms);
}

void upstream_speak(struct seat_fitness *f)
{
    uint64_t word = seat_get(&f->word);
    uint64_t next = fitness_speak(word);
    while (next != word && !atomic_compare_exchange_weak(&f->word, &word, next)) {
        next = fitness_speak(word);
    }
}

void upstream_note_byte(struct upstream *upstream, const struct config_route *route, size_t index)
{
    struct seat_fitness *f = upstream_fitness(upstream, route, index);
    if (f != NULL) {
        upstream_speak(f);
    }
}

void upstream_note_check(struct upstream *upstream, const struct config_route *route, size_t index,
                         bool is_good, const char *detail, uint64_t now_ms)
{
    note(upstream, route, index, is_good ? UPSTREAM_CHECK_GOOD : UPSTREAM_CHECK_BAD, detail,
         now_ms);
}

void upstream_drop_checks(struct upstream *upstream, const struct config_route *route, size_t index,
                          uint64_t now_ms)
{
    note(upstream, route, index, UPSTREAM_CHECK_GOOD, NULL, now_ms);
}
