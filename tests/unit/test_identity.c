/* SPDX-License-Identifier: GPL-3.0-or-later */
// Who asks, by each kind of token and each place, and by which word somebody is refused.
#include "gate/identity.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "check.h"
#include "conf/config.h"
#include "give_up.h"
#include "handshakes.h"
#include "proto/upgrade.h"
#include "suites.h"

#define NOW 1800000000
#define SECRET "0123456789abcdef0123456789ABCDEF"
// {"alg":"HS256","kid":"k1"}, and the claims that each row names. Made with Python's hmac.
#define HEADER "eyJhbGciOiJIUzI1NiIsImtpZCI6ImsxIn0."
// {"sub":"bob","jti":"j-7","iat":1799999990,"exp":1800000100}
#define GOOD \
    HEADER "eyJzdWIiOiJib2IiLCJqdGkiOiJqLTciLCJpYXQiOjE3OTk5OTk5OTAsImV4cCI6MTgwMDAwMDEwMH0" \
           ".v3QyN5n9dujTPcLyGsyu5gtzvk3fGIrs2B93BX_LO78"
// {"exp":1800000100}
#define NOBODY HEADER "eyJleHAiOjE4MDAwMDAxMDB9.VmZnQ-KoYxYeyAI2JQqjpKbD2i6oJu24Ys9Bgf02XDU"
// {"sub":"bob","exp":1799999000}
#define OLD \
    HEADER "eyJzdWIiOiJib2IiLCJleHAiOjE3OTk5OTkwMDB9.s5_WYdYT1ISrQZsul-tO-xnm_mxwp9Kdrd1BZLcwki4"
// {"sub":"bob","exp":1800000100}, signed with another secret
#define FORGED \
    HEADER "eyJzdWIiOiJib2IiLCJleHAiOjE4MDAwMDAxMDB9.Zc5DAt6DbgKh4c6Jn7L1zPtUah7d6YJx-bxIbh9JqTE"

static char folder[] = "/tmp/sluice-identity-XXXXXX";

static const char ini[] =
    "[listen a]\naddress = 127.0.0.1:0\ntrusted_proxies = 127.0.0.1\n"
    "[auth listed]\ntype = tokens\nfile = %s/tokens\n"
    "[auth signed]\ntype = jwt\nsecret_file = %s/secret\nalgorithms = HS256\nleeway = 10s\n"
    "[defaults]\norigins = https://good.example\n"
    "[route open]\npath = /open\nbackend = echo:\n"
    "[route listed]\npath = /listed\nbackend = echo:\nauth = listed\n"
    "auth_from = cookie:s, subprotocol, query:t, bearer, header:X-Token\n"
    "[route signed]\npath = /signed\nbackend = echo:\nauth = signed\nauth_from = bearer\n"
    "[auth people]\ntype = basic\nfile = %s/passwords\ncache = 5s\n"
    "[route people]\npath = /people\nbackend = echo:\nauth = people\nauth_from = basic\n"
    "[auth once]\ntype = jwt\nsecret_file = %s/secret\nalgorithms = HS256\nleeway = 10s\n"
    "single_use = yes\nticket_max_age = 100s\n"
    "[auth soon]\ntype = jwt\nsecret_file = %s/secret\nalgorithms = HS256\nleeway = 10s\n"
    "single_use = yes\nticket_max_age = 89s\n"
    "[route once]\npath = /once\nbackend = echo:\nauth = once\nauth_from = bearer\n"
    "[route soon]\npath = /soon\nbackend = echo:\nauth = soon\nauth_from = bearer\n"
    "[route both]\npath = /both\nbackend = echo:\nauth = people, listed\n"
    "auth_from = query:t\n";

// What openssl passwd and htpasswd write.
#define HASH_OF_ANN \
    "$6$rounds=1000$saltsalt$LAV5VE5Y7w1d73x1mFNspYWUpazfmwv2SoepNXNKJ/otop/Zok96Hr8Q13LEv0DRY/" \
    "x8v0/crpIjl8NJSAqXV/"
