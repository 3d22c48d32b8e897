/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <time.h>

#include "load.h"

#define PARTS (1U << STAT_PART_BITS)

uint64_t stat_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static unsigned shift_of(uint64_t ns)
{
    unsigned bits = 63 - (unsigned)__builtin_clzll(ns | 1);
    return bits < STAT_PART_BITS ? 0 : bits - STAT_PART_BITS;
}

/* Values below PARTS have a bucket each; above, the highest bits choose the bucket. */
static size_t bucket_of(uint64_t ns)
{
    if (ns < PARTS) {
        return (size_t)ns;
    }
    unsigned shift = shift_of(ns);
    return ((size_t)(shift + 1) << STAT_PART_BITS) + (size_t)((ns >> shift) - PARTS);
}

static uint64_t bucket_middle(size_t bucket)
{
    if (bucket < PARTS) {
        return bucket;
    }
    unsigned shift = (unsigned)(bucket >> STAT_PART_BITS) - 1;
    uint64_t low = (uint64_t)(PARTS + bucket % PARTS) << shift;
    return low + ((1ULL << shift) >> 1);
}

void stat_add(struct stat_latency *s, uint64_t ns)
{
    s->buckets[bucket_of(ns)]++;
    s->count++;
    s->max_ns = ns > s->max_ns ? ns : s->max_ns;
}

double stat_percentile_us(const struct stat_latency *s, double part)
{
    uint64_t rank = (uint64_t)(part * (double)s->count);
    uint64_t seen = 0;
    for (size_t i = 0; i < STAT_BUCKETS && s->count > 0; i++) {
        seen += s->buckets[i];
        if (seen > rank || seen == s->count) {
            return (double)bucket_middle(i) / 1000;
        }
    }
    return 0;
}
