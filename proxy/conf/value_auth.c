/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Values of [auth NAME], and where a route looks for a token. */
#include <stdio.h>

#include "base/sigkey.h"
#include "conf/value.h"
#include "io/peer_cert.h"
#include "proto/jwt.h"
#include "proto/token.h"

bool value_read_algorithm(struct span text, struct arena *texts, void *field,
                          const char **out_detail)
{
    (void)texts;
    *out_detail = "HS256, RS256, PS256, ES256, ES384 or Ed25519 (also called EdDSA)";
    return sigkey_alg_parse(text, field);
}

struct span value_show_algorithm(const void *field, char scratch[VALUE_BYTES_MAX + 1])
{
    const enum sigkey_alg *alg = field;

    (void)scratch;
    return span_from_str(sigkey_alg_name(*alg));
}

bool value_read_requirement(struct span text, struct arena *texts, void *field,
                            const char **out_detail)
{
    (void)texts;
    *out_detail = "CLAIM:VALUE or CLAIM=VALUE, such as role:operator";
    return jwt_requirement_parse(text, field);
}

/* With "=", because a claim may have colons in its name, and a value too. */
struct span value_show_requirement(const void *field, char scratch[VALUE_BYTES_MAX + 1])
{
    const struct jwt_requirement *requirement = field;

    snprintf(scratch, VALUE_BYTES_MAX + 1, "%.*s=%.*s", (int)requirement->claim.len,
             requirement->claim.data, (int)requirement->value.len, requirement->value.data);
    return span_from_str(scratch);
}

bool value_read_token_source(struct span text, struct arena *texts, void *field,
                             const char **out_detail)
{
    (void)texts;
    *out_detail = "subprotocol, cookie:NAME, query:NAME, bearer, basic, header:NAME or "
                  "first_message";
    return token_source_parse(text, field);
}

bool value_read_client_name(struct span text, struct arena *texts, void *field,
                            const char **out_detail)
{
    *out_detail = peer_cert_pattern_fault(text);
    return *out_detail == NULL && value_read_text(text, texts, field, out_detail);
}

static const char *place_word(enum token_place place)
{
    switch (place) {
    case TOKEN_SUBPROTOCOL:
        return "subprotocol";
    case TOKEN_COOKIE:
        return "cookie";
    case TOKEN_QUERY:
        return "query";
    case TOKEN_BEARER:
        return "bearer";
    case TOKEN_BASIC:
        return "basic";
    case TOKEN_HEADER:
        return "header";
    case TOKEN_FIRST_MESSAGE:
    case TOKEN_PLACES:
        break;
    }
    return "first_message";
}

struct span value_show_token_source(const void *field, char scratch[VALUE_BYTES_MAX + 1])
{
    const struct token_source *source = field;

    snprintf(scratch, VALUE_BYTES_MAX + 1, "%s%s%.*s", place_word(source->place),
             source->name.len > 0 ? ":" : "", (int)source->name.len,
             source->name.len > 0 ? source->name.data : "");
    return span_from_str(scratch);
}
