/* SPDX-License-Identifier: GPL-3.0-or-later */
// The form and the header of tokens; test_jwt_claims.c has what they claim, test_signature.c real
// ones.
#include "proto/jwt.h"

#include <stdlib.h>

#include "jwt_kit.h"
#include "suites.h"

#define GOOD_HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define GOOD_CLAIMS "{\"exp\":1900000000}"

/* Checks a copy that ends where the token ends, so that a read beyond it is seen. */
static enum jwt_refusal check(struct span token, const struct jwt_rules *rules)
{
    size_t before = mem_live_blocks();
    struct jwt jwt;
    char *copy = malloc(token.len + 1);
    memcpy(copy, token.data, token.len);
    enum jwt_refusal refusal =
        jwt_check((struct span){copy, token.len}, rules, JWT_KIT_NOW, jwt_kit_prove, &jwt);
    free(copy);
    CHECK_TRUE("empty when refused", refusal == JWT_OK || jwt.claims == NULL);
    jwt_done(&jwt);
    CHECK_EQ_U64("blocks", mem_live_blocks(), before);
    return refusal;
}

#define CHECK_REFUSAL(row, got, want) \
    CHECK_EQ_STR(row, jwt_refusal_word(got), jwt_refusal_word(want))

static const struct {
    const char *header;
    enum jwt_refusal want;
} header_rows[] = {
    {GOOD_HEADER, JWT_OK},
    {"{\"alg\":\"HS256\"}", JWT_OK},
    {" {\"alg\" : \"HS256\", \"x5t\":\"a\", \"cty\":\"x\", \"more\":{\"a\":[1]}} ", JWT_OK},
    /* a secret without kid serves any kid */
    {"{\"alg\":\"HS256\",\"kid\":\"../../dev/null\"}", JWT_OK},
    {"{\"alg\":\"HS256\",\"kid\":\"' OR 1=1 --\"}", JWT_OK},
    {"{\"alg\":\"HS256\",\"kid\":\"\"}", JWT_OK},
    {"{\"alg\":\"HS256\",\"kid\":1}", JWT_HEADER},
    {"{\"alg\":\"HS256\",\"kid\":null}", JWT_HEADER},
    {"{\"alg\":\"HS256\",\"kid\":[\"a\"]}", JWT_HEADER},
    {"{\"alg\":\"HS256\",\"kid\":\"a\\u0000b\"}", JWT_HEADER},
    {"{\"alg\":\"HS256\",\"typ\":1}", JWT_HEADER},
    {"{}", JWT_HEADER},
    {"[]", JWT_HEADER},
    {"\"HS256\"", JWT_HEADER},
    {"{\"alg\":\"HS256\"", JWT_HEADER},
    {"{\"alg\":\"HS256\"}{}", JWT_HEADER},
    {"{\"typ\":\"JWT\"}", JWT_HEADER},
    {"{\"alg\":null}", JWT_HEADER},
    {"{\"alg\":[\"HS256\"]}", JWT_HEADER},
    {"{\"alg\":256}", JWT_HEADER},
    {"{\"alg\":\"HS256\",\"alg\":\"none\"}", JWT_HEADER},
    {"{\"alg\":\"none\",\"alg\":\"HS256\"}", JWT_HEADER},
    {"{\"alg\":\"HS256\",\"\\u0061lg\":\"none\"}", JWT_HEADER},
    {"{\"alg\":\"HS256\",\"a\":{\"b\":{\"c\":{\"d\":1}}}}", JWT_OK},
    {"{\"alg\":\"HS256\",\"a\":{\"b\":{\"c\":[[]]}}}", JWT_HEADER},
    {"{\"alg\":\"none\"}", JWT_ALG_NONE},
    {"{\"alg\":\"None\"}", JWT_ALG_NONE},
    {"{\"alg\":\"NONE\"}", JWT_ALG_NONE},
    {"{\"alg\":\"nOnE\"}", JWT_ALG_NONE},
    {"{\"alg\":\"n\\u006fne\"}", JWT_ALG_NONE},
    {"{\"alg\":\"none \"}", JWT_ALG},
    {"{\"alg\":\"\"}", JWT_ALG},
    {"{\"alg\":\"hs256\"}", JWT_ALG},
    {"{\"alg\":\"HS256 \"}", JWT_ALG},
    {"{\"alg\":\"HS384\"}", JWT_ALG},
    {"{\"alg\":\"HS512\"}", JWT_ALG},
    {"{\"alg\":\"RS256\"}", JWT_ALG},
    {"{\"alg\":\"PS256\"}", JWT_ALG},
    {"{\"alg\":\"ES256\"}", JWT_ALG},
    {"{\"alg\":\"ES256K\"}", JWT_ALG},
    {"{\"alg\":\"EdDSA\"}", JWT_ALG},
    {"{\"alg\":\"Ed25519\"}", JWT_ALG},
    {"{\"alg\":\"dir\"}", JWT_ALG},
    {"{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", JWT_CRITICAL},
    {"{\"alg\":\"HS256\",\"crit\":[]}", JWT_CRITICAL},
    {"{\"alg\":\"HS256\",\"crit\":null}", JWT_CRITICAL},
    {"{\"alg\":\"HS256\",\"b64\":true}", JWT_CRITICAL},
    {"{\"alg\":\"HS256\",\"b64\":false,\"crit\":[\"b64\"]}", JWT_CRITICAL},
    {"{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"}}", JWT_EMBEDDED_KEY},
    {"{\"alg\":\"HS256\",\"jku\":\"https://evil.example/\"}", JWT_EMBEDDED_KEY},
    {"{\"alg\":\"HS256\",\"x5u\":\"https://evil.example/\"}", JWT_EMBEDDED_KEY},
    {"{\"alg\":\"HS256\",\"x5c\":[\"AA\"]}", JWT_EMBEDDED_KEY},
    {"{\"alg\":\"HS256\",\"enc\":\"A256GCM\"}", JWT_ENCRYPTED},
    {"{\"alg\":\"HS256\",\"zip\":\"DEF\"}", JWT_ENCRYPTED},
};

