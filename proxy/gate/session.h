/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session.h: one client, one backend, one life.
 *
 * For: owning both sides, the decoder, one timer and a life; feeding events, executing actions. Not
 * for: accepting (listener), draining all (worker), where bytes go (pump). One allocation; freed at
 * the end of the loop turn in which its life is DEAD, and only there.
 *
 * Every event ends in session_settle(): follow-up events until nothing is pending, then what was
 * held for them leaves, then the interest function, then the deadlines. */
#ifndef GATE_SESSION_H
#define GATE_SESSION_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "conf/config.h"
#include "gate/dial.h"
#include "gate/pump.h"
#include "gate/scoreboard.h"
#include "io/resolver.h"
#include "io/tls.h"
#include "proto/upgrade.h"

/* What all sessions of a worker share; owned by the worker. */
struct session_context {
    struct reactor *reactor;
    const struct scratch *scratch;
    struct resolver *resolver;
    const struct config *config;
    struct scoreboard *scoreboard;
    size_t slot;
    uint64_t next_id;
    struct list sessions; /* struct session.link */
    size_t session_count;
    bool is_draining;                                 /* new requests are refused with `shutdown` */
    void (*on_gone)(struct session_context *context); /* a session was freed */
    void (*on_rest)(struct session_context *context); /* one gave memory back; may be NULL */
};

/* The request: kept until the 101 is written, or until the end when it was refused. */
struct session_request {
    struct http_parser parser;
    struct upgrade_request upgrade;
    struct span subprotocol; /* chosen by the policy */
    bool is_deflate;         /* compression was agreed on */
    struct deflate_params deflate;
};

struct session {
    struct list link;
    struct session_context *context;
    const struct config_listen *listen;
    const struct config_route *route;     /* NULL until known */
    const struct config_backend *backend; /* connected, or tried last; NULL before */
    struct session_request *request;      /* NULL when no longer needed */
    struct dial *dial;                    /* NULL unless dialling */
    struct pump pump;
    struct life life;
    struct life_times times;
    struct reactor_timer timer;
    uint64_t timer_at_ms; /* 0 = not armed */
    struct reactor_deferred retire;
    struct sockaddr_in6 peer; /* or sockaddr_in: a struct addr has room for a Unix path too */
    uint64_t id;
    uint64_t started_ms;
    uint64_t connect_ms;        /* how long dialling took */
    uint64_t client_sent_bytes; /* conn.sent_bytes when progress was last seen */
    uint64_t backend_sent_bytes;
    uint64_t client_acked_bytes; /* conn_acked_bytes when its queue was last seen to move */
    uint64_t backend_acked_bytes;
    uint64_t ping_acked_bytes; /* the client's when the wait for a Pong began */
    const char *detail;        /* constant; for log and close reason */
    const char *tls_version;   /* constant; NULL on a plain listener or before the handshake */
    uint16_t http_status;      /* what was answered; 0 = nothing */
    bool is_close_lost;        /* the client could not be written any more when a Close was due */
    bool is_admitted;          /* counted in the scoreboard */
    bool is_up_due;            /* echo: "connected" is to be reported */
    bool is_no_memory_told;
};

/* Takes over the client's carrier; tls is NULL on a plain listener and taken over too. False: no
 * memory (both are closed). */
MUST_CHECK bool session_start(struct session_context *context, const struct config_listen *listen,
                              const struct carrier *carrier, struct tls *tls,
                              const struct addr *peer);

/* Ends it for a reason of the program's own (shutdown, drain, kicked). */
void session_end(struct session *s, enum life_ending ending);
/* Without any politeness: SIGQUIT, or the drain's time is over. */
void session_kill(struct session *s);

/* The client's address. */
void session_peer(const struct session *s, struct addr *out);

/* The one line at the end; session_log.c. */
void session_log(const struct session *s);

#endif
