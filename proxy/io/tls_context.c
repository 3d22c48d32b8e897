/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/tls_context.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "base/mem.h"
#include "io/tls_memory.h"
#include "io/tls_proof.h"
#include "io/tls_ticket.h"

/* Only forward secrecy and authenticated encryption; the library's own list has more. */
#define SUITES_1_3 "TLS13-AES128-GCM-SHA256:TLS13-AES256-GCM-SHA384:TLS13-CHACHA20-POLY1305-SHA256"
#define SUITES_1_2 \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

static struct {
    bool is_set;
    struct tls_ticket_keys keys;
} tickets;

void tls_set_ticket_seed(const uint8_t seed[32])
{
    uint8_t own[TLS_TICKET_SEED];
    if (seed == NULL && getrandom(own, sizeof(own), 0) != (ssize_t)sizeof(own)) {
        return;
    }
    tls_ticket_init(&tickets.keys, seed != NULL ? seed : own);
    tickets.is_set = true;
    explicit_bzero(own, sizeof(own));
}

/* wolfSSL's SessionTicketEncCb. */
// NOLINTNEXTLINE(readability-function-size): its parameters are wolfSSL's
static int cipher_ticket(WOLFSSL *ssl, unsigned char name[WOLFSSL_TICKET_NAME_SZ],
                         unsigned char iv[WOLFSSL_TICKET_IV_SZ],
                         unsigned char mac[WOLFSSL_TICKET_MAC_SZ], int is_locking,
                         unsigned char *data, int len, int *out_len, void *unused)
{
    const struct tls *tls = wolfSSL_GetIOReadCtx(ssl);
    time_t now = time(NULL);
    (void)unused;
    if (tls == NULL || len <= 0 || now < 0) {
        return WOLFSSL_TICKET_RET_REJECT;
    }
    struct tls_ticket ticket = {name, iv, mac, data, (size_t)len};
    *out_len = len;
    if (is_locking != 0) {
        return tls_ticket_lock(&tickets.keys, (uint64_t)now, tls_sni(tls), &ticket)
                   ? WOLFSSL_TICKET_RET_OK
                   : WOLFSSL_TICKET_RET_FATAL;
    }
    switch (tls_ticket_open(&tickets.keys, (uint64_t)now, tls_sni(tls), &ticket)) {
    case TLS_TICKET_OPENED:
        return WOLFSSL_TICKET_RET_OK;
    case TLS_TICKET_OLD:
        return WOLFSSL_TICKET_RET_CREATE;
    case TLS_TICKET_REJECTED:
        return WOLFSSL_TICKET_RET_REJECT;
    }
    return WOLFSSL_TICKET_RET_REJECT;
}

static bool has_text(struct span s, const char *text)
{
    return s.len > 0 && memmem(s.data, s.len, text, strlen(text)) != NULL;
}

/* NULL, or what is wrong with the key's text. */
static const char *judge_key_text(struct span key)
{
    if (!has_text(key, "-----BEGIN ") || !has_text(key, "PRIVATE KEY-----")) {
        return "key is not PEM";
    }
    /* PKCS #8 says so in the first line, the older format in a header below it. */
    if (has_text(key, "-----BEGIN ENCRYPTED PRIVATE KEY-----") || has_text(key, "ENCRYPTED\n") ||
        has_text(key, "4,ENCRYPTED")) {
        return "key is encrypted";
    }
    return NULL;
}

static const char *read_names(struct tls_site *site, struct span certificate)
{
    switch (tls_names_read(certificate, &site->names)) {
    case TLS_NAMES_OK:
        return NULL;
    case TLS_NAMES_NOT_PEM:
        return "certificate is not PEM";
    case TLS_NAMES_BAD_CERTIFICATE:
        return "certificate is damaged";
    case TLS_NAMES_NO_MEMORY:
        return "out of memory";
    }
    return "certificate is damaged";
}

static bool set_rules(WOLFSSL_CTX *library, enum tls_version min_version)
{
    int groups[] = {WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1, WOLFSSL_ECC_SECP384R1};
    bool is_1_3 = min_version == TLS_1_3;
    int version = is_1_3 ? WOLFSSL_TLSV1_3 : WOLFSSL_TLSV1_2;
    const char *suites = is_1_3 ? SUITES_1_3 : SUITES_1_3 ":" SUITES_1_2;
    wolfSSL_CTX_set_verify(library, WOLFSSL_VERIFY_NONE, NULL);
    (void)wolfSSL_CTX_set_session_cache_mode(library, WOLFSSL_SESS_CACHE_OFF);
    /* One random generator for the worker's sessions instead of one in each. */
    return wolfSSL_CTX_SetMinVersion(library, version) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_set_cipher_list(library, suites) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_set_groups(library, groups, sizeof(groups) / sizeof(groups[0])) ==
               WOLFSSL_SUCCESS &&
           wolfSSL_CTX_new_rng(library) == WOLFSSL_SUCCESS;
}

