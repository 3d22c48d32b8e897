/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A connection with TLS. test_tls.c tests decrypting and sealing; this file tests queues and
 * ends. */
#include "base/mem.h"
#include "check.h"
#include "conn_pair.h"
#include "give_up.h"
#include "io/conn.h"
#include "suites.h"
#include "tls_kit.h"

#define LIMIT ((size_t)1024 * 1024)

static uint8_t pattern[512 * 1024];

static void fill_pattern(void)
{
    uint32_t x = 3;
    for (size_t i = 0; i < sizeof(pattern); i++) {
        x = x * 1664525 + 1013904223;
        pattern[i] = (uint8_t)(x >> 24);
    }
}

struct secure {
    struct pair p;
    struct tls_context *context;
    struct kit_client client;
    struct kit_queue heard; /* plain bytes that came out of conn_read */
    enum conn_result last;  /* the last result of conn_read */
    ssize_t peer_last;      /* the last result of the peer's recv */
    uint64_t said_bytes;    /* what the client has put on the wire */
    uint64_t heard_bytes;   /* what has come from the connection on the wire */
    size_t max_bytes;       /* one conn_read asks for at most so many bytes */
};

/* Puts the client's bytes on the wire; the connection reads them all. */
static void talk(struct secure *s)
{
    struct kit_queue *out = &s->client.out;
    uint8_t *data = NULL;
    size_t len = 0;
    do {
        ssize_t sent = -1;
        if (kit_left(out) > 0) {
            sent = send(s->p.peer, out->data + out->taken, kit_left(out), MSG_NOSIGNAL);
        }
        out->taken += sent > 0 ? (size_t)sent : 0;
        s->said_bytes += sent > 0 ? (size_t)sent : 0;
        if (s->p.conn.received_bytes < s->said_bytes) {
            struct pollfd pfd = {.fd = s->p.near, .events = POLLIN};
            (void)poll(&pfd, 1, PAIR_WAIT_MS);
        }
        s->last = conn_read(&s->p.conn, s->max_bytes, &data, &len);
        kit_put(&s->heard, data, len);
    } while (s->last == CONN_OK);
}

/* Puts all that the connection has sent, FIN too, into the client's queue. Returns how much it
 * was. */
static size_t listen_in(struct secure *s)
{
    uint8_t data[8192];
    size_t got = 0;
    s->peer_last = -1;
    while (s->heard_bytes < s->p.conn.sent_bytes || s->p.conn.is_fin_sent) {
        s->peer_last = pair_peer_read(&s->p, data, sizeof(data));
        if (s->peer_last <= 0) {
            break;
        }
        kit_put(&s->client.in, data, (size_t)s->peer_last);
        s->heard_bytes += (size_t)s->peer_last;
        got += (size_t)s->peer_last;
    }
    return got;
}

static bool shake(struct secure *s)
{
    for (int i = 0; i < 10; i++) {
        if (wolfSSL_connect(s->client.ssl) == WOLFSSL_SUCCESS) {
            talk(s);
            return tls_is_established(s->p.conn.tls);
        }
        talk(s);
        (void)listen_in(s);
    }
    return false;
}

static void secure_open(struct secure *s, int version, size_t limit_bytes, size_t max_bytes)
{
    struct kit_wish wish = {.only_version = version};
    memset(s, 0, sizeof(*s));
    s->max_bytes = max_bytes;
    s->context = kit_context(KIT_EC, TLS_1_2);
    struct tls *tls = tls_new(s->context);
    if (tls == NULL) {
        GIVE_UP();
    }
    pair_open(&s->p, limit_bytes, tls);
    kit_client_open(&s->client, &wish);
    if (!CHECK_TRUE("handshake", shake(s))) {
        GIVE_UP();
    }
}

static void secure_close(struct secure *s)
{
    pair_close(&s->p);
    kit_client_close(&s->client);
    kit_empty(&s->heard);
    tls_context_free(s->context);
}

/* Reads all that the client can decrypt. Returns what ended the reading. */
static int client_read(struct secure *s, struct kit_queue *into)
{
    static uint8_t data[16384];
    for (;;) {
        int returned = wolfSSL_read(s->client.ssl, data, (int)sizeof(data));
        if (returned <= 0) {
            return wolfSSL_get_error(s->client.ssl, returned);
        }
        kit_put(into, data, (size_t)returned);
    }
}

