/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A WebSocket client (RFC 6455) that trusts no server: it checks the answer to its upgrade and
 * every frame. With --raw the bytes bypass it. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "load.h"
#include "protocol.h"

#define KEY_CHARS 24
#define ACCEPT_CHARS 28

enum { OP_CONTINUATION = 0, OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

/* --- sending -------------------------------------------------------------------------------- */

static uint32_t next_random(struct load *load)
{
    load->random ^= load->random << 13;
    load->random ^= load->random >> 17;
    load->random ^= load->random << 5;
    return load->random;
}

static void copy_masked(uint8_t *out, const uint8_t *in, size_t len, uint32_t key)
{
    uint64_t wide = (uint64_t)key << 32 | key;
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        uint64_t word;
        memcpy(&word, in + i, 8);
        word ^= wide;
        memcpy(out + i, &word, 8);
    }
    for (; i < len; i++) {
        out[i] = in[i] ^ (uint8_t)(key >> (8 * (i % 4)));
    }
}

/* Writes a whole frame. Returns its length. */
static size_t put_frame(struct load *load, uint8_t *out, uint8_t opcode, const uint8_t *payload,
                        size_t len)
{
    uint32_t key = next_random(load);
    size_t at = 2;
    out[0] = 0x80 | opcode;
    if (len < 126) {
        out[1] = 0x80 | (uint8_t)len;
    } else if (len < 65536) {
        out[1] = 0x80 | 126;
        out[2] = (uint8_t)(len >> 8);
        out[3] = (uint8_t)len;
        at = 4;
    } else {
        out[1] = 0x80 | 127;
        for (size_t i = 0; i < 8; i++) {
            out[2 + i] = (uint8_t)((uint64_t)len >> (8 * (7 - i)));
        }
        at = 10;
    }
    memcpy(out + at, &key, 4);
    copy_masked(out + at + 4, payload, len, key);
    return at + 4 + len;
}

static void send_frame(struct load_conn *c, uint8_t opcode, const uint8_t *payload, size_t len)
{
    struct load *load = c->load;
    conn_push(c, load->frames, put_frame(load, load->frames, opcode, payload, len));
}

void ws_send(struct load_conn *c, const uint8_t *payload, size_t len)
{
    if (c->load->options.is_raw) {
        conn_push(c, payload, len);
    } else {
        send_frame(c, OP_BINARY, payload, len);
    }
}

static void send_raw_pattern(struct load_conn *c, uint64_t position, uint64_t count)
{
    while (count > 0) {
        size_t part = count < PATTERN_RUN ? (size_t)count : PATTERN_RUN;
        conn_push(c, pattern_at(position), part);
        position += part;
        count -= part;
    }
}

void ws_send_pattern(struct load_conn *c, uint64_t position, uint64_t count)
{
    struct load *load = c->load;
    size_t used = 0;
    if (load->options.is_raw) {
        send_raw_pattern(c, position, count);
        return;
    }
    /* Puts frames side by side, so that TLS records are full. */
    while (count > 0) {
        uint64_t most = load->options.message_bytes;
        size_t part = (size_t)(count < most ? count : most);
        if (used + FRAME_HEADER_MAX + part > sizeof(load->frames)) {
            conn_push(c, load->frames, used);
            used = 0;
        }
        used += put_frame(load, load->frames + used, OP_BINARY, pattern_at(position), part);
        position += part;
        count -= part;
    }
    conn_push(c, load->frames, used);
}

void ws_send_close(struct load_conn *c)
{
    send_frame(c, OP_CLOSE, (const uint8_t *)"\x03\xe8", 2); /* 1000 */
}

/* --- opening handshake ---------------------------------------------------------------------- */

static void make_key(const struct load_conn *c, char out[KEY_CHARS + 1])
{
    uint8_t nonce[16];
    for (size_t i = 0; i < sizeof(nonce); i++) {
        nonce[i] = (uint8_t)((c->index >> (8 * (i % 4))) + 37 * i);
    }
    (void)EVP_EncodeBlock((uint8_t *)out, nonce, sizeof(nonce));
}

