/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/cert.h"

#include <string.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/random.h>

#include "base/mem.h"
#include "io/tls_memory.h"

enum { KEY_BYTES = 32, VALID_DAYS = 30, DER_MAX = 2048 };

/* GeneralNames (RFC 5280 4.2.1.6): dNSName localhost, iPAddress 127.0.0.1, iPAddress ::1 */
static const byte alternative_names[] = {
    0x30, 0x23,                                              /* SEQUENCE, 35 bytes */
    0x82, 0x09, 'l', 'o', 'c', 'a', 'l', 'h', 'o', 's', 't', /* */
    0x87, 0x04, 127, 0,   0,   1,                            /* */
    0x87, 0x10, 0,   0,   0,   0,   0,   0,   0,   0,   0,   0, 0, 0, 0, 0, 0, 1};

/* Everything that making a certificate needs; too large for the stack. */
struct work {
    WC_RNG rng;
    ecc_key key;
    Cert certificate;
    byte der[DER_MAX];
};

static bool describe(struct work *w)
{
    Cert *c = &w->certificate;
    if (wc_InitCert(c) != 0) {
        return false;
    }
    memcpy(c->subject.commonName, "localhost", sizeof("localhost"));
    c->subject.commonNameEnc = CTC_UTF8;
    c->sigType = CTC_SHA256wECDSA;
    c->daysValid = VALID_DAYS;
    memcpy(c->altNames, alternative_names, sizeof(alternative_names));
    c->altNamesSz = (int)sizeof(alternative_names);
    return wc_SetSubjectKeyIdFromPublicKey_ex(c, ECC_TYPE, &w->key) == 0 &&
           wc_SetKeyUsage(c, "digitalSignature") == 0 && wc_SetExtKeyUsage(c, "serverAuth") == 0;
}

/* The length of the PEM text written to out, or 0. */
static size_t write_pem(const byte *der, int der_len, int type, char out[CERT_PEM_MAX])
{
    if (der_len <= 0) {
        return 0;
    }
    int len = wc_DerToPem(der, (word32)der_len, (byte *)out, CERT_PEM_MAX - 1, type);
    if (len <= 0 || len >= CERT_PEM_MAX) {
        return 0;
    }
    out[len] = '\0';
    return (size_t)len;
}

static bool make(struct work *w, struct cert_pair *out)
{
    if (wc_ecc_make_key(&w->rng, KEY_BYTES, &w->key) != 0 || !describe(w)) {
        return false;
    }
    if (wc_MakeCert(&w->certificate, w->der, DER_MAX, NULL, &w->key, &w->rng) <= 0) {
        return false;
    }
    int len = wc_SignCert(w->certificate.bodySz, w->certificate.sigType, w->der, DER_MAX, NULL,
                          &w->key, &w->rng);
    out->certificate_len = write_pem(w->der, len, CERT_TYPE, out->certificate);
    len = wc_EccKeyToDer(&w->key, w->der, DER_MAX);
    out->key_len = write_pem(w->der, len, ECC_PRIVATEKEY_TYPE, out->key);
    return out->certificate_len > 0 && out->key_len > 0;
}

bool cert_make_throw_away(struct cert_pair *out)
{
    struct work *w = tls_memory_init() ? mem_alloc_zero(sizeof(*w)) : NULL;
    bool ok = false;
    if (w == NULL) {
        return false;
    }
    if (wc_InitRng(&w->rng) == 0) {
        if (wc_ecc_init(&w->key) == 0) {
            ok = make(w, out);
            wc_ecc_free(&w->key);
        }
        wc_FreeRng(&w->rng);
    }
    explicit_bzero(w, sizeof(*w));
    mem_free(w);
    return ok;
}