/* Flushes until nothing waits, and the client reads it all. Returns what ended the reading. */
static int empty_queue(struct secure *s, struct kit_queue *into)
{
    int error = 0;
    do {
        struct pollfd pfd = {.fd = s->p.near, .events = POLLOUT};
        (void)poll(&pfd, 1, PAIR_WAIT_MS);
        enum conn_result flushed = conn_flush(&s->p.conn);
        CHECK_EQ_INT("flush", flushed, conn_queued(&s->p.conn) > 0 ? CONN_AGAIN : CONN_OK);
        (void)listen_in(s);
        error = client_read(s, into);
    } while (conn_queued(&s->p.conn) > 0);
    return error;
}

static void client_write(struct secure *s, const void *data, size_t len)
{
    if (wolfSSL_write(s->client.ssl, data, (int)len) != (int)len) {
        GIVE_UP();
    }
}

static const int versions[] = {WOLFSSL_TLSV1_2, WOLFSSL_TLSV1_3};

static void test_echo_at_every_cut(void)
{
    static const size_t cuts[] = {1, 5, 100, 4097, SIZE_MAX};
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        for (size_t v = 0; v < 2; v++) {
            struct secure s;
            struct kit_queue got = {0};
            secure_open(&s, versions[v], LIMIT, cuts[i]);
            client_write(&s, pattern, 1000);
            client_write(&s, pattern + 1000, 3000);
            talk(&s);
            CHECK_EQ_INT("read", s.last, CONN_AGAIN);
            CHECK_EQ_MEM("heard", s.heard.data, s.heard.len, pattern, 4000);
            struct iovec three[3] = {{.iov_base = s.heard.data, .iov_len = 1500},
                                     {.iov_base = NULL, .iov_len = 0},
                                     {.iov_base = s.heard.data + 1500, .iov_len = 2500}};
            CHECK_EQ_INT("send", conn_send(&s.p.conn, three, 3), CONN_OK);
            (void)listen_in(&s);
            CHECK_EQ_INT("client", client_read(&s, &got), WOLFSSL_ERROR_WANT_READ);
            CHECK_EQ_MEM("echo", got.data, got.len, pattern, 4000);
            kit_empty(&got);
            secure_close(&s);
        }
    }
}

/* At first the client reads nothing, but asks for new keys; the connection answers in order. */
static void test_slow_reader(void)
{
    for (size_t v = 0; v < 2; v++) {
        struct secure s;
        struct kit_queue got = {0};
        secure_open(&s, versions[v], LIMIT, SIZE_MAX);
        uint64_t before = s.p.conn.sent_bytes;
        for (size_t at = 0; at < sizeof(pattern); at += SCRATCH_GATHER / 3) {
            size_t len = sizeof(pattern) - at;
            len = len < SCRATCH_GATHER / 3 ? len : SCRATCH_GATHER / 3;
            struct iovec two[2] = {{.iov_base = pattern + at, .iov_len = len / 3},
                                   {.iov_base = pattern + at + len / 3, .iov_len = len - len / 3}};
            CHECK_EQ_INT("send", conn_send(&s.p.conn, two, 2), CONN_OK);
            if (versions[v] == WOLFSSL_TLSV1_3) {
                CHECK_EQ_INT("key update", wolfSSL_update_keys(s.client.ssl), WOLFSSL_SUCCESS);
                talk(&s);
                CHECK_EQ_INT("key update", s.last, CONN_AGAIN);
            }
        }
        CHECK_TRUE("some wait", conn_queued(&s.p.conn) > 0);
        CHECK_EQ_INT("client", empty_queue(&s, &got), WOLFSSL_ERROR_WANT_READ);
        CHECK_TRUE("in order",
                   got.len == sizeof(pattern) && memcmp(got.data, pattern, got.len) == 0);
        CHECK_TRUE("counted", s.p.conn.sent_bytes - before > sizeof(pattern));
        kit_empty(&got);
        secure_close(&s);
    }
}

static void test_most_in_one_call(void)
{
    struct secure s;
    struct kit_queue got = {0};
    secure_open(&s, WOLFSSL_TLSV1_2, LIMIT, SIZE_MAX);
    CHECK_EQ_INT("send", pair_send(&s.p, pattern, SCRATCH_GATHER), CONN_OK);
    CHECK_EQ_INT("client", empty_queue(&s, &got), WOLFSSL_ERROR_WANT_READ);
    CHECK_TRUE("all", got.len == SCRATCH_GATHER && memcmp(got.data, pattern, got.len) == 0);
    kit_empty(&got);
    secure_close(&s);
}

/* --- ends ---------------------------------------------------------------------------------- */