static void make_accept(const struct load_conn *c, char out[ACCEPT_CHARS + 1])
{
    char text[KEY_CHARS + 37];
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    make_key(c, text);
    memcpy(text + KEY_CHARS, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 37);
    if (EVP_Digest(text, KEY_CHARS + 36, digest, &len, EVP_sha1(), NULL) != 1) {
        load_fail(c, "no SHA-1");
    }
    (void)EVP_EncodeBlock((uint8_t *)out, digest, (int)len);
}

void ws_begin(struct load_conn *c)
{
    const struct load_options *options = &c->load->options;
    char key[KEY_CHARS + 1];
    char request[1024];
    if (options->is_raw) {
        c->phase = LOAD_OPEN;
        c->role->warm(c);
        return;
    }
    make_key(c, key);
    int len = snprintf(request, sizeof(request),
                       "GET %s HTTP/1.1\r\n"
                       "Host: localhost:%d\r\n"
                       "Connection: Upgrade\r\n"
                       "User-Agent: sluice-bench\r\n"
                       "Upgrade: websocket\r\n"
                       "Origin: %s://localhost:%d\r\n"
                       "Sec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: %s\r\n"
                       "Sec-WebSocket-Protocol: binary\r\n"
                       "\r\n",
                       options->path, options->port, options->is_tls ? "https" : "http",
                       options->port, key);
    if (len < 0 || (size_t)len >= sizeof(request)) {
        load_fail(c, "the path is too long");
    }
    c->phase = LOAD_UPGRADE;
    c->answer = malloc(ANSWER_MAX + 1);
    if (c->answer == NULL) {
        load_fail(c, "out of memory");
    }
    conn_push(c, request, (size_t)len);
}

/* Returns the value of a header, which ends before CR, or NULL. */
static const char *find_header(const char *head, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            return line + len + 1 + strspn(line + len + 1, " \t");
        }
    }
    return NULL;
}

static bool header_is(const char *head, const char *name, const char *value)
{
    const char *found = find_header(head, name);
    size_t len = strlen(value);
    return found != NULL && strncasecmp(found, value, len) == 0 &&
           strchr("\r ", found[len]) != NULL;
}

static void check_answer(const struct load_conn *c, const char *head)
{
    char accept[ACCEPT_CHARS + 1];
    make_accept(c, accept);
    const char *found = find_header(head, "Sec-WebSocket-Accept");
    if (strncmp(head, "HTTP/1.1 101", 12) != 0) {
        load_fail(c, "the upgrade was refused: %.*s", (int)strcspn(head, "\r"), head);
    }
    if (found == NULL || strncmp(found, accept, ACCEPT_CHARS) != 0 || found[ACCEPT_CHARS] != '\r') {
        load_fail(c, "Sec-WebSocket-Accept is wrong");
    }
    if (!header_is(head, "Upgrade", "websocket") || !header_is(head, "Connection", "upgrade") ||
        find_header(head, "Sec-WebSocket-Extensions") != NULL) {
        load_fail(c, "the answer to the upgrade is wrong");
    }
    if (find_header(head, "Sec-WebSocket-Protocol") != NULL &&
        !header_is(head, "Sec-WebSocket-Protocol", "binary")) {
        load_fail(c, "the subprotocol was not offered");
    }
}

/* Returns how many bytes belong to the answer's head. */
static size_t take_answer(struct load_conn *c, const uint8_t *data, size_t len)
{
    size_t before = c->answer_len;
    size_t part = ANSWER_MAX - before < len ? ANSWER_MAX - before : len;
    memcpy(c->answer + before, data, part);
    c->answer_len += part;
    c->answer[c->answer_len] = '\0';
    const char *end = strstr(c->answer, "\r\n\r\n");
    if (end == NULL) {
        if (c->answer_len == ANSWER_MAX) {
            load_fail(c, "the answer to the upgrade is too long");
        }
        return part;
    }
    size_t head_len = (size_t)(end - c->answer) + 4;
    check_answer(c, c->answer);
    free(c->answer);
    c->answer = NULL;
    c->phase = LOAD_OPEN;
    c->role->warm(c);
    return head_len - before;
}

