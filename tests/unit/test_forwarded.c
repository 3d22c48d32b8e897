/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/forwarded.h"

#include <stdlib.h>

#include "check.h"
#include "forwarded_rows.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT_MAX 512

static struct addr_cidr trusted[2];
static struct forwarded_trust trust = {.blocks = trusted, .count = 2};

static void trust_some(void)
{
    CHECK_TRUE("v4", addr_cidr_parse(SPAN_LIT("10.0.0.0/8"), &trusted[0]));
    CHECK_TRUE("v6", addr_cidr_parse(SPAN_LIT("2001:db8:1::/48"), &trusted[1]));
}

static struct addr addr_of(const char *text)
{
    struct addr a;
    CHECK_TRUE(text, addr_parse(span_from_str(text), &a));
    return a;
}

static struct forwarded_lines lines_of(struct span text)
{
    struct forwarded_lines lines = {.count = 0};
    struct span rest = text;
    while (rest.data != NULL && lines.count < FORWARDED_LINES_MAX) {
        size_t len = span_find(rest, '\n');
        lines.values[lines.count++] = (struct span){rest.data, len};
        rest = len < rest.len ? (struct span){rest.data + len + 1, rest.len - len - 1}
                              : (struct span){NULL, 0};
    }
    return lines;
}

static const char *describe(const struct forwarded *f, char text[TEXT_MAX])
{
    static const char *const ends[] = {"PEER", "FOUND", "HIDDEN", "MALFORMED", "TOO_MANY"};
    char client[ADDR_TEXT_MAX];
    snprintf(text, TEXT_MAX, "%s %s %.*s %zu", ends[f->end],
             addr_print(&f->client, client, sizeof(client)), f->host.len > 0 ? (int)f->host.len : 1,
             f->host.len > 0 ? f->host.data : "-", f->hops);
    return text;
}

/* The list stands in memory of its own size, so that the sanitizer sees a read beside it. */
static struct span copy_of(const char *text)
{
    if (text == NULL) {
        return (struct span){NULL, 0};
    }
    size_t len = strlen(text);
    char *copy = malloc(len + 1);
    memcpy(copy, text, len);
    return (struct span){copy, len};
}

static void check_rows(enum forwarded_kind kind, const struct forwarded_row *rows, size_t count)
{
    struct addr peer = addr_of("10.0.0.1:5000");
    trust_some();
    for (size_t i = 0; i < count; i++) {
        char text[TEXT_MAX];
        struct forwarded got;
        struct span list = copy_of(rows[i].list);
        struct span host_list = copy_of(rows[i].hosts);
        struct forwarded_lines lines = lines_of(list);
        struct forwarded_lines hosts = lines_of(host_list);
        forwarded_find(kind, &lines, &hosts, NULL, &peer, &trust, &got);
        CHECK_EQ_STR(rows[i].name, describe(&got, text), rows[i].want);
        bool is_good = got.end == FORWARDED_PEER || got.end == FORWARDED_FOUND;
        CHECK_EQ_INT(rows[i].name, got.detail[0] == '\0', is_good);
        free((char *)(uintptr_t)list.data);
        free((char *)(uintptr_t)host_list.data);
    }
}

static void test_x(void)
{
    check_rows(FORWARDED_X, x_rows, COUNT(x_rows));
}

static void test_rfc7239(void)
{
    check_rows(FORWARDED_RFC7239, rfc7239_rows, COUNT(rfc7239_rows));
}

/* A list that is cut in front, anywhere, gives the same client, as long as what named it is there.
 */
static void test_cut_in_front(void)
{
    static const char *const lists[] = {
        "garbage\", 6.6.6.6, \"x, 192.0.2.1, 10.0.0.2",
        "for=\"x\\\", y;for=\"6.6.6.6, for=192.0.2.1, for=10.0.0.2;x=\"a, \\\"b\"",
    };
    static const char *const from[] = {"192.0.2.1,", "for=192.0.2.1,"};
    struct addr peer = addr_of("10.0.0.1:5000");
    struct forwarded_lines hosts = {.count = 0};
    trust_some();
    for (size_t i = 0; i < 2; i++) {
        const char *end = strstr(lists[i], from[i]);
        for (const char *begin = lists[i]; begin <= end; begin++) {
            char text[TEXT_MAX];
            struct forwarded got;
            struct forwarded_lines lines = lines_of(span_from_str(begin));
            forwarded_find(i == 0 ? FORWARDED_X : FORWARDED_RFC7239, &lines, &hosts, NULL, &peer,
                           &trust, &got);
            CHECK_EQ_STR(begin, describe(&got, text), "FOUND 192.0.2.1:0 - 2");
        }
    }
}

