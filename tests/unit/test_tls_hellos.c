/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ClientHellos of real programs (hellos/NAME.hex, which hellos/record.py records), and legal
 * ones that they might send: each through the reader at every cut, and through a server's first
 * answer. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "check.h"
#include "hello_kit.h"
#include "io/tls_hello.h"
#include "suites.h"
#include "tls_kit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FOLDER "tests/unit/hellos"

enum { BYTES_MAX = 32 * 1024, ROWS_MAX = 256, FIELD = 64 };

static uint8_t bytes[BYTES_MAX];

struct row {
    char name[FIELD];
    char sni[FIELD];
    char protocol[FIELD];
    char outcome[FIELD];
};

/* --- files --------------------------------------------------------------------------------- */

static size_t read_rows(struct row *rows)
{
    char line[256];
    size_t count = 0;
    FILE *file = fopen(FOLDER "/expected", "r");
    while (file != NULL && count < ROWS_MAX && fgets(line, sizeof(line), file) != NULL) {
        struct row *row = &rows[count];
        if (line[0] != '#' && line[0] != '\n') {
            CHECK_EQ_INT(line,
                         sscanf(line, "%63s %63s %63s %63[^\n]", row->name, row->sni, row->protocol,
                                row->outcome),
                         4);
            count++;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return count;
}

/* Two digits a byte; line ends do not count. */
static size_t read_hex(const char *name)
{
    char path[256];
    char line[256];
    size_t len = 0;
    snprintf(path, sizeof(path), FOLDER "/%.63s.hex", name);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        for (const char *at = line; at[0] > ' ' && len < BYTES_MAX; at += 2) {
            const char digits[] = {at[0], at[1], '\0'};
            bytes[len++] = (uint8_t)strtoul(digits, NULL, 16);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return len;
}

/* --- the server's first answer -------------------------------------------------------------- */

static bool is_retry(const uint8_t *random)
{
    return memcmp(random, "\xcf\x21\xad\x74\xe5\x9a\x61\x11", 8) == 0; /* RFC 8446 4.1.3 */
}

static const char *describe(const struct kit_queue *wire)
{
    static char text[FIELD];
    const uint8_t *d = wire->data;
    if (wire->len == 7 && d[0] == 21) {
        snprintf(text, sizeof(text), "alert %u", d[6]);
        return text;
    }
    if (wire->len < 60 || d[0] != 22 || d[5] != 2) {
        return "something else";
    }
    if (is_retry(d + 11)) {
        return "retry";
    }
    /* Only a ServerHello of TLS 1.3 has the extension supported_versions (43). */
    size_t end = 5 + ((size_t)d[3] << 8 | d[4]);
    return memmem(d + 44, end - 44, "\0\x2b\0\x02\x03\x04", 6) != NULL ? "1.3" : "1.2";
}

static struct tls_context *server(void)
{
    static struct kit_pair made;
    static const struct span protocol = SPAN_LIT("http/1.1");
    if (made.key[0] == '\0') {
        made = kit_make_pair(KIT_EC, "localhost");
    }
    struct tls_pair pair = kit_as_pair(&made);
    struct tls_settings settings = {
        .pairs = &pair, .pair_count = 1, .protocols = &protocol, .protocol_count = 1};
    return kit_context_of(&settings);
}

/* What a hello gets that has a share for X25519MLKEM768 alone, and names other groups. */
#ifdef WOLFSSL_HAVE_MLKEM
#define ALONE "1.3"
#else
#define ALONE "retry"
#endif

static void check_answer(const char *name, struct tls_context *context, size_t len,
                         const char *want)
{
    static const size_t chunks[] = {KIT_WHOLE, 1, 100};
    for (size_t i = 0; i < COUNT(chunks); i++) {
        struct kit_link link = {.server = tls_new(context), .chunk = chunks[i]};
        kit_feed(&link, bytes, len);
        CHECK_EQ_STR(name, describe(&link.wire), want);
        CHECK_EQ_INT(name, link.result, strncmp(want, "alert", 5) == 0 ? TLS_FAILED : TLS_OK);
        CHECK_EQ_INT(name, tls_detail(link.server) != NULL, link.result == TLS_FAILED);
        tls_free(link.server);
        kit_empty(&link.wire);
        kit_empty(&link.client.in);
        kit_empty(&link.plain);
    }
}

/* --- the reader ------------------------------------------------------------------------------ */

static void check_parts(const struct row *row, const struct tls_hello_reader *r)
{
    struct tls_hello hello;
    CHECK_EQ_INT(row->name,
                 tls_hello_parse(r->record + TLS_RECORD_HEADER, r->len - TLS_RECORD_HEADER, &hello),
                 TLS_HELLO_OK);
    CHECK_EQ_MEM(row->name, hello.server_name.data, hello.server_name.len, row->sni,
                 strcmp(row->sni, "-") == 0 ? 0 : strlen(row->sni));
    bool is_none = strcmp(row->protocol, "-") == 0;
    CHECK_EQ_INT(row->name, hello.protocols.len > 0, !is_none);
    CHECK_EQ_INT(row->name, tls_hello_offers(&hello, span_from_str(row->protocol)), !is_none);
}

static void check_cuts(const struct row *row, size_t len)
{
    for (size_t cut = 0; cut < len; cut++) {
        struct tls_hello_reader r;
        size_t used = 0;
        enum tls_hello_result result = TLS_HELLO_MORE;
        tls_hello_init(&r, false);
        if (cut > 0) {
            result = tls_hello_read(&r, bytes, cut, &used);
            CHECK_EQ_INT(row->name, result, TLS_HELLO_MORE);
        }
        result = tls_hello_read(&r, bytes + cut, len - cut, &used);
        CHECK_EQ_INT(row->name, result, TLS_HELLO_OK);
        if (result == TLS_HELLO_OK) {
            check_parts(row, &r);
        }
        tls_hello_done(&r);
    }
}

static void test_programs(void)
{
    static struct row rows[ROWS_MAX];
    struct tls_context *context = server();
    size_t count = read_rows(rows);
    CHECK_TRUE("the table is there (run from the top of the checkout)", count > 0);
    for (size_t i = 0; i < count; i++) {
        size_t len = read_hex(rows[i].name);
        CHECK_TRUE(rows[i].name, len > 0);
        check_cuts(&rows[i], len);
        check_answer(rows[i].name, context, len, rows[i].outcome);
    }
    tls_context_free(context);
}

/* Every file has its row. */
static void test_files(void)
{
    static struct row rows[ROWS_MAX];
    size_t count = read_rows(rows);
    DIR *folder = opendir(FOLDER);
    const struct dirent *entry;
    size_t files = 0;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        const char *end = strstr(entry->d_name, ".hex");
        if (end == NULL) {
            continue;
        }
        size_t len = (size_t)(end - entry->d_name);
        bool is_there = false;
        for (size_t i = 0; i < count; i++) {
            is_there |=
                strlen(rows[i].name) == len && memcmp(rows[i].name, entry->d_name, len) == 0;
        }
        CHECK_TRUE(entry->d_name, is_there);
        files++;
    }
    CHECK_EQ_U64("files and rows", files, count);
    if (folder != NULL) {
        closedir(folder);
    }
}

/* --- legal hellos of nobody in particular ---------------------------------------------------- */

static struct hello_kit kit;

static void share(struct hello_kit *h, size_t group, size_t len)
{
    hello_number(h, group, 2);
    hello_number(h, len, 2);
    for (size_t i = 0; i < len; i++) {
        hello_number(h, 9, 1);
    }
}

/* What a client of today sends, without the key shares; `more` adds extensions of its own. */
static void begin_modern(void)
{
    hello_begin(&kit, 0x0303, "\x0a\x0a\x13\x01\x13\x02\x13\x03\xc0\x2b\xc0\x2f", 12);
    hello_extension(&kit, 0x1a1a, "", 0); /* GREASE, RFC 8701 */
    hello_extension(&kit, 43, "\x06\x7a\x7a\x03\x04\x03\x03", 7);
    hello_extension(&kit, 10, "\0\x0a\x5a\x5a\x11\xec\0\x1d\0\x17\0\x18", 12);
    hello_extension(&kit, 13, "\0\x08\x04\x03\x08\x04\x04\x01\x05\x03", 10);
}

/* A key share extension: GREASE, X25519MLKEM768 and, if asked for, X25519. */
static void add_shares(bool has_x25519)
{
    static struct hello_kit shares;
    shares.len = 0;
    hello_number(&shares, 0, 2);
    hello_number(&shares, 0x5a5a, 2);
    hello_number(&shares, 1, 2);
    hello_number(&shares, 0, 1);
    share(&shares, 0x11ec, 1216);
    if (has_x25519) {
        share(&shares, 29, 32);
    }
    hello_set(&shares, 0, shares.len - 2, 2);
    hello_extension(&kit, 51, shares.data, shares.len);
}

static void add_name(size_t len)
{
    static char text[300];
    memset(text, 'a', sizeof(text));
    for (size_t i = 50; i < len; i += 50) {
        text[i] = '.';
    }
    hello_number(&kit, 0, 2);
    hello_number(&kit, len + 5, 2);
    hello_number(&kit, len + 3, 2);
    hello_number(&kit, 0, 1);
    hello_number(&kit, len, 2);
    hello_raw(&kit, text, len);
}

static void add_filler(size_t type, size_t len)
{
    hello_number(&kit, type, 2);
    hello_number(&kit, len, 2);
    for (size_t i = 0; i < len; i++) {
        hello_number(&kit, 0, 1);
    }
}

static void add_psk(void)
{
    static struct hello_kit psk;
    psk.len = 0;
    hello_number(&psk, 200 + 6, 2);
    hello_number(&psk, 200, 2);
    for (size_t i = 0; i < 200; i++) {
        hello_number(&psk, i % 251, 1);
    }
    hello_number(&psk, 12345, 4);
    hello_number(&psk, 33, 2);
    hello_number(&psk, 32, 1);
    for (size_t i = 0; i < 32; i++) {
        hello_number(&psk, i, 1);
    }
    hello_extension(&kit, 41, psk.data, psk.len);
}

static void check_made(const char *name, struct tls_context *context, size_t record_len,
                       const char *want)
{
    hello_end(&kit);
    check_answer(name, context, hello_records(&kit, record_len, bytes, sizeof(bytes)), want);
}

static void test_made(void)
{
    struct tls_context *context = server();
    static const size_t record_lens[] = {16384, 1000, 100, 7};
    for (size_t i = 0; i < COUNT(record_lens); i++) {
        size_t record_len = record_lens[i];
        begin_modern();
        add_shares(true);
        check_made("post-quantum and X25519", context, record_len, "1.3");
        begin_modern();
        add_shares(false);
        check_made("post-quantum alone", context, record_len, ALONE);
        begin_modern();
        add_shares(true);
        add_filler(0xfe0d, 250);                                /* encrypted_client_hello */
        hello_extension(&kit, 27, "\x04\0\x02\0\x01", 5);       /* compress_certificate */
        hello_extension(&kit, 34, "\0\x04\x04\x03\x05\x03", 6); /* delegated_credential */
        hello_extension(&kit, 17513, "\0\x03\x02h2", 5);        /* ALPS */
        hello_extension(&kit, 5, "\x01\0\0\0\0", 5);            /* status_request */
        hello_extension(&kit, 18, "", 0);                       /* SCT */
        hello_extension(&kit, 23, "", 0);                       /* extended_master_secret */
        hello_extension(&kit, 28, "\x40\x01", 2);               /* record_size_limit */
        hello_extension(&kit, 35, "", 0);                       /* session_ticket */
        hello_extension(&kit, 45, "\x01\x01", 2);               /* psk_key_exchange_modes */
        hello_extension(&kit, 0xff01, "\0", 1);                 /* renegotiation_info */
        hello_extension(&kit, 0xabcd, "unknown", 7);
        add_filler(21, 300); /* padding */
        check_made("everything", context, record_len, "1.3");
        begin_modern();
        add_shares(true);
        hello_extension(&kit, 45, "\x01\x01", 2);
        hello_extension(&kit, 42, "", 0); /* early_data */
        add_psk();
        check_made("a ticket that nobody knows", context, record_len, "1.3");
        begin_modern();
        add_shares(true);
        add_name(253);
        check_made("a long name", context, record_len, "1.3");
        begin_modern();
        add_filler(21, 14000);
        add_shares(true);
        check_made("almost 16 KiB", context, record_len, "1.3");
        hello_begin(&kit, 0x0303, "\xc0\x2b", 2);
        kit.len -= 2;
        kit.extensions_at = 0;
        hello_set(&kit, 1, kit.len - 4, 3);
        check_answer("no extensions", context,
                     hello_records(&kit, record_len, bytes, sizeof(bytes)), "1.2");
    }
    tls_context_free(context);
}

CU_TestInfo tls_hellos_tests[] = {
    {"real programs", test_programs},
    {"every file has its row", test_files},
    {"legal hellos of all kinds", test_made},
    CU_TEST_INFO_NULL,
};
