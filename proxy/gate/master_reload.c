/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A reload: reads and proves the configuration, plans its sockets, and brings the workers through
 * the two phases of reload.h. Until the commit nothing changes that anybody could notice. */
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "conf/change.h"
#include "gate/control.h"
#include "gate/jail.h"
#include "gate/master_parts.h"

#define SOON_MS 1000 /* to the second look at files that do not fit together */
#define SEND_MS 1000 /* for all that one worker is sent */

/* --- a candidate ----------------------------------------------------------------------------- */

static void drop_next(struct master *m)
{
    sockets_drop_plan(&m->sockets);
    config_free(m->next.config);
    bundle_done(&m->next.bundle);
    m->next = (struct master_next){.config = NULL};
}

/* Ends the reload; the workers forget what they have prepared. */
static void fail(struct master *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fail(struct master *m, const char *format, ...)
{
    const struct control_message abandon = {.kind = CONTROL_ABANDON};
    char text[SOCKETS_TEXT_MAX + CONTROL_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    master_tell_failed(m, text);
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->reload.takes_part[i]) {
            bool is_sent = control_send(m->slots[i].control_fd, &abandon, -1);
            (void)is_sent; /* the next CONTROL_PREPARE makes it forget too */
        }
    }
    drop_next(m);
    reload_end(&m->reload);
}

/* The running program cannot become somebody else, nor get back what it gave up. */
static bool keep_identity(struct master *m, const struct config *before, struct config *next)
{
    if (next->is_sandboxed != before->is_sandboxed && flood_lets(&m->flood, FLOOD_RELOAD_KEPT)) {
        log_message(LOG_WARN, "reload.kept",
                    "`sandbox` cannot change while sluice runs: restart it for that");
    }
    next->is_sandboxed = before->is_sandboxed;
    if (next->has_ids && (next->uid != before->uid || next->gid != before->gid) &&
        flood_lets(&m->flood, FLOOD_RELOAD_KEPT)) {
        log_message(LOG_WARN, "reload.kept",
                    "`user` cannot change by a reload: upgrade (SIGUSR2) or restart for that");
    }
    next->has_ids = before->has_ids;
    next->uid = before->uid;
    next->gid = before->gid;
    return arena_copy(&next->holders->memory, before->user, &next->user);
}

static size_t count_changed_files(const struct bundle *before, const struct bundle *now)
{
    size_t count = 0;
    for (const struct bundle_file *file = now->files; file != NULL; file = file->next) {
        const struct bundle_file *old = bundle_find(before, file->name);
        count += old == NULL || !span_is_equal(old->bytes, file->bytes);
    }
    return count;
}

/* False: the reload has failed and ended. */
static bool make_next(struct master *m, struct config *config)
{
    char text[SOCKETS_TEXT_MAX];
    m->next.config = config;
    m->next.is_renewal = !jail_covers_files(m->config, config);
    m->next.slot_count = master_slots_for(m, config->workers, m->next.is_renewal);
    m->next.files_changed = count_changed_files(&m->bundle, &m->next.bundle);
    change_count(m->config, config, &m->next.change);
    if (!keep_identity(m, m->config, config)) {
        fail(m, "out of memory");
        return false;
    }
    if (m->next.is_renewal && m->next.slot_count < master_busy_slots(m) + config->workers) {
        fail(m, "another root of [files] needs other workers, and too many have yet to end");
        return false;
    }
    if (!sockets_plan(&m->sockets, config, m->next.slot_count, text)) {
        fail(m, "%s", text);
        return false;
    }
    return true;
}

/* --- the first phase ------------------------------------------------------------------------- */

/* A worker reads what it is sent, and a message waits for room when there are many new addresses;
 * but the master does not wait long for one worker. */
