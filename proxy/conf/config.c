/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/config.h"

#include <errno.h>
#include <pwd.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "conf/build.h"
#include "conf/draft.h"
#include "conf/file.h"
#include "conf/listen.h"
#include "conf/route.h"

#define LINGER_MS 2000
#define WORKERS_MAX 256
#define NOBODY_ID 65534 /* where there is no user "nobody" to ask */

/* What this process may really run on: a container often has fewer cores than the machine. */
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

/* `line` is where the file names the user; 0 = it names none. */
static void find_user(struct build *build, unsigned line)
{
    struct config *config = build->config;
    struct passwd *entry;

    errno = 0;
    entry = getpwnam(config->user.len > 0 ? config->user.data : "nobody");
    if (config->user.len > 0 && entry == NULL) {
        report_add(build->report, line, "no such user '%.*s'%s%s", REPORT_SHOW(config->user),
                   errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
    }
    if (config->user.len > 0 && entry != NULL && entry->pw_uid == 0) {
        report_add(build->report, line,
                   "user '%.*s' has all rights; name a user without rights, or leave the key out",
                   REPORT_SHOW(config->user));
    }
    config->has_ids = geteuid() == 0;
    if (config->has_ids) {
        config->uid = entry != NULL ? entry->pw_uid : NOBODY_ID;
        config->gid = entry != NULL ? entry->pw_gid : NOBODY_ID;
    }
}

static void build_server(struct build *build)
{
    struct config *config = build->config;
    unsigned user_line = 0;
    unsigned sandbox_line = 0;

    build_fallbacks(build, KEY_SERVER, config);
    for (const struct draft_section *s = build->draft->sections; s != NULL; s = s->next) {
        if (s->kind == KEY_SERVER) {
            build_section(build, s, config);
            user_line = draft_value(s, "user")->line;
            sandbox_line = draft_value(s, "sandbox")->line;
        }
    }
    if (!config->is_sandboxed) {
        report_warn(build->report, sandbox_line,
                    "sandbox = off: whoever takes a worker over can do all that its user can");
    }
    find_user(build, user_line);
    if (config->workers == 0) {
        config->workers = count_cores();
    }
    config->early_timeouts.linger_ms = LINGER_MS;
}

static struct config *build_snapshot(struct arena *texts, const struct draft *draft,
                                     struct report *report)
{
    struct build build = {.texts = texts, .draft = draft, .report = report};

    build.config = build_array(&build, 1, sizeof(struct config));
    if (build.config == NULL) {
        return NULL;
    }
    build_server(&build);
    listen_build(&build);
    route_build(&build);
    listen_check_hosts(&build);
    return build.config;
}

struct config *config_parse(struct span text, struct report *out_report)
{
    struct arena texts = {0};
    struct draft draft;
    struct config *config;

    *out_report = (struct report){0};
    draft_read(&draft, text, &texts, out_report);
    config = build_snapshot(&texts, &draft, out_report);
    draft_done(&draft);
    report_sort(out_report);
    if (out_report->is_failed || config == NULL) {
        out_report->is_failed = true;
        arena_done(&texts);
        return NULL;
    }
    config->memory = texts;
    return config;
}

struct config *config_load(const char *path, struct report *out_report)
{
    struct arena file = {0};
    struct config *config = NULL;
    struct span text;
    const char *detail;

    *out_report = (struct report){0};
    if (file_read(path, &file, &text, &detail)) {
        config = config_parse(text, out_report);
    } else {
        report_add(out_report, 0, "cannot read the configuration: %s", detail);
    }
    arena_done(&file);
    return config;
}

void config_free(struct config *config)
{
    if (config != NULL) {
        struct arena memory = config->memory; /* the snapshot itself is in it */

        arena_done(&memory);
    }
}
