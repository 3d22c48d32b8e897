/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/to.h"

#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/host.h"
#include "conf/config.h"
#include "conf/value.h"
#include "io/cert.h"

#define TEXT_BYTES_MAX ((size_t)64 * 1024)
#define LINES_MAX 64
#define PIECE_BYTES_MAX (2 * VALUE_BYTES_MAX)

static const char plain_needs[] =
    "without TLS anybody on the way reads all of it, so --listen must be a loopback address, such "
    "as 127.0.0.1:6080";

/* The text as it grows, and which option each of its lines comes from. */
struct text {
    struct buf bytes;
    const char *options[LINES_MAX]; /* by line, from 1; NULL = no option */
    unsigned lines;
    bool is_short;
};

/* A whole line, without its end. */
__attribute__((format(printf, 3, 4))) static void add_line(struct text *text, const char *option,
                                                           const char *format, ...)
{
    char line[PIECE_BYTES_MAX];
    va_list args;

    va_start(args, format);
    int len = vsnprintf(line, sizeof(line) - 1, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof(line) - 1 || text->lines + 1 >= LINES_MAX) {
        text->is_short = true;
        return;
    }
    line[len] = '\n';
    text->options[++text->lines] = option;
    text->is_short |= buf_append(&text->bytes, line, (size_t)len + 1) != BUF_OK;
}

/* ---- values ---- */

/* What the text of a configuration cannot hold, or would take for something else. NULL: nothing. */
static const char *value_fault(struct span value)
{
    if (value.len == 0) {
        return "the value is empty";
    }
    if (value.len > VALUE_BYTES_MAX) {
        return "the value is longer than 4096 bytes";
    }
    if (span_trim(value).len != value.len) {
        return "a blank at an end of the value";
    }
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];

        if (c < ' ' || c == 0x7f) {
            return "a control character in the value";
        }
        if (c == ';' && (i == 0 || value.data[i - 1] == ' ')) {
            return "a configuration has no way to write a ';' behind a blank";
        }
    }
    return NULL;
}

static bool check_value(const char *option, const char *value, struct report *report)
{
    const char *fault = value != NULL ? value_fault(span_from_str(value)) : NULL;

    if (fault != NULL) {
        report_add(report, 0, "%s: %s", option, fault);
    }
    return fault == NULL;
}

static bool check_values(const struct to_options *options, struct report *report)
{
    struct addr address;
    bool is_good = check_value("--to", options->target, report) &
                   check_value("--listen", options->listen, report) &
                   check_value("--files", options->files, report) &
                   check_value("--origins", options->origins, report) &
                   check_value("--certificate", options->certificate, report) &
                   check_value("--key", options->key, report);

    if (is_good && options->is_plain && options->listen != NULL &&
        addr_parse(span_from_str(options->listen), &address) && !addr_is_loopback(&address)) {
        report_add(report, 0, "--plain: %s", plain_needs);
        is_good = false;
    }
    return is_good;
}

/* ---- the directory of files ---- */

static bool has_file(const char *directory, const char *name)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof(path), "%s/%s", directory, name);

    return len > 0 && (size_t)len < sizeof(path) && access(path, R_OK) == 0;
}

/* A page of noVNC, and how it is told where the WebSocket is. */
struct page {
    const char *file;
    const char *query;
};

/* NULL: the directory has none. */
static const struct page *find_page(const char *directory)
{
    static const struct page pages[] = {
        {"vnc.html", "?autoconnect=true&path=websockify"},
        {"vnc_lite.html", "?path=websockify"},
    };

    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        if (has_file(directory, pages[i].file)) {
            return &pages[i];
        }
    }
    return NULL;
}

/* ---- the text ---- */

static void add_listen(struct text *text, const struct to_options *options, const char *name,
                       const char *address)
{
    add_line(text, NULL, "[listen %s]", name);
    add_line(text, "--listen", "address = %s", address);
    if (options->certificate != NULL) {
        add_line(text, "--certificate", "tls_certificate = %s", options->certificate);
        add_line(text, "--key", "tls_key = %s", options->key);
    }
}

