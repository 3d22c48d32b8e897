/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/tls.h"

#include "base/mem.h"
#include "check.h"
#include "suites.h"
#include "tls_kit.h"

static const size_t chunks[] = {1, 7, KIT_WHOLE};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void fill(uint8_t *data, size_t len, uint32_t seed)
{
    uint32_t x = seed;
    for (size_t i = 0; i < len; i++) {
        x = x * 1664525 + 1013904223;
        data[i] = (uint8_t)(x >> 24);
    }
}

static void check_talk(const char *row, struct kit_link *link)
{
    struct kit_queue heard = {0};
    link->plain.len = 0;
    CHECK_EQ_INT(row, wolfSSL_write(link->client.ssl, "up", 2), 2);
    kit_deliver(link);
    CHECK_EQ_INT(row, link->result, TLS_OK);
    CHECK_EQ_MEM(row, link->plain.data, link->plain.len, "up", 2);
    CHECK_EQ_INT(row, kit_seal(link, (const uint8_t *)"down", 4), TLS_OK);
    CHECK_EQ_INT(row, kit_client_read(link, &heard), WOLFSSL_ERROR_WANT_READ);
    CHECK_EQ_MEM(row, heard.data, heard.len, "down", 4);
    kit_empty(&heard);
}

/* ---------------------------------------------------------------------------------- handshakes */

struct shake_row {
    const char *name;
    enum kit_kind kind;
    int version;
    const char *want_version;
    int group; /* the group of the client's only key share; 0: the client's own choice */
};

static const struct shake_row shake_rows[] = {
    {"EC 1.3", KIT_EC, WOLFSSL_TLSV1_3, "TLSv1.3", 0},
    {"EC 1.2", KIT_EC, WOLFSSL_TLSV1_2, "TLSv1.2", 0},
    {"RSA 1.3", KIT_RSA, WOLFSSL_TLSV1_3, "TLSv1.3", 0},
    {"RSA 1.2", KIT_RSA, WOLFSSL_TLSV1_2, "TLSv1.2", 0},
    {"either", KIT_EC, 0, "TLSv1.3", 0},
    {"X25519", KIT_EC, WOLFSSL_TLSV1_3, "TLSv1.3", WOLFSSL_ECC_X25519},
    {"P-256", KIT_EC, WOLFSSL_TLSV1_3, "TLSv1.3", WOLFSSL_ECC_SECP256R1},
    {"P-384", KIT_EC, WOLFSSL_TLSV1_3, "TLSv1.3", WOLFSSL_ECC_SECP384R1},
    {"hello retry", KIT_EC, WOLFSSL_TLSV1_3, "TLSv1.3", WOLFSSL_ECC_SECP521R1},
};

static void shake(const struct shake_row *row, size_t chunk)
{
    struct kit_link link;
    struct kit_wish wish = {.only_version = row->version,
                            .share = (word16)row->group,
                            .server_name = "one.example",
                            .protocols = "http/1.1"};
    struct tls_context *context = kit_context(row->kind, TLS_1_2);
    kit_link_open(&link, context, &wish, chunk);
    CHECK_EQ_STR(row->name, tls_version_name(link.server), "");
    CHECK_EQ_STR(row->name, tls_suite_name(link.server), "");
    if (CHECK_TRUE(row->name, kit_shake(&link))) {
        struct span sni = tls_sni(link.server);
        CHECK_EQ_STR(row->name, tls_version_name(link.server), row->want_version);
        CHECK_TRUE(row->name, strncmp(tls_suite_name(link.server), "TLS_", 4) == 0);
        CHECK_EQ_MEM(row->name, sni.data, sni.len, "one.example", 11);
        check_talk(row->name, &link);
    }
    tls_context_free(context); /* the session keeps what it needs */
    check_talk(row->name, &link);
    kit_link_close(&link);
}

static void test_handshakes(void)
{
    for (size_t i = 0; i < COUNT(shake_rows); i++) {
        for (size_t j = 0; j < COUNT(chunks); j++) {
            size_t before = mem_live_blocks();
            shake(&shake_rows[i], chunks[j]);
            CHECK_EQ_U64(shake_rows[i].name, mem_live_blocks(), before);
        }
    }
}

/* ---------------------------------------------------------------------------------- suites */

struct suite_row {
    const char *name;
    enum kit_kind kind;
    int version;
    const char *want; /* NULL: the server refuses */
};

