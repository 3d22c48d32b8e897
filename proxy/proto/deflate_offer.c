/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdio.h>

#include "proto/deflate.h"

#define BITS_MIN 8
#define BITS_MAX 15

enum offer_name {
    OFFER_SERVER_NO_TAKEOVER,
    OFFER_CLIENT_NO_TAKEOVER,
    OFFER_SERVER_BITS,
    OFFER_CLIENT_BITS,
    OFFER_UNKNOWN
};

static const struct span names[] = {
    [OFFER_SERVER_NO_TAKEOVER] = {"server_no_context_takeover", 26},
    [OFFER_CLIENT_NO_TAKEOVER] = {"client_no_context_takeover", 26},
    [OFFER_SERVER_BITS] = {"server_max_window_bits", 22},
    [OFFER_CLIENT_BITS] = {"client_max_window_bits", 22},
};

/* "name" or "name=value". */
struct offer_param {
    struct span name;
    bool has_value;
    struct span value; /* without the quotes, but with the backslashes */
};

/* One element of the list; is_declined: we cannot accept it. */
struct offer {
    bool is_declined;
    bool has[OFFER_UNKNOWN];
    uint8_t server_bits;
    uint8_t client_bits; /* 0: the parameter has no number */
};

/* --- grammar --------------------------------------------------------------------------------*/

static void skip(struct span *s, size_t len)
{
    s->data += len;
    s->len -= len;
}

/* RFC 6455 uses the grammar of RFC 2616, where blanks may stand between any two words. */
static void skip_blanks(struct span *s)
{
    while (s->len > 0 && (s->data[0] == ' ' || s->data[0] == '\t')) {
        skip(s, 1);
    }
}

static bool take_char(struct span *s, char c)
{
    skip_blanks(s);
    if (s->len == 0 || s->data[0] != c) {
        return false;
    }
    skip(s, 1);
    return true;
}

static bool take_token(struct span *s, struct span *out)
{
    skip_blanks(s);
    size_t len = 0;
    while (len < s->len && span_is_token((struct span){s->data + len, 1})) {
        len++;
    }
    *out = (struct span){s->data, len};
    skip(s, len);
    return len > 0;
}

/* This byte may stand in a quoted string or behind its backslash (RFC 9110 5.6.4). */
static bool is_quotable(char c)
{
    unsigned char byte = (unsigned char)c;
    return byte == '\t' || (byte >= ' ' && byte != 0x7f);
}

/* Takes what stands behind the opening quote, up to the closing one. */
static bool take_quoted(struct span *s, struct span *out)
{
    for (size_t i = 0; i < s->len && is_quotable(s->data[i]); i++) {
        if (s->data[i] == '"') {
            *out = (struct span){s->data, i};
            skip(s, i + 1);
            return true;
        }
        if (s->data[i] == '\\') {
            i++;
            if (i == s->len || !is_quotable(s->data[i])) {
                return false;
            }
        }
    }
    return false;
}

static bool take_param(struct span *s, struct offer_param *out)
{
    if (!take_token(s, &out->name)) {
        return false;
    }
    out->has_value = take_char(s, '=');
    if (!out->has_value) {
        return true;
    }
    return take_char(s, '"') ? take_quoted(s, &out->value) : take_token(s, &out->value);
}

/* --- meaning --------------------------------------------------------------------------------*/

static enum offer_name name_of(struct span text)
{
    for (size_t i = 0; i < OFFER_UNKNOWN; i++) {
        if (span_is_equal(text, names[i])) {
            return (enum offer_name)i;
        }
    }
    return OFFER_UNKNOWN;
}

/* A number from 8 to 15 without leading zeros; 0 for all other text. */
static uint8_t bits_of(struct span value)
{
    unsigned int bits = 0;
    for (size_t i = 0; i < value.len; i++) {
        /* A token has no backslash, so this value was quoted and the next byte means itself. */
        i += value.data[i] == '\\';
        unsigned int digit = (unsigned int)(unsigned char)value.data[i] - '0';
        bits = bits * 10 + digit;
        if (digit > 9 || bits == 0 || bits > BITS_MAX) {
            return 0;
        }
    }
    return (uint8_t)(bits < BITS_MIN ? 0 : bits);
}

