/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/value.h"

#include <arpa/inet.h>
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/host.h"
#include "conf/snapshot.h"
#include "proto/policy.h"
#include "proto/request.h"

#define SUBPROTOCOL_BYTES_MAX 256

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static struct span cut_front(struct span s, size_t len)
{
    return (struct span){s.data + len, s.len - len};
}

/* ---- texts and addresses ---- */

bool value_read_text(struct span text, struct arena *texts, void *field, const char **out_detail)
{
    struct span *out = field;

    (void)texts;
    (void)out_detail;
    *out = text;
    return true;
}

struct span value_show_text(const void *field, char scratch[VALUE_BYTES_MAX + 1])
{
    const struct span *text = field;

    (void)scratch;
    return *text;
}

bool value_read_address(struct span text, struct arena *texts, void *field, const char **out_detail)
{
    (void)texts;
    *out_detail = "a numeric address and a port, such as 0.0.0.0:8443, 127.0.0.1:8080 or "
                  "[::]:8443";
    return addr_parse(text, field);
}

bool value_read_near_address(struct span text, struct arena *texts, void *field,
                             const char **out_detail)
{
    const struct span prefix = SPAN_LIT("unix:");
    struct addr *out = field;

    (void)texts;
    if (span_starts_with(text, prefix)) {
        struct span path = cut_front(text, prefix.len);

        *out_detail = "a Unix socket is unix:/PATH of a file, with one slash and at most 107 bytes";
        bool is_file = path.len > 1 && path.data[path.len - 1] != '/';
        return is_file && path.data[0] == '/' && path.data[1] != '/' &&
               addr_from_unix_path(path, out);
    }
    *out_detail = "whoever can connect can read everything, so the address is unix:/PATH or one of "
                  "this machine alone, such as 127.0.0.1:9091 or [::1]:9091";
    return addr_parse(text, out) && addr_is_loopback(out);
}

struct span value_show_address(const void *field, char scratch[VALUE_BYTES_MAX + 1])
{
    const struct addr *address = field;

    if (address->len == 0) {
        return (struct span){NULL, 0};
    }
    return span_from_str(addr_print(address, scratch, VALUE_BYTES_MAX + 1));
}

/* ---- paths ---- */

/* A request's path is compared as it came, and a request whose path has dot segments or bad escapes
 * never gets as far as the policy: a route that could never match is a mistake. */
static bool is_path_text(struct span path)
{
    for (size_t i = 0; i < path.len; i++) {
        char c = path.data[i];

        if (c <= 0x20 || c >= 0x7f || strchr("?#*\\\"<>", c) != NULL) {
            return false;
        }
        if (c == '%' &&
            (path.len - i < 3 || !is_hex(path.data[i + 1]) || !is_hex(path.data[i + 2]))) {
            return false;
        }
    }
    return true;
}

static bool has_dot_segment(struct span path)
{
    struct span segment;

    while (span_next(&path, '/', &segment)) {
        if (span_is_equal(segment, SPAN_LIT(".")) || span_is_equal(segment, SPAN_LIT(".."))) {
            return true;
        }
    }
    return false;
}

bool value_read_path(struct span text, struct arena *texts, void *field, const char **out_detail)
{
    struct policy_route *out = field;
    bool is_prefix = span_ends_with(text, SPAN_LIT("/*"));
    struct span path = {text.data, text.len - (is_prefix ? 1 : 0)};

    (void)texts;
    if (text.len == 0 || text.data[0] != '/') {
        *out_detail = "a path begins with '/'";
        return false;
    }
    if (!is_path_text(path)) {
        *out_detail = "a path is /NAME, or /NAME/* for all below it; no query, blanks or other "
                      "'*', and %xx for what is not ASCII";
        return false;
    }
    if (has_dot_segment(path)) {
        *out_detail = "a path has no '.' or '..' segments";
        return false;
    }
    out->path = path;
    out->is_prefix = is_prefix;
    return true;
}

bool value_read_page_path(struct span text, struct arena *texts, void *field,
                          const char **out_detail)
{
    struct policy_route route;
    struct span *out = field;

    if (!value_read_path(text, texts, &route, out_detail)) {
        return false;
    }
    *out_detail = "this path is exact: /NAME, without '*'";
    *out = text;
    return !route.is_prefix;
}

bool value_read_log_socket(struct span text, struct arena *texts, void *field,
                           const char **out_detail)
{
    struct span *out = field;

    (void)texts;
    *out_detail = "the path of a Unix socket begins with '/' and has at most 107 bytes";
    *out = text;
    return span_starts_with(text, SPAN_LIT("/")) && text.len <= LOG_SOCKET_MAX;
}

