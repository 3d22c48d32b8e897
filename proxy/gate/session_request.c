/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The opening handshake of a session: from the first byte of the head to an event of the life, and
 * what the session then says to the client. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "conf/change.h"
#include "gate/session_parts.h"
#include "proto/upgrade.h"

/* --- saying -------------------------------------------------------------------------------- */

void session_send_accept(struct session *s)
{
    const struct session_request *request = s->request;
    const struct shape_rules *shape = &request->admission.shape;

    pump_shape(&s->pump, shape);
    answer_101(&s->pump, request->key, request->admission.subprotocol,
               shape->is_deflate ? &shape->deflate_params : NULL);
    s->http_status = 101;
    if (s->life.phase == LIFE_TOKEN) {
        session_await_token(s);
    }
}

void session_send_refusal(struct session *s)
{
    /* Without one of the subprotocols that it offered, Chromium fails the handshake, and the page
     * never sees the Close. */
    answer_101(&s->pump, s->request->key, request_first_offer(&s->request->asked), NULL);
    s->http_status = 101;
}

static enum answer_content content_for(const struct session_request *request)
{
    bool is_head = request != NULL && span_is_equal(http_method(&request->head), SPAN_LIT("HEAD"));
    return is_head ? ANSWER_HEAD_ONLY : ANSWER_WHOLE;
}

/* How the client of a 401 could prove who it is (RFC 9110 11.6.1). A browser must see the challenge
 * of a password before it asks its user; the name of the section says for which one. Empty: no
 * section takes what a request can have, but each wants a certificate. */
#define CHALLENGE_MAX 256
static struct span challenge_of(const struct session *s, char out[CHALLENGE_MAX])
{
    struct span challenge = {"", 0};

    for (size_t i = 0; s->route != NULL && i < s->route->auth_count; i++) {
        const struct config_auth *auth = s->route->auths[i];
        switch (auth->credential) {
        case CONFIG_PASSWORD: {
            int len = snprintf(out, CHALLENGE_MAX,
                               "WWW-Authenticate: Basic realm=\"%.*s\", charset=\"UTF-8\"\r\n",
                               (int)auth->name.len, auth->name.data);
            return (struct span){out, len > 0 && len < CHALLENGE_MAX ? (size_t)len : 0};
        }
        case CONFIG_TOKEN:
            challenge = SPAN_LIT("WWW-Authenticate: Bearer\r\n");
            break;
        case CONFIG_CERTIFICATE:
            break;
        }
    }
    return challenge;
}

/* A 401 without a challenge would be none. */
static unsigned status_of(const struct session *s, struct span challenge)
{
    unsigned status =
        s->http_status != 0 ? s->http_status : life_ending_row(s->life.ending)->http_status;
    return status == 401 && s->life.ending == LIFE_AUTH && challenge.len == 0 ? 403 : status;
}

void session_send_http(struct session *s)
{
    struct session_request *request = s->request;
    char text[CHALLENGE_MAX];
    struct span challenge = challenge_of(s, text);
    unsigned status = status_of(s, challenge);

    s->http_status = (uint16_t)status;
    if (request == NULL || request->page.status == 0) {
        answer_status(&s->pump, status, content_for(request),
                      request != NULL ? request->wait_ms : 0, challenge);
        return;
    }
    const struct answer_http http = {
        .status = status,
        .content = content_for(request),
        .content_type = request->page.content_type,
        .headers = request->page.headers,
        .allow = request->page.allow,
    };
    answer_http(&s->pump, &http, &request->page.body);
}

void session_send_close(struct session *s)
{
    const struct life_ending_row *row = life_ending_row(s->life.ending);
    const char *reason = s->detail != NULL && row->is_told_in_detail ? s->detail : row->reason;
    char id_text[SESSION_ID_TEXT];
    struct span id = session_id_text(s, id_text);

    s->is_close_lost = s->pump.client.is_broken;
    answer_close(&s->pump, s->life.close_code, span_from_str(reason), id);
}

/* --- the head ------------------------------------------------------------------------------ */

static struct session_event end_event(enum life_ending ending, const char *detail)
{
    return (struct session_event){{.type = LIFE_EV_END, .ending = ending}, detail};
}

static struct session_event bad_request_event(struct session *s, uint16_t status,
                                              const char *detail)
{
    s->http_status = status;
    return end_event(LIFE_BAD_REQUEST, detail);
}

