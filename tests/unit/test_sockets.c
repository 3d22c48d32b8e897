/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "check.h"
#include "give_up.h"
#include "io/net.h"
#include "sockets_kit.h"
#include "suites.h"

#define CALLERS 24

static int state_of(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t len = sizeof(error);
    if (poll(&ready, 1, 50) == 0) {
        return EINPROGRESS;
    }
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    return error;
}

static bool is_reset(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_DONTWAIT) != -1 || errno != EAGAIN;
}

static size_t accept_all(int listen_fd)
{
    size_t count = 0;
    struct addr peer;
    int fd;
    while (net_accept(listen_fd, &fd, &peer) == NET_ACCEPT_OK) {
        net_close(fd);
        count++;
    }
    return count;
}

static void test_plan(void)
{
    struct sockets s;
    int fds = count_fds();
    size_t blocks = mem_live_blocks();
    struct config_listen one[] = {listen_at("a", "127.0.0.1:0")};
    struct config_listen two[] = {listen_at("b", "127.0.0.1:0"), listen_at("a", "127.0.0.1:0")};
    struct config_listen bad[] = {listen_at("b", "127.0.0.1:0"), listen_at("c", "192.0.2.1:9")};

    sockets_init(&s);
    CHECK_TRUE("first", plan(&s, one, 1, SLOTS));
    commit(&s, 1);
    struct addr a = *sockets_address(&s.current, 0);
    CHECK_TRUE("a port", addr_port(&a) != 0);
    int kept = sockets_fd(&s.current, 0, 1);
    CHECK_EQ_INT("no such slot", sockets_fd(&s.current, 0, SLOTS), -1);

    CHECK_FALSE("an address of another machine", plan(&s, bad, 2, SLOTS));
    CHECK_EQ_INT("nothing is left of it", count_fds(), fds + SLOTS);

    CHECK_TRUE("second", plan(&s, two, 2, SLOTS + 1));
    CHECK_TRUE("new", sockets_is_new(&s, 0) && !sockets_is_new(&s, 1));
    CHECK_EQ_INT("the same socket", sockets_fd(&s.planned, 1, 1), kept);
    struct addr b = *sockets_address(&s.planned, 0);
    int early = call(&b);
    CHECK_EQ_INT("a plan hears nobody", state_of(early), ECONNREFUSED);
    close(early);
    sockets_drop_plan(&s);
    CHECK_EQ_INT("dropped", count_fds(), fds + SLOTS);

    CHECK_TRUE("second again", plan(&s, two, 2, SLOTS + 1));
    commit(&s, 1);
    CHECK_EQ_INT("current", count_fds(), fds + 2 * (SLOTS + 1));
    b = *sockets_address(&s.current, 0);
    int late = call(&b);
    CHECK_EQ_INT("heard", state_of(late), 0);
    close(late);
    sockets_done(&s);
    sockets_done(&s);
    CHECK_EQ_INT("all closed", count_fds(), fds);
    CHECK_EQ_U64("blocks", mem_live_blocks(), blocks);
}

/* Whoever has called when an address leaves is served; nobody else gets in, or is reset. */
static void test_leave(void)
{
    struct sockets s;
    int fds = count_fds();
    int callers[CALLERS];
    size_t served = 0;
    struct config_listen both[] = {listen_at("a", "127.0.0.1:0"), listen_at("b", "127.0.0.1:0")};

    sockets_init(&s);
    CHECK_TRUE("both", plan(&s, both, 2, SLOTS));
    commit(&s, 1);
    struct addr b = *sockets_address(&s.current, 1);
    int listen_fds[SLOTS] = {sockets_fd(&s.current, 1, 0), sockets_fd(&s.current, 1, 1)};
    for (size_t i = 0; i < CALLERS; i++) {
        callers[i] = call(&b);
        CHECK_EQ_INT("connected", state_of(callers[i]), 0);
    }
    CHECK_TRUE("one", plan(&s, both, 1, SLOTS));
    commit(&s, 1000);
    int late = call(&b);
    CHECK_EQ_INT("neither in nor refused", state_of(late), EINPROGRESS);
    for (size_t i = 0; i < CALLERS; i++) {
        CHECK_FALSE("nobody is reset", is_reset(callers[i]));
    }
    sockets_tend(&s, 1000 + SOCKETS_LEAVE_MS - 1);
    CHECK_EQ_U64("due", sockets_due_ms(&s), 1000 + SOCKETS_LEAVE_MS);
    served = accept_all(listen_fds[0]) + accept_all(listen_fds[1]);
    CHECK_EQ_U64("served", served, CALLERS);
    sockets_tend(&s, 1000 + SOCKETS_LEAVE_MS);
    CHECK_TRUE("no more due", sockets_due_ms(&s) == UINT64_MAX);
    int later = call(&b);
    CHECK_EQ_INT("refused", state_of(later), ECONNREFUSED);
    for (size_t i = 0; i < CALLERS; i++) {
        close(callers[i]);
    }
    close(late);
    close(later);
    sockets_done(&s);
    CHECK_EQ_INT("all closed", count_fds(), fds);
}

