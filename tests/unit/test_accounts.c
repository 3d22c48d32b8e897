/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/accounts.h"

#include <stdlib.h>

#include "base/mem.h"
#include "check.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* SHA-256 of "one", and a digest of ours. */
#define ONE "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
#define TWO "000102030405060708090A0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define BCRYPT "$2b$04$lvqNj5GmmXKYsHROXri0HOfkchyPS/2nLvZsTi5N1gjXK8XZhwiS6"
#define SHA512 \
    "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq." \
    "H91p5hVO1"
#define SHA256 "$5$ab$uBQPK5nh89waaCXDSRwBxzVzl.pS5fPkZnKN7HXbvj6"
#define N43 "HFmtJuEkPK1i4ZY2MbhPfMbaNdDYBWSOno/PdkygKz8"
#define SHA_ROUNDS "$5$rounds=1000000$$" N43
#define X128 \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* What a reading has told. */
struct told {
    size_t count;
    unsigned line; /* of the last one */
    const char *detail;
};

static void take_fault(void *owner, unsigned line, const char *detail)
{
    struct told *told = owner;
    told->count++;
    told->line = line;
    told->detail = detail;
}

/* Reads a copy that ends where the text ends and is gone afterwards. */
static bool read_copy(struct accounts *accounts, enum accounts_kind kind, struct span text,
                      struct told *told)
{
    char *copy = malloc(text.len + 1);
    memcpy(copy, text.data, text.len);
    *told = (struct told){.count = 0};
    bool is_good = accounts_read(accounts, kind, (struct span){copy, text.len}, take_fault, told);
    memset(copy, '!', text.len);
    free(copy);
    CHECK_EQ_INT(text.data, is_good, told->count == 0);
    return is_good;
}

static const struct {
    enum accounts_kind kind;
    struct span text;
    size_t count;
} good_rows[] = {
    {ACCOUNTS_TOKENS, SPAN_LIT("a:" ONE), 1},
    {ACCOUNTS_TOKENS, SPAN_LIT("a:" ONE "\n"), 1},
    {ACCOUNTS_TOKENS, SPAN_LIT("# c\r\n\r\n \t\n  a : " ONE " \r\n#b:" TWO "\n"), 1},
    {ACCOUNTS_TOKENS, SPAN_LIT("a:" ONE "\na:" TWO "\n"), 2},
    {ACCOUNTS_TOKENS,
     SPAN_LIT("\xef\xbb\xbf"
              "a:" ONE "\n"),
     1},
    {ACCOUNTS_TOKENS, SPAN_LIT("Ada L. \xc3\xa9:" ONE), 1},
    {ACCOUNTS_TOKENS, SPAN_LIT(X128 ":" ONE), 1},
    {ACCOUNTS_TOKENS, SPAN_LIT("# nobody"), 0},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("# nobody\n"), 0},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:" BCRYPT "\nb:" SHA512 ":words\nc:" SHA256 "\n"), 3},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:" SHA_ROUNDS), 1},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:$5$rounds=1000$0123456789abcdef$" N43), 1},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:$2y$14$lvqNj5GmmXKYsHROXri0HOfkchyPS/2nLvZsTi5N1gjXK8XZhwiS6"),
     1},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:$2a$05$lvqNj5GmmXKYsHROXri0HOfkchyPS/2nLvZsTi5N1gjXK8XZhwiS6"),
     1},
};

static void test_good(void)
{
    for (size_t i = 0; i < COUNT(good_rows); i++) {
        struct accounts accounts;
        struct told told;
        size_t before = mem_live_blocks();
        CHECK_TRUE(good_rows[i].text.data,
                   read_copy(&accounts, good_rows[i].kind, good_rows[i].text, &told));
        CHECK_EQ_U64(good_rows[i].text.data, accounts.count, good_rows[i].count);
        accounts_done(&accounts);
        CHECK_EQ_U64(good_rows[i].text.data, mem_live_blocks(), before);
    }
}

