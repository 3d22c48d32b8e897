/* SPDX-License-Identifier: GPL-3.0-or-later */
// The answers of the gateway itself, over a pump whose client is one end of a socket pair.
#include "gate/answer.h"

#include "check.h"
#include "conn_pair.h"
#include "give_up.h"
#include "suites.h"

#define LARGE_BYTES ((uint64_t)3 * 1024 * 1024 + 17)

struct talk {
    struct reactor *reactor;
    struct scratch scratch;
    struct pump pump;
    int peer;
    uint8_t *said; // all that the client got
    size_t len;
    size_t cap;
};

static void on_ready(struct conn *conn, unsigned ready)
{
    (void)conn;
    (void)ready;
}

static void talk_open(struct talk *t)
{
    int near = -1;
    *t = (struct talk){.reactor = reactor_new(), .cap = LARGE_BYTES + 4096};
    t->said = malloc(t->cap);
    if (t->reactor == NULL || !scratch_init(&t->scratch) || t->said == NULL) {
        GIVE_UP();
    }
    t->peer = pair_sockets(&near);
    pump_init(&t->pump, &t->scratch, on_ready, on_ready);
    struct carrier carrier = carrier_of_socket(t->reactor, near);
    conn_open(&t->pump.client, &carrier, NULL);
}

static void talk_close(struct talk *t)
{
    conn_close(&t->pump.client);
    pump_done(&t->pump);
    close(t->peer);
    reactor_free(t->reactor);
    scratch_done(&t->scratch);
    free(t->said);
}

// Reads what is there. Returns false when nothing came.
static bool talk_read(struct talk *t)
{
    ssize_t got = recv(t->peer, t->said + t->len, t->cap - t->len, 0);
    if (got <= 0) {
        return false;
    }
    t->len += (size_t)got;
    return true;
}

// Flushes and reads until the queue is empty and `body` has nothing left.
static void talk_finish(struct talk *t, struct answer_body *body)
{
    size_t most_queued = 0;
    for (int idle = 0; idle < 1000;) {
        conn_uncork(&t->pump.client);
        (void)!conn_flush(&t->pump.client);
        if (body != NULL && t->pump.is_client_owed) {
            answer_more(&t->pump, body);
        }
        size_t queued = conn_queued(&t->pump.client);
        most_queued = queued > most_queued ? queued : most_queued;
        if (!talk_read(t)) {
            if (queued == 0 && (body == NULL || answer_is_done(body))) {
                idle += 100;
            }
            idle++;
            usleep(1000);
        }
    }
    CHECK_TRUE("the queue stays below its ceiling",
               most_queued <= t->pump.high_bytes + PUMP_OVERSHOOT_BYTES);
}

static const uint8_t *find_body(const struct talk *t, size_t *out_len)
{
    const uint8_t *end = memmem(t->said, t->len, "\r\n\r\n", 4);
    if (end == NULL) {
        *out_len = 0;
        return NULL;
    }
    *out_len = t->len - (size_t)(end + 4 - t->said);
    return end + 4;
}

static bool has_text(const struct talk *t, const char *text)
{
    return memmem(t->said, t->len, text, strlen(text)) != NULL;
}

