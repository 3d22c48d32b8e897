/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The care for workers: does each one turn, and who accepts for a slot whose worker does not? A
 * SO_REUSEPORT socket without an acceptor swallows its share of callers, and closing it resets
 * them: so another worker adopts the slot. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "gate/control.h"
#include "gate/master_parts.h"
#include "io/net.h"

#define LOOK_MS 1000        /* the longest time from one look at the workers to the next */
#define ADOPT_RETRY_MS 1000 /* the next look at the latest sees that it is due */

/* --- hearts ---------------------------------------------------------------------------------- */

/* However long the master could not run, its own time goes on by one look at most. */
static void count_own_time(struct master *m)
{
    uint64_t now_ms = clock_now_ms();
    uint64_t passed_ms = now_ms - m->last_ms;
    m->own_ms += passed_ms < LOOK_MS ? passed_ms : LOOK_MS;
    m->last_ms = now_ms;
}

static bool has_callers(const struct master *m, size_t slot)
{
    for (size_t i = 0; i < m->sockets.current.count; i++) {
        if (net_has_callers(sockets_fd(&m->sockets.current, i, slot))) {
            return true;
        }
    }
    return false;
}

/* A debugger or tracer may hold a worker as long as it likes. */
static bool is_traced(pid_t pid)
{
    char path[40];
    char text[64];
    long tracer = 0;
    snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    while (fgets(text, sizeof(text), file) != NULL) {
        if (strncmp(text, "TracerPid:", 10) == 0) {
            tracer = strtol(text + 10, NULL, 10);
        }
    }
    (void)fclose(file);
    return tracer != 0;
}

static void log_still(const struct master *m, size_t slot, enum log_level level, const char *event,
                      const char *does)
{
    const struct slot *s = &m->slots[slot];
    struct log_line line;
    log_begin(&line, level, event);
    log_u64(&line, "slot", slot);
    log_u64(&line, "pid", (uint64_t)s->pid);
    log_str(&line, "state", s->is_stopped ? "stopped by a signal" : "it takes no events");
    log_u64(&line, "still_ms", m->own_ms - s->heart.still_since_ms);
    log_str(&line, "msg", does);
    log_end(&line);
}

static void log_back(size_t slot, pid_t pid)
{
    struct log_line line;
    log_begin(&line, LOG_INFO, "worker.back");
    log_u64(&line, "slot", slot);
    log_u64(&line, "pid", (uint64_t)pid);
    log_str(&line, "msg", "it takes events again, and its own callers");
    log_end(&line);
}

static void wake(const struct slot *s)
{
    const struct control_message message = {.kind = CONTROL_WAKE};
    bool is_sent = control_send(s->control_fd, &message, -1);
    (void)is_sent; /* the next look tells */
}

static void look_at(struct master *m, size_t slot)
{
    struct slot *s = &m->slots[slot];
    enum heart_state before = s->heart.state;
    struct heart_sight sight = {
        .now_ms = m->own_ms,
        .turns = scoreboard_turns(m->scoreboard, s->seat),
        .is_stopped = s->is_stopped,
    };
    sight.has_callers = sight.turns == s->heart.turns && has_callers(m, slot);
    heart_look(&s->heart, &sight);
    scoreboard_set(&m->scoreboard->slots[s->seat].is_still, s->heart.state >= HEART_STILL);
    switch (s->heart.state) {
    case HEART_BEATS:
        if (before >= HEART_STILL) {
            log_back(slot, s->pid);
        }
        break;
    case HEART_DOUBTED:
        wake(s);
        break;
    case HEART_STILL:
        if (before < HEART_STILL) {
            log_still(m, slot, LOG_WARN, "worker.still",
                      "its callers go to another worker, if one serves");
            wake(s);
        }
        break;
    case HEART_DEAD:
        if (!is_traced(s->pid)) {
            log_still(m, slot, LOG_ERROR, "worker.killed", "the master replaces it");
            kill(s->pid, SIGKILL);
        }
        break;
    }
}

