/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session_heads.h: the request heads of the fuzzed client, made of parts. */
#ifndef FUZZ_SESSION_HEADS_H
#define FUZZ_SESSION_HEADS_H

#include "session_fakes.h"

#define HEAD_MAX 16384
#define LONG_VALUE_BYTES 9000

/* The parts of a head; each number counts modulo its table. */
struct head_parts {
    uint8_t route; /* an index; behind the last one: a path that no route has */
    bool is_token_first;
    uint8_t flaw;
    uint8_t extensions;
    uint8_t subprotocols;
    uint8_t origin;
};

static const char *const head_extensions[] = {
    "",
    "Sec-WebSocket-Extensions: permessage-deflate\r\n",
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
    "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9; "
    "client_max_window_bits=10\r\n",
    "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; "
    "server_no_context_takeover\r\n",
    "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=8\r\n",
    "Sec-WebSocket-Extensions: x-other\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; nonsense, permessage-deflate; "
    "server_max_window_bits=\"11\"\r\n",
    "Sec-WebSocket-Extensions: permessage-deflate; ;\r\n",
};

static const char *const head_subprotocols[] = {
    "",
    "Sec-WebSocket-Protocol: base64\r\n",
    "Sec-WebSocket-Protocol: binary\r\n",
    "Sec-WebSocket-Protocol: chat, base64\r\n",
    "Sec-WebSocket-Protocol: chat\r\n",
};

static const char *const head_origins[] = {"", "Origin: https://ok.example\r\n",
                                           "Origin: https://no.example\r\n", "Origin: null\r\n"};

enum head_flaw {
    HEAD_GOOD = 0,
    HEAD_POST,
    HEAD_OLD_VERSION,
    HEAD_NO_UPGRADE,
    HEAD_NO_KEY,
    HEAD_BARE_LF,
    HEAD_TOO_BIG,
    HEAD_PAGE,
    HEAD_BYTES_BEHIND,
    HEAD_CUT_OFF,
    HEAD_FLAW_COUNT
};

static const struct config_route *route_for(const struct head_parts *parts)
{
    return &routes[parts->route + (parts->is_token_first ? ROUTE_COUNT : 0)];
}

/* Returns the length of the head. */
static size_t head_write(const struct head_parts *parts, char out[HEAD_MAX])
{
    enum head_flaw flaw = (enum head_flaw)(parts->flaw % HEAD_FLAW_COUNT);
    char path[] = "/?";
    path[1] = parts->route < ROUTE_COUNT ? route_for(parts)->policy.path.data[1] : '-';
    int len = snprintf(
        out, HEAD_MAX,
        "%s %s HTTP/1.1\r\nHost: example.com%s\r\n%s%sSec-WebSocket-Version: "
        "%s\r\n%s%s%s%s%*s\r\n%s",
        flaw == HEAD_POST ? "POST" : "GET", flaw == HEAD_PAGE ? "/" : path,
        flaw == HEAD_BARE_LF ? "\n" : "",
        flaw == HEAD_NO_UPGRADE || flaw == HEAD_PAGE
            ? ""
            : "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n",
        flaw == HEAD_NO_KEY ? "" : "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        flaw == HEAD_OLD_VERSION ? "8" : "13", head_extensions[parts->extensions % 8],
        head_subprotocols[parts->subprotocols % 5], head_origins[parts->origin % 4],
        flaw == HEAD_TOO_BIG ? "X-Long: " : "", flaw == HEAD_TOO_BIG ? LONG_VALUE_BYTES : 0,
        flaw == HEAD_TOO_BIG ? "x\r\n" : "", flaw == HEAD_BYTES_BEHIND ? "behind" : "");
    expect(len > 0 && len < HEAD_MAX, "a head that fits");
    return flaw == HEAD_CUT_OFF ? (size_t)len / 2 : (size_t)len;
}

static bool is_refusal_due(const struct head_parts *parts, const struct config_route *route)
{
    return world.context.is_draining || world.context.scoreboard->slots[1].sessions_now > 0 ||
           (route->policy.origins == &one_origin && parts->origin % 4 != 1) ||
           route->policy.deny_count > 0 ||
           (route->policy.subprotocol_count > 0 && parts->subprotocols % 5 == 0) ||
           (route->is_deflate && parts->extensions % 8 == 7);
}

/* Tells the model what follows from a good head. */
static void head_model(const struct head_parts *parts)
{
    if (parts->flaw % HEAD_FLAW_COUNT != HEAD_GOOD || parts->route >= ROUTE_COUNT) {
        model_spoil();
        return;
    }
    const struct config_route *route = route_for(parts);
    bool is_base64 = route->policy.subprotocol_count > 0 && parts->subprotocols % 5 % 2 == 1;
    model_route(route, is_base64 ? SHAPE_BASE64 : route->payload);
    model.is_refused = is_refusal_due(parts, route);
    wire.is_key_known = true;
}

#endif
