/* SPDX-License-Identifier: GPL-3.0-or-later */
// The modes of gate/pump: what becomes of the client's frames, at every cut. test_pump_flow.c tests
// queues, held bytes and memory; test_pump_interest.c tests whom the pump reads and writes.
#include "pump_kit.h"
#include "suites.h"

static const struct kit_rules plain = {.accept = WS_ACCEPT_ANY};
static const struct kit_rules binary = {.accept = WS_ACCEPT_BINARY};
static const struct kit_rules echo = {.shape = {.is_echo = true}};
static const struct kit_rules length = {
    .shape = {.framing = {.kind = FRAMING_LENGTH16, .max_bytes = 100}}};
static const struct kit_rules base64 = {.shape = {.payload = SHAPE_BASE64}};
static const struct kit_rules echo_frames = {
    .shape = {.is_echo = true, .max_frame_bytes = SHAPE_FRAME_MIN_BYTES}};
static const struct kit_rules deflated = {.shape = {KIT_DEFLATE}};
static const struct kit_rules deflated_lines = {
    .shape = {KIT_DEFLATE, .framing = {.kind = FRAMING_LINE, .max_bytes = 100}}};
static const struct kit_rules limited = {.max_message_bytes = 5};

struct row {
    const char *name;
    const struct kit_rules *rules;
    size_t collect_bytes;
    struct kit_frame frames[8];
    const char *story;
    struct span to_backend;
    const char *to_client;
};

// Cuts the row's wire once at `cut`, or into pieces of `step` bytes.
static void check_cut(const struct row *row, enum pump_mode mode, size_t cut, size_t step)
{
    struct kit k;
    struct client_bytes wire = {0};
    struct kit_rules rules = *row->rules;
    char text[2048] = "";
    char name[128];
    snprintf(name, sizeof(name), "%s, cut at %zu, by %zu", row->name, cut, step);
    rules.collect_bytes = row->collect_bytes;
    kit_open(&k, name, &rules);
    k.mode = row->collect_bytes > 0 ? PUMP_COLLECT : mode;
    kit_put_frames(&wire, row->frames, COUNT(row->frames));
    for (size_t at = 0, part = cut; at < wire.len; at += part, part = step) {
        part = part < wire.len - at ? part : wire.len - at;
        kit_up(&k, wire.data + at, part);
    }
    kit_frames_text(&k.to_client, text, sizeof(text));
    CHECK_EQ_STR(name, k.story, row->story);
    CHECK_EQ_MEM(name, k.to_backend.data, k.to_backend.len, row->to_backend.data,
                 row->to_backend.len);
    CHECK_EQ_STR(name, text, row->to_client);
    CHECK_FALSE(name, k.pump.no_memory);
    CHECK_FALSE(name, pump_is_held(&k.pump));
    client_drop(&wire);
    kit_close(&k);
}

static void check_rows(const struct row *rows, size_t count, enum pump_mode mode)
{
    for (size_t i = 0; i < count; i++) {
        struct client_bytes wire = {0};
        kit_put_frames(&wire, rows[i].frames, COUNT(rows[i].frames));
        for (size_t cut = 1; cut <= wire.len; cut++) {
            check_cut(&rows[i], mode, cut, wire.len);
        }
        for (size_t step = 1; step < 4; step++) {
            check_cut(&rows[i], mode, step, step);
        }
        client_drop(&wire);
    }
}

#define NOTHING SPAN_LIT("")
#define BIG_64 "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"
#define BIG_256 BIG_64 BIG_64 BIG_64 BIG_64
#define BIG_1280 BIG_256 BIG_256 BIG_256 BIG_256 BIG_256

