/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The slots: each has a worker, or waits for the next one. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "gate/control.h"
#include "gate/master_parts.h"

#define RESPAWN_FIRST_MS 100
#define RESPAWN_LONGEST_MS 30000
#define RESPAWN_ALONE_MS 1000 /* the longest while no worker at all serves */
#define FORK_RETRY_MS 1000
#define MESSAGES_PER_TURN 16 /* whatever a worker sends, the others are heard too */
#define LIVED_WELL_MS 10000  /* the pauses begin anew after a worker that lived so long */

void master_close_fd(int *fd)
{
    if (*fd != -1) {
        close(*fd);
        *fd = -1;
    }
}

/* --- a failed start -------------------------------------------------------------------------- */

void master_fail_start(struct master *m, const char *format, ...)
{
    char text[2 * CONTROL_TEXT_MAX];
    va_list args;
    if (m->phase != MASTER_STARTING) {
        return; /* the first reason counts */
    }
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fprintf(stderr, "sluice: cannot start: %s\n", text); /* one write: workers may log just now */
    bool is_sent = handover_send(m->elder.fd, HANDOVER_FAILED, 0, text, -1);
    (void)is_sent; /* there need not be an elder */
    m->phase = MASTER_STOPPING;
    m->exit_code = MASTER_CANNOT_START;
    m->kill_at_ms = UINT64_MAX;
    sockets_done(&m->sockets);
    master_signal_workers(m, SIGKILL);
}

static void fail_fork(struct master *m, size_t slot, const char *what)
{
    int reason = errno;
    if (m->phase == MASTER_STARTING) {
        master_fail_start(m, "%s: %s", what, strerror(reason));
        return;
    }
    log_message(LOG_ERROR, "worker.failed", "%s: %s", what, strerror(reason));
    m->slots[slot].spawn_ms = clock_now_ms() + FORK_RETRY_MS;
}

void master_spawn(struct master *m, size_t slot)
{
    struct slot *s = &m->slots[slot];
    int ends[2];

    s->spawn_ms = 0;
    s->forked_ms = clock_now_ms();
    if (!control_pair(ends)) {
        fail_fork(m, slot, "cannot make a control socket");
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        exit(master_be_worker(m, slot, ends[1]));
    }
    int fork_errno = errno;
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        errno = fork_errno;
        fail_fork(m, slot, "cannot fork a worker");
        return;
    }
    s->pid = pid;
    s->control_fd = ends[0];
}

/* --- what the master hears ------------------------------------------------------------------- */

static void on_message(struct master *m, size_t slot, const struct control_message *message)
{
    struct slot *s = &m->slots[slot];
    switch ((enum control_kind)message->kind) {
    case CONTROL_READY:
        s->state = SLOT_SERVING;
        s->seat = message->number < SCOREBOARD_SLOTS_MAX ? message->number : s->seat;
        break;
    case CONTROL_LEAVING:
        s->state = SLOT_LEAVING;
        master_leave_reload(m, slot);
        master_give_leaving(m, slot);
        break;
    case CONTROL_PREPARED:
    case CONTROL_UNFIT:
    case CONTROL_SWAPPED:
        master_hear_reload(m, slot, message);
        break;
    case CONTROL_REFUSED:
        master_take_back(m, slot, message->slot);
        break;
    case CONTROL_FAILED:
        if (m->phase == MASTER_STARTING) {
            master_fail_start(m, "%s", message->text);
        } else if (m->phase == MASTER_SERVING) {
            log_message(LOG_ERROR, "worker.failed", "%s", message->text);
        }
        break;
    case CONTROL_WAKE:
    case CONTROL_ADOPT:
    case CONTROL_RELEASE:
    case CONTROL_FINISH:
    case CONTROL_RETIRE:
    case CONTROL_OPEN:
    case CONTROL_DRAIN:
    case CONTROL_PREPARE:
    case CONTROL_SOCKET:
    case CONTROL_COMMIT:
    case CONTROL_ABANDON:
        break; /* no worker has a reason to say that */
    }
}

void master_hear(struct master *m, size_t slot)
{
    struct slot *s = &m->slots[slot];
    struct control_message message;
    for (unsigned i = 0; s->control_fd != -1 && i < MESSAGES_PER_TURN; i++) {
        switch (control_receive(s->control_fd, &message, NULL)) {
        case CONTROL_OK:
            on_message(m, slot, &message);
            break;
        case CONTROL_NONSENSE:
            break;
        case CONTROL_NONE:
            return;
        case CONTROL_GONE:
            master_close_fd(&s->control_fd); /* its exit follows */
            break;
        }
    }
}

