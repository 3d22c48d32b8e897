/* SPDX-License-Identifier: GPL-3.0-or-later */
// The list that an old master leaves: text and back, cut at every byte, and every line alone.
#include "gate/handover.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "check.h"
#include "give_up.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *parse(struct handover *out, const char *text, size_t len)
{
    char *copy = mem_alloc(len + 1);
    if (copy == NULL) {
        GIVE_UP();
    }
    memcpy(copy, text, len);
    return handover_parse(out, copy, len);
}

// The descriptors of a list in a test are numbers only: nobody may close them.
static void forget(struct handover *h)
{
    h->link_fd = h->scoreboard_fd = h->seats_fd = h->roster_fd = h->quota_fd = h->spent_fd = -1;
    for (size_t i = 0; i < h->socket_count; i++) {
        h->sockets[i].fd = -1;
    }
    handover_done(h);
}

static struct handover_socket socket_at(int fd, uint32_t slot, const char *name, const char *text)
{
    struct handover_socket socket = {.fd = fd, .slot = slot, .name = span_from_str(name)};
    bool is_unix = text[0] == '/';
    if (is_unix ? !addr_from_unix_path(span_from_str(text), &socket.address)
                : !addr_parse(span_from_str(text), &socket.address)) {
        GIVE_UP();
    }
    return socket;
}

static void check_socket(const struct handover_socket *got, const struct handover_socket *want)
{
    CHECK_EQ_INT("descriptor", got->fd, want->fd);
    CHECK_EQ_U64("slot", got->slot, want->slot);
    CHECK_TRUE("name", span_is_equal(got->name, want->name));
    CHECK_TRUE("address", addr_is_equal(&got->address, &want->address));
}

static void check_whole(const struct handover *got, const struct handover *want)
{
    CHECK_TRUE("there", got->is_there);
    CHECK_EQ_U64("generation", got->generation, want->generation);
    CHECK_TRUE("relay", got->is_relayed == want->is_relayed);
    CHECK_EQ_INT("group", got->group, want->group);
    CHECK_EQ_INT("link", got->link_fd, want->link_fd);
    CHECK_EQ_INT("scoreboard", got->scoreboard_fd, want->scoreboard_fd);
    CHECK_EQ_INT("seats", got->seats_fd, want->seats_fd);
    CHECK_EQ_INT("roster", got->roster_fd, want->roster_fd);
    CHECK_EQ_INT("quota", got->quota_fd, want->quota_fd);
    CHECK_EQ_INT("spent", got->spent_fd, want->spent_fd);
    CHECK_TRUE("program", span_is_equal(got->program, want->program));
    CHECK_EQ_U64("tickets", got->tickets_len, want->tickets_len);
    CHECK_TRUE("tickets", memcmp(got->tickets, want->tickets, want->tickets_len) == 0);
    CHECK_EQ_U64("sockets", got->socket_count, want->socket_count);
    for (size_t i = 0; i < got->socket_count; i++) {
        check_socket(&got->sockets[i], &want->sockets[i]);
    }
    CHECK_EQ_U64("descriptors", got->fd_count, want->socket_count + 6);
    for (size_t i = 1; i < got->fd_count; i++) {
        CHECK_TRUE("they grow", got->fds[i] > got->fds[i - 1]);
    }
}

static void test_text(void)
{
    struct handover_socket sockets[] = {
        socket_at(12, 0, "public", "127.0.0.1:0"),
        socket_at(9, 1, "public", "127.0.0.1:0"),
        socket_at(10, 255, "v6", "[::1]:8443"),
        socket_at(11, 0, "admin", "/run/a folder/admin.sock"),
    };
    const struct handover want = {.generation = 3,
                                  .is_relayed = true,
                                  .group = 4711,
                                  .link_fd = 5,
                                  .scoreboard_fd = 7,
                                  .seats_fd = 6,
                                  .roster_fd = 4,
                                  .quota_fd = 14,
                                  .spent_fd = 3,
                                  .program = SPAN_LIT("/opt/a b/sluice"),
                                  .tickets = {0, 1, 0xab, 0xff},
                                  .tickets_len = 4,
                                  .sockets = sockets,
                                  .socket_count = COUNT(sockets)};
    struct handover got;
    size_t len = 0;
    char *text = handover_print(&want, &len);
    if (!CHECK_TRUE("printed", text != NULL)) {
        return;
    }
    const char *detail = parse(&got, text, len);
    if (CHECK_TRUE("read", detail == NULL)) {
        check_whole(&got, &want);
        forget(&got);
    }
    // Cut anywhere it is whole, shorter, or an error, and never something else.
    for (size_t cut = 0; cut < len; cut++) {
        if (parse(&got, text, cut) == NULL) {
            CHECK_TRUE("less", got.socket_count <= COUNT(sockets) && got.generation == 3);
            forget(&got);
        }
    }
    mem_free(text);
}

