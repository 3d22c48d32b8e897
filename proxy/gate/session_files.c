/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A connection that asks for files: one after the other, and then perhaps for a session.
 *
 * While a file is sent the client is not read. What came behind a head in the same read is kept
 * here, at most one read, and parsed when the file is in the client's queue. Such a connection
 * stays a guest at the door, so sessions go before it, and when there is no room for a stranger the
 * one that has waited longest goes. */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "gate/session_parts.h"

#define REQUESTS_PER_TURN 16      /* then other sessions have their turn */
#define UNSENT_BYTES (128 * 1024) /* that the kernel may hold of a file besides */

static struct session_event end_event(enum life_ending ending, const char *detail)
{
    return (struct session_event){{.type = LIFE_EV_END, .ending = ending}, detail};
}

/* --- a request ----------------------------------------------------------------------------- */

static bool make_files(struct session *s)
{
    if (s->files != NULL) {
        return true;
    }
    s->files = mem_alloc_zero(sizeof(*s->files));
    if (s->files == NULL) {
        return false;
    }
    s->files->answer.fd = -1;
    s->files->turn_requests = REQUESTS_PER_TURN;
    return true;
}

/* Connection is a list, and has the token in any letter case. */
static bool wants_close(const struct request *request)
{
    struct span value;
    struct span item;
    size_t at = 0;

    while (request_next_header(request, SPAN_LIT("Connection"), &at, &value)) {
        while (span_next(&value, ',', &item)) {
            if (span_is_equal_nocase(item, SPAN_LIT("close"))) {
                return true;
            }
        }
    }
    return false;
}

static bool is_scarce(const struct config *config)
{
    return config->max_memory_bytes != 0 && mem_live_bytes() >= config->max_memory_bytes / 5 * 4;
}

bool session_find_files(struct session *s, const struct admission_files *found,
                        struct session_event *out)
{
    const struct session_context *context = s->context;
    struct session_request *request = s->request;

    if (found->front.refusal != LIFE_NOT_ENDED) {
        *out = end_event(found->front.refusal, found->front.detail);
        return true;
    }
    if (found->section == NULL || context->files == NULL) {
        return false;
    }
    if (!make_files(s) || is_scarce(context->config)) {
        *out = end_event(LIFE_FULL, "max_memory");
        return true;
    }
    struct session_files *files = s->files;
    files->question = (struct files_question){
        .section = found->section,
        .request = &request->asked,
        .rest = found->rest,
        .is_bare = found->is_bare,
    };
    files_done(&files->answer);
    files_open(context->files, &files->question, &files->answer);
    files->kept_ms = found->section->kept_ms;
    files->is_last = request->head.version_minor == 0 || wants_close(&request->asked) ||
                     files->kept_ms == 0 || context->is_draining || context->is_retired;
    *out = (struct session_event){{.type = LIFE_EV_SERVE}, NULL};
    return true;
}

/* --- the answer ---------------------------------------------------------------------------- */

static void tally(const struct session *s, uint64_t sent_bytes)
{
    if (s->context->seat != NULL) {
        struct seat_worker *worker = seat_worker(s->context->seat);
        seat_add(&worker->files_answers[s->files->answer.status / 100 - 2], 1);
        seat_add(&worker->files_bytes, sent_bytes);
    }
}

/* Refusals are told at `info`, files at `debug`. */
static void log_answer(const struct session *s, const char *cut)
{
    const struct files_answer *answer = &s->files->answer;
    bool is_refusal = answer->status >= 400;
    enum log_level level = is_refusal ? LOG_INFO : LOG_DEBUG;
    struct log_line line;

    if (!log_is_on(level) || (is_refusal && !flood_lets(s->context->flood, FLOOD_FILES))) {
        return;
    }
    log_begin(&line, level, is_refusal ? "files.refused" : "files.served");
    session_log_parties(&line, s);
    log_text(&line, "files", s->files->question.section->place.name);
    log_text(&line, "method", s->request->asked.method);
    log_text(&line, "path", s->request->asked.path);
    log_u64(&line, "status", answer->status);
    log_u64(&line, "bytes", s->files->sent_bytes);
    if (cut != NULL) {
        log_str(&line, "detail", cut);
    } else if (answer->detail != NULL) {
        log_str(&line, "detail", answer->detail);
    }
    log_end(&line);
}

static void finish(struct session *s, const char *cut)
{
    struct session_files *files = s->files;

    if (!files->is_sending) {
        return;
    }
    files->is_sending = false;
    files->sent_bytes =
        files->answer.is_head ? 0 : files->answer.content_bytes - files->answer.left_bytes;
    tally(s, files->sent_bytes);
    log_answer(s, cut);
    files_done(&files->answer);
}

