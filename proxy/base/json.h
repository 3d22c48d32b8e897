/* SPDX-License-Identifier: GPL-3.0-or-later */
/* json.h: JSON (RFC 8259) read into a document that never changes.
 *
 * For: tokens from strangers and the key files of operators. Not for: writing JSON. The only user
 * of jansson. Stricter than the RFC asks: an object has each name once, the text is UTF-8 without a
 * byte order mark and without U+0000, an integer fits 64 bits and another number a double, the top
 * is an object or a list, and nothing stands behind it. Size and depth are counted before jansson
 * sees a byte.
 *
 * The document owns all that its values point to, so every value and span ends with it. Everything
 * that it holds is wiped when it is freed: secrets stand in such texts. Values may be NULL
 * everywhere below: a member that is not there has no kind, no text and no members. Names begin
 * with json_doc or json_value, because jansson has the other names with json_. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct json_value; /* jansson's own */

enum json_kind {
    JSON_KIND_NONE = 0, /* there is no value */
    JSON_KIND_OBJECT,
    JSON_KIND_LIST,
    JSON_KIND_TEXT,
    JSON_KIND_INTEGER, /* written without fraction and exponent */
    JSON_KIND_REAL,
    JSON_KIND_BOOLEAN,
    JSON_KIND_NULL
};

struct json_limits {
    size_t bytes;   /* of the text */
    unsigned depth; /* objects and lists inside each other, 1 = the top alone */
};
/* Files of the operator's. */
#define JSON_DEPTH_TRUSTED 64

struct json_fault {
    const char *detail; /* a constant text with nothing of the JSON in it */
    unsigned line;      /* 1 = the first; 0 = no line is to blame */
};

/* Once per process, before the first document, and before the process may open no file any more:
 * `random` makes it unforeseeable which names collide in an object. Every later call is harmless
 * and changes nothing. */
void json_doc_start(uint64_t random);

/* The top of the document, or NULL, and *out_fault then says why. */
MUST_CHECK struct json_value *json_doc_read(struct span text, const struct json_limits *limits,
                                            struct json_fault *out_fault);
/* Wipes and frees the document whose top this is. */
void json_doc_done(struct json_value *top);

enum json_kind json_value_kind(const struct json_value *value);
/* Members of an object, or items of a list; 0 for anything else. */
size_t json_value_count(const struct json_value *value);
/* The member of that name, or NULL. */
const struct json_value *json_value_member(const struct json_value *object, struct span name);
/* Item i of a list, or NULL. */
const struct json_value *json_value_item(const struct json_value *list, size_t i);
/* The text, or the empty span with data NULL. A NUL stands behind it. */
struct span json_value_text(const struct json_value *value);
/* 0 for what is no integer. */
int64_t json_value_integer(const struct json_value *value);
/* Of integers and reals, never infinite; 0 for anything else. */
double json_value_number(const struct json_value *value);
/* False for what is no boolean. */
bool json_value_is_true(const struct json_value *value);

#endif
