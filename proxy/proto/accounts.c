/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/accounts.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sigkey.h"
#include "proto/accounts_parts.h"

void accounts_done(struct accounts *accounts)
{
    if (accounts->entries != NULL) {
        explicit_bzero(accounts->entries, accounts->count * sizeof(accounts->entries[0]));
    }
    if (accounts->text != NULL) {
        explicit_bzero(accounts->text, accounts->text_size);
    }
    mem_free(accounts->entries);
    mem_free(accounts->text);
    *accounts = (struct accounts){.count = 0};
}

/* --- reading -------------------------------------------------------------------------------- */

/* What a reading has found out so far. */
struct reading {
    struct accounts *out;
    accounts_fault_fn *fault;
    void *owner;
    size_t text_len;
    size_t lines; /* with something in them */
    bool is_bad;
};

static void tell(struct reading *r, unsigned line, const char *detail)
{
    r->is_bad = true;
    r->fault(r->owner, line, detail);
}

/* Copies a text to where it stays, with a NUL behind it. There is room: each stands in the file
 * with a colon or a line end behind it, but for the last one. */
static struct span keep(struct reading *r, struct span text)
{
    char *at = r->out->text + r->text_len;
    if (text.len > 0) {
        memcpy(at, text.data, text.len);
    }
    at[text.len] = '\0';
    r->text_len += text.len + 1;
    return (struct span){at, text.len};
}

static void take_line(struct reading *r, struct span line, unsigned number)
{
    struct accounts_entry entry = {.line = number};
    line = span_trim(line);
    r->lines += line.len > 0 ? 1 : 0;
    if (line.len == 0 || line.data[0] == '#') {
        return;
    }
    const char *detail = accounts_read_line(r->out->kind, line, &entry);
    if (detail != NULL) {
        tell(r, number, detail);
        return;
    }
    entry.name = keep(r, entry.name);
    if (r->out->kind == ACCOUNTS_PASSWORDS) {
        entry.hash = keep(r, entry.hash);
    }
    r->out->entries[r->out->count++] = entry;
}

static size_t count_lines(struct span text)
{
    size_t lines = 1;
    for (size_t i = 0; i < text.len; i++) {
        lines += text.data[i] == '\n' ? 1 : 0;
    }
    return lines;
}

static void take_lines(struct reading *r, struct span text)
{
    const struct span mark = SPAN_LIT("\xef\xbb\xbf"); /* some editors begin a file with it */
    if (span_starts_with(text, mark)) {
        text = (struct span){text.data + mark.len, text.len - mark.len};
    }
    for (unsigned number = 1; text.len > 0; number++) {
        size_t len = span_find(text, '\n');
        size_t skip = size_min(len + 1, text.len);
        struct span line = {text.data, len};
        if (line.len > 0 && line.data[line.len - 1] == '\r') {
            line.len--;
        }
        take_line(r, line, number);
        text = (struct span){text.data + skip, text.len - skip};
    }
}

static int compare_spans(struct span a, struct span b)
{
    size_t len = size_min(a.len, b.len);
    int order = len > 0 ? memcmp(a.data, b.data, len) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static struct span key_of(const struct accounts_entry *entry)
{
    return entry->hash.data != NULL
               ? entry->name
               : (struct span){(const char *)entry->digest, ACCOUNTS_DIGEST_LEN};
}

/* For qsort: by key, then by line. */
static int compare_entries(const void *left, const void *right)
{
    const struct accounts_entry *a = left;
    const struct accounts_entry *b = right;
    int order = compare_spans(key_of(a), key_of(b));
    return order != 0 ? order : (a->line > b->line) - (a->line < b->line);
}

static void sort(struct reading *r)
{
    struct accounts *out = r->out;
    if (out->count > 1) {
        qsort(out->entries, out->count, sizeof(out->entries[0]), compare_entries);
    }
    for (size_t i = 1; i < out->count; i++) {
        if (span_is_equal(key_of(&out->entries[i - 1]), key_of(&out->entries[i]))) {
            tell(r, out->entries[i].line,
                 out->kind == ACCOUNTS_TOKENS ? "this token stands in an earlier line too"
                                              : "this user stands in an earlier line too");
        }
    }
}

bool accounts_read(struct accounts *out, enum accounts_kind kind, struct span text,
                   accounts_fault_fn *fault, void *owner)
{
    struct reading r = {.out = out, .fault = fault, .owner = owner};
    size_t lines = count_lines(text);
    *out = (struct accounts){.kind = kind, .text_size = text.len + 2};
    out->entries = mem_alloc_zero(lines * sizeof(out->entries[0]));
    out->text = mem_alloc_zero(out->text_size);
    if (out->entries == NULL || out->text == NULL) {
        tell(&r, 0, "out of memory");
    } else {
        take_lines(&r, text);
        sort(&r);
        if (r.lines == 0) {
            tell(&r, 0, "the file is empty: write a comment if nobody may enter");
        }
    }
    if (r.is_bad) {
        accounts_done(out);
    }
    return !r.is_bad;
}

/* --- looking up ----------------------------------------------------------------------------- */

enum accounts_answer accounts_find_token(const struct accounts *accounts,
                                         const uint8_t digest[ACCOUNTS_DIGEST_LEN], uint64_t now_s,
                                         const struct accounts_entry **out)
{
    const struct span wanted = {(const char *)digest, ACCOUNTS_DIGEST_LEN};
    *out = NULL;
    for (size_t i = 0; i < accounts->count && accounts->kind == ACCOUNTS_TOKENS; i++) {
        if (sigkey_is_same(key_of(&accounts->entries[i]), wanted)) {
            *out = &accounts->entries[i];
        }
    }
    if (*out == NULL) {
        return ACCOUNTS_UNKNOWN;
    }
    return (*out)->ends_s != 0 && now_s >= (*out)->ends_s ? ACCOUNTS_EXPIRED : ACCOUNTS_GOOD;
}

static const struct accounts_entry *find_key(const struct accounts *accounts,
                                             enum accounts_kind kind, struct span key)
{
    size_t low = 0;
    size_t high = accounts->kind == kind ? accounts->count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_spans(key, key_of(&accounts->entries[middle]));
        if (order == 0) {
            return &accounts->entries[middle];
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

const struct accounts_entry *accounts_find_digest(const struct accounts *accounts,
                                                  const uint8_t digest[ACCOUNTS_DIGEST_LEN])
{
    return find_key(accounts, ACCOUNTS_TOKENS,
                    (struct span){(const char *)digest, ACCOUNTS_DIGEST_LEN});
}

const struct accounts_entry *accounts_find_user(const struct accounts *accounts, struct span user)
{
    return find_key(accounts, ACCOUNTS_PASSWORDS, user);
}

struct span accounts_decoy(const struct accounts *accounts)
{
    return accounts->count > 0 ? accounts->entries[0].hash : (struct span){NULL, 0};
}

bool accounts_is_password(struct span hash, struct span password, accounts_crypt_fn *crypt,
                          void *owner)
{
    char text[ACCOUNTS_PASSWORD_MAX + 1];
    char made[ACCOUNTS_HASH_MAX] = "";
    if (hash.len == 0 || !span_copy(password, text, sizeof(text)) || strlen(text) != password.len) {
        explicit_bzero(text, sizeof(text));
        return false;
    }
    bool is_same = crypt(owner, text, hash.data, made) &&
                   sigkey_is_same((struct span){made, strnlen(made, sizeof(made))}, hash);
    explicit_bzero(text, sizeof(text));
    explicit_bzero(made, sizeof(made));
    return is_same;
}
