/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A table of used tokens, for the tests of it. */
#ifndef TESTS_UNIT_SPENT_KIT_H
#define TESTS_UNIT_SPENT_KIT_H

#include <unistd.h>

#include "check.h"
#include "gate/spent.h"

#define NOW_S UINT64_C(1800000000)
#define NOW_MS UINT64_C(5000000)

static const uint8_t secret[SIPHASH_KEY_BYTES] = "sixteen bytes !!";
static const struct spent_terms once = {.window_ms = 0};

/* Most tests can share one table, because no two use the same token. */
static inline struct spent *make(void)
{
    struct spent *spent = spent_new(secret);
    CHECK_TRUE("made", spent != NULL);
    return spent;
}

static inline void drop(struct spent *spent)
{
    CHECK_EQ_INT("close", close(spent_fd(spent)), 0);
}

static inline struct spent_token token_of(const char *id, uint64_t ends_s)
{
    return (struct spent_token){
        .auth = SPAN_LIT("staff"), .id = span_from_str(id), .ends_s = ends_s};
}

static inline enum spent_verdict use(struct spent *spent, const char *id,
                                     const struct spent_terms *terms, uint64_t now_ms)
{
    const struct spent_token token = token_of(id, NOW_S + 600);
    return spent_use(spent, &token, terms, NOW_S, now_ms);
}

#endif
