/* SPDX-License-Identifier: GPL-3.0-or-later */
// The limits of deflate: bytes of output, bytes of memory, and a lack of memory.
#include <malloc.h>

#include "deflate_kit.h"
#include "suites.h"

static struct kit_bytes wire; // static, because these are large
static struct kit_bytes got;

static void check_all_freed(void)
{
    CHECK_EQ_U64("blocks", mem_live_blocks(), 0);
}

static struct span span_of(const uint8_t *data, size_t len)
{
    return (struct span){(const char *)data, len};
}

/* --- deflate_bound ----------------------------------------------------------------------------*/

// Bytes that no code makes shorter; bytes that have nine bits in the fixed code; runs.
static void fill(uint8_t *data, size_t len, unsigned int kind)
{
    kit_noise(data, len, kind);
    for (size_t i = 0; i < len && kind > 0; i++) {
        data[i] = kind == 1 ? (uint8_t)(144 + data[i] % 112)
                            : (uint8_t)(data[i] % 8 == 0 ? data[i] : 255);
    }
}

static void test_bound(void)
{
    static const size_t lens[] = {1,    2,    3,    250,  256,  500,   1000,  2046,  2047,
                                  2048, 2049, 4094, 8192, 9999, 16383, 32768, 65536, 100000};
    static uint8_t data[100000];
    size_t worst = 0;
    for (unsigned int i = 0; i < 8 * 3; i++) {
        struct deflate d;
        kit_init(&d, 8 + i % 8, 15, true);
        fill(data, sizeof(data), i / 8);
        for (size_t k = 0; k < sizeof(lens) / sizeof(lens[0]); k++) {
            wire.len = 0;
            CHECK_EQ_INT("piece", kit_deflate_piece(&d, span_of(data, lens[k]), false, &wire),
                         DEFLATE_OK);
            CHECK_TRUE("bound", wire.len <= deflate_bound(lens[k]));
            size_t percent = lens[k] < 1000 ? 0 : wire.len * 1000 / lens[k];
            worst = percent > worst ? percent : worst;
        }
        deflate_done(&d);
    }
    // The bound is not much more than the longest output.
    CHECK_TRUE("the worst is in here", worst > 1000);
    CHECK_TRUE("a bound", deflate_bound(65536) < 65536 + 65536 / 8 + 200);
    CHECK_TRUE("a bound for nothing", deflate_bound(0) >= 1);
    check_all_freed();
}

/* --- limits of a message ----------------------------------------------------------------------*/

static void test_message_limit(void)
{
    enum { LEN = 300 };
    uint8_t text[LEN];
    struct deflate d;
    kit_text(text, LEN, 7);
    kit_init(&d, 15, 15, false);
    CHECK_EQ_INT("deflate", kit_deflate(&d, span_of(text, LEN), 200, &wire), DEFLATE_OK);
    for (size_t max = 1; max <= LEN + 2; max++) {
        for (size_t cut = 0; cut <= wire.len; cut += 3) {
            size_t cap = 1 + (max + cut) % (LEN + 10);
            d.settings.max_message_bytes = max;
            enum deflate_result result = kit_inflate(&d, kit_span(&wire), cut, cap, &got);
            CHECK_EQ_INT("limit", result, max < LEN ? DEFLATE_TOO_BIG : DEFLATE_OK);
            CHECK_EQ_MEM("up to it", got.data, got.len, text, max < LEN ? max : LEN);
            if (result != DEFLATE_OK) {
                deflate_done(&d);
            }
        }
    }
    // Each message has the limit for itself.
    d.settings.max_message_bytes = LEN;
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQ_INT("again", kit_inflate(&d, kit_span(&wire), 50, 64, &got), DEFLATE_OK);
    }
    deflate_done(&d);

    // The first byte over the limit fails, before the rest of the message has come.
    d.settings.max_message_bytes = 4;
    got.len = 0;
    CHECK_EQ_INT("early",
                 kit_inflate_piece(&d, SPAN_LIT("\xf2\x48\xcd\xc9\xc9\x07"), false, 64, &got),
                 DEFLATE_TOO_BIG);
    CHECK_EQ_MEM("early", got.data, got.len, "Hell", 4);
    deflate_done(&d);
    check_all_freed();
}

