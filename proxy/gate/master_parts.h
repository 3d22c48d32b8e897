/* SPDX-License-Identifier: GPL-3.0-or-later */
/* master_parts.h: what the sources of master.h know of each other.
 *
 * master.c starts, waits for events and stops; master_slots.c forks the workers, hears them and
 * replaces those that end; master_child.c is what a worker's process does first; master_reload.c
 * puts another configuration in force; master_care.c looks whether workers turn, and who accepts
 * for a slot without a worker; master_tell.c says what happened in the log, master_notify.c to
 * systemd. master_hasher.c forks the process that hashes passwords. master_upgrade.c starts the
 * master that takes this one's place (the heir), master_inherit.c is how that one takes over, and
 * master_kin.c is what a master does with an heir or an elder, that is the master whose place it
 * took. Not for: anybody else. */
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
#include "conf/report.h"
#include "gate/control.h"
#include "gate/flood.h"
#include "gate/handover.h"
#include "gate/heart.h"
#include "gate/limits.h"
#include "gate/master.h"
#include "gate/notify.h"
#include "gate/reload.h"
#include "gate/roster.h"
#include "gate/scoreboard.h"
#include "gate/seat.h"
#include "gate/sockets.h"
#include "gate/spent.h"

#define MASTER_CANNOT_START 3  /* the exit code of the program */
#define MASTER_NOBODY SIZE_MAX /* no slot */
/* From a fork to the worker's CONTROL_READY. Generous: a worker on a busy machine is no failure. */
#define MASTER_START_MS 30000

enum master_phase {
    MASTER_STARTING = 0, /* some worker has yet to say that it serves; a failure ends the program */
    MASTER_SERVING,
    MASTER_YIELDED, /* the heir has the callers; the workers end with their sessions */
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
    size_t seat;        /* of its worker in the scoreboard, or of the last one */
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
    bool is_watch;   /* new content of a file is the cause, and no signal */
    bool is_renewal; /* other workers must come: the sandbox of these ones is for other files */
};

enum upgrade_phase {
    UPGRADE_IDLE = 0,
    UPGRADE_CHECKING, /* the program at the path runs --check */
    UPGRADE_ROOM,     /* the generation before this one drains: two are enough */
    UPGRADE_STARTING, /* the heir builds its configuration and forks its workers */
};

/* The process that hashes passwords (gate/hasher). */
struct master_hasher {
    int channel[2];      /* for it, for those who ask; -1 = none */
    pid_t pid;           /* 0 = none */
    uint64_t forked_ms;  /* the last one */
    uint64_t pause_ms;   /* before the next but one */
    uint64_t spawn_ms;   /* when to fork, if a configuration needs it */
    uint64_t stopped_ms; /* since when a signal has it stopped; 0 = it runs */
};

struct upgrade {
    enum upgrade_phase phase;
    bool is_wanted; /* a signal asked for it */
    pid_t pid;      /* of the check, or of the heir that is not ready yet; 0 = none */
    int pipe_fd;    /* what the check says; -1 = none */
    char said[256]; /* the last line of it, or why the heir cannot start */
    uint64_t began_ms;
    uint64_t deadline_ms; /* of the phase */
};

/* The master that has taken this one's place. */
struct heir {
    pid_t pid;         /* 0 = none */
    int fd;            /* this end of the pair; -1 = none */
    pid_t next_pid;    /* its own heir, which is this master's when it ends; 0 = none */
    int next_fd;       /* the end of the pair to that one; -1 = none */
    uint64_t drain_ms; /* how long it takes to stop, as it says */
    uint64_t kill_ms;  /* when a stopping master ends it; UINT64_MAX = never */
};

/* The master whose place this one has taken. */
struct elder {
    int fd;        /* this end of the pair; -1 = none (left) */
    pid_t group;   /* its process group */
    bool is_relay; /* it stays, and passes signals on: whoever started sluice knows it */
    bool has_workers;
    bool is_asked;   /* HANDOVER_READY is sent, its answer makes this master serve */
    bool is_leaving; /* HANDOVER_LEAVING is sent; nobody is reaped any more: the elder does it */
    bool has_let_go; /* HANDOVER_GOODBYE came */
};

