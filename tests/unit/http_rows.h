/* SPDX-License-Identifier: GPL-3.0-or-later */
// Request heads that are not HTTP as this gateway speaks it.
#ifndef TESTS_UNIT_HTTP_ROWS_H
#define TESTS_UNIT_HTTP_ROWS_H

#include "http_feed.h"

#define GET "GET / HTTP/1.1\r\n"

struct http_row {
    const char *name;
    const char *text;
    size_t len;
    size_t at; // offset of the byte that the parser refuses
    const char *detail;
};

// All are HTTP_BAD. The text goes on behind the refused byte; nothing may read that.
static const struct http_row http_bad_rows[] = {
    // the request line
    {"a TLS handshake", TEXT("\x16\x03\x01\x02\x00\x01\x00\x01"), 0, "bad byte in the method"},
    {"an SSH banner", TEXT("SSH-2.0-OpenSSH_9.2\r\n"), 19, "request line without a target"},
    {"SMTP", TEXT("EHLO example.org\r\n"), 16, "request line without a version"},
    {"PROXY protocol, version 1", TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\n"), 11,
     "malformed version"},
    {"PROXY protocol, version 2", TEXT("\r\n\r\n\0\r\nQUIT\n"), 4, "NUL byte"},
    {"LF and a blank first", TEXT("\n " GET "\r\n"), 1, "bad byte in the method"},
    {"CR alone first", TEXT("\r" GET "\r\n"), 1, "bare CR"},
    {"two CR first", TEXT("\r\r\n" GET "\r\n"), 1, "bare CR"},
    {"an empty line and a blank first", TEXT("\r\n " GET "\r\n"), 2, "bad byte in the method"},
    {"a header first", TEXT("Host: a\r\n" GET "\r\n"), 4, "bad byte in the method"},
    {"a blank first", TEXT(" " GET "\r\n"), 0, "bad byte in the method"},
    {"a tab first", TEXT("\t" GET "\r\n"), 0, "bad byte in the method"},
    {"NUL first", TEXT("\0" GET "\r\n"), 0, "NUL byte"},
    {"a UTF-8 byte order mark first", TEXT("\xef\xbb\xbf" GET "\r\n"), 0, "bad byte in the method"},
    {"a method alone", TEXT("GET\r\n\r\n"), 3, "request line without a target"},
    {"a method and LF", TEXT("GET\n\n"), 3, "bare LF"},
    {"a method with a colon", TEXT("GET: / HTTP/1.1\r\n\r\n"), 3, "bad byte in the method"},
    {"a method with a slash", TEXT("GET/ HTTP/1.1\r\n\r\n"), 3, "bad byte in the method"},
    {"a method with brackets", TEXT("G[T / HTTP/1.1\r\n\r\n"), 1, "bad byte in the method"},
    {"a method with DEL", TEXT("GET\x7f / HTTP/1.1\r\n\r\n"), 3, "bad byte in the method"},
    {"a method outside ASCII", TEXT("G\xc3\x89T / HTTP/1.1\r\n\r\n"), 1, "bad byte in the method"},
    {"a method with NUL", TEXT("GE\0T / HTTP/1.1\r\n\r\n"), 2, "NUL byte"},
    {"a tab behind the method", TEXT("GET\t/ HTTP/1.1\r\n\r\n"), 3, "bad byte in the method"},
    {"two blanks behind the method", TEXT("GET  / HTTP/1.1\r\n\r\n"), 4,
     "more than one blank in the request line"},
    {"a blank and a tab behind the method", TEXT("GET \t/ HTTP/1.1\r\n\r\n"), 4,
     "bad byte in the target"},
    {"no target", TEXT("GET HTTP/1.1\r\n\r\n"), 12, "request line without a version"},
    {"no target, end of line", TEXT("GET \r\n\r\n"), 4, "request line without a target"},
    {"LF for a target", TEXT("GET \n\n"), 4, "bare LF"},
    {"NUL for a target", TEXT("GET \0 HTTP/1.1\r\n\r\n"), 4, "NUL byte"},
    {"a target outside ASCII", TEXT("GET /caf\xc3\xa9 HTTP/1.1\r\n\r\n"), 8,
     "bad byte in the target"},
    {"a target with an overlong slash", TEXT("GET /\xc0\xaf HTTP/1.1\r\n\r\n"), 5,
     "bad byte in the target"},
    {"a target with NUL", TEXT("GET /a\0b HTTP/1.1\r\n\r\n"), 6, "NUL byte"},
    {"a target with DEL", TEXT("GET /a\x7f HTTP/1.1\r\n\r\n"), 6, "bad byte in the target"},
    {"a target with a tab", TEXT("GET /a\tb HTTP/1.1\r\n\r\n"), 6, "bad byte in the target"},
    {"a target with an escape", TEXT("GET /\x1b[31m HTTP/1.1\r\n\r\n"), 5,
     "bad byte in the target"},
    {"a target with a fragment", TEXT("GET /a#b HTTP/1.1\r\n\r\n"), 6, "fragment in the target"},
    {"a target with a blank", TEXT("GET /a b HTTP/1.1\r\n\r\n"), 7, "malformed version"},
    {"HTTP/0.9", TEXT("GET /\r\n"), 5, "request line without a version"},
    {"HTTP/0.9 with LF", TEXT("GET /\n"), 5, "bare LF"},
    {"a version of no letters", TEXT("GET / \r\n\r\n"), 6, "malformed version"},
    {"two blanks before the version", TEXT("GET /  HTTP/1.1\r\n\r\n"), 6,
     "more than one blank in the request line"},
    {"a tab before the version", TEXT("GET /\tHTTP/1.1\r\n\r\n"), 5, "bad byte in the target"},
    {"HTTP/3", TEXT("GET / HTTP/3\r\n\r\n"), 12, "malformed version"},
    {"HTTP/1 without minor", TEXT("GET / HTTP/1\r\n\r\n"), 12, "malformed version"},
    {"HTTP/1. without digit", TEXT("GET / HTTP/1.\r\n\r\n"), 13, "malformed version"},
    {"HTTP/1.x", TEXT("GET / HTTP/1.x\r\n\r\n"), 13, "malformed version"},
    {"HTTP/01.1", TEXT("GET / HTTP/01.1\r\n\r\n"), 12, "malformed version"},
    {"HTTP/11.1", TEXT("GET / HTTP/11.1\r\n\r\n"), 12, "malformed version"},
    {"HTTP/1,1", TEXT("GET / HTTP/1,1\r\n\r\n"), 12, "malformed version"},
    {"HTTP/+1.1", TEXT("GET / HTTP/+1.1\r\n\r\n"), 11, "malformed version"},
    {"HTTP 1.1", TEXT("GET / HTTP 1.1\r\n\r\n"), 10, "malformed version"},
    {"http/1.1 in small letters", TEXT("GET / http/1.1\r\n\r\n"), 6, "malformed version"},
    {"HTTPS/1.1", TEXT("GET / HTTPS/1.1\r\n\r\n"), 10, "malformed version"},
    {"RTSP/1.0", TEXT("DESCRIBE / RTSP/1.0\r\n\r\n"), 11, "malformed version"},
    {"NUL in the version", TEXT("GET / HTTP\0/1.1\r\n\r\n"), 10, "NUL byte"},
    {"HTTP/1.10", TEXT("GET / HTTP/1.10\r\n\r\n"), 14, "text after the version"},
    {"a blank behind the version", TEXT("GET / HTTP/1.1 \r\n\r\n"), 14, "text after the version"},
    {"a word behind the version", TEXT("GET / HTTP/1.1 x\r\n\r\n"), 14, "text after the version"},
    {"NUL behind the version", TEXT("GET / HTTP/1.1\0\r\n\r\n"), 14, "NUL byte"},
    {"LF ends the request line", TEXT("GET / HTTP/1.1\nHost: a\r\n\r\n"), 14, "bare LF"},
    {"CR ends the request line", TEXT("GET / HTTP/1.1\rHost: a\r\n\r\n"), 15, "bare CR"},
    {"two CR end the request line", TEXT("GET / HTTP/1.1\r\r\n\r\n"), 15, "bare CR"},
    {"CR NUL LF ends the request line", TEXT("GET / HTTP/1.1\r\0\n\r\n"), 15, "bare CR"},
    // header names
    {"a blank before the first header", TEXT(GET " Host: a\r\n\r\n"), 16,
     "blank before the first header"},
    {"a tab before the first header", TEXT(GET "\tHost: a\r\n\r\n"), 16,
     "blank before the first header"},
    {"a line of blanks first", TEXT(GET "  \r\nHost: a\r\n\r\n"), 16,
     "blank before the first header"},
    {"a folded header", TEXT(GET "A: b\r\n c\r\n\r\n"), 22, "folded header"},
    {"a header folded with a tab", TEXT(GET "A: b\r\n\tc\r\n\r\n"), 22, "folded header"},
    {"a folded line of blanks", TEXT(GET "A: b\r\n  \r\n\r\n"), 22, "folded header"},
    {"a blank before the colon", TEXT(GET "Host : a\r\n\r\n"), 20,
     "blank in or after a header name"},
    {"a tab before the colon", TEXT(GET "Host\t: a\r\n\r\n"), 20,
     "blank in or after a header name"},
    {"a blank in a name", TEXT(GET "Ho st: a\r\n\r\n"), 18, "blank in or after a header name"},
    {"an empty name", TEXT(GET ": a\r\n\r\n"), 16, "empty header name"},
    {"a header without colon", TEXT(GET "Host\r\n\r\n"), 20, "header without a colon"},
    {"a header without colon, LF", TEXT(GET "Host\n\r\n"), 20, "bare LF"},
    {"a name with NUL", TEXT(GET "Ho\0st: a\r\n\r\n"), 18, "NUL byte"},
    {"NUL for a name", TEXT(GET "\0: a\r\n\r\n"), 16, "NUL byte"},
    {"a name outside ASCII", TEXT(GET "H\xc3\xb6st: a\r\n\r\n"), 17, "bad byte in a header name"},
    {"a name with DEL", TEXT(GET "Host\x7f: a\r\n\r\n"), 20, "bad byte in a header name"},
    {"a name with vertical tab", TEXT(GET "Host\v: a\r\n\r\n"), 20, "bad byte in a header name"},
    {"a name with a parenthesis", TEXT(GET "Host(x): a\r\n\r\n"), 20, "bad byte in a header name"},
    {"a name in quotes", TEXT(GET "\"Host\": a\r\n\r\n"), 16, "bad byte in a header name"},
    {"a name with a comma", TEXT(GET "Host,A: a\r\n\r\n"), 20, "bad byte in a header name"},
    {"a name with a slash", TEXT(GET "A/b: a\r\n\r\n"), 17, "bad byte in a header name"},
    {"a name with an equals sign", TEXT(GET "A=b: a\r\n\r\n"), 17, "bad byte in a header name"},
    {"an HTTP/2 name", TEXT(GET ":authority: a\r\n\r\n"), 16, "empty header name"},
    // header values
    {"a value with NUL", TEXT(GET "Host: a\0b\r\n\r\n"), 23, "NUL byte"},
    {"NUL before a value", TEXT(GET "Host:\0a\r\n\r\n"), 21, "NUL byte"},
    {"LF ends a value", TEXT(GET "Host: a\nB: c\r\n\r\n"), 23, "bare LF"},
    {"LF for a value", TEXT(GET "Host:\nB: c\r\n\r\n"), 21, "bare LF"},
    {"LF behind blanks for a value", TEXT(GET "Host:  \nB: c\r\n\r\n"), 23, "bare LF"},
    {"CR in a value", TEXT(GET "Host: a\rb\r\n\r\n"), 24, "bare CR"},
    {"two CR end a value", TEXT(GET "Host: a\r\r\n\r\n"), 24, "bare CR"},
    {"CR in an empty value", TEXT(GET "Host:\ra\r\n\r\n"), 22, "bare CR"},
    {"a bell in a value", TEXT(GET "Host: a\ab\r\n\r\n"), 23, "control byte in a header value"},
    {"an escape before a value", TEXT(GET "Host: \x1b[0m\r\n\r\n"), 22,
     "control byte in a header value"},
    {"a form feed for a value", TEXT(GET "Host:\f\r\n\r\n"), 21, "control byte in a header value"},
    {"DEL in a value", TEXT(GET "Host: a\x7f\r\n\r\n"), 23, "control byte in a header value"},
    // the end
    {"LF alone ends the head", TEXT(GET "Host: a\r\n\n"), 25, "bare LF"},
    {"CR alone ends the head", TEXT(GET "Host: a\r\n\rGET"), 26, "bare CR"},
    {"two CR end the head", TEXT(GET "Host: a\r\n\r\r\n"), 26, "bare CR"},
    {"LF LF ends the head", TEXT("GET / HTTP/1.1\n\n"), 14, "bare LF"},
    {"a chunk without the empty line", TEXT(GET "Host: a\r\n{}\r\n\r\n"), 25,
     "bad byte in a header name"},
};

struct http_status_row {
    struct http_row row;
    enum http_result want;
};

// What has a status of its own.
static const struct http_status_row http_status_rows[] = {
    {{"the HTTP/2 preface", TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 13, "version not HTTP/1.x"},
     HTTP_OTHER_VERSION},
    {{"HTTP/2.0", TEXT("GET / HTTP/2.0\r\n\r\n"), 13, "version not HTTP/1.x"}, HTTP_OTHER_VERSION},
    {{"HTTP/0.9 written out", TEXT("GET / HTTP/0.9\r\n\r\n"), 13, "version not HTTP/1.x"},
     HTTP_OTHER_VERSION},
    {{"HTTP/9.9", TEXT("GET / HTTP/9.9\r\n\r\n"), 13, "version not HTTP/1.x"}, HTTP_OTHER_VERSION},
    {{"a method of 33 letters", TEXT("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n\r\n"), 32,
      "method too long"},
     HTTP_METHOD_TOO_LONG},
    {{"the same behind an empty line",
      TEXT("\r\nABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n\r\n"), 34, "method too long"},
     HTTP_METHOD_TOO_LONG},
};

#endif
