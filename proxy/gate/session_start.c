/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A session's first moment and its last. */
#include <string.h>

#include "base/mem.h"
#include "gate/session_parts.h"

struct door *session_door(const struct session_context *context, const struct config_listen *listen)
{
    switch (listen->kind) {
    case CONFIG_LISTEN_PUBLIC:
        break;
    case CONFIG_LISTEN_HEALTH:
        return context->health_door;
    case CONFIG_LISTEN_ADMIN:
        return context->admin_door;
    }
    return context->door;
}

static size_t *count_of(struct session_context *context, const struct config_listen *listen)
{
    return listen->kind == CONFIG_LISTEN_PUBLIC ? &context->session_count : &context->health_count;
}

static void on_retire(struct reactor_deferred *deferred)
{
    struct session *s = container_of(deferred, struct session, retire);
    struct session_context *context = s->context;
    conn_close(&s->pump.client);
    conn_close(&s->pump.backend);
    pump_done(&s->pump);
    session_drop_request(s);
    session_drop_files(s);
    session_drop_target(s);
    mem_free(s->told);
    (*count_of(context, s->listen))--;
    mem_free(s->sni);
    peer_cert_free(s->client_cert);
    identity_free(s->who);
    config_free(s->listen->config);
    config_free(s->config);
    mem_free(s);
    context->on_gone(context);
}

/* A listener that expects a PROXY header takes nothing else, and from nobody else. */
static void begin(struct session *s)
{
    static const struct session_event no_proxy = {
        {.type = LIFE_EV_END, .ending = LIFE_SOURCE},
        "proxy_protocol = on, and trusted_proxies does not list this address",
    };
    if (session_is_header_due(s)) {
        session_settle(s);
        return;
    }
    s->is_no_proxy = s->listen->has_proxy_header;
    if (s->is_no_proxy) {
        session_take_event(s, &no_proxy);
        return;
    }
    session_know_client(s);
    session_settle(s);
}

bool session_start(struct session_context *context, const struct config_listen *listen,
                   const struct carrier *carrier, struct tls *tls, const struct addr *peer,
                   const struct limits_holds *holds)
{
    bool is_header_due = listen->has_proxy_header && front_trusts(listen, peer);
    struct session *s = mem_alloc_zero(sizeof(*s));
    if (s != NULL && is_header_due && !session_await_header(s, tls)) {
        mem_free(s);
        s = NULL;
    }
    if (s == NULL) {
        tls_free(tls);
        struct carrier lost = *carrier;
        lost.ops->close(&lost);
        return false;
    }
    uint64_t now_ms = reactor_now_ms(context->reactor);
    s->context = context;
    s->door = session_door(context, listen);
    s->listen = listen;
    config_share(listen->config);
    memcpy(&s->peer, &peer->u, sizeof(s->peer));
    s->id = scoreboard_next_id(context->scoreboard, context->slot);
    s->started_ms = now_ms;
    s->holds = *holds;
    s->times.phase_since_ms = now_ms;
    pump_init(&s->pump, context->scratch, session_on_client_ready, session_on_backend_ready);
    life_init(&s->life, tls != NULL);
    reactor_timer_init(&s->timer, context->reactor, session_on_timer);
    reactor_deferred_init(&s->retire, on_retire);
    list_init(&s->link);
    list_append(&context->sessions, &s->link);
    (*count_of(context, listen))++;
    session_tally_start(s);
    conn_open(&s->pump.client, carrier, is_header_due ? NULL : tls);
    if (s->door != NULL) {
        door_enter(s->door, &s->guest);
    }
    begin(s);
    return true;
}
