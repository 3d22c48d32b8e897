/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls.h: TLS sessions over memory, at either end; the only user of wolfSSL's sessions.
 *
 * For: turning wire bytes into plain bytes and back; contexts with their certificates, trust, ALPN
 * and tickets. Not for: sockets, and not for proving that a certificate works (io/tls_proof does).
 * wolfSSL reads from memory that the caller lends and writes into memory that always has room, so
 * it never sees "would block" on output (a blocked write followed by a KeyUpdate has sent bytes
 * twice). TLS 1.2 and 1.3 only, with an explicit list of suites.
 *
 * Whatever a call produces for the wire (handshake, alerts, records) stands in the struct tls_wire
 * given to it. The caller sends it before the next call. */
#ifndef IO_TLS_H
#define IO_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "io/peer_cert.h"

enum tls_role { TLS_SERVER = 0, TLS_CLIENT };
enum tls_version { TLS_1_2 = 0, TLS_1_3 };

/* What the other end's certificate must be. */
enum tls_verify {
    TLS_VERIFY_USUAL = 0, /* for a server TLS_VERIFY_OFF, for a client TLS_VERIFY_REQUIRED */
    TLS_VERIFY_OFF,       /* a server asks for no certificate, a client believes any */
    TLS_VERIFY_OPTIONAL,  /* servers only: a client may show none, but one that it shows is good */
    TLS_VERIFY_REQUIRED   /* trusted and in date; for a client also good for the server's name */
};

/* One certificate chain and its key, PEM, in memory. */
struct tls_pair {
    struct span certificate; /* leaf first */
    struct span key;
};

/* What a context is made from. tls_context_new copies what it keeps. */
struct tls_settings {
    enum tls_role role;
    enum tls_version min_version;
    const struct tls_pair *pairs; /* server: at least one; client: the one to show if asked */
    size_t pair_count;
    const struct span *protocols; /* ALPN, best first; a name has no comma */
    size_t protocol_count;        /* 0: the other end's ALPN list is ignored */
    struct span trust; /* the CAs that verify needs: PEM, of which at least one must be good; or DER
                        * side by side, of which each must be */
    bool
        is_trust_lenient; /* DER of which wolfSSL need not know each: one that it takes is enough */
    enum tls_verify verify;
    const struct span
        *revoked;         /* servers: revocation lists, PEM or DER, of clients' certificates */
    size_t revoked_count; /* 0: nobody asks whether a certificate was taken back */
};

/* Immutable, and may serve many sessions. The process that uses it makes it (after fork). */
struct tls_context;

/* NULL: the settings do not work; *out_detail is then a constant text that says what is wrong. A
 * server chooses its pair by SNI: an exact name in a certificate's subjectAltName, then a wildcard
 * of one label, then the first pair. A server that verifies clients neither gives out nor takes
 * tickets, so that nobody comes in with the ticket of a server that asked for no certificate. */
MUST_CHECK struct tls_context *tls_context_new(const struct tls_settings *settings,
                                               const char **out_detail);
/* A server that verifies looks at the dates of the CAs in DER at each handshake; wolfSSL does not.
 * With revocation lists a client's certificate needs a list of its issuer, which does not name it;
 * for a certificate between it and a CA a list need not be there. A list's dates and signature are
 * io/trust's to judge. Tells whether the lists of this context name a certificate now. */
bool tls_context_revokes(const struct tls_context *context, const struct peer_cert *cert);
/* One more owner; each owner calls tls_context_free. A session holds its context too, but once
 * nobody owns it and its last handshake is complete, zeros take the place of its private keys. */
void tls_context_share(struct tls_context *context);
/* Sessions that still use it keep it alive. */
void tls_context_free(struct tls_context *context);

/* Ticket keys of a process family: 32 random bytes that the master makes once before it forks, so
 * that a ticket of one worker is good at the others. NULL, or no call at all, makes a seed that
 * only this process knows. Keys follow from the seed and change every 12 hours of wall time; the
 * older seed is then wiped. A ticket is good for 12 hours, over a change of keys, and only under
 * the SNI it was given out under. Call this before tls_context_new. */
void tls_set_ticket_seed(const uint8_t seed[32]);
/* Changes the keys when it is time. Handshakes do so themselves; a process that may have none for
 * long, and the master before it forks, call this. */
void tls_advance_tickets(void);
/* The state of these keys, for a later program that opens the tickets of this one: bytes that mean
 * something to both only if both are laid out alike. Returns their length; 0 = there are no keys.
 * They are as secret as the keys. */
