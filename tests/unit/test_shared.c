/* SPDX-License-Identifier: GPL-3.0-or-later */
// Memory of several processes: its layout, and places that end with their process.
#include "gate/shared.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "gate/scoreboard.h"
#include "give_up.h"
#include "suites.h"

static void test_open(void)
{
    struct shared first;
    struct shared second;
    const char *detail = NULL;
    if (!CHECK_TRUE("made", shared_new(&first, "test", 8192, 77))) {
        return;
    }
    ((char *)first.memory)[100] = 'x';
    if (CHECK_TRUE("opened", shared_open(&second, dup(first.fd), 77, &detail))) {
        CHECK_EQ_INT("the same memory", ((char *)second.memory)[100], 'x');
        shared_close(&second);
    }
    CHECK_FALSE("another layout", shared_open(&second, dup(first.fd), 78, &detail));
    CHECK_EQ_STR("why", detail, "this version lays it out in another way");
    CHECK_TRUE("nobody can cut it off", ftruncate(first.fd, 100) == -1);
    shared_close(&first);
    int fd = memfd_create("test", MFD_CLOEXEC);
    CHECK_FALSE("no seals", shared_open(&second, fd, 77, &detail));
    CHECK_EQ_STR("why", detail, "it is no sealed memory file");
    CHECK_TRUE("closed", close(fd) == -1);
    CHECK_FALSE("none", shared_open(&second, -1, 77, &detail));
}

static void test_layout(void)
{
    uint64_t sum = shared_layout_number(SHARED_LAYOUT, 1);
    CHECK_TRUE("a number", sum != shared_layout_number(SHARED_LAYOUT, 2));
    CHECK_TRUE("its place", sum != shared_layout_number(SHARED_LAYOUT, 256));
    CHECK_TRUE("where texts end", shared_layout_text(shared_layout_text(SHARED_LAYOUT, "a"), "b") !=
                                      shared_layout_text(SHARED_LAYOUT, "ab"));
}

// A process that lives takes what it wants, and says it through its exit code.
static int in_child(int (*act)(void *), void *owner)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(act(owner));
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
                                                                           : -1;
}

static int take_first(void *owner)
{
    size_t slot = scoreboard_take_slot(owner, 3, 2);
    scoreboard_add(&((struct scoreboard *)owner)->slots[slot].sessions_now, 5);
    return (int)slot;
}

static struct scoreboard *board_of_two(void)
{
    struct scoreboard *board = scoreboard_new(2, 1);
    if (board == NULL) {
        GIVE_UP();
    }
    return board;
}

// The seat of a process that is gone is free, with what it had; whoever takes it begins at nothing.
static void test_seats(void)
{
    struct scoreboard *board = board_of_two();
    CHECK_EQ_U64("expected", scoreboard_generations(board), 1);
    CHECK_EQ_INT("the one that it wants", in_child(take_first, board), 3);
    CHECK_EQ_U64("seats", board->slot_count, 4);
    CHECK_EQ_U64("generations", scoreboard_generations(board), 2);
    CHECK_EQ_U64("what it had", board->slots[3].sessions_now, 5);
    if (CHECK_TRUE("free", scoreboard_hold_slot(board, 3))) {
        CHECK_EQ_INT("held: another one", in_child(take_first, board), 0);
        scoreboard_release_slot(board, 3, true);
    }
    CHECK_EQ_U64("cleared", board->slots[3].sessions_now, 0);
    CHECK_EQ_U64("a successor will come", board->slots[3].generation, 2);
    CHECK_EQ_INT("again", in_child(take_first, board), 3);
    if (CHECK_TRUE("free", scoreboard_hold_slot(board, 3))) {
        scoreboard_release_slot(board, 3, false);
    }
    CHECK_EQ_U64("nobody's", board->slots[3].generation, 0);
}

static int open_again(void *owner)
{
    const char *detail = NULL;
    struct scoreboard *board = scoreboard_open(dup(*(int *)owner), &detail);
    return board != NULL ? (int)scoreboard_next_id(board, 1) : 100;
}

static void test_inherited(void)
{
    struct scoreboard *board = board_of_two();
    int fd = scoreboard_fd();
    scoreboard_begin_ids(board, 40);
    CHECK_EQ_INT("its number", in_child(open_again, &fd), 40);
    CHECK_EQ_U64("the next one", scoreboard_next_id(board, 1), 41);
    scoreboard_note_upgrade(board, true);
    CHECK_EQ_U64("good", board->upgrades[1], 1);
    CHECK_EQ_U64("bad", board->upgrades[0], 0);
}

CU_TestInfo shared_tests[] = {
    {"memory of another program", test_open},
    {"layouts", test_layout},
    {"seats of processes", test_seats},
    {"a scoreboard that is handed on", test_inherited},
    CU_TEST_INFO_NULL,
};
