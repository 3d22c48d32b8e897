/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_health.c: the address of [health] or [admin] alone. A probe must not fail because somebody
 * edits the file of a sluice that runs well, or because a key may be read by sluice only as it
 * starts. */
#include "conf/config.h"

#include <arpa/inet.h>
#include <string.h>

#include "conf/build.h"
#include "conf/draft.h"
#include "conf/file.h"

/* Both tell whether sluice is ready; [health] is made for it. */
static const struct draft_section *find_health(const struct draft *draft)
{
    const struct draft_section *found = NULL;
    for (const struct draft_section *s = draft->sections; s != NULL; s = s->next) {
        if (s->kind == KEY_HEALTH || (s->kind == KEY_ADMIN && found == NULL)) {
            found = s;
        }
    }
    return found;
}

/* Where a sluice that listens on every address of the machine is reached from this machine. */
static void make_reachable(struct addr *address)
{
    if (address->u.sa.sa_family == AF_INET && address->u.in.sin_addr.s_addr == htonl(INADDR_ANY)) {
        address->u.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else if (address->u.sa.sa_family == AF_INET6 &&
               memcmp(&address->u.in6.sin6_addr, &in6addr_any, sizeof(in6addr_any)) == 0) {
        address->u.in6.sin6_addr = in6addr_loopback;
    }
}

static void read_address(struct span text, struct addr *out, struct report *report)
{
    struct report others = {0};
    struct arena texts = {0};
    struct draft draft;
    struct config_listen listen = {.kind = CONFIG_LISTEN_HEALTH};
    struct build build = {.texts = &texts, .draft = &draft, .report = report};

    draft_read(&draft, text, &texts, &others);
    const struct draft_section *health = find_health(&draft);
    if (health == NULL) {
        report_add(report, 0, "there is neither [health] nor [admin]: nobody to ask");
    } else {
        build_section(&build, health, &listen);
        if (!report->is_failed && listen.address.u.sa.sa_family != AF_UNIX &&
            addr_port(&listen.address) == 0) {
            report_add(report, draft_value(health, "address")->line,
                       "[%s] has port 0: only the log of the running sluice knows the real one",
                       key_section_header(health->kind)->word);
        }
        *out = listen.address;
        make_reachable(out);
    }
    draft_done(&draft);
    arena_done(&texts);
    report_done(&others);
}

bool config_health_address(const char *path, struct addr *out, struct report *out_report)
{
    struct arena file = {0};
    struct span text;
    const char *detail;

    *out_report = (struct report){0};
    if (file_read(path, &file, &text, &detail)) {
        read_address(text, out, out_report);
    } else {
        report_add(out_report, 0, "cannot read the configuration: %s", detail);
    }
    arena_done(&file);
    return !out_report->is_failed;
}
