/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/follow.h"

#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define APART_MS 64 /* two processes that heard the same answer ask again so far apart at most */

enum { IPV6 = 0, IPV4, FAMILIES };

struct set {
    struct addr list[FOLLOW_ADDRS_MAX];
    size_t count;
};

/* What the question under way has found. */
struct finding {
    enum resolver_status status[FAMILIES];
    struct set set[FAMILIES];
};

struct follow {
    struct reactor *reactor;
    struct resolver *resolver;
    struct resolver_query *query; /* NULL: none is under way */
    struct resolver_watcher watcher;
    struct reactor_timer timer;
    struct finding *finding; /* NULL: no question is under way */
    uint64_t empty_since_ms; /* the answers say since then that there is nobody; 0 = they do not */
    uint64_t asked_ms;
    uint64_t hold_ms;
    bool is_known;
    bool is_stopped;
    bool is_changed; /* a file, since the question that is under way was asked */
    uint16_t port;
    follow_fn *callback;
    void *owner;
    struct set set;
    char host[];
};

/* --- sets ------------------------------------------------------------------------------------ */

static bool is_in(const struct set *set, const struct addr *a)
{
    for (size_t i = 0; i < set->count; i++) {
        if (addr_is_equal(&set->list[i], a)) {
            return true;
        }
    }
    return false;
}

static void add(struct set *set, const struct addr *a)
{
    if (set->count < FOLLOW_ADDRS_MAX && !is_in(set, a)) {
        set->list[set->count++] = *a;
    }
}

static bool is_of(const struct addr *a, size_t family)
{
    return (a->u.sa.sa_family == AF_INET6) == (family == IPV6);
}

/* Does what is known of a family stand, though the answer may not have it? */
static bool is_kept(const struct finding *found, size_t family)
{
    return found->status[family] > RESOLVER_NO_ADDRESS ||
           found->set[family].count == RESOLVER_ADDRS_MAX;
}

/* Those that stay, in their order. Returns how many have left. */
static size_t keep(struct set *set, const struct finding *found)
{
    size_t kept = 0;
    size_t before = set->count;
    for (size_t i = 0; i < before; i++) {
        size_t family = is_of(&set->list[i], IPV6) ? IPV6 : IPV4;
        if (is_kept(found, family) || is_in(&found->set[family], &set->list[i])) {
            set->list[kept++] = set->list[i];
        }
    }
    set->count = kept;
    return before - kept;
}

/* True: the set is another one now. */
static bool merge(struct set *set, const struct finding *found)
{
    size_t left = keep(set, found);
    size_t before = set->count;
    for (size_t family = 0; family < FAMILIES; family++) {
        for (size_t i = 0; i < found->set[family].count; i++) {
            add(set, &found->set[family].list[i]);
        }
    }
    return left > 0 || set->count > before;
}

/* --- asking ---------------------------------------------------------------------------------- */

/* Each process has its own, and each name. */
static uint64_t apart_ms(const struct follow *f)
{
    uint64_t x = ((uint64_t)(uintptr_t)f >> 4) + f->asked_ms + ((uint64_t)getpid() << 32);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    return (x ^ (x >> 27)) % APART_MS;
}

static bool is_nobody(const struct finding *found)
{
    return found->status[IPV6] != RESOLVER_OK && found->status[IPV4] != RESOLVER_OK &&
           found->status[IPV6] <= RESOLVER_NO_ADDRESS && found->status[IPV4] <= RESOLVER_NO_ADDRESS;
}

/* True: the answer says that there is nobody, and that may be a moment's. */
static bool is_held(struct follow *f)
{
    uint64_t now_ms = reactor_now_ms(f->reactor);
    if (!is_nobody(f->finding)) {
        f->empty_since_ms = 0;
        return false;
    }
    f->empty_since_ms = f->empty_since_ms != 0 ? f->empty_since_ms : now_ms;
    return f->set.count > 0 && now_ms - f->empty_since_ms < f->hold_ms;
}

static void drop_finding(struct follow *f)
{
    mem_free(f->finding);
    f->finding = NULL;
    f->query = NULL;
}

