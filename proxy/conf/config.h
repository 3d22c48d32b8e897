/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config.h: an INI file to one immutable snapshot, or a list of FILE:LINE: message.
 *
 * For: reading, checking and printing the configuration. main.c includes this header; gate/ knows
 * the snapshot alone. Not for: applying it. Nothing here binds, resolves a name or starts a worker,
 * but it checks all that reading can tell: readable files, certificates that work, known users,
 * complete routes. It reports all errors at once. A snapshot never changes after config_load and
 * owns everything in it (snapshot.h); sessions point into it.
 *
 * The way of a key: draft.h reads the text by inih into sections of known keys, build.h reads their
 * values by the rows of the one table (key.h) into the snapshot, config_print writes the snapshot
 * by the same rows. */
#ifndef CONF_CONFIG_H
#define CONF_CONFIG_H

#include <stdio.h>

#include "base/span.h"
#include "conf/report.h"
#include "conf/snapshot.h"

/* Reads `path`, a regular file. NULL on any error; *out_report then lists all of them, and in any
 * case all warnings, in line order (report_done frees it). Reads the certificates too, checks them
 * by what clients demand, and proves each pair by a handshake in memory. */
MUST_CHECK struct config *config_load(const char *path, struct report *out_report);

/* The same from memory. For --demo and tests. */
MUST_CHECK struct config *config_parse(struct span text, struct report *out_report);
void config_free(struct config *config);

/* For a probe: where the [health] that the file names is reached from this machine. Nothing else in
 * the file counts, nor whether it is right. False: *out_report says why nobody can be asked. */
MUST_CHECK bool config_health_address(const char *path, struct addr *out,
                                      struct report *out_report);

/* The effective configuration, every key with its value in force, as INI that parses to the same
 * snapshot. No secrets: paths only. */
void config_print(const struct config *config, FILE *out);

/* The built-in [server], echo routes and listener of --demo; address_text may be empty for the
 * default 127.0.0.1:8443 (and [::1]:8443 when IPv6 is there). The caller brings the certificate. */
MUST_CHECK struct config *config_demo(struct span address_text, struct span certificate,
                                      struct span key, struct report *out_report);

#endif
