/* SPDX-License-Identifier: GPL-3.0-or-later */
// Legal opening handshakes as real programs send them, and the values to read in each.
#ifndef TESTS_UNIT_HANDSHAKES_H
#define TESTS_UNIT_HANDSHAKES_H

#include "http_feed.h"

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define UPGRADE "Connection: Upgrade\r\nUpgrade: websocket\r\n"
#define MINIMAL UPGRADE KEY VERSION

#define CHROME_AGENT \
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) " \
    "Chrome/140.0.0.0 Safari/537.36\r\n"
#define CHROME_FIRST \
    "Connection: Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n" CHROME_AGENT
#define CHROME_LAST \
    VERSION "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9\r\n" KEY \
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
#define FIREFOX_FIRST \
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" \
    "Accept: */*\r\nAccept-Language: en-GB,en;q=0.5\r\n" \
    "Accept-Encoding: gzip, deflate, br, zstd\r\n" VERSION
#define FIREFOX_LAST \
    "Sec-WebSocket-Extensions: permessage-deflate\r\n" KEY \
    "Connection: keep-alive, Upgrade\r\nSec-Fetch-Dest: empty\r\nSec-Fetch-Mode: websocket\r\n" \
    "Sec-Fetch-Site: same-origin\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n" \
    "Upgrade: websocket\r\n"
#define SAFARI_LAST \
    "Sec-WebSocket-Version: 13\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n" \
    "Sec-WebSocket-Extensions: permessage-deflate\r\n" \
    "User-Agent: Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, " \
    "like Gecko) Version/18.5 Safari/605.1.15\r\n" KEY

struct handshake_row {
    const char *name;
    const char *text;
    size_t len;
    const char *host_name;
    uint16_t host_port;
    const char *path;
    const char *origin; // NULL: no header
    const char *offers; // with one blank between two
};

static const struct handshake_row handshake_rows[] = {
    {"the smallest", TEXT("GET / HTTP/1.1\r\nHost: a\r\n" MINIMAL "\r\n"), "a", 0, "/", NULL, ""},
    {"RFC 6455's example",
     TEXT("GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n"
          "Connection: Upgrade\r\n" KEY "Origin: http://example.com\r\n"
          "Sec-WebSocket-Protocol: chat, superchat\r\n" VERSION "\r\n"),
     "server.example.com", 0, "/chat", "http://example.com", "chat superchat"},
    {"Chrome",
     TEXT("GET /vnc HTTP/1.1\r\nHost: desk.example.com\r\n" CHROME_FIRST "Upgrade: websocket\r\n"
          "Origin: https://desk.example.com\r\n" CHROME_LAST
          "Sec-WebSocket-Protocol: binary, base64\r\n\r\n"),
     "desk.example.com", 0, "/vnc", "https://desk.example.com", "binary base64"},
    {"Chrome, a port and cookies",
     TEXT("GET /vnc?token=a%2Fb HTTP/1.1\r\nHost: desk.example.com:8443\r\n" CHROME_FIRST
          "Upgrade: websocket\r\nOrigin: https://app.example.com:8443\r\n" CHROME_LAST
          "Cookie: id=\"a,b\"; theme=dark; n=caf\xc3\xa9\r\n\r\n"),
     "desk.example.com", 8443, "/vnc", "https://app.example.com:8443", ""},
    {"Chrome, localhost",
     TEXT("GET / HTTP/1.1\r\nHost: localhost:8080\r\n" CHROME_FIRST
          "Upgrade: websocket\r\nOrigin: http://localhost:8080\r\n" CHROME_LAST "\r\n"),
     "localhost", 8080, "/", "http://localhost:8080", ""},
    {"Chrome, an IPv6 address",
     TEXT("GET /a HTTP/1.1\r\nHost: [2001:db8::7]:8443\r\n" CHROME_FIRST "Upgrade: websocket\r\n"
          "Origin: https://[2001:db8::7]:8443\r\n" CHROME_LAST "\r\n"),
     "2001:db8::7", 8443, "/a", "https://[2001:db8::7]:8443", ""},
    {"Chrome, a sandboxed frame",
     TEXT("GET /a HTTP/1.1\r\nHost: a.example\r\n" CHROME_FIRST "Upgrade: websocket\r\n"
          "Origin: null\r\n" CHROME_LAST "\r\n"),
     "a.example", 0, "/a", "null", ""},
    {"Chrome, an extension",
     TEXT("GET /a HTTP/1.1\r\nHost: a.example\r\n" CHROME_FIRST "Upgrade: websocket\r\n"
          "Origin: chrome-extension://abcdefghijklmnop\r\n" CHROME_LAST "\r\n"),
     "a.example", 0, "/a", "chrome-extension://abcdefghijklmnop", ""},
    {"Chrome, a query that looks like a path",
     TEXT("GET /a?x=/../y&z=%zz\\|{}^` HTTP/1.1\r\nHost: a.example\r\n" CHROME_FIRST
          "Upgrade: websocket\r\nOrigin: https://a.example\r\n" CHROME_LAST "\r\n"),
     "a.example", 0, "/a", "https://a.example", ""},
    {"Firefox",
     TEXT("GET /ssh HTTP/1.1\r\nHost: desk.example.com\r\n" FIREFOX_FIRST
          "Origin: https://desk.example.com\r\n" FIREFOX_LAST "\r\n"),
     "desk.example.com", 0, "/ssh", "https://desk.example.com", ""},
    {"Firefox, subprotocols",
     TEXT("GET /ssh HTTP/1.1\r\nHost: desk.example.com\r\n" FIREFOX_FIRST
          "Origin: https://desk.example.com\r\nSec-WebSocket-Protocol: binary, "
          "v1.ssh+x\r\n" FIREFOX_LAST "\r\n"),
     "desk.example.com", 0, "/ssh", "https://desk.example.com", "binary v1.ssh+x"},
    {"Firefox, an IPv4 address",
     TEXT("GET / HTTP/1.1\r\nHost: 127.0.0.1:9001\r\n" FIREFOX_FIRST
          "Origin: http://127.0.0.1:9000\r\n" FIREFOX_LAST "DNT: 1\r\nSec-GPC: 1\r\n\r\n"),
     "127.0.0.1", 9001, "/", "http://127.0.0.1:9000", ""},
    {"Firefox, an IDN",
     TEXT("GET /%C3%BC HTTP/1.1\r\nHost: xn--bcher-kva.example\r\n" FIREFOX_FIRST
          "Origin: https://xn--bcher-kva.example\r\n" FIREFOX_LAST "\r\n"),
     "xn--bcher-kva.example", 0, "/%C3%BC", "https://xn--bcher-kva.example", ""},
    {"Safari",
     TEXT("GET /a HTTP/1.1\r\nUpgrade: websocket\r\nOrigin: https://desk.example.com\r\n"
          "Accept: */*\r\nConnection: Upgrade\r\nHost: desk.example.com\r\n" SAFARI_LAST "\r\n"),
     "desk.example.com", 0, "/a", "https://desk.example.com", ""},
    {"Safari, a private network",
     TEXT("GET /a/b/c HTTP/1.1\r\nHost: 192.168.1.4:8443\r\nOrigin: https://192.168.1.4:8443\r\n"
          "Connection: Upgrade\r\nUpgrade: websocket\r\nAccept-Language: en\r\n" SAFARI_LAST
          "Sec-WebSocket-Protocol: base64\r\n\r\n"),
     "192.168.1.4", 8443, "/a/b/c", "https://192.168.1.4:8443", "base64"},
    {"curl",
     TEXT("GET /echo HTTP/1.1\r\nHost: a.example:8080\r\nUser-Agent: curl/8.14.1\r\n"
          "Accept: */*\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" VERSION KEY "\r\n"),
     "a.example", 8080, "/echo", NULL, ""},
    {"curl, an upper-case Host",
     TEXT("GET /echo HTTP/1.1\r\nHost: A.Example\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n"
          "connection: upgrade\r\nupgrade: WebSocket\r\n" VERSION KEY "\r\n"),
     "A.Example", 0, "/echo", NULL, ""},
    {"Node's ws",
     TEXT("GET / HTTP/1.1\r\n" VERSION KEY UPGRADE
          "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
          "Host: localhost:8080\r\n\r\n"),
     "localhost", 8080, "/", NULL, ""},
    {"Node's ws, subprotocols without blanks",
     TEXT("GET /redis HTTP/1.1\r\n" VERSION KEY UPGRADE "Origin: https://good.example\r\n"
          "Sec-WebSocket-Protocol: binary,mqtt\r\nHost: gw.example\r\n\r\n"),
     "gw.example", 0, "/redis", "https://good.example", "binary mqtt"},
    {"Node's built-in client",
     TEXT("GET / HTTP/1.1\r\nhost: gw.example\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
          "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n"
          "sec-websocket-extensions: permessage-deflate; client_max_window_bits\r\naccept: */*\r\n"
          "accept-language: *\r\nsec-fetch-mode: websocket\r\nuser-agent: node\r\n"
          "pragma: no-cache\r\ncache-control: no-cache\r\naccept-encoding: gzip, deflate\r\n\r\n"),
     "gw.example", 0, "/", NULL, ""},
    {"Python's websockets",
     TEXT("GET /x HTTP/1.1\r\nHost: localhost:8765\r\nUpgrade: websocket\r\n"
          "Connection: Upgrade\r\n" KEY VERSION
          "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
          "User-Agent: Python/3.11 websockets/10.4\r\n\r\n"),
     "localhost", 8765, "/x", NULL, ""},
    {"Python's aiohttp",
     TEXT("GET /x HTTP/1.1\r\nHost: gw.example\r\nUpgrade: websocket\r\nConnection: "
          "Upgrade\r\n" VERSION KEY "Accept: */*\r\nAccept-Encoding: gzip, deflate\r\n"
          "User-Agent: Python/3.11 aiohttp/3.8.4\r\n\r\n"),
     "gw.example", 0, "/x", NULL, ""},
    {"Go",
     TEXT("GET /x HTTP/1.1\r\nHost: gw.example\r\nUser-Agent: Go-http-client/1.1\r\n"
          "Connection: Upgrade\r\n" KEY VERSION "Upgrade: websocket\r\n\r\n"),
     "gw.example", 0, "/x", NULL, ""},
    {"behind a proxy",
     TEXT("GET /x HTTP/1.1\r\nHost: my_service\r\n" MINIMAL "X-Forwarded-For: 203.0.113.9\r\n"
          "X-Forwarded-Proto: https\r\nForwarded: for=\"[2001:db8::1]\";proto=https\r\n"
          "Via: 1.1 edge\r\n\r\n"),
     "my_service", 0, "/x", NULL, ""},
    {"no blanks behind the colons",
     TEXT("GET / HTTP/1.1\r\nHost:a\r\nUpgrade:websocket\r\nConnection:Upgrade\r\n"
          "Sec-WebSocket-Key:dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version:13\r\n\r\n"),
     "a", 0, "/", NULL, ""},
    {"blanks and tabs around the values",
     TEXT("GET / HTTP/1.1\r\nHost: \t a \t\r\nUpgrade:   websocket\t\r\nConnection:\tUpgrade \r\n"
          "Sec-WebSocket-Key:  dGhlIHNhbXBsZSBub25jZQ==  \r\nSec-WebSocket-Version: 13 \r\n\r\n"),
     "a", 0, "/", NULL, ""},
    {"lists over several lines",
     TEXT("GET / HTTP/1.1\r\nHost: a.\r\nConnection: keep-alive\r\nConnection: x,,Upgrade\r\n"
          "Upgrade: h2c\r\nUpgrade: , websocket\r\n" KEY VERSION "Sec-WebSocket-Protocol: a\r\n"
          "Sec-WebSocket-Protocol: b ,\tc\r\n\r\n"),
     "a.", 0, "/", NULL, "a b c"},
    {"odd names and empty values",
     TEXT("GET / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~09AZaz:\r\nX-Empty: \t \r\n" MINIMAL
          "X-Colons: a:b:c\r\n\r\n"),
     "a", 0, "/", NULL, ""},
    {"an empty Origin",
     TEXT("GET //a//b/...;x/.c/d./e HTTP/1.1\r\nHost: a:65535\r\n" MINIMAL "Origin:\r\n\r\n"), "a",
     65535, "//a//b/...;x/.c/d./e", "", ""},
    {"sixteen subprotocols",
     TEXT("GET /%20%41 HTTP/1.1\r\nHost: a:1\r\n" MINIMAL
          "Sec-WebSocket-Protocol: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p\r\n\r\n"),
     "a", 1, "/%20%41", NULL, "a b c d e f g h i j k l m n o p"},
    {"the JDK's HttpClient",
     TEXT("GET /echo HTTP/1.1\r\nConnection: Upgrade\r\nContent-Length: 0\r\nHost: a:8080\r\n"
          "Upgrade: websocket\r\nUser-Agent: Java-http-client/17\r\n" KEY VERSION "\r\n"),
     "a", 8080, "/echo", NULL, ""},
    {"a length in zeros",
     TEXT("GET / HTTP/1.1\r\nHost: a\r\ncontent-length:\t00 \r\n" MINIMAL "\r\n"), "a", 0, "/",
     NULL, ""},
    {"through a proxy", TEXT("GET http://b.example:81/x HTTP/1.1\r\nHost: a\r\n" MINIMAL "\r\n"),
     "b.example", 81, "/x", NULL, ""},
    {"an empty offer",
     TEXT("GET / HTTP/1.1\r\nHost: a\r\n" MINIMAL "Sec-WebSocket-Protocol:\r\n\r\n"), "a", 0, "/",
     NULL, ""},
    {"offers of commas",
     TEXT("GET / HTTP/1.1\r\nHost: a\r\n" MINIMAL
          "Sec-WebSocket-Protocol: ,\r\nSec-WebSocket-Protocol: , ,\t,\r\n\r\n"),
     "a", 0, "/", NULL, ""},
    {"empty items between offers",
     TEXT("GET / HTTP/1.1\r\nHost: a\r\n" MINIMAL "Sec-WebSocket-Protocol: ,a,,b , \r\n"
          "Sec-WebSocket-Protocol:\r\nSec-WebSocket-Protocol: c\r\n\r\n"),
     "a", 0, "/", NULL, "a b c"},
    {"empty items in Upgrade and Connection",
     TEXT("GET / HTTP/1.1\r\nHost: a\r\nUpgrade:\r\nUpgrade: ,websocket,\r\nConnection: ,\r\n"
          "Connection: ,keep-alive,,upgrade,\r\n" KEY VERSION "\r\n"),
     "a", 0, "/", NULL, ""},
    {"an empty line first", TEXT("\r\nGET / HTTP/1.1\r\nHost: a\r\n" MINIMAL "\r\n"), "a", 0, "/",
     NULL, ""},
    {"HTTP/1.2", TEXT("GET / HTTP/1.2\r\nHost: a\r\n" MINIMAL "\r\n"), "a", 0, "/", NULL, ""},
    {"HTTP/1.9", TEXT("GET / HTTP/1.9\r\nHost: a\r\n" MINIMAL "\r\n"), "a", 0, "/", NULL, ""},
    {"an expectation that needs no answer",
     TEXT("GET / HTTP/1.1\r\nHost: a\r\n" MINIMAL "Expect: , 100-Continue, tea\r\n\r\n"), "a", 0,
     "/", NULL, ""},
    {"an empty expectation", TEXT("GET / HTTP/1.1\r\nHost: a\r\n" MINIMAL "Expect:\r\n\r\n"), "a",
     0, "/", NULL, ""},
    {"Connection: close as well",
     TEXT("GET / HTTP/1.1\r\nHost: a\r\nConnection: close, Upgrade, TE\r\nTE: trailers;q=0.5\r\n"
          "Upgrade: h2c, websocket\r\n" KEY VERSION "\r\n"),
     "a", 0, "/", NULL, ""},
    {"an empty port", TEXT("GET / HTTP/1.1\r\nHost: a:\r\n" MINIMAL "\r\n"), "a", 0, "/", NULL, ""},
    {"IPv6 and an empty port", TEXT("GET / HTTP/1.1\r\nHost: [::1]:\r\n" MINIMAL "\r\n"), "::1", 0,
     "/", NULL, ""},
};

#endif
