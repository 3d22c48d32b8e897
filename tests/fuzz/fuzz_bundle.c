/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bundle: any bytes are refused, with a reason, or make a bundle that encodes to the same bytes. */
#include "conf/bundle.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = {size > 0 ? (const char *)data : "", size};
    struct bundle bundle;
    const char *detail = NULL;
    size_t blocks = mem_live_blocks();

    if (!bundle_decode(&bundle, bytes, &detail)) {
        assert(detail != NULL);
    } else {
        size_t len = 0;
        char *again = bundle_encode(&bundle, &len);

        assert(again != NULL && len == size && memcmp(again, data, size) == 0);
        assert(bundle.count > 0 && bundle.bytes < size);
        mem_free(again);
        bundle_done(&bundle);
    }
    assert(mem_live_blocks() == blocks);
    return 0;
}