static const struct row forward_rows[] = {
    {"two messages", &plain, 0, {TEXT("hello"), BINARY("you")}, "", SPAN_LIT("helloyou"), ""},
    {"pings", &plain, 0, {PING("a"), TEXT("b"), PING("")}, "", SPAN_LIT("b"), "pong(a)pong()"},
    {"a ping inside a message",
     &plain,
     0,
     {FIRST("one "), PING("x"), NEXT(""), PONG("y"), LAST("two")},
     "",
     SPAN_LIT("one two"),
     "pong(x)"},
    {"a close, and bytes behind it",
     &plain,
     0,
     {TEXT("end"), CLOSE_1000, TEXT("late")},
     "close(1000)",
     SPAN_LIT("end"),
     ""},
    {"a close without a code", &plain, 0, {{0x88, ""}}, "close(0)", NOTHING, ""},
    {"text is not accepted",
     &binary,
     0,
     {BINARY("a"), TEXT("b")},
     "opcode: text is not accepted",
     SPAN_LIT("a"),
     ""},
    {"bad text", &plain, 0, {TEXT("a\xff")}, "bad_text: text is not UTF-8", SPAN_LIT("a"), ""},
    {"too big",
     &limited,
     0,
     {TEXT("12345"), TEXT("123456")},
     "too_big: message longer than max_message",
     SPAN_LIT("12345"),
     ""},
    {"reserved bit", &plain, 0, {PACKED("a")}, "protocol: reserved bit set", NOTHING, ""},
    {"echo", &echo, 0, {TEXT("a"), BINARY("")}, "", NOTHING, "T[a]B[]"},
    {"echo, a ping in its place",
     &echo,
     0,
     {TEXT("a"), PING("p"), TEXT("b"), CLOSE_1000},
     "close(1000)",
     NOTHING,
     "T[a]pong(p)T[b]"},
    {"echo with frames of a limit",
     &echo_frames,
     0,
     {TEXT(BIG_256), PING("p"), BINARY("b")},
     "",
     NOTHING,
     "T[" BIG_256 "]pong(p)B[b]"},
    {"records",
     &length,
     0,
     {TEXT("abc"), FIRST("d"), PING("p"), LAST("e"), TEXT("")},
     "",
     SPAN_LIT("\0\3abc\0\2de\0\0"),
     "pong(p)"},
    {"base64", &base64, 0, {TEXT("AAEC"), TEXT("AA==")}, "", SPAN_LIT("\0\1\2\0"), ""},
    {"base64 is text", &base64, 0, {BINARY("AAEC")}, "opcode: binary is not accepted", NOTHING, ""},
    {"compressed, and not",
     &deflated,
     0,
     {PACKED("the same words"), TEXT("plain"), PING("p"), PACKED("the same words")},
     "",
     SPAN_LIT("the same wordsplainthe same words"),
     "pong(p)"},
    {"compressed, no UTF-8",
     &deflated,
     0,
     {PACKED("a"), PACKED("\xff")},
     "bad_text: text is not UTF-8",
     SPAN_LIT("a"),
     ""},
    {"a terminator",
     &deflated_lines,
     0,
     {PACKED("a"), PACKED("b\nc")},
     "framing: line terminator inside a message",
     SPAN_LIT("a\n"),
     ""},
};

static void test_forward(void)
{
    check_rows(forward_rows, COUNT(forward_rows), PUMP_FORWARD);
}

static const struct row discard_rows[] = {
    {"payload and pings", &plain, 0, {TEXT("a"), PING("b"), BINARY("c")}, "", NOTHING, ""},
    {"a close", &plain, 0, {TEXT("a"), PING("b"), CLOSE_1000}, "close(1000)", NOTHING, ""},
    {"an error",
     &plain,
     0,
     {TEXT("a"), NEXT("b")},
     "protocol: continuation of no message",
     NOTHING,
     ""},
    {"echo", &echo, 0, {TEXT("a"), PING("b"), CLOSE_1000}, "close(1000)", NOTHING, ""},
    {"compressed", &deflated, 0, {PACKED("a"), PING("b"), CLOSE_1000}, "close(1000)", NOTHING, ""},
    {"records", &length, 0, {TEXT("a"), TEXT(""), CLOSE_1000}, "close(1000)", NOTHING, ""},
    {"while a first message is due", &plain, 9, {CLOSE_1000}, "close(1000)", NOTHING, ""},
};

static void test_discard(void)
{
    check_rows(discard_rows, COUNT(discard_rows), PUMP_DISCARD);
}

