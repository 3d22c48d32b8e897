/* SPDX-License-Identifier: GPL-3.0-or-later */
// [auth NAME], and routes that name them: what fits, what is refused and where, and that nothing of
// the files gets out again.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "check.h"
#include "conf/change.h"
#include "conf/config.h"
#include "give_up.h"
#include "http_feed.h"
#include "report_kit.h"
#include "suites.h"

#define LISTEN "[listen a]\naddress = 127.0.0.1:8080\n"
#define ROUTE "[route r]\npath = /r\nbackend = echo:\n"
#define ALICE "alice:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define SECRET "0123456789abcdef0123456789ABCDEF"
// RFC 8037 A.2, and the same key as PEM.
#define ED25519 \
    "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"one\"," \
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"
#define ED25519_PEM \
    "-----BEGIN PUBLIC KEY-----\n" \
    "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n" \
    "-----END PUBLIC KEY-----\n"

static char folder[] = "/tmp/sluice-auth-XXXXXX";

static void write_file(const char *name, const char *content, mode_t mode)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(content, file) == EOF || fclose(file) != 0 ||
        chmod(path, mode) != 0) {
        GIVE_UP();
    }
}

// Every "DIR/" of the text becomes the folder's path.
static struct config *parse(const char *text, struct report *report)
{
    char full[8192];
    size_t used = 0;
    for (const char *at = text; *at != '\0';) {
        bool is_dir = strncmp(at, "DIR/", 4) == 0;
        used += (size_t)snprintf(full + used, sizeof(full) - used, is_dir ? "%s/" : "%.1s",
                                 is_dir ? folder : at);
        at += is_dir ? 4 : 1;
    }
    return config_parse(span_from_str(full), report);
}

