/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/tls_ticket.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "check.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define EPOCH ((uint64_t)TLS_TICKET_EPOCH_S)

enum { LEN = 100 };

static const uint8_t seed_a[TLS_TICKET_SEED] = "one seed of thirty-two bytes...";
static const uint8_t seed_b[TLS_TICKET_SEED] = "another seed of as many bytes..";

struct box {
    uint8_t name[TLS_TICKET_NAME];
    uint8_t iv[TLS_TICKET_IV];
    uint8_t mac[TLS_TICKET_MAC];
    uint8_t data[LEN];
    struct tls_ticket ticket;
};

static void fill(struct box *b)
{
    memset(b, 0, sizeof(*b));
    for (size_t i = 0; i < LEN; i++) {
        b->data[i] = (uint8_t)i;
    }
    b->ticket = (struct tls_ticket){b->name, b->iv, b->mac, b->data, LEN};
}

static bool is_plain(const struct box *b)
{
    struct box plain;
    fill(&plain);
    return memcmp(b->data, plain.data, LEN) == 0;
}

struct time_row {
    const char *name;
    const uint8_t *seed;
    uint64_t locked_s;
    uint64_t opened_s;
    enum tls_ticket_result want;
};

static const struct time_row time_rows[] = {
    {"at once", seed_a, 1000 * EPOCH, 1000 * EPOCH, TLS_TICKET_OPENED},
    {"the same epoch", seed_a, 1000 * EPOCH, 1001 * EPOCH - 1, TLS_TICKET_OPENED},
    {"the next epoch", seed_a, 1001 * EPOCH - 1, 1001 * EPOCH, TLS_TICKET_OLD},
    {"the end of the next epoch", seed_a, 1000 * EPOCH, 1002 * EPOCH - 1, TLS_TICKET_OLD},
    {"two epochs later", seed_a, 1001 * EPOCH - 1, 1002 * EPOCH, TLS_TICKET_REJECTED},
    {"much later", seed_a, 1000 * EPOCH, 9000 * EPOCH, TLS_TICKET_REJECTED},
    {"a clock far in the future", seed_a, 1000 * EPOCH, UINT64_MAX, TLS_TICKET_REJECTED},
    {"clock set back", seed_a, 1001 * EPOCH, 1000 * EPOCH, TLS_TICKET_REJECTED},
    {"the first epoch", seed_a, 5, 6, TLS_TICKET_OPENED},
    {"the second epoch", seed_a, 5, EPOCH, TLS_TICKET_OLD},
    {"other seed", seed_b, 1000 * EPOCH, 1000 * EPOCH, TLS_TICKET_REJECTED},
};

static void test_times(void)
{
    for (size_t i = 0; i < COUNT(time_rows); i++) {
        const struct time_row *row = &time_rows[i];
        struct tls_ticket_keys ours;
        struct tls_ticket_keys theirs;
        struct box b;
        fill(&b);
        uint64_t start_s = row->locked_s < row->opened_s ? row->locked_s : row->opened_s;
        CHECK_TRUE(row->name, tls_ticket_init(&ours, seed_a, start_s));
        CHECK_TRUE(row->name, tls_ticket_init(&theirs, row->seed, start_s));
        CHECK_TRUE(row->name, tls_ticket_lock(&ours, row->locked_s, SPAN_LIT("a.b"), &b.ticket));
        CHECK_FALSE(row->name, is_plain(&b));
        CHECK_EQ_INT(row->name, tls_ticket_open(&theirs, row->opened_s, SPAN_LIT("a.b"), &b.ticket),
                     row->want);
        CHECK_EQ_INT(row->name, is_plain(&b), row->want != TLS_TICKET_REJECTED);
        tls_ticket_done(&ours);
        tls_ticket_done(&theirs);
    }
}

struct name_row {
    const char *locked;
    const char *opened;
    enum tls_ticket_result want;
};

static const struct name_row name_rows[] = {
    {"a.b", "a.b", TLS_TICKET_OPENED},    {"a.b", "A.B", TLS_TICKET_OPENED},
    {"", "", TLS_TICKET_OPENED},          {"a.b", "a.c", TLS_TICKET_REJECTED},
    {"a.b", "", TLS_TICKET_REJECTED},     {"", "a.b", TLS_TICKET_REJECTED},
    {"a.b", "a.bb", TLS_TICKET_REJECTED},
};

