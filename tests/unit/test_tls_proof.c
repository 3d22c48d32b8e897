/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/tls_proof.h"

#include "base/mem.h"
#include "check.h"
#include "suites.h"
#include "tls_kit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const enum tls_version versions[] = {TLS_1_2, TLS_1_3};

static void check(const char *row, const char *certificate, const char *key, const char *want)
{
    struct tls_pair pair = {span_from_str(certificate), span_from_str(key)};
    for (size_t i = 0; i < COUNT(versions); i++) {
        size_t before = mem_live_blocks();
        CHECK_EQ_STR(row, tls_proof_run(&pair, versions[i]), want);
        CHECK_EQ_U64(row, mem_live_blocks(), before);
    }
}

static void test_pairs(void)
{
    struct kit_form old = {.names = "one.example", .first_day = "20100101", .last_day = "20110101"};
    struct kit_pair expired = kit_make(KIT_EC, &old);
    struct kit_pair other_ec = kit_make_pair(KIT_EC, "one.example");
    struct kit_pair other_rsa = kit_make_pair(KIT_RSA, "one.example");
    const struct kit_pair *ec = kit_pair_of(KIT_EC);
    const struct kit_pair *rsa = kit_pair_of(KIT_RSA);
    check("EC", ec->certificate, ec->key, NULL);
    check("RSA", rsa->certificate, rsa->key, NULL);
    check("dates are not looked at", expired.certificate, expired.key, NULL);
    check("other EC key", ec->certificate, other_ec.key, "key does not belong to the certificate");
    check("other RSA key", rsa->certificate, other_rsa.key,
          "key does not belong to the certificate");
    check("no certificate", "", ec->key, "the file is empty");
    check("no key", ec->certificate, "", "the file is empty");
}

/* Counts the allocations that `run` needs. Returns the first number at which none of them fails. */
static uint64_t count_allocations(const char *(*run)(const struct tls_pair *pair))
{
    struct tls_pair pair = kit_as_pair(kit_pair_of(KIT_EC));
    size_t before = mem_live_blocks();
    for (uint64_t n = 1; n < 5000; n++) {
        mem_fail_after(n);
        const char *detail = run(&pair);
        mem_fail_after(0);
        if (!CHECK_EQ_U64("all given back", mem_live_blocks(), before) || detail == NULL) {
            return n;
        }
    }
    return UINT64_MAX;
}

static const char *prove(const struct tls_pair *pair)
{
    return tls_proof_run(pair, TLS_1_2);
}

static const char *load(const struct tls_pair *pair)
{
    const char *detail = NULL;
    struct tls_settings settings = {.pairs = pair, .pair_count = 1};
    tls_context_free(tls_context_new(&settings, &detail));
    return detail;
}

/* Workers make contexts from pairs that the master has proven. If a context made a handshake,
 * hundreds of allocations would show it. */
static void test_context_proves_nothing(void)
{
    uint64_t loaded = count_allocations(load);
    uint64_t proven = count_allocations(prove);
    CHECK_TRUE("both succeed in the end", loaded < proven && proven < 5000);
    CHECK_TRUE("a handshake only in the proof", 3 * loaded < proven);
}

CU_TestInfo tls_proof_tests[] = {
    {"pairs, good and bad", test_pairs},
    {"no memory; a context proves nothing", test_context_proves_nothing},
    CU_TEST_INFO_NULL,
};
