/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/tls_ticket.h"

#include <string.h>
#include <sys/random.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/hmac.h>

enum { KEY_LEN = 32, GCM_IV = 12, GCM_TAG = 16, NAME_MAX_LEN = 255 };

void tls_ticket_init(struct tls_ticket_keys *keys, const uint8_t seed[TLS_TICKET_SEED])
{
    tls_ticket_done(keys);
    memcpy(keys->seed, seed, TLS_TICKET_SEED);
}

void tls_ticket_done(struct tls_ticket_keys *keys)
{
    explicit_bzero(keys, sizeof(*keys));
}

/* out = HMAC-SHA256(seed, label, epoch) */
static bool derive(const uint8_t *seed, const char *label, uint64_t epoch, uint8_t out[KEY_LEN])
{
    Hmac hmac;
    uint8_t number[8];
    for (size_t i = 0; i < sizeof(number); i++) {
        number[i] = (uint8_t)(epoch >> (56 - 8 * i));
    }
    if (wc_HmacInit(&hmac, NULL, INVALID_DEVID) != 0) {
        return false;
    }
    bool ok = wc_HmacSetKey(&hmac, WC_SHA256, seed, TLS_TICKET_SEED) == 0 &&
              wc_HmacUpdate(&hmac, (const byte *)label, (word32)strlen(label)) == 0 &&
              wc_HmacUpdate(&hmac, number, sizeof(number)) == 0 && wc_HmacFinal(&hmac, out) == 0;
    wc_HmacFree(&hmac);
    return ok;
}

/* The slot of an epoch. A new key takes the place of the one two epochs older. */
static const struct tls_ticket_key *key_of(struct tls_ticket_keys *keys, uint64_t epoch)
{
    struct tls_ticket_key *slot = &keys->slots[epoch % 2];
    if (slot->is_made && slot->epoch == epoch) {
        return slot;
    }
    uint8_t name[KEY_LEN];
    explicit_bzero(slot, sizeof(*slot));
    if (!derive(keys->seed, "sluice ticket name", epoch, name) ||
        !derive(keys->seed, "sluice ticket key", epoch, slot->key)) {
        return NULL;
    }
    memcpy(slot->name, name, TLS_TICKET_NAME);
    slot->epoch = epoch;
    slot->is_made = true;
    return slot;
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

static bool start_cipher(Aes *aes, const struct tls_ticket_key *key)
{
    if (wc_AesInit(aes, NULL, INVALID_DEVID) != 0) {
        return false;
    }
    if (wc_AesGcmSetKey(aes, key->key, KEY_LEN) != 0) {
        wc_AesFree(aes);
        return false;
    }
    return true;
}

bool tls_ticket_lock(struct tls_ticket_keys *keys, uint64_t now_s, struct span server_name,
                     const struct tls_ticket *ticket)
{
    const struct tls_ticket_key *key = key_of(keys, now_s / TLS_TICKET_EPOCH_S);
    struct binding bound;
    Aes aes;
    if (key == NULL || getrandom(ticket->iv, TLS_TICKET_IV, 0) != TLS_TICKET_IV) {
        return false;
    }
    memcpy(ticket->name, key->name, TLS_TICKET_NAME);
    memset(ticket->mac, 0, TLS_TICKET_MAC);
    if (!make_binding(ticket, server_name, &bound) || !start_cipher(&aes, key)) {
        return false;
    }
    int result = wc_AesGcmEncrypt(&aes, ticket->data, ticket->data, (word32)ticket->len, ticket->iv,
                                  GCM_IV, ticket->mac, GCM_TAG, bound.bytes, bound.len);
    wc_AesFree(&aes);
    return result == 0;
}

static bool is_named(const struct tls_ticket_key *key, const struct tls_ticket *ticket)
{
    return key != NULL && memcmp(ticket->name, key->name, TLS_TICKET_NAME) == 0;
}

enum tls_ticket_result tls_ticket_open(struct tls_ticket_keys *keys, uint64_t now_s,
                                       struct span server_name, const struct tls_ticket *ticket)
{
    uint64_t epoch = now_s / TLS_TICKET_EPOCH_S;
    enum tls_ticket_result opened = TLS_TICKET_OPENED;
    const struct tls_ticket_key *key = key_of(keys, epoch);
    if (!is_named(key, ticket) && epoch > 0) {
        opened = TLS_TICKET_OLD;
        key = key_of(keys, epoch - 1);
    }
    struct binding bound;
    Aes aes;
    if (!is_named(key, ticket) || !make_binding(ticket, server_name, &bound) ||
        !start_cipher(&aes, key)) {
        return TLS_TICKET_REJECTED;
    }
    int result = wc_AesGcmDecrypt(&aes, ticket->data, ticket->data, (word32)ticket->len, ticket->iv,
                                  GCM_IV, ticket->mac, GCM_TAG, bound.bytes, bound.len);
    wc_AesFree(&aes);
    return result == 0 ? opened : TLS_TICKET_REJECTED;
}
