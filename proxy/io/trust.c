/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/trust.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/mem.h"
#include "io/crl.h"
#include "io/peer_cert.h"
#include "io/signature.h"
#include "io/tls_chain.h"
#include "io/tls_pem.h"
#include "io/x509.h"

enum { TEXT_MAX = 300, TITLE_MAX = 100, DATE_TEXT = 24 };

/* Where findings go. */
struct teller {
    trust_tell_fn *tell;
    void *owner;
    int64_t now_s;
    size_t file;
    enum trust_peer peer;
};

__attribute__((format(printf, 3, 4))) static void
tell(const struct teller *teller, enum trust_weight weight, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    /* Names in certificates are anybody's bytes. */
    for (char *c = text; *c != '\0'; c++) {
        *c = *c >= 0x20 && *c <= 0x7e ? *c : '?';
    }
    teller->tell(teller->owner, weight, teller->file, text);
}

static const char *print_date(int64_t at_s, char out[DATE_TEXT])
{
    struct tm parts;
    time_t at = (time_t)at_s;

    return gmtime_r(&at, &parts) != NULL && strftime(out, DATE_TEXT, "%Y-%m-%d %H:%M", &parts) > 0
               ? out
               : "?";
}

/* What messages call a CA. */
static const char *title_of(struct span der, char out[TITLE_MAX])
{
    static const uint8_t no_fingerprint[PEER_CERT_FINGERPRINT];
    struct peer_cert *cert = NULL;
    struct span title = SPAN_LIT("a certificate");

    if (peer_cert_read(der, no_fingerprint, &cert) == PEER_CERT_OK &&
        cert->names[0].kind != PEER_CERT_FINGERPRINT_HEX) {
        title = peer_cert_title(cert);
    }
    snprintf(out, TITLE_MAX, "%.*s", (int)size_min(title.len, TITLE_MAX - 1), title.data);
    peer_cert_free(cert);
    return out;
}

/* ------------------------------------------------------------------------------------------ CAs */

static const char *fault_of(struct span der, enum trust_peer peer, struct x509 *out)
{
    const char *fault = NULL;

    switch (peer) {
    case TRUST_CLIENTS:
        fault = tls_chain_authority_fault(der);
        break;
    case TRUST_SERVERS:
        fault = tls_chain_anchor_fault(der);
        break;
    }
    if (fault == NULL && !x509_read(der, out)) {
        fault = "certificate is damaged";
    }
    if (fault == NULL && x509_name_constraints(out).len > 0 &&
        peer_cert_limit(NULL, x509_name_constraints(out)) == PEER_CERT_LIMIT_UNKNOWN) {
        fault = "certificate has nameConstraints of a kind that sluice does not know";
    }
    return fault;
}

bool trust_fits_servers(struct span der)
{
    struct x509 parts;

    return fault_of(der, TRUST_SERVERS, &parts) == NULL;
}

static void check_authority(const struct teller *teller, struct span der)
{
    const char *peers = teller->peer == TRUST_CLIENTS ? "clients" : "backends";
    char title[TITLE_MAX];
    char date[DATE_TEXT];
    struct x509 parts;
    const char *fault = fault_of(der, teller->peer, &parts);

    if (fault != NULL) {
        tell(teller, TRUST_ERROR, "%s: %s", title_of(der, title), fault);
    } else if (parts.ends_s < teller->now_s) {
        tell(teller, TRUST_WARNING, "%s expired at %s: %s with certificates of it are refused",
             title_of(der, title), print_date(parts.ends_s, date), peers);
    } else if (parts.from_s > teller->now_s) {
        tell(teller, TRUST_WARNING,
             "%s is not valid before %s: %s with certificates of it are refused",
             title_of(der, title), print_date(parts.from_s, date), peers);
    }
}

void trust_check_authorities(const struct trust_authorities *authorities, int64_t now_s,
                             trust_tell_fn *tell_fn, void *owner)
{
    struct teller teller = {
        .tell = tell_fn, .owner = owner, .now_s = now_s, .peer = authorities->peer};

    for (; teller.file < authorities->count; teller.file++) {
        struct tls_der der;
        const char *fault = tls_pem_certificates(authorities->files[teller.file], &der);

        if (fault != NULL) {
            tell(&teller, TRUST_ERROR, "%s", fault);
            continue;
        }
        for (size_t i = 0; i < der.count; i++) {
            check_authority(&teller, tls_pem_item(&der, i));
        }
        tls_pem_done(&der);
    }
}

/* --------------------------------------------------------------------------------------- lists */

/* The authorities' certificates, file by file, and how lists fit them. */
struct authorities {
    struct tls_der *files;
    size_t count;
};

typedef bool visit_fn(void *context, struct span der, const struct x509 *parts);

