/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Looks for the client in lists that proxies and others wrote. What ends the scan must not depend
 * on anything further left: garbage in front, in the same line or another, changes nothing.
 *
 * Input: one byte (its lowest bit says which header); the lines of the list, each up to a '\n';
 * behind a NUL the lines of X-Forwarded-Host. */
#include "proto/forwarded.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct forwarded_lines lines_of(struct span rest)
{
    struct forwarded_lines lines = {.count = 0};
    while (rest.len > 0 && lines.count < FORWARDED_LINES_MAX) {
        size_t len = span_find(rest, '\n');
        lines.values[lines.count++] = (struct span){rest.data, len};
        size_t used = len < rest.len ? len + 1 : len;
        rest = (struct span){rest.data + used, rest.len - used};
    }
    return lines;
}

static void expect_same(const struct forwarded *a, const struct forwarded *b)
{
    assert(a->end == b->end && a->hops == b->hops && strcmp(a->detail, b->detail) == 0);
    assert(addr_is_equal(&a->client, &b->client) && span_is_equal(a->host, b->host) &&
           span_is_equal(a->scheme, b->scheme));
}

/* The same list with something in front of its first line. */
static void expect_same_behind(const char *garbage, enum forwarded_kind kind,
                               const struct forwarded_lines *lines,
                               const struct forwarded_lines *hosts, const struct addr *peer,
                               const struct forwarded_trust *trust, const struct forwarded *want)
{
    struct forwarded_lines longer = *lines;
    struct forwarded got;
    size_t len = strlen(garbage);
    char *text = malloc(len + lines->values[0].len);
    assert(text != NULL);
    memcpy(text, garbage, len);
    if (lines->values[0].len > 0) {
        memcpy(text + len, lines->values[0].data, lines->values[0].len);
    }
    longer.values[0] = (struct span){text, len + lines->values[0].len};
    forwarded_find(kind, &longer, hosts, hosts, peer, trust, &got);
    expect_same(&got, want);
    free(text);
}

static void check(enum forwarded_kind kind, const struct forwarded_lines *lines,
                  const struct forwarded_lines *hosts)
{
    struct addr_cidr blocks[2];
    struct addr peer;
    struct span name;
    uint16_t port;
    struct forwarded got;
    assert(addr_cidr_parse(SPAN_LIT("10.0.0.0/8"), &blocks[0]));
    assert(addr_cidr_parse(SPAN_LIT("2001:db8:1::/48"), &blocks[1]));
    assert(addr_parse(SPAN_LIT("10.0.0.1:5000"), &peer));
    const struct forwarded_trust trust = {.blocks = blocks, .count = 2};

    forwarded_find(kind, lines, hosts, hosts, &peer, &trust, &got);
    bool is_trusted = forwarded_is_trusted(&trust, &got.client);
    assert(got.client.len > 0 && got.hops <= FORWARDED_HOPS_MAX);
    assert(got.host.len == 0 || host_split(got.host, &name, &port));
    assert(got.end == FORWARDED_FOUND || is_trusted);
    assert((got.end == FORWARDED_PEER) == (got.hops == 0 && got.end != FORWARDED_MALFORMED));
    assert((got.detail[0] == '\0') == (got.end <= FORWARDED_FOUND));
    if (got.end == FORWARDED_FOUND && !is_trusted) {
        expect_same_behind("6.6.6.6, ", kind, lines, hosts, &peer, &trust, &got);
        expect_same_behind("for=\"x, ", kind, lines, hosts, &peer, &trust, &got);
        expect_same_behind("\\\"\\, ", kind, lines, hosts, &peer, &trust, &got);
    }
    /* A peer that nobody trusts. */
    const struct forwarded_trust nobody = {.count = 0};
    forwarded_find(kind, lines, hosts, hosts, &peer, &nobody, &got);
    assert(got.end == FORWARDED_PEER && addr_is_equal(&got.client, &peer) && got.host.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct span text = {(const char *)data + 1, size - 1};
    size_t at = span_find(text, '\0');
    struct span rest = at < text.len ? (struct span){text.data + at + 1, text.len - at - 1}
                                     : (struct span){NULL, 0};
    struct forwarded_lines lines = lines_of((struct span){text.data, at});
    struct forwarded_lines hosts = lines_of(rest);
    check((data[0] & 1) == 0 ? FORWARDED_X : FORWARDED_RFC7239, &lines, &hosts);
    return 0;
}
