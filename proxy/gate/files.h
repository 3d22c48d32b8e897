/* SPDX-License-Identifier: GPL-3.0-or-later */
/* files.h: static files below the roots of the [files NAME] sections.
 *
 * For: a request that belongs to a section, to an answer: the file, a part of it, or a status; and
 * that answer's head and content to the client, piece by piece. Not for: which section a request
 * belongs to (admission), when the next request may come (session, life).
 *
 * No way leads out of a root: each file is opened with openat2 below the descriptor of its root,
 * which resolves no "..", no absolute symbolic link and no link that leaves the root, whatever the
 * path says. Links that stay inside work. What is no regular file is not found, and is never
 * opened. A worker in its sandbox may read below the roots that its configuration had when it
 * started, so a reload with another root brings other workers (master_reload.c).
 *
 * A file is read in pieces of FILES_PIECE_BYTES, one in each event, when the client's queue has
 * room: so it costs no more memory than other bytes on their way out, and a disk that is slow keeps
 * the worker for one read. */
#ifndef GATE_FILES_H
#define GATE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "conf/snapshot.h"
#include "gate/pump.h"
#include "proto/mime.h"
#include "proto/request.h"
#include "proto/resource.h"

#define FILES_PIECE_BYTES ((size_t)64 * 1024)

/* What a worker has for the sections of one configuration. */
struct files;
/* Opens the roots, and reads the system's table of types. A root that cannot be opened serves
 * nothing; the log says why. The configuration must live as long. NULL: no memory. */
MUST_CHECK struct files *files_new(const struct config *config);
void files_free(struct files *files); /* NULL is allowed */

/* The answer to one request. */
struct files_answer {
    unsigned status;
    const char *detail; /* a constant text for the log, or NULL */
    bool is_head;       /* HEAD: no content is sent */
    int fd;             /* of the file; -1 = the content is in memory */
    const uint8_t *memory;
    uint64_t at;               /* the place of the next byte in the file */
    uint64_t left_bytes;       /* of the content that is yet to be sent */
    uint64_t content_bytes;    /* what Content-Length says */
    struct resource_mark mark; /* of the file; modified_s UINT64_MAX = nobody knows */
    uint64_t size_bytes;       /* of the whole file */
    enum resource_coding coding;
    struct span type;
    char type_text[MIME_VALUE_MAX];
    char etag_text[40];
    char line[64]; /* the content of an answer that only says its status */
};

struct files_question {
    const struct config_files *section;
    const struct request *request; /* a GET or HEAD */
    struct span rest;              /* of the path, behind the section's own */
    bool is_bare;                  /* the path is the section's own, without its last slash */
};

/* Decides and opens; files_done closes. `files` is of the same configuration as the section. */
void files_open(const struct files *files, const struct files_question *question,
                struct files_answer *out);
void files_done(struct files_answer *answer);

/* Sends the head; files_more follows. `is_kept`: the connection stays. */
void files_send(struct pump *p, const struct files_question *question, struct files_answer *answer,
                bool is_kept);
/* Sends the next piece, if the client's queue has room. False: the file has become shorter
 * than its head has said, or cannot be read any more. */
MUST_CHECK bool files_more(struct pump *p, struct files_answer *answer);

/* The kit for pages. Made by the build of proxy/page/sluice.js. */
extern const unsigned char page_kit[];
extern const size_t page_kit_len;

#endif
