/* SPDX-License-Identifier: GPL-3.0-or-later */
// Lives to begin with, events, and timeouts that all differ from each other.
#ifndef TESTS_UNIT_LIFE_KIT_H
#define TESTS_UNIT_LIFE_KIT_H

#include "check.h"
#include "proto/life.h"

CHECK_UNUSED static const struct life_timeouts life_kit_timeouts = {
    .tls_ms = 10000,
    .request_ms = 11000,
    .kept_ms = 15000,
    .token_ms = 7000,
    .connect_ms = 5000,
    .idle_ms = 600000,
    .ping_interval_ms = 30000,
    .pong_ms = 9000,
    .write_ms = 31000,
    .close_ms = 5500,
    .end_ms = 120000,
    .linger_ms = 2000,
    .max_age_ms = 3600000,
};

CHECK_UNUSED static const struct life_event tls_done = {.type = LIFE_EV_TLS_DONE};
CHECK_UNUSED static const struct life_event request_ok = {.type = LIFE_EV_REQUEST_OK};
CHECK_UNUSED static const struct life_event serve = {.type = LIFE_EV_SERVE};
CHECK_UNUSED static const struct life_event served = {.type = LIFE_EV_SERVED};
CHECK_UNUSED static const struct life_event token_ok = {.type = LIFE_EV_TOKEN_OK};
CHECK_UNUSED static const struct life_event backend_up = {.type = LIFE_EV_BACKEND_UP};
CHECK_UNUSED static const struct life_event client_close = {.type = LIFE_EV_CLIENT_CLOSE,
                                                            .code = 4000};
CHECK_UNUSED static const struct life_event client_reset = {.type = LIFE_EV_CLIENT_RESET};
CHECK_UNUSED static const struct life_event client_flushed = {.type = LIFE_EV_CLIENT_FLUSHED};
CHECK_UNUSED static const struct life_event client_eof = {.type = LIFE_EV_CLIENT_EOF};
CHECK_UNUSED static const struct life_event client_cut = {.type = LIFE_EV_CLIENT_CUT};
CHECK_UNUSED static const struct life_event backend_flushed = {.type = LIFE_EV_BACKEND_FLUSHED};
CHECK_UNUSED static const struct life_event backend_eof = {.type = LIFE_EV_BACKEND_EOF};
CHECK_UNUSED static const struct life_event backend_reset = {.type = LIFE_EV_BACKEND_RESET};
CHECK_UNUSED static const struct life_event deadline = {.type = LIFE_EV_DEADLINE};
CHECK_UNUSED static const struct life_event kill_it = {.type = LIFE_EV_KILL};

CHECK_UNUSED static struct life_event end_of(enum life_ending ending)
{
    return (struct life_event){.type = LIFE_EV_END, .ending = ending};
}

CHECK_UNUSED static unsigned end_step(struct life *life, enum life_ending ending)
{
    struct life_event event = end_of(ending);
    return life_step(life, &event);
}

/* A life on a plain listener that has read a legal opening. */
CHECK_UNUSED static struct life requested_life(const struct life_route *route)
{
    struct life life;
    life_init(&life, false);
    life_set_websocket(&life);
    life_set_route(&life, route);
    return life;
}

/* A life in OPEN. The backend is a service or echo, half_close is keep or close. */
CHECK_UNUSED static struct life open_session_of(bool has_backend, bool is_half_open)
{
    struct life_route route = {
        .has_backend = has_backend, .is_half_open = is_half_open, .backend_code = 1011};
    struct life life = requested_life(&route);
    CHECK_EQ_U64("dial", life_step(&life, &request_ok), LIFE_DO_DIAL);
    CHECK_EQ_U64("up", life_step(&life, &backend_up), LIFE_DO_ACCEPT_101);
    return life;
}

CHECK_UNUSED static struct life open_session(void)
{
    return open_session_of(true, false);
}

#endif
