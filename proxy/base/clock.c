/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/clock.h"

#include <time.h>

static struct timespec read_clock(void)
{
    struct timespec now = {0};
    /* Fails on a bad clock or address only. */
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now;
}

uint64_t clock_now_ms(void)
{
    struct timespec now = read_clock();
    uint64_t ms = (uint64_t)now.tv_sec * 1000U + (uint64_t)now.tv_nsec / 1000000U;
    return ms == 0 ? 1 : ms;
}

uint64_t clock_date_s(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec < 0 ? 0 : (uint64_t)now.tv_sec;
}

uint64_t clock_now_us(void)
{
    struct timespec now = read_clock();
    return (uint64_t)now.tv_sec * 1000000U + (uint64_t)now.tv_nsec / 1000U;
}
