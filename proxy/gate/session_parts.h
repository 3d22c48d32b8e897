/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session_parts.h: what session.c and session_request.c share; for nobody else. */
#ifndef GATE_SESSION_PARTS_H
#define GATE_SESSION_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include "gate/session.h"

/* Feed the life and carry out what it says. `detail` is a constant or NULL; the first one stays. */
void session_step_type(struct session *s, enum life_event_type type);
void session_step_end(struct session *s, enum life_ending ending, const char *detail);

/* Bytes while the phase is REQUEST. */
void session_request_bytes(struct session *s, const uint8_t *data, size_t len);

void session_send_101(struct session *s);
void session_send_http(struct session *s);
void session_send_close(struct session *s);

#endif
