/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/jwt_keys.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "proto/base64.h"

/* What becomes of one JWK. */
enum verdict { VERDICT_TAKE = 0, VERDICT_SKIP, VERDICT_BAD };

struct reading {
    const struct json_value *jwk;
    unsigned allowed;
    sigkey_check_fn *check;
    struct sigkey key;
    const char *detail; /* VERDICT_BAD */
};

static enum verdict bad(struct reading *r, const char *detail)
{
    r->detail = detail;
    return VERDICT_BAD;
}

static const struct json_value *member(const struct reading *r, const char *name)
{
    return json_value_member(r->jwk, span_from_str(name));
}

/* The member as text; empty when it is not there, or no text. */
static struct span text_of(const struct reading *r, const char *name)
{
    return json_value_text(member(r, name));
}

/* Decodes a member; false when it is not there, is no base64url, or is empty or longer than
 * `size`. */
static bool decode(const struct reading *r, const char *name, uint8_t *out, size_t size,
                   size_t *out_len)
{
    struct span text = text_of(r, name);
    return text.len > 0 && BASE64URL_BYTES(text.len) <= size + 2 &&
           base64url_decode(text, out, out_len) && *out_len <= size;
}

/* use and key_ops (RFC 7517 4.2, 4.3). */
static bool is_for_signatures(const struct reading *r)
{
    const struct json_value *operations = member(r, "key_ops");
    const struct json_value *use = member(r, "use");
    if (use != NULL && !span_is_equal(json_value_text(use), SPAN_LIT("sig"))) {
        return false;
    }
    for (size_t i = 0; i < json_value_count(operations); i++) {
        struct span one = json_value_text(json_value_item(operations, i));
        if (span_is_equal(one, SPAN_LIT("verify"))) {
            return true;
        }
    }
    return operations == NULL;
}

/* Pins the algorithm: the JWK's own word, which must be in `natural`, or else `fallback`. */
static enum verdict pin(struct reading *r, unsigned natural, enum sigkey_alg fallback)
{
    const struct json_value *alg = member(r, "alg");
    r->key.alg = fallback;
    if (alg != NULL && !sigkey_alg_parse(json_value_text(alg), &r->key.alg)) {
        return VERDICT_SKIP;
    }
    if ((SIGKEY_SET(r->key.alg) & natural) == 0) {
        return bad(r, "alg does not belong to this kind of key");
    }
    return (SIGKEY_SET(r->key.alg) & r->allowed) != 0 ? VERDICT_TAKE : VERDICT_SKIP;
}

static enum verdict pin_rsa(struct reading *r)
{
    const unsigned both = SIGKEY_SET(SIGKEY_RS256) | SIGKEY_SET(SIGKEY_PS256);
    enum sigkey_alg fallback;
    bool is_clear = sigkey_rsa_alg(r->allowed, &fallback);
    if (!is_clear && (r->allowed & both) != 0 && member(r, "alg") == NULL) {
        return bad(r, "an RSA key without alg may be for RS256 or PS256: allow only one of them");
    }
    return pin(r, both, fallback);
}

static enum verdict read_rsa(struct reading *r)
{
    uint8_t number[SIGKEY_BYTES_MAX + 3];
    uint8_t exponent[4 + 2];
    size_t len = 0;
    enum verdict verdict = pin_rsa(r);
    if (verdict != VERDICT_TAKE) {
        return verdict;
    }
    if (!decode(r, "e", exponent, 4, &len)) {
        return bad(r, "e of an RSA key is not there, no base64url, or more than 32 bits");
    }
    for (size_t i = 0; i < len; i++) {
        r->key.exponent = r->key.exponent << 8 | exponent[i];
    }
    if (!decode(r, "n", number, SIGKEY_BYTES_MAX + 1, &len) ||
        !sigkey_set_number(&r->key, (struct span){(const char *)number, len})) {
        return bad(r, "n of an RSA key is not there, no base64url, or more than 4096 bits");
    }
    return VERDICT_TAKE;
}

static enum verdict read_ec(struct reading *r)
{
    struct span curve = text_of(r, "crv");
    bool is_256 = span_is_equal(curve, SPAN_LIT("P-256"));
    size_t half = is_256 ? 32 : 48;
    uint8_t both[2 * 48 + 2];
    size_t x_len = 0;
    size_t y_len = 0;
    if (!is_256 && !span_is_equal(curve, SPAN_LIT("P-384"))) {
        return VERDICT_SKIP;
    }
    enum sigkey_alg alg = is_256 ? SIGKEY_ES256 : SIGKEY_ES384;
    enum verdict verdict = pin(r, SIGKEY_SET(alg), alg);
    if (verdict != VERDICT_TAKE) {
        return verdict;
    }
    if (!decode(r, "x", both, half, &x_len) || !decode(r, "y", both + half, half, &y_len) ||
        x_len != half || y_len != half ||
        !sigkey_set_number(&r->key, (struct span){(const char *)both, 2 * half})) {
        return bad(r, "x or y of an EC key is not there, no base64url, or not as long as its "
                      "curve wants");
    }
    return VERDICT_TAKE;
}

