/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_memory.h: wolfSSL's and wolfCrypt's memory comes from base/mem.
 *
 * For: whoever is about to call one of them. Not for: anything else. */
#ifndef IO_TLS_MEMORY_H
#define IO_TLS_MEMORY_H

#include <stdbool.h>

#include "base/span.h"

/* Once per process is enough, more often is harmless. False: wolfSSL cannot start. wolfSSL keeps
 * what it allocates for itself until the process ends. */
MUST_CHECK bool tls_memory_init(void);

#endif
