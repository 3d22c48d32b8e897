/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/auth.h"

#include <string.h>

#include "io/signature.h"
#include "io/tls_pem.h"

/* ---- keys and accounts out of files ---- */

static unsigned allowed_of(const struct config_auth *auth)
{
    unsigned allowed = 0;

    for (size_t i = 0; i < auth->algorithm_count; i++) {
        allowed |= SIGKEY_SET(auth->algorithms[i]);
    }
    return allowed;
}

/* A JWK or JWKS; any other file is PEM, or a secret as it stands. */
static bool is_json(struct span text)
{
    text = span_trim(text);
    while (text.len > 0 && (text.data[0] == '\n' || text.data[0] == '\r')) {
        text = span_trim((struct span){text.data + 1, text.len - 1});
    }
    return text.len > 0 && text.data[0] == '{';
}

static void read_json_keys(struct build *build, const struct draft_item *item, struct span text,
                           unsigned allowed, struct config_auth *auth)
{
    struct jwt_keys_fault fault;

    if (jwt_keys_read(&auth->keys, text, allowed, signature_check_key, &fault)) {
        return;
    }
    if (fault.line != 0) {
        report_add(build->report, item->line, "%.*s:%u: %s", REPORT_SHOW_PATH(item->text),
                   fault.line, fault.detail);
    } else if (fault.key != 0) {
        report_add(build->report, item->line, "%.*s: key %zu: %s", REPORT_SHOW_PATH(item->text),
                   fault.key, fault.detail);
    } else {
        report_add(build->report, item->line, "%.*s: %s", REPORT_SHOW_PATH(item->text),
                   fault.detail);
    }
}

static void read_pem_keys(struct build *build, const struct draft_item *item, struct span text,
                          unsigned allowed, struct config_auth *auth)
{
    struct tls_der der;
    struct sigkey key;
    const char *detail = tls_pem_public_keys(text, &der);

    if (detail != NULL) {
        report_add(build->report, item->line, "%.*s: %s", REPORT_SHOW_PATH(item->text), detail);
        return;
    }
    for (size_t i = 0; i < der.count; i++) {
        detail = signature_key_of_der(tls_pem_item(&der, i), allowed, &key);
        detail = detail != NULL ? detail : jwt_keys_add(&auth->keys, &key, (struct span){NULL, 0});
        if (detail != NULL) {
            report_add(build->report, item->line, "%.*s: key %zu: %s", REPORT_SHOW_PATH(item->text),
                       i + 1, detail);
        }
    }
    tls_pem_done(&der);
}

static struct span without_line_end(struct span text)
{
    while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r')) {
        text.len--;
    }
    return text;
}

static void read_plain_secret(struct build *build, const struct draft_item *item, struct span text,
                              struct config_auth *auth)
{
    struct sigkey key = {.alg = SIGKEY_HS256};
    bool is_short_enough = sigkey_set_number(&key, without_line_end(text));
    const char *detail = !is_short_enough ? "a secret has at most 512 bytes" : sigkey_check(&key);

    detail = detail != NULL ? detail : jwt_keys_add(&auth->keys, &key, (struct span){NULL, 0});
    if (detail != NULL) {
        report_add(build->report, item->line, "%.*s: %s", REPORT_SHOW_PATH(item->text), detail);
    }
    explicit_bzero(&key, sizeof(key));
}

/* Public keys are no secret. */
static void check_keys_are_ours(struct build *build, const struct draft_item *item,
                                enum file_exposure exposure)
{
    if (exposure == FILE_WRITABLE) {
        report_add(build->report, item->line,
                   "%.*s: every user of this machine can change the keys: chmod o-w FILE",
                   REPORT_SHOW_PATH(item->text));
    }
}

/* An algorithm without a key refuses every token that names it. */
static void check_algorithms_have_keys(struct build *build, const struct draft_value *algorithms,
                                       const struct config_auth *auth)
{
    for (size_t i = 0; i < auth->algorithm_count; i++) {
        bool has_key = false;

        for (size_t k = 0; k < auth->keys.count; k++) {
            has_key |= auth->keys.items[k].key.alg == auth->algorithms[i];
        }
        if (!has_key && auth->keys.count > 0) {
            report_warn(build->report, algorithms->line,
                        "[auth %.*s] allows %s, but has no key for it", REPORT_SHOW(auth->name),
                        sigkey_alg_name(auth->algorithms[i]));
        }
    }
}

