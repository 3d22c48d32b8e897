/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/tls_hello.h"

#include "base/mem.h"
#include "check.h"
#include "hello_kit.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct hello_kit kit;
static uint8_t wire[2 * HELLO_KIT_MAX];

/* Reads and parses, with each piece in a block of its size. Copies the name to `name`. */
static enum tls_hello_result run(const uint8_t *data, size_t len, size_t chunk, char *name,
                                 size_t *out_used)
{
    struct tls_hello_reader reader;
    struct tls_hello hello = {0};
    enum tls_hello_result result = TLS_HELLO_MORE;
    tls_hello_init(&reader, false);
    *out_used = 0;
    name[0] = '\0';
    for (size_t at = 0; at < len && result == TLS_HELLO_MORE; at += chunk) {
        size_t piece = len - at < chunk ? len - at : chunk;
        size_t used = 0;
        uint8_t *copy = malloc(piece);
        memcpy(copy, data + at, piece);
        result = tls_hello_read(&reader, copy, piece, &used);
        *out_used += used;
        free(copy);
    }
    if (result == TLS_HELLO_OK) {
        result = tls_hello_parse(reader.record + TLS_RECORD_HEADER, reader.len - TLS_RECORD_HEADER,
                                 &hello);
        span_copy(hello.server_name, name, 256);
    }
    tls_hello_done(&reader);
    return result;
}

/* The result is the same whatever the records and the chunks are. */
static void check_kit(const char *row, enum tls_hello_result want, const char *want_name)
{
    static const size_t cuts[] = {TLS_RECORD_MAX, 1000, 5, 1};
    static const size_t chunks[] = {SIZE_MAX, 1, 6, 4096};
    char name[256];
    for (size_t i = 0; i < COUNT(cuts); i++) {
        size_t len = hello_records(&kit, cuts[i], wire, sizeof(wire));
        for (size_t j = 0; j < COUNT(chunks); j++) {
            size_t used = 0;
            size_t chunk = chunks[j] < len ? chunks[j] : len;
            CHECK_EQ_INT(row, run(wire, len, chunk, name, &used), want);
            CHECK_EQ_STR(row, name, want == TLS_HELLO_OK ? want_name : name);
            if (want == TLS_HELLO_OK) {
                CHECK_EQ_U64(row, used, len);
            }
        }
    }
}

/* ---------------------------------------------------------------------------------- extensions */

struct extension_row {
    const char *name;
    size_t type;
    const char *body;
    size_t len;
    enum tls_hello_result want;
    const char *server_name;
};

#define BODY(text) (text), sizeof(text) - 1
#define OK TLS_HELLO_OK, ""
#define MALFORMED TLS_HELLO_MALFORMED, ""
#define ILLEGAL TLS_HELLO_ILLEGAL, ""

