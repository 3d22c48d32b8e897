/* SPDX-License-Identifier: GPL-3.0-or-later */
// Both ends of a TLS connection in memory; io/tls makes both.
#ifndef TESTS_UNIT_TLS_ENDS_H
#define TESTS_UNIT_TLS_ENDS_H

#include "give_up.h"
#include "io/tls_parts.h"
#include "tls_kit.h"

struct end {
    struct tls *tls;
    enum tls_result result;
    struct kit_queue said;  // on its way to the other end
    struct kit_queue plain; // what this end decrypted
};

struct ends {
    struct end client;
    struct end server;
    size_t chunk;    // one feed gets at most so many bytes
    bool is_shaking; // the end is fed with tls_shake instead of tls_feed
};

// io/tls offers TLS 1.3 always. This limits a client's context to TLS 1.2.
KIT void ends_limit(struct tls_context *client, const struct tls_settings *settings)
{
    WOLFSSL_CTX *library = wolfSSL_CTX_new(wolfTLSv1_2_client_method());
    struct span trust = settings->trust;
    bool ok = library != NULL;
    if (ok && client->verify != TLS_VERIFY_OFF) {
        ok = wolfSSL_CTX_load_verify_buffer(library, (const byte *)trust.data, (long)trust.len,
                                            WOLFSSL_FILETYPE_PEM) == WOLFSSL_SUCCESS;
    }
    if (ok && settings->pair_count > 0) {
        struct span certificate = settings->pairs->certificate;
        struct span key = settings->pairs->key;
        ok = wolfSSL_CTX_use_certificate_chain_buffer(library, (const byte *)certificate.data,
                                                      (long)certificate.len) == WOLFSSL_SUCCESS &&
             wolfSSL_CTX_use_PrivateKey_buffer(library, (const byte *)key.data, (long)key.len,
                                               WOLFSSL_FILETYPE_PEM) == WOLFSSL_SUCCESS;
    }
    if (!ok) {
        GIVE_UP();
    }
    wolfSSL_CTX_set_verify(library, WOLFSSL_VERIFY_NONE, NULL); // each session sets its own checks
    wolfSSL_CTX_free(client->sites[0].library);
    client->sites[0].library = library;
}

KIT void ends_open(struct ends *e, struct tls_context *client, struct tls_context *server,
                   const char *name, size_t chunk)
{
    *e = (struct ends){.chunk = chunk};
    e->client.tls = tls_new_client(client, span_from_str(name));
    e->server.tls = tls_new(server);
    if (e->client.tls == NULL || e->server.tls == NULL) {
        GIVE_UP();
    }
}

KIT void ends_close(struct ends *e)
{
    tls_free(e->client.tls);
    tls_free(e->server.tls);
    kit_empty(&e->client.said);
    kit_empty(&e->client.plain);
    kit_empty(&e->server.said);
    kit_empty(&e->server.plain);
}

// Feeds each piece in a block of exactly its size. Returns how many bytes the end took.
KIT size_t end_take(struct end *end, const uint8_t *data, size_t len, bool is_shaking)
{
    static uint8_t wire[KIT_WIRE_SIZE];
    struct tls_wire out = {wire, sizeof(wire), 0};
    size_t used = len;
    size_t plain_len = 0;
    uint8_t *copy = malloc(len > 0 ? len : 1);
    uint8_t *plain = malloc(len + TLS_PLAIN_EXTRA);
    if (copy == NULL || plain == NULL) {
        GIVE_UP();
    }
    if (len > 0) {
        memcpy(copy, data, len);
    }
    end->result =
        is_shaking ? tls_shake(end->tls, copy, len, &used, &out)
                   : tls_feed(end->tls, copy, len, plain, len + TLS_PLAIN_EXTRA, &plain_len, &out);
    kit_put(&end->plain, plain, plain_len);
    kit_put(&end->said, wire, out.len);
    free(plain);
    free(copy);
    return used;
}

// Hands all that `from` has said to `to`, in chunks.
KIT void ends_carry(struct ends *e, struct end *from, struct end *to)
{
    struct kit_queue said = from->said;
    from->said = (struct kit_queue){0};
    while (kit_left(&said) > 0) {
        size_t piece = kit_left(&said) < e->chunk ? kit_left(&said) : e->chunk;
        bool is_shaking = e->is_shaking && !tls_is_established(to->tls);
        size_t used = end_take(to, said.data + said.taken, piece, is_shaking);
        if (to->result != TLS_OK) {
            break;
        }
        said.taken += used;
    }
    kit_empty(&said);
}

// Returns true when both ends say that they are connected. Alerts travel too.
KIT bool ends_shake(struct ends *e)
{
    (void)end_take(&e->client, NULL, 0, e->is_shaking);
    for (int i = 0; i < 8 && (e->client.said.len > 0 || e->server.said.len > 0); i++) {
        ends_carry(e, &e->client, &e->server);
        ends_carry(e, &e->server, &e->client);
    }
    return e->client.result == TLS_OK && e->server.result == TLS_OK &&
           tls_is_established(e->client.tls) && tls_is_established(e->server.tls);
}

KIT enum tls_result end_say(struct end *end, const char *text)
{
    static uint8_t wire[KIT_WIRE_SIZE];
    struct tls_wire out = {wire, sizeof(wire), 0};
    enum tls_result result = tls_seal(end->tls, (const uint8_t *)text, strlen(text), &out);
    kit_put(&end->said, wire, out.len);
    return result;
}

#endif
