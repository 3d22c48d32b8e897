/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jwt_parts.h: what the sources of jwt.h know of each other. Not for: anybody else. */
#ifndef PROTO_JWT_PARTS_H
#define PROTO_JWT_PARTS_H

#include "proto/jwt.h"

/* Checks the claims of a token whose signature is proven, and fills in *jwt. */
MUST_CHECK enum jwt_refusal jwt_check_claims(const struct json_value *claims,
                                             const struct jwt_rules *rules, uint64_t now_s,
                                             struct jwt *jwt);

#endif
