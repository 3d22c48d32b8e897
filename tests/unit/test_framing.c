/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/framing.h"

#include "check.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LIT(text) SPAN_LIT(text)

static const struct framing lf = {.kind = FRAMING_LINE, .max_bytes = 8};
static const struct framing lf_multi = {
    .kind = FRAMING_LINE, .is_line_multi = true, .max_bytes = 8};
static const struct framing crlf = {.kind = FRAMING_LINE, .line_end = FRAMING_CRLF, .max_bytes = 8};
static const struct framing crlf_multi = {
    .kind = FRAMING_LINE, .line_end = FRAMING_CRLF, .is_line_multi = true, .max_bytes = 8};
static const struct framing big16 = {.kind = FRAMING_LENGTH16, .max_bytes = 8};
static const struct framing little16 = {
    .kind = FRAMING_LENGTH16, .length_order = FRAMING_LITTLE, .max_bytes = 8};
static const struct framing big32 = {.kind = FRAMING_LENGTH32, .max_bytes = 8};
static const struct framing little32 = {
    .kind = FRAMING_LENGTH32, .length_order = FRAMING_LITTLE, .max_bytes = 8};
static const struct framing stream = {.kind = FRAMING_STREAM, .max_bytes = 8};

/* --- the splitter's messages as text, each whole one in brackets ------------------------------*/

struct result {
    char text[512];
    size_t len;
    size_t whole_len; /* up to the end of the last whole message */
    enum framing_error error;
};

static void put(struct result *r, const char *data, size_t len)
{
    if (r->len + len < sizeof(r->text)) {
        memcpy(r->text + r->len, data, len);
        r->len += len;
    }
}

/* Adds a piece, and checks what is true of every piece. */
static void put_piece(struct result *r, const struct framing_piece *piece, const char *row)
{
    bool in_message = r->len > r->whole_len;
    CHECK_TRUE(row, piece->is_start == !in_message);
    CHECK_TRUE(row, piece->data.data != NULL);
    CHECK_TRUE(row, piece->data.len > 0 || piece->is_end);
    if (piece->is_start) {
        put(r, "[", 1);
    }
    put(r, piece->data.data, piece->data.len);
    if (piece->is_end) {
        put(r, "]", 1);
        r->whole_len = r->len;
    }
}

/* Splits one read. False: the splitter failed. */
static bool feed(struct framing_splitter *s, const struct framing *f, struct span input,
                 struct result *r, const char *row)
{
    size_t calls_left = 2 * input.len + 2;
    while (calls_left-- > 0) {
        struct framing_piece piece;
        switch (framing_split(s, f, &input, &piece, &r->error)) {
        case FRAMING_NEED_MORE:
            CHECK_EQ_U64(row, input.len, 0);
            CHECK_EQ_INT(row, r->error, FRAMING_OK);
            return true;
        case FRAMING_PIECE:
            CHECK_EQ_INT(row, r->error, FRAMING_OK);
            put_piece(r, &piece, row);
            break;
        case FRAMING_ERROR:
            CHECK_TRUE(row, r->error == FRAMING_TOO_LONG);
            return false;
        }
    }
    return CHECK_TRUE("calls come to an end", false);
}

static void feed_end(struct framing_splitter *s, const struct framing *f, struct result *r,
                     const char *row)
{
    struct framing_piece piece;
    enum framing_split got = framing_split_end(s, f, &piece, &r->error);
    if (got == FRAMING_PIECE) {
        CHECK_TRUE(row, piece.is_end);
        put_piece(r, &piece, row);
        got = framing_split_end(s, f, &piece, &r->error);
        CHECK_EQ_INT(row, got, FRAMING_NEED_MORE);
    }
    CHECK_TRUE(row, (got == FRAMING_ERROR) == (r->error != FRAMING_OK));
}

/* Splits the input in reads that end at the cuts, then its end. */
static void split_cut(const struct framing *f, struct span input, const size_t cuts[2],
                      const char *row, struct result *out)
{
    const size_t ends[3] = {cuts[0], cuts[1], input.len};
    struct framing_splitter s;
    size_t at = 0;
    memset(out, 0, sizeof(*out));
    framing_splitter_init(&s);
    for (size_t i = 0; i < COUNT(ends); i++) {
        if (!feed(&s, f, (struct span){input.data + at, ends[i] - at}, out, row)) {
            return;
        }
        at = ends[i];
    }
    feed_end(&s, f, out, row);
}

