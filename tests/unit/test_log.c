/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "check.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- escaping ---- */

static const struct {
    struct span raw;
    const char *key_value;
    const char *json;
} escape_rows[] = {
    {{"", 0}, "", ""},
    {{"plain", 5}, "plain", "plain"},
    {{"a b=c", 5}, "a b=c", "a b=c"},
    {{"\"", 1}, "\\\"", "\\\""},
    {{"\\", 1}, "\\\\", "\\\\"},
    {{"\n\r\t", 3}, "\\n\\r\\t", "\\n\\r\\t"},
    {{"\0", 1}, "\\x00", "\\u0000"},
    {{"\x1b[31m", 5}, "\\x1b[31m", "\\u001b[31m"},
    {{"\x1f\x7f", 2}, "\\x1f\\x7f", "\\u001f\\u007f"},
    {{"'/<>", 4}, "'/<>", "'/<>"},
    {{"\xc3\xa9", 2}, "\xc3\xa9", "\xc3\xa9"},
    {{"\xe2\x82\xac", 3}, "\xe2\x82\xac", "\xe2\x82\xac"},
    {{"\xf0\x9f\x98\x80", 4}, "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
    {{"\xf4\x8f\xbf\xbf", 4}, "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
    /* C1 controls: the first, the last, and the first character behind them */
    {{"\xc2\x80\xc2\x9f\xc2\xa0", 6}, "\\xc2\\x80\\xc2\\x9f\xc2\xa0", "\\u0080\\u009f\xc2\xa0"},
    /* line and paragraph separators, bidirectional controls and their neighbours */
    {{"\xd8\x9c", 2}, "\\xd8\\x9c", "\\u061c"},
    {{"\xe2\x80\x8d", 3}, "\xe2\x80\x8d", "\xe2\x80\x8d"},
    {{"\xe2\x80\x8e\xe2\x80\x8f", 6}, "\\xe2\\x80\\x8e\\xe2\\x80\\x8f", "\\u200e\\u200f"},
    {{"\xe2\x80\x90", 3}, "\xe2\x80\x90", "\xe2\x80\x90"},
    {{"\xe2\x80\xa7", 3}, "\xe2\x80\xa7", "\xe2\x80\xa7"},
    {{"\xe2\x80\xa8\xe2\x80\xa9", 6}, "\\xe2\\x80\\xa8\\xe2\\x80\\xa9", "\\u2028\\u2029"},
    {{"\xe2\x80\xaa\xe2\x80\xae", 6}, "\\xe2\\x80\\xaa\\xe2\\x80\\xae", "\\u202a\\u202e"},
    {{"\xe2\x80\xaf", 3}, "\xe2\x80\xaf", "\xe2\x80\xaf"},
    {{"\xe2\x81\xa5", 3}, "\xe2\x81\xa5", "\xe2\x81\xa5"},
    {{"\xe2\x81\xa6\xe2\x81\xa9", 6}, "\\xe2\\x81\\xa6\\xe2\\x81\\xa9", "\\u2066\\u2069"},
    {{"\xe2\x81\xaa", 3}, "\xe2\x81\xaa", "\xe2\x81\xaa"},
    /* not UTF-8: a lone continuation, overlong forms, a surrogate, too large, cut off */
    {{"\x80", 1}, "\\x80", "\xef\xbf\xbd"},
    {{"\xff", 1}, "\\xff", "\xef\xbf\xbd"},
    {{"\xc0\x80", 2}, "\\xc0\\x80", "\xef\xbf\xbd\xef\xbf\xbd"},
    {{"\xc1\xbf", 2}, "\\xc1\\xbf", "\xef\xbf\xbd\xef\xbf\xbd"},
    {{"\xe0\x9f\xbf", 3}, "\\xe0\\x9f\\xbf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {{"\xed\xa0\x80", 3}, "\\xed\\xa0\\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {{"\xf0\x8f\xbf\xbf", 4},
     "\\xf0\\x8f\\xbf\\xbf",
     "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {{"\xf4\x90\x80\x80", 4},
     "\\xf4\\x90\\x80\\x80",
     "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {{"a\xe2\x82", 3}, "a\\xe2\\x82", "a\xef\xbf\xbd\xef\xbf\xbd"},
    {{"\xe2(\xa1", 3}, "\\xe2(\\xa1", "\xef\xbf\xbd(\xef\xbf\xbd"},
    {{"\xc3\n", 2}, "\\xc3\\n", "\xef\xbf\xbd\\n"},
};

static void test_escape(void)
{
    for (size_t i = 0; i < COUNT(escape_rows); i++) {
        char out[64];
        size_t len = log_escape(LOG_KEY_VALUE, escape_rows[i].raw, out, sizeof(out));
        CHECK_EQ_STR(escape_rows[i].key_value, out, escape_rows[i].key_value);
        CHECK_EQ_U64(escape_rows[i].key_value, len, strlen(escape_rows[i].key_value));
        len = log_escape(LOG_JSON, escape_rows[i].raw, out, sizeof(out));
        CHECK_EQ_STR(escape_rows[i].json, out, escape_rows[i].json);
        CHECK_EQ_U64(escape_rows[i].json, len, strlen(escape_rows[i].json));
    }
}

/* In little room, log_escape writes as many whole escapes as fit, and never past the end. `ends`
 * are the seven places where an escape ends. */
static void check_little_room(enum log_format format, const size_t ends[7])
{
    static const struct span raw = {"a\n\x01\xe2\x80\xae\xff\xe2\x82\xac", 10};
    char out[40];
    size_t want = 0;
    for (size_t size = 1; size < 30; size++) {
        for (size_t i = 0; i < 7; i++) {
            want = ends[i] < size ? ends[i] : want;
        }
        memset(out, '#', sizeof(out));
        CHECK_EQ_U64("length", log_escape(format, raw, out, size), want);
        CHECK_EQ_U64("ends with NUL", strlen(out), want);
        CHECK_EQ_INT("nothing behind", out[size], '#');
    }
}

static void test_escape_little_room(void)
{
    check_little_room(LOG_KEY_VALUE, (const size_t[]){0, 1, 3, 7, 19, 23, 26});
    check_little_room(LOG_JSON, (const size_t[]){0, 1, 3, 9, 15, 18, 21});
}

static void test_escape_cuts_long(void)
{
    char raw[1000];
    char out[2000];
    memset(raw, 'x', sizeof(raw));
    CHECK_EQ_U64("256 stay", log_escape(LOG_JSON, (struct span){raw, 256}, out, sizeof(out)), 256);
    size_t len = log_escape(LOG_JSON, (struct span){raw, 257}, out, sizeof(out));
    CHECK_EQ_U64("257 are cut", len, 256 + strlen("\xe2\x80\xa6(257)"));
    CHECK_EQ_STR("mark", out + 256, "\xe2\x80\xa6(257)");
    CHECK_EQ_U64("1000", log_escape(LOG_KEY_VALUE, (struct span){raw, 1000}, out, sizeof(out)),
                 256 + strlen("\xe2\x80\xa6(1000)"));
    /* A character that the cut would split is left out whole. */
    for (size_t shift = 0; shift < 4; shift++) {
        memset(raw, 'x', sizeof(raw));
        for (size_t i = shift; i + 4 <= sizeof(raw); i += 4) {
            memcpy(raw + i, "\xf0\x9f\x98\x80", 4);
        }
        size_t kept = shift + (256 - shift) / 4 * 4;
        (void)log_escape(LOG_JSON, (struct span){raw, 1000}, out, sizeof(out));
        CHECK_EQ_STR("mark behind the last whole character", out + kept, "\xe2\x80\xa6(1000)");
    }
    memset(raw, 1, sizeof(raw));
    len = log_escape(LOG_JSON, (struct span){raw, 1000}, out, sizeof(out));
    CHECK_EQ_U64("the longest form", len, 256 * 6 + strlen("\xe2\x80\xa6(1000)"));
}

/* ---- lines that the tests read back through a pipe ---- */

struct sink {
    int read_fd;
    int write_fd;
    char text[1 << 17];
};

static struct sink sink;

static bool sink_open(enum log_level level, enum log_format format)
{
    int fds[2];
    if (!CHECK_EQ_INT("pipe", pipe(fds), 0)) {
        return false;
    }
    sink.read_fd = fds[0];
    sink.write_fd = fds[1];
    (void)fcntl(sink.read_fd, F_SETFL, O_NONBLOCK);
    log_init(sink.write_fd, level, format);
    return true;
}

/* Returns everything that waits in the pipe, as a string. */
static const char *sink_read(void)
{
    size_t used = 0;
    while (used < sizeof(sink.text) - 1) {
        ssize_t got = read(sink.read_fd, sink.text + used, sizeof(sink.text) - 1 - used);
        if (got <= 0) {
            break;
        }
        used += (size_t)got;
    }
    sink.text[used] = '\0';
    return sink.text;
}

static void sink_close(void)
{
    log_init(-1, LOG_ERROR, LOG_KEY_VALUE);
    log_set_process("");
    (void)close(sink.read_fd);
    (void)close(sink.write_fd);
}

/* Each digit becomes 0, so that the test compares the form of a time stamp. */
static void check_line(const char *row, const char *got, const char *stamp, const char *rest)
{
    char form[64] = "";
    size_t len = strlen(stamp);
    if (!CHECK_TRUE(row, strlen(got) >= len)) {
        return;
    }
    for (size_t i = 0; i < len; i++) {
        form[i] = got[i];
        if (got[i] >= '0' && got[i] <= '9') {
            form[i] = '0';
        }
    }
    CHECK_EQ_STR(row, form, stamp);
    CHECK_EQ_STR(row, got + len, rest);
}

static const char stamp_key_value[] = "ts=0000-00-00T00:00:00.000Z ";
static const char stamp_json[] = "{\"ts\":\"0000-00-00T00:00:00.000Z\",";

static void write_all_kinds(void)
{
    struct log_line line;
    log_begin(&line, LOG_INFO, "session.end");
    log_str(&line, "plain", "a/b:c");
    log_str(&line, "none", NULL);
    log_text(&line, "blank", SPAN_LIT("a b"));
    log_text(&line, "equals", SPAN_LIT("a=b"));
    log_text(&line, "quote", SPAN_LIT("a\"b"));
    log_text(&line, "newline", SPAN_LIT("a\nts=forged"));
    log_text(&line, "high", SPAN_LIT("\xc3\xa9\xff"));
    log_u64(&line, "most", UINT64_MAX);
    log_end(&line);
}

static void test_line_key_value(void)
{
    if (!sink_open(LOG_INFO, LOG_KEY_VALUE)) {
        return;
    }
    write_all_kinds();
    check_line("all", sink_read(), stamp_key_value,
               "level=info event=session.end plain=a/b:c none=\"\" blank=\"a b\" equals=\"a=b\" "
               "quote=\"a\\\"b\" newline=\"a\\nts=forged\" high=\"\xc3\xa9\\xff\" "
               "most=18446744073709551615\n");
    log_set_process("w0");
    log_message(LOG_ERROR, "start", "cannot open %s", "x");
    check_line("message", sink_read(), stamp_key_value,
               "level=error proc=w0 event=start msg=\"cannot open x\"\n");
    log_set_process("a name that is far too long");
    log_message(LOG_WARN, "start", "%s", "");
    check_line("long name", sink_read(), stamp_key_value,
               "level=warn proc=\"a name that is \" event=start msg=\"\"\n");
    sink_close();
}

static void test_line_json(void)
{
    if (!sink_open(LOG_INFO, LOG_JSON)) {
        return;
    }
    write_all_kinds();
    check_line("all", sink_read(), stamp_json,
               "\"level\":\"info\",\"event\":\"session.end\",\"plain\":\"a/b:c\",\"none\":\"\","
               "\"blank\":\"a b\",\"equals\":\"a=b\",\"quote\":\"a\\\"b\","
               "\"newline\":\"a\\nts=forged\",\"high\":\"\xc3\xa9\xef\xbf\xbd\","
               "\"most\":18446744073709551615}\n");
    log_set_process("master");
    log_message(LOG_INFO, "start", "%d%%", 5);
    check_line("message", sink_read(), stamp_json,
               "\"level\":\"info\",\"proc\":\"master\",\"event\":\"start\",\"msg\":\"5%\"}\n");
    sink_close();
}

static void test_levels(void)
{
    CHECK_FALSE("before log_init", log_is_on(LOG_ERROR));
    log_message(LOG_ERROR, "nobody", "listens");
    for (int on = LOG_ERROR; on <= LOG_DEBUG; on++) {
        if (!sink_open((enum log_level)on, LOG_KEY_VALUE)) {
            return;
        }
        for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
            struct log_line line;
            CHECK_EQ_INT("is on", log_is_on((enum log_level)level), level <= on);
            log_begin(&line, (enum log_level)level, "e");
            log_str(&line, "text", "t");
            log_u64(&line, "number", 1);
            log_end(&line);
            CHECK_EQ_INT("written", sink_read()[0] != '\0', level <= on);
            log_message((enum log_level)level, "e", "m");
            CHECK_EQ_INT("written", sink_read()[0] != '\0', level <= on);
        }
        sink_close();
    }
}

static void test_long_message(void)
{
    char text[2000];
    if (!sink_open(LOG_INFO, LOG_KEY_VALUE)) {
        return;
    }
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    log_message(LOG_INFO, "e", "%s", text);
    const char *mark = strstr(sink_read(), "x\xe2\x80\xa6(");
    CHECK_EQ_STR("the length is that of the whole", mark, "x\xe2\x80\xa6(1999)\n");
    sink_close();
}

/* The fields fill a line whatever their length: no line is too long or torn. */
static void check_full_line(size_t width, const char *end)
{
    static const char longest[200];
    struct log_line line;
    log_begin(&line, LOG_INFO, "e");
    for (size_t i = 0; i < 300; i++) {
        log_text(&line, "k", (struct span){longest, width});
        log_u64(&line, "n", i);
    }
    log_end(&line);
    const char *got = sink_read();
    size_t len = strlen(got);
    CHECK_TRUE("not longer than a line", len <= LOG_LINE_MAX && len > LOG_LINE_MAX / 2);
    CHECK_TRUE("one line", strchr(got, '\n') == got + len - 1);
    CHECK_EQ_STR("says so", got + len - strlen(end), end);
}

static void test_full_line(void)
{
    for (size_t width = 0; width < 200; width += 7) {
        if (!sink_open(LOG_INFO, LOG_KEY_VALUE)) {
            return;
        }
        check_full_line(width, " cut=1\n");
        log_init(sink.write_fd, LOG_INFO, LOG_JSON);
        check_full_line(width, ",\"cut\":1}\n");
        sink_close();
    }
}

/* ---- a sink that takes no more ---- */

/* Logs more lines than any sink here holds. The next line tells how many lines were lost. */
static void check_drops(const char *row)
{
    enum { LINES = 3000 };
    char want[64];
    (void)sink_read();
    log_message(LOG_INFO, "first", "m");
    CHECK_TRUE(row, strstr(sink_read(), "event=first msg=m\n") != NULL);
    for (int i = 0; i < LINES; i++) {
        log_message(LOG_INFO, "filler", "%0250d", i);
    }
    const char *got = sink_read();
    size_t arrived = 0;
    for (const char *at = got; (at = strstr(at, "filler")) != NULL; at++) {
        arrived++;
    }
    CHECK_TRUE(row, arrived > 0 && arrived < LINES);
    CHECK_EQ_STR("the last line is whole", got + strlen(got) - 1, "\n");
    log_message(LOG_INFO, "next", "m");
    snprintf(want, sizeof(want), "event=next msg=m log_dropped=%zu\n", LINES - arrived);
    got = sink_read();
    CHECK_TRUE(row, strstr(got, want) != NULL);
    CHECK_TRUE("no line is torn", strncmp(got, "ts=", 3) == 0);
    log_message(LOG_INFO, "after", "m");
    CHECK_TRUE("told once", strstr(sink_read(), "event=after msg=m\n") != NULL);
}

static void test_full_pipe(void)
{
    if (!sink_open(LOG_INFO, LOG_KEY_VALUE)) {
        return;
    }
    check_drops("pipe");
    CHECK_EQ_INT("our flags are not theirs", fcntl(sink.write_fd, F_GETFL) & O_NONBLOCK, 0);
    sink_close();
}

/* A limit of no descriptors makes every open fail, as in a worker that has locked itself in. */
static void init_without_open(int fd)
{
    struct rlimit old;
    struct rlimit none;
    CHECK_EQ_INT("getrlimit", getrlimit(RLIMIT_NOFILE, &old), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = old.rlim_max};
    CHECK_EQ_INT("setrlimit", setrlimit(RLIMIT_NOFILE, &none), 0);
    log_init(fd, LOG_INFO, LOG_KEY_VALUE);
    CHECK_EQ_INT("setrlimit", setrlimit(RLIMIT_NOFILE, &old), 0);
}

static void test_shared_descriptor(void)
{
    if (!sink_open(LOG_INFO, LOG_KEY_VALUE)) {
        return;
    }
    log_init(-1, LOG_INFO, LOG_KEY_VALUE);
    init_without_open(sink.write_fd);
    check_drops("blocking pipe that is not ours");
    sink_close();
}

static void test_init_again(void)
{
    if (!sink_open(LOG_ERROR, LOG_JSON)) {
        return;
    }
    log_init(sink.write_fd, LOG_ERROR, LOG_JSON);
    errno = 0;
    init_without_open(sink.write_fd);
    CHECK_EQ_INT("errno is left alone", errno, 0);
    int spare = dup(sink.write_fd);
    (void)close(sink.write_fd);
    log_message(LOG_INFO, "e", "m");
    CHECK_TRUE("the private description serves on", strstr(sink_read(), "event=e msg=m") != NULL);
    sink.write_fd = spare;
    log_init(spare, LOG_DEBUG, LOG_JSON);
    log_message(LOG_DEBUG, "e", "m");
    CHECK_TRUE("another descriptor and format", sink_read()[0] == '{');
    sink_close();
    CHECK_FALSE("off", log_is_on(LOG_ERROR));
}

static void test_full_socket(void)
{
    int fds[2];
    if (!CHECK_EQ_INT("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0)) {
        return;
    }
    sink.read_fd = fds[0];
    sink.write_fd = fds[1];
    int bytes = 16384;
    (void)setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    (void)fcntl(sink.read_fd, F_SETFL, O_NONBLOCK);
    log_init(sink.write_fd, LOG_INFO, LOG_KEY_VALUE);
    check_drops("socket");
    (void)close(sink.read_fd);
    log_message(LOG_INFO, "e", "the peer is gone: an error, no signal");
    sink.read_fd = -1;
    sink_close();
    /* The next sink tells of the lines that this one lost. */
    if (sink_open(LOG_INFO, LOG_KEY_VALUE)) {
        log_message(LOG_INFO, "e", "m");
        CHECK_TRUE("counted", strstr(sink_read(), "log_dropped=1\n") != NULL);
        sink_close();
    }
}

/* A terminal takes half a line; what follows starts on a line of its own. */
static void test_torn_line(void)
{
    struct termios raw;
    sink.read_fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (sink.read_fd == -1 || grantpt(sink.read_fd) != 0 || unlockpt(sink.read_fd) != 0) {
        return; /* this machine has no terminals */
    }
    sink.write_fd = open(ptsname(sink.read_fd), O_RDWR | O_NOCTTY);
    if (!CHECK_TRUE("open", sink.write_fd != -1)) {
        return;
    }
    (void)tcgetattr(sink.write_fd, &raw);
    cfmakeraw(&raw);
    (void)tcsetattr(sink.write_fd, TCSANOW, &raw);
    log_init(sink.write_fd, LOG_INFO, LOG_KEY_VALUE);
    for (int i = 0; i < 4000; i++) {
        log_message(LOG_INFO, "filler", "%0250d", i);
    }
    /* The terminal hands on what it holds in its own time. Until "after" has come through, each
     * round waits for the next piece. */
    static char all[1 << 21];
    size_t used = 0;
    for (int i = 0; i < 10000 && strstr(all, "event=after") == NULL; i++) {
        struct pollfd p = {.fd = sink.read_fd, .events = POLLIN};
        (void)poll(&p, 1, 10);
        const char *got = sink_read();
        size_t len = strlen(got);
        if (used + len < sizeof(all)) {
            memcpy(all + used, got, len + 1);
            used += len;
        }
        if (len == 0) {
            log_message(LOG_INFO, "after", "m");
        }
    }
    const char *after = strstr(all, "event=after");
    if (CHECK_TRUE("came through", after != NULL)) {
        while (after > all && after[-1] != '\n') {
            after--;
        }
        CHECK_TRUE("a line of its own",
                   strstr(after, " event=") + 1 == strstr(after, "event=after"));
        CHECK_TRUE("tells of the loss", strstr(after, "log_dropped=") != NULL);
    }
    sink_close();
}

CU_TestInfo log_tests[] = {
    {"escape", test_escape},
    {"escape into little room", test_escape_little_room},
    {"escape cuts long values", test_escape_cuts_long},
    {"a key=value line", test_line_key_value},
    {"a JSON line", test_line_json},
    {"levels", test_levels},
    {"a long message", test_long_message},
    {"a full line", test_full_line},
    {"a full pipe", test_full_pipe},
    {"a descriptor that is not ours", test_shared_descriptor},
    {"init again", test_init_again},
    {"a full socket", test_full_socket},
    {"a torn line", test_torn_line},
    CU_TEST_INFO_NULL,
};
