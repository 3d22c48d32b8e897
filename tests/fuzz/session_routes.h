/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session_routes.h: the configuration of the fuzzed sessions: a route for each framing, payload and
 * way to refuse; and each of them again for clients that say in their first message who they
 * are, with rates. */
#ifndef FUZZ_SESSION_ROUTES_H
#define FUZZ_SESSION_ROUTES_H

#include "session_world.h"

#define KIB ((size_t)1024)

static struct policy_origin any_origin = {.kind = POLICY_ORIGIN_ANY};
static struct policy_origin one_origin = {
    .kind = POLICY_ORIGIN_HOST, .scheme = {"https", 5}, .host = {"ok.example", 10}, .port = 443};
static struct span base64_names[] = {{"base64", 6}, {"binary", 6}, {"chat", 4}};
static struct addr_cidr all_v4 = {.family = AF_INET};

static struct config_backend echo_backend = {.kind = CONFIG_BACKEND_ECHO, .text = {"echo:", 5}};
static struct config_backend tcp_backends[] = {
    {.kind = CONFIG_BACKEND_TCP, .text = {"tcp://a:1", 9}, .host = {"a", 1}, .port = 1},
    {.kind = CONFIG_BACKEND_TCP, .text = {"tcp://b:2", 9}, .host = {"b", 1}, .port = 2},
};

#define TIMEOUTS \
    .timeouts = {.tls_ms = 10000, \
                 .request_ms = 10000, \
                 .token_ms = 5000, \
                 .connect_ms = 5000, \
                 .idle_ms = 60000, \
                 .ping_interval_ms = 30000, \
                 .pong_ms = 10000, \
                 .write_ms = 30000, \
                 .close_ms = 5000, \
                 .end_ms = 90000, \
                 .linger_ms = 2000}
#define PATH(letter) \
    .policy = { \
        .name = {letter, 1}, .path = {"/" letter, 2}, .origins = &any_origin, .origin_count = 1}
#define TCP .backends = tcp_backends, .backend_count = 2, .backend_code = 1011
#define ECHO .backends = &echo_backend, .backend_count = 1, .backend_code = 1011
#define WIDE .buffer_high_bytes = 64 * KIB, .buffer_low_bytes = 16 * KIB
#define NARROW .buffer_high_bytes = 4 * KIB, .buffer_low_bytes = KIB
#define DEFLATE(bits, takeover) \
    .is_deflate = true, .deflate_idle_ms = 15000, \
    .deflate = {.window_bits = (bits), .is_takeover = (takeover), .max_ratio = 1000}

#define ROUTE_COUNT 16 /* the others are the same again, with a first message */
#define TOKEN "token"
static struct config_route routes[2 * ROUTE_COUNT] = {
    {PATH("e"), ECHO, WIDE, TIMEOUTS},
    {PATH("d"), ECHO, WIDE, TIMEOUTS, DEFLATE(15, true), .max_message_bytes = 300 * KIB},
    {PATH("m"), ECHO, NARROW, TIMEOUTS, DEFLATE(9, false), .max_frame_bytes = 128},
    {PATH("t"), TCP, WIDE, TIMEOUTS},
    {PATH("k"), TCP, NARROW, TIMEOUTS, .is_half_open = true, .is_http_refusal = true,
     .accept = WS_ACCEPT_BINARY, .max_message_bytes = 5000},
    {PATH("x"), TCP, WIDE, TIMEOUTS, .accept = WS_ACCEPT_TEXT, .payload = SHAPE_TEXT,
     .max_frame_bytes = 128},
    {PATH("l"), TCP, WIDE, TIMEOUTS, DEFLATE(9, true), .payload = SHAPE_TEXT,
     .framing = {.kind = FRAMING_LINE, .max_bytes = 512}, .max_frame_bytes = 200},
    {PATH("c"), TCP, NARROW, TIMEOUTS,
     .framing = {.kind = FRAMING_LINE,
                 .line_end = FRAMING_CRLF,
                 .is_line_multi = true,
                 .max_bytes = 64 * KIB}},
    {PATH("s"), TCP, WIDE, TIMEOUTS, DEFLATE(12, false),
     .framing = {.kind = FRAMING_LENGTH16, .length_order = FRAMING_LITTLE, .max_bytes = 65535}},
    {PATH("n"), TCP, NARROW, TIMEOUTS, .payload = SHAPE_TEXT,
     .framing = {.kind = FRAMING_LENGTH32, .max_bytes = 200 * KIB}},
    {PATH("b"), TCP, WIDE, TIMEOUTS, DEFLATE(15, true), .is_half_open = true,
     .max_frame_bytes = KIB},
    {PATH("z"), TCP, NARROW, TIMEOUTS, DEFLATE(10, true), .payload = SHAPE_TEXT,
     .max_message_bytes = 20000},
    {PATH("w"), TCP, WIDE, TIMEOUTS, DEFLATE(12, true), .is_half_open = true,
     .max_frame_bytes = 4 * KIB},
    {PATH("o"), TCP, WIDE, TIMEOUTS},
    {PATH("h"), TCP, WIDE, TIMEOUTS, .is_http_refusal = true},
    {PATH("q"), TCP, WIDE, TIMEOUTS},
};
static struct policy_route policies[2 * ROUTE_COUNT];
static struct token_source first_message = {.place = TOKEN_FIRST_MESSAGE};
static struct config_auth auth = {
    .name = {"a", 1}, .type = CONFIG_AUTH_TOKENS, .credential = CONFIG_TOKEN};
