/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The first include, because the options of our wolfSSL decide what its structures look like. */
#include <wolfssl/options.h>

#include "proto/upgrade.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <wolfssl/wolfcrypt/coding.h>
#include <wolfssl/wolfcrypt/sha.h>

#include "base/host.h"

#define KEY_LEN 24 /* base64 of 16 bytes */
#define ACCEPT_LEN 28

/* What the checks read from the head. */
struct opening {
    struct request request;
    struct span key;
};

typedef enum upgrade_result (*check_fn)(const struct http_parser *p, struct opening *out,
                                        const char **detail);

static enum upgrade_result refuse(enum upgrade_result result, const char **detail, const char *text)
{
    *detail = text;
    return result;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool has_header(const struct http_parser *p, struct span name)
{
    return http_find(p, name, 0) < p->header_count;
}

/* Counts the headers of that name. *out_value is the value of the first one, if there is one. */
static size_t count_headers(const struct http_parser *p, struct span name, struct span *out_value)
{
    size_t count = 0;

    for (size_t i = http_find(p, name, 0); i < p->header_count; i = http_find(p, name, i + 1)) {
        if (count == 0) {
            *out_value = http_header_value(p, i);
        }
        count++;
    }
    return count;
}

/* Is `member` (any case) in the comma-separated lists of all headers of that name? */
static bool lists_have(const struct http_parser *p, struct span name, struct span member)
{
    for (size_t i = http_find(p, name, 0); i < p->header_count; i = http_find(p, name, i + 1)) {
        struct span rest = http_header_value(p, i);
        struct span item;

        while (span_next(&rest, ',', &item)) {
            if (span_is_equal_nocase(item, member)) {
                return true;
            }
        }
    }
    return false;
}

static enum upgrade_result check_host(const struct http_parser *p, struct opening *out,
                                      const char **detail)
{
    size_t count = count_headers(p, SPAN_LIT("Host"), &out->request.authority);

    if (count != 1) {
        return refuse(UPGRADE_BAD, detail, count == 0 ? "no Host" : "more than one Host");
    }
    if (!host_split(out->request.authority, &out->request.host_name, &out->request.host_port)) {
        return refuse(UPGRADE_BAD, detail, "malformed Host");
    }
    return UPGRADE_OK;
}

static enum upgrade_result check_method(const struct http_parser *p, struct opening *out,
                                        const char **detail)
{
    out->request.method = http_method(p);
    if (!span_is_equal(out->request.method, SPAN_LIT("GET"))) {
        return refuse(UPGRADE_BAD_METHOD, detail, "method not GET");
    }
    return UPGRADE_OK;
}

static enum upgrade_result check_no_body(const struct http_parser *p, struct opening *out,
                                         const char **detail)
{
    (void)out;
    if (has_header(p, SPAN_LIT("Content-Length"))) {
        return refuse(UPGRADE_BAD, detail, "Content-Length in a request without body");
    }
    if (has_header(p, SPAN_LIT("Transfer-Encoding"))) {
        return refuse(UPGRADE_BAD, detail, "Transfer-Encoding in a request without body");
    }
    if (has_header(p, SPAN_LIT("Expect"))) {
        return refuse(UPGRADE_BAD, detail, "Expect in a request without body");
    }
    return UPGRADE_OK;
}

static enum upgrade_result check_http_version(const struct http_parser *p, struct opening *out,
                                              const char **detail)
{
    (void)out;
    if (p->version_minor != 1) {
        return refuse(UPGRADE_BAD, detail, "version not HTTP/1.1");
    }
    return UPGRADE_OK;
}

static enum upgrade_result check_upgrade(const struct http_parser *p, struct opening *out,
                                         const char **detail)
{
    (void)out;
    if (!lists_have(p, SPAN_LIT("Upgrade"), SPAN_LIT("websocket"))) {
        return refuse(UPGRADE_REQUIRED, detail, "no upgrade to websocket asked for");
    }
    if (!lists_have(p, SPAN_LIT("Connection"), SPAN_LIT("upgrade"))) {
        return refuse(UPGRADE_BAD, detail, "Connection does not name Upgrade");
    }
    return UPGRADE_OK;
}

static enum upgrade_result check_version(const struct http_parser *p, struct opening *out,
                                         const char **detail)
{
    struct span value;
    size_t count = count_headers(p, SPAN_LIT("Sec-WebSocket-Version"), &value);

    (void)out;
    if (count != 1) {
        return refuse(UPGRADE_BAD, detail,
                      count == 0 ? "no Sec-WebSocket-Version"
                                 : "more than one Sec-WebSocket-Version");
    }
    if (!span_is_equal(value, SPAN_LIT("13"))) {
        return refuse(UPGRADE_REQUIRED, detail, "Sec-WebSocket-Version not 13");
    }
    return UPGRADE_OK;
}

/* Canonical base64 of 16 bytes: of the last of the 22 letters only two bits count, so the other
 * four are zero; "==" follows. */
static bool is_key(struct span key)
{
    const size_t letters = KEY_LEN - 2;

    if (key.len != KEY_LEN) {
        return false;
    }
    for (size_t i = 0; i < letters; i++) {
        char c = key.data[i];

        if (!is_alpha(c) && !is_digit(c) && c != '+' && c != '/') {
            return false;
        }
    }
    return memchr("AQgw", key.data[letters - 1], 4) != NULL && key.data[letters] == '=' &&
           key.data[letters + 1] == '=';
}

static enum upgrade_result check_key(const struct http_parser *p, struct opening *out,
                                     const char **detail)
{
    size_t count = count_headers(p, SPAN_LIT("Sec-WebSocket-Key"), &out->key);

    if (count != 1) {
        return refuse(UPGRADE_BAD, detail,
                      count == 0 ? "no Sec-WebSocket-Key" : "more than one Sec-WebSocket-Key");
    }
    if (!is_key(out->key)) {
        return refuse(UPGRADE_BAD, detail, "malformed Sec-WebSocket-Key");
    }
    return UPGRADE_OK;
}

static enum upgrade_result check_origin(const struct http_parser *p, struct opening *out,
                                        const char **detail)
{
    size_t count = count_headers(p, SPAN_LIT("Origin"), &out->request.origin);

    if (count > 1) {
        return refuse(UPGRADE_BAD, detail, "more than one Origin");
    }
    out->request.has_origin = count == 1;
    return UPGRADE_OK;
}

static enum upgrade_result add_offer(struct request *out, struct span offer, const char **detail)
{
    if (!span_is_token(offer)) {
        return refuse(UPGRADE_BAD, detail, "malformed Sec-WebSocket-Protocol");
    }
    if (offer.len > REQUEST_OFFER_LEN_MAX) {
        return refuse(UPGRADE_BAD, detail, "subprotocol too long");
    }
    for (size_t i = 0; i < out->offer_count; i++) {
        if (span_is_equal(out->offers[i], offer)) {
            return refuse(UPGRADE_BAD, detail, "subprotocol offered twice");
        }
    }
    if (out->offer_count == REQUEST_OFFERS_MAX) {
        return refuse(UPGRADE_BAD, detail, "too many subprotocols");
    }
    out->offers[out->offer_count++] = offer;
    return UPGRADE_OK;
}

static enum upgrade_result check_offers(const struct http_parser *p, struct opening *out,
                                        const char **detail)
{
    const struct span name = SPAN_LIT("Sec-WebSocket-Protocol");

    for (size_t i = http_find(p, name, 0); i < p->header_count; i = http_find(p, name, i + 1)) {
        struct span rest = http_header_value(p, i);
        struct span item;

        if (rest.len == 0) {
            return refuse(UPGRADE_BAD, detail, "malformed Sec-WebSocket-Protocol");
        }
        while (span_next(&rest, ',', &item)) {
            enum upgrade_result result = add_offer(&out->request, item, detail);

            if (result != UPGRADE_OK) {
                return result;
            }
        }
    }
    return UPGRADE_OK;
}

/* ---- the path ---- */

static int hex_value(char c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

/* The byte at `at`, decoded once; -1 for a bad encoding. *out_len is the length of its text. */
static int path_byte(struct span path, size_t at, size_t *out_len)
{
    int high;
    int low;

    *out_len = 1;
    if (path.data[at] != '%') {
        return (unsigned char)path.data[at];
    }
    if (path.len - at < 3) {
        return -1;
    }
    *out_len = 3;
    high = hex_value(path.data[at + 1]);
    low = hex_value(path.data[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* The detail of a bad path, or NULL for a good one. */
static const char *path_detail(struct span path)
{
    size_t dots = 0;         /* of this segment, while it has only dots */
    bool is_all_dots = true; /* this segment has only dots so far */
    size_t len;

    for (size_t i = 1; i < path.len; i += len) {
        int c = path_byte(path, i, &len);

        if (c < 0) {
            return "bad %-encoding in the path";
        }
        if (c < ' ' || c == 0x7f) {
            return "encoded control byte in the path";
        }
        if (c == '\\') {
            return "backslash in the path";
        }
        if (c == '/' && len > 1) {
            return "encoded slash in the path";
        }
        if (c == '/') {
            if (is_all_dots && (dots == 1 || dots == 2)) {
                return "dot segment in the path";
            }
            dots = 0;
            is_all_dots = true;
        } else {
            is_all_dots = is_all_dots && c == '.';
            dots++;
        }
    }
    return is_all_dots && (dots == 1 || dots == 2) ? "dot segment in the path" : NULL;
}

static void split_target(const struct http_parser *p, struct request *out)
{
    struct span target = http_target(p);
    size_t path_len = span_find(target, '?');

    out->path = (struct span){target.data, path_len};
    out->query = path_len < target.len
                     ? (struct span){target.data + path_len + 1, target.len - path_len - 1}
                     : (struct span){NULL, 0};
}

static enum upgrade_result check_path(const struct http_parser *p, struct opening *out,
                                      const char **detail)
{
    const char *text;

    split_target(p, &out->request);
    text = path_detail(out->request.path);
    return text == NULL ? UPGRADE_OK : refuse(UPGRADE_BAD, detail, text);
}

/* Reads the headers of an HTTP/1.1 head for a request. */
static bool next_header(const void *head, struct span name, size_t *at, struct span *out_value)
{
    const struct http_parser *p = head;
    size_t found = http_find(p, name, *at);

    if (found == p->header_count) {
        return false;
    }
    *out_value = http_header_value(p, found);
    *at = found + 1;
    return true;
}

enum upgrade_result upgrade_check(const struct http_parser *p, struct request *out,
                                  struct span *out_key, const char **out_detail)
{
    static const check_fn checks[] = {
        check_method,  check_host, check_no_body, check_http_version, check_upgrade,
        check_version, check_key,  check_origin,  check_offers,       check_path,
    };
    struct opening opening = {.request = {.head = p, .next_header = next_header}};

    *out_detail = "";
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        enum upgrade_result result = checks[i](p, &opening, out_detail);

        if (result != UPGRADE_OK) {
            return result;
        }
    }
    *out = opening.request;
    *out_key = opening.key;
    return UPGRADE_OK;
}

bool upgrade_check_page(const struct http_parser *p, struct request *out)
{
    struct opening opening = {.request = {.head = p, .next_header = next_header}};
    const char *detail;

    opening.request.method = http_method(p);
    if ((!span_is_equal(opening.request.method, SPAN_LIT("GET")) &&
         !span_is_equal(opening.request.method, SPAN_LIT("HEAD"))) ||
        check_host(p, &opening, &detail) != UPGRADE_OK ||
        check_no_body(p, &opening, &detail) != UPGRADE_OK) {
        return false;
    }
    split_target(p, &opening.request);
    *out = opening.request;
    return true;
}

void upgrade_accept_key(struct span key, char out[29])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 1.3 */
    uint8_t text[KEY_LEN + sizeof(guid) - 1];
    uint8_t digest[WC_SHA_DIGEST_SIZE];
    word32 out_len = ACCEPT_LEN + 1;
    bool is_done;
    wc_Sha sha;

    assert(key.len == KEY_LEN);
    memcpy(text, key.data, KEY_LEN);
    memcpy(text + KEY_LEN, guid, sizeof(guid) - 1);
    /* wolfCrypt hashes a local buffer in software: only wrong arguments make these calls fail. */
    is_done = wc_InitSha(&sha) == 0 && wc_ShaUpdate(&sha, text, sizeof(text)) == 0 &&
              wc_ShaFinal(&sha, digest) == 0 &&
              Base64_Encode_NoNl(digest, sizeof(digest), (byte *)out, &out_len) == 0;
    wc_ShaFree(&sha);
    assert(is_done && out_len == ACCEPT_LEN);
    out[ACCEPT_LEN] = '\0';
}

/* Writes "Name: value\r\n", or nothing for an empty value. Returns the length. */
static size_t add_header(char *out, size_t size, const char *name, struct span value)
{
    if (value.len == 0) {
        return 0;
    }
    int n = snprintf(out, size, "%s: %.*s\r\n", name, (int)value.len, value.data);
    assert(n > 0 && (size_t)n < size);
    return (size_t)n;
}

size_t upgrade_write_101(char out[UPGRADE_101_MAX], struct span key, struct span subprotocol,
                         struct span extensions)
{
    char accept[ACCEPT_LEN + 1];
    size_t at;

    if (subprotocol.len > REQUEST_OFFER_LEN_MAX || extensions.len > REQUEST_OFFER_LEN_MAX) {
        return 0;
    }
    upgrade_accept_key(key, accept);
    at = (size_t)snprintf(out, UPGRADE_101_MAX,
                          "HTTP/1.1 101 Switching Protocols\r\n"
                          "Upgrade: websocket\r\n"
                          "Connection: Upgrade\r\n"
                          "Sec-WebSocket-Accept: %s\r\n",
                          accept);
    at += add_header(out + at, UPGRADE_101_MAX - at, "Sec-WebSocket-Protocol", subprotocol);
    at += add_header(out + at, UPGRADE_101_MAX - at, "Sec-WebSocket-Extensions", extensions);
    assert(at + 2 < UPGRADE_101_MAX);
    memcpy(out + at, "\r\n", 3);
    return at + 2;
}