static const struct {
    enum accounts_kind kind;
    struct span text;
    const char *detail;
    unsigned line;
} bad_rows[] = {
    {ACCOUNTS_TOKENS, SPAN_LIT(""), "empty", 0},
    {ACCOUNTS_PASSWORDS, SPAN_LIT(" \r\n\n"), "empty", 0},
    {ACCOUNTS_TOKENS, SPAN_LIT("\n#\na\n"), "no name:digest", 3},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a"), "no user:hash", 1},
    {ACCOUNTS_TOKENS, SPAN_LIT("a:\n"), "no SHA-256", 1},
    {ACCOUNTS_TOKENS, SPAN_LIT("a:secret\n"), "no SHA-256", 1},
    {ACCOUNTS_TOKENS, SPAN_LIT("a:" ONE "0"), "no SHA-256", 1},
    {ACCOUNTS_TOKENS,
     SPAN_LIT("a:g692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"), "no SHA-256",
     1},
    {ACCOUNTS_TOKENS, SPAN_LIT(ONE "  -"), "no name:digest", 1},
    {ACCOUNTS_TOKENS, SPAN_LIT(":" ONE), "name is empty", 1},
    {ACCOUNTS_TOKENS, SPAN_LIT(X128 "x:" ONE), "128", 1},
    {ACCOUNTS_TOKENS, SPAN_LIT("\xff:" ONE), "UTF-8", 1},
    {ACCOUNTS_TOKENS, SPAN_LIT("a\0b:" ONE), "control", 1},
    {ACCOUNTS_TOKENS, SPAN_LIT("a\x1b[2J:" ONE), "control", 1},
    {ACCOUNTS_TOKENS, SPAN_LIT("a\rb:" ONE), "control", 1},
    {ACCOUNTS_TOKENS,
     SPAN_LIT("a:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"), "empty token",
     1},
    {ACCOUNTS_TOKENS,
     SPAN_LIT("a:01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b"), "empty token",
     1},
    {ACCOUNTS_TOKENS, SPAN_LIT("a:" ONE "\nb:" TWO "\nc:" ONE), "earlier line", 3},
    {ACCOUNTS_TOKENS,
     SPAN_LIT("a:" TWO "\n"
              "b:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
     "earlier line", 2},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("b:" BCRYPT "\na:" SHA256 "\nb:" SHA256), "earlier line", 3},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:secret"), "neither", 1},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:"), "neither", 1},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:abJnggxhB/yWI"), "neither", 1},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:$2x$05$lvqNj5GmmXKYsHROXri0HOfkchyPS/2nLvZsTi5N1gjXK8XZhwiS6"),
     "neither", 1},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:$apr1$ab$jiiV6N7hIIuIoJbc1hxOE/"), "MD5", 1},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:$1$ab$jiiV6N7hIIuIoJbc1hxOE/"), "MD5", 1},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="), "SHA-1", 1},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:$y$j9T$x$y"), "yescrypt", 1},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:$2b$04$lvqNj5GmmXKYsHROXri0HOfkchyPS/2nLvZsTi5N1gjXK8XZhwiS"),
     "malformed", 1},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:$2b$4$lvqNj5GmmXKYsHROXri0HOfkchyPS/2nLvZsTi5N1gjXK8XZhwiS66"),
     "malformed", 1},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:$2b$03$lvqNj5GmmXKYsHROXri0HOfkchyPS/2nLvZsTi5N1gjXK8XZhwiS6"),
     "malformed", 1},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:$2b$04$lvqNj5GmmXKYsHROXri0HOfkchyPS/2nLvZsTi5N1gjXK8XZhwi-6"),
     "malformed", 1},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:$2b$15$lvqNj5GmmXKYsHROXri0HOfkchyPS/2nLvZsTi5N1gjXK8XZhwiS6"),
     "cost 14", 1},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:$2b$31$lvqNj5GmmXKYsHROXri0HOfkchyPS/2nLvZsTi5N1gjXK8XZhwiS6"),
     "cost 14", 1},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:$5$ab$" N43 "x"), "malformed", 1},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:$6$ab$" N43), "malformed", 1},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:$5$ab"), "malformed", 1},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:$5$"), "malformed", 1},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:$5$0123456789abcdefg$" N43), "malformed", 1},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:$5$rounds=$ab$" N43), "malformed", 1},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:$5$rounds=1000"), "malformed", 1},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:$5$rounds=99999999999999999999$ab$" N43), "malformed", 1},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:$5$rounds=999$ab$" N43), "1000 rounds", 1},
    {ACCOUNTS_PASSWORDS, SPAN_LIT("a:$5$rounds=1000001$ab$" N43), "1000000", 1},
};

