/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/net.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "give_up.h"
#include "suites.h"

#define WAIT_MS 5000

static struct addr address(const char *text)
{
    struct addr a;
    if (!addr_parse(span_from_str(text), &a)) {
        GIVE_UP();
    }
    return a;
}

static int listen_on(const char *text, struct addr *out)
{
    const char *error = NULL;
    struct addr a = address(text);
    int fd = net_listen(&a, &error);
    if (fd == -1 || !net_local_addr(fd, out)) {
        return -1;
    }
    return fd;
}

static void wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    (void)poll(&p, 1, WAIT_MS);
}

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);
    getsockopt(fd, level, name, &value, &len);
    return value;
}

static int connect_to(const struct addr *a)
{
    int fd = -1;
    const char *detail = NULL;
    enum net_result result = net_connect(a, &fd, &detail);
    if (result == NET_AGAIN) {
        wait_for(fd, POLLOUT);
        result = net_connect_result(fd, &detail);
    }
    if (result != NET_OK) {
        GIVE_UP();
    }
    return fd;
}

struct pair {
    int listener;
    int near; /* connected */
    int far;  /* accepted */
};

static bool pair_open(struct pair *p, const char *text)
{
    struct addr a;
    struct addr peer;
    p->listener = listen_on(text, &a);
    if (p->listener == -1) {
        return false;
    }
    p->near = connect_to(&a);
    wait_for(p->listener, POLLIN);
    if (net_accept(p->listener, &p->far, &peer) != NET_ACCEPT_OK) {
        GIVE_UP();
    }
    return true;
}

static void pair_close(struct pair *p)
{
    close(p->near);
    close(p->far);
    close(p->listener);
}

