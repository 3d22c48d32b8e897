/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/handover.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define VARIABLE "SLUICE_HANDOVER"
#define TITLE "sluice handover 1"
#define TEXT_MAX ((size_t)16 << 20)
#define LINE_MAX_BYTES 600 /* the longest name and address, and more */
#define PROGRAM_MAX 4200   /* a line with the longest path */
#define SLOTS_MAX 256
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

static void empty(struct handover *out)
{
    *out = (struct handover){.link_fd = -1,
                             .scoreboard_fd = -1,
                             .seats_fd = -1,
                             .roster_fd = -1,
                             .quota_fd = -1,
                             .spent_fd = -1};
}

/* --- text ------------------------------------------------------------------------------------ */

static size_t print_hex(const uint8_t *bytes, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    }
    return 2 * len;
}

static int print_socket(const struct handover_socket *socket, char *out, size_t size)
{
    char address[ADDR_TEXT_MAX];
    return snprintf(out, size, "%s %d %u %.*s %s\n", socket->is_foreign ? "unit" : "socket",
                    socket->fd, socket->slot, (int)socket->name.len, socket->name.data,
                    addr_print(&socket->address, address, sizeof(address)));
}

char *handover_print(const struct handover *h, size_t *out_len)
{
    size_t size = LINE_MAX_BYTES * (h->socket_count + 6) + PROGRAM_MAX;
    char *text = mem_alloc(size);
    if (text == NULL) {
        return NULL;
    }
    size_t len = (size_t)snprintf(
        text, size,
        TITLE "\ngeneration %u\nrelay %d\ngroup %ld\nlink %d\nscoreboard %d\nseats %d\nroster %d\n"
              "quota %d\n"
              "spent %d\n",
        h->generation, h->is_relayed ? 1 : 0, (long)h->group, h->link_fd, h->scoreboard_fd,
        h->seats_fd, h->roster_fd, h->quota_fd, h->spent_fd);
    len += (size_t)snprintf(text + len, size - len, "tickets ");
    len += print_hex(h->tickets, h->tickets_len, text + len);
    text[len++] = '\n';
    int program_len =
        snprintf(text + len, PROGRAM_MAX, "program %.*s\n", (int)h->program.len, h->program.data);
    if (program_len < 0 || program_len >= PROGRAM_MAX) {
        mem_free(text);
        return NULL;
    }
    len += (size_t)program_len;
    for (size_t i = 0; i < h->socket_count; i++) {
        int added = print_socket(&h->sockets[i], text + len, LINE_MAX_BYTES);
        if (added < 0 || added >= LINE_MAX_BYTES) {
            mem_free(text);
            return NULL;
        }
        len += (size_t)added;
    }
    *out_len = len;
    return text;
}

static struct span take_word(struct span *rest)
{
    size_t len = span_find(*rest, ' ');
    struct span word = {rest->data, len};
    len += len < rest->len ? 1 : 0;
    *rest = (struct span){rest->data + len, rest->len - len};
    return word;
}

static bool take_number(struct span *rest, uint64_t most, uint64_t *out)
{
    return span_parse_u64(take_word(rest), out) && *out <= most;
}

