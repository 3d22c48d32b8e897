/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The decoder that looks for nothing but the client's Close: behind an error that left its place
 * known, and at any place without an error. */
#include "suites.h"
#include "ws_script.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CLOSE_1000 "88 82 m 03 e8 ;"

struct skip_row {
    const char *name;
    const char *script;
    enum ws_accept accept;
    uint64_t max_bytes;
    const char *log; /* the error, then what came of the rest */
};

static const struct skip_row rows[] = {
    {"kind", "81 82 m 'hi' ;" CLOSE_1000, WS_ACCEPT_BINARY, 0, "!accept@1 close(1000)"},
    {"kind, other", "82 82 m 'hi' ;" CLOSE_1000, WS_ACCEPT_TEXT, 0, "!accept@1 close(1000)"},
    {"kind, long", "81 fe 01 2c m a*300 ;" CLOSE_1000, WS_ACCEPT_BINARY, 0,
     "!accept@1 close(1000)"},
    {"kind, fragments", "01 81 m 'h' ; 89 81 m 'p' ; 80 81 m 'i' ;" CLOSE_1000, WS_ACCEPT_BINARY, 0,
     "!accept@1 close(1000)"},
    {"kind, empty", "81 80 m ;" CLOSE_1000, WS_ACCEPT_BINARY, 0, "!accept@1 close(1000)"},
    {"size", "82 85 m 'Hello' ;" CLOSE_1000, WS_ACCEPT_ANY, 4, "!big@2 close(1000)"},
    {"size, long", "82 fe 01 2c m a*300 ;" CLOSE_1000, WS_ACCEPT_ANY, 4, "!big@4 close(1000)"},
    {"size, very long", "82 ff 00 00 00 00 00 01 11 70 m a*70000 ;" CLOSE_1000, WS_ACCEPT_ANY, 4,
     "!big@10 close(1000)"},
    {"size, fragments", "02 84 m 'Hell' ; 00 81 m 'o' ; 80 81 m 'w' ;" CLOSE_1000, WS_ACCEPT_ANY, 4,
     "B[Hell!big@12 close(1000)"},
    {"size, then another", "82 85 m 'Hello' ; 82 86 m 'Hello2' ;" CLOSE_1000, WS_ACCEPT_ANY, 4,
     "!big@2 close(1000)"},
    {"text", "81 83 m 'a' ff 'b' ;" CLOSE_1000, WS_ACCEPT_ANY, 0, "T[a!text@8 close(1000)"},
    {"text, the last byte", "81 82 m 'a' ff ;" CLOSE_1000, WS_ACCEPT_ANY, 0,
     "T[a!text@8 close(1000)"},
    {"text, the only byte", "81 81 m ff ;" CLOSE_1000, WS_ACCEPT_ANY, 0, "!text@7 close(1000)"},
    {"text, fragments", "01 81 m c3 ; 80 81 m 'x' ;" CLOSE_1000, WS_ACCEPT_ANY, 0,
     "T[\\xc3!text@14 close(1000)"},
    {"text, a fragment behind", "01 81 m ff ; 00 81 m 'x' ; 80 81 m ff ;" CLOSE_1000, WS_ACCEPT_ANY,
     0, "!text@7 close(1000)"},
    {"text, an empty end", "01 81 m c3 ; 80 80 m ;" CLOSE_1000, WS_ACCEPT_ANY, 0,
     "T[\\xc3!text@13 close(1000)"},
    {"text, then wrong text", "81 81 m ff ; 81 82 m ff ff ;" CLOSE_1000, WS_ACCEPT_ANY, 0,
     "!text@7 close(1000)"},
    {"reason", "88 84 m 03 e8 ff 'x' ; 81 81 m 'x' ;", WS_ACCEPT_ANY, 0, "!text@9 close(1000)"},
    {"reason, cut off", "88 83 m 0f a0 c3 ;", WS_ACCEPT_ANY, 0, "!text@9 close(4000)"},
    {"empty Close", "81 81 m ff ; 88 80 m ;", WS_ACCEPT_ANY, 0, "!text@7 close()"},
    {"lost", "83 81 m 'x' ;" CLOSE_1000, WS_ACCEPT_ANY, 0, "!frame@1 !frame@1"},
    {"lost by a Close", "88 81 m 'x' ;" CLOSE_1000, WS_ACCEPT_ANY, 0, "!close@2 !close@2"},
    {"lost behind", "81 81 m ff ; 80 80 m ;" CLOSE_1000, WS_ACCEPT_ANY, 0, "!text@7 !frame@8"},
    {"a wrong Close behind", "81 81 m ff ; 88 82 m 03 ec ;", WS_ACCEPT_ANY, 0, "!text@7 !close@15"},
    {"no Close", "81 81 m ff ; 82 81 m 'x' ;", WS_ACCEPT_ANY, 0, "!text@7 "},
};

