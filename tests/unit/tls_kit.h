/* SPDX-License-Identifier: GPL-3.0-or-later */
// Both ends of a TLS connection in memory: a wolfSSL client, the server's session under test, and
// the bytes between them, cut as the test wants. Every piece has a block of exactly its size, so
// that the address checker sees a read beyond the piece.
#ifndef TESTS_UNIT_TLS_KIT_H
#define TESTS_UNIT_TLS_KIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/options.h>

#include "cert_kit.h"
#include "io/tls.h"
#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>

#include "give_up.h"

#define KIT_WHOLE SIZE_MAX

// ---------------------------------------------------------------------------------- queues

struct kit_queue {
    uint8_t *data;
    size_t len;
    size_t taken;
    size_t size;
};

// The queue does not use base/mem, because tests make base/mem fail.
KIT void kit_put(struct kit_queue *q, const void *data, size_t len)
{
    if (q->len + len > q->size) {
        q->size = (q->len + len) * 2;
        q->data = realloc(q->data, q->size);
        if (q->data == NULL) {
            GIVE_UP();
        }
    }
    if (len > 0) {
        memcpy(q->data + q->len, data, len);
    }
    q->len += len;
}

KIT size_t kit_left(const struct kit_queue *q)
{
    return q->len - q->taken;
}

KIT void kit_empty(struct kit_queue *q)
{
    free(q->data);
    *q = (struct kit_queue){0};
}

// ---------------------------------------------------------------------------------- contexts

KIT struct tls_context *kit_context_of(const struct tls_settings *settings)
{
    const char *detail = NULL;
    struct tls_context *context = tls_context_new(settings, &detail);
    if (context == NULL) {
        fprintf(stderr, "tls_kit: %s\n", detail);
        GIVE_UP();
    }
    return context;
}

// Makes a context as a listener does.
KIT struct tls_context *kit_server(const struct tls_pair *pairs, size_t count,
                                   enum tls_version min_version)
{
    static const struct span protocols[] = {{"http/1.1", 8}};
    struct tls_settings settings = {.role = TLS_SERVER,
                                    .min_version = min_version,
                                    .pairs = pairs,
                                    .pair_count = count,
                                    .protocols = protocols,
                                    .protocol_count = 1};
    return kit_context_of(&settings);
}

KIT struct tls_context *kit_context(enum kit_kind kind, enum tls_version min_version)
{
    struct tls_pair pair = kit_as_pair(kit_pair_of(kind));
    return kit_server(&pair, 1, min_version);
}

// ---------------------------------------------------------------------------------- the client

struct kit_client {
    WOLFSSL_CTX *context;
    WOLFSSL *ssl;
    struct kit_queue in;
    struct kit_queue out;
    int error; // the error of the handshake; 0 while it goes well
};

// What a client may differ in; every field is optional.
struct kit_wish {
    const char *server_name;
    const char *protocols; // "h2,http/1.1"
    const char *suites;
    const char *trust; // PEM; the client accepts only this certificate
    int only_version;  // WOLFSSL_TLSV1_2 or WOLFSSL_TLSV1_3; 0: both
    int *groups;
    int group_count;
    word16 share; // the group of the only key share
    WOLFSSL_SESSION *resume;
};

KIT int kit_client_receive(WOLFSSL *ssl, char *buffer, int size, void *context)
{
    struct kit_client *c = context;
    (void)ssl;
    size_t len = kit_left(&c->in);
    if (len == 0) {
        return WOLFSSL_CBIO_ERR_WANT_READ;
    }
    len = len < (size_t)size ? len : (size_t)size;
    memcpy(buffer, c->in.data + c->in.taken, len);
    c->in.taken += len;
    return (int)len;
}

KIT int kit_client_send(WOLFSSL *ssl, char *buffer, int size, void *context)
{
    struct kit_client *c = context;
    (void)ssl;
    kit_put(&c->out, buffer, (size_t)size);
    return size;
}

