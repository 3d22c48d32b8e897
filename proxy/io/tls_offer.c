/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/tls_offer.h"

#include <stdint.h>
#include <wolfssl/options.h>

/* tls_context.c gives wolfSSL the same suites and groups by its names. */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { NUMBER_1_2 = 0x0303, NUMBER_1_3 = 0x0304 };

static const uint16_t suites_1_3[] = {0x1301, 0x1302, 0x1303};
static const uint16_t suites_rsa[] = {0xc02f, 0xc030, 0xcca8};
static const uint16_t suites_ecdsa[] = {0xc02b, 0xc02c, 0xcca9};
static const uint16_t groups[] = {
#ifdef WOLFSSL_HAVE_MLKEM
    4588 /* X25519MLKEM768 */,
#endif
    29 /* X25519 */, 23 /* P-256 */, 24 /* P-384 */};

/* How a key may sign. TLS 1.3 has a number for each curve, TLS 1.2 one for each hash (RFC 8446
 * 4.2.3); zeroes fill up. */
static const struct {
    uint16_t in_1_3[4];
    uint16_t in_1_2[7];
} signatures[] = {
    [TLS_KEY_RSA] = {{0x0804, 0x0805, 0x0806}, {0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601}},
    [TLS_KEY_P256] = {{0x0403}, {0x0403, 0x0503, 0x0603}},
    [TLS_KEY_P384] = {{0x0503}, {0x0403, 0x0503, 0x0603}},
    [TLS_KEY_P521] = {{0x0603}, {0x0403, 0x0503, 0x0603}},
    [TLS_KEY_ED25519] = {{0x0807}, {0x0807}},
};

static bool has_any(struct span list, const uint16_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (tls_hello_lists(list, numbers[i])) {
            return true;
        }
    }
    return false;
}

/* Which versions both ends speak. */
struct versions {
    bool has_1_3;
    bool has_1_2;
};

static struct versions common_versions(const struct tls_hello *hello, enum tls_version min_version)
{
    struct versions v;
    if (hello->versions.len > 0) {
        v.has_1_3 = tls_hello_lists(hello->versions, NUMBER_1_3);
        v.has_1_2 = tls_hello_lists(hello->versions, NUMBER_1_2);
    } else {
        v.has_1_3 = false;
        v.has_1_2 = hello->version >= NUMBER_1_2;
    }
    v.has_1_2 = v.has_1_2 && min_version == TLS_1_2;
    return v;
}

static bool has_suite_1_2(const struct tls_hello *hello, enum tls_key_kind kind)
{
    switch (kind) {
    case TLS_KEY_RSA:
        return has_any(hello->suites, suites_rsa, COUNT(suites_rsa));
    case TLS_KEY_P256:
    case TLS_KEY_P384:
    case TLS_KEY_P521:
    case TLS_KEY_ED25519:
        return has_any(hello->suites, suites_ecdsa, COUNT(suites_ecdsa));
    case TLS_KEY_OTHER:
        break;
    }
    return true;
}

static enum tls_hello_result judge_suites(const struct tls_hello *hello, struct versions common,
                                          enum tls_key_kind kind)
{
    if ((common.has_1_3 && has_any(hello->suites, suites_1_3, COUNT(suites_1_3))) ||
        (common.has_1_2 && has_suite_1_2(hello, kind))) {
        return TLS_HELLO_OK;
    }
    bool has_other =
        common.has_1_2 && (has_suite_1_2(hello, TLS_KEY_RSA) || has_suite_1_2(hello, TLS_KEY_P256));
    return has_other ? TLS_HELLO_NO_SUITE_FOR_KEY : TLS_HELLO_NO_SUITE;
}

static bool can_verify(struct span algorithms, struct versions common, enum tls_key_kind kind)
{
    if (kind == TLS_KEY_OTHER) {
        return true;
    }
    const uint16_t *numbers = common.has_1_3 ? signatures[kind].in_1_3 : signatures[kind].in_1_2;
    size_t count = 0;
    while (numbers[count] != 0) {
        count++;
    }
    return has_any(algorithms, numbers, count);
}

enum tls_hello_result tls_offer_judge(const struct tls_hello *hello, enum tls_version min_version,
                                      enum tls_key_kind kind)
{
    struct versions common = common_versions(hello, min_version);
    if (!common.has_1_3 && !common.has_1_2) {
        bool is_1_2 = hello->version >= NUMBER_1_2 || tls_hello_lists(hello->versions, NUMBER_1_2);
        return min_version == TLS_1_3 && is_1_2 ? TLS_HELLO_ONLY_1_2 : TLS_HELLO_OLD;
    }
    enum tls_hello_result result = judge_suites(hello, common, kind);
    if (result != TLS_HELLO_OK) {
        return result;
    }
    /* Every suite of ours agrees on a key by a group. TLS 1.2 takes P-256 without a list (RFC 8422
     * section 4). */
    if (hello->groups.len > 0 && !has_any(hello->groups, groups, COUNT(groups))) {
        return TLS_HELLO_NO_GROUP;
    }
    if (hello->signatures.len > 0 && !can_verify(hello->signatures, common, kind)) {
        return TLS_HELLO_NO_SIGNATURE;
    }
    return TLS_HELLO_OK;
}
