/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a listener demands of its clients' certificates: files of CAs and of revocation lists. */
#include <time.h>

#include "conf/authorities.h"
#include "conf/listen_parts.h"

static void prove_lists(struct build *build, const struct authorities_files *lists,
                        const struct authorities_files *authorities)
{
    struct authorities_verdict verdict = {.build = build, .files = lists};
    const struct trust_lists question = {lists->texts, lists->count, authorities->texts,
                                         authorities->count};

    if (!build->is_proven && lists->count > 0) {
        trust_check_lists(&question, (int64_t)time(NULL), authorities_take_finding, &verdict);
    }
}

void listen_build_client(struct build *build, const struct draft_section *section,
                         struct config_listen *listen)
{
    const struct draft_value *authorities = draft_value(section, "tls_client_ca");
    const struct draft_value *lists = draft_value(section, "tls_client_crl");
    struct authorities_files authority_files;
    struct authorities_files list_files;

    if (authorities->count == 0 ||
        !authorities_read(build, authorities, "list of CAs", &authority_files)) {
        return;
    }
    bool is_good = authorities_prove(build, &authority_files, TRUST_CLIENTS);
    if (is_good) {
        authorities_join(build, authority_files.texts, authority_files.count, NULL,
                         &listen->client_ca);
    }
    if (lists->count > 0 &&
        authorities_read(build, lists, "list of revoked certificates", &list_files)) {
        listen->client_crls = list_files.texts;
        listen->client_crl_count = list_files.count;
        if (is_good) {
            prove_lists(build, &list_files, &authority_files);
        }
    }
}
