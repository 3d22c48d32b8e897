/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The load generator of the benchmark.
 *
 *     load MODE --port N [--address A] [--tls --ca FILE] [--raw] [--wait] [OPTION N]...
 *
 * OPTION is --connections, --message, --in-flight, --bytes, --warm, --warm-ms, --seconds, --buffer,
 * --messages, --think-us, --idle, --concurrency or --deadline; load.h says what each means. --path
 * gives the path of the URL; --resume offers tickets. A is an IPv4 address, by default 127.0.0.1.
 *
 * MODE is echo, download, upload, trip, idle, rest, age, stall, stall-up or open; load.h says what
 * each does. The program prints READY when all connections are open and warm, runs, and prints one
 * JSON object. With --wait it waits for a line on standard input before it runs, and keeps the
 * connections until standard input ends; an end during the run ends the run. On a failure it prints
 * {"error": "..."} and exits 1.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load.h"
#include "protocol.h"

#define EVENTS 512
#define UNDER_WAY 64 /* so many connections may be opening at a time */
#define TICK_NS 50000000

static char input_mark; /* the address tells standard input from connections */

/* --- failing -------------------------------------------------------------------------------- */

static const char *phase_name(enum load_phase phase)
{
    switch (phase) {
    case LOAD_UNUSED:
        return "unused";
    case LOAD_CONNECTING:
        return "connecting";
    case LOAD_TLS:
        return "TLS handshake";
    case LOAD_UPGRADE:
        return "upgrade";
    case LOAD_OPEN:
        return "open";
    case LOAD_CLOSING:
        return "closing";
    case LOAD_ENDED:
        return "ended";
    }
    return "";
}

void load_fail(const struct load_conn *c, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    for (char *at = text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\' || *at < ' ') {
            *at = '\'';
        }
    }
    if (c == NULL) {
        printf("{\"error\": \"%s\"}\n", text);
    } else {
        printf("{\"error\": \"connection %u (%s, %s, sent %llu, received %llu): %s\"}\n", c->index,
               c->role->name, phase_name(c->phase), (unsigned long long)c->sent,
               (unsigned long long)c->received, text);
    }
    exit(1);
}

static void check_deadline(const struct load *load)
{
    if (stat_now_ns() < load->stage_end_ns) {
        return;
    }
    const char *stage = load->is_running ? "run" : "opening";
    for (size_t i = 0; i < load->opened; i++) {
        const struct load_conn *c = &load->conns[i];
        if (load->is_running ? c->phase != LOAD_ENDED && c->received < c->received_goal
                             : !c->is_ready) {
            load_fail(c, "the %s took longer than %llu s", stage,
                      (unsigned long long)load->options.deadline_s);
        }
    }
    load_fail(NULL, "the %s took longer than %llu s; %zu of %zu connections were done", stage,
              (unsigned long long)load->options.deadline_s, load->settled, load->conn_count);
}

/* --- the loop ------------------------------------------------------------------------------- */

void load_ready(struct load_conn *c)
{
    if (!c->is_ready) {
        c->is_ready = true;
        c->load->ready++;
    }
}

void load_finish(struct load *load)
{
    load->end_ns = stat_now_ns();
    load->is_done = true;
}

void load_settled(struct load_conn *c)
{
    struct load *load = c->load;
    load->settled++;
    if (load->is_running && load->settled == load->conn_count) {
        load_finish(load);
    }
}

/* Returns true when a line came, and notes the end of the input. */
static bool read_input(struct load *load)
{
    char text[64];
    ssize_t got = read(STDIN_FILENO, text, sizeof(text));
    if (got <= 0 && epoll_ctl(load->poll_fd, EPOLL_CTL_DEL, STDIN_FILENO, NULL) == 0) {
        load->is_stopped = true;
    }
    return got > 0;
}

/* Takes one turn. Returns true when a line came on standard input. */
static bool load_turn(struct load *load)
{
    struct epoll_event events[EVENTS];
    struct timespec wait = {.tv_nsec = TICK_NS};
    bool has_line = false;
    if (load->thinking_count > 0 && !load->is_done) {
        uint64_t now_ns = stat_now_ns();
        uint64_t next_ns = trip_think(load, now_ns);
        if (next_ns > 0 && next_ns - now_ns < TICK_NS) {
            wait.tv_nsec = (long)(next_ns - now_ns);
        }
    }
    int count = epoll_pwait2(load->poll_fd, events, EVENTS, &wait, NULL);
    if (count < 0 && errno != EINTR) {
        load_fail(NULL, "epoll_pwait2: %s", strerror(errno));
    }
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == &input_mark) {
            has_line = read_input(load) || has_line;
        } else {
            conn_event(events[i].data.ptr, events[i].events);
        }
    }
    return has_line;
}

