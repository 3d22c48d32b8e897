/* SPDX-License-Identifier: GPL-3.0-or-later */
/* life.h: the life cycle of a session, and every way it can end.
 *
 * Ahead of the program: nothing reports LIFE_RATE. The tests of the life cover it.
 *
 * For: event in, next phase and a set of actions out; which deadline runs; the table of endings.
 * Not for: carrying anything out, sockets, clocks. Pure and total: every event is legal in every
 * phase, every path reaches DEAD, at most one 101 or HTTP answer and one Close are sent, the first
 * reason wins.
 *
 *   TLS -> REQUEST -> [TOKEN ->] DIAL -> OPEN -> [HALF_CLOSED ->] CLOSING -> LINGER -> DEAD
 *           |  ^         |         |                                 ^         ^
 *           +--|---------+---------+--> a Close, its 101 before it --+         |
 *           +--|-------------------+--> ANSWER: an HTTP answer ----------------+
 *           v  |                            ^
 *          SERVING: a file -----------------+ the last one of the connection
 *
 * A connection may ask for any number of files, one after the other, and then for a session.
 * SERVING has no ending: LIFE_EV_SERVED leads back to REQUEST. The caller does not read the client
 * meanwhile, so what it asks next waits. A reason to end that comes in SERVING lets the answer that
 * has begun leave, since the client would take anything else for a part of the file. In REQUEST,
 * before the first byte of a further request (LIFE_SERVED_KEPT), nobody waits for an answer: then
 * the connection ends without one.
 *
 * The 101 is sent on the way into OPEN, so that `onopen` means that the service is there. On a
 * route with `is_token_first` the client says in its first message who it is: then the 101 is
 * sent on the way into TOKEN, and OPEN begins without another one. So `has_upgraded`, not the
 * phase, decides whether we speak WebSocket or HTTP to the client. A refusal before the 101 is an
 * HTTP answer, or the 101 and at once a Close; after the 101 it is a Close.
 *
 * The caller reads the client in TOKEN, but not in DIAL: there what the client sends waits in the
 * kernel. The caller keeps bytes that came behind the token in the same read, and decodes them when
 * OPEN begins; then it reports a Close among them. A FIN or a reset that the caller sees in DIAL
 * ends the session at once.
 *
 * The two sides end apart from each other: a side that is DRAINING still has queued bytes to
 * deliver, one that is LINGERING has sent its FIN and discards input until the peer's EOF, one that
 * is GONE has no descriptor. The session is DEAD when both are GONE. The session's phase is the
 * client's view; the backend may drain behind it.
 *
 * Half-close: RFC 6455 lets us send data until we have answered the client's Close. So a Close
 * becomes the backend's FIN, and what the backend still says goes to the client until it ends or
 * close_ms are over (HALF_CLOSED); then comes our Close. The other way round there is no such thing
 * as half a WebSocket: a backend's FIN ends the session, unless the route keeps it (is_half_open).
 *
 * Actions never change the phase; the caller carries them out in the order of the enum and reports
 * what happened as new events, never from inside an action. */
#ifndef PROTO_LIFE_H
#define PROTO_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum life_phase {
    LIFE_TLS = 0,
    LIFE_REQUEST,
    LIFE_SERVING, /* a file is being sent, and the connection stays */
    LIFE_TOKEN,   /* the 101 was sent; the client's first message must be a good token */
    LIFE_DIAL,
    LIFE_OPEN,
    LIFE_HALF_CLOSED, /* the client's Close has come; the backend may still speak */
    LIFE_CLOSING,     /* our Close is queued or sent, theirs may be out; or the client has sent its
                         FIN, gets no Close, and what is queued for it leaves */
    LIFE_ANSWER,      /* an HTTP answer is queued: a refusal or a page */
    LIFE_LINGER,
    LIFE_DEAD
};

