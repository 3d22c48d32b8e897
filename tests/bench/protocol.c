/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "protocol.h"

#include <string.h>

static uint8_t pattern[PATTERN_PERIOD + PATTERN_RUN];

static void put_number(uint8_t *out, uint64_t value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(value >> (8 * (len - 1 - i)));
    }
}

static uint64_t get_number(const uint8_t *in, size_t len)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        value = value << 8 | in[i];
    }
    return value;
}

void command_put(uint8_t out[COMMAND_BYTES], const struct command *command)
{
    memset(out, 0, COMMAND_BYTES);
    out[0] = (uint8_t)command->op;
    put_number(out + 4, command->start, 4);
    put_number(out + 8, command->count, 8);
}

bool command_get(const uint8_t in[COMMAND_BYTES], struct command *out)
{
    switch (in[0]) {
    case 'E':
        out->op = COMMAND_ECHO;
        break;
    case 'S':
        out->op = COMMAND_SOURCE;
        break;
    case 'H':
        out->op = COMMAND_SOURCE_SHORT;
        break;
    case 'Z':
        out->op = COMMAND_STALL;
        break;
    case 'C':
        out->op = COMMAND_CLOCK;
        break;
    case 'K':
        out->op = COMMAND_SINK;
        break;
    case 'R':
        out->op = COMMAND_REPORT;
        break;
    default:
        return false;
    }
    out->start = (uint32_t)get_number(in + 4, 4);
    out->count = get_number(in + 8, 8);
    return get_number(in + 1, 3) == 0;
}

void stamp_put(uint8_t out[STAMP_BYTES], uint64_t ns)
{
    put_number(out, ns, STAMP_BYTES);
}

uint64_t stamp_get(const uint8_t in[STAMP_BYTES])
{
    return get_number(in, STAMP_BYTES);
}

void pattern_init(void)
{
    uint32_t state = 2463534242;
    for (size_t i = 0; i < PATTERN_PERIOD; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        pattern[i] = (uint8_t)(state >> 11);
    }
    /* PATTERN_RUN is longer than a period. */
    for (size_t i = PATTERN_PERIOD; i < sizeof(pattern); i++) {
        pattern[i] = pattern[i - PATTERN_PERIOD];
    }
}

const uint8_t *pattern_at(uint64_t position)
{
    return pattern + position % PATTERN_PERIOD;
}

bool pattern_is(uint64_t position, const uint8_t *data, size_t len)
{
    while (len > 0) {
        size_t part = len < PATTERN_RUN ? len : PATTERN_RUN;
        if (memcmp(pattern_at(position), data, part) != 0) {
            return false;
        }
        position += part;
        data += part;
        len -= part;
    }
    return true;
}
