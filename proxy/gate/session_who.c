/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What becomes of a session whose client has proven who it is, when the configuration changes. */
#include "gate/session_parts.h"

void session_begin_look(struct session_context *context)
{
    context->look = context->sessions.next;
}

/* A session that the configuration in force has judged needs no look. */
static void look(struct session *s)
{
    enum life_ending ending;
    const char *detail;

    if (s->who == NULL || s->config == s->context->config) {
        return;
    }
    if (!identity_holds(s->who, s->context->config, &ending, &detail)) {
        session_end_one(s, ending, detail);
    } else if (s->life.phase == LIFE_OPEN) {
        (void)session_await_expiry(s); /* ended meanwhile: the timer rings at once */
        session_set_timer(s);
    }
}

bool session_look_again(struct session_context *context, size_t most)
{
    for (size_t i = 0; i < most && context->look != NULL && context->look != &context->sessions;
         i++) {
        struct session *s = container_of(context->look, struct session, link);
        context->look = s->link.next; /* the end may take the session off the list */
        look(s);
    }
    return context->look != NULL && context->look != &context->sessions;
}
