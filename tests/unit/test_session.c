/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A session from its first byte to its last: the opening, refusals, pages, deadlines. The tests
 * look at what client and backend see, and at the ending. */

#include "session_kit.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CLOSE_1000 "\x88\x02\x03\xe8"

/* --- the opening ------------------------------------------------------------------------------*/

/* The head comes in two pieces, cut everywhere. */
static void test_opening(void)
{
    static const char head[] = KIT_ECHO;
    for (size_t cut = 0; cut < sizeof(head) - 1; cut += cut < 8 ? 1 : 7) {
        struct kit k;
        kit_open(&k, "", "");
        size_t blocks = mem_live_blocks();
        memory_push(&k.client, head, cut);
        CHECK_TRUE("start", kit_start(&k));
        kit_settle(&k);
        CHECK_EQ_U64("no answer to half a head", kit_client_heard.len, 0);
        kit_client_says(&k, head + cut);
        CHECK_TRUE("answered", kit_until(&k, kit_is_answered));
        CHECK_TRUE("accept key", memmem(kit_client_heard.data, kit_client_heard.len,
                                        KIT_ACCEPT_LINE, strlen(KIT_ACCEPT_LINE)) != NULL);
        CHECK_EQ_U64("status", kit_take_answer(&k), 101);
        CHECK_EQ_U64("counted", k.context.scoreboard->slots[0].sessions_now, 1);
        kit_client_frame(&k, 0x81, "hello", 5);
        kit_client_frame(&k, 0x89, "p", 1);
        kit_client_closes(&k);
        CHECK_TRUE("FIN", kit_until(&k, kit_has_fin));
        kit_heard_is("echo, Pong, Close", "\x81\x05hello\x8a\x01p" CLOSE_1000, 14);
        k.client.is_in_fin = true;
        CHECK_TRUE("gone", kit_until(&k, kit_is_gone));
        CHECK_EQ_U64("blocks", mem_live_blocks(), blocks);
        kit_close("opening", &k, LIFE_CLIENT_CLOSE);
    }
}

/* --- a reload ---------------------------------------------------------------------------------*/

static struct config *other_config(const char *route)
{
    char text[512];
    struct report report;
    snprintf(text, sizeof(text),
             "[listen l]\naddress = 127.0.0.1:1\n[route echo]\npath = %s\n"
             "origins = none\nbackend = echo:\n",
             route);
    struct config *config = config_parse(span_from_str(text), &report);
    report_done(&report);
    memory_expect(config != NULL, "another configuration");
    return config;
}

/* An open session keeps the configuration that it began with, though nobody else does. */
static void test_reload_open(void)
{
    struct kit k;
    kit_open(&k, "", "");
    if (kit_connect("open", &k, KIT_ECHO)) {
        struct config *before = k.config;
        k.config = other_config("/other");
        k.context.config = k.config;
        config_free(before);
        kit_client_frame(&k, 0x81, "hello", 5);
        kit_client_closes(&k);
        CHECK_TRUE("FIN", kit_until(&k, kit_has_fin));
        kit_heard_is("echo, Close", "\x81\x05hello" CLOSE_1000, 11);
        k.client.is_in_fin = true;
        CHECK_TRUE("gone", kit_until(&k, kit_is_gone));
    }
    kit_close("reload, open", &k, LIFE_CLIENT_CLOSE);
}

/* reload = drain: a session whose route has another value for a key ends, no other one. */
static void test_reload_drain(void)
{
    struct kit k;
    kit_open(&k, "", "");
    if (kit_connect("drain", &k, KIT_ECHO)) {
        struct config *before = k.config;
        CHECK_EQ_U64("in force", session_end_changed(&k.context, LIFE_DRAIN, 5), 0);
        k.config = other_config("/echo");
        k.context.config = k.config;
        CHECK_EQ_U64("origins", session_end_changed(&k.context, LIFE_DRAIN, 5), 1);
        CHECK_EQ_U64("once", session_end_changed(&k.context, LIFE_DRAIN, 5), 0);
        config_free(before);
        kit_client_leaves(&k);
    }
    kit_close("reload, drain", &k, LIFE_DRAIN);
}

