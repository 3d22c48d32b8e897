/* SPDX-License-Identifier: GPL-3.0-or-later */
// Whole messages: the decoder checks them at once, and must give what it gives byte by byte.
#include "check.h"
#include "proto/ws.h"
#include "suites.h"
#include "ws_script.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct ws_wire wire;

static bool is_same_by_bytes(const struct ws_decoder *start)
{
    static struct ws_log whole;
    static struct ws_log by_bytes;
    struct ws_decoder d = *start;
    ws_script_decode(&d, &wire, 0, 0, &whole);
    d = *start;
    ws_script_decode(&d, &wire, 0, 1, &by_bytes);
    return strcmp(whole.text, by_bytes.text) == 0;
}

/* Every first byte with every kind of second byte; `before` is in front of them, `rest` behind. */
static void check_headers(const char *before, const char *rest, enum ws_accept accept,
                          uint64_t max_message_bytes)
{
    static const uint8_t seconds[] = {0x80, 0x81, 0x82, 0x83, 0x88, 0x90, 0xc0, 0xfd,
                                      0xfe, 0xff, 0x00, 0x03, 0x40, 0x7d, 0x7e, 0x7f};
    struct ws_decoder d;
    ws_decoder_init(&d, accept, max_message_bytes, false);
    for (size_t i = 0; i < COUNT(seconds) * 256; i++) {
        uint8_t first = (uint8_t)(i & 0xff);
        uint8_t second = seconds[i >> 8];
        (void)ws_wire_set(&wire, before);
        ws_wire_put(&wire, first, 1);
        ws_wire_put(&wire, second, 1);
        (void)ws_wire_add(&wire, rest);
        if (!is_same_by_bytes(&d)) {
            char row[128];
            snprintf(row, sizeof(row), "%02x %02x between '%s' and '%s', accept %d, limit %d",
                     first, second, before, rest, (int)accept, (int)max_message_bytes);
            CHECK_TRUE(row, false);
        }
    }
}

static void test_every_header(void)
{
    static const char *const befores[] = {"", "82 81 m 'a' ;", "01 81 m 'a' ;", "82 fe 00"};
    static const char *const rests[] = {
        "m x*300",
        "00 7d m x*300",
        "00 7e m x*300",
        "00 80 m x*127",
        "00 80 m x*128 ; 89",
        "m 'a' c3 a4 e2 82 x*300",
        "m 'abcdefg' c3 x*300",
        "m 'abcdef' e2 82",
    };
    static const uint64_t limits[] = {0, 1, 16, 125, 126, 128};
    for (size_t i = 0; i < COUNT(befores) * COUNT(rests); i++) {
        const char *before = befores[i / COUNT(rests)];
        const char *rest = rests[i % COUNT(rests)];
        CHECK_TRUE("script", ws_wire_set(&wire, before) && ws_wire_add(&wire, rest));
        check_headers(before, rest, WS_ACCEPT_BINARY, 0);
        check_headers(before, rest, WS_ACCEPT_TEXT, 0);
    }
    for (size_t i = 0; i < COUNT(limits) * COUNT(rests); i++) {
        check_headers("", rests[i % COUNT(rests)], WS_ACCEPT_ANY, limits[i / COUNT(rests)]);
    }
}

/* A frame of text with one byte that is not 'x'. */
static void put_text(size_t length, size_t at, uint8_t byte)
{
    (void)ws_wire_set(&wire, length < 126 ? "81" : "81 fe 00");
    ws_wire_put(&wire, (uint8_t)(length < 126 ? 0x80 | length : length), 1);
    ws_wire_put_key(&wire);
    ws_wire_put(&wire, 'x', at);
    ws_wire_put(&wire, byte, 1);
    ws_wire_put(&wire, 'x', length - at - 1);
}