static void test_back(void)
{
    struct sockets s;
    struct config_listen both[] = {listen_at("a", "127.0.0.1:0"), listen_at("b", "127.0.0.1:0")};

    sockets_init(&s);
    CHECK_TRUE("both", plan(&s, both, 2, 1));
    commit(&s, 1);
    struct addr b = *sockets_address(&s.current, 1);
    CHECK_TRUE("one", plan(&s, both, 1, 1));
    commit(&s, 1000);
    CHECK_TRUE("both again", plan(&s, both, 2, 1));
    CHECK_TRUE("the workers have given it up", sockets_is_new(&s, 1));
    sockets_tend(&s, 1000 + SOCKETS_LEAVE_MS); // the plan keeps it
    commit(&s, 5000);
    CHECK_TRUE("the same port", addr_is_equal(sockets_address(&s.current, 1), &b));
    CHECK_TRUE("stays", sockets_due_ms(&s) == UINT64_MAX);
    int caller = call(&b);
    CHECK_EQ_INT("heard", state_of(caller), 0);
    close(caller);
    sockets_done(&s);
}

static void test_take_slot(void)
{
    struct sockets s;
    int fds = count_fds();
    int mine[2];
    struct config_listen both[] = {listen_at("a", "127.0.0.1:0"), listen_at("b", "127.0.0.1:0")};

    sockets_init(&s);
    CHECK_TRUE("both", plan(&s, both, 2, SLOTS));
    commit(&s, 1);
    int want = sockets_fd(&s.current, 1, 1);
    sockets_take_slot(&s, 1, mine);
    CHECK_EQ_INT("mine", mine[1], want);
    CHECK_EQ_INT("only mine", count_fds(), fds + 2);
    close(mine[0]);
    close(mine[1]);
}

static void test_taken(void)
{
    struct sockets s;
    struct addr a;
    const char *detail;
    int other;

    sockets_init(&s);
    if (!addr_parse(SPAN_LIT("127.0.0.1:0"), &a) || (other = net_listen(&a, &detail)) == -1 ||
        !net_local_addr(other, &a)) {
        GIVE_UP();
    }
    struct config_listen taken[] = {{.name = SPAN_LIT("a"), .address = a}};
    CHECK_FALSE("another program's", plan(&s, taken, 1, SLOTS));
    net_close(other);
    CHECK_TRUE("free", plan(&s, taken, 1, SLOTS));
    commit(&s, 1);
    struct config_listen wider[] = {{.name = SPAN_LIT("a"), .address = a}};
    char text[32];
    snprintf(text, sizeof(text), "0.0.0.0:%u", addr_port(&a));
    CHECK_TRUE("wider", addr_parse(span_from_str(text), &wider[0].address));
    CHECK_TRUE("its own port, at all addresses", plan(&s, wider, 1, SLOTS));
    commit(&s, 1);
    sockets_done(&s);
}

/* --- sockets of somebody else --- */

#define HANDED_FIRST 700
#define HANDED_MAX 8