static void test_trust(void)
{
    static const struct {
        const char *peer;
        bool has_unix;
        const char *want;
    } rows[] = {
        {"10.0.0.1:5000", false, "FOUND 192.0.2.1:0 a.example 1"},
        {"[2001:db8:1::1]:5000", false, "FOUND 192.0.2.1:0 a.example 1"},
        {"11.0.0.1:5000", true, "PEER 11.0.0.1:5000 - 0"},
        {"[2001:db8:2::1]:5000", false, "PEER [2001:db8:2::1]:5000 - 0"},
        {"/run/a", false, "PEER unix:/run/a - 0"},
        {"/run/a", true, "FOUND 192.0.2.1:0 a.example 1"},
    };
    struct forwarded_lines lines = lines_of(SPAN_LIT("192.0.2.1"));
    struct forwarded_lines hosts = lines_of(SPAN_LIT("a.example"));
    trust_some();
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[TEXT_MAX];
        struct addr peer;
        struct forwarded got;
        struct addr_cidr blocks[3] = {trusted[0], trusted[1], {.family = AF_UNIX}};
        struct forwarded_trust some = {.blocks = blocks, .count = rows[i].has_unix ? 3 : 2};
        CHECK_TRUE(rows[i].peer, addr_from_unix_path(span_from_str(rows[i].peer), &peer));
        if (rows[i].peer[0] != '/') {
            peer = addr_of(rows[i].peer);
        }
        forwarded_find(FORWARDED_X, &lines, &hosts, NULL, &peer, &some, &got);
        CHECK_EQ_STR(rows[i].peer, describe(&got, text), rows[i].want);
    }
    const struct forwarded_trust nobody = {.count = 0};
    struct addr none = {.len = 0};
    CHECK_FALSE("nobody", forwarded_is_trusted(&nobody, &(struct addr){.len = 0}));
    CHECK_FALSE("no address", forwarded_is_trusted(&trust, &none));
}

static void test_scheme(void)
{
    static const struct {
        const char *list;
        const char *schemes; /* NULL: `list` is of Forwarded */
        const char *want;
    } rows[] = {
        {"192.0.2.1", "https", "https"},
        {"192.0.2.1", "", ""},
        {"192.0.2.1", "http, https", "https"},
        {"192.0.2.1, 10.0.0.2", "https", "https"},
        {"192.0.2.1, 10.0.0.2", "https, http", "https"},
        {"192.0.2.1, 10.0.0.2", "wss, https, http", "https"},
        {"", "https", ""},
        {"for=192.0.2.1;proto=https", NULL, "https"},
        {"for=192.0.2.1", NULL, ""},
        {"for=192.0.2.1;proto=https, for=10.0.0.2;proto=http", NULL, "https"},
        {"for=192.0.2.1, for=10.0.0.2;proto=https", NULL, "https"},
        {"for=6.6.6.6;proto=https, for=192.0.2.1;proto=http", NULL, "http"},
    };
    struct addr peer = addr_of("10.0.0.1:5000");
    trust_some();
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct forwarded got;
        bool is_x = rows[i].schemes != NULL;
        struct forwarded_lines lines = lines_of(span_from_str(rows[i].list));
        struct forwarded_lines schemes =
            lines_of(is_x ? span_from_str(rows[i].schemes) : (struct span){NULL, 0});
        forwarded_find(is_x ? FORWARDED_X : FORWARDED_RFC7239, &lines, NULL, &schemes, &peer,
                       &trust, &got);
        CHECK_EQ_MEM(rows[i].list, got.scheme.data, got.scheme.len, rows[i].want,
                     strlen(rows[i].want));
    }
}

/* --- bounds ---------------------------------------------------------------------------------- */

static void test_hops(void)
{
    char list[FORWARDED_HOPS_MAX * 12 + 32];
    struct addr peer = addr_of("10.0.0.1:5000");
    trust_some();
    for (size_t proxies = FORWARDED_HOPS_MAX - 2; proxies <= FORWARDED_HOPS_MAX; proxies++) {
        struct forwarded got;
        size_t len = (size_t)snprintf(list, sizeof(list), "192.0.2.1");
        for (size_t i = 0; i < proxies; i++) {
            len += (size_t)snprintf(list + len, sizeof(list) - len, ", 10.0.0.2");
        }
        struct forwarded_lines lines = lines_of((struct span){list, len});
        forwarded_find(FORWARDED_X, &lines, NULL, NULL, &peer, &trust, &got);
        CHECK_EQ_INT("hops", got.end,
                     proxies < FORWARDED_HOPS_MAX ? FORWARDED_FOUND : FORWARDED_TOO_MANY);
        CHECK_TRUE("hops", got.hops <= FORWARDED_HOPS_MAX);
    }
}

