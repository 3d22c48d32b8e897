/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/sockets.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/change.h"
#include "gate/sockets_parts.h"
#include "io/net.h"

void sockets_init(struct sockets *s)
{
    *s = (struct sockets){.current = {.count = 0}};
    list_init(&s->places);
}

/* --- places ---------------------------------------------------------------------------------- */

static void close_place(struct sockets_place *place)
{
    for (size_t i = 0; i < SOCKETS_SLOTS_MAX; i++) {
        if (place->fds[i] != -1) {
            net_close(place->fds[i]);
        }
    }
    list_unlink(&place->link);
    mem_free(place->name);
    mem_free(place);
}

static bool is_place_of(const struct sockets_place *place, const struct config_listen *listen)
{
    const struct config_listen like = {.address = place->address,
                                       .name = span_from_str(place->name)};
    return change_is_socket_same(&like, listen);
}

struct sockets_place *sockets_find_place(const struct sockets *s,
                                         const struct config_listen *listen)
{
    for (struct list *link = s->places.next; link != &s->places; link = link->next) {
        struct sockets_place *place = container_of(link, struct sockets_place, link);
        if (is_place_of(place, listen)) {
            return place;
        }
    }
    return NULL;
}

struct sockets_place *sockets_new_place(struct sockets *s, const struct config_listen *listen)
{
    struct sockets_place *place = mem_alloc_zero(sizeof(*place));
    char *name = mem_copy_str(listen->name);
    if (place == NULL || name == NULL) {
        mem_free(place);
        mem_free(name);
        return NULL;
    }
    place->address = listen->address;
    place->bound = listen->address;
    place->name = name;
    for (size_t i = 0; i < SOCKETS_SLOTS_MAX; i++) {
        place->fds[i] = -1;
    }
    list_init(&place->link);
    list_append(&s->places, &place->link);
    return place;
}

static bool has_place(const struct sockets_set *set, const struct sockets_place *place)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->places[i] == place) {
            return true;
        }
    }
    return false;
}

/* --- a plan ---------------------------------------------------------------------------------- */

bool sockets_fail(const struct config_listen *listen, const char *detail, char *text)
{
    char address[ADDR_TEXT_MAX];
    snprintf(text, SOCKETS_TEXT_MAX, "cannot listen on %s ([listen %.*s]): %s",
             addr_print(&listen->address, address, sizeof(address)), (int)listen->name.len,
             listen->name.data, detail);
    return false;
}

size_t sockets_count_leaving(const struct sockets *s)
{
    size_t count = 0;
    for (struct list *link = s->places.next; link != &s->places; link = link->next) {
        count += !has_place(&s->planned, container_of(link, struct sockets_place, link));
    }
    return count;
}

static bool is_unix(const struct addr *address)
{
    return address->u.sa.sa_family == AF_UNIX;
}

/* A wildcard address and one of its own addresses overlap only with the same port. */
static bool has_port(const struct sockets *s, uint16_t port)
{
    for (struct list *link = s->places.next; link != &s->places; link = link->next) {
        if (addr_port(&container_of(link, struct sockets_place, link)->bound) == port) {
            return true;
        }
    }
    return false;
}

/* Asks for the address alone first: with SO_REUSEPORT a second program of the same user would share
 * it. This program itself may have the port already, at an address that overlaps. */
static bool is_free(const struct sockets *s, const struct config_listen *listen, char *text)
{
    const char *detail = NULL;
    uint16_t port = addr_port(&listen->address);
    bool is_known = !is_unix(&listen->address) && (port == 0 || has_port(s, port));
    return is_known || net_is_free(&listen->address, &detail) || sockets_fail(listen, detail, text);
}

/* The slot from whose socket this slot takes a copy, where it can have none of its own;
 * SOCKETS_SLOTS_MAX: there is none yet. */
static size_t origin_of(const struct sockets_place *place, size_t slot)
{
    size_t origin = place->inherited > 0 ? slot % place->inherited : 0;
    while (origin < SOCKETS_SLOTS_MAX && place->fds[origin] == -1) {
        origin++;
    }
    return origin;
}

/* A Unix socket is one, which all slots share; so is a socket unit's without ReusePort=yes. */
static int open_slot(struct sockets_place *place, size_t slot, const char **out_detail)
{
    size_t origin = origin_of(place, slot);
    bool is_first = origin == SOCKETS_SLOTS_MAX;
    bool has_group = is_first || place->inherited == 0 || net_has_group(place->fds[origin]);
    bool can_bind = is_first || (!is_unix(&place->bound) && has_group);
    int fd = can_bind ? net_bind(&place->bound, out_detail) : -1;
    place->is_foreign[slot] = false;
    if (fd == -1 && !is_first && (place->inherited > 0 || is_unix(&place->bound))) {
        fd = net_copy(place->fds[origin]);
        place->is_foreign[slot] = place->is_foreign[origin];
        *out_detail = "too many open files";
    }
    return fd;
}

