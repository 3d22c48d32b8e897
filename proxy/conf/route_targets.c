/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a route says of its targets. A bad line of a target file costs that line alone: thousands of
 * desktops must not wait for somebody who mends one. */
#include <string.h>
#include <sys/random.h>

#include "base/host.h"
#include "conf/route_parts.h"

#define LINES_TOLD_MAX 20 /* of a route; a file may have a hundred thousand bad ones */

/* What the reading of a route's files has found out so far. */
struct reading {
    struct build *build;
    struct config_route *route;
    const struct draft_item *item; /* of the key `targets` */
    struct span path;              /* of the file */
    size_t told;
    size_t untold;
};

static void take_fault(void *owner, unsigned line, const char *detail)
{
    struct reading *r = owner;

    if (r->told == LINES_TOLD_MAX) {
        r->untold++;
        return;
    }
    r->told++;
    report_warn(r->build->report, r->item->line, "%.*s:%u: %s", REPORT_SHOW_PATH(r->path), line,
                detail);
}

/* A Host is compared in lower case, label by label. */
static bool is_label(struct span token)
{
    for (size_t i = 0; i < token.len; i++) {
        char c = token.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')) {
            return false;
        }
    }
    return token.len > 0 && token.len <= HOST_LABEL_BYTES_MAX;
}

/* What a good line says may still lead nowhere. Whatever a name leads to shows at the dial. */
static void check_entries(struct reading *r, size_t first)
{
    const struct config_route *route = r->route;

    for (size_t i = first; i < route->targets->count; i++) {
        struct span token;
        struct target target;
        unsigned line = targets_at(route->targets, i, &token, &target);
        const char *detail = target.is_literal || target.is_unix
                                 ? target_judge(&route->target_rules, &target.address)
                                 : NULL;

        if (detail != NULL) {
            take_fault(r, line, detail);
        }
        if (route->target_from.place == TARGETS_HOST && !is_label(token)) {
            take_fault(r, line,
                       "no Host begins with this token: it would be one label in lower case");
        }
    }
}

static bool is_empty(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(" \t\r\n", text.data[i]) == NULL) {
            return false;
        }
    }
    return true;
}

static void read_file(struct reading *r, const struct bundle_file *file)
{
    struct report *report = r->build->report;
    size_t first = r->route->targets->count;
    uint8_t key[SIPHASH_KEY_BYTES] = {0};

    r->path = file->name;
    if (file->exposure == FILE_WRITABLE) {
        report_add(report, r->item->line,
                   "%.*s: every user of this machine can change the targets: chmod o-w FILE",
                   REPORT_SHOW_PATH(file->name));
    }
    if (is_empty(file->bytes)) {
        report_add(report, r->item->line,
                   "%.*s: the file is empty: write a comment if there are no targets",
                   REPORT_SHOW_PATH(file->name));
    }
    if (getrandom(key, sizeof(key), GRND_NONBLOCK) != (ssize_t)sizeof(key)) {
        memset(key, 0, sizeof(key)); /* the targets are found all the same */
    }
    if (targets_add(r->route->targets, key, file->bytes, take_fault, r)) {
        check_entries(r, first);
    } else {
        report_add(report, r->item->line, "%.*s: more than %u targets, or out of memory",
                   REPORT_SHOW_PATH(file->name), (unsigned)TARGETS_LINES_MAX);
    }
}

/* The bundle has a list of the files of a directory. */
static void read_folder(struct reading *r, const struct bundle_file *folder)
{
    struct span rest = folder->bytes;
    struct span path;

    while (span_next(&rest, '\n', &path)) {
        struct draft_item item = {.text = path, .line = r->item->line};
        const struct bundle_file *file = path.len > 0 ? build_file(r->build, &item) : NULL;

        if (file != NULL) {
            read_file(r, file);
        }
    }
}

static void read_files(struct build *build, const struct draft_value *value,
                       struct config_route *route)
{
    struct reading r = {.build = build, .route = route};

    for (const struct draft_item *item = value->items; item != NULL; item = item->next) {
        const struct bundle_file *folder = bundle_find_folder(build->bundle, item->text);
        const struct bundle_file *file = folder == NULL ? build_file(build, item) : NULL;

        r.item = item;
        if (folder != NULL && folder->problem.len > 0) {
            report_add(build->report, item->line, "cannot read %.*s: %s",
                       REPORT_SHOW_PATH(folder->name), folder->problem.data);
        } else if (folder != NULL) {
            read_folder(&r, folder);
        } else if (file != NULL) {
            read_file(&r, file);
        }
    }
    if (r.untold > 0) {
        report_warn(build->report, value->line,
                    "%zu more lines of the targets of [route %.*s] are bad or lead nowhere",
                    r.untold, REPORT_SHOW(route->policy.name));
    }
    if (route->targets->count == 0 && !build->report->is_failed) {
        report_warn(build->report, value->line, "[route %.*s] has no target: it refuses everybody",
                    REPORT_SHOW(route->policy.name));
    }
    route->needs_backend_tls |= route->targets->tls_count > 0;
}

/* What would keep every request from its target. */
static void check_source(struct build *build, const struct draft_section *section,
                         const struct config_route *route)
{
    const struct targets_source *from = &route->target_from;
    unsigned line = draft_value(section, "target_from")->line;

    line = line != 0 ? line : section->line;
    if (from->place == TARGETS_QUERY && from->name.len == 0) {
        report_add(build->report, section->line,
                   "[route %.*s] does not say where the token of a target stands: target_from = "
                   "query:NAME, path, subprotocol or host",
                   REPORT_SHOW(route->policy.name));
    }
    if (from->place == TARGETS_PATH && route->policy.path.len > 0 && !route->policy.is_prefix) {
        report_add(build->report, line,
                   "target_from = path of [route %.*s] takes what a star matches: path = /NAME/*",
                   REPORT_SHOW(route->policy.name));
    }
}

void route_build_targets(struct build *build, const struct draft_section *section,
                         struct config_route *route)
{
    const struct draft_value *backend = draft_value(section, "backend");
    const struct draft_value *targets = draft_value(section, "targets");

    if (backend->line == 0 && targets->line == 0) {
        report_add(build->report, section->line, "[route %.*s] has no backend, and no targets",
                   REPORT_SHOW(route->policy.name));
    }
    if (backend->line != 0 && targets->line != 0) {
        report_add(build->report, targets->line,
                   "[route %.*s] has backend and targets: a session goes to a backend of the "
                   "route, or to the target that it chooses",
                   REPORT_SHOW(route->policy.name));
    }
    if (targets->line == 0) {
        return;
    }
    check_source(build, section, route);
    route->targets = build_array(build, 1, sizeof(*route->targets));
    if (route->targets == NULL) {
        return;
    }
    read_files(build, targets, route);
}
