/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The linker (--wrap) puts these functions in the place of io/net's reading and writing: a kernel
 * that always has bytes and takes everything. */
#include <string.h>

#include "count.h"
#include "io/net.h"

/* The linker makes __wrap_NAME of every call of NAME in the other files. */
enum net_result kernel_recv(int fd, void *data, size_t size,
                            size_t *out_len) __asm__("__wrap_net_recv");
enum net_result kernel_send(int fd, const struct iovec *iov, size_t count, bool is_corked,
                            size_t *out_len) __asm__("__wrap_net_send");

static struct {
    int fd;
    const uint8_t *data;
    size_t len;
    size_t step;
    bool moves;
} source = {.fd = -1};
static uint64_t sent_bytes;
static bool is_counting;

void kernel_feed(int fd, const uint8_t *data, size_t len)
{
    source.fd = fd;
    source.data = data;
    source.len = source.step = len;
    source.moves = false;
}

void kernel_feed_on(int fd, const uint8_t *data, size_t len, size_t step)
{
    kernel_feed(fd, data, len);
    source.step = step;
    source.moves = true;
}

uint64_t kernel_sent_bytes(void)
{
    return sent_bytes;
}

void kernel_counts(void)
{
    is_counting = true;
}

/* The program itself does not copy here, so callgrind must leave this function out. Entering it
 * turns counting off and leaving it turns counting on, so no case may call it while warming up. */
void kernel_copy(void *to, const void *from, size_t len);
__attribute__((noinline)) void kernel_copy(void *to, const void *from, size_t len)
{
    memcpy(to, from, len);
    __asm__ volatile("" ::: "memory"); /* else the copy is a jump, which never returns here */
}

enum net_result kernel_recv(int fd, void *data, size_t size, size_t *out_len)
{
    if (fd != source.fd || source.step > source.len || source.step > size) {
        count_die("a read of %zu bytes of descriptor %d, which has %zu", size, fd, source.len);
    }
    if (is_counting) {
        kernel_copy(data, source.data, source.step);
    } else {
        memcpy(data, source.data, source.step);
    }
    *out_len = source.step;
    if (source.moves) {
        source.data += source.step;
        source.len -= source.step;
    }
    return NET_OK;
}

enum net_result kernel_send(int fd, const struct iovec *iov, size_t count, bool is_corked,
                            size_t *out_len)
{
    (void)fd;
    (void)is_corked;
    *out_len = 0;
    for (size_t i = 0; i < count; i++) {
        *out_len += iov[i].iov_len;
    }
    sent_bytes += *out_len;
    return NET_OK;
}
