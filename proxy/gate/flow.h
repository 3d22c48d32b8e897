/* SPDX-License-Identifier: GPL-3.0-or-later */
/* flow.h: how much the kernel may hold of a session's bytes.
 *
 * For: one direction of a session, from its source (the connection that is read) to its sink (the
 * connection that is written). A kernel left alone takes megabytes towards a peer that takes none,
 * and as many from a peer that nobody reads: they are old when they arrive, and 1,000 such sessions
 * fill the TCP memory of the machine. Here two bounds follow from what the sink really takes:
 *
 *     source --kernel: unread--> sluice, its out queue --kernel: unsent--> sink
 *
 *   - *Unsent bytes* of the sink: what it takes in a short time, at its pace. The bound begins at
 *     the route's first value; it narrows for a slow sink and grows for a fast one, step by step.
 *   - *The receive buffer* of the source is held at its first size until the sink has kept up for a
 *     while. Then the kernel may tune the buffer to the source's distance; a source next to this
 *     machine gets a larger fixed size. When the sink falls behind, the buffer is held where it is.
 *
 * Not for: the out queue and who is read (pump), deadlines (life, watch), what is under way on the
 * network: the congestion control of the kernel bounds that, and a distant fast peer needs it.
 *
 * Cost: two comparisons for each event, and a few system calls for each `bound` bytes, when the
 * sink has refused some. A session that has not moved 16 KiB makes none. */
#ifndef GATE_FLOW_H
#define GATE_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/snapshot.h"
#include "io/conn.h"

/* Who sets the size of the source's receive buffer. */
enum flow_source {
    FLOW_SOURCE_TUNED = 0, /* the kernel */
    FLOW_SOURCE_HELD,      /* it stays small while the sink may be slow */
    FLOW_SOURCE_NEAR,      /* it stays at what a fast source next to this machine needs */
    FLOW_SOURCE_UNABLE     /* nobody here: NET_BOUND_UNABLE */
};

/* All zeroes before the first byte. */
struct flow {
    uint64_t look_at_bytes;     /* the next look, on flow_passed_bytes */
    uint64_t acked_bytes;       /* of the sink, at the last look */
    uint32_t since_ms;          /* when that was */
    uint32_t bound_bytes;       /* of unsent bytes; 0 = none yet */
    uint32_t unsent_peak_bytes; /* the most that a look has found */
    bool has_refused;           /* since the last look the sink's kernel did not take all */
    bool has_pace;              /* acked_bytes and since_ms are of the last look */
    enum flow_source source;
};

/* How often a look is due: what went in and out together. */
static inline uint64_t flow_passed_bytes(const struct conn *source, const struct conn *sink)
{
    return source->received_bytes + sink->sent_bytes;
}

/* Looks at the two connections, and moves the bounds. */
void flow_look(struct flow *f, enum config_latency latency, struct conn *source, struct conn *sink,
               uint64_t now_ms);

/* Call it after each event of an open session. The two connections may be one (an echo route). */
static inline void flow_note(struct flow *f, enum config_latency latency, struct conn *source,
                             struct conn *sink, uint64_t now_ms)
{
    f->has_refused = f->has_refused || conn_queued(sink) > 0;
    if (flow_passed_bytes(source, sink) >= f->look_at_bytes) {
        flow_look(f, latency, source, sink, now_ms);
    }
}

/* The session ends: what the kernel knows of its sink at last. */
void flow_end(struct flow *f, const struct conn *sink, struct net_state *out);

#endif
