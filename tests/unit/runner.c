/* SPDX-License-Identifier: GPL-3.0-or-later */
// Runs every suite and says by its exit status how that went. CUnit itself returns success after
// failed checks, and does not count a suite whose set-up fails. An argument SUITE or SUITE.TEST
// leaves out that suite or test; `--part K/N` runs the K-th of N shares of the suites.
#include <CUnit/Basic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"

static CU_SuiteInfo suites[] = {
#define SUITE(name) {.pName = #name, .pTests = name##_tests},
#include "suites.inc"
#undef SUITE
    CU_SUITE_INFO_NULL,
};

// False when there is no such suite or test.
static bool leave_out(const char *name)
{
    char suite_name[64];
    const char *dot = strchr(name, '.');
    snprintf(suite_name, sizeof(suite_name), "%.*s", dot != NULL ? (int)(dot - name) : 63, name);
    CU_pSuite suite = CU_get_suite(suite_name);
    if (suite == NULL) {
        return false;
    }
    if (dot == NULL) {
        return CU_set_suite_active(suite, CU_FALSE) == CUE_SUCCESS;
    }
    CU_pTest test = CU_get_test(suite, dot + 1);
    return test != NULL && CU_set_test_active(test, CU_FALSE) == CUE_SUCCESS;
}

// Leaves out what is in other shares. False when this is not K/N, 1 <= K <= N.
static bool keep_part(const char *text)
{
    char *end;
    unsigned long part = strtoul(text, &end, 10);
    if (*end != '/') {
        return false;
    }
    unsigned long parts = strtoul(end + 1, &end, 10);
    if (*end != '\0' || part < 1 || part > parts) {
        return false;
    }
    for (unsigned long i = 0; suites[i].pName != NULL; i++) {
        if (i % parts != part - 1 && !leave_out(suites[i].pName)) {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0); // a test that aborts leaves what was said before
    if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS) {
        fprintf(stderr, "unit: %s\n", CU_get_error_msg());
        return EXIT_FAILURE;
    }
    CU_set_fail_on_inactive(CU_FALSE);
    for (int i = 1; i < argc; i++) {
        bool is_part = strcmp(argv[i], "--part") == 0 && i + 1 < argc;
        i += is_part ? 1 : 0;
        if (is_part ? !keep_part(argv[i]) : !leave_out(argv[i])) {
            fprintf(stderr, "unit: there is no %s%s\n", is_part ? "part " : "", argv[i]);
            return EXIT_FAILURE;
        }
    }
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();

    unsigned int run = CU_get_number_of_tests_run();
    unsigned int failed = CU_get_number_of_tests_failed();
    bool broken = CU_get_number_of_failure_records() > 0 || CU_get_error() != CUE_SUCCESS;

    // A failure outside a test, such as a suite's set-up, is still one failure.
    if (broken && failed == 0) {
        run++;
        failed = 1;
    }
    CU_cleanup_registry();
    printf("%u passed, %u failed\n", run - failed, failed);
    return failed > 0 || run == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
