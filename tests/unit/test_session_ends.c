/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every way in which an open session ends: what client and backend see, and the ending. */
#include <fcntl.h>

#include "session_kit.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CLOSE_1000 "\x88\x02\x03\xe8"

static void test_backend_closes(void)
{
    struct kit k;
    kit_open(&k, "", "");
    if (!kit_connect("backend closes", &k, KIT_TCP)) {
        return;
    }
    kit_backend_says(&k, "bye", 3);
    k.is_backend_ending = true;
    kit_settle(&k);
    kit_heard_is("its bytes, then Close",
                 "\x82\x03"
                 "bye\x88\x14\x03\xe8"
                 "backend closed 0-0",
                 27);
    CHECK_FALSE("the client's Close is awaited", k.client.has_fin);
    kit_client_frame(&k, 0x82, "late", 4);
    kit_client_closes(&k);
    CHECK_TRUE("FIN", kit_until(&k, kit_has_fin));
    CHECK_EQ_U64("no byte more", kit_backend_heard.len, 0);
    k.client.is_in_fin = true;
    kit_close("backend closes", &k, LIFE_BACKEND_CLOSE);
}

static void test_backend_resets(void)
{
    struct kit k;
    kit_open(&k, "", "");
    if (!kit_connect("backend resets", &k, KIT_TCP)) {
        return;
    }
    kit_settle(&k);
    net_abort(k.backend);
    k.backend = open("/dev/null", O_RDONLY | O_CLOEXEC);
    k.is_backend_deaf = true;
    kit_settle(&k);
    kit_heard_is("Close",
                 "\x88\x13\x03\xf3"
                 "backend reset 0-0",
                 21);
    kit_client_leaves(&k);
    kit_close("backend resets", &k, LIFE_BACKEND_RESET);
}

/* The client's Close becomes the backend's FIN. What the backend still says comes before our
 * Close. */
static void test_half_close(void)
{
    struct kit k;
    kit_open(&k, "", "");
    if (!kit_connect("half close", &k, KIT_TCP)) {
        return;
    }
    kit_client_frame(&k, 0x82, "sort me", 7);
    kit_client_closes(&k);
    CHECK_TRUE("FIN", kit_until(&k, kit_is_backend_ended));
    CHECK_EQ_INT("FIN", k.backend_end, KIT_BACKEND_FIN);
    CHECK_EQ_MEM("before it", kit_backend_heard.data, kit_backend_heard.len, "sort me", 7);
    kit_settle(&k);
    CHECK_EQ_U64("no Close yet", kit_client_heard.len, 0);
    kit_backend_says(&k, "sorted", 6);
    k.is_backend_ending = true;
    CHECK_TRUE("FIN", kit_until(&k, kit_has_fin));
    kit_heard_is("the last word, then Close", "\x82\x06sorted" CLOSE_1000, 12);
    k.client.is_in_fin = true;
    kit_close("half close", &k, LIFE_CLIENT_CLOSE);
}

static void test_client_goes(void)
{
    static const struct {
        const char *name;
        bool is_reset;
        int backend_end;
        enum life_ending ending;
    } rows[] = {
        {"FIN", false, KIT_BACKEND_FIN, LIFE_CLIENT_EOF},
        {"RST", true, KIT_BACKEND_RST, LIFE_CLIENT_RESET},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct kit k;
        kit_open(&k, "", "");
        if (!kit_connect(rows[i].name, &k, KIT_TCP)) {
            return;
        }
        kit_client_frame(&k, 0x82, "last", 4);
        kit_settle(&k);
        k.client.is_in_fin = !rows[i].is_reset;
        k.client.is_in_rst = rows[i].is_reset;
        CHECK_TRUE(rows[i].name, kit_until(&k, kit_is_backend_ended));
        CHECK_EQ_INT(rows[i].name, k.backend_end, rows[i].backend_end);
        CHECK_EQ_MEM(rows[i].name, kit_backend_heard.data, kit_backend_heard.len, "last", 4);
        close(k.backend);
        k.backend = -1;
        kit_close(rows[i].name, &k, rows[i].ending);
    }
}

