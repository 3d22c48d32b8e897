/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inputs that nobody sends by mistake, and inputs that broke TLS libraries before. Whichever
 * wolfSSL is linked, a session must end in TLS_FAILED, say no more than an alert and give its
 * memory back. */
#include "base/mem.h"
#include "check.h"
#include "hello_kit.h"
#include "io/tls.h"
#include "io/tls_hello.h"
#include "suites.h"
#include "tls_kit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct hello_kit kit;
static uint8_t wire[2 * HELLO_KIT_MAX];

/* UNHEARD: wolfSSL finds the fault after its ServerHello and says nothing more. */
enum { ALERT_NONE = 0, UNHEARD = 255 };

/* Feeds bytes to a new session, whole, byte by byte and in chunks of 100. */
static void check_refused(const char *row, struct tls_context *context, const void *data,
                          size_t len, uint8_t want_alert)
{
    static const size_t chunks[] = {KIT_WHOLE, 1, 100};
    for (size_t i = 0; i < COUNT(chunks); i++) {
        struct kit_link link = {.server = tls_new(context), .chunk = chunks[i]};
        kit_feed(&link, data, len);
        CHECK_EQ_INT(row, link.result, TLS_FAILED);
        CHECK_FALSE(row, tls_is_established(link.server));
        CHECK_EQ_U64(row, link.plain.len, 0);
        if (want_alert != UNHEARD) {
            CHECK_EQ_U64(row, kit_alert(&link), want_alert);
            /* wolfSSL says some alerts twice. */
            CHECK_TRUE(row, link.wire.len <= (want_alert == ALERT_NONE ? 0 : 14));
        }
        size_t said = link.wire.len;
        kit_feed(&link, (const uint8_t *)"more", 4);
        CHECK_EQ_INT(row, link.result, TLS_FAILED);
        CHECK_EQ_U64(row, link.wire.len, said);
        tls_free(link.server);
        kit_empty(&link.wire);
        kit_empty(&link.client.in);
        kit_empty(&link.plain);
    }
}

static void check_kit_refused(const char *row, struct tls_context *context, uint8_t want_alert)
{
    hello_end(&kit);
    size_t len = hello_records(&kit, 16384, wire, sizeof(wire));
    check_refused(row, context, wire, len, want_alert);
}

/* ---------------------------------------------------------------------------------- no TLS */

static void test_other_protocols(void)
{
    struct tls_context *context = kit_context(KIT_EC, TLS_1_2);
    size_t before = mem_live_blocks();
    static const char ssl_2[] = "\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x07\x00\xc0";
    check_refused("SSH", context, "SSH-2.0-x\r\n", 11, ALERT_NONE);
    check_refused("SSLv2", context, ssl_2, sizeof(ssl_2) - 1, ALERT_NONE);
    check_refused("NUL", context, "\0\0\0\0\0\0\0\0\0", 9, ALERT_NONE);
    check_refused("alert", context, "\x15\x03\x03\x00\x02\x02\x28", 7, ALERT_NONE);
    CHECK_EQ_U64("memory", mem_live_blocks(), before);
    tls_context_free(context);
}

/* Plain HTTP gets an answer in plain HTTP, however it is cut. */
static void test_http(void)
{
    static const size_t chunks[] = {KIT_WHOLE, 1, 3};
    static const uint8_t http[] = "GET / HTTP/1.1\r\nHost: one.example\r\n\r\n";
    struct tls_context *context = kit_context(KIT_EC, TLS_1_2);
    for (size_t i = 0; i < COUNT(chunks); i++) {
        struct kit_link link = {.server = tls_new(context), .chunk = chunks[i]};
        kit_feed(&link, http, 3);
        CHECK_EQ_INT("a beginning", link.result, TLS_OK);
        CHECK_EQ_U64("a beginning", link.wire.len, 0);
        kit_feed(&link, http + 3, sizeof(http) - 4);
        CHECK_EQ_INT("failed", link.result, TLS_FAILED);
        CHECK_TRUE("answer", link.wire.len > 12 && memcmp(link.wire.data, "HTTP/1.1 400", 12) == 0);
        CHECK_TRUE("detail", strstr(tls_detail(link.server), "plain HTTP") != NULL);
        tls_free(link.server);
        kit_empty(&link.wire);
        kit_empty(&link.client.in);
    }
    tls_context_free(context);
}

/* ---------------------------------------------------------------------------------- hellos */

struct version_row {
    const char *name;
    unsigned version;
    const char *supported; /* the body of the extension; NULL: none */
    size_t len;
    enum tls_version min_version;
    uint8_t want_alert;
};

