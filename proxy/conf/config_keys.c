/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/config_keys.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conf/config.h"

#define WORD_MAX 48

#define SECOND_MS UINT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define CONFIG_KEY(section_, name_, ...) {.section = (section_), .name = (name_), __VA_ARGS__}
#define FIELD(type_, member_) \
    .offset = offsetof(struct type_, member_), .width = sizeof(((struct type_ *)0)->member_)
#define SERVER_FIELD(member_) FIELD(config, member_)
#define LISTEN_FIELD(member_) FIELD(config_listen, member_)
#define ROUTE_FIELD(member_) FIELD(config_route, member_)
#define DURATION(min_, max_) .type = CONFIG_TYPE_DURATION, .min = (min_), .max = (max_)
#define SIZE(min_, max_) .type = CONFIG_TYPE_SIZE, .min = (min_), .max = (max_)
#define COUNT(min_, max_) .type = CONFIG_TYPE_COUNT, .min = (min_), .max = (max_)
#define CHOICE(choices_) .type = CONFIG_TYPE_CHOICE, .choices = (choices_)

static const struct config_choice workers_words[] = {{"auto", 0}, {NULL, 0}};
static const struct config_choice level_words[] = {
    {"error", LOG_ERROR}, {"warn", LOG_WARN}, {"info", LOG_INFO}, {"debug", LOG_DEBUG}, {NULL, 0}};
static const struct config_choice format_words[] = {
    {"text", LOG_KEY_VALUE}, {"json", LOG_JSON}, {NULL, 0}};
static const struct config_choice tls_words[] = {
    {"1.2", CONFIG_TLS_1_2}, {"1.3", CONFIG_TLS_1_3}, {NULL, 0}};
static const struct config_choice refuse_words[] = {{"close", 0}, {"http", 1}, {NULL, 0}};
static const struct config_choice code_words[] = {{"1011", 1011}, {"1014", 1014}, {NULL, 0}};
static const struct config_choice accept_words[] = {
    {"any", WS_ACCEPT_ANY}, {"binary", WS_ACCEPT_BINARY}, {"text", WS_ACCEPT_TEXT}, {NULL, 0}};
static const struct config_choice payload_words[] = {
    {"binary", SHAPE_BINARY}, {"text", SHAPE_TEXT}, {NULL, 0}};
static const struct config_choice framing_words[] = {{"stream", FRAMING_STREAM},
                                                     {"line", FRAMING_LINE},
                                                     {"length16", FRAMING_LENGTH16},
                                                     {"length32", FRAMING_LENGTH32},
                                                     {NULL, 0}};
static const struct config_choice line_end_words[] = {
    {"lf", FRAMING_LF}, {"crlf", FRAMING_CRLF}, {NULL, 0}};
static const struct config_choice order_words[] = {
    {"big", FRAMING_BIG}, {"little", FRAMING_LITTLE}, {NULL, 0}};
static const struct config_choice yes_words[] = {{"yes", 1}, {"no", 0}, {NULL, 0}};
static const struct config_choice on_words[] = {{"on", 1}, {"off", 0}, {NULL, 0}};
static const struct config_choice half_close_words[] = {{"close", 0}, {"keep", 1}, {NULL, 0}};

