/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The head of a response. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "proto/http.h"

/* The days before the month of a year that begins in March, so that a leap day is the last one. */
static const uint16_t days_before[12] = {0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 306, 337};

void http_write_date(char out[HTTP_DATE_MAX], uint64_t unix_s)
{
    static const char weekdays[] = "SunMonTueWedThuFriSat";
    static const char months[] = "MarAprMayJunJulAugSepOctNovDecJanFeb";
    const unsigned era_days = 146097; /* of 400 years */
    unsigned of_day = (unsigned)(unix_s % 86400);
    unsigned days = (unsigned)(unix_s / 86400) + 719468; /* since 1 March of the year 0 */
    unsigned weekday = (days + 3) % 7;
    unsigned in_era = days % era_days;
    /* Every fourth year is a leap year, but not every hundredth, but every 400th. */
    unsigned year = (in_era - in_era / 1460 + in_era / 36524 - in_era / (era_days - 1)) / 365;
    unsigned in_year = in_era - (365 * year + year / 4 - year / 100);
    size_t month = 11;

    assert(unix_s < UINT64_C(253402300800));
    while (days_before[month] > in_year) {
        month--;
    }
    year += days / era_days * 400 + (month >= 10 ? 1 : 0);
    snprintf(out, HTTP_DATE_MAX, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", weekdays + 3 * weekday,
             (in_year - days_before[month] + 1) % 100, months + 3 * month, year % 10000,
             of_day / 3600 % 24, of_day / 60 % 60, of_day % 60);
}

size_t http_write_head(char *out, size_t size, const struct http_response *response)
{
    const struct span type = response->content_type;
    const struct span extra = response->extra;
    const struct span cache = response->cache.len > 0 ? response->cache : SPAN_LIT("no-store");
    bool has_content = response->status != 204 && response->status != 304;
    const char *connection = response->is_kept ? "" : "Connection: close\r\n";
    char date[HTTP_DATE_MAX];
    char length[48] = "";
    int n;

    if (response->status == 426) {
        connection = "Connection: Upgrade, close\r\n";
    }
    if (type.len >= size || extra.len >= size || cache.len >= size) {
        return 0;
    }
    if (has_content && response->body_bytes != HTTP_LENGTH_UNKNOWN) {
        snprintf(length, sizeof(length), "Content-Length: %" PRIu64 "\r\n", response->body_bytes);
    }
    http_write_date(date, response->date_s);
    n = snprintf(out, size,
                 "HTTP/1.1 %u %s\r\n"
                 "Date: %s\r\n"
                 "%s%.*s%s"
                 "%s"
                 "%s"
                 "Cache-Control: %.*s\r\n"
                 "X-Content-Type-Options: nosniff\r\n"
                 "%.*s\r\n",
                 response->status, http_status_text(response->status), date,
                 has_content ? "Content-Type: " : "", has_content ? (int)type.len : 0,
                 type.len > 0 ? type.data : "", has_content ? "\r\n" : "", length, connection,
                 (int)cache.len, cache.data, (int)extra.len, extra.len > 0 ? extra.data : "");
    return n < 0 || (size_t)n >= size ? 0 : (size_t)n;
}

const char *http_status_text(unsigned status)
{
    static const struct {
        unsigned status;
        const char *text;
    } texts[] = {
        {101, "Switching Protocols"},
        {200, "OK"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {412, "Precondition Failed"},
        {414, "URI Too Long"},
        {416, "Range Not Satisfiable"},
        {421, "Misdirected Request"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].status == status) {
            return texts[i].text;
        }
    }
    return "Unknown";
}
