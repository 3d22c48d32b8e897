/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/admission.h"

#include "check.h"
#include "conf/config.h"
#include "handshakes.h"
#include "proto/upgrade.h"
#include "suites.h"

static const char ini[] =
    "[server]\nworkers = 1\n[listen a]\naddress = 127.0.0.1:0\n"
    "[route plain]\npath = /plain\norigins = *\n"
    "backend = tcp://127.0.0.1:1, tcp://desk.example:5900, unix:/run/x\n"
    "[route named]\npath = /named\norigins = https://good.example\n"
    "subprotocols = binary, text.ircv3.net\nbackend = echo:\non_refuse = http\n"
    "[route small]\npath = /small\norigins = *\nbackend = tcp://127.0.0.1:1\n"
    "compression = on\nmax_message = 1k\nmax_frame_out = 4k\npayload = text\ndeny = 192.0.2.0/24\n";

struct row {
    const char *name;
    const char *path;
    const char *lines; // lines of the request's head
    const char *source;
    bool is_draining;
    enum life_ending refusal;
    const char *route;       // NULL: no route
    const char *subprotocol; // of an admitted request
    enum shape_payload payload;
    bool is_deflate;
};

#define GOOD "Origin: https://good.example\r\n"
#define DEFLATE "Sec-WebSocket-Extensions: permessage-deflate\r\n"
#define OFFER(list) "Sec-WebSocket-Protocol: " list "\r\n"

static const struct row rows[] = {
    {"no route", "/none", "", "127.0.0.1", false, LIFE_NO_ROUTE, NULL, "", SHAPE_BINARY, false},
    {"admitted", "/plain", "", "127.0.0.1", false, LIFE_NOT_ENDED, "plain", "", SHAPE_BINARY,
     false},
    {"the first offer", "/plain", OFFER("x, y"), "127.0.0.1", false, LIFE_NOT_ENDED, "plain", "x",
     SHAPE_BINARY, false},
    {"an offer's name says nothing here", "/plain", OFFER("base64"), "127.0.0.1", false,
     LIFE_NOT_ENDED, "plain", "base64", SHAPE_BINARY, false},
    {"compression is off here", "/plain", DEFLATE, "127.0.0.1", false, LIFE_NOT_ENDED, "plain", "",
     SHAPE_BINARY, false},
    {"extensions are not read here", "/plain", "Sec-WebSocket-Extensions: ;\r\n", "127.0.0.1",
     false, LIFE_NOT_ENDED, "plain", "", SHAPE_BINARY, false},
    {"draining comes first", "/plain", "", "127.0.0.1", true, LIFE_SHUTDOWN, "plain", "",
     SHAPE_BINARY, false},
    {"draining, no route", "/none", "", "127.0.0.1", true, LIFE_SHUTDOWN, NULL, "", SHAPE_BINARY,
     false},
    {"the server's order", "/named", GOOD OFFER("text.ircv3.net, binary"), "127.0.0.1", false,
     LIFE_NOT_ENDED, "named", "binary", SHAPE_BINARY, false},
    {"the name decides", "/named", GOOD OFFER("text.ircv3.net"), "127.0.0.1", false, LIFE_NOT_ENDED,
     "named", "text.ircv3.net", SHAPE_TEXT, false},
    {"subprotocol", "/named", GOOD OFFER("x"), "127.0.0.1", false, LIFE_SUBPROTOCOL, "named", "",
     SHAPE_BINARY, false},
    {"origin", "/named", "Origin: https://bad.example\r\n" OFFER("binary"), "127.0.0.1", false,
     LIFE_ORIGIN, "named", "", SHAPE_BINARY, false},
    {"a token is no subprotocol", "/plain", OFFER("x, sluice.token.YWJj"), "127.0.0.1", false,
     LIFE_NOT_ENDED, "plain", "x", SHAPE_BINARY, false},
    {"nothing but a token, and nobody asks", "/plain", OFFER("sluice.token.YWJj"), "127.0.0.1",
     false, LIFE_NOT_ENDED, "plain", "", SHAPE_BINARY, false},
    {"source", "/small", "", "192.0.2.9", false, LIFE_SOURCE, "small", "", SHAPE_BINARY, false},
    {"the route's payload", "/small", "", "192.0.3.9", false, LIFE_NOT_ENDED, "small", "",
     SHAPE_TEXT, false},
    {"compression", "/small", DEFLATE, "127.0.0.1", false, LIFE_NOT_ENDED, "small", "", SHAPE_TEXT,
     true},
    {"compression in the second line", "/small", "Sec-WebSocket-Extensions: x\r\n" DEFLATE,
     "127.0.0.1", false, LIFE_NOT_ENDED, "small", "", SHAPE_TEXT, true},
    {"no list of extensions", "/small", DEFLATE "Sec-WebSocket-Extensions: ;\r\n", "127.0.0.1",
     false, LIFE_BAD_REQUEST, "small", "", SHAPE_BINARY, false},
};

