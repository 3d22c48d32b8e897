/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/scoreboard.h"

#include <assert.h>
#include <sys/mman.h>

struct scoreboard *scoreboard_new(size_t slot_count, uint64_t now_s)
{
    assert(slot_count > 0 && slot_count <= SCOREBOARD_SLOTS_MAX);
    /* Pages that nobody touches take no memory. */
    size_t size = sizeof(struct scoreboard) + SCOREBOARD_SLOTS_MAX * sizeof(struct scoreboard_slot);
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    struct scoreboard *board = memory;
    atomic_store(&board->slot_count, slot_count);
    atomic_store(&board->is_reload_good, 1);
    atomic_store(&board->loaded_s, now_s);
    return board;
}

void scoreboard_set_slots(struct scoreboard *board, size_t slot_count)
{
    assert(slot_count >= board->slot_count && slot_count <= SCOREBOARD_SLOTS_MAX);
    atomic_store(&board->slot_count, slot_count);
}

void scoreboard_clear_slot(struct scoreboard *board, size_t slot)
{
    assert(slot < board->slot_count);
    atomic_store_explicit(&board->slots[slot].sessions_now, 0, memory_order_relaxed);
    scoreboard_set(&board->slots[slot].is_accepting, false);
    scoreboard_set(&board->slots[slot].is_still, false);
}

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
