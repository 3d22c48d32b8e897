/* SPDX-License-Identifier: GPL-3.0-or-later */
/* page_parts.h: what the sources of page.h know of each other; for nobody else. */
#ifndef GATE_PAGE_PARTS_H
#define GATE_PAGE_PARTS_H

#include "gate/page.h"

typedef void page_open_fn(const struct page_question *question, struct page *out);

/* page.c: a page that is one constant line or two. */
void page_text(struct page *out, unsigned status, struct span text);

/* page_rights.c. True: the question comes by a name of this listener, and from no page of another
 * origin. False: *out says so. */
bool page_is_asked_by_right(const struct page_question *question, struct page *out);
/* True: whoever asks may also write. False: *out says why not. */
bool page_may_write(const struct page_question *question, struct page *out);

/* page_local.c. False: no route of a page of this origin has this path and `local_network`. */
bool page_find_local(const struct page_question *question, struct page *out);

/* page_admin.c */
page_open_fn page_open_status;
page_open_fn page_open_sessions;
page_open_fn page_open_config;
/* False: the request ends no session, nor is it about one. */
bool page_find_session(const struct page_question *question, struct page *out);

#endif
