/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/checks.h"

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/follow.h"
#include "proto/proxy_header.h"

#define FIRST_WITHIN_MS 1000 /* the first checks, however long the interval is */

/* One backend of a route, or one address of a set. */
struct check {
    struct list kin;    /* an address: in `members` */
    struct addr member; /* len 0: the backend as a whole */
    struct checks *checks;
    const struct config_route *route;
    size_t index;
    struct reactor_timer timer;
    struct list link; /* in `waiting`; unlinked: it does not wait */
    bool is_waiting;
    struct probe *probe; /* NULL: none is under way */
    uint64_t due_ms;     /* 0: not yet known */
    struct checks_run run;
};

struct checks {
    struct checks_world world;
    const struct config *config;
    struct upstream *upstream;
    uint64_t chance; /* the last one */
    size_t under_way;
    bool is_running;
    struct list waiting; /* due, and CHECKS_AT_ONCE_MAX are under way */
    struct list members; /* addresses of sets; each frees itself when it has left its set */
    size_t count;
    struct check list[];
};

/* --- the arithmetic -------------------------------------------------------------------------- */

enum checks_verdict checks_count(struct checks_run *run, bool is_bad, uint64_t fall, uint64_t rise)
{
    uint64_t wanted = is_bad ? fall : rise;
    if (run->is_bad != is_bad) {
        *run = (struct checks_run){.is_bad = is_bad};
    }
    run->count += run->count < wanted ? 1 : 0;
    if (run->count < wanted) {
        return CHECKS_NONE;
    }
    return is_bad ? CHECKS_DOWN : CHECKS_UP;
}

uint64_t checks_next_ms(uint64_t at_ms, uint64_t interval_ms, uint64_t chance)
{
    uint64_t tenth = interval_ms / 10;
    return at_ms + interval_ms - tenth + chance % (2 * tenth + 1);
}

bool checks_is_duty(const struct scoreboard *board, size_t slot)
{
    for (size_t i = 0; i < slot; i++) {
        if (scoreboard_is_up(board, i)) {
            return false;
        }
    }
    return scoreboard_is_up(board, slot);
}

