/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Happy eyeballs (RFC 8305): when the dial begins, with which family, and what joins in later. */
#include "dial_kit.h"
#include "gate/dial_addresses.h"
#include "give_up.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Times are counted from the dial's start. A busy machine makes each longer, so the shortest of
 * five counts. */
struct timed_row {
    const char *name;
    struct zone zone;
    unsigned last; /* the server listens on 127.0.0.LAST */
    uint64_t at_least_ms;
    uint64_t before_ms;
};

static const struct timed_row timed_rows[] = {
    {"both at once", {.a = 1, .aaaa = 1, .is_loopback = true}, 1, 0, 50},
    {"A, and no AAAA", {.a = 1, .is_loopback = true}, 1, 0, 50},
    {"A, and silence", {.a = 1, .is_loopback = true, .aaaa_way = STUB_SILENT}, 1, 50, 300},
    {"A, and a late AAAA",
     {.a = 1, .aaaa = 1, .is_loopback = true, .late_type = TYPE_AAAA, .late_ms = 200},
     1,
     50,
     190},
    {"A, and NXDOMAIN", {.a = 1, .is_loopback = true, .aaaa_way = STUB_NXDOMAIN}, 1, 0, 50},
    {"A, and SERVFAIL", {.a = 1, .is_loopback = true, .aaaa_way = STUB_SERVFAIL}, 1, 0, 300},
    {"A over TCP, and silence",
     {.a = 2, .is_loopback = true, .aaaa_way = STUB_SILENT, .is_truncated = true},
     2,
     50,
     300},
    {"AAAA refuses, and a late A",
     {.a = 1, .aaaa = 1, .is_loopback = true, .late_type = TYPE_A, .late_ms = 100},
     1,
     100,
     400},
};

static uint64_t dial_once(const struct timed_row *row)
{
    size_t blocks = mem_live_blocks();
    static struct world w;
    world_open(&w, &row->zone, row->last);
    w.plan.timeout_ms = 2000;
    add_name(&w);
    uint64_t begin_ms = reactor_now_ms(w.reactor);
    (void)dial(&w);
    uint64_t took_ms = reactor_now_ms(w.reactor) - begin_ms;
    CHECK_EQ_INT(row->name, w.result, DIAL_OK);
    world_close(row->name, &w);
    CHECK_EQ_U64(row->name, mem_live_blocks(), blocks);
    return took_ms;
}

static void test_when_it_begins(void)
{
    for (size_t i = 0; i < COUNT(timed_rows); i++) {
        const struct timed_row *row = &timed_rows[i];
        uint64_t shortest_ms = UINT64_MAX;
        for (int tries = 0; tries < 5 && shortest_ms >= row->before_ms; tries++) {
            uint64_t took_ms = dial_once(row);
            shortest_ms = took_ms < shortest_ms ? took_ms : shortest_ms;
        }
        CHECK_TRUE(row->name, shortest_ms >= row->at_least_ms);
        CHECK_TRUE(row->name, shortest_ms < row->before_ms);
    }
}

/* Listens on [::1] with the world's port too; -1: no IPv6 here, or the port is taken. */
static int listen_ipv6(const struct world *w)
{
    char text[ADDR_TEXT_MAX];
    struct addr a;
    const char *detail = NULL;
    snprintf(text, sizeof(text), "[::1]:%u", w->port);
    return addr_parse(span_from_str(text), &a) ? net_listen(&a, &detail) : -1;
}

static bool is_called(int listener)
{
    struct addr peer;
    int fd = -1;
    if (net_accept(listener, &fd, &peer) != NET_ACCEPT_OK) {
        return false;
    }
    net_close(fd);
    return true;
}

