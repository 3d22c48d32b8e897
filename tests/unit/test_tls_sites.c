/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Contexts: certificates by name, tickets across contexts, pairs that a context must refuse. */
#include "io/tls.h"

#include "base/mem.h"
#include "check.h"
#include "suites.h"
#include "tls_kit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const uint8_t seed_a[32] = "one seed of thirty-two bytes...";
static const uint8_t seed_b[32] = "another seed of as many bytes..";

/* ---------------------------------------------------------------------------------- by name */

enum { SITES = 3 };

static const char *const site_names[SITES] = {"first.example,www.first.example",
                                              "*.second.example,Exact.Third.Example",
                                              "third.example,*.third.example"};

static struct tls_context *make_sites(const struct kit_pair *made)
{
    struct tls_pair pairs[SITES];
    for (size_t i = 0; i < SITES; i++) {
        pairs[i] = kit_as_pair(&made[i]);
    }
    return kit_server(pairs, SITES, TLS_1_2);
}

static const struct kit_pair *made_sites(void)
{
    static struct kit_pair made[SITES];
    if (made[0].key[0] == '\0') {
        for (size_t i = 0; i < SITES; i++) {
            made[i] = kit_make_pair(KIT_EC, site_names[i]);
        }
    }
    return made;
}

struct name_row {
    const char *name; /* NULL: no SNI */
    size_t want;
};

static const struct name_row name_rows[] = {
    {"first.example", 0},    {"www.first.example", 0},   {"a.second.example", 1},
    {"second.example", 0},   {"a.b.second.example", 0},  {"third.example", 2},
    {"x.third.example", 2},  {"exact.third.example", 1}, {"EXACT.third.example", 1},
    {"A.Second.Example", 1}, {"third.example.", 2},      {"unknown.example", 0},
    {"xsecond.example", 0},  {".second.example", 0},     {"third.example.evil.org", 0},
    {"*.second.example", 1}, {"127.0.0.1", 0},           {NULL, 0},
};

static void test_names(void)
{
    static const int versions[] = {WOLFSSL_TLSV1_2, WOLFSSL_TLSV1_3};
    const struct kit_pair *made = made_sites();
    struct tls_context *context = make_sites(made);
    for (size_t i = 0; i < COUNT(name_rows) * COUNT(versions); i++) {
        const struct name_row *row = &name_rows[i / COUNT(versions)];
        const char *label = row->name != NULL ? row->name : "none";
        /* The client trusts only the certificate that the row wants; each certificate has its own
         * key. */
        struct kit_wish wish = {.server_name = row->name,
                                .only_version = versions[i % COUNT(versions)],
                                .trust = made[row->want].certificate};
        struct kit_link link;
        CHECK_TRUE(label, kit_connect(&link, context, &wish, KIT_WHOLE));
        kit_link_close(&link);
        wish.trust = made[(row->want + 1) % SITES].certificate;
        CHECK_FALSE(label, kit_connect(&link, context, &wish, KIT_WHOLE));
        kit_link_close(&link);
    }
    tls_context_free(context);
}

/* ---------------------------------------------------------------------------------- tickets */

struct resume_row {
    const char *name;
    const char *first_name;
    const char *second_name;
    bool is_same_context;
    const uint8_t *second_seed;
    bool want;
};

static const struct resume_row resume_rows[] = {
    {"same context", "first.example", "first.example", true, seed_a, true},
    {"same seed", "first.example", "first.example", false, seed_a, true},
    {"letter case", "first.example", "FIRST.example", false, seed_a, true},
    {"no names", NULL, NULL, false, seed_a, true},
    {"other seed", "first.example", "first.example", false, seed_b, false},
    {"name of another certificate", "first.example", "third.example", true, seed_a, false},
    {"name of the same certificate", "first.example", "www.first.example", true, seed_a, false},
    {"name given up", "first.example", NULL, true, seed_a, false},
    {"name added", NULL, "first.example", true, seed_a, false},
};

