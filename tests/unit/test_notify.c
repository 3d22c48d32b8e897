/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "check.h"
#include "give_up.h"
#include "suites.h"

#define TEXT_MAX 512

// --- a manager ---

struct manager {
    int fd;
    char directory[40];
    char path[64]; // as NOTIFY_SOCKET has it
    char text[TEXT_MAX];
    int passed_fd;
};

static void init(struct manager *m, bool is_abstract)
{
    struct addr a;
    *m = (struct manager){.passed_fd = -1};
    snprintf(m->directory, sizeof(m->directory), "/tmp/sluice-notify-XXXXXX");
    if (mkdtemp(m->directory) == NULL) {
        GIVE_UP();
    }
    snprintf(m->path, sizeof(m->path), "%s/notify", m->directory);
    m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (m->fd == -1 || !addr_from_unix_path(span_from_str(m->path), &a)) {
        GIVE_UP();
    }
    if (is_abstract) {
        a.u.un.sun_path[0] = '\0';
        a.len--;
        m->path[0] = '@';
    }
    if (bind(m->fd, &a.u.sa, a.len) != 0) {
        GIVE_UP();
    }
    setenv("NOTIFY_SOCKET", m->path, 1);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

static void done(struct manager *m)
{
    close(m->fd);
    if (m->path[0] == '/') {
        unlink(m->path);
    }
    rmdir(m->directory);
    unsetenv("NOTIFY_SOCKET");
}

// The next message, or "".
static const char *heard(struct manager *m)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec piece = {m->text, TEXT_MAX - 1};
    struct msghdr envelope = {.msg_iov = &piece,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = sizeof(control)};
    ssize_t got = recvmsg(m->fd, &envelope, MSG_CMSG_CLOEXEC);
    m->text[got > 0 ? got : 0] = '\0';
    m->passed_fd = -1;
    if (got > 0 && envelope.msg_controllen > 0) {
        memcpy(&m->passed_fd, CMSG_DATA(&control.header), sizeof(int));
    }
    return m->text;
}

static void tell(struct notify *n, enum notify_phase phase, const char *status, uint64_t now_ms)
{
    struct notify_state state = {.phase = phase, .is_working = true, .grace_ms = 7};
    snprintf(state.status, sizeof(state.status), "%s", status);
    notify_tell(n, &state, now_ms);
}

// --- tests ---

static void check_phases(bool is_abstract)
{
    struct manager m;
    struct notify n;
    char ready[64];
    init(&m, is_abstract);
    notify_init(&n);
    CHECK_TRUE("on", notify_is_on(&n));
    snprintf(ready, sizeof(ready), "READY=1\nMAINPID=%ld\nSTATUS=one\n", (long)getpid());

    tell(&n, NOTIFY_STARTING, "", 1000);
    CHECK_EQ_STR("the manager knows", heard(&m), "");
    tell(&n, NOTIFY_READY, "one", 1001);
    CHECK_EQ_STR("ready", heard(&m), ready);
    tell(&n, NOTIFY_READY, "two", 1002);
    CHECK_EQ_STR("a new status has time", heard(&m), "");
    CHECK_EQ_U64("so much", notify_due_ms(&n), 1001 + NOTIFY_STATUS_MS);
    tell(&n, NOTIFY_READY, "two", 1001 + NOTIFY_STATUS_MS);
    CHECK_EQ_STR("status", heard(&m), "STATUS=two\n");
    tell(&n, NOTIFY_READY, "two", 1001 + 2 * NOTIFY_STATUS_MS);
    CHECK_EQ_STR("the same status", heard(&m), "");

    uint64_t before_us = clock_now_us();
    tell(&n, NOTIFY_RELOADING, "one", 20000);
    static const char reloading[] = "RELOADING=1\nMONOTONIC_USEC=";
    CHECK_TRUE("reloading", strncmp(heard(&m), reloading, strlen(reloading)) == 0);
    char *rest = NULL;
    unsigned long long at_us = strtoull(m.text + strlen(reloading), &rest, 10);
    CHECK_EQ_STR("and its status", rest, "\nSTATUS=one\n");
    CHECK_TRUE("now", at_us >= before_us && at_us <= clock_now_us());
    tell(&n, NOTIFY_READY, "one", 20001);
    CHECK_EQ_STR("ready again", heard(&m), ready);
    tell(&n, NOTIFY_STOPPING, "", 20002);
    CHECK_EQ_STR("stopping", heard(&m), "STOPPING=1\nEXTEND_TIMEOUT_USEC=7000\n");
    notify_done(&n);
    tell(&n, NOTIFY_READY, "one", 20003);
    CHECK_EQ_STR("done", heard(&m), "");
    CHECK_TRUE("never due", notify_due_ms(&n) == UINT64_MAX);
    done(&m);
}

