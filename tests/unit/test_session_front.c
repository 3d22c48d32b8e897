/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sessions behind proxies: the PROXY header in front of the first byte, and what a request tells of
 * the client. The peer is 192.0.2.1:1234. */

#include "gate/session_parts.h"
#include "session_kit.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define V1 "PROXY TCP4 198.51.100.7 203.0.113.1 4711 443\r\n"
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V2 SIGNATURE "\x21\x11\0\x0c\xc6\x33\x64\x07\xcb\0\x71\x01\x12\x67\x01\xbb"
/* The same with what a proxy that ends TLS tells: the client came over it, as h.example. */
#define V2_TLS \
    SIGNATURE "\x21\x11\0\x20\xc6\x33\x64\x07\xcb\0\x71\x01\x12\x67\x01\xbb\x02\0\x09h.example" \
              "\x20\0\x05\x01\0\0\0\x01"
#define V2_LOCAL SIGNATURE "\x20\0\0\0"
#define V2_UNKNOWN SIGNATURE "\x21\0\0\0"
#define ALLOW "allow = 198.51.100.7/32"

static struct addr_cidr trusted;

static void open_behind(struct kit *k, const char *network, const char *route)
{
    kit_open(k, "", route);
    memory_expect(addr_cidr_parse(span_from_str(network), &trusted), "a network");
    k->config->listens[0].trusted_proxies = &trusted;
    k->config->listens[0].trusted_proxy_count = 1;
}

static void open_for_header(struct kit *k, const char *network, const char *route)
{
    open_behind(k, network, route);
    k->config->listens[0].has_proxy_header = true;
}

static struct session *session_of(const struct kit *k)
{
    return container_of(k->context.sessions.next, struct session, link);
}

static const char *client_text(const struct kit *k)
{
    static char text[ADDR_TEXT_MAX];
    struct addr a;
    session_client_address(session_of(k), &a);
    return addr_print(&a, text, sizeof(text));
}

static void leave(struct kit *k)
{
    k->client.is_in_fin = true;
    CHECK_TRUE("gone", kit_until(k, kit_is_gone));
}

/* --- the header ------------------------------------------------------------------------------ */

struct header_row {
    const char *name;
    const char *header;
    size_t len;
    const char *route; /* lines of [defaults] */
    const char *client;
    unsigned status;
    enum life_ending ending; /* LIFE_NOT_ENDED: admitted */
};

#define HEADER(text) (text), sizeof(text) - 1
static const struct header_row header_rows[] = {
    {"v1", HEADER(V1), ALLOW, "198.51.100.7:4711", 101, LIFE_NOT_ENDED},
    {"v2", HEADER(V2), ALLOW, "198.51.100.7:4711", 101, LIFE_NOT_ENDED},
    {"v2 with TLS", HEADER(V2_TLS), ALLOW, "198.51.100.7:4711", 101, LIFE_NOT_ENDED},
    {"the peer counts no more", HEADER(V1), "allow = 192.0.2.1", "198.51.100.7:4711", 403,
     LIFE_SOURCE},
    {"the told client is denied", HEADER(V2), "deny = 198.51.100.0/24", "198.51.100.7:4711", 403,
     LIFE_SOURCE},
    {"LOCAL", HEADER(V2_LOCAL), "allow = 192.0.2.1", "192.0.2.1:1234", 101, LIFE_NOT_ENDED},
    {"UNKNOWN", HEADER("PROXY UNKNOWN\r\n"), "", "-", 101, LIFE_NOT_ENDED},
    {"UNKNOWN is not allowed", HEADER("PROXY UNKNOWN\r\n"), "allow = 192.0.2.1", "-", 403,
     LIFE_SOURCE},
    {"UNKNOWN may be denied", HEADER("PROXY UNKNOWN x\r\n"), "deny = 10.0.0.0/8", "-", 403,
     LIFE_SOURCE},
    {"UNSPEC is not allowed", HEADER(V2_UNKNOWN), "allow = 0.0.0.0/0, ::/0", "-", 403, LIFE_SOURCE},
    {"no header", HEADER(""), "", "-", 400, LIFE_BAD_REQUEST},
    {"a wrong address", HEADER("PROXY TCP4 1.2.3.4 5 6 7\r\n"), "", "-", 400, LIFE_BAD_REQUEST},
    {"too big", HEADER(SIGNATURE "\x21\x11\xff\xff"), "", "-", 400, LIFE_BAD_REQUEST},
};

