/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a session knows of a proxy in front: the PROXY header before the client's first byte, who
 * the client is, and what a backend is told of that. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "gate/session_parts.h"

static struct addr addr_of(const struct sockaddr_in6 *kept)
{
    struct addr a;
    addr_from_sockaddr((const struct sockaddr *)kept, sizeof(*kept), &a);
    return a;
}

void session_peer_address(const struct session *s, struct addr *out)
{
    *out = addr_of(&s->peer);
}

void session_client_address(const struct session *s, struct addr *out)
{
    *out = addr_of(s->told != NULL ? &s->told->client : &s->peer);
}

static void set_client(struct session *s, const struct addr *client)
{
    s->told->client = (struct sockaddr_in6){.sin6_family = AF_UNSPEC};
    if (client->len > 0) {
        memcpy(&s->told->client, &client->u, sizeof(s->told->client));
    }
}

bool session_tell_client(struct session *s, const struct addr *client)
{
    struct addr known;
    session_client_address(s, &known);
    if (known.len == client->len && (known.len == 0 || addr_is_equal(&known, client))) {
        return true;
    }
    if (s->told == NULL) {
        s->told = mem_alloc_zero(sizeof(*s->told));
    }
    if (s->told == NULL) {
        return false;
    }
    set_client(s, client);
    return true;
}

void session_forget_client(struct session *s)
{
    const struct proxy_header *header = session_header(s);
    struct addr peer;

    if (s->told == NULL) {
        return;
    }
    session_peer_address(s, &peer);
    set_client(s, header != NULL && header->kind != PROXY_HEADER_LOCAL ? &header->source : &peer);
}

/* --- the PROXY header ------------------------------------------------------------------------ */

bool session_await_header(struct session *s, struct tls *tls)
{
    struct session_header *header = mem_alloc_zero(sizeof(*header));
    s->told = mem_alloc_zero(sizeof(*s->told));
    if (header == NULL || s->told == NULL) {
        mem_free(header);
        mem_free(s->told);
        s->told = NULL;
        return false;
    }
    proxy_header_init(&header->parser);
    header->tls = tls;
    s->told->header = header;
    s->told->is_header_due = true;
    return true;
}

void session_drop_header(struct session *s)
{
    struct session_header *header = s->told != NULL ? s->told->header : NULL;
    if (header != NULL) {
        proxy_header_done(&header->parser);
        tls_free(header->tls);
        mem_free(header);
        s->told->header = NULL;
    }
}

const struct proxy_header *session_header(const struct session *s)
{
    return s->told != NULL && s->told->header != NULL && !s->told->is_header_due
               ? &s->told->header->parser.header
               : NULL;
}

static void log_header(const struct session *s, const struct proxy_header *header)
{
    static const char *const kinds[] = {[PROXY_HEADER_LOCAL] = "local",
                                        [PROXY_HEADER_UNKNOWN] = "unknown",
                                        [PROXY_HEADER_TCP] = "tcp"};
    struct log_line line;
    if (!log_is_on(LOG_DEBUG)) {
        return;
    }
    log_begin(&line, LOG_DEBUG, "session.proxy");
    session_log_parties(&line, s);
    log_u64(&line, "version", (uint64_t)header->version);
    log_str(&line, "kind", kinds[header->kind]);
    if (header->authority.len > 0) {
        log_text(&line, "authority", header->authority);
    }
    if (header->tls.is_used) {
        log_text(&line, "tls", header->tls.version);
    }
    if (header->unique_id.len > 0) {
        log_text(&line, "unique_id", header->unique_id);
    }
    log_end(&line);
}

void session_know_client(struct session *s)
{
    const struct proxy_header *header = session_header(s);
    if (header != NULL) {
        log_header(s, header);
    }
}

static void take_source(struct session *s, const struct proxy_header *header)
{
    struct addr peer;
    switch (header->kind) {
    case PROXY_HEADER_LOCAL:
        session_peer_address(s, &peer);
        set_client(s, &peer);
        break;
    case PROXY_HEADER_UNKNOWN:
    case PROXY_HEADER_TCP:
        set_client(s, &header->source);
        break;
    }
    session_know_client(s);
}

/* A proxy itself is nobody's source. */
bool session_count_source(struct session *s, struct session_event *out)
{
    struct addr client;
    session_client_address(s, &client);
    const struct limits_question question = {
        .config = s->context->config,
        .source = &client,
        .now_ms = reactor_now_ms(s->context->reactor),
    };
    if (s->listen->kind != CONFIG_LISTEN_PUBLIC || s->holds.connection.place != 0 ||
        client.len == 0 || front_trusts(s->listen, &client)) {
        return true;
    }
    enum limits_entry entry = limits_enter(&s->context->limits, &question, &s->holds);
    *out = (struct session_event){{.type = LIFE_EV_END, .ending = LIFE_LIMIT_SOURCE},
                                  limits_entry_key(entry)};
    return entry == LIMITS_ENTERED;
}

/* What follows the header: TLS, or what is there already. */
static enum conn_result go_behind(struct session *s, size_t used, uint8_t **data, size_t *len)
{
    struct session_header *header = s->told->header;
    struct tls *tls = header->tls;
    uint8_t *rest = *data + used;
    size_t rest_len = *len - used;

    header->tls = NULL;
    if (tls != NULL) {
        return conn_begin_tls(&s->pump.client, tls, rest, rest_len, data, len);
    }
    *data = rest;
    *len = rest_len;
    return CONN_OK;
}

enum conn_result session_take_header(struct session *s, uint8_t **data, size_t *len,
                                     struct session_event *out)
{
    struct proxy_header_parser *parser = &s->told->header->parser;
    struct session_event refusal;
    size_t used = 0;
    enum proxy_header_result result = proxy_header_parse(parser, *data, *len, &used);

    *out = (struct session_event){.life = {.type = LIFE_EV_COUNT}, .detail = parser->detail};
    switch (result) {
    case PROXY_HEADER_DONE:
        s->told->is_header_due = false;
        s->told->header_bytes = (uint16_t)parser->len;
        take_source(s, &parser->header);
        if (session_count_source(s, &refusal)) {
            return go_behind(s, used, data, len);
        }
        *out = refusal;
        break;
    case PROXY_HEADER_NEED_MORE:
        break;
    case PROXY_HEADER_BAD:
    case PROXY_HEADER_TOO_BIG:
        out->life = (struct life_event){.type = LIFE_EV_END, .ending = LIFE_BAD_REQUEST};
        break;
    case PROXY_HEADER_NO_MEMORY:
        out->life = (struct life_event){.type = LIFE_EV_END, .ending = LIFE_INTERNAL};
        break;
    }
    *len = 0;
    return CONN_OK;
}
