/* SPDX-License-Identifier: GPL-3.0-or-later */
/* follow.h: the addresses that a name has now, as they change.
 *
 * For: a name that stands for a set of servers (a headless service of Kubernetes, a service of
 * Docker): it is looked up again whenever its answer is out of date (resolver_answer's again_ms:
 * the TTL, 1 to 30 s) or a file has changed (resolv.conf, hosts), and the owner is told when the
 * set is another one. Not for: choosing among the addresses, what becomes of one that has left.
 *
 * Of each family the set is what the last answer said. A question that fails (a name server is
 * silent, or says that it failed) changes nothing. An answer by which the name has no address at
 * all counts once all answers have said so for FOLLOW_HOLD_MS: services that start anew and name
 * servers that do so have such moments. An answer as long as the resolver's ceiling removes no
 * address, because it may lack some.
 *
 * Addresses that stay keep their order, and new ones come behind them, whatever order the answers
 * have. Several who follow one name cost one question (resolver). */
#ifndef IO_FOLLOW_H
#define IO_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "io/reactor.h"
#include "io/resolver.h"

#define FOLLOW_ADDRS_MAX RESOLVER_ADDRS_MAX /* of both families; what comes on top is left out */
#define FOLLOW_HOLD_MS 10000

struct follow;
/* The set has changed; it may have become empty. Never from inside a call. The owner may free the
 * follow. */
typedef void follow_fn(void *owner);

/* Begins with a question. `host` is copied. NULL: no memory. */
MUST_CHECK struct follow *follow_new(struct reactor *reactor, struct resolver *resolver,
                                     const char *host, uint16_t port, follow_fn *callback,
                                     void *owner);
void follow_free(struct follow *follow);
/* For tests: instead of FOLLOW_HOLD_MS. */
void follow_set_hold(struct follow *follow, uint64_t ms);
/* Asks no more; the set stays. */
void follow_stop(struct follow *follow);

/* The set; valid until the next event of the loop. */
const struct addr *follow_addrs(const struct follow *follow, size_t *out_count);
/* A question has been answered: an empty set means that there is nobody, and not that nobody knows
 * yet. */
bool follow_is_known(const struct follow *follow);

/* The time of its reactor. */
uint64_t follow_now_ms(const struct follow *follow);

/* None of the addresses was any good: asks soon, though not before RESOLVER_KEPT_MIN_MS after the
 * last answer. */
void follow_doubt(struct follow *follow);

#endif
