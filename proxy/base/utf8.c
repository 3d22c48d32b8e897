/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/utf8.h"

#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

static uint64_t load_u64(const uint8_t *data)
{
    uint64_t word;
    memcpy(&word, data, sizeof(word));
    return word;
}

/* How many bytes at the front are ASCII. Most text is nothing else, so this is the hot loop. */
static size_t ascii_len(const uint8_t *data, size_t len)
{
    size_t i = 0;
    while (len - i >= 32) {
        uint64_t a = load_u64(data + i) | load_u64(data + i + 8);
        uint64_t b = load_u64(data + i + 16) | load_u64(data + i + 24);
        if (((a | b) & HIGH_BITS) != 0) {
            break;
        }
        i += 32;
    }
    while (len - i >= 8) {
        uint64_t high = load_u64(data + i) & HIGH_BITS;
        if (high != 0) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            return i + (size_t)__builtin_ctzll(high) / 8;
#else
            return i + (size_t)__builtin_clzll(high) / 8;
#endif
        }
        i += 8;
    }
    while (i < len && data[i] < 0x80) {
        i++;
    }
    return i;
}

static bool is_between(uint8_t byte, uint8_t low, uint8_t high)
{
    return byte >= low && byte <= high;
}

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The table of RFC 3629 section 4. The first byte gives the range of the second (no overlong form,
 * no surrogate, nothing above U+10FFFF); the third and fourth are always 80 to BF. */
static bool lead_start(struct utf8 *u, uint8_t lead)
{
    u->low = 0x80;
    u->high = 0xbf;
    if (is_between(lead, 0xc2, 0xdf)) {
        u->left = 1;
        return true;
    }
    if (is_between(lead, 0xe0, 0xef)) {
        u->left = 2;
        u->low = lead == 0xe0 ? 0xa0 : 0x80;
        u->high = lead == 0xed ? 0x9f : 0xbf;
        return true;
    }
    if (is_between(lead, 0xf0, 0xf4)) {
        u->left = 3;
        u->low = lead == 0xf0 ? 0x90 : 0x80;
        u->high = lead == 0xf4 ? 0x8f : 0xbf;
        return true;
    }
    return false;
}

/* Takes one byte through the state: the slow way, for sequences that a cut tears apart. */
static bool byte_step(struct utf8 *u, uint8_t byte)
{
    if (u->left == 0) {
        return byte < 0x80 || lead_start(u, byte);
    }
    if (!is_between(byte, u->low, u->high)) {
        return false;
    }
    u->left--;
    u->low = 0x80;
    u->high = 0xbf;
    return true;
}

/* Length of the sequence at p, of which four bytes can be read; 0 = not UTF-8. Keeps no state. */
static size_t sequence_len(const uint8_t *p)
{
    if (p[0] < 0xe0) {
        return p[0] >= 0xc2 && is_continuation(p[1]) ? 2 : 0;
    }
    if (p[0] < 0xf0) {
        uint8_t low = p[0] == 0xe0 ? 0xa0 : 0x80;
        uint8_t high = p[0] == 0xed ? 0x9f : 0xbf;
        return is_between(p[1], low, high) && is_continuation(p[2]) ? 3 : 0;
    }
    uint8_t low = p[0] == 0xf0 ? 0x90 : 0x80;
    uint8_t high = p[0] == 0xf4 ? 0x8f : 0xbf;
    bool is_good = p[0] <= 0xf4 && is_between(p[1], low, high) && is_continuation(p[2]) &&
                   is_continuation(p[3]);
    return is_good ? 4 : 0;
}

void utf8_init(struct utf8 *u)
{
    u->left = 0;
    u->low = 0x80;
    u->high = 0xbf;
}

bool utf8_feed(struct utf8 *u, const uint8_t *data, size_t len)
{
    size_t i = 0;
    while (i < len && u->left > 0) {
        if (!byte_step(u, data[i])) {
            return false;
        }
        i++;
    }
    while (len - i >= 4) {
        if (data[i] < 0x80) {
            i += ascii_len(data + i, len - i);
            continue;
        }
        size_t step = sequence_len(data + i);
        if (step == 0) {
            return false;
        }
        i += step;
    }
    while (i < len) {
        if (!byte_step(u, data[i])) {
            return false;
        }
        i++;
    }
    return true;
}

bool utf8_is_complete(const struct utf8 *u)
{
    return u->left == 0;
}

bool utf8_is_valid(struct span text)
{
    struct utf8 u;
    utf8_init(&u);
    return utf8_feed(&u, (const uint8_t *)text.data, text.len) && utf8_is_complete(&u);
}

size_t utf8_decode(struct span text, uint32_t *out_char)
{
    struct utf8 u;
    uint32_t value = 0;
    utf8_init(&u);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = (uint8_t)text.data[i];
        if (!byte_step(&u, byte)) {
            return 0;
        }
        /* The more bytes follow, the fewer bits of the first one belong to the character. */
        value = i > 0          ? value << 6 | (byte & 0x3fU)
                : byte >= 0x80 ? byte & (0x3fU >> u.left)
                               : byte;
        if (u.left == 0) {
            *out_char = value;
            return i + 1;
        }
    }
    return 0;
}

struct span utf8_cut(struct span text, size_t most_bytes)
{
    if (text.len > most_bytes) {
        text.len = most_bytes;
        while (text.len > 0 && is_continuation((uint8_t)text.data[text.len])) {
            text.len--;
        }
    }
    return text;
}

/* --- repairing ----------------------------------------------------------------------------- */

static size_t put_replacement(uint8_t *out)
{
    memcpy(out, UTF8_REPLACEMENT, sizeof(UTF8_REPLACEMENT) - 1);
    return sizeof(UTF8_REPLACEMENT) - 1;
}

void utf8_repair_init(struct utf8_repair *r)
{
    utf8_init(&r->state);
    r->held_len = 0;
}

size_t utf8_repair_end(struct utf8_repair *r, uint8_t *out)
{
    size_t used = r->held_len > 0 ? put_replacement(out) : 0;
    utf8_repair_init(r);
    return used;
}

/* The next byte. */
static size_t repair_byte(struct utf8_repair *r, uint8_t byte, uint8_t *out)
{
    size_t used = 0;
    if (!byte_step(&r->state, byte)) {
        used = utf8_repair_end(r, out); /* what was held cannot go on with this byte */
        if (!byte_step(&r->state, byte)) {
            utf8_repair_init(r);
            return used + put_replacement(out + used);
        }
    }
    r->held[r->held_len++] = byte;
    if (utf8_is_complete(&r->state)) {
        memcpy(out + used, r->held, r->held_len);
        used += r->held_len;
        r->held_len = 0;
    }
    return used;
}

size_t utf8_repair(struct utf8_repair *r, const uint8_t *data, size_t len, uint8_t *out)
{
    size_t used = 0;
    for (size_t i = 0; i < len;) {
        size_t ascii = r->held_len == 0 ? ascii_len(data + i, len - i) : 0;
        memcpy(out + used, data + i, ascii);
        used += ascii;
        i += ascii;
        if (i < len) {
            used += repair_byte(r, data[i++], out + used);
        }
    }
    return used;
}