/* Splits whole, at every pair of cuts and byte by byte; all must give these messages and this
 * error. */
static void check_split(const char *row, const struct framing *f, struct span input,
                        struct span want, enum framing_error want_error)
{
    struct result got;
    for (size_t first = 0; first <= input.len; first++) {
        for (size_t second = first; second <= input.len; second++) {
            const size_t cuts[2] = {first, second};
            split_cut(f, input, cuts, row, &got);
            CHECK_EQ_MEM(row, got.text, got.whole_len, want.data, want.len);
            CHECK_EQ_INT(row, got.error, want_error);
        }
    }
    struct framing_splitter s;
    bool is_good = true;
    memset(&got, 0, sizeof(got));
    framing_splitter_init(&s);
    for (size_t i = 0; i < input.len && is_good; i++) {
        is_good = feed(&s, f, (struct span){input.data + i, 1}, &got, row);
    }
    if (is_good) {
        feed_end(&s, f, &got, row);
    }
    CHECK_EQ_MEM(row, got.text, got.whole_len, want.data, want.len);
    CHECK_EQ_INT(row, got.error, want_error);
}

struct split_row {
    const char *name;
    const struct framing *framing;
    struct span input;
    struct span want;
    enum framing_error error;
};

static void check_split_rows(const struct split_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check_split(rows[i].name, rows[i].framing, rows[i].input, rows[i].want, rows[i].error);
    }
}

static void test_split_lf(void)
{
    static const struct split_row rows[] = {
        {"nothing", &lf, LIT(""), LIT(""), FRAMING_OK},
        {"one", &lf, LIT("abc\n"), LIT("[abc]"), FRAMING_OK},
        {"several", &lf, LIT("a\nbc\ndef\n"), LIT("[a][bc][def]"), FRAMING_OK},
        {"empty lines", &lf, LIT("\n\na\n\n"), LIT("[][][a][]"), FRAMING_OK},
        {"CR belongs to the line", &lf, LIT("a\r\n\rb\n\r\n"), LIT("[a\r][\rb][\r]"), FRAMING_OK},
        {"no terminator at the end", &lf, LIT("a\nbc"), LIT("[a][bc]"), FRAMING_OK},
        {"CR at the end", &lf, LIT("a\r"), LIT("[a\r]"), FRAMING_OK},
        {"NUL", &lf, LIT("a\0b\n\0\n"), LIT("[a\0b][\0]"), FRAMING_OK},
        {"UTF-8", &lf, LIT("\xe2\x82\xac\n\xc3\n"), LIT("[\xe2\x82\xac][\xc3]"), FRAMING_OK},
        {"longest", &lf, LIT("12345678\n12345678\n"), LIT("[12345678][12345678]"), FRAMING_OK},
        {"one more", &lf, LIT("a\n123456789\nb\n"), LIT("[a]"), FRAMING_TOO_LONG},
        {"one more, and it is CR", &lf, LIT("12345678\r\n"), LIT(""), FRAMING_TOO_LONG},
        {"longest, no terminator", &lf, LIT("a\n12345678"), LIT("[a][12345678]"), FRAMING_OK},
        {"one more, no terminator", &lf, LIT("a\n123456789"), LIT("[a]"), FRAMING_TOO_LONG},
        {"multi changes nothing", &lf_multi, LIT("a\nb\nc"), LIT("[a][b][c]"), FRAMING_OK},
    };
    check_split_rows(rows, COUNT(rows));
}

