/* SPDX-License-Identifier: GPL-3.0-or-later */
/* count.h: the paths whose instructions count.py counts.
 *
 * A case runs a few times to warm up, and then in count_step(): of this function alone callgrind
 * counts the instructions. count_kernel.c replaces the system calls, so the count has the program's
 * own code and is the same in every run. */
#ifndef BENCH_COUNT_H
#define BENCH_COUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gate/pump.h"
#include "io/reactor.h"
#include "io/scratch.h"
#include "io/tls.h"

#define COUNT_WARM 4
#define COUNT_STEPS 16
#define COUNT_READ_BYTES (63 * 1024) /* the program's PUMP_READ_BYTES */

__attribute__((format(printf, 1, 2), noreturn)) void count_die(const char *format, ...);

/* Fills `out` with whole client frames of this payload length, as many as fit. Returns how many
 * bytes they take. */
size_t count_frames(uint8_t *out, size_t size, size_t payload_len);

/* --- count_kernel.c ------------------------------------------------------------------------- */

/* Each net_recv of this descriptor returns these bytes again. */
void kernel_feed(int fd, const uint8_t *data, size_t len);
/* Each net_recv of this descriptor returns the next `step` bytes. */
void kernel_feed_on(int fd, const uint8_t *data, size_t len, size_t step);
uint64_t kernel_sent_bytes(void);
/* From here on the count leaves out what the kernel copies. */
void kernel_counts(void);

/* --- count_pump.c --------------------------------------------------------------------------- */

struct count_session {
    struct reactor *reactor;
    struct scratch scratch;
    struct pump pump;
    struct life life;
};
/* Makes an open session. `tls` is the client's session and may be NULL. */
void session_make(struct count_session *s, struct tls *tls, bool is_echo);
void session_up(struct count_session *s);   /* one event of the client */
void session_down(struct count_session *s); /* one event of the backend */

/* --- count_tls.c ---------------------------------------------------------------------------- */

/* Completes a handshake with an OpenSSL client. Returns the server's side. */
struct tls *peer_handshake(void);
/* That client seals `data` `count` times. Each time gives *out_len wire bytes. */
uint8_t *peer_records(const uint8_t *data, size_t len, size_t count, size_t *out_len);

#endif
