/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/policy.h"

#include "base/host.h"

/* ---- origins ---- */

uint16_t policy_default_port(struct span scheme)
{
    static const struct {
        struct span scheme;
        uint16_t port;
    } known[] = {{{"https", 5}, 443}, {{"http", 4}, 80}, {{"wss", 3}, 443}, {{"ws", 2}, 80}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (span_is_equal_nocase(scheme, known[i].scheme)) {
            return known[i].port;
        }
    }
    return 0;
}

static struct span skip(struct span s, size_t n)
{
    return (struct span){s.data + n, s.len - n};
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* RFC 3986 3.1. */
static bool is_scheme(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool is_other = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';

        if (!is_letter(c) && (i == 0 || !is_other)) {
            return false;
        }
    }
    return text.len > 0;
}

/* Takes "SCHEME://" off. */
static bool scheme_take(struct span *rest, struct span *out_scheme)
{
    static const char separator[] = "://";
    size_t len = span_find(*rest, ':');
    struct span scheme = {rest->data, len};

    if (!is_scheme(scheme) || !span_starts_with(skip(*rest, len), SPAN_LIT(separator))) {
        return false;
    }
    *rest = skip(*rest, len + sizeof(separator) - 1);
    *out_scheme = scheme;
    return true;
}

/* What an app writes behind "://": no path, no userinfo, nothing that would end a list's item. */
static bool is_app(struct span text)
{
    static const char not_in[] = "/?#@\\\"'*,;<>";

    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (c <= ' ' || c > '~' || span_find(SPAN_LIT(not_in), c) < sizeof(not_in) - 1) {
            return false;
        }
    }
    return true;
}

/* Splits a serialised origin; a port that it does not have is the scheme's own. */
static bool origin_split(struct span text, struct policy_origin *out)
{
    struct span rest = text;

    if (!scheme_take(&rest, &out->scheme)) {
        return false;
    }
    uint16_t default_port = policy_default_port(out->scheme);
    if (default_port == 0) {
        out->kind = POLICY_ORIGIN_APP;
        out->host = rest;
        out->port = 0;
        return is_app(rest);
    }
    out->kind = POLICY_ORIGIN_HOST;
    if (!host_split(rest, &out->host, &out->port) || !host_is_canonical(out->host)) {
        return false;
    }
    out->port = out->port != 0 ? out->port : default_port;
    return true;
}

static bool wildcard_split(struct span text, struct policy_origin *out)
{
    static const char star[] = "*.";
    const size_t star_len = sizeof(star) - 1;
    struct span rest = text;

    if (!scheme_take(&rest, &out->scheme) || !span_starts_with(rest, SPAN_LIT(star))) {
        return false;
    }
    uint16_t default_port = policy_default_port(out->scheme);
    if (default_port == 0 || !host_split(skip(rest, star_len), &out->host, &out->port) ||
        host_kind(out->host) != HOST_NAME || !host_is_canonical(out->host)) {
        return false;
    }
    out->host = (struct span){rest.data, star_len + out->host.len};
    out->port = out->port != 0 ? out->port : default_port;
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
    struct policy_origin entry = {.kind = POLICY_ORIGIN_HOST};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (span_is_equal(text, words[i].word)) {
            *out = (struct policy_origin){.kind = words[i].kind};
            return true;
        }
    }
    if (!wildcard_split(text, &entry) && !origin_split(text, &entry)) {
        return false;
    }
    *out = entry;
    return true;
}

/* What `same` compares with: the scheme of the page, and the host and port that the request asked
 * for. */
static bool is_page(struct span scheme)
{
    return span_is_equal_nocase(scheme, SPAN_LIT("https")) ||
           span_is_equal_nocase(scheme, SPAN_LIT("http"));
}

static bool is_same_host(const struct policy_origin *sent, const struct policy_request *request)
{
    return sent->kind == POLICY_ORIGIN_HOST && is_page(sent->scheme) &&
           host_is_equal(sent->host, request->asked->host_name);
}

static bool is_same_port(const struct policy_origin *sent, const struct policy_request *request)
{
    uint16_t port = request->asked->host_port;

    return sent->port == (port != 0 ? port : policy_default_port(sent->scheme));
}

static bool is_scheme_allowed(const struct policy_origin *sent,
                              const struct policy_request *request)
{
    return !request->is_secure || span_is_equal_nocase(sent->scheme, SPAN_LIT("https"));
}

static bool is_same(const struct policy_origin *sent, const struct policy_request *request)
{
    return is_same_host(sent, request) && is_same_port(sent, request) &&
           is_scheme_allowed(sent, request);
}

