/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report.h: everything that is wrong with a configuration, told at once.
 *
 * For: collecting errors and warnings with their lines, and printing them as FILE:LINE: message. An
 * error keeps sluice from starting, a warning does not: the program does what the file says, but
 * that is hardly what the operator wants. Not for: what is wrong while the program runs. A report
 * of zeros is empty and ready; report_done frees it. It may stay empty and yet is_failed, when
 * there was no memory even for an error. */
#ifndef CONF_REPORT_H
#define CONF_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/span.h"

#define REPORT_ERRORS_MAX 1000 /* errors that are listed; one more says that there are others */
#define REPORT_BYTES_MAX 512   /* of a message */

struct report_error {
    unsigned line; /* 0 = the file as a whole */
    bool is_warning;
    char message[REPORT_BYTES_MAX];
};

struct report {
    struct report_error *errors; /* owned; warnings too */
    size_t count;
    bool is_failed; /* there is an error */
};

void report_add(struct report *report, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void report_warn(struct report *report, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void report_no_memory(struct report *report);
/* By line; the errors of one line stay in the order in which they were added. */
void report_sort(struct report *report);
/* "FILE:LINE: message" or "FILE:LINE: warning: message" lines; without ":LINE" for line 0. */
void report_print(const struct report *report, const char *path, FILE *out);
/* The same as log lines of their own, for a program that starts in spite of warnings. */
void report_log(const struct report *report, const char *path);
void report_done(struct report *report);

/* The front of `text`, short enough for a message. It never ends inside a character. */
struct span report_quote(struct span text);
/* The same for a file's path, which is worth more room. */
struct span report_quote_path(struct span path);
/* The two arguments of "%.*s". */
#define REPORT_SHOW(text_) (int)report_quote(text_).len, report_quote(text_).data
#define REPORT_SHOW_PATH(path_) (int)report_quote_path(path_).len, report_quote_path(path_).data

#endif
