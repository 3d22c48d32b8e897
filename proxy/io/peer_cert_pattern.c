/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Patterns on names. */
#include <string.h>

#include "base/host.h"
#include "base/utf8.h"
#include "io/peer_cert_parts.h"

bool peer_cert_is_visible(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] <= ' ' || text.data[i] > '~') {
            return false;
        }
    }
    return true;
}

bool peer_cert_is_text(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.data[i];
        uint8_t next = i + 1 < text.len ? (uint8_t)text.data[i + 1] : 0xff;

        if (c < ' ' || c == 0x7f || (c == 0xc2 && next < 0xa0)) {
            return false;
        }
    }
    return utf8_is_valid(text);
}

static struct span behind(struct span s, size_t len)
{
    return (struct span){s.data + len, s.len - len};
}

/* Takes the word off a pattern or a name; false: it has none. */
static bool take_word(struct span *text, enum peer_cert_kind *out)
{
    size_t colon = span_find(*text, ':');

    for (int i = 0; colon < text->len && i < PEER_CERT_KINDS; i++) {
        struct span word = span_from_str(peer_cert_word((enum peer_cert_kind)i));

        if (span_is_equal((struct span){text->data, colon}, word)) {
            *out = (enum peer_cert_kind)i;
            *text = behind(*text, colon + 1);
            return true;
        }
    }
    return false;
}

/* The last `c`, or text.len. */
static size_t find_last(struct span text, char c)
{
    for (size_t i = text.len; i > 0; i--) {
        if (text.data[i - 1] == c) {
            return i - 1;
        }
    }
    return text.len;
}

/* ------------------------------------------------------------------------------------- emails */

static const char *email_fault(struct span text)
{
    size_t at = find_last(text, '@');
    bool is_group = text.len > 1 && text.data[0] == '*' && at == 1;
    struct span front = {text.data, at};

    if (at == 0 || at == text.len || !peer_cert_is_visible(text) ||
        host_kind(behind(text, at + 1)) != HOST_NAME) {
        return "an email is NAME@HOST, or *@HOST for everybody there";
    }
    return !is_group && span_find(front, '*') < front.len
               ? "the * of an email stands for all in front of the @: *@example.com"
               : NULL;
}

static bool is_email(struct span pattern, struct span name)
{
    size_t at = find_last(name, '@');
    size_t pattern_at = find_last(pattern, '@');
    struct span front = {pattern.data, pattern_at};

    if (at == 0 || at == name.len ||
        !span_is_equal_nocase(behind(name, at), behind(pattern, pattern_at))) {
        return false;
    }
    return span_is_equal(front, SPAN_LIT("*")) ||
           span_is_equal(front, (struct span){name.data, at});
}

/* --------------------------------------------------------------------------------------- URIs */

/* Where the path of SCHEME://AUTHORITY/PATH begins, at its slash; text.len: there is none. */
static size_t find_path(struct span text)
{
    size_t colon = span_find(text, ':');

    if (colon == 0 || text.len - colon < 4 || memcmp(text.data + colon, "://", 3) != 0) {
        return text.len;
    }
    struct span rest = behind(text, colon + 3);
    size_t slash = span_find(rest, '/');
    return slash == 0 || slash == rest.len ? text.len : colon + 3 + slash;
}

static const char *uri_fault(struct span text)
{
    size_t star = span_find(text, '*');

    if (!peer_cert_is_visible(text) || span_find(text, ':') == 0 ||
        span_find(text, ':') == text.len) {
        return "a uri is written like spiffe://prod/ns/web";
    }
    if (star < text.len &&
        (star + 1 != text.len || find_path(text) >= star || text.data[star - 1] != '/')) {
        return "the * of a uri stands for all behind a slash of its path: spiffe://prod/ns/*";
    }
    return NULL;
}

/* Nothing behind the slash, and what leads elsewhere, is in no group. */
static bool is_below(struct span rest)
{
    if (span_find(rest, '%') < rest.len || span_find(rest, '?') < rest.len ||
        span_find(rest, '#') < rest.len) {
        return false;
    }
    for (;;) {
        struct span segment = {rest.data, span_find(rest, '/')};

        if (segment.len == 0 || span_is_equal(segment, SPAN_LIT(".")) ||
            span_is_equal(segment, SPAN_LIT(".."))) {
            return false;
        }
        if (segment.len == rest.len) {
            return true;
        }
        rest = behind(rest, segment.len + 1);
    }
}

