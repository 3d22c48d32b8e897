/* SPDX-License-Identifier: GPL-3.0-or-later */
/* resolver.h: names to addresses, with c-ares on the worker's own loop: no threads.
 *
 * For: the backends' names, shared: whoever asks for a name that is being looked up waits for the
 * same answer, and answers are kept for a while. Not for: literals (addr_parse_host), choosing
 * among the answers. Every answer comes from the loop, never from inside resolver_start, and never
 * after resolver_cancel.
 *
 * A name is looked up in the hosts file, and then with the name servers and search domains of
 * resolv.conf, as is or below each search domain in turn. A and AAAA are two questions, and each
 * question has a UDP port of its own (RFC 5452 section 9.2).
 *
 * The resolver looks at resolv.conf and the hosts file when it is asked, and each second while a
 * question is under way or somebody watches. When one has changed, the resolver forgets its answers
 * and asks what is under way again. A file that is gone or empty counts as unchanged, and new
 * questions wait for it: whoever replaces a file may do so in two steps. The resolver heeds no
 * environment variables: it removes LOCALDOMAIN and RES_OPTIONS from the environment. */
#ifndef IO_RESOLVER_H
#define IO_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/list.h"
#include "io/reactor.h"

#define RESOLVER_ADDRS_MAX 64      /* of each family; the resolver ignores more */
#define RESOLVER_NAMES_MAX 256     /* names whose answers are kept */
#define RESOLVER_KEPT_MIN_MS 1000  /* answers are kept for their TTL, but at least ... */
#define RESOLVER_KEPT_MAX_MS 30000 /* ... and at most; a moved service is found again soon */
#define RESOLVER_FAILURE_KEPT_MS 2000
#define RESOLVER_DEADLINE_MS 5000 /* of a lookup, over all servers and search domains */

struct resolver;
/* NULL: no memory. */
MUST_CHECK struct resolver *resolver_new(struct reactor *r);
/* Cancels every query. Not for use inside a callback of the resolver. */
void resolver_free(struct resolver *resolver);
/* For tests, before the first question: asks these name servers ("127.0.0.1:5353,[::1]:53") instead
 * of the system's. False when `csv` is no such list or is too long. */
MUST_CHECK bool resolver_set_servers(struct resolver *resolver, const char *csv);
/* For tests, before the first question: reads this file instead of /etc/resolv.conf, and asks its
 * servers on this port. `path` must outlive the resolver. */
void resolver_set_file(struct resolver *resolver, const char *path, uint16_t port);
/* For tests: how long a second lasts for what is kept, instead of 1000 ms. */
void resolver_set_second(struct resolver *resolver, uint64_t ms);
/* RESOLVER_KEPT_MIN_MS, as long as a second lasts. */
uint64_t resolver_kept_min_ms(struct resolver *resolver);

/* How a question ended. A greater value says more about a name of which both questions failed. */
enum resolver_status {
    RESOLVER_OK = 0,
    RESOLVER_NO_NAME,    /* the name does not exist */
    RESOLVER_NO_ADDRESS, /* the name has no address of this family */
    RESOLVER_FAILED,     /* a name server said that it failed, or answered garbage */
    RESOLVER_SILENT,     /* no name server answered */
    RESOLVER_NO_SERVERS, /* resolv.conf cannot be read */
    RESOLVER_EXHAUSTED   /* this machine lacks descriptors or memory */
};

/* What one question found. */
struct resolver_answer {
    enum resolver_status status;
    bool is_ipv6;
    bool is_last;             /* the query is over, and its handle is gone */
    const struct addr *addrs; /* valid within the callback */
    size_t count;             /* 0 unless status is RESOLVER_OK */
    /* With is_last: before this time of the reactor a question brings nothing new, unless files
     * change. What the hosts file says counts for RESOLVER_KEPT_MAX_MS. */
    uint64_t again_ms;
};

struct resolver_query;
/* The resolver calls twice, once for IPv6 and once for IPv4, each as soon as the family is known;
 * of two that are known the IPv6 one comes first. Each call is the last thing the resolver does in
 * an event, so the owner may do anything but free the resolver. */
typedef void resolver_fn(void *owner, const struct resolver_answer *answer);

/* NULL: no memory. The query ends by itself within RESOLVER_DEADLINE_MS, unless files change
 * meanwhile; the caller has its own deadline. */
MUST_CHECK struct resolver_query *resolver_start(struct resolver *resolver, const char *name,
                                                 uint16_t port, resolver_fn *callback, void *owner);
/* The callback of the query never comes (again). */
void resolver_cancel(struct resolver_query *query);

/* No address of this name was any good: the next query asks anew, unless the answers are younger
 * than RESOLVER_KEPT_MIN_MS. */
void resolver_doubt(struct resolver *resolver, const char *name);

/* Somebody who wants to hear at once that files have changed, and so what names mean. */
struct resolver_watcher {
    struct list link;
    /* May come from inside resolver_start: it takes note, and does nothing else. */
    void (*on_change)(struct resolver_watcher *watcher);
};
/* The watcher ends its watch before it, or the resolver, is freed. */
void resolver_watch(struct resolver *resolver, struct resolver_watcher *watcher);
void resolver_unwatch(struct resolver_watcher *watcher);

#endif
