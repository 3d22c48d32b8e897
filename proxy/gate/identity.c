/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/identity.h"

#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "io/signature.h"
#include "proto/token.h"

static const char *const words[IDENTITY_REASONS - JWT_REFUSALS] = {
    [IDENTITY_MISSING - JWT_REFUSALS] = "missing",
    [IDENTITY_MALFORMED - JWT_REFUSALS] = "malformed",
    [IDENTITY_TWICE - JWT_REFUSALS] = "twice",
    [IDENTITY_UNKNOWN_TOKEN - JWT_REFUSALS] = "unknown_token",
    [IDENTITY_EXPIRED_TOKEN - JWT_REFUSALS] = "expired_token",
    [IDENTITY_NAME - JWT_REFUSALS] = "name",
    [IDENTITY_UNKNOWN_USER - JWT_REFUSALS] = "unknown_user",
    [IDENTITY_WRONG_PASSWORD - JWT_REFUSALS] = "wrong_password",
    [IDENTITY_REVOKED - JWT_REFUSALS] = "revoked",
    [IDENTITY_NO_JTI - JWT_REFUSALS] = "no_jti",
    [IDENTITY_FAR_EXP - JWT_REFUSALS] = "far_exp",
    [IDENTITY_USED - JWT_REFUSALS] = "used",
};

const char *identity_reason_word(unsigned reason)
{
    assert(reason < IDENTITY_REASONS);
    return reason < JWT_REFUSALS ? jwt_refusal_word((enum jwt_refusal)reason)
                                 : words[reason - JWT_REFUSALS];
}

void identity_free(struct identity *who)
{
    while (who != NULL) {
        struct identity *also = who->also;
        mem_free(who);
        who = also;
    }
}

/* ---- making one ---- */

static struct span keep(char **room, struct span text)
{
    struct span kept = {*room, text.len};

    if (text.len > 0) {
        memcpy(*room, text.data, text.len);
    }
    *room += text.len;
    return kept;
}

/* The texts of `like` follow the struct in the same block. */
static struct identity *make(const struct identity *like)
{
    size_t len = like->auth.len + like->subject.len + like->id.len + like->kid.len;
    struct identity *who = mem_alloc(sizeof(*who) + len);

    if (who == NULL) {
        return NULL;
    }
    char *room = (char *)(who + 1);
    *who = *like;
    who->auth = keep(&room, like->auth);
    who->subject = keep(&room, like->subject);
    who->id = keep(&room, like->id);
    who->kid = keep(&room, like->kid);
    return who;
}

static enum identity_verdict refuse(const struct config_auth *auth, unsigned reason,
                                    const char *detail, struct identity_answer *out)
{
    out->auth = auth;
    out->reason = reason;
    out->detail = detail;
    return IDENTITY_REFUSED;
}

/* The earlier end of two, 0 is none. */
static uint64_t earlier(uint64_t a_s, uint64_t b_s)
{
    return a_s != 0 && (b_s == 0 || a_s < b_s) ? a_s : b_s;
}

/* The first proof with a subject, or else the first one, leads the others. */
static enum identity_verdict approve(const struct config_auth *auth, const struct identity *proof,
                                     struct identity_answer *out)
{
    const char *detail = identity_revoked_detail(proof, auth);
    if (detail != NULL) {
        return refuse(auth, IDENTITY_REVOKED, detail, out);
    }
    struct identity *who = make(proof);
    if (who == NULL) {
        return IDENTITY_NO_MEMORY;
    }
    who->type = auth->type;
    who->own_ends_s = who->ends_s;
    who->ends_s = auth->is_exp_entry_only ? 0 : who->ends_s;
    if (out->who == NULL) {
        out->who = who;
        return IDENTITY_OK;
    }
    who->ends_s = earlier(who->ends_s, out->who->ends_s);
    if (out->who->subject.len > 0 || who->subject.len == 0) {
        who->also = out->who->also;
        out->who->also = who;
        out->who->ends_s = who->ends_s;
    } else {
        who->also = out->who;
        out->who = who;
    }
    return IDENTITY_OK;
}

/* ---- the types of tokens ---- */

