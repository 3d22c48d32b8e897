/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sessions whose client says in its first message who it is: cut anywhere, wrong in every way, and
 * nothing reaches the backend before the token was good. */
#include <sys/stat.h>

#include "give_up.h"
#include "session_kit.h"
#include "suites.h"

/* The token is "test"; SHA-256 of it. */
#define LINE "alice:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define ASKS "auth = t\nauth_from = bearer, first_message\n"
#define ROUTES ASKS "close_timeout = 10ms\n"
#define DEFLATE "Sec-WebSocket-Extensions: permessage-deflate\r\n"
#define FRAMES_MAX 6

struct frame {
    uint8_t first;       /* its first byte */
    const char *payload; /* NULL: the end of the frames */
    size_t len;          /* 0 = that of the text */
};

static char folder[] = "/tmp/sluice-token-XXXXXX";
static bool has_folder;
static struct door door;
static char long_text[TOKEN_MESSAGE_MAX + 2];

static void write_tokens(const char *line)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/tokens", folder);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        GIVE_UP();
    }
    bool is_written = fprintf(file, "%s\n", line) > 0;
    memory_expect(fclose(file) == 0 && is_written && chmod(path, 0600) == 0, "its line");
}

static void drop_tokens(void)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/tokens", folder);
    unlink(path);
    rmdir(folder);
}

static const char *server_lines(void)
{
    static char lines[160];
    if (!has_folder) {
        has_folder = true;
        memory_expect(mkdtemp(folder) != NULL, "a folder");
        write_tokens(LINE);
        atexit(drop_tokens);
        memset(long_text, 'a', sizeof(long_text) - 1);
    }
    snprintf(lines, sizeof(lines), "max_sessions = 1\n[auth t]\ntype = tokens\nfile = %s/tokens",
             folder);
    return lines;
}

static void open_kit(struct kit *k, const char *route)
{
    static const struct door_settings settings = {2, 2, session_serve, session_put_out};
    kit_open(k, server_lines(), route);
    door_init(&door, k->context.reactor, &settings);
    k->context.door = &door;
}

static bool connect_guest(const char *row, struct kit *k, const char *request)
{
    bool is_in = kit_connect(row, k, request);
    CHECK_EQ_U64(row, door.pending_count, 1);
    CHECK_EQ_U64(row, door.session_count, 0);
    CHECK_EQ_U64(row, k->context.scoreboard->slots[0].sessions_now, 0);
    CHECK_EQ_U64(row, kit_client_heard.len, 0);
    return is_in;
}

static void put_frames(struct kit *k, const struct frame *frames)
{
    for (size_t i = 0; i < FRAMES_MAX && frames[i].payload != NULL; i++) {
        size_t len = frames[i].len != 0 ? frames[i].len : strlen(frames[i].payload);
        kit_client_frame(k, frames[i].first, frames[i].payload, len);
    }
}

static void some_turns(struct kit *k)
{
    for (int i = 0; i < 4; i++) {
        kit_turn(k);
    }
}

/* --- good tokens ------------------------------------------------------------------------------*/

static const struct {
    const char *name;
    const char *request;
    struct frame frames[FRAMES_MAX];
    const char *pongs; /* what the client hears */
    size_t pongs_len;
} good_rows[] = {
    {"text", KIT_REQUEST("/tcp", ""), {{0x81, "test", 0}}, "", 0},
    {"binary", KIT_REQUEST("/tcp", ""), {{0x82, "test", 0}}, "", 0},
    {"blanks", KIT_REQUEST("/tcp", ""), {{0x81, " test\r\n", 0}}, "", 0},
    {"fragments, a Ping between",
     KIT_REQUEST("/tcp", ""),
     {{0x01, "te", 0}, {0x89, "p", 0}, {0x00, "", 0}, {0x00, "s", 0}, {0x80, "t", 0}},
     "\x8a\x01p",
     3},
    {"Pings and a Pong first",
     KIT_REQUEST("/tcp", ""),
     {{0x89, "", 0}, {0x8a, "x", 0}, {0x81, "test", 0}},
     "\x8a\x00",
     2},
    {"compressed", KIT_REQUEST("/tcp", DEFLATE), {{0xc1, "\x2a\x49\x2d\x2e\x01\x00", 6}}, "", 0},
    {"agreed on, not compressed", KIT_REQUEST("/tcp", DEFLATE), {{0x81, "test", 0}}, "", 0},
};

