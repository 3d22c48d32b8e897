/* SPDX-License-Identifier: GPL-3.0-or-later */
/* memory_carrier.h: a carrier that is memory, for tests of what stands above io/carrier.
 *
 * struct memory is one peer and the kernel between the peer and the program: bytes and ends on
 * their way in, how much a send takes, what the peer has acknowledged. The test says what the peer
 * does and calls memory_poll, which stands for the event loop. Only tests use this table of
 * functions, so it stands here and not in the program. */
#ifndef TESTS_UNIT_MEMORY_CARRIER_H
#define TESTS_UNIT_MEMORY_CARRIER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "give_up.h"
#include "io/carrier.h"

#define MEMORY_ALL SIZE_MAX

enum memory_state {
    MEMORY_UNUSED = 0,
    MEMORY_OPEN, /* memory_carrier has made a carrier of this memory */
    MEMORY_CLOSED,
    MEMORY_ABORTED
};

struct memory;
typedef void memory_sent_fn(struct memory *m, const uint8_t *data, size_t len);
typedef void memory_event_fn(struct memory *m);

struct memory {
    enum memory_state state;
    struct carrier *carrier; /* where the carrier was last; NULL before the first `want` */
    unsigned want;

    /* from the peer */
    uint8_t *in; /* the test's own block */
    size_t in_size;
    size_t in_at;
    size_t in_len;
    size_t chop_bytes;  /* one recv finds at most so many bytes */
    bool is_in_fin;     /* the peer's FIN is behind the bytes */
    bool is_in_rst;     /* the peer's reset is behind the bytes */
    bool is_reset_told; /* the kernel tells of a reset once; after that, recv finds an end */

    /* to the peer */
    size_t budget_bytes;  /* what the kernel takes now; MEMORY_ALL = everything */
    bool is_send_refused; /* the next send finds that the peer has closed */
    bool is_ack_frozen;   /* the peer acknowledges nothing more */
    bool is_corked;       /* the kernel keeps bytes back */
    bool has_fin;
    uint64_t sent_bytes;
    uint64_t acked_bytes;

    /* what the kernel knows, and what it was told last (0 = nothing) */
    struct net_state known;
    size_t unsent_bound_bytes;
    size_t unread_bound_bytes;
    bool is_unread_unable; /* as a Unix socket */
    struct addr local;     /* what the peer has called */

    /* Functions of the test that the memory calls; each may be NULL. */
    memory_sent_fn *on_sent; /* the kernel took bytes */
    memory_event_fn *on_fin;
    memory_event_fn *on_got; /* a recv handed out bytes or the peer's FIN */
};

static void memory_expect(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "expected: %s\n", what);
        GIVE_UP();
    }
}

static size_t memory_waiting(const struct memory *m)
{
    return m->in_len - m->in_at;
}

/* --- the table ------------------------------------------------------------------------------*/

static enum net_result memory_recv(struct carrier *carrier, void *data, size_t size,
                                   size_t *out_len)
{
    struct memory *m = carrier->owner;
    *out_len = 0;
    memory_expect(size > 0, "a recv asks for something");
    memory_expect(m->state == MEMORY_OPEN, "a recv of what is open");
    if (memory_waiting(m) > 0) {
        /* When much waits, a recv finds longer pieces: a hundred turns are enough. */
        size_t chop = memory_waiting(m) / 100;
        chop = m->chop_bytes > chop ? m->chop_bytes : chop;
        size_t len = size < chop ? size : chop;
        len = len < memory_waiting(m) ? len : memory_waiting(m);
        memcpy(data, m->in + m->in_at, len);
        m->in_at += len;
        *out_len = len;
    } else if (m->is_in_rst && !m->is_reset_told) {
        m->is_reset_told = true;
        return NET_RESET;
    } else if (!m->is_in_fin && !m->is_in_rst) {
        return NET_AGAIN;
    }
    if (m->on_got != NULL) {
        m->on_got(m);
    }
    return *out_len > 0 ? NET_OK : NET_EOF;
}

static enum net_result memory_send(struct carrier *carrier, const struct iovec *iov, size_t count,
                                   bool is_corked, size_t *out_len)
{
    struct memory *m = carrier->owner;
    *out_len = 0;
    memory_expect(m->state == MEMORY_OPEN, "a send on what is open");
    memory_expect(!m->has_fin, "nothing is sent after our FIN");
    if (m->is_in_rst) {
        m->is_reset_told = true;
        return NET_RESET;
    }
    if (m->is_send_refused) {
        m->is_in_fin = true;
        return NET_EOF;
    }
    for (size_t i = 0; i < count && m->budget_bytes > 0; i++) {
        size_t len = iov[i].iov_len < m->budget_bytes ? iov[i].iov_len : m->budget_bytes;
        m->budget_bytes -= m->budget_bytes != MEMORY_ALL ? len : 0;
        m->sent_bytes += len;
        *out_len += len;
        if (len > 0 && m->on_sent != NULL) {
            m->on_sent(m, iov[i].iov_base, len);
        }
    }
    m->is_corked = *out_len > 0 ? is_corked : m->is_corked;
    return *out_len > 0 ? NET_OK : NET_AGAIN;
}

