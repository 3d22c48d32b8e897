/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The places of a request where a token may stand. */
#include <string.h>

#include "base/utf8.h"
#include "proto/base64.h"
#include "proto/token_parts.h"

static const struct span offer_prefixes[] = {SPAN_LIT("sluice.token."),
                                             SPAN_LIT("base64url.bearer.authorization.k8s.io.")};

/* The value as it stands. */
static enum token_result copy(struct token *token, enum token_place place, struct span value)
{
    if (value.len == 0) {
        return token_bad(token, place);
    }
    if (!token_reserve(token, value.len)) {
        return token_fail(token, TOKEN_NO_MEMORY, "out of memory");
    }
    memcpy(token->bytes, value.data, value.len);
    return token_finish(token, place, (struct span){token->bytes, value.len});
}

/* --- subprotocols ----------------------------------------------- */

/* The item without its prefix; false when it is none of ours. */
static bool split_offer(struct span offer, struct span *out)
{
    for (size_t i = 0; i < sizeof(offer_prefixes) / sizeof(offer_prefixes[0]); i++) {
        size_t len = offer_prefixes[i].len;
        if (span_starts_with(offer, offer_prefixes[i])) {
            *out = (struct span){offer.data + len, offer.len - len};
            return true;
        }
    }
    return false;
}

bool token_is_offer(struct span offer)
{
    struct span rest;
    return split_offer(offer, &rest);
}

static enum token_result find_offer(const struct request *request, struct token *out)
{
    struct span found;
    size_t len = 0;
    if (request->token_offer_count == 0 || !split_offer(request->token_offer, &found)) {
        return TOKEN_NONE;
    }
    if (request->token_offer_count > 1) {
        return token_twice(out, TOKEN_SUBPROTOCOL);
    }
    if (!token_reserve(out, BASE64URL_BYTES(found.len) + 1)) {
        return token_fail(out, TOKEN_NO_MEMORY, "out of memory");
    }
    if (!base64url_decode(found, (uint8_t *)out->bytes, &len)) {
        return token_bad(out, TOKEN_SUBPROTOCOL);
    }
    return token_finish(out, TOKEN_SUBPROTOCOL, (struct span){out->bytes, len});
}

/* --- cookies ----------------------------------------------- */

/* RFC 6265 4.1.1, with or without quotes around the whole. */
static bool check_cookie_value(struct span *value)
{
    if (value->len >= 2 && value->data[0] == '"' && value->data[value->len - 1] == '"') {
        *value = (struct span){value->data + 1, value->len - 2};
    }
    for (size_t i = 0; i < value->len; i++) {
        if (strchr("\",;\\", value->data[i]) != NULL) { /* NUL too */
            return false;
        }
    }
    return true;
}

/* What is wrong with other cookies is nobody's business here. */
static enum token_result find_cookie(const struct request *request, struct span name,
                                     struct token *out)
{
    struct span found = {NULL, 0};
    struct span line;
    struct span pair;
    size_t at = 0;
    while (request_next_header(request, SPAN_LIT("Cookie"), &at, &line)) {
        while (span_next(&line, ';', &pair)) {
            size_t equals = span_find(pair, '=');
            if (equals == pair.len || !span_is_equal((struct span){pair.data, equals}, name)) {
                continue;
            }
            if (found.data != NULL) {
                return token_twice(out, TOKEN_COOKIE);
            }
            found = (struct span){pair.data + equals + 1, pair.len - equals - 1};
        }
    }
    if (found.data == NULL) {
        return TOKEN_NONE;
    }
    return check_cookie_value(&found) ? copy(out, TOKEN_COOKIE, found)
                                      : token_bad(out, TOKEN_COOKIE);
}

/* --- the query ----------------------------------------------- */

static int hex_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes one character off *rest and decodes it; -1: a "%" without two hexadecimal digits. */
static int next_decoded(struct span *rest)
{
    size_t len = 1;
    int c = (unsigned char)rest->data[0];
    if (c == '%') {
        int high = rest->len > 2 ? hex_of(rest->data[1]) : -1;
        int low = rest->len > 2 ? hex_of(rest->data[2]) : -1;
        if (high < 0 || low < 0) {
            return -1;
        }
        c = high * 16 + low;
        len = 3;
    }
    *rest = (struct span){rest->data + len, rest->len - len};
    return c;
}

static bool is_name(struct span encoded, struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (encoded.len == 0 || next_decoded(&encoded) != (unsigned char)name.data[i]) {
            return false;
        }
    }
    return encoded.len == 0;
}

static enum token_result decode_query(struct span value, struct token *out)
{
    size_t len = 0;
    if (value.len == 0) {
        return token_bad(out, TOKEN_QUERY);
    }
    if (!token_reserve(out, value.len)) {
        return token_fail(out, TOKEN_NO_MEMORY, "out of memory");
    }
    while (value.len > 0) {
        int c = next_decoded(&value);
        if (c < 0) {
            return token_bad(out, TOKEN_QUERY);
        }
        out->bytes[len++] = (char)c;
    }
    return token_finish(out, TOKEN_QUERY, (struct span){out->bytes, len});
}