/* The client has sent its bytes up to the cut, then the others. */
static bool check_good(const char *name, size_t row, size_t cut)
{
    struct kit k;
    char text[64];
    uint8_t wire[256];
    snprintf(text, sizeof(text), "%s, cut at %zu", name, cut);
    open_kit(&k, strstr(good_rows[row].request, "permessage") != NULL ? ASKS "compression = on\n"
                                                                      : ASKS);
    if (!connect_guest(text, &k, good_rows[row].request)) {
        return false;
    }
    put_frames(&k, good_rows[row].frames);
    size_t token_len = memory_waiting(&k.client);
    kit_client_frame(&k, 0x82, "abc", 3);
    kit_client_closes(&k);
    size_t all = memory_waiting(&k.client);
    memory_expect(all <= sizeof(wire), "a short wire");
    memcpy(wire, k.client.in + k.client.in_at, all);
    bool is_last = cut >= all;
    k.client.in_len = k.client.in_at + (is_last ? all : cut);
    some_turns(&k);
    if (cut < token_len) {
        CHECK_EQ_INT(text, k.backend, -1);
        CHECK_EQ_U64(text, door.pending_count, 1);
    }
    if (!is_last) {
        memory_push(&k.client, wire + cut, all - cut);
    }
    CHECK_TRUE(text, kit_until(&k, kit_is_backend_ended));
    CHECK_EQ_INT(text, k.backend_end, KIT_BACKEND_FIN);
    CHECK_EQ_MEM(text, kit_backend_heard.data, kit_backend_heard.len, "abc", 3);
    CHECK_EQ_U64(text, door.pending_count, 0);
    kit_heard_is(text, good_rows[row].pongs, good_rows[row].pongs_len);
    close(k.backend);
    k.backend = -1;
    k.client.is_in_fin = true;
    kit_close(text, &k, LIFE_CLIENT_CLOSE);
    return !is_last;
}

static void test_every_cut(void)
{
    for (size_t row = 0; row < sizeof(good_rows) / sizeof(good_rows[0]); row++) {
        for (size_t cut = 0; check_good(good_rows[row].name, row, cut); cut++) {
        }
    }
}

static bool is_echoed(const struct kit *k)
{
    (void)k;
    return kit_client_heard.len >= 5;
}

static void test_echo(void)
{
    struct kit k;
    open_kit(&k, ROUTES);
    connect_guest("echo", &k, KIT_ECHO);
    kit_client_frame(&k, 0x81, "test", 4);
    kit_client_frame(&k, 0x81, "abc", 3);
    CHECK_TRUE("echo", kit_until(&k, is_echoed));
    kit_heard_is("not the token",
                 "\x81\x03"
                 "abc",
                 5);
    const struct seat_route *counts = seats_route(k.seats, 0, 1);
    kit_client_closes(&k);
    k.client.is_in_fin = true;
    kit_until(&k, kit_is_gone);
    CHECK_EQ_U64("messages", seat_get(&counts->messages[SEAT_CLIENT]), 1);
    CHECK_EQ_U64("messages back", seat_get(&counts->messages[SEAT_BACKEND]), 1);
    kit_close("echo", &k, LIFE_CLIENT_CLOSE);
}

/* A token in the head is enough: no message is taken. */
static void test_in_the_head(void)
{
    struct kit k;
    open_kit(&k, ROUTES);
    kit_connect("head", &k, KIT_REQUEST("/echo", "Authorization: Bearer test\r\n"));
    CHECK_EQ_U64("a session", door.session_count, 1);
    kit_client_frame(&k, 0x81, "abc", 3);
    CHECK_TRUE("echo", kit_until(&k, is_echoed));
    kit_client_closes(&k);
    k.client.is_in_fin = true;
    kit_close("head", &k, LIFE_CLIENT_CLOSE);
}

/* A FIN comes with the token and with what follows it. */
static void test_fin_behind_it(void)
{
    struct kit k;
    open_kit(&k, ROUTES);
    connect_guest("FIN", &k, KIT_TCP);
    kit_client_frame(&k, 0x81, "test", 4);
    kit_client_frame(&k, 0x81, "abc", 3);
    k.client.is_in_fin = true;
    CHECK_TRUE("FIN", kit_until(&k, kit_is_backend_ended));
    CHECK_EQ_INT("FIN", k.backend_end, KIT_BACKEND_FIN);
    CHECK_EQ_MEM("FIN", kit_backend_heard.data, kit_backend_heard.len, "abc", 3);
    close(k.backend);
    k.backend = -1;
    kit_close("FIN", &k, LIFE_CLIENT_EOF);
}

/* --- endings ----------------------------------------------------------------------------------*/

