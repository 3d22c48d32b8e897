/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "check.h"
#include "conf/config.h"
#include "conf/draft.h"
#include "config_rows.h"
#include "io/cert.h"
#include "report_kit.h"
#include "suites.h"

static const char full_text[] =
    "; a comment\r\n"
    "[server] ; another\r\n"
    "workers = 3\r\n"
    "max_sessions = 77 ; not 78\n"
    "drain_timeout = 0\n"
    "log_level = debug\n"
    "log_format = json\n"
    "log = journald\n"
    "log_socket = /run/j\n"
    "tls_timeout = 1s\n"
    "request_timeout = 1500ms\n"
    "[listen a]\n"
    "address=127.0.0.1:8080\n"
    "[listen b]\n"
    "address = [::1]:8080\n"
    "health_path = /healthz\n"
    "[defaults]\n"
    "origins = https://a.example, https://*.b.example:8443\n"
    "origins = none\n"
    "allow = 10.0.0.0/8, ::1\n"
    "connect_timeout = 2s\n"
    "max_age = 1d\n"
    "accept = text\n"
    "[route one]\n"
    "path = /one\n"
    "backend = tcp://redis.internal:6379, tcp://[::1]:1, unix:/run/x.sock\n"
    "backend = tcp://10.0.0.1:22\n"
    "[route two]\n"
    "path = /two/*\n"
    "host = *.example.com\n"
    "origins = *\n"
    "subprotocols = binary, base64\n"
    "deny = 192.0.2.1\n"
    "allow = 192.0.2.0/24\n"
    "backend = echo:\n"
    "on_refuse = http\n"
    "backend_code = 1014\n"
    "accept = binary\n"
    "max_message = 1m\n"
    "buffer_high = 128k\n"
    "buffer_low = 5000\n"
    "latency = bulk\n"
    "idle_timeout = 0\n"
    "max_age = 90s\n"
    "[health]\n"
    "address = 127.0.0.1:9090\n"
    "hosts = sluice.example, *.svc.example\n"
    "# the end";

static struct config *parse(const char *row, struct span text)
{
    struct report report;
    struct config *config = config_parse(text, &report);

    CHECK_TRUE(row, config != NULL);
    if (config == NULL) {
        report_print(&report, row, stdout);
    }
    CHECK_EQ_U64(row, report.count, 0);
    report_done(&report);
    return config;
}

// The caller frees the text.
static char *print(const struct config *config)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    config_print(config, out);
    fclose(out);
    return text;
}

static bool is_sorted(const struct report *report)
{
    for (size_t i = 1; i < report->count; i++) {
        if (report->errors[i - 1].line > report->errors[i].line) {
            return false;
        }
    }
    return true;
}

static void test_bad(void)
{
    for (size_t i = 0; i < CONFIG_BAD_ROWS; i++) {
        const struct config_bad_row *row = &config_bad_rows[i];
        // The copy is exactly this long, so that the address checker sees a read past its end.
        char *copy = malloc(row->len + 1);
        struct report report;
        bool is_found = false;

        memcpy(copy, row->text, row->len);
        copy[row->len] = 'x';
        CHECK_TRUE(row->name, config_parse((struct span){copy, row->len}, &report) == NULL);
        for (size_t k = 0; k < report.count; k++) {
            is_found |= report.errors[k].line == row->line &&
                        strstr(report.errors[k].message, row->message) != NULL;
        }
        if (!CHECK_TRUE(row->name, is_found)) {
            report_print(&report, row->name, stdout);
        }
        CHECK_TRUE(row->name, is_sorted(&report));
        CHECK_TRUE(row->name, report.count <= 4); // one mistake does not look like many
        report_done(&report);
        free(copy);
    }
}

