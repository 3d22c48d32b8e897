/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/tls_hello.h"

#include <string.h>

#include "base/mem.h"

enum { RECORD_CHANGE_CIPHER_SPEC = 20, RECORD_HANDSHAKE = 22 };
enum { MESSAGE_HEADER = 4, CLIENT_HELLO = 1, RANDOM_LEN = 32, SESSION_ID_MAX = 32 };
enum { FIRST_ALLOCATION = 640, SKIPPED_MAX = 4 };

enum extension {
    EXTENSION_SERVER_NAME = 0,
    EXTENSION_SUPPORTED_GROUPS = 10,
    EXTENSION_SIGNATURE_ALGORITHMS = 13,
    EXTENSION_ALPN = 16,
    EXTENSION_PRE_SHARED_KEY = 41,
    EXTENSION_SUPPORTED_VERSIONS = 43,
    EXTENSION_SIGNATURE_ALGORITHMS_CERT = 50,
    EXTENSION_KEY_SHARE = 51
};

void tls_hello_init(struct tls_hello_reader *r, bool is_second)
{
    *r = (struct tls_hello_reader){.is_second = is_second};
}

void tls_hello_done(struct tls_hello_reader *r)
{
    mem_free(r->record);
    r->record = NULL;
    r->len = 0;
    r->capacity = 0;
}

/* The bytes that the record will hold in the end, as far as the header tells by now. */
static size_t wanted(const struct tls_hello_reader *r)
{
    if (r->len < TLS_RECORD_HEADER + MESSAGE_HEADER) {
        return TLS_RECORD_HEADER + MESSAGE_HEADER;
    }
    const uint8_t *length = r->record + TLS_RECORD_HEADER + 1;
    return TLS_RECORD_HEADER + MESSAGE_HEADER +
           ((size_t)length[0] << 16 | (size_t)length[1] << 8 | length[2]);
}

/* The block doubles: bytes that came make it grow, and never the length that a peer announces. */
static bool make_room(struct tls_hello_reader *r, size_t more)
{
    size_t capacity = r->capacity > 0 ? r->capacity : FIRST_ALLOCATION;
    while (capacity < r->len + more) {
        capacity *= 2;
    }
    if (capacity == r->capacity) {
        return true;
    }
    uint8_t *record = mem_resize(r->record, capacity);
    if (record == NULL) {
        return false;
    }
    r->record = record;
    r->capacity = capacity;
    return true;
}

static enum tls_hello_result check_record(struct tls_hello_reader *r)
{
    size_t len = (size_t)r->header[3] << 8 | r->header[4];
    if (r->is_second && r->header[0] == RECORD_CHANGE_CIPHER_SPEC) {
        /* Such a record may not stand between the pieces of a message. */
        if (len != 1 || r->len > TLS_RECORD_HEADER || r->skipped >= SKIPPED_MAX) {
            return TLS_HELLO_UNEXPECTED;
        }
        r->skipped++;
        r->is_in_cipher = true;
    } else if (r->header[0] != RECORD_HANDSHAKE) {
        return TLS_HELLO_UNEXPECTED;
    } else if (len == 0 || len > TLS_RECORD_MAX) {
        return TLS_HELLO_MALFORMED;
    }
    r->record_left = len;
    r->header_len = 0;
    return TLS_HELLO_OK;
}

/* Takes one byte at a time: the first one already tells TLS from another protocol. */
static enum tls_hello_result take_header(struct tls_hello_reader *r, uint8_t byte)
{
    r->header[r->header_len] = byte;
    r->header_len++;
    bool is_first = r->len == 0 && !r->is_second;
    if (is_first && r->header_len == 1 && byte != RECORD_HANDSHAKE) {
        return TLS_HELLO_NOT_TLS;
    }
    if (r->header_len == 2 && byte != 3) {
        return is_first ? TLS_HELLO_NOT_TLS : TLS_HELLO_MALFORMED;
    }
    return r->header_len < TLS_RECORD_HEADER ? TLS_HELLO_OK : check_record(r);
}

