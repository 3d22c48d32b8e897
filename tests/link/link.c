/* SPDX-License-Identifier: GPL-3.0-or-later */
/* link: a line between two network namespaces, with a delay, a rate, a queue and a loss.
 *
 *     link NEAR FAR [delay=MS] [rate=MBIT] [queue=KIB] [loss=PERCENT]
 *
 * NEAR and FAR are paths of network namespaces (/proc/PID/ns/net, /proc/self/fd/N). The program
 * makes a TUN device `link0` in each, with the addresses 10.231.8.1 and 10.231.8.2, writes the line
 * `ready`, and carries packets until its standard input ends. Then it writes one JSON object: what
 * it carried and dropped in each direction, `up` from FAR to NEAR, `down` from NEAR to FAR.
 *
 * Each direction is a line of its own. A packet waits its turn in a queue of `queue` KiB (a packet
 * that finds no room is dropped), leaves at `rate` and arrives `delay` later; `loss` percent of the
 * packets vanish, the same ones in every run. Decimal fractions are allowed. A rate of 0 is no
 * limit. Needs root. The namespaces' own settings stay as they are. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DEVICE "link0"
#define NEAR_ADDRESS 0x0ae70801
#define NETMASK 0xfffffffc
#define MTU 1500
#define DEVICE_QUEUE 10000 /* packets: the device must not drop what the line would carry */
#define SLOTS 32768        /* packets under way in one direction, a power of two */
#define BATCH 64           /* packets from one device before the other has its turn */
#define SECOND_NS 1000000000ULL

struct packet {
    uint64_t arrives_ns;
    uint32_t len;
    uint8_t data[MTU];
};

/* One direction. The packets under way lie in a ring, in the order in which they arrive. */
struct line {
    const char *name;
    int from;
    int to;
    struct packet *ring;
    uint64_t head; /* numbers of packets, never reduced */
    uint64_t tail;
    uint64_t idle_ns; /* when the last bit of what waits has left the queue */
    uint64_t packets; /* carried */
    uint64_t bytes;
    uint64_t no_room;
    uint64_t lost;
    uint64_t queue_peak_bytes;
    uint64_t random;
};

struct settings {
    uint64_t delay_ns;
    double byte_ns; /* time for one byte on the line; 0 = none */
    uint64_t queue_bytes;
    uint64_t loss; /* of 2^32 */
};

static void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

static void fail(const char *format, ...)
{
    va_list arguments;
    fputs("link: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

/* --- the devices --------------------------------------------------------------------------- */

static void configure(int fd, unsigned long request, struct ifreq *device, const char *what)
{
    if (ioctl(fd, request, device) == -1) {
        fail("%s of %s: %s", what, DEVICE, strerror(errno));
    }
}

static void set_address(int fd, unsigned long request, uint32_t address)
{
    struct ifreq device = {.ifr_name = DEVICE};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    memcpy(&device.ifr_addr, &a, sizeof(a));
    configure(fd, request, &device, "address");
}

static void raise_device(uint32_t address)
{
    struct ifreq device = {.ifr_name = DEVICE};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd == -1) {
        fail("socket: %s", strerror(errno));
    }
    set_address(fd, SIOCSIFADDR, address);
    set_address(fd, SIOCSIFNETMASK, NETMASK);
    device.ifr_mtu = MTU;
    configure(fd, SIOCSIFMTU, &device, "MTU");
    device = (struct ifreq){.ifr_name = DEVICE, .ifr_qlen = DEVICE_QUEUE};
    configure(fd, SIOCSIFTXQLEN, &device, "queue");
    device = (struct ifreq){.ifr_name = DEVICE, .ifr_flags = IFF_UP | IFF_RUNNING};
    configure(fd, SIOCSIFFLAGS, &device, "flags");
    close(fd);
}

static int make_device(const char *namespace, uint32_t address)
{
    int space = open(namespace, O_RDONLY | O_CLOEXEC);
    if (space == -1 || setns(space, CLONE_NEWNET) == -1) {
        fail("%s: %s", namespace, strerror(errno));
    }
    close(space);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd == -1) {
        fail("/dev/net/tun: %s", strerror(errno));
    }
    struct ifreq device = {.ifr_name = DEVICE, .ifr_flags = IFF_TUN | IFF_NO_PI};
    configure(fd, TUNSETIFF, &device, "making");
    raise_device(address);
    return fd;
}

/* --- a direction --------------------------------------------------------------------------- */

static struct packet *slot(struct line *l, uint64_t number)
{
    return &l->ring[number & (SLOTS - 1)];
}

static bool is_lost(struct line *l, const struct settings *s)
{
    l->random = l->random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (l->random >> 32) < s->loss;
}

/* The packet that lies in the next slot begins its way, or is dropped. */
static void take(struct line *l, const struct settings *s, uint32_t len, uint64_t now)
{
    uint64_t begin_ns = l->idle_ns > now ? l->idle_ns : now;
    uint64_t waiting = 0;
    if (s->byte_ns > 0) {
        waiting = (uint64_t)((double)(begin_ns - now) / s->byte_ns) + len;
        if (waiting > s->queue_bytes) {
            l->no_room++;
            return;
        }
    }
    if (waiting > l->queue_peak_bytes) {
        l->queue_peak_bytes = waiting;
    }
    l->idle_ns = begin_ns + (uint64_t)(len * s->byte_ns);
    if (is_lost(l, s)) { /* behind the queue: it has taken its time on the line */
        l->lost++;
        return;
    }
    struct packet *p = slot(l, l->tail++);
    p->len = len;
    p->arrives_ns = l->idle_ns + s->delay_ns;
}