static uint64_t issued_of(const struct jwt *jwt)
{
    double issued_s = json_value_number(json_value_member(jwt->claims, SPAN_LIT("iat")));
    return issued_s > 0 ? (uint64_t)issued_s : 0; /* jwt_check has seen that it is a time */
}

/* Whether the token may be one of those that open one session. */
static enum identity_verdict check_ticket(const struct config_auth *auth, const struct jwt *jwt,
                                          uint64_t now_s, struct identity_answer *out)
{
    uint64_t age_s = (auth->ticket_age_ms + 999) / 1000 + auth->rules.leeway_s;

    if (jwt->id.len == 0) {
        return refuse(auth, IDENTITY_NO_JTI, "the token has no jti, and single_use needs one", out);
    }
    if (jwt->ends_s == 0 || jwt->ends_s - auth->rules.leeway_s > now_s + age_s) {
        return refuse(auth, IDENTITY_FAR_EXP,
                      "the exp of the single-use token lies further away than ticket_max_age", out);
    }
    return IDENTITY_OK;
}

static enum identity_verdict check_jwt(const struct config_auth *auth, struct span token,
                                       uint64_t now_s, struct identity_answer *out)
{
    struct jwt jwt;
    enum jwt_refusal refusal = jwt_check(token, &auth->rules, now_s, signature_prove, &jwt);

    if (refusal == JWT_NO_MEMORY) {
        return IDENTITY_NO_MEMORY;
    }
    if (refusal != JWT_OK) {
        return refuse(auth, refusal, jwt_refusal_detail(refusal), out);
    }
    const struct identity proof = {
        .auth = auth->name,
        .subject = jwt.subject,
        .id = jwt.id,
        .kid = jwt.kid,
        .key_mark = identity_mark_key(jwt.key),
        .issued_s = issued_of(&jwt),
        .ends_s = jwt.ends_s,
        .ticket_ends_s = auth->is_single_use ? jwt.ends_s : 0,
    };
    enum identity_verdict verdict =
        auth->is_single_use ? check_ticket(auth, &jwt, now_s, out) : IDENTITY_OK;
    if (verdict == IDENTITY_OK) {
        verdict = approve(auth, &proof, out);
    }
    jwt_done(&jwt);
    return verdict;
}

static enum identity_verdict check_listed(const struct config_auth *auth, struct span token,
                                          uint64_t now_s, struct identity_answer *out)
{
    struct identity proof = {.auth = auth->name};
    const struct accounts_entry *entry;

    if (!signature_digest(token, proof.digest)) {
        return IDENTITY_NO_MEMORY;
    }
    switch (accounts_find_token(&auth->accounts, proof.digest, now_s, &entry)) {
    case ACCOUNTS_GOOD:
        break;
    case ACCOUNTS_UNKNOWN:
        return refuse(auth, IDENTITY_UNKNOWN_TOKEN, "the file of tokens does not have the token",
                      out);
    case ACCOUNTS_EXPIRED:
        return refuse(auth, IDENTITY_EXPIRED_TOKEN,
                      "the file of tokens says that the token has expired", out);
    }
    proof.subject = entry->name;
    proof.ends_s = entry->ends_s;
    return approve(auth, &proof, out);
}

static enum identity_verdict check_token(const struct config_auth *auth, struct span token,
                                         uint64_t now_s, struct identity_answer *out)
{
    switch (auth->type) {
    case CONFIG_AUTH_JWT:
        return check_jwt(auth, token, now_s, out);
    case CONFIG_AUTH_TOKENS:
        return check_listed(auth, token, now_s, out);
    case CONFIG_AUTH_CERTIFICATE:
        break;              /* no credential of its kind is a token */
    case CONFIG_AUTH_BASIC: /* a password is no token */
        break;
    }
    return IDENTITY_REFUSED;
}

/* ---- certificates ---- */

/* The name that lets the client in; empty: none does. */
static struct span find_name(const struct config_auth *auth, const struct peer_cert *cert)
{
    if (auth->client_name_count == 0) {
        return peer_cert_title(cert);
    }
    for (size_t i = 0; i < auth->client_name_count; i++) {
        const struct peer_cert_name *name = peer_cert_find(cert, auth->client_names[i]);

        if (name != NULL) {
            return name->text;
        }
    }
    return (struct span){NULL, 0};
}

