/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/listen.h"

#include <string.h>
#include <time.h>

#include "conf/listen_parts.h"
#include "io/tls_chain.h"
#include "io/tls_pem.h"
#include "io/tls_proof.h"

#define TOKEN_BYTES_MIN 16
#define TOKEN_BYTES_MAX 512

/* Where findings about one certificate go. */
struct verdict {
    struct build *build;
    struct listen_proof proof;
    bool is_bad;
};

static void take_finding(void *owner, enum tls_chain_weight weight, const char *text)
{
    struct verdict *verdict = owner;
    struct report *report = verdict->build->report;
    struct span path = verdict->proof.certificate_path;

    switch (weight) {
    case TLS_CHAIN_WARNING:
        report_warn(report, verdict->proof.line, "%.*s: %s", REPORT_SHOW_PATH(path), text);
        break;
    case TLS_CHAIN_ERROR:
        report_add(report, verdict->proof.line, "%.*s: %s", REPORT_SHOW_PATH(path), text);
        verdict->is_bad = true;
        break;
    }
}

void listen_prove(struct build *build, const struct config_pair *pair,
                  enum config_tls_version version, struct listen_proof proof)
{
    struct tls_pair one = {pair->certificate, pair->key};
    struct verdict verdict = {.build = build, .proof = proof};
    const char *detail;

    if (build->is_proven) {
        return;
    }
    tls_chain_check(pair->certificate, (int64_t)time(NULL), take_finding, &verdict);
    if (verdict.is_bad) {
        return; /* a trial could only say the same in fewer words */
    }
    detail = tls_proof_run(&one, version == CONFIG_TLS_1_3 ? TLS_1_3 : TLS_1_2);
    if (detail != NULL) {
        report_add(build->report, proof.line, "%.*s with %.*s: %s",
                   REPORT_SHOW_PATH(proof.certificate_path), REPORT_SHOW_PATH(proof.key_path),
                   detail);
    }
}

static void forget(struct span text)
{
    if (text.len > 0) {
        explicit_bzero((char *)(uintptr_t)text.data, text.len);
    }
}

void listen_forget_keys(const struct config *config)
{
    for (size_t i = 0; i < config->listen_count; i++) {
        const struct config_listen *listen = &config->listens[i];

        for (size_t k = 0; k < listen->pair_count; k++) {
            forget(listen->pairs[k].key);
            if (tls_pem_has_key(listen->pairs[k].certificate)) {
                forget(listen->pairs[k].certificate);
            }
        }
    }
    for (size_t i = 0; i < config->route_count; i++) {
        const struct config_pair *pair = &config->routes[i].backend_tls.pair;

        forget(pair->key);
        if (tls_pem_has_key(pair->certificate)) {
            forget(pair->certificate);
        }
    }
}

static bool read_pem(struct build *build, const struct draft_item *item, struct span *out)
{
    const struct bundle_file *file = build_file(build, item);

    if (file == NULL) {
        return false;
    }
    if (!arena_copy(build->texts, file->bytes, out)) {
        report_no_memory(build->report);
        return false;
    }
    if (tls_pem_has_key(*out)) {
        build_check_exposure(build, item, "key", file->exposure);
    }
    return true;
}

/* Certificates and keys belong together by their place in the lists. Every file is tried, so that
 * all that are missing are named at once. */
static void build_pairs(struct build *build, const struct draft_value *certificates,
                        const struct draft_value *keys, struct config_listen *listen)
{
    const struct draft_item *certificate = certificates->items;
    const struct draft_item *key = keys->items;
    size_t count = certificates->count > keys->count ? certificates->count : keys->count;

    listen->pairs = build_array(build, count, sizeof(*listen->pairs));
    if (listen->pairs == NULL) {
        return;
    }
    while (certificate != NULL || key != NULL) {
        struct config_pair *pair = &listen->pairs[listen->pair_count++];
        bool is_read = certificate != NULL && key != NULL;
        struct listen_proof proof = {.line = 0};

        if (certificate != NULL) {
            proof.certificate_path = certificate->text;
            proof.line = certificate->line;
            is_read &= read_pem(build, certificate, &pair->certificate);
            certificate = certificate->next;
        }
        if (key != NULL) {
            proof.key_path = key->text;
            is_read &= read_pem(build, key, &pair->key);
            key = key->next;
        }
        if (is_read) {
            listen_prove(build, pair, listen->tls_min_version, proof);
        }
    }
}

