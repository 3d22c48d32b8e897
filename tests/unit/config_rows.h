/* SPDX-License-Identifier: GPL-3.0-or-later */
// Configurations with one mistake each, the line that the error must name, and a part of its
// message.
#ifndef TESTS_UNIT_CONFIG_ROWS_H
#define TESTS_UNIT_CONFIG_ROWS_H

#include <stddef.h>

#define CONFIG_LISTEN_TEXT "[listen a]\naddress = 127.0.0.1:8080\n" // lines 1 and 2
#define CONFIG_ROUTE_TEXT "[route r]\npath = /r\nbackend = echo:\n" // lines 3 to 5
#define CONFIG_GOOD CONFIG_LISTEN_TEXT CONFIG_ROUTE_TEXT            // more from line 6
#define CONFIG_A50 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee"
#define CONFIG_A70 CONFIG_A50 "ffffffffffgggggggggg"
#define CONFIG_A200 CONFIG_A50 CONFIG_A50 CONFIG_A50 CONFIG_A50
#define CONFIG_A1000 CONFIG_A200 CONFIG_A200 CONFIG_A200 CONFIG_A200 CONFIG_A200
#define CONFIG_A4100 CONFIG_A1000 CONFIG_A1000 CONFIG_A1000 CONFIG_A1000 CONFIG_A50 CONFIG_A50
// A route with these lines, which begin at line 6.
#define ROUTE_WITH(lines) CONFIG_GOOD lines
// The one route has this backend (line 5) or this path (line 4).
#define WITH_BACKEND(text) CONFIG_LISTEN_TEXT "[route r]\npath = /r\nbackend = " text "\n"
#define WITH_PATH(text) CONFIG_LISTEN_TEXT "[route r]\npath = " text "\nbackend = echo:\n"
#define WITH_ADDRESS(text) "[listen a]\naddress = " text "\n" CONFIG_ROUTE_TEXT
// Something in front of it, so that what follows CONFIG_GOOD's lines moves down.
#define SERVER_WITH(lines) CONFIG_GOOD "[server]\n" lines // from line 7 on
#define TEXT(literal) literal, sizeof(literal) - 1

struct config_bad_row {
    const char *name;
    const char *text;
    size_t len;
    unsigned line;
    const char *message;
};

