/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small name server for UDP and TCP, on the test's reactor. */
#ifndef TESTS_UNIT_DNS_STUB_H
#define TESTS_UNIT_DNS_STUB_H

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
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
    size_t a;         /* addresses 10.0.0.1, 10.0.0.2 … */
    size_t aaaa;      /* addresses 2001:db8::1 … */
    bool is_mapped;   /* AAAA ::ffff:10.0.0.1 … */
    bool is_loopback; /* 127.0.0.1, 127.0.0.2 … and ::1, ::2 … */
    bool is_repeated; /* all addresses are the same one */
    bool is_alias;    /* a CNAME stands in front */
    bool is_aaaa_silent;
    bool is_truncated; /* the answer over UDP says: ask over TCP */
};

struct stub {
    struct reactor *reactor;
    struct reactor_io udp;
    struct reactor_io tcp;
    struct reactor_io session;
    int udp_fd;
    int tcp_fd;
    int session_fd;
    struct addr addr;
    struct zone zone;
    size_t questions;
};

static uint8_t *put16(uint8_t *out, size_t value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
    return out + 2;
}

static uint8_t *put_record(uint8_t *out, size_t name_at, size_t type, size_t len)
{
    out = put16(out, 0xc000U | name_at);
    out = put16(out, type);
    out = put16(out, 1);
    out = put16(out, 0);
    out = put16(out, 60);
    return put16(out, len);
}

static uint8_t *put_address(uint8_t *out, size_t name_at, const struct zone *z, size_t type,
                            size_t i)
{
    uint8_t last = z->is_repeated ? 1 : (uint8_t)(i + 1);
    if (type == TYPE_A) {
        out = put_record(out, name_at, type, 4);
        memcpy(out, (uint8_t[4]){z->is_loopback ? 127 : 10, 0, 0, last}, 4);
        return out + 4;
    }
    static const uint8_t plain[16] = {0x20, 0x01, 0x0d, 0xb8};
    static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 10};
    out = put_record(out, name_at, type, 16);
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
        out = put_record(out, HEAD_BYTES, TYPE_CNAME, 6);
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
    if (z->way == STUB_SILENT || (type == TYPE_AAAA && z->is_aaaa_silent)) {
        return 0;
    }
    if (z->way == STUB_GARBAGE) {
        memset(message + 2, 0xff, len - 2);
        return len;
    }
    bool is_truncated = z->is_truncated && !is_tcp;
    size_t count = type == TYPE_A ? z->a : z->aaaa;
    count = is_truncated || z->way != STUB_ANSWERS ? 0 : count;
    size_t code = z->way == STUB_NXDOMAIN ? 3 : 0;
    code = z->way == STUB_SERVFAIL ? 2 : code;
    message[0] ^= z->way == STUB_WRONG_ID ? 0xff : 0;
    uint8_t *out = put16(message + 2, (is_truncated ? 0x8380U : 0x8180U) | code);
    out = put16(out, 1);
    out = put16(out, count + (z->is_alias ? 1 : 0));
    out = put16(out, 0);
    (void)put16(out, 0);
    return (size_t)(put_records(message, end, z, type, count) - message);
}

static void on_udp(struct reactor_io *io, unsigned ready)
{
    (void)ready;
    struct stub *s = container_of(io, struct stub, udp);
    uint8_t message[4096];
    struct sockaddr_in from;
    socklen_t from_len = sizeof(from);
    ssize_t len = recvfrom(s->udp_fd, message, 512, 0, (struct sockaddr *)&from, &from_len);
    size_t answer_len = len > HEAD_BYTES ? answer(s, message, (size_t)len, false) : 0;
    if (answer_len > 0) {
        (void)!sendto(s->udp_fd, message, answer_len, 0, (struct sockaddr *)&from, from_len);
    }
}

/* c-ares sends length and question in one write, but perhaps several questions together. */
static void on_session(struct reactor_io *io, unsigned ready)
{
    (void)ready;
    struct stub *s = container_of(io, struct stub, session);
    uint8_t in[2048];
    uint8_t message[4096 + 2];
    size_t len = 0;
    if (net_recv(s->session_fd, in, sizeof(in), &len) != NET_OK) {
        reactor_io_want(&s->session, 0);
        return;
    }
    for (size_t at = 0; at + 2 < len;) {
        size_t question_len = (size_t)(in[at] << 8 | in[at + 1]);
        memcpy(message + 2, in + at + 2, question_len);
        at += 2 + question_len;
        size_t answer_len = answer(s, message + 2, question_len, true);
        (void)put16(message, answer_len);
        (void)!send(s->session_fd, message, answer_len + 2, MSG_NOSIGNAL);
    }
}

static void on_tcp(struct reactor_io *io, unsigned ready)
{
    (void)ready;
    struct stub *s = container_of(io, struct stub, tcp);
    struct addr peer;
    if (s->session_fd == -1 && net_accept(s->tcp_fd, &s->session_fd, &peer) == NET_ACCEPT_OK) {
        reactor_io_init(&s->session, s->reactor, s->session_fd, on_session);
        reactor_io_want(&s->session, REACTOR_READ);
    }
}

static void stub_open(struct stub *s, struct reactor *r)
{
    const char *error = NULL;
    *s = (struct stub){.reactor = r, .session_fd = -1};
    bool is_ok = addr_parse(SPAN_LIT("127.0.0.1:0"), &s->addr);
    s->tcp_fd = net_listen(&s->addr, &error);
    s->udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (!is_ok || s->tcp_fd == -1 || !net_local_addr(s->tcp_fd, &s->addr) ||
        bind(s->udp_fd, &s->addr.u.sa, s->addr.len) != 0) {
        abort();
    }
    reactor_io_init(&s->udp, r, s->udp_fd, on_udp);
    reactor_io_init(&s->tcp, r, s->tcp_fd, on_tcp);
    reactor_io_want(&s->udp, REACTOR_READ);
    reactor_io_want(&s->tcp, REACTOR_READ);
}

static void stub_close(struct stub *s)
{
    reactor_io_want(&s->udp, 0);
    reactor_io_want(&s->tcp, 0);
    close(s->udp_fd);
    close(s->tcp_fd);
    if (s->session_fd != -1) {
        reactor_io_want(&s->session, 0);
        close(s->session_fd);
    }
}

#endif
