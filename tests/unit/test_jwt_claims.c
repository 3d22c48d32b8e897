/* SPDX-License-Identifier: GPL-3.0-or-later */
// What proven tokens claim.
#include "jwt_kit.h"
#include "suites.h"

#define EXP "\"exp\":1900000000"

static struct jwt_kit_token token;

/* *out is the caller's when the token holds. */
static enum jwt_refusal check(const char *claims, const struct jwt_rules *rules, uint64_t now_s,
                              struct jwt *out)
{
    struct span made =
        jwt_kit_make(&token, SPAN_LIT("{\"alg\":\"HS256\",\"kid\":\"k1\"}"), span_from_str(claims));
    return jwt_check(made, rules, now_s, jwt_kit_prove, out);
}

static void check_row(const char *claims, const struct jwt_rules *rules, uint64_t now_s,
                      enum jwt_refusal want)
{
    struct jwt jwt;
    size_t before = mem_live_blocks();
    enum jwt_refusal got = check(claims, rules, now_s, &jwt);
    CHECK_EQ_STR(claims, jwt_refusal_word(got), jwt_refusal_word(want));
    jwt_done(&jwt);
    CHECK_EQ_U64(claims, mem_live_blocks(), before);
}

static const struct {
    const char *claims;
    uint32_t leeway_s;
    enum jwt_refusal want;
} time_rows[] = {
    {"{\"exp\":1800000001}", 0, JWT_OK},
    {"{\"exp\":1800000000}", 0, JWT_EXPIRED},
    {"{\"exp\":1800000000}", 1, JWT_OK},
    {"{\"exp\":1799999970}", 30, JWT_EXPIRED},
    {"{\"exp\":1799999971}", 30, JWT_OK},
    {"{\"exp\":1800000000.9}", 0, JWT_EXPIRED},
    {"{\"exp\":1800000001.5}", 0, JWT_OK},
    {"{\"exp\":1.9e9}", 0, JWT_OK},
    {"{\"exp\":253402300799}", 0, JWT_OK},
    {"{\"exp\":253402300800}", 0, JWT_TIMES},
    {"{\"exp\":1900000000000}", 0, JWT_TIMES}, /* milliseconds */
    {"{\"exp\":9223372036854775807}", 0, JWT_TIMES},
    {"{\"exp\":9223372036854775808}", 0, JWT_CLAIMS},
    {"{\"exp\":1e300}", 0, JWT_TIMES},
    {"{\"exp\":1e999}", 0, JWT_CLAIMS},
    {"{\"exp\":NaN}", 0, JWT_CLAIMS},
    {"{\"exp\":Infinity}", 0, JWT_CLAIMS},
    {"{\"exp\":-1}", 0, JWT_TIMES},
    {"{\"exp\":-0.5}", 0, JWT_TIMES},
    {"{\"exp\":-9223372036854775808}", 0, JWT_TIMES},
    {"{\"exp\":0}", 0, JWT_EXPIRED},
    {"{\"exp\":-0.0}", 4294967295, JWT_OK}, /* leeways are the operator's business */
    {"{\"exp\":\"1900000000\"}", 0, JWT_TIMES},
    {"{\"exp\":null}", 0, JWT_TIMES},
    {"{\"exp\":true}", 0, JWT_TIMES},
    {"{\"exp\":[1900000000]}", 0, JWT_TIMES},
    {"{\"exp\":{}}", 0, JWT_TIMES},
    {"{}", 0, JWT_NO_EXPIRY},
    {"{\"EXP\":1900000000}", 0, JWT_NO_EXPIRY},
    {"{" EXP ",\"exp\":1}", 0, JWT_CLAIMS},
    {"{" EXP ",\"nbf\":1800000000,\"iat\":1800000000}", 0, JWT_OK},
    {"{" EXP ",\"nbf\":1800000001}", 0, JWT_NOT_YET},
    {"{" EXP ",\"nbf\":1800000000.1}", 0, JWT_NOT_YET},
    {"{" EXP ",\"nbf\":1800000030}", 30, JWT_OK},
    {"{" EXP ",\"nbf\":1800000031}", 30, JWT_NOT_YET},
    {"{" EXP ",\"nbf\":\"1\"}", 0, JWT_TIMES},
    {"{" EXP ",\"nbf\":-1}", 0, JWT_TIMES},
    {"{" EXP ",\"iat\":1800000001}", 0, JWT_FUTURE},
    {"{" EXP ",\"iat\":1800000031}", 30, JWT_FUTURE},
    {"{" EXP ",\"iat\":1800000030}", 30, JWT_OK},
    {"{" EXP ",\"iat\":\"now\"}", 0, JWT_TIMES},
    {"[]", 0, JWT_CLAIMS},
    {"1", 0, JWT_CLAIMS},
    {"", 0, JWT_CLAIMS},
    {"{" EXP "} ", 0, JWT_OK},
    {"{" EXP "}x", 0, JWT_CLAIMS},
    {"{" EXP ",\"a\":\"\xff\"}", 0, JWT_CLAIMS},
    {"{" EXP ",\"sub\":1}", 0, JWT_CLAIMS},
    {"{" EXP ",\"sub\":null}", 0, JWT_CLAIMS},
    {"{" EXP ",\"jti\":1}", 0, JWT_CLAIMS},
    {"{" EXP ",\"iss\":[\"a\"]}", 0, JWT_CLAIMS},
};