static void test_names(void)
{
    struct tls_ticket_keys keys;
    CHECK_TRUE("init", tls_ticket_init(&keys, seed_a, EPOCH));
    for (size_t i = 0; i < COUNT(name_rows); i++) {
        const struct name_row *row = &name_rows[i];
        struct box b;
        fill(&b);
        CHECK_TRUE(row->opened,
                   tls_ticket_lock(&keys, EPOCH, span_from_str(row->locked), &b.ticket));
        CHECK_EQ_INT(row->opened,
                     tls_ticket_open(&keys, EPOCH, span_from_str(row->opened), &b.ticket),
                     row->want);
    }
}

static void test_tampering(void)
{
    struct tls_ticket_keys keys;
    struct box locked;
    CHECK_TRUE("init", tls_ticket_init(&keys, seed_a, EPOCH));
    fill(&locked);
    CHECK_TRUE("lock", tls_ticket_lock(&keys, EPOCH, SPAN_LIT("a.b"), &locked.ticket));
    for (size_t at = 0; at < TLS_TICKET_NAME + TLS_TICKET_IV + 16 + LEN; at++) {
        struct box b = locked;
        b.ticket = (struct tls_ticket){b.name, b.iv, b.mac, b.data, LEN};
        size_t rest = at;
        if (rest < TLS_TICKET_NAME) {
            b.name[rest] ^= 1;
        } else if ((rest -= TLS_TICKET_NAME) < TLS_TICKET_IV) {
            b.iv[rest] ^= 1;
        } else if ((rest -= TLS_TICKET_IV) < 16) {
            b.mac[rest] ^= 1;
        } else {
            b.data[rest - 16] ^= 1;
        }
        CHECK_EQ_INT("tampered", tls_ticket_open(&keys, EPOCH, SPAN_LIT("a.b"), &b.ticket),
                     TLS_TICKET_REJECTED);
    }
}

static void test_randomness(void)
{
    struct tls_ticket_keys keys;
    struct box one;
    struct box two;
    static char long_name[300];
    CHECK_TRUE("init", tls_ticket_init(&keys, seed_a, EPOCH));
    fill(&one);
    fill(&two);
    CHECK_TRUE("one", tls_ticket_lock(&keys, EPOCH, SPAN_LIT("a"), &one.ticket));
    CHECK_TRUE("two", tls_ticket_lock(&keys, EPOCH, SPAN_LIT("a"), &two.ticket));
    CHECK_TRUE("one key", memcmp(one.name, two.name, sizeof(one.name)) == 0);
    CHECK_TRUE("other IV", memcmp(one.iv, two.iv, sizeof(one.iv)) != 0);
    CHECK_TRUE("other bytes", memcmp(one.data, two.data, LEN) != 0);
    CHECK_TRUE("other name", tls_ticket_lock(&keys, 2 * EPOCH, SPAN_LIT("a"), &two.ticket));
    CHECK_TRUE("other name", memcmp(one.name, two.name, sizeof(one.name)) != 0);
    memset(long_name, 'a', sizeof(long_name));
    CHECK_FALSE("too long",
                tls_ticket_lock(&keys, EPOCH, (struct span){long_name, 256}, &one.ticket));
    tls_ticket_done(&keys);
    for (size_t i = 0; i < sizeof(keys); i++) {
        CHECK_EQ_U64("wiped", ((const uint8_t *)&keys)[i], 0);
    }
}

/* A worker that starts late gets what the master has by then: the master's keys as they are. */
static void test_late_worker(void)
{
    struct tls_ticket_keys master;
    struct tls_ticket_keys early;
    struct box before;
    struct box now;
    fill(&before);
    fill(&now);
    CHECK_TRUE("init", tls_ticket_init(&master, seed_a, 10 * EPOCH));
    early = master;
    CHECK_TRUE("lock", tls_ticket_lock(&early, 12 * EPOCH, SPAN_LIT("a"), &before.ticket));
    CHECK_TRUE("master", tls_ticket_advance(&master, 13 * EPOCH));
    struct tls_ticket_keys late = master;
    CHECK_TRUE("lock", tls_ticket_lock(&early, 13 * EPOCH, SPAN_LIT("a"), &now.ticket));
    CHECK_EQ_INT("before", tls_ticket_open(&late, 13 * EPOCH, SPAN_LIT("a"), &before.ticket),
                 TLS_TICKET_OLD);
    CHECK_EQ_INT("now", tls_ticket_open(&late, 13 * EPOCH, SPAN_LIT("a"), &now.ticket),
                 TLS_TICKET_OPENED);
    /* The clock is set back: the keys stay. */
    fill(&now);
    CHECK_TRUE("late", tls_ticket_advance(&late, 14 * EPOCH));
    CHECK_TRUE("lock", tls_ticket_lock(&early, 14 * EPOCH, SPAN_LIT("a"), &now.ticket));
    CHECK_EQ_INT("set back", tls_ticket_open(&late, 13 * EPOCH, SPAN_LIT("a"), &now.ticket),
                 TLS_TICKET_OPENED);
}

