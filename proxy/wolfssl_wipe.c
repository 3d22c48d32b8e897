/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How wolfSSL erases keys and plaintext; wolfssl.sh puts this function into the library. wolfSSL's
 * own function stores eight bytes at a time, and after every record it erases 16 KiB of input: a
 * twentieth of the work of an upload. explicit_bzero is as wide as the processor allows, and no
 * compiler leaves it out either. */
#include <string.h>

void ForceZero(void *memory, unsigned int len);

void ForceZero(void *memory, unsigned int len)
{
    explicit_bzero(memory, len);
}
