/* SPDX-License-Identifier: GPL-3.0-or-later */
/* span: each function against a plain restatement of its promise. */
#include "base/span.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_within(struct span part, struct span whole)
{
    assert(part.len == 0 ||
           (part.data >= whole.data && part.data + part.len <= whole.data + whole.len));
}

static void check_trim(struct span s)
{
    struct span trimmed = span_trim(s);
    check_within(trimmed, s);
    for (size_t i = 0; i < trimmed.len; i += trimmed.len > 1 ? trimmed.len - 1 : 1) {
        assert(trimmed.data[i] != ' ' && trimmed.data[i] != '\t');
    }
    assert(span_is_equal(span_trim(trimmed), trimmed));
}

/* A list has one item more than separators; an empty text has no item. */
static void check_list(struct span list, char separator)
{
    size_t want = list.len == 0 ? 0 : 1;
    size_t got = 0;
    struct span rest = list;
    struct span item = {NULL, 0};
    for (size_t i = 0; i < list.len; i++) {
        want += list.data[i] == separator;
    }
    while (span_next(&rest, separator, &item)) {
        check_within(item, list);
        assert(span_find(item, separator) == item.len);
        assert(span_is_equal(span_trim(item), item));
        got++;
    }
    assert(got == want);
}

static void check_numbers(struct span s)
{
    char text[32];
    uint64_t number = 0;
    uint64_t bytes = 0;
    uint64_t ms = 0;
    if (span_parse_u64(s, &number)) {
        while (s.len > 1 && s.data[0] == '0') {
            s.data++;
            s.len--;
        }
        (void)snprintf(text, sizeof(text), "%" PRIu64, number);
        assert(span_is_equal(s, span_from_str(text)));
        assert(span_parse_size(s, &bytes) && bytes == number);
    } else if (span_parse_size(s, &bytes)) {
        assert(s.len >= 2 && bytes % 1024 == 0);
    }
    if (span_parse_duration(s, &ms)) {
        assert(span_ends_with(s, SPAN_LIT("ms")) || ms % 1000 == 0);
    }
}

static void check_copy(struct span s)
{
    char copy[16];
    bool is_whole = span_copy(s, copy, sizeof(copy));
    size_t len = is_whole ? s.len : sizeof(copy) - 1;
    assert(is_whole == (s.len < sizeof(copy)));
    assert(len == 0 || memcmp(copy, s.data, len) == 0);
    assert(copy[len] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span all = {size > 0 ? (const char *)data : NULL, size};
    check_trim(all);
    check_list(all, ',');
    check_list(all, ' ');
    check_numbers(all);
    check_copy(all);
    for (size_t cut = 0; cut <= size && cut < 64; cut++) {
        struct span head = {all.data, cut};
        struct span tail = {cut < size ? all.data + cut : NULL, size - cut};
        assert(span_starts_with(all, head) && span_ends_with(all, tail));
        assert(span_is_equal(head, tail) == (span_starts_with(tail, head) && head.len == tail.len));
        assert(!span_is_equal(head, tail) || span_is_equal_nocase(head, tail));
        assert(!span_is_token(all) || cut == 0 || span_is_token(head));
        assert(span_find(head, ',') <= cut);
    }
    return 0;
}
