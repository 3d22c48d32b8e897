/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where lines go: to standard error, or to a daemon and only while that is not there to standard
 * error. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log_parts.h"

enum sink_kind {
    SINK_NONE = 0,
    SINK_PRIVATE, /* a non-blocking description of our own: write */
    SINK_SOCKET,  /* nobody can open a socket again: send without waiting */
    SINK_SHARED   /* its flags belong to others too: poll, then write */
};

struct log_state {
    enum sink_kind kind; /* of standard error */
    int fd;              /* lines for standard error are written to it */
    int origin;          /* the fd given to log_init */
    bool is_torn;        /* the last line there went out in part */
    enum log_sink sink;
    bool is_absent; /* the daemon was not there last, and standard error says so */
    bool has_time_rules;
    struct {
        uint64_t lines; /* since the last line that came out */
        uint64_t total;
    } dropped[LOG_SINKS];
};

static struct log_state state = {.fd = -1, .origin = -1};

static const char *const sink_names[LOG_SINKS] = {"stderr", "syslog", "journald"};
static const char *const usual_paths[LOG_SINKS] = {"", "/dev/log", "/run/systemd/journal/socket"};

static void note_dropped(enum log_sink sink)
{
    state.dropped[sink].lines++;
    state.dropped[sink].total++;
}

/* --- standard error -------------------------------------------------------------------------- */

static ssize_t write_once(const char *text, size_t len)
{
    struct pollfd ready = {.fd = state.fd, .events = POLLOUT};
    switch (state.kind) {
    case SINK_NONE:
        break;
    case SINK_SOCKET:
        return send(state.fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    case SINK_SHARED:
        if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) {
            errno = EAGAIN;
            return -1;
        }
        return write(state.fd, text, len);
    case SINK_PRIVATE:
        return write(state.fd, text, len);
    }
    errno = EBADF;
    return -1;
}

/* The text ends before its tail. */
static void to_stderr(struct log_line *line)
{
    log_put_tail(line, state.dropped[LOG_STDERR].lines);
    /* After half a line the next one starts with a newline. */
    size_t start = state.is_torn ? 0 : LINE_START;
    size_t want = line->len - start;
    ssize_t sent = 0;
    do {
        sent = write_once(line->text + start, want);
    } while (sent == -1 && errno == EINTR);
    if (sent > 0 && (size_t)sent == want) {
        state.dropped[LOG_STDERR].lines = 0;
        state.is_torn = false;
        return;
    }
    note_dropped(LOG_STDERR);
    /* If only that newline went out, no line is torn. */
    state.is_torn = sent > 0 ? !(state.is_torn && sent == 1) : state.is_torn;
}

static int open_private(int fd)
{
    char path[40];
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

static enum sink_kind shared_kind(int fd)
{
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        return SINK_NONE;
    }
    return S_ISSOCK(status.st_mode) ? SINK_SOCKET : SINK_SHARED;
}

/* Others write to `fd` too (assert, libraries): their texts must not overwrite the beginning of the
 * file, where the position of a redirection without append stays. */
static void append_to_file(int fd)
{
    struct stat status;
    int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);
    if (flags != -1 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        (void)fcntl(fd, F_SETFL, flags | O_APPEND);
    }
}

void log_init(int fd, enum log_level level, enum log_format format)
{
    int saved_errno = errno;
    append_to_file(fd);
    log_level_now = level;
    log_format_now = format;
    if (!state.has_time_rules) { /* the time of syslog's lines; a sandbox hides the file */
        state.has_time_rules = true;
        tzset();
    }
    int own = fd < 0 ? -1 : open_private(fd);
    /* A worker in a sandbox can open nothing more; its old description serves on. */
    bool keeps_old = own == -1 && fd >= 0 && state.kind == SINK_PRIVATE && state.origin == fd;
    if (!keeps_old) {
        if (state.kind == SINK_PRIVATE) {
            (void)close(state.fd);
        }
        state.kind = own != -1 ? SINK_PRIVATE : shared_kind(fd);
        state.fd = own != -1 ? own : fd;
        state.origin = fd;
    }
    errno = saved_errno;
}

/* --- a daemon -------------------------------------------------------------------------------- */

/* Standard error has this line once, until the daemon takes a line again. */
static void tell_absent(int reason)
{
    struct log_line line;
    state.is_absent = true;
    log_begin(&line, LOG_ERROR, "log.absent");
    if (line.len == 0) {
        return;
    }
    log_str(&line, "sink", sink_names[state.sink]);
    log_str(&line, "socket", log_daemon_path());
    log_str(&line, "detail", strerror(reason));
    log_str(&line, "msg", "lines go to standard error until somebody listens there");
    to_stderr(&line);
}

/* True: the line has gone where it can go. False: the daemon is not there. */
static bool to_daemon(struct log_line *line)
{
    int reason = 0;
    log_put_tail(line, state.dropped[state.sink].lines);
    switch (log_daemon_send(line, &reason)) {
    case LOG_TAKEN:
        state.dropped[state.sink].lines = 0;
        state.is_absent = false;
        return true;
    case LOG_FULL:
        note_dropped(state.sink);
        return true;
    case LOG_ABSENT:
        break;
    }
    note_dropped(state.sink);
    if (!state.is_absent) {
        tell_absent(reason);
    }
    return false;
}

void log_end(struct log_line *line)
{
    if (line->len == 0) {
        return;
    }
    int saved_errno = errno;
    size_t len = line->len;
    size_t field_count = line->field_count;
    if (state.sink == LOG_STDERR || !to_daemon(line)) {
        line->len = len; /* without the tail for the daemon */
        line->field_count = field_count;
        to_stderr(line);
    }
    line->len = 0;
    errno = saved_errno;
}

void log_send_to(enum log_sink sink, const char *path)
{
    int saved_errno = errno;
    int reason = 0;
    path = path == NULL || path[0] == '\0' ? usual_paths[sink] : path;
    bool is_same = sink == state.sink && strcmp(path, log_daemon_path()) == 0;
    if (!is_same) {
        state.sink = sink;
        state.is_absent = false;
        log_daemon_set(sink, path);
    }
    if (!is_same && sink != LOG_STDERR && log_daemon_probe(&reason) == LOG_ABSENT) {
        tell_absent(reason);
    }
    errno = saved_errno;
}

uint64_t log_dropped_total(enum log_sink sink)
{
    return state.dropped[sink].total;
}

const char *log_sink_name(enum log_sink sink)
{
    return sink_names[sink];
}

bool log_has_sink(void)
{
    return state.kind != SINK_NONE || state.sink != LOG_STDERR;
}