static bool send_patiently(int control_fd, const struct control_message *message, int passed_fd,
                           uint64_t end_ms)
{
    while (!control_send(control_fd, message, passed_fd)) {
        struct pollfd room = {.fd = control_fd, .events = POLLOUT};
        uint64_t now_ms = clock_now_ms();
        if (now_ms >= end_ms || poll(&room, 1, (int)(end_ms - now_ms)) <= 0 ||
            (room.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) {
            return false;
        }
    }
    return true;
}

static bool is_gone(int control_fd)
{
    struct pollfd end = {.fd = control_fd, .events = 0};
    return poll(&end, 1, 0) == 1;
}

static bool send_next(const struct master *m, size_t slot, int bundle_fd)
{
    int control_fd = m->slots[slot].control_fd;
    uint64_t end_ms = clock_now_ms() + SEND_MS;
    struct control_message message = {.kind = CONTROL_PREPARE, .number = m->reload.number};
    bool is_sent = send_patiently(control_fd, &message, bundle_fd, end_ms);
    message.kind = CONTROL_SOCKET;
    for (size_t i = 0; is_sent && i < m->next.config->listen_count; i++) {
        if (sockets_is_new(&m->sockets, i)) {
            message.listen = (uint32_t)i;
            is_sent = send_patiently(control_fd, &message, sockets_fd(&m->sockets.planned, i, slot),
                                     end_ms);
        }
    }
    return is_sent;
}

static void ask_workers(struct master *m)
{
    int bundle_fd = bundle_seal(&m->next.bundle);
    if (bundle_fd == -1) {
        fail(m, "cannot make a memory file: out of memory or descriptors");
        return;
    }
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].state != SLOT_SERVING) {
            continue;
        }
        reload_ask(&m->reload, i);
        if (!send_next(m, i, bundle_fd)) {
            /* A dead one is reaped; its successor begins with what is in force. */
            if (m->slots[i].control_fd == -1 || is_gone(m->slots[i].control_fd)) {
                reload_forget(&m->reload, i);
                continue;
            }
            fail(m, "worker %zu does not read what the master says", i);
            break;
        }
    }
    close(bundle_fd);
}

/* Takes over m->next.bundle, which is read. */
static void begin(struct master *m, bool is_silent)
{
    struct report report;
    reload_begin(&m->reload, clock_now_ms());
    struct config *config = config_build(&m->next.bundle, CONFIG_TO_PROVE, &report);
    if (config == NULL && is_silent) {
        drop_next(m);
        reload_end(&m->reload);
    } else if (config == NULL) {
        master_log_report(m, &report);
        fail(m, report.count > 0 ? "the configuration has errors" : "out of memory");
    } else if (bundle_is_same(&m->bundle, &m->next.bundle) &&
               config->workers == m->config->workers) {
        master_tell_done(m);
        config_free(config);
        drop_next(m);
        reload_end(&m->reload);
    } else {
        master_log_report(m, &report);
        if (make_next(m, config)) {
            ask_workers(m);
        }
    }
    report_done(&report);
}

/* --- the second phase ------------------------------------------------------------------------ */

/* The workers that accept for other slots get the new sockets of those too. */
static void give_adopters(struct master *m, const struct config *before)
{
    for (size_t slot = 0; slot < m->slot_count; slot++) {
        size_t adopter = m->slots[slot].adopter;
        for (size_t i = 0; adopter != MASTER_NOBODY && i < m->config->listen_count; i++) {
            const struct control_message message = {
                .kind = CONTROL_ADOPT, .slot = (uint32_t)slot, .listen = (uint32_t)i};
            bool is_new =
                change_find_listen(before, &m->config->listens[i], i) == before->listen_count;
            if (is_new && !control_send(m->slots[adopter].control_fd, &message,
                                        sockets_fd(&m->sockets.current, i, slot))) {
                master_take_back(m, adopter, slot); /* and give all of it anew */
                break;
            }
        }
    }
}