static const struct config_key keys[] = {
    CONFIG_KEY("server", "workers", COUNT(1, 256), .choices = workers_words, .fallback = "auto",
               SERVER_FIELD(workers), .help = "worker processes; auto = one per core"),
    CONFIG_KEY("server", "user", .type = CONFIG_TYPE_TEXT,
               .help = "given up to after binding, when started as root"),
    CONFIG_KEY("server", "max_sessions", COUNT(1, 1000000), .fallback = "10000",
               SERVER_FIELD(max_sessions), .help = "sessions at once, all workers together"),
    CONFIG_KEY("server", "drain_timeout", DURATION(1, DAY_MS), .zero_word = "at once",
               .fallback = "30s", SERVER_FIELD(drain_ms),
               .help = "time over which sessions are ended when sluice stops"),
    CONFIG_KEY("server", "log_level", CHOICE(level_words), .fallback = "info",
               SERVER_FIELD(log_level), .help = "the least important lines still written"),
    CONFIG_KEY("server", "log_format", CHOICE(format_words), .fallback = "text",
               SERVER_FIELD(log_format), .help = "text = key=value"),
    CONFIG_KEY("server", "tls_timeout", DURATION(10, HOUR_MS), .fallback = "10s",
               SERVER_FIELD(defaults.tls_ms), .help = "from accept to the end of the handshake"),
    CONFIG_KEY("server", "request_timeout", DURATION(10, HOUR_MS), .fallback = "10s",
               SERVER_FIELD(defaults.request_ms), .help = "until the request head is complete"),

    CONFIG_KEY("listen", "address", .type = CONFIG_TYPE_TEXT, .is_required = true,
               .help = "numeric address and port"),
    CONFIG_KEY("listen", "tls_certificate", .type = CONFIG_TYPE_LIST,
               .help = "PEM files, leaf first; without them the listener speaks ws://"),
    CONFIG_KEY("listen", "tls_key", .type = CONFIG_TYPE_LIST,
               .help = "PEM files, in the order of tls_certificate"),
    CONFIG_KEY("listen", "tls_min_version", CHOICE(tls_words), .fallback = "1.2",
               LISTEN_FIELD(tls_min_version), .help = "the oldest TLS version spoken"),

    CONFIG_KEY("route", "path", .type = CONFIG_TYPE_TEXT, .is_required = true,
               .is_route_only = true, .help = "exact, or a prefix when it ends in /*"),
    CONFIG_KEY("route", "host", .type = CONFIG_TYPE_TEXT, .is_route_only = true,
               .help = "name in the Host header; *.example.com is one label more"),
    CONFIG_KEY("route", "origins", .type = CONFIG_TYPE_LIST, .fallback = "same",
               .help = "pages that may connect"),
    CONFIG_KEY("route", "subprotocols", .type = CONFIG_TYPE_LIST,
               .help = "in the server's order; without it the client's first offer is taken"),
    CONFIG_KEY("route", "backend", .type = CONFIG_TYPE_LIST, .is_required = true,
               .is_route_only = true, .help = "tcp://HOST:PORT, unix:/PATH or echo:"),
    CONFIG_KEY("route", "allow", .type = CONFIG_TYPE_LIST,
               .help = "client networks; without it all"),
    CONFIG_KEY("route", "deny", .type = CONFIG_TYPE_LIST,
               .help = "client networks; wins over allow"),
    CONFIG_KEY("route", "on_refuse", CHOICE(refuse_words), .fallback = "close",
               ROUTE_FIELD(is_http_refusal),
               .help = "how a refusal is told: 101 and a Close code, or an HTTP status"),
    CONFIG_KEY("route", "backend_code", CHOICE(code_words), .fallback = "1011",
               ROUTE_FIELD(backend_code), .help = "Close code when the backend fails"),
    CONFIG_KEY("route", "accept", CHOICE(accept_words), .fallback = "any", ROUTE_FIELD(accept),
               .help = "messages the browser may send"),
    CONFIG_KEY("route", "max_message", SIZE(1, 1024 * GIB), .zero_word = "no limit",
               .fallback = "0", ROUTE_FIELD(max_message_bytes),
               .help = "longest message the browser may send"),
    CONFIG_KEY("route", "max_frame_out", SIZE(SHAPE_FRAME_MIN_BYTES, 1 * GIB),
               .zero_word = "no limit", .fallback = "0", ROUTE_FIELD(max_frame_bytes),
               .help = "longest payload of a frame that the page is sent"),
    CONFIG_KEY("route", "payload", CHOICE(payload_words), .fallback = "binary",
               ROUTE_FIELD(payload), .help = "messages that the page is sent"),
    CONFIG_KEY("route", "framing", CHOICE(framing_words), .fallback = "stream",
               ROUTE_FIELD(framing.kind), .help = "what a message is to the backend"),
    CONFIG_KEY("route", "framing_max", SIZE(1, 16 * MIB), .fallback = "64k",
               ROUTE_FIELD(framing.max_bytes), .help = "longest line or record, either way"),
    CONFIG_KEY("route", "line_end", CHOICE(line_end_words), .fallback = "lf",
               ROUTE_FIELD(framing.line_end), .help = "what ends a line"),
    CONFIG_KEY("route", "line_multi", CHOICE(yes_words), .fallback = "no",
               ROUTE_FIELD(framing.is_line_multi),
               .help = "whether a message may hold several lines"),
    CONFIG_KEY("route", "length_order", CHOICE(order_words), .fallback = "big",
               ROUTE_FIELD(framing.length_order), .help = "which byte of a length comes first"),
    CONFIG_KEY("route", "compression", CHOICE(on_words), .fallback = "off", ROUTE_FIELD(is_deflate),
               .help = "permessage-deflate, where the client offers it"),
    CONFIG_KEY("route", "compression_window", COUNT(9, 15), .fallback = "12",
               ROUTE_FIELD(deflate.window_bits),
               .help = "bits of the largest window: 12 is 4 KiB, 15 is 32 KiB"),
    CONFIG_KEY("route", "compression_takeover", CHOICE(yes_words), .fallback = "yes",
               ROUTE_FIELD(deflate.is_takeover),
               .help = "whether a message may refer to those before it"),
    CONFIG_KEY("route", "compression_ratio", COUNT(2, 1000), .zero_word = "no limit",
               .fallback = "100", ROUTE_FIELD(deflate.max_ratio),
               .help = "bytes a compressed one may become, in messages beyond 16 MiB"),
    CONFIG_KEY("route", "compression_idle", DURATION(10, DAY_MS), .fallback = "10s",
               ROUTE_FIELD(deflate_idle_ms),
               .help = "quiet time after which the memory for it is given back"),
    CONFIG_KEY("route", "half_close", CHOICE(half_close_words), .fallback = "close",
               ROUTE_FIELD(is_half_open),
               .help = "whether the page may go on sending after the backend's FIN"),
    CONFIG_KEY("route", "buffer_high", SIZE(4 * KIB, 16 * MIB), .fallback = "64k",
               ROUTE_FIELD(buffer_high_bytes),
               .help = "bytes waiting for one side at which reading from the other stops"),
    CONFIG_KEY("route", "buffer_low", SIZE(1 * KIB, 16 * MIB), .fallback = "16k",
               ROUTE_FIELD(buffer_low_bytes), .help = "where it starts again"),
    CONFIG_KEY("route", "connect_timeout", DURATION(10, HOUR_MS), .fallback = "5s",
               ROUTE_FIELD(timeouts.connect_ms), .help = "over all of the backend's addresses"),
    CONFIG_KEY("route", "idle_timeout", DURATION(10, 30 * DAY_MS), .zero_word = "off",
               .fallback = "10m", ROUTE_FIELD(timeouts.idle_ms),
               .help = "without a payload byte either way"),
    CONFIG_KEY("route", "ping_interval", DURATION(10, DAY_MS), .zero_word = "off",
               .fallback = "30s", ROUTE_FIELD(timeouts.ping_interval_ms),
               .help = "silence of the client after which it is sent a Ping"),
    CONFIG_KEY("route", "pong_timeout", DURATION(10, HOUR_MS), .fallback = "10s",
               ROUTE_FIELD(timeouts.pong_ms), .help = "for the answer to a Ping"),
    CONFIG_KEY("route", "write_timeout", DURATION(10, HOUR_MS), .fallback = "30s",
               ROUTE_FIELD(timeouts.write_ms), .help = "for a side that takes nothing"),
    CONFIG_KEY("route", "close_timeout", DURATION(10, HOUR_MS), .fallback = "5s",
               ROUTE_FIELD(timeouts.close_ms), .help = "for the client's answer to our Close"),
    CONFIG_KEY("route", "max_age", DURATION(10, 365 * DAY_MS), .zero_word = "off", .fallback = "0",
               ROUTE_FIELD(timeouts.max_age_ms), .help = "longest life of a session"),
};

