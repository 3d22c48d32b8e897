/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What log and monitoring hear of the master: of reloads, and of lines that it lost or held back.
 */
#include "base/clock.h"
#include "base/log.h"
#include "conf/change.h"
#include "gate/master_parts.h"

static const char *cause_word(const struct master *m)
{
    return m->next.is_watch ? "watch" : "signal";
}

static void log_address(const char *event, const struct config_listen *listen,
                        const struct addr *address)
{
    char text[ADDR_TEXT_MAX];
    struct log_line line;
    log_begin(&line, LOG_INFO, event);
    log_text(&line, "name", listen->name);
    log_str(&line, "address", addr_print(address, text, sizeof(text)));
    log_str(&line, "tls", listen->is_tls ? "yes" : "no");
    log_end(&line);
}

void master_log_listen(const struct master *m, size_t listen)
{
    log_address("listen.ready", &m->config->listens[listen],
                sockets_address(&m->sockets.current, listen));
}

static bool has_socket(const struct config *config, const struct config_listen *listen, size_t hint)
{
    return change_find_listen(config, listen, hint) < config->listen_count;
}

void master_log_listens(struct master *m, const struct config *before)
{
    for (size_t i = 0; i < m->config->listen_count; i++) {
        if (!has_socket(before, &m->config->listens[i], i) &&
            flood_lets(&m->flood, FLOOD_LISTEN_READY)) {
            master_log_listen(m, i);
        }
    }
    for (size_t i = 0; i < before->listen_count; i++) {
        if (!has_socket(m->config, &before->listens[i], i) &&
            flood_lets(&m->flood, FLOOD_LISTEN_GONE)) {
            log_address("listen.gone", &before->listens[i], &before->listens[i].address);
        }
    }
}

void master_tell_done(struct master *m)
{
    const struct change *change = &m->next.change;
    struct log_line line;
    scoreboard_note_reload(m->scoreboard, true, clock_date_s());
    if (!flood_lets(&m->flood, FLOOD_RELOAD_DONE)) {
        return;
    }
    log_begin(&line, LOG_INFO, "reload.done");
    log_u64(&line, "number", m->reload.number);
    log_str(&line, "cause", cause_word(m));
    log_u64(&line, "duration_ms", clock_now_ms() - m->reload.began_ms);
    log_u64(&line, "files_changed", m->next.files_changed);
    log_u64(&line, "server_changed", change->server);
    log_u64(&line, "listens_new", change->listens_new);
    log_u64(&line, "listens_gone", change->listens_gone);
    log_u64(&line, "listens_changed", change->listens_changed);
    log_u64(&line, "routes_new", change->routes_new);
    log_u64(&line, "routes_gone", change->routes_gone);
    log_u64(&line, "routes_changed", change->routes_changed);
    log_end(&line);
}

void master_tell_failed(struct master *m, const char *detail)
{
    struct log_line line;
    scoreboard_note_reload(m->scoreboard, false, clock_date_s());
    if (!flood_lets(&m->flood, FLOOD_RELOAD_FAILED)) {
        return;
    }
    log_begin(&line, LOG_ERROR, "reload.failed");
    log_u64(&line, "number", m->reload.number);
    log_str(&line, "cause", cause_word(m));
    log_u64(&line, "duration_ms", clock_now_ms() - m->reload.began_ms);
    log_str(&line, "detail", detail);
    log_str(&line, "msg", "nothing has changed: the configuration before stays in force");
    log_end(&line);
}

void master_log_report(struct master *m, const struct report *report)
{
    const char *path = m->next.bundle.files != NULL ? m->next.bundle.files->name.data : "";
    if (report->count > 0 && flood_lets(&m->flood, FLOOD_CONFIG)) {
        report_log(report, path);
    }
}

void master_tell_log(struct master *m)
{
    struct scoreboard *board = m->scoreboard;
    for (enum log_sink i = LOG_STDERR; i < LOG_SINKS; i++) {
        uint64_t dropped = log_dropped_total(i);
        scoreboard_add(&board->log_dropped[i], dropped - m->dropped_told[i]);
        m->dropped_told[i] = dropped;
    }
    scoreboard_add(&board->log_suppressed, m->flood.suppressed_total - m->suppressed_told);
    m->suppressed_told = m->flood.suppressed_total;
    if (clock_now_ms() >= m->flood.tell_ms) {
        flood_tell(&m->flood);
    }
}
