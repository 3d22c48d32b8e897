/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who may read the pages of [health] and [admin], and who may write. */
#include "base/host.h"
#include "gate/page_parts.h"

static bool is_own_host(const struct config_listen *listen, struct span host)
{
    if (host.len == 0 || host_is_local_or_address(host)) {
        return true; /* a browser always names a host */
    }
    for (size_t i = 0; i < listen->host_count; i++) {
        if (host_match(listen->hosts[i], host) != HOST_DIFFERS) {
            return true;
        }
    }
    return false;
}

/* The origin of a page that this very listener has served. */
static bool is_own_origin(const struct request *request, struct span origin)
{
    static const struct span scheme = SPAN_LIT("http://");
    return span_starts_with(origin, scheme) &&
           span_is_equal_nocase((struct span){origin.data + scheme.len, origin.len - scheme.len},
                                request->authority);
}

static bool is_from_own_page(const struct request *request)
{
    struct span value;
    size_t at = 0;
    while (request_next_header(request, SPAN_LIT("Origin"), &at, &value)) {
        if (!is_own_origin(request, value)) {
            return false;
        }
    }
    at = 0;
    /* "none": the user has typed the address, or keeps it as a bookmark. */
    while (request_next_header(request, SPAN_LIT("Sec-Fetch-Site"), &at, &value)) {
        if (!span_is_equal(value, SPAN_LIT("same-origin")) &&
            !span_is_equal(value, SPAN_LIT("none"))) {
            return false;
        }
    }
    return true;
}

bool page_is_asked_by_right(const struct page_question *question, struct page *out)
{
    const struct request *request = question->request;

    if (!is_own_host(question->listen, request->host_name)) {
        page_text(out, 421,
                  SPAN_LIT("this is no name of this server: ask by its address, or add the name "
                           "to `hosts` of the section that has this address\n"));
        out->detail = "Host is no address and not in `hosts` of the section";
        return false;
    }
    if (!is_from_own_page(request)) {
        page_text(out, 403, SPAN_LIT("pages of other origins may not read this\n"));
        out->detail = "a page of another origin asks";
        return false;
    }
    return true;
}

/* Takes as long wherever the two differ. */
static bool is_token(struct span wanted, struct span given)
{
    unsigned difference = wanted.len != given.len;
    for (size_t i = 0; i < given.len; i++) {
        difference |= (unsigned char)given.data[i] ^ (unsigned char)wanted.data[i % wanted.len];
    }
    return difference == 0;
}

/* RFC 6750 2.1 */
static bool has_token(const struct page_question *question)
{
    static const struct span scheme = SPAN_LIT("Bearer ");
    struct span value;
    struct span second;
    size_t at = 0;

    return request_next_header(question->request, SPAN_LIT("Authorization"), &at, &value) &&
           !request_next_header(question->request, SPAN_LIT("Authorization"), &at, &second) &&
           value.len > scheme.len &&
           span_is_equal_nocase((struct span){value.data, scheme.len}, scheme) &&
           is_token(question->listen->token,
                    span_trim((struct span){value.data + scheme.len, value.len - scheme.len}));
}

bool page_may_write(const struct page_question *question, struct page *out)
{
    const struct config_listen *listen = question->listen;

    if (listen->token.len > 0) {
        if (!has_token(question)) {
            page_text(out, 401, SPAN_LIT("bring the token: Authorization: Bearer TOKEN\n"));
            out->detail = "whoever wants to write does not bring the token";
            return false;
        }
    } else if (listen->address.u.sa.sa_family != AF_UNIX) {
        page_text(out, 403, SPAN_LIT("[admin] has no token_file, so nobody may write here\n"));
        out->detail = "[admin] has no token_file, so nobody may write";
        return false;
    }
    return true;
}