static void test_header(void)
{
    static struct jwt_kit_token token;
    struct jwt_keys keys;
    struct jwt_rules rules = {.keys = &keys};
    jwt_kit_secret(&keys);
    for (size_t i = 0; i < COUNT(header_rows); i++) {
        struct span made =
            jwt_kit_make(&token, span_from_str(header_rows[i].header), SPAN_LIT(GOOD_CLAIMS));
        CHECK_REFUSAL(header_rows[i].header, check(made, &rules), header_rows[i].want);
    }
    jwt_keys_done(&keys);
}

/* {"alg":"HS256"} . {"exp":1900000000} . JWT_KIT_SIGNATURE */
#define H "eyJhbGciOiJIUzI1NiJ9"
#define C "eyJleHAiOjE5MDAwMDAwMDB9"
#define S "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"

static void test_form(void)
{
    static const struct {
        struct span token;
        enum jwt_refusal want;
    } rows[] = {
        {SPAN_LIT(H "." C "." S), JWT_OK},
        {SPAN_LIT(""), JWT_FORM},
        {SPAN_LIT(H "." C), JWT_FORM},
        {SPAN_LIT(H "." C "." S "."), JWT_FORM},
        {SPAN_LIT("..."), JWT_FORM},
        {SPAN_LIT("...."), JWT_ENCRYPTED},
        {SPAN_LIT(H ".." S "." C "." S), JWT_ENCRYPTED},
        {SPAN_LIT("....."), JWT_FORM},
        {SPAN_LIT(".."), JWT_HEADER},
        {SPAN_LIT("." C "." S), JWT_HEADER},
        {SPAN_LIT(H "." C "."), JWT_SIGNATURE_LENGTH},
        {SPAN_LIT(H ".." S), JWT_CLAIMS},
        {SPAN_LIT("{\"payload\":\"" C "\"}"), JWT_FORM},
        {SPAN_LIT("Bearer " H "." C "." S), JWT_BASE64},
        {SPAN_LIT(H "." C "." S "\n"), JWT_SIGNATURE_LENGTH},
        {SPAN_LIT(" " H "." C "." S), JWT_BASE64},
        {SPAN_LIT(H "=." C "." S), JWT_BASE64},
        {SPAN_LIT(H "." C "==." S), JWT_BASE64},
        {SPAN_LIT(H "." C "." S "="), JWT_SIGNATURE_LENGTH},
        {SPAN_LIT("eyJhbGciOiJIUzI1NiJ9IA." C "." S), JWT_OK},     /* a blank behind the JSON */
        {SPAN_LIT("eyJhbGciOiJIUzI1NiJ9IB." C "." S), JWT_BASE64}, /* spare bits */
        {SPAN_LIT("eyJhbGciOiJIUzI1NiJ9I." C "." S), JWT_BASE64},
        {SPAN_LIT(H "." C ".MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWZ"), JWT_BASE64},
        {SPAN_LIT(H "." C ".MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZQ"), JWT_SIGNATURE_LENGTH},
        {SPAN_LIT(H "." C ".MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWZn"), JWT_SIGNATURE_LENGTH},
        {SPAN_LIT(H "." C ".MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWA"), JWT_SIGNATURE},
        {SPAN_LIT(H "\0." C "." S), JWT_BASE64},
        {SPAN_LIT("\xff." C "." S), JWT_BASE64},
    };
    struct jwt_keys keys;
    struct jwt_rules rules = {.keys = &keys};
    jwt_kit_secret(&keys);
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_REFUSAL(rows[i].token.data, check(rows[i].token, &rules), rows[i].want);
    }
    /* Cut anywhere, and with every byte at every place, no other token holds. */
    const struct span good = rows[0].token;
    for (size_t len = 0; len < good.len; len++) {
        CHECK_TRUE("cut", check((struct span){good.data, len}, &rules) != JWT_OK);
        CHECK_TRUE("cut",
                   check((struct span){good.data + len + 1, good.len - len - 1}, &rules) != JWT_OK);
    }
    for (size_t i = 0; i < good.len * 256; i++) {
        char text[256];
        memcpy(text, good.data, good.len);
        text[i / 256] = (char)(i % 256);
        if (strchr("-_", (int)(i % 256)) != NULL || i % 256 > 'z' || i % 256 < '0') {
            bool is_same = text[i / 256] == good.data[i / 256];
            CHECK_TRUE("byte", (check((struct span){text, good.len}, &rules) == JWT_OK) == is_same);
        }
    }
    jwt_keys_done(&keys);
}