static enum tls_hello_result take_body(struct tls_hello_reader *r, const uint8_t *data, size_t len)
{
    if (r->len == 0) {
        if (!make_room(r, TLS_RECORD_HEADER)) {
            return TLS_HELLO_NO_MEMORY;
        }
        r->len = TLS_RECORD_HEADER;
    }
    if (!make_room(r, len)) {
        return TLS_HELLO_NO_MEMORY;
    }
    memcpy(r->record + r->len, data, len);
    r->len += len;
    r->record_left -= len;
    if (r->record[TLS_RECORD_HEADER] != CLIENT_HELLO) {
        return TLS_HELLO_UNEXPECTED;
    }
    return wanted(r) - TLS_RECORD_HEADER > TLS_HELLO_MAX ? TLS_HELLO_ILLEGAL : TLS_HELLO_OK;
}

static enum tls_hello_result finish(struct tls_hello_reader *r)
{
    /* Nothing may follow in the same record: the keys change here, or a reply is due. */
    if (r->record_left > 0) {
        return TLS_HELLO_UNEXPECTED;
    }
    size_t len = r->len - TLS_RECORD_HEADER;
    r->record[0] = RECORD_HANDSHAKE;
    r->record[1] = 3;
    /* RFC 8446 5.1 allows any version here, but wolfSSL insists on this one after the first. */
    r->record[2] = r->is_second ? 3 : r->header[2];
    r->record[3] = (uint8_t)(len >> 8);
    r->record[4] = (uint8_t)len;
    return TLS_HELLO_OK;
}

/* Takes one byte of a header, or one piece of a body. */
static enum tls_hello_result take_some(struct tls_hello_reader *r, const uint8_t *data, size_t len,
                                       size_t *out_taken)
{
    *out_taken = 1;
    if (r->record_left == 0) {
        return take_header(r, *data);
    }
    if (r->is_in_cipher) {
        r->is_in_cipher = false;
        r->record_left = 0;
        return *data == 1 ? TLS_HELLO_OK : TLS_HELLO_UNEXPECTED;
    }
    size_t held = r->len > 0 ? r->len : TLS_RECORD_HEADER;
    *out_taken = size_min(size_min(len, r->record_left), wanted(r) - held);
    return take_body(r, data, *out_taken);
}

enum tls_hello_result tls_hello_read(struct tls_hello_reader *r, const uint8_t *data, size_t len,
                                     size_t *out_used)
{
    size_t used = 0;
    *out_used = len;
    while (used < len) {
        size_t taken = 0;
        enum tls_hello_result result = take_some(r, data + used, len - used, &taken);
        used += taken;
        if (result != TLS_HELLO_OK) {
            return result;
        }
        if (r->len >= TLS_RECORD_HEADER + MESSAGE_HEADER && r->len == wanted(r)) {
            *out_used = used;
            return finish(r);
        }
    }
    return TLS_HELLO_MORE;
}

/* ---------------------------------------------------------------------------------- the message */

struct view {
    const uint8_t *data;
    size_t left;
};

static bool take_number(struct view *v, size_t width, size_t *out)
{
    if (v->left < width) {
        return false;
    }
    *out = 0;
    for (size_t i = 0; i < width; i++) {
        *out = *out << 8 | v->data[i];
    }
    v->data += width;
    v->left -= width;
    return true;
}

static bool take_bytes(struct view *v, size_t len, struct view *out)
{
    if (v->left < len) {
        return false;
    }
    *out = (struct view){v->data, len};
    v->data += len;
    v->left -= len;
    return true;
}

/* A vector with a length of `width` bytes in front. */
static bool take_vector(struct view *v, size_t width, struct view *out)
{
    size_t len = 0;
    return take_number(v, width, &len) && take_bytes(v, len, out);
}

/* A vector that fills the rest, and is not empty. */
static bool take_whole(struct view *v, size_t width, struct view *out)
{
    return take_vector(v, width, out) && v->left == 0 && out->left > 0;
}

/* RFC 6066 section 3. */
static enum tls_hello_result parse_server_name(struct view v, struct span *out)
{
    struct view list;
    struct view name;
    size_t type = 0;
    if (!take_whole(&v, 2, &list) || !take_number(&list, 1, &type) || type != 0 ||
        !take_whole(&list, 2, &name) || name.left > 255) {
        return TLS_HELLO_MALFORMED;
    }
    for (size_t i = 0; i < name.left; i++) {
        if (name.data[i] <= 0x20 || name.data[i] > 0x7e) {
            return TLS_HELLO_ILLEGAL;
        }
    }
    if (name.left > 1 && name.data[name.left - 1] == '.') {
        name.left--;
    }
    *out = (struct span){(const char *)name.data, name.left};
    return TLS_HELLO_OK;
}

