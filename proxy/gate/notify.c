/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/notify.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define MESSAGE_MAX 512

/* --- the environment ------------------------------------------------------------------------- */

/* "/path" or "@name", a name in the abstract namespace. */
static bool parse_address(struct span text, struct addr *out)
{
    if (text.len < 2 || (text.data[0] != '/' && text.data[0] != '@') ||
        !addr_from_unix_path(text, out)) {
        return false;
    }
    if (text.data[0] == '@') {
        out->u.un.sun_path[0] = '\0';
        out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + text.len);
    }
    return true;
}

static uint64_t read_watchdog_ms(void)
{
    uint64_t pid = 0;
    uint64_t us = 0;
    const char *meant = getenv("WATCHDOG_PID");
    if (meant != NULL &&
        (!span_parse_u64(span_from_str(meant), &pid) || pid != (uint64_t)getpid())) {
        return 0;
    }
    if (!span_parse_u64(span_from_str(getenv("WATCHDOG_USEC")), &us) || us == UINT64_MAX) {
        return 0;
    }
    uint64_t half_ms = us / 2000;
    return us > 0 && half_ms == 0 ? 1 : half_ms;
}

void notify_init(struct notify *n)
{
    const char *address = getenv("NOTIFY_SOCKET");
    *n = (struct notify){.fd = -1, .beat_ms = UINT64_MAX};
    if (address == NULL || address[0] == '\0') {
        return;
    }
    if (!parse_address(span_from_str(address), &n->address)) {
        log_message(LOG_WARN, "notify.failed",
                    "NOTIFY_SOCKET is neither /PATH nor @NAME: sluice cannot tell whoever started "
                    "it that it is ready");
        return;
    }
    n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (n->fd == -1) {
        log_message(LOG_WARN, "notify.failed", "cannot make a socket for NOTIFY_SOCKET: %s",
                    strerror(errno));
        return;
    }
    n->beat_every_ms = read_watchdog_ms();
}

void notify_done(struct notify *n)
{
    if (n->fd != -1) {
        close(n->fd);
    }
    n->fd = -1;
}

bool notify_is_on(const struct notify *n)
{
    return n->fd != -1;
}

/* --- one message ----------------------------------------------------------------------------- */

static void note_failure(struct notify *n, int reason, uint64_t now_ms)
{
    n->retry_ms = now_ms + NOTIFY_RETRY_MS;
    if (!n->is_failing && reason != EAGAIN) {
        log_message(LOG_WARN, "notify.failed", "NOTIFY_SOCKET takes no message: %s",
                    strerror(reason));
        n->is_failing = true;
    }
}

/* passed_fd -1 = none. */
static bool send_message(struct notify *n, const char *text, int passed_fd, uint64_t now_ms)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
    struct msghdr message = {
        .msg_name = &n->address.u, .msg_namelen = n->address.len, .msg_iov = &iov, .msg_iovlen = 1};
    if (passed_fd != -1) {
        memset(&control, 0, sizeof(control));
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &passed_fd, sizeof(int));
    }
    if (sendmsg(n->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == -1) {
        note_failure(n, errno, now_ms);
        return false;
    }
    n->retry_ms = 0;
    n->is_failing = false;
    return true;
}

/* --- what the manager does not know yet ------------------------------------------------------ */

static const char *print_phase(const struct notify_state *state, char out[MESSAGE_MAX])
{
    size_t len = 0;
    switch (state->phase) {
    case NOTIFY_STARTING:
        out[0] = '\0';
        break;
    case NOTIFY_READY:
        len = (size_t)snprintf(out, MESSAGE_MAX, "READY=1\nMAINPID=%ld\n", (long)getpid());
        break;
    case NOTIFY_RELOADING:
        len = (size_t)snprintf(out, MESSAGE_MAX, "RELOADING=1\nMONOTONIC_USEC=%llu\n",
                               (unsigned long long)clock_now_us());
        break;
    case NOTIFY_STOPPING:
        len = (size_t)snprintf(out, MESSAGE_MAX, "STOPPING=1\n");
        if (state->grace_ms > 0) {
            len += (size_t)snprintf(out + len, MESSAGE_MAX - len, "EXTEND_TIMEOUT_USEC=%llu\n",
                                    (unsigned long long)state->grace_ms * 1000);
        }
        break;
    }
    if (state->status[0] != '\0') {
        snprintf(out + len, MESSAGE_MAX - len, "STATUS=%s\n", state->status);
    }
    return out;
}

