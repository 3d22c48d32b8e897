/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/jwt.h"

#include <string.h>

#include "base/mem.h"
#include "proto/base64.h"
#include "proto/jwt_parts.h"

enum { PART_HEADER = 0, PART_CLAIMS, PART_SIGNATURE, PARTS };

static const struct {
    const char *word;
    const char *detail;
} refusals[JWT_REFUSALS] = {
    [JWT_OK] = {"ok", "the token holds"},
    [JWT_TOO_LONG] = {"too_long", "the token has more than 8192 bytes"},
    [JWT_FORM] = {"form", "the token is no JWT: it has not three parts with dots between them"},
    [JWT_ENCRYPTED] = {"encrypted", "the token is encrypted (JWE); sluice reads signed ones only"},
    [JWT_BASE64] = {"base64", "a part of the token is no strict base64url"},
    [JWT_HEADER] = {"header", "the header of the token is malformed"},
    [JWT_CRITICAL] = {"critical", "the header of the token has crit or b64, which sluice refuses"},
    [JWT_EMBEDDED_KEY] = {"embedded_key", "the token brings a key of its own (jwk, jku, x5c, x5u)"},
    [JWT_TYPE] = {"type", "the token has not the typ that the configuration wants"},
    [JWT_ALG_NONE] = {"alg_none", "the token is not signed (alg none)"},
    [JWT_ALG] = {"alg", "no key of the configuration is for the token's alg"},
    [JWT_NO_KID] = {"no_kid", "the token has no kid, and several keys have its alg"},
    [JWT_UNKNOWN_KID] = {"unknown_kid", "no key with the token's alg has the token's kid"},
    [JWT_SIGNATURE_LENGTH] = {"signature_length", "the token's signature has not the length that "
                                                  "its alg and key want"},
    [JWT_SIGNATURE] = {"signature", "the token's signature is wrong"},
    [JWT_CLAIMS] = {"claims", "the claims of the token are malformed"},
    [JWT_TIMES] = {"times", "exp, nbf or iat is no number of seconds between 1970 and 9999"},
    [JWT_NO_EXPIRY] = {"no_expiry", "the token has no exp"},
    [JWT_EXPIRED] = {"expired", "the token has expired"},
    [JWT_NOT_YET] = {"not_yet", "the token is not yet valid (nbf)"},
    [JWT_FUTURE] = {"future", "the token was issued in the future (iat): do the clocks agree?"},
    [JWT_ISSUER] = {"issuer", "the token is from another issuer (iss)"},
    [JWT_AUDIENCE] = {"audience", "the token is for another audience (aud)"},
    [JWT_REQUIRED] = {"required", "the token lacks a claim that the configuration requires"},
    [JWT_NO_MEMORY] = {"no_memory", "out of memory"},
};

const char *jwt_refusal_word(enum jwt_refusal refusal)
{
    return refusals[refusal].word;
}

const char *jwt_refusal_detail(enum jwt_refusal refusal)
{
    return refusals[refusal].detail;
}

/* What is known of a token while it is checked. */
struct check {
    struct span parts[PARTS]; /* as the token has them */
    struct span signed_text;  /* header, dot, claims */
    uint8_t *room;            /* a part, decoded; as long as the token */
    const struct jwt_key *key;
};

static enum jwt_refusal split(struct span token, struct check *c)
{
    struct span rest = token;
    size_t dots = 0;
    for (size_t i = 0; i < token.len; i++) {
        dots += token.data[i] == '.' ? 1 : 0;
    }
    if (dots != PARTS - 1) {
        return dots == 4 ? JWT_ENCRYPTED : JWT_FORM;
    }
    for (size_t i = 0; i < PARTS; i++) {
        size_t len = span_find(rest, '.');
        c->parts[i] = (struct span){rest.data, len};
        len = size_min(len + 1, rest.len);
        rest = (struct span){rest.data + len, rest.len - len};
    }
    c->signed_text = (struct span){token.data, token.len - c->parts[PART_SIGNATURE].len - 1};
    return JWT_OK;
}

static bool decode(struct check *c, size_t part, struct span *out)
{
    out->data = (const char *)c->room;
    return base64url_decode(c->parts[part], c->room, &out->len);
}

static const struct json_value *member(const struct json_value *header, const char *name)
{
    return json_value_member(header, span_from_str(name));
}

static bool has_any(const struct json_value *header, const char *const names[])
{
    for (; *names != NULL; names++) {
        if (member(header, *names) != NULL) {
            return true;
        }
    }
    return false;
}

/* RFC 7515 4.1.9: "application/" may be left out of a media type without another slash. */
static bool is_type(struct span got, struct span wanted)
{
    const struct span prefix = SPAN_LIT("application/");
    if (got.len > prefix.len && span_is_equal_nocase((struct span){got.data, prefix.len}, prefix)) {
        got = (struct span){got.data + prefix.len, got.len - prefix.len};
    }
    if (wanted.len > prefix.len &&
        span_is_equal_nocase((struct span){wanted.data, prefix.len}, prefix)) {
        wanted = (struct span){wanted.data + prefix.len, wanted.len - prefix.len};
    }
    return span_is_equal_nocase(got, wanted);
}

static bool is_text_or_none(const struct json_value *value)
{
    return value == NULL || json_value_kind(value) == JSON_KIND_TEXT;
}