/* --- what memory remembers ------------------------------------------------------------------- */

enum { SECRET = 32, CHUNK = 1 << 16, HUGE_MAP = 1 << 30 };

/* A secret, hidden so that a search does not find this copy. */
struct hidden {
    uint8_t bytes[SECRET];
};

static struct hidden hide(const uint8_t secret[SECRET])
{
    struct hidden h;
    for (size_t i = 0; i < SECRET; i++) {
        h.bytes[i] = secret[i] ^ 0x5a;
    }
    return h;
}

static bool is_secret(const uint8_t *at, const struct hidden *h)
{
    for (size_t i = 0; i < SECRET; i++) {
        if ((at[i] ^ 0x5a) != h->bytes[i]) {
            return false;
        }
    }
    return true;
}

static size_t search_range(int memory, uint64_t from, uint64_t to, const struct hidden *h)
{
    static uint8_t chunk[CHUNK];
    size_t found = 0;
    for (uint64_t at = from; at < to; at += CHUNK - SECRET) {
        size_t want = to - at < CHUNK ? (size_t)(to - at) : CHUNK;
        ssize_t got = pread(memory, chunk, want, (off_t)at);
        for (ssize_t i = 0; i + SECRET <= got; i++) {
            found += is_secret(chunk + i, h);
        }
    }
    explicit_bzero(chunk, sizeof(chunk));
    return found;
}

/* How often a secret stands in memory that this process can write to. What it shares with other
 * processes is large, untouched, and none of this module's. */
static size_t search(const struct hidden *h)
{
    char line[512];
    size_t found = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    int memory = open("/proc/self/mem", O_RDONLY);
    while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
        char *end = NULL;
        uint64_t from = strtoull(line, &end, 16);
        uint64_t to = *end == '-' ? strtoull(end + 1, &end, 16) : 0;
        /* The sanitizers' shadow memory is huge, and no copy of ours. */
        if (strncmp(end, " rw-p", 5) == 0 && to - from < HUGE_MAP) {
            found += search_range(memory, from, to, h);
        }
    }
    if (maps != NULL) {
        fclose(maps);
    }
    close(memory);
    return found;
}

static void test_memory(void)
{
    static struct tls_ticket_keys keys;
    uint8_t seed[TLS_TICKET_SEED];
    struct box b;
    fill(&b);
    CHECK_TRUE("random", getrandom(seed, sizeof(seed), 0) == sizeof(seed));
    struct hidden old_seed = hide(seed);
    CHECK_TRUE("init", tls_ticket_init(&keys, seed, 7 * EPOCH));
    explicit_bzero(seed, sizeof(seed));
    struct hidden old_key = hide(keys.now.key);
    CHECK_TRUE("lock", tls_ticket_lock(&keys, 7 * EPOCH, SPAN_LIT("a"), &b.ticket));
    CHECK_EQ_U64("the search finds the seed", search(&old_seed), 1);
    CHECK_EQ_U64("the search finds the key", search(&old_key), 1);
    CHECK_TRUE("next epoch", tls_ticket_advance(&keys, 8 * EPOCH));
    CHECK_EQ_U64("the seed is gone", search(&old_seed), 0);
    CHECK_EQ_U64("the key is still needed", search(&old_key), 1);
    CHECK_EQ_INT("open", tls_ticket_open(&keys, 8 * EPOCH, SPAN_LIT("a"), &b.ticket),
                 TLS_TICKET_OLD);
    CHECK_TRUE("the one after", tls_ticket_advance(&keys, 9 * EPOCH));
    CHECK_EQ_U64("the key is gone", search(&old_key), 0);
    tls_ticket_done(&keys);
}

CU_TestInfo tls_ticket_tests[] = {
    {"epochs and seeds", test_times},
    {"bound to a name", test_names},
    {"tampering", test_tampering},
    {"every ticket its own IV", test_randomness},
    {"a worker that starts late", test_late_worker},
    {"memory forgets old seeds and keys", test_memory},
    CU_TEST_INFO_NULL,
};
