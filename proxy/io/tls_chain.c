/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The checks of single certificates; tls_chain_links.c has those between them. */
#include "io/tls_chain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/rsa.h>

#include "base/mem.h"
#include "io/tls_chain_parts.h"
#include "io/tls_memory.h"
#include "io/tls_names.h"

enum { TEXT_MAX = 200, DAY_S = 24 * 60 * 60, DATE_TEXT = 24 };
/* Apple's systems take no server's certificate that is valid for longer, whoever signed it. */
enum { APPLE_DAYS_MAX = 825 };
enum { RSA_GOOD_BITS = 2048 };

void chain_tell(struct chain *chain, enum tls_chain_weight weight, const char *format, ...)
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
    chain->has_error |= weight == TLS_CHAIN_ERROR;
    chain->tell(chain->owner, weight, text);
}

/* --- dates --------------------------------------------------------------------------------- */

/* `date` is a Time of RFC 5280 4.1.2.5 with tag and length. False: it is none. */
static bool read_date(const byte *date, int len, int64_t *out_s)
{
    struct tm parts = {0};
    char text[DATE_TEXT] = "";
    bool is_short = len > 2 && date[0] == ASN_UTC_TIME;
    size_t size = len > 2 ? size_min((size_t)len - 2, sizeof(text) - 3) : 0;
    if (size == 0) {
        return false;
    }
    /* UTCTime has no century: 50 to 99 are 19xx. */
    const char *century = !is_short ? "" : date[2] >= '5' ? "19" : "20";
    snprintf(text, sizeof(text), "%s%.*s", century, (int)size, (const char *)date + 2);
    const char *end = strptime(text, "%Y%m%d%H%M%SZ", &parts);
    if (end == NULL) {
        return false;
    }
    *out_s = (int64_t)timegm(&parts);
    return true;
}

static const char *print_date(int64_t at_s, char out[DATE_TEXT])
{
    struct tm parts;
    time_t at = (time_t)at_s;
    if (gmtime_r(&at, &parts) == NULL || strftime(out, DATE_TEXT, "%Y-%m-%d", &parts) == 0) {
        return "?";
    }
    return out;
}

static void check_dates(struct chain *chain, size_t i, const DecodedCert *cert)
{
    int64_t from_s = 0;
    int64_t to_s = 0;
    char text[DATE_TEXT];
    if (!read_date(cert->beforeDate, cert->beforeDateLen, &from_s) ||
        !read_date(cert->afterDate, cert->afterDateLen, &to_s)) {
        chain_tell(chain, TLS_CHAIN_WARNING, "%s has dates that cannot be read", chain_name(i));
        return;
    }
    if (chain->now_s < from_s) {
        chain_tell(chain, TLS_CHAIN_WARNING,
                   "%s is not valid before %s: clients refuse it until then", chain_name(i),
                   print_date(from_s, text));
    } else if (chain->now_s > to_s) {
        chain_tell(chain, TLS_CHAIN_WARNING, "%s expired on %s: clients refuse it", chain_name(i),
                   print_date(to_s, text));
    }
    if (i == 0 && (to_s - from_s) / DAY_S > APPLE_DAYS_MAX) {
        chain_tell(chain, TLS_CHAIN_WARNING,
                   "the certificate is valid for %lld days: Apple's systems refuse more than %d",
                   (long long)((to_s - from_s) / DAY_S), APPLE_DAYS_MAX);
    }
}

/* --- keys and signatures -------------------------------------------------------------------- */

static enum tls_key_kind curve_of(const DecodedCert *cert)
{
    switch (cert->pkCurveOID) {
    case ECC_SECP256R1_OID:
        return TLS_KEY_P256;
    case ECC_SECP384R1_OID:
        return TLS_KEY_P384;
    case ECC_SECP521R1_OID:
        return TLS_KEY_P521;
    default:
        return TLS_KEY_OTHER;
    }
}

static enum tls_key_kind kind_of(const DecodedCert *cert)
{
    switch (cert->keyOID) {
    case RSAk:
        return TLS_KEY_RSA;
    case ECDSAk:
        return curve_of(cert);
    case ED25519k:
        return TLS_KEY_ED25519;
    default:
        return TLS_KEY_OTHER;
    }
}

