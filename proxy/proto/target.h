/* SPDX-License-Identifier: GPL-3.0-or-later */
/* target.h: one service that a client may choose, and whether sluice may connect to it.
 *
 * For: reading HOST:PORT, tcp://, tls:// and unix: as target files write them; judging an address
 * by target_allow and target_deny. Not for: files of targets and what a request chooses from them
 * (targets), looking names up. Pure.
 *
 * A host stands there in its one good spelling (base/host.h), or the text is no target: octal and
 * hexadecimal numbers, short forms, zone ids and percent-encoding never reach a resolver. Whatever
 * a name leads to is judged when it is known, and sluice connects to that very address. */
#ifndef PROTO_TARGET_H
#define PROTO_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/span.h"

struct target {
    bool is_unix;
    bool is_tls;
    struct span host;    /* not Unix: a name or an address without brackets; points into the text */
    uint16_t port;       /* not Unix */
    bool is_literal;     /* not Unix: `address` is set, no name to look up */
    struct addr address; /* literal or Unix */
};

/* Reads a text without blanks around it. NULL: *out is the target; else a constant text that names
 * the mistake. */
MUST_CHECK const char *target_parse(struct span text, struct target *out);

/* One entry of target_allow or target_deny: a network, or unix:PATH. A path that ends in a slash
 * stands for all below it. */
struct target_rule {
    struct addr_cidr network; /* of family AF_UNIX: `path` counts */
    struct span path;
};
/* False: the text is no entry. */
MUST_CHECK bool target_rule_parse(struct span text, struct target_rule *out);

struct target_rules {
    struct target_rule *allow; /* none: all global addresses, and no Unix socket */
    size_t allow_count;
    struct target_rule *deny; /* wins over allow */
    size_t deny_count;
};

/* NULL: sluice may connect to the address; else a constant text that says why not.
 *
 * Where there are entries in `allow`, one must contain the address. What is not global needs an
 * entry that is no wider than the block of its class (base/addr_class.h): 10.0.0.0/8 allows private
 * addresses, 0.0.0.0/0 does not, and metadata addresses stand there one by one. An IPv4 address
 * that `to` carries (addr_embedded) must not be denied, and must be global or allowed so too. */
const char *target_judge(const struct target_rules *rules, const struct addr *to);

#endif
