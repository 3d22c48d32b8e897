/* SPDX-License-Identifier: GPL-3.0-or-later */
/* listen.h: [listen NAME] sections, and the certificates that they name.
 *
 * For: what no row of the table says: files and keys that belong together, addresses that are taken
 * twice. Not for: binding. */
#ifndef CONF_LISTEN_H
#define CONF_LISTEN_H

#include "base/span.h"
#include "conf/build.h"

/* Fills the snapshot's listens. */
void listen_build(struct build *build);

/* Warns of each route's `host` for which no listener has a certificate, unless the bundle is
 * proven. After route_build. */
void listen_check_hosts(struct build *build);

/* What a certificate is called in messages, and the line that they name. */
struct listen_proof {
    struct span certificate_path;
    struct span key_path;
    unsigned line;
};

/* Reports when the pair cannot serve TLS; nothing of a proven bundle. */
void listen_prove(struct build *build, const struct config_pair *pair,
                  enum config_tls_version version, struct listen_proof proof);

/* Writes zeros over the private keys of a snapshot that is no longer in force, for the sake of a
 * process in which sessions still hold it. What is in one file with a key goes with it. */
void listen_forget_keys(const struct config *config);

#endif
