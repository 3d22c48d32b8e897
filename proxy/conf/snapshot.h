/* SPDX-License-Identifier: GPL-3.0-or-later */
/* snapshot.h: what a configuration means, as the program uses it.
 *
 * For: the structs that the table of keys (key.h) fills and that sessions point into. Not for:
 * making one (config.h). A snapshot never changes once it is made and owns everything in it. A
 * reload makes another one, so whoever points into a snapshot holds it (config_share). */
#ifndef CONF_SNAPSHOT_H
#define CONF_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/log.h"
#include "base/span.h"
#include "conf/arena.h"
#include "proto/accounts.h"
#include "proto/http.h"
#include "proto/jwt.h"
#include "proto/life.h"
#include "proto/limit.h"
#include "proto/policy.h"
#include "proto/revoked.h"
#include "proto/shape.h"
#include "proto/target.h"
#include "proto/targets.h"
#include "proto/token.h"
#include "proto/ws.h"

struct config;

enum config_tls_version { CONFIG_TLS_1_2 = 0, CONFIG_TLS_1_3 };

struct config_pair {
    struct span certificate; /* PEM, as read from the file */
    struct span key;
};

/* Whether a listener asks clients for a certificate, when tls_client_ca names CAs. */
enum config_client { CONFIG_CLIENT_REQUIRED = 0, CONFIG_CLIENT_OPTIONAL };

enum config_listen_kind {
    CONFIG_LISTEN_PUBLIC = 0, /* [listen NAME]: clients come here for the routes */
    CONFIG_LISTEN_HEALTH,     /* [health]: probes and scrapers read here, and no route is served */
    CONFIG_LISTEN_ADMIN       /* [admin]: people look here, and end sessions */
};

/* Which header of a request tells for whom a trusted proxy speaks. */
enum config_forwarded { CONFIG_FORWARDED_OFF = 0, CONFIG_FORWARDED_X, CONFIG_FORWARDED_RFC7239 };

/* What stands behind the public ones in `listens` has a kind of its own. */
struct config_listen {
    enum config_listen_kind kind;
    struct span name;
    struct addr address;
    bool is_tls;
    struct span *certificate_paths; /* as written, NUL-terminated; none in --demo */
    size_t certificate_path_count;
    struct span *key_paths; /* each belongs to the certificate at the same place */
    size_t key_path_count;
    struct config_pair *pairs; /* several: chosen by SNI */
    size_t pair_count;
    enum config_tls_version tls_min_version;
    bool has_pages;          /* the demo page is served at "/" (only --demo sets it) */
    struct span health_path; /* public: sluice answers here itself; empty = nowhere */
    struct span *hosts;      /* health, admin: names under which it is asked, besides addresses */
    size_t host_count;
    struct span token_path;       /* admin; empty = none */
    struct span token;            /* what token_path has: whoever writes must bring it */
    struct span *client_ca_paths; /* none: clients are asked for no certificate */
    size_t client_ca_path_count;
    struct span client_ca; /* the certificates of all these files, DER, side by side */
    enum config_client client;
    struct span *client_crl_paths;
    size_t client_crl_path_count;
    struct span *client_crls; /* what these files have, PEM or DER */
    size_t client_crl_count;
    /* public: proxies in front */
    bool has_proxy_header; /* proxy_protocol = on: each connection begins with a PROXY header */
    enum config_forwarded forwarded;
    struct addr_cidr *trusted_proxies; /* of family AF_UNIX: whoever comes over a Unix socket */
    size_t trusted_proxy_count;
    unsigned line;
    const struct config *config; /* the snapshot that it belongs to */
};

/* How a client proves who it is. */
enum config_auth_type {
    CONFIG_AUTH_JWT = 0,
    CONFIG_AUTH_TOKENS,
    CONFIG_AUTH_BASIC,
    CONFIG_AUTH_CERTIFICATE
};

/* What a client must bring for it; a route names at most one [auth] for each. */
enum config_credential { CONFIG_TOKEN = 0, CONFIG_PASSWORD, CONFIG_CERTIFICATE };
#define CONFIG_CREDENTIALS 3

/* An [auth NAME] section. */
struct config_auth {
    struct span name;
    enum config_auth_type type;
    enum config_credential credential; /* follows from the type */
    struct span keys_path;             /* jwt; as written; empty = not set */
    struct span secret_path;
    enum sigkey_alg *algorithms;
    size_t algorithm_count;
    uint64_t leeway_ms;
    struct jwt_rules rules;    /* jwt; `keys` is the next */
    struct jwt_keys keys;      /* owned */
    struct span file_path;     /* tokens, basic; as written */
    struct accounts accounts;  /* owned */
    uint64_t cache_ms;         /* basic: how long a right password need not be hashed again */
    struct span *client_names; /* certificate: patterns of io/peer_cert, as written */
    size_t client_name_count;  /* 0: any good certificate */
    struct span revoked_path;  /* as written; empty = not set */
    struct revoked revoked;    /* owned */
    bool is_key_removal_final; /* sessions end with the key that has signed their token */
    bool is_exp_entry_only;    /* jwt: sessions go on when their token's exp has passed */
    /* jwt: single-use tokens (gate/spent.h) */
    bool is_single_use;
    uint64_t ticket_age_ms; /* an exp that lies further away is refused */
    uint64_t reconnect_window_ms;
    uint64_t reconnect_max;
    unsigned line;
};

