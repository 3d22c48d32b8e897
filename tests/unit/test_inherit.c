/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/inherit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "check.h"
#include "give_up.h"
#include "io/net.h"
#include "suites.h"

#define FIRST 700 // numbers that nobody has in the test

static struct addr address_of(const char *text)
{
    struct addr a;
    if (!addr_parse(span_from_str(text), &a)) {
        GIVE_UP();
    }
    return a;
}

static int listen_at(const char *text, struct addr *out)
{
    const struct addr a = address_of(text);
    const char *detail = NULL;
    int fd = net_listen(&a, &detail);
    if (fd == -1 || !net_local_addr(fd, out)) {
        GIVE_UP();
    }
    return fd;
}

// Hands `fd` over as the descriptor FIRST + i, as a program that execs does: open across exec.
static void hand_over(int fd, int i)
{
    if (fd == -1 || dup2(fd, FIRST + i) == -1) {
        GIVE_UP();
    }
    close(fd);
}

static void close_all(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        close(FIRST + (int)i);
    }
}

static bool is_close_on_exec(int fd)
{
    return (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) != -1;
}

static void test_take(void)
{
    struct inherit i;
    struct span name;
    struct addr a;
    struct addr b;
    struct addr six;
    size_t blocks = mem_live_blocks();

    hand_over(listen_at("127.0.0.1:0", &a), 0);
    hand_over(listen_at("[::1]:0", &six), 1);
    const char *detail = NULL;
    int again = net_listen(&a, &detail); // of one group
    hand_over(again, 2);
    hand_over(listen_at("127.0.0.1:0", &b), 3);
    CHECK_TRUE("over", inherit_take_over(&i, FIRST, 4, "one:two:three"));
    CHECK_EQ_U64("count", i.count, 4);
    for (int n = 0; n < 4; n++) {
        CHECK_TRUE("close on exec", is_close_on_exec(FIRST + n));
    }
    const struct addr any_port = address_of("127.0.0.1:0");
    CHECK_EQ_INT("port 0 fits none", inherit_take_socket(&i, &any_port, &name), -1);
    struct addr wildcard = a;
    wildcard.u.in.sin_addr.s_addr = htonl(INADDR_ANY);
    CHECK_EQ_INT("another address", inherit_take_socket(&i, &wildcard, &name), -1);
    CHECK_EQ_INT("first", inherit_take_socket(&i, &a, &name), FIRST);
    CHECK_TRUE("its name", span_is_equal(name, SPAN_LIT("one")));
    CHECK_EQ_INT("second", inherit_take_socket(&i, &a, &name), FIRST + 2);
    CHECK_TRUE("its name", span_is_equal(name, SPAN_LIT("three")));
    CHECK_EQ_INT("no third", inherit_take_socket(&i, &a, &name), -1);
    CHECK_EQ_INT("by name", inherit_take_named(&i, SPAN_LIT("two")), FIRST + 1);
    CHECK_EQ_INT("once", inherit_take_named(&i, SPAN_LIT("two")), -1);
    CHECK_EQ_INT("without a name", inherit_take_named(&i, SPAN_LIT("unknown")), FIRST + 3);
    inherit_done(&i);
    CHECK_TRUE("what was taken stays open", is_open(FIRST) && is_open(FIRST + 3));
    close_all(4);
    CHECK_EQ_U64("blocks", mem_live_blocks(), blocks);
}

// What is no listening stream socket is nobody's, says why, and is closed.
static void test_strangers(void)
{
    static const char *const details[] = {
        "it is no stream socket",
        "it does not listen",
        "it is no socket",
        "it is not open",
    };
    struct inherit i;
    struct span name;
    struct addr a;

    close_all(5);
    hand_over(socket(AF_INET, SOCK_DGRAM, 0), 0);
    hand_over(socket(AF_INET, SOCK_STREAM, 0), 1);
    hand_over(open("/dev/null", O_RDONLY), 2);
    hand_over(listen_at("127.0.0.1:0", &a), 4);
    CHECK_TRUE("over", inherit_take_over(&i, FIRST, 5, NULL));
    for (size_t n = 0; n < 4; n++) {
        CHECK_TRUE(details[n], i.fds[n].detail != NULL &&
                                   strncmp(i.fds[n].detail, details[n], strlen(details[n])) == 0);
        CHECK_EQ_INT("no address", i.fds[n].address.len, 0);
    }
    struct addr none = {.len = 0};
    CHECK_EQ_INT("nobody's", inherit_take_socket(&i, &none, &name), -1);
    inherit_warn_of_rest(&i);
    inherit_done(&i);
    for (int n = 0; n < 5; n++) {
        CHECK_FALSE("closed", is_open(FIRST + n));
    }
}

