/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/page.h"

bool page_find(struct span path, struct page *out)
{
    if (!span_is_equal(path, SPAN_LIT("/"))) {
        return false;
    }
    *out = (struct page){
        .content_type = SPAN_LIT("text/html; charset=utf-8"),
        /* The page is one file: its script and its style stand in it. */
        .headers = SPAN_LIT("Content-Security-Policy: default-src 'none'; script-src "
                            "'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
                            "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; "
                            "frame-ancestors 'none'\r\n"),
        .body = {(const char *)demo_page, demo_page_len},
    };
    return true;
}
