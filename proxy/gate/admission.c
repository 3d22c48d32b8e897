/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/admission.h"

#include <assert.h>

#include "proto/policy.h"

static void refuse(struct admission *out, enum life_ending refusal, const char *detail)
{
    out->refusal = refusal;
    out->detail = detail;
}

static enum life_ending ending_of_policy(enum policy_verdict verdict)
{
    switch (verdict) {
    case POLICY_NO_ROUTE:
        return LIFE_NO_ROUTE;
    case POLICY_SOURCE:
        return LIFE_SOURCE;
    case POLICY_ORIGIN:
        return LIFE_ORIGIN;
    case POLICY_SUBPROTOCOL:
        return LIFE_SUBPROTOCOL;
    case POLICY_OK:
        break;
    }
    return LIFE_NOT_ENDED;
}

/* Takes the first good offer of permessage-deflate from all lines of the header. False: a line is
 * no list of extensions. */
static bool negotiate_deflate(const struct request *request, const struct config_route *route,
                              struct shape_rules *out)
{
    struct span value;
    size_t at = 0;

    if (!route->is_deflate) {
        return true;
    }
    while (request_next_header(request, SPAN_LIT("Sec-WebSocket-Extensions"), &at, &value)) {
        struct deflate_params params;
        switch (deflate_negotiate(&route->deflate, value, &params)) {
        case DEFLATE_MALFORMED:
            return false;
        case DEFLATE_AGREED:
            if (!out->is_deflate) {
                out->is_deflate = true;
                out->deflate_params = params;
            }
            break;
        case DEFLATE_NONE:
            break;
        }
    }
    return true;
}

/* The shape that the route itself asks for. */
static struct shape_rules shape_of(const struct config_route *route, struct span subprotocol)
{
    /* A subprotocol's name counts only on a route that lists subprotocols: a client that offers one
     * decides nothing. */
    bool is_named = route->policy.subprotocol_count > 0;
    struct shape_rules shape = {
        .is_echo = config_is_echo(route),
        .payload = is_named ? shape_payload_of(subprotocol, route->payload) : route->payload,
        .is_text_repaired = route->is_text_repaired,
        .framing = route->framing,
        .max_frame_bytes = route->max_frame_bytes,
        .deflate_settings = route->deflate,
    };
    shape.deflate_settings.max_message_bytes = route->max_message_bytes;
    return shape;
}

static void make_plan(const struct backend_tls *backend_tls, const struct config_route *route,
                      struct admission *out)
{
    out->plan =
        (struct dial_plan){.candidates = out->candidates, .timeout_ms = route->timeouts.connect_ms};
    if (out->shape.is_echo) {
        return;
    }
    assert(route->backend_count <= DIAL_CANDIDATES_MAX);
    for (size_t i = 0; i < route->backend_count; i++) {
        out->candidates[i] = backend_tls_candidate(backend_tls, route, &route->backends[i]);
    }
    out->plan.candidate_count = route->backend_count;
}

/* A browser fails such a handshake, whatever the answer is. */
static bool offers_only_token(const struct request *request, const struct config_route *route)
{
    bool wants_token = route->auth_count > 0 || config_has_targets(route);
    return wants_token && request->offer_count == 0 && request->token_offer_count > 0;
}

static void read_front(const struct admission_question *question, struct request *request,
                       struct front *out)
{
    const struct front_question before = {
        .listen = question->listen,
        .source = question->source,
        .is_secure = question->is_secure,
        .sni = question->sni,
    };
    front_read(&before, request, out);
}

static struct policy_request ask(const struct request *request, const struct front *front)
{
    return (struct policy_request){
        .asked = request,
        .source = &front->client,
        .is_secure = front->is_secure,
        .sni = front->sni,
    };
}

const struct config_route *admission_find_route(const struct admission_question *question)
{
    const struct config *config = question->config;
    struct request request = *question->request;
    struct front front;

    read_front(question, &request, &front);
    if (front.refusal != LIFE_NOT_ENDED) {
        return NULL;
    }
    const struct policy_request asked = ask(&request, &front);
    struct policy_decision decision =
        policy_decide_plain(config->policies, config->route_count, &asked);
    return decision.verdict == POLICY_OK ? &config->routes[decision.route] : NULL;
}

/* The longest path wins. The path counts as the client wrote it, as it does for routes. */
static void find_section(const struct config *config, struct span path, struct admission_files *out)
{
    size_t best = 0;

    for (size_t i = 0; i < config->file_count; i++) {
        struct span place = config->files[i].place.path;
        const struct span bare = {place.data, place.len - 1};
        bool is_bare = bare.len > 0 && span_is_equal(path, bare);
        if ((is_bare || span_starts_with(path, place)) && place.len > best) {
            best = place.len;
            out->section = &config->files[i];
            out->is_bare = is_bare;
            out->rest = is_bare ? (struct span){NULL, 0}
                                : (struct span){path.data + place.len, path.len - place.len};
        }
    }
}

void admission_find_files(const struct admission_question *question, struct admission_files *out)
{
    const struct config *config = question->config;

    *out = (struct admission_files){.section = NULL};
    find_section(config, question->request->path, out);
    if (out->section == NULL) {
        return;
    }
    read_front(question, question->request, &out->front);
    if (out->front.refusal != LIFE_NOT_ENDED) {
        return;
    }
    const struct policy_request asked = ask(question->request, &out->front);
    struct policy_decision decision =
        policy_decide_plain(config->policies, config->route_count, &asked);
    const struct policy_route *route =
        decision.verdict != POLICY_NO_ROUTE ? &config->policies[decision.route] : NULL;
    /* A plain request for a directory is one for its page, also where a session begins. */
    bool is_directory = span_ends_with(question->request->path, SPAN_LIT("/"));
    if (route != NULL &&
        (route->is_prefix ? route->path.len >= out->section->place.path.len : !is_directory)) {
        out->section = NULL;
    }
}

void admission_decide(const struct admission_question *question, struct admission *out)
{
    const struct config *config = question->config;

    out->route = NULL;
    read_front(question, question->request, &out->front);
    refuse(out, out->front.refusal, out->front.detail);
    if (out->refusal != LIFE_NOT_ENDED) {
        return;
    }
    const struct policy_request asked = ask(question->request, &out->front);
    struct policy_decision decision = policy_decide(config->policies, config->route_count, &asked);

    if (decision.verdict != POLICY_NO_ROUTE) {
        out->route = &config->routes[decision.route];
    }
    if (question->is_draining) {
        refuse(out, LIFE_SHUTDOWN, NULL);
        return;
    }
    if (decision.verdict != POLICY_OK) {
        refuse(out, ending_of_policy(decision.verdict), decision.detail);
        return;
    }
    if (offers_only_token(question->request, out->route)) {
        refuse(out, LIFE_SUBPROTOCOL,
               "the only subprotocol offered carries a token, and sluice never names that one in "
               "its answer: offer another one beside it");
        return;
    }
    out->subprotocol = decision.subprotocol;
    out->shape = shape_of(out->route, decision.subprotocol);
    if (!negotiate_deflate(question->request, out->route, &out->shape)) {
        refuse(out, LIFE_BAD_REQUEST, "malformed Sec-WebSocket-Extensions");
        return;
    }
    make_plan(question->backend_tls, out->route, out);
}