static void test_all_errors(void)
{
    static const char text[] = "[server]\nworkers = none\nnonsense = 1\n[listen a]\naddress = x\n"
                               "[route r]\npath = r\nbackend = b\ncolor = red\n[what]\nx = y\n";
    static const char want[] =
        "f.ini:2: bad value 'none' for 'workers'; a whole number: auto or 1 to 256\n"
        "f.ini:3: unknown key 'nonsense'\n"
        "f.ini:5: bad value 'x' for 'address'; a numeric address and a port, such as "
        "0.0.0.0:8443, 127.0.0.1:8080 or [::]:8443\n"
        "f.ini:7: bad value 'r' for 'path'; a path begins with '/'\n"
        "f.ini:8: bad backend 'b'; a backend is tcp://HOST:PORT, tls://HOST:PORT, unix:/PATH or "
        "echo:\n"
        "f.ini:9: unknown key 'color'\n"
        "f.ini:10: unknown section [what]; there are [server], [listen NAME], [health], [admin], "
        "[auth NAME], [defaults] and [route NAME]\n";
    struct report report;
    char *got;

    CHECK_TRUE("all", config_parse(span_from_str(text), &report) == NULL);
    got = report_text(&report);
    CHECK_EQ_STR("all", got, want);
    free(got);
    report_done(&report);

    CHECK_TRUE("none", config_parse(SPAN_LIT(""), &report) == NULL);
    got = report_text(&report);
    CHECK_EQ_STR("none", got,
                 "f.ini: there is no [listen NAME] section: nothing to listen on\n"
                 "f.ini: there is no [route NAME] section: every request would be refused\n");
    free(got);
    report_done(&report);
}

static void test_many_errors(void)
{
    size_t lines = 5000;
    char *text = malloc(lines * 2);
    struct report report;

    for (size_t i = 0; i < lines; i++) {
        memcpy(text + 2 * i, "x\n", 2);
    }
    CHECK_TRUE("many", config_parse((struct span){text, 2 * lines}, &report) == NULL);
    CHECK_EQ_U64("many", report.count, 1001);
    CHECK_TRUE("many", strstr(report.errors[1000].message, "too many errors") != NULL);
    report_done(&report);
    free(text);
}

static void test_defaults(void)
{
    struct config *config = parse("good", SPAN_LIT(CONFIG_GOOD));
    const struct config_route *route;

    if (config == NULL) {
        return;
    }
    route = &config->routes[0];
    CHECK_TRUE("workers", config->workers >= 1 && config->workers <= 256);
    CHECK_EQ_U64("user", config->user.len, 0);
    CHECK_EQ_INT("ids", config->has_ids, geteuid() == 0);
    CHECK_TRUE("ids", !config->has_ids || (config->uid != 0 && config->gid != 0));
    CHECK_TRUE("sandbox", config->is_sandboxed);
    CHECK_EQ_U64("max_sessions", config->max_sessions, 10000);
    CHECK_EQ_U64("drain", config->drain_ms, 30000);
    CHECK_EQ_INT("level", config->log_level, LOG_INFO);
    CHECK_EQ_INT("format", config->log_format, LOG_KEY_VALUE);
    CHECK_EQ_INT("sink", config->log_sink, LOG_STDERR);
    CHECK_EQ_U64("listens", config->listen_count, 1);
    CHECK_FALSE("tls", config->listens[0].is_tls);
    CHECK_FALSE("pages", config->listens[0].has_pages);
    CHECK_EQ_U64("origins", route->policy.origin_count, 1);
    CHECK_EQ_INT("same", route->policy.origins[0].kind, POLICY_ORIGIN_SAME);
    CHECK_EQ_U64("subprotocols", route->policy.subprotocol_count, 0);
    CHECK_EQ_U64("allow", route->policy.allow_count + route->policy.deny_count, 0);
    CHECK_FALSE("on_refuse", route->is_http_refusal);
    CHECK_EQ_U64("code", route->backend_code, 1011);
    CHECK_EQ_INT("accept", route->accept, WS_ACCEPT_ANY);
    CHECK_EQ_U64("max_message", route->max_message_bytes, 0);
    CHECK_EQ_U64("max_frame_out", route->max_frame_bytes, 0);
    CHECK_EQ_INT("payload", route->payload, SHAPE_BINARY);
    CHECK_EQ_INT("framing", route->framing.kind, FRAMING_STREAM);
    CHECK_FALSE("compression", route->is_deflate);
    CHECK_EQ_U64("window", route->deflate.window_bits, 12);
    CHECK_TRUE("takeover", route->deflate.is_takeover);
    CHECK_EQ_U64("ratio", route->deflate.max_ratio, 100);
    CHECK_FALSE("half_close", route->is_half_open);
    CHECK_EQ_U64("high", route->buffer_high_bytes, 65536);
    CHECK_EQ_U64("low", route->buffer_low_bytes, 16384);
    CHECK_EQ_INT("latency", route->latency, CONFIG_LATENCY_AUTO);
    CHECK_EQ_U64("tls", route->timeouts.tls_ms, 10000);
    CHECK_EQ_U64("request", route->timeouts.request_ms, 10000);
    CHECK_EQ_U64("connect", route->timeouts.connect_ms, 5000);
    CHECK_EQ_U64("idle", route->timeouts.idle_ms, 600000);
    CHECK_EQ_U64("ping", route->timeouts.ping_interval_ms, 30000);
    CHECK_EQ_U64("pong", route->timeouts.pong_ms, 10000);
    CHECK_EQ_U64("write", route->timeouts.write_ms, 30000);
    CHECK_EQ_U64("close", route->timeouts.close_ms, 5000);
    CHECK_EQ_U64("end", route->timeouts.end_ms, 300000);
    CHECK_EQ_U64("linger", route->timeouts.linger_ms, 2000);
    CHECK_EQ_U64("max_age", route->timeouts.max_age_ms, 0);
    CHECK_EQ_U64("max_head", config->head_limits.head_bytes, 32768);
    CHECK_EQ_U64("max_headers", config->head_limits.header_count, 128);
    CHECK_EQ_MEM("server's", &config->early_timeouts, sizeof(config->early_timeouts),
                 &route->timeouts, sizeof(route->timeouts));
    config_free(config);
}

