/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/tls.h"

#include <assert.h>
#include <string.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "base/mem.h"
#include "io/tls_context.h"
#include "io/tls_hello.h"

enum { RECORD_CHANGE_CIPHER_SPEC = 20, RECORD_ALERT = 21, RECORD_HANDSHAKE = 22, RECORD_DATA = 23 };
/* A record's AEAD tag alone leaves no content type (RFC 8446 5.2): it once made the library read
 * out of bounds. */
enum { CIPHERTEXT_MIN = 17, CIPHERTEXT_MAX = TLS_RECORD_MAX + 256 };
enum { ALERT_HANDSHAKE_FAILURE = 40 };
/* Records in a row without a byte for us: key updates, warnings, empty ones. */
enum { IDLE_RECORDS_MAX = 32 };

enum phase {
    PHASE_HELLO = 0, /* gathering a ClientHello; the library has not been asked yet */
    PHASE_HANDSHAKE,
    PHASE_OPEN,
    PHASE_ENDED, /* the peer's close_notify came */
    PHASE_FAILED
};

struct tls {
    struct tls_context *context;
    WOLFSSL *ssl; /* NULL until the first ClientHello is whole */
    size_t site;  /* or TLS_SITE_BY_NAME */
    char *server_name;
    struct tls_hello_reader hello;
    /* Only during a call: wire bytes that the library may take, where it may write. */
    const uint8_t *lent;
    size_t lent_len;
    struct tls_wire *out;
    /* The record guard's place in the stream. */
    size_t record_left;
    uint8_t header[TLS_RECORD_HEADER];
    uint8_t header_len;
    uint8_t idle_records;
    enum phase phase;
    bool is_established;
    bool offers_protocols;
    bool is_finished;
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* -------------------------------------------------------------------------------- wolfSSL's I/O */

static bool is_record_allowed(const struct tls *tls)
{
    size_t len = (size_t)tls->header[3] << 8 | tls->header[4];
    if (tls->header[1] != 3 || len == 0 || len > CIPHERTEXT_MAX) {
        return false;
    }
    switch (tls->header[0]) {
    case RECORD_DATA:
        return len >= CIPHERTEXT_MIN || wolfSSL_version(tls->ssl) != TLS1_3_VERSION;
    case RECORD_ALERT:
        return true;
    /* Afterwards it could only be a renegotiation. */
    case RECORD_HANDSHAKE:
    case RECORD_CHANGE_CIPHER_SPEC:
        return !tls->is_established;
    default:
        return false;
    }
}

static bool pass_header(struct tls *tls, const uint8_t *data, size_t len)
{
    memcpy(tls->header + tls->header_len, data, len);
    tls->header_len = (uint8_t)(tls->header_len + len);
    if (tls->header_len < TLS_RECORD_HEADER) {
        return true;
    }
    tls->header_len = 0;
    tls->record_left = (size_t)tls->header[3] << 8 | tls->header[4];
    tls->idle_records++;
    return tls->idle_records <= IDLE_RECORDS_MAX && is_record_allowed(tls);
}

/* Hands out at most the rest of a header or of a body, so that no record starts unseen. */
static int lend(WOLFSSL *ssl, char *buffer, int size, void *context)
{
    struct tls *tls = context;
    (void)ssl;
    if (tls->lent_len == 0 || size <= 0) {
        return WOLFSSL_CBIO_ERR_WANT_READ;
    }
    bool is_body = tls->record_left > 0;
    size_t len = is_body ? tls->record_left : (size_t)TLS_RECORD_HEADER - tls->header_len;
    len = smaller(smaller(len, tls->lent_len), (size_t)size);
    if (is_body) {
        tls->record_left -= len;
    } else if (!pass_header(tls, tls->lent, len)) {
        return WOLFSSL_CBIO_ERR_GENERAL;
    }
    memcpy(buffer, tls->lent, len);
    tls->lent += len;
    tls->lent_len -= len;
    return (int)len;
}

static bool put(struct tls_wire *out, const void *data, size_t len)
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
    if (size < 0 || !put(tls->out, buffer, (size_t)size)) {
        return WOLFSSL_CBIO_ERR_GENERAL;
    }
    return size;
}

/* --------------------------------------------------------------------------------- birth, death */

struct tls *tls_new_at(struct tls_context *context, size_t site)
{
    struct tls *tls = mem_alloc_zero(sizeof(*tls));
    if (tls == NULL) {
        return NULL;
    }
    tls->context = context;
    context->users++;
    tls->site = site;
    tls_hello_init(&tls->hello, false);
    return tls;
}

struct tls *tls_new(struct tls_context *context)
{
    return tls_new_at(context, TLS_SITE_BY_NAME);
}

void tls_free(struct tls *tls)
{
    if (tls == NULL) {
        return;
    }
    wolfSSL_free(tls->ssl);
    tls_hello_done(&tls->hello);
    mem_free(tls->server_name);
    tls_context_drop(tls->context);
    mem_free(tls);
}

