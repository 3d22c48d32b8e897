# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line and the configuration: messages as FILE:LINE, exit codes, nothing started."""

import os
import re
import socket

import harness
from harness import case, equal
from services import ROOT
from wsclient import FIN, TEXT

DONE, BAD_CONFIG, BAD_USAGE, CANNOT_START = 0, 1, 2, 3

GOOD = """[server]
workers = 1
[listen plain]
address = 127.0.0.1:0
[route echo]
path = /echo
backend = echo:
"""


def good_but(old, new):
    assert old in GOOD
    return GOOD.replace(old, new)


# What is wrong, the line that the message must name (0: the file as a whole), a word of the
# message.
BAD = [
    ("unknown_key", good_but("workers = 1", "worker = 1"), 2, "worker"),
    ("user_with_all_rights", good_but("workers = 1", "user = root"), 2, "'root' has all rights"),
    ("unknown_section", GOOD + "[rout x]\npath = /x\n", 8, "rout"),
    ("key_of_another_section", GOOD + "workers = 2\n", 8, "workers"),
    ("duplicate_key", GOOD + "path = /other\n", 8, "path"),
    ("duplicate_section", GOOD + "[route echo]\npath = /x\nbackend = echo:\n", 8, "echo"),
    ("route_without_backend", GOOD + "[route x]\npath = /x\n", 8, "backend"),
    ("route_without_path", GOOD + "[route x]\nbackend = echo:\n", 8, "path"),
    ("listen_without_address", GOOD + "[listen x]\ntls_min_version = 1.2\n", 8, "address"),
    ("no_listen", "[route r]\npath = /r\nbackend = echo:\n", 0, "listen"),
    ("key_before_any_section", "workers = 1\n" + GOOD, 1, "section"),
    ("value_out_of_range", good_but("workers = 1", "workers = 100000"), 2, "workers"),
    ("value_not_a_number", good_but("workers = 1", "workers = many"), 2, "workers"),
    ("time_without_unit", GOOD + "idle_timeout = 10\n", 8, "idle_timeout"),
    ("size_with_bad_unit", GOOD + "max_message = 10q\n", 8, "max_message"),
    ("low_above_high", GOOD + "buffer_low = 128k\nbuffer_high = 64k\n", None, "buffer_low"),
    ("bad_address", good_but("127.0.0.1:0", "localhost:http"), 4, "address"),
    ("bad_backend", good_but("echo:", "http://127.0.0.1:1"), 7, "backend"),
    ("bad_backend_port", good_but("echo:", "tcp://127.0.0.1:70000"), 7, "port"),
    ("bad_path", good_but("/echo", "echo"), 6, "path"),
    ("bad_origin", GOOD + "origins = https://good.example/path\n", 8, "origin"),
    ("host_label_too_long", GOOD + "host = " + "a" * 70 + ".example\n", 8, "host"),
    ("host_ends_in_a_number", GOOD + "host = a.0x1\n", 8, "host"),
    ("bad_cidr", GOOD + "allow = 10.0.0.0/33\n", 8, "allow"),
    ("bad_subprotocol", GOOD + "subprotocols = a b\n", 8, "subprotocol"),
    ("bad_choice", GOOD + "on_refuse = maybe\n", 8, "on_refuse"),
    ("line_too_long", GOOD + "origins = https://" + "a" * 4100 + ".example\n", 8, "4096"),
    ("section_name_too_long", GOOD + "[route %s]\npath = /x\nbackend = echo:\n" % ("x" * 60), 8,
     "45"),
    ("header_without_bracket", GOOD + "[route x\npath = /x\n", 8, "]"),
    ("continuation", GOOD + "  /more\n", 8, "indented"),
    ("nul_byte", GOOD + "max_age = 1h\0 9\n", 8, "NUL"),
    ("carriage_return", GOOD + "max_age = 1h\r0\n", 8, "carriage return"),
    ("no_certificate_file", good_but(
        "127.0.0.1:0",
        "127.0.0.1:0\ntls_certificate = /nonexistent/a.pem\ntls_key = /nonexistent/k"),
     5, "/nonexistent/a.pem"),
    ("certificate_without_key", good_but(
        "127.0.0.1:0", "127.0.0.1:0\ntls_certificate = /nonexistent/a.pem"), None, "tls_key"),
    ("no_such_user", good_but("workers = 1", "user = nosuchuser"), 2, "nosuchuser"),
    ("empty_file", "", 0, "listen"),
]


def check_message(path, stderr, line, word):
    """Checks that each message is FILE:LINE: and a text, and one has this line and this word."""
    for message in stderr.splitlines():
        found = re.match(re.escape(path) + r"(?::(\d+))?: (.*)", message)
        assert found, "not FILE:LINE: message: %r" % message
        if word in message and (line is None or int(found.group(1) or 0) == line):
            return
    raise AssertionError("no message about %r on line %s in %r" % (word, line, stderr))


@case(rows=BAD)
def bad(t, text, line, word):
    code, _, stderr, path = t.check(text)
    equal(code, BAD_CONFIG, "exit code of --check")
    check_message(path, stderr, line, word)
    code, _, started = t.run_program("-c", path)
    equal(code, BAD_CONFIG, "exit code of a start")
    check_message(path, started, line, word)


