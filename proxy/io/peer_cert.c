/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/peer_cert.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "io/der.h"
#include "io/peer_cert_parts.h"
#include "io/x509.h"

#define OID_COMMON_NAME SPAN_LIT("\x55\x04\x03")
#define OID_ALT_NAME SPAN_LIT("\x55\x1d\x11")

enum { GENERAL_EMAIL = 1, GENERAL_DNS = 2, GENERAL_URI = 6, GENERAL_IP = 7 };

static const char *const words[PEER_CERT_KINDS] = {
    [PEER_CERT_DNS] = "dns", [PEER_CERT_EMAIL] = "email",
    [PEER_CERT_URI] = "uri", [PEER_CERT_IP] = "ip",
    [PEER_CERT_CN] = "cn",   [PEER_CERT_FINGERPRINT_HEX] = "fingerprint",
};

const char *peer_cert_word(enum peer_cert_kind kind)
{
    return words[kind];
}

/* Gathers names. Twice: at first `cert` is NULL, and what is needed is counted. */
struct gathering {
    struct peer_cert *cert;
    size_t count;
    size_t bytes;
    char *at; /* where the next text goes */
};

static enum peer_cert_result put(struct gathering *g, enum peer_cert_kind kind, struct span text)
{
    size_t front = strlen(words[kind]) + 1;

    if (text.len == 0 || text.len > PEER_CERT_NAME_BYTES || g->count == PEER_CERT_NAMES) {
        return PEER_CERT_BAD_NAME;
    }
    if (g->cert != NULL) {
        memcpy(g->at, words[kind], front - 1);
        g->at[front - 1] = ':';
        memcpy(g->at + front, text.data, text.len);
        for (size_t i = front; kind == PEER_CERT_DNS && i < front + text.len; i++) {
            g->at[i] = (char)(g->at[i] >= 'A' && g->at[i] <= 'Z' ? g->at[i] | 0x20 : g->at[i]);
        }
        g->cert->names[g->count] = (struct peer_cert_name){kind, {g->at, front + text.len}};
        g->at += front + text.len;
    }
    g->bytes += front + text.len;
    g->count++;
    return PEER_CERT_OK;
}

/* ------------------------------------------------------------------------------------ the names */

static enum peer_cert_result put_visible(struct gathering *g, enum peer_cert_kind kind,
                                         struct span text)
{
    if (!peer_cert_is_visible(text)) {
        return PEER_CERT_BAD_NAME;
    }
    return span_find(text, '*') < text.len ? PEER_CERT_OK : put(g, kind, text);
}

static enum peer_cert_result put_address(struct gathering *g, struct span bytes)
{
    char text[INET6_ADDRSTRLEN];

    if (bytes.len != 4 && bytes.len != 16) {
        return PEER_CERT_BAD_NAME;
    }
    return put(g, PEER_CERT_IP,
               span_from_str(
                   inet_ntop(bytes.len == 4 ? AF_INET : AF_INET6, bytes.data, text, sizeof(text))));
}

static enum peer_cert_result put_general(struct gathering *g, const struct der_item *name)
{
    switch (name->tag) {
    case DER_CONTEXT_PLAIN(GENERAL_DNS):
        return put_visible(g, PEER_CERT_DNS, name->content);
    case DER_CONTEXT_PLAIN(GENERAL_EMAIL):
        return put_visible(g, PEER_CERT_EMAIL, name->content);
    case DER_CONTEXT_PLAIN(GENERAL_URI):
        return put_visible(g, PEER_CERT_URI, name->content);
    case DER_CONTEXT_PLAIN(GENERAL_IP):
        return put_address(g, name->content);
    default:
        return PEER_CERT_OK;
    }
}

static enum peer_cert_result take_alt_names(struct gathering *g, struct span value)
{
    enum peer_cert_result result = PEER_CERT_OK;
    struct der_item names;
    struct der_item name;

    if (!der_take(&value, DER_SEQUENCE, &names) || value.len > 0) {
        return PEER_CERT_DAMAGED;
    }
    while (result == PEER_CERT_OK && names.content.len > 0) {
        result = der_next(&names.content, &name) ? put_general(g, &name) : PEER_CERT_DAMAGED;
    }
    return result;
}

static enum peer_cert_result take_extension(struct gathering *g, struct span extension)
{
    struct der_item oid;
    struct der_item critical;
    struct der_item value;

    if (!der_take(&extension, DER_OID, &oid) ||
        !der_take_optional(&extension, DER_BOOLEAN, &critical) ||
        !der_take(&extension, DER_OCTETS, &value) || extension.len > 0) {
        return PEER_CERT_DAMAGED;
    }
    return span_is_equal(oid.content, OID_ALT_NAME) ? take_alt_names(g, value.content)
                                                    : PEER_CERT_OK;
}

static enum peer_cert_result take_extensions(struct gathering *g, struct span rest)
{
    enum peer_cert_result result = PEER_CERT_OK;
    struct der_item outer;
    struct der_item list;
    struct der_item extension;

