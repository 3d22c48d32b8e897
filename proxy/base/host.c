/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/host.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define PORT_DIGITS_MAX 5
#define IPV6_PIECES 8
#define IPV6_TEXT_MAX 40 /* eight times four digits and a colon or NUL */

#define WILDCARD "*."

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_label_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-' || c == '_';
}

/* C forbids adding to NULL, even 0. */
static struct span skip(struct span s, size_t n)
{
    return n == 0 ? s : (struct span){s.data + n, s.len - n};
}

static bool has_dot_at_end(struct span name)
{
    return name.len > 0 && name.data[name.len - 1] == '.';
}

static struct span without_dot_at_end(struct span name)
{
    return (struct span){name.data, name.len - (has_dot_at_end(name) ? 1 : 0)};
}

/* WHATWG URL 3.5 reads 010 as octal and 09 as no number; both are digits alone, which is enough. */
static bool is_number(struct span label)
{
    bool is_digits = label.len > 0;
    bool is_hex_digits = label.len >= 2 && label.data[0] == '0' && (label.data[1] | 0x20) == 'x';

    for (size_t i = 0; i < label.len; i++) {
        is_digits = is_digits && is_digit(label.data[i]);
        is_hex_digits = is_hex_digits && (i < 2 || is_hex(label.data[i]));
    }
    return is_digits || is_hex_digits;
}

static bool ends_in_number(struct span name)
{
    size_t at;

    name = without_dot_at_end(name);
    at = name.len;
    while (at > 0 && name.data[at - 1] != '.') {
        at--;
    }
    return is_number(skip(name, at));
}

static bool is_name(struct span name)
{
    size_t label_len = 0;

    name = without_dot_at_end(name);
    if (name.len > HOST_NAME_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] == '.') {
            if (label_len == 0) {
                return false;
            }
            label_len = 0;
        } else if (!is_label_char(name.data[i]) || ++label_len > HOST_LABEL_BYTES_MAX) {
            return false;
        }
    }
    return label_len > 0;
}

static bool parse_address(int family, struct span text, uint8_t out_bytes[16])
{
    char copy[INET6_ADDRSTRLEN];

    /* inet_pton stops at a NUL; what stands behind one must not be ignored. */
    return span_find(text, '\0') == text.len && span_copy(text, copy, sizeof(copy)) &&
           inet_pton(family, copy, out_bytes) == 1;
}

enum host_kind host_address(struct span text, uint8_t out_bytes[16])
{
    if (span_find(text, ':') < text.len) {
        return parse_address(AF_INET6, text, out_bytes) ? HOST_IPV6 : HOST_NONE;
    }
    if (ends_in_number(text)) {
        return parse_address(AF_INET, text, out_bytes) ? HOST_IPV4 : HOST_NONE;
    }
    return is_name(text) ? HOST_NAME : HOST_NONE;
}

enum host_kind host_kind(struct span text)
{
    uint8_t unused[16];

    return host_address(text, unused);
}

bool host_parse_port(struct span text, uint16_t *out)
{
    uint64_t value;

    if (text.len > PORT_DIGITS_MAX || !span_parse_u64(text, &value) || text.data[0] == '0' ||
        value > UINT16_MAX) {
        return false;
    }
    *out = (uint16_t)value;
    return true;
}

bool host_split(struct span text, struct span *out_host, uint16_t *out_port)
{
    bool is_bracketed = text.len > 0 && text.data[0] == '[';
    struct span host = is_bracketed ? skip(text, 1) : text;
    struct span rest;
    uint16_t port = 0;

    host.len = span_find(host, is_bracketed ? ']' : ':');
    rest = skip(text, host.len + (is_bracketed ? 1 : 0));
    if (is_bracketed) {
        if (rest.len == 0) {
            return false;
        }
        rest = skip(rest, 1);
    }
    if ((host_kind(host) == HOST_IPV6) != is_bracketed || host_kind(host) == HOST_NONE) {
        return false;
    }
    if (rest.len > 0 && (rest.data[0] != ':' || !host_parse_port(skip(rest, 1), &port))) {
        return false;
    }
    *out_host = host;
    *out_port = port;
    return true;
}

