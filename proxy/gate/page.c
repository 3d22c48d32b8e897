/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/page.h"

#include "base/host.h"

typedef void page_open_fn(const struct page_question *question, struct page *out);

static void open_text(struct page *out, unsigned status, struct span text)
{
    *out = (struct page){
        .status = status,
        .use = PAGE_FOR_PROBES,
        .content_type = SPAN_LIT("text/plain; charset=utf-8"),
        .body = answer_body_whole(text),
    };
}

static void open_demo(const struct page_question *question, struct page *out)
{
    (void)question;
    *out = (struct page){
        .status = 200,
        .content_type = SPAN_LIT("text/html; charset=utf-8"),
        /* The page is one file: its script and its style stand in it. */
        .headers = SPAN_LIT("Content-Security-Policy: default-src 'none'; script-src "
                            "'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
                            "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; "
                            "frame-ancestors 'none'\r\n"),
        .body = answer_body_whole((struct span){(const char *)demo_page, demo_page_len}),
    };
}

/* That a worker answers is all that a supervisor should know: neither backends nor load are a
 * reason to start sluice anew. */
static void open_livez(const struct page_question *question, struct page *out)
{
    (void)question;
    open_text(out, 200, SPAN_LIT("ok\n"));
}

static void open_readyz(const struct page_question *question, struct page *out)
{
    if (scoreboard_is_ready(question->scoreboard)) {
        open_text(out, 200, SPAN_LIT("ready\n"));
    } else {
        open_text(out, 503, SPAN_LIT("sluice stops, or no worker takes sessions\n"));
    }
}

static void open_metrics(const struct page_question *question, struct page *out)
{
    *out = (struct page){
        .status = 200,
        .use = PAGE_FOR_PROBES,
        .content_type = SPAN_LIT(METRICS_CONTENT_TYPE),
        .metrics =
            {
                .seats = question->seats,
                .scoreboard = question->scoreboard,
                .config = question->config,
                .query = question->request->query,
            },
    };
    out->body = metrics_body(&out->metrics);
}

/* --- the table ------------------------------------------------------------------------------- */

enum page_home { HOME_DEMO, HOME_HEALTH };

static const struct {
    enum page_home home;
    struct span path;
    page_open_fn *open;
} rows[] = {
    {HOME_DEMO, SPAN_LIT("/"), open_demo},
    {HOME_HEALTH, SPAN_LIT("/livez"), open_livez},
    {HOME_HEALTH, SPAN_LIT("/readyz"), open_readyz},
    {HOME_HEALTH, SPAN_LIT("/metrics"), open_metrics},
};

static bool find_row(const struct page_question *question, enum page_home home, struct page *out)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].home == home && span_is_equal(rows[i].path, question->request->path)) {
            rows[i].open(question, out);
            return true;
        }
    }
    return false;
}

/* --- who may ask ----------------------------------------------------------------------------- */

static bool is_own_host(const struct config_listen *listen, struct span host)
{
    if (host.len == 0 || host_is_local_or_address(host)) {
        return true; /* a browser always names a host */
    }
    for (size_t i = 0; i < listen->host_count; i++) {
        if (host_match(listen->hosts[i], host) != HOST_DIFFERS) {
            return true;
        }
    }
    return false;
}

/* The origin of a page that this very listener has served. */
static bool is_own_origin(const struct request *request, struct span origin)
{
    static const struct span scheme = SPAN_LIT("http://");
    return span_starts_with(origin, scheme) &&
           span_is_equal_nocase((struct span){origin.data + scheme.len, origin.len - scheme.len},
                                request->authority);
}

/* True: nobody else's page asks. False: *out says so. */
static bool is_asked_by_right(const struct page_question *question, struct page *out)
{
    const struct request *request = question->request;
    struct span origin;
    size_t at = 0;

    if (!is_own_host(question->listen, request->host_name)) {
        open_text(out, 421,
                  SPAN_LIT("this is no name of this server: ask by its address, or add the name "
                           "to `hosts` of [health]\n"));
        out->detail = "Host is no address and not in `hosts` of [health]";
        return false;
    }
    while (request_next_header(request, SPAN_LIT("Origin"), &at, &origin)) {
        if (!is_own_origin(request, origin)) {
            open_text(out, 403, SPAN_LIT("pages of other origins may not read this\n"));
            out->detail = "a page of another origin asks";
            return false;
        }
    }
    return true;
}

bool page_find(const struct page_question *question, struct page *out)
{
    const struct config_listen *listen = question->listen;

    switch (listen->kind) {
    case CONFIG_LISTEN_PUBLIC:
        if (listen->health_path.len > 0 &&
            span_is_equal(listen->health_path, question->request->path)) {
            open_readyz(question, out);
            return true;
        }
        return listen->has_pages && find_row(question, HOME_DEMO, out);
    case CONFIG_LISTEN_HEALTH:
        if (is_asked_by_right(question, out) && !find_row(question, HOME_HEALTH, out)) {
            open_text(out, 404, SPAN_LIT("there are /livez, /readyz and /metrics\n"));
        }
        return true;
    }
    return false;
}
