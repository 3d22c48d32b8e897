/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/control.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "give_up.h"
#include "suites.h"

static int count_fds(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++) {
        count += fcntl(fd, F_GETFD) != -1;
    }
    return count;
}

static void open_pair(int ends[2])
{
    if (!control_pair(ends)) {
        GIVE_UP();
    }
}

static void test_messages(void)
{
    const struct control_message failed = {.kind = CONTROL_FAILED, .text = "why"};
    const struct control_message release = {.kind = CONTROL_RELEASE, .slot = 7, .listen = 3};
    struct control_message got;
    int ends[2];
    int fd = 0;

    open_pair(ends);
    CHECK_EQ_INT("nothing yet", control_receive(ends[0], &got, &fd), CONTROL_NONE);
    CHECK_TRUE("sent", control_send(ends[1], &failed, -1));
    CHECK_TRUE("sent", control_send(ends[1], &release, -1));
    CHECK_EQ_INT("first", control_receive(ends[0], &got, &fd), CONTROL_OK);
    CHECK_EQ_INT("kind", (int)got.kind, CONTROL_FAILED);
    CHECK_EQ_STR("text", got.text, "why");
    CHECK_EQ_INT("no descriptor", fd, -1);
    CHECK_EQ_INT("second", control_receive(ends[0], &got, NULL), CONTROL_OK);
    CHECK_EQ_INT("kind", (int)got.kind, CONTROL_RELEASE);
    CHECK_EQ_U64("slot", got.slot, 7);
    CHECK_EQ_U64("listen", got.listen, 3);
    CHECK_EQ_INT("no third", control_receive(ends[0], &got, NULL), CONTROL_NONE);
    CHECK_TRUE("the other way", control_send(ends[0], &release, -1));
    close(ends[1]);
    CHECK_EQ_INT("gone", control_receive(ends[0], &got, NULL), CONTROL_GONE);
    CHECK_FALSE("nobody reads", control_send(ends[0], &release, -1));
    close(ends[0]);
}

static void test_descriptors(void)
{
    const struct control_message adopt = {.kind = CONTROL_ADOPT, .slot = 1};
    struct control_message got;
    int before = count_fds();
    int ends[2];
    int pipe_fds[2];
    int fd = -1;
    char byte = 0;

    open_pair(ends);
    if (pipe(pipe_fds) != 0) {
        GIVE_UP();
    }
    CHECK_TRUE("sent", control_send(ends[0], &adopt, pipe_fds[1]));
    close(pipe_fds[1]);
    CHECK_EQ_INT("came", control_receive(ends[1], &got, &fd), CONTROL_OK);
    if (CHECK_TRUE("a descriptor", fd != -1)) {
        CHECK_TRUE("closed on exec", (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
        CHECK_EQ_I64("it is the pipe", write(fd, "x", 1), 1);
        CHECK_EQ_I64("it is", read(pipe_fds[0], &byte, 1), 1);
        close(fd);
    }
    CHECK_TRUE("sent", control_send(ends[0], &adopt, pipe_fds[0]));
    CHECK_EQ_INT("nobody wants it", control_receive(ends[1], &got, NULL), CONTROL_OK);
    close(pipe_fds[0]);
    close(ends[0]);
    close(ends[1]);
    CHECK_EQ_INT("no descriptor is left", count_fds(), before);
}

/* A worker may say anything. */
static void test_nonsense(void)
{
    struct control_message bad = {.kind = CONTROL_FAILED};
    struct control_message got;
    int ends[2];
    int fd = -1;

    memset(bad.text, 'x', sizeof(bad.text));
    open_pair(ends);
    CHECK_EQ_I64("short", send(ends[0], &bad, 3, 0), 3);
    bad.kind = 0;
    CHECK_TRUE("no kind", control_send(ends[0], &bad, ends[0]));
    bad.kind = 99;
    CHECK_TRUE("unknown kind", control_send(ends[0], &bad, -1));
    bad.kind = CONTROL_FAILED;
    CHECK_TRUE("no NUL", control_send(ends[0], &bad, -1));
    for (int i = 0; i < 3; i++) { /* one in each call: the reader counts them */
        CHECK_EQ_INT("nonsense", control_receive(ends[1], &got, &fd), CONTROL_NONSENSE);
    }
    CHECK_EQ_INT("the last is good", control_receive(ends[1], &got, &fd), CONTROL_OK);
    CHECK_EQ_INT("kind", (int)got.kind, CONTROL_FAILED);
    CHECK_EQ_U64("its text ends", strlen(got.text), CONTROL_TEXT_MAX - 1);
    CHECK_EQ_INT("no descriptor", fd, -1);
    CHECK_EQ_INT("no more", control_receive(ends[1], &got, &fd), CONTROL_NONE);
    unsigned sent = 0;
    while (sent < 100000 && control_send(ends[0], &bad, -1)) {
        sent++;
    }
    CHECK_TRUE("a full queue does not wait", sent > 0 && sent < 100000);
    close(ends[0]);
    close(ends[1]);
}

/* Sends one message with two descriptors, for which a receiver has room by alignment only. */
static void send_two(int fd, const struct control_message *message, int passed_fd)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(2 * sizeof(int))];
    } passed = {.room = {0}};
    const int fds[2] = {passed_fd, passed_fd};
    struct control_message copy = *message;
    struct iovec piece = {&copy, sizeof(copy)};
    struct msghdr envelope = {.msg_iov = &piece,
                              .msg_iovlen = 1,
                              .msg_control = &passed,
                              .msg_controllen = CMSG_SPACE(sizeof(fds))};
    struct cmsghdr *header = CMSG_FIRSTHDR(&envelope);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(fds));
    memcpy(CMSG_DATA(header), fds, sizeof(fds));
    CHECK_EQ_I64("sent", sendmsg(fd, &envelope, 0), (int64_t)sizeof(copy));
}

/* A worker that somebody has taken over must not fill the master's table of descriptors. */
static void test_more_descriptors(void)
{
    const struct control_message adopt = {.kind = CONTROL_ADOPT, .slot = 1};
    struct control_message got;
    int before = count_fds();
    int ends[2];
    int fd = -1;

    open_pair(ends);
    send_two(ends[0], &adopt, ends[0]);
    CHECK_EQ_INT("nobody wants them", control_receive(ends[1], &got, NULL), CONTROL_OK);
    CHECK_EQ_INT("none came", count_fds(), before + 2);
    send_two(ends[0], &adopt, ends[0]);
    CHECK_EQ_INT("one is wanted", control_receive(ends[1], &got, &fd), CONTROL_OK);
    CHECK_TRUE("one came", fd != -1);
    CHECK_EQ_INT("and no other", count_fds(), before + 3);
    if (fd != -1) {
        close(fd);
    }
    close(ends[0]);
    close(ends[1]);
    CHECK_EQ_INT("no descriptor is left", count_fds(), before);
}

CU_TestInfo control_tests[] = {
    {"messages", test_messages},
    {"descriptors", test_descriptors},
    {"more descriptors", test_more_descriptors},
    {"nonsense", test_nonsense},
    CU_TEST_INFO_NULL,
};
