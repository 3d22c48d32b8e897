/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a route says of its [auth] sections: which they are, and whether they can be met. */
#include "conf/auth.h"
#include "conf/words.h"

/* Where the route, or [defaults], says it. */
static unsigned line_of(const struct build *build, const struct draft_section *section,
                        const char *key)
{
    unsigned line = draft_value(section, key)->line;

    for (const struct draft_section *s = build->draft->sections; s != NULL && line == 0;
         s = s->next) {
        line = s->kind == KEY_DEFAULTS ? draft_value(s, key)->line : 0;
    }
    return line != 0 ? line : section->line;
}

static const struct config_auth *find_auth(const struct build *build, unsigned line,
                                           struct span name)
{
    const struct config *config = build->config;
    struct span nearest = {NULL, 0};
    size_t distance = SIZE_MAX;

    for (size_t i = 0; i < config->auth_count; i++) {
        if (span_is_equal(config->auths[i].name, name)) {
            return &config->auths[i];
        }
        if (words_is_nearer(name, config->auths[i].name, &distance)) {
            nearest = config->auths[i].name;
        }
    }
    if (nearest.len > 0) {
        report_add(build->report, line, "there is no [auth %.*s]; did you mean '%.*s'?",
                   REPORT_SHOW(name), REPORT_SHOW(nearest));
    } else if (!build->draft->has_lost_section) {
        report_add(build->report, line, "there is no [auth %.*s]", REPORT_SHOW(name));
    }
    return NULL;
}

/* What a client brings one of, and which types want it. */
static const struct {
    const char *noun;
    const char *types;
} credentials[CONFIG_CREDENTIALS] = {
    [CONFIG_TOKEN] = {"token", "of the types jwt and tokens"},
    [CONFIG_PASSWORD] = {"password", "of the type basic"},
    [CONFIG_CERTIFICATE] = {"certificate", "of the type certificate, which may have several names"},
};

/* Two of a kind would both want the one token that a client brings. */
static void check_is_only(struct build *build, unsigned line, const struct config_route *route,
                          const struct config_auth *auth)
{
    for (size_t i = 0; i < route->auth_count; i++) {
        if (route->auths[i]->credential == auth->credential) {
            report_add(build->report, line,
                       "auth names [auth %.*s] and [auth %.*s], and a client brings one %s "
                       "only: a route takes one [auth] %s",
                       REPORT_SHOW(route->auths[i]->name), REPORT_SHOW(auth->name),
                       credentials[auth->credential].noun, credentials[auth->credential].types);
            return;
        }
    }
}

static bool has_place(const struct config_route *route, enum token_place place)
{
    for (size_t i = 0; i < route->auth_from_count; i++) {
        if (route->auth_from[i].place == place) {
            return true;
        }
    }
    return false;
}

static bool wants(const struct config_route *route, enum config_credential credential)
{
    for (size_t i = 0; i < route->auth_count; i++) {
        if (route->auths[i]->credential == credential) {
            return true;
        }
    }
    return false;
}

/* Does each [auth] have a place to look at, and each place an [auth]? */
static void check_places(struct build *build, const struct draft_section *section,
                         const struct config_route *route)
{
    unsigned line = line_of(build, section, "auth_from");
    bool has_basic = has_place(route, TOKEN_BASIC);
    bool has_token_place = route->auth_from_count > (has_basic ? 1 : 0);

    if (wants(route, CONFIG_TOKEN) && !has_token_place) {
        report_add(build->report, route->auth_from_count > 0 ? line : section->line,
                   "[route %.*s] does not say where a token stands: auth_from = subprotocol, "
                   "cookie:NAME, query:NAME, bearer, header:NAME or first_message",
                   REPORT_SHOW(route->policy.name));
    }
    if (!wants(route, CONFIG_TOKEN) && has_token_place) {
        report_add(build->report, line,
                   "auth_from of [route %.*s] is for a token, and none of its [auth] asks for one",
                   REPORT_SHOW(route->policy.name));
    }
    if (has_basic && !wants(route, CONFIG_PASSWORD)) {
        report_add(build->report, line,
                   "auth_from = basic is for a password, and no [auth] of [route %.*s] asks for "
                   "one",
                   REPORT_SHOW(route->policy.name));
    }
    if (has_place(route, TOKEN_FIRST_MESSAGE) && route->is_deflate) {
        report_warn(build->report, line,
                    "[route %.*s] has compression = on and auth_from = first_message: whoever sees "
                    "how long encrypted messages are learns about the token when the page sends it "
                    "beside chosen text",
                    REPORT_SHOW(route->policy.name));
    }
    for (size_t i = 0; i < route->auth_from_count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (route->auth_from[i].place == route->auth_from[k].place &&
                span_is_equal(route->auth_from[i].name, route->auth_from[k].name)) {
                report_add(build->report, line, "auth_from names a place twice");
            }
        }
    }
}

