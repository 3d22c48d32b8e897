/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/route_tls.h"

#include <time.h>

#include "conf/authorities.h"
#include "io/tls_chain.h"
#include "io/tls_pem.h"
#include "io/tls_proof.h"
#include "io/x509.h"

void route_find_tls(struct config_route *route)
{
    for (size_t i = 0; i < route->backend_count; i++) {
        route->needs_backend_tls |= route->backends[i].is_tls;
    }
}

/* A key of the route, or of [defaults]. */
static const struct draft_value *find_value(const struct build *build,
                                            const struct draft_section *section, const char *key)
{
    const struct draft_value *value = draft_value(section, key);

    for (const struct draft_section *s = build->draft->sections; s != NULL; s = s->next) {
        if (value->line == 0 && s->kind == KEY_DEFAULTS) {
            value = draft_value(s, key);
        }
    }
    return value;
}

/* --- whom to trust ------------------------------------------------------------------------- */

/* Among a system's CAs some may be of a kind that sluice does not take: nobody here chose them. */
static void use_system(struct build *build, struct config_route *route)
{
    const struct bundle_file *file = bundle_find(build->bundle, SPAN_LIT(BUNDLE_SYSTEM_CA));

    route->backend_tls.is_trust_system = true;
    if (file == NULL || file->problem.len > 0) {
        report_add(build->report, route->line,
                   "[route %.*s] has a tls:// backend and no backend_ca, and the system's CAs "
                   "cannot be read: " BUNDLE_SYSTEM_CA ": %s",
                   REPORT_SHOW(route->policy.name),
                   file != NULL ? file->problem.data : "the bundle lacks it");
        return;
    }
    if (build->system_ca.len == 0) {
        authorities_join(build, &file->bytes, 1, trust_fits_servers, &build->system_ca);
    }
    if (build->system_ca.len == 0) {
        report_add(build->report, route->line,
                   "[route %.*s] has a tls:// backend and no backend_ca, and " BUNDLE_SYSTEM_CA
                   " has no CA that sluice can use",
                   REPORT_SHOW(route->policy.name));
    }
    route->backend_tls.trust = build->system_ca;
}

static void use_files(struct build *build, const struct draft_value *value,
                      struct config_route *route)
{
    struct authorities_files files;

    if (authorities_read(build, value, "list of CAs", &files) &&
        authorities_prove(build, &files, TRUST_SERVERS)) {
        authorities_join(build, files.texts, files.count, NULL, &route->backend_tls.trust);
    }
}

/* --- what to show -------------------------------------------------------------------------- */

static bool read_pem(struct build *build, const struct draft_item *item, struct span *out)
{
    const struct bundle_file *file = item != NULL ? build_file(build, item) : NULL;

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

/* NULL, or what backends will find wrong with the certificate. */
static const char *judge_own(struct span pem, bool *out_is_error)
{
    struct tls_der der;
    struct x509 parts;
    int64_t now_s = (int64_t)time(NULL);
    const char *fault = tls_pem_certificates(pem, &der);

    *out_is_error = fault != NULL;
    for (size_t i = 0; fault == NULL && i < der.count; i++) {
        struct span item = tls_pem_item(&der, i);

        fault = tls_chain_client_fault(item, i == 0);
        if (fault == NULL && x509_read(item, &parts)) {
            fault = parts.ends_s < now_s   ? "certificate has expired: backends refuse it"
                    : parts.from_s > now_s ? "certificate is not valid yet: backends refuse it"
                                           : NULL;
        }
    }
    tls_pem_done(&der);
    return fault;
}

static void prove_pair(struct build *build, const struct draft_item *certificate,
                       const struct draft_item *key, const struct config_pair *pair)
{
    struct tls_pair one = {pair->certificate, pair->key};
    bool is_error = false;
    const char *fault = judge_own(pair->certificate, &is_error);

    if (fault != NULL && is_error) {
        report_add(build->report, certificate->line, "%.*s: %s",
                   REPORT_SHOW_PATH(certificate->text), fault);
        return;
    }
    if (fault != NULL) {
        report_warn(build->report, certificate->line, "%.*s: %s",
                    REPORT_SHOW_PATH(certificate->text), fault);
    }
    fault = tls_proof_run_own(&one);
    if (fault != NULL) {
        report_add(build->report, certificate->line, "%.*s with %.*s: %s",
                   REPORT_SHOW_PATH(certificate->text), REPORT_SHOW_PATH(key->text), fault);
    }
}

/* In a route build_check_needs tells. */
static void check_defaults(struct build *build, const struct draft_section *section,
                           const struct draft_item *item, const char *name, const char *other)
{
    if (item != NULL && draft_value(section, name)->line == 0) {
        report_add(build->report, item->line, "'%s' means nothing without %s", name, other);
    }
}

static void read_pair(struct build *build, const struct draft_section *section,
                      struct config_route *route)
{
    const struct draft_item *certificate = find_value(build, section, "backend_certificate")->items;
    const struct draft_item *key = find_value(build, section, "backend_key")->items;
    struct config_pair *pair = &route->backend_tls.pair;

    if (certificate == NULL || key == NULL) {
        check_defaults(build, section, certificate, "backend_certificate", "backend_key");
        check_defaults(build, section, key, "backend_key", "backend_certificate");
        return;
    }
    bool is_read = read_pem(build, certificate, &pair->certificate);
    is_read &= read_pem(build, key, &pair->key);
    if (is_read && !build->is_proven) {
        prove_pair(build, certificate, key, pair);
    }
}

void route_build_tls(struct build *build, const struct draft_section *section,
                     struct config_route *route)
{
    const struct draft_value *files = find_value(build, section, "backend_ca");
    unsigned line = find_value(build, section, "backend_verify")->line;

    if (!route->needs_backend_tls) {
        return;
    }
    if (!route->backend_tls.is_verified) {
        if (!build->is_proven) {
            report_warn(build->report, line,
                        "[route %.*s] has backend_verify = off: whoever stands between sluice and "
                        "this backend can read and change everything",
                        REPORT_SHOW(route->policy.name));
        }
    } else if (files->count > 0) {
        use_files(build, files, route);
    } else {
        use_system(build, route);
    }
    read_pair(build, section, route);
}
