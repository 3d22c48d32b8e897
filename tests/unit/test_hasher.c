/* SPDX-License-Identifier: GPL-3.0-or-later */
// The queue, and the process with real hashes.
#include "gate/hasher.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "gate/control.h"
#include "give_up.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X500 X50 X50 X50 X50 X50 X50 X50 X50 X50 X50

/* --- the queue ------------------------------------------------------------------------------- */

static struct hasher_queue queue;

/* The number in the password's place is the "descriptor". */
static int put(char source, int number)
{
    struct hasher_question question = {.source = (uint64_t)source, .password = "secret"};
    return hasher_queue_put(&queue, &question, number);
}

static const struct {
    const char *name;
    const char *script; /* a letter: this source asks; '.': the next one is served */
    const char *served;
} orders[] = {
    {"one source", "aaa...", "aaa"},
    {"in turn", "aaaabb......", "ababaa"},
    {"one who asks now and then", "aaaa.b.aa.b...c...", "ababaacaa"},
    {"one after the other does not come first", "aaa.b.b.b.b...", "abababb"},
    {"two of that kind", "aaabc.b.c.b.c.b.c......", "abcabcabcbc"},
};

static void test_order(void)
{
    for (size_t i = 0; i < COUNT(orders); i++) {
        char served[64] = "";
        size_t count = 0;
        int number = 0;
        hasher_queue_init(&queue);
        for (const char *at = orders[i].script; *at != '\0'; at++) {
            if (*at != '.') {
                CHECK_EQ_INT(orders[i].name, put(*at, number++), -1);
                continue;
            }
            struct hasher_waiting *next = hasher_queue_next(&queue);
            if (next != NULL) {
                served[count++] = (char)next->question.source;
                hasher_queue_leave(&queue, next);
                CHECK_EQ_STR("wiped", next->question.password, "");
            }
        }
        CHECK_EQ_STR(orders[i].name, served, orders[i].served);
    }
}

static void test_ceiling(void)
{
    hasher_queue_init(&queue);
    CHECK_TRUE("empty", hasher_queue_next(&queue) == NULL);
    for (int i = 0; i < HASHER_WAITING_MAX - 1; i++) {
        CHECK_EQ_INT("flood", put('a', i), -1);
    }
    CHECK_EQ_INT("the last place", put('b', 1000), -1);
    CHECK_EQ_INT("the flood meets its end", put('a', 1001), 1001);
    CHECK_EQ_INT("another source has a place", put('c', 1002), HASHER_WAITING_MAX - 2);
    CHECK_EQ_INT("and its second one too", put('c', 1003), HASHER_WAITING_MAX - 3);
    int served[] = {0, 1000, 1002, 1, 1003, 2};
    for (size_t i = 0; i < COUNT(served); i++) {
        struct hasher_waiting *next = hasher_queue_next(&queue);
        if (CHECK_TRUE("served", next != NULL)) {
            CHECK_EQ_INT("served", next->answer_fd, served[i]);
            hasher_queue_leave(&queue, next);
        }
    }
    CHECK_EQ_U64("count", queue.count, HASHER_WAITING_MAX - 6);
}

/* Where each place has its own source, the newest question goes. */
static void test_many_sources(void)
{
    hasher_queue_init(&queue);
    for (int i = 0; i < HASHER_WAITING_MAX; i++) {
        struct hasher_question question = {.source = (uint64_t)i};
        CHECK_EQ_INT("place", hasher_queue_put(&queue, &question, i), -1);
    }
    CHECK_EQ_INT("no place", put('z', 4000) != -1, true);
}

/* --- the process ----------------------------------------------------------------------------- */

static struct {
    int channel[2];
    pid_t pid;
} world;

/* A sanitizer needs more than the sandbox allows (gate/jail.h). */
#if defined(__SANITIZE_ADDRESS__)
#define IS_SANDBOXED false
#else
#define IS_SANDBOXED true
#endif
static const struct config config = {.is_sandboxed = IS_SANDBOXED};

static void start_process(void)
{
    world.pid = fork();
    if (world.pid == 0) {
        _exit(hasher_run(&config, world.channel[0]));
    }
}