/* A browser sends a cookie whatever page asks for the connection: only `origins` keeps other pages
 * from using it. */
static void check_cookie(struct build *build, const struct draft_section *section,
                         const struct config_route *route)
{
    bool is_open = false;

    for (size_t i = 0; i < route->policy.origin_count; i++) {
        is_open |= route->policy.origins[i].kind == POLICY_ORIGIN_ANY ||
                   route->policy.origins[i].kind == POLICY_ORIGIN_NONE;
    }
    if (is_open && has_place(route, TOKEN_COOKIE)) {
        report_add(build->report, line_of(build, section, "auth_from"),
                   "[route %.*s] takes a cookie and has origins = * or none: a browser sends the "
                   "cookie for every page, so list the pages that may connect",
                   REPORT_SHOW(route->policy.name));
    }
}

/* The listeners alone ask for certificates and trust proxies in front: both comes before anybody
 * knows the route. */
static void check_listeners(struct build *build, const struct draft_section *section,
                            const struct config_route *route)
{
    const struct config *config = build->config;
    bool is_asking = build->draft->has_lost_section;
    bool is_trusting = is_asking;

    for (size_t i = 0; i < config->listen_count; i++) {
        is_asking |= config->listens[i].client_ca_path_count > 0;
        is_trusting |= config->listens[i].trusted_proxy_count > 0;
    }
    if (!is_trusting && has_place(route, TOKEN_HEADER)) {
        report_add(
            build->report, line_of(build, section, "auth_from"),
            "[route %.*s] takes a token from a header of a trusted proxy, and no [listen] has "
            "trusted_proxies",
            REPORT_SHOW(route->policy.name));
    }
    if (!is_asking && wants(route, CONFIG_CERTIFICATE)) {
        report_add(build->report, line_of(build, section, "auth"),
                   "[route %.*s] wants a certificate of the client, and no [listen] asks for one: "
                   "tls_client_ca",
                   REPORT_SHOW(route->policy.name));
    }
}

/* So it does with a password that it knows. Programs have no cookie of other pages. */
static void check_password(struct build *build, const struct draft_section *section,
                           const struct config_route *route)
{
    bool is_open = false;

    for (size_t i = 0; i < route->policy.origin_count; i++) {
        is_open |= route->policy.origins[i].kind == POLICY_ORIGIN_ANY;
    }
    if (is_open && wants(route, CONFIG_PASSWORD)) {
        report_warn(build->report, line_of(build, section, "auth"),
                    "[route %.*s] asks for a password and has origins = *: a browser that knows "
                    "the password sends it for every page, so list the pages that may connect",
                    REPORT_SHOW(route->policy.name));
    }
}

void auth_of_route(struct build *build, const struct draft_section *section,
                   struct config_route *route)
{
    unsigned line = line_of(build, section, "auth");

    route->auth_count = 0;
    route->auths = build_array(build, route->auth_name_count, sizeof(*route->auths));
    if (route->auths == NULL || route->auth_name_count == 0) {
        return;
    }
    for (size_t i = 0; i < route->auth_name_count; i++) {
        const struct config_auth *auth = find_auth(build, line, route->auth_names[i]);

        if (auth != NULL) {
            check_is_only(build, line, route, auth);
            route->auths[route->auth_count++] = auth;
        }
    }
    check_places(build, section, route);
    check_cookie(build, section, route);
    check_listeners(build, section, route);
    check_password(build, section, route);
}