#define HEAD "sluice handover 1\ngeneration 2\nlink 5\n"

static const struct {
    const char *text;
    const char *detail; // NULL: it is good
} rows[] = {
    {HEAD, NULL},
    {HEAD "a word of a later version\n", NULL},
    {HEAD "socket 6 0 x 1.2.3.4:5", NULL},
    {"", "the list is of a version that this one does not know"},
    {"sluice handover 2\n", "the list is of a version that this one does not know"},
    {"sluice handover 1\nlink 5\n", "the list lacks the link or the generation"},
    {"sluice handover 1\ngeneration 2\n", "the list lacks the link or the generation"},
    {"sluice handover 1\ngeneration 1\nlink 5\n", "a line of the list cannot be read"},
    {HEAD "link 2\n", "a line of the list cannot be read"},
    {HEAD "link -1\n", "a line of the list cannot be read"},
    {HEAD "link 99999999999\n", "a line of the list cannot be read"},
    {HEAD "relay 2\n", "a line of the list cannot be read"},
    {HEAD "group x\n", "a line of the list cannot be read"},
    {HEAD "tickets abc\n", "a line of the list cannot be read"},
    {HEAD "tickets AB\n", "a line of the list cannot be read"},
    {HEAD "socket 6 256 x 1.2.3.4:5\n", "a line of the list cannot be read"},
    {HEAD "socket 6 0 x 1.2.3.4\n", "a line of the list cannot be read"},
    {HEAD "socket 6 0 x unix:\n", "a line of the list cannot be read"},
    {HEAD "socket 6 0 1.2.3.4:5\n", "a line of the list cannot be read"},
    {HEAD "socket 6 0\n", "a line of the list cannot be read"},
    {HEAD "scoreboard 5\n", "the list has a descriptor twice"},
    {HEAD "socket 5 0 x 1.2.3.4:5\n", "the list has a descriptor twice"},
    {HEAD "socket 6 0 x 1.2.3.4:5\nsocket 6 1 x 1.2.3.4:5\n", "the list has a descriptor twice"},
};

static void test_rows(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct handover got;
        const char *detail = parse(&got, rows[i].text, strlen(rows[i].text));
        CHECK_EQ_STR(rows[i].text, detail != NULL ? detail : "good",
                     rows[i].detail != NULL ? rows[i].detail : "good");
        if (detail == NULL) {
            forget(&got);
        }
    }
    // The longest tickets, and one byte more.
    for (size_t len = HANDOVER_TICKETS_MAX; len <= HANDOVER_TICKETS_MAX + 1; len++) {
        char text[sizeof(HEAD) + 20 + 2 * (HANDOVER_TICKETS_MAX + 1)] = HEAD "tickets ";
        struct handover got;
        size_t head = strlen(text);
        memset(text + head, '7', 2 * len);
        bool is_good = parse(&got, text, head + 2 * len) == NULL;
        CHECK_TRUE("tickets", is_good == (len == HANDOVER_TICKETS_MAX));
        if (is_good) {
            forget(&got);
        }
    }
}

static void test_messages(void)
{
    struct handover_message got;
    int ends[2];
    int fd = -1;
    if (!control_pair(ends)) {
        GIVE_UP();
    }
    CHECK_TRUE("sent", handover_send(ends[0], HANDOVER_HEIR, 4711, "why", ends[0]));
    CHECK_EQ_INT("received", handover_receive(ends[1], &got, &fd), CONTROL_OK);
    CHECK_EQ_INT("word", (int)got.word, HANDOVER_HEIR);
    CHECK_EQ_U64("number", got.number, 4711);
    CHECK_EQ_STR("text", got.text, "why");
    CHECK_TRUE("a descriptor", fd > 2);
    close(fd);
    CHECK_TRUE("short", control_send_bytes(ends[0], "x", 1, -1));
    CHECK_EQ_INT("short", handover_receive(ends[1], &got, &fd), CONTROL_NONSENSE);
    CHECK_TRUE("long", control_send_bytes(ends[0], rows, sizeof(got) + 1, -1));
    CHECK_EQ_INT("long", handover_receive(ends[1], &got, &fd), CONTROL_NONSENSE);
    CHECK_EQ_INT("none", handover_receive(ends[1], &got, &fd), CONTROL_NONE);
    CHECK_FALSE("nobody", handover_send(-1, HANDOVER_READY, 0, "", -1));
    close(ends[0]);
    CHECK_EQ_INT("gone", handover_receive(ends[1], &got, &fd), CONTROL_GONE);
    close(ends[1]);
}

CU_TestInfo handover_tests[] = {
    {"the text of a list, and back", test_text},
    {"lines that cannot be read", test_rows},
    {"messages", test_messages},
    CU_TEST_INFO_NULL,
};
