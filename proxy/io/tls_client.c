/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The client's end of a handshake: what it asks for, and what the server's certificate must be. */
#include <assert.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "base/addr.h"
#include "base/mem.h"
#include "io/tls_parts.h"

static bool is_number(struct span name)
{
    struct addr address;
    return addr_parse_host(name, 1, &address);
}

static const char *describe(enum tls_names_result result)
{
    switch (result) {
    case TLS_NAMES_OK:
    case TLS_NAMES_OTHER:
        return "certificate is for another name";
    case TLS_NAMES_TOO_MANY:
    case TLS_NAMES_BAD_CERTIFICATE:
        return "certificate is damaged";
    case TLS_NAMES_NO_MEMORY:
        return "out of memory";
    }
    return "certificate is damaged";
}

/* wolfSSL calls this for the server's own certificate, and for each one that it refuses. */
static int check_certificate(int is_good, WOLFSSL_X509_STORE_CTX *store)
{
    struct tls *tls = store->userCtx;
    enum tls_names_result result = TLS_NAMES_BAD_CERTIFICATE;
    if (is_good == 0 || store->error_depth != 0) {
        return is_good;
    }
    if (store->totalCerts > 0) {
        result = tls_names_check(store->certs[0].buffer, store->certs[0].length, tls_sni(tls));
    }
    const char *fault =
        result == TLS_NAMES_OK ? tls_peer_judge_server(tls, store) : describe(result);
    tls->is_name_good = fault == NULL;
    if (fault != NULL) {
        (void)tls_fail(tls, fault);
    }
    return tls->is_name_good ? 1 : 0;
}

/* With ML-KEM wolfSSL sends the key of its first group alone, and a server that has not this group
 * costs a round trip more. So X25519 goes along, as browsers do it. With a kept session wolfSSL
 * sends the key of this session's group, and can take the session up only when no other key stands
 * in front of that one. */
bool tls_client_begin(struct tls *tls)
{
    if (tls->has_begun) {
        return true;
    }
    tls->has_begun = true;
#ifdef WOLFSSL_HAVE_MLKEM
    return tls->is_offered || wolfSSL_version(tls->ssl) != TLS1_3_VERSION ||
           (wolfSSL_UseKeyShare(tls->ssl, WOLFSSL_X25519MLKEM768) == WOLFSSL_SUCCESS &&
            wolfSSL_UseKeyShare(tls->ssl, WOLFSSL_ECC_X25519) == WOLFSSL_SUCCESS);
#else
    return true;
#endif
}

static bool ask_for(struct tls *tls, struct span name)
{
    char *protocols = tls->context->protocols;
    if (name.len > 0 && !is_number(name) && /* RFC 6066 section 3: no addresses */
        wolfSSL_UseSNI(tls->ssl, WOLFSSL_SNI_HOST_NAME, name.data, (word16)name.len) !=
            WOLFSSL_SUCCESS) {
        return false;
    }
    return protocols == NULL ||
           wolfSSL_UseALPN(tls->ssl, protocols, (word32)span_from_str(protocols).len,
                           WOLFSSL_ALPN_FAILED_ON_MISMATCH) == WOLFSSL_SUCCESS;
}

struct tls *tls_new_client(struct tls_context *context, struct span server_name)
{
    bool is_verified = context->verify != TLS_VERIFY_OFF;
    assert(context->role == TLS_CLIENT && (server_name.len > 0 || !is_verified));
    if (server_name.len > 1 && server_name.data[server_name.len - 1] == '.') {
        server_name.len--;
    }
    struct tls *tls = mem_alloc_zero(sizeof(*tls));
    if (tls == NULL) {
        return NULL;
    }
    tls->context = context;
    tls->is_shaking = true;
    tls_context_join(context);
    tls->phase = TLS_PHASE_HANDSHAKE;
    tls->server_name = mem_copy_str(server_name);
    tls->ssl = tls->server_name != NULL ? wolfSSL_new(context->sites[0].library) : NULL;
    if (tls->ssl == NULL || !ask_for(tls, server_name)) {
        tls_free(tls);
        return NULL;
    }
    tls_record_attach(tls);
    if (is_verified) {
        wolfSSL_set_verify(tls->ssl, WOLFSSL_VERIFY_PEER, check_certificate);
        wolfSSL_SetCertCbCtx(tls->ssl, tls);
    }
    return tls;
}
