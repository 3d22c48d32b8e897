/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_route.c: [defaults] and [route NAME] sections. */
#include <assert.h>
#include <string.h>

#include "conf/config_build.h"
#include "conf/config_draft.h"
#include "conf/config_keys.h"
#include "conf/config_meaning.h"
#include "conf/config_values.h"
#include "proto/policy.h"
#include "proto/upgrade.h"

#define BACKENDS_MAX 16

static void build_origins(struct config_build *build, const struct config_value *value,
                          struct policy_route *policy)
{
    policy->origin_count = 0;
    policy->origins = config_build_array(build, value->count, sizeof(*policy->origins));
    if (policy->origins == NULL) {
        return;
    }
    for (const struct config_item *item = value->items; item != NULL; item = item->next) {
        if (policy_origin_parse(item->text, &policy->origins[policy->origin_count])) {
            policy->origin_count++;
        } else {
            config_report_add(build->report, item->line,
                              "bad origin '%.*s'; https://HOST[:PORT] in lower case without a "
                              "path, https://*.HOST, same, null, none or *",
                              CONFIG_SHOW(item->text));
        }
    }
}

static void build_subprotocols(struct config_build *build, const struct config_value *value,
                               struct policy_route *policy)
{
    policy->subprotocol_count = 0;
    policy->subprotocols = config_build_array(build, value->count, sizeof(*policy->subprotocols));
    if (policy->subprotocols == NULL) {
        return;
    }
    for (const struct config_item *item = value->items; item != NULL; item = item->next) {
        if (span_is_token(item->text) && item->text.len <= REQUEST_OFFER_LEN_MAX) {
            policy->subprotocols[policy->subprotocol_count++] = item->text;
        } else {
            config_report_add(build->report, item->line,
                              "bad subprotocol '%.*s'; letters, digits and any of "
                              "!#$%%&'*+-.^_`|~",
                              CONFIG_SHOW(item->text));
        }
    }
}

static size_t build_networks(struct config_build *build, const struct config_value *value,
                             const char *name, struct addr_cidr **out)
{
    size_t count = 0;

    *out = config_build_array(build, value->count, sizeof(**out));
    if (*out == NULL) {
        return 0;
    }
    for (const struct config_item *item = value->items; item != NULL; item = item->next) {
        if (addr_cidr_parse(item->text, &(*out)[count])) {
            count++;
        } else {
            config_report_add(build->report, item->line,
                              "bad network '%.*s' for '%s'; 10.0.0.0/8, 2001:db8::/32 or one "
                              "address, with no bit set behind the prefix",
                              CONFIG_SHOW(item->text), name);
        }
    }
    return count;
}

/* Everything that may also stand in [defaults]. A list replaces the default's as a whole. */
static void build_common(struct config_build *build, const struct config_section *section,
                         struct config_route *route)
{
    const struct config_value *origins = config_section_value(section, "origins");
    const struct config_value *subprotocols = config_section_value(section, "subprotocols");
    const struct config_value *allow = config_section_value(section, "allow");
    const struct config_value *deny = config_section_value(section, "deny");
    struct policy_route *policy = &route->policy;

    config_build_numbers(section, route);
    if (origins->line != 0) {
        build_origins(build, origins, policy);
    }
    if (subprotocols->line != 0) {
        build_subprotocols(build, subprotocols, policy);
    }
    if (allow->line != 0) {
        policy->allow_count = build_networks(build, allow, "allow", &policy->allow);
    }
    if (deny->line != 0) {
        policy->deny_count = build_networks(build, deny, "deny", &policy->deny);
    }
}

