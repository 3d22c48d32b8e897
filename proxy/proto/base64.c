/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/base64.h"

#define BITS_24(a, b, c) ((uint32_t)(a) << 16 | (uint32_t)(b) << 8 | (uint32_t)(c))

static const char alphabet[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The value of a character plus one; 0 for a character that is not in the alphabet. */
static const uint8_t values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

size_t base64_encode(const uint8_t *data, size_t len, char *out)
{
    char *at = out;
    size_t i = 0;
    for (; len - i >= 3; i += 3) {
        uint32_t bits = BITS_24(data[i], data[i + 1], data[i + 2]);
        *at++ = alphabet[bits >> 18];
        *at++ = alphabet[bits >> 12 & 63];
        *at++ = alphabet[bits >> 6 & 63];
        *at++ = alphabet[bits & 63];
    }
    if (i < len) {
        bool has_two = len - i == 2;
        uint32_t bits = BITS_24(data[i], has_two ? data[i + 1] : 0, 0);
        *at++ = alphabet[bits >> 18];
        *at++ = alphabet[bits >> 12 & 63];
        *at++ = has_two ? alphabet[bits >> 6 & 63] : '=';
        *at++ = '=';
    }
    return (size_t)(at - out);
}

void base64_decoder_init(struct base64_decoder *d)
{
    *d = (struct base64_decoder){0};
}

/* `=` stands where a character is missing. The bits that the character before it then leaves over
 * must be 0, so that each byte string has one encoding. */
static bool take_padding(struct base64_decoder *d)
{
    if (d->have < 2 || d->have + d->padding == 4) {
        return false;
    }
    uint8_t unused_bits = d->have == 2 ? 0x0f : 0x03;
    if ((d->group[d->have - 1] & unused_bits) != 0) {
        return false;
    }
    d->padding++;
    return true;
}

/* The second, third and fourth character of a group each complete a byte. Writing that byte at once
 * keeps the output behind the input, wherever a group is cut. */
static bool take_char(struct base64_decoder *d, uint8_t character, uint8_t *out, size_t *at)
{
    if (character == '=') {
        return take_padding(d);
    }
    if (values[character] == 0 || d->padding > 0) {
        return false;
    }
    uint8_t value = (uint8_t)(values[character] - 1);
    if (d->have > 0) {
        unsigned int bits = (unsigned int)d->group[d->have - 1] << 6 | value;
        out[(*at)++] = (uint8_t)(bits >> (2 * (3 - d->have)));
    }
    d->group[d->have] = value;
    d->have = (uint8_t)((d->have + 1) % 4);
    return true;
}

/* Decodes whole groups without `=`. Returns how many characters it read. */
static size_t decode_groups(const uint8_t *data, size_t len, uint8_t *out, size_t *out_len)
{
    size_t at = 0;
    size_t i = 0;
    for (; len - i >= 4; i += 4) {
        uint32_t a = values[data[i]];
        uint32_t b = values[data[i + 1]];
        uint32_t c = values[data[i + 2]];
        uint32_t d = values[data[i + 3]];
        if (a == 0 || b == 0 || c == 0 || d == 0) {
            break;
        }
        uint32_t bits = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
        out[at++] = (uint8_t)(bits >> 16);
        out[at++] = (uint8_t)(bits >> 8);
        out[at++] = (uint8_t)bits;
    }
    *out_len = at;
    return i;
}

bool base64_decode(struct base64_decoder *d, const uint8_t *data, size_t len, uint8_t *out,
                   size_t *out_len)
{
    size_t at = 0;
    size_t i = 0;
    bool is_good = true;
    while (i < len && is_good) {
        if (d->have == 0 && d->padding == 0 && len - i >= 4) {
            size_t written = 0;
            i += decode_groups(data + i, len - i, out + at, &written);
            at += written;
        }
        /* The rest of a group that an earlier piece began, or a group that is incomplete or bad. */
        while (i < len && is_good) {
            is_good = take_char(d, data[i++], out, &at);
            if (d->have == 0) {
                break;
            }
        }
    }
    *out_len = at;
    return is_good;
}

bool base64_is_complete(const struct base64_decoder *d)
{
    return d->padding == 0 ? d->have == 0 : d->have + d->padding == 4;
}

/* The same alphabet but for its last two characters. */
static uint8_t url_value(char c)
{
    if (c == '-' || c == '_') {
        return c == '-' ? values['+'] : values['/'];
    }
    return c == '+' || c == '/' ? 0 : values[(uint8_t)c];
}

bool base64url_decode(struct span text, uint8_t *out, size_t *out_len)
{
    size_t at = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t value = url_value(text.data[i]);
        if (value == 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)(value - 1);
        if (i % 4 > 0) {
            out[at++] = (uint8_t)(bits >> (2 * (3 - i % 4)));
        }
    }
    *out_len = at;
    switch (text.len % 4) {
    case 1:
        return false;
    case 2:
        return (bits & 0x0f) == 0;
    case 3:
        return (bits & 0x03) == 0;
    default:
        return true;
    }
}
