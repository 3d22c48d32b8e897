/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/door.h"

#include <assert.h>

#include "base/clock.h"

/* --- places -------------------------------------------------------------------------------- */

static struct door_guest *first_of(const struct list *place)
{
    return list_is_empty(place) ? NULL : container_of(place->next, struct door_guest, link);
}

/* Keeps the list in the order of since_ms. The way is short: most guests come to the tail, and one
 * that has come no further had been near the head. */
static void insert(struct list *place, struct door_guest *guest)
{
    struct list *before = place->prev;
    while (before != place &&
           container_of(before, struct door_guest, link)->since_ms > guest->since_ms) {
        before = before->prev;
    }
    guest->link.prev = before;
    guest->link.next = before->next;
    before->next->prev = &guest->link;
    before->next = &guest->link;
}

/* Where a guest is that the door waits for. */
static void settle(struct door *d, struct door_guest *guest)
{
    list_unlink(&guest->link);
    guest->place = guest->has_begun ? DOOR_BEGUN : DOOR_SILENT;
    insert(guest->has_begun ? &d->begun : &d->silent, guest);
}

/* --- room ---------------------------------------------------------------------------------- */

static void wake_waiters(struct door *d)
{
    struct list woken;
    struct list *link;
    list_init(&woken);
    while ((link = list_take_first(&d->waiters)) != NULL) {
        list_append(&woken, link); /* a callback may wait again */
    }
    while ((link = list_take_first(&woken)) != NULL) {
        struct door_waiter *waiter = container_of(link, struct door_waiter, link);
        waiter->callback(waiter);
    }
}

static void on_retry(struct reactor_timer *timer)
{
    wake_waiters(container_of(timer, struct door, retry));
}

static bool is_overdue(const struct door *d, const struct door_guest *guest, uint64_t allowed_ms)
{
    return guest != NULL && reactor_now_ms(d->reactor) >= guest->since_ms + allowed_ms;
}

/* The guest who must go for another; NULL: nobody has to. */
static struct door_guest *overdue_guest(const struct door *d)
{
    struct door_guest *guest = first_of(&d->silent);
    if (is_overdue(d, guest, DOOR_SILENT_MS)) {
        return guest;
    }
    guest = first_of(&d->begun);
    return is_overdue(d, guest, DOOR_BEGUN_MS) ? guest : NULL;
}

static bool is_full(const struct door *d)
{
    return d->pending_count >= d->settings.pending_max;
}

bool door_has_room(const struct door *d)
{
    return d->shut_because == NULL && (!is_full(d) || overdue_guest(d) != NULL);
}

void door_wait(struct door *d, struct door_waiter *waiter)
{
    bool is_first = list_is_empty(&d->waiters);
    list_append(&d->waiters, &waiter->link);
    if (is_first) {
        reactor_timer_at(&d->retry, reactor_now_ms(d->reactor) + DOOR_RETRY_MS);
    }
}

void door_wait_stop(struct door_waiter *waiter)
{
    list_unlink(&waiter->link);
}

void door_shut(struct door *d, const char *because)
{
    d->shut_because = because;
}

/* --- the turn ------------------------------------------------------------------------------ */

/* A guest who is alone costs no look at the clock. */
static void serve_some(struct door *d)
{
    struct list *link;
    uint64_t end_us = 0;
    d->is_serving = true;
    while ((link = list_take_first(&d->ready)) != NULL) {
        struct door_guest *guest = container_of(link, struct door_guest, link);
        if (end_us == 0 && !list_is_empty(&d->ready)) {
            end_us = clock_now_us() + DOOR_TURN_US;
        }
        guest->has_begun = true;
        settle(d, guest);
        d->settings.serve(guest);
        if (end_us == 0 || clock_now_us() >= end_us) {
            break;
        }
    }
    d->is_serving = false;
    if (!list_is_empty(&d->ready)) {
        reactor_timer_at(&d->next_turn, reactor_now_ms(d->reactor));
    }
}

