/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Workers take, give, fail and die in any order, one step at a time, with a few keys. A model that
 * is one plain table must say the same: what each key holds, how often it may come, how long it
 * must wait.
 *
 * Input: the limits in four bytes, then two bytes for each step: what (three bits), which slot and
 * which key, and by how much the time goes on. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gate/quota.h"

#define SLOTS 3
#define SUBJECTS 4
#define HOLDS 64
#define PLACES QUOTA_KEYS_MIN

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct held {
    struct quota_hold hold;
    size_t slot;
    size_t subject;
    bool is_used;
};

struct world {
    struct quota *quota;
    struct quota_limits limits;
    struct limit_pause pause;
    uint64_t now_ms;
    struct held holds[HOLDS];
    /* The model: */
    uint64_t count[SUBJECTS];
    uint64_t level[SUBJECTS]; /* of a bucket in which one event is a period */
    uint64_t failures[SUBJECTS][SLOTS];
    uint64_t failed_ms[SUBJECTS][SLOTS];
};

/* All find a place, so that no key is forgotten. */
static uint64_t key_of(size_t subject)
{
    return (uint64_t)(subject + 1) << 40;
}

static void pass(struct world *w, uint64_t ms)
{
    uint64_t full = w->limits.rate.count * w->limits.rate.period_ms;
    w->now_ms += ms;
    for (size_t i = 0; i < SUBJECTS; i++) {
        w->level[i] += ms * w->limits.rate.count;
        w->level[i] = w->level[i] < full ? w->level[i] : full;
    }
}

static void take(struct world *w, size_t slot, size_t subject)
{
    struct held *held = w->holds;
    uint64_t period = w->limits.rate.period_ms;
    while (held < w->holds + HOLDS && held->is_used) {
        held++;
    }
    if (held == w->holds + HOLDS) {
        return;
    }
    *held = (struct held){.slot = slot, .subject = subject};
    struct quota_answer answer =
        quota_take(w->quota, slot, key_of(subject), &w->limits, w->now_ms, &held->hold);
    enum quota_verdict want = QUOTA_OK;
    if (w->limits.held_max > 0 && w->count[subject] >= w->limits.held_max) {
        want = QUOTA_HELD;
    } else if (w->limits.rate.count > 0 && w->level[subject] < period) {
        want = QUOTA_OFTEN;
        uint64_t count = w->limits.rate.count;
        assert(answer.wait_ms == (period - w->level[subject] + count - 1) / count);
    }
    assert(answer.verdict == want);
    if (want == QUOTA_OK) {
        held->is_used = true;
        w->count[subject]++;
        w->level[subject] -= w->limits.rate.count > 0 ? period : 0;
    }
}

static void give(struct world *w, size_t at)
{
    struct held *held = &w->holds[at % HOLDS];
    if (held->is_used) {
        quota_give(w->quota, held->slot, &held->hold);
        held->is_used = false;
        w->count[held->subject]--;
    }
}

static void die(struct world *w, size_t slot)
{
    for (size_t i = 0; i < HOLDS; i++) {
        if (w->holds[i].is_used && w->holds[i].slot == slot) {
            w->holds[i].is_used = false;
            w->count[w->holds[i].subject]--;
        }
    }
    bool is_cleared = quota_clear_slot(w->quota, slot);
    assert(is_cleared);
}

static void fail(struct world *w, size_t slot, size_t subject)
{
    bool is_known = w->now_ms - w->failed_ms[subject][slot] < w->pause.forget_ms;
    w->failures[subject][slot] = is_known ? w->failures[subject][slot] + 1 : 1;
    w->failed_ms[subject][slot] = w->now_ms;
    quota_fail(w->quota, slot, key_of(subject), &w->pause, w->now_ms);
}

static uint64_t model_pause_ms(const struct world *w, size_t subject)
{
    uint64_t count = 0;
    uint64_t last_ms = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        if (w->now_ms - w->failed_ms[subject][i] < w->pause.forget_ms) {
            count += w->failures[subject][i];
            last_ms = w->failed_ms[subject][i] > last_ms ? w->failed_ms[subject][i] : last_ms;
        }
    }
    uint64_t pause_ms = count <= w->pause.free ? 0 : w->pause.first_ms;
    for (uint64_t i = w->pause.free + 1; i < count && pause_ms < w->pause.most_ms; i++) {
        pause_ms *= 2;
    }
    pause_ms = pause_ms < w->pause.most_ms ? pause_ms : w->pause.most_ms;
    return last_ms + pause_ms > w->now_ms ? last_ms + pause_ms - w->now_ms : 0;
}

static void step(struct world *w, uint8_t what, uint8_t time)
{
    size_t slot = (what >> 3 & 3U) % SLOTS;
    size_t subject = what >> 5 & 3U;
    pass(w, time < 128 ? time : (uint64_t)(time - 127) * 100);
    switch (what & 7U) {
    case 0:
        give(w, what >> 3);
        break;
    case 1:
        give(w, time);
        break;
    case 2:
        die(w, slot);
        break;
    case 3:
        fail(w, slot, subject);
        break;
    default:
        take(w, slot, subject);
        break;
    }
    for (size_t i = 0; i < SUBJECTS; i++) {
        assert(quota_held(w->quota, key_of(i)) == w->count[i]);
        assert(quota_pause_ms(w->quota, key_of(i), &w->pause, w->now_ms) == model_pause_ms(w, i));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    static const uint8_t secret[SIPHASH_KEY_BYTES] = {0};
    if (size < 4) {
        return 0;
    }
    memset(&w, 0, sizeof(w));
    w.quota = quota_new(PLACES, secret);
    assert(w.quota != NULL);
    quota_set_slots(w.quota, SLOTS);
    w.limits.held_max = data[0] % 8;
    /* A period that events divide without a rest: then the model's bucket is as exact. */
    w.limits.rate.count = data[1] % 10;
    w.limits.rate.period_ms = 2520 * (1 + (uint64_t)data[2] % 8);
    w.pause = (struct limit_pause){.free = data[3] % 4, .first_ms = 100};
    w.pause.most_ms = w.pause.first_ms << (data[3] >> 2) % 8;
    w.pause.forget_ms = w.pause.most_ms + data[3] * 10U;
    w.now_ms = 1000000;
    pass(&w, 1000000);
    for (size_t at = 4; at + 2 <= size; at += 2) {
        step(&w, data[at], data[at + 1]);
    }
    quota_free(w.quota);
    return 0;
}
