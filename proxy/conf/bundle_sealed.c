/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A bundle as bytes, and in a sealed memory file. Both ends are the same program on one machine, so
 * numbers are as the machine has them; but a worker believes no length. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/bundle.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static const char magic[16] = "sluice bundle 1";

struct head {
    char magic[sizeof(magic)];
    uint32_t cores;
    uint32_t is_root;
    uint32_t has_user;
    uint32_t uid;
    uint32_t gid;
    uint32_t file_count;
};

struct file_head {
    uint32_t name_len;
    uint32_t bytes_len;
};

static char *put(char *to, const void *data, size_t len)
{
    if (len > 0) {
        memcpy(to, data, len);
    }
    return to + len;
}

char *bundle_encode(const struct bundle *bundle, size_t *out_len)
{
    const struct bundle_facts *facts = &bundle->facts;
    struct head head = {
        .cores = facts->cores,
        .is_root = facts->is_root,
        .has_user = facts->has_user,
        .uid = facts->uid,
        .gid = facts->gid,
        .file_count = (uint32_t)bundle->count,
    };
    size_t len = sizeof(head);

    memcpy(head.magic, magic, sizeof(magic));
    for (const struct bundle_file *file = bundle->files; file != NULL; file = file->next) {
        len += sizeof(struct file_head) + file->name.len + file->bytes.len;
    }
    char *bytes = mem_alloc(len);
    if (bytes == NULL) {
        return NULL;
    }
    char *to = put(bytes, &head, sizeof(head));
    for (const struct bundle_file *file = bundle->files; file != NULL; file = file->next) {
        const struct file_head file_head = {(uint32_t)file->name.len, (uint32_t)file->bytes.len};

        to = put(to, &file_head, sizeof(file_head));
        to = put(to, file->name.data, file->name.len);
        to = put(to, file->bytes.data, file->bytes.len);
    }
    *out_len = len;
    return bytes;
}

/* Takes `len` bytes off the front of *bytes. */
static bool take(struct span *bytes, size_t len, struct span *out)
{
    if (len > bytes->len) {
        return false;
    }
    *out = (struct span){bytes->data, len};
    *bytes = (struct span){bytes->data + len, bytes->len - len};
    return true;
}

static bool take_head(struct span *bytes, struct head *out)
{
    struct span raw;

    if (!take(bytes, sizeof(*out), &raw)) {
        return false;
    }
    memcpy(out, raw.data, sizeof(*out));
    return memcmp(out->magic, magic, sizeof(magic)) == 0 && out->cores > 0 && out->is_root <= 1 &&
           out->has_user <= 1 && out->file_count > 0;
}

static bool take_one_file(struct span *bytes, struct bundle *out, const char **out_detail)
{
    struct file_head head;
    struct span raw;
    struct span name;
    struct span content;

    if (!take(bytes, sizeof(head), &raw)) {
        return false;
    }
    memcpy(&head, raw.data, sizeof(head));
    if (head.bytes_len > FILE_BYTES_MAX || !take(bytes, head.name_len, &name) ||
        !take(bytes, head.bytes_len, &content)) {
        return false;
    }
    struct bundle_file *file = arena_alloc(&out->memory, sizeof(*file));
    if (file == NULL || !arena_copy(&out->memory, name, &file->name) ||
        !arena_copy(&out->memory, content, &file->bytes)) {
        *out_detail = "out of memory";
        return false;
    }
    *(out->last == NULL ? &out->files : &out->last->next) = file;
    out->last = file;
    out->count++;
    out->bytes += content.len;
    return true;
}

bool bundle_decode(struct bundle *out, struct span bytes, const char **out_detail)
{
    struct head head;

    *out = (struct bundle){.count = 0};
    *out_detail = "the bundle of the configuration is damaged";
    if (!take_head(&bytes, &head)) {
        return false;
    }
    out->facts = (struct bundle_facts){
        .cores = head.cores,
        .is_root = head.is_root != 0,
        .has_user = head.has_user != 0,
        .uid = head.uid,
        .gid = head.gid,
    };
    bool is_good = true;
    while (is_good && out->count < head.file_count) {
        is_good = take_one_file(&bytes, out, out_detail);
    }
    if (!is_good || bytes.len > 0) {
        bundle_done(out);
        return false;
    }
    *out_detail = NULL;
    return true;
}

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t sent = write(fd, data, len);

        if (sent > 0) {
            data += sent;
            len -= (size_t)sent;
        } else if (sent == 0 || errno != EINTR) {
            return false;
        }
    }
    return true;
}

int bundle_seal(const struct bundle *bundle)
{
    size_t len = 0;

    for (const struct bundle_file *file = bundle->files; file != NULL; file = file->next) {
        /* Targets only may need the system's CAs: config_build knows whether they do. */
        bool is_spare = span_is_equal(file->name, SPAN_LIT(BUNDLE_SYSTEM_CA));
        if (file->problem.len > 0 && !is_spare) {
            return -1;
        }
    }
    char *bytes = bundle->is_short ? NULL : bundle_encode(bundle, &len);
    if (bytes == NULL) {
        return -1;
    }
    int fd = memfd_create("sluice-configuration", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd != -1 && (!write_all(fd, bytes, len) || fcntl(fd, F_ADD_SEALS, SEALS) == -1)) {
        close(fd);
        fd = -1;
    }
    explicit_bzero(bytes, len);
    mem_free(bytes);
    return fd;
}

bool bundle_open(struct bundle *out, int fd, const char **out_detail)
{
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);

    *out = (struct bundle){.count = 0};
    *out_detail = "the bundle of the configuration is no sealed memory file";
    /* The largest bundle has names and heads too. */
    if (seals == -1 || (seals & SEALS) != SEALS || fstat(fd, &status) != 0 || status.st_size <= 0 ||
        (size_t)status.st_size > 2 * BUNDLE_BYTES_MAX) {
        return false;
    }
    size_t len = (size_t)status.st_size;
    void *bytes = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED) {
        *out_detail = "out of memory";
        return false;
    }
    bool is_good = bundle_decode(out, (struct span){bytes, len}, out_detail);
    munmap(bytes, len);
    return is_good;
}
