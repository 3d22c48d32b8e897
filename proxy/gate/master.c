/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/master.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "gate/descriptors.h"
#include "gate/scoreboard.h"
#include "gate/worker.h"
#include "io/net.h"
#include "io/tls.h"

#define EXIT_CANNOT_START 3
#define RESPAWN_FIRST_MS 100
#define RESPAWN_LONGEST_MS 30000
#define FORK_RETRY_MS 1000
#define LIVED_WELL_MS 10000 /* the pauses begin anew after a worker that lived so long */
#define KILL_GRACE_MS 2000  /* from the end of the drain time to SIGKILL */

struct slot {
    pid_t pid; /* 0 = none */
    uint64_t started_ms;
    uint64_t pause_ms;   /* before the next respawn */
    uint64_t respawn_ms; /* when to fork again; 0 = not due */
    int *listen_fds;     /* one per listen section */
};

struct master {
    const struct config *config;
    struct scoreboard *scoreboard;
    struct slot *slots;
    size_t slot_count;
    int lifeline[2];     /* workers read EOF from it when the master is gone */
    uint64_t kill_at_ms; /* when a stopping master sends SIGKILL; 0 = it serves */
    sigset_t signals;    /* that the master waits for */
    sigset_t old_mask;   /* the workers' */
};

/* --- sockets --------------------------------------------------------------------------------- */

static void log_listen(const struct config_listen *listen, const struct addr *a)
{
    char text[ADDR_TEXT_MAX];
    struct log_line line;
    log_begin(&line, LOG_INFO, "listen.ready");
    log_text(&line, "name", listen->name);
    log_str(&line, "address", addr_print(a, text, sizeof(text)));
    log_str(&line, "tls", listen->is_tls ? "yes" : "no");
    log_end(&line);
}

/* Binds one socket per slot. With port 0 the first socket gets a port, and the others take the
 * same. */
static bool bind_listen(struct master *m, size_t index, struct addr *out_address)
{
    const struct config_listen *listen = &m->config->listens[index];
    struct addr a = listen->address;
    for (size_t i = 0; i < m->slot_count; i++) {
        const char *detail = NULL;
        int fd = net_listen(&a, &detail);
        if (fd < 0 || !net_local_addr(fd, &a)) {
            char text[ADDR_TEXT_MAX];
            fprintf(stderr, "sluice: cannot listen on %s ([listen %.*s]): %s\n",
                    addr_print(&a, text, sizeof(text)), (int)listen->name.len, listen->name.data,
                    detail != NULL ? detail : "no local address");
            if (fd >= 0) {
                net_close(fd);
            }
            return false;
        }
        m->slots[i].listen_fds[index] = fd;
    }
    *out_address = a;
    return true;
}

/* Asks for the port alone first: with SO_REUSEPORT a second program of the same user would share
 * it. */
static bool is_address_free(const struct config_listen *listen)
{
    const char *detail = NULL;
    if (addr_port(&listen->address) == 0 || net_is_free(&listen->address, &detail)) {
        return true;
    }
    char text[ADDR_TEXT_MAX];
    fprintf(stderr, "sluice: cannot listen on %s ([listen %.*s]): %s\n",
            addr_print(&listen->address, text, sizeof(text)), (int)listen->name.len,
            listen->name.data, detail);
    return false;
}

static bool bind_all(struct master *m, struct addr *out_first)
{
    for (size_t i = 0; i < m->config->listen_count; i++) {
        struct addr a;
        if (!is_address_free(&m->config->listens[i]) || !bind_listen(m, i, &a)) {
            return false;
        }
        if (i == 0) {
            *out_first = a;
        }
        log_listen(&m->config->listens[i], &a);
    }
    return true;
}

static void close_sockets(struct master *m, size_t slot)
{
    for (size_t i = 0; i < m->config->listen_count; i++) {
        if (m->slots[slot].listen_fds[i] >= 0) {
            net_close(m->slots[slot].listen_fds[i]);
            m->slots[slot].listen_fds[i] = -1;
        }
    }
}

/* --- workers --------------------------------------------------------------------------------- */

static bool give_up_root(const struct config *config)
{
    if (geteuid() != 0 || !config->has_ids) {
        return true;
    }
    if (setgroups(0, NULL) != 0 || setresgid(config->gid, config->gid, config->gid) != 0 ||
        setresuid(config->uid, config->uid, config->uid) != 0) {
        log_message(LOG_ERROR, "worker.failed", "cannot become user %u: %s", (unsigned)config->uid,
                    strerror(errno));
        return false;
    }
    return true;
}

