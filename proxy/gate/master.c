/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/master.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "gate/descriptors.h"
#include "gate/hasher.h"
#include "gate/jail.h"
#include "gate/master_parts.h"
#include "io/tls.h"

#define ECHO_MS 1000 /* one signal to a whole process group reaches the heir twice within it */
#define KIN_POLLS 4  /* the signals, the elder, the heir, a check */

/* --- signals --------------------------------------------------------------------------------- */

static const int handled[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR2, SIGCHLD};
/* They tell of a fault of the program, stop it, or end it by a deliberate act: what they do already
 * is right. */
static const int left[] = {SIGILL, SIGTRAP, SIGABRT, SIGBUS,  SIGFPE, SIGSEGV,
                           SIGSYS, SIGKILL, SIGSTOP, SIGTSTP, SIGCONT};

static bool is_left(int signum)
{
    for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
        if (left[i] == signum) {
            return true;
        }
    }
    return false;
}

/* Nothing that the program which starts sluice left ignored or blocked has a part in it: with
 * SIGCHLD ignored, nobody would hear of a worker's end. Every signal without a meaning is ignored,
 * real-time signals too, also in the workers. */
static bool take_signals(struct master *m)
{
    sigset_t set;
    sigemptyset(&set);
    for (int signum = 1; signum <= SIGRTMAX; signum++) {
        if (!is_left(signum)) {
            signal(signum, SIG_IGN); /* fails for those of the C library */
        }
    }
    for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++) {
        signal(handled[i], SIG_DFL);
        sigaddset(&set, handled[i]);
    }
    sigprocmask(SIG_SETMASK, &set, NULL);
    m->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return m->signal_fd != -1;
}

static void tell_elder_of_stop(const struct master *m)
{
    bool is_sent = handover_send(m->elder.fd, HANDOVER_STOPPING, m->config->drain_ms, "", -1);
    (void)is_sent; /* there need not be one */
}

void master_stop(struct master *m, int worker_signal)
{
    if (m->phase == MASTER_STOPPING) {
        worker_signal = SIGQUIT; /* the second request to stop */
    }
    master_fail_upgrade(m, "sluice stops");
    if (m->phase == MASTER_SERVING) {
        atomic_store(&m->scoreboard->stop, SCOREBOARD_DRAINS);
    }
    m->phase = MASTER_STOPPING;
    m->drain_at_ms = UINT64_MAX; /* it would be a second request */
    /* The workers serve those who have called already, and close the sockets. */
    sockets_done(&m->sockets);
    m->stopped_ms = clock_now_ms();
    m->kill_at_ms = m->stopped_ms + MASTER_KILL_GRACE_MS;
    m->kill_at_ms += worker_signal == SIGTERM ? m->config->drain_ms : 0;
    tell_elder_of_stop(m);
    master_signal_workers(m, worker_signal);
}

static void drain(struct master *m)
{
    log_message(LOG_INFO, "stop", "the workers drain for at most %llu ms",
                (unsigned long long)m->config->drain_ms);
    master_stop(m, SIGTERM);
}

/* Balancers learn first that sluice is not ready (pre_drain), and send nobody any more. A second
 * request does not wait for them. */
static void drain_soon(struct master *m)
{
    bool is_running = m->phase == MASTER_SERVING || m->phase == MASTER_YIELDED;
    if (!is_running || m->drain_at_ms != UINT64_MAX || m->config->pre_drain_ms == 0) {
        drain(m);
        return;
    }
    m->drain_at_ms = clock_now_ms() + m->config->pre_drain_ms;
    master_fail_upgrade(m, "sluice stops");
    if (m->phase == MASTER_SERVING) {
        atomic_store(&m->scoreboard->stop, SCOREBOARD_UNREADY);
        log_message(LOG_INFO, "stop", "not ready any more; the drain begins in %llu ms",
                    (unsigned long long)m->config->pre_drain_ms);
    }
}

/* A terminal, and many a supervisor, signal the whole process group: a master with a relay then
 * hears of it twice. */
