/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session_parts.h: what session.c, session_request.c and session_timer.c share; for nobody else. */
#ifndef GATE_SESSION_PARTS_H
#define GATE_SESSION_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include "gate/session.h"

/* Feed the life and carry out what it says. `detail` is a constant or NULL; the first one stays. */
void session_step_type(struct session *s, enum life_event_type type);
void session_step_end(struct session *s, enum life_ending ending, const char *detail);

/* Called last in every event: follow-up events, deadlines, interest. */
void session_settle(struct session *s);

/* session_timer.c */
void session_note_progress(struct session *s);
void session_set_timer(struct session *s);
void session_on_timer(struct reactor_timer *timer);

/* Bytes while the phase is REQUEST. */
void session_request_bytes(struct session *s, const uint8_t *data, size_t len);

void session_accept(struct session *s); /* the 101 of a session */
void session_refuse(struct session *s); /* the 101 that a Close follows */
void session_send_http(struct session *s);
void session_send_close(struct session *s);

#endif