/* Now is 1800000000. */
static void test_times(void)
{
    struct jwt_keys keys;
    jwt_kit_secret(&keys);
    for (size_t i = 0; i < COUNT(time_rows); i++) {
        struct jwt_rules rules = {.keys = &keys, .leeway_s = time_rows[i].leeway_s};
        check_row(time_rows[i].claims, &rules, JWT_KIT_NOW, time_rows[i].want);
    }
    /* A clock that nobody has set, and one far ahead. */
    struct jwt_rules rules = {.keys = &keys, .is_exp_optional = true};
    check_row("{" EXP "}", &rules, 0, JWT_OK);
    check_row("{" EXP ",\"nbf\":1}", &rules, 0, JWT_NOT_YET);
    check_row("{" EXP "}", &rules, UINT64_MAX, JWT_EXPIRED);
    check_row("{\"exp\":253402300799}", &rules, UINT64_MAX, JWT_EXPIRED);
    check_row("{}", &rules, UINT64_MAX, JWT_OK);
    check_row("{\"exp\":\"\"}", &rules, 0, JWT_TIMES);
    jwt_keys_done(&keys);
}

static void test_issuer_and_audience(void)
{
    static const struct span both[] = {{"sluice", 6}, {"https://gw.example", 18}};
    static const struct {
        const char *claims;
        const char *issuer;
        size_t audience_count;
        enum jwt_refusal want;
    } rows[] = {
        {"{" EXP "}", "", 0, JWT_OK},
        {"{" EXP ",\"iss\":\"any\"}", "", 0, JWT_OK},
        {"{" EXP ",\"iss\":\"https://a.example\"}", "https://a.example", 0, JWT_OK},
        {"{" EXP ",\"iss\":\"https://a.example/\"}", "https://a.example", 0, JWT_ISSUER},
        {"{" EXP ",\"iss\":\"https://A.example\"}", "https://a.example", 0, JWT_ISSUER},
        {"{" EXP ",\"iss\":\"\"}", "https://a.example", 0, JWT_ISSUER},
        {"{" EXP "}", "https://a.example", 0, JWT_ISSUER},
        {"{" EXP ",\"aud\":\"sluice\"}", "", 1, JWT_OK},
        {"{" EXP ",\"aud\":[\"sluice\"]}", "", 1, JWT_OK},
        {"{" EXP ",\"aud\":[\"a\",\"sluice\",\"b\"]}", "", 1, JWT_OK},
        {"{" EXP ",\"aud\":[\"a\",\"https://gw.example\"]}", "", 2, JWT_OK},
        {"{" EXP ",\"aud\":[\"a\",\"https://gw.example\"]}", "", 1, JWT_AUDIENCE},
        {"{" EXP ",\"aud\":\"Sluice\"}", "", 1, JWT_AUDIENCE},
        {"{" EXP ",\"aud\":\"sluice2\"}", "", 1, JWT_AUDIENCE},
        {"{" EXP ",\"aud\":\"\"}", "", 1, JWT_AUDIENCE},
        {"{" EXP ",\"aud\":[]}", "", 1, JWT_AUDIENCE},
        {"{" EXP "}", "", 1, JWT_AUDIENCE},
        {"{" EXP ",\"aud\":\"sluice\"}", "", 0, JWT_AUDIENCE},
        {"{" EXP ",\"aud\":[]}", "", 0, JWT_AUDIENCE},
        {"{" EXP ",\"aud\":1}", "", 1, JWT_CLAIMS},
        {"{" EXP ",\"aud\":null}", "", 0, JWT_CLAIMS},
        {"{" EXP ",\"aud\":{\"sluice\":1}}", "", 1, JWT_CLAIMS},
        {"{" EXP ",\"aud\":[\"sluice\",1]}", "", 1, JWT_CLAIMS},
        {"{" EXP ",\"aud\":[[\"sluice\"]]}", "", 1, JWT_CLAIMS},
    };
    struct jwt_keys keys;
    jwt_kit_secret(&keys);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct jwt_rules rules = {.keys = &keys,
                                  .issuer = span_from_str(rows[i].issuer),
                                  .audiences = both,
                                  .audience_count = rows[i].audience_count};
        check_row(rows[i].claims, &rules, JWT_KIT_NOW, rows[i].want);
    }
    jwt_keys_done(&keys);
}