static void log_exit(size_t slot, pid_t pid, int status, uint64_t lived_ms, bool is_stopping)
{
    bool is_clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    struct log_line line;
    log_begin(&line, is_clean && is_stopping ? LOG_INFO : LOG_ERROR, "worker.exit");
    log_u64(&line, "slot", slot);
    log_u64(&line, "pid", (uint64_t)pid);
    if (WIFSIGNALED(status)) {
        log_u64(&line, "signal", (uint64_t)WTERMSIG(status));
    } else {
        log_u64(&line, "status", (uint64_t)WEXITSTATUS(status));
    }
    log_u64(&line, "lived_ms", lived_ms);
    log_end(&line);
}

static void plan_respawn(struct master *m, size_t slot, uint64_t lived_ms)
{
    struct slot *s = &m->slots[slot];
    uint64_t wait_ms = 0;
    if (lived_ms >= LIVED_WELL_MS || s->pause_ms == 0) {
        s->pause_ms = RESPAWN_FIRST_MS;
    } else {
        wait_ms = s->pause_ms;
        s->pause_ms = s->pause_ms * 2 < RESPAWN_LONGEST_MS ? s->pause_ms * 2 : RESPAWN_LONGEST_MS;
    }
    s->spawn_ms = s->ended_ms + wait_ms;
    scoreboard_add(&m->scoreboard->slots[s->seat].restarts, 1);
    struct log_line line;
    log_begin(&line, LOG_WARN, "worker.respawn");
    log_u64(&line, "slot", slot);
    log_u64(&line, "in_ms", wait_ms);
    log_end(&line);
}

/* --- seats ----------------------------------------------------------------------------------- */

/* Where a living worker has the seat, nothing happens. */
static void clear_seat(const struct master *m, size_t seat, bool is_expected)
{
    if (scoreboard_hold_slot(m->scoreboard, seat)) {
        seats_clear_slot(m->seats, seat);
        roster_clear_slot(m->roster, seat);
        bool is_cleared = quota_clear_slot(m->quota, seat);
        (void)is_cleared; /* else the next worker with this seat does it */
        scoreboard_release_slot(m->scoreboard, seat, is_expected);
    }
}

/* A worker, or its successor that will come. */
static bool has_seat(const struct master *m, size_t seat)
{
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].seat == seat && (m->slots[i].pid != 0 || m->slots[i].is_wanted)) {
            return true;
        }
    }
    return false;
}

void master_sweep_seats(struct master *m)
{
    for (size_t i = 0; i < m->scoreboard->slot_count; i++) {
        if (m->scoreboard->slots[i].generation != 0 && !has_seat(m, i)) {
            clear_seat(m, i, false);
        }
    }
}

/* --- the end of a worker --------------------------------------------------------------------- */

static void on_exit_of(struct master *m, size_t slot, int status)
{
    struct slot *s = &m->slots[slot];
    pid_t pid = s->pid;

    master_hear(m, slot); /* its last words */
    master_close_fd(&s->control_fd);
    s->state = SLOT_STARTING;
    master_give_leaving(m, slot);
    master_forget(m, slot);
    master_leave_reload(m, slot);
    s->pid = 0;
    clear_seat(m, s->seat, s->is_wanted && m->phase == MASTER_SERVING);
    s->ended_ms = clock_now_ms();
    if (m->phase == MASTER_STARTING && !m->elder.is_asked) { /* else the callers may come already */
        master_fail_start(m, "worker %zu ended with %s %d before all workers served", slot,
                          WIFSIGNALED(status) ? "signal" : "status",
                          WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        return;
    }
    if (m->exit_code == 0) { /* else the master has said why nobody serves */
        log_exit(slot, pid, status, s->ended_ms - s->forked_ms,
                 m->phase == MASTER_STOPPING || !s->is_wanted);
    }
    if ((m->phase == MASTER_SERVING || m->phase == MASTER_STARTING) && s->is_wanted) {
        plan_respawn(m, slot, s->ended_ms - s->forked_ms);
    }
}

static size_t find_slot(const struct master *m, pid_t pid)
{
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].pid == pid) {
            return i;
        }
    }
    return MASTER_NOBODY;
}

void master_reap(struct master *m)
{
    for (;;) {
        int status = 0;
        pid_t pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED);
        if (pid <= 0) {
            return;
        }
        size_t slot = find_slot(m, pid);
        if (master_reap_hasher(m, pid, status)) {
            continue;
        }
        if (slot == MASTER_NOBODY) {
            if (WIFEXITED(status) || WIFSIGNALED(status)) {
                /* Nobody: a child that the program had before it became sluice, or what a dead
                 * master has left. */
                (void)(master_reap_upgrade(m, pid, status) || master_reap_heir(m, pid, status));
            }
            continue;
        }
        if (WIFSTOPPED(status) || WIFCONTINUED(status)) {
            m->slots[slot].is_stopped = WIFSTOPPED(status);
            m->look_ms = 0;
        } else {
            on_exit_of(m, slot, status);
        }
    }
}

