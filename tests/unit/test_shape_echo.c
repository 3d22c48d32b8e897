/* SPDX-License-Identifier: GPL-3.0-or-later */
// proto/shape: an independent client reads the echo, in frames that keep to max_frame_bytes.
#include "shape_kit.h"
#include "suites.h"

static struct shape_rules echo_rules(unsigned int bits, bool is_takeover, uint64_t max_frame_bytes)
{
    struct shape_rules rules = {.is_echo = true, .max_frame_bytes = max_frame_bytes};
    return bits == 0 ? rules : kit_deflated(rules, bits, is_takeover);
}

struct echo_message {
    struct span text;
    bool is_text;
    bool is_compressed;
};

// Sends a message and checks that it comes back.
static void check_message(struct kit *k, struct echo_message message, size_t first, size_t step)
{
    struct client_bytes wire = {0};
    size_t count = client_count(&k->client);
    if (message.is_compressed) {
        client_deflate(&k->client, message.text, true, &wire);
    } else {
        client_put(&wire, message.text.data, message.text.len);
    }
    struct kit_piece piece = {client_span(&wire), message.is_text, true, message.is_compressed};
    kit_expect(k, kit_up_cut(k, piece, first, step) == SHAPE_OK, "echo");
    client_drop(&wire);
    CHECK_EQ_U64(k->row, client_count(&k->client), count + 1);
    if (client_count(&k->client) == count) {
        return;
    }
    const struct client_message *got = client_message(&k->client, count);
    struct span text = client_text(&k->client, count);
    CHECK_EQ_INT(k->row, got->opcode, message.is_text ? 1 : 2);
    CHECK_EQ_INT(k->row, got->is_deflated, message.is_compressed);
    CHECK_TRUE(k->row, got->is_whole);
    CHECK_EQ_MEM(k->row, text.data, text.len, message.text.data, message.text.len);
}

static const struct span texts[] = {
    SPAN_LIT("hello"),
    SPAN_LIT(""),
    SPAN_LIT("t\xc3\xa9l\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 t\xc3\xa9l\xc3\xa9 \xe2\x82\xac "),
    SPAN_LIT(""),
    SPAN_LIT("the same words, the same words, the same words, the same words, the same words, "
             "the same words, the same words, the same words, the same words, and the last."),
    SPAN_LIT("x"),
};

static void test_echo(void)
{
    static const unsigned int windows[] = {0, 8, 9, 12, 15};
    static const uint64_t maxima[] = {0, 128, 129, 70000};
    for (size_t i = 0; i < COUNT(windows) * COUNT(maxima) * 2; i++) {
        unsigned int bits = windows[i % COUNT(windows)];
        uint64_t max = maxima[i / COUNT(windows) % COUNT(maxima)];
        bool is_takeover = i / COUNT(windows) / COUNT(maxima) == 0;
        struct shape_rules rules = echo_rules(bits, is_takeover, max);
        char row[64];
        snprintf(row, sizeof(row), "window %u, takeover %d, frames %u", bits, is_takeover,
                 (unsigned int)max);
        for (size_t first = 0; first < 170; first++) {
            struct kit k;
            kit_open(&k, row, &rules);
            k.is_parking = first % 3 == 2;
            for (size_t m = 0; m < 2 * COUNT(texts); m++) {
                // Every second message is compressed.
                bool is_compressed = bits != 0 && (m + m / COUNT(texts) + first) % 2 == 0;
                bool is_text = m % 3 != 1;
                check_message(
                    &k, (struct echo_message){texts[m % COUNT(texts)], is_text, is_compressed},
                    first, first % 4);
            }
            kit_close(&k);
        }
    }
    kit_check_freed();
}

