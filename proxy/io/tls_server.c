/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The server's end of a handshake: from the ClientHello to the certificate that answers it. */
#include <string.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "base/mem.h"
#include "io/tls_offer.h"
#include "io/tls_parts.h"

enum { ALERT_HANDSHAKE_FAILURE = 40 };

struct tls *tls_new(struct tls_context *context)
{
    struct tls *tls = mem_alloc_zero(sizeof(*tls));
    if (tls == NULL) {
        return NULL;
    }
    tls->context = context;
    tls->is_shaking = true;
    tls_context_join(context);
    tls_hello_init(&tls->hello, false);
    return tls;
}

/* In the clear: before or right after a ClientHello. */
static void put_alert(struct tls *tls, uint8_t description)
{
    const uint8_t alert[] = {TLS_RECORD_ALERT, 3, 3, 0, 2, 2 /* fatal */, description};
    (void)tls_record_put(tls->out, alert, sizeof(alert));
}

static const char *describe(enum tls_hello_result result)
{
    switch (result) {
    case TLS_HELLO_OK:
    case TLS_HELLO_MORE:
        break;
    case TLS_HELLO_NOT_TLS:
        return "not TLS";
    case TLS_HELLO_MALFORMED:
        return "malformed ClientHello";
    case TLS_HELLO_ILLEGAL:
        return "illegal ClientHello";
    case TLS_HELLO_UNEXPECTED:
        return "something else than a ClientHello";
    case TLS_HELLO_OLD:
        return "no common TLS version: the client offers TLS 1.1 at most";
    case TLS_HELLO_ONLY_1_2:
        return "no common TLS version: the client offers TLS 1.2, tls_min_version is 1.3";
    case TLS_HELLO_NO_SUITE:
        return "no common cipher suite: the client offers only old ones";
    case TLS_HELLO_NO_SUITE_FOR_KEY:
        return "no common cipher suite: the client's are for another kind of certificate key";
    case TLS_HELLO_NO_GROUP:
#ifdef WOLFSSL_HAVE_MLKEM
        return "no common group: the client offers none of X25519MLKEM768, X25519, P-256, P-384";
#else
        return "no common group: the client offers none of X25519, P-256, P-384";
#endif
    case TLS_HELLO_NO_SIGNATURE:
        return "no common signature algorithm for the certificate's kind of key";
    case TLS_HELLO_NO_PROTOCOL:
        return "no common application protocol (ALPN): the client wants none of ours";
    case TLS_HELLO_NO_MEMORY:
        return "out of memory";
    }
    return "bad ClientHello";
}

static enum tls_result refuse_hello(struct tls *tls, enum tls_hello_result result)
{
    uint8_t description = tls_hello_alert(result);
    if (description != 0) {
        put_alert(tls, description);
    }
    return tls_fail(tls, describe(result));
}

/* The first of ours that the client offers too. False: it offers others only. */
static bool choose_protocol(const struct tls_context *context, const struct tls_hello *hello,
                            uint8_t *out)
{
    struct span rest = span_from_str(context->protocols);
    struct span name;
    *out = 0;
    if (hello->protocols.len == 0 || rest.len == 0) {
        return true;
    }
    for (uint8_t place = 1; span_next(&rest, ',', &name); place++) {
        if (tls_hello_offers(hello, name)) {
            *out = place;
            return true;
        }
    }
    return false;
}

static const struct tls_site *choose_site(const struct tls_context *context, struct span name,
                                          bool *out_is_for_name)
{
    const struct tls_site *best = &context->sites[0];
    enum host_match best_match = HOST_DIFFERS;
    for (size_t i = 0; i < context->count; i++) {
        enum host_match match = tls_names_match(&context->sites[i].names, name);
        if (match > best_match) {
            best_match = match;
            best = &context->sites[i];
        }
    }
    *out_is_for_name = best_match != HOST_DIFFERS;
    return best;
}

/* Tells wolfSSL of the chosen protocol alone. */
static bool use_protocol(struct tls *tls)
{
    struct span name = tls_protocol(tls);
    char text[UINT8_MAX + 1];
    if (name.len == 0) {
        return true;
    }
    memcpy(text, name.data, name.len);
    text[name.len] = '\0';
    return wolfSSL_UseALPN(tls->ssl, text, (word32)name.len, WOLFSSL_ALPN_FAILED_ON_MISMATCH) ==
           WOLFSSL_SUCCESS;
}

static bool start_session(struct tls *tls, const struct tls_site *site)
{
    tls->ssl = wolfSSL_new(site->library);
    if (tls->ssl == NULL) {
        return false;
    }
    tls_record_attach(tls);
    if (tls->context->verify != TLS_VERIFY_OFF) {
        tls_peer_ask(tls);
    }
    return use_protocol(tls);
}

