/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/tls.h"

#include <assert.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "base/mem.h"
#include "io/tls_parts.h"

static void end_shaking(struct tls *tls)
{
    if (tls->is_shaking) {
        tls->is_shaking = false;
        tls_context_end_handshake(tls->context);
    }
}

void tls_free(struct tls *tls)
{
    if (tls == NULL) {
        return;
    }
    tls_kept_doubt(tls);
    wolfSSL_free(tls->ssl);
    tls_hello_done(&tls->hello);
    mem_free(tls->server_name);
    mem_free(tls->server);
    peer_cert_free(tls->peer);
    end_shaking(tls);
    tls_context_leave(tls->context);
    mem_free(tls);
}

enum tls_result tls_fail(struct tls *tls, const char *detail)
{
    tls->phase = TLS_PHASE_FAILED;
    if (tls->detail == NULL) {
        tls->detail = detail;
    }
    return TLS_FAILED;
}

/* -------------------------------------------------------------------------------- the handshake */

/* What a call of wolfSSL that did not succeed means. */
static enum tls_result judge(struct tls *tls, int returned)
{
    int error = wolfSSL_get_error(tls->ssl, returned);
    switch (error) {
    case WOLFSSL_ERROR_WANT_READ:
        return TLS_OK;
    case WOLFSSL_ERROR_ZERO_RETURN:
        tls->phase = TLS_PHASE_ENDED;
        return TLS_EOF;
    default:
        return tls_fail(tls, tls_detail_of(tls, error));
    }
}

/* The place of a protocol in the context's list, from 1; 0: it is not there. */
static uint8_t find_protocol(const struct tls_context *context, struct span wanted)
{
    struct span rest = span_from_str(context->protocols);
    struct span name;
    for (uint8_t place = 1; span_next(&rest, ',', &name); place++) {
        if (span_is_equal(name, wanted)) {
            return place;
        }
    }
    return 0;
}

/* A client's handshake is complete: what did the server choose? */
static enum tls_result conclude_client(struct tls *tls)
{
    char *protocol = NULL;
    word16 len = 0;
    /* Whoever takes a session up has the secret of a server whose certificate was good. */
    bool is_taken_up = tls->is_offered && wolfSSL_session_reused(tls->ssl) == 1;
    if (tls->context->verify != TLS_VERIFY_OFF && !tls->is_name_good && !is_taken_up) {
        return tls_fail(tls, "this build of wolfSSL shows no certificates");
    }
    if (wolfSSL_ALPN_GetProtocol(tls->ssl, &protocol, &len) == WOLFSSL_SUCCESS) {
        tls->protocol = find_protocol(tls->context, (struct span){protocol, len});
    }
    /* TLS 1.2 knows sessions without tickets. */
    tls->is_ticket_new |= wolfSSL_version(tls->ssl) == TLS1_2_VERSION && !is_taken_up;
    tls->idle_records = 0;
    return TLS_OK;
}

enum tls_result tls_negotiate(struct tls *tls)
{
    bool is_client = tls->context->role == TLS_CLIENT;
    if (is_client && !tls_client_begin(tls)) {
        return tls_fail(tls, "cannot make a key");
    }
    int returned = is_client ? wolfSSL_connect(tls->ssl) : wolfSSL_accept(tls->ssl);
    bool is_asking = !is_client && tls->context->verify != TLS_VERIFY_OFF;
    if (tls->context->verify != TLS_VERIFY_OFF) {
        tls_peer_forget_chain(tls);
    }
    if (returned != WOLFSSL_SUCCESS) {
        return judge(tls, returned);
    }
    if (is_client && conclude_client(tls) != TLS_OK) {
        return TLS_FAILED;
    }
    if (is_asking && tls_peer_conclude(tls) != TLS_OK) {
        return TLS_FAILED;
    }
    tls->is_established = true;
    tls->phase = TLS_PHASE_OPEN;
    end_shaking(tls);
    return TLS_OK;
}

/* Takes bytes up to the end of the handshake. */
static enum tls_result shake(struct tls *tls, const uint8_t *wire, size_t len, size_t *out_used)
{
    enum tls_result result = TLS_OK;
    size_t used = 0;
    while (used < len && tls->phase == TLS_PHASE_HELLO && result == TLS_OK) {
        size_t taken = 0;
        result = tls_server_hello(tls, wire + used, len - used, &taken);
        used += taken;
    }
    if (result == TLS_OK && tls->phase == TLS_PHASE_HANDSHAKE &&
        (used < len || tls->context->role == TLS_CLIENT)) {
        tls->lent = wire + used;
        tls->lent_len = len - used;
        result = tls_negotiate(tls);
        used = len - tls->lent_len;
        tls->lent_len = 0;
    }
    if (result == TLS_FAILED) {
        tls_hello_done(&tls->hello);
    }
    *out_used = used;
    return result;
}