static void test_bytes_with_the_end(void)
{
    for (size_t v = 0; v < 2; v++) {
        struct secure s;
        uint8_t *data = NULL;
        size_t len = 0;
        secure_open(&s, versions[v], LIMIT, SIZE_MAX);
        client_write(&s, "bye", 3);
        (void)wolfSSL_shutdown(s.client.ssl);
        talk(&s);
        CHECK_EQ_INT("close_notify", s.last, CONN_EOF);
        CHECK_EQ_MEM("bytes with it", s.heard.data, s.heard.len, "bye", 3);
        CHECK_EQ_INT("peer", send(s.p.peer, "rubbish", 7, 0), 7);
        CHECK_EQ_INT("thrown away", pair_read(&s.p, &data, &len), CONN_OK);
        CHECK_EQ_U64("thrown away", len, 0);
        CHECK_EQ_INT("sending goes on", pair_send(&s.p, "ok", 2), CONN_OK);
        shutdown(s.p.peer, SHUT_WR);
        CHECK_EQ_INT("FIN", pair_read(&s.p, &data, &len), CONN_EOF);
        secure_close(&s);
    }
}

static void test_truncated(void)
{
    struct secure s;
    secure_open(&s, WOLFSSL_TLSV1_3, LIMIT, SIZE_MAX);
    client_write(&s, "bye", 3);
    s.client.out.len--; /* the last byte of the record never comes */
    talk(&s);
    CHECK_EQ_U64("no bytes", s.heard.len, 0);
    shutdown(s.p.peer, SHUT_WR);
    uint8_t *data = NULL;
    size_t len = 0;
    CHECK_EQ_INT("FIN without close_notify", pair_read(&s.p, &data, &len), CONN_EOF);
    secure_close(&s);
}

static void test_failure(void)
{
    static const uint8_t bad_record[] = {23, 3, 3, 0, 32, [36] = 1};
    struct secure s;
    struct kit_queue got = {0};
    uint8_t *data = NULL;
    size_t len = 0;
    secure_open(&s, WOLFSSL_TLSV1_3, LIMIT, SIZE_MAX);
    kit_put(&s.client.out, bad_record, sizeof(bad_record));
    talk(&s);
    CHECK_EQ_INT("bad MAC", s.last, CONN_TLS_FAILED);
    CHECK_TRUE("an alert was sent", listen_in(&s) > 0);
    CHECK_TRUE("which the client can read", client_read(&s, &got) != WOLFSSL_ERROR_WANT_READ);
    CHECK_EQ_INT("peer", send(s.p.peer, "more", 4, 0), 4);
    CHECK_EQ_INT("thrown away", pair_read(&s.p, &data, &len), CONN_OK);
    CHECK_EQ_U64("thrown away", len, 0);
    conn_finish(&s.p.conn);
    CHECK_EQ_U64("nothing more", listen_in(&s), 0);
    CHECK_EQ_INT("but FIN", s.peer_last, 0);
    kit_empty(&got);
    secure_close(&s);

    secure_open(&s, WOLFSSL_TLSV1_3, LIMIT, SIZE_MAX);
    kit_put(&s.client.out, bad_record, sizeof(bad_record));
    talk(&s);
    CHECK_EQ_INT("nothing is sealed", pair_send(&s.p, "x", 1), CONN_RESET);
    secure_close(&s);
}

static void test_garbage_before_the_handshake(void)
{
    static const char *const rows[] = {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\x16\x03\x01\xff\xff",
                                       "\x80\x2e\x01\x03\x01"};
    struct tls_context *context = kit_context(KIT_EC, TLS_1_2);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pair p;
        uint8_t *data = NULL;
        size_t len = 0;
        pair_open(&p, LIMIT, tls_new(context));
        CHECK_TRUE(rows[i], send(p.peer, rows[i], strlen(rows[i]), 0) > 0);
        CHECK_EQ_INT(rows[i], pair_read(&p, &data, &len), CONN_TLS_FAILED);
        CHECK_EQ_U64(rows[i], len, 0);
        CHECK_EQ_INT(rows[i], pair_send(&p, "x", 1), CONN_RESET);
        pair_close(&p);
    }
    tls_context_free(context);
}