static void check_first_route(const struct config_route *one)
{
    CHECK_EQ_MEM("name", one->policy.name.data, one->policy.name.len, "one", 3);
    CHECK_EQ_U64("origins", one->policy.origin_count, 3);
    CHECK_EQ_INT("third", one->policy.origins[2].kind, POLICY_ORIGIN_NONE);
    CHECK_EQ_U64("allow", one->policy.allow_count, 2);
    CHECK_EQ_U64("backends", one->backend_count, 4);
    CHECK_EQ_STR("host", one->backends[0].host.data, "redis.internal");
    CHECK_EQ_U64("port", one->backends[0].port, 6379);
    CHECK_FALSE("name", one->backends[0].is_literal);
    CHECK_EQ_STR("ipv6", one->backends[1].host.data, "::1");
    CHECK_TRUE("ipv6", one->backends[1].is_literal);
    CHECK_EQ_INT("unix", one->backends[2].kind, CONFIG_BACKEND_UNIX);
    CHECK_EQ_STR("unix", one->backends[2].address.u.un.sun_path, "/run/x.sock");
    CHECK_EQ_STR("text", one->backends[3].text.data, "tcp://10.0.0.1:22");
    CHECK_EQ_U64("connect", one->timeouts.connect_ms, 2000);
    CHECK_EQ_U64("max_age", one->timeouts.max_age_ms, 86400000);
    CHECK_EQ_U64("tls", one->timeouts.tls_ms, 1000);
    CHECK_EQ_INT("accept", one->accept, WS_ACCEPT_TEXT);
}

static void check_second_route(const struct config_route *two)
{
    CHECK_EQ_MEM("path", two->policy.path.data, two->policy.path.len, "/two/", 5);
    CHECK_TRUE("prefix", two->policy.is_prefix);
    CHECK_EQ_MEM("host", two->policy.host.data, two->policy.host.len, "*.example.com", 13);
    CHECK_EQ_U64("origins", two->policy.origin_count, 1);
    CHECK_EQ_INT("any", two->policy.origins[0].kind, POLICY_ORIGIN_ANY);
    CHECK_EQ_U64("subprotocols", two->policy.subprotocol_count, 2);
    CHECK_EQ_MEM("second", two->policy.subprotocols[1].data, two->policy.subprotocols[1].len,
                 "base64", 6);
    CHECK_EQ_U64("deny", two->policy.deny_count, 1);
    CHECK_EQ_U64("deny", two->policy.deny[0].bits, 32);
    CHECK_EQ_U64("allow", two->policy.allow_count, 1);
    CHECK_EQ_INT("echo", two->backends[0].kind, CONFIG_BACKEND_ECHO);
    CHECK_TRUE("http", two->is_http_refusal);
    CHECK_EQ_U64("code", two->backend_code, 1014);
    CHECK_EQ_INT("accept", two->accept, WS_ACCEPT_BINARY);
    CHECK_EQ_U64("max_message", two->max_message_bytes, 1 << 20);
    CHECK_EQ_U64("high", two->buffer_high_bytes, 128 << 10);
    CHECK_EQ_U64("low", two->buffer_low_bytes, 5000);
    CHECK_EQ_INT("latency", two->latency, CONFIG_LATENCY_BULK);
    CHECK_EQ_U64("idle", two->timeouts.idle_ms, 0);
    CHECK_EQ_U64("max_age", two->timeouts.max_age_ms, 90000);
    CHECK_EQ_U64("connect", two->timeouts.connect_ms, 2000);
}

