/* SPDX-License-Identifier: GPL-3.0-or-later */
/* handover.h: what a master hands to the one that an upgrade starts, and what the two say.
 *
 * For: a list of everything that the new master takes over, as text in a sealed memory file; and
 * messages between the two masters while both live. The programs may be of different versions, so
 * the text has a word for each thing, and the numbers of messages never change. Not for: deciding
 * anything (master_upgrade.c), what workers say (control).
 *
 * The environment variable SLUICE_HANDOVER has the descriptor of the list, and the list has all
 * others. Only these cross the exec. The new program trusts none of them: it looks at each before
 * it uses it (sockets, shared), and closes whatever the list does not name.
 *
 *   old master                              new master
 *   runs `sluice --check`, then exec  --->  builds its configuration, binds what is new, forks; no
 *                                           worker accepts yet
 *                       <--- READY          every worker could serve
 *     YOURS, its workers retire      --->   the new workers accept
 *     GONE, when the last has ended  --->
 *                       <--- DRAIN          before a further upgrade: there are two generations
 *                       <--- STOPPING       the program stops: all generations drain
 *   An old master gives its end of the pair to its own elder too (HEIR). Before it ends it says so
 *   (LEAVING), and passes on the signals that it got before the elder's answer (GOODBYE).
 */
#ifndef GATE_HANDOVER_H
#define GATE_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/span.h"
#include "gate/control.h"

/* --- the list -------------------------------------------------------------------------------- */

#define HANDOVER_TICKETS_MAX 256   /* bytes of tls_save_tickets */
#define HANDOVER_SOCKETS_MAX 65536 /* more than a configuration can have */

struct handover_socket {
    int fd; /* -1: somebody has taken it */
    uint32_t slot;
    bool is_foreign;     /* a unit of the supervisor keeps it too */
    struct addr address; /* as the configuration has it */
    struct span name;    /* of its listener */
};

struct handover {
    bool is_there;       /* this program is started by an upgrade */
    uint32_t generation; /* of the new master's workers */
    bool is_relayed;     /* the old master stays, and passes signals on */
    pid_t group;         /* the old master's process group */
    struct span program; /* the path at which every version is started */
    int link_fd;         /* this end of the pair; -1 = none, as for the next four */
    int scoreboard_fd;
    int seats_fd;
    int roster_fd; /* an older version may have none */
    int quota_fd;  /* the same */
    int spent_fd;  /* the same */
    uint8_t tickets[HANDOVER_TICKETS_MAX];
    size_t tickets_len;
    struct handover_socket *sockets;
    size_t socket_count;
    int *fds; /* all of a list that was read, in growing order, whoever has taken them since */
    size_t fd_count;
    char *text; /* names point into it */
};

/* Reads the list that the environment names, and removes the variable; every descriptor of the list
 * becomes close-on-exec. True also when there is none. False: *out_detail says what is wrong with
 * it, a constant. */
MUST_CHECK bool handover_take(struct handover *out, const char **out_detail);
/* Closes what nobody has taken, and wipes the rest. */
void handover_done(struct handover *h);

/* A sealed memory file with the list. -1: no memory or descriptors. */
MUST_CHECK int handover_seal(const struct handover *h);
/* For the child that becomes the new program: lets the descriptors of the list, and the list,
 * through the exec, and says so in the environment. */
MUST_CHECK bool handover_pass(const struct handover *h, int list_fd);

/* The text, and back. Exposed for tests and the fuzz target. handover_print: NULL = no memory; the
 * caller frees it. handover_parse takes over `text`, which is mem_alloc's, and returns NULL or a
 * constant that says what is wrong; *out then holds nothing. Lines with an unknown word mean
 * nothing to this version. */
MUST_CHECK char *handover_print(const struct handover *h, size_t *out_len);
MUST_CHECK const char *handover_parse(struct handover *out, char *text, size_t len);

/* --- messages -------------------------------------------------------------------------------- */

enum handover_word {
    HANDOVER_READY = 1,    /* `number`: so many addresses leave */
    HANDOVER_FAILED = 2,   /* `text` says why; the new master exits */
    HANDOVER_YOURS = 3,    /* the new master has the callers */
    HANDOVER_STOPPING = 4, /* `number`: the longest time that it takes, ms */
    HANDOVER_DRAIN = 5,
    HANDOVER_GONE = 6,    /* the old generation has ended */
    HANDOVER_HEIR = 7,    /* `number`: the pid of the newest master, 0 = it is dead; with the end of
                        * the pair to it */
    HANDOVER_LEAVING = 8, /* to the elder: signals go to the newest master from now on */
    HANDOVER_GOODBYE = 9, /* they do */
};

struct handover_message {
    uint32_t word; /* enum handover_word, or one of a later version, which means nothing */
    uint32_t reserved;
    uint64_t number;
    char text[112];
};

MUST_CHECK bool handover_send(int fd, enum handover_word word, uint64_t number, const char *text,
                              int passed_fd);
MUST_CHECK enum control_result handover_receive(int fd, struct handover_message *out, int *out_fd);

#endif
