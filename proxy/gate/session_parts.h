/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session_parts.h: what the session's own sources share; for nobody else.
 *
 * Every event ends in session_settle() of session.c: follow-up events until nothing is pending,
 * then corked bytes leave, then the interest function, then the deadlines. Only session.c steps the
 * life; the other parts return the event that they found. */
#ifndef GATE_SESSION_PARTS_H
#define GATE_SESSION_PARTS_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "gate/admission.h"
#include "gate/answer.h"
#include "gate/dial.h"
#include "gate/files.h"
#include "gate/flow.h"
#include "gate/identity.h"
#include "gate/pump.h"
#include "gate/session.h"
#include "gate/upstream.h"
#include "gate/watch.h"
#include "proto/http.h"
#include "proto/proxy_header.h"

/* The backends that a session has tried. */
struct session_tries {
    struct upstream_tried tried;
    struct dial_outcome worst;            /* of what went wrong, what tells most */
    const struct config_backend *failing; /* whose outcome that is; NULL: no dial has failed */
    bool is_over;                         /* there is no backend left to dial */
    struct upstream_order *order;         /* while a set is dialled; owned; NULL: it is none */
};

/* The request. The session keeps it until it is OPEN, a refused one until its end. */
struct session_request {
    struct http_parser head;
    struct request asked;       /* once the head is a legal request */
    struct span key;            /* of a WebSocket opening */
    struct admission admission; /* after admission_decide */
    struct page page;           /* what LIFE_PAGE serves */
    uint64_t wait_ms;           /* of a refusal: when to come again; 0 = soon */
    struct passwords_ask *ask;  /* the request waits for the answer; NULL: it does not */
    enum identity_password password;
    struct span hash; /* what it was compared with; of the session's configuration */
    struct session_tries tries;
    struct backend_tls *backend_tls; /* shared, for the dial; NULL: no backend is tls:// */
};

/* What the counters of the seat have got so far. The low 32 bits are enough: a session tallies long
 * before it has moved more. */
struct session_tally {
    struct seat_route *route; /* the row that counts; NULL: nobody counts */
    uint32_t moved_bytes;     /* session_moved_bytes */
    uint32_t received_bytes[SEAT_SIDES];
    uint32_t sent_bytes[SEAT_SIDES];
    uint32_t messages[SEAT_SIDES];
    uint32_t queued_bytes[SEAT_SIDES];
    uint32_t unacked_bytes[SEAT_SIDES];
    uint64_t unacked_at_ms;               /* not asked before then */
    uint64_t paused_since_ms[SEAT_SIDES]; /* 0 = this side is read */
};

/* Of a connection that has asked for a file. */
struct session_files {
    struct files_question question;
    struct files_answer answer;
    uint8_t *ahead;   /* owned; what came behind the head; NULL = nothing */
    size_t ahead_len; /* bytes */
    size_t ahead_at;  /* where the next head begins */
    uint64_t kept_ms;
    uint64_t sent_bytes;    /* of the content of the last answer */
    unsigned turn_requests; /* how many may still be answered in this turn */
    bool is_turn_due;       /* the next turn goes on */
    bool is_sending;        /* from the head to the last byte of the content */
    bool is_cut;            /* the file has no more bytes, and should have */
    bool is_last;           /* the connection ends behind this answer */
};

/* The PROXY header of a session, until the session is OPEN or over. */
struct session_header {
    struct proxy_header_parser parser;
    struct tls *tls; /* owned; begins behind the header; NULL on a plain listener and afterwards */
};

/* Of a session whose client is not its peer, or must yet be told. */
struct session_told {
    struct sockaddr_in6 client;    /* or a sockaddr_in; family 0: nobody knows */
    struct session_header *header; /* owned; NULL: none, or no longer needed */
    bool is_header_due;            /* the header is not complete */
    uint16_t header_bytes;         /* the length of the complete header */
};

