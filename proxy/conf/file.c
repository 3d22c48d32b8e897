/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"

/* Up to `size` bytes; -1 and errno on failure. */
static ssize_t read_all(int fd, char *data, size_t size)
{
    size_t used = 0;

    while (used < size) {
        ssize_t got = read(fd, data + used, size - used);

        if (got == 0) {
            break;
        }
        if (got > 0) {
            used += (size_t)got;
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return (ssize_t)used;
}

static bool read_open_file(int fd, struct arena *arena, struct span *out, const char **out_detail)
{
    struct stat status;
    ssize_t len = -1;
    char *data;
    bool is_read = false;

    if (fstat(fd, &status) != 0) {
        *out_detail = strerror(errno);
        return false;
    }
    if (!S_ISREG(status.st_mode)) {
        *out_detail = S_ISDIR(status.st_mode) ? strerror(EISDIR) : "not a regular file";
        return false;
    }
    data = mem_alloc(FILE_BYTES_MAX + 1);
    if (data == NULL) {
        *out_detail = strerror(ENOMEM);
        return false;
    }
    len = read_all(fd, data, FILE_BYTES_MAX + 1);
    if (len < 0) {
        *out_detail = strerror(errno);
    } else if ((size_t)len > FILE_BYTES_MAX) {
        *out_detail = "the file is larger than 8 MiB";
    } else if (!arena_copy(arena, (struct span){data, (size_t)len}, out)) {
        *out_detail = strerror(ENOMEM);
    } else {
        is_read = true;
    }
    explicit_bzero(data, len > 0 ? (size_t)len : 0);
    mem_free(data);
    return is_read;
}

bool file_read(const char *path, struct arena *arena, struct span *out, const char **out_detail)
{
    /* Opening a pipe without O_NONBLOCK would wait for a writer, before it can be refused. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    bool is_read;

    if (fd < 0) {
        *out_detail = strerror(errno);
        return false;
    }
    is_read = read_open_file(fd, arena, out, out_detail);
    close(fd);
    return is_read;
}

/* statfs has the kind of a file system and, in Linux, the flags of its mount. */
static bool is_secrets_mount(const char *path)
{
    struct statfs system;

    return statfs(path, &system) == 0 &&
           (system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC ||
            ((unsigned long)system.f_flags & ST_RDONLY) != 0);
}

/* Is the file below a directory that others may not enter? Older tools for certificates make keys
 * of mode 0644 in such a directory. */
static bool is_behind_closed_door(const char *path)
{
    char real[PATH_MAX];
    struct stat status;

    if (realpath(path, real) == NULL) {
        return false;
    }
    for (char *slash = strrchr(real, '/'); slash != NULL && slash != real;
         slash = strrchr(real, '/')) {
        *slash = '\0';
        if (stat(real, &status) != 0 || (status.st_mode & S_IXOTH) == 0) {
            return true;
        }
    }
    return false;
}

enum file_exposure file_exposure(const char *path)
{
    struct stat status;

    if (stat(path, &status) != 0 || is_behind_closed_door(path)) {
        return FILE_PRIVATE;
    }
    if ((status.st_mode & S_IWOTH) != 0) {
        return FILE_WRITABLE;
    }
    if ((status.st_mode & S_IROTH) == 0) {
        return FILE_PRIVATE;
    }
    return is_secrets_mount(path) ? FILE_READABLE_MOUNT : FILE_READABLE;
}