static enum identity_verdict check_certificate(const struct config_auth *auth,
                                               const struct identity_question *question,
                                               struct identity_answer *out)
{
    const struct peer_cert *cert = question->certificate;

    if (cert == NULL) {
        return refuse(auth, IDENTITY_MISSING, "the client has shown no certificate", out);
    }
    /* notAfter is the last second in which the certificate is good. */
    const struct identity proof = {
        .auth = auth->name,
        .subject = find_name(auth, cert),
        .ends_s = cert->ends_s < 0 ? 1 : (uint64_t)cert->ends_s + 1,
    };
    if (proof.subject.len == 0) {
        return refuse(auth, IDENTITY_NAME, "the client's certificate has none of the names", out);
    }
    if (proof.ends_s <= question->now_s) { /* since the handshake */
        return refuse(auth, JWT_EXPIRED, "the client's certificate has expired", out);
    }
    return approve(auth, &proof, out);
}

/* ---- requests ---- */

static enum identity_verdict refuse_find(const struct config_auth *auth, enum token_result result,
                                         const char *detail, struct identity_answer *out)
{
    switch (result) {
    case TOKEN_FOUND:
        break;
    case TOKEN_LATER:
        return IDENTITY_LATER;
    case TOKEN_NONE:
        return refuse(auth, IDENTITY_MISSING,
                      auth->credential == CONFIG_PASSWORD
                          ? "the request has no user and password (Authorization: Basic)"
                          : "the request has no token where auth_from looks",
                      out);
    case TOKEN_BAD:
        return refuse(auth, IDENTITY_MALFORMED, detail, out);
    case TOKEN_TWICE:
        return refuse(auth, IDENTITY_TWICE, detail, out);
    case TOKEN_TOO_LONG:
        return refuse(auth, JWT_TOO_LONG, detail, out);
    case TOKEN_NO_MEMORY:
        return IDENTITY_NO_MEMORY;
    }
    return IDENTITY_OK;
}

static enum identity_verdict ask_for_token(const struct config_auth *auth,
                                           const struct identity_question *question,
                                           struct identity_answer *out)
{
    const struct token_question places = {
        .request = question->request,
        .sources = question->route->auth_from,
        .source_count = question->route->auth_from_count,
        .is_from_trusted_proxy = question->is_from_trusted_proxy,
    };
    struct token token = {.bytes = NULL};
    enum token_result result = token_find(&places, &token);
    enum identity_verdict verdict = result == TOKEN_FOUND
                                        ? check_token(auth, token.text, question->now_s, out)
                                        : refuse_find(auth, result, token.detail, out);
    token_done(&token);
    return verdict;
}

/* ---- passwords ---- */

/* Takes over the token when the password is to be asked about. */
static enum identity_verdict judge_password(const struct config_auth *auth,
                                            const struct identity_question *question,
                                            struct token *token, struct identity_answer *out)
{
    const struct accounts_entry *entry = accounts_find_user(&auth->accounts, token->user);
    struct identity proof = {.auth = auth->name};

    switch (question->password) {
    case IDENTITY_NOT_ASKED:
        out->password = *token;
        *token = (struct token){.bytes = NULL};
        out->hash = entry != NULL ? entry->hash : accounts_decoy(&auth->accounts);
        out->is_decoy = entry == NULL;
        out->cache_ms = auth->cache_ms;
        return IDENTITY_WAIT;
    case IDENTITY_RIGHT:
        if (entry == NULL || !span_is_equal(entry->hash, question->hash)) {
            return refuse(auth, entry == NULL ? IDENTITY_UNKNOWN_USER : IDENTITY_WRONG_PASSWORD,
                          "a reload took the user or the password away", out);
        }
        proof.subject = token->user;
        proof.key_mark = identity_mark_text(entry->hash);
        return approve(auth, &proof, out);
    case IDENTITY_WRONG:
        break;
    }
    return entry == NULL ? refuse(auth, IDENTITY_UNKNOWN_USER,
                                  "the file of passwords does not have the user", out)
                         : refuse(auth, IDENTITY_WRONG_PASSWORD, "the password is wrong", out);
}

