/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mime.h: what kind of file a name stands for.
 *
 * For: the media type of a file by what stands behind the last dot of its name: from a short table
 * that pages depend on, then from a table like /etc/mime.types, then from a longer table of the
 * program's own. Not for: looking into files, reading the table's file. Pure, but for memory. */
#ifndef PROTO_MIME_H
#define PROTO_MIME_H

#include <stddef.h>

#include "base/span.h"

#define MIME_BYTES_MAX ((size_t)1 << 20) /* of a table's text; more is cut */
#define MIME_TYPE_MAX 127                /* bytes of a type; longer ones are left out */

struct mime_entry {
    struct span extension; /* in small letters */
    struct span type;
};

/* Owns its text; of zeros it is an empty table. */
struct mime {
    char *text;
    struct mime_entry *entries; /* sorted by extension */
    size_t count;
};

/* Reads a text like /etc/mime.types: a type, then its extensions, one type a line, '#' begins a
 * comment. What is no type or no extension is left out; the first line with an extension counts.
 * False: no memory. */
MUST_CHECK bool mime_read(struct mime *out, struct span text);
void mime_done(struct mime *mime);

/* The value of Content-Type for the file at this path; text has charset=utf-8. What nobody knows is
 * application/octet-stream. The span may point into `scratch`. */
#define MIME_VALUE_MAX (MIME_TYPE_MAX + 17)
struct span mime_type_of(const struct mime *mime, struct span path, char scratch[MIME_VALUE_MAX]);

#endif
