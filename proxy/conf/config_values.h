/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_values.h: one written value to what it means: paths, hosts, backends.
 *
 * For: values that only the configuration has. Not for: origins, networks and addresses (policy,
 * addr). Pure. Each returns false with *out_problem set to a constant that says what would be
 * right; *out is then of no use. Spans point into `text`. */
#ifndef CONF_CONFIG_VALUES_H
#define CONF_CONFIG_VALUES_H

#include <stdbool.h>

#include "base/span.h"
#include "conf/config.h"
#include "proto/policy.h"

/* "/vnc", "/app/<star>": sets path and is_prefix. */
MUST_CHECK bool config_value_path(struct span text, struct policy_route *out,
                                  const char **out_problem);

/* A name in lower case, "*.example.com", or a numeric address; IPv6 comes out without brackets. */
MUST_CHECK bool config_value_host(struct span text, struct span *out, const char **out_problem);

/* "tcp://host:port", "unix:/path", "echo:". `host` is not yet NUL-terminated. */
MUST_CHECK bool config_value_backend(struct span text, struct config_backend *out,
                                     const char **out_problem);

#endif
