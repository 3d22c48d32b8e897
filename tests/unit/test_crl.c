/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/crl.h"

#include "base/mem.h"
#include "check.h"
#include "der_kit.h"
#include "io/der.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOTHING DER_OF("")

static void test_items(void)
{
    static const struct {
        const char *name;
        struct span der;
        bool is_item;
    } rows[] = {
        {"empty", SPAN_LIT(""), false},
        {"a tag alone", SPAN_LIT("\x30"), false},
        {"nothing in it", SPAN_LIT("\x30\x00"), true},
        {"cut", SPAN_LIT("\x30\x02\x05"), false},
        {"indefinite", SPAN_LIT("\x30\x80\x00\x00"), false},
        {"a long form that need not be", SPAN_LIT("\x30\x81\x01x"), false},
        {"a zero in front of the length", SPAN_LIT("\x30\x82\x00\x80"), false},
        {"a length of five bytes", SPAN_LIT("\x30\x85\x01\x00\x00\x00\x00"), false},
        {"a long tag", SPAN_LIT("\x3f\x81\x01\x00"), false},
        {"a long length", SPAN_LIT("\x30\x84\xff\xff\xff\xff"), false},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct span rest = rows[i].der;
        struct der_item item;
        CHECK_EQ_INT(rows[i].name, der_next(&rest, &item), rows[i].is_item);
        CHECK_EQ_U64(rows[i].name, rest.len, rows[i].is_item ? 0 : rows[i].der.len);
    }
}

static void test_times(void)
{
    static const struct {
        unsigned tag;
        const char *text;
        int64_t want; // -1: none
    } rows[] = {
        {DER_UTC_TIME, "700101000001Z", 1},
        {DER_UTC_TIME, "491231235959Z", 2524607999},
        {DER_UTC_TIME, "500101000000Z", -631152000},
        {DER_TIME, "20260201000000Z", 1769904000},
        {DER_TIME, "99991231235959Z", 253402300799},
        {DER_UTC_TIME, "20260201000000Z", -1},
        {DER_TIME, "260201000000Z", -1},
        {DER_TIME, "20260201000000+", -1},
        {DER_TIME, "2026020100000 Z", -1},
        {DER_TIME, "20261301000000Z", -1},
        {DER_TIME, "+0260201000000Z", -1},
        {DER_IA5, "260201000000Z", -1},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t got = -1;
        struct span rest = der_text(rows[i].tag, rows[i].text);
        CHECK_EQ_INT(rows[i].text, der_take_time(&rest, &got), rows[i].want != -1);
        CHECK_EQ_I64(rows[i].text, got, rows[i].want);
    }
    der_kit_reset();
}

static struct span alice(void)
{
    return der_name(DER_UTF8, DER_OF("Alice CA"));
}

static void test_read(void)
{
    struct span entry = der_entry(DER_OF("\x05"), NOTHING);
    struct span quiet = der_entry(DER_OF("\x06"), der_extension(false));
    struct span loud = der_entry(DER_OF("\x07"), der_extension(true));
    const struct {
        const char *name;
        struct span der;
        const char *fault; // NULL: it is good
        size_t count;
    } rows[] = {
        {"empty", der_list(alice(), NOTHING, NOTHING), NULL, 0},
        {"one", der_list(alice(), entry, der_extension(false)), NULL, 1},
        {"two", der_list(alice(), der_join(entry, quiet, DER_END), NOTHING), NULL, 2},
        {"a critical extension", der_list(alice(), entry, der_extension(true)), "complete lists",
         0},
        {"a critical one at an entry", der_list(alice(), loud, NOTHING), "other issuers", 0},
        {"a negative number", der_list(alice(), der_entry(DER_OF("\x85"), NOTHING), NOTHING),
         "damaged", 0},
        {"no number", der_list(alice(), der_entry(NOTHING, NOTHING), NOTHING), "damaged", 0},
        {"junk behind", der_join(der_list(alice(), entry, NOTHING), DER_OF("x"), DER_END),
         "damaged", 0},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct crl crl;
        const char *fault = crl_read(rows[i].der, &crl);
        bool is_as_wanted = rows[i].fault == NULL
                                ? fault == NULL
                                : fault != NULL && strstr(fault, rows[i].fault) != NULL;
        CHECK_TRUE(rows[i].name, is_as_wanted);
        if (rows[i].fault == NULL) {
            CHECK_EQ_U64(rows[i].name, crl.count, rows[i].count);
            CHECK_EQ_I64(rows[i].name, crl.next_s, 1769904000);
        }
        for (size_t len = 0; len < rows[i].der.len - 1; len++) {
            CHECK_TRUE("cut", crl_read((struct span){rows[i].der.data, len}, &crl) != NULL);
        }
    }
    der_kit_reset();
}

