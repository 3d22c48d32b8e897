/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/target.h"

#include <string.h>

#include "base/addr_class.h"
#include "base/host.h"

static struct span cut_front(struct span s, size_t len)
{
    return (struct span){s.data + len, s.len - len};
}

static bool is_in(struct span text, char c)
{
    return span_find(text, c) < text.len;
}

/* --- reading --------------------------------------------------------------------------------- */

#define FORMS "a target is HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT or unix:/PATH"

/* The first mistake in what is no HOST:PORT. */
static const char *mistake_in(struct span text)
{
    size_t colons = 0;
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.data[i] <= ' ' || text.data[i] == 0x7f) {
            return "there is a blank or a control character within the target";
        }
        if ((unsigned char)text.data[i] > 0x7e) {
            return "the target is not ASCII: write a name as xn--, and digits as 0 to 9";
        }
        colons += text.data[i] == ':' ? 1 : 0;
    }
    if (is_in(text, '%')) {
        return "a host has no zone id and no percent-encoding";
    }
    if (is_in(text, '@')) {
        return "a target has no user";
    }
    if (is_in(text, '/')) {
        return FORMS;
    }
    bool is_bracketed = text.len > 0 && text.data[0] == '[';
    if (colons > 1 && !is_bracketed) {
        return "an IPv6 address stands in brackets: [2001:db8::1]:5900";
    }
    size_t end = is_bracketed ? span_find(text, ']') + 1 : span_find(text, ':');
    uint16_t port;
    if (end >= text.len) {
        return "there is no port: write HOST:PORT";
    }
    if (text.data[end] != ':' || !host_parse_port(cut_front(text, end + 1), &port)) {
        return "a port is a number from 1 to 65535";
    }
    return is_bracketed ? "in brackets stands an IPv6 address, and this is none"
                        : "the host is neither a name nor an address: an IPv4 address is four "
                          "decimal numbers without leading zeros";
}

static const char *read_host(struct span text, struct target *out)
{
    if (!host_split(text, &out->host, &out->port) || out->port == 0) {
        return mistake_in(text);
    }
    out->is_literal = addr_parse_host(out->host, out->port, &out->address);
    return NULL;
}

static bool has_dots(struct span path)
{
    struct span segment;
    while (span_next(&path, '/', &segment)) {
        if (span_is_equal(segment, SPAN_LIT(".")) || span_is_equal(segment, SPAN_LIT(".."))) {
            return true;
        }
    }
    return false;
}

static bool is_clean_path(struct span path)
{
    for (size_t i = 0; i < path.len; i++) {
        if ((unsigned char)path.data[i] < ' ' || path.data[i] == 0x7f) {
            return false;
        }
    }
    return path.len > 1 && path.data[0] == '/' && path.data[1] != '/' && !has_dots(path);
}

static const char *read_unix(struct span path, struct target *out)
{
    out->is_unix = true;
    if (!is_clean_path(path) || path.data[path.len - 1] == '/') {
        return "a Unix socket is unix:/PATH, with one slash and without '.' and '..' segments";
    }
    return addr_from_unix_path(path, &out->address)
               ? NULL
               : "the path of a Unix socket has at most 107 bytes";
}

const char *target_parse(struct span text, struct target *out)
{
    static const struct span tcp = SPAN_LIT("tcp://");
    static const struct span tls = SPAN_LIT("tls://");
    static const struct span local = SPAN_LIT("unix:");
    /* What websockify's plugins call it. */
    static const struct span unix_socket = SPAN_LIT("unix_socket:");

    *out = (struct target){.port = 0};
    if (text.len == 0) {
        return "there is no target behind the token";
    }
    if (span_starts_with(text, local)) {
        return read_unix(cut_front(text, local.len), out);
    }
    if (span_starts_with(text, unix_socket)) {
        return read_unix(cut_front(text, unix_socket.len), out);
    }
    out->is_tls = span_starts_with(text, tls);
    if (out->is_tls || span_starts_with(text, tcp)) {
        text = cut_front(text, tcp.len);
    }
    return read_host(text, out);
}