static const struct config_bad_row config_bad_rows[] = {
    // keys that need another
    {"framing of echo", TEXT(ROUTE_WITH("framing = line\n")), 6,
     "'framing' means nothing without a backend other than echo:"},
    {"payload of echo", TEXT(ROUTE_WITH("payload = text\n")), 6, "'payload' means nothing"},
    {"half_close of echo", TEXT(ROUTE_WITH("half_close = keep\n")), 6, "means nothing without"},
    {"bad_utf8 of echo", TEXT(ROUTE_WITH("bad_utf8 = replace\n")), 6, "'bad_utf8' means nothing"},
    {"bad_utf8 of binary",
     TEXT(WITH_BACKEND("unix:/s") "subprotocols = mqtt\nbad_utf8 = replace\n"), 7,
     "'bad_utf8' means nothing without payload = text or the subprotocol text.ircv3.net"},
    {"an order of nothing", TEXT(ROUTE_WITH("subprotocol_order = client\n")), 6,
     "'subprotocol_order' means nothing without subprotocols"},
    {"line_end of a stream", TEXT(WITH_BACKEND("unix:/s") "line_end = crlf\n"), 6,
     "'line_end' means nothing without framing = line"},
    {"line_multi of records", TEXT(WITH_BACKEND("unix:/s") "line_multi = yes\nframing=length16\n"),
     6, "'line_multi' means nothing without framing = line"},
    {"length_order of lines", TEXT(WITH_BACKEND("unix:/s") "framing = line\nlength_order = big\n"),
     7, "'length_order' means nothing without framing = length16 or length32"},
    {"framing_max of a stream", TEXT(WITH_BACKEND("unix:/s") "framing_max = 1k\n"), 6,
     "without framing = line, length16 or length32"},
    {"window of nothing", TEXT(ROUTE_WITH("compression_window = 15\n")), 6,
     "'compression_window' means nothing without compression = on"},
    {"ratio of nothing", TEXT(ROUTE_WITH("compression=off\ncompression_ratio = 9\n")), 7,
     "'compression_ratio' means nothing without compression = on"},
    {"window too small", TEXT(ROUTE_WITH("compression_window = 8\n")), 6, "9 to 15"},
    {"frames too short", TEXT(ROUTE_WITH("max_frame_out = 127\n")), 6, "0 (no limit) or 128 to 1g"},
    {"no such framing", TEXT(ROUTE_WITH("framing = netstring\n")), 6,
     "one of stream, line, length16 or length32"},
    {"base64 in lines", TEXT(WITH_BACKEND("unix:/s") "framing = line\nsubprotocols = base64\n"), 3,
     "[route r] has the subprotocol base64, which needs framing = stream"},
    {"text refused",
     TEXT(WITH_BACKEND("unix:/s") "accept = binary\nsubprotocols = text.ircv3.net\n"), 3,
     "[route r] has the subprotocol text.ircv3.net, which is text, but accept = binary"},
    {"base64 refused", TEXT(WITH_BACKEND("unix:/s") "accept = binary\nsubprotocols = a, base64\n"),
     3, "base64, which is text, but accept = binary"},

    {"no such reload", TEXT("[server]\nreload = restart\n" CONFIG_GOOD), 2, "one of keep or drain"},
    {"watch without a break", TEXT("[server]\nwatch = 99ms\n" CONFIG_GOOD), 2,
     "0 (never) or 100ms to 1d"},

    // the lines
    {"nul", TEXT(ROUTE_WITH("max_age = 1h\0 ; x\n")), 6, "NUL"},
    {"lone cr", TEXT(ROUTE_WITH("max_age = 1h\raccept = text\n")), 6, "carriage return"},
    {"cr at the end", TEXT(ROUTE_WITH("max_age = 1h\r")), 6, "carriage return"},
    {"two crs", TEXT(ROUTE_WITH("max_age = 1h\r\r\n")), 6, "carriage return"},
    {"cr in a comment", TEXT(ROUTE_WITH("; a\rmax_age = 1h\n")), 6, "carriage return"},
    {"control", TEXT(ROUTE_WITH("max_age = 1h\x1b[0m\n")), 6, "control character"},
    {"vertical tab", TEXT(ROUTE_WITH("max_age =\v1h\n")), 6, "control character"},
    {"delete", TEXT(ROUTE_WITH("max_age = 1h\x7f\n")), 6, "control character"},
    {"latin1", TEXT(ROUTE_WITH("; caf\xe9\n")), 6, "UTF-8"},
    {"overlong", TEXT(ROUTE_WITH("; \xc0\xaf\n")), 6, "UTF-8"},
    {"cut utf8", TEXT(ROUTE_WITH("; \xe2\x82")), 6, "UTF-8"},
    {"bom", TEXT("\xef\xbb\xbf" CONFIG_GOOD), 1, "byte order mark"},
    {"long value", TEXT(ROUTE_WITH("origins = https://" CONFIG_A4100 "\n")), 6, "4096 bytes"},
    {"long value says repeat", TEXT(ROUTE_WITH("origins = " CONFIG_A4100 "\n")), 6, "repeated"},
    {"long comment", TEXT(ROUTE_WITH("; " CONFIG_A4100 "\n")), 6, "4096 bytes"},
    {"long header", TEXT(CONFIG_GOOD "[route " CONFIG_A4100 "]\n"), 6, "4096 bytes"},
    {"indented", TEXT(ROUTE_WITH("origins = https://a.example\n  https://b.example\n")), 7,
     "indented"},
    {"indented key", TEXT(ROUTE_WITH("\tmax_age = 1h\n")), 6, "indented"},
    {"indented header", TEXT(CONFIG_GOOD " [server]\nworkers = 2\n"), 6, "indented"},
    {"no equals", TEXT(ROUTE_WITH("max_age\n")), 6, "key = value"},
    {"colon", TEXT(ROUTE_WITH("max_age: 1h\n")), 6, "key = value"},
    {"colon first", TEXT(ROUTE_WITH("origins https://a.example = 1\n")), 6, "key = value"},
    {"comment before equals", TEXT(ROUTE_WITH("max_age ; = 1h\n")), 6, "key = value"},
    {"no key", TEXT(ROUTE_WITH("= 1h\n")), 6, "no key"},
    {"long key", TEXT(ROUTE_WITH(CONFIG_A50 " = 1\n")), 6, "unknown key"},
    // the headers
    {"no bracket", TEXT(CONFIG_GOOD "[server\nworkers = 2\n"), 6, "no closing ']'"},
    {"bracket in comment", TEXT(CONFIG_GOOD "[server ; ]\n"), 6, "no closing ']'"},
    {"junk behind", TEXT(CONFIG_GOOD "[server] workers = 2\n"), 6, "behind the section header"},
    {"two headers", TEXT(CONFIG_GOOD "[server][route x]\n"), 6, "behind the section header"},
    {"empty header", TEXT(CONFIG_GOOD "[ ]\n"), 6, "header is empty"},
    {"long name", TEXT(CONFIG_GOOD "[route " CONFIG_A50 "]\n"), 6, "45 bytes"},
    {"unknown section", TEXT(CONFIG_GOOD "[what]\n"), 6, "unknown section [what]; there are"},
    {"near section", TEXT(CONFIG_GOOD "[routes x]\n"), 6, "did you mean 'route'?"},
    {"upper section", TEXT(CONFIG_GOOD "[Server]\n"), 6, "did you mean 'server'?"},
    {"route without name", TEXT(CONFIG_GOOD "[route]\n"), 6, "needs a name"},
    {"server with name", TEXT(CONFIG_GOOD "[server x]\n"), 6, "takes no name"},
    {"name with blank", TEXT(CONFIG_GOOD "[route a b]\n"), 6, "bad name 'a b'"},
    {"name with bracket", TEXT(CONFIG_GOOD "[route a[b]\n"), 6, "bad name"},
    {"duplicate route", TEXT(CONFIG_GOOD "[route r]\npath = /s\nbackend = echo:\n"), 6,
     "duplicate section [route r] (first on line 3)"},
    {"duplicate server", TEXT(CONFIG_GOOD "[server]\n[server]\n"), 7, "(first on line 6)"},
    {"duplicate by blanks", TEXT(CONFIG_GOOD "[ route   r ]\n"), 6, "(first on line 3)"},
    {"outside", TEXT("workers = 1\n" CONFIG_GOOD), 1, "before the first section"},
    // the keys
    {"unknown key", TEXT(ROUTE_WITH("colour = red\n")), 6, "unknown key 'colour'"},
    {"near key", TEXT(ROUTE_WITH("orgins = same\n")), 6,
     "unknown key 'orgins'; did you mean 'origins'?"},
    {"swapped letters", TEXT(ROUTE_WITH("max_gae = 1h\n")), 6, "did you mean 'max_age'?"},
    {"upper key", TEXT(ROUTE_WITH("Accept = text\n")), 6, "did you mean 'accept'?"},
    {"later key", TEXT(ROUTE_WITH("credentials = file\n")), 6, "unknown key 'credentials'"},
    {"key of server", TEXT(ROUTE_WITH("workers = 1\n")), 6, "does not belong here but in [server]"},
    {"key of listen", TEXT(ROUTE_WITH("address = 127.0.0.1:1\n")), 6, "in [listen NAME]"},
    {"key of route", TEXT(SERVER_WITH("origins = same\n")), 7, "in [route NAME] or [defaults]"},
    {"path in defaults", TEXT(CONFIG_GOOD "[defaults]\npath = /x\n"), 7, "in [route NAME]"},
    {"duplicate key", TEXT(ROUTE_WITH("accept = text\naccept = any\n")), 7,
     "duplicate key 'accept' (first on line 6)"},
    {"duplicate after a bad one", TEXT(ROUTE_WITH("accept = x\naccept = any\n")), 7, "duplicate"},
    {"empty value", TEXT(ROUTE_WITH("host =\n")), 6, "'host' has no value"},
    {"only a comment", TEXT(ROUTE_WITH("host = ; any\n")), 6, "'host' has no value"},
    {"empty item", TEXT(ROUTE_WITH("origins = same,,none\n")), 6, "an item of 'origins' is empty"},
    {"trailing comma", TEXT(ROUTE_WITH("origins = same,\n")), 6, "an item of 'origins' is empty"},
    // numbers and words
    {"no unit", TEXT(ROUTE_WITH("idle_timeout = 10\n")), 6,
     "bad value '10' for 'idle_timeout'; a duration such as 500ms, 5s, 10m or 2h: 0 (off) or 10ms "
     "to 30d"},
    {"too long a time", TEXT(ROUTE_WITH("close_timeout = 2h\n")), 6, ": 10ms to 1h"},
    {"zero where not off", TEXT(ROUTE_WITH("write_timeout = 0\n")), 6, "write_timeout"},
    {"size", TEXT(ROUTE_WITH("buffer_high = 32m\n")), 6, "4k to 16m"},
    {"size overflow", TEXT(ROUTE_WITH("max_message = 99999999999999999999g\n")), 6, "1024g"},
    {"negative", TEXT(ROUTE_WITH("max_message = -1\n")), 6, "0 (no limit) or 1 to 1024g"},
    {"workers", TEXT(SERVER_WITH("workers = 257\n")), 7, "auto or 1 to 256"},
    {"no workers", TEXT(SERVER_WITH("workers = 0\n")), 7, "auto or 1 to 256"},
    {"max_sessions", TEXT(SERVER_WITH("max_sessions = 1000001\n")), 7, "1 to 1000000"},
    {"word", TEXT(SERVER_WITH("log_level = verbose\n")), 7, "one of error, warn, info or debug"},
    {"where lines go", TEXT(SERVER_WITH("log = file\n")), 7, "one of stderr, syslog or journald"},
    {"a socket of nobody", TEXT(SERVER_WITH("log_socket = /dev/log\n")), 7,
     "'log_socket' means nothing without log = syslog or journald"},
    {"no path of a socket", TEXT(SERVER_WITH("log = syslog\nlog_socket = log\n")), 8,
     "begins with '/' and has at most 107 bytes"},
    {"two words", TEXT(ROUTE_WITH("on_refuse = CLOSE\n")), 6, "one of close or http"},
    {"code", TEXT(ROUTE_WITH("backend_code = 1012\n")), 6, "one of 1011 or 1014"},
    {"low and high", TEXT(ROUTE_WITH("buffer_high = 8k\nbuffer_low = 8k\n")), 7,
     "'buffer_low' (8k) must be less than buffer_high (8k)"},
    {"high below the default low", TEXT(ROUTE_WITH("buffer_high = 8k\n")), 6, "(16k)"},
    {"low in defaults", TEXT(CONFIG_GOOD "[defaults]\nbuffer_low = 64k\n"), 7, "buffer_low"},
    {"sandbox", TEXT(SERVER_WITH("sandbox = no\n")), 7, "one of on or off"},
    {"no such user", TEXT(SERVER_WITH("user = no-such-user-here\n")), 7,
     "no such user 'no-such-user-here'"},
    // listeners
    {"no listen", TEXT(CONFIG_ROUTE_TEXT), 0, "no [listen NAME]"},
    {"health alone", TEXT("[health]\naddress = 127.0.0.1:9\n" CONFIG_ROUTE_TEXT), 0,
     "no [listen NAME]"},
    {"health without address", TEXT(CONFIG_GOOD "[health]\n"), 6, "[health] has no address"},
    {"health with a name", TEXT(CONFIG_GOOD "[health x]\naddress = 127.0.0.1:9\n"), 6,
     "[health] takes no name"},
    {"health's name",
     TEXT(CONFIG_GOOD "[listen health]\naddress = 127.0.0.1:8\n[health]\n"
                      "address = 127.0.0.1:9\n"),
     6, "call it something else"},
    {"health's address",
     TEXT(CONFIG_GOOD "[listen x]\naddress = 127.0.0.1:9\n[health]\n"
                      "address = 127.0.0.1:9\n"),
     9, "already the address of [listen x]"},
    {"health's host", TEXT(CONFIG_GOOD "[health]\naddress = 127.0.0.1:9\nhosts = a:1\n"), 8,
     "bad host 'a:1'"},
    {"TLS of health", TEXT(CONFIG_GOOD "[health]\naddress = 127.0.0.1:9\ntls_key = k\n"), 8,
     "in [listen NAME]"},
    {"health path",
     TEXT("[listen a]\naddress = 127.0.0.1:8\nhealth_path = /h/*\n" CONFIG_ROUTE_TEXT), 3, "exact"},
    {"no health path",
     TEXT("[listen a]\naddress = 127.0.0.1:8\nhealth_path = h\n" CONFIG_ROUTE_TEXT), 3,
     "begins with '/'"},
    {"empty", TEXT(""), 0, "no [listen NAME]"},
    {"no address", TEXT(CONFIG_GOOD "[listen b]\n"), 6, "[listen b] has no address"},
    {"name as address", TEXT(WITH_ADDRESS("localhost:8080")), 2, "numeric address"},
    {"no port", TEXT(WITH_ADDRESS("127.0.0.1")), 2, "bad value '127.0.0.1' for 'address'"},
    {"port too high", TEXT(WITH_ADDRESS("127.0.0.1:65536")), 2, "for 'address'"},
    {"bare ipv6", TEXT(WITH_ADDRESS("::1:8080")), 2, "for 'address'"},
    {"same address", TEXT(CONFIG_GOOD "[listen b]\naddress = 127.0.0.1:8080\n"), 7,
     "127.0.0.1:8080 is already the address of [listen a] (line 1)"},
    {"no key file", TEXT(WITH_ADDRESS("127.0.0.1:1\ntls_certificate = /none/c.pem")), 3,
     "'tls_certificate' means nothing without tls_key"},
    {"no certificate", TEXT(WITH_ADDRESS("127.0.0.1:1\ntls_key = /none/k.pem")), 3,
     "'tls_key' means nothing without tls_certificate"},
    {"missing file",
     TEXT(WITH_ADDRESS("127.0.0.1:1\ntls_key = /none/k.pem\n"
                       "tls_certificate = /none/c.pem")),
     4, "cannot read /none/c.pem: No such file or directory"},
    {"missing key file",
     TEXT(WITH_ADDRESS("127.0.0.1:1\ntls_key = /none/k.pem\n"
                       "tls_certificate = /none/c.pem")),
     3, "cannot read /none/k.pem: No such file or directory"},
    {"directory", TEXT(WITH_ADDRESS("127.0.0.1:1\ntls_key = /\ntls_certificate = /none/c")), 3,
     "cannot read /: Is a directory"},
    {"device", TEXT(WITH_ADDRESS("127.0.0.1:1\ntls_key = /dev/zero\ntls_certificate = /none/c")), 3,
     "cannot read /dev/zero: not a regular file"},
    {"counts",
     TEXT(WITH_ADDRESS("127.0.0.1:1\ntls_certificate = /none/a, /none/b\n"
                       "tls_key = /none/a")),
     4, "tls_certificate names 2 files, tls_key names 1"},
    {"version of nothing", TEXT(WITH_ADDRESS("127.0.0.1:1\ntls_min_version = 1.3")), 3,
     "without tls_certificate"},
    {"old version", TEXT(WITH_ADDRESS("127.0.0.1:1\ntls_min_version = 1.1")), 3,
     "one of 1.2 or 1.3"},
    // routes
    {"no route", TEXT(CONFIG_LISTEN_TEXT), 0, "no [route NAME]"},
    {"no path", TEXT(CONFIG_GOOD "[route s]\nbackend = echo:\n"), 6, "[route s] has no path"},
    {"no backend", TEXT(CONFIG_GOOD "[route s]\npath = /s\n"), 6, "[route s] has no backend"},
    {"same place", TEXT(CONFIG_GOOD "[route s]\npath = /r\nbackend = echo:\n"), 6,
     "[route s] has the path and host of [route r] (line 3)"},
    {"same place and host",
     TEXT(ROUTE_WITH("host = a.example\n[route s]\npath = /r\n"
                     "host = a.example\nbackend = echo:\n")),
     7, "has the path and host"},
    {"relative path", TEXT(WITH_PATH("r")), 4, "begins with '/'"},
    {"query", TEXT(WITH_PATH("/r?a=1")), 4, "for 'path'"},
    {"star inside", TEXT(WITH_PATH("/a*/b")), 4, "for 'path'"},
    {"star without slash", TEXT(WITH_PATH("/a*")), 4, "for 'path'"},
    {"two stars", TEXT(WITH_PATH("/*/*")), 4, "for 'path'"},
    {"blank in path", TEXT(WITH_PATH("/a b")), 4, "for 'path'"},
    {"not ascii", TEXT(WITH_PATH("/caf\xc3\xa9")), 4, "for 'path'"},
    {"bad escape", TEXT(WITH_PATH("/a%2")), 4, "for 'path'"},
    {"dots", TEXT(WITH_PATH("/a/../b")), 4, "'.' or '..'"},
    {"host with port", TEXT(ROUTE_WITH("host = a.example:80\n")), 6, "for 'host'"},
    {"host of another route in upper case",
     TEXT(
         ROUTE_WITH("host = a.example\n[route s]\npath = /r\nhost = A.Example\nbackend = echo:\n")),
     7, "has the path and host of"},
    {"host star inside", TEXT(ROUTE_WITH("host = a.*.example\n")), 6, "for 'host'"},
    {"host lone star", TEXT(ROUTE_WITH("host = *\n")), 6, "for 'host'"},
    {"host dot at the end", TEXT(ROUTE_WITH("host = a.example.\n")), 6, "for 'host'"},
    {"host almost an address", TEXT(ROUTE_WITH("host = 10.0.0.256\n")), 6, "for 'host'"},
    {"host ends in a number", TEXT(ROUTE_WITH("host = a.0x1\n")), 6, "for 'host'"},
    {"host with a long label", TEXT(ROUTE_WITH("host = " CONFIG_A70 ".example\n")), 6,
     "for 'host'"},
    {"host in another writing of IPv6", TEXT(ROUTE_WITH("host = [0::1]\n")), 6, "for 'host'"},
    {"origin with a long label", TEXT(ROUTE_WITH("origins = https://" CONFIG_A70 "\n")), 6,
     "bad origin"},
    {"origin ends in a number", TEXT(ROUTE_WITH("origins = https://a.0x1\n")), 6, "bad origin"},
    {"origin with path", TEXT(ROUTE_WITH("origins = https://a.example/\n")), 6, "bad origin"},
    {"origin without scheme", TEXT(ROUTE_WITH("origins = a.example\n")), 6, "bad origin"},
    {"second line's origin", TEXT(ROUTE_WITH("origins = same\norigins = x\n")), 7,
     "bad origin 'x'"},
    {"subprotocol", TEXT(ROUTE_WITH("subprotocols = a b\n")), 6, "bad subprotocol 'a b'"},
    {"network", TEXT(ROUTE_WITH("allow = 10.0.0.1/8\n")), 6,
     "bad network '10.0.0.1/8' for 'allow'"},
    {"network name", TEXT(ROUTE_WITH("deny = example.com\n")), 6, "for 'deny'"},
    {"origin in defaults", TEXT(CONFIG_GOOD "[defaults]\norigins = x\n"), 7, "bad origin"},
    // backends
    {"scheme", TEXT(WITH_BACKEND("http://a:1")), 5, "tcp://HOST:PORT, unix:/PATH or echo:"},
    {"tls backend", TEXT(WITH_BACKEND("tls://a:1")), 5, "tcp://HOST:PORT, unix:/PATH or echo:"},
    {"no scheme", TEXT(WITH_BACKEND("127.0.0.1:80")), 5, "bad backend"},
    {"scheme upper", TEXT(WITH_BACKEND("TCP://a:1")), 5, "bad backend"},
    {"backend without port", TEXT(WITH_BACKEND("tcp://a")), 5, "write tcp://HOST:PORT"},
    {"backend port 0", TEXT(WITH_BACKEND("tcp://a:0")), 5, "1 to 65535"},
    {"backend port high", TEXT(WITH_BACKEND("tcp://a:65536")), 5, "1 to 65535"},
    {"backend path", TEXT(WITH_BACKEND("tcp://a:1/")), 5, "bad backend"},
    {"backend without host", TEXT(WITH_BACKEND("tcp://:1")), 5, "bad backend"},
    {"backend almost an address", TEXT(WITH_BACKEND("tcp://1.2.3.256:1")), 5, "bad backend"},
    {"backend ends in a number", TEXT(WITH_BACKEND("tcp://a.0x1:1")), 5, "bad backend"},
    {"backend with a long label", TEXT(WITH_BACKEND("tcp://" CONFIG_A70 ":1")), 5, "bad backend"},
    {"backend bare ipv6", TEXT(WITH_BACKEND("tcp://::1:80")), 5, "bad backend"},
    {"unix slashes", TEXT(WITH_BACKEND("unix:///run/x")), 5, "unix:/PATH, with one slash"},
    {"unix relative", TEXT(WITH_BACKEND("unix:x")), 5, "unix:/PATH"},
    {"unix long", TEXT(WITH_BACKEND("unix:/" CONFIG_A50 CONFIG_A50 CONFIG_A50)), 5, "107 bytes"},
    {"echo with more", TEXT(WITH_BACKEND("echo:, tcp://a:1")), 5, "cannot stand with others"},
    {"two echoes", TEXT(WITH_BACKEND("echo:, echo:")), 5, "echo: cannot stand"},
    {"too many",
     TEXT(WITH_BACKEND("echo:,unix:/a,unix:/a,unix:/a,unix:/a,unix:/a,unix:/a,unix:/a,"
                       "unix:/a,unix:/a,unix:/a,unix:/a,unix:/a,unix:/a,unix:/a,"
                       "unix:/a,unix:/a")),
     5, "more than 16 backends"},
};

#define CONFIG_BAD_ROWS (sizeof(config_bad_rows) / sizeof(config_bad_rows[0]))

#endif
