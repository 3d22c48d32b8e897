/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sessions that a client's context keeps for later clients of the same server. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "base/mem.h"
#include "io/tls_parts.h"

enum { KEPT_AGE_S = 12 * 60 * 60 };

/* NULL: there is none. */
static struct tls_kept *find(const struct tls_context *context, const char *server)
{
    for (size_t i = 0; context->kept != NULL && i < TLS_KEPT_MAX; i++) {
        struct tls_kept *kept = &context->kept[i];
        if (kept->server != NULL && strcmp(kept->server, server) == 0) {
            return kept;
        }
    }
    return NULL;
}

static void clear(struct tls_kept *kept)
{
    if (kept->server != NULL) {
        mem_free(kept->server);
        wolfSSL_SESSION_free(kept->session);
        *kept = (struct tls_kept){.server = NULL};
    }
}

/* A free row, else the one that was kept first. */
static struct tls_kept *find_place(struct tls_context *context)
{
    struct tls_kept *oldest = &context->kept[0];
    for (size_t i = 0; i < TLS_KEPT_MAX; i++) {
        struct tls_kept *kept = &context->kept[i];
        if (kept->server == NULL) {
            return kept;
        }
        oldest = kept->kept_at < oldest->kept_at ? kept : oldest;
    }
    clear(oldest);
    return oldest;
}

/* wolfSSL writes into sessions that are in use: what is kept is a copy. NULL: no memory. */
static WOLFSSL_SESSION *copy_of(struct tls *tls)
{
    WOLFSSL_SESSION *used = wolfSSL_get1_session(tls->ssl);
    WOLFSSL_SESSION *copy = used != NULL ? wolfSSL_SESSION_dup(used) : NULL;
    wolfSSL_SESSION_free(used);
    return copy;
}

/* Without memory nothing is kept, and the next handshake takes longer. */
static void keep(struct tls *tls)
{
    struct tls_context *context = tls->context;
    if (context->kept == NULL) {
        context->kept = mem_alloc_zero(TLS_KEPT_MAX * sizeof(*context->kept));
    }
    char *server = context->kept != NULL ? mem_copy_str(span_from_str(tls->server)) : NULL;
    WOLFSSL_SESSION *session = server != NULL ? copy_of(tls) : NULL;
    if (session == NULL) {
        mem_free(server);
        return;
    }
    struct tls_kept *kept = find(context, server);
    if (kept != NULL) {
        clear(kept);
    } else {
        kept = find_place(context);
    }
    *kept = (struct tls_kept){server, session, tls->good_until_s, context->kept_count++};
}

void tls_kept_note(struct tls *tls)
{
    if (tls->server == NULL || !tls->is_established || !tls->is_ticket_new ||
        tls->context->owners == 0 || tls->phase == TLS_PHASE_FAILED) {
        return;
    }
    int64_t most_s = (int64_t)time(NULL) + KEPT_AGE_S;
    tls->is_ticket_new = false;
    if (tls->good_until_s == 0 || tls->good_until_s > most_s) {
        tls->good_until_s = most_s;
    }
    keep(tls);
}

void tls_kept_doubt(struct tls *tls)
{
    struct tls_kept *kept = tls->is_offered && !tls->is_established && tls->server != NULL
                                ? find(tls->context, tls->server)
                                : NULL;
    if (kept != NULL) {
        clear(kept);
    }
}

void tls_kept_drop(struct tls_context *context)
{
    for (size_t i = 0; context->kept != NULL && i < TLS_KEPT_MAX; i++) {
        clear(&context->kept[i]);
    }
    mem_free(context->kept);
    context->kept = NULL;
}

/* wolfSSL calls this while it takes a ticket; the rest of the session is not there yet. */
static int on_ticket(WOLFSSL *ssl, const unsigned char *ticket, int len, void *owner)
{
    struct tls *tls = owner;
    (void)ssl;
    (void)ticket;
    (void)len;
    tls->is_ticket_new = true;
    return 0;
}

static void offer(struct tls *tls, const struct tls_kept *kept)
{
    WOLFSSL_SESSION *copy = wolfSSL_SESSION_dup(kept->session);
    if (copy != NULL && wolfSSL_set_session(tls->ssl, copy) == WOLFSSL_SUCCESS) {
        tls->is_offered = true;
        tls->good_until_s = kept->good_until_s;
    }
    wolfSSL_SESSION_free(copy);
}

void tls_resume_at(struct tls *tls, struct span place)
{
    struct span name = tls_sni(tls);
    size_t size = name.len + 1 + place.len + 1;
    tls->server = mem_alloc(size);
    if (tls->server == NULL) {
        return;
    }
    snprintf(tls->server, size, "%.*s %.*s", (int)name.len, name.data, (int)place.len, place.data);
    (void)wolfSSL_set_SessionTicket_cb(tls->ssl, on_ticket, tls);
    struct tls_kept *kept = find(tls->context, tls->server);
    if (kept != NULL && kept->good_until_s <= (int64_t)time(NULL)) {
        clear(kept);
    } else if (kept != NULL) {
        offer(tls, kept);
    }
}
