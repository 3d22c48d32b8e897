/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the claims say: who, for whom, from when until when, and what the operator requires. */
#include <stdio.h>

#include "proto/jwt_parts.h"

static const struct json_value *claim(const struct json_value *claims, const char *name)
{
    return json_value_member(claims, span_from_str(name));
}

/* --- time ----------------------------------------------- */

enum rounding { ROUND_DOWN = 0, ROUND_UP };

/* Reads a NumericDate (RFC 7519 2), which may have a fraction: that is rounded against the token.
 * False: it is there and no time. *out is -1 when it is not there. */
static bool read_time(const struct json_value *value, enum rounding rounding, int64_t *out)
{
    enum json_kind kind = json_value_kind(value);
    double seconds = json_value_number(value);
    *out = -1;
    if (kind == JSON_KIND_NONE) {
        return true;
    }
    if ((kind != JSON_KIND_INTEGER && kind != JSON_KIND_REAL) || !(seconds >= 0) ||
        seconds > (double)JWT_SECONDS_MAX) {
        return false;
    }
    *out = (int64_t)seconds;
    if (rounding == ROUND_UP && (double)*out < seconds) {
        (*out)++;
    }
    return true;
}

static enum jwt_refusal check_times(const struct json_value *claims, const struct jwt_rules *rules,
                                    uint64_t now_s, struct jwt *jwt)
{
    const int64_t leeway_s = (int64_t)rules->leeway_s;
    const int64_t now = now_s < (uint64_t)JWT_SECONDS_MAX ? (int64_t)now_s : JWT_SECONDS_MAX;
    int64_t expires_s;
    int64_t begins_s;
    int64_t issued_s;
    if (!read_time(claim(claims, "exp"), ROUND_DOWN, &expires_s) ||
        !read_time(claim(claims, "nbf"), ROUND_UP, &begins_s) ||
        !read_time(claim(claims, "iat"), ROUND_UP, &issued_s)) {
        return JWT_TIMES;
    }
    if (expires_s < 0 && !rules->is_exp_optional) {
        return JWT_NO_EXPIRY;
    }
    if (expires_s >= 0 && now >= expires_s + leeway_s) {
        return JWT_EXPIRED;
    }
    if (begins_s > now + leeway_s) {
        return JWT_NOT_YET;
    }
    if (issued_s > now + leeway_s) {
        return JWT_FUTURE;
    }
    jwt->ends_s = expires_s >= 0 ? (uint64_t)(expires_s + leeway_s) : 0;
    return JWT_OK;
}

/* --- who and for whom ----------------------------------------------- */

/* False: it is there and no text. */
static bool read_text(const struct json_value *value, struct span *out)
{
    *out = json_value_text(value);
    return value == NULL || out->data != NULL;
}

static bool is_ours(const struct json_value *audience, const struct jwt_rules *rules)
{
    struct span name = json_value_text(audience);
    for (size_t i = 0; i < rules->audience_count; i++) {
        if (name.data != NULL && span_is_equal(name, rules->audiences[i])) {
            return true;
        }
    }
    return false;
}

/* A text, or a list of texts (RFC 7519 4.1.3). */
static enum jwt_refusal check_audience(const struct json_value *audience,
                                       const struct jwt_rules *rules)
{
    enum json_kind kind = json_value_kind(audience);
    bool has_ours = is_ours(audience, rules);
    if (kind == JSON_KIND_NONE) {
        return rules->audience_count == 0 ? JWT_OK : JWT_AUDIENCE;
    }
    if (kind != JSON_KIND_TEXT && kind != JSON_KIND_LIST) {
        return JWT_CLAIMS;
    }
    for (size_t i = 0; kind == JSON_KIND_LIST && i < json_value_count(audience); i++) {
        const struct json_value *item = json_value_item(audience, i);
        if (json_value_kind(item) != JSON_KIND_TEXT) {
            return JWT_CLAIMS;
        }
        has_ours = has_ours || is_ours(item, rules);
    }
    return has_ours ? JWT_OK : JWT_AUDIENCE;
}

