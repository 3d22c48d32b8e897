/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spread.h: when each of many sessions ends, so that they end evenly over a while.
 *
 * For: the arithmetic of a drain: pages that were all told at once would all come back at once.
 * The while is cut into as many equal parts as there are sessions; the first session ends at the
 * beginning, each other one somewhere in its own part, by chance. So no page waits for another, two
 * workers do not beat in time, and the rate is the same from the first second to the last. Not for:
 * which session is the next, ending it (session), the timer (worker). Pure. */
#ifndef GATE_SPREAD_H
#define GATE_SPREAD_H

#include <stddef.h>
#include <stdint.h>

#define SPREAD_TICK_MS 50 /* a crowd ends in small groups, so far apart */

struct spread {
    uint64_t begin_ms;
    uint64_t over_ms;
    uint64_t seed;
    size_t count;
    size_t taken;
};

/* How much of a drain of `drain_ms` its sessions end over: three quarters. The rest is for the
 * pages told last, which have yet to answer the Close. */
uint64_t spread_of_drain(uint64_t drain_ms);

/* `count` sessions from now on over `over_ms`; one seed is as good as any other. */
void spread_begin(struct spread *s, uint64_t now_ms, uint64_t over_ms, size_t count, uint64_t seed);
/* How many sessions are due that no call has told of yet. */
size_t spread_take(struct spread *s, uint64_t now_ms);
/* When to ask again: not before SPREAD_TICK_MS from now; UINT64_MAX = all are taken. */
uint64_t spread_next_ms(const struct spread *s, uint64_t now_ms);

#endif