@case()
def all_errors_at_once(t):
    text = good_but("workers = 1", "workers = none\nnonsense = 1") + "color = red\n[what]\n"
    code, _, stderr, path = t.check(text)
    equal(code, BAD_CONFIG, "exit code")
    found = [int(line) for line in re.findall(re.escape(path) + r":(\d+): ", stderr)]
    equal(found, [2, 3, 9, 10], "the lines of the errors")


def tls_config(certificate, key):
    return good_but("127.0.0.1:0", "127.0.0.1:0\ntls_certificate = %s\ntls_key = %s" % (
        certificate, key))


@case()
def bad_certificates(t):
    certificate, key = t.certificate()
    _, wrong_key = t.certificate("other")
    _, rsa_key = t.certificate("rsa")
    garbage = t.write("garbage.pem", "-----BEGIN CERTIFICATE-----\nAA==\n"
                      "-----END CERTIFICATE-----\n")
    empty = t.write("empty.pem", b"")
    directory = t.dir
    for pair in ((certificate, wrong_key), (certificate, rsa_key), (garbage, key), (empty, key),
                 (certificate, empty), (key, certificate), (directory, key),
                 (certificate + ", " + certificate, key)):
        code, _, stderr, path = t.check(tls_config(*pair))
        equal(code, BAD_CONFIG, "exit code for %r" % (pair,))
        assert re.search(re.escape(path) + r":[56]: ", stderr), stderr
        assert "PRIVATE KEY" not in stderr
    code, _, stderr, _ = t.check(tls_config(certificate, key))
    equal((code, stderr), (DONE, ""), "a good pair")


@case()
def unreadable_files(t):
    """A missing, a special and a huge file: each gives one message with its name."""
    os.mkfifo(t.path("fifo"))
    for path in ("/nonexistent/sluice.ini", t.dir, t.path("fifo"), "/dev/zero"):
        code, _, stderr = t.run_program("-c", path, "--check")
        equal(code, BAD_CONFIG, "exit code for " + path)
        assert path in stderr and len(stderr.splitlines()) == 1, stderr


@case()
def check_starts_nothing(t):
    """A good file passes although its port is taken: --check binds nothing."""
    taken = t.backend()
    code, _, stderr, _ = t.check(good_but("127.0.0.1:0", "127.0.0.1:%d" % taken.port))
    equal((code, stderr), (DONE, ""), "the check")


@case()
def port_in_use(t):
    taken = t.backend()
    path = t.write("c.ini", good_but("127.0.0.1:0", "127.0.0.1:%d" % taken.port))
    code, _, stderr = t.run_program("-c", path)
    equal(code, CANNOT_START, "exit code")
    assert "127.0.0.1:%d" % taken.port in stderr, stderr
    assert "event=ready" not in stderr and "worker.start" not in stderr, stderr


@case()
def port_in_use_by_sluice(t):
    """SO_REUSEPORT must not let a second sluice share the first one's port."""
    first = t.start(GOOD)
    path = t.write("c.ini", good_but("127.0.0.1:0", "127.0.0.1:%d" % first.ports["plain"][1]))
    code, _, _ = t.run_program("-c", path)
    equal(code, CANNOT_START, "exit code")


@case()
def address_not_ours(t):
    path = t.write("c.ini", good_but("127.0.0.1:0", "192.0.2.1:8080"))
    code, _, stderr = t.run_program("-c", path)
    equal(code, CANNOT_START, "exit code")
    assert "192.0.2.1:8080" in stderr, stderr


@case(rows=[("unknown_option", ["--nonsense"]), ("missing_value", ["-c"]),
            ("stray_argument", ["stray"]), ("listen_without_demo", ["--listen", "127.0.0.1:0"]),
            ("demo_with_file", ["--demo", "-c", "x.ini"]),
            ("health_check", ["--health", "--check"])])
def bad_usage(t, arguments):
    code, stdout, stderr = t.run_program(*arguments)
    equal(code, BAD_USAGE, "exit code")
    equal(stdout, "", "stdout")
    assert stderr, "no message"


@case()
def help_and_version(t):
    code, stdout, stderr = t.run_program("--help")
    equal((code, stderr), (DONE, ""), "--help")
    for option in ("-c", "--check", "--print-config", "--version", "--help", "--demo", "--listen",
                   "--health", "--to", "--files", "--origins", "--certificate", "--key", "--plain",
                   "--keys"):
        assert option in stdout, option + " is not in the help"
    code, stdout, stderr = t.run_program("--version")
    equal((code, stderr), (DONE, ""), "--version")
    assert re.search(r"sluice \d+\.\d+", stdout), stdout


