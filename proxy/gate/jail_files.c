/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Landlock: the kernel's sandbox for files, since Linux 5.13. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gate/jail_parts.h"

/* What each version of Landlock knows; the headers of a system may be older than its kernel. */
#define FILES_1 UINT64_C(0x1fff) /* execute, write, read, list, remove, make: the first 13 rights */
#define FILES_2 UINT64_C(0x2000) /* move to another directory */
#define FILES_3 UINT64_C(0x4000) /* truncate */
#define FILES_5 UINT64_C(0x8000) /* ioctl on a device */
#define BIND_TCP_4 UINT64_C(1)   /* connecting stays free: a gateway dials */
/* Abstract Unix sockets, and signals to processes that are in no sandbox or in another one. */
#define SCOPES_6 UINT64_C(3)

/* The kernel's landlock_ruleset_attr. An older kernel wants what it does not know to be 0. */
struct rules {
    uint64_t files;
    uint64_t net;
    uint64_t scopes;
};

/* A lookup reads the files resolv.conf, hosts, nsswitch.conf and host.conf in /etc. Whoever changes
 * one puts a new file in its place, which no rule about the old file would cover: so each rule is
 * about a directory. The others are where resolv.conf usually points to, now or later. */
static const char *const readable[] = {
    "/etc", "/run/systemd/resolve", "/run/NetworkManager", "/run/resolvconf", "/run/connman",
};
/* Wherever these two lie now. */
static const char *const followed[] = {"/etc/resolv.conf", "/etc/hosts"};

static int allow(int rules, const char *path)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd == -1) {
        return 0; /* what is not there is not needed */
    }
    const struct landlock_path_beneath_attr beneath = {
        .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE,
        .parent_fd = fd,
    };
    int reason = 0;
    if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) != 0) {
        reason = errno;
    }
    close(fd);
    return reason;
}

static int allow_directory_of(int rules, const char *path)
{
    char real[PATH_MAX];
    if (realpath(path, real) == NULL) {
        return 0;
    }
    char *slash = strrchr(real, '/');
    if (slash != NULL && slash != real) {
        *slash = '\0';
    }
    return allow(rules, real); /* in the root directory: only the file */
}

static int allow_lookups(int rules)
{
    int reason = 0;
    for (size_t i = 0; reason == 0 && i < sizeof(readable) / sizeof(readable[0]); i++) {
        reason = allow(rules, readable[i]);
    }
    for (size_t i = 0; reason == 0 && i < sizeof(followed) / sizeof(followed[0]); i++) {
        reason = allow_directory_of(rules, followed[i]);
    }
    return reason;
}

static int allow_roots(int rules, const struct config *config)
{
    int reason = 0;
    for (size_t i = 0; reason == 0 && i < config->file_count; i++) {
        if (config->files[i].root_path.len > 0) {
            reason = allow(rules, config->files[i].root_path.data);
        }
    }
    return reason;
}

static int close_files_but(int (*allow_some)(int rules, const struct config *config),
                           const struct config *config)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1) {
        return errno;
    }
    const struct rules attributes = {
        .files = FILES_1 | (version >= 2 ? FILES_2 : 0) | (version >= 3 ? FILES_3 : 0) |
                 (version >= 5 ? FILES_5 : 0),
        .net = version >= 4 ? BIND_TCP_4 : 0,
        .scopes = version >= 6 ? SCOPES_6 : 0,
    };
    int rules = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
    if (rules == -1) {
        return errno;
    }
    int reason = allow_some(rules, config);
    if (reason == 0 && syscall(SYS_landlock_restrict_self, rules, 0) != 0) {
        reason = errno;
    }
    close(rules);
    return reason;
}

static int allow_for_worker(int rules, const struct config *config)
{
    int reason = allow_lookups(rules);
    return reason == 0 ? allow_roots(rules, config) : reason;
}

static int allow_none(int rules, const struct config *config)
{
    (void)rules;
    (void)config;
    return 0;
}

int jail_close_files(const struct config *config)
{
    return close_files_but(allow_for_worker, config);
}

int jail_close_all_files(const struct config *config)
{
    return close_files_but(allow_none, config);
}
