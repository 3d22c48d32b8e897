/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/page.h"

#include "gate/page_parts.h"

void page_text(struct page *out, unsigned status, struct span text)
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
        /* Its script and its style stand in it; the script takes /sluice.js. */
        .headers = SPAN_LIT("Content-Security-Policy: default-src 'none'; script-src 'self' "
                            "'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
                            "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; "
                            "frame-ancestors 'none'\r\n"),
        .body = answer_body_whole((struct span){(const char *)demo_page, demo_page_len}),
    };
}

static void open_kit(const struct page_question *question, struct page *out)
{
    (void)question;
    *out = (struct page){
        .status = 200,
        .content_type = SPAN_LIT("text/javascript; charset=utf-8"),
        .body = answer_body_whole((struct span){(const char *)page_kit, page_kit_len}),
    };
}

/* That a worker answers is all that a supervisor should know: neither backends nor load are a
 * reason to start sluice anew. */
static void open_livez(const struct page_question *question, struct page *out)
{
    (void)question;
    page_text(out, 200, SPAN_LIT("ok\n"));
}

static void open_readyz(const struct page_question *question, struct page *out)
{
    if (scoreboard_is_ready(question->scoreboard)) {
        page_text(out, 200, SPAN_LIT("ready\n"));
    } else {
        page_text(out, 503, SPAN_LIT("sluice stops, or no worker takes sessions\n"));
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

enum page_home { HOME_DEMO, HOME_HEALTH, HOME_ADMIN };

static const struct {
    enum page_home home;
    struct span path;
    page_open_fn *open;
} rows[] = {
    {HOME_DEMO, SPAN_LIT("/"), open_demo},
    {HOME_DEMO, SPAN_LIT("/sluice.js"), open_kit},
    {HOME_HEALTH, SPAN_LIT("/livez"), open_livez},
    {HOME_HEALTH, SPAN_LIT("/readyz"), open_readyz},
    {HOME_HEALTH, SPAN_LIT("/metrics"), open_metrics},
    {HOME_ADMIN, SPAN_LIT("/"), page_open_status},
    {HOME_ADMIN, SPAN_LIT("/sessions"), page_open_sessions},
    {HOME_ADMIN, SPAN_LIT("/config"), page_open_config},
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

/* --- homes ----------------------------------------------------------------------------------- */

static void find_health(const struct page_question *question, struct page *out)
{
    if (!find_row(question, HOME_HEALTH, out)) {
        page_text(out, 404, SPAN_LIT("there are /livez, /readyz and /metrics\n"));
    }
}

static bool is_read(const struct request *request)
{
    return span_is_equal(request->method, SPAN_LIT("GET")) ||
           span_is_equal(request->method, SPAN_LIT("HEAD"));
}

static void find_admin(const struct page_question *question, struct page *out)
{
    if (page_find_session(question, out)) {
        return;
    }
    if (!is_read(question->request)) {
        page_text(out, 405,
                  SPAN_LIT("this is there to be read; DELETE wants /sessions/ID or "
                           "/sessions?sub=NAME\n"));
    } else if (!find_row(question, HOME_ADMIN, out) && !find_row(question, HOME_HEALTH, out)) {
        page_text(out, 404,
                  SPAN_LIT("there are /, /sessions, /config, /metrics, /livez and /readyz, and "
                           "DELETE /sessions/ID or /sessions?sub=NAME\n"));
    }
}

static bool find_public(const struct page_question *question, struct page *out)
{
    const struct config_listen *listen = question->listen;

    if (is_read(question->request) && listen->health_path.len > 0 &&
        span_is_equal(listen->health_path, question->request->path)) {
        open_readyz(question, out);
        return true;
    }
    return (is_read(question->request) && listen->has_pages &&
            find_row(question, HOME_DEMO, out)) ||
           page_find_local(question, out);
}

bool page_find(const struct page_question *question, struct page *out)
{
    switch (question->listen->kind) {
    case CONFIG_LISTEN_PUBLIC:
        return find_public(question, out);
    case CONFIG_LISTEN_HEALTH:
        if (!is_read(question->request)) {
            return false;
        }
        if (page_is_asked_by_right(question, out)) {
            find_health(question, out);
        }
        return true;
    case CONFIG_LISTEN_ADMIN:
        if (page_is_asked_by_right(question, out)) {
            find_admin(question, out);
        }
        return true;
    }
    return false;
}

void page_done(struct page *page)
{
    buf_clear(&page->text);
}
