/* SPDX-License-Identifier: GPL-3.0-or-later */
// Which routes have a context for their backends, which share one, and what a candidate gets.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "cert_kit.h"
#include "check.h"
#include "conf/config.h"
#include "conf/draft.h"
#include "gate/backend_tls.h"
#include "report_kit.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char front[] = "[listen a]\naddress = 127.0.0.1:8080\n[defaults]\norigins = *\n";

/* Every `@` in the routes' lines becomes the path of a CA. */
static const struct config *make(const char *routes, const char *ca)
{
    char text[8192];
    size_t len = (size_t)snprintf(text, sizeof(text), "%s", front);
    for (const char *c = routes; *c != '\0'; c++) {
        len += *c == '@' ? (size_t)snprintf(text + len, sizeof(text) - len, "%s", ca)
                         : (size_t)snprintf(text + len, sizeof(text) - len, "%c", *c);
    }
    struct report report;
    const struct config *config = config_parse((struct span){text, len}, &report);
    char *told = report_text(&report);
    CHECK_TRUE(told, config != NULL);
    free(told);
    report_done(&report);
    return config;
}

static void with_ca(void (*test)(const char *ca))
{
    const struct kit_pair *pair = kit_pair_of(KIT_EC);
    char path[] = "/tmp/sluice-ca-XXXXXX";
    int fd = mkstemp(path);
    CHECK_TRUE("file", fd >= 0);
    ssize_t len = (ssize_t)strlen(pair->certificate);
    CHECK_TRUE("file", write(fd, pair->certificate, (size_t)len) == len);
    close(fd);
    test(path);
    unlink(path);
}

#define ROUTE(name_, lines_) "[route " name_ "]\npath = /" name_ "\n" lines_

static void share(const char *ca)
{
    size_t before = mem_live_blocks();
    const struct config *config =
        make(ROUTE("plain", "backend = tcp://a:1\n")
                 ROUTE("one", "backend = tls://a:1\nbackend_ca = @\n")
                     ROUTE("same", "backend = tcp://a:1, tls://b:2\nbackend_ca = @\n"
                                   "backend_name = c\n")
                         ROUTE("alpn", "backend = tls://a:1\nbackend_ca = @\nbackend_alpn = h2\n")
                             ROUTE("off", "backend = tls://a:1\nbackend_verify = off\n")
                                 ROUTE("off2", "backend = tls://a:1\nbackend_verify = off\n"),
             ca);
    const char *detail = NULL;
    struct backend_tls *all = backend_tls_new(config, &detail);
    struct tls_context *found[6];
    CHECK_TRUE("made", all != NULL);
    for (size_t i = 0; i < COUNT(found); i++) {
        found[i] = backend_tls_context(all, &config->routes[i]);
        CHECK_EQ_INT("has one", found[i] != NULL, i > 0);
    }
    CHECK_TRUE("the same", found[1] == found[2]);
    CHECK_TRUE("other protocols", found[1] != found[3]);
    CHECK_TRUE("unverified", found[1] != found[4] && found[3] != found[4]);
    CHECK_TRUE("unverified too", found[4] == found[5]);
    CHECK_TRUE("nothing at all", backend_tls_context(NULL, &config->routes[0]) == NULL);
    struct backend_tls *second = backend_tls_share(all);
    backend_tls_free(all);
    CHECK_TRUE("still there", backend_tls_context(second, &config->routes[1]) == found[1]);
    backend_tls_free(second);
    config_free(config);
    CHECK_EQ_U64("memory", mem_live_blocks(), before);
}

