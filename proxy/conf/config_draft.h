/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_draft.h: what the file says, section by section, before it means anything.
 *
 * For: memory that is freed as one, the list of errors, and reading an INI text through inih into
 * sections of known keys. Numbers are already read and in range; texts and list items are as
 * written. Not for: what keys mean together, files that are named by keys.
 *
 * Texts live in the arena given to config_draft_read and may go on into the snapshot; everything
 * else of a draft is freed by config_draft_done. */
#ifndef CONF_CONFIG_DRAFT_H
#define CONF_CONFIG_DRAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "conf/config.h"
#include "conf/config_keys.h"

#define CONFIG_FILE_MAX ((size_t)1 << 20) /* bytes of any file that is read */
#define CONFIG_SECTIONS_MAX 4096
#define CONFIG_ERRORS_MAX 1000 /* listed; one more says that there are others */

/* Blocks that are freed together. */
struct config_arena_block;
struct config_arena {
    struct config_arena_block *blocks;
};
/* Zeroed and aligned for anything; NULL when out of memory. A size of 0 is allowed. */
MUST_CHECK void *config_arena_alloc(struct config_arena *arena, size_t size);
/* NUL-terminated copy; out->data is NULL when out of memory. */
MUST_CHECK bool config_arena_copy(struct config_arena *arena, struct span text, struct span *out);
/* Wipes what it frees: keys have been in it. */
void config_arena_done(struct config_arena *arena);

/* The list of errors on its way. It may stay empty and yet is_failed, when there was no memory even
 * for an error. */
struct config_report {
    struct config_errors errors;
    bool is_failed;
};
void config_report_add(struct config_report *report, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void config_report_no_memory(struct config_report *report);
/* By line; those of one line stay in the order they were found. */
void config_report_sort(struct config_report *report);

/* The beginning of `text`, short enough to be quoted in a message and never cut inside a letter. */
struct span config_quote(struct span text);
/* The two arguments of "%.*s". */
#define CONFIG_SHOW(text_) (int)config_quote(text_).len, config_quote(text_).data

struct config_item {
    struct span text;
    unsigned line;
    struct config_item *next;
};

struct config_value {
    unsigned line;             /* 0 = the key is not there */
    struct span text;          /* TEXT */
    uint64_t number;           /* COUNT, SIZE, DURATION, CHOICE */
    struct config_item *items; /* LIST */
    struct config_item *last;
    size_t count;
};

struct config_section {
    enum config_section_kind kind;
    struct span name; /* of a listener or route */
    unsigned line;
    struct config_value values[CONFIG_KEYS_MAX]; /* by config_key_index */
    struct config_section *next;
};

struct config_draft {
    struct config_arena arena;
    struct config_section *sections; /* in the file's order */
    struct config_section *last;
    size_t count;
    bool has_lost_section; /* a header was refused: a section that seems missing may have been it */
};

/* Reads `text`; errors are added to the report, and what could be read is in *out all the same, so
 * that the rest can be checked too. */
void config_draft_read(struct config_draft *out, struct span text, struct config_arena *texts,
                       struct config_report *report);
void config_draft_done(struct config_draft *draft);

/* The value of a key that the table has for this kind of section. */
const struct config_value *config_section_value(const struct config_section *section,
                                                const char *key);

/* The whole of a regular file; devices and pipes are refused. On failure *out_problem is the
 * reason, the system's where it has one. */
MUST_CHECK bool config_file_read(const char *path, struct config_arena *arena, struct span *out,
                                 const char **out_problem);

#endif
