/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/resolver.h"

#include <ares.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "base/mem.h"

/* c-ares gives one silent server up after 2 to 3 seconds: the second try waits twice as long, and
 * c-ares of Debian 13 (1.34) takes up to half of that away at random. So a dial has time left when
 * one of the two questions (A, AAAA) gets no answer. */
#define TRY_MS 1000
#define TRIES 2
/* Over all servers and search domains; c-ares itself has no such limit. */
#define QUERY_DEADLINE_MS 5000

struct resolver {
    struct reactor *reactor;
    ares_channel channel;
    struct reactor_timer timer; /* c-ares's next timeout */
    struct list queries;
    struct list sockets;
};

/* One of c-ares's sockets. */
struct resolver_socket {
    struct list link;
    struct resolver *resolver;
    struct reactor_io io;
    int fd;
};

/* A query belongs to c-ares until on_answer, and to the caller until the callback or
 * resolver_cancel. It lives until both are over. */
struct resolver_query {
    struct list link;
    struct resolver *resolver;
    struct reactor_timer timer; /* the deadline; then, the delivery from the loop */
    resolver_fn *callback;      /* NULL: cancelled or called */
    void *owner;
    uint16_t port;
    bool is_with_cares;
    size_t count;
    struct addr addrs[RESOLVER_ADDRS_MAX];
};

/* --- c-ares on the loop -------------------------------------------------------------------- */

static void arm(struct resolver *resolver)
{
    struct timeval left;
    if (ares_timeout(resolver->channel, NULL, &left) == NULL) {
        reactor_timer_stop(&resolver->timer);
        return;
    }
    /* One millisecond more than the truncated value: a timer that rings too early rings twice. */
    uint64_t left_ms = (uint64_t)left.tv_sec * 1000U + (uint64_t)left.tv_usec / 1000U + 1U;
    reactor_timer_at(&resolver->timer, reactor_now_ms(resolver->reactor) + left_ms);
}

static void on_timeout(struct reactor_timer *timer)
{
    struct resolver *resolver = container_of(timer, struct resolver, timer);
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    arm(resolver);
}