static bool is_echo(struct master *m, const struct signalfd_siginfo *info)
{
    uint64_t now_ms = clock_now_ms();
    int signum = info->ssi_signo == SIGINT ? SIGTERM : (int)info->ssi_signo;
    bool is_from_elder = m->elder.is_relay && info->ssi_pid == (uint32_t)getppid();
    bool is_again = m->elder.is_relay && signum == m->last_signal &&
                    is_from_elder != m->is_last_from_elder && now_ms - m->last_signal_ms < ECHO_MS;
    m->last_signal = is_again ? 0 : signum;
    m->last_signal_ms = now_ms;
    m->is_last_from_elder = is_from_elder;
    return is_again;
}

static void on_signal(struct master *m, unsigned signum)
{
    switch (signum) {
    case SIGTERM:
    case SIGINT:
        master_pass_on(m, SIGTERM);
        drain_soon(m);
        break;
    case SIGQUIT:
        log_message(LOG_INFO, "stop", "the workers stop at once");
        master_pass_on(m, SIGQUIT);
        master_stop(m, SIGQUIT);
        break;
    case SIGHUP:
        master_pass_on(m, SIGHUP);
        m->is_reload_wanted = true; /* also when one is under way: another one then follows */
        break;
    case SIGUSR2:
        master_pass_on(m, SIGUSR2);
        m->upgrade.is_wanted = true;
        break;
    default: /* SIGCHLD: reaped in every turn */
        break;
    }
}

static void read_signals(struct master *m)
{
    struct signalfd_siginfo info;
    while (read(m->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGCHLD || !is_echo(m, &info)) {
            on_signal(m, info.ssi_signo);
        }
    }
}

/* --- supervision ----------------------------------------------------------------------------- */

static int time_to_wait_ms(const struct master *m)
{
    bool is_looking = m->phase == MASTER_SERVING || m->phase == MASTER_YIELDED;
    uint64_t due_ms = is_looking ? m->look_ms : UINT64_MAX;
    uint64_t others_ms[] = {m->kill_at_ms,
                            m->drain_at_ms,
                            master_reload_due_ms(m),
                            sockets_due_ms(&m->sockets),
                            master_upgrade_due_ms(m),
                            master_kin_due_ms(m),
                            master_hasher_due_ms(m),
                            m->flood.tell_ms,
                            notify_due_ms(&m->notify)};
    for (size_t i = 0; i < sizeof(others_ms) / sizeof(others_ms[0]); i++) {
        due_ms = others_ms[i] < due_ms ? others_ms[i] : due_ms;
    }
    for (size_t i = 0; i < m->slot_count; i++) {
        uint64_t slot_ms = master_slot_due_ms(m, i);
        due_ms = slot_ms < due_ms ? slot_ms : due_ms;
    }
    uint64_t now_ms = clock_now_ms();
    uint64_t wait_ms = due_ms > now_ms ? due_ms - now_ms : 0;
    return due_ms == UINT64_MAX ? -1 : wait_ms < INT32_MAX ? (int)wait_ms : INT32_MAX;
}

static void wait_for_events(struct master *m)
{
    struct pollfd *slots = m->polls + KIN_POLLS;
    tls_advance_tickets(); /* a worker begins with what the master has */
    m->polls[0] = (struct pollfd){.fd = m->signal_fd, .events = POLLIN};
    m->polls[1] = (struct pollfd){.fd = m->elder.fd, .events = POLLIN};
    m->polls[2] = (struct pollfd){.fd = m->heir.fd, .events = POLLIN};
    m->polls[3] = (struct pollfd){.fd = m->upgrade.pipe_fd, .events = POLLIN};
    for (size_t i = 0; i < m->slot_count; i++) {
        slots[i] = (struct pollfd){.fd = m->slots[i].control_fd, .events = POLLIN};
    }
    if (poll(m->polls, KIN_POLLS + m->slot_count, time_to_wait_ms(m)) <= 0) {
        return;
    }
    read_signals(m);
    for (size_t i = 0; i < m->slot_count; i++) {
        if (slots[i].revents != 0) {
            master_hear(m, i);
        }
    }
    master_hear_elder(m);
    master_hear_heir(m);
    master_hear_check(m);
}

void master_serve(struct master *m)
{
    m->phase = MASTER_SERVING;
    m->last_ms = clock_now_ms();
    m->watch_ms = m->last_ms + m->config->watch_ms;
    m->own_ms = 1;
    log_message(LOG_INFO, "ready", "%u workers", m->config->workers);
}