/* RFC 7301 section 3.1. */
static enum tls_hello_result parse_protocols(struct view v, struct span *out)
{
    struct view list;
    struct view name;
    if (!take_whole(&v, 2, &list)) {
        return TLS_HELLO_MALFORMED;
    }
    *out = (struct span){(const char *)list.data, list.left};
    while (list.left > 0) {
        if (!take_vector(&list, 1, &name) || name.left == 0) {
            return TLS_HELLO_MALFORMED;
        }
    }
    return TLS_HELLO_OK;
}

bool tls_hello_offers(const struct tls_hello *hello, struct span protocol)
{
    struct view list = {(const uint8_t *)hello->protocols.data, hello->protocols.len};
    struct view name;
    while (take_vector(&list, 1, &name)) {
        if (span_is_equal((struct span){(const char *)name.data, name.left}, protocol)) {
            return true;
        }
    }
    return false;
}

/* RFC 8446 4.2.8. An empty list asks for a HelloRetryRequest. */
static enum tls_hello_result parse_key_shares(struct view v)
{
    size_t groups[TLS_HELLO_SHARES];
    size_t count = 0;
    struct view list;
    struct view share;
    if (!take_vector(&v, 2, &list) || v.left > 0) {
        return TLS_HELLO_MALFORMED;
    }
    while (list.left > 0) {
        size_t group = 0;
        if (!take_number(&list, 2, &group) || !take_vector(&list, 2, &share) || share.left == 0) {
            return TLS_HELLO_MALFORMED;
        }
        for (size_t i = 0; i < count; i++) {
            if (groups[i] == group) {
                return TLS_HELLO_ILLEGAL;
            }
        }
        if (count == TLS_HELLO_SHARES) {
            return TLS_HELLO_ILLEGAL;
        }
        groups[count++] = group;
    }
    return TLS_HELLO_OK;
}

/* RFC 8446 4.2.11. */
static enum tls_hello_result parse_tickets(struct view v)
{
    struct view identities;
    struct view binders;
    struct view item;
    size_t age = 0;
    size_t identity_count = 0;
    size_t binder_count = 0;
    if (!take_vector(&v, 2, &identities) || !take_whole(&v, 2, &binders)) {
        return TLS_HELLO_MALFORMED;
    }
    while (identities.left > 0) {
        if (!take_vector(&identities, 2, &item) || item.left == 0 ||
            !take_number(&identities, 4, &age)) {
            return TLS_HELLO_MALFORMED;
        }
        identity_count++;
    }
    while (binders.left > 0) {
        if (!take_vector(&binders, 1, &item) || item.left < 32) {
            return TLS_HELLO_MALFORMED;
        }
        binder_count++;
    }
    if (identity_count == 0) {
        return TLS_HELLO_MALFORMED;
    }
    return identity_count == binder_count && identity_count <= TLS_HELLO_TICKETS
               ? TLS_HELLO_OK
               : TLS_HELLO_ILLEGAL;
}

/* Groups, signature algorithms, versions: 16-bit numbers. */
static enum tls_hello_result parse_numbers(struct view v, size_t width, struct span *out)
{
    struct view list;
    if (!take_whole(&v, width, &list) || list.left % 2 != 0) {
        return TLS_HELLO_MALFORMED;
    }
    *out = (struct span){(const char *)list.data, list.left};
    return list.left / 2 <= TLS_HELLO_LIST ? TLS_HELLO_OK : TLS_HELLO_ILLEGAL;
}

bool tls_hello_lists(struct span list, uint16_t number)
{
    struct view v = {(const uint8_t *)list.data, list.len};
    size_t found = 0;
    while (take_number(&v, 2, &found)) {
        if (found == number) {
            return true;
        }
    }
    return false;
}

