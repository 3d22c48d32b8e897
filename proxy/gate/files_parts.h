/* SPDX-License-Identifier: GPL-3.0-or-later */
/* files_parts.h: what the sources of files.h know of each other; for nobody else.
 *
 * files.c has roots and opens files; files_find.c is the way from a request to a file and a status;
 * files_send.c writes heads and content. */
#ifndef GATE_FILES_PARTS_H
#define GATE_FILES_PARTS_H

#include <sys/stat.h>

#include "gate/files.h"

/* The descriptor of a section's root; -1: it could not be opened. */
int files_root(const struct files *files, const struct config_files *section);
const struct mime *files_types(const struct files *files);

enum files_found {
    FILES_FOUND = 0,
    FILES_DIRECTORY,
    FILES_NOT_FOUND, /* *out_detail says why, where that is worth a word */
    FILES_NO_ROOM    /* descriptors or memory */
};
/* Opens a regular file for reading. *out_fd and *out_status are set with FILES_FOUND alone. */
MUST_CHECK enum files_found files_open_file(int root, const char *path, int *out_fd,
                                            struct stat *out_status, const char **out_detail);

#endif
