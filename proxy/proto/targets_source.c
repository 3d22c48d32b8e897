/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The token of a request: where it stands, and what it leads to. */
#include <string.h>

#include "base/host.h"
#include "proto/targets.h"
#include "proto/token.h"

bool targets_source_parse(struct span text, struct targets_source *out)
{
    static const struct {
        struct span word;
        enum targets_place place;
    } words[] = {
        {SPAN_LIT("path"), TARGETS_PATH},
        {SPAN_LIT("subprotocol"), TARGETS_SUBPROTOCOL},
        {SPAN_LIT("host"), TARGETS_HOST},
    };
    static const struct span query = SPAN_LIT("query:");

    if (span_starts_with(text, query)) {
        struct span name = {text.data + query.len, text.len - query.len};
        *out = (struct targets_source){TARGETS_QUERY, name};
        return span_is_token(name);
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (span_is_equal(text, words[i].word)) {
            *out = (struct targets_source){.place = words[i].place};
            return true;
        }
    }
    return false;
}

/* --- what a place has ------------------------------------------------------------------------ */

#define NO_LINE "no line of the target files has the request's token"
#define NO_TOKEN "the request has no token that chooses a target"

static enum targets_result look_up(const struct targets *targets, struct span token,
                                   struct target *out, const char **out_detail)
{
    *out_detail = NO_LINE;
    if (token.len > TARGETS_TOKEN_MAX || !targets_find(targets, token, out)) {
        return TARGETS_UNKNOWN;
    }
    *out_detail = NULL;
    return TARGETS_FOUND;
}

/* A token in a place where it could also prove who somebody is. */
static enum targets_result take_token(const struct targets *targets,
                                      const struct targets_question *question,
                                      enum token_place place, struct target *out,
                                      const char **out_detail)
{
    const struct token_source source = {place, question->source.name};
    const struct token_question asked = {
        .request = question->request, .sources = &source, .source_count = 1};
    struct token token;
    enum targets_result result = TARGETS_UNKNOWN;

    switch (token_find(&asked, &token)) {
    case TOKEN_FOUND:
        result = look_up(targets, token.text, out, out_detail);
        break;
    case TOKEN_NONE:
    case TOKEN_LATER:
        *out_detail = NO_TOKEN;
        result = TARGETS_MISSING;
        break;
    case TOKEN_BAD:
    case TOKEN_TWICE:
    case TOKEN_TOO_LONG:
        *out_detail = token.detail;
        break;
    case TOKEN_NO_MEMORY:
        *out_detail = token.detail;
        result = TARGETS_NO_MEMORY;
        break;
    }
    token_done(&token);
    return result;
}

static int hex_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* False: it is too long, or a "%" has no two hexadecimal digits. */
static bool decode(struct span text, char out[TARGETS_TOKEN_MAX], size_t *out_len)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '%') {
            int high = text.len - i > 2 ? hex_of(text.data[i + 1]) : -1;
            int low = text.len - i > 2 ? hex_of(text.data[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return false;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (len == TARGETS_TOKEN_MAX) {
            return false;
        }
        out[len++] = c;
    }
    *out_len = len;
    return true;
}

static enum targets_result take_segment(const struct targets *targets,
                                        const struct targets_question *question, struct target *out,
                                        const char **out_detail)
{
    struct span path = question->request->path;
    char token[TARGETS_TOKEN_MAX];
    size_t len = 0;

    *out_detail = NO_TOKEN;
    if (!span_starts_with(path, question->prefix) || path.len == question->prefix.len) {
        return TARGETS_MISSING;
    }
    struct span segment = {path.data + question->prefix.len, path.len - question->prefix.len};
    *out_detail = NO_LINE;
    if (span_find(segment, '/') < segment.len) {
        *out_detail = "a slash stands in the path behind what the route's path has";
        return TARGETS_UNKNOWN;
    }
    enum targets_result result = decode(segment, token, &len)
                                     ? look_up(targets, (struct span){token, len}, out, out_detail)
                                     : TARGETS_UNKNOWN;
    explicit_bzero(token, sizeof(token));
    return result;
}

/* An offer that carries a token goes first; nobody answers or logs that one. */
static enum targets_result take_offer(const struct targets *targets,
                                      const struct targets_question *question, struct target *out,
                                      const char **out_detail)
{
    const struct request *request = question->request;
    if (request->token_offer_count > 0 && !question->is_offer_for_auth) {
        return take_token(targets, question, TOKEN_SUBPROTOCOL, out, out_detail);
    }
    for (size_t i = 0; i < request->offer_count; i++) {
        if (look_up(targets, request->offers[i], out, out_detail) == TARGETS_FOUND) {
            return TARGETS_FOUND;
        }
    }
    *out_detail = "none of the subprotocols that the client offers is a token of the target files";
    return request->offer_count > 0 ? TARGETS_UNKNOWN : TARGETS_MISSING;
}

static enum targets_result take_label(const struct targets *targets,
                                      const struct targets_question *question, struct target *out,
                                      const char **out_detail)
{
    struct span host = question->request->host_name;
    char label[HOST_LABEL_BYTES_MAX];
    size_t len = span_find(host, '.');

    *out_detail = "the Host is no name with several labels";
    if (host_kind(host) != HOST_NAME || len == host.len || len > sizeof(label)) {
        return TARGETS_MISSING;
    }
    for (size_t i = 0; i < len; i++) {
        bool is_capital = host.data[i] >= 'A' && host.data[i] <= 'Z';
        label[i] = (char)(is_capital ? host.data[i] | 0x20 : host.data[i]);
    }
    return look_up(targets, (struct span){label, len}, out, out_detail);
}

enum targets_result targets_choose(const struct targets *targets,
                                   const struct targets_question *question, struct target *out,
                                   const char **out_detail)
{
    switch (question->source.place) {
    case TARGETS_QUERY:
        return take_token(targets, question, TOKEN_QUERY, out, out_detail);
    case TARGETS_PATH:
        return take_segment(targets, question, out, out_detail);
    case TARGETS_SUBPROTOCOL:
        return take_offer(targets, question, out, out_detail);
    case TARGETS_HOST:
        break;
    }
    return take_label(targets, question, out, out_detail);
}
