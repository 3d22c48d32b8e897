/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_print.c: a snapshot back to INI that parses to the same snapshot. */
#include <stdio.h>
#include <string.h>

#include "conf/config.h"
#include "conf/draft.h"
#include "conf/key.h"

#define WRAP_COLUMN 100

struct printer {
    FILE *out;
    bool has_help; /* the first section of a kind explains its keys */
    size_t column; /* of an open line; 0 = no line is open */
};

/* Opens the line of a key; without blanks where they would not fit, or where a ';' behind one would
 * begin a comment. */
static void open_line(struct printer *printer, const char *name, struct span value)
{
    bool is_tight = strlen(name) + 3 + value.len > DRAFT_LINE_BYTES_MAX ||
                    (value.len > 0 && value.data[0] == ';');

    fprintf(printer->out, "%s%s%.*s", name, is_tight ? "=" : " = ", (int)value.len, value.data);
    printer->column = strlen(name) + (is_tight ? 1 : 3) + value.len;
}

static void close_line(struct printer *printer)
{
    if (printer->column > 0) {
        fputc('\n', printer->out);
        printer->column = 0;
    }
}

static void print_value(struct printer *printer, const struct key *key, struct span value)
{
    open_line(printer, key->name, value);
    close_line(printer);
}

static void print_number(struct printer *printer, const struct key *key, const void *base)
{
    char text[KEY_NUMBER_TEXT];

    print_value(printer, key,
                span_from_str(key_format(key, key_load(key, base), text, sizeof(text))));
}

static size_t list_count(const struct key *key, const void *base)
{
    size_t count;

    memcpy(&count, (const char *)base + key->count_offset, sizeof(count));
    return count;
}

/* On as few lines as are pleasant to read. */
static void print_list(struct printer *printer, const struct key *key, const void *base)
{
    char scratch[VALUE_BYTES_MAX + 1];
    const char *items;

    memcpy(&items, (const char *)base + key->offset, sizeof(items));
    for (size_t i = 0; i < list_count(key, base); i++) {
        struct span item = key->show(items + i * key->width, scratch);

        if (printer->column > 0 && printer->column + 2 + item.len <= WRAP_COLUMN) {
            fprintf(printer->out, ", %.*s", (int)item.len, item.data);
            printer->column += 2 + item.len;
        } else {
            close_line(printer);
            open_line(printer, key->name, item);
        }
    }
    close_line(printer);
}

static bool is_empty(const struct key *key, const void *base)
{
    char scratch[VALUE_BYTES_MAX + 1];

    if (key->type == KEY_TYPE_LIST) {
        return list_count(key, base) == 0;
    }
    return key->type == KEY_TYPE_TEXT &&
           key->show((const char *)base + key->offset, scratch).len == 0;
}

/* What means nothing is refused when read, so it is not written either. */
static void print_key(struct printer *printer, const struct key *key, const void *base)
{
    char scratch[VALUE_BYTES_MAX + 1];

    if (is_empty(key, base)) {
        fprintf(printer->out, "; %s: %s\n", key->name, key->empty != NULL ? key->empty : "none");
    } else if (key->need != NULL && !key->need->is_met(base)) {
        fprintf(printer->out, "; %s: needs %s\n", key->name, key->need->text);
    } else if (key_is_number(key)) {
        print_number(printer, key, base);
    } else if (key->type == KEY_TYPE_LIST) {
        print_list(printer, key, base);
    } else {
        print_value(printer, key, key->show((const char *)base + key->offset, scratch));
    }
}

static void print_help(const struct printer *printer, const struct key *key)
{
    char range[KEY_RANGE_TEXT];

    fprintf(printer->out, "; %s", key->help);
    if (key_is_number(key)) {
        fprintf(printer->out, " (%s)", key_describe(key, range, sizeof(range)));
    }
    fputc('\n', printer->out);
}

static void print_section(struct printer *printer, enum key_section section, const void *base)
{
    for (size_t i = 0; i < key_count(); i++) {
        const struct key *key = key_at(i);

        if (key_is_at_home(key, section)) {
            if (printer->has_help) {
                print_help(printer, key);
            }
            print_key(printer, key, base);
        }
    }
}

