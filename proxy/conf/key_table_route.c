/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The rows of [route NAME], most of which also stand in [defaults]. */
#include "conf/key_rows.h"
#include "proto/fitness.h"

static const struct key_choice refuse_words[] = {{"close", 0}, {"http", 1}, {NULL, 0}};
static const struct key_choice code_words[] = {{"1011", 1011}, {"1014", 1014}, {NULL, 0}};
static const struct key_choice accept_words[] = {
    {"any", WS_ACCEPT_ANY}, {"binary", WS_ACCEPT_BINARY}, {"text", WS_ACCEPT_TEXT}, {NULL, 0}};
static const struct key_choice payload_words[] = {
    {"binary", SHAPE_BINARY}, {"text", SHAPE_TEXT}, {NULL, 0}};
static const struct key_choice bad_utf8_words[] = {{"close", 0}, {"replace", 1}, {NULL, 0}};
static const struct key_choice latency_words[] = {{"auto", CONFIG_LATENCY_AUTO},
                                                  {"low", CONFIG_LATENCY_LOW},
                                                  {"bulk", CONFIG_LATENCY_BULK},
                                                  {NULL, 0}};
static const struct key_choice framing_words[] = {{"stream", FRAMING_STREAM},
                                                  {"line", FRAMING_LINE},
                                                  {"length16", FRAMING_LENGTH16},
                                                  {"length32", FRAMING_LENGTH32},
                                                  {NULL, 0}};
static const struct key_choice line_end_words[] = {
    {"lf", FRAMING_LF}, {"crlf", FRAMING_CRLF}, {NULL, 0}};
static const struct key_choice order_words[] = {
    {"big", FRAMING_BIG}, {"little", FRAMING_LITTLE}, {NULL, 0}};
static const struct key_choice yes_words[] = {{"yes", 1}, {"no", 0}, {NULL, 0}};
static const struct key_choice side_words[] = {{"server", 0}, {"client", 1}, {NULL, 0}};
static const struct key_choice proxy_out_words[] = {
    {"off", CONFIG_PROXY_OFF}, {"v1", CONFIG_PROXY_V1}, {"v2", CONFIG_PROXY_V2}, {NULL, 0}};
static const struct key_choice balance_words[] = {{"first", CONFIG_BALANCE_FIRST},
                                                  {"round_robin", CONFIG_BALANCE_ROUND_ROBIN},
                                                  {"least_sessions", CONFIG_BALANCE_LEAST_SESSIONS},
                                                  {"source", CONFIG_BALANCE_SOURCE},
                                                  {NULL, 0}};
static const struct key_choice half_close_words[] = {{"close", 0}, {"keep", 1}, {NULL, 0}};

/* ---- what a key means nothing without ---- */

static bool has_service(const void *base)
{
    const struct config_route *route = base;

    return route->backend_count == 0 || route->backends[0].kind != CONFIG_BACKEND_ECHO;
}

/* [defaults] may give an echo: route a framing, which then means nothing. */
static bool is_line(const void *base)
{
    return has_service(base) && ((const struct config_route *)base)->framing.kind == FRAMING_LINE;
}

static bool is_length(const void *base)
{
    const struct config_route *route = base;

    return has_service(base) &&
           (route->framing.kind == FRAMING_LENGTH16 || route->framing.kind == FRAMING_LENGTH32);
}

static bool is_framed(const void *base)
{
    return is_line(base) || is_length(base);
}

/* May some session of the route get text? Without a list the page may offer text.ircv3.net. */
static bool has_text(const void *base)
{
    const struct config_route *route = base;
    bool is_found = route->policy.subprotocol_count == 0;

    for (size_t i = 0; i < route->policy.subprotocol_count; i++) {
        is_found |= shape_payload_of(route->policy.subprotocols[i], route->payload) == SHAPE_TEXT;
    }
    return has_service(base) && is_found;
}

/* Any line of a target file may name a tls:// one. */
static bool has_backend_tls(const void *base)
{
    const struct config_route *route = base;
    return route->needs_backend_tls || config_has_targets(route);
}

static bool is_backend_verified(const void *base)
{
    return has_backend_tls(base) && ((const struct config_route *)base)->backend_tls.is_verified;
}

