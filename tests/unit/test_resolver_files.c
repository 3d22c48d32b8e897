/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The system's files: the search list of resolv.conf, and files that change. */
#include <fcntl.h>
#include <sys/stat.h>

#include "give_up.h"
#include "io/resolver_parts.h"
#include "resolver_kit.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- the search list ----------------------------------------------------------------------- */

/* A path in the folder; valid until the call after the next seven. */
static const char *in_folder(const char *folder, const char *name)
{
    static char paths[8][128];
    static size_t next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static void make_folder(char folder[64])
{
    snprintf(folder, 64, "/tmp/resolver-test-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        GIVE_UP();
    }
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        GIVE_UP();
    }
    close(fd);
}

/* A world whose resolv.conf names the stub, at 127.0.0.2. */
static void world_open_file(struct world *w, const char *path, const char *more)
{
    char text[256];
    world_open_bare(w);
    stub_open_at(&w->stub, w->reactor, "127.0.0.2:0");
    snprintf(text, sizeof(text), "nameserver 127.0.0.2\n%s", more);
    write_file(path, text);
    resolver_set_file(w->resolver, path, addr_port(&w->stub.addr));
}

static const struct {
    const char *name;
    const char *list;
    const char *asked;
    struct zone zone;
    size_t v4;
    enum resolver_status status; /* of IPv4 */
    size_t questions;
} searches[] = {
    {"the first", "search a.example b.example\n", "db", {.a = 1, .only = "db.a.example."}, 1, 0, 2},
    {"the second",
     "search a.example b.example\n",
     "db",
     {.a = 1, .only = "db.b.example."},
     1,
     0,
     4},
    {"with a dot",
     "search a.example b.example.\n",
     "db",
     {.a = 1, .only = "db.b.example."},
     1,
     0,
     4},
    {"as it is, last", "search a.example b.example\n", "db", {.a = 1, .only = "db."}, 1, 0, 6},
    {"as it is, first", "search a.example\n", "db.x", {.a = 1, .only = "db.x."}, 1, 0, 2},
    {"ndots", "search a.example\noptions ndots:2\n", "db.x", {.a = 1, .only = "db.x."}, 1, 0, 4},
    {"whole",
     "search a.example\n",
     "db.",
     {.a = 1, .only = "db.a.example."},
     0,
     RESOLVER_NO_NAME,
     2},
    {"nowhere", "search a.example\n", "db", {.a = 1, .only = ""}, 0, RESOLVER_NO_NAME, 4},
    {"a failure ends it",
     "search a.example\n",
     "db",
     {.way = STUB_SERVFAIL},
     0,
     RESOLVER_FAILED,
     2},
    {"no address anywhere", "search a.example\n", "db", {.a = 0}, 0, RESOLVER_NO_ADDRESS, 4},
};

static void test_search(void)
{
    char folder[64];
    char path[128];
    make_folder(folder);
    snprintf(path, sizeof(path), "%s/resolv.conf", folder);
    for (size_t i = 0; i < COUNT(searches); i++) {
        static struct world w;
        world_open_file(&w, path, searches[i].list);
        w.stub.zone = searches[i].zone;
        (void)look_up(&w, searches[i].asked);
        CHECK_EQ_U64(searches[i].name, w.asker.count[IPV4], searches[i].v4);
        CHECK_EQ_INT(searches[i].name, w.asker.status[IPV4], searches[i].status);
        /* One version of c-ares asks a server that fails three times. */
        size_t times = searches[i].status == RESOLVER_FAILED && w.stub.questions > 2 ? 3 : 1;
        CHECK_EQ_U64(searches[i].name, w.stub.questions, searches[i].questions * times);
        world_close(searches[i].name, &w);
        check_no_leak(searches[i].name, &w);
    }
    unlink(path);
    rmdir(folder);
}

