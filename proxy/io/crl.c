/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/crl.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/der.h"
#include "io/tls_pem.h"

#define DAMAGED "the revocation list is damaged"

/* ------------------------------------------------------------------------------------ one list */

/* RFC 5280 5.2 and 5.3: a list with a critical extension that the reader does not know may not be
 * used. sluice knows none that changes what a list is about. */
static bool has_critical(struct span extensions, bool *out_is_damaged)
{
    struct der_item outer;
    struct der_item one;

    *out_is_damaged = true;
    if (!der_take(&extensions, DER_SEQUENCE, &outer) || extensions.len > 0) {
        return false;
    }
    while (outer.content.len > 0) {
        struct der_item oid;
        struct der_item critical;
        struct der_item value;

        if (!der_take(&outer.content, DER_SEQUENCE, &one) ||
            !der_take(&one.content, DER_OID, &oid) ||
            !der_take_optional(&one.content, DER_BOOLEAN, &critical) ||
            !der_take(&one.content, DER_OCTETS, &value) || one.content.len > 0) {
            return false;
        }
        if (critical.content.len == 1 && critical.content.data[0] != 0) {
            *out_is_damaged = false;
            return true;
        }
    }
    *out_is_damaged = false;
    return false;
}

/* Takes one entry off. */
static const char *take_entry(struct span *rest, struct span *out_serial)
{
    struct der_item entry;
    int64_t at_s = 0;
    bool is_damaged = false;

    if (!der_take(rest, DER_SEQUENCE, &entry) || !der_take_number(&entry.content, out_serial) ||
        !der_take_time(&entry.content, &at_s)) {
        return DAMAGED;
    }
    if (entry.content.len > 0 && has_critical(entry.content, &is_damaged)) {
        return "the revocation list has a critical extension at an entry (it speaks for other "
               "issuers), which sluice does not know";
    }
    return is_damaged ? DAMAGED : NULL;
}

static const char *read_entries(struct span *body, struct crl *out)
{
    struct der_item list;
    struct span serial;

    if (!der_take_optional(body, DER_SEQUENCE, &list)) {
        return DAMAGED;
    }
    out->entries = list.content;
    for (struct span rest = list.content; rest.len > 0; out->count++) {
        const char *detail = take_entry(&rest, &serial);

        if (detail != NULL) {
            return detail;
        }
    }
    return NULL;
}

static const char *read_extensions(struct span body)
{
    struct der_item extensions;
    bool is_damaged = false;

    if (!der_take_optional(&body, DER_CONTEXT(0), &extensions) || body.len > 0) {
        return DAMAGED;
    }
    if (extensions.whole.len > 0 && has_critical(extensions.content, &is_damaged)) {
        return "the revocation list has a critical extension (it is a list of changes, or for some "
               "certificates only): sluice takes complete lists";
    }
    return is_damaged ? DAMAGED : NULL;
}

static const char *read_body(struct span body, struct crl *out)
{
    struct der_item version;
    struct der_item algorithm;
    struct der_item issuer;

    if (!der_take_optional(&body, DER_INTEGER, &version) ||
        !der_take(&body, DER_SEQUENCE, &algorithm) || !der_take(&body, DER_SEQUENCE, &issuer) ||
        !der_take_time(&body, &out->from_s)) {
        return DAMAGED;
    }
    if (!span_is_equal(algorithm.whole, out->algorithm)) {
        return DAMAGED; /* RFC 5280 5.1.1.2 */
    }
    out->issuer = issuer.whole;
    bool has_next = body.len > 0 &&
                    ((uint8_t)body.data[0] == DER_UTC_TIME || (uint8_t)body.data[0] == DER_TIME);
    if (has_next && !der_take_time(&body, &out->next_s)) {
        return DAMAGED;
    }
    const char *detail = read_entries(&body, out);
    return detail != NULL ? detail : read_extensions(body);
}

const char *crl_read(struct span der, struct crl *out)
{
    struct der_item list;
    struct der_item body;
    struct der_item algorithm;
    struct der_item signature;

    *out = (struct crl){.count = 0};
    if (!der_take(&der, DER_SEQUENCE, &list) || der.len > 0 ||
        !der_take(&list.content, DER_SEQUENCE, &body) ||
        !der_take(&list.content, DER_SEQUENCE, &algorithm) ||
        !der_take(&list.content, DER_BITS, &signature) || list.content.len > 0 ||
        signature.content.len < 2 || signature.content.data[0] != 0) {
        return DAMAGED;
    }
    out->body = body.whole;
    out->algorithm = algorithm.whole;
    out->signature = (struct span){signature.content.data + 1, signature.content.len - 1};
    return read_body(body.content, out);
}

