# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of targets: what websockify's files have, bad lines, directories, 100,000 lines, and files
that change while sessions live."""

import os
import resource

from floods import cpu_seconds
from harness import Settings, case, equal, wait_until
from reloads import reload, results, wait_result
from sessions import end_after_close

KEYS = "origins = *\ntarget_from = query:t\ntarget_allow = 127.0.0.0/8\ntargets = "


def where(backend):
    return "127.0.0.1:%d" % backend.port


def meets(p, token, backend):
    c = p.client("plain").open("/r?t=" + token)
    backend.accept().close()
    c.recv_close(1000)
    end_after_close(c)


def unknown(p, token):
    before = len(p.ends(ending="target"))
    c = p.client("plain").open("/r?t=" + token)
    c.recv_close(1008)
    end_after_close(c, 1008)
    p.log.wait("session.end", before + 1, ending="target")


def write(t, name, text):
    """Puts a whole new file there, as careful writers do."""
    t.write(name + ".new", text)
    os.rename(t.path(name + ".new"), t.path(name))


def warnings(text, path):
    """Returns {line: message} of the warnings about a target file."""
    found = {}
    for line in text.splitlines():
        if path + ":" in line:
            number, _, message = line.partition(path + ":")[2].partition(": ")
            assert ": warning: " in line, line
            assert int(number) not in found, line
            found[int(number)] = message
    return found


# Good and bad lines

WEBSOCKIFY = """\xef\xbb\xbf# desks\r
\r
one: {0}\r
   two:\t{0}   \r