static void check_header(const struct header_row *row, size_t cut)
{
    struct kit k;
    char defaults[128];
    snprintf(defaults, sizeof(defaults), "on_refuse = http\n%s", row->route);
    open_for_header(&k, "192.0.2.0/24", defaults);
    size_t blocks = mem_live_blocks();
    memory_push(&k.client, row->header, cut);
    CHECK_TRUE(row->name, kit_start(&k));
    if (cut < row->len) {
        kit_settle(&k);
        CHECK_EQ_U64(row->name, kit_client_heard.len, 0);
    }
    memory_push(&k.client, row->header + cut, row->len - cut);
    kit_client_says(&k, KIT_ECHO);
    CHECK_EQ_U64(row->name, kit_take_answer(&k), row->status);
    CHECK_EQ_STR(row->name, client_text(&k), row->client);
    if (row->ending == LIFE_NOT_ENDED) {
        CHECK_TRUE(row->name, session_of(&k)->told->header == NULL);
        kit_client_closes(&k);
    }
    leave(&k);
    CHECK_EQ_U64(row->name, mem_live_blocks(), blocks);
    kit_close(row->name, &k, row->ending == LIFE_NOT_ENDED ? LIFE_CLIENT_CLOSE : row->ending);
}

static void test_headers(void)
{
    for (size_t i = 0; i < COUNT(header_rows); i++) {
        check_header(&header_rows[i], header_rows[i].len);
    }
}

static void test_cuts(void)
{
    for (size_t i = 0; i < 3; i++) {
        for (size_t cut = 0; cut < header_rows[i].len; cut++) {
            check_header(&header_rows[i], cut);
        }
    }
}

/* Whoever is no proxy hears that at once, and its header says nothing. */
static void test_stranger(void)
{
    struct kit k;
    open_for_header(&k, "10.0.0.0/8", "");
    kit_client_says(&k, V1 KIT_ECHO);
    CHECK_TRUE("start", kit_start(&k));
    CHECK_EQ_U64("status", kit_take_answer(&k), 403);
    CHECK_EQ_STR("client", client_text(&k), "192.0.2.1:1234");
    leave(&k);
    kit_close("stranger", &k, LIFE_SOURCE);
}

