/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sockets that somebody has handed over: whoever started the program, or the master before. */
#include "base/log.h"
#include "base/mem.h"
#include "gate/sockets_parts.h"
#include "io/net.h"

/* --- whoever started the program -------------------------------------------------------------- */

static void log_inherited(const struct sockets_place *place)
{
    char address[ADDR_TEXT_MAX];
    struct log_line line;
    size_t foreign = 0;
    for (size_t i = 0; i < place->inherited; i++) {
        foreign += place->is_foreign[i];
    }
    log_begin(&line, LOG_INFO, "listen.inherited");
    log_str(&line, "name", place->name);
    log_str(&line, "address", addr_print(&place->address, address, sizeof(address)));
    log_u64(&line, "from_unit", foreign);
    log_u64(&line, "from_store", place->inherited - foreign);
    log_end(&line);
}

static bool inherit_place(struct sockets *s, const struct config_listen *listen,
                          struct inherit *from)
{
    char own_name[INHERIT_NAME_MAX];
    struct span name;
    struct sockets_place *place = NULL;
    size_t slot = 0;
    int fd;
    inherit_print_name(&listen->address, own_name);
    while (slot < SOCKETS_SLOTS_MAX &&
           (fd = inherit_take_socket(from, &listen->address, &name)) != -1) {
        place = place != NULL ? place : sockets_new_place(s, listen);
        if (place == NULL || !net_adopt_listener(fd)) {
            net_close(fd);
            return false;
        }
        place->is_foreign[slot] = !span_is_equal(name, span_from_str(own_name));
        place->fds[slot++] = fd;
        place->inherited = slot;
    }
    if (place != NULL) {
        log_inherited(place);
    }
    return true;
}

bool sockets_inherit(struct sockets *s, const struct config *config, struct inherit *from)
{
    for (size_t i = 0; i < config->listen_count; i++) {
        if (!inherit_place(s, &config->listens[i], from)) {
            return false;
        }
    }
    return true;
}

size_t sockets_slots(const struct sockets *s)
{
    size_t slots = 0;
    for (struct list *link = s->places.next; link != &s->places; link = link->next) {
        const struct sockets_place *place = container_of(link, struct sockets_place, link);
        for (size_t i = slots; i < SOCKETS_SLOTS_MAX; i++) {
            slots = place->fds[i] != -1 ? i + 1 : slots;
        }
    }
    return slots;
}

/* --- the master before ------------------------------------------------------------------------ */

/* The port 0 of a configuration stands for every port. */
static bool is_at(const struct addr *as, const struct addr *bound)
{
    struct addr plain = *bound;
    if (addr_port(as) == 0 && as->u.sa.sa_family == AF_INET) {
        plain.u.in.sin_port = 0;
    } else if (addr_port(as) == 0 && as->u.sa.sa_family == AF_INET6) {
        plain.u.in6.sin6_port = 0;
    }
    return addr_is_equal(&plain, as);
}

/* Returns NULL, or what is wrong. */
static const char *take(struct sockets_place *place, const struct handover_socket *socket)
{
    const char *detail = NULL;
    const struct addr *as = &place->address;
    if (socket->slot >= SOCKETS_SLOTS_MAX || place->fds[socket->slot] != -1) {
        return "two sockets for one worker";
    }
    if (!net_is_listener(socket->fd, &place->bound, &detail)) {
        return detail;
    }
    if (!is_at(as, &place->bound)) {
        return "it has another address";
    }
    if (as->u.sa.sa_family != AF_UNIX && !socket->is_foreign && !net_has_group(socket->fd)) {
        return "others cannot listen there too";
    }
    if (!net_adopt_listener(socket->fd)) {
        return "it cannot be used";
    }
    place->fds[socket->slot] = socket->fd;
    place->is_listening[socket->slot] = true;
    place->is_handed |= !socket->is_foreign;
    place->is_foreign[socket->slot] = socket->is_foreign;
    place->inherited = socket->slot >= place->inherited ? socket->slot + 1 : place->inherited;
    return NULL;
}

bool sockets_take(struct sockets *s, const struct config_listen *listen,
                  const struct handover_socket *socket, char text[SOCKETS_TEXT_MAX])
{
    struct sockets_place *place = sockets_find_place(s, listen);
    if (place == NULL) {
        place = sockets_new_place(s, listen);
    }
    const char *detail = place != NULL ? take(place, socket) : "out of memory";
    return detail == NULL || sockets_fail(listen, detail, text);
}
