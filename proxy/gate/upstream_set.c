/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names with many addresses: each address is a member of the set that the name stands for. */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/change.h"
#include "gate/upstream_parts.h"
#include "io/net.h"

struct upstream_set *upstream_find_set(struct upstream *u, const struct config_route *route,
                                       size_t index)
{
    struct upstream_backend *own = u != NULL ? upstream_own(u, route, index) : NULL;
    return own != NULL && own->set != NULL && own->set->count > 0 ? own->set : NULL;
}

struct seat_fitness *upstream_member_fitness(struct upstream *u, struct upstream_member *m,
                                             uint64_t now_ms)
{
    struct seat_fitness *shared =
        u->seat != NULL ? seat_member_fitness(u->seat, m->id, now_ms) : NULL;
    return shared != NULL ? shared : &m->own;
}

/* --- who belongs to it ----------------------------------------------------------------------- */

static bool is_reachable(const struct addr *a)
{
    struct addr from;
    return net_source_addr(a, &from);
}

/* The family that counts, and how many it has. IPv6 comes first among equals. */
static int pick_family(const struct addr *addrs, size_t count, size_t *out_count)
{
    static const int families[] = {AF_INET6, AF_INET};
    size_t counts[2] = {0, 0};
    bool reached[2] = {false, false};
    for (size_t i = 0; i < count; i++) {
        size_t f = addrs[i].u.sa.sa_family == AF_INET6 ? 0 : 1;
        reached[f] = counts[f] == 0 ? is_reachable(&addrs[i]) : reached[f];
        counts[f]++;
    }
    size_t best = counts[0] >= counts[1] ? 0 : 1;
    if (!reached[best] && reached[1 - best]) {
        best = 1 - best;
    }
    *out_count = counts[best];
    return families[best];
}

static struct upstream_member *find_addr(const struct upstream_set *set, const struct addr *a)
{
    for (size_t i = 0; i < set->count; i++) {
        if (addr_is_equal(&set->members[i].addr, a)) {
            return &set->members[i];
        }
    }
    return NULL;
}

static struct upstream_member make_member(const struct upstream_set *set, const struct addr *a)
{
    char text[ADDR_TEXT_MAX];
    addr_print(a, text, sizeof(text));
    uint64_t key = balance_key(span_from_str(text));
    uint64_t id = balance_key(set->route->policy.name) * UINT64_C(0x9e3779b97f4a7c15);
    id = (id ^ balance_key(set->route->backends[set->index].text)) * UINT64_C(0xbf58476d1ce4e5b9);
    id = (id ^ key) * UINT64_C(0x94d049bb133111eb);
    return (struct upstream_member){.addr = *a, .key = key, .id = id != 0 ? id : 1};
}

/* A server that has just come begins slowly, unless somebody knows something of it already. */
static void start_slowly(const struct upstream_set *set, struct upstream_member *m, uint64_t now_ms)
{
    struct seat_fitness *f = upstream_member_fitness(set->upstream, m, now_ms);
    uint64_t word = 0;
    if (set->route->slow_start_ms > 0) {
        uint64_t slow = fitness_check(fitness_check(0, false, now_ms), true, now_ms);
        (void)!atomic_compare_exchange_strong(&f->word, &word, slow);
    }
}

static void take_addrs(struct upstream_set *set, const struct addr *addrs, size_t count, int family,
                       size_t wanted, uint64_t now_ms)
{
    struct upstream_member *members = wanted > 1 ? mem_alloc_zero(wanted * sizeof(*members)) : NULL;
    size_t taken = 0;
    for (size_t i = 0; members != NULL && i < count && taken < wanted; i++) {
        const struct upstream_member *old = find_addr(set, &addrs[i]);
        if (addrs[i].u.sa.sa_family != family) {
            continue;
        }
        members[taken] = old != NULL ? *old : make_member(set, &addrs[i]);
        if (old == NULL && set->is_known) {
            start_slowly(set, &members[taken], now_ms);
        }
        taken++;
    }
    mem_free(set->members);
    set->members = members;
    set->count = taken;
}