static void test_wrong_text(void)
{
    static const uint8_t lengths[] = {8, 17, 125, 126};
    struct ws_decoder d;
    ws_decoder_init(&d, WS_ACCEPT_ANY, 0, false);
    for (size_t i = 0; i < COUNT(lengths); i++) {
        size_t length = lengths[i];
        for (size_t at = 0; at < length; at++) {
            char row[64];
            char want[64];
            snprintf(row, sizeof(row), "%zu bytes of text, wrong at %zu", length, at);
            int n = at == 0   ? 0
                    : at <= 8 ? snprintf(want, sizeof(want), "T[%.*s", (int)at, "xxxxxxxx")
                              : snprintf(want, sizeof(want), "T[x*%zu", at);
            put_text(length, at, 0xff);
            snprintf(want + n, sizeof(want) - (size_t)n, "!text@%zu", wire.len - (length - at) + 1);
            ws_script_check(row, &wire, &d, want);
            put_text(length, at, 0xe2); /* the byte behind this one is wrong, or the end is */
            CHECK_TRUE(row, is_same_by_bytes(&d));
        }
    }
}

/* The decoder sets every field of an item. */
static void test_fields(void)
{
    static const struct {
        const char *script;
        enum ws_opcode opcode;
        size_t len;
    } rows[] = {
        {"82 8a m 'Hello Bob.' ; 82", WS_BINARY, 10},
        {"81 8a m 'Hello Bob.' ; 82", WS_TEXT, 10},
        {"81 80 m ; 88 82", WS_TEXT, 0},
        {"82 fe 01 00 m 'Hello Bob.' x*246", WS_BINARY, 256},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *row = rows[i].script;
        struct ws_decoder d;
        struct ws_item item;
        size_t used = 0;
        size_t header_len = ws_header_len(rows[i].len) + 4;
        memset(&item, 0xff, sizeof(item));
        ws_decoder_init(&d, WS_ACCEPT_ANY, rows[i].len, false);
        CHECK_TRUE(row, ws_wire_set(&wire, row));
        ws_decode(&d, wire.data, wire.len, &used, &item);
        CHECK_EQ_U64(row, used, header_len + rows[i].len);
        CHECK_EQ_INT(row, item.type, WS_ITEM_PAYLOAD);
        CHECK_EQ_INT(row, item.opcode, rows[i].opcode);
        CHECK_TRUE(row, item.data == wire.data + header_len && item.len == rows[i].len);
        CHECK_TRUE(row, item.len == 0 || memcmp(item.data, "Hello Bob.", 10) == 0);
        CHECK_TRUE(row, item.is_message_start && item.is_message_end && !item.is_compressed);
        CHECK_TRUE(row, item.close_code == 0 && item.error == WS_OK && item.detail == NULL);
    }
}

/* Bytes that look like a whole message where none can begin. */
static void test_look_alike(void)
{
    static const struct {
        const char *name;
        const char *script;
        const char *want;
    } rows[] = {
        {"in a ping", "89 8a 00 00 00 00 82 82 00 00 00 00 'abcd'",
         "ping(\\x82\\x82\\x00\\x00\\x00\\x00abcd)"},
        {"in a message", "82 8a 00 00 00 00 82 82 00 00 00 00 'abcd'",
         "B[\\x82\\x82\\x00\\x00\\x00\\x00abcd]"},
        {"in a header", "82 82 82 00 00 00 e3 'a' ; 8a 80 m", "B[aa]pong()"},
    };
    struct ws_decoder d;
    ws_decoder_init(&d, WS_ACCEPT_ANY, 0, false);
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_TRUE(rows[i].name, ws_wire_set(&wire, rows[i].script));
        ws_script_check(rows[i].name, &wire, &d, rows[i].want);
    }
}

static void test_behind_an_error(void)
{
    struct ws_decoder d;
    struct ws_item item;
    size_t used = 0;
    ws_decoder_init(&d, WS_ACCEPT_ANY, 0, false);
    CHECK_TRUE("error", ws_wire_set(&wire, "8f 82 8a m 'Hello Bob.'"));
    ws_decode(&d, wire.data, wire.len, &used, &item);
    CHECK_EQ_U64("error", used, 1);
    CHECK_EQ_INT("error", item.type, WS_ITEM_ERROR);
    ws_decode(&d, wire.data + 1, wire.len - 1, &used, &item);
    CHECK_EQ_U64("a whole message behind it", used, 0);
    CHECK_EQ_INT("a whole message behind it", item.type, WS_ITEM_ERROR);
}

CU_TestInfo ws_whole_tests[] = {
    {"every header, whole and byte by byte", test_every_header},
    {"text that goes wrong at each byte", test_wrong_text},
    {"every field of the item", test_fields},
    {"bytes that look like a message", test_look_alike},
    {"behind an error", test_behind_an_error},
    CU_TEST_INFO_NULL,
};
