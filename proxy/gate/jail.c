/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/jail.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

void jail_close_memory(void)
{
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static bool has_user(uid_t uid)
{
    uid_t real = 0;
    uid_t effective = 0;
    uid_t saved = 0;
    return getresuid(&real, &effective, &saved) == 0 && real == uid && effective == uid &&
           saved == uid;
}

static bool has_group(gid_t gid)
{
    gid_t real = 0;
    gid_t effective = 0;
    gid_t saved = 0;
    return getresgid(&real, &effective, &saved) == 0 && real == gid && effective == gid &&
           saved == gid;
}

static bool fail(const struct config *config, const char *what, unsigned id, char *text,
                 size_t size)
{
    int reason = errno;
    const char *advice =
        reason == EPERM ? "; leave sluice CAP_SETUID and CAP_SETGID, or start it as that user" : "";
    snprintf(text, size, "cannot become user '%s': %s %u: %s%s",
             config->user.len > 0 ? config->user.data : "nobody", what, id, strerror(reason),
             advice);
    return false;
}

bool jail_enter(const struct config *config, char *text, size_t size)
{
    if (config->has_ids) {
        if (getgroups(0, NULL) != 0 && setgroups(0, NULL) != 0) {
            return fail(config, "other groups than", config->gid, text, size);
        }
        if (!has_group(config->gid) && setresgid(config->gid, config->gid, config->gid) != 0) {
            return fail(config, "group", config->gid, text, size);
        }
        if (!has_user(config->uid) && setresuid(config->uid, config->uid, config->uid) != 0) {
            return fail(config, "user", config->uid, text, size);
        }
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        snprintf(text, size, "cannot give up new privileges: %s", strerror(errno));
        return false;
    }
    jail_close_memory(); /* the kernel opens the memory again when the user changes */
    return true;
}
