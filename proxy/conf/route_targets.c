/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a route says of its targets. A bad line of a target file costs that line alone: thousands of
 * desktops must not wait for somebody who mends one. Routes that name the same files share one
 * table. */
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
    bool is_table_whole;           /* an earlier route has read the files into the shared table */
    size_t files;                  /* before this one */
    size_t entries;                /* checked, or told by the earlier route */
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

static void check_entry(struct reading *r, size_t index)
{
    const struct config_route *route = r->route;
    struct span token;
    struct target target;
    unsigned line = targets_at(route->targets, index, &token, &target);
    const char *detail = target.is_literal || target.is_unix
                             ? target_judge(&route->target_rules, &target.address)
                             : NULL;

    if (detail != NULL) {
        take_fault(r, line, detail);
    }
    if (route->target_from.place == TARGETS_HOST && !is_label(token)) {
        take_fault(r, line, "no Host begins with this token: it would be one label in lower case");
    }
}

/* What a good line of this file says may still lead nowhere. Whatever a name leads to shows at the
 * dial. All of it is warnings, which the master has told. */
static void check_entries(struct reading *r)
{
    const struct targets *targets = r->route->targets;

    if (r->build->is_proven) {
        return;
    }
    for (; r->entries < targets->count && targets_file_of(targets, r->entries) == r->files;
         r->entries++) {
        check_entry(r, r->entries);
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

static void add_file(struct reading *r, const struct bundle_file *file)
{
    struct report *report = r->build->report;
    uint8_t key[SIPHASH_KEY_BYTES] = {0};

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
    if (!targets_add(r->route->targets, key, file->bytes, take_fault, r)) {
        report_add(report, r->item->line, "%.*s: more than %u targets, or out of memory",
                   REPORT_SHOW_PATH(file->name), (unsigned)TARGETS_LINES_MAX);
    }
}

static void read_file(struct reading *r, const struct bundle_file *file)
{
    r->path = file->name;
    if (!r->is_table_whole) {
        add_file(r, file);
    }
    check_entries(r);
    r->files++;
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

static bool is_rule_same(const struct target_rule *a, const struct target_rule *b)
{
    return a->network.family == b->network.family && a->network.bits == b->network.bits &&
           memcmp(a->network.bytes, b->network.bytes, sizeof(a->network.bytes)) == 0 &&
           span_is_equal(a->path, b->path);
}

static bool are_rules_same(const struct target_rule *a, size_t a_count, const struct target_rule *b,
                           size_t b_count)
{
    bool is_same = a_count == b_count;

    for (size_t i = 0; is_same && i < a_count; i++) {
        is_same = is_rule_same(&a[i], &b[i]);
    }
    return is_same;
}

/* What check_entry finds out depends on nothing else. */
static bool is_judged_alike(const struct config_route *a, const struct config_route *b)
{
    const struct target_rules *one = &a->target_rules;
    const struct target_rules *other = &b->target_rules;

    return (a->target_from.place == TARGETS_HOST) == (b->target_from.place == TARGETS_HOST) &&
           are_rules_same(one->allow, one->allow_count, other->allow, other->allow_count) &&
           are_rules_same(one->deny, one->deny_count, other->deny, other->deny_count);
}

/* An earlier route that names the same files in the same order; best one that judges alike. */
static const struct config_route *find_twin(const struct config *config,
                                            const struct config_route *route)
{
    const struct config_route *twin = NULL;

    for (size_t i = 0; i < config->route_count; i++) {
        const struct config_route *other = &config->routes[i];
        bool is_twin =
            other->targets != NULL && other->target_path_count == route->target_path_count;

        for (size_t k = 0; is_twin && k < route->target_path_count; k++) {
            is_twin = span_is_equal(other->target_paths[k], route->target_paths[k]);
        }
        if (is_twin && is_judged_alike(other, route)) {
            return other;
        }
        twin = is_twin ? other : twin;
    }
    return twin;
}

static void read_files(struct build *build, const struct draft_value *value,
                       struct config_route *route, const struct config_route *twin)
{
    struct reading r = {.build = build, .route = route, .is_table_whole = twin != NULL};

    if (twin != NULL && is_judged_alike(route, twin)) {
        r.entries = route->targets->count;
    }
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
    if (!route_is_written(build, section, "target_from")) { /* a bad value has its own error */
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
    const struct config_route *twin = find_twin(build->config, route);
    route->targets = twin != NULL ? twin->targets : build_array(build, 1, sizeof(*route->targets));
    if (route->targets != NULL) {
        read_files(build, targets, route, twin);
    }
}
