/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What one line of a file says. */
#include <string.h>

#include "base/utf8.h"
#include "proto/accounts_parts.h"

#define SECONDS_MIN UINT64_C(1000000000)   /* 2001; what is less is a date without dashes */
#define SECONDS_MAX UINT64_C(253402300799) /* the end of 9999 */
#define DAY_S 86400
#define BCRYPT_COST_MAX 14 /* more than a second */
#define SHA_ROUNDS_MAX 1000000

/* SHA-256 of no byte, and of a line end alone: somebody has hashed a variable that was unset. */
static const uint8_t digests_of_nothing[2][ACCOUNTS_DIGEST_LEN] = {
    {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4,
     0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b,
     0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55},
    {0x01, 0xba, 0x47, 0x19, 0xc8, 0x0b, 0x6f, 0xe9, 0x11, 0xb0, 0x91,
     0xa7, 0xc0, 0x51, 0x24, 0xb6, 0x4e, 0xee, 0xce, 0x96, 0x4e, 0x09,
     0xc0, 0x58, 0xef, 0x8f, 0x98, 0x05, 0xda, 0xca, 0x54, 0x6b}};

/* Takes the text in front of the next colon off *rest; all of it when there is none. */
static struct span take_field(struct span *rest)
{
    size_t len = span_find(*rest, ':');
    struct span field = {rest->data, len};
    size_t skip = size_min(len + 1, rest->len);
    *rest = (struct span){rest->data + skip, rest->len - skip};
    return field;
}

/* --- dates ---------------------------------------------------------------------------------- */

/* `count` digits at the front of *rest. */
static bool take_digits(struct span *rest, size_t count, uint64_t *out)
{
    if (rest->len < count || !span_parse_u64((struct span){rest->data, count}, out)) {
        return false;
    }
    *rest = (struct span){rest->data + count, rest->len - count};
    return true;
}

static bool take_char(struct span *rest, char c)
{
    if (rest->len == 0 || rest->data[0] != c) {
        return false;
    }
    *rest = (struct span){rest->data + 1, rest->len - 1};
    return true;
}

