/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/dial_plan.h"

#include <assert.h>

static struct dial_candidate candidate_of(const struct config_backend *backend)
{
    if (backend->kind == CONFIG_BACKEND_TCP && !backend->is_literal) {
        return (struct dial_candidate){.host = backend->host.data, .port = backend->port};
    }
    return (struct dial_candidate){.addresses = &backend->address, .address_count = 1};
}

void dial_plan_make(const struct config_route *route,
                    struct dial_candidate candidates[DIAL_CANDIDATES_MAX], struct dial_plan *out)
{
    assert(route->backend_count <= DIAL_CANDIDATES_MAX);
    for (size_t i = 0; i < route->backend_count; i++) {
        candidates[i] = candidate_of(&route->backends[i]);
    }
    *out = (struct dial_plan){
        .candidates = candidates,
        .candidate_count = route->backend_count,
        .timeout_ms = route->timeouts.connect_ms,
    };
}
