/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The service behind the measured proxies: echo, source and sink in one, as cheap as possible;
 * protocol.h has its commands. It listens on a free port of loopback, prints `PORT N` and runs
 * until its standard input ends. With a certificate and its key it speaks TLS.
 *
 *     backend [CERTIFICATE KEY]
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "backend_tls.h"
#include "protocol.h"

#define READ_BYTES (256 * 1024)
#define EVENTS 256
#define PEERS_MAX 65536

/* The clock's bytes must not grow old here: the kernel keeps FEW_BYTES unsent, and each write
 * brings CLOCK_WRITE_BYTES. */
#define FEW_BYTES (16 * 1024)
#define CLOCK_WRITE_BYTES (8 * STAMP_BLOCK)

struct peer {
    int fd;
    struct ssl_st *tls; /* NULL: plain */
    uint32_t events;    /* events that the peer waits for */
    uint8_t head[COMMAND_BYTES];
    size_t head_have;
    bool has_command;
    struct command command;     /* count: what is left; start moves with the bytes */
    uint64_t taken;             /* bytes that this command has brought */
    uint64_t clock_at;          /* bytes of this COMMAND_CLOCK that are sent */
    uint8_t stamp[STAMP_BYTES]; /* of the block that clock_at is in */
    bool is_wrong;
    uint8_t *queue; /* bytes that the kernel did not take */
    size_t queue_head;
    size_t queue_len;
};

static int poll_fd;
static bool is_tls;
static struct peer *peers[PEERS_MAX]; /* the index is the descriptor */
static uint8_t scratch[READ_BYTES];

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("backend: ", stderr);
    (void)vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static void peer_want(struct peer *p, uint32_t events)
{
    if (p->events == events) {
        return;
    }
    struct epoll_event event = {.events = events, .data.fd = p->fd};
    if (epoll_ctl(poll_fd, EPOLL_CTL_MOD, p->fd, &event) != 0) {
        die("epoll_ctl: %s", strerror(errno));
    }
    p->events = events;
}

static void peer_close(struct peer *p)
{
    backend_tls_close(p->tls);
    close(p->fd);
    peers[p->fd] = NULL;
    free(p->queue);
    free(p);
}

/* Returns how many bytes the kernel took, or -1 when the connection is gone. */
static ssize_t peer_write(const struct peer *p, const uint8_t *data, size_t len)
{
    if (p->tls != NULL) {
        return backend_tls_write(p->tls, data, len);
    }
    ssize_t sent = send(p->fd, data, len, MSG_NOSIGNAL);
    if (sent < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    }
    return sent;
}

/* Sends, and keeps what the kernel does not take. The queue must be empty. */
static bool peer_send(struct peer *p, const uint8_t *data, size_t len)
{
    ssize_t sent = peer_write(p, data, len);
    if (sent < 0) {
        return false;
    }
    size_t left = len - (size_t)sent;
    if (left > 0) {
        p->queue = realloc(p->queue, left);
        if (p->queue == NULL) {
            die("out of memory");
        }
        memcpy(p->queue, data + sent, left);
        p->queue_head = 0;
        p->queue_len = left;
    }
    return true;
}

static bool peer_flush(struct peer *p)
{
    ssize_t sent = peer_write(p, p->queue + p->queue_head, p->queue_len);
    if (sent < 0) {
        return false;
    }
    p->queue_head += (size_t)sent;
    p->queue_len -= (size_t)sent;
    return true;
}

static void command_done(struct peer *p)
{
    p->has_command = false;
    p->head_have = 0;
}

