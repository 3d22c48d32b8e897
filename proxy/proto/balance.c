/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/balance.h"

#include <stdbool.h>

#include "base/siphash.h"

/* No secret: the same client has the same backend after a restart and on the next machine. Whoever
 * would choose his backend has to choose his network. */
static const uint8_t fixed[SIPHASH_KEY_BYTES] = {0x73, 0x6c, 0x75, 0x69, 0x63, 0x65, 0x2d, 0x62,
                                                 0x61, 0x6c, 0x61, 0x6e, 0x63, 0x65, 0x2d, 0x31};

#define FRACTION_BITS 24 /* of a logarithm */

uint64_t balance_key(struct span name)
{
    struct siphash h;
    siphash_begin(&h, fixed);
    siphash_add(&h, name.data, name.len);
    return siphash_end(&h);
}

uint64_t balance_source(const struct addr *client, struct limit_prefix prefix)
{
    const struct limit_subject subject = {.source = client, .prefix = prefix};
    return client->len > 0 ? limit_key(fixed, &subject) : 0;
}

static size_t pick_first(const struct balance_backend *backends, size_t count)
{
    size_t at = 0;
    while (at < count && backends[at].weight == 0) {
        at++;
    }
    return at;
}

/* Fewer sessions for its weight, this one counted. */
static bool has_fewer(const struct balance_backend *a, const struct balance_backend *b)
{
    return (a->sessions + 1) * b->weight < (b->sessions + 1) * a->weight;
}

static size_t find_least(const struct balance_backend *backends, size_t count)
{
    size_t least = pick_first(backends, count);
    for (size_t i = least; i < count; i++) {
        if (backends[i].weight > 0 && has_fewer(&backends[i], &backends[least])) {
            least = i;
        }
    }
    return least;
}

/* Whose turn it is: of all, or of those that have as few sessions as `least`. Each gains its weight
 * in every round; whoever has most is picked, and pays what all gained. */
static size_t pick_turn(struct balance_backend *backends, size_t count,
                        const struct balance_backend *least)
{
    size_t best = count;
    int64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        struct balance_backend *b = &backends[i];
        if (b->weight == 0 || (least != NULL && has_fewer(least, b))) {
            continue;
        }
        b->turn += (int64_t)b->weight;
        total += (int64_t)b->weight;
        if (best == count || b->turn > backends[best].turn) {
            best = i;
        }
    }
    if (best < count) {
        backends[best].turn -= total;
    }
    return best;
}

/* -log2(hash / 2^64), in units of 2^-FRACTION_BITS: integers, so that every machine finds the same
 * order. Each squaring of the mantissa yields a bit. */
static uint64_t minus_log2(uint64_t hash)
{
    unsigned shift = hash != 0 ? (unsigned)__builtin_clzll(hash) : 63;
    uint64_t mantissa = (hash << shift) >> 32; /* 1.31: from 1 to below 2 */
    uint64_t log = 0;
    for (unsigned i = 0; i < FRACTION_BITS; i++) {
        mantissa = (mantissa * mantissa) >> 31;
        log <<= 1;
        if (mantissa >> 32 != 0) {
            mantissa >>= 1;
            log |= 1;
        }
    }
    return ((uint64_t)(shift + 1) << FRACTION_BITS) - log;
}

/* The time to a backend's first call in a Poisson process of its weight: of all backends, each
 * comes first as often as its weight says, whatever the others are. */
static uint64_t wait_of(const struct balance_backend *backend, uint64_t source)
{
    struct siphash h;
    siphash_begin(&h, fixed);
    siphash_add(&h, &source, sizeof(source));
    siphash_add(&h, &backend->key, sizeof(backend->key));
    return minus_log2(siphash_end(&h));
}

static size_t pick_source(const struct balance_backend *backends, size_t count, uint64_t source)
{
    size_t best = count;
    uint64_t best_wait = 0;
    for (size_t i = 0; i < count; i++) {
        if (backends[i].weight == 0) {
            continue;
        }
        uint64_t wait = wait_of(&backends[i], source);
        if (best == count || wait * backends[best].weight < best_wait * backends[i].weight) {
            best = i;
            best_wait = wait;
        }
    }
    return best;
}

size_t balance_pick(enum balance_kind kind, struct balance_backend *backends, size_t count,
                    uint64_t source)
{
    switch (kind) {
    case BALANCE_FIRST:
        break;
    case BALANCE_ROUND_ROBIN:
        return pick_turn(backends, count, NULL);
    case BALANCE_LEAST_SESSIONS: {
        size_t at = find_least(backends, count);
        const struct balance_backend least = at < count ? backends[at] : backends[0];
        return at < count ? pick_turn(backends, count, &least) : count;
    }
    case BALANCE_SOURCE:
        return pick_source(backends, count, source);
    }
    return pick_first(backends, count);
}
