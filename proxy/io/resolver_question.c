/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One question of the resolver: c-ares on the loop. */
#include <string.h>
#include <sys/time.h>

#include "base/mem.h"
#include "io/net.h"
#include "io/resolver_parts.h"

/* One of c-ares's sockets. */
struct resolver_socket {
    struct list link;
    struct resolver_question *question;
    struct reactor_io io;
};

/* --- c-ares on the loop -------------------------------------------------------------------- */

static void close_socket(struct resolver_socket *s)
{
    reactor_io_want(&s->io, 0);
    list_unlink(&s->link);
    mem_free(s);
}

static void close_channel(struct resolver_question *q)
{
    reactor_timer_stop(&q->timer);
    if (q->channel != NULL) {
        q->is_answered = true; /* c-ares calls on_answer for a question that it still has */
        ares_destroy(q->channel);
        q->channel = NULL;
    }
    while (!list_is_empty(&q->sockets)) {
        close_socket(container_of(q->sockets.next, struct resolver_socket, link));
    }
}

/* After each call of c-ares from the loop. */
static void go_on(struct resolver_question *q)
{
    struct timeval left;
    if (q->is_answered) {
        close_channel(q);
        q->on_done(q);
        return;
    }
    if (ares_timeout(q->channel, NULL, &left) == NULL) {
        reactor_timer_stop(&q->timer);
        return;
    }
    /* One millisecond more than the truncated value: a timer that rings too early rings twice. */
    uint64_t left_ms = (uint64_t)left.tv_sec * 1000U + (uint64_t)left.tv_usec / 1000U + 1U;
    reactor_timer_at(&q->timer, reactor_now_ms(q->reactor) + left_ms);
}

