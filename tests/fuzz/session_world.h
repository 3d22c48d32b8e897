/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session_world.h: what surrounds the session that is fuzzed: two peers and their kernel queues, a
 * clock, one timer, the end-of-turn list. All of it is one struct, so that an input leaves nothing
 * behind. For fuzz_session.c only, as are the other session_*.h here. */
#ifndef FUZZ_SESSION_WORLD_H
#define FUZZ_SESSION_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gate/session.h"

/* What only checks is not watched by the fuzzer: it would cost a third of the time. */
#ifdef __clang__
#define UNWATCHED_BEGIN \
    _Pragma("clang attribute push(__attribute__((no_sanitize(\"coverage\"))), apply_to=function)")
#define UNWATCHED_END _Pragma("clang attribute pop")
#else
#define UNWATCHED_BEGIN
#define UNWATCHED_END
#endif

#define CLIENT_FD 100
#define BACKEND_FD 101
#define FIFO_MAX ((size_t)512 * 1024)
#define ALL SIZE_MAX
#define HANDSHAKE_BYTES 8 /* of the pretended TLS, from the client */

/* One peer as the kernel sees it. */
struct side {
    struct conn *conn; /* NULL: not open */
    uint8_t *in;       /* FIFO_MAX bytes: on their way to us */
    size_t in_at;
    size_t in_len;
    size_t chop_bytes;    /* what one recv finds at most */
    size_t budget_bytes;  /* what the kernel takes now */
    bool is_in_fin;       /* the peer's FIN is behind the bytes */
    bool is_in_rst;       /* its reset */
    bool is_send_refused; /* the next send finds that the peer had closed */
    bool is_ack_frozen;   /* the peer acknowledges nothing more */
    bool was_opened;
    bool has_fin; /* ours */
    uint64_t acked_bytes;
    unsigned want;
};

enum tls_end { TLS_END_NONE = 0, TLS_END_NOTIFY, TLS_END_FAILURE, TLS_END_NO_MEMORY };

/* The client's TLS: the bytes themselves, in records. */
struct tls {
    bool is_live;
    size_t handshake_left;
    size_t held_bytes; /* read, but of a record that is not complete */
    enum tls_end end;  /* what stands behind the bytes */
};

struct world {
    struct session_context context;
    struct side client;
    struct side backend;
    struct tls tls;
    struct dial *dial; /* NULL unless dialling */
    struct reactor_timer *timer;
    bool is_timer_armed;
    bool is_plain_tight; /* conn_read's bytes end at the guard page */
    bool is_forced;      /* ended from outside, or memory was taken away: bytes may be missing */
    bool has_dialled;
    bool is_dial_instant; /* decided before dial_start returns, with dial_result */
    enum dial_result dial_result;
    bool is_headed;    /* a request head was sent */
    bool has_deflated; /* the client, in this session */
    bool is_down_owed; /* all that the backend said was read while it counted */
    unsigned gone_count;
};

static struct world world;
static struct reactor reactor;
static struct scratch scratch; /* lives as long as the process */

static void expect(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "expected: %s\n", what);
        abort();
    }
}

/* The session, as long as it is on the list. */
static struct session *world_session(void)
{
    struct list *list = &world.context.sessions;
    return list_is_empty(list) ? NULL : container_of(list->next, struct session, link);
}

static size_t side_waiting(const struct side *side)
{
    return side->in_len - side->in_at;
}

static void side_init(struct side *side, uint8_t *in)
{
    *side = (struct side){.in = in, .chop_bytes = ALL, .budget_bytes = ALL};
}

static bool side_has_room(const struct side *side, size_t len)
{
    return !side->is_in_fin && !side->is_in_rst && len <= FIFO_MAX - side->in_len;
}

/* There is room. */
static void side_push(struct side *side, const void *data, size_t len)
{
    if (side->in_at == side->in_len) {
        side->in_at = 0;
        side->in_len = 0;
    }
    if (len > 0) {
        memcpy(side->in + side->in_len, data, len);
        side->in_len += len;
    }
}

static void side_reset(struct side *side, bool is_discarding)
{
    side->is_in_rst = true;
    if (is_discarding) {
        side->in_at = side->in_len;
    }
}

#endif
