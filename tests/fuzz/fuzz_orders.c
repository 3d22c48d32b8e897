/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every order in which the two peers of a session can speak and end, and what each of them must
 * have got afterwards: every byte that was owed, and the right end.
 *
 * Input: a text of three letters and a script. The letters are the route (session_routes.h), the
 * scheme (p plain, t TLS; P and T: the client says first who it is), and what the kernels take
 * (a all, s all but the program reads little at a time, b nothing for the backend, c nothing for
 * the client, until the script is over). A script
 * is flights with '|' between them. What stands in one flight comes in one turn of the loop; with
 * '<' in front the backend goes first. Letters of the client: P a message, H the first fragment of
 * one, Q half a frame, C a Close, N close_notify, F FIN, R reset. Of the backend: p bytes, q half a
 * record or line, f FIN, r reset. For example: "ltaPC|Nf".
 *
 * "all" and two digits in the place of a script stand for every legal script of so many events in
 * so many flights at most, and for every kernel: the corpus has "ltaall52", and "ltaall64" is a
 * long run. Only the program that replays the corpus runs them; the fuzzer makes its own scripts.
 *
 * The world and the model are those of fuzz_session.c: the model checks each byte that arrives,
 * and that in an open session everything has arrived. What is demanded of an end stands here, as
 * the README's table of endings says it; nothing here asks the life. */
#include <signal.h>

#include "session_stage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifdef __has_feature
#if __has_feature(coverage_sanitizer)
#define IS_FUZZED
#endif
#endif

#define SCRIPT_MAX 32
#define KERNELS "asbc"
#define CLIENT_EVENTS_MAX 5
#define BACKEND_EVENTS_MAX 3

struct subject {
    char route;
    bool is_deflated;
    enum ws_opcode opcode;
    size_t up_bytes;  /* of the client's message */
    const char *down; /* the backend says this, `down_times` times */
    size_t down_len;
    size_t down_times;
    const char *half; /* what q says; NULL = there is no half */
    size_t half_len;
    bool is_half_wrong; /* it must not end there */
};

#define DOWN(text, times) .down = (text), .down_len = sizeof(text) - 1, .down_times = (times)
#define HALF(text) .half = (text), .half_len = sizeof(text) - 1

static const struct subject subjects[] = {
    {'e', false, WS_BINARY, 9000, .down = NULL},
    {'d', true, WS_TEXT, 20000, .down = NULL},
    {'m', true, WS_BINARY, 20000, .down = NULL},
    {'t', false, WS_BINARY, 9000, DOWN("a stream of it", 500)},
    {'k', false, WS_BINARY, 4500, DOWN("keep", 1100)},
    {'x', false, WS_TEXT, 3000, DOWN("text", 100), HALF("\xc3"), .is_half_wrong = true},
    {'l', true, WS_TEXT, 20000, DOWN("a line\n", 50), HALF("unfinished")},
    {'c', false, WS_BINARY, 9000, DOWN("a line\r\n", 50), HALF("unfinished\r")},
    {'s', true, WS_BINARY, 20000, DOWN("\x05\x00hello", 50), HALF("\x05\x00he"),
     .is_half_wrong = true},
    {'n', false, WS_TEXT, 9000, DOWN("\0\0\0\x05hello", 50), HALF("\0\0"), .is_half_wrong = true},
    {'b', true, WS_TEXT, 20000, DOWN("bytes", 50)},
    {'z', true, WS_TEXT, 19000, DOWN("text", 50), HALF("\xc3"), .is_half_wrong = true},
    {'w', true, WS_BINARY, 20000, DOWN("bytes", 1000)},
};

/* One script while it is played. */
struct play {
    const struct subject *subject;
    const struct config_route *route;
    bool is_tls;
    bool is_token_first;
    char kernel;
    char script[SCRIPT_MAX];
    size_t len;

    /* what has happened */
    bool is_message_open; /* H */
    bool is_frame_open;   /* Q */
    bool has_closed;      /* C */
    bool has_notified;    /* N */
    bool has_reset;       /* R */
    bool is_half_out;     /* q */
    bool has_backend_reset;
    uint64_t endings; /* a bit for each that may have been the first reason; 0 = none yet */
};

static struct play play;

/* Says which order it was, when a check has failed. */
static void say_script(int number)
{
    const char letters[] = {
        'o', 'r', 'd', 'e', 'r', ' ', play.subject->route, play.is_tls ? 't' : 'p', play.kernel};
    ssize_t written = write(STDERR_FILENO, letters, sizeof(letters));
    written += write(STDERR_FILENO, play.script, play.len);
    written += write(STDERR_FILENO, "\n", 1);
    (void)written;
    (void)number;
}