static enum verdict read_okp(struct reading *r)
{
    uint8_t point[32 + 2];
    size_t len = 0;
    if (!span_is_equal(text_of(r, "crv"), SPAN_LIT("Ed25519"))) {
        return VERDICT_SKIP;
    }
    enum verdict verdict = pin(r, SIGKEY_SET(SIGKEY_ED25519), SIGKEY_ED25519);
    if (verdict != VERDICT_TAKE) {
        return verdict;
    }
    if (!decode(r, "x", point, 32, &len) ||
        !sigkey_set_number(&r->key, (struct span){(const char *)point, len})) {
        return bad(r, "x of an OKP key is not there, no base64url, or too long");
    }
    return VERDICT_TAKE;
}

static enum verdict read_secret(struct reading *r)
{
    uint8_t secret[SIGKEY_BYTES_MAX + 2];
    size_t len = 0;
    enum verdict verdict = pin(r, SIGKEY_SET(SIGKEY_HS256), SIGKEY_HS256);
    if (verdict != VERDICT_TAKE) {
        return verdict;
    }
    bool is_good = decode(r, "k", secret, SIGKEY_BYTES_MAX, &len) &&
                   sigkey_set_number(&r->key, (struct span){(const char *)secret, len});
    explicit_bzero(secret, sizeof(secret));
    return is_good ? VERDICT_TAKE
                   : bad(r, "k of a secret is not there, no base64url, or more than 512 bytes");
}

/* What the file may hold is decided before anything else of the key is looked at. */
static enum verdict read_kind(struct reading *r)
{
    struct span kind = text_of(r, "kty");
    bool is_secret = span_is_equal(kind, SPAN_LIT("oct"));
    bool is_public = span_is_equal(kind, SPAN_LIT("RSA")) || span_is_equal(kind, SPAN_LIT("EC")) ||
                     span_is_equal(kind, SPAN_LIT("OKP"));
    if (kind.len == 0) {
        return bad(r, "a key has no kty");
    }
    if (is_secret && (r->allowed & JWT_SECRET_ALGS) == 0) {
        return bad(r, "the file has a secret (kty oct), where only public keys may stand");
    }
    if (is_public && (r->allowed & JWT_PUBLIC_ALGS) == 0) {
        return bad(r, "the file has a public key, where only secrets (kty oct) may stand");
    }
    if (is_public && member(r, "d") != NULL) {
        return bad(r, "the file has a private key (d): sluice wants the public one only");
    }
    if (!is_for_signatures(r)) {
        return VERDICT_SKIP;
    }
    if (is_secret) {
        return read_secret(r);
    }
    if (span_is_equal(kind, SPAN_LIT("RSA"))) {
        return read_rsa(r);
    }
    if (span_is_equal(kind, SPAN_LIT("EC"))) {
        return read_ec(r);
    }
    return span_is_equal(kind, SPAN_LIT("OKP")) ? read_okp(r) : VERDICT_SKIP;
}

/* NULL: the key was taken or skipped. */
static const char *read_key(struct jwt_keys *keys, const struct json_value *jwk,
                            const struct reading *rules)
{
    struct reading r = {.jwk = jwk, .allowed = rules->allowed, .check = rules->check};
    const struct json_value *kid = json_value_member(jwk, SPAN_LIT("kid"));
    enum verdict verdict = read_kind(&r);
    if (verdict == VERDICT_SKIP) {
        keys->skipped++;
    }
    if (verdict == VERDICT_TAKE) {
        r.detail = kid != NULL && json_value_text(kid).len == 0
                       ? "the kid of a key is no text, or empty"
                       : r.check(&r.key);
    }
    if (verdict == VERDICT_TAKE && r.detail == NULL) {
        r.detail = jwt_keys_add(keys, &r.key, json_value_text(kid));
    }
    explicit_bzero(&r.key, sizeof(r.key));
    return r.detail;
}

static const char *read_set(struct jwt_keys *keys, const struct json_value *top,
                            const struct reading *rules, size_t *out_key)
{
    const struct json_value *list = json_value_member(top, SPAN_LIT("keys"));
    if (json_value_member(top, SPAN_LIT("kty")) != NULL) {
        return read_key(keys, top, rules);
    }
    if (json_value_kind(list) != JSON_KIND_LIST) {
        return "the JSON is neither a set of keys (JWKS) nor a key (JWK)";
    }
    for (size_t i = 0; i < json_value_count(list); i++) {
        const char *detail = read_key(keys, json_value_item(list, i), rules);
        if (detail != NULL) {
            *out_key = i + 1;
            return detail;
        }
    }
    return NULL;
}

