/* SPDX-License-Identifier: GPL-3.0-or-later */
// A quota in shared memory, for tests.
#ifndef TESTS_UNIT_QUOTA_KIT_H
#define TESTS_UNIT_QUOTA_KIT_H

#include <sys/mman.h>

#include "check.h"
#include "gate/quota.h"
#include "random.h"

static const uint8_t kit_secret[SIPHASH_KEY_BYTES] = "sixteen bytes !!";
static const struct quota_limits kit_no_limit = {.held_max = 0};

static inline void *kit_share(size_t size)
{
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK_TRUE("shared memory", memory != MAP_FAILED);
    return memory;
}

static inline struct quota *kit_quota_new(size_t keys, size_t slots)
{
    struct quota *quota = quota_new(keys, kit_secret);
    CHECK_TRUE("quota", quota != NULL);
    quota_set_slots(quota, slots);
    return quota;
}

static inline void kit_clear(struct quota *quota, size_t slot)
{
    CHECK_TRUE("clear", quota_clear_slot(quota, slot));
}

static inline enum quota_verdict kit_take(struct quota *quota, size_t slot, uint64_t key,
                                          uint64_t held_max, struct quota_hold *hold)
{
    const struct quota_limits limits = {.held_max = held_max};
    return quota_take(quota, slot, key, &limits, 1000, hold).verdict;
}

// Keys as limit_key makes them: any number but 0.
static inline uint64_t kit_key(uint64_t *seed)
{
    uint64_t key = random_next(seed);
    return key == 0 ? 1 : key;
}

#endif