/* --- what the operator requires ----------------------------------------------- */

bool jwt_requirement_parse(struct span text, struct jwt_requirement *out)
{
    size_t at = span_find(text, '=');
    if (at == text.len) {
        while (at > 0 && text.data[at - 1] != ':') {
            at--;
        }
        if (at == 0) {
            return false;
        }
        at--;
    }
    out->claim = span_trim((struct span){text.data, at});
    out->value = span_trim((struct span){text.data + at + 1, text.len - at - 1});
    return out->claim.len > 0 && out->value.len > 0;
}

/* The claim of that name; or, at each dot in turn, a member of the object that stands in front. */
static const struct json_value *find_claim(const struct json_value *object, struct span name)
{
    const struct json_value *found = json_value_member(object, name);
    while (found == NULL && json_value_kind(object) == JSON_KIND_OBJECT) {
        size_t dot = span_find(name, '.');
        if (dot == name.len) {
            return NULL;
        }
        object = json_value_member(object, (struct span){name.data, dot});
        name = (struct span){name.data + dot + 1, name.len - dot - 1};
        found = json_value_member(object, name);
    }
    return found;
}

static bool is_value(const struct json_value *value, struct span wanted)
{
    char digits[24];
    switch (json_value_kind(value)) {
    case JSON_KIND_TEXT:
        return span_is_equal(json_value_text(value), wanted);
    case JSON_KIND_INTEGER:
        snprintf(digits, sizeof(digits), "%lld", (long long)json_value_integer(value));
        return span_is_equal(span_from_str(digits), wanted);
    case JSON_KIND_BOOLEAN:
        return span_is_equal(json_value_is_true(value) ? SPAN_LIT("true") : SPAN_LIT("false"),
                             wanted);
    case JSON_KIND_NONE:
    case JSON_KIND_OBJECT:
    case JSON_KIND_LIST:
    case JSON_KIND_REAL:
    case JSON_KIND_NULL:
        break;
    }
    return false;
}

static bool has_word(struct span words, struct span wanted)
{
    struct span word;
    while (span_next(&words, ' ', &word)) {
        if (word.len > 0 && span_is_equal(word, wanted)) {
            return true;
        }
    }
    return false;
}

static bool holds(const struct json_value *claims, const struct jwt_requirement *requirement)
{
    const struct json_value *value = find_claim(claims, requirement->claim);
    bool is_scope = span_is_equal(requirement->claim, SPAN_LIT("scope")) ||
                    span_is_equal(requirement->claim, SPAN_LIT("scp"));
    for (size_t i = 0; json_value_kind(value) == JSON_KIND_LIST && i < json_value_count(value);
         i++) {
        if (is_value(json_value_item(value, i), requirement->value)) {
            return true;
        }
    }
    return is_value(value, requirement->value) ||
           (is_scope && has_word(json_value_text(value), requirement->value));
}

enum jwt_refusal jwt_check_claims(const struct json_value *claims, const struct jwt_rules *rules,
                                  uint64_t now_s, struct jwt *jwt)
{
    jwt->claims = claims;
    if (!read_text(claim(claims, "sub"), &jwt->subject) ||
        !read_text(claim(claims, "iss"), &jwt->issuer) ||
        !read_text(claim(claims, "jti"), &jwt->id)) {
        return JWT_CLAIMS;
    }
    enum jwt_refusal refusal = check_times(claims, rules, now_s, jwt);
    if (refusal != JWT_OK) {
        return refusal;
    }
    if (rules->issuer.len > 0 && !span_is_equal(jwt->issuer, rules->issuer)) {
        return JWT_ISSUER;
    }
    refusal = check_audience(claim(claims, "aud"), rules);
    for (size_t i = 0; refusal == JWT_OK && i < rules->required_count; i++) {
        refusal = holds(claims, &rules->required[i]) ? JWT_OK : JWT_REQUIRED;
    }
    return refusal;
}
