/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads files of targets: each line is told, says nothing, or is found again by its token; a file
 * in two pieces has the same lines. What follows a target is judged, and a place of the token is
 * read.
 *
 * Input: 1 byte where the file is cut; the file. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "proto/targets.h"

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
    expect(line >= 1 && line <= lines_max && strlen(detail) > 5);
    (*(size_t *)owner)++;
}

static void expect_target(const struct target *target)
{
    static struct target_rule rule = {.network = {.family = AF_INET, .bits = 0}};
    static const struct target_rules none = {.allow_count = 0};
    const struct target_rules all = {.deny = &rule, .deny_count = 1};
    expect(target->is_unix ? target->port == 0 : target->port > 0 && target->host.len > 0);
    if (target->is_unix) {
        expect(target_judge(&none, &target->address) != NULL);
    } else if (target->is_literal) {
        const char *detail = target_judge(&none, &target->address);
        expect(!addr_is_loopback(&target->address) || detail != NULL);
        expect(target->address.u.sa.sa_family != AF_INET ||
               target_judge(&all, &target->address) != NULL);
    }
}

static void expect_entries(const struct targets *targets)
{
    size_t tls = 0;
    for (size_t i = 0; i < targets->count; i++) {
        struct span token;
        struct target target;
        struct target found;
        unsigned line = targets_at(targets, i, &token, &target);
        expect(line >= 1 && line <= lines_max);
        expect(token.len > 0 && token.len <= TARGETS_TOKEN_MAX);
        expect(targets_find(targets, token, &found) && found.host.data == target.host.data);
        expect_target(&target);
        tls += target.is_tls ? 1 : 0;
    }
    expect(tls == targets->tls_count);
}

static void check_line(struct span text)
{
    struct targets_source source;
    struct target_rule rule;
    if (targets_source_parse(text, &source)) {
        expect(source.place != TARGETS_QUERY || span_is_token(source.name));
    }
    if (target_rule_parse(text, &rule)) {
        expect((rule.network.family == AF_UNIX) == (rule.path.len > 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[SIPHASH_KEY_BYTES];
    struct targets whole = {.count = 0};
    struct targets cut = {.count = 0};
    size_t before = mem_live_blocks();
    size_t faults = 0;
    if (size == 0) {
        return 0;
    }
    struct span text = {(const char *)data + 1, size - 1};
    lines_max = 1;
    for (size_t i = 0; i < text.len; i++) {
        lines_max += text.data[i] == '\n' ? 1 : 0;
    }
    expect(targets_add(&whole, key, text, count, &faults));
    expect(whole.count + faults <= lines_max);
    expect_entries(&whole);
    /* Two files that end and begin at a line's end. */
    size_t at = size_min(data[0], text.len);
    while (at < text.len && (at == 0 || text.data[at - 1] != '\n')) {
        at++;
    }
    struct span rest = {text.data + at, text.len - at};
    size_t more = 0;
    expect(targets_add(&cut, key, (struct span){text.data, at}, count, &more));
    expect(targets_add(&cut, key, rest, count, &more));
    expect_entries(&cut);
    if (!span_starts_with(rest, SPAN_LIT("\xef"))) {
        expect(cut.count == whole.count && more == faults);
    }
    check_line((struct span){text.data, span_find(text, '\n')});
    targets_done(&whole);
    targets_done(&cut);
    expect(mem_live_blocks() == before);
    return 0;
}
