/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/upstream.h"

#include "base/log.h"
#include "base/mem.h"
#include "conf/change.h"

#define STEADY_MS \
    60000 /* the next change of a backend that was steady for so long is told at once */
#define PAUSE_MIN_MS 250

struct backend {
    bool is_down;           /* as the last dial found it */
    bool is_told_down;      /* as the log knows it */
    uint64_t changed_at_ms; /* when is_down changed last */
    uint64_t told_at_ms;
    uint64_t untold;   /* changes that the log has not heard of */
    uint64_t pause_ms; /* after told_at_ms: what changes meanwhile is told by a later dial */
};

struct upstream {
    const struct config *config;
    size_t *first; /* of each route, in `backends` */
    struct backend *backends;
};

struct upstream *upstream_new(const struct config *config)
{
    struct upstream *u = mem_alloc_zero(sizeof(*u));
    size_t count = 0;
    if (u == NULL) {
        return NULL;
    }
    u->config = config;
    u->first = mem_alloc_zero((config->route_count + 1) * sizeof(*u->first));
    for (size_t i = 0; u->first != NULL && i < config->route_count; i++) {
        u->first[i] = count;
        count += config->routes[i].backend_count;
    }
    u->backends = mem_alloc_zero((count + 1) * sizeof(*u->backends));
    if (u->first == NULL || u->backends == NULL) {
        upstream_free(u);
        return NULL;
    }
    return u;
}

void upstream_free(struct upstream *upstream)
{
    if (upstream != NULL) {
        mem_free(upstream->first);
        mem_free(upstream->backends);
        mem_free(upstream);
    }
}

static void inherit_route(struct upstream *u, size_t route, const struct upstream *before,
                          size_t from)
{
    const struct config_route *now = &u->config->routes[route];
    const struct config_route *then = &before->config->routes[from];
    for (size_t i = 0; i < now->backend_count; i++) {
        for (size_t k = 0; k < then->backend_count; k++) {
            if (span_is_equal(now->backends[i].text, then->backends[k].text)) {
                u->backends[u->first[route] + i] = before->backends[before->first[from] + k];
            }
        }
    }
}

void upstream_inherit(struct upstream *upstream, const struct upstream *before)
{
    for (size_t i = 0; i < upstream->config->route_count; i++) {
        size_t from = change_find_route(before->config, upstream->config->routes[i].policy.name, i);
        if (from < before->config->route_count) {
            inherit_route(upstream, i, before, from);
        }
    }
}

static void tell(const struct config_route *route, size_t index, const struct dial_outcome *outcome,
                 uint64_t untold)
{
    struct log_line line;
    /* Both at warn: who reads only warnings must also learn that one is over. */
    log_begin(&line, LOG_WARN, outcome->result != DIAL_OK ? "backend.down" : "backend.up");
    log_text(&line, "route", route->policy.name);
    log_text(&line, "backend", route->backends[index].text);
    if (outcome->detail != NULL) {
        log_str(&line, "detail", outcome->detail);
    }
    if (untold > 0) {
        log_u64(&line, "suppressed", untold);
    }
    log_end(&line);
}

bool upstream_is_word(enum dial_result result)
{
    return result != DIAL_NO_MEMORY && result != DIAL_EXHAUSTED;
}

void upstream_note(struct upstream *upstream, const struct config_route *route, size_t index,
                   const struct dial_outcome *outcome, uint64_t now_ms)
{
    size_t first = upstream->first[route - upstream->config->routes];
    struct backend *b = &upstream->backends[first + index];
    bool is_down = outcome->result != DIAL_OK;

    if (!upstream_is_word(outcome->result)) {
        return;
    }
    if (is_down != b->is_down) {
        bool was_steady = now_ms - b->changed_at_ms >= STEADY_MS;
        b->pause_ms = was_steady ? 0 : b->pause_ms;
        b->is_down = is_down;
        b->untold++;
        b->changed_at_ms = now_ms;
    }
    if (is_down != b->is_told_down && now_ms - b->told_at_ms >= b->pause_ms) {
        uint64_t longer_ms = b->pause_ms * 2 + PAUSE_MIN_MS;
        b->pause_ms = longer_ms < STEADY_MS ? longer_ms : STEADY_MS;
        b->told_at_ms = now_ms;
        b->is_told_down = is_down;
        tell(route, index, outcome, b->untold - 1);
        b->untold = 0;
    }
}

void upstream_note_check(struct upstream *upstream, const struct config_route *route, size_t index,
                         bool is_good, const char *detail, uint64_t now_ms)
{
    const struct dial_outcome outcome = {is_good ? DIAL_OK : DIAL_REFUSED, detail};
    upstream_note(upstream, route, index, &outcome, now_ms);
}

void upstream_drop_checks(struct upstream *upstream, const struct config_route *route, size_t index,
                          uint64_t now_ms)
{
    (void)upstream;
    (void)route;
    (void)index;
    (void)now_ms;
}
