/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a master has to do with the one before it (the elder) and the one after it (the heir). */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "gate/master_parts.h"
#include "io/tls.h"

/* From the end of the drain time of all workers to the end of a master that hangs. */
#define KIN_GRACE_MS (3 * MASTER_KILL_GRACE_MS)

static void close_fd(int *fd)
{
    if (*fd != -1) {
        close(*fd);
        *fd = -1;
    }
}

static void log_generation(const struct master *m, const char *event, const char *cause)
{
    struct log_line line;
    uint64_t sessions = 0;
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].pid != 0) {
            sessions += seat_get(&m->scoreboard->slots[m->slots[i].seat].sessions_now);
        }
    }
    log_begin(&line, LOG_INFO, event);
    log_u64(&line, "generation", m->generation);
    log_u64(&line, "sessions", sessions);
    if (cause != NULL) {
        log_str(&line, "cause", cause);
    }
    log_end(&line);
}

/* --- the elder ------------------------------------------------------------------------------- */

void master_ask_elder(struct master *m)
{
    if (!m->elder.is_asked) {
        m->elder.is_asked = true;
        bool is_sent =
            handover_send(m->elder.fd, HANDOVER_READY, sockets_count_leaving(&m->sockets), "", -1);
        (void)is_sent; /* else it is gone, and the link says so */
    }
}

/* Until now the elder could end this master and its workers as one group. */
static void join_group(const struct master *m)
{
    (void)setpgid(0, m->elder.group);
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].pid != 0) {
            (void)setpgid(m->slots[i].pid, m->elder.group);
        }
    }
}

/* HANDOVER_YOURS. New sockets listen, addresses that the configuration does not have leave, and the
 * workers accept. */
static void take_over(struct master *m)
{
    char text[SOCKETS_TEXT_MAX];
    const struct control_message open = {.kind = CONTROL_OPEN};
    if (m->phase != MASTER_STARTING || !m->elder.is_asked) {
        return;
    }
    if (!sockets_commit(&m->sockets, clock_now_ms(), text)) {
        log_message(LOG_ERROR, "listen.failed", "%s", text);
    }
    for (size_t i = 0; i < m->config->listen_count; i++) {
        master_log_listen(m, i);
    }
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].pid != 0 && !control_send(m->slots[i].control_fd, &open, -1)) {
            kill(m->slots[i].pid, SIGKILL); /* it would never accept; the next one does */
        }
    }
    join_group(m);
    atomic_store(&m->scoreboard->stop, SCOREBOARD_RUNS);
    atomic_store(&m->scoreboard->serving, m->generation);
    scoreboard_set(&m->scoreboard->is_reload_good, true);
    seat_put(&m->scoreboard->loaded_s, clock_date_s());
    master_serve(m);
}

static void lose_elder(struct master *m)
{
    close_fd(&m->elder.fd);
    m->elder.has_workers = false;
    if (m->phase == MASTER_STARTING) {
        master_fail_start(m, "the sluice that this one was to replace is gone");
    } else if (m->elder.is_relay && m->phase != MASTER_STOPPING && !m->elder.has_let_go) {
        log_message(LOG_WARN, "master.gone", "the first master is gone: sluice stops");
        master_pass_on(m, SIGTERM);
        master_stop(m, SIGTERM);
    }
}

void master_hear_elder(struct master *m)
{
    struct handover_message message;
    while (m->elder.fd != -1) {
        switch (handover_receive(m->elder.fd, &message, NULL)) {
        case CONTROL_OK:
            if (message.word == HANDOVER_YOURS) {
                take_over(m);
            } else if (message.word == HANDOVER_GONE) {
                m->elder.has_workers = false;
            } else if (message.word == HANDOVER_GOODBYE) {
                m->elder.has_let_go = true;
            }
            break;
        case CONTROL_NONSENSE:
            break;
        case CONTROL_NONE:
            return;
        case CONTROL_GONE:
            lose_elder(m);
            break;
        }
    }
}

/* --- the heir -------------------------------------------------------------------------------- */

void master_pass_on(const struct master *m, int signum)
{
    if (m->heir.pid != 0) {
        kill(m->heir.pid, signum);
    }
}

