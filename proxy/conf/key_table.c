/* SPDX-License-Identifier: GPL-3.0-or-later */
/* key_table.c: the rows, in the order in which they are printed; those of routes are in
 * key_table_route.c, those of files in key_table_files.c. */
#include <assert.h>

#include "conf/key_rows.h"

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
static const struct key_choice client_words[] = {
    {"required", CONFIG_CLIENT_REQUIRED}, {"optional", CONFIG_CLIENT_OPTIONAL}, {NULL, 0}};
static const struct key_choice forwarded_words[] = {{"off", CONFIG_FORWARDED_OFF},
                                                    {"x-forwarded-for", CONFIG_FORWARDED_X},
                                                    {"forwarded", CONFIG_FORWARDED_RFC7239},
                                                    {NULL, 0}};

static const struct key_choice yes_words[] = {{"yes", 1}, {"no", 0}, {NULL, 0}};

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
    return has_certificate(base) || has_key(base);
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

static bool is_single_use(const void *base)
{
    return ((const struct config_auth *)base)->is_single_use;
}

static bool has_reconnect_window(const void *base)
{
    return ((const struct config_auth *)base)->reconnect_window_ms != 0;
}

static const struct key_need need_single_use = {is_single_use, "single_use = yes"};
static const struct key_need need_reconnect_window = {has_reconnect_window, "reconnect_window"};
static const struct key_need need_accounts = {has_accounts, "type = tokens or basic"};
static const struct key_need need_basic = {is_basic, "type = basic"};

/* ---- the table ---- */

