/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One session between a client that is memory and a backend that is a real socket. The kit shows
 * what both of them see. It uses nothing of the session but session.h. */
#ifndef TESTS_UNIT_SESSION_KIT_H
#define TESTS_UNIT_SESSION_KIT_H

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "check.h"
#include "conf/config.h"
#include "gate/session.h"
#include "memory_carrier.h"
#include "proto/mask.h"
#include "proto/ws.h"

#define KIT __attribute__((unused)) static
#define KIT_BYTES ((size_t)8 * 1024 * 1024) /* for each direction of each side */
#define KIT_WAIT_MS 5000
#define KIT_HEAD_END "\r\n\r\n"

struct kit_heard {
    uint8_t data[KIT_BYTES];
    size_t len;
};

struct kit {
    struct session_context context;
    struct scratch scratch;
    struct config *config;
    struct seats *seats; /* of this kit; the shared memory stays */
    struct seat *seat;
    struct memory client;
    int listener;
    int backend; /* -1 before the backend has accepted */
    enum { KIT_BACKEND_SPEAKS = 0, KIT_BACKEND_FIN, KIT_BACKEND_RST } backend_end;
    bool is_backend_deaf;   /* the backend does not read */
    bool is_backend_ending; /* the backend sends FIN behind its bytes */
    const uint8_t *backend_says;
    size_t backend_left;
    unsigned gone_count;
};

static uint8_t kit_client_fifo[KIT_BYTES];
static struct kit_heard kit_client_heard; /* without the HTTP head once kit_take_answer has run */
static struct kit_heard kit_backend_heard;

KIT void kit_on_gone(struct session_context *context)
{
    container_of(context, struct kit, context)->gone_count++;
}

KIT void kit_hear(struct kit_heard *heard, const void *data, size_t len)
{
    memory_expect(len <= KIT_BYTES - heard->len, "room for what is heard");
    memcpy(heard->data + heard->len, data, len);
    heard->len += len;
}

KIT void kit_on_sent(struct memory *m, const uint8_t *data, size_t len)
{
    (void)m;
    kit_hear(&kit_client_heard, data, len);
}