/* A certificate that is in no file. */
static void take_lent(struct build *build, struct config_listen *listen)
{
    listen->pairs = build_array(build, 1, sizeof(*listen->pairs));
    if (listen->pairs == NULL) {
        return;
    }
    if (!arena_copy(build->texts, build->lent->certificate, &listen->pairs->certificate) ||
        !arena_copy(build->texts, build->lent->key, &listen->pairs->key)) {
        report_no_memory(build->report);
        return;
    }
    listen->is_tls = true;
    listen->pair_count = 1;
    listen_prove(build, listen->pairs, listen->tls_min_version, (struct listen_proof){.line = 0});
}

static void build_tls(struct build *build, const struct draft_section *section,
                      struct config_listen *listen)
{
    const struct draft_value *certificates = draft_value(section, "tls_certificate");
    const struct draft_value *keys = draft_value(section, "tls_key");

    listen->is_tls = certificates->line != 0 || keys->line != 0;
    if (!listen->is_tls) {
        if (build->lent != NULL) {
            take_lent(build, listen);
        }
        return;
    }
    if (certificates->line != 0 && keys->line != 0 && certificates->count != keys->count) {
        report_add(build->report, keys->line,
                   "tls_certificate names %zu file%s, tls_key names %zu: each certificate needs "
                   "its key, in the same order",
                   certificates->count, certificates->count == 1 ? "" : "s", keys->count);
    }
    build_pairs(build, certificates, keys, listen);
    listen_build_client(build, section, listen);
}

/* Short ones can be guessed, and what is no word of a header cannot be brought. */
static const char *token_fault(struct span token)
{
    if (token.len < TOKEN_BYTES_MIN || token.len > TOKEN_BYTES_MAX) {
        return "a token has 16 to 512 characters: openssl rand -hex 32 >FILE";
    }
    for (size_t i = 0; i < token.len; i++) {
        if (token.data[i] <= ' ' || token.data[i] > '~') {
            return "a token is one line of printable ASCII without blanks";
        }
    }
    return NULL;
}

static struct span without_line_end(struct span text)
{
    while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r')) {
        text.len--;
    }
    return text;
}

static void build_token(struct build *build, const struct draft_section *section,
                        struct config_listen *listen)
{
    const struct draft_item *item = draft_value(section, "token_file")->items;
    const struct bundle_file *file = item != NULL ? build_file(build, item) : NULL;

    if (file == NULL) {
        return;
    }
    struct span text = without_line_end(file->bytes);
    const char *fault = token_fault(text);
    if (fault != NULL) {
        report_add(build->report, item->line, "%.*s: %s", REPORT_SHOW_PATH(item->text), fault);
    }
    build_check_exposure(build, item, "token", file->exposure);
    if (!arena_copy(build->texts, text, &listen->token)) {
        report_no_memory(build->report);
    }
}

static void check_address_is_new(struct build *build, const struct config_listen *listen,
                                 unsigned line)
{
    for (size_t i = 0; i < build->config->listen_count; i++) {
        const struct config_listen *other = &build->config->listens[i];

        if (other->address.len != 0 && addr_port(&listen->address) != 0 &&
            addr_is_equal(&other->address, &listen->address)) {
            char text[ADDR_TEXT_MAX];

            report_add(build->report, line, "%s is already the address of [%s%.*s] (line %u)",
                       addr_print(&listen->address, text, sizeof(text)),
                       other->kind == CONFIG_LISTEN_PUBLIC ? "listen " : "",
                       REPORT_SHOW(other->name), other->line);
            return;
        }
    }
}

