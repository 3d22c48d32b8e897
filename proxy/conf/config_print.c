/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_print.c: a snapshot back to INI that parses to the same snapshot. */
#include <arpa/inet.h>
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/host.h"
#include "conf/config.h"
#include "conf/config_keys.h"
#include "conf/config_meaning.h"
#include "conf/config_scan.h"

#define ITEM_TEXT 320
#define WRAP_COLUMN 100

struct printer {
    FILE *out;
    bool has_help; /* the first section of a kind explains its keys */
};

/* What a value that is not a number looks like: a function for each such key. `base` is what the
 * section is kept in. */
typedef void(write_fn)(const struct printer *printer, const struct config_key *key,
                       const void *base);

/* Opens the line of a key; without blanks where they would not fit, or where ';' behind one would
 * begin a comment. Returns the column after it. */
static size_t write_begin(const struct printer *printer, const char *name, struct span value)
{
    bool is_tight =
        strlen(name) + 3 + value.len > CONFIG_LINE_MAX || (value.len > 0 && value.data[0] == ';');

    fprintf(printer->out, "%s%s%.*s", name, is_tight ? "=" : " = ", (int)value.len, value.data);
    return strlen(name) + (is_tight ? 1 : 3) + value.len;
}

static void write_pair(const struct printer *printer, const char *name, struct span value)
{
    (void)write_begin(printer, name, value);
    fputc('\n', printer->out);
}

static void write_unset(const struct printer *printer, const char *name, const char *why)
{
    fprintf(printer->out, "; %s: %s\n", name, why);
}

/* A list on as few lines as are pleasant to read. */
struct list_writer {
    const struct printer *printer;
    const char *name;
    size_t column; /* 0 = no line is open */
};

static void list_add(struct list_writer *list, struct span item)
{
    if (list->column > 0 && list->column + 2 + item.len <= WRAP_COLUMN) {
        fprintf(list->printer->out, ", %.*s", (int)item.len, item.data);
        list->column += 2 + item.len;
        return;
    }
    if (list->column > 0) {
        fputc('\n', list->printer->out);
    }
    list->column = write_begin(list->printer, list->name, item);
}

static void list_end(struct list_writer *list, const char *why_empty)
{
    if (list->column > 0) {
        fputc('\n', list->printer->out);
    } else {
        write_unset(list->printer, list->name, why_empty);
    }
}

static void write_user(const struct printer *printer, const struct config_key *key,
                       const void *base)
{
    const struct config *config = base;

    if (config->user.len > 0) {
        write_pair(printer, key->name, config->user);
    } else {
        write_unset(printer, key->name, "not set (nobody, when started as root)");
    }
}

static void write_address(const struct printer *printer, const struct config_key *key,
                          const void *base)
{
    const struct config_listen *listen = base;
    char text[ADDR_TEXT_MAX];

    write_pair(printer, key->name, span_from_str(addr_print(&listen->address, text, sizeof(text))));
}

static void write_files(const struct printer *printer, const struct config_key *key,
                        const void *base)
{
    const struct config_listen *listen = base;
    bool is_key = strcmp(key->name, "tls_key") == 0;

    if (!listen->is_tls) {
        write_unset(printer, key->name, "none, plain ws://");
    }
    for (size_t i = 0; i < listen->pair_count; i++) {
        const struct config_pair *pair = &listen->pairs[i];
        struct span path = is_key ? pair->key_path : pair->certificate_path;

        if (path.len > 0) {
            write_pair(printer, key->name, path);
        } else {
            write_unset(printer, key->name, "made in memory");
        }
    }
}

static void write_path(const struct printer *printer, const struct config_key *key,
                       const void *base)
{
    const struct config_route *route = base;
    char text[CONFIG_LINE_MAX + 2];
    int len = snprintf(text, sizeof(text), "%.*s%s", (int)route->policy.path.len,
                       route->policy.path.data, route->policy.is_prefix ? "*" : "");

    assert(len > 0 && (size_t)len < sizeof(text));
    write_pair(printer, key->name, (struct span){text, (size_t)len});
}