\t# a comment behind blanks\r
three: tcp://{0}\r
a:b: {0}\r
a=b&c: {0}\r
desk-4.x_y~z: {0}"""


@case()
def as_websockify_writes_them(t):
    backend = t.backend()
    text = WEBSOCKIFY.format(where(backend)).encode("latin-1")
    path = t.write("targets", text)
    config = t.config(r=KEYS + path)
    equal(t.check(config)[:1] + t.check(config)[2:3], (0, ""), "exit code and stderr of --check")
    p = t.start(config)
    for token in ("one", "two", "three", "a:b", "a=b%26c", "desk-4.x_y~z"):
        meets(p, token, backend)


BAD_LINES = [
    ("one", "blank behind"),
    ("one:127.0.0.1:80", "blank behind"),
    (": 127.0.0.1:80", "no token"),
    ("one:", "no target"),
    ("x" * 257 + ": 127.0.0.1:80", "256"),
    ("a b: 127.0.0.1:80", "visible ASCII"),
    ("d\u00e9sk: 127.0.0.1:80", "visible ASCII"),
    ("one: 127.0.0.1", "no port"),
    ("one: 127.0.0.1:0", "from 1 to 65535"),
    ("one: 127.0.0.1:65536", "from 1 to 65535"),
    ("one: 127.0.0.1:+80", "from 1 to 65535"),
    ("one: 127.1:80", "four decimal numbers"),
    ("one: 0x7f.0.0.1:80", "four decimal numbers"),
    ("one: ::1:80", "in brackets"),
    ("one: [fe80::1%lo]:80", "no zone id"),
    ("one: [::1:80", "no port"),
    ("one: [12]:80", "in brackets"),
    ("one: user@host:80", "no user"),
    ("one: http://host:80", "HOST:PORT, tcp://"),
    ("one: host:80/path", "HOST:PORT, tcp://"),
    ("one: host :80", "a blank"),
    ("one: unix:relative", "unix:/PATH"),
    ("one: unix:/run/../etc/x", "unix:/PATH"),
    ("one: unix:/" + "x" * 110, "107 bytes"),
    ("one: echo:", "from 1 to 65535"),
    ("good: 127.0.0.1:81", "earlier line"),
    ("far: 10.0.0.1:80", "does not list"),
]


@case()
def bad_lines(t):
    """Each costs itself alone, at the start and at a reload, and is named with its line."""
    backend = t.backend()
    lines = ["good: " + where(backend)] + [line for line, _ in BAD_LINES[:18]]
    path = t.write("targets", "\n".join(lines) + "\nlast: %s\n" % where(backend))
    config = t.config(r=KEYS + path)
    code, _, errors, ini = t.check(config)
    equal(code, 0, "exit code of --check")
    found = warnings(errors, path)
    equal(sorted(found), list(range(2, 20)), "lines that have a warning")
    assert errors.startswith(ini + ":"), errors
    p = t.start(config)
    meets(p, "good", backend)
    meets(p, "last", backend)
    for number, (line, message) in enumerate(BAD_LINES[:18], 2):
        assert message in found[number], (line, found[number])
    lines = ["good: " + where(backend)] + [line for line, _ in BAD_LINES[18:]]
    write(t, "targets", "\n".join(lines) + "\nnew: %s\n" % where(backend))
    reload(p)
    told = {}
    for event in p.log.find("config.warning"):
        if path + ":" in event["detail"]:
            number, _, message = event["detail"].partition(path + ":")[2].partition(": ")
            told[int(number)] = message  # the last one counts
    for number, (line, message) in enumerate(BAD_LINES[18:], 2):
        assert message in told[number], (line, told[number])
    meets(p, "good", backend)
    meets(p, "new", backend)
    unknown(p, "last")


@case()
def many_bad_lines(t):
    """The first twenty are told, and how many others there are; no token is."""
    path = t.write("targets", "secret-of-mine\n" * 5000 + "good: 127.0.0.1:1\n")
    code, _, errors, _ = t.check(t.config(r=KEYS + path))
    equal(code, 0, "exit code of --check")
    equal(len(warnings(errors, path)), 20, "warnings")
    assert "4980 more lines of the targets of [route r]" in errors, errors
    assert "secret-of-mine" not in errors, errors


@case()
def the_file_itself(t):
    """Whoever writes a file in place empties it first; whoever can change it decides."""
    path = t.write("targets", "")
    config = t.config(r=KEYS + path)
    code, _, errors, _ = t.check(config)
    assert code == 1 and "the file is empty" in errors, errors
    t.write("targets", "# nobody\n")
    code, _, errors, _ = t.check(config)
    assert code == 0 and "has no target: it refuses everybody" in errors, errors
    os.chmod(path, 0o666)
    os.chmod(t.dir, 0o755)
    code, _, errors, _ = t.check(config)
    assert code == 1 and "chmod o-w" in errors, errors


# Directories and several files

@case()
def directory(t):
    """Its regular files count, sorted, also through links; what begins with a dot does not."""
    one, other = t.backend(), t.backend()
    folder = t.path("desks")
    os.mkdir(folder)
    os.mkdir(os.path.join(folder, "below"))
    os.mkdir(os.path.join(folder, "..data"))
    for name, text in [("b", "b: %s\nboth: %s\n" % (where(one), where(one))),
                       ("a", "a: %s\nboth: %s\n" % (where(other), where(other))),
                       (".hidden", "hidden: %s\n" % where(one)), ("b~", "# a copy\n"),
                       ("below/c", "below: %s\n" % where(one)),
                       ("..data/d", "linked: %s\n" % where(one))]:
        t.write("desks/" + name, text)
    os.symlink("..data/d", os.path.join(folder, "d"))
    extra = t.write("extra", "extra: %s\n" % where(other))
    for slash in ("", "/"):
        config = t.config(server="watch = 200ms", r=KEYS + "%s%s, %s" % (folder, slash, extra))
        code, _, errors, _ = t.check(config)
        equal((code, list(warnings(errors, folder + "/b"))), (0, [2]), "the token that is twice")
    p = t.start(config)
    for token, backend in [("a", other), ("b", one), ("both", other), ("linked", one),
                           ("extra", other)]:
        meets(p, token, backend)
    for token in ("hidden", "below"):
        unknown(p, token)
    write(t, "desks/e", "new: %s\n" % where(one))
    equal(wait_result(p, 1)["cause"], "watch", "the reload")
    meets(p, "new", one)
    os.unlink(t.path("desks/a"))
    wait_result(p, 2)
    unknown(p, "a")
    meets(p, "both", one)


# Changes

@case()
def changes_while_sessions_live(t):
    """A file's change is taken up without a signal; a session keeps its target, also one that left
    the file, and with reload = drain too: the route is the same."""
    one, other = t.backend(), t.backend()
    path = t.write("targets", "a: %s\n" % where(one))
    p = t.gateway(server="watch = 200ms\nreload = drain\nworkers = 2", r=KEYS + path)
    c = p.client("plain").open("/r?t=a")
    peer = one.accept()
    for number, text in enumerate(["a: %s\nb: %s\n" % (where(other), where(other)),
                                   "b: %s\n" % where(one), "# none\nbad\n"], 1):
        write(t, "targets", text)
        line = wait_result(p, number)
        equal((line["event"], line["cause"]), ("reload.done", "watch"), "the reload")
        if number == 1:
            meets(p, "a", other)
            meets(p, "b", other)
        if number == 2:
            unknown(p, "a")
            meets(p, "b", one)
        c.binary(b"still there")
        peer.expect(b"still there")
    unknown(p, "b")
    peer.close()
    c.recv_close(1000)
    end_after_close(c)
    line = p.log.wait("session.end", ending="backend_close", id=c.close_id)[-1]
    equal(line["backend"], one.url, "the target in the log")


@case()
def a_file_that_is_gone(t):
    """The targets stay as they were, and the log says why."""
    backend = t.backend()
    path = t.write("targets", "a: %s\n" % where(backend))
    p = t.gateway(server="watch = 200ms", r=KEYS + path)
    os.unlink(path)
    equal(wait_result(p, 1)["event"], "reload.failed", "the reload")
    assert "cannot read" in p.log.find("config.error")[-1]["detail"]
    meets(p, "a", backend)
    t.write("targets", "b: %s\n" % where(backend))
    wait_until(lambda: results(p)[-1]["event"] == "reload.done", "the file is back")
    meets(p, "b", backend)


# Many lines

def seconds_of_check(t, count):
    """Processor time of --check on a file of so many lines."""
    path = t.write("many", "".join("desk-%06d: 127.0.%d.%d:5900\n" % (n, n >> 8 & 255, n & 255)
                                   for n in range(count)))
    config = t.config(r=KEYS + path)
    best = None
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        equal(t.check(config)[0], 0, "exit code of --check")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        best = took if best is None else min(best, took)
    return best


@case(timeout=120)
def many_lines_take_no_more_each(t):
    """100,000 lines are ten times 10,000: with a search through all of them it would be 100."""
    few, many = seconds_of_check(t, 10000), seconds_of_check(t, 100000)
    assert many < 40 * max(few, 0.005), "%.3f s and %.3f s" % (few, many)


def memory(pid):
    with open("/proc/%d/statm" % pid) as file:
        return int(file.read().split()[1]) * 4096


TABLE = 8 << 20  # bytes of 100,000 lines, about


def cost_of_routes(t, count, path, rules):
    """Starts a worker whose routes name the same file, and reloads it. Returns its process id, its
    memory before that, and the processor time of the reloads."""
    routes = {"r%d" % n: KEYS + path + (rules % n if n % 2 else "") for n in range(count)}
    p = t.gateway(**routes)
    pid = p.workers()[0]
    size, before = memory(pid), cpu_seconds([pid])
    for number in range(4):
        with open(path, "a") as file:
            file.write("new-%d-%d: 127.0.0.1:1\n" % (count, number))
        reload(p)
    return pid, size, cpu_seconds([pid]) - before


@case(timeout=120)
def routes_hold_a_file_once(t):
    """Four routes that name one file of 100,000 lines cost a worker hardly more memory and time
    than one, also over reloads and where the routes' rules differ."""
    path = t.write("targets", "".join("desk-%06d: 127.0.0.1:5900\n" % n for n in range(100000)))
    _, one, time = cost_of_routes(t, 1, path, "")
    pid, four, time_of_four = cost_of_routes(t, 4, path, "\ntarget_deny = 127.0.1.%d")
    if not Settings.is_asan:  # a sanitizer keeps what is freed
        assert four < one + TABLE / 2, "bytes of the workers: %d and %d" % (one, four)
        wait_until(lambda: memory(pid) < four + TABLE, "the old tables leave the memory")
    assert time_of_four < 2 * max(time, 0.05), "%.3f s and %.3f s" % (time, time_of_four)


