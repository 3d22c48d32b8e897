/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/cert.h"

#include <string.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/random.h>

#include "base/host.h"
#include "base/mem.h"
#include "io/tls_memory.h"

enum { KEY_BYTES = 32, VALID_DAYS = 30, DER_MAX = 2048 };

/* Tags of GeneralNames (RFC 5280 4.2.1.6) */
enum { TAG_SEQUENCE = 0x30, TAG_DNS = 0x82, TAG_ADDRESS = 0x87 };

/* A SEQUENCE whose length fits one byte. */
#define NAMES_BYTES_MAX 127

struct names {
    byte bytes[2 + NAMES_BYTES_MAX]; /* tag and length first */
    size_t len;                      /* of what stands behind them */
};

/* Everything that making a certificate needs; too large for the stack. */
struct work {
    WC_RNG rng;
    ecc_key key;
    Cert certificate;
    byte der[DER_MAX];
};

/* A name that does not fit is left out. */
static void add_name(struct names *names, byte tag, const void *name, size_t len)
{
    byte *place = names->bytes + 2 + names->len;

    if (len > NAMES_BYTES_MAX - 2 || names->len > NAMES_BYTES_MAX - 2 - len) {
        return;
    }
    place[0] = tag;
    place[1] = (byte)len;
    memcpy(place + 2, name, len);
    names->len += 2 + len;
}

static void add_address(struct names *names, const struct addr *address)
{
    static const struct in6_addr wildcard6 = IN6ADDR_ANY_INIT;
    const struct in_addr *four = &address->u.in.sin_addr;
    const struct in6_addr *six = &address->u.in6.sin6_addr;

    if (address->len == 0 || addr_is_loopback(address)) {
        return;
    }
    if (address->u.sa.sa_family == AF_INET && four->s_addr != INADDR_ANY) {
        add_name(names, TAG_ADDRESS, four, sizeof(*four));
    } else if (address->u.sa.sa_family == AF_INET6 &&
               memcmp(six, &wildcard6, sizeof(wildcard6)) != 0) {
        add_name(names, TAG_ADDRESS, six, sizeof(*six));
    }
}

static void list_names(struct names *out, struct span machine, const struct addr *address)
{
    static const byte loopback4[] = {127, 0, 0, 1};
    static const struct in6_addr loopback6 = IN6ADDR_LOOPBACK_INIT;

    *out = (struct names){.len = 0};
    add_name(out, TAG_DNS, "localhost", strlen("localhost"));
    add_name(out, TAG_ADDRESS, loopback4, sizeof(loopback4));
    add_name(out, TAG_ADDRESS, &loopback6, sizeof(loopback6));
    if (address != NULL) {
        add_address(out, address);
    }
    if (host_kind(machine) == HOST_NAME && !span_is_equal_nocase(machine, SPAN_LIT("localhost"))) {
        add_name(out, TAG_DNS, machine.data, machine.len);
    }
    out->bytes[0] = TAG_SEQUENCE;
    out->bytes[1] = (byte)out->len;
}

static bool describe(struct work *w, const struct names *names)
{
    Cert *c = &w->certificate;
    if (wc_InitCert(c) != 0) {
        return false;
    }
    memcpy(c->subject.commonName, "localhost", sizeof("localhost"));
    c->subject.commonNameEnc = CTC_UTF8;
    c->sigType = CTC_SHA256wECDSA;
    c->daysValid = VALID_DAYS;
    memcpy(c->altNames, names->bytes, 2 + names->len);
    c->altNamesSz = (int)(2 + names->len);
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

static bool make(struct work *w, const struct names *names, struct cert_pair *out)
{
    if (wc_ecc_make_key(&w->rng, KEY_BYTES, &w->key) != 0 || !describe(w, names)) {
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
    return cert_make_throw_away_for((struct span){"", 0}, NULL, out);
}

bool cert_make_throw_away_for(struct span machine, const struct addr *address,
                              struct cert_pair *out)
{
    struct names names;
    struct work *w = tls_memory_init() ? mem_alloc_zero(sizeof(*w)) : NULL;
    bool ok = false;
    if (w == NULL) {
        return false;
    }
    list_names(&names, machine, address);
    if (wc_InitRng(&w->rng) == 0) {
        if (wc_ecc_init(&w->key) == 0) {
            ok = make(w, &names, out);
            wc_ecc_free(&w->key);
        }
        wc_FreeRng(&w->rng);
    }
    explicit_bzero(w, sizeof(*w));
    mem_free(w);
    return ok;
}
