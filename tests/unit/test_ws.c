/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/ws.h"

#include "base/utf8.h"
#include "check.h"
#include "suites.h"
#include "ws_rows.h"
#include "ws_script.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct ws_wire wire;

static void check_wire(const char *row, enum ws_accept accept, uint64_t max_message_bytes,
                       const char *want)
{
    struct ws_decoder d;
    ws_decoder_init(&d, accept, max_message_bytes, false);
    ws_script_check(row, &wire, &d, want);
}

static void test_rows(void)
{
    for (size_t i = 0; i < COUNT(ws_rows); i++) {
        const struct ws_row *row = &ws_rows[i];
        if (CHECK_TRUE(row->name, ws_wire_set(&wire, row->script))) {
            check_wire(row->name, row->accept, row->max_message_bytes, row->want);
        }
    }
}

/* --- every value of the header's bytes ------------------------------------------------------*/

static bool is_one_of(uint8_t byte, const uint8_t *list, size_t count)
{
    return memchr(list, byte, count) != NULL;
}

/* Writes to `want` the log of an empty frame with this first byte. */
static void want_of_first_byte(uint8_t byte, bool in_message, enum ws_accept accept, char *want)
{
    static const uint8_t good_alone[] = {0x01, 0x02, 0x81, 0x82, 0x88, 0x89, 0x8a};
    static const uint8_t good_inside[] = {0x00, 0x80, 0x88, 0x89, 0x8a};
    static const char *const logs[256] = {
        [0x00] = "~",    [0x80] = "~]",      [0x01] = "T[~",    [0x81] = "T[~]",   [0x02] = "B[~",
        [0x82] = "B[~]", [0x88] = "close()", [0x89] = "ping()", [0x8a] = "pong()",
    };
    bool is_good = in_message ? is_one_of(byte, good_inside, COUNT(good_inside))
                              : is_one_of(byte, good_alone, COUNT(good_alone));
    uint8_t refused = accept == WS_ACCEPT_TEXT ? 0x02 : accept == WS_ACCEPT_BINARY ? 0x01 : 0xff;
    const char *before = !in_message ? "" : accept == WS_ACCEPT_BINARY ? "B[~" : "T[~";
    int at = in_message ? 7 : 1;
    if (!is_good) {
        sprintf(want, "%s!frame@%d", before, at);
    } else if ((byte & 0x7f) == refused) {
        sprintf(want, "%s!accept@%d", before, at);
    } else {
        sprintf(want, "%s%s", before, logs[byte]);
    }
}

static void test_first_byte(void)
{
    static const enum ws_accept accepts[] = {WS_ACCEPT_ANY, WS_ACCEPT_BINARY, WS_ACCEPT_TEXT};
    for (size_t i = 0; i < COUNT(accepts) * 2 * 256; i++) {
        uint8_t byte = (uint8_t)(i & 0xff);
        bool in_message = (i & 0x100) != 0;
        enum ws_accept accept = accepts[i >> 9];
        char row[64];
        char want[64];
        snprintf(row, sizeof(row), "first byte %02x, %s a message, accept %d", byte,
                 in_message ? "in" : "not in", (int)accept);
        want_of_first_byte(byte, in_message, accept, want);
        const char *opening = accept == WS_ACCEPT_BINARY ? "02 80 m ;" : "01 80 m ;";
        CHECK_TRUE(row, ws_wire_set(&wire, in_message ? opening : ""));
        ws_wire_put(&wire, byte, 1);
        CHECK_TRUE(row, ws_wire_add(&wire, "80 m ;"));
        check_wire(row, accept, 0, want);
    }
}

static void test_second_byte(void)
{
    static const uint8_t firsts[] = {0x01, 0x02, 0x81, 0x82, 0x88, 0x89, 0x8a};
    for (size_t i = 0; i < COUNT(firsts) * 256; i++) {
        uint8_t first = firsts[i >> 8];
        uint8_t second = (uint8_t)(i & 0xff);
        unsigned int length = second % 128;
        char row[64];
        snprintf(row, sizeof(row), "first byte %02x, second byte %02x", first, second);
        const char *want = "";
        if (second < 128 || (first >= 0x88 && length > 125)) {
            want = "!frame@2";
        } else if (first == 0x88 && length == 1) {
            want = "!close@2";
        } else if (second == 0x80) {
            continue;
        }
        CHECK_TRUE(row, ws_wire_set(&wire, ""));
        ws_wire_put(&wire, first, 1);
        ws_wire_put(&wire, second, 1);
        check_wire(row, WS_ACCEPT_ANY, 0, want);
    }
}