struct master {
    const struct config *config; /* in force; held */
    struct bundle bundle; /* of which it was made; without files where the certificate is in none */
    struct reload reload;
    struct master_next next;
    bool is_reload_wanted;            /* a signal asked for it */
    uint64_t watch_ms;                /* when it looks at the files next */
    struct flood flood;               /* limits what it says of reloads */
    uint64_t dropped_told[LOG_SINKS]; /* of its own lines, in the scoreboard so far */
    uint64_t suppressed_told;
    struct bundle bad; /* files that could not be taken when it looked last */
    bool is_bad_told;
    bool is_failure_told; /* the log has a state like `bad`, and nothing good since */
    struct scoreboard *scoreboard;
    struct seats *seats;
    struct roster *roster;
    struct quota *quota;
    struct spent *spent;
    struct inherit inherited; /* until the first sockets are bound */
    struct notify notify;
    struct sockets sockets;
    struct slot *slots; /* room for SOCKETS_SLOTS_MAX */
    size_t slot_count;  /* that are in use, or were */
    enum master_phase phase;
    int exit_code;
    int signal_fd;
    uint32_t generation; /* of its workers; 1 = no upgrade has been */
    char *const *argv;   /* as the program was started */
    char *program;       /* its path, absolute */
    struct upgrade upgrade;
    struct heir heir;
    struct elder elder;
    struct master_hasher hasher;
    bool is_relay;       /* it stays as long as its heir lives */
    bool is_gone_told;   /* its generation has ended, and the heir knows */
    bool is_lost;        /* the newest master died: this one ends at once */
    uint64_t retire_ms;  /* when a master that has yielded retires its workers; UINT64_MAX = done */
    uint64_t too_old_ms; /* when it drains them; UINT64_MAX = never */
    int last_signal;     /* and when, and whether the elder sent it: */
    uint64_t last_signal_ms;
    bool is_last_from_elder;
    uint64_t drain_at_ms; /* when the drain begins (pre_drain); UINT64_MAX = nobody asked for it */
    uint64_t stopped_ms;  /* when it began to stop */
    uint64_t kill_at_ms;  /* when the workers get SIGKILL; UINT64_MAX = never */
    uint64_t last_ms;     /* when own_ms was counted last */
    uint64_t own_ms;      /* the master's own time, see heart.h */
    uint64_t look_ms;     /* when it looks after the workers next */
    struct pollfd *polls; /* the signals, the kin, and each slot's control socket */
};

#define MASTER_KILL_GRACE_MS 900  /* from the end of the drain time to SIGKILL */
#define MASTER_LAST_WORDS_MS 1000 /* from a link that closes to the exit that explains it */

/* --- master.c --- */

/* A second call stops the workers at once. */
void master_stop(struct master *m, int worker_signal);
/* All workers accept. */
void master_serve(struct master *m);
/* Nobody has used a single-use token yet. NULL: no memory. */
MUST_CHECK struct spent *master_new_spent(void);

/* --- master_slots.c --- */

/* -1: there is none, before and afterwards. */
void master_close_fd(int *fd);
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

/* The slot's worker accepts no more and ends with its last session. */
void master_retire(struct master *m, size_t slot);
bool master_has_workers(const struct master *m);
/* Clears the seats of workers that are gone without a master who could do it. */
void master_sweep_seats(struct master *m);
/* So many slots are enough for so many workers besides those that retire; `is_renewal`: all retire.
 */
size_t master_slots_for(const struct master *m, size_t workers, bool is_renewal);
/* Slots that have a worker. */
size_t master_busy_slots(const struct master *m);
/* Uses so many slots, and wants as many of them to have a worker as the configuration says;
 * `is_renewal`: another one than now. */
void master_set_workers(struct master *m, size_t slot_count, bool is_renewal);

/* --- master_child.c --- */

/* The rest of the life of a worker's process. Returns its exit code. */
int master_be_worker(struct master *m, size_t slot, int control_fd);

/* --- master_reload.c --- */

