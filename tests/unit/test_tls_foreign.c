/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/tls_foreign.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BYTES(literal) literal, sizeof(literal) - 1

static const struct row {
    const char *bytes;
    size_t len;
    size_t decided_at; /* bytes that are needed; 0: all that may come do not decide */
    const char *word;
    bool is_answered;
} rows[] = {
    {BYTES("GET / HTTP/1.1"), 4, "plain HTTP", true},
    {BYTES("HEAD / HTTP/1"), 5, "plain HTTP", true},
    {BYTES("OPTIONS * HTT"), 8, "plain HTTP", true},
    {BYTES("PROXY TCP4 10"), 6, "version 1", false},
    {BYTES("PRI * HTTP/2.0"), 12, "HTTP/2", false},
    {BYTES("\r\n\r\n\0\r\nQUIT\n"), 12, "version 2", false},
    {BYTES("SSH-2.0-x"), 4, "SSH", false},
    {BYTES("GETTY"), 4, "not TLS", false},
    {BYTES("get / "), 1, "not TLS", false},
    {BYTES("\x15\x03\x03"), 1, "not TLS", false},
    {BYTES("\x80\x2e\x01\x03\x01\x00\x15"), 4, "SSL 2.0", false},
    {BYTES("\x80\x2e\x01\x00\x02"), 4, "SSL 2.0", false},
    {BYTES("\xff\xfb\x01\xff\xfb"), 4, "not TLS", false},
    {BYTES("\0\0\0\x08\x04\xd2\x16\x2f"), 8, "PostgreSQL", false},
    {BYTES("\0\0\0\x09"), 4, "not TLS", false},
    {BYTES("\3\0\0\x13"), 3, "RDP", false},
};

static void test_rows(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *row = &rows[i];
        struct tls_foreign found = {.detail = ""};
        for (size_t len = 1; len <= row->len && len <= TLS_FOREIGN_MAX; len++) {
            uint8_t *copy = malloc(len); /* a read beyond is seen */
            memcpy(copy, row->bytes, len);
            bool is_decided = tls_foreign_judge(copy, len, &found);
            free(copy);
            CHECK_EQ_INT(row->bytes, is_decided, len >= row->decided_at);
        }
        CHECK_TRUE(row->bytes, strstr(found.detail, row->word) != NULL);
        CHECK_EQ_INT(row->bytes, found.answer.len > 0, row->is_answered);
    }
}

/* Twelve bytes of any kind are enough, and one byte of most. */
static void test_end(void)
{
    uint8_t bytes[TLS_FOREIGN_MAX];
    struct tls_foreign found;
    for (unsigned first = 0; first < 256; first++) {
        for (unsigned second = 0; second < 256; second++) {
            memset(bytes, (int)second, sizeof(bytes));
            bytes[0] = (uint8_t)first;
            CHECK_TRUE("decided", tls_foreign_judge(bytes, sizeof(bytes), &found));
        }
    }
}

CU_TestInfo tls_foreign_tests[] = {
    {"protocols, cut everywhere", test_rows},
    {"an end", test_end},
    CU_TEST_INFO_NULL,
};
