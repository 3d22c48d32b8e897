/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/utf8.h"

#include "check.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- an independent reference ---------------------------------------------------------------
 *
 * The reference knows no rule about bytes. It encodes every Unicode scalar value and remembers the
 * encodings and their beginnings: a text is valid when encodings follow each other; text that has
 * more to come may end with a beginning. A set holds strings of up to three bytes. The sets have no
 * fourth bytes: any continuation byte completes the beginning of four. */

static uint8_t whole_set[3][(1 << 24) / 8];
static uint8_t begin_set[3][(1 << 24) / 8];
static bool is_reference_made;

static void set_add(uint8_t set[3][(1 << 24) / 8], const uint8_t *bytes, size_t len)
{
    uint32_t at = 0;
    for (size_t i = 0; i < len; i++) {
        at = at << 8 | bytes[i];
    }
    set[len - 1][at / 8] |= (uint8_t)(1 << at % 8);
}

static bool set_has(uint8_t set[3][(1 << 24) / 8], const uint8_t *bytes, size_t len)
{
    uint32_t at = 0;
    for (size_t i = 0; i < len; i++) {
        at = at << 8 | bytes[i];
    }
    return (set[len - 1][at / 8] >> at % 8 & 1) != 0;
}

static size_t encode(uint32_t value, uint8_t out[4])
{
    if (value < 0x80) {
        out[0] = (uint8_t)value;
        return 1;
    }
    size_t len = value < 0x800 ? 2 : value < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (uint8_t)(0x80 + value % 64);
        value /= 64;
    }
    out[0] = (uint8_t)((0xf00 >> len & 0xff) + value);
    return len;
}

static void reference_make(void)
{
    if (is_reference_made) {
        return;
    }
    for (uint32_t value = 0; value <= 0x10ffff; value++) {
        uint8_t bytes[4];
        if (value >= 0xd800 && value <= 0xdfff) {
            continue;
        }
        size_t len = encode(value, bytes);
        for (size_t i = 1; i < len; i++) {
            set_add(begin_set, bytes, i);
        }
        if (len < 4) {
            set_add(whole_set, bytes, len);
        }
    }
    is_reference_made = true;
}

/* Returns how many bytes come before the first impossible one. */
static size_t reference_good(const uint8_t *data, size_t len, bool *out_complete)
{
    size_t start = 0;
    for (size_t end = 1; end <= len; end++) {
        size_t have = end - start;
        bool is_whole = have < 4 ? set_has(whole_set, data + start, have) : data[end - 1] >> 6 == 2;
        if (is_whole) {
            start = end;
        } else if (have == 4 || !set_has(begin_set, data + start, have)) {
            return end - 1;
        }
    }
    *out_complete = start == len;
    return len;
}

/* --- checks ---------------------------------------------------------------------------------*/

/* Compares with the reference: byte by byte for the place, whole for the verdict. */
static bool is_as_reference(const uint8_t *data, size_t len)
{
    bool want_complete = false;
    size_t want = reference_good(data, len, &want_complete);
    struct utf8 u;
    size_t got = 0;
    utf8_init(&u);
    while (got < len && utf8_feed(&u, data + got, 1)) {
        got++;
    }
    bool is_valid = utf8_is_valid((struct span){(const char *)data, len});
    return got == want && (got < len || utf8_is_complete(&u) == want_complete) &&
           is_valid == (want == len && want_complete);
}

static bool is_every_split_as_reference(const uint8_t *data, size_t len)
{
    bool want_complete = false;
    size_t want = reference_good(data, len, &want_complete);
    for (size_t cut = 0; cut <= len; cut++) {
        struct utf8 u;
        utf8_init(&u);
        bool is_first_good = utf8_feed(&u, data, cut);
        if (is_first_good != (want >= cut)) {
            return false;
        }
        if (!is_first_good) {
            continue;
        }
        bool is_good = utf8_feed(&u, data + cut, len - cut);
        if (is_good != (want == len) || (is_good && utf8_is_complete(&u) != want_complete)) {
            return false;
        }
    }
    return true;
}

/* Checks the string alone, and inside ASCII where the fast loops run over it. */
static bool is_good_in_text(const uint8_t *data, size_t len)
{
    static const size_t before_lens[] = {0, 1, 6, 8, 31, 32, 37};
    uint8_t text[80];
    for (size_t i = 0; i < COUNT(before_lens); i++) {
        memset(text, 'a', sizeof(text));
        memcpy(text + before_lens[i], data, len);
        if (!is_as_reference(text, before_lens[i] + len + i * 3)) {
            return false;
        }
    }
    return true;
}

