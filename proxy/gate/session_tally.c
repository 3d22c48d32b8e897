/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What monitoring learns of a session: its seat's counters. Whatever a session moves is added when
 * it is worth it, when the timer rings and at the end, so that rates are alive and no byte pays. */
#include <string.h>

#include "gate/session_parts.h"

#define UNACKED_EVERY_MS 1000

static const struct conn *conn_at(const struct session *s, enum seat_side side)
{
    return side == SEAT_CLIENT ? &s->pump.client : &s->pump.backend;
}

static bool is_paused(const struct session *s, enum seat_side side)
{
    bool is_open = s->life.phase == LIFE_OPEN;
    return side == SEAT_CLIENT
               ? is_open && s->times.is_client_paused
               : is_open && (s->pump.is_client_full || pump_is_backend_throttled(&s->pump));
}

static void tally_pause(struct session *s, enum seat_side side, uint64_t now_ms)
{
    struct session_tally *t = &s->tally;
    if (t->paused_since_ms[side] != 0) {
        seat_add(&t->route->paused_ms[side], now_ms - t->paused_since_ms[side]);
    }
    t->paused_since_ms[side] = is_paused(s, side) ? now_ms : 0;
}

/* Adds what has come since `*told`. */
static void tell(_Atomic uint64_t *counter, uint32_t *told, uint64_t now)
{
    seat_add(counter, (uint32_t)now - *told);
    *told = (uint32_t)now;
}

/* Takes the old share of a gauge away and adds the new one. */
static void show(_Atomic uint64_t *gauge, uint32_t *shown, uint64_t now)
{
    now = now < UINT32_MAX ? now : UINT32_MAX;
    seat_add(gauge, now - *shown);
    *shown = (uint32_t)now;
}

/* Asks the kernel; so not for every 64 KiB of a fast session. */
static void show_unacked(struct session *s, enum seat_side side)
{
    const struct conn *conn = conn_at(s, side);
    struct session_tally *t = &s->tally;
    show(&t->route->unacked_bytes[side], &t->unacked_bytes[side],
         conn_is_open(conn) ? conn->sent_bytes - conn_acked_bytes(conn) : 0);
}

static void tally_side(struct session *s, enum seat_side side)
{
    const struct conn *conn = conn_at(s, side);
    struct session_tally *t = &s->tally;
    struct seat_route *route = t->route;
    tell(&route->received_bytes[side], &t->received_bytes[side], conn->received_bytes);
    tell(&route->sent_bytes[side], &t->sent_bytes[side], conn->sent_bytes);
    /* What a side has sent became so many messages, or was so many. */
    tell(&route->messages[side], &t->messages[side],
         side == SEAT_CLIENT ? pump_up_messages(&s->pump) : pump_down_messages(&s->pump));
    show(&route->queued_bytes[side], &t->queued_bytes[side], conn_queued(conn));
}

void session_tally_now(struct session *s)
{
    uint64_t now_ms = reactor_now_ms(s->context->reactor);
    if (s->tally.route == NULL) {
        return;
    }
    bool is_kernel_due = s->life.phase == LIFE_DEAD || now_ms >= s->tally.unacked_at_ms;
    if (is_kernel_due) {
        s->tally.unacked_at_ms = now_ms + UNACKED_EVERY_MS;
    }
    for (enum seat_side side = SEAT_CLIENT; side < SEAT_SIDES; side++) {
        tally_side(s, side);
        tally_pause(s, side, now_ms);
        if (is_kernel_due) {
            show_unacked(s, side);
        }
    }
    s->tally.moved_bytes = (uint32_t)session_moved_bytes(s);
}

void session_tally_start(struct session *s)
{
    if (s->context->seat != NULL) {
        s->tally.route = seat_route(s->context->seat, NULL);
        seat_add(&s->tally.route->phases[s->life.phase], 1);
    }
}