static const struct key keys[] = {
    KEY(KEY_SERVER, "workers", COUNT(1, 256), .choices = workers_words, .fallback = "auto",
        SERVER_FIELD(workers), .help = "worker processes; auto = one per core"),
    KEY(KEY_SERVER, "user", TEXT(value_read_text, value_show_text), SERVER_FIELD(user),
        .empty = "not set (nobody, when started as root)", .values = "a user's name",
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
        .values = "a path of at most 107 bytes",
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
        .is_required = true, .values = "`IP:PORT`, `[IPv6]:PORT`",
        .help = "numeric address and port"),
    KEY(KEY_LISTEN, "tls_certificate", LIST(value_read_text, value_show_text),
        LISTEN_ITEMS(certificate_paths, certificate_path_count), .need = &need_key,
        .names_files = true, .empty = "no file", .values = "list of PEM files",
        .help = "PEM files, leaf first; without them the listener speaks ws://"),
    KEY(KEY_LISTEN, "tls_key", LIST(value_read_text, value_show_text),
        LISTEN_ITEMS(key_paths, key_path_count), .need = &need_certificate, .names_files = true,
        .empty = "no file", .values = "list of PEM files",
        .help = "PEM files, in the order of tls_certificate"),
    KEY(KEY_LISTEN, "tls_min_version", CHOICE(tls_words), .fallback = "1.2",
        LISTEN_FIELD(tls_min_version), .need = &need_tls, .help = "the oldest TLS version spoken"),
    KEY(KEY_LISTEN, "health_path", TEXT(value_read_page_path, value_show_text),
        LISTEN_FIELD(health_path), .empty = "off", .values = "a path",
        .help = "where a plain GET asks whether sluice takes sessions: 200, or 503"),
    KEY(KEY_LISTEN, "trusted_proxies", LIST(value_read_proxy, value_show_proxy),
        LISTEN_ITEMS(trusted_proxies, trusted_proxy_count), .noun = "network", .empty = "none",
        .values = "list of networks, `unix`",
        .help = "networks of the proxies in front that may say who the client is; unix"),
    KEY(KEY_LISTEN, "proxy_protocol", CHOICE(on_words), .fallback = "off",
        LISTEN_FIELD(has_proxy_header), .need = &need_trusted_header,
        .help = "whether each connection begins with a PROXY header of version 1 or 2"),
    KEY(KEY_LISTEN, "forwarded", CHOICE(forwarded_words), .fallback = "off",
        LISTEN_FIELD(forwarded), .need = &need_trusted_forwarded,
        .help = "the header in which trusted_proxies tell the client's address"),
    KEY(KEY_LISTEN, "tls_client_ca", LIST(value_read_text, value_show_text),
        LISTEN_ITEMS(client_ca_paths, client_ca_path_count), .need = &need_tls, .names_files = true,
        .empty = "clients are asked for no certificate", .values = "list of PEM files",
        .help = "PEM files of the CAs that sign clients' certificates"),
    KEY(KEY_LISTEN, "tls_client", CHOICE(client_words), .fallback = "required",
        LISTEN_FIELD(client), .need = &need_client_ca,
        .help = "whether a client without a certificate is refused; a bad one always is"),
    KEY(KEY_LISTEN, "tls_client_crl", LIST(value_read_text, value_show_text),
        LISTEN_ITEMS(client_crl_paths, client_crl_path_count), .need = &need_client_ca,
        .names_files = true, .empty = "nobody asks", .values = "list of PEM or DER files",
        .help = "PEM or DER files of revoked clients' certificates"),

    KEY(KEY_HEALTH, "address", TEXT(value_read_address, value_show_address), LISTEN_FIELD(address),
        .is_required = true, .values = "`IP:PORT`, `[IPv6]:PORT`",
        .help = "numeric address and port of /livez, /readyz and /metrics"),
    KEY(KEY_HEALTH, "hosts", LIST(value_read_host, value_show_text),
        LISTEN_ITEMS(hosts, host_count), .noun = "host", .empty = "addresses and localhost only",
        .help = "names by which it may be asked, besides numeric addresses and localhost"),

    KEY(KEY_ADMIN, "address", TEXT(value_read_near_address, value_show_address),
        LISTEN_FIELD(address), .is_required = true,
        .values = "`unix:/PATH`, a loopback address with a port",
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
        .empty = "required for type = jwt",
        .values = "list of `RS256`, `PS256`, `ES256`, `ES384`, `EdDSA`, or `HS256` alone",
        .help = "that tokens may be signed with"),
    KEY(KEY_AUTH, "issuer", TEXT(value_read_text, value_show_text), AUTH_FIELD(rules.issuer),
        .need = &need_jwt, .empty = "any", .help = "what iss must be"),
    KEY(KEY_AUTH, "audience", LIST(value_read_text, value_show_text),
        AUTH_ITEMS(rules.audiences, rules.audience_count), .need = &need_jwt,
        .empty = "tokens without aud only", .help = "of these aud must have one"),
    KEY(KEY_AUTH, "require", LIST(value_read_requirement, value_show_requirement),
        AUTH_ITEMS(rules.required, rules.required_count), .need = &need_jwt, .noun = "claim",
        .empty = "none", .values = "list of `CLAIM:VALUE`",
        .help = "claims that must hold: equal, or a member of a list"),
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
    KEY(KEY_AUTH, "exp_ends_session", CHOICE(exp_words), .fallback = "yes",
        AUTH_FIELD(is_exp_entry_only), .need = &need_jwt,
        .help = "whether a session ends with its token, or the token is for entering only"),
    KEY(KEY_AUTH, "names", LIST(value_read_client_name, value_show_text),
        AUTH_ITEMS(client_names, client_name_count), .need = &need_certificate_type, .noun = "name",
        .empty = "every certificate that the listener takes", .values = "list of `WORD:NAME`",
        .help = "of these the client's certificate must have one"),
    KEY(KEY_AUTH, "cache", DURATION(SECOND_MS, DAY_MS), .zero_word = "off", .fallback = "1m",
        AUTH_FIELD(cache_ms), .need = &need_basic,
        .help = "how long a password that was right is not hashed again"),
    KEY(KEY_AUTH, "revoked", TEXT(value_read_text, value_show_text), AUTH_FIELD(revoked_path),
        .names_files = true, .empty = "nobody is revoked",
        .help = "a file of jti:, sub: and kid: lines: whom sluice lets in no more"),
    KEY(KEY_AUTH, "revoke_on_key_removal", CHOICE(yes_words), .fallback = "no",
        AUTH_FIELD(is_key_removal_final), .need = &need_jwt,
        .help = "whether a key that goes ends the sessions of its tokens"),
    KEY(KEY_AUTH, "single_use", CHOICE(yes_words), .fallback = "no", AUTH_FIELD(is_single_use),
        .need = &need_jwt, .help = "whether a token (its jti) opens one session only"),
    KEY(KEY_AUTH, "ticket_max_age", DURATION(SECOND_MS, HOUR_MS), .fallback = "1h",
        AUTH_FIELD(ticket_age_ms), .need = &need_single_use,
        .help = "how far away the exp of a single-use token may lie"),
    KEY(KEY_AUTH, "reconnect_window", DURATION(SECOND_MS, HOUR_MS), .zero_word = "none",
        .fallback = "0", AUTH_FIELD(reconnect_window_ms), .need = &need_single_use,
        .help = "how long after its session a single-use token opens another one"),
    KEY(KEY_AUTH, "reconnect_max", COUNT(1, 100), .fallback = "10", AUTH_FIELD(reconnect_max),
        .need = &need_reconnect_window,
        .help = "how many sessions a single-use token opens besides the first"),
};

#define KEYS (sizeof(keys) / sizeof(keys[0]))

size_t key_count(void)
{
    return KEYS + key_route_row_count + key_files_row_count;
}

const struct key *key_at(size_t index)
{
    assert(index < key_count());
    if (index < KEYS) {
        return &keys[index];
    }
    index -= KEYS;
    return index < key_route_row_count ? &key_route_rows[index]
                                       : &key_files_rows[index - key_route_row_count];
}

size_t key_index(const struct key *key)
{
    if (key->section == KEY_ROUTE) {
        return KEYS + (size_t)(key - key_route_rows);
    }
    if (key->section == KEY_FILES) {
        return KEYS + key_route_row_count + (size_t)(key - key_files_rows);
    }
    return (size_t)(key - keys);
}
