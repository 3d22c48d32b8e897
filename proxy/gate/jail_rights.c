/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Capabilities: parts of root's power, see capabilities(7). */
#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gate/jail.h"
#include "gate/jail_parts.h"

#define RIGHTS_MAX 64 /* what a set can hold; the kernel names the last one that it knows */
#define RIGHT(number_) (UINT64_C(1) << (number_))

uint64_t jail_master_rights(void)
{
    return RIGHT(CAP_NET_BIND_SERVICE) | RIGHT(CAP_SETUID) | RIGHT(CAP_SETGID) |
           RIGHT(CAP_SETPCAP) | RIGHT(CAP_KILL) | RIGHT(CAP_DAC_READ_SEARCH);
}

/* The C library has no functions for these two calls. A set is two halves of 32 bits. */
static int get_rights(struct __user_cap_data_struct out[2])
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    return syscall(SYS_capget, &header, out) == 0 ? 0 : errno;
}

static int set_rights(const struct __user_cap_data_struct sets[2])
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    return syscall(SYS_capset, &header, sets) == 0 ? 0 : errno;
}

int jail_bound_rights(uint64_t kept)
{
    struct __user_cap_data_struct sets[2];
    int reason = get_rights(sets);
    if (reason != 0) {
        return reason;
    }
    if ((sets[0].effective & RIGHT(CAP_SETPCAP)) == 0) {
        return 0; /* only no_new_privs bounds such a process, and it is enough */
    }
    for (unsigned right = 0; right < RIGHTS_MAX; right++) {
        int is_there = prctl(PR_CAPBSET_READ, right, 0, 0, 0);
        if (is_there == 1 && (kept & RIGHT(right)) == 0 &&
            prctl(PR_CAPBSET_DROP, right, 0, 0, 0) != 0) {
            return errno;
        }
    }
    return 0;
}

int jail_drop_rights(uint64_t kept)
{
    struct __user_cap_data_struct sets[2];
    int reason = get_rights(sets);
    for (unsigned half = 0; reason == 0 && half < 2; half++) {
        uint32_t mask = (uint32_t)(kept >> (32 * half));
        sets[half].permitted &= mask;
        sets[half].effective &= mask;
        sets[half].inheritable &= mask; /* the ambient set follows these two */
    }
    return reason == 0 ? set_rights(sets) : reason;
}

/* Ambient rights need no word of the program's file, and no_new_privs leaves them. */
void jail_pass_rights(void)
{
    struct __user_cap_data_struct sets[2];
    if (get_rights(sets) != 0) {
        return;
    }
    uint64_t rights = (uint64_t)sets[1].permitted << 32 | sets[0].permitted;
    for (unsigned half = 0; half < 2; half++) {
        sets[half].inheritable |= sets[half].permitted;
    }
    if (set_rights(sets) != 0) {
        return; /* root gets them anyway */
    }
    for (unsigned right = 0; right < RIGHTS_MAX; right++) {
        if ((rights & RIGHT(right)) != 0) {
            (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, right, 0, 0);
        }
    }
}
