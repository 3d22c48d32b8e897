/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/listener.h"

#include "base/log.h"
#include "base/mem.h"
#include "gate/front.h"
#include "io/net.h"

#define ACCEPTS_PER_TURN 16
#define ACCEPTS_BESIDE_GUESTS 4 /* while the door is busy with those who are in */
#define LOST_IN_A_ROW_MAX 16    /* so many, and something forbids all of them */
#define PAUSE_FIRST_MS 100
#define PAUSE_LONGEST_MS 800

/* --- pauses -------------------------------------------------------------------------------- */

/* Says once when a pause begins, however often the listener tries meanwhile. */
static void pause_accepting(struct listener *l, const char *reason)
{
    struct log_line line;
    reactor_io_want(&l->io, 0);
    if (l->paused_since_ms != 0) {
        return;
    }
    l->paused_since_ms = reactor_now_ms(l->context->reactor);
    seat_add(&l->tally->pauses, 1);
    l->is_pause_told = flood_lets(l->context->flood, FLOOD_PAUSED);
    if (!l->is_pause_told) {
        return;
    }
    log_begin(&line, LOG_WARN, "listen.paused");
    log_text(&line, "name", l->listen->name);
    log_str(&line, "reason", reason);
    log_end(&line);
}

static void pause_for_room(struct listener *l)
{
    struct door *door = session_door(l->context, l->listen);
    const char *because = mem_is_short() ? "out of memory" : door->shut_because;
    pause_accepting(l, because != NULL ? because : "max_pending");
    door_wait(door, &l->waiter);
}

static void pause_for_failure(struct listener *l, const char *reason)
{
    pause_accepting(l, reason);
    reactor_timer_at(&l->resume, reactor_now_ms(l->context->reactor) + l->pause_ms);
    l->pause_ms = l->pause_ms * 2 < PAUSE_LONGEST_MS ? l->pause_ms * 2 : PAUSE_LONGEST_MS;
}

static void resume_accepting(struct listener *l)
{
    struct log_line line;
    reactor_io_want(&l->io, REACTOR_READ);
    if (l->paused_since_ms == 0) {
        return;
    }
    uint64_t paused_ms = reactor_now_ms(l->context->reactor) - l->paused_since_ms;
    l->paused_since_ms = 0;
    seat_add(&l->tally->paused_ms, paused_ms);
    if (!l->is_pause_told) {
        return;
    }
    log_begin(&line, LOG_INFO, "listen.resumed");
    log_text(&line, "name", l->listen->name);
    log_u64(&line, "paused_ms", paused_ms);
    log_end(&line);
}

/* --- accepting ----------------------------------------------------------------------------- */

static void log_failure(struct listener *l, const char *reason)
{
    struct log_line line;
    if (!flood_lets(l->context->flood, FLOOD_ACCEPT_FAILED)) {
        return;
    }
    log_begin(&line, LOG_WARN, "accept.failed");
    log_text(&line, "name", l->listen->name);
    log_str(&line, "reason", reason);
    log_end(&line);
}

static void log_refusal(struct listener *l, const struct addr *peer, enum limits_entry entry)
{
    struct log_line line;
    char text[ADDR_TEXT_MAX];
    if (!flood_lets(l->context->flood, FLOOD_REFUSED)) {
        return;
    }
    log_begin(&line, LOG_INFO, "accept.refused");
    log_text(&line, "name", l->listen->name);
    log_str(&line, "client", addr_print(peer, text, sizeof(text)));
    log_str(&line, "ending", life_ending_row(LIFE_LIMIT_SOURCE)->word);
    log_str(&line, "detail", limits_entry_key(entry));
    log_end(&line);
}

/* Before TLS, and before anything is allocated. */
static bool may_enter(struct listener *l, const struct addr *peer, struct limits_holds *holds)
{
    const struct limits_question question = {
        .config = l->context->config,
        .source = peer,
        .now_ms = reactor_now_ms(l->context->reactor),
    };
    /* Whoever speaks for others counts when it has told for whom (session_count_source). */
    if (l->listen->kind != CONFIG_LISTEN_PUBLIC || front_trusts(l->listen, peer)) {
        return true;
    }
    enum limits_entry entry = limits_enter(&l->context->limits, &question, holds);
    if (entry == LIMITS_ENTERED) {
        return true;
    }
    seat_add(&l->tally->refused[entry], 1);
    log_refusal(l, peer, entry);
    return false;
}

/* False: no memory. */
static bool begin_session(struct listener *l, int fd, const struct addr *peer)
{
    struct limits_holds holds = {.connection = {0}};
    struct tls *tls = NULL;

    seat_add(&l->tally->connections, 1);
    if (!may_enter(l, peer, &holds)) {
        net_abort(fd); /* a FIN would leave the kernel something to remember for a minute */
        return true;
    }
    if (l->tls != NULL) {
        tls = tls_new(l->tls);
        if (tls == NULL) {
            net_close(fd);
            limits_leave(&l->context->limits, &holds);
            return false;
        }
    }
    struct carrier carrier = carrier_of_socket(l->context->reactor, fd);
    /* What a page says (Ctrl-C) must not wait behind a backend that refills the queue to the page
     * in the same turn: then the client is not read. */
    reactor_io_go_first(&carrier.io);
    bool is_started = session_start(l->context, l->listen, &carrier, tls, peer, &holds);
    if (!is_started) {
        limits_leave(&l->context->limits, &holds);
    }
    return is_started;
}

