/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/json.h"

#include <assert.h>
#include <jansson.h>
#include <stdalign.h>
#include <string.h>

#include "base/mem.h"

/* In front of each block, so that free knows how much to wipe. */
struct block {
    alignas(max_align_t) size_t len;
};

static bool is_started;

static void *block_alloc(size_t len)
{
    struct block *block = len < SIZE_MAX / 2 ? mem_alloc(sizeof(*block) + len) : NULL;
    if (block == NULL) {
        return NULL;
    }
    block->len = len;
    return block + 1;
}

static void block_free(void *ptr)
{
    if (ptr == NULL) {
        return;
    }
    struct block *block = (struct block *)ptr - 1;
    explicit_bzero(ptr, block->len);
    mem_free(block);
}

void json_doc_start(uint64_t random)
{
    if (is_started) {
        return;
    }
    json_set_alloc_funcs(block_alloc, block_free);
    json_object_seed((size_t)random |
                     1); /* jansson would look for a seed of its own instead of 0 */
    is_started = true;
}

static const json_t *inner(const struct json_value *value)
{
    return (const json_t *)value;
}

static struct json_value *outer(json_t *value)
{
    return (struct json_value *)value;
}

/* How many objects and lists stand inside each other at most. Brackets in texts do not count; text
 * that is no JSON gives any number. */
static size_t deepest(struct span text)
{
    size_t depth = 0;
    size_t most = 0;
    bool is_text = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (is_text) {
            i += c == '\\' ? 1 : 0;
            is_text = c != '"';
        } else if (c == '"') {
            is_text = true;
        } else if (c == '{' || c == '[') {
            depth++;
            most = depth > most ? depth : most;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return most;
}

/* jansson's own words quote what it read, which must get nowhere. */
static const char *detail_of(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_out_of_memory:
        return "out of memory";
    case json_error_invalid_utf8:
        return "the JSON is not UTF-8";
    case json_error_premature_end_of_input:
        return "the JSON ends too early";
    case json_error_end_of_input_expected:
        return "something stands behind the end of the JSON";
    case json_error_duplicate_key:
        return "an object in the JSON has a name twice";
    case json_error_numeric_overflow:
        return "a number in the JSON is too large";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "a text in the JSON has U+0000";
    case json_error_unknown:
    case json_error_stack_overflow:
    case json_error_cannot_open_file:
    case json_error_invalid_argument:
    case json_error_invalid_syntax:
    case json_error_invalid_format:
    case json_error_wrong_type:
    case json_error_null_value:
    case json_error_item_not_found:
    case json_error_index_out_of_range:
        break;
    }
    return "malformed JSON";
}

struct json_value *json_doc_read(struct span text, const struct json_limits *limits,
                                 struct json_fault *out_fault)
{
    json_error_t error = {.line = 0};
    assert(is_started);
    *out_fault = (struct json_fault){NULL, 0};
    if (text.len > limits->bytes) {
        out_fault->detail = "the JSON is too long";
        return NULL;
    }
    if (text.len == 0) {
        out_fault->detail = "there is no JSON, but nothing";
        return NULL;
    }
    if (deepest(text) > limits->depth) {
        out_fault->detail = "the JSON is too deep: too many objects or lists inside each other";
        return NULL;
    }
    json_t *top = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &error);
    if (top == NULL) {
        out_fault->detail = detail_of(&error);
        out_fault->line = error.line > 0 ? (unsigned)error.line : 0;
    }
    explicit_bzero(&error, sizeof(error));
    return outer(top);
}

void json_doc_done(struct json_value *top)
{
    json_decref((json_t *)top);
}

enum json_kind json_value_kind(const struct json_value *value)
{
    if (value == NULL) {
        return JSON_KIND_NONE;
    }
    switch (json_typeof(inner(value))) {
    case JSON_OBJECT:
        return JSON_KIND_OBJECT;
    case JSON_ARRAY:
        return JSON_KIND_LIST;
    case JSON_STRING:
        return JSON_KIND_TEXT;
    case JSON_INTEGER:
        return JSON_KIND_INTEGER;
    case JSON_REAL:
        return JSON_KIND_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return JSON_KIND_BOOLEAN;
    case JSON_NULL:
        break;
    }
    return JSON_KIND_NULL;
}

size_t json_value_count(const struct json_value *value)
{
    return json_value_kind(value) == JSON_KIND_OBJECT ? json_object_size(inner(value))
                                                      : json_array_size(inner(value));
}

const struct json_value *json_value_member(const struct json_value *object, struct span name)
{
    if (json_value_kind(object) != JSON_KIND_OBJECT || name.len == 0) {
        return NULL;
    }
    return outer(json_object_getn(inner(object), name.data, name.len));
}

const struct json_value *json_value_item(const struct json_value *list, size_t i)
{
    return outer(json_array_get(inner(list), i));
}

struct span json_value_text(const struct json_value *value)
{
    return (struct span){json_string_value(inner(value)), json_string_length(inner(value))};
}

int64_t json_value_integer(const struct json_value *value)
{
    return json_integer_value(inner(value));
}

double json_value_number(const struct json_value *value)
{
    return json_number_value(inner(value));
}

bool json_value_is_true(const struct json_value *value)
{
    return value != NULL && json_is_true(inner(value));
}
