/* SPDX-License-Identifier: GPL-3.0-or-later */
// Headers of the PROXY protocol, and what becomes of each. `want` is what describe() of
// test_proxy_header.c prints, or the detail of a refusal.
#ifndef TESTS_UNIT_PROXY_HEADER_ROWS_H
#define TESTS_UNIT_PROXY_HEADER_ROWS_H

#include "base/span.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\xc0\0\2\1\xc0\0\2\2\x03\xe8\x01\xbb" /* 192.0.2.1:1000 to 192.0.2.2:443 */
#define V4_TEXT "TCP 192.0.2.1:1000 192.0.2.2:443"
#define V6_1 "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
#define V6_2 "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2"
#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

struct header_row {
    const char *name;
    struct span input; /* the header alone */
    const char *want;
};

/* As HAProxy 2.6 and nginx 1.22 of Debian 12 sent them over loopback. */
static const struct header_row recorded_rows[] = {
    {"HAProxy send-proxy, IPv4", SPAN_LIT("PROXY TCP4 127.0.0.1 127.0.0.1 58516 19401\r\n"),
     "TCP 127.0.0.1:58516 127.0.0.1:19401"},
    {"HAProxy send-proxy, IPv6", SPAN_LIT("PROXY TCP6 ::1 ::1 49772 19401\r\n"),
     "TCP [::1]:49772 [::1]:19401"},
    {"HAProxy send-proxy, Unix socket", SPAN_LIT("PROXY UNKNOWN\r\n"), "UNKNOWN"},
    {"HAProxy check of a server with send-proxy",
     SPAN_LIT("PROXY TCP4 127.0.0.1 127.0.0.1 48952 19507\r\n"),
     "TCP 127.0.0.1:48952 127.0.0.1:19507"},
    {"HAProxy send-proxy-v2 crc32c, IPv4",
     SPAN_LIT(SIG "!\x11\x00\x13\x7f\x00\x00\x01\x7f\x00\x00\x01\xa4\xe2K\xca\x03\x00\x04\xfe\xd0"
                  "CG"),
     "TCP 127.0.0.1:42210 127.0.0.1:19402"},
    {"HAProxy send-proxy-v2 crc32c, IPv6",
     SPAN_LIT(SIG "!!\x00+\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x89\nK"
                  "\xca\x03\x00\x04x#xC"),
     "TCP [::1]:35082 [::1]:19402"},
    {"HAProxy send-proxy-v2-ssl-cn with all its options, a client with a certificate",
     SPAN_LIT(SIG "!\x11\x00\x8c\x7f\x00\x00\x01\x7f\x00\x00\x01\xd9\xbeK\xcb\x03\x00\x04\xbe\xe7"
                  "\xdc+\x01\x00\x08http/1.1\x02\x00\x0cgate.example\x05\x00\x12"
                  "7F000001:D9BE_0004 \x00G\x07\x00\x00\x00\x00!\x00\x07TLSv1.3\"\x00\x05"
                  "alice%\x00\x07RSA2048$\x00\nRSA-SHA256#\x00\x16TLS_AES_256_GCM_SHA384"),
     "TCP 127.0.0.1:55742 127.0.0.1:19403 alpn=http/1.1 authority=gate.example "
     "id=7F000001:D9BE_0004 tls certificate connection verified version=TLSv1.3 "
     "cipher=TLS_AES_256_GCM_SHA384 cn=alice key=RSA2048 signature=RSA-SHA256"},
    {"HAProxy send-proxy-v2-ssl-cn with all its options, a client without certificate and SNI",
     SPAN_LIT(SIG "!\x11\x00j\x7f\x00\x00\x01\x7f\x00\x00\x01\xd9\xc0K\xcb\x03\x00\x04N\x86\xce"
                  "7\x05\x00\x12"
                  "7F000001:D9C0_0005 \x00?\x01\x00\x00\x00\x00!\x00\x07TLSv1.3%\x00\x07RSA2048$"
                  "\x00\nRSA-SHA256#\x00\x16TLS_AES_256_GCM_SHA384"),
     "TCP 127.0.0.1:55744 127.0.0.1:19403 id=7F000001:D9C0_0005 tls version=TLSv1.3 "
     "cipher=TLS_AES_256_GCM_SHA384 key=RSA2048 signature=RSA-SHA256"},
    {"HAProxy send-proxy-v2, Unix socket, and its checks", SPAN_LIT(SIG " \x00\x00\x00"), "LOCAL"},
    {"nginx stream, IPv4", SPAN_LIT("PROXY TCP4 127.0.0.1 127.0.0.1 41404 19411\r\n"),
     "TCP 127.0.0.1:41404 127.0.0.1:19411"},
    {"nginx stream, IPv6", SPAN_LIT("PROXY TCP6 ::1 ::1 53742 19411\r\n"),
     "TCP [::1]:53742 [::1]:19411"},
    {"nginx stream, Unix socket", SPAN_LIT("PROXY UNKNOWN\r\n"), "UNKNOWN"},
};

