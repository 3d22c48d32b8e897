/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What makes a legal request an opening handshake. */
#include "proto/token.h"
#include "proto/upgrade_parts.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Is `member` (any case) in the lists of all headers of that name? */
static bool lists_have(const struct http_parser *p, struct span name, struct span member)
{
    struct upgrade_list list = upgrade_list(p, name);
    struct span item;

    while (upgrade_list_next(&list, &item)) {
        if (span_is_equal_nocase(item, member)) {
            return true;
        }
    }
    return false;
}

bool upgrade_asks_for_websocket(const struct http_parser *p)
{
    return lists_have(p, SPAN_LIT("Upgrade"), SPAN_LIT("websocket"));
}

static enum upgrade_result check_can_upgrade(const struct http_parser *p,
                                             struct upgrade_opening *out, const char **detail)
{
    if (!span_is_equal(out->request.method, SPAN_LIT("GET"))) {
        return upgrade_refuse(UPGRADE_REQUIRED, detail, "HEAD opens no WebSocket");
    }
    if (p->version_minor == 0) {
        return upgrade_refuse(UPGRADE_REQUIRED, detail,
                              "HTTP/1.0 knows no Upgrade; a proxy must ask with HTTP/1.1");
    }
    return UPGRADE_OK;
}

static enum upgrade_result check_upgrade(const struct http_parser *p, struct upgrade_opening *out,
                                         const char **detail)
{
    (void)out;
    if (!lists_have(p, SPAN_LIT("Upgrade"), SPAN_LIT("websocket"))) {
        return upgrade_refuse(UPGRADE_REQUIRED, detail, "no upgrade to websocket asked for");
    }
    if (!lists_have(p, SPAN_LIT("Connection"), SPAN_LIT("upgrade"))) {
        return upgrade_refuse(UPGRADE_BAD, detail, "Connection does not name Upgrade");
    }
    return UPGRADE_OK;
}

static enum upgrade_result check_version(const struct http_parser *p, struct upgrade_opening *out,
                                         const char **detail)
{
    struct span value;
    size_t count = upgrade_count(p, SPAN_LIT("Sec-WebSocket-Version"), &value);

    (void)out;
    if (count != 1) {
        return upgrade_refuse(UPGRADE_BAD, detail,
                              count == 0 ? "no Sec-WebSocket-Version"
                                         : "more than one Sec-WebSocket-Version");
    }
    if (!span_is_equal(value, SPAN_LIT("13"))) {
        return upgrade_refuse(UPGRADE_REQUIRED, detail, "Sec-WebSocket-Version not 13");
    }
    return UPGRADE_OK;
}

/* Base64 of 16 bytes: 22 letters and "==". Of the last letter only two bits count; some clients
 * leave the other four as they come, and nothing decodes the key (RFC 6455 4.2.1). */
static bool is_key(struct span key)
{
    const size_t letters = UPGRADE_KEY_LEN - 2;

    if (key.len != UPGRADE_KEY_LEN) {
        return false;
    }
    for (size_t i = 0; i < letters; i++) {
        char c = key.data[i];

        if (!is_alpha(c) && !is_digit(c) && c != '+' && c != '/') {
            return false;
        }
    }
    return key.data[letters] == '=' && key.data[letters + 1] == '=';
}

static enum upgrade_result check_key(const struct http_parser *p, struct upgrade_opening *out,
                                     const char **detail)
{
    size_t count = upgrade_count(p, SPAN_LIT("Sec-WebSocket-Key"), &out->key);

    if (count != 1) {
        return upgrade_refuse(UPGRADE_BAD, detail,
                              count == 0 ? "no Sec-WebSocket-Key"
                                         : "more than one Sec-WebSocket-Key");
    }
    if (!is_key(out->key)) {
        return upgrade_refuse(UPGRADE_BAD, detail, "malformed Sec-WebSocket-Key");
    }
    return UPGRADE_OK;
}

static enum upgrade_result check_authority(const struct http_parser *p, struct upgrade_opening *out,
                                           const char **detail)
{
    (void)p;
    return out->request.authority.len > 0 ? UPGRADE_OK
                                          : upgrade_refuse(UPGRADE_BAD, detail, "empty Host");
}

static enum upgrade_result check_origin(const struct http_parser *p, struct upgrade_opening *out,
                                        const char **detail)
{
    size_t count = upgrade_count(p, SPAN_LIT("Origin"), &out->request.origin);

    if (count > 1) {
        return upgrade_refuse(UPGRADE_BAD, detail, "more than one Origin");
    }
    out->request.has_origin = count == 1;
    return UPGRADE_OK;
}

