/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config.h: an INI file to one immutable snapshot, or a list of FILE:LINE: message.
 *
 * For: reading, checking and printing the configuration; the only user of inih. Not for: applying
 * it: nothing is bound, no name resolved, no worker started here; but everything that can be proven
 * by reading is (files readable, certificates' files loaded, users known, routes complete). All
 * errors are reported at once. A snapshot never changes after config_load and owns everything in
 * it; sessions point into it.
 *
 * What inih lets through silently (over-long lines, cut section names, NUL, merged sections,
 * continuation lines) is refused by a pre-scan with its line before inih sees the file.
 *
 * One table (config_keys.c) describes every key: section, name, type, range, default, help. It
 * drives parsing, config_print and the check that config/README.md and config/sluice.ini name each
 * key. */
#ifndef CONF_CONFIG_H
#define CONF_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/log.h"
#include "base/span.h"
#include "proto/life.h"
#include "proto/policy.h"
#include "proto/shape.h"
#include "proto/ws.h"

enum config_tls_version { CONFIG_TLS_1_2 = 0, CONFIG_TLS_1_3 };

struct config_pair {
    struct span certificate; /* PEM, as read from the file */
    struct span key;
    struct span certificate_path; /* for messages */
    struct span key_path;
    unsigned line; /* where tls_certificate stands */
};

struct config_listen {
    struct span name;
    struct addr address;
    bool is_tls;
    struct config_pair *pairs; /* several: chosen by SNI */
    size_t pair_count;
    enum config_tls_version tls_min_version;
    bool has_pages; /* the demo page is served at "/" (only --demo sets it) */
    unsigned line;
};

enum config_backend_kind { CONFIG_BACKEND_TCP = 0, CONFIG_BACKEND_UNIX, CONFIG_BACKEND_ECHO };

struct config_backend {
    enum config_backend_kind kind;
    struct span text;    /* as written, for the log: "tcp://127.0.0.1:6379" */
    struct span host;    /* TCP: name or literal without brackets (NUL-terminated behind len) */
    uint16_t port;       /* TCP */
    bool is_literal;     /* TCP: `address` is set, no name to resolve */
    struct addr address; /* literal TCP or Unix */
};

struct config_route {
    struct policy_route policy;      /* name, path, host, origins, subprotocols, allow, deny */
    struct config_backend *backends; /* tried in turn; echo stands alone */
    size_t backend_count;
    bool is_http_refusal;  /* on_refuse = http */
    uint16_t backend_code; /* 1011 or 1014 */
    enum ws_accept accept;
    uint64_t max_message_bytes; /* 0 = no limit */
    enum shape_payload payload; /* when the subprotocol does not decide */
    struct framing framing;
    uint64_t max_frame_bytes; /* to the client; 0 = no limit */
    bool is_deflate;          /* compression = on */
    struct deflate_settings deflate;
    uint64_t deflate_idle_ms; /* after which its memory is given back */
    bool is_half_open;        /* half_close = keep */
    size_t buffer_high_bytes;
    size_t buffer_low_bytes;
    struct life_timeouts timeouts; /* tls_ms and request_ms are the server's, copied here */
    unsigned line;
};

struct config {
    /* [server] */
    unsigned workers; /* resolved: auto = cores */
    struct span user; /* empty: none was named */
    bool has_ids;
    uid_t uid; /* of `user`, or of "nobody" when started as root without one */
    gid_t gid;
    uint64_t max_sessions;
    uint64_t drain_ms;
    enum log_level log_level;
    enum log_format log_format;
    struct life_timeouts defaults; /* what a session uses before its route is known */
    bool is_http_refusal;          /* the same for on_refuse: requests that match no route */

    struct config_listen *listens;
    size_t listen_count;
    struct config_route *routes;
    struct policy_route *policies; /* routes[i].policy, side by side, for policy_decide */
    size_t route_count;

    void *memory; /* private: what everything above points into */
};

struct config_error {
    unsigned line; /* 0 = the file as a whole */
    char message[256];
};

struct config_errors {
    struct config_error *items;
    size_t count;
};

/* Reads `path`, a regular file. NULL on any error; *out_errors then lists all of them in line order
 * (free with config_errors_free; an empty list means that there was no memory even for an error).
 * Relative paths in the file count from the working directory. Certificates are read and proven
 * here, each pair by an in-memory handshake (io/tls_proof). */
MUST_CHECK struct config *config_load(const char *path, struct config_errors *out_errors);

/* The same from memory; `path` is used in messages. For --demo and tests. */
MUST_CHECK struct config *config_parse(const char *path, struct span text,
                                       struct config_errors *out_errors);
void config_free(struct config *config);
void config_errors_free(struct config_errors *errors);
/* "FILE:LINE: message" lines; "FILE: message" for line 0. */
void config_errors_print(const char *path, const struct config_errors *errors, FILE *out);

/* The effective configuration, every key with its value in force, as INI that parses to the same
 * snapshot. No secrets: paths only. */
void config_print(const struct config *config, FILE *out);

/* The built-in [server], echo routes and listener of --demo; address_text may be empty for the
 * default 127.0.0.1:8443 (and [::1]:8443 when IPv6 is there). The certificate is passed in. */
MUST_CHECK struct config *config_demo(struct span address_text, struct span certificate,
                                      struct span key, struct config_errors *out_errors);

#endif
