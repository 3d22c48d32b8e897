/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Roots, and the only calls that open something below them. */
#include "gate/files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "gate/files_parts.h"

#define TYPES_PATH "/etc/mime.types"
#define RACES_MAX 8 /* somebody renames directories while the kernel looks */

struct files {
    const struct config *config;
    struct mime types;
    int roots[]; /* one for each section */
};

/* The kernel's call, which the C library does not have. */
static int open_at(int directory, const char *path, uint64_t flags, uint64_t resolve)
{
    const struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve};
    long fd = -1;

    for (unsigned i = 0; i < RACES_MAX; i++) {
        fd = syscall(SYS_openat2, directory, path, &how, sizeof(how));
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) {
            break;
        }
    }
    return (int)fd;
}

static int open_below(int root, const char *path, uint64_t flags)
{
    return open_at(root, path, flags, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
}

/* --- opening --------------------------------------------------------------------------------- */

static enum files_found name_failure(const char **out_detail)
{
    switch (errno) {
    case EXDEV:
        *out_detail = "a symbolic link leads out of the root";
        return FILES_NOT_FOUND;
    case ELOOP:
        *out_detail = "symbolic links without an end";
        return FILES_NOT_FOUND;
    case EACCES:
    case EPERM:
        *out_detail = "the worker's user, or its sandbox, may not read it";
        return FILES_NOT_FOUND;
    case ENOSYS:
        *out_detail = "the kernel, or the sandbox, has no openat2";
        return FILES_NOT_FOUND;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        *out_detail = "out of memory or descriptors";
        return FILES_NO_ROOM;
    default:
        *out_detail = NULL;
        return FILES_NOT_FOUND;
    }
}

/* Looks first without opening: to open a pipe or a device does something to who is behind it. */
static enum files_found look(int root, const char *path, const char **out_detail)
{
    struct stat status;
    int fd = open_below(root, path, O_PATH);

    if (fd == -1) {
        return name_failure(out_detail);
    }
    bool is_known = fstat(fd, &status) == 0;
    close(fd);
    if (is_known && S_ISDIR(status.st_mode)) {
        return FILES_DIRECTORY;
    }
    if (is_known && S_ISREG(status.st_mode)) {
        return FILES_FOUND;
    }
    *out_detail = "it is no regular file";
    return FILES_NOT_FOUND;
}

enum files_found files_open_file(int root, const char *path, int *out_fd, struct stat *out_status,
                                 const char **out_detail)
{
    *out_detail = NULL;
    if (root == -1) {
        *out_detail = "its root could not be opened";
        return FILES_NOT_FOUND;
    }
    enum files_found found = look(root, path[0] != '\0' ? path : ".", out_detail);
    if (found != FILES_FOUND) {
        return found;
    }
    int fd = open_below(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd == -1) {
        return name_failure(out_detail);
    }
    if (fstat(fd, out_status) != 0 || !S_ISREG(out_status->st_mode)) {
        close(fd);
        *out_detail = "it is no regular file";
        return FILES_NOT_FOUND;
    }
    *out_fd = fd;
    return FILES_FOUND;
}

/* --- roots ----------------------------------------------------------------------------------- */

/* A directory that only lends its descriptor to openat2 needs no right to list it. */
static int open_root(const struct config_files *section)
{
    struct log_line line;

    if (section->root_path.len == 0) {
        return -1;
    }
    int fd = open_at(AT_FDCWD, section->root_path.data, O_PATH | O_DIRECTORY, 0);
    if (fd == -1 && errno == ENOSYS) {
        fd = open(section->root_path.data, O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    int reason = errno;
    /* Without openat2 in a sandbox this worker is about to retire for one that has it. */
    if (fd == -1 && reason != ENOSYS) {
        log_begin(&line, LOG_WARN, "files.root");
        log_text(&line, "files", section->place.name);
        log_text(&line, "root", section->root_path);
        log_str(&line, "msg", strerror(reason));
        log_end(&line);
    }
    return fd;
}

static bool read_all(int fd, char *text, size_t size, size_t *out_len)
{
    *out_len = 0;
    while (*out_len < size) {
        ssize_t got = read(fd, text + *out_len, size - *out_len);
        if (got == 0) {
            break;
        }
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            return false;
        }
        *out_len += (size_t)got;
    }
    return true;
}

/* A system without the table is fine: mime has one of its own. False: no memory. */
static bool read_types(struct mime *out)
{
    int fd = open(TYPES_PATH, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd == -1) {
        return mime_read(out, (struct span){NULL, 0});
    }
    char *text = mem_alloc(MIME_BYTES_MAX);
    size_t len = 0;
    bool is_read = text != NULL && read_all(fd, text, MIME_BYTES_MAX, &len);
    close(fd);
    bool is_made = text != NULL && mime_read(out, (struct span){text, is_read ? len : 0});
    mem_free(text);
    return is_made;
}

struct files *files_new(const struct config *config)
{
    struct files *files =
        mem_alloc_zero(sizeof(*files) + config->file_count * sizeof(files->roots[0]));
    if (files == NULL) {
        return NULL;
    }
    files->config = config;
    for (size_t i = 0; i < config->file_count; i++) {
        files->roots[i] = -1;
    }
    if (config->file_count > 0 && !read_types(&files->types)) {
        files_free(files);
        return NULL;
    }
    for (size_t i = 0; i < config->file_count; i++) {
        files->roots[i] = open_root(&config->files[i]);
    }
    return files;
}

void files_free(struct files *files)
{
    if (files == NULL) {
        return;
    }
    for (size_t i = 0; i < files->config->file_count; i++) {
        if (files->roots[i] != -1) {
            close(files->roots[i]);
        }
    }
    mime_done(&files->types);
    mem_free(files);
}

int files_root(const struct files *files, const struct config_files *section)
{
    return files->roots[section - files->config->files];
}

const struct mime *files_types(const struct files *files)
{
    return &files->types;
}
