/* SPDX-License-Identifier: GPL-3.0-or-later */
/* build.h: sections of a draft into the structs of the snapshot, by the rows of the table.
 *
 * For: everything that a row of the table says by itself: defaults, values, required keys, keys
 * that mean nothing. Not for: what no row says; listen.h and route.h add that. Every function adds
 * its errors to the report and goes on, so that one run names them all. */
#ifndef CONF_BUILD_H
#define CONF_BUILD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "conf/arena.h"
#include "conf/bundle.h"
#include "conf/draft.h"
#include "conf/report.h"
#include "conf/snapshot.h"

struct build {
    struct config *config; /* to fill */
    struct arena *texts;   /* the snapshot points into it */
    const struct bundle *bundle;
    const struct draft *draft;
    struct report *report;
    bool is_proven;                 /* the master has proven the certificates of this very bundle */
    const struct config_pair *lent; /* for listeners that name no certificate; NULL = ws:// */
    struct span system_ca;          /* the system's CAs, in DER, once a route has asked for them */
};

/* Zeroed room for `count` things in the snapshot; NULL (reported) when out of memory. */
MUST_CHECK void *build_array(struct build *build, size_t count, size_t size);

/* The file that a key names. NULL, reported: nobody could read it. */
MUST_CHECK const struct bundle_file *build_file(struct build *build, const struct draft_item *item);
/* Reports a file with a secret in it that others can read or change. `secret` is what messages call
 * it: "key", "token". A group may read and write: a group for keys (Debian's ssl-cert) is the usual
 * way to let a service read them. */
void build_check_exposure(struct build *build, const struct draft_item *item, const char *secret,
                          enum file_exposure exposure);

/* `base` is what sections of this kind are kept in (enum key_section). */
void build_fallbacks(struct build *build, enum key_section kind, void *base);
/* Fills what the section sets, and reports the required keys that it lacks. A list replaces the
 * whole list in `base`; a refused value leaves `base` as it is. */
void build_section(struct build *build, const struct draft_section *section, void *base);
/* Reports the keys of the section that mean nothing with `base` as it is now. */
void build_check_needs(struct build *build, const struct draft_section *section, const void *base);

#endif
