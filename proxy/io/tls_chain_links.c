/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How the certificates of a file belong together. */
#include <string.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include "io/tls_chain_parts.h"

static struct span subject_of(const DecodedCert *cert)
{
    return (struct span){cert->subjectCN,
                         cert->subjectCNLen > 0 ? size_min((size_t)cert->subjectCNLen, 60) : 0};
}

static bool has_issued(const DecodedCert *issuer, const DecodedCert *cert)
{
    return memcmp(issuer->subjectHash, cert->issuerHash, KEYID_SIZE) == 0;
}

/* Does the key of one certificate make the other's signature good? */
static bool is_signed_by(struct span cert, struct span issuer)
{
    WOLFSSL_CERT_MANAGER *manager = wolfSSL_CertManagerNew();
    if (manager == NULL) {
        return true;
    }
    /* What else the library has against the issuer is told by others, or is no fault. */
    int result = wolfSSL_CertManagerLoadCABuffer_ex(manager, (const unsigned char *)issuer.data,
                                                    (long)issuer.len, WOLFSSL_FILETYPE_ASN1, 0,
                                                    WOLFSSL_LOAD_FLAG_DATE_ERR_OKAY);
    if (result == WOLFSSL_SUCCESS) {
        result = wolfSSL_CertManagerVerifyBuffer(manager, (const unsigned char *)cert.data,
                                                 (long)cert.len, WOLFSSL_FILETYPE_ASN1);
    }
    wolfSSL_CertManagerFree(manager);
    return result != ASN_SIG_CONFIRM_E && result != ASN_SIG_HASH_E && result != ASN_NO_SIGNER_E;
}

/* --- name constraints, RFC 5280 4.2.1.10; wolfSSL does not read those of addresses ------------ */

static bool is_name_below(struct span name, struct span base)
{
    if (base.len == 0) {
        return true;
    }
    if (base.data[0] == '.') { /* tools write it so, and clients read it so */
        base = (struct span){base.data + 1, base.len - 1};
    }
    if (name.len < base.len) {
        return false;
    }
    struct span end = {name.data + name.len - base.len, base.len};
    return span_is_equal_nocase(end, base) &&
           (name.len == base.len || name.data[name.len - base.len - 1] == '.');
}

static bool fits(const DNS_entry *name, const Base_entry *base)
{
    return is_name_below((struct span){name->name, name->len > 0 ? (size_t)name->len : 0},
                         (struct span){base->name, base->nameSz > 0 ? (size_t)base->nameSz : 0});
}

/* True when the issuer does not allow the name. */
static bool is_forbidden(const DNS_entry *name, const DecodedCert *issuer)
{
    bool is_limited = false;
    bool is_permitted = false;
    for (const Base_entry *base = issuer->excludedNames; base != NULL; base = base->next) {
        if (base->type == name->type && fits(name, base)) {
            return true;
        }
    }
    for (const Base_entry *base = issuer->permittedNames; base != NULL; base = base->next) {
        if (base->type == name->type) {
            is_limited = true;
            is_permitted |= fits(name, base);
        }
    }
    return is_limited && !is_permitted;
}

static void check_constraints(struct chain *chain, size_t issuer)
{
    const DNS_entry *name = chain->certs[0]->altNames;
    for (; name != NULL; name = name->next) {
        if (name->type == ASN_DNS_TYPE && is_forbidden(name, chain->certs[issuer])) {
            chain_tell(chain, TLS_CHAIN_WARNING,
                       "the certificate has the name '%.*s', which %s may not sign "
                       "(nameConstraints): clients refuse it",
                       (int)size_min((size_t)name->len, 60), name->name, chain_name(issuer));
            return;
        }
    }
}

/* --- links ----------------------------------------------------------------------------------- */

/* How many CA certificates, not counting the last, stand between this issuer and the server's. */
static void check_path_length(struct chain *chain, size_t issuer)
{
    const DecodedCert *cert = chain->certs[issuer];
    if (cert->pathLengthSet && issuer > (size_t)cert->pathLength + 1) {
        chain_tell(chain, TLS_CHAIN_WARNING,
                   "%s allows %u CAs below it (pathlen), and %zu are there: clients refuse that",
                   chain_name(issuer), cert->pathLength, issuer - 1);
    }
}

