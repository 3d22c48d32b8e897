# SPDX-License-Identifier: GPL-3.0-or-later
"""`sluice --to`: a service on a page's screen by one command, without a configuration file."""

import os
import re
import signal
import socket
import ssl

from harness import Settings, Skip, case, equal, wait_until
from reloads import any_name
from services import ROOT, redis, sshd
from wsclient import BINARY, FIN, TEXT

DONE, BAD_USAGE, CANNOT_START = 0, 2, 3
ANYWHERE = "127.0.0.1:0"


def stranger():
    """Returns a client's context that takes any certificate, as a person does who goes on."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def start_to(t, target, *options, listen=ANYWHERE):
    return t.start_with(["--to", target, "--listen", listen, *options])


def client(p, listen="to", **options):
    options.setdefault("context", stranger())
    return p.client(listen, **options)


def printed(p, pattern):
    """Returns what the program has said on standard output, once it fits."""
    return wait_until(lambda: re.search(pattern, p.output.text()), "a line like " + pattern)


def settings(text):
    """Returns the sections of a configuration: a header to its lines, without comments."""
    found, at = {}, None
    for line in text.splitlines():
        if line.startswith("["):
            at = found.setdefault(line, [])
        elif line and not line.startswith(";"):
            at.append(line)
    return found


# What it serves

@case()
def redis_in_a_page(t):
    """A page of this host and port, at both paths, with and without noVNC's subprotocol."""
    port = redis(t)
    p = start_to(t, "localhost:%d" % port)
    mine = p.ports["to"][1]
    printed(p, r"wss://localhost:%d/websockify  and  wss://localhost:%d/\n" % (mine, mine))
    printed(p, r"Sessions go to localhost:%d\. Pages of this host and port may connect" % port)
    printed(p, r"No browser trusts the certificate")
    for path, offer in (("/websockify", None), ("/websockify", "binary"), ("/", "binary")):
        c = client(p)
        c.open(path, subprotocols=offer, origin="https://localhost:%d" % mine)
        equal(c.subprotocol, offer, "the subprotocol")
        c.binary(b"PING\r\n")
        equal(c.recv_message(), (BINARY, b"+PONG\r\n"), "the answer")
        c.end_cleanly()
    routes = [e["route"] for e in p.log.wait("session.end", 3, ending="client_close")]
    equal(routes, ["websockify", "websockify", "root"], "the routes")


@case()
def ssh_without_tls(t):
    """--plain, and an IPv6 address where the machine has one."""
    port = sshd(t)
    listen = "[::1]:0" if socket.has_ipv6 and os.path.exists("/proc/net/if_inet6") else ANYWHERE
    p = start_to(t, "127.0.0.1:%d" % port, "--plain", "--origins", "none", listen=listen)
    printed(p, r"ws://localhost:%d/websockify" % p.ports["to"][1])
    assert "certificate" not in p.output.text(), p.output.text()
    c = client(p, context=None).open("/websockify", origin=None)
    banner = b""
    while not banner.endswith(b"\n"):
        banner += c.recv_data()
    assert banner.startswith(b"SSH-2.0-OpenSSH"), banner
    c.end_cleanly()


def passes_on(t, target, backend):
    p = start_to(t, target)
    c = client(p).open("/")
    peer = backend.accept()
    c.binary(b"hello")
    peer.expect(b"hello")
    peer.send(b"world")
    equal(c.recv_message(), (BINARY, b"world"), "the answer")
    peer.fin()
    c.recv_close(1000)
    c.close(1000)


@case()
def unix_socket(t):
    backend = t.backend(path=t.path("service.sock"))
    os.chmod(t.path("service.sock"), 0o777)
    os.chmod(t.dir, 0o755)
    passes_on(t, "unix:" + t.path("service.sock"), backend)


@case()
def two_services(t):
    """Several targets, separated by commas: the next one when the first does not answer."""
    backend = t.backend()
    passes_on(t, "%s, 127.0.0.1:%d" % (t.closed_port(), backend.port), backend)


@case(rows=[("same_host", None, "localhost:%d", True),
            ("other_site", None, "other.example", False),
            ("other_port", None, "localhost:1", False),
            ("listed", "https://app.example, https://*.b.example", "a.b.example", True),
            ("not_listed", "https://app.example", "localhost:%d", False)])
