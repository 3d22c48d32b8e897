/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Contexts: certificates, rules and trust. */
#include <assert.h>
#include <string.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include "base/mem.h"
#include "io/der.h"
#include "io/tls_memory.h"
#include "io/tls_parts.h"
#include "io/tls_pem.h"

/* Only forward secrecy and authenticated encryption; wolfSSL's own list has more. tls_offer.c has
 * the same lists as numbers. */
#define SUITES_1_3 "TLS13-AES128-GCM-SHA256:TLS13-AES256-GCM-SHA384:TLS13-CHACHA20-POLY1305-SHA256"
#define SUITES_1_2 \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

#define SESSION_1_2_S (60 * 60)

static const char *read_names(struct tls_site *site, struct span certificate)
{
    switch (tls_names_read(certificate, &site->names)) {
    case TLS_NAMES_OK:
        return NULL;
    case TLS_NAMES_NO_MEMORY:
        return "out of memory";
    case TLS_NAMES_TOO_MANY:
        return "certificate has more than 4096 names, or a name that is no name";
    case TLS_NAMES_BAD_CERTIFICATE:
    case TLS_NAMES_OTHER:
        break;
    }
    return "certificate is damaged, or of a kind that is not supported";
}

static bool set_rules(WOLFSSL_CTX *library, enum tls_version min_version)
{
    /* In our order; tls_offer.c has them by number. The first is there only where the library has
     * ML-KEM (proxy/wolfssl.sh with a tarball). */
    int groups[] = {
#ifdef WOLFSSL_HAVE_MLKEM
        WOLFSSL_X25519MLKEM768,
#endif
        WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1, WOLFSSL_ECC_SECP384R1};
    bool is_1_3 = min_version == TLS_1_3;
    int version = is_1_3 ? WOLFSSL_TLSV1_3 : WOLFSSL_TLSV1_2;
    const char *suites = is_1_3 ? SUITES_1_3 : SUITES_1_3 ":" SUITES_1_2;
    (void)wolfSSL_CTX_set_session_cache_mode(library, WOLFSSL_SESS_CACHE_OFF);
    /* All sessions of the context share one random generator, instead of one in each. */
    return wolfSSL_CTX_SetMinVersion(library, version) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_set_cipher_list(library, suites) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_set_groups(library, groups, sizeof(groups) / sizeof(groups[0])) ==
               WOLFSSL_SUCCESS &&
           wolfSSL_CTX_new_rng(library) == WOLFSSL_SUCCESS;
}

/* With TLS 1.2 a client resumes by session ids, and asks for no ticket: when a server refuses one,
 * wolfSSL 5.7.2 breaks the handshake off. For as long as it offers such a session, wolfSSL offers
 * no TLS 1.3. */
static bool set_resumption(WOLFSSL_CTX *library)
{
    return wolfSSL_CTX_set_timeout(library, SESSION_1_2_S) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_only_dhe_psk(library) == 0;
}

/* A client's session adds the callback that looks at the server's name. */
int tls_verify_mode(enum tls_verify verify)
{
    switch (verify) {
    case TLS_VERIFY_USUAL:
    case TLS_VERIFY_OFF:
        return WOLFSSL_VERIFY_NONE;
    case TLS_VERIFY_OPTIONAL:
        return WOLFSSL_VERIFY_PEER;
    case TLS_VERIFY_REQUIRED:
        return WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    }
    return WOLFSSL_VERIFY_NONE;
}

/* A pair in DER. */
struct loaded {
    struct tls_der certificates;
    struct tls_der key;
};