struct session {
    struct list link;
    struct session_context *context;
    struct door *door;                    /* may be NULL */
    const struct config_listen *listen;   /* the session holds its snapshot */
    const struct config *config;          /* what answers the request; held; NULL before */
    const struct config_route *route;     /* of `config`; NULL until known */
    const struct config_backend *backend; /* connected, or dialled last; NULL before */
    struct session_target *target;        /* owned; NULL: the route has no targets */
    struct session_request *request;      /* NULL before its first byte and when no longer needed */
    struct dial *dial;                    /* NULL unless dialling */
    struct session_files *files;          /* owned; NULL: it has asked for none */
    struct identity *who;                 /* owned; NULL: the route asks nobody */
    struct pump pump;
    struct life life;
    struct flow up;             /* from the client to the backend, or back to the client (echo) */
    struct flow down;           /* from the backend to the client */
    struct watch client_watch;  /* bytes that the client does not take */
    struct watch backend_watch; /* bytes that the backend does not take */
    struct watch pong_watch;    /* a Ping that the client has not answered */
    struct watch idle_watch;    /* both sides; acked_bytes is their sum */
    struct session_tally tally;
    uint32_t row;         /* of the roster; 0 = none */
    uint32_t shown_bytes; /* session_moved_bytes when the row was written */
    struct door_guest guest;
    struct reactor_timer timer;
    uint64_t timer_at_ms; /* 0 = not armed */
    struct reactor_deferred retire;
    struct sockaddr_in6 peer;  /* or a sockaddr_in; a struct addr is larger, for a Unix path */
    struct session_told *told; /* owned; NULL: the peer is the client */
    uint64_t id;

    struct life_times times; /* the reactor's time */
    uint64_t started_ms;     /* the same */
    uint64_t connect_ms;     /* how long dialling took */

    uint32_t client_rtt_us; /* when the session left OPEN; 0 = unknown */
    uint32_t dialled_bytes; /* low bits of what the backend had been sent when it had accepted */
    uint64_t member;        /* the address of a set that the session has; 0 = none */
    struct limits_holds holds;

    const char *detail;            /* constant; for the log and the Close reason */
    char *sni;                     /* owned; of a handshake that failed, else NULL */
    struct peer_cert *client_cert; /* owned; NULL: the client has shown none */
    const char *tls_version;       /* constant; NULL on a plain listener or before the handshake */
    uint32_t file_requests;        /* answered with a file, or with why there is none */
    uint16_t http_status;          /* of the answer; 0 = none */
    bool is_close_lost;            /* the client's connection was broken when a Close was due */
    bool is_counted;               /* admitted: the scoreboard counts it */
    bool has_asked;                /* a byte of a request has come */
    bool is_no_proxy;              /* the listener expects a trusted proxy, and the peer is none */
    bool is_up_due;                /* an echo route has no dial: LIFE_EV_BACKEND_UP is due */
    bool is_no_memory_told;
    bool has_backend_place; /* `backend` counts this session */
    bool has_backend_spoken;
    bool is_shown_still; /* no unsent byte waited when the row was written */
    bool is_eof_due;     /* the client has ended, but the life does not know yet: held bytes
                                go first */
};

struct session_event {
    struct life_event life;
    const char *detail; /* constant or NULL; the first one of a session stays */
};

/* session.c: the dial_fn of every session. */
void session_on_dial(void *owner);

/* session.c: an event from outside. The session may be retired afterwards. */
void session_take_event(struct session *s, const struct session_event *event);
/* session.c: called last in every event. */
void session_settle(struct session *s);
/* session.c: what the two connections and the timer call. */
void session_on_client_ready(struct conn *conn, unsigned ready);
void session_on_backend_ready(struct conn *conn, unsigned ready);
void session_on_timer(struct reactor_timer *timer);

/* session_dial.c: what the route's backends hear before the client's first byte: a PROXY header in
 * `out`, or nothing. */
struct span session_introduction(const struct session *s, uint8_t out[PROXY_HEADER_BYTES_MAX]);
/* Dials the first backend; whatever comes of it shows in s->dial and session_is_dialled. */
void session_start_dial(struct session *s);
void session_cancel_dial(struct session *s);
/* True: the dial is decided, or no backend is left. */
bool session_is_dialled(const struct session *s);
/* Then: takes the result, or dials the next backend (LIFE_EV_COUNT) while the time lasts. */
struct session_event session_finish_dial(struct session *s);
/* The session has no backend any more, if it had one: another one may have its place. */
void session_leave_backend(struct session *s);
/* The backend has sent its first byte, or has reset the connection. */
void session_note_spoken(struct session *s);
void session_note_reset(struct session *s);

/* session_pending.c: finds the event that follows from the state alone. Each such event changes the
 * state, so session_settle() comes to an end. False: none is pending. */
bool session_take_pending(struct session *s, struct session_event *out);

/* session_front.c: who the client is. The only place that knows: len 0 means that a proxy in front
 * does not tell, or has not told yet. */
void session_client_address(const struct session *s, struct addr *out);
void session_peer_address(const struct session *s, struct addr *out);
/* The client is again whom the connection itself tells of, for the next request. */
void session_forget_client(struct session *s);
/* The request tells of another client than was known. False: no memory. */
MUST_CHECK bool session_tell_client(struct session *s, const struct addr *client);
/* The client's address is known as far as it can be before TLS. The session calls this once: when
 * it starts, or when its PROXY header has come. */
