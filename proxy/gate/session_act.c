/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Carries out the actions of the life. No action steps the life: an action leaves what it finds out
 * in the session's state, and session.c makes an event of it. */
#include <assert.h>

#include "gate/session_parts.h"

static void do_dial(struct session *s)
{
    if (!s->life.route.has_backend) {
        s->backend = &s->route->backends[0];
        s->is_up_due = true;
        return;
    }
    session_start_dial(s);
}

static void do_finish_backend(struct session *s)
{
    conn_finish(&s->pump.backend);
    s->times.backend_since_ms = reactor_now_ms(s->context->reactor);
}

static void do_retire(struct session *s)
{
    struct scoreboard_slot *slot = &s->context->scoreboard->slots[s->context->slot];

    assert(s->dial == NULL);
    if (s->is_counted) {
        scoreboard_sub(&slot->sessions_now, 1);
    }
    door_leave(s->door, &s->guest);
    session_leave_backend(s);
    limits_leave(&s->context->limits, &s->holds);
    session_end_files(s);
    session_log_end(s);
    session_tally_end(s);
    session_show_end(s);
    reactor_timer_stop(&s->timer);
    list_unlink(&s->link);
    reactor_defer(s->context->reactor, &s->retire);
}

static void do_abort_backend(struct session *s)
{
    conn_abort(&s->pump.backend);
    session_leave_backend(s);
}

static void do_close_backend(struct session *s)
{
    conn_close(&s->pump.backend);
    session_leave_backend(s);
}

static void do_abort_client(struct session *s)
{
    conn_abort(&s->pump.client);
}

static void do_finish_client(struct session *s)
{
    conn_finish(&s->pump.client);
}

static void do_close_client(struct session *s)
{
    conn_close(&s->pump.client);
}

/* In the order in which the life wants its actions to be carried out. */
void session_act(struct session *s, unsigned actions)
{
    static const struct {
        enum life_action action;
        void (*carry_out)(struct session *s);
    } table[] = {
        {LIFE_DO_DIAL, do_dial},
        {LIFE_DO_CANCEL_DIAL, session_cancel_dial},
        {LIFE_DO_SEND_HTTP, session_send_http},
        {LIFE_DO_SEND_FILE, session_send_file},
        {LIFE_DO_ACCEPT_101, session_send_accept},
        {LIFE_DO_REFUSE_101, session_send_refusal},
        {LIFE_DO_SEND_CLOSE, session_send_close},
        {LIFE_DO_BACKEND_ABORT, do_abort_backend},
        {LIFE_DO_BACKEND_FINISH, do_finish_backend},
        {LIFE_DO_BACKEND_CLOSE, do_close_backend},
        {LIFE_DO_CLIENT_ABORT, do_abort_client},
        {LIFE_DO_CLIENT_FINISH, do_finish_client},
        {LIFE_DO_CLIENT_CLOSE, do_close_client},
        {LIFE_DO_RETIRE, do_retire},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (actions & table[i].action) {
            table[i].carry_out(s);
        }
    }
}
