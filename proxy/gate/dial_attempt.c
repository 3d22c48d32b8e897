/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/dial_attempt.h"

#include "io/net.h"

#define BROKEN_OFF "the server broke off the handshake"

void dial_attempt_close(struct dial_attempt *a)
{
    if (a->fd >= 0) {
        reactor_io_want(&a->io, 0);
        tls_free(a->tls);
        a->tls = NULL;
        buf_clear(&a->out);
        net_close(a->fd);
        a->fd = -1;
    }
}

static enum dial_step fail(struct dial_attempt *a, enum dial_result result, const char *detail)
{
    a->outcome = (struct dial_outcome){result, detail};
    return DIAL_STEP_FAILED;
}

static enum net_result send_now(struct dial_attempt *a, const void *data, size_t len,
                                size_t *out_sent)
{
    struct iovec piece = {(void *)(uintptr_t)data, len}; /* iovec has no const */
    return net_send(a->fd, &piece, 1, false, out_sent);
}

/* Sends what the kernel takes now and queues the rest. */
static bool say(struct dial_attempt *a, const void *data, size_t len)
{
    size_t sent = 0;
    if (len == 0) {
        return true;
    }
    if (a->out.len == 0) {
        enum net_result result = send_now(a, data, len, &sent);
        if (result != NET_OK && result != NET_AGAIN) {
            return false;
        }
        a->sent_bytes += sent;
    }
    return sent == len || buf_append(&a->out, (const uint8_t *)data + sent, len - sent) == BUF_OK;
}

static bool flush(struct dial_attempt *a)
{
    while (a->out.len > 0) {
        struct span waiting = buf_peek(&a->out);
        size_t sent = 0;
        enum net_result result = send_now(a, waiting.data, waiting.len, &sent);
        if (result != NET_OK) {
            return result == NET_AGAIN;
        }
        a->sent_bytes += sent;
        buf_consume(&a->out, sent);
    }
    return true;
}

/* Goes on with the handshake, which takes *out_used of the bytes. */
static enum dial_step shake(struct dial_attempt *a, const uint8_t *wire, size_t len,
                            size_t *out_used)
{
    struct tls_wire out = {.data = a->scratch->wire_out, .size = SCRATCH_WIRE_OUT};
    enum tls_result result = tls_shake(a->tls, wire, len, out_used, &out);
    bool is_said = say(a, out.data, out.len); /* an alert too */
    if (result == TLS_OK && is_said) {
        return DIAL_STEP_WAIT;
    }
    const char *detail = tls_detail(a->tls);
    return fail(a, DIAL_TLS, detail != NULL ? detail : BROKEN_OFF);
}

/* Takes the bytes of the handshake from the kernel. Bytes behind them stay there for the next owner
 * of the connection. */
static enum dial_step hear(struct dial_attempt *a)
{
    uint8_t *wire = a->scratch->wire_in;
    size_t len = 0;
    size_t used = 0;
    switch (net_peek(a->fd, wire, SCRATCH_WIRE_IN, &len)) {
    case NET_OK:
        break;
    case NET_AGAIN:
        return DIAL_STEP_WAIT;
    case NET_EOF:
    case NET_RESET:
    case NET_REFUSED:
    case NET_UNREACHABLE:
    case NET_EXHAUSTED:
        return fail(a, DIAL_TLS, BROKEN_OFF);
    }
    enum dial_step step = shake(a, wire, len, &used);
    /* After a failure no byte stays: closing over unread bytes sends a reset, which overtakes the
     * alert. */
    size_t rest = step == DIAL_STEP_WAIT ? used : len;
    while (rest > 0 && net_recv(a->fd, wire, rest, &len) == NET_OK) {
        rest -= len;
    }
    return rest == 0 ? step : fail(a, DIAL_TLS, BROKEN_OFF);
}

static bool is_shaking(const struct dial_attempt *a)
{
    return a->tls != NULL && !tls_is_established(a->tls);
}

/* Says what a server hears right after connecting. */
static enum dial_step greet(struct dial_attempt *a)
{
    size_t used = 0;
    a->is_connected = true;
    if (!say(a, a->preamble.data, a->preamble.len)) {
        return fail(a, DIAL_REFUSED, "the server hung up at once");
    }
    if (a->context == NULL) {
        return DIAL_STEP_WAIT;
    }
    a->tls = tls_new_client(a->context, a->tls_name);
    if (a->tls == NULL) {
        return fail(a, DIAL_NO_MEMORY, "out of memory");
    }
    if (a->tls_place.len > 0) {
        tls_resume_at(a->tls, a->tls_place);
    }
    return shake(a, NULL, 0, &used);
}

/* The attempt is done when it has nothing left to hear or to send. */
static enum dial_step check_done(struct dial_attempt *a, enum dial_step step)
{
    if (step == DIAL_STEP_WAIT && a->is_connected && !is_shaking(a) && a->out.len == 0) {
        return DIAL_STEP_DONE;
    }
    return step;
}

/* The kernel says how the connecting stands. */
static enum dial_step step_connect(struct dial_attempt *a, enum net_result connected,
                                   const char *detail)
{
    switch (connected) {
    case NET_OK:
        return greet(a);
    case NET_AGAIN:
        return DIAL_STEP_WAIT;
    case NET_EXHAUSTED:
        return fail(a, DIAL_EXHAUSTED, detail);
    case NET_UNREACHABLE:
        return fail(a, DIAL_UNREACHABLE, detail);
    case NET_REFUSED:
    case NET_EOF:
    case NET_RESET:
        break;
    }
    return fail(a, DIAL_REFUSED, detail);
}

static enum dial_step step_ready(struct dial_attempt *a, unsigned ready)
{
    if (!a->is_connected) {
        const char *detail = NULL;
        enum net_result connected = net_connect_result(a->fd, &detail);
        return step_connect(a, connected, detail);
    }
    if ((ready & REACTOR_WRITE) && !flush(a)) {
        return is_shaking(a) ? fail(a, DIAL_TLS, BROKEN_OFF)
                             : fail(a, DIAL_REFUSED, "the server hung up at once");
    }
    return (ready & REACTOR_READ) && is_shaking(a) ? hear(a) : DIAL_STEP_WAIT;
}

enum dial_step dial_attempt_start(struct dial_attempt *a, const struct addr *to,
                                  reactor_io_fn *on_ready)
{
    const char *detail = NULL;
    enum net_result connected = net_connect(to, &a->fd, &detail);
    if (connected != NET_OK && connected != NET_AGAIN) {
        a->fd = -1;
    } else {
        reactor_io_init(&a->io, a->reactor, a->fd, on_ready);
        a->started_ms = reactor_now_ms(a->reactor);
    }
    return check_done(a, step_connect(a, connected, detail));
}

const char *dial_attempt_waits_for(const struct dial_attempt *a)
{
    return !a->is_connected ? "no answer within connect_timeout"
           : is_shaking(a)  ? "the server does not go on with the TLS handshake"
                            : "the server takes no bytes";
}

enum dial_step dial_attempt_ready(struct dial_attempt *a, unsigned ready)
{
    return check_done(a, step_ready(a, ready));
}

void dial_attempt_want(struct dial_attempt *a)
{
    unsigned wanted = is_shaking(a) ? REACTOR_READ : 0;
    if (!a->is_connected || a->out.len > 0) {
        wanted |= REACTOR_WRITE;
    }
    reactor_io_want(&a->io, wanted);
}