static const struct extension_row extension_rows[] = {
    {"unknown", 0xfafa, BODY(""), OK},
    {"name", 0,
     BODY("\0\x06\0\0\x03"
          "a.b"),
     TLS_HELLO_OK, "a.b"},
    {"name with dot", 0,
     BODY("\0\x07\0\0\x04"
          "a.b."),
     TLS_HELLO_OK, "a.b"},
    {"name is a dot", 0,
     BODY("\0\x04\0\0\x01"
          "."),
     TLS_HELLO_OK, "."},
    {"name, empty body", 0, BODY(""), MALFORMED},
    {"name, empty list", 0, BODY("\0\0"), MALFORMED},
    {"name, empty", 0, BODY("\0\x03\0\0\0"), MALFORMED},
    {"name of another type", 0,
     BODY("\0\x06\x01\0\x03"
          "a.b"),
     MALFORMED},
    {"name, list too long", 0,
     BODY("\0\x07\0\0\x03"
          "a.b"),
     MALFORMED},
    {"name, list too short", 0,
     BODY("\0\x05\0\0\x03"
          "a.b"),
     MALFORMED},
    {"name too long", 0,
     BODY("\0\x06\0\0\x04"
          "a.b"),
     MALFORMED},
    {"name too short", 0,
     BODY("\0\x06\0\0\x02"
          "a.b"),
     MALFORMED},
    {"two names", 0,
     BODY("\0\x08\0\0\x01"
          "a\0\0\x01"
          "b"),
     MALFORMED},
    {"name with NUL", 0,
     BODY("\0\x06\0\0\x03"
          "a\0b"),
     ILLEGAL},
    {"name with blank", 0,
     BODY("\0\x06\0\0\x03"
          "a b"),
     ILLEGAL},
    {"name with newline", 0,
     BODY("\0\x06\0\0\x03"
          "a\nb"),
     ILLEGAL},
    {"name with high byte", 0,
     BODY("\0\x06\0\0\x03"
          "a\xe4"
          "b"),
     ILLEGAL},
    {"ALPN", 16, BODY("\0\x0c\x02h2\x08http/1.1"), OK},
    {"ALPN without ours", 16, BODY("\0\x03\x02h2"), OK},
    {"ALPN, empty list", 16, BODY("\0\0"), MALFORMED},
    {"ALPN, empty name", 16, BODY("\0\x0a\0\x08http/1.1"), MALFORMED},
    {"ALPN, trailing length byte", 16, BODY("\0\x0a\x08http/1.1\x08"), MALFORMED},
    {"ALPN, trailing length byte 255", 16, BODY("\0\x0a\x08http/1.1\xff"), MALFORMED},
    {"ALPN, trailing length byte outside", 16, BODY("\0\x09\x08http/1.1\x08"), MALFORMED},
    {"ALPN, trailing empty name", 16, BODY("\0\x0a\x08http/1.1\x00"), MALFORMED},
    {"ALPN, list too long", 16, BODY("\0\x0a\x08http/1.1"), MALFORMED},
    {"groups", 10, BODY("\0\x04\0\x1d\0\x17"), OK},
    {"groups, odd", 10, BODY("\0\x03\0\x1d\0"), MALFORMED},
    {"groups, none", 10, BODY("\0\0"), MALFORMED},
    {"versions", 43, BODY("\x04\x03\x04\x03\x03"), OK},
    {"versions, odd", 43, BODY("\x03\x03\x04\x03"), MALFORMED},
    {"versions, trailing", 43, BODY("\x02\x03\x04\x03"), MALFORMED},
    {"signatures, odd", 13, BODY("\0\x01\x04"), MALFORMED},
    {"certificate signatures", 50, BODY("\0\x02\x04\x03"), OK},
    {"key shares, none", 51, BODY("\0\0"), OK},
    {"key share", 51, BODY("\0\x06\0\x1d\0\x02xx"), OK},
    {"key share, empty", 51, BODY("\0\x04\0\x1d\0\0"), MALFORMED},
    {"key share, twice", 51, BODY("\0\x0a\0\x1d\0\x01x\0\x1d\0\x01y"), ILLEGAL},
    {"key share too long", 51, BODY("\0\x06\0\x1d\0\x03xx"), MALFORMED},
    {"key shares, trailing", 51, BODY("\0\x05\0\x1d\0\x01xx"), MALFORMED},
    {"ticket, nothing", 41, BODY("\0\0\0\0"), MALFORMED},
    {"ticket without binder", 41, BODY("\0\x07\0\x01t\0\0\0\0\0\0"), MALFORMED},
    {"ticket, short binder", 41,
     BODY("\0\x07\0\x01t\0\0\0\0\0\x02\x01"
          "b"),
     MALFORMED},
    {"ticket", 41,
     BODY("\0\x07\0\x01t\0\0\0\0\0\x21\x20"
          "01234567890123456789012345678901"),
     OK},
    {"two tickets, one binder", 41,
     BODY("\0\x0e\0\x01t\0\0\0\0\0\x01u\0\0\0\0\0\x21\x20"
          "01234567890123456789012345678901"),
     ILLEGAL},
};

static void test_extensions(void)
{
    for (size_t i = 0; i < COUNT(extension_rows); i++) {
        const struct extension_row *row = &extension_rows[i];
        hello_begin(&kit, 0x0303, "\x13\x01", 2);
        hello_extension(&kit, 0x1234, "x", 1);
        hello_extension(&kit, row->type, row->body, row->len);
        hello_end(&kit);
        check_kit(row->name, row->want, row->server_name);
        /* The same extension twice is never right, and a ticket (41) comes last. */
        hello_extension(&kit, row->type, row->body, row->len);
        hello_end(&kit);
        bool is_shape_first = row->want == TLS_HELLO_MALFORMED && row->type != 41;
        enum tls_hello_result want = is_shape_first ? TLS_HELLO_MALFORMED : TLS_HELLO_ILLEGAL;
        check_kit(row->name, want, "");
    }
}

