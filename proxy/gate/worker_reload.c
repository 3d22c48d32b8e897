/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Another configuration, in two steps: worker_prepare does all that can fail, worker_commit what
 * cannot. */
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/change.h"
#include "conf/config.h"
#include "conf/listen.h"
#include "gate/descriptors.h"
#include "gate/passwords.h"
#include "gate/sockets.h"
#include "gate/worker_parts.h"

/* --- a setup --------------------------------------------------------------------------------- */

void worker_drop_setup(struct setup *setup)
{
    for (size_t i = 0; setup->tls != NULL && i < setup->config->listen_count; i++) {
        tls_context_free(setup->tls[i]);
    }
    mem_free(setup->tls);
    checks_free(setup->checks);
    backend_tls_free(setup->backend_tls);
    upstream_free(setup->upstream);
    seat_free(setup->seat);
    files_free(setup->files);
    config_free(setup->config);
    *setup = (struct setup){.config = NULL};
}

/* Takes the context of the setup in force where the certificates are the same: making one is the
 * dearest part of a reload. */
static bool make_tls(const struct worker *w, struct setup *out, size_t i, const char **out_detail)
{
    const struct config_listen *listen = &out->config->listens[i];
    const struct config *before = w->setup.config;
    size_t at = before != NULL ? change_find_listen(before, listen, i) : 0;

    if (before == NULL || at == before->listen_count ||
        !change_is_tls_same(&before->listens[at], listen)) {
        return listener_make_tls(listen, &out->tls[i], out_detail);
    }
    out->tls[i] = w->setup.tls[at];
    if (out->tls[i] != NULL) {
        tls_context_share(out->tls[i]);
    }
    return true;
}

static struct checks *make_checks(const struct worker *w, const struct setup *setup)
{
    const struct checks_world world = {
        .reactor = w->context.reactor,
        .resolver = w->context.resolver,
        .scratch = &w->scratch,
        .scoreboard = w->context.scoreboard,
        .backend_tls = setup->backend_tls,
        .seat = setup->seat,
        .slot = w->context.slot,
        .seed = worker_seed(w),
    };
    return checks_new(&world, setup->config, setup->upstream);
}

void worker_begin_checks(struct worker *w)
{
    if (!w->context.is_draining && !w->is_retired) {
        upstream_follow(w->setup.upstream, w->context.reactor, w->context.resolver);
        checks_start(w->setup.checks);
    }
}

void worker_end_checks(struct worker *w)
{
    checks_stop(w->setup.checks);
    upstream_unfollow(w->setup.upstream);
}

bool worker_make_setup(struct worker *w, const struct config *config, struct setup *out,
                       const char **out_detail)
{
    *out = (struct setup){
        .config = config,
        .seat = seat_new(w->start->seats, w->start->seat, config),
        .files = files_new(config),
        .tls = mem_alloc_zero((config->listen_count + 1) * sizeof(struct tls_context *)),
    };
    out->upstream = out->seat != NULL ? upstream_new(config, out->seat) : NULL;
    bool is_made = out->upstream != NULL && out->files != NULL && out->tls != NULL;
    *out_detail = is_made ? NULL : "out of memory";
    for (size_t i = 0; is_made && i < config->listen_count; i++) {
        is_made = make_tls(w, out, i, out_detail);
    }
    if (is_made) {
        out->backend_tls = backend_tls_new(config, out_detail);
        is_made = out->backend_tls != NULL;
    }
    if (is_made) {
        out->checks = make_checks(w, out);
        is_made = out->checks != NULL;
        *out_detail = is_made ? NULL : "out of memory";
    }
    if (!is_made) {
        worker_drop_setup(out);
    }
    return is_made;
}

struct door_settings worker_limits(const struct worker *w)
{
    const struct config *config = w->setup.config;
    uint64_t asking = config_has_passwords(config) ? PASSWORDS_WAITING_MAX : 0;
    const struct descriptors_plan plan =
        descriptors_share(config, descriptors_raise(),
                          w->own_descriptors + config->listen_count + config->file_count + asking +
                              checks_descriptors(config));
    return (struct door_settings){
        .pending_max = plan.pending_max,
        .sessions_max = plan.sessions_max,
        .serve = session_serve,
        .put_out = session_put_out,
    };
}

