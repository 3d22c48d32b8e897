/* SPDX-License-Identifier: GPL-3.0-or-later */
// Rows of several workers in shared memory: who has which, and that nobody reads half of one.
#include "gate/roster.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "check.h"
#include "give_up.h"
#include "proto/life.h"
#include "suites.h"

#define READS 200000

static struct roster *make(uint64_t sessions)
{
    const struct config config = {.max_sessions = sessions, .max_pending = 1};
    struct roster *roster = roster_new(&config, (const uint8_t[SIPHASH_KEY_BYTES]){7});
    if (roster == NULL) {
        GIVE_UP();
    }
    return roster;
}

static struct roster_writer writer(struct roster *roster, size_t slot)
{
    return (struct roster_writer){.roster = roster, .slot = slot};
}

// Every third party is long: it has a rest.
static bool is_long(uint64_t number)
{
    return number % 3 == 0;
}

// Every number of it is `number`.
static struct roster_entry entry_of(size_t slot, uint64_t number)
{
    struct roster_entry entry = {
        .live = {.up_bytes = number,
                 .down_bytes = number,
                 .up_messages = number,
                 .down_messages = number},
        .party = {.number = number, .started_ms = number + 1, .slot = (uint32_t)slot}};
    memset(entry.party.route, (int)('a' + number % 26), sizeof(entry.party.route) - 1);
    if (is_long(number)) {
        memcpy(entry.party.identity, entry.party.route, sizeof(entry.party.route));
    }
    return entry;
}

static size_t count(struct roster *roster)
{
    struct roster_entry entry;
    size_t found = 0;
    for (uint32_t row = roster_next(roster, 0, &entry); row != 0;
         row = roster_next(roster, row, &entry)) {
        found++;
    }
    return found;
}

static void test_rows(void)
{
    struct roster *roster = make(1000);
    struct roster_writer a = writer(roster, 0);
    struct roster_writer b = writer(roster, 5);
    struct roster_entry entry;
    uint32_t rows[300];

    CHECK_EQ_U64("none", roster_next(roster, 0, &entry), 0);
    for (size_t i = 0; i < 300; i++) {
        const struct roster_entry one = entry_of(i % 2 == 0 ? 0 : 5, i);
        rows[i] = roster_take(i % 2 == 0 ? &a : &b, &one);
        CHECK_TRUE("a row", rows[i] != 0 && rows[i] <= roster_size(roster));
    }
    CHECK_EQ_U64("all", count(roster), 300);
    CHECK_EQ_U64("at its row", roster_next(roster, rows[7] - 1, &entry), rows[7]);
    CHECK_EQ_U64("number", entry.party.number, 7);
    CHECK_EQ_U64("slot", entry.party.slot, 5);
    CHECK_EQ_STR("route", entry.party.route, "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh");
    CHECK_EQ_STR("no identity", entry.party.identity, "");

    const struct roster_live live = {.up_bytes = 4711, .phase = 4};
    roster_put_live(&b, rows[7], &live);
    CHECK_EQ_U64("again", roster_next(roster, rows[7] - 1, &entry), rows[7]);
    CHECK_EQ_U64("what moves", entry.live.up_bytes, 4711);
    CHECK_EQ_U64("what stays", entry.party.number, 7);
    const struct roster_entry other = entry_of(5, 9);
    roster_put(&b, rows[7], &other);
    CHECK_EQ_U64("again", roster_next(roster, rows[7] - 1, &entry), rows[7]);
    CHECK_EQ_U64("all of it", entry.party.number, 9);

    // A worker that strangers have taken over writes what it likes.
    struct roster_entry wild = entry_of(5, 9);
    memset(wild.party.listen, 'x', sizeof(wild.party.listen));
    memset(wild.party.route, 'x', sizeof(wild.party.route));
    memset(wild.party.backend, 'x', sizeof(wild.party.backend));
    memset(wild.party.identity, 'x', sizeof(wild.party.identity));
    roster_put(&b, rows[7], &wild);
    CHECK_EQ_U64("again", roster_next(roster, rows[7] - 1, &entry), rows[7]);
    CHECK_EQ_U64("listen", strnlen(entry.party.listen, ROSTER_NAME_MAX), ROSTER_NAME_MAX - 1);
    CHECK_EQ_U64("route", strnlen(entry.party.route, ROSTER_NAME_MAX), ROSTER_NAME_MAX - 1);
    CHECK_EQ_U64("backend", strnlen(entry.party.backend, ROSTER_BACKEND_MAX),
                 ROSTER_BACKEND_MAX - 1);
    CHECK_EQ_U64("identity", strnlen(entry.party.identity, ROSTER_IDENTITY_MAX),
                 ROSTER_IDENTITY_MAX - 1);

    for (size_t i = 0; i < 300; i += 2) {
        roster_give_back(&a, rows[i]);
    }
    CHECK_EQ_U64("half", count(roster), 150);
    roster_trim(&a);
    CHECK_EQ_U64("trimmed", count(roster), 150);
    CHECK_TRUE("a row again", roster_take(&a, &other) != 0);
    roster_clear_slot(roster, 5);
    CHECK_EQ_U64("the dead have none", count(roster), 1);
    roster_clear_slot(roster, 0);
    CHECK_EQ_U64("none", count(roster), 0);
}