/* The configuration in force judges a request, on a connection that is older too. */
static void test_reload_request(void)
{
    static const char head[] = KIT_ECHO;
    struct kit k;
    kit_open(&k, "", "");
    memory_push(&k.client, head, 10);
    CHECK_TRUE("start", kit_start(&k));
    kit_settle(&k);
    struct config *before = k.config;
    k.config = other_config("/other");
    k.context.config = k.config;
    config_free(before);
    kit_client_says(&k, head + 10);
    CHECK_TRUE("answered", kit_until(&k, kit_is_answered));
    CHECK_EQ_U64("status", kit_take_answer(&k), 101);
    kit_client_closes(&k);
    k.client.is_in_fin = true;
    CHECK_TRUE("gone", kit_until(&k, kit_is_gone));
    kit_close("reload, request", &k, LIFE_NO_ROUTE);
}

static void test_refusals(void)
{
    static const struct {
        const char *name;
        const char *request;
        const char *keys;
        bool is_draining;
        unsigned status;
        const char *close; /* the bytes behind the 101 */
        enum life_ending ending;
    } rows[] = {
        {"no route", KIT_REQUEST("/no", ""), "", false, 101, "\x88\x13\x03\xf0no such route 0-0",
         LIFE_NO_ROUTE},
        {"origin", KIT_REQUEST("/echo", "Origin: https://no.example\r\n"), "", false, 101,
         "\x88\x18\x03\xf0origin not allowed 0-0", LIFE_ORIGIN},
        {"origin, by status", KIT_REQUEST("/echo", "Origin: https://no.example\r\n"),
         "on_refuse = http", false, 403, NULL, LIFE_ORIGIN},
        {"source", KIT_ECHO, "deny = 192.0.2.0/24", false, 101,
         "\x88\x19\x03\xf0"
         "address not allowed 0-0",
         LIFE_SOURCE},
        {"subprotocol", KIT_ECHO, "subprotocols = chat", false, 101,
         "\x88\x1f\x03\xf0no acceptable subprotocol 0-0", LIFE_SUBPROTOCOL},
        {"draining", KIT_ECHO, "", true, 101, "\x88\x13\x03\xe9shutting down 0-0", LIFE_SHUTDOWN},
        {"backend refused", KIT_REQUEST("/closed", ""), "", false, 101,
         "\x88\x19\x03\xf3"
         "backend unavailable 0-0",
         LIFE_BACKEND_REFUSED},
        {"backend refused, by status", KIT_REQUEST("/closed", ""), "on_refuse = http", false, 502,
         NULL, LIFE_BACKEND_REFUSED},
        {"no key",
         "GET /echo HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Version: 13\r\n\r\n",
         "", false, 400, NULL, LIFE_BAD_REQUEST},
        {"no upgrade", "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n", "", false, 426, NULL,
         LIFE_BAD_REQUEST},
        {"not HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n", "", false, 400, NULL, LIFE_BAD_REQUEST},
        {"bytes behind the head", KIT_ECHO "x", "", false, 400, NULL, LIFE_BAD_REQUEST},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct kit k;
        kit_open(&k, "", rows[i].keys);
        k.context.is_draining = rows[i].is_draining;
        kit_client_says(&k, rows[i].request);
        CHECK_TRUE(rows[i].name, kit_start(&k));
        CHECK_EQ_U64(rows[i].name, kit_take_answer(&k), rows[i].status);
        kit_settle(&k);
        if (rows[i].close != NULL) {
            kit_heard_is(rows[i].name, rows[i].close, strlen(rows[i].close));
            kit_client_leaves(&k);
        } else {
            CHECK_TRUE(rows[i].name, kit_until(&k, kit_has_fin));
            k.client.is_in_fin = true;
        }
        kit_close(rows[i].name, &k, rows[i].ending);
        CHECK_EQ_INT(rows[i].name, k.backend, -1);
    }
}

static void test_full(void)
{
    struct kit k;
    kit_open(&k, "max_sessions = 1", "");
    scoreboard_add(&k.context.scoreboard->slots[0].sessions_now, 1);
    kit_client_says(&k, KIT_TCP);
    CHECK_TRUE("start", kit_start(&k));
    CHECK_EQ_U64("full", kit_take_answer(&k), 101);
    kit_settle(&k);
    kit_heard_is("full", "\x88\x15\x03\xf5try again later 0-0", 23);
    scoreboard_sub(&k.context.scoreboard->slots[0].sessions_now, 1);
    kit_client_leaves(&k);
    kit_close("full", &k, LIFE_FULL);
}

