/* SPDX-License-Identifier: GPL-3.0-or-later */
// Who must be taken and who must be refused, with which status and which fields (RFC 9110, 9112,
// 6455): each head cut at every split, then once through a whole session. heads/ has the heads of
// real programs, and its expected.txt what becomes of them.
#include <dirent.h>
#include <stdlib.h>

#include "handshakes.h"
#include "proto/upgrade.h"
#include "session_kit.h"
#include "suites.h"

#define FOLDER "tests/unit/heads/"
#define HEAD_MAX 65536
#define GET "GET /echo HTTP/1.1\r\n"
#define HOST "Host: gw.example\r\n"
#define LINE(line) TEXT(line "\r\n" HOST MINIMAL "\r\n")
#define WITH(lines) TEXT(GET HOST MINIMAL lines "\r\n")
#define X16 "xxxxxxxxxxxxxxxx"
#define X256 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16
#define X1024 X256 X256 X256 X256
#define X8192 X1024 X1024 X1024 X1024 X1024 X1024 X1024 X1024

struct row {
    const char *name;
    const char *text;
    size_t len;
    unsigned status;
};

static const struct row taken_rows[] = {
    {"the smallest", WITH(""), 101},
    // RFC 9112
    {"2.2: empty lines first", TEXT("\r\n\r\n" GET HOST MINIMAL "\r\n"), 101},
    {"2.3: a later minor version", LINE("GET /echo HTTP/1.3"), 101},
    {"3: a request line of 8,000 bytes", LINE("GET /echo?" X8192 " HTTP/1.1"), 101},
    {"3.2.2: an absolute target", LINE("GET http://gw.example/echo HTTP/1.1"), 101},
    {"3.2.2: its host is another", LINE("GET wss://b.example:8443/echo HTTP/1.1"), 101},
    {"3.2.2: its path is empty", LINE("GET HTTP://gw.example HTTP/1.1"), 101},
    {"3.2.2: its Host is empty", TEXT("GET http://b/echo HTTP/1.1\r\nHost:\r\n" MINIMAL "\r\n"),
     101},
    {"5: no blank behind a colon", TEXT(GET "Host:gw.example\r\n" MINIMAL "A:b\r\n\r\n"), 101},
    {"5: blanks around a value", TEXT(GET "Host: \t gw.example \t \r\n" MINIMAL "\r\n"), 101},
    {"9.6: close beside Upgrade", TEXT(GET HOST UPGRADE "Connection: close\r\n" KEY VERSION "\r\n"),
     101},
    // RFC 9110
    {"5.1: names in any case",
     TEXT(GET "hOST: gw.example\r\nUPGRADE: WebSocket\r\nconnection: uPgRaDe\r\n"
              "SEC-WEBSOCKET-KEY: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"),
     101},
    {"5.3: a list in several lines",
     TEXT(GET HOST "Upgrade: h2c\r\nUpgrade: websocket\r\nConnection: keep-alive\r\n"
                   "Connection: Upgrade\r\n" KEY VERSION "Sec-WebSocket-Protocol: a\r\n"
                   "Sec-WebSocket-Protocol: b\r\n\r\n"),
     101},
    {"5.5: obs-text in a value", WITH("X: caf\xe9 \x80\xff\r\n"), 101},
    {"5.5: an empty value", WITH("X:\r\nSec-WebSocket-Extensions:\r\nTE:\r\n"), 101},
    {"5.6.1.2: empty items",
     TEXT(GET HOST "Upgrade: ,websocket,\r\nConnection: ,,upgrade\r\n" KEY VERSION
                   "Sec-WebSocket-Protocol: ,a, ,b,\r\nSec-WebSocket-Extensions: , ,x,\r\n\r\n"),
     101},
    {"5.6.1.2: nothing but empty items", WITH("Sec-WebSocket-Protocol: ,\r\n"), 101},
    {"5.6.4: a comma in quotes", WITH("Sec-WebSocket-Extensions: x; a=\"1,2\", y\r\n"), 101},
    {"7.2: an empty port", TEXT(GET "Host: gw.example:\r\n" MINIMAL "\r\n"), 101},
    {"7.8: a choice of protocols",
     TEXT(GET HOST "Upgrade: HTTP/3.0, h2c, websocket\r\nConnection: Upgrade\r\n" KEY VERSION
                   "\r\n"),
     101},
    {"8.6: a length of 0", WITH("Content-Length: 0\r\n"), 101},
    {"10.1.1: an expectation without a body", WITH("Expect: 100-continue\r\n"), 101},
    {"10.1.1: an unknown expectation", WITH("Expect: tea\r\n"), 101},
    {"10.1.4: TE", WITH("TE: trailers, deflate;q=0.5\r\n"), 101},
    // RFC 6455
    {"4.1: an encoded path and a query", LINE("GET /%C3%A9/%41?a=%2F..%00 HTTP/1.1"), 101},
    {"4.1: a token for a subprotocol", WITH("Sec-WebSocket-Protocol: " X1024 ", v1\r\n"), 101},
};