/* True: more may wait in the device. */
static bool receive(struct line *l, const struct settings *s)
{
    for (int i = 0; i < BATCH; i++) {
        if (l->tail - l->head == SLOTS) {
            return false; /* the packets wait in the device until some have arrived */
        }
        ssize_t len = read(l->from, slot(l, l->tail)->data, MTU);
        if (len <= 0) {
            return false;
        }
        take(l, s, (uint32_t)len, now_ns());
    }
    return true;
}

static void deliver(struct line *l, uint64_t now)
{
    while (l->head != l->tail && slot(l, l->head)->arrives_ns <= now) {
        const struct packet *p = slot(l, l->head++);
        ssize_t len = write(l->to, p->data, p->len);
        if (len == (ssize_t)p->len) {
            l->packets++;
            l->bytes += p->len;
        } else if (errno != EIO) { /* EIO: the device is down, the namespace is ending */
            fail("writing a packet: %s", strerror(errno));
        }
    }
}

static uint64_t next_ns(struct line *l)
{
    return l->head != l->tail ? slot(l, l->head)->arrives_ns : UINT64_MAX;
}

static void report(const struct line *l, const char *end)
{
    printf("\"%s\": {\"packets\": %llu, \"bytes\": %llu, \"no_room\": %llu, \"lost\": %llu, "
           "\"queue_peak_bytes\": %llu}%s",
           l->name, (unsigned long long)l->packets, (unsigned long long)l->bytes,
           (unsigned long long)l->no_room, (unsigned long long)l->lost,
           (unsigned long long)l->queue_peak_bytes, end);
}

/* --- the program --------------------------------------------------------------------------- */

/* The value behind NAME=, or -1 when `word` is not that. */
static double value_of(const char *word, const char *name)
{
    size_t len = strlen(name);
    char *end = NULL;
    if (strncmp(word, name, len) != 0 || word[len] != '=') {
        return -1;
    }
    double value = strtod(word + len + 1, &end);
    if (end == word + len + 1 || *end != '\0' || value < 0) {
        fail("'%s' needs a number that is not negative", word);
    }
    return value;
}

static struct settings read_settings(int count, char **words)
{
    struct settings s = {.delay_ns = 0, .queue_bytes = 256 * 1024};
    for (int i = 0; i < count; i++) {
        double delay_ms = value_of(words[i], "delay");
        double rate_mbit = value_of(words[i], "rate");
        double queue_kib = value_of(words[i], "queue");
        double loss_percent = value_of(words[i], "loss");
        if (delay_ms >= 0) {
            s.delay_ns = (uint64_t)(delay_ms * 1e6);
        } else if (rate_mbit >= 0) {
            s.byte_ns = rate_mbit > 0 ? 8000 / rate_mbit : 0;
        } else if (queue_kib >= 0) {
            s.queue_bytes = (uint64_t)(queue_kib * 1024);
        } else if (loss_percent >= 0) {
            s.loss = (uint64_t)(loss_percent / 100 * 4294967296.0);
        } else {
            fail("'%s' is not one of delay=MS, rate=MBIT, queue=KIB, loss=PERCENT", words[i]);
        }
    }
    return s;
}

/* Ends when standard input ends. */
static void carry(struct line *down, struct line *up, const struct settings *s)
{
    struct pollfd polls[] = {
        {.fd = STDIN_FILENO, .events = POLLIN},
        {.fd = down->from, .events = POLLIN},
        {.fd = up->from, .events = POLLIN},
    };
    bool is_more = false;
    for (;;) {
        uint64_t now = now_ns();
        uint64_t next = next_ns(down) < next_ns(up) ? next_ns(down) : next_ns(up);
        uint64_t wait = is_more || next <= now ? 0 : next - now;
        struct timespec most = {.tv_sec = (time_t)(wait / SECOND_NS),
                                .tv_nsec = (long)(wait % SECOND_NS)};
        if (ppoll(polls, 3, next == UINT64_MAX && !is_more ? NULL : &most, NULL) == -1 &&
            errno != EINTR) {
            fail("poll: %s", strerror(errno));
        }
        char byte;
        if (polls[0].revents != 0 && read(STDIN_FILENO, &byte, 1) <= 0) {
            return;
        }
        is_more = receive(down, s);
        is_more = receive(up, s) || is_more;
        now = now_ns();
        deliver(down, now);
        deliver(up, now);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fail("usage: link NEAR FAR [delay=MS] [rate=MBIT] [queue=KIB] [loss=PERCENT]");
    }
    struct settings settings = read_settings(argc - 3, argv + 3);
    int near = make_device(argv[1], NEAR_ADDRESS);
    int far = make_device(argv[2], NEAR_ADDRESS + 1);
    struct line down = {.name = "down", .from = near, .to = far, .random = 1};
    struct line up = {.name = "up", .from = far, .to = near, .random = 2};
    down.ring = calloc(SLOTS, sizeof(struct packet));
    up.ring = calloc(SLOTS, sizeof(struct packet));
    if (down.ring == NULL || up.ring == NULL) {
        fail("out of memory");
    }
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    puts("ready");
    fflush(stdout);
    carry(&down, &up, &settings);
    fputs("{", stdout);
    report(&down, ", ");
    report(&up, "}\n");
    free(down.ring);
    free(up.ring);
    return 0;
}
