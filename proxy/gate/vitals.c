/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/vitals.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

/* Adds what has come since the last time. */
static void tell_more(_Atomic uint64_t *counter, uint64_t *told, uint64_t now)
{
    seat_add(counter, now - *told);
    *told = now;
}

static uint64_t used_ms(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) {
        return 0;
    }
    uint64_t seconds = (uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec;
    uint64_t micros = (uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec;
    return seconds * 1000 + micros / 1000;
}

/* "SIZE RESIDENT ..." in pages (proc(5)). */
static void tell_memory(struct vitals *v)
{
    char text[128];
    ssize_t len = pread(v->statm_fd, text, sizeof(text) - 1, 0);
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGE_SIZE);
    char *rest = text;
    if (len <= 0) {
        return;
    }
    text[len] = '\0';
    seat_put(&v->seat->virtual_bytes, strtoull(rest, &rest, 10) * page_bytes);
    seat_put(&v->seat->resident_bytes, strtoull(rest, &rest, 10) * page_bytes);
}

/* Since Linux 6.2 the size of the folder is the number of descriptors; before, it is 0. */
static void tell_descriptors(struct vitals *v)
{
    struct stat folder;
    struct rlimit limit;
    if (v->descriptors_fd != -1 && fstat(v->descriptors_fd, &folder) == 0 && folder.st_size > 0) {
        seat_put(&v->seat->open_fds, (uint64_t)folder.st_size);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        seat_put(&v->seat->max_fds, limit.rlim_cur);
    }
}

static void tell(struct vitals *v)
{
    uint64_t now_ms = used_ms();
    if (now_ms > v->cpu_ms) {
        tell_more(&v->seat->cpu_ms, &v->cpu_ms, now_ms);
    }
    for (enum log_sink i = LOG_STDERR; i < LOG_SINKS; i++) {
        tell_more(&v->seat->log_dropped[i], &v->log_dropped[i], log_dropped_total(i));
    }
    tell_more(&v->seat->log_suppressed, &v->log_suppressed, v->flood->suppressed_total);
    seat_put(&v->seat->allocated_bytes, mem_live_bytes());
    tell_memory(v);
    tell_descriptors(v);
}

static void on_timer(struct reactor_timer *timer)
{
    struct vitals *v = container_of(timer, struct vitals, timer);
    tell(v);
    reactor_timer_at(&v->timer, reactor_now_ms(v->reactor) + VITALS_MS);
}

void vitals_init(struct vitals *v, struct reactor *reactor, struct seat_worker *seat,
                 const struct flood *flood)
{
    *v = (struct vitals){
        .reactor = reactor,
        .seat = seat,
        .flood = flood,
        .statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC),
        .descriptors_fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
    };
    for (enum log_sink i = LOG_STDERR; i < LOG_SINKS; i++) {
        v->log_dropped[i] = log_dropped_total(i); /* the master's, before the fork */
    }
    seat_put(&seat->started_s, clock_date_s());
    reactor_timer_init(&v->timer, reactor, on_timer);
    on_timer(&v->timer);
}

void vitals_done(struct vitals *v)
{
    tell(v);
    reactor_timer_stop(&v->timer);
    if (v->statm_fd != -1) {
        close(v->statm_fd);
    }
    if (v->descriptors_fd != -1) {
        close(v->descriptors_fd);
    }
}