static void test_bad(void)
{
    for (size_t i = 0; i < COUNT(bad_rows); i++) {
        struct accounts accounts;
        struct told told;
        size_t before = mem_live_blocks();
        CHECK_FALSE(bad_rows[i].text.data,
                    read_copy(&accounts, bad_rows[i].kind, bad_rows[i].text, &told));
        CHECK_EQ_U64(bad_rows[i].text.data, told.count, 1);
        CHECK_EQ_U64(bad_rows[i].text.data, told.line, bad_rows[i].line);
        if (CHECK_TRUE(bad_rows[i].text.data, told.detail != NULL)) {
            CHECK_TRUE(told.detail, strstr(told.detail, bad_rows[i].detail) != NULL);
        }
        CHECK_TRUE("empty", accounts.count == 0 && accounts.entries == NULL);
        accounts_done(&accounts);
        CHECK_EQ_U64(bad_rows[i].text.data, mem_live_blocks(), before);
    }
    /* All of them at once. */
    struct accounts accounts;
    struct told told;
    CHECK_FALSE("three", read_copy(&accounts, ACCOUNTS_TOKENS,
                                   SPAN_LIT("a\nb:" ONE "\nc:x\nd:" ONE "\n"), &told));
    CHECK_EQ_U64("three", told.count, 3);
}

static const struct {
    const char *text;
    uint64_t ends_s; /* 1 = refused */
} expiry_rows[] = {
    {"", 1},
    {"1800000000", 1800000000},
    {" 1800000000 ", 1800000000},
    {"999999999", 1},
    {"20270131", 1},
    {"253402300799", 253402300799},
    {"253402300800", 1},
    {"1800000000000", 1},
    {"-1", 1},
    {"18446744073709551616", 1},
    {"never", 1},
    {"2027-01-31", 1801353600 + 86400},
    {"2027-01-31T00:00:00Z", 1801353600},
    {"2028-02-29T12:34:56Z", 1835440496},
    {"2100-02-28", 4107456000 + 86400},
    {"2000-12-31T00:00:00Z", 978220800},
    {"1970-01-01T00:00:02Z", 2},
    {"9999-12-31T23:59:59Z", 253402300799},
    {"2027-02-29", 1},
    {"2100-02-29", 1},
    {"2027-13-01", 1},
    {"2027-00-01", 1},
    {"2027-01-00", 1},
    {"2027-01-32", 1},
    {"2027-04-31", 1},
    {"1969-12-31", 1},
    {"2027-1-31", 1},
    {"2027-01-31 00:00:00", 1},
    {"2027-01-31T00:00:00", 1},
    {"2027-01-31T00:00Z", 1},
    {"2027-01-31T24:00:00Z", 1},
    {"2027-01-31T23:60:00Z", 1},
    {"2027-01-31T23:59:60Z", 1},
    {"2027-01-31T00:00:00Zx", 1},
    {"2027-01-31T00:00:00+01:00", 1},
    {"2027-01-31x", 1},
};

static void test_expiry(void)
{
    for (size_t i = 0; i < COUNT(expiry_rows); i++) {
        char text[160];
        struct accounts accounts;
        struct told told;
        int len = snprintf(text, sizeof(text), "a:%s:%s\n", ONE, expiry_rows[i].text);
        bool is_good =
            read_copy(&accounts, ACCOUNTS_TOKENS, (struct span){text, (size_t)len}, &told);
        CHECK_EQ_INT(expiry_rows[i].text, is_good, expiry_rows[i].ends_s != 1);
        if (is_good) {
            CHECK_EQ_U64(expiry_rows[i].text, accounts.entries[0].ends_s, expiry_rows[i].ends_s);
        }
        accounts_done(&accounts);
    }
}

