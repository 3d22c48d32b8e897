/* SPDX-License-Identifier: GPL-3.0-or-later */
// proto/shape: an independent client reads what a backend sends.
#include "shape_kit.h"
#include "suites.h"

// The rules of way `way`: compressed or not, long frames or short ones.
#define WAYS 6
static struct shape_rules way_rules(size_t way, enum shape_payload payload,
                                    const struct framing *framing)
{
    static const unsigned int windows[WAYS] = {0, 15, 15, 8, 0, 9};
    struct shape_rules rules = {
        .payload = payload,
        .framing = *framing,
        .max_frame_bytes = way >= 3 ? 128 : 0,
    };
    return windows[way] == 0 ? rules : kit_deflated(rules, windows[way], way != 2);
}

// --- streams ------------------------------------------------------------------------------------

// Checks the content of all messages, decoded from base64.
static struct client_bytes received(const struct kit *k)
{
    struct client_bytes all = {0};
    bool is_base64 = k->shape->rules.payload == SHAPE_BASE64;
    uint8_t opcode = k->shape->rules.payload == SHAPE_BINARY ? 2 : 1;
    for (size_t i = 0; i < client_count(&k->client); i++) {
        struct span text = client_text(&k->client, i);
        kit_expect(k, client_message(&k->client, i)->opcode == opcode, "opcode");
        kit_expect(k, client_message(&k->client, i)->is_whole, "whole message");
        kit_expect(k, text.len > 0, "message of a stream");
        if (is_base64) {
            struct base64_decoder d;
            uint8_t *bytes = malloc(text.len + 3);
            size_t len = 0;
            base64_decoder_init(&d);
            bool is_good = base64_decode(&d, (const uint8_t *)text.data, text.len, bytes, &len);
            kit_expect(k, is_good && base64_is_complete(&d), "base64");
            client_put(&all, bytes, len);
            free(bytes);
        } else {
            client_put(&all, text.data, text.len);
        }
    }
    return all;
}

static void check_received(const struct kit *k, const void *want, size_t len)
{
    struct client_bytes all = received(k);
    CHECK_EQ_MEM(k->row, all.data, all.len, want, len);
    client_drop(&all);
}

static const char text[] =
    "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z the same words, the same words, the same w\xc3\xb6rds,"
    " the same w\xc3\xb6rds, \xf0\x9f\x98\x80\xf0\x9f\x98\x80\xe2\x82\xac\xe2\x82\xac\xc3\xa9\xc3"
    "\xa9 and the same again, 1\xe2\x82\xac 2\xe2\x82\xac 3\xe2\x82\xac 4\xe2\x82\xac";
#define TEXT_LEN (sizeof(text) - 1)

// How many bytes at the front are whole characters.
static size_t whole_len(const char *data, size_t len)
{
    while (!utf8_is_valid((struct span){data, len})) {
        len--;
    }
    return len;
}

static void check_stream(size_t way, enum shape_payload payload, size_t first, size_t step)
{
    struct shape_rules rules = way_rules(way, payload, &kit_framings[0]);
    char row[80];
    struct kit k;
    size_t at = 0;
    snprintf(row, sizeof(row), "way %zu, payload %d, reads of %zu and %zu", way, payload, first,
             step);
    kit_open(&k, row, &rules);
    k.is_parking = first % 2 == 1;
    for (size_t len = first; at < TEXT_LEN; len = step) {
        struct span part = {text + at, len < TEXT_LEN - at ? len : TEXT_LEN - at};
        CHECK_EQ_INT(row, kit_down(&k, part), SHAPE_OK);
        at += part.len;
        // Only an incomplete character waits.
        check_received(&k, text, payload == SHAPE_TEXT ? whole_len(text, at) : at);
    }
    CHECK_EQ_INT(row, kit_down(&k, (struct span){text, 0}), SHAPE_OK);
    CHECK_EQ_INT(row, kit_down_end(&k), SHAPE_OK);
    check_received(&k, text, TEXT_LEN);
    kit_close(&k);
}

static void test_streams(void)
{
    for (size_t way = 0; way < WAYS; way++) {
        for (int payload = SHAPE_BINARY; payload <= SHAPE_BASE64; payload++) {
            for (size_t first = 1; first <= TEXT_LEN; first++) {
                check_stream(way, (enum shape_payload)payload, first, TEXT_LEN);
                check_stream(way, (enum shape_payload)payload, first, first);
                check_stream(way, (enum shape_payload)payload, first, 1 + first % 5);
            }
        }
    }
    kit_check_freed();
}