/* Fills `out` with what the clock sends now. Only a block that is begun keeps its stamp. */
static void put_clock(const struct peer *p, uint8_t *out, size_t len, const uint8_t *stamp_now)
{
    size_t begun = (size_t)(p->clock_at % STAMP_BLOCK);
    memcpy(out, pattern_at(p->command.start), len);
    for (size_t i = begun; begun > 0 && i < STAMP_BYTES && i - begun < len; i++) {
        out[i - begun] = p->stamp[i];
    }
    for (size_t at = begun > 0 ? STAMP_BLOCK - begun : 0; at < len; at += STAMP_BLOCK) {
        size_t left = len - at;
        memcpy(out + at, stamp_now, left < STAMP_BYTES ? left : STAMP_BYTES);
    }
}

static bool peer_clock(struct peer *p)
{
    uint8_t block[CLOCK_WRITE_BYTES];
    uint8_t stamp[STAMP_BYTES];
    struct timespec now;
    size_t len = p->command.count < sizeof(block) ? (size_t)p->command.count : sizeof(block);
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    stamp_put(stamp, (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec);
    put_clock(p, block, len, stamp);
    ssize_t sent = peer_write(p, block, len);
    if (sent < 0) {
        return false;
    }
    if (p->clock_at % STAMP_BLOCK == 0 || p->clock_at % STAMP_BLOCK + (size_t)sent > STAMP_BLOCK) {
        memcpy(p->stamp, stamp, sizeof(stamp)); /* a block begins in these bytes */
    }
    p->clock_at += (uint64_t)sent;
    p->command.start = (uint32_t)((p->command.start + (uint64_t)sent) % PATTERN_PERIOD);
    p->command.count -= (uint64_t)sent;
    if (p->command.count == 0) {
        command_done(p);
    }
    return true;
}

static bool peer_produce(struct peer *p)
{
    if (p->command.op == COMMAND_CLOCK) {
        return peer_clock(p);
    }
    size_t len = p->command.count < PATTERN_RUN ? (size_t)p->command.count : PATTERN_RUN;
    ssize_t sent = peer_write(p, pattern_at(p->command.start), len);
    if (sent < 0) {
        return false;
    }
    p->command.start = (uint32_t)((p->command.start + (uint64_t)sent) % PATTERN_PERIOD);
    p->command.count -= (uint64_t)sent;
    if (p->command.count == 0) {
        command_done(p);
    }
    return true;
}

static bool peer_report(struct peer *p)
{
    uint8_t report[COMMAND_BYTES];
    command_put(report, &(struct command){COMMAND_REPORT, p->is_wrong ? 1 : 0, p->taken});
    command_done(p);
    return peer_send(p, report, sizeof(report));
}

static bool is_source(const struct peer *p)
{
    return p->has_command &&
           (p->command.op == COMMAND_SOURCE || p->command.op == COMMAND_SOURCE_SHORT ||
            p->command.op == COMMAND_CLOCK);
}

/* Handles bytes that belong to the current command. */
static bool peer_obey(struct peer *p, const uint8_t *data, size_t len)
{
    if (p->command.op == COMMAND_STALL) {
        return true; /* these came in the same read as the command */
    }
    p->command.count -= len;
    if (p->command.op == COMMAND_ECHO) {
        if (p->command.count == 0) {
            command_done(p);
        }
        return peer_send(p, data, len);
    }
    if (!pattern_is(p->command.start, data, len)) {
        p->is_wrong = true;
    }
    p->command.start = (uint32_t)((p->command.start + len) % PATTERN_PERIOD);
    p->taken += len;
    return p->command.count > 0 || peer_report(p);
}

/* What these commands measure must not lie in our own buffers. */
static void shorten_buffers(const struct peer *p)
{
    int few = FEW_BYTES;
    if (p->command.op == COMMAND_CLOCK || p->command.op == COMMAND_SOURCE_SHORT) {
        (void)setsockopt(p->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &few, sizeof(few));
    } else if (p->command.op == COMMAND_STALL) {
        (void)setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &few, sizeof(few));
    }
}

