/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the log says of a session: at `info` one line at its end, at `debug` one when it opens and
 * one for each step of its life. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "gate/session_parts.h"
#include "proto/token.h"

#define IDENTITY_SHOWN_MAX 128 /* bytes of a subject */

struct span session_id_text(const struct session *s, char out[SESSION_ID_TEXT])
{
    snprintf(out, SESSION_ID_TEXT, "%zu-%llu", s->context->slot, (unsigned long long)s->id);
    return span_from_str(out);
}

static void log_id(struct log_line *line, const struct session *s)
{
    char text[SESSION_ID_TEXT];
    log_text(line, "id", session_id_text(s, text));
}

void session_log_parties(struct log_line *line, const struct session *s)
{
    char text[ADDR_TEXT_MAX];
    struct addr a;
    log_id(line, s);
    session_client_address(s, &a);
    log_str(line, "client", addr_print(&a, text, sizeof(text)));
    if (s->told != NULL) {
        session_peer_address(s, &a);
        log_str(line, "proxy", addr_print(&a, text, sizeof(text)));
    }
    log_text(line, "listen", s->listen->name);
    if (s->route != NULL) {
        log_text(line, "route", s->route->policy.name);
    }
    if (s->backend != NULL) {
        log_text(line, "backend", s->backend->text);
    }
}

static void log_client_cert(struct log_line *line, const struct session *s)
{
    if (s->client_cert != NULL) {
        log_text(line, "tls_client", peer_cert_title(s->client_cert));
    }
}

/* Subjects are as long as their issuer likes. */
static void log_identity(struct log_line *line, const struct session *s)
{
    if (s->who == NULL) {
        return;
    }
    log_text(line, "auth", s->who->auth);
    if (s->who->subject.len > 0) {
        struct span subject = s->who->subject;
        log_text(line, "identity",
                 (struct span){subject.data, subject.len < IDENTITY_SHOWN_MAX
                                                 ? subject.len
                                                 : IDENTITY_SHOWN_MAX});
    }
}

void session_log_open(const struct session *s)
{
    struct log_line line;
    if (!log_is_on(LOG_DEBUG)) {
        return;
    }
    log_begin(&line, LOG_DEBUG, "session.open");
    session_log_parties(&line, s);
    log_identity(&line, s);
    log_u64(&line, "connect_ms", s->connect_ms);
    if (s->tls_version != NULL) {
        log_str(&line, "tls", s->tls_version);
    }
    log_client_cert(&line, s);
    log_end(&line);
}

/* "request", or "request>dial" where the event changed it. */
static void log_change(struct log_line *line, const char *key, const char *before,
                       const char *after)
{
    char text[64];
    if (before == after) {
        log_str(line, key, after);
        return;
    }
    snprintf(text, sizeof(text), "%s>%s", before, after);
    log_str(line, key, text);
}

void session_log_step(const struct session *s, const struct life *before,
                      const struct life_event *event, unsigned actions)
{
    const struct life *life = &s->life;
    char text[LIFE_ACTION_NAMES_MAX];
    struct log_line line;

    log_begin(&line, LOG_DEBUG, "session.step");
    log_id(&line, s);
    log_str(&line, "on", life_event_name(event->type));
    if (event->type == LIFE_EV_END) {
        log_str(&line, "ending", life_ending_row(event->ending)->word);
    }
    log_change(&line, "phase", life_phase_name(before->phase), life_phase_name(life->phase));
    log_change(&line, "client_side", life_side_name(before->client), life_side_name(life->client));
    log_change(&line, "backend_side", life_side_name(before->backend),
               life_side_name(life->backend));
    if (actions != 0) {
        log_str(&line, "actions", life_action_names(actions, text));
    }
    log_end(&line);
}

/* No Origin has a query; what a client writes there instead is hidden as in a target. */
static void log_origin(struct log_line *line, struct span origin)
{
    char text[512];
    log_text(line, "origin", (struct span){text, token_hide_query(origin, text, sizeof(text))});
}

/* As many items as fit, with a comma between two. */
static void log_list(struct log_line *line, const char *key, const struct span *items, size_t count)
{
    char text[256];
    size_t used = 0;
    for (size_t i = 0; i < count && used + items[i].len + 2 < sizeof(text); i++) {
        if (i > 0) {
            text[used++] = ',';
        }
        memcpy(text + used, items[i].data, items[i].len);
        used += items[i].len;
    }
    log_text(line, key, (struct span){text, used});
}

static void log_offers(struct log_line *line, const struct session *s)
{
    const struct request *asked = &s->request->asked;
    struct span shown[REQUEST_OFFERS_MAX];
    for (size_t i = 0; i < asked->offer_count; i++) {
        shown[i] =
            session_is_offer_shown(s, asked->offers[i]) ? asked->offers[i] : SPAN_LIT("[hidden]");
    }
    log_list(line, "offers", shown, asked->offer_count);
}

