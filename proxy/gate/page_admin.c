/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The pages of [admin] alone. */
#include <stdio.h>

#include "base/log.h"
#include "base/utf8.h"
#include "conf/config.h"
#include "gate/page_parts.h"

#define CONFIG_BYTES_MAX ((size_t)16 << 20) /* of /config, for as long as somebody reads it */
#define IDENTITY_LOGGED_MAX 256

void page_open_status(const struct page_question *question, struct page *out)
{
    (void)question;
    *out = (struct page){
        .status = 200,
        .use = PAGE_FOR_PROBES,
        .content_type = SPAN_LIT("text/html; charset=utf-8"),
        /* The page is one file: its script and its style stand in it. */
        .headers = SPAN_LIT(
            "Content-Security-Policy: default-src 'none'; script-src 'unsafe-inline'; style-src "
            "'unsafe-inline'; img-src data:; connect-src 'self'; base-uri 'none'; form-action "
            "'none'; frame-ancestors 'none'\r\n"
            "Referrer-Policy: no-referrer\r\nCross-Origin-Opener-Policy: same-origin\r\n"),
        .body = answer_body_whole((struct span){(const char *)status_page, status_page_len}),
    };
}

void page_open_sessions(const struct page_question *question, struct page *out)
{
    const char *detail = NULL;

    *out = (struct page){
        .status = 200,
        .use = PAGE_FOR_PROBES,
        .content_type = SPAN_LIT("application/json"),
    };
    if (!listing_init(&out->listing, question->roster, question->request->query, &detail)) {
        page_text(out, 400, span_from_str(detail));
        out->detail = "nobody understands the query";
        return;
    }
    listing_add_backends(&out->listing, question->seats, question->upstream);
    out->body = listing_body(&out->listing);
}

void page_open_config(const struct page_question *question, struct page *out)
{
    page_text(out, 200, SPAN_LIT(""));
    buf_init(&out->text, CONFIG_BYTES_MAX);
    if (!config_print_to(question->config, &out->text)) {
        buf_clear(&out->text);
        page_text(out, 503, SPAN_LIT("out of memory\n"));
        return;
    }
    out->body = answer_body_whole(buf_peek(&out->text));
}

/* Ends a line whose first fields say what somebody wants to end. */
static void log_who_asked(const struct page_question *question, struct log_line *line,
                          const char *message)
{
    char text[ADDR_TEXT_MAX];
    log_str(line, "client", addr_print(question->source, text, sizeof(text)));
    log_text(line, "listen", question->listen->name);
    log_str(line, "msg", message);
    log_end(line);
}

static void end_session(const struct page_question *question, struct span id, struct page *out)
{
    struct log_line line;
    size_t slot = 0;
    uint64_t number = 0;

    if (!listing_parse_id(id, &slot, &number) ||
        !roster_ask_to_end(question->roster, slot, number)) {
        page_text(out, 404, SPAN_LIT("there is no such session\n"));
        return;
    }
    log_begin(&line, LOG_INFO, "session.kick");
    log_text(&line, "id", id);
    log_who_asked(question, &line, "somebody ends this session by hand");
    page_text(out, 202, SPAN_LIT("the session ends\n"));
}

static void answer_count(size_t count, struct page *out)
{
    char text[64];
    int len = snprintf(text, sizeof(text), "{\"ended\":%zu}\n", count);

    page_text(out, 202, SPAN_LIT(""));
    out->content_type = SPAN_LIT("application/json");
    buf_init(&out->text, sizeof(text));
    if (buf_append(&out->text, text, (size_t)len) == BUF_OK) {
        out->body = answer_body_whole(buf_peek(&out->text));
    }
}

static void end_sessions_of(const struct page_question *question, struct page *out)
{
    struct listing_owner owner;
    struct roster_entry one;
    struct log_line line;
    const char *detail = NULL;

    if (!listing_parse_owner(&owner, question->roster, question->request->query, &detail)) {
        page_text(out, 400, span_from_str(detail));
        out->detail = "nobody understands the query";
        return;
    }
    size_t count = roster_ask_to_end_all(question->roster, &owner.who, &one);
    if (count == 0) {
        page_text(out, 404, SPAN_LIT("nobody has a session with this subject\n"));
        return;
    }
    log_begin(&line, LOG_INFO, "session.kick");
    log_text(&line, "identity",
             utf8_cut(span_from_str(owner.subject[0] != '\0' ? owner.subject : one.party.identity),
                      IDENTITY_LOGGED_MAX));
    log_u64(&line, "sessions", count);
    log_who_asked(question, &line, "somebody ends all sessions of this identity by hand");
    answer_count(count, out);
}

bool page_find_session(const struct page_question *question, struct page *out)
{
    static const struct span folder = SPAN_LIT("/sessions/");
    struct span path = question->request->path;
    bool is_delete = span_is_equal(question->request->method, SPAN_LIT("DELETE"));

    if (is_delete && span_is_equal(path, SPAN_LIT("/sessions")) &&
        question->request->query.len > 0) {
        if (page_may_write(question, out)) {
            end_sessions_of(question, out);
        }
        return true;
    }
    if (!span_starts_with(path, folder) || path.len == folder.len) {
        return false;
    }
    if (!is_delete) {
        page_text(out, 405, SPAN_LIT("DELETE ends a session; /sessions tells of all\n"));
        out->allow = SPAN_LIT("Allow: DELETE\r\n");
    } else if (page_may_write(question, out)) {
        end_session(question, (struct span){path.data + folder.len, path.len - folder.len}, out);
    }
    return true;
}
