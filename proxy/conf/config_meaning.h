/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_meaning.h: route keys that mean nothing unless another key says so.
 *
 * For: telling a user that a key in a route has no effect there, and not printing it. Not for:
 * [defaults], whose keys are for the routes that they fit. Pure. */
#ifndef CONF_CONFIG_MEANING_H
#define CONF_CONFIG_MEANING_H

#include "conf/config.h"

/* NULL, or what the route would need for this key to mean anything ("compression = on"). */
const char *config_meaning_lack(const struct config_route *route, const char *key_name);

#endif
