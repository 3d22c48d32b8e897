/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The list of types, lengths and values behind the addresses of version 2. */
#include <string.h>

#include "proto/proxy_header_parts.h"

struct tlv {
    uint8_t type;
    struct span value;
};

/* Takes the next TLV off *rest, which is not empty. False: it sticks out. */
static bool next_tlv(struct span *rest, struct tlv *out)
{
    const uint8_t *at = (const uint8_t *)rest->data;
    if (rest->len < 3 || rest->len - 3 < proxy_header_u16(at + 1)) {
        return false;
    }
    out->type = at[0];
    out->value = (struct span){rest->data + 3, proxy_header_u16(at + 1)};
    rest->data += 3 + out->value.len;
    rest->len -= 3 + out->value.len;
    return true;
}

/* RFC 4960, appendix B. */
static uint32_t crc32c(uint32_t crc, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (0x82f63b78U & (0U - (crc & 1U)));
        }
    }
    return crc;
}

/* The checksum is that of the header with zeroes in its place. */
static bool is_checksum_good(const uint8_t *header, size_t len, struct span sum)
{
    static const uint8_t zeroes[4] = {0};
    if (sum.len != sizeof(zeroes)) {
        return false;
    }
    const uint8_t *at = (const uint8_t *)sum.data;
    size_t before = (size_t)(at - header);
    uint32_t crc = crc32c(0xffffffffU, header, before);
    crc = crc32c(crc, zeroes, sizeof(zeroes));
    crc = ~crc32c(crc, at + sizeof(zeroes), len - before - sizeof(zeroes));
    return crc == ((uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]);
}

/* False: the field has a value already. */
static bool set_once(struct span *field, struct span value)
{
    bool is_first = field->data == NULL;
    *field = value;
    return is_first;
}

/* False: the TLV is there twice. */
static bool take_tls(struct proxy_header_tls *tls, const struct tlv *tlv)
{
    switch (tlv->type) {
    case PROXY_HEADER_TLV_TLS_VERSION:
        return set_once(&tls->version, tlv->value);
    case PROXY_HEADER_TLV_TLS_COMMON_NAME:
        return set_once(&tls->common_name, tlv->value);
    case PROXY_HEADER_TLV_TLS_CIPHER:
        return set_once(&tls->cipher, tlv->value);
    case PROXY_HEADER_TLV_TLS_SIGNATURE_ALGORITHM:
        return set_once(&tls->signature_algorithm, tlv->value);
    case PROXY_HEADER_TLV_TLS_KEY_ALGORITHM:
        return set_once(&tls->key_algorithm, tlv->value);
    case PROXY_HEADER_TLV_TLS_GROUP:
        return set_once(&tls->group, tlv->value);
    case PROXY_HEADER_TLV_TLS_SIGNATURE_SCHEME:
        return set_once(&tls->signature_scheme, tlv->value);
    case PROXY_HEADER_TLV_TLS_CLIENT_CERTIFICATE:
        return set_once(&tls->client_certificate, tlv->value);
    default:
        return true;
    }
}

static const char *read_tls(struct span value, struct proxy_header_tls *out)
{
    const uint8_t *at = (const uint8_t *)value.data;
    struct tlv tlv;
    if (value.len < 5) {
        return "PROXY header with a TLS value of less than five bytes";
    }
    uint8_t client = at[0];
    out->is_used = (client & PROXY_HEADER_CLIENT_TLS) != 0;
    out->is_on_connection = (client & PROXY_HEADER_CLIENT_CERTIFICATE) != 0;
    out->has_certificate =
        (client & PROXY_HEADER_CLIENT_SESSION_CERTIFICATE) != 0 || out->is_on_connection;
    out->is_verified = out->has_certificate && (at[1] | at[2] | at[3] | at[4]) == 0;
    struct span rest = {value.data + 5, value.len - 5};
    while (rest.len > 0) {
        if (!next_tlv(&rest, &tlv)) {
            return "PROXY header with a TLV that sticks out of the TLS value";
        }
        if (!take_tls(out, &tlv)) {
            return "PROXY header with a TLV twice";
        }
    }
    return NULL;
}

/* The values that are read when the whole list is known. */
struct later {
    struct span checksum;
    struct span tls;
};

/* False: the TLV is there twice. */
static bool take_plain(struct proxy_header *header, struct later *later, const struct tlv *tlv)
{
    switch (tlv->type) {
    case PROXY_HEADER_TLV_ALPN:
        return set_once(&header->alpn, tlv->value);
    case PROXY_HEADER_TLV_AUTHORITY:
        return set_once(&header->authority, tlv->value);
    case PROXY_HEADER_TLV_UNIQUE_ID:
        return set_once(&header->unique_id, tlv->value);
    case PROXY_HEADER_TLV_CRC32C:
        return set_once(&later->checksum, tlv->value);
    case PROXY_HEADER_TLV_TLS:
        return set_once(&later->tls, tlv->value);
    default:
        return true;
    }
}

const char *proxy_header_read_tlvs(const uint8_t *header, size_t len, size_t at,
                                   struct proxy_header *out)
{
    struct span rest = {(const char *)header + at, len - at};
    struct later later = {.checksum = {NULL, 0}};
    struct tlv tlv;
    while (rest.len > 0) {
        if (!next_tlv(&rest, &tlv)) {
            return "PROXY header with a TLV that sticks out";
        }
        if (tlv.type == PROXY_HEADER_TLV_UNIQUE_ID && tlv.value.len > PROXY_HEADER_ID_BYTES_MAX) {
            return "PROXY header with a unique id of more than 128 bytes";
        }
        if (!take_plain(out, &later, &tlv)) {
            return "PROXY header with a TLV twice";
        }
    }
    if (later.checksum.data != NULL && !is_checksum_good(header, len, later.checksum)) {
        return "PROXY header with a wrong checksum";
    }
    return later.tls.data == NULL ? NULL : read_tls(later.tls, &out->tls);
}
