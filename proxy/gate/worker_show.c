/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What [admin] needs of a worker: rows of its sessions that are at most about a second old, and the
 * ends that somebody wants. */
#include "gate/worker_parts.h"

#define SHOW_MS 250
#define SHOW_PARTS 4 /* each session once in so many ticks */

static bool has_admin(const struct config *config)
{
    for (size_t i = 0; i < config->listen_count; i++) {
        if (config->listens[i].kind == CONFIG_LISTEN_ADMIN) {
            return true;
        }
    }
    return false;
}

void worker_on_show(struct reactor_timer *timer)
{
    struct worker *w = container_of(timer, struct worker, show);
    if (roster_take_wishes(&w->roster)) {
        session_end_unwanted(&w->context);
    }
    session_show_some(&w->context, w->context.session_count / SHOW_PARTS + 1);
    reactor_timer_at(timer, reactor_now_ms(w->context.reactor) + SHOW_MS);
}

void worker_show(struct worker *w)
{
    w->context.is_shown = has_admin(w->setup.config);
    reactor_timer_stop(&w->show);
    if (w->context.is_shown) {
        reactor_timer_at(&w->show, reactor_now_ms(w->context.reactor) + SHOW_MS);
    }
}
