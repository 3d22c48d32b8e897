/* SPDX-License-Identifier: GPL-3.0-or-later */
/* resource.h: what a request wants of a file (RFC 9110 8.8, 12.5.3, 13, 14).
 *
 * For: the part of a request path that names a file, to a relative path that cannot lead out of a
 * directory; the range, the conditions and the content codings that a request names, and the dates
 * in them. Not for: opening files (gate/files), which kind of file it is (mime), heads (http).
 * Pure: it takes values and returns values. resource.c has paths and codings, resource_range.c
 * ranges, resource_when.c dates and conditions. */
#ifndef PROTO_RESOURCE_H
#define PROTO_RESOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "proto/request.h"

/* ---- the path ---- */

#define RESOURCE_PATH_MAX 1024   /* bytes of the decoded path; no site has longer ones */
#define RESOURCE_SEGMENT_MAX 255 /* what file systems allow between two slashes */

enum resource_path_result {
    RESOURCE_PATH_OK = 0,
    RESOURCE_PATH_NONE,  /* no file is ever served under such a name */
    RESOURCE_PATH_ESCAPE /* the same, and the path tries to leave its directory */
};

struct resource_path {
    char text[RESOURCE_PATH_MAX + 1]; /* relative, with a NUL; "" for the directory itself */
    size_t len;
    bool is_directory;  /* it is empty or ends in '/' */
    const char *detail; /* of a refusal: a constant text for the log */
};

/* Decodes `rest`, which is what a request path has behind the directory's own path and its slash.
 * Each %xx is decoded once. The path is refused when it has a bad %xx, a control byte, a backslash,
 * an encoded slash, an empty segment, a segment that begins with a dot (so also "." and "..", and
 * every hidden file), or when it or a segment is too long. */
MUST_CHECK enum resource_path_result resource_read_path(struct span rest,
                                                        struct resource_path *out);

/* ---- ranges ---- */

enum resource_range_result {
    RESOURCE_RANGE_WHOLE = 0, /* no range that counts: the whole file */
    RESOURCE_RANGE_PART,
    RESOURCE_RANGE_OUTSIDE /* 416: the file has none of these bytes */
};

struct resource_range {
    uint64_t first; /* the place of the first byte */
    uint64_t len_bytes;
};

/* Reads the value of Range for a file of this size. Several ranges, another unit and what is
 * malformed do not count (RFC 9110 14.2). */
enum resource_range_result resource_read_range(struct span value, uint64_t size_bytes,
                                               struct resource_range *out);

/* ---- dates and conditions ---- */

/* Reads a date in each of the three forms of RFC 9110 5.6.7, as seconds since 1970. False: it is
 * none, or lies before 1970. */
MUST_CHECK bool resource_read_date(struct span text, uint64_t *out_s);

/* What is sent with a file to tell it from others. */
struct resource_mark {
    struct span etag;    /* with its quotes; strong */
    uint64_t modified_s; /* UINT64_MAX: nobody knows */
};

enum resource_verdict {
    RESOURCE_SEND = 0,
    RESOURCE_NOT_MODIFIED = 304,
    RESOURCE_PRECONDITION = 412
};

/* The conditions of a GET or HEAD in the order of RFC 9110 13.2.2: If-Match, If-Unmodified-Since,
 * If-None-Match, If-Modified-Since. */
enum resource_verdict resource_judge(const struct request *request,
                                     const struct resource_mark *mark);

/* The Range of the request, empty where there is none or where If-Range takes it away. */
struct span resource_range_of(const struct request *request, const struct resource_mark *mark);

/* ---- content codings ---- */

enum resource_coding { RESOURCE_IDENTITY = 0, RESOURCE_GZIP, RESOURCE_BROTLI };

/* What the client takes besides the file as it is, its favourite first; of two that it likes
 * equally br. Returns how many, at most 2. */
size_t resource_codings(const struct request *request, enum resource_coding out[2]);

#endif
