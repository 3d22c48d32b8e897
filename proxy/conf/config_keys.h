/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_keys.h: the one table that describes every key of the configuration.
 *
 * For: parsing, printing and explaining a key's value; the nearest name to a misspelt one. Not for:
 * reading files, what keys mean together. Pure. Each row of the table in config_keys.c begins with
 * CONFIG_KEY("section", "name", so that a check can compare it with config/README.md. */
#ifndef CONF_CONFIG_KEYS_H
#define CONF_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum config_section_kind { CONFIG_SERVER = 0, CONFIG_LISTEN, CONFIG_DEFAULTS, CONFIG_ROUTE };

enum config_type {
    CONFIG_TYPE_COUNT = 0, /* whole number */
    CONFIG_TYPE_SIZE,      /* bytes: 64k */
    CONFIG_TYPE_DURATION,  /* milliseconds: 5s */
    CONFIG_TYPE_CHOICE,    /* one of the words in `choices` */
    CONFIG_TYPE_TEXT,      /* checked by whoever builds the snapshot */
    CONFIG_TYPE_LIST       /* comma-separated; the key may be repeated, each line adds items */
};

struct config_choice {
    const char *word; /* NULL ends the list */
    uint64_t value;
};

/* One row. `offset` and `width` say where a number lives: in struct config for [server], in struct
 * config_listen for [listen], in struct config_route for [route]. Width 0: not kept as a number. */
struct config_key {
    const char *section; /* "server", "listen" or "route" (route keys also stand in [defaults]) */
    const char *name;
    enum config_type type;
    const char *fallback; /* the default, as it would be written; NULL = none */
    const char *help;
    uint64_t min;
    uint64_t max;
    const char
        *zero_word; /* what 0 means where it lies outside min to max: "off"; NULL = refused */
    const struct config_choice *choices; /* words; for a number also those besides digits */
    bool is_required;
    bool is_route_only; /* not in [defaults] */
    size_t offset;
    size_t width;
};

#define CONFIG_KEYS_MAX 64    /* ceiling of the table, asserted by the tests */
#define CONFIG_RANGE_TEXT 160 /* bytes that config_key_describe needs at most */
#define CONFIG_VALUE_TEXT 32  /* bytes that config_key_format needs at most */

size_t config_key_count(void);
const struct config_key *config_key_at(size_t index);
/* The position of `key` in the table. */
size_t config_key_index(const struct config_key *key);

/* Sections of this kind have the key. */
bool config_key_is_at_home(const struct config_key *key, enum config_section_kind kind);
/* NULL when a section of this kind has no such key. */
const struct config_key *config_key_find(enum config_section_kind kind, struct span name);
/* The key's row wherever it belongs; NULL when no section has it. */
const struct config_key *config_key_find_anywhere(struct span name);
/* The known key of this kind of section that `name` was probably meant to be, or NULL. */
const struct config_key *config_key_nearest(enum config_section_kind kind, struct span name);
/* True for keys that hold a number (counts, sizes, durations, choices). */
bool config_key_is_number(const struct config_key *key);

/* Reads a number; false when it is none or out of range. */
MUST_CHECK bool config_key_parse(const struct config_key *key, struct span text, uint64_t *out);
/* The value as it would be written ("64k", "10m", "close"); returns `out`. */
const char *config_key_format(const struct config_key *key, uint64_t value, char *out, size_t size);
/* What may stand there: "a duration such as 500ms, 5s, 10m or 2h: 0 (off) or 10ms to 30d". */
const char *config_key_describe(const struct config_key *key, char *out, size_t size);

/* The number's place in the struct that the row's section is kept in. */
void config_key_store(const struct config_key *key, void *base, uint64_t value);
uint64_t config_key_load(const struct config_key *key, const void *base);

/* How many letters must be changed, added, dropped or swapped to make one word of the other. */
size_t config_word_distance(struct span a, struct span b);
/* True when the distance is small enough for the lengths of the words to be a slip. */
bool config_word_is_near(struct span word, struct span known, size_t distance);

#endif