static bool set_tickets(WOLFSSL_CTX *library)
{
    return wolfSSL_CTX_set_TicketEncCb(library, cipher_ticket) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_set_TicketHint(library, TLS_TICKET_EPOCH_S) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_set_timeout(library, TLS_TICKET_EPOCH_S) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_set_num_tickets(library, 1) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_only_dhe_psk(library) == 0;
}

static const char *load_pair(WOLFSSL_CTX *library, const struct tls_pair *pair)
{
    if (wolfSSL_CTX_use_certificate_chain_buffer(library,
                                                 (const unsigned char *)pair->certificate.data,
                                                 (long)pair->certificate.len) != WOLFSSL_SUCCESS) {
        return "certificate is damaged, or of a kind that is not supported";
    }
    if (wolfSSL_CTX_use_PrivateKey_buffer(library, (const unsigned char *)pair->key.data,
                                          (long)pair->key.len,
                                          WOLFSSL_FILETYPE_PEM) != WOLFSSL_SUCCESS) {
        return "key is damaged, or of another kind than the certificate's";
    }
    if (wolfSSL_CTX_check_private_key(library) != WOLFSSL_SUCCESS) {
        return "key does not belong to the certificate";
    }
    return NULL;
}

static const char *open_site(struct tls_site *site, const struct tls_pair *pair,
                             enum tls_version min_version)
{
    const char *problem = read_names(site, pair->certificate);
    if (problem == NULL) {
        problem = judge_key_text(pair->key);
    }
    if (problem != NULL) {
        return problem;
    }
    WOLFSSL_METHOD *method =
        min_version == TLS_1_3 ? wolfTLSv1_3_server_method() : wolfSSLv23_server_method();
    site->library = method != NULL ? wolfSSL_CTX_new(method) : NULL;
    if (site->library == NULL) {
        return "out of memory";
    }
    if (!set_rules(site->library, min_version) || !set_tickets(site->library)) {
        return "this build of wolfSSL lacks something that is needed";
    }
    return load_pair(site->library, pair);
}

static const char *start_library(void)
{
    if (!tls_memory_init()) {
        return "wolfSSL cannot start";
    }
    if (!tickets.is_set) {
        tls_set_ticket_seed(NULL);
    }
    return tickets.is_set ? NULL : "no random numbers";
}

struct tls_context *tls_context_new(const struct tls_pair *pairs, size_t count,
                                    enum tls_version min_version, char *error, size_t error_size,
                                    size_t *out_bad_pair)
{
    struct tls_context *context = NULL;
    const char *problem = count > 0 ? start_library() : "no certificate";
    size_t bad = count;
    if (problem == NULL) {
        context = mem_alloc_zero(sizeof(*context) + count * sizeof(context->sites[0]));
        problem = context == NULL ? "out of memory" : NULL;
    }
    if (problem == NULL) {
        context->users = 1;
        context->count = count;
    }
    for (size_t i = 0; problem == NULL && i < count; i++) {
        bad = i;
        problem = open_site(&context->sites[i], &pairs[i], min_version);
        if (problem == NULL) {
            problem = tls_proof_run(context, i);
        }
    }
    if (problem == NULL) {
        return context;
    }
    snprintf(error, error_size, "%s", problem);
    *out_bad_pair = bad;
    tls_context_free(context);
    return NULL;
}

void tls_context_drop(struct tls_context *context)
{
    assert(context->users > 0);
    context->users--;
    if (context->users > 0) {
        return;
    }
    for (size_t i = 0; i < context->count; i++) {
        if (context->sites[i].library != NULL) {
            wolfSSL_CTX_free(context->sites[i].library);
        }
        tls_names_done(&context->sites[i].names);
    }
    mem_free(context);
}

void tls_context_free(struct tls_context *context)
{
    if (context != NULL) {
        tls_context_drop(context);
    }
}

const struct tls_site *tls_context_choose(const struct tls_context *context, struct span name)
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
    return best;
}