static void test_phases(void)
{
    check_phases(false);
    check_phases(true);
}

static void test_addresses(void)
{
    static const char *const bad[] = {"", "/", "@", "notify", "vsock:2:1234", "x/notify"};
    char longer[200];
    struct notify n;
    unsetenv("NOTIFY_SOCKET");
    notify_init(&n);
    CHECK_FALSE("not set", notify_is_on(&n));
    CHECK_TRUE("a store without a manager", notify_store(&n, 0, "x", 1));
    CHECK_TRUE("a store without a manager", notify_forget(&n, SPAN_LIT("x"), 1));
    notify_main_pid(&n, 1);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        setenv("NOTIFY_SOCKET", bad[i], 1);
        notify_init(&n);
        CHECK_FALSE(bad[i], notify_is_on(&n));
    }
    memset(longer, '/', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    setenv("NOTIFY_SOCKET", longer, 1);
    notify_init(&n);
    CHECK_FALSE("too long", notify_is_on(&n));
    unsetenv("NOTIFY_SOCKET");
}

static void test_watchdog(void)
{
    static const struct {
        const char *row;
        const char *us;
        const char *pid; // "": this process
        uint64_t every_ms;
    } rows[] = {
        {"ours", "3000000", "", 1500},
        {"anybody's", "3000000", NULL, 1500},
        {"another one's", "3000000", "1", 0},
        {"nobody's", "3000000", "x", 0},
        {"very short", "1", "", 1},
        {"none", "0", "", 0},
        {"no number", "3s", "", 0},
        {"for ever", "18446744073709551615", "", 0},
        {"not set", NULL, "", 0},
    };
    char own[24];
    struct manager m;
    struct notify n;
    init(&m, false);
    snprintf(own, sizeof(own), "%ld", (long)getpid());
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsetenv("WATCHDOG_USEC");
        unsetenv("WATCHDOG_PID");
        if (rows[i].us != NULL) {
            setenv("WATCHDOG_USEC", rows[i].us, 1);
        }
        if (rows[i].pid != NULL) {
            setenv("WATCHDOG_PID", rows[i].pid[0] == '\0' ? own : rows[i].pid, 1);
        }
        notify_init(&n);
        CHECK_EQ_U64(rows[i].row, n.beat_every_ms, rows[i].every_ms);
        notify_done(&n);
    }
    setenv("WATCHDOG_USEC", "3000000", 1);
    unsetenv("WATCHDOG_PID");
    notify_init(&n);
    notify_hand_on(&n);
    CHECK_EQ_STR("the child's", getenv("WATCHDOG_PID"), own);
    struct notify_state state = {.phase = NOTIFY_STARTING, .is_working = true};
    notify_tell(&n, &state, 10000);
    CHECK_EQ_STR("at once", heard(&m), "WATCHDOG=1\n");
    CHECK_EQ_U64("at half of the time", notify_due_ms(&n), 11500);
    notify_tell(&n, &state, 11499);
    CHECK_EQ_STR("not before", heard(&m), "");
    notify_tell(&n, &state, 11500);
    CHECK_EQ_STR("then", heard(&m), "WATCHDOG=1\n");
    state.is_working = false;
    notify_tell(&n, &state, 20000);
    CHECK_EQ_STR("not while nobody works", heard(&m), "");
    state.is_working = true;
    notify_tell(&n, &state, 20001);
    CHECK_EQ_STR("at once when somebody does", heard(&m), "WATCHDOG=1\n");
    notify_done(&n);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    done(&m);
}