static const struct version_row version_rows[] = {
    {"TLS 1.1", 0x0302, NULL, 0, TLS_1_2, 70},
    {"TLS 1.0", 0x0301, NULL, 0, TLS_1_2, 70},
    {"SSL 3.0", 0x0300, NULL, 0, TLS_1_2, 70},
    {"TLS 1.2 where 1.3 is asked for", 0x0303, NULL, 0, TLS_1_3, 70},
    {"TLS 1.1 as a 1.3 client says it", 0x0303, "\x02\x03\x02", 3, TLS_1_2, 70},
    {"unknown versions only", 0x0303, "\x02\x7f\x17", 3, TLS_1_2, 70},
};

static void test_versions(void)
{
    for (size_t i = 0; i < COUNT(version_rows); i++) {
        const struct version_row *row = &version_rows[i];
        struct tls_context *context = kit_context(KIT_EC, row->min_version);
        hello_begin(&kit, row->version, "\x13\x01\xc0\x2b\xc0\x09\xc0\x0a", 8);
        if (row->supported != NULL) {
            hello_extension(&kit, 43, row->supported, row->len);
        }
        hello_extension(&kit, 10, "\x00\x04\x00\x1d\x00\x17", 6);
        hello_extension(&kit, 13, "\x00\x04\x04\x03\x08\x04", 6);
        hello_key_share(&kit);
        check_kit_refused(row->name, context, row->want_alert);
        tls_context_free(context);
    }
}

struct suite_row {
    const char *name;
    const char *suites;
    size_t len;
};

static const struct suite_row suite_rows[] = {
    {"NULL", "\x00\x00\x00\x01\x00\x3b\xc0\x06\xc0\x10", 10},
    {"RC4", "\x00\x05\xc0\x07\xc0\x11", 6},
    {"3DES", "\x00\x0a\xc0\x08\xc0\x12", 6},
    {"anonymous", "\x00\xa6\xc0\x18", 4},
    {"static RSA", "\x00\x9c\x00\x9d\x00\x2f\x00\x3c", 8},
    {"CBC", "\xc0\x09\xc0\x0a\xc0\x23\xc0\x24\xc0\x13\xc0\x14\xc0\x27\xc0\x28", 16},
    {"CCM", "\xc0\xac\xc0\xad\xc0\xae\xc0\xaf", 8},
    {"TLS 1.3 suites only", "\x13\x01\x13\x02\x13\x03", 6},
};

static void test_weak_suites(void)
{
    static const enum kit_kind kinds[] = {KIT_EC, KIT_RSA};
    for (size_t i = 0; i < COUNT(suite_rows) * COUNT(kinds); i++) {
        const struct suite_row *row = &suite_rows[i / COUNT(kinds)];
        struct tls_context *context = kit_context(kinds[i % COUNT(kinds)], TLS_1_2);
        hello_begin(&kit, 0x0303, row->suites, row->len);
        hello_extension(&kit, 10, "\x00\x04\x00\x1d\x00\x17", 6);
        hello_extension(&kit, 13, "\x00\x06\x04\x03\x08\x04\x04\x01", 8);
        check_kit_refused(row->name, context, 40);
        tls_context_free(context);
    }
    struct tls_context *context = kit_context(KIT_EC, TLS_1_2);
    hello_begin(&kit, 0x0303, "\x13\x04\x13\x05", 4);
    hello_extension(&kit, 43, "\x02\x03\x04", 3);
    hello_extension(&kit, 10, "\x00\x04\x00\x1d\x00\x17", 6);
    hello_extension(&kit, 13, "\x00\x04\x04\x03\x08\x04", 6);
    hello_key_share(&kit);
    check_kit_refused("TLS 1.3 CCM", context, 40);
    tls_context_free(context);
}

/* ALPN lists that wolfSSL does not check to their end. */
static void test_protocol_lists(void)
{
    static const char *const lists[] = {"\x00\x0a\x08http/1.1\x08", "\x00\x0a\x08http/1.1\xff",
                                        "\x00\x0b\x08http/1.1\x02h"};
    static const size_t lens[] = {12, 12, 13};
    struct tls_context *context = kit_context(KIT_EC, TLS_1_2);
    for (size_t i = 0; i < COUNT(lists); i++) {
        hello_begin_usual(&kit);
        hello_key_share(&kit);
        hello_extension(&kit, 16, lists[i], lens[i]);
        check_kit_refused("ALPN", context, 50);
    }
    tls_context_free(context);
}

