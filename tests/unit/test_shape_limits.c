/* SPDX-License-Identifier: GPL-3.0-or-later */
// proto/shape: what a client's message may not be; a lack of memory; time.
#include <time.h>

#include "shape_kit.h"
#include "suites.h"

// --- framing_max --------------------------------------------------------------------------------

static void check_max(const struct shape_rules *rules, size_t len, size_t first, size_t step,
                      bool is_allowed)
{
    static uint8_t content[70000];
    char row[80];
    struct kit k;
    struct client_bytes wire = {0};
    snprintf(row, sizeof(row), "kind %d, deflate %d, %zu bytes, by %zu and %zu",
             rules->framing.kind, rules->is_deflate, len, first, step);
    kit_open(&k, row, rules);
    kit_fill(content, len, KIT_WORDS, 5);
    struct span message = {(const char *)content, len};
    if (rules->is_deflate) {
        client_deflate(&k.client, message, true, &wire);
    } else {
        client_put(&wire, content, len);
    }
    struct kit_piece piece = {client_span(&wire), false, true, rules->is_deflate};
    CHECK_EQ_INT(row, kit_up_cut(&k, piece, first == 0 ? wire.len : first, step),
                 is_allowed ? SHAPE_OK : SHAPE_TOO_BIG);
    wire.len = 0;
    if (is_allowed) {
        kit_wrap(&rules->framing, message, &wire);
    }
    CHECK_EQ_MEM(row, k.backend.data, k.backend.len, wire.data, wire.len);
    client_drop(&wire);
    kit_close(&k);
}

static void check_max_cuts(const struct shape_rules *rules, size_t max, size_t over)
{
    struct shape_rules deflated = kit_deflated(*rules, 15, true);
    size_t len = max + over;
    bool is_small = len < 200;
    for (size_t first = 0; first <= (is_small ? len : 3); first++) {
        check_max(rules, len, first, 0, over == 0);
        check_max(&deflated, len, first, 0, over == 0);
    }
    check_max(rules, len, max - 1, 1, over == 0);
    check_max(rules, len, max, 1, over == 0);
    check_max(rules, len, is_small ? 1 : 1000, is_small ? 1 : 1000, over == 0);
    check_max(&deflated, len, 1, is_small ? 1 : 100, over == 0);
}

static void test_framing_max(void)
{
    static const size_t maxima[] = {1, 100, 65534, 65535, 65536, 65537, 69000};
    for (size_t i = 0; i < COUNT(maxima); i++) {
        for (size_t f = 1; f < COUNT(kit_framings); f++) {
            struct shape_rules rules = {.framing = kit_framings[f]};
            size_t max = maxima[i];
            rules.framing.max_bytes = max;
            if (rules.framing.kind == FRAMING_LENGTH16 && max > 65535) {
                max = 65535;
            }
            check_max_cuts(&rules, max, 0);
            check_max_cuts(&rules, max, 1);
        }
    }
    kit_check_freed();
}

// The shape refuses a message as soon as it is too long, before its end. One at the limit passes.
static void test_framing_max_early(void)
{
    struct shape_rules rules = {.framing = {.kind = FRAMING_LENGTH32, .max_bytes = 10}};
    struct kit k;
    kit_open(&k, "early", &rules);
    struct kit_piece piece = {SPAN_LIT("0123456789"), false, false, false};
    CHECK_EQ_INT(k.row, kit_up(&k, piece), SHAPE_OK);
    piece.data = (struct span){NULL, 0};
    CHECK_EQ_INT(k.row, kit_up(&k, piece), SHAPE_OK);
    piece.data = SPAN_LIT("x");
    CHECK_EQ_INT(k.row, kit_up(&k, piece), SHAPE_TOO_BIG);
    CHECK_EQ_U64(k.row, k.backend.len, 0);
    kit_close(&k);
    kit_check_freed();
}

// --- UTF-8 and base64 ---------------------------------------------------------------------------

static const char good_text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z\xed\x9f\xbf";

// Sends `content` up in two pieces that inflate to [0, cut) and [cut, len).
static void check_text(const struct shape_rules *rules, struct span content, size_t cut,
                       bool is_text, const enum shape_result want[2])
{
    struct kit k;
    struct client_bytes wire = {0};
    kit_open(&k, "bad text", rules);
    struct kit_piece piece = {.is_text = is_text, .is_compressed = true};
    client_deflate(&k.client, (struct span){content.data, cut}, false, &wire);
    piece.data = client_span(&wire);
    enum shape_result result = kit_up(&k, piece);
    CHECK_EQ_INT(k.row, result, want[0]);
    if (result == SHAPE_OK) {
        wire.len = 0;
        client_deflate(&k.client, (struct span){content.data + cut, content.len - cut}, true,
                       &wire);
        piece.data = client_span(&wire);
        piece.is_end = true;
        CHECK_EQ_INT(k.row, kit_up(&k, piece), want[1]);
    }
    client_drop(&wire);
    kit_close(&k);
}

