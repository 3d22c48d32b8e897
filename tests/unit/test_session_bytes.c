/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The bytes of a session, and so the pump inside it. Nothing is lost, added or out of order,
 * whatever the sizes of reads, frames and sends; and a peer that does not read makes the other peer
 * wait. */
#include "session_kit.h"
#include "shape_client.h"
#include "suites.h"

static uint8_t pattern[1024 * 1024];

static void fill_pattern(void)
{
    uint32_t x = 7;
    for (size_t i = 0; i < sizeof(pattern); i++) {
        x = x * 1664525 + 1013904223;
        pattern[i] = (uint8_t)(x >> 24);
    }
}

static bool has_client_heard_all(const struct kit *k)
{
    (void)k;
    return kit_client_heard.len >= sizeof(pattern);
}

static bool has_client_heard_some(const struct kit *k)
{
    (void)k;
    return kit_client_heard.len > 0;
}

#define UP_TIMES ((size_t)6) /* so many patterns are more than the kernel takes for a socket */

static bool has_backend_heard_all(const struct kit *k)
{
    (void)k;
    return kit_backend_heard.len >= UP_TIMES * sizeof(pattern);
}

/* --- bytes ------------------------------------------------------------------------------------*/

/* Reads have every small size and frames have many sizes, so that the cuts fall everywhere. */
static void test_up(void)
{
    for (size_t chop = 1; chop <= 9000; chop = chop < 4 ? chop + 1 : chop * 7) {
        struct kit k;
        size_t total = 0;
        kit_open(&k, "", "");
        if (!kit_connect("up", &k, KIT_TCP)) {
            return;
        }
        for (size_t len = 0; len < 3000; len += len < 130 ? 3 : 401) {
            kit_client_frame(&k, 0x82, pattern + total, len);
            total += len;
        }
        k.client.chop_bytes = chop;
        kit_client_closes(&k);
        CHECK_TRUE("backend's FIN", kit_until(&k, kit_is_backend_ended));
        CHECK_EQ_INT("FIN", k.backend_end, KIT_BACKEND_FIN);
        CHECK_TRUE("every byte", kit_backend_heard.len == total &&
                                     memcmp(kit_backend_heard.data, pattern, total) == 0);
        close(k.backend);
        k.backend = -1;
        k.client.is_in_fin = true;
        kit_close("up", &k, LIFE_CLIENT_CLOSE);
    }
}

/* Takes the payload of the binary frames that the client heard, and leaves what follows them. */
static size_t take_payload(uint8_t *out)
{
    const uint8_t *at = kit_client_heard.data;
    const uint8_t *end = at + kit_client_heard.len;
    size_t total = 0;
    while (end - at >= 2 && at[0] == 0x82) {
        size_t len = at[1];
        size_t head = len < 126 ? 2 : len == 126 ? 4 : 10;
        len = head == 2 ? len : 0;
        for (size_t i = 2; i < head; i++) {
            len = len << 8 | at[i];
        }
        if (head + len > (size_t)(end - at)) {
            break;
        }
        memcpy(out + total, at + head, len);
        total += len;
        at += head + len;
    }
    kit_client_heard.len = (size_t)(end - at);
    memmove(kit_client_heard.data, at, kit_client_heard.len);
    return total;
}

static bool has_heard_close(const struct kit *k)
{
    static const char text[] = "\x88\x14\x03\xe8"
                               "backend closed 0-0";
    const size_t len = sizeof(text) - 1;
    size_t heard = kit_client_heard.len;
    (void)k;
    return heard >= len && memcmp(kit_client_heard.data + heard - len, text, len) == 0;
}

/* The kernel takes a few bytes now and then. What it refuses waits and comes in order. */
static void test_down(void)
{
    static uint8_t got[sizeof(pattern)];
    for (size_t budget = 1; budget <= 100000; budget *= 10) {
        struct kit k;
        size_t len = budget < 100 ? 3000 : budget < 10000 ? 100000 : sizeof(pattern);
        kit_open(&k, "", "");
        if (!kit_connect("down", &k, KIT_TCP)) {
            return;
        }
        k.client.budget_bytes = 0;
        kit_backend_says(&k, pattern, len);
        k.is_backend_ending = true;
        for (int tries = 0; !has_heard_close(&k) && tries < KIT_WAIT_MS * 10; tries++) {
            k.client.budget_bytes = budget;
            kit_turn(&k);
        }
        k.client.budget_bytes = MEMORY_ALL;
        size_t total = take_payload(got);
        CHECK_TRUE("every byte", total == len && memcmp(got, pattern, len) == 0);
        kit_heard_is("Close",
                     "\x88\x14\x03\xe8"
                     "backend closed 0-0",
                     22);
        kit_client_leaves(&k);
        kit_close("down", &k, LIFE_BACKEND_CLOSE);
    }
}

