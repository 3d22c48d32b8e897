/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/der.h"

#include <string.h>
#include <time.h>

enum { LENGTH_BYTES_MAX = 4, DATE_TEXT = 16 };

static bool take_length(struct span *rest, size_t *out)
{
    const uint8_t *at = (const uint8_t *)rest->data;
    size_t used = 1;

    if (rest->len == 0) {
        return false;
    }
    size_t len = at[0];
    if (len >= 0x80) {
        size_t width = len - 0x80;

        if (width == 0 || width > LENGTH_BYTES_MAX || rest->len < 1 + width || at[1] == 0) {
            return false;
        }
        len = 0;
        for (; used <= width; used++) {
            len = len << 8 | at[used];
        }
        if (len < 0x80) {
            return false;
        }
    }
    *rest = (struct span){rest->data + used, rest->len - used};
    *out = len;
    return len <= rest->len;
}

bool der_next(struct span *rest, struct der_item *out)
{
    struct span s = *rest;
    size_t len = 0;

    *out = (struct der_item){.tag = 0};
    if (s.len == 0) {
        return false;
    }
    unsigned tag = (uint8_t)s.data[0];
    s = (struct span){s.data + 1, s.len - 1};
    if ((tag & 0x1f) == 0x1f || !take_length(&s, &len)) {
        return false;
    }
    out->tag = tag;
    out->content = (struct span){s.data, len};
    out->whole = (struct span){rest->data, (size_t)(s.data - rest->data) + len};
    *rest = (struct span){s.data + len, s.len - len};
    return true;
}

bool der_take(struct span *rest, unsigned tag, struct der_item *out)
{
    struct span before = *rest;

    if (!der_next(rest, out) || out->tag != tag) {
        *rest = before;
        return false;
    }
    return true;
}

bool der_take_optional(struct span *rest, unsigned tag, struct der_item *out)
{
    *out = (struct der_item){.tag = 0};
    if (rest->len == 0 || (uint8_t)rest->data[0] != tag) {
        return true;
    }
    return der_take(rest, tag, out);
}

bool der_take_time(struct span *rest, int64_t *out_s)
{
    struct der_item item;
    struct tm parts = {.tm_isdst = 0};
    char text[DATE_TEXT] = "";

    if (!der_next(rest, &item) || (item.tag != DER_UTC_TIME && item.tag != DER_TIME) ||
        item.content.len != (item.tag == DER_UTC_TIME ? 13 : 15)) {
        return false;
    }
    /* UTCTime has no century: 50 to 99 are 19xx. */
    if (item.tag == DER_UTC_TIME) {
        memcpy(text, item.content.data[0] >= '5' ? "19" : "20", 2);
    }
    memcpy(text + strlen(text), item.content.data, item.content.len);
    for (size_t i = 0; i < 14; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
    }
    const char *end = strptime(text, "%Y%m%d%H%M%SZ", &parts);
    if (end != text + 15) {
        return false;
    }
    *out_s = (int64_t)timegm(&parts);
    return true;
}

bool der_take_number(struct span *rest, struct span *out)
{
    struct der_item item;

    if (!der_take(rest, DER_INTEGER, &item) || item.content.len == 0 ||
        (uint8_t)item.content.data[0] >= 0x80) {
        return false;
    }
    *out = item.content;
    while (out->len > 1 && out->data[0] == 0) {
        *out = (struct span){out->data + 1, out->len - 1};
    }
    return true;
}