enum life_ending {
    LIFE_NOT_ENDED = 0,
    /* refused by policy */
    LIFE_NO_ROUTE,
    LIFE_ORIGIN,
    LIFE_SUBPROTOCOL,
    LIFE_SOURCE,
    LIFE_AUTH,
    LIFE_TARGET,
    LIFE_LIMIT_SOURCE,
    LIFE_LIMIT_ROUTE,
    LIFE_FULL,
    /* backend */
    LIFE_BACKEND_REFUSED,
    LIFE_BACKEND_TIMEOUT,
    LIFE_BACKEND_NAME,
    LIFE_BACKEND_TLS,
    LIFE_BACKEND_RESET,
    LIFE_BACKEND_CLOSE,
    LIFE_BACKEND_STALLED,
    LIFE_BACKEND_DATA, /* what it sent does not fit the route's payload or framing */
    /* no legal opening handshake */
    LIFE_BAD_REQUEST,
    LIFE_HEAD_TOO_BIG,
    LIFE_HEAD_TOO_SLOW,
    /* client */
    LIFE_CLIENT_CLOSE,
    LIFE_CLIENT_EOF, /* FIN between messages, over TLS behind close_notify */
    LIFE_CLIENT_CUT, /* any other FIN: somebody may have cut the stream */
    LIFE_CLIENT_RESET,
    LIFE_CLIENT_LOST,
    LIFE_CLIENT_STALLED,
    LIFE_PROTOCOL,
    LIFE_BAD_CLOSE,
    LIFE_OPCODE,
    LIFE_BAD_TEXT,
    LIFE_FRAMING, /* a message that the route's framing cannot carry */
    LIFE_TOO_BIG,
    /* ours */
    LIFE_RATE,
    LIFE_AUTH_EXPIRED,
    LIFE_AUTH_REVOKED,
    LIFE_KICKED,
    LIFE_IDLE,
    LIFE_MAX_AGE,
    LIFE_SHUTDOWN,
    LIFE_DRAIN,
    LIFE_INTERNAL,
    /* before there was a request */
    LIFE_TLS_FAILED, /* handshake error, plain text or silence on the TLS port */
    /* a built-in page was served */
    LIFE_PAGE,
    /* files were served, and nobody asked for more */
    LIFE_FILES,
    LIFE_ENDING_COUNT
};

/* What each side gets from an ending. */
enum life_backend_end {
    LIFE_BACKEND_NONE = 0, /* never dialled, or already gone */
    LIFE_BACKEND_FIN,      /* queued bytes, then FIN */
    LIFE_BACKEND_RST
};
enum life_client_end {
    LIFE_CLIENT_SAY = 0, /* before the 101: HTTP, or the 101 with a Close; after it: a Close */
    LIFE_CLIENT_ECHO,    /* our Close has the code of the client's */
    LIFE_CLIENT_HTTP,    /* always HTTP: there was no legal opening to answer */
    LIFE_CLIENT_QUIET,   /* only a FIN: the client hears nothing, or cannot be told */
    LIFE_CLIENT_RST
};
/* What both sides call the code of an empty Close (RFC 6455 7.1.5); nobody sends it. */
#define LIFE_NO_CODE 1005

/* What an ending still does when it comes as a second reason. */
enum life_again {
    LIFE_AGAIN_HURRY = 0,   /* HALF_CLOSED waits no longer: our Close goes out */
    LIFE_AGAIN_CUT_CLIENT,  /* the client cannot be talked to: RST */
    LIFE_AGAIN_CUT_BACKEND, /* the backend gets an RST, and HALF_CLOSED waits no longer */
    LIFE_AGAIN_CUT_BOTH
};

/* One row of the endings table. Whatever follows from an ending is a column here. */
struct life_ending_row {
    const char *word;       /* log word and metric label */
    const char *reason;     /* the Close reason a page can read; "" = none */
    uint16_t http_status;   /* 0 = none */
    uint16_t close_code;    /* 0 = none */
    bool is_backend_row;    /* the route's `backend_code` replaces `close_code` */
    bool is_stream_lost;    /* the decoder lost its place: nobody can find the client's Close */
    bool is_told_in_detail; /* a detail, where there is one, replaces `reason` in the Close */
    bool is_taken_back; /* somebody ended it on purpose: a single-use token opens nothing more */
    enum life_client_end client;
    enum life_backend_end backend;
    enum life_again again;
};
const struct life_ending_row *life_ending_row(enum life_ending ending);