/* In a full handshake with TLS 1.2, the server's Certificate message is in the clear. */
static bool has_certificate_message(const struct kit_queue *wire)
{
    /* Behind the ChangeCipherSpec (20) everything is sealed, and any byte may come first. */
    for (size_t at = 0; at + 6 <= wire->len && wire->data[at] != 20;) {
        size_t len = (size_t)wire->data[at + 3] << 8 | wire->data[at + 4];
        if (wire->data[at] == 22 && wire->data[at + 5] == 11) {
            return true;
        }
        at += 5 + len;
    }
    return false;
}

/* wolfSSL's client expects that the server takes its TLS 1.2 ticket, and gives up otherwise. */
static void check_full_handshake(const char *row, struct kit_link *link)
{
    (void)kit_shake(link);
    CHECK_TRUE(row, has_certificate_message(&link->wire));
}

static void check_second(const struct resume_row *row, struct kit_link *link,
                         struct kit_queue *heard)
{
    CHECK_TRUE(row->name, kit_shake(link));
    CHECK_EQ_INT(row->name, wolfSSL_session_reused(link->client.ssl), row->want);
    CHECK_EQ_INT(row->name, kit_seal(link, (const uint8_t *)"y", 1), TLS_OK);
    CHECK_EQ_INT(row->name, kit_client_read(link, heard), WOLFSSL_ERROR_WANT_READ);
    CHECK_TRUE(row->name, heard->len > 0 && heard->data[heard->len - 1] == 'y');
}

static void resume(const struct resume_row *row, int version)
{
    struct kit_link link;
    struct kit_queue heard = {0};
    struct kit_wish wish = {.server_name = row->first_name, .only_version = version};
    tls_set_ticket_seed(seed_a);
    struct tls_context *first = make_sites(made_sites());
    struct tls_context *second = first;
    CHECK_TRUE(row->name, kit_connect(&link, first, &wish, KIT_WHOLE));
    CHECK_EQ_INT(row->name, kit_seal(&link, (const uint8_t *)"x", 1), TLS_OK);
    CHECK_EQ_INT(row->name, kit_client_read(&link, &heard), WOLFSSL_ERROR_WANT_READ);
    CHECK_FALSE(row->name, wolfSSL_session_reused(link.client.ssl));
    wish.resume = wolfSSL_get1_session(link.client.ssl);
    kit_link_close(&link);
    if (!row->is_same_context) {
        tls_set_ticket_seed(row->second_seed);
        second = make_sites(made_sites());
    }
    wish.server_name = row->second_name;
    /* Twice, because the ticket of a resumed session is as good as the first one. */
    for (int i = 0; i < 2; i++) {
        kit_link_open(&link, second, &wish, KIT_WHOLE);
        if (version == WOLFSSL_TLSV1_2 && !row->want) {
            check_full_handshake(row->name, &link);
        } else {
            check_second(row, &link, &heard);
            CHECK_EQ_INT(row->name, has_certificate_message(&link.wire), false);
        }
        if (row->want) {
            wolfSSL_SESSION_free(wish.resume);
            wish.resume = wolfSSL_get1_session(link.client.ssl);
        }
        kit_link_close(&link);
    }
    wolfSSL_SESSION_free(wish.resume);
    kit_empty(&heard);
    if (second != first) {
        tls_context_free(second);
    }
    tls_context_free(first);
}

static void test_tickets(void)
{
    for (size_t i = 0; i < COUNT(resume_rows); i++) {
        size_t before = mem_live_blocks();
        resume(&resume_rows[i], WOLFSSL_TLSV1_2);
        resume(&resume_rows[i], WOLFSSL_TLSV1_3);
        CHECK_EQ_U64(resume_rows[i].name, mem_live_blocks(), before);
    }
}

/* ---------------------------------------------------------------------------------- bad pairs */