static const struct {
    const char *name;
    const char *text;
    unsigned line;       // of the message; 0: the configuration is good
    const char *message; // NULL: nothing is reported
} rows[] = {
    {"tokens", LISTEN ROUTE "auth = t\nauth_from = bearer\n[auth t]\ntype = tokens\nfile = DIR/t\n",
     0, NULL},
    {"a header of a trusted proxy",
     LISTEN "trusted_proxies = 10.0.0.1\n" ROUTE
            "auth = t\nauth_from = header:X-T\n[auth t]\ntype = tokens\nfile = DIR/t\n",
     0, NULL},
    {"a header of nobody",
     LISTEN ROUTE "auth = t\nauth_from = bearer, header:X-T\n[auth t]\ntype = tokens\n"
                  "file = DIR/t\n",
     7, "from a header of a trusted proxy, and no [listen] has trusted_proxies"},
    {"an unknown one",
     LISTEN ROUTE "auth = tt\nauth_from = bearer\n[auth t]\ntype = tokens\nfile = DIR/t\n", 6,
     "there is no [auth tt]; did you mean 't'?"},
    {"no type", LISTEN ROUTE "[auth t]\nfile = DIR/t\n", 6, "[auth t] has no type"},
    {"another type", LISTEN ROUTE "[auth t]\ntype = ldap\n", 7, "one of jwt"},
    {"nobody names it", LISTEN ROUTE "[auth t]\ntype = tokens\nfile = DIR/t\n", 6,
     "no route names [auth t]"},
    {"no file", LISTEN ROUTE "[auth t]\ntype = tokens\n", 6, "[auth t] has no file"},
    {"a missing file", LISTEN ROUTE "[auth t]\ntype = tokens\nfile = DIR/none\n", 8, "cannot read"},
    {"a broken file", LISTEN ROUTE "[auth t]\ntype = tokens\nfile = DIR/broken\n", 8,
     "/broken:2: "},
    {"readable by others", LISTEN ROUTE "[auth t]\ntype = tokens\nfile = DIR/loose\n", 8,
     "every user of this machine can read the digests of the tokens"},
    {"a key of another type", LISTEN ROUTE "[auth t]\ntype = tokens\nfile = DIR/t\nissuer = x\n", 9,
     "'issuer' means nothing without type = jwt"},

    {"revoked",
     LISTEN ROUTE "auth = t\nauth_from = bearer\n[auth t]\ntype = tokens\nfile = DIR/t\n"
                  "revoked = DIR/revoked\n",
     0, NULL},
    {"revoked, cut", LISTEN ROUTE "[auth t]\ntype = tokens\nfile = DIR/t\nrevoked = DIR/cut\n", 9,
     "/cut:2: the last line has no line end"},
    {"revoked, empty", LISTEN ROUTE "[auth t]\ntype = tokens\nfile = DIR/t\nrevoked = DIR/empty\n",
     9, "/empty: the file is empty"},
    {"revoked, missing", LISTEN ROUTE "[auth t]\ntype = tokens\nfile = DIR/t\nrevoked = DIR/none\n",
     9, "cannot read"},
    {"revoked by anybody",
     LISTEN ROUTE "[auth t]\ntype = tokens\nfile = DIR/t\nrevoked = DIR/open\n", 9,
     "every user of this machine can change who is revoked"},
    {"keys of another type",
     LISTEN ROUTE "[auth t]\ntype = tokens\nfile = DIR/t\nrevoke_on_key_removal = yes\n", 9,
     "'revoke_on_key_removal' means nothing without type = jwt"},

    {"single use",
     LISTEN ROUTE "auth = j\nauth_from = query:t\n[auth j]\ntype = jwt\nkeys = DIR/jwks\n"
                  "algorithms = EdDSA\nsingle_use = yes\nticket_max_age = 5m\n"
                  "reconnect_window = 30s\nreconnect_max = 3\n",
     0, NULL},
    {"single use, for ever",
     LISTEN ROUTE "[auth j]\ntype = jwt\nkeys = DIR/jwks\nalgorithms = EdDSA\n"
                  "require_exp = no\nsingle_use = yes\n",
     11, "single_use = yes needs an exp in each token, and require_exp is no"},
    {"single use of another type",
     LISTEN ROUTE "[auth t]\ntype = tokens\nfile = DIR/t\nsingle_use = yes\n", 9,
     "'single_use' means nothing without type = jwt"},
    {"an age of no ticket",
     LISTEN ROUTE "[auth j]\ntype = jwt\nkeys = DIR/jwks\nalgorithms = EdDSA\n"
                  "ticket_max_age = 5m\n",
     10, "'ticket_max_age' means nothing without single_use = yes"},
    {"a window of no ticket",
     LISTEN ROUTE "[auth j]\ntype = jwt\nkeys = DIR/jwks\nalgorithms = EdDSA\nsingle_use = no\n"
                  "reconnect_window = 5m\n",
     11, "'reconnect_window' means nothing without single_use = yes"},
    {"a count without a window",
     LISTEN ROUTE "[auth j]\ntype = jwt\nkeys = DIR/jwks\nalgorithms = EdDSA\nsingle_use = yes\n"
                  "reconnect_max = 5\n",
     11, "'reconnect_max' means nothing without reconnect_window"},
    {"a count of none",
     LISTEN ROUTE "[auth j]\ntype = jwt\nkeys = DIR/jwks\nalgorithms = EdDSA\nsingle_use = yes\n"
                  "reconnect_window = 1s\nreconnect_max = 0\n",
     12, "reconnect_max"},
    {"an old ticket",
     LISTEN ROUTE "[auth j]\ntype = jwt\nkeys = DIR/jwks\nalgorithms = EdDSA\nsingle_use = yes\n"
                  "ticket_max_age = 61m\n",
     11, "ticket_max_age"},

    {"JWKS",
     LISTEN ROUTE "auth = j\nauth_from = cookie:s\n[auth j]\ntype = jwt\nkeys = DIR/jwks\n"
                  "algorithms = EdDSA\nissuer = https://i\naudience = a, b\n"
                  "require = role:operator, scope=x\nleeway = 5s\ntyp = at+jwt\n"
                  "require_exp = no\n",
     0, NULL},
    {"PEM",
     LISTEN ROUTE "auth = j\nauth_from = query:t\n[auth j]\ntype = jwt\nkeys = DIR/pem\n"
                  "algorithms = Ed25519\n",
     0, NULL},
    {"a secret",
     LISTEN ROUTE "auth = j\nauth_from = subprotocol\n[auth j]\ntype = jwt\nsecret_file = "
                  "DIR/secret\nalgorithms = HS256\n",
     0, NULL},
    {"no keys", LISTEN ROUTE "[auth j]\ntype = jwt\nalgorithms = HS256\n", 6,
     "neither keys nor secret_file"},
    {"both",
     LISTEN ROUTE "[auth j]\ntype = jwt\nalgorithms = EdDSA\nkeys = DIR/jwks\nsecret_file = "
                  "DIR/secret\n",
     10, "keys and secret_file"},
    {"no algorithms", LISTEN ROUTE "[auth j]\ntype = jwt\nkeys = DIR/jwks\n", 6,
     "has no algorithms"},
    {"an unknown algorithm",
     LISTEN ROUTE "[auth j]\ntype = jwt\nkeys = DIR/jwks\nalgorithms = none\n", 9,
     "bad algorithm 'none'"},
    {"a secret's algorithm",
     LISTEN ROUTE "[auth j]\ntype = jwt\nkeys = DIR/jwks\nalgorithms = EdDSA, HS256\n", 9,
     "HS256 is for secret_file"},
    {"a key's algorithm",
     LISTEN ROUTE "[auth j]\ntype = jwt\nsecret_file = DIR/secret\nalgorithms = HS256, ES256\n", 9,
     "secret_file is for HS256 alone"},
    {"no key of the algorithm",
     LISTEN ROUTE "[auth j]\ntype = jwt\nkeys = DIR/jwks\nalgorithms = ES256\n", 8,
     "no key in the file is for signatures of an allowed algorithm"},
    {"the same in PEM", LISTEN ROUTE "[auth j]\ntype = jwt\nkeys = DIR/pem\nalgorithms = ES256\n",
     8, "not allowed"},
    {"an algorithm too many",
     LISTEN ROUTE "[auth j]\ntype = jwt\nkeys = DIR/jwks\nalgorithms = EdDSA, ES384\n"
                  "[route s]\npath = /s\nbackend = echo:\nauth = j\nauth_from = bearer\n",
     9, "allows ES384, but has no key for it"},
    {"keys that are none", LISTEN ROUTE "[auth j]\ntype = jwt\nkeys = DIR/t\nalgorithms = ES256\n",
     8, "/t: "},
    {"broken JSON", LISTEN ROUTE "[auth j]\ntype = jwt\nkeys = DIR/half\nalgorithms = ES256\n", 8,
     "/half:2: "},
    {"keys that others can change",
     LISTEN ROUTE "[auth j]\ntype = jwt\nkeys = DIR/changeable\nalgorithms = EdDSA\n", 8,
     "every user of this machine can change the keys"},
    {"a short secret",
     LISTEN ROUTE "[auth j]\ntype = jwt\nsecret_file = DIR/short\nalgorithms = HS256\n", 8,
     "/short: "},
    {"a secret that others can read",
     LISTEN ROUTE "[auth j]\ntype = jwt\nsecret_file = DIR/told\nalgorithms = HS256\n", 8,
     "every user of this machine can read the secret"},
    {"a claim without value",
     LISTEN ROUTE "[auth j]\ntype = jwt\nkeys = DIR/jwks\nalgorithms = EdDSA\nrequire = role\n", 10,
     "CLAIM:VALUE"},

    {"two that want a token",
     LISTEN ROUTE "auth = t, u\nauth_from = bearer\n[auth t]\ntype = tokens\nfile = DIR/t\n"
                  "[auth u]\ntype = tokens\nfile = DIR/t\n",
     6, "auth names [auth t] and [auth u]"},
    {"passwords", LISTEN ROUTE "auth = p\n[auth p]\ntype = basic\nfile = DIR/p\ncache = 0\n", 0,
     NULL},
    {"passwords, with their place",
     LISTEN ROUTE "auth = p\nauth_from = basic\n[auth p]\ntype = basic\nfile = DIR/p\n", 0, NULL},
    {"passwords and tokens",
     LISTEN ROUTE "auth = p, t\nauth_from = bearer\n[auth p]\ntype = basic\nfile = DIR/p\n"
                  "[auth t]\ntype = tokens\nfile = DIR/t\n",
     0, NULL},
    {"two of passwords",
     LISTEN ROUTE "auth = p, q\n[auth p]\ntype = basic\nfile = DIR/p\n"
                  "[auth q]\ntype = basic\nfile = DIR/p\n",
     6, "a client brings one password only: a route takes one [auth] of the type basic"},
    {"passwords for every page",
     LISTEN ROUTE "auth = p\norigins = *\n[auth p]\ntype = basic\nfile = DIR/p\n", 6,
     "the password sends it for every page"},
    {"tokens are no passwords", LISTEN ROUTE "auth = p\n[auth p]\ntype = basic\nfile = DIR/t\n", 9,
     "/t:2: "},
    {"no file of passwords", LISTEN ROUTE "auth = p\n[auth p]\ntype = basic\n", 7,
     "[auth p] has no file"},
    {"a cache of tokens",
     LISTEN ROUTE
     "auth_from = bearer\nauth = t\n[auth t]\ntype = tokens\nfile = DIR/t\ncache = 1s\n",
     11, "type = basic"},
    {"no place", LISTEN ROUTE "auth = t\n[auth t]\ntype = tokens\nfile = DIR/t\n", 3,
     "does not say where a token stands"},
    {"a place of passwords",
     LISTEN ROUTE "auth = t\nauth_from = basic\n[auth t]\ntype = tokens\nfile = DIR/t\n", 7,
     "does not say where a token stands"},
    {"a place for nobody", LISTEN ROUTE "auth_from = bearer\n", 6,
     "'auth_from' means nothing without auth"},
    {"a timeout for nothing",
     LISTEN ROUTE
     "auth_timeout = 3s\nauth = t\nauth_from = bearer\n[auth t]\ntype = tokens\nfile = DIR/t\n",
     6, "'auth_timeout' means nothing without auth_from = first_message"},
    {"no place's name",
     LISTEN ROUTE "auth_from = cookie\nauth = t\n[auth t]\ntype = tokens\nfile = DIR/t\n", 6,
     "bad place 'cookie' for 'auth_from'"},
    {"a place twice",
     LISTEN ROUTE
     "auth = t\nauth_from = query:a, query:b, query:a\n[auth t]\ntype = tokens\nfile = DIR/t\n",
     7, "names a place twice"},
    {"a cookie for every page",
     LISTEN ROUTE
     "auth = t\nauth_from = bearer, cookie:s\norigins = *\n[auth t]\ntype = tokens\nfile = DIR/t\n",
     7, "takes a cookie and has origins = * or none"},
    {"a cookie without an origin",
     LISTEN ROUTE "auth = t\nauth_from = cookie:s\norigins = https://a, none\n[auth t]\ntype = "
                  "tokens\nfile = DIR/t\n",
     7, "takes a cookie and has origins = * or none"},
    {"a compressed first message",
     LISTEN ROUTE "auth = t\nauth_from = first_message\ncompression = on\n[auth t]\ntype = "
                  "tokens\nfile = DIR/t\n",
     7, "has compression = on and auth_from = first_message"},
    {"[defaults]",
     LISTEN "[defaults]\nauth = t\nauth_from = bearer\n" ROUTE
            "[auth t]\ntype = tokens\nfile = DIR/t\n",
     0, NULL},
    {"an unknown one of [defaults]", LISTEN "[defaults]\nauth = x\nauth_from = bearer\n" ROUTE, 4,
     "there is no [auth x]"},
};