/* Workers that leave serve [health] as it was before; from now on others do. */
static void release_leaving(const struct master *m)
{
    for (size_t i = 0; i < m->slot_count; i++) {
        const struct control_message release = {.kind = CONTROL_RELEASE, .slot = (uint32_t)i};
        if (m->slots[i].state == SLOT_LEAVING && m->slots[i].control_fd != -1) {
            bool is_sent = control_send(m->slots[i].control_fd, &release, -1);
            (void)is_sent; /* else it ends soon */
        }
    }
}

static void tell_commit(struct master *m)
{
    const struct control_message commit = {.kind = CONTROL_COMMIT, .number = m->reload.number};
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->reload.takes_part[i] && !control_send(m->slots[i].control_fd, &commit, -1)) {
            /* It would go on with what is no longer in force. */
            log_message(LOG_ERROR, "worker.killed",
                        "the worker of slot %zu takes no new "
                        "configuration",
                        i);
            kill(m->slots[i].pid, SIGKILL);
            reload_forget(&m->reload, i);
        }
    }
}

static void commit(struct master *m)
{
    char text[SOCKETS_TEXT_MAX];
    const struct config *before = m->config;
    struct bundle bundle = m->bundle;
    if (!sockets_commit(&m->sockets, clock_now_ms(), text)) {
        log_message(LOG_ERROR, "listen.failed", "%s", text);
    }
    m->config = m->next.config;
    m->bundle = m->next.bundle;
    m->next.config = NULL;
    m->next.bundle = (struct bundle){.count = 0};
    log_init(STDERR_FILENO, m->config->log_level, m->config->log_format);
    log_send_to(m->config->log_sink, m->config->log_socket.data);
    flood_set_limit(&m->flood, m->config->log_limit);
    seats_enter(m->seats, m->config); /* a reload that fails takes no row from anybody */
    tell_commit(m);
    release_leaving(m);
    reload_commit(&m->reload, clock_now_ms());
    give_adopters(m, before);
    master_log_listens(m, before);
    if (m->next.is_renewal) {
        log_message(LOG_INFO, "reload.workers",
                    "a root of [files] is new: workers whose sandbox lets them read it take over, "
                    "the others end with their sessions");
    }
    master_set_workers(m, m->next.slot_count, m->next.is_renewal);
    config_free(before);
    bundle_done(&bundle);
}

/* --- what starts a reload -------------------------------------------------------------------- */

static bool is_somebody_starting(const struct master *m)
{
    for (size_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].pid != 0 && m->slots[i].state == SLOT_STARTING) {
            return true;
        }
    }
    return false;
}

static void begin_by_signal(struct master *m)
{
    m->is_reload_wanted = false;
    if (m->bundle.files == NULL) {
        log_message(LOG_WARN, "reload.failed",
                    "no file to read again: a certificate made for "
                    "this run, and options");
        return;
    }
    if (m->bundle.files->name.len == 0) { /* the text was made of options */
        bundle_read_again(&m->next.bundle, &m->bundle);
    } else {
        bundle_read(&m->next.bundle, m->bundle.files->name.data);
    }
    m->next.is_watch = false;
    begin(m, false);
}

/* What is in force is what the files hold again, after they held something bad: a reload without a
 * change says that all is well. */
static void begin_again(struct master *m)
{
    bundle_read_again(&m->next.bundle, &m->bundle);
    m->next.is_watch = true;
    begin(m, false);
}

/* Files that do not fit together are often half written, so nobody hears of them before a second
 * look finds them so. The log has each such state once. */
