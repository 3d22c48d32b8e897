/* SPDX-License-Identifier: GPL-3.0-or-later */
// The tests make their certificates here, each when a test first wants it.
#ifndef TESTS_UNIT_CERT_KIT_H
#define TESTS_UNIT_CERT_KIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/rsa.h>

#include "base/addr.h"
#include "give_up.h"
#include "io/tls.h"
#include "io/tls_memory.h"

#define KIT __attribute__((unused)) static

enum { KIT_PEM_MAX = 4096, KIT_DER_MAX = 4096, KIT_RSA_BITS = 2048 };

struct kit_pair {
    char certificate[KIT_PEM_MAX];
    char key[KIT_PEM_MAX];
};

enum kit_kind { KIT_EC = 0, KIT_RSA };

union kit_key {
    ecc_key ec;
    RsaKey rsa;
};

KIT bool kit_write_pem(const byte *der, int len, int type, char *out)
{
    int pem = len > 0 ? wc_DerToPem(der, (word32)len, (byte *)out, KIT_PEM_MAX - 1, type) : -1;
    if (pem <= 0) {
        return false;
    }
    out[pem] = '\0';
    return true;
}

// What a certificate says. Only an EC pair can be an issuer.
struct kit_form {
    const char *names;             // "a.example,*.b.example,10.0.0.5"; short
    const struct kit_pair *issuer; // NULL: the certificate signs itself
    const char *first_day; // "20200101"; NULL: the certificate is valid from now, for two days
    const char *last_day;
};

// Each name becomes a dNSName, a numeric address an iPAddress. All lengths fit one byte.
KIT int kit_write_names(const char *names, byte *out)
{
    struct span rest = span_from_str(names);
    struct span name;
    size_t len = 2;
    while (span_next(&rest, ',', &name)) {
        struct addr address;
        bool is_address = addr_parse_host(name, 1, &address);
        if (is_address && address.u.sa.sa_family == AF_INET) {
            name = (struct span){(const char *)&address.u.in.sin_addr, 4};
        } else if (is_address) {
            name = (struct span){(const char *)&address.u.in6.sin6_addr, 16};
        }
        out[len++] = is_address ? 0x87 : 0x82;
        out[len++] = (byte)name.len;
        memcpy(out + len, name.data, name.len);
        len += name.len;
    }
    out[0] = 0x30;
    out[1] = (byte)(len - 2);
    return (int)len;
}

KIT int kit_write_day(const char *day, byte out[CTC_DATE_SIZE])
{
    return snprintf((char *)out, CTC_DATE_SIZE, "\x18\x0f%s000000Z", day);
}

// Puts the issuer's name into the certificate. The caller frees the issuer's key in `out`.
KIT bool kit_take_issuer(const struct kit_pair *issuer, Cert *certificate, ecc_key *out)
{
    static byte der[KIT_DER_MAX];
    word32 at = 0;
    int len = wc_CertPemToDer((const byte *)issuer->certificate, (int)strlen(issuer->certificate),
                              der, KIT_DER_MAX, CERT_TYPE);
    if (len <= 0 || wc_SetIssuerBuffer(certificate, der, len) != 0) {
        return false;
    }
    len = wc_KeyPemToDer((const byte *)issuer->key, (int)strlen(issuer->key), der, KIT_DER_MAX, "");
    return len > 0 && wc_ecc_init(out) == 0 &&
           wc_EccPrivateKeyDecode(der, &at, out, (word32)len) == 0;
}

KIT bool kit_sign(enum kit_kind kind, union kit_key *key, const struct kit_form *form, WC_RNG *rng,
                  struct kit_pair *out)
{
    static Cert certificate;
    static byte der[KIT_DER_MAX];
    ecc_key issuer;
    RsaKey *rsa = kind == KIT_RSA ? &key->rsa : NULL;
    ecc_key *ec = kind == KIT_EC ? &key->ec : NULL;
    wc_InitCert(&certificate);
    int first = (int)strcspn(form->names, ",");
    snprintf(certificate.subject.commonName, CTC_NAME_SIZE, "cn.%.*s", first, form->names);
    certificate.sigType =
        kind == KIT_RSA && form->issuer == NULL ? CTC_SHA256wRSA : CTC_SHA256wECDSA;
    certificate.isCA = 1;
    certificate.daysValid = 2;
    if (form->first_day != NULL) {
        certificate.beforeDateSz = kit_write_day(form->first_day, certificate.beforeDate);
        certificate.afterDateSz = kit_write_day(form->last_day, certificate.afterDate);
    }
    certificate.altNamesSz = kit_write_names(form->names, certificate.altNames);
    if (wc_SetKeyUsage(&certificate, "digitalSignature,keyCertSign") != 0 ||
        (form->issuer != NULL && !kit_take_issuer(form->issuer, &certificate, &issuer)) ||
        wc_MakeCert(&certificate, der, KIT_DER_MAX, rsa, ec, rng) <= 0) {
        return false;
    }
    bool is_own = form->issuer == NULL;
    int len = wc_SignCert(certificate.bodySz, certificate.sigType, der, KIT_DER_MAX,
                          is_own ? rsa : NULL, is_own ? ec : &issuer, rng);
    if (!is_own) {
        wc_ecc_free(&issuer);
    }
    if (!kit_write_pem(der, len, CERT_TYPE, out->certificate)) {
        return false;
    }
    len = kind == KIT_RSA ? wc_RsaKeyToDer(rsa, der, KIT_DER_MAX)
                          : wc_EccKeyToDer(ec, der, KIT_DER_MAX);
    return kit_write_pem(der, len, kind == KIT_RSA ? PRIVATEKEY_TYPE : ECC_PRIVATEKEY_TYPE,
                         out->key);
}

KIT struct kit_pair kit_make(enum kit_kind kind, const struct kit_form *form)
{
    struct kit_pair out;
    union kit_key key;
    WC_RNG rng;
    bool ok = tls_memory_init() && wc_InitRng(&rng) == 0;
    if (ok && kind == KIT_RSA) {
        ok = wc_InitRsaKey(&key.rsa, NULL) == 0 &&
             wc_MakeRsaKey(&key.rsa, KIT_RSA_BITS, WC_RSA_EXPONENT, &rng) == 0 &&
             kit_sign(kind, &key, form, &rng, &out);
        wc_FreeRsaKey(&key.rsa);
    } else if (ok) {
        ok = wc_ecc_init(&key.ec) == 0 && wc_ecc_make_key(&rng, 32, &key.ec) == 0 &&
             kit_sign(kind, &key, form, &rng, &out);
        wc_ecc_free(&key.ec);
    }
    wc_FreeRng(&rng);
    if (!ok) {
        GIVE_UP();
    }
    return out;
}

KIT struct kit_pair kit_make_pair(enum kit_kind kind, const char *names)
{
    struct kit_form form = {.names = names};
    return kit_make(kind, &form);
}

// The kit makes one pair of each kind and keeps it, because an RSA key takes a while.
KIT const struct kit_pair *kit_pair_of(enum kit_kind kind)
{
    static struct kit_pair pairs[2];
    static bool is_made[2];
    if (!is_made[kind]) {
        pairs[kind] = kit_make_pair(kind, "one.example");
        is_made[kind] = true;
    }
    return &pairs[kind];
}

KIT struct tls_pair kit_as_pair(const struct kit_pair *pair)
{
    return (struct tls_pair){span_from_str(pair->certificate), span_from_str(pair->key)};
}

#endif
