/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/listing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "gate/listing_parts.h"
#include "proto/life.h"

#define LIMIT_DEFAULT 1000
#define LIMIT_MAX 10000
#define KEY_DIGITS 16 /* of an identity_key */
#define ROW_MAX LISTING_ROW_MAX
#define LOOKS_PER_PART 2000 /* then other sessions have their turn */
_Static_assert(2 * ROW_MAX <= ANSWER_PART_BYTES, "each row fits an empty part");

/* --- the query ------------------------------------------------------------------------------- */

static const char *const filter_names[LISTING_FILTERS] = {
    [LISTING_ROUTE] = "route",   [LISTING_LISTEN] = "listen", [LISTING_PHASE] = "phase",
    [LISTING_CLIENT] = "client", [LISTING_ID] = "id",         [LISTING_PAUSED] = "paused",
};

static int hex_value(char c)
{
    const char *digits = "0123456789abcdef";
    char lower = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
    const char *found = lower != '\0' ? strchr(digits, lower) : NULL;
    return found != NULL ? (int)(found - digits) : -1;
}

/* A value of a query, as browsers and curl write it. */
static bool decode(struct span text, char *out, size_t size)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i] == '+' ? ' ' : text.data[i];
        if (c == '%') {
            int high = text.len - i > 2 ? hex_value(text.data[i + 1]) : -1;
            int low = text.len - i > 2 ? hex_value(text.data[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return false;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0' || len == size - 1) {
            return false;
        }
        out[len++] = c;
    }
    out[len] = '\0';
    return true;
}

static bool take_number(struct span text, uint64_t least, uint64_t most, uint32_t *out)
{
    uint64_t number = 0;
    if (!span_parse_u64(text, &number) || number < least || number > most) {
        return false;
    }
    *out = (uint32_t)number;
    return true;
}

static bool is_phase(const char *word)
{
    for (enum life_phase phase = 0; phase < LIFE_DEAD; phase++) {
        if (strcmp(word, life_phase_name(phase)) == 0) {
            return true;
        }
    }
    return false;
}

static bool take_filter(struct listing *listing, struct span name, struct span value)
{
    for (size_t i = 0; i < LISTING_FILTERS; i++) {
        if (!span_is_equal(name, span_from_str(filter_names[i]))) {
            continue;
        }
        char *wanted = listing->wanted[i];
        return decode(value, wanted, LISTING_TEXT_MAX) &&
               (i != LISTING_PHASE || is_phase(wanted)) &&
               (i != LISTING_PAUSED || strcmp(wanted, "yes") == 0);
    }
    return false;
}

/* "name=value"; false: it has no '='. */
static bool split(struct span part, struct span *out_name, struct span *out_value)
{
    size_t name_len = span_find(part, '=');
    if (name_len == part.len) {
        return false;
    }
    *out_name = (struct span){part.data, name_len};
    *out_value = (struct span){part.data + name_len + 1, part.len - name_len - 1};
    return true;
}

static bool take_part(struct listing *listing, struct span name, struct span value)
{
    if (span_is_equal(name, SPAN_LIT("limit"))) {
        return take_number(value, 1, LIMIT_MAX, &listing->left);
    }
    if (span_is_equal(name, SPAN_LIT("after"))) {
        return take_number(value, 0, roster_size(listing->roster), &listing->after);
    }
    return take_filter(listing, name, value);
}

/* What a query says of an owner. */
struct owner_parts {
    struct span sub; /* data NULL: not there */
    struct span auth;
    struct span key;
};

/* NULL: the name is another one. */
static struct span *owner_part(struct owner_parts *parts, struct span name)
{
    return span_is_equal(name, SPAN_LIT("sub"))            ? &parts->sub
           : span_is_equal(name, SPAN_LIT("auth"))         ? &parts->auth
           : span_is_equal(name, SPAN_LIT("identity_key")) ? &parts->key
                                                           : NULL;
}

static bool parse_key(struct span text, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = hex_value(text.data[i]);
        if (value < 0) {
            return false;
        }
        *out = *out << 4 | (uint64_t)value;
    }
    return text.len == KEY_DIGITS && *out != 0;
}

static bool take_owner(const struct owner_parts *parts, struct roster *roster,
                       struct listing_owner *out)
{
    char auth[LISTING_TEXT_MAX];