static void begin_to_serve(struct master *m, const struct addr *first, master_ready_fn *on_ready)
{
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].is_wanted && m->slots[i].state != SLOT_SERVING) {
            return;
        }
    }
    if (m->elder.fd != -1) {
        master_ask_elder(m);
        return;
    }
    master_serve(m);
    if (on_ready != NULL) {
        on_ready(first);
    }
}

static void supervise(struct master *m, const struct addr *first, master_ready_fn *on_ready)
{
    while (!master_is_over(m)) {
        wait_for_events(m);
        if (!m->elder.is_leaving) {
            master_reap(m);
        }
        if (m->phase == MASTER_STARTING) {
            begin_to_serve(m, first, on_ready);
        }
        for (size_t i = 0; i < m->slot_count; i++) {
            master_do_slot(m, i);
        }
        master_tend_hasher(m);
        if (m->phase == MASTER_SERVING) {
            master_look(m);
            master_place(m);
            master_notify(m); /* a reload that ends in this turn is told too */
            master_reload(m);
            sockets_tend(&m->sockets, clock_now_ms());
            master_upgrade(m);
        } else if (m->phase == MASTER_YIELDED) {
            master_look(m);
        }
        if (clock_now_ms() >= m->drain_at_ms) {
            drain(m);
        }
        master_tend_kin(m);
        master_tell_log(m);
        if (clock_now_ms() >= m->kill_at_ms) {
            master_signal_workers(m, SIGKILL);
            m->kill_at_ms = UINT64_MAX;
        }
        master_notify(m);
    }
    read_signals(m); /* for the heir, if they came before the elder let this master go */
}

/* --- start ----------------------------------------------------------------------------------- */

static bool allocate(struct master *m)
{
    m->slots = mem_alloc_zero(SOCKETS_SLOTS_MAX * sizeof(*m->slots));
    m->polls = mem_alloc_zero((SOCKETS_SLOTS_MAX + KIN_POLLS) * sizeof(*m->polls));
    if (m->slots == NULL || m->polls == NULL || !master_note_program(m) ||
        !hasher_channel(m->hasher.channel)) {
        return false;
    }
    for (size_t i = 0; i < SOCKETS_SLOTS_MAX; i++) {
        m->slots[i] = (struct slot){.is_wanted = i < m->config->workers,
                                    .adopter = MASTER_NOBODY,
                                    .control_fd = -1,
                                    .seat = i};
    }
    return true;
}

struct quota *master_new_quota(const struct config *config)
{
    uint8_t secret[SIPHASH_KEY_BYTES];
    if (getrandom(secret, sizeof(secret), 0) != sizeof(secret)) {
        return NULL;
    }
    struct quota *quota = quota_new(limits_keys_for(config), secret);
    explicit_bzero(secret, sizeof(secret));
    return quota;
}

struct roster *master_new_roster(const struct config *config)
{
    uint8_t secret[SIPHASH_KEY_BYTES];
    if (getrandom(secret, sizeof(secret), 0) != sizeof(secret)) {
        return NULL;
    }
    struct roster *roster = roster_new(config, secret);
    explicit_bzero(secret, sizeof(secret));
    return roster;
}

struct spent *master_new_spent(void)
{
    uint8_t secret[SIPHASH_KEY_BYTES];
    return getrandom(secret, sizeof(secret), 0) == sizeof(secret) ? spent_new(secret) : NULL;
}

static bool make_memory(struct master *m)
{
    m->scoreboard = scoreboard_new(m->slot_count, clock_date_s());
    m->seats = seats_new(m->slot_count, m->config);
    m->roster = master_new_roster(m->config);
    m->quota = master_new_quota(m->config);
    m->spent = master_new_spent();
    return m->scoreboard != NULL && m->seats != NULL && m->roster != NULL && m->quota != NULL &&
           m->spent != NULL;
}

static void release(struct master *m)
{
    master_end_hasher(m);
    inherit_done(&m->inherited);
    notify_done(&m->notify);
    sockets_done(&m->sockets);
    master_release_reload(m);
    master_release_kin(m);
    mem_free(m->program);
    if (m->signal_fd != -1) {
        close(m->signal_fd);
    }
    mem_free(m->polls);
    mem_free(m->slots);
}

static void raise_descriptor_limit(const struct config *config)
{
    char text[DESCRIPTORS_WARNING_MAX];
    if (descriptors_warning(config, descriptors_raise(), text)) {
        log_message(LOG_WARN, "limits", "%s", text);
    }
}