static void open_world(void)
{
    if (!hasher_channel(world.channel)) {
        GIVE_UP();
    }
    start_process();
}

/* Returns the exit code, or minus the signal. */
static int reap(void)
{
    int status = 0;
    if (waitpid(world.pid, &status, 0) != world.pid) {
        return -1000;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int close_world(void)
{
    close(world.channel[0]);
    close(world.channel[1]);
    return reap();
}

static int ask(const char *hash, const char *password)
{
    struct hasher_question question = {.source = 1};
    int fd = -1;
    snprintf(question.hash, sizeof(question.hash), "%s", hash);
    snprintf(question.password, sizeof(question.password), "%s", password);
    return hasher_ask(world.channel[1], &question, &fd) == HASHER_ASKED ? fd : -1;
}

static enum hasher_answer wait_answer(int fd)
{
    struct pollfd reader = {.fd = fd, .events = POLLIN};
    if (poll(&reader, 1, 20000) != 1) {
        return HASHER_NONE;
    }
    enum hasher_answer answer = hasher_answer(fd);
    close(fd);
    return answer;
}

#define BCRYPT_SECRET "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
#define SHA512_SECRET \
    "$6$rounds=1000$saltsalt$LAV5VE5Y7w1d73x1mFNspYWUpazfmwv2SoepNXNKJ/otop/Zok96Hr8Q13LEv0DRY/" \
    "x8v0/crpIjl8NJSAqXV/"
#define SLOW_SECRET "$2b$12$abcdefghijklmnopqrstuuT1Iwu6o8Wx7BoOyIMHfgVJq6JO/IJhW"

static const struct {
    const char *name;
    const char *hash;
    const char *password;
    enum hasher_answer answer;
} rows[] = {
    {"bcrypt", BCRYPT_SECRET, "secret", HASHER_SAME},
    {"bcrypt, wrong", BCRYPT_SECRET, "Secret", HASHER_OTHER},
    {"bcrypt, nothing", BCRYPT_SECRET, "", HASHER_OTHER},
    {"bcrypt, UTF-8", "$2b$04$abcdefghijklmnopqrstuuyx2n0Zzopyr9QuYTMCfOJJOj526QVoC",
     "p\xc3\xa4ssw\xc3\xb6rd", HASHER_SAME},
    {"bcrypt, empty", "$2b$04$abcdefghijklmnopqrstuubyCG3zY1GIXMyxfivm.ClDiInHzxjiq", "",
     HASHER_SAME},
    {"SHA-512", SHA512_SECRET, "secret", HASHER_SAME},
    {"SHA-512, wrong", SHA512_SECRET, "secret ", HASHER_OTHER},
    {"SHA-512, 511 bytes",
     "$6$rounds=1000$saltsalt$nC35Rjw1qm7lwdxVgg3IU9qZMEaqucKnRYCtC7UyfTbgqAQUZjWQxjc2xeWwMzOTjOEq"
     "yGG.T4MAGPm1ptmEK/",
     X500 "xxxxxxxxxxx", HASHER_SAME},
    {"SHA-512, 510 bytes",
     "$6$rounds=1000$saltsalt$nC35Rjw1qm7lwdxVgg3IU9qZMEaqucKnRYCtC7UyfTbgqAQUZjWQxjc2xeWwMzOTjOEq"
     "yGG.T4MAGPm1ptmEK/",
     X500 "xxxxxxxxxx", HASHER_OTHER},
    {"SHA-256", "$5$rounds=1000$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2", "secret",
     HASHER_SAME},
    {"no hash", "", "secret", HASHER_OTHER},
    {"what libcrypt refuses", "$2b$99$abcdefghijklmnopqrstuu", "secret", HASHER_OTHER},
    {"its word for failures", "*0", "secret", HASHER_OTHER},
};

static void test_hashes(void)
{
    open_world();
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_EQ_INT(rows[i].name, wait_answer(ask(rows[i].hash, rows[i].password)),
                     rows[i].answer);
    }
    CHECK_EQ_INT("ends when nobody can ask", close_world(), 0);
}

static void test_locked(void)
{
    char path[64];
    char line[256];
    unsigned found = 0;
    open_world();
    CHECK_EQ_INT("answers", wait_answer(ask(BCRYPT_SECRET, "secret")), HASHER_SAME);
    snprintf(path, sizeof(path), "/proc/%d/status", (int)world.pid);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        found += strcmp(line, IS_SANDBOXED ? "Seccomp:\t2\n" : "Seccomp:\t0\n") == 0;
        found += strcmp(line, "NoNewPrivs:\t1\n") == 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    CHECK_EQ_U64("seccomp and no new privileges", found, 2);
    CHECK_TRUE("a low priority", getpriority(PRIO_PROCESS, (id_t)world.pid) >= HASHER_NICE);
    for (int signum = SIGHUP; signum <= SIGTERM; signum++) {
        if (signum == SIGHUP || signum == SIGINT || signum == SIGTERM || signum == SIGUSR2) {
            kill(world.pid, signum);
        }
    }
    CHECK_EQ_INT("still answers", wait_answer(ask(BCRYPT_SECRET, "secret")), HASHER_SAME);
    CHECK_EQ_INT("ends", close_world(), 0);
}

/* A killed hasher loses the question in its hands and no other. */
static void test_death(void)
{
    open_world();
    CHECK_EQ_INT("answers", wait_answer(ask(BCRYPT_SECRET, "secret")), HASHER_SAME);
    int in_hand = ask(SLOW_SECRET, "secret");
    struct pollfd channel = {.fd = world.channel[0], .events = POLLIN};
    for (int i = 0; i < 50000 && poll(&channel, 1, 0) == 1; i++) { /* until it has the question */
        usleep(100);
    }
    int in_channel = ask(BCRYPT_SECRET, "secret");
    kill(world.pid, SIGKILL);
    CHECK_EQ_INT("killed", reap(), -SIGKILL);
    CHECK_EQ_INT("lost", wait_answer(in_hand), HASHER_LOST);
    CHECK_EQ_INT("not yet", hasher_answer(in_channel), HASHER_NONE);
    start_process();
    CHECK_EQ_INT("the next one takes it", wait_answer(in_channel), HASHER_SAME);
    CHECK_EQ_INT("ends", close_world(), 0);
}

/* Nobody works for an asker that has gone: so many hashes of this cost would take half a minute. */
static void test_nobody_waits(void)
{
    open_world();
    for (size_t i = 0; i < 100; i++) {
        int fd = ask(SLOW_SECRET, "secret");
        if (CHECK_TRUE("asked", fd != -1)) {
            close(fd);
        }
    }
    int fd = ask(BCRYPT_SECRET, "secret");
    struct pollfd reader = {.fd = fd, .events = POLLIN};
    CHECK_EQ_INT("soon", poll(&reader, 1, 8000), 1);
    CHECK_EQ_INT("answered", wait_answer(fd), HASHER_SAME);
    CHECK_EQ_INT("ends", close_world(), 0);
}

/* What no worker sends. */
static void test_nonsense(void)
{
    const struct hasher_question question = {.source = 1};
    open_world();
    CHECK_TRUE("no pipe", control_send_bytes(world.channel[1], &question, sizeof(question), -1));
    CHECK_TRUE("short", control_send_bytes(world.channel[1], &question, 5, -1));
    int ends[2];
    if (pipe(ends) == 0) {
        struct hasher_question full;
        memset(&full, 'x', sizeof(full)); /* no NUL anywhere */
        CHECK_TRUE("full", control_send_bytes(world.channel[1], &full, sizeof(full), ends[1]));
        close(ends[1]);
        CHECK_EQ_INT("answered", wait_answer(ends[0]), HASHER_OTHER);
    }
    CHECK_EQ_INT("still there", wait_answer(ask(BCRYPT_SECRET, "secret")), HASHER_SAME);
    CHECK_EQ_INT("ends", close_world(), 0);
}

CU_TestInfo hasher_tests[] = {
    {"whose turn", test_order},
    {"ceiling", test_ceiling},
    {"as many sources as places", test_many_sources},
    {"hashes", test_hashes},
    {"locked in", test_locked},
    {"it dies", test_death},
    {"nobody waits", test_nobody_waits},
    {"nonsense", test_nonsense},
    CU_TEST_INFO_NULL,
};
