/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/proxy_header.h"

#include <stdlib.h>

#include "base/mem.h"
#include "check.h"
#include "proxy_header_rows.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT_MAX 1024

/* --- a header as text ------------------------------------------------------------------------ */

static void add(char *text, const char *name, struct span value)
{
    size_t len = strlen(text);
    if (value.len > 0) {
        snprintf(text + len, TEXT_MAX - len, " %s=%.*s", name, (int)value.len, value.data);
    }
}

static void add_word(char *text, const char *word, bool is_so)
{
    size_t len = strlen(text);
    if (is_so) {
        snprintf(text + len, TEXT_MAX - len, " %s", word);
    }
}

static const char *describe(const struct proxy_header *h, char text[TEXT_MAX])
{
    static const char *const kinds[] = {"LOCAL", "UNKNOWN", "TCP"};
    char ends[2][ADDR_TEXT_MAX];
    snprintf(text, TEXT_MAX, "%s", kinds[h->kind]);
    if (h->kind == PROXY_HEADER_TCP) {
        add_word(text, addr_print(&h->source, ends[0], ADDR_TEXT_MAX), true);
        add_word(text, addr_print(&h->destination, ends[1], ADDR_TEXT_MAX), true);
    }
    add(text, "alpn", h->alpn);
    add(text, "authority", h->authority);
    add(text, "id", h->unique_id);
    add_word(text, "tls", h->tls.is_used);
    add_word(text, "certificate", h->tls.has_certificate);
    add_word(text, "connection", h->tls.is_on_connection);
    add_word(text, "verified", h->tls.is_verified);
    add(text, "version", h->tls.version);
    add(text, "cipher", h->tls.cipher);
    add(text, "cn", h->tls.common_name);
    add(text, "key", h->tls.key_algorithm);
    add(text, "signature", h->tls.signature_algorithm);
    add(text, "group", h->tls.group);
    add(text, "scheme", h->tls.signature_scheme);
    if (h->tls.client_certificate.len > 0) {
        size_t len = strlen(text);
        snprintf(text + len, TEXT_MAX - len, " der=%zu", h->tls.client_certificate.len);
    }
    return text;
}

/* --- in -------------------------------------------------------------------------------------- */

/* Parses pieces in memory of their own size that end at the cuts. Returns how many bytes the parser
 * consumed. */
static size_t feed(struct proxy_header_parser *p, struct span input, const size_t *cuts,
                   size_t cut_count)
{
    size_t at = 0;
    size_t total = 0;
    for (size_t i = 0; i <= cut_count; i++) {
        size_t len = (i < cut_count ? cuts[i] : input.len) - at;
        size_t consumed = SIZE_MAX;
        uint8_t *piece = malloc(len + 1);
        memcpy(piece, input.data + at, len);
        bool was_open = p->result == PROXY_HEADER_NEED_MORE;
        (void)!proxy_header_parse(p, piece, len, &consumed);
        free(piece);
        CHECK_TRUE("consumed", consumed <= len && (was_open || consumed == 0));
        CHECK_TRUE("consumed all", p->result != PROXY_HEADER_NEED_MORE || consumed == len);
        at += len;
        total += consumed;
    }
    return total;
}

static void check_cut(const struct header_row *row, bool is_good, struct span input,
                      const size_t *cuts, size_t cut_count)
{
    struct proxy_header_parser p;
    char text[TEXT_MAX];
    proxy_header_init(&p);
    size_t consumed = feed(&p, input, cuts, cut_count);
    if (is_good) {
        CHECK_EQ_INT(row->name, p.result, PROXY_HEADER_DONE);
        CHECK_EQ_U64(row->name, consumed, row->input.len);
        CHECK_EQ_STR(row->name, describe(&p.header, text), row->want);
        CHECK_EQ_STR(row->name, p.detail, "");
    } else {
        CHECK_TRUE(row->name, p.result == PROXY_HEADER_BAD || p.result == PROXY_HEADER_TOO_BIG);
        CHECK_EQ_STR(row->name, p.detail, row->want);
        CHECK_TRUE(row->name, consumed <= row->input.len);
    }
    proxy_header_done(&p);
}