size_t chain_rsa_bits(const DecodedCert *cert)
{
    const byte *number = NULL;
    const byte *exponent = NULL;
    word32 at = 0;
    word32 number_len = 0;
    word32 exponent_len = 0;
    if (wc_RsaPublicKeyDecode_ex(cert->publicKey, &at, cert->pubKeySize, &number, &number_len,
                                 &exponent, &exponent_len) != 0) {
        return 0;
    }
    while (number_len > 0 && *number == 0) {
        number++;
        number_len--;
    }
    size_t bits = (size_t)number_len * 8;
    for (unsigned top = number_len > 0 ? *number : 0x80; top < 0x80; top <<= 1) {
        bits--;
    }
    return bits;
}

static void check_rsa(struct chain *chain, size_t i, const DecodedCert *cert)
{
    size_t bits = chain_rsa_bits(cert);
    if (bits > TLS_CHAIN_RSA_MAX && i == 0) {
        chain_tell(chain, TLS_CHAIN_ERROR,
                   "the key has %zu bits, and sluice takes RSA keys up to %d: use ECDSA P-256, or "
                   "RSA with 2048 to 4096 bits",
                   bits, TLS_CHAIN_RSA_MAX);
    } else if (bits > 0 && bits < RSA_GOOD_BITS) {
        chain_tell(chain, TLS_CHAIN_WARNING,
                   "%s has an RSA key of %zu bits: clients refuse less than %d", chain_name(i),
                   bits, RSA_GOOD_BITS);
    }
}

static void check_key(struct chain *chain, size_t i, const DecodedCert *cert)
{
    switch (kind_of(cert)) {
    case TLS_KEY_RSA:
        check_rsa(chain, i, cert);
        break;
    case TLS_KEY_P256:
    case TLS_KEY_P384:
        break;
    case TLS_KEY_P521:
        if (i == 0) {
            chain_tell(chain, TLS_CHAIN_WARNING,
                       "the key is on the curve P-521: Chromium refuses it; use P-256");
        }
        break;
    case TLS_KEY_ED25519:
        if (i == 0) {
            chain_tell(chain, TLS_CHAIN_WARNING,
                       "the key is Ed25519: browsers refuse it; use ECDSA P-256");
        }
        break;
    case TLS_KEY_OTHER:
        if (i == 0) {
            chain_tell(chain, TLS_CHAIN_ERROR,
                       "the key is of a kind or curve that sluice has not, and browsers neither: "
                       "use ECDSA "
                       "P-256 or plain RSA");
        }
        break;
    }
}

static void check_signature_hash(struct chain *chain, size_t i, const DecodedCert *cert)
{
    const char *hash = NULL;
    switch (cert->signatureOID) {
    case CTC_MD2wRSA:
    case CTC_MD5wRSA:
        hash = "MD5";
        break;
    case CTC_SHAwRSA:
    case CTC_SHAwECDSA:
        hash = "SHA-1";
        break;
    default:
        return;
    }
    /* Nobody checks the signature of a root that is trusted. */
    if (i == 0 || !cert->selfSigned) {
        chain_tell(chain, TLS_CHAIN_WARNING, "%s is signed with %s: clients refuse it",
                   chain_name(i), hash);
    }
}

/* --- the server's certificate --------------------------------------------------------------- */

static void check_usage(struct chain *chain, const DecodedCert *cert)
{
    if (cert->isCA) {
        chain_tell(chain, TLS_CHAIN_WARNING,
                   "the certificate is a CA's (CA:TRUE): Firefox refuses it for a server");
    }
    if (cert->extKeyUsageSet && (cert->extKeyUsage & KEYUSE_DIGITAL_SIG) == 0) {
        chain_tell(chain, TLS_CHAIN_WARNING,
                   "the certificate's keyUsage lacks digitalSignature: clients refuse it");
    }
    if (!cert->extExtKeyUsageSet) {
        chain_tell(
            chain, TLS_CHAIN_WARNING,
            "the certificate has no extendedKeyUsage: Apple's systems want serverAuth in it");
    } else if ((cert->extExtKeyUsage & (EXTKEYUSE_SERVER_AUTH | EXTKEYUSE_ANY)) == 0) {
        /* wolfSSL does not even make a trial handshake with it. */
        chain_tell(
            chain, TLS_CHAIN_ERROR,
            "the certificate is not for servers (its extendedKeyUsage lacks serverAuth): all "
            "clients refuse it");
    }
}

