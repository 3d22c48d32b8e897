/* SPDX-License-Identifier: GPL-3.0-or-later */
/* revoked.h: files of what has been taken back before its time: tokens, subjects, keys.
 *
 * For: reading such a file, telling everything that is wrong with it by line, and looking somebody
 * up in it. Not for: ending sessions, deciding whom a file is for. Pure but for memory.
 *
 * A line is one of
 *     jti:ID         the token that has this jti
 *     sub:SUBJECT    everything of this subject
 *     kid:ID         every token that the key with this kid has signed
 *
 * Blank lines, and lines that begin with "#", say nothing. White space around the line and behind
 * the first colon does not count; the rest is compared byte by byte. A line may stand twice.
 *
 * Who writes a file in place empties it first and fills it then. A reader who comes in between must
 * not let anybody back in, so a file without any line is a fault, and so is a last line without its
 * line end: it may be the front part of a longer one. A file that revokes nobody has a comment. */
#ifndef PROTO_REVOKED_H
#define PROTO_REVOKED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

#define REVOKED_VALUE_MAX 4096 /* bytes: UTF-8 without control characters */

enum revoked_kind { REVOKED_JTI = 0, REVOKED_SUB, REVOKED_KID };

struct revoked_entry {
    enum revoked_kind kind;
    struct span value;
};

/* A list of zeros is empty: nobody is revoked. */
struct revoked {
    struct revoked_entry *entries; /* owned; sorted by kind and value, none twice */
    size_t count;
    char *text; /* private: owned; the values */
    size_t text_size;
};

/* Told for each fault; the detail is a constant text with nothing of the file in it. Line 0: the
 * file as a whole. */
typedef void revoked_fault_fn(void *owner, unsigned line, const char *detail);

/* Reads a file into *out, which was empty. False: `fault` has heard at least once, and *out is
 * empty. The text may go afterwards. */
MUST_CHECK bool revoked_read(struct revoked *out, struct span text, revoked_fault_fn *fault,
                             void *owner);
void revoked_done(struct revoked *revoked);

/* Takes time for the logarithm of the number of lines. An empty value stands in no file. */
bool revoked_has(const struct revoked *revoked, enum revoked_kind kind, struct span value);

#endif
