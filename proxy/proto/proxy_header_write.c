/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Headers out. */
#include <stdio.h>
#include <string.h>

#include "proto/proxy_header_parts.h"

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_family(const struct addr *a, int family)
{
    return a->len > 0 && a->u.sa.sa_family == family;
}

static bool is_ip(const struct addr *a)
{
    return is_family(a, AF_INET) || is_family(a, AF_INET6);
}

static bool has_addresses(const struct proxy_header *h)
{
    return h->kind == PROXY_HEADER_TCP && is_ip(&h->source) && is_ip(&h->destination);
}

static bool is_v4(const struct proxy_header *h)
{
    return is_family(&h->source, AF_INET) && is_family(&h->destination, AF_INET);
}

/* --- version 1 ------------------------------------------------------------------------------- */

/* The address alone, as addr_print writes it, without brackets and port. */
static struct span host_text(const struct addr *a, char text[ADDR_TEXT_MAX])
{
    struct span host = span_from_str(addr_print(a, text, ADDR_TEXT_MAX));
    while (host.data[host.len - 1] != ':') {
        host.len--;
    }
    host.len--;
    return host.data[0] == '[' ? (struct span){host.data + 1, host.len - 2} : host;
}

static size_t write_v1(const struct proxy_header *h, char *out, size_t size)
{
    char texts[2][ADDR_TEXT_MAX];
    char line[PROXY_HEADER_V1_BYTES_MAX + 1];
    int len;
    if (has_addresses(h)) {
        struct span source = host_text(&h->source, texts[0]);
        struct span destination = host_text(&h->destination, texts[1]);
        const char *mapped = "::ffff:";
        len = snprintf(line, sizeof(line), "PROXY TCP%c %s%.*s %s%.*s %u %u\r\n",
                       is_v4(h) ? '4' : '6',
                       is_v4(h) || is_family(&h->source, AF_INET6) ? "" : mapped, (int)source.len,
                       source.data, is_v4(h) || is_family(&h->destination, AF_INET6) ? "" : mapped,
                       (int)destination.len, destination.data, (unsigned)addr_port(&h->source),
                       (unsigned)addr_port(&h->destination));
    } else {
        len = snprintf(line, sizeof(line), "PROXY UNKNOWN\r\n");
    }
    if ((size_t)len >= sizeof(line) || (size_t)len > size) {
        return 0;
    }
    memcpy(out, line, (size_t)len);
    return (size_t)len;
}

/* --- version 2 ------------------------------------------------------------------------------- */

struct writer {
    uint8_t *out;
    size_t size;
    size_t len; /* what was to be written; more than `size` when it does not fit */
};

static void put(struct writer *w, const void *data, size_t len)
{
    if (len > 0 && w->len <= w->size && len <= w->size - w->len) {
        memcpy(w->out + w->len, data, len);
    }
    w->len += len;
}

static void put_u8(struct writer *w, unsigned value)
{
    put(w, &(uint8_t){(uint8_t)value}, 1);
}

static void put_u16(struct writer *w, size_t value)
{
    put_u8(w, (unsigned)(value >> 8) & 0xff);
    put_u8(w, (unsigned)value & 0xff);
}

static void put_tlv(struct writer *w, uint8_t type, struct span value)
{
    if (value.len > 0) {
        put_u8(w, type);
        put_u16(w, value.len);
        put(w, value.data, value.len);
    }
}

static void put_host(struct writer *w, const struct addr *a, bool is_all_v4)
{
    if (is_family(a, AF_INET6)) {
        put(w, &a->u.in6.sin6_addr, 16);
        return;
    }
    if (!is_all_v4) {
        put(w, mapped_prefix, sizeof(mapped_prefix));
    }
    put(w, &a->u.in.sin_addr, 4);
}

/* A length that is written last, in front of what it counts. */
static void set_u16(struct writer *w, size_t at, size_t value)
{
    if (w->len <= w->size) {
        w->out[at] = (uint8_t)(value >> 8);
        w->out[at + 1] = (uint8_t)value;
    }
}

