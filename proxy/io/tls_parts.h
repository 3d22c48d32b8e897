/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_parts.h: what the sources of tls.h know of each other.
 *
 * tls.c moves bytes, tls_record.c guards them and lends them to wolfSSL, tls_server.c and
 * tls_client.c know what only one end does, tls_peer.c looks at the peer's certificate,
 * tls_context.c makes contexts, tls_tickets.c gives out tickets, tls_kept.c keeps sessions for
 * later clients, tls_detail.c puts failures into words. Not for: anybody else. */
#ifndef IO_TLS_PARTS_H
#define IO_TLS_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/crl.h"
#include "io/tls.h"
#include "io/tls_chain.h"
#include "io/tls_flight.h"
#include "io/tls_foreign.h"
#include "io/tls_hello.h"
#include "io/tls_names.h"

struct WOLFSSL;
struct WOLFSSL_CTX;
struct WOLFSSL_SESSION;
struct WOLFSSL_X509_STORE_CTX;

enum { TLS_RECORD_ALERT = 21, TLS_RECORD_HANDSHAKE = 22, TLS_RECORD_DATA = 23 };

/* --- contexts: tls_context.c --- */

/* One certificate, its key and its names. A client has one site, with or without a certificate. */
struct tls_site {
    struct WOLFSSL_CTX *library;
    struct tls_names names;
    enum tls_key_kind key_kind;
};

/* A CA whose certificates are taken. */
struct tls_authority {
    struct span whole; /* DER, as what follows */
    struct span subject;
    struct span constraints; /* what it may sign; empty: anything */
    int64_t from_s;
    int64_t ends_s;
    bool is_own_only; /* no CA: it vouches for nobody but itself */
};

/* A session that a later client can take up. */
struct tls_kept {
    char *server; /* owned: the name, a blank, the place; NULL: the row is free */
    struct WOLFSSL_SESSION *session; /* owned */
    int64_t good_until_s;
    uint64_t kept_at; /* the context counts */
};

struct tls_context {
    size_t owners;   /* without one there are no more handshakes than those that have begun */
    size_t sessions; /* they keep it alive too */
    size_t shaking;  /* sessions whose handshake is not complete */
    bool is_keyless;
    enum tls_role role;
    enum tls_verify verify; /* never TLS_VERIFY_USUAL */
    enum tls_version min_version;
    struct crl_set *revoked; /* NULL: nobody asks */
    char *trust;             /* owned: the CAs in DER */
    struct tls_authority *authorities;
    size_t authority_count;
    char *protocols;       /* "h2,http/1.1"; NULL: none */
    struct tls_kept *kept; /* clients: TLS_KEPT_MAX rows; NULL: nothing was kept yet */
    uint64_t kept_count;   /* so many were ever kept */
    size_t count;
    struct tls_site sites[];
};

/* A session of the context begins, completes its handshake, and ends. */
void tls_context_join(struct tls_context *context);
void tls_context_end_handshake(struct tls_context *context);
void tls_context_leave(struct tls_context *context);

/* --- sessions --- */

enum tls_phase {
    TLS_PHASE_HELLO = 0, /* servers: gathering a ClientHello that wolfSSL has not seen yet */
    TLS_PHASE_HANDSHAKE,
    TLS_PHASE_OPEN,
    TLS_PHASE_ENDED, /* the peer's close_notify came */
    TLS_PHASE_FAILED
};