/* Where the first longest run of two or more zero pieces begins; IPV6_PIECES when there is none. */
static size_t longest_zero_run(const uint16_t pieces[IPV6_PIECES], size_t *out_len)
{
    size_t best = IPV6_PIECES;

    *out_len = 1;
    for (size_t i = 0; i < IPV6_PIECES; i++) {
        size_t len = 0;

        while (i + len < IPV6_PIECES && pieces[i + len] == 0) {
            len++;
        }
        if (len > *out_len) {
            *out_len = len;
            best = i;
        }
    }
    return best;
}

/* WHATWG URL 3.5, the IPv6 serializer. Not inet_ntop: that writes mapped addresses with dots. */
static void write_ipv6(const uint8_t bytes[16], char out[IPV6_TEXT_MAX])
{
    uint16_t pieces[IPV6_PIECES];
    size_t run_len;
    size_t run_at;
    size_t used = 0;

    for (size_t i = 0; i < IPV6_PIECES; i++) {
        pieces[i] = (uint16_t)(bytes[2 * i] << 8 | bytes[2 * i + 1]);
    }
    run_at = longest_zero_run(pieces, &run_len);
    for (size_t i = 0; i < IPV6_PIECES; i++) {
        if (i == run_at) {
            used += (size_t)snprintf(out + used, IPV6_TEXT_MAX - used, i == 0 ? "::" : ":");
            i += run_len - 1;
            continue;
        }
        used += (size_t)snprintf(out + used, IPV6_TEXT_MAX - used, "%x%s", pieces[i],
                                 i + 1 < IPV6_PIECES ? ":" : "");
    }
}

bool host_is_canonical(struct span host)
{
    char ipv6[IPV6_TEXT_MAX];
    uint8_t bytes[16];

    switch (host_address(host, bytes)) {
    case HOST_IPV6:
        write_ipv6(bytes, ipv6);
        return span_is_equal_nocase(host, span_from_str(ipv6));
    case HOST_NAME:
        return !has_dot_at_end(host);
    case HOST_IPV4:
        return true;
    case HOST_NONE:
        break;
    }
    return false;
}

bool host_is_equal(struct span a, struct span b)
{
    return span_is_equal_nocase(a, b);
}

bool host_is_local_or_address(struct span host)
{
    static const char top[] = "localhost";
    const size_t top_len = sizeof(top) - 1;
    enum host_kind kind = host_kind(host);

    if (kind != HOST_NAME) {
        return kind != HOST_NONE;
    }
    host = without_dot_at_end(host);
    if (host.len < top_len || !host_is_equal(skip(host, host.len - top_len), SPAN_LIT(top))) {
        return false;
    }
    return host.len == top_len || host.data[host.len - top_len - 1] == '.';
}

bool host_is_pattern(struct span text)
{
    if (span_starts_with(text, SPAN_LIT(WILDCARD))) {
        text = skip(text, sizeof(WILDCARD) - 1);
        return host_kind(text) == HOST_NAME && !has_dot_at_end(text);
    }
    return host_kind(text) != HOST_NONE && !has_dot_at_end(text);
}

enum host_match host_match(struct span pattern, struct span host)
{
    size_t dot = span_find(host, '.');

    if (host_is_equal(pattern, host)) {
        return HOST_FITS_EXACTLY;
    }
    if (span_starts_with(pattern, SPAN_LIT(WILDCARD)) && dot > 0 && dot < host.len &&
        host_is_equal(skip(pattern, 1), skip(host, dot))) {
        return HOST_FITS_WILDCARD;
    }
    return HOST_DIFFERS;
}
