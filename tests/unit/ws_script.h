/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ws_script.h: wire bytes as text, and what the decoder made of them as text.
 *
 * A script is a list of tokens:
 *     81          one byte in hexadecimal
 *     m           the masking key 37 fa 21 3d, which masks all that follows
 *     'Hello'     these bytes
 *     a*300       one byte many times
 *     ;           end of a frame: masking stops
 * So a good frame is "81 85 m 'Hello' ;", and a bad one is as easy to write.
 *
 * A log says what came out, however the decoder cut it into pieces:
 *     T[Hello]    a text message; B[ is binary; ZT[ and ZB[ compressed; without ] it did not end
 *     ~           a frame without payload inside a message
 *     ping(x) pong(x) close(1000,bye) close()
 *     !frame@2    an error (frame, close, text, accept, big) at the second byte
 * A run of more than eight equal bytes is a*300. A byte that is not printable is \xNN. */
#ifndef TESTS_UNIT_WS_SCRIPT_H
#define TESTS_UNIT_WS_SCRIPT_H

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>

#include "check.h"
#include "proto/ws.h"

#define WS_SCRIPT_MAX ((size_t)1 << 18)

static const uint8_t ws_script_key[4] = {0x37, 0xfa, 0x21, 0x3d};

struct ws_wire {
    uint8_t data[WS_SCRIPT_MAX];
    size_t len;
    bool is_masked;
    size_t key_at;
};

struct ws_log {
    char text[1024];
    size_t len;
    uint8_t run_byte;
    size_t run_len;
};

static void ws_wire_put(struct ws_wire *wire, uint8_t byte, size_t count)
{
    for (size_t i = 0; i < count && wire->len < sizeof(wire->data); i++) {
        uint8_t key = wire->is_masked ? ws_script_key[wire->key_at++ % 4] : 0;
        wire->data[wire->len++] = byte ^ key;
    }
}

static void ws_wire_put_key(struct ws_wire *wire)
{
    wire->is_masked = false;
    for (size_t i = 0; i < 4; i++) {
        ws_wire_put(wire, ws_script_key[i], 1);
    }
    wire->is_masked = true;
    wire->key_at = 0;
}

/* Puts one token on the wire. Returns the script behind it, or NULL when it is no token. */
static const char *ws_wire_token(struct ws_wire *wire, const char *token)
{
    if (*token == ' ') {
        return token + 1;
    }
    if (*token == ';') {
        wire->is_masked = false;
        return token + 1;
    }
    if (*token == '\'') {
        for (token++; *token != '\'' && *token != '\0'; token++) {
            ws_wire_put(wire, (uint8_t)*token, 1);
        }
        return *token == '\'' ? token + 1 : NULL;
    }
    if (token[1] == '*') {
        char *end = NULL;
        ws_wire_put(wire, (uint8_t)token[0], strtoul(token + 2, &end, 10));
        return end;
    }
    if (*token == 'm') {
        ws_wire_put_key(wire);
        return token + 1;
    }
    if (isxdigit((unsigned char)token[0]) && isxdigit((unsigned char)token[1])) {
        ws_wire_put(wire, (uint8_t)strtoul((char[3]){token[0], token[1], '\0'}, NULL, 16), 1);
        return token + 2;
    }
    return NULL;
}

/* Appends a script to the wire. False: the script is wrong. */
static bool ws_wire_add(struct ws_wire *wire, const char *script)
{
    while (script != NULL && *script != '\0') {
        script = ws_wire_token(wire, script);
    }
    return script != NULL;
}

static bool ws_wire_set(struct ws_wire *wire, const char *script)
{
    wire->len = 0;
    wire->is_masked = false;
    return ws_wire_add(wire, script);
}

__attribute__((format(printf, 2, 3))) static void ws_log_raw(struct ws_log *log, const char *format,
                                                             ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(log->text + log->len, sizeof(log->text) - log->len, format, args);
    va_end(args);
    log->len += n > 0 ? (size_t)n : 0;
    if (log->len >= sizeof(log->text)) {
        log->len = sizeof(log->text) - 1;
    }
}

static void ws_log_flush(struct ws_log *log)
{
    bool is_plain = isalnum(log->run_byte) || log->run_byte == ' ';
    size_t times = log->run_len > 8 ? 1 : log->run_len;
    for (size_t i = 0; i < times; i++) {
        ws_log_raw(log, is_plain ? "%c" : "\\x%02x", log->run_byte);
    }
    if (log->run_len > 8) {
        ws_log_raw(log, "*%zu", log->run_len);
    }
    log->run_len = 0;
}

static void ws_log_bytes(struct ws_log *log, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (log->run_len > 0 && log->run_byte != data[i]) {
            ws_log_flush(log);
        }
        log->run_byte = data[i];
        log->run_len++;
    }
}

static void ws_log_payload(struct ws_log *log, const struct ws_item *item)
{
    if (item->is_message_start) {
        ws_log_raw(log, item->is_compressed ? "Z" : "");
        ws_log_raw(log, item->opcode == WS_TEXT ? "T[" : "B[");
    }
    if (item->len == 0) {
        ws_log_flush(log);
        ws_log_raw(log, "~");
    }
    ws_log_bytes(log, item->data, item->len);
    if (item->is_message_end) {
        ws_log_flush(log);
        ws_log_raw(log, "]");
    }
}

static void ws_log_control(struct ws_log *log, const char *name, const struct ws_item *item)
{
    ws_log_flush(log);
    ws_log_raw(log, "%s(", name);
    if (item->close_code != 0) {
        ws_log_raw(log, item->len > 0 ? "%u," : "%u", item->close_code);
    }
    ws_log_bytes(log, item->data, item->len);
    ws_log_flush(log);
    ws_log_raw(log, ")");
}

/* `at`: stream bytes up to and including the wrong one. */
static void ws_log_error(struct ws_log *log, const struct ws_item *item, size_t at)
{
    static const char *const names[] = {
        [WS_OK] = "ok",         [WS_BAD_FRAME] = "frame",     [WS_BAD_CLOSE] = "close",
        [WS_BAD_TEXT] = "text", [WS_NOT_ACCEPTED] = "accept", [WS_TOO_BIG] = "big",
    };
    ws_log_flush(log);
    ws_log_raw(log, "!%s@%zu", names[item->error], at);
    if (item->detail == NULL || strlen(item->detail) > WS_CLOSE_REASON_MAX) {
        ws_log_raw(log, " and its detail is no close reason");
    }
}

/* Logs one item. False: nothing may follow it. */
static bool ws_log_item(struct ws_log *log, const struct ws_item *item, size_t at)
{
    switch (item->type) {
    case WS_ITEM_NEED_MORE:
        return true;
    case WS_ITEM_PAYLOAD:
        ws_log_payload(log, item);
        return true;
    case WS_ITEM_PING:
        ws_log_control(log, "ping", item);
        return true;
    case WS_ITEM_PONG:
        ws_log_control(log, "pong", item);
        return true;
    case WS_ITEM_CLOSE:
        ws_log_control(log, "close", item);
        return false;
    case WS_ITEM_ERROR:
        ws_log_error(log, item, at);
        return false;
    }
    return false;
}

/* Decodes one chunk from `at` on, in a copy that ends where an array ends, so that the sanitizer
 * sees a byte too far. False: nothing may follow. */
static bool ws_script_chunk(struct ws_decoder *d, const struct ws_wire *wire, size_t at, size_t len,
                            struct ws_log *log)
{
    static uint8_t scratch[WS_SCRIPT_MAX];
    uint8_t *chunk = scratch + sizeof(scratch) - len;
    memcpy(chunk, wire->data + at, len);
    size_t used = 0;
    for (;;) {
        size_t consumed = 0;
        struct ws_item item;
        ws_decode(d, chunk + used, len - used, &consumed, &item);
        used += consumed;
        bool is_more = item.type == WS_ITEM_NEED_MORE;
        if (consumed > len - (used - consumed) || (is_more ? used != len : consumed == 0)) {
            ws_log_raw(log, " consumed %zu of %zu at %zu", consumed, len, used);
            return false;
        }
        if (!ws_log_item(log, &item, at + used)) {
            return false;
        }
        if (is_more) {
            return true;
        }
    }
}

/* Decodes the wire in a chunk of `first` bytes and chunks of `step` bytes (0 = all the rest). */
static void ws_script_decode(struct ws_decoder *d, const struct ws_wire *wire, size_t first,
                             size_t step, struct ws_log *log)
{
    log->len = 0;
    log->text[0] = '\0';
    log->run_len = 0;
    size_t at = 0;
    while (at < wire->len) {
        size_t want = at == 0 && first > 0 ? first : step;
        size_t len = want == 0 || want > wire->len - at ? wire->len - at : want;
        if (!ws_script_chunk(d, wire, at, len, log)) {
            break;
        }
        at += len;
    }
    ws_log_flush(log);
}

/* Decodes the wire whole, cut once at every place, and byte by byte; all must log `want`. Cuts a
 * long stream only near its ends. */
__attribute__((unused)) static void ws_script_check(const char *row, const struct ws_wire *wire,
                                                    const struct ws_decoder *start,
                                                    const char *want)
{
    static struct ws_log log;
    const size_t near_bytes = 300;
    struct ws_decoder d = *start;
    ws_script_decode(&d, wire, 0, 0, &log);
    if (!CHECK_EQ_STR(row, log.text, want)) {
        return;
    }
    for (size_t cut = 1; cut < wire->len; cut++) {
        if (cut > near_bytes && wire->len > 3 * near_bytes && wire->len - cut > near_bytes) {
            cut = wire->len - near_bytes;
        }
        d = *start;
        ws_script_decode(&d, wire, cut, 0, &log);
        if (strcmp(log.text, want) != 0) {
            char cut_row[128];
            snprintf(cut_row, sizeof(cut_row), "%s, cut at %zu", row, cut);
            CHECK_EQ_STR(cut_row, log.text, want);
        }
    }
    d = *start;
    ws_script_decode(&d, wire, 0, 1, &log);
    CHECK_EQ_STR(row, log.text, want);
}

#endif
