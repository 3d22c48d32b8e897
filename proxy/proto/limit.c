/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/limit.h"

#include <assert.h>

/* --- keys ------------------------------------------------------------------------------------ */

/* Which parts are set goes into the hash in front of them. */
enum { HAS_SOURCE = 1, HAS_ROUTE = 2, HAS_IDENTITY = 4 };

static void add_u8(struct siphash *h, uint8_t value)
{
    siphash_add(h, &value, 1);
}

/* With its length, so that two parts have one reading. */
static void add_text(struct siphash *h, struct span text)
{
    uint64_t len = text.len;
    siphash_add(h, &len, sizeof(len));
    siphash_add(h, text.data, text.len);
}

static void add_bits(struct siphash *h, const uint8_t *bytes, unsigned bits)
{
    siphash_add(h, bytes, bits / 8);
    if (bits % 8 > 0) {
        add_u8(h, (uint8_t)(bytes[bits / 8] & 0xff00U >> bits % 8));
    }
}

static void add_source(struct siphash *h, const struct addr *a, struct limit_prefix prefix)
{
    int family = a->len == 0 ? AF_UNSPEC : a->u.sa.sa_family;
    assert(prefix.v4_bits <= 32 && prefix.v6_bits <= 128);
    if (family == AF_INET) {
        add_u8(h, 4);
        add_bits(h, (const uint8_t *)&a->u.in.sin_addr, prefix.v4_bits);
    } else if (family == AF_INET6) {
        add_u8(h, 6);
        add_bits(h, a->u.in6.sin6_addr.s6_addr, prefix.v6_bits);
    } else {
        add_u8(h, 0);
    }
}

uint64_t limit_key(const uint8_t secret[SIPHASH_KEY_BYTES], const struct limit_subject *subject)
{
    struct siphash h;
    unsigned parts = (subject->source != NULL ? HAS_SOURCE : 0U) |
                     (subject->route.data != NULL ? HAS_ROUTE : 0U) |
                     (subject->auth.data != NULL ? HAS_IDENTITY : 0U);
    assert(parts != 0);
    siphash_begin(&h, secret);
    add_u8(&h, (uint8_t)parts);
    if (subject->source != NULL) {
        add_source(&h, subject->source, subject->prefix);
    }
    if (subject->route.data != NULL) {
        add_text(&h, subject->route);
    }
    if (subject->auth.data != NULL) {
        add_text(&h, subject->auth);
        add_text(&h, subject->identity);
    }
    uint64_t key = siphash_end(&h);
    return key == 0 ? 1 : key;
}

/* --- events per time -------------------------------------------------------------------------- */

#define NS_PER_MS ((uint64_t)1000000)

static void check_rate(const struct limit_rate *rate)
{
    assert(rate->count > 0 && rate->count <= LIMIT_RATE_COUNT_MAX);
    assert(rate->period_ms > 0 && rate->period_ms <= LIMIT_PERIOD_MS_MAX);
}

/* Between two events. A thousandth of a millionth too long at most, and never too short. */
static uint64_t gap_ns(const struct limit_rate *rate)
{
    return (rate->period_ms * NS_PER_MS + rate->count - 1) / rate->count;
}

/* When the bucket is full again if it is empty now. */
static uint64_t empty_ns(const struct limit_rate *rate, uint64_t now_ms)
{
    return now_ms * NS_PER_MS + rate->count * gap_ns(rate);
}

uint64_t limit_rate_next(uint64_t greatest, const struct limit_rate *rate, uint64_t now_ms)
{
    check_rate(rate);
    uint64_t now_ns = now_ms * NS_PER_MS;
    /* A word of a rate that was slower says more than "empty". */
    uint64_t most = empty_ns(rate, now_ms);
    uint64_t from = greatest < now_ns ? now_ns : greatest;
    return (from < most ? from : most) + gap_ns(rate);
}

bool limit_rate_fits(uint64_t word, const struct limit_rate *rate, uint64_t now_ms)
{
    check_rate(rate);
    return word <= empty_ns(rate, now_ms);
}

uint64_t limit_rate_wait_ms(uint64_t greatest, const struct limit_rate *rate, uint64_t now_ms)
{
    uint64_t next = limit_rate_next(greatest, rate, now_ms);
    uint64_t most = empty_ns(rate, now_ms);
    return next > most ? (next - most + NS_PER_MS - 1) / NS_PER_MS : 0;
}

/* --- failures --------------------------------------------------------------------------------- */

/* A word: how many, and until when they count. */
#define UNTIL_BITS 48
#define UNTIL_MASK (((uint64_t)1 << UNTIL_BITS) - 1)
#define FAILURES_MAX ((uint64_t)0xffff)

bool limit_failure_lives(uint64_t word, uint64_t now_ms)
{
    return (word & UNTIL_MASK) > now_ms;
}

uint64_t limit_failure_add(uint64_t word, const struct limit_pause *pause, uint64_t now_ms)
{
    uint64_t count = limit_failure_lives(word, now_ms) ? word >> UNTIL_BITS : 0;
    count = count < FAILURES_MAX ? count + 1 : FAILURES_MAX;
    return count << UNTIL_BITS | ((now_ms + pause->forget_ms) & UNTIL_MASK);
}

void limit_failure_sum(struct limit_failure_sum *sum, uint64_t word,
                       const struct limit_pause *pause, uint64_t now_ms)
{
    if (!limit_failure_lives(word, now_ms)) {
        return;
    }
    uint64_t until_ms = word & UNTIL_MASK;
    uint64_t last_ms = until_ms > pause->forget_ms ? until_ms - pause->forget_ms : 0;
    sum->count += word >> UNTIL_BITS;
    sum->last_ms = last_ms > sum->last_ms ? last_ms : sum->last_ms;
}

uint64_t limit_pause_ms(const struct limit_failure_sum *sum, const struct limit_pause *pause,
                        uint64_t now_ms)
{
    assert(pause->first_ms > 0 && pause->first_ms <= pause->most_ms);
    assert(pause->most_ms <= pause->forget_ms);
    if (sum->count <= pause->free) {
        return 0;
    }
    uint64_t pause_ms = pause->first_ms;
    for (uint64_t n = sum->count - pause->free; n > 1 && pause_ms < pause->most_ms; n--) {
        pause_ms = pause_ms <= pause->most_ms / 2 ? 2 * pause_ms : pause->most_ms;
    }
    uint64_t end_ms = sum->last_ms + pause_ms;
    return end_ms > now_ms ? end_ms - now_ms : 0;
}