/* One piece of the script. True: the Close has come, or nobody can find it any more. */
static bool feed(struct ws_decoder *d, uint8_t *data, size_t len, size_t *at, struct ws_log *log)
{
    struct ws_item item;
    while (len > 0) {
        size_t used = 0;
        bool was_skipping = d->is_skipping;
        ws_decode(d, data, len, &used, &item);
        data += used;
        len -= used;
        *at += used;
        if (item.type == WS_ITEM_ERROR) {
            ws_log_error(log, &item, *at);
            ws_log_raw(log, was_skipping ? "" : " ");
            if (!was_skipping) {
                ws_decoder_skip(d, &item);
            }
        } else if (!was_skipping) {
            (void)ws_log_item(log, &item, *at);
        }
        if (item.type == WS_ITEM_ERROR && !was_skipping) {
            ws_log_error(log, &item, *at);
        }
        if (item.type == WS_ITEM_CLOSE) {
            item.len = 0;
            ws_log_control(log, "close", &item);
        }
        if (item.type == WS_ITEM_ERROR || item.type == WS_ITEM_CLOSE) {
            return true;
        }
    }
    return false;
}

static bool run_row(const struct skip_row *row, size_t first, size_t step)
{
    static struct ws_wire wire;
    struct ws_decoder d;
    struct ws_log log = {.len = 0};
    size_t at = 0;
    size_t from = 0;
    bool is_over = false;
    if (!CHECK_TRUE(row->name, ws_wire_set(&wire, row->script))) {
        return false;
    }
    ws_decoder_init(&d, row->accept, row->max_bytes, false);
    for (size_t to = first; from < wire.len && !is_over; to += step) {
        to = to < wire.len ? to : wire.len;
        is_over = feed(&d, wire.data + from, to - from, &at, &log);
        from = to;
    }
    ws_log_flush(&log);
    return CHECK_EQ_STR(row->name, log.text, row->log);
}

static void test_behind_an_error(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        bool is_good = run_row(&rows[i], 1, 1);
        for (size_t first = 1; is_good && first < 330; first++) {
            is_good = run_row(&rows[i], first, WS_SCRIPT_MAX);
        }
    }
}

/* Skipping begins without an error, behind each byte of a stream; then what would be an error is
 * none, and the Close is found. */
static void test_anywhere(void)
{
    static const char script[] = "01 83 m 'abc' ; 89 81 m 'p' ; 80 fe 00 c8 m a*200 ; 82 80 m ;";
    static const char rest[] = "81 82 m ff fe ; 82 85 m 'large' ;" CLOSE_1000;
    static struct ws_wire wire;
    size_t total = 1;
    for (size_t begin = 0; begin < total; begin++) {
        struct ws_decoder d;
        struct ws_item item = {.type = WS_ITEM_NEED_MORE};
        uint8_t *at = wire.data;
        size_t used = 0;
        CHECK_TRUE("script", ws_wire_set(&wire, script));
        total = wire.len;
        CHECK_TRUE("rest", ws_wire_add(&wire, rest));
        ws_decoder_init(&d, WS_ACCEPT_ANY, 210, false);
        while (at < wire.data + begin) {
            ws_decode(&d, at, (size_t)(wire.data + begin - at), &used, &item);
            at += used;
        }
        ws_decoder_skip(&d, &item);
        CHECK_EQ_INT("no error", item.type, WS_ITEM_NEED_MORE);
        while (at < wire.data + wire.len && item.type != WS_ITEM_CLOSE) {
            ws_decode(&d, at, (size_t)(wire.data + wire.len - at), &used, &item);
            at += used;
            if (!CHECK_TRUE("no error", item.type != WS_ITEM_ERROR)) {
                return;
            }
        }
        CHECK_EQ_INT("Close", item.type, WS_ITEM_CLOSE);
        CHECK_EQ_U64("Close", item.close_code, 1000);
    }
}

static void test_place(void)
{
    static const struct {
        const char *script;
        enum ws_place place;
    } places[] = {
        {"", WS_BETWEEN_MESSAGES},
        {"82", WS_IN_FRAME},
        {"82 81 m", WS_IN_FRAME},
        {"82 81 m 'x'", WS_BETWEEN_MESSAGES},
        {"82 80 m", WS_BETWEEN_MESSAGES},
        {"02 81 m 'x'", WS_IN_MESSAGE},
        {"02 80 m", WS_IN_MESSAGE},
        {"02 81 m 'x' ; 89", WS_IN_FRAME},
        {"02 81 m 'x' ; 89 80 m", WS_IN_MESSAGE},
        {"02 81 m 'x' ; 80 80 m", WS_BETWEEN_MESSAGES},
        {"89 81 m", WS_IN_FRAME},
        {"89 81 m 'x'", WS_BETWEEN_MESSAGES},
    };
    static struct ws_wire wire;
    for (size_t i = 0; i < COUNT(places); i++) {
        for (size_t step = 1; step <= 20; step++) {
            struct ws_decoder d;
            struct ws_log log = {.len = 0};
            size_t at = 0;
            CHECK_TRUE(places[i].script, ws_wire_set(&wire, places[i].script));
            ws_decoder_init(&d, WS_ACCEPT_ANY, 0, false);
            for (size_t from = 0; from < wire.len; from += step) {
                size_t len = wire.len - from < step ? wire.len - from : step;
                (void)feed(&d, wire.data + from, len, &at, &log);
            }
            CHECK_EQ_INT(places[i].script, ws_decoder_place(&d), places[i].place);
        }
    }
}

CU_TestInfo ws_skip_tests[] = {
    {"the Close behind an error, at every split", test_behind_an_error},
    {"the Close from anywhere", test_anywhere},
    {"places where a stream can end", test_place},
    CU_TEST_INFO_NULL,
};
