/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_build.h: a draft to a snapshot; shared by config.c and the parts it is built by.
 *
 * Not for: anybody else. Every function adds what is wrong to the report and goes on, so that one
 * run names everything. Texts of the draft live in `texts` and go on into the snapshot. */
#ifndef CONF_CONFIG_BUILD_H
#define CONF_CONFIG_BUILD_H

#include <stddef.h>

#include "base/span.h"
#include "conf/config.h"
#include "conf/config_draft.h"

struct config_build {
    struct config *config;
    struct config_arena *texts;
    const struct config_draft *draft;
    struct config_report *report;
};

/* Zeroed room for `count` things in the snapshot; NULL (reported) when out of memory. */
MUST_CHECK void *config_build_array(struct config_build *build, size_t count, size_t size);
/* Stores the defaults of all numbers that sections of this kind keep in `base`. */
void config_build_fallbacks(enum config_section_kind kind, void *base);
/* Stores the numbers that this section sets. */
void config_build_numbers(const struct config_section *section, void *base);
size_t config_build_count(const struct config_build *build, enum config_section_kind kind);

/* config_listen.c */
void config_build_listens(struct config_build *build);
/* Reports on `line` when the pair cannot serve TLS. */
void config_build_prove(struct config_build *build, const struct config_pair *pair,
                        enum config_tls_version version, unsigned line);

/* config_route.c: wants [server] to be done */
void config_build_routes(struct config_build *build);

#endif