/* Whichever allocation fails, the session ends in order or does not notice. */
static void test_no_memory(void)
{
    for (unsigned nth = 1; nth <= 12; nth++) {
        struct kit k;
        kit_open(&k, "", "compression = on");
        size_t blocks = mem_live_blocks();
        kit_client_says(&k,
                        KIT_REQUEST("/tcp", "Sec-WebSocket-Extensions: permessage-deflate\r\n"));
        mem_fail_after(nth);
        bool is_started = kit_start(&k);
        CHECK_EQ_INT("the session itself", is_started, nth > 1);
        if (is_started) {
            kit_settle(&k);
            mem_fail_after(0);
            kit_client_frame(&k, 0x88, "", 0);
            kit_settle(&k);
            k.is_backend_ending = true;
            k.client.is_in_fin = true;
            CHECK_TRUE("gone", kit_until(&k, kit_is_gone));
        }
        mem_fail_after(0);
        CHECK_TRUE("closed", k.client.state > MEMORY_OPEN);
        CHECK_EQ_U64("blocks", mem_live_blocks(), blocks);
        uint64_t endings = kit_endings(&k, LIFE_INTERNAL) + kit_endings(&k, LIFE_CLIENT_CLOSE);
        CHECK_EQ_U64("its reason", endings, is_started ? 1 : 0);
        kit_drop(&k);
    }
}

/* --- a page longer than any queue --------------------------------------------------------------*/

#define PAGE_BYTES ((size_t)1500 * 1000)

static struct span letters(void)
{
    static char body[PAGE_BYTES];
    for (size_t i = 0; i < PAGE_BYTES; i++) {
        body[i] = (char)('a' + i % 26);
    }
    return (struct span){body, PAGE_BYTES};
}

static bool find_letters(const struct page_question *question, struct page *out)
{
    *out = (struct page){
        .status = 200,
        .content_type = SPAN_LIT("text/plain"),
        .headers = SPAN_LIT("X-Page: own\r\n"),
        .body = answer_body_whole(letters()),
    };
    return span_is_equal(question->request->path, SPAN_LIT("/long"));
}

/* The kernel takes a little at a time, or everything at once. */
static void test_long_page(void)
{
    static const size_t steps[] = {7000, MEMORY_ALL};
    for (size_t i = 0; i < COUNT(steps); i++) {
        struct kit k;
        kit_open(&k, "", "");
        k.context.find_page = find_letters;
        k.client.budget_bytes = steps[i];
        kit_client_says(&k, "GET /long HTTP/1.1\r\nHost: h\r\n\r\n");
        CHECK_TRUE("start", kit_start(&k));
        for (int turns = 0; !k.client.has_fin && turns < 10000; turns++) {
            k.client.budget_bytes = steps[i];
            kit_turn(&k);
        }
        CHECK_TRUE("its own header", memmem(kit_client_heard.data, kit_client_heard.len,
                                            "\r\nX-Page: own\r\n", 15) != NULL);
        CHECK_EQ_U64("status", kit_take_answer(&k), 200);
        kit_heard_is("every byte", letters().data, PAGE_BYTES);
        k.client.is_in_fin = true;
        kit_close("page", &k, LIFE_PAGE);
    }
}

/* HEAD gets the head that GET gets, and nothing behind it. */
static void test_page_to_head(void)
{
    static const char *const requests[] = {"HEAD /long HTTP/1.1\r\nHost: h\r\n\r\n",
                                           "HEAD /long HTTP/1.0\r\n\r\n"};
    for (size_t i = 0; i < COUNT(requests); i++) {
        struct kit k;
        char length[64];
        kit_open(&k, "", "");
        k.context.find_page = find_letters;
        kit_client_says(&k, requests[i]);
        CHECK_TRUE("start", kit_start(&k));
        CHECK_TRUE("FIN", kit_until(&k, kit_has_fin));
        int len = snprintf(length, sizeof(length), "\r\nContent-Length: %zu\r\n", PAGE_BYTES);
        CHECK_TRUE("its length", memmem(kit_client_heard.data, kit_client_heard.len, length,
                                        (size_t)len) != NULL);
        CHECK_EQ_U64("status", kit_take_answer(&k), 200);
        CHECK_EQ_U64("nothing behind", kit_client_heard.len, 0);
        k.client.is_in_fin = true;
        kit_close("page", &k, LIFE_PAGE);
    }
}

/* A client whose kernel is full. One that takes a byte now and then gets all of the page however
 * long that lasts; one that takes nothing sees a reset, because a FIN would end the page. */
