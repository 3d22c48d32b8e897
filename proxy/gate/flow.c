/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/flow.h"

#define KIB 1024
#define NEAR_US 1000 /* a round trip in which a full buffer is some Gbit/s */

#define FIRST_LOOK_BYTES (32 * KIB) /* 16 KiB in and out again */

/* What a route allows. */
struct limits {
    uint32_t first;       /* the bound of unsent bytes at the beginning */
    uint32_t least;       /* for the slowest sink */
    uint32_t most_near;   /* for the fastest */
    uint32_t most_far;    /* the same: a late turn of ours must not leave a long line idle */
    uint32_t ahead_ms;    /* how much time's bytes may be unsent */
    uint32_t unread;      /* the receive buffer of a source that is held, in memory */
    uint32_t unread_near; /* of a near source whose sink keeps up: net.core.rmem_max as it comes */
};

static const struct limits table[] = {
    [CONFIG_LATENCY_AUTO] = {192 * KIB, 32 * KIB, 512 * KIB, 2048 * KIB, 25, 128 * KIB, 416 * KIB},
    [CONFIG_LATENCY_LOW] = {32 * KIB, 16 * KIB, 32 * KIB, 64 * KIB, 10, 128 * KIB, 128 * KIB},
};

static uint32_t between(uint64_t value, uint32_t least, uint32_t most)
{
    return value < least ? least : value > most ? most : (uint32_t)value;
}

static void set_bound(struct flow *f, struct conn *sink, uint32_t bytes)
{
    f->bound_bytes = bytes;
    conn_bound_unsent(sink, bytes);
}

static void bound_source(struct flow *f, struct conn *source, size_t bytes, enum flow_source next)
{
    bool is_done = conn_bound_unread(source, bytes) != NET_BOUND_UNABLE;
    f->source = is_done ? next : FLOW_SOURCE_UNABLE;
}

static void hold_source(struct flow *f, struct conn *source, const struct limits *limits)
{
    if (f->source == FLOW_SOURCE_TUNED) {
        bound_source(f, source, limits->unread, FLOW_SOURCE_HELD);
    }
}

static void free_source(struct flow *f, struct conn *source, const struct limits *limits)
{
    struct net_state state;
    if (f->source != FLOW_SOURCE_HELD) {
        return;
    }
    conn_observe(source, &state);
    if (state.min_rtt_us < NEAR_US) {
        bound_source(f, source, limits->unread_near, FLOW_SOURCE_NEAR);
    } else {
        bound_source(f, source, NET_UNBOUNDED, FLOW_SOURCE_TUNED);
    }
}

static void note_unsent(struct flow *f, const struct net_state *state)
{
    if (state->unsent_bytes > f->unsent_peak_bytes) {
        f->unsent_peak_bytes = between(state->unsent_bytes, 0, UINT32_MAX);
    }
}

/* The bytes that the sink takes in ahead_ms, at its pace since the last look. A sink that has not
 * taken a bound's worth since then is not called fast: a burst may have filled its kernel. False:
 * not known yet, because nobody measured the sink then. */
static bool measure_pace(struct flow *f, const struct limits *limits, const struct conn *sink,
                         uint32_t now_ms, uint64_t *out_bytes)
{
    uint64_t acked_bytes = conn_acked_bytes(sink);
    uint64_t took_bytes = acked_bytes - f->acked_bytes;
    uint32_t took_ms = now_ms - f->since_ms;
    bool is_known = f->has_pace;

    f->acked_bytes = acked_bytes;
    f->since_ms = now_ms;
    f->has_pace = true;
    *out_bytes = took_ms == 0 ? UINT64_MAX : took_bytes * limits->ahead_ms / took_ms;
    if (took_bytes < f->bound_bytes / 4 * 3 && *out_bytes > f->bound_bytes) {
        *out_bytes = f->bound_bytes;
    }
    return is_known;
}

/* The sink's kernel has refused bytes: is the sink slow, or was the bound too narrow for it? */
static void adjust(struct flow *f, const struct limits *limits, struct conn *source,
                   struct conn *sink, bool is_sink_near, uint32_t now_ms)
{
    uint32_t limit = is_sink_near ? limits->most_near : limits->most_far;
    uint64_t bytes = 0;
    if (!measure_pace(f, limits, sink, now_ms, &bytes)) {
        return;
    }
    uint32_t most = between(2 * (uint64_t)f->bound_bytes, limits->first, limit);
    uint32_t bound = between(bytes, limits->least, most);
    if (bound < limits->first) {
        hold_source(f, source, limits);
    } else if (bound > limits->first) {
        free_source(f, source, limits);
    }
    /* Each change costs a system call, so small ones wait. */
    if (bound >= f->bound_bytes + f->bound_bytes / 4 || bound <= f->bound_bytes / 2) {
        set_bound(f, sink, bound);
    }
}

void flow_look(struct flow *f, enum config_latency latency, struct conn *source, struct conn *sink,
               uint64_t now_ms)
{
    if (latency == CONFIG_LATENCY_BULK) {
        f->look_at_bytes = UINT64_MAX;
        return;
    }
    const struct limits *limits = &table[latency];
    uint64_t passed = flow_passed_bytes(source, sink);
    struct net_state state;
    if (f->bound_bytes == 0 && passed < FIRST_LOOK_BYTES) {
        f->look_at_bytes = FIRST_LOOK_BYTES;
        return;
    }
    if (f->bound_bytes == 0) {
        set_bound(f, sink, limits->first);
        hold_source(f, source, limits);
    } else if (f->has_refused) {
        conn_observe(sink, &state);
        note_unsent(f, &state);
        adjust(f, limits, source, sink, state.min_rtt_us < NEAR_US, (uint32_t)now_ms);
    } else if (f->source == FLOW_SOURCE_HELD) {
        conn_observe(sink, &state);
        note_unsent(f, &state);
        if (state.unsent_bytes <= f->bound_bytes / 4) {
            free_source(f, source, limits);
        }
        f->has_pace = false;
    }
    f->has_refused = conn_queued(sink) > 0;
    f->look_at_bytes = passed + 2 * (uint64_t)f->bound_bytes;
}

void flow_end(struct flow *f, const struct conn *sink, struct net_state *out)
{
    conn_observe(sink, out);
    note_unsent(f, out);
}