/* "*.com", "*" and "a*.example.com": a wildcard is a whole first label, in front of two others. */
static bool is_odd_wildcard(struct span name)
{
    size_t star = span_find(name, '*');
    if (star == name.len) {
        return false;
    }
    struct span rest = {name.data + size_min(2, name.len), name.len - size_min(2, name.len)};
    return star != 0 || name.len < 3 || name.data[1] != '.' || span_find(rest, '.') == rest.len ||
           span_find(rest, '*') < rest.len;
}

static void check_names(struct chain *chain, const DecodedCert *cert)
{
    bool has_name = false;
    for (const DNS_entry *entry = cert->altNames; entry != NULL; entry = entry->next) {
        struct span name = {entry->name, entry->len > 0 ? (size_t)entry->len : 0};
        has_name |= entry->type == ASN_DNS_TYPE || entry->type == ASN_IP_TYPE;
        if (entry->type == ASN_DNS_TYPE && is_odd_wildcard(name)) {
            chain_tell(chain, TLS_CHAIN_WARNING,
                       "clients ignore the certificate's name '%.*s': a wildcard is the whole "
                       "first label, in front of two others",
                       (int)size_min(name.len, 60), name.data);
        }
    }
    if (!has_name) {
        chain_tell(chain, TLS_CHAIN_WARNING,
                   "the certificate has no names (subjectAltName): clients ignore its common name "
                   "and refuse it");
    }
}

/* RFC 7633: id-pe-tlsfeature. wolfSSL does not read this extension. */
static void check_stapling(struct chain *chain, const DecodedCert *cert)
{
    static const byte oid[] = {0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x18};
    if (cert->extensions != NULL && cert->extensionsSz > 0 &&
        memmem(cert->extensions, (size_t)cert->extensionsSz, oid, sizeof(oid)) != NULL) {
        chain_tell(chain, TLS_CHAIN_WARNING,
                   "the certificate demands OCSP stapling (\"must staple\"), which sluice has not: "
                   "Firefox and others refuse it; get one without");
    }
}

/* --- reading -------------------------------------------------------------------------------- */

const char *chain_name(size_t i)
{
    static char text[48];
    if (i == 0) {
        return "the certificate";
    }
    snprintf(text, sizeof(text), "certificate %zu of the file", i + 1);
    return text;
}

/* RFC 5480 2.1.1 allows only curves with names; prime-field stands in the others. */
static bool has_explicit_curve(struct span der)
{
    static const byte prime_field[] = {0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x01, 0x01};
    return memmem(der.data, der.len, prime_field, sizeof(prime_field)) != NULL;
}

static void tell_unreadable(struct chain *chain, size_t i, int error)
{
    switch (error) {
    case MEMORY_E:
        chain_tell(chain, TLS_CHAIN_ERROR, "out of memory");
        break;
    case ASN_ALT_NAME_E:
        chain_tell(chain, TLS_CHAIN_ERROR,
                   "%s has more than %d names, or a name that is no name: use several certificates",
                   chain_name(i), TLS_CHAIN_NAMES);
        break;
    case KEYUSAGE_E:
        chain_tell(chain, TLS_CHAIN_ERROR,
                   "%s has a keyUsage for CAs (keyCertSign) and is none (CA:FALSE): clients refuse "
                   "it",
                   chain_name(i));
        break;
    default:
        chain_tell(chain, TLS_CHAIN_ERROR,
                   has_explicit_curve(tls_pem_item(&chain->der, i))
                       ? "%s has a key on a curve given by parameters: use ECDSA P-256 by its name"
                       : "%s is damaged, or of a kind that is not supported",
                   chain_name(i));
        break;
    }
}