static void test_store(void)
{
    struct manager m;
    struct notify n;
    struct stat given;
    struct stat stored;
    int pipes[2];
    init(&m, false);
    notify_init(&n);
    if (pipe(pipes) != 0 || fstat(pipes[0], &given) != 0) {
        GIVE_UP();
    }
    CHECK_TRUE("store", notify_store(&n, pipes[0], "127.0.0.1%3A443", 1));
    CHECK_EQ_STR("store", heard(&m), "FDSTORE=1\nFDNAME=127.0.0.1%3A443\n");
    CHECK_TRUE("the same", fstat(m.passed_fd, &stored) == 0 && stored.st_ino == given.st_ino);
    close(m.passed_fd);
    CHECK_TRUE("forget", notify_forget(&n, SPAN_LIT("127.0.0.1%3A443"), 1));
    CHECK_EQ_STR("forget", heard(&m), "FDSTOREREMOVE=1\nFDNAME=127.0.0.1%3A443\n");
    close(pipes[0]);
    close(pipes[1]);
    notify_main_pid(&n, 77);
    CHECK_EQ_STR("the next one", heard(&m), "MAINPID=77\n");
    CHECK_FALSE("and nothing more", notify_is_on(&n));
    done(&m);
}

// A manager that does not read, and then does: the last state reaches it.
static void test_full(void)
{
    struct manager m;
    struct notify n;
    size_t stored = 0;
    init(&m, false);
    notify_init(&n);
    while (stored < 10000 && notify_store(&n, 0, "x", 1000)) {
        stored++;
    }
    CHECK_TRUE("its queue has an end", stored > 0 && stored < 10000);
    CHECK_EQ_U64("again", notify_due_ms(&n), 1000 + NOTIFY_RETRY_MS);
    tell(&n, NOTIFY_READY, "a", 1000);
    tell(&n, NOTIFY_RELOADING, "b", 1001);
    tell(&n, NOTIFY_STOPPING, "c", 1002);
    CHECK_EQ_U64("again", notify_due_ms(&n), 1002 + NOTIFY_RETRY_MS);
    for (size_t i = 0; i < stored; i++) {
        CHECK_EQ_STR("stored", heard(&m), "FDSTORE=1\nFDNAME=x\n");
        close(m.passed_fd);
    }
    CHECK_EQ_STR("nothing else", heard(&m), "");
    tell(&n, NOTIFY_STOPPING, "c", 1002 + NOTIFY_RETRY_MS);
    CHECK_EQ_STR("the last", heard(&m), "STOPPING=1\nEXTEND_TIMEOUT_USEC=7000\nSTATUS=c\n");
    // A manager that is gone, and one that comes.
    close(m.fd);
    CHECK_FALSE("gone", notify_forget(&n, SPAN_LIT("x"), 5000));
    CHECK_EQ_U64("again", notify_due_ms(&n), 5000 + NOTIFY_RETRY_MS);
    struct addr a;
    unlink(m.path);
    m.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (m.fd == -1 || !addr_from_unix_path(span_from_str(m.path), &a) ||
        bind(m.fd, &a.u.sa, a.len) != 0) {
        GIVE_UP();
    }
    CHECK_TRUE("back", notify_forget(&n, SPAN_LIT("x"), 6000));
    CHECK_EQ_STR("back", heard(&m), "FDSTOREREMOVE=1\nFDNAME=x\n");
    notify_done(&n);
    done(&m);
}

CU_TestInfo notify_tests[] = {
    {"phases and status", test_phases},
    {"no manager, and wrong addresses", test_addresses},
    {"the watchdog", test_watchdog},
    {"the store", test_store},
    {"a manager that does not read", test_full},
    CU_TEST_INFO_NULL,
};