static void test_bad_text(void)
{
    static const struct {
        struct span bytes;
        size_t bad_at; // the first impossible byte
    } rows[] = {
        {SPAN_LIT("\x80"), 0},         {SPAN_LIT("\xff"), 0},
        {SPAN_LIT("\xc0\x80"), 0},     {SPAN_LIT("\xf5\x80"), 0},
        {SPAN_LIT("\xc3("), 1},        {SPAN_LIT("\xe0\x9f\xbf"), 1},
        {SPAN_LIT("\xed\xa0\x80"), 1}, {SPAN_LIT("\xf4\x90\x80\x80"), 1},
        {SPAN_LIT("\xe2\x82("), 2},    {SPAN_LIT("\xf0\x9f\x98("), 3},
        {SPAN_LIT("\xf0\x8f"), 1},     {SPAN_LIT("\xc3\xc3"), 1},
    };
    static const size_t borders[] = {0, 1, 3, 6, 10, 11, 14};
    struct shape_rules rules[] = {
        kit_deflated((struct shape_rules){0}, 15, true),
        kit_deflated((struct shape_rules){.is_echo = true}, 15, true),
        kit_deflated((struct shape_rules){.framing = kit_framings[1]}, 15, true),
    };
    for (size_t i = 0; i < COUNT(rows) * COUNT(borders) * COUNT(rules); i++) {
        const struct shape_rules *r = &rules[i % COUNT(rules)];
        size_t row = i / COUNT(rules) % COUNT(rows);
        size_t border = borders[i / COUNT(rules) / COUNT(rows)];
        char content[64];
        int len = snprintf(content, sizeof(content), "%.*s%s%s", (int)border, good_text,
                           rows[row].bytes.data, good_text + border);
        struct span text = {content, (size_t)len};
        for (size_t cut = 0; cut <= text.len; cut++) {
            bool is_first = cut > border + rows[row].bad_at;
            enum shape_result want[2] = {is_first ? SHAPE_BAD_TEXT : SHAPE_OK, SHAPE_BAD_TEXT};
            check_text(r, text, cut, true, want);
        }
        check_text(r, text, 3, false, (enum shape_result[2]){SHAPE_OK, SHAPE_OK});
    }
    kit_check_freed();
}

// Text that ends inside a character. The next message starts anew.
static void test_cut_text(void)
{
    struct shape_rules rules = kit_deflated((struct shape_rules){0}, 15, true);
    struct span text = {good_text, sizeof(good_text) - 1};
    for (size_t len = 0; len <= text.len; len++) {
        struct span front = {good_text, len};
        enum shape_result want = utf8_is_valid(front) ? SHAPE_OK : SHAPE_BAD_TEXT;
        for (size_t cut = 0; cut <= len; cut++) {
            check_text(&rules, front, cut, true, (enum shape_result[2]){SHAPE_OK, want});
            check_text(&rules, front, cut, false, (enum shape_result[2]){SHAPE_OK, SHAPE_OK});
        }
    }
    struct kit k;
    struct client_bytes wire = {0};
    kit_open(&k, "binary, then text", &rules);
    client_deflate(&k.client, SPAN_LIT("\xf0\x9f"), true, &wire);
    struct kit_piece piece = {client_span(&wire), false, true, true};
    CHECK_EQ_INT(k.row, kit_up(&k, piece), SHAPE_OK);
    wire.len = 0;
    client_deflate(&k.client, SPAN_LIT("\x98\x80"), true, &wire);
    piece = (struct kit_piece){client_span(&wire), true, true, true};
    CHECK_EQ_INT(k.row, kit_up(&k, piece), SHAPE_BAD_TEXT);
    client_drop(&wire);
    kit_close(&k);
    kit_check_freed();
}

