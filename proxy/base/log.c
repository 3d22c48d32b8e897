/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"

#define VALUE_MAX_BYTES 256
/* Every byte as \u00NN, the mark of a cut value with the largest length, a NUL. */
#define ESCAPED_MAX_BYTES (VALUE_MAX_BYTES * 6 + 32)
/* Room for what log_end adds: cut, log_dropped, brace, newline. */
#define TAIL_MAX_BYTES 64
/* text[0] is a newline that log_end writes only after a line that the sink took in part. */
#define LINE_START 1

enum sink_kind {
    SINK_NONE = 0,
    SINK_PRIVATE, /* a non-blocking description of our own: write */
    SINK_SOCKET,  /* nobody can open a socket again: send without waiting */
    SINK_SHARED   /* its flags belong to others too: poll, then write */
};

struct log_state {
    enum sink_kind kind;
    int fd;     /* log_end writes to it */
    int origin; /* the fd given to log_init */
    enum log_level level;
    enum log_format format;
    uint64_t dropped_lines; /* since the last line that came out */
    uint64_t dropped_total;
    bool is_torn; /* the last line went out in part */
    char process[16];
};

static struct log_state state = {.fd = -1, .origin = -1};

static const char *const level_names[] = {"error", "warn", "info", "debug"};

/* ---- escaping ---- */

/* Controls, and the characters that make a viewer show another order or another line than the text
 * has: C1 controls, line and paragraph separators, bidirectional controls. */
static bool is_unsafe(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* The letter of a two-character escape, or 0. */
static char short_escape(uint32_t c)
{
    switch (c) {
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    case '"':
    case '\\':
        return (char)c;
    default:
        return 0;
    }
}

static size_t escape_bytes(const uint8_t *text, size_t len, char out[20])
{
    static const char digits[] = "0123456789abcdef";
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        out[used++] = '\\';
        out[used++] = 'x';
        out[used++] = digits[text[i] >> 4];
        out[used++] = digits[text[i] & 0x0f];
    }
    return used;
}

/* Escapes the first character, or a first byte that belongs to none. Returns how many bytes of
 * `text` that was. */
static size_t escape_char(enum log_format format, struct span text, char out[20], size_t *out_len)
{
    const uint8_t *bytes = (const uint8_t *)text.data;
    uint32_t c = 0;
    size_t taken = utf8_decode(text, &c);
    if (taken == 0) {
        *out_len = 3;
        memcpy(out, "\xef\xbf\xbd", 3);
        if (format == LOG_KEY_VALUE) {
            *out_len = escape_bytes(bytes, 1, out);
        }
        return 1;
    }
    if (short_escape(c) != 0) {
        out[0] = '\\';
        out[1] = short_escape(c);
        *out_len = 2;
    } else if (!is_unsafe(c)) {
        memcpy(out, bytes, taken);
        *out_len = taken;
    } else if (format == LOG_KEY_VALUE) {
        *out_len = escape_bytes(bytes, taken, out);
    } else {
        *out_len = (size_t)snprintf(out, 20, "\\u%04" PRIx32, c);
    }
    return taken;
}

/* The mark of a cut value shows `whole_bytes`, which is >= value.len. */
static size_t escape_value(enum log_format format, struct span value, size_t whole_bytes, char *out,
                           size_t size)
{
    size_t used = 0;
    size_t pos = 0;
    assert(size > 0);
    while (pos < value.len) {
        char piece[20];
        size_t piece_len = 0;
        struct span left = {value.data + pos, value.len - pos};
        size_t taken = escape_char(format, left, piece, &piece_len);
        if (pos + taken > VALUE_MAX_BYTES || used + piece_len >= size) {
            break;
        }
        memcpy(out + used, piece, piece_len);
        used += piece_len;
        pos += taken;
    }
    out[used] = '\0';
    if (whole_bytes > VALUE_MAX_BYTES) {
        char mark[32];
        size_t mark_len = (size_t)snprintf(mark, sizeof(mark), "\xe2\x80\xa6(%zu)", whole_bytes);
        if (used + mark_len < size) {
            memcpy(out + used, mark, mark_len + 1);
            used += mark_len;
        }
    }
    return used;
}

size_t log_escape(enum log_format format, struct span value, char *out, size_t size)
{
    return escape_value(format, value, value.len, out, size);
}

/* ---- building a line ---- */

static void put(struct log_line *line, const char *text, size_t len)
{
    assert(len <= sizeof(line->text) - line->len);
    memcpy(line->text + line->len, text, len);
    line->len += len;
}

static void put_str(struct log_line *line, const char *text)
{
    put(line, text, strlen(text));
}

static void put_key(struct log_line *line, const char *key)
{
    bool is_first = line->len == LINE_START;
    if (state.format == LOG_JSON) {
        put_str(line, is_first ? "{\"" : ",\"");
        put_str(line, key);
        put_str(line, "\":");
    } else {
        put_str(line, is_first ? "" : " ");
        put_str(line, key);
        put_str(line, "=");
    }
}

/* `value` is escaped already. Puts the whole field or nothing. */
static void put_field(struct log_line *line, const char *key, struct span value, bool is_quoted)
{
    size_t need = strlen(key) + value.len + 6; /* at most {"": and two quotes around the value */
    if (line->len + need > LOG_LINE_MAX - TAIL_MAX_BYTES) {
        line->is_cut = true;
        return;
    }
    put_key(line, key);
    put_str(line, is_quoted ? "\"" : "");
    put(line, value.data, value.len);
    put_str(line, is_quoted ? "\"" : "");
}

/* Every escape has a backslash. */
static bool needs_quotes(struct span escaped)
{
    return state.format == LOG_JSON || escaped.len == 0 || span_find(escaped, ' ') < escaped.len ||
           span_find(escaped, '=') < escaped.len || span_find(escaped, '\\') < escaped.len;
}

