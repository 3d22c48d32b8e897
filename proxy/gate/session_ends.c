/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ends that come from outside of a session: the program stops, its configuration changes, or the
 * worker holds too much. */
#include "base/mem.h"
#include "conf/change.h"
#include "gate/identity.h"
#include "gate/session_parts.h"

#define KNOWN 64 /* routes that were found to be kept, by their index: comparing is dear */

/* The route of a session is as it began. */
static bool is_route_kept(const struct session *s, const struct config_route *known[KNOWN])
{
    const struct config *now = s->context->config;
    if (s->route == NULL || s->config == now) {
        return true;
    }
    size_t hint = (size_t)(s->route - s->config->routes);
    if (s->route == known[hint % KNOWN]) {
        return true;
    }
    size_t at = change_find_route(now, s->route->policy.name, hint);
    if (at == now->route_count || !change_is_route_same(s->route, &now->routes[at])) {
        return false;
    }
    known[hint % KNOWN] = s->route;
    return true;
}

static bool may_end(const struct session *s)
{
    /* A session that waits for its backend's last bytes has ended, but may wait long. */
    return !life_has_ended(&s->life) || s->life.phase == LIFE_HALF_CLOSED;
}

static void end(struct session *s, enum life_ending ending)
{
    const struct session_event event = {.life = {.type = LIFE_EV_END, .ending = ending}};
    session_take_event(s, &event);
}

void session_end_one(struct session *s, enum life_ending ending, const char *detail)
{
    const struct session_event event = {{.type = LIFE_EV_END, .ending = ending}, detail};
    if (may_end(s)) {
        session_take_event(s, &event);
    }
}

size_t session_end_changed(struct session_context *context, enum life_ending ending, size_t most)
{
    const struct config_route *known[KNOWN] = {NULL};
    struct list *link = context->sessions.next;
    size_t ended = 0;

    while (link != &context->sessions && ended < most) {
        struct session *s = container_of(link, struct session, link);
        link = link->next;
        if (may_end(s) && !is_route_kept(s, known)) {
            end(s, ending);
            ended++;
        }
    }
    return ended;
}

void session_end_revoked(struct session_context *context)
{
    struct session_event event = {.life = {.type = LIFE_EV_END, .ending = LIFE_AUTH_REVOKED}};
    struct list *link = context->sessions.next;

    while (link != &context->sessions) {
        struct session *s = container_of(link, struct session, link);
        link = link->next;
        if (s->client_cert == NULL || !may_end(s)) {
            continue;
        }
        event.detail = NULL;
        if (context->is_revoked(context, s->listen, s->client_cert)) {
            event.detail = "certificate is revoked";
        } else if (s->route != NULL &&
                   !identity_certificate_holds(s->route, s->client_cert, context->config)) {
            event.detail = "the client's certificate has none of the names any more";
        }
        if (event.detail != NULL) {
            session_take_event(s, &event);
        }
    }
}

/* Its request may still come, and then gets an answer that says why not. */
static bool is_early(const struct session *s)
{
    return s->life.phase == LIFE_TLS || s->life.phase == LIFE_REQUEST;
}

static bool is_live(const struct session *s)
{
    return s->listen->kind == CONFIG_LISTEN_PUBLIC && may_end(s) && !is_early(s);
}

size_t session_count_live(const struct session_context *context)
{
    size_t count = 0;
    for (struct list *link = context->sessions.next; link != &context->sessions;
         link = link->next) {
        count += is_live(container_of(link, struct session, link));
    }
    return count;
}

size_t session_end_some(struct session_context *context, enum life_ending ending, size_t most)
{
    size_t ended = 0;
    struct list *link = context->sessions.next;

    while (link != &context->sessions && ended < most) {
        struct session *s = container_of(link, struct session, link);
        link = link->next; /* the end may take the session off the list */
        if (is_live(s)) {
            end(s, ending);
            ended++;
        }
    }
    return ended;
}

void session_end_early(struct session_context *context, enum life_ending ending, uint64_t age_ms)
{
    uint64_t now_ms = reactor_now_ms(context->reactor);
    struct list *link = context->sessions.next;

    while (link != &context->sessions) {
        struct session *s = container_of(link, struct session, link);
        link = link->next;
        if (s->listen->kind == CONFIG_LISTEN_PUBLIC && is_early(s) && may_end(s) &&
            now_ms - s->started_ms >= age_ms) {
            end(s, ending);
        }
    }
}

void session_end_kept(struct session_context *context)
{
    struct list *link = context->sessions.next;

    while (link != &context->sessions) {
        struct session *s = container_of(link, struct session, link);
        link = link->next;
        if (s->life.phase == LIFE_REQUEST && s->life.served == LIFE_SERVED_KEPT &&
            !session_has_ahead(s)) {
            end(s, LIFE_FILES);
        }
    }
}

static size_t queued_bytes(const struct session *s)
{
    return conn_queued(&s->pump.client) + conn_queued(&s->pump.backend);
}

static struct session *find_largest(const struct session_context *context)
{
    struct session *largest = NULL;
    size_t most = 0;
    for (struct list *link = context->sessions.next; link != &context->sessions;
         link = link->next) {
        struct session *s = container_of(link, struct session, link);
        if (queued_bytes(s) > most) {
            most = queued_bytes(s);
            largest = s;
        }
    }
    return largest;
}

/* Each ending throws one queue of the session away at once, also where the session has ended
 * already and its queue is only leaving. */
size_t session_end_largest(struct session_context *context, size_t bytes)
{
    size_t ended = 0;
    struct session *s;
    while (mem_live_bytes() > bytes && (s = find_largest(context)) != NULL) {
        bool is_client = conn_queued(&s->pump.client) >= conn_queued(&s->pump.backend);
        const struct session_event event = {
            {.type = LIFE_EV_END, .ending = is_client ? LIFE_CLIENT_STALLED : LIFE_BACKEND_STALLED},
            "max_memory: it had most in its queues"};
        s->detail = s->detail != NULL ? s->detail : event.detail; /* it may have ended already */
        session_take_event(s, &event);
        ended++;
    }
    return ended;
}

void session_kill_all(struct session_context *context)
{
    while (!list_is_empty(&context->sessions)) {
        struct session *s = container_of(context->sessions.next, struct session, link);
        const struct session_event kill = {.life = {.type = LIFE_EV_KILL}};
        session_take_event(s, &kill);
    }
}
