/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/jail.h"

#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "suites.h"

#define SOMEBODY 64123

typedef int act_fn(void);

/* Runs `act` in a process of its own, which gives up what it has. Returns what `act` returns. */
static int in_child(act_fn *act)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(act());
    }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool is_closed(void)
{
    struct rlimit core = {1, 1};
    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 && getrlimit(RLIMIT_CORE, &core) == 0 &&
           core.rlim_cur == 0 && core.rlim_max == 0;
}

static int close_memory(void)
{
    jail_close_memory();
    return is_closed() ? 0 : 1;
}

static int stay_who_one_is(void)
{
    const struct config config = {.has_ids = false};
    char text[128];
    bool is_same = jail_enter(&config, text, sizeof(text)) && getuid() == geteuid();
    return is_same && is_closed() && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 1;
}

static const struct config somebody = {.has_ids = true, .uid = SOMEBODY, .gid = SOMEBODY};

static int become_somebody_twice(void)
{
    char text[128];
    if (!jail_enter(&somebody, text, sizeof(text)) || getgroups(0, NULL) != 0) {
        return 1;
    }
    if (getuid() != SOMEBODY || geteuid() != SOMEBODY || getgid() != SOMEBODY || !is_closed()) {
        return 2;
    }
    if (setuid(0) == 0) {
        return 3;
    }
    /* Without any right left, but there is nothing to change. */
    return jail_enter(&somebody, text, sizeof(text)) ? 0 : 4;
}

static int become_another(void)
{
    const struct config other = {
        .has_ids = true, .uid = SOMEBODY + 1, .gid = SOMEBODY, .user = SPAN_LIT("other")};
    char text[200] = "";
    if (!jail_enter(&somebody, text, sizeof(text)) || jail_enter(&other, text, sizeof(text))) {
        return 1;
    }
    return strstr(text, "cannot become user 'other': user 64124: ") == text ? 0 : 2;
}

static void test_everybody(void)
{
    CHECK_EQ_INT("memory", in_child(close_memory), 0);
    CHECK_EQ_INT("no change", in_child(stay_who_one_is), 0);
}

static void test_root(void)
{
    if (geteuid() != 0) {
        return; /* only root can become somebody */
    }
    CHECK_EQ_INT("twice", in_child(become_somebody_twice), 0);
    CHECK_EQ_INT("another", in_child(become_another), 0);
}

CU_TestInfo jail_tests[] = {
    {"whoever starts it", test_everybody},
    {"started as root", test_root},
    CU_TEST_INFO_NULL,
};
