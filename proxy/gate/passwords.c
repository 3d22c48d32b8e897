/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/passwords.h"

#include <assert.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/sigkey.h"
#include "gate/hasher.h"
#include "io/signature.h"

#define DIGEST_LEN SIGNATURE_DIGEST_LEN
#define SECRET_LEN 32
#define CACHE_WAYS 8 /* places of one digest */
#define TRIES 2      /* the hasher may die once */

struct cached {
    uint8_t digest[DIGEST_LEN];
    uint64_t at_ms; /* when the hasher said so; 0: an empty place */
};

struct passwords {
    struct reactor *reactor;
    int channel_fd;
    struct list asks;
    size_t waiting_count;
    struct cached *cache; /* PASSWORDS_CACHED places; NULL until there is a right answer */
    uint8_t secret[SECRET_LEN];
};

struct passwords_ask {
    struct list link;
    struct passwords *passwords;
    struct reactor_io io; /* on the descriptor of the answer */
    passwords_fn *on_answer;
    void *owner;
    unsigned tries;
    bool is_decoy;
    bool is_kept; /* a right answer goes into the cache */
    uint8_t digest[DIGEST_LEN];
    struct hasher_question question;
};

struct passwords *passwords_new(struct reactor *reactor, int channel_fd)
{
    struct passwords *p = mem_alloc_zero(sizeof(*p));
    if (p == NULL) {
        return NULL;
    }
    list_init(&p->asks);
    p->reactor = reactor;
    p->channel_fd = channel_fd;
    if (getrandom(p->secret, sizeof(p->secret), 0) != (ssize_t)sizeof(p->secret)) {
        mem_free(p);
        return NULL;
    }
    return p;
}

void passwords_free(struct passwords *p)
{
    if (p == NULL) {
        return;
    }
    assert(p->waiting_count == 0);
    if (p->cache != NULL) {
        explicit_bzero(p->cache, PASSWORDS_CACHED * sizeof(*p->cache));
        mem_free(p->cache);
    }
    explicit_bzero(p, sizeof(*p));
    mem_free(p);
}

/* --- the cache ------------------------------------------------------------------------------- */

/* The secret, then each text with its length in front. Nobody sees a digest, so nobody can extend
 * one. */
#define TEXT_MAX (SECRET_LEN + ACCOUNTS_HASH_MAX + ACCOUNTS_NAME_MAX + ACCOUNTS_PASSWORD_MAX + 6)

static size_t add_text(uint8_t *out, size_t at, struct span text)
{
    out[at] = (uint8_t)(text.len >> 8);
    out[at + 1] = (uint8_t)text.len;
    if (text.len > 0) {
        memcpy(out + at + 2, text.data, text.len);
    }
    return at + 2 + text.len;
}

static bool make_digest(const struct passwords *p, const struct passwords_question *question,
                        uint8_t out[DIGEST_LEN])
{
    uint8_t text[TEXT_MAX];
    if (question->user.len > ACCOUNTS_NAME_MAX) {
        return false;
    }
    memcpy(text, p->secret, SECRET_LEN);
    size_t len = add_text(text, SECRET_LEN, question->hash);
    len = add_text(text, len, question->user);
    len = add_text(text, len, question->password);
    bool is_made = signature_digest((struct span){(const char *)text, len}, out);
    explicit_bzero(text, sizeof(text));
    return is_made;
}

static struct cached *places_of(struct passwords *p, const uint8_t digest[DIGEST_LEN])
{
    size_t set = (size_t)(digest[0] | digest[1] << 8) % (PASSWORDS_CACHED / CACHE_WAYS);
    return &p->cache[set * CACHE_WAYS];
}

static bool is_digest(const struct cached *cached, const uint8_t digest[DIGEST_LEN])
{
    const struct span kept = {(const char *)cached->digest, DIGEST_LEN};
    return cached->at_ms != 0 &&
           sigkey_is_same(kept, (struct span){(const char *)digest, DIGEST_LEN});
}

static bool is_cached(struct passwords *p, const uint8_t digest[DIGEST_LEN], uint64_t cache_ms)
{
    uint64_t now_ms = reactor_now_ms(p->reactor);
    bool is_found = false;
    if (p->cache == NULL) {
        return false;
    }
    const struct cached *places = places_of(p, digest);
    for (size_t i = 0; i < CACHE_WAYS; i++) {
        is_found =
            is_found || (is_digest(&places[i], digest) && now_ms - places[i].at_ms < cache_ms);
    }
    return is_found;
}

/* In its own place, an empty one, or the oldest one's. */
static void keep(struct passwords *p, const uint8_t digest[DIGEST_LEN])
{
    if (p->cache == NULL) {
        p->cache = mem_alloc_zero(PASSWORDS_CACHED * sizeof(*p->cache));
        if (p->cache == NULL) {
            return; /* the next question is asked again */
        }
    }
    struct cached *places = places_of(p, digest);
    struct cached *place = &places[0];
    for (size_t i = 0; i < CACHE_WAYS && !is_digest(place, digest); i++) {
        if (is_digest(&places[i], digest) || places[i].at_ms < place->at_ms) {
            place = &places[i];
        }
    }
    memcpy(place->digest, digest, DIGEST_LEN);
    place->at_ms = reactor_now_ms(p->reactor);
}

/* --- questions ------------------------------------------------------------------------------- */

