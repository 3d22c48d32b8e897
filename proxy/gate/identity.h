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

/* One allocation for each proof. When a route names several [auth] sections, the first of its list
 * whose proof has a subject says who it is and leads the others; the earliest end counts. */
struct identity {
    struct span auth;           /* the name of that section */
    enum config_auth_type type; /* of it */
    struct span subject;        /* empty: the proof names nobody */
    struct span id;             /* of a signed token: jti and kid; empty = it has none */
    struct span kid;
    uint8_t digest[ACCOUNTS_DIGEST_LEN]; /* of a token out of a file */
    uint64_t key_mark;      /* of the key that has signed the token, or of the password's hash:
                              another one has another mark */
    uint64_t issued_s;      /* iat: seconds since 1970; 0 = unknown */
    uint64_t ends_s;        /* from when on one of all proofs holds no more; 0 = never */
    uint64_t own_ends_s;    /* the end of this proof alone, whether a session ends with it or not */
    uint64_t ticket_ends_s; /* of a single-use token: when it holds no more; 0 = it is none */
    bool is_ticket_used;    /* this session has used it */
    struct identity *also;  /* owned; what further sections have proven; NULL = nothing */
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
    IDENTITY_REVOKED, /* it stands in the file of what is revoked */
    IDENTITY_NO_JTI,  /* a single-use token that nobody can tell from others */
    IDENTITY_FAR_EXP, /* a single-use token with an exp beyond ticket_max_age */
    IDENTITY_USED,    /* a single-use token that has been used */
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
    struct span hash; /* what the password was compared with; no other one is right */
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
/* The same for the token that came as the first message. Never IDENTITY_WAIT: where a reload has
 * brought a password, which nobody has asked about, the client must come again. */
MUST_CHECK enum identity_verdict identity_of_token(const struct identity_question *question,
                                                   struct span token, struct identity_answer *out);

/* Whether the certificate that let a client in to this route still has one of the names, by the
 * configuration in force. True where that has no such section any more. */
bool identity_certificate_holds(const struct config_route *route, const struct peer_cert *cert,
                                const struct config *config);

/* Whether a session may go on with its proofs, by the configuration in force; NULL needs none.
 * False: *out_ending and *out_detail, a constant, say why not. A file that now says another time
 * changes ends_s, and so does exp_ends_session; time alone ends a session by its deadline, not
 * here. In time for a few lookups: a worker asks for all its sessions after a reload. */
MUST_CHECK bool identity_holds(struct identity *who, const struct config *config,
                               enum life_ending *out_ending, const char **out_detail);
/* The proof that is a single-use token, or NULL. */
struct identity *identity_ticket(struct identity *who);
/* Why the section refuses a proof of its own that holds otherwise, as a constant; NULL: it does
 * not. */
const char *identity_revoked_detail(const struct identity *proof, const struct config_auth *auth);
/* For key_mark. */
uint64_t identity_mark_key(const struct sigkey *key);
uint64_t identity_mark_text(struct span text);

#endif