static void test_slow_reader(void)
{
    for (int is_taking = 0; is_taking < 2; is_taking++) {
        const char *row = is_taking ? "slow" : "stuck";
        struct kit k;
        kit_open(&k, "", "close_timeout = 200ms");
        k.context.find_page = find_letters;
        k.client.budget_bytes = PAGE_BYTES / 3;
        k.client.is_ack_frozen = true;
        kit_client_says(&k, "GET /long HTTP/1.1\r\nHost: h\r\n\r\n");
        CHECK_TRUE(row, kit_start(&k));
        uint64_t begin_ms = reactor_now_ms(k.context.reactor);
        uint64_t now_ms = begin_ms;
        while (!kit_is_gone(&k) && now_ms - begin_ms < 1000) {
            uint64_t before_ms = now_ms;
            kit_turn(&k);
            now_ms = reactor_now_ms(k.context.reactor);
            k.client.acked_bytes +=
                is_taking && now_ms > before_ms && k.client.acked_bytes < k.client.sent_bytes;
        }
        CHECK_EQ_INT(row, kit_is_gone(&k), !is_taking);
        CHECK_EQ_INT(row, k.client.state == MEMORY_ABORTED, !is_taking);
        if (is_taking) {
            k.client.budget_bytes = MEMORY_ALL;
            for (int turns = 0; !k.client.has_fin && turns < 10000; turns++) {
                kit_turn(&k);
            }
            CHECK_EQ_U64(row, kit_take_answer(&k), 200);
            kit_heard_is(row, letters().data, PAGE_BYTES);
            k.client.is_in_fin = true;
        }
        kit_close(row, &k, LIFE_PAGE);
    }
}

/* --- deadlines --------------------------------------------------------------------------------*/

/* `client` is what the client does after its request; SILENT sends none. */
static void test_deadlines(void)
{
    enum client { SILENT, QUIET, STUCK, CLOSE_ONLY };
    static const struct {
        const char *name;
        const char *server;
        const char *route;
        enum client client;
        const char *heard;
        size_t heard_len;
        bool is_aborted;
        enum life_ending ending;
    } rows[] = {
        {"request_timeout", "request_timeout = 30ms", "", SILENT, NULL, 0, false,
         LIFE_HEAD_TOO_SLOW},
        {"idle_timeout", "", "idle_timeout = 30ms\nclose_timeout = 10ms", QUIET,
         "\x88\x0a\x03\xe9"
         "idle 0-0",
         12, false, LIFE_IDLE},
        {"max_age", "", "max_age = 30ms\nclose_timeout = 10ms", QUIET,
         "\x88\x0d\x03\xe9"
         "max age 0-0",
         15, false, LIFE_MAX_AGE},
        {"pong_timeout", "", "ping_interval = 15ms\npong_timeout = 15ms", QUIET, "\x89\x00", 2,
         true, LIFE_CLIENT_LOST},
        {"write_timeout", "", "write_timeout = 30ms", STUCK, "", 0, true, LIFE_CLIENT_STALLED},
        {"close_timeout", "", "close_timeout = 30ms", CLOSE_ONLY, CLOSE_1000, 4, false,
         LIFE_CLIENT_CLOSE},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct kit k;
        kit_open(&k, rows[i].server, rows[i].route);
        uint64_t begin_ms = reactor_now_ms(k.context.reactor);
        if (rows[i].client == SILENT) {
            CHECK_TRUE(rows[i].name, kit_start(&k));
            CHECK_EQ_U64(rows[i].name, kit_take_answer(&k), 408);
        } else if (!kit_connect(rows[i].name, &k, KIT_TCP)) {
            return;
        }
        k.client.is_ack_frozen = true;
        if (rows[i].client == STUCK) {
            k.client.budget_bytes = 0;
            kit_backend_says(&k, "x", 1);
        } else if (rows[i].client == CLOSE_ONLY) {
            kit_client_closes(&k);
        }
        while (rows[i].client != SILENT && !kit_is_gone(&k) && !k.client.has_fin &&
               reactor_now_ms(k.context.reactor) - begin_ms < 60000) { /* a lost deadline fails */
            kit_turn(&k);
        }
        CHECK_TRUE("not early", reactor_now_ms(k.context.reactor) - begin_ms >= 30);
        if (rows[i].heard != NULL) {
            kit_heard_is(rows[i].name, rows[i].heard, rows[i].heard_len);
        }
        k.client.is_in_fin = true;
        k.is_backend_ending = true;
        CHECK_TRUE(rows[i].name, kit_until(&k, kit_is_gone));
        CHECK_EQ_INT(rows[i].name, k.client.state == MEMORY_ABORTED, rows[i].is_aborted);
        kit_close(rows[i].name, &k, rows[i].ending);
    }
}

