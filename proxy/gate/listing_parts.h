/* SPDX-License-Identifier: GPL-3.0-or-later */
/* listing_parts.h: what the sources of listing.h share; for nobody else. */
#ifndef GATE_LISTING_PARTS_H
#define GATE_LISTING_PARTS_H

#include "gate/listing.h"

#define LISTING_ROW_MAX 3456 /* bytes: every character of a name escaped */

/* The text as JSON, in `out`, which it fits; "" is null. */
const char *listing_quote(const char *text, char *out, size_t size);
/* Writes the backends that fit, and counts listing->backend up to the number of all rows. */
size_t listing_write_backends(struct listing *listing, char *out, size_t size);

#endif
