/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Certificates, revocation lists and the messages around them. The first byte chooses: what is read
 * lies inside the input; the names of a certificate are text and fit the pattern that they spell;
 * how a flight is cut changes nothing. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "io/crl.h"
#include "io/peer_cert.h"
#include "io/tls_flight.h"
#include "io/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct span part, struct span whole)
{
    assert(part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}

static void try_certificate(struct span der)
{
    static const uint8_t fingerprint[PEER_CERT_FINGERPRINT];
    struct peer_cert *cert = NULL;
    struct x509 parts;
    bool is_read = x509_read(der, &parts);

    if (is_read) {
        check_inside(parts.serial, der);
        check_inside(parts.subject, der);
        check_inside(parts.extensions, der);
    }
    if (peer_cert_read(der, fingerprint, &cert) != PEER_CERT_OK) {
        assert(cert == NULL);
        return;
    }
    assert(is_read && cert->count >= 1 && cert->count <= PEER_CERT_NAMES);
    for (size_t i = 0; i < cert->count; i++) {
        struct span name = cert->names[i].text;
        assert(memchr(name.data, '\0', name.len) == NULL);
        if (peer_cert_pattern_fault(name) == NULL) {
            assert(peer_cert_find(cert, name) != NULL);
        }
    }
    struct span limits = x509_name_constraints(&parts);
    check_inside(limits, limits.len > 0 ? der : limits);
    enum peer_cert_limit alone = peer_cert_limit(NULL, limits);
    assert((alone == PEER_CERT_LIMIT_UNKNOWN) ==
           (peer_cert_limit(cert, limits) == PEER_CERT_LIMIT_UNKNOWN));
    assert(peer_cert_title(cert).len > 0);
    peer_cert_free(cert);
}

static void try_list(struct span text)
{
    const char *detail = NULL;
    size_t file = 0;
    struct crl crl;
    struct crl_set *set = crl_set_new(&text, 1, &detail, &file);

    assert((set != NULL) == (detail == NULL));
    for (size_t i = 0; i < crl_set_count(set); i++) {
        const struct crl *one = crl_set_at(set, i, NULL);
        assert(crl_set_ask(set, one->issuer, text) != CRL_SAYS_NOTHING);
    }
    crl_set_free(set);
    if (crl_read(text, &crl) == NULL) {
        check_inside(crl.issuer, text);
        check_inside(crl.body, text);
        check_inside(crl.signature, text);
    }
}

static void try_flight(const uint8_t *data, size_t size)
{
    struct tls_flight whole = {.seen = 0};
    struct tls_flight bytes = {.seen = 0};
    const char *want = tls_flight_follow(&whole, data, size);
    const char *got = NULL;

    for (size_t i = 0; i < size && got == NULL; i++) {
        got = tls_flight_follow(&bytes, data + i, 1);
    }
    assert(got == want);
    assert(want != NULL || memcmp(&whole, &bytes, sizeof(whole)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct span rest = {(const char *)data + 1, size - 1};
    switch (data[0] % 3) {
    case 0:
        try_certificate(rest);
        break;
    case 1:
        try_list(rest);
        break;
    default:
        try_flight(data + 1, size - 1);
        break;
    }
    return 0;
}