@case(timeout=120)
def many_lines_serve(t):
    """Sessions live on through reloads of 100,000 lines, and old lines do not stay in memory."""
    one, other = t.backend(), t.backend()
    lines = ["desk-%06d: 127.0.0.1:%d\n" % (n, one.port) for n in range(100000)]
    path = t.write("targets", "".join(lines))
    p = t.gateway(r=KEYS + path)
    meets(p, "desk-000000", one)
    meets(p, "desk-099999", one)
    unknown(p, "desk-100000")
    live, sizes = [], []
    for number in range(6):
        c = p.client("plain").open("/r?t=desk-050000")
        live.append((c, one.accept()))
        lines[77777] = "desk-077777: 127.0.0.1:%d\n" % (other.port if number % 2 else one.port)
        write(t, "targets", "".join(lines))
        reload(p)
        meets(p, "desk-077777", other if number % 2 else one)
        for client, peer in live:
            client.binary(b"x")
            peer.expect(b"x")
        sizes.append(memory(p.workers()[0]))
    if not Settings.is_asan:  # a sanitizer keeps what is freed
        assert sizes[-1] < sizes[1] + (6 << 20), "bytes of the worker: %r" % sizes
    for client, peer in live:
        peer.close()
        client.recv_close(1000)
        end_after_close(client)
