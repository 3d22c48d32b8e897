/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "give_up.h"
#include "io/net.h"
#include "sockets_kit.h"
#include "suites.h"

static size_t accept_from(int fd)
{
    struct addr peer;
    char text[ADDR_TEXT_MAX];
    char want[ADDR_TEXT_MAX];
    int got = -1;
    if (net_accept(fd, &got, &peer) != NET_ACCEPT_OK) {
        return 0;
    }
    snprintf(want, sizeof(want), "unix:uid=%u", (unsigned)getuid());
    CHECK_EQ_STR("who calls", addr_print(&peer, text, sizeof(text)), want);
    close(got);
    return 1;
}

// A folder of its own for a socket "s"; the caller removes both.
static struct config_listen listen_in(char *folder, char path[64])
{
    struct config_listen listen = {.name = SPAN_LIT("admin")};
    if (mkdtemp(folder) == NULL) {
        GIVE_UP();
    }
    snprintf(path, 64, "%s/s", folder);
    if (!addr_from_unix_path(span_from_str(path), &listen.address)) {
        GIVE_UP();
    }
    return listen;
}

static void wants_refusal(struct config_listen *listen, const char *reason)
{
    const struct config config = {.listens = listen, .listen_count = 1};
    char text[SOCKETS_TEXT_MAX] = "";
    struct sockets s;
    sockets_init(&s);
    CHECK_FALSE(reason, sockets_plan(&s, &config, SLOTS, text));
    CHECK_TRUE(text, strstr(text, reason) != NULL);
    sockets_done(&s);
}

static void wants_callers(const struct sockets *s, const struct addr *a)
{
    int one = call(a);
    int other = call(a);
    CHECK_EQ_U64("by any", accept_from(sockets_fd(&s->current, 0, SLOTS)), 1);
    CHECK_EQ_U64("slot", accept_from(sockets_fd(&s->current, 0, 0)), 1);
    CHECK_EQ_U64("no more", accept_from(sockets_fd(&s->current, 0, 1)), 0);
    close(one);
    close(other);
}

// One file, one queue for all slots; what a program left that is gone is taken over.
static void test_unix(void)
{
    struct sockets s;
    struct stat file;
    int fds = count_fds();
    char folder[] = "/tmp/sluice-sockets-XXXXXX";
    char path[64];
    struct config_listen listen = listen_in(folder, path);
    struct config_listen other = listen_at("a", "127.0.0.1:0");

    for (int round = 0; round < 2; round++) { // the second one finds the file of the first
        sockets_init(&s);
        CHECK_TRUE("planned", plan(&s, &listen, 1, SLOTS));
        commit(&s, 1);
        CHECK_TRUE("file", lstat(path, &file) == 0 && S_ISSOCK(file.st_mode));
        CHECK_EQ_INT("rights", file.st_mode & 07777, 0660);
        CHECK_TRUE("more slots", plan(&s, &listen, 1, SLOTS + 1));
        CHECK_FALSE("not new", sockets_is_new(&s, 0));
        commit(&s, 1);
        wants_callers(&s, &listen.address);
        wants_refusal(&listen, "address already in use");
        CHECK_EQ_U64("somebody asked", accept_from(sockets_fd(&s.current, 0, 0)), 1);
        CHECK_TRUE("gone", plan(&s, &other, 1, SLOTS));
        commit(&s, 1000);
        CHECK_TRUE("back", plan(&s, &listen, 1, SLOTS + 1));
        commit(&s, 2000);
        wants_callers(&s, &listen.address);
        sockets_done(&s);
        CHECK_EQ_INT("all closed", count_fds(), fds);
    }
    unlink(path);
    rmdir(folder);
}

static void test_unix_refused(void)
{
    struct stat file;
    char folder[] = "/tmp/sluice-sockets-XXXXXX";
    char path[64];
    struct config_listen listen = listen_in(folder, path);

    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    wants_refusal(&listen, "a file that is no socket is there");
    CHECK_TRUE("it is still there", lstat(path, &file) == 0 && S_ISREG(file.st_mode));
    unlink(path);
    rmdir(folder);
    wants_refusal(&listen, "its directory is not there");
}

CU_TestInfo sockets_unix_tests[] = {
    {"one for all slots", test_unix},
    {"where none can be", test_unix_refused},
    CU_TEST_INFO_NULL,
};