KIT WOLFSSL_METHOD *kit_method(int only_version)
{
    if (only_version == WOLFSSL_TLSV1_2) {
        return wolfTLSv1_2_client_method();
    }
    return only_version == WOLFSSL_TLSV1_3 ? wolfTLSv1_3_client_method()
                                           : wolfSSLv23_client_method();
}

KIT bool kit_wish_for(struct kit_client *c, const struct kit_wish *wish)
{
    bool ok = true;
    if (wish->server_name != NULL) {
        ok = wolfSSL_UseSNI(c->ssl, WOLFSSL_SNI_HOST_NAME, wish->server_name,
                            (word16)strlen(wish->server_name)) == WOLFSSL_SUCCESS;
    }
    if (ok && wish->protocols != NULL) {
        char list[64];
        snprintf(list, sizeof(list), "%s", wish->protocols);
        ok = wolfSSL_UseALPN(c->ssl, list, (word32)strlen(list),
                             WOLFSSL_ALPN_CONTINUE_ON_MISMATCH) == WOLFSSL_SUCCESS;
    }
    if (ok && wish->share != 0) {
        ok = wolfSSL_UseKeyShare(c->ssl, wish->share) == WOLFSSL_SUCCESS;
    }
    if (ok && wish->resume != NULL) {
        ok = wolfSSL_set_session(c->ssl, wish->resume) == WOLFSSL_SUCCESS;
    }
    return ok && wolfSSL_UseSessionTicket(c->ssl) == WOLFSSL_SUCCESS;
}

KIT void kit_client_open(struct kit_client *c, const struct kit_wish *wish)
{
    *c = (struct kit_client){.context = wolfSSL_CTX_new(kit_method(wish->only_version))};
    bool ok = c->context != NULL;
    if (ok && wish->suites != NULL) {
        ok = wolfSSL_CTX_set_cipher_list(c->context, wish->suites) == WOLFSSL_SUCCESS;
    }
    if (ok && wish->groups != NULL) {
        ok = wolfSSL_CTX_set_groups(c->context, wish->groups, wish->group_count) == WOLFSSL_SUCCESS;
    }
    if (ok && wish->trust != NULL) {
        ok = wolfSSL_CTX_load_verify_buffer(c->context, (const byte *)wish->trust,
                                            (long)strlen(wish->trust),
                                            WOLFSSL_FILETYPE_PEM) == WOLFSSL_SUCCESS;
    }
    if (ok) {
        wolfSSL_CTX_set_verify(
            c->context, wish->trust != NULL ? WOLFSSL_VERIFY_PEER : WOLFSSL_VERIFY_NONE, NULL);
        c->ssl = wolfSSL_new(c->context);
    }
    if (c->ssl == NULL || !kit_wish_for(c, wish)) {
        GIVE_UP();
    }
    wolfSSL_SSLSetIORecv(c->ssl, kit_client_receive);
    wolfSSL_SSLSetIOSend(c->ssl, kit_client_send);
    wolfSSL_SetIOReadCtx(c->ssl, c);
    wolfSSL_SetIOWriteCtx(c->ssl, c);
}

KIT void kit_client_close(struct kit_client *c)
{
    wolfSSL_free(c->ssl);
    wolfSSL_CTX_free(c->context);
    kit_empty(&c->in);
    kit_empty(&c->out);
    *c = (struct kit_client){0};
}

// ---------------------------------------------------------------------------------- both ends

enum { KIT_WIRE_SIZE = 64 * 1024 };

struct kit_link {
    struct tls *server;
    struct kit_client client;
    size_t chunk;           // one feed gets at most so many bytes
    enum tls_result result; // the last feed's result
    struct kit_queue plain; // what the server decrypted
    struct kit_queue wire;  // all that the server has said
};

