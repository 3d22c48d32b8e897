/* SPDX-License-Identifier: GPL-3.0-or-later */
// What a test does when something that it stands on, such as a socket, is not there: it ends the
// whole program, and says where and why. For what a test looks at there is check.h.
#ifndef TESTS_UNIT_GIVE_UP_H
#define TESTS_UNIT_GIVE_UP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GIVE_UP() give_up(__FILE__, __LINE__)

_Noreturn static inline void give_up(const char *file, int line)
{
    fprintf(stderr, "%s:%d: the test cannot go on: %s\n", file, line, strerror(errno));
    abort();
}

#endif
