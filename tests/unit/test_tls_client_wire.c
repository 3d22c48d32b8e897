/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The client's end of TLS on the wire: pieces, ends, and servers that speak no TLS. */
#include "base/mem.h"
#include "check.h"
#include "suites.h"
#include "tls_cast.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const size_t chunks[] = {KIT_WHOLE, 7, 1};

/* ---------------------------------------------------------------------------------- cuts */

static const struct row good_row = {.name = "good", CALL(GOOD, AUTHORITY, "desk.example")};

static void open_good(struct ends *e, int version)
{
    struct tls_context *server = server_of(&good_row);
    struct tls_context *client = client_of(&good_row, version);
    ends_open(e, client, server, good_row.called, KIT_WHOLE);
    tls_context_free(client);
    tls_context_free(server);
}

/* The server's first flight comes in two pieces, cut everywhere. */
static void check_cuts(int version, bool is_shaking)
{
    size_t flight = SIZE_MAX;
    for (size_t cut = 0; cut < flight; cut += 9) {
        struct ends e;
        open_good(&e, version);
        e.is_shaking = is_shaking;
        (void)end_take(&e.client, NULL, 0, is_shaking);
        ends_carry(&e, &e.client, &e.server);
        struct kit_queue said = e.server.said;
        e.server.said = (struct kit_queue){0};
        flight = said.len; /* some bytes more or less each time: signatures differ in length */
        size_t taken = size_min(cut, flight - 1);
        CHECK_EQ_U64("first", end_take(&e.client, said.data, taken, is_shaking), taken);
        CHECK_EQ_INT("first", e.client.result, TLS_OK);
        CHECK_FALSE("first", tls_is_established(e.client.tls));
        CHECK_EQ_U64("rest", end_take(&e.client, said.data + taken, flight - taken, is_shaking),
                     flight - taken);
        CHECK_TRUE("rest", ends_shake(&e));
        check_talk("cut", &e);
        kit_empty(&said);
        ends_close(&e);
    }
    CHECK_TRUE("a flight", flight > 300);
}

static void test_cuts(void)
{
    check_cuts(WOLFSSL_TLSV1_2, false);
    check_cuts(WOLFSSL_TLSV1_2, true);
    check_cuts(WOLFSSL_TLSV1_3, false);
    check_cuts(WOLFSSL_TLSV1_3, true);
}

/* tls_shake takes nothing behind the end of the handshake; the test feeds the rest later. */
static void check_behind(int version, size_t chunk)
{
    struct ends e;
    open_good(&e, version);
    (void)end_take(&e.client, NULL, 0, true);
    for (int i = 0; i < 8 && !tls_is_established(e.client.tls); i++) {
        ends_carry(&e, &e.client, &e.server);
        struct kit_queue said = e.server.said;
        e.server.said = (struct kit_queue){0};
        size_t len = said.len;
        if (version == WOLFSSL_TLSV1_3 || tls_is_established(e.server.tls)) {
            kit_put(&said, "not TLS at all", 14);
        }
        while (kit_left(&said) > 0 && !tls_is_established(e.client.tls)) {
            size_t piece = kit_left(&said) < chunk ? kit_left(&said) : chunk;
            said.taken += end_take(&e.client, said.data + said.taken, piece, true);
        }
        CHECK_EQ_U64("used", said.taken, len);
        CHECK_EQ_INT("used", e.client.result, TLS_OK);
        kit_empty(&said);
    }
    CHECK_TRUE("established", tls_is_established(e.client.tls));
    size_t said = e.client.said.len;
    CHECK_EQ_U64("nothing is taken any more", end_take(&e.client, (const uint8_t *)"x", 1, true),
                 0);
    CHECK_EQ_U64("nor said", e.client.said.len, said);
    ends_carry(&e, &e.client, &e.server);
    check_talk("afterwards", &e);
    ends_close(&e);
}

static void test_behind(void)
{
    for (size_t i = 0; i < COUNT(chunks); i++) {
        check_behind(WOLFSSL_TLSV1_2, chunks[i]);
        check_behind(WOLFSSL_TLSV1_3, chunks[i]);
    }
}

