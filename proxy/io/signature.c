/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/signature.h"

#include <string.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/hmac.h>
#include <wolfssl/wolfcrypt/rsa.h>

#include "base/mem.h"
#include "io/tls_memory.h"

#define DER_MAX 4096          /* of a public key */
#define DER_SIGNATURE_MAX 112 /* of P-384: two INTEGERs of at most 49 bytes, and three headers */

/* wolfCrypt's key for one calculation. Each is some KiB: too large for the stack. */
union number {
    RsaKey rsa;
    ecc_key ecc;
    ed25519_key ed;
    Hmac hmac;
};

struct work {
    union number key;
    byte digest[64];
    word32 digest_len;
    byte plain[SIGKEY_BYTES_MAX]; /* RSA */
    byte padded[SIGKEY_BYTES_MAX];
    byte der[DER_SIGNATURE_MAX];
};

static const byte order_p256[32] = {
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
static const byte order_p384[48] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf,
    0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73};

/* DigestInfo of SHA-256 (RFC 8017 9.2, note 1), in front of the digest. */
static const byte digest_info[19] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                     0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

static const byte *bytes_of(struct span s)
{
    return s.len > 0 ? (const byte *)s.data : (const byte *)"";
}

static enum sigkey_result result_of(int code, bool is_proven)
{
    if (code == MEMORY_E) {
        return SIGKEY_NO_MEMORY;
    }
    return code >= 0 && is_proven ? SIGKEY_PROVEN : SIGKEY_WRONG;
}

static int hash(struct work *w, enum wc_HashType type, struct span message)
{
    w->digest_len = type == WC_HASH_TYPE_SHA384 ? 48 : 32;
    return wc_Hash(type, bytes_of(message), (word32)message.len, w->digest, w->digest_len);
}

/* --- keys ----------------------------------------------- */

static int import_rsa(RsaKey *rsa, const struct sigkey *key)
{
    const byte exponent[4] = {(byte)(key->exponent >> 24), (byte)(key->exponent >> 16),
                              (byte)(key->exponent >> 8), (byte)key->exponent};
    return wc_RsaPublicKeyDecodeRaw(key->number, (word32)key->len, exponent, sizeof(exponent), rsa);
}

static int import_ecc(ecc_key *ecc, const struct sigkey *key)
{
    int curve = key->alg == SIGKEY_ES256 ? ECC_SECP256R1 : ECC_SECP384R1;
    return wc_ecc_import_unsigned(ecc, key->number, key->number + key->len / 2, NULL, curve);
}

static int check_point(struct work *w, const struct sigkey *key)
{
    int code = 0;
    if (key->alg == SIGKEY_ED25519) {
        code = wc_ed25519_init(&w->key.ed);
        if (code == 0) {
            code = wc_ed25519_import_public(key->number, (word32)key->len, &w->key.ed);
            code = code == 0 ? wc_ed25519_check_key(&w->key.ed) : code;
            wc_ed25519_free(&w->key.ed);
        }
    } else if (key->alg == SIGKEY_ES256 || key->alg == SIGKEY_ES384) {
        code = wc_ecc_init(&w->key.ecc);
        if (code == 0) {
            code = import_ecc(&w->key.ecc, key);
            code = code == 0 ? wc_ecc_check_key(&w->key.ecc) : code;
            wc_ecc_free(&w->key.ecc);
        }
    }
    return code;
}

static struct work *start(void)
{
    return tls_memory_init() ? mem_alloc_zero(sizeof(struct work)) : NULL;
}

static void finish(struct work *w)
{
    explicit_bzero(w, sizeof(*w));
    mem_free(w);
}

const char *signature_check_key(const struct sigkey *key)
{
    const char *detail = sigkey_check(key);
    struct work *w = detail == NULL ? start() : NULL;
    if (detail != NULL || w == NULL) {
        return detail != NULL ? detail : "out of memory";
    }
    int code = check_point(w, key);
    finish(w);
    if (code == MEMORY_E) {
        return "out of memory";
    }
    return code != 0 ? "a key is no point of its curve" : NULL;
}

/* False: the DER holds another kind of key. A detail: it holds this kind, but no good key. */
static bool read_rsa(struct span der, unsigned allowed, struct sigkey *out, const char **detail)
{
    word32 at = 0;
    const byte *n = NULL;
    const byte *e = NULL;
    word32 n_len = 0;
    word32 e_len = 0;
    if (wc_RsaPublicKeyDecode_ex(bytes_of(der), &at, (word32)der.len, &n, &n_len, &e, &e_len) !=
        0) {
        return false;
    }
    if (!sigkey_rsa_alg(allowed, &out->alg)) {
        *detail = "an RSA key in PEM may be for RS256 or PS256: allow exactly one of them";
        return true;
    }
    for (; e_len > 0 && *e == 0; e_len--) {
        e++;
    }
    for (word32 i = 0; e_len <= 4 && i < e_len; i++) {
        out->exponent = out->exponent << 8 | e[i];
    }
    if (!sigkey_set_number(out, (struct span){(const char *)n, n_len}) || e_len > 4) {
        *detail = "an RSA key has more than 4096 bits, or an exponent of more than 32";
    }
    return true;
}

