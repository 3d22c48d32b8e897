/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dates (RFC 9110 5.6.7), and conditions about a file's age and identity (13.1). */
#include <string.h>

#include "proto/resource.h"

/* ---- dates ---- */

struct date {
    unsigned year;
    unsigned month; /* 1 to 12 */
    unsigned day;
    unsigned hour;
    unsigned minute;
    unsigned second;
};

/* `form` has a letter for each byte: '9' is a digit, '_' a digit or a blank, 'a' a letter, and all
 * else stands for itself. */
static bool has_form(struct span text, const char *form)
{
    if (text.len != strlen(form)) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool is_digit = c >= '0' && c <= '9';
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool fits = form[i] == '9'   ? is_digit
                    : form[i] == '_' ? is_digit || c == ' '
                    : form[i] == 'a' ? is_letter
                                     : c == form[i];
        if (!fits) {
            return false;
        }
    }
    return true;
}

/* The number of `len` digits at `at`; a blank counts as 0. */
static unsigned number_at(struct span text, size_t at, size_t len)
{
    unsigned number = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text.data[at + i];
        number = number * 10 + (c == ' ' ? 0 : (unsigned)(c - '0'));
    }
    return number;
}

/* 0: no month is called so. */
static unsigned month_at(struct span text, size_t at)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (unsigned i = 0; i < 12; i++) {
        if (memcmp(months + (size_t)3 * i, text.data + at, 3) == 0) {
            return i + 1;
        }
    }
    return 0;
}

/* "08:49:37" */
static void take_time(struct span text, size_t at, struct date *out)
{
    out->hour = number_at(text, at, 2);
    out->minute = number_at(text, at + 3, 2);
    out->second = number_at(text, at + 6, 2);
}

