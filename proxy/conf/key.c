/* SPDX-License-Identifier: GPL-3.0-or-later */
/* key.c: sections, and numbers by their row; the rows are in key_table.c. */
#include "conf/key.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conf/words.h"

static const struct key_header headers[KEY_SECTIONS] = {
    [KEY_SERVER] = {"server", false}, [KEY_LISTEN] = {"listen", true},
    [KEY_HEALTH] = {"health", false}, [KEY_ADMIN] = {"admin", false},
    [KEY_AUTH] = {"auth", true},      [KEY_DEFAULTS] = {"defaults", false},
    [KEY_ROUTE] = {"route", true},    [KEY_FILES] = {"files", true},
};

const struct key_header *key_section_header(enum key_section section)
{
    return &headers[section];
}

bool key_section_find(struct span word, enum key_section *out)
{
    for (size_t i = 0; i < KEY_SECTIONS; i++) {
        if (span_is_equal(span_from_str(headers[i].word), word)) {
            *out = (enum key_section)i;
            return true;
        }
    }
    return false;
}

const char *key_section_nearest(struct span word)
{
    const char *best = NULL;
    size_t distance = SIZE_MAX;

    for (size_t i = 0; i < KEY_SECTIONS; i++) {
        if (words_is_nearer(word, span_from_str(headers[i].word), &distance)) {
            best = headers[i].word;
        }
    }
    return best;
}

bool key_is_at_home(const struct key *key, enum key_section section)
{
    return key->section == section ||
           (section == KEY_DEFAULTS && key->section == KEY_ROUTE && !key->is_route_only);
}

const struct key *key_find(enum key_section section, struct span name)
{
    for (size_t i = 0; i < key_count(); i++) {
        const struct key *key = key_at(i);

        if (key_is_at_home(key, section) && span_is_equal(span_from_str(key->name), name)) {
            return key;
        }
    }
    return NULL;
}

const struct key *key_find_anywhere(struct span name)
{
    for (size_t i = 0; i < key_count(); i++) {
        if (span_is_equal(span_from_str(key_at(i)->name), name)) {
            return key_at(i);
        }
    }
    return NULL;
}

const struct key *key_nearest(enum key_section section, struct span name)
{
    const struct key *best = NULL;
    size_t distance = SIZE_MAX;

    for (size_t i = 0; i < key_count(); i++) {
        if (key_is_at_home(key_at(i), section) &&
            words_is_nearer(name, span_from_str(key_at(i)->name), &distance)) {
            best = key_at(i);
        }
    }
    return best;
}

bool key_is_number(const struct key *key)
{
    return key->type != KEY_TYPE_TEXT && key->type != KEY_TYPE_LIST;
}

static bool parse_choice(const struct key *key, struct span text, uint64_t *out)
{
    for (const struct key_choice *c = key->choices; c != NULL && c->word != NULL; c++) {
        if (span_is_equal(span_from_str(c->word), text)) {
            *out = c->value;
            return true;
        }
    }
    return false;
}

static bool parse_digits(const struct key *key, struct span text, uint64_t *out)
{
    switch (key->type) {
    case KEY_TYPE_COUNT:
        return span_parse_u64(text, out);
    case KEY_TYPE_SIZE:
        return span_parse_size(text, out);
    case KEY_TYPE_DURATION:
        return span_parse_duration(text, out);
    case KEY_TYPE_CHOICE:
    case KEY_TYPE_TEXT:
    case KEY_TYPE_LIST:
        return false;
    }
    return false;
}

bool key_parse(const struct key *key, struct span text, uint64_t *out)
{
    uint64_t value;

    if (parse_choice(key, text, out)) {
        return true;
    }
    if (!parse_digits(key, text, &value)) {
        return false;
    }
    if ((value < key->min || value > key->max) && !(value == 0 && key->zero_word != NULL)) {
        return false;
    }
    *out = value;
    return true;
}

struct unit {
    const char *name;
    uint64_t step; /* how many make one of the next unit; 0 ends the list */
};

static const struct unit size_units[] = {{"", 1024}, {"k", 1024}, {"m", 1024}, {"g", 0}};
static const struct unit duration_units[] = {
    {"ms", 1000}, {"s", 60}, {"m", 60}, {"h", 24}, {"d", 0}};

