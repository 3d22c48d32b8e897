/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/x509.h"

#include "io/der.h"

static bool read_body(struct span rest, struct x509 *out)
{
    struct der_item item;
    struct der_item validity;

    if (!der_take_optional(&rest, DER_CONTEXT(0), &item) || !der_take_number(&rest, &out->serial) ||
        !der_take(&rest, DER_SEQUENCE, &item) || !der_take(&rest, DER_SEQUENCE, &item)) {
        return false;
    }
    out->issuer = item.whole;
    if (!der_take(&rest, DER_SEQUENCE, &validity) ||
        !der_take_time(&validity.content, &out->from_s) ||
        !der_take_time(&validity.content, &out->ends_s) || !der_take(&rest, DER_SEQUENCE, &item)) {
        return false;
    }
    out->subject = item.whole;
    bool is_read = der_take(&rest, DER_SEQUENCE, &item);
    out->key = item.whole;
    out->extensions = rest;
    return is_read;
}

bool x509_read(struct span der, struct x509 *out)
{
    struct der_item certificate;
    struct der_item body;

    *out = (struct x509){.ends_s = 0};
    return der_take(&der, DER_SEQUENCE, &certificate) && der.len == 0 &&
           der_take(&certificate.content, DER_SEQUENCE, &body) && read_body(body.content, out);
}

/* Skips unique identifiers up to the list of extensions. */
static struct span find_list(struct span rest)
{
    struct der_item outer;
    struct der_item list;

    while (der_next(&rest, &outer)) {
        if (outer.tag == DER_CONTEXT(3) && der_take(&outer.content, DER_SEQUENCE, &list)) {
            return list.content;
        }
    }
    return (struct span){NULL, 0};
}

struct span x509_name_constraints(const struct x509 *parts)
{
    const struct span wanted = SPAN_LIT("\x55\x1d\x1e");
    struct span rest = find_list(parts->extensions);
    struct der_item extension;
    struct der_item oid;
    struct der_item critical;
    struct der_item value;

    while (der_take(&rest, DER_SEQUENCE, &extension)) {
        if (der_take(&extension.content, DER_OID, &oid) && span_is_equal(oid.content, wanted) &&
            der_take_optional(&extension.content, DER_BOOLEAN, &critical) &&
            der_take(&extension.content, DER_OCTETS, &value)) {
            return value.content;
        }
    }
    return (struct span){NULL, 0};
}