/* Whole files, cut at every byte too: no cut may do harm. */
static void test_search_file(void)
{
    static const struct {
        const char *text;
        const char *host;
        const char *domains; /* joined by '+' */
        size_t ndots;
    } rows[] = {
        {"", "desk", "", 1},
        {"", "desk.home.example", "home.example", 1},
        {"search a b\n", "desk.home.example", "a+b", 1},
        {"search a\tb  c", "", "a+b+c", 1},
        {"search a b\r\noptions ndots:3\r\n", "", "a+b", 3},
        {"domain a\nsearch b c\n", "", "b+c", 1},
        {"search b c\ndomain a\n", "", "a", 1},
        {"search\n", "desk.home.example", "", 1},
        {"search .\n", "", "", 1},
        {"# search a\n;search b\nsearching c\n", "", "", 1},
        {"options rotate ndots:0 timeout:1\nnameserver ::1\n", "", "", 0},
        {"options ndots:x ndots: ndots\n", "", "", 1},
        {"search 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18\n", "",
         "1+2+3+4+5+6+7+8+9+10+11+12+13+14+15+16", 1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        static struct resolver_search search;
        char got[256] = "";
        size_t len = strlen(rows[i].text);
        for (size_t cut = 0; cut <= len; cut++) {
            char *copy = mem_copy_str((struct span){rows[i].text, cut});
            resolver_search_parse(&search, (struct span){copy, cut}, span_from_str(rows[i].host));
            mem_free(copy);
        }
        for (size_t j = 0; j < search.domain_count; j++) {
            size_t used = strlen(got);
            snprintf(got + used, sizeof(got) - used, "%s%.*s", j > 0 ? "+" : "",
                     (int)search.domains[j].len, search.domains[j].data);
        }
        CHECK_EQ_STR(rows[i].text, got, rows[i].domains);
        CHECK_EQ_U64(rows[i].text, search.ndots, rows[i].ndots);
    }
}

/* --- changed files ------------------------------------------------------------------------- */

#define NEW_SERVER "nameserver 127.0.0.3\n"

static void change_in_place(const char *folder)
{
    write_file(in_folder(folder, "resolv.conf"), NEW_SERVER);
}

static void change_by_rename(const char *folder)
{
    write_file(in_folder(folder, "new"), NEW_SERVER);
    if (rename(in_folder(folder, "new"), in_folder(folder, "resolv.conf")) != 0) {
        GIVE_UP();
    }
}

static void change_by_symlink(const char *folder)
{
    write_file(in_folder(folder, "new"), NEW_SERVER);
    if (symlink("new", in_folder(folder, "link")) != 0 ||
        rename(in_folder(folder, "link"), in_folder(folder, "resolv.conf")) != 0) {
        GIVE_UP();
    }
}

/* As big, and the time of its content is the old file's. */
static void change_with_old_time(const char *folder)
{
    struct stat old;
    if (stat(in_folder(folder, "resolv.conf"), &old) != 0) {
        GIVE_UP();
    }
    change_in_place(folder);
    const struct timespec times[2] = {old.st_atim, old.st_mtim};
    if (utimensat(AT_FDCWD, in_folder(folder, "resolv.conf"), times, 0) != 0) {
        GIVE_UP();
    }
}

static void remove_file(const char *folder)
{
    unlink(in_folder(folder, "resolv.conf"));
}

static const struct change {
    const char *name;
    void (*make)(const char *folder);
    void (*make_before)(const char *folder); /* 1.2 s earlier; NULL: nothing */
} changes[] = {
    {"in place", change_in_place, NULL},
    {"by rename", change_by_rename, NULL},
    {"by symlink", change_by_symlink, NULL},
    {"with the old time", change_with_old_time, NULL},
    {"gone for a while", change_in_place, remove_file},
};
enum { CHANGES = COUNT(changes) };

/* A world with an old and a new server; which one is asked is in resolv.conf. */
struct place {
    struct world w;
    struct stub new_server; /* it says that the name has three addresses */
    char folder[64];
    char path[128];
};

static void place_open(struct place *p, const struct zone *old_zone)
{
    char text[ADDR_TEXT_MAX];
    make_folder(p->folder);
    snprintf(p->path, sizeof(p->path), "%s/resolv.conf", p->folder);
    world_open_file(&p->w, p->path, "");
    p->w.stub.zone = *old_zone;
    snprintf(text, sizeof(text), "127.0.0.3:%u", addr_port(&p->w.stub.addr));
    stub_open_at(&p->new_server, p->w.reactor, text);
    p->new_server.zone = (struct zone){.a = 3};
}

static void place_close(const char *row, struct place *p)
{
    stub_close(&p->new_server);
    world_close(row, &p->w);
    unlink(p->path);
    unlink(in_folder(p->folder, "new"));
    rmdir(p->folder);
}

/* Each place turns its reactor for so long, all at the same time. */
static void turn_all(struct place *places, uint64_t ms)
{
    uint64_t start = reactor_now_ms(places[0].w.reactor);
    do {
        usleep(2000);
        for (size_t i = 0; i < CHANGES; i++) {
            reactor_turn(places[i].w.reactor, true);
        }
    } while (reactor_now_ms(places[0].w.reactor) - start < ms);
}

/* Asks in each place until the answer is the wanted server's. */
static void check_answers(struct place *places, size_t want)
{
    uint64_t start = reactor_now_ms(places[0].w.reactor);
    for (size_t i = 0; i < CHANGES; i++) {
        struct world *w = &places[i].w;
        do {
            usleep(2000);
            (void)look_up(w, "backend.example.");
        } while (w->asker.count[IPV4] != want && reactor_now_ms(w->reactor) - start < 5000);
        CHECK_EQ_U64(changes[i].name, w->asker.count[IPV4], want);
    }
    CHECK_TRUE("within seconds", reactor_now_ms(places[0].w.reactor) - start < 5000);
}

static void test_changed_file(void)
{
    static struct place places[CHANGES];
    for (size_t i = 0; i < CHANGES; i++) {
        place_open(&places[i], &(struct zone){.a = 1});
    }
    check_answers(places, 1);
    for (size_t i = 0; i < CHANGES; i++) {
        changes[i].make(places[i].folder);
    }
    check_answers(places, 3);
    /* Back, before another second is over. */
    for (size_t i = 0; i < CHANGES; i++) {
        write_file(places[i].path, "nameserver 127.0.0.2\n");
    }
    check_answers(places, 1);
    for (size_t i = 0; i < CHANGES; i++) {
        place_close(changes[i].name, &places[i]);
    }
    check_no_leak("all", &places[0].w);
}

/* The old server is dead, and the question is under way when the file changes. */
static void test_changed_under_way(void)
{
    static struct place places[CHANGES];
    for (size_t i = 0; i < CHANGES; i++) {
        place_open(&places[i], &(struct zone){.way = STUB_SILENT});
        (void)ask(&places[i].w, "backend.example.");
        if (changes[i].make_before != NULL) {
            changes[i].make_before(places[i].folder);
        }
    }
    turn_all(places, 1200);
    for (size_t i = 0; i < CHANGES; i++) {
        CHECK_EQ_INT(changes[i].name, places[i].w.asker.calls, 0);
        changes[i].make(places[i].folder);
    }
    turn_all(places, 1200);
    for (size_t i = 0; i < CHANGES; i++) {
        struct world *w = &places[i].w;
        (void)wait_for_answer(w);
        CHECK_EQ_U64(changes[i].name, w->asker.count[IPV4], 3);
        place_close(changes[i].name, &places[i]);
    }
    check_no_leak("all", &places[0].w);
}

/* The family that was told already is not told again. */
static void test_changed_between_calls(void)
{
    static struct place p;
    place_open(&p, &(struct zone){.a = 1, .aaaa_way = STUB_SILENT});
    p.new_server.zone.aaaa = 2;
    (void)ask(&p.w, "backend.example.");
    (void)wait_for_calls(&p.w, 1);
    CHECK_EQ_U64("the old server's", p.w.asker.count[IPV4], 1);
    change_in_place(p.folder);
    (void)wait_for_answer(&p.w);
    CHECK_EQ_U64("the old server's", p.w.asker.count[IPV4], 1);
    CHECK_EQ_U64("the new server's", p.w.asker.count[IPV6], 2);
    place_close("between", &p);
    check_no_leak("between", &p.w);
}

static void test_files(void)
{
    char folder[64];
    make_folder(folder);
    struct resolver_files files = {.paths = {in_folder(folder, "one"), in_folder(folder, "two")}};
    CHECK_FALSE("no files", resolver_files_check(&files));
    CHECK_FALSE("never there", resolver_files_is_gone(&files));
    write_file(files.paths[1], "127.0.0.1 a\n");
    CHECK_TRUE("a new one", resolver_files_check(&files));
    CHECK_FALSE("once", resolver_files_check(&files));
    unlink(files.paths[1]);
    CHECK_FALSE("gone", resolver_files_check(&files));
    write_file(files.paths[1], "");
    CHECK_FALSE("empty", resolver_files_check(&files));
    write_file(files.paths[1], "127.0.0.1 a\n");
    CHECK_TRUE("back", resolver_files_check(&files));
    write_file(files.paths[0], "nameserver 127.0.0.1\n");
    write_file(files.paths[1], "127.0.0.1 bb\n");
    CHECK_TRUE("both", resolver_files_check(&files));
    CHECK_FALSE("there", resolver_files_is_gone(&files));
    unlink(files.paths[0]);
    CHECK_TRUE("gone", resolver_files_is_gone(&files));
    resolver_files_give_up(&files);
    CHECK_FALSE("for good", resolver_files_is_gone(&files));
    CHECK_FALSE("both, once", resolver_files_check(&files));
    unlink(files.paths[1]);
    rmdir(folder);
}

static void test_unreadable_file(void)
{
    static struct world w;
    char folder[64];
    make_folder(folder);
    char path[128];
    snprintf(path, sizeof(path), "%s/resolv.conf", folder);
    world_open_file(&w, path, "");
    unlink(path);
    if (mkdir(path, 0700) != 0) {
        GIVE_UP();
    }
    (void)look_up(&w, "backend.example.");
    CHECK_TRUE("no addresses", w.asker.status[IPV4] != RESOLVER_OK);
    world_close("a folder", &w);
    check_no_leak("a folder", &w);
    rmdir(path);
    rmdir(folder);
}

CU_TestInfo resolver_files_tests[] = {
    {"the search list", test_search},
    {"the search list in a file", test_search_file},
    {"a changed resolv.conf", test_changed_file},
    {"changed while a question is under way", test_changed_under_way},
    {"changed between two calls", test_changed_between_calls},
    {"what counts as a change", test_files},
    {"no file but a folder", test_unreadable_file},
    CU_TEST_INFO_NULL,
};
