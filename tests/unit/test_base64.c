/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/base64.h"

#include "check.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT_MAX ((size_t)600)

static const char characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* --- an independent reference ----------------------------------------------------------------
 *
 * The reference reads a whole text bit by bit, and encodes the result again to be strict. */

struct decoded {
    bool is_good;
    uint8_t bytes[TEXT_MAX];
    size_t len;
};

static size_t reference_encode(const uint8_t *data, size_t len, char *out)
{
    size_t at = 0;
    for (size_t bit = 0; bit < len * 8; bit += 6) {
        unsigned int value = 0;
        for (size_t i = bit; i < bit + 6; i++) {
            value = value << 1 | (i < len * 8 ? (unsigned)data[i / 8] >> (7 - i % 8) & 1U : 0);
        }
        out[at++] = characters[value];
    }
    while (at % 4 != 0) {
        out[at++] = '=';
    }
    return at;
}

static void reference_decode(const char *text, size_t len, struct decoded *out)
{
    char again[TEXT_MAX + 4];
    size_t bits = 0;
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < len && text[i] != '='; i++) {
        const char *found = text[i] == '\0' ? NULL : strchr(characters, text[i]);
        if (found == NULL) {
            return;
        }
        for (size_t k = 0; k < 6; k++, bits++) {
            unsigned int bit = (unsigned int)(found - characters) >> (5 - k) & 1;
            out->bytes[bits / 8] |= (uint8_t)(bit << (7 - bits % 8));
        }
    }
    out->len = bits / 8;
    size_t again_len = reference_encode(out->bytes, out->len, again);
    out->is_good = again_len == len && memcmp(again, text, len) == 0;
}

/* --- checks ---------------------------------------------------------------------------------*/

/* Decodes in pieces that end at the cuts, each in place. Returns whether the text may end there.
 * *out_taken: bytes up to the end of the piece with the first impossible character. */
static bool decode_cut(const char *text, size_t len, const size_t cuts[2], struct decoded *out,
                       size_t *out_taken)
{
    const size_t ends[3] = {cuts[0], cuts[1], len};
    struct base64_decoder d;
    size_t at = 0;
    base64_decoder_init(&d);
    out->len = 0;
    for (size_t i = 0; i < COUNT(ends); i++) {
        uint8_t piece[TEXT_MAX + 16];
        size_t piece_len = ends[i] - at;
        size_t written = 0;
        memset(piece, 0xa5, sizeof(piece));
        memcpy(piece, text + at, piece_len);
        bool is_good = base64_decode(&d, piece, piece_len, piece, &written);
        CHECK_TRUE("no more written than read", written <= piece_len);
        CHECK_EQ_INT("the byte behind is left", piece[piece_len], 0xa5);
        memcpy(out->bytes + out->len, piece, written);
        out->len += written;
        at = ends[i];
        if (!is_good) {
            *out_taken = at;
            return false;
        }
    }
    *out_taken = len;
    return base64_is_complete(&d);
}

/* Decodes whole, at every cut and at every pair of cuts: the result must be that of the reference,
 * and the bytes always the same. */
static void check_text(const char *row, const char *text, size_t len, bool is_every_pair)
{
    struct decoded want;
    struct decoded whole;
    size_t taken = 0;
    const size_t no_cuts[2] = {0, 0};
    reference_decode(text, len, &want);
    whole.is_good = decode_cut(text, len, no_cuts, &whole, &taken);
    CHECK_TRUE(row, whole.is_good == want.is_good);
    if (want.is_good) {
        CHECK_EQ_MEM(row, whole.bytes, whole.len, want.bytes, want.len);
    }
    for (size_t first = 0; first <= len; first++) {
        for (size_t second = first; second <= (is_every_pair ? len : first); second++) {
            const size_t cuts[2] = {first, second};
            struct decoded got;
            bool is_good = decode_cut(text, len, cuts, &got, &taken);
            CHECK_TRUE(row, is_good == whole.is_good);
            CHECK_EQ_MEM(row, got.bytes, got.len, whole.bytes, whole.len);
        }
    }
}

/* How many characters the decoder accepts, one by one, before the impossible one. */
static size_t good_len(const char *text, size_t len)
{
    struct base64_decoder d;
    uint8_t out[8];
    size_t written;
    size_t i = 0;
    base64_decoder_init(&d);
    while (i < len && base64_decode(&d, (const uint8_t *)text + i, 1, out, &written)) {
        i++;
    }
    return i;
}

static void fill(uint8_t *data, size_t len)
{
    uint32_t state = 0x9e3779b9;
    for (size_t i = 0; i < len; i++) {
        state = state * 1664525 + 1013904223;
        data[i] = (uint8_t)(state >> 24);
    }
}

