/* SPDX-License-Identifier: GPL-3.0-or-later */
// Several processes with one quota. A truth that they share counts what each was given.
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "quota_kit.h"
#include "suites.h"

#define WORKERS 4
#define KEYS 8192
#define SUBJECTS 10 // keys that all workers hold
#define RATED 1500  // keys that all workers come with

struct truth {
    _Atomic uint64_t held[SUBJECTS];
    _Atomic uint64_t events[RATED];
    _Atomic uint64_t here[RATED]; // workers that have come as far as this key
    _Atomic uint64_t wrong;       // limits that were exceeded
    _Atomic uint64_t taken;
    _Atomic uint64_t steps; // of a worker that goes on until it is killed
};

static struct truth *truth;
static struct quota *quota;

static void begin(void)
{
    truth = kit_share(sizeof(*truth));
    quota = kit_quota_new(KEYS, WORKERS + 1);
}

static void done(void)
{
    CHECK_EQ_INT("munmap", munmap(truth, sizeof(*truth)), 0);
    quota_free(quota);
}

// A child has no test to report to, and leaves without the exit handlers of its parent.
static void start(void (*work)(size_t slot), pid_t out[WORKERS])
{
    for (size_t slot = 0; slot < WORKERS; slot++) {
        out[slot] = fork();
        CHECK_TRUE("fork", out[slot] >= 0);
        if (out[slot] == 0) {
            work(slot);
            _exit(0);
        }
    }
}