static void drain_generation(struct master *m, const char *cause)
{
    const struct control_message drain = {.kind = CONTROL_DRAIN};
    m->too_old_ms = UINT64_MAX;
    if (m->phase != MASTER_YIELDED || m->kill_at_ms != UINT64_MAX) {
        return;
    }
    log_generation(m, "generation.drain", cause);
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].pid != 0) {
            bool is_sent = control_send(m->slots[i].control_fd, &drain, -1);
            (void)is_sent; /* SIGKILL reaches it */
        }
    }
    m->kill_at_ms = clock_now_ms() + m->config->drain_ms + MASTER_KILL_GRACE_MS;
}

static void set_heir_kill(struct master *m)
{
    uint64_t drain_ms =
        m->config->drain_ms > m->heir.drain_ms ? m->config->drain_ms : m->heir.drain_ms;
    m->heir.kill_ms = m->is_relay ? clock_now_ms() + drain_ms + KIN_GRACE_MS : UINT64_MAX;
}

/* The heir has yielded too, and ends before the newest master, which becomes this one's child then:
 * this master is a subreaper. */
static void adopt_next(struct master *m)
{
    close_fd(&m->heir.fd);
    m->heir.pid = m->heir.next_pid;
    m->heir.fd = m->heir.next_fd;
    m->heir.next_pid = 0;
    m->heir.next_fd = -1;
    bool is_sent = handover_send(m->heir.fd, HANDOVER_GONE, 0, "", -1);
    (void)is_sent; /* else it ends too, and is reaped */
}

/* HANDOVER_LEAVING. The heir has every signal that it was sent before the answer. */
static void let_go(struct master *m)
{
    if (m->heir.next_pid != 0) {
        bool is_sent = handover_send(m->heir.fd, HANDOVER_GOODBYE, 0, "", -1);
        (void)is_sent; /* else it is dead */
        adopt_next(m);
    }
}

/* Takes over the descriptor. */
static void hear_word(struct master *m, const struct handover_message *message, int fd)
{
    switch (message->word) {
    case HANDOVER_READY:
        master_yield(m, message->number);
        break;
    case HANDOVER_FAILED:
        (void)span_copy(span_from_str(message->text), m->upgrade.said, sizeof(m->upgrade.said));
        break;
    case HANDOVER_STOPPING:
        m->heir.drain_ms = message->number;
        if (m->phase == MASTER_YIELDED) {
            log_generation(m, "generation.drain", "sluice stops");
            master_stop(m, SIGTERM);
        }
        set_heir_kill(m);
        break;
    case HANDOVER_DRAIN:
        drain_generation(m, "another upgrade");
        break;
    case HANDOVER_LEAVING:
        let_go(m);
        break;
    case HANDOVER_HEIR:
        close_fd(&m->heir.next_fd);
        m->heir.next_pid = (pid_t)message->number;
        m->heir.next_fd = fd;
        return;
    default: /* of a later version */
        break;
    }
    if (fd != -1) {
        close(fd);
    }
}

/* In the middle of an upgrade an exit follows that says more; a program that just knows nothing of
 * this need not exit. */
static void lose_link(struct master *m)
{
    uint64_t soon_ms = clock_now_ms() + MASTER_LAST_WORDS_MS;
    close_fd(&m->heir.fd);
    if (m->upgrade.phase == UPGRADE_STARTING && m->upgrade.deadline_ms > soon_ms) {
        m->upgrade.deadline_ms = soon_ms;
    }
}

void master_hear_heir(struct master *m)
{
    struct handover_message message;
    int fd = -1;
    while (m->heir.fd != -1) {
        switch (handover_receive(m->heir.fd, &message, &fd)) {
        case CONTROL_OK:
            hear_word(m, &message, fd);
            break;
        case CONTROL_NONSENSE:
            break;
        case CONTROL_NONE:
            return;
        case CONTROL_GONE:
            lose_link(m);
            break;
        }
    }
}

static void lose_heir(struct master *m, int status)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    bool is_sent = handover_send(m->elder.fd, HANDOVER_HEIR, 0, "", -1);
    (void)is_sent; /* there need not be one */
    close_fd(&m->heir.fd);
    m->heir.pid = 0;
    m->exit_code = code;
    if (m->phase == MASTER_STOPPING) {
        return;
    }
    struct log_line line;
    log_begin(&line, LOG_ERROR, "master.exit");
    log_u64(&line, WIFEXITED(status) ? "status" : "signal",
            (uint64_t)(WIFEXITED(status) ? code : WTERMSIG(status)));
    log_str(&line, "msg", "the newest master is gone: this one ends too, its workers drain");
    log_end(&line);
    m->is_lost = true;
}

