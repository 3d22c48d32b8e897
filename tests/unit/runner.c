/* SPDX-License-Identifier: GPL-3.0-or-later */
// Runs every suite and says by its exit status how that went. CUnit itself returns success after
// failed checks, and does not count a suite whose set-up fails.
#include <CUnit/Basic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "suites.h"

static CU_SuiteInfo suites[] = {
#define SUITE(name) {.pName = #name, .pTests = name##_tests},
#include "suites.inc"
#undef SUITE
    CU_SUITE_INFO_NULL,
};

int main(void)
{
    if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS) {
        fprintf(stderr, "unit: %s\n", CU_get_error_msg());
        return EXIT_FAILURE;
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