static void begin_stage(struct load *load)
{
    load->stage_end_ns = stat_now_ns() + load->options.deadline_s * 1000000000U;
}

static void open_stage(struct load *load)
{
    size_t goal = load->role == &role_open ? 1 : load->conn_count;
    begin_stage(load);
    while (load->ready < goal) {
        while (load->opened < goal && load->opened - load->ready < UNDER_WAY) {
            conn_connect(load, &load->conns[load->opened++]);
        }
        (void)load_turn(load);
        check_deadline(load);
    }
}

static void wait_stage(struct load *load)
{
    printf("READY\n");
    (void)fflush(stdout);
    /* Meanwhile each turn answers the server's own frames (pings). */
    while (load->options.is_waiting && !load_turn(load)) {
        if (load->is_stopped) {
            exit(0);
        }
    }
}

static void run_stage(struct load *load)
{
    begin_stage(load);
    load->is_running = true;
    load->begin_ns = stat_now_ns();
    for (size_t i = 0; i < load->opened; i++) {
        struct load_conn *c = &load->conns[i];
        c->is_running = true;
        if (c->phase == LOAD_OPEN) {
            c->role->run(c);
            c->role->turn(c);
            conn_flush(c);
        }
    }
    while (!load->is_done) {
        if (load->role == &role_open) {
            open_more(load);
        }
        (void)load_turn(load);
        rest_check_time(load);
        check_deadline(load);
        if (load->is_stopped && load->options.is_waiting) {
            load_finish(load);
        }
    }
}

/* --- result --------------------------------------------------------------------------------- */

static void check_resumed(const struct load *load)
{
    uint64_t expected = load->options.is_resumed ? load->messages_ended : 0;
    if (load->role == &role_open && load->resumed != expected) {
        load_fail(NULL, "%llu of %llu handshakes were resumed, not %llu",
                  (unsigned long long)load->resumed, (unsigned long long)load->messages_ended,
                  (unsigned long long)expected);
    }
}

static void print_result(const struct load *load)
{
    uint64_t warm = load->role == &role_trip ? load->options.message_bytes : 0;
    uint64_t bytes = 0;
    check_resumed(load);
    if (load->role == &role_echo || load->role == &role_download || load->role == &role_upload) {
        warm = load->options.warm_bytes;
    }
    for (size_t i = 0; i < load->conn_count; i++) {
        if (load->conns[i].role == load->role) {
            bytes += load->conns[i].received - load->conns[i].warm_received - warm;
        }
    }
    printf("{\"mode\": \"%s\", \"seconds\": %.6f, \"bytes\": %llu, \"messages\": %llu, "
           "\"connections\": %zu, \"resumed\": %llu, \"told\": %llu, \"p50_us\": %.2f, \"p90_us\": "
           "%.2f, "
           "\"p99_us\": %.2f, "
           "\"max_us\": %.2f, \"tls\": \"%s\"}\n",
           load->role->name, (double)(load->end_ns - load->begin_ns) / 1e9,
           (unsigned long long)bytes, (unsigned long long)load->messages_ended, load->conn_count,
           (unsigned long long)load->resumed, (unsigned long long)load->told,
           stat_percentile_us(&load->latency, 0.5), stat_percentile_us(&load->latency, 0.9),
           stat_percentile_us(&load->latency, 0.99), (double)load->latency.max_ns / 1000,
           load->tls_name);
    (void)fflush(stdout);
}

/* Without this, thousands of closed connections would keep their ports for a minute. */
static void reset_all(const struct load *load)
{
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    for (size_t i = 0; i < load->conn_count; i++) {
        if (load->conns[i].fd >= 0) {
            (void)setsockopt(load->conns[i].fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        }
    }
}

/* --- beginning ------------------------------------------------------------------------------ */

static const struct load_role *role_by_name(const char *name)
{
    static const struct load_role *const all[] = {
        &role_echo, &role_download, &role_upload, &role_trip,     &role_idle,
        &role_age,  &role_rest,     &role_stall,  &role_stall_up, &role_open};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (strcmp(all[i]->name, name) == 0) {
            return all[i];
        }
    }
    load_fail(NULL, "'%s' is no mode", name);
}

static uint64_t parse_number(const char *name, const char *text)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || *text < '0' || *text > '9' || *end != '\0') {
        load_fail(NULL, "'%s' is no number for --%s", text, name);
    }
    return value;
}