/* The largest unit that loses nothing, so that what is printed reads back as the same number. */
static void format_units(uint64_t value, const struct unit *unit, char *out, size_t size)
{
    while (value != 0 && unit->step != 0 && value % unit->step == 0) {
        value /= unit->step;
        unit++;
    }
    snprintf(out, size, "%" PRIu64 "%s", value, value == 0 ? "" : unit->name);
}

const char *key_format(const struct key *key, uint64_t value, char *out, size_t size)
{
    assert(size > 0);
    for (const struct key_choice *c = key->choices; c != NULL && c->word != NULL; c++) {
        if (c->value == value) {
            snprintf(out, size, "%s", c->word);
            return out;
        }
    }
    switch (key->type) {
    case KEY_TYPE_SIZE:
        format_units(value, size_units, out, size);
        break;
    case KEY_TYPE_DURATION:
        format_units(value, duration_units, out, size);
        break;
    case KEY_TYPE_COUNT:
    case KEY_TYPE_CHOICE:
    case KEY_TYPE_TEXT:
    case KEY_TYPE_LIST:
        snprintf(out, size, "%" PRIu64, value);
        break;
    }
    return out;
}

static const char *type_noun(enum key_type type)
{
    switch (type) {
    case KEY_TYPE_COUNT:
        return "a whole number";
    case KEY_TYPE_SIZE:
        return "a size such as 4096, 64k or 1m";
    case KEY_TYPE_DURATION:
        return "a duration such as 500ms, 5s, 10m or 2h";
    case KEY_TYPE_CHOICE:
    case KEY_TYPE_TEXT:
    case KEY_TYPE_LIST:
        break;
    }
    return "one of";
}

const char *key_describe(const struct key *key, char *out, size_t size)
{
    const char *noun = type_noun(key->type);
    char zero[32] = "";
    char low[KEY_NUMBER_TEXT];
    char high[KEY_NUMBER_TEXT];
    size_t used;

    if (key->type != KEY_TYPE_CHOICE) {
        if (key->zero_word != NULL) {
            snprintf(zero, sizeof(zero), "0 (%s) or ", key->zero_word);
        } else if (key->choices != NULL) {
            snprintf(zero, sizeof(zero), "%s or ", key->choices[0].word);
        }
        key_format(key, key->min, low, sizeof(low));
        key_format(key, key->max, high, sizeof(high));
        snprintf(out, size, "%s: %s%s to %s", noun, zero, low, high);
        return out;
    }
    used = (size_t)snprintf(out, size, "%s", noun);
    for (const struct key_choice *c = key->choices; c->word != NULL && used < size; c++) {
        const char *joint = c == key->choices ? " " : c[1].word == NULL ? " or " : ", ";

        used += (size_t)snprintf(out + used, size - used, "%s%s", joint, c->word);
    }
    return out;
}

void key_store(const struct key *key, void *base, uint64_t value)
{
    uint8_t *place = (uint8_t *)base + key->offset;
    uint8_t narrow8 = (uint8_t)value;
    uint16_t narrow16 = (uint16_t)value;
    uint32_t narrow32 = (uint32_t)value;

    switch (key->width) {
    case sizeof(narrow8):
        memcpy(place, &narrow8, sizeof(narrow8));
        break;
    case sizeof(narrow16):
        memcpy(place, &narrow16, sizeof(narrow16));
        break;
    case sizeof(narrow32):
        memcpy(place, &narrow32, sizeof(narrow32));
        break;
    default:
        assert(key->width == sizeof(value));
        memcpy(place, &value, sizeof(value));
        break;
    }
}

uint64_t key_load(const struct key *key, const void *base)
{
    const uint8_t *place = (const uint8_t *)base + key->offset;
    uint8_t narrow8;
    uint16_t narrow16;
    uint32_t narrow32;
    uint64_t value = 0;

    switch (key->width) {
    case sizeof(narrow8):
        memcpy(&narrow8, place, sizeof(narrow8));
        return narrow8;
    case sizeof(narrow16):
        memcpy(&narrow16, place, sizeof(narrow16));
        return narrow16;
    case sizeof(narrow32):
        memcpy(&narrow32, place, sizeof(narrow32));
        return narrow32;
    default:
        assert(key->width == sizeof(value));
        memcpy(&value, place, sizeof(value));
        return value;
    }
}