static void test_status(void)
{
    static const struct {
        unsigned status;
        const char *line;
        const char *field; // a field that this status demands; NULL: none
    } rows[] = {
        {400, "HTTP/1.1 400 Bad Request\r\n", NULL},
        {401, "HTTP/1.1 401 Unauthorized\r\n", "\r\nWWW-Authenticate: Bearer\r\n"},
        {404, "HTTP/1.1 404 Not Found\r\n", NULL},
        {414, "HTTP/1.1 414 URI Too Long\r\n", NULL},
        {405, "HTTP/1.1 405 Method Not Allowed\r\n", "\r\nAllow: GET, HEAD\r\n"},
        {426, "HTTP/1.1 426 Upgrade Required\r\n",
         "\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"},
        {426, "HTTP/1.1 426 Upgrade Required\r\n", "\r\nConnection: Upgrade, close\r\n"},
        {501, "HTTP/1.1 501 Not Implemented\r\n", "\r\nConnection: close\r\n"},
        {505, "HTTP/1.1 505 HTTP Version Not Supported\r\n", NULL},
        {429, "HTTP/1.1 429 Too Many Requests\r\n", "\r\nRetry-After: 5\r\n"},
        {503, "HTTP/1.1 503 Service Unavailable\r\n", "\r\nRetry-After: 5\r\n"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct talk t;
        char length[64];
        size_t body_len;

        talk_open(&t);
        answer_status(&t.pump, rows[i].status, ANSWER_WHOLE, 0, (struct span){NULL, 0});
        talk_finish(&t, NULL);
        const uint8_t *body = find_body(&t, &body_len);
        CHECK_TRUE(rows[i].line,
                   t.len > 0 && memcmp(t.said, rows[i].line, strlen(rows[i].line)) == 0);
        CHECK_TRUE(rows[i].line, rows[i].field == NULL || has_text(&t, rows[i].field));
        snprintf(length, sizeof(length), "\r\nContent-Length: %zu\r\n", body_len);
        CHECK_TRUE(rows[i].line, body != NULL && has_text(&t, length));
        CHECK_FALSE(rows[i].line, has_text(&t, "Content-Security-Policy"));
        CHECK_TRUE(rows[i].line, has_text(&t, "\r\nDate: ") && has_text(&t, " GMT\r\n"));
        talk_close(&t);

        // The same head to HEAD, and nothing behind it.
        talk_open(&t);
        answer_status(&t.pump, rows[i].status, ANSWER_HEAD_ONLY, 0, (struct span){NULL, 0});
        talk_finish(&t, NULL);
        CHECK_TRUE(rows[i].line, has_text(&t, length));
        CHECK_TRUE(rows[i].line, find_body(&t, &body_len) != NULL && body_len == 0);
        talk_close(&t);
    }
}

// Bytes that nobody reads fill the kernel, then the queue past its mark. A refusal still goes out
// behind them, whole and at once.
static void test_status_behind_a_full_queue(void)
{
    static uint8_t block[16 * 1024];
    static const char want[] = "\r\n\r\n404 Not Found\n";
    struct talk t;

    memset(block, '.', sizeof(block));
    talk_open(&t);
    while (conn_queued(&t.pump.client) < t.pump.high_bytes) {
        pump_send_raw(&t.pump, block, sizeof(block));
    }
    answer_status(&t.pump, 404, ANSWER_WHOLE, 0, (struct span){NULL, 0});
    CHECK_FALSE("nothing is left to produce", t.pump.is_client_owed);
    talk_finish(&t, NULL);
    CHECK_TRUE("every byte", t.len > sizeof(want) && memcmp(t.said + t.len - (sizeof(want) - 1),
                                                            want, sizeof(want) - 1) == 0);
    talk_close(&t);
}

static size_t produce_letters(struct answer_body *body, uint8_t *out, size_t size)
{
    uint64_t left_bytes = LARGE_BYTES - body->at_bytes;
    size_t len = left_bytes < size ? (size_t)left_bytes : size;
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)('a' + (body->at_bytes + i) % 26);
    }
    return len;
}

static bool is_letters(const uint8_t *body, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (body[i] != 'a' + i % 26) {
            return false;
        }
    }
    return len == LARGE_BYTES;
}

// The body is much longer than any queue, and the client reads when it likes.
static void test_produced(void)
{
    static const uint64_t lengths[] = {LARGE_BYTES, ANSWER_LEN_UNKNOWN};

    for (size_t i = 0; i < 2; i++) {
        struct answer_body body = {.produce = produce_letters, .len_bytes = lengths[i]};
        const struct answer_http http = {.status = 200,
                                         .content_type = SPAN_LIT("text/plain"),
                                         .headers = SPAN_LIT("X-Page: its own\r\n")};
        struct talk t;
        size_t len;

        talk_open(&t);
        answer_http(&t.pump, &http, &body);
        CHECK_FALSE("not at once", answer_is_done(&body));
        CHECK_TRUE("the session is to be told", t.pump.is_client_owed);
        talk_finish(&t, &body);
        CHECK_TRUE("done", answer_is_done(&body) && !t.pump.is_client_owed);
        const uint8_t *got = find_body(&t, &len);
        CHECK_TRUE("every byte", got != NULL && is_letters(got, len));
        CHECK_TRUE("its headers", has_text(&t, "\r\nX-Page: its own\r\n"));
        CHECK_EQ_INT("length", has_text(&t, "Content-Length: 3145745\r\n"), i == 0);
        CHECK_EQ_INT("length", has_text(&t, "Content-Length"), i == 0);
        talk_close(&t);
    }
}

static void test_whole(void)
{
    static char page[300 * 1024];
    struct talk t;
    size_t len;

    memset(page, 'p', sizeof(page));
    struct answer_body body = answer_body_whole((struct span){page, sizeof(page)});
    const struct answer_http http = {.status = 200, .content_type = SPAN_LIT("text/html")};
    talk_open(&t);
    answer_http(&t.pump, &http, &body);
    talk_finish(&t, &body);
    const uint8_t *got = find_body(&t, &len);
    CHECK_EQ_MEM("page", got, len, page, sizeof(page));
    talk_close(&t);

    body = answer_body_whole((struct span){NULL, 0});
    talk_open(&t);
    answer_http(&t.pump, &http, &body);
    CHECK_TRUE("an empty body", answer_is_done(&body));
    talk_finish(&t, &body);
    CHECK_TRUE("an empty body", has_text(&t, "Content-Length: 0\r\n"));
    talk_close(&t);

    const struct answer_http to_head = {
        .status = 200, .content = ANSWER_HEAD_ONLY, .content_type = SPAN_LIT("text/html")};
    body = answer_body_whole((struct span){page, sizeof(page)});
    talk_open(&t);
    answer_http(&t.pump, &to_head, &body);
    CHECK_TRUE("to HEAD", answer_is_done(&body) && !t.pump.is_client_owed);
    talk_finish(&t, &body);
    CHECK_TRUE("to HEAD", has_text(&t, "Content-Length: 307200\r\n"));
    CHECK_TRUE("to HEAD", find_body(&t, &len) != NULL && len == 0);
    talk_close(&t);
}