static void add_listens(struct text *text, const struct to_options *options)
{
    char address[32];

    if (options->listen != NULL) {
        add_listen(text, options, "to", options->listen);
        return;
    }
    snprintf(address, sizeof(address), "127.0.0.1:%d", TO_PORT);
    add_listen(text, options, "to", address);
    if (config_has_ipv6_loopback()) {
        snprintf(address, sizeof(address), "[::1]:%d", TO_PORT);
        add_listen(text, options, "to6", address);
    }
}

/* A scheme has a colon that no port follows. */
static bool has_scheme(struct span target)
{
    return memmem(target.data, target.len, "://", 3) != NULL ||
           span_starts_with(target, SPAN_LIT("unix:")) ||
           span_starts_with(target, SPAN_LIT("echo:"));
}

static void add_route(struct text *text, const struct to_options *options, const char *name,
                      const char *path)
{
    struct span rest = span_from_str(options->target);
    struct span target;

    add_line(text, NULL, "[route %s]", name);
    add_line(text, NULL, "path = %s", path);
    while (span_next(&rest, ',', &target)) {
        target = span_trim(target);
        add_line(text, "--to", "backend = %s%.*s", has_scheme(target) ? "" : "tcp://",
                 (int)target.len, target.data);
    }
}

/* noVNC has no index.html of its own. */
static void add_files(struct text *text, const char *directory)
{
    const struct page *page = find_page(directory);

    add_line(text, "--files", "[files to]");
    add_line(text, "--files", "path = /*");
    add_line(text, "--files", "root = %s", directory);
    if (page != NULL && !has_file(directory, "index.html")) {
        add_line(text, "--files", "index = %s", page->file);
    }
}

static void write_text(struct text *out, const struct to_options *options)
{
    *out = (struct text){.lines = 0};
    buf_init(&out->bytes, TEXT_BYTES_MAX);
    add_listens(out, options);
    add_line(out, NULL, "[defaults]");
    add_line(out, "--origins", "origins = %s",
             options->origins != NULL ? options->origins : "same");
    add_route(out, options, "websockify", "/websockify");
    add_route(out, options, "root", "/");
    if (options->files != NULL) {
        add_files(out, options->files);
    }
}

/* ---- what is wrong with it ---- */

static bool is_said(const struct report *report, size_t count, const char *message)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(report->errors[i].message, message) == 0) {
            return true;
        }
    }
    return false;
}

/* Puts the option in the place of the line. Both listeners and both routes are made of the same
 * values, so what is wrong with one of these is said twice. */
static void name_options(const struct text *text, struct report *report)
{
    size_t kept = 0;

    for (size_t i = 0; i < report->count; i++) {
        struct report_error error = report->errors[i];
        const char *option = error.line < LINES_MAX ? text->options[error.line] : NULL;

        if (option != NULL) {
            struct span message = span_from_str(error.message);
            int most = (int)(sizeof(error.message) - strlen(option) - 3);

            message.len = size_min(message.len, (size_t)most);
            snprintf(error.message, sizeof(error.message), "%s: %.*s", option, (int)message.len,
                     report->errors[i].message);
        }
        error.line = 0;
        if (!is_said(report, kept, error.message)) {
            report->errors[kept++] = error;
        }
    }
    report->count = kept;
}

/* ---- building ---- */

static const char *machine_name(char out[HOST_NAME_MAX + 1])
{
    if (gethostname(out, HOST_NAME_MAX) != 0) {
        out[0] = '\0';
    }
    out[HOST_NAME_MAX] = '\0';
    return out;
}

