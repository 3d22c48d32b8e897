/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The events that follow from the state of a session alone: an end behind all that came before it,
 * a side that is lost, a queue that is empty, a dial that is decided. */
#include "gate/session_parts.h"

/* True when a side cannot be written, and reading it would tell no more. A side that is still heard
 * tells how its peer went, after the bytes that came before: by a Close, a FIN or a reset. A
 * backend is heard as long as what it says goes to the client, also when its own FIN is due. */
static bool is_client_lost(const struct session *s)
{
    const struct life *life = &s->life;
    bool is_heard = life->client == LIFE_SIDE_UP && !life->client_eof &&
                    life->phase != LIFE_SERVING &&
                    !(life->phase == LIFE_OPEN && pump_is_client_paused(&s->pump));
    return s->pump.client.is_broken && !is_heard &&
           (life->client == LIFE_SIDE_UP || life->client == LIFE_SIDE_DRAINING);
}

static bool is_backend_lost(const struct session *s)
{
    const struct life *life = &s->life;
    bool is_heard = life_forwards_backend(life) && !life->backend_eof;
    return s->pump.backend.is_broken && !is_heard &&
           (life->backend == LIFE_SIDE_UP || life->backend == LIFE_SIDE_DRAINING);
}

static bool is_flushed(const struct session *s, const struct conn *conn, enum life_side side)
{
    bool is_owed_more = conn == &s->pump.client && s->pump.is_client_owed;
    return side == LIFE_SIDE_DRAINING && conn_queued(conn) == 0 && !is_owed_more;
}

/* Says why the client's FIN is no orderly end: a constant; NULL = it is one. Nothing is held any
 * more, so the decoder has seen every byte. */
static const char *cut_detail(const struct session *s)
{
    const struct conn *client = &s->pump.client;

    if (session_is_header_due(s)) {
        return client->received_bytes > 0 ? "FIN inside the PROXY header" : NULL;
    }
    if (s->life.phase == LIFE_TLS) {
        return session_client_bytes(s) > 0 ? "FIN inside the TLS handshake" : NULL;
    }
    if (session_is_asking(s)) {
        return "FIN while sluice checked the password";
    }
    if (s->life.phase == LIFE_REQUEST && s->request != NULL) {
        return "FIN inside the request head";
    }
    switch (ws_decoder_place(&s->pump.decoder)) {
    case WS_IN_FRAME:
        return "FIN inside a frame";
    case WS_IN_MESSAGE:
        return "FIN inside a message";
    case WS_BETWEEN_MESSAGES:
        break;
    }
    return conn_is_cut(client) ? "FIN without close_notify" : NULL;
}

bool session_take_pending(struct session *s, struct session_event *out)
{
    const struct life *life = &s->life;
    struct life_event *event = &out->life;

    *out = (struct session_event){.life = {.type = LIFE_EV_COUNT}};
    if (life->phase == LIFE_DEAD) {
        return false;
    }
    if (s->pump.no_memory && !s->is_no_memory_told) {
        s->is_no_memory_told = true;
        *out =
            (struct session_event){{.type = LIFE_EV_END, .ending = LIFE_INTERNAL}, "out of memory"};
    } else if (is_client_lost(s)) {
        event->type = LIFE_EV_CLIENT_RESET;
    } else if (is_backend_lost(s)) {
        event->type = LIFE_EV_BACKEND_RESET;
    } else if (session_take_files(s, out)) {
        return true;
    } else if (s->is_eof_due && !pump_is_held(&s->pump) && !session_has_ahead(s) &&
               life->phase != LIFE_SERVING) {
        s->is_eof_due = false;
        out->detail = cut_detail(s);
        event->type = out->detail != NULL ? LIFE_EV_CLIENT_CUT : LIFE_EV_CLIENT_EOF;
    } else if (s->is_up_due) {
        s->is_up_due = false;
        event->type = LIFE_EV_BACKEND_UP;
    } else if (session_is_dialled(s)) {
        *out = session_finish_dial(s);
    } else if (is_flushed(s, &s->pump.client, life->client)) {
        event->type = LIFE_EV_CLIENT_FLUSHED;
    } else if (is_flushed(s, &s->pump.backend, life->backend)) {
        event->type = LIFE_EV_BACKEND_FLUSHED;
    }
    return event->type != LIFE_EV_COUNT;
}
