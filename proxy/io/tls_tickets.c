/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tickets that servers give out: their keys, and what wolfSSL asks about them. */
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "io/tls_faults.h"
#include "io/tls_memory.h"
#include "io/tls_parts.h"
#include "io/tls_ticket.h"

static struct {
    bool is_set;
    struct tls_ticket_keys keys;
} tickets;

static uint64_t wall_s(void)
{
    time_t now = time(NULL);
    return now > 0 ? (uint64_t)now : 0;
}

void tls_set_ticket_seed(const uint8_t seed[32])
{
    uint8_t own[TLS_TICKET_SEED];
    if (seed == NULL && getrandom(own, sizeof(own), 0) != (ssize_t)sizeof(own)) {
        return;
    }
    tickets.is_set =
        tls_memory_init() && tls_ticket_init(&tickets.keys, seed != NULL ? seed : own, wall_s());
    explicit_bzero(own, sizeof(own));
}

void tls_advance_tickets(void)
{
    /* Without memory the next call, or the next ticket, does it. */
    (void)!(tickets.is_set && tls_ticket_advance(&tickets.keys, wall_s()));
}

/* A ticket carries, as a last byte that is locked too, how many stand before it in the row, and one
 * that ends a row is not taken: the client shakes hands in full, and begins another. */
#if TLS_FAULT_TICKET_ROWS
#define TICKETS_FORM "2"
enum { ROW_BYTES = 1 };
#else
#define TICKETS_FORM "1"
enum { ROW_BYTES = 0 };
#endif
enum { TICKETS_IN_A_ROW = 200 };

/* What is saved begins with what it is. */
static const char saved_title[16] = "sluice tickets" TICKETS_FORM;
_Static_assert(sizeof(saved_title) + sizeof(struct tls_ticket_keys) <= TLS_TICKETS_SAVED_MAX,
               "the keys of two epochs fit");

size_t tls_save_tickets(uint8_t out[TLS_TICKETS_SAVED_MAX])
{
    if (!tickets.is_set) {
        return 0;
    }
    memcpy(out, saved_title, sizeof(saved_title));
    memcpy(out + sizeof(saved_title), &tickets.keys, sizeof(tickets.keys));
    return sizeof(saved_title) + sizeof(tickets.keys);
}

bool tls_restore_tickets(const uint8_t *bytes, size_t len)
{
    if (len != sizeof(saved_title) + sizeof(tickets.keys) ||
        memcmp(bytes, saved_title, sizeof(saved_title)) != 0 || !tls_memory_init()) {
        return false;
    }
    memcpy(&tickets.keys, bytes + sizeof(saved_title), sizeof(tickets.keys));
    tickets.is_set = true;
    tls_advance_tickets();
    return true;
}

static bool lock_ticket(struct tls *tls, struct tls_ticket *ticket, int *out_len)
{
    if (ROW_BYTES > 0) {
        if (*out_len < (int)ticket->len + ROW_BYTES) {
            return false;
        }
        ticket->data[ticket->len] = tls->ticket_row;
    }
    ticket->len += ROW_BYTES;
    *out_len = (int)ticket->len;
    return tls_ticket_lock(&tickets.keys, wall_s(), tls_sni(tls), ticket);
}

static enum tls_ticket_result open_ticket(struct tls *tls, const struct tls_ticket *ticket,
                                          int *out_len)
{
    enum tls_ticket_result result = tls_ticket_open(&tickets.keys, wall_s(), tls_sni(tls), ticket);
    *out_len = (int)ticket->len - ROW_BYTES;
    if (ROW_BYTES > 0 && result != TLS_TICKET_REJECTED) {
        uint8_t row = ticket->data[ticket->len - ROW_BYTES];
        if (row >= TICKETS_IN_A_ROW) {
            return TLS_TICKET_REJECTED;
        }
        tls->ticket_row = (uint8_t)(row + 1);
    }
    return result;
}

/* wolfSSL's SessionTicketEncCb. */
// NOLINTNEXTLINE(readability-function-size): its parameters are wolfSSL's
static int cipher_ticket(WOLFSSL *ssl, unsigned char name[WOLFSSL_TICKET_NAME_SZ],
                         unsigned char iv[WOLFSSL_TICKET_IV_SZ],
                         unsigned char mac[WOLFSSL_TICKET_MAC_SZ], int is_locking,
                         unsigned char *data, int len, int *out_len, void *unused)
{
    struct tls *tls = wolfSSL_GetIOReadCtx(ssl);
    (void)unused;
    if (tls == NULL || len <= ROW_BYTES || tls->context->verify != TLS_VERIFY_OFF) {
        return WOLFSSL_TICKET_RET_REJECT;
    }
    struct tls_ticket ticket = {name, iv, mac, data, (size_t)len};
    if (is_locking != 0) {
        return lock_ticket(tls, &ticket, out_len) ? WOLFSSL_TICKET_RET_OK
                                                  : WOLFSSL_TICKET_RET_FATAL;
    }
    switch (open_ticket(tls, &ticket, out_len)) {
    case TLS_TICKET_OPENED:
        return WOLFSSL_TICKET_RET_OK;
    case TLS_TICKET_OLD:
        /* With TLS 1.3 wolfSSL drops the ticket at CREATE, and gives out a new one at OK too. */
        return wolfSSL_version(ssl) == TLS1_3_VERSION ? WOLFSSL_TICKET_RET_OK
                                                      : WOLFSSL_TICKET_RET_CREATE;
    case TLS_TICKET_REJECTED:
        return WOLFSSL_TICKET_RET_REJECT;
    }
    return WOLFSSL_TICKET_RET_REJECT;
}

bool tls_tickets_start(void)
{
    if (!tickets.is_set) {
        tls_set_ticket_seed(NULL);
    }
    return tickets.is_set;
}

bool tls_tickets_allow(struct WOLFSSL_CTX *library, bool is_given)
{
    if (!is_given && (wolfSSL_CTX_NoTicketTLSv12(library) != WOLFSSL_SUCCESS ||
                      wolfSSL_CTX_no_ticket_TLSv13(library) != 0)) {
        return false;
    }
    return wolfSSL_CTX_set_TicketEncCb(library, cipher_ticket) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_set_TicketHint(library, TLS_TICKET_EPOCH_S) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_set_timeout(library, TLS_TICKET_EPOCH_S) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_set_num_tickets(library, is_given ? 1 : 0) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_only_dhe_psk(library) == 0;
}
