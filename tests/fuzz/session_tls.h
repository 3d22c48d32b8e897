/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session_tls.h: io/tls for the client of the fuzzed session, in the place of the real one. It
 * keeps the contract of the real one's header, and its encryption is so weak that the model can
 * read everything. The client sends the bytes themselves, in records that the gateway needs whole.
 * Towards the client, tls_seal changes each byte by TLS_PAD. So the client notices a byte that
 * passed tls_seal not at all, or twice. */
#ifndef FUZZ_SESSION_TLS_H
#define FUZZ_SESSION_TLS_H

#include "session_wire.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN
#endif
#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, len) ((void)(at), (void)(len))
#define ASAN_UNPOISON_MEMORY_REGION(at, len) ((void)(at), (void)(len))
#endif

#define RED_ZONE 64
#define TLS_PAD 0x55
#define TLS_NOTIFY 0x15
#define TLS_FLOOD_BYTES ((size_t)300 * 1024) /* more than any queue takes */

UNWATCHED_BEGIN

/* --- plain scratch ----------------------------------------------------------------------------*/

static uint8_t *plain_end; /* NULL: the target guards nothing */

static void unguard_plain(void)
{
    if (plain_end != NULL) {
        ASAN_UNPOISON_MEMORY_REGION(plain_end, RED_ZONE);
        plain_end = NULL;
    }
}

/* Nobody may touch what lies behind the bytes of the last read. Before the 101 there is no guard,
 * because the session writes its answer there. */
static void guard_plain(size_t len)
{
    if (wire.status == 101 && len + RED_ZONE <= SCRATCH_PLAIN) {
        plain_end = scratch.plain + len;
        ASAN_POISON_MEMORY_REGION(plain_end, RED_ZONE);
    }
}

/* --- what the client says ---------------------------------------------------------------------*/

/* Returns how much of a record stands in front of this place of the stream. */
static size_t record_begun(uint64_t at)
{
    size_t begun = (size_t)(at % (RECORD_BYTES + SHORT_RECORD_BYTES));
    return begun < RECORD_BYTES ? begun : begun - RECORD_BYTES;
}

static uint8_t *make_wire(struct tls *tls, struct tls_wire *out, size_t len)
{
    uint8_t *at = out->data + out->len;
    expect(out->len + len <= out->size, "room for wire bytes");
    out->len += len;
    tls->made_bytes += tls->is_finished ? 0 : len; /* nothing leaves behind close_notify */
    return at;
}

/* Returns how many of the bytes belong to the handshake. */
static size_t shake_hands(struct tls *tls, size_t len, struct tls_wire *out)
{
    if (tls->handshake_left == 0) {
        return 0;
    }
    size_t done = len < tls->handshake_left ? len : tls->handshake_left;
    tls->handshake_left -= done;
    if (tls->handshake_left == 0) {
        memset(make_wire(tls, out, TICKET_BYTES), 't', TICKET_BYTES);
    }
    return done;
}

/* Hands out the whole records and keeps the beginning of the next one. */
static size_t open_records(struct tls *tls, const uint8_t *wire_bytes, size_t len, uint8_t *plain)
{
    size_t total = tls->held_len + len;
    bool is_cut = memory_waiting(&world.client) > 0;
    tls->fed_bytes += len;
    size_t begun = is_cut ? record_begun(tls->fed_bytes) : 0;
    begun = begun < total ? begun : total;
    size_t whole = total - begun;
    if (whole < tls->held_len) {
        expect(whole == 0, "a record ends where the next one begins");
        memcpy(tls->held + tls->held_len, wire_bytes, len);
    } else if (whole > 0 || len > 0) {
        size_t used = whole - tls->held_len;
        memcpy(plain, tls->held, tls->held_len);
        memcpy(plain + tls->held_len, wire_bytes, used);
        memcpy(tls->held, wire_bytes + used, begun);
    }
    tls->held_len = begun;
    return whole;
}

static enum tls_result end_input(struct tls *tls, size_t *plain_len, struct tls_wire *out)
{
    switch (tls->end) {
    case TLS_END_NONE:
        break;
    case TLS_END_NOTIFY:
        return TLS_EOF;
    case TLS_END_FAILURE:
        *plain_len = 0;
        tls->is_failed = true;
        return TLS_FAILED;
    case TLS_END_NO_MEMORY: /* no memory for what TLS itself answers */
        tls->end = TLS_END_NONE;
        world.client.budget_bytes = 0;
        memset(make_wire(tls, out, TLS_FLOOD_BYTES), 0, TLS_FLOOD_BYTES);
        break;
    }
    return TLS_OK;
}