static void check_bytes(const uint8_t *data, size_t len, bool ok)
{
    if (!ok) {
        char row[32];
        snprintf(row, sizeof(row), "%02x %02x %02x %02x", data[0], len > 1 ? data[1] : 0U,
                 len > 2 ? data[2] : 0U, len > 3 ? data[3] : 0U);
        CHECK_TRUE(row, ok);
    }
}

static void test_rows(void)
{
    static const struct {
        const char *text;
        size_t good; /* bytes before the impossible one */
        bool is_complete;
    } rows[] = {
        {"", 0, true},
        {"plain", 5, true},
        {"\xc2\xa2", 2, true},
        {"\xe2\x82\xac", 3, true},
        {"\xf0\x9f\x98\x80", 4, true},
        {"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", 11, true},
        {"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80"
         "edited",
         12, false},
        {"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80"
         "edited",
         12, false},
        {"0123456789012345678901234567890\x80", 31, false},
        {"01234567890123456789012345678901\x80", 32, false},
        {"0123456789012345678901234567890\xc3", 32, false},
        {"a\xc3", 2, false},
        {"\xe2\x82", 2, false},
        {"\xf0\x9f\x98", 3, false},
        {"\xc0\x80", 0, false},
        {"\xe0\x80\x80", 1, false},
        {"\xf0\x80\x80\x80", 1, false},
        {"\xed\xbf\xbf", 1, false},
        {"\xf4\x8f\xbf\xbf", 4, true},
        {"\xf4\x90\x80\x80", 1, false},
        {"\xf5", 0, false},
        {"\xf8\x88\x80\x80\x80", 0, false},
        {"\xfc\x84\x80\x80\x80\x80", 0, false},
        {"\xff", 0, false},
        {"\xe2(\xa1", 1, false},
        {"\xe2\x82(", 2, false},
        {"\xc3\xa9\xa9", 2, false},
    };
    reference_make();
    for (size_t i = 0; i < COUNT(rows); i++) {
        const uint8_t *data = (const uint8_t *)rows[i].text;
        size_t len = strlen(rows[i].text);
        bool is_complete = false;
        CHECK_EQ_U64(rows[i].text, reference_good(data, len, &is_complete), rows[i].good);
        CHECK_TRUE(rows[i].text, is_complete == rows[i].is_complete);
        CHECK_TRUE(rows[i].text, is_as_reference(data, len));
        CHECK_TRUE(rows[i].text, is_every_split_as_reference(data, len));
    }
    CHECK_TRUE("empty span", utf8_is_valid((struct span){NULL, 0}));
}

static void test_one_and_two_bytes(void)
{
    reference_make();
    for (unsigned int i = 0; i < 0x10000; i++) {
        uint8_t data[2] = {(uint8_t)(i >> 8), (uint8_t)i};
        check_bytes(data, 1, is_as_reference(data, 1));
        check_bytes(data, 2, is_as_reference(data, 2) && is_every_split_as_reference(data, 2));
        check_bytes(data, 2, is_good_in_text(data, 2));
    }
    CHECK_TRUE("all were looked at", true);
}

