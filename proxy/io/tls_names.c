/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/tls_names.h"

#include <string.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include "base/mem.h"

static enum tls_names_result collect(const DNS_entry *first, void *context)
{
    struct tls_names *out = context;
    size_t size = 0;
    for (const DNS_entry *entry = first; entry != NULL; entry = entry->next) {
        size += entry->len > 0 ? (size_t)entry->len + 1 : 0;
    }
    if (size == 0) {
        return TLS_NAMES_OK;
    }
    out->text = mem_alloc(size);
    if (out->text == NULL) {
        return TLS_NAMES_NO_MEMORY;
    }
    for (const DNS_entry *entry = first; entry != NULL; entry = entry->next) {
        struct span name = {entry->name, entry->len > 0 ? (size_t)entry->len : 0};
        if (entry->type == ASN_DNS_TYPE && host_is_pattern(name)) {
            memcpy(out->text + out->len, name.data, name.len);
            out->len += name.len;
            out->text[out->len++] = '\0';
        }
    }
    return TLS_NAMES_OK;
}

/* Looks at the names of a certificate. */
typedef enum tls_names_result look_fn(const DNS_entry *first, void *context);

static enum tls_names_result look_at(const uint8_t *der, size_t len, look_fn *look, void *context)
{
    DecodedCert *certificate = mem_alloc(sizeof(*certificate));
    if (certificate == NULL) {
        return TLS_NAMES_NO_MEMORY;
    }
    wc_InitDecodedCert(certificate, der, (word32)len, NULL);
    enum tls_names_result result = TLS_NAMES_BAD_CERTIFICATE;
    int parsed = wc_ParseCert(certificate, CERT_TYPE, NO_VERIFY, NULL);
    if (parsed == 0) {
        result = look(certificate->altNames, context);
    } else if (parsed == MEMORY_E) {
        result = TLS_NAMES_NO_MEMORY;
    } else if (parsed == ASN_ALT_NAME_E) {
        result = TLS_NAMES_TOO_MANY;
    }
    wc_FreeDecodedCert(certificate);
    mem_free(certificate);
    return result;
}

enum tls_names_result tls_names_read(struct span der, struct tls_names *out)
{
    *out = (struct tls_names){0};
    return look_at((const uint8_t *)der.data, der.len, collect, out);
}

void tls_names_done(struct tls_names *names)
{
    mem_free(names->text);
    *names = (struct tls_names){0};
}

enum host_match tls_names_match(const struct tls_names *names, struct span name)
{
    enum host_match best = HOST_DIFFERS;
    for (size_t at = 0; name.len > 0 && at < names->len;) {
        struct span pattern = span_from_str(names->text + at);
        enum host_match match = host_match(pattern, name);
        best = match > best ? match : best;
        at += pattern.len + 1;
    }
    return best;
}

/* --- one name ------------------------------------------------------------------------------ */

struct sought {
    struct span name;
    size_t address_len; /* 0: the name is no address */
    uint8_t address[16];
};

static bool is_for(const DNS_entry *entry, const struct sought *sought)
{
    struct span value = {entry->name, entry->len > 0 ? (size_t)entry->len : 0};
    if (sought->address_len > 0) {
        return entry->type == ASN_IP_TYPE && value.len == sought->address_len &&
               memcmp(value.data, sought->address, value.len) == 0;
    }
    return entry->type == ASN_DNS_TYPE && host_is_pattern(value) &&
           host_match(value, sought->name) != HOST_DIFFERS;
}

static enum tls_names_result look_for(const DNS_entry *first, void *context)
{
    for (const DNS_entry *entry = first; entry != NULL; entry = entry->next) {
        if (is_for(entry, context)) {
            return TLS_NAMES_OK;
        }
    }
    return TLS_NAMES_OTHER;
}

enum tls_names_result tls_names_check(const uint8_t *der, size_t len, struct span name)
{
    struct sought sought = {.name = name};
    switch (host_address(name, sought.address)) {
    case HOST_IPV4:
        sought.address_len = 4;
        break;
    case HOST_IPV6:
        sought.address_len = 16;
        break;
    case HOST_NAME:
    case HOST_NONE:
        break;
    }
    return der != NULL && len > 0 ? look_at(der, len, look_for, &sought)
                                  : TLS_NAMES_BAD_CERTIFICATE;
}