#define TLS_TICKETS_SAVED_MAX 256
size_t tls_save_tickets(uint8_t out[TLS_TICKETS_SAVED_MAX]);
/* False: these are none of this layout, and nothing has changed. */
MUST_CHECK bool tls_restore_tickets(const uint8_t *bytes, size_t len);

struct tls_wire {
    uint8_t *data;
    size_t size;
    size_t len; /* bytes produced so far */
};

/* One session. */
struct tls;
/* At a server's context. NULL: no memory. */
MUST_CHECK struct tls *tls_new(struct tls_context *context);
/* At a client's context. server_name is a host name or a numeric address: what the server's
 * certificate must be good for, and, when it is a host name, the SNI. It may be empty only when
 * verify is off (asserted). A common name in a certificate does not count (RFC 9525 section 2).
 * NULL: no memory. */
MUST_CHECK struct tls *tls_new_client(struct tls_context *context, struct span server_name);
/* A client's, before its first tls_shake or tls_feed: offers to take up the newest earlier session
 * with the server of this name at `place`, any text ("10.0.0.5:5901"), and keeps for the next one
 * what this server gives out. The context keeps TLS_KEPT_MAX sessions at most, each for 12 hours
 * after the handshake that saw a certificate, and no longer than this certificate is good; none
 * survives its context. */
#define TLS_KEPT_MAX 64
void tls_resume_at(struct tls *tls, struct span place);
void tls_free(struct tls *tls);

enum tls_result {
    TLS_OK = 0,
    TLS_EOF,   /* close_notify */
    TLS_FAILED /* handshake or record error; an alert may stand in the wire output */
};

/* The handshake alone: takes wire bytes up to its end and no byte behind it; *out_used says how
 * many. A client begins to speak at its first call, whatever it is given. The end has come when
 * tls_is_established. out as for tls_feed. */
MUST_CHECK enum tls_result tls_shake(struct tls *tls, const uint8_t *wire, size_t len,
                                     size_t *out_used, struct tls_wire *out);

#define TLS_PLAIN_EXTRA (17 * 1024) /* bytes that plain must have beyond what is fed */

/* Takes all of the wire bytes: drives the handshake, then decrypts as much as is there into plain,
 * which must have room for len + TLS_PLAIN_EXTRA (asserted). Plain bytes (*out_plain_len of them)
 * may come with every result; with TLS_FAILED they are good, but what followed is not. Once TLS_EOF
 * or TLS_FAILED, always so. out must have room for len and this end's part of the handshake (its
 * certificates and 2 KiB), else TLS_FAILED. */
MUST_CHECK enum tls_result tls_feed(struct tls *tls, const uint8_t *wire, size_t len,
                                    uint8_t *plain, size_t plain_size, size_t *out_plain_len,
                                    struct tls_wire *out);
/* Both ends have finished the handshake, as far as this end can know: with TLS 1.3 a client learns
 * only by the next bytes that its own certificate was refused. */
bool tls_is_established(const struct tls *tls);
/* A byte of data has come. */
bool tls_has_heard(const struct tls *tls);

/* Encrypts all of data; out must have room for len + 64 bytes for each 16 KiB begun + 64. */
MUST_CHECK enum tls_result tls_seal(struct tls *tls, const uint8_t *data, size_t len,
                                    struct tls_wire *out);
/* Makes a close_notify (a server none before the ClientHello came); nothing may be sealed
 * afterwards, but feeding goes on. out must have room for 64 bytes. */
void tls_finish(struct tls *tls, struct tls_wire *out);

/* What was wrong first, a constant text ("alert unknown_ca received", "certificate has expired");
 * NULL as long as nothing failed. */
const char *tls_detail(const struct tls *tls);
/* The protocol that ALPN agreed on; empty when there is none. Valid as long as the context. */
struct span tls_protocol(const struct tls *tls);
/* "TLSv1.3" (a constant) and the suite's IANA name (valid as long as the session), both "" before
 * the handshake is complete. */
const char *tls_version_name(const struct tls *tls);
const char *tls_suite_name(const struct tls *tls);
/* The client's certificate, which was found good: the caller's from now on, for peer_cert_free.
 * NULL: the client showed none, or was not asked, or the handshake is not complete; or somebody has
 * taken it before. */
struct peer_cert *tls_take_peer(struct tls *tls);
/* The handshake took up an earlier session, by a ticket. */
bool tls_is_resumed(const struct tls *tls);
/* The server's name, without a dot at its end: the SNI that the client sent, or what
 * tls_new_client was given. Empty when there is none. Valid as long as the session. */
struct span tls_sni(const struct tls *tls);
const char *tls_library_version(void);

#endif
