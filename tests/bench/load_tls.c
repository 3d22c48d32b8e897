/* SPDX-License-Identifier: GPL-3.0-or-later */
/* TLS 1.3, AES-128-GCM and P-256 only, so that every server does the same work. OpenSSL reads from
 * the memory of one recv and writes into the connection's queue: one system call moves many
 * records. Otherwise the benchmark would measure the load generator. */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <string.h>

#include "load.h"

static BIO_METHOD *memory_bio;

static int bio_read(BIO *bio, char *into, int size)
{
    struct load *load = ((struct load_conn *)BIO_get_data(bio))->load;
    BIO_clear_retry_flags(bio);
    if (load->wire_left == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t len = load->wire_left < (size_t)size ? load->wire_left : (size_t)size;
    memcpy(into, load->wire_at, len);
    load->wire_at += len;
    load->wire_left -= len;
    return (int)len;
}

static int bio_write(BIO *bio, const char *data, int len)
{
    BIO_clear_retry_flags(bio);
    conn_queue(BIO_get_data(bio), data, (size_t)len);
    return len;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

__attribute__((noreturn)) static void fail_tls(const struct load_conn *c, const char *what)
{
    char text[256];
    unsigned long code = ERR_get_error();
    ERR_error_string_n(code, text, sizeof(text));
    load_fail(c, "%s: %s", what, code == 0 ? "no reason given" : text);
}

/* Copies the session, because OpenSSL spoils that of a connection that ends without
 * close_notify. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct load *load = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    SSL_SESSION_free(load->session);
    load->session = SSL_SESSION_dup(session);
    return 0;
}

static void offer_session(const struct load_conn *c)
{
    if (c->load->options.is_resumed && c->load->session != NULL) {
        SSL_SESSION *copy = SSL_SESSION_dup(c->load->session);
        if (copy == NULL || SSL_set_session(c->ssl, copy) != 1) {
            load_fail(c, "the ticket was not taken");
        }
        SSL_SESSION_free(copy);
    }
}

void tls_init(struct load *load)
{
    memory_bio = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "memory");
    load->tls = SSL_CTX_new(TLS_client_method());
    if (memory_bio == NULL || load->tls == NULL) {
        load_fail(NULL, "no memory for TLS");
    }
    BIO_meth_set_read(memory_bio, bio_read);
    BIO_meth_set_write(memory_bio, bio_write);
    BIO_meth_set_ctrl(memory_bio, bio_ctrl);
    SSL_CTX_set_app_data(load->tls, load);
    SSL_CTX_set_mode(load->tls, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(load->tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(load->tls, keep_session);
    SSL_CTX_set_verify(load->tls, SSL_VERIFY_PEER, NULL);
    const uint8_t alpn[] = "\x08http/1.1";
    if (SSL_CTX_set_min_proto_version(load->tls, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(load->tls, "TLS_AES_128_GCM_SHA256") != 1 ||
        SSL_CTX_set1_groups_list(load->tls, "P-256") != 1 ||
        SSL_CTX_set_alpn_protos(load->tls, alpn, sizeof(alpn) - 1) != 0 ||
        SSL_CTX_load_verify_locations(load->tls, load->options.ca, NULL) != 1) {
        fail_tls(NULL, "TLS could not be set up");
    }
}

void tls_begin(struct load_conn *c)
{
    BIO *bio = BIO_new(memory_bio);
    c->ssl = SSL_new(c->load->tls);
    if (bio == NULL || c->ssl == NULL || SSL_set_tlsext_host_name(c->ssl, "localhost") != 1 ||
        SSL_set1_host(c->ssl, "localhost") != 1) {
        load_fail(c, "no memory for TLS");
    }
    BIO_set_data(bio, c);
    BIO_set_init(bio, 1);
    SSL_set_bio(c->ssl, bio, bio);
    SSL_set_connect_state(c->ssl);
    offer_session(c);
    c->phase = LOAD_TLS;
    tls_input(c, NULL, 0); /* sends the hello */
}

static void note_name(struct load_conn *c)
{
    struct load *load = c->load;
    if (SSL_session_reused(c->ssl) == 1) {
        load->resumed++;
    }
    if (load->tls_name[0] == '\0') {
        (void)snprintf(load->tls_name, sizeof(load->tls_name), "%s %s", SSL_get_version(c->ssl),
                       SSL_get_cipher_name(c->ssl));
    }
}

static bool shake_hands(struct load_conn *c)
{
    int result = SSL_do_handshake(c->ssl);
    if (result == 1) {
        note_name(c);
        ws_begin(c);
        return true;
    }
    if (SSL_get_error(c->ssl, result) != SSL_ERROR_WANT_READ) {
        fail_tls(c, "the TLS handshake failed");
    }
    return false;
}

void tls_input(struct load_conn *c, const uint8_t *wire, size_t len)
{
    struct load *load = c->load;
    load->wire_at = wire;
    load->wire_left = len;
    if (c->phase == LOAD_TLS && !shake_hands(c)) {
        return;
    }
    while (c->ssl != NULL) {
        int got = SSL_read(c->ssl, load->plain, sizeof(load->plain));
        if (got <= 0) {
            int error = SSL_get_error(c->ssl, got);
            /* Behind close_notify only the end of the connection can follow. */
            if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_ZERO_RETURN) {
                fail_tls(c, "a TLS record could not be read");
            }
            return;
        }
        ws_input(c, load->plain, (size_t)got);
    }
}

void tls_push(struct load_conn *c, const uint8_t *data, size_t len)
{
    while (len > 0) {
        int part = len < PLAIN_BYTES ? (int)len : PLAIN_BYTES;
        int sent = SSL_write(c->ssl, data, part);
        if (sent <= 0) {
            fail_tls(c, "a TLS record could not be made");
        }
        data += sent;
        len -= (size_t)sent;
    }
}

void tls_close(struct load_conn *c)
{
    if (SSL_is_init_finished(c->ssl)) {
        (void)SSL_shutdown(c->ssl);
    }
}