struct span value_show_path(const void *field, char scratch[VALUE_BYTES_MAX + 1])
{
    const struct policy_route *route = field;

    if (!route->is_prefix) {
        return route->path;
    }
    assert(route->path.len < VALUE_BYTES_MAX);
    memcpy(scratch, route->path.data, route->path.len);
    scratch[route->path.len] = '*';
    return (struct span){scratch, route->path.len + 1};
}

/* ---- hosts, origins, subprotocols, networks ---- */

bool value_read_host(struct span text, struct arena *texts, void *field, const char **out_detail)
{
    struct span *out = field;
    struct span name = span_starts_with(text, SPAN_LIT("*.")) ? cut_front(text, 2) : text;
    uint16_t port = 0;

    (void)texts;
    *out_detail = "a host is a name without port, *.example.com for one label more, "
                  "or a numeric address";
    *out = text;
    if (span_starts_with(text, SPAN_LIT("["))) {
        return host_split(text, out, &port) && port == 0 && host_is_canonical(*out);
    }
    return host_is_pattern(text) && host_is_canonical(name);
}

bool value_read_server_name(struct span text, struct arena *texts, void *field,
                            const char **out_detail)
{
    bool is_read = value_read_host(text, texts, field, out_detail);

    *out_detail = "a server's name is a host without port, or a numeric address";
    return is_read && !span_starts_with(text, SPAN_LIT("*"));
}

bool value_read_protocol(struct span text, struct arena *texts, void *field,
                         const char **out_detail)
{
    struct span *out = field;

    (void)texts;
    *out = text;
    *out_detail = "a protocol of ALPN has 1 to 255 visible characters of ASCII: h2, redis";
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] <= ' ' || text.data[i] > '~' || text.data[i] == ',') {
            return false;
        }
    }
    return text.len > 0 && text.len <= UINT8_MAX;
}

bool value_read_origin(struct span text, struct arena *texts, void *field, const char **out_detail)
{
    (void)texts;
    *out_detail = "SCHEME://HOST[:PORT] without a path, https://*.HOST, same, null, none or *";
    return policy_origin_parse(text, field);
}

static struct span show_page(const struct policy_origin *origin, char scratch[VALUE_BYTES_MAX + 1])
{
    bool is_default = origin->port == policy_default_port(origin->scheme);
    bool is_ipv6 = origin->kind == POLICY_ORIGIN_HOST && host_kind(origin->host) == HOST_IPV6;
    char port[8] = "";
    int len;

    if (!is_default) {
        snprintf(port, sizeof(port), ":%u", origin->port);
    }
    len = snprintf(scratch, VALUE_BYTES_MAX + 1, "%.*s://%s%.*s%s%s", (int)origin->scheme.len,
                   origin->scheme.data, is_ipv6 ? "[" : "", (int)origin->host.len,
                   origin->host.data, is_ipv6 ? "]" : "", port);
    assert(len > 0 && len <= VALUE_BYTES_MAX);
    return (struct span){scratch, (size_t)len};
}

struct span value_show_origin(const void *field, char scratch[VALUE_BYTES_MAX + 1])
{
    const struct policy_origin *origin = field;

    switch (origin->kind) {
    case POLICY_ORIGIN_SAME:
        return SPAN_LIT("same");
    case POLICY_ORIGIN_ANY:
        return SPAN_LIT("*");
    case POLICY_ORIGIN_NULL:
        return SPAN_LIT("null");
    case POLICY_ORIGIN_NONE:
        return SPAN_LIT("none");
    case POLICY_ORIGIN_HOST:
    case POLICY_ORIGIN_APP:
        break;
    }
    return show_page(origin, scratch);
}

bool value_read_subprotocol(struct span text, struct arena *texts, void *field,
                            const char **out_detail)
{
    struct span *out = field;

    (void)texts;
    *out_detail = "at most 256 letters, digits and any of !#$%&'*+-.^_`|~";
    *out = text;
    return span_is_token(text) && text.len <= SUBPROTOCOL_BYTES_MAX;
}

bool value_read_network(struct span text, struct arena *texts, void *field, const char **out_detail)
{
    (void)texts;
    *out_detail = "10.0.0.0/8, 2001:db8::/32 or one address, with no bit set behind the prefix";
    return addr_cidr_parse(text, field);
}

struct span value_show_network(const void *field, char scratch[VALUE_BYTES_MAX + 1])
{
    const struct addr_cidr *network = field;
    char host[INET6_ADDRSTRLEN] = "";

