/* SPDX-License-Identifier: GPL-3.0-or-later */
/* upgrade_parts.h: what the checks of a head share; for upgrade's own sources and nobody else. */
#ifndef PROTO_UPGRADE_PARTS_H
#define PROTO_UPGRADE_PARTS_H

#include "proto/upgrade.h"

#define UPGRADE_KEY_LEN 24 /* base64 of 16 bytes */

/* What the checks read from the head. */
struct upgrade_opening {
    struct request request;
    struct span key;
};

typedef enum upgrade_result upgrade_check_fn(const struct http_parser *p,
                                             struct upgrade_opening *out, const char **detail);

/* Carries the checks out, up to the first one that fails. NULL ends the list. */
enum upgrade_result upgrade_run(upgrade_check_fn *const *checks, const struct http_parser *p,
                                struct upgrade_opening *out, const char **detail);

static inline enum upgrade_result upgrade_refuse(enum upgrade_result result, const char **detail,
                                                 const char *text)
{
    *detail = text;
    return result;
}

/* Counts the headers of that name. *out_value is the value of the first one, if there is one. */
size_t upgrade_count(const struct http_parser *p, struct span name, struct span *out_value);

/* Walks over the comma-separated lists of all headers of one name. */
struct upgrade_list {
    const struct http_parser *head;
    struct span name;
    size_t next;
    struct span rest; /* of the line before `next` */
};

struct upgrade_list upgrade_list(const struct http_parser *p, struct span name);
/* The next item that is not empty; false when there is none. */
MUST_CHECK bool upgrade_list_next(struct upgrade_list *list, struct span *out);

#endif