static void test_full(void)
{
    struct config *config = parse("full", span_from_str(full_text));

    if (config == NULL) {
        return;
    }
    CHECK_EQ_U64("workers", config->workers, 3);
    CHECK_EQ_U64("max_sessions", config->max_sessions, 77);
    CHECK_EQ_U64("drain", config->drain_ms, 0);
    CHECK_EQ_INT("level", config->log_level, LOG_DEBUG);
    CHECK_EQ_INT("format", config->log_format, LOG_JSON);
    CHECK_EQ_INT("sink", config->log_sink, LOG_JOURNALD);
    CHECK_EQ_STR("its socket", config->log_socket.data, "/run/j");
    CHECK_EQ_U64("request", config->early_timeouts.request_ms, 1500);
    CHECK_EQ_U64("connect", config->early_timeouts.connect_ms, 2000);
    CHECK_EQ_U64("listens", config->listen_count, 3);
    CHECK_EQ_INT("public", config->listens[1].kind, CONFIG_LISTEN_PUBLIC);
    CHECK_EQ_MEM("path", config->listens[1].health_path.data, config->listens[1].health_path.len,
                 "/healthz", 8);
    CHECK_EQ_INT("health", config->listens[2].kind, CONFIG_LISTEN_HEALTH);
    CHECK_EQ_U64("its port", addr_port(&config->listens[2].address), 9090);
    CHECK_EQ_U64("its hosts", config->listens[2].host_count, 2);
    CHECK_EQ_U64("port", addr_port(&config->listens[1].address), 8080);
    CHECK_EQ_U64("line", config->listens[1].line, 14);
    CHECK_EQ_U64("routes", config->route_count, 2);
    check_first_route(&config->routes[0]);
    check_second_route(&config->routes[1]);
    for (size_t i = 0; i < config->route_count; i++) {
        CHECK_EQ_MEM("policies", &config->policies[i], sizeof(config->policies[i]),
                     &config->routes[i].policy, sizeof(config->routes[i].policy));
    }
    config_free(config);
}

static void check_again(const char *row, const struct config *config)
{
    char *first = print(config);
    struct config *again = parse(row, span_from_str(first));
    char *second = again == NULL ? NULL : print(again);

    CHECK_EQ_STR(row, second, first);
    for (const char *line = first; line[0] != '\0'; line = strchr(line, '\n') + 1) {
        CHECK_TRUE(row, strcspn(line, "\n") <= DRAFT_LINE_BYTES_MAX);
    }
    if (again != NULL && strcmp(row, "full") == 0) {
        check_first_route(&again->routes[0]);
        check_second_route(&again->routes[1]);
    }
    config_free(again);
    free(first);
    free(second);
}

static void test_print(void)
{
    struct config *full = parse("full", span_from_str(full_text));
    char text[8192];
    int len;
    struct config *config;

    if (full == NULL) {
        return;
    }
    check_again("full", full);
    config_free(full);

    // One value fills a line as it stands, so that ` = ` no longer fits; other items are long too.
    len = snprintf(text, sizeof(text),
                   "%sorigins=https://%.63s.%.63s.%.45s\norigins=same,null,none\n"
                   "origins=http://[::1]:81\nsubprotocols=%.170s\nsubprotocols=%.100s,b\n"
                   "[route long]\nbackend=echo:\npath=/",
                   CONFIG_GOOD, CONFIG_A200, CONFIG_A200, CONFIG_A200, CONFIG_A200, CONFIG_A200);
    memset(text + len, 'p', DRAFT_LINE_BYTES_MAX - 8);
    memcpy(text + len + DRAFT_LINE_BYTES_MAX - 8, "/*", 3);
    config = parse("long", span_from_str(text));
    if (config != NULL) {
        CHECK_EQ_U64("long", config->routes[1].policy.path.len, DRAFT_LINE_BYTES_MAX - 6);
        check_again("long", config);
        config_free(config);
    }
}

