/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The look at the peer's certificate. wolfSSL has checked signatures, dates, path length and some
 * name constraints up to a CA; here is what it does not check. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/hash.h>

#include "base/mem.h"
#include "io/der.h"
#include "io/tls_parts.h"
#include "io/x509.h"

static const char *judge_revocation(const struct tls_context *context, struct span der, bool is_own)
{
    struct x509 parts;

    if (!x509_read(der, &parts)) {
        return "certificate is damaged";
    }
    switch (crl_set_ask(context->revoked, parts.issuer, parts.serial)) {
    case CRL_SAYS_GOOD:
        return NULL;
    case CRL_SAYS_REVOKED:
        return "certificate is revoked";
    case CRL_SAYS_NOTHING:
        break;
    }
    return is_own ? "no revocation list (tls_client_crl) is of the certificate's issuer" : NULL;
}

const char *tls_peer_keep_trust(struct tls_context *context, struct span trust)
{
    struct der_item item;
    size_t count = 0;

    if (trust.len == 0 || trust.data[0] != DER_SEQUENCE) {
        return NULL;
    }
    context->trust = mem_copy_str(trust);
    if (context->trust == NULL) {
        return "out of memory";
    }
    struct span rest = {context->trust, trust.len};
    while (der_next(&rest, &item)) {
        count++;
    }
    context->authorities = mem_alloc_zero((count + 1) * sizeof(*context->authorities));
    if (context->authorities == NULL) {
        return "out of memory";
    }
    for (rest = (struct span){context->trust, trust.len}; der_next(&rest, &item);) {
        struct x509 parts;

        if (x509_read(item.whole, &parts)) {
            context->authorities[context->authority_count++] = (struct tls_authority){
                .whole = item.whole,
                .subject = parts.subject,
                .constraints = x509_name_constraints(&parts),
                .from_s = parts.from_s,
                .ends_s = parts.ends_s,
                .is_own_only = tls_chain_authority_fault(item.whole) != NULL,
            };
        }
    }
    return NULL;
}

/* Has a certificate of the chain a CA for its issuer, and are all such CAs out of date? */
static const char *judge_issuer(const struct tls_context *context, struct span der, int64_t now_s)
{
    struct x509 parts;
    bool is_known = false;
    bool is_own_only = false;

    if (!x509_read(der, &parts)) {
        return "certificate is damaged";
    }
    for (size_t i = 0; i < context->authority_count; i++) {
        const struct tls_authority *authority = &context->authorities[i];

        if (!span_is_equal(authority->subject, parts.issuer)) {
            continue;
        }
        if (authority->is_own_only && !span_is_equal(authority->whole, der)) {
            is_own_only = true;
            continue;
        }
        if (authority->from_s <= now_s && now_s <= authority->ends_s) {
            return NULL;
        }
        is_known = true;
    }
    return is_known      ? "certificate's CA has expired, or is not valid yet"
           : is_own_only ? "certificate is from an unknown CA: its issuer is trusted as a server, "
                           "not as a CA"
                         : NULL;
}

static const char *judge(const struct tls_context *context, const WOLFSSL_X509_STORE_CTX *store)
{
    const char *fault = NULL;

    for (int i = 0; i < store->totalCerts && fault == NULL; i++) {
        struct span der = {(const char *)store->certs[i].buffer, store->certs[i].length};

        fault = context->role == TLS_SERVER ? tls_chain_client_fault(der, i == 0)
                                            : tls_chain_server_fault(der, i == 0);
        if (fault == NULL) {
            fault = judge_issuer(context, der, (int64_t)time(NULL));
        }
        if (fault == NULL && context->revoked != NULL) {
            fault = judge_revocation(context, der, i == 0);
        }
    }
    return fault;
}

static const char *judge_limit(const struct peer_cert *peer, struct span constraints)
{
    if (constraints.len == 0) {
        return NULL;
    }
    switch (peer_cert_limit(peer, constraints)) {
    case PEER_CERT_LIMIT_KEPT:
        return NULL;
    case PEER_CERT_LIMIT_BROKEN:
        return "certificate has a name that its CA may not sign (nameConstraints)";
    case PEER_CERT_LIMIT_UNKNOWN:
        break;
    }
    return "a CA of the certificate has nameConstraints of a kind that is not supported";
}

/* Asks each CA on the way: those that the peer has sent, and those that it has not. */
static const char *judge_limits(const struct tls_context *context, const struct peer_cert *peer,
                                const WOLFSSL_X509_STORE_CTX *store)
{
    const char *fault = NULL;

    for (int i = 0; i < store->totalCerts && fault == NULL; i++) {
        struct span der = {(const char *)store->certs[i].buffer, store->certs[i].length};
        struct x509 parts;

        if (!x509_read(der, &parts)) {
            return "certificate is damaged";
        }
        if (i > 0) {
            fault = judge_limit(peer, x509_name_constraints(&parts));
        }
        for (size_t k = 0; k < context->authority_count && fault == NULL; k++) {
            if (span_is_equal(context->authorities[k].subject, parts.issuer)) {
                fault = judge_limit(peer, context->authorities[k].constraints);
            }
        }
    }
    return fault;
}

static const char *take_names(struct tls *tls, struct span der)
{
    uint8_t fingerprint[PEER_CERT_FINGERPRINT];

    if (wc_Sha256Hash((const byte *)der.data, (word32)der.len, fingerprint) != 0) {
        return "out of memory";
    }
    peer_cert_free(tls->peer);
    switch (peer_cert_read(der, fingerprint, &tls->peer)) {
    case PEER_CERT_OK:
        return NULL;
    case PEER_CERT_DAMAGED:
        return "certificate is damaged";
    case PEER_CERT_BAD_NAME:
        return "certificate has a name that is no text, or too many names";
    case PEER_CERT_NO_MEMORY:
        break;
    }
    return "out of memory";
}

