/* SPDX-License-Identifier: GPL-3.0-or-later */
/* options.h: the command line.
 *
 * For: which options there are, which of them go together, and the text of --help. Not for: what
 * their values mean (to.h, config.h), doing what they ask for (main.c). Texts point into argv. */
#ifndef CONF_OPTIONS_H
#define CONF_OPTIONS_H

#include <stdbool.h>

#include "base/span.h"
#include "conf/to.h"

#define OPTIONS_DEFAULT_CONFIG "/etc/sluice/sluice.ini"

/* What the command line asks for. */
enum options_task {
    OPTIONS_SERVE = 0, /* and the rest: load a configuration first */
    OPTIONS_CHECK,
    OPTIONS_PRINT_CONFIG,
    OPTIONS_HEALTH,
    OPTIONS_KEYS,
    OPTIONS_VERSION,
    OPTIONS_HELP
};

struct options {
    enum options_task task;
    const char *config_path; /* the default one when nobody names one */
    bool is_demo;
    bool is_to;
    struct to_options to; /* --to and what goes with it; `listen` is --demo's too */
};

/* False: *out_fault says what is wrong, or is NULL when standard error has the fault already. */
MUST_CHECK bool options_read(int argc, char **argv, struct options *out, const char **out_fault);

extern const char options_usage[];

#endif