/* A client that takes a byte now and then, for ever: behind a Close of ours, and of a page. The
 * kernel acknowledges each byte, so nothing ever stalls. */
static void test_end_timeout(void)
{
    for (int is_page = 0; is_page < 2; is_page++) {
        const char *row = is_page ? "page" : "Close";
        struct kit k;
        kit_open(&k, "", "end_timeout = 60ms\nclose_timeout = 1h\nwrite_timeout = 1h");
        k.context.find_page = find_letters;
        if (is_page) {
            kit_client_says(&k, "GET /long HTTP/1.1\r\nHost: h\r\n\r\n");
            k.client.budget_bytes = 1;
            CHECK_TRUE(row, kit_start(&k));
        } else if (kit_connect(row, &k, KIT_TCP)) {
            static const uint8_t last[30000];
            kit_backend_says(&k, last, sizeof(last));
            k.is_backend_ending = true;
        }
        uint64_t begin_ms = reactor_now_ms(k.context.reactor);
        uint64_t now_ms = begin_ms;
        while (!kit_is_gone(&k) && now_ms - begin_ms < 60000) {
            k.client.budget_bytes = now_ms != reactor_now_ms(k.context.reactor);
            now_ms = reactor_now_ms(k.context.reactor);
            kit_turn(&k);
        }
        CHECK_TRUE(row, reactor_now_ms(k.context.reactor) - begin_ms >= 60);
        CHECK_EQ_INT("a FIN would say that it was all", k.client.state, MEMORY_ABORTED);
        kit_close(row, &k, is_page ? LIFE_PAGE : LIFE_BACKEND_CLOSE);
    }
}

/* Nobody says anything, but the client goes on taking what the kernel holds for it. */
static void test_not_idle(void)
{
    struct kit k;
    kit_open(&k, "", "idle_timeout = 30ms\nclose_timeout = 10ms");
    if (!kit_connect("not idle", &k, KIT_TCP)) {
        return;
    }
    static const uint8_t block[30000];
    kit_backend_says(&k, block, sizeof(block));
    k.client.is_ack_frozen = true;
    uint64_t begin_ms = reactor_now_ms(k.context.reactor);
    uint64_t now_ms = begin_ms;
    while (now_ms - begin_ms < 300) {
        kit_turn(&k);
        k.client.acked_bytes += now_ms != reactor_now_ms(k.context.reactor) &&
                                k.client.acked_bytes < k.client.sent_bytes;
        now_ms = reactor_now_ms(k.context.reactor);
    }
    CHECK_FALSE("not idle", k.client.has_fin || kit_is_gone(&k));
    CHECK_TRUE("idle", kit_until(&k, kit_has_fin));
    k.client.is_in_fin = true;
    k.is_backend_ending = true;
    kit_close("not idle", &k, LIFE_IDLE);
}

/* Each Pong comes in time, so the session goes on. */
static void test_pongs(void)
{
    struct kit k;
    size_t pings = 0;
    kit_open(&k, "", "ping_interval = 10ms\npong_timeout = 1h");
    if (!kit_connect("pongs", &k, KIT_ECHO)) {
        return;
    }
    for (int tries = 0; tries < KIT_WAIT_MS && pings < 3; tries++) {
        kit_turn(&k);
        if (kit_client_heard.len > 0) {
            kit_heard_is("an empty Ping", "\x89\x00", 2);
            kit_client_heard.len = 0;
            kit_client_frame(&k, 0x8a, "", 0);
            pings++;
        }
        usleep(1000);
    }
    CHECK_EQ_U64("pings", pings, 3);
    k.client.is_in_fin = true;
    kit_close("pongs", &k, LIFE_CLIENT_EOF);
}

CU_TestInfo session_tests[] = {
    {"an open session keeps its configuration", test_reload_open},
    {"a reload ends sessions of other routes", test_reload_drain},
    {"the configuration in force judges a request", test_reload_request},
    {"the opening, cut everywhere", test_opening},
    {"refusals", test_refusals},
    {"no room for another session", test_full},
    {"every allocation fails once", test_no_memory},
    {"a page longer than any queue", test_long_page},
    {"a page to HEAD", test_page_to_head},
    {"a page to a slow reader", test_slow_reader},
    {"deadlines", test_deadlines},
    {"a client that takes its end for ever", test_end_timeout},
    {"slow is not idle", test_not_idle},
    {"Pongs in time", test_pongs},
    CU_TEST_INFO_NULL,
};