/* All that the session has shown in one row goes to another. */
void session_tally_route(struct session *s)
{
    struct session_tally *t = &s->tally;
    if (t->route == NULL) {
        return;
    }
    session_tally_now(s);
    for (enum seat_side side = SEAT_CLIENT; side < SEAT_SIDES; side++) {
        show(&t->route->queued_bytes[side], &t->queued_bytes[side], 0);
        show(&t->route->unacked_bytes[side], &t->unacked_bytes[side], 0);
    }
    seat_sub(&t->route->phases[s->life.phase], 1);
    t->route = seat_route(s->context->seat, s->route);
    seat_add(&t->route->phases[s->life.phase], 1);
}

void session_tally_identity(struct session *s)
{
    if (s->who != NULL && s->context->seat != NULL) {
        seat_add(&seat_worker(s->context->seat)->identified, 1);
    }
}

void session_tally_refusal(struct session *s, unsigned reason)
{
    if (s->context->seat != NULL) {
        seat_add(&seat_worker(s->context->seat)->auth_refusals[reason], 1);
    }
}

void session_tally_phase(struct session *s, enum life_phase before)
{
    struct seat_route *route = s->tally.route;
    if (s->life.phase != LIFE_DEAD) {
        session_show(s);
    }
    if (route == NULL) {
        return;
    }
    seat_sub(&route->phases[before], 1);
    if (s->life.phase != LIFE_DEAD) {
        seat_add(&route->phases[s->life.phase], 1);
    }
    if (s->life.phase == LIFE_OPEN) {
        seat_add(&route->opened, 1);
    }
}

void session_tally_handshake(struct session *s)
{
    if (s->context->seat == NULL) {
        return;
    }
    struct seat_listen *listen = seat_listen(s->context->seat, s->listen);
    enum seat_tls version = strcmp(s->tls_version, "TLSv1.3") == 0 ? SEAT_TLS_1_3 : SEAT_TLS_1_2;
    seat_add(&listen->handshakes[version][tls_is_resumed(s->pump.client.tls) ? 1 : 0], 1);
    seat_observe(&listen->handshake_times, reactor_now_ms(s->context->reactor) - s->started_ms);
}

void session_tally_dial(struct session *s, size_t index, const struct dial_outcome *outcome)
{
    const struct seat *seat = s->context->seat;
    if (seat == NULL) {
        return;
    }
    struct seat_backend *backend = seat_backend(seat, s->route, index);
    if (outcome->result == DIAL_OK) {
        seat_observe(&backend->dials,
                     reactor_now_ms(s->context->reactor) - s->times.phase_since_ms);
    } else {
        seat_add(&backend->failures[outcome->result], 1);
    }
}

void session_tally_place(struct session *s, size_t index, bool is_taken)
{
    if (s->context->seat != NULL) {
        struct seat_backend *backend = seat_backend(s->context->seat, s->route, index);
        seat_add(&backend->sessions, is_taken ? 1 : UINT64_MAX);
    }
}

void session_tally_kernel(struct session *s)
{
    struct net_state client;
    struct net_state backend;
    flow_end(s->pump.is_echo ? &s->up : &s->down, &s->pump.client, &client);
    if (!s->pump.is_echo) {
        flow_end(&s->up, &s->pump.backend, &backend);
    }
    s->client_rtt_us = client.rtt_us;
}

void session_tally_end(struct session *s)
{
    const struct seat *seat = s->context->seat;
    if (seat == NULL) {
        return;
    }
    session_tally_now(s);
    if (s->who != NULL) {
        seat_sub(&seat_worker(seat)->identified, 1);
    }
    seat_end(seat, s->route, s->life.ending, session_close_code(s));
    struct seat_listen *listen = seat_listen(seat, s->listen);
    if (session_is_probe(s)) {
        seat_add(&listen->probes, 1);
    } else if (s->life.ended_in == LIFE_TLS && !session_is_header_due(s) && !s->is_no_proxy) {
        seat_add(&listen->handshake_failures, 1);
    }
}