/* A header, and claims, of every size up to the limits and beyond. */
static void test_sizes(void)
{
    static struct jwt_kit_token token;
    static char json[2 * JWT_BYTES_MAX];
    struct jwt_keys keys;
    struct jwt_rules rules = {.keys = &keys};
    jwt_kit_secret(&keys);
    for (size_t len = JWT_HEADER_BYTES_MAX - 2; len <= JWT_HEADER_BYTES_MAX + 2; len++) {
        memset(json, ' ', len);
        memcpy(json, GOOD_HEADER, strlen(GOOD_HEADER));
        struct span made = jwt_kit_make(&token, (struct span){json, len}, SPAN_LIT(GOOD_CLAIMS));
        CHECK_REFUSAL("header", check(made, &rules),
                      len <= JWT_HEADER_BYTES_MAX ? JWT_OK : JWT_HEADER);
    }
    for (size_t len = 6000; len <= 6200; len++) {
        memset(json, ' ', len);
        memcpy(json, GOOD_CLAIMS, strlen(GOOD_CLAIMS));
        struct span made = jwt_kit_make(&token, SPAN_LIT(GOOD_HEADER), (struct span){json, len});
        CHECK_REFUSAL("claims", check(made, &rules),
                      made.len <= JWT_BYTES_MAX ? JWT_OK : JWT_TOO_LONG);
    }
    /* The signature of 21,830 characters that overflowed another proxy; here with ones that fit. */
    memset(token.text, 'A', sizeof(token.text));
    memcpy(token.text, H "." C ".", sizeof(H "." C ".") - 1);
    CHECK_REFUSAL("21,830", check((struct span){token.text, 21830 + sizeof(H "." C ".")}, &rules),
                  JWT_TOO_LONG);
    CHECK_REFUSAL("8,192", check((struct span){token.text, 8192}, &rules), JWT_SIGNATURE_LENGTH);
    /* Lists inside each other. */
    for (size_t depth = 14; depth < 3000; depth += depth < 18 ? 1 : 977) {
        size_t len = 0;
        memcpy(json, "{\"exp\":1900000000,\"a\":", 22);
        len = 22;
        memset(json + len, '[', depth);
        memset(json + len + depth, ']', depth);
        len += 2 * depth;
        json[len++] = '}';
        struct span made = jwt_kit_make(&token, SPAN_LIT(GOOD_HEADER), (struct span){json, len});
        CHECK_REFUSAL("depth", check(made, &rules),
                      depth + 1 <= JWT_CLAIMS_DEPTH_MAX ? JWT_OK : JWT_CLAIMS);
    }
    jwt_keys_done(&keys);
}

