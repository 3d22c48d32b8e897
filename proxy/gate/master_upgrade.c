/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An upgrade: the program at the path of this one first checks the configuration, as a child that
 * touches nothing; then it starts as the heir, with everything that it takes over. Until it says
 * that it is ready nothing changes here, and whatever goes wrong ends the child and not this
 * master. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "gate/handover.h"
#include "gate/jail.h"
#include "gate/master_parts.h"
#include "io/tls.h"

/* --- the path -------------------------------------------------------------------------------- */

static char *join(const char *directory, size_t len, const char *name)
{
    size_t size = len + strlen(name) + 2;
    char *path = mem_alloc(size);
    if (path != NULL) {
        snprintf(path, size, "%.*s/%s", (int)len, directory, name);
    }
    return path;
}

static char *find_in_path(const char *name)
{
    struct span rest = span_from_str(getenv("PATH"));
    struct span directory;
    while (span_next(&rest, ':', &directory)) {
        char *path = join(directory.data, directory.len, name);
        if (path != NULL && directory.len > 0 && directory.data[0] == '/' &&
            access(path, X_OK) == 0) {
            return path;
        }
        mem_free(path);
    }
    return NULL;
}

/* Links stay as they are: another version may stand where they point to. /proc/self/exe would be
 * the file of this version, whatever stands at its path now. */
bool master_note_program(struct master *m)
{
    char here[4096];
    const char *name = m->argv[0] != NULL ? m->argv[0] : "sluice";
    if (name[0] == '/') {
        m->program = mem_copy_str(span_from_str(name));
    } else if (strchr(name, '/') == NULL) {
        m->program = find_in_path(name);
    } else if (getcwd(here, sizeof(here)) != NULL) {
        m->program = join(here, strlen(here), name);
    }
    if (m->program == NULL) {
        ssize_t len = readlink("/proc/self/exe", here, sizeof(here));
        m->program = len > 0 ? mem_copy_str((struct span){here, (size_t)len}) : NULL;
    }
    return m->program != NULL;
}

/* --- an upgrade that fails -------------------------------------------------------------------- */

static void close_fd(int *fd)
{
    if (*fd != -1) {
        close(*fd);
        *fd = -1;
    }
}

static uint64_t lasted_ms(const struct master *m)
{
    return clock_now_ms() - m->upgrade.began_ms;
}

static void note_failure(const struct master *m, const char *reason)
{
    struct log_line line;
    scoreboard_note_upgrade(m->scoreboard, false);
    log_begin(&line, LOG_ERROR, "upgrade.failed");
    log_str(&line, "program", m->program);
    log_u64(&line, "duration_ms", lasted_ms(m));
    log_str(&line, "detail", reason);
    log_str(&line, "msg", "nothing has changed: this version goes on");
    log_end(&line);
}

void master_fail_upgrade(struct master *m, const char *reason)
{
    struct upgrade *upgrade = &m->upgrade;
    if (upgrade->phase == UPGRADE_IDLE) {
        return;
    }
    if (upgrade->pid != 0) {
        kill(-upgrade->pid, SIGKILL); /* and what a script has started; master_reap hears of it */
        kill(upgrade->pid, SIGKILL);
    }
    close_fd(&upgrade->pipe_fd);
    close_fd(&m->heir.fd);
    if (m->phase == MASTER_SERVING) {
        atomic_store(&m->scoreboard->stop, SCOREBOARD_RUNS);
    }
    note_failure(m, reason);
    *upgrade = (struct upgrade){.is_wanted = upgrade->is_wanted, .pipe_fd = -1};
}

/* --- children -------------------------------------------------------------------------------- */

static void reset_signals(void)
{
    sigset_t none;
    for (int signum = 1; signum <= SIGRTMAX; signum++) {
        signal(signum, SIG_DFL);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A child that outlives its master before it is one itself ends with it. A group of its own lets
 * the master end whatever the child has started; the heir joins its elder's group in the end. */
static void begin_child(pid_t master)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != master) {
        _exit(MASTER_CANNOT_START);
    }
    (void)setpgid(0, 0);
    jail_pass_rights();
}

