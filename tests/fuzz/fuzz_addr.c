/* SPDX-License-Identifier: GPL-3.0-or-later */
/* addr: what the parser accepts prints as a text that parses to the same address. */
#include "base/addr.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_mapped(const struct addr *a)
{
    return a->u.sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->u.in6.sin6_addr);
}

static void check_again(const struct addr *a)
{
    char text[ADDR_TEXT_MAX];
    struct addr again;
    struct addr copied;
    assert(a->len > 0 && !is_mapped(a));
    assert(addr_print(a, text, sizeof(text)) == text);
    assert(strlen(text) < ADDR_TEXT_MAX - 1);
    assert(addr_parse(span_from_str(text), &again));
    assert(addr_is_equal(a, &again) && addr_port(a) == addr_port(&again));
    addr_from_sockaddr(&a->u.sa, a->len, &copied);
    assert(addr_is_equal(a, &copied));
}

static void check_cidr(struct span text)
{
    struct addr_cidr cidr;
    struct addr_cidr lone;
    struct addr a;
    if (!addr_cidr_parse(text, &cidr)) {
        return;
    }
    assert(cidr.family == AF_INET ? cidr.bits <= 32 : cidr.bits <= 128 && cidr.family == AF_INET6);
    struct span base = {text.data, span_find(text, '/')};
    assert(addr_parse_host(base, 1, &a) && addr_cidr_contains(&cidr, &a));
    assert(addr_cidr_parse(base, &lone) && addr_cidr_contains(&lone, &a));
    /* The first bit behind the prefix may change; the last bit of the prefix may not. */
    uint8_t *bytes =
        cidr.family == AF_INET ? (uint8_t *)&a.u.in.sin_addr : a.u.in6.sin6_addr.s6_addr;
    if (cidr.bits < lone.bits) {
        bytes[cidr.bits / 8] ^= (uint8_t)(0x80U >> cidr.bits % 8);
        assert(addr_cidr_contains(&cidr, &a) && !addr_cidr_contains(&lone, &a));
    }
    if (cidr.bits > 0) {
        bytes[(cidr.bits - 1) / 8] ^= (uint8_t)(0x80U >> (cidr.bits - 1) % 8);
        assert(!addr_cidr_contains(&cidr, &a));
    }
}

/* The kernel could return such bytes: any family, any length. */
static void check_sockaddr(const uint8_t *data, size_t size)
{
    struct sockaddr_storage storage;
    struct addr a;
    char text[ADDR_TEXT_MAX];
    size_t used = size < sizeof(storage) ? size : sizeof(storage);
    memset(&storage, 0, sizeof(storage));
    if (used > 0) {
        memcpy(&storage, data, used);
    }
    addr_from_sockaddr((struct sockaddr *)&storage, (socklen_t)used, &a);
    assert(a.len <= used && a.len <= sizeof(a.u) && !is_mapped(&a));
    assert(strlen(addr_print(&a, text, sizeof(text))) < sizeof(text) - 1);
    assert(addr_is_equal(&a, &a));
    (void)addr_is_loopback(&a);
    (void)addr_port(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {size > 0 ? (const char *)data : NULL, size};
    struct addr a;
    if (addr_parse(text, &a)) {
        check_again(&a);
    }
    if (addr_parse_host(text, 4711, &a)) {
        assert(addr_port(&a) == 4711);
        check_again(&a);
    }
    if (addr_from_unix_path(text, &a)) {
        char printed[ADDR_TEXT_MAX];
        struct span rest = span_from_str(addr_print(&a, printed, sizeof(printed)));
        assert(span_starts_with(rest, SPAN_LIT("unix:")) && span_ends_with(rest, text));
        assert(rest.len == text.len + 5);
    }
    check_cidr(text);
    check_sockaddr(data, size);
    return 0;
}