def origins(t, listed, origin, is_allowed):
    p = start_to(t, "echo:", *(["--origins", listed] if listed else []))
    origin = "https://" + (origin % p.ports["to"][1] if "%" in origin else origin)
    c = client(p).open("/websockify", origin=origin)
    if is_allowed:
        c.text("hello")
        equal(c.recv_message(), (TEXT, b"hello"), "echo")
        c.end_cleanly()
    else:
        c.recv_close(1008)
        c.close(1008)
        p.one_end("origin", route="websockify")


@case()
def other_paths(t):
    """There is no route but the two."""
    p = start_to(t, "echo:")
    c = client(p).open("/websockify/more")
    c.recv_close(1008)
    c.close(1008)
    p.one_end("no_route")


# Its certificate

@case()
def names_of_the_certificate(t):
    """localhost, both loopback addresses, the machine's name, and the address it listens on."""
    p = start_to(t, "echo:", listen="127.0.0.1:0")
    pem = ssl.get_server_certificate(p.ports["to"])
    trusting = ssl.create_default_context(cadata=pem)
    machine = socket.gethostname()
    names = ["localhost", "127.0.0.1", "::1"]
    if re.fullmatch(r"(?!.*\.\d+$)(?!\d+$)[A-Za-z0-9.-]+", machine) and len(machine) < 64:
        names.append(machine)
    for name in names:
        with socket.create_connection(p.ports["to"], 20) as sock:
            trusting.wrap_socket(sock, server_hostname=name).close()
    with socket.create_connection(p.ports["to"], 20) as sock:
        try:
            trusting.wrap_socket(sock, server_hostname="other.example")
        except ssl.SSLCertVerificationError:
            return
    raise AssertionError("it is also for other.example")


@case()
def own_certificate(t):
    """--certificate and --key, a renewed pair by SIGHUP, and an upgrade."""
    certificate, key = t.certificate()
    names = [t.write(name, open(path, "rb").read())
             for name, path in (("my cert.pem", certificate), ("my key.pem", key))]
    os.chmod(names[1], 0o600)
    p = start_to(t, "echo:", "--certificate", names[0], "--key", names[1])
    assert "No browser trusts" not in p.output.text(), p.output.text()
    c = client(p, context=t.context).open("/")
    c.text("hello")
    equal(c.recv_message(), (TEXT, b"hello"), "echo")
    for path, source in zip(names, t.certificate("rsa")):
        with open(source, "rb") as file:
            t.write(os.path.basename(path), file.read())
    p.send_signal(signal.SIGHUP)
    p.log.wait("reload.done")
    other = client(p, context=any_name(p))
    before, after = (dict(item[0] for item in one.wire.tls.getpeercert()["subject"])["commonName"]
                     for one in (c, other))
    assert before != after, "still the certificate of " + before
    p.send_signal(signal.SIGUSR2)
    p.log.wait("upgrade.done")
    c.text("still here")
    equal(c.recv_message(), (TEXT, b"still here"), "the session from before the upgrade")
    c.end_cleanly()


@case()
def nothing_to_reload(t):
    """With a certificate that is in no file."""
    p = start_to(t, "echo:")
    p.send_signal(signal.SIGHUP)
    line = p.log.wait("reload.failed")[0]
    assert "no file to read again" in str(line), line
    p.send_signal(signal.SIGUSR2)
    line = p.log.wait("upgrade.failed")[0]
    assert "cannot be handed over" in str(line), line
    client(p).open("/").end_cleanly()


@case()
def drained(t):
    """SIGTERM ends a session with 1001, and the program with 0."""
    p = start_to(t, "echo:")
    c = client(p).open("/")
    p.send_signal(signal.SIGTERM)
    c.recv_close(1001)
    c.close(1001)
    c.recv_end(FIN)
    equal(p.wait_exit(45), 0, "exit code")


# What it refuses

@case()
def port_in_use(t):
    taken = t.backend()
    code, _, stderr = t.run_program("--to", "echo:", "--listen", "127.0.0.1:%d" % taken.port)
    equal(code, CANNOT_START, "exit code")
    assert "127.0.0.1:%d" % taken.port in stderr, stderr
    assert "event=ready" not in stderr, stderr


TO = ["--to", "127.0.0.1:1"]
PEM = ["--certificate", "/nowhere/a.pem", "--key", "/nowhere/a.key"]

