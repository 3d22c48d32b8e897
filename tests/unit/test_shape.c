/* SPDX-License-Identifier: GPL-3.0-or-later */
// proto/shape: its tables, and the way up. The way down: test_shape_down.c and test_shape_room.c;
// echo: test_shape_echo.c; limits and memory: test_shape_limits.c.
#include "shape_kit.h"
#include "suites.h"

// --- tables -------------------------------------------------------------------------------------

static void test_payload_of(void)
{
    static const struct {
        struct span name;
        int known; // -1: the fallback
    } rows[] = {
        {SPAN_LIT("base64"), SHAPE_BASE64},
        {SPAN_LIT("binary"), SHAPE_BINARY},
        {SPAN_LIT("binary.ircv3.net"), SHAPE_BINARY},
        {SPAN_LIT("text.ircv3.net"), SHAPE_TEXT},
        {SPAN_LIT(""), -1},
        {{NULL, 0}, -1},
        {SPAN_LIT("Base64"), -1},
        {SPAN_LIT("BINARY"), -1},
        {SPAN_LIT("base6"), -1},
        {SPAN_LIT("base64 "), -1},
        {SPAN_LIT("base64\0"), -1},
        {SPAN_LIT("text"), -1},
        {SPAN_LIT("text.ircv3.ne"), -1},
        {SPAN_LIT("text.ircv3.net."), -1},
        {SPAN_LIT("mqtt"), -1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (int fallback = SHAPE_BINARY; fallback <= SHAPE_BASE64; fallback++) {
            int want = rows[i].known < 0 ? fallback : rows[i].known;
            CHECK_EQ_INT(rows[i].name.data == NULL ? "none" : rows[i].name.data,
                         shape_payload_of(rows[i].name, (enum shape_payload)fallback), want);
        }
    }
}

static void test_is_needed(void)
{
    for (unsigned int bits = 0; bits < 4 * 3 * 4 * 2; bits++) {
        unsigned int kind = bits / 12 % 4;
        struct shape_rules rules = {
            .is_echo = (bits & 1) != 0,
            .is_deflate = (bits & 2) != 0,
            .payload = (enum shape_payload)(bits / 4 % 3),
            .framing = {.kind = (enum framing_kind)kind, .max_bytes = 100},
            .max_frame_bytes = bits >= 48 ? SHAPE_FRAME_MIN_BYTES : 0,
        };
        bool is_plain = bits < 48 && !rules.is_deflate;
        bool is_same = rules.payload == SHAPE_BINARY && kind == FRAMING_STREAM;
        char row[64];
        snprintf(row, sizeof(row), "echo %d, deflate %d, payload %d, framing %u, frames %d",
                 rules.is_echo, rules.is_deflate, rules.payload, kind, bits >= 48);
        CHECK_EQ_INT(row, shape_is_needed(&rules), !(is_plain && (rules.is_echo || is_same)));
    }
}

// --- every combination --------------------------------------------------------------------------

static const struct span contents[] = {
    SPAN_LIT("hello"),
    SPAN_LIT(""),
    SPAN_LIT("t\xc3\xa9l\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
    SPAN_LIT("a"),
    SPAN_LIT("the same words, the same words, the same words, the same words and no others."),
    SPAN_LIT(""),
    SPAN_LIT("\xf0\x9f\x98\x80"),
};

// Comes before `contents` and is not for the backend; base64 and framing would refuse it.
static const struct span bare = SPAN_LIT("a\r\ntoken\n\xe2\x82\xac, the same words");

// What the client sends for `bare` and `contents`.
struct wires {
    struct client_bytes bare;
    struct client_bytes bytes[COUNT(contents)];
};

static void make_wires(const struct shape_rules *rules, struct wires *out)
{
    struct kit k;
    kit_open(&k, "wires", rules);
    out->bare = (struct client_bytes){0};
    if (rules->is_deflate) {
        client_deflate(&k.client, bare, true, &out->bare);
    } else {
        client_put(&out->bare, bare.data, bare.len);
    }
    for (size_t i = 0; i < COUNT(contents); i++) {
        char text[BASE64_LEN(128)];
        struct span message = contents[i];
        out->bytes[i] = (struct client_bytes){0};
        if (rules->payload == SHAPE_BASE64) {
            message = (struct span){
                text, base64_encode((const uint8_t *)message.data, message.len, text)};
        }
        if (rules->is_deflate) {
            client_deflate(&k.client, message, true, &out->bytes[i]);
        } else {
            client_put(&out->bytes[i], message.data, message.len);
        }
    }
    kit_close(&k);
}

static void check_session(const char *row, const struct shape_rules *rules,
                          const struct wires *wires, size_t first, size_t step, bool is_parking)
{
    struct kit k;
    struct client_bytes want = {0};
    uint64_t want_bytes = bare.len;
    struct kit_piece token = {client_span(&wires->bare), true, true, rules->is_deflate};
    kit_open(&k, row, rules);
    k.is_parking = is_parking;
    k.is_bare = true;
    CHECK_EQ_INT(row, kit_up_cut(&k, token, first, step), SHAPE_OK);
    k.is_bare = false;
    client_put(&want, bare.data, bare.len);
    CHECK_EQ_MEM(row, k.backend.data, k.backend.len, want.data, want.len);
    for (size_t i = 0; i < COUNT(contents); i++) {
        struct kit_piece message = {
            .data = client_span(&wires->bytes[i]),
            .is_text = rules->payload != SHAPE_BINARY,
            .is_end = true,
            .is_compressed = rules->is_deflate,
        };
        CHECK_EQ_INT(row, kit_up_cut(&k, message, first, step), SHAPE_OK);
        kit_wrap(&rules->framing, contents[i], &want);
        want_bytes +=
            rules->payload == SHAPE_BASE64 ? BASE64_LEN(contents[i].len) : contents[i].len;
        CHECK_EQ_MEM(row, k.backend.data, k.backend.len, want.data, want.len);
    }
    CHECK_EQ_U64(row, k.payload_bytes, want_bytes);
    CHECK_EQ_U64(row, client_count(&k.client), 0);
    client_drop(&want);
    kit_close(&k);
}

static void check_combination(const char *row, const struct shape_rules *rules)
{
    struct wires wires;
    make_wires(rules, &wires);
    for (size_t first = 0; first <= 110; first++) {
        check_session(row, rules, &wires, first, 0, false);
    }
    check_session(row, rules, &wires, 1000, 0, true);
    check_session(row, rules, &wires, 5, 0, true);
    for (size_t step = 1; step < 5; step++) {
        check_session(row, rules, &wires, 0, step, false);
        check_session(row, rules, &wires, step, step, true);
    }
    client_drop(&wires.bare);
    for (size_t i = 0; i < COUNT(contents); i++) {
        client_drop(&wires.bytes[i]);
    }
}

static void test_combinations(void)
{
    static const char *const payloads[] = {"binary", "text", "base64"};
    static const char *const ways[] = {"plain", "deflated", "deflated, anew", "window 9"};
    for (size_t i = 0; i < COUNT(kit_framings) * COUNT(payloads) * COUNT(ways); i++) {
        size_t way = i % COUNT(ways);
        size_t payload = i / COUNT(ways) % COUNT(payloads);
        size_t framing = i / COUNT(ways) / COUNT(payloads);
        char row[80];
        struct shape_rules rules = {
            .payload = (enum shape_payload)payload,
            .framing = kit_framings[framing],
        };
        if (way > 0) {
            rules = kit_deflated(rules, way == 3 ? 9 : 15, way != 2);
        }
        snprintf(row, sizeof(row), "%s, %s, %s", kit_framing_names[framing], payloads[payload],
                 ways[way]);
        check_combination(row, &rules);
    }
    kit_check_freed();
}

// --- large messages -----------------------------------------------------------------------------

static void check_large(const struct shape_rules *rules, size_t framing, struct span content,
                        size_t step, bool is_wrapped)
{
    char row[80];
    struct kit k;
    struct client_bytes text = {0};
    struct client_bytes wire = {0};
    struct client_bytes want = {0};
    snprintf(row, sizeof(row), "%s, payload %d, deflate %d, %zu bytes by %zu",
             kit_framing_names[framing], rules->payload, rules->is_deflate, content.len, step);
    kit_open(&k, row, rules);
    client_put(&text, content.data, content.len);
    if (rules->payload == SHAPE_BASE64) {
        client_put(&text, content.data, content.len);
        text.len = base64_encode((const uint8_t *)content.data, content.len, (char *)text.data);
    }
    if (rules->is_deflate) {
        client_deflate(&k.client, client_span(&text), true, &wire);
    } else {
        client_put(&wire, text.data, text.len);
    }
    struct kit_piece message = {client_span(&wire), true, true, rules->is_deflate};
    struct kit_piece small = {SPAN_LIT("AAAA"), true, true, false};
    enum shape_result result = kit_up_cut(&k, message, step == 0 ? wire.len : step, step);
    if (is_wrapped) {
        CHECK_EQ_INT(row, result, SHAPE_OK);
        CHECK_EQ_INT(row, kit_up(&k, small), SHAPE_OK);
        kit_wrap(&rules->framing, content, &want);
        kit_wrap(&rules->framing,
                 rules->payload == SHAPE_BASE64 ? SPAN_LIT("\0\0\0") : SPAN_LIT("AAAA"), &want);
        CHECK_EQ_U64(row, k.payload_bytes, text.len + 4);
    } else {
        CHECK_EQ_INT(row, result, SHAPE_TOO_BIG);
    }
    CHECK_EQ_MEM(row, k.backend.data, k.backend.len, want.data, want.len);
    client_drop(&text);
    client_drop(&wire);
    client_drop(&want);
    kit_close(&k);
}

// Lengths around the limit of one call, compressed or not, before and after base64.
static void test_large(void)
{
    static const size_t lens[] = {49151, 49152, 49153,  65532,  65535,
                                  65536, 65537, 131072, 131073, 300000};
    static uint8_t content[300000];
    for (size_t i = 0; i < COUNT(lens) * COUNT(kit_framings) * 3 * 2; i++) {
        size_t len = lens[i % COUNT(lens)];
        size_t framing = i / COUNT(lens) % COUNT(kit_framings);
        size_t rest = i / COUNT(lens) / COUNT(kit_framings);
        struct shape_rules rules = {
            .payload = (enum shape_payload)(rest % 3),
            .framing = kit_framings[framing],
        };
        if (rest >= 3) {
            rules = kit_deflated(rules, 15, true);
        }
        bool is_wrapped = rules.framing.kind != FRAMING_LENGTH16 || len < 65536;
        kit_fill(content, len, KIT_WORDS, (uint32_t)i);
        check_large(&rules, framing, (struct span){(const char *)content, len}, 0, is_wrapped);
        check_large(&rules, framing, (struct span){(const char *)content, len}, 9973, is_wrapped);
    }
    kit_check_freed();
}

// A few hundred bytes that inflate to many calls.
static void test_inflated(void)
{
    static uint8_t content[1 << 20];
    for (size_t framing = 0; framing < COUNT(kit_framings); framing++) {
        struct shape_rules rules =
            kit_deflated((struct shape_rules){.framing = kit_framings[framing]}, 15, true);
        if (rules.framing.kind != FRAMING_LENGTH16) {
            check_large(&rules, framing, (struct span){(const char *)content, sizeof(content)}, 0,
                        true);
            check_large(&rules, framing, (struct span){(const char *)content, sizeof(content)}, 3,
                        true);
        }
    }
    kit_check_freed();
}

// --- terminators --------------------------------------------------------------------------------

static void test_terminators(void)
{
    static const struct {
        size_t framing;
        struct span message;
        const char *want; // NULL: SHAPE_TERMINATOR
    } rows[] = {
        {1, SPAN_LIT("a"), "a\n"},       {1, SPAN_LIT("\n"), NULL},
        {1, SPAN_LIT("a\n"), NULL},      {1, SPAN_LIT("a\nb"), NULL},
        {1, SPAN_LIT("a\rb"), "a\rb\n"}, {2, SPAN_LIT("a"), "a\r\n"},
        {2, SPAN_LIT("a\r\n"), NULL},    {2, SPAN_LIT("a\rb"), NULL},
        {2, SPAN_LIT("\r"), NULL},       {2, SPAN_LIT("ab\nQUIT"), NULL},
        {3, SPAN_LIT("a\nb"), "a\nb\n"}, {3, SPAN_LIT("a\nb\n"), "a\nb\n"},
        {3, SPAN_LIT("\n"), "\n"},       {4, SPAN_LIT("a\r\nb"), "a\r\nb\r\n"},
        {4, SPAN_LIT("a\r\n"), "a\r\n"}, {4, SPAN_LIT("a\n"), "a\n"},
        {4, SPAN_LIT("a\r"), "a\r\n"},   {0, SPAN_LIT("\r\na"), "\r\na"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct shape_rules rules = {.framing = kit_framings[rows[i].framing]};
        struct shape_rules deflated = kit_deflated(rules, 15, true);
        for (size_t cut = 0; cut <= 20; cut++) {
            struct kit k;
            struct client_bytes wire = {0};
            kit_open(&k, rows[i].message.data, cut > 10 ? &deflated : &rules);
            if (cut > 10) {
                client_deflate(&k.client, rows[i].message, true, &wire);
            } else {
                client_put(&wire, rows[i].message.data, rows[i].message.len);
            }
            struct kit_piece piece = {client_span(&wire), false, true, cut > 10};
            enum shape_result want = rows[i].want == NULL ? SHAPE_TERMINATOR : SHAPE_OK;
            size_t want_len = rows[i].want == NULL ? 0 : strlen(rows[i].want);
            CHECK_EQ_INT(k.row, kit_up_cut(&k, piece, cut % 11, 1), want);
            CHECK_EQ_MEM(k.row, k.backend.data, k.backend.len, rows[i].want, want_len);
            client_drop(&wire);
            kit_close(&k);
        }
    }
    kit_check_freed();
}

CU_TestInfo shape_tests[] = {
    {"subprotocols", test_payload_of},
    {"when it is needed", test_is_needed},
    {"up: every combination and cut", test_combinations},
    {"up: large messages", test_large},
    {"up: inflated far", test_inflated},
    {"up: terminators", test_terminators},
    CU_TEST_INFO_NULL,
};
