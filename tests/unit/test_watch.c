/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/watch.h"

#include "check.h"
#include "conn_pair.h"
#include "give_up.h"
#include "suites.h"

#define BIG ((size_t)8 * 1024 * 1024)

static uint8_t *bytes_to_send(void)
{
    static uint8_t bytes[64 * 1024];
    return bytes;
}

// Sends until bytes are queued.
static void fill(struct pair *p)
{
    while (conn_queued(&p->conn) == 0) {
        if (pair_send(p, bytes_to_send(), 64 * 1024) != CONN_OK) {
            GIVE_UP();
        }
    }
}

static void test_queue(void)
{
    struct watch w = {0, 0};
    uint64_t since_ms = 0;
    struct pair p;

    pair_open(&p, BIG, NULL);
    watch_queue(&w, &since_ms, &p.conn, conn_queued(&p.conn) > 0, 10);
    CHECK_EQ_U64("nothing waits", since_ms, 0);
    fill(&p);
    watch_queue(&w, &since_ms, &p.conn, conn_queued(&p.conn) > 0, 20);
    CHECK_EQ_U64("the wait begins", since_ms, 20);
    watch_queue(&w, &since_ms, &p.conn, conn_queued(&p.conn) > 0, 30);
    CHECK_EQ_U64("nothing has moved", since_ms, 20);
    p.conn.sent_bytes++;
    watch_queue(&w, &since_ms, &p.conn, conn_queued(&p.conn) > 0, 40);
    CHECK_EQ_U64("the kernel took something", since_ms, 40);
    watch_queue(&w, &since_ms, &p.conn, conn_queued(&p.conn) > 0, 50);
    CHECK_EQ_U64("and then nothing", since_ms, 40);
    buf_clear(&p.conn.out);
    watch_queue(&w, &since_ms, &p.conn, conn_queued(&p.conn) > 0, 60);
    CHECK_EQ_U64("the queue is empty", since_ms, 0);
    pair_close(&p);
}

static void test_renew(void)
{
    struct watch w = {0, 0};
    uint64_t since_ms = 0;
    struct pair p;
    static uint8_t data[256 * 1024];

    pair_open(&p, BIG, NULL);
    fill(&p);
    watch_begin(&w, &since_ms, &p.conn, 20);
    /* The peer's kernel takes what fits without the peer; let that settle first. */
    while (watch_renew(&w, &since_ms, &p.conn, 21)) {
        usleep(50000);
    }
    uint64_t began_ms = since_ms;
    CHECK_FALSE("stuck", watch_renew(&w, &since_ms, &p.conn, 30));
    CHECK_EQ_U64("the wait goes on", since_ms, began_ms);
    uint64_t acked_bytes = w.acked_bytes;
    CHECK_TRUE("the peer reads", pair_peer_read(&p, data, sizeof(data)) > 0);
    bool is_renewed = false;
    for (int i = 0; i < 200 && !is_renewed; i++) {
        (void)pair_peer_read(&p, data, sizeof(data));
        is_renewed = watch_renew(&w, &since_ms, &p.conn, 40);
    }
    CHECK_TRUE("slow, not stuck", is_renewed);
    CHECK_EQ_U64("the wait begins again", since_ms, 40);
    CHECK_TRUE("with a new figure", w.acked_bytes > acked_bytes);
    p.conn.is_broken = true;
    w.acked_bytes = 0;
    CHECK_FALSE("a broken connection has no excuse", watch_renew(&w, &since_ms, &p.conn, 50));
    pair_close(&p);
}

static void test_renew_either(void)
{
    struct watch w = {0, 0};
    uint64_t since_ms = 10;
    struct pair slow;
    struct pair idle;
    static uint8_t data[256 * 1024];

    pair_open(&slow, BIG, NULL);
    pair_open(&idle, BIG, NULL);
    CHECK_FALSE("nothing was sent", watch_renew_either(&w, &since_ms, &slow.conn, &idle.conn, 20));
    CHECK_EQ_INT("sent", pair_send(&idle, data, 100), CONN_OK);
    CHECK_EQ_U64("taken", pair_peer_read(&idle, data, sizeof(data)), 100);
    CHECK_FALSE("all of it", watch_renew_either(&w, &since_ms, &slow.conn, &idle.conn, 20));
    CHECK_EQ_U64("the wait goes on", since_ms, 10);
    fill(&slow);
    CHECK_TRUE("some of it", watch_renew_either(&w, &since_ms, &idle.conn, &slow.conn, 30));
    CHECK_EQ_U64("the wait begins again", since_ms, 30);
    while (watch_renew_either(&w, &since_ms, &slow.conn, &idle.conn, 40)) {
        usleep(50000);
    }
    bool is_renewed = false;
    for (int i = 0; i < 200 && !is_renewed; i++) {
        (void)pair_peer_read(&slow, data, sizeof(data));
        is_renewed = watch_renew_either(&w, &since_ms, &slow.conn, &idle.conn, 50);
    }
    CHECK_TRUE("slow, not stuck", is_renewed);
    pair_close(&slow);
    pair_close(&idle);
}

CU_TestInfo watch_tests[] = {
    {"a queue that does not move", test_queue},
    {"a slow peer is not a stuck one", test_renew},
    {"either of two peers", test_renew_either},
    CU_TEST_INFO_NULL,
};
