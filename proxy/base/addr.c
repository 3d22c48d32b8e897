/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/addr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

#define UNIX_PATH_OFFSET offsetof(struct sockaddr_un, sun_path)
#define HOST_NAME_MAX_BYTES 254 /* RFC 1035 2.3.4: 253, and the dot that may end it */

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* Numeric address without brackets or port, as it is written: IPv4-mapped stays IPv6. */
static bool parse_ip(struct span text, int *out_family, uint8_t out_bytes[16])
{
    char copy[INET6_ADDRSTRLEN];
    /* inet_pton stops at a NUL; what stands behind it must not be ignored. */
    if (span_find(text, '\0') != text.len || !span_copy(text, copy, sizeof(copy))) {
        return false;
    }
    *out_family = span_find(text, ':') == text.len ? AF_INET : AF_INET6;
    return inet_pton(*out_family, copy, out_bytes) == 1;
}

static void set_ip(struct addr *out, int family, const uint8_t *bytes, uint16_t port)
{
    memset(out, 0, sizeof(*out));
    if (family == AF_INET6 && memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0) {
        family = AF_INET;
        bytes += sizeof(mapped_prefix);
    }
    if (family == AF_INET) {
        out->u.in.sin_family = AF_INET;
        out->u.in.sin_port = htons(port);
        memcpy(&out->u.in.sin_addr, bytes, sizeof(out->u.in.sin_addr));
        out->len = sizeof(out->u.in);
    } else {
        out->u.in6.sin6_family = AF_INET6;
        out->u.in6.sin6_port = htons(port);
        memcpy(&out->u.in6.sin6_addr, bytes, sizeof(out->u.in6.sin6_addr));
        out->len = sizeof(out->u.in6);
    }
}

/* At most five digits and one spelling for each port: no leading zeros. */
static bool parse_port(struct span text, uint16_t *out_port)
{
    uint64_t port = 0;
    if (text.len > 5 || !span_parse_u64(text, &port) || port > UINT16_MAX) {
        return false;
    }
    if (text.len > 1 && text.data[0] == '0') {
        return false;
    }
    *out_port = (uint16_t)port;
    return true;
}

/* Splits at the colon in front of the port; the host keeps its brackets, and a colon outside of
 * brackets is refused ("::1:80" can be read in two ways). */
static bool split_port(struct span text, struct span *out_host, uint16_t *out_port)
{
    size_t colon = span_find(text, ':');
    if (text.len > 0 && text.data[0] == '[') {
        colon = span_find(text, ']') + 1;
    }
    if (colon >= text.len || text.data[colon] != ':') {
        return false;
    }
    *out_host = (struct span){text.data, colon};
    return parse_port((struct span){text.data + colon + 1, text.len - colon - 1}, out_port);
}

static bool is_bracketed(struct span host)
{
    return host.len >= 2 && host.data[0] == '[' && host.data[host.len - 1] == ']';
}

bool addr_parse_host(struct span host, uint16_t port, struct addr *out)
{
    int family = AF_UNSPEC;
    uint8_t bytes[16];
    bool has_brackets = is_bracketed(host);
    if (has_brackets) {
        host = (struct span){host.data + 1, host.len - 2};
    }
    if (!parse_ip(host, &family, bytes) || (has_brackets && family != AF_INET6)) {
        return false;
    }
    set_ip(out, family, bytes, port);
    return true;
}

bool addr_parse(struct span text, struct addr *out)
{
    struct span host = {NULL, 0};
    uint16_t port = 0;
    return split_port(text, &host, &port) && addr_parse_host(host, port, out);
}

bool addr_from_unix_path(struct span path, struct addr *out)
{
    if (path.len == 0 || path.len >= sizeof(out->u.un.sun_path) ||
        span_find(path, '\0') != path.len) {
        return false;
    }
    memset(out, 0, sizeof(*out));
    out->u.un.sun_family = AF_UNIX;
    memcpy(out->u.un.sun_path, path.data, path.len);
    out->len = (socklen_t)(UNIX_PATH_OFFSET + path.len + 1);
    return true;
}

static void unmap(struct addr *a)
{
    if (memcmp(&a->u.in6.sin6_addr, mapped_prefix, sizeof(mapped_prefix)) == 0) {
        uint8_t bytes[16];
        memcpy(bytes, &a->u.in6.sin6_addr, sizeof(bytes));
        set_ip(a, AF_INET6, bytes, ntohs(a->u.in6.sin6_port));
    }
}

