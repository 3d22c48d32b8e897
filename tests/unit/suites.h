/* SPDX-License-Identifier: GPL-3.0-or-later */
// The suites of the unit tests. Each tests/unit/test_NAME.c exports one array NAME_tests[], which
// ends with CU_TEST_INFO_NULL. tests.mk writes suites.inc, which has a line SUITE(NAME) for each of
// these files.
#ifndef TESTS_UNIT_SUITES_H
#define TESTS_UNIT_SUITES_H

#include <CUnit/CUnit.h>

#define SUITE(name) extern CU_TestInfo name##_tests[];
#include "suites.inc"
#undef SUITE

#endif
