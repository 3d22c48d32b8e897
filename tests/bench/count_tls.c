/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An OpenSSL client in memory, for a server of io/tls. */
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "count.h"

static SSL *client;
static BIO *to_client;
static BIO *from_client;

static struct span bio_text(BIO *bio)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);
    return (struct span){data, (size_t)len};
}

static struct tls_context *make_context(void)
{
    const char *detail = NULL;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    BIO *key_pem = BIO_new(BIO_s_mem());
    BIO *certificate_pem = BIO_new(BIO_s_mem());
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    if (X509_set_version(certificate, 2) != 1 || X509_set_pubkey(certificate, key) != 1 ||
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) != 1 ||
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1,
                                   -1, 0) != 1 ||
        X509_set_issuer_name(certificate, name) != 1 ||
        X509_sign(certificate, key, EVP_sha256()) == 0 ||
        PEM_write_bio_PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL) != 1 ||
        PEM_write_bio_X509(certificate_pem, certificate) != 1) {
        count_die("no certificate");
    }
    struct tls_pair pair = {bio_text(certificate_pem), bio_text(key_pem)};
    struct tls_settings settings = {
        .role = TLS_SERVER, .min_version = TLS_1_3, .pairs = &pair, .pair_count = 1};
    struct tls_context *context = tls_context_new(&settings, &detail);
    if (context == NULL) {
        count_die("no TLS context: %s", detail);
    }
    BIO_free(key_pem);
    BIO_free(certificate_pem);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return context;
}

static void make_client(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") != 1) {
        count_die("no TLS client");
    }
    client = SSL_new(context);
    to_client = BIO_new(BIO_s_mem());
    from_client = BIO_new(BIO_s_mem());
    SSL_set_bio(client, to_client, from_client);
    SSL_set_connect_state(client);
}

struct tls *peer_handshake(void)
{
    static uint8_t wire[64 * 1024];
    static uint8_t plain[64 * 1024 + TLS_PLAIN_EXTRA];
    static uint8_t answer[64 * 1024];
    struct tls *server = tls_new(make_context());
    make_client();
    for (int turn = 0; turn < 8; turn++) {
        size_t plain_len = 0;
        struct tls_wire out = {.data = answer, .size = sizeof(answer)};
        int done = SSL_do_handshake(client);
        int len = BIO_read(from_client, wire, sizeof(wire));
        if (len <= 0 && done == 1) {
            break;
        }
        if (server == NULL || len <= 0 ||
            tls_feed(server, wire, (size_t)len, plain, sizeof(plain), &plain_len, &out) != TLS_OK ||
            (out.len > 0 && BIO_write(to_client, out.data, (int)out.len) != (int)out.len)) {
            count_die("the TLS handshake failed");
        }
    }
    if (!tls_is_established(server)) {
        count_die("the TLS handshake did not end");
    }
    return server;
}

uint8_t *peer_records(const uint8_t *data, size_t len, size_t count, size_t *out_len)
{
    size_t size = count * (len + len / 64 + 256);
    uint8_t *records = malloc(size);
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (records == NULL || SSL_write(client, data, (int)len) != (int)len) {
            count_die("no TLS records");
        }
        int got = BIO_read(from_client, records + used, (int)(size - used));
        if (got <= 0 || (i > 0 && (size_t)got != *out_len)) {
            count_die("TLS records of another length");
        }
        *out_len = (size_t)got;
        used += *out_len;
    }
    return records;
}