// The echo does not wait for the end of the message.
static void test_piece_by_piece(void)
{
    for (unsigned int way = 0; way < 3; way++) {
        static const char *const rows[] = {"plain", "deflated", "deflated, short frames"};
        struct shape_rules rules = echo_rules(way == 0 ? 0 : 15, true, way == 2 ? 128 : 0);
        uint8_t content[5000];
        size_t sent = 0;
        struct kit k;
        struct client_bytes wire = {0};
        kit_open(&k, rows[way], &rules);
        kit_fill(content, sizeof(content), KIT_NOISE, way);
        for (size_t len = 0; sent < sizeof(content); len = (len + 7) % 300) {
            struct span part = {(const char *)content + sent, len};
            part.len = part.len < sizeof(content) - sent ? part.len : sizeof(content) - sent;
            wire.len = 0;
            if (way > 0) {
                client_deflate(&k.client, part, false, &wire);
            } else {
                client_put(&wire, part.data, part.len);
            }
            struct kit_piece piece = {client_span(&wire), false, false, way > 0};
            CHECK_EQ_INT(k.row, kit_up(&k, piece), SHAPE_OK);
            sent += part.len;
            CHECK_EQ_MEM(k.row, k.client.content.data, k.client.content.len, content, sent);
        }
        CHECK_EQ_U64(k.row, client_count(&k.client), 1);
        CHECK_TRUE(k.row, k.client.in_message);
        struct kit_piece end = {{NULL, 0}, false, true, way > 0};
        if (way > 0) {
            end.data = SPAN_LIT("\0");
        }
        CHECK_EQ_INT(k.row, kit_up(&k, end), SHAPE_OK);
        CHECK_FALSE(k.row, k.client.in_message);
        CHECK_EQ_U64(k.row, k.client.content.len, sizeof(content));
        client_drop(&wire);
        kit_close(&k);
    }
    kit_check_freed();
}

// Empty messages: a plain one comes back frame by frame, a compressed one as a single frame.
static void test_empty_pieces(void)
{
    for (unsigned int way = 0; way < 2; way++) {
        struct shape_rules rules = echo_rules(15, true, 0);
        struct kit k;
        kit_open(&k, way == 0 ? "plain" : "deflated", &rules);
        for (size_t i = 0; i < 12; i++) {
            struct kit_piece piece = {{NULL, 0}, true, i % 4 == 3, way > 0};
            if (way > 0 && i > 4 && piece.is_end) {
                piece.data = SPAN_LIT("\0");
            }
            CHECK_EQ_INT(k.row, kit_up(&k, piece), SHAPE_OK);
        }
        CHECK_EQ_U64(k.row, client_count(&k.client), 3);
        CHECK_EQ_U64(k.row, k.client.content.len, 0);
        for (size_t i = 0; i < client_count(&k.client); i++) {
            CHECK_EQ_U64(k.row, client_message(&k.client, i)->frames, way > 0 ? 1 : 4);
            CHECK_EQ_INT(k.row, client_message(&k.client, i)->is_deflated, way > 0);
        }
        kit_close(&k);
    }
    kit_check_freed();
}

// --- max_frame_bytes ----------------------------------------------------------------------------

static uint8_t large[140000];

// The client checks each frame.
static void check_frames(uint64_t max, unsigned int bits, size_t len, enum kit_kind kind)
{
    struct shape_rules rules = echo_rules(bits, true, max);
    char row[80];
    struct kit k;
    snprintf(row, sizeof(row), "frames of %u, window %u, %zu bytes of kind %d", (unsigned int)max,
             bits, len, kind);
    kit_open(&k, row, &rules);
    k.client.rules.step = bits < 15 ? 1 : 4096;
    kit_fill(large, len, kind, (uint32_t)max);
    struct echo_message message = {
        {(const char *)large, len}, kind == KIT_WORDS || kind == KIT_ASTRAL, bits != 0};
    check_message(&k, message, len, 0);
    if (bits == 0) {
        // Each call makes as few frames as possible.
        size_t want = 0;
        for (size_t left = len; left > 0;) {
            size_t part = left < SHAPE_WORK ? left : SHAPE_WORK;
            want += (part + max - 1) / (size_t)max;
            left -= part;
        }
        CHECK_EQ_U64(row, client_message(&k.client, 0)->frames, want);
    }
    kit_close(&k);
}

