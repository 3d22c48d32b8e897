/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session_world.h: what surrounds the session that is fuzzed: two peers and the kernel in front of
 * them (memory_carrier.h), a clock, one timer, the end-of-turn list. All of it is one struct, so
 * that an input leaves nothing behind. For fuzz_session.c only, as are the other session_*.h. */
#ifndef FUZZ_SESSION_WORLD_H
#define FUZZ_SESSION_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gate/session_parts.h"

/* What only checks is not watched by the fuzzer: it would cost a third of the time. */
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

#define FIFO_MAX ((size_t)512 * 1024)
#define HANDSHAKE_BYTES 8            /* of the pretended TLS, from the client */
#define TICKET_BYTES 4               /* to the client, at the end of the handshake */
#define RECORD_BYTES ((size_t)16384) /* of the client; every other record is shorter */
#define SHORT_RECORD_BYTES ((size_t)9000)

enum tls_end { TLS_END_NONE = 0, TLS_END_NOTIFY, TLS_END_FAILURE, TLS_END_NO_MEMORY };

/* The client's TLS: the bytes themselves, in records from the client, changed towards it. */
struct tls {
    bool is_live;
    size_t handshake_left;
    uint64_t fed_bytes; /* behind the handshake */
    uint8_t *held;      /* RECORD_BYTES: read, but of a record that is not complete */
    size_t held_len;
    enum tls_end end; /* what the last byte on its way stands for */
    bool is_failed;
    uint64_t made_bytes;  /* for the client, the ticket and the close_notify included */
    uint64_t heard_bytes; /* of them have arrived */
    bool is_finished;     /* the last byte is close_notify */
};

struct world {
    struct session_context context;
    struct memory client;
    struct memory backend;
    struct tls tls;
    struct dial *dial; /* NULL unless dialling */
    struct reactor_timer *timer;
    bool is_timer_armed;
    bool is_forced; /* ended from outside, or memory was taken away: bytes may be missing */
    bool has_dialled;
    bool is_dial_instant; /* decided before dial_start returns, with dial_result */
    enum dial_result dial_result;
    bool is_headed;    /* a request head was sent */
    bool is_early;     /* the client sent a frame before it was answered */
    bool has_deflated; /* the client, in this session */
    bool is_down_owed; /* all that the backend said was read while it counted */
    unsigned gone_count;
};

static struct world world;
static struct reactor reactor;
static struct scratch scratch; /* lives as long as the process */

static void expect(bool condition, const char *what)
{
    memory_expect(condition, what);
}

/* The session, as long as it is on the list. */
static struct session *world_session(void)
{
    struct list *list = &world.context.sessions;
    return list_is_empty(list) ? NULL : container_of(list->next, struct session, link);
}

#endif
