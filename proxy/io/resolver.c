/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names: who waits for which, what is kept, what is asked next. */
#include "io/resolver.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "io/resolver_parts.h"

#define CHECK_FILES_MS 1000

struct resolver {
    struct reactor *reactor;
    struct list names; /* the one used last is the last one */
    size_t name_count;
    size_t asking_count; /* names that are being looked up */
    struct resolver_system system;
    struct resolver_files files;
    uint64_t check_files_at_ms;
    uint64_t second_ms;         /* 1000, but in tests */
    struct reactor_timer watch; /* looks at the files for names that are looked up, and watchers */
    struct list watchers;
};

/* What is known of one family of a name. */
struct answer {
    bool is_known;
    enum resolver_status status;
    struct resolver_addrs addrs;
};

enum name_state { NAME_UNKNOWN = 0, NAME_ASKING, NAME_KNOWN };

struct resolver_name {
    struct list link;
    struct resolver *resolver;
    struct list queries;
    enum name_state state;
    bool is_found; /* some family has addresses: the search is over */
    struct answer answers[RESOLVER_FAMILIES];
    uint64_t known_at_ms; /* with NAME_KNOWN */
    uint64_t expires_ms;
    uint64_t again_ms; /* as in struct resolver_answer */

    /* With NAME_ASKING. */
    struct resolver_search search;
    size_t search_index; /* of the next name to ask for */
    struct resolver_question questions[RESOLVER_FAMILIES];
    struct reactor_timer deadline;
    char text[];
};

struct resolver_query {
    struct list link;
    struct resolver_name *name;
    struct reactor_timer timer; /* delivers from the loop */
    resolver_fn *callback;
    void *owner;
    uint16_t port;
    bool is_told[RESOLVER_FAMILIES];
};

static const enum resolver_source sources[RESOLVER_FAMILIES] = {RESOLVER_IPV6, RESOLVER_IPV4};

/* --- telling ------------------------------------------------------------------------------- */

/* A family without addresses counts only at the end of the search. */
static bool can_tell(const struct resolver_name *name, size_t family)
{
    return name->answers[family].is_known && (name->is_found || name->state == NAME_KNOWN);
}

static void tell_soon(struct resolver_query *q)
{
    for (size_t i = 0; i < RESOLVER_FAMILIES; i++) {
        if (!q->is_told[i] && can_tell(q->name, i)) {
            reactor_timer_at(&q->timer, reactor_now_ms(q->name->resolver->reactor));
        }
    }
}

static void tell_all(struct resolver_name *name)
{
    for (struct list *l = name->queries.next; l != &name->queries; l = l->next) {
        tell_soon(container_of(l, struct resolver_query, link));
    }
}

static void free_query(struct resolver_query *q)
{
    reactor_timer_stop(&q->timer);
    list_unlink(&q->link);
    mem_free(q);
}

static void tell(struct resolver_query *q, size_t family)
{
    const struct answer *known = &q->name->answers[family];
    resolver_fn *callback = q->callback;
    void *owner = q->owner;
    struct addr addrs[RESOLVER_ADDRS_MAX];

    q->is_told[family] = true;
    const struct resolver_answer answer = {
        .status = known->status,
        .is_ipv6 = family == RESOLVER_FAMILY_6,
        .is_last = q->is_told[RESOLVER_FAMILY_6] && q->is_told[RESOLVER_FAMILY_4],
        .addrs = addrs,
        .count = known->addrs.count,
        .again_ms = q->name->again_ms,
    };
    resolver_addrs_copy(&known->addrs, q->port, addrs);
    if (answer.is_last) {
        free_query(q);
    } else {
        tell_soon(q);
    }
    callback(owner, &answer);
}

static void on_query_timer(struct reactor_timer *timer)
{
    struct resolver_query *q = container_of(timer, struct resolver_query, timer);
    for (size_t i = 0; i < RESOLVER_FAMILIES; i++) {
        if (!q->is_told[i] && can_tell(q->name, i)) {
            tell(q, i);
            return;
        }
    }
}

/* --- looking a name up --------------------------------------------------------------------- */

static void forget_answers(struct resolver_name *name)
{
    for (size_t i = 0; i < RESOLVER_FAMILIES; i++) {
        mem_free(name->answers[i].addrs.list);
        name->answers[i] = (struct answer){.is_known = false};
    }
    name->is_found = false;
    name->expires_ms = 0;
}

