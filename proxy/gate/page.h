/* SPDX-License-Identifier: GPL-3.0-or-later */
/* page.h: pages that the gateway serves itself.
 *
 * For: the page of a path, with the headers that this page needs. Not for: sending the page
 * (answer), who may see it. Today there is one: the demo page, which the build embeds from
 * proxy/demo.html. */
#ifndef GATE_PAGE_H
#define GATE_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

struct page {
    struct span content_type;
    struct span headers; /* whole header lines, each with its CRLF; may be empty */
    struct span body;    /* constant memory */
};

typedef bool page_find_fn(struct span path, struct page *out);

/* The page at `path`; false when there is none. */
bool page_find(struct span path, struct page *out);

/* Made by the build. */
extern const unsigned char demo_page[];
extern const size_t demo_page_len; /* bytes */

#endif