static void test_split_crlf(void)
{
    static const struct split_row rows[] = {
        {"nothing", &crlf, LIT(""), LIT(""), FRAMING_OK},
        {"one", &crlf, LIT("abc\r\n"), LIT("[abc]"), FRAMING_OK},
        {"several", &crlf, LIT("a\r\nbc\r\ndef\r\n"), LIT("[a][bc][def]"), FRAMING_OK},
        {"empty lines", &crlf, LIT("\r\n\r\na\r\n"), LIT("[][][a]"), FRAMING_OK},
        {"bare LF", &crlf, LIT("a\nb\r\nc\n\n"), LIT("[a][b][c][]"), FRAMING_OK},
        {"CR CR LF", &crlf, LIT("a\r\r\n"), LIT("[a\r]"), FRAMING_OK},
        {"three CR, LF", &crlf, LIT("\r\r\r\n"), LIT("[\r\r]"), FRAMING_OK},
        {"CR inside", &crlf, LIT("a\rb\r\n"), LIT("[a\rb]"), FRAMING_OK},
        {"CR at the start", &crlf, LIT("\ra\r\n"), LIT("[\ra]"), FRAMING_OK},
        {"LF CR", &crlf, LIT("a\n\rb\r\n"), LIT("[a][\rb]"), FRAMING_OK},
        {"only CR", &crlf, LIT("\r"), LIT("[\r]"), FRAMING_OK},
        {"lone CR at the end", &crlf, LIT("a\r\nb\r"), LIT("[a][b\r]"), FRAMING_OK},
        {"two CR at the end", &crlf, LIT("b\r\r"), LIT("[b\r\r]"), FRAMING_OK},
        {"no terminator at the end", &crlf, LIT("a\r\nbc"), LIT("[a][bc]"), FRAMING_OK},
        {"longest", &crlf, LIT("12345678\r\n12345678\n"), LIT("[12345678][12345678]"), FRAMING_OK},
        {"one more", &crlf, LIT("a\r\n123456789\r\n"), LIT("[a]"), FRAMING_TOO_LONG},
        {"longest that ends in CR", &crlf, LIT("1234567\r\r\n"), LIT("[1234567\r]"), FRAMING_OK},
        {"one more, and it is CR", &crlf, LIT("12345678\r\r\n"), LIT(""), FRAMING_TOO_LONG},
        {"one more behind a CR", &crlf, LIT("12345678\ra\r\n"), LIT(""), FRAMING_TOO_LONG},
        {"longest, no terminator", &crlf, LIT("12345678"), LIT("[12345678]"), FRAMING_OK},
        {"longest with CR, no LF", &crlf, LIT("1234567\r"), LIT("[1234567\r]"), FRAMING_OK},
        {"one more, a CR at the end", &crlf, LIT("a\n12345678\r"), LIT("[a]"), FRAMING_TOO_LONG},
        {"multi changes nothing", &crlf_multi, LIT("a\r\nb"), LIT("[a][b]"), FRAMING_OK},
    };
    check_split_rows(rows, COUNT(rows));
}

static void test_split_records(void)
{
    static const struct split_row rows[] = {
        {"16: nothing", &big16, LIT(""), LIT(""), FRAMING_OK},
        {"16", &big16, LIT("\0\3abc\0\1d"), LIT("[abc][d]"), FRAMING_OK},
        {"16: empty", &big16, LIT("\0\0\0\1a\0\0\0\0"), LIT("[][a][][]"), FRAMING_OK},
        {"16: anything inside", &big16, LIT("\0\5\0\2\n\r\xff"), LIT("[\0\2\n\r\xff]"), FRAMING_OK},
        {"16: longest", &big16, LIT("\0\10abcdefgh\0\1i"), LIT("[abcdefgh][i]"), FRAMING_OK},
        {"16: one more", &big16, LIT("\0\1a\0\11bcdefghij"), LIT("[a]"), FRAMING_TOO_LONG},
        {"16: one more, only the length", &big16, LIT("\0\11"), LIT(""), FRAMING_TOO_LONG},
        {"16: other order is too long", &big16, LIT("\1\0a"), LIT(""), FRAMING_TOO_LONG},
        {"16: cut in the length", &big16, LIT("\0\1a\0"), LIT("[a]"), FRAMING_CUT_OFF},
        {"16: cut behind the length", &big16, LIT("\0\1a\0\2"), LIT("[a]"), FRAMING_CUT_OFF},
        {"16: cut in the record", &big16, LIT("\0\1a\0\2b"), LIT("[a]"), FRAMING_CUT_OFF},
        {"16 little", &little16, LIT("\3\0abc\0\0\1\0d"), LIT("[abc][][d]"), FRAMING_OK},
        {"16 little: other order", &little16, LIT("\0\1a"), LIT(""), FRAMING_TOO_LONG},
        {"16 little: longest", &little16, LIT("\10\0abcdefgh"), LIT("[abcdefgh]"), FRAMING_OK},
        {"16 little: one more", &little16, LIT("\11\0abcdefghi"), LIT(""), FRAMING_TOO_LONG},
        {"32", &big32, LIT("\0\0\0\3abc\0\0\0\0\0\0\0\1d"), LIT("[abc][][d]"), FRAMING_OK},
        {"32: longest", &big32, LIT("\0\0\0\10abcdefgh"), LIT("[abcdefgh]"), FRAMING_OK},
        {"32: one more", &big32, LIT("\0\0\0\11abcdefghi"), LIT(""), FRAMING_TOO_LONG},
        {"32: top bit", &big32, LIT("\x80\0\0\0"), LIT(""), FRAMING_TOO_LONG},
        {"32: largest", &big32, LIT("\xff\xff\xff\xff"), LIT(""), FRAMING_TOO_LONG},
        {"32: cut in the length", &big32, LIT("\0\0\0"), LIT(""), FRAMING_CUT_OFF},
        {"32: cut in the record", &big32, LIT("\0\0\0\2a"), LIT(""), FRAMING_CUT_OFF},
        {"32 little", &little32, LIT("\3\0\0\0abc\1\0\0\0d"), LIT("[abc][d]"), FRAMING_OK},
        {"32 little: one more", &little32, LIT("\11\0\0\0"), LIT(""), FRAMING_TOO_LONG},
        {"32 little: top bit", &little32, LIT("\1\0\0\x80"), LIT(""), FRAMING_TOO_LONG},
    };
    check_split_rows(rows, COUNT(rows));
}

