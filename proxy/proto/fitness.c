/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/fitness.h"

/* The word, from its lowest bit. */
#define KIND_BITS 2
#define CHECK_AT 2 /* 1: checks find it down */
#define RESET_AT 3 /* 1: the last failure was a reset */
#define FAILURES_AT 4
#define FAILURES_BITS 8
#define LEVEL_AT 12 /* how often the pause has doubled */
#define LEVEL_BITS 6
#define TIME_AT 18

enum kind { UP = 0, OUT, TRIAL };

struct parts {
    enum kind kind;
    bool is_check_bad;
    bool is_reset;
    uint64_t failures;
    uint64_t level;
    uint64_t time_ms; /* UP: since when, 0 = always; OUT, TRIAL: until when */
};

static uint64_t bits(uint64_t word, unsigned at, unsigned count)
{
    return word >> at & ((UINT64_C(1) << count) - 1);
}

static struct parts unpack(uint64_t word)
{
    uint64_t kind = bits(word, 0, KIND_BITS);
    return (struct parts){
        .kind = kind <= TRIAL ? (enum kind)kind : OUT,
        .is_check_bad = bits(word, CHECK_AT, 1) != 0,
        .is_reset = bits(word, RESET_AT, 1) != 0,
        .failures = bits(word, FAILURES_AT, FAILURES_BITS),
        .level = bits(word, LEVEL_AT, LEVEL_BITS),
        .time_ms = word >> TIME_AT,
    };
}

static uint64_t pack(const struct parts *p)
{
    return (uint64_t)p->kind | (p->is_check_bad ? UINT64_C(1) << CHECK_AT : 0) |
           (p->is_reset ? UINT64_C(1) << RESET_AT : 0) | p->failures << FAILURES_AT |
           p->level << LEVEL_AT | p->time_ms << TIME_AT;
}

static uint64_t since(uint64_t then_ms, uint64_t now_ms)
{
    return now_ms > then_ms ? now_ms - then_ms : 0;
}

static bool is_starting(const struct parts *p, const struct fitness_rules *rules, uint64_t now_ms)
{
    return p->kind == UP && p->time_ms != 0 && since(p->time_ms, now_ms) < rules->slow_start_ms;
}

enum fitness_state fitness_state(uint64_t word, const struct fitness_rules *rules, uint64_t now_ms)
{
    const struct parts p = unpack(word);
    if (p.is_check_bad || p.kind == OUT) {
        return FITNESS_DOWN;
    }
    if (p.kind == TRIAL) {
        return now_ms < p.time_ms ? FITNESS_TRIAL : FITNESS_DOWN;
    }
    return is_starting(&p, rules, now_ms) ? FITNESS_STARTING : FITNESS_UP;
}

uint64_t fitness_share(uint64_t word, const struct fitness_rules *rules, uint64_t now_ms)
{
    const struct parts p = unpack(word);
    if (!is_starting(&p, rules, now_ms)) {
        return FITNESS_WHOLE;
    }
    uint64_t share = since(p.time_ms, now_ms) * FITNESS_WHOLE / rules->slow_start_ms;
    return share > 0 ? share : 1;
}

bool fitness_is_trial_due(uint64_t word, uint64_t now_ms)
{
    const struct parts p = unpack(word);
    return !p.is_check_bad && p.kind != UP && now_ms >= p.time_ms;
}

uint64_t fitness_try(uint64_t word, uint64_t now_ms, uint64_t trial_ms)
{
    struct parts p = unpack(word);
    p.kind = TRIAL;
    p.time_ms = now_ms + trial_ms;
    return pack(&p);
}

uint64_t fitness_leave(uint64_t word, uint64_t now_ms)
{
    struct parts p = unpack(word);
    if (p.kind == TRIAL) {
        p.kind = OUT;
        p.time_ms = now_ms;
    }
    return pack(&p);
}

/* Between three quarters of the pause and the whole of it. */
static uint64_t pause_of(const struct fitness_rules *rules, uint64_t level, uint32_t random)
{
    uint64_t pause_ms = rules->pause_ms;
    for (uint64_t i = 0; i < level && pause_ms < rules->pause_max_ms; i++) {
        pause_ms *= 2;
    }
    pause_ms = pause_ms < rules->pause_max_ms ? pause_ms : rules->pause_max_ms;
    return pause_ms - random % (pause_ms / 4 + 1);
}

static void put_out(struct parts *p, const struct fitness_rules *rules, uint64_t now_ms,
                    uint32_t random)
{
    if (p->kind == UP && since(p->time_ms, now_ms) >= rules->pause_max_ms) {
        p->level = 0;
    }
    p->kind = OUT;
    p->time_ms = now_ms + pause_of(rules, p->level, random);
    p->level += p->level < (1U << LEVEL_BITS) - 1 ? 1 : 0;
}

uint64_t fitness_fail(uint64_t word, const struct fitness_rules *rules,
                      enum fitness_failure failure, uint64_t now_ms, uint32_t random)
{
    struct parts p = unpack(word);
    if (p.is_check_bad) {
        return word;
    }
    p.is_reset = failure == FITNESS_RESET;
    p.failures += p.failures < FITNESS_FAILURES_MAX ? 1 : 0;
    bool is_pausing = p.kind == OUT && now_ms < p.time_ms;
    if (!is_pausing && (p.kind != UP || p.failures >= rules->eject_after)) {
        put_out(&p, rules, now_ms, random);
    }
    return pack(&p);
}

uint64_t fitness_accept(uint64_t word, uint64_t now_ms)
{
    struct parts p = unpack(word);
    if (p.is_check_bad) {
        return word;
    }
    if (p.kind != UP) {
        p.kind = UP;
        p.time_ms = now_ms;
    }
    p.failures = p.is_reset ? p.failures : 0;
    return pack(&p);
}

uint64_t fitness_speak(uint64_t word)
{
    struct parts p = unpack(word);
    if (p.kind == UP) {
        p.failures = 0;
        p.is_reset = false;
    }
    return pack(&p);
}

uint64_t fitness_check(uint64_t word, bool is_good, uint64_t now_ms)
{
    struct parts p = unpack(word);
    if (is_good && p.is_check_bad) {
        p = (struct parts){.kind = UP, .time_ms = now_ms};
    } else if (!is_good) {
        p.is_check_bad = true;
    }
    return pack(&p);
}

bool fitness_is_down_by_check(uint64_t word)
{
    return unpack(word).is_check_bad;
}
