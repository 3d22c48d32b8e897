/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"

#define ROOM_MIN 4096

/* Bytes of a file as they come in. They may be a key, so every block of them is wiped. */
struct intake {
    char *data;
    size_t size;
    size_t len;
};

static void drop(struct intake *in)
{
    if (in->data != NULL) {
        explicit_bzero(in->data, in->len);
        mem_free(in->data);
    }
}

/* Room for `size` bytes, at most one more than a file may have. */
static bool make_room(struct intake *in, size_t size)
{
    size_t most = FILE_BYTES_MAX + 1;
    struct intake larger = {.size = size < most ? size : most, .len = in->len};

    larger.data = mem_alloc(larger.size);
    if (larger.data == NULL) {
        errno = ENOMEM;
        return false;
    }
    if (in->len > 0) {
        memcpy(larger.data, in->data, in->len);
    }
    drop(in);
    *in = larger;
    return true;
}

/* Up to the end, or to one byte more than a file may have; false and errno on failure. A file that
 * grows meanwhile, or one of /proc, has more bytes than it says. */
static bool read_all(int fd, struct intake *in)
{
    while (in->len < FILE_BYTES_MAX + 1) {
        if (in->len == in->size && !make_room(in, 2 * in->size)) {
            return false;
        }
        ssize_t got = read(fd, in->data + in->len, in->size - in->len);
        if (got == 0) {
            break;
        }
        if (got > 0) {
            in->len += (size_t)got;
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

static bool read_open_file(int fd, struct arena *arena, struct span *out, const char **out_detail)
{
    struct stat status;
    struct intake in = {.data = NULL};
    bool is_read = false;

    if (fstat(fd, &status) != 0) {
        *out_detail = strerror(errno);
        return false;
    }
    if (!S_ISREG(status.st_mode)) {
        *out_detail = S_ISDIR(status.st_mode) ? strerror(EISDIR) : "not a regular file";
        return false;
    }
    size_t told = (size_t)status.st_size;
    if (!make_room(&in, told < ROOM_MIN ? ROOM_MIN : told + 1) || !read_all(fd, &in)) {
        *out_detail = strerror(errno);
    } else if (in.len > FILE_BYTES_MAX) {
        *out_detail = "the file is larger than 8 MiB";
    } else if (!arena_copy(arena, (struct span){in.data, in.len}, out)) {
        *out_detail = strerror(ENOMEM);
    } else {
        is_read = true;
    }
    drop(&in);
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

bool file_identify(const char *path, struct arena *arena, struct span *out, const char **out_detail)
{
    struct stat status;
    char text[64];

    if (stat(path, &status) != 0) {
        *out_detail = strerror(errno);
        return false;
    }
    if (!S_ISDIR(status.st_mode)) {
        *out_detail = strerror(ENOTDIR);
        return false;
    }
    snprintf(text, sizeof(text), "directory %" PRIuMAX ":%" PRIuMAX, (uintmax_t)status.st_dev,
             (uintmax_t)status.st_ino);
    if (!arena_copy(arena, span_from_str(text), out)) {
        *out_detail = strerror(ENOMEM);
        return false;
    }
    return true;
}
