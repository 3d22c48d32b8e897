/* SPDX-License-Identifier: GPL-3.0-or-later */
// The text that Prometheus reads, by the byte, and in parts of any size.
#include "gate/metrics.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "check.h"
#include "conf/config.h"
#include "gate/metrics_parts.h"
#include "give_up.h"
#include "http_feed.h"
#include "proto/fitness.h"
#include "suites.h"

static const char text[] = "[server]\n"
                           "max_sessions = 77\n"
                           "[listen pub]\n"
                           "address = 127.0.0.1:1\n"
                           "[route r]\n"
                           "path = /r\n"
                           "backend = tcp://db.example:6379, unix:/run/\"x\\y.sock max_sessions=2\n"
                           "health_interval = 5s\n"
                           "[route e]\n"
                           "path = /e\n"
                           "backend = echo:\n";

static struct config *config;
static struct seats *seats;
static struct scoreboard *board;

// Two workers that have done something.
static void prepare(void)
{
    struct report report;
    config = config_parse(span_from_str(text), &report);
    if (config == NULL) {
        report_print(&report, "metrics.ini", stdout);
        GIVE_UP();
    }
    report_done(&report);
    board = scoreboard_new(2, 1700000000);
    seats = seats_new(2, config);
    scoreboard_note_reload(board, true, 1700000001);
    scoreboard_note_reload(board, false, 1700000002);
    scoreboard_set(&board->slots[1].is_accepting, true);
    scoreboard_add(&board->slots[0].restarts, 2);
    for (size_t slot = 0; slot < 2; slot++) {
        struct seat *seat = seat_new(seats, slot, config);
        struct seat_route *route = seat_route(seat, &config->routes[0]);
        seat_add(&route->opened, 4 + slot);
        seat_add(&route->phases[LIFE_OPEN], 2);
        seat_add(&route->sent_bytes[SEAT_BACKEND], UINT64_C(1) << 40);
        seat_add(&route->paused_ms[SEAT_CLIENT], 1001);
        seat_add(&seat_route(seat, NULL)->phases[LIFE_REQUEST], 1);
        seat_end(seat, NULL, LIFE_NO_ROUTE, 1008);
        seat_end(seat, &config->routes[0], LIFE_CLIENT_CLOSE, 3333);
        seat_end(seat, &config->routes[0], LIFE_CLIENT_RESET, 0);
        seat_observe(&seat_backend(seat, &config->routes[0], 1)->dials, 20 + 100 * slot);
        seat_add(&seat_backend(seat, &config->routes[0], 0)->failures[DIAL_TIMEOUT], 6);
        seat_put(&seat_fitness(seat, &config->routes[0], 0)->word, fitness_check(0, false, 1));
        seat_add(&seat_backend(seat, &config->routes[0], 0)->ejections, 5);
        seat_add(&seat_backend(seat, &config->routes[0], 0)->checks[SEAT_CHECK_BAD], 3);
        seat_add(&seat_backend(seat, &config->routes[0], 1)->checks[SEAT_CHECK_GOOD], slot);
        seat_add(&seat_backend(seat, &config->routes[0], 1)->sessions, 1);
        seat_add(&seat_listen(seat, &config->listens[0])->connections, 9);
        seat_add(&seat_worker(seat)->cpu_ms, 12345);
        seat_free(seat);
    }
}

static struct metrics ask(const char *query)
{
    return (struct metrics){
        .seats = seats, .scoreboard = board, .config = config, .query = span_from_str(query)};
}

// All of it, in parts of at most `size` bytes. The caller frees it.
static char *tell(const char *query, size_t size)
{
    struct metrics metrics = ask(query);
    struct answer_body body = metrics_body(&metrics);
    uint8_t *part = malloc(size);
    char *out = NULL;
    size_t out_len = 0;
    FILE *file = open_memstream(&out, &out_len);
    size_t len;

    while ((len = body.produce(&body, part, size)) > 0) {
        if (len > size) {
            GIVE_UP();
        }
        fwrite(part, 1, len, file);
    }
    CHECK_EQ_U64("its end", body.produce(&body, part, size), 0);
    fclose(file);
    free(part);
    return out;
}

#define HEAD(name, type, help) "# HELP " name " " help "\n# TYPE " name " " type "\n"
#define B1 "{route=\"r\",backend=\"tcp://db.example:6379\""
#define B2 "{route=\"r\",backend=\"unix:/run/\\\"x\\\\y.sock\""
#define STATE_HELP "1 for the state that the backend is in, of all workers."
#define STATE(backend, word, value) \
    "sluice_backend_state" backend ",state=\"" word "\"} " value "\n"