static uint64_t bit(enum life_ending ending)
{
    return (uint64_t)1 << ending;
}

/* --- what the peers do ------------------------------------------------------------------------*/

static void say_message(void)
{
    static char content[20000];
    const struct subject *subject = play.subject;
    struct span data = {content, subject->up_bytes};
    memset(content, 'a', sizeof(content));
    if (subject->is_deflated) {
        send_deflated(subject->opcode == WS_BINARY ? HOW_BINARY : 0, data);
    } else {
        send_frame((uint8_t)(0x80U | (unsigned int)subject->opcode), data);
    }
}

/* Returns what this means for the session when it is the first end: a bit, or 0. */
static uint64_t client_event(char event)
{
    uint8_t half_frame[6] = {0x80, 0x85, 1, 2, 3, 4};
    bool is_cut = play.is_message_open || play.is_frame_open;
    switch (event) {
    case 'P':
        say_message();
        return 0;
    case 'H':
        send_frame((uint8_t)play.subject->opcode, SPAN_LIT("aaaa"));
        play.is_message_open = true;
        return 0;
    case 'Q':
        half_frame[0] |= play.is_message_open ? 0 : (uint8_t)play.subject->opcode;
        memory_push(&world.client, half_frame, sizeof(half_frame));
        play.is_frame_open = true;
        world.is_frame_cut = true;
        return 0;
    case 'C':
        send_frame(0x88, SPAN_LIT("\x03\xe8"));
        play.has_closed = true;
        return bit(LIFE_CLIENT_CLOSE);
    case 'N':
        end_client(3);
        play.has_notified = true;
        return bit(is_cut ? LIFE_CLIENT_CUT : LIFE_CLIENT_EOF);
    case 'F':
        end_client(0);
        is_cut = is_cut || (play.is_tls && !play.has_notified);
        return bit(is_cut ? LIFE_CLIENT_CUT : LIFE_CLIENT_EOF);
    default:
        end_client(2);
        play.has_reset = true;
        return bit(LIFE_CLIENT_RESET);
    }
}

static uint64_t backend_event(char event)
{
    const struct subject *subject = play.subject;
    switch (event) {
    case 'p':
        for (size_t i = 0; i < subject->down_times; i++) {
            push_backend((struct span){subject->down, subject->down_len});
        }
        return 0;
    case 'q':
        push_backend((struct span){subject->half, subject->half_len});
        play.is_half_out = true;
        return 0;
    case 'f':
        end_backend(0);
        if (play.is_half_out && subject->is_half_wrong) {
            return bit(LIFE_BACKEND_DATA);
        }
        return play.route->is_half_open ? 0 : bit(LIFE_BACKEND_CLOSE);
    default:
        end_backend(2);
        play.has_backend_reset = true;
        return bit(LIFE_BACKEND_RESET);
    }
}

/* --- which scripts are legal ------------------------------------------------------------------*/

static bool has_event(char event)
{
    return memchr(play.script, event, play.len) != NULL;
}

static bool is_client_event(char event)
{
    return event >= 'A' && event <= 'Z';
}

/* The peers keep to their protocols up to their ends; what they may not say belongs to
 * fuzz_session.c. Each event comes once, and nothing behind an end. */
static bool is_legal(char event)
{
    if (strchr("PHQCNFRpqfr", event) == NULL || event == '\0' || has_event(event)) {
        return false;
    }
    if (!is_client_event(event)) {
        bool is_half = event == 'q';
        return play.subject->down != NULL && !has_event('f') && !has_event('r') &&
               (!is_half || play.subject->half != NULL) && (event != 'p' || !has_event('q'));
    }
    if (has_event('F') || has_event('R')) {
        return false;
    }
    switch (event) {
    case 'N':
        return play.is_tls;
    case 'P':
    case 'H':
        return !has_event('N') && !has_event('Q') && (!has_event('H') || has_event('C'));
    case 'Q':
    case 'C':
        return !has_event('N') && !has_event('Q');
    default:
        return true;
    }
}

/* --- what must have arrived -------------------------------------------------------------------*/

static bool is_ending(enum life_ending ending)
{
    return strcmp(ending_word, life_ending_row(ending)->word) == 0;
}