static enum identity_verdict ask_for_password(const struct config_auth *auth,
                                              const struct identity_question *question,
                                              struct identity_answer *out)
{
    const struct token_source basic = {.place = TOKEN_BASIC};
    const struct token_question places = {
        .request = question->request, .sources = &basic, .source_count = 1, .wants_password = true};
    struct token token = {.bytes = NULL};
    enum token_result result = token_find(&places, &token);
    enum identity_verdict verdict = result == TOKEN_FOUND
                                        ? judge_password(auth, question, &token, out)
                                        : refuse_find(auth, result, token.detail, out);
    token_done(&token);
    return verdict;
}

/* Whatever comes out, only IDENTITY_OK brings an identity. */
static enum identity_verdict finish(enum identity_verdict verdict, struct identity_answer *out)
{
    if (verdict != IDENTITY_OK) {
        identity_free(out->who);
        out->who = NULL;
    }
    if (verdict != IDENTITY_WAIT) {
        token_done(&out->password);
    }
    return verdict;
}

/* What a section puts off, a password or the token, does not spare the client the others: nobody
 * asks about a password, or for a first message, where something else refuses. */
struct later {
    bool is_waiting;
    bool is_later;
};

static enum identity_verdict put_off(struct later *later, enum identity_verdict verdict)
{
    later->is_waiting = later->is_waiting || verdict == IDENTITY_WAIT;
    later->is_later = later->is_later || verdict == IDENTITY_LATER;
    return verdict == IDENTITY_WAIT || verdict == IDENTITY_LATER ? IDENTITY_OK : verdict;
}

static enum identity_verdict take_up(const struct later *later, enum identity_verdict verdict)
{
    if (verdict != IDENTITY_OK) {
        return verdict;
    }
    if (later->is_waiting) {
        return IDENTITY_WAIT;
    }
    return later->is_later ? IDENTITY_LATER : IDENTITY_OK;
}

enum identity_verdict identity_of_request(const struct identity_question *question,
                                          struct identity_answer *out)
{
    const struct config_route *route = question->route;
    enum identity_verdict verdict = IDENTITY_OK;
    struct later later = {.is_waiting = false};

    *out = (struct identity_answer){.who = NULL};
    for (size_t i = 0; i < route->auth_count && verdict == IDENTITY_OK; i++) {
        switch (route->auths[i]->credential) {
        case CONFIG_TOKEN:
            verdict = ask_for_token(route->auths[i], question, out);
            break;
        case CONFIG_CERTIFICATE:
            verdict = check_certificate(route->auths[i], question, out);
            break;
        case CONFIG_PASSWORD:
            verdict = ask_for_password(route->auths[i], question, out);
            break;
        }
        verdict = put_off(&later, verdict);
    }
    return finish(take_up(&later, verdict), out);
}

enum identity_verdict identity_of_token(const struct identity_question *question, struct span token,
                                        struct identity_answer *out)
{
    const struct config_route *route = question->route;
    enum identity_verdict verdict = IDENTITY_OK;

    *out = (struct identity_answer){.who = NULL};
    for (size_t i = 0; i < route->auth_count && verdict == IDENTITY_OK; i++) {
        switch (route->auths[i]->credential) {
        case CONFIG_TOKEN:
            verdict = check_token(route->auths[i], token, question->now_s, out);
            break;
        case CONFIG_CERTIFICATE:
            verdict = check_certificate(route->auths[i], question, out);
            break;
        case CONFIG_PASSWORD:
            verdict = ask_for_password(route->auths[i], question, out);
            break;
        }
        if (verdict == IDENTITY_WAIT) {
            verdict = refuse(route->auths[i], IDENTITY_MISSING,
                             "a reload brought a password, which nobody has asked about", out);
        }
    }
    return finish(verdict, out);
}

bool identity_certificate_holds(const struct config_route *route, const struct peer_cert *cert,
                                const struct config *config)
{
    for (size_t i = 0; i < route->auth_count; i++) {
        for (size_t k = 0; k < config->auth_count; k++) {
            const struct config_auth *now = &config->auths[k];

            if (route->auths[i]->type == CONFIG_AUTH_CERTIFICATE &&
                now->type == route->auths[i]->type &&
                span_is_equal(now->name, route->auths[i]->name) && find_name(now, cert).len == 0) {
                return false;
            }
        }
    }
    return true;
}