static const char encrypted_8[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                                  "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAi\n"
                                  "-----END ENCRYPTED PRIVATE KEY-----\n";
static const char encrypted_1[] = "-----BEGIN EC PRIVATE KEY-----\n"
                                  "Proc-Type: 4,ENCRYPTED\n"
                                  "DEK-Info: AES-128-CBC,A0C0B0\n\n"
                                  "AAAA\n"
                                  "-----END EC PRIVATE KEY-----\n";
static const char damaged[] = "-----BEGIN CERTIFICATE-----\n"
                              "MIIBVjCB/qADAgECAhQAAAAA\n"
                              "-----END CERTIFICATE-----\n";
static const char cut_key[] = "-----BEGIN EC PRIVATE KEY-----\n"
                              "MHcCAQEEAAAA\n"
                              "-----END EC PRIVATE KEY-----\n";
static const char damaged_key[] = "-----BEGIN EC PRIVATE KEY-----\n"
                                  "MAMCAQU=\n"
                                  "-----END EC PRIVATE KEY-----\n";

static void check_refused(const char *row, const char *certificate, const char *key,
                          const char *want)
{
    struct tls_pair pairs[2] = {kit_as_pair(kit_pair_of(KIT_EC)),
                                {span_from_str(certificate), span_from_str(key)}};
    for (size_t skip = 0; skip < 2; skip++) {
        const char *detail = NULL;
        size_t before = mem_live_blocks();
        struct tls_settings settings = {.pairs = pairs + skip, .pair_count = 2 - skip};
        struct tls_context *context = tls_context_new(&settings, &detail);
        CHECK_TRUE(row, context == NULL);
        CHECK_EQ_STR(row, detail, want);
        tls_context_free(context);
        CHECK_EQ_U64(row, mem_live_blocks(), before);
    }
}

#define ENCRYPTED "key is encrypted, which sluice cannot ask about: openssl pkey -in FILE -out NEW"

static void test_bad_pairs(void)
{
    struct kit_pair other_rsa = kit_make_pair(KIT_RSA, "one.example");
    const struct kit_pair *ec = kit_pair_of(KIT_EC);
    const struct kit_pair *rsa = kit_pair_of(KIT_RSA);
    check_refused("empty", "", ec->key, "the file is empty");
    check_refused("text", "hello", ec->key, "certificate is not PEM");
    check_refused("key for certificate", ec->key, ec->key,
                  "the certificate's file has only a key: are tls_certificate and tls_key "
                  "exchanged?");
    check_refused("damaged", damaged, ec->key, "certificate is damaged");
    check_refused("no key", ec->certificate, "", "the file is empty");
    check_refused("certificate for key", ec->certificate, ec->certificate,
                  "the key's file has only a certificate: are tls_certificate and tls_key "
                  "exchanged?");
    check_refused("PKCS #8", ec->certificate, encrypted_8, ENCRYPTED);
    check_refused("traditional", ec->certificate, encrypted_1, ENCRYPTED);
    check_refused("key cut off", ec->certificate, cut_key, "key is damaged");
    check_refused("damaged key", ec->certificate, damaged_key,
                  "key is damaged, or of another kind than the certificate's");
    check_refused("other RSA key", rsa->certificate, other_rsa.key,
                  "key does not belong to the certificate");
    check_refused("RSA key, EC certificate", ec->certificate, rsa->key,
                  "key does not belong to the certificate");
    check_refused("EC key, RSA certificate", rsa->certificate, ec->key,
                  "key does not belong to the certificate");
}

static void test_no_pair(void)
{
    const char *detail = NULL;
    struct tls_settings settings = {.role = TLS_SERVER};
    struct tls_context *context = tls_context_new(&settings, &detail);
    CHECK_TRUE("none", context == NULL);
    CHECK_EQ_STR("none", detail, "no certificate");
    tls_context_free(context);
}

/* A chain may have blanks around it and text in front. */
static void test_chain(void)
{
    static const char *const between[SITES] = {"subject=test\n\n", "\n", ""};
    static const size_t order[SITES] = {1, 0, 2};
    const struct kit_pair *made = made_sites();
    struct kit_queue chain = {0};
    struct kit_link link;
    struct kit_wish wish = {0};
    for (size_t i = 0; i < SITES; i++) {
        const char *certificate = made[order[i]].certificate;
        kit_put(&chain, between[i], strlen(between[i]));
        kit_put(&chain, certificate, strlen(certificate));
    }
    struct tls_pair pair = {{(const char *)chain.data, chain.len}, span_from_str(made[1].key)};
    struct tls_context *context = kit_server(&pair, 1, TLS_1_3);
    CHECK_TRUE("chain", kit_connect(&link, context, &wish, KIT_WHOLE));
    kit_link_close(&link);
    tls_context_free(context);
    kit_empty(&chain);
}

/* ---------------------------------------------------------------------------------- no memory */

static void test_context_without_memory(void)
{
    static const struct span protocols[] = {{"h2", 2}, {"http/1.1", 8}};
    const struct kit_pair *made = kit_pair_of(KIT_EC);
    struct tls_pair pair = kit_as_pair(made);
    struct tls_settings settings = {.pairs = &pair,
                                    .pair_count = 1,
                                    .protocols = protocols,
                                    .protocol_count = COUNT(protocols),
                                    .trust = pair.certificate,
                                    .verify = TLS_VERIFY_REQUIRED};
    size_t before = mem_live_blocks();
    for (uint64_t n = 1; n < 2000; n++) {
        const char *detail = NULL;
        mem_fail_after(n);
        struct tls_context *context = tls_context_new(&settings, &detail);
        mem_fail_after(0);
        if (context != NULL) {
            tls_context_free(context);
            CHECK_EQ_U64("all given back", mem_live_blocks(), before);
            return;
        }
        CHECK_TRUE("a detail", detail != NULL);
        if (!CHECK_EQ_U64("all given back", mem_live_blocks(), before)) {
            return;
        }
    }
    CHECK_TRUE("succeeds in the end", false);
}

/* Fails the n-th allocation of one stage of a session: the hello, the rest of the handshake, bytes
 * in, bytes out. Returns true when no allocation was left to fail. */
static bool fail_at(struct tls_context *context, int version, int stage, uint64_t n)
{
    struct kit_link link;
    struct kit_wish wish = {
        .server_name = "one.example", .protocols = "http/1.1", .only_version = version};
    kit_link_open(&link, context, &wish, KIT_WHOLE);
    for (int i = 0; i < 3 && link.result == TLS_OK; i++) {
        (void)wolfSSL_connect(link.client.ssl);
        mem_fail_after(stage == (i < 1 ? 0 : 1) ? n : 0);
        kit_deliver(&link);
        mem_fail_after(0);
    }
    bool ok = link.result == TLS_OK && tls_is_established(link.server);
    if (ok) {
        (void)wolfSSL_write(link.client.ssl, "up", 2);
        mem_fail_after(stage == 2 ? n : 0);
        kit_deliver(&link);
        mem_fail_after(stage == 3 ? n : 0);
        enum tls_result sealed = kit_seal(&link, (const uint8_t *)"down", 4);
        mem_fail_after(0);
        ok = link.result == TLS_OK && sealed == TLS_OK && link.plain.len == 2;
    }
    kit_link_close(&link);
    return ok;
}

static void test_session_without_memory(void)
{
    struct tls_context *context = kit_context(KIT_EC, TLS_1_2);
    size_t before = mem_live_blocks();
    for (int stage = 0; stage < 8; stage++) {
        uint64_t n = 1;
        while (n < 500 &&
               !fail_at(context, stage < 4 ? WOLFSSL_TLSV1_3 : WOLFSSL_TLSV1_2, stage % 4, n)) {
            n++;
            CHECK_EQ_U64("all given back", mem_live_blocks(), before);
        }
        CHECK_TRUE("succeeds in the end", n < 500);
        CHECK_EQ_U64("all given back", mem_live_blocks(), before);
    }
    mem_fail_after(1);
    CHECK_TRUE("no session", tls_new(context) == NULL);
    mem_fail_after(0);
    tls_context_free(context);
}

CU_TestInfo tls_sites_tests[] = {
    {"certificates by name", test_names},
    {"tickets", test_tickets},
    {"bad pairs", test_bad_pairs},
    {"no pair", test_no_pair},
    {"a chain", test_chain},
    {"no memory for a context", test_context_without_memory},
    {"no memory for a session", test_session_without_memory},
    CU_TEST_INFO_NULL,
};
