/* SPDX-License-Identifier: GPL-3.0-or-later */
// Makes DER, certificates and revocation lists that nobody has signed. What is made lives until
// der_kit_reset.
#ifndef TESTS_UNIT_DER_KIT_H
#define TESTS_UNIT_DER_KIT_H

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/span.h"
#include "give_up.h"
#include "io/der.h"

#define DER_KIT __attribute__((unused)) static

static char der_kit_pool[256 * 1024];
static size_t der_kit_used;

DER_KIT void der_kit_reset(void)
{
    der_kit_used = 0;
}

DER_KIT struct span der_put(const void *data, size_t len)
{
    char *at = der_kit_pool + der_kit_used;
    if (der_kit_used + len > sizeof(der_kit_pool)) {
        GIVE_UP();
    }
    if (len > 0) {
        memcpy(at, data, len);
    }
    der_kit_used += len;
    return (struct span){at, len};
}

// The spans side by side; one with data NULL ends the list.
DER_KIT struct span der_join(struct span first, ...)
{
    struct span out = {der_kit_pool + der_kit_used, 0};
    va_list args;
    va_start(args, first);
    for (struct span s = first; s.data != NULL; s = va_arg(args, struct span)) {
        out.len += der_put(s.data, s.len).len;
    }
    va_end(args);
    return out;
}

#define DER_END ((struct span){NULL, 0})

DER_KIT struct span der_item(unsigned tag, struct span content)
{
    uint8_t head[4] = {(uint8_t)tag, (uint8_t)content.len};
    size_t len = 2;
    if (content.len > 0xff) {
        head[1] = 0x82;
        head[2] = (uint8_t)(content.len >> 8);
        head[3] = (uint8_t)content.len;
        len = 4;
    } else if (content.len > 0x7f) {
        head[1] = 0x81;
        head[2] = (uint8_t)content.len;
        len = 3;
    }
    return der_join((struct span){(const char *)head, len}, content, DER_END);
}

DER_KIT struct span der_text(unsigned tag, const char *text)
{
    return der_item(tag, span_from_str(text));
}

DER_KIT struct span der_pair(unsigned tag, struct span a, struct span b)
{
    return der_item(tag, der_join(a, b, DER_END));
}

#define DER_OF(literal_) ((struct span)SPAN_LIT(literal_))
#define DER_ALGORITHM DER_OF("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02")

// A Name with one common name, of this kind of string.
DER_KIT struct span der_name(unsigned tag, struct span common_name)
{
    struct span pair = der_pair(DER_SEQUENCE, der_item(DER_OID, DER_OF("\x55\x04\x03")),
                                der_item(tag, common_name));
    return der_item(DER_SEQUENCE, der_item(DER_SET, pair));
}

struct der_form {
    struct span serial;
    struct span issuer;
    struct span subject;
    struct span alt_names;  // GeneralNames side by side; data NULL: no extension
    const char *from, *end; // UTCTime
};

DER_KIT struct span der_certificate(const struct der_form *form)
{
    struct span extensions = {"", 0};
    if (form->alt_names.data != NULL) {
        struct span extension =
            der_pair(DER_SEQUENCE, der_item(DER_OID, DER_OF("\x55\x1d\x11")),
                     der_item(DER_OCTETS, der_item(DER_SEQUENCE, form->alt_names)));
        extensions = der_item(DER_CONTEXT(3), der_item(DER_SEQUENCE, extension));
    }
    struct span body = der_join(
        der_item(DER_CONTEXT(0), DER_OF("\x02\x01\x02")), der_item(DER_INTEGER, form->serial),
        DER_ALGORITHM, form->issuer,
        der_pair(DER_SEQUENCE, der_text(DER_UTC_TIME, form->from ? form->from : "260101000000Z"),
                 der_text(DER_UTC_TIME, form->end ? form->end : "270101000000Z")),
        form->subject, der_item(DER_SEQUENCE, DER_OF("\x05\x00")), extensions, DER_END);
    return der_item(DER_SEQUENCE, der_join(der_item(DER_SEQUENCE, body), DER_ALGORITHM,
                                           der_item(DER_BITS, DER_OF("\0x")), DER_END));
}

DER_KIT struct span der_entry(struct span serial, struct span extensions)
{
    return der_item(DER_SEQUENCE,
                    der_join(der_item(DER_INTEGER, serial), der_text(DER_UTC_TIME, "260101000000Z"),
                             extensions, DER_END));
}

// One Extension of id-ce 20 (cRLNumber).
DER_KIT struct span der_extension(bool is_critical)
{
    struct span critical = is_critical ? DER_OF("\x01\x01\xff") : DER_OF("");
    return der_item(
        DER_SEQUENCE,
        der_item(DER_SEQUENCE, der_join(der_item(DER_OID, DER_OF("\x55\x1d\x14")), critical,
                                        der_item(DER_OCTETS, DER_OF("\x02\x01\x01")), DER_END)));
}

// `entries` and `extensions` may be empty.
DER_KIT struct span der_list(struct span issuer, struct span entries, struct span extensions)
{
    struct span list = entries.len > 0 ? der_item(DER_SEQUENCE, entries) : entries;
    struct span more = extensions.len > 0 ? der_item(DER_CONTEXT(0), extensions) : extensions;
    struct span body = der_join(DER_OF("\x02\x01\x01"), DER_ALGORITHM, issuer,
                                der_text(DER_UTC_TIME, "260101000000Z"),
                                der_text(DER_TIME, "20260201000000Z"), list, more, DER_END);
    return der_item(DER_SEQUENCE, der_join(der_item(DER_SEQUENCE, body), DER_ALGORITHM,
                                           der_item(DER_BITS, DER_OF("\0x")), DER_END));
}

#endif