// Sends the text up in pieces: what the client sends for it, cut at `cut`.
static enum shape_result up_base64(struct span text, size_t cut, bool is_deflated,
                                   size_t *out_backend_len)
{
    struct shape_rules rules = {.payload = SHAPE_BASE64};
    struct client_bytes wire = {0};
    struct kit k;
    if (is_deflated) {
        rules = kit_deflated(rules, 15, true);
    }
    kit_open(&k, "base64", &rules);
    client_put(&wire, text.data, text.len);
    if (is_deflated) {
        wire.len = 0;
        client_deflate(&k.client, text, true, &wire);
    }
    struct kit_piece message = {client_span(&wire), true, true, is_deflated};
    enum shape_result result = kit_up_cut(&k, message, cut, 0);
    *out_backend_len = k.backend.len;
    client_drop(&wire);
    kit_close(&k);
    return result;
}

static void test_bad_base64(void)
{
    static const char bad[] = {'!', '-', '_', '=', ' ', '\n', '\0', '\x7f'};
    const struct span good = SPAN_LIT("c2x1aWNlIHNheXMgaGVsbG8=");
    char text[24];
    size_t len = 0;
    for (size_t at = 0; at + 1 < good.len; at++) {
        for (size_t i = 0; i < COUNT(bad) * (good.len + 1); i++) {
            size_t cut = i / COUNT(bad);
            char character = bad[i % COUNT(bad)];
            bool is_deflated = (i & 8) != 0;
            // Two `=` at the end may be right.
            if (character == '=' && at + 2 == good.len) {
                continue;
            }
            memcpy(text, good.data, sizeof(text));
            text[at] = character;
            CHECK_EQ_INT("bad character",
                         up_base64((struct span){text, sizeof(text)}, cut, is_deflated, &len),
                         SHAPE_BAD_TEXT);
        }
    }
    for (size_t short_len = 0; short_len <= good.len; short_len++) {
        for (size_t cut = 0; cut <= short_len; cut++) {
            enum shape_result want = short_len % 4 == 0 ? SHAPE_OK : SHAPE_BAD_TEXT;
            struct span front = {good.data, short_len};
            CHECK_EQ_INT("cut off", up_base64(front, cut, (cut & 1) != 0, &len), want);
            CHECK_TRUE("cut off", want != SHAPE_OK || len == short_len / 4 * 3 - (short_len == 24));
        }
    }
    kit_check_freed();
}

// --- deflate ------------------------------------------------------------------------------------

static enum shape_result up_zeros(const struct deflate_settings *limits, size_t len, bool is_echo,
                                  size_t step)
{
    static const uint8_t zeros[17 << 20];
    struct client_bytes wire = {0};
    struct kit k;
    struct shape_rules rules = kit_deflated((struct shape_rules){.is_echo = is_echo}, 15, true);
    rules.deflate_settings.max_message_bytes = limits->max_message_bytes;
    rules.deflate_settings.max_ratio = limits->max_ratio;
    kit_open(&k, "zeros", &rules);
    k.client.rules.step = 4096;
    client_deflate(&k.client, (struct span){(const char *)zeros, len}, true, &wire);
    struct kit_piece message = {client_span(&wire), false, true, true};
    enum shape_result result = kit_up_cut(&k, message, step, step);
    client_drop(&wire);
    kit_close(&k);
    return result;
}

static void test_bad_deflate(void)
{
    struct shape_rules rules = kit_deflated((struct shape_rules){0}, 15, true);
    const struct deflate_settings size = {.max_message_bytes = 100000};
    const struct deflate_settings ratio = {.max_ratio = 100};
    struct kit k;
    kit_open(&k, "no deflate", &rules);
    struct kit_piece piece = {SPAN_LIT("\xff\xff\xff"), false, true, true};
    CHECK_EQ_INT(k.row, kit_up(&k, piece), SHAPE_BAD_DEFLATE);
    kit_close(&k);
    kit_open(&k, "ends inside a block", &rules);
    piece.data = SPAN_LIT("\xf2\x48");
    CHECK_EQ_INT(k.row, kit_up(&k, piece), SHAPE_BAD_DEFLATE);
    kit_close(&k);
    for (size_t step = 1; step < 400; step += 13) {
        bool is_echo = step % 2 == 0;
        CHECK_EQ_INT("at the size", up_zeros(&size, 100000, is_echo, step), SHAPE_OK);
        CHECK_EQ_INT("over the size", up_zeros(&size, 100001, is_echo, step), SHAPE_TOO_BIG);
    }
    CHECK_EQ_INT("over the ratio", up_zeros(&ratio, 2 << 20, false, 1000), SHAPE_TOO_BIG);
    CHECK_EQ_INT("below the size that counts", up_zeros(&ratio, 1 << 20, true, 1000), SHAPE_OK);
    kit_check_freed();
}

// --- memory and time ----------------------------------------------------------------------------

