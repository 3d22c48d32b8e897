/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clock.h: the clock that never goes back.
 *
 * For: deadlines and durations, in every process. Not for: the time of day (log reads that itself);
 * inside an event, where reactor_now_ms has the turn's time. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC in milliseconds; never 0, so that 0 may mean "no time". */
uint64_t clock_now_ms(void);
/* The same clock in microseconds, for what is shorter than a turn. */
uint64_t clock_now_us(void);

#endif