/* --- preparing ------------------------------------------------------------------------------- */

static void answer(struct worker *w, enum control_kind kind, uint32_t number, const char *text)
{
    struct control_message message = {.kind = kind, .number = number};
    snprintf(message.text, sizeof(message.text), "%s", text);
    worker_tell_master(w, &message);
}

static void answer_when_ready(struct worker *w)
{
    if (w->next->posts_expected == 0) {
        answer(w, CONTROL_PREPARED, w->next->number, "");
    }
}

void worker_abandon(struct worker *w)
{
    struct next *next = w->next;
    if (next == NULL) {
        return;
    }
    while (!list_is_empty(&next->posts)) {
        worker_drop_post(container_of(next->posts.next, struct post, link));
    }
    worker_drop_setup(&next->setup);
    mem_free(next);
    w->next = NULL;
}

static void give_up(struct worker *w, uint32_t number, const char *why)
{
    worker_abandon(w);
    answer(w, CONTROL_UNFIT, number, why);
}

static const struct config *read_config(int fd, const char **out_detail)
{
    struct bundle bundle;
    struct report report;
    if (!bundle_open(&bundle, fd, out_detail)) {
        return NULL;
    }
    const struct config *config = config_build(&bundle, CONFIG_PROVEN, &report);
    bundle_done(&bundle);
    report_done(&report);
    /* The master has built it of the same bundle. */
    *out_detail = "out of memory";
    return config;
}

static size_t count_new(const struct config *now, const struct config *next)
{
    size_t count = 0;
    for (size_t i = 0; i < next->listen_count; i++) {
        count += change_find_listen(now, &next->listens[i], i) == now->listen_count;
    }
    return count;
}

void worker_prepare(struct worker *w, const struct control_message *message, int fd)
{
    const char *detail = "out of descriptors";
    const struct config *config = fd != -1 ? read_config(fd, &detail) : NULL;
    if (fd != -1) {
        close(fd);
    }
    worker_abandon(w); /* an earlier one that was never put in force */
    if (config == NULL || w->context.is_draining || w->is_retired) {
        config_free(config);
        give_up(w, message->number, config == NULL ? detail : "it drains");
        return;
    }
    struct next *next = mem_alloc_zero(sizeof(*next));
    if (next == NULL) {
        config_free(config);
        give_up(w, message->number, "out of memory");
        return;
    }
    if (!worker_make_setup(w, config, &next->setup, &detail)) {
        mem_free(next);
        give_up(w, message->number, detail);
        return;
    }
    next->number = message->number;
    list_init(&next->posts);
    next->posts_expected = count_new(w->setup.config, config);
    w->next = next;
    answer_when_ready(w);
}

void worker_take_socket(struct worker *w, const struct control_message *message, int fd)
{
    struct next *next = w->next;
    if (next == NULL || next->number != message->number ||
        message->listen >= next->setup.config->listen_count || next->posts_expected == 0) {
        if (fd != -1) {
            close(fd);
        }
        return; /* the worker has said why */
    }
    struct post *post =
        fd != -1 ? worker_new_post(w, (uint32_t)w->start->slot, message->listen, &next->setup, fd)
                 : NULL;
    if (post == NULL) {
        give_up(w, message->number, fd == -1 ? "out of descriptors" : "out of memory");
        return;
    }
    list_append(&next->posts, &post->link);
    next->posts_expected--;
    answer_when_ready(w);
}

/* --- putting in force ------------------------------------------------------------------------ */

static void renew_posts(struct worker *w, const struct config *before)
{
    const struct setup *setup = &w->setup;
    struct list *link = w->posts.next;
    while (link != &w->posts) {
        struct post *post = container_of(link, struct post, link);
        link = link->next;
        size_t at = change_find_listen(setup->config, &before->listens[post->listen], post->listen);
        if (at == setup->config->listen_count) {
            worker_leave_post(post, SOCKETS_LEAVE_MS);
            continue;
        }
        post->listen = (uint32_t)at;
        listener_renew(&post->listener, &setup->config->listens[at], setup->tls[at]);
    }
}

