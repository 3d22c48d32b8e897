/* SPDX-License-Identifier: GPL-3.0-or-later */
/* inherit.h: descriptors that whoever started sluice hands over, by the protocol of
 * sd_listen_fds(3): LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES in the environment, descriptors from
 * number 3 on.
 *
 * For: systemd's socket units and descriptor store, and a predecessor that is upgraded. Each
 * descriptor is looked at before anybody uses it. Not for: deciding which listener takes a socket
 * (sockets), storing sockets (notify).
 *
 * Variables that cannot be read, or are meant for another process, hand nothing over. inherit_read
 * comes before the process opens anything that it keeps. Each descriptor has one owner: this module
 * until a take, then who took it. */
#ifndef GATE_INHERIT_H
#define GATE_INHERIT_H

#include <stddef.h>

#include "base/addr.h"
#include "base/span.h"

#define INHERIT_FIRST_FD 3
#define INHERIT_MAX 4096     /* descriptors; whatever comes after them is not inherited */
#define INHERIT_NAME_MAX 256 /* of LISTEN_FDNAMES, NUL included; systemd has none that is longer */

struct inherit_fd {
    int fd;              /* -1 = taken, or never open */
    struct span name;    /* points into `names` */
    struct addr address; /* no address: it is no listening socket */
    const char *detail;  /* why it is none; NULL when it is one */
};

struct inherit {
    struct inherit_fd *fds;
    size_t count;
    char *names;
};

/* Removes the variables from the environment, and makes every descriptor that they speak of
 * close-on-exec. False: out of memory; nothing is inherited then. */
MUST_CHECK bool inherit_read(struct inherit *out);
/* The same without the environment: `count` descriptors from `first` on, with names in
 * LISTEN_FDNAMES' form, or NULL. One without a name is called "unknown". */
MUST_CHECK bool inherit_take_over(struct inherit *out, int first, size_t count, const char *names);

/* The next listening socket with exactly this address; -1: there is none (left). A port 0 fits
 * none. *out_name lives as long as `i`. */
int inherit_take_socket(struct inherit *i, const struct addr *address, struct span *out_name);
/* The next descriptor of this name, a listening socket or not; -1: there is none (left). */
int inherit_take_named(struct inherit *i, struct span name);

/* Warns of each descriptor that nobody has taken. */
void inherit_warn_of_rest(const struct inherit *i);
/* Closes each descriptor that nobody has taken. */
void inherit_done(struct inherit *i);

/* The name under which sluice hands over a socket that listens at `address`, so that a successor
 * knows it for one of sluice's own. Such a name has no colon, which LISTEN_FDNAMES forbids: each
 * character but letters, digits, '.', '-' and '/' is "%XX". Returns `out`. */
const char *inherit_print_name(const struct addr *address, char out[INHERIT_NAME_MAX]);

#endif