static void put_text(struct log_line *line, const char *key, struct span value, size_t whole_bytes)
{
    char escaped[ESCAPED_MAX_BYTES];
    if (line->len == 0) {
        return;
    }
    size_t len = escape_value(state.format, value, whole_bytes, escaped, sizeof(escaped));
    struct span text = {escaped, len};
    put_field(line, key, text, needs_quotes(text));
}

static void put_time(struct log_line *line)
{
    struct timespec now = {0};
    struct tm utc = {0};
    char date[32];
    char text[40];
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &utc);
    (void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(text, sizeof(text), "%s.%03dZ", date, (int)(now.tv_nsec / 1000000));
    log_str(line, "ts", text);
}

void log_begin(struct log_line *line, enum log_level level, const char *event)
{
    line->level = level;
    line->is_cut = false;
    line->len = 0;
    /* The length 0 tells the other calls that nobody wants this line. */
    if (!log_is_on(level)) {
        return;
    }
    line->text[0] = '\n';
    line->len = LINE_START;
    put_time(line);
    log_str(line, "level", level_names[level]);
    if (state.process[0] != '\0') {
        log_str(line, "proc", state.process);
    }
    log_str(line, "event", event);
}

void log_text(struct log_line *line, const char *key, struct span value)
{
    put_text(line, key, value, value.len);
}

void log_str(struct log_line *line, const char *key, const char *value)
{
    log_text(line, key, span_from_str(value));
}

void log_u64(struct log_line *line, const char *key, uint64_t value)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" PRIu64, value);
    if (line->len > 0) {
        put_field(line, key, (struct span){digits, (size_t)len}, false);
    }
}

static void put_tail(struct log_line *line)
{
    char digits[24];
    if (line->is_cut) {
        put_key(line, "cut");
        put_str(line, "1");
    }
    if (state.dropped_lines > 0) {
        (void)snprintf(digits, sizeof(digits), "%" PRIu64, state.dropped_lines);
        put_key(line, "log_dropped");
        put_str(line, digits);
    }
    put_str(line, state.format == LOG_JSON ? "}\n" : "\n");
}

/* ---- the sink ---- */

static ssize_t write_once(const char *text, size_t len)
{
    struct pollfd ready = {.fd = state.fd, .events = POLLOUT};
    switch (state.kind) {
    case SINK_NONE:
        break;
    case SINK_SOCKET:
        return send(state.fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    case SINK_SHARED:
        if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) {
            errno = EAGAIN;
            return -1;
        }
        return write(state.fd, text, len);
    case SINK_PRIVATE:
        return write(state.fd, text, len);
    }
    errno = EBADF;
    return -1;
}

void log_end(struct log_line *line)
{
    if (line->len == 0) {
        return;
    }
    put_tail(line);
    /* After half a line the next one starts with a newline. */
    size_t start = state.is_torn ? 0 : LINE_START;
    size_t want = line->len - start;
    ssize_t sent = 0;
    int saved_errno = errno;
    do {
        sent = write_once(line->text + start, want);
    } while (sent == -1 && errno == EINTR);
    errno = saved_errno;
    line->len = 0;
    if (sent > 0 && (size_t)sent == want) {
        state.dropped_lines = 0;
        state.is_torn = false;
        return;
    }
    state.dropped_lines++;
    state.dropped_total++;
    /* If only that newline went out, no line is torn. */
    state.is_torn = sent > 0 ? !(state.is_torn && sent == 1) : state.is_torn;
}

void log_message(enum log_level level, const char *event, const char *format, ...)
{
    char msg[VALUE_MAX_BYTES * 2];
    struct log_line line;
    va_list args;
    if (!log_is_on(level)) {
        return;
    }
    va_start(args, format);
    int len = vsnprintf(msg, sizeof(msg), format, args);
    va_end(args);
    size_t whole = len > 0 ? (size_t)len : 0;
    log_begin(&line, level, event);
    put_text(&line, "msg", (struct span){msg, whole < sizeof(msg) ? whole : sizeof(msg) - 1},
             whole);
    log_end(&line);
}

static int open_private(int fd)
{
    char path[40];
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

static enum sink_kind shared_kind(int fd)
{
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        return SINK_NONE;
    }
    return S_ISSOCK(status.st_mode) ? SINK_SOCKET : SINK_SHARED;
}

/* Others write to `fd` too (assert, libraries): their texts must not overwrite the beginning of the
 * file, where the position of a redirection without append stays. */
static void append_to_file(int fd)
{
    struct stat status;
    int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);
    if (flags != -1 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        (void)fcntl(fd, F_SETFL, flags | O_APPEND);
    }
}

void log_init(int fd, enum log_level level, enum log_format format)
{
    int saved_errno = errno;
    append_to_file(fd);
    state.level = level;
    state.format = format;
    int own = fd < 0 ? -1 : open_private(fd);
    /* A worker in a sandbox can open nothing more; its old description serves on. */
    bool keeps_old = own == -1 && fd >= 0 && state.kind == SINK_PRIVATE && state.origin == fd;
    if (!keeps_old) {
        if (state.kind == SINK_PRIVATE) {
            (void)close(state.fd);
        }
        state.kind = own != -1 ? SINK_PRIVATE : shared_kind(fd);
        state.fd = own != -1 ? own : fd;
        state.origin = fd;
    }
    errno = saved_errno;
}

void log_set_process(const char *name)
{
    (void)span_copy(span_from_str(name), state.process, sizeof(state.process));
}

uint64_t log_dropped_total(void)
{
    return state.dropped_total;
}

bool log_is_on(enum log_level level)
{
    return state.kind != SINK_NONE && level <= state.level;
}
