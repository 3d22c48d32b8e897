/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The rates of a session: how far its sides are read, and how many messages are decoded. */
#include <assert.h>

#include "base/mem.h"
#include "gate/pump.h"
#include "gate/pump_parts.h"

/* Who waits gets so much of a second at a time: often enough to look even, seldom enough to be
 * cheap. A read of a few bytes costs as much as one of PORTION_BYTES, and on its way to the client
 * more in headers than it carries: so low rates of bytes come FEW_PORTIONS_A_SECOND. */
#define PORTIONS_A_SECOND 50
#define FEW_PORTIONS_A_SECOND 10
#define PORTION_BYTES 1024

static const struct pump_meter *meter_of(const struct pump *p)
{
    return p->kept != NULL ? p->kept->meter : NULL;
}

/* --- one rate ------------------------------------------------------------------------------ */

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void flow_of_bytes(struct pump_flow *f, uint64_t per_second, uint64_t now_ms)
{
    if (per_second > 0) {
        uint64_t few = lesser(per_second / FEW_PORTIONS_A_SECOND, PORTION_BYTES);
        *f = (struct pump_flow){
            .flow = {.per_second = per_second, .burst = greater(PUMP_BURST_BYTES, per_second)},
            .cost = 1,
            .portion = greater(greater(few, 1), per_second / PORTIONS_A_SECOND),
        };
        limit_bucket_init(&f->bucket, &f->flow, now_ms);
    }
}

/* `count` units a millisecond, and a message costs as many as its period has milliseconds: a rate
 * of few messages a day loses nothing either. */
static void flow_of_messages(struct pump_flow *f, const struct limit_rate *rate, uint64_t now_ms)
{
    uint64_t per_second = rate->count * UINT64_C(1000);
    if (per_second > 0) {
        *f = (struct pump_flow){
            .flow = {.per_second = per_second, .burst = greater(rate->period_ms, per_second)},
            .cost = rate->period_ms,
            .portion = greater(rate->period_ms, per_second / PORTIONS_A_SECOND),
        };
        limit_bucket_init(&f->bucket, &f->flow, now_ms);
    }
}

/* Units that may pass now. */
static uint64_t flow_room(const struct pump_flow *f, uint64_t now_ms)
{
    struct limit_bucket bucket = f->bucket; /* the answer changes nothing */
    return f->flow.per_second == 0 ? UINT64_MAX : limit_bucket_room(&bucket, &f->flow, now_ms);
}

static void flow_note(struct pump_flow *f, uint64_t now_ms)
{
    if (f->flow.per_second > 0) {
        f->is_empty = flow_room(f, now_ms) < (f->is_empty ? f->portion : f->cost);
    }
}

static void flow_take(struct pump_flow *f, uint64_t count, uint64_t now_ms)
{
    if (f->flow.per_second > 0) {
        limit_bucket_take(&f->bucket, &f->flow, count * f->cost, now_ms);
    }
}

static void wait_for(const struct pump_flow *f, uint64_t now_ms, uint64_t *at_ms)
{
    if (f->is_empty) {
        struct limit_bucket bucket = f->bucket;
        uint64_t wait_ms = limit_bucket_wait_ms(&bucket, &f->flow, f->portion, now_ms);
        uint64_t then_ms = now_ms + greater(wait_ms, 1);
        *at_ms = *at_ms == 0 || then_ms < *at_ms ? then_ms : *at_ms;
    }
}

/* --- all of them --------------------------------------------------------------------------- */

void pump_limit(struct pump *p, const struct pump_rates *rates, uint64_t now_ms)
{
    const struct limit_rate *messages = &rates->messages;
    if ((rates->up_bytes == 0 && rates->down_bytes == 0 && messages->count == 0) ||
        pump_make_kept(p) == NULL) {
        return;
    }
    assert(p->kept->meter == NULL);
    struct pump_meter *meter = mem_alloc_zero(sizeof(*meter));
    p->kept->meter = meter;
    if (meter == NULL) {
        p->no_memory = true;
        pump_free_unused_kept(p);
        return;
    }
    flow_of_bytes(&meter->up, rates->up_bytes, now_ms);
    flow_of_bytes(&meter->down, rates->down_bytes, now_ms);
    flow_of_messages(&meter->messages, messages, now_ms);
    meter->now_ms = now_ms;
    meter->up_bytes = p->client.received_bytes;
    meter->down_bytes = p->backend.received_bytes;
}