/* A value as long as a head can be is read once, whatever it holds. */
static void test_long(void)
{
    enum { LONG = 1024 * 1024 };
    static const char *const pieces[] = {"\\", "\"", "\\\"", ",",      " ",
                                         ";",  "a",  "\",",  "\\\\\"", ",\""};
    static char text[LONG];
    struct addr peer = addr_of("10.0.0.1:5000");
    trust_some();
    for (size_t i = 0; i < COUNT(pieces); i++) {
        struct forwarded got;
        size_t len = strlen(pieces[i]);
        for (size_t at = 0; at < LONG; at++) {
            text[at] = pieces[i][at % len];
        }
        for (size_t cut = 0; cut < 3; cut++) {
            struct forwarded_lines lines = {.values = {{text, LONG - cut}}, .count = 1};
            forwarded_find(FORWARDED_RFC7239, &lines, NULL, NULL, &peer, &trust, &got);
            CHECK_TRUE(pieces[i], got.end != FORWARDED_FOUND);
            forwarded_find(FORWARDED_X, &lines, &lines, NULL, &peer, &trust, &got);
            CHECK_TRUE(pieces[i], got.end != FORWARDED_FOUND);
        }
    }
}

/* --- lines of a request ----------------------------------------------------------------------- */

struct fake_head {
    const char *const *values;
    size_t count;
};

static bool next_fake(const void *head, struct span name, size_t *at, struct span *out_value)
{
    const struct fake_head *fake = head;
    CHECK_EQ_MEM("name", name.data, name.len, "Forwarded", 9);
    if (*at == fake->count) {
        return false;
    }
    *out_value = span_from_str(fake->values[(*at)++]);
    return true;
}

static void test_collect(void)
{
    static const char *const values[20] = {
        "for=6.6.6.6",  "for=192.0.2.1", "for=10.0.0.2", "for=10.0.0.2", "for=10.0.0.2",
        "for=10.0.0.2", "for=10.0.0.2",  "for=10.0.0.2", "for=10.0.0.2", "for=10.0.0.2",
        "for=10.0.0.2", "for=10.0.0.2",  "for=10.0.0.2", "for=10.0.0.2", "for=10.0.0.2",
        "for=10.0.0.2", "for=10.0.0.2",  "for=10.0.0.2", "for=10.0.0.2", "for=10.0.0.3"};
    struct addr peer = addr_of("10.0.0.1:5000");
    trust_some();
    for (size_t count = 0; count <= COUNT(values); count++) {
        const struct fake_head head = {values, count};
        const struct request request = {.head = &head, .next_header = next_fake};
        struct forwarded_lines lines;
        struct forwarded got;
        forwarded_collect(&request, SPAN_LIT("Forwarded"), &lines);
        CHECK_EQ_U64("lines", lines.count, size_min(count, FORWARDED_LINES_MAX));
        CHECK_EQ_INT("cut", lines.is_cut, count > FORWARDED_LINES_MAX);
        if (count > 0) {
            struct span last = lines.values[lines.count - 1];
            CHECK_EQ_MEM("last", last.data, last.len, values[count - 1], strlen(values[count - 1]));
        }
        forwarded_find(FORWARDED_RFC7239, &lines, NULL, NULL, &peer, &trust, &got);
        enum forwarded_end want = count == 0                        ? FORWARDED_PEER
                                  : count > FORWARDED_LINES_MAX + 1 ? FORWARDED_TOO_MANY
                                                                    : FORWARDED_FOUND;
        CHECK_EQ_INT("end", got.end, want);
    }
}

CU_TestInfo forwarded_tests[] = {
    {"X-Forwarded-For", test_x},
    {"Forwarded", test_rfc7239},
    {"what stands in front does not matter", test_cut_in_front},
    {"who is trusted", test_trust},
    {"how the client came", test_scheme},
    {"too many proxies", test_hops},
    {"long lists", test_long},
    {"header lines", test_collect},
    CU_TEST_INFO_NULL,
};