/* The server speaks first: its bytes come in one piece with the end of its handshake. */
static void test_words_with_the_handshake(void)
{
    for (int is_shaking = 0; is_shaking < 2; is_shaking++) {
        struct ends e;
        open_good(&e, WOLFSSL_TLSV1_2);
        (void)end_take(&e.client, NULL, 0, true);
        while (!tls_is_established(e.server.tls)) {
            ends_carry(&e, &e.server, &e.client);
            ends_carry(&e, &e.client, &e.server);
        }
        CHECK_EQ_INT("greeting", end_say(&e.server, "220 ready"), TLS_OK);
        e.is_shaking = is_shaking != 0;
        ends_carry(&e, &e.server, &e.client);
        CHECK_EQ_MEM("greeting", e.client.plain.data, e.client.plain.len, "220 ready", 9);
        ends_close(&e);
    }
}

/* ---------------------------------------------------------------------------------- ends */

static void check_ends(int version)
{
    uint8_t wire[64];
    struct tls_wire out = {wire, sizeof(wire), 0};
    struct ends e;
    open_good(&e, version);
    CHECK_TRUE("shake", ends_shake(&e));
    tls_finish(e.server.tls, &out);
    (void)end_take(&e.client, wire, out.len, false);
    CHECK_EQ_INT("close_notify", e.client.result, TLS_EOF);
    CHECK_EQ_STR("close_notify", tls_detail(e.client.tls), NULL);
    CHECK_EQ_INT("the client goes on", end_say(&e.client, "late"), TLS_OK);
    ends_carry(&e, &e.client, &e.server);
    CHECK_EQ_MEM("the client goes on", e.server.plain.data, e.server.plain.len, "late", 4);
    out.len = 0;
    tls_finish(e.client.tls, &out);
    (void)end_take(&e.server, wire, out.len, false);
    CHECK_EQ_INT("close_notify", e.server.result, TLS_EOF);
    ends_close(&e);
}

static void test_ends(void)
{
    check_ends(WOLFSSL_TLSV1_2);
    check_ends(WOLFSSL_TLSV1_3);
}

struct bad_row {
    const char *name;
    const char *data;
    size_t len;
    const char *detail; /* NULL: whatever wolfSSL says */
};

#define RECORD(text) (text), sizeof(text) - 1
#define GUARD "a record that TLS does not allow here"
#define NO_TLS "the server does not speak TLS"

static const struct bad_row bad_rows[] = {
    {"SSH", RECORD("SSH-2.0-OpenSSH_9.2p1\r\n"), NO_TLS},
    {"HTTP", RECORD("HTTP/1.1 400 Bad Request\r\n"), NO_TLS},
    {"empty record", RECORD("\x16\x03\x03\x00\x00"), GUARD},
    {"too long", RECORD("\x16\x03\x03\x41\x01"), GUARD},
    {"unknown type", RECORD("\x18\x03\x03\x00\x03\x01\x00\x00"), GUARD},
    {"data first",
     RECORD("\x17\x03\x03\x00\x20"
            "0123456789abcdef0123456789abcdef"),
     NULL},
    {"a hello", RECORD("\x16\x03\x03\x00\x04\x01\x00\x00\x00"), NULL},
    {"fatal alert", RECORD("\x15\x03\x03\x00\x02\x02\x28"), "alert handshake_failure received"},
    {"unknown alert", RECORD("\x15\x03\x03\x00\x02\x02\xee"), NULL},
    {"finished", RECORD("\x16\x03\x03\x00\x08\x14\x00\x00\x04oops"), NULL},
};

