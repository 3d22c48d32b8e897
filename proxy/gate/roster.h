/* SPDX-License-Identifier: GPL-3.0-or-later */
/* roster.h: the sessions of all workers, one row each, in memory that all processes share.
 *
 * For: letting any worker tell of the sessions of all workers, and end one of them. The master
 * makes the roster before the first fork. A worker takes rows in chunks and is the only writer of
 * its own; anybody may read every row. A reader gets a row as it was at one moment or not at all: a
 * row has a number that is odd while its worker writes. The master clears the rows of a worker that
 * died. Not for: sums (seat), what becomes of a session that somebody wants to end (session), text
 * (listing).
 *
 * The roster has room for twice as many connections as the first configuration admits; an upgrade
 * hands it on as it is. A session beyond that has no row: nobody sees it here, nobody can end it
 * from here. Memory that no row has needed yet does not exist, and a process that never asks takes
 * not even addresses for it; roster_trim gives back what none needs any more. No pointer is in the
 * shared memory. */
#ifndef GATE_ROSTER_H
#define GATE_ROSTER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/siphash.h"
#include "base/span.h"
#include "conf/snapshot.h"

#define ROSTER_NAME_MAX 48 /* of a route or listener, with its NUL */
#define ROSTER_BACKEND_MAX 128
#define ROSTER_IDENTITY_MAX 48 /* a longer one is cut */
#define ROSTER_SLOTS_MAX 512   /* as many as the scoreboard has */

/* Why a side is not read. */
enum roster_pause {
    ROSTER_READ = 0,
    ROSTER_BACKEND_SLOW, /* the backend takes too little of what waits for it */
    ROSTER_CLIENT_SLOW,  /* the same for the client */
    ROSTER_HELD,         /* what a compressed message has become must leave first */
    ROSTER_RATE          /* what the route lets through in a time is used up */
};

/* Whose session it is, as keyed hashes of the whole names: names that are shown may be cut. The key
 * lies in the shared memory, so every process makes the same numbers of the same names. */
struct roster_who {
    uint64_t subject; /* 0: nobody is known */
    uint64_t login;   /* of the subject and the [auth] section together; 0: the same */
};

/* What stays for longer. Of most sessions all behind the first 92 bytes of `backend` is zero: then
 * those bytes take no memory. */
struct roster_party {
    uint64_t number; /* of the session within its slot: "0-17" is slot 0, number 17 */
    uint64_t started_ms;
    struct sockaddr_in6 client; /* or a sockaddr_in; family 0: nobody knows */
    uint32_t slot;
    uint32_t generation; /* of its worker: 1, and one more after each upgrade */
    char listen[ROSTER_NAME_MAX];
    char route[ROSTER_NAME_MAX]; /* empty: not known */
    char backend[ROSTER_BACKEND_MAX];
    struct sockaddr_in6 proxy; /* the peer that tells of the client; family 0: the client itself */
    char identity[ROSTER_IDENTITY_MAX]; /* empty: not known */
    struct roster_who who;
};

/* What moves. `client` and `backend` say for which side bytes wait. */
struct roster_live {
    uint64_t payload_ms; /* the last payload byte */
    uint64_t up_bytes;   /* payload of the client */
    uint64_t down_bytes;
    uint64_t up_messages;
    uint64_t down_messages;
    uint32_t queued_client_bytes; /* in sluice */
    uint32_t queued_backend_bytes;
    uint32_t unsent_client_bytes; /* in the kernel, not sent yet */
    uint32_t unsent_backend_bytes;
    uint32_t client_rtt_us; /* 0 = unknown */
    uint8_t phase;          /* enum life_phase */
    uint8_t client_pause;   /* enum roster_pause: why the client is not read */
    uint8_t backend_pause;
    uint8_t reserved;
};

struct roster_entry {
    struct roster_live live;
    struct roster_party party;
};

/* A process's view of the memory. Whoever cannot see it, for want of addresses, finds no rows. */
struct roster;
/* NULL: no memory or descriptors. The roster lives until the process ends. The secret is random and
 * for roster_who. */
MUST_CHECK struct roster *roster_new(const struct config *config,
                                     const uint8_t secret[SIPHASH_KEY_BYTES]);
/* The same with the memory of a master before this one, and with its room; takes over the
 * descriptor. NULL: see shared_open. */
MUST_CHECK struct roster *roster_open(int fd, const char **out_detail);
/* The memory file. */
int roster_fd(const struct roster *roster);
/* For the master alone, after the slot's worker is gone. */
void roster_clear_slot(struct roster *roster, size_t slot);

/* Neither number is 0, whatever the names are. */
struct roster_who roster_who(struct roster *roster, struct span auth, struct span subject);
/* Whether a row is of the wanted: a number that is 0 there matches any. */
bool roster_is_of(const struct roster_who *row, const struct roster_who *wanted);

/* --- one worker: rows of its own sessions. A row is a number above 0. --- */

struct roster_writer {
    struct roster *roster;
    size_t slot;
    size_t at; /* private: the chunk that had room last */
};

/* 0: there is no room. `party->slot` is the writer's. */
uint32_t roster_take(struct roster_writer *w, const struct roster_entry *entry);
void roster_put(struct roster_writer *w, uint32_t row, const struct roster_entry *entry);
void roster_put_live(struct roster_writer *w, uint32_t row, const struct roster_live *live);
void roster_give_back(struct roster_writer *w, uint32_t row);
/* Gives the memory of chunks that nobody uses back to the system. */
void roster_trim(struct roster_writer *w);

/* True once after somebody has asked for the end of a session of this slot. */
bool roster_take_wishes(struct roster_writer *w);
/* True: somebody has asked for the end of this session, which has this row. */
bool roster_is_unwanted(const struct roster_writer *w, uint32_t row, uint64_t number);

/* --- anybody --- */

/* How many rows there may be; rows are 1 to this. */
uint32_t roster_size(const struct roster *roster);
/* Fills *out from the first row in use behind `after`, and returns that row; 0: there is none. */
uint32_t roster_next(struct roster *roster, uint32_t after, struct roster_entry *out);

/* Asks the session's worker to end it. False: there is no such session. */
MUST_CHECK bool roster_ask_to_end(struct roster *roster, size_t slot, uint64_t number);
/* Asks the workers to end all sessions of the wanted, of which one number at least is not 0, and
 * that are not ending yet. Returns how many these are; *out is one of them. */
size_t roster_ask_to_end_all(struct roster *roster, const struct roster_who *wanted,
                             struct roster_entry *out);

#endif
