/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/bundle.h"

#include <errno.h>
#include <pwd.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "conf/draft.h"

#define CORES_MAX 256

/* What this process may really run on: a container often has fewer cores than the machine. */
static uint32_t count_cores(void)
{
    cpu_set_t set;
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t cores = online < 1 ? 1 : (uint32_t)online;

    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0) {
        cores = (uint32_t)CPU_COUNT(&set);
    }
    return cores > CORES_MAX ? CORES_MAX : cores;
}

static void keep_text(struct bundle *bundle, const char *text, struct span *out)
{
    if (!arena_copy(&bundle->memory, span_from_str(text), out)) {
        bundle->is_short = true;
    }
}

static void ask_for_user(struct bundle *bundle, const char *name)
{
    struct bundle_facts *facts = &bundle->facts;
    const struct passwd *entry;

    errno = 0;
    entry = getpwnam(name);
    facts->has_user = entry != NULL;
    if (entry != NULL) {
        facts->uid = entry->pw_uid;
        facts->gid = entry->pw_gid;
    } else if (errno != 0) {
        keep_text(bundle, strerror(errno), &bundle->user_problem);
    }
}

/* The new file is empty and has no name yet. NULL: no memory. */
static struct bundle_file *add_file(struct bundle *bundle)
{
    struct bundle_file *file = arena_alloc(&bundle->memory, sizeof(*file));

    if (file == NULL) {
        bundle->is_short = true;
        return NULL;
    }
    if (bundle->last == NULL) {
        bundle->files = file;
    } else {
        bundle->last->next = file;
    }
    bundle->last = file;
    bundle->count++;
    return file;
}

static bool read_named(struct bundle *bundle, struct bundle_file *file, const char *path,
                       bool is_directory, const char **detail)
{
    if (is_directory) {
        return file_identify(path, &bundle->memory, &file->bytes, detail);
    }
    if (!file_read(path, &bundle->memory, &file->bytes, detail)) {
        return false;
    }
    file->exposure = file_exposure(path);
    return true;
}

/* `path` ends in NUL. */
static void take_file(struct bundle *bundle, struct span path, bool is_directory)
{
    struct bundle_file *file;
    const char *detail = NULL;

    if (bundle_find(bundle, path) != NULL || (file = add_file(bundle)) == NULL) {
        return;
    }
    if (!arena_copy(&bundle->memory, path, &file->name)) {
        bundle->is_short = true;
        return;
    }
    if (bundle->bytes > BUNDLE_BYTES_MAX - FILE_BYTES_MAX) {
        detail = "all files together are larger than 64 MiB";
    } else if (read_named(bundle, file, path.data, is_directory, &detail)) {
        bundle->bytes += file->bytes.len;
        return;
    }
    keep_text(bundle, detail, &file->problem);
}

/* The list of a directory's files, and the files. `path` ends in NUL. */
static void take_folder(struct bundle *bundle, struct span path)
{
    const char *detail = NULL;
    struct span list = {NULL, 0};
    struct span name;
    struct bundle_file *folder;
    bool has_slash = path.len > 0 && path.data[path.len - 1] == '/';

    if (bundle_find_folder(bundle, path) != NULL || (folder = add_file(bundle)) == NULL) {
        return;
    }
    char *text = arena_alloc(&bundle->memory, path.len + 2);
    if (text == NULL) {
        bundle->is_short = true;
        return;
    }
    memcpy(text, path.data, path.len);
    text[path.len] = has_slash ? '\0' : '/';
    folder->name = (struct span){text, path.len + (has_slash ? 0 : 1)};
    if (!file_list(folder->name.data, &bundle->memory, &list, &detail)) {
        keep_text(bundle, detail, &folder->problem);
        return;
    }
    folder->bytes = list;
    bundle->bytes += list.len;
    while (span_next(&list, '\n', &name)) {
        struct span copy;

        if (name.len == 0) {
            continue;
        }
        if (!arena_copy(&bundle->memory, name, &copy)) {
            bundle->is_short = true;
            return;
        }
        take_file(bundle, copy, false);
    }
}

static void take_items(struct bundle *bundle, const struct key *key, const struct draft_item *item)
{
    for (; item != NULL; item = item->next) {
        if (key->names_folders && file_is_folder(item->text.data)) {
            take_folder(bundle, item->text);
        } else {
            take_file(bundle, item->text, key->names_directory);
        }
    }
}

static bool is_tls(const struct draft_value *backends)
{
    for (const struct draft_item *item = backends->items; item != NULL; item = item->next) {
        if (span_starts_with(item->text, SPAN_LIT("tls://"))) {
            return true;
        }
    }
    return false;
}