/* splitmix64 */
static uint64_t next_chance(struct checks *c)
{
    c->chance += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t x = c->chance;
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* --- one check ------------------------------------------------------------------------------- */

static void arm(struct check *k, uint64_t at_ms)
{
    k->due_ms = at_ms;
    reactor_timer_at(&k->timer, at_ms);
}

static void arm_next(struct check *k)
{
    uint64_t now_ms = reactor_now_ms(k->checks->world.reactor);
    arm(k, checks_next_ms(now_ms, k->route->checks.interval_ms, next_chance(k->checks)));
}

/* Who reads what is wrong before a verdict reads at debug. */
static void log_bad(const struct check *k, const struct probe_outcome *outcome)
{
    struct log_line line;
    if (!log_is_on(LOG_DEBUG)) {
        return;
    }
    log_begin(&line, LOG_DEBUG, "check.failed");
    log_text(&line, "route", k->route->policy.name);
    log_text(&line, "backend", k->route->backends[k->index].text);
    if (k->member.len > 0) {
        char text[ADDR_TEXT_MAX];
        addr_print(&k->member, text, sizeof(text));
        log_str(&line, "address", text);
    }
    log_str(&line, "detail", outcome->detail);
    log_end(&line);
}

static void count_for_monitoring(const struct check *k, bool is_bad)
{
    const struct seat *seat = k->checks->world.seat;
    if (seat != NULL) {
        struct seat_backend *backend = seat_backend(seat, k->route, k->index);
        seat_add(&backend->checks[is_bad ? SEAT_CHECK_BAD : SEAT_CHECK_GOOD], 1);
    }
}

static void take_outcome(struct check *k, const struct probe_outcome *outcome)
{
    const struct config_checks *how = &k->route->checks;
    bool is_bad = outcome->result != PROBE_GOOD;
    if (is_bad) {
        log_bad(k, outcome);
    }
    if (outcome->result == PROBE_NO_WORD) {
        return;
    }
    count_for_monitoring(k, is_bad);
    uint64_t now_ms = reactor_now_ms(k->checks->world.reactor);
    struct upstream *upstream = k->checks->upstream;
    if (checks_count(&k->run, is_bad, how->fall, how->rise) == CHECKS_NONE) {
        return;
    }
    if (k->member.len > 0) {
        upstream_member_note_check(upstream, k->route, k->index, &k->member, !is_bad,
                                   outcome->detail, now_ms);
    } else {
        upstream_note_check(upstream, k->route, k->index, !is_bad, outcome->detail, now_ms);
    }
}

static void start_waiting(struct checks *c);

static void on_probed(void *owner, const struct probe_outcome *outcome)
{
    struct check *k = owner;
    struct checks *c = k->checks;
    k->probe = NULL;
    c->under_way--;
    take_outcome(k, outcome);
    /* The interval counts from the beginning of the check; a check longer than that delays the next
     * one. */
    uint64_t now_ms = reactor_now_ms(c->world.reactor);
    reactor_timer_at(&k->timer, k->due_ms > now_ms ? k->due_ms : now_ms);
    start_waiting(c);
}

static struct dial_candidate candidate_of(const struct check *k)
{
    struct dial_candidate candidate = backend_tls_candidate(k->checks->world.backend_tls, k->route,
                                                            &k->route->backends[k->index]);
    if (k->member.len > 0) {
        candidate.host = NULL;
        candidate.addresses = &k->member;
        candidate.address_count = 1;
    }
    return candidate;
}

/* A check speaks for nobody, as HAProxy's does: LOCAL in version 2, UNKNOWN in version 1. */
static struct span introduction(const struct config_route *route, uint8_t *out, size_t size)
{
    const struct proxy_header header = {
        .version = (enum proxy_header_version)route->proxy_out,
        .kind = PROXY_HEADER_LOCAL,
    };
    size_t len = route->proxy_out != CONFIG_PROXY_OFF ? proxy_header_write(&header, out, size) : 0;
    return (struct span){(const char *)out, len};
}

static void begin(struct check *k)
{
    struct checks *c = k->checks;
    uint8_t header[PROXY_HEADER_V1_BYTES_MAX];
    const struct config_checks *how = &k->route->checks;
    const struct probe_plan plan = {
        .candidate = candidate_of(k),
        .preamble = introduction(k->route, header, sizeof(header)),
        .send = how->send,
        .expect = how->expect,
        .timeout_ms = how->timeout_ms,
    };
    arm_next(k);
    k->probe =
        probe_start(c->world.reactor, c->world.resolver, c->world.scratch, &plan, on_probed, k);
    if (k->probe != NULL) {
        c->under_way++;
        reactor_timer_stop(&k->timer); /* until this one has ended */
    }
}

/* Those whose turn has come while this worker had the duty. */
static void start_waiting(struct checks *c)
{
    while (c->under_way < CHECKS_AT_ONCE_MAX && !list_is_empty(&c->waiting)) {
        struct check *k = container_of(list_take_first(&c->waiting), struct check, link);
        k->is_waiting = false;
        begin(k);
    }
}

/* --- addresses of sets ----------------------------------------------------------------------- */

static bool is_in_set(const struct check *k, size_t *out_at)
{
    const struct addr *addr;
    for (size_t i = 0;
         (addr = upstream_set_addr(k->checks->upstream, k->route, k->index, i)) != NULL; i++) {
        if (addr_is_equal(addr, &k->member)) {
            *out_at = i;
            return true;
        }
    }
    return false;
}

static void stop_check(struct check *k)
{
    reactor_timer_stop(&k->timer);
    list_unlink(&k->link);
    k->is_waiting = false;
    if (k->probe != NULL) {
        probe_cancel(k->probe);
        k->probe = NULL;
        k->checks->under_way--;
    }
}

static void free_member(struct check *k)
{
    stop_check(k);
    list_unlink(&k->kin);
    mem_free(k);
}

static void on_timer(struct reactor_timer *timer);

static void init_check(struct check *k, struct checks *c, const struct config_route *route,
                       size_t index)
{
    k->checks = c;
    k->route = route;
    k->index = index;
    list_init(&k->link);
    list_init(&k->kin);
    reactor_timer_init(&k->timer, c->world.reactor, on_timer);
}

static void add_member(struct check *name, const struct addr *addr)
{
    struct checks *c = name->checks;
    struct check *k = mem_alloc_zero(sizeof(*k));
    uint64_t interval_ms = name->route->checks.interval_ms;
    uint64_t within_ms = interval_ms < FIRST_WITHIN_MS ? interval_ms : FIRST_WITHIN_MS;
    if (k != NULL) {
        init_check(k, c, name->route, name->index);
        k->member = *addr;
        list_append(&c->members, &k->kin);
        arm(k, reactor_now_ms(c->world.reactor) + next_chance(c) % within_ms);
    }
}

/* Each address of the set has a check. */
static void add_members(struct check *name, size_t count)
{
    struct checks *c = name->checks;
    bool has_check[FOLLOW_ADDRS_MAX] = {false};
    for (struct list *l = c->members.next; l != &c->members; l = l->next) {
        const struct check *k = container_of(l, struct check, kin);
        size_t at = 0;
        if (k->route == name->route && k->index == name->index && is_in_set(k, &at)) {
            has_check[at] = true;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (!has_check[i]) {
            add_member(name, upstream_set_addr(c->upstream, name->route, name->index, i));
        }
    }
}

/* --- clocks ---------------------------------------------------------------------------------- */

static void on_timer(struct reactor_timer *timer)
{
    struct check *k = container_of(timer, struct check, timer);
    struct checks *c = k->checks;
    size_t at = 0;
    if (k->member.len > 0 && !is_in_set(k, &at)) {
        free_member(k);
        return;
    }
    size_t count = k->member.len > 0 ? 0 : upstream_set_count(c->upstream, k->route, k->index);
    if (count > 0) {
        add_members(k, count);
        arm_next(k);
        return;
    }
    if (!checks_is_duty(c->world.scoreboard, c->world.slot)) {
        k->run = (struct checks_run){.count = 0};
        arm_next(k);
        return;
    }
    k->is_waiting = true;
    list_append(&c->waiting, &k->link);
    start_waiting(c);
}

/* --- life ------------------------------------------------------------------------------------ */

static bool is_echo(const struct config_route *route)
{
    return route->backend_count > 0 && route->backends[0].kind == CONFIG_BACKEND_ECHO;
}

static bool is_checked(const struct config_route *route)
{
    return route->checks.interval_ms > 0 && !is_echo(route);
}

static size_t count_checked(const struct config *config)
{
    size_t count = 0;
    for (size_t i = 0; i < config->route_count; i++) {
        count += is_checked(&config->routes[i]) ? config->routes[i].backend_count : 0;
    }
    return count;
}

static bool is_name(const struct config_backend *backend)
{
    return backend->kind == CONFIG_BACKEND_TCP && !backend->is_literal;
}

size_t checks_descriptors(const struct config *config)
{
    size_t count = 0;
    for (size_t i = 0; i < config->route_count; i++) {
        const struct config_route *route = &config->routes[i];
        for (size_t k = 0; is_checked(route) && k < route->backend_count; k++) {
            count += is_name(&route->backends[k]) ? FOLLOW_ADDRS_MAX : 1;
        }
    }
    return size_min(count, CHECKS_AT_ONCE_MAX);
}

static void add_route(struct checks *c, const struct config_route *route)
{
    for (size_t i = 0; i < route->backend_count; i++) {
        init_check(&c->list[c->count++], c, route, i);
    }
}

struct checks *checks_new(const struct checks_world *world, const struct config *config,
                          struct upstream *upstream)
{
    struct checks *c = mem_alloc_zero(sizeof(*c) + count_checked(config) * sizeof(struct check));
    if (c == NULL) {
        return NULL;
    }
    c->world = *world;
    c->config = config;
    c->upstream = upstream;
    c->chance = world->seed;
    list_init(&c->waiting);
    list_init(&c->members);
    for (size_t i = 0; i < config->route_count; i++) {
        if (is_checked(&config->routes[i])) {
            add_route(c, &config->routes[i]);
        }
    }
    return c;
}

void checks_free(struct checks *checks)
{
    if (checks != NULL) {
        checks_stop(checks);
        mem_free(checks);
    }
}

static bool is_same_backend(const struct check *a, const struct check *b)
{
    return span_is_equal(a->route->policy.name, b->route->policy.name) &&
           span_is_equal(a->route->backends[a->index].text, b->route->backends[b->index].text);
}

void checks_inherit(struct checks *checks, const struct checks *before)
{
    for (size_t i = 0; i < checks->count; i++) {
        struct check *k = &checks->list[i];
        for (size_t n = 0; n < before->count; n++) {
            const struct check *old = &before->list[(i + n) % before->count];
            if (is_same_backend(k, old)) {
                k->run = old->run;
                /* One that is under way, or in line, begins anew. */
                k->due_ms = old->probe != NULL || old->is_waiting ? 1 : old->due_ms;
                break;
            }
        }
    }
}

static void drop_unchecked(struct checks *c)
{
    uint64_t now_ms = reactor_now_ms(c->world.reactor);
    for (size_t i = 0; i < c->config->route_count; i++) {
        const struct config_route *route = &c->config->routes[i];
        bool is_dropped = !is_checked(route) && !is_echo(route);
        for (size_t k = 0; is_dropped && k < route->backend_count; k++) {
            upstream_drop_checks(c->upstream, route, k, now_ms);
        }
    }
}

void checks_start(struct checks *checks)
{
    uint64_t now_ms = reactor_now_ms(checks->world.reactor);
    drop_unchecked(checks);
    checks->is_running = true;
    for (size_t i = 0; i < checks->count; i++) {
        struct check *k = &checks->list[i];
        uint64_t interval_ms = k->route->checks.interval_ms;
        uint64_t within_ms = interval_ms < FIRST_WITHIN_MS ? interval_ms : FIRST_WITHIN_MS;
        uint64_t first_ms = now_ms + next_chance(checks) % within_ms;
        /* A shorter interval takes effect now. */
        bool is_known = k->due_ms != 0 && k->due_ms <= now_ms + interval_ms + interval_ms / 10;
        arm(k, is_known ? k->due_ms : first_ms);
    }
}

void checks_stop(struct checks *checks)
{
    for (size_t i = 0; checks->is_running && i < checks->count; i++) {
        stop_check(&checks->list[i]);
    }
    while (!list_is_empty(&checks->members)) {
        free_member(container_of(checks->members.next, struct check, kin));
    }
    checks->is_running = false;
}
