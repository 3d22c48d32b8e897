/* SPDX-License-Identifier: GPL-3.0-or-later */
/* accounts.h: files of those who may enter: tokens by their digests, users by their password
 * hashes.
 *
 * For: reading such files, telling everything that is wrong with them by line, and looking somebody
 * up. Not for: calculating digests and hashes, which the caller does: SHA-256 in the worker, a
 * password hash, which takes tenths of a second, elsewhere. Pure but for memory.
 *
 * A line of tokens:     name:sha256-of-the-token[:expiry]       printf %s TOKEN | sha256sum
 * A line of passwords:  user:hash[:anything]                    htpasswd -B; openssl passwd -6
 *
 * Blank lines, and lines that begin with "#", say nothing. A digest is 64 hexadecimal digits. An
 * expiry is seconds since 1970, a day (2027-01-31: the last one, in UTC, on which the token holds)
 * or a time (2027-01-31T12:00:00Z). A name may have several tokens, so that a new one can come
 * before the old one goes; no token and no user stands twice. A hash is bcrypt ($2a$, $2b$, $2y$;
 * cost at most 14) or SHA-crypt ($5$, $6$; at most a million rounds). */
#ifndef PROTO_ACCOUNTS_H
#define PROTO_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define ACCOUNTS_DIGEST_LEN 32
#define ACCOUNTS_NAME_MAX 128     /* bytes: UTF-8 without control characters */
#define ACCOUNTS_HASH_MAX 128     /* longer than any */
#define ACCOUNTS_PASSWORD_MAX 511 /* bytes; crypt(3) takes no more */

enum accounts_kind { ACCOUNTS_TOKENS = 0, ACCOUNTS_PASSWORDS };

struct accounts_entry {
    struct span name;
    struct span hash; /* ACCOUNTS_PASSWORDS; a NUL stands behind it */
    uint64_t ends_s; /* ACCOUNTS_TOKENS: from when on the token holds no more: seconds since 1970; 0
                         = it always holds */
    uint8_t digest[ACCOUNTS_DIGEST_LEN]; /* ACCOUNTS_TOKENS */
    unsigned line;
};

/* Accounts of zeros are empty and let nobody in. */
struct accounts {
    enum accounts_kind kind;
    struct accounts_entry *entries; /* owned; sorted by digest or name */
    size_t count;                   /* may be 0: a file of comments */

    char *text; /* private: owned; the names and hashes */
    size_t text_size;
};

/* Told for each fault; the detail is a constant text with nothing of the file in it. Line 0: the
 * file as a whole. */
typedef void accounts_fault_fn(void *owner, unsigned line, const char *detail);

/* Reads a file into *out, which was empty. False: `fault` has heard at least once, and *out is
 * empty. A file without any line is a fault: who writes a file in place empties it first. */
MUST_CHECK bool accounts_read(struct accounts *out, enum accounts_kind kind, struct span text,
                              accounts_fault_fn *fault, void *owner);
/* Wipes and frees. */
void accounts_done(struct accounts *accounts);

enum accounts_answer { ACCOUNTS_GOOD = 0, ACCOUNTS_UNKNOWN, ACCOUNTS_EXPIRED };
/* Looks at every entry, so that the time says nothing about the digest. *out is the entry, but NULL
 * with ACCOUNTS_UNKNOWN. */
MUST_CHECK enum accounts_answer accounts_find_token(const struct accounts *accounts,
                                                    const uint8_t digest[ACCOUNTS_DIGEST_LEN],
                                                    uint64_t now_s,
                                                    const struct accounts_entry **out);

/* The same in less time, for a digest that was good before: a session goes on with it. NULL: the
 * file has it no more. */
const struct accounts_entry *accounts_find_digest(const struct accounts *accounts,
                                                  const uint8_t digest[ACCOUNTS_DIGEST_LEN]);

/* The user's entry, or NULL. */
const struct accounts_entry *accounts_find_user(const struct accounts *accounts, struct span user);
/* A hash for users that are not there: whoever checks the password of such a user against this one,
 * and then refuses, takes as long as with a user who is there. Empty when there are no accounts. */
struct span accounts_decoy(const struct accounts *accounts);

/* crypt(3): writes the hash of `password`, made as `setting` says, which is a hash too. False: it
 * cannot. */
typedef bool accounts_crypt_fn(void *owner, const char *password, const char *setting,
                               char out[ACCOUNTS_HASH_MAX]);
/* Whether the password is the one of the hash, which has a NUL behind it. Compares in constant
 * time, wipes its copies, and takes as long as `crypt` does. */
MUST_CHECK bool accounts_is_password(struct span hash, struct span password,
                                     accounts_crypt_fn *crypt, void *owner);

#endif
