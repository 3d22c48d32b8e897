/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/target.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "suites.h"
#include "target_rows.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Reads a copy that ends where the text ends. */
static const char *parse_copy(const char *text, char **out_copy, struct target *out)
{
    size_t len = strlen(text);
    *out_copy = malloc(len + 1);
    memcpy(*out_copy, text, len);
    return target_parse((struct span){*out_copy, len}, out);
}

static void check_good(const struct target_row *row, const struct target *target)
{
    static const struct target_rules none = {.allow_count = 0};
    bool has_address = target->is_literal || target->is_unix;
    CHECK_EQ_INT(row->text, has_address, row->want != NAME);
    CHECK_EQ_INT(row->text, target->is_tls, strncmp(row->text, "tls:", 4) == 0);
    if (!has_address) {
        return;
    }
    const char *detail = target_judge(&none, &target->address);
    CHECK_EQ_INT(row->text, detail == NULL, row->want == GLOBAL);
    CHECK_TRUE(row->text,
               detail == NULL || (row->part != NULL && strstr(detail, row->part) != NULL));
    CHECK_EQ_U64(row->text, addr_port(&target->address), target->is_unix ? 0 : target->port);
}

static void test_spellings(void)
{
    CHECK_TRUE("rows", COUNT(target_rows) >= 120);
    for (size_t i = 0; i < COUNT(target_rows); i++) {
        const struct target_row *row = &target_rows[i];
        struct target target;
        char *copy = NULL;
        const char *mistake = parse_copy(row->text, &copy, &target);
        CHECK_EQ_INT(row->text, mistake != NULL, row->want == REFUSED);
        if (mistake != NULL) {
            CHECK_TRUE(row->text, row->part != NULL && strstr(mistake, row->part) != NULL);
        } else {
            check_good(row, &target);
        }
        free(copy);
    }
}

/* No beginning of a target is another target that nobody wrote, but for its port and name. */
static void test_cut(void)
{
    for (size_t i = 0; i < COUNT(target_rows); i++) {
        char text[128];
        size_t len = strlen(target_rows[i].text);
        for (size_t cut = 0; cut <= len; cut++) {
            struct target target;
            memcpy(text, target_rows[i].text, cut);
            text[cut] = '\0';
            char *copy = NULL;
            const char *mistake = parse_copy(text, &copy, &target);
            CHECK_TRUE(text, mistake == NULL || strlen(mistake) > 10);
            CHECK_TRUE(text, mistake != NULL || target.is_unix || target.port > 0);
            free(copy);
        }
    }
}

static void test_long(void)
{
    char text[400];
    struct target target;
    memset(text, 'x', sizeof(text));
    memcpy(text, "unix:/", 6);
    CHECK_TRUE("107", target_parse((struct span){text, 5 + 107}, &target) == NULL);
    CHECK_TRUE("108", target_parse((struct span){text, 5 + 108}, &target) != NULL);
    memset(text, 'x', sizeof(text));
    for (size_t i = 50; i < 250; i += 51) {
        text[i] = '.';
    }
    memcpy(text + 253, ":1", 2);
    CHECK_TRUE("253", target_parse((struct span){text, 255}, &target) == NULL);
    CHECK_EQ_U64("253", target.host.len, 253);
    memcpy(text + 253, "x:1", 3);
    CHECK_TRUE("254", target_parse((struct span){text, 256}, &target) != NULL);
}

/* --- rules ----------------------------------------------------------------------------------- */

#define RULES_MAX 4

struct rule_row {
    const char *name;
    const char *allow[RULES_MAX];
    const char *deny[RULES_MAX];
    const char *target;
    const char *part; /* NULL: it may be connected to */
};