enum config_backend_kind { CONFIG_BACKEND_TCP = 0, CONFIG_BACKEND_UNIX, CONFIG_BACKEND_ECHO };

struct config_backend {
    enum config_backend_kind kind;
    bool is_tls;           /* TCP: tls:// */
    struct span text;      /* as written, for the log: "tcp://127.0.0.1:6379" */
    struct span host;      /* TCP: name or literal without brackets (NUL-terminated behind len) */
    uint16_t port;         /* TCP */
    bool is_literal;       /* TCP: `address` is set, no name to resolve */
    struct addr address;   /* literal TCP or Unix */
    uint64_t weight;       /* its share of the sessions, beside those of the others */
    uint64_t max_sessions; /* over all workers; 0 = no limit */
    bool is_backup;        /* only when all others are out */
};

/* How a route chooses among its backends (proto/balance.h). */
enum config_balance {
    CONFIG_BALANCE_FIRST = 0,
    CONFIG_BALANCE_ROUND_ROBIN,
    CONFIG_BALANCE_LEAST_SESSIONS,
    CONFIG_BALANCE_SOURCE
};

/* How a route speaks TLS with its backends. */
struct config_backend_tls {
    struct span *ca_paths; /* as written; none: the system's */
    size_t ca_path_count;
    struct span name; /* server's name, or a numeric address; empty: the backend's host */
    struct span certificate_path;
    struct span key_path;
    struct span *protocols; /* ALPN, best first */
    size_t protocol_count;
    bool is_verified;        /* backend_verify = on */
    bool is_trust_system;    /* `trust` has the CAs of this system, as far as they are fit */
    struct span trust;       /* CAs, and servers that vouch for themselves; DER, side by side */
    struct config_pair pair; /* what backends that ask for a certificate see; both empty: none */
};

/* How much the kernel may hold of a session's bytes (gate/flow.h). */
enum config_latency { CONFIG_LATENCY_AUTO = 0, CONFIG_LATENCY_LOW, CONFIG_LATENCY_BULK };

/* What comes in front of the first byte for a backend; the values are PROXY's versions. */
enum config_proxy_out { CONFIG_PROXY_OFF = 0, CONFIG_PROXY_V1 = 1, CONFIG_PROXY_V2 = 2 };

/* The active health checks of a route's backends (gate/checks.h). */
struct config_checks {
    uint64_t interval_ms; /* 0 = none */
    uint64_t timeout_ms;
    uint64_t fall;      /* bad ones in a row until a backend is down */
    uint64_t rise;      /* good ones until it is up */
    struct span send;   /* may be empty, as the next */
    struct span expect; /* what the backend's answer begins with */
};

struct config_route {
    struct policy_route policy;      /* name, path, host, origins, subprotocols, allow, deny */
    struct config_backend *backends; /* echo stands alone */
    size_t backend_count;            /* 0: the route has targets */
    enum config_balance balance;
    uint64_t eject_after;        /* failures in a row, after which a backend is out; 0 = never */
    uint64_t eject_pause_ms;     /* the first time that it is out */
    uint64_t eject_pause_max_ms; /* the longest */
    uint64_t slow_start_ms;    /* until a backend that is back has its whole weight; 0 = at once */
    struct span *target_paths; /* files and directories, as written */
    size_t target_path_count;
    struct targets *targets; /* NULL: no paths. Routes with the same paths share one. What it owns
                              * ends by config_drop_targets */
    struct targets_source target_from;
    struct target_rules target_rules;
    struct config_backend_tls backend_tls;
    bool needs_backend_tls; /* a backend or a target may be tls://: backend_tls is complete */
    bool is_http_refusal;   /* on_refuse = http */
    bool is_local_network;  /* local_network = on: pages may ask before they open a WebSocket */
    uint16_t backend_code;  /* 1011 or 1014 */
    enum ws_accept accept;
    uint64_t max_message_bytes; /* 0 = no limit */
    enum shape_payload payload; /* when the subprotocol does not decide */
    bool is_text_repaired;      /* shape.h */
    struct framing framing;
    uint64_t max_frame_bytes; /* to the client; 0 = no limit */
    bool is_deflate;          /* compression = on */
    struct deflate_settings deflate;
    uint64_t deflate_idle_ms; /* after which its memory is given back */
    bool is_half_open;        /* half_close = keep */
    size_t buffer_high_bytes;
    size_t buffer_low_bytes;
    enum config_latency latency;
    struct span *auth_names; /* as written */
    size_t auth_name_count;
    const struct config_auth **auths; /* all must hold; in the order of the names */
    size_t auth_count;                /* 0 = the route asks nobody who it is */
    struct token_source *auth_from;   /* in the order in which they are asked */
    size_t auth_from_count;
    struct life_timeouts timeouts; /* tls_ms and request_ms are the server's, copied here */
    /* Over all workers; 0 = no limit. */
    uint64_t max_sessions;
    uint64_t max_sessions_per_source;
    struct limit_rate new_sessions_per_source;
    uint64_t max_sessions_per_identity;
    /* Of each session; 0 = no limit. */
    uint64_t rate_up_bytes;
    uint64_t rate_down_bytes;
    struct limit_rate messages;
    enum config_proxy_out proxy_out;
    struct config_checks checks;
    unsigned line;
};

