/* SPDX-License-Identifier: GPL-3.0-or-later */
// The suites of the unit tests. Each tests/unit/test_NAME.c exports one array, NAME_tests[], ended
// by CU_TEST_INFO_NULL. The Makefile lists the files there are in suites.inc, as SUITE(NAME).
#ifndef TESTS_UNIT_SUITES_H
#define TESTS_UNIT_SUITES_H

#include <CUnit/CUnit.h>

#define SUITE(name) extern CU_TestInfo name##_tests[];
#include "suites.inc"
#undef SUITE

#endif
