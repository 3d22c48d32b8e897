/* SPDX-License-Identifier: GPL-3.0-or-later */
// The worker's side, with a hasher that this test is itself.
#include "gate/passwords.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "check.h"
#include "gate/control.h"
#include "gate/hasher.h"
#include "give_up.h"
#include "io/reactor.h"
#include "suites.h"

#define HASH "$6$rounds=1000$saltsalt$made-up"
#define NOT_TOLD 99 /* no verdict has come */

static struct {
    struct reactor *reactor;
    struct passwords *passwords;
    int channel[2];
    size_t blocks;
} world;

static void open_world(void)
{
    world.blocks = mem_live_blocks();
    world.reactor = reactor_new();
    if (world.reactor == NULL || !hasher_channel(world.channel)) {
        GIVE_UP();
    }
    world.passwords = passwords_new(world.reactor, world.channel[1]);
    if (world.passwords == NULL) {
        GIVE_UP();
    }
}

static void close_world(const char *row)
{
    passwords_free(world.passwords);
    reactor_free(world.reactor);
    close(world.channel[0]);
    close(world.channel[1]);
    CHECK_EQ_U64(row, mem_live_blocks(), world.blocks);
}

struct heard {
    int verdict;
    const char *detail;
    struct passwords_ask *ask;
    unsigned calls;
};

static void on_answer(void *owner, enum passwords_verdict verdict, const char *detail)
{
    struct heard *heard = owner;
    heard->verdict = verdict;
    heard->detail = detail;
    heard->ask = NULL;
    heard->calls++;
}

static const struct passwords_question plain = {
    .hash = SPAN_LIT(HASH),
    .user = SPAN_LIT("ada"),
    .password = SPAN_LIT("secret"),
    .source = 7,
    .cache_ms = 60000,
};

static enum passwords_verdict check(const struct passwords_question *question, struct heard *heard)
{
    *heard = (struct heard){.verdict = NOT_TOLD};
    return passwords_check(world.passwords, question, on_answer, heard, &heard->ask,
                           &heard->detail);
}

/* The hasher's next question, and the descriptor to answer it; -1 = nobody asks. */
static int next_question(struct hasher_question *out)
{
    int fd = -1;
    return control_receive_bytes(world.channel[0], out, sizeof(*out), &fd) == CONTROL_OK ? fd : -1;
}

/* Answers; HASHER_LOST: dies over the question. */
static bool answer_next(enum hasher_answer answer)
{
    struct hasher_question question;
    const uint8_t byte = (uint8_t)answer;
    int fd = next_question(&question);
    if (fd == -1) {
        return false;
    }
    bool is_sent = answer == HASHER_LOST || write(fd, &byte, 1) == 1;
    close(fd);
    reactor_turn(world.reactor, false);
    return is_sent;
}

static const struct {
    const char *name;
    enum hasher_answer answers[2]; /* HASHER_NONE: not asked again */
    bool is_decoy;
    int verdict;
    const char *detail;
} rows[] = {
    {"right", {HASHER_SAME}, false, PASSWORDS_RIGHT, NULL},
    {"wrong", {HASHER_OTHER}, false, PASSWORDS_WRONG, NULL},
    {"the decoy's password", {HASHER_SAME}, true, PASSWORDS_WRONG, NULL},
    {"unknown", {HASHER_OTHER}, true, PASSWORDS_WRONG, NULL},
    {"busy", {HASHER_BUSY}, false, PASSWORDS_BUSY, "too many passwords wait to be checked"},
    {"dies once", {HASHER_LOST, HASHER_SAME}, false, PASSWORDS_RIGHT, NULL},
    {"dies twice",
     {HASHER_LOST, HASHER_LOST},
     false,
     PASSWORDS_BUSY,
     "the process that checks passwords died"},
    {"nonsense", {(enum hasher_answer)77, HASHER_OTHER}, false, PASSWORDS_WRONG, NULL},
};

static void test_answers(void)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *row = rows[i].name;
        struct passwords_question question = plain;
        struct heard heard;
        open_world();
        question.is_decoy = rows[i].is_decoy;
        CHECK_EQ_INT(row, check(&question, &heard), PASSWORDS_WAIT);
        for (size_t j = 0; j < 2 && rows[i].answers[j] != HASHER_NONE; j++) {
            CHECK_EQ_INT(row, heard.verdict, NOT_TOLD);
            CHECK_TRUE(row, answer_next(rows[i].answers[j]));
        }
        CHECK_EQ_INT(row, heard.verdict, rows[i].verdict);
        CHECK_EQ_STR(row, heard.detail, rows[i].detail);
        CHECK_EQ_U64(row, heard.calls, 1);
        CHECK_FALSE(row, answer_next(HASHER_SAME)); /* nothing else is asked */
        close_world(row);
    }
}

