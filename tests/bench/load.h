/* SPDX-License-Identifier: GPL-3.0-or-later */
/* load.h: the parts of the load generator.
 *
 * The load generator has one thread, epoll and any number of connections to one address. It has a
 * WebSocket client of its own; with --raw it sends the same bytes without WebSocket. Below are TLS
 * (OpenSSL) or plain TCP. The role of a connection says what it does. load_main.c runs the stages:
 * open all connections and warm them up, wait for a line, run, report. Every failure ends the
 * process with a message that names the connection. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_BYTES (256 * 1024)  /* one recv */
#define PLAIN_BYTES (256 * 1024) /* frames that one step makes, or records that it opens */
#define FRAME_HEADER_MAX 14      /* a client's header, with the mask */
#define ANSWER_MAX 1024          /* head of the server's answer to the upgrade */

struct load_options {
    const char *address; /* IPv4 */
    int port;
    bool is_tls;
    bool is_raw;
    bool is_resumed;
    bool is_waiting; /* between warming up and running, wait for a line on standard input */
    const char *ca;
    const char *path; /* path of the WebSocket's URL */
    uint64_t connections;
    uint64_t message_bytes;
    uint64_t in_flight_bytes; /* echo: sent and not back yet */
    uint64_t total_bytes;     /* for each connection; `messages` counts all connections together */
    uint64_t warm_bytes;
    uint64_t warm_ms; /* age: from the command to the measured part */
    uint64_t seconds; /* age and rest: the measured part */
    uint64_t
        buffer_bytes; /* of the kernel for each direction of a connection; 0 = its own choice */
    uint64_t messages;
    uint64_t think_us; /* between an answer and the next message */
    uint64_t idle;     /* so many further connections do nothing */
    uint64_t concurrency;
    uint64_t deadline_s; /* for each stage */
};

/* --- load_stat.c: time and the distribution of latencies ------------------------------------ */

uint64_t stat_now_ns(void);

#define STAT_PART_BITS 6
#define STAT_BUCKETS ((64 - STAT_PART_BITS + 1) << STAT_PART_BITS)

/* Each bucket is a 64th of its value wide. */
struct stat_latency {
    uint64_t buckets[STAT_BUCKETS];
    uint64_t count;
    uint64_t max_ns;
};
void stat_add(struct stat_latency *s, uint64_t ns);
/* Returns microseconds, or 0 without values; `part` is between 0 and 1. */
double stat_percentile_us(const struct stat_latency *s, double part);

/* --- connections ---------------------------------------------------------------------------- */

enum load_phase {
    LOAD_UNUSED = 0,
    LOAD_CONNECTING,
    LOAD_TLS,
    LOAD_UPGRADE,
    LOAD_OPEN,
    LOAD_CLOSING, /* we have sent everything and wait for the end */
    LOAD_ENDED
};

/* Bytes that the kernel has not taken. */
struct load_queue {
    uint8_t *block;
    size_t head;
    size_t len;
    size_t size;
};

struct load;
struct load_conn;

/* What a connection does. `turn` follows each event and does the sending. */
struct load_role {
    const char *name;
    void (*warm)(struct load_conn *c); /* the session is open; calls load_ready once warm */
    void (*run)(struct load_conn *c);  /* the measured part begins */
    void (*payload)(struct load_conn *c, const uint8_t *data, size_t len);
    void (*turn)(struct load_conn *c);
};

struct load_conn {
    struct load *load;
    const struct load_role *role;
    uint32_t index;
    int fd;
    enum load_phase phase;
    uint32_t events; /* events that the connection waits for */
    SSL *ssl;
    struct load_queue out;

    /* frames from the server */
    char *answer; /* during the upgrade */
    size_t answer_len;
    uint8_t header[FRAME_HEADER_MAX];
    size_t header_len;
    bool in_payload;
    uint8_t opcode;
    uint64_t payload_left;
    uint8_t control[125];
    size_t control_len;

    /* fields of the role */
    bool is_ready;
    bool is_running;
    bool is_deaf;  /* the role reads nothing more */
    bool has_more; /* more to send: the role wants a turn when the queue is empty */
    uint64_t sent; /* payload, without commands */
    uint64_t sent_goal;
    uint64_t received;
    uint64_t received_goal;
    uint64_t warm_received; /* age: of these, before the measured part */
    uint8_t stamp[8];       /* age: what came of the block's stamp */
    uint8_t report[16];
    size_t report_have;
    uint64_t begin_ns;
    uint64_t due_ns;
};

struct load {
    struct load_options options;
    const struct load_role *role;
    int poll_fd;
    struct load_conn *conns;
    size_t conn_count;
    size_t opened;  /* connections begun */
    size_t ready;   /* warmed up */
    size_t settled; /* done with the run */
    bool is_running;
    bool is_done;
    bool is_stopped; /* standard input has ended */
    uint64_t stage_end_ns;
    uint64_t begin_ns;
    uint64_t end_ns;
    struct stat_latency latency;