enum end_how { BY_BYTES = 0, BY_FIN, BY_RESET, BY_TIME };

static const struct {
    const char *name;
    const char *request;
    struct frame frames[FRAMES_MAX];
    enum end_how how;
    enum life_ending ending;
    uint16_t code; /* of the Close; 0 = none comes */
} bad_rows[] = {
    {"another token", KIT_TCP, {{0x81, "tess", 0}}, BY_BYTES, LIFE_AUTH, 1008},
    {"a message behind it",
     KIT_TCP,
     {{0x81, "tess", 0}, {0x81, "test", 0}},
     BY_BYTES,
     LIFE_AUTH,
     1008},
    {"no message at all", KIT_TCP, {{0x81, "", 0}}, BY_BYTES, LIFE_AUTH, 1008},
    {"JSON with blanks", KIT_TCP, {{0x81, "{\"token\": \"test\"}", 0}}, BY_BYTES, LIFE_AUTH, 1008},
    {"NUL", KIT_TCP, {{0x82, "te\0t", 4}}, BY_BYTES, LIFE_AUTH, 1008},
    {"no UTF-8", KIT_TCP, {{0x81, "\xff", 0}}, BY_BYTES, LIFE_BAD_TEXT, 1007},
    {"just not too long",
     KIT_TCP,
     {{0x81, long_text, TOKEN_MESSAGE_MAX}},
     BY_BYTES,
     LIFE_AUTH,
     1008},
    {"too long", KIT_TCP, {{0x81, long_text, TOKEN_MESSAGE_MAX + 1}}, BY_BYTES, LIFE_TOO_BIG, 1009},
    {"too long in fragments",
     KIT_TCP,
     {{0x01, long_text, TOKEN_MESSAGE_MAX}, {0x80, "t", 0}},
     BY_BYTES,
     LIFE_TOO_BIG,
     1009},
    {"a Close", KIT_TCP, {{0x88, "\x03\xe9", 2}}, BY_BYTES, LIFE_CLIENT_CLOSE, 1001},
    {"a Close inside it",
     KIT_TCP,
     {{0x01, "te", 0}, {0x88, "\x03\xe8", 2}},
     BY_BYTES,
     LIFE_CLIENT_CLOSE,
     1000},
    {"a reserved opcode", KIT_TCP, {{0x83, "test", 0}}, BY_BYTES, LIFE_PROTOCOL, 1002},
    {"FIN", KIT_TCP, {{0, NULL, 0}}, BY_FIN, LIFE_CLIENT_EOF, 0},
    {"FIN inside it", KIT_TCP, {{0x01, "te", 0}}, BY_FIN, LIFE_CLIENT_CUT, 0},
    {"FIN behind it", KIT_TCP, {{0x81, "tess", 0}}, BY_FIN, LIFE_AUTH, 1008},
    {"reset", KIT_TCP, {{0x01, "te", 0}}, BY_RESET, LIFE_CLIENT_RESET, 0},
    {"nothing in time", KIT_TCP, {{0x89, "", 0}}, BY_TIME, LIFE_AUTH, 1008},
    {"a part in time", KIT_TCP, {{0x01, "te", 0}}, BY_TIME, LIFE_AUTH, 1008},
    {"a backend that fails",
     KIT_REQUEST("/closed", ""),
     {{0x81, "test", 0}, {0x81, "abc", 0}},
     BY_BYTES,
     LIFE_BACKEND_REFUSED,
     1011},
};

static uint16_t heard_code(void)
{
    const uint8_t *at = kit_client_heard.data;
    const uint8_t *end = at + kit_client_heard.len;
    while (end - at >= 4 && at[0] != 0x88) {
        at += 2 + at[1];
    }
    return end - at >= 4 ? (uint16_t)((unsigned)at[2] << 8 | at[3]) : 0;
}

static bool has_close(const struct kit *k)
{
    return heard_code() != 0 || kit_is_gone(k);
}

static void check_bad(size_t i, size_t chop)
{
    const char *row = bad_rows[i].name;
    struct kit k;
    open_kit(&k, ROUTES "auth_timeout = 300ms\n");
    connect_guest(row, &k, bad_rows[i].request);
    k.client.chop_bytes = chop;
    put_frames(&k, bad_rows[i].frames);
    k.client.is_in_fin = bad_rows[i].how == BY_FIN;
    some_turns(&k);
    if (bad_rows[i].how == BY_RESET) {
        k.client.is_in_rst = true;
    }
    if (bad_rows[i].how == BY_TIME) {
        some_turns(&k);
        k.context.reactor->now_ms += 300;
    }
    if (bad_rows[i].code != 0) {
        CHECK_TRUE(row, kit_until(&k, has_close));
        CHECK_EQ_U64(row, heard_code(), bad_rows[i].code);
        kit_client_leaves(&k);
    }
    CHECK_TRUE(row, kit_until(&k, kit_is_gone));
    CHECK_EQ_INT(row, k.backend, -1);
    CHECK_EQ_U64(row, door.pending_count + door.session_count, 0);
    kit_close(row, &k, bad_rows[i].ending);
}