static void test_question(void)
{
    struct hasher_question asked;
    struct heard heard;
    open_world();
    CHECK_EQ_INT("asked", check(&plain, &heard), PASSWORDS_WAIT);
    int fd = next_question(&asked);
    CHECK_TRUE("a pipe", fd != -1);
    CHECK_EQ_STR("hash", asked.hash, HASH);
    CHECK_EQ_STR("password", asked.password, "secret");
    CHECK_EQ_U64("source", asked.source, 7);
    passwords_forget(heard.ask);
    CHECK_EQ_INT("nobody listens", (int)write(fd, "x", 1), -1);
    close(fd);
    reactor_turn(world.reactor, true);
    CHECK_EQ_U64("forgotten", heard.calls, 0);
    passwords_forget(NULL);
    close_world("question");
}

static bool is_known(const struct passwords_question *question)
{
    struct heard heard;
    enum passwords_verdict verdict = check(question, &heard);
    if (verdict == PASSWORDS_WAIT) {
        struct hasher_question asked;
        close(next_question(&asked));
        passwords_forget(heard.ask);
    }
    return verdict == PASSWORDS_RIGHT;
}

static void wait_ms(uint64_t ms)
{
    uint64_t end_ms = reactor_now_ms(world.reactor) + ms;
    while (reactor_now_ms(world.reactor) < end_ms) {
        usleep(1000);
        reactor_turn(world.reactor, true);
    }
}

static void test_cache(void)
{
    struct passwords_question other = plain;
    struct heard heard;
    open_world();
    CHECK_EQ_INT("first", check(&plain, &heard), PASSWORDS_WAIT);
    CHECK_TRUE("answered", answer_next(HASHER_OTHER));
    CHECK_FALSE("a wrong one is not kept", is_known(&plain));
    CHECK_EQ_INT("again", check(&plain, &heard), PASSWORDS_WAIT);
    CHECK_TRUE("answered", answer_next(HASHER_SAME));
    CHECK_TRUE("kept", is_known(&plain));
    other.source = 8;
    CHECK_TRUE("from elsewhere", is_known(&other));
    other.password = SPAN_LIT("Secret");
    CHECK_FALSE("another password", is_known(&other));
    other = plain;
    other.hash = SPAN_LIT(HASH "2");
    CHECK_FALSE("another line in the file", is_known(&other));
    other = plain;
    other.user = SPAN_LIT("adas");
    other.password = SPAN_LIT("ecret");
    CHECK_FALSE("cut elsewhere", is_known(&other));
    other = plain;
    other.is_decoy = true;
    CHECK_FALSE("nobody of that name", is_known(&other));
    other.is_decoy = false;
    other.cache_ms = 0;
    CHECK_FALSE("no cache", is_known(&other));
    wait_ms(30);
    other.cache_ms = 20;
    CHECK_FALSE("too old", is_known(&other));
    CHECK_TRUE("not too old for others", is_known(&plain));
    close_world("cache");
}

static void test_no_cache(void)
{
    struct passwords_question question = plain;
    struct heard heard;
    open_world();
    question.cache_ms = 0;
    size_t blocks = mem_live_blocks();
    CHECK_EQ_INT("asked", check(&question, &heard), PASSWORDS_WAIT);
    CHECK_TRUE("answered", answer_next(HASHER_SAME));
    CHECK_EQ_INT("right", heard.verdict, PASSWORDS_RIGHT);
    CHECK_EQ_U64("no memory for it", mem_live_blocks(), blocks);
    CHECK_FALSE("not kept", is_known(&plain));
    close_world("no cache");
}

static void test_cache_is_bounded(void)
{
    struct heard heard;
    char user[16];
    struct passwords_question question = plain;
    size_t known = 0;
    open_world();
    for (unsigned i = 0; i < 3 * PASSWORDS_CACHED; i++) {
        question.user = (struct span){user, (size_t)snprintf(user, sizeof(user), "u%u", i)};
        CHECK_EQ_INT(user, check(&question, &heard), PASSWORDS_WAIT);
        CHECK_TRUE(user, answer_next(HASHER_SAME));
        CHECK_TRUE(user, is_known(&question));
    }
    for (unsigned i = 0; i < 3 * PASSWORDS_CACHED; i++) {
        question.user = (struct span){user, (size_t)snprintf(user, sizeof(user), "u%u", i)};
        known += is_known(&question);
    }
    CHECK_TRUE("most places are in use", known > PASSWORDS_CACHED * 9 / 10);
    CHECK_TRUE("no more than there are", known <= PASSWORDS_CACHED);
    close_world("bounded");
}