/* True when the dial reached [::1]; both addresses accept. */
static bool is_ipv6_chosen(const char *row, const struct zone *zone, bool *out_has_ipv6)
{
    static struct world w;
    world_open(&w, zone, 1);
    int ipv6 = listen_ipv6(&w);
    bool is_chosen = false;
    *out_has_ipv6 = ipv6 >= 0;
    if (ipv6 >= 0) {
        add_name(&w);
        (void)dial(&w);
        CHECK_EQ_INT(row, w.result, DIAL_OK);
        is_chosen = is_called(ipv6);
        CHECK_EQ_INT(row, is_called(w.listener), !is_chosen);
        net_close(ipv6);
    }
    world_close(row, &w);
    return is_chosen;
}

static void test_which_family(void)
{
    static const struct {
        const char *name;
        struct zone zone;
        bool is_ipv6;
    } rows[] = {
        {"both at once", {.a = 2, .aaaa = 1, .is_loopback = true}, true},
        {"AAAA a little later",
         {.a = 1, .aaaa = 1, .is_loopback = true, .late_type = TYPE_AAAA, .late_ms = 5},
         true},
        {"AAAA too late",
         {.a = 1, .aaaa = 1, .is_loopback = true, .late_type = TYPE_AAAA, .late_ms = 150},
         false},
        {"AAAA without an address",
         {.a = 1, .is_loopback = true, .late_type = TYPE_AAAA, .late_ms = 5},
         false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        bool has_ipv6 = true;
        bool is_right = false;
        for (int tries = 0; tries < 5 && has_ipv6 && !is_right; tries++) {
            is_right = is_ipv6_chosen(rows[i].name, &rows[i].zone, &has_ipv6) == rows[i].is_ipv6;
        }
        CHECK_TRUE(rows[i].name, is_right || !has_ipv6);
    }
}

/* Two addresses of each family, and the order in which they are handed out. RFC 6724 puts IPv4 in
 * front of the kinds of IPv6 that seldom lead anywhere. */
static void test_order(void)
{
    static const struct {
        const char *ipv6[2];
        const char *order;
    } rows[] = {
        {{"::1", "::1"}, "6464"},         {{"fd00::1", "fd00::2"}, "4646"},
        {{"fe80::1", "fe80::2"}, "4646"}, {{"2002:a00:1::1", "2002:a00:1::2"}, "4646"},
        {{"2001::1", "2001::2"}, "4646"},
    };
    struct addr ipv4[2];
    struct addr ipv6[2];
    for (size_t i = 0; i < COUNT(rows); i++) {
        static struct dial_addresses list;
        char order[5] = "";
        for (size_t j = 0; j < 2; j++) {
            CHECK_TRUE("IPv6", addr_parse_host(span_from_str(rows[i].ipv6[j]), 1, &ipv6[j]));
            CHECK_TRUE("IPv4", addr_parse_host(SPAN_LIT("127.0.0.1"), 1, &ipv4[j]));
        }
        dial_addresses_init(&list, NULL, 0);
        const struct resolver_answer four = {.addrs = ipv4, .count = 2};
        const struct resolver_answer six = {.is_ipv6 = true, .addrs = ipv6, .count = 2};
        dial_addresses_add(&list, &four);
        dial_addresses_add(&list, &six);
        for (size_t j = 0; j < 4 && !dial_addresses_is_empty(&list); j++) {
            order[j] = dial_addresses_take(&list)->u.sa.sa_family == AF_INET6 ? '6' : '4';
        }
        CHECK_TRUE("all handed out", dial_addresses_is_empty(&list));
        struct addr source;
        bool has_ipv6 = net_source_addr(&ipv6[0], &source);
        CHECK_EQ_STR(rows[i].ipv6[0], order, i == 0 && !has_ipv6 ? "4646" : rows[i].order);
    }
}

struct silent {
    int listeners[6];
    int fillers[6][2];
    unsigned count;
};

static void close_silent(struct silent *s)
{
    while (s->count > 0) {
        s->count--;
        net_close(s->fillers[s->count][0]);
        net_close(s->fillers[s->count][1]);
        net_close(s->listeners[s->count]);
    }
}

/* A world whose port stays silent at 127.0.0.1 to 127.0.0.`count`. Some other program may have the
 * port there: then another one. */
static void world_open_silent(struct world *w, const struct zone *zone, unsigned last,
                              struct silent *s, unsigned count)
{
    for (int tries = 0; tries < 20; tries++) {
        s->count = 0;
        world_open(w, zone, last);
        while (s->count < count) {
            int fd = open_silent(s->count + 1, w->port, s->fillers[s->count]);
            if (fd < 0) {
                break;
            }
            s->listeners[s->count++] = fd;
        }
        if (s->count == count) {
            return;
        }
        close_silent(s);
        world_close("a taken port", w);
    }
    GIVE_UP();
}

/* Silent addresses do not keep the dial from a good one, in whatever place. */
static void test_silent_addresses(void)
{
    for (unsigned silent = 1; silent <= 6; silent++) {
        static struct world w;
        const struct zone zone = {.a = silent + 1, .is_loopback = true};
        struct silent s;
        size_t blocks = mem_live_blocks();
        world_open_silent(&w, &zone, silent + 1, &s, silent);
        w.plan.timeout_ms = 10000;
        add_name(&w);
        uint64_t begin_ms = reactor_now_ms(w.reactor);
        (void)dial(&w);
        CHECK_EQ_INT("silent ones", w.result, DIAL_OK);
        CHECK_TRUE("silent ones", reactor_now_ms(w.reactor) - begin_ms >= 240UL * silent);
        CHECK_TRUE("silent ones", reactor_now_ms(w.reactor) - begin_ms < 5000);
        close_silent(&s);
        world_close("silent ones", &w);
        CHECK_EQ_U64("silent ones", mem_live_blocks(), blocks);
        silent = silent == 1 ? 4 : silent; /* 1, 5, 6 */
    }
}

/* All attempts stay silent: the reason is the time, also for those that gave way. On a machine
 * under load the time may end before the name is known; then there is more of it. */
static void test_only_silent(void)
{
    static struct world w;
    const struct zone zone = {.a = 1, .is_loopback = true};
    w.result = DIAL_NAME;
    for (uint64_t timeout_ms = 300; w.result == DIAL_NAME && timeout_ms < 10000; timeout_ms *= 3) {
        struct silent s;
        world_open_silent(&w, &zone, 9, &s, 1);
        w.plan.timeout_ms = timeout_ms;
        add_name(&w);
        (void)dial(&w);
        close_silent(&s);
        world_close("only silent", &w);
    }
    CHECK_EQ_INT("only silent", w.result, DIAL_TIMEOUT);
    CHECK_EQ_STR("only silent", w.detail, "no answer within connect_timeout");
}

/* Without descriptors, or without memory, nothing is said of the backend. */
static void test_exhausted(void)
{
    static struct world w;
    const struct zone zone = {.a = 1, .is_loopback = true};
    struct rlimit old;
    getrlimit(RLIMIT_NOFILE, &old);
    const struct rlimit low = {.rlim_cur = 0, .rlim_max = old.rlim_max};
    for (int is_name = 0; is_name < 2; is_name++) {
        world_open(&w, &zone, 1);
        if (is_name) {
            add_name(&w);
        } else {
            add_literal(&w, "127.0.0.1");
        }
        setrlimit(RLIMIT_NOFILE, &low);
        (void)dial(&w);
        setrlimit(RLIMIT_NOFILE, &old);
        CHECK_EQ_INT("no descriptors", w.result, DIAL_EXHAUSTED);
        world_close("no descriptors", &w);
    }
    for (uint64_t n = 2; n <= 3; n++) {
        world_open(&w, &zone, 1);
        add_name(&w);
        mem_fail_after(n);
        struct dial *d = dial_start(w.reactor, w.resolver, &w.scratch, &w.plan, on_decided, &w);
        mem_fail_after(0);
        CHECK_TRUE("no memory", d != NULL && dial_is_decided(d));
        if (d != NULL) {
            const struct dial_outcome outcome = dial_finish(d, &w.conn, &w.candidate);
            CHECK_EQ_INT("no memory", outcome.result, DIAL_NO_MEMORY);
            CHECK_EQ_STR("no memory", outcome.detail, "out of memory");
        }
        world_close("no memory", &w);
    }
}

/* --- addresses that are denied --------------------------------------------------------------- */

/* Denies 127.0.0.1 and all of IPv6, and counts how often it is asked. */
static unsigned judged;
static const char *deny_some(void *owner, const struct addr *to)
{
    struct addr first;
    (void)owner;
    judged++;
    bool is_first =
        addr_parse_host(SPAN_LIT("127.0.0.1"), addr_port(to), &first) && addr_is_equal(to, &first);
    return is_first || to->u.sa.sa_family == AF_INET6 ? "denied" : NULL;
}

static const struct {
    const char *name;
    struct zone zone;
    const char *literal; /* NULL: a name */
    enum dial_result result;
    unsigned judged;
} denied_rows[] = {
    {"allowed", {0}, "127.0.0.2", DIAL_OK, 1},
    {"denied", {0}, "127.0.0.1", DIAL_DENIED, 1},
    {"denied IPv6", {0}, "::1", DIAL_DENIED, 1},
    {"an allowed one refuses", {0}, "127.0.0.3", DIAL_REFUSED, 1},
    {"the only one", {.a = 1, .is_loopback = true}, NULL, DIAL_DENIED, 1},
    {"the only family", {.aaaa = 2, .is_loopback = true}, NULL, DIAL_DENIED, 2},
    {"all", {.a = 1, .aaaa = 3, .is_loopback = true}, NULL, DIAL_DENIED, 4},
    {"the second is allowed", {.a = 2, .aaaa = 2, .is_loopback = true}, NULL, DIAL_OK, 4},
    {"and the other family fails",
     {.a = 1, .is_loopback = true, .aaaa_way = STUB_SERVFAIL},
     NULL,
     DIAL_DENIED,
     1},
    {"nothing to deny", {.way = STUB_NXDOMAIN}, NULL, DIAL_NAME, 0},
};

static void test_denied(void)
{
    for (size_t i = 0; i < COUNT(denied_rows); i++) {
        const char *name = denied_rows[i].name;
        static struct world w;
        size_t blocks = mem_live_blocks();
        world_open(&w, &denied_rows[i].zone, 2);
        w.plan.judge = deny_some;
        judged = 0;
        if (denied_rows[i].literal != NULL) {
            add_literal(&w, denied_rows[i].literal);
        } else {
            add_name(&w);
        }
        (void)dial(&w);
        CHECK_EQ_INT(name, w.result, denied_rows[i].result);
        CHECK_EQ_U64(name, judged, denied_rows[i].judged);
        world_close(name, &w);
        CHECK_EQ_U64(name, mem_live_blocks(), blocks);
    }
}

/* The next candidate has its turn, and the one that tells more is told. */
static void test_denied_and_another(void)
{
    struct zone zone = {.a = 1, .is_loopback = true};
    static struct world w;
    world_open(&w, &zone, 2);
    w.plan.judge = deny_some;
    add_name(&w);
    add_literal(&w, "127.0.0.1");
    add_literal(&w, "127.0.0.2");
    (void)dial(&w);
    CHECK_EQ_INT("the third", w.result, DIAL_OK);
    CHECK_EQ_U64("the third", w.candidate, 2);
    world_close("the third", &w);
    world_open(&w, &zone, 2);
    w.plan.judge = deny_some;
    add_literal(&w, "127.0.0.3");
    add_name(&w);
    (void)dial(&w);
    CHECK_EQ_INT("refused", w.result, DIAL_REFUSED);
    CHECK_EQ_U64("refused", w.candidate, 0);
    world_close("refused", &w);
}

CU_TestInfo dial_names_tests[] = {
    {"when it begins", test_when_it_begins},
    {"with which family", test_which_family},
    {"in which order", test_order},
    {"silent addresses", test_silent_addresses},
    {"only a silent address", test_only_silent},
    {"out of descriptors and memory", test_exhausted},
    {"addresses that are denied", test_denied},
    {"a denied candidate and another", test_denied_and_another},
    CU_TEST_INFO_NULL,
};
