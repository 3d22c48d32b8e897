/* SPDX-License-Identifier: GPL-3.0-or-later */
/* log.h: levelled lines, key=value or JSON.
 *
 * For: what an operator reads, on standard error or with the daemons of syslog and journald. Not
 * for: proto/ and io/, which never log. One line is one write or one datagram. A sink that does not
 * take a line at once loses it; the next line that goes out says how many it lost
 * (`log_dropped=N`). So the log never blocks the loop. It escapes text from the network: no
 * control byte, quote or invalid UTF-8 reaches the sink raw. It cuts a value of more than 256 bytes
 * between characters and marks it with its whole length: "abc…(1000)".
 *
 *     ts=2026-01-01T00:00:00.000Z level=info event=session.end id=0-1 ending=client_close
 *     {"ts":"2026-01-01T00:00:00.000Z","level":"info","event":"session.end","id":"0-1",...}
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum log_level { LOG_ERROR = 0, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_KEY_VALUE = 0, LOG_JSON };
enum log_sink { LOG_STDERR = 0, LOG_SYSLOG, LOG_JOURNALD };
#define LOG_SINKS 3

#define LOG_LINE_MAX 2048  /* bytes of one line, newline included */
#define LOG_FIELDS_MAX 48  /* so many fields of a line are fields in the journal too */
#define LOG_SOCKET_MAX 107 /* bytes of the path of a daemon's socket */

/* Opens a private non-blocking description of `fd` (stderr) where the system allows it. Where `fd`
 * is a regular file, everybody's texts are appended to it from here on. A further call changes
 * level or format, also after fork; it keeps the old description when the system no longer allows a
 * new one. Before the first call, and with fd -1, the log writes nothing. The program ignores
 * SIGPIPE: a pipe without a reader loses lines like a full one. */
void log_init(int fd, enum log_level level, enum log_format format);
/* From now on lines go to the daemon that listens at the Unix socket `path`; NULL or "": where
 * that daemon usually listens. LOG_STDERR: to the descriptor of log_init again, which is also
 * what counts in the beginning. While nobody listens at the socket, lines go to standard error;
 * one line `log.absent` there says why, and each of them counts as one that the daemon lost. A
 * daemon that starts anew gets the next line. Works in a worker's sandbox. */
void log_send_to(enum log_sink sink, const char *path);
/* Sets the `proc` of every line ("w0", "master"), at most 15 bytes of it. */
void log_set_process(const char *name);
/* Lines that this sink did not take since the process began. */
uint64_t log_dropped_total(enum log_sink sink);
/* "stderr", "syslog", "journald" */
const char *log_sink_name(enum log_sink sink);
bool log_is_on(enum log_level level);

/* The caller builds a line field by field on its stack; log_end writes the line:
 *     struct log_line line;
 *     log_begin(&line, LOG_INFO, "session.end");
 *     log_text(&line, "route", span);
 *     log_end(&line);
 * Keys are constants of ours, never network text. A line leaves out a field that does not fit, and
 * says `cut=1`. */
struct log_field { /* places in `text` */
    uint16_t key_at;
    uint16_t key_len;
    uint16_t value_at; /* without quotes */
    uint16_t value_len;
};

struct log_line {
    enum log_level level;
    size_t len;
    bool is_cut;
    size_t field_count;
    struct log_field fields[LOG_FIELDS_MAX];
    char text[LOG_LINE_MAX];
};

void log_begin(struct log_line *line, enum log_level level, const char *event);
void log_text(struct log_line *line, const char *key, struct span value);
void log_str(struct log_line *line, const char *key, const char *value);
void log_u64(struct log_line *line, const char *key, uint64_t value);
void log_end(struct log_line *line);

/* One event with one field `msg`, whose text (printf format) the log escapes as a whole. */
void log_message(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes `value` escaped for `format` and cut as above, without quotes around it; returns bytes
 * written (< size), always NUL-terminated. It leaves out whole characters and escapes that do not
 * fit. Escapes: \n \r \t \" \\, else \xNN for each byte (key=value, nothing is lost) or \uNNNN with
 * U+FFFD for a byte that is not UTF-8 (JSON). Pure; exposed for tests and the fuzz target. */
size_t log_escape(enum log_format format, struct span value, char *out, size_t size);

#endif
