/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small name server for UDP and TCP, on the test's reactor. */
#ifndef TESTS_UNIT_DNS_STUB_H
#define TESTS_UNIT_DNS_STUB_H

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "give_up.h"
#include "io/net.h"
#include "io/reactor.h"

enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_AAAA = 28, HEAD_BYTES = 12 };

/* What the stub does with a question. */
enum stub_way {
    STUB_ANSWERS = 0,
    STUB_NXDOMAIN,
    STUB_SERVFAIL,
    STUB_SILENT,
    STUB_GARBAGE,
    STUB_WRONG_ID
};

struct zone {
    enum stub_way way;
    enum stub_way a_way; /* for one type alone, when it is not STUB_ANSWERS */
    enum stub_way aaaa_way;
    const char *only;  /* every other name is an NXDOMAIN, and this one too where it is "" */
    size_t ttl_s;      /* 0: 60 */
    size_t late_type;  /* questions of this type ... */
    uint64_t late_ms;  /* ... are answered so late */
    size_t a;          /* addresses 10.0.0.1, 10.0.0.2 … */
    size_t aaaa;       /* addresses 2001:db8::1 … */
    size_t skipped;    /* the first ones are left out: 2 = from 10.0.0.3 on */
    bool is_mapped;    /* AAAA ::ffff:10.0.0.1 … */
    bool is_loopback;  /* 127.0.0.1, 127.0.0.2 … and ::1, ::2 … */
    bool is_repeated;  /* all addresses are the same one */
    bool is_alias;     /* a CNAME stands in front */
    bool is_truncated; /* the answer over UDP says: ask over TCP */
};

enum { SESSIONS_MAX = 8 };

struct stub;
struct stub_session {
    struct stub *stub;
    struct reactor_io io;
    int fd; /* -1: free */
};

struct stub {
    struct reactor *reactor;
    struct reactor_io udp;
    struct reactor_io tcp;
    struct stub_session sessions[SESSIONS_MAX];
    int udp_fd;
    int tcp_fd;
    struct addr addr;
    struct zone zone;
    size_t questions;
    bool is_port_used[65536]; /* by a question over UDP */
    size_t port_count;

    struct reactor_timer late;
    uint8_t late_message[512];
    size_t late_len;
    struct sockaddr_in late_from;
};

static enum stub_way way_of(const struct zone *z, size_t type)
{
    enum stub_way own = type == TYPE_A ? z->a_way : z->aaaa_way;
    return own != STUB_ANSWERS ? own : z->way;
}

/* The name in `message`, with a dot behind each label. */
static bool is_name(const uint8_t *message, const char *want)
{
    char name[256] = "";
    size_t len = 0;
    for (size_t at = HEAD_BYTES; message[at] != 0 && len + message[at] + 2U < sizeof(name);) {
        memcpy(name + len, message + at + 1, message[at]);
        len += message[at];
        name[len++] = '.';
        at += message[at] + 1U;
    }
    name[len] = '\0';
    return strcmp(name, want) == 0;
}

static uint8_t *put16(uint8_t *out, size_t value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
    return out + 2;
}

static uint8_t *put_record(uint8_t *out, const struct zone *z, size_t name_at, size_t type,
                           size_t len)
{
    out = put16(out, 0xc000U | name_at);
    out = put16(out, type);
    out = put16(out, 1);
    out = put16(out, 0);
    out = put16(out, z->ttl_s != 0 ? z->ttl_s : 60);
    return put16(out, len);
}

static uint8_t *put_address(uint8_t *out, size_t name_at, const struct zone *z, size_t type,
                            size_t i)
{
    uint8_t last = z->is_repeated ? 1 : (uint8_t)(i + 1 + z->skipped);
    if (type == TYPE_A) {
        out = put_record(out, z, name_at, type, 4);
        memcpy(out, (uint8_t[4]){z->is_loopback ? 127 : 10, 0, 0, last}, 4);
        return out + 4;
    }
    static const uint8_t plain[16] = {0x20, 0x01, 0x0d, 0xb8};
    static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 10};
    out = put_record(out, z, name_at, type, 16);
    static const uint8_t loopback[16] = {0};
    memcpy(out, z->is_loopback ? loopback : z->is_mapped ? mapped : plain, 16);
    out[15] = last;
    return out + 16;
}

