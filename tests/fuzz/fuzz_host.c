/* SPDX-License-Identifier: GPL-3.0-or-later */
/* host: every function says the same kind for a text; the parts of host_split make the text again;
 * a pattern matches what its definition says.
 *
 * Input, in lines: a host with or without port; a pattern; a host to match. */
#include "base/host.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LINE_MAX_BYTES 300

static struct span take_line(struct span *rest)
{
    size_t end = span_find(*rest, '\n');
    struct span line = {rest->data, size_min(end, LINE_MAX_BYTES)};
    size_t used = end < rest->len ? end + 1 : end;

    *rest = (struct span){rest->data + used, rest->len - used};
    return line;
}

/* The definition of a name, label by label. */
static bool is_name(struct span text)
{
    struct span label;
    bool is_number = false;

    if (text.len > 0 && text.data[text.len - 1] == '.') {
        text.len--;
    }
    if (text.len == 0 || text.len > 253) {
        return false;
    }
    for (size_t at = 0; at <= text.len; at += label.len + 1) {
        char copy[80];

        label = (struct span){text.data + at, text.len - at};
        label.len = span_find(label, '.');
        if (label.len == 0 || label.len > 63 || !span_copy(label, copy, sizeof(copy))) {
            return false;
        }
        if (strspn(copy, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") !=
            label.len) {
            return false;
        }
        is_number = strspn(copy, "0123456789") == label.len ||
                    (copy[0] == '0' && (copy[1] == 'x' || copy[1] == 'X') &&
                     strspn(copy + 2, "0123456789abcdefABCDEF") == label.len - 2);
    }
    return !is_number;
}

static void check_kind(struct span text)
{
    char copy[LINE_MAX_BYTES + 1];
    uint8_t bytes[16];
    uint8_t want[16];
    bool has_nul = span_find(text, '\0') < text.len;
    enum host_kind kind = host_address(text, bytes);

    assert(span_copy(text, copy, sizeof(copy)));
    assert(kind == host_kind(text));
    assert((kind == HOST_IPV4) == (!has_nul && inet_pton(AF_INET, copy, want) == 1));
    assert(kind != HOST_IPV4 || memcmp(bytes, want, 4) == 0);
    assert((kind == HOST_IPV6) == (!has_nul && inet_pton(AF_INET6, copy, want) == 1));
    assert(kind != HOST_IPV6 || memcmp(bytes, want, 16) == 0);
    assert((kind == HOST_NAME) == is_name(text));
    assert(kind != HOST_NONE || !host_is_canonical(text));
    if (host_is_canonical(text)) {
        assert(host_is_pattern(text) && host_match(text, text) == HOST_FITS_EXACTLY);
    }
}

static void check_split(struct span text)
{
    char again[LINE_MAX_BYTES + 16];
    struct span host = {NULL, 0};
    uint16_t port = 0;
    int len;

    if (!host_split(text, &host, &port)) {
        assert(host.data == NULL && port == 0);
        assert(host_kind(text) == HOST_NONE || host_kind(text) == HOST_IPV6);
        return;
    }
    assert(host_kind(host) != HOST_NONE);
    len = snprintf(again, sizeof(again), host_kind(host) == HOST_IPV6 ? "[%.*s]" : "%.*s",
                   (int)host.len, host.data);
    if (port != 0) {
        len += snprintf(again + len, sizeof(again) - (size_t)len, ":%u", port);
    }
    assert(span_is_equal(text, (struct span){again, (size_t)len}));
}

static void check_match(struct span pattern, struct span host)
{
    size_t dot = span_find(host, '.');

    if (!host_is_pattern(pattern) || host_kind(host) == HOST_NONE) {
        return;
    }
    switch (host_match(pattern, host)) {
    case HOST_FITS_EXACTLY:
        assert(host_is_equal(pattern, host) && host_is_equal(host, pattern));
        break;
    case HOST_FITS_WILDCARD:
        assert(pattern.data[0] == '*' && host_kind(host) == HOST_NAME);
        assert(dot > 0 && dot + pattern.len - 1 == host.len);
        break;
    case HOST_DIFFERS:
        assert(!span_is_equal(pattern, host));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = {size > 0 ? (const char *)data : "", size};
    struct span text = take_line(&rest);
    struct span pattern = take_line(&rest);

    check_kind(text);
    check_split(text);
    check_kind(pattern);
    check_match(pattern, take_line(&rest));
    check_match(pattern, text);
    return 0;
}
