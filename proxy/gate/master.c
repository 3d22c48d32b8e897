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
#include "gate/jail.h"
#include "gate/master_parts.h"
#include "io/tls.h"

#define KILL_GRACE_MS 2000 /* from the end of the drain time to SIGKILL */

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

static void stop(struct master *m, int worker_signal)
{
    if (m->phase == MASTER_STOPPING) {
        worker_signal = SIGQUIT; /* the second request to stop */
    }
    m->phase = MASTER_STOPPING;
    scoreboard_set(&m->scoreboard->is_stopping, true);
    /* From here on the kernel refuses callers instead of leaving them waiting. */
    sockets_done(&m->sockets);
    m->kill_at_ms = clock_now_ms() + KILL_GRACE_MS;
    m->kill_at_ms += worker_signal == SIGTERM ? m->config->drain_ms : 0;
    master_signal_workers(m, worker_signal);
}

static void on_signal(struct master *m, unsigned signum)
{
    switch (signum) {
    case SIGTERM:
    case SIGINT:
        log_message(LOG_INFO, "stop", "the workers drain for at most %llu ms",
                    (unsigned long long)m->config->drain_ms);
        stop(m, SIGTERM);
        break;
    case SIGQUIT:
        log_message(LOG_INFO, "stop", "the workers stop at once");
        stop(m, SIGQUIT);
        break;
    case SIGHUP:
        m->is_reload_wanted = true; /* also when one is under way: another one then follows */
        break;
    case SIGUSR2:
        log_message(LOG_WARN, "upgrade.ignored", "sluice cannot upgrade in place yet: restart it");
        break;
    default: /* SIGCHLD: reaped in every turn */
        break;
    }
}

static void read_signals(struct master *m)
{
    struct signalfd_siginfo info;
    while (read(m->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        on_signal(m, info.ssi_signo);
    }
}

/* --- supervision ----------------------------------------------------------------------------- */

static bool has_workers(const struct master *m)
{
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].pid != 0) {
            return true;
        }
    }
    return false;
}

static int time_to_wait_ms(const struct master *m)
{
    uint64_t due_ms = m->phase == MASTER_STOPPING  ? m->kill_at_ms
                      : m->phase == MASTER_SERVING ? m->look_ms
                                                   : UINT64_MAX;
    uint64_t others_ms[] = {master_reload_due_ms(m), sockets_due_ms(&m->sockets)};
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
    tls_advance_tickets(); /* a worker begins with what the master has */
    m->polls[0] = (struct pollfd){.fd = m->signal_fd, .events = POLLIN};
    for (size_t i = 0; i < m->slot_count; i++) {
        m->polls[1 + i] = (struct pollfd){.fd = m->slots[i].control_fd, .events = POLLIN};
    }
    if (poll(m->polls, 1 + m->slot_count, time_to_wait_ms(m)) <= 0) {
        return;
    }
    read_signals(m);
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->polls[1 + i].revents != 0) {
            master_hear(m, i);
        }
    }
}

static void begin_to_serve(struct master *m, const struct addr *first, master_ready_fn *on_ready)
{
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].state != SLOT_SERVING) {
            return;
        }
    }
    m->phase = MASTER_SERVING;
    m->last_ms = clock_now_ms();
    m->watch_ms = m->last_ms + m->config->watch_ms;
    m->own_ms = 1;
    log_message(LOG_INFO, "ready", "%zu workers", m->slot_count);
    if (on_ready != NULL) {
        on_ready(first);
    }
}

static void supervise(struct master *m, const struct addr *first, master_ready_fn *on_ready)
{
    while (m->phase != MASTER_STOPPING || has_workers(m)) {
        wait_for_events(m);
        master_reap(m);
        if (m->phase == MASTER_STARTING) {
            begin_to_serve(m, first, on_ready);
        }
        for (size_t i = 0; i < m->slot_count; i++) {
            master_do_slot(m, i);
        }
        if (m->phase == MASTER_SERVING) {
            master_look(m);
            master_place(m);
            master_reload(m);
            sockets_tend(&m->sockets, clock_now_ms());
        }
        if (m->phase == MASTER_STOPPING && clock_now_ms() >= m->kill_at_ms) {
            master_signal_workers(m, SIGKILL);
            m->kill_at_ms = UINT64_MAX;
        }
    }
}

/* --- start ----------------------------------------------------------------------------------- */

static bool allocate(struct master *m)
{
    m->slot_count = m->config->workers;
    m->slots = mem_alloc_zero(SOCKETS_SLOTS_MAX * sizeof(*m->slots));
    m->polls = mem_alloc_zero((SOCKETS_SLOTS_MAX + 1) * sizeof(*m->polls));
    m->scoreboard = scoreboard_new(m->slot_count, clock_date_s());
    m->seats = seats_new(m->slot_count, m->config);
    m->roster = roster_new(m->config);
    if (m->slots == NULL || m->polls == NULL || m->scoreboard == NULL || m->seats == NULL ||
        m->roster == NULL) {
        return false;
    }
    for (size_t i = 0; i < m->slot_count; i++) {
        struct slot *s = &m->slots[i];
        s->is_wanted = true;
        s->adopter = MASTER_NOBODY;
        s->control_fd = -1;
    }
    return true;
}

static void release(struct master *m)
{
    sockets_done(&m->sockets);
    master_release_reload(m);
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

static bool bind_all(struct master *m, struct addr *out_first)
{
    char text[SOCKETS_TEXT_MAX];
    if (!sockets_plan(&m->sockets, m->config, m->slot_count, text) ||
        !sockets_commit(&m->sockets, clock_now_ms(), text)) {
        fprintf(stderr, "sluice: %s\n", text);
        return false;
    }
    *out_first = *sockets_address(&m->sockets.current, 0);
    for (size_t i = 0; i < m->config->listen_count; i++) {
        master_log_listen(m, i);
    }
    return true;
}

/* False: standard error has the reason. */
static bool prepare(struct master *m, struct addr *out_first)
{
    if (!take_signals(m) || !allocate(m) || !make_secrets()) {
        fprintf(stderr, "sluice: cannot start: out of memory or descriptors\n");
        return false;
    }
    raise_descriptor_limit(m->config);
    return bind_all(m, out_first);
}

int master_run(const struct config *config, struct bundle *bundle, master_ready_fn *on_ready)
{
    struct master m = {.config = config, .bundle = *bundle, .signal_fd = -1};
    struct addr first = {.len = 0};

    *bundle = (struct bundle){.count = 0};
    log_set_process("master");
    sockets_init(&m.sockets);
    if (!prepare(&m, &first)) {
        release(&m);
        return MASTER_CANNOT_START;
    }
    warn_of_user(config);
    jail_enter_master(config);
    for (size_t i = 0; i < m.slot_count && m.phase == MASTER_STARTING; i++) {
        master_spawn(&m, i);
    }
    supervise(&m, &first, on_ready);
    if (m.exit_code == 0) {
        log_message(LOG_INFO, "stopped", "all workers have ended");
    }
    release(&m);
    return m.exit_code;
}
