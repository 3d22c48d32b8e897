/* SPDX-License-Identifier: GPL-3.0-or-later */
/* seccomp: which system calls work. Three answers:
 *
 *   a call of `allowed` or `conditional` works;
 *   a call of `deadly`, which no library has a reason to make, ends the process with SIGSYS, and
 *   the log names it: somebody has taken the process over;
 *   any other call fails with ENOSYS, "the kernel does not have it". Libraries expect that and do
 *   something else: a new version of a library that tries a new call first ends no session. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "gate/jail_parts.h"

#define SYS_SECCOMP_CODE 1 /* SYS_SECCOMP of the kernel, which the C library does not name */
#define COUNT(array_) (sizeof(array_) / sizeof((array_)[0]))

/* A machine does not have every call here: those of older ones come last in their lines. */
static const char *const allowed[] = {
    /* bytes */
    "read",
    "readv",
    "pread64",
    "write",
    "writev",
    "recvfrom",
    "recvmsg",
    "recvmmsg",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "close",
    "shutdown",
    "lseek",
    "_llseek",
    /* sockets; `socket` itself is below */
    "accept4",
    "accept",
    "connect",
    "getsockname",
    "getpeername",
    "getsockopt",
    "setsockopt",
    "socketpair",
    /* events */
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "ppoll",
    "poll",
    "pselect6",
    "select",
    "pause",
    "eventfd2",
    "timerfd_create",
    "timerfd_settime",
    "timerfd_gettime",
    "signalfd4",
    "pipe2",
    "pipe",
    "dup",
    "dup3",
    "dup2",
    "fcntl",
    "fcntl64",
    /* what is there; opening is below, and Landlock says which files */
    "fstat",
    "newfstatat",
    "fstatat64",
    "fstat64",
    "statx",
    "stat",
    "lstat",
    "statfs",
    "fstatfs",
    "faccessat",
    "faccessat2",
    "access",
    "readlinkat",
    "readlink",
    "getdents64",
    "getcwd",
    /* memory */
    "brk",
    "munmap",
    "mremap",
    "madvise",
    "membarrier",
    /* time */
    "clock_gettime",
    "clock_getres",
    "clock_nanosleep",
    "nanosleep",
    "gettimeofday",
    "time",
    "times",
    "restart_syscall",
    /* the process itself */
    "getpid",
    "getppid",
    "gettid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getresuid",
    "getresgid",
    "getgroups",
    "getrandom",
    "getrusage",
    "uname",
    "sysinfo",
    "sched_yield",
    "sched_getaffinity",
    "getcpu",
    "futex",
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigpending",
    "sigaltstack",
    "getrlimit",
    "exit",
    "exit_group",
};

/* The argument must be `value` in the bits of `mask`. The kernel looks at 32 bits of these; what
 * the upper half of a register holds is no business of anybody. */
#define BITS(argument_, mask_, value_) \
    {(argument_), SCMP_CMP_MASKED_EQ, (scmp_datum_t)(mask_), (scmp_datum_t)(value_)}
#define IS(argument_, value_) BITS(argument_, 0xffffffff, value_)
#define SOCKET_TYPE (0xffffffffU & ~(unsigned)(SOCK_NONBLOCK | SOCK_CLOEXEC))
#define SOCKET(domain_, type_) \
    { \
        "socket", 2, \
        { \
            IS(0, domain_), BITS(1, SOCKET_TYPE, type_) \
        } \
    }
#define WRITES (O_ACCMODE | O_CREAT | O_TRUNC | O_PATH)

struct condition {
    const char *call;
    unsigned count;
    struct scmp_arg_cmp arguments[2];
};

static const struct condition conditional[] = {
    SOCKET(AF_INET, SOCK_STREAM),
    SOCKET(AF_INET6, SOCK_STREAM),
    SOCKET(AF_UNIX, SOCK_STREAM),
    SOCKET(AF_INET, SOCK_DGRAM),
    SOCKET(AF_INET6, SOCK_DGRAM),
    /* The C library asks it for the number of an interface; the log speaks with daemons. */
    SOCKET(AF_UNIX, SOCK_DGRAM),
    {"ioctl", 1, {IS(1, FIONREAD)}},
    {"ioctl", 1, {IS(1, FIONBIO)}},
    {"ioctl", 1, {IS(1, TIOCOUTQ)}}, /* SIOCOUTQ */
    {"ioctl", 1, {IS(1, TCGETS)}},
    {"ioctl", 1, {IS(1, SIOCGIFINDEX)}},
    {"ioctl", 1, {IS(1, SIOCGIFNAME)}},
    {"openat", 1, {BITS(2, WRITES, O_RDONLY)}},
    {"open", 1, {BITS(1, WRITES, O_RDONLY)}},
    {"mmap", 1, {BITS(2, PROT_EXEC, 0)}},
    {"mmap2", 1, {BITS(2, PROT_EXEC, 0)}},
    {"mprotect", 1, {BITS(2, PROT_EXEC, 0)}},
    {"prlimit64", 1, {IS(0, 0)}}, /* its own limits */
    /* The answer to SIGSYS is below and stays. */
    {"rt_sigaction", 1, {{0, SCMP_CMP_NE, SIGSYS, 0}}},
};