static void take_route(struct session *s, const struct config_route *route)
{
    bool is_echo = config_is_echo(route);
    const struct life_route rules = {
        .has_backend = !is_echo,
        .is_http_refusal = route->is_http_refusal,
        .is_half_open = route->is_half_open,
        .backend_code = route->backend_code,
    };

    s->route = route;
    session_tally_route(s);
    life_set_route(&s->life, &rules);
    pump_configure(&s->pump, route->buffer_high_bytes, route->buffer_low_bytes, route->accept,
                   route->max_message_bytes, is_echo);
}

static void take_no_route(struct session *s)
{
    const struct life_route rules = {.is_http_refusal = s->context->config->is_http_refusal};
    life_set_route(&s->life, &rules);
}

/* The configuration in force judges a request: a token that a reload replaced opens nothing. */
static const struct config_listen *listen_in_force(const struct session *s)
{
    size_t at = change_find_listen(s->config, s->listen, 0);
    bool is_there = at < s->config->listen_count && s->config->listens[at].kind == s->listen->kind;
    return is_there ? &s->config->listens[at] : s->listen;
}

/* On a plain listener a trusted proxy in front may have the client's TLS. */
static bool is_secure(const struct session *s)
{
    const struct proxy_header *header = session_header(s);
    return s->listen->is_tls || (header != NULL && header->tls.is_used);
}

static struct span sni_of(const struct session *s)
{
    const struct proxy_header *header = session_header(s);
    if (s->pump.client.tls != NULL) {
        return tls_sni(s->pump.client.tls);
    }
    return header != NULL ? header->authority : (struct span){NULL, 0};
}

/* Asks whether a legal opening handshake may have a session. */
static struct session_event admit(struct session *s)
{
    struct session_context *context = s->context;
    struct admission *admission = &s->request->admission;
    struct addr source;
    session_client_address(s, &source);
    const struct admission_question question = {
        .config = s->config,
        .listen = listen_in_force(s),
        .request = &s->request->asked,
        .source = &source,
        .is_secure = is_secure(s),
        .sni = sni_of(s),
        .is_draining = context->is_draining,
        .backend_tls = s->request->backend_tls,
    };

    admission_decide(&question, admission);
    if (!session_tell_client(s, &admission->front.client)) {
        return end_event(LIFE_INTERNAL, "out of memory");
    }
    life_set_websocket(&s->life);
    if (admission->route != NULL) {
        take_route(s, admission->route);
    } else {
        take_no_route(s);
    }
    if (admission->refusal != LIFE_NOT_ENDED) {
        return end_event(admission->refusal, admission->detail);
    }
    return session_let_in(s, NULL);
}

static bool is_page_request(const struct session *s)
{
    struct session_request *request = s->request;
    struct addr source;
    session_client_address(s, &source);
    const struct page_question question = {
        .listen = listen_in_force(s),
        .head = &request->head,
        .request = &request->asked,
        .source = &source,
        .is_secure = is_secure(s),
        .sni = sni_of(s),
        .config = s->config,
        .scoreboard = s->context->scoreboard,
        .seats = s->context->seats,
        .upstream = &s->context->upstream,
        .roster = s->context->roster != NULL ? s->context->roster->roster : NULL,
    };
    const char *detail;
    return s->context->find_page != NULL &&
           upgrade_check_any(&request->head, &request->asked, &detail) == UPGRADE_OK &&
           s->context->find_page(&question, &request->page);
}

/* Who asked for something else than a session, as the log says it: whom the proxy tells. False: no
 * memory. */
static bool name_client(struct session *s)
{
    struct request asked;
    struct front front;
    struct addr source;
    const char *detail;
    const struct front_question question = {.listen = listen_in_force(s), .source = &source};

    session_client_address(s, &source);
    if (s->listen->kind != CONFIG_LISTEN_PUBLIC ||
        upgrade_check_any(&s->request->head, &asked, &detail) != UPGRADE_OK) {
        return true;
    }
    front_read(&question, &asked, &front);
    return front.refusal != LIFE_NOT_ENDED || session_tell_client(s, &front.client);
}

/* True: a file answers, or the request is refused: *out says it. */
static bool find_files(struct session *s, struct session_event *out)
{
    struct session_request *request = s->request;
    struct addr source;
    struct admission_files found;
    const char *detail;

    session_client_address(s, &source);
    const struct admission_question question = {
        .config = s->config,
        .listen = listen_in_force(s),
        .request = &request->asked,
        .source = &source,
        .is_secure = is_secure(s),
        .sni = sni_of(s),
    };
    if (s->config->file_count == 0 ||
        upgrade_check_plain(&request->head, &request->asked, &detail) != UPGRADE_OK ||
        upgrade_asks_for_websocket(&request->head)) {
        return false;
    }
    admission_find_files(&question, &found);
    return session_find_files(s, &found, out);
}

