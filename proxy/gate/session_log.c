/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "base/log.h"
#include "gate/session.h"

/* What was asked for is told only when it was refused: an admitted session has its route. */
static void log_request(struct log_line *line, const struct session *s)
{
    if (s->request == NULL || !s->life.is_websocket) {
        return;
    }
    const struct upgrade_request *upgrade = &s->request->upgrade;
    log_text(line, "path", upgrade->path);
    log_text(line, "host", upgrade->host);
    if (upgrade->has_origin) {
        log_text(line, "origin", upgrade->origin);
    }
    if (upgrade->offer_count > 0) {
        log_text(line, "subprotocol", upgrade->offers[0]);
    }
}

void session_log(const struct session *s)
{
    struct log_line line;
    char text[ADDR_TEXT_MAX];
    struct addr peer;

    if (!log_is_on(LOG_INFO)) {
        return;
    }
    log_begin(&line, LOG_INFO, "session.end");
    snprintf(text, sizeof(text), "%zu-%llu", s->context->slot, (unsigned long long)s->id);
    log_str(&line, "id", text);
    session_peer(s, &peer);
    log_str(&line, "client", addr_print(&peer, text, sizeof(text)));
    log_text(&line, "listen", s->listen->name);
    if (s->route != NULL) {
        log_text(&line, "route", s->route->policy.name);
    }
    if (s->backend != NULL) {
        log_text(&line, "backend", s->backend->text);
    }
    log_str(&line, "ending", life_ending_row(s->life.ending)->word);
    if (s->life.close_sent && !s->is_close_lost) {
        log_u64(&line, "code", s->life.close_code);
    }
    if (s->http_status != 0) {
        log_u64(&line, "status", s->http_status);
    }
    log_str(&line, "phase", life_phase_name(s->life.ended_in));
    log_u64(&line, "up_bytes", s->pump.up_bytes);
    log_u64(&line, "down_bytes", s->pump.down_bytes);
    log_u64(&line, "duration_ms", reactor_now_ms(s->context->reactor) - s->started_ms);
    if (s->times.open_since_ms != 0) {
        log_u64(&line, "connect_ms", s->connect_ms);
    }
    log_u64(&line, "queue_peak_client_bytes", s->pump.client.out.peak);
    log_u64(&line, "queue_peak_backend_bytes", s->pump.backend.out.peak);
    if (s->tls_version != NULL) {
        log_str(&line, "tls", s->tls_version);
    }
    if (s->detail != NULL) {
        log_str(&line, "detail", s->detail);
    }
    log_request(&line, s);
    log_end(&line);
}
