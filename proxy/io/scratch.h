/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scratch.h: the memory areas that all connections of a worker share between two events.
 *
 * For: the bytes that one event reads, decrypts, decodes, frames and seals, so that an idle
 * connection owns no buffer. Not for: a byte that waits for the next event (base/buf). The worker
 * owns the one struct scratch of its process and hands a pointer to every connection.
 *
 * What an area holds is valid from one event to its end. Whoever uses an area says so in its
 * header. */
#ifndef IO_SCRATCH_H
#define IO_SCRATCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* Sizes of the areas, in bytes. */
#define SCRATCH_WIRE_IN (128 * 1024)  /* one recv from a client */
#define SCRATCH_HEADROOM 16           /* in front of plain, for a frame header */
#define SCRATCH_PLAIN (162 * 1024)    /* decrypted bytes: wire_in and one record more */
#define SCRATCH_WIRE_OUT (320 * 1024) /* records made in one call */
#define SCRATCH_GATHER (192 * 1024)   /* pieces laid side by side before they are encrypted */
#define SCRATCH_WORK (64 * 1024)      /* messages that are inflated or decoded */
#define SCRATCH_RESULT (160 * 1024)   /* messages that were framed or deflated */

/* A page that nobody can touch follows each area and precedes the first. Every area but plain
 * begins at the border of a page. Plain begins in the middle of one: a send from plain begins some
 * bytes in front of it, with a frame header, and the kernel copies it to the beginning of a page.
 * Processors of AMD's Zen line copy fifteen times slower (rep movsb) when the target lies 1 to 15
 * bytes behind the source, counted within a page. */
struct scratch {
    uint8_t *wire_in;
    uint8_t *plain; /* the SCRATCH_HEADROOM bytes in front of it belong to it too */
    uint8_t *wire_out;
    uint8_t *gather;
    uint8_t *work;   /* a step between plain and result */
    uint8_t *result; /* what is about to be sent, side by side */
    void *map;       /* the one mapping that holds all areas; private */
    size_t map_bytes;
};

/* False: the system has no memory, and there is nothing to release. */
MUST_CHECK bool scratch_init(struct scratch *s);
void scratch_done(struct scratch *s);

#endif