static void on_turn(struct reactor_deferred *deferred)
{
    serve_some(container_of(deferred, struct door, turn));
}

static void on_next_turn(struct reactor_timer *timer)
{
    struct door *d = container_of(timer, struct door, next_turn);
    reactor_defer(d->reactor, &d->turn);
}

void door_queue(struct door *d, struct door_guest *guest)
{
    if (guest->place == DOOR_OUTSIDE || guest->place == DOOR_READY) {
        return;
    }
    /* The timer brings a turn for guests who are there already. */
    if (list_is_empty(&d->ready) && !d->is_serving) {
        reactor_defer(d->reactor, &d->turn);
    }
    list_unlink(&guest->link);
    list_append(&d->ready, &guest->link);
    guest->place = DOOR_READY;
}

/* --- guests -------------------------------------------------------------------------------- */

void door_init(struct door *d, struct reactor *reactor, const struct door_settings *settings)
{
    assert(settings->pending_max > 0 && settings->sessions_max > 0);
    *d = (struct door){.reactor = reactor, .settings = *settings};
    list_init(&d->silent);
    list_init(&d->begun);
    list_init(&d->ready);
    list_init(&d->waiters);
    reactor_deferred_init(&d->turn, on_turn);
    reactor_timer_init(&d->next_turn, reactor, on_next_turn);
    reactor_timer_init(&d->retry, reactor, on_retry);
}

void door_set_limits(struct door *d, uint64_t pending_max, uint64_t sessions_max)
{
    assert(pending_max > 0 && sessions_max > 0);
    d->settings.pending_max = pending_max;
    d->settings.sessions_max = sessions_max;
}

void door_done(struct door *d)
{
    assert(d->pending_count == 0 && list_is_empty(&d->waiters));
    reactor_timer_stop(&d->next_turn);
    reactor_timer_stop(&d->retry);
}

void door_enter(struct door *d, struct door_guest *guest)
{
    assert(guest->place == DOOR_OUTSIDE && !guest->is_session);
    if (is_full(d)) {
        struct door_guest *out = overdue_guest(d);
        assert(out != NULL);
        d->settings.put_out(out);
    }
    list_init(&guest->link);
    guest->since_ms = reactor_now_ms(d->reactor);
    d->pending_count++;
    settle(d, guest);
}

void door_progress(struct door *d, struct door_guest *guest)
{
    if (guest->place == DOOR_OUTSIDE) {
        return;
    }
    guest->since_ms = reactor_now_ms(d->reactor);
    guest->has_begun = true;
    if (guest->place != DOOR_READY) {
        settle(d, guest);
    }
}

/* Takes the guest out of its place. One place in eight must be free before the listeners hear of
 * it, or they would wake for every caller. */
static void go(struct door *d, struct door_guest *guest)
{
    list_unlink(&guest->link);
    guest->place = DOOR_OUTSIDE;
    d->pending_count--;
    if (!list_is_empty(&d->waiters) &&
        d->pending_count <= d->settings.pending_max - d->settings.pending_max / 8) {
        reactor_timer_at(&d->retry, reactor_now_ms(d->reactor));
    }
}

bool door_may_admit(const struct door *d, const struct door_guest *guest)
{
    return guest->place == DOOR_OUTSIDE || d->session_count < d->settings.sessions_max;
}

bool door_admit(struct door *d, struct door_guest *guest)
{
    if (guest->place == DOOR_OUTSIDE) {
        return true;
    }
    if (!door_may_admit(d, guest)) {
        return false;
    }
    go(d, guest);
    guest->is_session = true;
    d->session_count++;
    return true;
}

void door_leave(struct door *d, struct door_guest *guest)
{
    if (guest->place != DOOR_OUTSIDE) {
        go(d, guest);
    } else if (guest->is_session) {
        guest->is_session = false;
        d->session_count--;
    }
}
