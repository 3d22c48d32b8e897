/* SPDX-License-Identifier: GPL-3.0-or-later */
// Who a client's certificate says that the client is, by routes that ask for it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cert_kit.h"
#include "check.h"
#include "conf/config.h"
#include "der_kit.h"
#include "gate/identity.h"
#include "give_up.h"
#include "suites.h"

#define NOW 1790000000
#define ENDS 1798761600 // 2027-01-01, as der_certificate makes them
#define SECTIONS \
    "[auth any]\ntype = certificate\n" \
    "[auth named]\ntype = certificate\nnames = dns:*.robots.example, cn:arm\n" \
    "[route open]\npath = /open\nbackend = echo:\n" \
    "[route any]\npath = /any\nbackend = echo:\nauth = any\n" \
    "[route named]\npath = /named\nbackend = echo:\nauth = named\n"

static const struct row {
    const char *name;
    size_t route;
    struct span common_name; // data NULL: the client shows no certificate
    struct span host;
    uint64_t now_s;
    const char *word;    // of a refusal
    const char *subject; // of an identity
} rows[] = {
    {"nobody is asked", 0, SPAN_LIT("leg"), SPAN_LIT("x.test"), NOW, NULL, NULL},
    {"none, and nobody asks", 0, {NULL, 0}, SPAN_LIT(""), NOW, NULL, NULL},
    {"none", 1, {NULL, 0}, SPAN_LIT(""), NOW, "missing", NULL},
    {"any", 1, SPAN_LIT("leg"), SPAN_LIT("x.test"), NOW, NULL, "cn:leg"},
    {"a host", 2, SPAN_LIT("leg"), SPAN_LIT("A7.robots.example"), NOW, NULL,
     "dns:a7.robots.example"},
    {"the first of the list", 2, SPAN_LIT("arm"), SPAN_LIT("a7.robots.example"), NOW, NULL,
     "dns:a7.robots.example"},
    {"the second", 2, SPAN_LIT("arm"), SPAN_LIT("x.test"), NOW, NULL, "cn:arm"},
    {"no name", 2, SPAN_LIT("leg"), SPAN_LIT("arm"), NOW, "name", NULL},
    {"its last second", 1, SPAN_LIT("leg"), SPAN_LIT("x.test"), ENDS, NULL, "cn:leg"},
    {"it has expired", 1, SPAN_LIT("leg"), SPAN_LIT("x.test"), ENDS + 1, "expired", NULL},
};

static void write_file(const char *path, const char *content)
{
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(content, file) == EOF || fclose(file) != 0 ||
        chmod(path, 0600) != 0) {
        GIVE_UP();
    }
}

// One certificate is the listener's and the CA of its clients.
static const struct config *config_of(const char *sections)
{
    static const struct kit_form form = {.names = "a.test"};
    static const char format[] = "[listen a]\naddress = 127.0.0.1:0\ntls_certificate = %s\n"
                                 "tls_key = %s\ntls_client_ca = %s\n%s";
    static struct kit_pair pair;
    char certificate_path[] = "/tmp/sluice-client-certificate-XXXXXX";
    char key_path[] = "/tmp/sluice-client-key-XXXXXX";
    char text[4096];
    struct report report;
    if (pair.key[0] == '\0') {
        pair = kit_make(KIT_EC, &form);
    }
    close(mkstemp(certificate_path));
    close(mkstemp(key_path));
    write_file(certificate_path, pair.certificate);
    write_file(key_path, pair.key);
    snprintf(text, sizeof(text), format, certificate_path, key_path, certificate_path, sections);
    const struct config *config = config_parse(span_from_str(text), &report);
    report_done(&report);
    unlink(certificate_path);
    unlink(key_path);
    return config;
}

static struct peer_cert *certificate(const struct row *row)
{
    static const uint8_t fingerprint[PEER_CERT_FINGERPRINT] = {1};
    struct peer_cert *cert = NULL;
    if (row->common_name.data == NULL) {
        return NULL;
    }
    const struct der_form form = {
        .serial = DER_OF("\x07"),
        .issuer = der_name(DER_UTF8, DER_OF("CA")),
        .subject = der_name(DER_UTF8, row->common_name),
        .alt_names = der_item(DER_CONTEXT_PLAIN(2), row->host),
    };
    if (peer_cert_read(der_certificate(&form), fingerprint, &cert) != PEER_CERT_OK) {
        GIVE_UP();
    }
    der_kit_reset();
    return cert;
}

static void check(const struct row *row, const struct config *config)
{
    struct peer_cert *cert = certificate(row);
    const struct identity_question question = {
        .route = &config->routes[row->route], .certificate = cert, .now_s = row->now_s};
    struct identity_answer answer;
    enum identity_verdict verdict = identity_of_request(&question, &answer);
    CHECK_EQ_INT(row->name, verdict, row->word == NULL ? IDENTITY_OK : IDENTITY_REFUSED);
    CHECK_EQ_INT(row->name, answer.who != NULL, row->subject != NULL);
    if (verdict == IDENTITY_REFUSED) {
        CHECK_EQ_STR(row->name, identity_reason_word(answer.reason), row->word);
    } else if (answer.who != NULL && row->subject != NULL) {
        CHECK_EQ_MEM(row->name, answer.who->subject.data, answer.who->subject.len, row->subject,
                     strlen(row->subject));
        CHECK_EQ_U64(row->name, answer.who->ends_s, ENDS + 1);
    }
    identity_free(answer.who);
    peer_cert_free(cert);
}

static void test_rows(void)
{
    const struct config *config = config_of(SECTIONS);
    if (!CHECK_TRUE("configuration", config != NULL)) {
        return;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check(&rows[i], config);
    }
    config_free(config);
}

static void test_holds(void)
{
    static const struct {
        const char *name;
        const char *sections;
        bool is_kept;
    } changes[] = {
        {"the same", SECTIONS, true},
        {"other names", "[auth named]\ntype = certificate\nnames = cn:leg\n", false},
        {"more names", "[auth named]\ntype = certificate\nnames = cn:leg, cn:arm\n", true},
        {"any name", "[auth named]\ntype = certificate\n", true},
        {"no such section", "[auth other]\ntype = certificate\nnames = cn:leg\n", true},
    };
    const struct config *before = config_of(SECTIONS);
    struct peer_cert *cert = certificate(&rows[6]);
    for (size_t i = 0; before != NULL && i < sizeof(changes) / sizeof(changes[0]); i++) {
        char text[1024];
        snprintf(text, sizeof(text), "%s%s", changes[i].sections,
                 i == 0 ? "" : "[route r]\npath = /r\nbackend = echo:\n");
        const struct config *now = config_of(text);
        if (CHECK_TRUE(changes[i].name, now != NULL)) {
            CHECK_EQ_INT(changes[i].name, identity_certificate_holds(&before->routes[2], cert, now),
                         changes[i].is_kept);
            CHECK_TRUE(changes[i].name, identity_certificate_holds(&before->routes[0], cert, now));
        }
        config_free(now);
    }
    peer_cert_free(cert);
    config_free(before);
}

CU_TestInfo identity_certificate_tests[] = {
    {"names", test_rows},
    {"names that change", test_holds},
    CU_TEST_INFO_NULL,
};