/* What somebody reads about a result that pauses the listener; NULL: it does not pause. */
static const char *reason_of(enum net_accept_result result)
{
    switch (result) {
    case NET_ACCEPT_OK:
    case NET_ACCEPT_NONE:
    case NET_ACCEPT_LOST:
        break;
    case NET_ACCEPT_NO_DESCRIPTORS:
        return "out of descriptors";
    case NET_ACCEPT_NO_FILES:
        return "the system is out of descriptors";
    case NET_ACCEPT_NO_MEMORY:
        return "the system is out of memory";
    case NET_ACCEPT_FAILED:
        return "accept() fails for an unknown reason";
    }
    return NULL;
}

/* One accept(). False: the listener pauses, or nobody waits. */
static bool accept_one(struct listener *l, bool *out_is_paused)
{
    struct addr peer;
    int fd = -1;
    enum net_accept_result result = net_accept(l->fd, &fd, &peer);
    const char *reason = reason_of(result);

    if (result == NET_ACCEPT_NONE) {
        return false;
    }
    if (result == NET_ACCEPT_LOST) {
        log_failure(l, "a connection was lost before it was accepted");
        l->lost_in_a_row++;
        reason = l->lost_in_a_row >= LOST_IN_A_ROW_MAX ? "accept() is forbidden" : NULL;
    } else if (result == NET_ACCEPT_OK) {
        l->lost_in_a_row = 0;
        if (!begin_session(l, fd, &peer)) {
            reason = "out of memory";
            log_failure(l, reason);
        }
    }
    if (reason != NULL) {
        pause_for_failure(l, reason);
        *out_is_paused = true;
        return false;
    }
    if (result == NET_ACCEPT_OK) {
        l->pause_ms = PAUSE_FIRST_MS;
    }
    return true;
}

/* False: the listener pauses. */
static bool accept_some(struct listener *l)
{
    struct door *door = session_door(l->context, l->listen);
    int most = door_is_busy(door) ? ACCEPTS_BESIDE_GUESTS : ACCEPTS_PER_TURN;
    bool is_paused = false;
    for (int i = 0; i < most; i++) {
        if (mem_is_short() || !door_has_room(door)) {
            pause_for_room(l);
            return false;
        }
        if (!accept_one(l, &is_paused)) {
            break;
        }
    }
    return !is_paused;
}

static void try_again(struct listener *l)
{
    if (accept_some(l)) {
        resume_accepting(l);
    }
}

static void on_ready(struct reactor_io *io, unsigned ready)
{
    (void)ready;
    (void)accept_some(container_of(io, struct listener, io));
}

static void on_resume(struct reactor_timer *timer)
{
    try_again(container_of(timer, struct listener, resume));
}

static void on_room(struct door_waiter *waiter)
{
    try_again(container_of(waiter, struct listener, waiter));
}

/* The configuration has proven every pair; the worker only loads the pairs. */
bool listener_make_tls(const struct config_listen *listen, struct tls_context **out,
                       const char **out_detail)
{
    static const struct span protocols[] = {SPAN_LIT("http/1.1")};
    *out = NULL;
    if (!listen->is_tls) {
        return true;
    }
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
        .trust = listen->client_ca,
        .verify = listen->client_ca.len == 0                 ? TLS_VERIFY_OFF
                  : listen->client == CONFIG_CLIENT_OPTIONAL ? TLS_VERIFY_OPTIONAL
                                                             : TLS_VERIFY_REQUIRED,
        .revoked = listen->client_crls,
        .revoked_count = listen->client_crl_count,
    };
    *out = tls_context_new(&settings, out_detail);
    mem_free(pairs);
    return *out != NULL;
}

static void take(struct listener *l, const struct config_listen *listen, struct tls_context *tls)
{
    config_share(listen->config);
    l->listen = listen;
    l->tls = tls;
    if (tls != NULL) {
        tls_context_share(tls);
    }
}

static void let_go(struct listener *l)
{
    config_free(l->listen->config);
    tls_context_free(l->tls);
    l->tls = NULL;
}

void listener_init(struct listener *l, struct session_context *context,
                   const struct config_listen *listen, struct tls_context *tls, int fd)
{
    *l = (struct listener){.context = context, .fd = fd, .pause_ms = PAUSE_FIRST_MS};
    take(l, listen, tls);
    list_init(&l->waiter.link);
    l->waiter.callback = on_room;
    reactor_timer_init(&l->resume, context->reactor, on_resume);
    reactor_io_init(&l->io, context->reactor, fd, on_ready);
}

void listener_start(struct listener *l)
{
    l->tally = seat_listen(l->context->seat, l->listen);
    reactor_io_want(&l->io, REACTOR_READ);
}

void listener_renew(struct listener *l, const struct config_listen *listen, struct tls_context *tls)
{
    struct listener before = {.listen = l->listen, .tls = l->tls};
    take(l, listen, tls);
    l->tally = seat_listen(l->context->seat, listen);
    let_go(&before);
}

bool listener_has_callers(const struct listener *l)
{
    return net_has_callers(l->fd);
}

void listener_turn_deaf(struct listener *l)
{
    bool is_deaf = net_set_deaf(l->fd, true);
    (void)is_deaf; /* else whoever calls at the last moment is lost with the socket */
}

void listener_stop(struct listener *l)
{
    if (l->fd < 0) {
        return;
    }
    reactor_io_want(&l->io, 0);
    reactor_timer_stop(&l->resume);
    door_wait_stop(&l->waiter);
    net_close(l->fd);
    l->fd = -1;
}

void listener_done(struct listener *l)
{
    listener_stop(l);
    let_go(l);
}