    out->who = (struct roster_who){.subject = 0};
    out->subject[0] = '\0';
    if (parts->key.data != NULL) {
        return parts->sub.data == NULL && parts->auth.data == NULL &&
               parse_key(parts->key, &out->who.login);
    }
    if (parts->sub.data == NULL || !decode(parts->sub, out->subject, sizeof(out->subject)) ||
        out->subject[0] == '\0' || !utf8_is_valid(span_from_str(out->subject))) {
        return false;
    }
    if (parts->auth.data == NULL) {
        out->who = roster_who(roster, SPAN_LIT(""), span_from_str(out->subject));
        out->who.login = 0;
        return true;
    }
    if (!decode(parts->auth, auth, sizeof(auth)) || auth[0] == '\0') {
        return false;
    }
    out->who = roster_who(roster, span_from_str(auth), span_from_str(out->subject));
    return true;
}

bool listing_parse_owner(struct listing_owner *out, struct roster *roster, struct span query,
                         const char **out_detail)
{
    struct owner_parts parts = {.sub = {NULL, 0}};
    struct span part;
    struct span name;
    struct span value;

    *out_detail = "DELETE /sessions wants sub=NAME, with auth=SECTION or without, or identity_key= "
                  "of a row; each once, in UTF-8, and nothing else\n";
    while (span_next(&query, '&', &part)) {
        struct span *known = split(part, &name, &value) ? owner_part(&parts, name) : NULL;
        if (known == NULL || known->data != NULL) {
            return false;
        }
        *known = value;
    }
    return take_owner(&parts, roster, out);
}

/* Whose sessions are asked for, if the query says so. */
static bool take_filter_owner(const struct owner_parts *parts, struct listing *listing)
{
    struct listing_owner owner;
    if (parts->sub.data == NULL && parts->auth.data == NULL && parts->key.data == NULL) {
        return true;
    }
    if (!take_owner(parts, listing->roster, &owner)) {
        return false;
    }
    listing->who = owner.who;
    return true;
}

bool listing_init(struct listing *out, struct roster *roster, struct span query,
                  const char **out_detail)
{
    struct owner_parts parts = {.sub = {NULL, 0}};
    struct span part;
    struct span name;
    struct span value;

    *out = (struct listing){.roster = roster, .left = LIMIT_DEFAULT};
    *out_detail = "ask with route=, listen=, phase=, client=, id=, paused=yes, sub= and auth=, "
                  "identity_key=, limit= (1 to 10000) and after= (`next` of the page before)\n";
    while (span_next(&query, '&', &part)) {
        if (part.len == 0) {
            continue;
        }
        if (!split(part, &name, &value)) {
            return false;
        }
        struct span *known = owner_part(&parts, name);
        if (known != NULL ? known->data != NULL : !take_part(out, name, value)) {
            return false;
        }
        if (known != NULL) {
            *known = value;
        }
    }
    return take_filter_owner(&parts, out);
}

bool listing_parse_id(struct span text, size_t *out_slot, uint64_t *out_number)
{
    size_t slot_len = span_find(text, '-');
    uint64_t slot = 0;
    if (slot_len == text.len || !span_parse_u64((struct span){text.data, slot_len}, &slot) ||
        slot >= ROSTER_SLOTS_MAX) {
        return false;
    }
    *out_slot = (size_t)slot;
    return span_parse_u64((struct span){text.data + slot_len + 1, text.len - slot_len - 1},
                          out_number);
}

/* --- one row --------------------------------------------------------------------------------- */

/* What a row says as text. */
struct words {
    char id[48];
    char client[ADDR_TEXT_MAX]; /* "": nobody knows */
    char proxy[ADDR_TEXT_MAX];  /* "": none */
    char key[KEY_DIGITS + 1];   /* "": nobody is known */
    const char *phase;
};

static void write_address(const struct sockaddr_in6 *kept, char out[ADDR_TEXT_MAX])
{
    struct addr a;
    addr_from_sockaddr((const struct sockaddr *)kept, sizeof(*kept), &a);
    out[0] = '\0';
    if (a.len > 0) {
        (void)addr_print(&a, out, ADDR_TEXT_MAX);
    }
}