static uint64_t pages_of(struct roster *roster)
{
    struct stat file;
    return fstat(roster_fd(roster), &file) == 0 ? (uint64_t)file.st_blocks * 512 / 4096 : 0;
}

// What is long comes back whole from any of its fields, takes memory, and is gone with its session.
static void test_rests(void)
{
    struct roster *roster = make(100);
    struct roster_writer w = writer(roster, 0);
    struct roster_entry entry = entry_of(0, 1);
    struct roster_entry seen;
    uint32_t row = roster_take(&w, &entry);
    uint64_t short_pages = 0;

    for (uint64_t i = 1; i < 64; i++) {
        CHECK_TRUE("a row", roster_take(&w, &entry) != 0);
    }
    CHECK_EQ_U64("all", count(roster), 64);
    short_pages = pages_of(roster);

    const struct roster_live live = {.up_bytes = 4711};
    for (size_t i = 0; i < 3; i++) {
        struct roster_entry one = entry;
        memset(one.party.backend, 'b', i == 0 ? 100 : 10);
        one.party.proxy.sin6_family = i == 1 ? AF_INET6 : 0;
        one.party.identity[0] = i == 2 ? 'x' : '\0';
        roster_put(&w, row, &one);
        roster_put_live(&w, row, &live);
        CHECK_EQ_U64("it", roster_next(roster, row - 1, &seen), row);
        CHECK_EQ_U64("what moves", seen.live.up_bytes, 4711);
        CHECK_TRUE("what stays", memcmp(&seen.party, &one.party, sizeof(one.party)) == 0);
    }
    CHECK_EQ_U64("pages more", pages_of(roster) - short_pages, 1);

    roster_put(&w, row, &entry);
    CHECK_EQ_U64("it", roster_next(roster, row - 1, &seen), row);
    CHECK_TRUE("short again", memcmp(&seen.party, &entry.party, sizeof(entry.party)) == 0);

    for (uint32_t i = 0; i < 64; i++) {
        roster_give_back(&w, row + i);
    }
    roster_trim(&w);
    CHECK_EQ_U64("pages of a chunk less", short_pages - pages_of(roster), 5);
}

// Chunks that one worker has given back are another's.
static void test_ceiling(void)
{
    struct roster *roster = make(1);
    struct roster_writer a = writer(roster, 0);
    struct roster_writer b = writer(roster, 1);
    const struct roster_entry entry = entry_of(0, 1);
    uint32_t last = 0;
    size_t taken = 0;

    for (uint32_t row = roster_take(&a, &entry); row != 0; row = roster_take(&a, &entry)) {
        last = row;
        taken++;
    }
    CHECK_EQ_U64("the ceiling", taken, roster_size(roster));
    CHECK_EQ_U64("no room", roster_take(&b, &entry), 0);
    roster_give_back(&a, last);
    CHECK_EQ_U64("its own room", roster_take(&a, &entry), last);
    CHECK_EQ_U64("no chunk", roster_take(&b, &entry), 0);
    roster_clear_slot(roster, 0);
    CHECK_TRUE("a chunk", roster_take(&b, &entry) != 0);
    CHECK_EQ_U64("one", count(roster), 1);
}

