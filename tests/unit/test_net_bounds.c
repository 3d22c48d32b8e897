/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the kernel holds of a connection (net_bounds.c), with real sockets of each kind. */
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "give_up.h"
#include "io/net.h"
#include "suites.h"

#define KIB 1024
#define WAIT_MS 5000

struct pair {
    int near;
    int far;
};

static int receive_buffer(int fd)
{
    int bytes = -1;
    socklen_t len = sizeof(bytes);
    getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &len);
    return bytes;
}

static void open_tcp(struct pair *p)
{
    struct addr a = {.len = 0};
    struct addr peer;
    const char *detail = NULL;
    bool is_ok = addr_parse(SPAN_LIT("127.0.0.1:0"), &a);
    int listener = net_listen(&a, &detail);
    is_ok = is_ok && listener != -1 && net_local_addr(listener, &a);
    if (!is_ok || net_connect(&a, &p->near, &detail) != NET_OK) {
        GIVE_UP();
    }
    struct pollfd ready = {.fd = listener, .events = POLLIN};
    (void)poll(&ready, 1, WAIT_MS);
    if (net_accept(listener, &p->far, &peer) != NET_ACCEPT_OK) {
        GIVE_UP();
    }
    close(listener);
}

static void open_unix(struct pair *p)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == -1) {
        GIVE_UP();
    }
    *p = (struct pair){fds[0], fds[1]};
}

static void close_pair(struct pair *p)
{
    close(p->near);
    close(p->far);
}

/* Sends until the kernel takes no more. Returns how much it took. */
static size_t fill(int fd)
{
    static char block[16 * KIB];
    const struct iovec piece = {block, sizeof(block)};
    size_t total = 0;
    size_t sent = 0;
    while (net_send(fd, &piece, 1, false, &sent) == NET_OK) {
        total += sent;
    }
    return total;
}

static void test_unsent(void)
{
    static const int bounds_kib[] = {16, 64, 192};
    for (size_t i = 0; i < sizeof(bounds_kib) / sizeof(bounds_kib[0]); i++) {
        struct pair p;
        struct net_state state;
        open_tcp(&p);
        net_bound_unsent(p.near, (size_t)bounds_kib[i] * KIB);
        size_t took = fill(p.near);
        net_observe(p.near, &state);
        CHECK_TRUE("some is unsent", state.unsent_bytes >= (size_t)bounds_kib[i] * KIB);
        CHECK_TRUE("a segment more", state.unsent_bytes <= (size_t)(bounds_kib[i] + 80) * KIB);
        CHECK_TRUE("the rest has been sent", took > state.unsent_bytes);
        CHECK_TRUE("on this machine", state.rtt_us > 0 && state.rtt_us < 5000000);
        CHECK_TRUE("the shortest", state.min_rtt_us > 0 && state.min_rtt_us <= state.rtt_us * 2);
        close_pair(&p);
    }
}

static void test_unsent_unix(void)
{
    struct pair p;
    struct net_state state;
    open_unix(&p);
    size_t before = fill(p.near);
    close_pair(&p);
    open_unix(&p);
    net_bound_unsent(p.near, (size_t)64 * KIB);
    size_t took = fill(p.near);
    net_observe(p.near, &state);
    CHECK_TRUE("less than by itself", took < before);
    CHECK_TRUE("not more than the bound", took <= (size_t)64 * KIB);
    CHECK_TRUE("the peer has read none", state.unsent_bytes >= took);
    CHECK_EQ_U64("no round trip", state.rtt_us, 0);
    close_pair(&p);
}

static void test_unread(void)
{
    struct pair p;
    open_tcp(&p);
    int first = receive_buffer(p.near);
    CHECK_EQ_INT("held", net_bound_unread(p.near, (size_t)2 * (size_t)first), NET_BOUND_SET);
    int held = receive_buffer(p.near);
    CHECK_TRUE("larger", held > first && held <= 2 * first);
    CHECK_EQ_INT("asked for less", net_bound_unread(p.near, (size_t)16 * KIB), NET_BOUND_SET);
    CHECK_EQ_INT("it does not shrink", receive_buffer(p.near), held);
    CHECK_EQ_INT("free", net_bound_unread(p.near, NET_UNBOUNDED), NET_BOUND_OFF);
    CHECK_TRUE("and not smaller", receive_buffer(p.near) >= held);
    close_pair(&p);
    open_unix(&p);
    CHECK_EQ_INT("unix", net_bound_unread(p.near, (size_t)16 * KIB), NET_BOUND_UNABLE);
    close_pair(&p);
}

/* What a held side takes without being read, and that a free one grows again while it is read. */
static void test_window(void)
{
    static char block[256 * KIB];
    struct pair p;
    size_t got = 0;
    size_t took = 0;
    open_tcp(&p);
    CHECK_EQ_INT("held", net_bound_unread(p.far, (size_t)128 * KIB), NET_BOUND_SET);
    for (int turn = 0; turn < 400; turn++) {
        net_bound_unsent(p.near, (size_t)16 * KIB);
        took += fill(p.near);
        struct pollfd ready = {.fd = p.far, .events = POLLIN};
        (void)poll(&ready, 1, WAIT_MS);
        if (net_recv(p.far, block, sizeof(block), &got) != NET_OK) {
            break;
        }
    }
    CHECK_TRUE("bytes pass", took > (size_t)4 * 1024 * KIB);
    CHECK_TRUE("the buffer stays", receive_buffer(p.far) <= 256 * KIB);
    int held = receive_buffer(p.far);
    CHECK_EQ_INT("free", net_bound_unread(p.far, NET_UNBOUNDED), NET_BOUND_OFF);
    CHECK_TRUE("room at once", receive_buffer(p.far) > held);
    close_pair(&p);
}

CU_TestInfo net_bounds_tests[] = {
    {"unsent bytes", test_unsent},
    {"unsent bytes of a Unix socket", test_unsent_unix},
    {"the receive buffer", test_unread},
    {"what comes in while it is held", test_window},
    CU_TEST_INFO_NULL,
};
