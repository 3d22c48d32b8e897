/* SPDX-License-Identifier: GPL-3.0-or-later */
/* resolver_parts.h: what the resolver's own sources share; for nobody else.
 *
 * resolver.c knows names: who waits for which, what is kept, what is asked next.
 * resolver_question.c knows c-ares on the loop: one question, from its channel to its answer.
 * resolver_system.c knows the system's files: whether they have changed, the search domains. */
#ifndef IO_RESOLVER_PARTS_H
#define IO_RESOLVER_PARTS_H

#include <ares.h>
#include <sys/stat.h>

#include "base/list.h"
#include "base/span.h"
#include "io/resolver.h"

/* --- files --------------------------------------------------------------------------------- */

#define RESOLVER_RESOLV_CONF_PATH "/etc/resolv.conf"
#define RESOLVER_HOSTS_PATH "/etc/hosts"

enum { RESOLVER_RESOLV_CONF, RESOLVER_HOSTS, RESOLVER_FILES };

struct resolver_files {
    const char *paths[RESOLVER_FILES];
    struct stat seen[RESOLVER_FILES]; /* all zero: no such file so far */
};

/* True when a file has changed since the last call. */
bool resolver_files_check(struct resolver_files *files);
/* True while a resolv.conf that was there is gone or empty. */
bool resolver_files_is_gone(const struct resolver_files *files);
/* It stays gone: from now on that is no news. */
void resolver_files_give_up(struct resolver_files *files);

/* --- questions ----------------------------------------------------------------------------- */

/* What all channels of a resolver have in common. */
struct resolver_system {
    const char *resolv_conf; /* NULL: the system's */
    uint16_t port;           /* of the servers in it; 0: 53 */
    char servers[256];       /* instead of those in it; "": none */
    uint64_t second_ms;      /* how long one lasts for what is kept: 1000, but in tests */
};
/* A time for which something is kept, in milliseconds of such seconds. */
uint64_t resolver_hasten(const struct resolver_system *system, uint64_t ms);

/* What the setters for tests change. */
struct resolver_system *resolver_own_system(struct resolver *resolver);
struct resolver_files *resolver_own_files(struct resolver *resolver);

/* Opens a channel with the system's servers, and with `options` as `mask` says. */
MUST_CHECK enum resolver_status resolver_channel_open(ares_channel *out,
                                                      const struct resolver_system *system,
                                                      struct ares_options *options, int mask);

/* As resolver_set_servers. */
MUST_CHECK bool resolver_system_set_servers(struct resolver_system *system, const char *csv);

enum resolver_source {
    RESOLVER_HOSTS_FILE = 0, /* both families at once */
    RESOLVER_IPV6,
    RESOLVER_IPV4
};

enum resolver_family { RESOLVER_FAMILY_6 = 0, RESOLVER_FAMILY_4, RESOLVER_FAMILIES };

struct resolver_addrs {
    struct addr *list; /* NULL when count is 0 */
    size_t count;
};

/* Copies them to `out`, which has room for RESOLVER_ADDRS_MAX, with this port. */
void resolver_addrs_copy(const struct resolver_addrs *addrs, uint16_t port, struct addr *out);

struct resolver_question;
typedef void resolver_question_fn(struct resolver_question *question);

/* One question. Its channel, and so its UDP port and its ids, belong to it alone. */
struct resolver_question {
    struct reactor *reactor;
    resolver_question_fn *on_done; /* from the loop, never from inside resolver_question_ask */
    void *owner;
    enum resolver_source source;
    ares_channel channel; /* NULL: not under way */
    struct list sockets;
    struct reactor_timer timer; /* c-ares's next timeout */
    bool is_answered;           /* c-ares answered, or nobody waits any more */
    bool has_heard;             /* a server sent something */

    /* The answer; on_done may take the lists away. */
    enum resolver_status status;
    struct resolver_addrs addrs[RESOLVER_FAMILIES];
    uint64_t ttl_ms; /* 0 for the hosts file */
};

void resolver_question_init(struct resolver_question *q, struct reactor *r,
                            resolver_question_fn *on_done, void *owner);
/* Asks for exactly this name, which ends in a dot unless the source is the hosts file. */
void resolver_question_ask(struct resolver_question *q, const struct resolver_system *system,
                           enum resolver_source source, const char *name);
/* on_done does not come any more, and the answer goes. */
void resolver_question_stop(struct resolver_question *q);

/* --- the search list ----------------------------------------------------------------------- */

#define RESOLVER_NAME_TEXT_MAX 256 /* of a whole name with its last dot, NUL included */

#define RESOLVER_DOMAINS_MAX 16

/* The search domains of resolv.conf (resolv.conf(5)); without any, the domain of this machine's
 * name. c-ares reads them too, but would search for A and AAAA apart, and might find two hosts. */
struct resolver_search {
    struct span domains[RESOLVER_DOMAINS_MAX]; /* in `text` */
    size_t domain_count;
    size_t ndots;
    char text[1024];
};

/* Pure; ignores what is too much. `text` is a whole resolv.conf, `host` the machine's name. */
void resolver_search_parse(struct resolver_search *search, struct span text, struct span host);
/* Of the system's file; a file that cannot be read has no domains. */
MUST_CHECK enum resolver_status resolver_search_read(struct resolver_search *search,
                                                     const struct resolver_system *system);
/* The whole name that is asked for in the place `index`; "" when it would be longer than a name can
 * be (RFC 1035 2.3.4). False: nothing is asked for in that place. */
MUST_CHECK bool resolver_search_name(const struct resolver_search *search, const char *name,
                                     size_t index, char out[RESOLVER_NAME_TEXT_MAX]);

#endif
