/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity.h: who is it that asks, and is that proven?
 *
 * For: judging the credentials of a request by the [auth] sections of its route, and keeping what
 * the proof says for as long as the session lasts. Not for: what else decides about a request
 * (admission), limits, which come first because a signature costs more than a refusal, and carrying
 * anything out. It takes values and returns values.
 *
 * Details and words are constant and have nothing of a token in them; they are for the log and the
 * metrics. The client learns none of them: whoever tries tokens must not learn how near one was. */
#ifndef GATE_IDENTITY_H
#define GATE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "conf/snapshot.h"
#include "io/peer_cert.h"
#include "proto/life.h"
#include "proto/request.h"
#include "proto/token.h"

/* One allocation. When a route names several [auth] sections, the first of its list whose proof has
 * a subject says who it is, and the earliest end counts. */
struct identity {
    struct span auth;    /* the name of that section */
    struct span subject; /* empty: the proof names nobody */
    struct span id;      /* of a signed token: jti and kid; empty = it has none */
    struct span kid;
    bool has_digest; /* of a token out of a file: */
    uint8_t digest[ACCOUNTS_DIGEST_LEN];
    uint64_t issued_s; /* iat: seconds since 1970; 0 = unknown */
    uint64_t ends_s;   /* from when on it holds no more; 0 = never */
};
/* NULL is allowed. */
void identity_free(struct identity *who);

enum identity_verdict {
    IDENTITY_OK = 0,
    IDENTITY_LATER,   /* the first message will be the token: identity_of_token */
    IDENTITY_WAIT,    /* is the password right? Ask with what the answer has, then come again */
    IDENTITY_REFUSED, /* the ending `auth` */
    IDENTITY_NO_MEMORY
};

/* Why somebody was refused: words for metrics. The first JWT_REFUSALS are those of jwt.h. */
enum identity_reason {
    IDENTITY_MISSING = JWT_REFUSALS, /* the request has no token */
    IDENTITY_MALFORMED,              /* it stands there, but malformed */
    IDENTITY_TWICE,
    IDENTITY_UNKNOWN_TOKEN, /* no line of the file has it */
    IDENTITY_EXPIRED_TOKEN, /* its line says so */
    IDENTITY_NAME,          /* the client's certificate has none of the names */
    IDENTITY_UNKNOWN_USER,  /* no line of the file has it */
    IDENTITY_WRONG_PASSWORD,
    IDENTITY_REASONS
};
const char *identity_reason_word(unsigned reason);

/* What the caller knows of the password that the request brings. */
enum identity_password { IDENTITY_NOT_ASKED = 0, IDENTITY_RIGHT, IDENTITY_WRONG };

/* Everything that the judgement depends on. */
struct identity_question {
    const struct config_route *route;
    const struct request *request;
    const struct peer_cert *certificate; /* that TLS found good; NULL: the client has shown none */
    bool is_from_trusted_proxy;          /* else auth_from = header:NAME finds nothing */
    uint64_t now_s;                      /* seconds since 1970 */
    enum identity_password password;
};

struct identity_answer {
    struct identity *who;           /* IDENTITY_OK: the caller's, for identity_free; NULL where the
                                       route asks nobody */
    const struct config_auth *auth; /* IDENTITY_REFUSED: the section that did; or NULL */
    const char *detail;             /* of it */
    unsigned reason;                /* of it: enum identity_reason or jwt_refusal */
    /* IDENTITY_WAIT: what to ask. All other sections hold, or the first message will be asked. */
    struct token password; /* with the user; the caller's, for token_done */
    struct span hash;      /* of the user, or a decoy */
    bool is_decoy;         /* the user is not there: IDENTITY_WRONG, and takes as long */
    uint64_t cache_ms;
};

MUST_CHECK enum identity_verdict identity_of_request(const struct identity_question *question,
                                                     struct identity_answer *out);
/* The same for the token that came as the first message. */
MUST_CHECK enum identity_verdict identity_of_token(const struct identity_question *question,
                                                   struct span token, struct identity_answer *out);

/* Whether the certificate that let a client in to this route still has one of the names, by the
 * configuration in force. True where that has no such section any more. */
bool identity_certificate_holds(const struct config_route *route, const struct peer_cert *cert,
                                const struct config *config);

/* Whether a session of this route may go on, by the configuration in force. False: *out_ending says
 * why not. Time alone ends a session by its deadline, so `now_s` and `who` may disagree here. */
MUST_CHECK bool identity_holds(const struct identity *who, const struct config *config,
                               uint64_t now_s, enum life_ending *out_ending);

#endif
