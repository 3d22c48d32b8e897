/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/policy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define IPV6_PIECES 8
#define IPV6_TEXT_MAX 40 /* eight times four digits and a colon or NUL */

/* ---- origins ---- */

static uint16_t default_port(struct span scheme)
{
    return span_is_equal(scheme, SPAN_LIT("https")) ? 443 : 80;
}

static struct span skip(struct span s, size_t n)
{
    return (struct span){s.data + n, s.len - n};
}

/* Takes "https://" or "http://" off. Nothing else can be the origin of a page on the network. */
static bool scheme_take(struct span *rest, struct span *out_scheme)
{
    static const char separator[] = "://";
    size_t len = span_find(*rest, ':');
    struct span scheme = {rest->data, len};

    if (!span_is_equal(scheme, SPAN_LIT("https")) && !span_is_equal(scheme, SPAN_LIT("http"))) {
        return false;
    }
    if (!span_starts_with(skip(*rest, len), SPAN_LIT(separator))) {
        return false;
    }
    *rest = skip(*rest, len + sizeof(separator) - 1);
    *out_scheme = scheme;
    return true;
}

/* Lower case, no trailing dot: what a browser makes of every host before it writes it. */
static bool is_lower_host(struct span host)
{
    for (size_t i = 0; i < host.len; i++) {
        if (host.data[i] >= 'A' && host.data[i] <= 'Z') {
            return false;
        }
    }
    return host.len > 0 && host.data[host.len - 1] != '.';
}

/* scheme://host[:port] in lower case; *out_port is 0 when none is written. */
static bool origin_split(struct span text, struct policy_origin *out)
{
    struct span rest = text;

    return scheme_take(&rest, &out->scheme) && upgrade_host_parse(rest, &out->host, &out->port) &&
           is_lower_host(out->host);
}

static bool is_number(struct span label)
{
    size_t digits = 0;

    while (digits < label.len && label.data[digits] >= '0' && label.data[digits] <= '9') {
        digits++;
    }
    return digits == label.len || span_starts_with(label, SPAN_LIT("0x"));
}

/* The part behind the last dot. */
static struct span last_label(struct span host)
{
    size_t at = host.len;

    while (at > 0 && host.data[at - 1] != '.') {
        at--;
    }
    return skip(host, at);
}

/* A browser reads a name that ends in a number as an IPv4 address (WHATWG URL 3.5) and writes it
 * with four decimal parts: "http://127.1" can never be an origin. */
static bool is_canonical_name(struct span host)
{
    struct addr unused;

    return !is_number(last_label(host)) || addr_parse_host(host, 0, &unused);
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
static void ipv6_write(const uint8_t bytes[16], char out[IPV6_TEXT_MAX])
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

static bool is_canonical_ipv6(struct span host)
{
    char text[IPV6_TEXT_MAX];
    char canonical[IPV6_TEXT_MAX];
    uint8_t bytes[16];

    if (!span_copy(host, text, sizeof(text)) || inet_pton(AF_INET6, text, bytes) != 1) {
        return false;
    }
    ipv6_write(bytes, canonical);
    return span_is_equal(host, span_from_str(canonical));
}

static bool is_canonical_host(struct span host)
{
    return span_find(host, ':') < host.len ? is_canonical_ipv6(host) : is_canonical_name(host);
}

/* The host is what follows the star, from the dot on. */
static bool wildcard_split(struct span text, struct policy_origin *out)
{
    static const char star[] = "*.";
    const size_t star_len = sizeof(star) - 1;
    struct span rest = text;

    if (!scheme_take(&rest, &out->scheme) || !span_starts_with(rest, SPAN_LIT(star))) {
        return false;
    }
    if (!upgrade_host_parse(skip(rest, star_len), &out->host, &out->port) ||
        !is_lower_host(out->host) || is_number(last_label(out->host)) ||
        span_find(out->host, ':') < out->host.len) {
        return false;
    }
    out->kind = POLICY_ORIGIN_WILDCARD;
    out->host = (struct span){out->host.data - 1, out->host.len + 1};
    return true;
}

bool policy_origin_parse(struct span text, struct policy_origin *out)
{
    static const struct {
        struct span word;
        enum policy_origin_kind kind;
    } words[] = {
        {{"same", 4}, POLICY_ORIGIN_SAME},
        {{"*", 1}, POLICY_ORIGIN_ANY},
        {{"null", 4}, POLICY_ORIGIN_NULL},
        {{"none", 4}, POLICY_ORIGIN_NONE},
    };
    struct policy_origin entry = {.kind = POLICY_ORIGIN_EXACT};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (span_is_equal(text, words[i].word)) {
            *out = (struct policy_origin){.kind = words[i].kind};
            return true;
        }
    }
    if (!wildcard_split(text, &entry) &&
        !(origin_split(text, &entry) && is_canonical_host(entry.host))) {
        return false;
    }
    if (entry.port == 0) {
        entry.port = default_port(entry.scheme);
    }
    *out = entry;
    return true;
}

