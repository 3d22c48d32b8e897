/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The record guard, and wolfSSL's input and output. */
#include <string.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "io/tls_faults.h"
#include "io/tls_parts.h"

enum { RECORD_CHANGE_CIPHER_SPEC = 20 };
/* A record of nothing but its AEAD tag has no content type (RFC 8446 5.2); such a record once made
 * wolfSSL read out of bounds. */
enum { CIPHERTEXT_MIN = 17, CIPHERTEXT_MAX = TLS_RECORD_MAX + 256 };
/* The most records in a row that bring no byte of data: key updates, warnings, empty records. A
 * peer may cut the certificates of its handshake into more. */
enum { IDLE_RECORDS_MAX = 32, HANDSHAKE_RECORDS_MAX = 250 };

static bool is_record_allowed(const struct tls *tls)
{
    size_t len = (size_t)tls->header[3] << 8 | tls->header[4];
    if (tls->header[1] != 3 || len == 0 || len > CIPHERTEXT_MAX) {
        return false;
    }
    switch (tls->header[0]) {
    case TLS_RECORD_DATA:
        return len >= CIPHERTEXT_MIN || wolfSSL_version(tls->ssl) != TLS1_3_VERSION;
    case TLS_RECORD_ALERT:
        return true;
    /* After the handshake such a record could only be a renegotiation. */
    case TLS_RECORD_HANDSHAKE:
    case RECORD_CHANGE_CIPHER_SPEC:
        return !tls->is_established;
    default:
        return false;
    }
}

static bool is_idle_too_long(const struct tls *tls)
{
    bool is_chain_due = tls->context->verify != TLS_VERIFY_OFF && !tls->is_established;
    return tls->idle_records > (is_chain_due ? HANDSHAKE_RECORDS_MAX : IDLE_RECORDS_MAX);
}

/* The bytes of a record that tell how a client proves its certificate; false: they must not be. */
static bool pass_flight(struct tls *tls, const uint8_t *body, size_t len)
{
    bool is_proving = TLS_FAULT_PROOFS && tls->context->role == TLS_SERVER &&
                      tls->context->verify != TLS_VERIFY_OFF &&
                      tls->header[0] == TLS_RECORD_HANDSHAKE && !tls->is_encrypted &&
                      wolfSSL_version(tls->ssl) == TLS1_2_VERSION;
    const char *detail = is_proving ? tls_flight_follow(&tls->flight, body, len) : NULL;
    if (detail != NULL) {
        (void)tls_fail(tls, detail);
    }
    return detail == NULL;
}

static bool pass_header(struct tls *tls, const uint8_t *data, size_t len)
{
    memcpy(tls->header + tls->header_len, data, len);
    tls->header_len = (uint8_t)(tls->header_len + len);
    if (tls->header_len < TLS_RECORD_HEADER) {
        return true;
    }
    tls->header_len = 0;
    tls->record_left = (uint32_t)tls->header[3] << 8 | tls->header[4];
    tls->idle_records++;
    if (is_idle_too_long(tls)) {
        (void)tls_fail(tls, "too many records without data");
        return false;
    }
    tls->is_encrypted |= tls->header[0] == RECORD_CHANGE_CIPHER_SPEC;
    if (!is_record_allowed(tls)) {
        bool is_first_word = tls->context->role == TLS_CLIENT && tls->idle_records == 1 &&
                             !tls->is_established && tls->header[1] != 3;
        (void)tls_fail(tls, is_first_word ? "the server does not speak TLS"
                                          : "a record that TLS does not allow here");
        return false;
    }
    return true;
}

/* A client that refuses the certificate may say so in the clear although the keys are there:
 * OpenSSL does, and wolfSSL gives up at the header of such an alert in TLS 1.3. Only an alert in
 * the clear has two bytes, the level first; `body` is what is lent behind the header. */
static void note_alert(struct tls *tls, const uint8_t *body, size_t len)
{
    static const uint8_t fatal = 2;
    bool is_clear = tls->header[0] == TLS_RECORD_ALERT && tls->record_left == 2;
    if (is_clear && !tls->is_established && len >= 2 && body[0] == fatal) {
        tls->alert = body[1];
    }
}

/* Hands out at most the rest of a header or of a body, so that the guard sees every record. */
static int lend(WOLFSSL *ssl, char *buffer, int size, void *context)
{
    struct tls *tls = context;
    (void)ssl;
    if (tls->lent_len == 0 || size <= 0) {
        return WOLFSSL_CBIO_ERR_WANT_READ;
    }
    bool is_body = tls->record_left > 0;
    size_t len = is_body ? tls->record_left : (size_t)TLS_RECORD_HEADER - tls->header_len;
    len = size_min(size_min(len, tls->lent_len), (size_t)size);
    if (is_body) {
        tls->record_left -= (uint32_t)len;
        if (!tls->is_established && !pass_flight(tls, tls->lent, len)) {
            return WOLFSSL_CBIO_ERR_GENERAL;
        }
    } else if (!pass_header(tls, tls->lent, len)) {
        return WOLFSSL_CBIO_ERR_GENERAL;
    } else if (tls->record_left > 0) {
        note_alert(tls, tls->lent + len, tls->lent_len - len);
    }
    memcpy(buffer, tls->lent, len);
    tls->lent += len;
    tls->lent_len -= len;
    return (int)len;
}

bool tls_record_put(struct tls_wire *out, const void *data, size_t len)
{
    if (out == NULL || out->size - out->len < len) {
        return false;
    }
    memcpy(out->data + out->len, data, len);
    out->len += len;
    return true;
}

static int collect(WOLFSSL *ssl, char *buffer, int size, void *context)
{
    struct tls *tls = context;
    (void)ssl;
    if (size < 0 || !tls_record_put(tls->out, buffer, (size_t)size)) {
        return WOLFSSL_CBIO_ERR_GENERAL;
    }
    return size;
}

void tls_record_attach(struct tls *tls)
{
    wolfSSL_SSLSetIORecv(tls->ssl, lend);
    wolfSSL_SSLSetIOSend(tls->ssl, collect);
    wolfSSL_SetIOReadCtx(tls->ssl, tls);
    wolfSSL_SetIOWriteCtx(tls->ssl, tls);
}
