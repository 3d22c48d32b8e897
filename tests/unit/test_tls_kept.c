/* SPDX-License-Identifier: GPL-3.0-or-later */
// Sessions that a client's context keeps, over TLS 1.3: who takes them up, and who must not. The
// module's own server knows no sessions of TLS 1.2 without tickets; tests/integration/ has those.
#include "base/mem.h"
#include "check.h"
#include "suites.h"
#include "tls_cast.h"

static const struct row open_row = {.name = "open", CALL(GOOD, AUTHORITY, "desk.example")};
static const struct row off_row = {
    .name = "off", CALL(GOOD, NOBODY, "desk.example"), .verify = TLS_VERIFY_OFF};

// True when the session was taken up; both ends must agree.
static bool connect_to(struct tls_context *client, struct tls_context *server, const char *name,
                       const char *place)
{
    struct ends e;
    ends_open(&e, client, server, name, KIT_WHOLE);
    tls_resume_at(e.client.tls, span_from_str(place));
    CHECK_TRUE(place, ends_shake(&e));
    bool is_resumed = tls_is_resumed(e.client.tls);
    CHECK_EQ_INT(place, tls_is_resumed(e.server.tls), is_resumed);
    check_talk(place, &e);
    ends_close(&e);
    return is_resumed;
}

static void test_who(void)
{
    size_t before = mem_live_blocks();
    struct tls_context *server = server_of(&open_row);
    struct tls_context *client = client_of(&open_row, 0);
    struct tls_context *other = client_of(&open_row, 0);
    struct tls_context *off = client_of(&off_row, 0);

    CHECK_FALSE("first", connect_to(client, server, "desk.example", "a:1"));
    CHECK_TRUE("second", connect_to(client, server, "desk.example", "a:1"));
    CHECK_TRUE("third", connect_to(client, server, "desk.example", "a:1"));
    CHECK_TRUE("dot behind", connect_to(client, server, "desk.example.", "a:1"));
    CHECK_FALSE("other place", connect_to(client, server, "desk.example", "a:2"));
    CHECK_FALSE("other name", connect_to(client, server, "a.wild.example", "a:1"));
    CHECK_FALSE("other context", connect_to(other, server, "desk.example", "a:1"));
    CHECK_FALSE("other rules", connect_to(off, server, "desk.example", "a:1"));
    CHECK_TRUE("the same rules", connect_to(off, server, "desk.example", "a:1"));
    CHECK_TRUE("still", connect_to(client, server, "desk.example", "a:1"));
    tls_context_free(off);
    tls_context_free(other);
    tls_context_free(client);
    tls_context_free(server);
    CHECK_EQ_U64("memory", mem_live_blocks(), before);
}

/* Nobody has asked to keep anything. */
static void test_unasked(void)
{
    struct tls_context *server = server_of(&open_row);
    struct tls_context *client = client_of(&open_row, 0);
    struct ends e;
    ends_open(&e, client, server, "desk.example", KIT_WHOLE);
    CHECK_TRUE("unasked", ends_shake(&e));
    check_talk("unasked", &e);
    ends_close(&e);
    CHECK_TRUE("unasked", client->kept == NULL);
    tls_context_free(client);
    tls_context_free(server);
}

static size_t count_kept(const struct tls_context *context)
{
    size_t count = 0;
    for (size_t i = 0; context->kept != NULL && i < TLS_KEPT_MAX; i++) {
        count += context->kept[i].server != NULL;
    }
    return count;
}