#define ANN "Authorization: Basic YW5uOnNlY3JldA==\r\n" // ann:secret
#define ZOE "Authorization: Basic em9lOnNlY3JldA==\r\n" // zoe:secret

static const struct row {
    const char *name;
    const char *target;
    const char *lines;
    enum identity_verdict verdict;
    const char *word;    // of a refusal
    const char *subject; // of an identity; NULL: nobody is asked
    uint64_t ends_s;
} rows[] = {
    {"nobody is asked", "/open", "", IDENTITY_OK, NULL, NULL, 0},
    {"no token", "/listed", "", IDENTITY_REFUSED, "missing", NULL, 0},
    {"a cookie", "/listed", "Cookie: a=b; s=sesame-open\r\n", IDENTITY_OK, NULL, "alice", 0},
    {"another cookie", "/listed", "Cookie: S=sesame-open\r\n", IDENTITY_REFUSED, "missing", NULL,
     0},
    {"two cookies", "/listed", "Cookie: s=sesame-open; s=sesame-open\r\n", IDENTITY_REFUSED,
     "twice", NULL, 0},
    {"the first place decides", "/listed?t=sesame-open", "Cookie: s=sesame-shut\r\n",
     IDENTITY_REFUSED, "unknown_token", NULL, 0},
    {"a subprotocol", "/listed", "Sec-WebSocket-Protocol: binary, sluice.token.c2VzYW1lLW9wZW4\r\n",
     IDENTITY_OK, NULL, "alice", 0},
    {"Kubernetes'", "/listed",
     "Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.c2VzYW1lLW9wZW4, binary\r\n",
     IDENTITY_OK, NULL, "alice", 0},
    {"no base64url", "/listed", "Sec-WebSocket-Protocol: binary, sluice.token.c2VzYW1lLW9wZW4x\r\n",
     IDENTITY_REFUSED, "unknown_token", NULL, 0},
    {"spare bits", "/listed", "Sec-WebSocket-Protocol: binary, sluice.token.c2VzYW1lLW9wZW5\r\n",
     IDENTITY_REFUSED, "malformed", NULL, 0},
    {"the query", "/listed?x=1&t=sesame%2Dopen", "", IDENTITY_OK, NULL, "alice", 0},
    {"Authorization", "/listed", "Authorization: Bearer sesame-open\r\n", IDENTITY_OK, NULL,
     "alice", 0},
    {"a password", "/listed", "Authorization: Basic YTpi\r\n", IDENTITY_REFUSED, "missing", NULL,
     0},
    {"a header of a stranger's", "/listed", "X-Token: sesame-open\r\n", IDENTITY_REFUSED, "missing",
     NULL, 0},
    {"a token with an end", "/listed", "Authorization: Bearer later-token\r\n", IDENTITY_OK, NULL,
     "carol", 1900000000},
    {"its end is over", "/listed", "Authorization: Bearer old-token\r\n", IDENTITY_REFUSED,
     "expired_token", NULL, 0},

    {"a signed one", "/signed", "Authorization: Bearer " GOOD "\r\n", IDENTITY_OK, NULL, "bob",
     1800000110},
    {"of nobody", "/signed", "Authorization: Bearer " NOBODY "\r\n", IDENTITY_OK, NULL, "",
     1800000110},
    {"an old one", "/signed", "Authorization: Bearer " OLD "\r\n", IDENTITY_REFUSED, "expired",
     NULL, 0},
    {"a forged one", "/signed", "Authorization: Bearer " FORGED "\r\n", IDENTITY_REFUSED,
     "signature", NULL, 0},
    {"none at all", "/signed", "Authorization: Bearer sesame-open\r\n", IDENTITY_REFUSED, "form",
     NULL, 0},
    {"none of a place that counts", "/signed?t=" GOOD, "", IDENTITY_REFUSED, "missing", NULL, 0},
};