/* The kinds that name an origin. */
static bool named_origin_matches(const struct policy_origin *entry,
                                 const struct policy_request *request)
{
    struct policy_origin sent;

    if (!request->asked->has_origin || !origin_split(request->asked->origin, &sent)) {
        return false;
    }
    if (entry->kind == POLICY_ORIGIN_SAME) {
        return is_same(&sent, request);
    }
    if (sent.kind != entry->kind || !span_is_equal_nocase(sent.scheme, entry->scheme)) {
        return false;
    }
    if (entry->kind == POLICY_ORIGIN_APP) {
        return span_is_equal(sent.host, entry->host);
    }
    return sent.port == entry->port && host_match(entry->host, sent.host) != HOST_DIFFERS;
}

bool policy_origin_matches(const struct policy_origin *entry, const struct policy_request *request)
{
    const struct request *asked = request->asked;

    switch (entry->kind) {
    case POLICY_ORIGIN_HOST:
    case POLICY_ORIGIN_APP:
    case POLICY_ORIGIN_SAME:
        return named_origin_matches(entry, request);
    case POLICY_ORIGIN_ANY:
        return true;
    case POLICY_ORIGIN_NULL:
        return asked->has_origin && span_is_equal(asked->origin, SPAN_LIT("null"));
    case POLICY_ORIGIN_NONE:
        return !asked->has_origin;
    }
    return false;
}

/* ---- routes ---- */

/* How well a route fits: the larger, the better. */
enum route_fit { FIT_NONE = 0, FIT_PREFIX, FIT_PREFIX_HOST, FIT_EXACT, FIT_EXACT_HOST };

static enum route_fit route_fit(const struct policy_route *route, const struct request *asked)
{
    bool has_host = route->host.len > 0;

    if (has_host && host_match(route->host, asked->host_name) == HOST_DIFFERS) {
        return FIT_NONE;
    }
    if (route->is_prefix) {
        if (!span_starts_with(asked->path, route->path)) {
            return FIT_NONE;
        }
        return has_host ? FIT_PREFIX_HOST : FIT_PREFIX;
    }
    if (!span_is_equal(asked->path, route->path)) {
        return FIT_NONE;
    }
    return has_host ? FIT_EXACT_HOST : FIT_EXACT;
}

/* Of two routes that fit equally: the longer path wins, then a full host name over a wildcard. */
static bool is_closer(const struct policy_route *a, const struct policy_route *b)
{
    if (a->path.len != b->path.len) {
        return a->path.len > b->path.len;
    }
    return a->host.len > 0 && a->host.data[0] != '*' && b->host.data[0] == '*';
}

