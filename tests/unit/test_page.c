/* SPDX-License-Identifier: GPL-3.0-or-later */
// Which page a listener has at a path, and who may read it.
#include "gate/page.h"

#include "check.h"
#include "http_feed.h"
#include "proto/upgrade.h"
#include "suites.h"

enum home { PLAIN, DEMO, PROBED, HEALTH };

static struct span hosts[] = {SPAN_LIT("sluice.example"), SPAN_LIT("*.svc.example")};
static const struct config_listen listens[] = {
    [PLAIN] = {.kind = CONFIG_LISTEN_PUBLIC},
    [DEMO] = {.kind = CONFIG_LISTEN_PUBLIC, .has_pages = true},
    [PROBED] = {.kind = CONFIG_LISTEN_PUBLIC, .health_path = SPAN_LIT("/healthz")},
    [HEALTH] = {.kind = CONFIG_LISTEN_HEALTH, .hosts = hosts, .host_count = COUNT(hosts)},
};

#define ASK(path, more) "GET " path " HTTP/1.1\r\n" more "\r\n"
#define LOCAL "Host: 127.0.0.1:9090\r\n"

static const struct {
    const char *name;
    enum home home;
    const char *head;
    unsigned ready;    // the status while sluice takes sessions; 0: no page
    unsigned unready;  // while it does not
    const char *begin; // of the body, while it is ready
} rows[] = {
    {"plain", PLAIN, ASK("/", LOCAL), 0, 0, NULL},
    {"plain livez", PLAIN, ASK("/livez", LOCAL), 0, 0, NULL},
    {"demo", DEMO, ASK("/", LOCAL), 200, 200, "<!"},
    {"demo, a name", DEMO, ASK("/", "Host: any.example\r\n"), 200, 200, "<!"},
    {"demo, elsewhere", DEMO, ASK("/livez", LOCAL), 0, 0, NULL},
    {"path", PROBED, ASK("/healthz", "Host: any.example\r\n"), 200, 503, "ready\n"},
    {"path with a query", PROBED, ASK("/healthz?x=1", LOCAL), 200, 503, "ready\n"},
    {"below it", PROBED, ASK("/healthz/", LOCAL), 0, 0, NULL},
    {"its case", PROBED, ASK("/Healthz", LOCAL), 0, 0, NULL},
    {"beside it", PROBED, ASK("/readyz", LOCAL), 0, 0, NULL},
    {"livez", HEALTH, ASK("/livez", LOCAL), 200, 200, "ok\n"},
    {"readyz", HEALTH, ASK("/readyz", LOCAL), 200, 503, "ready\n"},
    {"another path", HEALTH, ASK("/", LOCAL), 404, 404, "there are "},
    {"no Host", HEALTH, "GET /livez HTTP/1.0\r\n\r\n", 200, 200, "ok\n"},
    {"empty Host", HEALTH, ASK("/livez", "Host:\r\n"), 200, 200, "ok\n"},
    {"localhost", HEALTH, ASK("/livez", "Host: localhost\r\n"), 200, 200, "ok\n"},
    {"IPv6", HEALTH, ASK("/livez", "Host: [::1]:9090\r\n"), 200, 200, "ok\n"},
    {"its name", HEALTH, ASK("/livez", "Host: Sluice.Example:9090\r\n"), 200, 200, "ok\n"},
    {"its pattern", HEALTH, ASK("/livez", "Host: a.svc.example\r\n"), 200, 200, "ok\n"},
    {"another name", HEALTH, ASK("/livez", "Host: evil.example\r\n"), 421, 421, "this is no name"},
    {"a name of the target", HEALTH, ASK("http://evil.example/livez", LOCAL), 421, 421, "this is"},
    {"a page", HEALTH, ASK("/livez", LOCAL "Origin: https://evil.example\r\n"), 403, 403, "pages"},
    {"any page", HEALTH, ASK("/livez", LOCAL "Origin: null\r\n"), 403, 403, "pages"},
    {"two", HEALTH,
     ASK("/livez", LOCAL "Origin: http://127.0.0.1:9090\r\nOrigin: http://evil.example\r\n"), 403,
     403, "pages"},
    {"another port", HEALTH, ASK("/livez", LOCAL "Origin: http://127.0.0.1:80\r\n"), 403, 403, "p"},
    {"its own page", HEALTH, ASK("/livez", LOCAL "Origin: http://127.0.0.1:9090\r\n"), 200, 200,
     "ok\n"},
};

static void check_row(size_t i, const struct scoreboard *board, unsigned want, const char *begin)
{
    static struct http_fed fed;
    struct request request;
    const char *detail;
    struct page page = {.status = 0};
    const struct page_question question = {
        .listen = &listens[rows[i].home], .request = &request, .scoreboard = board};
    uint8_t text[64];

    http_feed(&fed, rows[i].head, strlen(rows[i].head), 0);
    CHECK_EQ_INT(rows[i].name, upgrade_check_plain(&fed.parser, &request, &detail), UPGRADE_OK);
    CHECK_EQ_INT(rows[i].name, page_find(&question, &page), want != 0);
    CHECK_EQ_U64(rows[i].name, page.status, want);
    CHECK_EQ_INT(rows[i].name, page.detail != NULL, want == 421 || want == 403);
    if (want != 0 && begin != NULL) {
        size_t len = page.body.produce(&page.body, text, sizeof(text));
        CHECK_TRUE(rows[i].name, len >= strlen(begin) && memcmp(text, begin, strlen(begin)) == 0);
    }
    http_feed_done(&fed);
    fed = (struct http_fed){.consumed = 0};
}

static void test_pages(void)
{
    struct scoreboard *board = scoreboard_new(2, 0);

    if (!CHECK_TRUE("memory", board != NULL)) {
        return;
    }
    for (size_t i = 0; i < COUNT(rows); i++) {
        scoreboard_set(&board->slots[1].is_accepting, true);
        check_row(i, board, rows[i].ready, rows[i].begin);
        scoreboard_clear_slot(board, 1); // no worker serves
        check_row(i, board, rows[i].unready, NULL);
        scoreboard_set(&board->slots[0].is_accepting, true);
        check_row(i, board, rows[i].ready, rows[i].begin);
        scoreboard_set(&board->is_stopping, true);
        check_row(i, board, rows[i].unready, NULL);
        scoreboard_set(&board->is_stopping, false);
        scoreboard_clear_slot(board, 0);
    }
}

CU_TestInfo page_tests[] = {
    {"pages", test_pages},
    CU_TEST_INFO_NULL,
};
