/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads files of tokens and of passwords: either something is told, or every entry is found again,
 * as itself, by what it is looked up by.
 *
 * Input: 1 byte for the kind; the file. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "proto/accounts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool condition)
{
    if (!condition) {
        abort();
    }
}

static unsigned lines_max;

static void count(void *owner, unsigned line, const char *detail)
{
    expect(line <= lines_max && strlen(detail) > 5);
    (*(size_t *)owner)++;
}

static bool copy_setting(void *owner, const char *password, const char *setting,
                         char out[ACCOUNTS_HASH_MAX])
{
    (void)owner;
    (void)password;
    expect(strlen(setting) < ACCOUNTS_HASH_MAX);
    memcpy(out, setting, strlen(setting) + 1);
    return true;
}

static void expect_entry(const struct accounts *accounts, const struct accounts_entry *entry)
{
    const struct accounts_entry *found = NULL;
    expect(entry->name.len > 0 && entry->name.len <= ACCOUNTS_NAME_MAX);
    expect(utf8_is_valid(entry->name) && span_find(entry->name, ':') == entry->name.len);
    expect(entry->line >= 1 && entry->line <= lines_max);
    if (accounts->kind == ACCOUNTS_PASSWORDS) {
        expect(accounts_find_user(accounts, entry->name) == entry);
        expect(strlen(entry->hash.data) == entry->hash.len && entry->hash.data[0] == '$');
        expect(accounts_is_password(entry->hash, SPAN_LIT("x"), copy_setting, NULL));
        return;
    }
    enum accounts_answer answer = accounts_find_token(accounts, entry->digest, 1800000000, &found);
    expect(accounts_find_digest(accounts, entry->digest) == entry);
    expect(found == entry &&
           answer == (entry->ends_s != 0 && entry->ends_s <= 1800000000 ? ACCOUNTS_EXPIRED
                                                                        : ACCOUNTS_GOOD));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t before = mem_live_blocks();
    struct accounts accounts;
    size_t faults = 0;
    if (size == 0) {
        return 0;
    }
    lines_max = 1;
    for (size_t i = 1; i < size; i++) {
        lines_max += data[i] == '\n' ? 1 : 0;
    }
    enum accounts_kind kind = data[0] % 2 == 0 ? ACCOUNTS_TOKENS : ACCOUNTS_PASSWORDS;
    struct span text = {(const char *)data + 1, size - 1};
    bool is_good = accounts_read(&accounts, kind, text, count, &faults);
    expect(is_good == (faults == 0) && (is_good || accounts.count == 0));
    for (size_t i = 0; i < accounts.count; i++) {
        expect_entry(&accounts, &accounts.entries[i]);
    }
    accounts_done(&accounts);
    expect(mem_live_blocks() == before);
    return 0;
}
