/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Listening sockets that another process has made. */
#include <errno.h>
#include <fcntl.h>

#include "io/net.h"
#include "io/net_parts.h"

static bool has_option(int fd, int name, int *out)
{
    socklen_t len = sizeof(*out);
    return getsockopt(fd, SOL_SOCKET, name, out, &len) == 0;
}

/* NULL: it is one. */
static const char *check_listener(int fd, struct addr *out)
{
    int type = 0;
    int is_listening = 0;
    if (!has_option(fd, SO_TYPE, &type)) {
        return errno == EBADF ? "it is not open" : "it is no socket";
    }
    if (type != SOCK_STREAM) {
        return "it is no stream socket: a socket unit needs ListenStream= for sluice";
    }
    if (!has_option(fd, SO_ACCEPTCONN, &is_listening) || is_listening == 0) {
        return "it does not listen: a socket unit for sluice has no Accept=yes";
    }
    if (!net_local_addr(fd, out) || out->len == 0) {
        return "its address is neither IPv4 nor IPv6 nor a Unix path";
    }
    return NULL;
}

bool net_is_listener(int fd, struct addr *out, const char **out_detail)
{
    *out_detail = check_listener(fd, out);
    if (*out_detail != NULL) {
        *out = (struct addr){.len = 0};
    }
    return *out_detail == NULL;
}

bool net_adopt_listener(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) == -1) {
        return false;
    }
    net_tune_tcp(fd);
    bool is_deaf_off = net_set_deaf(fd, false);
    (void)is_deaf_off; /* a Unix socket is never deaf */
    return true;
}

bool net_has_group(int fd)
{
    int is_on = 0;
    return has_option(fd, SO_REUSEPORT, &is_on) && is_on != 0;
}

int net_copy(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}