void session_know_client(struct session *s);
/* Counts the connection for a client whom a proxy has told, as the listener counts its peers.
 * False: *out refuses it. */
MUST_CHECK bool session_count_source(struct session *s, struct session_event *out);
/* A PROXY header must come first; it takes over `tls` unless there is no memory (false). */
MUST_CHECK bool session_await_header(struct session *s, struct tls *tls);
/* Takes bytes that conn_read gave while the header is due; *data and *len then are what came behind
 * it, decrypted where the listener has TLS. out->life.type is LIFE_EV_COUNT: no event. */
MUST_CHECK enum conn_result session_take_header(struct session *s, uint8_t **data, size_t *len,
                                                struct session_event *out);
/* NULL: there is none, it is not complete, or it is gone. */
const struct proxy_header *session_header(const struct session *s);
void session_drop_header(struct session *s);

/* session_act.c: carries out the actions (enum life_action, or-ed). */
void session_act(struct session *s, unsigned actions);

/* session_request.c: parses bytes that come in the phase REQUEST. False: the head goes on. */
bool session_take_head(struct session *s, const uint8_t *data, size_t len,
                       struct session_event *out);
/* Frees the request, if there is one. */
void session_drop_request(struct session *s);
/* The part of that which belongs to one request, not to the connection. */
void session_drop_head(struct session *s);
/* Each says one thing to the client that the life asks for. */
void session_send_accept(struct session *s);
void session_send_refusal(struct session *s);
void session_send_http(struct session *s);
void session_send_close(struct session *s);

/* session_enter.c: the configuration in force judges what comes later than its request, and says
 * how many sessions there may be: a token that a reload has taken back opens nothing. NULL: the
 * route is gone. */
const struct config_route *session_route_in_force(const struct session *s);
/* Lets a client in whose request is admitted, if the limits have a place and it
 * proves who it is. `token` is its first message; NULL before there is one. LIFE_EV_REQUEST_OK: it
 * is in, or the life waits for its first message; LIFE_EV_END: it is refused; LIFE_EV_COUNT:
 * session_is_asking. */
struct session_event session_let_in(struct session *s, const struct token *token);
/* The part of that which says who the client is, and what follows from its event. */
struct session_event session_identify(struct session *s, const struct token *token);
struct session_event session_settle_place(struct session *s, const struct session_event *event);
/* A client that ends before it has a session gives back what it took for one. */
void session_give_back(struct session *s);
/* The client's source has guessed wrong: a credential, or the token of a target. */
void session_note_guess(struct session *s);
/* The client's credentials do not hold, or it showed none (enum identity_reason). */
struct session_event session_refuse_who(struct session *s, unsigned reason, const char *detail);

/* session_files.c */
/* True: a file answers the request, or nobody may have it: *out says it. */
bool session_find_files(struct session *s, const struct admission_files *found,
                        struct session_event *out);
/* LIFE_DO_SEND_FILE. */
void session_send_file(struct session *s);
/* A turn begins. True: the client was owed a part of a file, and got what it takes. */
bool session_continue_files(struct session *s);
/* The event that follows from an answer alone, or from bytes that came before it. */
bool session_take_files(struct session *s, struct session_event *out);
/* Bytes behind a head wait until its file is sent. */
bool session_has_ahead(const struct session *s);
/* Keeps them. False: no memory. */
MUST_CHECK bool session_keep_ahead(struct session *s, const uint8_t *data, size_t len);
/* A byte of a request has come. */
void session_begin_request(struct session *s);
/* Tells of an answer that did not leave wholly. */
void session_end_files(struct session *s);
void session_drop_files(struct session *s);

/* session_target.c: which target the request chooses, on a route with targets. */
/* Puts the target into the plan of the dial. False: *out refuses the client. */
MUST_CHECK bool session_choose_target(struct session *s, struct session_event *out);
void session_drop_target(struct session *s);
/* The session's target, or backend `index` of its route. */
const struct config_backend *session_backend(const struct session *s, size_t index);
/* What the log may have of a request, where a part of it chooses the target: the path, and which
 * of the offers. */
struct span session_shown_path(const struct session *s, char *out, size_t size);
bool session_is_offer_shown(const struct session *s, struct span offer);

/* session_ticket.c: the single-use token of a client, if it has one. */
/* Uses it. False: *out refuses the client. */
MUST_CHECK bool session_use_ticket(struct session *s, struct session_event *out);
/* The session has ended: the token may open another one, as far as its section lets it. */
void session_leave_ticket(struct session *s);
/* The token opens nothing more. */
void session_end_ticket(struct session *s);

