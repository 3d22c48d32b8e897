/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/authorities.h"

#include <string.h>
#include <time.h>

#include "io/tls_pem.h"

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

bool authorities_read(struct build *build, const struct draft_value *value, const char *what,
                      struct authorities_files *out)
{
    *out = (struct authorities_files){.is_whole = true};
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

void authorities_take_finding(void *owner, enum trust_weight weight, size_t file, const char *text)
{
    struct authorities_verdict *verdict = owner;
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

bool authorities_prove(struct build *build, const struct authorities_files *files,
                       enum trust_peer peer)
{
    struct authorities_verdict verdict = {.build = build, .files = files};
    const struct trust_authorities question = {files->texts, files->count, peer};

    if (!build->is_proven) {
        trust_check_authorities(&question, (int64_t)time(NULL), authorities_take_finding, &verdict);
    }
    return files->is_whole && !verdict.is_bad;
}

void authorities_join(struct build *build, const struct span *texts, size_t count,
                      authorities_fit_fn *fits, struct span *out)
{
    size_t size = 0;
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        size += texts[i].len;
    }
    char *joined = build_array(build, size + 1, 1);
    for (size_t i = 0; joined != NULL && i < count; i++) {
        struct span rest = texts[i];
        size_t item = 0;

        while (tls_pem_next_certificate(&rest, (uint8_t *)joined + len, &item)) {
            bool is_taken = fits == NULL || fits((struct span){joined + len, item});
            len += is_taken ? item : 0;
        }
    }
    *out = (struct span){joined, joined != NULL ? len : 0};
}