static void write_file(const char *name, const char *content)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(content, file) == EOF || fclose(file) != 0 ||
        chmod(path, 0600) != 0) {
        GIVE_UP();
    }
}

static const struct config_route *find_route(const struct config *config, const char *target)
{
    for (size_t i = 0; i < config->route_count; i++) {
        struct span path = config->routes[i].policy.path;
        if (strncmp(target, path.data, path.len) == 0) {
            return &config->routes[i];
        }
    }
    GIVE_UP();
}

static void check_identity(const struct row *row, const struct identity *who)
{
    CHECK_EQ_INT(row->name, who != NULL, row->subject != NULL);
    if (who == NULL || row->subject == NULL) {
        return;
    }
    CHECK_EQ_MEM(row->name, who->subject.data, who->subject.len, row->subject,
                 strlen(row->subject));
    CHECK_EQ_U64(row->name, who->ends_s, row->ends_s);
    CHECK_TRUE(row->name,
               span_is_equal(who->auth,
                             span_from_str(who->type == CONFIG_AUTH_TOKENS ? "listed" : "signed")));
    if (who->type != CONFIG_AUTH_TOKENS) {
        CHECK_TRUE(row->name, span_is_equal(who->kid, SPAN_LIT("k1")));
    }
    if (strcmp(row->subject, "bob") == 0) {
        CHECK_TRUE(row->name, span_is_equal(who->id, SPAN_LIT("j-7")));
        CHECK_EQ_U64(row->name, who->issued_s, 1799999990);
    }
}

static enum identity_password password;
static struct span compared = {HASH_OF_ANN, sizeof(HASH_OF_ANN) - 1};

/* fail_after: the allocation that fails; 0 = none. */
static enum identity_verdict judge(const struct config *config, const struct row *row,
                                   bool is_trusted, uint64_t fail_after,
                                   struct identity_answer *out)
{
    static struct http_fed fed;
    char head[4096];
    struct request request;
    struct span key;
    const char *detail;
    int len =
        snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: gate.example\r\n" MINIMAL "%s\r\n",
                 row->target, row->lines);

    http_feed(&fed, head, (size_t)len, 0);
    CHECK_EQ_INT(row->name, upgrade_check(&fed.parser, &request, &key, &detail), UPGRADE_OK);
    const struct identity_question question = {
        .route = find_route(config, row->target),
        .request = &request,
        .is_from_trusted_proxy = is_trusted,
        .now_s = NOW,
        .password = password,
        .hash = compared,
    };
    memset(out, 0x5a, sizeof(*out));
    mem_fail_after(fail_after);
    enum identity_verdict verdict = identity_of_request(&question, out);
    mem_fail_after(0);
    http_feed_done(&fed);
    return verdict;
}

static void check_row(const struct config *config, const struct row *row)
{
    struct identity_answer got;
    size_t blocks = mem_live_blocks();

    CHECK_EQ_INT(row->name, judge(config, row, false, 0, &got), row->verdict);
    check_identity(row, got.who);
    if (row->verdict == IDENTITY_REFUSED) {
        CHECK_EQ_STR(row->name, identity_reason_word(got.reason), row->word);
        CHECK_TRUE(row->name, got.detail != NULL && got.auth != NULL);
        CHECK_TRUE(row->name, got.detail != NULL && strstr(got.detail, "sesame") == NULL);
    }
    identity_free(got.who);
    // Without memory nobody gets in who would not get in with it, and nothing stays behind.
    for (uint64_t n = 1; n < 12; n++) {
        enum identity_verdict verdict = judge(config, row, false, n, &got);
        CHECK_TRUE(row->name, verdict != IDENTITY_OK || row->verdict == IDENTITY_OK);
        CHECK_TRUE(row->name, verdict == IDENTITY_OK || got.who == NULL);
        identity_free(got.who);
    }
    CHECK_EQ_U64(row->name, mem_live_blocks(), blocks);
}

