/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs one path of the program for count.py. callgrind counts what count_step() executes.
 *
 *     count CASE        prints how many units of work all steps have; count.py divides by it
 *     count --list
 *     count --library   wolfSSL's version
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "count.h"
#include "proto/mask.h"
#include "proto/ws.h"

#define FRAME_64 64
#define FRAME_16K (16 * 1024)
#define MASKED_BYTES (16 * 1024)

struct count_case {
    const char *name;
    const char *unit;
    void (*prepare)(const struct count_case *self);
    void (*step)(void);
    size_t size;
};

static uint8_t input[COUNT_READ_BYTES];
static size_t input_len;
static size_t units; /* units of work in one step */
static struct count_session session;
static struct ws_decoder decoder;
static mask_fn *mask;

void count_die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(1);
}

size_t count_frames(uint8_t *out, size_t size, size_t payload_len)
{
    static const uint8_t key[4] = {0x3d, 0xa1, 0x52, 0xfe};
    size_t used = 0;
    while (used + 8 + payload_len <= size) {
        uint8_t header[WS_HEADER_MAX];
        size_t header_len = ws_encode_header(header, WS_BINARY, true, payload_len);
        header[1] |= 0x80;
        memcpy(out + used, header, header_len);
        memcpy(out + used + header_len, key, 4);
        memset(out + used + header_len + 4, 'x', payload_len);
        used += header_len + 4 + payload_len;
    }
    return used;
}

/* --- decoder and unmasking ------------------------------------------------------------------ */

static void prepare_frames(const struct count_case *self)
{
    size_t header = ws_header_len(self->size) + 4;
    bool is_single = strstr(self->name, "one") != NULL;
    input_len = count_frames(input, is_single ? self->size + header : sizeof(input), self->size);
    units = input_len / (self->size + header);
    ws_decoder_init(&decoder, WS_ACCEPT_ANY, 0, false);
}

static void step_decode(void)
{
    uint8_t *data = input;
    size_t left = input_len;
    struct ws_item item;
    do {
        size_t consumed = 0;
        ws_decode(&decoder, data, left, &consumed, &item);
        data += consumed;
        left -= consumed;
    } while (item.type == WS_ITEM_PAYLOAD);
    if (item.type != WS_ITEM_NEED_MORE || left != 0) {
        count_die("the frames were not decoded");
    }
}

static void prepare_mask(const struct count_case *self)
{
    const char *name = NULL;
    const char *wanted = strchr(self->name, '-') + 1;
    for (size_t k = 0; (mask = mask_implementation(k, &name)) != NULL; k++) {
        if (strcmp(name, wanted) == 0) {
            break;
        }
    }
    if (mask == NULL) {
        count_die("this processor cannot do %s", wanted);
    }
    units = MASKED_BYTES / 1024;
}

/* The payload of a short frame begins behind six bytes. */
static void step_mask(void)
{
    static const uint8_t key[4] = {1, 2, 3, 4};
    mask(input + 6, MASKED_BYTES, key, 0);
}

/* --- the way through a session -------------------------------------------------------------- */

static int fd_of(const struct conn *conn)
{
    return reactor_io_fd(&conn->carrier.io);
}

static void prepare_up(const struct count_case *self)
{
    prepare_frames(self);
    session_make(&session, NULL, strncmp(self->name, "echo", 4) == 0);
    kernel_feed(fd_of(&session.pump.client), input, input_len);
}

static void prepare_up_tls(const struct count_case *self)
{
    size_t step_len = 0;
    prepare_frames(self);
    session_make(&session, peer_handshake(), false);
    const uint8_t *records = peer_records(input, input_len, COUNT_WARM + COUNT_STEPS, &step_len);
    kernel_feed_on(fd_of(&session.pump.client), records, (COUNT_WARM + COUNT_STEPS) * step_len,
                   step_len);
}

static void prepare_down(const struct count_case *self)
{
    bool is_tls = strncmp(self->name, "wss", 3) == 0;
    session_make(&session, is_tls ? peer_handshake() : NULL, false);
    kernel_feed(fd_of(&session.pump.backend), input, self->size);
    units = 1;
}

static void step_up(void)
{
    session_up(&session);
}

static void step_down(void)
{
    session_down(&session);
}

/* --- running -------------------------------------------------------------------------------- */

static const struct count_case cases[] = {
    {"decode-64", "64-byte frame", prepare_frames, step_decode, FRAME_64},
    {"decode-16k", "16 KiB frame", prepare_frames, step_decode, FRAME_16K},
    {"mask-words", "KiB", prepare_mask, step_mask, 0},
    {"mask-sse2", "KiB", prepare_mask, step_mask, 0},
    {"mask-avx2", "KiB", prepare_mask, step_mask, 0},
    {"ws-up-64", "64-byte frame", prepare_up, step_up, FRAME_64},
    {"ws-up-16k", "16 KiB frame", prepare_up, step_up, FRAME_16K},
    {"ws-up-one-128", "read of one 128-byte frame", prepare_up, step_up, 128},
    {"ws-down-63k", "read of 63 KiB", prepare_down, step_down, COUNT_READ_BYTES},
    {"ws-down-128", "read of 128 bytes", prepare_down, step_down, 128},
    {"echo-64", "64-byte frame", prepare_up, step_up, FRAME_64},
    {"echo-16k", "16 KiB frame", prepare_up, step_up, FRAME_16K},
    {"wss-up-64", "64-byte frame", prepare_up_tls, step_up, FRAME_64},
    {"wss-up-16k", "16 KiB frame", prepare_up_tls, step_up, FRAME_16K},
    {"wss-up-one-128", "read of one 128-byte frame", prepare_up_tls, step_up, 128},
    {"wss-down-63k", "read of 63 KiB", prepare_down, step_down, COUNT_READ_BYTES},
    {"wss-down-128", "read of 128 bytes", prepare_down, step_down, 128},
};

/* count.py tells callgrind this name. */
void count_step(const struct count_case *chosen);
__attribute__((noinline)) void count_step(const struct count_case *chosen)
{
    for (int i = 0; i < COUNT_STEPS; i++) {
        chosen->step();
    }
}

int main(int argc, char **argv)
{
    const char *name = argc == 2 ? argv[1] : "";
    if (strcmp(name, "--library") == 0) {
        printf("%s\n", tls_library_version());
        return 0;
    }
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (strcmp(name, "--list") == 0) {
            printf("%s\n", cases[i].name);
        }
        if (strcmp(name, cases[i].name) != 0) {
            continue;
        }
        cases[i].prepare(&cases[i]);
        for (int warm = 0; warm < COUNT_WARM; warm++) {
            cases[i].step();
        }
        kernel_counts();
        count_step(&cases[i]);
        if (session.reactor != NULL && kernel_sent_bytes() == 0) {
            count_die("nothing was sent");
        }
        printf("%zu %s\n", units * COUNT_STEPS, cases[i].unit);
        return 0;
    }
    return strcmp(name, "--list") == 0 ? 0 : 2;
}
