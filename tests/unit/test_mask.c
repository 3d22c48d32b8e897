/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/mask.h"

#include "check.h"
#include "suites.h"

#define LEN_MAX ((size_t)1100)
#define ALIGNMENTS ((size_t)16)
#define GUARD ((size_t)64)

static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};

/* Bytes that differ from their neighbours and from the guards nearly everywhere. */
static void fill(uint8_t *data, size_t len)
{
    uint32_t state = 0x9e3779b9;
    for (size_t i = 0; i < len; i++) {
        state = state * 1664525 + 1013904223;
        data[i] = (uint8_t)(state >> 24);
    }
}

static void test_scalar(void)
{
    static const struct {
        const char *name;
        size_t key_at;
        size_t len;
        uint8_t in[9];
        uint8_t want[9];
    } rows[] = {
        {"nothing", 0, 0, {1}, {1}},
        {"RFC 6455 5.7", 0, 5, "Hello", {0x7f, 0x9f, 0x4d, 0x51, 0x58}},
        {"zeros give the key", 0, 8, {0}, {0x37, 0xfa, 0x21, 0x3d, 0x37, 0xfa, 0x21, 0x3d}},
        {"key_at 1", 1, 5, {0}, {0xfa, 0x21, 0x3d, 0x37, 0xfa}},
        {"key_at 2", 2, 5, {0}, {0x21, 0x3d, 0x37, 0xfa, 0x21}},
        {"key_at 3", 3, 5, {0}, {0x3d, 0x37, 0xfa, 0x21, 0x3d}},
        {"byte behind is left", 3, 1, {0, 7}, {0x3d, 7}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t data[9];
        memcpy(data, rows[i].in, sizeof(data));
        mask_apply_scalar(data, rows[i].len, key, rows[i].key_at);
        CHECK_EQ_MEM(rows[i].name, data, sizeof(data), rows[i].want, sizeof(rows[i].want));
    }
}

/* Compares one implementation with the scalar one at one alignment and key_at, over all lengths. It
 * compares the whole block, so the guards on both sides too. */
static bool is_same(mask_fn *apply, size_t alignment, size_t key_at, size_t *out_len)
{
    static _Alignas(64) uint8_t got[GUARD + ALIGNMENTS + LEN_MAX + GUARD];
    static uint8_t want[sizeof(got)];
    fill(got, sizeof(got));
    memcpy(want, got, sizeof(want));
    for (size_t len = 0; len <= LEN_MAX; len++) {
        apply(got + GUARD + alignment, len, key, key_at);
        mask_apply_scalar(want + GUARD + alignment, len, key, key_at);
        if (memcmp(got, want, sizeof(got)) != 0) {
            *out_len = len;
            return false;
        }
    }
    return true;
}

static void check_implementation(mask_fn *apply, const char *name)
{
    for (size_t i = 0; i < ALIGNMENTS * 4; i++) {
        size_t len = 0;
        char row[96];
        bool ok = is_same(apply, i / 4, i % 4, &len);
        snprintf(row, sizeof(row), "%s, alignment %zu, key_at %zu, length %zu", name, i / 4, i % 4,
                 len);
        CHECK_TRUE(row, ok);
    }
}

static void test_implementations(void)
{
    size_t k = 0;
    const char *name = NULL;
    for (mask_fn *apply; (apply = mask_implementation(k, &name)) != NULL; k++) {
        CHECK_TRUE(name, k > 0 || apply == mask_apply_scalar);
        check_implementation(apply, name);
    }
    CHECK_TRUE("there is more than the scalar one", k > 1);
    CHECK_TRUE("none behind the last", mask_implementation(k + 1, NULL) == NULL);
    check_implementation(mask_apply, "mask_apply");
}

/* The payload ends where the array ends, so that the sanitizer sees a byte too far. */
static void test_end_of_array(void)
{
    static uint8_t got[256];
    const char *name = NULL;
    mask_fn *apply = mask_apply;
    for (size_t k = 0; apply != NULL; k++) {
        for (size_t len = 0; len <= sizeof(got); len++) {
            uint8_t want[sizeof(got)];
            fill(got, sizeof(got));
            memcpy(want, got, sizeof(want));
            apply(got + sizeof(got) - len, len, key, len);
            mask_apply_scalar(want + sizeof(want) - len, len, key, len & 3);
            CHECK_EQ_MEM("end of array", got, sizeof(got), want, sizeof(want));
        }
        apply = mask_implementation(k, &name);
    }
}

/* Masking a payload in two parts, cut anywhere, is the same as masking it whole. */
static void test_every_split(void)
{
    enum { LEN = 200 };
    uint8_t whole[LEN];
    fill(whole, LEN);
    mask_apply_scalar(whole, LEN, key, 0);
    for (size_t cut = 0; cut <= LEN; cut++) {
        uint8_t parts[LEN];
        fill(parts, LEN);
        mask_apply(parts, cut, key, 0);
        mask_apply(parts + cut, LEN - cut, key, cut & 3);
        CHECK_EQ_MEM("split", parts, LEN, whole, LEN);
    }
}

static void test_large(void)
{
    enum { LEN = 1 << 18 };
    static uint8_t got[LEN + 1];
    static uint8_t want[LEN + 1];
    fill(got, sizeof(got));
    memcpy(want, got, sizeof(want));
    mask_apply(got + 1, LEN, key, 3);
    mask_apply_scalar(want + 1, LEN, key, 3);
    CHECK_TRUE("256 KiB", memcmp(got, want, sizeof(got)) == 0);
    mask_apply(got + 1, LEN, key, 3);
    fill(want, sizeof(want));
    CHECK_TRUE("twice is nothing", memcmp(got, want, sizeof(got)) == 0);
}

CU_TestInfo mask_tests[] = {
    {"scalar", test_scalar},
    {"every implementation", test_implementations},
    {"end of an array", test_end_of_array},
    {"every split", test_every_split},
    {"large", test_large},
    CU_TEST_INFO_NULL,
};
