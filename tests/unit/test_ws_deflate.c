/* SPDX-License-Identifier: GPL-3.0-or-later */
// RSV1: what the decoder makes of it with and without compression.
#include "check.h"
#include "proto/ws.h"
#include "suites.h"
#include "ws_script.h"

static struct ws_wire wire;

static const struct {
    const char *name;
    const char *script;
    const char *agreed; /* the log */
    const char *not_agreed;
} rows[] = {
    {"text", "c1 83 m 'abc'", "ZT[abc]", "!frame@1"},
    {"binary", "c2 83 m 'abc'", "ZB[abc]", "!frame@1"},
    {"empty", "c1 80 m", "ZT[~]", "!frame@1"},
    {"fragments", "41 82 m 'ab' ; 00 81 m 'c' ; 80 81 m 'd'", "ZT[abcd]", "!frame@1"},
    {"not UTF-8, which is nobody's matter here", "41 82 m ff c0 ; 80 81 m ff",
     "ZT[\\xff\\xc0\\xff]", "!frame@1"},
    {"plain next to compressed", "81 81 m 'a' ; c1 81 m 'b' ; 81 81 m 'c'", "T[a]ZT[b]T[c]",
     "T[a]!frame@8"},
    {"plain text is still checked", "c1 81 m ff ; 81 81 m ff", "ZT[\\xff]!text@14", "!frame@1"},
    {"ping inside", "41 81 m 'a' ; 89 81 m 'p' ; 80 81 m 'b'", "ZT[aping(p)b]", "!frame@1"},
    {"on a continuation", "41 81 m 'a' ; c0 81 m 'b'", "ZT[a!frame@8", "!frame@1"},
    {"on a continuation of a plain message", "01 81 m 'a' ; c0 81 m 'b'", "T[a!frame@8",
     "T[a!frame@8"},
    {"on a ping", "c9 80 m", "!frame@1", "!frame@1"},
    {"on a pong", "ca 80 m", "!frame@1", "!frame@1"},
    {"on a close", "c8 80 m", "!frame@1", "!frame@1"},
    {"RSV2", "a1 80 m", "!frame@1", "!frame@1"},
    {"RSV3", "91 80 m", "!frame@1", "!frame@1"},
    {"RSV1 and RSV2", "e1 80 m", "!frame@1", "!frame@1"},
    {"RSV1 and RSV3", "d2 80 m", "!frame@1", "!frame@1"},
    {"reserved opcode", "c3 80 m", "!frame@1", "!frame@1"},
    {"a second message inside", "41 81 m 'a' ; c1 81 m 'b'", "ZT[a!frame@8", "!frame@1"},
};

static void test_reserved_bit(void)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int is_agreed = 0; is_agreed < 2; is_agreed++) {
            struct ws_decoder d;
            ws_decoder_init(&d, WS_ACCEPT_ANY, 0, is_agreed == 1);
            if (CHECK_TRUE(rows[i].name, ws_wire_set(&wire, rows[i].script))) {
                ws_script_check(rows[i].name, &wire, &d,
                                is_agreed ? rows[i].agreed : rows[i].not_agreed);
            }
        }
    }
}

/* The limit counts inflated bytes, and the decoder does not inflate. */
static void test_limit(void)
{
    struct ws_decoder d;
    ws_decoder_init(&d, WS_ACCEPT_ANY, 4, true);
    CHECK_TRUE("limit", ws_wire_set(&wire, "42 85 m 'abcde' ; 80 83 m 'fgh' ; 82 85 m 'abcde'"));
    ws_script_check("limit", &wire, &d, "ZB[abcdefgh]!big@22");
}

CU_TestInfo ws_deflate_tests[] = {
    {"the bit on every kind of frame", test_reserved_bit},
    {"the limit is not for compressed bytes", test_limit},
    CU_TEST_INFO_NULL,
};
