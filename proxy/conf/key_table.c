/* SPDX-License-Identifier: GPL-3.0-or-later */
/* key_table.c: the rows, in the order in which they are printed. */
#include <assert.h>

#include "conf/key.h"
#include "conf/snapshot.h"

#define SECOND_MS UINT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define KEY(section_, name_, ...) {.section = (section_), .name = (name_), __VA_ARGS__}

/* Where a value lives. */
#define FIELD(type_, member_) \
    .offset = offsetof(struct type_, member_), .width = sizeof(((struct type_ *)0)->member_)
#define ITEMS(type_, items_, count_) \
    .offset = offsetof(struct type_, items_), .width = sizeof(*((struct type_ *)0)->items_), \
    .count_offset = offsetof(struct type_, count_)
#define SERVER_FIELD(member_) FIELD(config, member_)
#define LISTEN_FIELD(member_) FIELD(config_listen, member_)
#define LISTEN_ITEMS(items_, count_) ITEMS(config_listen, items_, count_)
#define AUTH_FIELD(member_) FIELD(config_auth, member_)
#define AUTH_ITEMS(items_, count_) ITEMS(config_auth, items_, count_)
#define ROUTE_FIELD(member_) FIELD(config_route, member_)
#define ROUTE_ITEMS(items_, count_) ITEMS(config_route, items_, count_)

/* How it is read and printed. */
#define DURATION(min_, max_) .type = KEY_TYPE_DURATION, .min = (min_), .max = (max_)
#define SIZE(min_, max_) .type = KEY_TYPE_SIZE, .min = (min_), .max = (max_)
#define COUNT(min_, max_) .type = KEY_TYPE_COUNT, .min = (min_), .max = (max_)
#define CHOICE(choices_) .type = KEY_TYPE_CHOICE, .choices = (choices_)
#define TEXT(read_, show_) .type = KEY_TYPE_TEXT, .read = (read_), .show = (show_)
#define LIST(read_, show_) .type = KEY_TYPE_LIST, .read = (read_), .show = (show_)

static const struct key_choice workers_words[] = {{"auto", 0}, {NULL, 0}};
static const struct key_choice reload_words[] = {{"keep", 0}, {"drain", 1}, {NULL, 0}};
static const struct key_choice level_words[] = {
    {"error", LOG_ERROR}, {"warn", LOG_WARN}, {"info", LOG_INFO}, {"debug", LOG_DEBUG}, {NULL, 0}};
static const struct key_choice format_words[] = {
    {"text", LOG_KEY_VALUE}, {"json", LOG_JSON}, {NULL, 0}};
static const struct key_choice sink_words[] = {
    {"stderr", LOG_STDERR}, {"syslog", LOG_SYSLOG}, {"journald", LOG_JOURNALD}, {NULL, 0}};
static const struct key_choice tls_words[] = {
    {"1.2", CONFIG_TLS_1_2}, {"1.3", CONFIG_TLS_1_3}, {NULL, 0}};
static const struct key_choice auth_words[] = {{"jwt", CONFIG_AUTH_JWT},
                                               {"tokens", CONFIG_AUTH_TOKENS},
                                               {"certificate", CONFIG_AUTH_CERTIFICATE},
                                               {"basic", CONFIG_AUTH_BASIC},
                                               {NULL, 0}};
static const struct key_choice exp_words[] = {{"yes", 0}, {"no", 1}, {NULL, 0}};
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
static const struct key_choice client_words[] = {
    {"required", CONFIG_CLIENT_REQUIRED}, {"optional", CONFIG_CLIENT_OPTIONAL}, {NULL, 0}};
static const struct key_choice yes_words[] = {{"yes", 1}, {"no", 0}, {NULL, 0}};
static const struct key_choice on_words[] = {{"on", 1}, {"off", 0}, {NULL, 0}};
static const struct key_choice side_words[] = {{"server", 0}, {"client", 1}, {NULL, 0}};
static const struct key_choice forwarded_words[] = {{"off", CONFIG_FORWARDED_OFF},
                                                    {"x-forwarded-for", CONFIG_FORWARDED_X},
                                                    {"forwarded", CONFIG_FORWARDED_RFC7239},
                                                    {NULL, 0}};
