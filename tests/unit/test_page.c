/* SPDX-License-Identifier: GPL-3.0-or-later */
// Which page a listener has at a path, and who may read it.
#include "gate/page.h"

#include "check.h"
#include "conf/config.h"
#include "http_feed.h"
#include "proto/upgrade.h"
#include "suites.h"

enum home { PLAIN, DEMO, PROBED, HEALTH, ADMIN, LOCKED, CLOSED };

static struct span hosts[] = {SPAN_LIT("sluice.example"), SPAN_LIT("*.svc.example")};
static const struct config_listen listens[] = {
    [PLAIN] = {.kind = CONFIG_LISTEN_PUBLIC},
    [DEMO] = {.kind = CONFIG_LISTEN_PUBLIC, .has_pages = true},
    [PROBED] = {.kind = CONFIG_LISTEN_PUBLIC, .health_path = SPAN_LIT("/healthz")},
    [HEALTH] = {.kind = CONFIG_LISTEN_HEALTH, .hosts = hosts, .host_count = COUNT(hosts)},
    [ADMIN] = {.kind = CONFIG_LISTEN_ADMIN,
               .name = SPAN_LIT("admin"),
               .address = {.u.un.sun_family = AF_UNIX, .len = sizeof(struct sockaddr_un)},
               .hosts = hosts,
               .host_count = COUNT(hosts)},
    [LOCKED] = {.kind = CONFIG_LISTEN_ADMIN,
                .name = SPAN_LIT("admin"),
                .address = {.u.un.sun_family = AF_UNIX, .len = sizeof(struct sockaddr_un)},
                .token = SPAN_LIT("0123456789abcdef")},
    [CLOSED] = {.kind = CONFIG_LISTEN_ADMIN,
                .name = SPAN_LIT("admin"),
                .address = {.u.in.sin_family = AF_INET, .len = sizeof(struct sockaddr_in)}},
};