static void on_timeout(struct reactor_timer *timer)
{
    struct resolver_question *q = container_of(timer, struct resolver_question, timer);
    if (!q->is_answered) {
        ares_process_fd(q->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    }
    go_on(q);
}

static void on_socket_ready(struct reactor_io *io, unsigned ready)
{
    struct resolver_socket *s = container_of(io, struct resolver_socket, io);
    struct resolver_question *q = s->question;
    int fd = reactor_io_fd(io);
    q->has_heard = q->has_heard || net_has_bytes(fd);
    /* c-ares may close the socket in this call, and then `s` is gone. */
    ares_process_fd(q->channel, (ready & REACTOR_READ) != 0 ? fd : ARES_SOCKET_BAD,
                    (ready & REACTOR_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
    go_on(q);
}

static struct resolver_socket *find_socket(struct resolver_question *q, int fd)
{
    for (struct list *l = q->sockets.next; l != &q->sockets; l = l->next) {
        struct resolver_socket *s = container_of(l, struct resolver_socket, link);
        if (reactor_io_fd(&s->io) == fd) {
            return s;
        }
    }
    return NULL;
}

/* c-ares calls this before it closes a socket too, with both flags 0. */
static void on_socket_state(void *data, ares_socket_t fd, int is_readable, int is_writable)
{
    struct resolver_question *q = data;
    struct resolver_socket *s = find_socket(q, fd);
    unsigned want = is_readable != 0 ? REACTOR_READ : 0;
    want |= is_writable != 0 ? REACTOR_WRITE : 0;
    if (want == 0) {
        if (s != NULL) {
            close_socket(s);
        }
        return;
    }
    if (s == NULL) {
        s = mem_alloc(sizeof(*s));
        if (s == NULL) {
            /* Nobody listens, and the question ends by its timeouts. */
            return;
        }
        s->question = q;
        list_init(&s->link);
        list_append(&q->sockets, &s->link);
        reactor_io_init(&s->io, q->reactor, fd, on_socket_ready);
    }
    reactor_io_want(&s->io, want);
}

/* --- answers ------------------------------------------------------------------------------- */

static bool is_in(const struct resolver_addrs *addrs, const struct addr *a)
{
    for (size_t i = 0; i < addrs->count; i++) {
        if (addr_is_equal(&addrs->list[i], a)) {
            return true;
        }
    }
    return false;
}

static bool add(struct resolver_addrs *addrs, const struct addr *a)
{
    if (addrs->count == RESOLVER_ADDRS_MAX || is_in(addrs, a)) {
        return true;
    }
    struct addr *list = mem_resize(addrs->list, (addrs->count + 1) * sizeof(*list));
    if (list == NULL) {
        return false;
    }
    list[addrs->count] = *a;
    *addrs = (struct resolver_addrs){list, addrs->count + 1};
    return true;
}

void resolver_addrs_copy(const struct resolver_addrs *addrs, uint16_t port, struct addr *out)
{
    for (size_t i = 0; i < addrs->count; i++) {
        out[i] = addrs->list[i];
        if (out[i].u.sa.sa_family == AF_INET6) {
            out[i].u.in6.sin6_port = htons(port);
        } else {
            out[i].u.in.sin_port = htons(port);
        }
    }
}

static void lower_ttl(struct resolver_question *q, int ttl_s)
{
    uint64_t ttl_ms = ttl_s > 0 ? (uint64_t)ttl_s * 1000U : 0;
    q->ttl_ms = ttl_ms < q->ttl_ms ? ttl_ms : q->ttl_ms;
}

static enum resolver_status keep_answer(struct resolver_question *q,
                                        const struct ares_addrinfo *info)
{
    q->ttl_ms = UINT64_MAX;
    for (const struct ares_addrinfo_cname *c = info->cnames; c != NULL; c = c->next) {
        lower_ttl(q, c->ttl);
    }
    for (const struct ares_addrinfo_node *n = info->nodes; n != NULL; n = n->ai_next) {
        struct addr a;
        addr_from_sockaddr(n->ai_addr, n->ai_addrlen, &a);
        if (a.len == 0) {
            continue;
        }
        lower_ttl(q, n->ai_ttl);
        bool is_ipv6 = a.u.sa.sa_family == AF_INET6;
        if (!add(&q->addrs[is_ipv6 ? RESOLVER_FAMILY_6 : RESOLVER_FAMILY_4], &a)) {
            return RESOLVER_EXHAUSTED;
        }
    }
    bool has_any = q->addrs[RESOLVER_FAMILY_6].count + q->addrs[RESOLVER_FAMILY_4].count > 0;
    return has_any ? RESOLVER_OK : RESOLVER_NO_ADDRESS;
}

static enum resolver_status failure(const struct resolver_question *q, int status)
{
    const char *detail = NULL;
    switch (status) {
    case ARES_ENOTFOUND:
    case ARES_EBADNAME:
        return RESOLVER_NO_NAME;
    case ARES_SUCCESS:
    case ARES_ENODATA:
        return RESOLVER_NO_ADDRESS;
    case ARES_ENOMEM:
        return RESOLVER_EXHAUSTED;
    default:
        break;
    }
    if (net_check_room(&detail) != NET_OK) {
        return RESOLVER_EXHAUSTED;
    }
    /* c-ares of Debian 12 says ARES_ECONNREFUSED too when every server says that it failed. */
    bool is_silent = status == ARES_ETIMEOUT || (status == ARES_ECONNREFUSED && !q->has_heard);
    return is_silent ? RESOLVER_SILENT : RESOLVER_FAILED;
}

/* c-ares calls this, sometimes inside resolver_question_ask, and inside ares_destroy. */
static void on_answer(void *data, int status, int timeouts, struct ares_addrinfo *info)
{
    (void)timeouts;
    struct resolver_question *q = data;
    if (!q->is_answered) {
        q->is_answered = true;
        q->status =
            status == ARES_SUCCESS && info != NULL ? keep_answer(q, info) : failure(q, status);
    }
    if (info != NULL) {
        ares_freeaddrinfo(info);
    }
}

/* --- life ---------------------------------------------------------------------------------- */

void resolver_question_init(struct resolver_question *q, struct reactor *r,
                            resolver_question_fn *on_done, void *owner)
{
    *q = (struct resolver_question){.reactor = r, .on_done = on_done, .owner = owner};
    list_init(&q->sockets);
    reactor_timer_init(&q->timer, r, on_timeout);
}

void resolver_question_ask(struct resolver_question *q, const struct resolver_system *system,
                           enum resolver_source source, const char *name)
{
    static const int families[] = {
        [RESOLVER_HOSTS_FILE] = AF_UNSPEC, [RESOLVER_IPV6] = AF_INET6, [RESOLVER_IPV4] = AF_INET};
    /* Without ARES_AI_ADDRCONFIG c-ares finds localhost where there is nothing but loopback. */
    struct ares_addrinfo_hints hints = {.ai_family = families[source], .ai_socktype = SOCK_STREAM};
    char lookups[] = "b";
    struct ares_options options = {
        .lookups = lookups, .sock_state_cb = on_socket_state, .sock_state_cb_data = q};

    resolver_question_stop(q);
    if (source == RESOLVER_HOSTS_FILE) {
        lookups[0] = 'f';
    }
    q->source = source;
    q->is_answered = false;
    q->has_heard = false;
    q->status = resolver_channel_open(&q->channel, system, &options,
                                      ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB);
    if (q->status == RESOLVER_OK) {
        ares_getaddrinfo(q->channel, name, NULL, &hints, on_answer, q);
    } else {
        q->is_answered = true;
    }
    if (q->is_answered) {
        /* The caller must not see the answer in here, so the timer delivers it. */
        reactor_timer_at(&q->timer, reactor_now_ms(q->reactor));
    } else {
        go_on(q);
    }
}

void resolver_question_stop(struct resolver_question *q)
{
    close_channel(q);
    for (size_t i = 0; i < RESOLVER_FAMILIES; i++) {
        mem_free(q->addrs[i].list);
        q->addrs[i] = (struct resolver_addrs){.list = NULL};
    }
}
