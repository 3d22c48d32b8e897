/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_demo.c: what --demo runs with. config/demo.ini has the same routes (a test compares). */
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>

#include "conf/config.h"

#define DEMO_TEXT_MAX 2048

/* The demo page knows these four paths. */
static const char demo_server[] = "[server]\n"
                                  "workers = 1\n";
static const char demo_routes[] = "[route echo]\n"
                                  "path = /echo\n"
                                  "backend = echo:\n"
                                  "[route echo-binary]\n"
                                  "path = /echo-binary\n"
                                  "subprotocols = binary\n"
                                  "accept = binary\n"
                                  "backend = echo:\n"
                                  "[route refused]\n"
                                  "path = /refused\n"
                                  "origins = https://nobody.example\n"
                                  "backend = echo:\n"
                                  "[route down]\n"
                                  "path = /down\n"
                                  "backend = tcp://127.0.0.1:9\n";
static const char demo_addresses[] = "[listen demo]\n"
                                     "address = 127.0.0.1:8443\n";
static const char demo_address6[] = "[listen demo6]\n"
                                    "address = [::1]:8443\n";

bool config_has_ipv6_loopback(void)
{
    struct ifaddrs *first;
    bool is_found = false;

    if (getifaddrs(&first) != 0) {
        return false;
    }
    for (const struct ifaddrs *i = first; i != NULL && !is_found; i = i->ifa_next) {
        struct addr address;

        if (i->ifa_addr != NULL && i->ifa_addr->sa_family == AF_INET6) {
            addr_from_sockaddr(i->ifa_addr, sizeof(struct sockaddr_in6), &address);
            is_found = addr_is_loopback(&address);
        }
    }
    freeifaddrs(first);
    return is_found;
}

static bool write_listens(struct span address_text, char *out, size_t size)
{
    struct addr address;
    char text[ADDR_TEXT_MAX];

    if (address_text.len == 0) {
        snprintf(out, size, "%s%s", demo_addresses,
                 config_has_ipv6_loopback() ? demo_address6 : "");
        return true;
    }
    if (!addr_parse(address_text, &address)) {
        return false;
    }
    snprintf(out, size, "[listen demo]\naddress = %s\n", addr_print(&address, text, sizeof(text)));
    return true;
}

struct config *config_demo(struct span address_text, struct span certificate, struct span key,
                           struct report *out_report)
{
    const struct config_pair pair = {.certificate = certificate, .key = key};
    struct config *config;
    struct bundle bundle;
    char listens[DEMO_TEXT_MAX / 4];
    char text[DEMO_TEXT_MAX];

    *out_report = (struct report){0};
    if (!write_listens(address_text, listens, sizeof(listens))) {
        report_add(out_report, 0,
                   "bad address '%.*s' for --listen; a numeric address and a port, such as "
                   "127.0.0.1:8443 or [::1]:8443",
                   REPORT_SHOW(address_text));
        return NULL;
    }
    snprintf(text, sizeof(text), "%s%s%s", demo_server, listens, demo_routes);
    bundle_read_text(&bundle, span_from_str(text));
    config = config_build_lent(&bundle, &pair, out_report);
    bundle_done(&bundle);
    for (size_t i = 0; config != NULL && i < config->listen_count; i++) {
        config->listens[i].has_pages = true;
    }
    return config;
}