/* False: there is more to tell, but not now. */
static bool tell_phase(struct notify *n, const struct notify_state *state, uint64_t now_ms)
{
    char text[MESSAGE_MAX];
    bool is_status_due = now_ms >= n->status_ms;
    if (is_status_due) {
        n->status_ms = now_ms + NOTIFY_STATUS_MS;
    }
    if (n->phase != state->phase) {
        print_phase(state, text);
    } else if (is_status_due && strcmp(n->status, state->status) != 0) {
        snprintf(text, sizeof(text), "STATUS=%s\n", state->status);
    } else {
        return true;
    }
    if (text[0] != '\0' && !send_message(n, text, -1, now_ms)) {
        n->status_ms = n->retry_ms;
        return false;
    }
    n->phase = state->phase;
    n->status_ms = now_ms + NOTIFY_STATUS_MS;
    memcpy(n->status, state->status, sizeof(n->status));
    return true;
}

static void beat(struct notify *n, bool is_working, uint64_t now_ms)
{
    if (!is_working || n->beat_every_ms == 0) {
        n->beat_ms = UINT64_MAX;
        return;
    }
    bool is_due = n->beat_ms == UINT64_MAX || now_ms >= n->beat_ms;
    if (is_due && send_message(n, "WATCHDOG=1\n", -1, now_ms)) {
        n->beat_ms = now_ms + n->beat_every_ms;
    }
}

void notify_tell(struct notify *n, const struct notify_state *state, uint64_t now_ms)
{
    if (n->fd == -1) {
        return;
    }
    if (tell_phase(n, state, now_ms)) {
        beat(n, state->is_working, now_ms);
    }
}

uint64_t notify_due_ms(const struct notify *n)
{
    if (n->fd == -1) {
        return UINT64_MAX;
    }
    if (n->retry_ms != 0) {
        return n->retry_ms;
    }
    return n->beat_ms < n->status_ms ? n->beat_ms : n->status_ms;
}

/* --- the store ------------------------------------------------------------------------------- */

bool notify_store(struct notify *n, int fd, const char *name, uint64_t now_ms)
{
    char text[MESSAGE_MAX];
    if (n->fd == -1) {
        return true;
    }
    snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s\n", name);
    return send_message(n, text, fd, now_ms);
}

bool notify_forget(struct notify *n, struct span name, uint64_t now_ms)
{
    char text[MESSAGE_MAX];
    if (n->fd == -1) {
        return true;
    }
    snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%.*s\n", (int)name.len, name.data);
    return send_message(n, text, -1, now_ms);
}

/* --- an upgrade ------------------------------------------------------------------------------ */

void notify_main_pid(struct notify *n, pid_t pid)
{
    char text[MESSAGE_MAX];
    if (n->fd == -1) {
        return;
    }
    snprintf(text, sizeof(text), "MAINPID=%ld\n", (long)pid);
    bool is_sent = send_message(n, text, -1, 0);
    (void)is_sent; /* the process says it itself when it is ready */
    notify_done(n);
}

void notify_hand_on(const struct notify *n)
{
    char pid[24];
    if (n->beat_every_ms > 0) {
        snprintf(pid, sizeof(pid), "%ld", (long)getpid());
        (void)setenv("WATCHDOG_PID", pid, 1);
    }
}
