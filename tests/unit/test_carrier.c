/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The contract of io/carrier.h. The socket and the memory of other tests must both keep it, so each
 * test runs over both. */
#include "io/carrier.h"

#include "check.h"
#include "conn_pair.h"
#include "give_up.h"
#include "memory_carrier.h"
#include "suites.h"

enum kind { SOCKET = 0, MEMORY, KINDS };
static const char *const kinds[KINDS] = {"socket", "memory"};

/* A carrier and its peer: a socket, or what struct memory says. */
struct ends {
    enum kind kind;
    struct reactor *reactor;
    struct carrier carrier;
    int peer;
    int near;
    struct memory memory;
    uint8_t fifo[1024];
    uint8_t heard[1024];
    size_t heard_len;
    unsigned ready;
    int calls;
};

static void on_ready(struct carrier *carrier, unsigned ready)
{
    struct ends *e = container_of(carrier, struct ends, carrier);
    e->ready |= ready;
    e->calls++;
}

static void on_sent(struct memory *m, const uint8_t *data, size_t len)
{
    struct ends *e = container_of(m, struct ends, memory);
    memcpy(e->heard + e->heard_len, data, len);
    e->heard_len += len;
}

static void ends_open(struct ends *e, enum kind kind)
{
    *e = (struct ends){.kind = kind, .reactor = reactor_new(), .peer = -1, .near = -1};
    if (e->reactor == NULL) {
        GIVE_UP();
    }
    struct carrier carrier;
    if (kind == SOCKET) {
        e->peer = pair_sockets(&e->near);
        carrier = carrier_of_socket(e->reactor, e->near);
    } else {
        memory_init(&e->memory, e->fifo, sizeof(e->fifo));
        e->memory.on_sent = on_sent;
        carrier = memory_carrier(&e->memory);
    }
    e->carrier = carrier; /* a carrier is a value: copying it moves it */
    e->carrier.on_ready = on_ready;
}

static void ends_close(struct ends *e)
{
    if (e->peer != -1) {
        close(e->peer);
    }
    reactor_free(e->reactor);
}

static void turn(struct ends *e)
{
    if (e->kind == MEMORY) {
        memory_poll(&e->memory);
    }
    reactor_turn(e->reactor, true);
}

/* Turns until an event has come. */
static void wait_ready(struct ends *e)
{
    e->ready = 0;
    for (int tries = 0; e->ready == 0 && tries < PAIR_WAIT_MS; tries++) {
        turn(e);
        usleep(1000);
    }
}

static void peer_says(struct ends *e, const char *text)
{
    if (e->kind == SOCKET) {
        CHECK_EQ_INT("peer", send(e->peer, text, strlen(text), 0), (ssize_t)strlen(text));
    } else {
        memory_push(&e->memory, text, strlen(text));
    }
}

/* Checks that exactly `text` has arrived at the peer, and behind it `end`: 0 = FIN, -EAGAIN =
 * nothing, or -ECONNRESET. */
static void peer_hears(const char *row, struct ends *e, const char *text, ssize_t end)
{
    ssize_t got = -EAGAIN;
    size_t want = strlen(text);
    struct pollfd pfd = {.fd = e->peer, .events = POLLIN};
    while (e->kind == SOCKET) {
        bool is_due = e->heard_len < want || end != -EAGAIN;
        (void)poll(&pfd, 1, is_due ? PAIR_WAIT_MS : 50);
        got = recv(e->peer, e->heard + e->heard_len, sizeof(e->heard) - e->heard_len, 0);
        if (got <= 0) {
            got = got == -1 ? -errno : 0;
            break;
        }
        e->heard_len += (size_t)got;
    }
    if (e->kind == MEMORY) {
        bool is_over = e->memory.has_fin || e->memory.state == MEMORY_CLOSED;
        got = e->memory.state == MEMORY_ABORTED ? -ECONNRESET : is_over ? 0 : -EAGAIN;
    }
    CHECK_EQ_MEM(row, e->heard, e->heard_len, text, want);
    CHECK_EQ_INT(row, got, end);
    e->heard_len = 0;
}

static enum net_result say(struct ends *e, const char *text, bool is_corked)
{
    size_t len = 0;
    struct iovec piece = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
    enum net_result result = e->carrier.ops->send(&e->carrier, &piece, 1, is_corked, &len);
    CHECK_EQ_U64(text, len, result == NET_OK ? strlen(text) : 0);
    return result;
}

static enum net_result hear(struct ends *e, const char *text)
{
    char data[64];
    size_t len = 99;
    enum net_result result = e->carrier.ops->recv(&e->carrier, data, sizeof(data), &len);
    CHECK_EQ_MEM(kinds[e->kind], data, len, text, strlen(text));
    return result;
}