static void offer_add(struct offer *offer, const struct offer_param *param)
{
    enum offer_name name = name_of(param->name);
    uint8_t bits = param->has_value ? bits_of(param->value) : 0;
    if (name == OFFER_UNKNOWN || offer->has[name]) {
        offer->is_declined = true;
        return;
    }
    offer->has[name] = true;
    switch (name) {
    case OFFER_SERVER_NO_TAKEOVER:
    case OFFER_CLIENT_NO_TAKEOVER:
        offer->is_declined |= param->has_value;
        break;
    case OFFER_SERVER_BITS:
        offer->server_bits = bits;
        offer->is_declined |= bits == 0;
        break;
    case OFFER_CLIENT_BITS:
        offer->client_bits = bits;
        offer->is_declined |= param->has_value && bits == 0;
        break;
    case OFFER_UNKNOWN:
        break;
    }
}

/* Takes one element, up to the comma behind it. False: the element is malformed. */
static bool take_offer(struct span *s, struct offer *out)
{
    struct span extension;
    struct offer_param param;
    *out = (struct offer){.is_declined = true};
    if (!take_token(s, &extension)) {
        return false;
    }
    out->is_declined = !span_is_equal(extension, SPAN_LIT("permessage-deflate"));
    while (take_char(s, ';')) {
        if (!take_param(s, &param)) {
            return false;
        }
        offer_add(out, &param);
    }
    return s->len == 0 || s->data[0] == ',';
}

static struct deflate_params params_of(const struct offer *offer,
                                       const struct deflate_settings *settings)
{
    struct deflate_params params = {.server_bits = BITS_MAX, .client_bits = BITS_MAX};
    bool is_anew = !settings->is_takeover;
    params.is_server_no_takeover = is_anew || offer->has[OFFER_SERVER_NO_TAKEOVER];
    params.is_client_no_takeover = is_anew || offer->has[OFFER_CLIENT_NO_TAKEOVER];
    if (offer->has[OFFER_SERVER_BITS]) {
        params.has_server_bits = true;
        params.server_bits = offer->server_bits;
    }
    if (offer->has[OFFER_CLIENT_BITS]) {
        uint8_t most = offer->client_bits == 0 ? BITS_MAX : offer->client_bits;
        params.client_bits = most < settings->window_bits ? most : settings->window_bits;
        params.has_client_bits = offer->client_bits != 0 || params.client_bits < BITS_MAX;
    }
    return params;
}

enum deflate_agreement deflate_negotiate(const struct deflate_settings *settings, struct span value,
                                         struct deflate_params *out)
{
    enum deflate_agreement result = DEFLATE_NONE;
    for (;;) {
        struct offer offer;
        while (take_char(&value, ',')) {
        }
        if (value.len == 0) {
            return result;
        }
        if (!take_offer(&value, &offer)) {
            return DEFLATE_MALFORMED;
        }
        if (result == DEFLATE_NONE && !offer.is_declined) {
            *out = params_of(&offer, settings);
            result = DEFLATE_AGREED;
        }
    }
}

size_t deflate_response(const struct deflate_params *params, char out[DEFLATE_RESPONSE_MAX])
{
    char server_bits[32] = "";
    char client_bits[32] = "";
    if (params->has_server_bits) {
        snprintf(server_bits, sizeof(server_bits), "; server_max_window_bits=%u",
                 params->server_bits);
    }
    if (params->has_client_bits) {
        snprintf(client_bits, sizeof(client_bits), "; client_max_window_bits=%u",
                 params->client_bits);
    }
    int len = snprintf(out, DEFLATE_RESPONSE_MAX, "permessage-deflate%s%s%s%s",
                       params->is_server_no_takeover ? "; server_no_context_takeover" : "",
                       params->is_client_no_takeover ? "; client_no_context_takeover" : "",
                       server_bits, client_bits);
    assert(len > 0 && len < DEFLATE_RESPONSE_MAX);
    return (size_t)len;
}
