/* SPDX-License-Identifier: GPL-3.0-or-later */
/* PEM files: what is read lies inside the file's size, in order, and is nothing but DER items. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "io/tls_pem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *detail, struct tls_der *der, struct span text)
{
    assert((detail == NULL) == (der->count > 0));
    assert(der->len <= text.len && der->count <= TLS_PEM_CERTIFICATES);
    for (size_t i = 0; i < der->count; i++) {
        struct span item = tls_pem_item(der, i);
        assert(item.len >= 2 && item.data[0] == 0x30);
    }
    tls_pem_done(der);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data, size};
    struct tls_der der;
    const char *detail = tls_pem_certificates(text, &der);
    check(detail, &der, text);
    detail = tls_pem_key(text, &der);
    assert(detail != NULL || tls_pem_has_key(text));
    check(detail, &der, text);
    detail = tls_pem_public_keys(text, &der);
    check(detail, &der, text);
    return 0;
}
