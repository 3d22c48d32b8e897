/* SPDX-License-Identifier: GPL-3.0-or-later */
/* listen_parts.h: what the sources of listen.h know of each other.
 *
 * listen.c builds the sections, listen_client.c what they say of clients' certificates. Not for:
 * anybody else. */
#ifndef CONF_LISTEN_PARTS_H
#define CONF_LISTEN_PARTS_H

#include "conf/listen.h"

/* Reads the files of tls_client_ca and tls_client_crl, and reports what is wrong with them. */
void listen_build_client(struct build *build, const struct draft_section *section,
                         struct config_listen *listen);

#endif
