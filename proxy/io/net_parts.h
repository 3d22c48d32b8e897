/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net_parts.h: what the sources of net.h share; for nobody else. */
#ifndef IO_NET_PARTS_H
#define IO_NET_PARTS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "io/net.h"

static inline bool net_set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

/* What a connection needs and a listening socket hands on to those it accepts. */
void net_tune_tcp(int fd);

/* net.c: the errno of a listening socket for the operator. */
const char *net_listen_detail(int error);

/* net_unix.c: net_bind and net_is_free for a Unix socket. */
MUST_CHECK bool net_bind_file(int fd, const struct addr *a);
MUST_CHECK bool net_is_file_free(const struct addr *a, const char **out_detail);
/* "uid=1000" in the place of a path. */
void net_name_unix_peer(int fd, struct addr *out);

#endif
