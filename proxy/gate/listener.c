/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/listener.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "io/net.h"

#define ACCEPTS_PER_TURN 16
#define PAUSE_FIRST_MS 100
#define PAUSE_LONGEST_MS 1000

static int open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_resume(struct reactor_timer *timer)
{
    struct listener *l = container_of(timer, struct listener, resume);
    if (l->spare_fd < 0) {
        l->spare_fd = open_spare(); /* no descriptor was left for it when accepting paused */
    }
    if (!l->is_suspended) {
        reactor_io_want(&l->io, REACTOR_READ);
    }
}

/* No descriptor is left. With the spare one the listener accepts the first caller in the queue and
 * hangs up, so that this caller knows; then accepting pauses. */
static void pause_accepting(struct listener *l)
{
    struct addr peer;
    int fd = -1;
    if (l->spare_fd >= 0) {
        close(l->spare_fd);
        if (net_accept(l->fd, &fd, &peer) == NET_ACCEPT_OK) {
            net_close(fd);
        }
        l->spare_fd = open_spare();
    }
    reactor_io_want(&l->io, 0);
    reactor_timer_at(&l->resume, reactor_now_ms(l->context->reactor) + l->pause_ms);

    struct log_line line;
    log_begin(&line, LOG_WARN, "listen.paused");
    log_text(&line, "name", l->listen->name);
    log_str(&line, "reason", "out of descriptors or memory");
    log_u64(&line, "pause_ms", l->pause_ms);
    log_end(&line);
    l->pause_ms = l->pause_ms * 2 < PAUSE_LONGEST_MS ? l->pause_ms * 2 : PAUSE_LONGEST_MS;
}

static void begin_session(struct listener *l, int fd, const struct addr *peer)
{
    struct tls *tls = NULL;
    struct scoreboard_slot *slot = &l->context->scoreboard->slots[l->context->slot];

    scoreboard_add(&slot->connections_total, 1);
    if (l->tls != NULL) {
        tls = tls_new(l->tls);
        if (tls == NULL) {
            net_close(fd);
            log_message(LOG_WARN, "accept.failed", "no memory for a TLS session");
            return;
        }
    }
    struct carrier carrier = carrier_of_socket(l->context->reactor, fd);
    if (!session_start(l->context, l->listen, &carrier, tls, peer)) {
        log_message(LOG_WARN, "accept.failed", "no memory for a session");
    }
}

static void on_ready(struct reactor_io *io, unsigned ready)
{
    struct listener *l = container_of(io, struct listener, io);
    (void)ready;

    for (int i = 0; i < ACCEPTS_PER_TURN && !mem_is_short(); i++) {
        struct addr peer;
        int fd = -1;
        switch (net_accept(l->fd, &fd, &peer)) {
        case NET_ACCEPT_OK:
            l->pause_ms = PAUSE_FIRST_MS;
            begin_session(l, fd, &peer);
            break;
        case NET_ACCEPT_NONE:
            return;
        case NET_ACCEPT_EXHAUSTED:
            pause_accepting(l);
            return;
        }
    }
}

/* The configuration has proven every pair; the worker only loads the pairs. */
static bool make_tls(struct listener *l, const char **out_detail)
{
    static const struct span protocols[] = {SPAN_LIT("http/1.1")};
    const struct config_listen *listen = l->listen;
    struct tls_pair *pairs = mem_alloc(listen->pair_count * sizeof(*pairs));
    if (pairs == NULL) {
        *out_detail = "out of memory";
        return false;
    }
    for (size_t i = 0; i < listen->pair_count; i++) {
        pairs[i] = (struct tls_pair){listen->pairs[i].certificate, listen->pairs[i].key};
    }
    struct tls_settings settings = {
        .role = TLS_SERVER,
        .min_version = listen->tls_min_version == CONFIG_TLS_1_3 ? TLS_1_3 : TLS_1_2,
        .pairs = pairs,
        .pair_count = listen->pair_count,
        .protocols = protocols,
        .protocol_count = sizeof(protocols) / sizeof(protocols[0]),
    };
    l->tls = tls_context_new(&settings, out_detail);
    mem_free(pairs);
    return l->tls != NULL;
}

static void set(struct listener *l, struct session_context *context,
                const struct config_listen *listen, int fd)
{
    *l = (struct listener){
        .context = context,
        .listen = listen,
        .fd = fd,
        .spare_fd = -1,
        .pause_ms = PAUSE_FIRST_MS,
    };
}

static void begin(struct listener *l)
{
    l->spare_fd = open_spare();
    reactor_timer_init(&l->resume, l->context->reactor, on_resume);
    reactor_io_init(&l->io, l->context->reactor, l->fd, on_ready);
    reactor_io_want(&l->io, REACTOR_READ);
}

bool listener_init(struct listener *l, struct session_context *context,
                   const struct config_listen *listen, int fd, const char **out_detail)
{
    set(l, context, listen, fd);
    if (listen->is_tls && !make_tls(l, out_detail)) {
        return false;
    }
    begin(l);
    return true;
}

void listener_init_like(struct listener *l, const struct listener *own, int fd)
{
    set(l, own->context, own->listen, fd);
    l->tls = own->tls;
    if (l->tls != NULL) {
        tls_context_share(l->tls);
    }
    begin(l);
}

void listener_suspend(struct listener *l)
{
    l->is_suspended = true;
    if (l->fd >= 0) {
        reactor_io_want(&l->io, 0);
    }
}

void listener_resume(struct listener *l)
{
    l->is_suspended = false;
    if (l->fd >= 0) {
        reactor_timer_stop(&l->resume);
        on_resume(&l->resume);
    }
}

void listener_stop(struct listener *l)
{
    if (l->fd < 0) {
        return;
    }
    reactor_io_want(&l->io, 0);
    reactor_timer_stop(&l->resume);
    net_close(l->fd);
    l->fd = -1;
    if (l->spare_fd >= 0) {
        close(l->spare_fd);
        l->spare_fd = -1;
    }
}

void listener_done(struct listener *l)
{
    listener_stop(l);
    tls_context_free(l->tls);
    l->tls = NULL;
}
