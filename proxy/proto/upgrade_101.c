/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The accept key and the 101; the only user of wolfCrypt's SHA-1 and base64. */
/* The first include, because the options of our wolfSSL decide what its structures look like. */
#include <wolfssl/options.h>

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <wolfssl/wolfcrypt/coding.h>
#include <wolfssl/wolfcrypt/sha.h>

#include "proto/upgrade_parts.h"

#define ACCEPT_LEN 28

void upgrade_accept_key(struct span key, char out[29])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 1.3 */
    uint8_t text[UPGRADE_KEY_LEN + sizeof(guid) - 1];
    uint8_t digest[WC_SHA_DIGEST_SIZE];
    word32 out_len = ACCEPT_LEN + 1;
    bool is_done;
    wc_Sha sha;

    assert(key.len == UPGRADE_KEY_LEN);
    memcpy(text, key.data, UPGRADE_KEY_LEN);
    memcpy(text + UPGRADE_KEY_LEN, guid, sizeof(guid) - 1);
    /* wolfCrypt hashes a local buffer in software: only wrong arguments make these calls fail. */
    is_done = wc_InitSha(&sha) == 0 && wc_ShaUpdate(&sha, text, sizeof(text)) == 0 &&
              wc_ShaFinal(&sha, digest) == 0 &&
              Base64_Encode_NoNl(digest, sizeof(digest), (byte *)out, &out_len) == 0;
    wc_ShaFree(&sha);
    assert(is_done && out_len == ACCEPT_LEN);
    out[ACCEPT_LEN] = '\0';
}

/* Writes "Name: value\r\n", or nothing for an empty value. Returns the length. */
static size_t add_header(char *out, size_t size, const char *name, struct span value)
{
    if (value.len == 0) {
        return 0;
    }
    int n = snprintf(out, size, "%s: %.*s\r\n", name, (int)value.len, value.data);
    assert(n > 0 && (size_t)n < size);
    return (size_t)n;
}

size_t upgrade_write_101(char out[UPGRADE_101_MAX], struct span key, struct span subprotocol,
                         struct span extensions)
{
    char accept[ACCEPT_LEN + 1];
    size_t at;

    if (subprotocol.len > REQUEST_OFFER_LEN_MAX || extensions.len > UPGRADE_EXTENSIONS_MAX) {
        return 0;
    }
    upgrade_accept_key(key, accept);
    at = (size_t)snprintf(out, UPGRADE_101_MAX,
                          "HTTP/1.1 101 Switching Protocols\r\n"
                          "Upgrade: websocket\r\n"
                          "Connection: Upgrade\r\n"
                          "Sec-WebSocket-Accept: %s\r\n",
                          accept);
    at += add_header(out + at, UPGRADE_101_MAX - at, "Sec-WebSocket-Protocol", subprotocol);
    at += add_header(out + at, UPGRADE_101_MAX - at, "Sec-WebSocket-Extensions", extensions);
    assert(at + 2 < UPGRADE_101_MAX);
    memcpy(out + at, "\r\n", 3);
    return at + 2;
}
