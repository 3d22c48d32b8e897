/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/reload.h"

#include <assert.h>
#include <string.h>

void reload_begin(struct reload *r, uint64_t now_ms)
{
    assert(r->phase == RELOAD_IDLE);
    *r = (struct reload){
        .phase = RELOAD_PREPARING,
        .number = r->number + 1,
        .began_ms = now_ms,
        .deadline_ms = now_ms + RELOAD_ANSWER_MS,
    };
}

static void wait_for(struct reload *r, size_t slot, bool is_waiting)
{
    assert(slot < RELOAD_SLOTS_MAX);
    if (r->waits[slot] != is_waiting) {
        r->waits[slot] = is_waiting;
        r->waiting += is_waiting ? 1 : (size_t)-1;
    }
}

void reload_ask(struct reload *r, size_t slot)
{
    assert(r->phase == RELOAD_PREPARING);
    wait_for(r, slot, true);
    r->takes_part[slot] = true;
}

void reload_answer(struct reload *r, size_t slot, uint32_t number)
{
    if (number == r->number) {
        wait_for(r, slot, false);
    }
}

void reload_forget(struct reload *r, size_t slot)
{
    wait_for(r, slot, false);
    r->takes_part[slot] = false;
}

enum reload_step reload_next(const struct reload *r, uint64_t now_ms)
{
    bool is_late = now_ms >= r->deadline_ms;

    switch (r->phase) {
    case RELOAD_IDLE:
        break;
    case RELOAD_PREPARING:
        return r->waiting == 0 ? RELOAD_COMMIT : is_late ? RELOAD_LATE : RELOAD_WAIT;
    case RELOAD_COMMITTING:
        return r->waiting == 0 || is_late ? RELOAD_DONE : RELOAD_WAIT;
    }
    return RELOAD_WAIT;
}

size_t reload_late_slot(const struct reload *r)
{
    size_t slot = 0;
    while (slot < RELOAD_SLOTS_MAX - 1 && !r->waits[slot]) {
        slot++;
    }
    return slot;
}

void reload_commit(struct reload *r, uint64_t now_ms)
{
    assert(r->phase == RELOAD_PREPARING && r->waiting == 0);
    r->phase = RELOAD_COMMITTING;
    r->deadline_ms = now_ms + RELOAD_ANSWER_MS;
    for (size_t i = 0; i < RELOAD_SLOTS_MAX; i++) {
        wait_for(r, i, r->takes_part[i]);
    }
}

void reload_end(struct reload *r)
{
    *r = (struct reload){.number = r->number};
}