static void put_shares(size_t count, bool is_same)
{
    static uint8_t shares[65535];
    size_t len = 2;
    for (size_t i = 0; i < count; i++) {
        size_t group = is_same ? 0x1d : 0x4000 + i;
        const uint8_t share[] = {(uint8_t)(group >> 8), (uint8_t)group, 0, 1, 7};
        memcpy(shares + len, share, sizeof(share));
        len += sizeof(share);
    }
    shares[0] = (uint8_t)((len - 2) >> 8);
    shares[1] = (uint8_t)(len - 2);
    hello_begin_usual(&kit);
    hello_extension(&kit, 51, shares, len);
}

static void test_key_shares(void)
{
    struct tls_context *context = kit_context(KIT_EC, TLS_1_2);
    put_shares(3000, true);
    check_kit_refused("3000 of one group", context, 47);
    put_shares(3000, false);
    check_kit_refused("3000 groups", context, 47);
    put_shares(5000, true); /* 25,000 bytes: more than a hello may have */
    check_kit_refused("5000 of one group", context, 47);
    put_shares(2, true);
    check_kit_refused("a pair", context, 47);
    tls_context_free(context);
}

/* One share has the wrong length for its group, the other one makes a known secret. */
static void test_bad_shares(void)
{
    struct tls_context *context = kit_context(KIT_EC, TLS_1_2);
    uint8_t zero[2 + 4 + 32] = {0, 36, 0, 0x1d, 0, 32};
    hello_begin_usual(&kit);
    hello_extension(&kit, 51, "\x00\x07\x00\x1d\x00\x03xyz", 9);
    check_kit_refused("short X25519", context, UNHEARD);
    hello_begin_usual(&kit);
    hello_extension(&kit, 51,
                    "\x00\x08\x00\x17\x00\x04\x04"
                    "abc",
                    10);
    check_kit_refused("short P-256", context, UNHEARD);
    hello_begin_usual(&kit);
    hello_extension(&kit, 51, zero, sizeof(zero));
    check_kit_refused("zero X25519", context, UNHEARD);
    tls_context_free(context);
}

struct second_row {
    const char *name;
    const char *server_name; /* the body of the extension */
    size_t len;
    bool has_protocols;
    bool has_share;
    enum tls_result want;
    uint8_t want_alert;
};

static const struct second_row second_rows[] = {
    {"the same",
     "\0\x06\0\0\x03"
     "a.b",
     8, true, true, TLS_OK, ALERT_NONE},
    {"another name",
     "\0\x06\0\0\x03"
     "a.c",
     8, true, true, TLS_FAILED, 47},
    {"no name", NULL, 0, true, true, TLS_FAILED, 47},
    {"no ALPN",
     "\0\x06\0\0\x03"
     "a.b",
     8, false, true, TLS_FAILED, 47},
    {"again no share",
     "\0\x06\0\0\x03"
     "a.b",
     8, true, false, TLS_FAILED, UNHEARD},
};

static size_t write_hello(const struct second_row *row, bool has_share)
{
    hello_begin_usual(&kit);
    if (row->server_name != NULL) {
        hello_extension(&kit, 0, row->server_name, row->len);
    }
    if (row->has_protocols) {
        hello_extension(&kit, 16, "\0\x09\x08http/1.1", 11);
    }
    if (has_share) {
        hello_key_share(&kit);
    } else {
        hello_extension(&kit, 51, "\0\0", 2);
    }
    hello_end(&kit);
    return hello_records(&kit, 100, wire, sizeof(wire));
}

/* A HelloRetryRequest must not let a client become somebody else. */
static void test_second_hello(void)
{
    static const size_t chunks[] = {KIT_WHOLE, 1};
    struct tls_context *context = kit_context(KIT_EC, TLS_1_2);
    size_t before = mem_live_blocks();
    for (size_t i = 0; i < COUNT(second_rows) * COUNT(chunks); i++) {
        const struct second_row *row = &second_rows[i / COUNT(chunks)];
        struct kit_link link = {.server = tls_new(context), .chunk = chunks[i % COUNT(chunks)]};
        kit_feed(&link, wire, write_hello(&second_rows[0], false));
        CHECK_EQ_INT("first", link.result, TLS_OK);
        size_t said = link.wire.len;
        CHECK_TRUE("retry", said > 0 && link.wire.data[0] == 22);
        kit_feed(&link, (const uint8_t *)"\x14\x03\x03\x00\x01\x01", 6);
        CHECK_EQ_U64("nothing to say", link.wire.len, said);
        kit_feed(&link, wire, write_hello(row, row->has_share));
        CHECK_EQ_INT(row->name, link.result, row->want);
        if (row->want_alert != UNHEARD) {
            CHECK_EQ_U64(row->name, kit_alert(&link), row->want_alert);
        }
        CHECK_TRUE(row->name, row->want != TLS_OK || link.wire.len > said + 100);
        tls_free(link.server);
        kit_empty(&link.wire);
        kit_empty(&link.client.in);
        kit_empty(&link.plain);
        CHECK_EQ_U64(row->name, mem_live_blocks(), before);
    }
    tls_context_free(context);
}

