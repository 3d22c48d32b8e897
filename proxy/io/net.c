/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/net.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/net_parts.h"

#ifndef IPV6_MINHOPCOUNT
#define IPV6_MINHOPCOUNT 73 /* <linux/in6.h>, which does not go with <netinet/in.h> */
#endif

#define LISTEN_BACKLOG 4096
#define KEEPALIVE_IDLE_S 60
#define KEEPALIVE_INTERVAL_S 11 /* 10 s meet the kernel's coarse ticks each time */
#define KEEPALIVE_PROBES 5
#define KEEPALIVE_IDLE_SPREAD 61
#define KEEPALIVE_INTERVAL_SPREAD 6

/* A connection is worth more than any of these options. */
static void tune_tcp(int fd, int idle_s, int interval_s)
{
    (void)net_set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    (void)net_set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    (void)net_set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle_s);
    (void)net_set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval_s);
    (void)net_set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
}

void net_tune_tcp(int fd)
{
    tune_tcp(fd, KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S);
}

/* On an idle backend's connection nothing passes but keepalives. The kernel sends those that are
 * due within two seconds in one go, and on loopback and veth drops what netdev_max_backlog (1,000)
 * does not hold: always the same ones, until their connections count as lost. So each connection
 * has a rhythm of its own. */
static void tune_backend(int fd)
{
    int turn = fd / 2; /* a session has two descriptors */
    tune_tcp(fd, KEEPALIVE_IDLE_S + turn % KEEPALIVE_IDLE_SPREAD,
             KEEPALIVE_INTERVAL_S + turn / KEEPALIVE_IDLE_SPREAD % KEEPALIVE_INTERVAL_SPREAD);
}

static bool is_unix(const struct addr *a)
{
    return a->u.sa.sa_family == AF_UNIX;
}

/* --- listening ----------------------------------------------------------------------------- */

const char *net_listen_detail(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "address already in use";
    case EADDRNOTAVAIL:
        return "address is not one of this machine";
    case EACCES:
    case EPERM:
        return "permission denied";
    case EAFNOSUPPORT:
        return "address family not supported by this machine";
    case EMFILE:
    case ENFILE:
        return "too many open files";
    case ENOBUFS:
    case ENOMEM:
        return "out of memory";
    case ENOENT:
    case ENOTDIR:
        return "its directory is not there";
    case EROFS:
        return "read-only file system";
    default:
        return "cannot make a listening socket";
    }
}

static bool prepare_and_bind(int fd, const struct addr *a)
{
    /* SO_REUSEADDR: a restart must not wait for the TIME_WAIT of the sessions before it. */
    if (!net_set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) ||
        !net_set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1)) {
        return false;
    }
    if (a->u.sa.sa_family == AF_INET6 && !net_set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) {
        return false;
    }
    net_tune_tcp(fd); /* accepted sockets inherit the options */
    return bind(fd, &a->u.sa, a->len) == 0;
}

int net_bind(const struct addr *a, const char **out_detail)
{
    *out_detail = NULL;
    if (a->len == 0) {
        *out_detail = "no address to listen on";
        return -1;
    }
    int fd = socket(a->u.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1) {
        *out_detail = net_listen_detail(errno);
        return -1;
    }
    if (!(is_unix(a) ? net_bind_file(fd, a) : prepare_and_bind(fd, a))) {
        *out_detail = net_listen_detail(errno);
        net_close(fd);
        return -1;
    }
    return fd;
}

bool net_start_listening(int fd, const char **out_detail)
{
    bool is_listening = listen(fd, LISTEN_BACKLOG) == 0;
    *out_detail = is_listening ? NULL : net_listen_detail(errno);
    return is_listening;
}

int net_listen(const struct addr *a, const char **out_detail)
{
    int fd = net_bind(a, out_detail);
    if (fd != -1 && !net_start_listening(fd, out_detail)) {
        net_close(fd);
        return -1;
    }
    return fd;
}