# The arguments, and what the message has to have.
USAGES = [
    ("with_a_file", [*TO, "-c", "x.ini"], "leave out -c"),
    ("with_demo", [*TO, "--demo"], "--to and --demo exclude each other"),
    ("with_health", [*TO, "--health"], "--health asks"),
    ("two_tasks", ["--keys", "--health"], "exclude each other"),
    ("plain_with_certificate", [*TO, "--plain", *PEM], "--plain and --certificate"),
    ("certificate_without_key", [*TO, *PEM[:2]], "--certificate and --key belong together"),
    ("key_without_certificate", [*TO, *PEM[2:]], "--certificate and --key belong together"),
    ("files_without_to", ["--files", "/tmp"], "go with --to"),
    ("origins_without_to", ["--origins", "*"], "go with --to"),
    ("plain_with_demo", ["--demo", "--plain"], "go with --to"),
    ("listen_alone", ["--listen", ANYWHERE], "--listen goes with"),
    ("plain_everywhere", [*TO, "--plain", "--listen", "0.0.0.0:0"], "--plain: without TLS"),
    ("plain_everywhere_6", [*TO, "--plain", "--listen", "[::]:0"], "--plain: without TLS"),
    ("plain_outside", [*TO, "--plain", "--listen", "192.0.2.1:80"], "--plain: without TLS"),
    ("no_port", ["--to", "localhost"], "--to: bad backend 'tcp://localhost'"),
    ("port_0", ["--to", "localhost:0"], "--to: bad backend"),
    ("bare_ipv6", ["--to", "::1:5900"], "--to: bad backend"),
    ("second_bad", ["--to", "localhost:1,x"], "--to: bad backend 'tcp://x'"),
    ("other_scheme", ["--to", "http://localhost:1"], "--to: bad backend 'http://localhost:1'"),
    ("short_unix_path", ["--to", "unix:"], "--to: bad backend"),
    ("empty", ["--to", ""], "--to: the value is empty"),
    ("blank_at_the_end", ["--to", "a:1 "], "--to: a blank at an end"),
    ("comment", [*TO, "--files", "/a ;b"], "--files: a configuration has no way"),
    ("semicolon_first", [*TO, "--origins", ";"], "--origins: a configuration has no way"),
    ("new_line", ["--to", "a:1\nuser = root"], "--to: a control character"),
    ("new_section", [*TO, "--origins", "same\n[admin]"], "--origins: a control character"),
    ("too_long", [*TO, "--files", "/" + 4095 * "x"], "--files: "),
    ("much_too_long", [*TO, "--files", "/" + 9000 * "x"], "--files: the value is longer"),
    ("not_utf8", [*TO, "--files", b"/\xff"], "--files: "),
    ("no_address", [*TO, "--listen", "nowhere:1"], "--listen: "),
    ("no_listen_port", [*TO, "--listen", "127.0.0.1"], "--listen: "),
    ("bad_origin", [*TO, "--origins", "same,app.example"], "--origins: bad origin 'app.example'"),
    ("no_certificate", [*TO, *PEM], "--certificate: cannot read /nowhere/a.pem"),
    ("no_key", [*TO, *PEM], "--key: cannot read /nowhere/a.key"),
]


@case(rows=USAGES)
def refused(t, arguments, word):
    """Exit code 2, and a message that names the option and no line of a text that nobody wrote."""
    for more in ([], ["--check"], ["--print-config"]):
        if more and "--health" in arguments:
            continue
        code, stdout, stderr = t.run_program(*arguments, *more)
        equal(code, BAD_USAGE, "exit code")
        equal(stdout, "", "stdout")
        assert word in stderr, stderr
        assert not re.search(r":\d+: ", stderr), stderr
        said = stderr.splitlines()
        equal(len(said), len(set(said)), "lines of which none is said twice")


@case()
def wrong_key(t):
    """Both files are there but do not belong together."""
    certificate, _ = t.certificate()
    _, key = t.certificate("rsa")
    code, _, stderr = t.run_program(*TO, "--certificate", certificate, "--key", key, "--check")
    equal(code, BAD_USAGE, "exit code")
    assert "sluice: --certificate: " in stderr, stderr


# As a configuration

@case(rows=[("with_all", ["--origins", "https://a.example, none", "--listen", "127.0.0.1:6081"]),
            ("plain", ["--plain"]), ("with_nothing", [])])
