/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The wait of a request for the process that checks its password. The request stays in the phase
 * REQUEST, is counted as a session, and is still a guest of the door. */
#include "gate/session_parts.h"
#include "proto/limit.h"

static struct session_event end_event(enum life_ending ending, const char *detail)
{
    return (struct session_event){{.type = LIFE_EV_END, .ending = ending}, detail};
}

/* Nobody but the sources themselves gains by two of them that meet in one number. */
static uint64_t source_of(const struct session *s)
{
    static const uint8_t no_secret[SIPHASH_KEY_BYTES] = {0};
    struct addr source;
    session_client_address(s, &source);
    const struct limit_subject subject = {.source = &source, .prefix = {32, 64}};
    return limit_key(no_secret, &subject);
}

/* True: the request's password is known now. */
static bool take_verdict(struct session *s, enum passwords_verdict verdict, const char *detail,
                         struct session_event *out)
{
    switch (verdict) {
    case PASSWORDS_RIGHT:
        s->request->password = IDENTITY_RIGHT;
        return true;
    case PASSWORDS_WRONG:
        s->request->password = IDENTITY_WRONG;
        return true;
    case PASSWORDS_WAIT:
        *out = (struct session_event){{.type = LIFE_EV_COUNT}, NULL};
        return false;
    case PASSWORDS_BUSY:
        *out = end_event(LIFE_FULL, detail);
        return false;
    }
    return false;
}

static void on_answer(void *owner, enum passwords_verdict verdict, const char *detail)
{
    struct session *s = owner;
    struct session_event event;

    s->request->ask = NULL;
    if (s->context->is_draining) {
        event = end_event(LIFE_SHUTDOWN, NULL);
    } else if (take_verdict(s, verdict, detail, &event)) {
        event = session_identify(s, NULL);
    }
    event = session_settle_place(s, &event);
    session_take_event(s, &event);
}

bool session_ask_password(struct session *s, struct identity_answer *answer,
                          struct session_event *out)
{
    const struct passwords_question question = {
        .hash = answer->hash,
        .user = answer->password.user,
        .password = answer->password.text,
        .is_decoy = answer->is_decoy,
        .source = source_of(s),
        .cache_ms = answer->cache_ms,
    };
    const char *detail = NULL;
    s->request->hash = answer->hash; /* a request asks at once, by the session's configuration */
    enum passwords_verdict verdict =
        passwords_check(s->context->passwords, &question, on_answer, s, &s->request->ask, &detail);
    token_done(&answer->password);
    return take_verdict(s, verdict, detail, out);
}

bool session_is_asking(const struct session *s)
{
    return s->request != NULL && s->request->ask != NULL;
}

void session_stop_asking(struct session *s)
{
    if (session_is_asking(s)) {
        passwords_forget(s->request->ask);
        s->request->ask = NULL;
    }
}