static void stop_asking(struct resolver_name *name)
{
    for (size_t i = 0; i < RESOLVER_FAMILIES; i++) {
        resolver_question_stop(&name->questions[i]);
    }
    reactor_timer_stop(&name->deadline);
}

static bool is_exhausted(const struct resolver_name *name)
{
    return name->answers[RESOLVER_FAMILY_6].status == RESOLVER_EXHAUSTED ||
           name->answers[RESOLVER_FAMILY_4].status == RESOLVER_EXHAUSTED;
}

static uint64_t least_ttl_ms(const struct resolver_name *name)
{
    uint64_t least_ms = UINT64_MAX;
    for (size_t i = 0; i < RESOLVER_FAMILIES; i++) {
        if (name->answers[i].status == RESOLVER_OK && name->questions[i].ttl_ms < least_ms) {
            least_ms = name->questions[i].ttl_ms;
        }
    }
    return least_ms;
}

/* The lookup is over. A family that failed beside a good one is as good as absent for as long. */
static void conclude(struct resolver_name *name, uint64_t ttl_ms)
{
    uint64_t kept_ms = ttl_ms < RESOLVER_KEPT_MIN_MS   ? RESOLVER_KEPT_MIN_MS
                       : ttl_ms > RESOLVER_KEPT_MAX_MS ? RESOLVER_KEPT_MAX_MS
                                                       : ttl_ms;
    bool is_of_file = name->questions[0].source == RESOLVER_HOSTS_FILE && name->is_found;
    if (is_exhausted(name)) {
        kept_ms = 0;
    } else if (!name->is_found) {
        kept_ms = RESOLVER_FAILURE_KEPT_MS;
    }
    stop_asking(name);
    name->resolver->asking_count--;
    name->state = NAME_KNOWN;
    name->known_at_ms = reactor_now_ms(name->resolver->reactor);
    name->expires_ms = name->known_at_ms + resolver_hasten(&name->resolver->system, kept_ms);
    kept_ms = is_of_file ? RESOLVER_KEPT_MAX_MS : kept_ms;
    name->again_ms = name->known_at_ms + resolver_hasten(&name->resolver->system, kept_ms);
    tell_all(name);
}

static void fail(struct resolver_name *name, enum resolver_status status)
{
    for (size_t i = 0; i < RESOLVER_FAMILIES; i++) {
        if (!name->answers[i].is_known) {
            name->answers[i].is_known = true;
            name->answers[i].status = status;
        }
    }
    conclude(name, least_ttl_ms(name));
}

/* Asks for the next name of the search. False: there is none. */
static bool ask_next(struct resolver_name *name)
{
    char text[RESOLVER_NAME_TEXT_MAX];
    do {
        if (!resolver_search_name(&name->search, name->text, name->search_index++, text)) {
            return false;
        }
    } while (text[0] == '\0');
    for (size_t i = 0; i < RESOLVER_FAMILIES; i++) {
        name->answers[i].is_known = false;
        resolver_question_ask(&name->questions[i], &name->resolver->system, sources[i], text);
    }
    return true;
}

/* The search goes on when both families say that there is nothing. A name server that merely failed
 * may know the name, so a later name would be another host. */
static bool may_go_on(const struct resolver_name *name)
{
    return name->answers[RESOLVER_FAMILY_6].status <= RESOLVER_NO_ADDRESS &&
           name->answers[RESOLVER_FAMILY_4].status <= RESOLVER_NO_ADDRESS;
}

static void take(struct resolver_name *name, size_t family, struct resolver_question *q)
{
    struct answer *a = &name->answers[family];
    enum resolver_status status =
        q->status == RESOLVER_OK && q->addrs[family].count == 0 ? RESOLVER_NO_ADDRESS : q->status;

    /* Of the names that were searched, the one that exists says more. */
    a->status = status == RESOLVER_OK || status > a->status ? status : a->status;
    a->is_known = true;
    a->addrs = q->addrs[family];
    q->addrs[family] = (struct resolver_addrs){.list = NULL};
    name->is_found = name->is_found || status == RESOLVER_OK;
}