static enum token_result find_query(const struct request *request, struct span name,
                                    struct token *out)
{
    struct span rest = request->query;
    struct span pair;
    struct span found = {NULL, 0};
    while (span_next(&rest, '&', &pair)) {
        size_t equals = span_find(pair, '=');
        if (!is_name((struct span){pair.data, equals}, name)) {
            continue;
        }
        if (found.data != NULL) {
            return token_twice(out, TOKEN_QUERY);
        }
        size_t skip = size_min(equals + 1, pair.len);
        found = (struct span){pair.data + skip, pair.len - skip};
    }
    return found.data != NULL ? decode_query(found, out) : TOKEN_NONE;
}

/* --- headers ----------------------------------------------- */

/* The only header of that name. */
static enum token_result find_header(const struct request *request, struct span name,
                                     enum token_place place, struct token *out,
                                     struct span *out_value)
{
    struct span other;
    size_t at = 0;
    if (!request_next_header(request, name, &at, out_value)) {
        return TOKEN_NONE;
    }
    return request_next_header(request, name, &at, &other) ? token_twice(out, place) : TOKEN_FOUND;
}

/* Takes "SCHEME " off the value (RFC 9110 11.4); false when it has another scheme. */
static bool take_scheme(struct span *value, struct span scheme)
{
    size_t len = span_find(*value, ' ');
    if (!span_is_equal_nocase((struct span){value->data, len}, scheme)) {
        return false;
    }
    *value = span_trim((struct span){value->data + len, value->len - len});
    return true;
}

/* RFC 6750 2.1: b64token. */
static bool is_b64token(struct span s)
{
    while (s.len > 0 && s.data[s.len - 1] == '=') {
        s.len--;
    }
    for (size_t i = 0; i < s.len; i++) {
        char lower = (char)(s.data[i] | 0x20);
        bool is_letter = lower >= 'a' && lower <= 'z';
        bool is_digit = s.data[i] >= '0' && s.data[i] <= '9';
        if (!is_letter && !is_digit && memchr("-._~+/", s.data[i], 6) == NULL) {
            return false;
        }
    }
    return s.len > 0;
}

static enum token_result read_bearer(struct span value, struct token *out)
{
    return is_b64token(value) ? copy(out, TOKEN_BEARER, value) : token_bad(out, TOKEN_BEARER);
}

static bool is_clean(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.data[i] < 0x20 || s.data[i] == 0x7f) {
            return false;
        }
    }
    return utf8_is_valid(s);
}

static enum token_result read_basic(struct span value, struct token *out)
{
    struct base64_decoder decoder;
    size_t len = 0;
    if (!token_reserve(out, value.len + 4)) {
        return token_fail(out, TOKEN_NO_MEMORY, "out of memory");
    }
    base64_decoder_init(&decoder);
    if (!base64_decode(&decoder, (const uint8_t *)value.data, value.len, (uint8_t *)out->bytes,
                       &len) ||
        !base64_is_complete(&decoder)) {
        return token_bad(out, TOKEN_BASIC);
    }
    struct span both = {out->bytes, len};
    size_t colon = span_find(both, ':');
    if (colon == 0 || colon == len || !is_clean(both)) {
        return token_bad(out, TOKEN_BASIC);
    }
    out->user = (struct span){both.data, colon};
    out->text = (struct span){both.data + colon + 1, len - colon - 1};
    return TOKEN_FOUND;
}

static enum token_result find_authorization(const struct request *request, enum token_place place,
                                            struct token *out)
{
    struct span value;
    enum token_result result = find_header(request, SPAN_LIT("Authorization"), place, out, &value);
    if (result != TOKEN_FOUND) {
        return result;
    }
    if (place == TOKEN_BEARER) {
        return take_scheme(&value, SPAN_LIT("Bearer")) ? read_bearer(value, out) : TOKEN_NONE;
    }
    return take_scheme(&value, SPAN_LIT("Basic")) ? read_basic(value, out) : TOKEN_NONE;
}

static enum token_result find_proxy_header(const struct request *request, struct span name,
                                           struct token *out)
{
    struct span value;
    enum token_result result = find_header(request, name, TOKEN_HEADER, out, &value);
    if (result != TOKEN_FOUND) {
        return result;
    }
    (void)take_scheme(&value, SPAN_LIT("Bearer"));
    return copy(out, TOKEN_HEADER, value);
}

enum token_result token_look(const struct token_question *q, const struct token_source *source,
                             struct token *out)
{
    switch (source->place) {
    case TOKEN_SUBPROTOCOL:
        return find_offer(q->request, out);
    case TOKEN_COOKIE:
        return find_cookie(q->request, source->name, out);
    case TOKEN_QUERY:
        return find_query(q->request, source->name, out);
    case TOKEN_BEARER:
    case TOKEN_BASIC:
        return find_authorization(q->request, source->place, out);
    case TOKEN_HEADER:
        return q->is_from_trusted_proxy ? find_proxy_header(q->request, source->name, out)
                                        : TOKEN_NONE;
    case TOKEN_FIRST_MESSAGE:
    case TOKEN_PLACES:
        break;
    }
    return TOKEN_NONE;
}
