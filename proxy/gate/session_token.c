/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The first message of a client that says in it who it is (auth_from = first_message). */
#include "gate/session_parts.h"
#include "proto/token.h"

void session_await_token(struct session *s)
{
    if (!s->pump.no_memory) {
        pump_collect(&s->pump, TOKEN_MESSAGE_MAX);
    }
}

static struct session_event judge(struct session *s, struct token *token)
{
    if (s->context->is_draining) {
        return (struct session_event){{.type = LIFE_EV_END, .ending = LIFE_SHUTDOWN}, NULL};
    }
    if (token_end_message(token) != TOKEN_FOUND) {
        return session_refuse_who(s, IDENTITY_MALFORMED, token->detail);
    }
    struct session_event event = session_let_in(s, token);
    if (event.life.type == LIFE_EV_REQUEST_OK) {
        event.life.type = LIFE_EV_TOKEN_OK;
    }
    return event;
}

struct session_event session_take_token(struct session *s)
{
    const struct session_event event = judge(s, pump_message(&s->pump));
    pump_drop_message(&s->pump);
    return event;
}
