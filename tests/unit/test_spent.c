/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "random.h"
#include "spent_kit.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_once(void)
{
    struct spent *spent = make();
    CHECK_EQ_INT("first", use(spent, "a", &once, NOW_MS), SPENT_FIRST);
    CHECK_EQ_INT("second", use(spent, "a", &once, NOW_MS), SPENT_USED);
    CHECK_EQ_INT("another", use(spent, "b", &once, NOW_MS), SPENT_FIRST);
    const struct spent_token parts[] = {
        {SPAN_LIT("staf"), SPAN_LIT("fa"), NOW_S + 600},
        {SPAN_LIT("guests"), SPAN_LIT("a"), NOW_S + 600},
    };
    for (size_t i = 0; i < COUNT(parts); i++) {
        CHECK_EQ_INT("another auth", spent_use(spent, &parts[i], &once, NOW_S, NOW_MS),
                     SPENT_FIRST);
    }
    drop(spent);
}

static void test_window(void)
{
    const struct spent_terms terms = {.window_ms = 30000, .again_max = 2};
    static const struct {
        const char *id;
        uint64_t after_ms;
        enum spent_verdict want;
    } rows[] = {
        {"w", 0, SPENT_FIRST},     {"w", 1, SPENT_AGAIN},     {"w", 30000, SPENT_AGAIN},
        {"w", 60000, SPENT_OFTEN}, {"w", 60001, SPENT_LATE},  {"x", 0, SPENT_FIRST},
        {"x", 30001, SPENT_LATE},  {"x", 30000, SPENT_AGAIN}, {"x", 4000000, SPENT_LATE},
    };
    struct spent *spent = make();
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_EQ_INT(rows[i].id, use(spent, rows[i].id, &terms, NOW_MS + rows[i].after_ms),
                     rows[i].want);
    }
    /* A turn of another worker that began before. */
    CHECK_EQ_INT("first", use(spent, "y", &terms, NOW_MS), SPENT_FIRST);
    CHECK_EQ_INT("before", use(spent, "y", &terms, NOW_MS - 50), SPENT_AGAIN);
    /* The clock in the table begins anew every 49 days. */
    CHECK_EQ_INT("first", use(spent, "z", &terms, UINT32_MAX - 10), SPENT_FIRST);
    CHECK_EQ_INT("over", use(spent, "z", &terms, UINT64_C(29000) + UINT32_MAX), SPENT_AGAIN);
    CHECK_EQ_INT("late", use(spent, "z", &terms, UINT64_C(59001) + UINT32_MAX), SPENT_LATE);
    /* Other terms: a reload. */
    CHECK_EQ_INT("once", use(spent, "z", &once, UINT64_C(29000) + UINT32_MAX), SPENT_USED);
    const struct spent_terms many = {.window_ms = 1000, .again_max = SPENT_AGAIN_MAX};
    CHECK_EQ_INT("first", use(spent, "m", &many, NOW_MS), SPENT_FIRST);
    for (size_t i = 0; i < SPENT_AGAIN_MAX; i++) {
        CHECK_EQ_INT("again", use(spent, "m", &many, NOW_MS), SPENT_AGAIN);
    }
    CHECK_EQ_INT("often", use(spent, "m", &many, NOW_MS), SPENT_OFTEN);
    drop(spent);
}

/* The window begins anew when a session ends, and never earlier than it did. */
static void test_leave(void)
{
    const struct spent_terms terms = {.window_ms = 30000, .again_max = 2};
    static const struct {
        const char *name;
        uint64_t leaves_ms; /* 0: nobody leaves */
        uint64_t uses_ms;
        enum spent_verdict want;
    } rows[] = {
        {"its session lasts", 0, 30001, SPENT_LATE},
        {"it ends late", 1000000, 1030000, SPENT_AGAIN},
        {"the window has passed", 1030000, 1060001, SPENT_LATE},
        {"a slow worker's turn", 1020000, 1060000, SPENT_AGAIN},
        {"used up", 1060001, 1060002, SPENT_OFTEN},
    };
    const struct spent_token token = token_of("l", NOW_S + 600);
    struct spent *spent = make();
    spent_leave(spent, &token, NOW_MS);
    CHECK_EQ_INT("nobody has used it", use(spent, "l", &terms, NOW_MS), SPENT_FIRST);
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (rows[i].leaves_ms != 0) {
            spent_leave(spent, &token, NOW_MS + rows[i].leaves_ms);
        }
        CHECK_EQ_INT(rows[i].name, use(spent, "l", &terms, NOW_MS + rows[i].uses_ms), rows[i].want);
    }
    CHECK_EQ_INT("good once", use(spent, "k", &once, NOW_MS), SPENT_FIRST);
    const struct spent_token other = token_of("k", NOW_S + 600);
    spent_leave(spent, &other, NOW_MS + 1);
    CHECK_EQ_INT("its session has ended", use(spent, "k", &once, NOW_MS + 2), SPENT_USED);
    spent_end(spent, &token);
    spent_leave(spent, &token, NOW_MS + 1070000);
    CHECK_EQ_INT("ended stays ended", use(spent, "l", &terms, NOW_MS + 1070001), SPENT_ENDED);
    drop(spent);
}

