/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Origins and routes. An entry that names an origin admits an Origin header if and only if the
 * header is the entry, a wildcard with one label for its star, or (`same`) the Host: without regard
 * to letter case and the scheme's own port, and byte for byte behind the scheme of an app.
 *
 * Input, in lines: an entry of origins; an Origin header, or "-" for none; a Host header; the SNI;
 * a path; offered subprotocols; the word "tls" for a request over TLS. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "proto/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LINE_MAX_BYTES 600

static const struct span schemes[] = {{"https", 5}, {"http", 4}};

struct line {
    char text[LINE_MAX_BYTES];
    size_t len;
};

static void expect(bool condition)
{
    if (!condition) {
        abort();
    }
}

static struct span take_line(struct span *rest)
{
    size_t end = span_find(*rest, '\n');
    struct span line = {rest->data, end};

    if (end < rest->len) {
        end++;
    }
    *rest = (struct span){rest->data + end, rest->len - end};
    line.len = line.len < LINE_MAX_BYTES / 2 ? line.len : LINE_MAX_BYTES / 2;
    return line;
}

static uint16_t default_port(struct span scheme)
{
    bool is_secure = span_is_equal_nocase(scheme, SPAN_LIT("https")) ||
                     span_is_equal_nocase(scheme, SPAN_LIT("wss"));
    bool is_plain = span_is_equal_nocase(scheme, SPAN_LIT("http")) ||
                    span_is_equal_nocase(scheme, SPAN_LIT("ws"));
    return is_secure ? 443 : is_plain ? 80 : 0;
}

/* An origin in small letters and without its scheme's own port: two origins are the same when these
 * are (RFC 6454 5). What an app sends behind its scheme stays. */
static struct span normalise(struct line *out, struct span origin)
{
    struct span scheme = {origin.data, span_find(origin, ':')};
    uint16_t port = default_port(scheme);
    char port_text[8];

