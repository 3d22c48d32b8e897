/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a request wants of a file: a good path leads nowhere out of a directory, a part lies inside
 * the file, a date reads back as itself, and a table of types has only types.
 *
 * Input, in lines: a path; a Range; a date; an Accept-Encoding; conditions, each for every header;
 * behind a NUL a table of types. */
#include "proto/resource.h"

#include <assert.h>
#include <string.h>

#include "proto/http.h"
#include "proto/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span take_line(struct span *rest)
{
    size_t len = span_find(*rest, '\n');
    struct span line = {rest->data, len};
    size_t used = size_min(len + 1, rest->len);
    *rest = (struct span){rest->data + used, rest->len - used};
    return line;
}

static void check_path(struct span text)
{
    struct resource_path path;
    enum resource_path_result result = resource_read_path(text, &path);

    assert((result == RESOURCE_PATH_OK) == (path.detail == NULL));
    if (result != RESOURCE_PATH_OK) {
        return;
    }
    assert(path.len <= RESOURCE_PATH_MAX && strlen(path.text) == path.len);
    assert(path.len == 0 || (path.text[0] != '/' && path.text[0] != '.'));
    assert(strstr(path.text, "/.") == NULL && strstr(path.text, "//") == NULL);
    assert(strpbrk(path.text, "\\\r\n\t\x7f") == NULL);
}

static void check_range(struct span value)
{
    static const uint64_t sizes[] = {0, 1, 10, UINT64_C(1) << 40, INT64_MAX};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct resource_range range;
        if (resource_read_range(value, sizes[i], &range) == RESOURCE_RANGE_PART) {
            assert(range.len_bytes > 0 && range.first < sizes[i]);
            assert(range.len_bytes <= sizes[i] - range.first);
        }
    }
}

static void check_date(struct span text)
{
    char again[HTTP_DATE_MAX];
    uint64_t date_s = 0;
    uint64_t same_s = 0;

    if (resource_read_date(text, &date_s) && date_s < UINT64_C(253402300800)) {
        http_write_date(again, date_s);
        assert(resource_read_date(span_from_str(again), &same_s) && same_s == date_s);
    }
}

/* Each header has the same value. */
static bool next_header(const void *head, struct span name, size_t *at, struct span *out_value)
{
    (void)name;
    *out_value = *(const struct span *)head;
    return (*at)++ == 0;
}

static void check_headers(struct span value)
{
    const struct request request = {.head = &value, .next_header = next_header};
    const struct resource_mark mark = {.etag = {"\"1-2\"", 5}, .modified_s = 784111777};
    enum resource_coding codings[2];

    assert(resource_codings(&request, codings) <= 2);
    enum resource_verdict verdict = resource_judge(&request, &mark);
    assert(verdict != RESOURCE_NOT_MODIFIED || value.len > 0);
    struct span range = resource_range_of(&request, &mark);
    assert(range.len == 0 || span_is_equal(range, value));
}

static void check_types(struct span table)
{
    char scratch[MIME_VALUE_MAX];
    struct mime mime;

    if (!mime_read(&mime, table)) {
        return;
    }
    for (size_t i = 0; i < mime.count; i++) {
        const struct mime_entry *entry = &mime.entries[i];
        assert(entry->extension.len > 0 && entry->type.len <= MIME_TYPE_MAX);
        assert(memchr(entry->type.data, '\r', entry->type.len) == NULL);
        struct span type = mime_type_of(&mime, SPAN_LIT("a.txt"), scratch);
        assert(type.len > 0);
    }
    mime_done(&mime);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data, size};
    size_t end = span_find(text, '\0');
    struct span lines = {text.data, end};

    check_path(take_line(&lines));
    check_range(take_line(&lines));
    check_date(take_line(&lines));
    check_headers(take_line(&lines));
    while (lines.len > 0) {
        check_headers(take_line(&lines));
    }
    if (end < size) {
        check_types((struct span){text.data + end + 1, size - end - 1});
    }
    return 0;
}
