/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/base64.h"

#include <stdlib.h>

#include "check.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_rows(void)
{
    static const struct {
        const char *text;
        const char *plain; /* NULL: refused */
    } rows[] = {
        {"", ""},
        {"Zg", "f"},
        {"Zm8", "fo"},
        {"Zm9v", "foo"},
        {"Zm9vYg", "foob"},
        {"____", "\xff\xff\xff"},
        {"--__", "\xfb\xef\xff"},
        {"FPucA9l-", "\x14\xfb\x9c\x03\xd9\x7e"},
        {"Z", NULL},
        {"Zm9vZ", NULL},
        {"Zg==", NULL},
        {"Zg=", NULL},
        {"Zm8=", NULL},
        {"Zh", NULL},
        {"Zv", NULL},
        {"Zm9", NULL},
        {"Zm+v", NULL},
        {"Zm/v", NULL},
        {"Zm9v\n", NULL},
        {" Zm9v", NULL},
        {"Zm.v", NULL},
        {"Zm\xc3\xa9", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t len = strlen(rows[i].text);
        uint8_t *out = malloc(BASE64URL_BYTES(len) + 1);
        size_t out_len = 0;
        bool is_good = base64url_decode((struct span){rows[i].text, len}, out, &out_len);
        CHECK_EQ_INT(rows[i].text, is_good, rows[i].plain != NULL);
        if (is_good && rows[i].plain != NULL) {
            CHECK_EQ_MEM(rows[i].text, out, out_len, rows[i].plain, strlen(rows[i].plain));
        }
        free(out);
    }
}

/* Whatever standard base64 takes, base64url takes in its own letters, and nothing else: two
 * characters of every kind, in groups of 2, 3 and 4, decoded in place. */
static void test_against_base64(void)
{
    for (size_t i = 0; i < (size_t)3 * 65536; i++) {
        const size_t len = 2 + i / 65536;
        char text[8] = "QUJDRA==";
        char url[8];
        struct base64_decoder d;
        uint8_t want[8];
        size_t want_len = 0;
        size_t got_len = 0;
        text[len - 2] = (char)(i % 256);
        text[len - 1] = (char)(i / 256 % 256);
        memcpy(url, text, len);
        for (size_t k = 0; k < len; k++) { /* the letters of one are none of the other */
            url[k] = url[k] == '+' ? '-' : url[k] == '-' ? '+' : url[k];
            url[k] = url[k] == '/' ? '_' : url[k] == '_' ? '/' : url[k];
        }
        memcpy(text + len, "==", 4 - len);
        base64_decoder_init(&d);
        bool is_good = memchr(text, '=', len) == NULL &&
                       base64_decode(&d, (uint8_t *)text, 4, want, &want_len) &&
                       base64_is_complete(&d);
        bool got = base64url_decode((struct span){url, len}, (uint8_t *)url, &got_len);
        if (got != is_good || (got && (got_len != want_len || memcmp(url, want, got_len) != 0))) {
            CHECK_EQ_INT("base64url", got, is_good);
            CHECK_EQ_MEM("base64url", url, got_len, want, want_len);
        }
    }
    CHECK_TRUE("all compared", true);
}

CU_TestInfo base64_url_tests[] = {
    {"rows", test_rows},
    {"the same as base64, but for its letters", test_against_base64},
    CU_TEST_INFO_NULL,
};
