/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "check.h"
#include "give_up.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char content_of(size_t at)
{
    return (char)('a' + at % 23);
}

static void make_file(char *path, size_t bytes)
{
    int fd = mkstemp(path);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file == NULL) {
        GIVE_UP();
    }
    for (size_t at = 0; at < bytes; at++) {
        (void)putc(content_of(at), file);
    }
    CHECK_EQ_INT("written", fclose(file), 0);
}

static bool is_content(struct span text)
{
    size_t at = 0;
    while (at < text.len && text.data[at] == content_of(at)) {
        at++;
    }
    return at == text.len;
}

static void test_sizes(void)
{
    static const size_t sizes[] = {
        0, 1, 4095, 4096, 4097, 100000, FILE_BYTES_MAX, FILE_BYTES_MAX + 1, FILE_BYTES_MAX + 5000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char path[] = "/tmp/sluice-test-file-XXXXXX";
        char row[32];
        struct arena arena = {0};
        struct span text = {"", 0};
        const char *detail = NULL;
        bool is_small = sizes[i] <= FILE_BYTES_MAX;

        snprintf(row, sizeof(row), "%zu", sizes[i]);
        make_file(path, sizes[i]);
        CHECK_EQ_INT(row, file_read(path, &arena, &text, &detail), is_small);
        if (is_small) {
            CHECK_EQ_U64(row, text.len, sizes[i]);
            CHECK_TRUE(row, is_content(text));
        } else {
            CHECK_EQ_STR(row, detail, "the file is larger than 8 MiB");
        }
        arena_done(&arena);
        CHECK_EQ_INT(row, unlink(path), 0);
    }
}

/* A file of /proc says that it has no bytes. */
static void test_more_than_told(void)
{
    struct arena arena = {0};
    struct span text = {"", 0};
    const char *detail = NULL;
    CHECK_TRUE("read", file_read("/proc/self/smaps", &arena, &text, &detail));
    CHECK_TRUE("much", text.len > 8192);
    arena_done(&arena);
}

static void note_limit(void *owner)
{
    unsigned *calls = owner;
    (*calls)++;
}

/* The room for a file goes by the file: what a process once had, its workers inherit. */
static void test_room(void)
{
    unsigned calls = 0;
    char path[] = "/tmp/sluice-test-file-XXXXXX";
    struct arena arena = {0};
    struct span text = {"", 0};
    const char *detail = NULL;
    make_file(path, 3000);
    mem_on_limit(SIZE_MAX, note_limit, &calls);
    mem_on_limit(mem_live_bytes() + 65536, note_limit, &calls);
    CHECK_TRUE("read", file_read(path, &arena, &text, &detail));
    mem_on_limit(0, NULL, NULL);
    CHECK_EQ_INT("no block for a larger file", calls, 0);
    arena_done(&arena);
    CHECK_EQ_INT("unlink", unlink(path), 0);
}

// A directory is another one when somebody has put it in the place of the first; a link counts for
// what it leads to.
static void test_directories(void)
{
    char one[] = "/tmp/sluice-test-directory-XXXXXX";
    char two[] = "/tmp/sluice-test-directory-XXXXXX";
    char link[64];
    char path[] = "/tmp/sluice-test-file-XXXXXX";
    struct arena arena = {0};
    struct span first;
    struct span second;
    struct span again;
    const char *detail = NULL;

    CHECK_TRUE("directories", mkdtemp(one) != NULL && mkdtemp(two) != NULL);
    snprintf(link, sizeof(link), "%s/link", two);
    CHECK_EQ_INT("link", symlink(one, link), 0);
    CHECK_TRUE("one", file_identify(one, &arena, &first, &detail));
    CHECK_TRUE("two", file_identify(two, &arena, &second, &detail));
    CHECK_TRUE("link", file_identify(link, &arena, &again, &detail));
    CHECK_FALSE("two are two", span_is_equal(first, second));
    CHECK_EQ_MEM("the link", again.data, again.len, first.data, first.len);
    make_file(path, 1);
    CHECK_FALSE("a file", file_identify(path, &arena, &again, &detail));
    CHECK_EQ_STR("a file", detail, "Not a directory");
    CHECK_EQ_INT("unlink", unlink(path), 0);
    CHECK_FALSE("nothing", file_identify(path, &arena, &again, &detail));
    CHECK_EQ_STR("nothing", detail, "No such file or directory");
    arena_done(&arena);
    CHECK_EQ_INT("clean up", unlink(link) + rmdir(one) + rmdir(two), 0);
}

CU_TestInfo file_tests[] = {
    {"directories", test_directories},
    {"sizes", test_sizes},
    {"more_than_told", test_more_than_told},
    {"room", test_room},
    CU_TEST_INFO_NULL,
};