static void test_three_bytes(void)
{
    reference_make();
    for (uint32_t i = 0; i < 1U << 24; i++) {
        uint8_t data[3] = {(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
        check_bytes(data, 3, is_as_reference(data, 3));
    }
    CHECK_TRUE("all were looked at", true);
}

/* Bytes on both sides of every border of the table in RFC 3629. */
static const uint8_t borders[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1,
                                  0xc2, 0xdf, 0xe0, 0xec, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff};

static void test_four_bytes(void)
{
    const size_t n = COUNT(borders);
    reference_make();
    for (size_t i = 0; i < (size_t)128 * 256 * n * n; i++) {
        uint8_t data[4] = {(uint8_t)(0x80 + i / n / n / 256), (uint8_t)(i / n / n),
                           borders[i / n % n], borders[i % n]};
        /* The other first bytes end or fail before the third byte. */
        if (data[0] >= 0xc2 && data[0] <= 0xf5) {
            bool is_valid = utf8_is_valid((struct span){(const char *)data, 4});
            bool is_complete = false;
            bool want = reference_good(data, 4, &is_complete) == 4 && is_complete;
            check_bytes(data, 4, is_valid == want);
        }
    }
    CHECK_TRUE("all were looked at", true);
}

static void test_four_borders(void)
{
    const size_t n = COUNT(borders);
    reference_make();
    for (size_t i = 0; i < n * n * n * n; i++) {
        uint8_t data[4] = {borders[i / n / n / n], borders[i / n / n % n], borders[i / n % n],
                           borders[i % n]};
        check_bytes(data, 4, is_as_reference(data, 4) && is_every_split_as_reference(data, 4));
        check_bytes(data, 4, is_good_in_text(data, 4));
    }
    CHECK_TRUE("all were looked at", true);
}

/* Every scalar value comes between its neighbours. */
static void test_all_values(void)
{
    reference_make();
    for (uint32_t value = 0; value <= 0x10ffff; value++) {
        uint8_t data[4];
        size_t len = encode(value, data);
        bool is_surrogate = value >= 0xd800 && value <= 0xdfff;
        bool is_valid = utf8_is_valid((struct span){(const char *)data, len});
        check_bytes(data, len, is_valid == !is_surrogate);
    }
    CHECK_TRUE("all were looked at", true);
}

/* Long mixed texts come whole, cut once everywhere, and with one wrong byte at every place. */
static void test_long_text(void)
{
    static const char text[] = "An ASCII beginning that is longer than any step. na\xc3\xafve "
                               "caf\xc3\xa9, \xe2\x82\xac, \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e, "
                               "\xf0\x9f\x98\x80\xf0\x9f\x98\x81 and an end of sixteen bytes....";
    uint8_t data[sizeof(text) - 1];
    reference_make();
    memcpy(data, text, sizeof(data));
    CHECK_TRUE("long text", is_every_split_as_reference(data, sizeof(data)));
    for (size_t i = 0; i < sizeof(data); i++) {
        for (size_t k = 0; k < COUNT(borders); k++) {
            char row[48];
            memcpy(data, text, sizeof(data));
            data[i] = borders[k];
            snprintf(row, sizeof(row), "long text, byte %zu is %02x", i, borders[k]);
            CHECK_TRUE(row, is_every_split_as_reference(data, sizeof(data)));
        }
    }
}

static void test_decode(void)
{
    uint32_t got = 7;
    for (uint32_t value = 0; value <= 0x10ffff; value++) {
        uint8_t bytes[5] = {0};
        size_t len = encode(value, bytes);
        bool is_surrogate = value >= 0xd800 && value <= 0xdfff;
        for (size_t cut = 0; cut <= len + 1; cut++) {
            struct span text = {(const char *)bytes, cut};
            size_t want = is_surrogate || cut < len ? 0 : len;
            /* one CHECK for each would be eight million */
            if (utf8_decode(text, &got) != want || (want > 0 && got != value)) {
                char row[48];
                snprintf(row, sizeof(row), "U+%04X, cut to %zu", (unsigned)value, cut);
                CHECK_TRUE(row, false);
            }
        }
    }
    CHECK_EQ_U64("overlong", utf8_decode(SPAN_LIT("\xc0\xaf"), &got), 0);
    CHECK_EQ_U64("continuation", utf8_decode(SPAN_LIT("\x80"), &got), 0);
    CHECK_EQ_U64("too large", utf8_decode(SPAN_LIT("\xf4\x90\x80\x80"), &got), 0);
}

static void test_cut(void)
{
    static const struct span text = SPAN_LIT("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    static const size_t want[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    for (size_t most = 0; most < COUNT(want); most++) {
        struct span got = utf8_cut(text, most);
        CHECK_EQ_U64("cut", got.len, want[most]);
        CHECK_TRUE("cut", got.data == text.data);
    }
}

/* --- repairing ------------------------------------------------------------------------------- */

// The decoder of WHATWG Encoding 8.1.1, step by step, as the reference.
static size_t reference_repair(const uint8_t *data, size_t len, char *out)
{
    unsigned needed = 0;
    uint8_t lower = 0x80;
    uint8_t upper = 0xbf;
    size_t begin = 0;
    size_t used = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i == len) {
            if (needed > 0) {
                memcpy(out + used, UTF8_REPLACEMENT, 3);
                used += 3;
            }
            break;
        }
        uint8_t byte = data[i];
        if (needed == 0) {
            begin = i;
            lower = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
            upper = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
            if (byte <= 0x7f) {
                out[used++] = (char)byte;
            } else if (byte >= 0xc2 && byte <= 0xf4) {
                needed = byte <= 0xdf ? 1 : byte <= 0xef ? 2 : 3;
            } else {
                memcpy(out + used, UTF8_REPLACEMENT, 3);
                used += 3;
            }
        } else if (byte < lower || byte > upper) {
            needed = 0;
            memcpy(out + used, UTF8_REPLACEMENT, 3);
            used += 3;
            i--; // once more, as a first byte
        } else {
            lower = 0x80;
            upper = 0xbf;
            if (--needed == 0) {
                memcpy(out + used, data + begin, i + 1 - begin);
                used += i + 1 - begin;
            }
        }
    }
    return used;
}

