/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

static void conn_want(struct load_conn *c, uint32_t events)
{
    if (c->events == events || c->fd < 0) {
        return;
    }
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(c->load->poll_fd, EPOLL_CTL_MOD, c->fd, &event) != 0) {
        load_fail(c, "epoll_ctl: %s", strerror(errno));
    }
    c->events = events;
}

void conn_connect(struct load *load, struct load_conn *c)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)load->options.port)};
    int one = 1;
    if (inet_pton(AF_INET, load->options.address, &address.sin_addr) != 1) {
        load_fail(c, "'%s' is no IPv4 address", load->options.address);
    }
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        load_fail(c, "socket: %s", strerror(errno));
    }
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    int buffer = (int)load->options.buffer_bytes;
    if (buffer > 0) {
        (void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
        (void)setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
    }
    c->phase = LOAD_CONNECTING;
    c->begin_ns = stat_now_ns();
    c->events = EPOLLOUT;
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};
    if ((connect(c->fd, (struct sockaddr *)&address, sizeof(address)) != 0 &&
         errno != EINPROGRESS) ||
        epoll_ctl(load->poll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0) {
        load_fail(c, "connect: %s", strerror(errno));
    }
}

static void make_room(struct load_conn *c, size_t len)
{
    struct load_queue *q = &c->out;
    if (q->len == 0) {
        q->head = 0;
    }
    if (q->head + q->len + len <= q->size) {
        return;
    }
    if (q->len > 0) {
        memmove(q->block, q->block + q->head, q->len);
    }
    q->head = 0;
    if (q->len + len > q->size) {
        size_t size = q->size < 512 ? 512 : q->size;
        while (size < q->len + len) {
            size *= 2;
        }
        q->block = realloc(q->block, size);
        if (q->block == NULL) {
            load_fail(c, "out of memory");
        }
        q->size = size;
    }
}

void conn_queue(struct load_conn *c, const void *data, size_t len)
{
    make_room(c, len);
    memcpy(c->out.block + c->out.head + c->out.len, data, len);
    c->out.len += len;
}

void conn_push(struct load_conn *c, const void *data, size_t len)
{
    if (c->ssl != NULL) {
        tls_push(c, data, len);
    } else {
        conn_queue(c, data, len);
    }
}

void conn_flush(struct load_conn *c)
{
    struct load_queue *q = &c->out;
    if (c->fd < 0 || c->phase == LOAD_CONNECTING) {
        return;
    }
    if (q->len > 0) {
        ssize_t sent = send(c->fd, q->block + q->head, q->len, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            if (c->phase != LOAD_CLOSING) {
                load_fail(c, "send: %s", strerror(errno));
            }
            sent = (ssize_t)q->len; /* a connection that has ended needs nothing more */
        }
        if (sent > 0) {
            q->head += (size_t)sent;
            q->len -= (size_t)sent;
        }
    }
    conn_want(c, (c->is_deaf ? 0 : EPOLLIN) | (q->len > 0 || c->has_more ? EPOLLOUT : 0));
}

void conn_finish(struct load_conn *c)
{
    c->phase = LOAD_CLOSING;
    if (!c->load->options.is_raw) {
        /* the server's Close and FIN follow */
        ws_send_close(c);
        conn_flush(c);
        return;
    }
    if (c->ssl != NULL) {
        tls_close(c);
    }
    conn_flush(c);
    if (c->fd >= 0) {
        (void)shutdown(c->fd, SHUT_WR);
    }
}

static void conn_end(struct load_conn *c)
{
    close(c->fd);
    c->fd = -1;
    c->phase = LOAD_ENDED;
    SSL_free(c->ssl);
    c->ssl = NULL;
    free(c->out.block);
    c->out = (struct load_queue){0};
    load_settled(c);
}

static void conn_read(struct load_conn *c)
{
    struct load *load = c->load;
    ssize_t got = recv(c->fd, load->wire, sizeof(load->wire), 0);
    load->wire_ns = stat_now_ns();
    if (got > 0) {
        if (c->ssl != NULL) {
            tls_input(c, load->wire, (size_t)got);
        } else {
            ws_input(c, load->wire, (size_t)got);
        }
        return;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (c->phase != LOAD_CLOSING) {
        load_fail(c, "the server ended the connection: %s", got == 0 ? "FIN" : strerror(errno));
    }
    conn_end(c);
}

static void conn_connected(struct load_conn *c)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
        load_fail(c, "connect: %s", strerror(error));
    }
    if (c->load->options.is_tls) {
        tls_begin(c);
    } else {
        ws_begin(c);
    }
}

void conn_event(struct load_conn *c, uint32_t ready)
{
    if (c->fd < 0) {
        return; /* ended earlier in this turn */
    }
    if (c->phase == LOAD_CONNECTING) {
        conn_connected(c);
    } else if ((ready & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        conn_read(c);
    }
    if (c->phase == LOAD_OPEN) {
        c->role->turn(c);
    }
    conn_flush(c);
}
