/* SPDX-License-Identifier: GPL-3.0-or-later */
/* backend_tls.h: the TLS of the routes' backends, as one worker has it.
 *
 * For: whoever dials a tls:// backend: the context of a route, which proves the backend and keeps
 * sessions for resumption, and the name that a host must prove; a backend as a candidate. Routes
 * that ask for the same share one context. Not for: choosing a backend, dialling, listeners' TLS.
 *
 * One for each snapshot: a reload makes new contexts, so no session resumes under other rules. The
 * worker and each session that has yet to dial own it; the snapshot outlives it. */
#ifndef GATE_BACKEND_TLS_H
#define GATE_BACKEND_TLS_H

#include "base/span.h"
#include "conf/snapshot.h"
#include "gate/dial.h"
#include "io/tls.h"

struct backend_tls;

/* NULL: *out_detail is then a constant text that says what is wrong. */
MUST_CHECK struct backend_tls *backend_tls_new(const struct config *config,
                                               const char **out_detail);
/* One more owner; each calls backend_tls_free. NULL is allowed for both. */
struct backend_tls *backend_tls_share(struct backend_tls *backend_tls);
void backend_tls_free(struct backend_tls *backend_tls);

/* The context for tls:// backends of a route of the snapshot: NULL only where needs_backend_tls is
 * not set. It lives as long as its owner here. */
struct tls_context *backend_tls_context(const struct backend_tls *backend_tls,
                                        const struct config_route *route);
/* Whom the certificate of such a backend must be good for: backend_name, else its host (a name, or
 * a numeric address without brackets). */
struct span backend_tls_name(const struct config_route *route, struct span host);

/* Makes a candidate speak TLS: context, name, and the place under which sessions are kept, a text
 * that no other server has ("tls://10.0.0.5:5901"). `host` and `place` must live as long as the
 * candidate. Asserts that the route has a context: no candidate ever falls back to plain bytes. */
void backend_tls_ask_for(const struct backend_tls *backend_tls, const struct config_route *route,
                         struct span host, struct span place, struct dial_candidate *candidate);
/* A backend of the route as the dial wants it: its address or its name, and TLS where it is tls://.
 * It points into the snapshot. */
struct dial_candidate backend_tls_candidate(const struct backend_tls *backend_tls,
                                            const struct config_route *route,
                                            const struct config_backend *backend);

#endif