/* `fd` takes only segments that come with this TTL at least. 255 lets none through but those of a
 * neighbour that begins with 255; hardly any client begins so high. */
static bool set_least_ttl(int fd, int family, int ttl)
{
    return family == AF_INET6 ? net_set_option(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, ttl)
                              : net_set_option(fd, IPPROTO_IP, IP_MINTTL, ttl);
}

/* A socket filter would need a right on some systems. The system looks at the TTL of what comes to
 * the listening socket itself, but not of what belongs to a handshake that has begun. */
bool net_set_deaf(int fd, bool is_deaf)
{
    int family = AF_UNSPEC;
    socklen_t len = sizeof(family);
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) != 0) {
        return false;
    }
    return family == AF_UNIX ? !is_deaf : set_least_ttl(fd, family, is_deaf ? 255 : 0);
}

bool net_is_free(const struct addr *a, const char **out_detail)
{
    const int on = 1;
    *out_detail = NULL;
    if (is_unix(a)) {
        return net_is_file_free(a, out_detail);
    }
    int fd = socket(a->u.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1) {
        *out_detail = net_listen_detail(errno);
        return false;
    }
    /* SO_REUSEADDR passes over connections in TIME_WAIT, but not over a listening socket. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
        (a->u.sa.sa_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == -1) ||
        bind(fd, &a->u.sa, a->len) == -1) {
        *out_detail = net_listen_detail(errno);
    }
    net_close(fd);
    return *out_detail == NULL;
}

bool net_has_callers(int listen_fd)
{
    struct pollfd queue = {.fd = listen_fd, .events = POLLIN};
    return poll(&queue, 1, 0) == 1 && (queue.revents & POLLIN) != 0;
}

/* --- accepting ----------------------------------------------------------------------------- */

static enum net_accept_result accept_result(int error)
{
    switch (error) {
    case EAGAIN:
        return NET_ACCEPT_NONE;
    /* These belong to a connection that died in the queue; accept(2) hands them over. EPERM and
     * EACCES are a filter's or a security module's, which may leave the connection in the queue:
     * whoever accepts must not try for ever. */
    case ECONNABORTED:
    case EACCES:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case ETIMEDOUT:
        return NET_ACCEPT_LOST;
    case EMFILE:
        return NET_ACCEPT_NO_DESCRIPTORS;
    case ENFILE:
        return NET_ACCEPT_NO_FILES;
    case ENOBUFS:
    case ENOMEM:
        return NET_ACCEPT_NO_MEMORY;
    default:
        return NET_ACCEPT_FAILED;
    }
}

enum net_accept_result net_accept(int listen_fd, int *out_fd, struct addr *out_peer)
{
    struct sockaddr_storage peer;
    socklen_t len;
    int fd;
    do {
        len = sizeof(peer);
        fd = accept4(listen_fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd == -1 && errno == EINTR);
    if (fd == -1) {
        return accept_result(errno);
    }
    addr_from_sockaddr((const struct sockaddr *)&peer, len, out_peer);
    if (is_unix(out_peer)) {
        net_name_unix_peer(fd, out_peer);
    }
    /* What came while the listening socket was deaf has inherited that. */
    (void)set_least_ttl(fd, out_peer->u.sa.sa_family, 0);
    *out_fd = fd;
    return NET_ACCEPT_OK;
}

/* --- connecting ---------------------------------------------------------------------------- */

struct failure {
    int error;
    enum net_result result;
    const char *detail;
};

/* Another address may be good after each of these. A Unix socket's full backlog is EAGAIN: nothing
 * would ever report its end. */
static const struct failure failures[] = {
    {ECONNREFUSED, NET_REFUSED, "connection refused"},
    {ECONNRESET, NET_REFUSED, "connection reset"},
    {ENOENT, NET_REFUSED, "no such file: is the service running?"},
    {ENOTDIR, NET_REFUSED, "no such file: is the service running?"},
    {ELOOP, NET_REFUSED, "too many symbolic links in the path"},
    {EPROTOTYPE, NET_REFUSED, "the socket is not a stream socket"},
    {EACCES, NET_REFUSED, "permission denied"},
    {EPERM, NET_REFUSED, "permission denied"},
    {EAGAIN, NET_REFUSED, "the service's queue of callers is full"},
    {ENETUNREACH, NET_UNREACHABLE, "network unreachable"},
    {ENETDOWN, NET_UNREACHABLE, "network is down"},
    {EHOSTUNREACH, NET_UNREACHABLE, "host unreachable"},
    {EHOSTDOWN, NET_UNREACHABLE, "host unreachable"},
    {ETIMEDOUT, NET_UNREACHABLE, "no answer from the host"},
    {EAFNOSUPPORT, NET_UNREACHABLE, "address family not supported by this machine"},
    {EINVAL, NET_UNREACHABLE, "not an address that one can connect to"},
    {EMFILE, NET_EXHAUSTED, "too many open files in this process"},
    {ENFILE, NET_EXHAUSTED, "too many open files on this machine"},
    {ENOMEM, NET_EXHAUSTED, "the system is out of memory"},
    {ENOBUFS, NET_EXHAUSTED, "the system is out of memory"},
    {EADDRNOTAVAIL, NET_EXHAUSTED, "no free local port"},
};

static enum net_result connect_result(int error, const char **out_detail)
{
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        if (failures[i].error == error) {
            *out_detail = failures[i].detail;
            return failures[i].result;
        }
    }
    *out_detail = "cannot connect";
    return NET_REFUSED;
}

/* A socket that dials a port of this machine can meet itself: nobody listens there, and the kernel
 * picks that same port as the local one. The result is an echo that nobody asked for. */
static bool is_self_connected(int fd, const struct sockaddr_storage *peer, socklen_t peer_len)
{
    struct sockaddr_storage local;
    socklen_t len = sizeof(local);
    if (peer->ss_family == AF_UNIX || getsockname(fd, (struct sockaddr *)&local, &len) != 0) {
        return false;
    }
    struct addr a;
    struct addr b;
    addr_from_sockaddr((const struct sockaddr *)&local, len, &a);
    addr_from_sockaddr((const struct sockaddr *)peer, peer_len, &b);
    return addr_is_equal(&a, &b);
}

enum net_result net_connect_result(int fd, const char **out_detail)
{
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    socklen_t peer_len = sizeof(peer);
    if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0) {
        return is_self_connected(fd, &peer, peer_len) ? connect_result(ECONNREFUSED, out_detail)
                                                      : NET_OK;
    }
    int error = 0;
    socklen_t len = sizeof(error);
    if (errno != ENOTCONN || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        return connect_result(errno, out_detail);
    }
    /* No error yet is not success: readiness may be spurious. */
    return error == 0 ? NET_AGAIN : connect_result(error, out_detail);
}

