/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/control.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for one descriptor; the union aligns it. */
union passed {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
};

bool control_pair(int out_fds[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, out_fds) == 0;
}

bool control_send_bytes(int fd, const void *bytes, size_t len, int passed_fd)
{
    struct iovec piece = {(void *)(uintptr_t)bytes, len};
    union passed passed = {.room = {0}};
    struct msghdr envelope = {.msg_iov = &piece, .msg_iovlen = 1};

    if (passed_fd != -1) {
        envelope.msg_control = &passed;
        envelope.msg_controllen = sizeof(passed);
        struct cmsghdr *header = CMSG_FIRSTHDR(&envelope);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &passed_fd, sizeof(int));
    }
    ssize_t sent;
    do {
        sent = sendmsg(fd, &envelope, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent == -1 && errno == EINTR);
    return sent == (ssize_t)len;
}

bool control_send(int fd, const struct control_message *message, int passed_fd)
{
    return control_send_bytes(fd, message, sizeof(*message), passed_fd);
}

static int take_fd(struct msghdr *envelope)
{
    int fd = -1;
    const struct cmsghdr *header = CMSG_FIRSTHDR(envelope);
    if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof(int))) {
        memcpy(&fd, CMSG_DATA(header), sizeof(int));
    }
    return fd;
}

enum control_result control_receive_bytes(int fd, void *out, size_t len, int *out_fd)
{
    struct iovec piece = {out, len};
    union passed passed = {.room = {0}};
    /* The kernel drops every descriptor for which there is no room. CMSG_SPACE, which aligns, would
     * have room for two. */
    struct msghdr envelope = {
        .msg_iov = &piece,
        .msg_iovlen = 1,
        .msg_control = out_fd != NULL ? &passed : NULL,
        .msg_controllen = out_fd != NULL ? CMSG_LEN(sizeof(int)) : 0,
    };
    ssize_t received;
    do {
        received = recvmsg(fd, &envelope, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (received == -1 && errno == EINTR);
    if (received <= 0) {
        return received == -1 && errno == EAGAIN ? CONTROL_NONE : CONTROL_GONE;
    }
    int passed_fd = out_fd != NULL ? take_fd(&envelope) : -1;
    if (received != (ssize_t)len || (envelope.msg_flags & MSG_TRUNC) != 0) {
        if (passed_fd != -1) {
            close(passed_fd);
        }
        return CONTROL_NONSENSE;
    }
    if (out_fd != NULL) {
        *out_fd = passed_fd;
    }
    return CONTROL_OK;
}

enum control_result control_receive(int fd, struct control_message *out, int *out_fd)
{
    enum control_result result = control_receive_bytes(fd, out, sizeof(*out), out_fd);
    if (result != CONTROL_OK) {
        return result;
    }
    if (out->kind < CONTROL_READY || out->kind > CONTROL_LAST) {
        if (out_fd != NULL && *out_fd != -1) {
            close(*out_fd);
            *out_fd = -1;
        }
        return CONTROL_NONSENSE;
    }
    out->text[sizeof(out->text) - 1] = '\0';
    return CONTROL_OK;
}
