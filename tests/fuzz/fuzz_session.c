/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random events drive the core of the gateway (session, pump and all of proto/), over peers, a
 * kernel and a clock that are memory.
 *
 * A head may name a route whose client has to say in its first message who it is.
 *
 * Input: 1 byte of flags (FLAG_*; 4 means nothing), then events. An event begins with 1 byte: its
 * low five bits modulo EVENT_COUNT say what happens; with bit 7 the next event happens in the same
 * turn; with bit 6 the backend goes first in a turn. Behind this byte stands what happen() reads:
 * one byte, unless the enum says something else. "Content" is 1 byte n. Below 0xf0, n bytes of the
 * input follow. From 0xf0 on, n chooses a size from the table in take_content(), and 1 byte more
 * says what fills it: below 0x80 that byte, else the next (byte - 0x7f) bytes of the input, again
 * and again.
 *
 * The target checks that the client gets what a strict client expects (session_wire.h), that what
 * was said arrives and nothing is lost (session_model.h), that no queue outgrows its ceiling,
 * nothing spins, no deadline is missed and the log blames nobody wrongly. When nothing happens any
 * more, deadlines alone must end the session, with one line in the log, and the session must give
 * all its memory back. */
#include "session_stage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EVENTS_MAX 120

enum event {
    EVENT_HEAD = 0, /* 3 bytes: route, flaw and extensions, subprotocols and origin */
    EVENT_FRAME,    /* 1 byte: the first of the frame; content */
    EVENT_DEFLATED, /* 1 byte: how (HOW_*); content */
    EVENT_CLIENT_RAW,
    EVENT_CLIENT_END,
    EVENT_BACKEND_BYTES,
    EVENT_BACKEND_END,
    EVENT_CLIENT_KERNEL, /* 1 byte: how much the kernel takes, an index */
    EVENT_BACKEND_KERNEL,
    EVENT_SEND_REFUSED,
    EVENT_DIALLED,
    EVENT_TIME, /* 1 byte: an index */
    EVENT_TIMER,
    EVENT_END_SESSION,
    EVENT_KILL,
    EVENT_MEMORY,
    EVENT_CHOP,
    EVENT_ACKS,
    EVENT_COUNT
};

/* --- events -----------------------------------------------------------------------------------*/

/* The peer has closed, and the kernel knows that nobody reads any more. */
static void refuse_sends(uint8_t how)
{
    if ((how & 1) == 0) {
        world.client.is_in_fin = true;
        world.client.is_send_refused = true;
    } else if (world.backend.state == MEMORY_OPEN) {
        end_backend(0);
        world.backend.is_send_refused = true;
    }
}

static void set_kernel(struct memory *m, uint8_t how)
{
    static const size_t budgets[] = {0, MEMORY_ALL, 1, 2, 100, 1000, 4096, 10000, 16384, 65536};
    m->budget_bytes = budgets[how % (sizeof(budgets) / sizeof(budgets[0]))];
}

static void set_acks(uint8_t how)
{
    struct memory *m = how & 1 ? &world.backend : &world.client;
    m->is_ack_frozen = (how & 2) != 0;
    if (m->state == MEMORY_OPEN && m->acked_bytes < m->sent_bytes) {
        m->acked_bytes++;
    }
}

static void set_memory(uint8_t how)
{
    mem_fail_after(how);
    world.is_forced = world.is_forced || how != 0;
}

static void end_session(uint8_t how)
{
    enum life_ending ending = (enum life_ending)(1 + how % (LIFE_ENDING_COUNT - 1));
    world.is_forced = world.is_forced || world_session() != NULL;
    session_end_early(&world.context, ending, 0);
    (void)session_end_some(&world.context, ending, 1);
}

static void let_time_pass(uint8_t how)
{
    static const uint64_t steps_ms[] = {1, 50, 200, 1000, 2500, 5000, 10000, 15000, 30000, 100000};
    pass_time(steps_ms[how % (sizeof(steps_ms) / sizeof(steps_ms[0]))]);
}

