/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session_peers.h: the carriers of the fuzzed session. They hand what the kernel takes to
 * session_wire.h or to the model. */
#ifndef FUZZ_SESSION_PEERS_H
#define FUZZ_SESSION_PEERS_H

#include "session_tls.h"

UNWATCHED_BEGIN

static void on_client_sent(struct memory *m, const uint8_t *data, size_t len)
{
    (void)m;
    if (listens[0].is_tls) {
        tls_heard(&world.tls, data, len);
    } else {
        wire_got(data, len);
    }
}

static void on_client_fin(struct memory *m)
{
    const struct session *s = world_session();
    const struct tls *tls = &world.tls;
    (void)m;
    expect(s != NULL, "a FIN comes before the end");
    expect(!listens[0].is_tls || tls->is_failed || tls->handshake_left > 0 ||
               (tls->is_finished && tls->heard_bytes == tls->made_bytes),
           "a close_notify goes before the FIN");
    wire_got_fin(&s->life);
}

static void on_backend_sent(struct memory *m, const uint8_t *data, size_t len)
{
    (void)m;
    model_backend_got(data, len);
}

static void on_backend_fin(struct memory *m)
{
    const struct session *s = world_session();
    (void)m;
    expect(s != NULL, "a FIN comes before the end");
    expect(s->life.ending != LIFE_CLIENT_CUT, "a cut stream does not end in order");
    bool is_whole = s->life.ending == LIFE_CLIENT_CLOSE || s->life.ending == LIFE_CLIENT_EOF;
    if (is_whole && !model.is_spoiled && !world.is_forced) {
        expect(model.up.got == model.up.len, "all that the client said before the FIN");
    }
}

static void note_backend_eof(void)
{
    const struct session *s = world_session();
    world.is_down_owed = s != NULL && life_forwards_backend(&s->life);
}

static enum net_result recv_checked(struct carrier *carrier, void *data, size_t size,
                                    size_t *out_len)
{
    struct memory *m = carrier->owner;
    expect((m->want & REACTOR_READ) != 0, "only what is wanted is read");
    unguard_plain();
    enum net_result result = memory_recv(carrier, data, size, out_len);
    if (result == NET_OK && data == scratch.plain) {
        guard_plain(*out_len);
    }
    if (result == NET_EOF && m == &world.backend && !m->is_in_rst) {
        note_backend_eof();
    }
    return result;
}

static struct carrier peer_carrier(struct memory *m)
{
    static struct carrier_ops checked;
    struct carrier carrier = memory_carrier(m);
    checked = *carrier.ops;
    checked.recv = recv_checked;
    carrier.ops = &checked;
    return carrier;
}

static void peers_init(uint8_t *client_fifo, uint8_t *backend_fifo)
{
    memory_init(&world.client, client_fifo, FIFO_MAX);
    world.client.on_sent = on_client_sent;
    world.client.on_fin = on_client_fin;
    memory_init(&world.backend, backend_fifo, FIFO_MAX);
    world.backend.on_sent = on_backend_sent;
    world.backend.on_fin = on_backend_fin;
}

UNWATCHED_END

#endif