static void write_host(const struct printer *printer, const struct config_key *key,
                       const void *base)
{
    const struct config_route *route = base;

    if (route->policy.host.len > 0) {
        write_pair(printer, key->name, route->policy.host);
    } else {
        write_unset(printer, key->name, "any");
    }
}

static struct span origin_text(const struct policy_origin *origin, char text[ITEM_TEXT])
{
    bool is_default = (origin->port == 80 && span_is_equal(origin->scheme, SPAN_LIT("http"))) ||
                      (origin->port == 443 && span_is_equal(origin->scheme, SPAN_LIT("https")));
    bool is_ipv6 = host_kind(origin->host) == HOST_IPV6;
    char port[8] = "";
    int len = 0;

    switch (origin->kind) {
    case POLICY_ORIGIN_SAME:
        return SPAN_LIT("same");
    case POLICY_ORIGIN_ANY:
        return SPAN_LIT("*");
    case POLICY_ORIGIN_NULL:
        return SPAN_LIT("null");
    case POLICY_ORIGIN_NONE:
        return SPAN_LIT("none");
    case POLICY_ORIGIN_HOST:
        break;
    }
    if (!is_default) {
        snprintf(port, sizeof(port), ":%u", origin->port);
    }
    len = snprintf(text, ITEM_TEXT, "%.*s://%s%.*s%s%s", (int)origin->scheme.len,
                   origin->scheme.data, is_ipv6 ? "[" : "", (int)origin->host.len,
                   origin->host.data, is_ipv6 ? "]" : "", port);
    assert(len > 0 && len < ITEM_TEXT);
    return (struct span){text, (size_t)len};
}

static void write_origins(const struct printer *printer, const struct config_key *key,
                          const void *base)
{
    const struct policy_route *policy = &((const struct config_route *)base)->policy;
    struct list_writer list = {.printer = printer, .name = key->name};
    char text[ITEM_TEXT];

    for (size_t i = 0; i < policy->origin_count; i++) {
        list_add(&list, origin_text(&policy->origins[i], text));
    }
    list_end(&list, "none admitted");
}

static void write_subprotocols(const struct printer *printer, const struct config_key *key,
                               const void *base)
{
    const struct policy_route *policy = &((const struct config_route *)base)->policy;
    struct list_writer list = {.printer = printer, .name = key->name};

    for (size_t i = 0; i < policy->subprotocol_count; i++) {
        list_add(&list, policy->subprotocols[i]);
    }
    list_end(&list, "the client's first offer is taken");
}

static void write_backends(const struct printer *printer, const struct config_key *key,
                           const void *base)
{
    const struct config_route *route = base;
    struct list_writer list = {.printer = printer, .name = key->name};

    for (size_t i = 0; i < route->backend_count; i++) {
        list_add(&list, route->backends[i].text);
    }
    list_end(&list, "none");
}

static void write_networks(const struct printer *printer, const struct config_key *key,
                           const void *base)
{
    const struct policy_route *policy = &((const struct config_route *)base)->policy;
    bool is_allow = strcmp(key->name, "allow") == 0;
    const struct addr_cidr *networks = is_allow ? policy->allow : policy->deny;
    size_t count = is_allow ? policy->allow_count : policy->deny_count;
    struct list_writer list = {.printer = printer, .name = key->name};

    for (size_t i = 0; i < count; i++) {
        char host[INET6_ADDRSTRLEN] = "";
        char text[ITEM_TEXT];

        inet_ntop(networks[i].family, networks[i].bytes, host, sizeof(host));
        snprintf(text, sizeof(text), "%s/%u", host, networks[i].bits);
        list_add(&list, span_from_str(text));
    }
    list_end(&list, is_allow ? "all" : "none");
}

static void write_number(const struct printer *printer, const struct config_key *key,
                         const void *base)
{
    char text[CONFIG_VALUE_TEXT];

    config_key_format(key, config_key_load(key, base), text, sizeof(text));
    write_pair(printer, key->name, span_from_str(text));
}