static const struct key_choice proxy_out_words[] = {
    {"off", CONFIG_PROXY_OFF}, {"v1", CONFIG_PROXY_V1}, {"v2", CONFIG_PROXY_V2}, {NULL, 0}};
static const struct key_choice half_close_words[] = {{"close", 0}, {"keep", 1}, {NULL, 0}};

/* ---- what a key means nothing without ---- */

static bool has_log_daemon(const void *base)
{
    return ((const struct config *)base)->log_sink != LOG_STDERR;
}

static const struct key_need need_log_daemon = {has_log_daemon, "log = syslog or journald"};

static bool has_certificate(const void *base)
{
    return ((const struct config_listen *)base)->certificate_path_count > 0;
}

static bool has_key(const void *base)
{
    return ((const struct config_listen *)base)->key_path_count > 0;
}

static bool has_tls(const void *base)
{
    return ((const struct config_listen *)base)->is_tls;
}

static bool has_trusted(const void *base)
{
    return ((const struct config_listen *)base)->trusted_proxy_count > 0;
}

static bool is_header_trusted(const void *base)
{
    return !((const struct config_listen *)base)->has_proxy_header || has_trusted(base);
}

static bool is_forwarded_trusted(const void *base)
{
    return ((const struct config_listen *)base)->forwarded == CONFIG_FORWARDED_OFF ||
           has_trusted(base);
}

static const struct key_need need_trusted_header = {is_header_trusted, "trusted_proxies"};
static const struct key_need need_trusted_forwarded = {is_forwarded_trusted, "trusted_proxies"};
static bool has_client_ca(const void *base)
{
    return ((const struct config_listen *)base)->client_ca_path_count > 0;
}

static const struct key_need need_client_ca = {has_client_ca, "tls_client_ca"};
static const struct key_need need_certificate = {has_certificate, "tls_certificate"};
static const struct key_need need_key = {has_key, "tls_key"};
static const struct key_need need_tls = {has_tls, "tls_certificate and tls_key"};

static bool is_jwt(const void *base)
{
    return ((const struct config_auth *)base)->type == CONFIG_AUTH_JWT;
}

static bool has_accounts(const void *base)
{
    const struct config_auth *auth = base;
    return auth->type == CONFIG_AUTH_TOKENS || auth->type == CONFIG_AUTH_BASIC;
}

static bool is_basic(const void *base)
{
    return ((const struct config_auth *)base)->type == CONFIG_AUTH_BASIC;
}

static bool is_certificate(const void *base)
{
    return ((const struct config_auth *)base)->type == CONFIG_AUTH_CERTIFICATE;
}

static const struct key_need need_certificate_type = {is_certificate, "type = certificate"};
static const struct key_need need_jwt = {is_jwt, "type = jwt"};
static const struct key_need need_accounts = {has_accounts, "type = tokens or basic"};
static const struct key_need need_basic = {is_basic, "type = basic"};

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

static const struct key_need need_auth = {has_auth, "auth"};
static const struct key_need need_first_message = {has_first_message, "auth_from = first_message"};
static const struct key_need need_service = {has_service, "a backend other than echo:"};
static const struct key_need need_text = {has_text,
                                          "payload = text or the subprotocol text.ircv3.net"};
static const struct key_need need_subprotocols = {has_subprotocols, "subprotocols"};
static const struct key_need need_line = {is_line, "framing = line"};
static const struct key_need need_length = {is_length, "framing = length16 or length32"};
static const struct key_need need_framing = {is_framed, "framing = line, length16 or length32"};
static const struct key_need need_compression = {is_compressed, "compression = on"};

/* ---- the table ---- */

