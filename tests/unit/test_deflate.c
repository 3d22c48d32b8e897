/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "deflate_kit.h"
#include "suites.h"

#define BIT_PAIRS 64U

static struct kit_bytes wire; // static, because these are large
static struct kit_bytes got;

static void check_all_freed(void)
{
    CHECK_EQ_U64("blocks", mem_live_blocks(), 0);
}

/* --- what a client sends ----------------------------------------------------------------------*/

struct series {
    const char *name;
    bool is_anew; // no client takeover
    struct {
        struct span in;
        const char *want; // NULL: DEFLATE_BAD
    } messages[4];        // behind the last one `in.data` is NULL
};

#define HELLO SPAN_LIT("\xf2\x48\xcd\xc9\xc9\x07\x00")
#define HELLO_AGAIN SPAN_LIT("\xf2\x00\x11\x00\x00")
#define HELLO_FINAL SPAN_LIT("\xf3\x48\xcd\xc9\xc9\x07\x00\x00")
#define EMPTY SPAN_LIT("\x00")

static const struct series all_series[] = {
    // RFC 7692 7.2.3
    {"7.2.3.1 one block", false, {{HELLO, "Hello"}}},
    {"7.2.3.2 sharing the window", false, {{HELLO, "Hello"}, {HELLO_AGAIN, "Hello"}}},
    {"7.2.3.2 not sharing it", true, {{HELLO, "Hello"}, {HELLO, "Hello"}}},
    {"7.2.3.3 stored", false, {{SPAN_LIT("\x00\x05\x00\xfa\xffHello\x00"), "Hello"}}},
    {"7.2.3.4 final", false, {{HELLO_FINAL, "Hello"}}},
    {"7.2.3.5 two blocks",
     false,
     {{SPAN_LIT("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), "Hello"}}},
    {"7.2.3.6 empty", false, {{EMPTY, ""}}},

    {"empty ones", false, {{EMPTY, ""}, {HELLO, "Hello"}, {EMPTY, ""}, {HELLO_AGAIN, "Hello"}}},
    {"no bytes",
     false,
     {{SPAN_LIT(""), ""}, {HELLO, "Hello"}, {SPAN_LIT(""), ""}, {HELLO_AGAIN, "Hello"}}},
    {"no bytes, anew", true, {{HELLO, "Hello"}, {SPAN_LIT(""), ""}, {HELLO, "Hello"}}},
    {"window behind a final block", false, {{HELLO_FINAL, "Hello"}, {HELLO_AGAIN, "Hello"}}},
    {"no window behind a final block", true, {{HELLO_FINAL, "Hello"}, {HELLO_AGAIN, NULL}}},
    {"nothing behind a final block",
     false,
     {{SPAN_LIT("\xf3\x48\xcd\xc9\xc9\x07\x00"), "Hello"}, {HELLO_AGAIN, "Hello"}}},
    {"nothing behind a final block, anew",
     true,
     {{SPAN_LIT("\xf3\x48\xcd\xc9\xc9\x07\x00"), "Hello"}, {HELLO, "Hello"}}},
    {"empty behind a final block",
     false,
     {{SPAN_LIT("\xf3\x48\xcd\xc9\xc9\x07\x00"), "Hello"},
      {SPAN_LIT(""), ""},
      {HELLO_AGAIN, "Hello"}}},
    {"two final blocks",
     false,
     {{SPAN_LIT("\xf3\x48\xcd\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), "HelloHello"}}},
    {"final block shares the window",
     false,
     {{SPAN_LIT("\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x00\x11\x00\x00"), "HelloHello"}}},
    {"empty final block", false, {{SPAN_LIT("\x03\x00\x00"), ""}, {SPAN_LIT("\x03\x00"), ""}}},
    {"stored final block", false, {{SPAN_LIT("\x01\x05\x00\xfa\xffHello"), "Hello"}}},
    {"ends in a final stored block", false, {{SPAN_LIT("\xf2\x48\xcd\xc9\xc9\x07\x04"), "Hello"}}},

    // Not a deflate stream, or not a whole one.
    {"block type 3", false, {{SPAN_LIT("\x06"), NULL}}},
    {"final block type 3", false, {{SPAN_LIT("\xff\xff\xff\xff"), NULL}}},
    {"type 3 behind a final block", false, {{SPAN_LIT("\xf3\x48\xcd\xc9\xc9\x07\x00\x06"), NULL}}},
    {"lengths do not match", false, {{SPAN_LIT("\x00\x05\x00\xfb\xffHello\x00"), NULL}}},
    {"no window yet", false, {{HELLO_AGAIN, NULL}}},
    {"no window kept", true, {{HELLO, "Hello"}, {HELLO_AGAIN, NULL}}},
    {"stored ends early", false, {{SPAN_LIT("\x00\x05\x00\xfa\xffH"), NULL}}},
    {"stored ends in the lengths", false, {{SPAN_LIT("\x00\x05\x00\xfa"), NULL}}},
    {"stored ends behind the lengths", false, {{SPAN_LIT("\x00\x05\x00\xfa\xff"), NULL}}},
    {"stored, tail as content", false, {{SPAN_LIT("\x00\x05\x00\xfa\xffH\x00"), NULL}}},
    {"stored final, tail as content", false, {{SPAN_LIT("\x01\x04\x00\xfb\xff"), NULL}}},
    {"stored ends at its end", false, {{SPAN_LIT("\x00\x05\x00\xfa\xffHello"), NULL}}},
    {"two empty blocks, tail and all", false, {{SPAN_LIT("\x00\x00\x00\xff\xff"), NULL}}},
    {"fixed ends early", false, {{SPAN_LIT("\xf2\x48\xcd"), NULL}}},
    {"fixed without its last byte", false, {{SPAN_LIT("\xf2\x48\xcd\xc9\xc9\x07"), NULL}}},
    {"final without its last byte", false, {{SPAN_LIT("\xf3\x48\xcd\xc9\xc9\x07"), NULL}}},
    {"dynamic header only", false, {{SPAN_LIT("\x04"), NULL}}},
    {"dynamic, too many codes", false, {{SPAN_LIT("\xfc\xff\xff\xff"), NULL}}},
    {"length code 286", false, {{SPAN_LIT("\x1a\x03\x00"), NULL}}},
    {"distance code 30", false, {{SPAN_LIT("\xf2\x48\xcd\xc9\x01\x1f\x00"), NULL}}},
};

static void run_series(const struct series *s, size_t cut, size_t cap, bool is_parking)
{
    struct deflate d;
    char row[128];
    snprintf(row, sizeof(row), "%s, cut %zu, cap %zu%s", s->name, cut, cap,
             is_parking ? ", parked" : "");
    kit_init(&d, 15, 15, !s->is_anew);
    for (size_t i = 0; i < 4 && s->messages[i].in.data != NULL; i++) {
        const char *want = s->messages[i].want;
        enum deflate_result result = kit_inflate(&d, s->messages[i].in, cut, cap, &got);
        CHECK_EQ_INT(row, result, want == NULL ? DEFLATE_BAD : DEFLATE_OK);
        if (want != NULL) {
            CHECK_EQ_MEM(row, got.data, got.len, want, strlen(want));
        }
        if (is_parking) {
            deflate_park(&d);
            CHECK_TRUE(row, want == NULL || !deflate_can_park(&d));
        }
    }
    deflate_done(&d);
}

static void test_series(void)
{
    for (size_t i = 0; i < sizeof(all_series) / sizeof(all_series[0]); i++) {
        for (size_t cut = 0; cut <= 15; cut++) {
            for (size_t cap = 1; cap <= 11; cap++) {
                run_series(&all_series[i], cut, cap, false);
                run_series(&all_series[i], cut, cap, true);
            }
        }
    }
    check_all_freed();
}

// A message with blocks of all kinds, cut off at every byte.
static void test_truncated(void)
{
    uint8_t text[900];
    struct deflate d;
    kit_text(text, 500, 1);
    kit_noise(text + 500, 400, 2);
    kit_init(&d, 15, 15, true);
    CHECK_EQ_INT("deflate", kit_deflate(&d, (struct span){(char *)text, sizeof(text)}, 450, &wire),
                 DEFLATE_OK);
    deflate_done(&d);
    for (size_t len = 1; len <= wire.len; len++) {
        struct span message = {(const char *)wire.data, len};
        kit_init(&d, 15, 15, true);
        enum deflate_result result = kit_inflate(&d, message, SIZE_MAX, 64, &got);
        // The first piece ends in the bytes 00 00 ff ff; a message may end right before them too.
        bool is_prefix = got.len <= sizeof(text) && memcmp(got.data, text, got.len) == 0;
        CHECK_TRUE("nothing but text", is_prefix || result == DEFLATE_BAD);
        CHECK_TRUE("in the middle", result == DEFLATE_BAD || got.len == 450 || len == wire.len);
        CHECK_TRUE("all of it", result == DEFLATE_OK || len < wire.len);
        deflate_done(&d);
    }
    check_all_freed();
}

/* --- what we send -----------------------------------------------------------------------------*/

static void test_our_bytes(void)
{
    static const struct {
        const char *name;
        struct span in;
        size_t cut;
        struct span want;
    } rows[] = {
        {"empty at first", SPAN_LIT(""), SIZE_MAX, SPAN_LIT("\x00")},
        {"Hello", SPAN_LIT("Hello"), SIZE_MAX, HELLO},
        {"Hello again", SPAN_LIT("Hello"), SIZE_MAX, HELLO_AGAIN},
        {"empty", SPAN_LIT(""), SIZE_MAX, SPAN_LIT("\x00")},
        {"empty again", SPAN_LIT(""), SIZE_MAX, SPAN_LIT("\x00")},
        {"empty piece in front", SPAN_LIT("Hello"), 0, SPAN_LIT("\x02\x13\x00\x00")},
    };
    struct deflate d;
    kit_init(&d, 15, 15, true);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK_EQ_INT(rows[i].name, kit_deflate(&d, rows[i].in, rows[i].cut, &wire), DEFLATE_OK);
        CHECK_EQ_MEM(rows[i].name, wire.data, wire.len, rows[i].want.data, rows[i].want.len);
    }
    wire.len = 0;
    CHECK_EQ_INT("piece", kit_deflate_piece(&d, SPAN_LIT("Hello"), false, &wire), DEFLATE_OK);
    CHECK_EQ_MEM("tail stays on it", wire.data + wire.len - 4, 4, "\x00\x00\xff\xff", 4);
    wire.len = 0;
    CHECK_EQ_INT("no piece", kit_deflate_piece(&d, SPAN_LIT(""), false, &wire), DEFLATE_OK);
    CHECK_EQ_U64("no piece", wire.len, 0);
    CHECK_EQ_INT("end", kit_deflate_piece(&d, SPAN_LIT(""), true, &wire), DEFLATE_OK);
    CHECK_EQ_MEM("end", wire.data, wire.len, "\x00", 1);
    deflate_done(&d);

    kit_init(&d, 15, 15, false);
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQ_INT("anew", kit_deflate(&d, SPAN_LIT("Hello"), SIZE_MAX, &wire), DEFLATE_OK);
        CHECK_EQ_MEM("anew", wire.data, wire.len, HELLO.data, HELLO.len);
    }
    deflate_done(&d);
    check_all_freed();
}

// The peer can inflate each piece at once, and no reference in it goes beyond the window.
static void check_with_zlib(unsigned int bits, unsigned int window_bits, bool is_takeover)
{
    static uint8_t text[70000];
    static const size_t lens[] = {1, 70000, 300, 0, 5000, 40000, 2};
    struct deflate d;
    z_stream peer = {0};
    char row[64];
    snprintf(row, sizeof(row), "%u of %u bits, takeover %d", window_bits, bits, is_takeover);
    kit_init(&d, bits, 15, is_takeover);
    d.settings.window_bits = (uint8_t)window_bits;
    unsigned int used_bits = bits < window_bits ? bits : window_bits;
    CHECK_EQ_INT(row, inflateInit2(&peer, -(int)used_bits), Z_OK);
    kit_text(text, sizeof(text), bits);
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        size_t cut = lens[i] / 3;
        struct span first = {(const char *)text + i, cut};
        struct span second = {(const char *)text + i + cut, lens[i] == 70000 ? 46000 : cut};
        if (!is_takeover) {
            inflateReset(&peer);
        }
        wire.len = 0;
        CHECK_EQ_INT(row, kit_deflate_piece(&d, first, false, &wire), DEFLATE_OK);
        CHECK_TRUE(row, kit_zlib_is(&peer, kit_span(&wire), false, first));
        wire.len = 0;
        CHECK_EQ_INT(row, kit_deflate_piece(&d, second, true, &wire), DEFLATE_OK);
        CHECK_TRUE(row, kit_zlib_is(&peer, kit_span(&wire), true, second));
        CHECK_TRUE(row, wire.len < second.len || second.len < 1000);
        if (i == 4) {
            deflate_park(&d);
        }
    }
    inflateEnd(&peer);
    deflate_done(&d);
}

static void test_with_zlib(void)
{
    for (unsigned int bits = 8; bits <= 15; bits++) {
        check_with_zlib(bits, 15, true);
        check_with_zlib(bits, 15, false);
        check_with_zlib(bits, 9, true);
        check_with_zlib(15, bits == 8 ? 9 : bits, true);
    }
    check_all_freed();
}

/* --- both ways --------------------------------------------------------------------------------*/

// The client is a struct deflate too, with the windows swapped.
struct pair {
    struct deflate server;
    struct deflate client;
};

static void exchange(const char *row, struct deflate *from, struct deflate *to, struct span text,
                     size_t cuts[2], size_t cap)
{
    CHECK_EQ_INT(row, kit_deflate(from, text, cuts[0], &wire), DEFLATE_OK);
    CHECK_EQ_INT(row, kit_inflate(to, kit_span(&wire), cuts[1], cap, &got), DEFLATE_OK);
    CHECK_EQ_MEM(row, got.data, got.len, text.data, text.len);
}

static void run_pair(unsigned int i, size_t step)
{
    enum { LEN = 700 };
    uint8_t text[LEN];
    unsigned int server_bits = 8 + i % 8;
    unsigned int client_bits = 8 + i / 8 % 8;
    bool is_takeover = i < BIT_PAIRS;
    struct pair pair;
    kit_init(&pair.server, server_bits, client_bits, is_takeover);
    kit_init(&pair.client, client_bits, server_bits, is_takeover);
    kit_text(text, LEN, i);
    for (size_t cut = 0; cut <= LEN; cut += step) {
        size_t cuts[2] = {cut, cut / 2};
        size_t cap = cut % 40 + 1;
        char row[96];
        snprintf(row, sizeof(row), "bits %u and %u, takeover %d, cut %zu", server_bits, client_bits,
                 is_takeover, cut);
        text[cut % LEN] ^= 1;
        exchange(row, &pair.server, &pair.client, (struct span){(char *)text, LEN}, cuts, cap);
        exchange(row, &pair.client, &pair.server, (struct span){(char *)text, LEN}, cuts, cap);
        if (cut % 5 == 0) {
            deflate_park(&pair.server);
        }
        if (cut % 7 == 0) {
            deflate_park(&pair.client);
        }
    }
    deflate_done(&pair.server);
    deflate_done(&pair.client);
}

static void test_round_trips(void)
{
    for (unsigned int i = 0; i < BIT_PAIRS * 2; i++) {
        run_pair(i, i % 8 == i / 8 % 8 ? 1 : 31);
    }
    check_all_freed();
}

// A message that deflate made, at every cut and with every size of the output.
static void test_every_cut(void)
{
    enum { LEN = 150 };
    uint8_t text[LEN];
    struct deflate d;
    kit_text(text, LEN, 3);
    kit_init(&d, 15, 15, true);
    CHECK_EQ_INT("deflate", kit_deflate(&d, (struct span){(char *)text, LEN}, 60, &wire),
                 DEFLATE_OK);
    deflate_done(&d);
    kit_init(&d, 15, 15, false);
    for (size_t cut = 0; cut <= wire.len; cut++) {
        for (size_t cap = 1; cap <= LEN + 1; cap++) {
            CHECK_EQ_INT("inflate", kit_inflate(&d, kit_span(&wire), cut, cap, &got), DEFLATE_OK);
            CHECK_EQ_MEM("inflate", got.data, got.len, text, LEN);
        }
    }
    deflate_done(&d);
    check_all_freed();
}

// Long matches with short codes: zlib has read the last byte of the message, and still owes output
// that has no room.
static void test_held_back(void)
{
    static const uint8_t zeros[4000];
    for (size_t len = 1000; len <= sizeof(zeros); len++) {
        struct span text = {(const char *)zeros, len};
        size_t cap = len % 300 + 1;
        struct deflate d;
        kit_init(&d, 15, 15, true);
        CHECK_EQ_INT("deflate", kit_deflate(&d, text, SIZE_MAX, &wire), DEFLATE_OK);
        CHECK_EQ_INT("inflate", kit_inflate(&d, kit_span(&wire), SIZE_MAX, cap, &got), DEFLATE_OK);
        CHECK_EQ_MEM("inflate", got.data, got.len, zeros, len);
        deflate_done(&d);
    }
    check_all_freed();
}

// The same 100 bytes twice: deflate finds them again in a window of 9 bits, but not in one of 8.
static void test_smallest_windows(void)
{
    uint8_t text[200];
    kit_noise(text, 100, 1);
    memcpy(text + 100, text, 100);
    for (unsigned int bits = 8; bits <= 9; bits++) {
        struct deflate d;
        kit_init(&d, bits, 15, true);
        CHECK_EQ_INT("deflate", kit_deflate(&d, (struct span){(char *)text, 200}, SIZE_MAX, &wire),
                     DEFLATE_OK);
        CHECK_TRUE("found", bits == 8 ? wire.len > 200 : wire.len < 150);
        deflate_done(&d);
    }
    check_all_freed();
}

// A message that fills the window, then one that repeats its first bytes: a reference that goes
// back as far as it may, and one byte further.
static void check_furthest(unsigned int bits, size_t more, bool is_parking)
{
    static uint8_t noise[(1 << 15) + 1];
    size_t len = ((size_t)1 << bits) + more;
    struct deflate d;
    z_stream peer = {0};
    char row[64];
    snprintf(row, sizeof(row), "%u bits, %zu more%s", bits, more, is_parking ? ", parked" : "");
    kit_noise(noise, len, bits);
    kit_init(&d, 15, bits, true);
    CHECK_EQ_INT(row, deflateInit2(&peer, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
    kit_zlib_deflate(&peer, (struct span){(char *)noise, len}, &wire);
    CHECK_EQ_INT(row, kit_inflate(&d, kit_span(&wire), SIZE_MAX, 1000, &got), DEFLATE_OK);
    if (is_parking) {
        deflate_park(&d);
        CHECK_FALSE(row, deflate_can_park(&d));
    }
    kit_zlib_deflate(&peer, (struct span){(char *)noise, 100}, &wire);
    CHECK_TRUE(row, wire.len < 20);
    enum deflate_result result = kit_inflate(&d, kit_span(&wire), SIZE_MAX, 1, &got);
    CHECK_EQ_INT(row, result, more == 0 ? DEFLATE_OK : DEFLATE_BAD);
    if (more == 0) {
        CHECK_EQ_MEM(row, got.data, got.len, noise, 100);
    }
    deflateEnd(&peer);
    deflate_done(&d);
}

static void test_furthest(void)
{
    // zlib's own deflate never refers back as far as 15 bits allow.
    for (unsigned int bits = 8; bits < 15; bits++) {
        for (size_t more = 0; more < 2; more++) {
            check_furthest(bits, more, false);
            check_furthest(bits, more, true);
        }
    }
    check_all_freed();
}

CU_TestInfo deflate_tests[] = {
    {"the RFC's messages and bad ones", test_series},
    {"truncated anywhere", test_truncated},
    {"our bytes", test_our_bytes},
    {"plain zlib reads ours", test_with_zlib},
    {"round trips", test_round_trips},
    {"every cut and output", test_every_cut},
    {"output held back", test_held_back},
    {"smallest windows", test_smallest_windows},
    {"the furthest reference", test_furthest},
    CU_TEST_INFO_NULL,
};
