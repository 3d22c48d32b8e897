/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The opening handshake of a session: from the first byte of the head to a route, a refusal or a
 * page, and everything that is said to the client in return. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "gate/page.h"
#include "gate/session.h"
#include "gate/session_parts.h"

static struct span first_offer(const struct session *s)
{
    const struct upgrade_request *upgrade = &s->request->upgrade;
    return upgrade->offer_count > 0 ? upgrade->offers[0] : (struct span){NULL, 0};
}

/* What this session's messages go through: the route's settings and what was agreed on. */
static void take_shape(struct session *s)
{
    const struct config_route *route = s->route;
    struct span subprotocol = s->request->subprotocol;
    /* A name decides only where the route speaks of it, not because a client offers it. */
    bool is_named = route->policy.subprotocol_count > 0;
    struct shape_rules rules = {
        .is_echo = s->pump.is_echo,
        .is_deflate = s->request->is_deflate,
        .payload = is_named ? shape_payload_of(subprotocol, route->payload) : route->payload,
        .framing = route->framing,
        .max_frame_bytes = route->max_frame_bytes,
        .deflate_settings = route->deflate,
        .deflate_params = s->request->deflate,
    };
    rules.deflate_settings.max_message_bytes = route->max_message_bytes;
    pump_shape(&s->pump, &rules);
}

void session_send_101(struct session *s)
{
    char text[UPGRADE_101_MAX];
    char extensions[DEFLATE_RESPONSE_MAX] = "";
    bool is_open = s->life.phase == LIFE_OPEN;
    struct span subprotocol = is_open ? s->request->subprotocol : first_offer(s);
    if (is_open) {
        take_shape(s);
    }
    if (is_open && s->request->is_deflate) {
        deflate_response(&s->request->deflate, extensions);
    }
    size_t len =
        upgrade_write_101(text, s->request->upgrade.key, subprotocol, span_from_str(extensions));
    assert(len > 0); /* offers and configured names are bounded when they are read */
    s->http_status = 101;
    pump_send_raw(&s->pump, text, len);
    if (is_open) {
        mem_free(s->request);
        s->request = NULL;
    }
}

