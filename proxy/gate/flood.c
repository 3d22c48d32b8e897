/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/flood.h"

#include <assert.h>

#include "base/log.h"

#define LINE_MILLI 1000

static const char *line_of(unsigned kind)
{
    static const char *const names[] = {"accept.failed", "listen.paused", "listen.resumed"};
    return kind < LIFE_ENDING_COUNT ? "session.end" : names[kind - LIFE_ENDING_COUNT];
}

static void tell_all(struct flood *f)
{
    for (unsigned kind = 0; kind < FLOOD_KINDS; kind++) {
        struct log_line line;
        if (f->buckets[kind].suppressed == 0) {
            continue;
        }
        log_begin(&line, kind < LIFE_ENDING_COUNT ? LOG_INFO : LOG_WARN, "log.suppressed");
        log_str(&line, "of", line_of(kind));
        if (kind < LIFE_ENDING_COUNT) {
            log_str(&line, "ending", life_ending_row((enum life_ending)kind)->word);
        }
        log_u64(&line, "suppressed", f->buckets[kind].suppressed);
        log_end(&line);
        f->buckets[kind].suppressed = 0;
    }
    f->is_telling = false;
}

static void on_tell(struct reactor_timer *timer)
{
    tell_all(container_of(timer, struct flood, tell));
}

void flood_init(struct flood *f, struct reactor *reactor, uint64_t per_second)
{
    *f = (struct flood){.reactor = reactor, .per_second = per_second};
    reactor_timer_init(&f->tell, reactor, on_tell);
}

void flood_set_limit(struct flood *f, uint64_t per_second)
{
    f->per_second = per_second;
}

void flood_done(struct flood *f)
{
    reactor_timer_stop(&f->tell);
    tell_all(f);
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

bool flood_lets(struct flood *f, unsigned kind)
{
    assert(kind < FLOOD_KINDS);
    if (f == NULL || f->per_second == 0 || log_is_on(LOG_DEBUG)) {
        return true;
    }
    struct flood_bucket *bucket = &f->buckets[kind];
    uint64_t now_ms = reactor_now_ms(f->reactor);
    fill(f, bucket, now_ms);
    if (bucket->tokens_milli >= LINE_MILLI) {
        bucket->tokens_milli -= LINE_MILLI;
        return true;
    }
    bucket->suppressed++;
    f->suppressed_total++;
    if (!f->is_telling) {
        f->is_telling = true;
        reactor_timer_at(&f->tell, now_ms + FLOOD_TELL_MS);
    }
    return false;
}
