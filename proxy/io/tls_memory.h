/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_memory.h: wolfSSL's and wolfCrypt's memory comes from base/mem.
 *
 * For: whoever is about to call either library. Not for: anything else. */
#ifndef IO_TLS_MEMORY_H
#define IO_TLS_MEMORY_H

#include <stdbool.h>

#include "base/span.h"

/* Once per process is enough, more often is harmless. False: the library cannot start. What it
 * allocates for itself stays until the process ends. */
MUST_CHECK bool tls_memory_init(void);

#endif