/* Only where one of the two is set: else the mistake is the default's, and told there. */
static void check_buffers(struct config_build *build, const struct config_section *section,
                          const struct config_route *route)
{
    const struct config_key *high_key = config_key_find(CONFIG_ROUTE, SPAN_LIT("buffer_high"));
    unsigned high = config_section_value(section, "buffer_high")->line;
    unsigned low = config_section_value(section, "buffer_low")->line;
    char high_text[CONFIG_VALUE_TEXT];
    char low_text[CONFIG_VALUE_TEXT];

    if ((high == 0 && low == 0) || route->buffer_low_bytes < route->buffer_high_bytes) {
        return;
    }
    config_key_format(high_key, route->buffer_high_bytes, high_text, sizeof(high_text));
    config_key_format(high_key, route->buffer_low_bytes, low_text, sizeof(low_text));
    config_report_add(build->report, low != 0 ? low : high,
                      "'buffer_low' (%s) must be less than buffer_high (%s)", low_text, high_text);
}

static void check_dependent_keys(struct config_build *build, const struct config_section *section,
                                 const struct config_route *route)
{
    for (size_t i = 0; i < config_key_count(); i++) {
        const struct config_key *key = config_key_at(i);
        const char *lack = config_meaning_lack(route, key->name);

        if (lack != NULL && section->values[i].line != 0) {
            config_report_add(build->report, section->values[i].line,
                              "'%s' means nothing without %s", key->name, lack);
        }
    }
}

/* What a subprotocol is by its name has to fit the rest: base64 is text that carries a stream. */
static void check_subprotocols(struct config_build *build, const struct config_route *route)
{
    if (route->backend_count == 0 || route->backends[0].kind == CONFIG_BACKEND_ECHO) {
        return;
    }
    for (size_t i = 0; i < route->policy.subprotocol_count; i++) {
        struct span name = route->policy.subprotocols[i];

        if (shape_payload_of(name, SHAPE_BINARY) != SHAPE_BINARY &&
            route->accept == WS_ACCEPT_BINARY) {
            config_report_add(build->report, route->line,
                              "[route %.*s] has the subprotocol %.*s, which is text, but "
                              "accept = binary",
                              CONFIG_SHOW(route->policy.name), CONFIG_SHOW(name));
        }
        if (shape_payload_of(name, SHAPE_BINARY) == SHAPE_BASE64 &&
            route->framing.kind != FRAMING_STREAM) {
            config_report_add(build->report, route->line,
                              "[route %.*s] has the subprotocol base64, which needs "
                              "framing = stream",
                              CONFIG_SHOW(route->policy.name));
        }
    }
}

static void build_backends(struct config_build *build, const struct config_value *value,
                           struct config_route *route)
{
    bool has_echo = false;

    if (value->count > BACKENDS_MAX) {
        config_report_add(build->report, value->last->line, "more than %d backends", BACKENDS_MAX);
    }
    route->backends = config_build_array(build, value->count, sizeof(*route->backends));
    if (route->backends == NULL) {
        return;
    }
    for (const struct config_item *item = value->items; item != NULL; item = item->next) {
        struct config_backend *backend = &route->backends[route->backend_count];
        const char *problem;

        if (!config_value_backend(item->text, backend, &problem)) {
            config_report_add(build->report, item->line, "bad backend '%.*s'; %s",
                              CONFIG_SHOW(item->text), problem);
            continue;
        }
        if (!config_arena_copy(build->texts, backend->host, &backend->host)) {
            config_report_no_memory(build->report);
            return;
        }
        has_echo |= backend->kind == CONFIG_BACKEND_ECHO;
        route->backend_count++;
    }
    if (has_echo && value->count > 1) {
        config_report_add(build->report, value->line, "echo: cannot stand with others");
    }
}

static void build_place(struct config_build *build, const struct config_section *section,
                        struct config_route *route)
{
    const struct config_value *path = config_section_value(section, "path");
    const struct config_value *host = config_section_value(section, "host");
    const char *problem;

