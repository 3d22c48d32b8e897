# SPDX-License-Identifier: GPL-3.0-or-later
"""What the four servers say about a head, what counts as a difference, and which may be.

Three kinds of differences count:
  alone     sluice takes, refuses or waits for more, and none of the three others does the same;
  opening   both sluice and ws see a legal request, and one of them sees no legal opening in it;
  meaning   sluice and another server both take a request, but for another host or target.
DIFFERENCES is the table of those that may be, with who is right and why. Each rule is narrow: it
asks for sluice's own reason, and for the bytes that explain it. Anything else is a failure.

How often each class comes in 100,000 heads (run.py --heads 100000 --seed 7):

    host_invalid         2,865    empty_item           1,935
    host_not_of_dns      2,309    path                 1,955
    body                   463    quoted_value         1,360
    method_first           364    tab_behind_a_value   1,043
    two_blanks              91    upgrade_is_a_list      530
    empty_query             30    http_1_0               225
    bare_lf                  0    version_not_13         168
    target_not_ascii         0    empty_host             152
                                  subprotocol_limits     131
                                  offer_declined         117
                                  two_origins             29

bare_lf and target_not_ascii come with Node 18: each about once in 10,000 heads.
"""

import collections
import re


class Verdict(collections.namedtuple("Verdict", "outcome status host target detail")):
    """What one server made of a head.

    outcome is taken (a legal request, whatever it asks for), refused or waits (for more bytes);
    host and target are what the server, or the backend behind it, understood.
    """


# Reasons of a 400 that concern the opening handshake; the head is HTTP.
OPENING_DETAILS = (
    "Connection does not name Upgrade", "no Sec-WebSocket-Version",
    "more than one Sec-WebSocket-Version", "no Sec-WebSocket-Key",
    "more than one Sec-WebSocket-Key", "malformed Sec-WebSocket-Key", "empty Host",
    "more than one Origin", "malformed Sec-WebSocket-Protocol", "subprotocol too long",
    "subprotocol offered twice", "too many subprotocols",
    "malformed Sec-WebSocket-Extensions")
# Reasons of a 400 that concern the path; the head is HTTP, and its path can be read in two ways.
PATH_DETAILS = (
    "dot segment in the path", "encoded slash in the path", "backslash in the path",
    "bad %-encoding in the path", "encoded control byte in the path")


def unhex(text):
    return b"" if text == "-" else bytes.fromhex(text)


def of_sluice(line):
    """Reads a line of check.c."""
    status, host, target, detail = line.split(" ", 3)
    if status == "waits":
        return Verdict("waits", 0, b"", b"", "")
    is_taken = status in ("101", "405", "426") or detail == "unknown method" or (
        detail in OPENING_DETAILS + PATH_DETAILS)
    return Verdict("taken" if is_taken else "refused", int(status), unhex(host.rstrip("-") or "-"),
                   unhex(target), detail)


def of_node(line):
    """Reads a line of node.js."""
    outcome, status, host, target, code = line.split(" ")
    is_taken = outcome in ("upgrade", "request")
    return Verdict("taken" if is_taken else outcome, int(status), unhex(host), unhex(target), code)


def of_server(got):
    """Takes what servers.py heard."""
    return Verdict(*got, "")


def header(data, name):
    """Returns the values of all lines of that name, without the blanks around them."""
    head = data.partition(b"\r\n\r\n")[0]
    return [value.strip(b" \t") for key, _, value in
            (line.partition(b":") for line in head.split(b"\r\n")[1:]) if key.lower() == name]


def items(data, name):
    return [item.strip(b" \t") for value in header(data, name) for item in value.split(b",")]


Difference = collections.namedtuple("Difference", "name kind rule right reference why")


# Rules of the kind `alone` get the three outcomes, those of the others the verdict of the peer.


def authority(data):
    """Returns what sluice reads as a host: that of an absolute target, else the Host."""
    absolute = re.match(rb"\s*\S+ [a-zA-Z]+://([^/? ]*)", data)
    hosts = header(data, b"host")
    return ([absolute.group(1)] if absolute else []) + hosts


REG_NAME = re.compile(rb"([A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*(:[0-9]*)?$")


