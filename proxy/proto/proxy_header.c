/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/proxy_header.h"

#include <string.h>

#include "base/host.h"
#include "base/mem.h"
#include "proto/proxy_header_parts.h"

#define FIRST_BLOCK 128

static const char v1_begin[] = "PROXY ";
#define V1_BEGIN_LEN (sizeof(v1_begin) - 1)

void proxy_header_init(struct proxy_header_parser *p)
{
    *p = (struct proxy_header_parser){.result = PROXY_HEADER_NEED_MORE, .detail = ""};
}

void proxy_header_done(struct proxy_header_parser *p)
{
    mem_free(p->bytes);
    proxy_header_init(p);
}

static void end(struct proxy_header_parser *p, enum proxy_header_result result, const char *detail)
{
    p->result = result;
    p->detail = detail;
}

static void refuse(struct proxy_header_parser *p, const char *detail)
{
    end(p, PROXY_HEADER_BAD, detail);
}

/* --- version 1 ------------------------------------------------------------------------------- */

/* The next word of a line whose words one blank separates. False: there is none, or it is empty. */
static bool next_word(struct span *rest, struct span *out)
{
    size_t at = span_find(*rest, ' ');
    *out = (struct span){rest->data, at};
    *rest = at < rest->len ? (struct span){rest->data + at + 1, rest->len - at - 1}
                           : (struct span){rest->data + at, 0};
    return at > 0;
}

static bool read_port(struct span text, uint16_t *out)
{
    *out = 0;
    return span_is_equal(text, SPAN_LIT("0")) || host_parse_port(text, out);
}

static bool read_end(struct span host, struct span port_text, enum host_kind kind, struct addr *out)
{
    uint16_t port;
    return host_kind(host) == kind && read_port(port_text, &port) &&
           addr_parse_host(host, port, out);
}

/* The line without CRLF. Returns NULL or the detail. */
static const char *read_line(struct span line, struct proxy_header *out)
{
    struct span rest = {line.data + V1_BEGIN_LEN, line.len - V1_BEGIN_LEN};
    struct span family;
    struct span words[4];
    out->version = PROXY_HEADER_V1;
    out->kind = PROXY_HEADER_UNKNOWN;
    if (!next_word(&rest, &family)) {
        return "PROXY line without a family";
    }
    if (span_is_equal(family, SPAN_LIT("UNKNOWN"))) {
        return NULL; /* whatever follows is to be ignored */
    }
    bool is_v4 = span_is_equal(family, SPAN_LIT("TCP4"));
    if (!is_v4 && !span_is_equal(family, SPAN_LIT("TCP6"))) {
        return "PROXY line of a family that is not TCP4, TCP6 or UNKNOWN";
    }
    size_t last = (size_t)(rest.data - line.data) + rest.len;
    for (size_t i = 0; i < 4; i++) {
        if (!next_word(&rest, &words[i])) {
            return "PROXY line without two addresses and two ports";
        }
    }
    if ((size_t)(words[3].data - line.data) + words[3].len != last) {
        return "PROXY line with more than two addresses and two ports";
    }
    enum host_kind kind = is_v4 ? HOST_IPV4 : HOST_IPV6;
    if (!read_end(words[0], words[2], kind, &out->source) ||
        !read_end(words[1], words[3], kind, &out->destination)) {
        return "PROXY line with a wrong address or port";
    }
    out->kind = PROXY_HEADER_TCP;
    return NULL;
}

/* p->bytes holds the line up to `c`, which is its newest byte. */
static void take_v1(struct proxy_header_parser *p, uint8_t c)
{
    size_t at = p->len - 1;
    if (at < V1_BEGIN_LEN) {
        if (c != (uint8_t)v1_begin[at]) {
            refuse(p, "no PROXY header");
        }
        return;
    }
    bool is_after_cr = p->bytes[at - 1] == '\r';
    if ((c == '\n') != is_after_cr) {
        refuse(p, "PROXY line with a lone CR or LF");
    } else if (c == '\n') {
        const char *detail = read_line((struct span){(const char *)p->bytes, at - 1}, &p->header);
        end(p, detail == NULL ? PROXY_HEADER_DONE : PROXY_HEADER_BAD, detail == NULL ? "" : detail);
    } else if (p->len == PROXY_HEADER_V1_BYTES_MAX) {
        refuse(p, "PROXY line of more than 107 bytes");
    }
}

/* --- version 2 ------------------------------------------------------------------------------- */

static size_t address_bytes(uint8_t family)
{
    static const uint8_t bytes[] = {[PROXY_HEADER_FAMILY_UNSPEC] = 0,
                                    [PROXY_HEADER_FAMILY_INET] = 12,
                                    [PROXY_HEADER_FAMILY_INET6] = 36,
                                    [PROXY_HEADER_FAMILY_UNIX] = 216};
    return bytes[family];
}

static void read_v4(const uint8_t *host, const uint8_t *port, struct addr *out)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    memcpy(&in.sin_addr, host, 4);
    memcpy(&in.sin_port, port, 2);
    addr_from_sockaddr((const struct sockaddr *)&in, sizeof(in), out);
}

static void read_v6(const uint8_t *host, const uint8_t *port, struct addr *out)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    memcpy(&in6.sin6_addr, host, 16);
    memcpy(&in6.sin6_port, port, 2);
    addr_from_sockaddr((const struct sockaddr *)&in6, sizeof(in6), out);
}