/* Whole, byte by byte, at every cut and every pair of cuts; alone and with bytes behind it. */
static void check_row(const struct header_row *row, bool is_good)
{
    size_t every[512];
    char longer[600];
    struct span behind = {longer, row->input.len + 5};
    memcpy(longer, row->input.data, row->input.len);
    memcpy(longer + row->input.len, "hello", 5);
    for (size_t i = 0; i < row->input.len; i++) {
        every[i] = i + 1;
    }
    check_cut(row, is_good, row->input, NULL, 0);
    check_cut(row, is_good, behind, NULL, 0);
    check_cut(row, is_good, behind, every, row->input.len);
    for (size_t first = 0; first <= row->input.len; first++) {
        check_cut(row, is_good, behind, &first, 1);
        for (size_t second = first; second <= row->input.len; second += 1 + row->input.len / 64) {
            const size_t cuts[2] = {first, second};
            check_cut(row, is_good, behind, cuts, 2);
        }
    }
}

static void test_good(void)
{
    for (size_t i = 0; i < COUNT(recorded_rows); i++) {
        check_row(&recorded_rows[i], true);
    }
    for (size_t i = 0; i < COUNT(good_rows); i++) {
        check_row(&good_rows[i], true);
    }
}

static void test_bad(void)
{
    for (size_t i = 0; i < COUNT(bad_rows); i++) {
        check_row(&bad_rows[i], false);
    }
}

/* Every beginning of a good header wants more. */
static void test_cut_short(void)
{
    for (size_t i = 0; i < COUNT(good_rows); i++) {
        for (size_t len = 0; len < good_rows[i].input.len; len++) {
            struct proxy_header_parser p;
            proxy_header_init(&p);
            feed(&p, (struct span){good_rows[i].input.data, len}, NULL, 0);
            CHECK_EQ_INT(good_rows[i].name, p.result, PROXY_HEADER_NEED_MORE);
            CHECK_TRUE(good_rows[i].name, p.size <= 512);
            proxy_header_done(&p);
        }
    }
}

static void test_longest(void)
{
    static uint8_t bytes[PROXY_HEADER_BYTES_MAX + 1] = SIG "\x21\x11\x0f\xf0" V4 "\x04\x0f\xe1";
    struct proxy_header_parser p;
    size_t consumed;
    proxy_header_init(&p);
    CHECK_EQ_INT("4096 bytes", proxy_header_parse(&p, bytes, sizeof(bytes), &consumed),
                 PROXY_HEADER_DONE);
    CHECK_EQ_U64("4096 bytes", consumed, PROXY_HEADER_BYTES_MAX);
    proxy_header_done(&p);
}

static void test_no_memory(void)
{
    static const struct span input =
        SPAN_LIT(SIG "\x21\x31\0\xdc" HUNDRED HUNDRED "0123456789012345\1\0\1x");
    size_t blocks = mem_live_blocks();
    for (uint64_t n = 1; n <= 2; n++) {
        struct proxy_header_parser p;
        size_t consumed;
        proxy_header_init(&p);
        mem_fail_after(n);
        CHECK_EQ_INT("no memory",
                     proxy_header_parse(&p, (const uint8_t *)input.data, input.len, &consumed),
                     PROXY_HEADER_NO_MEMORY);
        mem_fail_after(0);
        proxy_header_done(&p);
    }
    CHECK_EQ_U64("blocks", mem_live_blocks(), blocks);
}

/* --- out ------------------------------------------------------------------------------------- */

static struct addr addr_of(const char *text)
{
    struct addr a = {.len = 0};
    if (text[0] == '/') {
        CHECK_TRUE(text, addr_from_unix_path(span_from_str(text), &a));
    } else if (text[0] != '\0') {
        CHECK_TRUE(text, addr_parse(span_from_str(text), &a));
    }
    return a;
}

struct write_row {
    const char *name;
    const char *source;
    const char *destination;
    enum proxy_header_kind kind;
    struct span v1;
    struct span v2; /* behind the signature */
};

