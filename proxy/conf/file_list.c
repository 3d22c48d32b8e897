/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The files of a directory. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "conf/file.h"

struct names {
    char *items[FILE_LIST_MAX]; /* owned */
    size_t count;
    size_t bytes;
};

bool file_is_folder(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static bool has_control(const char *name)
{
    for (; *name != '\0'; name++) {
        if ((unsigned char)*name < ' ' || *name == 0x7f) {
            return true;
        }
    }
    return false;
}

/* What is gone again, since the directory was read, is no file of it. */
static bool is_file(DIR *stream, const char *name)
{
    int folder = dirfd(stream);
    struct stat status;

    return folder >= 0 && name[0] != '.' && fstatat(folder, name, &status, 0) == 0 &&
           S_ISREG(status.st_mode);
}

/* NULL: it is in. */
static const char *add(struct names *names, const char *name)
{
    if (has_control(name)) {
        return "the name of a file has a control character";
    }
    if (names->count == FILE_LIST_MAX) {
        return "the directory has more than 1000 files";
    }
    names->items[names->count] = mem_copy_str((struct span){name, strlen(name)});
    if (names->items[names->count] == NULL) {
        return strerror(ENOMEM);
    }
    names->count++;
    names->bytes += strlen(name);
    return NULL;
}

static int compare(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static struct dirent *next_entry(DIR *stream)
{
    /* cppcheck-suppress readdirCalled ; the program has no threads */
    return readdir(stream);
}

static const char *write_list(struct names *names, const char *folder, struct arena *arena,
                              struct span *out)
{
    size_t folder_len = strlen(folder);
    size_t size = names->bytes + names->count * (folder_len + 1);
    char *text = arena_alloc(arena, size + 1);
    char *at = text;

    if (text == NULL) {
        return strerror(ENOMEM);
    }
    if (names->count > 1) {
        qsort(names->items, names->count, sizeof(names->items[0]), compare);
    }
    for (size_t i = 0; i < names->count; i++) {
        size_t len = strlen(names->items[i]);

        memcpy(at, folder, folder_len);
        memcpy(at + folder_len, names->items[i], len);
        at[folder_len + len] = '\n';
        at += folder_len + len + 1;
    }
    *out = (struct span){text, size};
    return NULL;
}

static const char *read_names(DIR *stream, struct names *names)
{
    const char *detail = NULL;

    for (struct dirent *entry = next_entry(stream); detail == NULL && entry != NULL;
         entry = next_entry(stream)) {
        if (is_file(stream, entry->d_name)) {
            detail = add(names, entry->d_name);
        }
    }
    return detail;
}

bool file_list(const char *folder, struct arena *arena, struct span *out, const char **out_detail)
{
    struct names *names = mem_alloc_zero(sizeof(*names));
    DIR *stream;

    if (names == NULL) {
        *out_detail = strerror(ENOMEM);
        return false;
    }
    stream = opendir(folder);
    if (stream == NULL) {
        *out_detail = strerror(errno);
        mem_free(names);
        return false;
    }
    *out_detail = read_names(stream, names);
    if (*out_detail == NULL) {
        *out_detail = write_list(names, folder, arena, out);
    }
    for (size_t i = 0; i < names->count; i++) {
        mem_free(names->items[i]);
    }
    mem_free(names);
    closedir(stream);
    return *out_detail == NULL;
}
