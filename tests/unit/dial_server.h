/* SPDX-License-Identifier: GPL-3.0-or-later */
// A server on the test's own loop. The test says how it treats whoever dials it, and sees what it
// hears.
#ifndef TESTS_UNIT_DIAL_SERVER_H
#define TESTS_UNIT_DIAL_SERVER_H

#include <dirent.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "give_up.h"
#include "io/net.h"
#include "io/reactor.h"
#include "tls_cast.h"

enum manner {
    SPEAKS_TLS = 0,
    SPEAKS_PLAIN,
    SAYS_NOTHING, // takes every byte
    TAKES_NOTHING,
    HANGS_UP,       // at the first byte
    SPEAKS_ANOTHER, // answers a hello with bytes that are no TLS
};

#define DIAL_SERVER __attribute__((unused)) static

struct server {
    enum manner manner;
    struct tls_context *context;
    size_t preamble_len;  // bytes that come before TLS
    const char *greeting; // sent at once, with the last bytes of the handshake
    struct reactor *reactor;
    struct addr addr;
    int listener;
    struct reactor_io listener_io;
    int fd; // the last accepted connection; -1 = none
    struct reactor_io io;
    struct tls *tls;
    bool is_greeted;
    size_t calls;
    struct kit_queue heard; // the preamble and the plain bytes
};

// The one who dialled may have left already.
DIAL_SERVER void server_send(struct server *s, const void *data, size_t len)
{
    size_t sent = 0;
    struct iovec piece = {(void *)(uintptr_t)data, len};
    if (len > 0 && net_send(s->fd, &piece, 1, false, &sent) == NET_OK && sent != len) {
        GIVE_UP();
    }
}

DIAL_SERVER void server_hang_up(struct server *s)
{
    if (s->fd >= 0) {
        reactor_io_want(&s->io, 0);
        net_close(s->fd);
        s->fd = -1;
    }
    tls_free(s->tls);
    s->tls = NULL;
}

// The answers of TLS and the greeting leave together.
DIAL_SERVER void server_feed(struct server *s, const uint8_t *data, size_t len)
{
    static uint8_t plain[KIT_WIRE_SIZE + TLS_PLAIN_EXTRA];
    static uint8_t wire[KIT_WIRE_SIZE];
    struct tls_wire out = {wire, sizeof(wire), 0};
    size_t plain_len = 0;
    enum tls_result result =
        tls_feed(s->tls, data, len, plain, len + TLS_PLAIN_EXTRA, &plain_len, &out);
    kit_put(&s->heard, plain, plain_len);
    if (tls_is_established(s->tls) && s->greeting != NULL && !s->is_greeted) {
        s->is_greeted = true;
        if (tls_seal(s->tls, (const uint8_t *)s->greeting, strlen(s->greeting), &out) != TLS_OK) {
            GIVE_UP();
        }
    }
    server_send(s, wire, out.len);
    if (result != TLS_OK) {
        server_hang_up(s);
    }
}

DIAL_SERVER void server_hear(struct server *s, const uint8_t *data, size_t len)
{
    size_t before = s->heard.len < s->preamble_len ? s->preamble_len - s->heard.len : 0;
    size_t piece = before < len ? before : len;
    kit_put(&s->heard, data, piece);
    data += piece;
    len -= piece;
    if (len == 0) {
        return;
    }
    switch (s->manner) {
    case SPEAKS_TLS:
        server_feed(s, data, len);
        break;
    case SPEAKS_PLAIN:
        kit_put(&s->heard, data, len);
        break;
    case HANGS_UP:
        server_hang_up(s);
        break;
    case SPEAKS_ANOTHER:
        server_send(s, "220 smtp.example ready\r\n", 24);
        break;
    case SAYS_NOTHING:
    case TAKES_NOTHING:
        break;
    }
}

DIAL_SERVER void server_on_ready(struct reactor_io *io, unsigned ready)
{
    static uint8_t data[KIT_WIRE_SIZE];
    struct server *s = container_of(io, struct server, io);
    size_t len = 0;
    (void)ready;
    switch (net_recv(s->fd, data, sizeof(data), &len)) {
    case NET_OK:
        server_hear(s, data, len);
        break;
    case NET_AGAIN:
        break;
    case NET_EOF:
    case NET_RESET:
    case NET_REFUSED:
    case NET_UNREACHABLE:
    case NET_EXHAUSTED:
        server_hang_up(s);
        break;
    }
}

DIAL_SERVER void server_on_call(struct reactor_io *io, unsigned ready)
{
    struct server *s = container_of(io, struct server, listener_io);
    int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    (void)ready;
    if (fd < 0) {
        return;
    }
    server_hang_up(s);
    s->calls++;
    s->fd = fd;
    s->heard.len = 0;
    s->tls = s->manner == SPEAKS_TLS ? tls_new(s->context) : NULL;
    reactor_io_init(&s->io, s->reactor, fd, server_on_ready);
    reactor_io_want(&s->io, s->manner == TAKES_NOTHING ? 0 : REACTOR_READ);
    if (s->manner == SPEAKS_PLAIN && s->greeting != NULL) {
        server_send(s, s->greeting, strlen(s->greeting));
    }
}

// The server listens on 127.0.0.1, or on a Unix path. Its struct says how it behaves.
DIAL_SERVER void server_open(struct server *s, struct reactor *r, const char *path)
{
    const char *error = NULL;
    s->reactor = r;
    s->fd = -1;
    if (path != NULL) {
        s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        unlink(path);
        if (!addr_from_unix_path(span_from_str(path), &s->addr) ||
            bind(s->listener, &s->addr.u.sa, s->addr.len) != 0 || listen(s->listener, 8) != 0) {
            GIVE_UP();
        }
    } else {
        struct addr any;
        if (!addr_parse(SPAN_LIT("127.0.0.1:0"), &any)) {
            GIVE_UP();
        }
        s->listener = net_listen(&any, &error);
        if (s->listener < 0 || !net_local_addr(s->listener, &s->addr)) {
            GIVE_UP();
        }
    }
    reactor_io_init(&s->listener_io, r, s->listener, server_on_call);
    reactor_io_want(&s->listener_io, REACTOR_READ);
}

DIAL_SERVER void server_close(struct server *s)
{
    server_hang_up(s);
    reactor_io_want(&s->listener_io, 0);
    net_close(s->listener);
    tls_context_free(s->context);
    kit_empty(&s->heard);
}

// Counts the open descriptors of this process.
DIAL_SERVER size_t count_descriptors(void)
{
    size_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL) {
        GIVE_UP();
    }
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

#endif
