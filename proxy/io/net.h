/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net.h: socket calls; errno becomes one of seven kinds.
 *
 * For: making, accepting, connecting, reading and writing sockets, which are always non-blocking
 * and close-on-exec. errno leaves io/ only as a constant text for the operator ("connection
 * refused"). Not for: events (reactor), TLS. The caller owns every descriptor it gets. */
#ifndef IO_NET_H
#define IO_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/addr.h"
#include "base/span.h"

enum net_result {
    NET_OK = 0,
    NET_AGAIN,       /* would block */
    NET_EOF,         /* receiving: the peer's FIN; sending: the peer had closed already */
    NET_RESET,       /* reset, timed out or unreachable: the connection is gone */
    NET_REFUSED,     /* connect: the peer, or this machine in its place, says no */
    NET_UNREACHABLE, /* connect: no way leads to the peer, so nothing is known of it */
    NET_EXHAUSTED    /* connect: this machine lacks descriptors, memory or local ports; the peer has
                        no part in it */
};

/* A socket with SO_REUSEPORT that has the address and does not listen yet; IPV6_V6ONLY on for IPv6.
 * Returns a descriptor, or -1 and a message for the operator ("address already in use"). A Unix
 * socket knows no SO_REUSEPORT: the first one makes the file, with mode 0660, and net_copy makes
 * the others. Nobody removes the file; net_is_free clears it away when nobody listens there. */
MUST_CHECK int net_bind(const struct addr *a, const char **out_detail);
/* Lets such a socket listen, with a backlog of 4096. */
MUST_CHECK bool net_start_listening(int fd, const char **out_detail);
/* Both. */
MUST_CHECK int net_listen(const struct addr *a, const char **out_detail);
/* With is_deaf the listening socket hears no new caller: the system drops each SYN, so the caller
 * tries again a second later. Handshakes that have begun go on, and whoever is in the queue stays
 * there. So a socket can be closed once its queue is empty, and nobody is reset. False: the system
 * knows no such thing, and for no Unix socket. */
MUST_CHECK bool net_set_deaf(int fd, bool is_deaf);

/* A listening socket that another process has made (net_adopt.c). True: `fd` is one, for streams,
 * and *out is its address. False: *out_detail says why not, and *out is no address. */
MUST_CHECK bool net_is_listener(int fd, struct addr *out, const char **out_detail);
/* Gives such a socket what net_bind gives: close-on-exec, non-blocking, the options of those that
 * it will accept. It hears again if it was deaf. */
MUST_CHECK bool net_adopt_listener(int fd);
/* True: further sockets can be bound to the same address (SO_REUSEPORT). */
bool net_has_group(int fd);
/* Another descriptor of the same socket, with the same queue; -1: out of descriptors. */
MUST_CHECK int net_copy(int fd);

/* False, with a message, when somebody listens on the address already or nobody can bind it.
 * SO_REUSEPORT alone would let a second program of the same user share the address silently. True
 * for a Unix socket: no file is there any more; what a program left that is gone is removed. */
MUST_CHECK bool net_is_free(const struct addr *a, const char **out_detail);

enum net_accept_result {
    NET_ACCEPT_OK = 0,
    NET_ACCEPT_NONE,           /* no connection waits */
    NET_ACCEPT_LOST,           /* a connection died in the queue, or something forbids it */
    NET_ACCEPT_NO_DESCRIPTORS, /* the process may open no more: pause the listener */
    NET_ACCEPT_NO_FILES,       /* the system may open no more: pause the listener */
    NET_ACCEPT_NO_MEMORY,      /* pause the listener */
    NET_ACCEPT_FAILED          /* nobody knows this error: pause the listener */
};
/* Somebody waits to be accepted. */
bool net_has_callers(int listen_fd);
/* The new socket has TCP_NODELAY and keepalive (60 s, then 5 probes 11 s apart), which it inherits
 * from a socket of net_listen. The caller of a Unix socket has no address: *out_peer is then
 * "unix:uid=1000", the user who called. */
MUST_CHECK enum net_accept_result net_accept(int listen_fd, int *out_fd, struct addr *out_peer);

/* Starts a connection; NET_OK (already there), NET_AGAIN (wait for writable, then ask
 * net_connect_result), NET_REFUSED, NET_UNREACHABLE or NET_EXHAUSTED. The first two set *out_fd,
 * the others *out_detail, a constant. TCP sockets get TCP_NODELAY and keepalive. A TCP connection
 * that met itself (RFC 9293 3.5: a free port dialled from that same port) counts as refused. */
MUST_CHECK enum net_result net_connect(const struct addr *a, int *out_fd, const char **out_detail);
/* NET_OK, NET_AGAIN (still under way), NET_REFUSED, NET_UNREACHABLE or NET_EXHAUSTED. */
MUST_CHECK enum net_result net_connect_result(int fd, const char **out_detail);

/* The address from which this machine would dial `to`. False: no way leads there, or the machine
 * lacks descriptors. Sends nothing. */
MUST_CHECK bool net_source_addr(const struct addr *to, struct addr *out);

/* NET_OK when the process can open one more socket, else NET_EXHAUSTED. For callers of a library
 * that does not tell why it cannot open one. */
MUST_CHECK enum net_result net_check_room(const char **out_detail);

/* NET_OK with *out_len > 0, NET_AGAIN, NET_EOF, NET_RESET. `size` > 0. */
MUST_CHECK enum net_result net_recv(int fd, void *data, size_t size, size_t *out_len);
/* As net_recv, but the bytes stay where they are. */
MUST_CHECK enum net_result net_peek(int fd, void *data, size_t size, size_t *out_len);
/* Sends what the kernel takes now: NET_OK with *out_len <= all of it, NET_AGAIN (nothing taken),
 * NET_EOF or NET_RESET. After NET_EOF what the peer sent before it closed can still be received.
 * Never raises SIGPIPE.
 *
 * With is_corked (MSG_MORE, tcp(7)) the kernel may keep back the bytes that fill no segment, for
 * 200 ms at most, until a send without is_corked, net_uncork, net_finish or close. */
MUST_CHECK enum net_result net_send(int fd, const struct iovec *iov, size_t count, bool is_corked,
                                    size_t *out_len);
void net_uncork(int fd);

/* True when bytes wait to be received. Leaves an error of the socket where it is. */
bool net_has_bytes(int fd);

/* FIN: nothing more will be sent. */
void net_finish(int fd);
/* close(); the descriptor is gone afterwards. */
void net_close(int fd);
/* RST (SO_LINGER 0), then close. */
void net_abort(int fd);

/* The local address of a socket (the port that was chosen for port 0). */
MUST_CHECK bool net_local_addr(int fd, struct addr *out);

/* --- what the kernel holds (net_bounds.c) ---------------------------------------------------- */

/* Bytes the kernel has taken that the peer has not acknowledged; 0 when it cannot tell. */
size_t net_unacked(int fd);

/* 0 where the kernel does not know. */
struct net_state {
    size_t unsent_bytes; /* taken from us and not yet sent; a Unix socket: not yet read */
    uint32_t rtt_us;     /* the round trip, smoothed (RFC 6298) */
    uint32_t min_rtt_us; /* the shortest of the last minutes: how far away the peer is */
};
void net_observe(int fd, struct net_state *out);

/* From now on net_send takes bytes only while fewer than so many are unsent, and the socket counts
 * as writable again when half of them have left (TCP_NOTSENT_LOWAT, tcp(7)). What is under way does
 * not count, so a fast distant peer loses nothing. The kernel fills the segment at which the bound
 * is reached: up to 64 KiB more. On a Unix socket the bound is the send buffer, for what it costs.
 */
void net_bound_unsent(int fd, size_t bytes);

enum net_bound {
    NET_BOUND_OFF = 0, /* the kernel tunes the buffer */
    NET_BOUND_SET,
    NET_BOUND_UNABLE /* a Unix socket, whose peer has the buffer; Linux before 5.14 */
};

/* From now on the kernel tunes the receive buffer no more: it is `bytes` of memory, or stays as it
 * is where it is larger. It must not shrink: the kernel throws away what comes within a window that
 * it has offered and has no memory for any more, the peer then waits for its retransmission timer,
 * and a buffer that has shrunk grows no more. NET_UNBOUNDED: the kernel tunes the buffer again.
 * Call it after the handshake: before, the size would fix the window scale (RFC 7323 2.3) for ever.
 */
#define NET_UNBOUNDED SIZE_MAX
MUST_CHECK enum net_bound net_bound_unread(int fd, size_t bytes);

#endif
