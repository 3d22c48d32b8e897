/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/conn.h"

#include "base/mem.h"
#include "check.h"
#include "conn_pair.h"
#include "give_up.h"
#include "suites.h"

#define LIMIT ((size_t)1024 * 1024)

static uint8_t pattern[1024 * 1024];
static uint8_t heard[sizeof(pattern)];

static void fill_pattern(void)
{
    uint32_t x = 7;
    for (size_t i = 0; i < sizeof(pattern); i++) {
        x = x * 1664525 + 1013904223;
        pattern[i] = (uint8_t)(x >> 24);
    }
}

/* Sends until bytes wait in the queue. Returns how many bytes the connection took in all. */
static size_t send_until_queued(struct pair *p)
{
    size_t sent = 0;
    while (conn_queued(&p->conn) == 0 && sent + 10000 < sizeof(pattern)) {
        if (pair_send(p, pattern + sent, 10000) != CONN_OK) {
            GIVE_UP();
        }
        sent += 10000;
    }
    return sent;
}

static void test_without_descriptor(void)
{
    struct conn c;
    struct scratch scratch;
    uint8_t *data = NULL;
    size_t len = 9;
    struct iovec piece = {.iov_base = pattern, .iov_len = 1};
    CHECK_TRUE("memory", scratch_init(&scratch));
    conn_init(&c, &scratch, LIMIT, pair_on_ready);
    CHECK_FALSE("open", conn_is_open(&c));
    CHECK_EQ_INT("read", conn_read(&c, 10, &data, &len), CONN_AGAIN);
    CHECK_EQ_U64("read", len, 0);
    CHECK_EQ_INT("send", conn_send(&c, &piece, 1), CONN_RESET);
    CHECK_EQ_INT("flush", conn_flush(&c), CONN_OK);
    CHECK_EQ_U64("queued", conn_queued(&c), 0);
    conn_want(&c, REACTOR_READ);
    conn_finish(&c);
    conn_close(&c);
    conn_abort(&c);
    scratch_done(&scratch);
}

static void test_bytes_both_ways(void)
{
    struct pair p;
    uint8_t *data = NULL;
    size_t len = 0;
    size_t before = mem_live_blocks();
    pair_open(&p, LIMIT, NULL);
    struct iovec three[3] = {{.iov_base = pattern, .iov_len = 10},
                             {.iov_base = NULL, .iov_len = 0},
                             {.iov_base = pattern + 10, .iov_len = 20}};
    CHECK_EQ_INT("send", conn_send(&p.conn, three, 3), CONN_OK);
    CHECK_EQ_INT("nothing to send", conn_send(&p.conn, three + 1, 1), CONN_OK);
    CHECK_EQ_INT("no pieces", conn_send(&p.conn, NULL, 0), CONN_OK);
    CHECK_EQ_U64("nothing waits", conn_queued(&p.conn), 0);
    CHECK_EQ_U64("counted", p.conn.sent_bytes, 30);
    CHECK_EQ_INT("peer", pair_peer_read(&p, heard, sizeof(heard)), 30);
    CHECK_EQ_MEM("peer", heard, 30, pattern, 30);

    CHECK_EQ_INT("nothing yet", conn_read(&p.conn, 100, &data, &len), CONN_AGAIN);
    CHECK_EQ_INT("peer sends", send(p.peer, pattern, 100, 0), 100);
    CHECK_EQ_INT("no room asked for", conn_read(&p.conn, 0, &data, &len), CONN_AGAIN);
    CHECK_EQ_INT("read", pair_read(&p, &data, &len), CONN_OK);
    CHECK_EQ_MEM("read", data, len, pattern, 100);
    memset(data - SCRATCH_HEADROOM, 0, SCRATCH_HEADROOM + len);
    CHECK_EQ_INT("peer sends", send(p.peer, pattern, 100, 0), 100);
    struct pollfd pfd = {.fd = p.near, .events = POLLIN};
    (void)poll(&pfd, 1, PAIR_WAIT_MS);
    CHECK_EQ_INT("capped", conn_read(&p.conn, 30, &data, &len), CONN_OK);
    CHECK_EQ_MEM("capped", data, len, pattern, 30);
    CHECK_EQ_INT("more than scratch", conn_read(&p.conn, SIZE_MAX, &data, &len), CONN_OK);
    CHECK_EQ_MEM("more than scratch", data, len, pattern + 30, 70);
    CHECK_EQ_U64("counted", p.conn.received_bytes, 200);
    pair_close(&p);
    CHECK_EQ_U64("blocks", mem_live_blocks(), before);
}

