/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parses a PROXY header whole, byte by byte, and in chunks that follow from the input's own bytes.
 * All must give the same result, detail and length. What the parser took is written again in both
 * versions, and must then mean the same.
 *
 * Input: the bytes of a connection, as they are. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* `seed` 0: byte by byte. Returns how many bytes the parser consumed. */
static size_t feed(struct proxy_header_parser *p, const uint8_t *data, size_t size, uint32_t seed)
{
    size_t at = 0;
    proxy_header_init(p);
    while (at < size && p->result == PROXY_HEADER_NEED_MORE) {
        size_t len = 1;
        size_t consumed = SIZE_MAX;
        if (seed != 0) {
            seed = seed * 1664525U + 1013904223U;
            len = 1 + (seed >> 24) % (size - at);
        }
        uint8_t *chunk = malloc(len);
        assert(chunk != NULL);
        memcpy(chunk, data + at, len);
        enum proxy_header_result result = proxy_header_parse(p, chunk, len, &consumed);
        assert(result == p->result && p->len <= p->size);
        free(chunk);
        assert(result == PROXY_HEADER_NEED_MORE ? consumed == len : consumed <= len);
        at += consumed;
    }
    return at;
}

static void expect_within(const struct proxy_header_parser *p, struct span s)
{
    const char *bytes = (const char *)p->bytes;
    assert(s.data == NULL || (s.data >= bytes && s.data + s.len <= bytes + p->len));
}

static void expect_sane(const struct proxy_header_parser *p)
{
    const struct proxy_header *h = &p->header;
    bool is_tcp = h->kind == PROXY_HEADER_TCP;
    assert((h->source.len > 0) == is_tcp && (h->destination.len > 0) == is_tcp);
    assert(p->len <=
           (h->version == PROXY_HEADER_V1 ? PROXY_HEADER_V1_BYTES_MAX : PROXY_HEADER_BYTES_MAX));
    expect_within(p, h->alpn);
    expect_within(p, h->authority);
    expect_within(p, h->unique_id);
    expect_within(p, h->tls.common_name);
    expect_within(p, h->tls.client_certificate);
    assert(!h->tls.is_verified || h->tls.has_certificate);
}

static void expect_same(const struct proxy_header *a, const struct proxy_header *b)
{
    assert(a->kind == b->kind && addr_is_equal(&a->source, &b->source));
    assert(addr_is_equal(&a->destination, &b->destination));
}

static void expect_same_values(const struct proxy_header *a, const struct proxy_header *b)
{
    assert(span_is_equal(a->alpn, b->alpn) && span_is_equal(a->authority, b->authority));
    assert(span_is_equal(a->unique_id, b->unique_id));
    assert(a->tls.is_used == b->tls.is_used);
    if (a->tls.is_used) {
        assert(a->tls.has_certificate == b->tls.has_certificate);
        assert(a->tls.is_verified == b->tls.is_verified);
        assert(span_is_equal(a->tls.version, b->tls.version));
        assert(span_is_equal(a->tls.cipher, b->tls.cipher));
        assert(span_is_equal(a->tls.common_name, b->tls.common_name));
        assert(span_is_equal(a->tls.group, b->tls.group));
        assert(span_is_equal(a->tls.client_certificate, b->tls.client_certificate));
    }
}

static void expect_again(const struct proxy_header *header)
{
    static uint8_t out[PROXY_HEADER_BYTES_MAX];
    struct proxy_header_parser again;
    struct proxy_header h = *header;
    for (int version = PROXY_HEADER_V1; version <= PROXY_HEADER_V2; version++) {
        h.version = (enum proxy_header_version)version;
        size_t len = proxy_header_write(&h, out, sizeof(out));
        /* A header may grow: IPv4-mapped addresses of one of the ends. */
        if (len == 0) {
            assert(h.version == PROXY_HEADER_V2);
            continue;
        }
        assert(feed(&again, out, len, 1) == len && again.result == PROXY_HEADER_DONE);
        assert(again.header.version == h.version);
        if (h.kind == PROXY_HEADER_TCP) {
            expect_same(&h, &again.header);
        } else {
            assert(again.header.kind ==
                   (h.version == PROXY_HEADER_V1 ? PROXY_HEADER_UNKNOWN : PROXY_HEADER_LOCAL));
        }
        if (h.kind == PROXY_HEADER_TCP && h.version == PROXY_HEADER_V2) {
            expect_same_values(&h, &again.header);
        }
        proxy_header_done(&again);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header_parser whole;
    struct proxy_header_parser pieces;
    size_t consumed = 0;
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ data[i]) * 16777619U;
    }
    proxy_header_init(&whole);
    (void)!proxy_header_parse(&whole, data, size, &consumed);
    for (int round = 0; round < 2; round++) {
        assert(feed(&pieces, data, size, round == 0 ? 0 : hash | 1) == consumed);
        assert(pieces.result == whole.result && strcmp(pieces.detail, whole.detail) == 0);
        assert(pieces.len == whole.len);
        expect_same(&pieces.header, &whole.header);
        expect_same_values(&pieces.header, &whole.header);
        proxy_header_done(&pieces);
    }
    if (whole.result == PROXY_HEADER_DONE) {
        assert(consumed == whole.len && memcmp(whole.bytes, data, consumed) == 0);
        expect_sane(&whole);
        expect_again(&whole.header);
    }
    proxy_header_done(&whole);
    return 0;
}