static void check_repair(const uint8_t *data, size_t len)
{
    char want[64];
    size_t want_len = reference_repair(data, len, want);
    for (size_t cut = 0; cut <= len; cut++) {
        struct utf8_repair repair;
        uint8_t out[64];
        utf8_repair_init(&repair);
        size_t used = utf8_repair(&repair, data, cut, out);
        CHECK_TRUE("room", used <= UTF8_REPAIR_ROOM(cut));
        used += utf8_repair(&repair, data + cut, len - cut, out + used);
        used += utf8_repair_end(&repair, out + used);
        if (!CHECK_EQ_MEM("repaired", out, used, want, want_len)) {
            return;
        }
        CHECK_TRUE("it is UTF-8", utf8_is_valid((struct span){(const char *)out, used}));
    }
}

// All strings of one to four of these bytes, which stand for every row of the table of RFC 3629.
static void test_repair(void)
{
    static const uint8_t bytes[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f,
                                    0xa0, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xe1,
                                    0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff};
    const size_t count = sizeof(bytes);
    for (size_t len = 1; len <= 4; len++) {
        size_t total = 1;
        for (size_t i = 0; i < len; i++) {
            total *= count;
        }
        for (size_t number = 0; number < total; number++) {
            uint8_t data[4];
            size_t rest = number;
            for (size_t i = 0; i < len; i++) {
                data[i] = bytes[rest % count];
                rest /= count;
            }
            check_repair(data, len);
        }
    }
}

static void test_repair_rows(void)
{
    static const struct {
        const char *text;
        const char *want;
    } rows[] = {
        {"", ""},
        {"plain text, longer than a word", "plain text, longer than a word"},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"caf\xe9 au lait", "caf" UTF8_REPLACEMENT " au lait"},
        {"caf\xe9", "caf" UTF8_REPLACEMENT},
        {"\xf0\x9f\x98x", UTF8_REPLACEMENT "x"},
        {"\xe2\x82\xe2\x82\xac", UTF8_REPLACEMENT "\xe2\x82\xac"},
        {"\xed\xa0\x80", UTF8_REPLACEMENT UTF8_REPLACEMENT UTF8_REPLACEMENT},
        {"\xc0\xaf", UTF8_REPLACEMENT UTF8_REPLACEMENT},
        {"\xf4\x90\x80\x80", UTF8_REPLACEMENT UTF8_REPLACEMENT UTF8_REPLACEMENT UTF8_REPLACEMENT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct utf8_repair repair;
        uint8_t out[128];
        utf8_repair_init(&repair);
        size_t used =
            utf8_repair(&repair, (const uint8_t *)rows[i].text, strlen(rows[i].text), out);
        used += utf8_repair_end(&repair, out + used);
        CHECK_EQ_MEM(rows[i].want, out, used, rows[i].want, strlen(rows[i].want));
    }
}

CU_TestInfo utf8_tests[] = {
    {"repair: all short strings", test_repair},
    {"repair: rows", test_repair_rows},
    {"texts", test_rows},
    {"all strings of one and two bytes", test_one_and_two_bytes},
    {"all strings of three bytes", test_three_bytes},
    {"strings of four bytes", test_four_bytes},
    {"four bytes at the borders, every split", test_four_borders},
    {"all code points", test_all_values},
    {"long text, every split", test_long_text},
    {"decoding all code points", test_decode},
    {"cutting between characters", test_cut},
    CU_TEST_INFO_NULL,
};