static void write_words(const struct roster_entry *entry, struct words *out)
{
    write_address(&entry->party.client, out->client);
    write_address(&entry->party.proxy, out->proxy);
    out->key[0] = '\0';
    if (entry->party.who.login != 0) {
        snprintf(out->key, sizeof(out->key), "%016" PRIx64, entry->party.who.login);
    }
    snprintf(out->id, sizeof(out->id), "%" PRIu32 "-%" PRIu64, entry->party.slot,
             entry->party.number);
    out->phase = life_phase_name((enum life_phase)entry->live.phase);
}

/* The address, without the port or with it. */
static bool is_client(const char *client, const char *wanted)
{
    size_t len = strlen(wanted);
    const char *port = strrchr(client, ':');
    struct span host = {client, port != NULL ? (size_t)(port - client) : strlen(client)};
    if (host.len > 1 && host.data[0] == '[') {
        host = (struct span){host.data + 1, host.len - 2};
    }
    return strcmp(client, wanted) == 0 || span_is_equal(host, (struct span){wanted, len});
}

static bool is_wanted(const struct listing *listing, const struct roster_entry *entry,
                      const struct words *words)
{
    const char *texts[LISTING_FILTERS] = {
        [LISTING_ROUTE] = entry->party.route, [LISTING_LISTEN] = entry->party.listen,
        [LISTING_PHASE] = words->phase,       [LISTING_ID] = words->id,
        [LISTING_CLIENT] = words->client,     [LISTING_PAUSED] = "",
    };
    bool is_paused =
        entry->live.client_pause != ROSTER_READ || entry->live.backend_pause != ROSTER_READ;
    if (!roster_is_of(&entry->party.who, &listing->who)) {
        return false;
    }
    for (size_t i = 0; i < LISTING_FILTERS; i++) {
        const char *wanted = listing->wanted[i];
        bool is_met = i == LISTING_PAUSED   ? is_paused
                      : i == LISTING_CLIENT ? is_client(texts[i], wanted)
                                            : strcmp(texts[i], wanted) == 0;
        if (wanted[0] != '\0' && !is_met) {
            return false;
        }
    }
    return true;
}

static const char *pause_word(uint8_t pause)
{
    switch ((enum roster_pause)pause) {
    case ROSTER_READ:
        break;
    case ROSTER_BACKEND_SLOW:
        return "\"backend_slow\"";
    case ROSTER_CLIENT_SLOW:
        return "\"client_slow\"";
    case ROSTER_HELD:
        return "\"held\"";
    case ROSTER_RATE:
        return "\"rate\"";
    }
    return "null";
}

static uint64_t since(uint64_t then_ms)
{
    uint64_t now_ms = clock_now_ms();
    return now_ms > then_ms ? now_ms - then_ms : 0;
}

const char *listing_quote(const char *text, char *out, size_t size)
{
    if (text[0] == '\0') {
        return "null";
    }
    size_t len = log_escape(LOG_JSON, span_from_str(text), out + 1, size - 2);
    out[0] = '"';
    out[len + 1] = '"';
    out[len + 2] = '\0';
    return out;
}

static size_t write_row(const struct roster_entry *entry, const struct words *words, char *out)
{
    const struct roster_live *live = &entry->live;
    const struct roster_party *party = &entry->party;
    char route[6 * ROSTER_NAME_MAX + 2];
    char listen[6 * ROSTER_NAME_MAX + 2];
    char backend[6 * ROSTER_BACKEND_MAX + 2];
    char client[6 * ADDR_TEXT_MAX + 2];
    char identity[6 * ROSTER_IDENTITY_MAX + 2];
    char key[6 * sizeof(words->key) + 2];
    char proxy[6 * ADDR_TEXT_MAX + 2];
    char rtt[16] = "null";

    if (live->client_rtt_us != 0) {
        snprintf(rtt, sizeof(rtt), "%" PRIu32, live->client_rtt_us);
    }
    int len = snprintf(
        out, ROW_MAX,
        "{\"id\":\"%s\",\"worker\":%" PRIu32 ",\"generation\":%" PRIu32
        ",\"route\":%s,\"listen\":%s,\"client\":%s,"
        "\"identity\":%s,\"identity_key\":%s,\"backend\":%s,\"phase\":\"%s\",\"age_ms\":%" PRIu64
        ",\"idle_ms\":%" PRIu64 ",\"up_bytes\":%" PRIu64 ",\"down_bytes\":%" PRIu64
        ",\"up_messages\":%" PRIu64 ",\"down_messages\":%" PRIu64
        ",\"buffered_client_bytes\":%" PRIu32 ",\"buffered_backend_bytes\":%" PRIu32
        ",\"unsent_client_bytes\":%" PRIu32 ",\"unsent_backend_bytes\":%" PRIu32
        ",\"client_rtt_us\":%s,\"client_paused\":%s,\"backend_paused\":%s,\"proxy\":%s}",
        words->id, party->slot, party->generation,
        listing_quote(party->route, route, sizeof(route)),
        listing_quote(party->listen, listen, sizeof(listen)),
        listing_quote(words->client, client, sizeof(client)),
        listing_quote(party->identity, identity, sizeof(identity)),
        listing_quote(words->key, key, sizeof(key)),
        listing_quote(party->backend, backend, sizeof(backend)), words->phase,
        since(party->started_ms), since(live->payload_ms), live->up_bytes, live->down_bytes,
        live->up_messages, live->down_messages, live->queued_client_bytes,
        live->queued_backend_bytes, live->unsent_client_bytes, live->unsent_backend_bytes, rtt,
        pause_word(live->client_pause), pause_word(live->backend_pause),
        listing_quote(words->proxy, proxy, sizeof(proxy)));
    return len > 0 ? (size_t)len : 0;
}

