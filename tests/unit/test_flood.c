/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/flood.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "check.h"
#include "give_up.h"
#include "suites.h"

static struct {
    struct reactor *reactor;
    struct flood flood;
    int log_fd;
    int write_fd;
    char text[8192];
} world;

static void open_world(uint64_t per_second, enum log_level level)
{
    int fds[2];
    world.reactor = reactor_new();
    if (world.reactor == NULL || pipe(fds) != 0) {
        GIVE_UP();
    }
    world.log_fd = fds[0];
    world.write_fd = fds[1];
    (void)fcntl(world.log_fd, F_SETFL, O_NONBLOCK);
    log_init(world.write_fd, level, LOG_KEY_VALUE);
    flood_init(&world.flood, world.reactor, per_second);
}

static const char *log_text_now(void)
{
    ssize_t got = read(world.log_fd, world.text, sizeof(world.text) - 1);
    world.text[got > 0 ? got : 0] = '\0';
    return world.text;
}

static void close_world(void)
{
    log_init(-1, LOG_INFO, LOG_KEY_VALUE);
    close(world.log_fd);
    close(world.write_fd);
    reactor_free(world.reactor);
}

static uint64_t lets_of(unsigned kind, unsigned tries)
{
    uint64_t let = 0;
    for (unsigned i = 0; i < tries; i++) {
        let += flood_lets(&world.flood, kind) ? 1 : 0;
    }
    return let;
}

static void test_rates(void)
{
    static const struct {
        const char *name;
        uint64_t after_ms;
        unsigned tries;
        uint64_t let;
    } rows[] = {
        {"ten seconds' worth at once", 0, 500, 50},
        {"nothing more", 0, 10, 0},
        {"part of a line is none", 199, 10, 0},
        {"one line", 1, 10, 1},
        {"a second's worth", 1000, 10, 5},
        {"never more than the first burst", 3600 * 1000, 1000, 50},
        {"a slow stream all comes out", 200, 1, 1},
        {"and again", 200, 1, 1},
    };
    open_world(5, LOG_INFO);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world.reactor->now_ms += rows[i].after_ms;
        CHECK_EQ_U64(rows[i].name, lets_of(LIFE_ORIGIN, rows[i].tries), rows[i].let);
    }
    CHECK_EQ_U64("each kind by itself", lets_of(LIFE_NO_ROUTE, 60), 50);
    flood_done(&world.flood);
    close_world();
}

/* Of the worker's own state one line in two seconds, however high log_limit is. */
static void test_calm(void)
{
    static const struct {
        const char *name;
        uint64_t after_ms;
        unsigned tries;
        uint64_t let;
    } rows[] = {
        {"the first", 0, 500, 1},         {"too soon", 1999, 10, 0},    {"the next", 1, 10, 1},
        {"after a day", 86400000, 10, 1}, {"half a second", 500, 1, 0},
    };
    open_world(1000, LOG_INFO);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world.reactor->now_ms += rows[i].after_ms;
        CHECK_EQ_U64(rows[i].name, lets_of(FLOOD_PAUSED, rows[i].tries), rows[i].let);
    }
    CHECK_EQ_U64("each kind by itself", lets_of(FLOOD_MEMORY_FULL, 10), 1);
    flood_done(&world.flood);
    close_world();
}

/* What was written and what was suppressed is all that came. */
static void test_nothing_is_lost(void)
{
    open_world(1, LOG_INFO);
    CHECK_EQ_U64("a burst", lets_of(LIFE_TLS_FAILED, 1234), 10);
    CHECK_EQ_U64("another kind", lets_of(FLOOD_ACCEPT_FAILED, 13), 1);
    CHECK_EQ_U64("within its limit", lets_of(LIFE_NO_ROUTE, 10), 10);
    CHECK_EQ_STR("not at once", log_text_now(), "");
    flood_done(&world.flood);
    const char *text = log_text_now();
    CHECK_TRUE(text, strstr(text, "event=log.suppressed of=session.end ending=tls_failed "
                                  "suppressed=1224\n") != NULL);
    CHECK_TRUE(text, strstr(text, "event=log.suppressed of=accept.failed suppressed=12\n") != NULL);
    CHECK_TRUE(text, strstr(text, "no_route") == NULL);
    flood_done(&world.flood);
    CHECK_EQ_STR("told once", log_text_now(), "");
    close_world();
}