static uint8_t *put_records(uint8_t *message, size_t end, const struct zone *z, size_t type,
                            size_t count)
{
    size_t name_at = HEAD_BYTES;
    uint8_t *out = message + end;
    if (z->is_alias) {
        out = put_record(out, z, HEAD_BYTES, TYPE_CNAME, 6);
        name_at = (size_t)(out - message);
        memcpy(out, "\004real\0", 6);
        out += 6;
    }
    for (size_t i = 0; i < count; i++) {
        out = put_address(out, name_at, z, type, i);
    }
    return out;
}

/* Turns the question in `message` into its answer; returns the answer's length, 0 for none. */
static size_t answer(struct stub *s, uint8_t *message, size_t len, bool is_tcp)
{
    const struct zone *z = &s->zone;
    size_t end = HEAD_BYTES;
    while (end < len && message[end] != 0) {
        end += message[end] + 1U;
    }
    size_t type = ((size_t)message[end + 1] << 8) | message[end + 2];
    end += 5;
    s->questions++;
    enum stub_way way = way_of(z, type);
    if (z->only != NULL && way == STUB_ANSWERS && !is_name(message, z->only)) {
        way = STUB_NXDOMAIN;
    }
    if (way == STUB_SILENT) {
        return 0;
    }
    if (way == STUB_GARBAGE) {
        memset(message + 2, 0xff, len - 2);
        return len;
    }
    bool is_truncated = z->is_truncated && !is_tcp;
    size_t count = type == TYPE_A ? z->a : z->aaaa;
    count = is_truncated || way != STUB_ANSWERS ? 0 : count;
    size_t code = way == STUB_NXDOMAIN ? 3 : 0;
    code = way == STUB_SERVFAIL ? 2 : code;
    message[0] ^= way == STUB_WRONG_ID ? 0xff : 0;
    uint8_t *out = put16(message + 2, (is_truncated ? 0x8380U : 0x8180U) | code);
    out = put16(out, 1);
    out = put16(out, count + (z->is_alias ? 1 : 0));
    out = put16(out, 0);
    (void)put16(out, 0);
    return (size_t)(put_records(message, end, z, type, count) - message);
}

static bool is_type(const uint8_t *message, size_t type)
{
    size_t end = HEAD_BYTES;
    while (message[end] != 0) {
        end += message[end] + 1U;
    }
    return message[end + 2] == type;
}

static void on_late(struct reactor_timer *timer)
{
    struct stub *s = container_of(timer, struct stub, late);
    (void)!sendto(s->udp_fd, s->late_message, s->late_len, 0, (struct sockaddr *)&s->late_from,
                  sizeof(s->late_from));
}

/* The first one counts: c-ares may ask again meanwhile. */
static void answer_late(struct stub *s, const uint8_t *message, size_t len,
                        const struct sockaddr_in *from)
{
    if (s->late_len == 0 && len > 0 && len <= sizeof(s->late_message)) {
        memcpy(s->late_message, message, len);
        s->late_len = len;
        s->late_from = *from;
        reactor_timer_at(&s->late, reactor_now_ms(s->reactor) + s->zone.late_ms);
    }
}