static size_t collect_command(struct peer *p, const uint8_t *data, size_t len)
{
    size_t part = COMMAND_BYTES - p->head_have;
    part = part < len ? part : len;
    memcpy(p->head + p->head_have, data, part);
    p->head_have += part;
    if (p->head_have == COMMAND_BYTES) {
        if (!command_get(p->head, &p->command) || p->command.op == COMMAND_REPORT ||
            p->command.count == 0) {
            die("this is no command: the proxy changed what passed through it");
        }
        p->has_command = true;
        p->taken = 0;
        p->clock_at = 0;
        p->is_wrong = false;
        shorten_buffers(p);
    }
    return part;
}

static bool peer_read(struct peer *p)
{
    ssize_t got = p->tls != NULL ? backend_tls_read(p->tls, scratch, sizeof(scratch))
                                 : recv(p->fd, scratch, sizeof(scratch), 0);
    if (p->tls != NULL && got <= 0) {
        return got == 0;
    }
    if (got <= 0) {
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    }
    const uint8_t *data = scratch;
    size_t len = (size_t)got;
    while (len > 0) {
        size_t part = 0;
        if (!p->has_command) {
            part = collect_command(p, data, len);
        } else if (is_source(p)) {
            die("bytes came while the source was sending");
        } else if (p->queue_len > 0) {
            die("a command came before the last one was answered");
        } else {
            part = p->command.count < len ? (size_t)p->command.count : len;
            if (!peer_obey(p, data, part)) {
                return false;
            }
        }
        data += part;
        len -= part;
    }
    return true;
}

static void peer_event(struct peer *p, uint32_t ready)
{
    bool is_alive = true;
    if (p->queue_len > 0) {
        is_alive = peer_flush(p);
    } else if (is_source(p)) {
        is_alive = peer_produce(p);
    } else if ((ready & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        is_alive = peer_read(p);
    }
    if (!is_alive) {
        peer_close(p);
        return;
    }
    if (p->has_command && p->command.op == COMMAND_STALL) {
        peer_want(p, 0);
        return;
    }
    bool is_sending = p->queue_len > 0 || is_source(p);
    peer_want(p, is_sending ? EPOLLOUT : EPOLLIN);
}

static void watch(int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        die("epoll_ctl: %s", strerror(errno));
    }
}

static void peer_new(int fd)
{
    int one = 1;
    struct peer *p = calloc(1, sizeof(*p));
    if (p == NULL || fd >= PEERS_MAX) {
        die("too many connections");
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    p->fd = fd;
    p->tls = is_tls ? backend_tls_accept(fd) : NULL;
    if (is_tls && p->tls == NULL) {
        die("out of memory");
    }
    p->events = EPOLLIN;
    peers[fd] = p;
    watch(fd);
}

static void accept_all(int listen_fd)
{
    for (;;) {
        int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            peer_new(fd);
        } else if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) {
            return;
        } else {
            die("accept: %s", strerror(errno));
        }
    }
}

static int listen_anywhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        die("cannot listen: %s", strerror(errno));
    }
    printf("PORT %d\n", ntohs(address.sin_port));
    (void)fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS];
    is_tls = argc == 3;
    if ((argc != 1 && argc != 3) || (is_tls && !backend_tls_open(argv[1], argv[2]))) {
        die("use: backend [CERTIFICATE KEY]");
    }
    pattern_init();
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (poll_fd < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        die("%s", strerror(errno));
    }
    int listen_fd = listen_anywhere();
    watch(listen_fd);
    watch(STDIN_FILENO);
    for (;;) {
        int count = epoll_wait(poll_fd, events, EVENTS, -1);
        if (count < 0 && errno != EINTR) {
            die("epoll_wait: %s", strerror(errno));
        }
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listen_fd) {
                accept_all(listen_fd);
            } else if (fd == STDIN_FILENO) {
                return 0; /* nobody writes to standard input, so this is its end */
            } else if (peers[fd] != NULL) {
                peer_event(peers[fd], events[i].events);
            }
        }
    }
}