static enum jwt_refusal choose(struct check *c, const struct json_value *header,
                               const struct jwt_rules *rules, struct span *out_kid)
{
    struct span name = json_value_text(member(header, "alg"));
    const struct json_value *kid = member(header, "kid");
    enum sigkey_alg alg;
    if (span_is_equal_nocase(name, SPAN_LIT("none"))) {
        return JWT_ALG_NONE;
    }
    if (!sigkey_alg_parse(name, &alg)) {
        return JWT_ALG;
    }
    *out_kid = json_value_text(kid);
    switch (jwt_keys_choose(rules->keys, alg, kid != NULL, *out_kid, &c->key)) {
    case JWT_CHOSEN:
        if (c->key->kid_len > 0) {
            *out_kid = (struct span){c->key->kid, c->key->kid_len};
        }
        break;
    case JWT_CHOICE_NO_ALG:
        return JWT_ALG;
    case JWT_CHOICE_NO_KID:
        return JWT_NO_KID;
    case JWT_CHOICE_OTHER_KID:
        return JWT_UNKNOWN_KID;
    }
    return JWT_OK;
}

/* What the header says before anything is believed. */
static enum jwt_refusal check_header(struct check *c, const struct json_value *header,
                                     const struct jwt_rules *rules, struct span *out_kid)
{
    static const char *const encrypted[] = {"enc", "zip", NULL};
    static const char *const critical[] = {"crit", "b64", NULL};
    static const char *const keys[] = {"jwk", "jku", "x5c", "x5u", NULL};
    const struct json_value *type = member(header, "typ");
    if (json_value_kind(header) != JSON_KIND_OBJECT ||
        json_value_kind(member(header, "alg")) != JSON_KIND_TEXT || !is_text_or_none(type) ||
        !is_text_or_none(member(header, "kid"))) {
        return JWT_HEADER;
    }
    if (has_any(header, encrypted)) {
        return JWT_ENCRYPTED;
    }
    if (has_any(header, critical)) {
        return JWT_CRITICAL;
    }
    if (has_any(header, keys)) {
        return JWT_EMBEDDED_KEY;
    }
    if (rules->type.len > 0 && !is_type(json_value_text(type), rules->type)) {
        return JWT_TYPE;
    }
    return choose(c, header, rules, out_kid);
}

static enum jwt_refusal check_signature(struct check *c, sigkey_prove_fn *prove)
{
    struct span signature;
    /* Before it is decoded: a long one is nobody's signature. */
    if (c->parts[PART_SIGNATURE].len > (sigkey_signature_len(&c->key->key) * 4 + 2) / 3) {
        return JWT_SIGNATURE_LENGTH;
    }
    if (!decode(c, PART_SIGNATURE, &signature)) {
        return JWT_BASE64;
    }
    if (signature.len != sigkey_signature_len(&c->key->key)) {
        return JWT_SIGNATURE_LENGTH;
    }
    switch (prove(&c->key->key, c->signed_text, signature)) {
    case SIGKEY_PROVEN:
        break;
    case SIGKEY_WRONG:
        return JWT_SIGNATURE;
    case SIGKEY_WRONG_LEN:
        return JWT_SIGNATURE_LENGTH;
    case SIGKEY_NO_MEMORY:
        return JWT_NO_MEMORY;
    }
    return JWT_OK;
}

/* Reads a part as a JSON object; `other` says what it means when it is none. */
static enum jwt_refusal read_part(struct check *c, size_t part, const struct json_limits *limits,
                                  enum jwt_refusal other, struct jwt *out)
{
    struct span text;
    struct json_fault fault;
    if (!decode(c, part, &text)) {
        return JWT_BASE64;
    }
    out->documents[part] = json_doc_read(text, limits, &fault);
    return json_value_kind(out->documents[part]) == JSON_KIND_OBJECT ? JWT_OK : other;
}

static enum jwt_refusal check_all(struct check *c, const struct jwt_rules *rules, uint64_t now_s,
                                  sigkey_prove_fn *prove, struct jwt *out)
{
    const struct json_limits header_limits = {JWT_HEADER_BYTES_MAX, JWT_HEADER_DEPTH_MAX};
    const struct json_limits claims_limits = {JWT_BYTES_MAX, JWT_CLAIMS_DEPTH_MAX};
    enum jwt_refusal refusal = read_part(c, PART_HEADER, &header_limits, JWT_HEADER, out);
    if (refusal == JWT_OK) {
        refusal = check_header(c, out->documents[PART_HEADER], rules, &out->kid);
    }
    if (refusal == JWT_OK) {
        refusal = check_signature(c, prove);
        out->key = &c->key->key;
    }
    if (refusal == JWT_OK) {
        refusal = read_part(c, PART_CLAIMS, &claims_limits, JWT_CLAIMS, out);
    }
    if (refusal == JWT_OK) {
        refusal = jwt_check_claims(out->documents[PART_CLAIMS], rules, now_s, out);
    }
    return refusal;
}

enum jwt_refusal jwt_check(struct span token, const struct jwt_rules *rules, uint64_t now_s,
                           sigkey_prove_fn *prove, struct jwt *out)
{
    struct check c = {.key = NULL};
    *out = (struct jwt){.ends_s = 0};
    if (token.len > JWT_BYTES_MAX) {
        return JWT_TOO_LONG;
    }
    enum jwt_refusal refusal = split(token, &c);
    if (refusal != JWT_OK) {
        return refusal;
    }
    c.room = mem_alloc(BASE64URL_BYTES(token.len));
    if (c.room == NULL) {
        return JWT_NO_MEMORY;
    }
    refusal = check_all(&c, rules, now_s, prove, out);
    explicit_bzero(c.room, BASE64URL_BYTES(token.len));
    mem_free(c.room);
    if (refusal != JWT_OK) {
        jwt_done(out);
    }
    return refusal;
}

void jwt_done(struct jwt *jwt)
{
    json_doc_done(jwt->documents[PART_HEADER]);
    json_doc_done(jwt->documents[PART_CLAIMS]);
    *jwt = (struct jwt){.ends_s = 0};
}
