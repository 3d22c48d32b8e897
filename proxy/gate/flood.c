/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/flood.h"

#include <assert.h>

#include "base/clock.h"
#include "base/log.h"

#define LINE_MILLI 1000

/* Of the kinds that are no ending. */
static const struct {
    const char *event;
    enum log_level level;
    bool is_calm;
} lines[FLOOD_KINDS - LIFE_ENDING_COUNT] = {
    [FLOOD_ACCEPT_FAILED - LIFE_ENDING_COUNT] = {"accept.failed", LOG_WARN, true},
    [FLOOD_REFUSED - LIFE_ENDING_COUNT] = {"accept.refused", LOG_INFO, false},
    [FLOOD_PAUSED - LIFE_ENDING_COUNT] = {"listen.paused", LOG_WARN, true},
    [FLOOD_MEMORY_FULL - LIFE_ENDING_COUNT] = {"memory.full", LOG_WARN, true},
    [FLOOD_MEMORY_SHORT - LIFE_ENDING_COUNT] = {"memory.short", LOG_ERROR, false},
    [FLOOD_MEMORY_BACK - LIFE_ENDING_COUNT] = {"memory.back", LOG_INFO, false},
    [FLOOD_ADOPT_FAILED - LIFE_ENDING_COUNT] = {"adopt.failed", LOG_WARN, false},
    [FLOOD_CONFIG - LIFE_ENDING_COUNT] = {"config.error", LOG_ERROR, false},
    [FLOOD_RELOAD_DONE - LIFE_ENDING_COUNT] = {"reload.done", LOG_INFO, false},
    [FLOOD_RELOAD_FAILED - LIFE_ENDING_COUNT] = {"reload.failed", LOG_ERROR, false},
    [FLOOD_RELOAD_KEPT - LIFE_ENDING_COUNT] = {"reload.kept", LOG_WARN, false},
    [FLOOD_LISTEN_READY - LIFE_ENDING_COUNT] = {"listen.ready", LOG_INFO, false},
    [FLOOD_LISTEN_GONE - LIFE_ENDING_COUNT] = {"listen.gone", LOG_INFO, false},
    [FLOOD_FILES - LIFE_ENDING_COUNT] = {"files.refused", LOG_INFO, false},
};

static bool is_calm(unsigned kind)
{
    return kind >= LIFE_ENDING_COUNT && lines[kind - LIFE_ENDING_COUNT].is_calm;
}

static void tell_kind(unsigned kind, uint64_t suppressed)
{
    bool is_ending = kind < LIFE_ENDING_COUNT;
    struct log_line line;
    log_begin(&line, is_ending ? LOG_INFO : lines[kind - LIFE_ENDING_COUNT].level,
              "log.suppressed");
    log_str(&line, "of", is_ending ? "session.end" : lines[kind - LIFE_ENDING_COUNT].event);
    if (is_ending) {
        log_str(&line, "ending", life_ending_row((enum life_ending)kind)->word);
    }
    log_u64(&line, "suppressed", suppressed);
    log_end(&line);
}

void flood_tell(struct flood *f)
{
    for (unsigned kind = 0; kind < FLOOD_KINDS; kind++) {
        if (f->buckets[kind].suppressed > 0) {
            tell_kind(kind, f->buckets[kind].suppressed);
            f->buckets[kind].suppressed = 0;
        }
    }
    f->tell_ms = UINT64_MAX;
}

static void on_tell(struct reactor_timer *timer)
{
    flood_tell(container_of(timer, struct flood, tell));
}

void flood_init(struct flood *f, struct reactor *reactor, uint64_t per_second)
{
    *f = (struct flood){.reactor = reactor, .per_second = per_second, .tell_ms = UINT64_MAX};
    if (reactor != NULL) {
        reactor_timer_init(&f->tell, reactor, on_tell);
    }
}

void flood_set_limit(struct flood *f, uint64_t per_second)
{
    f->per_second = per_second;
}

void flood_done(struct flood *f)
{
    if (f->reactor != NULL) {
        reactor_timer_stop(&f->tell);
    }
    flood_tell(f);
}

static void fill(const struct flood *f, struct flood_bucket *bucket, uint64_t now_ms)
{
    uint64_t most_milli = f->per_second * FLOOD_BURST_S * LINE_MILLI;
    uint64_t passed_ms = now_ms - bucket->filled_ms;
    if (bucket->filled_ms == 0 || passed_ms >= FLOOD_BURST_S * 1000) {
        bucket->tokens_milli = most_milli;
    } else {
        bucket->tokens_milli += passed_ms * f->per_second; /* a millisecond is worth so much */
    }
    if (bucket->tokens_milli > most_milli) {
        bucket->tokens_milli = most_milli;
    }
    bucket->filled_ms = now_ms;
}

static bool take_token(const struct flood *f, struct flood_bucket *bucket, uint64_t now_ms)
{
    fill(f, bucket, now_ms);
    bool has_token = bucket->tokens_milli >= LINE_MILLI;
    bucket->tokens_milli -= has_token ? LINE_MILLI : 0;
    return has_token;
}

static bool is_calm_over(struct flood_bucket *bucket, uint64_t now_ms)
{
    if (bucket->filled_ms != 0 && now_ms - bucket->filled_ms < FLOOD_CALM_MS) {
        return false;
    }
    bucket->filled_ms = now_ms;
    return true;
}

bool flood_lets(struct flood *f, unsigned kind)
{
    assert(kind < FLOOD_KINDS);
    if (f == NULL || f->per_second == 0 || log_is_on(LOG_DEBUG)) {
        return true;
    }
    struct flood_bucket *bucket = &f->buckets[kind];
    uint64_t now_ms = f->reactor != NULL ? reactor_now_ms(f->reactor) : clock_now_ms();
    if (is_calm(kind) ? is_calm_over(bucket, now_ms) : take_token(f, bucket, now_ms)) {
        return true;
    }
    bucket->suppressed++;
    f->suppressed_total++;
    if (f->tell_ms == UINT64_MAX) {
        f->tell_ms = now_ms + FLOOD_TELL_MS;
        if (f->reactor != NULL) {
            reactor_timer_at(&f->tell, f->tell_ms);
        }
    }
    return false;
}