static void judge_backend(void)
{
    const struct memory *backend = &world.backend;
    bool is_in_order =
        is_ending(LIFE_CLIENT_CLOSE) || is_ending(LIFE_CLIENT_EOF) || is_ending(LIFE_BACKEND_CLOSE);
    if (play.subject->down == NULL || play.has_backend_reset || model.is_down_over) {
        return;
    }
    expect(backend->has_fin == is_in_order, "a FIN for the backend, or none");
    expect((backend->state == MEMORY_ABORTED) != is_in_order, "a reset, or none");
    if (is_ending(LIFE_CLIENT_CLOSE) || is_ending(LIFE_CLIENT_EOF)) {
        expect(model.up.got == model.up.len, "the backend got every byte");
    }
}

static void judge_client(void)
{
    bool is_told = is_ending(LIFE_CLIENT_CLOSE) || is_ending(LIFE_BACKEND_CLOSE) ||
                   is_ending(LIFE_BACKEND_RESET) || is_ending(LIFE_BACKEND_DATA);
    if (play.has_reset) {
        return;
    }
    expect(wire.has_close == is_told, "a Close for the client, or none");
    if (!is_told) {
        return;
    }
    bool is_good = is_ending(LIFE_CLIENT_CLOSE) || is_ending(LIFE_BACKEND_CLOSE);
    expect(wire.close_code == (is_good ? 1000 : play.route->backend_code), "its code");
    expect(world.client.has_fin, "an orderly end for the client");
    if (!model.is_down_over) { /* half a character cannot be sent */
        expect(model.down.got == model.down_whole, "the client got every byte");
    }
}

static void judge(void)
{
    uint64_t endings = play.endings;
    bool is_possible = false;
    if (endings == 0) {
        return; /* nobody has ended: check_rest saw it all */
    }
    for (int ending = 0; ending < LIFE_ENDING_COUNT; ending++) {
        is_possible = is_possible || ((endings & bit((enum life_ending)ending)) != 0 &&
                                      is_ending((enum life_ending)ending));
    }
    expect(is_possible, "the first reason wins");
    judge_backend();
    judge_client();
}

/* --- playing ----------------------------------------------------------------------------------*/

static void open_session(void)
{
    const struct head_parts parts = {
        .route = (uint8_t)(play.route - routes),
        .extensions = play.route->is_deflate ? 1 : 0,
        .is_token_first = play.is_token_first,
        .subprotocols = play.route->policy.subprotocol_count > 0 ? 1 : 0,
        .origin = 1,
    };
    play.is_message_open = false;
    play.is_frame_open = false;
    play.has_closed = false;
    play.has_notified = false;
    play.has_reset = false;
    play.is_half_out = false;
    play.has_backend_reset = false;
    play.endings = 0;
    prepare(play.is_tls ? FLAG_TLS : 0);
    expect(start(play.is_tls ? FLAG_TLS : 0), "a session");
    dial_answer(DIAL_OK);
    push_head(&parts);
    run_turns(false);
    expect(wire.status == 101, "an open session");
    if (play.is_token_first) {
        expect(world_session()->life.phase == LIFE_TOKEN, "the token is awaited");
        send_frame(0x81, SPAN_LIT(TOKEN));
        run_turns(false);
    }
    expect(world_session()->life.phase == LIFE_OPEN, "an open session");
    if (play.kernel == 's') {
        world.client.chop_bytes = 7;
        world.backend.chop_bytes = 7;
    }
    world.backend.budget_bytes = play.kernel == 'b' ? 0 : MEMORY_ALL;
    world.client.budget_bytes = play.kernel == 'c' ? 0 : MEMORY_ALL;
}

/* Plays one flight; returns what follows it. */
static size_t play_flight(size_t at, bool is_backend_first)
{
    bool is_stalled = play.kernel == 'b' || play.kernel == 'c';
    bool was_closed = play.has_closed;
    uint64_t client_ends = 0;
    uint64_t ends = 0;
    for (; at < play.len && play.script[at] != '|'; at++) {
        char event = play.script[at];
        if (event == '<') {
            is_backend_first = true;
        } else if (is_client_event(event)) {
            /* Behind a Close a FIN decides nothing; a reset may be seen before what came first. */
            uint64_t end = client_event(event);
            bool is_first = client_ends == 0 && !was_closed;
            client_ends |= is_first || event == 'R' ? end : 0;
        } else {
            ends |= backend_event(event);
        }
    }
    if (play.endings == 0 || is_stalled) {
        play.endings |= client_ends | ends;
    }
    run_turns(is_backend_first);
    check_rest();
    return at + 1;
}

