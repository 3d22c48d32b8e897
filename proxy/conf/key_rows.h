/* SPDX-License-Identifier: GPL-3.0-or-later */
/* key_rows.h: how the rows of the table of keys are written; for key_table.c and its part alone. */
#ifndef CONF_KEY_ROWS_H
#define CONF_KEY_ROWS_H

#include <stddef.h>

#include "conf/key.h"
#include "conf/snapshot.h"

#define SECOND_MS UINT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define KEY(section_, name_, ...) {.section = (section_), .name = (name_), __VA_ARGS__}

/* Where a value lives. */
#define FIELD(type_, member_) \
    .offset = offsetof(struct type_, member_), .width = sizeof(((struct type_ *)0)->member_)
#define ITEMS(type_, items_, count_) \
    .offset = offsetof(struct type_, items_), .width = sizeof(*((struct type_ *)0)->items_), \
    .count_offset = offsetof(struct type_, count_)
#define SERVER_FIELD(member_) FIELD(config, member_)
#define LISTEN_FIELD(member_) FIELD(config_listen, member_)
#define LISTEN_ITEMS(items_, count_) ITEMS(config_listen, items_, count_)
#define AUTH_FIELD(member_) FIELD(config_auth, member_)
#define AUTH_ITEMS(items_, count_) ITEMS(config_auth, items_, count_)
#define FILES_FIELD(member_) FIELD(config_files, member_)
#define FILES_ITEMS(items_, count_) ITEMS(config_files, items_, count_)
#define ROUTE_FIELD(member_) FIELD(config_route, member_)
#define ROUTE_ITEMS(items_, count_) ITEMS(config_route, items_, count_)

/* How it is read and printed. */
#define DURATION(min_, max_) .type = KEY_TYPE_DURATION, .min = (min_), .max = (max_)
#define SIZE(min_, max_) .type = KEY_TYPE_SIZE, .min = (min_), .max = (max_)
#define COUNT(min_, max_) .type = KEY_TYPE_COUNT, .min = (min_), .max = (max_)
#define CHOICE(choices_) .type = KEY_TYPE_CHOICE, .choices = (choices_)
#define TEXT(read_, show_) .type = KEY_TYPE_TEXT, .read = (read_), .show = (show_)
#define LIST(read_, show_) .type = KEY_TYPE_LIST, .read = (read_), .show = (show_)

static const struct key_choice on_words[] = {{"on", 1}, {"off", 0}, {NULL, 0}};

/* key_table_route.c: the rows of [route NAME], which stand behind those of key_table.c. */
extern const struct key key_route_rows[];
extern const size_t key_route_row_count;
/* key_table_files.c: the rows of [files NAME], which stand behind all others. */
extern const struct key key_files_rows[];
extern const size_t key_files_row_count;

#endif
