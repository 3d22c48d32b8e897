/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/forwarded.h"

#include "base/host.h"

bool forwarded_is_trusted(const struct forwarded_trust *trust, const struct addr *a)
{
    for (size_t i = 0; i < trust->count; i++) {
        if (addr_cidr_contains(&trust->blocks[i], a)) {
            return true;
        }
    }
    return false;
}

void forwarded_collect(const struct request *request, struct span name, struct forwarded_lines *out)
{
    size_t at = 0;
    struct span value;
    *out = (struct forwarded_lines){.count = 0};
    while (request_next_header(request, name, &at, &value)) {
        if (out->count == FORWARDED_LINES_MAX) {
            for (size_t i = 1; i < FORWARDED_LINES_MAX; i++) {
                out->values[i - 1] = out->values[i];
            }
            out->count--;
            out->is_cut = true;
        }
        out->values[out->count++] = value;
    }
}

/* --- elements from the right ----------------------------------------------------------------- */

/* What of a list has not been read yet. */
struct tail {
    const struct forwarded_lines *lines;
    size_t line_count; /* lines that are left; the last one up to the end of `rest` */
    struct span rest;
};

static void begin(struct tail *tail, const struct forwarded_lines *lines)
{
    *tail = (struct tail){.lines = lines, .line_count = lines == NULL ? 0 : lines->count};
    if (tail->line_count > 0) {
        tail->rest = lines->values[tail->line_count - 1];
    }
}

static bool is_escaped(struct span s, size_t at)
{
    size_t slashes = 0;
    while (slashes < at && s.data[at - 1 - slashes] == '\\') {
        slashes++;
    }
    return slashes % 2 == 1;
}

/* The position of the quote that opens the string which ends before `end`; 0 when none does: then
 * all that is left is one element, which is malformed. */
static size_t find_open_quote(struct span s, size_t end)
{
    size_t at = end;
    while (at > 0 && (s.data[at - 1] != '"' || is_escaped(s, at - 1))) {
        at--;
    }
    return at > 0 ? at - 1 : 0;
}

/* Where the last element of a line begins. */
static size_t find_element(struct span line, bool has_quotes)
{
    size_t at = line.len;
    while (at > 0 && line.data[at - 1] != ',') {
        at--;
        if (has_quotes && line.data[at] == '"') {
            at = find_open_quote(line, at);
        }
    }
    return at;
}

/* Takes the last element that is not empty. False: there is none. */
static bool take_last(struct tail *tail, bool has_quotes, struct span *out)
{
    while (tail->line_count > 0) {
        size_t at = find_element(tail->rest, has_quotes);
        *out = span_trim((struct span){tail->rest.data + at, tail->rest.len - at});
        if (at > 0) {
            tail->rest.len = at - 1;
        } else {
            tail->line_count--;
            tail->rest = tail->line_count > 0 ? tail->lines->values[tail->line_count - 1]
                                              : (struct span){NULL, 0};
        }
        if (out->len > 0) {
            return true;
        }
    }
    return false;
}

/* --- one element ----------------------------------------------------------------------------- */

enum node_kind { NODE_ADDRESS, NODE_HIDDEN, NODE_MALFORMED };

struct element {
    enum node_kind kind;
    struct addr address;
    struct span host;   /* empty: none */
    struct span scheme; /* the same */
    const char *detail;
};

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

/* "_" and a name (RFC 7239 6.3). */
static bool is_obfuscated(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_name_char(s.data[i])) {
            return false;
        }
    }
    return s.len > 1 && s.data[0] == '_';
}

static bool is_digits(struct span s)
{
    uint64_t number;
    return s.len <= 5 && span_parse_u64(s, &number);
}

/* "unknown", or an obfuscated name; with or without a port. */
static bool is_hidden(struct span node)
{
    size_t colon = span_find(node, ':');
    struct span name = {node.data, colon};
    if (colon < node.len) {
        struct span port = {node.data + colon + 1, node.len - colon - 1};
        if (!is_obfuscated(port) && !is_digits(port)) {
            return false;
        }
    }
    return span_is_equal_nocase(name, SPAN_LIT("unknown")) || is_obfuscated(name);
}