static enum upgrade_result add_offer(struct request *out, struct span offer, const char **detail)
{
    if (!span_is_token(offer)) {
        return upgrade_refuse(UPGRADE_BAD, detail, "malformed Sec-WebSocket-Protocol");
    }
    if (token_is_offer(offer)) {
        out->token_offer = offer;
        out->token_offer_count++;
        return UPGRADE_OK;
    }
    if (offer.len > REQUEST_OFFER_LEN_MAX) {
        return upgrade_refuse(UPGRADE_BAD, detail, "subprotocol too long");
    }
    for (size_t i = 0; i < out->offer_count; i++) {
        if (span_is_equal(out->offers[i], offer)) {
            return upgrade_refuse(UPGRADE_BAD, detail, "subprotocol offered twice");
        }
    }
    if (out->offer_count == REQUEST_OFFERS_MAX) {
        return upgrade_refuse(UPGRADE_BAD, detail, "too many subprotocols");
    }
    out->offers[out->offer_count++] = offer;
    return UPGRADE_OK;
}

static enum upgrade_result check_offers(const struct http_parser *p, struct upgrade_opening *out,
                                        const char **detail)
{
    struct upgrade_list offers = upgrade_list(p, SPAN_LIT("Sec-WebSocket-Protocol"));
    struct span item;

    while (upgrade_list_next(&offers, &item)) {
        enum upgrade_result result = add_offer(&out->request, item, detail);

        if (result != UPGRADE_OK) {
            return result;
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

static enum upgrade_result check_path(const struct http_parser *p, struct upgrade_opening *out,
                                      const char **detail)
{
    const char *text = path_detail(out->request.path);

    (void)p;
    return text == NULL ? UPGRADE_OK : upgrade_refuse(UPGRADE_BAD, detail, text);
}

/* ---- of a page that opens no WebSocket ---- */

static enum upgrade_result check_cors_method(const struct http_parser *p,
                                             struct upgrade_opening *out, const char **detail)
{
    struct span method = out->request.method;
    bool is_cors = span_is_equal(method, SPAN_LIT("GET")) ||
                   span_is_equal(method, SPAN_LIT("HEAD")) ||
                   span_is_equal(method, SPAN_LIT("OPTIONS"));

    (void)p;
    return is_cors ? UPGRADE_OK
                   : upgrade_refuse(UPGRADE_BAD_METHOD, detail, "method not GET, HEAD or OPTIONS");
}

static enum upgrade_result check_plain(const struct http_parser *p, struct upgrade_opening *out,
                                       const char **detail)
{
    (void)out;
    return lists_have(p, SPAN_LIT("Upgrade"), SPAN_LIT("websocket"))
               ? upgrade_refuse(UPGRADE_BAD, detail, "a handshake that opens no WebSocket")
               : UPGRADE_OK;
}

static enum upgrade_result check_has_origin(const struct http_parser *p,
                                            struct upgrade_opening *out, const char **detail)
{
    (void)p;
    return out->request.has_origin ? UPGRADE_OK : upgrade_refuse(UPGRADE_BAD, detail, "no Origin");
}

static upgrade_check_fn *const cors_checks[] = {
    check_cors_method, check_plain, check_authority, check_origin, check_has_origin,
    check_path,        NULL};

enum upgrade_result upgrade_check_cors(const struct http_parser *p, struct request *out,
                                       const char **out_detail)
{
    struct upgrade_opening opening = {.key = {NULL, 0}};
    enum upgrade_result result = upgrade_check_any(p, &opening.request, out_detail);

    if (result == UPGRADE_OK) {
        result = upgrade_run(cors_checks, p, &opening, out_detail);
    }
    if (result == UPGRADE_OK) {
        *out = opening.request;
    }
    return result;
}

/* ---- of a page that opens one ---- */

static upgrade_check_fn *const opening_checks[] = {
    check_can_upgrade, check_upgrade, check_version, check_key, check_authority,
    check_origin,      check_offers,  check_path,    NULL};

enum upgrade_result upgrade_check(const struct http_parser *p, struct request *out,
                                  struct span *out_key, const char **out_detail)
{
    struct upgrade_opening opening = {.key = {NULL, 0}};
    enum upgrade_result result = upgrade_check_plain(p, &opening.request, out_detail);

    if (result == UPGRADE_OK) {
        result = upgrade_run(opening_checks, p, &opening, out_detail);
    }
    if (result == UPGRADE_OK) {
        *out = opening.request;
        *out_key = opening.key;
    }
    return result;
}