static const struct key keys[] = {
    KEY(KEY_SERVER, "workers", COUNT(1, 256), .choices = workers_words, .fallback = "auto",
        SERVER_FIELD(workers), .help = "worker processes; auto = one per core"),
    KEY(KEY_SERVER, "user", TEXT(value_read_text, value_show_text), SERVER_FIELD(user),
        .empty = "not set (nobody, when started as root)",
        .help = "whom sluice becomes once its ports are bound, when started as root"),
    KEY(KEY_SERVER, "sandbox", CHOICE(on_words), .fallback = "on", SERVER_FIELD(is_sandboxed),
        .help = "whether processes give up what they do not need"),
    KEY(KEY_SERVER, "max_sessions", COUNT(1, 1000000), .fallback = "10000",
        SERVER_FIELD(max_sessions), .help = "sessions at once, of all workers together"),
    KEY(KEY_SERVER, "max_pending", COUNT(1, 1000000), .fallback = "1000", SERVER_FIELD(max_pending),
        .help = "connections without a session at once, of all workers together"),
    KEY(KEY_SERVER, "drain_timeout", DURATION(1, DAY_MS), .zero_word = "at once", .fallback = "30s",
        SERVER_FIELD(drain_ms), .help = "time over which a stopping sluice ends its sessions"),
    KEY(KEY_SERVER, "reload", CHOICE(reload_words), .fallback = "keep",
        SERVER_FIELD(is_reload_drain),
        .help = "what becomes of sessions whose route a reload changes or removes"),
    KEY(KEY_SERVER, "watch", DURATION(100, DAY_MS), .zero_word = "never", .fallback = "10s",
        SERVER_FIELD(watch_ms),
        .help = "how often sluice looks for new content of the files that keys name"),
    KEY(KEY_SERVER, "log_level", CHOICE(level_words), .fallback = "info", SERVER_FIELD(log_level),
        .help = "the least important lines that are still written"),
    KEY(KEY_SERVER, "log_format", CHOICE(format_words), .fallback = "text",
        SERVER_FIELD(log_format), .help = "text is key=value"),
    KEY(KEY_SERVER, "log_limit", COUNT(1, 1000000), .zero_word = "no limit", .fallback = "10",
        SERVER_FIELD(log_limit),
        .help = "lines a second and worker of each kind that clients without a session cause"),
    KEY(KEY_SERVER, "log", CHOICE(sink_words), .fallback = "stderr", SERVER_FIELD(log_sink),
        .help = "where lines go"),
    KEY(KEY_SERVER, "log_socket", TEXT(value_read_log_socket, value_show_text),
        SERVER_FIELD(log_socket), .need = &need_log_daemon,
        .empty = "/dev/log, or /run/systemd/journal/socket",
        .help = "where the daemon of syslog or journald listens"),
    KEY(KEY_SERVER, "tls_timeout", DURATION(10, HOUR_MS), .fallback = "10s",
        SERVER_FIELD(early_timeouts.tls_ms), .help = "from accept to the end of the handshake"),
    KEY(KEY_SERVER, "request_timeout", DURATION(10, HOUR_MS), .fallback = "10s",
        SERVER_FIELD(early_timeouts.request_ms),
        .help = "from there to the end of the request head"),
    KEY(KEY_SERVER, "max_head", SIZE(1 * KIB, HTTP_HEAD_BYTES_MAX), .fallback = "32k",
        SERVER_FIELD(head_limits.head_bytes),
        .help = "longest request head, cookies and the URL included"),
    KEY(KEY_SERVER, "max_headers", COUNT(16, 10000), .fallback = "128",
        SERVER_FIELD(head_limits.header_count), .help = "header lines of a request"),
    KEY(KEY_SERVER, "pre_drain", DURATION(1, DAY_MS), .zero_word = "off", .fallback = "0",
        SERVER_FIELD(pre_drain_ms),
        .help = "time between saying that sluice is not ready and the drain of a stopping sluice"),
    KEY(KEY_SERVER, "max_memory", SIZE(8 * MIB, 1024 * GIB), .zero_word = "no limit",
        .fallback = "0", SERVER_FIELD(max_memory_bytes),
        .help = "bytes that each worker may have allocated: sessions, queues, the configuration"),
    KEY(KEY_SERVER, "upgrade_timeout", DURATION(100, HOUR_MS), .fallback = "30s",
        SERVER_FIELD(upgrade_ms),
        .help = "how long another version may check the configuration, and then take to be ready"),
    KEY(KEY_SERVER, "generation_max_age", DURATION(100, 365 * DAY_MS), .zero_word = "no limit",
        .fallback = "1d", SERVER_FIELD(generation_ms),
        .help = "how long sessions from before an upgrade may last"),
    KEY(KEY_SERVER, "max_connections_per_source", COUNT(1, 1000000), .zero_word = "no limit",
        .fallback = "0", SERVER_FIELD(max_connections_per_source),
        .help = "connections at once from one source, over all workers"),
    KEY(KEY_SERVER, "max_pending_per_source", COUNT(1, 1000000), .zero_word = "no limit",
        .fallback = "0", SERVER_FIELD(max_pending_per_source),
        .help = "those of them that have no session"),
    KEY(KEY_SERVER, "source_prefix_v4", COUNT(1, 32), .fallback = "32",
        SERVER_FIELD(source_prefix.v4_bits), .help = "bits of an IPv4 address that make a source"),
    KEY(KEY_SERVER, "source_prefix_v6", COUNT(1, 128), .fallback = "64",
        SERVER_FIELD(source_prefix.v6_bits), .help = "bits of an IPv6 address that make a source"),
    KEY(KEY_SERVER, "auth_failures", COUNT(1, 60000), .fallback = "10", SERVER_FIELD(auth_failures),
        .help = "credentials that do not hold, from one source, before it must wait"),
    KEY(KEY_SERVER, "auth_pause", DURATION(SECOND_MS, HOUR_MS), .zero_word = "never",
        .fallback = "1m", SERVER_FIELD(auth_pause_ms),
        .help =
            "the longest time that it must wait; the first is a second, each next one twice it"),

    KEY(KEY_LISTEN, "address", TEXT(value_read_address, value_show_address), LISTEN_FIELD(address),
        .is_required = true, .help = "numeric address and port"),
    KEY(KEY_LISTEN, "tls_certificate", LIST(value_read_text, value_show_text),
        LISTEN_ITEMS(certificate_paths, certificate_path_count), .need = &need_key,
        .names_files = true, .empty = "no file",
        .help = "PEM files, leaf first; without them the listener speaks ws://"),
    KEY(KEY_LISTEN, "tls_key", LIST(value_read_text, value_show_text),
        LISTEN_ITEMS(key_paths, key_path_count), .need = &need_certificate, .names_files = true,
        .empty = "no file", .help = "PEM files, in the order of tls_certificate"),
    KEY(KEY_LISTEN, "tls_min_version", CHOICE(tls_words), .fallback = "1.2",
        LISTEN_FIELD(tls_min_version), .need = &need_tls, .help = "the oldest TLS version spoken"),
    KEY(KEY_LISTEN, "health_path", TEXT(value_read_page_path, value_show_text),
        LISTEN_FIELD(health_path), .empty = "off",
        .help = "where a plain GET asks whether sluice takes sessions: 200, or 503"),
    KEY(KEY_LISTEN, "trusted_proxies", LIST(value_read_proxy, value_show_proxy),
        LISTEN_ITEMS(trusted_proxies, trusted_proxy_count), .noun = "network", .empty = "none",
        .help = "networks of the proxies in front that may say who the client is; unix"),
    KEY(KEY_LISTEN, "proxy_protocol", CHOICE(on_words), .fallback = "off",
        LISTEN_FIELD(has_proxy_header), .need = &need_trusted_header,
        .help = "whether each connection begins with a PROXY header of version 1 or 2"),
    KEY(KEY_LISTEN, "forwarded", CHOICE(forwarded_words), .fallback = "off",
        LISTEN_FIELD(forwarded), .need = &need_trusted_forwarded,
        .help = "the header in which trusted_proxies tell the client's address"),
    KEY(KEY_LISTEN, "tls_client_ca", LIST(value_read_text, value_show_text),
        LISTEN_ITEMS(client_ca_paths, client_ca_path_count), .need = &need_tls, .names_files = true,
        .empty = "clients are asked for no certificate",
        .help = "PEM files of the CAs that sign clients' certificates"),
    KEY(KEY_LISTEN, "tls_client", CHOICE(client_words), .fallback = "required",
        LISTEN_FIELD(client), .need = &need_client_ca,
        .help = "whether a client without a certificate is refused; a bad one always is"),
    KEY(KEY_LISTEN, "tls_client_crl", LIST(value_read_text, value_show_text),
        LISTEN_ITEMS(client_crl_paths, client_crl_path_count), .need = &need_client_ca,
        .names_files = true, .empty = "nobody asks",
        .help = "PEM or DER files of revoked clients' certificates"),

    KEY(KEY_HEALTH, "address", TEXT(value_read_address, value_show_address), LISTEN_FIELD(address),
        .is_required = true, .help = "numeric address and port of /livez, /readyz and /metrics"),
    KEY(KEY_HEALTH, "hosts", LIST(value_read_host, value_show_text),
        LISTEN_ITEMS(hosts, host_count), .noun = "host", .empty = "addresses and localhost only",
        .help = "names by which it may be asked, besides numeric addresses and localhost"),

    KEY(KEY_ADMIN, "address", TEXT(value_read_near_address, value_show_address),
        LISTEN_FIELD(address), .is_required = true,
        .help = "unix:/PATH, or an address of this machine alone, for the status page"),
    KEY(KEY_ADMIN, "hosts", LIST(value_read_host, value_show_text), LISTEN_ITEMS(hosts, host_count),
        .noun = "host", .empty = "addresses and localhost only",
        .help = "names by which it may be asked, besides numeric addresses and localhost"),
    KEY(KEY_ADMIN, "token_file", TEXT(value_read_text, value_show_text), LISTEN_FIELD(token_path),
        .names_files = true, .empty = "a Unix socket's rights are enough, others may only read",
        .help = "a file with the token that whoever ends a session must bring"),

    KEY(KEY_AUTH, "type", CHOICE(auth_words), .is_required = true, AUTH_FIELD(type),
        .help = "what a client must bring"),
    KEY(KEY_AUTH, "keys", TEXT(value_read_text, value_show_text), AUTH_FIELD(keys_path),
        .need = &need_jwt, .names_files = true, .empty = "no file",
        .help = "a JWKS or PEM file of the public keys that tokens are signed with"),
    KEY(KEY_AUTH, "secret_file", TEXT(value_read_text, value_show_text), AUTH_FIELD(secret_path),
        .need = &need_jwt, .names_files = true, .empty = "no file",
        .help = "a file with the secret that tokens are signed with (HS256)"),
    KEY(KEY_AUTH, "algorithms", LIST(value_read_algorithm, value_show_algorithm),
        AUTH_ITEMS(algorithms, algorithm_count), .need = &need_jwt, .noun = "algorithm",
        .empty = "required for type = jwt", .help = "that tokens may be signed with"),
    KEY(KEY_AUTH, "issuer", TEXT(value_read_text, value_show_text), AUTH_FIELD(rules.issuer),
        .need = &need_jwt, .empty = "any", .help = "what iss must be"),
    KEY(KEY_AUTH, "audience", LIST(value_read_text, value_show_text),
        AUTH_ITEMS(rules.audiences, rules.audience_count), .need = &need_jwt,
        .empty = "tokens without aud only", .help = "of these aud must have one"),
    KEY(KEY_AUTH, "require", LIST(value_read_requirement, value_show_requirement),
        AUTH_ITEMS(rules.required, rules.required_count), .need = &need_jwt, .noun = "claim",
        .empty = "none", .help = "claims that must hold: equal, or a member of a list"),
    KEY(KEY_AUTH, "leeway", DURATION(SECOND_MS, 10 * MINUTE_MS), .zero_word = "none",
        .fallback = "30s", AUTH_FIELD(leeway_ms), .need = &need_jwt,
        .help = "how far the clocks of the issuer and of sluice may differ"),
    KEY(KEY_AUTH, "file", TEXT(value_read_text, value_show_text), AUTH_FIELD(file_path),
        .need = &need_accounts, .names_files = true, .empty = "no file",
        .help = "who may enter: name:sha256-of-the-token[:expiry] or user:hash lines"),
    KEY(KEY_AUTH, "typ", TEXT(value_read_text, value_show_text), AUTH_FIELD(rules.type),
        .need = &need_jwt, .empty = "any", .help = "what the token's typ must be"),
    KEY(KEY_AUTH, "require_exp", CHOICE(exp_words), .fallback = "yes",
        AUTH_FIELD(rules.is_exp_optional), .need = &need_jwt,
        .help = "whether a token without exp is refused"),
    KEY(KEY_AUTH, "names", LIST(value_read_client_name, value_show_text),
        AUTH_ITEMS(client_names, client_name_count), .need = &need_certificate_type, .noun = "name",
        .empty = "every certificate that the listener takes",
        .help = "of these the client's certificate must have one"),
    KEY(KEY_AUTH, "cache", DURATION(SECOND_MS, DAY_MS), .zero_word = "off", .fallback = "1m",
        AUTH_FIELD(cache_ms), .need = &need_basic,
        .help = "how long a password that was right is not hashed again"),

    KEY(KEY_ROUTE, "path", TEXT(value_read_path, value_show_path), ROUTE_FIELD(policy),
        .is_required = true, .is_route_only = true,
        .help = "exact, or a prefix when it ends in /*"),
    KEY(KEY_ROUTE, "host", TEXT(value_read_host, value_show_text), ROUTE_FIELD(policy.host),
        .is_route_only = true, .empty = "any",
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
    KEY(KEY_ROUTE, "backend", LIST(value_read_backend, value_show_backend),
        ROUTE_ITEMS(backends, backend_count), .max = 16, .is_required = true, .is_route_only = true,
        .noun = "backend", .help = "tcp://HOST:PORT, unix:/PATH or echo:"),
    KEY(KEY_ROUTE, "allow", LIST(value_read_network, value_show_network),
        ROUTE_ITEMS(policy.allow, policy.allow_count), .noun = "network", .empty = "all",
        .help = "client networks; without it all"),
    KEY(KEY_ROUTE, "deny", LIST(value_read_network, value_show_network),
        ROUTE_ITEMS(policy.deny, policy.deny_count), .noun = "network", .empty = "none",
        .help = "client networks; wins over allow"),
    KEY(KEY_ROUTE, "on_refuse", CHOICE(refuse_words), .fallback = "close",
        ROUTE_FIELD(is_http_refusal),
        .help = "how the page learns of a refusal: 101 and a Close code, or an HTTP status"),
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
        .help = "[auth NAME] sections; all of them must hold"),
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
        .help = "sessions that one source may begin in a time: 20/m"),
    KEY(KEY_ROUTE, "max_sessions_per_identity", COUNT(1, 1000000), .zero_word = "no limit",
        .fallback = "0", ROUTE_FIELD(max_sessions_per_identity), .need = &need_auth,
        .help = "sessions at once of whoever has proven who he is, over all workers"),
    KEY(KEY_ROUTE, "proxy_protocol_out", CHOICE(proxy_out_words), .fallback = "off",
        ROUTE_FIELD(proxy_out), .need = &need_service,
        .help = "the PROXY header that tells the backend the client's address"),
};

_Static_assert(sizeof(keys) / sizeof(keys[0]) <= KEY_MAX, "the table is beyond its ceiling");

size_t key_count(void)
{
    return sizeof(keys) / sizeof(keys[0]);
}

const struct key *key_at(size_t index)
{
    assert(index < key_count());
    return &keys[index];
}

size_t key_index(const struct key *key)
{
    return (size_t)(key - keys);
}
