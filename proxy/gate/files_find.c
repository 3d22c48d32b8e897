/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a request to a file and a status. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gate/files_parts.h"
#include "proto/http.h"

#define SUFFIX_MAX 4                      /* of a compressed sibling, with its NUL */
#define DATE_END_S UINT64_C(253402300800) /* the year 10000, which no HTTP date can name */

/* --- answers that are only a status -------------------------------------------------------- */

static void say(struct files_answer *out, unsigned status, const char *detail)
{
    int len = snprintf(out->line, sizeof(out->line), "%u %s\n", status, http_status_text(status));

    out->status = status;
    out->detail = detail;
    out->type = SPAN_LIT("text/plain; charset=utf-8");
    out->memory = (const uint8_t *)out->line;
    out->at = 0;
    out->content_bytes = status == 304 || len < 0 ? 0 : (uint64_t)len;
    out->left_bytes = out->content_bytes;
    if (out->fd != -1) {
        close(out->fd);
        out->fd = -1;
    }
}

/* --- the file ------------------------------------------------------------------------------ */

static void take_status(struct files_answer *out, const struct stat *status)
{
    const char *const suffixes[] = {
        [RESOURCE_IDENTITY] = "", [RESOURCE_GZIP] = "-gz", [RESOURCE_BROTLI] = "-br"};
    uint64_t modified_s = status->st_mtim.tv_sec > 0 ? (uint64_t)status->st_mtim.tv_sec : 0;
    uint64_t said_s = modified_s < DATE_END_S ? modified_s : DATE_END_S - 1;
    int len = snprintf(out->etag_text, sizeof(out->etag_text), "\"%" PRIx64 "-%" PRIx64 "%s\"",
                       modified_s * 1000000000 + (uint64_t)status->st_mtim.tv_nsec,
                       (uint64_t)status->st_size, suffixes[out->coding]);

    out->mark.etag = (struct span){out->etag_text, len > 0 ? (size_t)len : 0};
    out->mark.modified_s = said_s;
    out->size_bytes = (uint64_t)status->st_size;
}

/* Takes a compressed sibling in the place of the file, if the client likes one, and it is no older
 * than the file. */
static void take_sibling(int root, const char *path, const struct request *request,
                         struct stat *status, struct files_answer *out)
{
    static const char *const suffixes[] = {[RESOURCE_GZIP] = ".gz", [RESOURCE_BROTLI] = ".br"};
    char name[RESOURCE_PATH_MAX + RESOURCE_SEGMENT_MAX + SUFFIX_MAX + 1];
    enum resource_coding codings[2];
    size_t count = resource_codings(request, codings);

    for (size_t i = 0; i < count; i++) {
        struct stat other;
        const char *ignored;
        int fd = -1;
        (void)snprintf(name, sizeof(name), "%s%s", path, suffixes[codings[i]]);
        if (files_open_file(root, name, &fd, &other, &ignored) != FILES_FOUND) {
            continue;
        }
        if (other.st_mtim.tv_sec < status->st_mtim.tv_sec) {
            close(fd);
            continue;
        }
        close(out->fd);
        out->fd = fd;
        out->coding = codings[i];
        *status = other;
        return;
    }
}

/* The module for pages is in the program. */
static void take_kit(struct files_answer *out)
{
    uint64_t sum = UINT64_C(14695981039346656037); /* FNV-1a */

    for (size_t i = 0; i < page_kit_len; i++) {
        sum = (sum ^ page_kit[i]) * UINT64_C(1099511628211);
    }
    int len = snprintf(out->etag_text, sizeof(out->etag_text), "\"kit-%016" PRIx64 "\"", sum);
    out->mark.etag = (struct span){out->etag_text, len > 0 ? (size_t)len : 0};
    out->mark.modified_s = UINT64_MAX;
    out->memory = page_kit;
    out->size_bytes = page_kit_len;
}

/* False: *out says why there is none. */
static bool find_file(const struct files *files, const struct files_question *question,
                      const struct resource_path *path, struct files_answer *out)
{
    char name[RESOURCE_PATH_MAX + RESOURCE_SEGMENT_MAX + 1];
    struct stat status;
    int root = files_root(files, question->section);
    const char *index = path->is_directory ? question->section->index.data : "";

    if (question->section->root_path.len == 0) {
        say(out, 404, NULL); /* there is only the kit */
        return false;
    }
    (void)snprintf(name, sizeof(name), "%s%s", path->text, index);
    out->type = mime_type_of(files_types(files), span_from_str(name), out->type_text);
    switch (files_open_file(root, name, &out->fd, &status, &out->detail)) {
    case FILES_FOUND:
        take_sibling(root, name, question->request, &status, out);
        take_status(out, &status);
        return true;
    case FILES_DIRECTORY:
        if (path->is_directory) {
            say(out, 404, "the index is a directory");
        } else {
            say(out, 301, NULL);
        }
        return false;
    case FILES_NOT_FOUND:
        say(out, 404, out->detail);
        return false;
    case FILES_NO_ROOM:
        break;
    }
    say(out, 503, out->detail);
    return false;
}

/* --- what of it ---------------------------------------------------------------------------- */

static void choose_part(const struct request *request, struct files_answer *out)
{
    struct resource_range range = {.len_bytes = out->size_bytes};
    enum resource_range_result result = RESOURCE_RANGE_WHOLE;

    if (!out->is_head) { /* Range means something with GET alone (RFC 9110 14.2) */
        result =
            resource_read_range(resource_range_of(request, &out->mark), out->size_bytes, &range);
    }
    switch (result) {
    case RESOURCE_RANGE_WHOLE:
        out->status = 200;
        break;
    case RESOURCE_RANGE_PART:
        out->status = 206;
        break;
    case RESOURCE_RANGE_OUTSIDE:
        say(out, 416, NULL);
        return;
    }
    out->at = range.first;
    out->content_bytes = range.len_bytes;
    out->left_bytes = range.len_bytes;
}

static void judge(const struct request *request, struct files_answer *out)
{
    switch (resource_judge(request, &out->mark)) {
    case RESOURCE_SEND:
        choose_part(request, out);
        break;
    case RESOURCE_NOT_MODIFIED:
        say(out, 304, NULL);
        break;
    case RESOURCE_PRECONDITION:
        say(out, 412, NULL);
        break;
    }
}

static bool is_kit(const struct files_question *question, const struct resource_path *path)
{
    return question->section->has_kit &&
           span_is_equal((struct span){path->text, path->len}, SPAN_LIT("sluice.js"));
}

void files_open(const struct files *files, const struct files_question *question,
                struct files_answer *out)
{
    struct resource_path path;

    *out = (struct files_answer){
        .fd = -1,
        .mark.modified_s = UINT64_MAX,
        .is_head = span_is_equal(question->request->method, SPAN_LIT("HEAD")),
    };
    if (question->is_bare) {
        say(out, 301, NULL);
    } else if (resource_read_path(question->rest, &path) != RESOURCE_PATH_OK) {
        say(out, 404, path.detail);
    } else if (is_kit(question, &path)) {
        out->type = SPAN_LIT("text/javascript; charset=utf-8");
        take_kit(out);
        judge(question->request, out);
    } else if (find_file(files, question, &path, out)) {
        judge(question->request, out);
    }
    if (out->is_head) {
        out->left_bytes = 0;
    }
}

void files_done(struct files_answer *answer)
{
    if (answer->fd != -1) {
        close(answer->fd);
        answer->fd = -1;
    }
}