static void check_ours(const char *row, int fd)
{
    CHECK_TRUE(row, (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    CHECK_TRUE(row, (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
}

static void check_tuned(const char *row, int fd)
{
    check_ours(row, fd);
    CHECK_EQ_INT(row, option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    CHECK_EQ_INT(row, option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    CHECK_EQ_INT(row, option(fd, IPPROTO_TCP, TCP_KEEPCNT), 5);
}

/* --- listening and accepting --------------------------------------------------------------- */

static void test_options(void)
{
    static const char *const rows[] = {"127.0.0.1:0", "[::1]:0"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pair p;
        struct addr a;
        struct addr b;
        if (!pair_open(&p, rows[i])) {
            CHECK_TRUE("only IPv6 may be missing", i == 1);
            continue;
        }
        check_ours(rows[i], p.listener);
        check_tuned(rows[i], p.near);
        check_tuned(rows[i], p.far);
        CHECK_EQ_INT(rows[i], option(p.far, IPPROTO_TCP, TCP_KEEPIDLE), 60);
        CHECK_EQ_INT(rows[i], option(p.far, IPPROTO_TCP, TCP_KEEPINTVL), 11);
        CHECK_EQ_INT(rows[i], option(p.listener, SOL_SOCKET, SO_REUSEPORT), 1);
        CHECK_TRUE(rows[i], net_local_addr(p.listener, &a) && net_local_addr(p.far, &b));
        CHECK_TRUE(rows[i], addr_is_equal(&a, &b) && addr_port(&a) != 0);
        pair_close(&p);
    }
}

/* Connections that begin together do not ask together whether their backends live. */
static void test_keepalives_are_spread(void)
{
    struct addr a;
    int listener = listen_on("127.0.0.1:0", &a);
    int fds[256];
    uint64_t idles = 0; /* a bit for each second from 60 on */
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        fds[i] = connect_to(&a);
        int idle = option(fds[i], IPPROTO_TCP, TCP_KEEPIDLE);
        int interval = option(fds[i], IPPROTO_TCP, TCP_KEEPINTVL);
        CHECK_TRUE("interval", interval >= 11 && interval <= 16);
        if (idle >= 60 && idle <= 120) {
            idles |= UINT64_C(1) << (idle - 60);
        } else {
            CHECK_TRUE("idle", false);
        }
    }
    CHECK_EQ_INT("every second has its share", idles, (UINT64_C(1) << 61) - 1);
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        close(fds[i]);
    }
    close(listener);
}

static void test_listeners_share_an_address(void)
{
    struct addr a;
    const char *error = NULL;
    int first = listen_on("127.0.0.1:0", &a);
    int second = net_listen(&a, &error);
    CHECK_TRUE("second", second != -1);
    close(first);
    close(second);
}

static void test_listen_errors(void)
{
    struct addr a = address("127.0.0.1:0");
    struct addr taken = {.len = 0};
    struct addr un;
    const char *error = NULL;
    int blocker = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (blocker < 0 || bind(blocker, &a.u.sa, a.len) != 0 || listen(blocker, 1) != 0 ||
        !net_local_addr(blocker, &taken) || !addr_from_unix_path(SPAN_LIT("/nonexistent/x"), &un)) {
        GIVE_UP();
    }
    const struct {
        const char *name;
        struct addr addr;
        const char *error;
    } rows[] = {
        {"taken", taken, "address already in use"},
        {"elsewhere", address("192.0.2.1:0"), "address is not one of this machine"},
        {"no folder", un, "its directory is not there"},
        {"none", {.len = 0}, "no address to listen on"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK_EQ_INT(rows[i].name, net_listen(&rows[i].addr, &error), -1);
        CHECK_EQ_STR(rows[i].name, error, rows[i].error);
    }
    close(blocker);
}

static void test_accept(void)
{
    struct addr a;
    struct addr peer;
    struct addr local;
    int fd = -1;
    int listener = listen_on("127.0.0.1:0", &a);
    CHECK_EQ_INT("nothing waits", net_accept(listener, &fd, &peer), NET_ACCEPT_NONE);
    int near = connect_to(&a);
    wait_for(listener, POLLIN);

    struct rlimit old;
    getrlimit(RLIMIT_NOFILE, &old);
    struct rlimit low = {.rlim_cur = 0, .rlim_max = old.rlim_max};
    setrlimit(RLIMIT_NOFILE, &low);
    CHECK_EQ_INT("no descriptors", net_accept(listener, &fd, &peer), NET_ACCEPT_NO_DESCRIPTORS);
    int connected = -1;
    const char *error = NULL;
    CHECK_EQ_INT("nor to connect", net_connect(&a, &connected, &error), NET_EXHAUSTED);
    CHECK_EQ_STR("says so", error, "too many open files in this process");
    CHECK_EQ_INT("no room", net_check_room(&error), NET_EXHAUSTED);
    CHECK_FALSE("no source", net_source_addr(&a, &local));
    CHECK_EQ_INT("nor to listen", net_listen(&a, &error), -1);
    CHECK_EQ_STR("says so", error, "too many open files");
    setrlimit(RLIMIT_NOFILE, &old);
    CHECK_EQ_INT("room again", net_check_room(&error), NET_OK);

    CHECK_EQ_INT("it still waits", net_accept(listener, &fd, &peer), NET_ACCEPT_OK);
    CHECK_TRUE("peer", net_local_addr(near, &local) && addr_is_equal(&local, &peer));
    CHECK_EQ_INT("not a listener", net_accept(fd, &connected, &peer), NET_ACCEPT_FAILED);
    close(fd);
    close(near);
    close(listener);
}

/* --- connecting ---------------------------------------------------------------------------- */

/* The listener's queue is full, so that the handshake cannot end. */
static void test_connect_under_way(void)
{
    struct addr a = address("127.0.0.1:0");
    struct addr local;
    int fds[8];
    size_t count = 0;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, &a.u.sa, a.len) != 0 || listen(listener, 0) != 0 ||
        !net_local_addr(listener, &local)) {
        GIVE_UP();
    }
    enum net_result result = NET_OK;
    while (result == NET_OK && count < 8) {
        int fd = -1;
        const char *detail = NULL;
        result = net_connect(&local, &fd, &detail);
        if (result == NET_AGAIN) {
            struct pollfd p = {.fd = fd, .events = POLLOUT};
            (void)poll(&p, 1, 200);
            result = net_connect_result(fd, &detail);
        }
        fds[count++] = fd;
    }
    CHECK_EQ_INT("still under way", result, NET_AGAIN);
    while (count > 0) {
        close(fds[--count]);
    }
    close(listener);
}

static void test_connect_to_itself(void)
{
    struct addr a = address("127.0.0.1:0");
    struct addr local = {.len = 0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, &a.u.sa, a.len) != 0 || !net_local_addr(fd, &local)) {
        GIVE_UP();
    }
    CHECK_EQ_INT("the kernel allows it", connect(fd, &local.u.sa, local.len), 0);
    const char *detail = NULL;
    CHECK_EQ_INT("we do not", net_connect_result(fd, &detail), NET_REFUSED);
    CHECK_EQ_STR("we do not", detail, "connection refused");
    close(fd);
}

static void test_unix(void)
{
    char directory[] = "/tmp/net-test-XXXXXX";
    char path[64];
    struct addr a;
    int fds[4];
    size_t count = 0;
    if (mkdtemp(directory) == NULL) {
        GIVE_UP();
    }
    snprintf(path, sizeof(path), "%s/s", directory);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!addr_from_unix_path(span_from_str(path), &a) || bind(listener, &a.u.sa, a.len) != 0 ||
        listen(listener, 0) != 0) {
        GIVE_UP();
    }
    const char *detail = NULL;
    CHECK_EQ_INT("connects at once", net_connect(&a, &fds[count++], &detail), NET_OK);
    check_ours("unix", fds[0]);
    CHECK_EQ_INT("connected", net_connect_result(fds[0], &detail), NET_OK);
    enum net_result result = NET_OK;
    while (count < 4 && result == NET_OK) {
        result = net_connect(&a, &fds[count], &detail);
        count += result == NET_OK ? 1 : 0;
    }
    CHECK_EQ_INT("full backlog", result, NET_REFUSED);
    CHECK_EQ_STR("full backlog", detail, "the service's queue of callers is full");
    while (count > 0) {
        close(fds[--count]);
    }
    close(listener);
    unlink(path);
    CHECK_EQ_INT("gone", net_connect(&a, &fds[0], &detail), NET_REFUSED);
    rmdir(directory);
}

/* --- bytes and ends ------------------------------------------------------------------------ */

static enum net_result send_bytes(int fd, const char *data, size_t len, size_t *out_len)
{
    struct iovec piece = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
    return net_send(fd, &piece, 1, false, out_len);
}

static void test_bytes(void)
{
    struct pair p;
    char data[16];
    size_t len = 99;
    if (!pair_open(&p, "127.0.0.1:0")) {
        GIVE_UP();
    }
    CHECK_EQ_INT("nothing yet", net_recv(p.far, data, sizeof(data), &len), NET_AGAIN);
    CHECK_EQ_U64("nothing yet", len, 0);
    CHECK_EQ_INT("send", send_bytes(p.near, "abc", 3, &len), NET_OK);
    CHECK_EQ_U64("send", len, 3);
    struct iovec two[2] = {{.iov_base = (char[]){'d', 'e'}, .iov_len = 2},
                           {.iov_base = (char[]){'f'}, .iov_len = 1}};
    CHECK_EQ_INT("pieces", net_send(p.near, two, 2, false, &len), NET_OK);
    CHECK_EQ_U64("pieces", len, 3);
    size_t got = 0;
    while (got < 6) {
        wait_for(p.far, POLLIN);
        if (!CHECK_EQ_INT("receive", net_recv(p.far, data + got, 4, &len), NET_OK)) {
            break;
        }
        CHECK_TRUE("at most what was asked for", len > 0 && len <= 4);
        got += len;
    }
    CHECK_EQ_MEM("received", data, got, "abcdef", 6);
    net_finish(p.near);
    wait_for(p.far, POLLIN);
    CHECK_EQ_INT("FIN", net_recv(p.far, data, sizeof(data), &len), NET_EOF);
    CHECK_EQ_INT("other way", send_bytes(p.far, "g", 1, &len), NET_OK);
    wait_for(p.near, POLLIN);
    CHECK_EQ_INT("other way", net_recv(p.near, data, sizeof(data), &len), NET_OK);
    CHECK_EQ_INT("after our FIN", send_bytes(p.near, "h", 1, &len), NET_EOF);
    pair_close(&p);
}

/* Corked bytes travel with the bytes that follow: in one segment, so in one read. */
static void test_corked(void)
{
    static const struct {
        const char *name;
        const char *more; /* the test sends this without is_corked; NULL = net_uncork, "" = FIN */
    } rows[] = {{"more", "cd"}, {"uncork", NULL}, {"FIN", ""}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pair p;
        char data[16];
        size_t len = 0;
        struct iovec piece = {.iov_base = (char[]){'a', 'b'}, .iov_len = 2};
        if (!pair_open(&p, "127.0.0.1:0")) {
            GIVE_UP();
        }
        CHECK_EQ_INT(rows[i].name, net_send(p.near, &piece, 1, true, &len), NET_OK);
        CHECK_EQ_INT("corked", net_recv(p.far, data, sizeof(data), &len), NET_AGAIN);
        if (rows[i].more == NULL) {
            net_uncork(p.near);
        } else if (rows[i].more[0] == '\0') {
            net_finish(p.near);
        } else {
            CHECK_EQ_INT(rows[i].name, send_bytes(p.near, rows[i].more, 2, &len), NET_OK);
        }
        wait_for(p.far, POLLIN);
        CHECK_EQ_INT(rows[i].name, net_recv(p.far, data, sizeof(data), &len), NET_OK);
        CHECK_EQ_MEM(rows[i].name, data, len, "abcd", i == 0 ? 4 : 2);
        pair_close(&p);
    }
}

static void test_many_pieces(void)
{
    enum { PIECES = IOV_MAX + 10 };
    static char byte[PIECES];
    static struct iovec pieces[PIECES];
    struct pair p;
    size_t len = 0;
    for (size_t i = 0; i < PIECES; i++) {
        pieces[i] = (struct iovec){.iov_base = &byte[i], .iov_len = 1};
    }
    if (!pair_open(&p, "127.0.0.1:0")) {
        GIVE_UP();
    }
    CHECK_EQ_INT("many", net_send(p.near, pieces, PIECES, false, &len), NET_OK);
    CHECK_EQ_U64("what one call can take", len, IOV_MAX);
    pair_close(&p);
}

static void test_full_socket(void)
{
    static char block[1024 * 1024];
    struct pair p;
    size_t len = 0;
    enum net_result result = NET_OK;
    if (!pair_open(&p, "127.0.0.1:0")) {
        GIVE_UP();
    }
    CHECK_EQ_U64("nothing sent", net_unacked(p.near), 0);
    bool was_partial = false;
    for (int i = 0; i < 100 && result == NET_OK; i++) {
        result = send_bytes(p.near, block, sizeof(block), &len);
        was_partial = was_partial || (result == NET_OK && len < sizeof(block));
    }
    CHECK_TRUE("partial", was_partial);
    CHECK_EQ_INT("then full", result, NET_AGAIN);
    CHECK_TRUE("unread", net_unacked(p.near) > 0);
    CHECK_EQ_U64("then full", len, 0);
    net_abort(p.near);
    p.near = -1;
    do {
        wait_for(p.far, POLLIN);
        result = net_recv(p.far, block, sizeof(block), &len);
    } while (result == NET_OK);
    CHECK_EQ_INT("abort", result, NET_RESET);
    pair_close(&p);
}

/* The default action of SIGPIPE would end the test program. */
static void test_peer_gone(void)
{
    static const struct {
        const char *name;
        bool is_abort;
        enum net_result send;
    } rows[] = {{"closed", false, NET_EOF}, {"reset", true, NET_RESET}};
    for (size_t i = 0; i < 2; i++) {
        struct pair p;
        size_t len = 0;
        char data[8];
        if (!pair_open(&p, "127.0.0.1:0")) {
            GIVE_UP();
        }
        CHECK_EQ_INT(rows[i].name, send_bytes(p.near, "bye", 3, &len), NET_OK);
        if (rows[i].is_abort) {
            net_abort(p.near);
        } else {
            net_close(p.near);
        }
        p.near = -1;
        enum net_result result = NET_OK;
        for (int tries = 0; tries < 1000 && result == NET_OK; tries++) {
            result = send_bytes(p.far, "late", 4, &len);
            usleep(5000);
        }
        CHECK_EQ_INT(rows[i].name, result, rows[i].send);
        CHECK_EQ_U64(rows[i].name, len, 0);
        if (!rows[i].is_abort) {
            CHECK_EQ_INT("still here", net_recv(p.far, data, sizeof(data), &len), NET_OK);
            CHECK_EQ_MEM("still here", data, len, "bye", 3);
            CHECK_EQ_INT("its FIN", net_recv(p.far, data, sizeof(data), &len), NET_EOF);
        }
        pair_close(&p);
    }
}

CU_TestInfo net_tests[] = {
    {"options of every socket", test_options},
    {"keepalives are spread", test_keepalives_are_spread},
    {"listeners share an address", test_listeners_share_an_address},
    {"why a listener cannot be made", test_listen_errors},
    {"accept: none, no descriptors, one", test_accept},
    {"connect: under way", test_connect_under_way},
    {"connect: to itself", test_connect_to_itself},
    {"connect: Unix sockets", test_unix},
    {"bytes and FIN", test_bytes},
    {"corked", test_corked},
    {"more pieces than one call takes", test_many_pieces},
    {"a full socket, and a reset", test_full_socket},
    {"sending to a peer that is gone", test_peer_gone},
    CU_TEST_INFO_NULL,
};
