/* SPDX-License-Identifier: GPL-3.0-or-later */
/* answer.h: what the gateway says to a client itself.
 *
 * For: the 101, an HTTP answer whose body is whole or produced in parts, and the Close. Not for:
 * choosing between them (admission, life), payload and Pings (pump).
 *
 * A body of any length works: answer_more produces the next parts when the client's queue has room
 * for them, so a body costs no more memory than any other bytes on their way out. */
#ifndef GATE_ANSWER_H
#define GATE_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "gate/pump.h"
#include "proto/deflate.h"

/* Sends the 101 (RFC 6455 4.2.2); `key` is the client's, `subprotocol` may be empty, `deflate` is
 * NULL where the two sides agreed on no compression. */
void answer_101(struct pump *p, struct span key, struct span subprotocol,
                const struct deflate_params *deflate);

/* Corks the connection and sends a Close. The end of the event uncorks it, so a FIN that follows in
 * the same event travels in the same packet. What the page reads is "REASON ID": the reason, a
 * blank and the session's id, by which the log is found; an empty reason, as an echo of the
 * client's Close has it, stays empty. A reason that is too long is cut, the id never is. */
void answer_close(struct pump *p, uint16_t code, struct span reason, struct span id);

#define ANSWER_PART_BYTES (16 * 1024) /* at most, in one call of answer_produce_fn */

struct answer_body;
/* Writes the next 1 to `size` bytes of the body to `out` and returns how many. 0: the body ends
 * here; only a body of unknown length may say so. */
typedef size_t answer_produce_fn(struct answer_body *body, uint8_t *out, size_t size);

struct answer_body {
    answer_produce_fn *produce;
    const void *source; /* this one and the next are for `produce` alone */
    void *state;
    uint64_t at_bytes;  /* produced so far */
    uint64_t len_bytes; /* ANSWER_LEN_UNKNOWN: until `produce` returns 0 */
};
#define ANSWER_LEN_UNKNOWN UINT64_MAX

/* A body that is whole; its memory must outlive the answer. */
struct answer_body answer_body_whole(struct span whole);

/* Whether the client gets content: an answer to HEAD has none, but the Content-Length that GET
 * would have had (RFC 9110 9.3.2). */
enum answer_content { ANSWER_WHOLE = 0, ANSWER_HEAD_ONLY };

#define ANSWER_HEADERS_MAX 1023 /* bytes of all header lines that an answer adds */

struct answer_http {
    unsigned status;
    enum answer_content content;
    struct span content_type;
    uint64_t wait_ms;      /* of a 429 or 503: when the client may come again; 0 = soon */
    struct span headers;   /* whole header lines, each with its CRLF; may be empty */
    struct span allow;     /* the line that a 405 has; empty = "Allow: GET, HEAD" */
    struct span challenge; /* the one that a 401 has; empty = "WWW-Authenticate: Bearer" */
};

/* Sends the head of an HTTP answer, and as much of the body as the client's queue has room for: all
 * of it is done at once with ANSWER_HEAD_ONLY. Adds the Date and the fields that a status demands
 * (Allow, Upgrade, Retry-After, WWW-Authenticate). */
void answer_http(struct pump *p, const struct answer_http *http, struct answer_body *body);
/* Sends the next parts, when the client can be written again. */
void answer_more(struct pump *p, struct answer_body *body);
bool answer_is_done(const struct answer_body *body);

/* Sends an HTTP answer whose body is one line: the status in words. wait_ms and `challenge` are as
 * above. */
void answer_status(struct pump *p, unsigned status, enum answer_content content, uint64_t wait_ms,
                   struct span challenge);

#endif
