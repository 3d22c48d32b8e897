/* SPDX-License-Identifier: GPL-3.0-or-later */
/* words.h: how far a misspelt word is from one that is known.
 *
 * For: "did you mean ...?". Not for: deciding anything. Pure. */
#ifndef CONF_WORDS_H
#define CONF_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/* How many letters must be changed, added, dropped or swapped to make one word of the other;
 * SIZE_MAX when one is longer than 48 bytes. */
size_t words_distance(struct span a, struct span b);
/* True when `word` may be a slip for `known` and is nearer to it than *distance, which becomes the
 * new distance. Begin with SIZE_MAX. */
bool words_is_nearer(struct span word, struct span known, size_t *distance);

#endif