static void test_end(void)
{
    const struct spent_terms terms = {.window_ms = 30000, .again_max = 9};
    const struct spent_token token = token_of("e", NOW_S + 600);
    struct spent *spent = make();
    spent_end(spent, &token);
    CHECK_EQ_INT("nobody has used it", use(spent, "e", &terms, NOW_MS), SPENT_FIRST);
    CHECK_EQ_INT("again", use(spent, "e", &terms, NOW_MS), SPENT_AGAIN);
    spent_end(spent, &token);
    spent_end(spent, &token);
    CHECK_EQ_INT("ended", use(spent, "e", &terms, NOW_MS), SPENT_ENDED);
    CHECK_EQ_INT("ended, once", use(spent, "e", &once, NOW_MS), SPENT_ENDED);
    drop(spent);
}

static void test_ends_of_tokens(void)
{
    static const struct {
        const char *id;
        uint64_t ends_s;
        enum spent_verdict want;
    } rows[] = {
        {"1", NOW_S + SPENT_LIFE_MAX_S, SPENT_FIRST},
        {"2", NOW_S + SPENT_LIFE_MAX_S + 1, SPENT_LONG},
        {"3", 0, SPENT_LONG},
        {"4", NOW_S + 1, SPENT_FIRST},
        /* A reload may change the leeway; the token stays the same. */
        {"4", NOW_S + 601, SPENT_USED},
        {"1", NOW_S + SPENT_LIFE_MAX_S - 600, SPENT_USED},
    };
    struct spent *spent = make();
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct spent_token token = token_of(rows[i].id, rows[i].ends_s);
        CHECK_EQ_INT(rows[i].id, spent_use(spent, &token, &once, NOW_S, NOW_MS), rows[i].want);
    }
    drop(spent);
}

static void test_inherited(void)
{
    const char *detail = "";
    struct spent *spent = make();
    CHECK_EQ_INT("first", use(spent, "i", &once, NOW_MS), SPENT_FIRST);
    struct spent *heir = spent_open(fcntl(spent_fd(spent), F_DUPFD_CLOEXEC, 0), &detail);
    CHECK_TRUE("opened", heir != NULL);
    CHECK_EQ_INT("used", use(heir, "i", &once, NOW_MS), SPENT_USED);
    CHECK_EQ_INT("first", use(heir, "j", &once, NOW_MS), SPENT_FIRST);
    CHECK_EQ_INT("both ways", use(spent, "j", &once, NOW_MS), SPENT_USED);
    drop(heir);
    drop(spent);
    int fd = memfd_create("other", MFD_CLOEXEC);
    CHECK_TRUE("no such memory", spent_open(fd, &detail) == NULL);
    CHECK_EQ_STR("detail", detail, "it is no sealed memory file");
}

/* Half of the slots can be in use; a table that is full accepts nobody; after the longest life
 * there is room again. */
static void test_room(void)
{
    struct spent *spent = make();
    size_t accepted = 0;
    size_t full = 0;
    char id[24];
    for (size_t i = 0; i < SPENT_SLOTS + SPENT_SLOTS / 4; i++) {
        snprintf(id, sizeof(id), "%zu", i);
        enum spent_verdict verdict = use(spent, id, &once, NOW_MS);
        CHECK_TRUE("room", verdict == SPENT_FIRST || (verdict == SPENT_FULL && i > SPENT_ROOM));
        accepted += verdict == SPENT_FIRST;
        full += verdict == SPENT_FULL;
    }
    CHECK_TRUE("full", full > 0 && accepted <= SPENT_SLOTS);
    for (size_t i = 0; i < SPENT_ROOM; i += 97) {
        snprintf(id, sizeof(id), "%zu", i);
        CHECK_EQ_INT("used", use(spent, id, &once, NOW_MS), SPENT_USED);
    }
    uint64_t later_s = NOW_S + 2 * (uint64_t)SPENT_LIFE_MAX_S;
    for (size_t i = 0; i < SPENT_ROOM; i++) {
        snprintf(id, sizeof(id), "%zu", i);
        const struct spent_token token = token_of(id, later_s + 10);
        CHECK_EQ_INT("room again", spent_use(spent, &token, &once, later_s, NOW_MS), SPENT_FIRST);
        CHECK_EQ_INT("once", spent_use(spent, &token, &once, later_s, NOW_MS), SPENT_USED);
    }
    drop(spent);
}

