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

bool control_send(int fd, const struct control_message *message, int passed_fd)
{
    struct control_message copy = *message;
    struct iovec piece = {&copy, sizeof(copy)};
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
    return sent == (ssize_t)sizeof(copy);
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

static bool is_good(const struct control_message *message, ssize_t len)
{
    return len == (ssize_t)sizeof(*message) && message->kind >= CONTROL_READY &&
           message->kind <= CONTROL_RELEASE;
}

enum control_result control_receive(int fd, struct control_message *out, int *out_fd)
{
    for (;;) {
        struct iovec piece = {out, sizeof(*out)};
        union passed passed = {.room = {0}};
        struct msghdr envelope = {
            .msg_iov = &piece,
            .msg_iovlen = 1,
            .msg_control = &passed,
            .msg_controllen = sizeof(passed),
        };
        ssize_t len = recvmsg(fd, &envelope, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (len == -1 && errno == EINTR) {
            continue;
        }
        if (len <= 0) {
            return len == -1 && errno == EAGAIN ? CONTROL_NONE : CONTROL_GONE;
        }
        int passed_fd = take_fd(&envelope);
        bool is_wanted = is_good(out, len) && out_fd != NULL;
        if (passed_fd != -1 && !is_wanted) {
            close(passed_fd);
        }
        if (!is_good(out, len)) {
            continue;
        }
        out->text[sizeof(out->text) - 1] = '\0';
        if (out_fd != NULL) {
            *out_fd = passed_fd;
        }
        return CONTROL_OK;
    }
}