/* Each byte of a real hello is wrong in turn. Every end is right but a crash or a leak. */
static void test_flipped_hello(void)
{
    struct tls_context *context = kit_context(KIT_EC, TLS_1_2);
    size_t before = mem_live_blocks();
    struct kit_client client;
    struct kit_wish wish = {.server_name = "one.example", .protocols = "h2,http/1.1"};
    kit_client_open(&client, &wish);
    (void)wolfSSL_connect(client.ssl);
    for (size_t at = 0; at < client.out.len; at++) {
        static const uint8_t masks[] = {0x01, 0x80, 0xff};
        for (size_t i = 0; i < COUNT(masks); i++) {
            struct kit_link link = {.server = tls_new(context), .chunk = KIT_WHOLE};
            client.out.data[at] ^= masks[i];
            kit_feed(&link, client.out.data, client.out.len);
            CHECK_TRUE("flipped", link.result == TLS_OK || link.result == TLS_FAILED);
            CHECK_FALSE("flipped", tls_is_established(link.server));
            client.out.data[at] ^= masks[i];
            tls_free(link.server);
            kit_empty(&link.wire);
            kit_empty(&link.client.in);
        }
    }
    kit_client_close(&client);
    CHECK_EQ_U64("memory", mem_live_blocks(), before);
    tls_context_free(context);
}

/* ---------------------------------------------------------------------------------- behind it */

/* A record that comes after the ClientHello. The first row, a tag and nothing else, made TLS 1.3
 * servers read before their buffer. */
struct record_row {
    const char *name;
    const char *data;
    size_t len;
};

#define RECORD(text) (text), sizeof(text) - 1

static const struct record_row record_rows[] = {
    {"tag only", RECORD("\x17\x03\x03\x00\x10"
                        "0123456789abcdef")},
    {"shorter than a tag", RECORD("\x17\x03\x03\x00\x01"
                                  "0")},
    {"empty", RECORD("\x17\x03\x03\x00\x00")},
    {"not decryptable", RECORD("\x17\x03\x03\x00\x20"
                               "0123456789abcdef0123456789abcdef")},
    {"too long", RECORD("\x17\x03\x03\x41\x01")},
    {"unknown type", RECORD("\x18\x03\x03\x00\x03\x01\x00\x00")},
    {"type 0", RECORD("\x00\x03\x03\x00\x03\x01\x00\x00")},
    {"version 4", RECORD("\x17\x04\x03\x00\x20")},
    {"a second hello", RECORD("\x16\x03\x03\x00\x04\x01\x00\x00\x00")},
    {"key update in the clear", RECORD("\x16\x03\x03\x00\x05\x18\x00\x00\x01\x00")},
    {"finished in the clear", RECORD("\x16\x03\x03\x00\x08\x14\x00\x00\x04oops")},
    {"hello request", RECORD("\x16\x03\x03\x00\x04\x00\x00\x00\x00")},
    {"fatal alert", RECORD("\x15\x03\x03\x00\x02\x02\x28")},
    {"HTTP", RECORD("GET / HTTP/1.1\r\n\r\n")},
};

static void test_records_after_hello(void)
{
    static const int versions[] = {WOLFSSL_TLSV1_2, WOLFSSL_TLSV1_3};
    struct tls_context *context = kit_context(KIT_EC, TLS_1_2);
    size_t before = mem_live_blocks();
    for (size_t i = 0; i < COUNT(record_rows) * 4; i++) {
        const struct record_row *row = &record_rows[i / 4];
        struct kit_link link;
        struct kit_wish wish = {.only_version = versions[i % 2]};
        kit_link_open(&link, context, &wish, i % 4 < 2 ? KIT_WHOLE : 1);
        (void)wolfSSL_connect(link.client.ssl);
        kit_put(&link.client.out, row->data, row->len);
        kit_deliver(&link);
        CHECK_EQ_INT(row->name, link.result, TLS_FAILED);
        CHECK_EQ_U64(row->name, link.plain.len, 0);
        kit_link_close(&link);
        CHECK_EQ_U64(row->name, mem_live_blocks(), before);
    }
    tls_context_free(context);
}