/* wolfSSL calls this for the client's own certificate, after all the others, and for each one that
 * it refuses. A 1 for one that it refuses would make it good. */
static int check_client(int is_good, WOLFSSL_X509_STORE_CTX *store)
{
    struct tls *tls = store->userCtx;

    if (is_good == 0 || store->error_depth != 0) {
        return is_good;
    }
    if (store->totalCerts == 0) {
        return tls->context->verify == TLS_VERIFY_OPTIONAL ? 1 : 0; /* it showed none */
    }
    const char *fault = judge(tls->context, store);
    if (fault == NULL) {
        fault = take_names(
            tls, (struct span){(const char *)store->certs[0].buffer, store->certs[0].length});
    }
    if (fault == NULL) {
        fault = judge_limits(tls->context, tls->peer, store);
    }
    if (fault != NULL) {
        (void)tls_fail(tls, fault);
    }
    return fault == NULL ? 1 : 0;
}

/* --- servers ------------------------------------------------------------------------------- */

/* The name that the server was called by. A wildcard of its certificate, which peer_cert leaves
 * out, is good for nothing else here. */
static const char *judge_called(const struct tls *tls, const WOLFSSL_X509_STORE_CTX *store)
{
    struct span name = tls_sni(tls);
    uint8_t address[16];
    enum host_kind kind = host_address(name, address);
    enum peer_cert_kind word =
        kind == HOST_IPV4 || kind == HOST_IPV6 ? PEER_CERT_IP : PEER_CERT_DNS;
    size_t size = strlen(peer_cert_word(word)) + 1 + name.len + 1;
    struct peer_cert *called = mem_alloc_zero(sizeof(*called) + sizeof(called->names[0]) + size);

    if (called == NULL) {
        return "out of memory";
    }
    char *text = (char *)&called->names[1];
    snprintf(text, size, "%s:%.*s", peer_cert_word(word), (int)name.len, name.data);
    called->count = 1;
    called->names[0] = (struct peer_cert_name){word, span_from_str(text)};
    const char *fault = judge_limits(tls->context, called, store);
    mem_free(called);
    return fault;
}

/* Does any CA on the way say what it may sign? Most say nothing, and then no name is read. */
static bool has_limits(const struct tls_context *context, const WOLFSSL_X509_STORE_CTX *store)
{
    bool is_found = false;

    for (size_t i = 0; i < context->authority_count; i++) {
        is_found |= context->authorities[i].constraints.len > 0;
    }
    for (int i = 1; i < store->totalCerts; i++) {
        struct x509 parts;

        is_found |=
            x509_read((struct span){(const char *)store->certs[i].buffer, store->certs[i].length},
                      &parts) &&
            x509_name_constraints(&parts).len > 0;
    }
    return is_found;
}

/* The first end of all certificates that came. */
static int64_t end_of(const WOLFSSL_X509_STORE_CTX *store)
{
    int64_t end_s = INT64_MAX;

    for (int i = 0; i < store->totalCerts; i++) {
        struct x509 parts;

        if (x509_read((struct span){(const char *)store->certs[i].buffer, store->certs[i].length},
                      &parts) &&
            parts.ends_s < end_s) {
            end_s = parts.ends_s;
        }
    }
    return end_s;
}

const char *tls_peer_judge_server(struct tls *tls, const WOLFSSL_X509_STORE_CTX *store)
{
    const char *fault = judge(tls->context, store);

    if (fault == NULL && has_limits(tls->context, store)) {
        fault = take_names(
            tls, (struct span){(const char *)store->certs[0].buffer, store->certs[0].length});
        if (fault == NULL) {
            fault = judge_limits(tls->context, tls->peer, store);
        }
        if (fault == NULL) {
            fault = judge_called(tls, store);
        }
        peer_cert_free(tls->peer);
        tls->peer = NULL;
    }
    tls->good_until_s = end_of(store);
    return fault;
}

void tls_peer_ask(struct tls *tls)
{
    wolfSSL_set_verify(tls->ssl, tls_verify_mode(tls->context->verify), check_client);
    wolfSSL_SetCertCbCtx(tls->ssl, tls);
}

enum tls_result tls_peer_conclude(struct tls *tls)
{
    if (wolfSSL_session_reused(tls->ssl) == 1) {
        return tls_fail(tls, "a ticket instead of a certificate");
    }
    if (tls->context->verify == TLS_VERIFY_REQUIRED && tls->peer == NULL) {
        return tls_fail(tls, "no certificate was shown");
    }
    return TLS_OK;
}

void tls_peer_forget_chain(struct tls *tls)
{
    WOLFSSL_CTX *library = wolfSSL_get_SSL_CTX(tls->ssl);
    (void)wolfSSL_CertManagerUnloadIntermediateCerts(wolfSSL_CTX_GetCertManager(library));
}

bool tls_context_revokes(const struct tls_context *context, const struct peer_cert *cert)
{
    return crl_set_ask(context->revoked, cert->issuer, cert->serial) == CRL_SAYS_REVOKED;
}

struct peer_cert *tls_take_peer(struct tls *tls)
{
    struct peer_cert *peer = tls->is_established ? tls->peer : NULL;

    if (peer != NULL) {
        tls->peer = NULL;
    }
    return peer;
}
