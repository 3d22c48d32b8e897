/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "backend_tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

static SSL_CTX *context;

bool backend_tls_open(const char *certificate, const char *key)
{
    context = SSL_CTX_new(TLS_server_method());
    if (context == NULL) {
        return false;
    }
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") == 1 &&
           SSL_CTX_use_certificate_chain_file(context, certificate) == 1 &&
           SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1;
}

SSL *backend_tls_accept(int fd)
{
    SSL *tls = SSL_new(context);
    if (tls != NULL && SSL_set_fd(tls, fd) != 1) {
        SSL_free(tls);
        return NULL;
    }
    if (tls != NULL) {
        SSL_set_accept_state(tls);
    }
    return tls;
}

void backend_tls_close(SSL *tls)
{
    if (tls != NULL) {
        (void)SSL_shutdown(tls);
        SSL_free(tls);
        ERR_clear_error();
    }
}

static ssize_t judge(const SSL *tls, int returned)
{
    int error = SSL_get_error(tls, returned);
    ERR_clear_error();
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

ssize_t backend_tls_read(SSL *tls, uint8_t *data, size_t size)
{
    int got = SSL_read(tls, data, size < INT_MAX ? (int)size : INT_MAX);
    return got > 0 ? got : judge(tls, got);
}

ssize_t backend_tls_write(SSL *tls, const uint8_t *data, size_t len)
{
    int sent = SSL_write(tls, data, len < INT_MAX ? (int)len : INT_MAX);
    return sent > 0 ? sent : judge(tls, sent);
}
