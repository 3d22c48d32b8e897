/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/tls_names.h"

#include <limits.h>
#include <string.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include "base/addr.h"
#include "base/mem.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* An embedded NUL or a space would let one name pass for another. */
static bool is_plain(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (name[i] <= 0x20 || name[i] > 0x7e) {
            return false;
        }
    }
    return len > 0;
}

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
        size_t len = entry->len > 0 ? (size_t)entry->len : 0;
        if (entry->type != ASN_DNS_TYPE || !is_plain(entry->name, len)) {
            continue;
        }
        for (size_t i = 0; i < len; i++) {
            out->text[out->len++] = lower(entry->name[i]);
        }
        out->text[out->len++] = '\0';
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
    }
    wc_FreeDecodedCert(certificate);
    mem_free(certificate);
    return result;
}

enum tls_names_result tls_names_read(struct span pem, struct tls_names *out)
{
    *out = (struct tls_names){0};
    if (pem.len == 0 || pem.len > INT_MAX ||
        memmem(pem.data, pem.len, "-----BEGIN CERTIFICATE-----", 27) == NULL) {
        return TLS_NAMES_NOT_PEM;
    }
    /* DER is shorter than its base64 text. */
    uint8_t *der = mem_alloc(pem.len);
    if (der == NULL) {
        return TLS_NAMES_NO_MEMORY;
    }
    int len = wc_CertPemToDer((const unsigned char *)pem.data, (int)pem.len, der, (int)pem.len,
                              CERT_TYPE);
    enum tls_names_result result = TLS_NAMES_BAD_CERTIFICATE;
    if (len > 0) {
        result = look_at(der, (size_t)len, collect, out);
    } else if (len == MEMORY_E) {
        result = TLS_NAMES_NO_MEMORY;
    }
    mem_free(der);
    return result;
}

void tls_names_done(struct tls_names *names)
{
    mem_free(names->text);
    *names = (struct tls_names){0};
}

static enum tls_names_match match_one(struct span pattern, struct span name)
{
    if (span_is_equal_nocase(pattern, name)) {
        return TLS_NAMES_EXACT;
    }
    size_t dot = span_find(name, '.');
    if (dot == 0 || dot == name.len || !span_starts_with(pattern, SPAN_LIT("*."))) {
        return TLS_NAMES_NONE;
    }
    struct span pattern_rest = {pattern.data + 1, pattern.len - 1};
    struct span name_rest = {name.data + dot, name.len - dot};
    return span_is_equal_nocase(pattern_rest, name_rest) ? TLS_NAMES_WILDCARD : TLS_NAMES_NONE;
}

enum tls_names_match tls_names_match(const struct tls_names *names, struct span name)
{
    enum tls_names_match best = TLS_NAMES_NONE;
    for (size_t at = 0; name.len > 0 && at < names->len;) {
        struct span pattern = span_from_str(names->text + at);
        enum tls_names_match match = match_one(pattern, name);
        best = match > best ? match : best;
        at += pattern.len + 1;
    }
    return best;
}

/* --- one name ------------------------------------------------------------------------------ */

static bool is_address_of(const DNS_entry *entry, const struct addr *address)
{
    const void *bytes = &address->u.in.sin_addr;
    size_t len = sizeof(address->u.in.sin_addr);
    if (address->u.sa.sa_family == AF_INET6) {
        bytes = &address->u.in6.sin6_addr;
        len = sizeof(address->u.in6.sin6_addr);
    }
    return entry->type == ASN_IP_TYPE && entry->len > 0 && (size_t)entry->len == len &&
           memcmp(entry->name, bytes, len) == 0;
}

static bool is_name_of(const DNS_entry *entry, struct span name)
{
    size_t len = entry->len > 0 ? (size_t)entry->len : 0;
    return entry->type == ASN_DNS_TYPE && is_plain(entry->name, len) &&
           match_one((struct span){entry->name, len}, name) != TLS_NAMES_NONE;
}

static enum tls_names_result look_for(const DNS_entry *first, void *context)
{
    const struct span *name = context;
    struct addr address;
    bool is_address = addr_parse_host(*name, 1, &address);
    for (const DNS_entry *entry = first; entry != NULL; entry = entry->next) {
        if (is_address ? is_address_of(entry, &address) : is_name_of(entry, *name)) {
            return TLS_NAMES_OK;
        }
    }
    return TLS_NAMES_OTHER;
}

enum tls_names_result tls_names_check(const uint8_t *der, size_t len, struct span name)
{
    return der != NULL && len > 0 ? look_at(der, len, look_for, &name) : TLS_NAMES_BAD_CERTIFICATE;
}
