/* SPDX-License-Identifier: GPL-3.0-or-later */
/* file.h: the whole of a file in memory, and the names of a directory's files.
 *
 * For: the INI and the files that it names. Not for: devices and pipes, which it refuses, and files
 * of more than 8 MiB. */
#ifndef CONF_FILE_H
#define CONF_FILE_H

#include <stdbool.h>

#include "base/span.h"
#include "conf/arena.h"

#define FILE_BYTES_MAX ((size_t)8 << 20)

/* Relative paths count from the working directory. *out lives in `arena`, with a NUL behind it. On
 * failure *out_detail says what is wrong, in the system's words where it has some. */
MUST_CHECK bool file_read(const char *path, struct arena *arena, struct span *out,
                          const char **out_detail);

/* Which directory is at the path, as a text that no other directory of this machine has: so one
 * that takes its place shows. The rest is as for file_read. */
MUST_CHECK bool file_identify(const char *path, struct arena *arena, struct span *out,
                              const char **out_detail);

#define FILE_LIST_MAX 1000 /* files of a directory */

bool file_is_folder(const char *path);
/* The paths of all regular files in a directory whose names do not begin with a dot, sorted byte by
 * byte, each with a line end behind it. `folder` ends in a slash. A link to a file counts, as
 * Kubernetes mounts its files. Fails as file_read does, also when a name has a control character.
 */
MUST_CHECK bool file_list(const char *folder, struct arena *arena, struct span *out,
                          const char **out_detail);

/* Who can get at a file that holds a secret. Members of its group count as trusted: a group for
 * keys (Debian's ssl-cert) is the usual way to let a service read them. */
enum file_exposure {
    FILE_PRIVATE = 0,    /* its owner and group; the file is not there, or below a directory that
                          * others may not enter */
    FILE_READABLE_MOUNT, /* anybody can read it, and its file system is in memory or read-only: so
                          * Docker and Kubernetes mount secrets into containers */
    FILE_READABLE,
    FILE_WRITABLE /* anybody can change it */
};
enum file_exposure file_exposure(const char *path);

#endif