/* An Origin header as browsers write it, which leaves the scheme's own port out. */
static bool sent_origin_parse(struct span text, struct policy_origin *out)
{
    if (!origin_split(text, out) || out->port == default_port(out->scheme)) {
        return false;
    }
    if (out->port == 0) {
        out->port = default_port(out->scheme);
    }
    return true;
}

static bool is_one_label_more(struct span host, struct span suffix)
{
    return host.len > suffix.len && span_ends_with(host, suffix) &&
           span_find(host, '.') == host.len - suffix.len;
}

static bool is_same_origin(const struct policy_origin *sent, const struct policy_request *request)
{
    const struct request *upgrade = request->upgrade;
    uint16_t port = upgrade->host_port;

    if (request->is_secure && !span_is_equal(sent->scheme, SPAN_LIT("https"))) {
        return false;
    }
    if (port == 0) {
        port = default_port(sent->scheme);
    }
    return sent->port == port && span_is_equal_nocase(sent->host, upgrade->host_name);
}

/* The kinds that name a host. */
static bool named_origin_matches(const struct policy_origin *entry,
                                 const struct policy_request *request)
{
    struct policy_origin sent = {.kind = POLICY_ORIGIN_EXACT};

    if (!request->upgrade->has_origin || !sent_origin_parse(request->upgrade->origin, &sent)) {
        return false;
    }
    if (entry->kind == POLICY_ORIGIN_SAME) {
        return is_same_origin(&sent, request);
    }
    if (!span_is_equal(sent.scheme, entry->scheme) || sent.port != entry->port) {
        return false;
    }
    return entry->kind == POLICY_ORIGIN_WILDCARD ? is_one_label_more(sent.host, entry->host)
                                                 : span_is_equal(sent.host, entry->host);
}

bool policy_origin_matches(const struct policy_origin *entry, const struct policy_request *request)
{
    const struct request *upgrade = request->upgrade;

    switch (entry->kind) {
    case POLICY_ORIGIN_EXACT:
    case POLICY_ORIGIN_WILDCARD:
    case POLICY_ORIGIN_SAME:
        return named_origin_matches(entry, request);
    case POLICY_ORIGIN_ANY:
        return true;
    case POLICY_ORIGIN_NULL:
        return upgrade->has_origin && span_is_equal(upgrade->origin, SPAN_LIT("null"));
    case POLICY_ORIGIN_NONE:
        return !upgrade->has_origin;
    }
    return false;
}

/* ---- routes ---- */

/* How well a route fits, best first; routes that fit equally well: the first one of the file. */
enum route_fit { FIT_NONE = 0, FIT_PREFIX, FIT_PREFIX_HOST, FIT_EXACT, FIT_EXACT_HOST };

static bool host_matches(struct span pattern, struct span name)
{
    if (!span_starts_with(pattern, SPAN_LIT("*."))) {
        return span_is_equal_nocase(pattern, name);
    }
    pattern = skip(pattern, 1);
    return name.len > pattern.len && span_find(name, '.') == name.len - pattern.len &&
           span_is_equal_nocase(skip(name, name.len - pattern.len), pattern);
}

static enum route_fit route_fit(const struct policy_route *route, const struct request *upgrade)
{
    bool has_host = route->host.len > 0;