static void test_no_memory(void)
{
    size_t before = mem_live_blocks();
    struct config *config = NULL;
    uint64_t n = 0;

    while (config == NULL && n < 10000) {
        struct report report;

        mem_fail_after(++n);
        config = config_parse(span_from_str(full_text), &report);
        mem_fail_after(0);
        if (config == NULL) {
            char *text = report_text(&report);

            CHECK_TRUE("message", strstr(text, "out of memory") != NULL);
            free(text);
        }
        report_done(&report);
    }
    CHECK_TRUE("in the end", config != NULL);
    CHECK_TRUE("it did fail", n > 3);
    config_free(config);
    CHECK_EQ_U64("live blocks", mem_live_blocks(), before);
}

struct written_files {
    char dir[64];
    char certificate[96];
    char key[96];
    char ini[96];
};

static void write_file(const char *path, const char *data, size_t len)
{
    FILE *file = fopen(path, "wb");

    if (CHECK_TRUE(path, file != NULL)) {
        CHECK_EQ_U64(path, fwrite(data, 1, len, file), len);
        fclose(file);
    }
}

static void files_make(struct written_files *files, const struct cert_pair *pair)
{
    snprintf(files->dir, sizeof(files->dir), "/tmp/sluice-test-config-XXXXXX");
    CHECK_TRUE("dir", mkdtemp(files->dir) != NULL);
    snprintf(files->certificate, sizeof(files->certificate), "%s/c.pem", files->dir);
    snprintf(files->key, sizeof(files->key), "%s/k.pem", files->dir);
    snprintf(files->ini, sizeof(files->ini), "%s/s.ini", files->dir);
    write_file(files->certificate, pair->certificate, pair->certificate_len);
    write_file(files->key, pair->key, pair->key_len);
    CHECK_EQ_INT("mode", chmod(files->key, 0600), 0);
}

static void files_remove(const struct written_files *files)
{
    unlink(files->certificate);
    unlink(files->key);
    unlink(files->ini);
    rmdir(files->dir);
}

static void test_certificates(void)
{
    static struct cert_pair pair;
    static struct cert_pair other;
    struct written_files files;
    struct report report;
    struct config *config;
    char text[1024];
    char *printed;

    CHECK_TRUE("pair", cert_make_throw_away(&pair) && cert_make_throw_away(&other));
    files_make(&files, &pair);
    snprintf(text, sizeof(text),
             "[listen a]\naddress = 127.0.0.1:1\ntls_certificate = %s, %s\ntls_key = %s\n"
             "tls_key = %s\ntls_min_version = 1.3\n" CONFIG_ROUTE_TEXT,
             files.certificate, files.certificate, files.key, files.key);
    write_file(files.ini, text, strlen(text));
    config = config_load(files.ini, &report);
    CHECK_TRUE("load", config != NULL);
    report_done(&report);
    if (config != NULL) {
        CHECK_TRUE("tls", config->listens[0].is_tls);
        CHECK_EQ_U64("pairs", config->listens[0].pair_count, 2);
        CHECK_EQ_INT("version", config->listens[0].tls_min_version, CONFIG_TLS_1_3);
        CHECK_EQ_MEM("pem", config->listens[0].pairs[1].certificate.data,
                     config->listens[0].pairs[1].certificate.len, pair.certificate,
                     pair.certificate_len);
        check_again("tls", config);
        printed = print(config);
        CHECK_TRUE("no secrets", strstr(printed, "PRIVATE") == NULL);
        free(printed);
        config_free(config);
    }

    write_file(files.key, other.key, other.key_len);
    CHECK_TRUE("other key", config_load(files.ini, &report) == NULL);
    CHECK_EQ_U64("both pairs", report.count, 2);
    CHECK_EQ_U64("line", report.count > 0 ? report.errors[0].line : 0, 3);
    report_done(&report);
    files_remove(&files);
}

static void test_files(void)
{
    static const char *const paths[] = {"/nonexistent/s.ini", "/", "/dev/zero"};

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct report report;

        CHECK_TRUE(paths[i], config_load(paths[i], &report) == NULL);
        CHECK_EQ_U64(paths[i], report.count, 1);
        CHECK_TRUE(paths[i], strstr(report.errors[0].message, "cannot read") != NULL);
        report_done(&report);
    }
}

CU_TestInfo config_tests[] = {
    {"every mistake is told with its line", test_bad},
    {"all mistakes are told at once", test_all_errors},
    {"the list of errors has an end", test_many_errors},
    {"defaults", test_defaults},
    {"every key", test_full},
    {"what is printed reads back the same", test_print},
    {"out of memory at any point", test_no_memory},
    {"certificates", test_certificates},
    {"files that cannot be read", test_files},
    CU_TEST_INFO_NULL,
};
