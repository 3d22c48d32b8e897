/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a listener demands of its clients' certificates: files of CAs and of revocation lists. */
#include <string.h>
#include <time.h>

#include "conf/listen_parts.h"
#include "io/tls_pem.h"
#include "io/trust.h"

/* The files of one key. */
struct files {
    struct span *texts;
    const struct draft_item **items;
    size_t count;
    bool is_whole; /* all could be read */
};

/* A list's file may be read by everybody, but not changed. */
static void check_writers(struct build *build, const struct draft_item *item,
                          const struct bundle_file *file, const char *what)
{
    if (file->exposure == FILE_WRITABLE) {
        report_add(build->report, item->line,
                   "%.*s: every user of this machine can change the %s: chmod o-w FILE",
                   REPORT_SHOW_PATH(item->text), what);
    }
}

static bool read_files(struct build *build, const struct draft_value *value, const char *what,
                       struct files *out)
{
    *out = (struct files){.is_whole = true};
    out->texts = build_array(build, value->count, sizeof(*out->texts));
    out->items = build_array(build, value->count, sizeof(*out->items));
    if (out->texts == NULL || out->items == NULL) {
        return false;
    }
    for (const struct draft_item *item = value->items; item != NULL; item = item->next) {
        const struct bundle_file *file = build_file(build, item);

        if (file == NULL) {
            out->is_whole = false;
            continue;
        }
        check_writers(build, item, file, what);
        if (!arena_copy(build->texts, file->bytes, &out->texts[out->count])) {
            report_no_memory(build->report);
            return false;
        }
        out->items[out->count++] = item;
    }
    return true;
}

/* Where findings about the files of one key go. */
struct verdict {
    struct build *build;
    const struct files *files;
    bool is_bad;
};

static void take_finding(void *owner, enum trust_weight weight, size_t file, const char *text)
{
    struct verdict *verdict = owner;
    const struct draft_item *item = verdict->files->items[file];
    struct report *report = verdict->build->report;

    switch (weight) {
    case TRUST_WARNING:
        report_warn(report, item->line, "%.*s: %s", REPORT_SHOW_PATH(item->text), text);
        break;
    case TRUST_ERROR:
        report_add(report, item->line, "%.*s: %s", REPORT_SHOW_PATH(item->text), text);
        verdict->is_bad = true;
        break;
    }
}

/* True when the files hold CAs that clients can be verified with. */
static bool prove_authorities(struct build *build, const struct files *files)
{
    struct verdict verdict = {.build = build, .files = files};

    if (!build->is_proven) {
        trust_check_authorities(files->texts, files->count, (int64_t)time(NULL), take_finding,
                                &verdict);
    }
    return files->is_whole && !verdict.is_bad;
}

/* Makes DER of the files' certificates, side by side. */
static void join_authorities(struct build *build, const struct files *files, struct span *out)
{
    size_t size = 0;
    size_t len = 0;

    for (size_t i = 0; i < files->count; i++) {
        size += files->texts[i].len;
    }
    char *joined = build_array(build, size + 1, 1);
    for (size_t i = 0; joined != NULL && i < files->count; i++) {
        struct tls_der der;
        const char *fault = tls_pem_certificates(files->texts[i], &der);

        if (fault == NULL) {
            memcpy(joined + len, der.data, der.len);
            len += der.len;
        }
        tls_pem_done(&der);
    }
    *out = (struct span){joined, joined != NULL ? len : 0};
}

static void prove_lists(struct build *build, const struct files *lists,
                        const struct files *authorities)
{
    struct verdict verdict = {.build = build, .files = lists};
    const struct trust_lists question = {lists->texts, lists->count, authorities->texts,
                                         authorities->count};

    if (!build->is_proven && lists->count > 0) {
        trust_check_lists(&question, (int64_t)time(NULL), take_finding, &verdict);
    }
}

void listen_build_client(struct build *build, const struct draft_section *section,
                         struct config_listen *listen)
{
    const struct draft_value *authorities = draft_value(section, "tls_client_ca");
    const struct draft_value *lists = draft_value(section, "tls_client_crl");
    struct files authority_files;
    struct files list_files;

    if (authorities->count == 0 ||
        !read_files(build, authorities, "list of CAs", &authority_files)) {
        return;
    }
    bool is_good = prove_authorities(build, &authority_files);
    if (is_good) {
        join_authorities(build, &authority_files, &listen->client_ca);
    }
    if (lists->count > 0 && read_files(build, lists, "list of revoked certificates", &list_files)) {
        listen->client_crls = list_files.texts;
        listen->client_crl_count = list_files.count;
        if (is_good) {
            prove_lists(build, &list_files, &authority_files);
        }
    }
}