static void send_more(struct session *s)
{
    struct session_files *files = s->files;

    files->is_cut = !files_more(&s->pump, &files->answer);
    if (!s->pump.is_client_owed && !files->is_cut) {
        finish(s, files->answer.left_bytes > 0 ? "the client's connection broke" : NULL);
    }
}

void session_send_file(struct session *s)
{
    struct session_files *files = s->files;

    files->is_sending = true;
    s->file_requests++;
    s->http_status = (uint16_t)files->answer.status;
    if (files->answer.left_bytes > FILES_PIECE_BYTES) {
        conn_bound_unsent(&s->pump.client, UNSENT_BYTES);
    }
    files_send(&s->pump, &files->question, &files->answer, !files->is_last);
    send_more(s);
}

bool session_continue_files(struct session *s)
{
    struct session_files *files = s->files;

    if (files == NULL) {
        return false;
    }
    files->turn_requests = REQUESTS_PER_TURN;
    if (files->is_sending) {
        send_more(s);
        return true;
    }
    if (files->is_turn_due) {
        files->is_turn_due = false;
        s->pump.is_client_owed = false;
    }
    return false;
}

/* --- the next request ---------------------------------------------------------------------- */

bool session_has_ahead(const struct session *s)
{
    return s->files != NULL && s->files->ahead != NULL;
}

static void drop_ahead(struct session_files *files)
{
    if (files->ahead != NULL) {
        explicit_bzero(files->ahead, files->ahead_len); /* cookies may stand in it */
        mem_free(files->ahead);
        files->ahead = NULL;
    }
}

bool session_keep_ahead(struct session *s, const uint8_t *data, size_t len)
{
    struct session_files *files = s->files;

    if (files->ahead != NULL) {
        files->ahead_at = files->ahead_len - len; /* it is the rest of that */
        return true;
    }
    files->ahead = mem_alloc(len);
    if (files->ahead == NULL) {
        return false;
    }
    memcpy(files->ahead, data, len);
    files->ahead_at = 0;
    files->ahead_len = len;
    return true;
}

void session_begin_request(struct session *s)
{
    if (s->life.served == LIFE_SERVED_KEPT) {
        life_begin_request(&s->life);
        s->times.phase_since_ms = reactor_now_ms(s->context->reactor);
        door_progress(s->door, &s->guest);
    }
}

/* The connection asks again, for whom it may be this time. */
static void begin_anew(struct session *s)
{
    session_drop_head(s);
    config_free(s->config);
    s->config = NULL;
    s->http_status = 0;
    session_forget_client(s);
}

/* True: *out follows from what waits. */
static bool take_ahead(struct session *s, struct session_event *out)
{
    struct session_files *files = s->files;

    if (files->turn_requests == 0) {
        files->is_turn_due = true;
        s->pump.is_client_owed = true; /* wakes the session in the next turn */
        return false;
    }
    files->turn_requests--;
    session_begin_request(s);
    size_t len = files->ahead_len - files->ahead_at;
    bool is_decided = session_take_head(s, files->ahead + files->ahead_at, len, out);
    if (!is_decided || out->life.type != LIFE_EV_SERVE ||
        files->ahead_at + len == files->ahead_len) {
        /* Nothing is left: session_keep_ahead would have moved ahead_at. */
        drop_ahead(files);
    }
    return is_decided;
}

bool session_take_files(struct session *s, struct session_event *out)
{
    struct session_files *files = s->files;

    if (files == NULL) {
        return false;
    }
    if (files->is_sending && files->is_cut) {
        files->is_cut = false;
        finish(s, "the file became shorter while it was sent, or cannot be read");
        s->pump.is_client_owed = false;
        *out = end_event(LIFE_INTERNAL, "a file became shorter while it was sent");
        return true;
    }
    if (s->life.phase == LIFE_SERVING && files->is_last) {
        *out = end_event(LIFE_FILES, NULL); /* what is left of the answer still leaves */
        return true;
    }
    if (s->life.phase == LIFE_SERVING && !files->is_sending &&
        conn_queued(&s->pump.client) < s->pump.high_bytes) {
        begin_anew(s);
        *out = (struct session_event){{.type = LIFE_EV_SERVED}, NULL};
        return true;
    }
    return s->life.phase == LIFE_REQUEST && files->ahead != NULL && take_ahead(s, out);
}

void session_end_files(struct session *s)
{
    if (s->files != NULL) {
        finish(s, "the connection ended before all of it was sent");
    }
}

void session_drop_files(struct session *s)
{
    if (s->files != NULL) {
        files_done(&s->files->answer);
        drop_ahead(s->files);
        mem_free(s->files);
        s->files = NULL;
    }
}