static void put_tls(struct writer *w, const struct proxy_header_tls *tls)
{
    unsigned client = (tls->is_used ? PROXY_HEADER_CLIENT_TLS : 0U) |
                      (tls->is_on_connection ? PROXY_HEADER_CLIENT_CERTIFICATE : 0U) |
                      (tls->has_certificate ? PROXY_HEADER_CLIENT_SESSION_CERTIFICATE : 0U);
    bool is_good = tls->has_certificate && tls->is_verified;
    put_u8(w, PROXY_HEADER_TLV_TLS);
    size_t length_at = w->len;
    put_u16(w, 0);
    put_u8(w, client);
    put(w, (const uint8_t[4]){0, 0, 0, is_good ? 0 : 1}, 4);
    put_tlv(w, PROXY_HEADER_TLV_TLS_VERSION, tls->version);
    put_tlv(w, PROXY_HEADER_TLV_TLS_COMMON_NAME, tls->common_name);
    put_tlv(w, PROXY_HEADER_TLV_TLS_CIPHER, tls->cipher);
    put_tlv(w, PROXY_HEADER_TLV_TLS_SIGNATURE_ALGORITHM, tls->signature_algorithm);
    put_tlv(w, PROXY_HEADER_TLV_TLS_KEY_ALGORITHM, tls->key_algorithm);
    put_tlv(w, PROXY_HEADER_TLV_TLS_GROUP, tls->group);
    put_tlv(w, PROXY_HEADER_TLV_TLS_SIGNATURE_SCHEME, tls->signature_scheme);
    put_tlv(w, PROXY_HEADER_TLV_TLS_CLIENT_CERTIFICATE, tls->client_certificate);
    set_u16(w, length_at, w->len - length_at - 2);
}

static void put_values(struct writer *w, const struct proxy_header *h)
{
    put_tlv(w, PROXY_HEADER_TLV_ALPN, h->alpn);
    put_tlv(w, PROXY_HEADER_TLV_AUTHORITY, h->authority);
    put_tlv(w, PROXY_HEADER_TLV_UNIQUE_ID, h->unique_id);
    if (h->tls.is_used) {
        put_tls(w, &h->tls);
    }
}

static size_t write_v2(const struct proxy_header *h, uint8_t *out, size_t size)
{
    struct writer w = {out, size_min(size, PROXY_HEADER_BYTES_MAX), 0};
    put(&w, PROXY_HEADER_SIGNATURE, PROXY_HEADER_SIGNATURE_LEN);
    if (has_addresses(h)) {
        unsigned family = is_v4(h) ? PROXY_HEADER_FAMILY_INET : PROXY_HEADER_FAMILY_INET6;
        put_u8(&w, PROXY_HEADER_COMMAND_PROXY);
        put_u8(&w, family << 4 | PROXY_HEADER_TRANSPORT_STREAM);
        put_u16(&w, 0);
        put_host(&w, &h->source, is_v4(h));
        put_host(&w, &h->destination, is_v4(h));
        put_u16(&w, addr_port(&h->source));
        put_u16(&w, addr_port(&h->destination));
        put_values(&w, h);
    } else {
        put_u8(&w, PROXY_HEADER_COMMAND_LOCAL);
        put_u8(&w, PROXY_HEADER_FAMILY_UNSPEC << 4 | PROXY_HEADER_TRANSPORT_UNSPEC);
        put_u16(&w, 0);
    }
    set_u16(&w, 14, w.len - PROXY_HEADER_FIRST_BYTES_MAX);
    return w.len <= w.size ? w.len : 0;
}

size_t proxy_header_write(const struct proxy_header *header, uint8_t *out, size_t size)
{
    switch (header->version) {
    case PROXY_HEADER_V1:
        return write_v1(header, (char *)out, size);
    case PROXY_HEADER_V2:
        break;
    }
    return header->unique_id.len <= PROXY_HEADER_ID_BYTES_MAX ? write_v2(header, out, size) : 0;
}
