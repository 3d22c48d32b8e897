/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session_world.h: what surrounds the fuzzed session: two peers and the kernel in front of them
 * (memory_carrier.h), a clock, one timer, the end-of-turn list. All of it is in one struct, so that
 * an input leaves nothing behind. Only fuzz_session.c and fuzz_orders.c include the files
 * session_*.h. */
#ifndef FUZZ_SESSION_WORLD_H
#define FUZZ_SESSION_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gate/session_parts.h"

/* The fuzzer does not watch code that only checks: that would cost a third of the time. */
#ifdef __clang__
#define UNWATCHED_BEGIN \
    _Pragma("clang attribute push(__attribute__((no_sanitize(\"coverage\"))), apply_to=function)")
#define UNWATCHED_END _Pragma("clang attribute pop")
#else
#define UNWATCHED_BEGIN
#define UNWATCHED_END
#endif

UNWATCHED_BEGIN
#include "../unit/memory_carrier.h"
UNWATCHED_END

#define UNUSED __attribute__((unused)) /* not every target needs all of these functions */
#define FIFO_MAX ((size_t)512 * 1024)
#define HANDSHAKE_BYTES 8            /* the handshake of the pretended TLS, from the client */
#define TICKET_BYTES 4               /* sent to the client at the end of the handshake */
#define RECORD_BYTES ((size_t)16384) /* the client's records; every other one is shorter */
#define SHORT_RECORD_BYTES ((size_t)9000)

enum tls_end { TLS_END_NONE = 0, TLS_END_NOTIFY, TLS_END_FAILURE, TLS_END_NO_MEMORY };

/* The client's TLS. The client's bytes are in the clear, in records; the bytes to the client are
 * changed. */
struct tls {
    bool is_live;
    size_t handshake_left;
    uint64_t fed_bytes; /* bytes behind the handshake */
    uint8_t *held;      /* RECORD_BYTES: what has come of a record that is not complete */
    size_t held_len;
    enum tls_end end; /* what the last byte on its way stands for */
    bool is_failed;
    uint64_t made_bytes;  /* bytes for the client, with the ticket and the close_notify */
    uint64_t heard_bytes; /* bytes that the client has read */
    bool is_finished;     /* the last byte is close_notify */
};

struct world {
    struct session_context context;
    struct memory client;
    struct memory backend;
    struct tls tls;
    struct dial *dial; /* NULL while the session does not dial */
    struct reactor_timer *timer;
    bool is_timer_armed;
    bool is_forced;    /* ended from outside, or memory was taken away: bytes may be missing */
    size_t dial_count; /* so many dials have begun, one for each backend */
    const struct config_route *dial_route;
    uint64_t first_dial_ms;      /* when the first of them began */
    uint64_t failed_dial_ms;     /* when the last of them failed */
    bool is_dial_left;           /* the session has given one up */
    bool is_dial_good;           /* a backend has accepted: nothing is dialled any more */
    enum dial_result dial_worst; /* of the backends that failed; DIAL_OK: none has */
    bool is_dial_instant;        /* the next dial_start decides at once, with dial_result */
    enum dial_result dial_result;
    bool is_headed;    /* the client has sent a request head */
    bool is_frame_cut; /* the client has sent half a frame, and nothing follows it */
    bool is_early;     /* the client sent a frame before it had an answer */
    bool has_deflated; /* the client has deflated in this session */
    bool is_down_owed; /* the session read the backend's last byte while that byte still counted */
    unsigned gone_count;
};

static struct world world;
static struct reactor reactor;
static struct scratch scratch; /* one for the whole process */

static void expect(bool condition, const char *what)
{
    memory_expect(condition, what);
}

/* Returns the session, as long as it is on the list. */
static struct session *world_session(void)
{
    struct list *list = &world.context.sessions;
    return list_is_empty(list) ? NULL : container_of(list->next, struct session, link);
}

#endif