static size_t count_words(char *const *argv)
{
    size_t count = 0;
    while (argv[count] != NULL) {
        count++;
    }
    return count;
}

static void become_check(const struct master *m, pid_t master, int out_fd, char **words)
{
    begin_child(master);
    reset_signals();
    if (dup2(out_fd, STDOUT_FILENO) != -1 && dup2(out_fd, STDERR_FILENO) != -1) {
        execv(m->program, words);
        dprintf(STDERR_FILENO, "cannot run it: %s\n", strerror(errno));
    }
    _exit(MASTER_CANNOT_START);
}

static bool start_check(struct master *m)
{
    size_t count = count_words(m->argv);
    char **words = mem_alloc_zero((count + 2) * sizeof(*words));
    int ends[2] = {-1, -1};
    pid_t pid = -1;
    pid_t master = getpid();
    if (words != NULL && pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0) {
        memcpy(words, m->argv, count * sizeof(*words));
        words[count] = (char[]){"--check"};
        pid = fork();
    }
    if (pid == 0) {
        (void)fcntl(ends[1], F_SETFL, 0); /* the program may wait for room */
        become_check(m, master, ends[1], words);
    }
    mem_free(words);
    close_fd(&ends[1]);
    if (pid < 0) {
        close_fd(&ends[0]);
        return false;
    }
    m->upgrade.pid = pid;
    m->upgrade.pipe_fd = ends[0];
    return true;
}

/* Keeps the last line that has something in it. */
static void keep_said(struct upgrade *upgrade, struct span text)
{
    struct span line;
    while (span_next(&text, '\n', &line)) {
        if (line.len > 0) {
            (void)span_copy(line, upgrade->said, sizeof(upgrade->said));
        }
    }
}

void master_hear_check(struct master *m)
{
    char text[4096];
    ssize_t len;
    while (m->upgrade.pipe_fd != -1 && (len = read(m->upgrade.pipe_fd, text, sizeof(text))) != -1) {
        if (len == 0) {
            close_fd(&m->upgrade.pipe_fd);
        } else {
            keep_said(&m->upgrade, (struct span){text, (size_t)len});
        }
    }
}

/* --- the heir -------------------------------------------------------------------------------- */

/* The caller frees the sockets. False: no memory. */
static bool make_list(const struct master *m, int link_fd, struct handover *out)
{
    size_t most = m->config->listen_count * m->slot_count;
    *out = (struct handover){
        .generation = m->generation + 1,
        .is_relayed = m->elder.is_relay || getenv("NOTIFY_SOCKET") == NULL,
        .group = getpgrp(),
        .program = span_from_str(m->program),
        .link_fd = link_fd,
        .scoreboard_fd = scoreboard_fd(),
        .seats_fd = seats_fd(),
        .roster_fd = roster_fd(m->roster),
        .quota_fd = quota_fd(m->quota),
        .spent_fd = spent_fd(m->spent),
        .sockets = mem_alloc_zero((most + 1) * sizeof(struct handover_socket)),
    };
    if (out->sockets == NULL) {
        return false;
    }
    out->tickets_len = tls_save_tickets(out->tickets);
    for (size_t i = 0; i < m->config->listen_count; i++) {
        for (size_t slot = 0; slot < m->slot_count; slot++) {
            int fd = sockets_fd(&m->sockets.current, i, slot);
            if (fd != -1) {
                out->sockets[out->socket_count++] = (struct handover_socket){
                    .fd = fd,
                    .slot = (uint32_t)slot,
                    .is_foreign = sockets_is_foreign(&m->sockets.current, i, slot),
                    .address = m->config->listens[i].address,
                    .name = m->config->listens[i].name};
            }
        }
    }
    return true;
}

