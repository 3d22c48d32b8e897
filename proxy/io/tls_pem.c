/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/tls_pem.h"

#include <string.h>

#include "base/mem.h"

#define BEGIN "-----BEGIN "
#define END "-----END "
#define DASHES "-----"

/* What one block is, by its label and headers. */
enum kind {
    KIND_OTHER = 0, /* parameters and whatever else may stand beside */
    KIND_CERTIFICATE,
    KIND_TRUSTED, /* a certificate with words of OpenSSL's behind it */
    KIND_REQUEST,
    KIND_PKCS7,
    KIND_KEY,
    KIND_ENCRYPTED,
    KIND_OPENSSH,
    KIND_DSA,
    KIND_PUBLIC,
    KIND_REVOCATIONS,
    KIND_COUNT
};

static const struct {
    const char *label;
    enum kind kind;
} labels[] = {
    {"CERTIFICATE", KIND_CERTIFICATE},
    {"X509 CERTIFICATE", KIND_CERTIFICATE},
    {"TRUSTED CERTIFICATE", KIND_TRUSTED},
    {"CERTIFICATE REQUEST", KIND_REQUEST},
    {"NEW CERTIFICATE REQUEST", KIND_REQUEST},
    {"PKCS7", KIND_PKCS7},
    {"PRIVATE KEY", KIND_KEY},
    {"RSA PRIVATE KEY", KIND_KEY},
    {"EC PRIVATE KEY", KIND_KEY},
    {"ENCRYPTED PRIVATE KEY", KIND_ENCRYPTED},
    {"OPENSSH PRIVATE KEY", KIND_OPENSSH},
    {"DSA PRIVATE KEY", KIND_DSA},
    {"PUBLIC KEY", KIND_PUBLIC},
    {"RSA PUBLIC KEY", KIND_PUBLIC},
    {"X509 CRL", KIND_REVOCATIONS},
};

struct block {
    enum kind kind;
    struct span base64; /* with blanks and line ends */
    bool is_whole;      /* its END line is there */
};

/* Position of `text`, or s.len. */
static size_t find(struct span s, const char *text)
{
    const char *at = s.len > 0 ? memmem(s.data, s.len, text, strlen(text)) : NULL;
    return at != NULL ? (size_t)(at - s.data) : s.len;
}

static struct span behind(struct span s, size_t len)
{
    len = size_min(len, s.len);
    return (struct span){s.data + len, s.len - len};
}

static enum kind kind_of(struct span label)
{
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        if (span_is_equal(label, span_from_str(labels[i].label))) {
            return labels[i].kind;
        }
    }
    return KIND_OTHER;
}

/* RFC 1421 headers ("Proc-Type: 4,ENCRYPTED") stand in front of an empty line. */
static void cut_headers(struct block *block)
{
    if (span_find(block->base64, ':') == block->base64.len) {
        return;
    }
    if (block->kind == KIND_KEY && find(block->base64, "ENCRYPTED") < block->base64.len) {
        block->kind = KIND_ENCRYPTED;
    }
    size_t unix_end = find(block->base64, "\n\n");
    size_t dos_end = find(block->base64, "\n\r\n");
    block->base64 = behind(block->base64, size_min(unix_end, dos_end));
}

/* Takes the next block off *rest. */
static bool next_block(struct span *rest, struct block *out)
{
    struct span s = behind(*rest, find(*rest, BEGIN));
    if (s.len == 0) {
        *rest = s;
        return false;
    }
    s = behind(s, strlen(BEGIN));
    struct span label = {s.data, find(s, DASHES)};
    s = behind(s, label.len + strlen(DASHES));
    size_t end = find(s, END);
    *out = (struct block){kind_of(label), {s.data, end}, end < s.len};
    cut_headers(out);
    *rest = behind(s, end);
    return true;
}

static bool has_kind(struct span text, enum kind kind)
{
    struct block block;
    while (next_block(&text, &block)) {
        if (block.kind == kind) {
            return true;
        }
    }
    return false;
}

bool tls_pem_has_key(struct span text)
{
    return has_kind(text, KIND_KEY) || has_kind(text, KIND_ENCRYPTED);
}

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* False: the text is no base64. `out` has room for three quarters of it. */
static bool decode(struct span text, uint8_t *out, size_t *out_len)
{
    uint32_t bits = 0;
    unsigned count = 0;
    unsigned pads = 0;
    *out_len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        int digit = digit_of(c);
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            continue;
        }
        if (c == '=') {
            pads++;
            continue;
        }
        if (digit < 0 || pads > 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)digit;
        count++;
        if (count % 4 != 1) {
            out[(*out_len)++] = (uint8_t)(bits >> (2 * ((4 - count % 4) % 4)));
        }
    }
    return pads <= 2 && (count + pads) % 4 == 0;
}