/* Takes the last keys off again. */
static void cut(struct jwt_keys *keys, size_t count, size_t skipped)
{
    if (keys->count > count) {
        explicit_bzero(&keys->items[count], (keys->count - count) * sizeof(keys->items[0]));
    }
    keys->count = count;
    keys->skipped = skipped;
}

bool jwt_keys_read(struct jwt_keys *keys, struct span text, unsigned allowed,
                   sigkey_check_fn *check, struct jwt_keys_fault *out_fault)
{
    const struct reading rules = {.allowed = allowed, .check = check};
    const struct json_limits limits = {JWT_KEYS_BYTES_MAX, JSON_DEPTH_TRUSTED};
    const size_t count = keys->count;
    const size_t skipped = keys->skipped;
    struct json_fault fault;
    *out_fault = (struct jwt_keys_fault){.key = 0};
    struct json_value *top = json_doc_read(text, &limits, &fault);
    if (top == NULL) {
        out_fault->detail = fault.detail;
        out_fault->line = fault.line;
        return false;
    }
    out_fault->detail = read_set(keys, top, &rules, &out_fault->key);
    json_doc_done(top);
    if (out_fault->detail == NULL && keys->count == count) {
        out_fault->detail = "no key in the file is for signatures of an allowed algorithm";
    }
    if (out_fault->detail != NULL) {
        cut(keys, count, skipped);
    }
    return out_fault->detail == NULL;
}

static struct span kid_of(const struct jwt_key *key)
{
    return (struct span){key->kid, key->kid_len};
}

/* Makes room for one more. mem_resize might leave a copy of secrets behind. */
static bool grow(struct jwt_keys *keys)
{
    size_t count = keys->count;
    if (count != 0 && (count & (count - 1)) != 0) {
        return true; /* the block has room for a power of two */
    }
    struct jwt_key *items = mem_alloc_zero((count == 0 ? 1 : 2 * count) * sizeof(*items));
    if (items == NULL) {
        return false;
    }
    if (count > 0) {
        memcpy(items, keys->items, count * sizeof(*items));
    }
    size_t skipped = keys->skipped;
    jwt_keys_done(keys);
    *keys = (struct jwt_keys){items, count, skipped};
    return true;
}

const char *jwt_keys_add(struct jwt_keys *keys, const struct sigkey *key, struct span kid)
{
    const char *detail = sigkey_check(key);
    if (detail != NULL) {
        return detail;
    }
    if (kid.len > JWT_KID_MAX) {
        return "the kid of a key has more than 256 bytes";
    }
    for (size_t i = 0; i < keys->count; i++) {
        const struct jwt_key *other = &keys->items[i];
        if (other->key.alg == key->alg && span_is_equal(kid_of(other), kid)) {
            return kid.len > 0 ? "two keys of one algorithm have the same kid"
                               : "two keys of one algorithm have no kid: no token could say which";
        }
    }
    if (keys->count == JWT_KEYS_MAX) {
        return "the file has more than 256 keys";
    }
    if (!grow(keys)) {
        return "out of memory";
    }
    struct jwt_key *item = &keys->items[keys->count++];
    item->key = *key;
    item->kid_len = (uint16_t)kid.len;
    if (kid.len > 0) {
        memcpy(item->kid, kid.data, kid.len);
    }
    return NULL;
}

void jwt_keys_done(struct jwt_keys *keys)
{
    if (keys->items != NULL) {
        explicit_bzero(keys->items, keys->count * sizeof(keys->items[0]));
    }
    mem_free(keys->items);
    *keys = (struct jwt_keys){.items = NULL};
}

enum jwt_choice jwt_keys_choose(const struct jwt_keys *keys, enum sigkey_alg alg, bool has_kid,
                                struct span kid, const struct jwt_key **out)
{
    size_t fits = 0;
    *out = NULL;
    for (size_t i = 0; i < keys->count; i++) {
        const struct jwt_key *key = &keys->items[i];
        if (key->key.alg != alg) {
            continue;
        }
        if (has_kid && key->kid_len > 0 && span_is_equal(kid_of(key), kid)) {
            *out = key;
            return JWT_CHOSEN;
        }
        *out = key;
        fits++;
    }
    if (fits == 0) {
        return JWT_CHOICE_NO_ALG;
    }
    if (fits == 1 && (!has_kid || (*out)->kid_len == 0)) {
        return JWT_CHOSEN;
    }
    *out = NULL;
    return has_kid ? JWT_CHOICE_OTHER_KID : JWT_CHOICE_NO_KID;
}
