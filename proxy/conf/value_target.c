/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The values of the keys about targets. */
#include <stdio.h>

#include "conf/snapshot.h"
#include "conf/value.h"

bool value_read_target_source(struct span text, struct arena *texts, void *field,
                              const char **out_detail)
{
    (void)texts;
    *out_detail = "query:NAME, path, subprotocol or host";
    return targets_source_parse(text, field);
}

struct span value_show_target_source(const void *field, char scratch[VALUE_BYTES_MAX + 1])
{
    const struct targets_source *source = field;

    switch (source->place) {
    case TARGETS_QUERY:
        break;
    case TARGETS_PATH:
        return SPAN_LIT("path");
    case TARGETS_SUBPROTOCOL:
        return SPAN_LIT("subprotocol");
    case TARGETS_HOST:
        return SPAN_LIT("host");
    }
    if (source->name.len == 0) {
        return (struct span){NULL, 0};
    }
    snprintf(scratch, VALUE_BYTES_MAX + 1, "query:%.*s", (int)source->name.len, source->name.data);
    return span_from_str(scratch);
}

bool value_read_target_rule(struct span text, struct arena *texts, void *field,
                            const char **out_detail)
{
    (void)texts;
    *out_detail = "10.0.0.0/8, 2001:db8::/32 or one address, with no bit set behind the prefix, or "
                  "unix:/PATH, with a slash at its end for all sockets below it";
    return target_rule_parse(text, field);
}

struct span value_show_target_rule(const void *field, char scratch[VALUE_BYTES_MAX + 1])
{
    const struct target_rule *rule = field;

    if (rule->network.family != AF_UNIX) {
        return value_show_network(&rule->network, scratch);
    }
    snprintf(scratch, VALUE_BYTES_MAX + 1, "unix:%.*s", (int)rule->path.len, rule->path.data);
    return span_from_str(scratch);
}
