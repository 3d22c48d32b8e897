/* SPDX-License-Identifier: GPL-3.0-or-later */
/* list.h: intrusive doubly linked list.
 *
 * For: an order of objects that exist already (a worker's sessions, the end-of-turn list). Not for:
 * owning them; a link never frees. A `struct list` is both the head and a link. An unlinked link
 * points at itself, so unlinking twice is harmless. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *prev;
};

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

static inline void list_init(struct list *l)
{
    l->next = l;
    l->prev = l;
}

static inline bool list_is_empty(const struct list *l)
{
    return l->next == l;
}

/* Puts `link` (unlinked) at the tail of `head`. */
static inline void list_append(struct list *head, struct list *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

static inline void list_unlink(struct list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

/* Takes the first link off, or returns NULL when the list is empty. */
static inline struct list *list_take_first(struct list *head)
{
    struct list *first = head->next;
    if (first == head) {
        return NULL;
    }
    list_unlink(first);
    return first;
}

#endif