def is_about_host(sluice):
    return sluice.detail in ("malformed Host", "malformed authority in the target")


def host_not_of_dns(data, sluice, peers):
    return is_about_host(sluice) and all(map(REG_NAME.match, authority(data)))


def host_invalid(data, sluice, peers):
    return is_about_host(sluice) and not all(map(REG_NAME.match, authority(data)))


def body(data, sluice, peers):
    return sluice.detail in ("Content-Length in a request without body",
                             "Transfer-Encoding in a request without body")


def two_blanks(data, sluice, peers):
    return sluice.detail == "more than one blank in the request line"


def bare_lf(data, sluice, peers):
    return sluice.detail == "bare LF"


def target_not_ascii(data, sluice, peers):
    line = data.lstrip(b"\r\n").partition(b"\n")[0]
    return sluice.detail == "bad byte in the target" and not line.isascii()


def method_first(data, sluice, peers):
    return sluice.status in (405, 501) and peers == {"refused"} and bool(
        header(data, b"content-length") + header(data, b"transfer-encoding"))


def has_tab_behind(data, name):
    head = data.partition(b"\r\n\r\n")[0]
    return any(key.lower() == name and value.endswith((b"\t", b"\t ")) for key, _, value in
               (line.partition(b":") for line in head.split(b"\r\n")[1:]))


def tab_behind_a_value(data, sluice, ws):
    return sluice.status == 101 and any(has_tab_behind(data, name) for name in (
        b"connection", b"upgrade", b"sec-websocket-key", b"sec-websocket-version",
        b"sec-websocket-protocol", b"sec-websocket-extensions"))


def upgrade_is_a_list(data, sluice, ws):
    return (sluice.status == 101 and ws.status == 400
            and b", ".join(header(data, b"upgrade")).lower() != b"websocket")


def empty_item(data, sluice, ws):
    return sluice.status == 101 and ws.status == 400 and any(
        b"" in items(data, name) for name in (b"sec-websocket-protocol",
                                              b"sec-websocket-extensions"))


def offer_declined(data, sluice, ws):
    return sluice.status == 101 and ws.status == 400 and any(
        b"server_max_window_bits=99" in value
        for value in header(data, b"sec-websocket-extensions"))


def quoted_value(data, sluice, ws):
    return sluice.status == 101 and ws.status == 400 and any(
        b'"' in value for value in header(data, b"sec-websocket-extensions"))


def version_not_13(data, sluice, ws):
    return sluice.detail == "Sec-WebSocket-Version not 13" and ws.status == 101


def http_1_0(data, sluice, ws):
    return sluice.detail.startswith("HTTP/1.0 knows no Upgrade") and ws.status == 101


def path(data, sluice, ws):
    return sluice.detail in PATH_DETAILS and ws.status == 101


def empty_host(data, sluice, ws):
    return sluice.detail == "empty Host" and ws.status == 101


def two_origins(data, sluice, ws):
    return sluice.detail == "more than one Origin" and ws.status == 101


def subprotocol_limits(data, sluice, ws):
    return (sluice.detail in ("subprotocol too long", "too many subprotocols")
            and ws.status == 101)


def empty_query(data, sluice, nginx):
    return split(nginx) == (host_of(sluice.host), sluice.target[:-1]) and (
        sluice.target.endswith(b"?"))


