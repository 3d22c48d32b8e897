/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the manager that started the program hears of it (notify.h).
 *
 * A watchdog proves that the program does its work, so it must not be fed by a timer that goes on
 * whatever happens. It hears from the master's own loop, which has just made a turn, has looked at
 * the workers' hearts, and has found one that accepts. While the program starts or stops, deadlines
 * of the master's own bound every wait, and its turn alone counts. When no worker serves for the
 * watchdog's time, the master's respawns have not helped, and a new start is right. */
#include <stdio.h>

#include "base/clock.h"
#include "gate/master_parts.h"

#define STOP_MARGIN_MS 5000 /* from the last SIGKILL to the end of the program */

static size_t count_tended(const struct master *m)
{
    size_t count = 0;
    for (size_t i = 0; i < m->slot_count; i++) {
        count += master_is_tended(&m->slots[i]);
    }
    return count;
}

static unsigned long long count_sessions(const struct master *m)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < m->slot_count; i++) {
        sum += atomic_load_explicit(&m->scoreboard->slots[m->slots[i].seat].sessions_now,
                                    memory_order_relaxed);
    }
    return sum;
}

static const char *last_reload(const struct master *m)
{
    const struct scoreboard *board = m->scoreboard;
    if (atomic_load(&board->reloads[0]) + atomic_load(&board->reloads[1]) == 0) {
        return "";
    }
    return atomic_load(&board->is_reload_good) != 0
               ? "; last reload: done"
               : "; last reload: failed, the configuration before is in force";
}

static enum notify_phase phase_of(const struct master *m)
{
    switch (m->phase) {
    case MASTER_STARTING:
    case MASTER_YIELDED: /* the heir tells */
        break;
    case MASTER_SERVING:
        return m->is_reload_wanted || m->reload.phase != RELOAD_IDLE ? NOTIFY_RELOADING
                                                                     : NOTIFY_READY;
    case MASTER_STOPPING:
        return NOTIFY_STOPPING;
    }
    return NOTIFY_STARTING;
}

static void describe(const struct master *m, struct notify_state *out)
{
    uint64_t now_ms = clock_now_ms();
    size_t tended = count_tended(m);
    out->phase = phase_of(m);
    out->is_working = m->phase != MASTER_SERVING || tended > 0;
    out->grace_ms = 0;
    switch (out->phase) {
    case NOTIFY_STARTING:
        snprintf(out->status, sizeof(out->status), "the workers start");
        break;
    case NOTIFY_READY:
    case NOTIFY_RELOADING:
        snprintf(out->status, sizeof(out->status), "%s%zu of %u workers serve, %llu sessions%s",
                 out->phase == NOTIFY_RELOADING ? "reloading; " : "", tended, m->config->workers,
                 count_sessions(m), last_reload(m));
        break;
    case NOTIFY_STOPPING:
        if (m->kill_at_ms > now_ms && m->kill_at_ms != UINT64_MAX) {
            out->grace_ms = m->kill_at_ms - now_ms + STOP_MARGIN_MS;
        }
        snprintf(out->status, sizeof(out->status), "stopping, %llu sessions left",
                 count_sessions(m));
        break;
    }
}

void master_notify(struct master *m)
{
    struct notify_state state;
    if (!notify_is_on(&m->notify)) {
        return;
    }
    if (m->phase == MASTER_SERVING) {
        sockets_store(&m->sockets, &m->notify, clock_now_ms());
    }
    describe(m, &state);
    notify_tell(&m->notify, &state, clock_now_ms());
}

/* A socket of an address that has left the configuration while nobody served would hear callers for
 * nobody, as long as the manager keeps it. */
void master_forget_rest(struct master *m)
{
    inherit_warn_of_rest(&m->inherited);
    for (size_t i = 0; i < m->inherited.count; i++) {
        const struct inherit_fd *it = &m->inherited.fds[i];
        if (it->fd != -1 && !notify_forget(&m->notify, it->name, clock_now_ms())) {
            break; /* the log has the reason */
        }
    }
    inherit_done(&m->inherited);
}