/* The backend reads nothing, so nobody reads the client. What the backend says then shows that the
 * client is gone. */
static void test_client_goes_while_paused(void)
{
    static const uint8_t block[4096];
    struct kit k;
    kit_open(&k, "", "buffer_high = 64k\nwrite_timeout = 1h");
    if (!kit_connect("paused", &k, KIT_TCP)) {
        return;
    }
    k.is_backend_deaf = true;
    for (size_t i = 0; i < 1990; i++) {
        kit_client_frame(&k, 0x82, block, sizeof(block));
    }
    kit_settle(&k);
    k.client.is_in_rst = true;
    kit_settle(&k);
    kit_backend_says(&k, "hello", 5);
    kit_settle(&k);
    CHECK_EQ_U64("the session is gone", k.gone_count, 1);
    close(k.backend);
    k.backend = -1;
    kit_close("paused", &k, LIFE_CLIENT_RESET);
}

/* What is wrong leaves the place in the stream known, so the client's Close is found behind it: in
 * the same read or later, at every cut. Our FIN comes with it, not before and not much later. */
static void test_close_behind_a_violation(void)
{
    static const struct {
        const char *name;
        const char *route;
        uint8_t first;
        const char *payload;
        size_t len;
        bool is_lost; /* something worse follows */
        enum life_ending ending;
    } rows[] = {
        {"kind", "accept = binary", 0x81, "text", 4, false, LIFE_OPCODE},
        {"text", "", 0x81,
         "a\xff\xff"
         "bc",
         5, false, LIFE_BAD_TEXT},
        {"size", "max_message = 5", 0x82, "longer", 6, false, LIFE_TOO_BIG},
        {"line", "framing = line", 0x81, "a\nb", 3, false, LIFE_FRAMING},
        {"record", "framing = length16\nframing_max = 5", 0x82, "longer", 6, false, LIFE_TOO_BIG},
        {"reason", "", 0x88, "\x03\xe8\xff", 3, false, LIFE_BAD_TEXT},
        {"lost", "", 0x81, "\xff\xff", 2, true, LIFE_BAD_TEXT},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t total = SIZE_MAX;
        for (size_t cut = 0; cut <= total; cut++) {
            char keys[128];
            struct kit k;
            snprintf(keys, sizeof(keys), "close_timeout = 1h\n%s", rows[i].route);
            kit_open(&k, "", keys);
            if (!kit_connect(rows[i].name, &k, KIT_TCP)) {
                return;
            }
            kit_client_frame(&k, rows[i].first, rows[i].payload, rows[i].len);
            kit_client_frame(&k, 0x82, "and another", 11);
            if (rows[i].is_lost) {
                kit_client_frame(&k, 0x83, "", 0);
            }
            kit_client_closes(&k);
            total = memory_waiting(&k.client);
            k.client.in_len -= total - cut;
            for (int turns = 0; turns < 5; turns++) {
                kit_turn(&k);
            }
            CHECK_TRUE(rows[i].name, cut == total || !k.client.has_fin || rows[i].is_lost ||
                                         rows[i].first == 0x88);
            k.client.in_len += total - cut;
            CHECK_TRUE(rows[i].name, kit_until(&k, kit_has_fin));
            k.client.is_in_fin = true;
            kit_close(rows[i].name, &k, rows[i].ending);
        }
    }
}

/* The client says a script of frames and ends behind each of its bytes: between two messages that
 * is an orderly end, anywhere else a cut, and behind the Close it does not matter any more. */