/* RFC 4648 section 10, and the texts of section 9. */
static void test_vectors(void)
{
    static const struct {
        const char *plain;
        const char *text;
    } rows[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\x14\xfb\x9c\x03\xd9\x7e", "FPucA9l+"},
        {"\x14\xfb\x9c\x03\xd9", "FPucA9k="},
        {"\x14\xfb\x9c\x03", "FPucAw=="},
        {"\xff\xff\xff", "////"},
        {"\xfb\xef\xbe", "++++"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[32];
        struct decoded got;
        size_t taken = 0;
        const size_t no_cuts[2] = {0, 0};
        size_t plain_len = strlen(rows[i].plain);
        size_t len = base64_encode((const uint8_t *)rows[i].plain, plain_len, text);
        CHECK_EQ_MEM(rows[i].text, text, len, rows[i].text, strlen(rows[i].text));
        CHECK_EQ_U64(rows[i].text, len, BASE64_LEN(plain_len));
        CHECK_TRUE(rows[i].text, decode_cut(rows[i].text, len, no_cuts, &got, &taken));
        CHECK_EQ_MEM(rows[i].text, got.bytes, got.len, rows[i].plain, plain_len);
        check_text(rows[i].text, rows[i].text, len, true);
    }
}

/* `good`: the characters before the first impossible one. All of them: the text is incomplete. */
static void test_refused(void)
{
    static const struct {
        const char *text;
        size_t good;
    } rows[] = {
        {"A", 1},      {"AA", 2},       {"AAA", 3},        {"AA=", 3},          {"AAAAA", 5},
        {"=", 0},      {"A=", 1},       {"A===", 1},       {"AA=A", 3},         {"AAA==", 4},
        {"AA===", 4},  {"AAAA=", 4},    {"AA==AAAA", 4},   {"AAA=AAAA", 4},     {"AB==", 2},
        {"AP==", 2},   {"AQ==", 4},     {"AAB=", 3},       {"AAD=", 3},         {"AAE=", 4},
        {"Zm9v\n", 4}, {"Zm9v\r\n", 4}, {"Zm 9", 2},       {" Zm9", 0},         {"Zm9-", 3},
        {"Zm9_", 3},   {"Zm9.", 3},     {"Zm9vZm9vZ!", 9}, {"Zm9vZm8=Zg==", 8}, {"Zm\xc3\xa9", 2}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t len = strlen(rows[i].text);
        CHECK_EQ_U64(rows[i].text, good_len(rows[i].text, len), rows[i].good);
        check_text(rows[i].text, rows[i].text, len, true);
    }
    check_text("NUL", "Zm\0v", 4, true);
}

/* Every character at every place of texts with 0, 1 and 2 `=`. */
static void test_every_character(void)
{
    static const char *const texts[] = {"Zm9vYmFyZm9v", "Zm9vYmFyZm8=", "Zm9vYmFyZg=="};
    for (size_t i = 0; i < COUNT(texts); i++) {
        size_t len = strlen(texts[i]);
        for (size_t k = 0; k < len * 256; k++) {
            char text[16];
            char row[48];
            memcpy(text, texts[i], len);
            text[k / 256] = (char)(k % 256);
            snprintf(row, sizeof(row), "%s, character %zu is %02x", texts[i], k / 256,
                     (unsigned int)(k % 256));
            check_text(row, text, len, false);
        }
    }
}

/* All groups of four characters, out of some that leave different bits over. */
static void test_every_group(void)
{
    static const char some[] = "ABCEIQgw/=!";
    const size_t n = sizeof(some) - 1;
    for (size_t i = 0; i < n * n * n * n; i++) {
        const char text[] = {some[i / n / n / n], some[i / n / n % n], some[i / n % n], some[i % n],
                             '\0'};
        check_text(text, text, 4, false);
    }
}

/* Encodes all lengths up to 300 bytes and decodes them again in place, with guards. */
static void test_lengths(void)
{
    uint8_t data[300];
    fill(data, sizeof(data));
    for (size_t len = 0; len <= sizeof(data); len++) {
        char row[16];
        char text[TEXT_MAX];
        char want[TEXT_MAX];
        snprintf(row, sizeof(row), "%zu bytes", len);
        memset(text, '!', sizeof(text));
        size_t text_len = base64_encode(data, len, text);
        size_t want_len = reference_encode(data, len, want);
        CHECK_EQ_MEM(row, text, text_len, want, want_len);
        CHECK_EQ_U64(row, text_len, BASE64_LEN(len));
        CHECK_EQ_INT(row, text[text_len], '!');
        check_text(row, text, text_len, false);
    }
}

CU_TestInfo base64_tests[] = {
    {"RFC 4648", test_vectors},
    {"what is refused, and where", test_refused},
    {"every character at every place, every split", test_every_character},
    {"all groups", test_every_group},
    {"all lengths, every split", test_lengths},
    CU_TEST_INFO_NULL,
};
