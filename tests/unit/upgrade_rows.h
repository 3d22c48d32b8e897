/* SPDX-License-Identifier: GPL-3.0-or-later */
// Heads that are HTTP but no legal opening handshake (RFC 6455 4.2.1), or have a path that can be
// read in two ways.
#ifndef TESTS_UNIT_UPGRADE_ROWS_H
#define TESTS_UNIT_UPGRADE_ROWS_H

#include "handshakes.h"
#include "proto/upgrade.h"

#define GET "GET / HTTP/1.1\r\n"
#define HOST "Host: a.example\r\n"
#define UP "Upgrade: websocket\r\n"
#define CO "Connection: Upgrade\r\n"
#define LETTERS_16 "abcdefghijklmnop"
#define LETTERS_64 LETTERS_16 LETTERS_16 LETTERS_16 LETTERS_16

// A handshake with this request line, Host header, key, or further headers.
#define WITH_LINE(line) TEXT(line "\r\n" HOST MINIMAL "\r\n")
#define WITH_PATH(path) WITH_LINE("GET " path " HTTP/1.1")
#define WITH_HOST(value) TEXT(GET "Host: " value "\r\n" MINIMAL "\r\n")
#define WITH_KEY(value) TEXT(GET HOST UPGRADE VERSION "Sec-WebSocket-Key: " value "\r\n\r\n")
#define WITH_VERSION(value) TEXT(GET HOST UPGRADE KEY "Sec-WebSocket-Version: " value "\r\n\r\n")
#define WITH_OFFER(value) TEXT(GET HOST MINIMAL "Sec-WebSocket-Protocol: " value "\r\n\r\n")
#define WITH(headers) TEXT(GET HOST headers "\r\n")

struct upgrade_row {
    const char *name;
    const char *text;
    size_t len;
    enum upgrade_result want;
    const char *detail;
};

