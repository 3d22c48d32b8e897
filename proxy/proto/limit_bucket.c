/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The token bucket. It counts thousandths, of which one millisecond brings `per_second`: nothing is
 * ever rounded away, so nothing drifts. All values stay below 2^52. */
#include <assert.h>

#include "proto/limit.h"

#define MILLI 1000

static int64_t milli(uint64_t units)
{
    return (int64_t)(units * MILLI);
}

static void fill(struct limit_bucket *bucket, const struct limit_flow *flow, uint64_t now_ms)
{
    assert(flow->per_second > 0 && flow->per_second <= LIMIT_FLOW_MAX);
    assert(flow->burst > 0 && flow->burst <= LIMIT_FLOW_MAX);
    if (now_ms <= bucket->filled_ms) {
        return;
    }
    uint64_t passed_ms = now_ms - bucket->filled_ms;
    bucket->filled_ms = now_ms;
    if (bucket->level_milli >= milli(flow->burst)) {
        bucket->level_milli = milli(flow->burst); /* the burst has become smaller */
        return;
    }
    uint64_t missing = (uint64_t)(milli(flow->burst) - bucket->level_milli);
    if (passed_ms > missing / flow->per_second) {
        bucket->level_milli = milli(flow->burst);
    } else {
        bucket->level_milli += (int64_t)(passed_ms * flow->per_second);
    }
}

void limit_bucket_init(struct limit_bucket *bucket, const struct limit_flow *flow, uint64_t now_ms)
{
    *bucket = (struct limit_bucket){.level_milli = milli(flow->burst), .filled_ms = now_ms};
}

uint64_t limit_bucket_room(struct limit_bucket *bucket, const struct limit_flow *flow,
                           uint64_t now_ms)
{
    fill(bucket, flow, now_ms);
    return bucket->level_milli > 0 ? (uint64_t)bucket->level_milli / MILLI : 0;
}

void limit_bucket_take(struct limit_bucket *bucket, const struct limit_flow *flow, uint64_t units,
                       uint64_t now_ms)
{
    fill(bucket, flow, now_ms);
    uint64_t counted = units < 2 * LIMIT_FLOW_MAX ? units : 2 * LIMIT_FLOW_MAX;
    bucket->level_milli -= milli(counted);
    if (bucket->level_milli < -milli(LIMIT_FLOW_MAX)) {
        bucket->level_milli = -milli(LIMIT_FLOW_MAX);
    }
}

uint64_t limit_bucket_wait_ms(struct limit_bucket *bucket, const struct limit_flow *flow,
                              uint64_t units, uint64_t now_ms)
{
    fill(bucket, flow, now_ms);
    int64_t wanted = milli(units < flow->burst ? units : flow->burst);
    if (bucket->level_milli >= wanted) {
        return 0;
    }
    uint64_t missing = (uint64_t)(wanted - bucket->level_milli);
    return (missing + flow->per_second - 1) / flow->per_second;
}
