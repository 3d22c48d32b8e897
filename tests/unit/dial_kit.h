/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A dial, a name server of the test's own, and a listener. */
#ifndef TESTS_UNIT_DIAL_KIT_H
#define TESTS_UNIT_DIAL_KIT_H

#include "base/mem.h"
#include "check.h"
#include "dns_stub.h"
#include "gate/dial.h"
#include "give_up.h"

#define CANDIDATES_MAX 3

struct world {
    struct reactor *reactor;
    struct scratch scratch;
    struct resolver *resolver;
    struct stub stub;
    int listener; /* it listens on 127.0.0.LAST */
    uint16_t port;
    struct addr addrs[CANDIDATES_MAX];
    struct dial_candidate candidates[CANDIDATES_MAX];
    struct dial_plan plan;
    int calls;
    enum dial_result result;
    const char *detail;
    struct conn conn;
    size_t candidate;
};

static void ignore(struct conn *c, unsigned ready)
{
    (void)c;
    (void)ready;
}

static void on_decided(void *owner)
{
    struct world *w = owner;
    w->calls++;
}

/* Listens on 127.0.0.`last` only; every other loopback address refuses that port. */
static void world_open(struct world *w, const struct zone *zone, unsigned last)
{
    char text[ADDR_TEXT_MAX];
    struct addr a;
    const char *error = NULL;
    memset(w, 0, sizeof(*w));
    w->reactor = reactor_new();
    w->resolver = w->reactor == NULL ? NULL : resolver_new(w->reactor);
    snprintf(text, sizeof(text), "127.0.0.%u:0", last);
    if (w->resolver == NULL || !scratch_init(&w->scratch) || !addr_parse(span_from_str(text), &a)) {
        GIVE_UP();
    }
    w->listener = net_listen(&a, &error);
    if (w->listener < 0 || !net_local_addr(w->listener, &a)) {
        GIVE_UP();
    }
    w->port = addr_port(&a);
    stub_open(&w->stub, w->reactor);
    w->stub.zone = *zone;
    addr_print(&w->stub.addr, text, sizeof(text));
    if (!resolver_set_servers(w->resolver, text)) {
        GIVE_UP();
    }
    w->plan.candidates = w->candidates;
    w->plan.timeout_ms = 20000;
    conn_init(&w->conn, &w->scratch, 1000, ignore);
}

static void world_close(const char *row, struct world *w)
{
    int calls = w->calls;
    conn_close(&w->conn);
    resolver_free(w->resolver);
    stub_close(&w->stub);
    net_close(w->listener);
    reactor_turn(w->reactor, true);
    reactor_free(w->reactor);
    scratch_done(&w->scratch);
    CHECK_EQ_INT(row, w->calls, calls);
}

__attribute__((unused)) static void add_name(struct world *w)
{
    struct dial_candidate *c = &w->candidates[w->plan.candidate_count++];
    c->host = "backend.example";
    c->port = w->port;
}

__attribute__((unused)) static void add_literal(struct world *w, const char *host)
{
    struct addr *address = &w->addrs[w->plan.candidate_count];
    struct dial_candidate *c = &w->candidates[w->plan.candidate_count++];
    c->addresses = address;
    c->address_count = 1;
    if (!addr_parse_host(span_from_str(host), w->port, address)) {
        GIVE_UP();
    }
}

/* Returns true when the dial was decided before dial_start returned. */
static bool dial(struct world *w)
{
    struct dial *d = dial_start(w->reactor, w->resolver, &w->scratch, &w->plan, on_decided, w);
    if (d == NULL) {
        GIVE_UP();
    }
    bool is_instant = dial_is_decided(d);
    CHECK_EQ_INT("never from inside", w->calls, 0);
    while (!dial_is_decided(d)) {
        reactor_turn(w->reactor, false);
    }
    CHECK_EQ_INT("told", w->calls, is_instant ? 0 : 1);
    const struct dial_outcome outcome = dial_finish(d, &w->conn, &w->candidate);
    w->result = outcome.result;
    w->detail = outcome.detail;
    CHECK_EQ_INT("a detail", w->detail != NULL, w->result != DIAL_OK);
    return is_instant;
}

/* Listens on 127.0.0.`last` with a full queue: whoever dials this address hears nothing. Returns -1
 * when the port is taken. */
__attribute__((unused)) static int open_silent(unsigned last, uint16_t port, int fillers[2])
{
    struct addr a;
    char text[ADDR_TEXT_MAX];
    snprintf(text, sizeof(text), "127.0.0.%u:%u", last, port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!addr_parse(span_from_str(text), &a) || fd < 0) {
        GIVE_UP();
    }
    if (bind(fd, &a.u.sa, a.len) != 0 || listen(fd, 0) != 0) {
        net_close(fd);
        return -1;
    }
    for (int i = 0; i < 2; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fillers[i] < 0) {
            GIVE_UP();
        }
        (void)!connect(fillers[i], &a.u.sa, a.len);
    }
    return fd;
}

#endif