static const struct header_row good_rows[] = {
    {"v1, the longest IPv4", SPAN_LIT("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
     "TCP 255.255.255.255:65535 255.255.255.255:65535"},
    {"v1, the longest IPv6",
     SPAN_LIT("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
              "FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF 65535 65535\r\n"),
     "TCP [ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535 "
     "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
    {"v1, port 0", SPAN_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 0 0\r\n"),
     "TCP 192.0.2.1:0 192.0.2.2:0"},
    {"v1, an IPv4-mapped address", SPAN_LIT("PROXY TCP6 2001:db8::1 ::ffff:192.0.2.2 1 2\r\n"),
     "TCP [2001:db8::1]:1 192.0.2.2:2"},
    {"v1, the longest UNKNOWN",
     SPAN_LIT("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
              "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
     "UNKNOWN"},
    {"v1, UNKNOWN with anything behind it", SPAN_LIT("PROXY UNKNOWN \0 \xff  x\r\n"), "UNKNOWN"},
    {"v2, IPv4", SPAN_LIT(SIG "\x21\x11\0\x0c" V4), V4_TEXT},
    {"v2, IPv6", SPAN_LIT(SIG "\x21\x21\0\x24" V6_1 V6_2 "\0\1\0\2"),
     "TCP [2001:db8::1]:1 [2001:db8::2]:2"},
    {"v2, IPv4-mapped",
     SPAN_LIT(SIG "\x21\x21\0\x24" V6_1 "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\2\0\1\0\2"),
     "TCP [2001:db8::1]:1 192.0.2.2:2"},
    {"v2, LOCAL with addresses", SPAN_LIT(SIG "\x20\x11\0\x0c" V4), "LOCAL"},
    {"v2, LOCAL with a family and no address", SPAN_LIT(SIG "\x20\x21\0\0"), "LOCAL"},
    {"v2, LOCAL with wrong TLVs", SPAN_LIT(SIG "\x20\0\0\2\4\xff"), "LOCAL"},
    {"v2, UNSPEC", SPAN_LIT(SIG "\x21\0\0\0"), "UNKNOWN"},
    {"v2, UNSPEC with anything behind it", SPAN_LIT(SIG "\x21\0\0\3\xff\xff\xff"), "UNKNOWN"},
    {"v2, UNSPEC family of a stream", SPAN_LIT(SIG "\x21\x01\0\0"), "UNKNOWN"},
    {"v2, IPv4 of an unspecified transport", SPAN_LIT(SIG "\x21\x10\0\0"), "UNKNOWN"},
    {"v2, UDP", SPAN_LIT(SIG "\x21\x12\0\x0c" V4), "UNKNOWN"},
    {"v2, UDP over IPv6", SPAN_LIT(SIG "\x21\x22\0\x24" V6_1 V6_2 "\0\1\0\2"), "UNKNOWN"},
    {"v2, a Unix socket, and a TLV behind its addresses",
     SPAN_LIT(SIG "\x21\x31\0\xdc" HUNDRED HUNDRED "0123456789012345\1\0\1x"), "UNKNOWN alpn=x"},
    {"v2, padding and types nobody knows",
     SPAN_LIT(SIG "\x21\x11\0\x1b" V4 "\4\0\2\0\0\xea\0\1\1\xea\0\0\x30\0\0"), V4_TEXT},
    {"v2, empty values", SPAN_LIT(SIG "\x21\x11\0\x15" V4 "\1\0\0\2\0\0\5\0\0"), V4_TEXT},
    {"v2, the longest unique id",
     SPAN_LIT(SIG "\x21\x11\0\x8f" V4 "\5\0\x80" HUNDRED TEN TEN "01234567"),
     V4_TEXT " id=" HUNDRED TEN TEN "01234567"},
    {"v2, all of the TLS values",
     SPAN_LIT(SIG "\x21\x11\0\x36" V4 "\x20\0\x27\7\0\0\0\1"
                  "\x21\0\1v\x22\0\2cn\x23\0\1c\x24\0\1s\x25\0\1k\x26\0\1g\x27\0\1m\x28\0\2\x30\0"),
     V4_TEXT " tls certificate connection version=v cipher=c cn=cn key=k signature=s group=g "
             "scheme=m der=2"},
    {"v2, a TLS value without parts", SPAN_LIT(SIG "\x21\x11\0\x14" V4 "\x20\0\5\0\0\0\0\0"),
     V4_TEXT},
    {"v2, verified, but no certificate", SPAN_LIT(SIG "\x21\x11\0\x14" V4 "\x20\0\5\1\0\0\0\0"),
     V4_TEXT " tls"},
    {"v2, a certificate of an earlier connection",
     SPAN_LIT(SIG "\x21\x11\0\x14" V4 "\x20\0\5\5\0\0\0\0"), V4_TEXT " tls certificate verified"},
    {"v2, a part of TLS that nobody knows",
     SPAN_LIT(SIG "\x21\x11\0\x18" V4 "\x20\0\x09\1\0\0\0\0\x7f\0\1x"), V4_TEXT " tls"},
};

#define NOT_PROXY "no PROXY header"
#define OUT "PROXY header with a TLV that sticks out"
#define OUT_TLS "PROXY header with a TLV that sticks out of the TLS value"
#define WORDS "PROXY line without two addresses and two ports"
#define WRONG "PROXY line with a wrong address or port"
#define LONE "PROXY line with a lone CR or LF"

static const struct header_row bad_rows[] = {
    {"HTTP", SPAN_LIT("GET / HTTP/1.1\r\n"), NOT_PROXY},
    {"HTTP with another method", SPAN_LIT("POST / HTTP/1.1\r\n"), NOT_PROXY},
    {"a ClientHello", SPAN_LIT("\x16\3\1"), NOT_PROXY},
    {"a NUL", SPAN_LIT("\0"), NOT_PROXY},
    {"lower case", SPAN_LIT("proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), NOT_PROXY},
    {"v1, a tab", SPAN_LIT("PROXY\tTCP4 192.0.2.1 192.0.2.2 1 2\r\n"), NOT_PROXY},
    {"v1, nothing", SPAN_LIT("PROXY\r\n"), NOT_PROXY},
    {"v1, no family", SPAN_LIT("PROXY \r\n"), "PROXY line without a family"},
    {"v1, two blanks", SPAN_LIT("PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n"),
     "PROXY line without a family"},
    {"v1, a family nobody knows", SPAN_LIT("PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n"),
     "PROXY line of a family that is not TCP4, TCP6 or UNKNOWN"},
    {"v1, more than UNKNOWN", SPAN_LIT("PROXY UNKNOWNS\r\n"),
     "PROXY line of a family that is not TCP4, TCP6 or UNKNOWN"},
    {"v1, LF alone", SPAN_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n"), LONE},
    {"v1, CR alone", SPAN_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rx"), LONE},
    {"v1, CR CR LF", SPAN_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\r\n"), LONE},
    {"v1, UNKNOWN and LF alone", SPAN_LIT("PROXY UNKNOWN\n"), LONE},
    {"v1, 108 bytes", SPAN_LIT("PROXY UNKNOWN " HUNDRED "\r\n"),
     "PROXY line of more than 107 bytes"},
    {"v1, CR as the 107th byte",
     SPAN_LIT("PROXY UNKNOWN " TEN TEN TEN TEN TEN TEN TEN TEN TEN "01\r\n"),
     "PROXY line of more than 107 bytes"},
    {"v1, no address", SPAN_LIT("PROXY TCP4\r\n"), WORDS},
    {"v1, one address", SPAN_LIT("PROXY TCP4 192.0.2.1\r\n"), WORDS},
    {"v1, one port", SPAN_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n"), WORDS},
    {"v1, a blank and no port", SPAN_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 1 \r\n"), WORDS},
    {"v1, two blanks within", SPAN_LIT("PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n"), WORDS},
    {"v1, a blank at the end", SPAN_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n"),
     "PROXY line with more than two addresses and two ports"},
    {"v1, a fifth word", SPAN_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n"),
     "PROXY line with more than two addresses and two ports"},
    {"v1, IPv6 as TCP4", SPAN_LIT("PROXY TCP4 ::1 ::1 1 2\r\n"), WRONG},
    {"v1, IPv4 as TCP6", SPAN_LIT("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n"), WRONG},
    {"v1, families mixed", SPAN_LIT("PROXY TCP6 2001:db8::1 192.0.2.2 1 2\r\n"), WRONG},
    {"v1, brackets", SPAN_LIT("PROXY TCP6 [::1] [::1] 1 2\r\n"), WRONG},
    {"v1, a zone", SPAN_LIT("PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n"), WRONG},
    {"v1, a leading zero", SPAN_LIT("PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n"), WRONG},
    {"v1, three numbers", SPAN_LIT("PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n"), WRONG},
    {"v1, a number above 255", SPAN_LIT("PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n"), WRONG},
    {"v1, two double colons", SPAN_LIT("PROXY TCP6 1::2::3 ::1 1 2\r\n"), WRONG},
    {"v1, a name", SPAN_LIT("PROXY TCP4 localhost 192.0.2.2 1 2\r\n"), WRONG},
    {"v1, a NUL", SPAN_LIT("PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n"), WRONG},
    {"v1, a port above 65535", SPAN_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n"), WRONG},
    {"v1, a port with a leading zero", SPAN_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 1 02\r\n"), WRONG},
    {"v1, two zeroes as a port", SPAN_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 00 2\r\n"), WRONG},
    {"v1, a sign", SPAN_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n"), WRONG},
    {"v1, letters as a port", SPAN_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 1 2x\r\n"), WRONG},
    {"v2, another signature", SPAN_LIT("\r\n\r\n\0\r\nQUIT\r"), NOT_PROXY},
    {"v2, a signature without its NUL", SPAN_LIT("\r\n\r\n\r"), NOT_PROXY},
    {"v2, version 1", SPAN_LIT(SIG "\x11"), "PROXY header of an unknown version"},
    {"v2, version 3", SPAN_LIT(SIG "\x31"), "PROXY header of an unknown version"},
    {"v2, command 2", SPAN_LIT(SIG "\x22"), "PROXY header with an unknown command"},
    {"v2, family 4", SPAN_LIT(SIG "\x21\x41"), "PROXY header of an unknown family"},
    {"v2, transport 3", SPAN_LIT(SIG "\x21\x13"), "PROXY header of an unknown family"},
    {"v2, LOCAL of family 4", SPAN_LIT(SIG "\x20\x40"), "PROXY header of an unknown family"},
    {"v2, 4097 bytes", SPAN_LIT(SIG "\x21\x11\x0f\xf1"), "PROXY header of more than 4096 bytes"},
    {"v2, as long as can be", SPAN_LIT(SIG "\x21\x11\xff\xff"),
     "PROXY header of more than 4096 bytes"},
    {"v2, LOCAL as long as can be", SPAN_LIT(SIG "\x20\0\xff\xff"),
     "PROXY header of more than 4096 bytes"},
    {"v2, no addresses", SPAN_LIT(SIG "\x21\x11\0\0"), "PROXY header too short for its addresses"},
    {"v2, half of the addresses", SPAN_LIT(SIG "\x21\x11\0\x0b\xc0\0\2\1\xc0\0\2\2\0\1\0"),
     "PROXY header too short for its addresses"},
    {"v2, IPv6 with addresses of IPv4", SPAN_LIT(SIG "\x21\x21\0\x0c" V4),
     "PROXY header too short for its addresses"},
    {"v2, a Unix socket with addresses of IPv4", SPAN_LIT(SIG "\x21\x31\0\x0c" V4),
     "PROXY header too short for its addresses"},
    {"v2, one byte of a TLV", SPAN_LIT(SIG "\x21\x11\0\x0d" V4 "\4"), OUT},
    {"v2, two bytes of a TLV", SPAN_LIT(SIG "\x21\x11\0\x0e" V4 "\4\0"), OUT},
    {"v2, a TLV one byte too long", SPAN_LIT(SIG "\x21\x11\0\x0f" V4 "\4\0\1"), OUT},
    {"v2, a TLV far too long", SPAN_LIT(SIG "\x21\x11\0\x10" V4 "\xea\xff\xff\0"), OUT},
    {"v2, a wrong TLV behind a good one", SPAN_LIT(SIG "\x21\x11\0\x11" V4 "\4\0\0\4\0"), OUT},
    {"v2, two authorities", SPAN_LIT(SIG "\x21\x11\0\x14" V4 "\2\0\1a\2\0\1b"),
     "PROXY header with a TLV twice"},
    {"v2, two authorities, the first empty", SPAN_LIT(SIG "\x21\x11\0\x13" V4 "\2\0\0\2\0\1b"),
     "PROXY header with a TLV twice"},
    {"v2, two TLS values", SPAN_LIT(SIG "\x21\x11\0\x1c" V4 "\x20\0\5\1\0\0\0\0\x20\0\5\1\0\0\0\0"),
     "PROXY header with a TLV twice"},
    {"v2, two common names",
     SPAN_LIT(SIG "\x21\x11\0\x1c" V4 "\x20\0\x0d\1\0\0\0\0\x22\0\1a\x22\0\1b"),
     "PROXY header with a TLV twice"},
    {"v2, a unique id of 129 bytes",
     SPAN_LIT(SIG "\x21\x11\0\x90" V4 "\5\0\x81" HUNDRED TEN TEN "012345678"),
     "PROXY header with a unique id of more than 128 bytes"},
    {"v2, a TLS value of four bytes", SPAN_LIT(SIG "\x21\x11\0\x13" V4 "\x20\0\4\1\0\0\0"),
     "PROXY header with a TLS value of less than five bytes"},
    {"v2, an empty TLS value", SPAN_LIT(SIG "\x21\x11\0\x0f" V4 "\x20\0\0"),
     "PROXY header with a TLS value of less than five bytes"},
    {"v2, a part that sticks out of the TLS value, but not of the header",
     SPAN_LIT(SIG "\x21\x11\0\x1b" V4 "\x20\0\x09\1\0\0\0\0\x22\0\4a\4\0\0"), OUT_TLS},
    {"v2, half a part of TLS", SPAN_LIT(SIG "\x21\x11\0\x16" V4 "\x20\0\7\1\0\0\0\0\x22\0"),
     OUT_TLS},
    {"v2, a wrong checksum",
     SPAN_LIT(SIG "!\x11\x00\x13\x7f\x00\x00\x01\x7f\x00\x00\x01\xa4\xe2K\xcb\x03\x00\x04\xfe\xd0"
                  "CG"),
     "PROXY header with a wrong checksum"},
    {"v2, a checksum of three bytes", SPAN_LIT(SIG "\x21\x11\0\x12" V4 "\3\0\3\0\0\0"),
     "PROXY header with a wrong checksum"},
};

#endif