/* Cuts an obfuscated port off: the address is known all the same. */
static struct span without_hidden_port(struct span node)
{
    for (size_t i = node.len; i > 0; i--) {
        if (node.data[i - 1] == ':') {
            struct span port = {node.data + i, node.len - i};
            return is_obfuscated(port) ? (struct span){node.data, i - 1} : node;
        }
    }
    return node;
}

static void read_x(struct span text, struct element *out)
{
    out->kind = NODE_ADDRESS;
    if (addr_parse_host(text, 0, &out->address) || addr_parse(text, &out->address)) {
        return;
    }
    /* nginx writes "unix:" for a client on a Unix socket. */
    bool is_untold = is_hidden(text) || span_is_equal(text, SPAN_LIT("unix:"));
    out->kind = is_untold ? NODE_HIDDEN : NODE_MALFORMED;
    out->detail = out->kind == NODE_HIDDEN ? "X-Forwarded-For does not tell the client"
                                           : "X-Forwarded-For with an element that is no address";
}

/* RFC 7239 6: IPv6 stands in brackets. */
static void read_node(struct span node, struct element *out)
{
    struct span host = without_hidden_port(node);
    bool is_bare_v6 = host_kind(host) == HOST_IPV6;
    out->kind = NODE_ADDRESS;
    if (!is_bare_v6 && (addr_parse_host(host, 0, &out->address) ||
                        (host.len == node.len && addr_parse(host, &out->address)))) {
        return;
    }
    out->kind = is_hidden(node) ? NODE_HIDDEN : NODE_MALFORMED;
    out->detail = out->kind == NODE_HIDDEN ? "Forwarded does not tell the client"
                                           : "Forwarded with a for= that is no address";
}

static bool is_plain_char(char c)
{
    return c == ':' || c == '[' || c == ']' || span_is_token((struct span){&c, 1});
}

/* Reads a value off *rest: a token, or what stands between quotes, with its backslashes. */
static bool take_value(struct span *rest, struct span *out)
{
    size_t len = 0;
    if (rest->len > 0 && rest->data[0] == '"') {
        for (len = 1; len < rest->len && rest->data[len] != '"'; len++) {
            len += rest->data[len] == '\\' ? 1 : 0;
        }
        if (len >= rest->len) {
            return false;
        }
        *out = (struct span){rest->data + 1, len - 1};
        len++;
    } else {
        while (len < rest->len && is_plain_char(rest->data[len])) {
            len++;
        }
        *out = (struct span){rest->data, len};
    }
    *rest = (struct span){rest->data + len, rest->len - len};
    return len > 0;
}

enum parameter { PARAMETER_FOR, PARAMETER_HOST, PARAMETER_BY, PARAMETER_PROTO, PARAMETERS };

/* PARAMETERS: another one. */
static enum parameter parameter_of(struct span name)
{
    static const struct span names[PARAMETERS] = {[PARAMETER_FOR] = {"for", 3},
                                                  [PARAMETER_HOST] = {"host", 4},
                                                  [PARAMETER_BY] = {"by", 2},
                                                  [PARAMETER_PROTO] = {"proto", 5}};
    int at = 0;
    while (at < PARAMETERS && !span_is_equal_nocase(name, names[at])) {
        at++;
    }
    return (enum parameter)at;
}

/* One pair off *rest, and the semicolon behind it. */
static bool take_pair(struct span *rest, struct span values[PARAMETERS])
{
    size_t equals = span_find(*rest, '=');
    struct span name = {rest->data, equals};
    struct span value;
    if (equals == rest->len || !span_is_token(name)) {
        return false;
    }
    *rest = (struct span){rest->data + equals + 1, rest->len - equals - 1};
    if (!take_value(rest, &value)) {
        return false;
    }
    enum parameter parameter = parameter_of(name);
    if (parameter < PARAMETERS) {
        if (values[parameter].data != NULL) {
            return false; /* RFC 7239 4: once in each element */
        }
        values[parameter] = value;
    }
    *rest = span_trim(*rest);
    if (rest->len > 0 && rest->data[0] != ';') {
        return false;
    }
    return true;
}

