/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/policy.h"

#include "base/host.h"

/* ---- origins ---- */

static uint16_t default_port(struct span scheme)
{
    return span_is_equal(scheme, SPAN_LIT("https")) ? 443 : 80;
}

static struct span skip(struct span s, size_t n)
{
    return (struct span){s.data + n, s.len - n};
}

/* Takes "https://" or "http://" off. A page on the network has no other origin. */
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

/* Splits SCHEME://HOST or SCHEME://HOST:PORT, as a browser writes it; without a port it is 0. */
static bool origin_split(struct span text, struct policy_origin *out)
{
    struct span rest = text;

    return scheme_take(&rest, &out->scheme) && host_split(rest, &out->host, &out->port) &&
           host_is_canonical(out->host);
}

static bool wildcard_split(struct span text, struct policy_origin *out)
{
    static const char star[] = "*.";
    const size_t star_len = sizeof(star) - 1;
    struct span rest = text;

    if (!scheme_take(&rest, &out->scheme) || !span_starts_with(rest, SPAN_LIT(star)) ||
        !host_split(skip(rest, star_len), &out->host, &out->port) ||
        host_kind(out->host) != HOST_NAME || !host_is_canonical(out->host)) {
        return false;
    }
    out->host = (struct span){rest.data, star_len + out->host.len};
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
    if (entry.port == 0) {
        entry.port = default_port(entry.scheme);
    }
    *out = entry;
    return true;
}

/* Reads an Origin header. Browsers leave the scheme's own port out. */
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

static bool is_same_origin(const struct policy_origin *sent, const struct policy_request *request)
{
    const struct request *asked = request->asked;
    uint16_t port = asked->host_port;

    if (request->is_secure && !span_is_equal(sent->scheme, SPAN_LIT("https"))) {
        return false;
    }
    if (port == 0) {
        port = default_port(sent->scheme);
    }
    return sent->port == port && host_is_equal(sent->host, asked->host_name);
}

/* The kinds that name a host. */
static bool named_origin_matches(const struct policy_origin *entry,
                                 const struct policy_request *request)
{
    struct policy_origin sent = {.kind = POLICY_ORIGIN_HOST};

    if (!request->asked->has_origin || !sent_origin_parse(request->asked->origin, &sent)) {
        return false;
    }
    if (entry->kind == POLICY_ORIGIN_SAME) {
        return is_same_origin(&sent, request);
    }
    return span_is_equal(sent.scheme, entry->scheme) && sent.port == entry->port &&
           host_match(entry->host, sent.host) != HOST_DIFFERS;
}

bool policy_origin_matches(const struct policy_origin *entry, const struct policy_request *request)
{
    const struct request *asked = request->asked;

    switch (entry->kind) {
    case POLICY_ORIGIN_HOST:
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

static bool is_offered(const struct request *asked, struct span subprotocol)
{
    for (size_t i = 0; i < asked->offer_count; i++) {
        if (span_is_equal(asked->offers[i], subprotocol)) {
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
    for (size_t i = 0; i < route->subprotocol_count; i++) {
        if (is_offered(asked, route->subprotocols[i])) {
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
    } else if (!subprotocol_choose(route, request->asked, &decision.subprotocol)) {
        decision.verdict = POLICY_SUBPROTOCOL;
    }
    return decision;
}