static void test_trusted(const struct config *config)
{
    static const struct row row = {"a header of a proxy's",
                                   "/listed",
                                   "X-Token: sesame-open\r\n",
                                   IDENTITY_OK,
                                   NULL,
                                   "alice",
                                   0};
    struct identity_answer got;
    CHECK_EQ_INT(row.name, judge(config, &row, true, 0, &got), IDENTITY_OK);
    check_identity(&row, got.who);
    identity_free(got.who);
}

static void test_first_message(const struct config *config)
{
    struct identity_question question = {.route = find_route(config, "/listed"), .now_s = NOW};
    struct identity_answer got;
    CHECK_EQ_INT("good", identity_of_token(&question, SPAN_LIT("sesame-open"), &got), IDENTITY_OK);
    CHECK_TRUE("good", got.who != NULL && span_is_equal(got.who->subject, SPAN_LIT("alice")));
    identity_free(got.who);
    CHECK_EQ_INT("bad", identity_of_token(&question, SPAN_LIT("sesame"), &got), IDENTITY_REFUSED);
    CHECK_TRUE("bad", got.who == NULL);
}

static const struct password_row {
    const char *name;
    const char *target;
    const char *lines;
    enum identity_password password;
    enum identity_verdict verdict;
    const char *word;
    bool is_decoy;
} password_rows[] = {
    {"asked", "/people", ANN, IDENTITY_NOT_ASKED, IDENTITY_WAIT, NULL, false},
    {"right", "/people", ANN, IDENTITY_RIGHT, IDENTITY_OK, NULL, false},
    {"wrong", "/people", ANN, IDENTITY_WRONG, IDENTITY_REFUSED, "wrong_password", false},
    {"nobody", "/people", ZOE, IDENTITY_NOT_ASKED, IDENTITY_WAIT, NULL, true},
    {"nobody, wrong", "/people", ZOE, IDENTITY_WRONG, IDENTITY_REFUSED, "unknown_user", false},
    {"nobody, right", "/people", ZOE, IDENTITY_RIGHT, IDENTITY_REFUSED, "unknown_user", false},
    {"none", "/people", "", IDENTITY_NOT_ASKED, IDENTITY_REFUSED, "missing", false},
    {"a token", "/people", "Authorization: Bearer sesame-open\r\n", IDENTITY_NOT_ASKED,
     IDENTITY_REFUSED, "missing", false},
    {"two", "/people", ANN ZOE, IDENTITY_NOT_ASKED, IDENTITY_REFUSED, "twice", false},
    {"no base64", "/people", "Authorization: Basic a:b\r\n", IDENTITY_NOT_ASKED, IDENTITY_REFUSED,
     "malformed", false},
    {"both, asked", "/both?t=sesame-open", ANN, IDENTITY_NOT_ASKED, IDENTITY_WAIT, NULL, false},
    {"both, right", "/both?t=sesame-open", ANN, IDENTITY_RIGHT, IDENTITY_OK, NULL, false},
    {"both, wrong", "/both?t=sesame-open", ANN, IDENTITY_WRONG, IDENTITY_REFUSED, "wrong_password",
     false},
    {"nobody is asked where the token is wrong", "/both?t=sesame", ANN, IDENTITY_NOT_ASKED,
     IDENTITY_REFUSED, "unknown_token", false},
};

