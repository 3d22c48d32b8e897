/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What makes a head a legal request, whatever it asks for. */
#include "base/host.h"
#include "proto/upgrade_parts.h"

size_t upgrade_count(const struct http_parser *p, struct span name, struct span *out_value)
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

struct upgrade_list upgrade_list(const struct http_parser *p, struct span name)
{
    return (struct upgrade_list){.head = p, .name = name, .next = http_find(p, name, 0)};
}

bool upgrade_list_next(struct upgrade_list *list, struct span *out)
{
    for (;;) {
        while (span_next(&list->rest, ',', out)) {
            if (out->len > 0) {
                return true;
            }
        }
        if (list->next == list->head->header_count) {
            return false;
        }
        list->rest = http_header_value(list->head, list->next);
        list->next = http_find(list->head, list->name, list->next + 1);
    }
}

enum upgrade_result upgrade_run(upgrade_check_fn *const *checks, const struct http_parser *p,
                                struct upgrade_opening *out, const char **detail)
{
    for (; *checks != NULL; checks++) {
        enum upgrade_result result = (*checks)(p, out, detail);

        if (result != UPGRADE_OK) {
            return result;
        }
    }
    return UPGRADE_OK;
}

/* Cuts the scheme and its "://" off. */
static bool take_scheme(struct span *rest)
{
    static const struct span schemes[] = {{"http", 4}, {"https", 5}, {"ws", 2}, {"wss", 3}};
    const struct span mark = SPAN_LIT("://");
    struct span scheme = {rest->data, span_find(*rest, ':')};
    struct span behind = {rest->data + scheme.len, rest->len - scheme.len};

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (span_is_equal_nocase(scheme, schemes[i]) && span_starts_with(behind, mark)) {
            *rest = (struct span){behind.data + mark.len, behind.len - mark.len};
            return true;
        }
    }
    return false;
}

/* A port may be empty and then means the scheme's own (RFC 3986 3.2.3). */
static bool split_authority(struct request *out)
{
    struct span text = out->authority;

    if (text.len > 0 && text.data[text.len - 1] == ':') {
        text.len--;
    }
    return host_split(text, &out->host_name, &out->host_port);
}

/* `target` begins with the path, or with the query behind an empty path. */
static void split_path(struct span target, struct request *out)
{
    size_t path_len = span_find(target, '?');

    out->path = path_len > 0 ? (struct span){target.data, path_len} : SPAN_LIT("/");
    out->query = path_len < target.len
                     ? (struct span){target.data + path_len + 1, target.len - path_len - 1}
                     : (struct span){NULL, 0};
}

/* The forms that only one method has (RFC 9112 3.2.3, 3.2.4). */
static bool is_form_of_method(struct span target, struct span method)
{
    struct span host;
    uint16_t port = 0;

    if (span_is_equal(method, SPAN_LIT("CONNECT"))) {
        return host_split(target, &host, &port) && port != 0;
    }
    return span_is_equal(method, SPAN_LIT("OPTIONS")) && span_is_equal(target, SPAN_LIT("*"));
}

static enum upgrade_result check_target(const struct http_parser *p, struct upgrade_opening *out,
                                        const char **detail)
{
    struct span target = http_target(p);
    struct request *request = &out->request;
    size_t authority_len = 0;

    request->method = http_method(p);
    if (take_scheme(&target)) {
        while (authority_len < target.len && target.data[authority_len] != '/' &&
               target.data[authority_len] != '?') {
            authority_len++;
        }
        request->authority = (struct span){target.data, authority_len};
        if (!split_authority(request)) {
            return upgrade_refuse(UPGRADE_BAD, detail, "malformed authority in the target");
        }
    } else if (target.data[0] != '/' && !is_form_of_method(target, request->method)) {
        return upgrade_refuse(UPGRADE_BAD, detail, "target is neither a path nor an http URL");
    }
    split_path((struct span){target.data + authority_len, target.len - authority_len}, request);
    return UPGRADE_OK;
}