/* The length of the DER item (a SEQUENCE) at the beginning of the bytes, its header included; 0:
 * there is none that is whole. */
static size_t item_len(const uint8_t *der, size_t len)
{
    size_t header = 2;
    if (len < header || der[0] != 0x30) {
        return 0;
    }
    size_t body = der[1];
    if (body > 0x80) {
        size_t width = body - 0x80;
        header += width;
        if (width > 3 || len < header) {
            return 0;
        }
        body = 0;
        for (size_t i = 0; i < width; i++) {
            body = body << 8 | der[2 + i];
        }
    }
    return body <= len - header ? header + body : 0;
}

/* Writes what a block holds; 0: it is damaged. */
static size_t write_block(const struct block *block, uint8_t *at)
{
    size_t len = 0;
    if (!block->is_whole || !decode(block->base64, at, &len)) {
        return 0;
    }
    size_t item = item_len(at, len);
    return item < len && block->kind != KIND_TRUSTED ? 0 : item;
}

/* Appends what a block holds; false: it is damaged. */
static bool take_block(struct tls_der *der, const struct block *block)
{
    size_t item = write_block(block, der->data + der->len);
    if (item == 0) {
        return false;
    }
    der->len += item;
    der->ends[der->count] = der->len;
    der->count++;
    return true;
}

bool tls_pem_next_certificate(struct span *text, uint8_t *out, size_t *out_len)
{
    struct block block;
    *out_len = 0;
    while (*out_len == 0 && next_block(text, &block)) {
        if (block.kind == KIND_CERTIFICATE || block.kind == KIND_TRUSTED) {
            *out_len = write_block(&block, out);
        }
    }
    return *out_len > 0;
}

static const char *take_all(struct span text, struct tls_der *out)
{
    struct block block;
    while (next_block(&text, &block)) {
        if (block.kind != KIND_CERTIFICATE && block.kind != KIND_TRUSTED) {
            continue;
        }
        if (out->count == TLS_PEM_CERTIFICATES) {
            return "the file has more than 21 certificates: leave only those that lead to the root";
        }
        if (!take_block(out, &block)) {
            return "certificate is damaged";
        }
        if (out->len > TLS_PEM_CHAIN_BYTES) {
            return "the certificates have more than 100 KiB in all: clients take no more";
        }
    }
    return NULL;
}

/* What a file is that has no block of a kind that helps. */
static const char *name_stranger(struct span text, const char *fallback)
{
    if (text.len == 0) {
        return "the file is empty";
    }
    if (span_starts_with(text, span_from_str("\xff\xfe")) ||
        span_starts_with(text, span_from_str("\xfe\xff"))) {
        return "the file is UTF-16 text: save it as ASCII or UTF-8";
    }
    size_t len = item_len((const uint8_t *)text.data, text.len);
    if (len > 7 && memmem(text.data, size_min(len, 8), "\x02\x01\x03", 3) != NULL) {
        return "the file is PKCS #12: openssl pkcs12 -in FILE -nodes makes PEM of it";
    }
    return len > 0 ? "the file is DER: openssl makes PEM of it (x509 or pkey, -inform DER)"
                   : fallback;
}

static const char *explain_no_certificate(struct span text)
{
    if (tls_pem_has_key(text)) {
        return "the certificate's file has only a key: are tls_certificate and tls_key exchanged?";
    }
    if (has_kind(text, KIND_REQUEST)) {
        return "the certificate's file has a request (CSR): the CA makes the certificate of it";
    }
    if (has_kind(text, KIND_PKCS7)) {
        return "the file is PKCS #7: openssl pkcs7 -print_certs makes PEM of it";
    }
    return name_stranger(text, "certificate is not PEM");
}

static const char *explain_no_key(struct span text)
{
    if (has_kind(text, KIND_ENCRYPTED)) {
        return "key is encrypted, which sluice cannot ask about: openssl pkey -in FILE -out NEW";
    }
    if (has_kind(text, KIND_OPENSSH)) {
        return "key is in OpenSSH's form: ssh-keygen -p -m PKCS8 -f FILE makes PEM of it";
    }
    if (has_kind(text, KIND_DSA)) {
        return "key is DSA, which TLS has no use for: make an ECDSA or RSA key";
    }
    if (has_kind(text, KIND_CERTIFICATE)) {
        return "the key's file has only a certificate: are tls_certificate and tls_key exchanged?";
    }
    if (has_kind(text, KIND_PUBLIC)) {
        return "the key's file has only a public key";
    }
    return name_stranger(text, "key is not PEM");
}