static void test_endings(void)
{
    for (size_t i = 0; i < sizeof(bad_rows) / sizeof(bad_rows[0]); i++) {
        check_bad(i, 1 << 16);
        check_bad(i, 1);
    }
}

/* The limits count the client when its token is good, and not before. */
static void test_full(void)
{
    struct kit k;
    open_kit(&k, ROUTES);
    connect_guest("full", &k, KIT_TCP);
    k.context.scoreboard->slots[0].sessions_now = 1;
    kit_client_frame(&k, 0x81, "test", 4);
    CHECK_TRUE("full", kit_until(&k, has_close));
    CHECK_EQ_U64("full", heard_code(), 1013);
    k.context.scoreboard->slots[0].sessions_now--;
    kit_client_leaves(&k);
    kit_close("full", &k, LIFE_FULL);
}

static void test_put_out(void)
{
    struct kit k;
    struct door_guest others[2] = {{.place = DOOR_OUTSIDE}, {.place = DOOR_OUTSIDE}};
    open_kit(&k, ROUTES);
    connect_guest("put out", &k, KIT_TCP);
    const struct door_guest *first = container_of(door.begun.next, struct door_guest, link);
    door_enter(&door, &others[0]);
    k.context.reactor->now_ms = first->since_ms + DOOR_BEGUN_MS - 1;
    door_progress(&door, &others[0]);
    CHECK_FALSE("a second to say who it is", door_has_room(&door));
    k.context.reactor->now_ms += 1;
    CHECK_TRUE("no more", door_has_room(&door));
    others[0].has_begun = true;
    door_enter(&door, &others[1]);
    CHECK_EQ_U64("1013", heard_code(), 1013);
    kit_close("put out", &k, LIFE_FULL);
}

/* A token that a reload takes back while its client connects opens nothing. */
static void test_reload(void)
{
    for (size_t i = 0; i < 2; i++) {
        struct kit k;
        struct kit newer;
        open_kit(&k, ROUTES);
        connect_guest("reload", &k, KIT_ECHO);
        write_tokens(
            i == 0 ? LINE : "bob:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752");
        newer = k;
        kit_configure(&newer, server_lines(), ROUTES);
        close(newer.listener);
        k.context.config = newer.config;
        write_tokens(LINE);
        kit_client_frame(&k, 0x81, "test", 4);
        kit_client_frame(&k, 0x81, "abc", 3);
        CHECK_TRUE("reload", kit_until(&k, i == 0 ? is_echoed : has_close));
        CHECK_EQ_U64("reload", heard_code(), i == 0 ? 0 : 1008);
        kit_client_leaves(&k);
        config_free(newer.config);
        kit_close("reload", &k, i == 0 ? LIFE_CLIENT_CLOSE : LIFE_AUTH);
    }
}

/* Whichever allocation fails: the session ends, and nothing is lost. */
static void test_no_memory(void)
{
    for (size_t n = 1; n < 12; n++) {
        struct kit k;
        open_kit(&k, ROUTES);
        connect_guest("no memory", &k, KIT_ECHO);
        kit_client_frame(&k, 0x81, "test", 4);
        kit_client_frame(&k, 0x81, "abc", 3);
        mem_fail_after(n);
        some_turns(&k);
        mem_fail_after(0);
        kit_client_leaves(&k);
        CHECK_TRUE("gone", kit_until(&k, kit_is_gone));
        CHECK_EQ_U64("one ending",
                     kit_endings(&k, LIFE_INTERNAL) + kit_endings(&k, LIFE_CLIENT_CLOSE), 1);
        kit_drop(&k);
    }
}

CU_TestInfo session_token_tests[] = {
    {"a good token, cut anywhere", test_every_cut},
    {"echo", test_echo},
    {"a token in the head", test_in_the_head},
    {"a FIN behind the token", test_fin_behind_it},
    {"endings", test_endings},
    {"no place when the token comes", test_full},
    {"who says nothing makes place", test_put_out},
    {"a reload before the token", test_reload},
    {"no memory", test_no_memory},
    CU_TEST_INFO_NULL,
};
