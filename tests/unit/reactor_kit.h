/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A reactor, socket pairs on it, and a story of what happened. */
#ifndef TESTS_UNIT_REACTOR_KIT_H
#define TESTS_UNIT_REACTOR_KIT_H

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "give_up.h"
#include "io/reactor.h"

/* The story has one letter for each event, in order. */
static struct {
    char text[64];
    size_t len;
} story;

__attribute__((unused)) static void tell(char what)
{
    if (story.len + 1 < sizeof(story.text)) {
        story.text[story.len++] = what;
        story.text[story.len] = '\0';
    }
}

static struct reactor *start(void)
{
    memset(&story, 0, sizeof(story));
    struct reactor *r = reactor_new();
    if (r == NULL) {
        GIVE_UP();
    }
    return r;
}

/* One end of a socket pair on the loop. */
struct end {
    struct reactor_io io;
    struct reactor_deferred deferred;
    struct reactor *reactor;
    struct end *victim;
    int fd;
    int peer_fd;
    unsigned ready;
    int calls;
};

__attribute__((unused)) static void note_ready(struct reactor_io *io, unsigned ready)
{
    struct end *e = container_of(io, struct end, io);
    e->ready |= ready;
    e->calls++;
    tell('e');
}

static void end_open(struct end *e, struct reactor *r, reactor_io_fn *callback)
{
    int fds[2];
    memset(e, 0, sizeof(*e));
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) {
        GIVE_UP();
    }
    e->reactor = r;
    e->fd = fds[0];
    e->peer_fd = fds[1];
    reactor_io_init(&e->io, r, e->fd, callback);
}

static void end_close(struct end *e)
{
    reactor_io_want(&e->io, 0);
    close(e->fd);
    if (e->peer_fd != -1) {
        close(e->peer_fd);
    }
}

__attribute__((unused)) static void poke(struct end *e)
{
    if (write(e->peer_fd, "x", 1) != 1) {
        GIVE_UP();
    }
}

#endif
