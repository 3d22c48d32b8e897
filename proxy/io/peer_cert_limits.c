/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Name constraints (RFC 5280 4.2.1.10). */
#include <string.h>

#include "io/der.h"
#include "io/peer_cert_parts.h"

/* A GeneralSubtree's base, by its tag. */
enum {
    BASE_EMAIL = DER_CONTEXT_PLAIN(1),
    BASE_DNS = DER_CONTEXT_PLAIN(2),
    BASE_DIRECTORY = DER_CONTEXT(4),
    BASE_URI = DER_CONTEXT_PLAIN(6),
    BASE_IP = DER_CONTEXT_PLAIN(7)
};

static struct span behind(struct span s, size_t len)
{
    return (struct span){s.data + len, s.len - len};
}

/* The name without its word. */
static struct span text_of(const struct peer_cert_name *name)
{
    return behind(name->text, strlen(peer_cert_word(name->kind)) + 1);
}

/* "example.com" is the host and, where it counts, what is below; ".example.com" only the latter. */
static bool is_host_below(struct span host, struct span base, bool is_below_too)
{
    bool has_dot = base.len > 0 && base.data[0] == '.';

    if (base.len == 0) {
        return true;
    }
    if (!has_dot && span_is_equal_nocase(host, base)) {
        return true;
    }
    if ((!has_dot && !is_below_too) || host.len <= base.len) {
        return false;
    }
    struct span end = behind(host, host.len - base.len);
    return span_is_equal_nocase(end, base) &&
           (has_dot || host.data[host.len - base.len - 1] == '.');
}

static bool is_email_below(struct span email, struct span base)
{
    size_t at = email.len;

    while (at > 0 && email.data[at - 1] != '@') {
        at--;
    }
    if (span_find(base, '@') < base.len) {
        size_t front = span_find(base, '@');

        return at == front + 1 && memcmp(email.data, base.data, front) == 0 &&
               span_is_equal_nocase(behind(email, at), behind(base, front + 1));
    }
    return is_host_below(behind(email, at), base, false);
}

/* The host of SCHEME://[USER@]HOST[:PORT]/...; empty: it has none. */
static struct span host_of_uri(struct span uri)
{
    const char *front = memmem(uri.data, uri.len, "://", 3);

    if (front == NULL) {
        return (struct span){uri.data, 0};
    }
    struct span rest = behind(uri, (size_t)(front - uri.data) + 3);
    size_t end = 0;
    while (end < rest.len && memchr("/?#", rest.data[end], 3) == NULL) {
        end++;
    }
    struct span host = {rest.data, end};
    size_t at = span_find(host, '@');
    host = at < host.len ? behind(host, at + 1) : host;
    host.len = span_find(host, ':');
    return host;
}

static bool is_address_below(const struct peer_cert_name *name, struct span base)
{
    uint8_t bytes[16];
    size_t len = peer_cert_address(text_of(name), bytes);

    if (base.len != 2 * len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        uint8_t mask = (uint8_t)base.data[len + i];

        if ((bytes[i] & mask) != ((uint8_t)base.data[i] & mask)) {
            return false;
        }
    }
    return true;
}

/* Is the constraint about names of this kind? */
static bool is_about(unsigned tag, enum peer_cert_kind kind)
{
    switch (kind) {
    case PEER_CERT_DNS:
        return tag == BASE_DNS;
    case PEER_CERT_EMAIL:
        return tag == BASE_EMAIL;
    case PEER_CERT_URI:
        return tag == BASE_URI;
    case PEER_CERT_IP:
        return tag == BASE_IP;
    case PEER_CERT_CN:
    case PEER_CERT_FINGERPRINT_HEX:
        break;
    }
    return false;
}