static void check_issuer(struct chain *chain, size_t issuer)
{
    const DecodedCert *cert = chain->certs[issuer];
    if (!is_signed_by(tls_pem_item(&chain->der, issuer - 1), tls_pem_item(&chain->der, issuer))) {
        chain_tell(chain, TLS_CHAIN_WARNING,
                   "%s has not signed the one before it, though it has its issuer's name: get the "
                   "right one from the CA",
                   chain_name(issuer));
    }
    if (!cert->isCA) {
        chain_tell(chain, TLS_CHAIN_WARNING,
                   "%s is no CA's (no CA:TRUE) and signs the one before it: clients refuse that",
                   chain_name(issuer));
    } else if (cert->extKeyUsageSet && (cert->extKeyUsage & KEYUSE_KEY_CERT_SIGN) == 0) {
        chain_tell(chain, TLS_CHAIN_WARNING, "%s may not sign (keyUsage): clients refuse that",
                   chain_name(issuer));
    }
    if (cert->extExtKeyUsageSet && !cert->selfSigned &&
        (cert->extExtKeyUsage & (EXTKEYUSE_SERVER_AUTH | EXTKEYUSE_ANY)) == 0) {
        chain_tell(chain, TLS_CHAIN_WARNING,
                   "%s is not for servers (its extendedKeyUsage lacks serverAuth): clients refuse "
                   "that",
                   chain_name(issuer));
    }
    check_path_length(chain, issuer);
    check_constraints(chain, issuer);
}

static bool is_repeated(struct chain *chain, size_t i)
{
    struct span item = tls_pem_item(&chain->der, i);
    for (size_t j = 0; j < i; j++) {
        if (span_is_equal(item, tls_pem_item(&chain->der, j))) {
            chain_tell(chain, TLS_CHAIN_WARNING, "%s stands in it twice: remove one",
                       chain_name(i));
            return true;
        }
    }
    return false;
}

static bool is_elsewhere(const struct chain *chain, size_t i)
{
    for (size_t j = 0; j < chain->der.count; j++) {
        if (j != i && has_issued(chain->certs[j], chain->certs[i])) {
            return true;
        }
    }
    return false;
}

/* Certificate i + 1 has not issued certificate i. */
static void tell_gap(struct chain *chain, size_t i)
{
    struct span name = subject_of(chain->certs[i + 1]);
    if (i == 0 && has_issued(chain->certs[0], chain->certs[1])) {
        chain_tell(chain, TLS_CHAIN_WARNING,
                   "the file begins with a CA's certificate: the server's own must come first");
    } else if (chain->certs[i]->selfSigned && i > 0) {
        chain_tell(chain, TLS_CHAIN_WARNING,
                   "certificates follow a root: some clients refuse them; remove '%.*s'",
                   (int)name.len, name.data);
    } else if (is_elsewhere(chain, i)) {
        chain_tell(chain, TLS_CHAIN_WARNING,
                   "the certificates stand in the wrong order: each must be followed by the one "
                   "that signed it; some clients refuse them");
    } else {
        chain_tell(chain, TLS_CHAIN_WARNING,
                   "certificate %zu of the file, '%.*s', has not signed the one before it, and "
                   "none here has: clients refuse that",
                   i + 2, (int)name.len, name.data);
    }
}

void chain_check_links(struct chain *chain)
{
    const DecodedCert *leaf = chain->certs[0];
    if (chain->der.count == 1 && !leaf->selfSigned && leaf->extAuthInfoSet) {
        chain_tell(chain, TLS_CHAIN_WARNING,
                   "the file has no certificate but the server's: append its issuer's "
                   "(intermediate), or clients cannot verify it");
    }
    for (size_t i = 0; i + 1 < chain->der.count; i++) {
        if (is_repeated(chain, i + 1)) {
            return;
        }
        if (!has_issued(chain->certs[i + 1], chain->certs[i])) {
            tell_gap(chain, i);
            return;
        }
        check_issuer(chain, i + 1);
    }
}
