/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/scoreboard.h"

#include <assert.h>

/* A process has one scoreboard; tests make more. */
static struct shared shared = {.fd = -1};

/* Pages that nobody touches take no memory. */
#define BYTES (sizeof(struct scoreboard) + SCOREBOARD_SLOTS_MAX * sizeof(struct scoreboard_slot))

static uint64_t layout(void)
{
    uint64_t sum = shared_layout_text(SHARED_LAYOUT, "scoreboard 1");
    sum = shared_layout_number(sum, sizeof(struct scoreboard));
    return shared_layout_number(sum, BYTES);
}

struct scoreboard *scoreboard_new(size_t slot_count, uint64_t now_s)
{
    assert(slot_count > 0 && slot_count <= SCOREBOARD_SLOTS_MAX);
    shared_drop_file(&shared);
    if (!shared_new(&shared, "sluice-scoreboard", BYTES, layout())) {
        return NULL;
    }
    struct scoreboard *board = shared.memory;
    atomic_store(&board->slot_count, slot_count);
    atomic_store(&board->serving, 1);
    atomic_store(&board->is_reload_good, 1);
    atomic_store(&board->loaded_s, now_s);
    for (size_t i = 0; i < slot_count; i++) {
        atomic_store(&board->slots[i].generation, 1);
    }
    return board;
}

struct scoreboard *scoreboard_open(int fd, const char **out_detail)
{
    return shared_open(&shared, fd, layout(), out_detail) ? shared.memory : NULL;
}

int scoreboard_fd(void)
{
    return shared.fd;
}

void scoreboard_begin_ids(struct scoreboard *board, uint64_t first)
{
    for (size_t i = 0; i < SCOREBOARD_SLOTS_MAX; i++) {
        atomic_store(&board->slots[i].ids_total, first);
    }
}

/* --- who has which slot ---------------------------------------------------------------------- */

static bool is_mine(const struct scoreboard *board)
{
    return shared.memory == board;
}

void scoreboard_clear_slot(struct scoreboard *board, size_t slot)
{
    atomic_store_explicit(&board->slots[slot].sessions_now, 0, memory_order_relaxed);
    scoreboard_set(&board->slots[slot].is_accepting, false);
    scoreboard_set(&board->slots[slot].is_still, false);
}

static void note_use(struct scoreboard *board, size_t slot_count)
{
    size_t count = atomic_load(&board->slot_count);
    while (count < slot_count &&
           !atomic_compare_exchange_weak(&board->slot_count, &count, slot_count)) {
    }
}

size_t scoreboard_take_slot(struct scoreboard *board, size_t wanted, uint64_t generation)
{
    assert(is_mine(board) && wanted < SCOREBOARD_SLOTS_MAX);
    size_t slot = wanted;
    if (!shared_lock(&shared, wanted)) {
        slot = 0;
        while (slot < SCOREBOARD_SLOTS_MAX && !shared_lock(&shared, slot)) {
            slot++;
        }
    }
    if (slot < SCOREBOARD_SLOTS_MAX) {
        scoreboard_clear_slot(board, slot);
        atomic_store(&board->slots[slot].generation, generation);
        note_use(board, slot + 1);
    }
    return slot;
}

bool scoreboard_hold_slot(const struct scoreboard *board, size_t slot)
{
    assert(is_mine(board) && slot < SCOREBOARD_SLOTS_MAX);
    return shared_lock(&shared, slot);
}

void scoreboard_release_slot(struct scoreboard *board, size_t slot, bool is_expected)
{
    scoreboard_clear_slot(board, slot);
    if (!is_expected) {
        atomic_store(&board->slots[slot].generation, 0);
    }
    shared_unlock(&shared, slot);
}

size_t scoreboard_generations(const struct scoreboard *board)
{
    size_t count = 0;
    for (size_t i = 0; i < board->slot_count; i++) {
        uint64_t generation = board->slots[i].generation;
        bool is_new = generation != 0;
        for (size_t k = 0; is_new && k < i; k++) {
            is_new = board->slots[k].generation != generation;
        }
        count += is_new;
    }
    return count;
}

/* --- what it says ---------------------------------------------------------------------------- */

bool scoreboard_is_up(const struct scoreboard *board, size_t slot)
{
    const struct scoreboard_slot *s = &board->slots[slot];
    return atomic_load_explicit(&s->is_accepting, memory_order_relaxed) != 0 &&
           atomic_load_explicit(&s->is_still, memory_order_relaxed) == 0;
}

void scoreboard_note_reload(struct scoreboard *board, bool is_good, uint64_t now_s)
{
    scoreboard_add(&board->reloads[is_good ? 1 : 0], 1);
    scoreboard_set(&board->is_reload_good, is_good);
    if (is_good) {
        atomic_store(&board->loaded_s, now_s);
    }
}

void scoreboard_note_upgrade(struct scoreboard *board, bool is_good)
{
    scoreboard_add(&board->upgrades[is_good ? 1 : 0], 1);
}

bool scoreboard_is_ready(const struct scoreboard *board)
{
    bool is_up = false;
    for (size_t i = 0; i < board->slot_count; i++) {
        is_up |= scoreboard_is_up(board, i);
    }
    return is_up && !scoreboard_is_stopping(board);
}

static uint64_t count_sessions(const struct scoreboard *board)
{
    size_t count = atomic_load_explicit(&board->slot_count, memory_order_relaxed);
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += atomic_load(&board->slots[i].sessions_now);
    }
    return sum;
}

bool scoreboard_add_session(struct scoreboard *board, size_t slot, uint64_t max_sessions)
{
    _Atomic uint64_t *mine = &board->slots[slot].sessions_now;
    scoreboard_add(mine, 1);
    if (count_sessions(board) > max_sessions) {
        scoreboard_sub(mine, 1);
        return false;
    }
    return true;
}

uint64_t scoreboard_next_id(struct scoreboard *board, size_t slot)
{
    return atomic_fetch_add_explicit(&board->slots[slot].ids_total, 1, memory_order_relaxed);
}
