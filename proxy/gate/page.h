/* SPDX-License-Identifier: GPL-3.0-or-later */
/* page.h: the demo page, embedded in the program at build time from proxy/demo.html. */
#ifndef GATE_PAGE_H
#define GATE_PAGE_H

#include <stddef.h>

extern const unsigned char demo_page[];
extern const size_t demo_page_len; /* bytes */

#endif