static void ask(const char *ca)
{
    const struct config *config =
        make(ROUTE("host", "backend = tls://a.example:1\nbackend_ca = @\n")
                 ROUTE("ipv6", "backend = tls://[2001:db8::1]:1\nbackend_ca = @\n")
                     ROUTE("named", "backend = tls://10.0.0.5:1\nbackend_ca = @\n"
                                    "backend_name = [2001:db8::2]\n"),
             ca);
    static const char *const names[] = {"a.example", "2001:db8::1", "2001:db8::2"};
    const char *detail = NULL;
    struct backend_tls *all = backend_tls_new(config, &detail);
    for (size_t i = 0; i < COUNT(names); i++) {
        const struct config_route *route = &config->routes[i];
        const struct config_backend *backend = &route->backends[0];
        struct dial_candidate candidate = {.port = 1};
        CHECK_TRUE(names[i], backend->is_tls && route->needs_backend_tls);
        backend_tls_ask_for(all, route, backend->host, backend->text, &candidate);
        CHECK_TRUE(names[i], candidate.tls == backend_tls_context(all, route));
        CHECK_EQ_MEM(names[i], candidate.tls_name.data, candidate.tls_name.len, names[i],
                     strlen(names[i]));
        CHECK_TRUE(names[i], span_is_equal(candidate.tls_place, backend->text));
    }
    backend_tls_free(all);
    config_free(config);
}

/* What the dial gets of each kind of backend. */
static void candidates(const char *ca)
{
    const struct config *config = make(
        ROUTE("r",
              "backend = tcp://127.0.0.1:1, unix:/run/a, tcp://a.example:2, tls://b.example:3, "
              "tls://10.0.0.5:4\nbackend_ca = @\n"),
        ca);
    static const struct {
        const char *host; /* NULL: an address */
        uint16_t port;
        bool is_tls;
    } rows[] = {{NULL, 0, false},
                {NULL, 0, false},
                {"a.example", 2, false},
                {"b.example", 3, true},
                {NULL, 0, true}};
    const char *detail = NULL;
    struct backend_tls *all = backend_tls_new(config, &detail);
    const struct config_route *route = &config->routes[0];
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct config_backend *backend = &route->backends[i];
        const struct dial_candidate candidate = backend_tls_candidate(all, route, backend);
        const char *row = backend->text.data;
        CHECK_TRUE(row, rows[i].host != NULL ? candidate.addresses == NULL
                                             : candidate.addresses == &backend->address &&
                                                   candidate.address_count == 1);
        CHECK_TRUE(row, rows[i].host != NULL ? strcmp(candidate.host, rows[i].host) == 0
                                             : candidate.host == NULL);
        CHECK_EQ_U64(row, candidate.port, rows[i].port);
        CHECK_EQ_INT(row, candidate.tls != NULL, rows[i].is_tls);
    }
    backend_tls_free(all);
    config_free(config);
}

static void test_candidates(void)
{
    with_ca(candidates);
}

static void test_share(void)
{
    with_ca(share);
}

static void test_ask(void)
{
    with_ca(ask);
}

static void test_system(void)
{
    static const struct {
        const char *routes;
        bool is_needed;
    } rows[] = {
        {ROUTE("r", "backend = tcp://a:1\n"), false},
        {ROUTE("r", "backend = tls://a:1\n"), true},
        {ROUTE("r", "backend = tcp://a:1, tls://a:1\n"), true},
        {ROUTE("r", "backend = tls://a:1\nbackend_verify = off\n"), false},
        {ROUTE("r", "backend = tls://a:1\nbackend_verify = on\n"), true},
        {ROUTE("r", "backend = tls://a:1\nbackend_ca = /a\n"), false},
        {ROUTE("r", "backend = tls://a:1\n[defaults]\nbackend_ca = /a\n"), false},
        {ROUTE("r", "backend = tls://a:1\n[defaults]\nbackend_verify = off\n"), false},
        {ROUTE("r", "backend = tls://a:1\nbackend_verify = on\n[defaults]\nbackend_verify = off\n"),
         true},
        {ROUTE("r", "backend = tls://a:1\nbackend_ca = /a\n") ROUTE("s", "backend = tls://a:1\n"),
         true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena texts = {0};
        struct report report = {0};
        struct draft draft;
        draft_read(&draft, span_from_str(rows[i].routes), &texts, &report);
        CHECK_EQ_INT(rows[i].routes, bundle_needs_system_ca(&draft), rows[i].is_needed);
        draft_done(&draft);
        arena_done(&texts);
        report_done(&report);
    }
}

CU_TestInfo backend_tls_tests[] = {
    {"routes that share a context", test_share},
    {"what a candidate gets", test_ask},
    {"a backend as a candidate", test_candidates},
    {"who needs the system's CAs", test_system},
    CU_TEST_INFO_NULL,
};