static enum net_result start_connect(int fd, const struct addr *a, const char **out_detail)
{
    /* A peer on this machine has answered before connect() returns. */
    if (connect(fd, &a->u.sa, a->len) == 0 || errno == EINPROGRESS || errno == EINTR) {
        return net_connect_result(fd, out_detail);
    }
    struct addr source;
    if (errno == EADDRNOTAVAIL && !net_source_addr(a, &source)) {
        /* Not the ports ran out: this machine has no address of that family (IPv6 is off). */
        return connect_result(ENETUNREACH, out_detail);
    }
    return connect_result(errno, out_detail);
}

enum net_result net_connect(const struct addr *a, int *out_fd, const char **out_detail)
{
    if (a->len == 0) {
        return connect_result(EINVAL, out_detail);
    }
    int fd = socket(a->u.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1) {
        return connect_result(errno, out_detail);
    }
    if (!is_unix(a)) {
        tune_backend(fd);
    }
    enum net_result result = start_connect(fd, a, out_detail);
    if (result == NET_OK || result == NET_AGAIN) {
        *out_fd = fd;
    } else {
        net_close(fd);
    }
    return result;
}

bool net_source_addr(const struct addr *to, struct addr *out)
{
    int error = errno;
    int fd = socket(to->u.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool is_ok = fd >= 0 && connect(fd, &to->u.sa, to->len) == 0 && net_local_addr(fd, out);
    if (fd >= 0) {
        net_close(fd);
    }
    errno = error;
    return is_ok;
}

enum net_result net_check_room(const char **out_detail)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd == -1) {
        return connect_result(errno, out_detail) == NET_EXHAUSTED ? NET_EXHAUSTED : NET_OK;
    }
    net_close(fd);
    return NET_OK;
}