/* The pieces have odd sizes, so that the kernel cuts at many places. */
static void test_slow_reader(void)
{
    struct pair p;
    size_t sent = 0;
    size_t got = 0;
    pair_open(&p, sizeof(pattern), NULL);
    while (sent < sizeof(pattern) / 2) {
        struct iovec iov[5];
        for (size_t i = 0; i < 5; i++) {
            size_t len = (i * 1237 + sent) % 3000;
            iov[i] = (struct iovec){.iov_base = pattern + sent, .iov_len = len};
            sent += len;
        }
        CHECK_EQ_INT("send", conn_send(&p.conn, iov, 5), CONN_OK);
    }
    CHECK_TRUE("some wait", conn_queued(&p.conn) > 0);
    CHECK_EQ_U64("the rest left", p.conn.sent_bytes + conn_queued(&p.conn), sent);
    CHECK_EQ_INT("flush", conn_flush(&p.conn), CONN_AGAIN);
    while (got < sent) {
        struct pollfd pfds[2] = {{.fd = p.peer, .events = POLLIN},
                                 {.fd = p.near, .events = POLLOUT}};
        (void)poll(pfds, conn_queued(&p.conn) > 0 ? 2 : 1, PAIR_WAIT_MS);
        ssize_t len = recv(p.peer, heard + got, got % 5000 + 1, 0);
        if (!CHECK_TRUE("peer", len > 0 || (len == -1 && errno == EAGAIN))) {
            break;
        }
        got += len > 0 ? (size_t)len : 0;
        conn_want(&p.conn, conn_queued(&p.conn) > 0 ? REACTOR_WRITE : 0);
        p.ready = 0;
        reactor_turn(p.reactor, true);
        if (p.ready != 0) {
            enum conn_result result = conn_flush(&p.conn);
            CHECK_EQ_INT("flush", result, conn_queued(&p.conn) > 0 ? CONN_AGAIN : CONN_OK);
        }
    }
    CHECK_TRUE("in order", got == sent && memcmp(heard, pattern, sent) == 0);
    CHECK_EQ_U64("counted", p.conn.sent_bytes, sent);
    pair_close(&p);
}

static void test_queue_full(void)
{
    static const struct {
        const char *name;
        bool is_out_of_memory;
    } rows[] = {{"limit", false}, {"no memory", true}};
    for (size_t i = 0; i < 2; i++) {
        struct pair p;
        size_t before = mem_live_blocks();
        pair_open(&p, 20000, NULL);
        (void)send_until_queued(&p);
        if (rows[i].is_out_of_memory) {
            mem_fail_after(1);
        }
        enum conn_result result = CONN_OK;
        for (int tries = 0; tries < 3 && result == CONN_OK; tries++) {
            result = pair_send(&p, pattern, 10000);
        }
        mem_fail_after(0);
        CHECK_EQ_INT(rows[i].name, result, CONN_NO_MEMORY);
        CHECK_EQ_U64("thrown away", conn_queued(&p.conn), 0);
        CHECK_EQ_INT("no byte after a gap", pair_send(&p, pattern, 1), CONN_RESET);
        CHECK_EQ_INT("nor from the queue", conn_flush(&p.conn), CONN_RESET);
        conn_finish(&p.conn);
        CHECK_FALSE("nor FIN", p.conn.is_fin_sent);
        pair_close(&p);
        CHECK_EQ_U64("blocks", mem_live_blocks(), before);
    }
}

/* --- ends ---------------------------------------------------------------------------------- */

static void test_finish(void)
{
    struct pair p;
    uint8_t *data = NULL;
    size_t len = 0;
    pair_open(&p, LIMIT, NULL);
    CHECK_EQ_INT("send", pair_send(&p, "bye", 3), CONN_OK);
    conn_finish(&p.conn);
    conn_finish(&p.conn);
    CHECK_EQ_INT("thrown away", pair_send(&p, "late", 4), CONN_OK);
    CHECK_EQ_INT("bytes", pair_peer_read(&p, heard, 10), 3);
    CHECK_EQ_INT("FIN", pair_peer_read(&p, heard, 10), 0);
    CHECK_EQ_INT("peer answers", send(p.peer, "ok", 2, 0), 2);
    CHECK_EQ_INT("still read", pair_read(&p, &data, &len), CONN_OK);
    CHECK_EQ_MEM("still read", data, len, "ok", 2);
    shutdown(p.peer, SHUT_WR);
    CHECK_EQ_INT("its FIN", pair_read(&p, &data, &len), CONN_EOF);
    CHECK_EQ_INT("and again", conn_read(&p.conn, 10, &data, &len), CONN_EOF);
    pair_close(&p);
}

