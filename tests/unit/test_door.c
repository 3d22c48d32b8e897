/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/door.h"

#include <string.h>
#include <time.h>

#include "check.h"
#include "reactor_kit.h"
#include "suites.h"

#define GUESTS 20

struct guest {
    struct door_guest guest;
    char name;
};

static struct {
    struct reactor *reactor;
    struct door door;
    struct guest guests[GUESTS];
    unsigned serve_us; /* how long the work of one guest takes */
    bool is_talking;   /* a guest that was served has more to say at once */
    int wakes;
} world;

static void serve(struct door_guest *guest)
{
    struct guest *g = container_of(guest, struct guest, guest);
    struct timespec busy = {0, (long)world.serve_us * 1000};
    tell(g->name);
    (void)nanosleep(&busy, NULL);
    if (world.is_talking) {
        door_queue(&world.door, guest);
    }
}

static void put_out(struct door_guest *guest)
{
    tell((char)(container_of(guest, struct guest, guest)->name - 'a' + 'A'));
    door_leave(&world.door, guest);
}

static void open_world(uint64_t pending_max, uint64_t sessions_max)
{
    memset(&world, 0, sizeof(world));
    world.reactor = start();
    const struct door_settings settings = {pending_max, sessions_max, serve, put_out};
    door_init(&world.door, world.reactor, &settings);
    for (size_t i = 0; i < GUESTS; i++) {
        world.guests[i].name = (char)('a' + i);
    }
}

static struct door_guest *guest_at(size_t i)
{
    return &world.guests[i].guest;
}

static void enter(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        CHECK_TRUE("room", door_has_room(&world.door));
        door_enter(&world.door, guest_at(i));
    }
}

static void close_world(const char *row)
{
    for (size_t i = 0; i < GUESTS; i++) {
        door_leave(&world.door, guest_at(i));
        door_leave(&world.door, guest_at(i)); /* a second time it is harmless */
    }
    CHECK_EQ_U64(row, world.door.pending_count, 0);
    CHECK_EQ_U64(row, world.door.session_count, 0);
    door_done(&world.door);
    reactor_free(world.reactor);
}

/* Moves the clock without a turn, which would read the real one. */
static void pass(uint64_t ms)
{
    world.reactor->now_ms += ms;
}

static void test_silent_go_first(void)
{
    open_world(4, 10);
    enter(0, 4);
    CHECK_FALSE("full", door_has_room(&world.door));
    pass(DOOR_SILENT_MS - 1);
    CHECK_FALSE("each has its time", door_has_room(&world.door));
    door_progress(&world.door, guest_at(0));
    pass(1);
    CHECK_TRUE("a silent one has had it", door_has_room(&world.door));
    CHECK_EQ_STR("looking puts nobody out", story.text, "");
    enter(4, 7);
    CHECK_EQ_STR("the oldest silent one first", story.text, "BCD");
    CHECK_FALSE("the others are new or have begun", door_has_room(&world.door));
    CHECK_EQ_U64("as many as may be", world.door.pending_count, 4);
    close_world("silent");
}

static void test_begun_go_next(void)
{
    open_world(3, 10);
    enter(0, 3);
    door_progress(&world.door, guest_at(0));
    pass(10);
    door_progress(&world.door, guest_at(2));
    door_progress(&world.door, guest_at(1));
    pass(DOOR_BEGUN_MS - 11);
    CHECK_FALSE("not yet", door_has_room(&world.door));
    pass(1);
    enter(3, 4);
    CHECK_EQ_STR("the one that has come no further", story.text, "A");
    CHECK_FALSE("the next one has its time", door_has_room(&world.door));
    pass(10);
    enter(4, 6);
    CHECK_EQ_STR("in the order of their steps", story.text, "ACB");
    close_world("begun");
}

/* Bytes are no step: a guest that sends one now and then gains nothing. */
static void test_bytes_are_no_step(void)
{
    open_world(3, 10);
    enter(0, 3);
    uint64_t since_ms = guest_at(1)->since_ms;
    door_queue(&world.door, guest_at(1));
    door_queue(&world.door, guest_at(1));
    reactor_turn(world.reactor, true);
    CHECK_EQ_STR("served once", story.text, "b");
    CHECK_EQ_U64("its time goes on", guest_at(1)->since_ms, since_ms);
    world.reactor->now_ms = since_ms + DOOR_BEGUN_MS;
    enter(3, 6);
    CHECK_EQ_STR("it goes behind the silent ones", story.text, "bACB");
    close_world("bytes");
}

static void test_ready_stay(void)
{
    open_world(2, 10);
    enter(0, 2);
    door_queue(&world.door, guest_at(0));
    door_queue(&world.door, guest_at(1));
    pass((uint64_t)10 * DOOR_BEGUN_MS);
    CHECK_FALSE("they wait for the door, not the door for them", door_has_room(&world.door));
    CHECK_TRUE("busy", door_is_busy(&world.door));
    door_leave(&world.door, guest_at(0));
    CHECK_TRUE("a place is free", door_has_room(&world.door));
    reactor_turn(world.reactor, true);
    CHECK_EQ_STR("one that is gone is not served", story.text, "b");
    close_world("ready");
}

static void on_session(struct reactor_io *io, unsigned ready)
{
    struct end *e = container_of(io, struct end, io);
    char byte;
    (void)ready;
    tell('.');
    (void)!read(e->fd, &byte, 1);
    poke(e);
}