/* All of the header is there. Returns NULL or the detail. */
static const char *read_binary(const uint8_t *bytes, size_t len, struct proxy_header *out)
{
    const uint8_t *addresses = bytes + PROXY_HEADER_FIRST_BYTES_MAX;
    uint8_t family = bytes[13] >> 4;
    uint8_t transport = bytes[13] & 0xf;
    out->version = PROXY_HEADER_V2;
    out->kind = bytes[12] == PROXY_HEADER_COMMAND_LOCAL ? PROXY_HEADER_LOCAL : PROXY_HEADER_UNKNOWN;
    if (out->kind == PROXY_HEADER_LOCAL || family == PROXY_HEADER_FAMILY_UNSPEC ||
        transport == PROXY_HEADER_TRANSPORT_UNSPEC) {
        return NULL;
    }
    if (len - PROXY_HEADER_FIRST_BYTES_MAX < address_bytes(family)) {
        return "PROXY header too short for its addresses";
    }
    if (transport == PROXY_HEADER_TRANSPORT_STREAM && family == PROXY_HEADER_FAMILY_INET) {
        read_v4(addresses, addresses + 8, &out->source);
        read_v4(addresses + 4, addresses + 10, &out->destination);
        out->kind = PROXY_HEADER_TCP;
    } else if (transport == PROXY_HEADER_TRANSPORT_STREAM && family == PROXY_HEADER_FAMILY_INET6) {
        read_v6(addresses, addresses + 32, &out->source);
        read_v6(addresses + 16, addresses + 34, &out->destination);
        out->kind = PROXY_HEADER_TCP;
    }
    return proxy_header_read_tlvs(bytes, len, PROXY_HEADER_FIRST_BYTES_MAX + address_bytes(family),
                                  out);
}

static size_t v2_len(const struct proxy_header_parser *p)
{
    return PROXY_HEADER_FIRST_BYTES_MAX + (size_t)proxy_header_u16(p->bytes + 14);
}

static void end_v2(struct proxy_header_parser *p)
{
    const char *detail = read_binary(p->bytes, p->len, &p->header);
    end(p, detail == NULL ? PROXY_HEADER_DONE : PROXY_HEADER_BAD, detail == NULL ? "" : detail);
}

/* One of the first 16 bytes, which is the newest. */
static void take_v2(struct proxy_header_parser *p, uint8_t c)
{
    size_t at = p->len - 1;
    if (at < PROXY_HEADER_SIGNATURE_LEN) {
        if (c != (uint8_t)PROXY_HEADER_SIGNATURE[at]) {
            refuse(p, "no PROXY header");
        }
    } else if (at == 12) {
        if (c >> 4 != PROXY_HEADER_V2) {
            refuse(p, "PROXY header of an unknown version");
        } else if (c != PROXY_HEADER_COMMAND_LOCAL && c != PROXY_HEADER_COMMAND_PROXY) {
            refuse(p, "PROXY header with an unknown command");
        }
    } else if (at == 13) {
        if (c >> 4 > PROXY_HEADER_FAMILY_UNIX || (c & 0xf) > PROXY_HEADER_TRANSPORT_DGRAM) {
            refuse(p, "PROXY header of an unknown family");
        }
    } else if (at == 15) {
        if (v2_len(p) > PROXY_HEADER_BYTES_MAX) {
            end(p, PROXY_HEADER_TOO_BIG, "PROXY header of more than 4096 bytes");
        } else if (p->len == v2_len(p)) {
            end_v2(p);
        }
    }
}

/* --- both ------------------------------------------------------------------------------------ */

static bool has_room(struct proxy_header_parser *p, size_t size)
{
    if (size <= p->size) {
        return true;
    }
    uint8_t *bytes = mem_resize(p->bytes, size);
    if (bytes == NULL) {
        end(p, PROXY_HEADER_NO_MEMORY, "no memory for the PROXY header");
        return false;
    }
    p->bytes = bytes;
    p->size = (uint32_t)size;
    return true;
}

static bool is_v1(const struct proxy_header_parser *p)
{
    return p->bytes[0] == (uint8_t)v1_begin[0];
}

/* Consumes at least one byte. */
static size_t take(struct proxy_header_parser *p, const uint8_t *data, size_t len)
{
    bool is_body = p->len >= PROXY_HEADER_FIRST_BYTES_MAX && !is_v1(p);
    size_t count = is_body ? size_min(len, v2_len(p) - p->len) : 1;
    if (!has_room(p, is_body ? v2_len(p) : FIRST_BLOCK)) {
        return 0;
    }
    memcpy(p->bytes + p->len, data, count);
    p->len += (uint32_t)count;
    if (is_body) {
        if (p->len == v2_len(p)) {
            end_v2(p);
        }
    } else if (is_v1(p)) {
        take_v1(p, *data);
    } else {
        take_v2(p, *data);
    }
    return count;
}

enum proxy_header_result proxy_header_parse(struct proxy_header_parser *p, const uint8_t *data,
                                            size_t len, size_t *out_consumed)
{
    size_t at = 0;
    while (at < len && p->result == PROXY_HEADER_NEED_MORE) {
        at += take(p, data + at, len - at);
    }
    *out_consumed = at;
    return p->result;
}
