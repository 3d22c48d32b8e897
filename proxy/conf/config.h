/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config.h: a bundle to one immutable snapshot, or a list of FILE:LINE: message.
 *
 * For: checking and printing the configuration. Not for: reading files (bundle.h) and applying what
 * they say. Nothing here opens a file, binds, resolves a name or starts a worker, but it checks all
 * that the bundle can tell: readable files, certificates that work, known users, complete routes.
 * It reports all errors at once. A snapshot never changes once it is made and owns everything in it
 * (snapshot.h), so the bundle may go; sessions point into the snapshot.
 *
 * The way of a key: draft.h reads the text by inih into sections of known keys, build.h reads their
 * values by the rows of the one table (key.h) into the snapshot, config_print writes the snapshot
 * by the same rows. */
#ifndef CONF_CONFIG_H
#define CONF_CONFIG_H

#include <stdio.h>

#include "base/buf.h"
#include "base/span.h"
#include "conf/bundle.h"
#include "conf/report.h"
#include "conf/snapshot.h"

enum config_proof {
    CONFIG_TO_PROVE = 0, /* check certificates by what clients demand, and prove each pair by a
                          * handshake in memory */
    CONFIG_PROVEN        /* the master has done so with this very bundle */
};

/* NULL on any error; *out_report then lists all of them, and in any case all warnings, in line
 * order (report_done frees it). The same bundle always makes the same snapshot. */
MUST_CHECK struct config *config_build(const struct bundle *bundle, enum config_proof proof,
                                       struct report *out_report);

/* The same for a bundle whose listeners get this certificate, which no file holds, where they name
 * none. */
MUST_CHECK struct config *config_build_lent(const struct bundle *bundle,
                                            const struct config_pair *lent,
                                            struct report *out_report);

/* The bundle of the INI at `path`, or of a text, and its snapshot. */
MUST_CHECK struct config *config_load(const char *path, struct report *out_report);
MUST_CHECK struct config *config_parse(struct span text, struct report *out_report);

/* For a probe: where the [health], or else the [admin], that the file names is reached from this
 * machine. Nothing else in
 * the file counts, nor whether it is right. False: *out_report says why nobody can be asked. */
MUST_CHECK bool config_health_address(const char *path, struct addr *out,
                                      struct report *out_report);

/* The effective configuration, every key with its value in force, as INI that parses to the same
 * snapshot. No secrets: paths only. */
void config_print(const struct config *config, FILE *out);
/* The same, appended to a queue. False: no memory or room; *out is then of no use. */
MUST_CHECK bool config_print_to(const struct config *config, struct buf *out);

/* The built-in [server], echo routes and listener of --demo; address_text may be empty for the
 * default 127.0.0.1:8443 (and [::1]:8443 when IPv6 is there). The caller brings the certificate. */
MUST_CHECK struct config *config_demo(struct span address_text, struct span certificate,
                                      struct span key, struct report *out_report);
/* Whether the machine has ::1, which "localhost" may mean as well. */
bool config_has_ipv6_loopback(void);

#endif
