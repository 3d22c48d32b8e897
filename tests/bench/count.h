/* SPDX-License-Identifier: GPL-3.0-or-later */
/* count.h: the paths whose instructions are counted.
 *
 * A case is run a few times to warm up and then in count_step(), the only function whose
 * instructions count.py has callgrind count. System calls are replaced (count_kernel.c), so what is
 * counted is the program's own code, and every run counts the same. */
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
#define COUNT_READ_BYTES (63 * 1024) /* as PUMP_READ_BYTES */

__attribute__((format(printf, 1, 2), noreturn)) void count_die(const char *format, ...);

/* Fills `out` with whole client frames of this payload length, as many as fit; returns the bytes
 * used. */
size_t count_frames(uint8_t *out, size_t size, size_t payload_len);

/* --- count_kernel.c ------------------------------------------------------------------------- */

/* What the next net_recv of this descriptor hands out, as often as it is called. */
void kernel_feed(int fd, const uint8_t *data, size_t len);
/* The same, moving on: each call hands out the next `step` bytes. */
void kernel_feed_on(int fd, const uint8_t *data, size_t len, size_t step);
uint64_t kernel_sent_bytes(void);
/* From here on what the kernel copies is left out of the count. */
void kernel_counts(void);

/* --- count_pump.c --------------------------------------------------------------------------- */

struct count_session {
    struct reactor *reactor;
    struct scratch scratch;
    struct pump pump;
    struct life life;
};
/* An open session; the client's TLS session may be NULL. */
void session_make(struct count_session *s, struct tls *tls, bool is_echo);
void session_up(struct count_session *s);   /* one event of the client */
void session_down(struct count_session *s); /* one event of the backend */

/* --- count_tls.c ---------------------------------------------------------------------------- */

/* Completes a handshake with an OpenSSL client; the server's side. */
struct tls *peer_handshake(void);
/* Wire bytes of `count` times `data`, made by that client; *out_len of each. */
uint8_t *peer_records(const uint8_t *data, size_t len, size_t count, size_t *out_len);

#endif
