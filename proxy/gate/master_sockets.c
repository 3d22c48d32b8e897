/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The listening sockets: one per (address, slot), open as long as the address is served. */
#include <stdio.h>

#include "base/log.h"
#include "gate/master_parts.h"
#include "io/net.h"

static void log_listen(const struct config_listen *listen, const struct addr *a)
{
    char text[ADDR_TEXT_MAX];
    struct log_line line;
    log_begin(&line, LOG_INFO, "listen.ready");
    log_text(&line, "name", listen->name);
    log_str(&line, "address", addr_print(a, text, sizeof(text)));
    log_str(&line, "tls", listen->is_tls ? "yes" : "no");
    log_end(&line);
}

static bool fail(const struct config_listen *listen, const struct addr *a, const char *detail)
{
    char text[ADDR_TEXT_MAX];
    fprintf(stderr, "sluice: cannot listen on %s ([listen %.*s]): %s\n",
            addr_print(a, text, sizeof(text)), (int)listen->name.len, listen->name.data, detail);
    return false;
}

/* Binds one socket per slot. With port 0 the first socket gets a port, and the others take the
 * same. */
static bool bind_listen(struct master *m, size_t index, struct addr *out_address)
{
    const struct config_listen *listen = &m->config->listens[index];
    struct addr a = listen->address;
    for (size_t i = 0; i < m->slot_count; i++) {
        const char *detail = "no local address";
        int fd = net_listen(&a, &detail);
        if (fd < 0 || !net_local_addr(fd, &a)) {
            if (fd >= 0) {
                net_close(fd);
            }
            return fail(listen, &a, detail);
        }
        m->slots[i].listen_fds[index] = fd;
    }
    *out_address = a;
    return true;
}

/* Asks for the port alone first: with SO_REUSEPORT a second program of the same user would share
 * it. */
static bool is_address_free(const struct config_listen *listen)
{
    const char *detail = NULL;
    return addr_port(&listen->address) == 0 || net_is_free(&listen->address, &detail) ||
           fail(listen, &listen->address, detail);
}

bool master_bind(struct master *m, struct addr *out_first)
{
    for (size_t i = 0; i < m->config->listen_count; i++) {
        struct addr a;
        if (!is_address_free(&m->config->listens[i]) || !bind_listen(m, i, &a)) {
            return false;
        }
        if (i == 0) {
            *out_first = a;
        }
        log_listen(&m->config->listens[i], &a);
    }
    return true;
}

void master_close_sockets(struct master *m, size_t slot)
{
    for (size_t i = 0; i < m->config->listen_count; i++) {
        if (m->slots[slot].listen_fds[i] >= 0) {
            net_close(m->slots[slot].listen_fds[i]);
            m->slots[slot].listen_fds[i] = -1;
        }
    }
}
