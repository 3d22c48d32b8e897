/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/tls_flight.h"

#include <stdbool.h>

enum { CLIENT_HELLO = 1, CERTIFICATE = 11, CERTIFICATE_VERIFY = 15, CLIENT_KEY_EXCHANGE = 16 };
enum { HEADER = 4, PROOF_HEADER = 6 };

/* How far the client is, by its last message. */
enum { SEEN_NOTHING = 0, SEEN_CERTIFICATE, SEEN_KEY_EXCHANGE, SEEN_PROOF };

/* RFC 8446 4.2.3: what is not SHA-1, MD5, DSA or of a curve that nobody has offered. */
static bool is_scheme_good(unsigned scheme)
{
    static const uint16_t good[] = {0x0401, 0x0501, 0x0601, 0x0403, 0x0503, 0x0603, 0x0804,
                                    0x0805, 0x0806, 0x0807, 0x0809, 0x080a, 0x080b};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (good[i] == scheme) {
            return true;
        }
    }
    return false;
}

/* Goes on by one message, whose head is there. */
static bool step(struct tls_flight *flight)
{
    switch (flight->head[0]) {
    case CLIENT_HELLO:
        return flight->seen == SEEN_NOTHING;
    case CERTIFICATE:
        return flight->seen++ == SEEN_NOTHING;
    case CLIENT_KEY_EXCHANGE:
        return flight->seen++ == SEEN_CERTIFICATE;
    case CERTIFICATE_VERIFY:
        return flight->seen++ == SEEN_KEY_EXCHANGE;
    default:
        return false;
    }
}

/* How many bytes the head has, as far as those that are there tell. */
static size_t head_size(const struct tls_flight *flight)
{
    bool is_proof = flight->head_len >= HEADER && flight->head[0] == CERTIFICATE_VERIFY;

    return is_proof && flight->left >= PROOF_HEADER - HEADER ? PROOF_HEADER : HEADER;
}

/* NULL, or what is wrong with the message that begins. */
static const char *begin_message(struct tls_flight *flight)
{
    const uint8_t *head = flight->head;

    flight->left = (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
    return step(flight) ? NULL : "handshake messages in a wrong order";
}

/* Takes one byte of a head. */
static const char *take_head(struct tls_flight *flight, uint8_t byte)
{
    const char *detail = NULL;

    flight->head[flight->head_len++] = byte;
    if (flight->head_len == HEADER) {
        detail = begin_message(flight);
    }
    if (detail != NULL || flight->head_len < head_size(flight)) {
        return detail;
    }
    if (flight->head_len == PROOF_HEADER) {
        flight->left -= PROOF_HEADER - HEADER;
        if (!is_scheme_good((unsigned)flight->head[HEADER] << 8 | flight->head[HEADER + 1])) {
            return "the client proves its certificate with SHA-1 or MD5";
        }
    }
    flight->head_len = 0;
    return NULL;
}

const char *tls_flight_follow(struct tls_flight *flight, const uint8_t *data, size_t len)
{
    while (len > 0) {
        size_t used = 1;

        if (flight->left > 0 && flight->head_len == 0) {
            used = size_min(len, flight->left);
            flight->left -= (uint32_t)used;
        } else {
            const char *detail = take_head(flight, *data);

            if (detail != NULL) {
                return detail;
            }
        }
        data += used;
        len -= used;
    }
    return NULL;
}