static int be_worker(struct master *m, size_t slot)
{
    char name[24]; /* "w" and the longest size_t */
    const int ignored[] = {SIGINT, SIGHUP, SIGUSR2, SIGPIPE};

    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
        signal(ignored[i], SIG_IGN);
    }
    snprintf(name, sizeof(name), "w%zu", slot);
    log_set_process(name);
    close(m->lifeline[1]);
    for (size_t i = 0; i < m->slot_count; i++) {
        if (i != slot) {
            close_sockets(m, i);
        }
    }
    if (!give_up_root(m->config)) {
        return EXIT_CANNOT_START;
    }
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);

    struct worker_start start = {
        .config = m->config,
        .scoreboard = m->scoreboard,
        .slot = slot,
        .listen_fds = m->slots[slot].listen_fds,
        .master_fd = m->lifeline[0],
        .signal_mask = &m->old_mask,
    };
    return worker_run(&start);
}

static void spawn(struct master *m, size_t slot)
{
    struct slot *s = &m->slots[slot];
    s->respawn_ms = 0;
    s->started_ms = clock_now_ms();
    pid_t pid = fork();
    if (pid == 0) {
        int code = be_worker(m, slot);
        exit(code);
    }
    if (pid < 0) {
        log_message(LOG_ERROR, "worker.failed", "cannot fork: %s", strerror(errno));
        s->respawn_ms = clock_now_ms() + FORK_RETRY_MS;
        return;
    }
    s->pid = pid;
}

static void log_exit(size_t slot, pid_t pid, int status, uint64_t lived_ms, bool is_stopping)
{
    bool is_clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    struct log_line line;
    log_begin(&line, is_clean && is_stopping ? LOG_INFO : LOG_ERROR, "worker.exit");
    log_u64(&line, "slot", slot);
    log_u64(&line, "pid", (uint64_t)pid);
    if (WIFSIGNALED(status)) {
        log_u64(&line, "signal", (uint64_t)WTERMSIG(status));
    } else {
        log_u64(&line, "status", (uint64_t)WEXITSTATUS(status));
    }
    log_u64(&line, "lived_ms", lived_ms);
    log_end(&line);
}

static void on_worker_exit(struct master *m, pid_t pid, int status)
{
    for (size_t i = 0; i < m->slot_count; i++) {
        struct slot *s = &m->slots[i];
        if (s->pid != pid) {
            continue;
        }
        uint64_t lived_ms = clock_now_ms() - s->started_ms;
        log_exit(i, pid, status, lived_ms, m->kill_at_ms != 0);
        s->pid = 0;
        scoreboard_clear_slot(m->scoreboard, i);
        if (m->kill_at_ms != 0) {
            return;
        }
        uint64_t wait_ms = 0;
        if (lived_ms >= LIVED_WELL_MS || s->pause_ms == 0) {
            s->pause_ms = RESPAWN_FIRST_MS;
        } else {
            wait_ms = s->pause_ms;
            s->pause_ms =
                s->pause_ms * 2 < RESPAWN_LONGEST_MS ? s->pause_ms * 2 : RESPAWN_LONGEST_MS;
        }
        s->respawn_ms = clock_now_ms() + wait_ms;
        struct log_line line;
        log_begin(&line, LOG_WARN, "worker.respawn");
        log_u64(&line, "slot", i);
        log_u64(&line, "in_ms", wait_ms);
        log_end(&line);
        return;
    }
}

static void signal_workers(const struct master *m, int signum)
{
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].pid != 0) {
            kill(m->slots[i].pid, signum);
        }
    }
}

/* --- supervision ----------------------------------------------------------------------------- */

static void stop(struct master *m, int worker_signal)
{
    if (m->kill_at_ms != 0) {
        worker_signal = SIGQUIT; /* the second request to stop */
    }
    /* From here on the kernel refuses callers instead of leaving them waiting. */
    for (size_t i = 0; i < m->slot_count; i++) {
        close_sockets(m, i);
        m->slots[i].respawn_ms = 0;
    }
    m->kill_at_ms = clock_now_ms() + KILL_GRACE_MS;
    m->kill_at_ms += worker_signal == SIGTERM ? m->config->drain_ms : 0;
    signal_workers(m, worker_signal);
}

static void on_signal(struct master *m, int signum)
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
        log_message(LOG_WARN, "reload.ignored", "sluice cannot reload yet: restart it");
        break;
    case SIGUSR2:
        log_message(LOG_WARN, "upgrade.ignored", "sluice cannot upgrade in place yet: restart it");
        break;
    default: /* SIGCHLD: reaped below */
        break;
    }
}

static void reap(struct master *m)
{
    int status = 0;
    for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG)) {
        on_worker_exit(m, pid, status);
    }
}