static const struct {
    const char *requirement;
    const char *claims; /* without exp */
    bool holds;
} required_rows[] = {
    {"role:operator", "\"role\":\"operator\"", true},
    {"role:operator", "\"role\":[\"guest\",\"operator\"]", true},
    {"role:operator", "\"role\":\"operators\"", false},
    {"role:operator", "\"role\":\"operator guest\"", false},
    {"role:operator", "\"role\":[\"guest\"]", false},
    {"role:operator", "\"role\":[[\"operator\"]]", false},
    {"role:operator", "\"role\":{\"operator\":true}", false},
    {"role:operator", "\"role\":null", false},
    {"role:operator", "\"Role\":\"operator\"", false},
    {"role:operator", "\"x\":1", false},
    {"scope:read", "\"scope\":\"openid read write\"", true},
    {"scp:read", "\"scp\":\"read\"", true},
    {"scope:rea", "\"scope\":\"openid read\"", false},
    {"scope:read", "\"scope\":[\"openid read\"]", false},
    {"email_verified:true", "\"email_verified\":true", true},
    {"email_verified:true", "\"email_verified\":\"true\"", true},
    {"email_verified:true", "\"email_verified\":false", false},
    {"email_verified:true", "\"email_verified\":1", false},
    {"level:3", "\"level\":3", true},
    {"level:3", "\"level\":[1,3]", true},
    {"level:3", "\"level\":3.0", false},
    {"level:-3", "\"level\":-3", true},
    {"level:03", "\"level\":3", false},
    {"cognito:groups:admins", "\"cognito:groups\":[\"admins\"]", true},
    {"https://a.example/roles:x", "\"https://a.example/roles\":[\"x\"]", true},
    {"groups=urn:x:y", "\"groups\":[\"urn:x:y\"]", true},
    {"groups=a=b", "\"groups\":\"a=b\"", true},
    {"realm_access.roles:x", "\"realm_access\":{\"roles\":[\"x\"]}", true},
    {"realm_access.roles:x", "\"realm_access.roles\":\"x\"", true},
    {"realm_access.roles:x", "\"realm_access\":\"x\"", false},
    {"realm_access.roles:x", "\"realm_access\":[{\"roles\":\"x\"}]", false},
    {"resource_access.my.app.roles:x", "\"resource_access\":{\"my.app.roles\":[\"x\"]}", true},
    {"a.b.c:x", "\"a\":{\"b\":{\"c\":\"x\"}}", true},
    {"a.b.c:x", "\"a\":{\"b\":{\"d\":\"x\"}}", false},
    {"a.b:x", "\"a\":{\"b\":{\"x\":1}}", false},
    {"a.:x", "\"a\":{\"\":\"x\"}", false},
    {".:x", "\"\":{\"\":\"x\"}", false},
};