static bool take_fd(struct span *rest, int *out)
{
    uint64_t number;
    if (!take_number(rest, INT32_MAX, &number) || number <= STDERR_FILENO) {
        return false;
    }
    *out = (int)number;
    return true;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_hex(struct span text, struct handover *out)
{
    if (text.len % 2 != 0 || text.len / 2 > sizeof(out->tickets)) {
        return false;
    }
    for (size_t i = 0; i < text.len / 2; i++) {
        int high = hex_digit(text.data[2 * i]);
        int low = hex_digit(text.data[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out->tickets[i] = (uint8_t)(high << 4 | low);
    }
    out->tickets_len = text.len / 2;
    return true;
}

/* As addr_print writes it. */
static bool take_address(struct span text, struct addr *out)
{
    static const struct span prefix = SPAN_LIT("unix:");
    if (!span_starts_with(text, prefix)) {
        return addr_parse(text, out);
    }
    return addr_from_unix_path((struct span){text.data + prefix.len, text.len - prefix.len}, out);
}

static bool take_socket(struct span rest, bool is_foreign, struct handover *out)
{
    struct handover_socket *socket = &out->sockets[out->socket_count];
    uint64_t slot;
    if (out->socket_count == HANDOVER_SOCKETS_MAX || !take_fd(&rest, &socket->fd) ||
        !take_number(&rest, SLOTS_MAX - 1, &slot)) {
        return false;
    }
    socket->slot = (uint32_t)slot;
    socket->is_foreign = is_foreign;
    socket->name = take_word(&rest);
    if (socket->name.len == 0 || !take_address(rest, &socket->address)) {
        return false;
    }
    out->socket_count++;
    return true;
}

static bool take_line(struct span line, struct handover *out)
{
    struct span word = take_word(&line);
    uint64_t number = 0;
    bool is_good = true;
    if (span_is_equal(word, SPAN_LIT("generation"))) {
        is_good = take_number(&line, UINT32_MAX, &number) && number > 1;
        out->generation = (uint32_t)number;
    } else if (span_is_equal(word, SPAN_LIT("relay"))) {
        is_good = take_number(&line, 1, &number);
        out->is_relayed = number == 1;
    } else if (span_is_equal(word, SPAN_LIT("group"))) {
        is_good = take_number(&line, INT32_MAX, &number);
        out->group = (pid_t)number;
    } else if (span_is_equal(word, SPAN_LIT("link"))) {
        is_good = take_fd(&line, &out->link_fd);
    } else if (span_is_equal(word, SPAN_LIT("scoreboard"))) {
        is_good = take_fd(&line, &out->scoreboard_fd);
    } else if (span_is_equal(word, SPAN_LIT("seats"))) {
        is_good = take_fd(&line, &out->seats_fd);
    } else if (span_is_equal(word, SPAN_LIT("roster"))) {
        is_good = take_fd(&line, &out->roster_fd);
    } else if (span_is_equal(word, SPAN_LIT("quota"))) {
        is_good = take_fd(&line, &out->quota_fd);
    } else if (span_is_equal(word, SPAN_LIT("spent"))) {
        is_good = take_fd(&line, &out->spent_fd);
    } else if (span_is_equal(word, SPAN_LIT("tickets"))) {
        is_good = take_hex(line, out);
    } else if (span_is_equal(word, SPAN_LIT("program"))) {
        out->program = line;
    } else if (span_is_equal(word, SPAN_LIT("socket"))) {
        is_good = take_socket(line, false, out);
    } else if (span_is_equal(word, SPAN_LIT("unit"))) {
        is_good = take_socket(line, true, out);
    }
    return is_good;
}

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Returns NULL, or what is wrong. */
static const char *collect_fds(struct handover *h)
{
    const int first[] = {h->link_fd,   h->scoreboard_fd, h->seats_fd,
                         h->roster_fd, h->quota_fd,      h->spent_fd};
    h->fds = mem_alloc((h->socket_count + sizeof(first) / sizeof(first[0])) * sizeof(*h->fds));
    if (h->fds == NULL) {
        return "out of memory";
    }
    for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
        if (first[i] != -1) {
            h->fds[h->fd_count++] = first[i];
        }
    }
    for (size_t i = 0; i < h->socket_count; i++) {
        h->fds[h->fd_count++] = h->sockets[i].fd;
    }
    qsort(h->fds, h->fd_count, sizeof(*h->fds), compare);
    for (size_t i = 1; i < h->fd_count; i++) {
        if (h->fds[i] == h->fds[i - 1]) {
            return "the list has a descriptor twice";
        }
    }
    return NULL;
}

static const char *parse(struct handover *out, struct span text)
{
    struct span line;
    if (!span_next(&text, '\n', &line) || !span_is_equal(line, SPAN_LIT(TITLE))) {
        return "the list is of a version that this one does not know";
    }
    while (span_next(&text, '\n', &line)) {
        if (!take_line(line, out)) {
            return "a line of the list cannot be read";
        }
    }
    if (out->generation == 0 || out->link_fd == -1) {
        return "the list lacks the link or the generation";
    }
    return collect_fds(out);
}

static size_t count_lines(struct span text)
{
    size_t count = 1;
    for (size_t i = 0; i < text.len; i++) {
        count += text.data[i] == '\n';
    }
    return count < HANDOVER_SOCKETS_MAX ? count : HANDOVER_SOCKETS_MAX;
}

static void forget(struct handover *h)
{
    mem_free(h->sockets);
    mem_free(h->fds);
    mem_free(h->text);
    explicit_bzero(h->tickets, sizeof(h->tickets));
    empty(h);
}

const char *handover_parse(struct handover *out, char *text, size_t len)
{
    empty(out);
    out->text = text;
    out->sockets =
        mem_alloc_zero((count_lines((struct span){text, len}) + 1) * sizeof(*out->sockets));
    const char *detail =
        out->sockets == NULL ? "out of memory" : parse(out, (struct span){text, len});
    if (detail != NULL) {
        forget(out);
    }
    out->is_there = detail == NULL;
    return detail;
}

/* --- the file -------------------------------------------------------------------------------- */

int handover_seal(const struct handover *h)
{
    size_t len = 0;
    char *text = handover_print(h, &len);
    if (text == NULL) {
        return -1;
    }
    int fd = memfd_create("sluice-handover", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd != -1 && (write(fd, text, len) != (ssize_t)len || fcntl(fd, F_ADD_SEALS, SEALS) == -1)) {
        close(fd);
        fd = -1;
    }
    explicit_bzero(text, len);
    mem_free(text);
    return fd;
}

static bool let_through(int fd)
{
    return fcntl(fd, F_SETFD, 0) == 0;
}

bool handover_pass(const struct handover *h, int list_fd)
{
    char number[16];
    bool is_good = let_through(list_fd) && let_through(h->link_fd) &&
                   let_through(h->scoreboard_fd) && let_through(h->seats_fd) &&
                   let_through(h->roster_fd) && let_through(h->quota_fd) &&
                   let_through(h->spent_fd);
    for (size_t i = 0; is_good && i < h->socket_count; i++) {
        is_good = let_through(h->sockets[i].fd);
    }
    snprintf(number, sizeof(number), "%d", list_fd);
    return is_good && setenv(VARIABLE, number, 1) == 0;
}

static const char *read_list(struct handover *out, int fd)
{
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals == -1 || (seals & SEALS) != SEALS || fstat(fd, &status) != 0 || status.st_size <= 0 ||
        (size_t)status.st_size > TEXT_MAX) {
        return "the list is no sealed memory file";
    }
    size_t len = (size_t)status.st_size;
    char *text = mem_alloc(len);
    if (text == NULL) {
        return "out of memory";
    }
    if (pread(fd, text, len, 0) != (ssize_t)len) {
        mem_free(text);
        return "the list cannot be read";
    }
    return handover_parse(out, text, len);
}

/* What is not open is not there. */
static const char *close_on_exec(const struct handover *h)
{
    bool is_good = true;
    for (size_t i = 0; i < h->fd_count; i++) {
        is_good &= fcntl(h->fds[i], F_SETFD, FD_CLOEXEC) == 0;
    }
    return is_good ? NULL : "a descriptor of the list is not open";
}

bool handover_take(struct handover *out, const char **out_detail)
{
    uint64_t fd;
    const char *number = getenv(VARIABLE);
    empty(out);
    *out_detail = NULL;
    if (number == NULL) {
        return true;
    }
    if (!span_parse_u64(span_from_str(number), &fd) || fd <= STDERR_FILENO || fd > INT32_MAX) {
        *out_detail = VARIABLE " is no descriptor";
    } else {
        *out_detail = read_list(out, (int)fd);
        close((int)fd);
    }
    (void)unsetenv(VARIABLE);
    if (*out_detail == NULL) {
        *out_detail = close_on_exec(out);
        if (*out_detail != NULL) {
            forget(out);
        }
    }
    return *out_detail == NULL;
}

static void close_if_open(int fd)
{
    if (fd != -1) {
        close(fd);
    }
}

void handover_done(struct handover *h)
{
    close_if_open(h->link_fd);
    close_if_open(h->scoreboard_fd);
    close_if_open(h->seats_fd);
    close_if_open(h->roster_fd);
    close_if_open(h->quota_fd);
    close_if_open(h->spent_fd);
    for (size_t i = 0; i < h->socket_count; i++) {
        close_if_open(h->sockets[i].fd);
    }
    forget(h);
}

/* --- messages -------------------------------------------------------------------------------- */

bool handover_send(int fd, enum handover_word word, uint64_t number, const char *text,
                   int passed_fd)
{
    struct handover_message message = {.word = word, .number = number};
    snprintf(message.text, sizeof(message.text), "%s", text);
    return fd != -1 && control_send_bytes(fd, &message, sizeof(message), passed_fd);
}

enum control_result handover_receive(int fd, struct handover_message *out, int *out_fd)
{
    enum control_result result = control_receive_bytes(fd, out, sizeof(*out), out_fd);
    out->text[sizeof(out->text) - 1] = '\0';
    return result;
}