#define STATES(backend, full, down) \
    STATE(backend, "up", "0") \
    STATE(backend, "starting", "0") \
    STATE(backend, "full", full) \
    STATE(backend, "trial", "0") \
    STATE(backend, "down", down)
#define DIALS "sluice_backend_connect_duration_seconds"
#define CHECKS "sluice_backend_checks_total"
#define FAILURES "sluice_backend_connect_failures_total"

static const struct {
    const char *query;
    const char *want;
} rows[] = {
    {"name=sluice_workers",
     HEAD("sluice_workers", "gauge", "Worker processes that are configured.") "sluice_workers 2\n"},
    {"name=sluice_worker_up",
     HEAD("sluice_worker_up", "gauge",
          "1 while the worker takes sessions.") "sluice_worker_up{worker=\"0\"} "
                                                "0\nsluice_worker_up{worker=\"1\"} 1\n"},
    {"name=sluice_worker_restarts_total",
     HEAD("sluice_worker_restarts_total", "counter",
          "Workers that took the place of one that died.") "sluice_worker_restarts_total{worker="
                                                           "\"0\"} 2\n"
                                                           "sluice_worker_restarts_total{worker="
                                                           "\"1\"} 0\n"},
    {"name=sluice_config_reloads_total",
     HEAD("sluice_config_reloads_total", "counter",
          "Attempts to take the configuration anew.") "sluice_config_reloads_total{result="
                                                      "\"failure\"} 1\n"
                                                      "sluice_config_reloads_total{result="
                                                      "\"success\"} 1\n"},
    {"name=sluice_config_last_*",
     HEAD("sluice_config_last_reload_successful", "gauge",
          "1 if the last attempt to take the configuration anew, or "
          "the start, succeeded.") "sluice_config_last_reload_"
                                   "successful 0\n" HEAD("sluice_"
                                                         "config_last_"
                                                         "reload_"
                                                         "success_"
                                                         "timestamp_"
                                                         "seconds",
                                                         "gauge",
                                                         "When the "
                                                         "configuration"
                                                         " was taken "
                                                         "last.") "slui"
                                                                  "ce_"
                                                                  "conf"
                                                                  "ig_"
                                                                  "last"
                                                                  "_rel"
                                                                  "oad_"
                                                                  "succ"
                                                                  "ess_"
                                                                  "time"
                                                                  "stam"
                                                                  "p_"
                                                                  "seco"
                                                                  "nds "
                                                                  "1700"
                                                                  "0000"
                                                                  "01"
                                                                  "\n"},
    {"name=sluice_sessions_limit",
     HEAD("sluice_sessions_limit", "gauge",
          "max_sessions of the configuration.") "sluice_sessions_limit 77\n"},
    {"name=sluice_sessions_total", HEAD("sluice_sessions_total", "counter",
                                        "Sessions that opened: the page was told, the backend is "
                                        "there.") "sluice_sessions_total{route=\"r\"} "
                                                  "9\nsluice_sessions_total{route=\"e\"} 0\n"},
    {"name=sluice_sessions",
     HEAD("sluice_sessions", "gauge",
          "Connections by route and phase of their life; route=\"\" has no "
          "route yet.") "sluice_sessions{route=\"\",phase=\"tls\"} 0\n"
                        "sluice_sessions{route=\"\",phase=\"request\"} 2\n"
                        "sluice_sessions{route=\"\",phase=\"serving\"} 0\n"
                        "sluice_sessions{route=\"\",phase=\"closing\"} 0\n"
                        "sluice_sessions{route=\"\",phase=\"answer\"} 0\n"
                        "sluice_sessions{route=\"\",phase=\"linger\"} 0\n"
                        "sluice_sessions{route=\"r\",phase=\"token\"} 0\n"
                        "sluice_sessions{route=\"r\",phase=\"dial\"} 0\n"
                        "sluice_sessions{route=\"r\",phase=\"open\"} 4\n"
                        "sluice_sessions{route=\"r\",phase=\"half_closed\"} "
                        "0\n"
                        "sluice_sessions{route=\"r\",phase=\"closing\"} 0\n"
                        "sluice_sessions{route=\"r\",phase=\"answer\"} 0\n"
                        "sluice_sessions{route=\"r\",phase=\"linger\"} 0\n"
                        "sluice_sessions{route=\"e\",phase=\"token\"} 0\n"
                        "sluice_sessions{route=\"e\",phase=\"dial\"} 0\n"
                        "sluice_sessions{route=\"e\",phase=\"open\"} 0\n"
                        "sluice_sessions{route=\"e\",phase=\"half_closed\"} "
                        "0\n"
                        "sluice_sessions{route=\"e\",phase=\"closing\"} 0\n"
                        "sluice_sessions{route=\"e\",phase=\"answer\"} 0\n"
                        "sluice_sessions{route=\"e\",phase=\"linger\"} 0\n"},
    {"name=sluice_sessions_ended_total",
     HEAD("sluice_sessions_ended_total", "counter",
          "Connections that ended, by ending (the word of the log) and the Close code they were "
          "sent.") "sluice_sessions_ended_total{route=\"\",ending=\"no_route\",code=\"1008\"} 2\n"
                   "sluice_sessions_ended_total{route=\"r\",ending=\"client_close\",code=\"3xxx\"} "
                   "2\n"
                   "sluice_sessions_ended_total{route=\"r\",ending=\"client_reset\",code=\"none\"} "
                   "2\n"},
    {"name=sluice_sent_bytes_total",
     HEAD("sluice_sent_bytes_total", "counter",
          "Bytes sent to that side, TLS included.") "sluice_sent_bytes_total{route=\"\",side="
                                                    "\"client\"} 0\n"
                                                    "sluice_sent_bytes_total{route=\"r\",side="
                                                    "\"client\"} 0\n"
                                                    "sluice_sent_bytes_total{route=\"r\",side="
                                                    "\"backend\"} 2199023255552\n"
                                                    "sluice_sent_bytes_total{route=\"e\",side="
                                                    "\"client\"} 0\n"
                                                    "sluice_sent_bytes_total{route=\"e\",side="
                                                    "\"backend\"} 0\n"},
    {"name=sluice_paused_seconds_total",
     HEAD("sluice_paused_seconds_total", "counter",
          "Time in which sluice did not read from that side "
          "because the other one is slow or a rate is used up.") "sluice_paused_"
                                                                 "seconds_total{"
                                                                 "route=\"r\",side="
                                                                 "\"client\"} 2.002\n"
                                                                 "sluice_paused_"
                                                                 "seconds_total{"
                                                                 "route=\"r\",side="
                                                                 "\"backend\"} "
                                                                 "0.000\n"
                                                                 "sluice_paused_"
                                                                 "seconds_total{"
                                                                 "route=\"e\",side="
                                                                 "\"client\"} 0.000\n"
                                                                 "sluice_paused_"
                                                                 "seconds_total{"
                                                                 "route=\"e\",side="
                                                                 "\"backend\"} "
                                                                 "0.000\n"},
    {"name=sluice_backend_up",
     HEAD("sluice_backend_up", "gauge",
          "0 if the backend is down, or one session tries it again.") "sluice_backend_up" B1
                                                                      "} 0\nsluice_backend_up" B2
                                                                      "} 1\n"},
    {"name=sluice_backend_state",
     HEAD("sluice_backend_state", "gauge", STATE_HELP) STATES(B1, "0", "1") STATES(B2, "1", "0")},
    {"name=sluice_backend_sessions",
     HEAD("sluice_backend_sessions", "gauge",
          "Sessions that have the backend, or dial it.") "sluice_backend_sessions" B1
                                                         "} 0\nsluice_backend_sessions" B2 "} 2\n"},
    {"name=sluice_backend_ejections_total",
     HEAD("sluice_backend_ejections_total", "counter",
          "Times that the backend went down.") "sluice_backend_ejections_total" B1
                                               "} 10\nsluice_backend_ejections_total" B2 "} 0\n"},
    {"name=" CHECKS,
     HEAD(CHECKS, "counter", "Health checks of the backend and of its addresses, by their result.")
         CHECKS B1 ",result=\"success\"} 0\n" CHECKS B1 ",result=\"failure\"} 6\n" CHECKS B2
                   ",result=\"success\"} 1\n" CHECKS B2 ",result=\"failure\"} 0\n"},
    {"name=" DIALS,
     HEAD(DIALS, "histogram",
          "Time from a session's first dial to the connection with this backend.") DIALS
     "_bucket" B1 ",le=\"0.001\"} 0\n" DIALS "_bucket" B1 ",le=\"0.005\"} 0\n" DIALS "_bucket" B1
     ",le=\"0.025\"} 0\n" DIALS "_bucket" B1 ",le=\"0.1\"} 0\n" DIALS "_bucket" B1
     ",le=\"0.5\"} 0\n" DIALS "_bucket" B1 ",le=\"2.5\"} 0\n" DIALS "_bucket" B1
     ",le=\"+Inf\"} 0\n" DIALS "_sum" B1 "} 0.000\n" DIALS "_count" B1 "} 0\n" DIALS "_bucket" B2
     ",le=\"0.001\"} 0\n" DIALS "_bucket" B2 ",le=\"0.005\"} 0\n" DIALS "_bucket" B2
     ",le=\"0.025\"} 1\n" DIALS "_bucket" B2 ",le=\"0.1\"} 1\n" DIALS "_bucket" B2
     ",le=\"0.5\"} 2\n" DIALS "_bucket" B2 ",le=\"2.5\"} 2\n" DIALS "_bucket" B2
     ",le=\"+Inf\"} 2\n" DIALS "_sum" B2 "} 0.140\n" DIALS "_count" B2 "} 2\n"},
    {"name=" FAILURES,
     HEAD(FAILURES, "counter", "Dials that did not reach the backend.") FAILURES B1
     ",reason=\"name\"} 0\n" FAILURES B1 ",reason=\"unreachable\"} 0\n" FAILURES B1
     ",reason=\"timeout\"} 12\n" FAILURES B1 ",reason=\"refused\"} 0\n" FAILURES B1
     ",reason=\"tls\"} 0\n" FAILURES B2 ",reason=\"name\"} 0\n" FAILURES B2
     ",reason=\"unreachable\"} 0\n" FAILURES B2 ",reason=\"timeout\"} 0\n" FAILURES B2
     ",reason=\"refused\"} 0\n" FAILURES B2 ",reason=\"tls\"} 0\n"},
    {"name=sluice_connections_total",
     HEAD("sluice_connections_total", "counter",
          "Connections accepted.") "sluice_connections_total{listen=\"pub\"} 18\n"},
    {"name=sluice_tls_handshakes_total",
     HEAD("sluice_tls_handshakes_total", "counter", "TLS handshakes that succeeded.")},
    {"name=process_cpu_seconds_total",
     HEAD("process_cpu_seconds_total", "counter",
          "Processor time of the worker and those before it.") "process_cpu_seconds_total{worker="
                                                               "\"0\"} 12.345\n"
                                                               "process_cpu_seconds_total{worker="
                                                               "\"1\"} 12.345\n"},
    {"x=1&name=sluice_workers&name=sluice_sessions_limit&y",
     HEAD(
         "sluice_workers", "gauge",
         "Worker processes that are configured.") "sluice_workers 2\n" HEAD("sluice_sessions_limit",
                                                                            "gauge",
                                                                            "max_sessions of the "
                                                                            "configuration.") "slui"
                                                                                              "ce_"
                                                                                              "sess"
                                                                                              "ions"
                                                                                              "_lim"
                                                                                              "it "
                                                                                              "77"
                                                                                              "\n"},
    {"name=", ""},
    {"name=sluice_work", ""},
    {"name=Sluice_workers", ""},
    {"name=sluice_workers_", ""},
};