#ifdef __SANITIZE_ADDRESS__
#define MAX_STEP 31
#else
#define MAX_STEP 1
#endif

static void test_frame_sizes(void)
{
    static const enum kit_kind kinds[] = {KIT_NOISE, KIT_HIGH_NOISE, KIT_ASTRAL, KIT_WORDS};
    for (size_t i = 0; i < (5000 - 128) / MAX_STEP; i++) {
        uint64_t max = 128 + i * MAX_STEP;
        check_frames(max, 15, (size_t)max + 200, kinds[i % 4]);
        if (i % 4 == 0) {
            check_frames(max, 9, 2 * (size_t)max + 4, kinds[i / 4 % 2]);
            check_frames(max, 0, 2 * (size_t)max + i % 3, KIT_NOISE);
        }
    }
    check_frames(128, 8, 5000, KIT_NOISE);
    kit_check_freed();
}

// Frames that compression makes longer, around the limit of one call.
static void test_large_frame_sizes(void)
{
    static const uint64_t maxima[] = {65535, 65536, 65538, 65539, 65540, 65541, 65560, 73000};
    for (size_t i = 0; i < COUNT(maxima); i++) {
        for (int kind = KIT_ZEROS; kind <= KIT_ASTRAL; kind++) {
            check_frames(maxima[i], 15, 140000, (enum kit_kind)kind);
            check_frames(maxima[i], 0, 140000, (enum kit_kind)kind);
        }
    }
    kit_check_freed();
}

// SHAPE_ROOM is enough for the most that one call sends, in the shortest frames too.
static void test_room(void)
{
    static const uint64_t maxima[] = {128, 129, 130, 137, 138, 139, 144, 200, 1000, 0};
    static const unsigned int windows[] = {0, 8, 9, 15};
    for (size_t i = 0; i < COUNT(maxima) * COUNT(windows); i++) {
        uint64_t max = maxima[i % COUNT(maxima)];
        unsigned int bits = windows[i / COUNT(maxima)];
        for (int kind = KIT_ZEROS; kind <= KIT_ASTRAL; kind++) {
            struct shape_rules rules = echo_rules(bits, true, max);
            struct kit k;
            kit_open(&k, "room", &rules);
            k.client.rules.step = 4096;
            kit_fill(large, sizeof(large), (enum kit_kind)kind, 7);
            struct echo_message message = {
                {(const char *)large, sizeof(large)}, kind == KIT_ASTRAL, bits != 0};
            check_message(&k, message, 65536, 65536);
            kit_close(&k);
        }
    }
    kit_check_freed();
}

// A message that inflates far takes no more memory than one that does not.
static void test_far(void)
{
    static const uint8_t zeros[4 << 20];
    struct shape_rules rules = echo_rules(15, true, 1000);
    struct kit k;
    kit_open(&k, "far", &rules);
    k.client.rules.step = 4096;
    for (size_t step = 0; step < 2; step++) {
        check_message(&k, (struct echo_message){{(const char *)zeros, sizeof(zeros)}, true, true},
                      step, step);
    }
    CHECK_TRUE(k.row, shape_can_park(k.shape));
    shape_park(k.shape);
    CHECK_FALSE(k.row, shape_can_park(k.shape));
    check_message(&k, (struct echo_message){SPAN_LIT("still there"), true, true}, 3, 1);
    kit_close(&k);
    kit_check_freed();
}

CU_TestInfo shape_echo_tests[] = {
    {"every cut", test_echo},
    {"piece by piece", test_piece_by_piece},
    {"nothing", test_empty_pieces},
    {"every max_frame_bytes", test_frame_sizes},
    {"max_frame_bytes around one call", test_large_frame_sizes},
    {"room", test_room},
    {"far", test_far},
    CU_TEST_INFO_NULL,
};