/* Each read is a message, so this test cuts nothing. */
static void test_split_stream(void)
{
    struct framing_splitter s;
    struct result got = {0};
    framing_splitter_init(&s);
    CHECK_TRUE("first", feed(&s, &stream, LIT("much longer than the limit\n"), &got, "first"));
    CHECK_TRUE("empty", feed(&s, &stream, LIT(""), &got, "empty"));
    CHECK_TRUE("second", feed(&s, &stream, LIT("\r"), &got, "second"));
    feed_end(&s, &stream, &got, "end");
    static const char want[] = "[much longer than the limit\n][\r]";
    CHECK_EQ_MEM("stream", got.text, got.len, want, sizeof(want) - 1);
    CHECK_EQ_INT("stream", got.error, FRAMING_OK);
}

/* --- limits that need more than a few bytes --------------------------------------------------*/

static const struct {
    const char *name;
    enum framing_kind kind;
    uint64_t max_bytes; /* of struct framing */
    uint64_t largest;   /* the longest message that then passes */
} limits[] = {
    {"line, 1", FRAMING_LINE, 1, 1},
    {"line, 64k", FRAMING_LINE, 65536, 65536},
    {"line, no end", FRAMING_LINE, UINT64_MAX, UINT64_MAX},
    {"16, 1", FRAMING_LENGTH16, 1, 1},
    {"16, 255", FRAMING_LENGTH16, 255, 255},
    {"16, 256", FRAMING_LENGTH16, 256, 256},
    {"16, 65534", FRAMING_LENGTH16, 65534, 65534},
    {"16, 65535", FRAMING_LENGTH16, 65535, 65535},
    {"16, 64k", FRAMING_LENGTH16, 65536, 65535},
    {"16, no end", FRAMING_LENGTH16, UINT64_MAX, 65535},
    {"32, 64k", FRAMING_LENGTH32, 65536, 65536},
    {"32, 2^31", FRAMING_LENGTH32, UINT64_C(1) << 31, UINT64_C(1) << 31},
    {"32, 2^32 - 2", FRAMING_LENGTH32, UINT32_MAX - UINT64_C(1), UINT32_MAX - UINT64_C(1)},
    {"32, 2^32 - 1", FRAMING_LENGTH32, UINT32_MAX, UINT32_MAX},
    {"32, 2^32", FRAMING_LENGTH32, UINT64_C(1) << 32, UINT32_MAX},
    {"32, no end", FRAMING_LENGTH32, UINT64_MAX, UINT32_MAX},
};

/* Wraps a message of this length (framing_wrap reads nothing but the length), then splits its
 * record in reads of 1 MiB. False: framing_wrap failed. */