/* The line names a request only when sluice refused it: an admitted session has its route. */
static void log_request(struct log_line *line, const struct session *s)
{
    if (s->request == NULL || !s->life.is_websocket) {
        return;
    }
    const struct request *asked = &s->request->asked;
    char path[512];
    log_text(line, "path", session_shown_path(s, path, sizeof(path)));
    log_text(line, "host", asked->authority);
    if (asked->has_origin) {
        log_origin(line, asked->origin);
    }
    log_offers(line, s);
    if (s->life.ending == LIFE_SUBPROTOCOL) {
        log_list(line, "subprotocols", s->route->policy.subprotocols,
                 s->route->policy.subprotocol_count);
    }
}

/* A health check, also behind a PROXY header, a port scanner or a browser that connects ahead of
 * need: the connection asked for nothing and broke no rule, and nothing failed here. */
bool session_is_probe(const struct session *s)
{
    if (s->request != NULL && s->request->page.use == PAGE_FOR_PROBES) {
        return s->life.ending == LIFE_PAGE && s->request->page.detail == NULL;
    }
    bool is_before_request = s->life.ended_in == LIFE_TLS || session_is_header_due(s);
    bool is_silent = !is_before_request || session_client_bytes(s) == 0;
    return !s->is_counted && !s->has_asked && !s->is_no_proxy && is_silent &&
           s->life.ending != LIFE_INTERNAL && s->life.ending != LIFE_LIMIT_SOURCE;
}

uint16_t session_close_code(const struct session *s)
{
    if (!s->life.close_sent || s->is_close_lost) {
        return 0;
    }
    return s->life.close_code != 0 ? s->life.close_code : LIFE_NO_CODE;
}

/* What waited in the kernel, as far as anybody looked (gate/flow.h). */
static void log_kernel(struct log_line *line, const struct session *s)
{
    const struct flow *to_client = s->pump.is_echo ? &s->up : &s->down;
    log_u64(line, "unsent_peak_client_bytes", to_client->unsent_peak_bytes);
    log_u64(line, "unsent_peak_backend_bytes", s->pump.is_echo ? 0 : s->up.unsent_peak_bytes);
    if (s->client_rtt_us != 0) {
        log_u64(line, "client_rtt_us", s->client_rtt_us);
    }
}

void session_log_end(const struct session *s)
{
    struct log_line line;
    enum log_level level = session_is_probe(s) ? LOG_DEBUG : LOG_INFO;

    if (!log_is_on(level) || (!s->is_counted && !flood_lets(s->context->flood, s->life.ending))) {
        return;
    }
    log_begin(&line, level, "session.end");
    session_log_parties(&line, s);
    log_identity(&line, s);
    log_str(&line, "ending", life_ending_row(s->life.ending)->word);
    if (session_close_code(s) != 0) {
        log_u64(&line, "code", session_close_code(s));
    }
    if (s->life.received_code != 0) {
        log_u64(&line, "client_code", s->life.received_code);
    }
    if (s->http_status != 0) {
        log_u64(&line, "status", s->http_status);
    }
    log_str(&line, "phase", life_phase_name(s->life.ended_in));
    if (s->file_requests > 0) {
        log_u64(&line, "requests", s->file_requests);
    }
    log_u64(&line, "up_bytes", s->pump.up_bytes);
    log_u64(&line, "down_bytes", s->pump.down_bytes);
    log_u64(&line, "duration_ms", reactor_now_ms(s->context->reactor) - s->started_ms);
    if (s->times.open_since_ms != 0) {
        log_u64(&line, "connect_ms", s->connect_ms);
    }
    log_u64(&line, "queue_peak_client_bytes", s->pump.client.out.peak);
    log_u64(&line, "queue_peak_backend_bytes", s->pump.backend.out.peak);
    if (s->times.open_since_ms != 0) {
        log_kernel(&line, s);
    }
    if (s->tls_version != NULL) {
        log_str(&line, "tls", s->tls_version);
    }
    log_client_cert(&line, s);
    if (s->sni != NULL) {
        log_str(&line, "sni", s->sni);
    }
    if (s->detail != NULL) {
        log_str(&line, "detail", s->detail);
    }
    log_request(&line, s);
    log_end(&line);
}

void session_keep_sni(struct session *s)
{
    if (s->pump.client.tls != NULL) {
        struct span name = tls_sni(s->pump.client.tls);
        s->sni = name.len > 0 ? mem_copy_str(name) : NULL;
    }
}