// Inflates a message of `mib` MiB of zeros, piece by piece. Returns how many bytes came out.
static uint64_t run_bomb(const char *row, uint32_t max_ratio, unsigned int mib,
                         enum deflate_result want)
{
    static const uint8_t zeros[1 << 16];
    static uint8_t out[1 << 16];
    enum deflate_result result = DEFLATE_OK;
    uint64_t total = 0;
    struct deflate client;
    struct deflate d;
    kit_init(&client, 15, 15, true);
    kit_init(&d, 15, 15, true);
    d.settings.max_ratio = max_ratio;
    for (unsigned int i = 0; i < mib * 16 && result == DEFLATE_OK; i++) {
        bool is_end = i == mib * 16 - 1;
        wire.len = 0;
        CHECK_EQ_INT(row, kit_deflate_piece(&client, span_of(zeros, sizeof(zeros)), is_end, &wire),
                     DEFLATE_OK);
        struct span rest = kit_span(&wire);
        do {
            size_t len = 0;
            result = deflate_inflate(&d, &rest, is_end, out, sizeof(out), &len);
            total += len;
        } while (result == DEFLATE_FULL);
    }
    CHECK_EQ_INT(row, result, want);
    deflate_done(&client);
    deflate_done(&d);
    return total;
}

static void test_ratio(void)
{
    uint64_t most = DEFLATE_CREDIT_FIRST;
    uint64_t total = run_bomb("over", 100, 64, DEFLATE_TOO_FAR);
    CHECK_TRUE("noticed soon", total >= most && total <= 4 * most);
    CHECK_EQ_U64("allowed", run_bomb("allowed", 1100, 32, DEFLATE_OK), UINT64_C(32) << 20);
    CHECK_EQ_U64("no limit", run_bomb("no limit", 0, 32, DEFLATE_OK), UINT64_C(32) << 20);
    check_all_freed();
}

// Sends messages of `len` bytes until one is refused, `count` at most. Returns the inflated bytes.
static uint64_t send_messages(const char *row, uint32_t max_ratio, const uint8_t *data, size_t len,
                              size_t count, uint64_t *out_sent)
{
    static uint8_t out[1 << 16];
    struct deflate client;
    struct deflate d;
    uint64_t total = 0;
    enum deflate_result result = DEFLATE_OK;
    kit_init(&client, 15, 15, true);
    kit_init(&d, 15, 15, true);
    d.settings.max_ratio = max_ratio;
    *out_sent = 0;
    for (size_t i = 0; i < count && result == DEFLATE_OK; i++) {
        wire.len = 0;
        CHECK_EQ_INT(row, kit_deflate_piece(&client, span_of(data, len), true, &wire), DEFLATE_OK);
        struct span rest = kit_span(&wire);
        *out_sent += rest.len;
        do {
            size_t got_len = 0;
            result = deflate_inflate(&d, &rest, true, out, sizeof(out), &got_len);
            total += got_len;
        } while (result == DEFLATE_FULL);
        deflate_park(&d); // parking earns nothing
    }
    CHECK_TRUE(row, result == DEFLATE_OK || result == DEFLATE_TOO_FAR);
    deflate_done(&client);
    deflate_done(&d);
    return total;
}

// Many small messages inflate no further together than one large one.
static void test_ratio_of_messages(void)
{
    static const uint8_t zeros[60000];
    static uint8_t noise[60000];
    static uint8_t words[60000];
    uint64_t sent;
    for (size_t len = 1000; len <= sizeof(zeros); len += 5900) {
        uint64_t total = send_messages("small bombs", 100, zeros, len, 5000, &sent);
        // The step that goes too far has made something too.
        CHECK_TRUE("a bound over all messages",
                   total <= DEFLATE_CREDIT_FIRST + 100 * sent + UINT64_C(65536));
    }
    CHECK_TRUE("60,000 zeros, some times",
               send_messages("zeros", 100, zeros, sizeof(zeros), 100, &sent) < 40 * sizeof(zeros));
    kit_noise(noise, sizeof(noise), 1);
    CHECK_EQ_U64("noise", send_messages("noise", 2, noise, sizeof(noise), 50, &sent),
                 50 * sizeof(noise));
    for (size_t i = 0; i < sizeof(words); i++) {
        words[i] = (uint8_t)"{\"id\":12,\"name\":\"a sensor\",\"value\":"[(i + i / 41) % 36];
    }
    CHECK_EQ_U64("JSON", send_messages("JSON", 100, words, 3000, 2000, &sent), 3000 * 2000);
}

/* --- memory -----------------------------------------------------------------------------------*/

