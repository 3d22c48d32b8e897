/* SPDX-License-Identifier: GPL-3.0-or-later */
/* der.h: items of DER (ITU-T X.690 10), one after the other.
 *
 * For: what sluice reads of certificates and revocation lists itself (io/peer_cert, io/crl). Not
 * for: what the items mean, keys, signatures. Pure: spans point into the caller's bytes.
 *
 * Tags of one byte and definite lengths in their shortest form only; anything else is no item. */
#ifndef IO_DER_H
#define IO_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BITS = 0x03,
    DER_OCTETS = 0x04,
    DER_OID = 0x06,
    DER_UTF8 = 0x0c,
    DER_PRINTABLE = 0x13,
    DER_IA5 = 0x16,
    DER_UTC_TIME = 0x17,
    DER_TIME = 0x18, /* GeneralizedTime */
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31
};

/* "[0]", constructed; and primitive. */
#define DER_CONTEXT(number) (0xa0U | (number))
#define DER_CONTEXT_PLAIN(number) (0x80U | (number))

struct der_item {
    unsigned tag;
    struct span content;
    struct span whole; /* with tag and length */
};

/* Takes the next item off *rest, whatever its tag; false: there is none, or it is not whole. */
MUST_CHECK bool der_next(struct span *rest, struct der_item *out);
/* The same, and false when it has another tag. */
MUST_CHECK bool der_take(struct span *rest, unsigned tag, struct der_item *out);
/* Takes the next item if it has this tag; out->whole is empty when it has another one, or nothing
 * is left. False: what is there is damaged. */
MUST_CHECK bool der_take_optional(struct span *rest, unsigned tag, struct der_item *out);
/* Takes a Time of RFC 5280 4.1.2.5: to the second, in UTC. Seconds since 1970. */
MUST_CHECK bool der_take_time(struct span *rest, int64_t *out_s);
/* Takes a positive INTEGER; out has no zeros in front. */
MUST_CHECK bool der_take_number(struct span *rest, struct span *out);

#endif