    if (path->line == 0) {
        config_report_add(build->report, section->line, "[route %.*s] has no path",
                          CONFIG_SHOW(section->name));
    } else if (path->text.len != 0 && !config_value_path(path->text, &route->policy, &problem)) {
        config_report_add(build->report, path->line, "bad value '%.*s' for 'path'; %s",
                          CONFIG_SHOW(path->text), problem);
        route->policy.path.len = 0;
    }
    if (host->text.len != 0 && !config_value_host(host->text, &route->policy.host, &problem)) {
        config_report_add(build->report, host->line, "bad value '%.*s' for 'host'; %s",
                          CONFIG_SHOW(host->text), problem);
    }
}

static void build_route(struct config_build *build, const struct config_section *section,
                        struct config_route *route)
{
    const struct config_value *backend = config_section_value(section, "backend");

    route->policy.name = section->name;
    route->line = section->line;
    build_common(build, section, route);
    check_buffers(build, section, route);
    build_place(build, section, route);
    if (backend->line == 0) {
        config_report_add(build->report, section->line, "[route %.*s] has no backend",
                          CONFIG_SHOW(section->name));
    } else {
        build_backends(build, backend, route);
        check_dependent_keys(build, section, route);
        check_subprotocols(build, route);
    }
}

static bool is_same_place(const struct policy_route *a, const struct policy_route *b)
{
    return a->is_prefix == b->is_prefix && span_is_equal(a->path, b->path) &&
           span_is_equal(a->host, b->host);
}

static void check_place_is_new(struct config_build *build, const struct config_route *route)
{
    for (size_t i = 0; i < build->config->route_count; i++) {
        const struct config_route *other = &build->config->routes[i];

        if (route->policy.path.len > 0 && is_same_place(&route->policy, &other->policy)) {
            config_report_add(build->report, route->line,
                              "[route %.*s] has the path and host of [route %.*s] (line %u)",
                              CONFIG_SHOW(route->policy.name), CONFIG_SHOW(other->policy.name),
                              other->line);
            return;
        }
    }
}

/* What every route starts from: the table's defaults, the server's deadlines, then [defaults]. */
static void build_base(struct config_build *build, struct config_route *base)
{
    const struct config_key *origins = config_key_find(CONFIG_ROUTE, SPAN_LIT("origins"));
    struct config_item item = {.text = span_from_str(origins->fallback)};
    struct config_value value = {.items = &item, .count = 1};

    config_build_fallbacks(CONFIG_ROUTE, base);
    build_origins(build, &value, &base->policy);
    for (const struct config_section *s = build->draft->sections; s != NULL; s = s->next) {
        if (s->kind == CONFIG_DEFAULTS) {
            build_common(build, s, base);
            check_buffers(build, s, base);
        }
    }
    base->timeouts.tls_ms = build->config->defaults.tls_ms;
    base->timeouts.request_ms = build->config->defaults.request_ms;
    base->timeouts.linger_ms = build->config->defaults.linger_ms;
    build->config->defaults = base->timeouts;
    build->config->is_http_refusal = base->is_http_refusal;
}

void config_build_routes(struct config_build *build)
{
    struct config *config = build->config;
    size_t count = config_build_count(build, CONFIG_ROUTE);
    struct config_route base = {0};

    if (count == 0 && !build->draft->has_lost_section) {
        config_report_add(build->report, 0,
                          "there is no [route NAME] section: every request would be refused");
    }
    build_base(build, &base);
    config->routes = config_build_array(build, count, sizeof(*config->routes));
    config->policies = config_build_array(build, count, sizeof(*config->policies));
    if (config->routes == NULL || config->policies == NULL) {
        return;
    }
    for (const struct config_section *s = build->draft->sections; s != NULL; s = s->next) {
        struct config_route *route = &config->routes[config->route_count];

        if (s->kind != CONFIG_ROUTE) {
            continue;
        }
        *route = base;
        build_route(build, s, route);
        check_place_is_new(build, route);
        config->policies[config->route_count] = route->policy;
        config->route_count++;
    }
}