/* With port 0 the first socket gets a port, and the others take the same. */
static bool bind_slots(struct sockets_place *place, const struct config_listen *listen,
                       size_t slot_count, char *text)
{
    for (size_t i = 0; i < slot_count; i++) {
        const char *detail = "no local address";
        if (place->fds[i] != -1) {
            continue;
        }
        place->fds[i] = open_slot(place, i, &detail);
        if (place->fds[i] == -1 || !net_local_addr(place->fds[i], &place->bound)) {
            return sockets_fail(listen, detail, text);
        }
    }
    return true;
}

static bool plan_listen(struct sockets *s, const struct config_listen *listen, size_t slot_count,
                        char *text)
{
    struct sockets_place *place = sockets_find_place(s, listen);
    if (place == NULL) {
        if (!is_free(s, listen, text)) {
            return false;
        }
        place = sockets_new_place(s, listen);
        if (place == NULL) {
            return sockets_fail(listen, "out of memory", text);
        }
    }
    s->planned.places[s->planned.count++] = place;
    return bind_slots(place, listen, slot_count, text);
}

bool sockets_plan(struct sockets *s, const struct config *config, size_t slot_count,
                  char text[SOCKETS_TEXT_MAX])
{
    assert(s->planned.places == NULL && slot_count <= SOCKETS_SLOTS_MAX);
    s->planned.places = mem_alloc_zero(config->listen_count * sizeof(*s->planned.places));
    if (s->planned.places == NULL) {
        return sockets_fail(&config->listens[0], "out of memory", text);
    }
    bool is_good = true;
    for (size_t i = 0; is_good && i < config->listen_count; i++) {
        is_good = plan_listen(s, &config->listens[i], slot_count, text);
    }
    if (!is_good) {
        sockets_drop_plan(s);
    }
    return is_good;
}

static void drop_set(struct sockets_set *set)
{
    mem_free(set->places);
    *set = (struct sockets_set){.count = 0};
}

/* Closes what does not listen; true: something is left. */
static bool close_silent(struct sockets_place *place)
{
    bool is_used = false;
    for (size_t i = 0; i < SOCKETS_SLOTS_MAX; i++) {
        if (place->fds[i] != -1 && !place->is_listening[i]) {
            net_close(place->fds[i]);
            place->fds[i] = -1;
        }
        is_used |= place->fds[i] != -1;
    }
    return is_used;
}

void sockets_drop_plan(struct sockets *s)
{
    for (size_t i = 0; i < s->planned.count; i++) {
        if (!close_silent(s->planned.places[i])) {
            close_place(s->planned.places[i]);
        }
    }
    drop_set(&s->planned);
}

/* --- a plan becomes true --------------------------------------------------------------------- */

static bool open_place(struct sockets_place *place, char *text)
{
    bool is_good = true;
    for (size_t i = 0; i < SOCKETS_SLOTS_MAX; i++) {
        const char *detail = "cannot hear again";
        if (place->fds[i] == -1) {
            continue;
        }
        if (place->is_listening[i] ? place->close_at_ms != 0 && !net_set_deaf(place->fds[i], false)
                                   : !net_start_listening(place->fds[i], &detail)) {
            const struct config_listen listen = {.address = place->bound,
                                                 .name = span_from_str(place->name)};
            is_good = sockets_fail(&listen, detail, text);
        }
        place->is_listening[i] = true;
    }
    place->close_at_ms = 0;
    return is_good;
}

/* Where the system knows no filter, the address is closed with whoever comes last. */
static void leave(struct sockets_place *place, uint64_t now_ms)
{
    for (size_t i = 0; i < SOCKETS_SLOTS_MAX; i++) {
        if (place->fds[i] != -1) {
            bool is_deaf = net_set_deaf(place->fds[i], true);
            (void)is_deaf;
        }
    }
    place->close_at_ms = now_ms + SOCKETS_LEAVE_MS;
}

bool sockets_commit(struct sockets *s, uint64_t now_ms, char text[SOCKETS_TEXT_MAX])
{
    bool is_good = true;
    drop_set(&s->current);
    s->current = s->planned;
    s->planned = (struct sockets_set){.count = 0};
    for (size_t i = 0; i < s->current.count; i++) {
        is_good &= open_place(s->current.places[i], text);
    }
    for (struct list *link = s->places.next; link != &s->places; link = link->next) {
        struct sockets_place *place = container_of(link, struct sockets_place, link);
        if (place->close_at_ms == 0 && !has_place(&s->current, place)) {
            leave(place, now_ms);
        }
    }
    return is_good;
}

void sockets_done(struct sockets *s)
{
    drop_set(&s->current);
    drop_set(&s->planned);
    while (!list_is_empty(&s->places)) {
        close_place(container_of(s->places.next, struct sockets_place, link));
    }
}

void sockets_take_slot(struct sockets *s, size_t slot, int *out_fds)
{
    const struct sockets_set *set = sockets_newest(s);
    for (size_t i = 0; i < set->count; i++) {
        out_fds[i] = set->places[i]->fds[slot];
        set->places[i]->fds[slot] = -1;
    }
    sockets_done(s);
}

