/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/tls_foreign.h"

#include <string.h>

#define SENTENCE "This port speaks TLS: use https:// or wss:// instead of http:// or ws://.\n"
#define HEAD \
    "HTTP/1.1 400 Bad Request\r\n" \
    "Content-Type: text/plain; charset=utf-8\r\n" \
    "Content-Length: 74\r\n" \
    "Cache-Control: no-store\r\n" \
    "Connection: close\r\n" \
    "\r\n"
_Static_assert(sizeof(SENTENCE) == 74 + 1, "the head says how long the sentence is");

#define HTTP "not TLS but plain HTTP: the client must use https:// or wss://"

static const struct row {
    struct span first;
    const char *detail;
    struct span answer;
} rows[] = {
    {SPAN_LIT("GET "), HTTP, SPAN_LIT(HEAD SENTENCE)},
    {SPAN_LIT("HEAD "), HTTP, SPAN_LIT(HEAD)}, /* RFC 9110 9.3.2: no content */
    {SPAN_LIT("POST "), HTTP, SPAN_LIT(HEAD SENTENCE)},
    {SPAN_LIT("PUT "), HTTP, SPAN_LIT(HEAD SENTENCE)},
    {SPAN_LIT("PATCH "), HTTP, SPAN_LIT(HEAD SENTENCE)},
    {SPAN_LIT("DELETE "), HTTP, SPAN_LIT(HEAD SENTENCE)},
    {SPAN_LIT("OPTIONS "), HTTP, SPAN_LIT(HEAD SENTENCE)},
    {SPAN_LIT("CONNECT "), HTTP, SPAN_LIT(HEAD SENTENCE)},
    {SPAN_LIT("TRACE "), HTTP, SPAN_LIT(HEAD SENTENCE)},
    {SPAN_LIT("PRI * HTTP/2"), "not TLS but plain HTTP/2", {"", 0}},
    {SPAN_LIT("PROXY "), "not TLS but the PROXY protocol, version 1", {"", 0}},
    {SPAN_LIT("\r\n\r\n\0\r\nQUIT\n"), "not TLS but the PROXY protocol, version 2", {"", 0}},
    {SPAN_LIT("SSH-"), "not TLS but SSH", {"", 0}},
    {SPAN_LIT("EHLO "), "not TLS but SMTP", {"", 0}},
    {SPAN_LIT("HELO "), "not TLS but SMTP", {"", 0}},
    {SPAN_LIT("RFB 0"), "not TLS but VNC (RFB)", {"", 0}},
    {SPAN_LIT("CAP LS"), "not TLS but IRC", {"", 0}},
    {SPAN_LIT("NICK "), "not TLS but IRC", {"", 0}},
    {SPAN_LIT("\0\0\0\x08\x04\xd2\x16\x2f"), "not TLS but PostgreSQL's question for it", {"", 0}},
    {SPAN_LIT("\3\0\0"), "not TLS but RDP", {"", 0}},
    {SPAN_LIT("\x05\1\0"), "not TLS but SOCKS 5", {"", 0}},
    {SPAN_LIT("\x04\1"), "not TLS but SOCKS 4", {"", 0}},
};

/* A ClientHello of SSL 2.0: a length with its top bit set, and a message of type 1. */
static bool is_ssl_2(const uint8_t *data, size_t len)
{
    return len >= 4 && (data[0] & 0x80) != 0 && data[2] == 1 && (data[3] == 0 || data[3] == 3);
}

bool tls_foreign_judge(const uint8_t *data, size_t len, struct tls_foreign *out)
{
    bool is_open = len < 4 && (len == 0 || (data[0] & 0x80) != 0);
    *out = (struct tls_foreign){"not TLS", {"", 0}};
    if (is_ssl_2(data, len)) {
        out->detail = "a hello of SSL 2.0: the client is too old";
        return true;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct span first = rows[i].first;
        if (memcmp(data, first.data, size_min(len, first.len)) != 0) {
            continue;
        }
        if (len >= first.len) {
            *out = (struct tls_foreign){rows[i].detail, rows[i].answer};
            return true;
        }
        is_open = true;
    }
    return !is_open || len >= TLS_FOREIGN_MAX;
}