static const struct rule_row rule_rows[] = {
    {"listed", {"127.0.0.0/8"}, {0}, "127.0.0.1:1", NULL},
    {"narrower", {"127.0.0.1"}, {0}, "127.0.0.1:1", NULL},
    {"a neighbour", {"127.0.0.1"}, {0}, "127.0.0.2:1", "loopback"},
    {"as wide as all", {"0.0.0.0/0"}, {0}, "127.0.0.1:1", "loopback"},
    {"a bit too wide", {"126.0.0.0/7"}, {0}, "127.0.0.1:1", "loopback"},
    {"all, and listed", {"0.0.0.0/0", "127.0.0.0/8"}, {0}, "127.0.0.1:1", NULL},
    {"all for a global one", {"0.0.0.0/0"}, {0}, "8.8.8.8:1", NULL},
    {"all of IPv4 only", {"0.0.0.0/0"}, {0}, "[2606::1]:1", "does not list"},
    {"private", {"10.0.0.0/8"}, {0}, "10.1.1.1:1", NULL},
    {"half of it", {"10.0.0.0/9"}, {0}, "10.128.1.1:1", "private"},
    {"global is not in it", {"10.0.0.0/8"}, {0}, "8.8.8.8:1", "does not list"},
    {"denied", {0}, {"8.8.8.0/24"}, "8.8.8.8:1", "target_deny"},
    {"denied by all", {0}, {"0.0.0.0/0"}, "8.8.8.8:1", "target_deny"},
    {"deny wins", {"10.0.0.0/8"}, {"10.0.0.1"}, "10.0.0.1:1", "target_deny"},
    {"deny spares", {"10.0.0.0/8"}, {"10.0.0.1"}, "10.0.0.2:1", NULL},
    {"metadata in link-local", {"169.254.0.0/16"}, {0}, "169.254.169.254:1", "metadata"},
    {"link-local", {"169.254.0.0/16"}, {0}, "169.254.1.1:1", NULL},
    {"metadata by itself", {"169.254.169.254"}, {0}, "169.254.169.254:1", NULL},
    {"metadata in private", {"fc00::/7"}, {0}, "[fd00:ec2::254]:1", "metadata"},
    {"metadata in shared", {"100.64.0.0/10"}, {0}, "100.100.100.200:1", "metadata"},
    {"unique local", {"fd12::/16"}, {0}, "[fd12::1]:1", NULL},
    {"mapped", {"127.0.0.0/8"}, {0}, "[::ffff:127.0.0.1]:1", NULL},
    {"a mapped rule", {"::ffff:127.0.0.0/104"}, {0}, "127.0.0.1:1", NULL},
    {"mapped and denied", {0}, {"8.8.8.8"}, "[::ffff:8.8.8.8]:1", "target_deny"},
    {"NAT64 of a denied one", {0}, {"8.8.8.8"}, "[64:ff9b::8.8.8.8]:1", "target_deny"},
    {"NAT64 of a private one", {"64:ff9b::/96"}, {0}, "[64:ff9b::10.0.0.1]:1", "within"},
    {"NAT64, both listed", {"64:ff9b::/96", "10.0.0.0/8"}, {0}, "[64:ff9b::10.0.0.1]:1", NULL},
    {"NAT64 of a listed one", {"10.0.0.0/8"}, {0}, "[64:ff9b::10.0.0.1]:1", "does not list"},
    {"local NAT64", {"64:ff9b:1::/48"}, {0}, "[64:ff9b:1::8.8.8.8]:1", NULL},
    {"local NAT64, loopback", {"64:ff9b:1::/48"}, {0}, "[64:ff9b:1::127.0.0.1]:1", "within"},
    {"local NAT64, /48", {"64:ff9b:1::/48"}, {0}, "[64:ff9b:1:7f00:0:100::]:1", "within"},
    {"local NAT64, /56", {"64:ff9b:1::/48"}, {0}, "[64:ff9b:1:7f:0:1::]:1", "within"},
    {"local NAT64, /64", {"64:ff9b:1::/48"}, {0}, "[64:ff9b:1:0:7f:0:100:0]:1", "within"},
    {"6to4, outer listed", {"2002::/16"}, {0}, "[2002:7f00:1::1]:1", "within"},
    {"compatible, listed", {"::/96"}, {0}, "[::8.8.8.8]:1", NULL},
    {"compatible, loopback", {"::/96"}, {0}, "[::127.0.0.1]:1", "within"},
    {"SIIT, loopback", {"::ffff:0:0:0/96"}, {0}, "[::ffff:0:127.0.0.1]:1", "within"},
    {"a socket", {"unix:/run/a"}, {0}, "unix:/run/a", NULL},
    {"another socket", {"unix:/run/a"}, {0}, "unix:/run/ab", "Unix socket"},
    {"below", {"unix:/run/desks/"}, {0}, "unix:/run/desks/a/b", NULL},
    {"beside", {"unix:/run/desks/"}, {0}, "unix:/run/desks2/a", "Unix socket"},
    {"a socket of no list", {"10.0.0.0/8"}, {0}, "unix:/run/a", "Unix socket"},
    {"a list of sockets", {"unix:/run/"}, {0}, "8.8.8.8:1", "does not list"},
    {"a denied socket", {"unix:/run/"}, {"unix:/run/x/"}, "unix:/run/x/a", "target_deny"},
};

static size_t read_rules(const char *const texts[RULES_MAX], struct target_rule *out)
{
    size_t count = 0;
    while (count < RULES_MAX && texts[count] != NULL) {
        CHECK_TRUE(texts[count], target_rule_parse(span_from_str(texts[count]), &out[count]));
        count++;
    }
    return count;
}

static void test_rules(void)
{
    for (size_t i = 0; i < COUNT(rule_rows); i++) {
        const struct rule_row *row = &rule_rows[i];
        struct target_rule allow[RULES_MAX];
        struct target_rule deny[RULES_MAX];
        struct target_rules rules = {.allow = allow, .deny = deny};
        struct target target;
        rules.allow_count = read_rules(row->allow, allow);
        rules.deny_count = read_rules(row->deny, deny);
        CHECK_TRUE(row->name, target_parse(span_from_str(row->target), &target) == NULL);
        const char *detail = target_judge(&rules, &target.address);
        CHECK_EQ_INT(row->name, detail == NULL, row->part == NULL);
        CHECK_TRUE(row->name,
                   detail == NULL || row->part == NULL || strstr(detail, row->part) != NULL);
    }
}

static void test_bad_rules(void)
{
    static const char *const texts[] = {
        "",           "10.0.0.1/8",   "10.0.0.0/33",  "127.1",      "loopback",
        "fe80::1%lo", "::1/129",      "unix",         "unix:",      "unix:/",
        "unix:run",   "unix:/a/../b", "unix:/a/./b",  "unix://a",   "tcp://10.0.0.1",
        "10.0.0.1:1", "desk.example", "0x7f.0.0.0/8", "[::1]/128x",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct target_rule rule;
        CHECK_FALSE(texts[i], target_rule_parse(span_from_str(texts[i]), &rule));
    }
}

CU_TestInfo target_tests[] = {
    {"every spelling of an address", test_spellings},
    {"targets that are cut off", test_cut},
    {"long paths and names", test_long},
    {"target_allow and target_deny", test_rules},
    {"bad entries", test_bad_rules},
    CU_TEST_INFO_NULL,
};
