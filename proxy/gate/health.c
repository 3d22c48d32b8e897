/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/health.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "io/net.h"

#define ANSWER_MAX 2048 /* a head and one line; more does not count */

struct asking {
    int fd;
    uint64_t end_ms;
    char answer[ANSWER_MAX];
    size_t len;
};

/* False: the time is over. */
static bool wait_for(const struct asking *a, short events)
{
    uint64_t now_ms = clock_now_ms();
    struct pollfd ready = {.fd = a->fd, .events = events};
    return now_ms < a->end_ms && poll(&ready, 1, (int)(a->end_ms - now_ms)) == 1;
}

/* NULL, or what went wrong. */
static const char *dial(struct asking *a, const struct addr *address)
{
    const char *detail = NULL;
    enum net_result result = net_connect(address, &a->fd, &detail);
    if (result == NET_AGAIN) {
        result = wait_for(a, POLLOUT) ? net_connect_result(a->fd, &detail) : NET_AGAIN;
    }
    return result == NET_OK ? NULL : result == NET_AGAIN ? "timeout" : detail;
}

/* The kernel takes so few bytes at once. */
static const char *ask(const struct asking *a)
{
    static const char request[] = "GET /readyz HTTP/1.0\r\n\r\n";
    struct iovec piece = {(void *)(uintptr_t)request, sizeof(request) - 1};
    size_t sent = 0;
    return net_send(a->fd, &piece, 1, false, &sent) == NET_OK && sent == piece.iov_len
               ? NULL
               : "connection lost";
}

static const char *hear(struct asking *a)
{
    while (a->len < ANSWER_MAX - 1) {
        size_t len = 0;
        if (!wait_for(a, POLLIN)) {
            return "timeout";
        }
        switch (net_recv(a->fd, a->answer + a->len, ANSWER_MAX - 1 - a->len, &len)) {
        case NET_OK:
            a->len += len;
            break;
        case NET_AGAIN:
            break;
        case NET_EOF:
            a->answer[a->len] = '\0';
            return NULL;
        case NET_RESET:
        case NET_REFUSED:
        case NET_UNREACHABLE:
        case NET_EXHAUSTED:
            return "connection lost";
        }
    }
    return "the answer is too long";
}

static bool read_answer(const struct asking *a, char out[HEALTH_TEXT_MAX])
{
    const char *body = strstr(a->answer, "\r\n\r\n");
    if (strncmp(a->answer, "HTTP/1.", 7) != 0 || body == NULL) {
        snprintf(out, HEALTH_TEXT_MAX, "the answer is no HTTP");
        return false;
    }
    body += 4;
    snprintf(out, HEALTH_TEXT_MAX, "%.*s", (int)strcspn(body, "\r\n"), body);
    return strncmp(a->answer + 8, " 200 ", 5) == 0;
}

bool health_ask(const struct addr *address, uint64_t timeout_ms, char out[HEALTH_TEXT_MAX])
{
    struct asking a = {.fd = -1, .end_ms = clock_now_ms() + timeout_ms};
    char text[ADDR_TEXT_MAX];
    bool is_ready = false;

    const char *detail = dial(&a, address);
    detail = detail == NULL ? ask(&a) : detail;
    detail = detail == NULL ? hear(&a) : detail;
    if (detail == NULL) {
        is_ready = read_answer(&a, out);
    } else {
        snprintf(out, HEALTH_TEXT_MAX, "%s: %s", addr_print(address, text, sizeof(text)), detail);
    }
    if (a.fd != -1) {
        net_close(a.fd);
    }
    return is_ready;
}
