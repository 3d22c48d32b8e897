/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The client's end, against the server's end of the same module. */
#include "base/mem.h"
#include "check.h"
#include "suites.h"
#include "tls_cast.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const size_t chunks[] = {KIT_WHOLE, 7, 1};

static const struct row rows[] = {
    {"good", CALL(GOOD, AUTHORITY, "desk.example")},
    {"dot behind", CALL(GOOD, AUTHORITY, "desk.example.")},
    {"letter case", CALL(GOOD, AUTHORITY, "DESK.Example")},
    {"wildcard", CALL(GOOD, AUTHORITY, "a.wild.example")},
    {"trusted itself", CALL(STRANGER, STRANGER, "other.example")},
    {"IPv4", CALL(ADDRESS, AUTHORITY, "10.0.0.5")},
    {"IPv6", CALL(ADDRESS, AUTHORITY, "2001:db8::1")},
    {"unchecked", CALL(FOREIGN, NOBODY, "nobody.example"), .verify = TLS_VERIFY_OFF},
    {"unchecked, expired", CALL(EXPIRED, NOBODY, ""), .verify = TLS_VERIFY_OFF},

#define BAD_NAME \
    .client_detail = "certificate is for another name", \
    .server_detail = "alert bad_certificate received: no certificate is for the client's SNI"
#define BAD_ADDRESS \
    .client_detail = "certificate is for another name", \
    .server_detail = "alert bad_certificate received"
    {"other name", CALL(GOOD, AUTHORITY, "other.example"), BAD_NAME},
    {"longer name", CALL(GOOD, AUTHORITY, "a.desk.example"), BAD_NAME},
    {"part of a name", CALL(GOOD, AUTHORITY, "esk.example"), BAD_NAME},
    {"two labels under a wildcard", CALL(GOOD, AUTHORITY, "a.b.wild.example"), BAD_NAME},
    {"none under a wildcard", CALL(GOOD, AUTHORITY, "wild.example"), BAD_NAME},
    {"the common name", CALL(GOOD, AUTHORITY, "cn.desk.example"), BAD_NAME},
    {"other IPv4", CALL(ADDRESS, AUTHORITY, "10.0.0.6"), BAD_ADDRESS},
    {"other IPv6", CALL(ADDRESS, AUTHORITY, "2001:db8::2"), BAD_ADDRESS},
    {"an address as a name", CALL(GOOD, AUTHORITY, "10.0.0.5"), BAD_ADDRESS},

    {"unknown CA", CALL(GOOD, STRANGER, "desk.example"),
     .client_detail = "certificate is from an unknown CA",
     .server_detail = "alert unknown_ca received"},
    {"signed by itself", CALL(STRANGER, AUTHORITY, "other.example"),
     .client_detail = "certificate is from an unknown CA",
     .server_detail = "alert unknown_ca received"},
    {"expired", CALL(EXPIRED, AUTHORITY, "desk.example"),
     .client_detail = "certificate has expired",
     .server_detail = "alert certificate_expired received"},
    {"not yet", CALL(FUTURE, AUTHORITY, "desk.example"),
     .client_detail = "certificate is not valid yet",
     .server_detail = "alert certificate_expired received"},

    {"client shows", CALL(GOOD, AUTHORITY, "desk.example"), .asks = TLS_VERIFY_REQUIRED,
     .client = GOOD},
    {"client may show", CALL(GOOD, AUTHORITY, "desk.example"), .asks = TLS_VERIFY_OPTIONAL,
     .client = GOOD},
    {"client need not show", CALL(GOOD, AUTHORITY, "desk.example"), .asks = TLS_VERIFY_OPTIONAL},
    {"client is not asked", CALL(GOOD, AUTHORITY, "desk.example"), .client = FOREIGN},
    {"client must show", CALL(GOOD, AUTHORITY, "desk.example"), .asks = TLS_VERIFY_REQUIRED,
     .server_detail = "no certificate was shown"},
    {"client's CA is unknown", CALL(GOOD, AUTHORITY, "desk.example"), .asks = TLS_VERIFY_REQUIRED,
     .client = FOREIGN, .server_detail = "certificate is from an unknown CA"},
    {"client's is expired", CALL(GOOD, AUTHORITY, "desk.example"), .asks = TLS_VERIFY_OPTIONAL,
     .client = EXPIRED, .server_detail = "certificate has expired"},

    {"protocol", CALL(GOOD, AUTHORITY, "desk.example"), .protocols = {"h2", "h2"},
     .protocol = "h2"},
    {"the server's order", CALL(GOOD, AUTHORITY, "desk.example"),
     .protocols = {"http/1.1,h2", "h2,http/1.1"}, .protocol = "h2"},
    {"the server's second", CALL(GOOD, AUTHORITY, "desk.example"),
     .protocols = {"x,http/1.1", "h2,http/1.1"}, .protocol = "http/1.1"},
    {"the server has none", CALL(GOOD, AUTHORITY, "desk.example"), .protocols = {"h2", NULL}},
    {"the client has none", CALL(GOOD, AUTHORITY, "desk.example"), .protocols = {NULL, "h2"}},
    {"no common protocol", CALL(GOOD, AUTHORITY, "desk.example"), .protocols = {"x", "h2,http/1.1"},
     .client_detail = "alert no_application_protocol received",
     .server_detail = "no common application protocol (ALPN): the client wants none of ours"},
};

