/* SPDX-License-Identifier: GPL-3.0-or-later */
/* conn.h: one byte stream to one peer.
 *
 * For: a carrier, optional TLS over it, and the out queue where bytes wait for the carrier. Not
 * for: the meaning of the bytes, the decision when to read (the pump's), a polite goodbye. Embedded
 * in a session; owns its carrier, its TLS session and its queue.
 *
 * Scratch: conn_read uses plain, and with TLS wire_in and wire_out too; conn_send uses gather and
 * wire_out. The bytes of conn_read are valid until the next conn_read over the same scratch. */
#ifndef IO_CONN_H
#define IO_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "io/carrier.h"
#include "io/scratch.h"
#include "io/tls.h"

struct conn;
/* `ready` is REACTOR_READ, REACTOR_WRITE or both. */
typedef void conn_ready_fn(struct conn *conn, unsigned ready);

/* What may still come out of the peer's TLS. */
enum conn_tls_input {
    CONN_TLS_INPUT_OPEN = 0,
    CONN_TLS_INPUT_ENDED, /* close_notify came */
    CONN_TLS_INPUT_FAILED /* handshake or record error: nothing more is sealed either */
};

struct conn {
    struct carrier carrier; /* without ops when the connection is not open */
    const struct scratch *scratch;
    struct tls *tls; /* NULL = plain; owned */
    struct buf out;
    conn_ready_fn *on_ready;
    enum conn_tls_input tls_input;
    bool is_broken;   /* sending failed: conn throws every later send away */
    bool is_reset;    /* the peer reset the connection, or it timed out; not merely closed */
    bool is_finished; /* after conn_finish */
    bool is_fin_sent;
    bool is_corked;          /* between conn_cork and conn_uncork */
    bool has_corked_bytes;   /* the carrier may keep bytes back until conn_uncork */
    uint64_t sent_bytes;     /* wire bytes the carrier took */
    uint64_t received_bytes; /* wire bytes */
};

/* Makes a connection that is not open: all calls are harmless. out_limit_bytes is the ceiling of
 * the queue. */
void conn_init(struct conn *c, const struct scratch *scratch, size_t out_limit_bytes,
               conn_ready_fn *on_ready);
/* Takes over a copy of the carrier, and the TLS session (or NULL). */
void conn_open(struct conn *c, const struct carrier *carrier, struct tls *tls);
bool conn_is_open(const struct conn *c);
/* The address that the peer has called; len 0: unknown. */
void conn_local(const struct conn *c, struct addr *out);

enum conn_result {
    CONN_OK = 0,
    CONN_AGAIN,
    CONN_EOF, /* FIN or close_notify; bytes may have come with it */
    CONN_RESET,
    CONN_TLS_FAILED, /* the alert was sent as far as the carrier took it */
    CONN_NO_MEMORY   /* the queue could not take the bytes: end the session */
};

/* ONE recv. CONN_OK: *out_data has *out_len plain bytes, 0 while a handshake or a record is
 * incomplete. The caller may change them and the SCRATCH_HEADROOM bytes in front of them. max_bytes
 * (> 0) caps the recv, at most SCRATCH_PLAIN or, with TLS, SCRATCH_WIRE_IN. After close_notify or
 * CONN_TLS_FAILED further calls throw away what comes (CONN_OK, no bytes) until FIN (CONN_EOF): for
 * lingering. */
MUST_CHECK enum conn_result conn_read(struct conn *c, size_t max_bytes, uint8_t **out_data,
                                      size_t *out_len);

/* TLS begins on a connection that was plain so far. `wire` is what the last conn_read gave of its
 * beginning, at most SCRATCH_WIRE_IN bytes; the rest is as for conn_read. */
MUST_CHECK enum conn_result conn_begin_tls(struct conn *c, struct tls *tls, const uint8_t *wire,
                                           size_t len, uint8_t **out_data, size_t *out_len);

/* Sends all the pieces, at most SCRATCH_GATHER bytes: hands the carrier what it takes (when nothing
 * waits before them) and queues the rest. Encrypts on a TLS connection. CONN_OK; CONN_RESET: the
 * connection is broken and the bytes are thrown away; CONN_NO_MEMORY: broken too, as nothing may
 * follow a gap. CONN_RESET does not tell how the peer went: conn_read hands out what the peer sent
 * before, and then CONN_EOF (the peer had closed) or CONN_RESET. After conn_finish conn_send throws
 * the bytes away and says CONN_OK. */
MUST_CHECK enum conn_result conn_send(struct conn *c, const struct iovec *iov, size_t count);

/* After conn_cork the carrier may keep back what is sent until conn_uncork, a FIN or a close, so
 * that all the bytes of one event travel in one packet. TLS corks what it says by itself after its
 * handshake (tickets), so whoever reads calls conn_uncork at the end of the event. */
void conn_cork(struct conn *c);
void conn_uncork(struct conn *c);

/* Sends from the queue until it is empty or the carrier takes no more. CONN_OK (empty), CONN_AGAIN,
 * CONN_RESET. */
MUST_CHECK enum conn_result conn_flush(struct conn *c);

static inline size_t conn_queued(const struct conn *c)
{
    return c->out.len;
}

/* Behind CONN_EOF: true when the peer's TLS ended without close_notify. Then anybody on the way may
 * have sent the FIN (RFC 8446 6.1). Without TLS nobody can tell. */
static inline bool conn_is_cut(const struct conn *c)
{
    return c->tls != NULL && c->tls_input == CONN_TLS_INPUT_OPEN;
}

/* Wire bytes that have reached the peer's kernel. */
uint64_t conn_acked_bytes(const struct conn *c);

/* What the kernel holds of the connection, and what it may hold: net.h. */
void conn_observe(const struct conn *c, struct net_state *out);
void conn_bound_unsent(struct conn *c, size_t bytes);
MUST_CHECK enum net_bound conn_bound_unread(struct conn *c, size_t bytes);

/* Waits for REACTOR_READ | REACTOR_WRITE. In a session only the pump calls this. */
void conn_want(struct conn *c, unsigned want);

/* Sends close_notify, behind what waits, and FIN once the queue is empty: at once, or by the
 * conn_flush that empties the queue. Reading goes on. */
void conn_finish(struct conn *c);
/* Closes; the carrier still delivers what it took. Frees TLS and queue. */
void conn_close(struct conn *c);
/* Closes with a reset. Frees TLS and queue. */
void conn_abort(struct conn *c);

#endif