void master_look(struct master *m)
{
    uint64_t next_ms = LOOK_MS;
    count_own_time(m);
    if (clock_now_ms() < m->look_ms) {
        return;
    }
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].state != SLOT_STARTING) {
            look_at(m, i);
            next_ms = m->slots[i].heart.state == HEART_DOUBTED ? HEART_STILL_MS : next_ms;
        }
    }
    master_sweep_seats(m);
    m->look_ms = clock_now_ms() + next_ms;
}

/* --- adoption -------------------------------------------------------------------------------- */

bool master_is_tended(const struct slot *slot)
{
    return slot->state == SLOT_SERVING && slot->heart.state < HEART_STILL;
}

/* The worker that has adopted least. */
static size_t find_adopter(const struct master *m)
{
    size_t best = MASTER_NOBODY;
    for (size_t i = 0; i < m->slot_count; i++) {
        const struct slot *s = &m->slots[i];
        if (master_is_tended(s) && (best == MASTER_NOBODY || s->adopted < m->slots[best].adopted)) {
            best = i;
        }
    }
    return best;
}

static void release(struct master *m, size_t slot)
{
    struct slot *s = &m->slots[slot];
    struct slot *adopter = &m->slots[s->adopter];
    const struct control_message message = {.kind = CONTROL_RELEASE, .slot = (uint32_t)slot};
    bool is_sent = control_send(adopter->control_fd, &message, -1);
    (void)is_sent; /* it then accepts for the slot besides its worker, which harms nobody */
    adopter->adopted--;
    s->adopter = MASTER_NOBODY;
}

static void adopt(struct master *m, size_t slot)
{
    struct slot *s = &m->slots[slot];
    size_t adopter = find_adopter(m);
    if (adopter == MASTER_NOBODY || clock_now_ms() < s->adopt_ms) {
        return;
    }
    for (size_t i = 0; i < m->sockets.current.count; i++) {
        const struct control_message message = {
            .kind = CONTROL_ADOPT, .slot = (uint32_t)slot, .listen = (uint32_t)i};
        if (!control_send(m->slots[adopter].control_fd, &message,
                          sockets_fd(&m->sockets.current, i, slot))) {
            return; /* the next turn tries again; a second copy of a socket harms nobody */
        }
    }
    s->adopter = adopter;
    m->slots[adopter].adopted++;
}

void master_place(struct master *m)
{
    for (size_t i = 0; m->phase == MASTER_SERVING && i < m->slot_count; i++) {
        const struct slot *s = &m->slots[i];
        bool has_adopter = s->adopter != MASTER_NOBODY;
        bool is_tended = master_is_tended(s);
        if (has_adopter && (is_tended || !master_is_tended(&m->slots[s->adopter]))) {
            release(m, i);
            has_adopter = false;
        }
        if (!is_tended && !has_adopter) {
            adopt(m, i);
        }
    }
}

void master_take_back(struct master *m, size_t by, size_t slot)
{
    if (slot < m->slot_count && m->slots[slot].adopter == by) {
        release(m, slot);
        m->slots[slot].adopt_ms = clock_now_ms() + ADOPT_RETRY_MS;
    }
}

static void give_leaving(const struct master *m, size_t slot, size_t to)
{
    const struct control_message message = {.kind = CONTROL_FINISH, .slot = (uint32_t)slot};
    size_t at = 0;
    int fd = -1;
    while ((fd = sockets_next_leaving(&m->sockets, slot, &at)) != -1) {
        bool is_sent = control_send(m->slots[to].control_fd, &message, fd);
        (void)is_sent; /* else that queue is lost */
    }
}

void master_give_leaving(struct master *m, size_t slot)
{
    size_t to = m->phase == MASTER_SERVING ? find_adopter(m) : MASTER_NOBODY;
    for (size_t i = 0; to != MASTER_NOBODY && i < m->slot_count; i++) {
        if (i == slot || m->slots[i].adopter == slot) {
            give_leaving(m, i, to);
        }
    }
}

void master_forget(struct master *m, size_t slot)
{
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].adopter == slot) {
            m->slots[i].adopter = MASTER_NOBODY;
        }
    }
    struct slot *s = &m->slots[slot];
    s->adopted = 0;
    s->state = SLOT_STARTING;
    s->is_stopped = false;
    s->heart = (struct heart){0};
}
