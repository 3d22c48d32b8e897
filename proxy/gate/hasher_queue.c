/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whose question is next: start-time fair queueing, with the sources as flows. Each question gets
 * a turn: the one after the last turn of its source, but not one that has passed. Questions of one
 * turn go in the order of their arrival. A place that a question has left remembers its source and
 * turn, so that a source which asks one question after the other is not always first. */
#include <string.h>

#include "gate/hasher.h"

void hasher_queue_init(struct hasher_queue *queue)
{
    queue->turn = 1;
    queue->arrived = 0;
    queue->count = 0;
    for (size_t i = 0; i < HASHER_WAITING_MAX; i++) {
        queue->places[i].answer_fd = -1;
        queue->places[i].turn = 0;
    }
}

static bool is_before(const struct hasher_waiting *a, const struct hasher_waiting *b)
{
    return a->turn != b->turn ? a->turn < b->turn : a->order < b->order;
}

static uint64_t turn_of(const struct hasher_queue *queue, uint64_t source)
{
    uint64_t turn = queue->turn;
    for (size_t i = 0; i < HASHER_WAITING_MAX; i++) {
        const struct hasher_waiting *waiting = &queue->places[i];
        if (waiting->source == source && waiting->turn >= turn) {
            turn = waiting->turn + 1;
        }
    }
    return turn;
}

/* The one with the least to remember. */
static struct hasher_waiting *find_empty(struct hasher_queue *queue)
{
    struct hasher_waiting *empty = NULL;
    for (size_t i = 0; i < HASHER_WAITING_MAX; i++) {
        struct hasher_waiting *place = &queue->places[i];
        if (place->answer_fd == -1 && (empty == NULL || place->turn < empty->turn)) {
            empty = place;
        }
    }
    return empty;
}

static struct hasher_waiting *find_last(struct hasher_queue *queue)
{
    struct hasher_waiting *last = &queue->places[0];
    for (size_t i = 1; i < HASHER_WAITING_MAX; i++) {
        last = is_before(last, &queue->places[i]) ? &queue->places[i] : last;
    }
    return last;
}

int hasher_queue_put(struct hasher_queue *queue, const struct hasher_question *question,
                     int answer_fd)
{
    uint64_t turn = turn_of(queue, question->source);
    struct hasher_waiting *place = find_empty(queue);
    int put_out = -1;
    if (place == NULL) {
        struct hasher_waiting *last = find_last(queue);
        if (turn >= last->turn) {
            return answer_fd;
        }
        put_out = last->answer_fd;
        hasher_queue_leave(queue, last);
        place = last;
    }
    place->question = *question;
    place->source = question->source;
    place->answer_fd = answer_fd;
    place->turn = turn;
    place->order = queue->arrived++;
    queue->count++;
    return put_out;
}

struct hasher_waiting *hasher_queue_next(struct hasher_queue *queue)
{
    struct hasher_waiting *next = NULL;
    for (size_t i = 0; i < HASHER_WAITING_MAX; i++) {
        struct hasher_waiting *waiting = &queue->places[i];
        if (waiting->answer_fd != -1 && (next == NULL || is_before(waiting, next))) {
            next = waiting;
        }
    }
    if (next != NULL) {
        queue->turn = next->turn;
    }
    return next;
}

void hasher_queue_leave(struct hasher_queue *queue, struct hasher_waiting *waiting)
{
    explicit_bzero(&waiting->question, sizeof(waiting->question));
    waiting->answer_fd = -1;
    queue->count--;
}
