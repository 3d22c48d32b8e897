/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ClientHello reader in three chunkings: whole, byte by byte, and in chunks whose sizes come
 * from the input's own bytes. All three must come to the same verdict, the same message and the
 * same place in the stream. A hello that the reader accepts keeps the limits.
 *
 * Input: one byte (bit 0: a second hello), then the bytes of a connection. */
#include <stdlib.h>
#include <string.h>

#include "io/tls_hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    struct tls_hello_reader reader;
    enum tls_hello_result result;
    size_t used;
};

static void expect(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* The chunk has a block of its own, so that the address checker sees a read past its end. */
static enum tls_hello_result read_copy(struct tls_hello_reader *r, const uint8_t *data, size_t len,
                                       size_t *out_used)
{
    uint8_t *copy = malloc(len);
    expect(copy != NULL);
    memcpy(copy, data, len);
    enum tls_hello_result result = tls_hello_read(r, copy, len, out_used);
    free(copy);
    return result;
}

/* chunk 0: the bytes themselves give the sizes. */
static void run(struct outcome *o, bool is_second, const uint8_t *data, size_t size, size_t chunk)
{
    tls_hello_init(&o->reader, is_second);
    o->result = TLS_HELLO_MORE;
    o->used = 0;
    for (size_t at = 0; at < size && o->result == TLS_HELLO_MORE;) {
        size_t len = chunk > 0 ? chunk : data[at] % 40U + 1U;
        size_t used = 0;
        len = len < size - at ? len : size - at;
        o->result = read_copy(&o->reader, data + at, len, &used);
        expect(used <= len);
        if (o->result == TLS_HELLO_OK || o->result == TLS_HELLO_MORE) {
            expect(o->result == TLS_HELLO_OK || used == len);
            o->used += used;
        }
        at += len;
    }
}

static void parse(const struct outcome *o)
{
    struct tls_hello hello;
    size_t len = o->reader.len - TLS_RECORD_HEADER;
    expect(len >= 4 && len <= TLS_HELLO_MAX);
    uint8_t *copy = malloc(len);
    expect(copy != NULL);
    memcpy(copy, o->reader.record + TLS_RECORD_HEADER, len);
    enum tls_hello_result result = tls_hello_parse(copy, len, &hello);
    expect(result != TLS_HELLO_MORE && result != TLS_HELLO_NOT_TLS &&
           result != TLS_HELLO_NO_MEMORY);
    expect((tls_hello_alert(result) == 0) == (result == TLS_HELLO_OK));
    for (size_t i = 0; result == TLS_HELLO_OK && i < hello.server_name.len; i++) {
        expect(hello.server_name.data[i] > 0x20 && hello.server_name.data[i] < 0x7f);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t chunks[] = {1, 0};
    struct outcome whole;
    if (size < 2) {
        return 0;
    }
    bool is_second = (data[0] & 1) != 0;
    run(&whole, is_second, data + 1, size - 1, size - 1);
    for (size_t i = 0; i < 2; i++) {
        struct outcome other;
        run(&other, is_second, data + 1, size - 1, chunks[i]);
        expect(other.result == whole.result);
        if (whole.result == TLS_HELLO_OK) {
            expect(other.used == whole.used && other.reader.len == whole.reader.len &&
                   memcmp(other.reader.record, whole.reader.record, whole.reader.len) == 0);
        }
        tls_hello_done(&other.reader);
    }
    if (whole.result == TLS_HELLO_OK) {
        parse(&whole);
    }
    tls_hello_done(&whole.reader);
    return 0;
}
