/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a session tells its backend first, and how its dial went. */
#include "gate/session_parts.h"

/* --- the PROXY header ------------------------------------------------------------------------ */

/* The client's TLS: our own, or that of whoever ended it in front. */
static void tell_tls(const struct session *s, struct proxy_header *out)
{
    const struct front *front = &s->request->admission.front;
    const struct proxy_header *told = session_header(s);
    const struct tls *tls = s->pump.client.tls;

    out->tls.is_used = front->is_secure;
    if (front->is_forwarded) {
        return; /* the connection is that of a proxy, and so is its TLS */
    }
    if (tls != NULL) {
        out->alpn = tls_protocol(tls);
        out->tls.version = span_from_str(tls_version_name(tls));
        out->tls.cipher = span_from_str(tls_suite_name(tls));
    } else if (told != NULL) {
        out->alpn = told->alpn;
        out->tls = told->tls;
    }
}

struct span session_introduction(const struct session *s, uint8_t out[PROXY_HEADER_BYTES_MAX])
{
    const struct session_request *request = s->request;
    const struct proxy_header *told = session_header(s);
    char id[SESSION_ID_TEXT];
    if (s->route->proxy_out == CONFIG_PROXY_OFF) {
        return (struct span){NULL, 0};
    }
    struct proxy_header header = {
        .version = (enum proxy_header_version)s->route->proxy_out,
        .unique_id = session_id_text(s, id),
        .authority = request->admission.front.sni,
    };
    session_client_address(s, &header.source);
    header.kind = header.source.len > 0 ? PROXY_HEADER_TCP : PROXY_HEADER_UNKNOWN;
    if (told != NULL && told->kind == PROXY_HEADER_TCP) {
        header.destination = told->destination;
    } else {
        conn_local(&s->pump.client, &header.destination);
    }
    if (header.authority.len == 0) {
        header.authority = request->asked.host_name;
    }
    tell_tls(s, &header);
    size_t len = proxy_header_write(&header, out, PROXY_HEADER_BYTES_MAX);
    if (len == 0) {
        /* A proxy in front told more than fits beside our own words. */
        header.tls = (struct proxy_header_tls){.is_used = header.tls.is_used};
        header.alpn = header.authority = (struct span){NULL, 0};
        len = proxy_header_write(&header, out, PROXY_HEADER_BYTES_MAX);
    }
    return (struct span){(const char *)out, len};
}

/* --- the dial -------------------------------------------------------------------------------- */

/* The upstream knows the backends of the configuration in force. */
static void note_outcomes(struct session *s)
{
    struct session_context *context = s->context;
    size_t count = 0;
    const struct dial_outcome *outcomes = dial_outcomes(s->dial, &count);
    for (size_t i = 0; i < count; i++) {
        session_tally_dial(s, i, &outcomes[i]);
        if (context->upstream != NULL && s->config == context->config) {
            upstream_note(context->upstream, s->route, i, &outcomes[i],
                          reactor_now_ms(context->reactor));
        }
    }
}

struct session_event session_finish_dial(struct session *s)
{
    static const enum life_ending endings[] = {
        [DIAL_OK] = LIFE_NOT_ENDED,
        [DIAL_NAME] = LIFE_BACKEND_NAME,
        [DIAL_UNREACHABLE] = LIFE_BACKEND_REFUSED,
        [DIAL_TIMEOUT] = LIFE_BACKEND_TIMEOUT,
        [DIAL_REFUSED] = LIFE_BACKEND_REFUSED,
        [DIAL_TLS] = LIFE_BACKEND_TLS,
        [DIAL_NO_MEMORY] = LIFE_INTERNAL,
        [DIAL_EXHAUSTED] = LIFE_FULL,
    };
    size_t candidate = 0;

    note_outcomes(s);
    const struct dial_outcome outcome = dial_finish(s->dial, &s->pump.backend, &candidate);
    s->dial = NULL;
    s->backend = &s->route->backends[candidate];
    s->connect_ms = reactor_now_ms(s->context->reactor) - s->times.phase_since_ms;
    if (outcome.result == DIAL_OK) {
        return (struct session_event){.life = {.type = LIFE_EV_BACKEND_UP}};
    }
    return (struct session_event){{.type = LIFE_EV_END, .ending = endings[outcome.result]},
                                  outcome.detail};
}