static void test_client_cut(void)
{
    static const struct {
        uint8_t first;
        const char *payload;
        bool is_orderly; /* the stream may end behind this frame */
    } frames[] = {
        {0x82, "one", true}, {0x89, "p", true}, {0x8a, "", true},
        {0x02, "t", false},  {0x89, "", false}, {0x00, "", false},
        {0x80, "wo", true},  {0x82, "", true},  {0x88, "\x03\xe8", true},
    };
    static const char said[] = "onetwo";
    size_t total = 0;
    for (size_t cut = 0; cut <= total; cut++) {
        struct kit k;
        bool is_orderly = cut == 0;
        kit_open(&k, "", "");
        if (!kit_connect("cut", &k, KIT_TCP)) {
            return;
        }
        for (size_t i = 0; i < COUNT(frames); i++) {
            kit_client_frame(&k, frames[i].first, frames[i].payload, strlen(frames[i].payload));
            size_t end = memory_waiting(&k.client);
            is_orderly = is_orderly || (end == cut && frames[i].is_orderly);
            total = end;
        }
        k.client.in_len = k.client.in_at + cut;
        k.client.is_in_fin = true;
        enum life_ending ending = cut == total ? LIFE_CLIENT_CLOSE
                                  : is_orderly ? LIFE_CLIENT_EOF
                                               : LIFE_CLIENT_CUT;
        const char *row = life_ending_row(ending)->word;
        CHECK_TRUE(row, kit_until(&k, kit_is_backend_ended));
        CHECK_EQ_INT(row, k.backend_end, is_orderly ? KIT_BACKEND_FIN : KIT_BACKEND_RST);
        CHECK_TRUE(row, memcmp(kit_backend_heard.data, said, kit_backend_heard.len) == 0);
        CHECK_TRUE(row, cut < total || kit_backend_heard.len == strlen(said));
        close(k.backend);
        k.backend = -1;
        kit_close(row, &k, ending);
    }
}

/* Nothing has begun, or the head is cut off, or the client is gone before its backend is there. */
static void test_early_fin(void)
{
    static const struct {
        const char *name;
        const char *says;
        enum life_ending ending;
    } rows[] = {
        {"nothing", "", LIFE_CLIENT_EOF},
        {"one byte", "G", LIFE_CLIENT_CUT},
        {"half a head", "GET /tcp HTTP/1.1\r\nHost: h\r\n", LIFE_CLIENT_CUT},
        {"a whole head", KIT_TCP, LIFE_CLIENT_EOF},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct kit k;
        kit_open(&k, "", "");
        kit_client_says(&k, rows[i].says);
        k.client.is_in_fin = true;
        CHECK_TRUE(rows[i].name, kit_start(&k));
        CHECK_TRUE(rows[i].name, kit_until(&k, kit_has_fin));
        k.is_backend_ending = true;
        kit_settle(&k);
        CHECK_EQ_INT(rows[i].name, k.backend_end, KIT_BACKEND_SPEAKS + (i == 3));
        kit_close(rows[i].name, &k, rows[i].ending);
    }
}

/* A client that is slow and closes its sending half gets what was queued for it, then FIN. */
static void test_queued_before_fin(void)
{
    static const struct {
        const char *name;
        const char *request;
        bool is_cut;
        enum life_ending ending;
    } rows[] = {
        {"backend", KIT_TCP, false, LIFE_CLIENT_EOF},
        {"backend, cut", KIT_TCP, true, LIFE_CLIENT_CUT},
        {"echo", KIT_ECHO, false, LIFE_CLIENT_EOF},
        {"echo, cut", KIT_ECHO, true, LIFE_CLIENT_CUT},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct kit k;
        bool is_echo = i >= 2;
        kit_open(&k, "", "");
        if (!kit_connect(rows[i].name, &k, rows[i].request)) {
            return;
        }
        k.client.budget_bytes = 3;
        if (is_echo) {
            kit_client_frame(&k, 0x82, "words", 5);
        } else {
            kit_backend_says(&k, "words", 5);
        }
        kit_settle(&k);
        kit_heard_is(rows[i].name, "\x82\x05w", 3);
        if (rows[i].is_cut) {
            kit_client_says(&k, "\x82");
        }
        k.client.is_in_fin = true;
        kit_settle(&k);
        CHECK_FALSE(rows[i].name, k.client.has_fin);
        k.client.budget_bytes = MEMORY_ALL;
        CHECK_TRUE(rows[i].name, kit_until(&k, kit_has_fin));
        kit_heard_is(rows[i].name, "\x82\x05words", 7);
        k.is_backend_ending = true;
        kit_close(rows[i].name, &k, rows[i].ending);
    }
}