static bool check_record(const char *row, const struct framing *f, uint64_t len)
{
    static const char block[1 << 20];
    struct framing_wrap wrap;
    struct framing_splitter s;
    struct framing_piece piece = {0};
    enum framing_error error;
    if (framing_wrap(f, (struct span){block, (size_t)len}, &wrap) != FRAMING_OK) {
        return false;
    }
    CHECK_EQ_U64(row, wrap.prefix_len, f->kind == FRAMING_LENGTH16 ? 2 : 4);
    CHECK_EQ_U64(row, wrap.suffix.len, 0);
    framing_splitter_init(&s);
    struct span input = {(const char *)wrap.prefix, wrap.prefix_len};
    CHECK_EQ_INT(row, framing_split(&s, f, &input, &piece, &error),
                 len == 0 ? FRAMING_PIECE : FRAMING_NEED_MORE);
    for (uint64_t left = len; left > 0; left -= piece.data.len) {
        input = (struct span){block, left < sizeof(block) ? (size_t)left : sizeof(block)};
        bool is_piece = framing_split(&s, f, &input, &piece, &error) == FRAMING_PIECE;
        if (!CHECK_TRUE(row, is_piece && input.len == 0)) {
            return true;
        }
    }
    CHECK_TRUE(row, piece.is_end);
    CHECK_EQ_INT(row, framing_split_end(&s, f, &piece, &error), FRAMING_NEED_MORE);
    return true;
}

/* Splits a length field that is above the limit. */
static void check_record_refused(const char *row, const struct framing *f, uint64_t len)
{
    uint8_t header[4];
    size_t header_len = f->kind == FRAMING_LENGTH16 ? 2 : 4;
    struct framing_splitter s;
    struct framing_piece piece;
    enum framing_error error;
    if (len >> (8 * header_len) != 0) {
        return; /* the field cannot say so much */
    }
    for (size_t i = 0; i < header_len; i++) {
        size_t place = f->length_order == FRAMING_BIG ? header_len - 1 - i : i;
        header[i] = (uint8_t)(len >> (8 * place));
    }
    framing_splitter_init(&s);
    struct span input = {(const char *)header, header_len};
    CHECK_EQ_INT(row, framing_split(&s, f, &input, &piece, &error), FRAMING_ERROR);
    CHECK_EQ_INT(row, error, FRAMING_TOO_LONG);
}

static void test_limits(void)
{
    for (size_t i = 0; i < COUNT(limits); i++) {
        struct framing f = {.kind = limits[i].kind, .max_bytes = limits[i].max_bytes};
        CHECK_EQ_U64(limits[i].name, framing_max_bytes(&f), limits[i].largest);
        for (size_t order = 0; order < 2 && f.kind != FRAMING_LINE; order++) {
            f.length_order = order == 0 ? FRAMING_BIG : FRAMING_LITTLE;
            CHECK_TRUE(limits[i].name, check_record(limits[i].name, &f, limits[i].largest));
            CHECK_TRUE(limits[i].name, check_record(limits[i].name, &f, 0));
            CHECK_FALSE(limits[i].name, check_record(limits[i].name, &f, limits[i].largest + 1));
            check_record_refused(limits[i].name, &f, limits[i].largest + 1);
        }
    }
}

/* A line at the limit of 64 KiB and one that is one byte longer, in reads of many sizes. */
static void test_long_line(void)
{
    static char text[65536 + 3];
    const struct framing f = {
        .kind = FRAMING_LINE, .line_end = FRAMING_CRLF, .max_bytes = sizeof(text) - 3};
    for (size_t step = 1; step < 70000; step = step * 3 + 1) {
        for (size_t over = 0; over < 2; over++) {
            struct framing_splitter s;
            struct result got = {0};
            size_t len = f.max_bytes + over;
            bool is_good = true;
            memset(text, 'x', len);
            memcpy(text + len, "\r\n", 2);
            framing_splitter_init(&s);
            for (size_t at = 0; at < len + 2 && is_good; at += step) {
                size_t size = step < len + 2 - at ? step : len + 2 - at;
                is_good = feed(&s, &f, (struct span){text + at, size}, &got, "long line");
            }
            CHECK_TRUE("long line", is_good == (over == 0));
            CHECK_TRUE("long line", s.taken_bytes <= f.max_bytes);
        }
    }
}

/* --- towards the backend ---------------------------------------------------------------------*/

