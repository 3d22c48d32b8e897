/* SPDX-License-Identifier: GPL-3.0-or-later */
// Random numbers that are the same in each run (splitmix64), for tests of properties.
#ifndef TESTS_UNIT_RANDOM_H
#define TESTS_UNIT_RANDOM_H

#include <stdint.h>

static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15U;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
}

// 0 to max - 1.
static inline uint64_t random_below(uint64_t *state, uint64_t max)
{
    return random_next(state) % max;
}

#endif
