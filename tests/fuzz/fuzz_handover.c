/* SPDX-License-Identifier: GPL-3.0-or-later */
/* handover: any text is refused, with a reason, or makes a list that prints to one that reads the
 * same. */
#include "gate/handover.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *parse(struct handover *out, const void *text, size_t len)
{
    char *copy = mem_alloc(len + 1);
    assert(copy != NULL);
    if (len > 0) {
        memcpy(copy, text, len);
    }
    return handover_parse(out, copy, len);
}

/* The descriptors are numbers only. */
static void forget(struct handover *h)
{
    h->link_fd = h->scoreboard_fd = h->seats_fd = h->roster_fd = h->quota_fd = h->spent_fd = -1;
    for (size_t i = 0; i < h->socket_count; i++) {
        h->sockets[i].fd = -1;
    }
    handover_done(h);
}

static void check_same(const struct handover *a, const struct handover *b)
{
    assert(a->generation == b->generation && a->is_relayed == b->is_relayed);
    assert(a->tickets_len == b->tickets_len && a->fd_count == b->fd_count);
    assert(memcmp(a->tickets, b->tickets, a->tickets_len) == 0);
    assert(a->socket_count == b->socket_count);
    for (size_t i = 0; i < a->socket_count; i++) {
        assert(a->sockets[i].fd == b->sockets[i].fd && a->sockets[i].slot == b->sockets[i].slot);
        assert(addr_is_equal(&a->sockets[i].address, &b->sockets[i].address));
        assert(span_is_equal(a->sockets[i].name, b->sockets[i].name));
    }
}

/* A list that lacks something cannot be printed, nor one with names that no configuration has. */
static bool is_printable(const struct handover *h)
{
    bool is_short = h->program.len < 4000;
    for (size_t i = 0; i < h->socket_count; i++) {
        is_short &= h->sockets[i].name.len < 300 &&
                    memchr(h->sockets[i].name.data, '\0', h->sockets[i].name.len) == NULL;
    }
    return is_short && h->scoreboard_fd != -1 && h->seats_fd != -1 && h->roster_fd != -1 &&
           h->quota_fd != -1 && h->spent_fd != -1 &&
           (h->program.len == 0 || memchr(h->program.data, '\0', h->program.len) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct handover first;
    struct handover second;
    size_t blocks = mem_live_blocks();

    if (parse(&first, data, size) == NULL) {
        assert(first.is_there && first.generation > 1 && first.link_fd > 2);
        if (is_printable(&first)) {
            size_t len = 0;
            char *text = handover_print(&first, &len);
            assert(text != NULL);
            const char *detail = parse(&second, text, len);
            assert(detail == NULL);
            check_same(&first, &second);
            forget(&second);
            mem_free(text);
        }
        forget(&first);
    }
    assert(mem_live_blocks() == blocks);
    return 0;
}
