/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/inherit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "io/net.h"

/* --- reading --------------------------------------------------------------------------------- */

/* 0 = nothing is meant for this process. */
static size_t count_in_environment(void)
{
    uint64_t pid = 0;
    uint64_t count = 0;
    if (!span_parse_u64(span_from_str(getenv("LISTEN_PID")), &pid) || pid != (uint64_t)getpid() ||
        !span_parse_u64(span_from_str(getenv("LISTEN_FDS")), &count)) {
        return 0;
    }
    return count < INHERIT_MAX ? (size_t)count : INHERIT_MAX;
}

/* The text up to the next colon, which *rest then begins behind. */
static struct span next_name(struct span *rest)
{
    const char *colon = rest->len > 0 ? memchr(rest->data, ':', rest->len) : NULL;
    size_t len = colon != NULL ? (size_t)(colon - rest->data) : rest->len;
    struct span name = {rest->data, len};
    size_t used = colon != NULL ? len + 1 : len;
    rest->data += used;
    rest->len -= used;
    return name.len > 0 && name.len < INHERIT_NAME_MAX ? name : SPAN_LIT("unknown");
}

bool inherit_take_over(struct inherit *out, int first, size_t count, const char *names)
{
    *out = (struct inherit){.count = 0};
    if (count == 0) {
        return true;
    }
    out->fds = mem_alloc_zero(count * sizeof(*out->fds));
    out->names = mem_copy_str(span_from_str(names));
    if (out->fds == NULL || out->names == NULL) {
        inherit_done(out);
        return false;
    }
    struct span rest = span_from_str(out->names);
    for (size_t i = 0; i < count; i++) {
        struct inherit_fd *it = &out->fds[i];
        int fd = first + (int)i;
        bool is_open = fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
        *it = (struct inherit_fd){.fd = is_open ? fd : -1, .name = next_name(&rest)};
        bool is_listener = net_is_listener(fd, &it->address, &it->detail);
        (void)is_listener; /* the detail tells */
    }
    out->count = count;
    return true;
}

bool inherit_read(struct inherit *out)
{
    const char *names = getenv("LISTEN_FDNAMES");
    bool is_read = inherit_take_over(out, INHERIT_FIRST_FD, count_in_environment(), names);
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    return is_read;
}

/* --- taking ---------------------------------------------------------------------------------- */

static int take(struct inherit_fd *it)
{
    int fd = it->fd;
    it->fd = -1;
    it->detail = NULL;
    return fd;
}

int inherit_take_socket(struct inherit *i, const struct addr *address, struct span *out_name)
{
    for (size_t n = 0; n < i->count; n++) {
        struct inherit_fd *it = &i->fds[n];
        if (it->fd != -1 && it->detail == NULL && addr_is_equal(&it->address, address)) {
            *out_name = it->name;
            return take(it);
        }
    }
    return -1;
}

int inherit_take_named(struct inherit *i, struct span name)
{
    for (size_t n = 0; n < i->count; n++) {
        if (i->fds[n].fd != -1 && span_is_equal(i->fds[n].name, name)) {
            return take(&i->fds[n]);
        }
    }
    return -1;
}

/* --- the rest -------------------------------------------------------------------------------- */

static void warn_of(const struct inherit_fd *it, size_t number)
{
    char address[ADDR_TEXT_MAX];
    struct log_line line;
    log_begin(&line, LOG_WARN, "inherit.unused");
    log_u64(&line, "fd", INHERIT_FIRST_FD + number);
    log_text(&line, "name", it->name);
    if (it->detail == NULL) {
        log_str(&line, "address", addr_print(&it->address, address, sizeof(address)));
    }
    log_str(&line, "detail", it->detail != NULL ? it->detail : "no [listen] has this address");
    log_str(&line, "msg",
            "sluice closes what it was handed over and cannot use: check the socket unit and the "
            "addresses of the configuration");
    log_end(&line);
}

void inherit_warn_of_rest(const struct inherit *i)
{
    for (size_t n = 0; n < i->count; n++) {
        if (i->fds[n].fd != -1 || i->fds[n].detail != NULL) {
            warn_of(&i->fds[n], n);
        }
    }
}

void inherit_done(struct inherit *i)
{
    for (size_t n = 0; n < i->count; n++) {
        if (i->fds[n].fd != -1) {
            net_close(i->fds[n].fd);
        }
    }
    mem_free(i->fds);
    mem_free(i->names);
    *i = (struct inherit){.count = 0};
}

/* --- names ----------------------------------------------------------------------------------- */

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '/';
}

const char *inherit_print_name(const struct addr *address, char out[INHERIT_NAME_MAX])
{
    char text[ADDR_TEXT_MAX];
    size_t len = 0;
    addr_print(address, text, sizeof(text));
    for (const char *c = text; *c != '\0' && len + 4 <= INHERIT_NAME_MAX; c++) {
        if (is_plain(*c)) {
            out[len++] = *c;
        } else {
            len += (size_t)snprintf(out + len, 4, "%%%02X", (unsigned)(unsigned char)*c);
        }
    }
    out[len] = '\0';
    return out;
}
