/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the kernel holds of a connection, and how much it may hold. */
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "io/net.h"
#include "io/net_parts.h"

/* Since Linux 5.14, and not in every libc's headers. The option holds the locks that SO_SNDBUF and
 * SO_RCVBUF set; without them the kernel tunes the buffers. */
#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif

#define BYTES_MAX (1 << 30)
#define WINDOW_BYTES (256 * 1024) /* where the kernel's tuning goes on */

size_t net_unacked(int fd)
{
    int bytes = 0;
    return ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? (size_t)bytes : 0;
}

void net_observe(int fd, struct net_state *out)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);

    memset(&info, 0, sizeof(info)); /* an old kernel fills less */
    *out = (struct net_state){.unsent_bytes = 0};
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0) {
        out->unsent_bytes = info.tcpi_notsent_bytes;
        out->rtt_us = info.tcpi_rtt;
        out->min_rtt_us = info.tcpi_min_rtt;
    } else {
        out->unsent_bytes = net_unacked(fd); /* a Unix socket: what its peer has not read */
    }
}

void net_bound_unsent(int fd, size_t bytes)
{
    int value = (int)size_min(bytes, BYTES_MAX);
    if (!net_set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, value)) {
        /* A Unix socket. The kernel doubles the value, for what the bytes cost it. */
        (void)net_set_option(fd, SOL_SOCKET, SO_SNDBUF, value / 2);
    }
}

enum net_bound net_bound_unread(int fd, size_t bytes)
{
    int domain = AF_UNSPEC;
    int now = 0;
    socklen_t len = sizeof(domain);

    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0 || domain == AF_UNIX ||
        !net_set_option(fd, SOL_SOCKET, SO_BUF_LOCK, 0)) {
        return NET_BOUND_UNABLE;
    }
    if (bytes == NET_UNBOUNDED) {
        /* The kernel's tuning has gone on counting, and would find no reason to grow a buffer that
         * was held. SO_RCVLOWAT raises it. */
        (void)net_set_option(fd, SOL_SOCKET, SO_RCVLOWAT, WINDOW_BYTES);
        (void)net_set_option(fd, SOL_SOCKET, SO_RCVLOWAT, 1);
        return NET_BOUND_OFF;
    }
    len = sizeof(now);
    if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &now, &len) != 0) {
        return NET_BOUND_UNABLE;
    }
    /* getsockopt tells the doubled value, setsockopt takes the half. */
    int wanted = (int)size_min(bytes, BYTES_MAX) / 2;
    bool is_set = net_set_option(fd, SOL_SOCKET, SO_RCVBUF, wanted > now / 2 ? wanted : now / 2);
    return is_set ? NET_BOUND_SET : NET_BOUND_UNABLE;
}
