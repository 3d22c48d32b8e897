/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One datagram for a line, in the form of syslog(3) or in the native protocol of journald
 * (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/). The socket is never connected: each datagram names
 * the path, so a daemon that starts anew, with a new socket file, gets the next line. A worker in
 * the sandbox can do that too: it may make Unix sockets, and Landlock does not hide them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/log_parts.h"

#define FACILITY_DAEMON 3
#define NAME "sluice"
#define FIELD_PREFIX "SLUICE_"
/* The message, and each field once more with its prefix and a newline. */
#define DATAGRAM_MAX (2 * LOG_LINE_MAX + LOG_FIELDS_MAX * sizeof(FIELD_PREFIX) + 128)

static const unsigned severities[] = {3, 4, 6, 7}; /* err, warning, info, debug of syslog */

static struct {
    enum log_sink sink;
    struct sockaddr_un address;
    int fd;
} daemon_now = {.fd = -1};

struct datagram {
    char bytes[DATAGRAM_MAX];
    size_t len;
};

void log_daemon_set(enum log_sink sink, const char *path)
{
    if (daemon_now.fd != -1) {
        (void)close(daemon_now.fd);
    }
    daemon_now.fd = -1;
    daemon_now.sink = sink;
    daemon_now.address = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)span_copy(span_from_str(path), daemon_now.address.sun_path,
                    sizeof(daemon_now.address.sun_path));
}

const char *log_daemon_path(void)
{
    return daemon_now.address.sun_path;
}

/* --- what goes out --------------------------------------------------------------------------- */

static void add(struct datagram *d, const char *text, size_t len)
{
    if (len <= sizeof(d->bytes) - d->len) {
        memcpy(d->bytes + d->len, text, len);
        d->len += len;
    }
}

static void add_str(struct datagram *d, const char *text)
{
    add(d, text, strlen(text));
}

/* "<30>Jan  2 15:04:05 sluice[123]: " and the line. The time is that of the place, as syslog(3)
 * writes it; log_init has read its rules before a sandbox hides them. */
static void write_syslog(struct datagram *d, const struct log_line *line)
{
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    char head[80];
    time_t now = time(NULL);
    struct tm here = {0};
    (void)localtime_r(&now, &here);
    (void)snprintf(head, sizeof(head), "<%u>%s %2d %02d:%02d:%02d " NAME "[%d]: ",
                   FACILITY_DAEMON * 8 + severities[line->level], months[here.tm_mon % 12],
                   here.tm_mday, here.tm_hour, here.tm_min, here.tm_sec, (int)getpid());
    add_str(d, head);
    add(d, line->text + LINE_START, line->len - LINE_START - 1);
}

/* The name of a field in the journal has capitals, digits and underscores only. */
static void add_name(struct datagram *d, const char *key, size_t len)
{
    add_str(d, FIELD_PREFIX);
    for (size_t i = 0; i < len; i++) {
        char c = key[i];
        c = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
        add(d, &c, 1);
    }
}

/* Values are as the line has them, escaped: so nothing from the network looks like something else
 * in the journal either, and none has a newline, which would need the protocol's binary form. */
static void write_journal(struct datagram *d, const struct log_line *line)
{
    char head[80];
    (void)snprintf(head, sizeof(head),
                   "PRIORITY=%u\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=" NAME "\nMESSAGE=",
                   severities[line->level], FACILITY_DAEMON);
    add_str(d, head);
    add(d, line->text + LINE_START, line->len - LINE_START); /* its newline ends the field */
    for (size_t i = 0; i < line->field_count; i++) {
        const struct log_field *field = &line->fields[i];
        add_name(d, line->text + field->key_at, field->key_len);
        add_str(d, "=");
        add(d, line->text + field->value_at, field->value_len);
        add_str(d, "\n");
    }
}

/* --- sending --------------------------------------------------------------------------------- */

static enum log_result result_of(int reason)
{
    switch (reason) {
    case 0:
        return LOG_TAKEN;
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
        return LOG_FULL;
    default:
        return LOG_ABSENT;
    }
}

static bool has_socket(void)
{
    if (daemon_now.fd == -1) {
        daemon_now.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    }
    return daemon_now.fd != -1;
}

enum log_result log_daemon_send(const struct log_line *line, int *out_errno)
{
    struct datagram d;
    ssize_t sent = -1;
    d.len = 0;
    if (daemon_now.sink == LOG_JOURNALD) {
        write_journal(&d, line);
    } else {
        write_syslog(&d, line);
    }
    if (has_socket()) {
        do {
            sent = sendto(daemon_now.fd, d.bytes, d.len, MSG_DONTWAIT | MSG_NOSIGNAL,
                          (const struct sockaddr *)&daemon_now.address, sizeof(daemon_now.address));
        } while (sent == -1 && errno == EINTR);
    }
    *out_errno = sent == -1 ? errno : 0;
    return result_of(*out_errno);
}

enum log_result log_daemon_probe(int *out_errno)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool is_there = fd != -1 && connect(fd, (const struct sockaddr *)&daemon_now.address,
                                        sizeof(daemon_now.address)) == 0;
    *out_errno = is_there ? 0 : errno;
    if (fd != -1) {
        (void)close(fd);
    }
    return result_of(*out_errno);
}
