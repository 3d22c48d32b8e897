/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/route.h"

#include "base/host.h"
#include "conf/auth.h"
#include "conf/route_parts.h"
#include "conf/route_tls.h"
#include "proto/policy.h"
#include "proto/shape.h"

/* The marks of latency = low */
#define LOW_HIGH_BYTES ((size_t)16 * 1024)
#define LOW_LOW_BYTES ((size_t)4 * 1024)

/* Only where one of the two is set: else the mistake is the default's, and told there. */
static void check_buffers(struct build *build, const struct draft_section *section,
                          const struct config_route *route)
{
    const struct key *high_key = key_find(KEY_ROUTE, SPAN_LIT("buffer_high"));
    unsigned high = draft_value(section, "buffer_high")->line;
    unsigned low = draft_value(section, "buffer_low")->line;
    char high_text[KEY_NUMBER_TEXT];
    char low_text[KEY_NUMBER_TEXT];

    if ((high == 0 && low == 0) || route->buffer_low_bytes < route->buffer_high_bytes) {
        return;
    }
    report_add(build->report, low != 0 ? low : high,
               "'buffer_low' (%s) must be less than buffer_high (%s)",
               key_format(high_key, route->buffer_low_bytes, low_text, sizeof(low_text)),
               key_format(high_key, route->buffer_high_bytes, high_text, sizeof(high_text)));
}

/* What a subprotocol is by its name has to fit the rest: base64 is text that carries a stream. */
static void check_subprotocols(struct build *build, const struct config_route *route)
{
    if (config_is_echo(route)) {
        return;
    }
    for (size_t i = 0; i < route->policy.subprotocol_count; i++) {
        struct span name = route->policy.subprotocols[i];

        if (shape_payload_of(name, SHAPE_BINARY) != SHAPE_BINARY &&
            route->accept == WS_ACCEPT_BINARY) {
            report_add(build->report, route->line,
                       "[route %.*s] has the subprotocol %.*s, which is text, but "
                       "accept = binary",
                       REPORT_SHOW(route->policy.name), REPORT_SHOW(name));
        }
        if (shape_payload_of(name, SHAPE_BINARY) == SHAPE_BASE64 &&
            route->framing.kind != FRAMING_STREAM) {
            report_add(build->report, route->line,
                       "[route %.*s] has the subprotocol base64, which needs "
                       "framing = stream",
                       REPORT_SHOW(route->policy.name));
        }
    }
}

static void check_echo(struct build *build, const struct draft_section *section,
                       const struct config_route *route)
{
    const struct draft_value *value = draft_value(section, "backend");
    bool has_echo = false;

    for (size_t i = 0; i < route->backend_count; i++) {
        has_echo |= route->backends[i].kind == CONFIG_BACKEND_ECHO;
    }
    if (has_echo && value->count > 1) {
        report_add(build->report, value->line, "echo: cannot stand with others");
    }
}

static void check_pauses(struct build *build, const struct draft_section *section,
                         const struct config_route *route)
{
    const struct key *key = key_find(KEY_ROUTE, SPAN_LIT("eject_pause"));
    unsigned most = draft_value(section, "eject_pause_max")->line;
    unsigned first = draft_value(section, "eject_pause")->line;
    char first_text[KEY_NUMBER_TEXT];
    char most_text[KEY_NUMBER_TEXT];

    if ((most != 0 || first != 0) && route->eject_pause_ms > route->eject_pause_max_ms) {
        report_add(build->report, most != 0 ? most : first,
                   "'eject_pause_max' (%s) must not be less than eject_pause (%s)",
                   key_format(key, route->eject_pause_max_ms, most_text, sizeof(most_text)),
                   key_format(key, route->eject_pause_ms, first_text, sizeof(first_text)));
    }
}

/* The number of the first backend that stands there again; the count: none does. */
static size_t find_twice(const struct config_route *route)
{
    for (size_t i = 0; i < route->backend_count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (span_is_equal(route->backends[i].text, route->backends[k].text)) {
                return i;
            }
        }
    }
    return route->backend_count;
}

static void check_backends(struct build *build, const struct draft_section *section,
                           const struct config_route *route)
{
    unsigned line = draft_value(section, "backend")->line;
    size_t twice = find_twice(route);
    bool is_some_weighed = false;
    bool is_some_first = route->backend_count == 0; /* none: that is told already */

    for (size_t i = 0; i < route->backend_count; i++) {
        is_some_weighed |= route->backends[i].weight > 1;
        is_some_first |= !route->backends[i].is_backup;
    }
    if (twice < route->backend_count) {
        report_add(build->report, line,
                   "the backend %.*s stands there twice; weight= gives it a greater share",
                   REPORT_SHOW(route->backends[twice].text));
    }
    if (!is_some_first) {
        report_add(build->report, line, "every backend is a backup, and there is none to stand by");
    }
    if (is_some_weighed && route->balance == CONFIG_BALANCE_FIRST) {
        report_warn(build->report, line, "weight= changes nothing with balance = first");
    }
}

static bool is_same_place(const struct policy_route *a, const struct policy_route *b)
{
    return a->is_prefix == b->is_prefix && span_is_equal(a->path, b->path) &&
           host_is_equal(a->host, b->host);
}