static bool make_pair(const struct to_options *options, struct cert_pair *out)
{
    char machine[HOST_NAME_MAX + 1];
    struct addr address = {.len = 0};

    if (options->listen != NULL && !addr_parse(span_from_str(options->listen), &address)) {
        address = (struct addr){.len = 0}; /* the parser says so */
    }
    return cert_make_throw_away_for(span_from_str(machine_name(machine)), &address, out);
}

struct config *to_build(const struct to_options *options, struct bundle *out_bundle,
                        struct report *out_report)
{
    static struct cert_pair made; /* the snapshot copies it; static because it is large */
    struct text text;
    struct config *config;
    bool is_lent = options->certificate == NULL && !options->is_plain;

    *out_bundle = (struct bundle){.count = 0};
    *out_report = (struct report){0};
    if (!check_values(options, out_report)) {
        return NULL;
    }
    write_text(&text, options);
    if (text.is_short) {
        report_add(out_report, 0, "the values of the options are too long together");
    } else if (is_lent && !make_pair(options, &made)) {
        report_add(out_report, 0, "cannot make a certificate");
    }
    if (out_report->is_failed) {
        buf_clear(&text.bytes);
        return NULL;
    }
    const struct config_pair pair = {
        .certificate = {made.certificate, made.certificate_len},
        .key = {made.key, made.key_len},
    };
    bundle_read_text(out_bundle, buf_peek(&text.bytes));
    config = config_build_lent(out_bundle, is_lent ? &pair : NULL, out_report);
    name_options(&text, out_report);
    if (is_lent) {
        explicit_bzero(&made, sizeof(made));
        bundle_done(out_bundle); /* it lacks the certificate, so nobody can read it again */
    }
    buf_clear(&text.bytes);
    return config;
}

/* ---- what to open ---- */

static bool is_wildcard(const struct addr *address)
{
    return address->u.sa.sa_family == AF_INET
               ? address->u.in.sin_addr.s_addr == INADDR_ANY
               : address->u.sa.sa_family == AF_INET6 &&
                     IN6_IS_ADDR_UNSPECIFIED(&address->u.in6.sin6_addr);
}

static void print_urls(const struct to_options *options, const char *origin, FILE *out)
{
    const char *secure = options->is_plain ? "" : "s";

    if (options->files != NULL) {
        const struct page *page = find_page(options->files);

        fprintf(out, "  open  http%s://%s/%s%s\n", secure, origin, page != NULL ? page->file : "",
                page != NULL ? page->query : "");
    } else {
        fprintf(out, "  WebSocket at  ws%s://%s/websockify  and  ws%s://%s/\n", secure, origin,
                secure, origin);
    }
}

void to_announce(const struct to_options *options, const struct addr *address, FILE *out)
{
    char text[ADDR_TEXT_MAX];
    char machine[HOST_NAME_MAX + 1];
    char origin[ADDR_TEXT_MAX + HOST_NAME_MAX];

    fprintf(out, "\n");
    addr_print(address, text, sizeof(text));
    bool is_wide = is_wildcard(address);
    if (is_wide || addr_is_loopback(address)) {
        snprintf(origin, sizeof(origin), "localhost:%u", addr_port(address));
        print_urls(options, origin, out);
    } else {
        print_urls(options, text, out);
    }
    machine_name(machine);
    if (is_wide && !options->is_plain && host_kind(span_from_str(machine)) == HOST_NAME) {
        snprintf(origin, sizeof(origin), "%s:%u", machine, addr_port(address));
        print_urls(options, origin, out);
    }
    fprintf(out, "\n  Sessions go to %s. Pages of %s may connect (--origins).\n", options->target,
            options->origins != NULL ? options->origins : "this host and port");
    if (!options->is_plain && options->certificate == NULL) {
        fprintf(out, "  No browser trusts the certificate, which sluice has just made: tell yours "
                     "to go on.\n");
    }
    fprintf(out,
            "  Listening on %s. Ctrl-C stops it.\n"
            "  --print-config prints all of this as a configuration to start your own from.\n\n",
            text);
    fflush(out);
}