bool master_reap_heir(struct master *m, pid_t pid, int status)
{
    if (m->heir.pid == 0 || pid != m->heir.pid) {
        return false;
    }
    master_hear_heir(m); /* its last words */
    if (pid != m->heir.pid) {
        return true; /* they were that it leaves */
    }
    if (m->heir.next_pid != 0) {
        adopt_next(m);
        if (m->phase == MASTER_STOPPING && WIFSIGNALED(status)) {
            master_pass_on(m, SIGTERM); /* the dead one may not have done so */
        }
    } else {
        lose_heir(m, status);
    }
    return true;
}

/* --- what is due ----------------------------------------------------------------------------- */

static void retire_all(struct master *m)
{
    m->retire_ms = UINT64_MAX;
    log_generation(m, "generation.retired", NULL);
    for (size_t i = 0; i < m->slot_count; i++) {
        master_retire(m, i);
    }
    sockets_done(&m->sockets); /* the heir has copies */
    bundle_done(&m->bundle);   /* the keys are the heir's business */
    bundle_done(&m->bad);
}

static bool is_retired(const struct master *m)
{
    return m->phase == MASTER_YIELDED && m->retire_ms == UINT64_MAX;
}

void master_tend_kin(struct master *m)
{
    uint64_t now_ms = clock_now_ms();
    if (m->phase == MASTER_YIELDED && now_ms >= m->retire_ms) {
        retire_all(m);
    }
    if (m->phase == MASTER_YIELDED && now_ms >= m->too_old_ms) {
        drain_generation(m, "generation_max_age");
    }
    if ((is_retired(m) || m->phase == MASTER_STOPPING) && m->heir.fd != -1 && !m->is_gone_told &&
        !master_has_workers(m)) {
        m->is_gone_told = true;
        log_generation(m, "generation.gone", NULL);
        bool is_sent = handover_send(m->heir.fd, HANDOVER_GONE, 0, "", -1);
        (void)is_sent; /* else it is gone itself */
    }
    if (m->phase == MASTER_YIELDED && m->is_gone_told && m->elder.is_relay &&
        !m->elder.is_leaving) {
        m->elder.is_leaving = true;
        m->elder.has_let_go = !handover_send(m->elder.fd, HANDOVER_LEAVING, 0, "", -1);
    }
    if (m->phase == MASTER_STOPPING && now_ms >= m->heir.kill_ms) {
        m->heir.kill_ms = UINT64_MAX;
        log_message(LOG_ERROR, "master.killed", "the newest master does not end");
        master_pass_on(m, SIGKILL);
    }
}

/* A supervisor that knows the newest master ends what is left when that one has ended. */
static uint64_t elder_wait_ms(const struct master *m)
{
    return m->elder.has_workers ? m->stopped_ms + m->config->drain_ms + KIN_GRACE_MS : 0;
}

uint64_t master_kin_due_ms(const struct master *m)
{
    switch (m->phase) {
    case MASTER_STARTING:
    case MASTER_SERVING:
        break;
    case MASTER_YIELDED:
        return m->retire_ms < m->too_old_ms ? m->retire_ms : m->too_old_ms;
    case MASTER_STOPPING:
        return master_has_workers(m) || !m->elder.has_workers ? m->heir.kill_ms : elder_wait_ms(m);
    }
    return UINT64_MAX;
}

bool master_is_over(const struct master *m)
{
    if (m->is_lost) {
        return true;
    }
    if (master_has_workers(m)) {
        return false;
    }
    switch (m->phase) {
    case MASTER_STARTING:
    case MASTER_SERVING:
        break;
    case MASTER_YIELDED:
        return m->is_gone_told && !m->is_relay && (!m->elder.is_relay || m->elder.has_let_go);
    case MASTER_STOPPING:
        return (!m->is_relay || m->heir.pid == 0) && clock_now_ms() >= elder_wait_ms(m);
    }
    return false;
}

void master_release_kin(struct master *m)
{
    close_fd(&m->elder.fd);
    close_fd(&m->heir.fd);
    close_fd(&m->heir.next_fd);
    close_fd(&m->upgrade.pipe_fd);
}
