/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The addresses of a name, as they change. */
#include "io/follow.h"

#include <fcntl.h>

#include "give_up.h"
#include "resolver_kit.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct follower {
    struct follow *follow;
    int calls;
};

static void on_set(void *owner)
{
    ((struct follower *)owner)->calls++;
}

static void follow(struct world *w, struct follower *f)
{
    f->calls = 0;
    f->follow = follow_new(w->reactor, w->resolver, "pods.example.", 80, on_set, f);
    if (f->follow == NULL) {
        GIVE_UP();
    }
    CHECK_FALSE("not yet", follow_is_known(f->follow));
}

/* The last numbers of the addresses, in order: "1 2 6:1" */
static const char *shown(const struct follower *f)
{
    static char text[1024];
    size_t count = 0;
    const struct addr *addrs = follow_addrs(f->follow, &count);
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        bool is_ipv6 = addrs[i].u.sa.sa_family == AF_INET6;
        unsigned last = is_ipv6 ? addrs[i].u.in6.sin6_addr.s6_addr[15]
                                : ((const uint8_t *)&addrs[i].u.in.sin_addr)[3];
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s%u", i > 0 ? " " : "",
                                is_ipv6 ? "6:" : "", last);
        CHECK_EQ_U64("port", addr_port(&addrs[i]), 80);
    }
    return text;
}

static void wait_set(struct world *w, const struct follower *f, int calls)
{
    while (f->calls < calls) {
        reactor_turn(w->reactor, false);
    }
}

/* A second of a TTL is a tenth of one. */
static void hasten(struct world *w)
{
    resolver_set_second(w->resolver, 100);
}

/* Until a question that has not been asked yet is answered. */
static void wait_round(struct world *w)
{
    size_t before = w->stub.questions;
    while (w->stub.questions < before + 2) {
        reactor_turn(w->reactor, false);
    }
    let_pass(w, 30);
}

static void close_world(const char *row, struct world *w, struct follower *f)
{
    follow_free(f->follow);
    world_close(row, w);
    check_no_leak(row, w);
}

/* Pods come and go, and everything that may happen to a name server in between. */
static void test_changes(void)
{
    struct world w;
    struct follower f;
    world_open(&w, &(struct zone){.a = 3, .ttl_s = 1});
    hasten(&w);
    follow(&w, &f);
    wait_set(&w, &f, 1);
    CHECK_TRUE("known", follow_is_known(f.follow));
    CHECK_EQ_STR("three", shown(&f), "1 2 3");
    w.stub.zone.skipped = 1;
    wait_set(&w, &f, 2);
    CHECK_EQ_STR("one went, one came", shown(&f), "2 3 4");
    w.stub.zone.skipped = 0;
    wait_set(&w, &f, 3);
    wait_round(&w);
    CHECK_EQ_INT("nothing new", f.calls, 3);
    CHECK_EQ_STR("those that stay keep their places", shown(&f), "2 3 1");
    w.stub.zone.way = STUB_SERVFAIL;
    wait_round(&w);
    CHECK_EQ_INT("failures change nothing", f.calls, 3);
    w.stub.zone.way = STUB_ANSWERS;
    w.stub.zone.aaaa = 1;
    wait_set(&w, &f, 4);
    CHECK_EQ_STR("another family", shown(&f), "2 3 1 6:1");
    w.stub.zone.a_way = STUB_SERVFAIL;
    w.stub.zone.aaaa = 2;
    wait_set(&w, &f, 5);
    CHECK_EQ_STR("one family fails", shown(&f), "2 3 1 6:1 6:2");
    w.stub.zone.a_way = STUB_ANSWERS;
    w.stub.zone.a = 0;
    wait_set(&w, &f, 6);
    CHECK_EQ_STR("one family goes", shown(&f), "6:1 6:2");
    close_world("changes", &w, &f);
}

/* The name is gone for longer than a moment. */
static void test_gone(void)
{
    struct world w;
    struct follower f;
    world_open(&w, &(struct zone){.a = 2, .ttl_s = 1});
    hasten(&w);
    follow(&w, &f);
    follow_set_hold(f.follow, 600);
    wait_set(&w, &f, 1);
    w.stub.zone.way = STUB_NXDOMAIN;
    wait_round(&w);
    CHECK_EQ_STR("held", shown(&f), "1 2");
    wait_set(&w, &f, 2);
    CHECK_EQ_STR("gone", shown(&f), "");
    CHECK_TRUE("and that is known", follow_is_known(f.follow));
    close_world("gone", &w, &f);
}

/* Nobody there at first is known at once; a name server that fails says nothing. */
static void test_first(void)
{
    static const struct {
        const char *name;
        enum stub_way way;
        bool is_known;
    } rows[] = {
        {"no such name", STUB_NXDOMAIN, true},
        {"no address", STUB_ANSWERS, true},
        {"a failure", STUB_SERVFAIL, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world w;
        struct follower f;
        world_open(&w, &(struct zone){.way = rows[i].way});
        hasten(&w);
        follow(&w, &f);
        wait_round(&w);
        CHECK_EQ_INT(rows[i].name, follow_is_known(f.follow), rows[i].is_known);
        CHECK_EQ_INT(rows[i].name, f.calls, rows[i].is_known);
        CHECK_EQ_STR(rows[i].name, shown(&f), "");
        close_world(rows[i].name, &w, &f);
    }
}

/* More addresses than there is room for: an answer that may lack some removes none. */
static void test_many(void)
{
    struct world w;
    struct follower f;
    world_open(&w, &(struct zone){.a = 100, .ttl_s = 1});
    hasten(&w);
    follow(&w, &f);
    wait_set(&w, &f, 1);
    size_t count = 0;
    (void)follow_addrs(f.follow, &count);
    CHECK_EQ_U64("a ceiling", count, FOLLOW_ADDRS_MAX);
    w.stub.zone.skipped = 50;
    wait_round(&w);
    CHECK_EQ_INT("as before", f.calls, 1);
    w.stub.zone.a = 2;
    wait_set(&w, &f, 2);
    CHECK_EQ_STR("few again", shown(&f), "51 52");
    close_world("many", &w, &f);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        GIVE_UP();
    }
    close(fd);
}

