/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/jail.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "gate/jail_parts.h"

#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SANITIZED true
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED false
#endif

/* --- memory and environment ------------------------------------------------------------------ */

void jail_close_memory(void)
{
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void jail_close_inherited(size_t following, const int *kept, size_t count)
{
    unsigned first = STDERR_FILENO + 1 + (unsigned)following;
    for (size_t i = 0; i < count; i++) {
        unsigned fd = (unsigned)kept[i];
        if (fd > first) {
            (void)close_range(first, fd - 1, 0);
        }
        first = fd >= first ? fd + 1 : first;
    }
    (void)close_range(first, ~0U, 0);
}

/* Who started sluice may have put secrets there. */
static void clear_environment(void)
{
    for (char **variable = environ; variable != NULL && *variable != NULL; variable++) {
        explicit_bzero(*variable, strlen(*variable));
    }
    (void)clearenv();
}

/* --- the user -------------------------------------------------------------------------------- */

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

static bool change_group(const struct config *config, char *text, size_t size)
{
    if (getgroups(0, NULL) != 0 && setgroups(0, NULL) != 0) {
        return fail(config, "other groups than", config->gid, text, size);
    }
    if (!has_group(config->gid) && setresgid(config->gid, config->gid, config->gid) != 0) {
        return fail(config, "group", config->gid, text, size);
    }
    return true;
}

static bool change_user(const struct config *config, char *text, size_t size)
{
    if (!has_user(config->uid) && setresuid(config->uid, config->uid, config->uid) != 0) {
        return fail(config, "user", config->uid, text, size);
    }
    return true;
}

/* Tries the way back. */
static bool prove_change(const struct config *config, char *text, size_t size)
{
    if (config->uid != 0 &&
        (setuid(0) == 0 || setresuid(0, 0, 0) == 0 || setgroups(0, NULL) == 0)) {
        snprintf(text, size, "user '%.*s' can become root again: take its capabilities away",
                 (int)config->user.len, config->user.len > 0 ? config->user.data : "");
        return false;
    }
    return true;
}

/* --- what a system may lack ------------------------------------------------------------------ */

struct part {
    const char *name;
    const char *without; /* what follows for the workers */
    const char *detail;
    const char *hasher_detail;
    bool is_for_sanitizers;
    int (*close)(const struct config *config);
    int (*close_hasher)(const struct config *config);
};

static int close_rights(const struct config *config)
{
    (void)config;
    int reason = jail_bound_rights(jail_master_rights());
    return reason == 0 ? jail_drop_rights(jail_master_rights()) : reason;
}

enum { RIGHTS, FILES, CALLS };

static const struct part parts[JAIL_PARTS] = {
    [RIGHTS] = {"capabilities", "sluice keeps those that it has", "", "", true, close_rights, NULL},
    [FILES] = {"Landlock", "workers can open what their user can",
               "a worker cannot close the file system (Landlock)",
               "it cannot close the file system (Landlock)", false, jail_close_files,
               jail_close_all_files},
    [CALLS] = {"seccomp", "workers can make every system call",
               "a worker cannot close the system calls (seccomp)",
               "it cannot close the system calls (seccomp)", false, jail_close_calls,
               jail_close_most_calls},
};

/* Why the workers do without a part: the errno with which the system refused it to the master. */
static int refused[JAIL_PARTS];
static bool is_entered; /* else the configuration wants no sandbox */
#define REFUSED_BY_BUILD (-1)

/* A worker could never undo it, and neither could the master: so a child tries. */
static int try_in_child(const struct part *part, const struct config *config)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(part->close(config));
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        return 0; /* the workers try */
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : EPERM; /* killed: not even a try is allowed */
}

static int ask_for(size_t i, const struct config *config)
{
    if (IS_SANITIZED && !parts[i].is_for_sanitizers) {
        return REFUSED_BY_BUILD;
    }
    return i == RIGHTS ? parts[i].close(config) : try_in_child(&parts[i], config);
}

static void say_what_is_missing(void)
{
    char text[400];
    size_t len = 0;
    for (size_t i = 0; i < JAIL_PARTS; i++) {
        if (refused[i] == 0) {
            continue;
        }
        int added = snprintf(
            text + len, sizeof(text) - len, "%s%s (%s): %s", len > 0 ? "; " : "", parts[i].name,
            refused[i] == REFUSED_BY_BUILD ? "the sanitizers of this build need more"
                                           : strerror(refused[i]),
            parts[i].without);
        len += added > 0 ? (size_t)added : 0;
        len = len < sizeof(text) ? len : sizeof(text) - 1;
    }
    if (len > 0) {
        log_message(LOG_WARN, "sandbox.missing", "%s", text);
    }
}

/* --- who gives up what ----------------------------------------------------------------------- */

void jail_enter_master(const struct config *config)
{
    if (!config->is_sandboxed) {
        return;
    }
    is_entered = true;
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* a worker insists on it */
    for (size_t i = 0; i < JAIL_PARTS; i++) {
        refused[i] = ask_for(i, config);
    }
    say_what_is_missing();
}

const char *jail_part_name(size_t part)
{
    return parts[part].name;
}

bool jail_has_part(size_t part)
{
    return is_entered && refused[part] == 0;
}

/* The order matters: without the user's rights nobody can change groups or bound rights. */
bool jail_enter(const struct config *config, char *text, size_t size)
{
    bool has_rights_part = config->is_sandboxed && refused[RIGHTS] == 0;

    if (config->has_ids && !change_group(config, text, size)) {
        return false;
    }
    int reason = has_rights_part ? jail_bound_rights(0) : 0;
    if (config->has_ids && !change_user(config, text, size)) {
        return false;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        snprintf(text, size, "cannot give up new privileges: %s", strerror(errno));
        return false;
    }
    if (reason == 0 && has_rights_part) {
        reason = jail_drop_rights(0);
    }
    if (reason != 0) {
        snprintf(text, size, "cannot give up capabilities: %s", strerror(reason));
        return false;
    }
    if (config->has_ids && !prove_change(config, text, size)) {
        return false;
    }
    if (config->is_sandboxed) {
        clear_environment();
    }
    jail_close_memory(); /* the kernel opens the memory again when the user changes */
    return true;
}

static bool has_root(const struct config *config, struct span identity)
{
    for (size_t i = 0; i < config->file_count; i++) {
        if (span_is_equal(config->files[i].root_identity, identity)) {
            return true;
        }
    }
    return false;
}

bool jail_covers_files(const struct config *before, const struct config *next)
{
    bool is_covered = before->file_count > 0 || next->file_count == 0;

    if (!jail_has_part(FILES) && !jail_has_part(CALLS)) {
        return true;
    }
    for (size_t i = 0; i < next->file_count; i++) {
        is_covered = is_covered && (next->files[i].root_identity.len == 0 ||
                                    has_root(before, next->files[i].root_identity));
    }
    return is_covered;
}

bool jail_lock(const struct config *config, const char **out_detail)
{
    for (size_t i = FILES; config->is_sandboxed && i < JAIL_PARTS; i++) {
        if (refused[i] == 0 && parts[i].close(config) != 0) {
            *out_detail = parts[i].detail;
            return false;
        }
    }
    return true;
}

bool jail_lock_hasher(const struct config *config, const char **out_detail)
{
    for (size_t i = FILES; config->is_sandboxed && i < JAIL_PARTS; i++) {
        if (refused[i] == 0 && parts[i].close_hasher(config) != 0) {
            *out_detail = parts[i].hasher_detail;
            return false;
        }
    }
    return true;
}