static const size_t key_count = sizeof(keys) / sizeof(keys[0]);

size_t config_key_count(void)
{
    return key_count;
}

const struct config_key *config_key_at(size_t index)
{
    assert(index < key_count);
    return &keys[index];
}

size_t config_key_index(const struct config_key *key)
{
    return (size_t)(key - keys);
}

bool config_key_is_at_home(const struct config_key *key, enum config_section_kind kind)
{
    switch (kind) {
    case CONFIG_SERVER:
        return strcmp(key->section, "server") == 0;
    case CONFIG_LISTEN:
        return strcmp(key->section, "listen") == 0;
    case CONFIG_DEFAULTS:
        return strcmp(key->section, "route") == 0 && !key->is_route_only;
    case CONFIG_ROUTE:
        return strcmp(key->section, "route") == 0;
    }
    return false;
}

const struct config_key *config_key_find(enum config_section_kind kind, struct span name)
{
    for (size_t i = 0; i < key_count; i++) {
        if (config_key_is_at_home(&keys[i], kind) &&
            span_is_equal(span_from_str(keys[i].name), name)) {
            return &keys[i];
        }
    }
    return NULL;
}

const struct config_key *config_key_find_anywhere(struct span name)
{
    for (size_t i = 0; i < key_count; i++) {
        if (span_is_equal(span_from_str(keys[i].name), name)) {
            return &keys[i];
        }
    }
    return NULL;
}