    inet_ntop(network->family, network->bytes, host, sizeof(host));
    snprintf(scratch, VALUE_BYTES_MAX + 1, "%s/%u", host, network->bits);
    return span_from_str(scratch);
}

bool value_read_proxy(struct span text, struct arena *texts, void *field, const char **out_detail)
{
    struct addr_cidr *out = field;

    (void)texts;
    *out_detail = "10.0.0.0/8, 2001:db8::/32 or one address, with no bit set behind the prefix, or "
                  "unix";
    if (span_is_equal(text, SPAN_LIT("unix"))) {
        *out = (struct addr_cidr){.family = AF_UNIX};
        return true;
    }
    return addr_cidr_parse(text, out);
}

struct span value_show_proxy(const void *field, char scratch[VALUE_BYTES_MAX + 1])
{
    return ((const struct addr_cidr *)field)->family == AF_UNIX
               ? SPAN_LIT("unix")
               : value_show_network(field, scratch);
}

/* ---- rates ---- */

static const struct {
    const char *name;
    uint64_t period_ms;
} periods[] = {{"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

bool value_read_rate(struct span text, struct arena *texts, void *field, const char **out_detail)
{
    size_t slash = span_find(text, '/');
    struct limit_rate *out = field;

    (void)texts;
    *out_detail = "20/m, for example: 1 to 1000000, and one of /s, /m, /h and /d; or 0";
    if (span_is_equal(text, SPAN_LIT("0"))) {
        return true;
    }
    if (slash == text.len || !span_parse_u64((struct span){text.data, slash}, &out->count)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(periods) / sizeof(periods[0]); i++) {
        if (span_is_equal(cut_front(text, slash + 1), span_from_str(periods[i].name))) {
            out->period_ms = periods[i].period_ms;
        }
    }
    return out->period_ms != 0 && out->count > 0 && out->count <= LIMIT_RATE_COUNT_MAX;
}

struct span value_show_rate(const void *field, char scratch[VALUE_BYTES_MAX + 1])
{
    const struct limit_rate *rate = field;

    for (size_t i = 0; rate->count > 0 && i < sizeof(periods) / sizeof(periods[0]); i++) {
        if (rate->period_ms == periods[i].period_ms) {
            snprintf(scratch, VALUE_BYTES_MAX + 1, "%" PRIu64 "/%s", rate->count, periods[i].name);
            return span_from_str(scratch);
        }
    }
    return (struct span){NULL, 0};
}

/* ---- backends ---- */

static bool read_tcp(struct span text, struct arena *texts, struct config_backend *out,
                     const char **out_detail)
{
    struct span host;

    out->kind = CONFIG_BACKEND_TCP;
    if (!host_split(text, &host, &out->port) || out->port == 0) {
        *out_detail = out->is_tls
                          ? "write tls://HOST:PORT: a name, an IPv4 address or an [IPv6] address, "
                            "and a port from 1 to 65535"
                          : "write tcp://HOST:PORT: a name, an IPv4 address or an [IPv6] address, "
                            "and a port from 1 to 65535";
        return false;
    }
    if (!arena_copy(texts, host, &out->host)) {
        *out_detail = "out of memory";
        return false;
    }
    out->is_literal = addr_parse_host(host, out->port, &out->address);
    return true;
}

static bool read_unix(struct span path, struct config_backend *out, const char **out_detail)
{
    out->kind = CONFIG_BACKEND_UNIX;
    if (path.len == 0 || path.data[0] != '/' || span_starts_with(path, SPAN_LIT("//"))) {
        *out_detail = "write unix:/PATH, with one slash";
        return false;
    }
    if (!addr_from_unix_path(path, &out->address)) {
        *out_detail = "the socket's path is too long; at most 107 bytes";
        return false;
    }
    return true;
}

bool value_read_backend(struct span text, struct arena *texts, void *field, const char **out_detail)
{
    struct config_backend *out = field;

    out->text = text;
    if (span_starts_with(text, SPAN_LIT("tcp://"))) {
        return read_tcp(cut_front(text, 6), texts, out, out_detail);
    }
    if (span_starts_with(text, SPAN_LIT("tls://"))) {
        out->is_tls = true;
        return read_tcp(cut_front(text, 6), texts, out, out_detail);
    }
    if (span_starts_with(text, SPAN_LIT("unix:"))) {
        return read_unix(cut_front(text, 5), out, out_detail);
    }
    out->kind = CONFIG_BACKEND_ECHO;
    *out_detail = "a backend is tcp://HOST:PORT, tls://HOST:PORT, unix:/PATH or echo:";
    return span_is_equal(text, SPAN_LIT("echo:"));
}