static void build_jwt(struct build *build, const struct draft_section *section,
                      struct config_auth *auth)
{
    const struct draft_value *algorithms = draft_value(section, "algorithms");
    const struct draft_item *keys = draft_value(section, "keys")->items;
    const struct draft_item *secret = draft_value(section, "secret_file")->items;
    const struct draft_item *item = keys != NULL ? keys : secret;
    unsigned fitting = keys != NULL ? JWT_PUBLIC_ALGS : JWT_SECRET_ALGS;
    unsigned allowed = allowed_of(auth);

    auth->rules.keys = &auth->keys;
    auth->rules.leeway_s = (uint32_t)((auth->leeway_ms + 999) / 1000);
    if (keys != NULL && secret != NULL) {
        report_add(build->report, secret->line,
                   "[auth %.*s] has keys and secret_file: tokens are signed with the one or the "
                   "other; write two sections",
                   REPORT_SHOW(auth->name));
    }
    if (item == NULL) {
        report_add(build->report, section->line,
                   "[auth %.*s] has neither keys nor secret_file: nothing could prove a token",
                   REPORT_SHOW(auth->name));
    }
    if (algorithms->line == 0) {
        report_add(build->report, section->line,
                   "[auth %.*s] has no algorithms: sluice does not guess from a token how it is "
                   "signed",
                   REPORT_SHOW(auth->name));
    }
    if (auth->is_single_use && auth->rules.is_exp_optional) {
        report_add(
            build->report, draft_value(section, "single_use")->line,
            "single_use = yes needs an exp in each token, and require_exp is no: nobody could "
            "forget a token that holds for ever");
    }
    if ((allowed & ~fitting) != 0 && item != NULL) {
        report_add(build->report, algorithms->line,
                   keys != NULL ? "HS256 is for secret_file, the other algorithms are for keys"
                                : "secret_file is for HS256 alone; the other algorithms need keys");
        return;
    }
    const struct bundle_file *file = item != NULL && allowed != 0 ? build_file(build, item) : NULL;
    if (file == NULL) {
        return;
    }
    if (keys != NULL) {
        check_keys_are_ours(build, item, file->exposure);
    } else {
        build_check_exposure(build, item, "secret", file->exposure);
    }
    if (is_json(file->bytes)) {
        read_json_keys(build, item, file->bytes, allowed, auth);
    } else if (keys != NULL) {
        read_pem_keys(build, item, file->bytes, allowed, auth);
    } else {
        read_plain_secret(build, item, file->bytes, auth);
    }
    check_algorithms_have_keys(build, algorithms, auth);
}

struct fault_owner {
    struct build *build;
    const struct draft_item *item;
};

static void take_fault(void *owner, unsigned line, const char *detail)
{
    const struct fault_owner *to = owner;

    if (line != 0) {
        report_add(to->build->report, to->item->line, "%.*s:%u: %s",
                   REPORT_SHOW_PATH(to->item->text), line, detail);
    } else {
        report_add(to->build->report, to->item->line, "%.*s: %s", REPORT_SHOW_PATH(to->item->text),
                   detail);
    }
}

static void read_accounts(struct build *build, const struct draft_section *section,
                          enum accounts_kind kind, struct config_auth *auth)
{
    const struct draft_item *item = draft_value(section, "file")->items;
    const struct bundle_file *file = item != NULL ? build_file(build, item) : NULL;
    struct fault_owner owner = {build, item};

    if (item == NULL) {
        report_add(build->report, section->line, "[auth %.*s] has no file",
                   REPORT_SHOW(auth->name));
    }
    if (file == NULL) {
        return;
    }
    build_check_exposure(build, item, kind == ACCOUNTS_TOKENS ? "digests of the tokens" : "hashes",
                         file->exposure);
    if (!accounts_read(&auth->accounts, kind, file->bytes, take_fault, &owner)) {
        build->report->is_failed = true; /* take_fault has said why */
    }
}