static size_t min_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t config_word_distance(struct span a, struct span b)
{
    size_t rows[3][WORD_MAX + 1]; /* the row before last, the last, this one */

    if (a.len > WORD_MAX || b.len > WORD_MAX) {
        return SIZE_MAX;
    }
    memset(rows, 0, sizeof(rows));
    for (size_t j = 0; j <= b.len; j++) {
        rows[1][j] = j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        rows[2][0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            bool is_same = a.data[i - 1] == b.data[j - 1];
            size_t best = min_of(rows[1][j], rows[2][j - 1]) + 1;

            best = min_of(best, rows[1][j - 1] + (is_same ? 0 : 1));
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] &&
                a.data[i - 2] == b.data[j - 1]) {
                best = min_of(best, rows[0][j - 2] + 1);
            }
            rows[2][j] = best;
        }
        memcpy(rows[0], rows[1], sizeof(rows[0]));
        memcpy(rows[1], rows[2], sizeof(rows[1]));
    }
    return rows[1][b.len];
}

bool config_word_is_near(struct span word, struct span known, size_t distance)
{
    size_t longest = word.len > known.len ? word.len : known.len;

    return distance <= min_of(1 + longest / 5, 3);
}

const struct config_key *config_key_nearest(enum config_section_kind kind, struct span name)
{
    const struct config_key *best = NULL;
    size_t best_distance = SIZE_MAX;

    for (size_t i = 0; i < key_count; i++) {
        struct span known = span_from_str(keys[i].name);
        size_t distance;

        if (!config_key_is_at_home(&keys[i], kind)) {
            continue;
        }
        distance = config_word_distance(name, known);
        if (distance < best_distance && config_word_is_near(name, known, distance)) {
            best = &keys[i];
            best_distance = distance;
        }
    }
    return best;
}

bool config_key_is_number(const struct config_key *key)
{
    return key->width != 0;
}

static bool parse_choice(const struct config_key *key, struct span text, uint64_t *out)
{
    for (const struct config_choice *c = key->choices; c != NULL && c->word != NULL; c++) {
        if (span_is_equal(span_from_str(c->word), text)) {
            *out = c->value;
            return true;
        }
    }
    return false;
}

static bool parse_digits(const struct config_key *key, struct span text, uint64_t *out)
{
    switch (key->type) {
    case CONFIG_TYPE_COUNT:
        return span_parse_u64(text, out);
    case CONFIG_TYPE_SIZE:
        return span_parse_size(text, out);
    case CONFIG_TYPE_DURATION:
        return span_parse_duration(text, out);
    case CONFIG_TYPE_CHOICE:
    case CONFIG_TYPE_TEXT:
    case CONFIG_TYPE_LIST:
        return false;
    }
    return false;
}

bool config_key_parse(const struct config_key *key, struct span text, uint64_t *out)
{
    uint64_t value;

    if (parse_choice(key, text, out)) {
        return true;
    }
    if (!parse_digits(key, text, &value)) {
        return false;
    }
    if ((value < key->min || value > key->max) && !(value == 0 && key->zero_word != NULL)) {
        return false;
    }
    *out = value;
    return true;
}

struct unit {
    const char *name;
    uint64_t step; /* how many make one of the next unit; 0 ends the list */
};

static const struct unit size_units[] = {{"", 1024}, {"k", 1024}, {"m", 1024}, {"g", 0}};
static const struct unit duration_units[] = {
    {"ms", 1000}, {"s", 60}, {"m", 60}, {"h", 24}, {"d", 0}};

