/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>

#include "proto/life.h"

/* One row per ending. Where the same ending can come before and after the 101, `http_status` and
 * `close_code` are both given; which of them is used follows from the phase. */
static const struct life_ending_row rows[LIFE_ENDING_COUNT] = {
    [LIFE_NOT_ENDED] = {"none", 0, 0, LIFE_CLIENT_QUIET, LIFE_BACKEND_NONE, ""},

    [LIFE_NO_ROUTE] = {"no_route", 404, 1008, LIFE_CLIENT_SAY, LIFE_BACKEND_NONE, "no such route"},
    [LIFE_ORIGIN] = {"origin", 403, 1008, LIFE_CLIENT_SAY, LIFE_BACKEND_NONE, "origin not allowed"},
    [LIFE_SUBPROTOCOL] = {"subprotocol", 400, 1008, LIFE_CLIENT_SAY, LIFE_BACKEND_NONE,
                          "no acceptable subprotocol"},
    [LIFE_SOURCE] = {"source", 403, 1008, LIFE_CLIENT_SAY, LIFE_BACKEND_NONE,
                     "address not allowed"},
    [LIFE_AUTH] = {"auth", 401, 1008, LIFE_CLIENT_SAY, LIFE_BACKEND_NONE, "not authorised"},
    [LIFE_LIMIT_SOURCE] = {"limit_source", 429, 1013, LIFE_CLIENT_SAY, LIFE_BACKEND_NONE,
                           "too many sessions from this address"},
    [LIFE_FULL] = {"full", 503, 1013, LIFE_CLIENT_SAY, LIFE_BACKEND_NONE, "try again later"},

    [LIFE_BACKEND_REFUSED] = {"backend_refused", 502, 1011, LIFE_CLIENT_SAY, LIFE_BACKEND_NONE,
                              "backend unavailable"},
    [LIFE_BACKEND_TIMEOUT] = {"backend_timeout", 504, 1011, LIFE_CLIENT_SAY, LIFE_BACKEND_NONE,
                              "backend unavailable"},
    [LIFE_BACKEND_NAME] = {"backend_name", 502, 1011, LIFE_CLIENT_SAY, LIFE_BACKEND_NONE,
                           "backend unavailable"},
    [LIFE_BACKEND_TLS] = {"backend_tls", 502, 1011, LIFE_CLIENT_SAY, LIFE_BACKEND_NONE,
                          "backend unavailable"},
    [LIFE_BACKEND_RESET] = {"backend_reset", 502, 1011, LIFE_CLIENT_SAY, LIFE_BACKEND_NONE,
                            "backend reset"},
    [LIFE_BACKEND_CLOSE] = {"backend_close", 502, 1000, LIFE_CLIENT_SAY, LIFE_BACKEND_FIN,
                            "backend closed"},
    [LIFE_BACKEND_STALLED] = {"backend_stalled", 0, 1011, LIFE_CLIENT_SAY, LIFE_BACKEND_RST,
                              "backend stalled"},
    [LIFE_BACKEND_DATA] = {"backend_data", 0, 1011, LIFE_CLIENT_SAY, LIFE_BACKEND_RST,
                           "backend data does not fit"},

    [LIFE_BAD_REQUEST] = {"bad_request", 400, 0, LIFE_CLIENT_HTTP, LIFE_BACKEND_NONE, ""},
    [LIFE_HEAD_TOO_BIG] = {"head_too_big", 431, 0, LIFE_CLIENT_HTTP, LIFE_BACKEND_NONE, ""},
    [LIFE_HEAD_TOO_SLOW] = {"head_too_slow", 408, 0, LIFE_CLIENT_HTTP, LIFE_BACKEND_NONE, ""},

    [LIFE_CLIENT_CLOSE] = {"client_close", 0, 0, LIFE_CLIENT_ECHO, LIFE_BACKEND_FIN, ""},
    [LIFE_CLIENT_EOF] = {"client_eof", 0, 0, LIFE_CLIENT_QUIET, LIFE_BACKEND_FIN, ""},
    [LIFE_CLIENT_RESET] = {"client_reset", 0, 0, LIFE_CLIENT_RST, LIFE_BACKEND_RST, ""},
    [LIFE_CLIENT_LOST] = {"client_lost", 0, 0, LIFE_CLIENT_RST, LIFE_BACKEND_RST, ""},
    [LIFE_CLIENT_STALLED] = {"client_stalled", 0, 0, LIFE_CLIENT_RST, LIFE_BACKEND_RST, ""},
    [LIFE_PROTOCOL] = {"protocol", 0, 1002, LIFE_CLIENT_SAY, LIFE_BACKEND_RST, "protocol error"},
    [LIFE_BAD_CLOSE] = {"bad_close", 0, 1002, LIFE_CLIENT_SAY, LIFE_BACKEND_RST, "bad close frame"},
    [LIFE_OPCODE] = {"opcode", 0, 1003, LIFE_CLIENT_SAY, LIFE_BACKEND_RST,
                     "message type not accepted"},
    [LIFE_BAD_TEXT] = {"bad_text", 0, 1007, LIFE_CLIENT_SAY, LIFE_BACKEND_RST, "text is not UTF-8"},
    [LIFE_FRAMING] = {"framing", 0, 1008, LIFE_CLIENT_SAY, LIFE_BACKEND_RST,
                      "message does not fit the framing"},
    [LIFE_TOO_BIG] = {"too_big", 0, 1009, LIFE_CLIENT_SAY, LIFE_BACKEND_RST, "message too big"},

    [LIFE_RATE] = {"rate", 0, 1008, LIFE_CLIENT_SAY, LIFE_BACKEND_FIN, "rate exceeded"},
    [LIFE_AUTH_EXPIRED] = {"auth_expired", 0, 1008, LIFE_CLIENT_SAY, LIFE_BACKEND_FIN,
                           "authorisation expired"},
    [LIFE_KICKED] = {"kicked", 0, 1008, LIFE_CLIENT_SAY, LIFE_BACKEND_FIN, "ended by the operator"},
    [LIFE_IDLE] = {"idle", 0, 1001, LIFE_CLIENT_SAY, LIFE_BACKEND_FIN, "idle"},
    [LIFE_MAX_AGE] = {"max_age", 0, 1001, LIFE_CLIENT_SAY, LIFE_BACKEND_FIN, "max age"},
    [LIFE_SHUTDOWN] = {"shutdown", 503, 1001, LIFE_CLIENT_SAY, LIFE_BACKEND_FIN, "shutting down"},
    [LIFE_DRAIN] = {"drain", 503, 1012, LIFE_CLIENT_SAY, LIFE_BACKEND_FIN, "restarting"},
    [LIFE_INTERNAL] = {"internal", 500, 1011, LIFE_CLIENT_SAY, LIFE_BACKEND_RST, "internal error"},

    [LIFE_TLS_FAILED] = {"tls_failed", 0, 0, LIFE_CLIENT_QUIET, LIFE_BACKEND_NONE, ""},
    [LIFE_PAGE] = {"page", 200, 0, LIFE_CLIENT_HTTP, LIFE_BACKEND_NONE, ""},
};

const struct life_ending_row *life_ending_row(enum life_ending ending)
{
    assert(ending >= 0 && ending < LIFE_ENDING_COUNT);
    return &rows[ending];
}