bool target_rule_parse(struct span text, struct target_rule *out)
{
    static const struct span local = SPAN_LIT("unix:");
    *out = (struct target_rule){.path = {NULL, 0}};
    if (span_starts_with(text, local)) {
        out->network.family = AF_UNIX;
        out->path = cut_front(text, local.len);
        return is_clean_path(out->path);
    }
    return addr_cidr_parse(text, &out->network);
}

/* --- judging --------------------------------------------------------------------------------- */

static struct span path_of(const struct addr *a)
{
    size_t most = a->len - offsetof(struct sockaddr_un, sun_path);
    return (struct span){a->u.un.sun_path, strnlen(a->u.un.sun_path, most)};
}

static bool fits(const struct target_rule *rule, const struct addr *a)
{
    if (a->u.sa.sa_family != AF_UNIX || rule->network.family != AF_UNIX) {
        return addr_cidr_contains(&rule->network, a);
    }
    struct span path = path_of(a);
    bool is_folder = rule->path.data[rule->path.len - 1] == '/';
    return is_folder ? span_starts_with(path, rule->path) : span_is_equal(path, rule->path);
}

/* An entry contains the address, and its prefix has at least so many bits. */
static bool is_listed(const struct target_rule *rules, size_t count, const struct addr *a,
                      unsigned bits)
{
    for (size_t i = 0; i < count; i++) {
        if (fits(&rules[i], a) && rules[i].network.bits >= bits) {
            return true;
        }
    }
    return false;
}

static const char *detail_of(enum addr_class what)
{
    static const char *const details[ADDR_CLASSES] = {
        [ADDR_GLOBAL] = "target_allow does not list the address",
        [ADDR_UNSPECIFIED] = "the address is the unspecified one, and target_allow does not list "
                             "it",
        [ADDR_LOOPBACK] = "the address is a loopback one, and target_allow does not list it",
        [ADDR_PRIVATE] = "the address is a private one, and target_allow does not list it",
        [ADDR_SHARED] = "the address is of 100.64.0.0/10, and target_allow does not list it",
        [ADDR_LINK_LOCAL] = "the address is a link-local one, and target_allow does not list it",
        [ADDR_METADATA] = "the address is one of a cloud's metadata, and target_allow does not "
                          "list it by itself",
        [ADDR_MULTICAST] = "the address is a multicast one, and target_allow does not list it",
        [ADDR_BROADCAST] = "the address is the broadcast one, and target_allow does not list it",
        [ADDR_DOCUMENTATION] = "the address is one for documentation, and target_allow does not "
                               "list it",
        [ADDR_BENCHMARKING] = "the address is one for benchmarks, and target_allow does not list "
                              "it",
        [ADDR_RESERVED] = "the address is a reserved one, and target_allow does not list it",
    };
    return details[what];
}

static const char *judge_embedded(const struct target_rules *rules, const struct addr *to)
{
    struct addr inner[ADDR_EMBEDDED_MAX];
    size_t count = addr_embedded(to, inner);
    for (size_t i = 0; i < count; i++) {
        const struct addr_range *range = addr_find_range(&inner[i]);
        if (is_listed(rules->deny, rules->deny_count, &inner[i], 0)) {
            return "target_deny lists the IPv4 address within the address";
        }
        if (range != NULL && range->what != ADDR_GLOBAL &&
            !is_listed(rules->allow, rules->allow_count, &inner[i], range->block.bits)) {
            return "the IPv4 address within the address is not global, and target_allow does not "
                   "list it";
        }
    }
    return NULL;
}

const char *target_judge(const struct target_rules *rules, const struct addr *to)
{
    const struct addr_range *range = addr_find_range(to);
    bool is_global = range == NULL || range->what == ADDR_GLOBAL;

    if (is_listed(rules->deny, rules->deny_count, to, 0)) {
        return "target_deny lists the address";
    }
    if (to->len != 0 && to->u.sa.sa_family == AF_UNIX) {
        return is_listed(rules->allow, rules->allow_count, to, 0)
                   ? NULL
                   : "target_allow does not list the Unix socket";
    }
    if ((rules->allow_count > 0 || !is_global) &&
        !is_listed(rules->allow, rules->allow_count, to, is_global ? 0 : range->block.bits)) {
        return detail_of(is_global ? ADDR_GLOBAL : range->what);
    }
    return judge_embedded(rules, to);
}