/* Neither peer reads: both senders have to wait, and every byte arrives once the peers read. */
static void test_backpressure(void)
{
    static uint8_t got[sizeof(pattern)];
    struct kit k;
    kit_open(&k, "", "buffer_high = 64k\nbuffer_low = 16k\nwrite_timeout = 1h");
    if (!kit_connect("backpressure", &k, KIT_TCP)) {
        return;
    }
    uint64_t before_bytes = k.client.sent_bytes;
    k.is_backend_deaf = true;
    k.client.budget_bytes = 0;
    for (size_t at = 0; at < UP_TIMES * sizeof(pattern); at += 4096) {
        kit_client_frame(&k, 0x82, pattern + at % sizeof(pattern), 4096);
    }
    kit_backend_says(&k, pattern, sizeof(pattern));
    kit_settle(&k);
    CHECK_EQ_U64("not read", k.client.want, REACTOR_WRITE);
    CHECK_EQ_U64("nothing is taken", k.client.sent_bytes, before_bytes);
    k.client.budget_bytes = MEMORY_ALL;
    CHECK_TRUE("down", kit_until(&k, has_client_heard_all));
    kit_settle(&k);
    size_t total = take_payload(got);
    CHECK_TRUE("down", total == sizeof(pattern) && memcmp(got, pattern, total) == 0);
    CHECK_EQ_U64("the backend's queue is full", k.client.want, 0);
    CHECK_TRUE("some of it waits", memory_waiting(&k.client) > 0);
    k.is_backend_deaf = false;
    CHECK_TRUE("up", kit_until(&k, has_backend_heard_all));
    for (size_t i = 0; i < UP_TIMES; i++) {
        const uint8_t *heard = kit_backend_heard.data + i * sizeof(pattern);
        CHECK_TRUE("up", memcmp(heard, pattern, sizeof(pattern)) == 0);
    }
    CHECK_EQ_U64("read again", k.client.want, REACTOR_READ);
    k.client.is_in_fin = true;
    k.is_backend_ending = true;
    kit_close("backpressure", &k, LIFE_CLIENT_EOF);
}

/* A frame inflates to more than the kernel takes for a backend that does not read. The queue is
 * empty and bytes are held: the backend is stuck, and the client, which is not read either, owes no
 * Pong. */
static void test_held_bytes(void)
{
    static const uint8_t zeroes[6 * 1024 * 1024];
    struct client client;
    struct client_rules rules = {.is_deflate = true, .client_bits = 15, .server_bits = 15};
    struct client_bytes packed = {0};
    struct kit k;

    client_open(&client, &rules);
    client_deflate(&client, (struct span){(const char *)zeroes, sizeof(zeroes)}, true, &packed);
    kit_open(&k, "",
             "compression = on\ncompression_ratio = 0\nwrite_timeout = 150ms\n"
             "ping_interval = 30ms\npong_timeout = 30ms");
    if (kit_connect("held", &k,
                    KIT_REQUEST("/tcp", "Sec-WebSocket-Extensions: permessage-deflate\r\n"))) {
        k.is_backend_deaf = true;
        kit_client_frame(&k, 0xc2, packed.data, packed.len);
        CHECK_TRUE("our Close", kit_until(&k, has_client_heard_some));
        kit_heard_is("our Close",
                     "\x88\x15\x03\xf3"
                     "backend stalled 0-0",
                     23);
        k.is_backend_deaf = false;
        kit_client_leaves(&k);
        kit_close("held", &k, LIFE_BACKEND_STALLED);
    }
    client_drop(&packed);
    client_close(&client);
}

#define WITH_PATTERN(name) \
    static void run_##name(void) \
    { \
        fill_pattern(); \
        test_##name(); \
    }
WITH_PATTERN(up)
WITH_PATTERN(down)
WITH_PATTERN(backpressure)

CU_TestInfo session_bytes_tests[] = {
    {"up: reads and frames of every size", run_up},
    {"down: a kernel that takes little", run_down},
    {"backpressure both ways", run_backpressure},
    {"held bytes and a backend that does not read", test_held_bytes},
    CU_TEST_INFO_NULL,
};
