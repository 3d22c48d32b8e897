/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_scan.h: takes an INI text apart into lines and refuses what inih would let through.
 *
 * For: the line rules: length, NUL and other control characters, lone CR, UTF-8, byte order mark,
 * indented lines, headers without a closing bracket, over-long names. Not for: which sections and
 * keys exist. Pure; spans point into the text. */
#ifndef CONF_CONFIG_SCAN_H
#define CONF_CONFIG_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/* inih as packaged reads 200 bytes, line end and NUL included, and takes the rest of a longer line
 * for a new one; it cuts names at 49 bytes. Both limits keep a distance. */
#define CONFIG_LINE_MAX 190
#define CONFIG_NAME_MAX 45

enum config_line_kind {
    CONFIG_LINE_BLANK = 0, /* or a comment */
    CONFIG_LINE_SECTION,   /* `name` is what stands between the brackets, trimmed */
    CONFIG_LINE_KEY,       /* NAME = VALUE; `name` is the key's */
    CONFIG_LINE_BAD        /* `problem` says why, a constant; inih must not see the line */
};

struct config_line {
    enum config_line_kind kind;
    unsigned number;  /* from 1 */
    struct span text; /* without its line end */
    struct span name;
    const char *problem;
    bool is_header; /* BAD: it was meant as a section header, so that the keys below it belong to no
                       section that is known */
};

struct config_scan {
    struct span rest;
    unsigned number; /* of the last line handed out */
};

void config_scan_init(struct config_scan *scan, struct span text);
/* False when the text is used up. */
MUST_CHECK bool config_scan_next(struct config_scan *scan, struct config_line *out);

#endif
