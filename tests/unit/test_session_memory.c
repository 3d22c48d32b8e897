/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sessions and max_memory: who is refused, who ends, and how. */
#include "session_kit.h"
#include "suites.h"

static void ignore(void *owner)
{
    (void)owner;
}

/* From four fifths of max_memory on nobody gets a session. */
static void test_refused(void)
{
    static const struct {
        const char *name;
        const char *server;
        size_t used; /* of 8 MiB, in tenths */
        bool is_admitted;
    } rows[] = {
        {"no limit", "", 10, true},
        {"room", "max_memory = 8m", 7, true},
        {"four fifths", "max_memory = 8m", 8, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kit k;
        kit_open(&k, rows[i].server, "");
        mem_on_limit(SIZE_MAX, ignore, NULL);
        size_t wanted = k.config->max_memory_bytes / 10 * rows[i].used + 1;
        size_t now = mem_live_bytes();
        void *block = wanted > now ? mem_alloc(wanted - now) : NULL;
        kit_client_says(&k, KIT_TCP);
        CHECK_TRUE(rows[i].name, kit_start(&k));
        CHECK_EQ_U64(rows[i].name, kit_take_answer(&k), 101);
        kit_settle(&k);
        if (rows[i].is_admitted) {
            CHECK_EQ_U64(rows[i].name, kit_client_heard.len, 0);
            CHECK_EQ_U64(rows[i].name, session_end_some(&k.context, LIFE_KICKED, 1), 1);
        } else {
            kit_heard_is(rows[i].name,
                         "\x88\x15\x03\xf5"
                         "try again later 0-0",
                         23);
            CHECK_EQ_INT("never dialled", k.backend, -1);
        }
        kit_client_leaves(&k);
        kit_close(rows[i].name, &k, rows[i].is_admitted ? LIFE_KICKED : LIFE_FULL);
        mem_free(block);
        mem_on_limit(0, NULL, NULL);
    }
}

static bool has_queue(const struct kit *k)
{
    const struct seat_route *route = seats_route(k->seats, 0, 2);
    return seat_get(&route->queued_bytes[SEAT_CLIENT]) > 20000 ||
           seat_get(&route->queued_bytes[SEAT_BACKEND]) > 20000;
}

static const uint8_t flood[1024 * 1024];

/* Whose queue is the larger one decides how the session ends; the queue is gone at once. */
static void test_largest(void)
{
    static const struct {
        const char *name;
        bool is_client; /* the client reads nothing, else the backend */
        enum life_ending ending;
    } rows[] = {
        {"client", true, LIFE_CLIENT_STALLED},
        {"backend", false, LIFE_BACKEND_STALLED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kit k;
        kit_open(&k, "", "write_timeout = 1h");
        mem_on_limit(SIZE_MAX, ignore, NULL);
        if (!kit_connect(rows[i].name, &k, KIT_TCP)) {
            return;
        }
        CHECK_EQ_U64("nothing queued", session_end_largest(&k.context, 0), 0);
        if (rows[i].is_client) {
            k.client.budget_bytes = 0;
            kit_backend_says(&k, flood, sizeof(flood));
        } else {
            k.is_backend_deaf = true;
            kit_client_frame(&k, 0x82, flood, sizeof(flood));
            kit_client_frame(&k, 0x82, flood, sizeof(flood));
            kit_client_frame(&k, 0x82, flood, sizeof(flood));
        }
        CHECK_TRUE(rows[i].name, kit_until(&k, has_queue));
        size_t before = mem_live_bytes();
        CHECK_EQ_U64("at the limit", session_end_largest(&k.context, before), 0);
        CHECK_EQ_U64("beyond it", session_end_largest(&k.context, before - 1), 1);
        CHECK_TRUE("the queue is gone", mem_live_bytes() + 20000 < before);
        if (!rows[i].is_client) {
            kit_settle(&k);
            CHECK_TRUE("1011", kit_client_heard.len >= 4 && kit_client_heard.data[2] == 0x03 &&
                                   kit_client_heard.data[3] == 0xf3);
            kit_client_leaves(&k);
        }
        kit_close(rows[i].name, &k, rows[i].ending);
        mem_on_limit(0, NULL, NULL);
    }
}

/* A session that has ended may still have much to say; its end does not save it. */
static void test_ended_already(void)
{
    struct kit k;
    kit_open(&k, "", "write_timeout = 1h");
    mem_on_limit(SIZE_MAX, ignore, NULL);
    if (!kit_connect("open", &k, KIT_TCP)) {
        return;
    }
    k.client.budget_bytes = 0;
    kit_backend_says(&k, flood, sizeof(flood));
    CHECK_TRUE("queue", kit_until(&k, has_queue));
    CHECK_EQ_U64("kicked", session_end_some(&k.context, LIFE_KICKED, 1), 1);
    kit_settle(&k);
    CHECK_EQ_U64("cut", session_end_largest(&k.context, 0), 1);
    kit_close("the first reason stays", &k, LIFE_KICKED);
    mem_on_limit(0, NULL, NULL);
}

CU_TestInfo session_memory_tests[] = {
    {"refused at four fifths", test_refused},
    {"the largest queue", test_largest},
    {"ended already", test_ended_already},
    CU_TEST_INFO_NULL,
};