    /* counts of all connections together */
    uint64_t messages_begun;
    uint64_t messages_ended;
    uint64_t told; /* rest: sessions that the server has ended with Close 1001 or 1012 */
    /* a ring of the connections that think, in the order in which they are due */
    struct load_conn **thinking;
    size_t thinking_head;
    size_t thinking_count;

    SSL_CTX *tls;
    SSL_SESSION *session; /* the newest ticket */
    uint64_t resumed;
    char tls_name[96];
    uint32_t random;

    uint64_t wire_ns;       /* when the last bytes came out of the kernel */
    const uint8_t *wire_at; /* what OpenSSL reads now */
    size_t wire_left;
    uint8_t wire[WIRE_BYTES];
    uint8_t plain[PLAIN_BYTES];
    uint8_t frames[PLAIN_BYTES];
};

__attribute__((format(printf, 2, 3), noreturn)) void load_fail(const struct load_conn *c,
                                                               const char *format, ...);

/* --- load_main.c ---------------------------------------------------------------------------- */

/* The connection is warm. */
void load_ready(struct load_conn *c);
/* The connection has done its part of the run. The last one ends the run. */
void load_settled(struct load_conn *c);
void load_finish(struct load *load);

/* --- load_conn.c ---------------------------------------------------------------------------- */

void conn_connect(struct load *load, struct load_conn *c);
void conn_event(struct load_conn *c, uint32_t ready);
/* Puts wire bytes into the queue. */
void conn_queue(struct load_conn *c, const void *data, size_t len);
/* Puts plain bytes into the queue, through TLS if the connection has any. */
void conn_push(struct load_conn *c, const void *data, size_t len);
void conn_flush(struct load_conn *c);
/* Sends Close, or close_notify and FIN, and then waits for the server's end. */
void conn_finish(struct load_conn *c);

/* --- load_tls.c ----------------------------------------------------------------------------- */

void tls_init(struct load *load);
void tls_begin(struct load_conn *c);
/* Takes wire bytes that came, and hands plain bytes to ws_input or to the role. */
void tls_input(struct load_conn *c, const uint8_t *wire, size_t len);
void tls_push(struct load_conn *c, const uint8_t *data, size_t len);
void tls_close(struct load_conn *c);

/* --- load_ws.c ------------------------------------------------------------------------------ */

/* Plain bytes can pass now: sends the upgrade; with --raw the session is open at once. */
void ws_begin(struct load_conn *c);
/* Takes plain bytes that came. */
void ws_input(struct load_conn *c, const uint8_t *data, size_t len);
/* Sends one message of `len` bytes. */
void ws_send(struct load_conn *c, const uint8_t *payload, size_t len);
/* Sends `count` bytes of pattern as messages of options.message_bytes; the last one may be
 * shorter. */
void ws_send_pattern(struct load_conn *c, uint64_t position, uint64_t count);
void ws_send_close(struct load_conn *c);

/* --- load_bulk.c, load_trip.c, load_age.c, load_stall.c ------------------------------------- */

#define MESSAGE_MAX (64 * 1024) /* PATTERN_RUN */

extern const struct load_role role_echo;     /* keeps in_flight_bytes on the way */
extern const struct load_role role_download; /* the backend sends */
extern const struct load_role role_upload;   /* the backend counts */
extern const struct load_role role_trip;     /* one message on the way */
extern const struct load_role role_idle;     /* stays open */
extern const struct load_role role_rest;     /* stays open, and counts Pings and Closes */
extern const struct load_role role_age;      /* notes how old the bytes are that come */
extern const struct load_role role_stall;    /* stops reading */
extern const struct load_role role_stall_up; /* sends to a backend that reads nothing */
extern const struct load_role role_open;     /* connects, gets one byte, closes */

/* Tells the backend its command, in a message of its own. */
void role_command(struct load_conn *c, char op, uint64_t count);
/* Returns where in the pattern this connection begins. */
uint64_t role_start(const struct load_conn *c);
/* Checks payload against the pattern and counts it. */
void role_check(struct load_conn *c, const uint8_t *data, size_t len);
/* Starts those that have thought long enough. Returns the time of the next one, or 0. */
uint64_t trip_think(struct load *load, uint64_t now_ns);
void trip_init(struct load *load);
/* Role `rest`: counts a Ping, and takes the server's Close. Returns false when it may not come. */
void rest_ping(struct load *load);
bool rest_close(struct load_conn *c, int code);
/* Role `rest`: ends the run when its time is over. */
void rest_check_time(struct load *load);
/* Role `open`: begins new connections until `concurrency` of them are under way. */
void open_more(struct load *load);

#endif