// Bad text behind good text, in two reads: the client gets the good text. Then text that ends
// inside a character.
static void test_bad_stream_text(void)
{
    static const struct {
        struct span bytes;
        size_t bad_at;
    } rows[] = {
        {SPAN_LIT("\x80"), 0},         {SPAN_LIT("\xff"), 0},      {SPAN_LIT("\xc1\x80"), 0},
        {SPAN_LIT("\xc3("), 1},        {SPAN_LIT("\xe0\x9f"), 1},  {SPAN_LIT("\xed\xa0\x80"), 1},
        {SPAN_LIT("\xf4\x90\x80"), 1}, {SPAN_LIT("\xe2\x82("), 2}, {SPAN_LIT("\xf0\x9f\x98("), 3},
        {SPAN_LIT("\xc3\xc3\xa9"), 1}, {SPAN_LIT("\xe2\xe2"), 1},
    };
    static const size_t borders[] = {0, 1, 3, 6, 10, 11, 78, TEXT_LEN - 1, TEXT_LEN};
    for (size_t i = 0; i < COUNT(rows) * COUNT(borders) * WAYS; i++) {
        size_t way = i % WAYS;
        struct span bytes = rows[i / WAYS % COUNT(rows)].bytes;
        size_t border = whole_len(text, borders[i / WAYS / COUNT(rows)]);
        struct shape_rules rules = way_rules(way, SHAPE_TEXT, &kit_framings[0]);
        struct client_bytes data = {0};
        client_put(&data, text, border);
        client_put(&data, bytes.data, bytes.len);
        client_put(&data, text, 20);
        size_t bad_at = border + rows[i / WAYS % COUNT(rows)].bad_at;
        for (size_t cut = 0; cut <= data.len; cut++) {
            struct kit k;
            kit_open(&k, "bad text", &rules);
            struct span first = {(const char *)data.data, cut};
            struct span second = {(const char *)data.data + cut, data.len - cut};
            enum shape_result result = kit_down(&k, first);
            CHECK_EQ_INT(k.row, result, cut > bad_at ? SHAPE_BACKEND_DATA : SHAPE_OK);
            if (result == SHAPE_OK) {
                check_received(&k, text, border < cut ? border : whole_len(text, cut));
                CHECK_EQ_INT(k.row, kit_down(&k, second), SHAPE_BACKEND_DATA);
            }
            check_received(&k, text, border);
            kit_close(&k);
        }
        client_drop(&data);
    }
    kit_check_freed();
}

static void test_cut_stream_text(void)
{
    struct shape_rules rules = way_rules(1, SHAPE_TEXT, &kit_framings[0]);
    for (size_t len = 0; len <= 20; len++) {
        for (size_t cut = 1; cut <= len + 1; cut++) {
            struct kit k;
            size_t whole = whole_len(text, len);
            kit_open(&k, "ends early", &rules);
            CHECK_EQ_INT(k.row, kit_down_cut(&k, (struct span){text, len}, cut, 1),
                         whole == len ? SHAPE_OK : SHAPE_BACKEND_DATA);
            check_received(&k, text, whole);
            kit_close(&k);
        }
    }
    kit_check_freed();
}

// --- lines and records --------------------------------------------------------------------------

#define LONG_LINE \
    "a line that is longer than the shortest frame that can be had: the same words, the same " \
    "words, the same words, the same words, the same words, \xe2\x82\xac\xf0\x9f\x98\x80, the end"

static const struct span lines[] = {
    SPAN_LIT("hello"),
    SPAN_LIT(""),
    SPAN_LIT("a\rb"),
    SPAN_LIT(LONG_LINE),
    SPAN_LIT(""),
    SPAN_LIT(""),
    SPAN_LIT("\xf0\x9f\x98\x80 t\xc3\xa9l\xc3\xa9"),
    SPAN_LIT(LONG_LINE "."),
    SPAN_LIT("\r"),
    SPAN_LIT("x"),
};

