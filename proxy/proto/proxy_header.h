/* SPDX-License-Identifier: GPL-3.0-or-later */
/* proxy_header.h: the PROXY protocol, versions 1 and 2, both ways (HAProxy's proxy-protocol.txt).
 *
 * For: reading from a connection's first bytes whom a proxy in front speaks for, and writing the
 * same for a backend. Not for: who may send such a header (the listener's trusted_proxies), what
 * follows from it. Nobody guesses: a listener that expects a header takes nothing else, and another
 * listener never looks for one (section 5 of that text).
 *
 * A header is at most PROXY_HEADER_BYTES_MAX long. The parser keeps its bytes, and the spans of
 * struct proxy_header point there; proxy_header_done frees them. Pure, but for memory.
 *
 * What a proxy tells is believed as it stands: spans may hold any bytes, and the log must escape
 * them. */
#ifndef PROTO_PROXY_HEADER_H
#define PROTO_PROXY_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/span.h"

#define PROXY_HEADER_BYTES_MAX 4096
#define PROXY_HEADER_V1_BYTES_MAX 107   /* with CRLF (section 2.1) */
#define PROXY_HEADER_ID_BYTES_MAX 128   /* of a unique id (section 2.2.5) */
#define PROXY_HEADER_FIRST_BYTES_MAX 16 /* of version 2, up to its length field */

enum proxy_header_result {
    PROXY_HEADER_DONE = 0,
    PROXY_HEADER_NEED_MORE,
    PROXY_HEADER_BAD,     /* the connection must end */
    PROXY_HEADER_TOO_BIG, /* well-formed so far, but longer than PROXY_HEADER_BYTES_MAX */
    PROXY_HEADER_NO_MEMORY
};

enum proxy_header_version { PROXY_HEADER_V1 = 1, PROXY_HEADER_V2 = 2 };

enum proxy_header_kind {
    PROXY_HEADER_LOCAL = 0, /* the proxy speaks for itself, for example to see whether we live; the
                               addresses are those of the connection. HAProxy says the same of
                               clients on a Unix socket. */
    PROXY_HEADER_UNKNOWN,   /* for somebody whose address it does not tell: UNKNOWN of version 1;
                               UNSPEC, datagrams and Unix sockets of version 2 */
    PROXY_HEADER_TCP        /* for `source`, who called `destination` */
};

/* What a proxy knows of the client's TLS (section 2.2.6). An empty span: it does not tell. */
struct proxy_header_tls {
    bool is_used;              /* the client came over TLS */
    bool has_certificate;      /* the client showed a certificate, now or when the session began */
    bool is_on_connection;     /* it did so on this very connection */
    bool is_verified;          /* the certificate was good; never without has_certificate */
    struct span version;       /* "TLSv1.3" */
    struct span cipher;        /* "TLS_AES_256_GCM_SHA384" */
    struct span common_name;   /* of the client's certificate */
    struct span key_algorithm; /* of the proxy's certificate: "RSA2048" */
    struct span signature_algorithm;
    struct span group; /* of the key exchange: "X25519" */
    struct span signature_scheme;
    struct span client_certificate; /* DER */
};

struct proxy_header {
    enum proxy_header_version version;
    enum proxy_header_kind kind;
    struct addr source; /* of kind TCP: both IPv4 or both IPv6 on the wire; in here IPv4-mapped
                           addresses are IPv4. len 0 of the other kinds. */
    struct addr destination;
    /* What version 2 adds. A span is empty when the header does not have it. */
    struct span alpn;
    struct span authority; /* the SNI, as a rule */
    struct span unique_id;
    struct proxy_header_tls tls;
};

struct proxy_header_parser {
    uint8_t *bytes; /* what came so far; NULL before the first byte */
    uint32_t len;
    uint32_t size; /* private: of the block */
    enum proxy_header_result result;
    const char *detail;         /* a constant text, for the log; empty unless the parser refused */
    struct proxy_header header; /* complete with PROXY_HEADER_DONE */
};

/* Owns no memory yet. */
void proxy_header_init(struct proxy_header_parser *p);
/* Frees what the parser keeps. */
void proxy_header_done(struct proxy_header_parser *p);

/* Consumes bytes up to the end of the header, never one behind it. The parser refuses the first
 * byte that no header can have at its place; the addresses and the list of TLVs it judges when all
 * of them are there. Versions, commands, families and transports that are not defined are refused,
 * and so are a TLV that sticks out of its list, one of the known ones twice, and a CRC32C that is
 * wrong. TLVs that it does not know it skips. Where the text says that a receiver ignores the
 * addresses (LOCAL, UNSPEC), it ignores all that stands behind the length. After any result but
 * PROXY_HEADER_NEED_MORE a further call repeats the result and consumes nothing. */
MUST_CHECK enum proxy_header_result proxy_header_parse(struct proxy_header_parser *p,
                                                       const uint8_t *data, size_t len,
                                                       size_t *out_consumed);

/* Writes a header of header->version. Returns its length, or 0 when it does not fit into `size` or
 * a header; PROXY_HEADER_V1_BYTES_MAX is enough for version 1, which tells addresses only.
 *
 * An IPv4 and an IPv6 address: the IPv4 one is written as ::ffff:a.b.c.d, since both must be of one
 * family; HAProxy does the same. Without an IP address at either end, and of another kind than TCP,
 * version 1 says UNKNOWN and version 2 LOCAL, which has no TLVs: every receiver must take LOCAL,
 * while HAProxy 2.6 resets the connections of unknown clients (PROXY with UNSPEC). */
MUST_CHECK size_t proxy_header_write(const struct proxy_header *header, uint8_t *out, size_t size);

#endif
