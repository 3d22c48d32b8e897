/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/front.h"

#include "base/host.h"
#include "proto/forwarded.h"

static struct forwarded_trust trust_of(const struct config_listen *listen)
{
    return (struct forwarded_trust){.blocks = listen->trusted_proxies,
                                    .count = listen->trusted_proxy_count};
}

bool front_trusts(const struct config_listen *listen, const struct addr *peer)
{
    const struct forwarded_trust trust = trust_of(listen);
    return forwarded_is_trusted(&trust, peer);
}

static void find(const struct front_question *question, const struct request *request,
                 struct forwarded *out)
{
    const struct forwarded_trust trust = trust_of(question->listen);
    struct forwarded_lines lines;
    struct forwarded_lines hosts;
    struct forwarded_lines schemes;

    switch (question->listen->forwarded) {
    case CONFIG_FORWARDED_X:
        forwarded_collect(request, SPAN_LIT("X-Forwarded-For"), &lines);
        forwarded_collect(request, SPAN_LIT("X-Forwarded-Host"), &hosts);
        forwarded_collect(request, SPAN_LIT("X-Forwarded-Proto"), &schemes);
        forwarded_find(FORWARDED_X, &lines, &hosts, &schemes, question->source, &trust, out);
        break;
    case CONFIG_FORWARDED_RFC7239:
        forwarded_collect(request, SPAN_LIT("Forwarded"), &lines);
        forwarded_find(FORWARDED_RFC7239, &lines, NULL, NULL, question->source, &trust, out);
        break;
    case CONFIG_FORWARDED_OFF:
        *out = (struct forwarded){.end = FORWARDED_PEER, .client = *question->source};
        break;
    }
}

static bool is_one_of(struct span word, struct span a, struct span b)
{
    return span_is_equal_nocase(word, a) || span_is_equal_nocase(word, b);
}

/* What a proxy told besides the address. */
static void take_manner(const struct forwarded *told, struct request *request, struct front *out)
{
    out->is_forwarded = true;
    out->sni = (struct span){NULL, 0}; /* the proxy's own TLS had that one */
    if (is_one_of(told->scheme, SPAN_LIT("https"), SPAN_LIT("wss"))) {
        out->is_secure = true;
    } else if (is_one_of(told->scheme, SPAN_LIT("http"), SPAN_LIT("ws"))) {
        out->is_secure = false;
    }
    /* The scan has split it once. */
    if (told->host.len > 0 && host_split(told->host, &request->host_name, &request->host_port)) {
        request->authority = told->host;
    }
}

void front_read(const struct front_question *question, struct request *request, struct front *out)
{
    struct forwarded told;

    find(question, request, &told);
    *out = (struct front){
        .refusal = LIFE_NOT_ENDED,
        .client = told.client,
        .is_from_trusted_proxy = front_trusts(question->listen, question->source),
        .is_secure = question->is_secure,
        .sni = question->sni,
    };
    switch (told.end) {
    case FORWARDED_PEER:
        break;
    case FORWARDED_HIDDEN:
        out->client.len = 0;
        take_manner(&told, request, out);
        break;
    case FORWARDED_FOUND:
        take_manner(&told, request, out);
        break;
    case FORWARDED_MALFORMED:
    case FORWARDED_TOO_MANY:
        out->refusal = LIFE_BAD_REQUEST;
        out->detail = told.detail;
        break;
    }
}
