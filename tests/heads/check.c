/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check.c: what sluice makes of request heads, for the differential test (run.py).
 *
 * The program reads heads from stdin: the length of each, the place where its second piece begins
 * (both four bytes, little-endian), and its bytes. It prints one line a head:
 *   STATUS AUTHORITY TARGET DETAIL
 * STATUS is 101 for a legal opening, else what the client would get, or `waits` where the head is
 * not complete. AUTHORITY and TARGET (path and query) are hexadecimal, and `-` unless the head is a
 * legal request to GET or HEAD. DETAIL is why sluice refuses, and may be empty. */
#include <stdio.h>
#include <stdlib.h>

#include "proto/deflate.h"
#include "proto/upgrade.h"

static const struct http_limits limits = {.head_bytes = 32768, .header_count = 128};

static uint32_t number(const uint8_t bytes[4])
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static void print_hex(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        printf("%02x", (unsigned)(unsigned char)text.data[i]);
    }
}

/* An authority that is not there is `-`, as is a target. */
static void print_request(const struct request *request)
{
    putchar(' ');
    print_hex(request->authority);
    printf(request->authority.len == 0 ? "- " : " ");
    print_hex(request->path);
    if (request->query.data != NULL) {
        print_hex(SPAN_LIT("?"));
        print_hex(request->query);
    }
    putchar(' ');
}

/* As on a route with compression. */
static bool has_legal_extensions(const struct request *request)
{
    static const struct deflate_settings settings = {.window_bits = 12, .is_takeover = true};
    struct deflate_params params;
    struct span value;
    size_t at = 0;

    while (request_next_header(request, SPAN_LIT("Sec-WebSocket-Extensions"), &at, &value)) {
        if (deflate_negotiate(&settings, value, &params) == DEFLATE_MALFORMED) {
            return false;
        }
    }
    return true;
}

static void print_verdict(const struct http_parser *p)
{
    struct request request;
    struct span key;
    const char *detail = p->detail;
    unsigned status = (unsigned)p->result;

    if (p->result == HTTP_NEED_MORE) {
        puts("waits - - ");
        return;
    }
    if (p->result == HTTP_DONE) {
        enum upgrade_result result = upgrade_check(p, &request, &key, &detail);
        status = result == UPGRADE_OK ? 101 : (unsigned)result;
        if (result == UPGRADE_OK && !has_legal_extensions(&request)) {
            status = 400;
            detail = "malformed Sec-WebSocket-Extensions";
        }
    }
    printf("%u", status);
    const char *plain_detail;
    if (p->result == HTTP_DONE && upgrade_check_plain(p, &request, &plain_detail) == UPGRADE_OK) {
        print_request(&request);
    } else {
        printf(" - - ");
    }
    puts(detail);
}

static void print_head(const uint8_t *head, size_t len, size_t cut)
{
    struct http_parser p;
    size_t consumed = 0;

    http_parser_init(&p, &limits);
    if (http_parse(&p, head, cut, &consumed) == HTTP_NEED_MORE) {
        (void)!http_parse(&p, head + cut, len - cut, &consumed);
    }
    print_verdict(&p);
    http_parser_done(&p);
}

static bool read_all(void *out, size_t len)
{
    return fread(out, 1, len, stdin) == len;
}

int main(void)
{
    uint8_t lengths[8];

    while (read_all(lengths, sizeof(lengths))) {
        size_t len = number(lengths);
        size_t cut = number(lengths + 4);
        uint8_t *head = malloc(len + 1);
        bool is_whole = head != NULL && cut <= len && read_all(head, len);

        if (is_whole) {
            print_head(head, len, cut);
        }
        free(head);
        if (!is_whole) {
            return 1;
        }
    }
    return 0;
}