static const char *load_pair(WOLFSSL_CTX *library, const struct loaded *pair)
{
    if (wolfSSL_CTX_use_certificate_chain_buffer_format(library, pair->certificates.data,
                                                        (long)pair->certificates.len,
                                                        WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS) {
        return "certificate is damaged, or of a kind that is not supported";
    }
    if (wolfSSL_CTX_use_PrivateKey_buffer(library, pair->key.data, (long)pair->key.len,
                                          WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS) {
        return "key is damaged, or of another kind than the certificate's";
    }
    if (wolfSSL_CTX_check_private_key(library) != WOLFSSL_SUCCESS) {
        return "key does not belong to the certificate";
    }
    return NULL;
}

static WOLFSSL_CTX *open_library(enum tls_role role, enum tls_version min_version)
{
    bool is_1_3 = min_version == TLS_1_3;
    WOLFSSL_METHOD *method = NULL;
    switch (role) {
    case TLS_SERVER:
        method = is_1_3 ? wolfTLSv1_3_server_method() : wolfSSLv23_server_method();
        break;
    case TLS_CLIENT:
        method = is_1_3 ? wolfTLSv1_3_client_method() : wolfSSLv23_client_method();
        break;
    }
    return method != NULL ? wolfSSL_CTX_new(method) : NULL;
}

static const char *explain_trust(int result)
{
    switch (result) {
    case WOLFSSL_SUCCESS:
        return NULL;
    case MEMORY_E:
        return "out of memory";
    default:
        return "no good CA certificate is among those to trust";
    }
}

/* Those that are out of date too: each handshake looks at the dates. */
static const char *load_authorities(WOLFSSL_CTX *library, struct span trust, bool is_lenient)
{
    bool is_any_good = false;
    struct der_item item;
    while (trust.len > 0) {
        if (!der_next(&trust, &item)) {
            return explain_trust(WOLFSSL_FAILURE);
        }
        int result = wolfSSL_CTX_load_verify_buffer_ex(
            library, (const unsigned char *)item.whole.data, (long)item.whole.len,
            WOLFSSL_FILETYPE_ASN1, 0, WOLFSSL_LOAD_FLAG_DATE_ERR_OKAY);
        is_any_good |= result == WOLFSSL_SUCCESS;
        if (result != WOLFSSL_SUCCESS && (!is_lenient || result == MEMORY_E)) {
            return explain_trust(result);
        }
    }
    return explain_trust(is_any_good ? WOLFSSL_SUCCESS : WOLFSSL_FAILURE);
}

static const char *load_trust(WOLFSSL_CTX *library, const struct tls_settings *settings)
{
    struct span trust = settings->trust;
    if (trust.len == 0) {
        return "no CA is named that peers can be verified with";
    }
    if (trust.data[0] == DER_SEQUENCE) {
        return load_authorities(library, trust, settings->is_trust_lenient);
    }
    return explain_trust(wolfSSL_CTX_load_verify_buffer(library, (const unsigned char *)trust.data,
                                                        (long)trust.len, WOLFSSL_FILETYPE_PEM));
}

static const char *read_pair(const struct tls_pair *pair, struct tls_site *site, struct loaded *out)
{
    const char *detail = tls_pem_certificates(pair->certificate, &out->certificates);
    if (detail == NULL) {
        struct span first = tls_pem_item(&out->certificates, 0);
        detail = read_names(site, first);
        site->key_kind = tls_chain_key_kind(first);
    }
    return detail == NULL ? tls_pem_key(pair->key, &out->key) : detail;
}

/* pair is NULL for a client without a certificate. */
static const char *open_site(const struct tls_context *context, struct tls_site *site,
                             const struct tls_settings *settings, const struct loaded *pair)
{
    const char *detail = NULL;
    site->library = open_library(context->role, settings->min_version);
    if (site->library == NULL) {
        return "out of memory";
    }
    bool is_server = context->role == TLS_SERVER;
    bool is_verified = context->verify != TLS_VERIFY_OFF;
    if (!set_rules(site->library, settings->min_version) ||
        !(is_server ? tls_tickets_allow(site->library, !is_verified)
                    : set_resumption(site->library))) {
        return "this build of wolfSSL lacks something that is needed";
    }
    wolfSSL_CTX_set_verify(site->library, tls_verify_mode(context->verify), NULL);
    /* Without this wolfSSL sends no alert to a client of TLS 1.2 that shows no certificate. */
    if (is_server && context->verify == TLS_VERIFY_REQUIRED &&
        wolfSSL_CTX_mutual_auth(site->library, 1) != 0) {
        return "this build of wolfSSL lacks something that is needed";
    }
    if (is_verified) {
        detail = load_trust(site->library, settings);
    }
    return detail == NULL && pair != NULL ? load_pair(site->library, pair) : detail;
}

static const char *load_site(const struct tls_context *context, struct tls_site *site,
                             const struct tls_settings *settings, const struct tls_pair *pair)
{
    struct loaded loaded = {.key = {0}};
    if (pair == NULL) {
        return open_site(context, site, settings, NULL);
    }
    const char *detail = read_pair(pair, site, &loaded);
    if (detail == NULL) {
        detail = open_site(context, site, settings, &loaded);
    }
    tls_pem_done(&loaded.certificates);
    tls_pem_done(&loaded.key);
    return detail;
}

static const char *start_library(void)
{
    if (!tls_memory_init()) {
        return "wolfSSL cannot start";
    }
    return tls_tickets_start() ? NULL : "no random numbers";
}

/* The names side by side, with commas between them. */
static bool copy_protocols(struct tls_context *context, const struct tls_settings *settings)
{
    size_t size = 0;
    for (size_t i = 0; i < settings->protocol_count; i++) {
        struct span name = settings->protocols[i];
        assert(name.len > 0 && name.len <= UINT8_MAX && span_find(name, ',') == name.len);
        size += name.len + 1;
    }
    if (size == 0) {
        return true;
    }
    context->protocols = mem_alloc(size);
    if (context->protocols == NULL) {
        return false;
    }
    char *end = context->protocols;
    for (size_t i = 0; i < settings->protocol_count; i++) {
        memcpy(end, settings->protocols[i].data, settings->protocols[i].len);
        end += settings->protocols[i].len;
        *end++ = i + 1 < settings->protocol_count ? ',' : '\0';
    }
    return true;
}

static const char *fill(struct tls_context *context, const struct tls_settings *settings)
{
    const char *detail = copy_protocols(context, settings) ? NULL : "out of memory";
    if (detail == NULL && context->verify != TLS_VERIFY_OFF) {
        detail = tls_peer_keep_trust(context, settings->trust);
    }
    if (detail == NULL && settings->revoked_count > 0) {
        size_t file = 0;
        context->revoked = crl_set_new(settings->revoked, settings->revoked_count, &detail, &file);
    }
    for (size_t i = 0; detail == NULL && i < context->count; i++) {
        const struct tls_pair *pair = settings->pair_count > 0 ? &settings->pairs[i] : NULL;
        detail = load_site(context, &context->sites[i], settings, pair);
    }
    return detail;
}

static enum tls_verify resolve(const struct tls_settings *settings)
{
    if (settings->verify != TLS_VERIFY_USUAL) {
        return settings->verify;
    }
    return settings->role == TLS_CLIENT ? TLS_VERIFY_REQUIRED : TLS_VERIFY_OFF;
}

struct tls_context *tls_context_new(const struct tls_settings *settings, const char **out_detail)
{
    bool is_client = settings->role == TLS_CLIENT;
    size_t count = is_client ? 1 : settings->pair_count;
    assert(!is_client || (settings->pair_count <= 1 && settings->verify != TLS_VERIFY_OPTIONAL));
    assert(settings->protocol_count < UINT8_MAX);
    *out_detail = count > 0 ? start_library() : "no certificate";
    if (*out_detail != NULL) {
        return NULL;
    }
    struct tls_context *context =
        mem_alloc_zero(sizeof(*context) + count * sizeof(context->sites[0]));
    if (context == NULL) {
        *out_detail = "out of memory";
        return NULL;
    }
    context->owners = 1;
    context->count = count;
    context->role = settings->role;
    context->verify = resolve(settings);
    context->min_version = settings->min_version;
    *out_detail = fill(context, settings);
    if (*out_detail != NULL) {
        tls_context_free(context);
        return NULL;
    }
    return context;
}

/* The key that is 1: whoever reads it learns nothing. */
static const uint8_t no_key[] = {
    0x30, 0x31, 0x02, 1, 1, /* an ECPrivateKey of 32 bytes: */
    0x04, 0x20, 0,    0, 0,    0,    0,    0,    0,    0, 0, 0, 0, 0, 0, 0, 0, 0, /* of RFC 5915 */
    0,    0,    0,    0, 0,    0,    0,    0,    0,    0, 0, 0, 0, 0, 0, 1,       /**/
    0xa0, 0x0a, 6,    8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7, /* on the curve P-256 */
};

/* Sessions that are open need no key of ours, but wolfSSL keeps it for them: the last one may end
 * weeks after the key was replaced. The library writes zeros over a key for which it gets another
 * one. Without memory for that the keys go with the last session. */
static void forget_keys(struct tls_context *context)
{
    context->is_keyless = true;
    for (size_t i = 0; i < context->count; i++) {
        int result = wolfSSL_CTX_use_PrivateKey_buffer(context->sites[i].library, no_key,
                                                       sizeof(no_key), WOLFSSL_FILETYPE_ASN1);
        (void)result;
    }
}

/* After each change of the counts. */
static void let_go(struct tls_context *context)
{
    if (context->owners > 0) {
        return;
    }
    tls_kept_drop(context);
    if (context->sessions > 0) {
        if (context->shaking == 0 && !context->is_keyless) {
            forget_keys(context);
        }
        return;
    }
    for (size_t i = 0; i < context->count; i++) {
        if (context->sites[i].library != NULL) {
            wolfSSL_CTX_free(context->sites[i].library);
        }
        tls_names_done(&context->sites[i].names);
    }
    crl_set_free(context->revoked);
    mem_free(context->authorities);
    mem_free(context->trust);
    mem_free(context->protocols);
    mem_free(context);
}

void tls_context_share(struct tls_context *context)
{
    context->owners++;
}

void tls_context_free(struct tls_context *context)
{
    if (context != NULL) {
        assert(context->owners > 0);
        context->owners--;
        let_go(context);
    }
}

void tls_context_join(struct tls_context *context)
{
    context->sessions++;
    context->shaking++;
}

void tls_context_end_handshake(struct tls_context *context)
{
    assert(context->shaking > 0);
    context->shaking--;
    let_go(context);
}

void tls_context_leave(struct tls_context *context)
{
    assert(context->sessions > 0);
    context->sessions--;
    let_go(context);
}
