/* SPDX-License-Identifier: GPL-3.0-or-later */
/* draft.h: what an INI text says, section by section, before it means anything.
 *
 * For: reading a text through inih, of which this is the only user, into sections of known keys.
 * Values are as written, cut into items where a key holds a list. Not for: reading values; what
 * keys mean together.
 *
 * inih sees one line at a time, and each line once, so every value and every error knows its line.
 * inih never continues a line, never splits one, and never meets a NUL, a byte order mark or an
 * invalid character, all of which it would take silently.
 *
 * Texts go into the arena given to draft_read, each with a NUL behind it, and may go on into the
 * snapshot; draft_done frees the rest. */
#ifndef CONF_DRAFT_H
#define CONF_DRAFT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "conf/arena.h"
#include "conf/key.h"
#include "conf/report.h"
#include "conf/value.h"

#define DRAFT_LINE_BYTES_MAX VALUE_BYTES_MAX /* of a line without its end */
#define DRAFT_NAME_BYTES_MAX 45              /* between the brackets of a header; inih cuts at 49 */
#define DRAFT_SECTIONS_MAX 4096

struct draft_item {
    struct span text;
    unsigned line;
    struct draft_item *next;
};

struct draft_value {
    unsigned line;            /* the first with the key; 0 = the key is not there */
    struct draft_item *items; /* one, or several of a list; none of a refused value */
    struct draft_item *last;
    size_t count;
};

struct draft_section {
    enum key_section kind;
    struct span name; /* of a listener or route */
    unsigned line;
    struct draft_value values[KEY_MAX]; /* by key_index */
    struct draft_section *next;
};

struct draft {
    struct arena arena;
    struct draft_section *sections; /* in the file's order */
    struct draft_section *last;
    size_t count;
    bool has_lost_section; /* a header was refused: its section only seems to be missing */
};

/* Adds errors to the report. *out has what could be read all the same, so that the caller can check
 * the rest too. */
void draft_read(struct draft *out, struct span text, struct arena *texts, struct report *report);
void draft_done(struct draft *draft);

/* The value of a key that sections of this kind have. */
const struct draft_value *draft_value(const struct draft_section *section, const char *key);
size_t draft_count(const struct draft *draft, enum key_section kind);

#endif