void addr_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct addr *out)
{
    memset(out, 0, sizeof(*out));
    if (sa == NULL || len < UNIX_PATH_OFFSET) {
        return;
    }
    /* The kernel reports the length it would have needed, which may be more than it wrote. */
    socklen_t size = len < sizeof(out->u.un) ? len : (socklen_t)sizeof(out->u.un);
    memcpy(&out->u, sa, size);
    if (out->u.sa.sa_family == AF_INET && len >= sizeof(out->u.in)) {
        out->len = sizeof(out->u.in);
    } else if (out->u.sa.sa_family == AF_INET6 && len >= sizeof(out->u.in6)) {
        out->len = sizeof(out->u.in6);
        unmap(out);
    } else if (out->u.sa.sa_family == AF_UNIX) {
        out->len = size;
    } else {
        memset(out, 0, sizeof(*out));
    }
}

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

static bool is_all_of(struct span s, const char *set)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '\0' || strchr(set, s.data[i]) == NULL) {
            return false;
        }
    }
    return s.len > 0;
}

/* Some resolvers read "127.1", "0x7f.1" and "2130706433" as addresses. A name whose last label is
 * a number is therefore an IPv4 address in its one good spelling, or refused. */
static bool is_number_like(struct span name)
{
    if (name.len > 0 && name.data[name.len - 1] == '.') {
        name.len--;
    }
    size_t start = name.len;
    while (start > 0 && name.data[start - 1] != '.') {
        start--;
    }
    if (start == name.len) {
        return false;
    }
    struct span label = {name.data + start, name.len - start};
    if (label.len >= 2 && label.data[0] == '0' && (label.data[1] == 'x' || label.data[1] == 'X')) {
        label = (struct span){label.data + 2, label.len - 2};
        return label.len == 0 || is_all_of(label, "0123456789abcdefABCDEF");
    }
    return is_all_of(label, "0123456789");
}

/* Letters, digits, hyphen, underscore and dot; no empty label. */
static bool is_host_name(struct span name)
{
    if (name.len == 0 || name.len > HOST_NAME_MAX_BYTES || name.data[0] == '.') {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        if (!is_host_char(name.data[i])) {
            return false;
        }
        if (i > 0 && name.data[i] == '.' && name.data[i - 1] == '.') {
            return false;
        }
    }
    return !is_number_like(name);
}

bool addr_split_host_port(struct span text, struct span *out_host, uint16_t *out_port)
{
    struct span host = {NULL, 0};
    uint16_t port = 0;
    struct addr ignored;
    if (!split_port(text, &host, &port) || port == 0) {
        return false;
    }
    if (!is_host_name(host) && !addr_parse_host(host, port, &ignored)) {
        return false;
    }
    if (is_bracketed(host)) {
        host = (struct span){host.data + 1, host.len - 2};
    }
    *out_host = host;
    *out_port = port;
    return true;
}

static void print_unix(const struct addr *a, char *out, size_t size)
{
    size_t len = a->len - UNIX_PATH_OFFSET;
    const char *path = a->u.un.sun_path;
    if (len == 0 || path[0] != '\0') {
        (void)snprintf(out, size, "unix:%.*s", (int)strnlen(path, len), path);
        return;
    }
    /* Abstract names are not NUL-terminated and may hold NULs. */
    char name[sizeof(a->u.un.sun_path) + 1];
    memcpy(name, path, len);
    for (size_t i = 0; i < len; i++) {
        if (name[i] == '\0') {
            name[i] = '@';
        }
    }
    (void)snprintf(out, size, "unix:%.*s", (int)len, name);
}

const char *addr_print(const struct addr *a, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "?";
    assert(size > 0);
    if (a->len == 0) {
        (void)snprintf(out, size, "-");
    } else if (a->u.sa.sa_family == AF_INET) {
        (void)inet_ntop(AF_INET, &a->u.in.sin_addr, host, sizeof(host));
        (void)snprintf(out, size, "%s:%u", host, (unsigned)addr_port(a));
    } else if (a->u.sa.sa_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &a->u.in6.sin6_addr, host, sizeof(host));
        (void)snprintf(out, size, "[%s]:%u", host, (unsigned)addr_port(a));
    } else {
        print_unix(a, out, size);
    }
    return out;
}

