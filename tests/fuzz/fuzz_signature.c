/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads a public key out of DER and lets it judge a signature: neither may touch memory that is not
 * theirs, and only a weak point of Ed25519, which a file of keys may name, proves anything.
 *
 * Input: 1 byte for the allowed algorithms, 2 bytes for the length of the DER, the DER, the
 * signature. */
#include <stdlib.h>
#include <string.h>

#include "io/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sigkey key;
    if (size < 3) {
        return 0;
    }
    size_t len = size_min((size_t)data[1] << 8 | data[2], size - 3);
    struct span der = {(const char *)data + 3, len};
    struct span signature = {der.data + len, size - 3 - len};
    if (signature_key_of_der(der, data[0], &key) != NULL) {
        return 0;
    }
    if (sigkey_check(&key) != NULL || (SIGKEY_SET(key.alg) & data[0]) == 0) {
        abort();
    }
    enum sigkey_result result = signature_prove(&key, SPAN_LIT("a.b"), signature);
    if ((result == SIGKEY_WRONG_LEN) != (signature.len != sigkey_signature_len(&key)) ||
        (key.alg != SIGKEY_ED25519 && result == SIGKEY_PROVEN)) {
        abort();
    }
    return 0;
}
