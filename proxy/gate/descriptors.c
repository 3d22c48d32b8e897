/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/descriptors.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>

#define PER_SESSION 2
#define WORKER_OWN 32 /* what a worker has open before its first client, listeners aside */

static uint64_t share_of(uint64_t total, const struct config *config)
{
    return (total + config->workers - 1) / config->workers;
}

uint64_t descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 0;
    }
    rlim_t soft = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : soft;
}

/* A connection that asks for files has no session, and the file that it is sent open. */
static uint64_t per_guest(const struct config *config)
{
    return config->file_count > 0 ? 2 : 1;
}

static uint64_t needed_for(const struct config *config)
{
    return PER_SESSION * share_of(config->max_sessions, config) +
           share_of(config->max_pending, config) * per_guest(config) + config->listen_count +
           config->file_count + WORKER_OWN + DESCRIPTORS_RESERVE;
}

bool descriptors_warning(const struct config *config, uint64_t limit,
                         char out[DESCRIPTORS_WARNING_MAX])
{
    uint64_t needed = needed_for(config);
    if (limit >= needed) {
        return false;
    }
    struct descriptors_plan plan =
        descriptors_share(config, limit, config->listen_count + WORKER_OWN);
    snprintf(out, DESCRIPTORS_WARNING_MAX,
             "max_sessions and max_pending need %llu descriptors in each worker, and the hard "
             "limit is %llu: a worker serves %llu sessions at once; raise the limit "
             "(LimitNOFILE=, ulimit -n) or lower max_sessions",
             (unsigned long long)needed, (unsigned long long)limit,
             (unsigned long long)plan.sessions_max);
    return true;
}

uint64_t descriptors_open(void)
{
    uint64_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL) {
        return WORKER_OWN;
    }
    /* cppcheck-suppress readdirCalled ; a worker has no threads */
    while (readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    return count; /* with ".", ".." and the folder's own: a few too many do no harm */
}

struct descriptors_plan descriptors_share(const struct config *config, uint64_t limit,
                                          uint64_t open)
{
    uint64_t used = open + DESCRIPTORS_RESERVE;
    uint64_t left = limit > used ? limit - used : 0;
    struct descriptors_plan plan = {.pending_max = share_of(config->max_pending, config)};
    if (plan.pending_max > left / 4 / per_guest(config)) {
        plan.pending_max = left / 4 / per_guest(config);
    }
    plan.sessions_max = (left - plan.pending_max * per_guest(config)) / PER_SESSION;
    plan.pending_max = plan.pending_max > 0 ? plan.pending_max : 1;
    plan.sessions_max = plan.sessions_max > 0 ? plan.sessions_max : 1;
    return plan;
}