static int bind_at(const struct addr *a, bool has_group)
{
    const int on = 1;
    int fd = socket(a->u.sa.sa_family, SOCK_STREAM, 0);
    if (fd == -1 || (has_group && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) ||
        bind(fd, &a->u.sa, a->len) != 0 || listen(fd, 64) != 0) {
        GIVE_UP();
    }
    return fd;
}

struct handed {
    const char *row;
    size_t count; // sockets that are handed over
    bool has_group;
    size_t slots;
    size_t all; // slots with a socket
};

// Callers that wait in the queues before, and others that come after: all are heard.
static void check_handed(const struct handed *h)
{
    int callers[2 * CALLERS];
    size_t served = 0;
    struct sockets s;
    struct inherit inherited;
    int fds = count_fds();
    struct config_listen one[] = {listen_at("a", "127.0.0.1:0")};
    const struct config config = {.listens = one, .listen_count = 1};
    char names[INHERIT_NAME_MAX * HANDED_MAX];
    size_t len = 0;

    for (size_t i = 0; i < h->count; i++) {
        int fd = bind_at(&one[0].address, h->has_group);
        CHECK_TRUE("address", net_local_addr(fd, &one[0].address));
        dup2(fd, HANDED_FIRST + (int)i);
        close(fd);
        char name[INHERIT_NAME_MAX];
        len += (size_t)snprintf(names + len, sizeof(names) - len,
                                "%s:", inherit_print_name(&one[0].address, name));
    }
    for (size_t i = 0; i < CALLERS; i++) {
        callers[i] = call(&one[0].address);
    }
    sockets_init(&s);
    CHECK_TRUE(h->row, inherit_take_over(&inherited, HANDED_FIRST, h->count, names));
    CHECK_TRUE(h->row, sockets_inherit(&s, &config, &inherited));
    inherit_done(&inherited);
    CHECK_EQ_U64(h->row, sockets_slots(&s), h->count);
    CHECK_TRUE(h->row, plan(&s, one, 1, h->slots));
    commit(&s, 1);
    CHECK_EQ_U64(h->row, sockets_slots(&s), h->all);
    for (size_t i = CALLERS; i < 2 * CALLERS; i++) {
        callers[i] = call(&one[0].address);
        CHECK_EQ_INT(h->row, state_of(callers[i]), 0);
    }
    for (size_t slot = 0; slot < h->all; slot++) {
        served += accept_all(sockets_fd(&s.current, 0, slot));
    }
    CHECK_EQ_U64(h->row, served, 2 * CALLERS);
    for (size_t i = 0; i < 2 * CALLERS; i++) {
        close(callers[i]);
    }
    sockets_done(&s);
    CHECK_EQ_INT(h->row, count_fds(), fds);
}

