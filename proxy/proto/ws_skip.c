/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where a decoder stands, and the decoder that only looks for the client's Close. */
#include "proto/ws.h"

void ws_decoder_skip(struct ws_decoder *d, struct ws_item *out_item)
{
    *out_item = (struct ws_item){.type = WS_ITEM_NEED_MORE};
    d->is_skipping = true;
    d->accept = WS_ACCEPT_ANY;
    d->max_message_bytes = 0;
    switch (d->error) {
    case WS_OK:
    case WS_NOT_ACCEPTED:
    case WS_TOO_BIG:
        break;
    case WS_BAD_TEXT:
        if (d->opcode == WS_CLOSE) {
            out_item->type = WS_ITEM_CLOSE;
            out_item->close_code = (uint16_t)(d->control[0] << 8 | d->control[1]);
            return;
        }
        break;
    case WS_BAD_FRAME:
    case WS_BAD_CLOSE:
        out_item->type = WS_ITEM_ERROR;
        out_item->error = d->error;
        out_item->detail = d->detail;
        return;
    }
    d->error = WS_OK;
}

enum ws_place ws_decoder_place(const struct ws_decoder *d)
{
    if (d->header_have > 0 || d->in_payload) {
        return WS_IN_FRAME;
    }
    return d->in_message ? WS_IN_MESSAGE : WS_BETWEEN_MESSAGES;
}

bool ws_decoder_is_at(const struct ws_decoder *d, enum ws_opcode opcode, const uint8_t *data,
                      size_t len)
{
    if (d->in_payload) {
        return d->opcode == opcode;
    }
    const uint8_t *first = d->header_have > 0 ? d->header : data;
    return (d->header_have > 0 || len > 0) && (*first & 0x0f) == opcode;
}