#define ASK(path, more) "GET " path " HTTP/1.1\r\n" more "\r\n"
#define LOCAL "Host: 127.0.0.1:9090\r\n"
#define END(path, more) "DELETE " path " HTTP/1.1\r\n" LOCAL more "\r\n"
#define BEARER(token) "Authorization: " token "\r\n"

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
    {"demo, its kit", DEMO, ASK("/sluice.js", LOCAL), 200, 200, "// SPDX"},
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
    {"of a site", HEALTH, ASK("/livez", LOCAL "Sec-Fetch-Site: cross-site\r\n"), 403, 403, "pages"},

    {"status", ADMIN, ASK("/", LOCAL), 200, 200, "<!"},
    {"status, HEAD", ADMIN, "HEAD / HTTP/1.1\r\n" LOCAL "\r\n", 200, 200, "<!"},
    {"admin livez", ADMIN, ASK("/livez", LOCAL), 200, 200, "ok\n"},
    {"admin readyz", ADMIN, ASK("/readyz", LOCAL), 200, 503, "ready\n"},
    {"sessions", ADMIN, ASK("/sessions", LOCAL), 200, 200, "{\"sessions\":["},
    {"a bad query", ADMIN, ASK("/sessions?x=1", LOCAL), 400, 400, "ask with "},
    {"config", ADMIN, ASK("/config", LOCAL), 200, 200, "; the configuration in force"},
    {"what there is", ADMIN, ASK("/x", LOCAL), 404, 404, "there are /, /sessions"},
    {"its folder", ADMIN, ASK("/sessions/", LOCAL), 404, 404, "there are "},
    {"reads only", ADMIN, "POST /sessions HTTP/1.1\r\n" LOCAL "\r\n", 405, 405, "this is"},
    {"ends all", ADMIN, END("/sessions", ""), 405, 405, "this is"},
    {"ends nothing", ADMIN, END("/sessions/", ""), 405, 405, "this is"},
    {"reads one", ADMIN, ASK("/sessions/1-7", LOCAL), 405, 405, "DELETE ends"},
    {"a page's", ADMIN, ASK("/sessions", LOCAL "Sec-Fetch-Site: same-site\r\n"), 403, 403, "pages"},
    {"a link's", ADMIN, ASK("/", LOCAL "Sec-Fetch-Site: cross-site\r\n"), 403, 403, "pages"},
    {"its page's", ADMIN, ASK("/sessions", LOCAL "Sec-Fetch-Site: same-origin\r\n"), 200, 200, "{"},
    {"typed", ADMIN, ASK("/", LOCAL "Sec-Fetch-Site: none\r\n"), 200, 200, "<!"},
    {"both", ADMIN, ASK("/", LOCAL "Sec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site\r\n"), 403,
     403, "pages"},
    {"rebound", ADMIN, ASK("/sessions", "Host: evil.example:9090\r\n"), 421, 421, "this is no"},
    {"known", ADMIN, ASK("/sessions", "Host: sluice.example\r\n"), 200, 200, "{"},

    {"end", ADMIN, END("/sessions/1-7", ""), 202, 202, "the session ends"},
    {"end all", ADMIN, END("/sessions?sub=al%C3%AFce", ""), 202, 202, "{\"ended\":1}"},
    {"of a section", ADMIN, END("/sessions?auth=one&sub=al%c3%afce", ""), 202, 202, "{\"e"},
    {"of no section", ADMIN, END("/sessions?sub=al%C3%AFce&auth=two", ""), 404, 404, "nobody has"},
    {"unknown subject", ADMIN, END("/sessions?sub=alice", ""), 404, 404, "nobody has a session"},
    {"of nobody", ADMIN, END("/sessions?sub=", ""), 400, 400, "DELETE /sessions wants sub="},
    {"no query", ADMIN, END("/sessions?", ""), 405, 405, "this is"},
    {"no subject", ADMIN, END("/sessions?auth=one", ""), 400, 400, "DELETE /sessions wants sub="},
    {"read, not ended", ADMIN, ASK("/sessions?sub=al%C3%AFce", LOCAL), 200, 200, "{\"sess"},
    {"no rows to be ended", ADMIN, END("/config?sub=al%C3%AFce", ""), 405, 405, "this is"},
    {"another page ends all", ADMIN, END("/sessions?sub=a", "Origin: http://evil.example\r\n"), 403,
     403, "pages"},
    {"rebound end of all", ADMIN, "DELETE /sessions?sub=a HTTP/1.1\r\nHost: evil.example\r\n\r\n",
     421, 421, "this is"},
    {"all without token", LOCKED, END("/sessions?sub=x&y=z", ""), 401, 401, "bring the token"},
    {"all with token", LOCKED, END("/sessions?sub=al%C3%AFce", BEARER("Bearer 0123456789abcdef")),
     202, 202, "{\"ended\":1}"},
    {"nobody may end all", CLOSED, END("/sessions?sub=al%C3%AFce", ""), 403, 403, "[admin] has"},
    {"unknown", ADMIN, END("/sessions/1-8", ""), 404, 404, "there is no such"},
    {"no id", ADMIN, END("/sessions/x", ""), 404, 404, "there is no such"},
    {"encoded", ADMIN, END("/sessions/1%2d7", ""), 404, 404, "there is no such"},
    {"another page ends", ADMIN, END("/sessions/1-7", "Origin: http://evil.example\r\n"), 403, 403,
     "pages"},
    {"rebound end", ADMIN, "DELETE /sessions/1-7 HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, 421,
     "this is"},
    {"without token", LOCKED, END("/sessions/1-7", ""), 401, 401, "bring the token"},
    {"reading needs none", LOCKED, ASK("/sessions", LOCAL), 200, 200, "{"},
    {"with token", LOCKED, END("/sessions/1-7", BEARER("Bearer 0123456789abcdef")), 202, 202,
     "the"},
    {"any case", LOCKED, END("/sessions/1-7", BEARER("bearer  0123456789abcdef ")), 202, 202,
     "the"},
    {"its id after its token", LOCKED, END("/sessions/1-8", BEARER("Bearer 0123456789abcdef")), 404,
     404, "there is no"},
    {"another token", LOCKED, END("/sessions/1-7", BEARER("Bearer 0123456789abcdeF")), 401, 401,
     "b"},
    {"half", LOCKED, END("/sessions/1-7", BEARER("Bearer 01234567")), 401, 401, "bring"},
    {"twice it", LOCKED, END("/sessions/1-7", BEARER("Bearer 0123456789abcdef0123456789abcdef")),
     401, 401, "bring"},
    {"empty", LOCKED, END("/sessions/1-7", BEARER("Bearer ")), 401, 401, "bring"},
    {"another scheme", LOCKED, END("/sessions/1-7", BEARER("Basic 0123456789abcdef")), 401, 401,
     "b"},
    {"two headers", LOCKED,
     END("/sessions/1-7", BEARER("Bearer 0123456789abcdef") BEARER("Bearer 0123456789abcdef")), 401,
     401, "bring"},
    {"nobody may", CLOSED, END("/sessions/1-7", ""), 403, 403, "[admin] has no token_file"},
    {"nobody may with one", CLOSED, END("/sessions/1-7", BEARER("Bearer x")), 403, 403, "[admin]"},
};