// The sanitizer's own malloc counts; gcc has no header with this function.
size_t sanitizer_live_bytes(void) __asm__("__sanitizer_get_current_allocated_bytes")
    __attribute__((weak));

static int64_t live_bytes(void)
{
    if (sanitizer_live_bytes != NULL) {
        return (int64_t)sanitizer_live_bytes();
    }
    struct mallinfo2 info = mallinfo2();
    return (int64_t)(info.uordblks + info.hblkhd);
}

static void check_bytes(const char *what, unsigned int bits, int64_t bytes, int64_t most)
{
    char row[64];
    snprintf(row, sizeof(row), "%s, %u bits: %" PRId64 " of %" PRId64, what, bits, bytes, most);
    printf("\n    deflate: %s bytes", row);
    // malloc's own bytes for a block do not count.
    CHECK_TRUE(row, bytes <= most + 256);
    CHECK_TRUE(row, bytes > most - 512);
}

static void measure(unsigned int bits)
{
    static uint8_t data[40000];
    static uint8_t room[48000];
    struct span rest;
    struct deflate d;
    size_t len = 0;
    int64_t at[6];
    enum deflate_result results[3];
    int64_t window = (int64_t)1 << bits;
    kit_init(&d, bits, bits, true);
    kit_noise(data, sizeof(data), bits);
    at[0] = live_bytes();
    results[0] = deflate_deflate(&d, span_of(data, sizeof(data)), true, room, sizeof(room), &len);
    at[1] = live_bytes();
    rest = span_of(room, len);
    deflate_park(&d);
    at[2] = live_bytes();
    results[1] = deflate_inflate(&d, &rest, true, data, sizeof(data), &len);
    results[2] = deflate_inflate(&d, &rest, true, data, sizeof(data), &len);
    at[3] = live_bytes();
    deflate_park(&d);
    at[4] = live_bytes();
    deflate_done(&d);
    at[5] = live_bytes();
    CHECK_EQ_INT("deflate", results[0], DEFLATE_OK);
    CHECK_EQ_INT("inflate", results[1], DEFLATE_FULL);
    CHECK_EQ_INT("inflate", results[2], DEFLATE_OK);
    int64_t most = (bits <= 12 ? 4 * window + 16384 : 8 * window) + 6 * 1024;
    check_bytes("deflater", bits, at[1] - at[0], most);
    check_bytes("inflater", bits, at[3] - at[2], window + 7 * 1024);
    check_bytes("parked", bits, at[4] - at[2], window);
    CHECK_TRUE("back", at[2] - at[0] <= 256 && at[5] - at[0] <= 512);
}

static void test_memory(void)
{
    printf("\n    (bytes of malloc, of what deflate.h says)");
    // malloc does not show small blocks, such as smaller windows.
    for (unsigned int bits = 11; bits <= 15; bits++) {
        measure(bits);
    }
    printf("\n");
    check_all_freed();
}