static bool is_leap(unsigned year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static bool is_date(const struct date *d)
{
    static const uint8_t days[12] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (d->year < 1970 || d->month == 0 || d->day == 0 || d->day > days[d->month - 1] ||
        (d->month == 2 && d->day == 29 && !is_leap(d->year))) {
        return false;
    }
    return d->hour < 24 && d->minute < 60 && d->second <= 60;
}

/* Days from 1 January 1970. */
static uint64_t days_of(const struct date *d)
{
    static const uint16_t before[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    uint64_t past = d->year - 1;
    uint64_t leaps = past / 4 - past / 100 + past / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
    uint64_t days = (uint64_t)(d->year - 1970) * 365 + leaps + before[d->month - 1] + d->day - 1;
    return days + (d->month > 2 && is_leap(d->year) ? 1 : 0);
}

bool resource_read_date(struct span text, uint64_t *out_s)
{
    struct date d;
    size_t comma = span_find(text, ',');
    struct span behind = {text.data + comma, text.len - comma};

    if (has_form(text, "aaa, 99 aaa 9999 99:99:99 GMT")) {
        d = (struct date){
            number_at(text, 12, 4), month_at(text, 8), number_at(text, 5, 2), 0, 0, 0};
        take_time(text, 17, &d);
    } else if (has_form(text, "aaa aaa _9 99:99:99 9999")) { /* asctime */
        d = (struct date){
            number_at(text, 20, 4), month_at(text, 4), number_at(text, 8, 2), 0, 0, 0};
        take_time(text, 11, &d);
    } else if (comma >= 6 && comma <= 9 && has_form(behind, ", 99-aaa-99 99:99:99 GMT")) {
        unsigned year = number_at(behind, 9, 2);
        d = (struct date){year + (year < 70 ? 2000 : 1900),
                          month_at(behind, 5),
                          number_at(behind, 2, 2),
                          0,
                          0,
                          0};
        take_time(behind, 12, &d);
    } else {
        return false;
    }
    if (!is_date(&d)) {
        return false;
    }
    *out_s = ((days_of(&d) * 24 + d.hour) * 60 + d.minute) * 60 + d.second;
    return true;
}

/* ---- conditions ---- */

static struct span opaque_of(struct span etag)
{
    return span_starts_with(etag, SPAN_LIT("W/")) ? (struct span){etag.data + 2, etag.len - 2}
                                                  : etag;
}

/* An entity tag may have a comma between its quotes. */
static bool next_etag(struct span *rest, struct span *out)
{
    while (rest->len > 0 &&
           (rest->data[0] == ',' || rest->data[0] == ' ' || rest->data[0] == '\t')) {
        *rest = (struct span){rest->data + 1, rest->len - 1};
    }
    size_t len = 0;
    bool is_quoted = false;
    while (len < rest->len && (is_quoted || rest->data[len] != ',')) {
        is_quoted ^= rest->data[len] == '"';
        len++;
    }
    *out = span_trim((struct span){rest->data, len});
    *rest = (struct span){rest->data + len, rest->len - len};
    return out->len > 0;
}

enum tag_match { TAG_ABSENT = 0, TAG_FITS, TAG_DIFFERS };

/* Compares the list in all lines of a header with the file's tag. */
static enum tag_match match_tags(const struct request *request, struct span name, struct span etag,
                                 bool is_strong)
{
    enum tag_match match = TAG_ABSENT;
    struct span value;
    size_t at = 0;

    while (request_next_header(request, name, &at, &value)) {
        struct span tag;
        match = match == TAG_ABSENT ? TAG_DIFFERS : match;
        if (span_is_equal(value, SPAN_LIT("*"))) {
            match = TAG_FITS;
        }
        while (next_etag(&value, &tag)) {
            if (span_is_equal(is_strong ? tag : opaque_of(tag), etag)) {
                match = TAG_FITS;
            }
        }
    }
    return match;
}

/* The date of a header that stands there once. */
static bool find_date(const struct request *request, struct span name, uint64_t *out_s)
{
    struct span value;
    struct span second;
    size_t at = 0;
    return request_next_header(request, name, &at, &value) &&
           !request_next_header(request, name, &at, &second) && resource_read_date(value, out_s);
}

enum resource_verdict resource_judge(const struct request *request,
                                     const struct resource_mark *mark)
{
    uint64_t date_s = 0;

    switch (match_tags(request, SPAN_LIT("If-Match"), mark->etag, true)) {
    case TAG_DIFFERS:
        return RESOURCE_PRECONDITION;
    case TAG_ABSENT:
        if (mark->modified_s != UINT64_MAX &&
            find_date(request, SPAN_LIT("If-Unmodified-Since"), &date_s) &&
            mark->modified_s > date_s) {
            return RESOURCE_PRECONDITION;
        }
        break;
    case TAG_FITS:
        break;
    }
    switch (match_tags(request, SPAN_LIT("If-None-Match"), mark->etag, false)) {
    case TAG_FITS:
        return RESOURCE_NOT_MODIFIED;
    case TAG_DIFFERS:
        return RESOURCE_SEND;
    case TAG_ABSENT:
        break;
    }
    return find_date(request, SPAN_LIT("If-Modified-Since"), &date_s) && mark->modified_s <= date_s
               ? RESOURCE_NOT_MODIFIED
               : RESOURCE_SEND;
}

struct span resource_range_of(const struct request *request, const struct resource_mark *mark)
{
    static const struct span none = {NULL, 0};
    struct span range;
    struct span second;
    struct span condition;
    size_t at = 0;
    uint64_t date_s = 0;

    if (!request_next_header(request, SPAN_LIT("Range"), &at, &range) ||
        request_next_header(request, SPAN_LIT("Range"), &at, &second)) {
        return none;
    }
    at = 0;
    if (!request_next_header(request, SPAN_LIT("If-Range"), &at, &condition)) {
        return range;
    }
    /* A weak tag never fits, and a date only exactly (RFC 9110 13.1.5). */
    bool is_same = span_is_equal(condition, mark->etag) ||
                   (resource_read_date(condition, &date_s) && date_s == mark->modified_s);
    return is_same ? range : none;
}
