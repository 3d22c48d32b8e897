/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The frames that we send. */
#include "proto/ws.h"

#include <assert.h>
#include <string.h>

#define BIT_FIN 0x80U
#define LENGTH_16 126U /* the length is in the next two bytes */
#define LENGTH_64 127U /* the length is in the next eight bytes */

size_t ws_header_len(uint64_t payload_len)
{
    if (payload_len < LENGTH_16) {
        return 2;
    }
    return payload_len <= UINT16_MAX ? 4 : 10;
}

size_t ws_encode_header(uint8_t out[WS_HEADER_MAX], enum ws_opcode opcode, bool is_fin,
                        uint64_t payload_len)
{
    assert(payload_len <= INT64_MAX);
    size_t header_len = ws_header_len(payload_len);
    out[0] = (uint8_t)((is_fin ? BIT_FIN : 0U) | (unsigned int)opcode);
    if (header_len == 2) {
        out[1] = (uint8_t)payload_len;
        return header_len;
    }
    out[1] = header_len == 4 ? LENGTH_16 : LENGTH_64;
    for (size_t i = header_len; i > 2; i--) {
        out[i - 1] = (uint8_t)(payload_len & 0xff);
        payload_len >>= 8;
    }
    return header_len;
}

size_t ws_encode_close(uint8_t out[2 + WS_CONTROL_MAX], uint16_t code, struct span reason)
{
    if (code == 0) {
        return ws_encode_header(out, WS_CLOSE, true, 0);
    }
    size_t len = reason.len;
    if (len > WS_CLOSE_REASON_MAX) {
        len = WS_CLOSE_REASON_MAX;
        while (len > 0 && ((uint8_t)reason.data[len] & 0xc0) == 0x80) {
            len--;
        }
    }
    size_t at = ws_encode_header(out, WS_CLOSE, true, 2 + len);
    out[at++] = (uint8_t)(code >> 8);
    out[at++] = (uint8_t)(code & 0xff);
    if (len > 0) {
        memcpy(out + at, reason.data, len);
    }
    return at + len;
}

bool ws_close_code_is_valid(uint16_t code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}
