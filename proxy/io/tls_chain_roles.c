/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a certificate must be for its place in a peer's chain. */
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include "base/mem.h"
#include "io/tls_chain_parts.h"
#include "io/tls_memory.h"

enum { RSA_BITS_MIN = 2048 };

typedef const char *judge_fn(const DecodedCert *cert);

static const char *judge_key(const DecodedCert *cert)
{
    switch (cert->keyOID) {
    case RSAk:
        return chain_rsa_bits(cert) >= RSA_BITS_MIN
                   ? NULL
                   : "certificate has an RSA key of less than 2048 bits";
    case ECDSAk:
        return cert->pkCurveOID == ECC_SECP256R1_OID || cert->pkCurveOID == ECC_SECP384R1_OID ||
                       cert->pkCurveOID == ECC_SECP521R1_OID
                   ? NULL
                   : "certificate has a key on another curve than P-256, P-384 and P-521";
    case ED25519k:
        return NULL;
    default:
        return "certificate has a key of a kind that is not supported";
    }
}

static bool has_usage(const DecodedCert *cert, word16 usage)
{
    return !cert->extKeyUsageSet || (cert->extKeyUsage & usage) != 0;
}

static const char *judge_authority(const DecodedCert *cert)
{
    if (!cert->isCA) {
        return "certificate is no CA's (CA:FALSE)";
    }
    if (!has_usage(cert, KEYUSE_KEY_CERT_SIGN)) {
        return "certificate may not sign others (its keyUsage lacks keyCertSign)";
    }
    return judge_key(cert);
}

/* Self-signed certificates of servers often are no CA's. */
static const char *judge_anchor(const DecodedCert *cert)
{
    if (!cert->isCA) {
        return cert->selfSigned ? judge_key(cert)
                                : "certificate is no CA's (CA:FALSE), and was not signed by itself";
    }
    return judge_authority(cert);
}

/* Any certificate that a peer sends, whatever it is for. */
static const char *judge_any(const DecodedCert *cert)
{
    bool is_hash_weak = cert->signatureOID == CTC_MD2wRSA || cert->signatureOID == CTC_MD5wRSA ||
                        cert->signatureOID == CTC_SHAwRSA || cert->signatureOID == CTC_SHAwECDSA;

    /* Nobody relies on the signature of what is trusted by itself. */
    if (is_hash_weak && !cert->selfSigned) {
        return "certificate is signed with SHA-1 or MD5";
    }
    return judge_key(cert);
}

static const char *judge_link(const DecodedCert *cert)
{
    if (cert->extExtKeyUsageSet &&
        (cert->extExtKeyUsage & (EXTKEYUSE_CLIENT_AUTH | EXTKEYUSE_ANY)) == 0) {
        return "certificate is not for clients (its extendedKeyUsage lacks clientAuth)";
    }
    return judge_any(cert);
}

static const char *judge_server_link(const DecodedCert *cert)
{
    if (cert->extExtKeyUsageSet &&
        (cert->extExtKeyUsage & (EXTKEYUSE_SERVER_AUTH | EXTKEYUSE_ANY)) == 0) {
        return "certificate is not for servers (its extendedKeyUsage lacks serverAuth)";
    }
    return judge_any(cert);
}

/* All suites sign with the server's key. */
static const char *judge_server(const DecodedCert *cert)
{
    if (!has_usage(cert, KEYUSE_DIGITAL_SIG)) {
        return "certificate may not sign handshakes (its keyUsage lacks digitalSignature)";
    }
    return judge_server_link(cert);
}

static const char *judge_client(const DecodedCert *cert)
{
    if (!has_usage(cert, KEYUSE_DIGITAL_SIG)) {
        return "certificate may not sign handshakes (its keyUsage lacks digitalSignature)";
    }
    return judge_link(cert);
}

static const char *judge(struct span der, judge_fn *judge_it)
{
    DecodedCert *cert = tls_memory_init() ? mem_alloc(sizeof(*cert)) : NULL;

    if (cert == NULL) {
        return "out of memory";
    }
    wc_InitDecodedCert(cert, (const byte *)der.data, (word32)der.len, NULL);
    int parsed = wc_ParseCert(cert, CERT_TYPE, NO_VERIFY, NULL);
    const char *fault = parsed == 0          ? judge_it(cert)
                        : parsed == MEMORY_E ? "out of memory"
                                             : "certificate is damaged, or of a kind that is not "
                                               "supported";
    wc_FreeDecodedCert(cert);
    mem_free(cert);
    return fault;
}

const char *tls_chain_authority_fault(struct span der)
{
    return judge(der, judge_authority);
}

const char *tls_chain_client_fault(struct span der, bool is_own)
{
    return judge(der, is_own ? judge_client : judge_link);
}

const char *tls_chain_server_fault(struct span der, bool is_own)
{
    return judge(der, is_own ? judge_server : judge_server_link);
}

const char *tls_chain_anchor_fault(struct span der)
{
    return judge(der, judge_anchor);
}