/* Corked bytes leave with every call that may follow: sending, uncorking, the ends of the
 * connection. */
static void test_corked(void)
{
    enum way { UNCORK, SEND, FINISH, CLOSE, ABORT, WAYS };
    static const char *const ways[WAYS] = {"uncork", "send", "finish", "close", "abort"};
    for (int way = 0; way < WAYS; way++) {
        struct pair p;
        pair_open(&p, LIMIT, NULL);
        conn_cork(&p.conn);
        CHECK_EQ_INT(ways[way], pair_send(&p, "ab", 2), CONN_OK);
        CHECK_EQ_INT(ways[way], recv(p.peer, heard, 10, 0), -1);
        if (way == UNCORK) {
            conn_uncork(&p.conn);
        } else if (way == SEND) {
            p.conn.is_corked = false;
            CHECK_EQ_INT(ways[way], pair_send(&p, "cd", 2), CONN_OK);
        } else if (way == FINISH) {
            conn_finish(&p.conn);
        } else if (way == CLOSE) {
            conn_close(&p.conn);
        } else {
            conn_abort(&p.conn);
        }
        ssize_t len = pair_peer_read(&p, heard, 10);
        CHECK_EQ_MEM(ways[way], heard, len < 0 ? 0 : (size_t)len, "abcd", way == SEND ? 4 : 2);
        pair_close(&p);
    }
}

static void test_finish_behind_the_queue(void)
{
    struct pair p;
    size_t got = 0;
    ssize_t len = 0;
    pair_open(&p, LIMIT, NULL);
    size_t sent = send_until_queued(&p);
    conn_finish(&p.conn);
    CHECK_FALSE("not yet", p.conn.is_fin_sent);
    CHECK_EQ_INT("thrown away", pair_send(&p, "late", 4), CONN_OK);
    do {
        CHECK_TRUE("flush", pair_move(&p) != CONN_RESET);
        len = recv(p.peer, heard + got, sizeof(heard) - got, 0);
        got += len > 0 ? (size_t)len : 0;
    } while (len > 0 || (len == -1 && errno == EAGAIN));
    CHECK_EQ_INT("FIN", len, 0);
    CHECK_TRUE("after every byte", got == sent && memcmp(heard, pattern, sent) == 0);
    pair_close(&p);
}

static void test_abort(void)
{
    struct pair p;
    ssize_t got = 0;
    size_t before = mem_live_blocks();
    pair_open(&p, LIMIT, NULL);
    (void)send_until_queued(&p);
    conn_want(&p.conn, REACTOR_READ | REACTOR_WRITE);
    conn_abort(&p.conn);
    CHECK_FALSE("closed", conn_is_open(&p.conn));
    CHECK_EQ_U64("queue", conn_queued(&p.conn), 0);
    do {
        got = pair_peer_read(&p, heard, sizeof(heard));
    } while (got > 0);
    CHECK_EQ_INT("RST", got, -ECONNRESET);
    p.calls = 0;
    reactor_turn(p.reactor, true);
    CHECK_EQ_INT("no late callback", p.calls, 0);
    pair_close(&p);
    CHECK_EQ_U64("blocks", mem_live_blocks(), before);
}

static void peer_goes(struct pair *p, bool is_abort)
{
    if (is_abort) {
        net_abort(p->peer);
    } else {
        close(p->peer);
    }
    p->peer = -1;
}