enum life_event_type {
    LIFE_EV_TLS_DONE = 0,
    LIFE_EV_REQUEST_OK,     /* admitted, but for the token where the route wants one */
    LIFE_EV_SERVE,          /* a file answers the request */
    LIFE_EV_SERVED,         /* the client's queue has taken all of the file */
    LIFE_EV_TOKEN_OK,       /* the first message was a good token; a bad one is LIFE_EV_END */
    LIFE_EV_BACKEND_UP,     /* connected (echo: at once) */
    LIFE_EV_END,            /* `ending` (not LIFE_NOT_ENDED) is why: also refusals, failed dials */
    LIFE_EV_KILL,           /* `shutdown` that waits for nothing: the step leads to DEAD */
    LIFE_EV_CLIENT_CLOSE,   /* a valid Close; `code` 0 = empty */
    LIFE_EV_CLIENT_EOF,     /* FIN between messages, over TLS behind close_notify */
    LIFE_EV_CLIENT_CUT,     /* any other FIN */
    LIFE_EV_CLIENT_RESET,   /* reset, or writing to it failed */
    LIFE_EV_CLIENT_FLUSHED, /* the client's out queue is empty */
    LIFE_EV_BACKEND_EOF,
    LIFE_EV_BACKEND_RESET,
    LIFE_EV_BACKEND_FLUSHED,  /* the backend's out queue is empty */
    LIFE_EV_DEADLINE,         /* the client side's deadline has passed */
    LIFE_EV_BACKEND_DEADLINE, /* the backend side's */
    LIFE_EV_COUNT
};

struct life_event {
    enum life_event_type type;
    enum life_ending ending; /* LIFE_EV_END */
    uint16_t code;           /* LIFE_EV_CLIENT_CLOSE */
};

/* The caller carries the actions out in this order. */
enum life_action {
    LIFE_DO_DIAL = 1 << 0,
    LIFE_DO_CANCEL_DIAL = 1 << 1,
    LIFE_DO_SEND_HTTP = 1 << 2,      /* an HTTP answer, with the status of the ending */
    LIFE_DO_SEND_FILE = 1 << 3,      /* begin the answer that is a file */
    LIFE_DO_ACCEPT_101 = 1 << 4,     /* on the way into TOKEN or OPEN: the chosen subprotocol */
    LIFE_DO_REFUSE_101 = 1 << 5,     /* the 101 of a refusal: the first offer; a Close follows */
    LIFE_DO_SEND_CLOSE = 1 << 6,     /* life.close_code, 0 = empty */
    LIFE_DO_BACKEND_ABORT = 1 << 7,  /* RST and close */
    LIFE_DO_BACKEND_FINISH = 1 << 8, /* shutdown(SHUT_WR): the queue is empty */
    LIFE_DO_BACKEND_CLOSE = 1 << 9,  /* close the descriptor */
    LIFE_DO_CLIENT_ABORT = 1 << 10,
    LIFE_DO_CLIENT_FINISH = 1 << 11, /* close_notify, shutdown(SHUT_WR) */
    LIFE_DO_CLIENT_CLOSE = 1 << 12,
    LIFE_DO_RETIRE = 1 << 13 /* log the one line, free at the end of the turn */
};

enum life_side {
    LIFE_SIDE_GONE = 0, /* no descriptor (any more); the backend starts here */
    LIFE_SIDE_UP,
    LIFE_SIDE_DRAINING,
    LIFE_SIDE_LINGERING
};

/* Whether the connection has got files; for REQUEST and SERVING. */
enum life_served {
    LIFE_SERVED_NOTHING = 0,
    LIFE_SERVED_KEPT, /* and no byte of a further request has come */
    LIFE_SERVED_ASKED /* a further request has begun to come */
};

/* What a route decides about a life. */
struct life_route {
    bool has_backend;      /* false for echo: routes: no backend side at all */
    bool is_http_refusal;  /* on_refuse = http; decides nothing after the 101 */
    bool is_half_open;     /* half_close = keep: a backend's FIN does not end the session */
    bool is_token_first;   /* the 101 and TOKEN come before DIAL */
    uint16_t backend_code; /* 1011 or 1014 */
};

struct life {
    enum life_phase phase;
    enum life_ending ending;  /* the first reason */
    enum life_phase ended_in; /* phase in which it came */
    enum life_side client;
    enum life_side backend;
    enum life_served served;
    struct life_route route;
    bool is_websocket; /* a legal opening was read: a 101 and a Close can answer it */
    bool has_upgraded; /* the 101 was sent: we speak WebSocket to the client, not HTTP */
    bool close_sent;
    bool close_received; /* or nothing readable can come any more */
    bool client_eof;
    bool backend_eof;
    uint16_t close_code;    /* what we sent or will send; 0 = empty */
    uint16_t received_code; /* the client's; 0 = none came, LIFE_NO_CODE = its Close was empty */
};

/* TLS listeners start in LIFE_TLS, plain ones in LIFE_REQUEST. */
void life_init(struct life *life, bool is_tls);
/* A legal opening was read; before LIFE_EV_REQUEST_OK or a refusal. */
void life_set_websocket(struct life *life);
/* The route is known, before LIFE_EV_REQUEST_OK or a refusal. Where no route fits, the caller gives
 * the server's `is_http_refusal`. */
