/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session_conn.h: io/conn over the memory of session_world.h, in the place of the real one. What
 * the kernel takes goes to session_wire.h or to the model. */
#ifndef FUZZ_SESSION_CONN_H
#define FUZZ_SESSION_CONN_H

#include "session_fakes.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN
#endif
#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, len) ((void)(at), (void)(len))
#define ASAN_UNPOISON_MEMORY_REGION(at, len) ((void)(at), (void)(len))
#endif

#define RED_ZONE 64
#define RECORD_BYTES 16384 /* every other record is shorter */
#define SHORT_RECORD_BYTES 9000

UNWATCHED_BEGIN

void conn_init(struct conn *c, const struct scratch *areas, size_t out_limit_bytes,
               conn_ready_fn *on_ready)
{
    *c = (struct conn){.fd = -1, .scratch = areas, .on_ready = on_ready};
    buf_init(&c->out, out_limit_bytes);
}

void conn_open(struct conn *c, struct reactor *r, int fd, struct tls *tls)
{
    (void)r;
    struct side *side = side_of(fd);
    expect(c->fd == -1 && !side->was_opened, "a descriptor is opened once");
    c->fd = fd;
    c->tls = tls;
    side->conn = c;
    side->was_opened = true;
}

bool conn_is_open(const struct conn *c)
{
    return c->fd != -1;
}

size_t conn_queued(const struct conn *c)
{
    return c->out.len;
}

uint64_t conn_acked_bytes(const struct conn *c)
{
    if (!conn_is_open(c)) {
        return c->sent_bytes;
    }
    struct side *side = side_of(c->fd);
    if (!side->is_ack_frozen) {
        side->acked_bytes = c->sent_bytes;
    }
    return side->acked_bytes;
}

void conn_want(struct conn *c, unsigned want)
{
    if (conn_is_open(c)) {
        side_of(c->fd)->want = want;
    }
}

static void break_off(struct conn *c)
{
    c->is_broken = true;
    buf_clear(&c->out);
}

/* One call of the kernel; false when nothing can be sent any more. */
static bool kernel_take(struct conn *c, const uint8_t *data, size_t len, size_t *out_taken)
{
    struct side *side = side_of(c->fd);
    *out_taken = 0;
    if (side->is_in_rst || side->is_send_refused) {
        c->is_reset = side->is_in_rst;
        side->is_in_fin = true;
        break_off(c);
        return false;
    }
    expect(!side->has_fin, "nothing is sent after our FIN");
    size_t part = len < side->budget_bytes ? len : side->budget_bytes;
    if (side->budget_bytes != ALL) {
        side->budget_bytes -= part;
    }
    c->sent_bytes += part;
    *out_taken = part;
    if (part > 0 && c->fd == CLIENT_FD) {
        wire_got(data, part);
    } else if (part > 0) {
        model_backend_got(data, part);
    }
    return true;
}

static enum conn_result queue(struct conn *c, const uint8_t *data, size_t len)
{
    switch (buf_append(&c->out, data, len)) {
    case BUF_OK:
        return CONN_OK;
    case BUF_FULL:
        expect(false, "a queue has its ceiling");
        break;
    case BUF_NO_MEMORY:
        break;
    }
    break_off(c);
    return CONN_NO_MEMORY;
}

enum conn_result conn_send(struct conn *c, const struct iovec *iov, size_t count)
{
    size_t total = 0;
    if (!conn_is_open(c) || c->is_broken) {
        return CONN_RESET;
    }
    for (size_t i = 0; i < count; i++) {
        total += iov[i].iov_len;
    }
    expect(total <= SCRATCH_GATHER, "conn_send's limit");
    if (c->is_finished || total == 0) {
        return CONN_OK;
    }
    if (c->tls_input == CONN_TLS_INPUT_FAILED) {
        break_off(c);
        return CONN_RESET;
    }
    c->has_corked_bytes = c->is_corked;
    for (size_t i = 0; i < count; i++) {
        size_t taken = 0;
        if (c->out.len == 0 && !kernel_take(c, iov[i].iov_base, iov[i].iov_len, &taken)) {
            return CONN_RESET;
        }
        if (taken < iov[i].iov_len) {
            const uint8_t *piece = iov[i].iov_base;
            enum conn_result result = queue(c, piece + taken, iov[i].iov_len - taken);
            if (result != CONN_OK) {
                return result;
            }
        }
    }
    return CONN_OK;
}

static void send_fin(struct conn *c)
{
    struct side *side = side_of(c->fd);
    const struct session *s = world_session();
    if (!c->is_finished || c->is_fin_sent || c->is_broken || c->out.len > 0) {
        return;
    }
    c->is_fin_sent = true;
    c->has_corked_bytes = false;
    side->has_fin = true;
    expect(s != NULL, "a FIN comes before the end");
    if (c->fd == CLIENT_FD) {
        wire_got_fin(&s->life);
    } else if (s->life.ending == LIFE_CLIENT_CLOSE && !model.is_spoiled && !world.is_forced) {
        expect(model.up.got == model.up.len, "all that the client said before the FIN");
    }
}

void conn_cork(struct conn *c)
{
    c->is_corked = true;
}

void conn_uncork(struct conn *c)
{
    c->is_corked = false;
    c->has_corked_bytes = false;
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
        size_t taken = 0;
        if (!kernel_take(c, (const uint8_t *)waiting.data, waiting.len, &taken)) {
            return CONN_RESET;
        }
        buf_consume(&c->out, taken);
        if (taken < waiting.len) {
            return CONN_AGAIN;
        }
    }
    send_fin(c);
    return CONN_OK;
}

