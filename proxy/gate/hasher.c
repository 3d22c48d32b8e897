/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/hasher.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "gate/control.h"
#include "gate/jail.h"

/* --- asking ---------------------------------------------------------------------------------- */

bool hasher_channel(int out_fds[2])
{
    return control_pair(out_fds);
}

enum hasher_asked hasher_ask(int channel_fd, const struct hasher_question *question, int *out_fd)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        return HASHER_NO_PIPE;
    }
    bool is_sent = control_send_bytes(channel_fd, question, sizeof(*question), ends[1]);
    close(ends[1]);
    if (!is_sent) {
        close(ends[0]);
        return HASHER_FULL;
    }
    *out_fd = ends[0];
    return HASHER_ASKED;
}

enum hasher_answer hasher_answer(int fd)
{
    uint8_t byte = 0;
    ssize_t len;
    do {
        len = read(fd, &byte, 1);
    } while (len == -1 && errno == EINTR);
    if (len == 1) {
        return byte == HASHER_SAME || byte == HASHER_OTHER || byte == HASHER_BUSY
                   ? (enum hasher_answer)byte
                   : HASHER_LOST;
    }
    return len == -1 && errno == EAGAIN ? HASHER_NONE : HASHER_LOST;
}

/* --- hashing --------------------------------------------------------------------------------- */

/* An accounts_crypt_fn; the owner is the library's memory. */
static bool crypt_into(void *owner, const char *password, const char *setting,
                       char out[ACCOUNTS_HASH_MAX])
{
    const char *made = crypt_r(password, setting, owner);
    return made != NULL && made[0] != '*' && /* crypt(3): a failure token */
           span_copy(span_from_str(made), out, ACCOUNTS_HASH_MAX);
}

struct hasher {
    int channel_fd;
    struct hasher_queue queue;
    struct hasher_question incoming;
    struct crypt_data crypt;
};

static void answer(int fd, enum hasher_answer answer)
{
    const uint8_t byte = (uint8_t)answer;
    ssize_t written = write(fd, &byte, 1);
    (void)written; /* an empty pipe has room, and who is gone needs no answer */
    close(fd);
}

/* Takes over the descriptor, -1 = none came. */
static void take_question(struct hasher *h, int fd)
{
    struct hasher_question *incoming = &h->incoming;
    incoming->hash[sizeof(incoming->hash) - 1] = '\0';
    incoming->password[sizeof(incoming->password) - 1] = '\0';
    int put_out = fd != -1 ? hasher_queue_put(&h->queue, incoming, fd) : -1;
    if (put_out != -1) {
        answer(put_out, HASHER_BUSY);
    }
    explicit_bzero(incoming, sizeof(*incoming));
}

/* False: nobody is left who could ask. */
static bool take_questions(struct hasher *h)
{
    for (;;) {
        int fd = -1;
        switch (control_receive_bytes(h->channel_fd, &h->incoming, sizeof(h->incoming), &fd)) {
        case CONTROL_OK:
            take_question(h, fd);
            break;
        case CONTROL_NONSENSE:
            break;
        case CONTROL_NONE:
            return true;
        case CONTROL_GONE:
            return false;
        }
    }
}

static bool is_awaited(int answer_fd)
{
    struct pollfd writer = {.fd = answer_fd, .events = POLLOUT};
    return poll(&writer, 1, 0) >= 0 && (writer.revents & POLLERR) == 0;
}

static void do_next(struct hasher *h)
{
    struct hasher_waiting *next = hasher_queue_next(&h->queue);
    enum hasher_answer said = HASHER_OTHER;
    int fd = next->answer_fd;
    if (is_awaited(fd)) {
        struct span hash = span_from_str(next->question.hash);
        struct span password = span_from_str(next->question.password);
        said = accounts_is_password(hash, password, crypt_into, &h->crypt) ? HASHER_SAME
                                                                           : HASHER_OTHER;
        explicit_bzero(&h->crypt, sizeof(h->crypt));
    }
    hasher_queue_leave(&h->queue, next);
    answer(fd, said);
}

static void serve(struct hasher *h)
{
    while (take_questions(h)) {
        if (h->queue.count > 0) {
            do_next(h);
            continue;
        }
        struct pollfd channel = {.fd = h->channel_fd, .events = POLLIN};
        (void)poll(&channel, 1, -1); /* what it says, the next look at the channel finds */
    }
}

/* --- the process ----------------------------------------------------------------------------- */

/* The master and the terminal tell the workers what to do; the hasher ends when they are gone. */
static void ignore_signals(void)
{
    sigset_t none;
    const int ignored[] = {SIGINT, SIGHUP, SIGUSR2, SIGTERM, SIGQUIT, SIGCHLD, SIGPIPE};
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
        signal(ignored[i], SIG_IGN);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Sessions go first. */
static void be_modest(void)
{
    const struct sched_param none = {.sched_priority = 0};
    (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + HASHER_NICE);
    (void)sched_setscheduler(0, SCHED_BATCH, &none);
}

int hasher_run(const struct config *config, int channel_fd)
{
    char text[CONTROL_TEXT_MAX];
    const char *detail = NULL;
    struct hasher *h = mem_alloc_zero(sizeof(*h));
    if (h == NULL) {
        log_message(LOG_ERROR, "hasher.failed", "out of memory");
        return 3;
    }
    h->channel_fd = channel_fd;
    hasher_queue_init(&h->queue);
    ignore_signals();
    be_modest();
    bool is_locked = jail_enter(config, text, sizeof(text));
    if (is_locked) {
        jail_close_inherited(0, &channel_fd, 1);
        is_locked = jail_lock_hasher(config, &detail);
    }
    config_free(config); /* keys are in it */
    if (is_locked) {
        serve(h);
    } else {
        log_message(LOG_ERROR, "hasher.failed", "%s", detail != NULL ? detail : text);
    }
    explicit_bzero(h, sizeof(*h));
    mem_free(h);
    return is_locked ? 0 : 3;
}