static void test_offers(void)
{
    static const struct {
        const char *name;
        const char *body;
        size_t len;
        bool want; /* http/1.1 is in the list */
    } rows[] = {
        {"alone", BODY("\0\x09\x08http/1.1"), true},
        {"last", BODY("\0\x0c\x02h2\x08http/1.1"), true},
        {"first", BODY("\0\x0c\x08http/1.1\x02h2"), true},
        {"another", BODY("\0\x03\x02h2"), false},
        {"longer", BODY("\0\x0a\x09http/1.12"), false},
        {"shorter", BODY("\0\x08\x07http/1."), false},
        {"letter case", BODY("\0\x09\x08HTTP/1.1"), false},
        {"inside a name", BODY("\0\x0a\x09\x08http/1.1"), false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tls_hello hello;
        hello_begin(&kit, 0x0303, "\x13\x01", 2);
        hello_extension(&kit, 16, rows[i].body, rows[i].len);
        hello_end(&kit);
        CHECK_EQ_INT(rows[i].name, tls_hello_parse(kit.data, kit.len, &hello), TLS_HELLO_OK);
        CHECK_EQ_INT(rows[i].name, tls_hello_offers(&hello, SPAN_LIT("http/1.1")), rows[i].want);
    }
    struct tls_hello none;
    hello_begin(&kit, 0x0303, "\x13\x01", 2);
    hello_end(&kit);
    CHECK_EQ_INT("no list", tls_hello_parse(kit.data, kit.len, &none), TLS_HELLO_OK);
    CHECK_EQ_U64("no list", none.protocols.len, 0);
    CHECK_FALSE("no list", tls_hello_offers(&none, SPAN_LIT("http/1.1")));
}

static void test_ticket_comes_last(void)
{
    static const char body[] = "\0\x07\0\x01t\0\0\0\0\0\x21\x20"
                               "01234567890123456789012345678901";
    hello_begin(&kit, 0x0303, "\x13\x01", 2);
    hello_extension(&kit, 41, body, sizeof(body) - 1);
    hello_extension(&kit, 0x1234, "", 0);
    hello_end(&kit);
    check_kit("ticket first", TLS_HELLO_ILLEGAL, "");
}

static void test_many(void)
{
    static uint8_t shares[65535];
    hello_begin(&kit, 0x0303, "\x13\x01", 2);
    for (size_t i = 0; i < TLS_HELLO_EXTENSIONS; i++) {
        hello_extension(&kit, 0x1000 + i, "", 0);
    }
    hello_end(&kit);
    check_kit("64 extensions", TLS_HELLO_OK, "");
    hello_extension(&kit, 0x2000, "", 0);
    hello_end(&kit);
    check_kit("65 extensions", TLS_HELLO_ILLEGAL, "");

    for (size_t count = TLS_HELLO_SHARES; count <= 3000; count += 2984) {
        size_t len = 2;
        for (size_t i = 0; i < count; i++) {
            const uint8_t share[] = {(uint8_t)(i >> 8), (uint8_t)i, 0, 1, 7};
            memcpy(shares + len, share, sizeof(share));
            len += sizeof(share);
        }
        shares[0] = (uint8_t)((len - 2) >> 8);
        shares[1] = (uint8_t)(len - 2);
        hello_begin(&kit, 0x0303, "\x13\x01", 2);
        hello_extension(&kit, 51, shares, len);
        hello_end(&kit);
        check_kit("key shares", count == TLS_HELLO_SHARES ? TLS_HELLO_OK : TLS_HELLO_ILLEGAL, "");
    }
    memset(shares, 1, sizeof(shares));
    shares[0] = 0x10;
    shares[1] = 0;
    hello_begin(&kit, 0x0303, "\x13\x01", 2);
    hello_extension(&kit, 10, shares, 2 + 0x1000);
    hello_end(&kit);
    check_kit("2048 groups", TLS_HELLO_ILLEGAL, "");
}

static void test_size(void)
{
    static uint8_t filler[TLS_HELLO_MAX];
    for (size_t over = 0; over < 2; over++) {
        hello_begin(&kit, 0x0303, "\x13\x01", 2);
        hello_extension(&kit, 0x1234, filler, TLS_HELLO_MAX - kit.len - 4 + over);
        hello_end(&kit);
        check_kit("size", over == 0 ? TLS_HELLO_OK : TLS_HELLO_ILLEGAL, "");
    }
}

/* A valid hello is cut at every byte, and each of its bits is flipped. */
static void test_shape(void)
{
    char name[256];
    size_t used = 0;
    hello_begin_usual(&kit);
    hello_key_share(&kit);
    hello_end(&kit);
    check_kit("usual", TLS_HELLO_OK, "");
    for (size_t cut = 1; cut < kit.len; cut++) {
        struct tls_hello hello;
        uint8_t *copy = malloc(cut);
        memcpy(copy, kit.data, cut);
        CHECK_EQ_INT("cut", tls_hello_parse(copy, cut, &hello), TLS_HELLO_MALFORMED);
        if (cut >= 4) { /* the same with a header that fits */
            copy[2] = (uint8_t)((cut - 4) >> 8);
            copy[3] = (uint8_t)(cut - 4);
            enum tls_hello_result result = tls_hello_parse(copy, cut, &hello);
            CHECK_EQ_INT("cut", result == TLS_HELLO_OK, cut == kit.extensions_at);
        }
        free(copy);
    }
    size_t len = hello_records(&kit, TLS_RECORD_MAX, wire, sizeof(wire));
    for (size_t at = 0; at < len; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            wire[at] = (uint8_t)(wire[at] ^ 1U << bit);
            CHECK_TRUE("flipped", run(wire, len, len, name, &used) <= TLS_HELLO_NO_PROTOCOL);
            wire[at] = (uint8_t)(wire[at] ^ 1U << bit);
        }
    }
}