static void test_rows(void)
{
    prepare();
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *got = tell(rows[i].query, ANSWER_PART_BYTES);
        CHECK_EQ_STR(rows[i].query, got, rows[i].want);
        free(got);
    }
    config_free(config);
}

// Wherever the parts end, the whole is the same.
static void test_parts(void)
{
    prepare();
    char *whole = tell("", (size_t)1 << 20);
    for (size_t size = 2048; size < 4096; size++) {
        char *got = tell("", size);
        if (strcmp(got, whole) != 0) {
            CHECK_EQ_STR("whole", got, whole);
            size = 4096;
        }
        free(got);
    }
    char *wild = tell("name=*", ANSWER_PART_BYTES);
    CHECK_EQ_STR("all", wild, whole);
    char *others = tell("other=sluice_workers", ANSWER_PART_BYTES);
    CHECK_EQ_STR("no name", others, whole);
    free(wild);
    free(others);
    free(whole);
    config_free(config);
}

static bool ends_in(const char *name, const char *end)
{
    size_t len = strlen(name);
    return len >= strlen(end) && strcmp(name + len - strlen(end), end) == 0;
}

// Prometheus's conventions: https://prometheus.io/docs/practices/naming/
static void test_names(void)
{
    for (size_t i = 0; i < metrics_family_count(); i++) {
        const struct metrics_family *family = metrics_family_at(i);
        bool is_counter = strcmp(family->type, "counter") == 0;
        CHECK_EQ_INT(family->name, ends_in(family->name, "_total"), is_counter);
        CHECK_TRUE(family->name, strncmp(family->name, "sluice_", 7) == 0 ||
                                     strncmp(family->name, "process_", 8) == 0);
        CHECK_TRUE(family->name, strpbrk(family->help, "\\\n") == NULL);
        CHECK_TRUE(family->name, ends_in(family->help, ".") && strlen(family->help) < 120);
        for (size_t k = 0; k < i; k++) {
            CHECK_TRUE(family->name, strcmp(metrics_family_at(k)->name, family->name) != 0);
        }
    }
}

