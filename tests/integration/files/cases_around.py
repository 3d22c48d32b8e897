# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and what is around them: bad configurations, reloads, proxies in front, limits."""

import os
import shutil
import signal
import tempfile

import fronts
import sites
from harness import case, equal, wait_until
from reloads import Callers, reload
from sites import PAGE, SCRIPT, ask, ask_alone, is_over
from wsclient import Ended

ROUTE = "origins = *\nbackend = echo:"


@case()
def bad_sections(t):
    """Each mistake is told with its line."""
    root = sites.site(t)
    file = os.path.join(root, "index.html")
    start = t.config(r=ROUTE)
    for keys, line, message in [
            ("root = " + root, 1, "[files x] has no path"),
            ("path = /x\nroot = " + root, 2, "serves a directory, so its path ends in /*"),
            ("path = /x/*", 1, "has neither root nor page_kit = on"),
            ("path = /x/*\nroot = %s/nothing" % root, 3, "No such file or directory"),
            ("path = /x/*\nroot = " + file, 3, "Not a directory"),
            ("path = /x/*\nroot = %s\nindex = a/b" % root, 4, "bad value 'a/b' for 'index'"),
            ("path = /x/*\nroot = %s\nindex = .a" % root, 4, "bad value '.a' for 'index'"),
            ("path = /x/*\npage_kit = on\nindex = a", 4, "means nothing without root"),
            ("path = /x/*\nroot = %s\ncache = 1" % root, 4, "bad value '1' for 'cache'"),
            ("path = /x/*\nroot = %s\npage_kit = yes" % root, 4, "bad value 'yes'"),
            ("path = /x/*\nroot = %s\nheaders = X" % root, 4, "a header is NAME: VALUE"),
            ("path = /x/*\nroot = %s\nheaders = ETag: x" % root, 4, "sluice itself says"),
            ("path = /x/*\nroot = %s\nheaders = X-A: %s\nheaders = X-B: %s\nheaders = X-C: %s"
             % (root, "a" * 400, "b" * 400, "c" * 400), 4, "more than 1024 bytes together"),
            ("path = /x/*\nroot = %s\n[files y]\npath = /x/*\nroot = %s" % (root, root), 5,
             "[files y] has the path of [files x]")]:
        code, _, errors, path = t.check(start + "[files x]\n" + keys + "\n")
        first = start.count("\n") + 1
        equal(code, 1, keys)
        assert "%s:%d: " % (path, first + line - 1) in errors and message in errors, errors


@case()
def printed(t):
    """--print-config says the same again."""
    root = sites.site(t)
    path = t.write("a.ini", sites.text_of(t, root, "cache = 1h\npage_kit = on\nheaders = X-A: b"))
    code, text, errors = t.run_program("-c", path, "--print-config")
    equal(code, 0, errors)
    for line in ("path = /*", "root = " + root, "index = index.html", "cache = 1h",
                 "keep_alive = 15s", "page_kit = on", "headers = X-A: b"):
        assert "\n" + line + "\n" in text, line
    again = t.write("b.ini", text)
    equal(t.run_program("-c", again, "--print-config")[1], text, "printed again")


@case(rows=[("sandbox", "on"), ("no_sandbox", "off")])
def another_root(t, sandbox):
    """A reload puts another directory in force; sessions of before go on."""
    one, two = sites.site(t), sites.folder(t)
    sites.put(two, "index.html", b"two")
    server = "sandbox = %s\nworkers = 2" % sandbox
    p = sites.start(t, one, server=server)
    old = [p.client("tls").open("/r") for _ in range(4)]
    kept = p.client("plain")
    equal(ask(kept, "/").body, PAGE, "before")
    workers = set(p.workers())
    callers = Callers(p, "/r")
    callers.wait_more(5)
    reload(p, sites.text_of(t, two, server=server))
    callers.wait_more(20)
    callers.stop()  # and nobody was refused
    is_renewed = bool(p.log.find("reload.workers"))
    if sandbox == "off":
        equal(is_renewed, False, "other workers")
        equal(ask(kept, "/").body, b"two", "on the connection of before")
    for _ in range(10):
        equal(ask_alone(p, "/").body, b"two", "afterwards")
        equal(ask_alone(p, "/app/ui.js").status, 404, "a file of the other one")
    if is_renewed:
        assert is_over(kept)
        p.log.wait("worker.retired", 2)
    for c in old:
        c.text(b"still")
        equal(c.recv_message()[1], b"still", "echo")
        c.end_cleanly()
    if is_renewed:
        wait_until(lambda: not workers & set(p.workers()), "the old workers' end")
    equal(len(p.workers()), 2, "workers")
    # Back again, and without files.
    reload(p, sites.text_of(t, one, server=server))
    equal(ask_alone(p, "/").body, PAGE, "the first one again")
    reload(p, t.config(server=server, r=ROUTE))
    equal(ask_alone(p, "/").status, 426, "without files")
    reload(p, sites.text_of(t, one, server=server))
    equal(ask_alone(p, "/").body, PAGE, "with files again")
    equal(p.log.find("files.root"), [], "roots that could not be opened")


@case()
def a_link_that_moves(t):
    """A root that is a symbolic link: sluice notices by itself where it leads now."""
    base = sites.folder(t)
    for name in ("one", "two"):
        sites.put(base, name + "/index.html", name.encode())
    link = os.path.join(base, "current")
    os.symlink("one", link)
    p = sites.start(t, link, server="watch = 100ms")
    equal(ask_alone(p, "/").body, b"one", "before")
    os.symlink("two", link + ".new")
    os.rename(link + ".new", link)
    p.log.wait("reload.done")
    equal(ask_alone(p, "/").body, b"two", "afterwards")


