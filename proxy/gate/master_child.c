/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A worker's process between the fork and the worker: what it leaves behind, and what it takes. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "gate/control.h"
#include "gate/jail.h"
#include "gate/master_parts.h"
#include "gate/worker.h"

static void fail_worker(int control_fd, const char *text)
{
    struct control_message message = {.kind = CONTROL_FAILED};
    snprintf(message.text, sizeof(message.text), "%s", text);
    bool is_sent = control_send(control_fd, &message, -1);
    (void)is_sent; /* the exit code says at least that it failed */
}

/* A seat in the tables that all workers share, with nothing in it. SCOREBOARD_SLOTS_MAX: there is
 * none, and the master knows why. */
static size_t take_seat(struct master *m, size_t slot, int control_fd)
{
    size_t seat = scoreboard_take_slot(m->scoreboard, m->slots[slot].seat, m->generation);
    if (seat == SCOREBOARD_SLOTS_MAX) {
        fail_worker(control_fd, "too many workers: sessions of old generations have yet to end");
        return SCOREBOARD_SLOTS_MAX;
    }
    seats_set_slots(m->seats, seat + 1);
    seats_clear_slot(m->seats, seat);
    quota_set_slots(m->quota, seat + 1);
    if (!quota_clear_slot(m->quota, seat)) {
        fail_worker(control_fd, "out of memory");
        return SCOREBOARD_SLOTS_MAX;
    }
    return seat;
}

/* What a worker has from the fork and must not keep. */
static void drop_own(struct master *m)
{
    close(m->signal_fd);
    master_close_fd(&m->hasher.channel[0]);
    master_release_kin(m);
    notify_done(&m->notify);
    for (size_t i = 0; i < m->slot_count; i++) {
        master_close_fd(&m->slots[i].control_fd);
    }
}

int master_be_worker(struct master *m, size_t slot, int control_fd)
{
    bool is_waiting = m->phase == MASTER_STARTING && m->elder.fd != -1;
    char name[24]; /* "w" and the longest size_t */
    char text[CONTROL_TEXT_MAX];
    bool is_kept = notify_is_on(&m->notify) || sockets_have_keeper(&m->sockets);

    size_t seat = take_seat(m, slot, control_fd);
    if (seat == SCOREBOARD_SLOTS_MAX) {
        return MASTER_CANNOT_START;
    }
    snprintf(name, sizeof(name), "w%zu", seat);
    log_set_process(name);
    drop_own(m);
    int *listen_fds = mem_alloc((m->config->listen_count + 1) * sizeof(*listen_fds));
    if (listen_fds == NULL) {
        fail_worker(control_fd, "out of memory");
        return MASTER_CANNOT_START;
    }
    sockets_take_slot(&m->sockets, slot, listen_fds);
    master_forget_files(m); /* the snapshot has what the worker needs */
    /* The master tells the workers what these signals mean; the terminal sends SIGINT to all. */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    if (!jail_enter(m->config, text, sizeof(text))) {
        fail_worker(control_fd, text);
        return MASTER_CANNOT_START;
    }
    struct worker_start start = {
        .config = m->config,
        .scoreboard = m->scoreboard,
        .seats = m->seats,
        .roster = m->roster,
        .quota = m->quota,
        .spent = m->spent,
        .slot = slot,
        .seat = seat,
        .generation = m->generation,
        .is_waiting = is_waiting,
        .listen_fds = listen_fds,
        .control_fd = control_fd,
        .hasher_fd = m->hasher.channel[1],
        .is_kept = is_kept,
    };
    const char *detail = NULL;
    int code = worker_run(&start, &detail);
    mem_free(listen_fds);
    if (detail != NULL) {
        fail_worker(control_fd, detail);
    }
    return code;
}