static void test_bad_servers(void)
{
    for (size_t i = 0; i < COUNT(bad_rows) * 4; i++) {
        const struct bad_row *row = &bad_rows[i / 4];
        size_t before = mem_live_blocks();
        struct ends e;
        open_good(&e, i % 2 == 0 ? WOLFSSL_TLSV1_2 : WOLFSSL_TLSV1_3);
        bool is_shaking = i % 4 < 2;
        (void)end_take(&e.client, NULL, 0, is_shaking);
        (void)end_take(&e.client, (const uint8_t *)row->data, row->len, is_shaking);
        CHECK_EQ_INT(row->name, e.client.result, TLS_FAILED);
        CHECK_TRUE(row->name, tls_detail(e.client.tls) != NULL);
        if (row->detail != NULL) {
            CHECK_EQ_STR(row->name, tls_detail(e.client.tls), row->detail);
        }
        ends_close(&e);
        CHECK_EQ_U64(row->name, mem_live_blocks(), before);
    }
}

/* The third byte of a record is a version that every receiver must ignore (RFC 8446 5.1). */
static bool is_record_version(const struct kit_queue *wire, size_t at)
{
    size_t record = 0;
    while (record + 5 <= at) {
        size_t next = record + 5 + ((size_t)wire->data[record + 3] << 8 | wire->data[record + 4]);
        if (next > at) {
            return false;
        }
        record = next;
    }
    return at == record + 2;
}

/* Each byte of a real flight is wrong in turn. Every end is right but a crash, a leak or
 * success. */
static void test_flipped_flight(void)
{
    static const int versions[] = {WOLFSSL_TLSV1_2, WOLFSSL_TLSV1_3};
    size_t before = mem_live_blocks();
    size_t flight = SIZE_MAX;
    for (size_t at = 0; at < flight; at++) {
        struct ends e;
        open_good(&e, versions[at % 2]);
        (void)end_take(&e.client, NULL, 0, true);
        ends_carry(&e, &e.client, &e.server);
        flight = e.server.said.len;
        if (at < flight) {
            bool is_version = is_record_version(&e.server.said, at);
            e.server.said.data[at] ^= 0x55;
            ends_carry(&e, &e.server, &e.client);
            CHECK_TRUE("flipped", is_version || !tls_is_established(e.client.tls));
        }
        ends_close(&e);
    }
    CHECK_EQ_U64("memory", mem_live_blocks(), before);
}

/* Fails the n-th allocation of a client's life. Returns true when no allocation was left to
 * fail. */
static bool fail_at(int version, uint64_t n)
{
    struct tls_context *server = server_of(&good_row);
    struct tls_context *client = client_of(&good_row, version);
    struct end server_end = {.tls = tls_new(server)};
    struct ends e = {.chunk = KIT_WHOLE, .server = server_end};
    mem_fail_after(n);
    e.client.tls = tls_new_client(client, SPAN_LIT("desk.example"));
    mem_fail_after(0);
    bool is_good = e.client.tls != NULL;
    for (int i = 0; i < 4 && is_good; i++) {
        struct kit_queue said = e.server.said;
        e.server.said = (struct kit_queue){0};
        mem_fail_after(n);
        (void)end_take(&e.client, said.data, said.len, false);
        mem_fail_after(0);
        kit_empty(&said);
        is_good = e.client.result == TLS_OK;
        ends_carry(&e, &e.client, &e.server);
    }
    is_good = is_good && tls_is_established(e.client.tls);
    ends_close(&e);
    tls_context_free(client);
    tls_context_free(server);
    return is_good;
}

static void test_no_memory(void)
{
    static const int versions[] = {WOLFSSL_TLSV1_2, WOLFSSL_TLSV1_3};
    size_t before = mem_live_blocks();
    for (size_t i = 0; i < COUNT(versions); i++) {
        uint64_t n = 1;
        while (n < 500 && !fail_at(versions[i], n)) {
            n++;
            CHECK_EQ_U64("all given back", mem_live_blocks(), before);
        }
        CHECK_TRUE("succeeds in the end", n > 5 && n < 500);
    }
}

CU_TestInfo tls_client_wire_tests[] = {
    {"cut anywhere", test_cuts},
    {"nothing behind the handshake is taken", test_behind},
    {"words together with the handshake", test_words_with_the_handshake},
    {"close_notify", test_ends},
    {"servers that are none", test_bad_servers},
    {"a flipped flight", test_flipped_flight},
    {"no memory", test_no_memory},
    CU_TEST_INFO_NULL,
};