static void test_unix(void)
{
    char directory[] = "/tmp/sluice-inherit-XXXXXX";
    char path[64];
    struct inherit i;
    struct span name;
    struct addr a;
    if (mkdtemp(directory) == NULL) {
        GIVE_UP();
    }
    snprintf(path, sizeof(path), "%s/socket", directory);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd == -1 || !addr_from_unix_path(span_from_str(path), &a) ||
        bind(fd, &a.u.sa, a.len) != 0 || listen(fd, 1) != 0) {
        GIVE_UP();
    }
    hand_over(fd, 0);
    CHECK_TRUE("over", inherit_take_over(&i, FIRST, 1, ""));
    CHECK_EQ_INT("by its path", inherit_take_socket(&i, &a, &name), FIRST);
    CHECK_TRUE("adopted", net_adopt_listener(FIRST));
    CHECK_TRUE("does not block", (fcntl(FIRST, F_GETFL) & O_NONBLOCK) != 0);
    inherit_done(&i);
    close_all(1);
    unlink(path);
    rmdir(directory);
}

struct environment {
    const char *row;
    const char *pid; // NULL: not set; "": this process
    const char *count;
    size_t inherited;
};

// In a child, whose first descriptors are what the row needs.
static void child_reads(const struct environment *e)
{
    char own[24];
    struct inherit i;
    snprintf(own, sizeof(own), "%ld", (long)getpid());
    int null = open("/dev/null", O_RDONLY);
    if (null == -1 || dup2(null, INHERIT_FIRST_FD) == -1 ||
        dup2(null, INHERIT_FIRST_FD + 1) == -1) {
        _exit(1);
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    setenv("LISTEN_FDNAMES", "x:y", 1);
    if (e->pid != NULL) {
        setenv("LISTEN_PID", e->pid[0] == '\0' ? own : e->pid, 1);
    }
    if (e->count != NULL) {
        setenv("LISTEN_FDS", e->count, 1);
    }
    bool is_good = inherit_read(&i) && i.count == e->inherited && getenv("LISTEN_PID") == NULL &&
                   getenv("LISTEN_FDS") == NULL && getenv("LISTEN_FDNAMES") == NULL;
    is_good = is_good && (i.count == 0 || inherit_take_named(&i, SPAN_LIT("x")) == 3);
    _exit(is_good ? 0 : 1);
}

static void test_environment(void)
{
    static const struct environment rows[] = {
        {"two", "", "2", 2},
        {"nothing", NULL, NULL, 0},
        {"none", "", "0", 0},
        {"no pid", NULL, "2", 0},
        {"another process", "1", "2", 0},
        {"no number of a process", "x", "2", 0},
        {"no number", "", "2x", 0},
        {"negative", "", "-1", 0},
        {"too large for any integer", "", "99999999999999999999", 0},
        {"more than can be", "", "1000000", INHERIT_MAX},
    };
    for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
        int status = 1;
        pid_t pid = fork();
        if (pid == 0) {
            child_reads(&rows[n]);
        }
        waitpid(pid, &status, 0);
        CHECK_EQ_INT(rows[n].row, status, 0);
    }
}

static void test_names(void)
{
    static const struct {
        const char *address;
        const char *name;
    } rows[] = {
        {"127.0.0.1:443", "127.0.0.1%3A443"},
        {"[::1]:8443", "%5B%3A%3A1%5D%3A8443"},
        {"0.0.0.0:1", "0.0.0.0%3A1"},
    };
    char name[INHERIT_NAME_MAX];
    struct addr a;
    for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
        a = address_of(rows[n].address);
        CHECK_EQ_STR(rows[n].address, inherit_print_name(&a, name), rows[n].name);
    }
    char path[108];
    memset(path, '%', sizeof(path));
    CHECK_TRUE("path", addr_from_unix_path((struct span){path, 107}, &a));
    CHECK_TRUE("cut at a whole character", strlen(inherit_print_name(&a, name)) % 3 == 1);
}

static void test_no_memory(void)
{
    struct inherit i;
    for (uint64_t n = 1; n <= 2; n++) {
        mem_fail_after(n);
        CHECK_FALSE("no memory", inherit_take_over(&i, FIRST, 2, "a:b"));
        mem_fail_after(0);
        CHECK_EQ_U64("nothing", i.count, 0);
    }
}

CU_TestInfo inherit_tests[] = {
    {"sockets go to who has their address, others by name", test_take},
    {"what cannot be used", test_strangers},
    {"a Unix socket", test_unix},
    {"the environment", test_environment},
    {"names", test_names},
    {"no memory", test_no_memory},
    CU_TEST_INFO_NULL,
};
