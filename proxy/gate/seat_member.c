/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Places for addresses of names with many. */
#include "gate/seat_parts.h"

#define NEAR 32 /* places that a key may have */

static struct seat_member *place(const struct seats *seats, uint64_t key, size_t i)
{
    return seat_member_of(seats, (size_t)((key + i) % SEAT_MEMBERS));
}

static struct seat_member *find(const struct seats *seats, uint64_t key)
{
    for (size_t i = 0; i < NEAR; i++) {
        if (seat_get(&place(seats, key, i)->key) == key) {
            return place(seats, key, i);
        }
    }
    return NULL;
}

static bool is_free(const struct seat_member *member, uint64_t now_ms)
{
    uint64_t used_ms = seat_get(&member->used_ms);
    return seat_get(&member->key) == 0 ||
           (now_ms > used_ms && now_ms - used_ms >= SEAT_MEMBER_KEPT_MS);
}

static void forget(struct seat_member *member, uint64_t now_ms)
{
    seat_put(&member->used_ms, now_ms);
    seat_put(&member->fitness.word, 0);
    seat_put(&member->fitness.told, 0);
    seat_put(&member->fitness.at_ms, 0);
    for (size_t i = 0; i < SEAT_DETAIL_MAX / 8; i++) {
        seat_put(&member->fitness.detail[i], 0);
    }
}

/* Two workers that come with one key at once take the same place, since they look in the same
 * order; the slower one finds its key there. */
static struct seat_member *take(const struct seats *seats, uint64_t key, uint64_t now_ms)
{
    for (size_t i = 0; i < NEAR; i++) {
        struct seat_member *member = place(seats, key, i);
        uint64_t before = seat_get(&member->key);
        if (before == key) {
            return member;
        }
        if (is_free(member, now_ms)) {
            if (atomic_compare_exchange_strong(&member->key, &before, key)) {
                forget(member, now_ms);
                return member;
            }
            if (before == key) {
                return member;
            }
        }
    }
    return NULL;
}

struct seat_member *seat_find_member(const struct seats *seats, uint64_t key, uint64_t now_ms)
{
    struct seat_member *member = find(seats, key);
    member = member != NULL ? member : take(seats, key, now_ms);
    if (member != NULL) {
        seat_put(&member->used_ms, now_ms);
    }
    return member;
}
