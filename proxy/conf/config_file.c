/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_file.c: memory, errors and files of config_draft.h. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "conf/config_draft.h"

#define QUOTE_MAX 60
#define BLOCK_BYTES 8192

struct config_arena_block {
    struct config_arena_block *next;
    size_t used;
    size_t size;
    alignas(max_align_t) uint8_t data[];
};

void *config_arena_alloc(struct config_arena *arena, size_t size)
{
    struct config_arena_block *block = arena->blocks;
    size_t align = alignof(max_align_t);
    size_t need = (size + align) / align * align;
    void *place;

    if (block == NULL || block->size - block->used < need) {
        size_t bytes = need > BLOCK_BYTES ? need : BLOCK_BYTES;

        block = mem_alloc_zero(sizeof(*block) + bytes);
        if (block == NULL) {
            return NULL;
        }
        block->next = arena->blocks;
        block->size = bytes;
        arena->blocks = block;
    }
    place = block->data + block->used;
    block->used += need;
    return place;
}

bool config_arena_copy(struct config_arena *arena, struct span text, struct span *out)
{
    char *copy = config_arena_alloc(arena, text.len + 1);

    *out = (struct span){copy, copy == NULL ? 0 : text.len};
    if (copy == NULL) {
        return false;
    }
    if (text.len > 0) {
        memcpy(copy, text.data, text.len);
    }
    return true;
}

void config_arena_done(struct config_arena *arena)
{
    struct config_arena_block *block = arena->blocks;

    arena->blocks = NULL;
    while (block != NULL) {
        struct config_arena_block *next = block->next;

        explicit_bzero(block->data, block->used);
        mem_free(block);
        block = next;
    }
}

void config_report_add(struct config_report *report, unsigned line, const char *format, ...)
{
    struct config_errors *errors = &report->errors;
    struct config_error *items;
    va_list args;

    report->is_failed = true;
    if (errors->count > CONFIG_ERRORS_MAX) {
        return;
    }
    items = mem_resize(errors->items, (errors->count + 1) * sizeof(*items));
    if (items == NULL) {
        return;
    }
    errors->items = items;
    items += errors->count++;
    items->line = line;
    if (errors->count > CONFIG_ERRORS_MAX) {
        snprintf(items->message, sizeof(items->message), "too many errors; the rest is not listed");
        return;
    }
    va_start(args, format);
    vsnprintf(items->message, sizeof(items->message), format, args);
    va_end(args);
}

void config_report_no_memory(struct config_report *report)
{
    config_report_add(report, 0, "out of memory");
}

void config_report_sort(struct config_report *report)
{
    struct config_error *items = report->errors.items;

    for (size_t i = 1; i < report->errors.count; i++) {
        struct config_error moved = items[i];
        size_t place = i;

        while (place > 0 && items[place - 1].line > moved.line) {
            items[place] = items[place - 1];
            place--;
        }
        items[place] = moved;
    }
}

void config_errors_free(struct config_errors *errors)
{
    mem_free(errors->items);
    *errors = (struct config_errors){0};
}

void config_errors_print(const char *path, const struct config_errors *errors, FILE *out)
{
    if (errors->count == 0) {
        fprintf(out, "%s: out of memory\n", path);
    }
    for (size_t i = 0; i < errors->count; i++) {
        const struct config_error *error = &errors->items[i];

        if (error->line == 0) {
            fprintf(out, "%s: %s\n", path, error->message);
        } else {
            fprintf(out, "%s:%u: %s\n", path, error->line, error->message);
        }
    }
}

struct span config_quote(struct span text)
{
    return utf8_cut(text, QUOTE_MAX);
}

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

static bool read_open_file(int fd, struct config_arena *arena, struct span *out,
                           const char **out_problem)
{
    struct stat status;
    ssize_t len = -1;
    char *data;
    bool is_read = false;

    if (fstat(fd, &status) != 0) {
        *out_problem = strerror(errno);
        return false;
    }
    if (!S_ISREG(status.st_mode)) {
        *out_problem = S_ISDIR(status.st_mode) ? strerror(EISDIR) : "not a regular file";
        return false;
    }
    data = mem_alloc(CONFIG_FILE_MAX + 1);
    if (data == NULL) {
        *out_problem = strerror(ENOMEM);
        return false;
    }
    len = read_all(fd, data, CONFIG_FILE_MAX + 1);
    if (len < 0) {
        *out_problem = strerror(errno);
    } else if ((size_t)len > CONFIG_FILE_MAX) {
        *out_problem = "the file is larger than 1 MiB";
    } else if (!config_arena_copy(arena, (struct span){data, (size_t)len}, out)) {
        *out_problem = strerror(ENOMEM);
    } else {
        is_read = true;
    }
    explicit_bzero(data, len > 0 ? (size_t)len : 0);
    mem_free(data);
    return is_read;
}

bool config_file_read(const char *path, struct config_arena *arena, struct span *out,
                      const char **out_problem)
{
    /* Opening a pipe without O_NONBLOCK would wait for a writer, before it can be refused. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    bool is_read;

    if (fd < 0) {
        *out_problem = strerror(errno);
        return false;
    }
    is_read = read_open_file(fd, arena, out, out_problem);
    close(fd);
    return is_read;
}
