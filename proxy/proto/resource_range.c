/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ranges of bytes (RFC 9110 14.1.2). */
#include "proto/resource.h"

/* Digits alone; a number that is too large for any file is UINT64_MAX. */
static bool read_number(struct span text, uint64_t *out)
{
    uint64_t number = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(text.data[i] - '0');
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        number = number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : number * 10 + digit;
    }
    *out = number;
    return text.len > 0;
}

/* The one range of the list; several are no range that counts here. */
static bool find_only(struct span list, struct span *out)
{
    struct span item;
    size_t count = 0;

    while (span_next(&list, ',', &item)) {
        if (item.len > 0) {
            *out = item;
            count++;
        }
    }
    return count == 1;
}

/* "-500": so many bytes at the end. */
static enum resource_range_result read_suffix(struct span text, uint64_t size_bytes,
                                              struct resource_range *out)
{
    uint64_t len_bytes = 0;

    if (!read_number(text, &len_bytes)) {
        return RESOURCE_RANGE_WHOLE;
    }
    if (len_bytes == 0 || size_bytes == 0) {
        return RESOURCE_RANGE_OUTSIDE;
    }
    len_bytes = len_bytes < size_bytes ? len_bytes : size_bytes;
    *out = (struct resource_range){.first = size_bytes - len_bytes, .len_bytes = len_bytes};
    return RESOURCE_RANGE_PART;
}

enum resource_range_result resource_read_range(struct span value, uint64_t size_bytes,
                                               struct resource_range *out)
{
    struct span unit = {value.data, span_find(value, '=')};
    struct span range;
    uint64_t first = 0;
    uint64_t last = UINT64_MAX;

    *out = (struct resource_range){.len_bytes = size_bytes};
    if (unit.len == value.len || !span_is_equal_nocase(unit, SPAN_LIT("bytes")) ||
        !find_only((struct span){value.data + unit.len + 1, value.len - unit.len - 1}, &range)) {
        return RESOURCE_RANGE_WHOLE;
    }
    size_t dash = span_find(range, '-');
    if (dash == range.len) {
        return RESOURCE_RANGE_WHOLE;
    }
    struct span behind = {range.data + dash + 1, range.len - dash - 1};
    if (dash == 0) {
        return read_suffix(behind, size_bytes, out);
    }
    if (!read_number((struct span){range.data, dash}, &first) ||
        (behind.len > 0 && (!read_number(behind, &last) || last < first))) {
        return RESOURCE_RANGE_WHOLE;
    }
    if (first >= size_bytes) {
        return RESOURCE_RANGE_OUTSIDE;
    }
    last = last < size_bytes ? last : size_bytes - 1;
    *out = (struct resource_range){.first = first, .len_bytes = last - first + 1};
    return RESOURCE_RANGE_PART;
}