static void build_listen(struct build *build, const struct draft_section *section,
                         struct config_listen *listen)
{
    listen->line = section->line;
    listen->config = build->config;
    build_fallbacks(build, section->kind, listen);
    build_section(build, section, listen);
    check_address_is_new(build, listen, draft_value(section, "address")->line);
    if (section->kind == KEY_LISTEN) {
        build_tls(build, section, listen);
    }
    if (section->kind == KEY_ADMIN) {
        build_token(build, section, listen);
    }
    build_check_needs(build, section, listen);
}

/* What the log calls [health] or [admin] may not be the name of another listener too. */
static void check_name_is_free(struct build *build, const struct config_listen *listen)
{
    for (size_t i = 0; i < build->config->listen_count; i++) {
        const struct config_listen *other = &build->config->listens[i];

        if (other->kind == CONFIG_LISTEN_PUBLIC && span_is_equal(other->name, listen->name)) {
            report_add(build->report, other->line,
                       "[listen %.*s] has the name that the log gives to [%.*s]; call it "
                       "something else",
                       REPORT_SHOW(other->name), REPORT_SHOW(other->name));
        }
    }
}

static void build_all(struct build *build, enum key_section section, enum config_listen_kind kind)
{
    struct config *config = build->config;

    for (const struct draft_section *s = build->draft->sections; s != NULL; s = s->next) {
        struct config_listen *listen = &config->listens[config->listen_count];

        if (s->kind == section) {
            listen->kind = kind;
            listen->name = s->name;
            if (kind != CONFIG_LISTEN_PUBLIC) {
                listen->name = span_from_str(key_section_header(section)->word);
                check_name_is_free(build, listen);
            }
            build_listen(build, s, listen);
            config->listen_count++;
        }
    }
}

void listen_build(struct build *build)
{
    struct config *config = build->config;
    size_t count = draft_count(build->draft, KEY_LISTEN);

    if (count == 0 && !build->draft->has_lost_section) {
        report_add(build->report, 0, "there is no [listen NAME] section: nothing to listen on");
    }
    count += draft_count(build->draft, KEY_HEALTH) + draft_count(build->draft, KEY_ADMIN);
    config->listens = build_array(build, count, sizeof(*config->listens));
    if (config->listens == NULL) {
        return;
    }
    build_all(build, KEY_LISTEN, CONFIG_LISTEN_PUBLIC);
    build_all(build, KEY_HEALTH, CONFIG_LISTEN_HEALTH);
    build_all(build, KEY_ADMIN, CONFIG_LISTEN_ADMIN);
}

/* False also for a plain listener: something in front of it may have the certificate. */
static bool lacks_certificate(const struct config_listen *listen, struct span host)
{
    for (size_t i = 0; i < listen->pair_count; i++) {
        if (tls_chain_is_for(listen->pairs[i].certificate, host)) {
            return false;
        }
    }
    return listen->is_tls || listen->kind != CONFIG_LISTEN_PUBLIC;
}

void listen_check_hosts(struct build *build)
{
    const struct config *config = build->config;
    size_t route = 0;

    if (build->is_proven) {
        return; /* the master has warned */
    }
    for (const struct draft_section *s = build->draft->sections; s != NULL; s = s->next) {
        struct span host;
        bool is_lacking = config->listen_count > 0;

        if (s->kind != KEY_ROUTE || route == config->route_count) {
            continue;
        }
        host = config->routes[route++].policy.host;
        if (host.len == 0 || host.data[0] == '*') {
            continue; /* a certificate may be for some hosts that the wildcard fits */
        }
        for (size_t i = 0; i < config->listen_count; i++) {
            is_lacking &= lacks_certificate(&config->listens[i], host);
        }
        if (is_lacking) {
            report_warn(build->report, draft_value(s, "host")->line,
                        "no listener has a certificate for the host '%.*s': clients that call it "
                        "by this name refuse the connection",
                        REPORT_SHOW(host));
        }
    }
}
