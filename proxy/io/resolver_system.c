/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The system's files: resolv.conf and the hosts file. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io/net.h"
#include "io/resolver_parts.h"

/* --- changes ------------------------------------------------------------------------------- */

/* The time of the last change (ctime) is in it too, because tools may set the other one back. */
static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static bool is_there(const char *path, struct stat *out)
{
    return stat(path, out) == 0 && out->st_size > 0;
}

bool resolver_files_is_gone(const struct resolver_files *files)
{
    struct stat now;
    return files->seen[RESOLVER_RESOLV_CONF].st_size > 0 &&
           !is_there(files->paths[RESOLVER_RESOLV_CONF], &now);
}

void resolver_files_give_up(struct resolver_files *files)
{
    files->seen[RESOLVER_RESOLV_CONF] = (struct stat){.st_size = 0};
}

bool resolver_files_check(struct resolver_files *files)
{
    bool is_changed = false;
    for (size_t i = 0; i < RESOLVER_FILES; i++) {
        struct stat now;
        if (is_there(files->paths[i], &now) && !is_same(&now, &files->seen[i])) {
            files->seen[i] = now;
            is_changed = true;
        }
    }
    return is_changed;
}

/* --- channels ------------------------------------------------------------------------------ */

/* c-ares asks the servers in turn, and then again with twice the time. The first try is short, so
 * that a dead first server leaves time for a second one within a short connect_timeout; an answer
 * that comes during a later try still counts. */
#define TRY_MS 500
#define TRIES 3

enum resolver_status resolver_channel_open(ares_channel *out, const struct resolver_system *system,
                                           struct ares_options *options, int mask)
{
    const char *detail = NULL;
    int status;

    *out = NULL;
    if (net_check_room(&detail) != NET_OK) {
        return RESOLVER_EXHAUSTED;
    }
    /* ARES_FLAG_NOALIASES switches HOSTALIASES off; c-ares reads CARES_HOSTS only on request. */
    options->flags = ARES_FLAG_NOALIASES;
    options->timeout = TRY_MS;
    options->tries = TRIES;
    mask |= ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES;
    if (system->resolv_conf != NULL) {
        options->resolvconf_path = (char *)(uintptr_t)system->resolv_conf; /* only read */
        options->udp_port = system->port;
        options->tcp_port = system->port;
        mask |= ARES_OPT_RESOLVCONF | ARES_OPT_UDP_PORT | ARES_OPT_TCP_PORT;
    }
    status = ares_init_options(out, options, mask);
    if (status == ARES_SUCCESS && system->servers[0] != '\0') {
        status = ares_set_servers_ports_csv(*out, system->servers);
    }
    if (status == ARES_SUCCESS) {
        return RESOLVER_OK;
    }
    if (*out != NULL) {
        ares_destroy(*out);
        *out = NULL;
    }
    return status == ARES_ENOMEM || net_check_room(&detail) != NET_OK ? RESOLVER_EXHAUSTED
                                                                      : RESOLVER_NO_SERVERS;
}

bool resolver_system_set_servers(struct resolver_system *system, const char *csv)
{
    struct ares_options options = {.flags = 0};
    ares_channel channel;

    if (strlen(csv) >= sizeof(system->servers)) {
        return false;
    }
    memcpy(system->servers, csv, strlen(csv) + 1);
    if (resolver_channel_open(&channel, system, &options, 0) != RESOLVER_OK) {
        system->servers[0] = '\0';
        return false;
    }
    ares_destroy(channel);
    return true;
}

/* --- the search list ----------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Takes the next word off `line`; empty at its end. */
static struct span take_word(struct span *line)
{
    while (line->len > 0 && is_blank(line->data[0])) {
        *line = (struct span){line->data + 1, line->len - 1};
    }
    struct span word = {line->data, 0};
    while (word.len < line->len && !is_blank(line->data[word.len])) {
        word.len++;
    }
    *line = (struct span){line->data + word.len, line->len - word.len};
    return word;
}

/* The last line of these counts. */
static void take_domains(struct resolver_search *search, struct span line)
{
    struct span word;
    size_t used = 0;
    search->domain_count = 0;
    while ((word = take_word(&line)).len > 0) {
        bool is_root = word.len == 1 && word.data[0] == '.';
        if (is_root || search->domain_count == RESOLVER_DOMAINS_MAX ||
            word.len > sizeof(search->text) - used) {
            continue;
        }
        memcpy(search->text + used, word.data, word.len);
        search->domains[search->domain_count++] = (struct span){search->text + used, word.len};
        used += word.len;
    }
}