// Feeds bytes in chunks and hands the answers to the client. Stops at a failure.
KIT void kit_feed(struct kit_link *link, const uint8_t *data, size_t len)
{
    static uint8_t wire[KIT_WIRE_SIZE];
    link->result = TLS_OK;
    while (len > 0 && link->result == TLS_OK) {
        size_t piece = len < link->chunk ? len : link->chunk;
        size_t plain_len = 0;
        struct tls_wire out = {wire, sizeof(wire), 0};
        uint8_t *copy = malloc(piece);
        uint8_t *plain = malloc(piece + TLS_PLAIN_EXTRA);
        if (copy == NULL || plain == NULL) {
            GIVE_UP();
        }
        memcpy(copy, data, piece);
        link->result =
            tls_feed(link->server, copy, piece, plain, piece + TLS_PLAIN_EXTRA, &plain_len, &out);
        kit_put(&link->plain, plain, plain_len);
        kit_put(&link->wire, wire, out.len);
        kit_put(&link->client.in, wire, out.len);
        free(plain);
        free(copy);
        data += piece;
        len -= piece;
    }
}

// Feeds all that the client has said so far.
KIT void kit_deliver(struct kit_link *link)
{
    struct kit_queue said = link->client.out;
    link->client.out = (struct kit_queue){0};
    kit_feed(link, said.data, said.len);
    kit_empty(&said);
}

KIT void kit_link_open(struct kit_link *link, struct tls_context *context,
                       const struct kit_wish *wish, size_t chunk)
{
    *link = (struct kit_link){.server = tls_new(context), .chunk = chunk};
    if (link->server == NULL) {
        GIVE_UP();
    }
    kit_client_open(&link->client, wish);
}

KIT void kit_link_close(struct kit_link *link)
{
    tls_free(link->server);
    kit_client_close(&link->client);
    kit_empty(&link->plain);
    kit_empty(&link->wire);
}

// Returns true when both ends say that they are connected.
KIT bool kit_shake(struct kit_link *link)
{
    for (int i = 0; i < 8 && link->result == TLS_OK; i++) {
        int returned = wolfSSL_connect(link->client.ssl);
        int error = wolfSSL_get_error(link->client.ssl, returned);
        if (returned != WOLFSSL_SUCCESS && error != WOLFSSL_ERROR_WANT_READ) {
            link->client.error = error;
            kit_deliver(link);
            return false;
        }
        kit_deliver(link);
        if (returned == WOLFSSL_SUCCESS) {
            return tls_is_established(link->server);
        }
    }
    return false;
}

KIT bool kit_connect(struct kit_link *link, struct tls_context *context,
                     const struct kit_wish *wish, size_t chunk)
{
    kit_link_open(link, context, wish, chunk);
    return kit_shake(link);
}

// The server seals bytes; they go to the client's queue.
KIT enum tls_result kit_seal(struct kit_link *link, const uint8_t *data, size_t len)
{
    size_t size = len + (len / 16384 + 1) * 64 + 64;
    struct tls_wire out = {malloc(size), size, 0};
    if (out.data == NULL) {
        GIVE_UP();
    }
    enum tls_result result = tls_seal(link->server, data, len, &out);
    kit_put(&link->wire, out.data, out.len);
    kit_put(&link->client.in, out.data, out.len);
    free(out.data);
    return result;
}

// Collects what the client can read now. Returns the wolfSSL error that ended it (usually
// WANT_READ).
KIT int kit_client_read(struct kit_link *link, struct kit_queue *into)
{
    static uint8_t data[16384];
    for (;;) {
        int returned = wolfSSL_read(link->client.ssl, data, (int)sizeof(data));
        if (returned <= 0) {
            return wolfSSL_get_error(link->client.ssl, returned);
        }
        kit_put(into, data, (size_t)returned);
    }
}

// Returns the alert in the plaintext record that ends the server's words; 0: none.
KIT uint8_t kit_alert(const struct kit_link *link)
{
    const struct kit_queue *w = &link->wire;
    if (w->len < 7) {
        return 0;
    }
    const uint8_t *last = w->data + w->len - 7;
    bool is_alert = last[0] == 21 && last[1] == 3 && last[3] == 0 && last[4] == 2;
    return is_alert ? last[6] : 0;
}

#endif
