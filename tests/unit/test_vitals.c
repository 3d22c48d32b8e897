/* SPDX-License-Identifier: GPL-3.0-or-later */
// What a worker tells of its own process.
#include "gate/vitals.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "check.h"
#include "suites.h"

static void spend_ms(uint64_t ms)
{
    uint64_t end_ms = clock_now_ms() + ms;
    while (clock_now_ms() < end_ms) {
    }
}

static void test_vitals(void)
{
    struct reactor *reactor = reactor_new();
    struct seat_worker seat = {.cpu_ms = 1000000, .log_suppressed = 5};
    struct flood flood = {.suppressed_total = 0};
    struct vitals vitals;
    if (!CHECK_TRUE("a reactor", reactor != NULL)) {
        return;
    }
    vitals_init(&vitals, reactor, &seat, &flood);
    uint64_t first_ms = seat_get(&seat.cpu_ms);
    CHECK_TRUE("the time of those before it stays", first_ms >= 1000000);
    CHECK_TRUE("resident", seat_get(&seat.resident_bytes) >= 100 * 1024);
    CHECK_TRUE("virtual", seat_get(&seat.virtual_bytes) > seat_get(&seat.resident_bytes));
    CHECK_TRUE("may open", seat_get(&seat.max_fds) > 3);
    uint64_t open = seat_get(&seat.open_fds);
    CHECK_TRUE("open", open == 0 || (open > 3 && open <= seat_get(&seat.max_fds)));
    CHECK_TRUE("started", clock_date_s() - seat_get(&seat.started_s) < 60);
    flood.suppressed_total = 7;
    spend_ms(60);
    int extra = dup(STDOUT_FILENO);
    vitals_done(&vitals);
    close(extra);
    CHECK_TRUE("time goes on", seat_get(&seat.cpu_ms) > first_ms);
    CHECK_TRUE("but not much", seat_get(&seat.cpu_ms) < first_ms + 60000);
    CHECK_EQ_U64("kept back", seat_get(&seat.log_suppressed), 12);
    CHECK_TRUE("one more", open == 0 || seat_get(&seat.open_fds) == open + 1);
    reactor_free(reactor);
}

CU_TestInfo vitals_tests[] = {
    {"the worker's process", test_vitals},
    CU_TEST_INFO_NULL,
};
