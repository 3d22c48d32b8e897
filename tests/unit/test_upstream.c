/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/upstream.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "check.h"
#include "give_up.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct config_backend two[] = {{.text = SPAN_LIT("tcp://one:1")},
                                      {.text = SPAN_LIT("tcp://two:2")}};
static struct config_route routes[] = {
    {.policy = {.name = SPAN_LIT("a")}, .backends = two, .backend_count = 2},
    {.policy = {.name = SPAN_LIT("b")}, .backends = two, .backend_count = 1},
};
static const struct config config = {.routes = routes, .route_count = COUNT(routes)};

static int pipe_fds[2];

static void log_open(void)
{
    if (pipe(pipe_fds) != 0) {
        GIVE_UP();
    }
    log_init(pipe_fds[1], LOG_WARN, LOG_KEY_VALUE);
}

/* What was logged since the last call: the event, route, backend and detail of each line. */
static const char *logged(void)
{
    static char text[8192];
    char *at;
    /* The log's own description of the pipe does not block, and this byte ends what there is. */
    if (write(pipe_fds[1], "\n", 1) != 1) {
        GIVE_UP();
    }
    ssize_t len = read(pipe_fds[0], text, sizeof(text) - 1);
    text[len > 0 ? len - 1 : 0] = '\0';
    at = strstr(text, "event=");
    return at != NULL ? at : "";
}

static void note(struct upstream *u, size_t route, size_t index, enum dial_result result,
                 uint64_t now_ms)
{
    const struct dial_outcome outcome = {result, result == DIAL_OK ? NULL : "connection refused"};
    upstream_note(u, &routes[route], index, &outcome, now_ms);
}

static void test_each_backend(void)
{
    size_t blocks = mem_live_blocks();
    struct upstream *u = upstream_new(&config, NULL);
    if (u == NULL) {
        GIVE_UP();
    }
    note(u, 0, 0, DIAL_OK, 1);
    CHECK_EQ_STR("good from the start", logged(), "");
    note(u, 0, 1, DIAL_REFUSED, 1000);
    CHECK_EQ_STR("down", logged(),
                 "event=backend.down route=a backend=tcp://two:2 detail=\"connection refused\"\n");
    note(u, 0, 1, DIAL_TIMEOUT, 90000);
    note(u, 0, 0, DIAL_OK, 90000);
    CHECK_EQ_STR("once", logged(), "");
    note(u, 1, 0, DIAL_TLS, 90000);
    CHECK_EQ_STR("another route's is another one", logged(),
                 "event=backend.down route=b backend=tcp://one:1 detail=\"connection refused\"\n");
    note(u, 0, 1, DIAL_OK, 90000);
    CHECK_EQ_STR("up", logged(), "event=backend.up route=a backend=tcp://two:2\n");
    note(u, 0, 0, DIAL_EXHAUSTED, 99000);
    note(u, 0, 0, DIAL_NO_MEMORY, 99000);
    CHECK_EQ_STR("not the backend's fault", logged(), "");
    upstream_free(u);
    upstream_free(NULL);
    CHECK_EQ_U64("no leak", mem_live_blocks(), blocks);
}

static size_t count_changes(struct upstream *u, uint64_t from_ms, uint64_t to_ms, uint64_t step_ms)
{
    size_t count = 0;
    bool is_down = false;
    for (uint64_t now_ms = from_ms; now_ms < to_ms; now_ms += step_ms) {
        is_down = !is_down;
        note(u, 0, 0, is_down ? DIAL_REFUSED : DIAL_OK, now_ms);
        count += logged()[0] != '\0' ? 1 : 0;
    }
    return count;
}

/* A backend that accepts every other time is no flood of lines, and its last state is told. */
static void test_no_flood(void)
{
    struct upstream *u = upstream_new(&config, NULL);
    if (u == NULL) {
        GIVE_UP();
    }
    size_t lines = count_changes(u, 1000, 3600000, 100);
    CHECK_TRUE("an hour", lines >= 10 && lines < 80);
    note(u, 0, 0, DIAL_OK, 4000000);
    note(u, 0, 0, DIAL_REFUSED, 5000000);
    (void)logged();
    note(u, 0, 0, DIAL_OK, 6000000);
    CHECK_EQ_STR("calm again", logged(), "event=backend.up route=a backend=tcp://one:1\n");
    note(u, 0, 0, DIAL_REFUSED, 6000100);
    for (uint64_t i = 1; i <= 4; i++) {
        note(u, 0, 0, i % 2 == 1 ? DIAL_OK : DIAL_REFUSED, 6000100 + i * 10);
    }
    (void)logged();
    note(u, 0, 0, DIAL_REFUSED, 6030000);
    CHECK_TRUE("what was left out is counted",
               strstr(logged(), "event=backend.down route=a backend=tcp://one:1 detail="
                                "\"connection refused\" suppressed=4\n") != NULL);
    upstream_free(u);
}

/* After a reload the routes stand elsewhere, and a backend has gone. */
static void test_inherit(void)
{
    static struct config_backend other[] = {{.text = SPAN_LIT("tcp://three:3")},
                                            {.text = SPAN_LIT("tcp://two:2")}};
    static struct config_route next_routes[] = {
        {.policy = {.name = SPAN_LIT("new")}, .backends = two, .backend_count = 2},
        {.policy = {.name = SPAN_LIT("a")}, .backends = other, .backend_count = 2},
    };
    static const struct config next = {.routes = next_routes, .route_count = COUNT(next_routes)};
    static const struct dial_outcome refused = {DIAL_REFUSED, "connection refused"};
    struct upstream *u = upstream_new(&config, NULL);
    struct upstream *v = upstream_new(&next, NULL);
    if (u == NULL || v == NULL) {
        GIVE_UP();
    }
    note(u, 0, 1, DIAL_REFUSED, 1000);
    (void)logged();
    upstream_inherit(v, u);
    upstream_free(u);
    upstream_note(v, &next_routes[1], 1, &refused, 90000);
    CHECK_EQ_STR("known", logged(), "");
    upstream_note(v, &next_routes[0], 1, &refused, 90000);
    CHECK_EQ_STR(
        "another route's", logged(),
        "event=backend.down route=new backend=tcp://two:2 detail=\"connection refused\"\n");
    upstream_free(v);
}

static void test_no_memory(void)
{
    for (uint64_t n = 1; n <= 3; n++) {
        size_t blocks = mem_live_blocks();
        mem_fail_after(n);
        CHECK_TRUE("no memory", upstream_new(&config, NULL) == NULL);
        mem_fail_after(0);
        CHECK_EQ_U64("no leak", mem_live_blocks(), blocks);
    }
}

static void test_all(void)
{
    log_open();
    test_each_backend();
    test_no_flood();
    test_inherit();
    log_init(-1, LOG_WARN, LOG_KEY_VALUE);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    test_no_memory();
}

CU_TestInfo upstream_tests[] = {
    {"each backend, no flood", test_all},
    CU_TEST_INFO_NULL,
};