bool addr_is_equal(const struct addr *a, const struct addr *b)
{
    if (a->len == 0 || b->len == 0) {
        return a->len == b->len;
    }
    if (a->u.sa.sa_family != b->u.sa.sa_family) {
        return false;
    }
    if (a->u.sa.sa_family == AF_INET) {
        return a->u.in.sin_port == b->u.in.sin_port &&
               a->u.in.sin_addr.s_addr == b->u.in.sin_addr.s_addr;
    }
    if (a->u.sa.sa_family == AF_INET6) {
        return a->u.in6.sin6_port == b->u.in6.sin6_port &&
               a->u.in6.sin6_scope_id == b->u.in6.sin6_scope_id &&
               memcmp(&a->u.in6.sin6_addr, &b->u.in6.sin6_addr, sizeof(struct in6_addr)) == 0;
    }
    return a->len == b->len &&
           memcmp(a->u.un.sun_path, b->u.un.sun_path, a->len - UNIX_PATH_OFFSET) == 0;
}

uint16_t addr_port(const struct addr *a)
{
    if (a->len == 0) {
        return 0;
    }
    if (a->u.sa.sa_family == AF_INET) {
        return ntohs(a->u.in.sin_port);
    }
    return a->u.sa.sa_family == AF_INET6 ? ntohs(a->u.in6.sin6_port) : 0;
}

bool addr_is_loopback(const struct addr *a)
{
    if (a->len == 0) {
        return false;
    }
    if (a->u.sa.sa_family == AF_INET) {
        return ntohl(a->u.in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    if (a->u.sa.sa_family == AF_INET6) {
        return IN6_IS_ADDR_LOOPBACK(&a->u.in6.sin6_addr);
    }
    return true;
}

static bool has_bits_beyond(const uint8_t *bytes, size_t size, unsigned bits)
{
    for (size_t i = bits / 8; i < size; i++) {
        unsigned kept = i == bits / 8 ? bits % 8 : 0;
        if ((bytes[i] & (0xffU >> kept)) != 0) {
            return true;
        }
    }
    return false;
}

bool addr_cidr_parse(struct span text, struct addr_cidr *out)
{
    size_t slash = span_find(text, '/');
    int family = AF_UNSPEC;
    uint8_t bytes[16] = {0};
    if (!parse_ip((struct span){text.data, slash}, &family, bytes)) {
        return false;
    }
    uint16_t most = family == AF_INET ? 32 : 128;
    uint16_t bits = most;
    if (slash < text.len) {
        struct span digits = {text.data + slash + 1, text.len - slash - 1};
        if (!parse_port(digits, &bits) || bits > most) {
            return false;
        }
    }
    if (has_bits_beyond(bytes, most / 8U, bits)) {
        return false;
    }
    /* No prefix shorter than 96 gets here with this value: 0xffff would stand beyond it. */
    if (family == AF_INET6 && memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0) {
        family = AF_INET;
        bits = (uint16_t)(bits - 96);
        memmove(bytes, bytes + sizeof(mapped_prefix), 4);
        memset(bytes + 4, 0, sizeof(bytes) - 4);
    }
    memcpy(out->bytes, bytes, sizeof(out->bytes));
    out->bits = (uint8_t)bits;
    out->family = (uint8_t)family;
    return true;
}

bool addr_cidr_contains(const struct addr_cidr *cidr, const struct addr *a)
{
    if (a->len == 0 || a->u.sa.sa_family != cidr->family) {
        return false;
    }
    uint8_t diff[16] = {0};
    size_t size = cidr->family == AF_INET ? 4 : 16;
    const void *bytes = &a->u.in6.sin6_addr;
    if (cidr->family == AF_INET) {
        bytes = &a->u.in.sin_addr;
    }
    memcpy(diff, bytes, size);
    for (size_t i = 0; i < size; i++) {
        diff[i] ^= cidr->bytes[i];
    }
    unsigned whole = cidr->bits / 8U;
    unsigned part = cidr->bits % 8U;
    for (size_t i = 0; i < whole; i++) {
        if (diff[i] != 0) {
            return false;
        }
    }
    return part == 0 || diff[whole] >> (8U - part) == 0;
}