enum tls_result tls_feed(struct tls *tls, const uint8_t *wire_bytes, size_t len, uint8_t *plain,
                         size_t plain_size, size_t *out_plain_len, struct tls_wire *out)
{
    /* The last byte stands for the end. */
    bool is_end = tls->end != TLS_END_NONE && memory_waiting(&world.client) == 0;
    expect(tls->is_live && plain_size >= len + TLS_PLAIN_EXTRA, "tls_feed's room");
    unguard_plain();
    len -= is_end ? 1 : 0;
    size_t done = shake_hands(tls, len, out);
    *out_plain_len = open_records(tls, wire_bytes + done, len - done, plain);
    enum tls_result result = is_end ? end_input(tls, out_plain_len, out) : TLS_OK;
    guard_plain(*out_plain_len);
    return result;
}

/* --- what the client gets ---------------------------------------------------------------------*/

static void pad(uint8_t *to, const uint8_t *from, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        to[i] = from[i] ^ TLS_PAD;
    }
}

enum tls_result tls_seal(struct tls *tls, const uint8_t *data, size_t len, struct tls_wire *out)
{
    expect(tls->is_live && !tls->is_finished && !tls->is_failed, "nothing is sealed at the end");
    pad(make_wire(tls, out, len), data, len);
    return TLS_OK;
}

void tls_finish(struct tls *tls, struct tls_wire *out)
{
    expect(tls->is_live && !tls->is_finished && !tls->is_failed, "one close_notify");
    if (tls->handshake_left == 0) {
        *make_wire(tls, out, 1) = TLS_NOTIFY;
        tls->is_finished = true;
    }
}

/* What the client reads of its TLS: first a ticket, and at last the close_notify. */
static void tls_heard(struct tls *tls, const uint8_t *data, size_t len)
{
    static uint8_t plain[4096];
    while (len > 0) {
        size_t part = len < sizeof(plain) ? len : sizeof(plain);
        expect(tls->heard_bytes < tls->made_bytes, "every byte comes through TLS");
        if (tls->heard_bytes < TICKET_BYTES) {
            part = 1;
        } else if (tls->is_finished && tls->heard_bytes == tls->made_bytes - 1) {
            expect(*data == TLS_NOTIFY && len == 1, "a close_notify at the end");
        } else {
            size_t left = (size_t)(tls->made_bytes - tls->heard_bytes) - (tls->is_finished ? 1 : 0);
            part = part < left ? part : left;
            pad(plain, data, part);
            wire_got(plain, part);
        }
        tls->heard_bytes += part;
        data += part;
        len -= part;
    }
}

/* --- the rest ---------------------------------------------------------------------------------*/

bool tls_is_established(const struct tls *tls)
{
    return tls->handshake_left == 0;
}

bool tls_has_heard(const struct tls *tls)
{
    (void)tls;
    return true;
}

bool tls_is_resumed(const struct tls *tls)
{
    (void)tls;
    return false;
}

struct peer_cert *tls_take_peer(struct tls *tls)
{
    (void)tls;
    return NULL; /* no listener asks for a certificate */
}

const char *tls_library_version(void)
{
    return "none";
}

const char *tls_version_name(const struct tls *tls)
{
    return tls_is_established(tls) ? "TLSv1.3" : "";
}

const char *tls_suite_name(const struct tls *tls)
{
    return tls_is_established(tls) ? "TLS_AES_128_GCM_SHA256" : "";
}

struct span tls_protocol(const struct tls *tls)
{
    (void)tls;
    return SPAN_LIT("http/1.1");
}

const char *tls_detail(const struct tls *tls)
{
    return tls->is_failed ? "a record that the world broke" : NULL;
}

struct span tls_sni(const struct tls *tls)
{
    (void)tls;
    return SPAN_LIT("example.com");
}

/* No backend of the world is tls://. */
struct tls_context *tls_context_new(const struct tls_settings *settings, const char **out_detail)
{
    (void)settings;
    *out_detail = "none";
    return NULL;
}

void tls_context_share(struct tls_context *context)
{
    (void)context;
}

void tls_context_free(struct tls_context *context)
{
    (void)context;
}

void tls_free(struct tls *tls)
{
    expect(tls == NULL || tls->is_live, "TLS is freed once");
    if (tls != NULL) {
        tls->is_live = false;
    }
}

UNWATCHED_END

#endif
