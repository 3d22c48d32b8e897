/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The target of a session: one candidate of its own, apart from the backends of the route. The
 * session keeps what it needs of the target, so that the target files of a configuration that is no
 * longer in force can go while the session lasts. */
#include <stdio.h>
#include <string.h>

#include "base/host.h"
#include "base/mem.h"
#include "gate/session_parts.h"

#define TEXT_MAX (HOST_NAME_BYTES_MAX + sizeof("tcp://[]:65535") + 1)

struct session_target {
    struct config_backend backend; /* as the log and the list of sessions name it */
    char host[HOST_NAME_BYTES_MAX + 2];
    char text[TEXT_MAX];
};

static bool refuse(struct session_event *out, enum life_ending ending, const char *detail)
{
    *out = (struct session_event){{.type = LIFE_EV_END, .ending = ending}, detail};
    return false;
}

/* --- what the session keeps ------------------------------------------------------------------ */

static struct session_target *keep(const struct target *target)
{
    struct session_target *kept = mem_alloc_zero(sizeof(*kept));
    if (kept == NULL) {
        return NULL;
    }
    kept->backend = (struct config_backend){
        .kind = target->is_unix ? CONFIG_BACKEND_UNIX : CONFIG_BACKEND_TCP,
        .port = target->port,
        .is_literal = target->is_literal,
        .address = target->address,
    };
    if (target->is_unix) {
        addr_print(&target->address, kept->text, sizeof(kept->text));
    } else {
        bool is_ipv6 = span_find(target->host, ':') < target->host.len;
        bool is_whole = span_copy(target->host, kept->host, sizeof(kept->host));
        (void)is_whole; /* target_parse takes no longer one */
        snprintf(kept->text, sizeof(kept->text), "%s://%s%s%s:%u", target->is_tls ? "tls" : "tcp",
                 is_ipv6 ? "[" : "", kept->host, is_ipv6 ? "]" : "", target->port);
    }
    kept->backend.host = span_from_str(kept->host);
    kept->backend.text = span_from_str(kept->text);
    return kept;
}

void session_drop_target(struct session *s)
{
    mem_free(s->target);
    s->target = NULL;
}

const struct config_backend *session_backend(const struct session *s, size_t index)
{
    return s->target != NULL ? &s->target->backend : &s->route->backends[index];
}

/* --- the plan -------------------------------------------------------------------------------- */

/* The rules in force judge what a name leads to. */
static const char *judge(void *owner, const struct addr *to)
{
    const struct session *s = owner;
    const struct config_route *route = session_route_in_force(s);
    return route != NULL ? target_judge(&route->target_rules, to) : "a reload took the route away";
}

static bool plan_dial(struct session *s, const struct target *target, struct session_event *out)
{
    struct admission *admission = &s->request->admission;
    struct dial_candidate *candidate = &admission->candidates[0];

    session_drop_target(s);
    s->target = keep(target);
    if (s->target == NULL) {
        return refuse(out, LIFE_INTERNAL, "out of memory");
    }
    const struct config_backend *backend = &s->target->backend;
    *candidate = (struct dial_candidate){.host = s->target->host, .port = backend->port};
    if (target->is_literal || target->is_unix) {
        *candidate = (struct dial_candidate){.addresses = &backend->address, .address_count = 1};
    }
    if (target->is_tls) {
        if (!s->route->needs_backend_tls) {
            return refuse(out, LIFE_BACKEND_TLS, "a reload gave the route its first tls:// target");
        }
        backend_tls_ask_for(s->request->backend_tls, s->route, backend->host, backend->text,
                            candidate);
    }
    admission->plan.candidate_count = 1;
    admission->plan.judge = judge;
    return true;
}

/* --- the choice ------------------------------------------------------------------------------ */

/* A token among the subprotocols says who the client is, where the route asks for that. */
static bool is_offer_for_auth(const struct config_route *route)
{
    for (size_t i = 0; i < route->auth_from_count; i++) {
        if (route->auth_from[i].place == TOKEN_SUBPROTOCOL) {
            return route->auth_count > 0;
        }
    }
    return false;
}

bool session_choose_target(struct session *s, struct session_event *out)
{
    const struct config_route *route = session_route_in_force(s);
    struct target target;
    const char *detail = NULL;

    if (!config_has_targets(s->route)) {
        return true;
    }
    if (route == NULL || !config_has_targets(route)) {
        return refuse(out, LIFE_TARGET, "a reload took the targets away");
    }
    const struct targets_question question = {
        .request = &s->request->asked,
        .source = route->target_from,
        .prefix = route->policy.path,
        .is_offer_for_auth = is_offer_for_auth(route),
    };
    switch (targets_choose(route->targets, &question, &target, &detail)) {
    case TARGETS_FOUND:
        return plan_dial(s, &target, out);
    case TARGETS_MISSING:
        break;
    case TARGETS_UNKNOWN:
        session_note_guess(s);
        break;
    case TARGETS_NO_MEMORY:
        return refuse(out, LIFE_INTERNAL, detail);
    }
    return refuse(out, LIFE_TARGET, detail);
}

/* --- the log --------------------------------------------------------------------------------- */

static bool chooses_by(const struct session *s, enum targets_place place)
{
    return s->route != NULL && config_has_targets(s->route) && s->route->target_from.place == place;
}

struct span session_shown_path(const struct session *s, char *out, size_t size)
{
    struct span path = s->request->asked.path;
    if (!chooses_by(s, TARGETS_PATH)) {
        return path;
    }
    int len = snprintf(out, size, "%.*s[hidden]", (int)s->route->policy.path.len,
                       s->route->policy.path.data);
    return (struct span){out, size_min(len > 0 ? (size_t)len : 0, size - 1)};
}

bool session_is_offer_shown(const struct session *s, struct span offer)
{
    if (!chooses_by(s, TARGETS_SUBPROTOCOL)) {
        return true;
    }
    for (size_t i = 0; i < s->route->policy.subprotocol_count; i++) {
        if (span_is_equal(s->route->policy.subprotocols[i], offer)) {
            return true;
        }
    }
    return false;
}