/* ---------------------------------------------------------------------------------- records */

struct record_row {
    const char *name;
    const char *data;
    size_t len;
    enum tls_hello_result want;
    uint8_t alert;
};

static const struct record_row record_rows[] = {
    {"HTTP", BODY("GET / HTTP/1.1\r\n\r\n"), TLS_HELLO_NOT_TLS, 0},
    {"SSH", BODY("SSH-2.0-OpenSSH_9.2p1\r\n"), TLS_HELLO_NOT_TLS, 0},
    {"SSLv2 hello", BODY("\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10"), TLS_HELLO_NOT_TLS, 0},
    {"first an alert", BODY("\x15\x03\x03\x00\x02\x02\x28"), TLS_HELLO_NOT_TLS, 0},
    {"first data", BODY("\x17\x03\x03\x00\x01x"), TLS_HELLO_NOT_TLS, 0},
    {"version 2", BODY("\x16\x02\x00\x00\x05"), TLS_HELLO_NOT_TLS, 0},
    {"empty record", BODY("\x16\x03\x01\x00\x00"), TLS_HELLO_MALFORMED, 50},
    {"record too long", BODY("\x16\x03\x01\x40\x01"), TLS_HELLO_MALFORMED, 50},
    {"not a hello", BODY("\x16\x03\x01\x00\x04\x02\x00\x00\x00"), TLS_HELLO_UNEXPECTED, 10},
    {"hello without a body", BODY("\x16\x03\x01\x00\x04\x01\x00\x00\x00"), TLS_HELLO_MALFORMED, 50},
    {"hello of 16 MiB", BODY("\x16\x03\x01\x00\x04\x01\xff\xff\xff"), TLS_HELLO_ILLEGAL, 47},
    {"data between", BODY("\x16\x03\x01\x00\x02\x01\x00\x17\x03\x03\x00\x01"), TLS_HELLO_UNEXPECTED,
     10},
    {"cipher change before", BODY("\x16\x03\x01\x00\x02\x01\x00\x14\x03\x03\x00\x01\x01"),
     TLS_HELLO_UNEXPECTED, 10},
    {"something behind", BODY("\x16\x03\x01\x00\x08\x01\x00\x00\x00more"), TLS_HELLO_UNEXPECTED,
     10},
    {"not all there", BODY("\x16\x03\x01\x00\x08\x01\x00\x00\x09"), TLS_HELLO_MORE, 0},
};