static const struct row refused_rows[] = {
    // RFC 9112
    {"2.2: LF for CRLF", TEXT("GET /echo HTTP/1.1\nHost: a\n\n"), 400},
    {"2.2: a bare CR", WITH("A: b\rC: d\r\n"), 400},
    {"2.2: a blank before the first header", TEXT(GET " " HOST MINIMAL "\r\n"), 400},
    {"2.3: another major version", LINE("GET /echo HTTP/2.0"), 505},
    {"2.3: a version in small letters", LINE("GET /echo http/1.1"), 400},
    {"2.3: HTTP/1.0 upgrades nothing", LINE("GET /echo HTTP/1.0"), 426},
    {"3: two blanks", LINE("GET  /echo HTTP/1.1"), 400},
    {"3: a method too long", LINE(X256 " /echo HTTP/1.1"), 501},
    {"3: a target too long", LINE("GET /" X8192 X8192 X8192 X8192 " HTTP/1.1"), 414},
    {"3.2: no Host", TEXT(GET MINIMAL "\r\n"), 400},
    {"3.2: two Hosts", WITH(HOST), 400},
    {"3.2: a malformed Host", TEXT(GET "Host: a b\r\n" MINIMAL "\r\n"), 400},
    {"3.2: an empty Host", TEXT(GET "Host:\r\n" MINIMAL "\r\n"), 400},
    {"3.2: a malformed Host, to HEAD", TEXT("HEAD / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400},
    {"3.2.2: a URL without host", LINE("GET http:///echo HTTP/1.1"), 400},
    {"3.2.2: a URL with a user", LINE("GET http://u@gw.example/echo HTTP/1.1"), 400},
    {"3.2.3: authority form", LINE("GET gw.example:80 HTTP/1.1"), 400},
    {"3.2.3: CONNECT", LINE("CONNECT gw.example:80 HTTP/1.1"), 405},
    {"3.2.4: asterisk form", LINE("GET * HTTP/1.1"), 400},
    {"3.2.4: OPTIONS in asterisk form", LINE("OPTIONS * HTTP/1.1"), 405},
    {"5.1: a blank before the colon", WITH("A : b\r\n"), 400},
    {"5.1: a blank before the colon, to HEAD", TEXT("HEAD / HTTP/1.1\r\n" HOST "A : b\r\n\r\n"),
     400},
    {"5.2: a folded line", WITH("A: b\r\n c\r\n"), 400},
    {"6.1: chunks", WITH("Transfer-Encoding: chunked\r\n"), 400},
    {"6.1: chunks and a length", WITH("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"), 400},
    {"6.3: a body", WITH("Content-Length: 1\r\n"), 400},
    {"6.3: two lengths", WITH("Content-Length: 0\r\nContent-Length: 1\r\n"), 400},
    {"6.3: a bad length", WITH("Content-Length: 0x0\r\n"), 400},
    // RFC 9110
    {"5.5: NUL", WITH("A: b\0c\r\n"), 400},
    {"5.5: a control byte", WITH("A: b\ac\r\n"), 400},
    {"5.6.2: a name that is no token", WITH("A(b): c\r\n"), 400},
    {"7.8: no Upgrade", TEXT(GET HOST "\r\n"), 426},
    {"7.8: another protocol", TEXT(GET HOST "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n"), 426},
    {"7.8: Upgrade that Connection does not name",
     TEXT(GET HOST "Upgrade: websocket\r\nConnection: keep-alive\r\n" KEY VERSION "\r\n"), 400},
    {"9.1: an unknown method", LINE("BREW /echo HTTP/1.1"), 501},
    {"9.1: a method in small letters", LINE("get /echo HTTP/1.1"), 501},
    {"9.3.2: HEAD", LINE("HEAD /echo HTTP/1.1"), 426},
    {"9.3.2: HEAD with HTTP/1.0 and no Host", TEXT("HEAD / HTTP/1.0\r\n\r\n"), 426},
    {"9.3.3: POST", LINE("POST /echo HTTP/1.1"), 405},
    {"9.3.7: OPTIONS", LINE("OPTIONS /echo HTTP/1.1"), 405},
    {"9.3.1: GET with HTTP/1.0 and no Host", TEXT("GET / HTTP/1.0\r\n\r\n"), 426},
    {"15.5.22: an older WebSocket", TEXT(GET HOST UPGRADE KEY "Sec-WebSocket-Version: 8\r\n\r\n"),
     426},
    // RFC 6585
    {"5: a head too large", WITH("A: " X8192 X8192 X8192 X8192 "\r\n"), 431},
    // RFC 6455
    {"4.2.1: no version", TEXT(GET HOST UPGRADE KEY "\r\n"), 400},
    {"4.2.1: no key", TEXT(GET HOST UPGRADE VERSION "\r\n"), 400},
    {"4.2.1: a short key", TEXT(GET HOST UPGRADE VERSION "Sec-WebSocket-Key: AAAA\r\n\r\n"), 400},
    {"4.1: a subprotocol twice", WITH("Sec-WebSocket-Protocol: a, a\r\n"), 400},
    {"4.1: a subprotocol that is no token", WITH("Sec-WebSocket-Protocol: a b\r\n"), 400},
};

// The fields that an answer needs for its status.
static const struct {
    unsigned status;
    const char *lines;
} demanded[] = {
    {101, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"},
    {101, KIT_ACCEPT_LINE},
    {405, "\r\nAllow: GET, HEAD\r\n"},
    {426, "\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"},
    {426, "\r\nConnection: Upgrade, close\r\n"},
};

static struct http_fed fed;

// The status of the head, by parser and check alone.
static unsigned status_of(const struct row *row, size_t cut, struct request *out)
{
    struct span key;
    const char *detail;

    http_feed(&fed, row->text, row->len, cut);
    if (fed.result != HTTP_DONE) {
        return (unsigned)fed.result;
    }
    enum upgrade_result result = upgrade_check(&fed.parser, out, &key, &detail);
    return result == UPGRADE_OK ? 101 : (unsigned)result;
}

static void check_cuts(const struct row *row)
{
    struct request request;
    // A long run of one letter is the same at every cut inside; the table of limits has all cuts.
    size_t step = 1;

    CHECK_EQ_U64(row->name, status_of(row, BYTE_BY_BYTE, &request), row->status);
    for (size_t cut = 0; cut <= row->len; cut += step) {
        if (status_of(row, cut, &request) != row->status) {
            CHECK_EQ_U64(row->name, status_of(row, cut, &request), row->status);
            return;
        }
        step = row->len > 2048 && cut > 256 && cut + 512 < row->len ? 61 : 1;
    }
}

static size_t count_text(const char *text)
{
    size_t count = 0;
    const uint8_t *at = kit_client_heard.data;
    const uint8_t *end = at + kit_client_heard.len;

    while ((at = memmem(at, (size_t)(end - at), text, strlen(text))) != NULL) {
        count++;
        at += strlen(text);
    }
    return count;
}

static void check_refusal(const struct row *row, unsigned status)
{
    static const char length_name[] = "\r\nContent-Length: ";
    bool is_to_head = memcmp(row->text, "HEAD ", 5) == 0;
    const uint8_t *length =
        memmem(kit_client_heard.data, kit_client_heard.len, length_name, strlen(length_name));

    CHECK_EQ_U64(row->name, count_text("\r\nDate: "), 1);
    CHECK_EQ_U64(row->name, count_text("\r\nConnection: "), 1);
    CHECK_EQ_U64(row->name, count_text(status == 426 ? "Upgrade, close\r\n" : ": close\r\n"), 1);
    if (CHECK_TRUE(row->name, length != NULL)) {
        size_t body_len = strtoul((const char *)length + strlen(length_name), NULL, 10);

        CHECK_TRUE(row->name, body_len > 0);
        CHECK_EQ_U64(row->name, kit_take_answer(&(struct kit){.backend = -1}), status);
        CHECK_EQ_U64(row->name, kit_client_heard.len, is_to_head ? 0 : body_len);
    }
}

// Gives the head to a session and looks at all of its answer.
static void check_answer(const struct row *row)
{
    struct kit k;

    kit_open(&k, "", "");
    memory_push(&k.client, row->text, row->len);
    CHECK_TRUE(row->name, kit_start(&k));
    CHECK_TRUE(row->name, kit_until(&k, kit_is_answered));
    for (size_t i = 0; i < COUNT(demanded); i++) {
        if (demanded[i].status == row->status) {
            CHECK_EQ_U64(row->name, count_text(demanded[i].lines), 1);
        }
    }
    if (row->status != 101) {
        CHECK_TRUE(row->name, kit_until(&k, kit_has_fin));
        check_refusal(row, row->status);
        k.client.is_in_fin = true;
        CHECK_TRUE(row->name, kit_until(&k, kit_is_gone));
    } else {
        CHECK_EQ_U64(row->name, kit_take_answer(&k), 101);
        kit_client_leaves(&k);
        CHECK_TRUE(row->name, kit_until(&k, kit_is_gone));
    }
    kit_drop(&k);
}

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check_cuts(&rows[i]);
        check_answer(&rows[i]);
    }
    http_feed_done(&fed);
}

static void test_taken(void)
{
    check_rows(taken_rows, COUNT(taken_rows));
}

static void test_refused(void)
{
    check_rows(refused_rows, COUNT(refused_rows));
}

// --- the folder ------------------------------------------------------------------------------

// Returns the length, 0 = no such file.
static size_t read_file(const char *path, char *out, size_t size)
{
    FILE *file = fopen(path, "rb");
    size_t len = file == NULL ? 0 : fread(out, 1, size, file);

    if (file != NULL) {
        fclose(file);
    }
    return len;
}

// The next word of the line; "-" and no word at all are the empty span.
static struct span take_word(struct span *line)
{
    struct span word = {NULL, 0};

    *line = span_trim(*line);
    if (line->len > 0 && span_next(line, ' ', &word) && span_is_equal(word, SPAN_LIT("-"))) {
        word.len = 0;
    }
    return word;
}

static void check_word(const char *name, struct span got, struct span want)
{
    CHECK_EQ_MEM(name, got.data, got.len, want.data, want.len);
}

static void check_request(const char *name, struct span line, const struct request *got)
{
    check_word(name, got->authority, take_word(&line));
    check_word(name, got->path, take_word(&line));
    struct span origin = take_word(&line);
    check_word(name, got->has_origin ? got->origin : (struct span){NULL, 0}, origin);
    struct span offers = take_word(&line);
    struct span offer;
    size_t count = 0;
    while (span_next(&offers, ',', &offer)) {
        if (CHECK_TRUE(name, count < got->offer_count)) {
            check_word(name, got->offers[count], offer);
        }
        count++;
    }
    CHECK_EQ_U64(name, got->offer_count, count);
    CHECK_EQ_U64(name, span_trim(line).len, 0);
}

// Checks the head of one line of expected.txt.
static void check_file(struct span line)
{
    static char text[HEAD_MAX];
    char name[128];
    char path[256];
    uint64_t status = 0;
    struct request request;

    span_copy(take_word(&line), name, sizeof(name));
    snprintf(path, sizeof(path), FOLDER "%s.http", name);
    CHECK_TRUE(name, span_parse_u64(take_word(&line), &status));
    size_t len = read_file(path, text, sizeof(text));
    if (!CHECK_TRUE(name, len > 0 && len < sizeof(text))) {
        return;
    }
    const struct row row = {name, text, len, (unsigned)status};
    check_cuts(&row);
    check_answer(&row);
    if (row.status == 101 && status_of(&row, len, &request) == 101) {
        check_request(name, line, &request);
    }
}

static size_t count_files(void)
{
    DIR *folder = opendir(FOLDER);
    struct dirent *entry;
    size_t count = 0;

    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        count += span_ends_with(span_from_str(entry->d_name), SPAN_LIT(".http")) ? 1 : 0;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return count;
}

static void test_folder(void)
{
    static char table[HEAD_MAX];
    size_t len = read_file(FOLDER "expected.txt", table, sizeof(table));
    struct span rest = {table, len};
    struct span line;
    size_t count = 0;

    CHECK_TRUE("expected.txt", len > 0 && len < sizeof(table));
    while (span_next(&rest, '\n', &line)) {
        if (line.len > 0 && line.data[0] != '#') {
            check_file(line);
            count++;
        }
    }
    CHECK_TRUE("some heads", count >= 13);
    CHECK_EQ_U64("a line for each file", count_files(), count);
    http_feed_done(&fed);
}

CU_TestInfo heads_tests[] = {
    {"who is taken", test_taken},
    {"who is refused, and how", test_refused},
    {"heads of real programs", test_folder},
    CU_TEST_INFO_NULL,
};