static struct span extra_headers(unsigned status)
{
    switch (status) {
    case 200:
        return SPAN_LIT("Content-Security-Policy: default-src 'none'; script-src 'unsafe-inline'; "
                        "style-src 'unsafe-inline'; img-src data:; connect-src 'self' ws: wss:; "
                        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n");
    case 405:
        return SPAN_LIT("Allow: GET\r\n");
    case 426:
        return SPAN_LIT("Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
    case 429:
    case 503:
        return SPAN_LIT("Retry-After: 5\r\n");
    default:
        return (struct span){NULL, 0};
    }
}

void session_send_http(struct session *s)
{
    char text[128];
    char *out = (char *)s->context->scratch->plain;
    struct span type = SPAN_LIT("text/plain; charset=utf-8");
    struct span body;
    unsigned status =
        s->http_status != 0 ? s->http_status : life_ending_row(s->life.ending)->http_status;

    s->http_status = (uint16_t)status;
    if (status == 200) {
        type = SPAN_LIT("text/html; charset=utf-8");
        body = (struct span){(const char *)demo_page, demo_page_len};
    } else {
        snprintf(text, sizeof(text), "%u %s\n", status, http_status_text(status));
        body = span_from_str(text);
    }
    size_t len = http_write_response(out, SCRATCH_PLAIN, status, type, extra_headers(status), body);
    pump_send_raw(&s->pump, out, len);
}

/* Endings whose detail helps whoever wrote the page. */
static bool is_told_in_detail(enum life_ending ending)
{
    return ending == LIFE_PROTOCOL || ending == LIFE_BAD_TEXT || ending == LIFE_FRAMING ||
           ending == LIFE_TOO_BIG || ending == LIFE_BACKEND_DATA;
}

void session_send_close(struct session *s)
{
    const char *reason = life_ending_row(s->life.ending)->reason;
    if (s->detail != NULL && is_told_in_detail(s->life.ending)) {
        reason = s->detail;
    }
    s->is_close_lost = s->pump.client.is_broken;
    conn_cork(&s->pump.client); /* mostly a FIN follows in the same event */
    pump_send_close(&s->pump, s->life.close_code, span_from_str(reason));
}

static enum life_ending ending_of(enum policy_verdict verdict)
{
    switch (verdict) {
    case POLICY_NO_ROUTE:
        return LIFE_NO_ROUTE;
    case POLICY_SOURCE:
        return LIFE_SOURCE;
    case POLICY_ORIGIN:
        return LIFE_ORIGIN;
    case POLICY_SUBPROTOCOL:
        return LIFE_SUBPROTOCOL;
    case POLICY_OK:
        break;
    }
    return LIFE_NOT_ENDED;
}

static void take_route(struct session *s, size_t index)
{
    const struct config_route *route = &s->context->config->routes[index];
    bool is_echo = route->backends[0].kind == CONFIG_BACKEND_ECHO;
    s->route = route;
    life_set_route(&s->life, !is_echo, route->is_http_refusal, route->is_half_open,
                   route->backend_code);
    pump_configure(&s->pump, route->buffer_high_bytes, route->buffer_low_bytes, route->accept,
                   route->max_message_bytes, is_echo);
}

/* Counted first and looked at afterwards: two workers that admit at the same moment may both turn
 * away the last one, but never go over. */
static bool admit(struct session *s)
{
    struct scoreboard *board = s->context->scoreboard;
    _Atomic uint64_t *mine = &board->slots[s->context->slot].sessions_now;
    scoreboard_add(mine, 1);
    if (scoreboard_sessions(board) > s->context->config->max_sessions) {
        scoreboard_sub(mine, 1);
        return false;
    }
    s->is_admitted = true;
    return true;
}

/* Looks for permessage-deflate in what the client offers. False: that was no list of extensions. */
static bool negotiate(struct session *s)
{
    struct session_request *request = s->request;
    const struct http_parser *head = &request->parser;
    const struct span name = SPAN_LIT("Sec-WebSocket-Extensions");

    for (size_t i = http_find(head, name, 0); s->route->is_deflate && i < head->header_count;
         i = http_find(head, name, i + 1)) {
        struct deflate_params params;
        switch (deflate_negotiate(&s->route->deflate, http_header_value(head, i), &params)) {
        case DEFLATE_MALFORMED:
            return false;
        case DEFLATE_AGREED:
            if (!request->is_deflate) {
                request->is_deflate = true;
                request->deflate = params;
            }
            break;
        case DEFLATE_NONE:
            break;
        }
    }
    return true;
}

static void refuse_request(struct session *s, uint16_t status, const char *detail)
{
    s->http_status = status;
    session_step_end(s, LIFE_BAD_REQUEST, detail);
}

static void judge(struct session *s)
{
    const struct session_context *context = s->context;
    const struct config *config = context->config;
    struct addr peer;
    session_peer(s, &peer);
    struct policy_request request = {
        .upgrade = &s->request->upgrade,
        .source = &peer,
        .is_secure = s->listen->is_tls,
        .sni = s->pump.client.tls != NULL ? tls_sni(s->pump.client.tls) : (struct span){NULL, 0},
    };
    struct policy_decision decision =
        policy_decide(config->policies, config->route_count, &request);

    life_set_websocket(&s->life);
    s->life.is_http_refusal = config->is_http_refusal; /* until a route says otherwise */
    if (decision.verdict != POLICY_NO_ROUTE) {
        take_route(s, decision.route);
    }
    if (context->is_draining) {
        session_step_end(s, LIFE_SHUTDOWN, NULL);
    } else if (decision.verdict != POLICY_OK) {
        session_step_end(s, ending_of(decision.verdict), NULL);
    } else if (!negotiate(s)) {
        refuse_request(s, 400, "malformed Sec-WebSocket-Extensions");
    } else if (!admit(s)) {
        session_step_end(s, LIFE_FULL, NULL);
    } else {
        s->request->subprotocol = decision.subprotocol;
        session_step_type(s, LIFE_EV_REQUEST_OK);
    }
}

static bool is_page_request(const struct session *s)
{
    const struct http_parser *head = &s->request->parser;
    return s->listen->has_pages && span_is_equal(http_method(head), SPAN_LIT("GET")) &&
           upgrade_is_plain_get(head, SPAN_LIT("/"));
}

static void on_head_complete(struct session *s, size_t bytes_behind)
{
    const char *detail = NULL;
    if (is_page_request(s)) {
        session_step_end(s, LIFE_PAGE, NULL);
        return;
    }
    switch (upgrade_check(&s->request->parser, &s->request->upgrade, &detail)) {
    case UPGRADE_BAD:
        refuse_request(s, 400, detail);
        return;
    case UPGRADE_BAD_METHOD:
        refuse_request(s, 405, detail);
        return;
    case UPGRADE_REQUIRED:
        refuse_request(s, 426, detail);
        return;
    case UPGRADE_OK:
        break;
    }
    if (bytes_behind > 0) {
        /* RFC 6455 4.1: a client waits for the answer. Bytes behind the head are how a request is
         * smuggled past whatever stands in front. */
        refuse_request(s, 400, "bytes behind the request head");
        return;
    }
    judge(s);
}

void session_request_bytes(struct session *s, const uint8_t *data, size_t len)
{
    size_t consumed = 0;
    if (s->request == NULL) {
        s->request = mem_alloc(sizeof(*s->request));
        if (s->request == NULL) {
            session_step_end(s, LIFE_INTERNAL, "no memory");
            return;
        }
        memset(&s->request->upgrade, 0, sizeof(s->request->upgrade));
        s->request->is_deflate = false;
        http_parser_init(&s->request->parser);
    }
    switch (http_parse(&s->request->parser, data, len, &consumed)) {
    case HTTP_NEED_MORE:
        break;
    case HTTP_DONE:
        on_head_complete(s, len - consumed);
        break;
    case HTTP_BAD:
        refuse_request(s, 400, s->request->parser.detail);
        break;
    case HTTP_TOO_BIG:
        session_step_end(s, LIFE_HEAD_TOO_BIG, s->request->parser.detail);
        break;
    }
}