static void test_ask(void)
{
    struct span bob = der_name(DER_PRINTABLE, DER_OF("Bob CA"));
    struct span entries = der_join(
        der_entry(DER_OF("\x7f"), NOTHING), der_entry(DER_OF("\x00\x80\x01"), NOTHING),
        der_entry(DER_OF("\x05"), NOTHING), der_entry(DER_OF("\x01\x02\x03"), NOTHING), DER_END);
    struct span files[] = {der_list(alice(), entries, NOTHING),
                           der_list(alice(), der_entry(DER_OF("\x09"), NOTHING), NOTHING),
                           der_list(bob, NOTHING, NOTHING)};
    const struct {
        const char *name;
        struct span issuer;
        struct span serial;
        enum crl_word want;
    } rows[] = {
        {"first", alice(), SPAN_LIT("\x7f"), CRL_SAYS_REVOKED},
        {"a zero in front", alice(), SPAN_LIT("\x80\x01"), CRL_SAYS_REVOKED},
        {"long", alice(), SPAN_LIT("\x01\x02\x03"), CRL_SAYS_REVOKED},
        {"a part of it", alice(), SPAN_LIT("\x01\x02"), CRL_SAYS_GOOD},
        {"in the second list", alice(), SPAN_LIT("\x09"), CRL_SAYS_REVOKED},
        {"not there", alice(), SPAN_LIT("\x06"), CRL_SAYS_GOOD},
        {"an empty list", bob, SPAN_LIT("\x05"), CRL_SAYS_GOOD},
        {"no list", der_name(DER_UTF8, DER_OF("Bob CA")), SPAN_LIT("\x05"), CRL_SAYS_NOTHING},
    };
    const char *detail = NULL;
    size_t file = 9;
    size_t before = mem_live_blocks();
    struct crl_set *set = crl_set_new(files, COUNT(files), &detail, &file);

    if (!CHECK_TRUE("set", set != NULL)) {
        return;
    }
    CHECK_EQ_U64("set", crl_set_count(set), 3);
    CHECK_EQ_U64("set", crl_set_at(set, 2, &file)->count, 0);
    CHECK_EQ_U64("set", file, 2);
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_EQ_INT(rows[i].name, crl_set_ask(set, rows[i].issuer, rows[i].serial), rows[i].want);
    }
    CHECK_EQ_INT("no set", crl_set_ask(NULL, bob, rows[0].serial), CRL_SAYS_NOTHING);
    crl_set_free(set);
    files[1] = DER_OF("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n");
    CHECK_TRUE("certificate", crl_set_new(files, COUNT(files), &detail, &file) == NULL);
    CHECK_EQ_U64("certificate", file, 1);
    CHECK_EQ_STR("certificate", detail,
                 "the file has certificates and no revocation list (X509 CRL)");
    CHECK_EQ_U64("memory", mem_live_blocks(), before);
    der_kit_reset();
}

static void test_no_memory(void)
{
    struct span file = der_list(alice(), der_entry(DER_OF("\x05"), NOTHING), NOTHING);
    struct crl_set *set = NULL;
    const char *detail = NULL;
    size_t where = 0;
    uint64_t n = 0;

    while (set == NULL && n < 20) {
        mem_fail_after(++n);
        set = crl_set_new(&file, 1, &detail, &where);
        mem_fail_after(0);
        CHECK_TRUE("detail", set != NULL || strcmp(detail, "out of memory") == 0);
    }
    CHECK_EQ_U64("allocations", n, 5);
    crl_set_free(set);
    der_kit_reset();
}

CU_TestInfo crl_tests[] = {
    {"items of DER", test_items},
    {"times", test_times},
    {"a list", test_read},
    {"several lists", test_ask},
    {"out of memory", test_no_memory},
    CU_TEST_INFO_NULL,
};