/* Each worker follows for itself, so this is no news for people. */
static void log_set(const struct upstream_set *set)
{
    struct log_line line;
    if (!log_is_on(LOG_DEBUG)) {
        return;
    }
    log_begin(&line, LOG_DEBUG, "backend.addresses");
    log_text(&line, "route", set->route->policy.name);
    log_text(&line, "backend", set->route->backends[set->index].text);
    log_u64(&line, "count", set->count);
    log_end(&line);
}

static void on_addrs(void *owner)
{
    struct upstream_set *set = owner;
    size_t count = 0;
    size_t wanted = 0;
    const struct addr *addrs = follow_addrs(set->follow, &count);
    int family = pick_family(addrs, count, &wanted);
    take_addrs(set, addrs, count, family, wanted, follow_now_ms(set->follow));
    set->is_known = true;
    log_set(set);
}

/* --- life ------------------------------------------------------------------------------------ */

static struct upstream_set *make_set(struct upstream *u, const struct config_route *route,
                                     size_t index, struct reactor *reactor,
                                     struct resolver *resolver)
{
    const struct config_backend *backend = &route->backends[index];
    struct upstream_set *set = mem_alloc_zero(sizeof(*set));
    if (set == NULL) {
        return NULL;
    }
    *set = (struct upstream_set){.upstream = u, .route = route, .index = index};
    set->follow = follow_new(reactor, resolver, backend->host.data, backend->port, on_addrs, set);
    if (set->follow == NULL) {
        mem_free(set);
        return NULL;
    }
    return set;
}

void upstream_follow(struct upstream *upstream, struct reactor *reactor, struct resolver *resolver)
{
    const struct config *config = upstream->config;
    for (size_t i = 0; i < config->route_count; i++) {
        const struct config_route *route = &config->routes[i];
        for (size_t k = 0; k < route->backend_count; k++) {
            struct upstream_backend *own = upstream_own(upstream, route, k);
            const struct config_backend *backend = &route->backends[k];
            if (own->set == NULL && backend->kind == CONFIG_BACKEND_TCP && !backend->is_literal) {
                own->set = make_set(upstream, route, k, reactor, resolver);
            }
        }
    }
}

void upstream_unfollow(struct upstream *upstream)
{
    for (size_t i = 0; upstream->backends != NULL && i < upstream->count; i++) {
        struct upstream_set *set = upstream->backends[i].set;
        if (set != NULL) {
            follow_free(set->follow);
            mem_free(set->members);
            mem_free(set);
            upstream->backends[i].set = NULL;
        }
    }
}

size_t upstream_set_count(struct upstream *upstream, const struct config_route *route, size_t index)
{
    const struct upstream_set *set = upstream_find_set(upstream, route, index);
    return set != NULL ? set->count : 0;
}

const struct addr *upstream_set_addr(struct upstream *upstream, const struct config_route *route,
                                     size_t index, size_t at)
{
    const struct upstream_set *set = upstream_find_set(upstream, route, index);
    return set != NULL && at < set->count ? &set->members[at].addr : NULL;
}

bool upstream_show_address(struct upstream *upstream, struct span route, struct span backend,
                           size_t at, uint64_t now_ms, size_t *hint, struct upstream_address *out)
{
    const struct config *config = upstream->config;
    size_t row = change_find_route(config, route, *hint);
    if (row == config->route_count) {
        return false;
    }
    *hint = row;
    for (size_t i = 0; i < config->routes[row].backend_count; i++) {
        const struct config_route *of = &config->routes[row];
        struct upstream_set *set = upstream_find_set(upstream, of, i);
        if (set != NULL && at < set->count && span_is_equal(of->backends[i].text, backend)) {
            struct upstream_member *m = &set->members[at];
            const struct seat_fitness *f = upstream_member_fitness(upstream, m, now_ms);
            *out = (struct upstream_address){
                .addr = m->addr,
                .state = seat_fitness_state(f, of->slow_start_ms, now_ms),
                .at_ms = seat_get(&f->at_ms),
            };
            seat_fitness_detail(f, out->detail);
            return true;
        }
    }
    return false;
}
