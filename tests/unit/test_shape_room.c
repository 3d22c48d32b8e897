/* SPDX-License-Identifier: GPL-3.0-or-later */
// proto/shape: the backend's largest reads at their worst, with SHAPE_ROOM bytes of output and not
// a byte more.
#include "shape_kit.h"
#include "suites.h"

#define READ_MAX (SHAPE_WORK + 5)

static uint8_t content[READ_MAX];

static const uint64_t frame_maxima[] = {128, 129, 131, 139, 1000, 65540, 0};
static const unsigned int windows[] = {0, 15, 8};

static struct shape_rules rules_of(size_t frames, size_t window, enum shape_payload payload,
                                   size_t framing)
{
    struct shape_rules rules = {
        .payload = payload,
        .framing = kit_framings[framing],
        .max_frame_bytes = frame_maxima[frames],
    };
    return windows[window] == 0 ? rules : kit_deflated(rules, windows[window], true);
}

// True when the client has just these bytes of a stream, decoded from base64.
static bool is_received(const struct kit *k, struct span want)
{
    bool is_same = true;
    size_t at = 0;
    for (size_t i = 0; i < client_count(&k->client) && is_same; i++) {
        struct span got = client_text(&k->client, i);
        uint8_t *bytes = malloc(got.len + 3);
        size_t len = got.len;
        if (k->shape->rules.payload == SHAPE_BASE64) {
            struct base64_decoder d;
            base64_decoder_init(&d);
            is_same = base64_decode(&d, (const uint8_t *)got.data, got.len, bytes, &len) &&
                      base64_is_complete(&d);
        } else {
            memcpy(bytes, got.data, got.len);
        }
        is_same = is_same && len <= want.len - at && memcmp(bytes, want.data + at, len) == 0;
        at += len;
        free(bytes);
    }
    return is_same && at == want.len;
}

// Reads of `len` bytes, which cut text inside a character, so that the shape carries a part of it.
static void check_stream(const struct shape_rules *rules, enum kit_kind kind, size_t len)
{
    char row[96];
    struct kit k;
    struct client_bytes want = {0};
    snprintf(row, sizeof(row), "payload %d, frames of %u, deflate %d, kind %d, reads of %zu",
             rules->payload, (unsigned int)rules->max_frame_bytes, rules->is_deflate, kind, len);
    kit_open(&k, row, rules);
    k.client.rules.step = 4096;
    client_put(&want, "abc", rules->payload == SHAPE_TEXT ? 1 + len % 3 : 0);
    while (want.len < 3 * len) {
        kit_fill(content, 4096, kind, (uint32_t)want.len);
        client_put(&want, content, 4096);
    }
    for (size_t at = 0; at < want.len; at += len) {
        struct span part = {(const char *)want.data + at, len};
        part.len = part.len < want.len - at ? part.len : want.len - at;
        CHECK_EQ_INT(row, kit_down(&k, part), SHAPE_OK);
    }
    CHECK_EQ_INT(row, kit_down_end(&k), SHAPE_OK);
    CHECK_TRUE(row, is_received(&k, client_span(&want)));
    client_drop(&want);
    kit_close(&k);
}

static void test_streams(void)
{
    static const size_t lens[] = {65536, 65535, 65537, READ_MAX};
    for (size_t i = 0; i < COUNT(frame_maxima) * COUNT(windows) * 3; i++) {
        enum shape_payload payload = (enum shape_payload)(i % 3);
        size_t window = i / 3 % COUNT(windows);
        struct shape_rules rules = rules_of(i / 3 / COUNT(windows), window, payload, 0);
        for (int kind = KIT_ZEROS; kind <= KIT_ASTRAL; kind++) {
            if (payload != SHAPE_TEXT || kind == KIT_ASTRAL || kind == KIT_WORDS) {
                check_stream(&rules, (enum kit_kind)kind, lens[(i + (size_t)kind) % COUNT(lens)]);
            }
        }
    }
    kit_check_freed();
}

// --- lines and records --------------------------------------------------------------------------

// Sends `data` down in one read; it is `count` messages of `len` bytes.
static void check_messages(const struct shape_rules *rules, struct span data, size_t count,
                           size_t len)
{
    char row[96];
    struct kit k;
    snprintf(row, sizeof(row), "kind %d, frames of %u, deflate %d, %zu messages of %zu",
             rules->framing.kind, (unsigned int)rules->max_frame_bytes, rules->is_deflate, count,
             len);
    kit_open(&k, row, rules);
    k.client.rules.step = 4096;
    CHECK_EQ_INT(row, kit_down_cut(&k, data, data.len, 0), SHAPE_OK);
    CHECK_EQ_U64(row, client_count(&k.client), count);
    size_t wrong = 0;
    for (size_t i = 0; i < client_count(&k.client); i++) {
        wrong += client_message(&k.client, i)->len != len;
    }
    CHECK_EQ_U64(row, wrong, 0);
    CHECK_EQ_U64(row, k.client.content.len, count * len);
    kit_close(&k);
}

// A read that is full of messages, of length 0 and of others.
static void test_many_messages(void)
{
    static const size_t lens[] = {0, 1, 2, 63, 64, 65, 126, 127, 128, 129, 1000};
    for (size_t i = 0; i < COUNT(lens) * COUNT(kit_framings) * COUNT(windows); i++) {
        size_t framing = i % COUNT(kit_framings);
        size_t len = lens[i / COUNT(kit_framings) % COUNT(lens)];
        struct shape_rules rules =
            rules_of(0, i / COUNT(kit_framings) / COUNT(lens), SHAPE_BINARY, framing);
        struct client_bytes data = {0};
        size_t count = 0;
        if (rules.framing.kind == FRAMING_STREAM) {
            continue;
        }
        for (; data.len < 65530; count++) {
            kit_fill(content, len, KIT_HIGH_NOISE, (uint32_t)data.len);
            kit_wrap(&rules.framing, (struct span){(const char *)content, len}, &data);
        }
        check_messages(&rules, client_span(&data), count, len);
        client_drop(&data);
    }
    kit_check_freed();
}