static void test_type(void)
{
    static const struct {
        const char *wanted;
        const char *header;
        enum jwt_refusal want;
    } rows[] = {
        {"", "{\"alg\":\"HS256\"}", JWT_OK},
        {"", "{\"alg\":\"HS256\",\"typ\":\"x\"}", JWT_OK},
        {"at+jwt", "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", JWT_OK},
        {"at+jwt", "{\"alg\":\"HS256\",\"typ\":\"AT+JWT\"}", JWT_OK},
        {"at+jwt", "{\"alg\":\"HS256\",\"typ\":\"application/at+jwt\"}", JWT_OK},
        {"application/at+jwt", "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", JWT_OK},
        {"at+jwt", "{\"alg\":\"HS256\",\"typ\":\"JWT\"}", JWT_TYPE},
        {"at+jwt", "{\"alg\":\"HS256\",\"typ\":\"application/\"}", JWT_TYPE},
        {"at+jwt", "{\"alg\":\"HS256\"}", JWT_TYPE},
    };
    static struct jwt_kit_token token;
    struct jwt_keys keys;
    jwt_kit_secret(&keys);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct jwt_rules rules = {.keys = &keys, .type = span_from_str(rows[i].wanted)};
        struct span made =
            jwt_kit_make(&token, span_from_str(rows[i].header), SPAN_LIT(GOOD_CLAIMS));
        CHECK_REFUSAL(rows[i].header, check(made, &rules), rows[i].want);
    }
    jwt_keys_done(&keys);
}

/* Every refusal has a word of its own and a detail. */
static void test_words(void)
{
    for (int i = 0; i < JWT_REFUSALS; i++) {
        const char *word = jwt_refusal_word((enum jwt_refusal)i);
        CHECK_TRUE(word, strlen(jwt_refusal_detail((enum jwt_refusal)i)) > 10);
        for (int k = 0; k < i; k++) {
            CHECK_TRUE(word, strcmp(word, jwt_refusal_word((enum jwt_refusal)k)) != 0);
        }
    }
}

static enum sigkey_result prove_nothing(const struct sigkey *key, struct span message,
                                        struct span signature)
{
    (void)key;
    (void)message;
    return (enum sigkey_result)(signature.data[0] - '0');
}

/* What the proving function says becomes a refusal. */
static void test_prove(void)
{
    static const enum jwt_refusal wanted[] = {
        [SIGKEY_PROVEN] = JWT_OK,
        [SIGKEY_WRONG] = JWT_SIGNATURE,
        [SIGKEY_WRONG_LEN] = JWT_SIGNATURE_LENGTH,
        [SIGKEY_NO_MEMORY] = JWT_NO_MEMORY,
    };
    static struct jwt_kit_token token;
    struct jwt_keys keys;
    struct jwt_rules rules = {.keys = &keys};
    jwt_kit_secret(&keys);
    for (size_t i = 0; i < COUNT(wanted); i++) {
        char signature[] = JWT_KIT_SIGNATURE;
        struct jwt jwt;
        signature[0] = (char)('0' + i);
        token.len = 0;
        jwt_kit_add(&token, SPAN_LIT(GOOD_HEADER));
        jwt_kit_add(&token, SPAN_LIT(GOOD_CLAIMS));
        jwt_kit_add(&token, span_from_str(signature));
        CHECK_REFUSAL("proof",
                      jwt_check((struct span){token.text, token.len}, &rules, JWT_KIT_NOW,
                                prove_nothing, &jwt),
                      wanted[i]);
        jwt_done(&jwt);
    }
    jwt_keys_done(&keys);
}

CU_TestInfo jwt_tests[] = {
    {"header", test_header}, {"form", test_form},   {"sizes", test_sizes}, {"typ", test_type},
    {"words", test_words},   {"proof", test_prove}, CU_TEST_INFO_NULL,
};
