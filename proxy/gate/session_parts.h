/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session_parts.h: what the session's own sources share; for nobody else.
 *
 * Every event ends in settle() of session.c: follow-up events until nothing is pending, then corked
 * bytes leave, then the interest function, then the deadlines. Only session.c steps the life; the
 * other parts return the event that they found. */
#ifndef GATE_SESSION_PARTS_H
#define GATE_SESSION_PARTS_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "gate/admission.h"
#include "gate/answer.h"
#include "gate/dial.h"
#include "gate/flow.h"
#include "gate/pump.h"
#include "gate/session.h"
#include "gate/watch.h"
#include "proto/http.h"

/* The request. The session keeps it until it is OPEN, a refused one until its end. */
struct session_request {
    struct http_parser head;
    struct request asked;       /* once the head is a legal request */
    struct span key;            /* of a WebSocket opening */
    struct admission admission; /* after admission_decide */
    struct page page;           /* what LIFE_PAGE serves */
    struct answer_body body;    /* of the page */
};

struct session {
    struct list link;
    struct session_context *context;
    const struct config_listen *listen;
    const struct config_route *route;     /* NULL until known */
    const struct config_backend *backend; /* connected, or dialled last; NULL before */
    struct session_request *request;      /* NULL before its first byte and when no longer needed */
    struct dial *dial;                    /* NULL unless dialling */
    struct pump pump;
    struct life life;
    struct flow up;             /* from the client to the backend, or back to the client (echo) */
    struct flow down;           /* from the backend to the client */
    struct watch client_watch;  /* bytes that the client does not take */
    struct watch backend_watch; /* bytes that the backend does not take */
    struct watch pong_watch;    /* a Ping that the client has not answered */
    struct watch idle_watch;    /* both sides; acked_bytes is their sum */
    struct door_guest guest;
    struct reactor_timer timer;
    uint64_t timer_at_ms; /* 0 = not armed */
    struct reactor_deferred retire;
    struct sockaddr_in6 peer; /* or a sockaddr_in; a struct addr is larger, for a Unix path */
    uint64_t id;

    struct life_times times; /* the reactor's time */
    uint64_t started_ms;     /* the same */
    uint64_t connect_ms;     /* how long dialling took */

    uint32_t client_rtt_us; /* when the session left OPEN; 0 = unknown */

    const char *detail;      /* constant; for the log and the Close reason */
    char *sni;               /* owned; of a handshake that failed, else NULL */
    const char *tls_version; /* constant; NULL on a plain listener or before the handshake */
    uint16_t http_status;    /* of the answer; 0 = none */
    bool is_close_lost;      /* the client's connection was broken when a Close was due */
    bool is_counted;         /* admitted: the scoreboard counts it */
    bool has_asked;          /* a byte of a request has come */
    bool is_up_due;          /* an echo route has no dial: LIFE_EV_BACKEND_UP is due */
    bool is_no_memory_told;
    bool is_eof_due; /* the client has ended, but the life does not know yet: held bytes
                                go first */
};

struct session_event {
    struct life_event life;
    const char *detail; /* constant or NULL; the first one of a session stays */
};

/* session.c: the dial_fn of every session. */
void session_on_dial(void *owner);

/* session.c: takes the result of the dial, which is decided. */
struct session_event session_finish_dial(struct session *s);

/* session_pending.c: finds the event that follows from the state alone. Each such event changes the
 * state, so settle() comes to an end. False: none is pending. */
bool session_take_pending(struct session *s, struct session_event *out);

/* session_act.c: carries out the actions (enum life_action, or-ed). */
void session_act(struct session *s, unsigned actions);

/* session_request.c: parses bytes that come in the phase REQUEST. False: the head goes on. */
bool session_take_head(struct session *s, const uint8_t *data, size_t len,
                       struct session_event *out);
/* Frees the request, if there is one. */
void session_drop_request(struct session *s);
/* Each says one thing to the client that the life asks for. */
void session_send_accept(struct session *s);
void session_send_refusal(struct session *s);
void session_send_http(struct session *s);
void session_send_close(struct session *s);

/* session_timer.c */
struct life_deadline session_deadline(const struct session *s);
void session_set_timer(struct session *s);
/* The timer rang: *out is what the deadline leads to. False: nothing. */
bool session_take_deadline(struct session *s, struct session_event *out);

/* session_log.c */
/* A handshake that fails is told with the name that the client asked for; the TLS session ends
 * before the line is written. */
void session_keep_sni(struct session *s);
void session_log_open(const struct session *s);
void session_log_step(const struct session *s, const struct life *before,
                      const struct life_event *event, unsigned actions);
void session_log_end(const struct session *s);

#endif