static void test_required(void)
{
    struct jwt_keys keys;
    jwt_kit_secret(&keys);
    for (size_t i = 0; i < COUNT(required_rows); i++) {
        struct jwt_requirement required[2];
        char claims[256];
        snprintf(claims, sizeof(claims), "{" EXP ",\"one\":\"1\",%s}", required_rows[i].claims);
        CHECK_TRUE("one", jwt_requirement_parse(SPAN_LIT("one:1"), &required[0]));
        CHECK_TRUE(
            required_rows[i].requirement,
            jwt_requirement_parse(span_from_str(required_rows[i].requirement), &required[1]));
        struct jwt_rules rules = {.keys = &keys, .required = required, .required_count = 2};
        check_row(claims, &rules, JWT_KIT_NOW, required_rows[i].holds ? JWT_OK : JWT_REQUIRED);
    }
    static const char *const malformed[] = {"", "a", ":", "a:", ":a", "=", "a=", "=a", " : "};
    for (size_t i = 0; i < COUNT(malformed); i++) {
        struct jwt_requirement r;
        CHECK_FALSE(malformed[i], jwt_requirement_parse(span_from_str(malformed[i]), &r));
    }
    jwt_keys_done(&keys);
}

static void test_what_it_says(void)
{
    struct jwt_keys keys;
    struct jwt jwt;
    jwt_kit_secret(&keys);
    struct jwt_rules rules = {.keys = &keys, .leeway_s = 30, .is_exp_optional = true};
    CHECK_EQ_INT("all",
                 check("{" EXP ",\"sub\":\"a\\u00e9\",\"iss\":\"i\",\"jti\":\"\",\"x\":1}", &rules,
                       JWT_KIT_NOW, &jwt),
                 JWT_OK);
    CHECK_EQ_STR("sub", jwt.subject.data, "a\xc3\xa9");
    CHECK_EQ_STR("iss", jwt.issuer.data, "i");
    CHECK_EQ_STR("jti", jwt.id.data, "");
    CHECK_EQ_STR("kid", jwt.kid.data, "k1");
    CHECK_EQ_U64("ends", jwt.ends_s, 1900000030);
    CHECK_EQ_I64("x", json_value_integer(json_value_member(jwt.claims, SPAN_LIT("x"))), 1);
    jwt_done(&jwt);
    CHECK_EQ_INT("none", check("{}", &rules, JWT_KIT_NOW, &jwt), JWT_OK);
    CHECK_TRUE("none", jwt.subject.data == NULL && jwt.id.data == NULL && jwt.ends_s == 0);
    jwt_done(&jwt);
    jwt_done(&jwt);
    jwt_keys_done(&keys);
    /* The kid is that of the key, also when the token names none. */
    const struct sigkey key = {.alg = SIGKEY_HS256, .len = 32};
    CHECK_TRUE("key", jwt_keys_add(&keys, &key, SPAN_LIT("k2")) == NULL);
    struct span made = jwt_kit_make(&token, SPAN_LIT("{\"alg\":\"HS256\"}"), SPAN_LIT("{}"));
    CHECK_EQ_INT("no kid", jwt_check(made, &rules, JWT_KIT_NOW, jwt_kit_prove, &jwt), JWT_OK);
    CHECK_EQ_MEM("no kid", jwt.kid.data, jwt.kid.len, "k2", 2);
    jwt_done(&jwt);
    CHECK_EQ_INT("another", check("{}", &rules, JWT_KIT_NOW, &jwt), JWT_UNKNOWN_KID);
    jwt_keys_done(&keys);
}

CU_TestInfo jwt_claims_tests[] = {
    {"times", test_times},       {"issuer and audience", test_issuer_and_audience},
    {"required", test_required}, {"what a token says", test_what_it_says},
    CU_TEST_INFO_NULL,
};
