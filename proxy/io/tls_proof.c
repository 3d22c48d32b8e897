/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/tls_proof.h"

#include "base/mem.h"

/* A handshake takes two rounds, or three after a HelloRetryRequest; the rest is for TLS 1.2. */
enum { ROUNDS_MAX = 8 };
enum { SERVER_WIRE = 128 * 1024, CLIENT_WIRE = 16 * 1024 };

/* Both ends and the bytes between them. */
struct proof {
    struct tls *server;
    struct tls *client;
    struct tls_wire to_server;
    struct tls_wire to_client;
    uint8_t client_wire[CLIENT_WIRE];
    uint8_t server_wire[SERVER_WIRE];
};

/* Hands one end what the other has said, and takes its answer. NULL: all went well. */
static const char *carry(struct tls *tls, struct tls_wire *in, struct tls_wire *out)
{
    size_t used = 0;
    enum tls_result result = tls_shake(tls, in->data, in->len, &used, out);
    in->len = 0;
    if (result == TLS_OK) {
        return NULL;
    }
    return tls_detail(tls) != NULL ? tls_detail(tls) : "a trial handshake was broken off";
}

/* NULL: the handshake is complete. */
static const char *shake(struct proof *p)
{
    p->to_server = (struct tls_wire){.data = p->client_wire, .size = sizeof(p->client_wire)};
    p->to_client = (struct tls_wire){.data = p->server_wire, .size = sizeof(p->server_wire)};
    for (int i = 0; i < ROUNDS_MAX; i++) {
        const char *detail = carry(p->client, &p->to_client, &p->to_server);
        if (detail == NULL) {
            detail = carry(p->server, &p->to_server, &p->to_client);
        }
        if (detail != NULL) {
            return detail;
        }
        if (tls_is_established(p->server) && tls_is_established(p->client)) {
            return NULL;
        }
    }
    return "a trial handshake did not end";
}

static const char *run(struct tls_context *server, struct tls_context *client)
{
    const char *detail = "out of memory";
    struct proof *p = mem_alloc_zero(sizeof(*p));
    if (p == NULL) {
        return detail;
    }
    p->server = tls_new(server);
    p->client = tls_new_client(client, (struct span){"", 0});
    if (p->server != NULL && p->client != NULL) {
        detail = shake(p);
    }
    tls_free(p->client);
    tls_free(p->server);
    mem_free(p);
    return detail;
}

const char *tls_proof_run(const struct tls_pair *pair, enum tls_version min_version)
{
    struct tls_settings server_settings = {
        .role = TLS_SERVER, .min_version = min_version, .pairs = pair, .pair_count = 1};
    struct tls_settings client_settings = {.role = TLS_CLIENT, .verify = TLS_VERIFY_OFF};
    const char *detail;
    struct tls_context *server = tls_context_new(&server_settings, &detail);
    if (server == NULL) {
        return detail;
    }
    struct tls_context *client = tls_context_new(&client_settings, &detail);
    if (client != NULL) {
        detail = run(server, client);
    }
    tls_context_free(client);
    tls_context_free(server);
    return detail;
}

const char *tls_proof_run_own(const struct tls_pair *pair)
{
    struct tls_settings settings = {
        .role = TLS_CLIENT, .pairs = pair, .pair_count = 1, .verify = TLS_VERIFY_OFF};
    const char *detail = NULL;
    struct tls_context *context = tls_context_new(&settings, &detail);
    tls_context_free(context);
    return detail;
}