/* A balancer that looks whether we live: nothing that anybody must read. */
static void test_probes(void)
{
    static const struct {
        const char *name;
        const char *said;
        size_t len;
        bool is_probe;
    } rows[] = {
        {"only connects", "", 0, true},
        {"LOCAL", HEADER(V2_LOCAL), true},
        {"UNKNOWN", HEADER("PROXY UNKNOWN\r\n"), true},
        {"for a client", HEADER(V1), true},
        {"half a header", HEADER("PROXY TCP4 1"), false},
        {"half a request", HEADER(V1 "GET"), false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (int is_reset = 0; is_reset < 2; is_reset++) {
            struct kit k;
            open_for_header(&k, "192.0.2.1", "");
            memory_push(&k.client, rows[i].said, rows[i].len);
            CHECK_TRUE(rows[i].name, kit_start(&k));
            kit_settle(&k);
            CHECK_EQ_U64(rows[i].name, kit_client_heard.len, 0);
            k.client.is_in_rst = is_reset == 1;
            k.client.is_in_fin = is_reset == 0;
            struct seat_listen *listen = seat_listen(k.seat, &k.config->listens[0]);
            CHECK_TRUE(rows[i].name, kit_until(&k, kit_is_gone));
            CHECK_EQ_U64(rows[i].name, seat_get(&listen->probes), rows[i].is_probe);
            kit_close(rows[i].name, &k,
                      is_reset == 1      ? LIFE_CLIENT_RESET
                      : rows[i].is_probe ? LIFE_CLIENT_EOF
                                         : LIFE_CLIENT_CUT);
        }
    }
}

static void test_slow(void)
{
    struct kit k;
    open_for_header(&k, "192.0.2.1", "");
    k.config->early_timeouts.request_ms = 50;
    kit_client_says(&k, "PROXY TCP4 1");
    CHECK_TRUE("start", kit_start(&k));
    CHECK_EQ_U64("status", kit_take_answer(&k), 408);
    CHECK_EQ_STR("detail", session_of(&k)->detail,
                 "the PROXY header took longer than request_timeout");
    leave(&k);
    kit_close("slow", &k, LIFE_HEAD_TOO_SLOW);
}

/* A listener that expects no header never looks for one. */
static void test_unexpected(void)
{
    struct kit k;
    open_behind(&k, "192.0.2.1", "");
    kit_client_says(&k, V1 KIT_ECHO);
    CHECK_TRUE("start", kit_start(&k));
    CHECK_EQ_U64("status", kit_take_answer(&k), 400);
    leave(&k);
    kit_close("unexpected", &k, LIFE_BAD_REQUEST);
}

/* --- the client's TLS, and the request -------------------------------------------------------- */

struct told_row {
    const char *name;
    const char *header; /* NULL: no PROXY header is expected */
    size_t header_len;
    enum config_forwarded forwarded;
    const char *route;
    const char *request;
    const char *client;
    unsigned status;
    enum life_ending ending;
};

#define NO_HEADER NULL, 0
#define FROM(origin, lines) KIT_REQUEST("/echo", "Origin: " origin "\r\n" lines)
#define XFF(list) "X-Forwarded-For: " list "\r\n"
#define HTTPS "X-Forwarded-Proto: https\r\n"
#define APP "X-Forwarded-Host: app.example\r\n"
#define SAME "origins = same"
static const struct told_row told_rows[] = {
    {"same, over the proxy's TLS", HEADER(V2_TLS), CONFIG_FORWARDED_OFF, SAME,
     FROM("https://h.example", ""), "198.51.100.7:4711", 101, LIFE_NOT_ENDED},
    {"a page of http, over the proxy's TLS", HEADER(V2_TLS), CONFIG_FORWARDED_OFF, SAME,
     FROM("http://h.example", ""), "198.51.100.7:4711", 403, LIFE_ORIGIN},
    {"same, without TLS, is not believed", HEADER(V2), CONFIG_FORWARDED_OFF, SAME,
     FROM("http://h.example", ""), "198.51.100.7:4711", 403, LIFE_ORIGIN},

    {"nobody reads the header", NO_HEADER, CONFIG_FORWARDED_OFF, "allow = 192.0.2.1",
     KIT_REQUEST("/echo", XFF("198.51.100.7")), "192.0.2.1:1234", 101, LIFE_NOT_ENDED},
    {"X-Forwarded-For", NO_HEADER, CONFIG_FORWARDED_X, ALLOW,
     KIT_REQUEST("/echo", XFF("198.51.100.7")), "198.51.100.7:0", 101, LIFE_NOT_ENDED},
    {"a lie to its left", NO_HEADER, CONFIG_FORWARDED_X, ALLOW,
     KIT_REQUEST("/echo", XFF("198.51.100.7, 203.0.113.9")), "203.0.113.9:0", 403, LIFE_SOURCE},
    {"a lie that looks like a proxy", NO_HEADER, CONFIG_FORWARDED_X, ALLOW,
     KIT_REQUEST("/echo", XFF("198.51.100.7, 192.0.2.9\r\nX-Forwarded-For: 203.0.113.9")),
     "203.0.113.9:0", 403, LIFE_SOURCE},
    {"the other header says nothing", NO_HEADER, CONFIG_FORWARDED_X, ALLOW,
     KIT_REQUEST("/echo", "Forwarded: for=198.51.100.7\r\n"), "192.0.2.1:1234", 403, LIFE_SOURCE},
    {"Forwarded", NO_HEADER, CONFIG_FORWARDED_RFC7239, ALLOW,
     KIT_REQUEST("/echo", "Forwarded: for=\"198.51.100.7:99\"\r\n"), "198.51.100.7:99", 101,
     LIFE_NOT_ENDED},
    {"malformed", NO_HEADER, CONFIG_FORWARDED_X, "", KIT_REQUEST("/echo", XFF("198.51.100.")),
     "192.0.2.1:1234", 400, LIFE_BAD_REQUEST},
    {"hidden, and nobody cares", NO_HEADER, CONFIG_FORWARDED_X, "",
     KIT_REQUEST("/echo", XFF("unknown")), "-", 101, LIFE_NOT_ENDED},
    {"hidden is not allowed", NO_HEADER, CONFIG_FORWARDED_X, "allow = 192.0.2.1",
     KIT_REQUEST("/echo", XFF("unknown")), "-", 403, LIFE_SOURCE},
    {"hidden may be denied", NO_HEADER, CONFIG_FORWARDED_RFC7239, "deny = 10.0.0.0/8",
     KIT_REQUEST("/echo", "Forwarded: for=_x\r\n"), "-", 403, LIFE_SOURCE},
    {"same with the forwarded host", NO_HEADER, CONFIG_FORWARDED_X, SAME,
     FROM("https://app.example", XFF("198.51.100.7") APP HTTPS), "198.51.100.7:0", 101,
     LIFE_NOT_ENDED},
    {"same with the hop's host no more", NO_HEADER, CONFIG_FORWARDED_X, SAME,
     FROM("https://h.example", XFF("198.51.100.7") APP HTTPS), "198.51.100.7:0", 403, LIFE_ORIGIN},
    {"same with the forwarded port", NO_HEADER, CONFIG_FORWARDED_RFC7239, SAME,
     FROM("https://app.example:8443",
          "Forwarded: for=198.51.100.7;host=\"app.example:8443\";proto=https\r\n"),
     "198.51.100.7:0", 101, LIFE_NOT_ENDED},
    {"the forwarded port is another", NO_HEADER, CONFIG_FORWARDED_RFC7239, SAME,
     FROM("https://app.example", "Forwarded: for=198.51.100.7;host=\"app.example:8443\"\r\n"),
     "198.51.100.7:0", 403, LIFE_ORIGIN},
    {"the client came over http", NO_HEADER, CONFIG_FORWARDED_X, SAME,
     FROM("http://app.example", XFF("198.51.100.7") APP "X-Forwarded-Proto: http\r\n"),
     "198.51.100.7:0", 403, LIFE_ORIGIN},
    {"a host without a client", NO_HEADER, CONFIG_FORWARDED_X, SAME,
     FROM("https://app.example", APP HTTPS), "192.0.2.1:1234", 403, LIFE_ORIGIN},

    {"behind two kinds of proxies", HEADER("PROXY TCP4 192.0.2.77 1.1.1.1 1 2\r\n"),
     CONFIG_FORWARDED_X, ALLOW, KIT_REQUEST("/echo", XFF("198.51.100.7")), "198.51.100.7:0", 101,
     LIFE_NOT_ENDED},
    {"a client behind a balancer speaks for nobody", HEADER(V1), CONFIG_FORWARDED_X, ALLOW,
     KIT_REQUEST("/echo", XFF("203.0.113.9")), "198.51.100.7:4711", 101, LIFE_NOT_ENDED},
    {"nor does an unknown one", HEADER("PROXY UNKNOWN\r\n"), CONFIG_FORWARDED_X, ALLOW,
     KIT_REQUEST("/echo", XFF("198.51.100.7")), "-", 403, LIFE_SOURCE},
};

static void test_told(void)
{
    for (size_t i = 0; i < COUNT(told_rows); i++) {
        const struct told_row *row = &told_rows[i];
        struct kit k;
        char defaults[256];
        snprintf(defaults, sizeof(defaults), "on_refuse = http\n%s", row->route);
        open_behind(&k, "192.0.2.0/24", defaults);
        k.config->listens[0].has_proxy_header = row->header != NULL;
        k.config->listens[0].forwarded = row->forwarded;
        memory_push(&k.client, row->header != NULL ? row->header : "", row->header_len);
        kit_client_says(&k, row->request);
        CHECK_TRUE(row->name, kit_start(&k));
        CHECK_EQ_U64(row->name, kit_take_answer(&k), row->status);
        CHECK_EQ_STR(row->name, client_text(&k), row->client);
        if (row->ending == LIFE_NOT_ENDED) {
            kit_client_closes(&k);
        }
        leave(&k);
        kit_close(row->name, &k, row->ending == LIFE_NOT_ENDED ? LIFE_CLIENT_CLOSE : row->ending);
    }
}

/* --- what a backend hears first --------------------------------------------------------------- */

static struct proxy_header_parser heard;

/* Waits for the header and the "hi" behind it, and parses it. */
static bool is_heard(const struct kit *k)
{
    (void)k;
    return kit_backend_heard.len >= 2 &&
           memcmp(kit_backend_heard.data + kit_backend_heard.len - 2, "hi", 2) == 0;
}

static const struct proxy_header *hear(const char *row, struct kit *k)
{
    size_t used = 0;
    kit_client_frame(k, 0x82, "hi", 2);
    CHECK_TRUE(row, kit_until(k, is_heard));
    proxy_header_init(&heard);
    CHECK_EQ_INT(row,
                 proxy_header_parse(&heard, kit_backend_heard.data, kit_backend_heard.len, &used),
                 PROXY_HEADER_DONE);
    CHECK_EQ_U64(row, used + 2, kit_backend_heard.len);
    return &heard.header;
}

static void check_text(const char *row, struct span got, const char *want)
{
    CHECK_EQ_MEM(row, got.data, got.len, want, strlen(want));
}

static const char *print(const struct addr *a)
{
    static char text[ADDR_TEXT_MAX];
    return addr_print(a, text, sizeof(text));
}

struct out_row {
    const char *name;
    const char *route;
    const char *header; /* in; NULL: none is expected */
    size_t header_len;
    const char *lines; /* of the request */
    enum proxy_header_version version;
    enum proxy_header_kind kind;
    const char *source;
    const char *destination;
    const char *authority;
    const char *tls; /* version; NULL: the client did not use TLS */
};

#define V2_FULL \
    SIGNATURE "\x21\x11\0\x34\xc6\x33\x64\x07\xcb\0\x71\x01\x12\x67\x01\xbb" \
              "\x02\0\x09" \
              "a.example" \
              "\x20\0\x19\x01\0\0\0\x01\x21\0\x07" \
              "TLSv1.3" \
              "\x23\0\x07" \
              "A-SUITE"
static const struct out_row out_rows[] = {
    {"v1", "v1", NO_HEADER, "", PROXY_HEADER_V1, PROXY_HEADER_TCP, "192.0.2.1:1234",
     "203.0.113.5:8443", "", NULL},
    {"v2", "v2", NO_HEADER, "", PROXY_HEADER_V2, PROXY_HEADER_TCP, "192.0.2.1:1234",
     "203.0.113.5:8443", "h.example", NULL},
    {"what came in", "v1", HEADER(V1), "", PROXY_HEADER_V1, PROXY_HEADER_TCP, "198.51.100.7:4711",
     "203.0.113.1:443", "", NULL},
    {"what came in, TLS too", "v2", HEADER(V2_FULL), "", PROXY_HEADER_V2, PROXY_HEADER_TCP,
     "198.51.100.7:4711", "203.0.113.1:443", "a.example", "TLSv1.3"},
    {"LOCAL", "v2", HEADER(V2_LOCAL), "", PROXY_HEADER_V2, PROXY_HEADER_TCP, "192.0.2.1:1234",
     "203.0.113.5:8443", "h.example", NULL},
    {"UNKNOWN", "v1", HEADER("PROXY UNKNOWN\r\n"), "", PROXY_HEADER_V1, PROXY_HEADER_UNKNOWN, "-",
     "-", "", NULL},
    {"UNKNOWN to v2", "v2", HEADER("PROXY UNKNOWN\r\n"), "", PROXY_HEADER_V2, PROXY_HEADER_LOCAL,
     "-", "-", "", NULL},
    {"X-Forwarded-For", "v2", NO_HEADER, XFF("198.51.100.7") APP HTTPS, PROXY_HEADER_V2,
     PROXY_HEADER_TCP, "198.51.100.7:0", "203.0.113.5:8443", "app.example", ""},
    {"two families", "v2", NO_HEADER, XFF("2001:db8::7"), PROXY_HEADER_V2, PROXY_HEADER_TCP,
     "[2001:db8::7]:0", "203.0.113.5:8443", "h.example", NULL},
    {"two families in v1", "v1", NO_HEADER, XFF("2001:db8::7"), PROXY_HEADER_V1, PROXY_HEADER_TCP,
     "[2001:db8::7]:0", "203.0.113.5:8443", "", NULL},
};

static void end_out(const char *row, struct kit *k)
{
    proxy_header_done(&heard);
    kit_client_closes(k);
    CHECK_TRUE(row, kit_until(k, kit_is_backend_ended));
    shutdown(k->backend, SHUT_RDWR);
    leave(k);
    kit_close(row, k, LIFE_CLIENT_CLOSE);
}

static void check_out(const struct out_row *row)
{
    struct kit k;
    char text[512];
    snprintf(text, sizeof(text), "proxy_protocol_out = %s", row->route);
    open_behind(&k, "192.0.2.0/24", text);
    k.config->listens[0].has_proxy_header = row->header != NULL;
    k.config->listens[0].forwarded = CONFIG_FORWARDED_X;
    CHECK_TRUE(row->name, addr_parse(SPAN_LIT("203.0.113.5:8443"), &k.client.local));
    memory_push(&k.client, row->header != NULL ? row->header : "", row->header_len);
    snprintf(text, sizeof(text), KIT_REQUEST("/tcp", "%s"), row->lines);
    if (!kit_connect(row->name, &k, text)) {
        return;
    }
    snprintf(text, sizeof(text), "0-%llu", (unsigned long long)session_of(&k)->id);
    const struct proxy_header *got = hear(row->name, &k);
    bool has_tlvs = got->version == PROXY_HEADER_V2 && got->kind == PROXY_HEADER_TCP;
    CHECK_EQ_INT(row->name, got->version, row->version);
    CHECK_EQ_INT(row->name, got->kind, row->kind);
    CHECK_EQ_STR(row->name, print(&got->source), row->source);
    CHECK_EQ_STR(row->name, print(&got->destination), row->destination);
    check_text(row->name, got->authority, row->authority);
    check_text(row->name, got->unique_id, has_tlvs ? text : "");
    CHECK_EQ_INT(row->name, got->tls.is_used, row->tls != NULL);
    check_text(row->name, got->tls.version, row->tls != NULL ? row->tls : "");
    end_out(row->name, &k);
}

static void test_out(void)
{
    for (size_t i = 0; i < COUNT(out_rows); i++) {
        check_out(&out_rows[i]);
    }
}

/* What came in fills a header, and our own words do not fit beside it: the address still does. */
static void test_out_full(void)
{
    static uint8_t in[PROXY_HEADER_BYTES_MAX];
    static char cipher[PROXY_HEADER_BYTES_MAX - 16 - 12 - 3 - 5 - 3];
    struct kit k;
    memset(cipher, 'x', sizeof(cipher));
    struct proxy_header header = {.version = PROXY_HEADER_V2, .kind = PROXY_HEADER_TCP};
    CHECK_TRUE("source", addr_parse(SPAN_LIT("198.51.100.7:4711"), &header.source));
    CHECK_TRUE("destination", addr_parse(SPAN_LIT("203.0.113.1:443"), &header.destination));
    header.tls.is_used = true;
    header.tls.cipher = (struct span){cipher, sizeof(cipher)};
    size_t len = proxy_header_write(&header, in, sizeof(in));
    CHECK_EQ_U64("full", len, sizeof(in));
    open_for_header(&k, "192.0.2.1", "proxy_protocol_out = v2");
    memory_push(&k.client, in, len);
    if (!kit_connect("full", &k, KIT_TCP)) {
        return;
    }
    const struct proxy_header *got = hear("full", &k);
    CHECK_EQ_STR("full", print(&got->source), "198.51.100.7:4711");
    CHECK_TRUE("full", got->tls.is_used && got->tls.cipher.len == 0 && got->unique_id.len > 0);
    end_out("full", &k);
}

CU_TestInfo session_front_tests[] = {
    {"PROXY headers", test_headers},
    {"PROXY headers, cut everywhere", test_cuts},
    {"a peer that is no proxy", test_stranger},
    {"probes of balancers", test_probes},
    {"half a PROXY header", test_slow},
    {"a PROXY header that nobody expects", test_unexpected},
    {"what proxies tell of the client", test_told},
    {"what a backend hears first", test_out},
    {"what a backend hears of a full header", test_out_full},
    CU_TEST_INFO_NULL,
};