/* Days from 1970-01-01 in the Gregorian calendar. */
static uint64_t days_of(uint64_t year, uint64_t month, uint64_t day)
{
    static const unsigned before[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    uint64_t past = year - 1;
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    uint64_t days = past * 365 + past / 4 - past / 100 + past / 400 + before[month - 1] + day - 1;
    return days + (is_leap && month > 2 ? 1 : 0) - 719162;
}

static bool is_day(uint64_t year, uint64_t month, uint64_t day)
{
    if (year < 1970 || month < 1 || month > 12 || day < 1) {
        return false;
    }
    uint64_t next = month == 12 ? days_of(year + 1, 1, 1) : days_of(year, month + 1, 1);
    return day <= next - days_of(year, month, 1);
}

/* RFC 3339 5.6, in UTC; a day alone counts to its end. */
static bool parse_date(struct span text, uint64_t *out_s)
{
    uint64_t year = 0;
    uint64_t month = 0;
    uint64_t day = 0;
    uint64_t hour = 0;
    uint64_t minute = 0;
    uint64_t second = 0;
    if (!take_digits(&text, 4, &year) || !take_char(&text, '-') || !take_digits(&text, 2, &month) ||
        !take_char(&text, '-') || !take_digits(&text, 2, &day) || !is_day(year, month, day)) {
        return false;
    }
    *out_s = days_of(year, month, day) * DAY_S;
    if (text.len == 0) {
        *out_s += DAY_S;
        return true;
    }
    if (!take_char(&text, 'T') || !take_digits(&text, 2, &hour) || !take_char(&text, ':') ||
        !take_digits(&text, 2, &minute) || !take_char(&text, ':') ||
        !take_digits(&text, 2, &second) || !take_char(&text, 'Z')) {
        return false;
    }
    *out_s += hour * 3600 + minute * 60 + second;
    return text.len == 0 && hour < 24 && minute < 60 && second < 60;
}

static bool parse_expiry(struct span text, uint64_t *out_s)
{
    if (span_parse_u64(text, out_s)) {
        return *out_s >= SECONDS_MIN && *out_s <= SECONDS_MAX;
    }
    return parse_date(text, out_s);
}

/* --- digests -------------------------------------------------------------------------------- */

static int hex_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_digest(struct span text, uint8_t out[ACCOUNTS_DIGEST_LEN])
{
    if (text.len != (size_t)2 * ACCOUNTS_DIGEST_LEN) {
        return false;
    }
    for (size_t i = 0; i < ACCOUNTS_DIGEST_LEN; i++) {
        int high = hex_of(text.data[2 * i]);
        int low = hex_of(text.data[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

static bool is_of_nothing(const uint8_t digest[ACCOUNTS_DIGEST_LEN])
{
    return memcmp(digest, digests_of_nothing[0], ACCOUNTS_DIGEST_LEN) == 0 ||
           memcmp(digest, digests_of_nothing[1], ACCOUNTS_DIGEST_LEN) == 0;
}

static const char *read_token(struct span rest, struct accounts_entry *out)
{
    bool has_expiry = span_find(rest, ':') < rest.len;
    struct span digest = span_trim(take_field(&rest));
    if (!parse_digest(digest, out->digest)) {
        return "no SHA-256 of 64 hexadecimal digits behind the name: printf %s TOKEN | sha256sum";
    }
    if (is_of_nothing(out->digest)) {
        return "the digest is that of an empty token";
    }
    if (has_expiry && !parse_expiry(span_trim(rest), &out->ends_s)) {
        return "no expiry behind the digest: a day (2027-01-31), a time (2027-01-31T12:00:00Z), or "
               "seconds since 1970";
    }
    return NULL;
}

/* --- password hashes ------------------------------------------------------------------------ */

/* The letters of crypt(3). */
static bool is_crypt_text(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        char lower = (char)(s.data[i] | 0x20);
        if (!(lower >= 'a' && lower <= 'z') && !(s.data[i] >= '.' && s.data[i] <= '9')) {
            return false;
        }
    }
    return true;
}

static bool take_text(struct span *rest, const char *text)
{
    struct span prefix = span_from_str(text);
    if (!span_starts_with(*rest, prefix)) {
        return false;
    }
    *rest = (struct span){rest->data + prefix.len, rest->len - prefix.len};
    return true;
}

/* Behind "$2b$": 05$ and 53 letters: 22 of salt, 31 of hash. */
static const char *check_bcrypt(struct span rest)
{
    uint64_t cost = 0;
    if (!take_digits(&rest, 2, &cost) || !take_char(&rest, '$') || rest.len != 53 ||
        !is_crypt_text(rest) || cost < 4) {
        return "the bcrypt hash is malformed or cut";
    }
    return cost > BCRYPT_COST_MAX ? "the bcrypt hash costs too much time: at most cost 14" : NULL;
}

/* Behind "$5$" or "$6$": rounds=5000$ if at all, the salt, "$", the hash. */
static const char *check_sha(struct span rest, size_t hash_len)
{
    const char *malformed = "the SHA-crypt hash is malformed or cut";
    uint64_t rounds = 5000;
    if (take_text(&rest, "rounds=")) {
        size_t len = span_find(rest, '$');
        if (!take_digits(&rest, len, &rounds) || !take_char(&rest, '$')) {
            return malformed;
        }
    }
    size_t salt_len = span_find(rest, '$');
    if (salt_len > 16 || !is_crypt_text((struct span){rest.data, salt_len}) ||
        rest.len != salt_len + 1 + hash_len ||
        !is_crypt_text((struct span){rest.data + salt_len + 1, hash_len})) {
        return malformed;
    }
    if (rounds < 1000) {
        return "the SHA-crypt hash has less than 1000 rounds";
    }
    return rounds > SHA_ROUNDS_MAX
               ? "the SHA-crypt hash costs too much time: at most 1000000 rounds"
               : NULL;
}

static const char *check_hash(struct span hash)
{
    struct span rest = hash;
    if (take_text(&rest, "$2y$") || take_text(&rest, "$2b$") || take_text(&rest, "$2a$")) {
        return check_bcrypt(rest);
    }
    if (take_text(&rest, "$5$")) {
        return check_sha(rest, 43);
    }
    if (take_text(&rest, "$6$")) {
        return check_sha(rest, 86);
    }
    if (take_text(&rest, "$apr1$") || take_text(&rest, "$1$")) {
        return "the hash is MD5, which is too weak: htpasswd -B makes bcrypt";
    }
    if (take_text(&rest, "{SHA}") || take_text(&rest, "{SSHA}")) {
        return "the hash is SHA-1, which is too weak: htpasswd -B makes bcrypt";
    }
    if (take_text(&rest, "$y$")) {
        return "the hash is yescrypt: htpasswd -B makes bcrypt";
    }
    return "what stands behind the user is neither bcrypt nor SHA-crypt: htpasswd -B makes bcrypt";
}

const char *accounts_read_line(enum accounts_kind kind, struct span line,
                               struct accounts_entry *out)
{
    bool has_colon = span_find(line, ':') < line.len;
    struct span rest = line;
    out->name = span_trim(take_field(&rest));
    if (!has_colon) {
        return kind == ACCOUNTS_TOKENS ? "no name:digest" : "no user:hash";
    }
    if (out->name.len == 0 || out->name.len > ACCOUNTS_NAME_MAX) {
        return "the name is empty, or has more than 128 bytes";
    }
    if (!utf8_is_valid(out->name)) {
        return "the name is not UTF-8";
    }
    for (size_t i = 0; i < out->name.len; i++) {
        if ((unsigned char)out->name.data[i] < 0x20 || out->name.data[i] == 0x7f) {
            return "the name has a control character";
        }
    }
    if (kind == ACCOUNTS_TOKENS) {
        return read_token(rest, out);
    }
    out->hash = span_trim(take_field(&rest));
    return check_hash(out->hash);
}