/* session_token.c */
/* The 101 asks for a token: the pump collects the first message. */
void session_await_token(struct session *s);
/* The first message is whole: judges and wipes it. */
struct session_event session_take_token(struct session *s);

/* session_password.c: asks whether the request's password is right. True: request->password says
 * it now. False: *out is the event. Takes the answer's token over. */
bool session_ask_password(struct session *s, struct identity_answer *answer,
                          struct session_event *out);
/* The request is complete, and waits for the answer. */
bool session_is_asking(const struct session *s);
/* The session has left the phase REQUEST, and wants no answer any more. */
void session_stop_asking(struct session *s);

/* session_timer.c */
struct life_deadline session_deadline(const struct session *s);
void session_set_timer(struct session *s);
/* Says when to look whether the client's proof still holds. False: it does not any more. */
bool session_await_expiry(struct session *s);
/* The timer rang: *out is what the deadline leads to. False: nothing. */
bool session_take_deadline(struct session *s, struct session_event *out);

/* session_tally.c: monitoring. Each is harmless where nobody counts. */
void session_tally_start(struct session *s);
void session_tally_route(struct session *s); /* s->route has become known */
/* s->who has become known. */
void session_tally_identity(struct session *s);
void session_tally_refusal(struct session *s, unsigned reason); /* enum identity_reason */
void session_tally_phase(struct session *s, enum life_phase before);
void session_tally_handshake(struct session *s);
/* In the phase DIAL: so it went with backend `index` of the route. */
void session_tally_dial(struct session *s, size_t index, const struct dial_outcome *outcome);
/* One session more or less that has this backend. */
void session_tally_place(struct session *s, size_t index, bool is_taken);
void session_tally_now(struct session *s);
/* The session leaves OPEN: what the kernel knows of the two sides now, before they close. */
void session_tally_kernel(struct session *s);
void session_tally_end(struct session *s);

/* session_show.c: the session's row of the roster. Each is harmless where nobody looks. */
void session_show(struct session *s);
void session_show_end(struct session *s);

/* session_ends.c: ends the session, unless it has ended; `detail` is a constant, or NULL. */
void session_end_one(struct session *s, enum life_ending ending, const char *detail);

/* session_log.c: "0-17": the worker's slot and a number that the slot gives out once. */
#define SESSION_ID_TEXT 48
struct span session_id_text(const struct session *s, char out[SESSION_ID_TEXT]);

#define SESSION_TALLY_BYTES 65536 /* a session that moved fewer is counted later */

/* Wire bytes of both sides, each way. */
static inline uint64_t session_moved_bytes(const struct session *s)
{
    const struct conn *client = &s->pump.client;
    const struct conn *backend = &s->pump.backend;
    return client->received_bytes + client->sent_bytes + backend->received_bytes +
           backend->sent_bytes;
}

static inline bool session_is_header_due(const struct session *s)
{
    return s->told != NULL && s->told->is_header_due;
}

/* Wire bytes of the client itself: those behind a PROXY header. */
static inline uint64_t session_client_bytes(const struct session *s)
{
    return s->pump.client.received_bytes - (s->told != NULL ? s->told->header_bytes : 0);
}

/* Called last in every event. */
static inline void session_tally(struct session *s)
{
    const struct session_tally *t = &s->tally;
    if ((uint32_t)session_moved_bytes(s) - t->moved_bytes >= SESSION_TALLY_BYTES ||
        conn_queued(&s->pump.client) != t->queued_bytes[SEAT_CLIENT] ||
        conn_queued(&s->pump.backend) != t->queued_bytes[SEAT_BACKEND] ||
        s->times.is_client_paused != (t->paused_since_ms[SEAT_CLIENT] != 0)) {
        session_tally_now(s);
    }
}

/* session_log.c */
struct log_line;
/* The words `id`, `client` and whatever else names its parties. */
void session_log_parties(struct log_line *line, const struct session *s);
/* The connection asked for nothing and broke no rule, and nothing failed here. */
bool session_is_probe(const struct session *s);
/* Of the Close that the client was sent, LIFE_NO_CODE for an empty one; 0 = none. */
uint16_t session_close_code(const struct session *s);
/* A handshake that fails is told with the name that the client asked for; the TLS session ends
 * before the line is written. */
void session_keep_sni(struct session *s);
void session_log_open(const struct session *s);
void session_log_step(const struct session *s, const struct life *before,
                      const struct life_event *event, unsigned actions);
void session_log_end(const struct session *s);

#endif