static void check_place_is_new(struct build *build, const struct config_route *route)
{
    for (size_t i = 0; i < build->config->route_count; i++) {
        const struct config_route *other = &build->config->routes[i];

        if (route->policy.path.len > 0 && is_same_place(&route->policy, &other->policy)) {
            report_add(build->report, route->line,
                       "[route %.*s] has the path and host of [route %.*s] (line %u)",
                       REPORT_SHOW(route->policy.name), REPORT_SHOW(other->policy.name),
                       other->line);
            return;
        }
    }
}

/* DNS rebinding; see policy_decide. At a loopback address `same` admits what the user expects. */
static void check_same(struct build *build, const struct config_route *route)
{
    bool has_same = false;

    for (size_t i = 0; i < route->policy.origin_count; i++) {
        has_same |= route->policy.origins[i].kind == POLICY_ORIGIN_SAME;
    }
    if (!has_same || route->policy.host.len > 0) {
        return;
    }
    for (size_t i = 0; i < build->config->listen_count; i++) {
        const struct config_listen *listen = &build->config->listens[i];

        if (listen->kind == CONFIG_LISTEN_PUBLIC && !listen->is_tls && listen->address.len > 0 &&
            !addr_is_loopback(&listen->address)) {
            report_warn(build->report, route->line,
                        "[route %.*s] has origins = same and no host, and [listen %.*s] has no "
                        "TLS: there same admits pages of localhost and of addresses, and of "
                        "https behind a TLS front",
                        REPORT_SHOW(route->policy.name), REPORT_SHOW(listen->name));
            return;
        }
    }
}

bool route_is_written(const struct build *build, const struct draft_section *section,
                      const char *name)
{
    if (draft_value(section, name)->line != 0) {
        return true;
    }
    for (const struct draft_section *s = build->draft->sections; s != NULL; s = s->next) {
        if (s->kind == KEY_DEFAULTS && draft_value(s, name)->line != 0) {
            return true;
        }
    }
    return false;
}

/* What waits in sluice itself is late too: `latency = low` lowers the marks that nobody wrote. */
static void lower_marks(const struct build *build, const struct draft_section *section,
                        struct config_route *route)
{
    if (route->latency == CONFIG_LATENCY_LOW && !route_is_written(build, section, "buffer_high") &&
        !route_is_written(build, section, "buffer_low")) {
        route->buffer_high_bytes = LOW_HIGH_BYTES;
        route->buffer_low_bytes = LOW_LOW_BYTES;
    }
}

static void build_route(struct build *build, const struct draft_section *section,
                        struct config_route *route)
{
    route->policy.name = section->name;
    route->line = section->line;
    build_section(build, section, route);
    route_build_targets(build, section, route);
    route_find_tls(route);
    build_check_needs(build, section, route);
    route_build_tls(build, section, route);
    lower_marks(build, section, route);
    check_buffers(build, section, route);
    check_echo(build, section, route);
    check_backends(build, section, route);
    check_pauses(build, section, route);
    check_subprotocols(build, route);
    check_place_is_new(build, route);
    check_same(build, route);
    auth_of_route(build, section, route);
}

/* What every route starts from: the table's defaults, the server's deadlines, then [defaults]. */
static void build_base(struct build *build, struct config_route *base)
{
    build_fallbacks(build, KEY_ROUTE, base);
    for (const struct draft_section *s = build->draft->sections; s != NULL; s = s->next) {
        if (s->kind == KEY_DEFAULTS) {
            build_section(build, s, base);
            check_buffers(build, s, base);
            check_pauses(build, s, base);
        }
    }
    base->timeouts.tls_ms = build->config->early_timeouts.tls_ms;
    base->timeouts.request_ms = build->config->early_timeouts.request_ms;
    base->timeouts.linger_ms = build->config->early_timeouts.linger_ms;
    build->config->early_timeouts = base->timeouts;
    build->config->is_http_refusal = base->is_http_refusal;
}

size_t route_bytes(const struct config *config)
{
    size_t bytes = 0;

    for (size_t i = 0; i < config->route_count; i++) {
        const struct targets *targets = config->routes[i].targets;
        bool is_counted = false;

        for (size_t k = 0; k < i && targets != NULL && !is_counted; k++) {
            is_counted = config->routes[k].targets == targets;
        }
        bytes += targets != NULL && !is_counted ? targets_bytes(targets) : 0;
    }
    return bytes;
}

void route_build(struct build *build)
{
    struct config *config = build->config;
    size_t count = draft_count(build->draft, KEY_ROUTE);
    struct config_route base = {0};

    if (count == 0 && !build->draft->has_lost_section) {
        report_add(build->report, 0,
                   "there is no [route NAME] section: every request would be refused");
    }
    build_base(build, &base);
    config->routes = build_array(build, count, sizeof(*config->routes));
    config->policies = build_array(build, count, sizeof(*config->policies));
    if (config->routes == NULL || config->policies == NULL) {
        return;
    }
    for (const struct draft_section *s = build->draft->sections; s != NULL; s = s->next) {
        if (s->kind == KEY_ROUTE) {
            struct config_route *route = &config->routes[config->route_count];

            *route = base;
            build_route(build, s, route);
            config->policies[config->route_count] = route->policy;
            config->route_count++;
        }
    }
}