/* What is enough for the process that hashes passwords. Memory can be mapped, not executed. */
static const char *const allowed_hasher[] = {
    "read",          "write",           "writev",         "recvmsg",
    "sendmsg",       "close",           "ppoll",          "poll",
    "brk",           "munmap",          "mremap",         "madvise",
    "clock_gettime", "restart_syscall", "getpid",         "gettid",
    "futex",         "sched_yield",     "rt_sigprocmask", "rt_sigreturn",
    "exit",          "exit_group",
};
static const struct condition conditional_hasher[] = {
    {"mmap", 1, {BITS(2, PROT_EXEC, 0)}},
    {"mmap2", 1, {BITS(2, PROT_EXEC, 0)}},
    {"mprotect", 1, {BITS(2, PROT_EXEC, 0)}},
};

struct call_list {
    const char *const *allowed;
    size_t allowed_count;
    const struct condition *conditional;
    size_t conditional_count;
};
static const struct call_list of_worker = {allowed, COUNT(allowed), conditional,
                                           COUNT(conditional)};
static const struct call_list of_hasher = {allowed_hasher, COUNT(allowed_hasher),
                                           conditional_hasher, COUNT(conditional_hasher)};

static const char *const deadly[] = {
    /* another program or process */
    "execve",
    "execveat",
    "fork",
    "vfork",
    "clone",
    "clone3",
    /* into other processes */
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "pidfd_open",
    "pidfd_getfd",
    "pidfd_send_signal",
    "kcmp",
    /* rights */
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setgroups",
    "setfsuid",
    "setfsgid",
    "capset",
    "personality",
    "unshare",
    "setns",
    /* the file system */
    "mount",
    "umount2",
    "umount",
    "pivot_root",
    "chroot",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "open_by_handle_at",
    "mknodat",
    "mknod",
    /* the kernel */
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "add_key",
    "keyctl",
    "request_key",
    "iopl",
    "ioperm",
    "modify_ldt",
    "syslog",
    "acct",
    "quotactl",
    "reboot",
    "swapon",
    "swapoff",
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "sethostname",
    "setdomainname",
};

static int deadly_numbers[COUNT(deadly)]; /* as the machine has them */

static const char *name_of(int number)
{
    for (size_t i = 0; i < COUNT(deadly); i++) {
        if (deadly_numbers[i] == number) {
            return deadly[i];
        }
    }
    return "unknown";
}

/* The process is at the call: no lock is held, and log lines need no memory. The kernel has
 * restored what SIGSYS does by default. */
static void on_deadly(int signum, siginfo_t *info, void *context)
{
    (void)context;
    if (info->si_code == SYS_SECCOMP_CODE) {
        struct log_line line;
        log_begin(&line, LOG_ERROR, "sandbox.violation");
        log_str(&line, "call", name_of(info->si_syscall));
        log_u64(&line, "number", (uint64_t)info->si_syscall);
        log_str(&line, "msg", "no part of sluice makes this system call: this process ends");
        log_end(&line);
    }
    (void)syscall(SYS_tgkill, getpid(), gettid(), signum);
    _exit(128 + signum);
}

static bool name_deadly(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | (int)SA_RESETHAND | SA_NODEFER};
    action.sa_sigaction = on_deadly;
    return sigaction(SIGSYS, &action, NULL) == 0;
}

/* A call that the machine does not have needs no rule. */
static int rule(scmp_filter_ctx filter, uint32_t action, const char *call, unsigned count,
                const struct scmp_arg_cmp *arguments)
{
    int number = seccomp_syscall_resolve_name(call);
    return number < 0 ? 0 : seccomp_rule_add_array(filter, action, number, count, arguments);
}

static int fill(scmp_filter_ctx filter, const struct call_list *list)
{
    const struct scmp_arg_cmp own[] = {IS(0, getpid())};
    int result = rule(filter, SCMP_ACT_ALLOW, "tgkill", 1, own); /* abort() */
    for (size_t i = 0; result == 0 && i < list->allowed_count; i++) {
        result = rule(filter, SCMP_ACT_ALLOW, list->allowed[i], 0, NULL);
    }
    for (size_t i = 0; result == 0 && i < list->conditional_count; i++) {
        const struct condition *c = &list->conditional[i];
        result = rule(filter, SCMP_ACT_ALLOW, c->call, c->count, c->arguments);
    }
    for (size_t i = 0; result == 0 && i < COUNT(deadly); i++) {
        deadly_numbers[i] = seccomp_syscall_resolve_name(deadly[i]);
        result = rule(filter, SCMP_ACT_TRAP, deadly[i], 0, NULL);
    }
    return result;
}

static int close_calls_but(const struct call_list *list, bool has_openat2)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    if (filter == NULL) {
        return ENOMEM;
    }
    /* Calls by the number of another machine (32 bits) mean something else. */
    int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (result == 0) {
        result = seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1); /* the kernel's errno */
    }
    if (result == 0) {
        result = fill(filter, list);
    }
    if (result == 0 && has_openat2) {
        result = rule(filter, SCMP_ACT_ALLOW, "openat2", 0, NULL);
    }
    if (result == 0) {
        result = name_deadly() ? seccomp_load(filter) : -errno;
    }
    seccomp_release(filter);
    return -result;
}

int jail_close_calls(const struct config *config)
{
    return close_calls_but(&of_worker, config->file_count > 0);
}

int jail_close_most_calls(const struct config *config)
{
    (void)config;
    return close_calls_but(&of_hasher, false);
}