static const struct {
    const char *name;
    const struct framing *framing;
    struct span message;
    struct span prefix;
    struct span suffix;
    enum framing_error error;
} wraps[] = {
    {"lf", &lf, LIT("abc"), LIT(""), LIT("\n"), FRAMING_OK},
    {"lf: empty", &lf, LIT(""), LIT(""), LIT("\n"), FRAMING_OK},
    {"lf: no data", &lf, {NULL, 0}, LIT(""), LIT("\n"), FRAMING_OK},
    {"lf: CR is a byte", &lf, LIT("\ra\r"), LIT(""), LIT("\n"), FRAMING_OK},
    {"lf: LF first", &lf, LIT("\na"), LIT(""), LIT(""), FRAMING_TERMINATOR},
    {"lf: LF inside", &lf, LIT("a\nb"), LIT(""), LIT(""), FRAMING_TERMINATOR},
    {"lf: LF last", &lf, LIT("a\n"), LIT(""), LIT(""), FRAMING_TERMINATOR},
    {"lf: longest", &lf, LIT("12345678"), LIT(""), LIT("\n"), FRAMING_OK},
    {"lf: one more", &lf, LIT("123456789"), LIT(""), LIT(""), FRAMING_TOO_LONG},
    {"lf: NUL", &lf, LIT("\0a"), LIT(""), LIT("\n"), FRAMING_OK},
    {"lf: LF behind NUL", &lf, LIT("\0\n"), LIT(""), LIT(""), FRAMING_TERMINATOR},
    {"crlf", &crlf, LIT("abc"), LIT(""), LIT("\r\n"), FRAMING_OK},
    {"crlf: no data", &crlf, {NULL, 0}, LIT(""), LIT("\r\n"), FRAMING_OK},
    {"crlf: CR first", &crlf, LIT("\ra"), LIT(""), LIT(""), FRAMING_TERMINATOR},
    {"crlf: CR last", &crlf, LIT("a\r"), LIT(""), LIT(""), FRAMING_TERMINATOR},
    {"crlf: LF inside", &crlf, LIT("a\nb"), LIT(""), LIT(""), FRAMING_TERMINATOR},
    {"crlf: CR LF inside", &crlf, LIT("a\r\nb"), LIT(""), LIT(""), FRAMING_TERMINATOR},
    {"crlf: CR LF last", &crlf, LIT("a\r\n"), LIT(""), LIT(""), FRAMING_TERMINATOR},
    {"crlf: longest", &crlf, LIT("12345678"), LIT(""), LIT("\r\n"), FRAMING_OK},
    {"lf multi", &lf_multi, LIT("a\nb"), LIT(""), LIT("\n"), FRAMING_OK},
    {"lf multi: LF last", &lf_multi, LIT("a\nb\n"), LIT(""), LIT(""), FRAMING_OK},
    {"lf multi: CR LF last", &lf_multi, LIT("a\r\n"), LIT(""), LIT(""), FRAMING_OK},
    {"lf multi: CR last", &lf_multi, LIT("a\r"), LIT(""), LIT("\n"), FRAMING_OK},
    {"lf multi: only LF", &lf_multi, LIT("\n"), LIT(""), LIT(""), FRAMING_OK},
    {"lf multi: empty", &lf_multi, LIT(""), LIT(""), LIT("\n"), FRAMING_OK},
    {"lf multi: no data", &lf_multi, {NULL, 0}, LIT(""), LIT("\n"), FRAMING_OK},
    {"lf multi: longest", &lf_multi, LIT("123\n567\n"), LIT(""), LIT(""), FRAMING_OK},
    {"lf multi: one more", &lf_multi, LIT("123\n5678\n"), LIT(""), LIT(""), FRAMING_TOO_LONG},
    {"crlf multi", &crlf_multi, LIT("a\r\nb"), LIT(""), LIT("\r\n"), FRAMING_OK},
    {"crlf multi: CR LF last", &crlf_multi, LIT("a\r\n"), LIT(""), LIT(""), FRAMING_OK},
    {"crlf multi: only CR LF", &crlf_multi, LIT("\r\n"), LIT(""), LIT(""), FRAMING_OK},
    {"crlf multi: bare LF last", &crlf_multi, LIT("a\n"), LIT(""), LIT(""), FRAMING_OK},
    {"crlf multi: bare LFs last", &crlf_multi, LIT("a\n\n"), LIT(""), LIT(""), FRAMING_OK},
    {"crlf multi: only LF", &crlf_multi, LIT("\n"), LIT(""), LIT(""), FRAMING_OK},
    {"crlf multi: CR LF LF last", &crlf_multi, LIT("a\r\n\n"), LIT(""), LIT(""), FRAMING_OK},
    {"crlf multi: CR last", &crlf_multi, LIT("a\r"), LIT(""), LIT("\n"), FRAMING_OK},
    {"crlf multi: LF CR last", &crlf_multi, LIT("a\n\r"), LIT(""), LIT("\n"), FRAMING_OK},
    {"crlf multi: LF inside", &crlf_multi, LIT("a\nb"), LIT(""), LIT("\r\n"), FRAMING_OK},
    {"crlf multi: empty", &crlf_multi, LIT(""), LIT(""), LIT("\r\n"), FRAMING_OK},
    {"16", &big16, LIT("a\nb"), LIT("\0\3"), LIT(""), FRAMING_OK},
    {"16: no data", &big16, {NULL, 0}, LIT("\0\0"), LIT(""), FRAMING_OK},
    {"16: longest", &big16, LIT("12345678"), LIT("\0\10"), LIT(""), FRAMING_OK},
    {"16: one more", &big16, LIT("123456789"), LIT(""), LIT(""), FRAMING_TOO_LONG},
    {"16 little", &little16, LIT("abc"), LIT("\3\0"), LIT(""), FRAMING_OK},
    {"32", &big32, LIT("abc"), LIT("\0\0\0\3"), LIT(""), FRAMING_OK},
    {"32 little", &little32, LIT("abc"), LIT("\3\0\0\0"), LIT(""), FRAMING_OK},
    {"32: one more", &big32, LIT("123456789"), LIT(""), LIT(""), FRAMING_TOO_LONG},
};