static void test_records(void)
{
    char name[256];
    for (size_t i = 0; i < COUNT(record_rows); i++) {
        const struct record_row *row = &record_rows[i];
        for (size_t chunk = 1; chunk <= row->len; chunk++) {
            size_t used = 0;
            enum tls_hello_result got =
                run((const uint8_t *)row->data, row->len, chunk, name, &used);
            CHECK_EQ_INT(row->name, got, row->want);
            CHECK_EQ_U64(row->name, tls_hello_alert(got), row->alert);
        }
    }
}

static void test_what_follows_is_left(void)
{
    char name[256];
    size_t used = 0;
    hello_begin_usual(&kit);
    hello_end(&kit);
    size_t len = hello_records(&kit, 100, wire, sizeof(wire));
    memcpy(wire + len, "more", 4);
    CHECK_EQ_INT("left", run(wire, len + 4, len + 4, name, &used), TLS_HELLO_OK);
    CHECK_EQ_U64("left", used, len);
}

/* After a HelloRetryRequest a few change_cipher_spec records may come first. */
static void test_second(void)
{
    static const uint8_t change[] = {20, 3, 3, 0, 1, 1};
    static const uint8_t bad_change[] = {20, 3, 3, 0, 1, 2};
    static const uint8_t long_change[] = {20, 3, 3, 0, 2, 1, 1};
    struct tls_hello_reader reader;
    size_t used = 0;
    hello_begin_usual(&kit);
    hello_end(&kit);
    size_t len = hello_records(&kit, 100, wire, sizeof(wire));
    tls_hello_init(&reader, true);
    for (size_t i = 0; i < 4; i++) {
        CHECK_EQ_INT("change", tls_hello_read(&reader, change, sizeof(change), &used),
                     TLS_HELLO_MORE);
    }
    CHECK_EQ_INT("hello", tls_hello_read(&reader, wire, len, &used), TLS_HELLO_OK);
    CHECK_EQ_U64("hello", reader.len - TLS_RECORD_HEADER, kit.len);
    tls_hello_done(&reader);
    tls_hello_init(&reader, true);
    for (size_t i = 0; i < 5; i++) {
        CHECK_EQ_INT("changes", tls_hello_read(&reader, change, sizeof(change), &used),
                     i < 4 ? TLS_HELLO_MORE : TLS_HELLO_UNEXPECTED);
    }
    tls_hello_done(&reader);
    tls_hello_init(&reader, true);
    CHECK_EQ_INT("bad", tls_hello_read(&reader, bad_change, sizeof(bad_change), &used),
                 TLS_HELLO_UNEXPECTED);
    tls_hello_init(&reader, true);
    CHECK_EQ_INT("long", tls_hello_read(&reader, long_change, sizeof(long_change), &used),
                 TLS_HELLO_UNEXPECTED);
    tls_hello_init(&reader, true);
    CHECK_EQ_INT("within", tls_hello_read(&reader, wire, 50, &used), TLS_HELLO_MORE);
    tls_hello_done(&reader);
}

/* The reader takes memory for the bytes that came, whatever length the peer announced. */
static void test_memory(void)
{
    struct tls_hello_reader reader;
    size_t used = 0;
    size_t before = mem_live_blocks();
    tls_hello_init(&reader, false);
    CHECK_EQ_INT(
        "some",
        tls_hello_read(&reader, (const uint8_t *)"\x16\x03\x01\x3f\xff\x01\x00\x3f", 8, &used),
        TLS_HELLO_MORE);
    CHECK_TRUE("some", reader.capacity < 1024);
    tls_hello_done(&reader);
    CHECK_EQ_U64("done", mem_live_blocks(), before);
    tls_hello_init(&reader, false);
    mem_fail_after(1);
    CHECK_EQ_INT("none",
                 tls_hello_read(&reader, (const uint8_t *)"\x16\x03\x01\x3f\xff\x01", 6, &used),
                 TLS_HELLO_NO_MEMORY);
    mem_fail_after(0);
    tls_hello_done(&reader);
}

CU_TestInfo tls_hello_tests[] = {
    {"extensions", test_extensions},
    {"ALPN lists", test_offers},
    {"a ticket comes last", test_ticket_comes_last},
    {"too many of anything", test_many},
    {"size", test_size},
    {"cut and flipped", test_shape},
    {"records", test_records},
    {"what follows is left", test_what_follows_is_left},
    {"the second hello", test_second},
    {"memory", test_memory},
    CU_TEST_INFO_NULL,
};