/* ---------------------------------------------------------------------------------- handshakes */

static void check_good(const struct row *row, int version, struct ends *e)
{
    const char *want_version = version == WOLFSSL_TLSV1_2 ? "TLSv1.2" : "TLSv1.3";
    CHECK_EQ_STR(row->name, tls_version_name(e->client.tls), want_version);
    struct span client = tls_protocol(e->client.tls);
    struct span server = tls_protocol(e->server.tls);
    struct span want = span_from_str(row->protocol);
    CHECK_EQ_MEM(row->name, client.data, client.len, want.data, want.len);
    CHECK_EQ_MEM(row->name, server.data, server.len, want.data, want.len);
    CHECK_EQ_STR(row->name, tls_detail(e->client.tls), NULL);
    CHECK_EQ_STR(row->name, tls_detail(e->server.tls), NULL);
    check_talk(row->name, e);
}

/* What the client and the server say of the fault. With TLS 1.3 a client that the server refuses
 * has finished already, and learns of it with the next bytes. */
static void check_bad(const struct row *row, struct ends *e)
{
    CHECK_EQ_INT(row->name, e->server.result, TLS_FAILED);
    CHECK_EQ_STR(row->name, tls_detail(e->server.tls), row->server_detail);
    CHECK_EQ_INT(row->name, e->client.result, TLS_FAILED);
    if (row->client_detail != NULL) {
        CHECK_EQ_STR(row->name, tls_detail(e->client.tls), row->client_detail);
        CHECK_FALSE(row->name, tls_is_established(e->client.tls));
    } else {
        const char *heard = tls_detail(e->client.tls);
        CHECK_TRUE(row->name, heard != NULL && strncmp(heard, "alert ", 6) == 0);
    }
    CHECK_EQ_INT(row->name, end_say(&e->client, "x"), TLS_FAILED);
    CHECK_EQ_U64(row->name, e->server.plain.len + e->client.plain.len, 0);
}

static void shake(const struct row *row, int version, size_t chunk, bool is_shaking)
{
    size_t before = mem_live_blocks();
    struct ends e;
    struct tls_context *server = server_of(row);
    struct tls_context *client = client_of(row, version);
    ends_open(&e, client, server, row->called, chunk);
    tls_context_free(client); /* the sessions keep what they need */
    tls_context_free(server);
    e.is_shaking = is_shaking;
    bool is_good = row->server_detail == NULL;
    CHECK_EQ_INT(row->name, ends_shake(&e), is_good);
    if (is_good) {
        check_good(row, version, &e);
    } else {
        check_bad(row, &e);
    }
    ends_close(&e);
    CHECK_EQ_U64(row->name, mem_live_blocks(), before);
}

static void test_combinations(void)
{
    for (size_t i = 0; i < COUNT(rows) * COUNT(chunks); i++) {
        const struct row *row = &rows[i / COUNT(chunks)];
        size_t chunk = chunks[i % COUNT(chunks)];
        shake(row, WOLFSSL_TLSV1_3, chunk, false);
        shake(row, WOLFSSL_TLSV1_3, chunk, true);
        shake(row, WOLFSSL_TLSV1_2, chunk, false);
        shake(row, WOLFSSL_TLSV1_2, chunk, true);
    }
}