/* Writes a length in a form of 0, 2 or 8 extra bytes, minimal or not. */
static void put_length(uint64_t length, size_t extra)
{
    ws_wire_put(&wire, extra == 0 ? (uint8_t)(0x80 | length) : extra == 2 ? 0xfe : 0xff, 1);
    for (size_t i = extra; i > 0; i--) {
        ws_wire_put(&wire, (uint8_t)(length >> (8 * (i - 1))), 1);
    }
}

static void test_length_forms(void)
{
    static const uint64_t lengths[] = {
        1,
        2,
        124,
        125,
        126,
        127,
        128,
        255,
        256,
        65534,
        65535,
        65536,
        65537,
        INT32_MAX,
        0x80000000,
        0x80000001,
        UINT32_MAX,
        0x100000000,
        1ULL << 40,
        (1ULL << 62) + 1,
        INT64_MAX,
        1ULL << 63,
        (1ULL << 63) + 1,
        UINT64_MAX,
    };
    static const uint64_t limits[] = {0, 1, 125, 126, 65535, 65536, 1ULL << 32, UINT64_MAX};
    for (size_t i = 0; i < COUNT(lengths) * COUNT(limits) * 2; i++) {
        uint64_t length = lengths[i / (COUNT(limits) * 2)];
        uint64_t limit = limits[i / 2 % COUNT(limits)];
        size_t extra = i % 2 == 0 ? 2 : 8;
        char row[96];
        snprintf(row, sizeof(row), "length %" PRIu64 " in %zu bytes, limit %" PRIu64, length, extra,
                 limit);
        bool is_minimal = extra == 2 ? length > 125 : length > 65535;
        if (extra == 2 && length > 65535) {
            continue;
        }
        const char *want = "B[x";
        if (length > INT64_MAX) {
            want = "!frame@3";
        } else if (!is_minimal) {
            want = extra == 2 ? "!frame@4" : "!frame@10";
        } else if (limit != 0 && length > limit) {
            want = extra == 2 ? "!big@4" : "!big@10";
        }
        CHECK_TRUE(row, ws_wire_set(&wire, "82"));
        put_length(length, extra);
        CHECK_TRUE(row, ws_wire_add(&wire, "m 'x'"));
        check_wire(row, WS_ACCEPT_ANY, limit, want);
    }
}

/* --- limits over fragments that no test can send in full ------------------------------------*/

