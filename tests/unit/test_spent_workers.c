/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of used tokens among processes that use it at the same time and die. */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "spent_kit.h"
#include "suites.h"

#define WORKERS 4
#define TOKENS 20000

struct truth {
    _Atomic uint32_t accepted[TOKENS];
    _Atomic uint64_t here[TOKENS]; /* workers that have come as far as this token */
    _Atomic uint64_t steps;
};

static struct truth *truth;

static enum spent_verdict use_number(struct spent *spent, size_t i, const struct spent_terms *terms)
{
    char id[24];
    snprintf(id, sizeof(id), "%zu", i);
    return use(spent, id, terms, NOW_MS);
}

/* Waits a little for the others at each token, so that they come at the same moment. */
static void work(struct spent *spent, const struct spent_terms *terms)
{
    for (size_t i = 0; i < TOKENS; i++) {
        atomic_fetch_add(&truth->here[i], 1);
        for (int spin = 0; spin < 2000 && atomic_load(&truth->here[i]) < WORKERS; spin++) {
        }
        enum spent_verdict verdict = use_number(spent, i, terms);
        if (verdict == SPENT_FIRST || verdict == SPENT_AGAIN) {
            atomic_fetch_add(&truth->accepted[i], 1);
        }
        atomic_fetch_add(&truth->steps, 1);
    }
}

static void begin(struct spent *spent, const struct spent_terms *terms, bool is_to_be_killed,
                  pid_t out[WORKERS])
{
    truth = mmap(NULL, sizeof(*truth), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK_TRUE("shared memory", truth != MAP_FAILED);
    for (size_t slot = 0; slot < WORKERS; slot++) {
        out[slot] = fork();
        CHECK_TRUE("fork", out[slot] >= 0);
        if (out[slot] == 0) {
            work(spent, terms);
            if (!is_to_be_killed) {
                _exit(0);
            }
            for (;;) {
                pause();
            }
        }
    }
}

static void wait_for(pid_t child, int want_signal)
{
    int status = 0;
    CHECK_EQ_INT("waitpid", waitpid(child, &status, 0), child);
    CHECK_EQ_INT("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0, want_signal);
}

static void done(struct spent *spent)
{
    CHECK_EQ_INT("munmap", munmap(truth, sizeof(*truth)), 0);
    drop(spent);
}

static void check_workers(const struct spent_terms *terms, uint32_t want)
{
    struct spent *spent = make();
    pid_t children[WORKERS];
    size_t wrong = 0;
    begin(spent, terms, false, children);
    for (size_t slot = 0; slot < WORKERS; slot++) {
        wait_for(children[slot], 0);
    }
    for (size_t i = 0; i < TOKENS; i++) {
        wrong += atomic_load(&truth->accepted[i]) != want;
    }
    CHECK_EQ_U64("wrong", wrong, 0);
    done(spent);
}

static void test_workers_once(void)
{
    check_workers(&once, 1);
}

static void test_workers_again(void)
{
    const struct spent_terms terms = {.window_ms = 1000, .again_max = 2};
    check_workers(&terms, 3);
}

/* Workers die anywhere: no token is accepted twice, and what nobody has used is good. */
static void test_workers_die(void)
{
    struct spent *spent = make();
    pid_t children[WORKERS];
    size_t wrong = 0;
    begin(spent, &once, true, children);
    for (size_t slot = 0; slot < WORKERS; slot++) {
        while (atomic_load(&truth->steps) < (slot + 1) * 2000) {
            usleep(100);
        }
        CHECK_EQ_INT("kill", kill(children[slot], SIGKILL), 0);
        wait_for(children[slot], SIGKILL);
    }
    for (size_t i = 0; i < TOKENS; i++) {
        enum spent_verdict verdict = use_number(spent, i, &once);
        uint32_t accepted = atomic_load(&truth->accepted[i]) + (verdict == SPENT_FIRST ? 1 : 0);
        /* A worker may have died between its use and its note. */
        wrong += accepted > 1 || (atomic_load(&truth->here[i]) == 0 && accepted != 1);
    }
    CHECK_EQ_U64("wrong", wrong, 0);
    done(spent);
}

CU_TestInfo spent_workers_tests[] = {
    {"once", test_workers_once},
    {"again", test_workers_again},
    {"die", test_workers_die},
    CU_TEST_INFO_NULL,
};