/* --- bytes --------------------------------------------------------------------------------- */

static enum net_result receive(int fd, void *data, size_t size, int flags, size_t *out_len)
{
    assert(size > 0);
    ssize_t got;
    *out_len = 0;
    do {
        got = recv(fd, data, size, flags);
    } while (got == -1 && errno == EINTR);
    if (got > 0) {
        *out_len = (size_t)got;
        return NET_OK;
    }
    if (got == 0) {
        return NET_EOF;
    }
    /* EWOULDBLOCK is the same number. Every other error (reset, ETIMEDOUT from keepalive,
     * EHOSTUNREACH …) means that no byte will come any more. */
    return errno == EAGAIN ? NET_AGAIN : NET_RESET;
}

enum net_result net_recv(int fd, void *data, size_t size, size_t *out_len)
{
    return receive(fd, data, size, 0, out_len);
}

enum net_result net_peek(int fd, void *data, size_t size, size_t *out_len)
{
    return receive(fd, data, size, MSG_PEEK, out_len);
}

bool net_has_bytes(int fd)
{
    int bytes = 0;
    return ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

static enum net_result send_result(ssize_t sent, size_t *out_len)
{
    *out_len = sent > 0 ? (size_t)sent : 0;
    if (sent >= 0) {
        return NET_OK;
    }
    if (errno == EAGAIN) {
        return NET_AGAIN;
    }
    /* EPIPE: the peer closed first and our bytes came too late. What the peer had sent before can
     * still be received, and so can its FIN. */
    return errno == EPIPE ? NET_EOF : NET_RESET;
}

static enum net_result send_block(int fd, const struct iovec *piece, int flags, size_t *out_len)
{
    ssize_t sent;
    do {
        sent = send(fd, piece->iov_base, piece->iov_len, flags);
    } while (sent == -1 && errno == EINTR);
    return send_result(sent, out_len);
}

enum net_result net_send(int fd, const struct iovec *iov, size_t count, bool is_corked,
                         size_t *out_len)
{
    const int flags = MSG_NOSIGNAL | (is_corked ? MSG_MORE : 0);
    if (count == 1) { /* the commonest case, and the kernel has no description to copy */
        return send_block(fd, iov, flags, out_len);
    }
    struct msghdr message = {
        .msg_iov = (struct iovec *)(uintptr_t)iov, /* only read */
        .msg_iovlen = size_min(count, IOV_MAX),
    };
    ssize_t sent;
    do {
        sent = sendmsg(fd, &message, flags);
    } while (sent == -1 && errno == EINTR);
    return send_result(sent, out_len);
}

void net_uncork(int fd)
{
    /* Setting the option, even again, sends the bytes that MSG_MORE corked: tcp(7). */
    (void)net_set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

/* --- ends ---------------------------------------------------------------------------------- */

void net_finish(int fd)
{
    (void)shutdown(fd, SHUT_WR);
}

void net_close(int fd)
{
    /* Not again on EINTR: Linux has let go of the number by then. */
    (void)close(fd);
}

void net_abort(int fd)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    net_close(fd);
}

bool net_local_addr(int fd, struct addr *out)
{
    struct sockaddr_storage local;
    socklen_t len = sizeof(local);
    if (getsockname(fd, (struct sockaddr *)&local, &len) != 0) {
        return false;
    }
    addr_from_sockaddr((const struct sockaddr *)&local, len, out);
    return true;
}