static void close_answer(struct passwords_ask *ask)
{
    int fd = reactor_io_fd(&ask->io);
    reactor_io_want(&ask->io, 0);
    close(fd);
}

static void drop(struct passwords_ask *ask)
{
    list_unlink(&ask->link);
    ask->passwords->waiting_count--;
    explicit_bzero(ask, sizeof(*ask));
    mem_free(ask);
}

static void on_ready(struct reactor_io *io, unsigned ready);

static const char *send_question(struct passwords_ask *ask)
{
    int fd = -1;
    ask->tries++;
    switch (hasher_ask(ask->passwords->channel_fd, &ask->question, &fd)) {
    case HASHER_FULL:
        return "too many passwords wait to be checked";
    case HASHER_NO_PIPE:
        return "the limit of descriptors";
    case HASHER_ASKED:
        break;
    }
    reactor_io_init(&ask->io, ask->passwords->reactor, fd, on_ready);
    reactor_io_want(&ask->io, REACTOR_READ);
    return NULL;
}

static void finish(struct passwords_ask *ask, enum passwords_verdict verdict, const char *detail)
{
    passwords_fn *on_answer = ask->on_answer;
    void *owner = ask->owner;
    if (verdict == PASSWORDS_RIGHT && ask->is_kept) {
        keep(ask->passwords, ask->digest);
    }
    drop(ask);
    on_answer(owner, verdict, detail);
}

static void on_ready(struct reactor_io *io, unsigned ready)
{
    struct passwords_ask *ask = container_of(io, struct passwords_ask, io);
    const char *detail = NULL;
    (void)ready;
    enum hasher_answer answer = hasher_answer(reactor_io_fd(io));
    if (answer == HASHER_NONE) {
        return;
    }
    close_answer(ask);
    switch (answer) {
    case HASHER_NONE:
        break;
    case HASHER_SAME:
        finish(ask, ask->is_decoy ? PASSWORDS_WRONG : PASSWORDS_RIGHT, NULL);
        break;
    case HASHER_OTHER:
        finish(ask, PASSWORDS_WRONG, NULL);
        break;
    case HASHER_BUSY:
        finish(ask, PASSWORDS_BUSY, "too many passwords wait to be checked");
        break;
    case HASHER_LOST: /* the next one hears it too, unless this very question is the cause */
        detail = ask->tries < TRIES ? send_question(ask) : "the process that checks passwords died";
        if (detail != NULL) {
            finish(ask, PASSWORDS_BUSY, detail);
        }
        break;
    }
}

static struct passwords_ask *new_ask(struct passwords *p, const struct passwords_question *question)
{
    struct passwords_ask *ask = mem_alloc_zero(sizeof(*ask));
    if (ask == NULL) {
        return NULL;
    }
    list_append(&p->asks, &ask->link);
    p->waiting_count++;
    ask->passwords = p;
    ask->is_decoy = question->is_decoy;
    ask->question.source = question->source;
    bool is_whole =
        span_copy(question->hash, ask->question.hash, sizeof(ask->question.hash)) &&
        span_copy(question->password, ask->question.password, sizeof(ask->question.password));
    assert(is_whole); /* passwords_check has looked */
    return ask;
}

/* Why there is no place for one more question; NULL: there is. */
static const char *find_no_place(struct passwords *p, uint64_t source)
{
    size_t of_source = 0;
    for (struct list *link = p->asks.next; link != &p->asks; link = link->next) {
        of_source += container_of(link, struct passwords_ask, link)->question.source == source;
    }
    if (of_source >= PASSWORDS_SOURCE_MAX) {
        return "too many passwords of this address wait to be checked";
    }
    return p->waiting_count >= PASSWORDS_WAITING_MAX ? "too many passwords wait to be checked"
                                                     : NULL;
}

enum passwords_verdict passwords_check(struct passwords *p,
                                       const struct passwords_question *question,
                                       passwords_fn *on_answer, void *owner,
                                       struct passwords_ask **out, const char **out_detail)
{
    uint8_t digest[DIGEST_LEN];
    *out = NULL;
    *out_detail = NULL;
    if (question->password.len > ACCOUNTS_PASSWORD_MAX || question->hash.len == 0 ||
        question->hash.len >= ACCOUNTS_HASH_MAX) {
        return PASSWORDS_WRONG;
    }
    bool is_kept =
        question->cache_ms > 0 && !question->is_decoy && make_digest(p, question, digest);
    if (is_kept && is_cached(p, digest, question->cache_ms)) {
        return PASSWORDS_RIGHT;
    }
    *out_detail = find_no_place(p, question->source);
    if (*out_detail != NULL) {
        return PASSWORDS_BUSY;
    }
    struct passwords_ask *ask = new_ask(p, question);
    if (ask == NULL) {
        *out_detail = "out of memory";
        return PASSWORDS_BUSY;
    }
    ask->on_answer = on_answer;
    ask->owner = owner;
    ask->is_kept = is_kept;
    if (is_kept) {
        memcpy(ask->digest, digest, DIGEST_LEN);
    }
    *out_detail = send_question(ask);
    if (*out_detail != NULL) {
        drop(ask);
        return PASSWORDS_BUSY;
    }
    *out = ask;
    return PASSWORDS_WAIT;
}

void passwords_forget(struct passwords_ask *ask)
{
    if (ask != NULL) {
        close_answer(ask);
        drop(ask);
    }
}