static void warn_of_user(const struct config *config)
{
    if (config->has_ids && config->user.len == 0) {
        log_message(LOG_WARN, "user.shared",
                    "no `user` is set: the workers become nobody, as which other programs may run "
                    "too; those could signal the workers");
    }
}

static bool make_secrets(void)
{
    uint8_t ticket_seed[32];
    if (getrandom(ticket_seed, sizeof(ticket_seed), 0) != sizeof(ticket_seed)) {
        return false;
    }
    tls_set_ticket_seed(ticket_seed);
    explicit_bzero(ticket_seed, sizeof(ticket_seed));
    return true;
}

/* No master was here before. Other workers adopt the slots that only have a socket which whoever
 * started the program has handed over. */
static bool begin_anew(struct master *m)
{
    if (!sockets_inherit(&m->sockets, m->config, &m->inherited)) {
        return false;
    }
    size_t inherited = sockets_slots(&m->sockets);
    m->slot_count = m->slot_count > inherited ? m->slot_count : inherited;
    return make_memory(m) && make_secrets();
}

/* The sockets of an heir listen when it takes over. */
static bool bind_all(struct master *m, struct addr *out_first, char text[SOCKETS_TEXT_MAX])
{
    if (!sockets_plan(&m->sockets, m->config, m->slot_count, text)) {
        return false;
    }
    *out_first = *sockets_address(&m->sockets.planned, 0);
    if (m->elder.fd != -1) {
        return true;
    }
    if (!sockets_commit(&m->sockets, clock_now_ms(), text)) {
        return false;
    }
    for (size_t i = 0; i < m->config->listen_count; i++) {
        master_log_listen(m, i);
    }
    return true;
}

/* False: `text` has the reason. */
static bool prepare(struct master *m, struct handover *handover, struct addr *out_first,
                    char text[SOCKETS_TEXT_MAX])
{
    snprintf(text, SOCKETS_TEXT_MAX, "cannot start: out of memory or descriptors");
    if (!take_signals(m) || !allocate(m)) {
        return false;
    }
    if (handover->is_there ? !master_inherit(m, handover, text) : !begin_anew(m)) {
        return false;
    }
    raise_descriptor_limit(m->config);
    master_forget_rest(m);
    return bind_all(m, out_first, text);
}

int master_run(const struct master_start *start)
{
    struct master m = {
        .config = start->config,
        .bundle = *start->bundle,
        .inherited = *start->inherited,
        .signal_fd = -1,
        .argv = start->argv,
        .generation = 1,
        .slot_count = start->config->workers,
        .upgrade = {.pipe_fd = -1},
        .heir = {.fd = -1, .next_fd = -1, .kill_ms = UINT64_MAX},
        .elder = {.fd = -1},
        .hasher = {.channel = {-1, -1}},
        .retire_ms = UINT64_MAX,
        .too_old_ms = UINT64_MAX,
        .drain_at_ms = UINT64_MAX,
        .kill_at_ms = UINT64_MAX,
    };
    char text[SOCKETS_TEXT_MAX];
    struct addr first = {.len = 0};

    *start->bundle = (struct bundle){.count = 0};
    *start->inherited = (struct inherit){.count = 0};
    log_set_process("master");
    flood_init(&m.flood, NULL, m.config->log_limit);
    sockets_init(&m.sockets);
    notify_init(&m.notify);
    bool is_prepared = prepare(&m, start->handover, &first, text);
    handover_done(start->handover);
    if (!is_prepared) {
        fprintf(stderr, "sluice: %s\n", text);
        bool is_sent = handover_send(m.elder.fd, HANDOVER_FAILED, 0, text, -1);
        (void)is_sent; /* there need not be an elder */
        release(&m);
        return MASTER_CANNOT_START;
    }
    warn_of_user(m.config);
    jail_enter_master(m.config);
    master_tend_hasher(&m);
    for (size_t i = 0; i < m.slot_count && m.phase == MASTER_STARTING; i++) {
        if (m.slots[i].is_wanted) {
            master_spawn(&m, i);
        }
    }
    supervise(&m, &first, start->on_ready);
    flood_done(&m.flood);
    if (m.exit_code == 0 && m.heir.pid == 0) {
        log_message(LOG_INFO, "stopped", "all workers have ended");
    }
    release(&m);
    return m.exit_code;
}
