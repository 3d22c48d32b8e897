/* SPDX-License-Identifier: GPL-3.0-or-later */
/* carrier.h: what carries the bytes of a connection, as a table of functions under conn.
 *
 * For: one interface to a socket (below), to the memory of a test (tests/unit/memory_carrier.h) and
 * to whatever else may carry a connection's bytes; nothing above this table knows a descriptor. Not
 * for: TLS and queues (conn), the meaning of the bytes, making connections (net, dial).
 *
 * A carrier is a value without memory of its own: whoever makes one hands it on by copying it, and
 * only the last copy is used. It may be copied until the first call of `want`; from then until
 * `close` or `abort` it stays in its place. Each carrier must be closed or aborted once. */
#ifndef IO_CARRIER_H
#define IO_CARRIER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "io/net.h"
#include "io/reactor.h"

struct carrier;
/* `ready` is REACTOR_READ, REACTOR_WRITE or both. */
typedef void carrier_ready_fn(struct carrier *carrier, unsigned ready);

/* As net_recv. */
typedef MUST_CHECK enum net_result carrier_recv_fn(struct carrier *carrier, void *data, size_t size,
                                                   size_t *out_len);
/* As net_send. */
typedef MUST_CHECK enum net_result carrier_send_fn(struct carrier *carrier, const struct iovec *iov,
                                                   size_t count, bool is_corked, size_t *out_len);
/* As reactor_io_want. */
typedef void carrier_want_fn(struct carrier *carrier, unsigned want);
typedef void carrier_fn(struct carrier *carrier);
typedef size_t carrier_unacked_fn(const struct carrier *carrier);
/* As net_observe, net_bound_unsent and net_bound_unread. */
typedef void carrier_observe_fn(const struct carrier *carrier, struct net_state *out);
typedef void carrier_bound_unsent_fn(struct carrier *carrier, size_t bytes);
typedef MUST_CHECK enum net_bound carrier_bound_unread_fn(struct carrier *carrier, size_t bytes);

typedef void carrier_local_fn(const struct carrier *carrier, struct addr *out);

struct carrier_ops {
    carrier_recv_fn *recv;
    carrier_send_fn *send;
    carrier_want_fn *want; /* on_ready tells when it is there; 0 stops, no late call follows */
    carrier_fn *uncork;    /* sends the bytes that sends with is_corked left behind */
    carrier_fn *finish;    /* nothing more will be sent: FIN, behind all that was sent */
    carrier_fn *close;     /* what was sent still arrives; the carrier is gone afterwards */
    carrier_fn *abort;     /* the same, but the peer sees a reset */
    carrier_unacked_fn *unacked; /* bytes taken that the peer has not acknowledged; 0: unknown */
    /* What the kernel, or whoever stands in its place, holds and may hold of the connection. */
    carrier_observe_fn *observe;
    carrier_bound_unsent_fn *bound_unsent;
    carrier_bound_unread_fn *bound_unread;
    carrier_local_fn *local; /* the address that the peer has called; len 0: unknown */
};

struct carrier {
    const struct carrier_ops *ops; /* NULL = none */
    carrier_ready_fn *on_ready;    /* whoever receives the carrier sets it before `want` */
    union {
        struct reactor_io io; /* of a socket: descriptor and watcher */
        void *owner;          /* of any other carrier */
    };
};

/* Takes over the connected, non-blocking socket `fd`. */
struct carrier carrier_of_socket(struct reactor *r, int fd);

#endif