static void become_heir(const struct master *m, pid_t master, const struct handover *list,
                        int list_fd)
{
    char text[100];
    begin_child(master);
    notify_hand_on(&m->notify);
    if (handover_pass(list, list_fd)) {
        execv(m->program, m->argv);
    }
    snprintf(text, sizeof(text), "cannot run it: %s", strerror(errno));
    bool is_sent = handover_send(list->link_fd, HANDOVER_FAILED, 0, text, -1);
    (void)is_sent; /* the exit code says at least that it failed */
    _exit(MASTER_CANNOT_START);
}

static bool start_heir(struct master *m)
{
    struct handover list = {.sockets = NULL};
    int ends[2] = {-1, -1};
    int list_fd = -1;
    pid_t pid = -1;
    pid_t master = getpid();
    if (control_pair(ends) && make_list(m, ends[1], &list) &&
        (list_fd = handover_seal(&list)) != -1) {
        pid = fork();
    }
    if (pid == 0) {
        become_heir(m, master, &list, list_fd);
    }
    explicit_bzero(list.tickets, sizeof(list.tickets));
    mem_free(list.sockets);
    close_fd(&list_fd);
    close_fd(&ends[1]);
    if (pid < 0) {
        close_fd(&ends[0]);
        return false;
    }
    m->upgrade.pid = pid;
    m->heir.fd = ends[0];
    return true;
}

/* --- the steps ------------------------------------------------------------------------------- */

static void enter(struct master *m, enum upgrade_phase phase, uint64_t most_ms)
{
    m->upgrade.phase = phase;
    m->upgrade.said[0] = '\0';
    m->upgrade.deadline_ms = clock_now_ms() + most_ms;
}

static void begin(struct master *m)
{
    struct log_line line;
    m->upgrade = (struct upgrade){.pipe_fd = -1, .began_ms = clock_now_ms()};
    if (m->bundle.files == NULL) {
        note_failure(m, "a certificate made for this run cannot be handed over: start it again");
        return;
    }
    log_begin(&line, LOG_INFO, "upgrade.begin");
    log_str(&line, "program", m->program);
    log_end(&line);
    enter(m, UPGRADE_CHECKING, m->config->upgrade_ms);
    if (!start_check(m)) {
        master_fail_upgrade(m, "cannot start --check: out of memory, processes or descriptors");
    }
}

static void make_room(struct master *m)
{
    enter(m, UPGRADE_ROOM, m->config->drain_ms + MASTER_KILL_GRACE_MS + m->config->upgrade_ms);
    if (m->elder.has_workers && !handover_send(m->elder.fd, HANDOVER_DRAIN, 0, "", -1)) {
        m->elder.has_workers = false;
    }
}

static void go_on(struct master *m)
{
    enter(m, UPGRADE_STARTING, m->config->upgrade_ms);
    if (!start_heir(m)) {
        master_fail_upgrade(m, "cannot start it: out of memory, processes or descriptors");
    }
}

static void fail_late(struct master *m)
{
    char text[100];
    const char *what = m->upgrade.phase == UPGRADE_CHECKING ? "--check does not end"
                       : m->upgrade.phase == UPGRADE_ROOM   ? "the generation before does not end"
                                                            : "it is not ready";
    snprintf(text, sizeof(text), "%s after %llu ms (upgrade_timeout)", what,
             (unsigned long long)lasted_ms(m));
    master_fail_upgrade(m, text);
}

/* A reload goes first, and so do addresses that leave: the heir would not serve their callers. */
static bool may_begin(const struct master *m)
{
    return m->phase == MASTER_SERVING && m->upgrade.is_wanted && m->upgrade.phase == UPGRADE_IDLE &&
           m->drain_at_ms == UINT64_MAX && /* the heir would not know that it is to stop */
           m->reload.phase == RELOAD_IDLE && sockets_due_ms(&m->sockets) == UINT64_MAX;
}

void master_upgrade(struct master *m)
{
    if (may_begin(m)) {
        begin(m);
    }
    if (m->upgrade.phase != UPGRADE_IDLE && clock_now_ms() >= m->upgrade.deadline_ms) {
        fail_late(m);
    } else if (m->upgrade.phase == UPGRADE_ROOM && !m->elder.has_workers) {
        go_on(m);
    }
}

