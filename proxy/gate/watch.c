/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/watch.h"

void watch_begin(struct watch *w, uint64_t *since_ms, const struct conn *c, uint64_t now_ms)
{
    *since_ms = now_ms;
    w->acked_bytes = conn_acked_bytes(c);
}

void watch_queue(struct watch *w, uint64_t *since_ms, const struct conn *c, bool is_awaited,
                 uint64_t now_ms)
{
    if (!is_awaited) {
        *since_ms = 0;
    } else if (*since_ms == 0) {
        watch_begin(w, since_ms, c, now_ms);
    } else if (c->sent_bytes != w->sent_bytes) {
        *since_ms = now_ms; /* acked_bytes may stay old: asking costs a system call */
    }
    w->sent_bytes = c->sent_bytes;
}

static bool renew(struct watch *w, uint64_t *since_ms, uint64_t acked_bytes, uint64_t now_ms)
{
    if (acked_bytes == w->acked_bytes) {
        return false;
    }
    w->acked_bytes = acked_bytes;
    *since_ms = now_ms;
    return true;
}

bool watch_renew(struct watch *w, uint64_t *since_ms, const struct conn *c, uint64_t now_ms)
{
    return !c->is_broken && renew(w, since_ms, conn_acked_bytes(c), now_ms);
}

bool watch_renew_either(struct watch *w, uint64_t *since_ms, const struct conn *a,
                        const struct conn *b, uint64_t now_ms)
{
    uint64_t acked_bytes = conn_acked_bytes(a) + conn_acked_bytes(b);
    bool is_all = acked_bytes == a->sent_bytes + b->sent_bytes;
    return !is_all && renew(w, since_ms, acked_bytes, now_ms);
}