static const struct row collect_rows[] = {
    {"a message and no more", &plain, 5, {TEXT("token")}, "message(token) ", NOTHING, ""},
    {"an empty one", &plain, 5, {TEXT(""), TEXT("a")}, "message() ", SPAN_LIT("a"), ""},
    {"what follows",
     &plain,
     5,
     {TEXT("token"), BINARY("one "), PING("p"), TEXT("two"), CLOSE_1000},
     "message(token) close(1000)",
     SPAN_LIT("one two"),
     "pong(p)"},
    {"fragments and pings",
     &plain,
     9,
     {FIRST("to"), PING("p"), NEXT("k"), PONG(""), NEXT(""), LAST("en"), TEXT("a")},
     "message(token) ",
     SPAN_LIT("a"),
     "pong(p)"},
    {"pings before it",
     &plain,
     9,
     {PING("p"), TEXT("token")},
     "message(token) ",
     NOTHING,
     "pong(p)"},
    {"echo",
     &echo,
     9,
     {PING("p"), TEXT("token"), TEXT("a"), BINARY(BIG_1280)},
     "message(token) ",
     NOTHING,
     "pong(p)T[a]B[" BIG_1280 "]"},
    {"text for a route of binary",
     &binary,
     9,
     {TEXT("token"), BINARY("a"), TEXT("b")},
     "message(token) opcode: text is not accepted",
     SPAN_LIT("a"),
     ""},
    {"binary for a route of base64",
     &base64,
     9,
     {BINARY("tok.en"), TEXT("AAEC"), BINARY("b")},
     "message(tok.en) opcode: binary is not accepted",
     SPAN_LIT("\0\1\2"),
     ""},
    {"no record", &length, 9, {TEXT("token"), TEXT("a")}, "message(token) ", SPAN_LIT("\0\1a"), ""},
    {"compressed",
     &deflated,
     99,
     {PING("p"), PACKED("the same words"), PING("q"), PACKED("the same words"), TEXT("a")},
     "message(the same words) ",
     SPAN_LIT("the same wordsa"),
     "pong(p)pong(q)"},
    {"compressed lines",
     &deflated_lines,
     99,
     {PACKED("a\nb"), PACKED("c")},
     "message(a\nb) ",
     SPAN_LIT("c\n"),
     ""},
    {"not compressed, though agreed on",
     &deflated,
     9,
     {TEXT("token"), PACKED("a")},
     "message(token) ",
     SPAN_LIT("a"),
     ""},
    {"one byte too many",
     &plain,
     4,
     {TEXT("token")},
     "too_big: first message too big",
     NOTHING,
     ""},
    {"in the last fragment",
     &plain,
     4,
     {FIRST("toke"), LAST("n"), TEXT("a")},
     "too_big: first message too big",
     NOTHING,
     ""},
    {"compressed, one byte too many",
     &deflated,
     4,
     {PACKED("token")},
     "too_big: first message too big",
     NOTHING,
     ""},
    {"longer than the route allows",
     &limited,
     9,
     {TEXT("tokens")},
     "too_big: message longer than max_message",
     NOTHING,
     ""},
    {"a close instead", &plain, 9, {CLOSE_1000}, "close(1000)", NOTHING, ""},
    {"a close inside it", &plain, 9, {FIRST("to"), CLOSE_1000}, "close(1000)", NOTHING, ""},
    {"no UTF-8", &plain, 9, {TEXT("\xff")}, "bad_text: text is not UTF-8", NOTHING, ""},
    {"no UTF-8, compressed",
     &deflated,
     9,
     {PACKED("\xff")},
     "bad_text: text is not UTF-8",
     NOTHING,
     ""},
    {"a mistake behind it",
     &plain,
     9,
     {TEXT("token"), TEXT("a"), NEXT("b")},
     "message(token) protocol: continuation of no message",
     SPAN_LIT("a"),
     ""},
};

static void test_collect(void)
{
    check_rows(collect_rows, COUNT(collect_rows), PUMP_COLLECT);
}

CU_TestInfo pump_tests[] = {
    {"forward", test_forward},
    {"discard", test_discard},
    {"collect", test_collect},
    CU_TEST_INFO_NULL,
};