static bool is_off(const struct draft_value *value)
{
    return value->items != NULL && span_is_equal(value->items->text, SPAN_LIT("off"));
}

bool bundle_needs_system_ca(const struct draft *draft)
{
    bool is_default_given = false;
    bool is_default_off = false;

    for (const struct draft_section *s = draft->sections; s != NULL; s = s->next) {
        if (s->kind == KEY_DEFAULTS) {
            is_default_given |= draft_value(s, "backend_ca")->count > 0;
            is_default_off |= is_off(draft_value(s, "backend_verify"));
        }
    }
    for (const struct draft_section *s = draft->sections; s != NULL; s = s->next) {
        if (s->kind != KEY_ROUTE ||
            (!is_tls(draft_value(s, "backend")) && draft_value(s, "targets")->count == 0)) {
            continue;
        }
        const struct draft_value *verify = draft_value(s, "backend_verify");
        bool is_given = is_default_given || draft_value(s, "backend_ca")->count > 0;
        if (!is_given && !(verify->items != NULL ? is_off(verify) : is_default_off)) {
            return true;
        }
    }
    return false;
}

/* config_build reads the same text again and reports what is wrong with it. */
static void take_named_files(struct bundle *bundle, struct span text)
{
    struct arena texts = {0};
    struct report ignored = {0};
    struct draft draft;
    const char *user = "nobody";

    draft_read(&draft, text, &texts, &ignored);
    for (const struct draft_section *s = draft.sections; s != NULL; s = s->next) {
        for (size_t i = 0; i < key_count(); i++) {
            const struct key *key = key_at(i);
            if (key->names_files || key->names_directory) {
                take_items(bundle, key, s->values[i].items);
            }
        }
        if (s->kind == KEY_SERVER && draft_value(s, "user")->items != NULL) {
            user = draft_value(s, "user")->items->text.data;
        }
    }
    if (bundle_needs_system_ca(&draft)) {
        take_file(bundle, SPAN_LIT(BUNDLE_SYSTEM_CA), false);
    }
    ask_for_user(bundle, user);
    draft_done(&draft);
    arena_done(&texts);
    report_done(&ignored);
}

static void begin(struct bundle *out)
{
    *out = (struct bundle){.facts = {.cores = count_cores(), .is_root = geteuid() == 0}};
}

void bundle_read(struct bundle *out, const char *path)
{
    begin(out);
    take_file(out, span_from_str(path), false);
    if (out->files != NULL && out->files->problem.len == 0) {
        take_named_files(out, out->files->bytes);
    }
}

static void read_text(struct bundle *out, struct span name, struct span text)
{
    begin(out);
    struct bundle_file *file = add_file(out);

    if (file != NULL && (!arena_copy(&out->memory, name, &file->name) ||
                         !arena_copy(&out->memory, text, &file->bytes))) {
        out->is_short = true;
    }
    if (!out->is_short) {
        out->bytes = text.len;
        take_named_files(out, file->bytes);
    }
}

void bundle_read_text(struct bundle *out, struct span text)
{
    read_text(out, (struct span){"", 0}, text);
}

void bundle_read_again(struct bundle *out, const struct bundle *before)
{
    read_text(out, before->files->name, before->files->bytes);
}

void bundle_done(struct bundle *bundle)
{
    arena_done(&bundle->memory);
    *bundle = (struct bundle){.count = 0};
}

const struct bundle_file *bundle_find(const struct bundle *bundle, struct span name)
{
    for (const struct bundle_file *file = bundle->files; file != NULL; file = file->next) {
        if (span_is_equal(file->name, name)) {
            return file;
        }
    }
    return NULL;
}

const struct bundle_file *bundle_find_folder(const struct bundle *bundle, struct span name)
{
    bool has_slash = name.len > 0 && name.data[name.len - 1] == '/';

    for (const struct bundle_file *file = bundle->files; file != NULL; file = file->next) {
        if (has_slash ? span_is_equal(file->name, name)
                      : file->name.len == name.len + 1 && file->name.data[name.len] == '/' &&
                            span_starts_with(file->name, name)) {
            return file;
        }
    }
    return NULL;
}

bool bundle_is_same(const struct bundle *a, const struct bundle *b)
{
    const struct bundle_file *one = a->files;
    const struct bundle_file *other = b->files;

    while (one != NULL && other != NULL && span_is_equal(one->name, other->name) &&
           span_is_equal(one->bytes, other->bytes) && span_is_equal(one->problem, other->problem)) {
        one = one->next;
        other = other->next;
    }
    return one == NULL && other == NULL;
}
