/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/token.h"

#include <string.h>

#include "base/mem.h"
#include "proto/token_parts.h"

static const struct {
    struct span word; /* of auth_from */
    bool has_name;
    const char *bad;
    const char *twice;
} places[TOKEN_PLACES] = {
    [TOKEN_SUBPROTOCOL] = {SPAN_LIT("subprotocol"), false,
                           "the token among the subprotocols is no base64url of visible ASCII",
                           "two of the subprotocols are tokens"},
    [TOKEN_COOKIE] = {SPAN_LIT("cookie"), true, "the cookie with the token is empty or malformed",
                      "the cookie with the token comes twice: are there two paths or domains?"},
    [TOKEN_QUERY] = {SPAN_LIT("query"), true, "the token in the query is empty or malformed",
                     "the token stands twice in the query"},
    [TOKEN_BEARER] = {SPAN_LIT("bearer"), false, "the Bearer token is malformed",
                      "more than one Authorization"},
    [TOKEN_BASIC] = {SPAN_LIT("basic"), false, "the Basic credentials are malformed",
                     "more than one Authorization"},
    [TOKEN_HEADER] = {SPAN_LIT("header"), true, "the token in the proxy's header is malformed",
                      "the proxy's header with the token comes twice"},
    [TOKEN_FIRST_MESSAGE] = {SPAN_LIT("first_message"), false,
                             "the first message is no token: it must be visible ASCII and nothing "
                             "else",
                             ""},
};

bool token_source_parse(struct span text, struct token_source *out)
{
    size_t colon = span_find(text, ':');
    struct span word = {text.data, colon};
    struct span name = colon < text.len ? (struct span){text.data + colon + 1, text.len - colon - 1}
                                        : (struct span){NULL, 0};
    for (size_t i = 0; i < TOKEN_PLACES; i++) {
        if (span_is_equal(word, places[i].word)) {
            *out = (struct token_source){(enum token_place)i, name};
            return places[i].has_name ? span_is_token(name) : colon == text.len;
        }
    }
    return false;
}

/* --- the bytes of a token ----------------------------------------------- */

void token_done(struct token *token)
{
    if (token->bytes != NULL) {
        explicit_bzero(token->bytes, token->size);
    }
    mem_free(token->bytes);
    *token = (struct token){.detail = NULL};
}

enum token_result token_fail(struct token *token, enum token_result result, const char *detail)
{
    token_done(token);
    token->detail = detail;
    return result;
}

enum token_result token_bad(struct token *token, enum token_place place)
{
    return token_fail(token, TOKEN_BAD, places[place].bad);
}

enum token_result token_twice(struct token *token, enum token_place place)
{
    return token_fail(token, TOKEN_TWICE, places[place].twice);
}

/* Makes room for `size` bytes in all; what is there moves, and no copy of it stays behind. */
bool token_reserve(struct token *token, size_t size)
{
    if (size <= token->size) {
        return true;
    }
    char *bytes = mem_alloc(size);
    if (bytes == NULL) {
        return false;
    }
    if (token->len > 0) {
        memcpy(bytes, token->bytes, token->len);
    }
    size_t len = token->len;
    token_done(token);
    *token = (struct token){.bytes = bytes, .size = size, .len = len};
    return true;
}

static bool is_visible(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < 0x21 || s.data[i] > 0x7e) {
            return false;
        }
    }
    return s.len > 0;
}

enum token_result token_finish(struct token *token, enum token_place place, struct span text)
{
    if (!is_visible(text)) {
        return token_bad(token, place);
    }
    token->text = text;
    return TOKEN_FOUND;
}

/* --- the first message ----------------------------------------------- */

enum token_result token_add_message(struct token *token, const uint8_t *data, size_t len)
{
    if (len > TOKEN_MESSAGE_MAX - token->len) {
        return token_fail(token, TOKEN_TOO_LONG, "the first message has more than 8192 bytes");
    }
    size_t size = token->size > 0 ? token->size : 512;
    while (size < token->len + len) {
        size *= 2;
    }
    if (!token_reserve(token, size)) {
        return token_fail(token, TOKEN_NO_MEMORY, "out of memory");
    }
    if (len > 0) {
        memcpy(token->bytes + token->len, data, len);
    }
    token->len += len;
    return TOKEN_LATER;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

enum token_result token_end_message(struct token *token)
{
    struct span text = {token->bytes, token->len};
    while (text.len > 0 && is_blank(text.data[text.len - 1])) {
        text.len--;
    }
    while (text.len > 0 && is_blank(text.data[0])) {
        text = (struct span){text.data + 1, text.len - 1};
    }
    return token_finish(token, TOKEN_FIRST_MESSAGE, text);
}

/* --- all places ----------------------------------------------- */

enum token_result token_find(const struct token_question *question, struct token *out)
{
    bool has_message = false;
    *out = (struct token){.detail = NULL};
    for (size_t i = 0; i < question->source_count; i++) {
        const struct token_source *source = &question->sources[i];
        if ((source->place == TOKEN_BASIC) != question->wants_password) {
            continue;
        }
        has_message = has_message || source->place == TOKEN_FIRST_MESSAGE;
        enum token_result result = token_look(question, source, out);
        if (result != TOKEN_NONE) {
            return result;
        }
    }
    out->detail = question->wants_password ? "no user and password" : "no token";
    return has_message ? TOKEN_LATER : TOKEN_NONE;
}

size_t token_hide_query(struct span target, char *out, size_t size)
{
    const struct span hidden = SPAN_LIT("[hidden]");
    size_t path_len = size_min(span_find(target, '?') + 1, target.len);
    size_t len = size_min(path_len, size);
    if (len > 0) {
        memcpy(out, target.data, len);
    }
    if (path_len < target.len) {
        size_t more = size_min(hidden.len, size - len);
        memcpy(out + len, hidden.data, more);
        len += more;
    }
    return len;
}