static void test_wishes(void)
{
    struct roster *roster = make(100);
    struct roster_writer a = writer(roster, 0);
    struct roster_writer b = writer(roster, 1);
    const struct roster_entry one = entry_of(0, 17);
    const struct roster_entry other = entry_of(1, 17);
    uint32_t row = roster_take(&a, &one);
    uint32_t row_b = roster_take(&b, &other);

    CHECK_FALSE("no such number", roster_ask_to_end(roster, 0, 16));
    CHECK_FALSE("no such slot", roster_ask_to_end(roster, 2, 17));
    CHECK_FALSE("no slot at all", roster_ask_to_end(roster, 100000, 17));
    CHECK_FALSE("nothing", roster_take_wishes(&a));
    CHECK_TRUE("asked", roster_ask_to_end(roster, 0, 17));
    CHECK_TRUE("a wish", roster_take_wishes(&a));
    CHECK_FALSE("once", roster_take_wishes(&a));
    CHECK_TRUE("it", roster_is_unwanted(&a, row, 17));
    CHECK_FALSE("another session", roster_is_unwanted(&a, row, 18));
    CHECK_FALSE("another worker", roster_take_wishes(&b));
    CHECK_FALSE("the same number elsewhere", roster_is_unwanted(&b, row_b, 17));

    // The next session of that row has nothing to do with it, whatever its number is.
    roster_give_back(&a, row);
    CHECK_EQ_U64("the same row", roster_take(&a, &one), row);
    CHECK_FALSE("forgotten", roster_is_unwanted(&a, row, 17));

    CHECK_TRUE("asked again", roster_ask_to_end(roster, 0, 17));
    roster_clear_slot(roster, 0);
    CHECK_FALSE("its worker is gone", roster_take_wishes(&a));
    CHECK_FALSE("and so is the session", roster_ask_to_end(roster, 0, 17));
}

// A session of somebody in a phase.
static uint32_t take_of(struct roster_writer *w, uint64_t number, struct roster_who who,
                        enum life_phase phase)
{
    struct roster_entry entry = entry_of(w->slot, number);
    entry.party.who = who;
    entry.live.phase = (uint8_t)phase;
    return roster_take(w, &entry);
}

static void test_names(void)
{
    struct roster *roster = make(100);
    struct roster *other = roster_new(&(const struct config){.max_sessions = 100, .max_pending = 1},
                                      (const uint8_t[SIPHASH_KEY_BYTES]){8});
    struct roster_who a = roster_who(roster, SPAN_LIT("one"), SPAN_LIT("alice"));
    struct roster_who same = roster_who(roster, SPAN_LIT("one"), SPAN_LIT("alice"));
    struct roster_who two = roster_who(roster, SPAN_LIT("two"), SPAN_LIT("alice"));
    struct roster_who longer = roster_who(roster, SPAN_LIT("ne"), SPAN_LIT("aliceo"));
    struct roster_who bob = roster_who(roster, SPAN_LIT("one"), SPAN_LIT("bob"));

    CHECK_TRUE("the same", memcmp(&a, &same, sizeof(a)) == 0);
    CHECK_TRUE("never 0", a.subject != 0 && a.login != 0 && a.subject != a.login);
    CHECK_TRUE("another section", a.subject == two.subject && a.login != two.login);
    CHECK_TRUE("cut elsewhere", a.subject != longer.subject && a.login != longer.login);
    CHECK_TRUE("somebody else", a.subject != bob.subject && a.login != bob.login);
    CHECK_TRUE("another secret",
               other != NULL &&
                   roster_who(other, SPAN_LIT("one"), SPAN_LIT("alice")).subject != a.subject);

    CHECK_TRUE("anybody", roster_is_of(&a, &(const struct roster_who){.subject = 0}));
    CHECK_TRUE("subject", roster_is_of(&a, &(const struct roster_who){.subject = two.subject}));
    CHECK_FALSE("login", roster_is_of(&a, &(const struct roster_who){.login = two.login}));
    CHECK_FALSE("both", roster_is_of(&a, &two));
    CHECK_FALSE("nobody", roster_is_of(&(const struct roster_who){.subject = 0}, &a));
}

