/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/watch.h"

void watch_begin(struct watch *w, uint64_t *since_ms, const struct conn *c, uint64_t now_ms)
{
    *since_ms = now_ms;
    w->acked_bytes = conn_acked_bytes(c);
}

void watch_queue(struct watch *w, uint64_t *since_ms, const struct conn *c, uint64_t now_ms)
{
    if (conn_queued(c) == 0) {
        *since_ms = 0;
    } else if (*since_ms == 0) {
        watch_begin(w, since_ms, c, now_ms);
    } else if (c->sent_bytes != w->sent_bytes) {
        *since_ms = now_ms; /* acked_bytes may stay old: asking costs a system call */
    }
    w->sent_bytes = c->sent_bytes;
}

bool watch_renew(struct watch *w, uint64_t *since_ms, const struct conn *c, uint64_t now_ms)
{
    uint64_t acked_bytes = conn_acked_bytes(c);
    if (c->is_broken || acked_bytes == w->acked_bytes) {
        return false;
    }
    w->acked_bytes = acked_bytes;
    *since_ms = now_ms;
    return true;
}
