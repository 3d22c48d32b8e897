/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/config_values.h"

#include <string.h>

#include "base/host.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static struct span cut_front(struct span s, size_t len)
{
    return (struct span){s.data + len, s.len - len};
}

/* A request's path is compared as it came, and one with dot segments or bad escapes never gets as
 * far as the policy: a route that could never match is a mistake. */
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

bool config_value_path(struct span text, struct policy_route *out, const char **out_problem)
{
    out->is_prefix = span_ends_with(text, SPAN_LIT("/*"));
    out->path = (struct span){text.data, text.len - (out->is_prefix ? 1 : 0)};
    if (text.len == 0 || text.data[0] != '/') {
        *out_problem = "a path begins with '/'";
        return false;
    }
    if (!is_path_text(out->path)) {
        *out_problem = "a path is /NAME, or /NAME/* for all below it; no query, blanks or other "
                       "'*', and %xx for what is not ASCII";
        return false;
    }
    if (has_dot_segment(out->path)) {
        *out_problem = "a path has no '.' or '..' segments";
        return false;
    }
    return true;
}

bool config_value_host(struct span text, struct span *out, const char **out_problem)
{
    bool is_bracketed = span_starts_with(text, SPAN_LIT("["));
    struct span name = span_starts_with(text, SPAN_LIT("*.")) ? cut_front(text, 2) : text;
    uint16_t port = 0;

    *out = text;
    if (is_bracketed) {
        if (host_split(text, out, &port) && port == 0 && host_is_canonical(*out)) {
            return true;
        }
    } else if (host_is_pattern(text) && host_is_canonical(name)) {
        return true;
    }
    *out_problem = "a host is a name in lower case without port, *.example.com for one label more, "
                   "or a numeric address";
    return false;
}

static bool parse_tcp(struct span text, struct config_backend *out, const char **out_problem)
{
    out->kind = CONFIG_BACKEND_TCP;
    if (!host_split(text, &out->host, &out->port) || out->port == 0) {
        *out_problem = "write tcp://HOST:PORT: a name, an IPv4 address or an [IPv6] address, and a "
                       "port from 1 to 65535";
        return false;
    }
    out->is_literal = addr_parse_host(out->host, out->port, &out->address);
    return true;
}

static bool parse_unix(struct span path, struct config_backend *out, const char **out_problem)
{
    out->kind = CONFIG_BACKEND_UNIX;
    if (path.len == 0 || path.data[0] != '/' || span_starts_with(path, SPAN_LIT("//"))) {
        *out_problem = "write unix:/PATH, with one slash";
        return false;
    }
    if (!addr_from_unix_path(path, &out->address)) {
        *out_problem = "the socket's path is too long; at most 107 bytes";
        return false;
    }
    return true;
}

bool config_value_backend(struct span text, struct config_backend *out, const char **out_problem)
{
    *out = (struct config_backend){.text = text};
    if (span_starts_with(text, SPAN_LIT("tcp://"))) {
        return parse_tcp(cut_front(text, 6), out, out_problem);
    }
    if (span_starts_with(text, SPAN_LIT("unix:"))) {
        return parse_unix(cut_front(text, 5), out, out_problem);
    }
    if (span_is_equal(text, SPAN_LIT("echo:"))) {
        out->kind = CONFIG_BACKEND_ECHO;
        return true;
    }
    *out_problem = "a backend is tcp://HOST:PORT, unix:/PATH or echo:";
    return false;
}