/* What every call says after the end; TLS_OK before it. */
static enum tls_result end_of(const struct tls *tls)
{
    switch (tls->phase) {
    case TLS_PHASE_ENDED:
        return TLS_EOF;
    case TLS_PHASE_FAILED:
        return TLS_FAILED;
    case TLS_PHASE_HELLO:
    case TLS_PHASE_HANDSHAKE:
    case TLS_PHASE_OPEN:
        break;
    }
    return TLS_OK;
}

enum tls_result tls_shake(struct tls *tls, const uint8_t *wire, size_t len, size_t *out_used,
                          struct tls_wire *out)
{
    *out_used = 0;
    enum tls_result result = end_of(tls);
    if (result == TLS_OK) {
        tls->out = out;
        result = shake(tls, wire, len, out_used);
        tls_kept_note(tls);
        tls->out = NULL;
    }
    return result;
}

bool tls_is_established(const struct tls *tls)
{
    return tls->is_established;
}

bool tls_has_heard(const struct tls *tls)
{
    return tls->has_heard;
}

/* ---------------------------------------------------------------------------------------- bytes */

/* A read of wolfSSL returns one record at most. So this reads until nothing is left: a byte that
 * stayed in wolfSSL would wait there while the socket is silent. */
static enum tls_result decrypt(struct tls *tls, struct tls_wire *plain)
{
    for (;;) {
        size_t lent_before = tls->lent_len;
        size_t room = size_min(plain->size - plain->len, TLS_RECORD_MAX);
        if (room == 0) {
            return tls_fail(tls, "no room for decrypted bytes");
        }
        int returned = wolfSSL_read(tls->ssl, plain->data + plain->len, (int)room);
        if (returned > 0) {
            plain->len += (size_t)returned;
            tls->has_heard = true;
            tls->idle_records = 0;
            continue;
        }
        enum tls_result result = judge(tls, returned);
        if (result != TLS_OK || tls->lent_len == 0) {
            return result;
        }
        if (tls->lent_len == lent_before) {
            return tls_fail(tls, "wolfSSL takes no more");
        }
    }
}

static enum tls_result take(struct tls *tls, const uint8_t *wire, size_t len,
                            struct tls_wire *plain)
{
    enum tls_result result = TLS_OK;
    size_t used = 0;
    if (tls->phase != TLS_PHASE_OPEN) {
        result = shake(tls, wire, len, &used);
    }
    if (result == TLS_OK && used < len) {
        tls->lent = wire + used;
        tls->lent_len = len - used;
        result = decrypt(tls, plain);
        tls->lent_len = 0;
    }
    return result;
}

enum tls_result tls_feed(struct tls *tls, const uint8_t *wire, size_t len, uint8_t *plain,
                         size_t plain_size, size_t *out_plain_len, struct tls_wire *out)
{
    struct tls_wire decrypted = {.data = plain, .size = plain_size};
    assert(plain_size >= len + TLS_PLAIN_EXTRA);
    enum tls_result result = end_of(tls);
    if (result == TLS_OK) {
        tls->out = out;
        result = take(tls, wire, len, &decrypted);
        tls_kept_note(tls);
        tls->out = NULL;
    }
    *out_plain_len = decrypted.len;
    return result;
}

enum tls_result tls_seal(struct tls *tls, const uint8_t *data, size_t len, struct tls_wire *out)
{
    enum tls_result result = TLS_OK;
    if (!tls->is_established || tls->is_finished || tls->phase == TLS_PHASE_FAILED) {
        return TLS_FAILED;
    }
    tls->out = out;
    while (len > 0 && result == TLS_OK) {
        size_t piece = size_min(len, TLS_RECORD_MAX);
        if (wolfSSL_write(tls->ssl, data, (int)piece) != (int)piece) {
            result = tls_fail(tls, "records cannot be made");
        }
        data += piece;
        len -= piece;
    }
    tls->out = NULL;
    return result;
}

void tls_finish(struct tls *tls, struct tls_wire *out)
{
    if (tls->ssl == NULL || tls->is_finished || tls->phase == TLS_PHASE_FAILED) {
        return;
    }
    tls->is_finished = true;
    tls->out = out;
    /* wolfSSL says "not done" until the peer has answered; nobody waits for that here. */
    (void)wolfSSL_shutdown(tls->ssl);
    tls->out = NULL;
}

const char *tls_detail(const struct tls *tls)
{
    return tls->detail;
}

struct span tls_protocol(const struct tls *tls)
{
    struct span rest = span_from_str(tls->context->protocols);
    struct span name = {"", 0};
    for (uint8_t place = 0; place < tls->protocol && span_next(&rest, ',', &name); place++) {
    }
    return name;
}

const char *tls_version_name(const struct tls *tls)
{
    return tls->is_established ? wolfSSL_get_version(tls->ssl) : "";
}

bool tls_is_resumed(const struct tls *tls)
{
    return tls->is_established && wolfSSL_session_reused(tls->ssl) == 1;
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
