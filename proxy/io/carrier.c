/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The carrier that is a socket. Each function ends in a jump to the call that does the work, so
 * that the table costs few instructions. */
#include "io/carrier.h"

static int fd_of(const struct carrier *carrier)
{
    return reactor_io_fd(&carrier->io);
}

static void on_io(struct reactor_io *io, unsigned ready)
{
    struct carrier *carrier = container_of(io, struct carrier, io);
    carrier->on_ready(carrier, ready);
}

static enum net_result socket_recv(struct carrier *carrier, void *data, size_t size,
                                   size_t *out_len)
{
    return net_recv(fd_of(carrier), data, size, out_len);
}

static enum net_result socket_send(struct carrier *carrier, const struct iovec *iov, size_t count,
                                   bool is_corked, size_t *out_len)
{
    return net_send(fd_of(carrier), iov, count, is_corked, out_len);
}

static void socket_want(struct carrier *carrier, unsigned want)
{
    reactor_io_want(&carrier->io, want);
}

static void socket_uncork(struct carrier *carrier)
{
    net_uncork(fd_of(carrier));
}

static void socket_finish(struct carrier *carrier)
{
    net_finish(fd_of(carrier));
}

static void socket_close(struct carrier *carrier)
{
    reactor_io_want(&carrier->io, 0);
    net_close(fd_of(carrier));
}

static void socket_abort(struct carrier *carrier)
{
    reactor_io_want(&carrier->io, 0);
    net_abort(fd_of(carrier));
}

static size_t socket_unacked(const struct carrier *carrier)
{
    return net_unacked(fd_of(carrier));
}

static void socket_observe(const struct carrier *carrier, struct net_state *out)
{
    net_observe(fd_of(carrier), out);
}

static void socket_bound_unsent(struct carrier *carrier, size_t bytes)
{
    net_bound_unsent(fd_of(carrier), bytes);
}

static enum net_bound socket_bound_unread(struct carrier *carrier, size_t bytes)
{
    return net_bound_unread(fd_of(carrier), bytes);
}

static void socket_local(const struct carrier *carrier, struct addr *out)
{
    if (!net_local_addr(fd_of(carrier), out)) {
        out->len = 0;
    }
}

struct carrier carrier_of_socket(struct reactor *r, int fd)
{
    static const struct carrier_ops socket_ops = {
        .recv = socket_recv,
        .send = socket_send,
        .want = socket_want,
        .uncork = socket_uncork,
        .finish = socket_finish,
        .close = socket_close,
        .abort = socket_abort,
        .unacked = socket_unacked,
        .observe = socket_observe,
        .bound_unsent = socket_bound_unsent,
        .bound_unread = socket_bound_unread,
        .local = socket_local,
    };
    struct carrier carrier = {.ops = &socket_ops};
    reactor_io_init(&carrier.io, r, fd, on_io);
    return carrier;
}