KIT uint16_t kit_listen(struct kit *k)
{
    struct addr a;
    const char *error = NULL;
    memory_expect(addr_parse(SPAN_LIT("127.0.0.1:0"), &a), "an address");
    k->listener = net_listen(&a, &error);
    int small = 4096; /* an accepted socket inherits this; the kernel soon takes no more */
    setsockopt(k->listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    memory_expect(k->listener != -1 && net_local_addr(k->listener, &a), "a port");
    return addr_port(&a);
}

/* `server` and `route` are lines of their sections. The routes are /echo, /tcp (a listening socket)
 * and /closed (a port where nobody listens). */
KIT void kit_configure(struct kit *k, const char *server, const char *route)
{
    char text[4096];
    struct report report = {NULL, 0, false};
    uint16_t closed = kit_listen(k);
    close(k->listener);
    uint16_t port = kit_listen(k);
    int len = snprintf(text, sizeof(text),
                       "[server]\n%s\n[listen l]\naddress = 127.0.0.1:1\n[defaults]\n"
                       "origins = https://ok.example, none\n%s\n"
                       "[route echo]\npath = /echo\nbackend = echo:\n"
                       "[route tcp]\npath = /tcp\nbackend = tcp://127.0.0.1:%u\n"
                       "[route closed]\npath = /closed\nbackend = tcp://127.0.0.1:%u\n",
                       server, route, port, closed);
    memory_expect(len > 0 && (size_t)len < sizeof(text), "a short configuration");
    k->config = config_parse((struct span){text, (size_t)len}, &report);
    if (k->config == NULL) {
        report_print(&report, "kit.ini", stdout);
    }
    report_done(&report);
    memory_expect(k->config != NULL, "a configuration without mistakes");
}

/* Opens a worker without sessions. */
KIT void kit_open(struct kit *k, const char *server, const char *route)
{
    static struct scoreboard *board;
    board = board != NULL ? board : scoreboard_new(1, 0);
    *k = (struct kit){.backend = -1};
    kit_client_heard.len = kit_backend_heard.len = 0;
    kit_configure(k, server, route);
    k->context = (struct session_context){
        .reactor = reactor_new(),
        .scratch = &k->scratch,
        .config = k->config,
        .scoreboard = board,
        .on_gone = kit_on_gone,
    };
    k->seats = seats_new(1, k->config);
    memory_expect(k->seats != NULL, "shared memory");
    k->seat = seat_new(k->seats, 0, k->config);
    k->context.seat = k->seat;
    memory_expect(k->seat != NULL && board != NULL && k->context.reactor != NULL &&
                      scratch_init(&k->scratch),
                  "memory");
    memset(&board->slots[0], 0, sizeof(board->slots[0]));
    list_init(&k->context.sessions);
    memory_init(&k->client, kit_client_fifo, sizeof(kit_client_fifo));
    k->client.on_sent = kit_on_sent;
}

KIT bool kit_start(struct kit *k)
{
    static const struct limits_holds no_holds = {.connection = {0}};
    struct addr peer;
    struct carrier carrier = memory_carrier(&k->client);
    memory_expect(addr_parse(SPAN_LIT("192.0.2.1:1234"), &peer), "an address");
    return session_start(&k->context, &k->config->listens[0], &carrier, NULL, &peer, &no_holds);
}

/* --- turns ----------------------------------------------------------------------------------*/

KIT void kit_backend_turn(struct kit *k)
{
    static uint8_t block[64 * 1024];
    struct addr peer;
    if (k->backend == -1 && net_accept(k->listener, &k->backend, &peer) != NET_ACCEPT_OK) {
        k->backend = -1;
        return;
    }
    ssize_t sent = k->backend_left == 0 ? 0
                                        : send(k->backend, k->backend_says, k->backend_left,
                                               MSG_DONTWAIT | MSG_NOSIGNAL);
    k->backend_says += sent > 0 ? sent : 0;
    k->backend_left -= sent > 0 ? (size_t)sent : 0;
    if (k->is_backend_ending && k->backend_left == 0) {
        shutdown(k->backend, SHUT_WR);
        k->is_backend_ending = false;
    }
    if (k->is_backend_deaf || k->backend_end != KIT_BACKEND_SPEAKS) {
        return;
    }
    ssize_t got = recv(k->backend, block, sizeof(block), MSG_DONTWAIT);
    if (got > 0) {
        kit_hear(&kit_backend_heard, block, (size_t)got);
    } else if (got == 0) {
        k->backend_end = KIT_BACKEND_FIN;
    } else if (errno != EAGAIN) {
        k->backend_end = KIT_BACKEND_RST;
    }
}

KIT void kit_turn(struct kit *k)
{
    memory_poll(&k->client);
    reactor_turn(k->context.reactor, true);
    kit_backend_turn(k);
}

typedef bool kit_fn(const struct kit *k);

/* Turns until `is_so` says yes; sleeps only when the client has nothing to do. Returns false after
 * a long wait. */
KIT bool kit_until(struct kit *k, kit_fn *is_so)
{
    for (int tries = 0; !is_so(k); tries++) {
        if (tries == KIT_WAIT_MS) {
            return false;
        }
        kit_turn(k);
        if (memory_ready(&k->client) == 0 && !is_so(k)) {
            usleep(1000);
        }
    }
    return true;
}

KIT bool kit_is_gone(const struct kit *k)
{
    return k->gone_count > 0;
}

KIT bool kit_has_fin(const struct kit *k)
{
    return k->client.has_fin;
}

KIT bool kit_is_backend_ended(const struct kit *k)
{
    return k->backend_end != KIT_BACKEND_SPEAKS;
}

KIT bool kit_is_answered(const struct kit *k)
{
    (void)k;
    return memmem(kit_client_heard.data, kit_client_heard.len, KIT_HEAD_END, 4) != NULL;
}

/* Takes some turns more than the session can need. */
KIT void kit_settle(struct kit *k)
{
    for (int i = 0; i < 20; i++) {
        kit_turn(k);
        usleep(200);
    }
}

/* --- what the two say -----------------------------------------------------------------------*/

KIT void kit_client_says(struct kit *k, const char *text)
{
    memory_push(&k->client, text, strlen(text));
}

KIT void kit_client_frame(struct kit *k, uint8_t first, const void *payload, size_t len)
{
    static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t head[WS_HEADER_MAX];
    size_t head_len = ws_encode_header(head, WS_BINARY, true, len);
    head[0] = first;
    head[1] |= 0x80;
    memory_push(&k->client, head, head_len);
    memory_push(&k->client, key, sizeof(key));
    uint8_t *masked = k->client.in + k->client.in_len;
    memory_push(&k->client, payload, len);
    mask_apply(masked, len, key, 0);
}

KIT void kit_backend_says(struct kit *k, const void *data, size_t len)
{
    k->backend_says = data;
    k->backend_left = len;
}

KIT void kit_client_closes(struct kit *k)
{
    kit_client_frame(k, 0x88, "\x03\xe8", 2);
}

/* The client answers our Close and ends. */
KIT void kit_client_leaves(struct kit *k)
{
    kit_client_frame(k, 0x88, "", 0);
    k->client.is_in_fin = true;
}

KIT void kit_heard_is(const char *row, const void *data, size_t len)
{
    CHECK_EQ_MEM(row, kit_client_heard.data, kit_client_heard.len, data, len);
}

#define KIT_REQUEST(path, lines) \
    "GET " path " HTTP/1.1\r\nHost: h.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" lines "\r\n"
#define KIT_ECHO KIT_REQUEST("/echo", "")
#define KIT_TCP KIT_REQUEST("/tcp", "")
#define KIT_ACCEPT_LINE "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

/* Returns the status of the answer, 0 = none. What follows its head stays in kit_client_heard. */
KIT unsigned kit_take_answer(struct kit *k)
{
    static const char version[] = "HTTP/1.1 ";
    struct kit_heard *heard = &kit_client_heard;
    if (!kit_until(k, kit_is_answered) || memcmp(heard->data, version, strlen(version)) != 0) {
        return 0;
    }
    unsigned status = (unsigned)strtoul((const char *)heard->data + strlen(version), NULL, 10);
    const uint8_t *end = memmem(heard->data, heard->len, KIT_HEAD_END, 4);
    size_t head_len = (size_t)(end - heard->data) + 4;
    heard->len -= head_len;
    memmove(heard->data, heard->data + head_len, heard->len);
    return status;
}

/* Brings a session to OPEN. */
KIT bool kit_connect(const char *row, struct kit *k, const char *request)
{
    kit_client_says(k, request);
    return CHECK_TRUE(row, kit_start(k)) && CHECK_EQ_U64(row, kit_take_answer(k), 101);
}

/* How many sessions have ended so. */
KIT uint64_t kit_endings(const struct kit *k, enum life_ending ending)
{
    uint64_t count = 0;
    for (size_t row = 0; row < seats_route_count(k->seats); row++) {
        for (size_t at = 0; at < SEAT_ENDS; at++) {
            struct seats_end end;
            if (seats_end(k->seats, row, at, &end) && end.ending == ending) {
                count += seat_get(&seats_route(k->seats, 0, row)->ended[at]);
            }
        }
    }
    return count;
}

/* Nothing is open or waits. */
KIT void kit_has_no_gauge(const char *name, const struct kit *k)
{
    for (size_t row = 0; row < seats_route_count(k->seats); row++) {
        const struct seat_route *route = seats_route(k->seats, 0, row);
        for (size_t i = 0; i < LIFE_DEAD; i++) {
            CHECK_EQ_U64(name, seat_get(&route->phases[i]), 0);
        }
        CHECK_EQ_U64(name, seat_get(&route->queued_bytes[SEAT_CLIENT]), 0);
        CHECK_EQ_U64(name, seat_get(&route->queued_bytes[SEAT_BACKEND]), 0);
    }
}

KIT void kit_drop(struct kit *k)
{
    seat_free(k->seat);
    reactor_free(k->context.reactor);
    scratch_done(&k->scratch);
    config_free(k->config);
    close(k->listener);
    if (k->backend != -1) {
        close(k->backend);
    }
}

/* Checks that the session is gone and counted under its ending. */
KIT void kit_close(const char *row, struct kit *k, enum life_ending ending)
{
    const struct scoreboard_slot *slot = &k->context.scoreboard->slots[0];
    CHECK_TRUE(row, kit_until(k, kit_is_gone));
    CHECK_EQ_U64(row, k->gone_count, 1);
    CHECK_EQ_U64(row, k->context.session_count, 0);
    CHECK_EQ_U64(row, slot->sessions_now, 0);
    CHECK_EQ_U64(row, kit_endings(k, ending), 1);
    kit_has_no_gauge(row, k);
    CHECK_TRUE(row, k->client.state > MEMORY_OPEN);
    kit_drop(k);
}

#endif