static void parse_options(struct load_options *o, int argc, char **argv)
{
    uint64_t port = 0;
    const struct {
        const char *name;
        uint64_t *number;
    } numbers[] = {{"port", &port},
                   {"connections", &o->connections},
                   {"message", &o->message_bytes},
                   {"in-flight", &o->in_flight_bytes},
                   {"bytes", &o->total_bytes},
                   {"warm", &o->warm_bytes},
                   {"warm-ms", &o->warm_ms},
                   {"seconds", &o->seconds},
                   {"buffer", &o->buffer_bytes},
                   {"messages", &o->messages},
                   {"think-us", &o->think_us},
                   {"idle", &o->idle},
                   {"concurrency", &o->concurrency},
                   {"deadline", &o->deadline_s}};
    const size_t count = sizeof(numbers) / sizeof(numbers[0]);
    struct option table[32] = {
        {"tls", no_argument, NULL, 't'},          {"raw", no_argument, NULL, 'r'},
        {"resume", no_argument, NULL, 'R'},       {"wait", no_argument, NULL, 'w'},
        {"ca", required_argument, NULL, 'c'},     {"path", required_argument, NULL, 'p'},
        {"address", required_argument, NULL, 'a'}};
    for (size_t i = 0; i < count; i++) {
        table[7 + i] = (struct option){numbers[i].name, required_argument, NULL, 256 + (int)i};
    }
    int option;
    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (option >= 256) {
            size_t i = (size_t)option - 256;
            *numbers[i].number = parse_number(numbers[i].name, optarg);
            continue;
        }
        o->is_tls = o->is_tls || option == 't';
        o->is_raw = o->is_raw || option == 'r';
        o->is_resumed = o->is_resumed || option == 'R';
        o->is_waiting = o->is_waiting || option == 'w';
        if (option == 'c') {
            o->ca = optarg;
        } else if (option == 'p') {
            o->path = optarg;
        } else if (option == 'a') {
            o->address = optarg;
        } else if (option == '?') {
            load_fail(NULL, "unknown option, or one without its value");
        }
    }
    o->port = (int)port;
    if (port == 0 || port > 65535 || o->connections == 0 || o->message_bytes == 0 ||
        o->message_bytes > MESSAGE_MAX || o->in_flight_bytes < o->message_bytes ||
        o->warm_bytes == 0 || o->total_bytes == 0 || o->messages == 0 || o->seconds == 0 ||
        o->concurrency == 0 || (o->is_tls && o->ca == NULL)) {
        load_fail(NULL, "an option is missing or out of range");
    }
}

static void make_conns(struct load *load)
{
    const struct load_options *o = &load->options;
    /* The role `open` has one connection more, the pilot. */
    size_t active = load->role == &role_open ? o->messages + 1 : o->connections;
    load->conn_count = active + o->idle;
    load->conns = calloc(load->conn_count, sizeof(struct load_conn));
    if (load->conns == NULL) {
        load_fail(NULL, "out of memory");
    }
    for (size_t i = 0; i < load->conn_count; i++) {
        load->conns[i] = (struct load_conn){.load = load,
                                            .role = i < active ? load->role : &role_idle,
                                            .index = (uint32_t)i,
                                            .fd = -1};
    }
}

static void load_init(struct load *load, int argc, char **argv)
{
    load->options = (struct load_options){.address = "127.0.0.1",
                                          .path = "/bench",
                                          .connections = 1,
                                          .message_bytes = 128,
                                          .in_flight_bytes = 512 * 1024,
                                          .total_bytes = 1,
                                          .warm_bytes = 1,
                                          .seconds = 1,
                                          .messages = 1,
                                          .concurrency = 1,
                                          .deadline_s = 60};
    load->random = 362436069;
    parse_options(&load->options, argc, argv);
    if (optind + 1 != argc) {
        load_fail(NULL, "one mode must be given");
    }
    load->role = role_by_name(argv[optind]);
    make_conns(load);
    trip_init(load);
    pattern_init();
    if (load->options.is_tls) {
        tls_init(load);
    }
    load->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &input_mark};
    if (load->poll_fd < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
        (load->options.is_waiting &&
         epoll_ctl(load->poll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event) != 0)) {
        load_fail(NULL, "epoll: %s", strerror(errno));
    }
}

int main(int argc, char **argv)
{
    static struct load load;
    load_init(&load, argc, argv);
    open_stage(&load);
    wait_stage(&load);
    run_stage(&load);
    print_result(&load);
    while (load.options.is_waiting && !load.is_stopped) {
        (void)load_turn(&load);
    }
    reset_all(&load);
    return 0;
}