/* RFC 8446 4.1.3: a ServerHello with this random value asks for a second ClientHello. */
static bool is_retry_request(const uint8_t *wire, size_t len)
{
    static const uint8_t retry_random[32] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11,
                                             0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
                                             0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
                                             0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};
    const size_t at = TLS_RECORD_HEADER + 4 + 2;
    return len >= at + sizeof(retry_random) && wire[0] == TLS_RECORD_HANDSHAKE &&
           wire[TLS_RECORD_HEADER] == 2 /* server_hello */ &&
           memcmp(wire + at, retry_random, sizeof(retry_random)) == 0;
}

static enum tls_result answer_hello(struct tls *tls)
{
    size_t before = tls->out->len;
    tls->lent = tls->hello.record;
    tls->lent_len = tls->hello.len;
    tls->phase = TLS_PHASE_HANDSHAKE;
    enum tls_result result = tls_negotiate(tls);
    tls->lent_len = 0;
    tls_hello_done(&tls->hello);
    if (result == TLS_FAILED && tls->out->len == before) {
        /* wolfSSL has no words for some refusals, such as an unusable key share. */
        put_alert(tls, ALERT_HANDSHAKE_FAILURE);
    }
    if (result == TLS_OK && !tls->hello.is_second &&
        is_retry_request(tls->out->data + before, tls->out->len - before)) {
        tls_hello_init(&tls->hello, true);
        tls->phase = TLS_PHASE_HELLO;
    }
    return result;
}

/* The name is kept first: the log needs it most when the rest fails. */
static enum tls_hello_result begin(struct tls *tls, const struct tls_hello *hello)
{
    bool is_for_name = false;
    if (hello->server_name.len > 0) {
        tls->server_name = mem_copy_str(hello->server_name);
        if (tls->server_name == NULL) {
            return TLS_HELLO_NO_MEMORY;
        }
    }
    const struct tls_site *site = choose_site(tls->context, hello->server_name, &is_for_name);
    tls->is_name_unknown = hello->server_name.len > 0 && !is_for_name;
    enum tls_hello_result result =
        tls_offer_judge(hello, tls->context->min_version, site->key_kind);
    if (result != TLS_HELLO_OK) {
        return result;
    }
    if (!choose_protocol(tls->context, hello, &tls->protocol)) {
        return TLS_HELLO_NO_PROTOCOL;
    }
    return start_session(tls, site) ? TLS_HELLO_OK : TLS_HELLO_NO_MEMORY;
}

/* A first hello starts the session, a second one must want the same of it. */
static enum tls_hello_result heed_hello(struct tls *tls, const struct tls_hello *hello)
{
    uint8_t protocol = 0;
    if (!tls->hello.is_second) {
        return begin(tls, hello);
    }
    bool is_same = span_is_equal_nocase(hello->server_name, tls_sni(tls)) &&
                   choose_protocol(tls->context, hello, &protocol) && protocol == tls->protocol;
    return is_same ? TLS_HELLO_OK : TLS_HELLO_ILLEGAL;
}

/* Does the client speak another protocol? Its first byte tells. */
static bool is_foreign(const struct tls *tls, uint8_t first)
{
    const struct tls_hello_reader *r = &tls->hello;
    bool is_beginning = r->len == 0 && r->header_len == 0 && r->record_left == 0 && !r->is_second;
    return tls->foreign_len > 0 || (is_beginning && first != TLS_RECORD_HANDSHAKE);
}

/* Gathers first bytes until they tell which protocol it is. */
static enum tls_result take_foreign(struct tls *tls, const uint8_t *wire, size_t len,
                                    size_t *out_used)
{
    struct tls_foreign found;
    size_t taken = size_min(len, sizeof(tls->foreign) - tls->foreign_len);
    memcpy(tls->foreign + tls->foreign_len, wire, taken);
    tls->foreign_len = (uint8_t)(tls->foreign_len + taken);
    *out_used = taken;
    if (!tls_foreign_judge(tls->foreign, tls->foreign_len, &found)) {
        return TLS_OK;
    }
    if (found.answer.len > 0) {
        (void)tls_record_put(tls->out, found.answer.data, found.answer.len);
    }
    return tls_fail(tls, found.detail);
}

enum tls_result tls_server_hello(struct tls *tls, const uint8_t *wire, size_t len, size_t *out_used)
{
    struct tls_hello hello;
    if (is_foreign(tls, *wire)) {
        return take_foreign(tls, wire, len, out_used);
    }
    enum tls_hello_result result = tls_hello_read(&tls->hello, wire, len, out_used);
    if (result == TLS_HELLO_MORE) {
        return TLS_OK;
    }
    if (result == TLS_HELLO_OK) {
        result = tls_hello_parse(tls->hello.record + TLS_RECORD_HEADER,
                                 tls->hello.len - TLS_RECORD_HEADER, &hello);
    }
    if (result == TLS_HELLO_OK) {
        result = heed_hello(tls, &hello);
    }
    return result == TLS_HELLO_OK ? answer_hello(tls) : refuse_hello(tls, result);
}