static void test_write(void)
{
    static const struct write_row rows[] = {
        {"IPv4", "192.0.2.1:1000", "192.0.2.2:443", PROXY_HEADER_TCP,
         SPAN_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 1000 443\r\n"), SPAN_LIT("\x21\x11\0\x0c" V4)},
        {"IPv6", "[2001:db8::1]:1", "[2001:db8::2]:2", PROXY_HEADER_TCP,
         SPAN_LIT("PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n"),
         SPAN_LIT("\x21\x21\0\x24" V6_1 V6_2 "\0\1\0\2")},
        {"IPv6 calls IPv4", "[2001:db8::1]:1", "192.0.2.2:2", PROXY_HEADER_TCP,
         SPAN_LIT("PROXY TCP6 2001:db8::1 ::ffff:192.0.2.2 1 2\r\n"),
         SPAN_LIT("\x21\x21\0\x24" V6_1 "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\2\0\1\0\2")},
        {"IPv4 calls IPv6", "192.0.2.2:1", "[2001:db8::2]:2", PROXY_HEADER_TCP,
         SPAN_LIT("PROXY TCP6 ::ffff:192.0.2.2 2001:db8::2 1 2\r\n"),
         SPAN_LIT("\x21\x21\0\x24\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\2" V6_2 "\0\1\0\2")},
        {"the longest", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", PROXY_HEADER_TCP,
         SPAN_LIT("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
         SPAN_LIT("\x21\x21\0\x24\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                  "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                  "\xff")},
        {"a client on a Unix socket", "/run/a.sock", "192.0.2.2:2", PROXY_HEADER_TCP,
         SPAN_LIT("PROXY UNKNOWN\r\n"), SPAN_LIT("\x20\0\0\0")},
        {"a listener on a Unix socket", "192.0.2.2:2", "/run/a.sock", PROXY_HEADER_TCP,
         SPAN_LIT("PROXY UNKNOWN\r\n"), SPAN_LIT("\x20\0\0\0")},
        {"no address", "", "", PROXY_HEADER_TCP, SPAN_LIT("PROXY UNKNOWN\r\n"),
         SPAN_LIT("\x20\0\0\0")},
        {"unknown", "192.0.2.1:1000", "192.0.2.2:443", PROXY_HEADER_UNKNOWN,
         SPAN_LIT("PROXY UNKNOWN\r\n"), SPAN_LIT("\x20\0\0\0")},
        {"local", "192.0.2.1:1000", "192.0.2.2:443", PROXY_HEADER_LOCAL,
         SPAN_LIT("PROXY UNKNOWN\r\n"), SPAN_LIT("\x20\0\0\0")},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct write_row *row = &rows[i];
        struct proxy_header h = {.version = PROXY_HEADER_V1,
                                 .kind = row->kind,
                                 .source = addr_of(row->source),
                                 .destination = addr_of(row->destination)};
        uint8_t out[PROXY_HEADER_BYTES_MAX];
        size_t len = proxy_header_write(&h, out, sizeof(out));
        CHECK_EQ_MEM(row->name, out, len, row->v1.data, row->v1.len);
        CHECK_EQ_U64(row->name, proxy_header_write(&h, out, row->v1.len), row->v1.len);
        CHECK_EQ_U64(row->name, proxy_header_write(&h, out, row->v1.len - 1), 0);
        h.version = PROXY_HEADER_V2;
        len = proxy_header_write(&h, out, sizeof(out));
        CHECK_EQ_MEM(row->name, out, size_min(len, 12), SIG, 12);
        CHECK_EQ_MEM(row->name, out + 12, len - 12, row->v2.data, row->v2.len);
    }
}

/* What HAProxy sent, but for its checksum, comes out again when it was written in the same order.
 */
static void test_write_values(void)
{
    static const struct span want = SPAN_LIT(
        SIG "!\x11\x00\x98\x7f\x00\x00\x01\x7f\x00\x00\x01\xd9\xbeK\xcb\x01\x00\x08http/1.1\x02\x00"
            "\x0cgate.example\x05\x00\x12"
            "7F000001:D9BE_0004 \x00Z\x07\x00\x00\x00\x00!\x00\x07TLSv1.3\"\x00\x05"
            "alice#\x00\x16TLS_AES_256_GCM_SHA384$\x00\nRSA-SHA256%\x00\x07RSA2048&\x00\x06X25519'"
            "\x00\x07"
            "ed25519");
    struct proxy_header h = {
        .version = PROXY_HEADER_V2,
        .kind = PROXY_HEADER_TCP,
        .source = addr_of("127.0.0.1:55742"),
        .destination = addr_of("127.0.0.1:19403"),
        .alpn = SPAN_LIT("http/1.1"),
        .authority = SPAN_LIT("gate.example"),
        .unique_id = SPAN_LIT("7F000001:D9BE_0004"),
        .tls = {.is_used = true,
                .has_certificate = true,
                .is_on_connection = true,
                .is_verified = true,
                .version = SPAN_LIT("TLSv1.3"),
                .cipher = SPAN_LIT("TLS_AES_256_GCM_SHA384"),
                .common_name = SPAN_LIT("alice"),
                .key_algorithm = SPAN_LIT("RSA2048"),
                .signature_algorithm = SPAN_LIT("RSA-SHA256"),
                .group = SPAN_LIT("X25519"),
                .signature_scheme = SPAN_LIT("ed25519")},
    };
    uint8_t out[PROXY_HEADER_BYTES_MAX];
    size_t len = proxy_header_write(&h, out, sizeof(out));
    CHECK_EQ_MEM("all values", out, len, want.data, want.len);
    for (size_t size = 0; size < want.len; size++) {
        uint8_t *exact = malloc(size + 1);
        CHECK_EQ_U64("does not fit", proxy_header_write(&h, exact, size), 0);
        free(exact);
    }
    h.tls.is_used = false;
    CHECK_EQ_U64("no TLS", proxy_header_write(&h, out, sizeof(out)), 28 + 11 + 15 + 21);
    h.kind = PROXY_HEADER_LOCAL;
    CHECK_EQ_U64("LOCAL has no values", proxy_header_write(&h, out, sizeof(out)), 16);
    h.kind = PROXY_HEADER_UNKNOWN;
    CHECK_EQ_U64("UNKNOWN neither", proxy_header_write(&h, out, sizeof(out)), 16);
}

static void test_write_too_long(void)
{
    static const char long_text[70000] = {'x'};
    static uint8_t out[80000];
    struct proxy_header h = {.version = PROXY_HEADER_V2,
                             .kind = PROXY_HEADER_TCP,
                             .source = addr_of("192.0.2.1:1"),
                             .destination = addr_of("192.0.2.2:2")};
    h.unique_id = (struct span){long_text, 128};
    CHECK_EQ_U64("the longest id", proxy_header_write(&h, out, sizeof(out)), 28 + 3 + 128);
    h.unique_id.len = 129;
    CHECK_EQ_U64("an id too long", proxy_header_write(&h, out, sizeof(out)), 0);
    h.unique_id.len = 0;
    h.authority = (struct span){long_text, PROXY_HEADER_BYTES_MAX - 28 - 3};
    CHECK_EQ_U64("the longest header", proxy_header_write(&h, out, sizeof(out)),
                 PROXY_HEADER_BYTES_MAX);
    h.authority.len++;
    CHECK_EQ_U64("one byte more", proxy_header_write(&h, out, sizeof(out)), 0);
    h.authority.len = sizeof(long_text);
    CHECK_EQ_U64("more than a TLV can hold", proxy_header_write(&h, out, sizeof(out)), 0);
}

CU_TestInfo proxy_header_tests[] = {
    {"headers, cut anywhere", test_good},
    {"what is no header, cut anywhere", test_bad},
    {"half a header", test_cut_short},
    {"the longest header", test_longest},
    {"no memory for a header", test_no_memory},
    {"headers out", test_write},
    {"values out", test_write_values},
    {"headers out that are too long", test_write_too_long},
    CU_TEST_INFO_NULL,
};