static bool is_below(const struct peer_cert_name *name, struct span base)
{
    switch (name->kind) {
    case PEER_CERT_DNS:
        return is_host_below(text_of(name), base, true);
    case PEER_CERT_EMAIL:
        return is_email_below(text_of(name), base);
    case PEER_CERT_URI:
        return is_host_below(host_of_uri(text_of(name)), base, false);
    case PEER_CERT_IP:
        return is_address_below(name, base);
    case PEER_CERT_CN:
    case PEER_CERT_FINGERPRINT_HEX:
        break;
    }
    return false;
}

/* Takes the next GeneralSubtree off; false: it is damaged. */
static bool take_base(struct span *trees, struct der_item *out)
{
    struct der_item tree;

    return der_take(trees, DER_SEQUENCE, &tree) && der_next(&tree.content, out);
}

/* How a list of subtrees stands to a name. */
struct verdict {
    bool is_named;   /* some subtree is about names of its kind */
    bool is_matched; /* and the name is below it */
};

static struct verdict ask_name(struct span trees, const struct peer_cert_name *name)
{
    struct verdict verdict = {.is_named = false};
    struct der_item base;

    while (take_base(&trees, &base)) {
        if (is_about(base.tag, name->kind)) {
            verdict.is_named = true;
            verdict.is_matched |= is_below(name, base.content);
        }
    }
    return verdict;
}

/* A Name is below another one when it begins with it. */
static struct verdict ask_subject(struct span trees, struct span subject)
{
    struct verdict verdict = {.is_named = false};
    struct der_item base;
    struct der_item name;
    struct der_item names;

    if (!der_take(&subject, DER_SEQUENCE, &names) || names.content.len == 0) {
        return verdict;
    }
    while (take_base(&trees, &base)) {
        if (base.tag == BASE_DIRECTORY) {
            verdict.is_named = true;
            verdict.is_matched |= der_take(&base.content, DER_SEQUENCE, &name) &&
                                  span_starts_with(names.content, name.content);
        }
    }
    return verdict;
}

struct limits {
    struct span permitted;
    struct span excluded;
};

static bool are_trees_known(struct span trees)
{
    struct der_item base;

    while (trees.len > 0) {
        if (!take_base(&trees, &base)) {
            return false;
        }
        size_t len = base.content.len;
        bool is_known = base.tag == BASE_EMAIL || base.tag == BASE_DNS || base.tag == BASE_URI ||
                        base.tag == BASE_DIRECTORY ||
                        (base.tag == BASE_IP && (len == 8 || len == 32));
        if (!is_known) {
            return false;
        }
    }
    return true;
}

static bool read_limits(struct span constraints, struct limits *out)
{
    struct der_item outer;
    struct der_item permitted;
    struct der_item excluded;

    if (!der_take(&constraints, DER_SEQUENCE, &outer) || constraints.len > 0 ||
        !der_take_optional(&outer.content, DER_CONTEXT(0), &permitted) ||
        !der_take_optional(&outer.content, DER_CONTEXT(1), &excluded) || outer.content.len > 0) {
        return false;
    }
    *out = (struct limits){permitted.content, excluded.content};
    return are_trees_known(out->permitted) && are_trees_known(out->excluded);
}

static bool is_forbidden(struct verdict permitted, struct verdict excluded)
{
    return excluded.is_matched || (permitted.is_named && !permitted.is_matched);
}

enum peer_cert_limit peer_cert_limit(const struct peer_cert *cert, struct span constraints)
{
    struct limits limits;

    if (!read_limits(constraints, &limits)) {
        return PEER_CERT_LIMIT_UNKNOWN;
    }
    for (size_t i = 0; cert != NULL && i < cert->count; i++) {
        const struct peer_cert_name *name = &cert->names[i];

        if (is_forbidden(ask_name(limits.permitted, name), ask_name(limits.excluded, name))) {
            return PEER_CERT_LIMIT_BROKEN;
        }
    }
    if (cert != NULL && is_forbidden(ask_subject(limits.permitted, cert->subject),
                                     ask_subject(limits.excluded, cert->subject))) {
        return PEER_CERT_LIMIT_BROKEN;
    }
    return PEER_CERT_LIMIT_KEPT;
}