/* True: a page answers, or nobody can: *out says it. */
static bool find_answer(struct session *s, bool is_for_routes, struct session_event *out)
{
    struct session_request *request = s->request;
    bool is_page = is_page_request(s); /* it asks the proxy's headers for itself, as do files */
    bool is_file = !is_page && is_for_routes && find_files(s, out);

    if (!name_client(s)) {
        *out = end_event(LIFE_INTERNAL, "out of memory");
        return true;
    }
    if (is_page) {
        s->http_status = (uint16_t)request->page.status;
        *out = end_event(LIFE_PAGE, request->page.detail);
    }
    return is_page || is_file;
}

static struct session_event on_head_complete(struct session *s, size_t bytes_behind)
{
    struct session_request *request = s->request;
    struct session_event event;
    const char *detail = NULL;

    /* The configuration in force answers, also on a connection that is older. */
    s->config = s->context->config;
    config_share(s->config);
    request->backend_tls = backend_tls_share(s->context->backend_tls);
    enum upgrade_result result =
        s->listen->kind == CONFIG_LISTEN_ADMIN
            ? upgrade_check_any(&request->head, &request->asked, &detail)
            : upgrade_check(&request->head, &request->asked, &request->key, &detail);
    bool is_for_routes = s->listen->kind == CONFIG_LISTEN_PUBLIC;
    if ((result != UPGRADE_OK || !is_for_routes) && find_answer(s, is_for_routes, &event)) {
        return event;
    }
    if (result != UPGRADE_OK) {
        return bad_request_event(s, (uint16_t)result, detail);
    }
    if (bytes_behind > 0) {
        /* RFC 6455 4.1: a client waits for the answer. Bytes behind the head could smuggle a second
         * request past a proxy in front of sluice. */
        return bad_request_event(s, 400, "bytes behind the request head");
    }
    return admit(s);
}

bool session_take_head(struct session *s, const uint8_t *data, size_t len,
                       struct session_event *out)
{
    size_t consumed = 0;
    if (session_is_asking(s)) {
        *out = bad_request_event(s, 400, "bytes behind the request head");
        return true;
    }
    if (s->request == NULL) {
        s->request = mem_alloc(sizeof(*s->request));
        if (s->request == NULL) {
            *out = end_event(LIFE_INTERNAL, "out of memory");
            return true;
        }
        http_parser_init(&s->request->head, &s->context->config->head_limits);
        s->request->page = (struct page){.status = 0};
        s->request->wait_ms = 0;
        s->request->ask = NULL;
        s->request->password = IDENTITY_NOT_ASKED;
        s->request->hash = (struct span){NULL, 0};
        s->request->backend_tls = NULL;
    }
    enum http_result result = http_parse(&s->request->head, data, len, &consumed);
    switch (result) {
    case HTTP_NEED_MORE:
        return false;
    case HTTP_DONE:
        *out = on_head_complete(s, len - consumed);
        if (out->life.type == LIFE_EV_SERVE && consumed < len &&
            !session_keep_ahead(s, data + consumed, len - consumed)) {
            *out = end_event(LIFE_INTERNAL, "out of memory");
        }
        return !session_is_asking(s);
    case HTTP_BAD:
    case HTTP_METHOD_TOO_LONG:
    case HTTP_OTHER_VERSION:
        *out = bad_request_event(s, (uint16_t)result, s->request->head.detail);
        return true;
    case HTTP_TARGET_TOO_LONG:
    case HTTP_TOO_BIG:
        s->http_status = (uint16_t)result;
        *out = end_event(LIFE_HEAD_TOO_BIG, s->request->head.detail);
        return true;
    case HTTP_NO_MEMORY:
        *out = end_event(LIFE_INTERNAL, s->request->head.detail);
        return true;
    }
    return false;
}

void session_drop_request(struct session *s)
{
    session_drop_header(s);
    session_drop_head(s);
}

void session_drop_head(struct session *s)
{
    if (s->request != NULL) {
        http_parser_done(&s->request->head);
        page_done(&s->request->page);
        backend_tls_free(s->request->backend_tls);
        mem_free(s->request);
        s->request = NULL;
    }
}
