/* SPDX-License-Identifier: GPL-3.0-or-later */
/* shape_parts.h: what shape.c, shape_up.c and shape_down.c share; for nobody else. */
#ifndef PROTO_SHAPE_PARTS_H
#define PROTO_SHAPE_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include "proto/shape.h"

/* Notes the detail and returns the result. */
enum shape_result shape_fail(struct shape *s, enum shape_result result, const char *detail);
/* Appends bytes; `out` must have room for them. */
void shape_put(struct shape_out *out, const void *data, size_t len);
/* Takes the first `len` bytes off *from, or all of it where it is shorter. */
struct span shape_take(struct span *from, size_t len);

/* The most payload bytes that one frame can carry, compressed or not, within max_frame_bytes. */
size_t shape_frame_max(const struct shape *s);
/* Appends a piece of a message to the client, in frames that are short enough. The first piece of a
 * message decides whether the message is compressed. */
MUST_CHECK enum shape_result shape_put_piece(struct shape *s, enum ws_opcode opcode,
                                             struct span piece, bool is_end, bool is_deflated,
                                             struct shape_out *out);

#endif
