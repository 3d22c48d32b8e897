/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The process that hashes passwords: there is one from the moment on when a configuration needs it.
 * The channel to it is there from the start, so that no worker has to be told anything. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "gate/hasher.h"
#include "gate/master_parts.h"

#define RESPAWN_FIRST_MS 100
#define RESPAWN_LONGEST_MS 30000
#define LIVED_WELL_MS 10000
#define STOPPED_MS 10000 /* by a signal: then the master kills it, as it does with a worker */

static bool is_needed(const struct master *m)
{
    switch (m->phase) {
    case MASTER_STARTING:
    case MASTER_SERVING:
        return config_has_passwords(m->config);
    case MASTER_YIELDED:
        return config_has_passwords(m->config) && master_has_workers(m);
    case MASTER_STOPPING:
        break;
    }
    return false;
}

static _Noreturn void be_hasher(struct master *m)
{
    log_set_process("hasher");
    master_forget_files(m);
    exit(hasher_run(m->config, m->hasher.channel[0]));
}

static void spawn(struct master *m)
{
    struct master_hasher *h = &m->hasher;
    struct log_line line;
    h->forked_ms = clock_now_ms();
    h->spawn_ms = 0;
    h->stopped_ms = 0;
    pid_t pid = fork();
    if (pid == 0) {
        be_hasher(m);
    }
    if (pid < 0) {
        log_message(LOG_ERROR, "hasher.failed", "cannot fork: %s", strerror(errno));
        h->spawn_ms = h->forked_ms + RESPAWN_LONGEST_MS;
        return;
    }
    h->pid = pid;
    log_begin(&line, LOG_INFO, "hasher.start");
    log_u64(&line, "pid", (uint64_t)pid);
    log_end(&line);
}

void master_tend_hasher(struct master *m)
{
    struct master_hasher *h = &m->hasher;
    uint64_t now_ms = clock_now_ms();
    if (m->phase == MASTER_YIELDED && !master_has_workers(m)) {
        master_end_hasher(m); /* nobody is left who could ask, and nobody comes */
        return;
    }
    if (now_ms < master_hasher_due_ms(m)) {
        return;
    }
    if (h->pid == 0) {
        spawn(m);
        return;
    }
    log_message(LOG_ERROR, "hasher.killed", "the process that checks passwords is stopped");
    kill(h->pid, SIGKILL);
    h->stopped_ms = now_ms; /* the next kill, should this one not do */
}

uint64_t master_hasher_due_ms(const struct master *m)
{
    const struct master_hasher *h = &m->hasher;
    if (h->pid == 0) {
        return is_needed(m) ? h->spawn_ms : UINT64_MAX;
    }
    return h->stopped_ms != 0 ? h->stopped_ms + STOPPED_MS : UINT64_MAX;
}

static void on_exit_of(struct master *m, int status)
{
    struct master_hasher *h = &m->hasher;
    uint64_t now_ms = clock_now_ms();
    uint64_t wait_ms = 0;
    struct log_line line;
    if (now_ms - h->forked_ms >= LIVED_WELL_MS || h->pause_ms == 0) {
        h->pause_ms = RESPAWN_FIRST_MS;
    } else {
        wait_ms = h->pause_ms;
        h->pause_ms = wait_ms * 2 < RESPAWN_LONGEST_MS ? wait_ms * 2 : RESPAWN_LONGEST_MS;
    }
    h->spawn_ms = now_ms + wait_ms;
    log_begin(&line, LOG_ERROR, "hasher.exit");
    log_u64(&line, "pid", (uint64_t)h->pid);
    if (WIFSIGNALED(status)) {
        log_u64(&line, "signal", (uint64_t)WTERMSIG(status));
    } else {
        log_u64(&line, "status", (uint64_t)WEXITSTATUS(status));
    }
    log_u64(&line, "lived_ms", now_ms - h->forked_ms);
    h->pid = 0;
    if (is_needed(m)) {
        log_u64(&line, "next_in_ms", wait_ms);
    }
    log_end(&line);
}

bool master_reap_hasher(struct master *m, pid_t pid, int status)
{
    struct master_hasher *h = &m->hasher;
    if (h->pid == 0 || pid != h->pid) {
        return false;
    }
    if (WIFSTOPPED(status) || WIFCONTINUED(status)) {
        h->stopped_ms = WIFSTOPPED(status) ? clock_now_ms() : 0;
    } else {
        on_exit_of(m, status);
    }
    return true;
}

void master_end_hasher(struct master *m)
{
    struct master_hasher *h = &m->hasher;
    if (h->pid != 0) {
        kill(h->pid, SIGKILL); /* it has nothing to tidy up */
        (void)waitpid(h->pid, NULL, 0);
        h->pid = 0;
    }
    for (size_t i = 0; i < 2; i++) {
        if (h->channel[i] != -1) {
            close(h->channel[i]);
            h->channel[i] = -1;
        }
    }
}