/* Visits authorities until one says true. */
static bool visit(const struct authorities *all, visit_fn *fn, void *context)
{
    for (size_t i = 0; i < all->count; i++) {
        for (size_t k = 0; k < all->files[i].count; k++) {
            struct span der = tls_pem_item(&all->files[i], k);
            struct x509 parts;

            if (x509_read(der, &parts) && fn(context, der, &parts)) {
                return true;
            }
        }
    }
    return false;
}

struct search {
    const struct crl *crl;
    enum signature_x509 best; /* of the authorities with the issuer's name */
    bool is_named;
};

static bool has_signed(void *context, struct span der, const struct x509 *parts)
{
    struct search *search = context;
    const struct crl *crl = search->crl;

    (void)der;
    if (!span_is_equal(parts->subject, crl->issuer)) {
        return false;
    }
    search->is_named = true;
    search->best = signature_prove_x509(parts->key, crl->algorithm, crl->body, crl->signature);
    return search->best == SIGNATURE_X509_PROVEN;
}

static void check_list(const struct teller *teller, const struct authorities *authorities,
                       const struct crl *crl)
{
    struct search search = {.crl = crl, .best = SIGNATURE_X509_WRONG};
    char date[DATE_TEXT];

    if (!visit(authorities, has_signed, &search)) {
        const char *why =
            !search.is_named ? "a revocation list is of a CA that is not in tls_client_ca: add it"
            : search.best == SIGNATURE_X509_UNKNOWN
                ? "a revocation list is signed in a way that sluice does not take: RSA (PKCS #1) "
                  "or ECDSA with SHA-256 and up, or Ed25519"
            : search.best == SIGNATURE_X509_NO_MEMORY
                ? "out of memory"
                : "a revocation list is not signed by the CA that it names";
        tell(teller, TRUST_ERROR, "%s", why);
        return;
    }
    if (crl->from_s > teller->now_s) {
        tell(teller, TRUST_WARNING, "a revocation list is of the future (thisUpdate %s)",
             print_date(crl->from_s, date));
    }
    if (crl->next_s != 0 && crl->next_s < teller->now_s) {
        tell(teller, TRUST_WARNING,
             "a revocation list is old: the next one was due at %s. sluice goes on with it, and "
             "does not know what was revoked since",
             print_date(crl->next_s, date));
    }
}

struct coverage {
    const struct teller *teller;
    const struct crl_set *set;
    const struct authorities *authorities;
};

static bool is_other_issued(void *context, struct span der, const struct x509 *parts)
{
    const struct x509 *issuer = context;

    (void)der;
    return span_is_equal(parts->issuer, issuer->subject) &&
           !span_is_equal(parts->subject, issuer->subject);
}

/* A CA that has only signed other CAs of the files needs no list of its own. */
static bool tell_if_bare(void *context, struct span der, const struct x509 *parts)
{
    struct coverage *coverage = context;
    struct x509 issuer = *parts;
    char title[TITLE_MAX];

    if (crl_set_ask(coverage->set, parts->subject, parts->serial) == CRL_SAYS_NOTHING &&
        !visit(coverage->authorities, is_other_issued, &issuer)) {
        tell(coverage->teller, TRUST_WARNING,
             "no revocation list is of %s: clients with certificates that it signed are refused",
             title_of(der, title));
    }
    return false;
}

static void check_set(struct teller *teller, const struct authorities *authorities,
                      const struct crl_set *set)
{
    struct coverage coverage = {teller, set, authorities};

    for (size_t i = 0; i < crl_set_count(set); i++) {
        const struct crl *crl = crl_set_at(set, i, &teller->file);

        check_list(teller, authorities, crl);
    }
    teller->file = 0;
    (void)visit(authorities, tell_if_bare, &coverage);
}

void trust_check_lists(const struct trust_lists *lists, int64_t now_s, trust_tell_fn *tell_fn,
                       void *owner)
{
    struct teller teller = {.tell = tell_fn, .owner = owner, .now_s = now_s};
    struct authorities authorities = {
        .files = mem_alloc_zero((lists->authority_count + 1) * sizeof(*authorities.files))};
    const char *fault = NULL;
    struct crl_set *set = crl_set_new(lists->files, lists->count, &fault, &teller.file);

    if (set == NULL || authorities.files == NULL) {
        tell(&teller, TRUST_ERROR, "%s", fault != NULL ? fault : "out of memory");
    } else {
        for (size_t i = 0; i < lists->authority_count; i++) {
            const char *detail = tls_pem_certificates(lists->authorities[i], &authorities.files[i]);
            (void)detail; /* trust_check_authorities has told */
            authorities.count++;
        }
        check_set(&teller, &authorities, set);
    }
    for (size_t i = 0; i < authorities.count; i++) {
        tls_pem_done(&authorities.files[i]);
    }
    mem_free(authorities.files);
    crl_set_free(set);
}