static void on_socket_ready(struct reactor_io *io, unsigned ready)
{
    struct resolver_socket *s = container_of(io, struct resolver_socket, io);
    struct resolver *resolver = s->resolver;
    int fd = s->fd;
    /* c-ares may close the socket in this call, and then `s` is gone. */
    ares_process_fd(resolver->channel, (ready & REACTOR_READ) != 0 ? fd : ARES_SOCKET_BAD,
                    (ready & REACTOR_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
    arm(resolver);
}

static struct resolver_socket *find_socket(struct resolver *resolver, int fd)
{
    for (struct list *l = resolver->sockets.next; l != &resolver->sockets; l = l->next) {
        struct resolver_socket *s = container_of(l, struct resolver_socket, link);
        if (s->fd == fd) {
            return s;
        }
    }
    return NULL;
}

/* c-ares calls this before it closes a socket too, with both flags 0. */
static void on_socket_state(void *data, ares_socket_t fd, int is_readable, int is_writable)
{
    struct resolver *resolver = data;
    struct resolver_socket *s = find_socket(resolver, fd);
    unsigned want = is_readable != 0 ? REACTOR_READ : 0;
    want |= is_writable != 0 ? REACTOR_WRITE : 0;
    if (s == NULL) {
        s = want == 0 ? NULL : mem_alloc(sizeof(*s));
        if (s == NULL) {
            /* Out of memory: nobody listens, and the query ends by its timeouts. */
            return;
        }
        *s = (struct resolver_socket){.resolver = resolver, .fd = fd};
        list_append(&resolver->sockets, &s->link);
        reactor_io_init(&s->io, resolver->reactor, fd, on_socket_ready);
    }
    reactor_io_want(&s->io, want);
    if (want == 0) {
        list_unlink(&s->link);
        mem_free(s);
    }
}

/* --- answers ------------------------------------------------------------------------------- */

static void free_query(struct resolver_query *q)
{
    reactor_timer_stop(&q->timer);
    list_unlink(&q->link);
    mem_free(q);
}

static bool set_port(struct addr *a, uint16_t port)
{
    switch (a->u.sa.sa_family) {
    case AF_INET:
        a->u.in.sin_port = htons(port);
        return true;
    case AF_INET6:
        a->u.in6.sin6_port = htons(port);
        return true;
    default:
        return false;
    }
}

struct family {
    struct addr addrs[RESOLVER_ADDRS_MAX];
    size_t count;
};

static void family_add(struct family *f, const struct addr *a)
{
    for (size_t i = 0; i < f->count; i++) {
        if (addr_is_equal(&f->addrs[i], a)) {
            return;
        }
    }
    if (f->count < RESOLVER_ADDRS_MAX) {
        f->addrs[f->count++] = *a;
    }
}

/* c-ares has sorted the nodes by RFC 6724, so the family of the first is the system's choice. */
static void keep_answer(struct resolver_query *q, const struct ares_addrinfo *info)
{
    struct family families[2] = {{.count = 0}, {.count = 0}};
    int first_family = AF_UNSPEC;
    for (const struct ares_addrinfo_node *n = info->nodes; n != NULL; n = n->ai_next) {
        struct addr a;
        addr_from_sockaddr(n->ai_addr, n->ai_addrlen, &a);
        if (a.len == 0 || !set_port(&a, q->port)) {
            continue;
        }
        if (first_family == AF_UNSPEC) {
            first_family = a.u.sa.sa_family;
        }
        family_add(&families[a.u.sa.sa_family == first_family ? 0 : 1], &a);
    }
    for (size_t i = 0; i < RESOLVER_ADDRS_MAX; i++) {
        for (size_t f = 0; f < 2; f++) {
            if (i < families[f].count && q->count < RESOLVER_ADDRS_MAX) {
                q->addrs[q->count++] = families[f].addrs[i];
            }
        }
    }
}

/* c-ares calls this, sometimes inside resolver_start. The caller must not act on the answer in
 * here, so the timer delivers it. */
static void on_answer(void *data, int status, int timeouts, struct ares_addrinfo *info)
{
    (void)timeouts;
    struct resolver_query *q = data;
    q->is_with_cares = false;
    if (status == ARES_SUCCESS && info != NULL && q->callback != NULL) {
        keep_answer(q, info);
    }
    if (info != NULL) {
        ares_freeaddrinfo(info);
    }
    if (q->callback == NULL) {
        free_query(q);
        return;
    }
    reactor_timer_at(&q->timer, reactor_now_ms(q->resolver->reactor));
}

static void on_query_timer(struct reactor_timer *timer)
{
    struct resolver_query *q = container_of(timer, struct resolver_query, timer);
    resolver_fn *callback = q->callback;
    void *owner = q->owner;
    size_t count = q->count;
    struct addr addrs[RESOLVER_ADDRS_MAX];
    memcpy(addrs, q->addrs, count * sizeof(addrs[0]));
    q->callback = NULL;
    if (!q->is_with_cares) {
        free_query(q);
    }
    callback(owner, addrs, count);
}

/* --- life ---------------------------------------------------------------------------------- */

struct resolver *resolver_new(struct reactor *r)
{
    struct resolver *resolver = mem_alloc_zero(sizeof(*resolver));
    if (resolver == NULL) {
        return NULL;
    }
    resolver->reactor = r;
    list_init(&resolver->queries);
    list_init(&resolver->sockets);
    reactor_timer_init(&resolver->timer, r, on_timeout);
    /* In c-ares both override resolv.conf. ARES_FLAG_NOALIASES switches HOSTALIASES off, and c-ares
     * reads CARES_HOSTS only on request. */
    unsetenv("LOCALDOMAIN");
    unsetenv("RES_OPTIONS");
    struct ares_options options = {
        .flags = ARES_FLAG_NOALIASES,
        .timeout = TRY_MS,
        .tries = TRIES,
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = resolver,
    };
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
        mem_free(resolver);
        return NULL;
    }
    if (ares_init_options(&resolver->channel, &options, mask) != ARES_SUCCESS) {
        ares_library_cleanup();
        mem_free(resolver);
        return NULL;
    }
    return resolver;
}

void resolver_free(struct resolver *resolver)
{
    if (resolver == NULL) {
        return;
    }
    for (struct list *l = resolver->queries.next; l != &resolver->queries; l = l->next) {
        container_of(l, struct resolver_query, link)->callback = NULL;
    }
    /* c-ares calls on_answer for each query that it still has. */
    ares_destroy(resolver->channel);
    ares_library_cleanup();
    while (!list_is_empty(&resolver->queries)) {
        free_query(container_of(resolver->queries.next, struct resolver_query, link));
    }
    reactor_timer_stop(&resolver->timer);
    mem_free(resolver);
}

bool resolver_set_servers(struct resolver *resolver, const char *csv)
{
    /* c-ares of Debian 12 (1.18) refuses this by itself, that of Debian 13 does not. */
    if (!list_is_empty(&resolver->queries)) {
        return false;
    }
    return ares_set_servers_ports_csv(resolver->channel, csv) == ARES_SUCCESS;
}

struct resolver_query *resolver_start(struct resolver *resolver, const char *name, uint16_t port,
                                      resolver_fn *callback, void *owner)
{
    struct resolver_query *q = mem_alloc(sizeof(*q));
    if (q == NULL) {
        return NULL;
    }
    q->resolver = resolver;
    q->callback = callback;
    q->owner = owner;
    q->port = port;
    q->count = 0;
    q->is_with_cares = true;
    list_init(&q->link);
    list_append(&resolver->queries, &q->link);
    reactor_timer_init(&q->timer, resolver->reactor, on_query_timer);
    reactor_timer_at(&q->timer, reactor_now_ms(resolver->reactor) + QUERY_DEADLINE_MS);
    /* Without ARES_AI_ADDRCONFIG c-ares finds localhost where there is nothing but loopback. */
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    ares_getaddrinfo(resolver->channel, name, NULL, &hints, on_answer, q);
    arm(resolver);
    return q;
}

void resolver_cancel(struct resolver_query *query)
{
    query->callback = NULL;
    reactor_timer_stop(&query->timer);
    if (!query->is_with_cares) {
        free_query(query);
    }
}
