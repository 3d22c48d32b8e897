/* SPDX-License-Identifier: GPL-3.0-or-later */
// Checks for table-driven unit tests. CUnit prints only the text of a failed expression; these
// checks also print both values and which row of a table failed.
//
// `row` names the row: any string, usually the row's `name`. CUnit counts the check like CU_ASSERT.
// No check jumps: a failed one returns false and the test goes on, so a test that cannot go on
// writes `if (!CHECK_TRUE(row, p != NULL)) { return; }`.
//
// A check evaluates each argument once. It escapes the bytes that it shows and cuts them to what
// fits a line.
#ifndef TESTS_UNIT_CHECK_H
#define TESTS_UNIT_CHECK_H

#include <CUnit/CUnit.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define CHECK_AT(row, text) ((struct check_at){(row), (text), __FILE__, __LINE__})

#define CHECK_TRUE(row, cond) check_that(CHECK_AT(row, #cond), (cond))
#define CHECK_FALSE(row, cond) check_that(CHECK_AT(row, "not " #cond), !(cond))
#define CHECK_EQ_U64(row, got, want) \
    check_eq_u64(CHECK_AT(row, #got), (uint64_t)(got), (uint64_t)(want))
#define CHECK_EQ_I64(row, got, want) \
    check_eq_i64(CHECK_AT(row, #got), (int64_t)(got), (int64_t)(want))
// For enums and int results.
#define CHECK_EQ_INT(row, got, want) CHECK_EQ_I64(row, got, want)
// NULL equals only NULL.
#define CHECK_EQ_STR(row, got, want) check_eq_str(CHECK_AT(row, #got), (got), (want))
// Both sides are a pointer and a length. A pointer may be NULL when its length is zero.
#define CHECK_EQ_MEM(row, got, got_len, want, want_len) \
    check_eq_mem(CHECK_AT(row, #got), (struct check_bytes){(got), (got_len)}, \
                 (struct check_bytes){(want), (want_len)})

// Where a check stands: its row, its expression, its file and line.
struct check_at {
    const char *row;
    const char *text;
    const char *file;
    int line;
};

struct check_bytes {
    const void *data;
    size_t len;
};

#define CHECK_UNUSED __attribute__((unused))

CHECK_UNUSED static bool check_report(struct check_at at, bool ok, const char *message)
{
    CU_assertImplementation(ok ? CU_TRUE : CU_FALSE, (unsigned int)at.line,
                            message == NULL ? at.text : message, at.file, "", CU_FALSE);
    return ok;
}

CHECK_UNUSED static bool check_that(struct check_at at, bool ok)
{
    char message[512];

    if (ok) {
        return check_report(at, true, NULL);
    }
    snprintf(message, sizeof(message), "[%s] %s", at.row, at.text);
    return check_report(at, false, message);
}

CHECK_UNUSED static bool check_eq_u64(struct check_at at, uint64_t got, uint64_t want)
{
    char message[512];

    if (got == want) {
        return check_report(at, true, NULL);
    }
    snprintf(message, sizeof(message), "[%s] %s: got %" PRIu64 ", want %" PRIu64, at.row, at.text,
             got, want);
    return check_report(at, false, message);
}

CHECK_UNUSED static bool check_eq_i64(struct check_at at, int64_t got, int64_t want)
{
    char message[512];

    if (got == want) {
        return check_report(at, true, NULL);
    }
    snprintf(message, sizeof(message), "[%s] %s: got %" PRId64 ", want %" PRId64, at.row, at.text,
             got, want);
    return check_report(at, false, message);
}

CHECK_UNUSED static void check_escape(char *out, size_t size, struct check_bytes bytes)
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

CHECK_UNUSED static bool check_eq_mem(struct check_at at, struct check_bytes got,
                                      struct check_bytes want)
{
    char got_text[160];
    char want_text[160];
    char message[768];

    if (got.len == want.len && (got.len == 0 || memcmp(got.data, want.data, got.len) == 0)) {
        return check_report(at, true, NULL);
    }
    check_escape(got_text, sizeof(got_text), got);
    check_escape(want_text, sizeof(want_text), want);
    snprintf(message, sizeof(message), "[%s] %s: got %zu bytes \"%s\", want %zu bytes \"%s\"",
             at.row, at.text, got.len, got_text, want.len, want_text);
    return check_report(at, false, message);
}

CHECK_UNUSED static bool check_eq_str(struct check_at at, const char *got, const char *want)
{
    if (got == NULL || want == NULL) {
        char message[512];

        snprintf(message, sizeof(message), "[%s] %s: got %s, want %s", at.row, at.text,
                 got == NULL ? "NULL" : got, want == NULL ? "NULL" : want);
        return check_report(at, got == want, message);
    }
    return check_eq_mem(at, (struct check_bytes){got, strlen(got)},
                        (struct check_bytes){want, strlen(want)});
}

#endif