    while (rest.len > 0) {
        if (!der_next(&rest, &outer)) {
            return PEER_CERT_DAMAGED;
        }
        if (outer.tag != DER_CONTEXT(3)) {
            continue; /* unique identifiers */
        }
        if (!der_take(&outer.content, DER_SEQUENCE, &list) || outer.content.len > 0) {
            return PEER_CERT_DAMAGED;
        }
        while (result == PEER_CERT_OK && list.content.len > 0) {
            result = der_take(&list.content, DER_SEQUENCE, &extension)
                         ? take_extension(g, extension.content)
                         : PEER_CERT_DAMAGED;
        }
    }
    return result;
}

/* One AttributeTypeAndValue. A common name in an encoding of old is none. */
static enum peer_cert_result take_attribute(struct gathering *g, struct span attribute)
{
    struct der_item oid;
    struct der_item value;

    if (!der_take(&attribute, DER_OID, &oid) || !der_next(&attribute, &value) ||
        attribute.len > 0) {
        return PEER_CERT_DAMAGED;
    }
    bool is_name = span_is_equal(oid.content, OID_COMMON_NAME) &&
                   (value.tag == DER_UTF8 || value.tag == DER_PRINTABLE || value.tag == DER_IA5);
    if (!is_name || value.content.len == 0) {
        return PEER_CERT_OK;
    }
    return peer_cert_is_text(value.content) ? put(g, PEER_CERT_CN, value.content)
                                            : PEER_CERT_BAD_NAME;
}

static enum peer_cert_result take_subject(struct gathering *g, struct span subject)
{
    enum peer_cert_result result = PEER_CERT_OK;
    struct der_item names;
    struct der_item set;
    struct der_item attribute;

    if (!der_take(&subject, DER_SEQUENCE, &names)) {
        return PEER_CERT_DAMAGED;
    }
    while (result == PEER_CERT_OK && names.content.len > 0) {
        if (!der_take(&names.content, DER_SET, &set)) {
            return PEER_CERT_DAMAGED;
        }
        while (result == PEER_CERT_OK && set.content.len > 0) {
            result = der_take(&set.content, DER_SEQUENCE, &attribute)
                         ? take_attribute(g, attribute.content)
                         : PEER_CERT_DAMAGED;
        }
    }
    return result;
}

/* ------------------------------------------------------------------------------ the certificate */

static enum peer_cert_result gather(struct gathering *g, const struct x509 *parts,
                                    const uint8_t fingerprint[PEER_CERT_FINGERPRINT])
{
    char hex[2 * PEER_CERT_FINGERPRINT + 1];
    enum peer_cert_result result = take_subject(g, parts->subject);

    if (result == PEER_CERT_OK) {
        result = take_extensions(g, parts->extensions);
    }
    for (size_t i = 0; i < PEER_CERT_FINGERPRINT; i++) {
        snprintf(hex + 2 * i, 3, "%02x", fingerprint[i]);
    }
    return result == PEER_CERT_OK ? put(g, PEER_CERT_FINGERPRINT_HEX, span_from_str(hex)) : result;
}

static char *keep(char *at, struct span from, struct span *out)
{
    memcpy(at, from.data, from.len);
    *out = (struct span){at, from.len};
    return at + from.len;
}

enum peer_cert_result peer_cert_read(struct span der,
                                     const uint8_t fingerprint[PEER_CERT_FINGERPRINT],
                                     struct peer_cert **out)
{
    struct gathering g = {.cert = NULL};
    struct x509 parts;

    *out = NULL;
    if (!x509_read(der, &parts)) {
        return PEER_CERT_DAMAGED;
    }
    enum peer_cert_result result = gather(&g, &parts, fingerprint);
    if (result != PEER_CERT_OK) {
        return result;
    }
    size_t front = sizeof(*g.cert) + g.count * sizeof(g.cert->names[0]);
    g.cert = mem_alloc(front + g.bytes + parts.issuer.len + parts.subject.len + parts.serial.len);
    if (g.cert == NULL) {
        return PEER_CERT_NO_MEMORY;
    }
    *g.cert = (struct peer_cert){.ends_s = parts.ends_s, .count = g.count};
    g.at = keep((char *)g.cert + front, parts.issuer, &g.cert->issuer);
    g.at = keep(g.at, parts.subject, &g.cert->subject);
    g.at = keep(g.at, parts.serial, &g.cert->serial);
    g.count = 0;
    g.bytes = 0;
    *out = g.cert;
    return gather(&g, &parts, fingerprint);
}

void peer_cert_free(struct peer_cert *cert)
{
    mem_free(cert);
}

struct span peer_cert_title(const struct peer_cert *cert)
{
    const struct peer_cert_name *title = &cert->names[0];

    /* The subject's names come first, and the most particular one is its last. */
    for (size_t i = 0; i < cert->count; i++) {
        if (cert->names[i].kind == PEER_CERT_CN) {
            title = &cert->names[i];
        }
    }
    return title->text;
}