static void test_inherit(void)
{
    static const struct handed rows[] = {
        {"one for each slot", 2, true, 2, 2},        {"more slots than before", 2, true, 5, 5},
        {"fewer slots than before", 4, true, 2, 4},  {"a socket unit", 1, false, 3, 3},
        {"a socket unit, one slot", 1, false, 1, 1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check_handed(&rows[i]);
    }
}

/* A Unix path is never bound again: all slots share the inherited socket. */
static void test_inherit_unix(void)
{
    struct sockets s;
    struct inherit inherited;
    char directory[] = "/tmp/sluice-sockets-XXXXXX";
    char path[64];
    struct config_listen one[] = {{.name = SPAN_LIT("a")}};
    const struct config config = {.listens = one, .listen_count = 1};
    if (mkdtemp(directory) == NULL) {
        GIVE_UP();
    }
    snprintf(path, sizeof(path), "%s/s", directory);
    CHECK_TRUE("path", addr_from_unix_path(span_from_str(path), &one[0].address));
    int fd = bind_at(&one[0].address, false);
    int caller = call(&one[0].address);
    if (dup2(fd, HANDED_FIRST) == -1) {
        GIVE_UP();
    }
    close(fd);
    sockets_init(&s);
    CHECK_TRUE("over", inherit_take_over(&inherited, HANDED_FIRST, 1, "x"));
    CHECK_TRUE("inherit", sockets_inherit(&s, &config, &inherited));
    inherit_done(&inherited);
    CHECK_TRUE("plan", plan(&s, one, 1, SLOTS));
    commit(&s, 1);
    CHECK_EQ_U64("slots", sockets_slots(&s), SLOTS);
    CHECK_EQ_U64("served", accept_all(sockets_fd(&s.current, 0, 1)), 1);
    close(caller);
    sockets_done(&s);
    unlink(path);
    rmdir(directory);
}

struct visited {
    size_t count;
    size_t own;
    char name[INHERIT_NAME_MAX];
};

static void on_visit(void *owner, int fd, const char *name, bool is_own)
{
    struct visited *v = owner;
    CHECK_TRUE("open", fcntl(fd, F_GETFD) != -1);
    v->count++;
    v->own += is_own;
    snprintf(v->name, sizeof(v->name), "%s", name);
}

// Two addresses, one of them from a socket unit; a third one of it nobody wants.
static void test_inherit_some(void)
{
    struct sockets s;
    struct inherit inherited;
    struct visited visited = {.count = 0};
    struct config_listen two[] = {listen_at("a", "127.0.0.1:0"), listen_at("b", "127.0.0.1:0")};
    const struct config config = {.listens = two, .listen_count = 2};
    int fds = count_fds();
    int fd = bind_at(&two[1].address, false);
    dup2(fd, HANDED_FIRST);
    close(fd);
    CHECK_TRUE("port", net_local_addr(HANDED_FIRST, &two[1].address));
    struct addr stranger = two[0].address;
    fd = bind_at(&stranger, false);
    dup2(fd, HANDED_FIRST + 1);
    close(fd);
    CHECK_TRUE("over", inherit_take_over(&inherited, HANDED_FIRST, 2, "sluice.socket"));
    sockets_init(&s);
    CHECK_TRUE("inherit", sockets_inherit(&s, &config, &inherited));
    CHECK_EQ_INT("the stranger is left", inherited.fds[1].fd, HANDED_FIRST + 1);
    inherit_done(&inherited);
    CHECK_TRUE("plan", plan(&s, two, 2, SLOTS));
    commit(&s, 1);
    CHECK_EQ_INT("two addresses", count_fds(), fds + 2 * SLOTS);
    sockets_visit(&s, on_visit, &visited);
    CHECK_EQ_U64("all", visited.count, 2 * SLOTS);
    CHECK_EQ_U64("own", visited.own, SLOTS);
    char name[INHERIT_NAME_MAX];
    CHECK_EQ_STR("name", visited.name, inherit_print_name(&two[1].address, name));
    // More slots at a reload: further copies.
    CHECK_TRUE("plan", plan(&s, two, 2, SLOTS + 1));
    commit(&s, 2);
    CHECK_EQ_INT("three slots", count_fds(), fds + 2 * (SLOTS + 1));
    sockets_done(&s);
    CHECK_EQ_INT("all closed", count_fds(), fds);
}

static void test_no_memory(void)
{
    struct config_listen one[] = {listen_at("a", "127.0.0.1:0")};
    int fds = count_fds();
    for (uint64_t n = 1; n <= 3; n++) {
        struct sockets s;
        size_t blocks = mem_live_blocks();
        sockets_init(&s);
        mem_fail_after(n);
        CHECK_FALSE("no memory", plan(&s, one, 1, SLOTS));
        mem_fail_after(0);
        sockets_done(&s);
        CHECK_EQ_U64("no leak", mem_live_blocks(), blocks);
        CHECK_EQ_INT("closed", count_fds(), fds);
    }
}

CU_TestInfo sockets_tests[] = {
    {"a plan is dropped without a trace, or becomes true", test_plan},
    {"an address leaves", test_leave},
    {"an address comes back", test_back},
    {"a worker takes the sockets of its slot", test_take_slot},
    {"taken addresses", test_taken},
    {"inherited sockets, and more or fewer slots", test_inherit},
    {"some addresses are inherited", test_inherit_some},
    {"an inherited Unix socket", test_inherit_unix},
    {"no memory", test_no_memory},
    CU_TEST_INFO_NULL,
};