/* What sessions without a route use. Everything else of [defaults] is in the routes by now. */
static void print_defaults(struct printer *printer, const struct config *config)
{
    const struct config_route base = {.timeouts = config->early_timeouts,
                                      .is_http_refusal = config->is_http_refusal};
    size_t first = offsetof(struct config_route, timeouts);
    size_t refusal = offsetof(struct config_route, is_http_refusal);

    for (size_t i = 0; i < key_count(); i++) {
        const struct key *key = key_at(i);

        if (key_is_at_home(key, KEY_DEFAULTS) && key_is_number(key) &&
            (key->offset == refusal ||
             (key->offset >= first && key->offset < first + sizeof(base.timeouts)))) {
            print_number(printer, key, &base);
        }
    }
}

/* Out of memory a pair cannot be named, so who wants it in a file has to fill it in. On a loopback
 * address the listener may do without. */
static void print_lent(const struct printer *printer, const struct config_listen *listen)
{
    const char *off = addr_is_loopback(&listen->address) ? "; " : "";

    if (listen->pair_count > 0 && listen->certificate_path_count == 0) {
        fprintf(printer->out,
                "; The certificate was made for one run and is in no file: name files here%s\n"
                "%stls_certificate = fullchain.pem\n"
                "%stls_key = privkey.pem\n",
                *off != '\0' ? ", or it is ws://" : "", off, off);
    }
}

static void print_listen(struct printer *printer, const struct config_listen *listen, bool is_first)
{
    switch (listen->kind) {
    case CONFIG_LISTEN_PUBLIC:
        printer->has_help = is_first;
        fprintf(printer->out, "\n[listen %.*s]\n", (int)listen->name.len, listen->name.data);
        print_section(printer, KEY_LISTEN, listen);
        print_lent(printer, listen);
        break;
    case CONFIG_LISTEN_HEALTH:
        printer->has_help = true;
        fprintf(printer->out, "\n[health]\n");
        print_section(printer, KEY_HEALTH, listen);
        break;
    case CONFIG_LISTEN_ADMIN:
        printer->has_help = true;
        fprintf(printer->out, "\n[admin]\n");
        print_section(printer, KEY_ADMIN, listen);
        break;
    }
}

void config_print(const struct config *config, FILE *out)
{
    struct printer printer = {.out = out, .has_help = true};

    fprintf(out, "; the configuration in force; what the file leaves out stands here with its "
                 "default\n");
    fprintf(out, "\n[server]\n");
    print_section(&printer, KEY_SERVER, config);
    for (size_t i = 0; i < config->listen_count; i++) {
        print_listen(&printer, &config->listens[i], i == 0);
    }
    for (size_t i = 0; i < config->auth_count; i++) {
        const struct config_auth *auth = &config->auths[i];

        printer.has_help = i == 0;
        fprintf(out, "\n[auth %.*s]\n", (int)auth->name.len, auth->name.data);
        print_section(&printer, KEY_AUTH, auth);
    }
    fprintf(out, "\n[defaults]\n; before its route is known, a session uses these\n");
    print_defaults(&printer, config);
    for (size_t i = 0; i < config->route_count; i++) {
        const struct config_route *route = &config->routes[i];

        printer.has_help = i == 0;
        fprintf(out, "\n[route %.*s]\n", (int)route->policy.name.len, route->policy.name.data);
        print_section(&printer, KEY_ROUTE, route);
    }
    for (size_t i = 0; i < config->file_count; i++) {
        const struct config_files *files = &config->files[i];

        printer.has_help = i == 0;
        fprintf(out, "\n[files %.*s]\n", (int)files->place.name.len, files->place.name.data);
        print_section(&printer, KEY_FILES, files);
    }
}

static ssize_t append(void *owner, const char *data, size_t len)
{
    return buf_append(owner, data, len) == BUF_OK ? (ssize_t)len : 0;
}

bool config_print_to(const struct config *config, struct buf *out)
{
    const cookie_io_functions_t functions = {.write = append};
    FILE *file = fopencookie(out, "w", functions);

    if (file == NULL) {
        return false;
    }
    config_print(config, file);
    bool is_whole = ferror(file) == 0;
    return fclose(file) == 0 && is_whole;
}