// Checks that the client's messages are the first of `lines`; the last one may be incomplete.
static void check_lines(const struct kit *k, size_t count)
{
    uint8_t opcode = k->shape->rules.payload == SHAPE_TEXT ? 1 : 2;
    CHECK_EQ_U64(k->row, client_count(&k->client), count);
    for (size_t i = 0; i < count && i < client_count(&k->client); i++) {
        struct span got = client_text(&k->client, i);
        CHECK_EQ_MEM(k->row, got.data, got.len, lines[i].data, lines[i].len);
        CHECK_EQ_INT(k->row, client_message(&k->client, i)->opcode, opcode);
        CHECK_TRUE(k->row, client_message(&k->client, i)->is_whole);
    }
}

static void check_framed(size_t way, size_t framing, enum shape_payload payload)
{
    struct shape_rules rules = way_rules(way, payload, &kit_framings[framing]);
    struct client_bytes data = {0};
    char row[80];
    snprintf(row, sizeof(row), "%s, way %zu, payload %d", kit_framing_names[framing], way, payload);
    for (size_t i = 0; i < COUNT(lines); i++) {
        kit_wrap(&kit_framings[framing], lines[i], &data);
    }
    for (size_t first = 1; first <= data.len; first++) {
        for (size_t how = 0; how < 3; how++) {
            struct kit k;
            kit_open(&k, row, &rules);
            k.is_parking = first % 3 == 0;
            size_t step = how == 0 ? data.len : how == 1 ? first : 1 + first % 4;
            CHECK_EQ_INT(row, kit_down_cut(&k, client_span(&data), first, step), SHAPE_OK);
            check_lines(&k, COUNT(lines));
            kit_close(&k);
        }
    }
    client_drop(&data);
}

static void test_framed(void)
{
    static const size_t framings[] = {1, 2, 4, 5, 6, 7, 8};
    for (size_t i = 0; i < COUNT(framings) * WAYS; i++) {
        check_framed(i % WAYS, framings[i / WAYS], SHAPE_BINARY);
        check_framed(i % WAYS, framings[i / WAYS], SHAPE_TEXT);
    }
    kit_check_freed();
}

// The backend ends anywhere: a line without a terminator is a line, half a record is an error. The
// client gets each part of a message at once.
static void test_framed_end(void)
{
    static const size_t framings[] = {1, 2, 5, 7};
    struct span content = SPAN_LIT("a piece of it");
    for (size_t i = 0; i < COUNT(framings) * 2; i++) {
        const struct framing *framing = &kit_framings[framings[i / 2]];
        struct shape_rules rules = way_rules(i % 2, SHAPE_TEXT, framing);
        struct client_bytes data = {0};
        kit_wrap(framing, content, &data);
        size_t front = framing->kind == FRAMING_LENGTH16   ? 2
                       : framing->kind == FRAMING_LENGTH32 ? 4
                                                           : 0;
        for (size_t len = 0; len < data.len; len++) {
            struct kit k;
            bool is_good = front == 0 || len == 0;
            size_t there = len < front ? 0 : len - front < content.len ? len - front : content.len;
            kit_open(&k, kit_framing_names[framings[i / 2]], &rules);
            CHECK_EQ_INT(k.row, kit_down(&k, (struct span){(const char *)data.data, len}),
                         SHAPE_OK);
            CHECK_EQ_MEM(k.row, k.client.content.data, k.client.content.len, content.data, there);
            CHECK_EQ_INT(k.row, kit_down_end(&k), is_good ? SHAPE_OK : SHAPE_BACKEND_DATA);
            // A CR without its LF belongs to the line.
            bool has_cr = front == 0 && len == content.len + 1;
            CHECK_EQ_U64(k.row, k.client.content.len, there + has_cr);
            CHECK_TRUE(k.row, k.client.in_message == (!is_good && there > 0));
            kit_close(&k);
        }
        client_drop(&data);
    }
    kit_check_freed();
}