static void test_message_sum(void)
{
    static const struct {
        const char *name;
        uint64_t limit;
        uint64_t before; /* bytes of the message so far */
        const char *script;
        const char *want;
    } rows[] = {
        {"sum at the limit", 10, 9, "80 81 m 'x'", "x]"},
        {"sum above the limit", 10, 9, "80 82 m 'xy'", "!big@2"},
        {"nothing left", 10, 10, "80 81 m 'x'", "!big@2"},
        {"nothing left, nothing more", 10, 10, "80 80 m", "~]"},
        {"sum of 2^63", INT64_MAX, INT64_MAX, "00 81 m 'x'", "!big@2"},
        {"sum just below 2^64", UINT64_MAX, INT64_MAX, "00 ff 7f ff ff ff ff ff ff ff m 'x'", "x"},
        {"sum that wraps", UINT64_MAX, UINT64_MAX - 1, "00 82 m 'xy'", "!big@2"},
        {"sum that wraps far", 1000, 999, "00 ff 7f ff ff ff ff ff ff ff m", "!big@10"},
        {"sum that wraps to the limit", 10, 8, "00 ff 7f ff ff ff ff ff ff fd m", "!big@10"},
        {"no limit, sum that wraps", 0, UINT64_MAX - 1, "00 82 m 'xy' ; 80 81 m 'z'", "xyz]"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct ws_decoder d;
        ws_decoder_init(&d, WS_ACCEPT_ANY, rows[i].limit, false);
        d.in_message = true;
        d.message_opcode = WS_BINARY;
        d.message_bytes = rows[i].before;
        if (CHECK_TRUE(rows[i].name, ws_wire_set(&wire, rows[i].script))) {
            ws_script_check(rows[i].name, &wire, &d, rows[i].want);
        }
    }
}

/* --- close ----------------------------------------------------------------------------------*/

static bool may_send(unsigned int code)
{
    static const unsigned int registered[] = {1000, 1001, 1002, 1003, 1007, 1008,
                                              1009, 1010, 1011, 1012, 1013, 1014};
    for (size_t i = 0; i < COUNT(registered); i++) {
        if (registered[i] == code) {
            return true;
        }
    }
    return code / 1000 == 3 || code / 1000 == 4;
}

static void test_close_codes(void)
{
    for (unsigned int code = 0; code <= UINT16_MAX; code++) {
        if (ws_close_code_is_valid((uint16_t)code) != may_send(code)) {
            CHECK_EQ_U64("close code with the wrong answer", code, 0);
        }
    }
    for (unsigned int code = 0; code <= 5000; code++) {
        char row[32];
        char want[32];
        snprintf(row, sizeof(row), "close %u", code);
        snprintf(want, sizeof(want), may_send(code) ? "close(%u)" : "!close@8", code);
        CHECK_TRUE(row, ws_wire_set(&wire, "88 82 m"));
        ws_wire_put(&wire, (uint8_t)(code >> 8), 1);
        ws_wire_put(&wire, (uint8_t)(code & 0xff), 1);
        check_wire(row, WS_ACCEPT_ANY, 0, want);
    }
}

static void test_close_lengths(void)
{
    for (unsigned int length = 2; length <= 125; length++) {
        char row[32];
        char want[160];
        snprintf(row, sizeof(row), "close of %u bytes", length);
        CHECK_TRUE(row, ws_wire_set(&wire, "88"));
        put_length(length, 0);
        CHECK_TRUE(row, ws_wire_add(&wire, "m 03 e8"));
        int at = snprintf(want, sizeof(want), length > 2 ? "close(1000," : "close(1000");
        for (unsigned int i = 2; i < length; i++) {
            char byte = (char)('a' + i % 26);
            ws_wire_put(&wire, (uint8_t)byte, 1);
            want[at++] = byte;
        }
        snprintf(want + at, sizeof(want) - (size_t)at, ")");
        check_wire(row, WS_ACCEPT_ANY, 0, want);
    }
}

/* --- every sequence of four frames ----------------------------------------------------------*/

struct sequence {
    char want[64];
    bool in_message;
    bool is_wrong; /* nothing more comes out */
};

/* Appends frame `kind` to the wire, and its log to `want`. */
static void put_frame(unsigned int kind, struct sequence *seq)
{
    static const char *const frames[] = {"01 81 m 'a' ;", "81 81 m 'a' ;", "02 81 m 'a' ;",
                                         "82 81 m 'a' ;", "00 81 m 'a' ;", "80 81 m 'a' ;",
                                         "89 81 m 'a' ;", "8a 80 m ;"};
    static const char *const logs[] = {"T[a", "T[a]", "B[a",     "B[a]",
                                       "a",   "a]",   "ping(a)", "pong()"};
    char *end = seq->want + strlen(seq->want);
    size_t room = sizeof(seq->want) - strlen(seq->want);
    bool is_control = kind >= 6;
    bool is_continuation = kind == 4 || kind == 5;
    if (!seq->is_wrong && !is_control && seq->in_message != is_continuation) {
        snprintf(end, room, "!frame@%zu", wire.len + 1);
        seq->is_wrong = true;
    } else if (!seq->is_wrong) {
        snprintf(end, room, "%s", logs[kind]);
        seq->in_message = is_control ? seq->in_message : kind % 2 == 0;
    }
    CHECK_TRUE("a frame", ws_wire_add(&wire, frames[kind]));
}

static void test_frame_sequences(void)
{
    for (unsigned int n = 0; n < 8 * 8 * 8 * 8; n++) {
        char row[32];
        struct sequence seq = {.in_message = false};
        snprintf(row, sizeof(row), "frames %04o", n);
        CHECK_TRUE(row, ws_wire_set(&wire, ""));
        for (unsigned int shift = 0; shift < 12; shift += 3) {
            put_frame(n >> shift & 7, &seq);
        }
        check_wire(row, WS_ACCEPT_ANY, 0, seq.want);
    }
}

/* --- pieces ---------------------------------------------------------------------------------*/

static void test_pieces(void)
{
    struct ws_decoder d;
    struct ws_item item;
    size_t used = 0;
    ws_decoder_init(&d, WS_ACCEPT_ANY, 0, false);
    CHECK_TRUE("pieces", ws_wire_set(&wire, "82 85 m 'Hello'"));

    ws_decode(&d, wire.data, 8, &used, &item);
    CHECK_EQ_INT("first piece", item.type, WS_ITEM_PAYLOAD);
    CHECK_EQ_MEM("first piece", item.data, item.len, "He", 2);
    CHECK_TRUE("first piece is in place", item.data == wire.data + 6);
    CHECK_TRUE("first piece", item.is_message_start && !item.is_message_end);
    CHECK_EQ_U64("first piece", used, 8);

    ws_decode(&d, wire.data + 8, 0, &used, &item);
    CHECK_EQ_INT("no bytes", item.type, WS_ITEM_NEED_MORE);
    ws_decode(&d, NULL, 0, &used, &item);
    CHECK_EQ_INT("no bytes at NULL", item.type, WS_ITEM_NEED_MORE);

    ws_decode(&d, wire.data + 8, 3, &used, &item);
    CHECK_EQ_MEM("last piece", item.data, item.len, "llo", 3);
    CHECK_TRUE("last piece", !item.is_message_start && item.is_message_end);
    ws_decode(&d, wire.data + 11, 0, &used, &item);
    CHECK_EQ_INT("no empty piece follows", item.type, WS_ITEM_NEED_MORE);
}

static void test_error_sticks(void)
{
    struct ws_decoder d;
    struct ws_item item;
    size_t used = 0;
    ws_decoder_init(&d, WS_ACCEPT_BINARY, 0, false);
    CHECK_TRUE("error", ws_wire_set(&wire, "81 80 m ; 82 80 m"));
    for (size_t i = 0; i < 3; i++) {
        size_t len = i == 1 ? 0 : wire.len;
        ws_decode(&d, wire.data, len, &used, &item);
        CHECK_EQ_INT("error", item.type, WS_ITEM_ERROR);
        CHECK_EQ_INT("error", item.error, WS_NOT_ACCEPTED);
        CHECK_EQ_STR("error", item.detail, "text is not accepted");
        CHECK_EQ_U64("error", used, i == 0 ? 1 : 0);
    }
}

/* A long mixed stream in chunks of every size from 1 to 300. */
static void test_chunk_sizes(void)
{
    static const char want[] = "T[ab\\xe2ping(x*125)\\x82\\xac~z*300]B[~]B[y*70000]pong()T[c*126]"
                               "close(1001,done)";
    CHECK_TRUE("stream", ws_wire_set(&wire, "01 83 m 'ab' e2 ; 89 fd m x*125 ; 00 82 m 82 ac ;"
                                            "00 80 m ; 80 fe 01 2c m z*300 ; 82 80 m ;"
                                            "82 ff 00 00 00 00 00 01 11 70 m y*70000 ; 8a 80 m ;"
                                            "81 fe 00 7e m c*126 ; 88 86 m 03 e9 'done'"));
    for (size_t step = 1; step <= 300; step++) {
        static struct ws_log log;
        char row[32];
        struct ws_decoder d;
        snprintf(row, sizeof(row), "chunks of %zu", step);
        ws_decoder_init(&d, WS_ACCEPT_ANY, 70000, false);
        ws_script_decode(&d, &wire, 0, step, &log);
        CHECK_EQ_STR(row, log.text, want);
    }
}

/* --- what we send ---------------------------------------------------------------------------*/

static void test_encode_header(void)
{
    static const struct {
        uint64_t length;
        size_t header_len;
        enum ws_opcode opcode;
        bool is_fin;
        uint8_t header[WS_HEADER_MAX];
    } rows[] = {
        {0, 2, WS_TEXT, true, {0x81, 0}},
        {1, 2, WS_TEXT, false, {0x01, 1}},
        {125, 2, WS_BINARY, true, {0x82, 125}},
        {126, 4, WS_BINARY, true, {0x82, 126, 0, 126}},
        {127, 4, WS_BINARY, false, {0x02, 126, 0, 127}},
        {256, 4, WS_CONTINUATION, false, {0x00, 126, 1, 0}},
        {65535, 4, WS_CONTINUATION, true, {0x80, 126, 0xff, 0xff}},
        {65536, 10, WS_BINARY, true, {0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}},
        {0x102030405060708, 10, WS_BINARY, true, {0x82, 127, 1, 2, 3, 4, 5, 6, 7, 8}},
        {INT64_MAX, 10, WS_TEXT, true, {0x81, 127, 0x7f, 255, 255, 255, 255, 255, 255, 255}},
        {4, 2, WS_PING, true, {0x89, 4}},
        {125, 2, WS_PONG, true, {0x8a, 125}},
        {2, 2, WS_CLOSE, true, {0x88, 2}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char row[32];
        uint8_t out[WS_HEADER_MAX];
        snprintf(row, sizeof(row), "header %zu", i);
        size_t len = ws_encode_header(out, rows[i].opcode, rows[i].is_fin, rows[i].length);
        CHECK_EQ_MEM(row, out, len, rows[i].header, rows[i].header_len);
        CHECK_EQ_U64(row, ws_header_len(rows[i].length), rows[i].header_len);
    }
}

/* The decoder reads what the encoder wrote and this test masked. */
static void test_round_trip(void)
{
    static const uint64_t lengths[] = {0, 1, 7, 124, 125, 126, 127, 255, 256, 65535, 65536, 70001};
    for (size_t i = 0; i < COUNT(lengths) * 2; i++) {
        uint64_t length = lengths[i / 2];
        enum ws_opcode opcode = i % 2 == 0 ? WS_TEXT : WS_BINARY;
        char row[48];
        char want[64];
        snprintf(row, sizeof(row), "round trip of %" PRIu64 ", opcode %d", length, (int)opcode);
        const char *start = opcode == WS_TEXT ? "T[" : "B[";
        if (length < 9) {
            snprintf(want, sizeof(want), "%s%.*s]", start, (int)length, "qqqqqqqq");
        } else {
            snprintf(want, sizeof(want), "%sq*%" PRIu64 "]", start, length);
        }
        if (length == 0) {
            snprintf(want, sizeof(want), "%s~]", start);
        }
        CHECK_TRUE(row, ws_wire_set(&wire, ""));
        wire.len = ws_encode_header(wire.data, opcode, true, length);
        wire.data[1] |= 0x80;
        ws_wire_put_key(&wire);
        ws_wire_put(&wire, 'q', length);
        check_wire(row, WS_ACCEPT_ANY, length, want);
    }
}

static void check_close(const char *row, uint16_t code, struct span reason, size_t want_len)
{
    uint8_t out[2 + WS_CONTROL_MAX];
    size_t len = ws_encode_close(out, code, reason);
    size_t head = code == 0 ? 2 : 4;
    CHECK_EQ_U64(row, len, head + want_len);
    CHECK_EQ_INT(row, out[0], 0x88);
    CHECK_EQ_INT(row, out[1], (int)(len - 2));
    if (code != 0) {
        CHECK_EQ_INT(row, out[2] * 256 + out[3], code);
        CHECK_EQ_MEM(row, out + 4, len - 4, reason.data, want_len);
        CHECK_TRUE(row, utf8_is_valid((struct span){(const char *)out + 4, len - 4}));
    }
}

static void test_encode_close(void)
{
    static const char *const marks[] = {"x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    check_close("no code", 0, SPAN_LIT("left out"), 0);
    check_close("no reason", 1000, (struct span){NULL, 0}, 0);
    check_close("a reason", 1011, SPAN_LIT("backend gone"), 12);
    for (size_t width = 1; width <= COUNT(marks); width++) {
        for (size_t before = 110; before <= 130; before++) {
            char row[64];
            char text[160];
            memset(text, 'r', before);
            memcpy(text + before, marks[width - 1], width);
            size_t len = before + width;
            size_t want = before > 123 ? 123 : len > 123 ? before : len;
            snprintf(row, sizeof(row), "%zu bytes and one of %zu", before, width);
            check_close(row, 4000, (struct span){text, len}, want);
        }
    }
}

CU_TestInfo ws_tests[] = {
    {"streams and what comes out", test_rows},
    {"every first byte", test_first_byte},
    {"every second byte", test_second_byte},
    {"length forms and limits", test_length_forms},
    {"message length over fragments", test_message_sum},
    {"close codes", test_close_codes},
    {"close lengths", test_close_lengths},
    {"every sequence of four frames", test_frame_sequences},
    {"pieces", test_pieces},
    {"an error sticks", test_error_sticks},
    {"chunks of every size", test_chunk_sizes},
    {"encode a header", test_encode_header},
    {"encode, mask, decode", test_round_trip},
    {"encode a close", test_encode_close},
    CU_TEST_INFO_NULL,
};