static enum upgrade_result check_host(const struct http_parser *p, struct upgrade_opening *out,
                                      const char **detail)
{
    struct request host = {.authority = {NULL, 0}};
    size_t count = upgrade_count(p, SPAN_LIT("Host"), &host.authority);

    if (count > 1) {
        return upgrade_refuse(UPGRADE_BAD, detail, "more than one Host");
    }
    if (count == 0 && p->version_minor > 0) {
        return upgrade_refuse(UPGRADE_BAD, detail, "no Host");
    }
    if (host.authority.len > 0 && !split_authority(&host)) {
        return upgrade_refuse(UPGRADE_BAD, detail, "malformed Host");
    }
    if (out->request.authority.len == 0) {
        out->request.authority = host.authority;
        out->request.host_name = host.host_name;
        out->request.host_port = host.host_port;
    }
    return UPGRADE_OK;
}

static bool is_read_method(struct span method)
{
    return span_is_equal(method, SPAN_LIT("GET")) || span_is_equal(method, SPAN_LIT("HEAD"));
}

static enum upgrade_result check_known_method(const struct http_parser *p,
                                              struct upgrade_opening *out, const char **detail)
{
    static const struct span known[] = {{"POST", 4},    {"PUT", 3},   {"DELETE", 6}, {"CONNECT", 7},
                                        {"OPTIONS", 7}, {"TRACE", 5}, {"PATCH", 5}};
    struct span method = out->request.method;

    (void)p;
    bool is_known = is_read_method(method);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        is_known |= span_is_equal(method, known[i]);
    }
    return is_known ? UPGRADE_OK : upgrade_refuse(UPGRADE_NO_METHOD, detail, "unknown method");
}

static enum upgrade_result check_read_method(const struct http_parser *p,
                                             struct upgrade_opening *out, const char **detail)
{
    (void)p;
    return is_read_method(out->request.method)
               ? UPGRADE_OK
               : upgrade_refuse(UPGRADE_BAD_METHOD, detail, "method not GET");
}

/* Content-Length: 0, as some clients send it with a GET. Proxies may read a length that stands
 * twice, or in a list, in two ways. */
static bool is_no_length(const struct http_parser *p)
{
    struct span value = {NULL, 0};
    size_t count = upgrade_count(p, SPAN_LIT("Content-Length"), &value);
    uint64_t length = 0;

    return count == 0 || (count == 1 && span_parse_u64(value, &length) && length == 0);
}

static enum upgrade_result check_no_body(const struct http_parser *p, struct upgrade_opening *out,
                                         const char **detail)
{
    (void)out;
    if (http_find(p, SPAN_LIT("Transfer-Encoding"), 0) < p->header_count) {
        return upgrade_refuse(UPGRADE_BAD, detail, "Transfer-Encoding in a request without body");
    }
    if (!is_no_length(p)) {
        return upgrade_refuse(UPGRADE_BAD, detail, "Content-Length in a request without body");
    }
    return UPGRADE_OK;
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

static upgrade_check_fn *const any_checks[] = {check_target, check_host, check_known_method,
                                               check_no_body, NULL};
static upgrade_check_fn *const plain_checks[] = {
    check_target, check_host, check_known_method, check_read_method, check_no_body, NULL};

static enum upgrade_result check_request(upgrade_check_fn *const *checks,
                                         const struct http_parser *p, struct request *out,
                                         const char **out_detail)
{
    struct upgrade_opening opening = {.request = {.head = p, .next_header = next_header}};
    enum upgrade_result result;

    *out_detail = "";
    result = upgrade_run(checks, p, &opening, out_detail);
    if (result == UPGRADE_OK) {
        *out = opening.request;
    }
    return result;
}

enum upgrade_result upgrade_check_plain(const struct http_parser *p, struct request *out,
                                        const char **out_detail)
{
    return check_request(plain_checks, p, out, out_detail);
}

enum upgrade_result upgrade_check_any(const struct http_parser *p, struct request *out,
                                      const char **out_detail)
{
    return check_request(any_checks, p, out, out_detail);
}
