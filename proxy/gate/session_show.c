/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What [admin] shows of a session: its row of the roster. A row is written when the phase changes
 * and, for what moves, by a walk over all sessions, so no byte pays for it. Connections to [health]
 * and [admin] have no rows. */
#include <string.h>

#include "base/utf8.h"
#include "gate/session_parts.h"

static void set_text(char *out, size_t size, struct span text)
{
    bool is_whole = span_copy(text, out, size);
    (void)is_whole;
}

static uint32_t narrow(uint64_t value)
{
    return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

static void fill_party(const struct session *s, struct roster_party *out)
{
    *out = (struct roster_party){
        .number = s->id,
        .started_ms = s->started_ms,
        .client = s->told != NULL ? s->told->client : s->peer,
        .slot = (uint32_t)s->context->slot,
        .generation = s->context->generation,
    };
    if (s->told != NULL) {
        out->proxy = s->peer;
    }
    set_text(out->listen, sizeof(out->listen), s->listen->name);
    if (s->route != NULL) {
        set_text(out->route, sizeof(out->route), s->route->policy.name);
    }
    if (s->backend != NULL) {
        set_text(out->backend, sizeof(out->backend), s->backend->text);
    }
    if (s->who != NULL) {
        set_text(out->identity, sizeof(out->identity),
                 utf8_cut(s->who->subject, sizeof(out->identity) - 1));
        if (s->who->subject.len > 0) {
            out->who = roster_who(s->context->roster->roster, s->who->auth, s->who->subject);
        }
    }
}

static uint8_t client_pause(const struct session *s)
{
    bool is_held = s->life.phase == LIFE_OPEN && pump_is_held(&s->pump);
    if (s->life.phase != LIFE_OPEN) {
        return ROSTER_READ;
    }
    return s->pump.is_backend_full              ? ROSTER_BACKEND_SLOW
           : s->pump.is_client_full             ? ROSTER_CLIENT_SLOW
           : pump_is_client_throttled(&s->pump) ? ROSTER_RATE
           : is_held                            ? ROSTER_HELD
                                                : ROSTER_READ;
}

static uint8_t backend_pause(const struct session *s)
{
    if (s->life.phase != LIFE_OPEN) {
        return ROSTER_READ;
    }
    return s->pump.is_client_full                ? ROSTER_CLIENT_SLOW
           : pump_is_backend_throttled(&s->pump) ? ROSTER_RATE
                                                 : ROSTER_READ;
}

static void fill_live(const struct session *s, struct roster_live *out)
{
    const struct conn *client = &s->pump.client;
    const struct conn *backend = &s->pump.backend;
    struct net_state to_client = {.unsent_bytes = 0};
    struct net_state to_backend = {.unsent_bytes = 0};

    bool has_opened = s->times.open_since_ms != 0; /* what an opening costs, it costs everybody */
    if (has_opened && conn_is_open(client)) {
        conn_observe(client, &to_client);
    }
    if (has_opened && conn_is_open(backend)) {
        conn_observe(backend, &to_backend);
    }
    *out = (struct roster_live){
        .payload_ms = s->times.payload_ms != 0 ? s->times.payload_ms : s->started_ms,
        .up_bytes = s->pump.up_bytes,
        .down_bytes = s->pump.down_bytes,
        .up_messages = pump_up_messages(&s->pump),
        .down_messages = pump_down_messages(&s->pump),
        .queued_client_bytes = narrow(conn_queued(client)),
        .queued_backend_bytes = narrow(conn_queued(backend)),
        .unsent_client_bytes = narrow(to_client.unsent_bytes),
        .unsent_backend_bytes = narrow(to_backend.unsent_bytes),
        .client_rtt_us = to_client.rtt_us,
        .phase = (uint8_t)s->life.phase,
        .client_pause = client_pause(s),
        .backend_pause = backend_pause(s),
    };
}

void session_show(struct session *s)
{
    struct roster_writer *roster = s->context->roster;
    struct roster_entry entry;

    if (roster == NULL || !s->context->is_shown || s->listen->kind != CONFIG_LISTEN_PUBLIC) {
        return;
    }
    fill_party(s, &entry.party);
    fill_live(s, &entry.live);
    s->shown_bytes = (uint32_t)session_moved_bytes(s);
    s->is_shown_still = entry.live.unsent_client_bytes == 0 && entry.live.unsent_backend_bytes == 0;
    if (s->row == 0) {
        s->row = roster_take(roster, &entry);
    } else {
        roster_put(roster, s->row, &entry);
    }
}

void session_show_end(struct session *s)
{
    struct session_context *context = s->context;
    if (s->row != 0) {
        roster_give_back(context->roster, s->row);
        s->row = 0;
    }
    if (context->walk == &s->link) {
        context->walk = s->link.next;
    }
    if (context->look == &s->link) {
        context->look = s->link.next;
    }
}

/* Nothing has moved since the row was written, and nothing waits. */
static bool is_shown_well(const struct session *s)
{
    return s->row != 0 && (uint32_t)session_moved_bytes(s) == s->shown_bytes && s->is_shown_still &&
           conn_queued(&s->pump.client) == 0 && conn_queued(&s->pump.backend) == 0;
}

void session_show_some(struct session_context *context, size_t most)
{
    struct list *link = context->walk != NULL ? context->walk : context->sessions.next;
    for (size_t i = 0; i < most && link != &context->sessions; i++) {
        struct session *s = container_of(link, struct session, link);
        link = link->next;
        if (!is_shown_well(s)) {
            session_show(s);
        }
    }
    context->walk = link != &context->sessions ? link : NULL;
}

void session_end_unwanted(struct session_context *context)
{
    struct list *link = context->sessions.next;
    while (link != &context->sessions) {
        struct session *s = container_of(link, struct session, link);
        link = link->next; /* the end may take the session off the list */
        if (s->row != 0 && roster_is_unwanted(context->roster, s->row, s->id)) {
            session_end_one(s, LIFE_KICKED, NULL);
        }
    }
}
