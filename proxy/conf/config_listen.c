/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_listen.c: [listen NAME] sections, and the files they name. */
#include <stdio.h>
#include <string.h>

#include "conf/config_build.h"
#include "conf/config_draft.h"
#include "conf/config_keys.h"
#include "io/tls_proof.h"

void config_build_prove(struct config_build *build, const struct config_pair *pair,
                        enum config_tls_version version, unsigned line)
{
    struct tls_pair one = {pair->certificate, pair->key};
    const char *detail = tls_proof_run(&one, version == CONFIG_TLS_1_3 ? TLS_1_3 : TLS_1_2);

    if (detail != NULL) {
        config_report_add(build->report, line, "%.*s with %.*s: %s",
                          CONFIG_SHOW(pair->certificate_path), CONFIG_SHOW(pair->key_path), detail);
    }
}

static bool read_pem(struct config_build *build, const struct config_item *item, struct span *out)
{
    const char *problem;

    if (config_file_read(item->text.data, build->texts, out, &problem)) {
        return true;
    }
    config_report_add(build->report, item->line, "cannot read %s: %s", item->text.data, problem);
    return false;
}

/* Certificates and keys belong together by their place in the lists. Every file is tried, so that
 * all that are missing are named at once. */
static void build_pairs(struct config_build *build, const struct config_value *certificates,
                        const struct config_value *keys, struct config_listen *listen)
{
    const struct config_item *certificate = certificates->items;
    const struct config_item *key = keys->items;
    size_t count = certificates->count > keys->count ? certificates->count : keys->count;

    listen->pairs = config_build_array(build, count, sizeof(*listen->pairs));
    if (listen->pairs == NULL) {
        return;
    }
    while (certificate != NULL || key != NULL) {
        struct config_pair *pair = &listen->pairs[listen->pair_count++];
        bool is_read = certificate != NULL && key != NULL;

        if (certificate != NULL) {
            pair->certificate_path = certificate->text;
            pair->line = certificate->line;
            is_read &= read_pem(build, certificate, &pair->certificate);
            certificate = certificate->next;
        }
        if (key != NULL) {
            pair->key_path = key->text;
            is_read &= read_pem(build, key, &pair->key);
            key = key->next;
        }
        if (is_read) {
            config_build_prove(build, pair, listen->tls_min_version, pair->line);
        }
    }
}

static void build_tls(struct config_build *build, const struct config_section *section,
                      struct config_listen *listen)
{
    const struct config_value *certificates = config_section_value(section, "tls_certificate");
    const struct config_value *keys = config_section_value(section, "tls_key");
    const struct config_value *version = config_section_value(section, "tls_min_version");

    listen->is_tls = certificates->line != 0 || keys->line != 0;
    if (!listen->is_tls) {
        if (version->line != 0) {
            config_report_add(build->report, version->line,
                              "'tls_min_version' without tls_certificate and tls_key: this "
                              "listener would speak plain ws://");
        }
        return;
    }
    if (certificates->line == 0) {
        config_report_add(build->report, keys->line, "'tls_key' without tls_certificate");
    } else if (keys->line == 0) {
        config_report_add(build->report, certificates->line, "'tls_certificate' without tls_key");
    } else if (certificates->count != keys->count) {
        config_report_add(build->report, keys->line,
                          "tls_certificate names %zu file%s, tls_key names %zu: each certificate "
                          "needs its key, in the same order",
                          certificates->count, certificates->count == 1 ? "" : "s", keys->count);
    }
    build_pairs(build, certificates, keys, listen);
}

static void check_address_is_new(struct config_build *build, const struct config_listen *listen,
                                 unsigned line)
{
    for (size_t i = 0; i < build->config->listen_count; i++) {
        const struct config_listen *other = &build->config->listens[i];

        if (other->address.len != 0 && addr_port(&listen->address) != 0 &&
            addr_is_equal(&other->address, &listen->address)) {
            char text[ADDR_TEXT_MAX];

            config_report_add(build->report, line,
                              "%s is already the address of [listen %.*s] (line %u)",
                              addr_print(&listen->address, text, sizeof(text)),
                              CONFIG_SHOW(other->name), other->line);
            return;
        }
    }
}

static void build_listen(struct config_build *build, const struct config_section *section,
                         struct config_listen *listen)
{
    const struct config_value *address = config_section_value(section, "address");

    listen->name = section->name;
    listen->line = section->line;
    config_build_fallbacks(CONFIG_LISTEN, listen);
    config_build_numbers(section, listen);
    if (address->line == 0) {
        config_report_add(build->report, section->line, "[listen %.*s] has no address",
                          CONFIG_SHOW(section->name));
    } else if (address->text.len != 0) {
        if (addr_parse(address->text, &listen->address)) {
            check_address_is_new(build, listen, address->line);
        } else {
            config_report_add(build->report, address->line,
                              "bad value '%.*s' for 'address'; a numeric address and a port, such "
                              "as 0.0.0.0:8443, 127.0.0.1:8080 or [::]:8443",
                              CONFIG_SHOW(address->text));
        }
    }
    build_tls(build, section, listen);
}

void config_build_listens(struct config_build *build)
{
    struct config *config = build->config;
    size_t count = config_build_count(build, CONFIG_LISTEN);

    if (count == 0 && !build->draft->has_lost_section) {
        config_report_add(build->report, 0,
                          "there is no [listen NAME] section: nothing to listen on");
    }
    config->listens = config_build_array(build, count, sizeof(*config->listens));
    if (config->listens == NULL) {
        return;
    }
    for (const struct config_section *s = build->draft->sections; s != NULL; s = s->next) {
        if (s->kind == CONFIG_LISTEN) {
            build_listen(build, s, &config->listens[config->listen_count]);
            config->listen_count++;
        }
    }
}