/* --- the body -------------------------------------------------------------------------------- */

static size_t put(char *out, const char *text)
{
    size_t len = strlen(text);
    memcpy(out, text, len);
    return len;
}

/* Writes the rows that fit. Comes to LISTING_BACKENDS behind the last one of the page. */
static size_t write_rows(struct listing *listing, char *out, size_t size)
{
    size_t len = 0;
    for (size_t looks = 0; looks < LOOKS_PER_PART && size - len > 2 * ROW_MAX; looks++) {
        struct roster_entry entry;
        struct words words;
        uint32_t row = listing->left > 0 ? roster_next(listing->roster, listing->after, &entry) : 0;
        if (row == 0) {
            listing->stage = LISTING_BACKENDS;
            break;
        }
        write_words(&entry, &words);
        if (is_wanted(listing, &entry, &words)) {
            len += put(out + len, listing->has_rows ? ",\n" : "\n");
            len += write_row(&entry, &words, out + len);
            listing->has_rows = true;
            listing->left--;
        }
        listing->after = row;
    }
    return len;
}

static size_t write_end(struct listing *listing, char *out)
{
    struct roster_entry entry;
    char next[32] = "null";
    if (roster_next(listing->roster, listing->after, &entry) != 0) {
        snprintf(next, sizeof(next), "\"%" PRIu32 "\"", listing->after);
    }
    return (size_t)snprintf(out, ROW_MAX, "\n],\"next\":%s}\n", next);
}

static size_t produce(struct answer_body *body, uint8_t *part, size_t size)
{
    struct listing *listing = body->state;
    char *out = (char *)part;
    size_t len = 0;
    switch (listing->stage) {
    case LISTING_BEGINS:
        listing->stage = LISTING_GOES_ON;
        return put(out, "{\"sessions\":[");
    case LISTING_GOES_ON:
        len = write_rows(listing, out, size);
        if (listing->stage == LISTING_BACKENDS && listing->seats == NULL) {
            listing->stage = LISTING_ENDS;
            len += write_end(listing, out + len);
        } else if (listing->stage == LISTING_BACKENDS) {
            len += put(out + len, "\n],\"backends\":[");
        } else if (len == 0) {
            out[len++] = ' '; /* nothing yet, and there is more to look at */
        }
        return len;
    case LISTING_BACKENDS:
        len = listing_write_backends(listing, out, size);
        if (listing->backend == seats_backend_count(listing->seats)) {
            listing->stage = LISTING_ENDS;
            len += write_end(listing, out + len);
        }
        return len;
    case LISTING_ENDS:
        break;
    }
    return 0;
}

void listing_add_backends(struct listing *listing, const struct seats *seats,
                          struct upstream *const *upstream)
{
    listing->seats = seats;
    listing->upstream = upstream;
}

struct answer_body listing_body(struct listing *listing)
{
    return (struct answer_body){
        .produce = produce, .state = listing, .len_bytes = ANSWER_LEN_UNKNOWN};
}