def print_config_round_trip(t, options):
    """What --print-config prints starts, and means the same. With a certificate of its own the text
    is whole; without one it says what is missing."""
    certificate, key = t.certificate()
    if "--listen" in options:
        options = [*options, "--certificate", certificate, "--key", key]
    code, text, stderr = t.run_program("--to", "localhost:5900", *options, "--print-config")
    equal((code, stderr), (DONE, ""), "--print-config")
    path = t.write("printed.ini", text)
    code, again, stderr = t.run_program("-c", path, "--print-config")
    equal((code, stderr), (DONE, ""), "--print-config of what it printed")
    equal(settings(again), settings(text), "the second print")
    routes = [lines for header, lines in settings(text).items() if header.startswith("[route")]
    equal([lines[0] for lines in routes], ["path = /websockify", "path = /"], "the routes")
    for lines in routes:
        assert "backend = tcp://localhost:5900" in lines, lines
    if certificate in text:
        assert "origins = https://a.example, none" in text, text
        equal(again, text, "the second print, with its comments")
    equal("; tls_certificate = fullchain.pem" in text, options == [], "what is to be filled in")


@case()
def print_config_of_everywhere(t):
    """A text that would serve a public address without TLS does not start before its certificate is
    filled in."""
    code, text, _ = t.run_program(*TO, "--listen", "0.0.0.0:6080", "--print-config")
    equal(code, DONE, "exit code")
    path = t.write("printed.ini", text)
    code, _, stderr = t.run_program("-c", path, "--check")
    equal(code, 1, "exit code")
    assert "cannot read fullchain.pem" in stderr and "cannot read privkey.pem" in stderr, stderr


@case()
def check(t):
    code, stdout, stderr = t.run_program(*TO, "--check")
    equal((code, stdout, stderr), (DONE, "sluice: ok\n", ""), "--check")


# Files

@case()
def files_as_text(t):
    """--files writes a [files] section; a program without them says so."""
    directory = t.path("pages")
    os.mkdir(directory)
    code, text, stderr = t.run_program(*TO, "--files", directory, "--print-config")
    if not has_files(t):
        equal(code, BAD_USAGE, "exit code")
        assert "sluice: --files: unknown section" in stderr, stderr
        return
    equal((code, stderr), (DONE, ""), "--print-config")
    section = settings(text)["[files to]"]
    assert "path = /*" in section and "root = " + directory in section, section
    path = t.write("printed.ini", text)
    code, again, stderr = t.run_program("-c", path, "--print-config")
    equal((code, stderr), (DONE, ""), "--print-config of what it printed")
    equal(settings(again), settings(text), "the second print")


def has_files(t):
    _, stdout, _ = t.run_program("--keys")
    return "| `files` |" in stdout


@case(rows=[("vnc", ["vnc.html"], "vnc.html", "vnc.html?autoconnect=true&path=websockify"),
            ("both", ["vnc.html", "vnc_lite.html", "index.html"], "index.html",
             "vnc.html?autoconnect=true&path=websockify"),
            ("lite", ["vnc_lite.html"], "vnc_lite.html", "vnc_lite.html?path=websockify"),
            ("other", ["index.html"], "index.html", "")])
def files_beside_the_service(t, names, index, page):
    """GET / has the page, and a WebSocket at / still goes to the service."""
    if not has_files(t):
        raise Skip("this program serves no files")
    os.mkdir(t.path("pages"))
    for file in names:
        t.write("pages/" + file, "<!doctype html><title>%s</title>" % file)
    os.chmod(t.dir, 0o755)
    p = start_to(t, "echo:", "--files", t.path("pages"))
    url = printed(p, r"open  (https://\S+)\n").group(1)
    equal(url, "https://localhost:%d/%s" % (p.ports["to"][1], page), "the URL")
    for path, file in (("/", index), *(("/" + name, name) for name in names)):
        c = client(p)
        c.send_raw(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode())
        response = c.read_response()
        equal((response.status, response.body),
              (200, b"<!doctype html><title>%s</title>" % file.encode()), "the page at " + path)
    for path in ("/", "/websockify"):
        c = client(p).open(path)
        c.text("hello")
        equal(c.recv_message(), (TEXT, b"hello"), "echo at " + path)
        c.end_cleanly()


# The table of keys

@case()
def keys(t):
    """--keys has a row for each key of the code."""
    code, stdout, stderr = t.run_program("--keys")
    equal((code, stderr), (DONE, ""), "--keys")
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| .+ \| .+ \| .+ \|$", stdout, re.M)
    found = []
    folder = os.path.join(ROOT, "proxy", "conf")
    for name in sorted(os.listdir(folder)):
        if name.startswith("key_table"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                found += re.findall(r'^\s*KEY\(KEY_(\w+),\s*"(\w+)"', file.read(), re.M)
    equal(sorted(rows), sorted((section.lower(), key) for section, key in found), "the rows")