void pump_note_time(struct pump *p, uint64_t now_ms)
{
    struct pump_meter *meter = p->kept->meter;
    if (meter == NULL) {
        return;
    }
    uint64_t up_bytes = p->client.received_bytes - meter->up_bytes;
    uint64_t down_bytes = p->backend.received_bytes - meter->down_bytes;
    meter->up_bytes += up_bytes;
    meter->down_bytes += down_bytes;
    meter->now_ms = now_ms;
    flow_take(&meter->up, up_bytes, now_ms);
    flow_take(&meter->down, p->is_echo ? up_bytes : down_bytes, now_ms);
    flow_note(&meter->up, now_ms);
    flow_note(&meter->down, now_ms);
    flow_note(&meter->messages, now_ms);
}

static size_t bound(const struct pump_flow *f, uint64_t now_ms, size_t most)
{
    uint64_t room = greater(flow_room(f, now_ms), 1);
    return room < most ? (size_t)room : most;
}

size_t pump_meter_client_room(const struct pump *p, size_t most)
{
    const struct pump_meter *meter = meter_of(p);
    if (meter == NULL) {
        return most;
    }
    most = bound(&meter->up, meter->now_ms, most);
    return p->is_echo ? bound(&meter->down, meter->now_ms, most) : most;
}

size_t pump_meter_backend_room(const struct pump *p, size_t most)
{
    const struct pump_meter *meter = meter_of(p);
    return meter != NULL ? bound(&meter->down, meter->now_ms, most) : most;
}

bool pump_counts_messages(const struct pump *p)
{
    const struct pump_meter *meter = meter_of(p);
    return meter != NULL && meter->messages.flow.per_second > 0;
}

bool pump_count_message(struct pump *p)
{
    struct pump_meter *meter = p->kept->meter;
    if (meter == NULL) {
        return true;
    }
    flow_take(&meter->messages, 1, meter->now_ms);
    flow_note(&meter->messages, meter->now_ms);
    return !meter->messages.is_empty;
}

bool pump_count_pong(struct pump *p)
{
    struct pump_meter *meter = p->kept->meter;
    if (meter == NULL || !meter->is_pong_due) {
        return pump_count_message(p);
    }
    meter->is_pong_due = false;
    return !meter->messages.is_empty;
}

void pump_await_pong(struct pump *p)
{
    if (p->kept != NULL && p->kept->meter != NULL) {
        p->kept->meter->is_pong_due = true;
    }
}

bool pump_may_decode(const struct pump *p, const uint8_t *data, size_t len)
{
    const struct pump_meter *meter = meter_of(p);
    return meter == NULL || !meter->messages.is_empty ||
           ws_decoder_is_at(&p->decoder, WS_CLOSE, data, len) ||
           (meter->is_pong_due && ws_decoder_is_at(&p->decoder, WS_PONG, data, len));
}

bool pump_is_message_throttled(const struct pump *p)
{
    /* A piece that has begun belongs to a message that is counted, or not yet whole. */
    if (p->kept == NULL || p->kept->held.len == 0 || p->kept->has_piece) {
        return false;
    }
    struct span held = buf_peek(&p->kept->held);
    return !pump_may_decode(p, (const uint8_t *)held.data, held.len);
}

bool pump_is_client_throttled(const struct pump *p)
{
    const struct pump_meter *meter = meter_of(p);
    return meter != NULL && (meter->up.is_empty || (p->is_echo && meter->down.is_empty) ||
                             pump_is_message_throttled(p));
}

bool pump_is_backend_throttled(const struct pump *p)
{
    const struct pump_meter *meter = meter_of(p);
    return meter != NULL && !p->is_echo && meter->down.is_empty;
}

uint64_t pump_throttled_until_ms(const struct pump *p)
{
    const struct pump_meter *meter = meter_of(p);
    uint64_t at_ms = 0;
    if (meter != NULL) {
        wait_for(&meter->up, meter->now_ms, &at_ms);
        wait_for(&meter->down, meter->now_ms, &at_ms);
        if (pump_is_message_throttled(p)) {
            wait_for(&meter->messages, meter->now_ms, &at_ms);
        }
    }
    return at_ms;
}
