/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>

#include "proto/life.h"

/* The bool columns of a row. */
#define BACKEND_ROW 1
#define STREAM_LOST 2
#define TOLD_IN_DETAIL 4
#define TAKEN_BACK 8

#define ROW(word_, http_status_, close_code_, reason_, client_, backend_, again_, bools_) \
    { \
        .word = (word_), \
        .http_status = (http_status_), \
        .close_code = (close_code_), \
        .reason = (reason_), \
        .client = (client_), \
        .backend = (backend_), \
        .again = (again_), \
        .is_backend_row = ((bools_) & BACKEND_ROW) != 0, \
        .is_stream_lost = ((bools_) & STREAM_LOST) != 0, \
        .is_told_in_detail = ((bools_) & TOLD_IN_DETAIL) != 0, \
        .is_taken_back = ((bools_) & TAKEN_BACK) != 0, \
    }

/* One row per ending. An ending that can come before and after the 101 has both an HTTP status and
 * a Close code. */
static const struct life_ending_row rows[LIFE_ENDING_COUNT] = {
    [LIFE_NOT_ENDED] =
        ROW("none", 0, 0, "", LIFE_CLIENT_QUIET, LIFE_BACKEND_NONE, LIFE_AGAIN_HURRY, 0),

    [LIFE_NO_ROUTE] = ROW("no_route", 404, 1008, "no such route", LIFE_CLIENT_SAY,
                          LIFE_BACKEND_NONE, LIFE_AGAIN_HURRY, 0),
    [LIFE_ORIGIN] = ROW("origin", 403, 1008, "origin not allowed", LIFE_CLIENT_SAY,
                        LIFE_BACKEND_NONE, LIFE_AGAIN_HURRY, 0),
    [LIFE_SUBPROTOCOL] = ROW("subprotocol", 400, 1008, "no acceptable subprotocol", LIFE_CLIENT_SAY,
                             LIFE_BACKEND_NONE, LIFE_AGAIN_HURRY, 0),
    [LIFE_SOURCE] = ROW("source", 403, 1008, "address not allowed", LIFE_CLIENT_SAY,
                        LIFE_BACKEND_NONE, LIFE_AGAIN_HURRY, 0),
    [LIFE_AUTH] = ROW("auth", 401, 1008, "not authorised", LIFE_CLIENT_SAY, LIFE_BACKEND_NONE,
                      LIFE_AGAIN_HURRY, 0),
    [LIFE_TARGET] = ROW("target", 403, 1008, "target not allowed", LIFE_CLIENT_SAY,
                        LIFE_BACKEND_NONE, LIFE_AGAIN_HURRY, 0),
    [LIFE_LIMIT_SOURCE] = ROW("limit_source", 429, 1013, "too many sessions from this address",
                              LIFE_CLIENT_SAY, LIFE_BACKEND_NONE, LIFE_AGAIN_HURRY, 0),
    [LIFE_LIMIT_ROUTE] = ROW("limit_route", 503, 1013, "try again later", LIFE_CLIENT_SAY,
                             LIFE_BACKEND_NONE, LIFE_AGAIN_HURRY, 0),
    [LIFE_FULL] = ROW("full", 503, 1013, "try again later", LIFE_CLIENT_SAY, LIFE_BACKEND_NONE,
                      LIFE_AGAIN_HURRY, 0),

    [LIFE_BACKEND_REFUSED] = ROW("backend_refused", 502, 1011, "backend unavailable",
                                 LIFE_CLIENT_SAY, LIFE_BACKEND_NONE, LIFE_AGAIN_HURRY, BACKEND_ROW),
    [LIFE_BACKEND_TIMEOUT] = ROW("backend_timeout", 504, 1011, "backend unavailable",
                                 LIFE_CLIENT_SAY, LIFE_BACKEND_NONE, LIFE_AGAIN_HURRY, BACKEND_ROW),
    [LIFE_BACKEND_NAME] = ROW("backend_name", 502, 1011, "backend unavailable", LIFE_CLIENT_SAY,
                              LIFE_BACKEND_NONE, LIFE_AGAIN_HURRY, BACKEND_ROW),
    [LIFE_BACKEND_TLS] = ROW("backend_tls", 502, 1011, "backend unavailable", LIFE_CLIENT_SAY,
                             LIFE_BACKEND_NONE, LIFE_AGAIN_HURRY, BACKEND_ROW),
    [LIFE_BACKEND_RESET] = ROW("backend_reset", 502, 1011, "backend reset", LIFE_CLIENT_SAY,
                               LIFE_BACKEND_NONE, LIFE_AGAIN_CUT_BACKEND, BACKEND_ROW),
    [LIFE_BACKEND_CLOSE] = ROW("backend_close", 502, 1000, "backend closed", LIFE_CLIENT_SAY,
                               LIFE_BACKEND_FIN, LIFE_AGAIN_HURRY, 0),
    [LIFE_BACKEND_STALLED] = ROW("backend_stalled", 0, 1011, "backend stalled", LIFE_CLIENT_SAY,
                                 LIFE_BACKEND_RST, LIFE_AGAIN_CUT_BACKEND, BACKEND_ROW),
    [LIFE_BACKEND_DATA] =
        ROW("backend_data", 0, 1011, "backend data does not fit", LIFE_CLIENT_SAY, LIFE_BACKEND_RST,
            LIFE_AGAIN_CUT_BACKEND, BACKEND_ROW | TOLD_IN_DETAIL),

    [LIFE_BAD_REQUEST] =
        ROW("bad_request", 400, 0, "", LIFE_CLIENT_HTTP, LIFE_BACKEND_NONE, LIFE_AGAIN_HURRY, 0),
    [LIFE_HEAD_TOO_BIG] =
        ROW("head_too_big", 431, 0, "", LIFE_CLIENT_HTTP, LIFE_BACKEND_NONE, LIFE_AGAIN_HURRY, 0),
    [LIFE_HEAD_TOO_SLOW] =
        ROW("head_too_slow", 408, 0, "", LIFE_CLIENT_HTTP, LIFE_BACKEND_NONE, LIFE_AGAIN_HURRY, 0),

    [LIFE_CLIENT_CLOSE] =
        ROW("client_close", 0, 0, "", LIFE_CLIENT_ECHO, LIFE_BACKEND_FIN, LIFE_AGAIN_HURRY, 0),
    [LIFE_CLIENT_EOF] =
        ROW("client_eof", 0, 0, "", LIFE_CLIENT_QUIET, LIFE_BACKEND_FIN, LIFE_AGAIN_HURRY, 0),
    [LIFE_CLIENT_CUT] =
        ROW("client_cut", 0, 0, "", LIFE_CLIENT_QUIET, LIFE_BACKEND_RST, LIFE_AGAIN_HURRY, 0),
    [LIFE_CLIENT_RESET] =
        ROW("client_reset", 0, 0, "", LIFE_CLIENT_RST, LIFE_BACKEND_RST, LIFE_AGAIN_CUT_CLIENT, 0),
    [LIFE_CLIENT_LOST] =
        ROW("client_lost", 0, 0, "", LIFE_CLIENT_RST, LIFE_BACKEND_RST, LIFE_AGAIN_CUT_CLIENT, 0),
    [LIFE_CLIENT_STALLED] = ROW("client_stalled", 0, 0, "", LIFE_CLIENT_RST, LIFE_BACKEND_RST,
                                LIFE_AGAIN_CUT_CLIENT, 0),
    [LIFE_PROTOCOL] = ROW("protocol", 0, 1002, "protocol error", LIFE_CLIENT_SAY, LIFE_BACKEND_RST,
                          LIFE_AGAIN_HURRY, STREAM_LOST | TOLD_IN_DETAIL),
    [LIFE_BAD_CLOSE] = ROW("bad_close", 0, 1002, "bad close frame", LIFE_CLIENT_SAY,
                           LIFE_BACKEND_RST, LIFE_AGAIN_HURRY, STREAM_LOST),
    [LIFE_OPCODE] = ROW("opcode", 0, 1003, "message type not accepted", LIFE_CLIENT_SAY,
                        LIFE_BACKEND_RST, LIFE_AGAIN_HURRY, 0),
    [LIFE_BAD_TEXT] = ROW("bad_text", 0, 1007, "text is not UTF-8", LIFE_CLIENT_SAY,
                          LIFE_BACKEND_RST, LIFE_AGAIN_HURRY, TOLD_IN_DETAIL),
    [LIFE_FRAMING] = ROW("framing", 0, 1008, "message does not fit the framing", LIFE_CLIENT_SAY,
                         LIFE_BACKEND_RST, LIFE_AGAIN_HURRY, TOLD_IN_DETAIL),
    [LIFE_TOO_BIG] = ROW("too_big", 0, 1009, "message too big", LIFE_CLIENT_SAY, LIFE_BACKEND_RST,
                         LIFE_AGAIN_HURRY, TOLD_IN_DETAIL),

    [LIFE_RATE] = ROW("rate", 0, 1008, "rate exceeded", LIFE_CLIENT_SAY, LIFE_BACKEND_FIN,
                      LIFE_AGAIN_HURRY, 0),
    [LIFE_AUTH_EXPIRED] = ROW("auth_expired", 0, 1008, "authorisation expired", LIFE_CLIENT_SAY,
                              LIFE_BACKEND_FIN, LIFE_AGAIN_HURRY, 0),
    [LIFE_AUTH_REVOKED] = ROW("auth_revoked", 0, 1008, "authorisation revoked", LIFE_CLIENT_SAY,
                              LIFE_BACKEND_FIN, LIFE_AGAIN_HURRY, TAKEN_BACK),
    [LIFE_KICKED] = ROW("kicked", 0, 1008, "ended by the operator", LIFE_CLIENT_SAY,
                        LIFE_BACKEND_FIN, LIFE_AGAIN_HURRY, TAKEN_BACK),
    [LIFE_IDLE] =
        ROW("idle", 0, 1001, "idle", LIFE_CLIENT_SAY, LIFE_BACKEND_FIN, LIFE_AGAIN_HURRY, 0),
    [LIFE_MAX_AGE] =
        ROW("max_age", 0, 1001, "max age", LIFE_CLIENT_SAY, LIFE_BACKEND_FIN, LIFE_AGAIN_HURRY, 0),
    [LIFE_SHUTDOWN] = ROW("shutdown", 503, 1001, "shutting down", LIFE_CLIENT_SAY, LIFE_BACKEND_FIN,
                          LIFE_AGAIN_HURRY, 0),
    [LIFE_DRAIN] = ROW("drain", 503, 1012, "restarting", LIFE_CLIENT_SAY, LIFE_BACKEND_FIN,
                       LIFE_AGAIN_HURRY, 0),
    [LIFE_INTERNAL] = ROW("internal", 500, 1011, "internal error", LIFE_CLIENT_SAY,
                          LIFE_BACKEND_RST, LIFE_AGAIN_CUT_BOTH, 0),

    [LIFE_TLS_FAILED] =
        ROW("tls_failed", 0, 0, "", LIFE_CLIENT_QUIET, LIFE_BACKEND_NONE, LIFE_AGAIN_HURRY, 0),
    [LIFE_PAGE] = ROW("page", 200, 0, "", LIFE_CLIENT_HTTP, LIFE_BACKEND_NONE, LIFE_AGAIN_HURRY, 0),
    [LIFE_FILES] =
        ROW("files", 0, 0, "", LIFE_CLIENT_QUIET, LIFE_BACKEND_NONE, LIFE_AGAIN_HURRY, 0),
};

const struct life_ending_row *life_ending_row(enum life_ending ending)
{
    assert(ending >= 0 && ending < LIFE_ENDING_COUNT);
    return &rows[ending];
}