static void on_answer(void *owner, const struct resolver_answer *answer)
{
    struct follow *f = owner;
    size_t family = answer->is_ipv6 ? IPV6 : IPV4;
    f->finding->status[family] = answer->status;
    for (size_t i = 0; i < answer->count; i++) {
        add(&f->finding->set[family], &answer->addrs[i]);
    }
    if (!answer->is_last) {
        return;
    }
    bool is_first = !f->is_known;
    bool is_new = !is_held(f) && merge(&f->set, f->finding);
    f->is_known = f->is_known || f->set.count > 0 || is_nobody(f->finding);
    drop_finding(f);
    uint64_t again_ms = f->is_changed ? reactor_now_ms(f->reactor) : answer->again_ms;
    uint64_t least_ms = f->asked_ms + resolver_kept_min_ms(f->resolver);
    again_ms = again_ms > least_ms ? again_ms : least_ms;
    reactor_timer_at(&f->timer, again_ms + apart_ms(f));
    if (is_new || (is_first && f->is_known)) {
        f->callback(f->owner);
    }
}

static void ask(struct follow *f)
{
    f->asked_ms = reactor_now_ms(f->reactor);
    f->finding = mem_alloc_zero(sizeof(*f->finding));
    if (f->finding != NULL) {
        f->query = resolver_start(f->resolver, f->host, f->port, on_answer, f);
    }
    f->is_changed = false; /* a change that was seen in there is in the answer */
    reactor_timer_stop(&f->timer);
    if (f->query == NULL) {
        drop_finding(f);
        reactor_timer_at(&f->timer, f->asked_ms + resolver_kept_min_ms(f->resolver));
    }
}

static void on_timer(struct reactor_timer *timer)
{
    ask(container_of(timer, struct follow, timer));
}

/* --- life ------------------------------------------------------------------------------------ */

/* The resolver asks anew by itself what is under way; what it finds before it knows of the change
 * may be old. */
static void on_change(struct resolver_watcher *watcher)
{
    struct follow *f = container_of(watcher, struct follow, watcher);
    f->is_changed = true;
    if (f->query == NULL) {
        reactor_timer_at(&f->timer, reactor_now_ms(f->reactor) + apart_ms(f));
    }
}

struct follow *follow_new(struct reactor *reactor, struct resolver *resolver, const char *host,
                          uint16_t port, follow_fn *callback, void *owner)
{
    size_t size = strlen(host) + 1;
    struct follow *f = mem_alloc_zero(sizeof(*f) + size);
    if (f == NULL) {
        return NULL;
    }
    memcpy(f->host, host, size);
    f->reactor = reactor;
    f->resolver = resolver;
    f->port = port;
    f->callback = callback;
    f->owner = owner;
    f->hold_ms = FOLLOW_HOLD_MS;
    f->watcher.on_change = on_change;
    resolver_watch(resolver, &f->watcher);
    reactor_timer_init(&f->timer, reactor, on_timer);
    reactor_timer_at(&f->timer, reactor_now_ms(reactor));
    return f;
}

void follow_stop(struct follow *follow)
{
    if (!follow->is_stopped) {
        follow->is_stopped = true;
        if (follow->query != NULL) {
            resolver_cancel(follow->query);
        }
        drop_finding(follow);
        reactor_timer_stop(&follow->timer);
        resolver_unwatch(&follow->watcher);
    }
}

void follow_free(struct follow *follow)
{
    if (follow != NULL) {
        follow_stop(follow);
        mem_free(follow);
    }
}

const struct addr *follow_addrs(const struct follow *follow, size_t *out_count)
{
    *out_count = follow->set.count;
    return follow->set.list;
}

bool follow_is_known(const struct follow *follow)
{
    return follow->is_known;
}

void follow_doubt(struct follow *follow)
{
    uint64_t now_ms = reactor_now_ms(follow->reactor);
    uint64_t least_ms = follow->asked_ms + resolver_kept_min_ms(follow->resolver);
    if (!follow->is_stopped && follow->query == NULL && follow->is_known) {
        resolver_doubt(follow->resolver, follow->host);
        reactor_timer_at(&follow->timer, now_ms > least_ms ? now_ms : least_ms);
    }
}

void follow_set_hold(struct follow *follow, uint64_t ms)
{
    follow->hold_ms = ms;
}

uint64_t follow_now_ms(const struct follow *follow)
{
    return reactor_now_ms(follow->reactor);
}