static void play_script(bool is_backend_first)
{
    size_t blocks_before = mem_live_blocks();
    open_session();
    for (size_t at = 0; at < play.len;) {
        at = play_flight(at, is_backend_first);
    }
    world.backend.budget_bytes = MEMORY_ALL;
    world.client.budget_bytes = MEMORY_ALL;
    run_turns(is_backend_first);
    check_rest();
    run_out();
    check_end(blocks_before);
    judge();
}

/* --- all of them ------------------------------------------------------------------------------*/

#ifndef IS_FUZZED
struct count {
    size_t client;
    size_t backend;
    size_t events_left;
    size_t flights_left; /* behind this one */
    bool is_mixed;       /* some flight has events of both */
};

static bool is_flight_begun(void)
{
    return play.len > 0 && play.script[play.len - 1] != '|';
}

/* In one flight the client's events come first: their order among the two means nothing there. */
static bool has_backend_spoken(void)
{
    return is_flight_begun() && !is_client_event(play.script[play.len - 1]);
}

static size_t play_all(struct count count)
{
    static const char events[] = "PHQCNFRpqfr";
    size_t played = 0;
    if (is_flight_begun()) {
        play_script(false);
        played++;
        if (count.is_mixed) {
            play_script(true);
            played++;
        }
        if (count.events_left > 0 && count.flights_left > 0) {
            struct count next = count;
            next.flights_left--;
            play.script[play.len++] = '|';
            played += play_all(next);
            play.len--;
        }
    }
    for (size_t i = 0; i < sizeof(events) - 1; i++) {
        struct count next = count;
        bool is_client = is_client_event(events[i]);
        *(is_client ? &next.client : &next.backend) += 1;
        if (count.events_left == 0 || next.client > CLIENT_EVENTS_MAX ||
            next.backend > BACKEND_EVENTS_MAX || (is_client && has_backend_spoken()) ||
            !is_legal(events[i])) {
            continue;
        }
        next.events_left--;
        bool is_behind_client = is_flight_begun() && is_client_event(play.script[play.len - 1]);
        next.is_mixed = count.is_mixed || (!is_client && is_behind_client);
        play.script[play.len++] = events[i];
        played += play_all(next);
        play.len--;
    }
    return played;
}
#endif

static bool begin(const uint8_t *data, size_t size)
{
    static bool is_done;
    if (size < 3) {
        return false;
    }
    play.subject = NULL;
    for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
        play.subject = subjects[i].route == (char)data[0] ? &subjects[i] : play.subject;
    }
    play.is_tls = data[1] == 't' || data[1] == 'T';
    play.is_token_first = data[1] == 'T' || data[1] == 'P';
    play.kernel = (char)data[2];
    play.len = 0;
    if (play.subject == NULL || strchr(KERNELS, play.kernel) == NULL || play.kernel == '\0') {
        return false;
    }
    if (!is_done) {
        is_done = true;
        signal(SIGABRT, say_script);
        prepare(0);
        for (size_t i = 0; i < 2 * ROUTE_COUNT; i++) { /* so that short messages fill the queues */
            routes[i].buffer_high_bytes = 4 * KIB;
            routes[i].buffer_low_bytes = KIB;
            routes[i].rate_up_bytes = routes[i].rate_down_bytes = 0; /* nothing comes late */
            routes[i].messages.count = 0;
        }
        route_of('l')->framing.max_bytes = 32 * KIB;
        route_of('L')->framing.max_bytes = 32 * KIB;
    }
    play.route = route_of(play.subject->route);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!begin(data, size)) {
        return 0;
    }
    data += 3;
    size -= 3;
    if (size >= 5 && memcmp(data, "all", 3) == 0) {
#ifndef IS_FUZZED
        struct count count = {.events_left = data[3] - '0', .flights_left = data[4] - '1'};
        size_t played = 0;
        for (const char *kernel = KERNELS; *kernel != '\0'; kernel++) {
            play.kernel = *kernel;
            bool is_sane = count.events_left <= 9 && count.flights_left <= 8;
            played += is_sane ? play_all(count) : 0;
        }
        printf("%zu orders\n", played);
#endif
        return 0;
    }
    for (size_t i = 0; i < size && play.len < SCRIPT_MAX; i++) {
        char event = (char)data[i];
        if (event == '|' || event == '<' || is_legal(event)) {
            play.script[play.len++] = event;
        }
    }
    play_script(false);
    return 0;
}