static void on_udp(struct reactor_io *io, unsigned ready)
{
    (void)ready;
    struct stub *s = container_of(io, struct stub, udp);
    uint8_t message[4096];
    struct sockaddr_in from;
    socklen_t from_len = sizeof(from);
    ssize_t len = recvfrom(s->udp_fd, message, 512, 0, (struct sockaddr *)&from, &from_len);
    if (len <= HEAD_BYTES) {
        return;
    }
    bool is_late = s->zone.late_ms != 0 && is_type(message, s->zone.late_type);
    s->port_count += s->is_port_used[ntohs(from.sin_port)] ? 0 : 1;
    s->is_port_used[ntohs(from.sin_port)] = true;
    size_t answer_len = answer(s, message, (size_t)len, false);
    if (is_late) {
        answer_late(s, message, answer_len, &from);
    } else if (answer_len > 0) {
        (void)!sendto(s->udp_fd, message, answer_len, 0, (struct sockaddr *)&from, from_len);
    }
}

/* c-ares sends length and question in one write, but perhaps several questions together. */
static void on_session(struct reactor_io *io, unsigned ready)
{
    (void)ready;
    struct stub_session *session = container_of(io, struct stub_session, io);
    uint8_t in[2048];
    uint8_t message[4096 + 2];
    size_t len = 0;
    if (net_recv(session->fd, in, sizeof(in), &len) != NET_OK) {
        reactor_io_want(io, 0);
        return;
    }
    for (size_t at = 0; at + 2 < len;) {
        size_t question_len = (size_t)(in[at] << 8 | in[at + 1]);
        memcpy(message + 2, in + at + 2, question_len);
        at += 2 + question_len;
        size_t answer_len = answer(session->stub, message + 2, question_len, true);
        (void)put16(message, answer_len);
        (void)!send(session->fd, message, answer_len + 2, MSG_NOSIGNAL);
    }
}

static void on_tcp(struct reactor_io *io, unsigned ready)
{
    (void)ready;
    struct stub *s = container_of(io, struct stub, tcp);
    struct addr peer;
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct stub_session *session = &s->sessions[i];
        if (session->fd == -1) {
            if (net_accept(s->tcp_fd, &session->fd, &peer) == NET_ACCEPT_OK) {
                reactor_io_init(&session->io, s->reactor, session->fd, on_session);
                reactor_io_want(&session->io, REACTOR_READ);
            }
            return;
        }
    }
}

/* `at` is an address, perhaps with port 0. */
static void stub_open_at(struct stub *s, struct reactor *r, const char *at)
{
    const char *error = NULL;
    *s = (struct stub){.reactor = r};
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        s->sessions[i] = (struct stub_session){.stub = s, .fd = -1};
    }
    /* Some other program may have the port for UDP: then another one. */
    for (int tries = 0; tries < 20; tries++) {
        if (!addr_parse(span_from_str(at), &s->addr)) {
            GIVE_UP();
        }
        s->tcp_fd = net_listen(&s->addr, &error);
        s->udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (s->tcp_fd != -1 && net_local_addr(s->tcp_fd, &s->addr) &&
            bind(s->udp_fd, &s->addr.u.sa, s->addr.len) == 0) {
            break;
        }
        if (tries == 19) {
            GIVE_UP();
        }
        net_close(s->tcp_fd);
        net_close(s->udp_fd);
    }
    reactor_io_init(&s->udp, r, s->udp_fd, on_udp);
    reactor_io_init(&s->tcp, r, s->tcp_fd, on_tcp);
    reactor_io_want(&s->udp, REACTOR_READ);
    reactor_io_want(&s->tcp, REACTOR_READ);
    reactor_timer_init(&s->late, r, on_late);
}

__attribute__((unused)) static void stub_open(struct stub *s, struct reactor *r)
{
    stub_open_at(s, r, "127.0.0.1:0");
}

static void stub_close(struct stub *s)
{
    reactor_timer_stop(&s->late);
    reactor_io_want(&s->udp, 0);
    reactor_io_want(&s->tcp, 0);
    close(s->udp_fd);
    close(s->tcp_fd);
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        if (s->sessions[i].fd != -1) {
            reactor_io_want(&s->sessions[i].io, 0);
            close(s->sessions[i].fd);
        }
    }
}

#endif
