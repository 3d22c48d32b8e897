/* SPDX-License-Identifier: GPL-3.0-or-later */
// Lines to the daemons of syslog and journald, which here are sockets of the test.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log_parts.h"
#include "check.h"
#include "give_up.h"
#include "suites.h"

static struct {
    char folder[64];
    char path[96];
    int daemon_fd;
    int pipe_fds[2];
    char text[1 << 16];
} world;

static void open_daemon(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", world.path);
    world.daemon_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (world.daemon_fd == -1) {
        GIVE_UP();
    }
    CHECK_EQ_INT("bind", bind(world.daemon_fd, (const struct sockaddr *)&address, sizeof(address)),
                 0);
}

static void close_daemon(void)
{
    close(world.daemon_fd);
    unlink(world.path);
}

static void open_world(enum log_format format)
{
    snprintf(world.folder, sizeof(world.folder), "/tmp/sluice-log-XXXXXX");
    if (mkdtemp(world.folder) == NULL || pipe(world.pipe_fds) != 0) {
        GIVE_UP();
    }
    snprintf(world.path, sizeof(world.path), "%s/log", world.folder);
    (void)fcntl(world.pipe_fds[0], F_SETFL, O_NONBLOCK);
    log_init(world.pipe_fds[1], LOG_INFO, format);
}

static void close_world(void)
{
    log_send_to(LOG_STDERR, NULL);
    log_init(-1, LOG_INFO, LOG_KEY_VALUE);
    close(world.pipe_fds[0]);
    close(world.pipe_fds[1]);
    rmdir(world.folder);
}

static const char *as_text(ssize_t len)
{
    world.text[len > 0 ? len : 0] = '\0';
    return world.text;
}

// The next datagram; "" when there is none.
static const char *heard(void)
{
    return as_text(recv(world.daemon_fd, world.text, sizeof(world.text) - 1, 0));
}

static const char *on_stderr(void)
{
    return as_text(read(world.pipe_fds[0], world.text, sizeof(world.text) - 1));
}

static void say(enum log_level level, const char *value)
{
    struct log_line line;
    log_begin(&line, level, "e");
    log_str(&line, "key_2", value);
    log_u64(&line, "n", 7);
    log_end(&line);
}

static const struct {
    enum log_level level;
    const char *syslog;
    const char *priority;
} levels[] = {
    {LOG_ERROR, "<27>", "PRIORITY=3\n"},
    {LOG_WARN, "<28>", "PRIORITY=4\n"},
    {LOG_INFO, "<30>", "PRIORITY=6\n"},
    {LOG_DEBUG, "<31>", "PRIORITY=7\n"},
};

static void test_syslog(void)
{
    open_world(LOG_KEY_VALUE);
    open_daemon();
    log_send_to(LOG_SYSLOG, world.path);
    log_init(world.pipe_fds[1], LOG_DEBUG, LOG_KEY_VALUE); // keeps the sink
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        char tag[40];
        say(levels[i].level, "a b\n");
        const char *got = heard();
        CHECK_TRUE(got, strncmp(got, levels[i].syslog, 4) == 0);
        // "Nov  3 04:05:06 sluice[123]: ts="
        snprintf(tag, sizeof(tag), " sluice[%d]: ts=", (int)getpid());
        CHECK_TRUE(got, strlen(got) > 40 && got[4 + 3] == ' ' && got[4 + 6] == ' ' &&
                            got[4 + 9] == ':' && got[4 + 12] == ':' &&
                            strncmp(got + 4 + 15, tag, strlen(tag)) == 0);
        CHECK_TRUE(got, strstr(got, " event=e key_2=\"a b\\n\" n=7") != NULL);
        CHECK_TRUE("no newline", strchr(got, '\n') == NULL);
    }
    CHECK_EQ_STR("nothing on standard error", on_stderr(), "");
    close_daemon();
    (void)on_stderr();
    close_world();
}

static void test_journal(void)
{
    static const char *const values[] = {"plain", "a b=\"c\"", "", "\n\x01\xff\\"};
    static const char *const texts[] = {"plain", "a b=\\\"c\\\"", "", "\\n\\x01\\xff\\\\"};
    static const char *const json[] = {"plain", "a b=\\\"c\\\"", "", "\\n\\u0001\xef\xbf\xbd\\\\"};
    for (enum log_format format = LOG_KEY_VALUE; format <= LOG_JSON; format++) {
        open_world(format);
        open_daemon();
        log_send_to(LOG_JOURNALD, world.path);
        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
            char want[80];
            say(LOG_WARN, values[i]);
            const char *got = heard();
            const char *begin = "PRIORITY=4\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=sluice\nMESSAGE=";
            CHECK_TRUE(got, strncmp(got, begin, strlen(begin)) == 0);
            CHECK_TRUE(got, strstr(got, "\nSLUICE_LEVEL=warn\nSLUICE_EVENT=e\n") != NULL);
            snprintf(want, sizeof(want), "\nSLUICE_KEY_2=%s\nSLUICE_N=7\n",
                     format == LOG_JSON ? json[i] : texts[i]);
            CHECK_TRUE(got, strlen(got) > strlen(want) &&
                                strcmp(got + strlen(got) - strlen(want), want) == 0);
            CHECK_TRUE(got,
                       strstr(got, format == LOG_JSON ? "MESSAGE={\"ts\"" : "MESSAGE=ts=") != NULL);
        }
        close_daemon();
        close_world();
    }
}

