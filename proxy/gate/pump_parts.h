/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pump_parts.h: what pump.c and pump_shape.c share; for nobody else. */
#ifndef GATE_PUMP_PARTS_H
#define GATE_PUMP_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gate/pump.h"

void pump_send_pieces(struct pump *p, struct conn *to, const struct iovec *pieces, size_t count);
enum life_ending pump_ending_of(enum ws_error error);

/* pump_client_bytes and pump_backend_bytes of a session with a shape. */
void pump_shaped_bytes(struct pump *p, uint8_t *data, size_t len, bool is_discarding,
                       struct pump_report *out);
void pump_shaped_backend_bytes(struct pump *p, uint8_t *data, size_t len, struct pump_report *out);

#endif