static void test_wishes_of_one(void)
{
    struct roster *roster = make(100);
    struct roster_writer w[2] = {writer(roster, 0), writer(roster, 1)};
    struct roster_who alice = roster_who(roster, SPAN_LIT("one"), SPAN_LIT("alice"));
    struct roster_who two = roster_who(roster, SPAN_LIT("two"), SPAN_LIT("alice"));
    struct roster_who bob = roster_who(roster, SPAN_LIT("one"), SPAN_LIT("bob"));
    const struct roster_who anywhere = {.subject = alice.subject};
    struct roster_entry one;
    uint32_t rows[6] = {
        take_of(&w[0], 1, alice, LIFE_OPEN),
        take_of(&w[1], 2, alice, LIFE_DIAL),
        take_of(&w[0], 3, bob, LIFE_OPEN),
        take_of(&w[1], 4, two, LIFE_OPEN),
        take_of(&w[1], 5, (struct roster_who){.subject = 0}, LIFE_TOKEN),
        take_of(&w[0], 6, alice, LIFE_CLOSING),
    };

    CHECK_EQ_U64("of one section", roster_ask_to_end_all(roster, &alice, &one), 2);
    CHECK_TRUE("one of them", one.party.number == 1 || one.party.number == 2);
    CHECK_TRUE("it", roster_is_unwanted(&w[0], rows[0], 1));
    CHECK_TRUE("it", roster_is_unwanted(&w[1], rows[1], 2));
    CHECK_FALSE("somebody else", roster_is_unwanted(&w[0], rows[2], 3));
    CHECK_FALSE("another section", roster_is_unwanted(&w[1], rows[3], 4));
    CHECK_FALSE("nobody knows whose", roster_is_unwanted(&w[1], rows[4], 5));
    CHECK_FALSE("it ends already", roster_is_unwanted(&w[0], rows[5], 6));
    CHECK_TRUE("both workers", roster_take_wishes(&w[0]) && roster_take_wishes(&w[1]));
    CHECK_EQ_U64("of all sections", roster_ask_to_end_all(roster, &anywhere, &one), 3);
    CHECK_TRUE("it", roster_is_unwanted(&w[1], rows[3], 4));
    roster_give_back(&w[0], rows[2]);
    CHECK_EQ_U64("gone", roster_ask_to_end_all(roster, &bob, &one), 0);
}

static bool is_whole(const struct roster_entry *entry)
{
    uint64_t number = entry->party.number;
    return entry->live.up_bytes == number && entry->live.down_messages == number &&
           entry->party.started_ms == number + 1 &&
           entry->party.route[0] == (char)('a' + number % 26) &&
           entry->party.route[ROSTER_NAME_MAX - 2] == entry->party.route[0] &&
           entry->party.identity[0] == (is_long(number) ? entry->party.route[0] : '\0') &&
           entry->party.identity[ROSTER_NAME_MAX - 2] == entry->party.identity[0];
}

// A process writes as fast as it can, another reads.
static void test_torn(void)
{
    struct roster *roster = make(100);
    struct roster_writer w = writer(roster, 0);
    struct roster_entry entry = entry_of(0, 0);
    uint32_t row = roster_take(&w, &entry);
    size_t bad = 0;
    size_t read = 0;
    uint64_t newest = 0;

    pid_t pid = fork();
    if (pid == 0) {
        for (uint64_t i = 1;; i++) {
            entry = entry_of(0, i);
            roster_put(&w, row, &entry);
            if (i % 1000 == 0 && getppid() == 1) {
                _exit(0);
            }
        }
    }
    uint64_t end_ms = clock_now_ms() + 20000;
    for (size_t i = 0; i < READS || (newest < READS && clock_now_ms() < end_ms); i++) {
        if (roster_next(roster, 0, &entry) == row) {
            read++;
            bad += !is_whole(&entry);
            newest = entry.party.number;
        }
    }
    kill(pid, SIGKILL);
    CHECK_TRUE("ended", waitpid(pid, NULL, 0) == pid);
    CHECK_TRUE("it was read", read > READS / 10);
    CHECK_TRUE("while it was written", newest >= READS);
    CHECK_EQ_U64("torn", bad, 0);

    // Whoever died while it wrote is no reason to wait.
    CHECK_TRUE("one or none", count(roster) <= 1);
    roster_clear_slot(roster, 0);
    entry = entry_of(0, 5);
    CHECK_TRUE("a row", roster_take(&w, &entry) != 0);
    CHECK_EQ_U64("one", count(roster), 1);
}

CU_TestInfo roster_tests[] = {
    {"rows", test_rows},
    {"what is long", test_rests},
    {"the ceiling", test_ceiling},
    {"ends that somebody wants", test_wishes},
    {"names", test_names},
    {"wishes of one", test_wishes_of_one},
    {"nobody reads half a row", test_torn},
    CU_TEST_INFO_NULL,
};