/* What means nothing on this route is refused when read, so it is not written either. */
static void write_dependent(const struct printer *printer, const struct config_key *key,
                            const void *base)
{
    const char *lack = config_meaning_lack(base, key->name);
    char why[64];

    if (lack == NULL) {
        write_number(printer, key, base);
        return;
    }
    snprintf(why, sizeof(why), "needs %s", lack);
    write_unset(printer, key->name, why);
}

/* A version that serves nothing is refused when read, so it is not written either. */
static void write_tls_version(const struct printer *printer, const struct config_key *key,
                              const void *base)
{
    const struct config_listen *listen = base;

    if (listen->is_tls) {
        write_number(printer, key, base);
    } else {
        write_unset(printer, key->name, "none, plain ws://");
    }
}

static const struct {
    const char *name;
    write_fn *write;
} writers[] = {
    {"user", write_user},
    {"address", write_address},
    {"tls_certificate", write_files},
    {"tls_key", write_files},
    {"tls_min_version", write_tls_version},
    {"path", write_path},
    {"host", write_host},
    {"origins", write_origins},
    {"subprotocols", write_subprotocols},
    {"backend", write_backends},
    {"allow", write_networks},
    {"deny", write_networks},
};

static write_fn *find_writer(const struct config_key *key)
{
    for (size_t i = 0; i < sizeof(writers) / sizeof(writers[0]); i++) {
        if (strcmp(writers[i].name, key->name) == 0) {
            return writers[i].write;
        }
    }
    if (!config_key_is_number(key)) {
        return NULL;
    }
    return strcmp(key->section, "route") == 0 ? write_dependent : write_number;
}

static void write_help(const struct printer *printer, const struct config_key *key)
{
    char range[CONFIG_RANGE_TEXT];

    if (!printer->has_help) {
        return;
    }
    fprintf(printer->out, "; %s", key->help);
    if (config_key_is_number(key)) {
        fprintf(printer->out, " (%s)", config_key_describe(key, range, sizeof(range)));
    }
    fputc('\n', printer->out);
}

static void write_section(const struct printer *printer, const char *section, const void *base)
{
    for (size_t i = 0; i < config_key_count(); i++) {
        const struct config_key *key = config_key_at(i);
        write_fn *write = find_writer(key);

        assert(write != NULL);
        if (strcmp(key->section, section) == 0) {
            write_help(printer, key);
            write(printer, key, base);
        }
    }
}

/* What sessions without a route use. Everything else of [defaults] is in the routes by now. */
static void write_defaults(const struct printer *printer, const struct config *config)
{
    const struct config_route base = {.timeouts = config->defaults,
                                      .is_http_refusal = config->is_http_refusal};
    size_t first = offsetof(struct config_route, timeouts);
    size_t refusal = offsetof(struct config_route, is_http_refusal);

    for (size_t i = 0; i < config_key_count(); i++) {
        const struct config_key *key = config_key_at(i);

        if (strcmp(key->section, "route") == 0 && config_key_is_number(key) &&
            (key->offset == refusal ||
             (key->offset >= first && key->offset < first + sizeof(base.timeouts)))) {
            write_number(printer, key, &base);
        }
    }
}

void config_print(const struct config *config, FILE *out)
{
    fprintf(out, "; the configuration in force; what was left out stands with its default\n");
    fprintf(out, "\n[server]\n");
    write_section(&(struct printer){out, true}, "server", config);
    for (size_t i = 0; i < config->listen_count; i++) {
        const struct config_listen *listen = &config->listens[i];

        fprintf(out, "\n[listen %.*s]\n", (int)listen->name.len, listen->name.data);
        write_section(&(struct printer){out, i == 0}, "listen", listen);
    }
    fprintf(out, "\n[defaults]\n; before its route is known, a session uses these\n");
    write_defaults(&(struct printer){out, false}, config);
    for (size_t i = 0; i < config->route_count; i++) {
        const struct config_route *route = &config->routes[i];

        fprintf(out, "\n[route %.*s]\n", (int)route->policy.name.len, route->policy.name.data);
        write_section(&(struct printer){out, i == 0}, "route", route);
    }
}
