/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Does a proof still hold? What was signed or listed once may have been taken back since. */
#include <stddef.h>

#include "base/siphash.h"
#include "gate/identity.h"

uint64_t identity_mark_key(const struct sigkey *key)
{
    /* The keys are the operator's own: nobody looks for two with one mark. */
    static const uint8_t open_key[SIPHASH_KEY_BYTES] = {0};
    struct siphash h;

    siphash_begin(&h, open_key);
    siphash_add(&h, &key->alg, sizeof(key->alg));
    siphash_add(&h, &key->exponent, sizeof(key->exponent));
    siphash_add(&h, key->number, key->len);
    return siphash_end(&h);
}

const char *identity_revoked_detail(const struct identity *proof, const struct config_auth *auth)
{
    if (revoked_has(&auth->revoked, REVOKED_JTI, proof->id)) {
        return "the jti of the token stands in the file of what is revoked";
    }
    if (revoked_has(&auth->revoked, REVOKED_SUB, proof->subject)) {
        return "the subject stands in the file of what is revoked";
    }
    if (revoked_has(&auth->revoked, REVOKED_KID, proof->kid)) {
        return "the kid of the token's key stands in the file of what is revoked";
    }
    return NULL;
}

uint64_t identity_mark_text(struct span text)
{
    static const uint8_t open_key[SIPHASH_KEY_BYTES] = {0};
    struct siphash h;

    siphash_begin(&h, open_key);
    siphash_add(&h, text.data, text.len);
    return siphash_end(&h);
}

static bool has_key(const struct config_auth *auth, uint64_t mark)
{
    for (size_t i = 0; i < auth->keys.count; i++) {
        if (identity_mark_key(&auth->keys.items[i].key) == mark) {
            return true;
        }
    }
    return false;
}

/* NULL, or why the proof holds no more. */
static const char *look(struct identity *proof, const struct config_auth *auth)
{
    const struct accounts_entry *entry;

    if (auth->type != proof->type) {
        return "the [auth] section has another type now";
    }
    switch (auth->type) {
    case CONFIG_AUTH_JWT:
        if (auth->is_key_removal_final && !has_key(auth, proof->key_mark)) {
            return "the key that has signed the token is gone";
        }
        break;
    case CONFIG_AUTH_TOKENS:
        entry = accounts_find_digest(&auth->accounts, proof->digest);
        if (entry == NULL || !span_is_equal(entry->name, proof->subject)) {
            return "the file of tokens has the token no more";
        }
        proof->own_ends_s = entry->ends_s;
        break;
    case CONFIG_AUTH_BASIC:
        entry = accounts_find_user(&auth->accounts, proof->subject);
        if (entry == NULL || identity_mark_text(entry->hash) != proof->key_mark) {
            return "the file of passwords has the user no more, or another hash";
        }
        break;
    case CONFIG_AUTH_CERTIFICATE: /* see session_end_revoked */
        break;
    }
    return identity_revoked_detail(proof, auth);
}

struct identity *identity_ticket(struct identity *who)
{
    while (who != NULL && who->ticket_ends_s == 0) {
        who = who->also;
    }
    return who;
}

static const struct config_auth *find_auth(const struct config *config, struct span name)
{
    for (size_t i = 0; i < config->auth_count; i++) {
        if (span_is_equal(config->auths[i].name, name)) {
            return &config->auths[i];
        }
    }
    return NULL;
}

bool identity_holds(struct identity *who, const struct config *config, enum life_ending *out_ending,
                    const char **out_detail)
{
    uint64_t ends_s = 0;

    for (struct identity *proof = who; proof != NULL; proof = proof->also) {
        const struct config_auth *auth = find_auth(config, proof->auth);
        *out_detail = auth != NULL ? look(proof, auth) : "the [auth] section is gone";
        if (*out_detail != NULL) {
            *out_ending = LIFE_AUTH_REVOKED;
            return false;
        }
        if (proof->own_ends_s != 0 && !auth->is_exp_entry_only &&
            (ends_s == 0 || proof->own_ends_s < ends_s)) {
            ends_s = proof->own_ends_s;
        }
    }
    if (who != NULL) {
        who->ends_s = ends_s;
    }
    return true;
}
