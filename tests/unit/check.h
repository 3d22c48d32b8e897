// SPDX-License-Identifier: GPL-3.0-or-later
// Checks for table-driven unit tests. CUnit prints only the text of a failed expression; these also
// print which row of a table failed and the two values.
//
// `row` names the row: any string, usually the row's `name`. The check is counted by CUnit like
// CU_ASSERT. Nothing here jumps: a failed check returns false and the test goes on, so a test
// that cannot go on writes `if (!CHECK_TRUE(row, p != NULL)) { return; }`.
//
// Each argument is evaluated once. Bytes are shown escaped and cut to what fits a line.
#ifndef TESTS_UNIT_CHECK_H
#define TESTS_UNIT_CHECK_H

#include <CUnit/CUnit.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define CHECK_TRUE(row, cond) check_that((cond), (row), #cond, __FILE__, __LINE__)
#define CHECK_FALSE(row, cond) check_that(!(cond), (row), "not " #cond, __FILE__, __LINE__)
#define CHECK_EQ_U64(row, got, want) \
    check_eq_u64((row), #got, (uint64_t)(got), (uint64_t)(want), __FILE__, __LINE__)
#define CHECK_EQ_I64(row, got, want) \
    check_eq_i64((row), #got, (int64_t)(got), (int64_t)(want), __FILE__, __LINE__)
// For enums and int results.
#define CHECK_EQ_INT(row, got, want) CHECK_EQ_I64(row, got, want)
// NULL equals only NULL.
#define CHECK_EQ_STR(row, got, want) check_eq_str((row), #got, (got), (want), __FILE__, __LINE__)
// Pointer and length on both sides. A NULL pointer is fine when its length is zero.
#define CHECK_EQ_MEM(row, got, got_len, want, want_len) \
    check_eq_mem((row), #got, (struct check_bytes){(got), (got_len)}, \
                 (struct check_bytes){(want), (want_len)}, __FILE__, __LINE__)

struct check_bytes {
    const void *data;
    size_t len;
};

__attribute__((unused)) static bool check_report(bool ok, const char *message, const char *file,
                                                 int line)
{
    CU_assertImplementation(ok ? CU_TRUE : CU_FALSE, (unsigned int)line, message, file, "",
                            CU_FALSE);
    return ok;
}

__attribute__((unused)) static bool check_that(bool ok, const char *row, const char *text,
                                               const char *file, int line)
{
    char message[512];

    if (ok) {
        return check_report(true, text, file, line);
    }
    snprintf(message, sizeof(message), "[%s] %s", row, text);
    return check_report(false, message, file, line);
}

__attribute__((unused)) static bool check_eq_u64(const char *row, const char *text, uint64_t got,
                                                 uint64_t want, const char *file, int line)
{
    char message[512];

    if (got == want) {
        return check_report(true, text, file, line);
    }
    snprintf(message, sizeof(message), "[%s] %s: got %" PRIu64 ", want %" PRIu64, row, text, got,
             want);
    return check_report(false, message, file, line);
}

__attribute__((unused)) static bool check_eq_i64(const char *row, const char *text, int64_t got,
                                                 int64_t want, const char *file, int line)
{
    char message[512];

    if (got == want) {
        return check_report(true, text, file, line);
    }
    snprintf(message, sizeof(message), "[%s] %s: got %" PRId64 ", want %" PRId64, row, text, got,
             want);
    return check_report(false, message, file, line);
}

__attribute__((unused)) static void check_escape(char *out, size_t size, struct check_bytes bytes)
{
    const unsigned char *data = bytes.data;
    size_t used = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        if (used + 8 > size) {
            snprintf(out + used, size - used, "...");
            return;
        }
        if (data[i] >= 0x20 && data[i] < 0x7f && data[i] != '\\') {
            out[used++] = (char)data[i];
        } else {
            used += (size_t)snprintf(out + used, size - used, "\\x%02x", data[i]);
        }
    }
    out[used] = '\0';
}

__attribute__((unused)) static bool check_eq_mem(const char *row, const char *text,
                                                 struct check_bytes got, struct check_bytes want,
                                                 const char *file, int line)
{
    char got_text[160];
    char want_text[160];
    char message[768];

    if (got.len == want.len && (got.len == 0 || memcmp(got.data, want.data, got.len) == 0)) {
        return check_report(true, text, file, line);
    }
    check_escape(got_text, sizeof(got_text), got);
    check_escape(want_text, sizeof(want_text), want);
    snprintf(message, sizeof(message), "[%s] %s: got %zu bytes \"%s\", want %zu bytes \"%s\"", row,
             text, got.len, got_text, want.len, want_text);
    return check_report(false, message, file, line);
}

__attribute__((unused)) static bool check_eq_str(const char *row, const char *text,
                                                 const char *got, const char *want,
                                                 const char *file, int line)
{
    if (got == NULL || want == NULL) {
        char message[512];

        snprintf(message, sizeof(message), "[%s] %s: got %s, want %s", row, text,
                 got == NULL ? "NULL" : got, want == NULL ? "NULL" : want);
        return check_report(got == want, message, file, line);
    }
    return check_eq_mem(row, text, (struct check_bytes){got, strlen(got)},
                        (struct check_bytes){want, strlen(want)}, file, line);
}

#endif