/* -------------------------------------------------------------------------------- several lists */

struct list {
    struct crl crl;
    size_t file;
    struct span *serials; /* sorted; owned */
};

struct crl_set {
    size_t count;
    size_t capacity;
    struct list *lists;
    size_t file_count;
    uint8_t *files[]; /* DER of each; owned */
};

static int compare(struct span a, struct span b)
{
    if (a.len != b.len) {
        return a.len < b.len ? -1 : 1;
    }
    return memcmp(a.data, b.data, a.len);
}

static int compare_items(const void *a, const void *b)
{
    return compare(*(const struct span *)a, *(const struct span *)b);
}

static bool sort_serials(struct list *list)
{
    struct span rest = list->crl.entries;

    if (list->crl.count == 0) {
        return true;
    }
    list->serials = mem_alloc(list->crl.count * sizeof(*list->serials));
    if (list->serials == NULL) {
        return false;
    }
    for (size_t i = 0; i < list->crl.count; i++) {
        const char *detail = take_entry(&rest, &list->serials[i]);
        (void)detail; /* crl_read has read it before */
    }
    qsort(list->serials, list->crl.count, sizeof(*list->serials), compare_items);
    return true;
}

static const char *add(struct crl_set *set, struct span der, size_t file)
{
    if (set->count == set->capacity) {
        size_t capacity = set->capacity > 0 ? 2 * set->capacity : 4;
        struct list *lists = mem_resize(set->lists, capacity * sizeof(*lists));

        if (lists == NULL) {
            return "out of memory";
        }
        set->lists = lists;
        set->capacity = capacity;
    }
    struct list *list = &set->lists[set->count];
    *list = (struct list){.file = file};
    const char *detail = crl_read(der, &list->crl);
    if (detail != NULL) {
        return detail;
    }
    if (!sort_serials(list)) {
        return "out of memory";
    }
    set->count++;
    return NULL;
}

/* Makes DER of one file, the lists side by side, and reads them. */
static const char *add_file(struct crl_set *set, struct span text, size_t file)
{
    struct span rest = text;
    struct der_item item;
    size_t len = 0;

    set->files[file] = mem_alloc(text.len + 1);
    if (set->files[file] == NULL) {
        return "out of memory";
    }
    const char *detail = tls_pem_revocations(text, set->files[file], &len);
    if (detail != NULL) {
        return detail;
    }
    rest = (struct span){(const char *)set->files[file], len};
    while (detail == NULL && rest.len > 0) {
        detail = der_next(&rest, &item) ? add(set, item.whole, file) : DAMAGED;
    }
    return detail;
}

struct crl_set *crl_set_new(const struct span *files, size_t count, const char **out_detail,
                            size_t *out_file)
{
    struct crl_set *set = mem_alloc_zero(sizeof(*set) + count * sizeof(set->files[0]));

    *out_file = 0;
    *out_detail = set == NULL ? "out of memory" : NULL;
    if (set == NULL) {
        return NULL;
    }
    set->file_count = count;
    for (size_t i = 0; i < count && *out_detail == NULL; i++) {
        *out_file = i;
        *out_detail = add_file(set, files[i], i);
    }
    if (*out_detail != NULL) {
        crl_set_free(set);
        return NULL;
    }
    return set;
}

void crl_set_free(struct crl_set *set)
{
    if (set == NULL) {
        return;
    }
    for (size_t i = 0; i < set->count; i++) {
        mem_free(set->lists[i].serials);
    }
    for (size_t i = 0; i < set->file_count; i++) {
        mem_free(set->files[i]);
    }
    mem_free(set->lists);
    mem_free(set);
}

size_t crl_set_count(const struct crl_set *set)
{
    return set != NULL ? set->count : 0;
}

const struct crl *crl_set_at(const struct crl_set *set, size_t i, size_t *out_file)
{
    if (out_file != NULL) {
        *out_file = set->lists[i].file;
    }
    return &set->lists[i].crl;
}

enum crl_word crl_set_ask(const struct crl_set *set, struct span issuer, struct span serial)
{
    enum crl_word word = CRL_SAYS_NOTHING;

    for (size_t i = 0; i < crl_set_count(set); i++) {
        const struct list *list = &set->lists[i];

        if (!span_is_equal(list->crl.issuer, issuer)) {
            continue;
        }
        word = CRL_SAYS_GOOD;
        if (list->crl.count > 0 && bsearch(&serial, list->serials, list->crl.count, sizeof(serial),
                                           compare_items) != NULL) {
            return CRL_SAYS_REVOKED;
        }
    }
    return word;
}