void life_set_route(struct life *life, const struct life_route *route);

/* The first byte of a further request has come. */
void life_begin_request(struct life *life);

/* A reason to end has come, which does not change any more. */
bool life_has_ended(const struct life *life);

/* Returns the actions (enum life_action, or-ed). */
MUST_CHECK unsigned life_step(struct life *life, const struct life_event *event);

/* What may be read now; the pump's interest function adds the queue levels. A side that has ended
 * is read until its EOF: the client for its Close, then both to discard. */
bool life_reads_client(const struct life *life);
bool life_reads_backend(const struct life *life);
/* What the backend says goes to the client. */
bool life_forwards_backend(const struct life *life);

/* Timeouts of a session. 0 turns idle_ms, ping_interval_ms, end_ms and max_age_ms off. */
struct life_timeouts {
    uint64_t tls_ms;
    uint64_t request_ms;
    uint64_t kept_ms; /* for a further request to begin */
    uint64_t token_ms;
    uint64_t connect_ms;
    uint64_t idle_ms;
    uint64_t ping_interval_ms;
    uint64_t pong_ms;
    uint64_t write_ms;
    uint64_t close_ms;
    uint64_t end_ms; /* for the client to take all that waits for it when the session has ended */
    uint64_t linger_ms;
    uint64_t max_age_ms;
};

/* Points in time, monotonic, in milliseconds. 0 = not running. */
struct life_times {
    uint64_t phase_since_ms;   /* the phase began; CLOSING: also when our Close had left; ANSWER:
                                  also when the client was last excused */
    uint64_t open_since_ms;    /* OPEN began */
    uint64_t backend_since_ms; /* the backend side got its FIN */
    uint64_t end_since_ms;     /* the client side began to drain */
    uint64_t payload_ms;       /* last payload byte either way; also when a peer was last excused */
    uint64_t client_heard_ms;  /* last byte of any kind from the client */
    uint64_t ping_sent_ms;     /* a Ping is unanswered since */
    uint64_t expires_ms;       /* when to look whether the client's proof still holds */
    uint64_t client_stuck_ms;  /* the client's queue is not empty and has not moved since */
    uint64_t backend_stuck_ms; /* the same for the backend's */
    bool is_client_paused;     /* the client is not read: its Pong could not be seen */
    bool is_throttled;         /* a side waits for its rate: its payload could not be seen */
};

enum life_deadline_kind {
    LIFE_DEADLINE_NONE = 0,
    LIFE_DEADLINE_END,     /* send LIFE_EV_END with `ending` */
    LIFE_DEADLINE_CLIENT,  /* send LIFE_EV_DEADLINE */
    LIFE_DEADLINE_BACKEND, /* send LIFE_EV_BACKEND_DEADLINE */
    LIFE_DEADLINE_PING     /* send a Ping */
};

/* Progress that excuses a missed deadline: the peer has acknowledged more of our bytes. The caller
 * looks for it and starts the wait again, because a peer with megabytes of ours still in the kernel
 * may only be slow. */
enum life_excuse {
    LIFE_EXCUSE_NONE = 0,
    LIFE_EXCUSE_PONG,    /* the client's acknowledgements since ping_sent_ms */
    LIFE_EXCUSE_CLIENT,  /* the client's since client_stuck_ms; in ANSWER since phase_since_ms */
    LIFE_EXCUSE_BACKEND, /* the backend's since backend_stuck_ms */
    LIFE_EXCUSE_EITHER,  /* either's since payload_ms */
    LIFE_EXCUSE_CLOCK    /* no progress, but the time of day: expires_ms was an estimate */
};

struct life_deadline {
    enum life_deadline_kind kind;
    enum life_ending ending;
    enum life_excuse excuse;
    uint64_t at_ms;
};

/* The nearest deadline. */
struct life_deadline life_deadline(const struct life *life, const struct life_timeouts *timeouts,
                                   const struct life_times *times);

/* Log words; life_names.c. A value that the enum does not have is "unknown". */
const char *life_phase_name(enum life_phase phase);
const char *life_side_name(enum life_side side);
const char *life_event_name(enum life_event_type type);
const char *life_action_name(enum life_action action);

/* All of a step's actions in the order in which they are carried out, with a comma between two; ""
 * for none. Returns `out`. */
#define LIFE_ACTION_NAMES_MAX 176
const char *life_action_names(unsigned actions, char out[LIFE_ACTION_NAMES_MAX]);

#endif
