/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ends that come from outside of a session: the program stops, or its configuration changes. */
#include "conf/change.h"
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

void session_end_one(struct session *s, enum life_ending ending)
{
    if (may_end(s)) {
        end(s, ending);
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

size_t session_end_some(struct session_context *context, enum life_ending ending, size_t most)
{
    size_t ended = 0;
    struct list *link = context->sessions.next;

    while (link != &context->sessions && ended < most) {
        struct session *s = container_of(link, struct session, link);
        link = link->next; /* the end may take the session off the list */
        if (s->listen->kind == CONFIG_LISTEN_PUBLIC && may_end(s)) {
            end(s, ending);
            ended++;
        }
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
