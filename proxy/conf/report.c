/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/report.h"

#include <stdarg.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"

#define QUOTE_BYTES 60
#define QUOTE_PATH_BYTES 160

/* Room for one message; NULL: there is none. A full list gets one last error. */
static struct report_error *append(struct report *report, unsigned line, bool is_warning)
{
    struct report_error *errors;

    if (report->count > REPORT_ERRORS_MAX) {
        return NULL;
    }
    errors = mem_resize(report->errors, (report->count + 1) * sizeof(*errors));
    if (errors == NULL) {
        return NULL;
    }
    report->errors = errors;
    errors += report->count++;
    errors->line = line;
    errors->is_warning = is_warning;
    if (report->count > REPORT_ERRORS_MAX) {
        snprintf(errors->message, sizeof(errors->message),
                 "too many errors; the rest is not listed");
        return NULL;
    }
    return errors;
}

void report_add(struct report *report, unsigned line, const char *format, ...)
{
    struct report_error *error = append(report, line, false);
    va_list args;

    report->is_failed = true;
    if (error != NULL) {
        va_start(args, format);
        vsnprintf(error->message, sizeof(error->message), format, args);
        va_end(args);
    }
}

void report_warn(struct report *report, unsigned line, const char *format, ...)
{
    struct report_error *warning = append(report, line, true);
    va_list args;

    if (warning != NULL) {
        va_start(args, format);
        vsnprintf(warning->message, sizeof(warning->message), format, args);
        va_end(args);
    }
}

void report_no_memory(struct report *report)
{
    report_add(report, 0, "out of memory");
}

void report_sort(struct report *report)
{
    struct report_error *errors = report->errors;

    for (size_t i = 1; i < report->count; i++) {
        struct report_error moved = errors[i];
        size_t place = i;

        while (place > 0 && errors[place - 1].line > moved.line) {
            errors[place] = errors[place - 1];
            place--;
        }
        errors[place] = moved;
    }
}

void report_print(const struct report *report, const char *path, FILE *out)
{
    if (report->count == 0 && report->is_failed) {
        fprintf(out, "%s: out of memory\n", path);
    }
    for (size_t i = 0; i < report->count; i++) {
        const struct report_error *error = &report->errors[i];
        const char *kind = error->is_warning ? "warning: " : "";

        if (error->line == 0) {
            fprintf(out, "%s: %s%s\n", path, kind, error->message);
        } else {
            fprintf(out, "%s:%u: %s%s\n", path, error->line, kind, error->message);
        }
    }
}

void report_log(const struct report *report, const char *path)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct report_error *error = &report->errors[i];
        struct log_line line;

        log_begin(&line, error->is_warning ? LOG_WARN : LOG_ERROR,
                  error->is_warning ? "config.warning" : "config.error");
        log_str(&line, "file", path);
        if (error->line != 0) {
            log_u64(&line, "line", error->line);
        }
        log_str(&line, "detail", error->message);
        log_end(&line);
    }
}

void report_done(struct report *report)
{
    mem_free(report->errors);
    *report = (struct report){0};
}

struct span report_quote(struct span text)
{
    return utf8_cut(text, QUOTE_BYTES);
}

struct span report_quote_path(struct span path)
{
    return utf8_cut(path, QUOTE_PATH_BYTES);
}
