/* SPDX-License-Identifier: GPL-3.0-or-later */
/* targets.h: files of targets, and the target that a request chooses.
 *
 * For: reading files as websockify's token plugins read them, telling what is wrong with them by
 * line, finding the token of a request and what it leads to. Not for: reading one target and
 * judging addresses (target), proving who somebody is (identity). Pure but for memory.
 *
 * A line:  token: HOST:PORT      also token: tcp://..., tls://..., unix:/PATH
 *
 * Blank lines, and lines that begin with "#", say nothing. A token is 1 to 256 visible ASCII
 * characters without a blank; a blank stands behind its colon. A bad line costs that line alone.
 * Of two lines with one token the first counts.
 *
 * Whoever knows a token may have its target, so a token is treated as a secret: no detail has
 * anything of one in it. A keyed hash finds it, so the time says nothing of other tokens. */
#ifndef PROTO_TARGETS_H
#define PROTO_TARGETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/siphash.h"
#include "base/span.h"
#include "proto/request.h"
#include "proto/target.h"

#define TARGETS_TOKEN_MAX 256
#define TARGETS_LINES_MAX 1000000 /* that have a target, over all files */

/* Targets of zeros are none. */
struct targets {
    size_t count;
    size_t tls_count;  /* those with tls:// */
    size_t file_count; /* calls of targets_add */

    /* private: owned */
    struct targets_entry *entries;
    size_t entries_size;
    uint32_t *places; /* by hash: an entry's number, counted from 1; 0 = free */
    size_t place_count;
    struct targets_text *texts; /* what the entries point into */
    size_t text_bytes;
    uint8_t key[SIPHASH_KEY_BYTES];
};

/* Told for each line that does not count; the detail is a constant text. */
typedef void targets_fault_fn(void *owner, unsigned line, const char *detail);

/* Adds a file's lines. `key` is that of the first call; it should be random. False: no memory, or
 * too many lines; the targets are none then. */
MUST_CHECK bool targets_add(struct targets *targets, const uint8_t key[SIPHASH_KEY_BYTES],
                            struct span text, targets_fault_fn *fault, void *owner);
/* Wipes and frees; the targets are none then. */
void targets_done(struct targets *targets);
/* What they own. */
size_t targets_bytes(const struct targets *targets);

/* False: no line has this token. */
MUST_CHECK bool targets_find(const struct targets *targets, struct span token, struct target *out);
/* Entry `index` of `count`, in the order of the files. Returns its line. */
unsigned targets_at(const struct targets *targets, size_t index, struct span *out_token,
                    struct target *out);
/* Which file has the entry: the number of its targets_add, counted from 0. */
size_t targets_file_of(const struct targets *targets, size_t index);

enum targets_place {
    TARGETS_QUERY = 0,   /* name=token, percent-decoded */
    TARGETS_PATH,        /* the one segment that the route's star matches, percent-decoded */
    TARGETS_SUBPROTOCOL, /* sluice.token.<base64url> (token.h), or an offer that is the token */
    TARGETS_HOST         /* the first label of the Host, in lower case */
};

struct targets_source {
    enum targets_place place;
    struct span name; /* of the parameter */
};
/* "query:NAME", "path", "subprotocol", "host". */
MUST_CHECK bool targets_source_parse(struct span text, struct targets_source *out);

struct targets_question {
    const struct request *request;
    struct targets_source source;
    struct span prefix;     /* the route's path, without its star */
    bool is_offer_for_auth; /* sluice.token. proves who the client is, and chooses nothing */
};

enum targets_result {
    TARGETS_FOUND = 0,
    TARGETS_MISSING, /* the request has no token */
    TARGETS_UNKNOWN, /* no line has its token, or it is malformed */
    TARGETS_NO_MEMORY
};

/* Finds the target of a request. *out_detail is a constant, NULL with TARGETS_FOUND. */
MUST_CHECK enum targets_result targets_choose(const struct targets *targets,
                                              const struct targets_question *question,
                                              struct target *out, const char **out_detail);

#endif
