/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/addr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/host.h"

#define UNIX_PATH_OFFSET offsetof(struct sockaddr_un, sun_path)

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* A numeric address without brackets or port. An IPv4-mapped one stays IPv6 here. */
static bool parse_ip(struct span text, int *out_family, uint8_t out_bytes[16])
{
    switch (host_address(text, out_bytes)) {
    case HOST_IPV4:
        *out_family = AF_INET;
        return true;
    case HOST_IPV6:
        *out_family = AF_INET6;
        return true;
    case HOST_NAME:
    case HOST_NONE:
        break;
    }
    return false;
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
    size_t colon = text.len;
    while (colon > 0 && text.data[colon - 1] != ':') {
        colon--;
    }
    if (colon == 0) {
        return false;
    }
    struct span host = {text.data, colon - 1};
    struct span digits = {text.data + colon, text.len - colon};
    uint16_t port = 0;
    if (!span_is_equal(digits, SPAN_LIT("0")) && !host_parse_port(digits, &port)) {
        return false;
    }
    /* No colon outside of brackets: "::1:80" has two readings. */
    return (is_bracketed(host) || span_find(host, ':') == host.len) &&
           addr_parse_host(host, port, out);
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

/* Decimal, without leading zeros. */
static bool parse_prefix_len(struct span digits, unsigned most, unsigned *out)
{
    uint64_t value = 0;
    if (!span_parse_u64(digits, &value) || value > most ||
        (digits.len > 1 && digits.data[0] == '0')) {
        return false;
    }
    *out = (unsigned)value;
    return true;
}

bool addr_cidr_parse(struct span text, struct addr_cidr *out)
{
    size_t slash = span_find(text, '/');
    int family = AF_UNSPEC;
    uint8_t bytes[16] = {0};
    if (!parse_ip((struct span){text.data, slash}, &family, bytes)) {
        return false;
    }
    unsigned most = family == AF_INET ? 32 : 128;
    unsigned bits = most;
    if (slash < text.len &&
        !parse_prefix_len((struct span){text.data + slash + 1, text.len - slash - 1}, most,
                          &bits)) {
        return false;
    }
    if (has_bits_beyond(bytes, most / 8U, bits)) {
        return false;
    }
    /* The prefix is 96 bits or more here: 0xffff would lie beyond a shorter one. */
    if (family == AF_INET6 && memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0) {
        family = AF_INET;
        bits -= 96;
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
