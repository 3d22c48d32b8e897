/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/targets.h"

#include <string.h>

#include "base/mem.h"

#define ENTRIES_MIN 16

/* Small, because there may be many. */
struct targets_entry {
    const char *token;
    uint32_t where_len;
    uint32_t where_at; /* counted from `token` */
    uint32_t hash;
    uint32_t line;
    uint32_t file;
    uint16_t token_len;
    bool is_tls;
};

/* A copy of a file. */
struct targets_text {
    struct targets_text *next;
    size_t len;
    char data[];
};

void targets_done(struct targets *targets)
{
    while (targets->texts != NULL) {
        struct targets_text *text = targets->texts;
        targets->texts = text->next;
        explicit_bzero(text->data, text->len);
        mem_free(text);
    }
    mem_free(targets->entries);
    mem_free(targets->places);
    *targets = (struct targets){.count = 0};
}

size_t targets_bytes(const struct targets *targets)
{
    return targets->text_bytes + targets->entries_size * sizeof(targets->entries[0]) +
           targets->place_count * sizeof(targets->places[0]);
}

/* --- the table ------------------------------------------------------------------------------- */

static uint32_t hash_of(const struct targets *targets, struct span token)
{
    struct siphash hash;
    siphash_begin(&hash, targets->key);
    siphash_add(&hash, token.data, token.len);
    return (uint32_t)siphash_end(&hash);
}

static struct span token_of(const struct targets_entry *entry)
{
    return (struct span){entry->token, entry->token_len};
}

static struct span where_of(const struct targets_entry *entry)
{
    return (struct span){entry->token + entry->where_at, entry->where_len};
}

/* The place of the token, or the free one where it would stand. There is always a free one. */
static uint32_t *find_place(const struct targets *targets, struct span token, uint32_t hash)
{
    size_t at = hash & (targets->place_count - 1);
    while (targets->places[at] != 0) {
        const struct targets_entry *entry = &targets->entries[targets->places[at] - 1];
        if (entry->hash == hash && span_is_equal(token_of(entry), token)) {
            break;
        }
        at = (at + 1) & (targets->place_count - 1);
    }
    return &targets->places[at];
}

/* Makes room for one more: at most half of the places are taken. */
static bool grow(struct targets *targets)
{
    if (targets->count < targets->entries_size) {
        return true;
    }
    size_t size = targets->entries_size > 0 ? 2 * targets->entries_size : ENTRIES_MIN;
    struct targets_entry *entries = mem_resize(targets->entries, size * sizeof(*entries));
    if (entries == NULL) {
        return false;
    }
    targets->entries = entries;
    uint32_t *places = mem_alloc_zero(2 * size * sizeof(*places));
    if (places == NULL) {
        return false;
    }
    mem_free(targets->places);
    targets->entries_size = size;
    targets->places = places;
    targets->place_count = 2 * size;
    for (size_t i = 0; i < targets->count; i++) {
        *find_place(targets, token_of(&entries[i]), entries[i].hash) = (uint32_t)i + 1;
    }
    return true;
}

/* --- reading --------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Where the colon behind the token is: a blank or nothing stands behind that colon. */
static size_t find_colon(struct span line)
{
    for (size_t i = 0; i < line.len; i++) {
        if (line.data[i] == ':' && (i + 1 == line.len || is_blank(line.data[i + 1]))) {
            return i;
        }
    }
    return line.len;
}

static const char *check_token(struct span token)
{
    if (token.len == 0) {
        return "there is no token in front of the colon";
    }
    if (token.len > TARGETS_TOKEN_MAX) {
        return "a token has at most 256 characters";
    }
    for (size_t i = 0; i < token.len; i++) {
        if (token.data[i] < 0x21 || token.data[i] > 0x7e) {
            return "a token is visible ASCII without a blank";
        }
    }
    return NULL;
}