static void test_bytes(void)
{
    for (enum kind kind = SOCKET; kind < KINDS; kind++) {
        struct ends e;
        ends_open(&e, kind);
        const char *row = kinds[kind];
        CHECK_EQ_INT(row, hear(&e, ""), NET_AGAIN);
        e.carrier.ops->want(&e.carrier, REACTOR_READ);
        turn(&e);
        CHECK_EQ_INT(row, e.calls, 0);
        peer_says(&e, "up");
        wait_ready(&e);
        CHECK_EQ_U64(row, e.ready, REACTOR_READ);
        CHECK_EQ_INT(row, hear(&e, "up"), NET_OK);
        CHECK_EQ_INT(row, hear(&e, ""), NET_AGAIN);
        e.carrier.ops->want(&e.carrier, REACTOR_WRITE);
        wait_ready(&e);
        CHECK_EQ_U64(row, e.ready, REACTOR_WRITE);
        e.carrier.ops->want(&e.carrier, 0);
        e.calls = 0;
        turn(&e);
        CHECK_EQ_INT(row, e.calls, 0);
        struct iovec two[2] = {{.iov_base = (char[]){'d', 'o'}, .iov_len = 2},
                               {.iov_base = (char[]){'w', 'n'}, .iov_len = 2}};
        size_t len = 0;
        CHECK_EQ_INT(row, e.carrier.ops->send(&e.carrier, two, 2, false, &len), NET_OK);
        CHECK_EQ_U64(row, len, 4);
        peer_hears(row, &e, "down", -EAGAIN);
        for (int tries = 0; e.carrier.ops->unacked(&e.carrier) > 0 && tries < 1000; tries++) {
            usleep(1000);
        }
        CHECK_EQ_U64(row, e.carrier.ops->unacked(&e.carrier), 0);
        e.carrier.ops->close(&e.carrier);
        peer_hears(row, &e, "", 0);
        ends_close(&e);
    }
}

static void test_finish(void)
{
    for (enum kind kind = SOCKET; kind < KINDS; kind++) {
        struct ends e;
        ends_open(&e, kind);
        const char *row = kinds[kind];
        CHECK_EQ_INT(row, say(&e, "bye", true), NET_OK);
        e.carrier.ops->finish(&e.carrier);
        peer_hears(row, &e, "bye", 0);
        peer_says(&e, "answer");
        e.carrier.ops->want(&e.carrier, REACTOR_READ);
        wait_ready(&e);
        CHECK_EQ_INT(row, hear(&e, "answer"), NET_OK);
        e.carrier.ops->close(&e.carrier);
        ends_close(&e);
    }
}

static void test_uncork(void)
{
    struct ends e;
    ends_open(&e, SOCKET);
    CHECK_EQ_INT("corked", say(&e, "first", true), NET_OK);
    CHECK_EQ_INT("kept back", recv(e.peer, e.heard, sizeof(e.heard), 0), -1);
    e.carrier.ops->uncork(&e.carrier);
    peer_hears("uncorked", &e, "first", -EAGAIN);
    e.carrier.ops->close(&e.carrier);
    ends_close(&e);

    ends_open(&e, MEMORY);
    CHECK_EQ_INT("corked", say(&e, "first", true), NET_OK);
    CHECK_TRUE("corked", e.memory.is_corked);
    CHECK_EQ_INT("taken along", say(&e, "second", false), NET_OK);
    CHECK_FALSE("taken along", e.memory.is_corked);
    CHECK_EQ_INT("corked", say(&e, "third", true), NET_OK);
    e.carrier.ops->uncork(&e.carrier);
    CHECK_FALSE("uncorked", e.memory.is_corked);
    e.carrier.ops->close(&e.carrier);
    ends_close(&e);
}

static void test_abort(void)
{
    for (enum kind kind = SOCKET; kind < KINDS; kind++) {
        struct ends e;
        ends_open(&e, kind);
        e.carrier.ops->want(&e.carrier, REACTOR_READ | REACTOR_WRITE);
        e.carrier.ops->abort(&e.carrier);
        peer_hears(kinds[kind], &e, "", -ECONNRESET);
        e.calls = 0;
        turn(&e);
        CHECK_EQ_INT("no late call", e.calls, 0);
        ends_close(&e);
    }
}

/* Reading and sending say how the peer went, in this order. */
static void test_how_the_peer_went(void)
{
    static const struct {
        const char *name;
        bool is_reset;
        bool is_sending; /* the carrier sends before it reads */
        enum net_result send;
        enum net_result end;
        enum net_result again;
    } rows[] = {
        {"closed", false, false, NET_OK, NET_EOF, NET_EOF},
        {"closed, sending", false, true, NET_EOF, NET_EOF, NET_EOF},
        {"reset", true, false, NET_OK, NET_RESET, NET_EOF},
        {"reset, sending", true, true, NET_RESET, NET_EOF, NET_EOF},
    };
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        struct ends e;
        enum kind kind = i % 2 == 0 ? SOCKET : MEMORY;
        const char *row = rows[i / 2].name;
        enum net_result sent = NET_OK;
        ends_open(&e, kind);
        peer_says(&e, "bye");
        if (kind == MEMORY) {
            e.memory.is_in_fin = e.memory.is_send_refused = !rows[i / 2].is_reset;
            e.memory.is_in_rst = rows[i / 2].is_reset;
        } else if (rows[i / 2].is_reset) {
            net_abort(e.peer);
            e.peer = -1;
        } else {
            close(e.peer);
            e.peer = -1;
        }
        for (int tries = 0; rows[i / 2].is_sending && tries < 1000 && sent == NET_OK; tries++) {
            sent = say(&e, "late", false);
            usleep(1000);
        }
        CHECK_EQ_INT(row, sent, rows[i / 2].send);
        e.carrier.ops->want(&e.carrier, REACTOR_READ);
        wait_ready(&e);
        CHECK_EQ_INT(row, hear(&e, "bye"), NET_OK);
        CHECK_EQ_INT(row, hear(&e, ""), rows[i / 2].end);
        CHECK_EQ_INT(row, hear(&e, ""), rows[i / 2].again);
        e.carrier.ops->close(&e.carrier);
        ends_close(&e);
    }
}

CU_TestInfo carrier_tests[] = {
    {"bytes both ways, readiness", test_bytes},
    {"finish", test_finish},
    {"uncork", test_uncork},
    {"abort is a reset", test_abort},
    {"how the peer went", test_how_the_peer_went},
    CU_TEST_INFO_NULL,
};