    if (has_host && !host_matches(route->host, upgrade->host_name)) {
        return FIT_NONE;
    }
    if (route->is_prefix) {
        if (!span_starts_with(upgrade->path, route->path)) {
            return FIT_NONE;
        }
        return has_host ? FIT_PREFIX_HOST : FIT_PREFIX;
    }
    if (!span_is_equal(upgrade->path, route->path)) {
        return FIT_NONE;
    }
    return has_host ? FIT_EXACT_HOST : FIT_EXACT;
}

/* Both fit equally: the longer path, then a full host name before a wildcard. */
static bool is_closer(const struct policy_route *a, const struct policy_route *b)
{
    if (a->path.len != b->path.len) {
        return a->path.len > b->path.len;
    }
    return a->host.len > 0 && a->host.data[0] != '*' && b->host.data[0] == '*';
}

/* The index, or route_count when there is none. */
static size_t route_choose(const struct policy_route *routes, size_t route_count,
                           const struct policy_request *request)
{
    enum route_fit best_fit = FIT_NONE;
    size_t best = route_count;

    for (size_t i = 0; i < route_count; i++) {
        enum route_fit fit = route_fit(&routes[i], request->upgrade);

        if (fit > best_fit ||
            (fit == best_fit && fit != FIT_NONE && is_closer(&routes[i], &routes[best]))) {
            best_fit = fit;
            best = i;
        }
    }
    /* A certificate for one name must not open the route of another: no next-best route either. */
    if (best < route_count && routes[best].host.len > 0 && request->sni.len > 0 &&
        !span_is_equal_nocase(request->sni, request->upgrade->host_name)) {
        return route_count;
    }
    return best;
}

/* ---- the decision ---- */

static bool is_in(const struct addr_cidr *blocks, size_t count, const struct addr *source)
{
    for (size_t i = 0; i < count; i++) {
        if (addr_cidr_contains(&blocks[i], source)) {
            return true;
        }
    }
    return false;
}

static bool is_source_allowed(const struct policy_route *route, const struct addr *source)
{
    return !is_in(route->deny, route->deny_count, source) &&
           (route->allow_count == 0 || is_in(route->allow, route->allow_count, source));
}

static bool is_origin_allowed(const struct policy_route *route,
                              const struct policy_request *request)
{
    for (size_t i = 0; i < route->origin_count; i++) {
        if (policy_origin_matches(&route->origins[i], request)) {
            return true;
        }
    }
    return false;
}

static bool is_offered(const struct request *upgrade, struct span subprotocol)
{
    for (size_t i = 0; i < upgrade->offer_count; i++) {
        if (span_is_equal(upgrade->offers[i], subprotocol)) {
            return true;
        }
    }
    return false;
}

static bool subprotocol_choose(const struct policy_route *route, const struct request *upgrade,
                               struct span *out)
{
    if (route->subprotocol_count == 0) {
        *out = upgrade->offer_count > 0 ? upgrade->offers[0] : (struct span){NULL, 0};
        return true;
    }
    for (size_t i = 0; i < route->subprotocol_count; i++) {
        if (is_offered(upgrade, route->subprotocols[i])) {
            *out = route->subprotocols[i];
            return true;
        }
    }
    return false;
}

struct policy_decision policy_decide(const struct policy_route *routes, size_t route_count,
                                     const struct policy_request *request)
{
    struct policy_decision decision = {.verdict = POLICY_OK};
    const struct policy_route *route;

    decision.route = route_choose(routes, route_count, request);
    if (decision.route == route_count) {
        decision.verdict = POLICY_NO_ROUTE;
        return decision;
    }
    route = &routes[decision.route];
    if (!is_source_allowed(route, request->source)) {
        decision.verdict = POLICY_SOURCE;
    } else if (!is_origin_allowed(route, request)) {
        decision.verdict = POLICY_ORIGIN;
    } else if (!subprotocol_choose(route, request->upgrade, &decision.subprotocol)) {
        decision.verdict = POLICY_SUBPROTOCOL;
    }
    return decision;
}
