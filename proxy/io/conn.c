/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/conn.h"

#include <assert.h>
#include <string.h>

#define TLS_RECORD_BYTES (16 * 1024)
#define TLS_RECORD_COST 64 /* as tls_seal's header says */

_Static_assert(SCRATCH_PLAIN >= SCRATCH_WIRE_IN + TLS_PLAIN_EXTRA, "room for tls_feed");
_Static_assert(SCRATCH_WIRE_OUT >=
                   SCRATCH_GATHER + (SCRATCH_GATHER / TLS_RECORD_BYTES + 2) * TLS_RECORD_COST,
               "room for tls_seal");

static void on_carrier(struct carrier *carrier, unsigned ready)
{
    struct conn *c = container_of(carrier, struct conn, carrier);
    c->on_ready(c, ready);
}

void conn_init(struct conn *c, const struct scratch *scratch, size_t out_limit_bytes,
               conn_ready_fn *on_ready)
{
    *c = (struct conn){.scratch = scratch, .on_ready = on_ready};
    buf_init(&c->out, out_limit_bytes);
}

void conn_open(struct conn *c, const struct carrier *carrier, struct tls *tls)
{
    assert(c->carrier.ops == NULL && carrier->ops != NULL);
    c->carrier = *carrier;
    c->carrier.on_ready = on_carrier;
    c->tls = tls;
}

bool conn_is_open(const struct conn *c)
{
    return c->carrier.ops != NULL;
}

uint64_t conn_acked_bytes(const struct conn *c)
{
    return c->sent_bytes - (conn_is_open(c) ? c->carrier.ops->unacked(&c->carrier) : 0);
}

void conn_local(const struct conn *c, struct addr *out)
{
    out->len = 0;
    if (conn_is_open(c)) {
        c->carrier.ops->local(&c->carrier, out);
    }
}

void conn_observe(const struct conn *c, struct net_state *out)
{
    *out = (struct net_state){.unsent_bytes = 0};
    if (conn_is_open(c)) {
        c->carrier.ops->observe(&c->carrier, out);
    }
}

void conn_bound_unsent(struct conn *c, size_t bytes)
{
    if (conn_is_open(c)) {
        c->carrier.ops->bound_unsent(&c->carrier, bytes);
    }
}

enum net_bound conn_bound_unread(struct conn *c, size_t bytes)
{
    return conn_is_open(c) ? c->carrier.ops->bound_unread(&c->carrier, bytes) : NET_BOUND_UNABLE;
}

void conn_want(struct conn *c, unsigned want)
{
    if (conn_is_open(c)) {
        c->carrier.ops->want(&c->carrier, want);
    }
}

/* --- sending ------------------------------------------------------------------------------- */

static void break_off(struct conn *c)
{
    c->is_broken = true;
    buf_clear(&c->out);
}

/* One send, of which the carrier took *out_sent bytes. False: the connection is broken. */
static bool send_now(struct conn *c, const struct iovec *iov, size_t count, bool is_corked,
                     size_t *out_sent)
{
    enum net_result result = c->carrier.ops->send(&c->carrier, iov, count, is_corked, out_sent);
    switch (result) {
    case NET_OK:
        c->sent_bytes += *out_sent;
        return true;
    case NET_AGAIN:
        return true;
    case NET_RESET:
        /* The kernel tells a reset once: a recv from now on would see a mere end of file. */
        c->is_reset = true;
        break_off(c);
        return false;
    case NET_EOF:
    case NET_REFUSED:
    case NET_UNREACHABLE:
    case NET_EXHAUSTED:
        break_off(c);
        return false;
    }
    return false;
}

/* Queues what follows the first `skip` bytes. */
static enum buf_result queue_rest(struct conn *c, const struct iovec *iov, size_t count,
                                  size_t skip)
{
    size_t i = 0;
    while (i < count && skip >= iov[i].iov_len) {
        skip -= iov[i].iov_len;
        i++;
    }
    if (i < count && skip > 0) {
        const uint8_t *piece = iov[i].iov_base;
        enum buf_result result = buf_append(&c->out, piece + skip, iov[i].iov_len - skip);
        if (result != BUF_OK) {
            return result;
        }
        i++;
    }
    return i < count ? buf_append_pieces(&c->out, iov + i, count - i) : BUF_OK;
}

