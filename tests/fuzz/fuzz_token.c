/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finds tokens in opening handshakes and in first messages. What is found is visible ASCII, or a
 * user and a password, in bytes of the token's own; the pieces of a message change nothing; the
 * log's form of the target has nothing of the query.
 *
 * Input: 1 byte for the sources (bit 7: a first message instead of a head); the bytes. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "proto/token.h"
#include "proto/upgrade.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct http_parser parser;

static void expect(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void expect_token(const struct token *token, enum token_result result, bool is_password)
{
    expect((token->detail == NULL) == (result == TOKEN_FOUND));
    if (result != TOKEN_FOUND) {
        expect(token->text.len == 0 && token->bytes == NULL);
        return;
    }
    expect(token->text.data >= token->bytes &&
           token->text.data + token->text.len <= token->bytes + token->size);
    expect(is_password == (token->user.len > 0) && (is_password || token->text.len > 0));
    for (size_t i = 0; i < token->text.len; i++) {
        unsigned char c = (unsigned char)token->text.data[i];
        expect(c >= 0x20 && c != 0x7f && (is_password || (c > 0x20 && c < 0x7f)));
    }
}

static void check_find(const struct request *request, uint8_t kind)
{
    const struct token_source sources[] = {
        {TOKEN_SUBPROTOCOL, {NULL, 0}},  {TOKEN_COOKIE, SPAN_LIT("s")},
        {TOKEN_QUERY, SPAN_LIT("t")},    {TOKEN_BEARER, {NULL, 0}},
        {TOKEN_HEADER, SPAN_LIT("X-T")}, {TOKEN_BASIC, {NULL, 0}}};
    bool wants_password = (kind & 0x40) != 0;
    struct token token;
    for (size_t first = 0; first < 6; first++) {
        struct token_question q = {.request = request,
                                   .sources = sources + first,
                                   .source_count = (kind & 1) != 0 ? 6 - first : 1,
                                   .wants_password = wants_password,
                                   .is_from_trusted_proxy = (kind & 2) != 0};
        enum token_result result = token_find(&q, &token);
        expect(result != TOKEN_LATER && result != TOKEN_TOO_LONG && result != TOKEN_NO_MEMORY);
        expect_token(&token, result, wants_password);
        token_done(&token);
    }
    for (size_t i = 0; i < request->offer_count; i++) {
        expect(!token_is_offer(request->offers[i]));
    }
}

static void check_target(struct span target)
{
    static char out[8192 + 16];
    size_t len = token_hide_query(target, out, sizeof(out));
    size_t path = span_find(target, '?');
    expect(len == size_min(path + 1, target.len) + (path + 1 < target.len ? 8 : 0));
    expect(memchr(out, '?', size_min(path, len)) == NULL);
}

static void check_head(const uint8_t *data, size_t size, uint8_t kind)
{
    static const struct http_limits limits = {.head_bytes = 8192, .header_count = 64};
    struct request request;
    struct span key;
    const char *detail = NULL;
    size_t consumed = 0;
    http_parser_init(&parser, &limits);
    if (http_parse(&parser, data, size, &consumed) == HTTP_DONE) {
        check_target(http_target(&parser));
        if (upgrade_check(&parser, &request, &key, &detail) == UPGRADE_OK) {
            check_find(&request, kind);
        }
    }
    http_parser_done(&parser);
}

static void check_message(const uint8_t *data, size_t size, size_t step)
{
    struct token whole = {.len = 0};
    struct token cut = {.len = 0};
    enum token_result result = token_add_message(&whole, data, size);
    enum token_result piece = TOKEN_LATER;
    for (size_t at = 0; at < size && piece == TOKEN_LATER; at += step) {
        piece = token_add_message(&cut, data + at, size_min(step, size - at));
    }
    expect(piece == result && (result == TOKEN_TOO_LONG) == (size > TOKEN_MESSAGE_MAX));
    if (result == TOKEN_LATER) {
        result = token_end_message(&whole);
        expect(token_end_message(&cut) == result && span_is_equal(whole.text, cut.text));
        expect_token(&whole, result, false);
    }
    token_done(&whole);
    token_done(&cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t before = mem_live_blocks();
    if (size == 0) {
        return 0;
    }
    if ((data[0] & 0x80) != 0) {
        check_message(data + 1, size - 1, (size_t)(data[0] & 0x7f) + 1);
    } else {
        check_head(data + 1, size - 1, data[0]);
    }
    expect(mem_live_blocks() == before);
    return 0;
}