static enum tls_result fail(struct tls *tls)
{
    tls->phase = PHASE_FAILED;
    tls_hello_done(&tls->hello);
    return TLS_FAILED;
}

/* ------------------------------------------------------------------------------------ the hello */

/* In the clear: before or right after a ClientHello. */
static void put_alert(struct tls *tls, uint8_t description)
{
    const uint8_t alert[] = {RECORD_ALERT, 3, 3, 0, 2, 2 /* fatal */, description};
    (void)put(tls->out, alert, sizeof(alert));
}

static enum tls_result refuse_hello(struct tls *tls, enum tls_hello_result why)
{
    uint8_t description = tls_hello_alert(why);
    if (description != 0) {
        put_alert(tls, description);
    }
    return fail(tls);
}

static bool start_session(struct tls *tls, const struct tls_hello *hello)
{
    char http1[] = "http/1.1";
    const struct tls_site *site = tls->site == TLS_SITE_BY_NAME
                                      ? tls_context_choose(tls->context, hello->server_name)
                                      : &tls->context->sites[tls->site];
    if (hello->server_name.len > 0) {
        tls->server_name = mem_copy_str(hello->server_name);
        if (tls->server_name == NULL) {
            return false;
        }
    }
    tls->offers_protocols = hello->offers_protocols;
    tls->ssl = wolfSSL_new(site->library);
    if (tls->ssl == NULL) {
        return false;
    }
    wolfSSL_SSLSetIORecv(tls->ssl, lend);
    wolfSSL_SSLSetIOSend(tls->ssl, collect);
    wolfSSL_SetIOReadCtx(tls->ssl, tls);
    wolfSSL_SetIOWriteCtx(tls->ssl, tls);
    return !hello->offers_protocols ||
           wolfSSL_UseALPN(tls->ssl, http1, sizeof(http1) - 1, WOLFSSL_ALPN_FAILED_ON_MISMATCH) ==
               WOLFSSL_SUCCESS;
}

/* RFC 8446 4.1.3: a ServerHello with this random value asks for a second ClientHello. */
static bool is_retry_request(const uint8_t *wire, size_t len)
{
    static const uint8_t retry_random[32] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11,
                                             0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
                                             0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
                                             0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};
    const size_t at = TLS_RECORD_HEADER + 4 + 2;
    return len >= at + sizeof(retry_random) && wire[0] == RECORD_HANDSHAKE &&
           wire[TLS_RECORD_HEADER] == 2 /* server_hello */ &&
           memcmp(wire + at, retry_random, sizeof(retry_random)) == 0;
}

static enum tls_result judge(struct tls *tls, int returned)
{
    switch (wolfSSL_get_error(tls->ssl, returned)) {
    case WOLFSSL_ERROR_WANT_READ:
        return TLS_OK;
    case WOLFSSL_ERROR_ZERO_RETURN:
        tls->phase = PHASE_ENDED;
        return TLS_EOF;
    default:
        return fail(tls);
    }
}

static enum tls_result shake_hands(struct tls *tls)
{
    int returned = wolfSSL_accept(tls->ssl);
    if (returned != WOLFSSL_SUCCESS) {
        return judge(tls, returned);
    }
    tls->is_established = true;
    tls->phase = PHASE_OPEN;
    return TLS_OK;
}

static enum tls_result answer_hello(struct tls *tls)
{
    size_t before = tls->out->len;
    tls->lent = tls->hello.record;
    tls->lent_len = tls->hello.len;
    tls->phase = PHASE_HANDSHAKE;
    enum tls_result result = shake_hands(tls);
    tls->lent_len = 0;
    tls_hello_done(&tls->hello);
    if (result == TLS_FAILED && tls->out->len == before) {
        /* The library has no words for some refusals, such as an unusable key share. */
        put_alert(tls, ALERT_HANDSHAKE_FAILURE);
    }
    if (result == TLS_OK && !tls->hello.is_second &&
        is_retry_request(tls->out->data + before, tls->out->len - before)) {
        tls_hello_init(&tls->hello, true);
        tls->phase = PHASE_HELLO;
    }
    return result;
}

/* Takes bytes up to the end of a ClientHello. */
static enum tls_result take_hello(struct tls *tls, const uint8_t *wire, size_t len,
                                  size_t *out_used)
{
    struct tls_hello hello;
    enum tls_hello_result result = tls_hello_read(&tls->hello, wire, len, out_used);
    if (result == TLS_HELLO_MORE) {
        return TLS_OK;
    }
    if (result == TLS_HELLO_OK) {
        result = tls_hello_parse(tls->hello.record + TLS_RECORD_HEADER,
                                 tls->hello.len - TLS_RECORD_HEADER, &hello);
    }
    if (result == TLS_HELLO_OK && tls->hello.is_second &&
        (!span_is_equal_nocase(hello.server_name, tls_sni(tls)) ||
         hello.offers_protocols != tls->offers_protocols)) {
        result = TLS_HELLO_ILLEGAL;
    }
    if (result == TLS_HELLO_OK && !tls->hello.is_second && !start_session(tls, &hello)) {
        result = TLS_HELLO_NO_MEMORY;
    }
    return result == TLS_HELLO_OK ? answer_hello(tls) : refuse_hello(tls, result);
}