@case()
def print_config_round_trip(t):
    """--print-config prints a text that parses to the same again."""
    certificate, _ = t.certificate()
    text = t.config(
        server="max_sessions = 77\nlog_format = json",
        defaults="idle_timeout = 90s\nframing = line",
        tls="tls_min_version = 1.3",
        r="""backend = tcp://127.0.0.1:1, tcp://[::1]:2
             origins = https://a.example, https://*.b.example:8443, null, none
             subprotocols = binary, irc
             allow = 127.0.0.0/8, ::1
             deny = 10.0.0.0/8
             on_refuse = http
             backend_code = 1014
             accept = text
             framing = line
             line_end = crlf
             compression = on
             compression_window = 15
             half_close = keep
             max_frame_out = 16k
             max_message = 1m""", e="path = /e/*\nhost = *.a.test\nbackend = echo:")
    first = t.write("first.ini", text)
    code, printed, stderr = t.run_program("-c", first, "--print-config")
    equal((code, stderr), (DONE, ""), "--print-config")
    second = t.write("second.ini", printed)
    code, again, stderr = t.run_program("-c", second, "--print-config")
    equal((code, stderr), (DONE, ""), "--print-config of what it printed")
    equal(again, printed, "the second print")
    for want in ("max_sessions = 77", "log_format = json", "idle_timeout = 90s", "on_refuse = http",
                 "tls_min_version = 1.3", "backend_code = 1014", "max_message = 1m", certificate,
                 "framing = line", "line_end = crlf", "compression_window = 15",
                 "half_close = keep",
                 "max_frame_out = 16k",
                 "; length_order: needs framing = length16 or length32",
                 "path = /e/*", "host = *.a.test", "ping_interval = 30s"):
        assert want in printed, "%r is not in the print:\n%s" % (want, printed)
    assert "PRIVATE" not in printed


@case()
def shipped_files(t):
    """sluice.ini has errors only in what the user must edit; demo.ini is good as it is. (Those of
    config/examples are looked at by tests/lint/examples.)"""
    path = os.path.join(ROOT, "config", "sluice.ini")
    code, _, stderr = t.run_program("-c", path, "--check")
    equal(code, BAD_CONFIG, "exit code")
    for line in stderr.splitlines():
        number = re.match(re.escape(path) + r":(\d+): .", line).group(1)
        with open(path) as file:
            text = file.read().splitlines()[int(number) - 1]
        assert "=" in text or text.startswith("["), "line %s is %r" % (number, text)
    assert "/etc/sluice/" in stderr, stderr
    assert 1 <= len(stderr.splitlines()) <= 4, stderr
    code, _, stderr = t.run_program("-c", os.path.join(ROOT, "config", "demo.ini"), "--check")
    equal((code, stderr), (DONE, ""), "demo.ini")


@case()
def several_listeners_and_families(t):
    listens = "[listen a]\naddress = 127.0.0.1:0\n[listen b]\naddress = 127.0.0.1:0\n"
    names = ["a", "b"]
    if has_ipv6():
        listens += "[listen c]\naddress = [::1]:0\n"
        names.append("c")
    p = t.start(t.config(listens=listens, r="backend = echo:\norigins = *"))
    equal(sorted(p.ports), names, "listeners")
    for name in names:
        c = p.client(name).open("/r")
        c.text(name)
        equal(c.recv_message(), (TEXT, name.encode()), "echo")
        c.end_cleanly()
        p.log.wait("session.end", listen=name)


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
        return True
    except OSError:
        return False


@case()
def two_listeners_on_one_address(t):
    """The program refuses this, because chance would decide which listener a client reaches."""
    port = harness.free_port()
    text = good_but("[listen plain]\naddress = 127.0.0.1:0",
                    "[listen a]\naddress = 127.0.0.1:%d\n[listen b]\naddress = 127.0.0.1:%d" % (
                        port, port))
    path = t.write("c.ini", text)
    code, _, stderr = t.run_program("-c", path)
    assert code in (BAD_CONFIG, CANNOT_START), "exit code %d" % code
    assert ":6: " in stderr, stderr


@case()
def bad_demo_address(t):
    code, _, stderr = t.run_program("--demo", "--listen", "nowhere")
    assert code in (BAD_CONFIG, BAD_USAGE), "exit code %d" % code
    assert "nowhere" in stderr, stderr


@case()
def demo(t):
    """--demo has the page at /, its echo over wss, and a certificate of its own."""
    p = t.start_with(["--demo", "--listen", "127.0.0.1:0"])
    name = next(iter(p.ports))
    t.context = t.tls_context()
    t.context.check_hostname = False
    t.context.verify_mode = 0
    c = p.client(name, context=t.context)
    c.send_raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    response = c.read_response()
    equal(response.status, 200, "status")
    assert response.get("Content-Type").startswith("text/html")
    assert response.get("Content-Security-Policy")
    assert b"WebSocket" in response.body and b"http://" not in response.body.replace(
        b"http://www.w3.org/", b"")
    c.recv_end(FIN)
    p.log.wait("session.end", ending="page", status="200")
    c = p.client(name, context=t.context).open("/echo")
    c.text("hello")
    equal(c.recv_message(), (TEXT, b"hello"), "echo")
    c.end_cleanly()
    c = p.client(name, context=t.context)
    c.send_raw(b"GET /other HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert c.read_response().status in (404, 426)
    assert "https://" in p.log.text() + p.output.text(), "the demo does not print its address"
    p.log.stray.clear()
