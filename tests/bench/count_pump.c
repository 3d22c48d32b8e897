/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A session without listener and dial: the work of gate/session in one event of an open session. */
#include <sys/socket.h>

#include "count.h"

static void on_ready(struct conn *conn, unsigned ready)
{
    (void)conn;
    (void)ready;
}

void session_make(struct count_session *s, struct tls *tls, bool is_echo)
{
    int fds[2];
    s->reactor = reactor_new();
    if (s->reactor == NULL || !scratch_init(&s->scratch) ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) {
        count_die("no reactor, scratch or sockets");
    }
    pump_init(&s->pump, &s->scratch, on_ready, on_ready);
    pump_configure(&s->pump, 64 * 1024UL, 16 * 1024UL, WS_ACCEPT_ANY, 0, is_echo);
    struct carrier client = carrier_of_socket(s->reactor, fds[0]);
    conn_open(&s->pump.client, &client, tls);
    if (!is_echo) {
        struct carrier backend = carrier_of_socket(s->reactor, fds[1]);
        conn_open(&s->pump.backend, &backend, NULL);
    }
    life_init(&s->life, false);
    s->life.phase = LIFE_OPEN;
    s->life.client = LIFE_SIDE_UP;
    s->life.backend = is_echo ? LIFE_SIDE_GONE : LIFE_SIDE_UP;
    s->life.route.has_backend = !is_echo;
    s->life.is_websocket = s->life.has_upgraded = true;
}

void session_up(struct count_session *s)
{
    struct pump_report report;
    uint8_t *data = NULL;
    size_t len = 0;
    if (conn_read(&s->pump.client, pump_client_room(&s->pump), &data, &len) != CONN_OK) {
        count_die("the client could not be read");
    }
    pump_client_bytes(&s->pump, data, len, PUMP_FORWARD, &report);
    pump_interest(&s->pump, &s->life);
    if (report.verdict != PUMP_MORE || !report.has_payload) {
        count_die("the client's bytes were not taken");
    }
}

void session_down(struct count_session *s)
{
    struct pump_report report;
    uint8_t *data = NULL;
    size_t len = 0;
    if (conn_read(&s->pump.backend, pump_backend_room(&s->pump), &data, &len) != CONN_OK) {
        count_die("the backend could not be read");
    }
    pump_backend_bytes(&s->pump, data, len, &report);
    pump_interest(&s->pump, &s->life);
    if (report.verdict != PUMP_MORE) {
        count_die("the backend's bytes were not taken");
    }
}
