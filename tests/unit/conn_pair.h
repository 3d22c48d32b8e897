/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A connection on a reactor, and a plain socket at its other end; loopback TCP. */
#ifndef TESTS_UNIT_CONN_PAIR_H
#define TESTS_UNIT_CONN_PAIR_H

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "give_up.h"
#include "io/conn.h"

#define PAIR_WAIT_MS 5000

struct pair {
    struct reactor *reactor;
    struct scratch scratch;
    struct conn conn;
    int near; /* the connection's own socket, for waiting */
    int peer; /* non-blocking */
    unsigned ready;
    int calls;
};

static void pair_on_ready(struct conn *c, unsigned ready)
{
    struct pair *p = container_of(c, struct pair, conn);
    p->ready |= ready;
    p->calls++;
}

static int pair_sockets(int *out_near)
{
    struct addr a = {.len = 0};
    struct addr peer;
    const char *error = NULL;
    int far = -1;
    bool is_ok = addr_parse(SPAN_LIT("127.0.0.1:0"), &a);
    int listener = net_listen(&a, &error);
    /* Small buffers, set before connecting, make the kernel refuse bytes soon. */
    int small = 4096;
    setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    is_ok = is_ok && listener != -1 && net_local_addr(listener, &a);
    enum net_result result = is_ok ? net_connect(&a, out_near, &error) : NET_REFUSED;
    struct pollfd p = {.fd = listener, .events = POLLIN};
    (void)poll(&p, 1, PAIR_WAIT_MS);
    if ((result != NET_OK && result != NET_AGAIN) ||
        net_accept(listener, &far, &peer) != NET_ACCEPT_OK) {
        GIVE_UP();
    }
    p = (struct pollfd){.fd = *out_near, .events = POLLOUT};
    (void)poll(&p, 1, PAIR_WAIT_MS);
    setsockopt(*out_near, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    close(listener);
    return far;
}

__attribute__((unused)) static void pair_open(struct pair *p, size_t out_limit_bytes,
                                              struct tls *tls)
{
    *p = (struct pair){.reactor = reactor_new(), .near = -1};
    if (p->reactor == NULL || !scratch_init(&p->scratch)) {
        GIVE_UP();
    }
    p->peer = pair_sockets(&p->near);
    conn_init(&p->conn, &p->scratch, out_limit_bytes, pair_on_ready);
    struct carrier carrier = carrier_of_socket(p->reactor, p->near);
    conn_open(&p->conn, &carrier, tls);
}

__attribute__((unused)) static void pair_close(struct pair *p)
{
    conn_close(&p->conn);
    if (p->peer != -1) {
        close(p->peer);
    }
    reactor_free(p->reactor);
    scratch_done(&p->scratch);
}

/* Returns what the peer finds: a length, 0 for FIN, -ECONNRESET, -EAGAIN after waiting in vain. */
__attribute__((unused)) static ssize_t pair_peer_read(struct pair *p, void *data, size_t size)
{
    struct pollfd pfd = {.fd = p->peer, .events = POLLIN};
    (void)poll(&pfd, 1, PAIR_WAIT_MS);
    ssize_t got = recv(p->peer, data, size, 0);
    return got == -1 ? -(ssize_t)errno : got;
}

/* Waits until the peer can read, or until the connection can send what its queue has; then
 * flushes. */
__attribute__((unused)) static enum conn_result pair_move(struct pair *p)
{
    struct pollfd pfds[2] = {
        {.fd = p->peer, .events = POLLIN},
        {.fd = conn_queued(&p->conn) > 0 ? p->near : -1, .events = POLLOUT},
    };
    (void)poll(pfds, 2, PAIR_WAIT_MS);
    return conn_flush(&p->conn);
}

/* Waits until the connection has something to read, then reads once. */
__attribute__((unused)) static enum conn_result pair_read(struct pair *p, uint8_t **out_data,
                                                          size_t *out_len)
{
    struct pollfd pfd = {.fd = p->near, .events = POLLIN};
    (void)poll(&pfd, 1, PAIR_WAIT_MS);
    return conn_read(&p->conn, SCRATCH_WIRE_IN, out_data, out_len);
}

__attribute__((unused)) static enum conn_result pair_send(struct pair *p, const void *data,
                                                          size_t len)
{
    struct iovec piece = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
    return conn_send(&p->conn, &piece, 1);
}

#endif
