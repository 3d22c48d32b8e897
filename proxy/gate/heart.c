/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/heart.h"

static bool is_at_work(const struct heart_sight *sight)
{
    return sight->turns % 2 == 1;
}

static enum heart_state judge(struct heart *heart, const struct heart_sight *sight)
{
    if (sight->turns != heart->turns) {
        heart->turns = sight->turns;
        heart->still_since_ms = 0;
        if (!sight->is_stopped) {
            return HEART_BEATS;
        }
    }
    if (heart->still_since_ms == 0) {
        if (!is_at_work(sight) && !sight->has_callers && !sight->is_stopped) {
            return HEART_BEATS;
        }
        heart->still_since_ms = sight->now_ms;
    }
    uint64_t still_ms = sight->now_ms - heart->still_since_ms;
    if (still_ms >= HEART_DEAD_MS) {
        return HEART_DEAD;
    }
    /* A stopped worker need not be asked, and what was still is so until it turns. */
    bool is_still = sight->is_stopped || still_ms >= HEART_STILL_MS || heart->state == HEART_STILL;
    return is_still ? HEART_STILL : HEART_DOUBTED;
}

enum heart_state heart_look(struct heart *heart, const struct heart_sight *sight)
{
    heart->state = judge(heart, sight);
    return heart->state;
}
