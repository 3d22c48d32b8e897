/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Heads and content of answers that are files. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "conf/files.h"
#include "gate/files_parts.h"
#include "proto/http.h"

#define LOCATION_MAX 2048 /* bytes of a path and query that a redirect repeats */
#define LINES_MAX (FILES_HEADER_BYTES_MAX + LOCATION_MAX + 512)
#define HEAD_MAX (LINES_MAX + 512)

_Static_assert(FILES_PIECE_BYTES <= SCRATCH_RESULT, "a piece fits into the scratch");

/* Header lines, side by side. */
struct lines {
    char text[LINES_MAX];
    size_t len;
};

static void add(struct lines *lines, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct lines *lines, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(lines->text + lines->len, sizeof(lines->text) - lines->len, format, args);
    va_end(args);
    assert(len >= 0 && (size_t)len < sizeof(lines->text) - lines->len);
    lines->len += (size_t)len;
}

/* The same path with a slash at its end. It begins with one slash and has no empty segment, so
 * nobody takes it for the name of a host. */
static void add_location(struct lines *lines, const struct request *request)
{
    if (request->path.len + request->query.len + 2 > LOCATION_MAX) {
        return; /* a 301 that says only what it is */
    }
    add(lines, "Location: %.*s/%s%.*s\r\n", (int)request->path.len, request->path.data,
        request->query.len > 0 ? "?" : "", (int)request->query.len,
        request->query.len > 0 ? request->query.data : "");
}

/* What tells this file from others and from what it was. */
static void add_mark(struct lines *lines, const struct files_answer *answer)
{
    static const char *const codings[] = {[RESOURCE_GZIP] = "gzip", [RESOURCE_BROTLI] = "br"};
    char date[HTTP_DATE_MAX];

    add(lines, "ETag: %s\r\n", answer->etag_text);
    if (answer->mark.modified_s != UINT64_MAX) {
        http_write_date(date, answer->mark.modified_s);
        add(lines, "Last-Modified: %s\r\nVary: Accept-Encoding\r\n", date);
    }
    if (answer->coding != RESOURCE_IDENTITY && answer->status != 304) {
        add(lines, "Content-Encoding: %s\r\n", codings[answer->coding]);
    }
}

static void add_lines(struct lines *lines, const struct files_question *question,
                      const struct files_answer *answer)
{
    switch (answer->status) {
    case 200:
        add(lines, "Accept-Ranges: bytes\r\n");
        add_mark(lines, answer);
        break;
    case 206:
        add(lines, "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n", answer->at,
            answer->at + answer->content_bytes - 1, answer->size_bytes);
        add_mark(lines, answer);
        break;
    case 301:
        add_location(lines, question->request);
        break;
    case 304:
        add_mark(lines, answer);
        break;
    case 416:
        add(lines, "Content-Range: bytes */%" PRIu64 "\r\n", answer->size_bytes);
        break;
    default:
        break;
    }
    for (size_t i = 0; i < question->section->header_count; i++) {
        const struct span *header = &question->section->headers[i];
        add(lines, "%.*s\r\n", (int)header->len, header->data);
    }
}

/* What a browser may do without asking again. An error is not worth keeping. */
static struct span cache_of(const struct config_files *section, unsigned status, char out[40])
{
    if (status >= 400) {
        return (struct span){NULL, 0};
    }
    if (section->cache_ms == 0) {
        return SPAN_LIT("no-cache");
    }
    int len = snprintf(out, 40, "max-age=%" PRIu64, section->cache_ms / 1000);
    return (struct span){out, len > 0 ? (size_t)len : 0};
}

void files_send(struct pump *p, const struct files_question *question, struct files_answer *answer,
                bool is_kept)
{
    struct lines lines = {.len = 0};
    char head[HEAD_MAX];
    char cache[40];

    add_lines(&lines, question, answer);
    const struct http_response response = {
        .status = answer->status,
        .date_s = clock_date_s(),
        .content_type = answer->type,
        .body_bytes = answer->content_bytes,
        .extra = {lines.text, lines.len},
        .cache = cache_of(question->section, answer->status, cache),
        .is_kept = is_kept,
    };
    size_t len = http_write_head(head, sizeof(head), &response);
    assert(len > 0);       /* the configuration and the types have ceilings, which fit */
    conn_cork(&p->client); /* head and content travel together */
    pump_send_raw(p, head, len);
}

/* Up to a piece of the content. 0: there is nothing where the file should go on. */
static size_t read_piece(const struct files_answer *answer, uint8_t *out)
{
    size_t most =
        answer->left_bytes < FILES_PIECE_BYTES ? (size_t)answer->left_bytes : FILES_PIECE_BYTES;
    if (answer->fd == -1) {
        memcpy(out, answer->memory + answer->at, most);
        return most;
    }
    ssize_t got;
    do {
        got = pread(answer->fd, out, most, (off_t)answer->at);
    } while (got == -1 && errno == EINTR);
    return got > 0 ? (size_t)got : 0;
}

bool files_more(struct pump *p, struct files_answer *answer)
{
    uint8_t *piece = p->client.scratch->result;
    bool is_whole = true;

    if (answer->left_bytes > 0 && !p->client.is_broken && conn_queued(&p->client) < p->high_bytes) {
        size_t len = read_piece(answer, piece);
        is_whole = len > 0;
        answer->at += len;
        answer->left_bytes -= len;
        if (is_whole) {
            pump_send_raw(p, piece, len);
        }
    }
    p->is_client_owed = answer->left_bytes > 0 && !p->client.is_broken;
    return is_whole;
}