static const char *explain_no_public_key(struct span text)
{
    if (has_kind(text, KIND_CERTIFICATE) || has_kind(text, KIND_TRUSTED)) {
        return "the file has a certificate: openssl x509 -in FILE -pubkey -noout makes PEM of its "
               "public key";
    }
    return name_stranger(text, "the file has no public key in PEM");
}

static bool start(struct span text, struct tls_der *out)
{
    *out = (struct tls_der){0};
    out->data = mem_alloc(text.len + 1); /* DER is shorter than its base64 text */
    return out->data != NULL;
}

/* The wipe needs the length of what was written; text.len is an upper bound of it. */
static const char *give_up(struct span text, struct tls_der *der, const char *detail)
{
    explicit_bzero(der->data, text.len + 1);
    mem_free(der->data);
    *der = (struct tls_der){0};
    return detail;
}

const char *tls_pem_certificates(struct span text, struct tls_der *out)
{
    if (!start(text, out)) {
        return "out of memory";
    }
    const char *detail = take_all(text, out);
    if (detail == NULL && out->count == 0) {
        detail = explain_no_certificate(text);
    }
    return detail != NULL ? give_up(text, out, detail) : NULL;
}

const char *tls_pem_key(struct span text, struct tls_der *out)
{
    struct span rest = text;
    struct block block = {.kind = KIND_OTHER};
    if (!start(text, out)) {
        return "out of memory";
    }
    while (block.kind != KIND_KEY) {
        if (!next_block(&rest, &block)) {
            return give_up(text, out, explain_no_key(text));
        }
    }
    return take_block(out, &block) ? NULL : give_up(text, out, "key is damaged");
}

static const char *take_public_keys(struct span text, struct tls_der *out)
{
    struct block block;
    while (next_block(&text, &block)) {
        if (block.kind != KIND_PUBLIC) {
            continue;
        }
        if (out->count == TLS_PEM_CERTIFICATES) {
            return "the file has more than 21 public keys: a JWKS may have more";
        }
        if (!take_block(out, &block)) {
            return "a public key is damaged";
        }
    }
    return NULL;
}

const char *tls_pem_public_keys(struct span text, struct tls_der *out)
{
    if (!start(text, out)) {
        return "out of memory";
    }
    if (tls_pem_has_key(text) || has_kind(text, KIND_OPENSSH)) {
        return give_up(text, out,
                       "the file has a private key: openssl pkey -in FILE -pubout makes "
                       "PEM of the public one");
    }
    const char *detail = take_public_keys(text, out);
    if (detail == NULL && out->count == 0) {
        detail = explain_no_public_key(text);
    }
    return detail != NULL ? give_up(text, out, detail) : NULL;
}

const char *tls_pem_revocations(struct span text, uint8_t *out, size_t *out_len)
{
    struct span rest = text;
    struct block block;
    *out_len = 0;
    if (item_len((const uint8_t *)text.data, text.len) == text.len && text.len > 0) {
        memcpy(out, text.data, text.len);
        *out_len = text.len;
        return NULL;
    }
    while (next_block(&rest, &block)) {
        size_t item = block.kind == KIND_REVOCATIONS ? write_block(&block, out + *out_len) : 0;
        if (block.kind == KIND_REVOCATIONS && item == 0) {
            return "the revocation list is damaged";
        }
        *out_len += item;
    }
    if (*out_len > 0) {
        return NULL;
    }
    return has_kind(text, KIND_CERTIFICATE)
               ? "the file has certificates and no revocation list (X509 CRL)"
               : "the file has no revocation list, neither PEM (X509 CRL) nor DER";
}

void tls_pem_done(struct tls_der *der)
{
    if (der->data != NULL) {
        explicit_bzero(der->data, der->len);
    }
    mem_free(der->data);
    *der = (struct tls_der){0};
}

struct span tls_pem_item(const struct tls_der *der, size_t i)
{
    size_t begin = i > 0 ? der->ends[i - 1] : 0;
    return (struct span){(const char *)der->data + begin, der->ends[i] - begin};
}
