/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The bounds of gate/flow over two carriers that are memory; no byte moves, the counters do. */
#include "gate/flow.h"

#include "check.h"
#include "give_up.h"
#include "memory_carrier.h"
#include "suites.h"

#define KIB ((uint64_t)1024)

struct world {
    struct scratch scratch;
    struct memory from;
    struct memory to;
    struct conn source;
    struct conn sink;
    struct flow flow;
    enum config_latency latency;
    uint64_t now_ms;
    uint8_t bytes[16];
};

static void on_ready(struct conn *conn, unsigned ready)
{
    (void)conn;
    (void)ready;
}

static void open_conn(struct world *w, struct conn *c, struct memory *m)
{
    memory_init(m, w->bytes, sizeof(w->bytes));
    m->is_ack_frozen = true;
    struct carrier carrier = memory_carrier(m);
    conn_init(c, &w->scratch, 1024, on_ready);
    conn_open(c, &carrier, NULL);
}

static void world_open(struct world *w, enum config_latency latency)
{
    *w = (struct world){.latency = latency, .now_ms = 1000};
    open_conn(w, &w->source, &w->from);
    open_conn(w, &w->sink, &w->to);
}

static void world_close(struct world *w)
{
    conn_close(&w->source);
    conn_close(&w->sink);
}

/* So many KiB come in and go out within `ms`. The sink's kernel has as many more unsent as
 * `unsent_kib` says, and has refused some if `is_refused`. */
static void pass(struct world *w, uint64_t kib, uint64_t ms, uint64_t unsent_kib, bool is_refused)
{
    w->source.received_bytes += kib * KIB;
    w->sink.sent_bytes += kib * KIB;
    w->to.sent_bytes = w->sink.sent_bytes;
    w->to.acked_bytes = w->sink.sent_bytes - unsent_kib * KIB;
    w->to.known.unsent_bytes = unsent_kib * KIB;
    w->now_ms += ms;
    buf_clear(&w->sink.out);
    if (is_refused && buf_append(&w->sink.out, "x", 1) != BUF_OK) {
        GIVE_UP();
    }
    flow_note(&w->flow, w->latency, &w->source, &w->sink, w->now_ms);
}

static void test_beginning(void)
{
    static const struct {
        const char *name;
        enum config_latency latency;
        size_t unsent_kib;
        size_t unread_kib;
    } rows[] = {
        {"auto", CONFIG_LATENCY_AUTO, 192, 128},
        {"low", CONFIG_LATENCY_LOW, 32, 128},
        {"bulk", CONFIG_LATENCY_BULK, 0, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world w;
        world_open(&w, rows[i].latency);
        pass(&w, 0, 1, 0, false);
        pass(&w, 15, 1, 0, false);
        CHECK_EQ_U64(rows[i].name, w.to.unsent_bound_bytes, 0);
        CHECK_EQ_U64(rows[i].name, w.from.unread_bound_bytes, 0);
        pass(&w, 1, 1, 0, false);
        CHECK_EQ_U64(rows[i].name, w.to.unsent_bound_bytes, rows[i].unsent_kib * KIB);
        CHECK_EQ_U64(rows[i].name, w.from.unread_bound_bytes, rows[i].unread_kib * KIB);
        world_close(&w);
    }
}

/* 20 Mbit/s are 2.5 KiB a millisecond. */
static void test_slow_sink(void)
{
    static const struct {
        const char *name;
        enum config_latency latency;
        uint64_t kib_per_ms;
        uint64_t least_kib;
        uint64_t most_kib;
    } rows[] = {
        {"auto, 1 KiB a ms", CONFIG_LATENCY_AUTO, 1, 32, 32},
        {"auto, 3 KiB a ms", CONFIG_LATENCY_AUTO, 3, 64, 96},
        {"low, 1 KiB a ms", CONFIG_LATENCY_LOW, 1, 16, 16},
        {"low, 3 KiB a ms", CONFIG_LATENCY_LOW, 3, 24, 32},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world w;
        world_open(&w, rows[i].latency);
        pass(&w, 16, 1, 0, false);
        for (int turn = 0; turn < 100; turn++) {
            pass(&w, 8 * rows[i].kib_per_ms, 8, 20, true);
        }
        CHECK_TRUE(rows[i].name, w.to.unsent_bound_bytes >= rows[i].least_kib * KIB);
        CHECK_TRUE(rows[i].name, w.to.unsent_bound_bytes <= rows[i].most_kib * KIB);
        CHECK_EQ_U64(rows[i].name, w.from.unread_bound_bytes, 128 * KIB);
        CHECK_EQ_U64(rows[i].name, w.flow.unsent_peak_bytes, 20 * KIB);
        world_close(&w);
    }
}

/* The bound doubles, look by look, so a burst into an empty receive buffer proves little. */
static void test_fast_sink(void)
{
    static const uint64_t auto_kib[] = {192, 192, 384, 512, 512};
    struct world w;
    world_open(&w, CONFIG_LATENCY_AUTO);
    pass(&w, 16, 1, 0, false);
    for (size_t i = 0; i < sizeof(auto_kib) / sizeof(auto_kib[0]); i++) {
        CHECK_EQ_U64("auto grows", w.to.unsent_bound_bytes, auto_kib[i] * KIB);
        pass(&w, w.flow.bound_bytes / KIB, 1, 0, true);
    }
    CHECK_EQ_U64("auto gives the near source room", w.from.unread_bound_bytes, 416 * KIB);
    w.to.known.min_rtt_us = 50000;
    for (int i = 0; i < 10; i++) {
        pass(&w, w.flow.bound_bytes / KIB, 1, 0, true);
    }
    CHECK_EQ_U64("a distant sink gets more", w.to.unsent_bound_bytes, 2048 * KIB);
    world_close(&w);

    world_open(&w, CONFIG_LATENCY_LOW);
    pass(&w, 16, 1, 0, false);
    for (int i = 0; i < 10; i++) {
        pass(&w, 64, 1, 0, true);
    }
    CHECK_EQ_U64("low does not grow", w.to.unsent_bound_bytes, 32 * KIB);
    world_close(&w);

    /* It takes a burst at once, and then nothing. */
    world_open(&w, CONFIG_LATENCY_AUTO);
    pass(&w, 16, 1, 0, false);
    pass(&w, 192, 1, 60, true);
    pass(&w, 192, 0, 120, true);
    CHECK_EQ_U64("a burst", w.to.unsent_bound_bytes, 192 * KIB);
    CHECK_EQ_U64("a burst", w.from.unread_bound_bytes, 128 * KIB);
    world_close(&w);
}

/* A sink that never refuses frees its source, unless the kernel still holds what it took. */
static void test_source(void)
{
    static const struct {
        const char *name;
        enum config_latency latency;
        uint32_t rtt_us; /* of the source */
        uint64_t unsent_kib;
        size_t unread_bytes;
    } rows[] = {
        {"near", CONFIG_LATENCY_AUTO, 999, 0, 416 * KIB},
        {"far away", CONFIG_LATENCY_AUTO, 50000, 48, NET_UNBOUNDED},
        {"the sink lags", CONFIG_LATENCY_AUTO, 50000, 49, 128 * KIB},
        {"low and near", CONFIG_LATENCY_LOW, 999, 0, 128 * KIB},
        {"low and far", CONFIG_LATENCY_LOW, 1000, 0, NET_UNBOUNDED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world w;
        world_open(&w, rows[i].latency);
        w.from.known.min_rtt_us = rows[i].rtt_us;
        pass(&w, 16, 1, 0, false);
        CHECK_EQ_U64(rows[i].name, w.from.unread_bound_bytes, 128 * KIB);
        pass(&w, w.flow.bound_bytes / KIB, 1, rows[i].unsent_kib, false);
        CHECK_EQ_U64(rows[i].name, w.from.unread_bound_bytes, rows[i].unread_bytes);
        world_close(&w);
    }
}

static void test_changing_sink(void)
{
    struct world w;
    world_open(&w, CONFIG_LATENCY_AUTO);
    w.from.known.min_rtt_us = 20000;
    pass(&w, 16, 1, 0, false);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 6; i++) {
            pass(&w, 512, 1, 0, true);
        }
        CHECK_EQ_U64("fast", w.to.unsent_bound_bytes, 512 * KIB);
        CHECK_EQ_U64("fast", w.from.unread_bound_bytes, NET_UNBOUNDED);
        for (int i = 0; i < 100; i++) {
            pass(&w, 16, 16, 0, true);
        }
        CHECK_EQ_U64("slow", w.to.unsent_bound_bytes, 32 * KIB);
        CHECK_EQ_U64("slow", w.from.unread_bound_bytes, 128 * KIB);
    }
    world_close(&w);
}

