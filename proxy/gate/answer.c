/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/answer.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "proto/http.h"
#include "proto/upgrade.h"

#define HEAD_MAX 2048
#define FIELD_MAX 40 /* Retry-After with the longest number */
#define SOON_S 5
#define LINE_MAX_BYTES 128 /* the body that says a status in words */
/* After so many, other sessions have their turn: to produce a part may take a tenth of a
 * millisecond. */
#define PARTS_PER_EVENT 4

void answer_101(struct pump *p, struct span key, struct span subprotocol,
                const struct deflate_params *deflate)
{
    char text[UPGRADE_101_MAX];
    char extensions[DEFLATE_RESPONSE_MAX] = "";

    if (deflate != NULL) {
        deflate_response(deflate, extensions);
    }
    size_t len = upgrade_write_101(text, key, subprotocol, span_from_str(extensions));
    assert(len > 0); /* the parsers of offers and of names bound their length */
    pump_send_raw(p, text, len);
}

/* The part of a text that fits, without a piece of a character. */
static size_t whole_len(struct span text, size_t most)
{
    size_t len = text.len < most ? text.len : most;
    while (len > 0 && len < text.len && ((unsigned char)text.data[len] & 0xC0) == 0x80) {
        len--;
    }
    return len;
}

void answer_close(struct pump *p, uint16_t code, struct span reason, struct span id)
{
    char text[WS_CLOSE_REASON_MAX];
    struct span told = {NULL, 0}; /* an echo of the client's Close has no reason */

    if (reason.len > 0) {
        assert(id.len < sizeof(text));
        size_t len = whole_len(reason, sizeof(text) - id.len - 1);
        memcpy(text, reason.data, len);
        text[len++] = ' ';
        memcpy(text + len, id.data, id.len);
        told = (struct span){text, len + id.len};
    }
    conn_cork(&p->client);
    pump_send_close(p, code, told);
}

/* The fields that RFC 9110 demands with a status (15.5.2, 15.5.6, 15.5.22), and when a client that
 * is refused for now may come back. */
static struct span fields_of(const struct answer_http *http, char scratch[FIELD_MAX])
{
    uint64_t wait_s = http->wait_ms > 0 ? (http->wait_ms + 999) / 1000 : SOON_S;
    switch (http->status) {
    case 401:
        return http->challenge.len > 0 ? http->challenge : SPAN_LIT("WWW-Authenticate: Bearer\r\n");
    case 405:
        return http->allow.len > 0 ? http->allow : SPAN_LIT("Allow: GET, HEAD\r\n");
    case 426:
        return SPAN_LIT("Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
    case 429:
    case 503:
        (void)snprintf(scratch, FIELD_MAX, "Retry-After: %" PRIu64 "\r\n", wait_s);
        return span_from_str(scratch);
    default:
        return (struct span){NULL, 0};
    }
}

static size_t produce_whole(struct answer_body *body, uint8_t *out, size_t size)
{
    uint64_t left_bytes = body->len_bytes - body->at_bytes;
    size_t len = left_bytes < size ? (size_t)left_bytes : size;
    memcpy(out, (const uint8_t *)body->source + body->at_bytes, len);
    return len;
}

struct answer_body answer_body_whole(struct span whole)
{
    return (struct answer_body){
        .produce = produce_whole, .source = whole.data, .len_bytes = whole.len};
}

bool answer_is_done(const struct answer_body *body)
{
    return body->at_bytes == body->len_bytes;
}

void answer_more(struct pump *p, struct answer_body *body)
{
    uint8_t *part = p->client.scratch->result;

    for (size_t i = 0; i < PARTS_PER_EVENT && !answer_is_done(body) && !p->client.is_broken &&
                       conn_queued(&p->client) < p->high_bytes;
         i++) {
        size_t len = body->produce(body, part, ANSWER_PART_BYTES);
        assert(len <= ANSWER_PART_BYTES);
        if (len == 0) {
            assert(body->len_bytes == ANSWER_LEN_UNKNOWN);
            body->len_bytes = body->at_bytes;
            break;
        }
        body->at_bytes += len;
        pump_send_raw(p, part, len);
    }
    p->is_client_owed = !answer_is_done(body) && !p->client.is_broken;
}

/* Returns the length of the head. */
static size_t write_head(char out[HEAD_MAX], const struct answer_http *http, uint64_t len_bytes)
{
    char extra[ANSWER_HEADERS_MAX + 1];
    char scratch[FIELD_MAX];
    struct span fields = fields_of(http, scratch);

    int extra_len = snprintf(extra, sizeof(extra), "%.*s%.*s", (int)fields.len,
                             fields.len > 0 ? fields.data : "", (int)http->headers.len,
                             http->headers.len > 0 ? http->headers.data : "");
    assert(extra_len >= 0 && (size_t)extra_len < sizeof(extra));
    const struct http_response response = {
        .status = http->status,
        .date_s = clock_date_s(),
        .content_type = http->content_type,
        .body_bytes = len_bytes,
        .extra = {extra, (size_t)extra_len},
    };
    size_t len = http_write_head(out, HEAD_MAX, &response);
    assert(len > 0); /* a page has constant headers, which fit */
    return len;
}

void answer_http(struct pump *p, const struct answer_http *http, struct answer_body *body)
{
    char head[HEAD_MAX];
    uint64_t len_bytes =
        body->len_bytes == ANSWER_LEN_UNKNOWN ? HTTP_LENGTH_UNKNOWN : body->len_bytes;
    size_t head_len = write_head(head, http, len_bytes);

    conn_cork(&p->client); /* head and body travel together */
    pump_send_raw(p, head, head_len);
    if (http->content == ANSWER_HEAD_ONLY) {
        body->len_bytes = body->at_bytes;
    }
    answer_more(p, body);
}

/* The line goes with its head however much is queued: TLS may have queued a lot for a client that
 * asks for new keys and does not read. */
void answer_status(struct pump *p, unsigned status, enum answer_content content, uint64_t wait_ms,
                   struct span challenge)
{
    char line[LINE_MAX_BYTES];
    char text[HEAD_MAX + LINE_MAX_BYTES];
    const struct answer_http http = {
        .status = status,
        .content_type = SPAN_LIT("text/plain; charset=utf-8"),
        .wait_ms = wait_ms,
        .challenge = challenge,
    };

    int line_len = snprintf(line, sizeof(line), "%u %s\n", status, http_status_text(status));
    assert(line_len > 0 && (size_t)line_len < sizeof(line));
    size_t head_len = write_head(text, &http, (uint64_t)line_len);
    size_t content_len = content == ANSWER_WHOLE ? (size_t)line_len : 0;
    memcpy(text + head_len, line, content_len);
    conn_cork(&p->client); /* a FIN follows */
    pump_send_raw(p, text, head_len + content_len);
}