static enum tls_hello_result parse_extension(size_t type, struct view v, bool is_last,
                                             struct tls_hello *out)
{
    struct span unused;
    switch (type) {
    case EXTENSION_SERVER_NAME:
        return parse_server_name(v, &out->server_name);
    case EXTENSION_ALPN:
        return parse_protocols(v, &out->protocols);
    case EXTENSION_KEY_SHARE:
        return parse_key_shares(v);
    case EXTENSION_SUPPORTED_VERSIONS:
        return parse_numbers(v, 1, &out->versions);
    case EXTENSION_SUPPORTED_GROUPS:
        return parse_numbers(v, 2, &out->groups);
    case EXTENSION_SIGNATURE_ALGORITHMS:
        return parse_numbers(v, 2, &out->signatures);
    case EXTENSION_SIGNATURE_ALGORITHMS_CERT:
        return parse_numbers(v, 2, &unused);
    case EXTENSION_PRE_SHARED_KEY:
        return is_last ? parse_tickets(v) : TLS_HELLO_ILLEGAL;
    default:
        return TLS_HELLO_OK;
    }
}

static enum tls_hello_result parse_extensions(struct view list, struct tls_hello *out)
{
    size_t types[TLS_HELLO_EXTENSIONS];
    size_t count = 0;
    while (list.left > 0) {
        size_t type = 0;
        struct view body;
        if (!take_number(&list, 2, &type) || !take_vector(&list, 2, &body)) {
            return TLS_HELLO_MALFORMED;
        }
        for (size_t i = 0; i < count; i++) {
            if (types[i] == type) {
                return TLS_HELLO_ILLEGAL;
            }
        }
        if (count == TLS_HELLO_EXTENSIONS) {
            return TLS_HELLO_ILLEGAL;
        }
        types[count++] = type;
        enum tls_hello_result result = parse_extension(type, body, list.left == 0, out);
        if (result != TLS_HELLO_OK) {
            return result;
        }
    }
    return TLS_HELLO_OK;
}

enum tls_hello_result tls_hello_parse(const uint8_t *message, size_t len, struct tls_hello *out)
{
    struct view v = {message, len};
    struct view body;
    struct view part;
    struct view suites;
    size_t number = 0;
    *out = (struct tls_hello){.server_name = {"", 0}, .protocols = {"", 0}};
    if (!take_number(&v, 1, &number) || number != CLIENT_HELLO || !take_vector(&v, 3, &body) ||
        v.left > 0) {
        return TLS_HELLO_MALFORMED;
    }
    if (!take_number(&body, 2, &number) || number >> 8 != 3 ||
        !take_bytes(&body, RANDOM_LEN, &part) || !take_vector(&body, 1, &part) ||
        part.left > SESSION_ID_MAX || !take_vector(&body, 2, &suites) || suites.left == 0 ||
        suites.left % 2 != 0 || !take_vector(&body, 1, &part) || part.left == 0) {
        return TLS_HELLO_MALFORMED;
    }
    out->version = (uint16_t)number;
    out->suites = (struct span){(const char *)suites.data, suites.left};
    if (body.left == 0) {
        return TLS_HELLO_OK;
    }
    if (!take_vector(&body, 2, &part) || body.left > 0) {
        return TLS_HELLO_MALFORMED;
    }
    return parse_extensions(part, out);
}

uint8_t tls_hello_alert(enum tls_hello_result result)
{
    switch (result) {
    case TLS_HELLO_OK:
    case TLS_HELLO_MORE:
    case TLS_HELLO_NOT_TLS:
        return 0;
    case TLS_HELLO_MALFORMED:
        return 50;
    case TLS_HELLO_ILLEGAL:
        return 47;
    case TLS_HELLO_UNEXPECTED:
        return 10;
    case TLS_HELLO_OLD:
    case TLS_HELLO_ONLY_1_2:
        return 70;
    case TLS_HELLO_NO_SUITE:
    case TLS_HELLO_NO_SUITE_FOR_KEY:
    case TLS_HELLO_NO_GROUP:
    case TLS_HELLO_NO_SIGNATURE:
        return 40;
    case TLS_HELLO_NO_PROTOCOL:
        return 120;
    case TLS_HELLO_NO_MEMORY:
        return 80;
    }
    return 0;
}
