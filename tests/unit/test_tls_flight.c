/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/tls_flight.h"

#include "check.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define HELLO "\x01\0\0\x02hi"
#define CERTIFICATE \
    "\x0b\0\0\x05" \
    "abcde"
#define NO_CERTIFICATE "\x0b\0\0\x03\0\0\0"
#define EXCHANGE \
    "\x10\0\0\x03" \
    "key"
#define PROOF \
    "\x0f\0\0\x08\x04\x03\0\x04" \
    "sign"
#define WRONG "handshake messages in a wrong order"
#define WEAK "the client proves its certificate with SHA-1 or MD5"

static const struct {
    const char *name;
    struct span wire;
    const char *want;
} rows[] = {
    {"whole", SPAN_LIT(HELLO CERTIFICATE EXCHANGE PROOF), NULL},
    {"no proof", SPAN_LIT(CERTIFICATE EXCHANGE), NULL},
    {"no certificate", SPAN_LIT(NO_CERTIFICATE EXCHANGE), NULL},
    {"the proof first", SPAN_LIT(HELLO CERTIFICATE PROOF EXCHANGE), WRONG},
    {"the exchange first", SPAN_LIT(EXCHANGE CERTIFICATE PROOF), WRONG},
    {"two certificates", SPAN_LIT(CERTIFICATE CERTIFICATE), WRONG},
    {"two proofs", SPAN_LIT(CERTIFICATE EXCHANGE PROOF PROOF), WRONG},
    {"a hello late", SPAN_LIT(CERTIFICATE HELLO), WRONG},
    {"a Finished in the clear", SPAN_LIT("\x14\0\0\x0c"), WRONG},
    {"SHA-1", SPAN_LIT(CERTIFICATE EXCHANGE "\x0f\0\0\x06\x02\x01\0\x02yz"), WEAK},
    {"SHA-1, ECDSA", SPAN_LIT(CERTIFICATE EXCHANGE "\x0f\0\0\x06\x02\x03\0\x02yz"), WEAK},
    {"MD5", SPAN_LIT(CERTIFICATE EXCHANGE "\x0f\0\0\x06\x01\x01\0\x02yz"), WEAK},
    {"an empty proof", SPAN_LIT(CERTIFICATE EXCHANGE "\x0f\0\0\0"), NULL},
};

static void test_messages(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        const uint8_t *wire = (const uint8_t *)rows[i].wire.data;
        size_t len = rows[i].wire.len;

        for (size_t cut = 0; cut <= len; cut++) {
            struct tls_flight flight = {.seen = 0};
            const char *got = tls_flight_follow(&flight, wire, cut);
            if (got == NULL) {
                got = tls_flight_follow(&flight, wire + cut, len - cut);
            }
            CHECK_EQ_STR(rows[i].name, got, rows[i].want);
        }
        struct tls_flight flight = {.seen = 0};
        const char *got = NULL;
        for (size_t at = 0; at < len && got == NULL; at++) {
            got = tls_flight_follow(&flight, wire + at, 1);
        }
        CHECK_EQ_STR(rows[i].name, got, rows[i].want);
    }
}

CU_TestInfo tls_flight_tests[] = {
    {"messages in every cut", test_messages},
    CU_TEST_INFO_NULL,
};
