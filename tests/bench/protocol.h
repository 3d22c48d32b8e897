/* SPDX-License-Identifier: GPL-3.0-or-later */
/* protocol.h: what the load generator and the backend agree on.
 *
 * A connection to the backend begins with a command of 16 bytes and obeys it; when the command's
 * count of bytes has passed, the next command is expected. The bytes that pass are a pattern whose
 * every byte follows from its position, so that a lost, doubled, changed or moved byte is seen. */
#ifndef BENCH_PROTOCOL_H
#define BENCH_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COMMAND_BYTES 16

enum command_op {
    COMMAND_ECHO = 'E',   /* send the next `count` bytes back, unlooked at */
    COMMAND_SOURCE = 'S', /* send `count` bytes of pattern */
    COMMAND_SINK = 'K',   /* take and compare `count` bytes of pattern, then send a report */
    COMMAND_REPORT = 'R'  /* from the backend: `count` bytes came; `start` is 0 when all were right,
                           otherwise 1 */
};

struct command {
    enum command_op op;
    uint32_t start; /* where in the pattern to begin */
    uint64_t count;
};

#define COMMAND_ENDLESS ((uint64_t)1 << 62)

void command_put(uint8_t out[COMMAND_BYTES], const struct command *command);
/* False: this is no command. */
bool command_get(const uint8_t in[COMMAND_BYTES], struct command *out);

/* A prime, so that no power of two of bytes leads back to the same place. */
#define PATTERN_PERIOD 65521
/* Bytes that may be read from where pattern_at points. */
#define PATTERN_RUN (64 * 1024)

/* Once, before the others. */
void pattern_init(void);
const uint8_t *pattern_at(uint64_t position);
/* True when data is the pattern from `position` on. */
bool pattern_is(uint64_t position, const uint8_t *data, size_t len);

#endif
