/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Compares every implementation of the mask with the scalar one: in a block with guard bytes, and
 * at the end of an array, where the sanitizer sees a byte too far.
 *
 * Input: 4 bytes key, 1 byte alignment and key_at, the payload. */
#include <stdlib.h>
#include <string.h>

#include "proto/mask.h"

#define LEN_MAX ((size_t)4096)
#define GUARD ((size_t)64)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(mask_fn *apply, const uint8_t *data, size_t size)
{
    static _Alignas(64) uint8_t got[GUARD + LEN_MAX + GUARD];
    static uint8_t want[sizeof(got)];
    static uint8_t tail[LEN_MAX];
    const uint8_t *key = data;
    size_t at = data[4] % GUARD;
    size_t key_at = data[4] / GUARD;
    const uint8_t *payload = data + 5;
    size_t len = size - 5 < LEN_MAX ? size - 5 : LEN_MAX;

    memset(got, 0xa5, sizeof(got));
    memcpy(got + at, payload, len);
    memcpy(want, got, sizeof(want));
    apply(got + at, len, key, key_at);
    mask_apply_scalar(want + at, len, key, key_at);
    if (memcmp(got, want, sizeof(got)) != 0) {
        abort();
    }
    memcpy(tail + sizeof(tail) - len, payload, len);
    apply(tail + sizeof(tail) - len, len, key, key_at);
    if (memcmp(tail + sizeof(tail) - len, want + at, len) != 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 5) {
        return 0;
    }
    run(mask_apply, data, size);
    for (size_t k = 0; mask_implementation(k, NULL) != NULL; k++) {
        run(mask_implementation(k, NULL), data, size);
    }
    return 0;
}
