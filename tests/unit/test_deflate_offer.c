/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/mem.h"
#include "check.h"
#include "deflate_rows.h"
#include "proto/deflate.h"
#include "suites.h"

#define ROWS (sizeof(offer_rows) / sizeof(offer_rows[0]))

static struct deflate_settings settings_of(const struct offer_row *row)
{
    return (struct deflate_settings){
        .window_bits = row->window_bits == 0 ? 15 : row->window_bits,
        .is_takeover = !row->is_anew,
    };
}

static void test_rows(void)
{
    CHECK_TRUE("enough rows", ROWS >= 80);
    for (size_t i = 0; i < ROWS; i++) {
        const struct offer_row *row = &offer_rows[i];
        struct deflate_settings settings = settings_of(row);
        struct deflate_params params = {0};
        enum deflate_agreement result =
            deflate_negotiate(&settings, span_from_str(row->value), &params);
        enum deflate_agreement want = row->want == NULL        ? DEFLATE_NONE
                                      : row->want == malformed ? DEFLATE_MALFORMED
                                                               : DEFLATE_AGREED;
        if (!CHECK_EQ_INT(row->name, result, want) || result != DEFLATE_AGREED) {
            continue;
        }
        char response[DEFLATE_RESPONSE_MAX];
        size_t len = deflate_response(&params, response);
        CHECK_EQ_STR(row->name, response, row->want);
        CHECK_EQ_U64(row->name, len, strlen(response));
    }
}

static void test_params(void)
{
    static const struct {
        const char *name;
        const char *value;
        struct deflate_settings settings;
        struct deflate_params want;
    } rows[] = {
        {"plain", PMD, {.window_bits = 15, .is_takeover = true}, {15, 15, 0, 0, 0, 0}},
        {"ours less", PMD, {.window_bits = 9, .is_takeover = true}, {15, 15, 0, 0, 0, 0}},
        {"no number", PMD CMWB, {.window_bits = 15, .is_takeover = true}, {15, 15, 0, 0, 0, 0}},
        {"less", PMD CMWB, {.window_bits = 11, .is_takeover = true}, {15, 11, 0, 1, 0, 0}},
        {"8", PMD SMWB "=8" CMWB "=8", {.window_bits = 9}, {8, 8, 1, 1, 1, 1}},
        {"one", PMD SNCT, {.window_bits = 15, .is_takeover = true}, {15, 15, 0, 0, 1, 0}},
        {"other", PMD CNCT, {.window_bits = 15, .is_takeover = true}, {15, 15, 0, 0, 0, 1}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct deflate_params got = {0};
        enum deflate_agreement result =
            deflate_negotiate(&rows[i].settings, span_from_str(rows[i].value), &got);
        CHECK_EQ_INT(rows[i].name, result, DEFLATE_AGREED);
        CHECK_EQ_MEM(rows[i].name, &got, sizeof(got), &rows[i].want, sizeof(rows[i].want));
    }
}

// The parser reads nothing behind the end of a value: each value ends where its memory ends.
static void test_every_cut(void)
{
    struct deflate_settings settings = {.window_bits = 15, .is_takeover = true};
    struct deflate_params params;
    size_t results[3] = {0};
    for (size_t i = 0; i < ROWS; i++) {
        size_t len = strlen(offer_rows[i].value);
        for (size_t cut = 1; cut <= len; cut++) {
            char *copy = mem_alloc(cut);
            memcpy(copy, offer_rows[i].value, cut);
            results[deflate_negotiate(&settings, (struct span){copy, cut}, &params)]++;
            memset(copy, 0, cut);
            CHECK_EQ_INT("NULs", deflate_negotiate(&settings, (struct span){copy, cut}, &params),
                         DEFLATE_MALFORMED);
            mem_free(copy);
        }
    }
    CHECK_TRUE("all there", results[DEFLATE_NONE] > 100 && results[DEFLATE_AGREED] > 100 &&
                                results[DEFLATE_MALFORMED] > 100);
    CHECK_EQ_INT("NULL", deflate_negotiate(&settings, (struct span){NULL, 0}, &params),
                 DEFLATE_NONE);
}

// Our response is an offer itself, with the same parameters.
static void test_every_response(void)
{
    struct deflate_settings settings = {.window_bits = 15, .is_takeover = true};
    for (unsigned int i = 0; i < 8 * 8 * 4; i++) {
        struct deflate_params want = {
            .server_bits = (uint8_t)(8 + i % 8),
            .client_bits = (uint8_t)(8 + i / 8 % 8),
            .has_server_bits = true,
            .has_client_bits = true,
            .is_server_no_takeover = (i / 64 & 1) != 0,
            .is_client_no_takeover = (i / 128 & 1) != 0,
        };
        struct deflate_params got = {0};
        char response[DEFLATE_RESPONSE_MAX];
        size_t len = deflate_response(&want, response);
        enum deflate_agreement result =
            deflate_negotiate(&settings, (struct span){response, len}, &got);
        CHECK_EQ_INT(response, result, DEFLATE_AGREED);
        CHECK_EQ_MEM(response, &got, sizeof(got), &want, sizeof(want));
    }
}

CU_TestInfo deflate_offer_tests[] = {
    {"offers and responses", test_rows},
    {"what was agreed on", test_params},
    {"every cut", test_every_cut},
    {"every response", test_every_response},
    CU_TEST_INFO_NULL,
};