/* --- two tokens with one first slot ----------------------------------------------------------- */

static uint64_t first_slot(const char *id)
{
    struct siphash h;
    siphash_begin(&h, secret);
    siphash_add(&h, "staff", sizeof("staff"));
    siphash_add(&h, id, strlen(id));
    return siphash_end(&h) & (SPENT_SLOTS - 1);
}

/* Another name whose token wants the slot of "x". */
static void find_rival(char out[24])
{
    size_t i = 0;
    do {
        snprintf(out, 24, "%zu", i++);
    } while (first_slot(out) != first_slot("x"));
}

static enum spent_verdict use_at(struct spent *spent, const char *id, uint64_t ends_s,
                                 uint64_t now_s)
{
    const struct spent_token token = token_of(id, ends_s);
    return spent_use(spent, &token, &once, now_s, NOW_MS);
}

/* No entry gives way while its token may hold. */
static void test_rivals(void)
{
    struct spent *spent = make();
    char rival[24];
    uint64_t now_s = NOW_S;
    find_rival(rival);
    for (uint64_t life_s = 1; life_s <= SPENT_LIFE_MAX_S; life_s += 61) {
        now_s += (uint64_t)3 * SPENT_LIFE_MAX_S;
        CHECK_EQ_INT("one", use_at(spent, "x", now_s + life_s, now_s), SPENT_FIRST);
        CHECK_EQ_INT("another", use_at(spent, rival, now_s + SPENT_LIFE_MAX_S, now_s), SPENT_FIRST);
        CHECK_EQ_INT("one", use_at(spent, "x", now_s + life_s, now_s), SPENT_USED);
        CHECK_EQ_INT("another", use_at(spent, rival, now_s + SPENT_LIFE_MAX_S, now_s), SPENT_USED);
    }
    drop(spent);
}

/* With another leeway a token finds other slots free than it did before. */
static void test_other_leeway(void)
{
    struct spent *spent = make();
    char rival[24];
    uint64_t now_s = NOW_S;
    find_rival(rival);
    for (uint64_t gap_s = 0; gap_s <= 700; gap_s += 30) {
        now_s += (uint64_t)3 * SPENT_LIFE_MAX_S;
        uint64_t ends_s = now_s + SPENT_LIFE_MAX_S - gap_s;
        CHECK_EQ_INT("one", use_at(spent, "x", now_s, now_s - 10), SPENT_FIRST);
        CHECK_EQ_INT("another", use_at(spent, rival, ends_s, now_s), SPENT_FIRST);
        CHECK_EQ_INT("another", use_at(spent, rival, ends_s + 600, now_s + 600), SPENT_USED);
    }
    drop(spent);
}

/* --- a worker that stops at any instruction --------------------------------------------------- */

#define STOPS_MAX 100000
#define STEPS_IN_ALL 60000 /* of all children: each step takes two switches of processes */

static unsigned long steps_done; /* by the last child */