static void test_rows(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct report report;
        struct config *config = parse(rows[i].text, &report);
        char *got = report_text(&report);
        char where[32];
        snprintf(where, sizeof(where), "f.ini:%u: ", rows[i].line);
        if (rows[i].message == NULL) {
            CHECK_EQ_STR(rows[i].name, got, "");
            CHECK_TRUE(rows[i].name, config != NULL);
        } else {
            char *at = strstr(got, rows[i].message);
            CHECK_TRUE(rows[i].name, at != NULL);
            CHECK_TRUE(rows[i].name, strstr(got, where) != NULL);
            if (at == NULL) {
                printf("%s: %s\n", rows[i].name, got);
            }
        }
        free(got);
        report_done(&report);
        config_free(config);
    }
}

static const char whole[] =
    LISTEN "trusted_proxies = 10.0.0.1\n"
           "[auth one]\ntype = jwt\nkeys = DIR/jwks\nalgorithms = EdDSA\nissuer = https://i\n"
           "audience = a, b\nrequire = role:operator, x:y=z\nleeway = 5s\ntyp = at+jwt\n"
           "require_exp = no\n[auth two]\ntype = tokens\nfile = DIR/t\n[auth three]\ntype = jwt\n"
           "secret_file = DIR/secret\nalgorithms = HS256\n"
           "[route r]\npath = /r\nbackend = echo:\nauth = one\n"
           "auth_from = cookie:__Host-s, bearer, query:t, header:X-Token, subprotocol\n"
           "[route s]\npath = /s\nbackend = echo:\nauth = two\nauth_from = bearer\n"
           "[route t]\npath = /t\nbackend = echo:\nauth = three\nauth_from = bearer\n";