static const struct config_auth *auths[] = {&auth};
static struct config_listen listens[1];
static struct config config;

static struct config_route *route_of(char letter)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (routes[i].policy.path.data[1] == letter) {
            return &routes[i];
        }
    }
    abort();
}

static void on_fault(void *owner, unsigned line, const char *detail)
{
    (void)owner;
    (void)line;
    expect(false, detail);
}

/* Makes the routes whose client sends TOKEN first: /E of /e. */
static void routes_double(void)
{
    static char paths[ROUTE_COUNT][2];
    expect(accounts_read(
               &auth.accounts, ACCOUNTS_TOKENS,
               SPAN_LIT("alice:"
                        "3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0\n"),
               on_fault, NULL),
           "a file of tokens");
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        struct config_route *route = &routes[ROUTE_COUNT + i];
        paths[i][0] = '/';
        paths[i][1] = (char)(routes[i].policy.path.data[1] - 'a' + 'A');
        *route = routes[i];
        route->policy.name = (struct span){&paths[i][1], 1};
        route->policy.path = (struct span){paths[i], 2};
        route->auths = auths;
        route->auth_count = 1;
        route->auth_from = &first_message;
        route->auth_from_count = 1;
        route->rate_up_bytes = i % 3 != 0 ? 5000 : 0;
        route->rate_down_bytes = i % 3 != 1 ? 5000 : 0;
        route->messages = (struct limit_rate){.count = i % 4, .period_ms = 1000};
    }
}

/* The target calls this once. */
static void routes_init(void)
{
    struct config_route *endless = route_of('k');
    endless->timeouts.idle_ms = 0;
    endless->timeouts.ping_interval_ms = 0;
    endless->backend_code = 1014;
    route_of('w')->timeouts.idle_ms = 0;
    route_of('t')->timeouts.max_age_ms = 100000;
    route_of('e')->timeouts.ping_interval_ms = 3000;
    route_of('b')->policy.subprotocols = base64_names;
    route_of('b')->policy.subprotocol_count = 3;
    route_of('o')->policy.origins = &one_origin;
    route_of('h')->policy.origins = &one_origin;
    route_of('q')->policy.deny = &all_v4;
    route_of('q')->policy.deny_count = 1;
    routes_double();
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        policies[i] = routes[i].policy;
    }
    listens[0] = (struct config_listen){.name = {"fuzz", 4}};
    config = (struct config){
        .max_sessions = 1,
        .head_limits = {.head_bytes = 8192, .header_count = 64},
        .early_timeouts = route_of('e')->timeouts,
        .listens = listens,
        .listen_count = 1,
        .routes = routes,
        .policies = policies,
        .route_count = sizeof(routes) / sizeof(routes[0]),
    };
}

#endif