/* Another resolv.conf counts long before the TTL is over, though nobody asks. */
static void test_file(void)
{
    char path[] = "/tmp/follow-test-XXXXXX";
    struct world w;
    struct follower f;
    int fd = mkstemp(path);
    if (fd < 0) {
        GIVE_UP();
    }
    close(fd);
    world_open_bare(&w);
    stub_open_at(&w.stub, w.reactor, "127.0.0.2:0");
    w.stub.zone = (struct zone){.a = 1, .ttl_s = 3000};
    write_file(path, "nameserver 127.0.0.2\n");
    resolver_set_file(w.resolver, path, addr_port(&w.stub.addr));
    hasten(&w);
    follow(&w, &f);
    wait_set(&w, &f, 1);
    w.stub.zone.a = 2;
    size_t before = w.stub.questions;
    let_pass(&w, 300);
    CHECK_EQ_U64("kept", w.stub.questions, before);
    write_file(path, "# new\nnameserver 127.0.0.2\n");
    wait_set(&w, &f, 2);
    CHECK_EQ_STR("asked anew", shown(&f), "1 2");
    close_world("file", &w, &f);
    unlink(path);
}

/* Addresses that were no good are asked for again, and not more than once a second. */
static void test_doubt(void)
{
    struct world w;
    struct follower f;
    world_open(&w, &(struct zone){.a = 1, .ttl_s = 3000});
    resolver_set_second(w.resolver, 300);
    uint64_t began_ms = reactor_now_ms(w.reactor);
    follow(&w, &f);
    wait_set(&w, &f, 1);
    w.stub.zone.skipped = 1;
    for (size_t i = 0; i < 20; i++) {
        size_t questions = w.stub.questions;
        follow_doubt(f.follow);
        let_pass(&w, 10);
        if (reactor_now_ms(w.reactor) - began_ms < resolver_kept_min_ms(w.resolver)) {
            CHECK_EQ_U64("not so soon", questions, 2);
        }
    }
    while (f.calls < 2) {
        follow_doubt(f.follow);
        let_pass(&w, 10);
    }
    CHECK_EQ_STR("another", shown(&f), "2");
    CHECK_EQ_U64("once", w.stub.questions, 4);
    close_world("doubt", &w, &f);
}

static void test_stop(void)
{
    for (int turns = 0; turns < 3; turns++) {
        struct world w;
        struct follower f;
        world_open(&w, &(struct zone){.a = 1, .ttl_s = 1});
        hasten(&w);
        follow(&w, &f);
        for (int i = 0; i < turns; i++) {
            reactor_turn(w.reactor, false);
        }
        follow_stop(f.follow);
        follow_doubt(f.follow);
        size_t before = w.stub.questions;
        int calls = f.calls;
        let_pass(&w, 50);
        CHECK_EQ_INT("no more calls", f.calls, calls);
        CHECK_TRUE("no more questions", w.stub.questions <= before + 2);
        close_world("stop", &w, &f);
    }
}

/* Two who follow one name cost what one costs. */
static void test_shared(void)
{
    struct world w;
    struct follower both[2];
    world_open(&w, &(struct zone){.a = 1});
    follow(&w, &both[0]);
    follow(&w, &both[1]);
    wait_set(&w, &both[0], 1);
    wait_set(&w, &both[1], 1);
    CHECK_EQ_U64("one question", w.stub.questions, 2);
    follow_free(both[1].follow);
    close_world("shared", &w, &both[0]);
}

static void test_no_memory(void)
{
    for (uint64_t n = 1; n < 8; n += 2) {
        struct world w;
        struct follower f = {.follow = NULL};
        world_open(&w, &(struct zone){.a = 1});
        hasten(&w);
        mem_fail_after(n);
        f.follow = follow_new(w.reactor, w.resolver, "pods.example.", 80, on_set, &f);
        for (int i = 0; f.follow != NULL && i < 3; i++) {
            reactor_turn(w.reactor, true);
        }
        mem_fail_after(0);
        if (f.follow != NULL) {
            wait_set(&w, &f, 1);
            CHECK_EQ_STR("later", shown(&f), "1");
        }
        close_world("no memory", &w, &f);
    }
    CHECK_TRUE("short again", mem_recover());
}

CU_TestInfo follow_tests[] = {
    {"changes", test_changes}, {"gone", test_gone},           {"the first answer", test_first},
    {"many", test_many},       {"a file changes", test_file}, {"doubt", test_doubt},
    {"stopped", test_stop},    {"shared", test_shared},       {"no memory", test_no_memory},
    CU_TEST_INFO_NULL,
};