/* NULL: the line became an entry, or *out_is_failed. */
static const char *take_line(struct targets *targets, struct span line, unsigned number,
                             bool *out_is_failed)
{
    size_t colon = find_colon(line);
    struct span token = span_trim((struct span){line.data, colon});
    struct target target;

    if (colon == line.len) {
        return "a line is 'token: HOST:PORT', with a blank behind the token's colon";
    }
    struct span where = span_trim((struct span){line.data + colon + 1, line.len - colon - 1});
    const char *detail = check_token(token);
    detail = detail != NULL ? detail : target_parse(where, &target);
    if (detail != NULL) {
        return detail;
    }
    if (targets->count >= TARGETS_LINES_MAX || !grow(targets)) {
        *out_is_failed = true;
        return NULL;
    }
    uint32_t hash = hash_of(targets, token);
    uint32_t *place = find_place(targets, token, hash);
    if (*place != 0) {
        return "an earlier line has the same token, and that line counts";
    }
    targets->entries[targets->count++] = (struct targets_entry){
        .token = token.data,
        .where_len = (uint32_t)where.len,
        .where_at = (uint32_t)(where.data - token.data),
        .hash = hash,
        .line = number,
        .file = (uint32_t)targets->file_count,
        .token_len = (uint16_t)token.len,
        .is_tls = target.is_tls,
    };
    *place = (uint32_t)targets->count;
    targets->tls_count += target.is_tls ? 1 : 0;
    return NULL;
}

static bool take_lines(struct targets *targets, struct span text, targets_fault_fn *fault,
                       void *owner)
{
    const struct span mark = SPAN_LIT("\xef\xbb\xbf"); /* some editors begin a file with it */
    bool is_failed = false;
    if (span_starts_with(text, mark)) {
        text = (struct span){text.data + mark.len, text.len - mark.len};
    }
    for (unsigned number = 1; text.len > 0 && !is_failed; number++) {
        size_t len = span_find(text, '\n');
        size_t skip = size_min(len + 1, text.len);
        struct span line = {text.data, len};
        if (line.len > 0 && line.data[line.len - 1] == '\r') {
            line.len--;
        }
        line = span_trim(line);
        if (line.len > 0 && line.data[0] != '#') {
            const char *detail = take_line(targets, line, number, &is_failed);
            if (detail != NULL) {
                fault(owner, number, detail);
            }
        }
        text = (struct span){text.data + skip, text.len - skip};
    }
    return !is_failed;
}

bool targets_add(struct targets *targets, const uint8_t key[SIPHASH_KEY_BYTES], struct span text,
                 targets_fault_fn *fault, void *owner)
{
    struct targets_text *copy = mem_alloc(sizeof(*copy) + text.len);
    if (copy == NULL) {
        targets_done(targets);
        return false;
    }
    if (targets->texts == NULL) {
        memcpy(targets->key, key, sizeof(targets->key));
    }
    copy->next = targets->texts;
    copy->len = text.len;
    if (text.len > 0) {
        memcpy(copy->data, text.data, text.len);
    }
    targets->texts = copy;
    targets->text_bytes += sizeof(*copy) + text.len;
    if (!take_lines(targets, (struct span){copy->data, copy->len}, fault, owner)) {
        targets_done(targets);
        return false;
    }
    targets->file_count++;
    return true;
}

/* --- looking up ------------------------------------------------------------------------------ */

unsigned targets_at(const struct targets *targets, size_t index, struct span *out_token,
                    struct target *out)
{
    const struct targets_entry *entry = &targets->entries[index];
    const char *detail = target_parse(where_of(entry), out);
    (void)detail; /* take_line has found none */
    *out_token = token_of(entry);
    return entry->line;
}

size_t targets_file_of(const struct targets *targets, size_t index)
{
    return targets->entries[index].file;
}

bool targets_find(const struct targets *targets, struct span token, struct target *out)
{
    struct span found;
    if (targets->count == 0 || token.len == 0) {
        return false;
    }
    uint32_t number = *find_place(targets, token, hash_of(targets, token));
    if (number == 0) {
        return false;
    }
    (void)targets_at(targets, number - 1, &found, out);
    return true;
}