/* A [files NAME] section. */
struct config_files {
    struct policy_route place; /* its name and path are all that counts; a prefix */
    struct span root_path;     /* as written, NUL-terminated; empty = only the kit */
    struct span root_identity; /* which directory that was (file_identify) */
    struct span index;         /* the name of a file */
    uint64_t cache_ms;         /* 0: browsers ask each time whether a file has changed */
    uint64_t kept_ms;          /* 0: a connection asks once */
    bool has_kit;              /* page_kit = on */
    struct span *headers;      /* "Name: value" */
    size_t header_count;
    unsigned line;
};

struct config {
    /* [server] */
    unsigned workers; /* resolved: auto = cores */
    struct span user; /* empty: the file names none */
    bool has_ids;
    uid_t uid; /* of `user`, or of "nobody" when started as root without one */
    gid_t gid;
    bool is_sandboxed; /* see gate/jail.h */
    uint64_t max_sessions;
    uint64_t max_pending;      /* connections without a session */
    uint64_t max_memory_bytes; /* of each worker; 0 = no limit */
    uint64_t log_limit;        /* lines a second of each kind that strangers cause; 0 = no limit */
    uint64_t drain_ms;
    uint64_t pre_drain_ms;  /* not ready, but still accepting, before the drain; 0 = none */
    bool is_reload_drain;   /* reload = drain: sessions whose route changed or went end */
    uint64_t watch_ms;      /* between two looks at the files that keys name; 0 = none */
    uint64_t upgrade_ms;    /* for each of the two parts of an upgrade */
    uint64_t generation_ms; /* after an upgrade the older sessions end; 0 = they may last */
    enum log_level log_level;
    enum log_format log_format;
    enum log_sink log_sink;
    struct span log_socket; /* empty: where that daemon usually listens */
    struct http_limits head_limits;
    struct life_timeouts early_timeouts; /* what a session uses before its route is known */
    bool is_http_refusal;                /* the same for on_refuse: requests that match no route */
    struct limit_prefix source_prefix;   /* what counts as one source */
    uint64_t max_connections_per_source; /* over all workers; 0 = no limit, as for the next one */
    uint64_t max_pending_per_source;     /* those without a session */
    uint64_t auth_failures;              /* of a source, before it must wait */
    uint64_t auth_pause_ms;              /* the longest wait; 0 = none */

    struct config_listen *listens;
    size_t listen_count;
    struct config_auth *auths;
    size_t auth_count;
    struct config_route *routes;
    struct policy_route *policies; /* routes[i].policy, side by side, for policy_decide */
    size_t route_count;
    struct config_files *files;
    size_t file_count; /* sections */

    struct config_holders *holders; /* NULL: nobody counts them, and nobody frees the snapshot */
};

/* Who holds a snapshot in this process. It lies in the memory that ends with the last one. */
struct config_holders {
    size_t count;
    struct arena memory; /* what the snapshot points into, and the snapshot itself */
};

/* One more holder; each holder calls config_free, and the last one frees the snapshot. Whoever
 * makes a snapshot holds it. NULL is allowed. */
void config_share(const struct config *config);
void config_free(const struct config *config);

/* A route asks for a password. */
bool config_has_passwords(const struct config *config);

/* Wipes and frees what the [auth] sections own; config_free does it. */
void config_drop_auths(const struct config *config);
/* Wipes and frees the targets of all routes: of a configuration that is no longer in force, because
 * a session that has its target needs them no more. config_free does it too. */
void config_drop_targets(const struct config *config);

/* An echo: route. */
bool config_is_echo(const struct config_route *route);
/* The route takes its backend from targets. */
bool config_has_targets(const struct config_route *route);

#endif
