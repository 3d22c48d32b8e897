/* SPDX-License-Identifier: GPL-3.0-or-later */
/* token.h: credentials where a client can put them: found, copied out, and never shown.
 *
 * For: what a browser's page can do (a subprotocol, a cookie, a query, the first message) and what
 * other clients and proxies do (Authorization, a header of the proxy's); which of the offered
 * subprotocols carries a token; a target for the log without its query. Not for: whether a token is
 * good (jwt, accounts), which route wants one.
 *
 * A token owns its bytes, so that one place has to be wiped. Details are constant texts; they have
 * nothing of the token in them. A token that stands somewhere but is malformed is refused, and no
 * other place is looked at. Pure but for memory. */
#ifndef PROTO_TOKEN_H
#define PROTO_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "proto/request.h"

#define TOKEN_MESSAGE_MAX 8192 /* bytes of a first message */

enum token_place {
    TOKEN_SUBPROTOCOL = 0, /* sluice.token.<base64url>, or Kubernetes' own
                              base64url.bearer.authorization.k8s.io.<base64url> */
    TOKEN_COOKIE,          /* of this name, compared exactly */
    TOKEN_QUERY,           /* name=value in the query, percent-decoded; "+" is a plus sign */
    TOKEN_BEARER,          /* Authorization: Bearer (RFC 6750 2.1) */
    TOKEN_BASIC,           /* Authorization: Basic (RFC 7617): a user and a password */
    TOKEN_HEADER,          /* a header of a trusted proxy's, with or without "Bearer" in front */
    TOKEN_FIRST_MESSAGE,   /* the whole first message after the handshake */
    TOKEN_PLACES
};

struct token_source {
    enum token_place place;
    struct span name; /* of the cookie, the parameter or the header */
};
/* Reads "subprotocol", "cookie:NAME", "query:NAME", "bearer", "basic", "header:NAME" or
 * "first_message". False when the text is none of them, or NAME is no token (RFC 9110 5.6.2). */
MUST_CHECK bool token_source_parse(struct span text, struct token_source *out);

enum token_result {
    TOKEN_FOUND = 0,
    TOKEN_NONE,     /* nowhere */
    TOKEN_LATER,    /* nowhere yet: the first message will be it */
    TOKEN_BAD,      /* it is malformed */
    TOKEN_TWICE,    /* its place has two of them */
    TOKEN_TOO_LONG, /* the first message */
    TOKEN_NO_MEMORY
};

/* A token of zeros is empty. */
struct token {
    struct span text;   /* without NUL; visible ASCII. TOKEN_BASIC: the password, UTF-8 without
                           control characters, perhaps empty */
    struct span user;   /* TOKEN_BASIC */
    const char *detail; /* of a result that is not TOKEN_FOUND */

    char *bytes; /* private: owned */
    size_t size;
    size_t len; /* of the first message so far */
};

struct token_question {
    const struct request *request;
    const struct token_source *sources; /* in the order in which they are asked */
    size_t source_count;
    bool wants_password;        /* TOKEN_BASIC alone counts; else all other places do */
    bool is_from_trusted_proxy; /* else TOKEN_HEADER does not count */
};

/* Looks for a token in a request. The first place that has one decides. Where none has one,
 * TOKEN_FIRST_MESSAGE counts, wherever it stands in the list. */
MUST_CHECK enum token_result token_find(const struct token_question *question, struct token *out);

/* Appends a piece of the first message, which may come cut anywhere: TOKEN_LATER, or what is wrong.
 * *token is empty before the first piece. */
MUST_CHECK enum token_result token_add_message(struct token *token, const uint8_t *data,
                                               size_t len);
/* The message is complete; blanks and line ends around the token do not count. */
MUST_CHECK enum token_result token_end_message(struct token *token);

/* Wipes and frees; the token is empty then. */
void token_done(struct token *token);

/* True for an offered subprotocol that carries a token. upgrade_check keeps such items apart from
 * the offers. A page that offers nothing else fails whatever the answer is, because the answer must
 * name one of its offers. */
bool token_is_offer(struct span offer);

/* Writes a target for the log into `out`: what stands behind the first '?' becomes "[hidden]".
 * Returns the length, cut to `size`. */
size_t token_hide_query(struct span target, char *out, size_t size);

#endif