static void look_at_files(struct master *m)
{
    uint64_t soon_ms = m->config->watch_ms < SOON_MS ? m->config->watch_ms : SOON_MS;
    uint64_t now_ms = clock_now_ms();
    struct bundle bundle;
    bundle_read_again(&bundle, &m->bundle);
    m->watch_ms = now_ms + m->config->watch_ms;
    bool is_known = bundle_is_same(&bundle, &m->bad);
    bool is_in_force = bundle_is_same(&bundle, &m->bundle);
    if (is_in_force && m->bad.count > 0) {
        bundle_done(&m->bad);
        if (m->is_failure_told) {
            m->is_failure_told = false;
            begin_again(m);
        }
    }
    if (is_in_force || (is_known && m->is_bad_told)) {
        bundle_done(&bundle);
        return;
    }
    bundle_read_again(&m->next.bundle, &m->bundle);
    m->next.is_watch = true;
    begin(m, !is_known);
    if (m->reload.phase != RELOAD_IDLE) {
        bundle_done(&bundle);
        return;
    }
    /* It has failed. What was read first is never newer than what has failed: files that somebody
     * mended meanwhile are other ones, and the next look takes them. */
    bundle_done(&m->bad);
    m->bad = bundle;
    m->is_bad_told = is_known;
    m->is_failure_told = m->is_failure_told || is_known;
    m->watch_ms = is_known ? m->watch_ms : now_ms + soon_ms;
}

static bool may_begin(const struct master *m)
{
    return m->phase == MASTER_SERVING && m->reload.phase == RELOAD_IDLE &&
           m->upgrade.phase == UPGRADE_IDLE && !is_somebody_starting(m);
}

static void begin_when_due(struct master *m)
{
    if (m->is_reload_wanted) {
        begin_by_signal(m);
    } else if (m->bundle.files != NULL && m->config->watch_ms > 0 &&
               clock_now_ms() >= m->watch_ms) {
        look_at_files(m);
    }
}

void master_reload(struct master *m)
{
    if (may_begin(m)) {
        begin_when_due(m);
    }
    if (m->phase == MASTER_STOPPING) {
        return;
    }
    /* A phase in which nobody has to answer leads to the next one at once. */
    for (;;) {
        switch (reload_next(&m->reload, clock_now_ms())) {
        case RELOAD_WAIT:
            return;
        case RELOAD_COMMIT:
            commit(m);
            break;
        case RELOAD_LATE:
            fail(m, "worker %zu does not answer", reload_late_slot(&m->reload));
            break;
        case RELOAD_DONE:
            master_tell_done(m);
            drop_next(m);
            bundle_done(&m->bad);
            m->is_failure_told = false;
            reload_end(&m->reload);
            m->watch_ms = clock_now_ms() + m->config->watch_ms;
            break;
        }
    }
}

uint64_t master_reload_due_ms(const struct master *m)
{
    if (m->reload.phase != RELOAD_IDLE && m->phase != MASTER_STOPPING) {
        return m->reload.deadline_ms;
    }
    if (!may_begin(m)) {
        return UINT64_MAX; /* whatever holds it up wakes the master */
    }
    if (m->is_reload_wanted) {
        return 0;
    }
    return m->bundle.files != NULL && m->config->watch_ms > 0 ? m->watch_ms : UINT64_MAX;
}

void master_hear_reload(struct master *m, size_t slot, const struct control_message *message)
{
    if (m->phase == MASTER_STOPPING) {
        return; /* nobody waits for it any more */
    }
    if (message->kind == CONTROL_UNFIT) {
        if (m->reload.phase == RELOAD_PREPARING && message->number == m->reload.number) {
            fail(m, "worker %zu cannot take it: %s", slot, message->text);
        }
        return;
    }
    reload_answer(&m->reload, slot, message->number);
}

void master_leave_reload(struct master *m, size_t slot)
{
    if (m->reload.phase != RELOAD_IDLE) {
        reload_forget(&m->reload, slot);
    }
}

void master_forget_files(struct master *m)
{
    config_free(m->next.config);
    bundle_done(&m->next.bundle);
    bundle_done(&m->bad);
    bundle_done(&m->bundle);
}

void master_release_reload(struct master *m)
{
    drop_next(m);
    master_forget_files(m);
    config_free(m->config);
}
