/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/tls_memory.h"

#include <stddef.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/memory.h>

#include "base/mem.h"

/* wolfSSL asks for 0 bytes now and then; base/mem calls that a bug. */
static size_t at_least_one(size_t size)
{
    return size > 0 ? size : 1;
}

static void *library_alloc(size_t size)
{
    return mem_alloc(at_least_one(size));
}

static void *library_resize(void *ptr, size_t size)
{
    return mem_resize(ptr, at_least_one(size));
}

bool tls_memory_init(void)
{
    static bool is_done;
    if (!is_done) {
        is_done = wolfSSL_SetAllocators(library_alloc, mem_free, library_resize) == 0 &&
                  wolfSSL_Init() == WOLFSSL_SUCCESS;
    }
    return is_done;
}