/* A reader learns how the peer went, whether or not the connection was sending then. */
static void test_how_the_peer_went(void)
{
    static const struct {
        const char *name;
        bool is_abort;
        bool is_sending;
        enum conn_result end;
    } rows[] = {
        {"closed", false, false, CONN_EOF},
        {"closed, sending", false, true, CONN_EOF},
        {"reset", true, false, CONN_RESET},
        {"reset, sending", true, true, CONN_RESET},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pair p;
        uint8_t *data = NULL;
        size_t len = 0;
        pair_open(&p, LIMIT, NULL);
        CHECK_EQ_INT(rows[i].name, send(p.peer, "bye", 3, 0), 3);
        peer_goes(&p, rows[i].is_abort);
        enum conn_result sent = CONN_OK;
        for (int tries = 0; rows[i].is_sending && tries < 1000 && sent == CONN_OK; tries++) {
            sent = pair_send(&p, "late", 4);
            usleep(5000);
        }
        CHECK_EQ_INT(rows[i].name, sent, rows[i].is_sending ? CONN_RESET : CONN_OK);
        CHECK_EQ_INT(rows[i].name, p.conn.is_broken, rows[i].is_sending);
        CHECK_EQ_INT(rows[i].name, pair_read(&p, &data, &len), CONN_OK);
        CHECK_EQ_MEM(rows[i].name, data, len, "bye", 3);
        CHECK_EQ_INT(rows[i].name, pair_read(&p, &data, &len), rows[i].end);
        CHECK_EQ_INT("again", pair_read(&p, &data, &len), rows[i].end);
        pair_close(&p);
    }
}

static void test_reset_with_a_queue(void)
{
    struct pair p;
    uint8_t *data = NULL;
    size_t len = 0;
    pair_open(&p, LIMIT, NULL);
    (void)send_until_queued(&p);
    conn_want(&p.conn, REACTOR_READ);
    peer_goes(&p, true);
    p.ready = 0;
    reactor_turn(p.reactor, false);
    CHECK_EQ_U64("readable", p.ready, REACTOR_READ);
    CHECK_EQ_INT("reset", conn_read(&p.conn, 10, &data, &len), CONN_RESET);
    CHECK_EQ_U64("thrown away", conn_queued(&p.conn), 0);
    CHECK_EQ_INT("flush", conn_flush(&p.conn), CONN_RESET);
    CHECK_EQ_INT("send", pair_send(&p, "late", 4), CONN_RESET);
    conn_finish(&p.conn);
    pair_close(&p);

    pair_open(&p, LIMIT, NULL);
    (void)send_until_queued(&p);
    peer_goes(&p, true);
    struct pollfd pfd = {.fd = p.near, .events = POLLIN};
    (void)poll(&pfd, 1, PAIR_WAIT_MS);
    CHECK_EQ_INT("found by flush", conn_flush(&p.conn), CONN_RESET);
    CHECK_EQ_INT("told by read", conn_read(&p.conn, 10, &data, &len), CONN_RESET);
    pair_close(&p);
}

static void test_readiness(void)
{
    struct pair p;
    pair_open(&p, LIMIT, NULL);
    conn_want(&p.conn, REACTOR_READ);
    reactor_turn(p.reactor, true);
    CHECK_EQ_U64("quiet", p.ready, 0);
    CHECK_EQ_INT("peer", send(p.peer, "x", 1, 0), 1);
    reactor_turn(p.reactor, false);
    CHECK_EQ_U64("read", p.ready, REACTOR_READ);
    conn_want(&p.conn, REACTOR_READ | REACTOR_WRITE);
    reactor_turn(p.reactor, false);
    CHECK_EQ_U64("both", p.ready, REACTOR_READ | REACTOR_WRITE);
    conn_want(&p.conn, 0);
    p.ready = 0;
    reactor_turn(p.reactor, true);
    CHECK_EQ_U64("none", p.ready, 0);
    pair_close(&p);
}

#define WITH_PATTERN(name) \
    static void run_##name(void) \
    { \
        fill_pattern(); \
        test_##name(); \
    }
WITH_PATTERN(bytes_both_ways)
WITH_PATTERN(slow_reader)
WITH_PATTERN(queue_full)
WITH_PATTERN(finish_behind_the_queue)
WITH_PATTERN(abort)

CU_TestInfo conn_tests[] = {
    {"without a descriptor", test_without_descriptor},
    {"bytes both ways", run_bytes_both_ways},
    {"a slow reader gets every byte", run_slow_reader},
    {"no room in the queue", run_queue_full},
    {"finish", test_finish},
    {"corked for what follows", test_corked},
    {"finish waits for the queue", run_finish_behind_the_queue},
    {"abort is a reset", run_abort},
    {"how the peer went is told by reading", test_how_the_peer_went},
    {"a reset while bytes wait", test_reset_with_a_queue},
    {"readiness", test_readiness},
    CU_TEST_INFO_NULL,
};