// What is printed makes the same snapshot, and nothing of the files is printed.
static void test_printed(void)
{
    struct report report;
    struct config *config = parse(whole, &report);
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!CHECK_TRUE("good", config != NULL)) {
        return;
    }
    config_print(config, out);
    fclose(out);
    CHECK_TRUE("a secret", strstr(text, SECRET) == NULL);
    CHECK_TRUE("a digest", strstr(text, "9f86d081") == NULL && strstr(text, "alice") == NULL);
    CHECK_TRUE("a key", strstr(text, "11qYAYKxCrf") == NULL);
    CHECK_TRUE("a requirement", strstr(text, "require = role=operator, x:y=z\n") != NULL);
    CHECK_TRUE("places", strstr(text, "auth_from = cookie:__Host-s, bearer, query:t, "
                                      "header:X-Token, subprotocol\n") != NULL);
    report_done(&report);
    struct config *again = config_parse(span_from_str(text), &report);
    if (CHECK_TRUE("again", again != NULL)) {
        struct change change;
        change_count(config, again, &change);
        CHECK_EQ_U64("routes", change.routes_changed + change.routes_new + change.routes_gone, 0);
        CHECK_EQ_U64("auths", again->auth_count, 3);
        CHECK_EQ_U64("leeway", again->auths[0].rules.leeway_s, 5);
        CHECK_TRUE("exp", again->auths[0].rules.is_exp_optional);
        CHECK_EQ_U64("keys", again->auths[2].keys.count, 1);
    }
    free(text);
    report_done(&report);
    config_free(again);
    config_free(config);
}