static void read_rfc7239(struct span text, struct element *out)
{
    struct span values[PARAMETERS] = {{NULL, 0}};
    struct span rest = text;
    out->kind = NODE_MALFORMED;
    out->detail = "Forwarded with an element that is not name=value;...";
    while (rest.len > 0) {
        if (rest.data[0] == ';') {
            rest = span_trim((struct span){rest.data + 1, rest.len - 1});
        } else if (!take_pair(&rest, values)) {
            return;
        }
    }
    out->host = values[PARAMETER_HOST];
    out->scheme = values[PARAMETER_PROTO];
    if (values[PARAMETER_FOR].data == NULL) {
        out->kind = NODE_HIDDEN;
        out->detail = "Forwarded without for=";
        return;
    }
    read_node(values[PARAMETER_FOR], out);
}

/* --- the scan -------------------------------------------------------------------------------- */

static void stop(struct forwarded *out, enum forwarded_end end, const char *detail)
{
    out->end = end;
    out->detail = detail;
}

/* False: the host is none. */
static bool take_host(struct span host, struct forwarded *out)
{
    struct span name;
    uint16_t port;
    if (host.len == 0) {
        return true;
    }
    out->host = host;
    return host_split(host, &name, &port);
}

/* The lists beside X-Forwarded-For. */
struct companions {
    struct tail hosts;
    struct tail schemes;
};

/* Believes one element more. True: it names a trusted proxy. */
static bool believe(struct span text, enum forwarded_kind kind, struct companions *beside,
                    const struct forwarded_trust *trust, struct forwarded *out)
{
    struct element element = {.detail = ""};
    switch (kind) {
    case FORWARDED_X:
        read_x(text, &element);
        (void)!take_last(&beside->hosts, false, &element.host);
        (void)!take_last(&beside->schemes, false, &element.scheme);
        break;
    case FORWARDED_RFC7239:
        read_rfc7239(text, &element);
        break;
    }
    if (element.kind == NODE_MALFORMED) {
        stop(out, FORWARDED_MALFORMED, element.detail);
        return false;
    }
    if (!take_host(element.host, out)) {
        out->host = (struct span){NULL, 0};
        stop(out, FORWARDED_MALFORMED, "a proxy forwards a host that is none");
        return false;
    }
    out->scheme = element.scheme.len > 0 ? element.scheme : out->scheme;
    out->hops++;
    if (element.kind == NODE_HIDDEN) {
        stop(out, FORWARDED_HIDDEN, element.detail);
        return false;
    }
    stop(out, FORWARDED_FOUND, "");
    out->client = element.address;
    return forwarded_is_trusted(trust, &element.address);
}

void forwarded_find(enum forwarded_kind kind, const struct forwarded_lines *lines,
                    const struct forwarded_lines *hosts, const struct forwarded_lines *schemes,
                    const struct addr *peer, const struct forwarded_trust *trust,
                    struct forwarded *out)
{
    struct tail tail;
    struct companions beside;
    struct span text;
    *out = (struct forwarded){.end = FORWARDED_PEER, .client = *peer, .detail = ""};
    if (!forwarded_is_trusted(trust, peer)) {
        return;
    }
    begin(&tail, lines);
    begin(&beside.hosts, kind == FORWARDED_X ? hosts : NULL);
    begin(&beside.schemes, kind == FORWARDED_X ? schemes : NULL);
    while (take_last(&tail, kind == FORWARDED_RFC7239, &text)) {
        if (out->hops == FORWARDED_HOPS_MAX) {
            stop(out, FORWARDED_TOO_MANY, "too many trusted proxies in a row");
            return;
        }
        if (!believe(text, kind, &beside, trust, out)) {
            return;
        }
    }
    if (lines->is_cut) {
        stop(out, FORWARDED_TOO_MANY, "too many header lines of proxies");
    }
}