/* The same records come once both ends are connected. */
static void test_records_when_open(void)
{
    static const int versions[] = {WOLFSSL_TLSV1_2, WOLFSSL_TLSV1_3};
    struct tls_context *context = kit_context(KIT_EC, TLS_1_2);
    for (size_t i = 0; i < COUNT(record_rows) * 4; i++) {
        const struct record_row *row = &record_rows[i / 4];
        struct kit_link link;
        struct kit_wish wish = {.only_version = versions[i % 2]};
        CHECK_TRUE(row->name, kit_connect(&link, context, &wish, i % 4 < 2 ? KIT_WHOLE : 1));
        (void)wolfSSL_write(link.client.ssl, "good", 4);
        kit_put(&link.client.out, row->data, row->len);
        kit_deliver(&link);
        CHECK_EQ_INT(row->name, link.result, TLS_FAILED);
        CHECK_EQ_MEM(row->name, link.plain.data, link.plain.len, "good", 4);
        CHECK_EQ_INT(row->name, kit_seal(&link, (const uint8_t *)"x", 1), TLS_FAILED);
        kit_link_close(&link);
    }
    tls_context_free(context);
}

/* Somebody changes a byte of a record on its way. */
static void test_tampered(void)
{
    static const int versions[] = {WOLFSSL_TLSV1_2, WOLFSSL_TLSV1_3};
    struct tls_context *context = kit_context(KIT_EC, TLS_1_2);
    for (size_t i = 0; i < COUNT(versions); i++) {
        for (size_t at = 5; at < 30; at++) {
            struct kit_link link;
            struct kit_wish wish = {.only_version = versions[i]};
            CHECK_TRUE("tampered", kit_connect(&link, context, &wish, KIT_WHOLE));
            size_t said = link.wire.len;
            (void)wolfSSL_write(link.client.ssl, "good enough", 11);
            if (!CHECK_TRUE("a record", link.client.out.data != NULL)) {
                kit_link_close(&link);
                continue;
            }
            link.client.out.data[at] ^= 1;
            kit_deliver(&link);
            CHECK_EQ_INT("tampered", link.result, TLS_FAILED);
            CHECK_EQ_U64("tampered", link.plain.len, 0);
            CHECK_TRUE("an alert", link.wire.len > said);
            kit_link_close(&link);
        }
    }
    tls_context_free(context);
}

/* Some records that carry nothing are fine; an endless row of them is not. */
static void test_idle_records(void)
{
    struct tls_context *context = kit_context(KIT_EC, TLS_1_2);
    for (int limit = 0; limit < 2; limit++) {
        struct kit_link link;
        struct kit_wish wish = {.only_version = WOLFSSL_TLSV1_3};
        enum tls_result worst = TLS_OK;
        CHECK_TRUE("idle", kit_connect(&link, context, &wish, KIT_WHOLE));
        for (int i = 0; i < 100 && worst == TLS_OK; i++) {
            struct kit_queue heard = {0};
            CHECK_EQ_INT("idle", wolfSSL_update_keys(link.client.ssl), WOLFSSL_SUCCESS);
            if (limit == 0 && i % 20 == 0) {
                (void)wolfSSL_write(link.client.ssl, "x", 1);
            }
            kit_deliver(&link);
            worst = link.result;
            CHECK_TRUE("the answers", kit_client_read(&link, &heard) == WOLFSSL_ERROR_WANT_READ ||
                                          worst != TLS_OK);
            kit_empty(&heard);
        }
        CHECK_EQ_INT("idle", worst, limit == 0 ? TLS_OK : TLS_FAILED);
        kit_link_close(&link);
    }
    tls_context_free(context);
}

CU_TestInfo tls_hostile_tests[] = {
    {"other protocols", test_other_protocols},
    {"plain HTTP", test_http},
    {"old versions", test_versions},
    {"weak suites", test_weak_suites},
    {"ALPN lists that run over", test_protocol_lists},
    {"thousands of key shares", test_key_shares},
    {"bad key shares", test_bad_shares},
    {"the hello after a retry", test_second_hello},
    {"a hello with any byte wrong", test_flipped_hello},
    {"records after the hello", test_records_after_hello},
    {"records when open", test_records_when_open},
    {"tampered records", test_tampered},
    {"records that carry nothing", test_idle_records},
    CU_TEST_INFO_NULL,
};