static void test_ceiling(void)
{
    struct heard heard[PASSWORDS_WAITING_MAX + 1];
    struct passwords_question question = plain;
    size_t last = PASSWORDS_WAITING_MAX;
    open_world();
    for (size_t i = 0; i < last; i++) {
        question.source = i / PASSWORDS_SOURCE_MAX;
        CHECK_EQ_INT("place", check(&question, &heard[i]), PASSWORDS_WAIT);
        if (i + 1 == PASSWORDS_SOURCE_MAX) {
            CHECK_EQ_INT("too many of one", check(&question, &heard[last]), PASSWORDS_BUSY);
            CHECK_EQ_STR("why", heard[last].detail,
                         "too many passwords of this address wait to be checked");
        }
    }
    CHECK_EQ_INT("one too many", check(&plain, &heard[last]), PASSWORDS_BUSY);
    CHECK_EQ_STR("why", heard[last].detail, "too many passwords wait to be checked");
    passwords_forget(heard[0].ask);
    CHECK_EQ_INT("a place again", check(&plain, &heard[last]), PASSWORDS_WAIT);
    for (size_t i = 1; i <= last; i++) {
        passwords_forget(heard[i].ask);
    }
    close_world("ceiling");
}

static void test_channel_full(void)
{
    struct heard heard = {.verdict = NOT_TOLD};
    const struct hasher_question filler = {.source = 1};
    open_world();
    while (control_send_bytes(world.channel[1], &filler, sizeof(filler), -1)) {
    }
    CHECK_EQ_INT("full", check(&plain, &heard), PASSWORDS_BUSY);
    CHECK_EQ_STR("why", heard.detail, "too many passwords wait to be checked");
    CHECK_EQ_U64("told at once", heard.calls, 0);
    close_world("channel");
}

static void test_bad_questions(void)
{
    static char longest[ACCOUNTS_PASSWORD_MAX + 1];
    struct passwords_question question = plain;
    struct heard heard;
    memset(longest, 'x', sizeof(longest));
    open_world();
    question.password = (struct span){longest, sizeof(longest)};
    CHECK_EQ_INT("512 bytes", check(&question, &heard), PASSWORDS_WRONG);
    question.password.len--;
    CHECK_EQ_INT("511 bytes", check(&question, &heard), PASSWORDS_WAIT);
    passwords_forget(heard.ask);
    question.password = (struct span){NULL, 0};
    CHECK_EQ_INT("empty", check(&question, &heard), PASSWORDS_WAIT);
    passwords_forget(heard.ask);
    question.user = (struct span){longest, ACCOUNTS_NAME_MAX + 1};
    CHECK_EQ_INT("a long user", check(&question, &heard), PASSWORDS_WAIT);
    passwords_forget(heard.ask);
    question.hash = (struct span){NULL, 0};
    CHECK_EQ_INT("a file without users", check(&question, &heard), PASSWORDS_WRONG);
    question.hash = (struct span){longest, ACCOUNTS_HASH_MAX};
    CHECK_EQ_INT("no hash is so long", check(&question, &heard), PASSWORDS_WRONG);
    close_world("bad questions");
}

static void test_no_memory(void)
{
    struct heard heard;
    open_world();
    for (uint64_t n = 1; n <= 4; n++) {
        mem_fail_after(n);
        enum passwords_verdict verdict = check(&plain, &heard);
        mem_fail_after(0);
        if (verdict == PASSWORDS_WAIT) {
            mem_fail_after(1); /* for the cache */
            CHECK_TRUE("answered", answer_next(HASHER_SAME));
            mem_fail_after(0);
            CHECK_EQ_INT("right all the same", heard.verdict, PASSWORDS_RIGHT);
        } else {
            CHECK_EQ_INT("busy", verdict, PASSWORDS_BUSY);
            CHECK_EQ_STR("why", heard.detail, "out of memory");
        }
    }
    (void)mem_recover();
    close_world("no memory");
}

CU_TestInfo passwords_tests[] = {
    {"answers", test_answers},
    {"the question", test_question},
    {"cache", test_cache},
    {"no cache", test_no_cache},
    {"the cache is bounded", test_cache_is_bounded},
    {"ceiling", test_ceiling},
    {"the channel is full", test_channel_full},
    {"questions that are none", test_bad_questions},
    {"no memory", test_no_memory},
    CU_TEST_INFO_NULL,
};
