/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/shared.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The size can never change, so nobody who has the file can make the memory vanish. */
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static bool map(struct shared *out, int fd, size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (memory == MAP_FAILED) {
        return false;
    }
    *out = (struct shared){.memory = memory, .mapped_bytes = bytes, .fd = fd};
    return true;
}

bool shared_new(struct shared *out, const char *name, size_t bytes, uint64_t layout)
{
    return shared_new_part(out, name, bytes, bytes, layout);
}

bool shared_new_part(struct shared *out, const char *name, size_t bytes, size_t mapped_bytes,
                     uint64_t layout)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd == -1) {
        return false;
    }
    if (ftruncate(fd, (off_t)bytes) != 0 || fcntl(fd, F_ADD_SEALS, SEALS) == -1 ||
        !map(out, fd, mapped_bytes)) {
        close(fd);
        return false;
    }
    *(struct shared_head *)out->memory = (struct shared_head){.layout = layout, .bytes = bytes};
    return true;
}

static const char *open_file(struct shared *out, int fd, size_t mapped_bytes, uint64_t layout)
{
    struct stat status;
    struct shared_head head;
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals == -1 || (seals & SEALS) != SEALS || fstat(fd, &status) != 0) {
        return "it is no sealed memory file";
    }
    if (pread(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head) || head.layout != layout ||
        head.bytes != (uint64_t)status.st_size) {
        return "this version lays it out in another way";
    }
    size_t bytes = head.bytes < mapped_bytes ? head.bytes : mapped_bytes;
    return map(out, fd, bytes) ? NULL : "out of memory";
}

bool shared_open(struct shared *out, int fd, uint64_t layout, const char **out_detail)
{
    return shared_open_part(out, fd, SIZE_MAX, layout, out_detail);
}

bool shared_open_part(struct shared *out, int fd, size_t mapped_bytes, uint64_t layout,
                      const char **out_detail)
{
    *out_detail = open_file(out, fd, mapped_bytes, layout);
    if (*out_detail != NULL) {
        close(fd);
    }
    return *out_detail == NULL;
}

void shared_close(struct shared *shared)
{
    if (shared->memory != NULL) {
        munmap(shared->memory, shared->mapped_bytes);
        close(shared->fd);
    }
    *shared = (struct shared){.fd = -1};
}

void shared_drop_file(struct shared *shared)
{
    if (shared->fd != -1) {
        close(shared->fd);
    }
    shared->fd = -1;
}

void shared_unmap(struct shared *shared)
{
    munmap(shared->memory, shared->mapped_bytes);
    shared->memory = NULL;
}

/* FNV-1a: nobody has a reason to find two layouts with the same sum. */
static uint64_t add_byte(uint64_t layout, uint8_t byte)
{
    return (layout ^ byte) * UINT64_C(1099511628211);
}

uint64_t shared_layout_number(uint64_t layout, uint64_t number)
{
    for (unsigned i = 0; i < sizeof(number); i++) {
        layout = add_byte(layout, (uint8_t)(number >> (8 * i)));
    }
    return layout;
}

uint64_t shared_layout_text(uint64_t layout, const char *text)
{
    for (size_t i = 0; i <= strlen(text); i++) {
        layout = add_byte(layout, (uint8_t)text[i]);
    }
    return layout;
}

static bool set_lock(const struct shared *shared, size_t place, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)place, .l_len = 1};
    return fcntl(shared->fd, F_SETLK, &lock) == 0;
}

bool shared_lock(const struct shared *shared, size_t place)
{
    return set_lock(shared, place, F_WRLCK);
}

void shared_unlock(const struct shared *shared, size_t place)
{
    bool is_unlocked = set_lock(shared, place, F_UNLCK);
    (void)is_unlocked; /* nothing can be wrong with it */
}
