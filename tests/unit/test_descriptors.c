/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/descriptors.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "suites.h"

static void test_share(void)
{
    static const struct {
        const char *name;
        unsigned workers;
        uint64_t max_pending;
        uint64_t limit;
        uint64_t open;
        uint64_t pending_max;
        uint64_t sessions_max;
        size_t file_count;
    } rows[] = {
        {"enough", 1, 1000, 20032, 0, 1000, 9500, 0},
        {"an even share, rounded up", 3, 1000, 20032, 0, 334, 9833, 0},
        {"a quarter at most", 1, 1000, 1032, 0, 250, 375, 0},
        {"what is open is gone", 1, 1000, 1072, 40, 250, 375, 0},
        {"very few", 1, 1000, 48, 8, 2, 3, 0},
        {"too few", 1, 1000, 16, 8, 1, 1, 0},
        {"none", 1, 1000, 0, 0, 1, 1, 0},
        {"one", 4, 1, 1032, 0, 1, 499, 0},
        {"files, enough", 1, 1000, 20032, 0, 1000, 9000, 1},
        {"files, a quarter", 1, 1000, 1032, 0, 125, 375, 1},
        {"files, too few", 1, 1000, 16, 8, 1, 1, 1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct config config = {.workers = rows[i].workers,
                                      .max_pending = rows[i].max_pending,
                                      .file_count = rows[i].file_count};
        struct descriptors_plan plan = descriptors_share(&config, rows[i].limit, rows[i].open);
        CHECK_EQ_U64(rows[i].name, plan.pending_max, rows[i].pending_max);
        CHECK_EQ_U64(rows[i].name, plan.sessions_max, rows[i].sessions_max);
    }
}

static void test_warning(void)
{
    const struct config config = {
        .workers = 2, .max_sessions = 10000, .max_pending = 1000, .listen_count = 1};
    char text[DESCRIPTORS_WARNING_MAX];
    const uint64_t needed = 2 * 5000 + 500 + 1 + 64;
    CHECK_FALSE("just enough", descriptors_warning(&config, needed, text));
    CHECK_TRUE("one less", descriptors_warning(&config, needed - 1, text));
    CHECK_TRUE(text, strstr(text, "need 10565 descriptors") != NULL);
    CHECK_TRUE(text, strstr(text, "limit is 10564") != NULL);
    CHECK_TRUE("the text is whole", strstr(text, "lower max_sessions") != NULL);
    struct config large = config;
    large.max_sessions = large.max_pending = UINT64_MAX / 8;
    CHECK_TRUE("the longest numbers", descriptors_warning(&large, UINT64_MAX / 100, text));
    CHECK_TRUE("fit", strstr(text, "lower max_sessions") != NULL);
}

static void test_open(void)
{
    uint64_t before = descriptors_open();
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK_EQ_U64("one more", descriptors_open(), before + 1);
    close(fd);
    CHECK_EQ_U64("as before", descriptors_open(), before);
    CHECK_TRUE("a limit", descriptors_raise() > before);
}

CU_TestInfo descriptors_tests[] = {
    {"shares of a limit", test_share},
    {"what the operator reads", test_warning},
    {"open descriptors", test_open},
    CU_TEST_INFO_NULL,
};