static void on_hosts_done(struct resolver_name *name, struct resolver_question *q)
{
    enum resolver_status status = q->status;
    if (status == RESOLVER_OK) {
        take(name, RESOLVER_FAMILY_6, q);
        take(name, RESOLVER_FAMILY_4, q);
        conclude(name, 0);
        return;
    }
    if (status != RESOLVER_EXHAUSTED && resolver_files_is_gone(&name->resolver->files)) {
        return; /* until it is back, or until the deadline */
    }
    if (status != RESOLVER_EXHAUSTED && status != RESOLVER_NO_SERVERS) {
        status = resolver_search_read(&name->search, &name->resolver->system);
    }
    if (status != RESOLVER_OK) {
        fail(name, status);
    } else if (!ask_next(name)) {
        fail(name, RESOLVER_NO_NAME);
    }
}

static void on_done(struct resolver_question *q)
{
    struct resolver_name *name = q->owner;
    if (q->source == RESOLVER_HOSTS_FILE) {
        on_hosts_done(name, q);
        return;
    }
    take(name, q->source == RESOLVER_IPV6 ? RESOLVER_FAMILY_6 : RESOLVER_FAMILY_4, q);
    if (!name->answers[RESOLVER_FAMILY_6].is_known || !name->answers[RESOLVER_FAMILY_4].is_known) {
        tell_all(name);
    } else if (name->is_found || !may_go_on(name) || !ask_next(name)) {
        conclude(name, least_ttl_ms(name));
    }
}

static void on_deadline(struct reactor_timer *timer)
{
    struct resolver_name *name = container_of(timer, struct resolver_name, deadline);
    if (resolver_files_is_gone(&name->resolver->files)) {
        resolver_files_give_up(&name->resolver->files);
    }
    fail(name, RESOLVER_SILENT);
}

static void ask(struct resolver_name *name)
{
    struct resolver *resolver = name->resolver;
    uint64_t now_ms = reactor_now_ms(resolver->reactor);

    forget_answers(name);
    name->search_index = 0;
    reactor_timer_at(&name->deadline, now_ms + RESOLVER_DEADLINE_MS);
    resolver_question_ask(&name->questions[0], &resolver->system, RESOLVER_HOSTS_FILE, name->text);
    if (name->state != NAME_ASKING) {
        name->state = NAME_ASKING;
        if (resolver->asking_count++ == 0) {
            reactor_timer_at(&resolver->watch, now_ms + CHECK_FILES_MS);
        }
    }
}

/* --- the system's files -------------------------------------------------------------------- */

static void check_files(struct resolver *resolver)
{
    uint64_t now_ms = reactor_now_ms(resolver->reactor);
    if (now_ms < resolver->check_files_at_ms) {
        return;
    }
    resolver->check_files_at_ms = now_ms + CHECK_FILES_MS;
    if (!resolver_files_check(&resolver->files)) {
        return;
    }
    for (struct list *l = resolver->names.next; l != &resolver->names; l = l->next) {
        struct resolver_name *name = container_of(l, struct resolver_name, link);
        name->expires_ms = 0;
        if (name->state == NAME_ASKING) {
            stop_asking(name);
            ask(name);
        }
    }
    for (struct list *l = resolver->watchers.next; l != &resolver->watchers; l = l->next) {
        struct resolver_watcher *watcher = container_of(l, struct resolver_watcher, link);
        watcher->on_change(watcher);
    }
}

static void on_watch(struct reactor_timer *timer)
{
    struct resolver *resolver = container_of(timer, struct resolver, watch);
    check_files(resolver);
    if (resolver->asking_count > 0 || !list_is_empty(&resolver->watchers)) {
        reactor_timer_at(timer, reactor_now_ms(resolver->reactor) + CHECK_FILES_MS);
    }
}

/* --- names --------------------------------------------------------------------------------- */

static void free_name(struct resolver_name *name)
{
    stop_asking(name);
    forget_answers(name);
    while (!list_is_empty(&name->queries)) {
        free_query(container_of(name->queries.next, struct resolver_query, link));
    }
    list_unlink(&name->link);
    name->resolver->name_count--;
    mem_free(name);
}

/* Forgets the names that nobody has asked for the longest, until there is room for one more. Names
 * that somebody waits for stay: they are no more than those who wait. */
static void make_room(struct resolver *resolver)
{
    struct list *l = resolver->names.next;
    while (l != &resolver->names && resolver->name_count >= RESOLVER_NAMES_MAX) {
        struct resolver_name *name = container_of(l, struct resolver_name, link);
        l = l->next;
        if (name->state != NAME_ASKING && list_is_empty(&name->queries)) {
            free_name(name);
        }
    }
}