/* The index of the route that fits best, or route_count when none fits. */
static size_t route_choose(const struct policy_route *routes, size_t route_count,
                           const struct policy_request *request)
{
    enum route_fit best_fit = FIT_NONE;
    size_t best = route_count;

    for (size_t i = 0; i < route_count; i++) {
        enum route_fit fit = route_fit(&routes[i], request->asked);

        if (fit > best_fit ||
            (fit == best_fit && fit != FIT_NONE && is_closer(&routes[i], &routes[best]))) {
            best_fit = fit;
            best = i;
        }
    }
    /* A certificate for one name must not open the route of another name, nor lead to the next best
     * route. */
    if (best < route_count && routes[best].host.len > 0 && request->sni.len > 0 &&
        !host_is_equal(request->sni, request->asked->host_name)) {
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

/* An address that nobody knows could be any. */
static bool is_source_allowed(const struct policy_route *route, const struct addr *source)
{
    if (source->len == 0) {
        return route->allow_count == 0 && route->deny_count == 0;
    }
    return !is_in(route->deny, route->deny_count, source) &&
           (route->allow_count == 0 || is_in(route->allow, route->allow_count, source));
}

/* Whether the Host that a client sent may decide what `same` is; see policy_decide. */
static bool is_host_believed(const struct policy_route *route, const struct policy_request *request)
{
    struct policy_origin sent;

    return request->is_secure || route->host.len > 0 ||
           host_is_local_or_address(request->asked->host_name) ||
           (origin_split(request->asked->origin, &sent) &&
            span_is_equal_nocase(sent.scheme, SPAN_LIT("https")));
}

static bool is_origin_allowed(const struct policy_route *route,
                              const struct policy_request *request)
{
    for (size_t i = 0; i < route->origin_count; i++) {
        const struct policy_origin *entry = &route->origins[i];

        if (policy_origin_matches(entry, request) &&
            (entry->kind != POLICY_ORIGIN_SAME || is_host_believed(route, request))) {
            return true;
        }
    }
    return false;
}

static bool has_same(const struct policy_route *route)
{
    for (size_t i = 0; i < route->origin_count; i++) {
        if (route->origins[i].kind == POLICY_ORIGIN_SAME) {
            return true;
        }
    }
    return false;
}

/* Why no entry admits the request. */
static const char *origin_detail(const struct policy_route *route,
                                 const struct policy_request *request)
{
    const struct request *asked = request->asked;
    struct policy_origin sent;

    if (!asked->has_origin) {
        return "the request has no Origin, and origins does not list none";
    }
    if (span_is_equal(asked->origin, SPAN_LIT("null"))) {
        return "the Origin is null, and origins does not list null";
    }
    if (!origin_split(asked->origin, &sent)) {
        return "the Origin is not SCHEME://HOST[:PORT]";
    }
    if (!has_same(route) || !is_same_host(&sent, request)) {
        return "origins does not list this Origin";
    }
    if (!is_scheme_allowed(&sent, request)) {
        return "same: the page came over http, the request over TLS";
    }
    if (!is_same_port(&sent, request)) {
        return "same: Host has another port than Origin; where a proxy changes Host, list the "
               "origin by name";
    }
    return "same: anybody can send this Host without TLS; give the route a host";
}

static bool is_offered(const struct request *asked, struct span subprotocol)
{
    for (size_t i = 0; i < asked->offer_count; i++) {
        if (span_is_equal(asked->offers[i], subprotocol)) {
            return true;
        }
    }
    return false;
}

static bool is_listed(const struct policy_route *route, struct span subprotocol)
{
    for (size_t i = 0; i < route->subprotocol_count; i++) {
        if (span_is_equal(route->subprotocols[i], subprotocol)) {
            return true;
        }
    }
    return false;
}

static bool subprotocol_choose(const struct policy_route *route, const struct request *asked,
                               struct span *out)
{
    if (route->subprotocol_count == 0) {
        *out = asked->offer_count > 0 ? asked->offers[0] : (struct span){NULL, 0};
        return true;
    }
    if (route->is_client_order) {
        for (size_t i = 0; i < asked->offer_count; i++) {
            if (is_listed(route, asked->offers[i])) {
                *out = asked->offers[i];
                return true;
            }
        }
        return false;
    }
    for (size_t i = 0; i < route->subprotocol_count; i++) {
        if (is_offered(asked, route->subprotocols[i])) {
            *out = route->subprotocols[i];
            return true;
        }
    }
    return false;
}

static const char *source_detail(const struct policy_route *route, const struct addr *source)
{
    if (source->len == 0) {
        return "a proxy does not tell the client's address, and the route has allow or deny";
    }
    return is_in(route->deny, route->deny_count, source)
               ? "the client's address is in the route's deny"
               : "the client's address is not in the route's allow";
}

/* Why no route serves the request. */
static const char *route_detail(const struct policy_route *routes, size_t route_count,
                                const struct policy_request *request)
{
    struct policy_request without_sni = *request;
    without_sni.sni = (struct span){NULL, 0};

    if (route_choose(routes, route_count, &without_sni) < route_count) {
        return "the name in the TLS handshake is not the Host of the request";
    }
    for (size_t i = 0; i < route_count; i++) {
        struct policy_route anywhere = routes[i];
        anywhere.host = (struct span){NULL, 0};
        if (route_fit(&anywhere, request->asked) != FIT_NONE) {
            return "no route has this path for this Host";
        }
    }
    return "no route has this path";
}

struct policy_decision policy_decide_plain(const struct policy_route *routes, size_t route_count,
                                           const struct policy_request *request)
{
    struct policy_decision decision = {.verdict = POLICY_OK};
    const struct policy_route *route;

    decision.route = route_choose(routes, route_count, request);
    if (decision.route == route_count) {
        decision.verdict = POLICY_NO_ROUTE;
        decision.detail = route_detail(routes, route_count, request);
        return decision;
    }
    route = &routes[decision.route];
    if (!is_source_allowed(route, request->source)) {
        decision.verdict = POLICY_SOURCE;
        decision.detail = source_detail(route, request->source);
    } else if (!is_origin_allowed(route, request)) {
        decision.verdict = POLICY_ORIGIN;
        decision.detail = origin_detail(route, request);
    }
    return decision;
}

struct policy_decision policy_decide(const struct policy_route *routes, size_t route_count,
                                     const struct policy_request *request)
{
    struct policy_decision decision = policy_decide_plain(routes, route_count, request);

    if (decision.verdict == POLICY_OK &&
        !subprotocol_choose(&routes[decision.route], request->asked, &decision.subprotocol)) {
        decision.verdict = POLICY_SUBPROTOCOL;
        decision.detail = request->asked->offer_count == 0
                              ? "the client offers no subprotocol, and the route wants one"
                              : "the client offers no subprotocol of the route's list";
    }
    return decision;
}