    out->len = origin.len < LINE_MAX_BYTES ? origin.len : LINE_MAX_BYTES;
    for (size_t i = 0; i < out->len; i++) {
        char c = origin.data[i];
        bool is_folded = port != 0 || i < scheme.len;

        out->text[i] = (char)(is_folded && c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    struct span text = {out->text, out->len};
    snprintf(port_text, sizeof(port_text), ":%u", (unsigned)port);
    if (port != 0 && span_ends_with(text, span_from_str(port_text))) {
        text.len -= strlen(port_text);
    }
    return text;
}

/* Writes an origin as RFC 6454 6.2 says; `label` goes in front of the host. */
static struct span serialise(struct line *out, struct span scheme, struct span label,
                             struct span host, uint16_t port)
{
    bool is_ipv6 = span_find(host, ':') < host.len;
    bool is_default = port == default_port(scheme);
    char port_text[8] = "";

    if (!is_default) {
        snprintf(port_text, sizeof(port_text), ":%u", (unsigned)port);
    }
    out->len = (size_t)snprintf(out->text, sizeof(out->text), "%.*s://%s%.*s%.*s%s%s",
                                (int)scheme.len, scheme.data, is_ipv6 ? "[" : "", (int)label.len,
                                label.len > 0 ? label.data : "", (int)host.len, host.data,
                                is_ipv6 ? "]" : "", port_text);
    expect(out->len < sizeof(out->text));
    return (struct span){out->text, out->len};
}

static bool is_label(struct span label)
{
    for (size_t i = 0; i < label.len; i++) {
        char c = label.data[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!is_letter && !(c >= '0' && c <= '9') && c != '-' && c != '_') {
            return false;
        }
    }
    return label.len > 0 && label.len <= 63;
}

/* The part of an origin between "://" and the first dot. */
static struct span first_label(struct span origin)
{
    size_t at = span_find(origin, '/') + 2;
    struct span rest;

    if (at > origin.len) {
        return (struct span){NULL, 0};
    }
    rest = (struct span){origin.data + at, origin.len - at};
    return (struct span){rest.data, span_find(rest, '.')};
}

static bool is_equal(struct span a, struct span b)
{
    static struct line lines[2];
    return span_is_equal(normalise(&lines[0], a), normalise(&lines[1], b));
}

static bool is_same(const struct policy_request *request)
{
    static struct line host;
    struct span name = request->asked->host_name;

    host.len = name.len;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];

        host.text[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    if (!host_is_canonical((struct span){host.text, host.len})) {
        return false; /* no browser writes this host, so no Origin has it */
    }
    for (size_t i = 0; i < (request->is_secure ? 1 : 2); i++) {
        static struct line line;
        uint16_t port = request->asked->host_port;

        if (port == 0) {
            port = i == 0 ? 443 : 80;
        }
        if (is_equal(request->asked->origin, serialise(&line, schemes[i], (struct span){NULL, 0},
                                                       (struct span){host.text, host.len}, port))) {
            return true;
        }
    }
    return false;
}

static bool should_match(const struct policy_origin *entry, const struct policy_request *request)
{
    static struct line line;
    const struct request *asked = request->asked;
    struct span label = {NULL, 0};
    struct span host = entry->host;

    switch (entry->kind) {
    case POLICY_ORIGIN_ANY:
        return true;
    case POLICY_ORIGIN_NONE:
        return !asked->has_origin;
    case POLICY_ORIGIN_NULL:
        return asked->has_origin && span_is_equal(asked->origin, SPAN_LIT("null"));
    case POLICY_ORIGIN_SAME:
        return asked->has_origin && is_same(request);
    case POLICY_ORIGIN_APP:
        line.len =
            (size_t)snprintf(line.text, sizeof(line.text), "%.*s://%.*s", (int)entry->scheme.len,
                             entry->scheme.data, (int)host.len, host.len > 0 ? host.data : "");
        return asked->has_origin && is_equal(asked->origin, (struct span){line.text, line.len});
    case POLICY_ORIGIN_HOST:
        if (entry->host.data[0] != '*') {
            break;
        }
        host = (struct span){host.data + 1, host.len - 1};
        label = first_label(asked->origin);
        if (!is_label(label) || label.len + host.len > HOST_NAME_BYTES_MAX) {
            return false;
        }
        break;
    }
    return asked->has_origin &&
           is_equal(asked->origin, serialise(&line, entry->scheme, label, host, entry->port));
}

/* The canonical form of a legal entry is a legal entry and means the same. */
static void expect_canonical(const struct policy_origin *entry)
{
    static struct line line;
    struct policy_origin again;

    if (entry->kind == POLICY_ORIGIN_APP) {
        expect(entry->scheme.len > 0 && entry->port == 0);
        return;
    }
    if (entry->kind != POLICY_ORIGIN_HOST) {
        expect(entry->scheme.len == 0 && entry->host.len == 0 && entry->port == 0);
        return;
    }
    expect(entry->port != 0 && entry->host.len > 0);
    expect(policy_origin_parse(
        serialise(&line, entry->scheme, (struct span){NULL, 0}, entry->host, entry->port), &again));
    expect(again.kind == entry->kind && again.port == entry->port);
    expect(span_is_equal(again.scheme, entry->scheme) && span_is_equal(again.host, entry->host));
}

static void expect_decision(struct policy_origin *entry, const struct policy_request *request)
{
    struct span configured[] = {{"b", 1}, {"a", 1}};
    const struct policy_route routes[] = {
        {.path = {"/", 1}, .is_prefix = true, .origins = entry, .origin_count = 1},
        {.path = {"/app", 4}, .origins = entry, .origin_count = 1},
        {.path = {"/app/", 5},
         .is_prefix = true,
         .host = {"*.b", 3},
         .origins = entry,
         .origin_count = 1,
         .subprotocols = configured,
         .subprotocol_count = 2},
        {.path = {"/app", 4}, .host = {"a.b", 3}, .origins = entry, .origin_count = 1},
    };
    struct policy_decision got = policy_decide(routes, 4, request);
    const struct request *asked = request->asked;
    const struct policy_route *route;

    if (got.verdict == POLICY_NO_ROUTE) {
        expect(request->sni.len > 0);
        return;
    }
    expect(got.route < 4);
    route = &routes[got.route];
    expect(span_starts_with(asked->path, route->path));
    expect(route->is_prefix || asked->path.len == route->path.len);
    expect(route->host.len == 0 || (span_ends_with(asked->host_name, SPAN_LIT("b")) ||
                                    span_ends_with(asked->host_name, SPAN_LIT("B"))));
    expect(route->host.len == 0 || request->sni.len == 0 ||
           span_is_equal_nocase(request->sni, asked->host_name));
    /* Without TLS `same` also wants a Host that can be believed. */
    bool is_doubted = entry->kind == POLICY_ORIGIN_SAME && !request->is_secure;
    expect(got.verdict == POLICY_ORIGIN || policy_origin_matches(entry, request));
    expect(got.verdict != POLICY_ORIGIN || is_doubted || !policy_origin_matches(entry, request));
    if (got.verdict == POLICY_OK && got.subprotocol.len > 0) {
        bool is_found = false;

        for (size_t i = 0; i < asked->offer_count; i++) {
            is_found = is_found || span_is_equal(asked->offers[i], got.subprotocol);
        }
        expect(is_found);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = {(const char *)data, size};
    struct span entry_text = take_line(&rest);
    struct request asked = {.origin = take_line(&rest), .authority = take_line(&rest)};
    struct addr source = {.len = 0};
    struct policy_request request = {.asked = &asked, .source = &source};
    struct policy_origin entry;
    struct span offers;

    request.sni = take_line(&rest);
    asked.path = take_line(&rest);
    offers = take_line(&rest);
    request.is_secure = span_is_equal(take_line(&rest), SPAN_LIT("tls"));
    asked.has_origin = !span_is_equal(asked.origin, SPAN_LIT("-"));
    if (!policy_origin_parse(entry_text, &entry)) {
        return 0;
    }
    expect_canonical(&entry);
    if (!host_split(asked.authority, &asked.host_name, &asked.host_port)) {
        return 0;
    }
    expect(policy_origin_matches(&entry, &request) == should_match(&entry, &request));
    while (asked.offer_count < REQUEST_OFFERS_MAX &&
           span_next(&offers, ',', &asked.offers[asked.offer_count])) {
        asked.offer_count++;
    }
    if (span_starts_with(asked.path, SPAN_LIT("/"))) {
        expect_decision(&entry, &request);
    }
    return 0;
}
