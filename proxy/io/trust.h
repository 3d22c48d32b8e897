/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trust.h: whether CAs of peers' certificates, and revocation lists, are fit for use.
 *
 * For: the configuration, which proves them once, in the master. Not for: handshakes (io/tls),
 * which take over what is proven. */
#ifndef IO_TRUST_H
#define IO_TRUST_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum trust_weight { TRUST_WARNING = 0, TRUST_ERROR };

/* `text` has printable ASCII only, and is valid during the call; `file` is the place of the file
 * that is at fault. */
typedef void trust_tell_fn(void *owner, enum trust_weight weight, size_t file, const char *text);

/* Whose certificates an authority signs. A server may also vouch for itself. */
enum trust_peer { TRUST_CLIENTS = 0, TRUST_SERVERS };

/* Tells of everything that is wrong with files of CA certificates (PEM); `now_s` is wall time. */
struct trust_authorities {
    const struct span *files;
    size_t count;
    enum trust_peer peer;
};
void trust_check_authorities(const struct trust_authorities *authorities, int64_t now_s,
                             trust_tell_fn *tell, void *owner);

/* Whether one certificate (DER) can be among those that servers are verified with. */
MUST_CHECK bool trust_fits_servers(struct span der);

/* The same of files of revocation lists (PEM or DER), of which each must be signed by one of the
 * authorities. An old list is a warning: who lets a list grow old loses new revocations, but would
 * lose all clients otherwise. */
struct trust_lists {
    const struct span *files;
    size_t count;
    const struct span *authorities; /* files of CA certificates without fault */
    size_t authority_count;
};
void trust_check_lists(const struct trust_lists *lists, int64_t now_s, trust_tell_fn *tell,
                       void *owner);

#endif
