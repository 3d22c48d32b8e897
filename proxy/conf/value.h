/* SPDX-License-Identifier: GPL-3.0-or-later */
/* value.h: one written value to a field of the snapshot, and back.
 *
 * For: values that are texts: paths, hosts, backends, origins, networks. The rows of the table of
 * keys name these functions. Not for: numbers (key.h reads them by their row); what values mean
 * together.
 *
 * A read function fills the zeroed field that it is handed; `text` ends in NUL and lives as long as
 * `texts`, so that fields may point into it, and what else a field needs is put into `texts`. It
 * returns false with *out_detail set to a constant that says what would be right; the field is then
 * of no use. A show function returns what would be written in a file, which may point into
 * `scratch`; empty = nothing is set. Each is for one type of field, named behind it. */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include <stdbool.h>

#include "base/span.h"
#include "conf/arena.h"

#define VALUE_BYTES_MAX 4096 /* what a value is at most; `scratch` has a byte more */

typedef bool(value_read_fn)(struct span text, struct arena *texts, void *field,
                            const char **out_detail);
typedef struct span(value_show_fn)(const void *field, char scratch[VALUE_BYTES_MAX + 1]);

value_read_fn value_read_text; /* struct span */
value_show_fn value_show_text;

/* "127.0.0.1:8080", "[::]:8443" */
value_read_fn value_read_address; /* struct addr */
value_show_fn value_show_address;

/* "unix:/run/sluice/admin.sock", or a loopback address and port */
value_read_fn value_read_near_address; /* struct addr */

/* "/vnc", or "/app/" and a star for all below it: sets path and is_prefix */
value_read_fn value_read_path; /* struct policy_route */
value_show_fn value_show_path;

/* "/healthz": a path without a star */
value_read_fn value_read_page_path; /* struct span */

/* "/dev/log": the path of a Unix socket */
value_read_fn value_read_log_socket; /* struct span */

/* A canonical host (host.h) with or without brackets, or "*." and a name. */
value_read_fn value_read_host; /* struct span; IPv6 without brackets */

value_read_fn value_read_origin; /* struct policy_origin */
value_show_fn value_show_origin;

value_read_fn value_read_subprotocol; /* struct span */

/* "10.0.0.0/8", "::1" */
value_read_fn value_read_network; /* struct addr_cidr */
value_show_fn value_show_network;

/* The same, or "unix", which becomes a block of family AF_UNIX */
value_read_fn value_read_proxy; /* struct addr_cidr */
value_show_fn value_show_proxy;

/* "20/m": so many in a second, minute, hour or day; "0" is no limit. */
value_read_fn value_read_rate; /* struct limit_rate */
value_show_fn value_show_rate;

/* "tcp://HOST:PORT", "tls://HOST:PORT", "unix:/PATH", "echo:" */
value_read_fn value_read_backend; /* struct config_backend: its address */
/* The same, and how it shares the sessions: "tcp://10.0.0.5:5900 weight=3 max_sessions=20 backup"
 */
value_read_fn value_read_member;
value_show_fn value_show_member;

/* value_files.c */
value_read_fn value_read_file_name; /* struct span: the name of a file without a directory */
value_read_fn value_read_header;    /* struct span: "Name: value", a line without its end */

/* value_bytes.c: 1 to 256 bytes; \r, \n, \t, \\ and \xNN stand for what cannot be written. */
value_read_fn value_read_bytes; /* struct span, which may hold any byte */
value_show_fn value_show_bytes;

/* value_target.c: "query:token", "path" */
value_read_fn value_read_target_source; /* struct targets_source */
value_show_fn value_show_target_source;

/* "10.0.0.0/8", "unix:/run/desks/" */
value_read_fn value_read_target_rule; /* struct target_rule */
value_show_fn value_show_target_rule;

/* "db.internal", "10.0.0.5": whom a certificate must be good for */
value_read_fn value_read_server_name; /* struct span; IPv6 without brackets */

/* "h2": a protocol of ALPN */
value_read_fn value_read_protocol; /* struct span */

/* value_auth.c */
value_read_fn value_read_algorithm; /* enum sigkey_alg */
value_show_fn value_show_algorithm;

/* "role:operator" or "role=operator" */
value_read_fn value_read_requirement; /* struct jwt_requirement */
value_show_fn value_show_requirement;

/* "cookie:session", "bearer" */
value_read_fn value_read_token_source; /* struct token_source */
value_show_fn value_show_token_source;

/* A pattern on a name of a client's certificate (io/peer_cert). */
bool value_read_client_name(struct span text, struct arena *texts, void *field,
                            const char **out_detail);

#endif
