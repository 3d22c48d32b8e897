/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Signatures as certificates and revocation lists have them. */
#include <string.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/rsa.h>
#include <wolfssl/wolfcrypt/signature.h>

#include "base/mem.h"
#include "io/signature.h"
#include "io/tls_memory.h"

enum kind { KIND_RSA = 0, KIND_ECC, KIND_ED25519 };

/* The AlgorithmIdentifiers (RFC 4055, 5758, 8410), whole; those of RSA have a NULL behind. */
static const struct {
    enum kind kind;
    enum wc_HashType hash;
    struct span der;
} algorithms[] = {
    {KIND_RSA, WC_HASH_TYPE_SHA256,
     SPAN_LIT("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00")},
    {KIND_RSA, WC_HASH_TYPE_SHA384,
     SPAN_LIT("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c\x05\x00")},
    {KIND_RSA, WC_HASH_TYPE_SHA512,
     SPAN_LIT("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d\x05\x00")},
    {KIND_ECC, WC_HASH_TYPE_SHA256, SPAN_LIT("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02")},
    {KIND_ECC, WC_HASH_TYPE_SHA384, SPAN_LIT("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03")},
    {KIND_ECC, WC_HASH_TYPE_SHA512, SPAN_LIT("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04")},
    {KIND_ED25519, WC_HASH_TYPE_NONE, SPAN_LIT("\x30\x05\x06\x03\x2b\x65\x70")},
};

union number {
    RsaKey rsa;
    ecc_key ecc;
    ed25519_key ed;
};

struct question {
    struct span key;
    struct span message;
    struct span signature;
};

static const byte *bytes_of(struct span s)
{
    return s.len > 0 ? (const byte *)s.data : (const byte *)"";
}

static bool verify(const struct question *q, enum wc_HashType hash, enum wc_SignatureType type,
                   void *key, size_t key_size)
{
    return wc_SignatureVerify(hash, type, bytes_of(q->message), (word32)q->message.len,
                              bytes_of(q->signature), (word32)q->signature.len, key,
                              (word32)key_size) == 0;
}

static bool prove_rsa(union number *number, const struct question *q, enum wc_HashType hash)
{
    word32 at = 0;
    bool is_proven = false;

    if (wc_InitRsaKey(&number->rsa, NULL) == 0) {
        is_proven =
            wc_RsaPublicKeyDecode(bytes_of(q->key), &at, &number->rsa, (word32)q->key.len) == 0 &&
            verify(q, hash, WC_SIGNATURE_TYPE_RSA_W_ENC, &number->rsa, sizeof(number->rsa));
        wc_FreeRsaKey(&number->rsa);
    }
    return is_proven;
}

static bool prove_ecc(union number *number, const struct question *q, enum wc_HashType hash)
{
    word32 at = 0;
    bool is_proven = false;

    if (wc_ecc_init(&number->ecc) == 0) {
        is_proven =
            wc_EccPublicKeyDecode(bytes_of(q->key), &at, &number->ecc, (word32)q->key.len) == 0 &&
            verify(q, hash, WC_SIGNATURE_TYPE_ECC, &number->ecc, sizeof(number->ecc));
        wc_ecc_free(&number->ecc);
    }
    return is_proven;
}

static bool prove_ed25519(union number *number, const struct question *q)
{
    word32 at = 0;
    int is_good = 0;

    if (wc_ed25519_init(&number->ed) == 0) {
        bool is_done = wc_Ed25519PublicKeyDecode(bytes_of(q->key), &at, &number->ed,
                                                 (word32)q->key.len) == 0 &&
                       wc_ed25519_verify_msg(bytes_of(q->signature), (word32)q->signature.len,
                                             bytes_of(q->message), (word32)q->message.len, &is_good,
                                             &number->ed) == 0;
        is_good = is_done ? is_good : 0;
        wc_ed25519_free(&number->ed);
    }
    return is_good == 1;
}

static bool prove(union number *number, const struct question *q, size_t algorithm)
{
    switch (algorithms[algorithm].kind) {
    case KIND_RSA:
        return prove_rsa(number, q, algorithms[algorithm].hash);
    case KIND_ECC:
        return prove_ecc(number, q, algorithms[algorithm].hash);
    case KIND_ED25519:
        return prove_ed25519(number, q);
    }
    return false;
}

enum signature_x509 signature_prove_x509(struct span key, struct span algorithm,
                                         struct span message, struct span signature)
{
    const size_t count = sizeof(algorithms) / sizeof(algorithms[0]);
    const struct question q = {key, message, signature};
    size_t i = 0;

    while (i < count && !span_is_equal(algorithms[i].der, algorithm)) {
        i++;
    }
    if (i == count) {
        return SIGNATURE_X509_UNKNOWN;
    }
    union number *number = tls_memory_init() ? mem_alloc_zero(sizeof(*number)) : NULL;
    if (number == NULL) {
        return SIGNATURE_X509_NO_MEMORY;
    }
    bool is_proven = prove(number, &q, i);
    mem_free(number);
    return is_proven ? SIGNATURE_X509_PROVEN : SIGNATURE_X509_WRONG;
}