/* What a SubjectPublicKeyInfo of these kinds has in front of its point, byte for byte (RFC 5480,
 * RFC 8410). wolfCrypt's own reader takes points that are longer than the curve's, and then writes
 * outside of the memory into which it exports them. */
static const struct {
    enum sigkey_alg alg;
    size_t point_len;
    struct span front;
} point_kinds[] = {
    {SIGKEY_ES256, 64,
     SPAN_LIT("\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d"
              "\x03\x01\x07\x03\x42\x00\x04")},
    {SIGKEY_ES384, 96,
     SPAN_LIT("\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22"
              "\x03\x62\x00\x04")},
    {SIGKEY_ED25519, 32, SPAN_LIT("\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00")},
};

/* False: the DER holds none of these kinds. */
static bool read_point(struct span der, struct sigkey *out)
{
    for (size_t i = 0; i < sizeof(point_kinds) / sizeof(point_kinds[0]); i++) {
        struct span front = point_kinds[i].front;
        if (span_starts_with(der, front) && der.len == front.len + point_kinds[i].point_len) {
            out->alg = point_kinds[i].alg;
            return sigkey_set_number(out,
                                     (struct span){der.data + front.len, point_kinds[i].point_len});
        }
    }
    return false;
}

/* Why the DER is no key for us. */
static const char *explain_stranger(struct span der)
{
    const struct span ec_public_key = SPAN_LIT("\x06\x07\x2a\x86\x48\xce\x3d\x02\x01");
    if (memmem(der.data, der.len, ec_public_key.data, ec_public_key.len) != NULL) {
        return "an EC key is on another curve than P-256 and P-384, or not in the usual form: "
               "openssl pkey -pubin -ec_conv_form uncompressed";
    }
    return "a public key is damaged, or neither RSA nor EC nor Ed25519";
}

const char *signature_key_of_der(struct span der, unsigned allowed, struct sigkey *out)
{
    const char *detail = NULL;
    *out = (struct sigkey){.len = 0};
    if (!tls_memory_init()) {
        return "out of memory";
    }
    if (der.len == 0 || der.len > DER_MAX) {
        return "a public key is empty or too long";
    }
    if (!read_point(der, out) && !read_rsa(der, allowed, out, &detail)) {
        detail = explain_stranger(der);
    }
    if (detail == NULL && (SIGKEY_SET(out->alg) & allowed) == 0) {
        detail = "a public key is for an algorithm that is not allowed";
    }
    return detail != NULL ? detail : signature_check_key(out);
}

/* --- signatures ----------------------------------------------- */

static enum sigkey_result prove_hmac(struct work *w, const struct sigkey *key, struct span message,
                                     struct span signature)
{
    Hmac *hmac = &w->key.hmac;
    int code = wc_HmacInit(hmac, NULL, INVALID_DEVID);
    if (code != 0) {
        return result_of(code, false);
    }
    code = wc_HmacSetKey(hmac, WC_SHA256, key->number, (word32)key->len);
    code = code == 0 ? wc_HmacUpdate(hmac, bytes_of(message), (word32)message.len) : code;
    code = code == 0 ? wc_HmacFinal(hmac, w->digest) : code;
    wc_HmacFree(hmac);
    return result_of(code, sigkey_is_same((struct span){(const char *)w->digest, 32}, signature));
}

/* PKCS #1 v1.5: what comes out must be the one DigestInfo, byte for byte and nothing behind it, so
 * that a small exponent leaves no room to forge. */
static int prove_rs256(struct work *w, struct span signature, bool *out_is_proven)
{
    const size_t want = sizeof(digest_info) + w->digest_len;
    int len = wc_RsaSSL_Verify(bytes_of(signature), (word32)signature.len, w->plain,
                               sizeof(w->plain), &w->key.rsa);
    *out_is_proven = len == (int)want && memcmp(w->plain, digest_info, sizeof(digest_info)) == 0 &&
                     memcmp(w->plain + sizeof(digest_info), w->digest, w->digest_len) == 0;
    return len;
}

static int prove_ps256(struct work *w, struct span signature, bool *out_is_proven)
{
    memcpy(w->padded, signature.data, signature.len);
    int len = wc_RsaPSS_VerifyCheck(w->padded, (word32)signature.len, w->plain, sizeof(w->plain),
                                    w->digest, w->digest_len, WC_HASH_TYPE_SHA256, WC_MGF1SHA256,
                                    &w->key.rsa);
    *out_is_proven = len > 0;
    return len;
}

