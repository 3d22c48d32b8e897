/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/snapshot.h"

void config_share(const struct config *config)
{
    if (config != NULL && config->holders != NULL) {
        config->holders->count++;
    }
}

void config_free(const struct config *config)
{
    if (config != NULL && config->holders != NULL && --config->holders->count == 0) {
        struct arena memory = config->holders->memory; /* the snapshot itself is in it */

        arena_done(&memory);
    }
}