static void check_password_row(const struct config *config, const struct password_row *row)
{
    const struct row request = {.name = row->name, .target = row->target, .lines = row->lines};
    const size_t blocks = mem_live_blocks();
    struct identity_answer got;
    password = row->password;
    CHECK_EQ_INT(row->name, judge(config, &request, false, 0, &got), row->verdict);
    CHECK_EQ_INT(row->name, got.who != NULL, row->verdict == IDENTITY_OK);
    if (row->verdict == IDENTITY_REFUSED) {
        CHECK_EQ_STR(row->name, identity_reason_word(got.reason), row->word);
    }
    if (row->verdict == IDENTITY_WAIT) {
        CHECK_TRUE(row->name, span_is_equal(got.hash, SPAN_LIT(HASH_OF_ANN)));
        CHECK_TRUE(row->name, span_is_equal(got.password.text, SPAN_LIT("secret")));
        CHECK_EQ_INT(row->name, got.is_decoy, row->is_decoy);
        CHECK_EQ_U64(row->name, got.cache_ms, 5000);
        token_done(&got.password);
    }
    if (got.who != NULL) {
        enum life_ending ending;
        const char *detail;
        CHECK_TRUE(row->name, span_is_equal(got.who->subject, SPAN_LIT("ann")));
        CHECK_TRUE(row->name, identity_holds(got.who, config, &ending, &detail));
        got.who->subject = SPAN_LIT("zoe");
        CHECK_FALSE("gone", identity_holds(got.who, config, &ending, &detail));
        CHECK_EQ_INT("gone", ending, LIFE_AUTH_REVOKED);
    }
    identity_free(got.who);
    for (uint64_t n = 1; n < 8; n++) {
        enum identity_verdict verdict = judge(config, &request, false, n, &got);
        CHECK_TRUE(row->name, verdict == row->verdict || verdict == IDENTITY_NO_MEMORY);
        if (verdict == IDENTITY_WAIT) {
            token_done(&got.password);
        }
        identity_free(got.who);
    }
    CHECK_EQ_U64(row->name, mem_live_blocks(), blocks);
    password = IDENTITY_NOT_ASKED;
}

// What was right by another file, or of another section, is not right here.
static void test_other_hash(const struct config *config)
{
    static const struct row row = {.name = "another hash", .target = "/people", .lines = ANN};
    struct identity_answer got;
    password = IDENTITY_RIGHT;
    compared = SPAN_LIT("$5$other");
    CHECK_EQ_INT(row.name, judge(config, &row, false, 0, &got), IDENTITY_REFUSED);
    CHECK_EQ_STR(row.name, identity_reason_word(got.reason), "wrong_password");
    password = IDENTITY_NOT_ASKED;
    compared = SPAN_LIT(HASH_OF_ANN);
}

// A reload has brought a password to a route whose client sends its token now.
static void test_late_password(const struct config *config)
{
    static struct http_fed fed;
    static const char head[] = "GET /both HTTP/1.1\r\nHost: gate.example\r\n" MINIMAL ANN "\r\n";
    struct identity_answer got;
    struct request request;
    struct span key;
    const char *detail;
    size_t blocks = mem_live_blocks();
    http_feed(&fed, head, sizeof(head) - 1, 0);
    CHECK_EQ_INT("head", upgrade_check(&fed.parser, &request, &key, &detail), UPGRADE_OK);
    struct identity_question question = {
        .route = find_route(config, "/both"), .request = &request, .now_s = NOW};
    CHECK_EQ_INT("late", identity_of_token(&question, SPAN_LIT("sesame-open"), &got),
                 IDENTITY_REFUSED);
    CHECK_EQ_STR("late", identity_reason_word(got.reason), "missing");
    question.password = IDENTITY_RIGHT;
    question.hash = SPAN_LIT(HASH_OF_ANN);
    CHECK_EQ_INT("asked", identity_of_token(&question, SPAN_LIT("sesame-open"), &got), IDENTITY_OK);
    identity_free(got.who);
    http_feed_done(&fed);
    CHECK_EQ_U64("late", mem_live_blocks(), blocks);
}

