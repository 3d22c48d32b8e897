/* SPDX-License-Identifier: GPL-3.0-or-later */
/* log_parts.h: what the sources of log.h know of each other.
 *
 * log.c builds lines; log_sink.c hands a line to the sink, and to standard error when the sink is
 * not there; log_daemon.c speaks with the daemons of syslog and journald. Not for: anybody else. */
#ifndef BASE_LOG_PARTS_H
#define BASE_LOG_PARTS_H

#include "base/log.h"

/* text[0] is a newline that goes out only after a line that standard error took in part. */
#define LINE_START 1
/* Room for what log_put_tail adds: cut, log_dropped, brace, newline. */
#define TAIL_MAX_BYTES 64

extern enum log_level log_level_now;
extern enum log_format log_format_now;

/* Ends the text with what only the end knows, `dropped` of the sink that gets the line among it. */
void log_put_tail(struct log_line *line, uint64_t dropped);
/* False: there is no standard error. */
bool log_has_sink(void);

enum log_result {
    LOG_TAKEN = 0,
    LOG_FULL,  /* the daemon is there and takes nothing just now */
    LOG_ABSENT /* nobody listens there: *out_errno says why */
};
/* Opens nothing yet; what was open is closed. */
void log_daemon_set(enum log_sink sink, const char *path);
const char *log_daemon_path(void);
/* The whole line, with its tail. Never waits. */
enum log_result log_daemon_send(const struct log_line *line, int *out_errno);
/* Is somebody there? Sends nothing. */
enum log_result log_daemon_probe(int *out_errno);

#endif