static void start_posts(struct worker *w, struct list *posts)
{
    struct list *link;
    while ((link = list_take_first(posts)) != NULL) {
        list_append(&w->posts, link);
        listener_start(&container_of(link, struct post, link)->listener);
    }
}

static void take_settings(struct worker *w)
{
    const struct config *config = w->setup.config;
    const struct door_settings limits = worker_limits(w);
    door_set_limits(&w->door, limits.pending_max, limits.sessions_max);
    flood_set_limit(&w->flood, config->log_limit);
    log_init(STDERR_FILENO, config->log_level, config->log_format);
    log_send_to(config->log_sink, config->log_socket.data);
    w->context.config = config;
    w->context.upstream = w->setup.upstream;
    w->context.backend_tls = w->setup.backend_tls;
    w->context.seat = w->setup.seat;
    w->context.files = w->setup.files;
    worker_set_max_memory(w);
}

/* Fewer than are due: there are no more. */
void worker_on_change_tick(struct reactor_timer *timer)
{
    struct worker *w = container_of(timer, struct worker, change);
    uint64_t now_ms = reactor_now_ms(w->context.reactor);
    size_t due = spread_take(&w->change_spread, now_ms);
    uint64_t next_ms = spread_next_ms(&w->change_spread, now_ms);
    if (session_end_changed(&w->context, LIFE_DRAIN, due) == due && next_ms != UINT64_MAX) {
        reactor_timer_at(timer, next_ms);
    }
}

/* The sessions that stay count too: so those that go end in the first part of the time. */
static void end_changed(struct worker *w)
{
    uint64_t now_ms = reactor_now_ms(w->context.reactor);
    spread_begin(&w->change_spread, now_ms, spread_of_drain(w->setup.config->drain_ms),
                 w->context.session_count, worker_seed(w));
    reactor_timer_at(&w->change, now_ms);
}

bool worker_is_revoked(struct session_context *context, const struct config_listen *listen,
                       const struct peer_cert *cert)
{
    const struct worker *w = container_of(context, struct worker, context);
    size_t at = change_find_listen(w->setup.config, listen, 0);
    return at < w->setup.config->listen_count && w->setup.tls[at] != NULL &&
           tls_context_revokes(w->setup.tls[at], cert);
}

#define LOOKS_PER_TURN 256 /* then other events have their turn; 10,000 sessions take 40 turns */

void worker_on_look_tick(struct reactor_timer *timer)
{
    struct worker *w = container_of(timer, struct worker, look);
    if (session_look_again(&w->context, LOOKS_PER_TURN)) {
        reactor_timer_at(timer, reactor_now_ms(w->context.reactor));
    }
}

/* Clients whose proofs have been taken back go at once, whatever `reload` says. */
static void end_revoked(struct worker *w)
{
    session_begin_look(&w->context);
    worker_on_look_tick(&w->look);
}

void worker_commit(struct worker *w, uint32_t number)
{
    struct next *next = w->next;
    if (next == NULL || next->number != number || next->posts_expected > 0) {
        return;
    }
    struct setup before = w->setup;
    w->setup = next->setup;
    seat_find_rows(w->setup.seat);
    upstream_inherit(w->setup.upstream, before.upstream);
    checks_inherit(w->setup.checks, before.checks);
    checks_stop(before.checks);
    worker_begin_checks(w);
    renew_posts(w, before.config);
    start_posts(w, &next->posts);
    take_settings(w);
    listen_forget_keys(before.config);
    config_drop_targets(before.config);
    worker_show(w);
    worker_drop_setup(&before);
    mem_free(next);
    worker_trim_soon(w); /* what the old configuration took */
    w->next = NULL;
    session_end_revoked(&w->context);
    end_revoked(w);
    if (w->setup.config->is_reload_drain) {
        end_changed(w);
    }
    answer(w, CONTROL_SWAPPED, number, "");
}
