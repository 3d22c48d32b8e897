/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The words that a log line has for the parts of a life. */
#include <assert.h>
#include <string.h>

#include "proto/life.h"

const char *life_phase_name(enum life_phase phase)
{
    switch (phase) {
    case LIFE_TLS:
        return "tls";
    case LIFE_REQUEST:
        return "request";
    case LIFE_SERVING:
        return "serving";
    case LIFE_TOKEN:
        return "token";
    case LIFE_DIAL:
        return "dial";
    case LIFE_OPEN:
        return "open";
    case LIFE_HALF_CLOSED:
        return "half_closed";
    case LIFE_CLOSING:
        return "closing";
    case LIFE_ANSWER:
        return "answer";
    case LIFE_LINGER:
        return "linger";
    case LIFE_DEAD:
        return "dead";
    }
    return "unknown";
}

const char *life_side_name(enum life_side side)
{
    switch (side) {
    case LIFE_SIDE_GONE:
        return "gone";
    case LIFE_SIDE_UP:
        return "up";
    case LIFE_SIDE_DRAINING:
        return "draining";
    case LIFE_SIDE_LINGERING:
        return "lingering";
    }
    return "unknown";
}

const char *life_event_name(enum life_event_type type)
{
    switch (type) {
    case LIFE_EV_TLS_DONE:
        return "tls_done";
    case LIFE_EV_REQUEST_OK:
        return "request_ok";
    case LIFE_EV_SERVE:
        return "serve";
    case LIFE_EV_SERVED:
        return "served";
    case LIFE_EV_TOKEN_OK:
        return "token_ok";
    case LIFE_EV_BACKEND_UP:
        return "backend_up";
    case LIFE_EV_END:
        return "end";
    case LIFE_EV_KILL:
        return "kill";
    case LIFE_EV_CLIENT_CLOSE:
        return "client_close";
    case LIFE_EV_CLIENT_EOF:
        return "client_eof";
    case LIFE_EV_CLIENT_CUT:
        return "client_cut";
    case LIFE_EV_CLIENT_RESET:
        return "client_reset";
    case LIFE_EV_CLIENT_FLUSHED:
        return "client_flushed";
    case LIFE_EV_BACKEND_EOF:
        return "backend_eof";
    case LIFE_EV_BACKEND_RESET:
        return "backend_reset";
    case LIFE_EV_BACKEND_FLUSHED:
        return "backend_flushed";
    case LIFE_EV_DEADLINE:
        return "deadline";
    case LIFE_EV_BACKEND_DEADLINE:
        return "backend_deadline";
    case LIFE_EV_COUNT:
        break;
    }
    return "unknown";
}

const char *life_action_name(enum life_action action)
{
    switch (action) {
    case LIFE_DO_DIAL:
        return "dial";
    case LIFE_DO_CANCEL_DIAL:
        return "cancel_dial";
    case LIFE_DO_SEND_HTTP:
        return "send_http";
    case LIFE_DO_ACCEPT_101:
        return "accept_101";
    case LIFE_DO_REFUSE_101:
        return "refuse_101";
    case LIFE_DO_SEND_CLOSE:
        return "send_close";
    case LIFE_DO_BACKEND_ABORT:
        return "backend_abort";
    case LIFE_DO_BACKEND_FINISH:
        return "backend_finish";
    case LIFE_DO_BACKEND_CLOSE:
        return "backend_close";
    case LIFE_DO_CLIENT_ABORT:
        return "client_abort";
    case LIFE_DO_CLIENT_FINISH:
        return "client_finish";
    case LIFE_DO_CLIENT_CLOSE:
        return "client_close";
    case LIFE_DO_RETIRE:
        return "retire";
    case LIFE_DO_SEND_FILE:
        return "send_file";
    }
    return "unknown";
}

const char *life_action_names(unsigned actions, char out[LIFE_ACTION_NAMES_MAX])
{
    size_t len = 0;
    for (unsigned action = LIFE_DO_DIAL; action <= LIFE_DO_RETIRE; action <<= 1) {
        if (actions & action) {
            const char *name = life_action_name((enum life_action)action);
            size_t name_len = strlen(name);
            assert(len + 1 + name_len < LIFE_ACTION_NAMES_MAX);
            if (len > 0) {
                out[len++] = ',';
            }
            memcpy(out + len, name, name_len);
            len += name_len;
        }
    }
    out[len] = '\0';
    return out;
}
