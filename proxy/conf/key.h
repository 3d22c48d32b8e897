/* SPDX-License-Identifier: GPL-3.0-or-later */
/* key.h: the one table that describes every key of the configuration.
 *
 * For: what each section and key is called, where its value lives in the snapshot, how that is read
 * and printed, what it means nothing without; the nearest name to a misspelt one. Not for: what
 * several keys mean together. Pure.
 *
 * A new key is a row in key_table.c, key_table_route.c or key_table_files.c (and the field of the
 * snapshot that it fills), a row of a table in config/README.md and a line in config/sluice.ini;
 * `make lint` compares the three. Each row of the table begins with KEY(SECTION, "name". */
#ifndef CONF_KEY_H
#define CONF_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/span.h"
#include "conf/value.h"

/* What a section is kept in: struct config, struct config_listen for three of them, struct
 * config_auth, for two struct config_route, struct config_files. */
enum key_section {
    KEY_SERVER = 0,
    KEY_LISTEN,
    KEY_HEALTH,
    KEY_ADMIN,
    KEY_AUTH,
    KEY_DEFAULTS,
    KEY_ROUTE,
    KEY_FILES
};
#define KEY_SECTIONS 8

/* How a section begins: [server], [listen NAME]. */
struct key_header {
    const char *word;
    bool has_name;
};

enum key_type {
    KEY_TYPE_COUNT = 0, /* whole number */
    KEY_TYPE_SIZE,      /* bytes: 64k */
    KEY_TYPE_DURATION,  /* milliseconds: 5s */
    KEY_TYPE_CHOICE,    /* one of the words in `choices` */
    KEY_TYPE_TEXT,
    KEY_TYPE_LIST /* comma-separated; the key may be repeated, each line adds items */
};

struct key_choice {
    const char *word; /* NULL ends the list */
    uint64_t value;
};

/* What must hold for a key to mean anything. */
struct key_need {
    bool (*is_met)(const void *base); /* base: what the section is kept in */
    const char *text;                 /* "framing = line": behind "means nothing without" */
};

struct key {
    enum key_section section; /* a key of KEY_ROUTE also stands in [defaults] */
    const char *name;
    const char *help;
    const char *values; /* what may stand there, for people, where the row does not say; or NULL */
    enum key_type type;
    bool is_required;
    bool is_route_only;   /* not in [defaults] */
    bool names_files;     /* its value or items are paths, which the bundle reads */
    bool names_directory; /* its value is the path of a directory, which the bundle looks up */
    bool names_folders;   /* a directory stands for its files there */
    const char *fallback; /* the default, as it would be written: one item of a list; NULL = none */
    const struct key_need *need; /* NULL: the key always means something */

    /* Where the value lives, counted from the beginning of what the section is kept in. */
    size_t offset; /* of a number, of what `read` fills, or of the pointer to a list's items */
    size_t width;  /* bytes of a number or of an item */
    size_t count_offset; /* of a list's count, a size_t */

    /* Numbers */
    uint64_t min;
    uint64_t max;          /* of a list: how many items it may have; 0 = any number */
    const char *zero_word; /* what 0 means outside of min to max: "off"; NULL = 0 is refused */
    const struct key_choice *choices; /* for a number the words that may stand instead of one */

    /* Texts and lists */
    value_read_fn *read; /* of a list: one item */
    value_show_fn *show;
    const char *noun;  /* what a value or an item is called in messages; NULL = "value" */
    const char *empty; /* what no value means: "any" */
};

#define KEY_MAX 192        /* ceiling of the table, asserted by the tests */
#define KEY_RANGE_TEXT 160 /* bytes that key_describe needs at most */
#define KEY_NUMBER_TEXT 32 /* bytes that key_format needs at most */

size_t key_count(void);
const struct key *key_at(size_t index);
/* The position of `key` in the table. */
size_t key_index(const struct key *key);

const struct key_header *key_section_header(enum key_section section);
/* False when no section begins with this word. */
MUST_CHECK bool key_section_find(struct span word, enum key_section *out);
/* The word that `word` was probably meant to be, or NULL. */
const char *key_section_nearest(struct span word);

/* Sections of this kind have the key. */
bool key_is_at_home(const struct key *key, enum key_section section);
/* NULL when sections of this kind have no such key. */
const struct key *key_find(enum key_section section, struct span name);
/* The key's row wherever it belongs; NULL when no section has it. */
const struct key *key_find_anywhere(struct span name);
/* The known key of this kind of section that `name` was probably meant to be, or NULL. */
const struct key *key_nearest(enum key_section section, struct span name);
/* True for counts, sizes, durations and choices. */
bool key_is_number(const struct key *key);

/* The number at its place in `base`. */
void key_store(const struct key *key, void *base, uint64_t number);
uint64_t key_load(const struct key *key, const void *base);
/* False when `text` is no number or out of range. */
MUST_CHECK bool key_parse(const struct key *key, struct span text, uint64_t *out);
/* The number as it would be written ("64k", "10m", "close"); returns `out`. */
const char *key_format(const struct key *key, uint64_t number, char *out, size_t size);
/* What may stand there: "a duration such as 500ms, 5s, 10m or 2h: 0 (off) or 10ms to 30d". */
const char *key_describe(const struct key *key, char *out, size_t size);
/* The whole table, a row of Markdown for each key: section, key, values, default, help. `make keys`
 * takes the tables of config/README.md from it, but for the meaning. */
void key_print(FILE *out);

#endif