static bool is_uri(struct span pattern, struct span name)
{
    if (!span_ends_with(pattern, SPAN_LIT("*"))) {
        return span_is_equal(pattern, name);
    }
    pattern.len--;
    return span_starts_with(name, pattern) && is_below(behind(name, pattern.len));
}

/* ------------------------------------------------------------------------------- fingerprints */

/* The next digit, in lower case; 0: there is none. Colons count for nothing. */
static char next_digit(struct span *text)
{
    while (text->len > 0 && text->data[0] == ':') {
        *text = behind(*text, 1);
    }
    if (text->len == 0) {
        return '\0';
    }
    char c = text->data[0];
    *text = behind(*text, 1);
    return (char)(c >= 'A' && c <= 'F' ? c | 0x20 : c);
}

static const char *fingerprint_fault(struct span text)
{
    size_t count = 0;

    for (char c = next_digit(&text); c != '\0'; c = next_digit(&text)) {
        count += (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ? 1 : 1000;
    }
    return count == (size_t)2 * PEER_CERT_FINGERPRINT
               ? NULL
               : "a fingerprint is SHA-256, 64 hexadecimal digits: openssl x509 -fingerprint "
                 "-sha256 -noout -in FILE";
}

static bool is_fingerprint(struct span pattern, struct span name)
{
    while (name.len > 0) {
        if (next_digit(&pattern) != name.data[0]) {
            return false;
        }
        name = behind(name, 1);
    }
    return true;
}

/* ----------------------------------------------------------------------------------- patterns */

static const char *fault_of(enum peer_cert_kind kind, struct span text)
{
    switch (kind) {
    case PEER_CERT_DNS:
        return host_is_pattern(text) && host_kind(text) != HOST_IPV4 && host_kind(text) != HOST_IPV6
                   ? NULL
                   : "a dns name is a host name, or *. and a host name for one label more";
    case PEER_CERT_EMAIL:
        return email_fault(text);
    case PEER_CERT_URI:
        return uri_fault(text);
    case PEER_CERT_IP:
        return host_kind(text) == HOST_IPV4 || host_kind(text) == HOST_IPV6
                   ? NULL
                   : "an ip is a numeric address, without port and brackets";
    case PEER_CERT_CN:
        return text.len > 0 && peer_cert_is_text(text) && span_find(text, '*') == text.len
                   ? NULL
                   : "a cn is a common name, letter by letter, without *";
    case PEER_CERT_FINGERPRINT_HEX:
        return fingerprint_fault(text);
    }
    return "no pattern";
}

const char *peer_cert_pattern_fault(struct span text)
{
    enum peer_cert_kind kind = PEER_CERT_DNS;

    if (!take_word(&text, &kind)) {
        return "a name begins with dns:, email:, uri:, ip:, cn: or fingerprint:";
    }
    return text.len > PEER_CERT_NAME_BYTES ? "a name is too long" : fault_of(kind, text);
}

size_t peer_cert_address(struct span text, uint8_t out[16])
{
    switch (host_address(text, out)) {
    case HOST_IPV4:
        return 4;
    case HOST_IPV6:
        return 16;
    case HOST_NAME:
    case HOST_NONE:
        break;
    }
    return 0;
}

static bool is_same_address(struct span pattern, struct span name)
{
    uint8_t a[16];
    uint8_t b[16];
    size_t len = peer_cert_address(pattern, a);

    return len > 0 && len == peer_cert_address(name, b) && memcmp(a, b, len) == 0;
}

static bool fits(enum peer_cert_kind kind, struct span pattern, struct span name)
{
    switch (kind) {
    case PEER_CERT_DNS:
        return host_match(pattern, name) != HOST_DIFFERS;
    case PEER_CERT_EMAIL:
        return is_email(pattern, name);
    case PEER_CERT_URI:
        return is_uri(pattern, name);
    case PEER_CERT_IP:
        return is_same_address(pattern, name);
    case PEER_CERT_CN:
        return span_is_equal(pattern, name);
    case PEER_CERT_FINGERPRINT_HEX:
        return is_fingerprint(pattern, name);
    }
    return false;
}

const struct peer_cert_name *peer_cert_find(const struct peer_cert *cert, struct span pattern)
{
    enum peer_cert_kind kind = PEER_CERT_DNS;

    if (!take_word(&pattern, &kind)) {
        return NULL;
    }
    for (size_t i = 0; i < cert->count; i++) {
        struct span name = cert->names[i].text;

        if (cert->names[i].kind == kind &&
            fits(kind, pattern, behind(name, strlen(peer_cert_word(kind)) + 1))) {
            return &cert->names[i];
        }
    }
    return NULL;
}