/* Tokens of sections with single_use; each row would be good without it. */
static void test_tickets(const struct config *config)
{
    static const struct row tickets[] = {
        {"a ticket", "/once", "Authorization: Bearer " GOOD "\r\n", IDENTITY_OK, NULL, "bob",
         1800000110},
        {"without jti", "/once", "Authorization: Bearer " NOBODY "\r\n", IDENTITY_REFUSED, "no_jti",
         NULL, 0},
        {"it ends too late", "/soon", "Authorization: Bearer " GOOD "\r\n", IDENTITY_REFUSED,
         "far_exp", NULL, 0},
    };
    struct identity_answer got;
    size_t blocks = mem_live_blocks();

    for (size_t i = 0; i < sizeof(tickets) / sizeof(tickets[0]); i++) {
        const struct row *row = &tickets[i];
        CHECK_EQ_INT(row->name, judge(config, row, false, 0, &got), row->verdict);
        if (row->verdict == IDENTITY_REFUSED) {
            CHECK_EQ_STR(row->name, identity_reason_word(got.reason), row->word);
            CHECK_TRUE(row->name, got.who == NULL);
            continue;
        }
        const struct identity *ticket = identity_ticket(got.who);
        if (CHECK_TRUE(row->name, ticket != NULL)) {
            CHECK_EQ_U64(row->name, ticket->ticket_ends_s, row->ends_s);
            CHECK_FALSE(row->name, ticket->is_ticket_used);
        }
        struct identity leader = {.also = got.who};
        CHECK_TRUE("behind another proof", identity_ticket(&leader) == got.who);
        identity_free(got.who);
    }
    CHECK_EQ_INT("no ticket", judge(config, &rows[1], false, 0, &got), IDENTITY_REFUSED);
    CHECK_TRUE("nobody has one", identity_ticket(NULL) == NULL);
    struct identity none = {.ends_s = 1};
    CHECK_TRUE("no ticket", identity_ticket(&none) == NULL);
    CHECK_EQ_U64("freed", mem_live_blocks(), blocks);
}

static void test_words(void)
{
    for (unsigned i = 0; i < IDENTITY_REASONS; i++) {
        const char *word = identity_reason_word(i);
        if (!CHECK_TRUE("a word", word != NULL)) {
            continue;
        }
        CHECK_TRUE(word, word[0] != '\0' && strpbrk(word, " \"") == NULL);
        for (unsigned k = 0; k < i; k++) {
            CHECK_TRUE(word, strcmp(word, identity_reason_word(k)) != 0);
        }
    }
    CHECK_TRUE("few series", IDENTITY_REASONS <= 41);
}

static void test_all(void)
{
    char text[2048];
    char path[128];
    struct report report;

    json_doc_start(1);
    if (mkdtemp(folder) == NULL) {
        GIVE_UP();
    }
    write_file("secret", SECRET "\n");
    write_file("passwords", "ann:" HASH_OF_ANN "\n");
    write_file("tokens",
               "alice:10fd93e00c1bdccff1ba9cb6919df45fcd7264eb96f173c36eb6934e18e5ef86\n"
               "dave:9bdf10a691a1cfda89d9ff66629d1609ab176cec9b6a3146a8929f28937a9fce:1700000000\n"
               "carol:f184685c9b8daabe4768f63108afb91e4b8fe62998e3146a28426a64c9e22a5c:"
               "1900000000\n");
    snprintf(text, sizeof(text), ini, folder, folder, folder, folder, folder);
    struct config *config = config_parse(span_from_str(text), &report);
    if (CHECK_TRUE("configuration", config != NULL)) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            check_row(config, &rows[i]);
        }
        for (size_t i = 0; i < sizeof(password_rows) / sizeof(password_rows[0]); i++) {
            check_password_row(config, &password_rows[i]);
        }
        test_trusted(config);
        test_first_message(config);
        test_other_hash(config);
        test_late_password(config);
        test_tickets(config);
    } else {
        report_print(&report, "test", stdout);
    }
    test_words();
    report_done(&report);
    config_free(config);
    snprintf(path, sizeof(path), "%s/secret", folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/passwords", folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/tokens", folder);
    unlink(path);
    rmdir(folder);
}

CU_TestInfo identity_tests[] = {
    {"who asks", test_all},
    CU_TEST_INFO_NULL,
};