static enum conn_result read_end(struct conn *c, const struct side *side)
{
    if (side->is_in_rst || (side->is_in_fin && c->is_reset)) {
        c->is_reset = true;
        break_off(c);
        return CONN_RESET;
    }
    return side->is_in_fin ? CONN_EOF : CONN_AGAIN;
}

/* How much of a record stands in front of this place of the stream. */
static size_t record_begun(size_t at)
{
    size_t begun = at % (RECORD_BYTES + SHORT_RECORD_BYTES);
    return begun < RECORD_BYTES ? begun : begun - RECORD_BYTES;
}

/* Takes bytes off the wire; says how many of them are plain bytes now. */
static enum conn_result read_tls(struct conn *c, struct side *side, size_t most, size_t *out_len)
{
    struct tls *tls = c->tls;
    size_t waiting = side_waiting(side) - tls->held_bytes;
    size_t part = waiting < most ? waiting : most;
    bool is_cut = part < waiting;
    bool is_last = !is_cut && tls->end != TLS_END_NONE;
    c->received_bytes += part;
    if (part == 0 && (!is_last || c->tls_input != CONN_TLS_INPUT_OPEN)) {
        return read_end(c, side);
    }
    if (c->tls_input != CONN_TLS_INPUT_OPEN) {
        side->in_at += part;
        return CONN_OK;
    }
    if (tls->handshake_left > 0) {
        size_t done = part < tls->handshake_left ? part : tls->handshake_left;
        tls->handshake_left -= done;
        side->in_at += done;
        part -= done;
        c->is_corked = c->has_corked_bytes = tls->handshake_left == 0; /* a ticket */
    }
    size_t plain = tls->held_bytes + part;
    size_t begun = is_cut ? record_begun(side->in_at + plain) : 0;
    tls->held_bytes = begun < plain ? begun : plain;
    *out_len = plain - tls->held_bytes;
    if (!is_last) {
        return CONN_OK;
    }
    switch (tls->end) {
    case TLS_END_NONE:
        break;
    case TLS_END_NOTIFY:
        c->tls_input = CONN_TLS_INPUT_ENDED;
        return CONN_EOF;
    case TLS_END_FAILURE:
        c->tls_input = CONN_TLS_INPUT_FAILED;
        side->in_at += *out_len;
        *out_len = 0;
        return CONN_TLS_FAILED;
    case TLS_END_NO_MEMORY: /* for what TLS itself answers */
        tls->end = TLS_END_NONE;
        side->in_at += *out_len;
        *out_len = 0;
        break_off(c);
        return CONN_NO_MEMORY;
    }
    return CONN_OK;
}

/* Bytes as exact as can be: nothing may be touched behind them, and in front only the headroom. */
static uint8_t *place(const uint8_t *from, size_t len)
{
    static uint8_t *zone;
    uint8_t *data = scratch.plain;
    if (zone != NULL) {
        ASAN_UNPOISON_MEMORY_REGION(zone, RED_ZONE);
        zone = NULL;
    }
    if (world.is_plain_tight && len < SCRATCH_PLAIN / 2) {
        data += SCRATCH_PLAIN - len;
        zone = data - SCRATCH_HEADROOM - RED_ZONE;
        ASAN_POISON_MEMORY_REGION(zone, RED_ZONE);
    }
    memcpy(data, from, len);
    return data;
}

static void note_backend_eof(void)
{
    const struct session *s = world_session();
    world.is_down_owed = s != NULL && life_forwards_backend(&s->life);
}

enum conn_result conn_read(struct conn *c, size_t max_bytes, uint8_t **out_data, size_t *out_len)
{
    enum conn_result result = CONN_OK;
    *out_data = scratch.plain;
    *out_len = 0;
    expect(max_bytes > 0, "something is asked for");
    if (!conn_is_open(c)) {
        return CONN_AGAIN;
    }
    struct side *side = side_of(c->fd);
    expect((side->want & REACTOR_READ) != 0, "only what is wanted is read");
    size_t most = c->tls != NULL ? SCRATCH_WIRE_IN : SCRATCH_PLAIN;
    most = max_bytes < most ? max_bytes : most;
    /* Longer pieces of much, so that the turns can be counted. */
    size_t chop = side_waiting(side) / 100;
    chop = side->chop_bytes > chop ? side->chop_bytes : chop;
    most = chop < most ? chop : most;
    if (c->tls != NULL) {
        result = read_tls(c, side, most, out_len);
    } else if (side_waiting(side) > 0) {
        *out_len = side_waiting(side) < most ? side_waiting(side) : most;
        c->received_bytes += *out_len;
    } else {
        result = read_end(c, side);
    }
    if (result == CONN_EOF && c->fd == BACKEND_FD) {
        note_backend_eof();
    }
    if (*out_len > 0) {
        *out_data = place(side->in + side->in_at, *out_len);
        side->in_at += *out_len;
    }
    return result;
}

void conn_finish(struct conn *c)
{
    if (!conn_is_open(c) || c->is_broken || c->is_finished) {
        return;
    }
    c->is_finished = true;
    send_fin(c);
}

void conn_close(struct conn *c)
{
    if (!conn_is_open(c)) {
        return;
    }
    struct side *side = side_of(c->fd);
    tls_free(c->tls);
    c->tls = NULL;
    buf_clear(&c->out);
    side->want = 0;
    side->conn = NULL;
    c->fd = -1;
}

void conn_abort(struct conn *c)
{
    conn_close(c);
}

UNWATCHED_END

#endif