static bool has_workers(const struct master *m)
{
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].pid != 0) {
            return true;
        }
    }
    return false;
}

/* When the master next has something to do without a signal. */
static uint64_t next_due_ms(const struct master *m)
{
    uint64_t due_ms = m->kill_at_ms != 0 ? m->kill_at_ms : UINT64_MAX;
    for (size_t i = 0; i < m->slot_count; i++) {
        uint64_t at_ms = m->slots[i].respawn_ms;
        due_ms = at_ms != 0 && at_ms < due_ms ? at_ms : due_ms;
    }
    return due_ms;
}

static void do_what_is_due(struct master *m)
{
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].respawn_ms != 0 && clock_now_ms() >= m->slots[i].respawn_ms) {
            spawn(m, i);
        }
    }
    if (m->kill_at_ms != 0 && clock_now_ms() >= m->kill_at_ms) {
        signal_workers(m, SIGKILL);
        m->kill_at_ms = UINT64_MAX;
    }
}

static void supervise(struct master *m)
{
    while (m->kill_at_ms == 0 || has_workers(m)) {
        uint64_t due_ms = next_due_ms(m);
        uint64_t wait_ms = due_ms == UINT64_MAX      ? 3600 * 1000
                           : due_ms > clock_now_ms() ? due_ms - clock_now_ms()
                                                     : 0;
        struct timespec wait = {(time_t)(wait_ms / 1000), (long)(wait_ms % 1000) * 1000000};
        int signum = sigtimedwait(&m->signals, NULL, &wait);
        if (signum > 0) {
            on_signal(m, signum);
        }
        reap(m);
        do_what_is_due(m);
    }
}

/* --- start ----------------------------------------------------------------------------------- */

static bool allocate(struct master *m)
{
    m->slot_count = m->config->workers;
    m->slots = mem_alloc_zero(m->slot_count * sizeof(*m->slots));
    m->scoreboard = scoreboard_new(m->slot_count);
    if (m->slots == NULL || m->scoreboard == NULL) {
        return false;
    }
    for (size_t i = 0; i < m->slot_count; i++) {
        m->slots[i].listen_fds = mem_alloc(m->config->listen_count * sizeof(int));
        if (m->slots[i].listen_fds == NULL) {
            return false;
        }
        for (size_t k = 0; k < m->config->listen_count; k++) {
            m->slots[i].listen_fds[k] = -1;
        }
    }
    return pipe2(m->lifeline, O_CLOEXEC) == 0;
}

static void release(struct master *m)
{
    for (size_t i = 0; m->slots != NULL && i < m->slot_count; i++) {
        if (m->slots[i].listen_fds != NULL) {
            close_sockets(m, i);
            mem_free(m->slots[i].listen_fds);
        }
    }
    mem_free(m->slots);
}

static void raise_descriptor_limit(const struct config *config)
{
    char text[DESCRIPTORS_WARNING_MAX];
    if (descriptors_warning(config, descriptors_raise(), text)) {
        log_message(LOG_WARN, "limits", "%s", text);
    }
}

static void block_signals(struct master *m)
{
    const int handled[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR2, SIGCHLD};
    sigemptyset(&m->signals);
    for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++) {
        sigaddset(&m->signals, handled[i]);
    }
    sigprocmask(SIG_BLOCK, &m->signals, &m->old_mask);
    /* The program may begin with these signals blocked, or with SIGCHLD ignored, and then nobody
     * would hear of a worker's end. */
    for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++) {
        sigdelset(&m->old_mask, handled[i]);
    }
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
}

int master_run(const struct config *config, master_ready_fn *on_ready)
{
    struct master m = {.config = config, .lifeline = {-1, -1}};
    struct addr first = {.len = 0};
    uint8_t ticket_seed[32];

    log_set_process("master");
    if (!allocate(&m) || getrandom(ticket_seed, sizeof(ticket_seed), 0) != sizeof(ticket_seed)) {
        fprintf(stderr, "sluice: cannot start: out of memory or descriptors\n");
        release(&m);
        return EXIT_CANNOT_START;
    }
    if (!bind_all(&m, &first)) {
        release(&m);
        return EXIT_CANNOT_START;
    }
    tls_set_ticket_seed(ticket_seed);
    explicit_bzero(ticket_seed, sizeof(ticket_seed));
    raise_descriptor_limit(config);
    block_signals(&m);
    for (size_t i = 0; i < m.slot_count; i++) {
        spawn(&m, i);
    }
    log_message(LOG_INFO, "ready", "%zu workers", m.slot_count);
    if (on_ready != NULL) {
        on_ready(&first);
    }
    supervise(&m);
    log_message(LOG_INFO, "stopped", "all workers have ended");
    release(&m);
    return 0;
}
