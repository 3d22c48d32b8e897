/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a life begins, what the caller tells it between two steps, and what it says of itself. */
#include "proto/life.h"

void life_init(struct life *life, bool is_tls)
{
    *life = (struct life){
        .phase = is_tls ? LIFE_TLS : LIFE_REQUEST,
        .client = LIFE_SIDE_UP,
        .backend = LIFE_SIDE_GONE,
        .route.backend_code = 1011,
    };
}

void life_set_websocket(struct life *life)
{
    life->is_websocket = true;
}

void life_set_route(struct life *life, const struct life_route *route)
{
    life->route = *route;
}

void life_begin_request(struct life *life)
{
    if (life->served == LIFE_SERVED_KEPT) {
        life->served = LIFE_SERVED_ASKED;
    }
}

bool life_has_ended(const struct life *life)
{
    return life->ending != LIFE_NOT_ENDED;
}

bool life_reads_client(const struct life *life)
{
    if (life->client == LIFE_SIDE_GONE || life->client_eof) {
        return false;
    }
    /* While a backend is dialled or a file is sent the client's bytes stay in the kernel. */
    return life->phase != LIFE_DIAL && life->phase != LIFE_SERVING;
}

bool life_reads_backend(const struct life *life)
{
    return life->backend != LIFE_SIDE_GONE && !life->backend_eof;
}

bool life_forwards_backend(const struct life *life)
{
    return life->phase == LIFE_OPEN || life->phase == LIFE_HALF_CLOSED;
}