static void kill_session(void)
{
    if (world_session() != NULL) {
        world.is_forced = true;
        session_kill_all(&world.context);
    }
}

/* Events for which one byte says everything. */
static void happen_around(enum event event, uint8_t how)
{
    switch (event) {
    case EVENT_CLIENT_END:
        end_client(how);
        break;
    case EVENT_BACKEND_END:
        end_backend(how);
        break;
    case EVENT_CLIENT_KERNEL:
        set_kernel(&world.client, how);
        break;
    case EVENT_BACKEND_KERNEL:
        set_kernel(&world.backend, how);
        break;
    case EVENT_SEND_REFUSED:
        refuse_sends(how);
        break;
    case EVENT_DIALLED:
        dial_answer((enum dial_result)(how % (DIAL_EXHAUSTED + 1)));
        break;
    case EVENT_TIME:
        let_time_pass(how);
        break;
    case EVENT_END_SESSION:
        end_session(how);
        break;
    case EVENT_MEMORY:
        set_memory(how);
        break;
    case EVENT_CHOP:
        (how & 1 ? &world.backend : &world.client)->chop_bytes = how < 2 ? MEMORY_ALL : how * 4U;
        break;
    case EVENT_ACKS:
        set_acks(how);
        break;
    case EVENT_HEAD:
    case EVENT_FRAME:
    case EVENT_DEFLATED:
    case EVENT_CLIENT_RAW:
    case EVENT_BACKEND_BYTES:
    case EVENT_TIMER:
    case EVENT_KILL:
    case EVENT_COUNT:
        break;
    }
}

static void happen(enum event event, struct reader *r)
{
    uint8_t byte;
    switch (event) {
    case EVENT_HEAD:
        send_head(r);
        break;
    case EVENT_FRAME:
        byte = take_byte(r);
        send_frame(byte, take_content(r));
        break;
    case EVENT_DEFLATED:
        byte = take_byte(r);
        send_deflated(byte, take_content(r));
        break;
    case EVENT_CLIENT_RAW:
        send_raw(take_content(r));
        break;
    case EVENT_BACKEND_BYTES:
        push_backend(take_content(r));
        break;
    case EVENT_TIMER:
        if (world.is_timer_armed && world.timer->at_ms > reactor.now_ms) {
            pass_time(world.timer->at_ms - reactor.now_ms);
        }
        break;
    case EVENT_KILL:
        kill_session();
        break;
    case EVENT_CLIENT_END:
    case EVENT_BACKEND_END:
    case EVENT_CLIENT_KERNEL:
    case EVENT_BACKEND_KERNEL:
    case EVENT_SEND_REFUSED:
    case EVENT_DIALLED:
    case EVENT_TIME:
    case EVENT_END_SESSION:
    case EVENT_MEMORY:
    case EVENT_CHOP:
    case EVENT_ACKS:
    case EVENT_COUNT:
        happen_around(event, take_byte(r));
        break;
    }
}

/* --- an input ---------------------------------------------------------------------------------*/

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = {data, size};
    uint8_t flags = take_byte(&r);
    prepare_once();
    size_t blocks_before = mem_live_blocks();
    prepare(flags);
    if (!start(flags)) {
        expect(mem_live_blocks() == blocks_before, "nothing is left");
        return 0;
    }
    for (int i = 0; r.len > 0 && i < EVENTS_MAX; i++) {
        uint8_t what = take_byte(&r);
        happen((enum event)((what & 31) % EVENT_COUNT), &r);
        if ((what & 0x80) == 0) {
            run_turns((what & 0x40) != 0);
            check_rest();
        }
    }
    if ((flags & FLAG_NO_MEMORY) == 0) {
        mem_fail_after(0);
    }
    run_turns(false);
    check_rest();
    run_out();
    mem_fail_after(0);
    check_end(blocks_before);
    return 0;
}
