/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/sockets.h"

#include <assert.h>
#include <stdio.h>

#include "base/mem.h"
#include "conf/change.h"
#include "io/net.h"

struct sockets_place {
    struct list link;
    struct addr address;  /* as the configuration has it */
    char *name;           /* of the listener: tells two places with port 0 apart */
    struct addr bound;    /* as the system has it */
    uint64_t close_at_ms; /* 0 = it does not leave */
    int fds[SOCKETS_SLOTS_MAX];
    bool is_listening[SOCKETS_SLOTS_MAX];
};

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

static struct sockets_place *find_place(const struct sockets *s, const struct config_listen *listen)
{
    for (struct list *link = s->places.next; link != &s->places; link = link->next) {
        struct sockets_place *place = container_of(link, struct sockets_place, link);
        if (is_place_of(place, listen)) {
            return place;
        }
    }
    return NULL;
}

static struct sockets_place *new_place(struct sockets *s, const struct config_listen *listen)
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

/* --- a plan ---------------------------------------------------------------------------------- */

static bool fail(const struct config_listen *listen, const char *detail, char *text)
{
    char address[ADDR_TEXT_MAX];
    snprintf(text, SOCKETS_TEXT_MAX, "cannot listen on %s ([listen %.*s]): %s",
             addr_print(&listen->address, address, sizeof(address)), (int)listen->name.len,
             listen->name.data, detail);
    return false;
}

static bool is_unix(const struct config_listen *listen)
{
    return listen->address.u.sa.sa_family == AF_UNIX;
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
    bool is_known = !is_unix(listen) && (port == 0 || has_port(s, port));
    return is_known || net_is_free(&listen->address, &detail) || fail(listen, detail, text);
}

/* A Unix socket is one, which all slots share. */
static int bind_slot(const struct sockets_place *place, const struct config_listen *listen,
                     const char **out_detail)
{
    for (size_t i = 0; is_unix(listen) && i < SOCKETS_SLOTS_MAX; i++) {
        if (place->fds[i] != -1) {
            return net_share(place->fds[i], out_detail);
        }
    }
    return net_bind(&place->bound, out_detail);
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
        place->fds[i] = bind_slot(place, listen, &detail);
        if (place->fds[i] == -1 || !net_local_addr(place->fds[i], &place->bound)) {
            return fail(listen, detail, text);
        }
    }
    return true;
}

static bool plan_listen(struct sockets *s, const struct config_listen *listen, size_t slot_count,
                        char *text)
{
    struct sockets_place *place = find_place(s, listen);
    if (place == NULL) {
        if (!is_free(s, listen, text)) {
            return false;
        }
        place = new_place(s, listen);
        if (place == NULL) {
            return fail(listen, "out of memory", text);
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
        return fail(&config->listens[0], "out of memory", text);
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

static bool has_place(const struct sockets_set *set, const struct sockets_place *place)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->places[i] == place) {
            return true;
        }
    }
    return false;
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
            is_good = fail(&listen, detail, text);
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
    struct sockets_set before = s->current;
    bool is_good = true;
    s->current = s->planned;
    s->planned = (struct sockets_set){.count = 0};
    for (size_t i = 0; i < s->current.count; i++) {
        is_good &= open_place(s->current.places[i], text);
    }
    for (size_t i = 0; i < before.count; i++) {
        if (!has_place(&s->current, before.places[i])) {
            leave(before.places[i], now_ms);
        }
    }
    drop_set(&before);
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
    for (size_t i = 0; i < s->current.count; i++) {
        out_fds[i] = s->current.places[i]->fds[slot];
        s->current.places[i]->fds[slot] = -1;
    }
    sockets_done(s);
}

/* --- what there is --------------------------------------------------------------------------- */

int sockets_fd(const struct sockets_set *set, size_t listen, size_t slot)
{
    assert(slot < SOCKETS_SLOTS_MAX);
    return listen < set->count ? set->places[listen]->fds[slot] : -1;
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
