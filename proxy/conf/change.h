/* SPDX-License-Identifier: GPL-3.0-or-later */
/* change.h: what differs between two snapshots.
 *
 * For: a reload: which socket goes on for which listener, which sessions began under another route,
 * what the log says. Not for: carrying anything out. Pure. */
#ifndef CONF_CHANGE_H
#define CONF_CHANGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "conf/snapshot.h"

/* The same value for every key that a route has, whatever the text of the file. The name counts
 * too. */
bool change_is_route_same(const struct config_route *a, const struct config_route *b);
/* The same certificates and keys, byte by byte, under the same lowest version: sessions of one can
 * use the context of the other. */
bool change_is_tls_same(const struct config_listen *a, const struct config_listen *b);
/* One socket serves both: the same address, and with port 0 the same name. */
bool change_is_socket_same(const struct config_listen *a, const struct config_listen *b);

/* The index of the route with this name, or of the listener that such a socket serves; the count of
 * all when there is none. The search begins at `hint`: most things keep their place. */
size_t change_find_route(const struct config *config, struct span name, size_t hint);
size_t change_find_listen(const struct config *config, const struct config_listen *like,
                          size_t hint);

struct change {
    size_t server; /* keys of [server] with another value */
    size_t listens_new;
    size_t listens_gone;
    size_t listens_changed; /* keys or certificates */
    size_t routes_new;
    size_t routes_gone;
    size_t routes_changed;
};
void change_count(const struct config *before, const struct config *now, struct change *out);

#endif
