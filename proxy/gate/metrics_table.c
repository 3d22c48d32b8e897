/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of metrics, in the order in which they are told. */
#include <assert.h>

#include "gate/metrics_parts.h"

#define GAUGE(name_, help_, count_, write_, offset_) \
    {.name = (name_), \
     .type = "gauge", \
     .help = (help_), \
     .count = (count_), \
     .write = (write_), \
     .offset = (offset_)}
#define COUNTER(name_, help_, count_, write_, offset_) \
    {.name = (name_), \
     .type = "counter", \
     .help = (help_), \
     .count = (count_), \
     .write = (write_), \
     .offset = (offset_)}
#define HISTOGRAM(name_, help_, count_, write_) \
    {.name = (name_), .type = "histogram", .help = (help_), .count = (count_), .write = (write_)}
#define ROUTE(member_) offsetof(struct seat_route, member_)
#define BACKEND(member_) offsetof(struct seat_backend, member_)
#define LISTEN(member_) offsetof(struct seat_listen, member_)
#define WORKER(member_) offsetof(struct seat_worker, member_)

static const struct metrics_family families[] = {
    GAUGE("sluice_build_info", "The version of sluice and of its TLS library; always 1.", NULL,
          metrics_write_build, 0),
    GAUGE("sluice_workers", "Worker processes that are configured.", NULL, metrics_write_workers,
          0),
    GAUGE("sluice_worker_up", "1 while the worker takes sessions.", metrics_count_slots,
          metrics_write_worker_up, 0),
    COUNTER("sluice_worker_restarts_total", "Workers that took the place of one that died.",
            metrics_count_slots, metrics_write_worker_restarts, 0),
    GAUGE("sluice_sandbox_part", "1 if the workers are in this part of the sandbox.",
          metrics_count_jail_parts, metrics_write_jail_part, 0),
    GAUGE("sluice_config_last_reload_successful",
          "1 if the last attempt to take the configuration anew, or the start, succeeded.", NULL,
          metrics_write_reload_good, 0),
    GAUGE("sluice_config_last_reload_success_timestamp_seconds",
          "When the configuration was taken last.", NULL, metrics_write_reload_time, 0),
    COUNTER("sluice_config_reloads_total", "Attempts to take the configuration anew.",
            metrics_count_results, metrics_write_reloads, 0),
    COUNTER("sluice_upgrades_total", "Attempts to put another version in the place of this one.",
            metrics_count_results, metrics_write_upgrades, 0),
    GAUGE("sluice_generations",
          "Generations of workers: more than 1 while sessions from before an upgrade last.", NULL,
          metrics_write_generations, 0),

    GAUGE("sluice_sessions",
          "Connections by route and phase of their life; route=\"\" has no route yet.",
          metrics_count_routes, metrics_write_phases, ROUTE(phases)),
    GAUGE("sluice_sessions_admitted", "Sessions that count towards the limit.", NULL,
          metrics_write_admitted, 0),
    GAUGE("sluice_sessions_limit", "max_sessions of the configuration.", NULL, metrics_write_limit,
          0),
    COUNTER("sluice_sessions_total",
            "Sessions that opened: the page was told, the backend is there.", metrics_count_routes,
            metrics_write_route, ROUTE(opened)),
    COUNTER("sluice_sessions_ended_total",
            "Connections that ended, by ending (the word of the log) and the Close code they were "
            "sent.",
            metrics_count_routes, metrics_write_ends, ROUTE(ended)),
    COUNTER("sluice_received_bytes_total", "Bytes received from that side, TLS included.",
            metrics_count_routes, metrics_write_sides, ROUTE(received_bytes)),
    COUNTER("sluice_sent_bytes_total", "Bytes sent to that side, TLS included.",
            metrics_count_routes, metrics_write_sides, ROUTE(sent_bytes)),
    COUNTER("sluice_messages_total",
            "WebSocket messages, by the side whose bytes they carry: of pages, and to pages.",
            metrics_count_routes, metrics_write_sides, ROUTE(messages)),
    COUNTER("sluice_paused_seconds_total",
            "Time in which sluice did not read from that side "
            "because the other one is slow or a rate is used up.",
            metrics_count_routes, metrics_write_sides_milli, ROUTE(paused_ms)),
    GAUGE("sluice_buffered_bytes", "Bytes that wait in sluice for that side.", metrics_count_routes,
          metrics_write_sides, ROUTE(queued_bytes)),
    GAUGE("sluice_unacknowledged_bytes",
          "Bytes that the kernel has taken for that side and the peer has not acknowledged.",
          metrics_count_routes, metrics_write_sides, ROUTE(unacked_bytes)),

    GAUGE("sluice_sessions_identified", "Sessions whose client has proven who it is.", NULL,
          metrics_write_worker_sum, WORKER(identified)),
    COUNTER("sluice_auth_refusals_total", "Credentials that were refused, by the reason.",
            metrics_count_reasons, metrics_write_refusals, WORKER(auth_refusals)),

    COUNTER("sluice_files_requests_total", "Requests for files, by the class of their status.",
            metrics_count_classes, metrics_write_classes, WORKER(files_answers)),
    COUNTER("sluice_files_sent_bytes_total", "Bytes of files that were sent, without heads.", NULL,
            metrics_write_worker_sum, WORKER(files_bytes)),

    GAUGE("sluice_backend_up", "0 if the backend is down, or one session tries it again.",
          metrics_count_backends, metrics_write_backend_up, 0),
    GAUGE("sluice_backend_state", "1 for the state that the backend is in, of all workers.",
          metrics_count_backends, metrics_write_backend_state, 0),
    GAUGE("sluice_backend_sessions", "Sessions that have the backend, or dial it.",
          metrics_count_backends, metrics_write_backend, BACKEND(sessions)),
    COUNTER("sluice_backend_ejections_total", "Times that the backend went down.",
            metrics_count_backends, metrics_write_backend, BACKEND(ejections)),
    COUNTER("sluice_backend_checks_total",
            "Health checks of the backend and of its addresses, by their result.",
            metrics_count_backends, metrics_write_checks, 0),
    COUNTER("sluice_backend_resets_total",
            "Sessions that the backend accepted and reset before anybody had said anything.",
            metrics_count_backends, metrics_write_backend, BACKEND(resets)),
    HISTOGRAM("sluice_backend_connect_duration_seconds",
              "Time from a session's first dial to the connection with this backend.",
              metrics_count_backends, metrics_write_dials),
    COUNTER("sluice_backend_connect_failures_total", "Dials that did not reach the backend.",
            metrics_count_backends, metrics_write_failures, 0),

    COUNTER("sluice_connections_total", "Connections accepted.", metrics_count_listens,
            metrics_write_listen, LISTEN(connections)),
    COUNTER("sluice_connections_refused_total",
            "Connections that were closed at once because of a limit of their source, by its key.",
            metrics_count_listens, metrics_write_refused, LISTEN(refused)),
    COUNTER("sluice_probes_total",
            "Connections that asked for nothing, or only whether sluice is well.",
            metrics_count_listens, metrics_write_listen, LISTEN(probes)),
    COUNTER("sluice_tls_handshakes_total", "TLS handshakes that succeeded.", metrics_count_listens,
            metrics_write_handshakes, LISTEN(handshakes)),
    COUNTER("sluice_tls_handshake_failures_total", "TLS handshakes that failed.",
            metrics_count_listens, metrics_write_listen_if_tls, LISTEN(handshake_failures)),
    HISTOGRAM("sluice_tls_handshake_duration_seconds",
              "Time from accepting a connection to the end of its TLS handshake.",
              metrics_count_listens, metrics_write_handshake_times),
    GAUGE("sluice_tls_certificate_expiry_timestamp_seconds",
          "When the certificate expires, by listener, its first name and its place in the list.",
          metrics_count_pairs, metrics_write_expiry, 0),
    COUNTER("sluice_accept_pauses_total", "Times that a worker stopped accepting for a while.",
            metrics_count_listens, metrics_write_listen, LISTEN(pauses)),
    COUNTER("sluice_accept_paused_seconds_total", "Time in which workers did not accept.",
            metrics_count_listens, metrics_write_listen_milli, LISTEN(paused_ms)),

    COUNTER("sluice_log_lines_dropped_total", "Lines that a sink of the log did not take.",
            metrics_count_sinks, metrics_write_log_dropped, WORKER(log_dropped)),
    COUNTER("sluice_log_lines_suppressed_total", "Lines that log_limit kept back.", NULL,
            metrics_write_log_suppressed, WORKER(log_suppressed)),

    GAUGE("sluice_memory_allocated_bytes",
          "Bytes that the worker has allocated, which max_memory limits.", metrics_count_slots,
          metrics_write_worker, WORKER(allocated_bytes)),
    GAUGE("sluice_memory_limit_bytes", "max_memory of the configuration; 0 is no limit.", NULL,
          metrics_write_memory_limit, 0),
    COUNTER("sluice_memory_ended_sessions_total",
            "Queues of sessions that were thrown away because a worker had reached max_memory.",
            NULL, metrics_write_worker_sum, WORKER(memory_ends)),

    COUNTER("process_cpu_seconds_total", "Processor time of the worker and those before it.",
            metrics_count_slots, metrics_write_worker_milli, WORKER(cpu_ms)),
    GAUGE("process_resident_memory_bytes", "Resident memory of the worker.", metrics_count_slots,
          metrics_write_worker, WORKER(resident_bytes)),
    GAUGE("process_virtual_memory_bytes", "Virtual memory of the worker.", metrics_count_slots,
          metrics_write_worker, WORKER(virtual_bytes)),
    GAUGE("process_open_fds", "Descriptors that the worker has open.", metrics_count_slots,
          metrics_write_worker_if_known, WORKER(open_fds)),
    GAUGE("process_max_fds", "Descriptors that the worker may open.", metrics_count_slots,
          metrics_write_worker, WORKER(max_fds)),
    GAUGE("process_start_time_seconds", "When the worker started.", metrics_count_slots,
          metrics_write_worker, WORKER(started_s)),
};

size_t metrics_family_count(void)
{
    return sizeof(families) / sizeof(families[0]);
}

const struct metrics_family *metrics_family_at(size_t index)
{
    assert(index < metrics_family_count());
    return &families[index];
}