/* The parsed certificate, or NULL and *out_error. */
static DecodedCert *parse(struct span der, int *out_error)
{
    DecodedCert *cert = mem_alloc(sizeof(*cert));
    *out_error = MEMORY_E;
    if (cert == NULL) {
        return NULL;
    }
    wc_InitDecodedCert(cert, (const byte *)der.data, (word32)der.len, NULL);
    *out_error = wc_ParseCert(cert, CERT_TYPE, NO_VERIFY, NULL);
    if (*out_error != 0) {
        wc_FreeDecodedCert(cert);
        mem_free(cert);
        return NULL;
    }
    return cert;
}

static void drop(DecodedCert *cert)
{
    if (cert != NULL) {
        wc_FreeDecodedCert(cert);
        mem_free(cert);
    }
}

enum tls_key_kind tls_chain_key_kind(struct span der)
{
    int error = 0;
    DecodedCert *cert = parse(der, &error);
    enum tls_key_kind kind = cert != NULL ? kind_of(cert) : TLS_KEY_OTHER;
    drop(cert);
    return kind;
}

static bool read_expiry(struct span der, int64_t *out_s, char out_name[TLS_CHAIN_NAME_MAX])
{
    int error = 0;
    DecodedCert *cert = parse(der, &error);
    bool is_read = cert != NULL && read_date(cert->afterDate, cert->afterDateLen, out_s);
    struct tls_names names = {NULL, 0};
    out_name[0] = '\0';
    if (is_read && tls_names_read(der, &names) == TLS_NAMES_OK && names.text != NULL) {
        /* wolfSSL lists names from the last to the first. */
        const char *name = names.text + names.len - 1;
        while (name > names.text && name[-1] != '\0') {
            name--;
        }
        snprintf(out_name, TLS_CHAIN_NAME_MAX, "%s", name);
    }
    tls_names_done(&names);
    drop(cert);
    return is_read;
}

bool tls_chain_expiry(struct span pem, int64_t *out_s, char out_name[TLS_CHAIN_NAME_MAX])
{
    struct tls_der der;
    if (!tls_memory_init() || tls_pem_certificates(pem, &der) != NULL) {
        return false;
    }
    bool is_read = der.count > 0 && read_expiry(tls_pem_item(&der, 0), out_s, out_name);
    tls_pem_done(&der);
    return is_read;
}

static void check_all(struct chain *chain)
{
    for (size_t i = 0; i < chain->der.count; i++) {
        int error = 0;
        chain->certs[i] = parse(tls_pem_item(&chain->der, i), &error);
        if (chain->certs[i] == NULL) {
            tell_unreadable(chain, i, error);
            continue;
        }
        check_dates(chain, i, chain->certs[i]);
        check_key(chain, i, chain->certs[i]);
        check_signature_hash(chain, i, chain->certs[i]);
    }
    if (chain->certs[0] != NULL) {
        check_names(chain, chain->certs[0]);
        check_usage(chain, chain->certs[0]);
        check_stapling(chain, chain->certs[0]);
    }
    if (!chain->has_error) {
        chain_check_links(chain);
    }
}

void tls_chain_check(struct span pem, int64_t now_s, tls_chain_tell_fn *tell, void *owner)
{
    struct chain chain = {.now_s = now_s, .tell = tell, .owner = owner};
    if (!tls_memory_init()) {
        chain_tell(&chain, TLS_CHAIN_ERROR, "wolfSSL cannot start");
        return;
    }
    const char *detail = tls_pem_certificates(pem, &chain.der);
    if (detail != NULL) {
        chain_tell(&chain, TLS_CHAIN_ERROR, "%s", detail);
        return;
    }
    check_all(&chain);
    for (size_t i = 0; i < chain.der.count; i++) {
        drop(chain.certs[i]);
    }
    tls_pem_done(&chain.der);
}

bool tls_chain_is_for(struct span pem, struct span host)
{
    struct tls_der der;
    if (!tls_memory_init() || tls_pem_certificates(pem, &der) != NULL) {
        return false;
    }
    struct span first = tls_pem_item(&der, 0);
    bool is_for = tls_names_check((const uint8_t *)first.data, first.len, host) == TLS_NAMES_OK;
    tls_pem_done(&der);
    return is_for;
}
