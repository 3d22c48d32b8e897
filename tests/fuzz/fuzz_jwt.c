/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checks tokens and key files. A token that holds passes a second, slow look at its form and at its
 * times; a key that is taken has an algorithm that is allowed and sizes that fit.
 *
 * Input: 1 byte for the kind: 0 = a token; 1 = a header and claims, with a line end between them,
 * which become a token; 2 = a JWKS. 1 byte for the rules. The text. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "proto/base64.h"
#include "proto/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW 1800000000

static void expect(bool condition)
{
    if (!condition) {
        abort();
    }
}

static enum sigkey_result prove(const struct sigkey *key, struct span message,
                                struct span signature)
{
    expect(key->alg == SIGKEY_HS256 && signature.len == 32 && message.len >= 1);
    return signature.data[0] == 's' ? SIGKEY_PROVEN : SIGKEY_WRONG;
}

static void expect_form(struct span token)
{
    size_t dots = 0;
    expect(token.len <= JWT_BYTES_MAX);
    for (size_t i = 0; i < token.len; i++) {
        char c = token.data[i];
        dots += c == '.' ? 1 : 0;
        expect(c == '.' || c == '-' || c == '_' || (c >= '0' && c <= '9') ||
               (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
    }
    expect(dots == 2);
}

static void check_token(struct span token, uint8_t kind)
{
    static const struct span audiences[] = {{"a", 1}};
    static const struct jwt_requirement required[] = {{{"r.s", 3}, {"1", 1}}};
    struct jwt_keys keys = {.count = 0};
    const struct sigkey key = {.alg = SIGKEY_HS256, .len = 32};
    expect(jwt_keys_add(&keys, &key, (kind & 1) != 0 ? SPAN_LIT("k") : SPAN_LIT("")) == NULL);
    struct jwt_rules rules = {.keys = &keys,
                              .issuer = (kind & 2) != 0 ? SPAN_LIT("i") : SPAN_LIT(""),
                              .audiences = audiences,
                              .audience_count = (kind & 4) != 0 ? 1 : 0,
                              .required = required,
                              .required_count = (kind & 8) != 0 ? 1 : 0,
                              .type = (kind & 16) != 0 ? SPAN_LIT("at+jwt") : SPAN_LIT(""),
                              .leeway_s = (kind & 32) != 0 ? 60 : 0,
                              .is_exp_optional = (kind & 64) != 0};
    struct jwt jwt;
    struct jwt again;
    enum jwt_refusal refusal = jwt_check(token, &rules, NOW, prove, &jwt);
    expect(refusal < JWT_REFUSALS && jwt_check(token, &rules, NOW, prove, &again) == refusal);
    expect((jwt.claims != NULL) == (refusal == JWT_OK));
    if (refusal == JWT_OK) {
        expect_form(token);
        expect(jwt.ends_s > NOW || (jwt.ends_s == 0 && rules.is_exp_optional));
        expect(rules.issuer.len == 0 || span_is_equal(jwt.issuer, rules.issuer));
    }
    jwt_done(&jwt);
    jwt_done(&again);
    jwt_keys_done(&keys);
}

static size_t add_part(char *out, struct span part)
{
    size_t len = base64_encode((const uint8_t *)part.data, part.len, out);
    while (len > 0 && out[len - 1] == '=') {
        len--;
    }
    for (size_t i = 0; i < len; i++) {
        out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
    }
    return len;
}

static void check_json(struct span text, uint8_t kind)
{
    static char token[2 * JWT_BYTES_MAX];
    size_t cut = span_find(text, '\n');
    size_t skip = size_min(cut + 1, text.len);
    if (text.len > 8192) {
        return;
    }
    size_t len = add_part(token, (struct span){text.data, cut});
    token[len++] = '.';
    len += add_part(token + len, (struct span){text.data + skip, text.len - skip});
    token[len++] = '.';
    len += add_part(token + len, SPAN_LIT("signature signature signature si"));
    check_token((struct span){token, len}, kind);
}

static void check_keys(struct span text, uint8_t kind)
{
    const unsigned allowed =
        kind % 2 == 0 ? JWT_PUBLIC_ALGS & ~SIGKEY_SET(SIGKEY_PS256) : JWT_SECRET_ALGS;
    struct jwt_keys keys = {.count = 0};
    struct jwt_keys_fault fault;
    bool is_good = jwt_keys_read(&keys, text, allowed, sigkey_check, &fault);
    expect(is_good == (fault.detail == NULL) && is_good == (keys.count > 0));
    for (size_t i = 0; i < keys.count; i++) {
        const struct jwt_key *key = &keys.items[i];
        const struct jwt_key *chosen = NULL;
        struct span kid = {key->kid, key->kid_len};
        expect((SIGKEY_SET(key->key.alg) & allowed) != 0 && sigkey_check(&key->key) == NULL);
        expect(kid.len == 0 ||
               (jwt_keys_choose(&keys, key->key.alg, true, kid, &chosen) == JWT_CHOSEN &&
                chosen == key));
    }
    jwt_keys_done(&keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_doc_start(1);
    size_t before = mem_live_blocks();
    if (size < 2) {
        return 0;
    }
    struct span text = {(const char *)data + 2, size - 2};
    if (data[0] % 3 == 0) {
        check_token(text, data[1]);
    } else if (data[0] % 3 == 1) {
        check_json(text, data[1]);
    } else {
        check_keys(text, data[1]);
    }
    expect(mem_live_blocks() == before);
    return 0;
}