static struct config *config;
static struct roster *roster;

static void check_row(size_t i, const struct scoreboard *board, unsigned want, const char *begin)
{
    static struct http_fed fed;
    struct request request;
    const char *detail;
    struct page page = {.status = 0};
    const struct page_question question = {.listen = &listens[rows[i].home],
                                           .head = &fed.parser,
                                           .request = &request,
                                           .source = &listens[CLOSED].address,
                                           .config = config,
                                           .scoreboard = board,
                                           .roster = roster};
    uint8_t text[64];

    http_feed(&fed, rows[i].head, strlen(rows[i].head), 0);
    CHECK_EQ_INT(rows[i].name, upgrade_check_any(&fed.parser, &request, &detail), UPGRADE_OK);
    CHECK_EQ_INT(rows[i].name, page_find(&question, &page), want != 0);
    CHECK_EQ_U64(rows[i].name, page.status, want);
    CHECK_EQ_INT(rows[i].name, page.detail != NULL,
                 want == 421 || want == 403 || want == 401 || want == 400);
    if (want != 0 && begin != NULL) {
        size_t len = page.body.produce(&page.body, text, sizeof(text));
        CHECK_TRUE(rows[i].name, len >= strlen(begin) && memcmp(text, begin, strlen(begin)) == 0);
    }
    page_done(&page);
    http_feed_done(&fed);
    fed = (struct http_fed){.consumed = 0};
}

static void test_pages(void)
{
    struct scoreboard *board = scoreboard_new(2, 0);
    struct report report;
    struct roster_entry entry = {.party = {.number = 7, .started_ms = 1, .slot = 1}};

    config = config_parse(SPAN_LIT("[listen a]\naddress = 127.0.0.1:1\n[route r]\npath = /\n"
                                   "backend = echo:\n"),
                          &report);
    report_done(&report);
    if (!CHECK_TRUE("memory", board != NULL && config != NULL)) {
        return;
    }
    roster = roster_new(config, (const uint8_t[SIPHASH_KEY_BYTES]){7});
    struct roster_writer writer = {.roster = roster, .slot = 1};
    if (!CHECK_TRUE("memory", roster != NULL)) {
        return;
    }
    entry.party.who = roster_who(roster, SPAN_LIT("one"),
                                 SPAN_LIT("al\xc3\xaf"
                                          "ce"));
    if (!CHECK_TRUE("a row", roster_take(&writer, &entry) != 0)) {
        return;
    }
    for (size_t i = 0; i < COUNT(rows); i++) {
        scoreboard_set(&board->slots[1].is_accepting, true);
        check_row(i, board, rows[i].ready, rows[i].begin);
        scoreboard_clear_slot(board, 1); // no worker serves
        check_row(i, board, rows[i].unready, NULL);
        scoreboard_set(&board->slots[0].is_accepting, true);
        check_row(i, board, rows[i].ready, rows[i].begin);
        atomic_store(&board->stop, SCOREBOARD_UNREADY);
        check_row(i, board, rows[i].unready, NULL);
        atomic_store(&board->stop, SCOREBOARD_RUNS);
        scoreboard_clear_slot(board, 0);
    }
    config_free(config);
}

CU_TestInfo page_tests[] = {
    {"pages", test_pages},
    CU_TEST_INFO_NULL,
};