/* The largest unit that loses nothing, so that what is printed reads back as the same number. */
static void format_units(uint64_t value, const struct unit *unit, char *out, size_t size)
{
    while (value != 0 && unit->step != 0 && value % unit->step == 0) {
        value /= unit->step;
        unit++;
    }
    snprintf(out, size, "%" PRIu64 "%s", value, value == 0 ? "" : unit->name);
}

const char *config_key_format(const struct config_key *key, uint64_t value, char *out, size_t size)
{
    assert(size > 0);
    for (const struct config_choice *c = key->choices; c != NULL && c->word != NULL; c++) {
        if (c->value == value) {
            snprintf(out, size, "%s", c->word);
            return out;
        }
    }
    switch (key->type) {
    case CONFIG_TYPE_SIZE:
        format_units(value, size_units, out, size);
        break;
    case CONFIG_TYPE_DURATION:
        format_units(value, duration_units, out, size);
        break;
    case CONFIG_TYPE_COUNT:
    case CONFIG_TYPE_CHOICE:
    case CONFIG_TYPE_TEXT:
    case CONFIG_TYPE_LIST:
        snprintf(out, size, "%" PRIu64, value);
        break;
    }
    return out;
}

static const char *type_noun(enum config_type type)
{
    switch (type) {
    case CONFIG_TYPE_COUNT:
        return "a whole number";
    case CONFIG_TYPE_SIZE:
        return "a size such as 4096, 64k or 1m";
    case CONFIG_TYPE_DURATION:
        return "a duration such as 500ms, 5s, 10m or 2h";
    case CONFIG_TYPE_CHOICE:
    case CONFIG_TYPE_TEXT:
    case CONFIG_TYPE_LIST:
        break;
    }
    return "one of";
}

const char *config_key_describe(const struct config_key *key, char *out, size_t size)
{
    const char *noun = type_noun(key->type);
    char zero[32] = "";
    char low[CONFIG_VALUE_TEXT];
    char high[CONFIG_VALUE_TEXT];
    size_t used;

    if (key->type != CONFIG_TYPE_CHOICE) {
        if (key->zero_word != NULL) {
            snprintf(zero, sizeof(zero), "0 (%s) or ", key->zero_word);
        } else if (key->choices != NULL) {
            snprintf(zero, sizeof(zero), "%s or ", key->choices[0].word);
        }
        config_key_format(key, key->min, low, sizeof(low));
        config_key_format(key, key->max, high, sizeof(high));
        snprintf(out, size, "%s: %s%s to %s", noun, zero, low, high);
        return out;
    }
    used = (size_t)snprintf(out, size, "%s", noun);
    for (const struct config_choice *c = key->choices; c->word != NULL && used < size; c++) {
        const char *joint = c == key->choices ? " " : c[1].word == NULL ? " or " : ", ";

        used += (size_t)snprintf(out + used, size - used, "%s%s", joint, c->word);
    }
    return out;
}

void config_key_store(const struct config_key *key, void *base, uint64_t value)
{
    uint8_t *place = (uint8_t *)base + key->offset;
    uint8_t narrow8 = (uint8_t)value;
    uint16_t narrow16 = (uint16_t)value;
    uint32_t narrow32 = (uint32_t)value;

    switch (key->width) {
    case sizeof(narrow8):
        memcpy(place, &narrow8, sizeof(narrow8));
        break;
    case sizeof(narrow16):
        memcpy(place, &narrow16, sizeof(narrow16));
        break;
    case sizeof(narrow32):
        memcpy(place, &narrow32, sizeof(narrow32));
        break;
    default:
        assert(key->width == sizeof(value));
        memcpy(place, &value, sizeof(value));
        break;
    }
}

uint64_t config_key_load(const struct config_key *key, const void *base)
{
    const uint8_t *place = (const uint8_t *)base + key->offset;
    uint8_t narrow8;
    uint16_t narrow16;
    uint32_t narrow32;
    uint64_t value = 0;

    switch (key->width) {
    case sizeof(narrow8):
        memcpy(&narrow8, place, sizeof(narrow8));
        return narrow8;
    case sizeof(narrow16):
        memcpy(&narrow16, place, sizeof(narrow16));
        return narrow16;
    case sizeof(narrow32):
        memcpy(&narrow32, place, sizeof(narrow32));
        return narrow32;
    default:
        assert(key->width == sizeof(value));
        memcpy(&value, place, sizeof(value));
        return value;
    }
}