static size_t count_lines(const char *from, const char *label)
{
    size_t count = 0;
    for (const char *line = from; *line != '\0'; line = strchr(line, '\n') + 1) {
        const char *found = strstr(line, label);
        count += line[0] != '#' && found != NULL && found < strchr(line, '\n') ? 1 : 0;
    }
    return count;
}

// At most 41 series for a route and 25 for a backend, whatever has happened, and in any order.
static void test_ceiling(void)
{
    static const char *const kept[] = {"full", "internal", "limit_source", "limit_route"};
    prepare();
    struct seat *seat = seat_new(seats, 0, config);
    for (uint16_t code = 0; code < 5000; code++) {
        seat_end(seat, &config->routes[1], LIFE_CLIENT_CLOSE, code);
    }
    for (enum life_ending ending = LIFE_NOT_ENDED + 1; ending < LIFE_ENDING_COUNT; ending++) {
        uint16_t code = life_ending_row(ending)->close_code;
        bool is_limit = ending == LIFE_LIMIT_SOURCE || ending == LIFE_LIMIT_ROUTE;
        seat_end(seat, &config->routes[1], ending, code);
        seat_end(seat, &config->routes[1], ending, is_limit ? code : 0); // on_refuse = http
        seat_end(seat, NULL, ending, code);
    }
    char *got = tell("", ANSWER_PART_BYTES);
    CHECK_EQ_U64("a route", count_lines(got, "{route=\"e\""), 41);
    CHECK_TRUE("none", count_lines(got, "{route=\"\"") <= 40);
    CHECK_EQ_U64("codes of clients", count_lines(got, "{route=\"e\",ending=\"client_close\""), 6);
    CHECK_TRUE("other", strstr(got, "{route=\"e\",ending=\"other\",code=\"other\"} ") != NULL);
    for (size_t i = 0; i < COUNT(kept); i++) {
        char label[80];
        snprintf(label, sizeof(label), "{route=\"e\",ending=\"%s\"", kept[i]);
        CHECK_TRUE(kept[i], strstr(got, label) != NULL);
    }
    CHECK_EQ_U64("a backend", count_lines(got, B1), 25);
    free(got);
    seat_free(seat);
    config_free(config);
}

