/* SPDX-License-Identifier: GPL-3.0-or-later */
/* to.h: one command without a configuration file: `sluice --to HOST:PORT`.
 *
 * For: the values of its options to the text of a configuration, which the same parser reads as a
 * file (to_build); the addresses to open in a browser (to_announce). Not for: which options go
 * together (options.h).
 *
 * The route is served at /websockify and at /; a directory of files, if there is one, has every
 * other path. Without an address of its own the gateway listens on the loopback addresses. Where
 * neither a certificate is named nor TLS is turned off, it makes a certificate for this run.
 *
 * A message about a value begins with its option ("--listen: bad address ..."), and has no line:
 * nobody has written the text. */
#ifndef CONF_TO_H
#define CONF_TO_H

#include <stdbool.h>
#include <stdio.h>

#include "base/addr.h"
#include "conf/bundle.h"
#include "conf/report.h"
#include "conf/snapshot.h"

#define TO_PORT 6080 /* where people look for noVNC */

/* The values of the options, as written; NULL = not given. */
struct to_options {
    const char *target; /* --to: HOST:PORT, [ADDRESS]:PORT or what `backend` takes; a list */
    const char *listen;
    const char *files;
    const char *origins;
    const char *certificate; /* together with key */
    const char *key;
    bool is_plain;
};

/* NULL: *out_report says why; it has the warnings in any case. *out_bundle is what a reload reads
 * again; it is empty when the certificate was made for this run. The caller frees all three. */
MUST_CHECK struct config *to_build(const struct to_options *options, struct bundle *out_bundle,
                                   struct report *out_report);

/* What to open, once sluice serves at `address`, and what it serves there. Looks which pages the
 * directory of files has. */
void to_announce(const struct to_options *options, const struct addr *address, FILE *out);

#endif