/* --- receiving ------------------------------------------------------------------------------ */

static void take_control(struct load_conn *c)
{
    c->in_payload = false;
    if (c->opcode == OP_PING) {
        rest_ping(c->load);
        send_frame(c, OP_PONG, c->control, c->control_len);
    } else if (c->opcode == OP_CLOSE && c->phase != LOAD_CLOSING) {
        int code = c->control_len < 2 ? 1005 : c->control[0] << 8 | c->control[1];
        int reason_len = c->control_len < 2 ? 0 : (int)c->control_len - 2;
        if (!rest_close(c, code)) {
            load_fail(c, "the server sent Close %d \"%.*s\"", code, reason_len, c->control + 2);
        }
    } else if (c->opcode == OP_CLOSE) {
        if (c->ssl != NULL) {
            tls_close(c);
        }
        conn_flush(c);
        (void)shutdown(c->fd, SHUT_WR);
    }
}

/* The second byte says how many bytes the header has. */
static size_t header_need(const struct load_conn *c)
{
    static const size_t more[] = {2, 8};
    if (c->header_len < 2 || c->header[1] < 126) {
        return 2;
    }
    return 2 + more[c->header[1] - 126];
}

static void check_header(const struct load_conn *c)
{
    bool is_known = c->opcode <= OP_BINARY || (c->opcode >= OP_CLOSE && c->opcode <= OP_PONG);
    if ((c->header[0] & 0x70) != 0 || !is_known || c->opcode == OP_TEXT ||
        (c->opcode >= OP_CLOSE && (c->header[1] > 125 || (c->header[0] & 0x80) == 0))) {
        load_fail(c, "bad frame from the server: %02x %02x", c->header[0], c->header[1]);
    }
}

static size_t take_header(struct load_conn *c, const uint8_t *data, size_t len)
{
    size_t used = 0;
    while (used < len && c->header_len < header_need(c)) {
        c->header[c->header_len++] = data[used++];
        if (c->header_len == 2 && c->header[1] > 127) {
            load_fail(c, "the server masked a frame");
        }
    }
    if (c->header_len < 2 || c->header_len < header_need(c)) {
        return used;
    }
    uint64_t payload_len = c->header[1];
    if (c->header_len > 2) {
        payload_len = 0;
        for (size_t i = 2; i < c->header_len; i++) {
            payload_len = payload_len << 8 | c->header[i];
        }
    }
    c->opcode = c->header[0] & 15;
    check_header(c);
    c->header_len = 0;
    c->payload_left = payload_len;
    c->control_len = 0;
    c->in_payload = true;
    if (payload_len == 0) {
        c->in_payload = false;
        if (c->opcode >= OP_CLOSE) {
            take_control(c);
        }
    }
    return used;
}

static size_t take_payload(struct load_conn *c, const uint8_t *data, size_t len)
{
    size_t part = c->payload_left < len ? (size_t)c->payload_left : len;
    c->payload_left -= part;
    if (c->opcode >= OP_CLOSE) {
        memcpy(c->control + c->control_len, data, part);
        c->control_len += part;
        if (c->payload_left == 0) {
            take_control(c);
        }
        return part;
    }
    c->in_payload = c->payload_left > 0;
    if (c->phase == LOAD_OPEN) {
        c->role->payload(c, data, part);
    }
    return part;
}

void ws_input(struct load_conn *c, const uint8_t *data, size_t len)
{
    while (len > 0) {
        size_t used = len;
        if (c->load->options.is_raw) {
            if (c->phase == LOAD_OPEN) {
                c->role->payload(c, data, len);
            }
        } else if (c->phase == LOAD_UPGRADE) {
            used = take_answer(c, data, len);
        } else if (c->in_payload) {
            used = take_payload(c, data, len);
        } else {
            used = take_header(c, data, len);
        }
        data += used;
        len -= used;
    }
}
