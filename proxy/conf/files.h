/* SPDX-License-Identifier: GPL-3.0-or-later */
/* files.h: [files NAME] sections.
 *
 * For: what no row of the table says: paths that are prefixes and are there once, roots that are
 * directories. Not for: serving files (gate/files). */
#ifndef CONF_FILES_H
#define CONF_FILES_H

#include "conf/build.h"

#define FILES_HEADER_BYTES_MAX 1024 /* of all `headers` of a section, with their line ends */

/* Fills the snapshot's files. */
void files_build(struct build *build);

#endif
