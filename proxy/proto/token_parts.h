/* SPDX-License-Identifier: GPL-3.0-or-later */
/* token_parts.h: what the sources of token.h know of each other. Not for: anybody else. */
#ifndef PROTO_TOKEN_PARTS_H
#define PROTO_TOKEN_PARTS_H

#include "proto/token.h"

/* Looks at one place of the request; TOKEN_NONE: the next one counts. */
enum token_result token_look(const struct token_question *q, const struct token_source *source,
                             struct token *out);

/* Each wipes what the token holds, and returns the result. */
enum token_result token_fail(struct token *token, enum token_result result, const char *detail);
enum token_result token_bad(struct token *token, enum token_place place);
enum token_result token_twice(struct token *token, enum token_place place);

/* Makes room for `size` bytes in all; what is there moves, and no copy of it stays behind. */
MUST_CHECK bool token_reserve(struct token *token, size_t size);
/* `text`, within the token's bytes, is the token, if it is visible ASCII. */
enum token_result token_finish(struct token *token, enum token_place place, struct span text);

#endif