static void read_revoked(struct build *build, const struct draft_section *section,
                         struct config_auth *auth)
{
    const struct draft_item *item = draft_value(section, "revoked")->items;
    const struct bundle_file *file = item != NULL ? build_file(build, item) : NULL;
    struct fault_owner owner = {build, item};

    if (file == NULL) {
        return;
    }
    if (file->exposure == FILE_WRITABLE) {
        report_add(build->report, item->line,
                   "%.*s: every user of this machine can change who is revoked: chmod o-w FILE",
                   REPORT_SHOW_PATH(item->text));
    }
    if (!revoked_read(&auth->revoked, file->bytes, take_fault, &owner)) {
        build->report->is_failed = true; /* take_fault has said why */
    }
}

static void build_tokens(struct build *build, const struct draft_section *section,
                         struct config_auth *auth)
{
    read_accounts(build, section, ACCOUNTS_TOKENS, auth);
}

static void build_certificate(struct build *build, const struct draft_section *section,
                              struct config_auth *auth)
{
    /* The row of `names` has said all. */
    (void)build;
    (void)section;
    (void)auth;
}

static void build_basic(struct build *build, const struct draft_section *section,
                        struct config_auth *auth)
{
    read_accounts(build, section, ACCOUNTS_PASSWORDS, auth);
}

/* What follows from a type. */
static const struct {
    enum config_credential credential;
    void (*build)(struct build *build, const struct draft_section *section,
                  struct config_auth *auth);
} types[] = {
    [CONFIG_AUTH_JWT] = {CONFIG_TOKEN, build_jwt},
    [CONFIG_AUTH_TOKENS] = {CONFIG_TOKEN, build_tokens},
    [CONFIG_AUTH_CERTIFICATE] = {CONFIG_CERTIFICATE, build_certificate},
    [CONFIG_AUTH_BASIC] = {CONFIG_PASSWORD, build_basic},
};

static void build_auth(struct build *build, const struct draft_section *section,
                       struct config_auth *auth)
{
    auth->name = section->name;
    auth->line = section->line;
    build_fallbacks(build, KEY_AUTH, auth);
    build_section(build, section, auth);
    if (draft_value(section, "type")->items == NULL) {
        return; /* reported; the other keys mean nothing */
    }
    auth->credential = types[auth->type].credential;
    build_check_needs(build, section, auth);
    types[auth->type].build(build, section, auth);
    read_revoked(build, section, auth);
}

void auth_build(struct build *build)
{
    struct config *config = build->config;
    size_t count = draft_count(build->draft, KEY_AUTH);

    config->auths = build_array(build, count, sizeof(*config->auths));
    if (config->auths == NULL) {
        return;
    }
    for (const struct draft_section *s = build->draft->sections; s != NULL; s = s->next) {
        if (s->kind == KEY_AUTH) {
            build_auth(build, s, &config->auths[config->auth_count]);
            config->auth_count++;
        }
    }
}

/* ---- routes ---- */

size_t auth_bytes(const struct config *config)
{
    size_t bytes = 0;

    for (size_t i = 0; i < config->auth_count; i++) {
        const struct config_auth *auth = &config->auths[i];

        bytes += auth->keys.count * sizeof(*auth->keys.items) + auth->accounts.text_size +
                 auth->accounts.count * sizeof(*auth->accounts.entries) + auth->revoked.text_size +
                 auth->revoked.count * sizeof(*auth->revoked.entries);
    }
    return bytes;
}

void auth_check_use(struct build *build)
{
    const struct config *config = build->config;

    for (size_t i = 0; i < config->auth_count; i++) {
        bool is_used = false;

        for (size_t r = 0; r < config->route_count; r++) {
            for (size_t k = 0; k < config->routes[r].auth_count; k++) {
                is_used |= config->routes[r].auths[k] == &config->auths[i];
            }
        }
        if (!is_used) {
            report_warn(build->report, config->auths[i].line, "no route names [auth %.*s]",
                        REPORT_SHOW(config->auths[i].name));
        }
    }
}