DIFFERENCES = (
    Difference("host_not_of_dns", "alone", host_not_of_dns, "both", "RFC 3986 3.2.2, RFC 9110 7.2",
               "the grammar of a URI allows names that no DNS name can be; routes and origins are "
               "chosen by the host, so sluice takes only what base/host knows"),
    Difference("host_invalid", "alone", host_invalid, "sluice", "RFC 9112 3.2",
               "a server must refuse an invalid Host with 400; the others do not look closely"),
    Difference("body", "alone", body, "both", "RFC 9110 9.3.1, RFC 9112 6",
               "content with a GET has no meaning, and may be refused as a means of smuggling; "
               "proxies must forward it"),
    Difference("two_blanks", "alone", two_blanks, "both", "RFC 9112 3",
               "a recipient may split the request line at any blanks, and may refuse to"),
    Difference("bare_lf", "alone", bare_lf, "both", "RFC 9112 2.2",
               "a recipient may take LF alone for the end of a line, which hides requests between "
               "two that differ; nginx, HAProxy and older llhttp (Node 18) take some of them"),
    Difference("target_not_ascii", "alone", target_not_ascii, "sluice", "RFC 3986 2",
               "a URI encodes bytes outside ASCII; nginx, HAProxy and older llhttp take them raw"),
    Difference("method_first", "alone", method_first, "both", "RFC 9110 15.5.6",
               "sluice refuses the method before it looks at the body, and closes"),
    Difference("tab_behind_a_value", "opening", tab_behind_a_value, "sluice", "RFC 9112 5",
               "blanks behind a value are spaces and tabs; llhttp cuts only spaces off"),
    Difference("upgrade_is_a_list", "opening", upgrade_is_a_list, "sluice", "RFC 9110 7.8",
               "Upgrade is a list; ws wants websocket to stand there alone"),
    Difference("empty_item", "opening", empty_item, "sluice", "RFC 9110 5.6.1.2",
               "a recipient must ignore empty items of a list; ws refuses them"),
    Difference("offer_declined", "opening", offer_declined, "sluice", "RFC 7692 7.1",
               "a server declines an offer that it cannot take; ws fails the handshake"),
    Difference("quoted_value", "opening", quoted_value, "sluice", "RFC 6455 9.1",
               "a parameter's value may be quoted; ws takes no comma there"),
    Difference("version_not_13", "opening", version_not_13, "sluice", "RFC 6455 4.1",
               "ws reads the version as a number (013, 13.0), and speaks version 8 too"),
    Difference("http_1_0", "opening", http_1_0, "sluice", "RFC 9110 7.8",
               "a server must ignore Upgrade in a request of HTTP/1.0"),
    Difference("path", "opening", path, "both", "RFC 3986 6",
               "sluice refuses paths that can be read in two ways, as a proxy in front might"),
    Difference("empty_host", "opening", empty_host, "sluice", "RFC 6455 4.2.1, RFC 9110 4.2.1",
               "an opening names the server's authority; ws does not look"),
    Difference("two_origins", "opening", two_origins, "sluice", "RFC 6454 7.3",
               "an origin decides who may enter, and comes once; Node takes the first"),
    Difference("subprotocol_limits", "opening", subprotocol_limits, "both", "",
               "sluice takes 32 offers of up to 4 KiB"),
    Difference("empty_query", "meaning of nginx", empty_query, "sluice", "RFC 3986 6.2.3",
               "nginx drops an empty query behind an empty path"),
)


def explain(kind, data, sluice, other):
    for difference in DIFFERENCES:
        if difference.kind == kind and difference.rule(data, sluice, other):
            return difference.name
    return None


def judge(data, sluice, node, nginx, haproxy):
    """Returns the differences of a head as (kind, name); the name is None without explanation."""
    found = []
    outcomes = {node.outcome, nginx.outcome, haproxy.outcome}
    if sluice.outcome not in outcomes:
        found.append(("alone", explain("alone", data, sluice, outcomes)))
    if sluice.outcome == node.outcome == "taken" and (
            (sluice.status == 101) != (node.status == 101)):
        found.append(("opening", explain("opening", data, sluice, node)))
    for name, peer in (("node", node), ("nginx", nginx), ("haproxy", haproxy)):
        if sluice.target and peer.outcome == "taken" and not is_same_meaning(sluice, peer):
            found.append(("meaning of " + name, explain("meaning of " + name, data, sluice, peer)))
    return found


def host_of(text):
    """Returns a host in lower case and without its port; nginx takes the dot at its end off too."""
    return re.sub(rb"\.?(:[0-9]*)?$", b"", text.lower())


def split(peer):
    """Returns host and target; an absolute target has both."""
    absolute = re.match(rb"[a-zA-Z]+://([^/?]*)(.*)$", peer.target, re.S)
    if not absolute:
        return host_of(peer.host), peer.target
    target = absolute.group(2)
    return host_of(absolute.group(1)), target if target[:1] == b"/" else b"/" + target


def is_same_meaning(sluice, peer):
    return split(peer) == (host_of(sluice.host), sluice.target)