@case()
def settings_that_change(t):
    """All but the directory counts for the next request, on the same connection."""
    root = sites.site(t)
    p = sites.start(t, root)
    workers = p.workers()
    c = p.client("plain")
    equal(ask(c, "/").get("Cache-Control"), "no-cache", "before")
    reload(p, sites.text_of(t, root, "cache = 2m\nheaders = X-New: 1\nindex = packed.js"))
    got = ask(c, "/")
    equal((got.get("Cache-Control"), got.get("X-New"), got.body), ("max-age=120", "1", SCRIPT),
          "afterwards")
    equal(p.workers(), workers, "workers")
    reload(p, sites.text_of(t, root, path="/below/*"))
    equal(ask(c, "/below/").body, PAGE, "another path")
    equal(ask(c, "/").status, 426, "the old path")


@case()
def behind_proxies(t):
    """On one connection of a proxy each request is of its own client; a stranger tells nothing."""
    root = sites.site(t)
    certificate, key = t.certificate()
    listens = ("[listen plain]\naddress = 127.0.0.1:0\ntrusted_proxies = 127.0.0.1\n"
               "forwarded = x-forwarded-for\n"
               "[listen strange]\naddress = 127.0.0.1:0\ntrusted_proxies = 10.0.0.1\n"
               "forwarded = x-forwarded-for\n"
               "[listen tls]\naddress = 127.0.0.1:0\ntls_certificate = %s\ntls_key = %s\n"
               "trusted_proxies = 127.0.0.1\nproxy_protocol = on\n" % (certificate, key))
    p = sites.start(t, root, listens=listens,
                    server="log_level = debug\nmax_connections_per_source = 3",
                    r=ROUTE + "\nallow = 192.0.2.0/24")
    c = p.client("plain")
    for i in range(1, 7):
        equal(ask(c, "/?%d" % i, "X-Forwarded-For: 192.0.2.%d" % i).status, 200, "status")
        p.log.wait("files.served", i)
    equal([e["client"] for e in p.log.find("files.served")],
          ["192.0.2.%d:0" % i for i in range(1, 7)], "clients")
    ask(c, "/")
    equal(p.log.wait("files.served", 7)[6]["client"], c.wire.local, "the proxy itself")
    c.open("/r", headers=[("X-Forwarded-For", "192.0.2.9")])
    c.end_cleanly()
    strange = p.client("strange")
    ask(strange, "/", "X-Forwarded-For: 192.0.2.1")
    equal(p.log.wait("files.served", 8)[7]["client"], strange.wire.local, "a stranger")
    strange.wire.close()
    behind = fronts.call(t, p, "tls", fronts.v2(source="192.0.2.77"))
    ask(behind, "/")
    ask(behind, "/app/ui.js")
    for line in p.log.wait("files.served", 10)[8:]:
        assert line["client"].startswith("192.0.2.77:"), line
    behind.open("/r")
    behind.end_cleanly()


@case()
def limits(t):
    """Connections that ask for files count as those without a session, and leave room."""
    root = sites.site(t)
    p = sites.start(t, root, server="max_pending = 8\nmax_sessions = 4")
    kept = [p.client("plain") for _ in range(8)]
    for c in kept:
        ask(c, "/")
    sessions = []
    # The places are taken; those who have waited for a second make room, and no session is refused.
    for _ in range(4):
        c = p.client("plain")
        equal(ask(c, "/").body, PAGE, "a page")
        c.open("/r")
        sessions.append(c)
    for c in sessions:
        c.text(b"x")
        equal(c.recv_message()[1], b"x", "echo")
        c.end_cleanly()
    gone = [e for e in p.log.find("session.end", ending="full")]
    equal({e.get("detail") for e in gone}, {"it made place for a newer one: max_pending"}, "detail")
    q = sites.start(t, root, server="max_connections_per_source = 2")
    held = [q.client("plain") for _ in range(2)]
    for c in held:
        ask(c, "/")
    try:
        ask(q.client("plain"), "/")
        raise AssertionError("a third connection")
    except (OSError, Ended):
        pass
    q.log.wait("accept.refused")


@case()
def an_upgrade(t):
    """The next generation serves files; its predecessor lets those that have begun leave."""
    root = sites.site(t)
    p = sites.start(t, root)
    kept = p.client("plain")
    ask(kept, "/")
    p.send_signal(signal.SIGUSR2)
    p.log.wait("upgrade.done")
    equal(ask_alone(p, "/").body, PAGE, "afterwards")
    assert is_over(kept)
    p.stop()


@case()
def times_without_a_date(t):
    """A file from after the year 9999, which no HTTP date can name, or from before 1970."""
    root = tempfile.mkdtemp(prefix="sluice-site-", dir="/dev/shm")  # most disks end before 2500
    t.cleanup(lambda: shutil.rmtree(root, ignore_errors=True))
    os.chmod(root, 0o755)
    p = sites.start(t, root)
    last = "Fri, 31 Dec 9999 23:59:59 GMT"
    for time, date in [(253402300799, last), (253402300800, last), (1 << 40, last),
                       (-5, "Thu, 01 Jan 1970 00:00:00 GMT")]:
        sites.put(root, "file.txt", b"content", time)
        got = ask_alone(p, "/file.txt")
        equal((got.status, got.get("Last-Modified"), got.body), (200, date, b"content"), time)
        equal(ask_alone(p, "/file.txt", "If-Modified-Since: " + date).status, 304, time)