/* A child that uses the token, stopped after so many instructions. False: it has ended. */
static bool start_stopped(struct spent *spent, const char *id, uint64_t now_s, unsigned long stops,
                          pid_t *out)
{
    int status = 0;
    *out = fork();
    if (*out == 0) {
        (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        (void)raise(SIGSTOP);
        _exit(use_at(spent, id, now_s + 100, now_s));
    }
    CHECK_EQ_INT("stopped", waitpid(*out, &status, 0), *out);
    for (steps_done = 0; WIFSTOPPED(status) && steps_done < stops; steps_done++) {
        CHECK_EQ_INT("step", (int)ptrace(PTRACE_SINGLESTEP, *out, NULL, NULL), 0);
        CHECK_EQ_INT("step", waitpid(*out, &status, 0), *out);
    }
    return WIFSTOPPED(status);
}

static enum spent_verdict go_on(pid_t child)
{
    int status = 0;
    CHECK_EQ_INT("go on", (int)ptrace(PTRACE_CONT, child, NULL, NULL), 0);
    CHECK_EQ_INT("end", waitpid(child, &status, 0), child);
    CHECK_TRUE("exit", WIFEXITED(status));
    return (enum spent_verdict)WEXITSTATUS(status);
}

/* How many instructions lie between two places where the child stops. */
static unsigned long stride_of(struct spent *spent)
{
    pid_t child;
    bool has_stopped = start_stopped(spent, "x", NOW_S, STOPS_MAX, &child);
    CHECK_FALSE("it ends", has_stopped);
    return 1 + steps_done * steps_done / STEPS_IN_ALL;
}

/* One worker stops, another one uses its token, or one for the same slot, and the first goes on. */
static void test_stopped_anywhere(void)
{
    struct spent *spent = make();
    char rival[24];
    uint64_t now_s = NOW_S;
    unsigned long stops = 0;
    size_t places = 0;
    pid_t child;
    find_rival(rival);
    CHECK_EQ_INT("mapped", use_at(spent, "first", now_s + 1, now_s), SPENT_FIRST);
    for (unsigned long stride = stride_of(spent);; stops += stride) {
        now_s += (uint64_t)3 * SPENT_LIFE_MAX_S;
        if (!start_stopped(spent, "x", now_s, stops, &child)) {
            break;
        }
        enum spent_verdict here = use_at(spent, "x", now_s + 100, now_s);
        enum spent_verdict there = go_on(child);
        CHECK_TRUE("exactly one", (here == SPENT_FIRST && there == SPENT_USED) ||
                                      (here == SPENT_USED && there == SPENT_FIRST));
        now_s += (uint64_t)3 * SPENT_LIFE_MAX_S;
        CHECK_TRUE("stopped", start_stopped(spent, "x", now_s, stops, &child));
        CHECK_EQ_INT("another", use_at(spent, rival, now_s + 100, now_s), SPENT_FIRST);
        CHECK_EQ_INT("one", go_on(child), SPENT_FIRST);
        CHECK_EQ_INT("another", use_at(spent, rival, now_s + 100, now_s), SPENT_USED);
        CHECK_EQ_INT("one", use_at(spent, "x", now_s + 100, now_s), SPENT_USED);
        places++;
    }
    CHECK_TRUE("it has stopped in many places", places > 5);
    drop(spent);
}

/* --- a model --------------------------------------------------------------------------------- */

#define SUBJECTS 12
#define STEPS 200000

struct model {
    uint64_t ends_s[SUBJECTS];
    uint64_t began_ms[SUBJECTS]; /* its window; 0: not used yet */
    uint32_t again[SUBJECTS];
    bool is_ended[SUBJECTS];
    unsigned version[SUBJECTS]; /* each life of a subject is another token */
};

static enum spent_verdict expected(struct model *m, size_t i, const struct spent_terms *terms,
                                   uint64_t now_ms)
{
    if (m->began_ms[i] == 0) {
        m->began_ms[i] = now_ms;
        return SPENT_FIRST;
    }
    if (m->is_ended[i]) {
        return SPENT_ENDED;
    }
    if (terms->window_ms == 0 || terms->again_max == 0) {
        return SPENT_USED;
    }
    if (now_ms - m->began_ms[i] > terms->window_ms) {
        return SPENT_LATE;
    }
    if (m->again[i] >= terms->again_max) {
        return SPENT_OFTEN;
    }
    m->again[i]++;
    m->began_ms[i] = now_ms;
    return SPENT_AGAIN;
}

static void test_model(void)
{
    static const struct spent_terms terms[] = {{0, 0}, {30000, 3}, {2000, 1}, {600000, 0}};
    struct spent *spent = make();
    struct model m = {.began_ms = {0}};
    uint64_t seed = 42;
    uint64_t now_s = NOW_S;
    size_t wrong = 0;
    for (size_t step = 0; step < STEPS; step++) {
        size_t i = (size_t)random_below(&seed, SUBJECTS);
        now_s += random_below(&seed, 50) == 0 ? random_below(&seed, 900) : 0;
        if (m.ends_s[i] <= now_s) { /* a new token */
            m.ends_s[i] = now_s + 1 + random_below(&seed, SPENT_LIFE_MAX_S);
            m.began_ms[i] = 0;
            m.again[i] = 0;
            m.is_ended[i] = false;
            m.version[i]++;
        }
        char id[32];
        snprintf(id, sizeof(id), "%zu-%u", i, m.version[i]);
        const struct spent_token token = token_of(id, m.ends_s[i]);
        if (random_below(&seed, 8) == 0) {
            spent_end(spent, &token);
            m.is_ended[i] = m.began_ms[i] != 0;
            continue;
        }
        if (random_below(&seed, 8) == 0) {
            spent_leave(spent, &token, now_s * 1000);
            m.began_ms[i] = m.began_ms[i] != 0 ? now_s * 1000 : 0;
            continue;
        }
        const struct spent_terms *t = &terms[random_below(&seed, COUNT(terms))];
        uint64_t now_ms = now_s * 1000;
        wrong += spent_use(spent, &token, t, now_s, now_ms) != expected(&m, i, t, now_ms);
    }
    CHECK_EQ_U64("wrong", wrong, 0);
    drop(spent);
}

CU_TestInfo spent_tests[] = {
    {"once", test_once},
    {"window", test_window},
    {"leave", test_leave},
    {"end", test_end},
    {"ends_of_tokens", test_ends_of_tokens},
    {"inherited", test_inherited},
    {"room", test_room},
    {"rivals", test_rivals},
    {"other_leeway", test_other_leeway},
    {"stopped_anywhere", test_stopped_anywhere},
    {"model", test_model},
    CU_TEST_INFO_NULL,
};
