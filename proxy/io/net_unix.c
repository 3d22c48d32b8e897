/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Listening on a Unix socket, which is a file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/net_parts.h"

/* The file is for the owner and the group of the program: whoever may write it may connect. */
bool net_bind_file(int fd, const struct addr *a)
{
    mode_t before = umask(S_IXUSR | S_IXGRP | S_IRWXO);
    bool is_bound = bind(fd, &a->u.sa, a->len) == 0;
    int error = errno;
    umask(before);
    errno = error;
    return is_bound;
}

/* Nobody listens there any more: the program that made the file is gone. */
static bool clear_file(const char *path, const char **out_detail)
{
    *out_detail = unlink(path) == 0 || errno == ENOENT ? NULL : net_listen_detail(errno);
    return *out_detail == NULL;
}

bool net_is_file_free(const struct addr *a, const char **out_detail)
{
    struct stat file;
    *out_detail = "address already in use";
    if (lstat(a->u.un.sun_path, &file) != 0) {
        *out_detail = errno == ENOENT ? NULL : net_listen_detail(errno);
        return errno == ENOENT;
    }
    if (!S_ISSOCK(file.st_mode)) {
        *out_detail = "a file that is no socket is there";
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool is_left = fd != -1 && connect(fd, &a->u.sa, a->len) == -1 && errno == ECONNREFUSED;
    if (fd != -1) {
        net_close(fd);
    }
    return is_left && clear_file(a->u.un.sun_path, out_detail);
}

void net_name_unix_peer(int fd, struct addr *out)
{
    struct ucred caller = {.uid = 0};
    socklen_t len = sizeof(caller);
    char text[32] = "unknown";
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &caller, &len) == 0) {
        snprintf(text, sizeof(text), "uid=%lu", (unsigned long)caller.uid);
    }
    bool is_named = addr_from_unix_path(span_from_str(text), out);
    (void)is_named; /* it is short enough */
}
