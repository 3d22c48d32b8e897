/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/backend_tls.h"

#include <assert.h>

#include "base/mem.h"

struct backend_tls {
    size_t owners;
    const struct config *config;
    struct tls_context *contexts[]; /* one for each route; NULL where no backend is tls:// */
};

static bool are_protocols_same(const struct config_backend_tls *a,
                               const struct config_backend_tls *b)
{
    bool is_same = a->protocol_count == b->protocol_count;

    for (size_t i = 0; is_same && i < a->protocol_count; i++) {
        is_same = span_is_equal(a->protocols[i], b->protocols[i]);
    }
    return is_same;
}

/* The context of one is good for the other; the name is each session's own. */
static bool is_same(const struct config_backend_tls *a, const struct config_backend_tls *b)
{
    return a->is_verified == b->is_verified && a->is_trust_system == b->is_trust_system &&
           span_is_equal(a->trust, b->trust) &&
           span_is_equal(a->pair.certificate, b->pair.certificate) &&
           span_is_equal(a->pair.key, b->pair.key) && are_protocols_same(a, b);
}

static struct tls_context *make(const struct config_backend_tls *rules, const char **out_detail)
{
    const struct tls_pair pair = {rules->pair.certificate, rules->pair.key};
    const struct tls_settings settings = {
        .role = TLS_CLIENT,
        .min_version = TLS_1_2,
        .pairs = &pair,
        .pair_count = pair.certificate.len > 0 ? 1 : 0,
        .protocols = rules->protocols,
        .protocol_count = rules->protocol_count,
        .trust = rules->trust,
        .is_trust_lenient = rules->is_trust_system,
        .verify = rules->is_verified ? TLS_VERIFY_REQUIRED : TLS_VERIFY_OFF,
    };
    return tls_context_new(&settings, out_detail);
}

static struct tls_context *share_or_make(const struct backend_tls *all, size_t route,
                                         const char **out_detail)
{
    const struct config_route *routes = all->config->routes;

    for (size_t i = 0; i < route; i++) {
        if (all->contexts[i] != NULL &&
            is_same(&routes[i].backend_tls, &routes[route].backend_tls)) {
            tls_context_share(all->contexts[i]);
            return all->contexts[i];
        }
    }
    return make(&routes[route].backend_tls, out_detail);
}

struct backend_tls *backend_tls_new(const struct config *config, const char **out_detail)
{
    struct backend_tls *all =
        mem_alloc_zero(sizeof(*all) + config->route_count * sizeof(all->contexts[0]));
    if (all == NULL) {
        *out_detail = "out of memory";
        return NULL;
    }
    all->owners = 1;
    all->config = config;
    for (size_t i = 0; i < config->route_count; i++) {
        if (!config->routes[i].needs_backend_tls) {
            continue;
        }
        all->contexts[i] = share_or_make(all, i, out_detail);
        if (all->contexts[i] == NULL) {
            backend_tls_free(all);
            return NULL;
        }
    }
    return all;
}

struct backend_tls *backend_tls_share(struct backend_tls *backend_tls)
{
    if (backend_tls != NULL) {
        backend_tls->owners++;
    }
    return backend_tls;
}

void backend_tls_free(struct backend_tls *backend_tls)
{
    if (backend_tls == NULL || --backend_tls->owners > 0) {
        return;
    }
    for (size_t i = 0; i < backend_tls->config->route_count; i++) {
        tls_context_free(backend_tls->contexts[i]);
    }
    mem_free(backend_tls);
}

struct tls_context *backend_tls_context(const struct backend_tls *backend_tls,
                                        const struct config_route *route)
{
    return backend_tls != NULL ? backend_tls->contexts[route - backend_tls->config->routes] : NULL;
}

struct span backend_tls_name(const struct config_route *route, struct span host)
{
    return route->backend_tls.name.len > 0 ? route->backend_tls.name : host;
}

void backend_tls_ask_for(const struct backend_tls *backend_tls, const struct config_route *route,
                         struct span host, struct span place, struct dial_candidate *candidate)
{
    candidate->tls = backend_tls_context(backend_tls, route);
    candidate->tls_name = backend_tls_name(route, host);
    candidate->tls_place = place;
    assert(candidate->tls != NULL);
}

struct dial_candidate backend_tls_candidate(const struct backend_tls *backend_tls,
                                            const struct config_route *route,
                                            const struct config_backend *backend)
{
    struct dial_candidate candidate = {.addresses = &backend->address, .address_count = 1};

    if (backend->kind == CONFIG_BACKEND_TCP && !backend->is_literal) {
        candidate = (struct dial_candidate){.host = backend->host.data, .port = backend->port};
    }
    if (backend->is_tls) {
        backend_tls_ask_for(backend_tls, route, backend->host, backend->text, &candidate);
    }
    return candidate;
}
