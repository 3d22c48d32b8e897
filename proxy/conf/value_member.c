/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A backend of a route: its address, and how it shares the sessions with the others. */
#include <inttypes.h>
#include <stdio.h>

#include "conf/snapshot.h"
#include "conf/value.h"
#include "proto/balance.h"

#define SESSIONS_MAX 1000000

static const char words_wanted[] = "behind the address may stand weight=1 to 1000, max_sessions=1 "
                                   "to 1000000 and backup, each once";

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The next word of *rest; empty: there is none. */
static struct span next_word(struct span *rest)
{
    struct span word = span_trim(*rest);
    size_t len = 0;
    while (len < word.len && !is_blank(word.data[len])) {
        len++;
    }
    *rest = (struct span){word.data + len, word.len - len};
    return (struct span){word.data, len};
}

static bool is_option(struct span word)
{
    return span_is_equal(word, SPAN_LIT("backup")) || span_starts_with(word, SPAN_LIT("weight=")) ||
           span_starts_with(word, SPAN_LIT("max_sessions="));
}

/* The length of the address. The path of a Unix socket may have blanks in it, so there the words
 * are what stands at the end and looks like some. */
static size_t address_len(struct span text)
{
    struct span rest = text;
    size_t len = text.len;
    if (!span_starts_with(text, SPAN_LIT("unix:"))) {
        return next_word(&rest).len;
    }
    for (;;) {
        size_t begin = len;
        while (begin > 0 && !is_blank(text.data[begin - 1])) {
            begin--;
        }
        if (begin == 0 || !is_option((struct span){text.data + begin, len - begin})) {
            return len;
        }
        len = span_trim((struct span){text.data, begin}).len;
    }
}

/* "weight=3" for the name "weight=". */
static bool take_number(struct span word, struct span name, uint64_t most, uint64_t *out)
{
    return span_starts_with(word, name) && *out == 0 &&
           span_parse_u64((struct span){word.data + name.len, word.len - name.len}, out) &&
           *out >= 1 && *out <= most;
}

static bool take_word(struct span word, struct config_backend *out)
{
    if (span_is_equal(word, SPAN_LIT("backup")) && !out->is_backup) {
        out->is_backup = true;
        return true;
    }
    return take_number(word, SPAN_LIT("weight="), BALANCE_WEIGHT_MAX, &out->weight) ||
           take_number(word, SPAN_LIT("max_sessions="), SESSIONS_MAX, &out->max_sessions);
}

bool value_read_member(struct span text, struct arena *texts, void *field, const char **out_detail)
{
    struct config_backend *out = field;
    struct span all = span_trim(text);
    size_t len = address_len(all);
    struct span address = {all.data, len};
    struct span rest = {all.data + len, all.len - len};
    struct span word = next_word(&rest);
    bool has_words = word.len > 0;

    if (!value_read_backend(address, texts, field, out_detail)) {
        return false;
    }
    *out_detail = words_wanted;
    for (; word.len > 0; word = next_word(&rest)) {
        if (!take_word(word, out)) {
            return false;
        }
    }
    out->weight = out->weight == 0 ? 1 : out->weight;
    *out_detail = "echo: shares its sessions with nobody: nothing stands behind it";
    return !has_words || out->kind != CONFIG_BACKEND_ECHO;
}

struct span value_show_member(const void *field, char scratch[VALUE_BYTES_MAX + 1])
{
    const struct config_backend *backend = field;
    char weight[32] = "";
    char sessions[40] = "";

    if (backend->weight > 1) {
        snprintf(weight, sizeof(weight), " weight=%" PRIu64, backend->weight);
    }
    if (backend->max_sessions > 0) {
        snprintf(sessions, sizeof(sessions), " max_sessions=%" PRIu64, backend->max_sessions);
    }
    snprintf(scratch, VALUE_BYTES_MAX + 1, "%.*s%s%s%s", (int)backend->text.len, backend->text.data,
             weight, sessions, backend->is_backup ? " backup" : "");
    return span_from_str(scratch);
}