static void memory_want(struct carrier *carrier, unsigned want)
{
    struct memory *m = carrier->owner;
    memory_expect(m->carrier == NULL || m->carrier == carrier, "a carrier stays in its place");
    m->carrier = carrier;
    m->want = want;
}

static void memory_uncork(struct carrier *carrier)
{
    struct memory *m = carrier->owner;
    m->is_corked = false;
}

static void memory_finish(struct carrier *carrier)
{
    struct memory *m = carrier->owner;
    memory_expect(!m->has_fin, "one FIN");
    m->has_fin = true;
    m->is_corked = false;
    if (m->on_fin != NULL) {
        m->on_fin(m);
    }
}

static void memory_end(struct memory *m, enum memory_state state)
{
    memory_expect(m->state == MEMORY_OPEN, "a carrier is closed once");
    m->state = state;
    m->want = 0;
    m->is_corked = false;
}

static void memory_close(struct carrier *carrier)
{
    memory_end(carrier->owner, MEMORY_CLOSED);
}

static void memory_abort(struct carrier *carrier)
{
    memory_end(carrier->owner, MEMORY_ABORTED);
}

static size_t memory_unacked(const struct carrier *carrier)
{
    struct memory *m = carrier->owner;
    if (!m->is_ack_frozen) {
        m->acked_bytes = m->sent_bytes;
    }
    return (size_t)(m->sent_bytes - m->acked_bytes);
}

static void memory_observe(const struct carrier *carrier, struct net_state *out)
{
    const struct memory *m = carrier->owner;
    memory_expect(m->state == MEMORY_OPEN, "an open carrier is observed");
    *out = m->known;
}

static void memory_bound_unsent(struct carrier *carrier, size_t bytes)
{
    struct memory *m = carrier->owner;
    memory_expect(m->state == MEMORY_OPEN, "an open carrier is bounded");
    m->unsent_bound_bytes = bytes;
}

static enum net_bound memory_bound_unread(struct carrier *carrier, size_t bytes)
{
    struct memory *m = carrier->owner;
    memory_expect(m->state == MEMORY_OPEN, "an open carrier is bounded");
    if (m->is_unread_unable) {
        return NET_BOUND_UNABLE;
    }
    m->unread_bound_bytes = bytes;
    return bytes == NET_UNBOUNDED ? NET_BOUND_OFF : NET_BOUND_SET;
}

static void memory_local(const struct carrier *carrier, struct addr *out)
{
    const struct memory *m = carrier->owner;
    *out = m->local;
}

/* --- for the test ---------------------------------------------------------------------------*/

/* The peer begins silent and takes everything. `in` has `size` bytes. */
static void memory_init(struct memory *m, uint8_t *in, size_t size)
{
    *m = (struct memory){
        .in = in, .in_size = size, .chop_bytes = MEMORY_ALL, .budget_bytes = MEMORY_ALL};
}

static struct carrier memory_carrier(struct memory *m)
{
    static const struct carrier_ops memory_ops = {
        .recv = memory_recv,
        .send = memory_send,
        .want = memory_want,
        .uncork = memory_uncork,
        .finish = memory_finish,
        .close = memory_close,
        .abort = memory_abort,
        .unacked = memory_unacked,
        .observe = memory_observe,
        .bound_unsent = memory_bound_unsent,
        .bound_unread = memory_bound_unread,
        .local = memory_local,
    };
    memory_expect(m->state == MEMORY_UNUSED, "one carrier of a memory");
    m->state = MEMORY_OPEN;
    return (struct carrier){.ops = &memory_ops, .owner = m};
}

__attribute__((unused)) static bool memory_has_room(const struct memory *m, size_t len)
{
    return !m->is_in_fin && !m->is_in_rst && len <= m->in_size - m->in_len;
}

/* The peer sends. `in` must have room. */
__attribute__((unused)) static void memory_push(struct memory *m, const void *data, size_t len)
{
    if (m->in_at == m->in_len) {
        m->in_at = 0;
        m->in_len = 0;
    }
    memory_expect(len <= m->in_size - m->in_len, "room");
    if (len > 0) {
        memcpy(m->in + m->in_len, data, len);
        m->in_len += len;
    }
}

/* The peer resets. With `is_discarding` the bytes on their way are lost. */
__attribute__((unused)) static void memory_reset(struct memory *m, bool is_discarding)
{
    m->is_in_rst = true;
    if (is_discarding) {
        m->in_at = m->in_len;
    }
}

static unsigned memory_ready(const struct memory *m)
{
    bool is_readable = memory_waiting(m) > 0 || m->is_in_fin || m->is_in_rst;
    bool is_writable = m->budget_bytes > 0 || m->is_in_rst || m->is_send_refused;
    return m->want & ((is_readable ? REACTOR_READ : 0U) | (is_writable ? REACTOR_WRITE : 0U));
}

/* Calls the carrier's owner for one event, if there is one. */
__attribute__((unused)) static void memory_poll(struct memory *m)
{
    unsigned ready = memory_ready(m);
    if (ready != 0) {
        m->carrier->on_ready(m->carrier, ready);
    }
}

#endif
