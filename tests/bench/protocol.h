/* SPDX-License-Identifier: GPL-3.0-or-later */
/* protocol.h: what load generator and backend agree on.
 *
 * Each connection to the backend begins with a command of 16 bytes. When as many bytes as the
 * command's count have passed, the next command follows. The bytes are a pattern in which every
 * byte follows from its position, so the reader notices a byte that is lost, doubled, changed or
 * moved. */
#ifndef BENCH_PROTOCOL_H
#define BENCH_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COMMAND_BYTES 16

enum command_op {
    COMMAND_ECHO = 'E',         /* send the next `count` bytes back, unlooked at */
    COMMAND_SOURCE = 'S',       /* send `count` bytes of pattern */
    COMMAND_SOURCE_SHORT = 'H', /* the same, and the kernel keeps few unsent bytes */
    COMMAND_STALL = 'Z',        /* read nothing more */
    COMMAND_CLOCK = 'C', /* send `count` bytes of pattern in blocks that begin with a stamp */
    COMMAND_SINK = 'K',  /* take and compare `count` bytes of pattern, then send a report */
    COMMAND_REPORT = 'R' /* from the backend: `count` bytes came; `start` is 0 when all were right,
                           otherwise 1 */
};

struct command {
    enum command_op op;
    uint32_t start; /* where in the pattern the bytes begin */
    uint64_t count;
};

#define COMMAND_ENDLESS ((uint64_t)1 << 62)

/* COMMAND_CLOCK: each block begins with the time at which the backend gave the block's first bytes
 * to the kernel (CLOCK_MONOTONIC, nanoseconds, high bytes first), in place of the pattern. */
#define STAMP_BYTES 8
#define STAMP_BLOCK 512

void command_put(uint8_t out[COMMAND_BYTES], const struct command *command);
/* Returns false when this is no command. */
bool command_get(const uint8_t in[COMMAND_BYTES], struct command *out);
void stamp_put(uint8_t out[STAMP_BYTES], uint64_t ns);
uint64_t stamp_get(const uint8_t in[STAMP_BYTES]);

/* A prime number: no step of a power of two leads back to the same place of the pattern. */
#define PATTERN_PERIOD 65521
/* pattern_at returns so many readable bytes. */
#define PATTERN_RUN (64 * 1024)

/* The program calls this once, before the functions below. */
void pattern_init(void);
const uint8_t *pattern_at(uint64_t position);
/* Returns true when `data` is the pattern from `position` on. */
bool pattern_is(uint64_t position, const uint8_t *data, size_t len);

#endif