// Good messages, then a bad one: the client gets the good ones, and nothing from behind the bad
// one.
static void test_framed_bad(void)
{
    static const struct {
        const char *name;
        size_t framing;
        struct span bad;
        bool is_at_end; /* only the end shows that the message is bad */
    } rows[] = {
        {"bad byte in a line", 1, SPAN_LIT("ab\xff"), false},
        {"half a character in a line", 1, SPAN_LIT("ab\xc3\n"), false},
        {"a character over two lines", 2, SPAN_LIT("\xe2\x82\r\n\xac\r\n"), false},
        {"half a character at the end", 1, SPAN_LIT("ab\xf0\x9f\x98"), true},
        {"half a character and CR at the end", 2, SPAN_LIT("ab\xe2\x82\r"), true},
        {"bad byte in a record", 5, SPAN_LIT("\x00\x03xy\x80zz"), false},
        {"half a character in a record", 8, SPAN_LIT("\x01\x00\x00\x00\xc3"), false},
        {"a character over two records", 5, SPAN_LIT("\x00\x01\xc3\x00\x01\xa9"), false},
        {"record over the limit", 5, SPAN_LIT("\x01\x00"), false},
        {"record over the limit, little", 8, SPAN_LIT("\x00\x00\x00\x80"), false},
        {"record is cut off", 7, SPAN_LIT("\x00\x00\x00\x02x"), true},
        {"length is cut off", 7, SPAN_LIT("\x00\x00\x00"), true},
    };
    for (size_t i = 0; i < COUNT(rows) * WAYS; i++) {
        size_t row = i / WAYS;
        struct framing framing = kit_framings[rows[row].framing];
        struct client_bytes data = {0};
        framing.max_bytes = 255;
        struct shape_rules rules = way_rules(i % WAYS, SHAPE_TEXT, &framing);
        for (size_t m = 0; m < 4; m++) {
            kit_wrap(&framing, lines[m], &data);
        }
        client_put(&data, rows[row].bad.data, rows[row].bad.len);
        for (size_t first = 1; first <= data.len; first++) {
            struct kit k;
            kit_open(&k, rows[row].name, &rules);
            enum shape_result result =
                kit_down_cut(&k, client_span(&data), first, first % 2 == 0 ? 1 : data.len);
            CHECK_EQ_INT(k.row, result, SHAPE_BACKEND_DATA);
            size_t count = client_count(&k.client);
            CHECK_TRUE(k.row, count == 4 || count == 5);
            CHECK_TRUE(k.row, count != 5 || !client_message(&k.client, 4)->is_whole);
            k.client.marks.len = 4 * sizeof(struct client_message);
            check_lines(&k, 4);
            kit_close(&k);
        }
        client_drop(&data);
    }
    kit_check_freed();
}

// Lines around framing_max, in one read and in many.
static void test_framed_max(void)
{
    static const size_t maxima[] = {1, 60, 65535, 65536, 70000};
    static uint8_t content[70001];
    for (size_t i = 0; i < COUNT(maxima) * 3 * 2; i++) {
        size_t max = maxima[i % COUNT(maxima)];
        size_t len = max + i / COUNT(maxima) / 3;
        struct framing framing = {
            .kind = i / COUNT(maxima) % 3 == 2 ? FRAMING_LENGTH32 : FRAMING_LINE,
            .line_end = i / COUNT(maxima) % 3 == 1 ? FRAMING_CRLF : FRAMING_LF,
            .max_bytes = max,
        };
        kit_fill(content, len, KIT_WORDS, 3);
        for (size_t way = 0; way < WAYS; way++) {
            struct shape_rules rules = way_rules(way, SHAPE_BINARY, &framing);
            struct client_bytes data = {0};
            kit_wrap(&framing, (struct span){(const char *)content, len}, &data);
            for (size_t step = 1; step <= 100000; step *= len < 100 ? 3 : 317) {
                struct kit k;
                kit_open(&k, "line or record around the limit", &rules);
                k.client.rules.step = 64;
                CHECK_EQ_INT(k.row, kit_down_cut(&k, client_span(&data), step, step),
                             len > max ? SHAPE_BACKEND_DATA : SHAPE_OK);
                bool is_whole = client_count(&k.client) == 1 && !k.client.in_message;
                CHECK_TRUE(k.row, is_whole == (len == max));
                CHECK_TRUE(k.row, k.client.content.len <= max);
                kit_close(&k);
            }
            client_drop(&data);
        }
    }
    kit_check_freed();
}

CU_TestInfo shape_down_tests[] = {
    {"streams", test_streams},
    {"streams that are not text", test_bad_stream_text},
    {"text that ends too early", test_cut_stream_text},
    {"lines and records", test_framed},
    {"the end of the backend", test_framed_end},
    {"bad lines and records", test_framed_bad},
    {"lines and records around the limit", test_framed_max},
    CU_TEST_INFO_NULL,
};
