/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How the dial of a session went. */
#include "gate/session_parts.h"

/* The upstream knows the backends of the configuration in force. */
static void note_outcomes(struct session *s)
{
    struct session_context *context = s->context;
    size_t count = 0;
    const struct dial_outcome *outcomes = dial_outcomes(s->dial, &count);
    for (size_t i = 0; i < count; i++) {
        session_tally_dial(s, i, &outcomes[i]);
        if (context->upstream != NULL && s->config == context->config) {
            upstream_note(context->upstream, s->route, i, &outcomes[i],
                          reactor_now_ms(context->reactor));
        }
    }
}

struct session_event session_finish_dial(struct session *s)
{
    static const enum life_ending endings[] = {
        [DIAL_OK] = LIFE_NOT_ENDED,
        [DIAL_NAME] = LIFE_BACKEND_NAME,
        [DIAL_UNREACHABLE] = LIFE_BACKEND_REFUSED,
        [DIAL_TIMEOUT] = LIFE_BACKEND_TIMEOUT,
        [DIAL_REFUSED] = LIFE_BACKEND_REFUSED,
        [DIAL_TLS] = LIFE_BACKEND_TLS,
        [DIAL_NO_MEMORY] = LIFE_INTERNAL,
        [DIAL_EXHAUSTED] = LIFE_FULL,
    };
    size_t candidate = 0;

    note_outcomes(s);
    const struct dial_outcome outcome = dial_finish(s->dial, &s->pump.backend, &candidate);
    s->dial = NULL;
    s->backend = &s->route->backends[candidate];
    s->connect_ms = reactor_now_ms(s->context->reactor) - s->times.phase_since_ms;
    if (outcome.result == DIAL_OK) {
        return (struct session_event){.life = {.type = LIFE_EV_BACKEND_UP}};
    }
    return (struct session_event){{.type = LIFE_EV_END, .ending = endings[outcome.result]},
                                  outcome.detail};
}
