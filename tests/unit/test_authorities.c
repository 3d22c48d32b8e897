/* SPDX-License-Identifier: GPL-3.0-or-later */
// Files of CAs become DER, all of it or what fits.
#include "cert_kit.h"
#include "check.h"
#include "conf/authorities.h"
#include "io/tls_chain.h"
#include "suites.h"

static bool fits_nobody(struct span der)
{
    (void)der;
    return false;
}

static bool fits_once(struct span der)
{
    static int calls;
    (void)der;
    return calls++ == 0;
}

static void test_join(void)
{
    struct span pem = span_from_str(kit_pair_of(KIT_EC)->certificate);
    const struct span texts[] = {pem, SPAN_LIT("nothing here"), pem};
    struct arena memory = {0};
    struct report report = {0};
    struct build build = {.texts = &memory, .report = &report};
    struct span one;
    struct span all;
    struct span out;

    authorities_join(&build, texts, 1, NULL, &one);
    CHECK_TRUE("one", one.len > 0 && tls_chain_authority_fault(one) == NULL);
    authorities_join(&build, texts, 3, NULL, &all);
    CHECK_EQ_U64("all", all.len, 2 * one.len);
    authorities_join(&build, texts, 3, fits_nobody, &out);
    CHECK_EQ_U64("nobody", out.len, 0);
    authorities_join(&build, texts, 3, fits_once, &out);
    CHECK_EQ_MEM("the first", out.data, out.len, one.data, one.len);
    authorities_join(&build, texts, 0, NULL, &out);
    CHECK_EQ_U64("none", out.len, 0);
    CHECK_EQ_U64("errors", report.count, 0);
    arena_done(&memory);
    report_done(&report);
}

CU_TestInfo authorities_tests[] = {
    {"files become DER", test_join},
    CU_TEST_INFO_NULL,
};
