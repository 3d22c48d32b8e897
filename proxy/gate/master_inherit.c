/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a master takes over from the one before it: shared memory and sockets. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "gate/master_parts.h"
#include "io/tls.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static bool inherit_roster(struct master *m, struct handover *handover)
{
    const char *detail = "the version before had none";
    int fd = handover->roster_fd;
    handover->roster_fd = -1;
    m->roster = fd != -1 ? roster_open(fd, &detail) : NULL;
    if (m->roster == NULL) {
        log_message(LOG_WARN, "upgrade.memory", "[admin] shows no older session: %s", detail);
        m->roster = master_new_roster(m->config);
    }
    return m->roster != NULL;
}

static bool inherit_quota(struct master *m, struct handover *handover)
{
    const char *detail = "the version before had none";
    int fd = handover->quota_fd;
    handover->quota_fd = -1;
    m->quota = fd != -1 ? quota_open(fd, &detail) : NULL;
    if (m->quota == NULL) {
        log_message(LOG_WARN, "upgrade.memory",
                    "limits per source and route begin anew, and count no older session: %s",
                    detail);
        m->quota = master_new_quota(m->config);
    }
    return m->quota != NULL;
}

static bool inherit_spent(struct master *m, struct handover *handover)
{
    const char *detail = "the version before had none";
    int fd = handover->spent_fd;
    handover->spent_fd = -1;
    m->spent = fd != -1 ? spent_open(fd, &detail) : NULL;
    if (m->spent == NULL) {
        log_message(LOG_WARN, "upgrade.memory",
                    "single-use tokens that have been used are good once more: %s", detail);
        m->spent = master_new_spent();
    }
    return m->spent != NULL;
}

/* Session ids go on, and the sessions of both generations count, only where the memory does. */
static bool inherit_memory(struct master *m, struct handover *handover)
{
    const char *detail = "";
    int board_fd = handover->scoreboard_fd;
    int seats_fd_ = handover->seats_fd;
    handover->scoreboard_fd = -1;
    handover->seats_fd = -1;
    m->scoreboard = scoreboard_open(board_fd, &detail);
    if (m->scoreboard == NULL) {
        log_message(LOG_WARN, "upgrade.memory",
                    "the scoreboard begins anew (%s): until the older sessions have ended, "
                    "max_sessions counts only newer ones",
                    detail);
        m->scoreboard = scoreboard_new(1, clock_date_s());
        if (m->scoreboard == NULL) {
            return false;
        }
        scoreboard_release_slot(m->scoreboard, 0, false);
        scoreboard_begin_ids(m->scoreboard, (uint64_t)m->generation << 32);
    }
    m->seats = seats_open(seats_fd_, m->config, &detail);
    if (m->seats == NULL) {
        log_message(LOG_WARN, "upgrade.memory", "the counters of /metrics begin anew: %s", detail);
        m->seats = seats_new(1, m->config);
    }
    return m->seats != NULL && inherit_roster(m, handover) && inherit_quota(m, handover) &&
           inherit_spent(m, handover);
}

static bool inherit_sockets(struct master *m, struct handover *handover,
                            char text[SOCKETS_TEXT_MAX])
{
    for (size_t i = 0; i < handover->socket_count; i++) {
        struct handover_socket *socket = &handover->sockets[i];
        const struct config_listen listen = {.name = socket->name, .address = socket->address};
        if (!sockets_take(&m->sockets, &listen, socket, text)) {
            return false;
        }
        m->slot_count = socket->slot >= m->slot_count ? socket->slot + 1 : m->slot_count;
        socket->fd = -1;
    }
    return true;
}

bool master_inherit(struct master *m, struct handover *handover, char text[SOCKETS_TEXT_MAX])
{
    m->generation = handover->generation;
    m->elder = (struct elder){.fd = handover->link_fd,
                              .group = handover->group,
                              .is_relay = handover->is_relayed,
                              .has_workers = true};
    handover->link_fd = -1;
    /* From here on the link says when the elder is gone. */
    (void)prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
    /* A script at the path may have started this program by another one. */
    if (handover->program.len > 0) {
        mem_free(m->program);
        m->program = mem_copy_str(handover->program);
    }
    (void)snprintf(text, SOCKETS_TEXT_MAX, "cannot start: out of memory or descriptors");
    if (m->program == NULL || !inherit_memory(m, handover) || !inherit_sockets(m, handover, text)) {
        return false;
    }
    if (!tls_restore_tickets(handover->tickets, handover->tickets_len)) {
        log_message(LOG_WARN, "upgrade.tickets",
                    "this version cannot read the keys of session tickets: clients come back with "
                    "a whole handshake");
        tls_set_ticket_seed(NULL);
    }
    return true;
}
