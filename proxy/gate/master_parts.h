/* SPDX-License-Identifier: GPL-3.0-or-later */
/* master_parts.h: what the sources of master.h know of each other.
 *
 * master.c starts, waits for events and stops; master_slots.c forks the workers, hears them and
 * replaces those that end; master_reload.c puts another configuration in force; master_care.c looks
 * whether workers turn, and who accepts for a slot without a worker. Not for: anybody else. */
#ifndef GATE_MASTER_PARTS_H
#define GATE_MASTER_PARTS_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf/change.h"
#include "conf/config.h"
#include "gate/control.h"
#include "gate/heart.h"
#include "gate/reload.h"
#include "gate/roster.h"
#include "gate/scoreboard.h"
#include "gate/seat.h"
#include "gate/sockets.h"

#define MASTER_CANNOT_START 3  /* the exit code of the program */
#define MASTER_NOBODY SIZE_MAX /* no slot */
/* From a fork to the worker's CONTROL_READY. Generous: a worker on a busy machine is no failure. */
#define MASTER_START_MS 30000

enum master_phase {
    MASTER_STARTING = 0, /* some worker has yet to say that it serves; a failure ends the program */
    MASTER_SERVING,
    MASTER_STOPPING,
};

/* What the slot's worker has said. */
enum slot_state {
    SLOT_STARTING = 0, /* nothing yet; also a slot without a worker */
    SLOT_SERVING,
    SLOT_LEAVING, /* it accepts no more: somebody told this worker alone to stop */
};

struct slot {
    bool is_wanted; /* it should have a worker that accepts */
    pid_t pid;      /* 0 = none */
    enum slot_state state;
    bool is_stopped;    /* by a signal, until it goes on */
    int control_fd;     /* -1 = none */
    uint64_t forked_ms; /* the last worker */
    uint64_t ended_ms;  /* the last worker; 0 = none has ended */
    uint64_t pause_ms;  /* before the next respawn */
    uint64_t spawn_ms;  /* when to fork again; 0 = not due */
    struct heart heart;
    uint64_t adopt_ms; /* not before then, after a worker that had no room for it */
    size_t adopter;    /* the slot whose worker accepts for this one, or MASTER_NOBODY */
    size_t adopted;    /* how many slots this slot's worker accepts for besides its own */
};

/* What a reload would put in force. */
struct master_next {
    struct bundle bundle;
    const struct config *config; /* held; NULL = none */
    size_t slot_count;
    size_t files_changed;
    struct change change;
    bool is_watch; /* new content of a file is the cause, and no signal */
};

struct master {
    const struct config *config; /* in force; held */
    struct bundle bundle;        /* of which it was made; without files for --demo */
    struct reload reload;
    struct master_next next;
    bool is_reload_wanted; /* a signal asked for it */
    uint64_t watch_ms;     /* when it looks at the files next */
    struct bundle bad;     /* files that could not be taken when it looked last */
    bool is_bad_told;
    struct scoreboard *scoreboard;
    struct seats *seats;
    struct roster *roster;
    struct sockets sockets;
    struct slot *slots; /* room for SOCKETS_SLOTS_MAX */
    size_t slot_count;  /* that are in use, or were */
    enum master_phase phase;
    int exit_code;
    int signal_fd;
    uint64_t kill_at_ms;  /* when a stopping master sends SIGKILL */
    uint64_t last_ms;     /* when own_ms was counted last */
    uint64_t own_ms;      /* the master's own time, see heart.h */
    uint64_t look_ms;     /* when it looks after the workers next */
    struct pollfd *polls; /* the signals, and each slot's control socket */
};

/* --- master_slots.c --- */

void master_spawn(struct master *m, size_t slot);
/* Reads what the slot's worker says. */
void master_hear(struct master *m, size_t slot);
/* Takes note of each worker that ended, stopped or went on. */
void master_reap(struct master *m);
/* When the master next has to fork or kill for this slot; UINT64_MAX = never. */
uint64_t master_slot_due_ms(const struct master *m, size_t slot);
void master_do_slot(struct master *m, size_t slot);
void master_signal_workers(const struct master *m, int signum);
/* Says once why the program cannot start, and ends the workers. */
void master_fail_start(struct master *m, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* So many slots are enough for so many workers besides those that retire. */
size_t master_slots_for(const struct master *m, size_t workers);
/* Uses so many slots, and wants as many of them to have a worker as the configuration says. */
void master_set_workers(struct master *m, size_t slot_count);

/* --- master_reload.c --- */

/* Says that the program listens there from now on. */
void master_log_listen(const struct master *m, size_t listen);
/* Begins a reload when one is due, and brings it on. */
void master_reload(struct master *m);
uint64_t master_reload_due_ms(const struct master *m);
/* An answer of the slot's worker. */
void master_hear_reload(struct master *m, size_t slot, const struct control_message *message);
/* The slot's worker is gone, or goes. */
void master_leave_reload(struct master *m, size_t slot);
void master_release_reload(struct master *m);

/* --- master_care.c --- */

/* A look at the workers' hearts, when it is due. */
void master_look(struct master *m);
/* True: the slot's worker accepts its callers. */
bool master_is_tended(const struct slot *slot);
/* Gives each slot without such a worker to another worker, and takes it back. */
void master_place(struct master *m);
/* The worker of slot `by` cannot accept for `slot`. */
void master_take_back(struct master *m, size_t by, size_t slot);
/* The slot's worker is gone, and what it had adopted is nobody's. */
void master_forget(struct master *m, size_t slot);

#endif
