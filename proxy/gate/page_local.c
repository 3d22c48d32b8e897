/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The CORS answer on a route's path. A page of a public site must have its user's leave before it
 * reaches a private address (Local Network Access), and asks for it by a request like this one. The
 * answer tells nothing but that the page may ask, so whoever it is need not say so here. */
#include "gate/admission.h"
#include "gate/page_parts.h"
#include "proto/policy.h"
#include "proto/upgrade.h"

/* What the answer repeats of a request, at most. */
#define ORIGIN_BYTES_MAX 320 /* a scheme, a name of 253 bytes and a port */
#define HEADERS_BYTES_MAX 512

/* `origins = *` admits whatever stands there, and not all of that may be repeated. */
static bool is_origin(struct span origin)
{
    struct policy_origin parsed;

    if (origin.len > ORIGIN_BYTES_MAX || !policy_origin_parse(origin, &parsed)) {
        return false;
    }
    return parsed.kind == POLICY_ORIGIN_HOST || parsed.kind == POLICY_ORIGIN_APP ||
           parsed.kind == POLICY_ORIGIN_NULL;
}

static bool is_list_of_tokens(struct span list)
{
    struct span item;

    if (list.len == 0 || list.len > HEADERS_BYTES_MAX) {
        return false;
    }
    while (span_next(&list, ',', &item)) {
        if (!span_is_token(item)) {
            return false;
        }
    }
    return true;
}

/* The value of a header that stands there once. */
static bool find_only(const struct request *request, struct span name, struct span *out)
{
    struct span second;
    size_t at = 0;

    return request_next_header(request, name, &at, out) &&
           !request_next_header(request, name, &at, &second);
}

static bool put_text(struct buf *text, struct span more)
{
    return buf_append(text, more.data, more.len) == BUF_OK;
}

static bool put_line(struct buf *text, struct span name, struct span value)
{
    return put_text(text, name) && put_text(text, SPAN_LIT(": ")) && put_text(text, value) &&
           put_text(text, SPAN_LIT("\r\n"));
}

/* Fetch 4.8, and what Chrome's older Private Network Access asks for besides. */
static bool put_preflight(struct buf *text, const struct request *request)
{
    struct span value;

    if (!put_line(text, SPAN_LIT("Access-Control-Allow-Methods"), SPAN_LIT("GET, HEAD"))) {
        return false;
    }
    if (find_only(request, SPAN_LIT("Access-Control-Request-Headers"), &value) &&
        is_list_of_tokens(value) &&
        !put_line(text, SPAN_LIT("Access-Control-Allow-Headers"), value)) {
        return false;
    }
    return !find_only(request, SPAN_LIT("Access-Control-Request-Private-Network"), &value) ||
           !span_is_equal(value, SPAN_LIT("true")) ||
           put_line(text, SPAN_LIT("Access-Control-Allow-Private-Network"), value);
}

static bool is_preflight(const struct request *request)
{
    struct span method;
    return span_is_equal(request->method, SPAN_LIT("OPTIONS")) &&
           find_only(request, SPAN_LIT("Access-Control-Request-Method"), &method);
}

static bool put_lines(struct buf *text, const struct request *request)
{
    return put_line(text, SPAN_LIT("Access-Control-Allow-Origin"), request->origin) &&
           put_line(text, SPAN_LIT("Vary"), SPAN_LIT("Origin")) &&
           (!is_preflight(request) || put_preflight(text, request));
}

bool page_find_local(const struct page_question *question, struct page *out)
{
    struct request request;
    const char *detail;
    const struct admission_question asked = {
        .config = question->config,
        .listen = question->listen,
        .request = &request,
        .source = question->source,
        .is_secure = question->is_secure,
        .sni = question->sni,
    };

    if (upgrade_check_cors(question->head, &request, &detail) != UPGRADE_OK ||
        !is_origin(request.origin)) {
        return false;
    }
    const struct config_route *route = admission_find_route(&asked);
    if (route == NULL || !route->is_local_network) {
        return false;
    }
    *out = (struct page){
        .status = 204,
        .body = answer_body_whole((struct span){NULL, 0}),
        .detail = "local_network: a page asks before it opens a WebSocket",
    };
    buf_init(&out->text, ANSWER_HEADERS_MAX);
    if (!put_lines(&out->text, &request)) {
        page_done(out);
        out->status = 0;
        return false;
    }
    out->headers = buf_peek(&out->text);
    return true;
}