/* --- what there is --------------------------------------------------------------------------- */

const struct sockets_set *sockets_newest(const struct sockets *s)
{
    return s->current.places != NULL ? &s->current : &s->planned;
}

int sockets_fd(const struct sockets_set *set, size_t listen, size_t slot)
{
    assert(slot < SOCKETS_SLOTS_MAX);
    return listen < set->count ? set->places[listen]->fds[slot] : -1;
}

bool sockets_is_foreign(const struct sockets_set *set, size_t listen, size_t slot)
{
    assert(slot < SOCKETS_SLOTS_MAX);
    return listen < set->count && set->places[listen]->is_foreign[slot];
}

const struct addr *sockets_address(const struct sockets_set *set, size_t listen)
{
    assert(listen < set->count);
    return &set->places[listen]->bound;
}

bool sockets_is_new(const struct sockets *s, size_t listen)
{
    assert(listen < s->planned.count);
    return !has_place(&s->current, s->planned.places[listen]);
}

bool sockets_have_keeper(const struct sockets *s)
{
    const struct sockets_set *set = sockets_newest(s); /* an heir has a plan */
    for (size_t i = 0; i < set->count; i++) {
        for (size_t slot = 0; slot < SOCKETS_SLOTS_MAX; slot++) {
            if (set->places[i]->is_foreign[slot]) {
                return true;
            }
        }
    }
    return false;
}

void sockets_visit(const struct sockets *s, sockets_visit_fn *visit, void *owner)
{
    char name[INHERIT_NAME_MAX];
    for (size_t i = 0; i < s->current.count; i++) {
        const struct sockets_place *place = s->current.places[i];
        inherit_print_name(&place->bound, name);
        for (size_t slot = 0; slot < SOCKETS_SLOTS_MAX; slot++) {
            if (place->fds[slot] != -1) {
                visit(owner, place->fds[slot], name, !place->is_foreign[slot]);
            }
        }
    }
}

static bool store_place(struct sockets_place *place, struct notify *n, const char *name,
                        uint64_t now_ms)
{
    for (size_t i = 0; i < SOCKETS_SLOTS_MAX; i++) {
        if (place->fds[i] == -1 || !place->is_listening[i] || place->is_stored[i] ||
            place->is_foreign[i]) {
            continue;
        }
        if (!notify_store(n, place->fds[i], name, now_ms)) {
            return false;
        }
        place->is_stored[i] = true;
    }
    return true;
}

static bool forget_place(struct sockets_place *place, struct notify *n, const char *name,
                         uint64_t now_ms)
{
    bool is_stored = place->is_handed; /* the master before may have stored them */
    for (size_t i = 0; i < SOCKETS_SLOTS_MAX; i++) {
        is_stored |= place->is_stored[i];
    }
    if (is_stored && !notify_forget(n, span_from_str(name), now_ms)) {
        return false;
    }
    memset(place->is_stored, 0, sizeof(place->is_stored));
    place->is_handed = false;
    return true;
}

/* In a plan nothing listens yet, and the system tells of such a socket that its peer hung up: the
 * manager would drop it. */
void sockets_store(struct sockets *s, struct notify *n, uint64_t now_ms)
{
    char name[INHERIT_NAME_MAX];
    bool is_taken = true;
    for (struct list *link = s->places.next; is_taken && link != &s->places; link = link->next) {
        struct sockets_place *place = container_of(link, struct sockets_place, link);
        if (addr_is_equal(&place->address, &place->bound)) {
            inherit_print_name(&place->bound, name);
            is_taken = place->close_at_ms != 0 ? forget_place(place, n, name, now_ms)
                                               : store_place(place, n, name, now_ms);
        }
    }
}

int sockets_next_leaving(const struct sockets *s, size_t slot, size_t *at)
{
    size_t place_at = 0;
    for (struct list *link = s->places.next; link != &s->places; link = link->next) {
        const struct sockets_place *place = container_of(link, struct sockets_place, link);
        if (place_at++ >= *at && place->close_at_ms != 0 && place->fds[slot] != -1) {
            *at = place_at;
            return place->fds[slot];
        }
    }
    return -1;
}

uint64_t sockets_due_ms(const struct sockets *s)
{
    uint64_t due_ms = UINT64_MAX;
    for (struct list *link = s->places.next; link != &s->places; link = link->next) {
        const struct sockets_place *place = container_of(link, struct sockets_place, link);
        if (place->close_at_ms != 0 && place->close_at_ms < due_ms) {
            due_ms = place->close_at_ms;
        }
    }
    return due_ms;
}

void sockets_tend(struct sockets *s, uint64_t now_ms)
{
    struct list *link = s->places.next;
    while (link != &s->places) {
        struct sockets_place *place = container_of(link, struct sockets_place, link);
        link = link->next;
        /* A plan may want the address back. */
        if (place->close_at_ms != 0 && place->close_at_ms <= now_ms &&
            !has_place(&s->planned, place)) {
            close_place(place);
        }
    }
}