static void test_finish(void)
{
    for (size_t v = 0; v < 4; v++) {
        struct secure s;
        struct kit_queue got = {0};
        size_t len = v < 2 ? 10 : sizeof(pattern) / 4; /* it fits, or it waits */
        secure_open(&s, versions[v % 2], LIMIT, SIZE_MAX);
        CHECK_EQ_INT("send", pair_send(&s.p, pattern, len), CONN_OK);
        CHECK_EQ_INT("waits", conn_queued(&s.p.conn) > 0, v >= 2);
        conn_finish(&s.p.conn);
        conn_finish(&s.p.conn);
        CHECK_EQ_INT("FIN at once", s.p.conn.is_fin_sent, v < 2);
        CHECK_EQ_INT("thrown away", pair_send(&s.p, "late", 4), CONN_OK);
        int error = empty_queue(&s, &got);
        CHECK_EQ_INT("close_notify", error, WOLFSSL_ERROR_ZERO_RETURN);
        CHECK_TRUE("after every byte", got.len == len && memcmp(got.data, pattern, len) == 0);
        CHECK_EQ_INT("FIN", s.peer_last, 0);
        (void)wolfSSL_shutdown(s.client.ssl);
        talk(&s);
        CHECK_EQ_INT("its close_notify", s.last, CONN_EOF);
        kit_empty(&got);
        secure_close(&s);
    }
}

/* --- no room ------------------------------------------------------------------------------- */

static void test_queue_full(void)
{
    struct secure s;
    secure_open(&s, WOLFSSL_TLSV1_3, 20000, SIZE_MAX);
    enum conn_result result = CONN_OK;
    for (int i = 0; i < 50 && result == CONN_OK; i++) {
        result = pair_send(&s.p, pattern, 10000);
    }
    CHECK_EQ_INT("limit", result, CONN_NO_MEMORY);
    CHECK_EQ_INT("no byte after a gap", pair_send(&s.p, pattern, 1), CONN_RESET);
    secure_close(&s);
}

/* The client asks for new keys again and again and reads no answer. */
static void test_key_update_storm(void)
{
    static const struct {
        const char *name;
        int updates; /* all of them come in one read */
    } rows[] = {{"one at a time", 1}, {"twenty at a time", 20}, {"all at once", 3000}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct secure s;
        secure_open(&s, WOLFSSL_TLSV1_3, 2000, SIZE_MAX);
        enum conn_result filled = CONN_OK;
        while (conn_queued(&s.p.conn) == 0 && filled == CONN_OK) {
            filled = pair_send(&s.p, pattern, 1000);
        }
        CHECK_EQ_INT(rows[i].name, filled, CONN_OK);
        s.last = CONN_AGAIN;
        for (int n = 0; n < 3000 && s.last == CONN_AGAIN; n += rows[i].updates) {
            for (int k = 0; k < rows[i].updates; k++) {
                (void)wolfSSL_update_keys(s.client.ssl);
            }
            talk(&s);
            CHECK_TRUE(rows[i].name, conn_queued(&s.p.conn) <= 2000);
        }
        CHECK_TRUE(rows[i].name, s.last == CONN_NO_MEMORY || s.last == CONN_TLS_FAILED);
        secure_close(&s);
    }
}

static void test_no_leak(void)
{
    struct secure s;
    secure_open(&s, WOLFSSL_TLSV1_3, LIMIT, SIZE_MAX); /* wolfSSL keeps some blocks for good */
    secure_close(&s);
    size_t before = mem_live_blocks();
    secure_open(&s, WOLFSSL_TLSV1_3, LIMIT, SIZE_MAX);
    CHECK_EQ_INT("send", pair_send(&s.p, pattern, SCRATCH_GATHER), CONN_OK);
    conn_abort(&s.p.conn);
    CHECK_TRUE("TLS is gone with it", s.p.conn.tls == NULL);
    secure_close(&s);
    CHECK_EQ_U64("blocks", mem_live_blocks(), before);
}

#define WITH_PATTERN(name) \
    static void run_##name(void) \
    { \
        fill_pattern(); \
        test_##name(); \
    }
WITH_PATTERN(echo_at_every_cut)
WITH_PATTERN(slow_reader)
WITH_PATTERN(most_in_one_call)
WITH_PATTERN(finish)

CU_TestInfo conn_tls_tests[] = {
    {"handshake and echo at every cut", run_echo_at_every_cut},
    {"a slow reader gets every byte", run_slow_reader},
    {"the most that one call may seal", run_most_in_one_call},
    {"bytes together with close_notify", test_bytes_with_the_end},
    {"FIN without close_notify", test_truncated},
    {"a bad record", test_failure},
    {"garbage before the handshake", test_garbage_before_the_handshake},
    {"finish: bytes, close_notify, FIN", run_finish},
    {"no room in the queue", test_queue_full},
    {"a storm of key updates", test_key_update_storm},
    {"nothing is left", test_no_leak},
    CU_TEST_INFO_NULL,
};