static void test_told_in_time(void)
{
    open_world(1, LOG_INFO);
    (void)lets_of(LIFE_FULL, 11);
    CHECK_EQ_U64("due", world.flood.tell_ms, world.reactor->now_ms + FLOOD_TELL_MS);
    CHECK_EQ_U64("at the interval", world.flood.tell.at_ms, world.reactor->now_ms + FLOOD_TELL_MS);
    world.flood.tell.callback(&world.flood.tell);
    CHECK_TRUE("told", strstr(log_text_now(), "ending=full suppressed=1\n") != NULL);
    CHECK_EQ_U64("once", world.flood.tell_ms, UINT64_MAX);
    flood_done(&world.flood);
    close_world();
}

static void test_no_limit(void)
{
    open_world(0, LOG_INFO);
    CHECK_EQ_U64("no limit", lets_of(LIFE_ORIGIN, 1000), 1000);
    flood_done(&world.flood);
    close_world();
    open_world(1, LOG_DEBUG);
    CHECK_EQ_U64("debug", lets_of(LIFE_ORIGIN, 1000), 1000);
    flood_done(&world.flood);
    CHECK_EQ_STR("nothing to tell", log_text_now(), "");
    close_world();
    CHECK_TRUE("no flood at all", flood_lets(NULL, LIFE_ORIGIN));
}

// The master has no reactor, and tells by itself.
static void test_without_reactor(void)
{
    open_world(1, LOG_INFO);
    flood_init(&world.flood, NULL, 1);
    CHECK_EQ_U64("nothing is due", world.flood.tell_ms, UINT64_MAX);
    uint64_t before_ms = clock_now_ms();
    uint64_t let = lets_of(FLOOD_RELOAD_FAILED, 100);
    CHECK_TRUE("a burst", let >= 10 && let < 100);
    CHECK_TRUE("due", world.flood.tell_ms >= before_ms + FLOOD_TELL_MS &&
                          world.flood.tell_ms <= clock_now_ms() + FLOOD_TELL_MS);
    flood_tell(&world.flood);
    const char *text = log_text_now();
    CHECK_TRUE(text, strstr(text, "level=error event=log.suppressed of=reload.failed "
                                  "suppressed=") != NULL);
    CHECK_EQ_U64("nothing is due", world.flood.tell_ms, UINT64_MAX);
    flood_done(&world.flood);
    close_world();
}

// Each kind has its name and its level.
static void test_kinds(void)
{
    open_world(1, LOG_INFO);
    for (unsigned kind = 0; kind < FLOOD_KINDS; kind++) {
        (void)lets_of(kind, 11);
    }
    flood_done(&world.flood);
    static char all[1 << 16];
    size_t len = 0;
    for (const char *text; (text = log_text_now())[0] != '\0';) {
        len += (size_t)snprintf(all + len, sizeof(all) - len, "%s", text);
    }
    size_t lines = 0;
    for (const char *at = all; (at = strstr(at, " event=log.suppressed of=")) != NULL; at++) {
        CHECK_TRUE(at, strstr(at, "of= ") != at + 22 && strstr(at, "of=\"\"") != at + 22);
        lines++;
    }
    CHECK_EQ_U64("all", lines, FLOOD_KINDS);
    close_world();
}

CU_TestInfo flood_tests[] = {
    {"rates and bursts", test_rates},
    {"calm kinds", test_calm},
    {"nothing is lost", test_nothing_is_lost},
    {"told in time", test_told_in_time},
    {"no limit", test_no_limit},
    {"without a reactor", test_without_reactor},
    {"each kind", test_kinds},
    CU_TEST_INFO_NULL,
};
