/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why an address cannot be connected to: what the operator reads. */
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "give_up.h"
#include "io/net.h"
#include "suites.h"

static void check_no_way(const char *row, const char *text, enum net_result want,
                         const char *want_detail)
{
    struct addr a = {.len = 0};
    const char *detail = NULL;
    int fd = -1;
    bool is_ok = text[0] == '/' ? addr_from_unix_path(span_from_str(text), &a)
                                : addr_parse(span_from_str(text), &a) || text[0] == '\0';
    CHECK_TRUE(row, is_ok);
    enum net_result result = net_connect(&a, &fd, &detail);
    if (result == NET_AGAIN) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        (void)poll(&p, 1, 5000);
        result = net_connect_result(fd, &detail);
        close(fd);
    }
    CHECK_EQ_INT(row, result, want);
    CHECK_EQ_STR(row, detail, want_detail);
}

/* Each reason has a text of its own. */
static void test_connect_refused(void)
{
    struct addr a;
    char text[ADDR_TEXT_MAX];
    const char *detail = NULL;
    int listener = addr_parse(SPAN_LIT("127.0.0.1:0"), &a) ? net_listen(&a, &detail) : -1;
    if (listener < 0 || !net_local_addr(listener, &a)) {
        GIVE_UP();
    }
    close(listener);
    addr_print(&a, text, sizeof(text));
    check_no_way("nobody listens", text, NET_REFUSED, "connection refused");
    check_no_way("no such path", "/nonexistent/socket", NET_REFUSED,
                 "no such file: is the service running?");
    check_no_way("below a file", "/etc/passwd/socket", NET_REFUSED,
                 "no such file: is the service running?");
    check_no_way("no socket", "/etc/passwd", NET_REFUSED,
                 getuid() == 0 ? "connection refused" : "permission denied");
    check_no_way("broadcast", "255.255.255.255:9", NET_UNREACHABLE, "network unreachable");
    check_no_way("no address", "", NET_UNREACHABLE, "not an address that one can connect to");
}

/* The address from which this machine would dial. */
static void test_source(void)
{
    struct addr to;
    struct addr from;
    CHECK_TRUE("parse", addr_parse(SPAN_LIT("127.0.0.9:80"), &to));
    CHECK_TRUE("loopback", net_source_addr(&to, &from) && addr_is_loopback(&from));
    CHECK_TRUE("parse", addr_parse(SPAN_LIT("255.255.255.255:80"), &to));
    CHECK_FALSE("no way", net_source_addr(&to, &from));
}

CU_TestInfo net_reasons_tests[] = {
    {"each reason", test_connect_refused},
    {"the source address", test_source},
    CU_TEST_INFO_NULL,
};