void master_signal_workers(const struct master *m, int signum)
{
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].pid != 0) {
            kill(m->slots[i].pid, signum);
        }
    }
}

/* --- how many workers ------------------------------------------------------------------------ */

/* The slot of a worker that retires is in use until its last session ends. */
static bool is_usable(const struct slot *slot, bool is_renewal)
{
    return (slot->is_wanted && !is_renewal) || slot->pid == 0;
}

size_t master_slots_for(const struct master *m, size_t workers, bool is_renewal)
{
    size_t usable = 0;
    for (size_t i = 0; i < m->slot_count; i++) {
        usable += is_usable(&m->slots[i], is_renewal);
    }
    size_t needed = m->slot_count + (workers > usable ? workers - usable : 0);
    return needed < SOCKETS_SLOTS_MAX ? needed : SOCKETS_SLOTS_MAX;
}

size_t master_busy_slots(const struct master *m)
{
    size_t busy = 0;
    for (size_t i = 0; i < m->slot_count; i++) {
        busy += m->slots[i].pid != 0;
    }
    return busy;
}

void master_retire(struct master *m, size_t slot)
{
    struct slot *s = &m->slots[slot];
    const struct control_message retire = {.kind = CONTROL_RETIRE};
    s->is_wanted = false;
    s->spawn_ms = 0;
    if (s->pid == 0 || control_send(s->control_fd, &retire, -1)) {
        return;
    }
    log_message(LOG_ERROR, "worker.killed", "the worker of slot %zu does not hear that it retires",
                slot);
    kill(s->pid, SIGKILL);
}

void master_set_workers(struct master *m, size_t slot_count, bool is_renewal)
{
    size_t wanted = 0;
    for (size_t i = m->slot_count; i < slot_count; i++) {
        m->slots[i] = (struct slot){.adopter = MASTER_NOBODY, .control_fd = -1, .seat = i};
    }
    m->slot_count = slot_count;
    for (size_t i = 0; i < slot_count; i++) {
        struct slot *s = &m->slots[i];
        if (wanted < m->config->workers && is_usable(s, is_renewal)) {
            s->is_wanted = true;
            wanted++;
        } else if (s->is_wanted) {
            master_retire(m, i);
        }
    }
}

/* --- what is due ----------------------------------------------------------------------------- */

bool master_has_workers(const struct master *m)
{
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].pid != 0) {
            return true;
        }
    }
    return false;
}

static bool has_serving(const struct master *m)
{
    for (size_t i = 0; i < m->slot_count; i++) {
        if (master_is_tended(&m->slots[i])) {
            return true;
        }
    }
    return false;
}

uint64_t master_slot_due_ms(const struct master *m, size_t slot)
{
    const struct slot *s = &m->slots[slot];
    if (m->phase == MASTER_STOPPING) {
        return UINT64_MAX;
    }
    /* A worker that comes between the phases of a reload would have the old configuration. */
    if (s->pid == 0 && (!s->is_wanted || m->reload.phase == RELOAD_PREPARING)) {
        return UINT64_MAX;
    }
    if (s->pid != 0) {
        return s->state != SLOT_STARTING ? UINT64_MAX : s->forked_ms + MASTER_START_MS;
    }
    uint64_t alone_ms = s->ended_ms + RESPAWN_ALONE_MS;
    /* Where nobody adopts the slot, its callers wait. */
    return s->spawn_ms > alone_ms && !has_serving(m) ? alone_ms : s->spawn_ms;
}

void master_do_slot(struct master *m, size_t slot)
{
    struct slot *s = &m->slots[slot];
    if (clock_now_ms() < master_slot_due_ms(m, slot)) {
        return;
    }
    if (s->pid == 0) {
        master_spawn(m, slot);
        return;
    }
    if (m->phase == MASTER_STARTING) {
        master_fail_start(m, "worker %zu does not serve after %u s", slot,
                          (unsigned)(MASTER_START_MS / 1000));
        return;
    }
    log_message(LOG_ERROR, "worker.killed", "the worker of slot %zu does not serve after %u s",
                slot, (unsigned)(MASTER_START_MS / 1000));
    kill(s->pid, SIGKILL);
    s->forked_ms = clock_now_ms(); /* the next kill, should this one not do */
}