/* The longest life of a session, and one whose certificate has ended. */
static void test_ends(void)
{
    struct tls_context *server = server_of(&open_row);
    struct tls_context *client = client_of(&open_row, 0);
    CHECK_FALSE("first", connect_to(client, server, "desk.example", "a:1"));
    int64_t until_s = client->kept[0].good_until_s;
    CHECK_TRUE("until", until_s > (int64_t)time(NULL) + 11 * 3600 &&
                            until_s <= (int64_t)time(NULL) + 12 * 3600);
    client->kept[0].good_until_s = until_s - 3600;
    CHECK_TRUE("second", connect_to(client, server, "desk.example", "a:1"));
    /* Whoever takes a session up has seen no certificate: the end stays. */
    CHECK_EQ_I64("until", client->kept[0].good_until_s, until_s - 3600);
    client->kept[0].good_until_s = (int64_t)time(NULL) - 1;
    CHECK_FALSE("too late", connect_to(client, server, "desk.example", "a:1"));
    CHECK_TRUE("anew", connect_to(client, server, "desk.example", "a:1"));
    tls_context_free(client);
    tls_context_free(server);
}

static void test_ceiling(void)
{
    size_t before = mem_live_blocks();
    struct tls_context *server = server_of(&open_row);
    struct tls_context *client = client_of(&open_row, 0);
    char place[16];
    for (int i = 0; i < TLS_KEPT_MAX + 3; i++) {
        snprintf(place, sizeof(place), "a:%d", i);
        CHECK_FALSE(place, connect_to(client, server, "desk.example", place));
    }
    CHECK_EQ_U64("kept", count_kept(client), TLS_KEPT_MAX);
    CHECK_TRUE("the newest", connect_to(client, server, "desk.example", place));
    CHECK_FALSE("the oldest", connect_to(client, server, "desk.example", "a:0"));
    CHECK_EQ_U64("kept", count_kept(client), TLS_KEPT_MAX);
    tls_context_free(client);
    tls_context_free(server);
    CHECK_EQ_U64("memory", mem_live_blocks(), before);
}

/* A handshake with a kept session comes to nothing: the next one does without. */
static void test_doubt(void)
{
    static const uint8_t garbage[] = {22, 3, 3, 0, 4, 2, 0, 0, 0};
    struct tls_context *server = server_of(&open_row);
    struct tls_context *client = client_of(&open_row, 0);
    struct ends e;
    CHECK_FALSE("first", connect_to(client, server, "desk.example", "a:1"));
    ends_open(&e, client, server, "desk.example", KIT_WHOLE);
    tls_resume_at(e.client.tls, SPAN_LIT("a:1"));
    (void)end_take(&e.client, NULL, 0, false);
    (void)end_take(&e.client, garbage, sizeof(garbage), false);
    CHECK_EQ_INT("garbage", e.client.result, TLS_FAILED);
    ends_close(&e);
    CHECK_EQ_U64("kept", count_kept(client), 0);
    CHECK_FALSE("second", connect_to(client, server, "desk.example", "a:1"));
    tls_context_free(client);
    tls_context_free(server);
}

/* A context without an owner keeps nothing, whatever its last sessions hear. */
static void test_orphan(void)
{
    size_t before = mem_live_blocks();
    struct tls_context *server = server_of(&open_row);
    struct tls_context *client = client_of(&open_row, 0);
    struct ends e;
    CHECK_FALSE("first", connect_to(client, server, "desk.example", "a:1"));
    ends_open(&e, client, server, "desk.example", KIT_WHOLE);
    tls_resume_at(e.client.tls, SPAN_LIT("a:1"));
    tls_context_free(client);
    CHECK_TRUE("kept", client->kept == NULL);
    CHECK_TRUE("orphan", ends_shake(&e));
    check_talk("orphan", &e);
    CHECK_TRUE("kept", client->kept == NULL);
    ends_close(&e);
    tls_context_free(server);
    CHECK_EQ_U64("memory", mem_live_blocks(), before);
}

CU_TestInfo tls_kept_tests[] = {
    {"who takes a session up", test_who},
    {"nobody asked", test_unasked},
    {"until when", test_ends},
    {"a ceiling", test_ceiling},
    {"a handshake that fails", test_doubt},
    {"a context without an owner", test_orphan},
    CU_TEST_INFO_NULL,
};