/* A certificate stands between the server's and the CA's. */
static void test_chain(void)
{
    static const int versions[] = {WOLFSSL_TLSV1_2, WOLFSSL_TLSV1_3};
    struct kit_form between_form = {.names = "between.example", .issuer = pair_of(AUTHORITY)};
    struct kit_pair between = kit_make(KIT_EC, &between_form);
    struct kit_form form = {.names = "desk.example", .issuer = &between};
    struct kit_pair leaf = kit_make(KIT_EC, &form);
    struct kit_queue chain = {0};
    kit_put(&chain, leaf.certificate, strlen(leaf.certificate));
    kit_put(&chain, between.certificate, strlen(between.certificate));
    struct tls_pair pairs[] = {
        {{(const char *)chain.data, chain.len}, span_from_str(leaf.key)},
        kit_as_pair(&leaf), /* without the certificate between */
    };
    for (size_t i = 0; i < COUNT(pairs) * COUNT(versions); i++) {
        struct row row = {.name = "chain", .trust = AUTHORITY, .called = "desk.example"};
        struct ends e;
        struct tls_context *server = kit_server(&pairs[i / COUNT(versions)], 1, TLS_1_2);
        struct tls_context *client = client_of(&row, versions[i % COUNT(versions)]);
        ends_open(&e, client, server, row.called, KIT_WHOLE);
        CHECK_EQ_INT("chain", ends_shake(&e), i < COUNT(versions));
        const char *want = i < COUNT(versions) ? NULL : "certificate is from an unknown CA";
        CHECK_EQ_STR("chain", tls_detail(e.client.tls), want);
        tls_context_free(client);
        tls_context_free(server);
        ends_close(&e);
    }
    kit_empty(&chain);
}

/* ---------------------------------------------------------------------------------- settings */

static void test_bad_settings(void)
{
    const struct kit_pair *good = pair_of(GOOD);
    struct tls_pair pair = kit_as_pair(good);
    struct {
        const char *name;
        struct tls_settings settings;
        const char *want;
    } settings_rows[] = {
        {"nobody to trust", {.role = TLS_CLIENT}, "no CA is named that peers can be verified with"},
        {"nobody for clients",
         {.pairs = &pair, .pair_count = 1, .verify = TLS_VERIFY_OPTIONAL},
         "no CA is named that peers can be verified with"},
        {"no CA",
         {.role = TLS_CLIENT, .trust = SPAN_LIT("hello")},
         "no good CA certificate is among those to trust"},
        {"a key for a CA",
         {.role = TLS_CLIENT, .trust = pair.key},
         "no good CA certificate is among those to trust"},
        {"a bad pair",
         {.role = TLS_CLIENT,
          .verify = TLS_VERIFY_OFF,
          .pairs = &(struct tls_pair){pair.certificate, {"", 0}},
          .pair_count = 1},
         "the file is empty"},
    };
    for (size_t i = 0; i < COUNT(settings_rows); i++) {
        const char *detail = NULL;
        size_t before = mem_live_blocks();
        struct tls_context *context = tls_context_new(&settings_rows[i].settings, &detail);
        CHECK_TRUE(settings_rows[i].name, context == NULL);
        CHECK_EQ_STR(settings_rows[i].name, detail, settings_rows[i].want);
        tls_context_free(context);
        CHECK_EQ_U64(settings_rows[i].name, mem_live_blocks(), before);
    }
}

/* A server that asks for a certificate takes no ticket from a server that asked for none. */
static void check_ticket(int version)
{
    struct row open_row = {.name = "open", .server = GOOD};
    struct row closed_row = {.name = "closed", .server = GOOD, .asks = TLS_VERIFY_REQUIRED};
    struct tls_context *open = server_of(&open_row);
    struct tls_context *closed = server_of(&closed_row);
    struct kit_wish wish = {.server_name = "desk.example", .only_version = version};
    struct kit_queue heard = {0};
    struct kit_link link;
    CHECK_TRUE("open", kit_connect(&link, open, &wish, KIT_WHOLE));
    CHECK_EQ_INT("open", kit_seal(&link, (const uint8_t *)"x", 1), TLS_OK);
    (void)kit_client_read(&link, &heard);
    wish.resume = wolfSSL_get1_session(link.client.ssl);
    kit_link_close(&link);
    CHECK_TRUE("open again", kit_connect(&link, open, &wish, KIT_WHOLE));
    CHECK_TRUE("open again", wolfSSL_session_reused(link.client.ssl));
    kit_link_close(&link);
    CHECK_FALSE("closed", kit_connect(&link, closed, &wish, KIT_WHOLE));
    CHECK_FALSE("closed", tls_is_established(link.server));
    kit_link_close(&link);
    wolfSSL_SESSION_free(wish.resume);
    kit_empty(&heard);
    tls_context_free(open);
    tls_context_free(closed);
}

static void test_ticket_instead_of_certificate(void)
{
    check_ticket(WOLFSSL_TLSV1_2);
    check_ticket(WOLFSSL_TLSV1_3);
}

CU_TestInfo tls_client_tests[] = {
    {"who trusts whom, and speaks what", test_combinations},
    {"a chain", test_chain},
    {"bad settings", test_bad_settings},
    {"a ticket instead of a certificate", test_ticket_instead_of_certificate},
    CU_TEST_INFO_NULL,
};