static struct resolver_name *find_name(struct resolver *resolver, const char *text)
{
    for (struct list *l = resolver->names.next; l != &resolver->names; l = l->next) {
        struct resolver_name *name = container_of(l, struct resolver_name, link);
        if (strcasecmp(name->text, text) == 0) {
            return name;
        }
    }
    return NULL;
}

static struct resolver_name *make_name(struct resolver *resolver, const char *text)
{
    size_t size = strlen(text) + 1;
    make_room(resolver);
    struct resolver_name *name = mem_alloc_zero(sizeof(*name) + size);
    if (name == NULL) {
        return NULL;
    }
    memcpy(name->text, text, size);
    name->resolver = resolver;
    list_init(&name->link);
    list_init(&name->queries);
    reactor_timer_init(&name->deadline, resolver->reactor, on_deadline);
    for (size_t i = 0; i < RESOLVER_FAMILIES; i++) {
        resolver_question_init(&name->questions[i], resolver->reactor, on_done, name);
    }
    list_append(&resolver->names, &name->link);
    resolver->name_count++;
    return name;
}

/* --- life ---------------------------------------------------------------------------------- */

struct resolver *resolver_new(struct reactor *r)
{
    struct resolver *resolver = mem_alloc_zero(sizeof(*resolver));
    if (resolver == NULL) {
        return NULL;
    }
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
        mem_free(resolver);
        return NULL;
    }
    resolver->reactor = r;
    resolver->system.second_ms = 1000;
    list_init(&resolver->names);
    list_init(&resolver->watchers);
    reactor_timer_init(&resolver->watch, r, on_watch);
    resolver->files.paths[RESOLVER_RESOLV_CONF] = RESOLVER_RESOLV_CONF_PATH;
    resolver->files.paths[RESOLVER_HOSTS] = RESOLVER_HOSTS_PATH;
    (void)resolver_files_check(&resolver->files);
    /* In c-ares both override resolv.conf. */
    unsetenv("LOCALDOMAIN");
    unsetenv("RES_OPTIONS");
    return resolver;
}

void resolver_free(struct resolver *resolver)
{
    if (resolver == NULL) {
        return;
    }
    while (!list_is_empty(&resolver->names)) {
        free_name(container_of(resolver->names.next, struct resolver_name, link));
    }
    ares_library_cleanup();
    reactor_timer_stop(&resolver->watch);
    mem_free(resolver);
}

struct resolver_system *resolver_own_system(struct resolver *resolver)
{
    return &resolver->system;
}

struct resolver_files *resolver_own_files(struct resolver *resolver)
{
    return &resolver->files;
}

struct resolver_query *resolver_start(struct resolver *resolver, const char *name, uint16_t port,
                                      resolver_fn *callback, void *owner)
{
    check_files(resolver);
    struct resolver_name *n = find_name(resolver, name);
    struct resolver_query *q = mem_alloc(sizeof(*q));
    if (n == NULL && q != NULL) {
        n = make_name(resolver, name);
    }
    if (n == NULL || q == NULL) {
        mem_free(q);
        return NULL;
    }
    *q = (struct resolver_query){.name = n, .callback = callback, .owner = owner, .port = port};
    list_append(&n->queries, &q->link);
    reactor_timer_init(&q->timer, resolver->reactor, on_query_timer);
    list_unlink(&n->link); /* it is the one used last */
    list_append(&resolver->names, &n->link);
    bool is_fresh = n->state == NAME_KNOWN && reactor_now_ms(resolver->reactor) < n->expires_ms;
    if (n->state != NAME_ASKING && !is_fresh) {
        ask(n);
    }
    tell_soon(q);
    return q;
}

void resolver_cancel(struct resolver_query *query)
{
    free_query(query);
}

void resolver_doubt(struct resolver *resolver, const char *name)
{
    struct resolver_name *n = find_name(resolver, name);
    uint64_t now_ms = reactor_now_ms(resolver->reactor);
    if (n != NULL && n->state == NAME_KNOWN &&
        now_ms - n->known_at_ms >= resolver_kept_min_ms(resolver)) {
        n->expires_ms = 0;
    }
}

void resolver_watch(struct resolver *resolver, struct resolver_watcher *watcher)
{
    list_init(&watcher->link);
    list_append(&resolver->watchers, &watcher->link);
    reactor_timer_at(&resolver->watch, reactor_now_ms(resolver->reactor) + CHECK_FILES_MS);
}

void resolver_unwatch(struct resolver_watcher *watcher)
{
    list_unlink(&watcher->link);
}
