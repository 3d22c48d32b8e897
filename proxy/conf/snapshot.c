/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/snapshot.h"

void config_share(const struct config *config)
{
    if (config != NULL && config->holders != NULL) {
        config->holders->count++;
    }
}

void config_drop_auths(const struct config *config)
{
    for (size_t i = 0; i < config->auth_count; i++) {
        jwt_keys_done(&config->auths[i].keys);
        accounts_done(&config->auths[i].accounts);
        revoked_done(&config->auths[i].revoked);
    }
}

void config_drop_targets(const struct config *config)
{
    for (size_t i = 0; i < config->route_count; i++) {
        if (config->routes[i].targets != NULL) {
            targets_done(config->routes[i].targets);
        }
    }
}

bool config_is_echo(const struct config_route *route)
{
    return route->backend_count > 0 && route->backends[0].kind == CONFIG_BACKEND_ECHO;
}

bool config_has_targets(const struct config_route *route)
{
    return route->target_path_count > 0;
}

void config_free(const struct config *config)
{
    if (config != NULL && config->holders != NULL && --config->holders->count == 0) {
        struct arena memory = config->holders->memory; /* the snapshot itself is in it */

        config_drop_auths(config);
        config_drop_targets(config);
        arena_done(&memory);
    }
}

bool config_has_passwords(const struct config *config)
{
    for (size_t i = 0; i < config->route_count; i++) {
        for (size_t k = 0; k < config->routes[i].auth_count; k++) {
            if (config->routes[i].auths[k]->credential == CONFIG_PASSWORD) {
                return true;
            }
        }
    }
    return false;
}
