/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bundle.h: everything that a configuration is made from, as one value.
 *
 * For: the INI text, the bytes of each file that its keys name, which directories they name, and
 * what the system says (the ids of the user, the number of cores). bundle_read collects them and is
 * the only reader of these files; what is made from a bundle is the same in each process that has
 * it. The master seals a bundle in a memory file, and workers, which can open no file, read it from
 * there. Not for: what keys mean (config.h).
 *
 * A bundle owns its texts; bundle_done wipes and frees them: private keys are among them. */
#ifndef CONF_BUNDLE_H
#define CONF_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/span.h"
#include "conf/arena.h"
#include "conf/file.h"

/* What Debian, and those who follow it, keep the system's CAs in. It is in a bundle only where a
 * route needs it. */
#define BUNDLE_SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"
#define BUNDLE_BYTES_MAX ((size_t)64 << 20) /* of all files together */

struct bundle_file {
    struct span name;    /* the path as the key has it */
    struct span bytes;   /* with a NUL behind them; of a directory what file_identify says */
    struct span problem; /* why nobody could read it; empty = it was read */
    enum file_exposure exposure; /* as bundle_read found it; other bundles do not have it */
    struct bundle_file *next;
};

/* What the system says. */
struct bundle_facts {
    uint32_t cores; /* that this process may run on; at least 1 */
    bool is_root;   /* the process may become another user */
    bool has_user;  /* the user of the key `user`, or "nobody" without the key, is there: */
    uid_t uid;
    gid_t gid;
};

struct bundle {
    struct arena memory;
    struct bundle_file *files; /* the INI first */
    struct bundle_file *last;
    size_t count;
    size_t bytes; /* of all files */
    struct bundle_facts facts;
    struct span user_problem; /* what the system said instead of has_user; may be empty */
    bool is_short;            /* something is missing, for want of memory */
};

/* Reads the INI at `path`, and each file that it names. What cannot be read is in the bundle with
 * its problem, so that config_build can report all of it. */
void bundle_read(struct bundle *out, const char *path);
/* The same for an INI that is in memory already. */
void bundle_read_text(struct bundle *out, struct span text);
/* The INI as `before` has it, and anew each file that it names. */
void bundle_read_again(struct bundle *out, const struct bundle *before);
void bundle_done(struct bundle *bundle);

/* Where a key names a directory, the bundle has each regular file in it, and the list of their
 * paths, sorted, a line each: the list has the name of the directory with a slash at its end, as no
 * file has. NULL: the bundle has no list of this directory. */
const struct bundle_file *bundle_find_folder(const struct bundle *bundle, struct span name);

/* Nobody but the system says whom to trust: a route of the draft has tls:// backends, or targets
 * that may be, which are verified, and no backend_ca. */
struct draft;
bool bundle_needs_system_ca(const struct draft *draft);

/* NULL: no key names such a file. */
const struct bundle_file *bundle_find(const struct bundle *bundle, struct span name);
/* The same files with the same bytes and problems. */
bool bundle_is_same(const struct bundle *a, const struct bundle *b);

/* A memory file that nobody can change any more, for bundle_open; the caller owns the descriptor.
 * -1: no memory, no descriptors, or a file that was not read is in the bundle. */
MUST_CHECK int bundle_seal(const struct bundle *bundle);
/* Reads a sealed bundle; the caller keeps the descriptor. False: it is none, or there is no memory;
 * *out_detail is then a constant text that says why, and *out needs no bundle_done. */
MUST_CHECK bool bundle_open(struct bundle *out, int fd, const char **out_detail);

/* The bytes of a memory file, and back. Exposed for tests and the fuzz target; bundle_decode checks
 * every length. Pure but for memory; the caller frees what bundle_encode returns (mem_free; NULL:
 * no memory). */
MUST_CHECK char *bundle_encode(const struct bundle *bundle, size_t *out_len);
MUST_CHECK bool bundle_decode(struct bundle *out, struct span bytes, const char **out_detail);

#endif
