/* SPDX-License-Identifier: GPL-3.0-or-later */
// The certificates in the tests of the client's end, and the contexts made of them.
#ifndef TESTS_UNIT_TLS_CAST_H
#define TESTS_UNIT_TLS_CAST_H

#include "check.h"
#include "tls_ends.h"

enum who { NOBODY = 0, AUTHORITY, STRANGER, GOOD, ADDRESS, EXPIRED, FUTURE, FOREIGN, WHO_COUNT };

/* AUTHORITY signs GOOD, ADDRESS and the two with odd dates; STRANGER signs FOREIGN. */
KIT const struct kit_pair *pair_of(enum who who)
{
    static struct kit_pair pairs[WHO_COUNT];
    if (pairs[AUTHORITY].key[0] == '\0') {
        struct kit_form forms[WHO_COUNT] = {
            [AUTHORITY] = {.names = "ca.example"},
            [STRANGER] = {.names = "other.example"},
            [GOOD] = {.names = "desk.example,*.wild.example", .issuer = &pairs[AUTHORITY]},
            [ADDRESS] = {.names = "10.0.0.5,2001:db8::1", .issuer = &pairs[AUTHORITY]},
            [EXPIRED] = {.names = "desk.example",
                         .issuer = &pairs[AUTHORITY],
                         .first_day = "20100101",
                         .last_day = "20110101"},
            [FUTURE] = {.names = "desk.example",
                        .issuer = &pairs[AUTHORITY],
                        .first_day = "20900101",
                        .last_day = "20910101"},
            [FOREIGN] = {.names = "desk.example", .issuer = &pairs[STRANGER]},
        };
        for (int i = AUTHORITY; i < WHO_COUNT; i++) {
            pairs[i] = kit_make(KIT_EC, &forms[i]);
        }
    }
    return &pairs[who];
}

struct row {
    const char *name;
    enum who server;
    enum who trust;            /* whom the client trusts */
    const char *called;        /* the server's name, as the client says it */
    enum tls_verify verify;    /* what the client checks */
    enum tls_verify asks;      /* what the server checks; it trusts AUTHORITY */
    enum who client;           /* the certificate that the client shows */
    const char *client_detail; /* NULL: the client is content, or learns of the fault later */
    const char *server_detail; /* NULL: the server is content */
    const char *protocols[2];  /* the client's list, the server's list */
    const char *protocol;      /* what both agree on; NULL: nothing */
};

#define CALL(server_, trust_, called_) .server = (server_), .trust = (trust_), .called = (called_)

KIT void set_protocols(struct tls_settings *settings, const char *list, struct span into[2])
{
    struct span rest = span_from_str(list);
    while (settings->protocol_count < 2 && span_next(&rest, ',', &into[settings->protocol_count])) {
        settings->protocol_count++;
    }
    settings->protocols = into;
}

KIT struct tls_context *client_of(const struct row *row, int version)
{
    struct span protocols[2];
    struct tls_pair pair = kit_as_pair(pair_of(row->client));
    struct tls_settings settings = {
        .role = TLS_CLIENT,
        .pairs = &pair,
        .pair_count = row->client == NOBODY ? 0 : 1,
        .trust = span_from_str(pair_of(row->trust)->certificate),
        .verify = row->verify,
    };
    set_protocols(&settings, row->protocols[0], protocols);
    struct tls_context *context = kit_context_of(&settings);
    if (version == WOLFSSL_TLSV1_2) {
        ends_limit(context, &settings);
    }
    return context;
}

KIT struct tls_context *server_of(const struct row *row)
{
    struct span protocols[2];
    struct tls_pair pair = kit_as_pair(pair_of(row->server));
    struct tls_settings settings = {
        .role = TLS_SERVER,
        .pairs = &pair,
        .pair_count = 1,
        .trust = span_from_str(pair_of(AUTHORITY)->certificate),
        .verify = row->asks,
    };
    set_protocols(&settings, row->protocols[1], protocols);
    return kit_context_of(&settings);
}

KIT void check_talk(const char *row, struct ends *e)
{
    e->client.plain.len = 0;
    e->server.plain.len = 0;
    CHECK_EQ_INT(row, end_say(&e->client, "up"), TLS_OK);
    ends_carry(e, &e->client, &e->server);
    CHECK_EQ_INT(row, end_say(&e->server, "down"), TLS_OK);
    ends_carry(e, &e->server, &e->client);
    CHECK_EQ_MEM(row, e->server.plain.data, e->server.plain.len, "up", 2);
    CHECK_EQ_MEM(row, e->client.plain.data, e->client.plain.len, "down", 4);
}

#endif