// One session with everything that allocates.
static enum shape_result run_session(const struct shape_rules *rules, uint64_t fail_after)
{
    static uint8_t content[100000];
    struct client_bytes wire = {0};
    struct kit k;
    enum shape_result result = SHAPE_NO_MEMORY;
    mem_fail_after(fail_after);
    kit_open(&k, "no memory", rules);
    kit_fill(content, sizeof(content), KIT_WORDS, 1);
    for (size_t round = 0; round < 2 && k.shape != NULL; round++) {
        wire.len = 0;
        client_deflate(&k.client, (struct span){(const char *)content, sizeof(content)}, true,
                       &wire);
        struct kit_piece message = {client_span(&wire), false, true, true};
        result = kit_up_cut(&k, message, 100, 1000);
        if (result == SHAPE_OK) {
            result = kit_up_cut(&k, (struct kit_piece){SPAN_LIT("hello"), true, true, false}, 2, 1);
        }
        if (result == SHAPE_OK && !rules->is_echo) {
            result =
                kit_down_cut(&k, (struct span){(const char *)content, sizeof(content)}, 90000, 3);
        }
        if (result != SHAPE_OK) {
            break;
        }
        shape_park(k.shape);
    }
    mem_fail_after(0);
    client_drop(&wire);
    kit_close(&k);
    CHECK_EQ_U64(k.row, mem_live_blocks(), 0);
    return result;
}

static void test_no_memory(void)
{
    static const size_t framings[] = {0, 0, 0, 1, 4};
    for (size_t i = 0; i < COUNT(framings); i++) {
        struct shape_rules rules = {
            .is_echo = i == 0,
            .payload = i == 1 ? SHAPE_TEXT : SHAPE_BINARY,
            .framing = kit_framings[framings[i]],
            .max_frame_bytes = i == 1 || i == 3 ? 200 : 0,
        };
        rules = kit_deflated(rules, 15, true);
        uint64_t n = 1;
        enum shape_result result;
        do {
            result = run_session(&rules, n++);
            CHECK_TRUE("every allocation", result == SHAPE_OK || result == SHAPE_NO_MEMORY);
        } while (result != SHAPE_OK && n < 5000);
        CHECK_TRUE("some fail, and at last none", n > 8 && n < 5000);
    }
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

#ifdef __SANITIZE_ADDRESS__
#define COLLECT_BYTES ((size_t)1 << 20) /* its realloc always copies */
#else
#define COLLECT_BYTES ((size_t)16 << 20)
#endif

// Two messages of 16 MiB side by side, byte by byte; twice, because malloc differs the second time.
static void test_time(void)
{
    static uint8_t work[SHAPE_WORK];
    static uint8_t room[SHAPE_ROOM];
    struct shape_rules rules = {.framing = kit_framings[8]};
    double begin = seconds_now();
    for (size_t round = 0; round < 2; round++) {
        struct shape *two[2] = {shape_new(&rules), shape_new(&rules)};
        size_t out_bytes = 0;
        size_t payload_bytes = 0;
        size_t bad = 0;
        for (size_t i = 0; i < 2 * COLLECT_BYTES; i++) {
            enum shape_result result;
            struct shape_out out;
            struct shape_piece piece = {SPAN_LIT("x"), WS_BINARY, i / 2 == COLLECT_BYTES - 1, false,
                                        false};
            do {
                out = (struct shape_out){room, 0, sizeof(room)};
                result = shape_up(two[i % 2], &piece, work, &out, &payload_bytes);
                out_bytes += out.len;
            } while (result == SHAPE_AGAIN);
            bad += result != SHAPE_OK;
        }
        CHECK_EQ_U64("results", bad, 0);
        CHECK_EQ_U64("what the backend got", out_bytes, 2 * (4 + COLLECT_BYTES));
        shape_free(two[0]);
        shape_free(two[1]);
    }
    // 64 million calls take 2 s; with quadratic copying they would take minutes.
    double took = seconds_now() - begin;
    if (!CHECK_TRUE("not quadratic", took < 20)) {
        printf("took %.1f s\n", took);
    }
    kit_check_freed();
}

CU_TestInfo shape_limits_tests[] = {
    {"framing_max", test_framing_max},
    {"framing_max before the end", test_framing_max_early},
    {"inflated text that is not UTF-8", test_bad_text},
    {"inflated text that ends too early", test_cut_text},
    {"text that is not base64", test_bad_base64},
    {"bad and too large deflate", test_bad_deflate},
    {"no memory", test_no_memory},
    {"large messages in small pieces", test_time},
    CU_TEST_INFO_NULL,
};
