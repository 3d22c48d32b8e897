/* SPDX-License-Identifier: GPL-3.0-or-later */
/* page.h: what the gateway itself serves over HTTP, and where.
 *
 * For: the one table of pages. A request that opens no WebSocket gets the page of its path, if the
 * kind of its listener has one:
 *   - --demo: the demo page and the kit that it uses (/sluice.js), which the build embeds from
 *     proxy/page/;
 *   - a listener with `health_path`: whether sluice takes sessions;
 *   - on the path of a route with `local_network`, to a page of an allowed origin: the empty CORS
 *     answer (Fetch 3.3) that lets the page raise its browser's question about private addresses;
 *   - [health]: /livez (a worker answers), /readyz (sluice takes sessions: 200, else 503), /metrics
 *     and, for every other path, a list of these;
 *   - [admin]: these, the status page of proxy/page/status.html, /sessions, /config, and DELETE of
 *     /sessions/ID, which asks for the end of that session, or of /sessions?sub=NAME: of all that
 *     are of one subject.
 * [health] and [admin] answer only who asks for them by an address, by localhost or by a name of
 * their `hosts`, and no page of another origin: so no page that leads a name of its own here (DNS
 * rebinding) can read them. Who writes needs the token as well, or the right to write to a Unix
 * socket. Not for: sending a page (answer), malformed heads (upgrade), ending sessions (session).
 *
 * page.c has the table, page_rights.c who may ask, page_admin.c the pages of [admin] alone,
 * page_local.c the CORS answer. */
#ifndef GATE_PAGE_H
#define GATE_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/span.h"
#include "conf/snapshot.h"
#include "gate/answer.h"
#include "gate/files.h"
#include "gate/listing.h"
#include "gate/metrics.h"
#include "gate/roster.h"
#include "gate/scoreboard.h"
#include "proto/request.h"

/* Who asks for what, and what pages tell of. All of it outlives the page. */
struct page_question {
    const struct config_listen *listen;
    const struct http_parser *head;
    const struct request *request; /* what upgrade_check_any made of the head */
    const struct addr *source;     /* who asks */
    bool is_secure;                /* over TLS */
    struct span sni;               /* the name in that TLS; empty = none */
    const struct config *config;
    const struct scoreboard *scoreboard;
    const struct seats *seats;        /* NULL: nobody counts */
    struct upstream *const *upstream; /* the one in force, which may change; NULL: nobody follows
                                       * names */
    struct roster *roster;            /* for [admin] */
};

/* How often and by whom a page is asked for. */
enum page_use {
    PAGE_FOR_PEOPLE = 0,
    PAGE_FOR_PROBES /* by programs, every few seconds */
};

/* Never copied once page_find has filled it: its body may point into it. page_done frees it. */
struct page {
    unsigned status; /* 0: there is no page */
    enum page_use use;
    struct span content_type;
    struct span headers;     /* whole header lines, each with its CRLF; may be empty */
    struct span allow;       /* of a 405: answer_http */
    struct answer_body body; /* of memory that outlives the page, or produced */
    const char *detail;      /* a constant text for the log, of a refusal and of what serves no
                                probe; else NULL */
    union {
        struct metrics metrics; /* what produces /metrics */
        struct listing listing; /* what produces /sessions */
    };
    struct buf text; /* owned: what /config and the lines of a CORS answer are made of */
};

typedef bool page_find_fn(const struct page_question *question, struct page *out);

/* False: there is no page, and the request is none of our own. */
bool page_find(const struct page_question *question, struct page *out);
void page_done(struct page *page);

/* Made by the build. */
extern const unsigned char demo_page[];
extern const size_t demo_page_len; /* bytes */
extern const unsigned char status_page[];
extern const size_t status_page_len;

#endif