static const struct suite_row suite_rows[] = {
    {"TLS13-AES128-GCM-SHA256", KIT_EC, WOLFSSL_TLSV1_3, "TLS_AES_128_GCM_SHA256"},
    {"TLS13-AES256-GCM-SHA384", KIT_EC, WOLFSSL_TLSV1_3, "TLS_AES_256_GCM_SHA384"},
    {"TLS13-CHACHA20-POLY1305-SHA256", KIT_EC, WOLFSSL_TLSV1_3, "TLS_CHACHA20_POLY1305_SHA256"},
    {"ECDHE-ECDSA-AES128-GCM-SHA256", KIT_EC, WOLFSSL_TLSV1_2,
     "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
    {"ECDHE-ECDSA-AES256-GCM-SHA384", KIT_EC, WOLFSSL_TLSV1_2,
     "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
    {"ECDHE-ECDSA-CHACHA20-POLY1305", KIT_EC, WOLFSSL_TLSV1_2,
     "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"},
    {"ECDHE-RSA-AES128-GCM-SHA256", KIT_RSA, WOLFSSL_TLSV1_2,
     "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
    {"ECDHE-RSA-AES256-GCM-SHA384", KIT_RSA, WOLFSSL_TLSV1_2,
     "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"},
    {"ECDHE-RSA-CHACHA20-POLY1305", KIT_RSA, WOLFSSL_TLSV1_2,
     "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"},
    {"DHE-RSA-AES128-GCM-SHA256", KIT_RSA, WOLFSSL_TLSV1_2, NULL},
    {"DHE-RSA-AES256-GCM-SHA384", KIT_RSA, WOLFSSL_TLSV1_2, NULL},
    {"DHE-RSA-CHACHA20-POLY1305", KIT_RSA, WOLFSSL_TLSV1_2, NULL},
    {"ECDHE-ECDSA-AES128-SHA256", KIT_EC, WOLFSSL_TLSV1_2, NULL},
    {"ECDHE-RSA-AES128-SHA256", KIT_RSA, WOLFSSL_TLSV1_2, NULL},
    {"ECDHE-RSA-AES256-SHA384", KIT_RSA, WOLFSSL_TLSV1_2, NULL},
};

/* A reload takes a context away from its owners: a handshake that has begun still has its key, also
 * when another session of the context has completed its own. */
static void test_owner_that_goes(void)
{
    struct kit_wish wish = {.server_name = "one.example"};
    struct kit_link first;
    struct kit_link second;
    for (enum tls_version version = TLS_1_2; version <= TLS_1_3; version++) {
        struct tls_context *context = kit_context(KIT_EC, version);
        wish.only_version = version == TLS_1_2 ? WOLFSSL_TLSV1_2 : WOLFSSL_TLSV1_3;
        kit_link_open(&first, context, &wish, KIT_WHOLE);
        kit_link_open(&second, context, &wish, 100);
        tls_context_free(context);
        CHECK_TRUE("the first", kit_shake(&first));
        check_talk("the first", &first);
        CHECK_TRUE("the second", kit_shake(&second));
        check_talk("without keys", &first);
        check_talk("without keys", &second);
        kit_link_close(&first);
        check_talk("without keys", &second);
        kit_link_close(&second);
    }
}

static void test_suites(void)
{
    for (size_t i = 0; i < COUNT(suite_rows); i++) {
        const struct suite_row *row = &suite_rows[i];
        struct kit_link link;
        struct kit_wish wish = {.only_version = row->version, .suites = row->name};
        struct tls_context *context = kit_context(row->kind, TLS_1_2);
        bool ok = kit_connect(&link, context, &wish, KIT_WHOLE);
        CHECK_EQ_INT(row->name, ok, row->want != NULL);
        if (row->want != NULL) {
            CHECK_EQ_STR(row->name, tls_suite_name(link.server), row->want);
        } else {
            CHECK_EQ_INT(row->name, link.result, TLS_FAILED);
            CHECK_EQ_U64(row->name, kit_alert(&link), 40); /* handshake_failure */
        }
        kit_link_close(&link);
        tls_context_free(context);
    }
}

static void test_min_version(void)
{
    struct kit_link link;
    struct kit_wish old = {.only_version = WOLFSSL_TLSV1_2};
    struct kit_wish both = {0};
    struct tls_context *context = kit_context(KIT_EC, TLS_1_3);
    CHECK_FALSE("1.2", kit_connect(&link, context, &old, KIT_WHOLE));
    CHECK_EQ_INT("1.2", link.result, TLS_FAILED);
    CHECK_EQ_U64("1.2", kit_alert(&link), 70); /* protocol_version */
    kit_link_close(&link);
    CHECK_TRUE("1.3", kit_connect(&link, context, &both, KIT_WHOLE));
    CHECK_EQ_STR("1.3", tls_version_name(link.server), "TLSv1.3");
    kit_link_close(&link);
    tls_context_free(context);
}

/* ---------------------------------------------------------------------------------- ALPN */

struct protocol_row {
    const char *protocols; /* NULL: the client sends none */
    bool want;
};

static const struct protocol_row protocol_rows[] = {
    {NULL, true},          {"http/1.1", true},  {"h2,http/1.1", true},
    {"http/1.1,h2", true}, {"h2", false},       {"http/1.0", false},
    {"http/1.12", false},  {"HTTP/1.1", false}, {"h2,h3,imap", false},
};

static void check_protocol(const struct protocol_row *row, int version)
{
    const char *name = row->protocols != NULL ? row->protocols : "none";
    struct kit_link link;
    struct kit_wish wish = {.only_version = version, .protocols = row->protocols};
    struct tls_context *context = kit_context(KIT_EC, TLS_1_2);
    CHECK_EQ_INT(name, kit_connect(&link, context, &wish, KIT_WHOLE), row->want);
    if (row->want) {
        char *chosen = NULL;
        word16 len = 0;
        int found = wolfSSL_ALPN_GetProtocol(link.client.ssl, &chosen, &len);
        CHECK_EQ_INT(name, found == WOLFSSL_SUCCESS, row->protocols != NULL);
        if (found == WOLFSSL_SUCCESS) {
            CHECK_EQ_MEM(name, chosen, len, "http/1.1", 8);
        }
    } else {
        CHECK_EQ_INT(name, link.result, TLS_FAILED);
        CHECK_EQ_U64(name, kit_alert(&link), 120); /* no_application_protocol */
    }
    kit_link_close(&link);
    tls_context_free(context);
}

static void test_protocols(void)
{
    for (size_t i = 0; i < COUNT(protocol_rows); i++) {
        check_protocol(&protocol_rows[i], WOLFSSL_TLSV1_2);
        check_protocol(&protocol_rows[i], WOLFSSL_TLSV1_3);
    }
}

/* ---------------------------------------------------------------------------------- bytes */

static void check_transfer(int version, size_t chunk, size_t len)
{
    char row[64];
    struct kit_link link;
    struct kit_wish wish = {.only_version = version};
    struct kit_queue heard = {0};
    struct tls_context *context = kit_context(KIT_EC, TLS_1_2);
    uint8_t *data = malloc(len);
    snprintf(row, sizeof(row), "version %d, pieces of %zu", version, chunk);
    fill(data, len, 1);
    if (CHECK_TRUE(row, kit_connect(&link, context, &wish, chunk))) {
        CHECK_EQ_INT(row, wolfSSL_write(link.client.ssl, data, (int)len), (int)len);
        kit_deliver(&link);
        CHECK_EQ_INT(row, link.result, TLS_OK);
        CHECK_EQ_U64(row, link.plain.len, len);
        CHECK_TRUE(row, link.plain.len == len && memcmp(link.plain.data, data, len) == 0);
        fill(data, len, 2);
        CHECK_EQ_INT(row, kit_seal(&link, data, len), TLS_OK);
        CHECK_EQ_INT(row, kit_client_read(&link, &heard), WOLFSSL_ERROR_WANT_READ);
        CHECK_TRUE(row, heard.len == len && memcmp(heard.data, data, len) == 0);
    }
    free(data);
    kit_empty(&heard);
    kit_link_close(&link);
    tls_context_free(context);
}

static void test_transfer(void)
{
    static const int versions[] = {WOLFSSL_TLSV1_2, WOLFSSL_TLSV1_3};
    for (size_t i = 0; i < COUNT(versions); i++) {
        check_transfer(versions[i], 1, 40000);
        check_transfer(versions[i], 7, 40000);
        check_transfer(versions[i], 5000, 1024 * 1024);
        check_transfer(versions[i], KIT_WHOLE, 1024 * 1024);
        check_transfer(versions[i], KIT_WHOLE, 1);
    }
}

/* Data comes behind the client's last handshake message, in one piece with it. */
static void test_data_behind_handshake(void)
{
    struct kit_link link;
    struct kit_wish wish = {.only_version = WOLFSSL_TLSV1_3};
    struct tls_context *context = kit_context(KIT_EC, TLS_1_2);
    kit_link_open(&link, context, &wish, KIT_WHOLE);
    CHECK_TRUE("hello", wolfSSL_connect(link.client.ssl) != WOLFSSL_SUCCESS);
    kit_deliver(&link);
    CHECK_FALSE("hello", tls_is_established(link.server));
    CHECK_EQ_INT("finished", wolfSSL_connect(link.client.ssl), WOLFSSL_SUCCESS);
    CHECK_EQ_INT("data", wolfSSL_write(link.client.ssl, "early bird", 10), 10);
    CHECK_EQ_INT("data", wolfSSL_write(link.client.ssl, ", twice", 7), 7);
    kit_deliver(&link);
    CHECK_TRUE("all", tls_is_established(link.server));
    CHECK_EQ_MEM("all", link.plain.data, link.plain.len, "early bird, twice", 17);
    kit_link_close(&link);
    tls_context_free(context);
}

static void test_key_updates(void)
{
    enum { ROUNDS = 5, LEN = 1000 };
    struct kit_link link;
    struct kit_wish wish = {.only_version = WOLFSSL_TLSV1_3};
    struct kit_queue heard = {0};
    struct tls_context *context = kit_context(KIT_EC, TLS_1_2);
    uint8_t data[ROUNDS * LEN];
    fill(data, sizeof(data), 3);
    CHECK_TRUE("handshake", kit_connect(&link, context, &wish, 3));
    for (size_t i = 0; i < ROUNDS; i++) {
        CHECK_EQ_INT("write", kit_seal(&link, data + i * LEN, LEN), TLS_OK);
        CHECK_EQ_INT("update", wolfSSL_update_keys(link.client.ssl), WOLFSSL_SUCCESS);
        kit_deliver(&link);
        CHECK_EQ_INT("update", link.result, TLS_OK);
    }
    CHECK_EQ_INT("read", kit_client_read(&link, &heard), WOLFSSL_ERROR_WANT_READ);
    CHECK_EQ_U64("read", heard.len, sizeof(data));
    CHECK_TRUE("read", heard.len == sizeof(data) && memcmp(heard.data, data, sizeof(data)) == 0);
    check_talk("afterwards", &link);
    kit_empty(&heard);
    kit_link_close(&link);
    tls_context_free(context);
}

/* ---------------------------------------------------------------------------------- endings */

static void check_close_by_client(int version, size_t chunk)
{
    struct kit_link link;
    struct kit_wish wish = {.only_version = version};
    struct kit_queue heard = {0};
    struct tls_context *context = kit_context(KIT_EC, TLS_1_2);
    CHECK_TRUE("close", kit_connect(&link, context, &wish, chunk));
    CHECK_EQ_INT("last words", wolfSSL_write(link.client.ssl, "bye", 3), 3);
    (void)wolfSSL_shutdown(link.client.ssl);
    kit_put(&link.client.out, "\x17\x03\x03\x00\x20 thrown away", 17);
    kit_deliver(&link);
    CHECK_EQ_INT("eof", link.result, TLS_EOF);
    CHECK_EQ_MEM("eof", link.plain.data, link.plain.len, "bye", 3);
    CHECK_EQ_INT("our side goes on", kit_seal(&link, (const uint8_t *)"late", 4), TLS_OK);
    (void)kit_client_read(&link, &heard);
    CHECK_EQ_MEM("our side goes on", heard.data, heard.len, "late", 4);
    kit_feed(&link, (const uint8_t *)"more", 4);
    CHECK_EQ_INT("again", link.result, TLS_EOF);
    kit_empty(&heard);
    kit_link_close(&link);
    tls_context_free(context);
}

static void test_close_by_client(void)
{
    for (size_t i = 0; i < COUNT(chunks); i++) {
        check_close_by_client(WOLFSSL_TLSV1_2, chunks[i]);
        check_close_by_client(WOLFSSL_TLSV1_3, chunks[i]);
    }
}

static void check_close_by_server(int version)
{
    uint8_t wire[64];
    struct tls_wire out = {wire, sizeof(wire), 0};
    struct kit_link link;
    struct kit_wish wish = {.only_version = version};
    struct kit_queue heard = {0};
    struct tls_context *context = kit_context(KIT_EC, TLS_1_2);
    CHECK_TRUE("close", kit_connect(&link, context, &wish, KIT_WHOLE));
    tls_finish(link.server, &out);
    CHECK_TRUE("close_notify", out.len > 0);
    kit_put(&link.client.in, wire, out.len);
    CHECK_EQ_INT("client", kit_client_read(&link, &heard), WOLFSSL_ERROR_ZERO_RETURN);
    out.len = 0;
    tls_finish(link.server, &out);
    CHECK_EQ_U64("only once", out.len, 0);
    CHECK_EQ_INT("sealed no more", kit_seal(&link, (const uint8_t *)"x", 1), TLS_FAILED);
    CHECK_EQ_INT("client's last", wolfSSL_write(link.client.ssl, "still here", 10), 10);
    kit_deliver(&link);
    CHECK_EQ_INT("client's last", link.result, TLS_OK);
    CHECK_EQ_MEM("client's last", link.plain.data, link.plain.len, "still here", 10);
    kit_empty(&heard);
    kit_link_close(&link);
    tls_context_free(context);
}

static void test_close_by_server(void)
{
    check_close_by_server(WOLFSSL_TLSV1_2);
    check_close_by_server(WOLFSSL_TLSV1_3);
}

/* The client may be gone at every point of the handshake. */
static void test_truncation(void)
{
    struct kit_link link;
    struct kit_wish wish = {.server_name = "one.example", .protocols = "http/1.1"};
    struct tls_context *context = kit_context(KIT_EC, TLS_1_2);
    size_t before = mem_live_blocks();
    size_t hello_len = SIZE_MAX;
    for (size_t cut = 0; cut < hello_len; cut++) {
        uint8_t wire[64];
        struct tls_wire out = {wire, sizeof(wire), 0};
        kit_link_open(&link, context, &wish, KIT_WHOLE);
        (void)wolfSSL_connect(link.client.ssl);
        hello_len = link.client.out.len;
        kit_feed(&link, link.client.out.data, cut);
        CHECK_EQ_INT("cut hello", link.result, TLS_OK);
        CHECK_EQ_U64("cut hello", link.wire.len, 0);
        tls_finish(link.server, &out);
        CHECK_EQ_U64("nothing to finish", out.len, 0);
        CHECK_EQ_INT("nothing to seal", kit_seal(&link, (const uint8_t *)"x", 1), TLS_FAILED);
        kit_link_close(&link);
        CHECK_EQ_U64("cut hello", mem_live_blocks(), before);
    }
    tls_context_free(context);
}

static void test_small_wire(void)
{
    struct tls_context *context = kit_context(KIT_EC, TLS_1_2);
    struct kit_wish wish = {0};
    uint8_t wire[1024];
    static uint8_t plain[64 * 1024];
    for (size_t size = 0; size < 400; size += 50) {
        struct kit_link link;
        struct tls_wire out = {wire, size, 0};
        size_t plain_len = 0;
        kit_link_open(&link, context, &wish, KIT_WHOLE);
        (void)wolfSSL_connect(link.client.ssl);
        CHECK_EQ_INT("no room",
                     tls_feed(link.server, link.client.out.data, link.client.out.len, plain,
                              sizeof(plain), &plain_len, &out),
                     TLS_FAILED);
        CHECK_TRUE("no room", out.len <= size);
        kit_link_close(&link);
    }
    tls_context_free(context);
}

CU_TestInfo tls_tests[] = {
    {"handshakes at every chunking", test_handshakes},
    {"an owner that goes", test_owner_that_goes},
    {"suites, taken and refused", test_suites},
    {"minimum version", test_min_version},
    {"ALPN", test_protocols},
    {"bytes both ways", test_transfer},
    {"data behind the handshake", test_data_behind_handshake},
    {"key updates between writes", test_key_updates},
    {"close_notify from the client", test_close_by_client},
    {"close_notify from the server", test_close_by_server},
    {"a hello cut off anywhere", test_truncation},
    {"no room for the answer", test_small_wire},
    CU_TEST_INFO_NULL,
};