static const struct {
    const char *name;
    const char *content;
    mode_t mode;
} files[] = {
    {"t", "# who may enter\n" ALICE "\n", 0640},
    {"p", "ann:$2b$04$lvqNj5GmmXKYsHROXri0HOfkchyPS/2nLvZsTi5N1gjXK8XZhwiS6\n", 0600},
    {"broken", ALICE "\nbob:12\n", 0600},
    {"loose", ALICE "\n", 0644},
    {"revoked", "sub:ann\n", 0644},
    {"cut", "sub:ann\nsub:b", 0644},
    {"empty", "", 0644},
    {"open", "sub:ann\n", 0646},
    {"jwks", ED25519, 0644},
    {"changeable", ED25519, 0646},
    {"half", "{\n\"keys\": [", 0644},
    {"pem", ED25519_PEM, 0644},
    {"secret", SECRET "\n", 0600},
    {"told", SECRET "\n", 0604},
    {"short", "short", 0600},
};

static void test_all(void)
{
    char path[128];
    json_doc_start(1);
    if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0) {
        GIVE_UP();
    }
    for (size_t i = 0; i < COUNT(files); i++) {
        write_file(files[i].name, files[i].content, files[i].mode);
    }
    test_rows();
    test_printed();
    for (size_t i = 0; i < COUNT(files); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, files[i].name);
        unlink(path);
    }
    rmdir(folder);
}

CU_TestInfo config_auth_tests[] = {
    {"[auth]", test_all},
    CU_TEST_INFO_NULL,
};
