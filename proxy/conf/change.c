/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/change.h"

#include <string.h>

#include "conf/key.h"

struct list_value {
    const char *items;
    size_t count;
};

static struct list_value list_of(const struct key *key, const void *base)
{
    struct list_value list;

    memcpy(&list.items, (const char *)base + key->offset, sizeof(list.items));
    memcpy(&list.count, (const char *)base + key->count_offset, sizeof(list.count));
    return list;
}

static bool is_shown_same(const struct key *key, const void *a, const void *b)
{
    char scratch_a[VALUE_BYTES_MAX + 1];
    char scratch_b[VALUE_BYTES_MAX + 1];

    return span_is_equal(key->show(a, scratch_a), key->show(b, scratch_b));
}

static bool is_key_same(const struct key *key, const void *a, const void *b)
{
    if (key_is_number(key)) {
        return key_load(key, a) == key_load(key, b);
    }
    if (key->type != KEY_TYPE_LIST) {
        return is_shown_same(key, (const char *)a + key->offset, (const char *)b + key->offset);
    }
    struct list_value one = list_of(key, a);
    struct list_value other = list_of(key, b);
    bool is_same = one.count == other.count;

    for (size_t i = 0; is_same && i < one.count; i++) {
        is_same = is_shown_same(key, one.items + i * key->width, other.items + i * key->width);
    }
    return is_same;
}

/* How many keys of a section differ. */
static size_t count_keys(enum key_section section, const void *a, const void *b)
{
    size_t count = 0;

    for (size_t i = 0; i < key_count(); i++) {
        const struct key *key = key_at(i);

        count += key_is_at_home(key, section) && !is_key_same(key, a, b) ? 1 : 0;
    }
    return count;
}

bool change_is_route_same(const struct config_route *a, const struct config_route *b)
{
    return span_is_equal(a->policy.name, b->policy.name) && count_keys(KEY_ROUTE, a, b) == 0;
}

bool change_is_tls_same(const struct config_listen *a, const struct config_listen *b)
{
    bool is_same = a->is_tls == b->is_tls && a->pair_count == b->pair_count &&
                   a->tls_min_version == b->tls_min_version && a->client == b->client &&
                   span_is_equal(a->client_ca, b->client_ca) &&
                   a->client_crl_count == b->client_crl_count;

    for (size_t i = 0; is_same && i < a->client_crl_count; i++) {
        is_same = span_is_equal(a->client_crls[i], b->client_crls[i]);
    }
    for (size_t i = 0; is_same && i < a->pair_count; i++) {
        is_same = span_is_equal(a->pairs[i].certificate, b->pairs[i].certificate) &&
                  span_is_equal(a->pairs[i].key, b->pairs[i].key);
    }
    return is_same;
}

bool change_is_socket_same(const struct config_listen *a, const struct config_listen *b)
{
    return addr_is_equal(&a->address, &b->address) &&
           (addr_port(&a->address) != 0 || span_is_equal(a->name, b->name));
}

size_t change_find_route(const struct config *config, struct span name, size_t hint)
{
    for (size_t i = 0; i < config->route_count; i++) {
        size_t at = (hint + i) % config->route_count;

        if (span_is_equal(config->routes[at].policy.name, name)) {
            return at;
        }
    }
    return config->route_count;
}

size_t change_find_listen(const struct config *config, const struct config_listen *like,
                          size_t hint)
{
    for (size_t i = 0; i < config->listen_count; i++) {
        size_t at = (hint + i) % config->listen_count;

        if (change_is_socket_same(&config->listens[at], like)) {
            return at;
        }
    }
    return config->listen_count;
}

static bool is_listen_same(const struct config_listen *a, const struct config_listen *b)
{
    static const enum key_section sections[] = {
        [CONFIG_LISTEN_PUBLIC] = KEY_LISTEN,
        [CONFIG_LISTEN_HEALTH] = KEY_HEALTH,
        [CONFIG_LISTEN_ADMIN] = KEY_ADMIN,
    };

    return a->kind == b->kind && span_is_equal(a->name, b->name) && change_is_tls_same(a, b) &&
           span_is_equal(a->token, b->token) && count_keys(sections[a->kind], a, b) == 0;
}

void change_count(const struct config *before, const struct config *now, struct change *out)
{
    size_t listens_kept = 0;
    size_t routes_kept = 0;

    *out = (struct change){.server = count_keys(KEY_SERVER, before, now)};
    for (size_t i = 0; i < now->listen_count; i++) {
        size_t at = change_find_listen(before, &now->listens[i], i);

        if (at < before->listen_count) {
            listens_kept++;
            out->listens_changed += !is_listen_same(&before->listens[at], &now->listens[i]);
        }
    }
    for (size_t i = 0; i < now->route_count; i++) {
        size_t at = change_find_route(before, now->routes[i].policy.name, i);

        if (at < before->route_count) {
            routes_kept++;
            out->routes_changed += !change_is_route_same(&before->routes[at], &now->routes[i]);
        }
    }
    out->listens_new = now->listen_count - listens_kept;
    out->listens_gone = before->listen_count - listens_kept;
    out->routes_new = now->route_count - routes_kept;
    out->routes_gone = before->route_count - routes_kept;
}