// The longest line with the most fields fits, and each line of the datagram is NAME=VALUE.
static void test_longest(void)
{
    static char value[LOG_LINE_MAX];
    struct log_line line;
    for (size_t width = 0; width < 300; width += 13) {
        open_world(LOG_KEY_VALUE);
        open_daemon();
        log_send_to(LOG_JOURNALD, world.path);
        memset(value, 'v', sizeof(value));
        value[width] = '\0';
        log_begin(&line, LOG_INFO, "e");
        for (int i = 0; i < 200; i++) {
            log_str(&line, "k", value);
        }
        log_end(&line);
        const char *got = heard();
        size_t len = strlen(got);
        CHECK_TRUE("the end", len > LOG_LINE_MAX / 2 && got[len - 1] == '\n');
        for (const char *at = got; *at != '\0'; at = strchr(at, '\n') + 1) {
            size_t name = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
            CHECK_TRUE(at, name > 0 && at[name] == '=');
        }
        close_daemon();
        close_world();
    }
}

// While nobody listens, standard error has the lines; the daemon then learns how many it missed.
static void test_absent(void)
{
    open_world(LOG_KEY_VALUE);
    uint64_t dropped = log_dropped_total(LOG_SYSLOG);
    log_send_to(LOG_SYSLOG, world.path);
    const char *got = on_stderr();
    CHECK_TRUE(got, strstr(got, "level=error event=log.absent sink=syslog socket=") != NULL);
    CHECK_TRUE(got, strstr(got, "detail=\"No such file or directory\"") != NULL);
    errno = 4711;
    say(LOG_INFO, "one");
    say(LOG_INFO, "two");
    CHECK_EQ_INT("errno is left alone", errno, 4711);
    got = on_stderr();
    CHECK_TRUE(got, strstr(got, "key_2=one n=7\n") != NULL && strstr(got, "two") != NULL);
    CHECK_TRUE("said once", strstr(got, "absent") == NULL);
    open_daemon();
    say(LOG_INFO, "three");
    CHECK_TRUE("there", strstr(heard(), "key_2=three n=7 log_dropped=2") != NULL);
    say(LOG_INFO, "four");
    CHECK_TRUE("told once", strstr(heard(), "log_dropped") == NULL);
    CHECK_EQ_STR("no more on standard error", on_stderr(), "");
    // The daemon starts anew: first it is gone, then there is a new socket file.
    close(world.daemon_fd);
    say(LOG_INFO, "five");
    got = on_stderr();
    CHECK_TRUE(got, strstr(got, "event=log.absent") != NULL && strstr(got, "refused") != NULL);
    CHECK_TRUE(got, strstr(got, "key_2=five") != NULL);
    unlink(world.path);
    open_daemon();
    say(LOG_INFO, "six");
    CHECK_TRUE("anew", strstr(heard(), "key_2=six n=7 log_dropped=1") != NULL);
    CHECK_EQ_U64("counted", log_dropped_total(LOG_SYSLOG) - dropped, 3);
    // And another sink, another place.
    log_send_to(LOG_SYSLOG, "/nowhere/log");
    CHECK_TRUE("another place", strstr(on_stderr(), "socket=/nowhere/log") != NULL);
    log_send_to(LOG_STDERR, NULL);
    say(LOG_INFO, "seven");
    CHECK_TRUE("standard error", strstr(on_stderr(), "key_2=seven n=7\n") != NULL);
    close_daemon();
    close_world();
}

// A daemon that takes nothing loses lines, and nobody waits for it.
static void test_full(void)
{
    open_world(LOG_KEY_VALUE);
    open_daemon();
    log_send_to(LOG_JOURNALD, world.path);
    uint64_t dropped = log_dropped_total(LOG_JOURNALD);
    for (int i = 0; i < 3000; i++) {
        say(LOG_INFO, "filler");
    }
    dropped = log_dropped_total(LOG_JOURNALD) - dropped;
    CHECK_TRUE("lost", dropped > 0 && dropped < 3000);
    CHECK_EQ_STR("not on standard error", on_stderr(), "");
    uint64_t came = 0;
    while (heard()[0] != '\0') {
        came++;
    }
    CHECK_EQ_U64("counted", came + dropped, 3000);
    char want[64];
    snprintf(want, sizeof(want), "\nSLUICE_LOG_DROPPED=%" PRIu64 "\n", dropped);
    say(LOG_INFO, "next");
    CHECK_TRUE("told", strstr(heard(), want) != NULL);
    close_daemon();
    close_world();
}

CU_TestInfo log_daemon_tests[] = {
    {"syslog", test_syslog},
    {"journald", test_journal},
    {"the longest line", test_longest},
    {"nobody listens", test_absent},
    {"a daemon that is full", test_full},
    CU_TEST_INFO_NULL,
};