static void take_options(struct resolver_search *search, struct span line)
{
    struct span word;
    while ((word = take_word(&line)).len > 0) {
        struct span name = SPAN_LIT("ndots:");
        if (word.len == name.len + 1 && memcmp(word.data, name.data, name.len) == 0 &&
            word.data[name.len] >= '0' && word.data[name.len] <= '9') {
            search->ndots = (size_t)(word.data[name.len] - '0');
        }
    }
}

void resolver_search_parse(struct resolver_search *search, struct span text, struct span host)
{
    *search = (struct resolver_search){.ndots = 1};
    const char *dot = host.len > 0 ? memchr(host.data, '.', host.len) : NULL;
    if (dot != NULL) {
        size_t before = (size_t)(dot - host.data) + 1;
        take_domains(search, (struct span){dot + 1, host.len - before});
    }
    while (text.len > 0) {
        const char *end = memchr(text.data, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.data) : text.len;
        struct span line = {text.data, len};
        size_t step = size_min(len + 1, text.len);
        text = (struct span){text.data + step, text.len - step};
        struct span word = take_word(&line);
        if (span_is_equal(word, SPAN_LIT("search")) || span_is_equal(word, SPAN_LIT("domain"))) {
            take_domains(search, line);
        } else if (span_is_equal(word, SPAN_LIT("options"))) {
            take_options(search, line);
        }
    }
}

enum resolver_status resolver_search_read(struct resolver_search *search,
                                          const struct resolver_system *system)
{
    const char *path =
        system->resolv_conf != NULL ? system->resolv_conf : RESOLVER_RESOLV_CONF_PATH;
    const char *detail = NULL;
    char host[RESOLVER_NAME_TEXT_MAX] = "";
    char text[8192];
    size_t len = 0;
    ssize_t got = 1;

    if (net_check_room(&detail) != NET_OK) {
        return RESOLVER_EXHAUSTED;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    while (fd >= 0 && len < sizeof(text) && got > 0) {
        got = read(fd, text + len, sizeof(text) - len);
        len += got > 0 ? (size_t)got : 0;
    }
    if (fd >= 0) {
        close(fd);
    }
    if (gethostname(host, sizeof(host) - 1) != 0) {
        host[0] = '\0';
    }
    resolver_search_parse(search, (struct span){text, len}, span_from_str(host));
    return RESOLVER_OK;
}

static size_t count_dots(const char *name)
{
    size_t count = 0;
    for (; *name != '\0'; name++) {
        count += *name == '.' ? 1 : 0;
    }
    return count;
}

bool resolver_search_name(const struct resolver_search *search, const char *name, size_t index,
                          char out[RESOLVER_NAME_TEXT_MAX])
{
    size_t len = strlen(name);
    bool is_whole = len > 0 && name[len - 1] == '.';
    size_t domains = is_whole ? 0 : search->domain_count;
    /* A name with so many dots is tried as it is first, else last. */
    size_t as_is = count_dots(name) >= search->ndots ? 0 : domains;
    int written;

    if (index > domains) {
        return false;
    }
    if (index == as_is) {
        written = snprintf(out, RESOLVER_NAME_TEXT_MAX, "%s%s", name, is_whole ? "" : ".");
    } else {
        struct span domain = search->domains[index > as_is ? index - 1 : index];
        bool has_dot = domain.data[domain.len - 1] == '.';
        written = snprintf(out, RESOLVER_NAME_TEXT_MAX, "%s.%.*s%s", name, (int)domain.len,
                           domain.data, has_dot ? "" : ".");
    }
    if (written < 0 || written >= RESOLVER_NAME_TEXT_MAX) {
        out[0] = '\0';
    }
    return true;
}

/* --- for tests ----------------------------------------------------------------------------- */

bool resolver_set_servers(struct resolver *resolver, const char *csv)
{
    return resolver_system_set_servers(resolver_own_system(resolver), csv);
}

void resolver_set_file(struct resolver *resolver, const char *path, uint16_t port)
{
    struct resolver_system *system = resolver_own_system(resolver);
    struct resolver_files *files = resolver_own_files(resolver);
    system->resolv_conf = path;
    system->port = port;
    files->paths[RESOLVER_RESOLV_CONF] = path;
    (void)resolver_files_check(files);
}

void resolver_set_second(struct resolver *resolver, uint64_t ms)
{
    resolver_own_system(resolver)->second_ms = ms;
}

uint64_t resolver_hasten(const struct resolver_system *system, uint64_t ms)
{
    return ms * system->second_ms / 1000;
}

uint64_t resolver_kept_min_ms(struct resolver *resolver)
{
    return resolver_hasten(resolver_own_system(resolver), RESOLVER_KEPT_MIN_MS);
}