// 200 routes with a backend each, in which everything has happened: less than 1.25 MiB.
static void test_size(void)
{
    static char long_text[64 * 1024];
    struct report report;
    size_t len =
        (size_t)snprintf(long_text, sizeof(long_text), "[listen pub]\naddress = 127.0.0.1:1\n");
    for (int i = 0; i < 200; i++) {
        len +=
            (size_t)snprintf(long_text + len, sizeof(long_text) - len,
                             "[route service-%d]\npath = /%d\nbackend = tcp://db-%d.internal:%d\n",
                             i, i, i, 6000 + i);
    }
    config = config_parse(span_from_str(long_text), &report);
    if (config == NULL) {
        GIVE_UP();
    }
    report_done(&report);
    board = scoreboard_new(2, 1700000000);
    seats = seats_new(2, config);
    struct seat *seat = seat_new(seats, 1, config);
    for (size_t i = 0; i < 200; i++) {
        struct seat_route *route = seat_route(seat, &config->routes[i]);
        for (enum life_ending ending = LIFE_NOT_ENDED + 1; ending < LIFE_ENDING_COUNT; ending++) {
            seat_end(seat, &config->routes[i], ending, life_ending_row(ending)->close_code);
            seat_end(seat, &config->routes[i], ending, 0);
        }
        seat_add(&route->received_bytes[SEAT_CLIENT], UINT64_MAX / 1000);
        seat_add(&route->sent_bytes[SEAT_CLIENT], UINT64_MAX / 1000);
        seat_observe(&seat_backend(seat, &config->routes[i], 0)->dials, 7);
    }
    char *got = tell("", ANSWER_PART_BYTES);
    CHECK_EQ_U64("each has all of its series", count_lines(got, "{route=\"service-"),
                 200 * (41 + 23));
    CHECK_TRUE("the whole answer", strlen(got) < (size_t)5 << 18);
    free(got);
    seat_free(seat);
    config_free(config);
}

CU_TestInfo metrics_tests[] = {
    {"families by the byte, and the filter", test_rows},
    {"parts of any size", test_parts},
    {"names and helps", test_names},
    {"the ceiling of series", test_ceiling},
    {"the size of the answer", test_size},
    CU_TEST_INFO_NULL,
};
