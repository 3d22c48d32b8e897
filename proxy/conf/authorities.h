/* SPDX-License-Identifier: GPL-3.0-or-later */
/* authorities.h: files of CAs, and of what belongs to them, that keys name.
 *
 * For: reading all files of a key at once, proving them in the master, joining them. Not for: what
 * makes a CA fit (io/trust), and not for choosing files. Texts belong to the build; every function
 * reports what is wrong. */
#ifndef CONF_AUTHORITIES_H
#define CONF_AUTHORITIES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "conf/build.h"
#include "io/trust.h"

/* The files of one key. */
struct authorities_files {
    struct span *texts;
    const struct draft_item **items;
    size_t count;
    bool is_whole; /* all could be read */
};

/* `what` is in them: everybody may read them, but not change them. False: no memory. */
MUST_CHECK bool authorities_read(struct build *build, const struct draft_value *value,
                                 const char *what, struct authorities_files *out);

/* Where findings about the files of one key go. */
struct authorities_verdict {
    struct build *build;
    const struct authorities_files *files;
    bool is_bad;
};
/* A trust_tell_fn; the owner is a struct authorities_verdict. */
void authorities_take_finding(void *owner, enum trust_weight weight, size_t file, const char *text);

/* True when the files hold CAs that such peers can be verified with. Nothing is proven again. */
MUST_CHECK bool authorities_prove(struct build *build, const struct authorities_files *files,
                                  enum trust_peer peer);

/* Makes DER of the certificates of PEM texts, side by side; only of those that `fits` takes, unless
 * it is NULL. */
typedef bool authorities_fit_fn(struct span der);
void authorities_join(struct build *build, const struct span *texts, size_t count,
                      authorities_fit_fn *fits, struct span *out);

#endif
