/* SPDX-License-Identifier: GPL-3.0-or-later */
/* backend_tls.h: TLS for the benchmark's backend, by OpenSSL: for proxies that speak TLS with it.
 *
 * TLS 1.3 with AES-128-GCM, tickets as OpenSSL gives them out. The handshake goes on by itself with
 * the first reads. */
#ifndef TESTS_BENCH_BACKEND_TLS_H
#define TESTS_BENCH_BACKEND_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ssl_st;

/* False: these files are no certificate and its key. */
bool backend_tls_open(const char *certificate, const char *key);
/* NULL: no memory. */
struct ssl_st *backend_tls_accept(int fd);
void backend_tls_close(struct ssl_st *tls);

/* How many bytes were moved; 0: not now; -1: the connection is over. A write that moved nothing
 * must come again with the same bytes, and more may follow them. */
ssize_t backend_tls_read(struct ssl_st *tls, uint8_t *data, size_t size);
ssize_t backend_tls_write(struct ssl_st *tls, const uint8_t *data, size_t len);

#endif