/* Begins a reload when one is due, and brings it on. */
void master_reload(struct master *m);
uint64_t master_reload_due_ms(const struct master *m);
/* An answer of the slot's worker. */
void master_hear_reload(struct master *m, size_t slot, const struct control_message *message);
/* The slot's worker is gone, or goes. */
void master_leave_reload(struct master *m, size_t slot);
void master_release_reload(struct master *m);
/* For a worker after the fork: it needs no file that the master has read, and no key in one. */
void master_forget_files(struct master *m);

/* --- master_upgrade.c --- */

/* The path of the program, for upgrades. False: no memory. */
MUST_CHECK bool master_note_program(struct master *m);
/* Begins an upgrade when one is due, and brings it on. */
void master_upgrade(struct master *m);
uint64_t master_upgrade_due_ms(const struct master *m);
/* Reads what the check says. */
void master_hear_check(struct master *m);
/* True: that was the check, or the heir before it was ready. */
bool master_reap_upgrade(struct master *m, pid_t pid, int status);
/* HANDOVER_READY: from now on the heir is the master. */
void master_yield(struct master *m, uint64_t leaving_count);
/* Ends an upgrade under way; the log has the reason. */
void master_fail_upgrade(struct master *m, const char *reason);

/* --- master_kin.c --- */

/* Takes over what the master before this one left, but for the sockets. False: `text` says why. */
/* master.c: for a master that inherits none. NULL: no memory or descriptors. */
MUST_CHECK struct quota *master_new_quota(const struct config *config);
MUST_CHECK struct roster *master_new_roster(const struct config *config);
MUST_CHECK bool master_inherit(struct master *m, struct handover *handover,
                               char text[SOCKETS_TEXT_MAX]);
/* Every worker could serve: tells the elder, whose answer master_hear_elder gets. */
void master_ask_elder(struct master *m);
void master_hear_elder(struct master *m);
void master_hear_heir(struct master *m);
/* True: that was the heir. */
bool master_reap_heir(struct master *m, pid_t pid, int status);
/* Passes a signal on to the heir. */
void master_pass_on(const struct master *m, int signum);
/* What a master that has yielded, or stops, does when it is due. */
void master_tend_kin(struct master *m);
uint64_t master_kin_due_ms(const struct master *m);
/* True: a master that has yielded or stops may end. */
bool master_is_over(const struct master *m);
void master_release_kin(struct master *m);

/* --- master_hasher.c --- */

/* Forks the process when the configuration in force needs it and there is none, and ends one that
 * somebody stopped; when either is due. */
void master_tend_hasher(struct master *m);
uint64_t master_hasher_due_ms(const struct master *m);
/* True: that was it. */
bool master_reap_hasher(struct master *m, pid_t pid, int status);
/* Also closes the channel. */
void master_end_hasher(struct master *m);

/* --- master_tell.c --- */

/* Says that the program listens there from now on. */
void master_log_listen(const struct master *m, size_t listen);
/* What the configuration in force listens on and `before` did not, and the other way round. */
void master_log_listens(struct master *m, const struct config *before);
/* What is wrong with the next configuration. */
void master_log_report(struct master *m, const struct report *report);
/* How a reload ended. */
void master_tell_done(struct master *m);
void master_tell_failed(struct master *m, const char *detail);
/* Tells monitoring of lines that the master lost or kept back, and the log of the latter. */
void master_tell_log(struct master *m);

/* --- master_notify.c --- */

/* Tells systemd what has changed. */
void master_notify(struct master *m);
/* Closes what nobody has inherited, and lets nobody keep it. */
void master_forget_rest(struct master *m);

/* --- master_care.c --- */

/* A look at the workers' hearts, when it is due. */
void master_look(struct master *m);
/* True: the slot's worker accepts its callers. */
bool master_is_tended(const struct slot *slot);
/* Gives each slot without such a worker to another worker, and takes it back. */
void master_place(struct master *m);
/* The worker of slot `by` cannot accept for `slot`. */
void master_take_back(struct master *m, size_t by, size_t slot);
/* The slot's worker serves no queue of an address that has left any more: another one does, if it
 * still knows the address. */
void master_give_leaving(struct master *m, size_t slot);
/* The slot's worker is gone, and what it had adopted is nobody's. */
void master_forget(struct master *m, size_t slot);

#endif
