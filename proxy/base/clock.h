/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clock.h: the clock that never goes back, and the time of day.
 *
 * For: deadlines and durations, in every process; the date that an HTTP answer bears. Not for: the
 * time of a log line (log reads that itself); inside an event, where reactor_now_ms has the turn's
 * time. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC in milliseconds; never 0, so that 0 may mean "no time". */
uint64_t clock_now_ms(void);
/* The same clock in microseconds, for what is shorter than a turn. */
uint64_t clock_now_us(void);

/* The time of day in seconds since 1970; it may jump. For people and for what bears a date: a token
 * that ends. A deadline on it looks again now and then. */
uint64_t clock_date_s(void);

#endif
