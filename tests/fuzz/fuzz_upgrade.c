/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checks opening handshakes. One that upgrade_check accepts must pass a second, slow check of RFC
 * 6455 4.2.1, there must be one way only to read its path, and a second SHA-1 must give the same
 * accept key.
 *
 * Input: the bytes of a connection, as they are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/token.h"
#include "proto/upgrade.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEY_LEN 24
#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

static struct http_parser parser;

#define HEAD_MAX 8192

static void expect(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* ---- a second accept key ---- */

static uint32_t rotate(uint32_t x, unsigned bits)
{
    return x << bits | x >> (32 - bits);
}

/* FIPS 180-4 6.1: one block. */
static void sha1_block(uint32_t h[5], const uint8_t block[64])
{
    static const uint32_t k[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    uint32_t w[80];
    uint32_t s[5];

    for (size_t t = 0; t < 80; t++) {
        w[t] = t < 16 ? (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 |
                            (uint32_t)block[4 * t + 2] << 8 | block[4 * t + 3]
                      : rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    }
    memcpy(s, h, sizeof(s));
    for (size_t t = 0; t < 80; t++) {
        uint32_t f = t < 20              ? (s[1] & s[2]) | (~s[1] & s[3])
                     : t >= 40 && t < 60 ? (s[1] & s[2]) | (s[1] & s[3]) | (s[2] & s[3])
                                         : s[1] ^ s[2] ^ s[3];
        uint32_t next = (uint32_t)((uint64_t)rotate(s[0], 5) + f + s[4] + k[t / 20] + w[t]);

        memmove(s + 1, s, 4 * sizeof(s[0]));
        s[0] = next;
        s[2] = rotate(s[2], 30);
    }
    for (size_t i = 0; i < 5; i++) {
        h[i] = (uint32_t)((uint64_t)h[i] + s[i]);
    }
}

/* Key and GUID are 60 bytes: two blocks, the second one of padding. */
static void accept_key(struct span key, char out[29])
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint8_t blocks[128] = {0};
    uint8_t digest[21] = {0};
    const unsigned bits = 8 * (KEY_LEN + sizeof(GUID) - 1);

    memcpy(blocks, key.data, KEY_LEN);
    memcpy(blocks + KEY_LEN, GUID, sizeof(GUID) - 1);
    blocks[KEY_LEN + sizeof(GUID) - 1] = 0x80;
    blocks[126] = (uint8_t)(bits >> 8);
    blocks[127] = (uint8_t)bits;
    sha1_block(h, blocks);
    sha1_block(h, blocks + 64);
    for (size_t i = 0; i < 20; i++) {
        digest[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
    }
    for (size_t i = 0; i < 7; i++) {
        uint32_t group =
            (uint32_t)digest[3 * i] << 16 | (uint32_t)digest[3 * i + 1] << 8 | digest[3 * i + 2];

        for (size_t j = 0; j < 4; j++) {
            out[4 * i + j] = letters[group >> (18 - 6 * j) & 63];
        }
    }
    out[27] = '=';
    out[28] = '\0';
}

/* ---- a second check ---- */

static size_t count_headers(struct span name)
{
    size_t count = 0;

    for (size_t i = 0; i < parser.header_count; i++) {
        count += span_is_equal_nocase(http_header_name(&parser, i), name) ? 1 : 0;
    }
    return count;
}

static int hex(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c);

    expect(at != NULL);
    return (int)(at - digits);
}

/* Decodes the path and splits it then: the segments must be as many as before, and none of them
 * dots. */
static void expect_one_reading(struct span path)
{
    static char text[HEAD_MAX + 2];
    size_t len = 0;
    size_t slashes = 0;
    size_t decoded_slashes = 0;

    for (size_t i = 0; i < path.len; i++) {
        slashes += path.data[i] == '/' ? 1 : 0;
        if (path.data[i] != '%') {
            text[len++] = path.data[i];
            continue;
        }
        expect(i + 2 < path.len);
        text[len++] = (char)(hex(path.data[i + 1]) * 16 + hex(path.data[i + 2]));
        i += 2;
    }
    text[len++] = '/';
    text[len] = '\0';
    expect(strlen(text) == len && text[0] == '/');
    expect(strchr(text, '\\') == NULL && strpbrk(text, "\r\n\x7f\x1b") == NULL);
    expect(strstr(text, "/./") == NULL && strstr(text, "/../") == NULL);
    for (size_t i = 0; i < len - 1; i++) {
        decoded_slashes += text[i] == '/' ? 1 : 0;
    }
    expect(slashes == decoded_slashes);
}

static void expect_offers(const struct request *request)
{
    expect(request->offer_count <= REQUEST_OFFERS_MAX);
    expect(request->offer_count == 0 || count_headers(SPAN_LIT("Sec-WebSocket-Protocol")) > 0);
    expect((request->token_offer_count == 0) == (request->token_offer.len == 0));
    for (size_t i = 0; i < request->offer_count; i++) {
        expect(span_is_token(request->offers[i]));
        expect(request->offers[i].len <= REQUEST_OFFER_LEN_MAX);
        expect(!token_is_offer(request->offers[i]));
        for (size_t j = 0; j < i; j++) {
            expect(!span_is_equal(request->offers[i], request->offers[j]));
        }
    }
}

static void expect_101(struct span key, struct span subprotocol)
{
    char out[UPGRADE_101_MAX + 1];
    char want[29];
    char got[29];
    size_t len = upgrade_write_101(out, key, subprotocol, (struct span){NULL, 0});

    accept_key(key, want);
    upgrade_accept_key(key, got);
    expect(strcmp(want, got) == 0);
    expect(len > 0 && len <= UPGRADE_101_MAX);
    out[len] = '\0';
    expect(strlen(out) == len && strstr(out, "\r\n\r\n") == out + len - 4);
    expect(strstr(out, want) != NULL);
    expect((strstr(out, "\r\nSec-WebSocket-Protocol: ") != NULL) == (subprotocol.len > 0));
}

static void expect_no_length(void)
{
    struct span name = SPAN_LIT("content-length");
    size_t at = http_find(&parser, name, 0);

    expect(count_headers(name) <= 1);
    if (at < parser.header_count) {
        struct span value = http_header_value(&parser, at);

        expect(value.len > 0);
        for (size_t i = 0; i < value.len; i++) {
            expect(value.data[i] == '0');
        }
    }
}

/* Authority, path and query make the target again. */
static void expect_target(struct span target, const struct request *request)
{
    static char text[HEAD_MAX + 16];
    bool is_absolute = target.data[0] != '/';
    size_t skipped = is_absolute ? span_find(target, ':') + 3 + request->authority.len : 0;
    struct span rest = {target.data + skipped, target.len - skipped};
    bool has_path = rest.len > 0 && rest.data[0] == '/';
    bool has_query = span_find(rest, '?') < rest.len;

    expect(skipped <= target.len);
    if (is_absolute) {
        expect(request->authority.data == target.data + span_find(target, ':') + 3);
    }
    int len = snprintf(text, sizeof(text), "%.*s%s%.*s", has_path ? (int)request->path.len : 0,
                       request->path.data, has_query ? "?" : "", (int)request->query.len,
                       request->query.len > 0 ? request->query.data : "");
    expect(span_is_equal(rest, (struct span){text, (size_t)len}));
    expect(has_path || span_is_equal(request->path, SPAN_LIT("/")));
}

static void expect_legal(const struct request *request, struct span key)
{
    struct span target = http_target(&parser);

    expect(span_is_equal(http_method(&parser), SPAN_LIT("GET")) && parser.version_minor >= 1);
    expect(count_headers(SPAN_LIT("host")) == 1 && request->host_name.len > 0);
    expect(count_headers(SPAN_LIT("sec-websocket-key")) == 1);
    expect(count_headers(SPAN_LIT("sec-websocket-version")) == 1);
    expect(count_headers(SPAN_LIT("upgrade")) > 0 && count_headers(SPAN_LIT("connection")) > 0);
    expect_no_length();
    expect(count_headers(SPAN_LIT("transfer-encoding")) == 0);
    expect(count_headers(SPAN_LIT("origin")) == (request->has_origin ? 1 : 0));
    expect(key.len == KEY_LEN && key.data[KEY_LEN - 1] == '=');
    expect_target(target, request);
    expect_one_reading(request->path);
    expect_offers(request);
    expect_101(key, (struct span){NULL, 0});
    for (size_t i = 0; i < request->offer_count; i++) {
        expect_101(key, request->offers[i]);
    }
    struct request page;
    const char *detail;
    expect(upgrade_check_plain(&parser, &page, &detail) == UPGRADE_OK);
    expect(span_is_equal(page.path, request->path));
    expect(span_is_equal(page.query, request->query));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct request request;
    struct span key;
    const char *detail = NULL;
    enum upgrade_result result;
    size_t consumed = 0;

    static const struct http_limits limits = {.head_bytes = HEAD_MAX, .header_count = 64};

    http_parser_done(&parser);
    http_parser_init(&parser, &limits);
    if (http_parse(&parser, data, size, &consumed) != HTTP_DONE) {
        return 0;
    }
    result = upgrade_check(&parser, &request, &key, &detail);
    expect(detail != NULL && (detail[0] == '\0') == (result == UPGRADE_OK));
    expect(result != UPGRADE_OK || span_is_equal(http_method(&parser), SPAN_LIT("GET")));
    if (result == UPGRADE_OK) {
        expect_legal(&request, key);
    }
    if (upgrade_check_cors(&parser, &request, &detail) == UPGRADE_OK) {
        expect(result != UPGRADE_OK && detail[0] == '\0');
        expect(request.has_origin && count_headers(SPAN_LIT("origin")) == 1);
        expect_one_reading(request.path);
    }
    (void)!upgrade_check_plain(&parser, &request, &detail);
    return 0;
}