static bool has_backend_certificate(const void *base)
{
    return has_backend_tls(base) &&
           ((const struct config_route *)base)->backend_tls.certificate_path.len > 0;
}

static bool has_backend_key(const void *base)
{
    return has_backend_tls(base) &&
           ((const struct config_route *)base)->backend_tls.key_path.len > 0;
}

static bool has_subprotocols(const void *base)
{
    return ((const struct config_route *)base)->policy.subprotocol_count > 0;
}

static bool is_compressed(const void *base)
{
    return ((const struct config_route *)base)->is_deflate;
}

static bool has_auth(const void *base)
{
    return ((const struct config_route *)base)->auth_name_count > 0;
}

static bool has_first_message(const void *base)
{
    const struct config_route *route = base;

    for (size_t i = 0; i < route->auth_from_count; i++) {
        if (route->auth_from[i].place == TOKEN_FIRST_MESSAGE) {
            return true;
        }
    }
    return false;
}

static bool has_checks(const void *base)
{
    return ((const struct config_route *)base)->checks.interval_ms > 0;
}

static bool has_answer(const void *base)
{
    return ((const struct config_route *)base)->checks.expect.len > 0;
}

static const struct key_need need_checks = {has_checks, "health_interval"};
static const struct key_need need_answer = {has_answer, "health_expect"};
static bool has_targets(const void *base)
{
    return config_has_targets(base);
}

static const struct key_need need_targets = {has_targets, "targets"};
static const struct key_need need_auth = {has_auth, "auth"};
static const struct key_need need_first_message = {has_first_message, "auth_from = first_message"};
static const struct key_need need_backend_tls = {has_backend_tls, "a tls:// backend or target"};
static const struct key_need need_backend_verify = {is_backend_verified,
                                                    "a tls:// backend and backend_verify = on"};
static const struct key_need need_backend_certificate = {
    has_backend_certificate, "a tls:// backend and backend_certificate"};
static const struct key_need need_backend_key = {has_backend_key,
                                                 "a tls:// backend and backend_key"};
static const struct key_need need_service = {has_service, "a backend other than echo:"};
static const struct key_need need_text = {has_text,
                                          "payload = text or the subprotocol text.ircv3.net"};
static const struct key_need need_subprotocols = {has_subprotocols, "subprotocols"};
static const struct key_need need_line = {is_line, "framing = line"};
static const struct key_need need_length = {is_length, "framing = length16 or length32"};
static const struct key_need need_framing = {is_framed, "framing = line, length16 or length32"};
static const struct key_need need_compression = {is_compressed, "compression = on"};

/* ---- the rows ---- */