static enum sigkey_result prove_rsa(struct work *w, const struct sigkey *key, struct span message,
                                    struct span signature)
{
    bool is_proven = false;
    int code = wc_InitRsaKey(&w->key.rsa, NULL);
    if (code != 0) {
        return result_of(code, false);
    }
    code = import_rsa(&w->key.rsa, key);
    code = code == 0 ? hash(w, WC_HASH_TYPE_SHA256, message) : code;
    if (code == 0) {
        code = key->alg == SIGKEY_RS256 ? prove_rs256(w, signature, &is_proven)
                                        : prove_ps256(w, signature, &is_proven);
    }
    wc_FreeRsaKey(&w->key.rsa);
    return result_of(code, is_proven);
}

/* r and s lie between 1 and the order of the curve less 1 (FIPS 186-4 6.4.2). Some libraries have
 * forgotten that, and took a signature of zeroes for everything. */
static bool is_in_range(const byte *number, const byte *order, size_t len)
{
    byte any = 0;
    for (size_t i = 0; i < len; i++) {
        any |= number[i];
    }
    return any != 0 && memcmp(number, order, len) < 0;
}

static enum sigkey_result prove_ecdsa(struct work *w, const struct sigkey *key, struct span message,
                                      struct span signature)
{
    const bool is_256 = key->alg == SIGKEY_ES256;
    const byte *order = is_256 ? order_p256 : order_p384;
    const word32 half = (word32)signature.len / 2;
    const byte *r = bytes_of(signature);
    const byte *s = r + half;
    word32 der_len = sizeof(w->der);
    int is_proven = 0;
    if (!is_in_range(r, order, half) || !is_in_range(s, order, half)) {
        return SIGKEY_WRONG;
    }
    int code = wc_ecc_init(&w->key.ecc);
    if (code != 0) {
        return result_of(code, false);
    }
    code = import_ecc(&w->key.ecc, key);
    code = code == 0 ? hash(w, is_256 ? WC_HASH_TYPE_SHA256 : WC_HASH_TYPE_SHA384, message) : code;
    code = code == 0 ? wc_ecc_rs_raw_to_sig(r, half, s, half, w->der, &der_len) : code;
    code = code == 0 ? wc_ecc_verify_hash(w->der, der_len, w->digest, w->digest_len, &is_proven,
                                          &w->key.ecc)
                     : code;
    wc_ecc_free(&w->key.ecc);
    return result_of(code, is_proven == 1);
}

static enum sigkey_result prove_ed(struct work *w, const struct sigkey *key, struct span message,
                                   struct span signature)
{
    ed25519_key *ed = &w->key.ed;
    int is_proven = 0;
    int code = wc_ed25519_init(ed);
    if (code != 0) {
        return result_of(code, false);
    }
    code = wc_ed25519_import_public(key->number, (word32)key->len, ed);
    code = code == 0 ? wc_ed25519_verify_msg(bytes_of(signature), (word32)signature.len,
                                             bytes_of(message), (word32)message.len, &is_proven, ed)
                     : code;
    wc_ed25519_free(ed);
    return result_of(code, is_proven == 1);
}

static enum sigkey_result prove(struct work *w, const struct sigkey *key, struct span message,
                                struct span signature)
{
    switch (key->alg) {
    case SIGKEY_HS256:
        return prove_hmac(w, key, message, signature);
    case SIGKEY_RS256:
    case SIGKEY_PS256:
        return prove_rsa(w, key, message, signature);
    case SIGKEY_ES256:
    case SIGKEY_ES384:
        return prove_ecdsa(w, key, message, signature);
    case SIGKEY_ED25519:
        return prove_ed(w, key, message, signature);
    case SIGKEY_ALGS:
        break;
    }
    return SIGKEY_WRONG;
}

enum sigkey_result signature_prove(const struct sigkey *key, struct span message,
                                   struct span signature)
{
    if (sigkey_check(key) != NULL || message.len > UINT32_MAX / 2) {
        return SIGKEY_WRONG;
    }
    if (signature.len != sigkey_signature_len(key)) {
        return SIGKEY_WRONG_LEN;
    }
    struct work *w = start();
    if (w == NULL) {
        return SIGKEY_NO_MEMORY;
    }
    enum sigkey_result result = prove(w, key, message, signature);
    finish(w);
    return result;
}

bool signature_digest(struct span text, uint8_t out[SIGNATURE_DIGEST_LEN])
{
    return tls_memory_init() && text.len <= UINT32_MAX / 2 &&
           wc_Hash(WC_HASH_TYPE_SHA256, bytes_of(text), (word32)text.len, out,
                   SIGNATURE_DIGEST_LEN) == 0;
}
