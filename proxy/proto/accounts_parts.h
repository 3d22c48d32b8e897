/* SPDX-License-Identifier: GPL-3.0-or-later */
/* accounts_parts.h: what the sources of accounts.h know of each other. Not for: anybody else. */
#ifndef PROTO_ACCOUNTS_PARTS_H
#define PROTO_ACCOUNTS_PARTS_H

#include "proto/accounts.h"

/* Reads one line, which is neither blank nor a comment. NULL, or what is wrong; the spans of *out
 * point into the line. */
MUST_CHECK const char *accounts_read_line(enum accounts_kind kind, struct span line,
                                          struct accounts_entry *out);

#endif
