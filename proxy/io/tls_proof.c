/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/tls_proof.h"

#include <string.h>
#include <wolfssl/options.h>

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>

#include "base/mem.h"

/* A handshake takes two rounds, or three after a HelloRetryRequest; the rest is for TLS 1.2. */
enum { ROUNDS_MAX = 8 };
enum {
    WIRE_SIZE = 128 * 1024,
    CLIENT_SIZE = 16 * 1024,
    PLAIN_SIZE = CLIENT_SIZE + TLS_PLAIN_EXTRA
};

/* Both ends and the bytes between them. */
struct proof {
    WOLFSSL_CTX *client_context;
    WOLFSSL *client;
    struct tls *server;
    struct tls_wire to_server;
    struct tls_wire to_client;
    size_t client_taken;
    int client_error;
    uint8_t server_wire[WIRE_SIZE];
    uint8_t client_wire[CLIENT_SIZE];
    uint8_t plain[PLAIN_SIZE];
};

static int client_receive(WOLFSSL *ssl, char *buffer, int size, void *context)
{
    struct proof *p = context;
    size_t left = p->to_client.len - p->client_taken;
    (void)ssl;
    if (left == 0 || size <= 0) {
        return WOLFSSL_CBIO_ERR_WANT_READ;
    }
    size_t len = left < (size_t)size ? left : (size_t)size;
    memcpy(buffer, p->to_client.data + p->client_taken, len);
    p->client_taken += len;
    return (int)len;
}

static int client_send(WOLFSSL *ssl, char *buffer, int size, void *context)
{
    struct proof *p = context;
    (void)ssl;
    if (size < 0 || p->to_server.size - p->to_server.len < (size_t)size) {
        return WOLFSSL_CBIO_ERR_GENERAL;
    }
    memcpy(p->to_server.data + p->to_server.len, buffer, (size_t)size);
    p->to_server.len += (size_t)size;
    return size;
}

static bool open_client(struct proof *p)
{
    WOLFSSL_METHOD *method = wolfSSLv23_client_method();
    p->client_context = method != NULL ? wolfSSL_CTX_new(method) : NULL;
    if (p->client_context == NULL) {
        return false;
    }
    wolfSSL_CTX_set_verify(p->client_context, WOLFSSL_VERIFY_NONE, NULL);
    p->client = wolfSSL_new(p->client_context);
    if (p->client == NULL) {
        return false;
    }
    wolfSSL_SSLSetIORecv(p->client, client_receive);
    wolfSSL_SSLSetIOSend(p->client, client_send);
    wolfSSL_SetIOReadCtx(p->client, p);
    wolfSSL_SetIOWriteCtx(p->client, p);
    return true;
}

/* One flight each way. False when the client gave up. */
static bool step(struct proof *p)
{
    size_t plain_len = 0;
    p->to_server.len = 0;
    int returned = wolfSSL_connect(p->client);
    int error = wolfSSL_get_error(p->client, returned);
    if (returned != WOLFSSL_SUCCESS && error != WOLFSSL_ERROR_WANT_READ) {
        p->client_error = error;
        return false;
    }
    p->to_client.len = 0;
    p->client_taken = 0;
    return tls_feed(p->server, p->to_server.data, p->to_server.len, p->plain, sizeof(p->plain),
                    &plain_len, &p->to_client) == TLS_OK;
}

static const char *describe(const struct proof *p)
{
    switch (p->client_error) {
    case VERIFY_CERT_ERROR:
    case VERIFY_SIGN_ERROR:
    case SIG_VERIFY_E:
        return "key does not belong to the certificate";
    case MEMORY_E:
    case MEMORY_ERROR:
        return "out of memory";
    case 0:
        return "a trial handshake failed at the server's side";
    default:
        return wolfSSL_ERR_reason_error_string((unsigned long)-(long)p->client_error);
    }
}

static const char *run(struct proof *p, struct tls_context *context, size_t site)
{
    p->to_server = (struct tls_wire){.data = p->client_wire, .size = sizeof(p->client_wire)};
    p->to_client = (struct tls_wire){.data = p->server_wire, .size = sizeof(p->server_wire)};
    p->server = tls_new_at(context, site);
    if (p->server == NULL || !open_client(p)) {
        return "out of memory";
    }
    for (int i = 0; i < ROUNDS_MAX; i++) {
        if (!step(p)) {
            return describe(p);
        }
        if (tls_is_established(p->server) && wolfSSL_is_init_finished(p->client)) {
            return NULL;
        }
    }
    return "a trial handshake did not end";
}

const char *tls_proof_run(struct tls_context *context, size_t site)
{
    struct proof *p = mem_alloc_zero(sizeof(*p));
    if (p == NULL) {
        return "out of memory";
    }
    const char *problem = run(p, context, site);
    wolfSSL_free(p->client);
    if (p->client_context != NULL) {
        wolfSSL_CTX_free(p->client_context);
    }
    tls_free(p->server);
    mem_free(p);
    return problem;
}
