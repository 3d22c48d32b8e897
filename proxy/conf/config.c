/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/config.h"

#include <assert.h>
#include <errno.h>
#include <pwd.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "conf/config_build.h"
#include "conf/config_draft.h"
#include "conf/config_keys.h"

#define LINGER_MS 2000
#define WORKERS_MAX 256
#define NOBODY_ID 65534 /* where there is no user "nobody" to ask */

void *config_build_array(struct config_build *build, size_t count, size_t size)
{
    void *array = config_arena_alloc(build->texts, count * size);

    if (array == NULL) {
        config_report_no_memory(build->report);
    }
    return array;
}

void config_build_fallbacks(enum config_section_kind kind, void *base)
{
    for (size_t i = 0; i < config_key_count(); i++) {
        const struct config_key *key = config_key_at(i);
        uint64_t number;

        if (config_key_is_at_home(key, kind) && config_key_is_number(key)) {
            bool is_parsed = config_key_parse(key, span_from_str(key->fallback), &number);

            assert(is_parsed);
            config_key_store(key, base, number);
        }
    }
}

void config_build_numbers(const struct config_section *section, void *base)
{
    for (size_t i = 0; i < config_key_count(); i++) {
        const struct config_key *key = config_key_at(i);

        if (section->values[i].line != 0 && config_key_is_number(key)) {
            config_key_store(key, base, section->values[i].number);
        }
    }
}

size_t config_build_count(const struct config_build *build, enum config_section_kind kind)
{
    size_t count = 0;

    for (const struct config_section *s = build->draft->sections; s != NULL; s = s->next) {
        count += s->kind == kind ? 1 : 0;
    }
    return count;
}

/* What this process may really run on: a container is often given fewer cores than there are. */
static unsigned count_cores(void)
{
    cpu_set_t set;
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned cores = online < 1 ? 1 : (unsigned)online;

    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0) {
        cores = (unsigned)CPU_COUNT(&set);
    }
    return cores > WORKERS_MAX ? WORKERS_MAX : cores;
}

static void find_user(struct config_build *build, const struct config_value *value)
{
    struct config *config = build->config;
    struct passwd *entry;
    const char *name = value->line != 0 ? value->text.data : "nobody";

    errno = 0;
    entry = name != NULL ? getpwnam(name) : NULL;
    if (value->line != 0) {
        config->user = value->text;
        if (entry == NULL) {
            config_report_add(build->report, value->line, "no such user '%.*s'%s%s",
                              CONFIG_SHOW(value->text), errno != 0 ? ": " : "",
                              errno != 0 ? strerror(errno) : "");
        }
    }
    config->has_ids = geteuid() == 0;
    if (config->has_ids) {
        config->uid = entry != NULL ? entry->pw_uid : NOBODY_ID;
        config->gid = entry != NULL ? entry->pw_gid : NOBODY_ID;
    }
}

static void build_server(struct config_build *build)
{
    struct config *config = build->config;
    static const struct config_value no_user;
    const struct config_value *user = &no_user;

    config_build_fallbacks(CONFIG_SERVER, config);
    for (const struct config_section *s = build->draft->sections; s != NULL; s = s->next) {
        if (s->kind == CONFIG_SERVER) {
            config_build_numbers(s, config);
            user = config_section_value(s, "user");
        }
    }
    find_user(build, user);
    if (config->workers == 0) {
        config->workers = count_cores();
    }
    config->defaults.linger_ms = LINGER_MS;
}

static struct config *build_snapshot(struct config_arena *texts, const struct config_draft *draft,
                                     struct config_report *report)
{
    struct config_build build = {.texts = texts, .draft = draft, .report = report};

    build.config = config_build_array(&build, 1, sizeof(struct config));
    if (build.config == NULL) {
        return NULL;
    }
    build_server(&build);
    config_build_listens(&build);
    config_build_routes(&build);
    return build.config;
}

struct config *config_parse(const char *path, struct span text, struct config_errors *out_errors)
{
    struct config_report report = {0};
    struct config_arena texts = {0};
    struct config_draft draft;
    struct config *config;

    (void)path; /* lines name themselves; the caller prints the path in front of them */
    config_draft_read(&draft, text, &texts, &report);
    config = build_snapshot(&texts, &draft, &report);
    config_draft_done(&draft);
    if (report.is_failed || config == NULL) {
        config_report_sort(&report);
        config_arena_done(&texts);
        config = NULL;
    } else {
        config->memory = texts.blocks;
    }
    *out_errors = report.errors;
    return config;
}

struct config *config_load(const char *path, struct config_errors *out_errors)
{
    struct config_report report = {0};
    struct config_arena file = {0};
    struct config *config = NULL;
    struct span text;
    const char *problem;

    if (config_file_read(path, &file, &text, &problem)) {
        config = config_parse(path, text, out_errors);
    } else {
        config_report_add(&report, 0, "cannot read the configuration: %s", problem);
        *out_errors = report.errors;
    }
    config_arena_done(&file);
    return config;
}

void config_free(struct config *config)
{
    struct config_arena texts;

    if (config == NULL) {
        return;
    }
    texts = (struct config_arena){config->memory};
    config_arena_done(&texts);
}
