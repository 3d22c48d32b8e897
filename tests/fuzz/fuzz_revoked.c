/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads files of what is revoked: either something is told, or every entry is found again, and the
 * lines of the file that a simple reader understands are all there.
 *
 * Input: the file. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "proto/revoked.h"

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

static void expect_line(const struct revoked *revoked, struct span line)
{
    if (span_ends_with(line, SPAN_LIT("\r"))) {
        line.len--;
    }
    line = span_trim(line);
    if (span_starts_with(line, SPAN_LIT("sub:"))) {
        struct span value = span_trim((struct span){line.data + 4, line.len - 4});
        expect(revoked_has(revoked, REVOKED_SUB, value));
    }
}

static void expect_lines(const struct revoked *revoked, struct span text)
{
    struct span line;
    while (span_next(&text, '\n', &line)) {
        expect_line(revoked, line);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t before = mem_live_blocks();
    struct span text = {(const char *)data, size};
    struct revoked revoked;
    size_t faults = 0;
    lines_max = 1;
    for (size_t i = 0; i < size; i++) {
        lines_max += data[i] == '\n' ? 1 : 0;
    }
    bool is_good = revoked_read(&revoked, text, count, &faults);
    expect(is_good == (faults == 0) && (is_good || revoked.count == 0));
    expect(!is_good || data[size - 1] == '\n');
    for (size_t i = 0; i < revoked.count; i++) {
        const struct revoked_entry *entry = &revoked.entries[i];
        expect(entry->value.len > 0 && entry->value.len <= REVOKED_VALUE_MAX);
        expect(utf8_is_valid(entry->value));
        expect(revoked_has(&revoked, entry->kind, entry->value));
    }
    if (is_good) {
        expect_lines(&revoked, text);
    }
    revoked_done(&revoked);
    expect(mem_live_blocks() == before);
    return 0;
}
