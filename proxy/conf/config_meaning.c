/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/config_meaning.h"

#include <stddef.h>
#include <string.h>

static bool is_echo(const struct config_route *route)
{
    return route->backend_count > 0 && route->backends[0].kind == CONFIG_BACKEND_ECHO;
}

static bool has_service(const struct config_route *route)
{
    return !is_echo(route);
}

/* [defaults] may give an echo: route a framing, which then means nothing. */
static bool is_line(const struct config_route *route)
{
    return has_service(route) && route->framing.kind == FRAMING_LINE;
}

static bool is_length(const struct config_route *route)
{
    return has_service(route) &&
           (route->framing.kind == FRAMING_LENGTH16 || route->framing.kind == FRAMING_LENGTH32);
}

static bool is_framed(const struct config_route *route)
{
    return is_line(route) || is_length(route);
}

static bool is_compressed(const struct config_route *route)
{
    return route->is_deflate;
}

static const struct {
    const char *name;
    bool (*is_meant)(const struct config_route *route);
    const char *needs;
} dependent_keys[] = {
    {"payload", has_service, "a backend other than echo:"},
    {"framing", has_service, "a backend other than echo:"},
    {"half_close", has_service, "a backend other than echo:"},
    {"framing_max", is_framed, "framing = line, length16 or length32"},
    {"line_end", is_line, "framing = line"},
    {"line_multi", is_line, "framing = line"},
    {"length_order", is_length, "framing = length16 or length32"},
    {"compression_window", is_compressed, "compression = on"},
    {"compression_takeover", is_compressed, "compression = on"},
    {"compression_ratio", is_compressed, "compression = on"},
    {"compression_idle", is_compressed, "compression = on"},
};

const char *config_meaning_lack(const struct config_route *route, const char *key_name)
{
    for (size_t i = 0; i < sizeof(dependent_keys) / sizeof(dependent_keys[0]); i++) {
        if (strcmp(dependent_keys[i].name, key_name) == 0) {
            return dependent_keys[i].is_meant(route) ? NULL : dependent_keys[i].needs;
        }
    }
    return NULL;
}
