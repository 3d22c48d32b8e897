/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net_parts.h: what the sources of net.h share; for nobody else. */
#ifndef IO_NET_PARTS_H
#define IO_NET_PARTS_H

#include <stdbool.h>
#include <sys/socket.h>

static inline bool net_set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

/* What a connection needs and a listening socket hands on to those it accepts. */
void net_tune_tcp(int fd);

#endif