static void test_park(void)
{
    struct deflate d;
    kit_init(&d, 15, 15, true);
    CHECK_FALSE("new", deflate_can_park(&d));
    deflate_park(&d);
    wire.len = 0;
    got.len = 0;
    CHECK_EQ_INT("empty", kit_deflate_piece(&d, SPAN_LIT(""), true, &wire), DEFLATE_OK);
    CHECK_EQ_INT("empty", kit_inflate_piece(&d, SPAN_LIT(""), true, 1, &got), DEFLATE_OK);
    CHECK_EQ_U64("nothing made for nothing", mem_live_blocks(), 0);

    // Inside a message deflate_park gives nothing back.
    wire.len = 0;
    CHECK_EQ_INT("piece", kit_deflate_piece(&d, SPAN_LIT("Hel"), false, &wire), DEFLATE_OK);
    CHECK_EQ_INT("piece", kit_inflate_piece(&d, SPAN_LIT("\xf2\x48\xcd"), false, 9, &got),
                 DEFLATE_OK);
    size_t blocks = mem_live_blocks();
    deflate_park(&d);
    CHECK_EQ_U64("inside", mem_live_blocks(), blocks);
    CHECK_TRUE("inside", deflate_can_park(&d));
    CHECK_EQ_INT("end", kit_inflate_piece(&d, SPAN_LIT("\xc9\xc9\x07\x00"), true, 9, &got),
                 DEFLATE_OK);
    CHECK_EQ_MEM("end", got.data, got.len, "Hello", 5);
    deflate_park(&d);
    CHECK_TRUE("one direction still inside", deflate_can_park(&d));
    CHECK_EQ_INT("end", kit_deflate_piece(&d, SPAN_LIT("lo"), true, &wire), DEFLATE_OK);
    deflate_park(&d);
    CHECK_FALSE("parked", deflate_can_park(&d));
    CHECK_EQ_U64("the history", mem_live_blocks(), 2);
    deflate_park(&d);
    CHECK_EQ_U64("parked twice", mem_live_blocks(), 2);
    got.len = 0;
    CHECK_EQ_INT("what we sent", kit_inflate_piece(&d, kit_span(&wire), true, 9, &got), DEFLATE_OK);
    CHECK_EQ_MEM("what we sent", got.data, got.len, "Hello", 5);
    deflate_done(&d);
    CHECK_FALSE("done", deflate_can_park(&d));

    // Empty messages leave no history. A client without takeover needs none.
    CHECK_EQ_INT("nothing", kit_inflate_piece(&d, SPAN_LIT("\x00"), true, 9, &got), DEFLATE_OK);
    deflate_park(&d);
    CHECK_EQ_U64("nothing", mem_live_blocks(), 0);
    kit_init(&d, 15, 15, false);
    CHECK_EQ_INT("anew",
                 kit_inflate(&d, SPAN_LIT("\xf2\x48\xcd\xc9\xc9\x07\x00"), SIZE_MAX, 9, &got),
                 DEFLATE_OK);
    deflate_park(&d);
    CHECK_EQ_U64("anew", mem_live_blocks(), 0);
    check_all_freed();
}

/* --- a lack of memory -------------------------------------------------------------------------*/

// Two messages each way; deflate_park between them.
static enum deflate_result run_both_ways(struct deflate *d, struct span text)
{
    for (size_t i = 0; i < 2; i++) {
        enum deflate_result result = kit_deflate(d, text, 100, &wire);
        if (result == DEFLATE_OK) {
            result = kit_inflate(d, kit_span(&wire), 50, 64, &got);
        }
        if (result != DEFLATE_OK) {
            return result;
        }
        CHECK_EQ_MEM("text", got.data, got.len, text.data, text.len);
        deflate_park(d);
    }
    return DEFLATE_OK;
}

static void test_no_memory(void)
{
    uint8_t text[600];
    enum deflate_result result = DEFLATE_NO_MEMORY;
    uint64_t n = 0;
    struct deflate d;
    kit_text(text, sizeof(text), 9);
    while (result != DEFLATE_OK && n < 100) {
        n++;
        kit_init(&d, 15, 15, true);
        mem_fail_after(n);
        result = run_both_ways(&d, span_of(text, sizeof(text)));
        mem_fail_after(0);
        CHECK_TRUE("nothing but no memory", result == DEFLATE_OK || result == DEFLATE_NO_MEMORY);
        deflate_park(&d);
        deflate_done(&d);
        check_all_freed();
    }
    CHECK_TRUE("every allocation", n > 10 && n < 100);
}

// Without memory for a copy of the history the inflater stays.
static void test_no_memory_to_park(void)
{
    struct deflate d;
    kit_init(&d, 15, 15, true);
    CHECK_EQ_INT("first", kit_inflate(&d, SPAN_LIT("\xf2\x48\xcd\xc9\xc9\x07\x00"), 3, 9, &got),
                 DEFLATE_OK);
    mem_fail_after(1);
    deflate_park(&d);
    CHECK_TRUE("without memory", deflate_can_park(&d));
    CHECK_EQ_INT("second", kit_inflate(&d, SPAN_LIT("\xf2\x00\x11\x00\x00"), 3, 9, &got),
                 DEFLATE_OK);
    CHECK_EQ_MEM("second", got.data, got.len, "Hello", 5);
    mem_fail_after(0);
    deflate_park(&d);
    CHECK_FALSE("with memory", deflate_can_park(&d));
    deflate_done(&d);
    check_all_freed();
}

CU_TestInfo deflate_limits_tests[] = {
    {"the bound of what deflate makes", test_bound},
    {"bytes of a message", test_message_limit},
    {"ratio", test_ratio},
    {"ratio of many messages", test_ratio_of_messages},
    {"bytes of memory", test_memory},
    {"park", test_park},
    {"no memory at every allocation", test_no_memory},
    {"no memory to park", test_no_memory_to_park},
    CU_TEST_INFO_NULL,
};