static void test_wrap(void)
{
    for (size_t i = 0; i < COUNT(wraps); i++) {
        struct framing_wrap wrap;
        CHECK_EQ_INT(wraps[i].name, framing_wrap(wraps[i].framing, wraps[i].message, &wrap),
                     wraps[i].error);
        if (wraps[i].error == FRAMING_OK) {
            CHECK_EQ_MEM(wraps[i].name, wrap.prefix, wrap.prefix_len, wraps[i].prefix.data,
                         wraps[i].prefix.len);
            CHECK_EQ_MEM(wraps[i].name, wrap.suffix.data, wrap.suffix.len, wraps[i].suffix.data,
                         wraps[i].suffix.len);
        }
    }
}

/* Every byte of a length field has its place, both ways. */
static void test_length_bytes(void)
{
    static const struct {
        enum framing_kind kind;
        enum framing_order order;
        uint8_t want[4];
    } rows[] = {
        {FRAMING_LENGTH16, FRAMING_BIG, {3, 4}},
        {FRAMING_LENGTH16, FRAMING_LITTLE, {4, 3}},
        {FRAMING_LENGTH32, FRAMING_BIG, {1, 2, 3, 4}},
        {FRAMING_LENGTH32, FRAMING_LITTLE, {4, 3, 2, 1}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct framing f = {
            .kind = rows[i].kind, .length_order = rows[i].order, .max_bytes = UINT64_MAX};
        size_t len = rows[i].kind == FRAMING_LENGTH16 ? 0x0304 : 0x01020304;
        struct framing_wrap wrap;
        CHECK_EQ_INT("length", framing_wrap(&f, (struct span){"", len}, &wrap), FRAMING_OK);
        CHECK_EQ_MEM("length", wrap.prefix, wrap.prefix_len, rows[i].want,
                     rows[i].kind == FRAMING_LENGTH16 ? 2 : 4);
        struct framing_splitter s;
        struct framing_piece piece;
        enum framing_error error;
        struct span input = {(const char *)wrap.prefix, wrap.prefix_len};
        framing_splitter_init(&s);
        CHECK_EQ_INT("length", framing_split(&s, &f, &input, &piece, &error), FRAMING_NEED_MORE);
        CHECK_EQ_U64("length", s.left_bytes, len);
    }
}

CU_TestInfo framing_tests[] = {
    {"lines ended by LF, every split", test_split_lf},
    {"lines ended by CR LF, every split", test_split_crlf},
    {"records, every split", test_split_records},
    {"stream", test_split_stream},
    {"limits", test_limits},
    {"long lines", test_long_line},
    {"what goes around a message", test_wrap},
    {"bytes of a length", test_length_bytes},
    CU_TEST_INFO_NULL,
};