// The route's backends become the candidates, in the same order.
static void check_plan(const char *row, const struct admission *got)
{
    const struct config_route *route = got->route;
    CHECK_EQ_U64(row, got->plan.candidate_count, got->shape.is_echo ? 0 : route->backend_count);
    CHECK_TRUE(row, got->plan.candidates == got->candidates);
    CHECK_EQ_U64(row, got->plan.timeout_ms, route->timeouts.connect_ms);
    CHECK_EQ_U64(row, got->plan.preamble.len, 0);
    for (size_t i = 0; i < got->plan.candidate_count; i++) {
        const struct dial_candidate *candidate = &got->candidates[i];
        const struct config_backend *backend = &route->backends[i];
        bool is_name = backend->kind == CONFIG_BACKEND_TCP && !backend->is_literal;
        CHECK_TRUE(row, candidate->tls == NULL);
        CHECK_TRUE(row, candidate->addresses == (is_name ? NULL : &backend->address));
        CHECK_EQ_U64(row, candidate->address_count, is_name ? 0 : 1);
        CHECK_TRUE(row, candidate->host == (is_name ? backend->host.data : NULL));
        CHECK_EQ_U64(row, candidate->port, is_name ? backend->port : 0);
    }
}

static void check_row(const struct config *config, const struct row *row)
{
    static struct http_fed fed;
    char head[1024];
    struct request request;
    struct span key;
    struct addr source;
    struct admission got;
    const char *detail;
    char address[64];

    int len =
        snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: gate.example\r\n" MINIMAL "%s\r\n",
                 row->path, row->lines);
    http_feed(&fed, head, (size_t)len, 0);
    CHECK_EQ_INT(row->name, upgrade_check(&fed.parser, &request, &key, &detail), UPGRADE_OK);
    snprintf(address, sizeof(address), "%s:1", row->source);
    CHECK_TRUE(row->name, addr_parse(span_from_str(address), &source));
    const struct admission_question question = {.config = config,
                                                .listen = &config->listens[0],
                                                .request = &request,
                                                .source = &source,
                                                .is_draining = row->is_draining};
    memset(&got, 0x5a, sizeof(got));
    admission_decide(&question, &got);
    CHECK_EQ_INT(row->name, got.refusal, row->refusal);
    if (CHECK_EQ_INT(row->name, got.route == NULL, row->route == NULL) && got.route != NULL) {
        CHECK_TRUE(row->name, span_is_equal(got.route->policy.name, span_from_str(row->route)));
    }
    if (row->refusal != LIFE_NOT_ENDED) {
        http_feed_done(&fed);
        return;
    }
    CHECK_EQ_MEM(row->name, got.subprotocol.data, got.subprotocol.len, row->subprotocol,
                 strlen(row->subprotocol));
    CHECK_EQ_INT(row->name, got.shape.payload, row->payload);
    CHECK_EQ_INT(row->name, got.shape.is_deflate, row->is_deflate);
    CHECK_EQ_U64(row->name, got.shape.max_frame_bytes, got.route->max_frame_bytes);
    CHECK_EQ_U64(row->name, got.shape.deflate_settings.max_message_bytes,
                 got.route->max_message_bytes);
    CHECK_EQ_INT(row->name, got.shape.is_echo, got.route->backends[0].kind == CONFIG_BACKEND_ECHO);
    check_plan(row->name, &got);
    http_feed_done(&fed);
}

static void test_decide(void)
{
    struct report report = {NULL, 0, false};
    struct config *config = config_parse(SPAN_LIT(ini), &report);

    if (!CHECK_TRUE("configuration", config != NULL)) {
        report_print(&report, "test", stderr);
        report_done(&report);
        return;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check_row(config, &rows[i]);
    }
    config_free(config);
}

CU_TestInfo admission_tests[] = {
    {"who gets which session", test_decide},
    CU_TEST_INFO_NULL,
};