static void test_tokens(void)
{
    static const uint8_t one[ACCOUNTS_DIGEST_LEN] = {
        0x76, 0x92, 0xc3, 0xad, 0x35, 0x40, 0xbb, 0x80, 0x3c, 0x02, 0x0b,
        0x3a, 0xee, 0x66, 0xcd, 0x88, 0x87, 0x12, 0x32, 0x34, 0xea, 0x0c,
        0x6e, 0x71, 0x43, 0xc0, 0xad, 0xd7, 0x3f, 0xf4, 0x31, 0xed};
    uint8_t two[ACCOUNTS_DIGEST_LEN];
    struct accounts accounts;
    struct told told;
    const struct accounts_entry *entry = NULL;
    for (size_t i = 0; i < sizeof(two); i++) {
        two[i] = (uint8_t)i;
    }
    if (!CHECK_TRUE("good",
                    read_copy(&accounts, ACCOUNTS_TOKENS,
                              SPAN_LIT("ada:" ONE ":1800000000\n\nbob:" TWO "\n"), &told))) {
        return;
    }
    CHECK_EQ_INT("one", accounts_find_token(&accounts, one, 1799999999, &entry), ACCOUNTS_GOOD);
    CHECK_EQ_STR("one", entry->name.data, "ada");
    CHECK_EQ_U64("one", entry->line, 1);
    CHECK_EQ_INT("expired", accounts_find_token(&accounts, one, 1800000000, &entry),
                 ACCOUNTS_EXPIRED);
    CHECK_EQ_STR("expired", entry->name.data, "ada");
    CHECK_EQ_INT("two", accounts_find_token(&accounts, two, UINT64_MAX, &entry), ACCOUNTS_GOOD);
    CHECK_EQ_STR("two", entry->name.data, "bob");
    CHECK_TRUE("two", accounts_find_digest(&accounts, two) == entry);
    CHECK_TRUE("one, expired", accounts_find_digest(&accounts, one) != NULL);
    CHECK_EQ_U64("two", entry->line, 3);
    for (size_t bit = 0; bit < (size_t)8 * sizeof(two); bit++) {
        two[bit / 8] ^= (uint8_t)(1U << bit % 8);
        CHECK_EQ_INT("other", accounts_find_token(&accounts, two, 0, &entry), ACCOUNTS_UNKNOWN);
        CHECK_TRUE("other", entry == NULL);
        CHECK_TRUE("other", accounts_find_digest(&accounts, two) == NULL);
        two[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    CHECK_TRUE("no user", accounts_find_user(&accounts, SPAN_LIT("ada")) == NULL);
    accounts_done(&accounts);
    CHECK_EQ_INT("empty", accounts_find_token(&accounts, one, 0, &entry), ACCOUNTS_UNKNOWN);
    CHECK_TRUE("empty", accounts_find_digest(&accounts, one) == NULL);
}

/* As crypt(3), for one password only. */
static bool fake_crypt(void *owner, const char *password, const char *setting,
                       char out[ACCOUNTS_HASH_MAX])
{
    (*(size_t *)owner)++;
    if (strcmp(password, "fails") == 0) {
        return false;
    }
    snprintf(out, ACCOUNTS_HASH_MAX, "%s", setting);
    out[strlen(out) - 1] = strcmp(password, "secret") == 0 ? setting[strlen(setting) - 1] : '!';
    return true;
}

static void test_passwords(void)
{
    static char longest[ACCOUNTS_PASSWORD_MAX + 2];
    struct accounts accounts;
    struct told told;
    size_t calls = 0;
    if (!CHECK_TRUE("good", read_copy(&accounts, ACCOUNTS_PASSWORDS,
                                      SPAN_LIT("d:" BCRYPT "\nb:" SHA512 ":x\na:" SHA256
                                               "\nba:" SHA_ROUNDS "\n"),
                                      &told))) {
        return;
    }
    static const char *const users[] = {"a", "b", "ba", "d"};
    static const char *const hashes[] = {SHA256, SHA512, SHA_ROUNDS, BCRYPT};
    for (size_t i = 0; i < COUNT(users); i++) {
        const struct accounts_entry *entry = accounts_find_user(&accounts, span_from_str(users[i]));
        if (CHECK_TRUE(users[i], entry != NULL)) {
            CHECK_EQ_STR(users[i], entry->hash.data, hashes[i]);
            CHECK_EQ_U64(users[i], entry->hash.len, strlen(hashes[i]));
        }
    }
    static const char *const strangers[] = {"", "c", "A", "bb", "e", "aa", "b "};
    for (size_t i = 0; i < COUNT(strangers); i++) {
        CHECK_TRUE(strangers[i],
                   accounts_find_user(&accounts, span_from_str(strangers[i])) == NULL);
    }
    struct span hash = accounts_decoy(&accounts);
    CHECK_TRUE("decoy", hash.len > 0);
    CHECK_TRUE("right", accounts_is_password(hash, SPAN_LIT("secret"), fake_crypt, &calls));
    CHECK_FALSE("wrong", accounts_is_password(hash, SPAN_LIT("Secret"), fake_crypt, &calls));
    CHECK_FALSE("none", accounts_is_password(hash, SPAN_LIT(""), fake_crypt, &calls));
    CHECK_FALSE("fails", accounts_is_password(hash, SPAN_LIT("fails"), fake_crypt, &calls));
    memset(longest, 'x', sizeof(longest));
    CHECK_FALSE("511", accounts_is_password(hash, (struct span){longest, ACCOUNTS_PASSWORD_MAX},
                                            fake_crypt, &calls));
    CHECK_EQ_U64("calls", calls, 5);
    CHECK_FALSE("512", accounts_is_password(hash, (struct span){longest, ACCOUNTS_PASSWORD_MAX + 1},
                                            fake_crypt, &calls));
    CHECK_FALSE("NUL", accounts_is_password(hash, SPAN_LIT("secret\0x"), fake_crypt, &calls));
    CHECK_FALSE("no hash", accounts_is_password((struct span){NULL, 0}, SPAN_LIT("secret"),
                                                fake_crypt, &calls));
    CHECK_EQ_U64("calls", calls, 5);
    accounts_done(&accounts);
    CHECK_EQ_U64("no decoy", accounts_decoy(&accounts).len, 0);
    CHECK_TRUE("nobody", accounts_find_user(&accounts, SPAN_LIT("a")) == NULL);
}

/* Cut anywhere, a file is good or told of. */
static void test_cuts(void)
{
    static const struct span text =
        SPAN_LIT("# c\nada:" ONE ":2027-01-31T00:00:00Z\r\n\nbob:" TWO "\n");
    size_t before = mem_live_blocks();
    struct accounts accounts;
    struct told told;
    for (size_t len = 0; len <= text.len; len++) {
        struct span front = {text.data, len};
        for (int kind = ACCOUNTS_TOKENS; kind <= ACCOUNTS_PASSWORDS; kind++) {
            bool is_good = read_copy(&accounts, (enum accounts_kind)kind, front, &told);
            CHECK_TRUE("cut", is_good || told.detail != NULL);
            accounts_done(&accounts);
            CHECK_EQ_U64("cut", mem_live_blocks(), before);
        }
    }
}

static void test_no_memory(void)
{
    size_t before = mem_live_blocks();
    for (uint64_t n = 1; n <= 3; n++) {
        struct accounts accounts;
        struct told told = {.count = 0};
        mem_fail_after(n);
        bool is_good =
            accounts_read(&accounts, ACCOUNTS_TOKENS, SPAN_LIT("a:" ONE), take_fault, &told);
        mem_fail_after(0);
        CHECK_EQ_INT("third time", is_good, n == 3);
        CHECK_EQ_U64("told", told.count, n == 3 ? 0 : 1);
        accounts_done(&accounts);
        CHECK_EQ_U64("blocks", mem_live_blocks(), before);
    }
    (void)mem_recover();
}

CU_TestInfo accounts_tests[] = {
    {"good files", test_good},     {"bad files", test_bad},
    {"expiry", test_expiry},       {"tokens", test_tokens},
    {"passwords", test_passwords}, {"cut anywhere", test_cuts},
    {"no memory", test_no_memory}, CU_TEST_INFO_NULL,
};