/* ---------------------------------------------------------------------------------------- bytes */

/* A read returns one record's worth at most; what is not asked for would stay in the library
 * while the socket is silent. */
static enum tls_result decrypt(struct tls *tls, struct tls_wire *plain)
{
    for (;;) {
        size_t lent_before = tls->lent_len;
        size_t room = smaller(plain->size - plain->len, TLS_RECORD_MAX);
        if (room == 0) {
            return fail(tls);
        }
        int returned = wolfSSL_read(tls->ssl, plain->data + plain->len, (int)room);
        if (returned > 0) {
            plain->len += (size_t)returned;
            tls->idle_records = 0;
            continue;
        }
        enum tls_result result = judge(tls, returned);
        if (result != TLS_OK || tls->lent_len == 0) {
            return result;
        }
        if (tls->lent_len == lent_before) {
            return fail(tls);
        }
    }
}

static enum tls_result take(struct tls *tls, const uint8_t *wire, size_t len,
                            struct tls_wire *plain)
{
    enum tls_result result = TLS_OK;
    while (len > 0 && tls->phase == PHASE_HELLO && result == TLS_OK) {
        size_t used = 0;
        result = take_hello(tls, wire, len, &used);
        wire += used;
        len -= used;
    }
    if (len == 0 || result != TLS_OK) {
        return result;
    }
    tls->lent = wire;
    tls->lent_len = len;
    if (tls->phase == PHASE_HANDSHAKE) {
        result = shake_hands(tls);
    }
    if (result == TLS_OK && tls->phase == PHASE_OPEN) {
        result = decrypt(tls, plain);
    }
    tls->lent_len = 0;
    return result;
}

enum tls_result tls_feed(struct tls *tls, const uint8_t *wire, size_t len, uint8_t *plain,
                         size_t plain_size, size_t *out_plain_len, struct tls_wire *out)
{
    struct tls_wire decrypted = {.data = plain, .size = plain_size};
    enum tls_result result = TLS_OK;
    assert(plain_size >= len + TLS_PLAIN_EXTRA);
    *out_plain_len = 0;
    switch (tls->phase) {
    case PHASE_ENDED:
        return TLS_EOF;
    case PHASE_FAILED:
        return TLS_FAILED;
    case PHASE_HELLO:
    case PHASE_HANDSHAKE:
    case PHASE_OPEN:
        tls->out = out;
        result = take(tls, wire, len, &decrypted);
        tls->out = NULL;
        break;
    }
    *out_plain_len = decrypted.len;
    return result;
}

bool tls_is_established(const struct tls *tls)
{
    return tls->is_established;
}

enum tls_result tls_seal(struct tls *tls, const uint8_t *data, size_t len, struct tls_wire *out)
{
    enum tls_result result = TLS_OK;
    if (!tls->is_established || tls->is_finished || tls->phase == PHASE_FAILED) {
        return TLS_FAILED;
    }
    tls->out = out;
    while (len > 0 && result == TLS_OK) {
        size_t piece = smaller(len, TLS_RECORD_MAX);
        if (wolfSSL_write(tls->ssl, data, (int)piece) != (int)piece) {
            result = fail(tls);
        }
        data += piece;
        len -= piece;
    }
    tls->out = NULL;
    return result;
}

void tls_finish(struct tls *tls, struct tls_wire *out)
{
    if (tls->ssl == NULL || tls->is_finished || tls->phase == PHASE_FAILED) {
        return;
    }
    tls->is_finished = true;
    tls->out = out;
    /* It says "not done" until the peer's answer is there, for which nobody waits here. */
    (void)wolfSSL_shutdown(tls->ssl);
    tls->out = NULL;
}

const char *tls_version_name(const struct tls *tls)
{
    return tls->is_established ? wolfSSL_get_version(tls->ssl) : "";
}

const char *tls_suite_name(const struct tls *tls)
{
    if (!tls->is_established) {
        return "";
    }
    unsigned suite = (unsigned)wolfSSL_get_current_cipher_suite(tls->ssl);
    const char *name =
        wolfSSL_get_cipher_name_iana_from_suite((unsigned char)(suite >> 8), (unsigned char)suite);
    return name != NULL ? name : "";
}

struct span tls_sni(const struct tls *tls)
{
    return span_from_str(tls->server_name);
}

const char *tls_library_version(void)
{
    return wolfSSL_lib_version();
}
