/* SPDX-License-Identifier: GPL-3.0-or-later */
// Random event sequences through the life cycle. A life has at most one Close and one 101 or HTTP
// answer, and its first reason stays. Behind the input, flushed queues and deadlines alone lead to
// DEAD.
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/life.h"

/* These events come by themselves when nothing else does. */
static const struct life_event last_events[] = {
    {.type = LIFE_EV_END, .ending = LIFE_IDLE}, {.type = LIFE_EV_CLIENT_FLUSHED},
    {.type = LIFE_EV_BACKEND_FLUSHED},          {.type = LIFE_EV_DEADLINE},
    {.type = LIFE_EV_BACKEND_DEADLINE},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct life life;
    int closes = 0;
    int answers = 0;

    if (size < 1) {
        return 0;
    }
    life_init(&life, (data[0] & 1) != 0);
    if (data[0] & 2) {
        life_set_websocket(&life);
    }
    struct life_route route = {
        .has_backend = (data[0] & 4) != 0,
        .is_http_refusal = (data[0] & 8) != 0,
        .is_half_open = (data[0] & 16) != 0,
        .is_token_first = (data[0] & 32) != 0,
        .backend_code = 1011,
    };
    life_set_route(&life, &route);
    for (size_t i = 1; i + 1 < size; i += 2) {
        struct life_event event = {.type = (enum life_event_type)(data[i] % LIFE_EV_COUNT)};
        event.ending = (enum life_ending)(1 + data[i + 1] % (LIFE_ENDING_COUNT - 1));
        event.code = (uint16_t)(1000 + data[i + 1]);
        enum life_ending before = life.ending;
        unsigned actions = life_step(&life, &event);
        closes += (actions & LIFE_DO_SEND_CLOSE) != 0;
        answers += (actions & LIFE_DO_ACCEPT_101) != 0;
        answers += (actions & LIFE_DO_REFUSE_101) != 0;
        answers += (actions & LIFE_DO_SEND_HTTP) != 0;
        assert(closes <= 1 && answers <= 1);
        assert(!(actions & LIFE_DO_REFUSE_101) || (actions & LIFE_DO_SEND_CLOSE));
        assert(before == LIFE_NOT_ENDED || life.ending == before);
        assert(event.type != LIFE_EV_KILL || life.phase == LIFE_DEAD);
    }
    for (int i = 0; life.phase != LIFE_DEAD; i++) {
        for (size_t at = 0; at < sizeof(last_events) / sizeof(last_events[0]); at++) {
            unsigned actions = life_step(&life, &last_events[at]);
            (void)actions;
        }
        assert(i < 10);
    }
    return 0;
}
