/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How wolfSSL erases keys and plaintext; wolfssl.sh puts it into the library. Its own way stores
 * eight bytes at a time, and after every record it erases 16 KiB of input: a twentieth of the work
 * of an upload. The C library's may not be left out by a compiler either, and is as wide as the
 * processor allows. */
#include <string.h>

void ForceZero(void *memory, unsigned int len);

void ForceZero(void *memory, unsigned int len)
{
    explicit_bzero(memory, len);
}