uint64_t master_upgrade_due_ms(const struct master *m)
{
    if (may_begin(m)) {
        return 0;
    }
    return m->upgrade.phase != UPGRADE_IDLE ? m->upgrade.deadline_ms : UINT64_MAX;
}

static void fail_ended(struct master *m, int status)
{
    const struct upgrade *upgrade = &m->upgrade;
    char text[sizeof(upgrade->said) + 100];
    snprintf(text, sizeof(text), "%s ended with %s %d%s%s",
             upgrade->phase == UPGRADE_CHECKING ? "--check" : "it",
             WIFSIGNALED(status) ? "signal" : "status",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
             upgrade->said[0] != '\0' ? ": " : "", upgrade->said);
    master_fail_upgrade(m, text);
}

bool master_reap_upgrade(struct master *m, pid_t pid, int status)
{
    if (m->upgrade.phase == UPGRADE_IDLE || pid != m->upgrade.pid) {
        return false;
    }
    if (m->upgrade.phase == UPGRADE_STARTING) {
        master_hear_heir(m); /* its last words */
        if (m->upgrade.phase == UPGRADE_IDLE) {
            return false; /* they were that it is ready: the heir's end is another matter */
        }
    }
    master_hear_check(m);
    kill(-pid, SIGKILL); /* workers that hang, and what a script has left */
    m->upgrade.pid = 0;
    if (m->upgrade.phase == UPGRADE_CHECKING && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        close_fd(&m->upgrade.pipe_fd);
        make_room(m);
    } else {
        fail_ended(m, status);
    }
    return true;
}

static void log_done(const struct master *m)
{
    struct log_line line;
    log_begin(&line, LOG_INFO, "upgrade.done");
    log_str(&line, "program", m->program);
    log_u64(&line, "generation", m->generation + 1);
    log_u64(&line, "pid", (uint64_t)m->heir.pid);
    log_u64(&line, "duration_ms", lasted_ms(m));
    log_end(&line);
}

static void pass_on_wishes(struct master *m)
{
    if (m->is_reload_wanted) {
        master_pass_on(m, SIGHUP);
    }
    if (m->upgrade.is_wanted) {
        master_pass_on(m, SIGUSR2);
    }
}

/* The heir accepts before the workers here stop: no caller waits. */
void master_yield(struct master *m, uint64_t leaving_count)
{
    uint64_t now_ms = clock_now_ms();
    if (m->upgrade.phase != UPGRADE_STARTING) {
        return;
    }
    atomic_store(&m->scoreboard->serving, m->generation + 1); /* no worker here is the last */
    if (!handover_send(m->heir.fd, HANDOVER_YOURS, 0, "", -1)) {
        atomic_store(&m->scoreboard->serving, m->generation);
        return; /* it is dead, and its exit says why */
    }
    m->heir.pid = m->upgrade.pid;
    m->phase = MASTER_YIELDED;
    log_set_process("elder"); /* "master" is the newest one */
    m->is_relay = !m->elder.is_relay && getenv("NOTIFY_SOCKET") == NULL;
    m->retire_ms = now_ms + (leaving_count > 0 ? SOCKETS_LEAVE_MS : 0);
    m->too_old_ms = m->config->generation_ms > 0 ? now_ms + m->config->generation_ms : UINT64_MAX;
    m->kill_at_ms = UINT64_MAX;
    if (!m->is_relay) {
        notify_main_pid(&m->notify, m->heir.pid);
    }
    if (m->is_relay) {
        (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* the heir's heir comes here */
    }
    if (m->elder.is_relay) {
        bool is_sent =
            handover_send(m->elder.fd, HANDOVER_HEIR, (uint64_t)m->heir.pid, "", m->heir.fd);
        (void)is_sent; /* else the elder is gone, and this master stops */
    }
    scoreboard_note_upgrade(m->scoreboard, true);
    log_done(m);
    m->upgrade = (struct upgrade){.is_wanted = m->upgrade.is_wanted, .pipe_fd = -1};
    pass_on_wishes(m);
}