/* Sends `total` wire bytes, more than none; the connection is not broken. */
static enum conn_result send_or_queue(struct conn *c, const struct iovec *iov, size_t count,
                                      size_t total)
{
    size_t sent = 0;
    if (c->out.len == 0) {
        if (!send_now(c, iov, count, c->is_corked, &sent)) {
            return CONN_RESET;
        }
        c->has_corked_bytes = c->is_corked;
    }
    if (sent < total && queue_rest(c, iov, count, sent) != BUF_OK) {
        break_off(c);
        return CONN_NO_MEMORY;
    }
    return CONN_OK;
}

static struct tls_wire empty_wire(const struct conn *c)
{
    return (struct tls_wire){.data = c->scratch->wire_out, .size = SCRATCH_WIRE_OUT};
}

static enum conn_result send_wire(struct conn *c, const struct tls_wire *wire)
{
    struct iovec piece = {.iov_base = wire->data, .iov_len = wire->len};
    if (c->is_broken) {
        return CONN_RESET;
    }
    if (wire->len == 0) {
        return CONN_OK;
    }
    return send_or_queue(c, &piece, 1, wire->len);
}

static size_t total_bytes(const struct iovec *iov, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += iov[i].iov_len;
    }
    return total;
}

/* Lays the pieces side by side for one call of the sealer, which fills records across them. */
static const uint8_t *gather(const struct conn *c, const struct iovec *iov, size_t count)
{
    if (count == 1) {
        return iov[0].iov_base;
    }
    uint8_t *end = c->scratch->gather;
    for (size_t i = 0; i < count; i++) {
        if (iov[i].iov_len > 0) {
            memcpy(end, iov[i].iov_base, iov[i].iov_len);
            end += iov[i].iov_len;
        }
    }
    return c->scratch->gather;
}

enum conn_result conn_send(struct conn *c, const struct iovec *iov, size_t count)
{
    if (!conn_is_open(c) || c->is_broken) {
        return CONN_RESET;
    }
    size_t total = total_bytes(iov, count);
    if (c->is_finished || total == 0) {
        return CONN_OK;
    }
    if (c->tls == NULL) {
        return send_or_queue(c, iov, count, total);
    }
    assert(total <= SCRATCH_GATHER);
    struct tls_wire wire = empty_wire(c);
    if (c->tls_input == CONN_TLS_INPUT_FAILED ||
        tls_seal(c->tls, gather(c, iov, count), total, &wire) != TLS_OK) {
        break_off(c);
        return CONN_RESET;
    }
    return send_wire(c, &wire);
}

void conn_cork(struct conn *c)
{
    c->is_corked = true;
}

void conn_uncork(struct conn *c)
{
    if (c->has_corked_bytes && conn_is_open(c)) {
        c->carrier.ops->uncork(&c->carrier);
    }
    c->has_corked_bytes = false;
    c->is_corked = false;
}

static void send_fin(struct conn *c)
{
    if (c->is_finished && !c->is_fin_sent && !c->is_broken && c->out.len == 0) {
        c->carrier.ops->finish(&c->carrier);
        c->is_fin_sent = true;
        c->has_corked_bytes = false;
    }
}

enum conn_result conn_flush(struct conn *c)
{
    if (!conn_is_open(c)) {
        return CONN_OK;
    }
    if (c->is_broken) {
        return CONN_RESET;
    }
    while (c->out.len > 0) {
        struct span waiting = buf_peek(&c->out);
        size_t sent = 0;
        struct iovec piece = {.iov_base = (void *)(uintptr_t)waiting.data, /* only read */
                              .iov_len = waiting.len};
        if (!send_now(c, &piece, 1, false, &sent)) {
            return CONN_RESET;
        }
        buf_consume(&c->out, sent);
        if (sent < waiting.len) {
            return CONN_AGAIN;
        }
    }
    send_fin(c);
    return CONN_OK;
}

/* --- receiving ----------------------------------------------------------------------------- */

static enum conn_result receive(struct conn *c, uint8_t *into, size_t size, size_t *out_len)
{
    switch (c->carrier.ops->recv(&c->carrier, into, size, out_len)) {
    case NET_OK:
        c->received_bytes += *out_len;
        return CONN_OK;
    case NET_AGAIN:
        return CONN_AGAIN;
    case NET_EOF:
        return c->is_reset ? CONN_RESET : CONN_EOF;
    case NET_RESET:
    case NET_REFUSED:
    case NET_UNREACHABLE:
    case NET_EXHAUSTED:
        c->is_reset = true;
        break_off(c);
        return CONN_RESET;
    }
    return CONN_RESET;
}