/* A connection that has asked for nothing is nobody who has to be told, for a while. */
static void test_early(void)
{
    struct kit k;
    kit_open(&k, "", "");
    CHECK_TRUE("start", kit_start(&k));
    kit_client_says(&k, "GET /");
    kit_settle(&k);
    CHECK_EQ_U64("not live", session_count_live(&k.context), 0);
    CHECK_EQ_U64("not ended", session_end_some(&k.context, LIFE_SHUTDOWN, 5), 0);
    session_end_early(&k.context, LIFE_SHUTDOWN, 60000);
    kit_settle(&k);
    CHECK_EQ_U64("too young", kit_client_heard.len, 0);
    session_end_early(&k.context, LIFE_SHUTDOWN, 0);
    CHECK_EQ_U64("told", kit_take_answer(&k), 503);
    session_end_early(&k.context, LIFE_SHUTDOWN, 0);
    kit_client_leaves(&k);
    kit_close("early", &k, LIFE_SHUTDOWN);

    kit_open(&k, "", "");
    if (!kit_connect("open", &k, KIT_TCP)) {
        return;
    }
    CHECK_EQ_U64("live", session_count_live(&k.context), 1);
    session_end_early(&k.context, LIFE_SHUTDOWN, 0);
    CHECK_EQ_U64("it has asked", session_end_some(&k.context, LIFE_SHUTDOWN, 5), 1);
    CHECK_EQ_U64("not live any more", session_count_live(&k.context), 0);
    kit_client_leaves(&k);
    kit_close("open", &k, LIFE_SHUTDOWN);
}

static void test_ended_by_us(void)
{
    struct kit k;
    kit_open(&k, "", "");
    if (!kit_connect("kicked", &k, KIT_TCP)) {
        return;
    }
    CHECK_EQ_U64("kicked", session_end_some(&k.context, LIFE_KICKED, 5), 1);
    CHECK_TRUE("backend", kit_until(&k, kit_is_backend_ended));
    CHECK_EQ_INT("backend", k.backend_end, KIT_BACKEND_FIN);
    kit_heard_is("Close",
                 "\x88\x1b\x03\xf0"
                 "ended by the operator 0-0",
                 29);
    kit_client_leaves(&k);
    kit_close("kicked", &k, LIFE_KICKED);

    kit_open(&k, "", "");
    if (!kit_connect("killed", &k, KIT_TCP)) {
        return;
    }
    kit_settle(&k);
    session_kill_all(&k.context);
    CHECK_TRUE("backend", kit_until(&k, kit_is_backend_ended));
    CHECK_EQ_INT("at once", k.client.state == MEMORY_OPEN, false);
    kit_close("killed", &k, LIFE_SHUTDOWN);
}

CU_TestInfo session_ends_tests[] = {
    {"the backend closes", test_backend_closes},
    {"the backend resets", test_backend_resets},
    {"the backend's last word after the client's Close", test_half_close},
    {"the client goes without a Close", test_client_goes},
    {"a client that goes while nobody reads it", test_client_goes_while_paused},
    {"the client's Close behind a violation", test_close_behind_a_violation},
    {"a FIN at every place of a stream", test_client_cut},
    {"a FIN before the 101", test_early_fin},
    {"what is queued for a client that has sent its FIN", test_queued_before_fin},
    {"ended by us, with and without politeness", test_ended_by_us},
    {"a drain and who has not asked yet", test_early},
    CU_TEST_INFO_NULL,
};