// A client that is gone ends the body: no part waits for its turn.
static void test_broken(void)
{
    struct answer_body body = {.produce = produce_letters, .len_bytes = LARGE_BYTES};
    const struct answer_http http = {.status = 200, .content_type = SPAN_LIT("text/plain")};
    struct talk t;

    talk_open(&t);
    answer_http(&t.pump, &http, &body);
    t.pump.client.is_broken = true;
    uint64_t before_bytes = body.at_bytes;
    answer_more(&t.pump, &body);
    CHECK_EQ_U64("no part more", body.at_bytes, before_bytes);
    CHECK_FALSE("no turn", t.pump.is_client_owed);
    talk_close(&t);
}

static void test_101_and_close(void)
{
    static const char want[] = "HTTP/1.1 101 Switching Protocols\r\n"
                               "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                               "Sec-WebSocket-Protocol: binary\r\n\r\n"
                               "\x88\x0a\x03\xf0oops 0-5";
    struct talk t;

    talk_open(&t);
    answer_101(&t.pump, SPAN_LIT("dGhlIHNhbXBsZSBub25jZQ=="), SPAN_LIT("binary"), NULL);
    answer_close(&t.pump, 1008, SPAN_LIT("oops"), SPAN_LIT("0-5"));
    talk_finish(&t, NULL);
    CHECK_EQ_MEM("101 and Close", t.said, t.len, want, sizeof(want) - 1);
    talk_close(&t);
}

// Whoever comes again a moment too early is refused again: the seconds are rounded up.
static void test_retry_after(void)
{
    static const struct {
        uint64_t wait_ms;
        const char *field;
    } rows[] = {
        {0, "\r\nRetry-After: 5\r\n"},
        {1, "\r\nRetry-After: 1\r\n"},
        {1000, "\r\nRetry-After: 1\r\n"},
        {1001, "\r\nRetry-After: 2\r\n"},
        {86400000, "\r\nRetry-After: 86400\r\n"},
        {UINT64_C(2678400000), "\r\nRetry-After: 2678400\r\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct talk t;
        talk_open(&t);
        answer_status(&t.pump, 429, ANSWER_WHOLE, rows[i].wait_ms, (struct span){NULL, 0});
        talk_finish(&t, NULL);
        CHECK_TRUE(rows[i].field, has_text(&t, rows[i].field));
        talk_close(&t);
    }
}

/* The reason is cut between two characters; the id is whole, and the Close never too long. */
static void test_close_reasons(void)
{
    char text[200];
    for (size_t len = 0; len < sizeof(text); len++) {
        struct talk t;
        const struct span id = SPAN_LIT("12-345");
        for (size_t i = 0; i < len; i++) {
            text[i] = "a\xe2\x82\xac"[(i + len) % 4];
        }
        talk_open(&t);
        answer_close(&t.pump, 1008, (struct span){text, len}, id);
        talk_finish(&t, NULL);
        size_t told = t.len - 4;
        CHECK_TRUE("a Close of one frame", t.len >= 4 && told <= WS_CLOSE_REASON_MAX);
        if (len == 0) {
            CHECK_EQ_U64("an echo", told, 0);
        } else {
            size_t kept = told - id.len - 1;
            CHECK_EQ_MEM("the id", t.said + t.len - id.len, id.len, id.data, id.len);
            CHECK_EQ_INT("a blank", t.said[4 + kept], ' ');
            CHECK_EQ_MEM("the reason", t.said + 4, kept, text, kept);
            CHECK_TRUE("as much as fits", kept == len || kept + id.len + 1 + 3 > 123);
            CHECK_TRUE("whole characters", kept == len || (text[kept] & 0xC0) != 0x80);
        }
        talk_close(&t);
    }
}

CU_TestInfo answer_tests[] = {
    {"a status in words", test_status},
    {"a status behind a full queue", test_status_behind_a_full_queue},
    {"when to come again", test_retry_after},
    {"a body in parts", test_produced},
    {"a body that is whole", test_whole},
    {"a client that is gone", test_broken},
    {"101 and Close", test_101_and_close},
    {"the reason of a Close", test_close_reasons},
    CU_TEST_INFO_NULL,
};
