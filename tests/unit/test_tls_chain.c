/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How findings are told. tests/integration/tls/cases_demands.py has what is found. */
#include "io/tls_chain.h"

#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "check.h"
#include "io/tls_pem.h"
#include "suites.h"
#include "tls_kit.h"

struct heard {
    size_t warnings;
    size_t errors;
    char all[4096];
};

static void hear(void *owner, enum tls_chain_weight weight, const char *text)
{
    struct heard *heard = owner;
    heard->warnings += weight == TLS_CHAIN_WARNING;
    heard->errors += weight == TLS_CHAIN_ERROR;
    strncat(heard->all, text, sizeof(heard->all) - strlen(heard->all) - 1);
    for (const char *c = text; *c != '\0'; c++) {
        CHECK_TRUE("printable", *c >= 0x20 && *c <= 0x7e);
    }
}

static struct heard check(const char *pem, int64_t now_s)
{
    struct heard heard = {.all = ""};
    tls_chain_check(span_from_str(pem), now_s, hear, &heard);
    return heard;
}

static void test_dates(void)
{
    static const int64_t day_s = 24 * 60 * 60;
    /* From 2010-01-01 to 2011-01-01, and on both sides of the year in which UTCTime ends. */
    struct kit_form old = {.names = "a.example", .first_day = "20100101", .last_day = "20110101"};
    struct kit_pair pair = kit_make(KIT_EC, &old);
    static const int64_t first_s = 1262304000;
    CHECK_TRUE("before", strstr(check(pair.certificate, first_s - day_s).all,
                                "not valid before 2010-01-01") != NULL);
    CHECK_TRUE("within", strstr(check(pair.certificate, first_s + day_s).all, "valid") == NULL);
    CHECK_TRUE("within", strstr(check(pair.certificate, first_s + day_s).all, "expired") == NULL);
    CHECK_TRUE("after", strstr(check(pair.certificate, first_s + 400 * day_s).all,
                               "expired on 2011-01-01") != NULL);
    int64_t expiry_s = 0;
    char name[TLS_CHAIN_NAME_MAX];
    CHECK_TRUE("expiry", tls_chain_expiry(span_from_str(pair.certificate), &expiry_s, name));
    CHECK_EQ_I64("day", expiry_s / day_s, 1293840000 / day_s);
    CHECK_EQ_STR("its name", name, "a.example");
    CHECK_FALSE("nonsense", tls_chain_expiry(SPAN_LIT("nonsense"), &expiry_s, name));
    struct kit_form far = {.names = "a.example", .first_day = "20490101", .last_day = "20510101"};
    struct kit_pair future = kit_make(KIT_EC, &far);
    CHECK_TRUE("1949 to 2049", strstr(check(future.certificate, first_s).all,
                                      "not valid before 2049-01-01") != NULL);
    CHECK_TRUE("2051", strstr(check(future.certificate, first_s + 50 * 366 * day_s).all,
                              "expired on 2051-01-01") != NULL);
}

static void test_kinds(void)
{
    static const struct {
        enum kit_kind kit;
        enum tls_key_kind want;
    } rows[] = {{KIT_EC, TLS_KEY_P256}, {KIT_RSA, TLS_KEY_RSA}};
    for (size_t i = 0; i < 2; i++) {
        struct tls_der der;
        CHECK_TRUE("PEM", tls_pem_certificates(span_from_str(kit_pair_of(rows[i].kit)->certificate),
                                               &der) == NULL);
        CHECK_EQ_INT("kind", tls_chain_key_kind(tls_pem_item(&der, 0)), rows[i].want);
        tls_pem_done(&der);
    }
    CHECK_EQ_INT("nothing", tls_chain_key_kind((struct span){"", 0}), TLS_KEY_OTHER);
    struct span pem = span_from_str(kit_pair_of(KIT_EC)->certificate);
    CHECK_TRUE("its name", tls_chain_is_for(pem, SPAN_LIT("one.example")));
    CHECK_FALSE("another", tls_chain_is_for(pem, SPAN_LIT("two.example")));
    CHECK_FALSE("no certificate", tls_chain_is_for(SPAN_LIT("x"), SPAN_LIT("one.example")));
}

static void test_no_memory(void)
{
    static char twice[2 * KIT_PEM_MAX];
    const struct kit_pair *pair = kit_pair_of(KIT_EC);
    size_t before = mem_live_blocks();
    snprintf(twice, sizeof(twice), "%s%s", pair->certificate, pair->certificate);
    for (uint64_t n = 1; n < 2000; n++) {
        mem_fail_after(n);
        struct heard heard = check(twice, (int64_t)time(NULL));
        mem_fail_after(0);
        CHECK_EQ_U64("all given back", mem_live_blocks(), before);
        if (heard.errors == 0) {
            CHECK_TRUE("fails at first", n > 1);
            CHECK_TRUE("told in the end", strstr(heard.all, "twice") != NULL);
            return;
        }
    }
    CHECK_TRUE("succeeds in the end", false);
}

CU_TestInfo tls_chain_tests[] = {
    {"dates", test_dates},
    {"kinds and names", test_kinds},
    {"no memory", test_no_memory},
    CU_TEST_INFO_NULL,
};