/* A pause without a byte says nothing about the sink. */
static void test_quiet_time(void)
{
    struct world w;
    world_open(&w, CONFIG_LATENCY_AUTO);
    pass(&w, 16, 1, 0, false);
    pass(&w, 192, 1, 100, true);
    pass(&w, 192, 3600000, 0, false);
    pass(&w, 192, 1, 100, false);
    CHECK_TRUE("the first refusal measures only", w.to.unsent_bound_bytes >= 32 * KIB);
    pass(&w, 512, 1, 100, true);
    pass(&w, 512, 1, 100, true);
    pass(&w, 512, 1, 100, true);
    CHECK_TRUE("fast again", w.to.unsent_bound_bytes >= 192 * KIB);
    world_close(&w);
}

static void test_unable(void)
{
    struct world w;
    world_open(&w, CONFIG_LATENCY_AUTO);
    w.from.is_unread_unable = true;
    pass(&w, 16, 1, 0, false);
    CHECK_EQ_INT("a Unix socket", w.flow.source, FLOW_SOURCE_UNABLE);
    pass(&w, 192, 1, 0, false);
    pass(&w, 192, 1, 0, true);
    CHECK_EQ_INT("nobody asks again", w.flow.source, FLOW_SOURCE_UNABLE);
    world_close(&w);
}

static void test_end(void)
{
    struct world w;
    struct net_state state;
    world_open(&w, CONFIG_LATENCY_BULK);
    pass(&w, 16, 1, 0, false);
    w.to.known = (struct net_state){.unsent_bytes = 4000, .rtt_us = 77};
    flow_end(&w.flow, &w.sink, &state);
    CHECK_EQ_U64("round trip", state.rtt_us, 77);
    CHECK_EQ_U64("peak", w.flow.unsent_peak_bytes, 4000);
    w.to.known.unsent_bytes = 10;
    flow_end(&w.flow, &w.sink, &state);
    CHECK_EQ_U64("a peak stays", w.flow.unsent_peak_bytes, 4000);
    world_close(&w);
    flow_end(&w.flow, &w.sink, &state);
    CHECK_EQ_U64("closed", state.rtt_us, 0);
}

CU_TestInfo flow_tests[] = {
    {"the first bounds", test_beginning},
    {"a slow sink", test_slow_sink},
    {"a fast sink", test_fast_sink},
    {"the source's receive buffer", test_source},
    {"a sink that is fast and slow in turn", test_changing_sink},
    {"quiet time", test_quiet_time},
    {"a source that cannot be bounded", test_unable},
    {"the end", test_end},
    CU_TEST_INFO_NULL,
};
