/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/tls_ticket.h"

#include <string.h>
#include <sys/random.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/hmac.h>

enum { KEY_LEN = 32, GCM_IV = 12, GCM_TAG = 16, NAME_MAX_LEN = 255 };
/* Epochs, a hundred years: a clock that jumps farther does not keep us busy. */
enum { STEPS_MAX = 100 * 365 * 2 };

void tls_ticket_done(struct tls_ticket_keys *keys)
{
    explicit_bzero(keys, sizeof(*keys));
}

/* out = HMAC-SHA256(seed, label) */
static bool derive(const uint8_t *seed, const char *label, uint8_t out[KEY_LEN])
{
    Hmac hmac;
    if (wc_HmacInit(&hmac, NULL, INVALID_DEVID) != 0) {
        return false;
    }
    bool ok = wc_HmacSetKey(&hmac, WC_SHA256, seed, TLS_TICKET_SEED) == 0 &&
              wc_HmacUpdate(&hmac, (const byte *)label, (word32)strlen(label)) == 0 &&
              wc_HmacFinal(&hmac, out) == 0;
    wc_HmacFree(&hmac);
    explicit_bzero(&hmac, sizeof(hmac));
    return ok;
}

static bool make_key(const uint8_t *seed, struct tls_ticket_key *out)
{
    uint8_t name[KEY_LEN];
    if (!derive(seed, "sluice ticket name", name) || !derive(seed, "sluice ticket key", out->key)) {
        return false;
    }
    memcpy(out->name, name, TLS_TICKET_NAME);
    out->is_made = true;
    return true;
}

bool tls_ticket_init(struct tls_ticket_keys *keys, const uint8_t seed[TLS_TICKET_SEED],
                     uint64_t now_s)
{
    tls_ticket_done(keys);
    keys->epoch = now_s / TLS_TICKET_EPOCH_S;
    memcpy(keys->seed, seed, TLS_TICKET_SEED);
    if (!make_key(keys->seed, &keys->now)) {
        tls_ticket_done(keys);
        return false;
    }
    return true;
}

/* One epoch further. */
static bool step(struct tls_ticket_keys *keys)
{
    struct tls_ticket_keys next = {.epoch = keys->epoch + 1, .before = keys->now};
    bool ok = derive(keys->seed, "sluice ticket seed", next.seed) && make_key(next.seed, &next.now);
    if (ok) {
        explicit_bzero(keys, sizeof(*keys));
        *keys = next;
    }
    explicit_bzero(&next, sizeof(next));
    return ok;
}

bool tls_ticket_advance(struct tls_ticket_keys *keys, uint64_t now_s)
{
    uint64_t epoch = now_s / TLS_TICKET_EPOCH_S;
    for (unsigned i = 0; keys->epoch < epoch && i < STEPS_MAX; i++) {
        if (!step(keys)) {
            return false;
        }
    }
    if (keys->epoch < epoch) {
        keys->epoch = epoch;
    }
    return true;
}

/* The additional data that binds a ticket: key name, IV and server name. */
struct binding {
    uint8_t bytes[TLS_TICKET_NAME + TLS_TICKET_IV + NAME_MAX_LEN];
    word32 len;
};

static bool make_binding(const struct tls_ticket *ticket, struct span server_name,
                         struct binding *out)
{
    if (server_name.len > NAME_MAX_LEN) {
        return false;
    }
    memcpy(out->bytes, ticket->name, TLS_TICKET_NAME);
    memcpy(out->bytes + TLS_TICKET_NAME, ticket->iv, TLS_TICKET_IV);
    out->len = TLS_TICKET_NAME + TLS_TICKET_IV;
    for (size_t i = 0; i < server_name.len; i++) {
        char c = server_name.data[i];
        out->bytes[out->len++] = (uint8_t)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    return true;
}

static void end_cipher(Aes *aes)
{
    wc_AesFree(aes);
    explicit_bzero(aes, sizeof(*aes));
}

static bool start_cipher(Aes *aes, const struct tls_ticket_key *key)
{
    if (wc_AesInit(aes, NULL, INVALID_DEVID) != 0) {
        return false;
    }
    if (wc_AesGcmSetKey(aes, key->key, KEY_LEN) != 0) {
        end_cipher(aes);
        return false;
    }
    return true;
}

bool tls_ticket_lock(struct tls_ticket_keys *keys, uint64_t now_s, struct span server_name,
                     const struct tls_ticket *ticket)
{
    struct binding bound;
    Aes aes;
    if (!tls_ticket_advance(keys, now_s) ||
        getrandom(ticket->iv, TLS_TICKET_IV, 0) != TLS_TICKET_IV) {
        return false;
    }
    memcpy(ticket->name, keys->now.name, TLS_TICKET_NAME);
    memset(ticket->mac, 0, TLS_TICKET_MAC);
    if (!make_binding(ticket, server_name, &bound) || !start_cipher(&aes, &keys->now)) {
        return false;
    }
    int result = wc_AesGcmEncrypt(&aes, ticket->data, ticket->data, (word32)ticket->len, ticket->iv,
                                  GCM_IV, ticket->mac, GCM_TAG, bound.bytes, bound.len);
    end_cipher(&aes);
    return result == 0;
}

static bool is_named(const struct tls_ticket_key *key, const struct tls_ticket *ticket)
{
    return key->is_made && memcmp(ticket->name, key->name, TLS_TICKET_NAME) == 0;
}

enum tls_ticket_result tls_ticket_open(struct tls_ticket_keys *keys, uint64_t now_s,
                                       struct span server_name, const struct tls_ticket *ticket)
{
    struct binding bound;
    Aes aes;
    if (!tls_ticket_advance(keys, now_s)) {
        return TLS_TICKET_REJECTED;
    }
    bool is_old = !is_named(&keys->now, ticket);
    const struct tls_ticket_key *key = is_old ? &keys->before : &keys->now;
    if (!is_named(key, ticket) || !make_binding(ticket, server_name, &bound) ||
        !start_cipher(&aes, key)) {
        return TLS_TICKET_REJECTED;
    }
    int result = wc_AesGcmDecrypt(&aes, ticket->data, ticket->data, (word32)ticket->len, ticket->iv,
                                  GCM_IV, ticket->mac, GCM_TAG, bound.bytes, bound.len);
    end_cipher(&aes);
    if (result != 0) {
        return TLS_TICKET_REJECTED;
    }
    return is_old ? TLS_TICKET_OLD : TLS_TICKET_OPENED;
}
