/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/spread.h"

#define PARTS 1024 /* steps of chance within the part of one session */

uint64_t spread_of_drain(uint64_t drain_ms)
{
    return drain_ms - drain_ms / 4;
}

/* 0 to PARTS - 1; the first session does not wait. */
static uint64_t chance(const struct spread *s, size_t index)
{
    uint64_t x = s->seed + index * UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return index == 0 ? 0 : (x ^ (x >> 31)) % PARTS;
}

/* With a day and a million sessions the product is below 2^58. */
static uint64_t time_of(const struct spread *s, size_t index)
{
    return s->begin_ms + s->over_ms * (index * PARTS + chance(s, index)) / (s->count * PARTS);
}

void spread_begin(struct spread *s, uint64_t now_ms, uint64_t over_ms, size_t count, uint64_t seed)
{
    *s = (struct spread){.begin_ms = now_ms, .over_ms = over_ms, .seed = seed, .count = count};
}

size_t spread_take(struct spread *s, uint64_t now_ms)
{
    size_t before = s->taken;
    while (s->taken < s->count && time_of(s, s->taken) <= now_ms) {
        s->taken++;
    }
    return s->taken - before;
}

uint64_t spread_next_ms(const struct spread *s, uint64_t now_ms)
{
    if (s->taken == s->count) {
        return UINT64_MAX;
    }
    uint64_t next_ms = time_of(s, s->taken);
    return next_ms > now_ms + SPREAD_TICK_MS ? next_ms : now_ms + SPREAD_TICK_MS;
}