/* Work that takes long goes one guest a turn, and the events of sessions come between. */
static void test_turns(void)
{
    struct end session;
    open_world(10, 10);
    world.serve_us = 2 * DOOR_TURN_US;
    enter(0, 3);
    end_open(&session, world.reactor, on_session);
    reactor_io_want(&session.io, REACTOR_READ);
    poke(&session);
    for (size_t i = 0; i < 3; i++) {
        door_queue(&world.door, guest_at(i));
    }
    for (int i = 0; i < 6; i++) {
        reactor_turn(world.reactor, true);
    }
    const char *last = strchr(story.text, 'c');
    CHECK_TRUE("in order", last != NULL && strchr(story.text, 'a') < strchr(story.text, 'b'));
    CHECK_TRUE("a session between two", strstr(story.text, "ab") == NULL);
    CHECK_TRUE("and between the next two", strstr(story.text, "bc") == NULL);
    CHECK_FALSE("nobody is left", door_is_busy(&world.door));
    end_close(&session);
    close_world("turns");
}

static void test_short_work_shares_a_turn(void)
{
    open_world(10, 10);
    enter(0, 3);
    for (size_t i = 0; i < 3; i++) {
        door_queue(&world.door, guest_at(i));
    }
    /* On a slow machine a turn takes only some of them. */
    for (int i = 0; i < 8 && door_is_busy(&world.door); i++) {
        reactor_turn(world.reactor, true);
    }
    CHECK_EQ_STR("all, in order", story.text, "abc");
    close_world("short work");
}

/* A guest that always has more to say does not keep the loop in one turn. */
static void test_talker(void)
{
    open_world(10, 10);
    world.is_talking = true;
    enter(0, 1);
    door_queue(&world.door, guest_at(0));
    reactor_turn(world.reactor, true);
    CHECK_TRUE("served, and the turn ended", story.len >= 1);
    close_world("talker");
}

static void test_admit(void)
{
    open_world(4, 2);
    enter(0, 3);
    CHECK_TRUE("one", door_admit(&world.door, guest_at(0)));
    CHECK_TRUE("once", door_admit(&world.door, guest_at(0)));
    CHECK_FALSE("no guest", door_is_guest(guest_at(0)));
    CHECK_TRUE("two", door_admit(&world.door, guest_at(1)));
    CHECK_EQ_U64("one guest is left", world.door.pending_count, 1);
    CHECK_FALSE("no descriptors for a third", door_admit(&world.door, guest_at(2)));
    CHECK_TRUE("it stays a guest", door_is_guest(guest_at(2)));
    door_queue(&world.door, guest_at(0));
    door_progress(&world.door, guest_at(0));
    CHECK_FALSE("a session does not wait for its turn", door_is_busy(&world.door));
    door_leave(&world.door, guest_at(0));
    CHECK_TRUE("its place is free", door_admit(&world.door, guest_at(2)));
    close_world("admit");
}

static void on_room(struct door_waiter *waiter)
{
    world.wakes++;
    if (!door_has_room(&world.door)) {
        door_wait(&world.door, waiter);
    }
}

static void test_waiters(void)
{
    struct door_waiter waiter = {.callback = on_room};
    list_init(&waiter.link);
    open_world(8, 10);
    enter(0, 8);
    for (size_t i = 0; i < 8; i++) {
        door_progress(&world.door, guest_at(i));
    }
    door_wait(&world.door, &waiter);
    reactor_turn(world.reactor, true);
    CHECK_EQ_INT("nobody has gone", world.wakes, 0);
    reactor_turn(world.reactor, false); /* until the door looks again */
    CHECK_EQ_INT("a look", world.wakes, 1);
    CHECK_FALSE("it waits on", list_is_empty(&world.door.waiters));
    door_leave(&world.door, guest_at(3));
    for (int i = 0; i < 100 && world.wakes < 2; i++) {
        reactor_turn(world.reactor, false);
    }
    CHECK_EQ_INT("room", world.wakes, 2);
    CHECK_TRUE("it waits no more", list_is_empty(&world.door.waiters));
    door_shut(&world.door, "max_memory");
    CHECK_FALSE("shut", door_has_room(&world.door));
    door_wait(&world.door, &waiter);
    door_wait_stop(&waiter);
    door_wait_stop(&waiter);
    door_shut(&world.door, NULL);
    CHECK_TRUE("open", door_has_room(&world.door));
    close_world("waiters");
}

static void test_other_limits(void)
{
    open_world(3, 1);
    enter(0, 2);
    door_set_limits(&world.door, 1, 2);
    CHECK_FALSE("more are in than may be", door_has_room(&world.door));
    CHECK_TRUE("a session", door_admit(&world.door, guest_at(0)));
    CHECK_FALSE("still full", door_has_room(&world.door));
    CHECK_TRUE("another session", door_admit(&world.door, guest_at(1)));
    CHECK_TRUE("room", door_has_room(&world.door));
    close_world("other limits");
}

CU_TestInfo door_tests[] = {
    {"who has sent nothing goes first", test_silent_go_first},
    {"then who has come no further", test_begun_go_next},
    {"bytes are no step", test_bytes_are_no_step},
    {"who waits for the door stays", test_ready_stay},
    {"long work: one guest a turn, sessions between", test_turns},
    {"short work shares a turn", test_short_work_shares_a_turn},
    {"a guest that talks without end", test_talker},
    {"admitted, and no descriptors", test_admit},
    {"listeners wait for room", test_waiters},
    {"other limits", test_other_limits},
    CU_TEST_INFO_NULL,
};
