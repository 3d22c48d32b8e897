/* SPDX-License-Identifier: GPL-3.0-or-later */
/* proxy_header_parts.h: what the sources of proxy_header.h share; for nobody else. */
#ifndef PROTO_PROXY_HEADER_PARTS_H
#define PROTO_PROXY_HEADER_PARTS_H

#include "proto/proxy_header.h"

#define PROXY_HEADER_SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define PROXY_HEADER_SIGNATURE_LEN 12

enum {
    PROXY_HEADER_COMMAND_LOCAL = 0x20, /* with the version */
    PROXY_HEADER_COMMAND_PROXY = 0x21
};

enum {
    PROXY_HEADER_FAMILY_UNSPEC = 0x0,
    PROXY_HEADER_FAMILY_INET = 0x1,
    PROXY_HEADER_FAMILY_INET6 = 0x2,
    PROXY_HEADER_FAMILY_UNIX = 0x3
};

enum {
    PROXY_HEADER_TRANSPORT_UNSPEC = 0x0,
    PROXY_HEADER_TRANSPORT_STREAM = 0x1,
    PROXY_HEADER_TRANSPORT_DGRAM = 0x2
};

/* Types of TLVs. */
enum {
    PROXY_HEADER_TLV_ALPN = 0x01,
    PROXY_HEADER_TLV_AUTHORITY = 0x02,
    PROXY_HEADER_TLV_CRC32C = 0x03,
    PROXY_HEADER_TLV_UNIQUE_ID = 0x05,
    PROXY_HEADER_TLV_TLS = 0x20,
    PROXY_HEADER_TLV_TLS_VERSION = 0x21, /* these stand within PROXY_HEADER_TLV_TLS */
    PROXY_HEADER_TLV_TLS_COMMON_NAME = 0x22,
    PROXY_HEADER_TLV_TLS_CIPHER = 0x23,
    PROXY_HEADER_TLV_TLS_SIGNATURE_ALGORITHM = 0x24,
    PROXY_HEADER_TLV_TLS_KEY_ALGORITHM = 0x25,
    PROXY_HEADER_TLV_TLS_GROUP = 0x26,
    PROXY_HEADER_TLV_TLS_SIGNATURE_SCHEME = 0x27,
    PROXY_HEADER_TLV_TLS_CLIENT_CERTIFICATE = 0x28
};

/* The bits of the client field. */
enum {
    PROXY_HEADER_CLIENT_TLS = 0x01,
    PROXY_HEADER_CLIENT_CERTIFICATE = 0x02,        /* on this connection */
    PROXY_HEADER_CLIENT_SESSION_CERTIFICATE = 0x04 /* when the TLS session began */
};

static inline uint16_t proxy_header_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

/* Reads the TLVs from position `at` of the whole header to its end into `out`. Returns NULL or the
 * detail. */
const char *proxy_header_read_tlvs(const uint8_t *header, size_t len, size_t at,
                                   struct proxy_header *out);

#endif
