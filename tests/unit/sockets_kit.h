/* SPDX-License-Identifier: GPL-3.0-or-later */
// What tests of sockets share: plans of listeners, and callers.
#ifndef TESTS_UNIT_SOCKETS_KIT_H
#define TESTS_UNIT_SOCKETS_KIT_H

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "check.h"
#include "gate/sockets.h"
#include "give_up.h"

#define SLOTS 2

static inline int count_fds(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        count += fcntl(fd, F_GETFD) != -1;
    }
    return count;
}

static inline struct config_listen listen_at(const char *name, const char *address)
{
    struct config_listen listen = {.name = span_from_str(name)};
    if (!addr_parse(span_from_str(address), &listen.address)) {
        GIVE_UP();
    }
    return listen;
}

static inline bool plan(struct sockets *s, struct config_listen *listens, size_t count,
                        size_t slots)
{
    const struct config config = {.listens = listens, .listen_count = count};
    char text[SOCKETS_TEXT_MAX] = "";
    bool is_planned = sockets_plan(s, &config, slots, text);
    CHECK_TRUE("text", is_planned == (text[0] == '\0'));
    return is_planned;
}

static inline void commit(struct sockets *s, uint64_t now_ms)
{
    char text[SOCKETS_TEXT_MAX];
    CHECK_TRUE("commit", sockets_commit(s, now_ms, text));
}

// A connection under way: loopback ends the handshake at once, if somebody listens and hears.
static inline int call(const struct addr *a)
{
    int fd = socket(a->u.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1) {
        GIVE_UP();
    }
    int result = connect(fd, &a->u.sa, a->len);
    (void)result;
    return fd;
}

#endif