// A message that fills a read, in the shortest frames too.
static void test_large_messages(void)
{
    for (size_t i = 0; i < COUNT(frame_maxima) * COUNT(windows); i++) {
        static const enum kit_kind kinds[] = {KIT_HIGH_NOISE, KIT_WORDS, KIT_ASTRAL};
        for (size_t kind = 0; kind < COUNT(kinds); kind++) {
            for (size_t framing = 1; framing < 9; framing += 3) {
                struct shape_rules rules =
                    rules_of(i / COUNT(windows), i % COUNT(windows),
                             kinds[kind] == KIT_ASTRAL ? SHAPE_TEXT : SHAPE_BINARY, framing);
                struct client_bytes data = {0};
                kit_fill(content, sizeof(content), kinds[kind], 9);
                kit_wrap(&rules.framing, (struct span){(const char *)content, sizeof(content)},
                         &data);
                check_messages(&rules, client_span(&data), 1, sizeof(content));
                client_drop(&data);
            }
        }
    }
    kit_check_freed();
}

// With more room than SHAPE_ROOM one call sends many messages; with little more it stops in time.
static void test_more_room(void)
{
    struct shape_rules rules = rules_of(0, 0, SHAPE_BINARY, 1);
    static const size_t extra[] = {0, 1, 2, 3, 100, 48 * 1024, 200 * 1024};
    for (size_t i = 0; i < COUNT(extra); i++) {
        struct shape *s = shape_new(&rules);
        size_t cap = SHAPE_ROOM + extra[i];
        uint8_t *room = malloc(cap);
        uint8_t *data = content + SHAPE_HEADROOM;
        size_t left = 65536;
        size_t frames = 0;
        size_t calls = 0;
        enum shape_result result;
        memset(data, '\n', left);
        do {
            struct shape_out out = {room, 0, cap};
            result = shape_down(s, &data, &left, &out);
            frames += out.len / 2;
            calls++;
        } while (result == SHAPE_AGAIN);
        CHECK_EQ_INT("lines of nothing", result, SHAPE_OK);
        CHECK_EQ_U64("lines of nothing", frames, 65536);
        size_t each = extra[i] / 2 + 1;
        CHECK_EQ_U64("lines of nothing", calls, (65536 + each - 1) / each);
        free(room);
        shape_free(s);
    }
    kit_check_freed();
}

// --- what is compressed -------------------------------------------------------------------------

// Messages from 64 bytes on, where the client agreed. Every frame keeps to the limit.
static void test_what_is_compressed(void)
{
    for (size_t len = 1; len < 200; len++) {
        for (size_t i = 0; i < 3 * 2; i++) {
            struct shape_rules rules =
                rules_of(0, i / 3, (enum shape_payload)(i % 3 == 2 ? SHAPE_TEXT : SHAPE_BINARY),
                         i % 3 == 0 ? 0 : 1);
            struct kit k;
            kit_open(&k, "what is compressed", &rules);
            kit_fill(content, len, KIT_WORDS, 1);
            content[len] = '\n';
            CHECK_EQ_INT(k.row, kit_down(&k, (struct span){(char *)content, len + 1}), SHAPE_OK);
            const struct client_message *m = client_message(&k.client, 0);
            size_t first_len = i % 3 == 0 ? len + 1 : len;
            CHECK_EQ_INT(k.row, m->is_deflated, i >= 3 && first_len >= 64);
            kit_close(&k);
        }
    }
    kit_check_freed();
}

#ifdef __SANITIZE_ADDRESS__
#define MAX_STEP 37
#else
#define MAX_STEP 7
#endif

static void test_frame_sizes(void)
{
    static const enum kit_kind kinds[] = {KIT_NOISE, KIT_HIGH_NOISE, KIT_WORDS, KIT_ZEROS};
    for (uint64_t max = 128; max <= 5000; max += MAX_STEP) {
        for (size_t i = 0; i < 6; i++) {
            bool is_text = i % 3 == 1;
            struct shape_rules rules = {
                .payload = (enum shape_payload)(i % 3),
                .framing = kit_framings[i == 3 ? 7 : 0],
                .max_frame_bytes = max,
            };
            rules = i == 5 ? rules : kit_deflated(rules, 15, true);
            size_t len = 2 * (size_t)max + (size_t)max % 60;
            struct client_bytes data = {0};
            struct kit k;
            kit_fill(content, len, is_text ? KIT_ASTRAL : kinds[max / MAX_STEP % COUNT(kinds)],
                     (uint32_t)max);
            if (i == 3) {
                kit_wrap(&rules.framing, (struct span){(const char *)content, len}, &data);
            } else {
                client_put(&data, content, len);
            }
            kit_open(&k, "frames", &rules);
            k.client.rules.step = 4096;
            CHECK_EQ_INT(k.row, kit_down_cut(&k, client_span(&data), data.len / 2 + 50, 0),
                         SHAPE_OK);
            CHECK_TRUE(k.row, is_received(&k, (struct span){(const char *)content, len}));
            client_drop(&data);
            kit_close(&k);
        }
    }
    kit_check_freed();
}

CU_TestInfo shape_room_tests[] = {
    {"streams", test_streams},
    {"reads full of messages", test_many_messages},
    {"messages that fill a read", test_large_messages},
    {"more room", test_more_room},
    {"what is compressed", test_what_is_compressed},
    {"every max_frame_bytes", test_frame_sizes},
    CU_TEST_INFO_NULL,
};
