/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sockets that a worker accepts from. */
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "gate/sockets.h"
#include "gate/worker_parts.h"
#include "io/net.h"

#define LEAVE_RETRY_MS 100 /* to the next look at a queue that should be empty */

static void on_leave(struct reactor_timer *timer)
{
    struct post *post = container_of(timer, struct post, leave);
    struct worker *w = post->worker;
    /* The door may have no room for those who wait. */
    if (listener_has_callers(&post->listener)) {
        reactor_timer_at(timer, reactor_now_ms(w->context.reactor) + LEAVE_RETRY_MS);
        return;
    }
    worker_drop_post(post);
    worker_stop_when_empty(w);
}

static void init_post(struct post *post, struct worker *w, uint32_t slot)
{
    post->worker = w;
    post->slot = slot;
    list_init(&post->link);
    reactor_timer_init(&post->leave, w->context.reactor, on_leave);
}

struct post *worker_new_post(struct worker *w, uint32_t slot, uint32_t listen,
                             const struct setup *setup, int fd)
{
    struct post *post = mem_alloc_zero(sizeof(*post));
    if (post == NULL) {
        close(fd);
        return NULL;
    }
    init_post(post, w, slot);
    post->listen = listen;
    listener_init(&post->listener, &w->context, &setup->config->listens[listen], setup->tls[listen],
                  fd);
    return post;
}

void worker_drop_post(struct post *post)
{
    list_unlink(&post->link);
    reactor_timer_stop(&post->leave);
    listener_done(&post->listener);
    mem_free(post);
}

void worker_leave_post(struct post *post, uint64_t wait_ms)
{
    struct worker *w = post->worker;
    list_unlink(&post->link);
    list_append(&w->leaving, &post->link);
    reactor_timer_at(&post->leave, reactor_now_ms(w->context.reactor) + wait_ms);
}

bool worker_open_posts(struct worker *w)
{
    bool is_open = true;
    for (size_t i = 0; i < w->setup.config->listen_count; i++) {
        struct post *post = worker_new_post(w, (uint32_t)w->start->slot, (uint32_t)i, &w->setup,
                                            w->start->listen_fds[i]);
        is_open &= post != NULL;
        if (post != NULL) {
            list_append(&w->posts, &post->link);
        }
    }
    if (!w->is_waiting) {
        worker_start_posts(w);
    }
    return is_open;
}

void worker_start_posts(struct worker *w)
{
    for (struct list *link = w->posts.next; link != &w->posts; link = link->next) {
        listener_start(&container_of(link, struct post, link)->listener);
    }
}

/* `listen` NULL: every one. */
static void drop_posts(struct worker *w, uint32_t slot, const uint32_t *listen)
{
    struct list *link = w->posts.next;
    while (link != &w->posts) {
        struct post *post = container_of(link, struct post, link);
        link = link->next;
        if (post->slot == slot && (listen == NULL || post->listen == *listen)) {
            worker_drop_post(post);
        }
    }
}

static void refuse(struct worker *w, const struct control_message *adopt, const char *reason)
{
    const struct control_message refused = {.kind = CONTROL_REFUSED, .slot = adopt->slot};
    if (flood_lets(&w->flood, FLOOD_ADOPT_FAILED)) {
        log_message(LOG_WARN, "adopt.failed", "slot %u, listener %u: %s", adopt->slot,
                    adopt->listen, reason);
    }
    worker_tell_master(w, &refused);
}

void worker_adopt(struct worker *w, const struct control_message *message, int fd)
{
    if (fd == -1) {
        refuse(w, message, "out of descriptors");
        return;
    }
    if (w->context.is_draining || w->is_retired ||
        message->listen >= w->setup.config->listen_count) {
        refuse(w, message, "draining");
        close(fd);
        return;
    }
    drop_posts(w, message->slot, &message->listen); /* a second copy of the same socket */
    struct post *post = worker_new_post(w, message->slot, message->listen, &w->setup, fd);
    if (post == NULL) {
        refuse(w, message, "out of memory");
        return;
    }
    list_append(&w->posts, &post->link);
    listener_start(&post->listener);
}

void worker_release(struct worker *w, uint32_t slot)
{
    drop_posts(w, slot, NULL);
}

static const struct post *find_leaving(const struct worker *w, int fd)
{
    struct addr wanted;
    struct addr address;
    if (!net_local_addr(fd, &wanted)) {
        return NULL;
    }
    for (struct list *link = w->leaving.next; link != &w->leaving; link = link->next) {
        const struct post *post = container_of(link, struct post, link);
        if (net_local_addr(post->listener.fd, &address) && addr_is_equal(&address, &wanted)) {
            return post;
        }
    }
    return NULL;
}

void worker_finish(struct worker *w, const struct control_message *message, int fd)
{
    const struct post *like = fd != -1 ? find_leaving(w, fd) : NULL;
    struct post *post = like != NULL ? mem_alloc_zero(sizeof(*post)) : NULL;
    if (post == NULL) {
        if (fd != -1) {
            close(fd);
        }
        return;
    }
    init_post(post, w, message->slot);
    listener_init(&post->listener, &w->context, like->listener.listen, like->listener.tls, fd);
    listener_start(&post->listener);
    worker_leave_post(post, SOCKETS_LEAVE_MS);
}

static void drop_list(struct list *posts)
{
    while (!list_is_empty(posts)) {
        worker_drop_post(container_of(posts->next, struct post, link));
    }
}

/* The first public one; NULL: none. */
static struct post *find_public(const struct worker *w)
{
    for (struct list *link = w->posts.next; link != &w->posts; link = link->next) {
        struct post *post = container_of(link, struct post, link);
        if (post->listener.listen->kind == CONFIG_LISTEN_PUBLIC) {
            return post;
        }
    }
    return NULL;
}

void worker_drop_public_posts(struct worker *w)
{
    struct post *post;
    while ((post = find_public(w)) != NULL) {
        worker_drop_post(post);
    }
}

void worker_leave_public_posts(struct worker *w, uint64_t wait_ms)
{
    struct post *post;
    while ((post = find_public(w)) != NULL) {
        listener_turn_deaf(&post->listener);
        worker_leave_post(post, wait_ms);
    }
}

void worker_drop_posts(struct worker *w)
{
    drop_list(&w->posts);
}

void worker_drop_all_posts(struct worker *w)
{
    drop_list(&w->posts);
    drop_list(&w->leaving);
}