static void wait_for(pid_t child, int want_signal)
{
    int status = 0;
    CHECK_EQ_INT("waitpid", waitpid(child, &status, 0), child);
    CHECK_EQ_INT("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0, want_signal);
    CHECK_TRUE("exit", WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
}

static void run(void (*work)(size_t slot))
{
    pid_t children[WORKERS];
    start(work, children);
    for (size_t slot = 0; slot < WORKERS; slot++) {
        wait_for(children[slot], 0);
    }
}

static uint64_t key_of(size_t subject)
{
    uint64_t state = 1000 + subject;
    return kit_key(&state);
}

// A subject may be held by as many as its number says.
static uint64_t held_max(size_t subject)
{
    return 1 + subject % 5;
}

static bool take(size_t slot, size_t subject, struct quota_hold *hold)
{
    if (kit_take(quota, slot, key_of(subject), held_max(subject), hold) != QUOTA_OK) {
        return false;
    }
    if (atomic_fetch_add(&truth->held[subject], 1) + 1 > held_max(subject)) {
        atomic_fetch_add(&truth->wrong, 1);
    }
    atomic_fetch_add(&truth->taken, 1);
    return true;
}

static void give(size_t slot, size_t subject, struct quota_hold *hold)
{
    if (hold->place != 0) {
        atomic_fetch_sub(&truth->held[subject], 1);
        quota_give(quota, slot, hold);
    }
}

// Takes and gives at random, between keys that come once.
static void work_held(size_t slot)
{
    struct quota_hold holds[SUBJECTS] = {{0}};
    uint64_t state = slot;
    for (int i = 0; i < 300000; i++) {
        size_t subject = random_below(&state, SUBJECTS);
        if (holds[subject].place != 0) {
            give(slot, subject, &holds[subject]);
        } else {
            (void)take(slot, subject, &holds[subject]);
        }
        if (i % 8 == 0) {
            struct quota_hold once = {0};
            (void)kit_take(quota, slot, kit_key(&state), 1, &once);
            quota_give(quota, slot, &once);
        }
    }
    for (size_t subject = 0; subject < SUBJECTS; subject++) {
        give(slot, subject, &holds[subject]);
    }
}

static void test_held(void)
{
    begin();
    run(work_held);
    CHECK_EQ_U64("limits exceeded", truth->wrong, 0);
    CHECK_TRUE("taken", truth->taken > 10000);
    for (size_t subject = 0; subject < SUBJECTS; subject++) {
        CHECK_EQ_U64("left over", quota_held(quota, key_of(subject)), 0);
        CHECK_EQ_U64("left over", truth->held[subject], 0);
    }
    // All of a limit can still be had.
    struct quota_hold holds[5] = {{0}};
    for (size_t i = 0; i < 5; i++) {
        CHECK_TRUE("the whole limit", take(i % WORKERS, 4, &holds[i]));
    }
    done();
}

#define EVENTS 50
static const struct quota_limits events_limit = {
    .rate = {.count = EVENTS, .period_ms = LIMIT_PERIOD_MS_MAX}};

static bool come(size_t slot, size_t subject)
{
    struct quota_hold hold = {0};
    bool is_good =
        quota_take(quota, slot, key_of(subject), &events_limit, 1000, &hold).verdict == QUOTA_OK;
    quota_give(quota, slot, &hold);
    if (is_good) {
        atomic_fetch_add(&truth->events[subject], 1);
    }
    return is_good;
}

// All workers begin with each key at the same moment. Time stands still, so no event comes back.
static void work_rate(size_t slot)
{
    for (size_t subject = 0; subject < RATED; subject++) {
        atomic_fetch_add(&truth->here[subject], 1);
        while (atomic_load(&truth->here[subject]) < WORKERS) {
            (void)sched_yield();
        }
        for (int i = 0; i < EVENTS; i++) {
            (void)come(slot, subject);
        }
    }
}

static void test_rate(void)
{
    begin();
    run(work_rate);
    for (size_t subject = 0; subject < RATED; subject++) {
        CHECK_TRUE("never more", truth->events[subject] <= EVENTS);
        CHECK_TRUE("some", truth->events[subject] > 0);
        while (come(subject % WORKERS, subject)) {
        }
        CHECK_TRUE("never more, later", truth->events[subject] <= EVENTS);
    }
    done();
}

static const struct limit_pause hard_pause = {
    .free = 0, .first_ms = 1, .most_ms = 1 << 30, .forget_ms = 1 << 30};

static void work_failures(size_t slot)
{
    for (int i = 0; i < 5; i++) {
        quota_fail(quota, slot, key_of(0), &hard_pause, 1000);
    }
}

static void test_failures(void)
{
    begin();
    run(work_failures);
    CHECK_EQ_U64("all of them", quota_pause_ms(quota, key_of(0), &hard_pause, 1000), 1 << 19);
    done();
}

// Takes, holds and gives until it is killed, which may be at any instruction.
static void work_for_ever(size_t slot)
{
    struct quota_hold holds[SUBJECTS] = {{0}};
    uint64_t state = slot + 77;
    for (;;) {
        size_t subject = random_below(&state, SUBJECTS);
        if (holds[subject].place != 0) {
            quota_give(quota, slot, &holds[subject]);
        } else {
            (void)kit_take(quota, slot, key_of(subject), held_max(subject), &holds[subject]);
        }
        struct quota_hold once = {0};
        (void)!quota_take(quota, slot, kit_key(&state), &events_limit, 1000, &once).verdict;
        quota_give(quota, slot, &once);
        atomic_fetch_add(&truth->steps, 1);
    }
}

static void test_deaths(void)
{
    begin();
    for (uint64_t round = 1; round <= 10; round++) {
        pid_t children[WORKERS];
        uint64_t before = atomic_load(&truth->steps);
        start(work_for_ever, children);
        while (atomic_load(&truth->steps) < before + 200 * round) {
            usleep(200);
        }
        for (size_t slot = 0; slot < WORKERS; slot++) {
            CHECK_EQ_INT("kill", kill(children[slot], SIGKILL), 0);
            wait_for(children[slot], SIGKILL);
            kit_clear(quota, slot);
        }
        for (size_t subject = 0; subject < SUBJECTS; subject++) {
            CHECK_EQ_U64("left over", quota_held(quota, key_of(subject)), 0);
        }
    }
    run(work_held);
    CHECK_EQ_U64("limits exceeded", truth->wrong, 0);
    done();
}

// A worker that stands still, wherever it is, stops nobody.
static void test_standstill(void)
{
    begin();
    pid_t children[WORKERS];
    start(work_for_ever, children);
    while (atomic_load(&truth->steps) < 500) {
        usleep(200);
    }
    for (size_t slot = 0; slot < WORKERS; slot++) {
        int status = 0;
        CHECK_EQ_INT("stop", kill(children[slot], SIGSTOP), 0);
        CHECK_EQ_INT("stopped", waitpid(children[slot], &status, WUNTRACED), children[slot]);
    }
    for (size_t subject = SUBJECTS; subject < SUBJECTS + 100; subject++) {
        struct quota_hold hold = {0};
        CHECK_EQ_INT("another worker", kit_take(quota, WORKERS, key_of(subject), 1, &hold),
                     QUOTA_OK);
        CHECK_EQ_U64("another worker", quota_held(quota, key_of(subject)), 1);
        quota_give(quota, WORKERS, &hold);
    }
    for (size_t slot = 0; slot < WORKERS; slot++) {
        CHECK_EQ_INT("kill", kill(children[slot], SIGKILL), 0);
        wait_for(children[slot], SIGKILL);
    }
    done();
}

CU_TestInfo quota_workers_tests[] = {
    {"several workers hold", test_held},
    {"several workers count events", test_rate},
    {"several workers count failures", test_failures},
    {"workers that die anywhere", test_deaths},
    {"workers that stand still", test_standstill},
    CU_TEST_INFO_NULL,
};
