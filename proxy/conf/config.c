/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/config.h"

#include <inttypes.h>
#include <string.h>

#include "conf/auth.h"
#include "conf/build.h"
#include "conf/draft.h"
#include "conf/files.h"
#include "conf/listen.h"
#include "conf/route.h"

#define LINGER_MS 2000
#define CONFIG_COPIES 4
#define QUEUE_OVERSHOOT_BYTES ((uint64_t)160 * 1024) /* one read, with all that is put around it */
#define NOBODY_ID 65534                              /* where there is no user "nobody" to ask */

/* `line` is where the file names the user; 0 = it names none. */
static void find_user(struct build *build, unsigned line)
{
    const struct bundle *bundle = build->bundle;
    const struct bundle_facts *facts = &bundle->facts;
    struct config *config = build->config;
    bool is_named = config->user.len > 0;

    if (is_named && !facts->has_user) {
        report_add(build->report, line, "no such user '%.*s'%s%s", REPORT_SHOW(config->user),
                   bundle->user_problem.len > 0 ? ": " : "",
                   bundle->user_problem.len > 0 ? bundle->user_problem.data : "");
    }
    if (is_named && facts->has_user && facts->uid == 0) {
        report_add(build->report, line,
                   "user '%.*s' has all rights; name a user without rights, or leave the key out",
                   REPORT_SHOW(config->user));
    }
    config->has_ids = facts->is_root;
    if (config->has_ids) {
        config->uid = facts->has_user ? facts->uid : NOBODY_ID;
        config->gid = facts->has_user ? facts->gid : NOBODY_ID;
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
            build_check_needs(build, s, config);
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
        config->workers = build->bundle->facts.cores;
    }
    config->early_timeouts.linger_ms = LINGER_MS;
}

static unsigned line_of(const struct build *build, const char *key)
{
    for (const struct draft_section *s = build->draft->sections; s != NULL; s = s->next) {
        if (s->kind == KEY_SERVER) {
            return draft_value(s, key)->line;
        }
    }
    return 0;
}

/* During a reload a worker has two configurations and the files that the next one is made of; and
 * TLS copies certificates. */
static void check_memory(struct build *build)
{
    const struct config *config = build->config;
    uint64_t most = config->max_memory_bytes;
    uint64_t fixed =
        CONFIG_COPIES * (arena_bytes(build->texts) + auth_bytes(config) + route_bytes(config));
    unsigned line = line_of(build, "max_memory");

    if (most == 0) {
        return;
    }
    if (fixed > most / 2) {
        report_add(build->report, line,
                   "max_memory is too small: this configuration alone takes up to %" PRIu64
                   "k of it in each worker, and half of it must be left for sessions",
                   fixed / 1024);
        return;
    }
    for (size_t i = 0; i < config->route_count; i++) {
        uint64_t queues = 2 * (config->routes[i].buffer_high_bytes + QUEUE_OVERSHOOT_BYTES);
        if (queues > most / 8) {
            report_warn(build->report, line,
                        "max_memory is reached by fewer than eight slow sessions of [route %.*s]: "
                        "each may queue %" PRIu64 "k (twice buffer_high, and a read each way)",
                        REPORT_SHOW(config->routes[i].policy.name), queues / 1024);
            return;
        }
    }
}

static struct config *build_snapshot(struct build *build)
{
    build->config = build_array(build, 1, sizeof(struct config));
    if (build->config == NULL) {
        return NULL;
    }
    build->config->holders = build_array(build, 1, sizeof(struct config_holders));
    build_server(build);
    listen_build(build);
    auth_build(build);
    route_build(build);
    files_build(build);
    auth_check_use(build);
    listen_check_hosts(build);
    check_memory(build);
    return build->config;
}

static struct config *make(const struct bundle *bundle, enum config_proof proof,
                           const struct config_pair *lent, struct report *out_report)
{
    struct arena texts = {0};
    struct draft draft;
    struct build build = {
        .texts = &texts,
        .bundle = bundle,
        .draft = &draft,
        .report = out_report,
        .is_proven = proof == CONFIG_PROVEN,
        .lent = lent,
    };
    struct config *config = NULL;

    *out_report = (struct report){0};
    if (bundle->is_short) {
        report_no_memory(out_report);
    } else if (bundle->files->problem.len > 0) {
        report_add(out_report, 0, "cannot read the configuration: %s", bundle->files->problem.data);
    } else {
        draft_read(&draft, bundle->files->bytes, &texts, out_report);
        config = build_snapshot(&build);
        draft_done(&draft);
    }
    report_sort(out_report);
    if (out_report->is_failed || config == NULL) {
        out_report->is_failed = true;
        if (config != NULL) {
            config_drop_auths(config);
            config_drop_targets(config);
        }
        arena_done(&texts);
        return NULL;
    }
    *config->holders = (struct config_holders){.count = 1, .memory = texts};
    return config;
}

struct config *config_build(const struct bundle *bundle, enum config_proof proof,
                            struct report *out_report)
{
    return make(bundle, proof, NULL, out_report);
}

struct config *config_build_lent(const struct bundle *bundle, const struct config_pair *lent,
                                 struct report *out_report)
{
    return make(bundle, CONFIG_TO_PROVE, lent, out_report);
}

struct config *config_parse(struct span text, struct report *out_report)
{
    struct bundle bundle;

    bundle_read_text(&bundle, text);
    struct config *config = config_build(&bundle, CONFIG_TO_PROVE, out_report);
    bundle_done(&bundle);
    return config;
}

struct config *config_load(const char *path, struct report *out_report)
{
    struct bundle bundle;

    bundle_read(&bundle, path);
    struct config *config = config_build(&bundle, CONFIG_TO_PROVE, out_report);
    bundle_done(&bundle);
    return config;
}
