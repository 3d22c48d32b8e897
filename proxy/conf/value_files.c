/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Values of [files NAME]. */
#include "conf/value.h"
#include "proto/resource.h"

#define HEADER_BYTES_MAX 512

bool value_read_file_name(struct span text, struct arena *texts, void *field,
                          const char **out_detail)
{
    struct span *out = field;

    (void)texts;
    *out_detail = "the name of a file, without a directory and not hidden";
    *out = text;
    return text.len > 0 && text.len <= RESOURCE_SEGMENT_MAX && text.data[0] != '.' &&
           span_find(text, '/') == text.len;
}

/* What sluice itself says about a file or the connection. */
static bool is_own(struct span name)
{
    static const struct span own[] = {
        SPAN_LIT("Connection"),
        SPAN_LIT("Keep-Alive"),
        SPAN_LIT("Transfer-Encoding"),
        SPAN_LIT("Upgrade"),
        SPAN_LIT("Trailer"),
        SPAN_LIT("Date"),
        SPAN_LIT("Age"),
        SPAN_LIT("Content-Length"),
        SPAN_LIT("Content-Type"),
        SPAN_LIT("Content-Range"),
        SPAN_LIT("Content-Encoding"),
        SPAN_LIT("ETag"),
        SPAN_LIT("Last-Modified"),
        SPAN_LIT("Accept-Ranges"),
        SPAN_LIT("Vary"),
        SPAN_LIT("Cache-Control"),
        SPAN_LIT("X-Content-Type-Options"),
        SPAN_LIT("Location"),
        SPAN_LIT("Allow"),
    };

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (span_is_equal_nocase(own[i], name)) {
            return true;
        }
    }
    return false;
}

bool value_read_header(struct span text, struct arena *texts, void *field, const char **out_detail)
{
    struct span *out = field;
    size_t colon = span_find(text, ':');
    struct span name = {text.data, colon};

    (void)texts;
    *out = text;
    *out_detail = "a header is NAME: VALUE, of printable ASCII and at most 512 bytes";
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < ' ' || text.data[i] > '~') {
            return false;
        }
    }
    if (text.len > HEADER_BYTES_MAX || colon == text.len || !span_is_token(name) ||
        span_trim((struct span){text.data + colon + 1, text.len - colon - 1}).len == 0) {
        return false;
    }
    *out_detail = "sluice itself says this header";
    return !is_own(name);
}