struct tls {
    struct tls_context *context;
    struct peer_cert *peer; /* servers: good, but not yet proven before is_established */
    struct WOLFSSL *ssl;    /* a server's is NULL until the first ClientHello is whole */
    char *server_name;      /* NULL: none */
    char *server;           /* clients: as a struct tls_kept has it; NULL: keeps nothing */
    int64_t good_until_s;   /* clients: of what the server's certificate allows; 0: not known */
    const char *detail;
    struct tls_hello_reader hello;    /* servers */
    struct tls_flight flight;         /* servers that ask for a certificate, in TLS 1.2 */
    uint8_t foreign[TLS_FOREIGN_MAX]; /* the first bytes of a client that does not speak TLS */
    uint8_t foreign_len;
    uint32_t record_left; /* the record guard's place in the stream; so are the headers below */
    /* Only during a call: wire bytes that wolfSSL may take, and where it may write. */
    const uint8_t *lent;
    size_t lent_len;
    struct tls_wire *out;
    uint8_t header[TLS_RECORD_HEADER];
    uint8_t header_len;
    uint8_t alert; /* the description of a fatal alert in the clear; 0: none came */
    uint8_t idle_records;
    uint8_t ticket_row; /* servers: how many tickets stand before that of this session */
    uint8_t protocol;   /* its place in the context's list, from 1; 0: none */
    enum tls_phase phase;
    bool is_shaking; /* as the context counts it */
    bool is_established;
    bool is_encrypted; /* the peer has changed to its keys, in TLS 1.2 */
    bool is_finished;
    bool has_heard;
    bool has_begun;       /* clients: the hello has its keys */
    bool is_name_good;    /* clients: the certificate is good for server_name */
    bool is_offered;      /* clients: the server may take up a kept session */
    bool is_ticket_new;   /* clients: the server gave one, which is not kept yet */
    bool is_name_unknown; /* servers: no certificate is for the SNI; the first one is shown */
};

/* tls.c: ends the session; the first detail stays. Returns TLS_FAILED. */
enum tls_result tls_fail(struct tls *tls, const char *detail);
/* tls.c: goes on with the handshake over what is lent. */
MUST_CHECK enum tls_result tls_negotiate(struct tls *tls);

/* tls_record.c: makes ssl read what is lent and write to out. */
void tls_record_attach(struct tls *tls);
/* Puts bytes into the wire output; false without room. */
bool tls_record_put(struct tls_wire *out, const void *data, size_t len);

/* tls_server.c: takes bytes up to the end of a ClientHello, and answers it. */
MUST_CHECK enum tls_result tls_server_hello(struct tls *tls, const uint8_t *wire, size_t len,
                                            size_t *out_used);

/* tls_tickets.c: there are keys for tickets from now on; false: no random numbers. */
MUST_CHECK bool tls_tickets_start(void);
/* Lets a server give out tickets, or not. False: the library cannot. */
MUST_CHECK bool tls_tickets_allow(struct WOLFSSL_CTX *library, bool is_given);

/* tls_client.c: gives the hello its keys, which depend on whether a session is offered. False: no
 * memory, or no random numbers. */
MUST_CHECK bool tls_client_begin(struct tls *tls);

/* tls_kept.c: what the server gave out since the last call is for the next client. */
void tls_kept_note(struct tls *tls);
/* The handshake came to nothing, which may be the kept session's fault: the next one does without.
 */
void tls_kept_doubt(struct tls *tls);
void tls_kept_drop(struct tls_context *context);

/* tls_peer.c: makes ssl show sluice the client's certificate. */
void tls_peer_ask(struct tls *tls);
/* What is wrong with a server's certificates, of which wolfSSL found the signatures and dates good,
 * but for their name: NULL, or a constant text. Sets good_until_s. */
MUST_CHECK const char *tls_peer_judge_server(struct tls *tls,
                                             const struct WOLFSSL_X509_STORE_CTX *store);
/* The handshake is complete: TLS_FAILED when a certificate is missing, or came from a ticket. */
MUST_CHECK enum tls_result tls_peer_conclude(struct tls *tls);
/* wolfSSL keeps what a client has sent between its certificate and a CA: takes that away again. */
void tls_peer_forget_chain(struct tls *tls);
/* Keeps the CAs of the settings, if they are in DER. NULL, or what is wrong. */
MUST_CHECK const char *tls_peer_keep_trust(struct tls_context *context, struct span trust);
/* tls_context.c: what wolfSSL calls it. */
int tls_verify_mode(enum tls_verify verify);

/* tls_detail.c: words for an error code of wolfSSL, and for the alert behind it; never NULL. */
const char *tls_detail_of(const struct tls *tls, int error);

#endif