const struct key key_route_rows[] = {
    KEY(KEY_ROUTE, "path", TEXT(value_read_path, value_show_path), ROUTE_FIELD(policy),
        .is_required = true, .is_route_only = true, .values = "`/NAME`, `/NAME/*`",
        .help = "exact, or a prefix when it ends in /*"),
    KEY(KEY_ROUTE, "host", TEXT(value_read_host, value_show_text), ROUTE_FIELD(policy.host),
        .is_route_only = true, .empty = "any", .values = "a name, `*.NAME`, an address",
        .help = "name in the Host header; *.example.com is one label more"),
    KEY(KEY_ROUTE, "origins", LIST(value_read_origin, value_show_origin),
        ROUTE_ITEMS(policy.origins, policy.origin_count), .fallback = "same", .noun = "origin",
        .empty = "none admitted", .help = "pages that may connect"),
    KEY(KEY_ROUTE, "subprotocols", LIST(value_read_subprotocol, value_show_text),
        ROUTE_ITEMS(policy.subprotocols, policy.subprotocol_count), .noun = "subprotocol",
        .empty = "the client's first offer is taken",
        .help = "in the server's order; without it the client's first offer is taken"),
    KEY(KEY_ROUTE, "subprotocol_order", CHOICE(side_words), .fallback = "server",
        ROUTE_FIELD(policy.is_client_order), .need = &need_subprotocols,
        .help = "who chooses, when the client offers several of the list"),
    KEY(KEY_ROUTE, "backend", LIST(value_read_member, value_show_member),
        ROUTE_ITEMS(backends, backend_count), .max = 16, .is_route_only = true, .noun = "backend",
        .empty = "the route has targets",
        .help = "tcp://HOST:PORT, tls://HOST:PORT, unix:/PATH or echo:; weight=N max_sessions=N "
                "backup"),
    KEY(KEY_ROUTE, "balance", CHOICE(balance_words), .fallback = "first", ROUTE_FIELD(balance),
        .need = &need_service, .help = "which of several backends a session gets"),
    KEY(KEY_ROUTE, "eject_after", COUNT(1, FITNESS_FAILURES_MAX), .fallback = "1",
        ROUTE_FIELD(eject_after), .need = &need_service,
        .help = "failures in a row after which a backend is out for a pause"),
    KEY(KEY_ROUTE, "eject_pause", DURATION(10, HOUR_MS), .fallback = "1s",
        ROUTE_FIELD(eject_pause_ms), .need = &need_service,
        .help = "the first pause; it doubles while the backend fails"),
    KEY(KEY_ROUTE, "eject_pause_max", DURATION(10, DAY_MS), .fallback = "1m",
        ROUTE_FIELD(eject_pause_max_ms), .need = &need_service, .help = "the longest pause"),
    KEY(KEY_ROUTE, "slow_start", DURATION(10, HOUR_MS), .zero_word = "off", .fallback = "10s",
        ROUTE_FIELD(slow_start_ms), .need = &need_service,
        .help = "time in which a backend that is back gets its whole weight"),
    KEY(KEY_ROUTE, "targets", LIST(value_read_text, value_show_text),
        ROUTE_ITEMS(target_paths, target_path_count), .max = 16, .is_route_only = true,
        .names_files = true, .names_folders = true, .noun = "file",
        .empty = "the route has a backend",
        .help = "instead of backend: files of 'token: HOST:PORT' lines, or directories of them"),
    KEY(KEY_ROUTE, "target_from", TEXT(value_read_target_source, value_show_target_source),
        ROUTE_FIELD(target_from), .need = &need_targets, .noun = "place", .empty = "nowhere",
        .help = "where the token stands: query:NAME, path, subprotocol or host"),
    KEY(KEY_ROUTE, "target_allow", LIST(value_read_target_rule, value_show_target_rule),
        ROUTE_ITEMS(target_rules.allow, target_rules.allow_count), .need = &need_targets,
        .noun = "network", .empty = "all global addresses",
        .help = "networks of targets, and unix:/PATH; what is not global only as listed here"),
    KEY(KEY_ROUTE, "target_deny", LIST(value_read_target_rule, value_show_target_rule),
        ROUTE_ITEMS(target_rules.deny, target_rules.deny_count), .need = &need_targets,
        .noun = "network", .empty = "none", .help = "networks of targets; wins over target_allow"),
    KEY(KEY_ROUTE, "backend_verify", CHOICE(on_words), .fallback = "on",
        ROUTE_FIELD(backend_tls.is_verified), .need = &need_backend_tls,
        .help = "whether the certificate of a tls:// backend must be good"),
    KEY(KEY_ROUTE, "backend_ca", LIST(value_read_text, value_show_text),
        ROUTE_ITEMS(backend_tls.ca_paths, backend_tls.ca_path_count), .need = &need_backend_verify,
        .names_files = true, .empty = "the system's",
        .help = "PEM files of the CAs that sign the certificates of tls:// backends"),
    KEY(KEY_ROUTE, "backend_name", TEXT(value_read_server_name, value_show_text),
        ROUTE_FIELD(backend_tls.name), .need = &need_backend_tls, .empty = "the backend's host",
        .help = "whom the certificate of a tls:// backend must be good for, and its SNI"),
    KEY(KEY_ROUTE, "backend_certificate", TEXT(value_read_text, value_show_text),
        ROUTE_FIELD(backend_tls.certificate_path), .need = &need_backend_key, .names_files = true,
        .empty = "none", .help = "PEM file, leaf first, for backends that ask who sluice is"),
    KEY(KEY_ROUTE, "backend_key", TEXT(value_read_text, value_show_text),
        ROUTE_FIELD(backend_tls.key_path), .need = &need_backend_certificate, .names_files = true,
        .empty = "none", .help = "PEM file, the key of backend_certificate"),
    KEY(KEY_ROUTE, "backend_alpn", LIST(value_read_protocol, value_show_text),
        ROUTE_ITEMS(backend_tls.protocols, backend_tls.protocol_count), .max = 16,
        .need = &need_backend_tls, .noun = "protocol", .empty = "nothing is offered",
        .help = "what tls:// backends are offered by ALPN, best first"),
    KEY(KEY_ROUTE, "allow", LIST(value_read_network, value_show_network),
        ROUTE_ITEMS(policy.allow, policy.allow_count), .noun = "network", .empty = "all",
        .help = "client networks; without it all"),
    KEY(KEY_ROUTE, "deny", LIST(value_read_network, value_show_network),
        ROUTE_ITEMS(policy.deny, policy.deny_count), .noun = "network", .empty = "none",
        .help = "client networks; wins over allow"),
    KEY(KEY_ROUTE, "on_refuse", CHOICE(refuse_words), .fallback = "close",
        ROUTE_FIELD(is_http_refusal),
        .help = "how the page learns of a refusal: 101 and a Close code, or an HTTP status"),
    KEY(KEY_ROUTE, "local_network", CHOICE(on_words), .fallback = "off",
        ROUTE_FIELD(is_local_network),
        .help = "a plain request of an allowed page gets the CORS answer by which Chrome may ask"),
    KEY(KEY_ROUTE, "backend_code", CHOICE(code_words), .fallback = "1011",
        ROUTE_FIELD(backend_code), .help = "Close code when the backend fails"),
    KEY(KEY_ROUTE, "accept", CHOICE(accept_words), .fallback = "any", ROUTE_FIELD(accept),
        .help = "what kind of messages the browser may send"),
    KEY(KEY_ROUTE, "max_message", SIZE(1, 1024 * GIB), .zero_word = "no limit", .fallback = "0",
        ROUTE_FIELD(max_message_bytes), .help = "longest message the browser may send"),
    KEY(KEY_ROUTE, "max_frame_out", SIZE(SHAPE_FRAME_MIN_BYTES, 1 * GIB), .zero_word = "no limit",
        .fallback = "0", ROUTE_FIELD(max_frame_bytes),
        .help = "longest payload of a frame that the page gets"),
    KEY(KEY_ROUTE, "payload", CHOICE(payload_words), .fallback = "binary", ROUTE_FIELD(payload),
        .need = &need_service, .help = "what kind of messages the page gets"),
    KEY(KEY_ROUTE, "bad_utf8", CHOICE(bad_utf8_words), .fallback = "close",
        ROUTE_FIELD(is_text_repaired), .need = &need_text,
        .help = "what becomes of a backend's bytes that are not UTF-8, where a page gets text"),
    KEY(KEY_ROUTE, "framing", CHOICE(framing_words), .fallback = "stream",
        ROUTE_FIELD(framing.kind), .need = &need_service,
        .help = "what a message is to the backend"),
    KEY(KEY_ROUTE, "framing_max", SIZE(1, 16 * MIB), .fallback = "64k",
        ROUTE_FIELD(framing.max_bytes), .need = &need_framing,
        .help = "longest line or record, either way"),
    KEY(KEY_ROUTE, "line_end", CHOICE(line_end_words), .fallback = "lf",
        ROUTE_FIELD(framing.line_end), .need = &need_line, .help = "what ends a line"),
    KEY(KEY_ROUTE, "line_multi", CHOICE(yes_words), .fallback = "no",
        ROUTE_FIELD(framing.is_line_multi), .need = &need_line,
        .help = "whether a message may hold several lines"),
    KEY(KEY_ROUTE, "length_order", CHOICE(order_words), .fallback = "big",
        ROUTE_FIELD(framing.length_order), .need = &need_length,
        .help = "which byte of a length comes first"),
    KEY(KEY_ROUTE, "compression", CHOICE(on_words), .fallback = "off", ROUTE_FIELD(is_deflate),
        .help = "permessage-deflate, where the client offers it"),
    KEY(KEY_ROUTE, "compression_window", COUNT(9, 15), .fallback = "12",
        ROUTE_FIELD(deflate.window_bits), .need = &need_compression,
        .help = "bits of the largest window: 12 is 4 KiB, 15 is 32 KiB"),
    KEY(KEY_ROUTE, "compression_takeover", CHOICE(yes_words), .fallback = "yes",
        ROUTE_FIELD(deflate.is_takeover), .need = &need_compression,
        .help = "whether a message may refer to the messages before it"),
    KEY(KEY_ROUTE, "compression_ratio", COUNT(2, 1000), .zero_word = "no limit", .fallback = "100",
        ROUTE_FIELD(deflate.max_ratio), .need = &need_compression,
        .help = "bytes that a compressed byte may become, beyond the first MiB of a session"),
    KEY(KEY_ROUTE, "compression_idle", DURATION(10, DAY_MS), .fallback = "10s",
        ROUTE_FIELD(deflate_idle_ms), .need = &need_compression,
        .help = "quiet time after which a session gives its memory for it back"),
    KEY(KEY_ROUTE, "half_close", CHOICE(half_close_words), .fallback = "close",
        ROUTE_FIELD(is_half_open), .need = &need_service,
        .help = "whether the page may go on sending after the backend's FIN"),
    KEY(KEY_ROUTE, "buffer_high", SIZE(4 * KIB, 16 * MIB), .fallback = "64k",
        ROUTE_FIELD(buffer_high_bytes),
        .help = "bytes waiting for one side at which sluice stops reading from the other; with "
                "latency = low 16k unless written"),
    KEY(KEY_ROUTE, "buffer_low", SIZE(1 * KIB, 16 * MIB), .fallback = "16k",
        ROUTE_FIELD(buffer_low_bytes),
        .help = "bytes waiting at which it reads again; with latency = low 4k unless written"),
    KEY(KEY_ROUTE, "latency", CHOICE(latency_words), .fallback = "auto", ROUTE_FIELD(latency),
        .help = "how much the kernel may hold of a session's bytes besides"),
    KEY(KEY_ROUTE, "connect_timeout", DURATION(10, HOUR_MS), .fallback = "5s",
        ROUTE_FIELD(timeouts.connect_ms),
        .help = "for connecting, over all of the backend's addresses"),
    KEY(KEY_ROUTE, "idle_timeout", DURATION(10, 30 * DAY_MS), .zero_word = "off", .fallback = "10m",
        ROUTE_FIELD(timeouts.idle_ms),
        .help = "time without a payload byte either way that ends a session"),
    KEY(KEY_ROUTE, "ping_interval", DURATION(10, DAY_MS), .zero_word = "off", .fallback = "30s",
        ROUTE_FIELD(timeouts.ping_interval_ms),
        .help = "silence of the client after which sluice sends a Ping"),
    KEY(KEY_ROUTE, "pong_timeout", DURATION(10, HOUR_MS), .fallback = "10s",
        ROUTE_FIELD(timeouts.pong_ms), .help = "for the client's answer to a Ping"),
    KEY(KEY_ROUTE, "write_timeout", DURATION(10, HOUR_MS), .fallback = "30s",
        ROUTE_FIELD(timeouts.write_ms),
        .help = "for a side that takes nothing of what waits for it"),
    KEY(KEY_ROUTE, "close_timeout", DURATION(10, HOUR_MS), .fallback = "5s",
        ROUTE_FIELD(timeouts.close_ms), .help = "for the client's answer to our Close"),
    KEY(KEY_ROUTE, "end_timeout", DURATION(10, DAY_MS), .zero_word = "off", .fallback = "5m",
        ROUTE_FIELD(timeouts.end_ms),
        .help = "for all that a client must still take when its session has ended"),
    KEY(KEY_ROUTE, "max_age", DURATION(10, 365 * DAY_MS), .zero_word = "off", .fallback = "0",
        ROUTE_FIELD(timeouts.max_age_ms), .help = "longest life of a session"),
    KEY(KEY_ROUTE, "auth", LIST(value_read_text, value_show_text),
        ROUTE_ITEMS(auth_names, auth_name_count), .noun = "[auth]", .empty = "nobody is asked",
        .values = "list of `[auth NAME]`", .help = "[auth NAME] sections; all of them must hold"),
    KEY(KEY_ROUTE, "auth_from", LIST(value_read_token_source, value_show_token_source),
        ROUTE_ITEMS(auth_from, auth_from_count), .need = &need_auth, .noun = "place",
        .empty = "nowhere", .help = "where a token is looked for, in this order"),
    KEY(KEY_ROUTE, "auth_timeout", DURATION(10, HOUR_MS), .fallback = "5s",
        ROUTE_FIELD(timeouts.token_ms), .need = &need_first_message,
        .help = "for the first message"),
    KEY(KEY_ROUTE, "max_sessions", COUNT(1, 1000000), .zero_word = "no limit", .fallback = "0",
        ROUTE_FIELD(max_sessions), .help = "sessions at once, over all workers"),
    KEY(KEY_ROUTE, "max_sessions_per_source", COUNT(1, 1000000), .zero_word = "no limit",
        .fallback = "0", ROUTE_FIELD(max_sessions_per_source),
        .help = "sessions at once from one source, over all workers"),
    KEY(KEY_ROUTE, "new_sessions_per_source", TEXT(value_read_rate, value_show_rate),
        ROUTE_FIELD(new_sessions_per_source), .empty = "no limit",
        .values = "`N/s`, `N/m`, `N/h`, `N/d`; 0 (no limit)",
        .help = "sessions that one source may begin in a time: 20/m"),
    KEY(KEY_ROUTE, "max_sessions_per_identity", COUNT(1, 1000000), .zero_word = "no limit",
        .fallback = "0", ROUTE_FIELD(max_sessions_per_identity), .need = &need_auth,
        .help = "sessions at once of whoever has proven who he is, over all workers"),
    KEY(KEY_ROUTE, "rate_up", SIZE(1, 1024 * GIB), .zero_word = "no limit", .fallback = "0",
        ROUTE_FIELD(rate_up_bytes), .help = "bytes a second that a session's page may send"),
    KEY(KEY_ROUTE, "rate_down", SIZE(1, 1024 * GIB), .zero_word = "no limit", .fallback = "0",
        ROUTE_FIELD(rate_down_bytes), .help = "bytes a second that a session's backend may send"),
    KEY(KEY_ROUTE, "messages", TEXT(value_read_rate, value_show_rate), ROUTE_FIELD(messages),
        .empty = "no limit", .values = "`N/s`, `N/m`, `N/h`, `N/d`; 0 (no limit)",
        .help = "messages that a session's page may send in a time: 200/s"),
    KEY(KEY_ROUTE, "proxy_protocol_out", CHOICE(proxy_out_words), .fallback = "off",
        ROUTE_FIELD(proxy_out), .need = &need_service,
        .help = "the PROXY header that tells the backend the client's address"),
    KEY(KEY_ROUTE, "health_interval", DURATION(50, HOUR_MS), .zero_word = "off", .fallback = "0",
        ROUTE_FIELD(checks.interval_ms), .need = &need_service,
        .help = "from one check of a backend to the next"),
    KEY(KEY_ROUTE, "health_timeout", DURATION(10, HOUR_MS), .fallback = "2s",
        ROUTE_FIELD(checks.timeout_ms), .need = &need_checks,
        .help = "for a check: connecting, TLS and the answer"),
    KEY(KEY_ROUTE, "health_fall", COUNT(1, 100), .fallback = "3", ROUTE_FIELD(checks.fall),
        .need = &need_checks, .help = "bad checks in a row until a backend is down"),
    KEY(KEY_ROUTE, "health_rise", COUNT(1, 100), .fallback = "2", ROUTE_FIELD(checks.rise),
        .need = &need_checks, .help = "good checks in a row until it is up again"),
    KEY(KEY_ROUTE, "health_send", TEXT(value_read_bytes, value_show_bytes),
        ROUTE_FIELD(checks.send), .need = &need_answer, .empty = "nothing",
        .help = "what a check sends: PING\\r\\n"),
    KEY(KEY_ROUTE, "health_expect", TEXT(value_read_bytes, value_show_bytes),
        ROUTE_FIELD(checks.expect), .need = &need_checks, .empty = "a connection is enough",
        .help = "what the answer must begin with: +PONG"),
};

const size_t key_route_row_count = sizeof(key_route_rows) / sizeof(key_route_rows[0]);