/* Sends what TLS says by itself. The next recv finds out that the peer is gone. */
static enum conn_result answer(struct conn *c, const struct tls_wire *wire)
{
    if (c->is_finished || wire->len == 0) {
        return CONN_OK;
    }
    if (tls_is_established(c->tls)) {
        conn_cork(c); /* a request may have come with the last of the handshake */
    }
    return send_wire(c, wire) == CONN_NO_MEMORY ? CONN_NO_MEMORY : CONN_OK;
}

static enum conn_result feed(struct conn *c, size_t wire_len, size_t *out_len)
{
    const struct scratch *scratch = c->scratch;
    struct tls_wire wire = empty_wire(c);
    size_t plain_len = 0;
    enum tls_result result = tls_feed(c->tls, scratch->wire_in, wire_len, scratch->plain,
                                      SCRATCH_PLAIN, &plain_len, &wire);
    enum conn_result answered = answer(c, &wire);
    switch (result) {
    case TLS_OK:
        *out_len = answered == CONN_OK ? plain_len : 0;
        return answered;
    case TLS_EOF:
        c->tls_input = CONN_TLS_INPUT_ENDED;
        *out_len = plain_len;
        return CONN_EOF;
    case TLS_FAILED:
        c->tls_input = CONN_TLS_INPUT_FAILED;
        return CONN_TLS_FAILED;
    }
    return CONN_TLS_FAILED;
}

static enum conn_result read_tls(struct conn *c, size_t max_bytes, size_t *out_len)
{
    size_t wire_len = 0;
    size_t size = size_min(max_bytes, SCRATCH_WIRE_IN);
    enum conn_result result = receive(c, c->scratch->wire_in, size, &wire_len);
    if (result != CONN_OK || c->tls_input != CONN_TLS_INPUT_OPEN) {
        return result;
    }
    return feed(c, wire_len, out_len);
}

enum conn_result conn_read(struct conn *c, size_t max_bytes, uint8_t **out_data, size_t *out_len)
{
    *out_data = c->scratch->plain;
    *out_len = 0;
    if (!conn_is_open(c) || max_bytes == 0) {
        return CONN_AGAIN;
    }
    if (c->tls != NULL) {
        return read_tls(c, max_bytes, out_len);
    }
    size_t size = size_min(max_bytes, SCRATCH_PLAIN);
    return receive(c, *out_data, size, out_len);
}

enum conn_result conn_begin_tls(struct conn *c, struct tls *tls, const uint8_t *wire, size_t len,
                                uint8_t **out_data, size_t *out_len)
{
    assert(c->tls == NULL && len <= SCRATCH_WIRE_IN);
    c->tls = tls;
    *out_data = c->scratch->plain;
    *out_len = 0;
    if (len == 0) {
        return CONN_OK;
    }
    memcpy(c->scratch->wire_in, wire, len);
    return feed(c, len, out_len);
}

/* --- ends ---------------------------------------------------------------------------------- */

void conn_finish(struct conn *c)
{
    if (!conn_is_open(c) || c->is_broken || c->is_finished) {
        return;
    }
    if (c->tls != NULL && c->tls_input != CONN_TLS_INPUT_FAILED) {
        struct tls_wire wire = empty_wire(c);
        tls_finish(c->tls, &wire);
        conn_cork(c); /* the FIN takes it along */
        /* Without memory for close_notify the connection is broken, which the next flush tells. */
        (void)!send_wire(c, &wire);
    }
    c->is_finished = true;
    send_fin(c);
}

static void release(struct conn *c)
{
    c->carrier.ops = NULL;
    if (c->tls != NULL) {
        tls_free(c->tls);
        c->tls = NULL;
    }
    buf_clear(&c->out);
}

void conn_close(struct conn *c)
{
    if (!conn_is_open(c)) {
        return;
    }
    c->carrier.ops->close(&c->carrier);
    release(c);
}

void conn_abort(struct conn *c)
{
    if (!conn_is_open(c)) {
        return;
    }
    conn_uncork(c);
    c->carrier.ops->abort(&c->carrier);
    release(c);
}