static const struct upgrade_row upgrade_bad_rows[] = {
    // method
    {"POST", WITH_LINE("POST / HTTP/1.1"), UPGRADE_BAD_METHOD, "method not GET"},
    {"HEAD", WITH_LINE("HEAD / HTTP/1.1"), UPGRADE_BAD_METHOD, "method not GET"},
    {"CONNECT", WITH_LINE("CONNECT / HTTP/1.1"), UPGRADE_BAD_METHOD, "method not GET"},
    {"get in small letters", WITH_LINE("get / HTTP/1.1"), UPGRADE_BAD_METHOD, "method not GET"},
    {"GETS", WITH_LINE("GETS / HTTP/1.1"), UPGRADE_BAD_METHOD, "method not GET"},
    {"the method goes first", TEXT("PUT / HTTP/1.0\r\n\r\n"), UPGRADE_BAD_METHOD, "method not GET"},
    // Host
    {"no Host", TEXT(GET MINIMAL "\r\n"), UPGRADE_BAD, "no Host"},
    {"no headers", TEXT(GET "\r\n"), UPGRADE_BAD, "no Host"},
    {"two Hosts", WITH("Host: b.example\r\n" MINIMAL), UPGRADE_BAD, "more than one Host"},
    {"the same Host twice", WITH(MINIMAL "hOST: a.example\r\n"), UPGRADE_BAD, "more than one Host"},
    {"an empty Host", WITH_HOST(""), UPGRADE_BAD, "malformed Host"},
    {"a Host of a dot", WITH_HOST("."), UPGRADE_BAD, "malformed Host"},
    {"a Host with an empty label", WITH_HOST("a..example"), UPGRADE_BAD, "malformed Host"},
    {"a Host with a dot first", WITH_HOST(".example"), UPGRADE_BAD, "malformed Host"},
    {"a Host with two dots last", WITH_HOST("a.."), UPGRADE_BAD, "malformed Host"},
    {"a Host with userinfo", WITH_HOST("user@a.example"), UPGRADE_BAD, "malformed Host"},
    {"a Host with password", WITH_HOST("user:1@a.example"), UPGRADE_BAD, "malformed Host"},
    {"a Host with a blank", WITH_HOST("a.example b.example"), UPGRADE_BAD, "malformed Host"},
    {"a Host with a comma", WITH_HOST("a.example, b.example"), UPGRADE_BAD, "malformed Host"},
    {"a Host with a path", WITH_HOST("a.example/x"), UPGRADE_BAD, "malformed Host"},
    {"a Host with a query", WITH_HOST("a.example?x"), UPGRADE_BAD, "malformed Host"},
    {"a Host with a fragment", WITH_HOST("a.example#x"), UPGRADE_BAD, "malformed Host"},
    {"a Host with a scheme", WITH_HOST("https://a.example"), UPGRADE_BAD, "malformed Host"},
    {"a Host with a backslash", WITH_HOST("a.example\\b"), UPGRADE_BAD, "malformed Host"},
    {"a Host with %-encoding", WITH_HOST("a%2eexample"), UPGRADE_BAD, "malformed Host"},
    {"a Host outside ASCII",
     WITH_HOST("b\xc3\xbc"
               "cher.example"),
     UPGRADE_BAD, "malformed Host"},
    {"a Host that ends in a number", WITH_HOST("127.1"), UPGRADE_BAD, "malformed Host"},
    {"a Host that ends in 0x", WITH_HOST("a.0x1"), UPGRADE_BAD, "malformed Host"},
    {"a Host with a star", WITH_HOST("*.example"), UPGRADE_BAD, "malformed Host"},
    {"a Host with quotes", WITH_HOST("\"a\""), UPGRADE_BAD, "malformed Host"},
    {"a Host with a long label", WITH_HOST(LETTERS_64), UPGRADE_BAD, "malformed Host"},
    {"a Host too long",
     WITH_HOST(LETTERS_16 "." LETTERS_16 "." LETTERS_16 "." LETTERS_16 "." LETTERS_16 "." LETTERS_16
                          "." LETTERS_16 "." LETTERS_16 "." LETTERS_16 "." LETTERS_16 "." LETTERS_16
                          "." LETTERS_16 "." LETTERS_16 "." LETTERS_16 "." LETTERS_16),
     UPGRADE_BAD, "malformed Host"},
    {"a Host with an empty port", WITH_HOST("a.example:"), UPGRADE_BAD, "malformed Host"},
    {"a Host with port 0", WITH_HOST("a.example:0"), UPGRADE_BAD, "malformed Host"},
    {"a Host with port 65536", WITH_HOST("a.example:65536"), UPGRADE_BAD, "malformed Host"},
    {"a Host with a long port", WITH_HOST("a.example:100000"), UPGRADE_BAD, "malformed Host"},
    {"a Host with a port in zeros", WITH_HOST("a.example:0443"), UPGRADE_BAD, "malformed Host"},
    {"a Host with a signed port", WITH_HOST("a.example:+443"), UPGRADE_BAD, "malformed Host"},
    {"a Host with a negative port", WITH_HOST("a.example:-1"), UPGRADE_BAD, "malformed Host"},
    {"a Host with a named port", WITH_HOST("a.example:https"), UPGRADE_BAD, "malformed Host"},
    {"a Host with a hexadecimal port", WITH_HOST("a.example:0x50"), UPGRADE_BAD, "malformed Host"},
    {"a Host with two ports", WITH_HOST("a.example:80:80"), UPGRADE_BAD, "malformed Host"},
    {"a Host with a blank port", WITH_HOST("a.example: 80"), UPGRADE_BAD, "malformed Host"},
    {"a Host of a port", WITH_HOST(":80"), UPGRADE_BAD, "malformed Host"},
    {"IPv6 without brackets", WITH_HOST("2001:db8::1"), UPGRADE_BAD, "malformed Host"},
    {"IPv6 without end", WITH_HOST("[2001:db8::1"), UPGRADE_BAD, "malformed Host"},
    {"IPv6 and text", WITH_HOST("[::1]x"), UPGRADE_BAD, "malformed Host"},
    {"IPv6 with a zone", WITH_HOST("[fe80::1%eth0]"), UPGRADE_BAD, "malformed Host"},
    {"IPv6 that is none", WITH_HOST("[::12345]"), UPGRADE_BAD, "malformed Host"},
    {"empty brackets", WITH_HOST("[]"), UPGRADE_BAD, "malformed Host"},
    {"IPv4 in brackets", WITH_HOST("[127.0.0.1]"), UPGRADE_BAD, "malformed Host"},
    {"a name in brackets", WITH_HOST("[a.example]"), UPGRADE_BAD, "malformed Host"},
    {"IPv6 with an empty port", WITH_HOST("[::1]:"), UPGRADE_BAD, "malformed Host"},
    {"brackets twice", WITH_HOST("[[::1]]"), UPGRADE_BAD, "malformed Host"},
    // bodies
    {"Content-Length", WITH("Content-Length: 5\r\n" MINIMAL), UPGRADE_BAD,
     "Content-Length in a request without body"},
    {"Content-Length of nothing", WITH(MINIMAL "content-length: 0\r\n"), UPGRADE_BAD,
     "Content-Length in a request without body"},
    {"an empty Content-Length", WITH(MINIMAL "Content-Length:\r\n"), UPGRADE_BAD,
     "Content-Length in a request without body"},
    {"chunked", WITH(MINIMAL "Transfer-Encoding: chunked\r\n"), UPGRADE_BAD,
     "Transfer-Encoding in a request without body"},
    {"Transfer-Encoding: identity", WITH(MINIMAL "TRANSFER-ENCODING: identity\r\n"), UPGRADE_BAD,
     "Transfer-Encoding in a request without body"},
    {"Expect", WITH(MINIMAL "Expect: 100-continue\r\n"), UPGRADE_BAD,
     "Expect in a request without body"},
    // HTTP version
    {"HTTP/1.0", WITH_LINE("GET / HTTP/1.0"), UPGRADE_BAD, "version not HTTP/1.1"},
    {"HTTP/1.2", WITH_LINE("GET / HTTP/1.2"), UPGRADE_BAD, "version not HTTP/1.1"},
    {"HTTP/1.9", WITH_LINE("GET / HTTP/1.9"), UPGRADE_BAD, "version not HTTP/1.1"},
    // Upgrade and Connection
    {"a plain request", WITH(""), UPGRADE_REQUIRED, "no upgrade to websocket asked for"},
    {"no Upgrade", WITH(CO KEY VERSION), UPGRADE_REQUIRED, "no upgrade to websocket asked for"},
    {"an empty Upgrade", WITH(CO KEY VERSION "Upgrade:\r\n"), UPGRADE_REQUIRED,
     "no upgrade to websocket asked for"},
    {"Upgrade: h2c", WITH(CO KEY VERSION "Upgrade: h2c\r\n"), UPGRADE_REQUIRED,
     "no upgrade to websocket asked for"},
    {"Upgrade with a version", WITH(CO KEY VERSION "Upgrade: websocket/13\r\n"), UPGRADE_REQUIRED,
     "no upgrade to websocket asked for"},
    {"Upgrade: websockets", WITH(CO KEY VERSION "Upgrade: websockets\r\n"), UPGRADE_REQUIRED,
     "no upgrade to websocket asked for"},
    {"Upgrade: web socket", WITH(CO KEY VERSION "Upgrade: web socket\r\n"), UPGRADE_REQUIRED,
     "no upgrade to websocket asked for"},
    {"Upgrade in quotes", WITH(CO KEY VERSION "Upgrade: \"websocket\"\r\n"), UPGRADE_REQUIRED,
     "no upgrade to websocket asked for"},
    {"Upgrade with semicolons", WITH(CO KEY VERSION "Upgrade: h2c;websocket\r\n"), UPGRADE_REQUIRED,
     "no upgrade to websocket asked for"},
    {"no Connection", WITH(UP KEY VERSION), UPGRADE_BAD, "Connection does not name Upgrade"},
    {"Connection: close", WITH(UP KEY VERSION "Connection: close\r\n"), UPGRADE_BAD,
     "Connection does not name Upgrade"},
    {"Connection: keep-alive", WITH(UP KEY VERSION "Connection: keep-alive\r\n"), UPGRADE_BAD,
     "Connection does not name Upgrade"},
    {"Connection: websocket", WITH(UP KEY VERSION "Connection: websocket\r\n"), UPGRADE_BAD,
     "Connection does not name Upgrade"},
    {"Connection: upgraded", WITH(UP KEY VERSION "Connection: upgraded\r\n"), UPGRADE_BAD,
     "Connection does not name Upgrade"},
    {"an empty Connection", WITH(UP KEY VERSION "Connection:\r\n"), UPGRADE_BAD,
     "Connection does not name Upgrade"},
    // Sec-WebSocket-Version
    {"no version", WITH(UPGRADE KEY), UPGRADE_BAD, "no Sec-WebSocket-Version"},
    {"the version twice", WITH(MINIMAL VERSION), UPGRADE_BAD,
     "more than one Sec-WebSocket-Version"},
    {"two versions", WITH("Sec-WebSocket-Version: 8\r\n" MINIMAL), UPGRADE_BAD,
     "more than one Sec-WebSocket-Version"},
    {"version 8", WITH_VERSION("8"), UPGRADE_REQUIRED, "Sec-WebSocket-Version not 13"},
    {"version 0", WITH_VERSION("0"), UPGRADE_REQUIRED, "Sec-WebSocket-Version not 13"},
    {"version 14", WITH_VERSION("14"), UPGRADE_REQUIRED, "Sec-WebSocket-Version not 13"},
    {"version 013", WITH_VERSION("013"), UPGRADE_REQUIRED, "Sec-WebSocket-Version not 13"},
    {"version 13, 8", WITH_VERSION("13, 8"), UPGRADE_REQUIRED, "Sec-WebSocket-Version not 13"},
    {"version 13.0", WITH_VERSION("13.0"), UPGRADE_REQUIRED, "Sec-WebSocket-Version not 13"},
    {"version 1 3", WITH_VERSION("1 3"), UPGRADE_REQUIRED, "Sec-WebSocket-Version not 13"},
    {"an empty version", WITH_VERSION(""), UPGRADE_REQUIRED, "Sec-WebSocket-Version not 13"},
    // Sec-WebSocket-Key
    {"no key", WITH(UPGRADE VERSION), UPGRADE_BAD, "no Sec-WebSocket-Key"},
    {"the key twice", WITH(MINIMAL KEY), UPGRADE_BAD, "more than one Sec-WebSocket-Key"},
    {"an empty key", WITH_KEY(""), UPGRADE_BAD, "malformed Sec-WebSocket-Key"},
    {"a key of 15 bytes", WITH_KEY("AAAAAAAAAAAAAAAAAAAA"), UPGRADE_BAD,
     "malformed Sec-WebSocket-Key"},
    {"a key of 17 bytes", WITH_KEY("AAAAAAAAAAAAAAAAAAAAAAA="), UPGRADE_BAD,
     "malformed Sec-WebSocket-Key"},
    {"a key of 18 bytes", WITH_KEY("AAAAAAAAAAAAAAAAAAAAAAAA"), UPGRADE_BAD,
     "malformed Sec-WebSocket-Key"},
    {"a key one character short", WITH_KEY("AAAAAAAAAAAAAAAAAAAAA=="), UPGRADE_BAD,
     "malformed Sec-WebSocket-Key"},
    {"a key one character long", WITH_KEY("AAAAAAAAAAAAAAAAAAAAAAA=="), UPGRADE_BAD,
     "malformed Sec-WebSocket-Key"},
    {"a key without its end", WITH_KEY("AAAAAAAAAAAAAAAAAAAAAA"), UPGRADE_BAD,
     "malformed Sec-WebSocket-Key"},
    {"a key with bits left over", WITH_KEY("AAAAAAAAAAAAAAAAAAAAAB=="), UPGRADE_BAD,
     "malformed Sec-WebSocket-Key"},
    {"a key with a blank", WITH_KEY("AAAAAAAAAA AAAAAAAAAAA=="), UPGRADE_BAD,
     "malformed Sec-WebSocket-Key"},
    {"a key of the URL alphabet", WITH_KEY("AAAAAAAAAA-_AAAAAAAAAA=="), UPGRADE_BAD,
     "malformed Sec-WebSocket-Key"},
    {"a key with an equals sign inside", WITH_KEY("AAAAAAAAAA=AAAAAAAAAAA=="), UPGRADE_BAD,
     "malformed Sec-WebSocket-Key"},
    {"a key of equals signs", WITH_KEY("========================"), UPGRADE_BAD,
     "malformed Sec-WebSocket-Key"},
    {"a key outside ASCII",
     WITH_KEY("AAAAAAAAAA\xc3\xa9"
              "AAAAAAAAAA=="),
     UPGRADE_BAD, "malformed Sec-WebSocket-Key"},
    {"two keys in a list", WITH_KEY("AAAAAAAAAA,AAAAAAAAAAA=="), UPGRADE_BAD,
     "malformed Sec-WebSocket-Key"},
    // Origin
    {"two Origins", WITH(MINIMAL "Origin: https://a\r\nOrigin: https://b\r\n"), UPGRADE_BAD,
     "more than one Origin"},
    {"the same Origin twice", WITH("origin: null\r\n" MINIMAL "ORIGIN: null\r\n"), UPGRADE_BAD,
     "more than one Origin"},
    // Sec-WebSocket-Protocol
    {"an empty offer", WITH_OFFER(""), UPGRADE_BAD, "malformed Sec-WebSocket-Protocol"},
    {"an offer of a comma", WITH_OFFER(","), UPGRADE_BAD, "malformed Sec-WebSocket-Protocol"},
    {"an empty item", WITH_OFFER("a,,b"), UPGRADE_BAD, "malformed Sec-WebSocket-Protocol"},
    {"an empty item first", WITH_OFFER(", a"), UPGRADE_BAD, "malformed Sec-WebSocket-Protocol"},
    {"an empty item last", WITH_OFFER("a, "), UPGRADE_BAD, "malformed Sec-WebSocket-Protocol"},
    {"an offer with a blank", WITH_OFFER("a b"), UPGRADE_BAD, "malformed Sec-WebSocket-Protocol"},
    {"an offer with a slash", WITH_OFFER("a/b"), UPGRADE_BAD, "malformed Sec-WebSocket-Protocol"},
    {"an offer with a semicolon", WITH_OFFER("a;q=1"), UPGRADE_BAD,
     "malformed Sec-WebSocket-Protocol"},
    {"an offer in quotes", WITH_OFFER("\"a\""), UPGRADE_BAD, "malformed Sec-WebSocket-Protocol"},
    {"an offer outside ASCII", WITH_OFFER("\xc3\xa9"), UPGRADE_BAD,
     "malformed Sec-WebSocket-Protocol"},
    {"an offer twice", WITH_OFFER("a, b, a"), UPGRADE_BAD, "subprotocol offered twice"},
    {"an offer twice over two lines",
     WITH(MINIMAL "Sec-WebSocket-Protocol: a\r\nsec-websocket-protocol: a\r\n"), UPGRADE_BAD,
     "subprotocol offered twice"},
    {"seventeen offers", WITH_OFFER("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"), UPGRADE_BAD,
     "too many subprotocols"},
    {"an offer too long", WITH_OFFER(LETTERS_64 LETTERS_64 LETTERS_64 LETTERS_64 "x"), UPGRADE_BAD,
     "subprotocol too long"},
    // paths
    {"a dot segment", WITH_PATH("/./"), UPGRADE_BAD, "dot segment in the path"},
    {"a dot segment last", WITH_PATH("/a/."), UPGRADE_BAD, "dot segment in the path"},
    {"a dot segment alone", WITH_PATH("/."), UPGRADE_BAD, "dot segment in the path"},
    {"a step up", WITH_PATH("/a/../b"), UPGRADE_BAD, "dot segment in the path"},
    {"a step up last", WITH_PATH("/a/.."), UPGRADE_BAD, "dot segment in the path"},
    {"a step up before a query", WITH_PATH("/..?x"), UPGRADE_BAD, "dot segment in the path"},
    {"an encoded step up", WITH_PATH("/%2e%2E/b"), UPGRADE_BAD, "dot segment in the path"},
    {"a half encoded step up", WITH_PATH("/a/.%2e"), UPGRADE_BAD, "dot segment in the path"},
    {"an encoded dot segment", WITH_PATH("/%2e/b"), UPGRADE_BAD, "dot segment in the path"},
    {"an encoded slash", WITH_PATH("/a%2fb"), UPGRADE_BAD, "encoded slash in the path"},
    {"an encoded slash, upper case", WITH_PATH("/a%2Fb"), UPGRADE_BAD, "encoded slash in the path"},
    {"an encoded step up and slash", WITH_PATH("/..%2fb"), UPGRADE_BAD,
     "encoded slash in the path"},
    {"a backslash", WITH_PATH("/a\\b"), UPGRADE_BAD, "backslash in the path"},
    {"an encoded backslash", WITH_PATH("/..%5cb"), UPGRADE_BAD, "backslash in the path"},
    {"a percent sign last", WITH_PATH("/a%"), UPGRADE_BAD, "bad %-encoding in the path"},
    {"half an encoding last", WITH_PATH("/a%2"), UPGRADE_BAD, "bad %-encoding in the path"},
    {"an encoding cut by the query", WITH_PATH("/a%2?0"), UPGRADE_BAD,
     "bad %-encoding in the path"},
    {"no hexadecimal digits", WITH_PATH("/a%zz"), UPGRADE_BAD, "bad %-encoding in the path"},
    {"one hexadecimal digit", WITH_PATH("/a%2g"), UPGRADE_BAD, "bad %-encoding in the path"},
    {"a signed encoding", WITH_PATH("/a%+1"), UPGRADE_BAD, "bad %-encoding in the path"},
    {"two percent signs", WITH_PATH("/%%20"), UPGRADE_BAD, "bad %-encoding in the path"},
    {"an encoded NUL", WITH_PATH("/a%00"), UPGRADE_BAD, "encoded control byte in the path"},
    {"an encoded LF", WITH_PATH("/a%0a"), UPGRADE_BAD, "encoded control byte in the path"},
    {"an encoded DEL", WITH_PATH("/a%7F"), UPGRADE_BAD, "encoded control byte in the path"},
};

#endif
