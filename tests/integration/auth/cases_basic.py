# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords: files of htpasswd and openssl, what clients send, and the process that hashes."""

import base64
import os
import shutil
import signal
import subprocess
import time

from harness import Settings, Skip, case, equal, scale, wait_until
from processes import ECHO, both_started, echo, is_alive, owner_of, status_of
from provider import auth, bearer, digest, refuse, write_secret
from reloads import reload
from scrape import scrape
from sessions import WIRES
from upgrades import Upgradable, newest, upgrade
from wsclient import FIN

PAGE = "https://app.example.com"
ROUTE = "origins = same, %s\nbackend = echo:\nauth = box\nauth_from = basic" % PAGE
HEALTH = "[health]\naddress = 127.0.0.1:0\n"
SECRET = "s3cret-pass"
LONGEST = "x" * 511
# bcrypt of cost 12: about a third of a second of a core, so that there is time to do things
SLOW = "ann:$2b$12$abcdefghijklmnopqrstuuT1Iwu6o8Wx7BoOyIMHfgVJq6JO/IJhW"  # secret
CHEAP = "bob:$6$rounds=1000$saltsalt$LAV5VE5Y7w1d73x1mFNspYWUpazfmwv2SoepNXNKJ/otop/Zok96Hr8" \
    "Q13LEv0DRY/x8v0/crpIjl8NJSAqXV/"  # secret
LONG = "eve:$6$rounds=1000$saltsalt$nC35Rjw1qm7lwdxVgg3IU9qZMEaqucKnRYCtC7UyfTbgqAQUZjWQxjc2xe" \
    "WwMzOTjOEqyGG.T4MAGPm1ptmEK/"  # LONGEST; openssl and htpasswd take fewer bytes


def htpasswd(user, password, *options):
    if not shutil.which("htpasswd"):
        raise Skip("needs htpasswd")
    made = subprocess.run(["htpasswd", "-nbB", *options, user, password], check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return made.stdout.decode().strip()


def openssl(user, password, kind):
    made = subprocess.run(["openssl", "passwd", kind, "-stdin"], check=True,
                          input=password.encode(), stdout=subprocess.PIPE)
    return user + ":" + made.stdout.decode().strip()


def basic(user, password):
    text = "%s:%s" % (user, password)
    return raw(base64.b64encode(text.encode()).decode())


def raw(text):
    return {"headers": [("Authorization", "Basic " + text)]}


def box(t, *lines, keys=()):
    content = "".join(line + "\n" for line in lines)
    return auth("box", "type = basic", "file = " + write_secret(t, "htpasswd", content), *keys)


def config(t, *lines, keys="", server="", auth_keys=(), **routes):
    return t.config(server=server, r=ROUTE + "\n" + keys, open=ECHO, **routes) + \
        box(t, *lines, keys=auth_keys) + HEALTH


def hasher(p, count=1):
    """The pid of the process that hashes; there have been so many."""
    return int(p.log.wait("hasher.start", count)[count - 1]["pid"])


def stop_hasher(p):
    """Returns its pid: whoever begins now waits until it gets SIGCONT."""
    pid = hasher(p)
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: status_of(pid)["State"][0] == "T", "a stopped process")
    return pid


def enter(p, user, password, listen="tls"):
    c = p.client(listen).open("/r", **basic(user, password))
    echo(c, b"hello")
    return c


def visit(p, user, password, listen="tls"):
    """Enters and leaves, up to the line in the log."""
    before = len(p.ends())
    enter(p, user, password, listen).end_cleanly()
    p.log.wait("session.end", before + 1)


def begin(p, user="ann", password="secret", path="/r", listen="plain"):
    """Sends a request, and does not wait for its answer."""
    c = p.client(listen)
    c.send_raw(c.request(path, **basic(user, password)))
    return c


def is_open(c):
    """The 101 came, and an echo through the session."""
    equal(c.read_response(has_body=False).status, 101, "status")
    echo(c, b"hello")
    return True


def closed(c, code):
    """The 101 came, and at once a Close. Returns the reason."""
    equal(c.read_response(has_body=False).status, 101, "status")
    reason, _ = c.recv_close(code)
    c.wire.reset()
    return reason


@case()
def files_of_others(t):
    """What htpasswd and openssl write; each user by the right password, over both wires."""
    users = [("ada", SECRET), ("bob", "pässwörd ✓"), ("cid", ""), ("eve", LONGEST),
             ("fay", "a:b:")]
    p = t.start(config(t, htpasswd("ada", SECRET, "-C", "5"), openssl("bob", users[1][1], "-6"),
                       htpasswd("cid", "", "-C", "4"), LONG,
                       htpasswd("fay", "a:b:", "-C", "4") + ":a comment"))
    for user, password in users:
        for _, listen in WIRES:
            enter(p, user, password, listen).end_cleanly()
    lines = p.log.wait("session.end", 2 * len(users))
    equal(sorted({(e["auth"], e["identity"]) for e in lines}),
          [("box", user) for user, _ in users], "who")
    log = p.log.text()
    assert not any(password in log for _, password in users if password), "a password in the log"


BAD = [
    ("nothing", {}, "no user and password"),
    ("wrong", basic("ada", SECRET + "x"), "the password is wrong"),
    ("shorter", basic("ada", SECRET[:-1]), "the password is wrong"),
    ("empty", basic("ada", ""), "the password is wrong"),
    ("unknown", basic("zoe", SECRET), "does not have the user"),
    ("nobody", basic("", SECRET), "malformed"),
    ("another_case", basic("Ada", SECRET), "does not have the user"),
    ("the_hash", basic("ada", "HASH"), "the password is wrong"),
    ("a_longer_one", basic("ada", "y" * 512), ""),
    ("no_colon", raw(base64.b64encode(b"ada").decode()), "malformed"),
    ("no_base64", raw("YWRh*"), ""),
    ("no_text", raw(base64.b64encode(b"ada:\xff\xfe").decode()), "malformed"),
    ("control", raw(base64.b64encode(b"ada:a\0b").decode()), ""),
    ("twice", {"headers": basic("ada", SECRET)["headers"] * 2}, ""),
    ("bearer", bearer(SECRET), "no user and password"),
]


@case()
def refused(t):
    """The client learns nothing of why; the log has nothing of what was sent."""
    line = htpasswd("ada", SECRET, "-C", "4")
    p = t.start(config(t, line))
    for name, request, detail in BAD:
        if name == "the_hash":
            request = basic("ada", line.split(":")[1])
        ended = refuse(p, SECRET, detail, **{"path": "/r", **request}) if request else None
        if ended is None:
            c = p.client().open("/r", origin=PAGE)
            c.recv_close(1008)
            c.close(1008)
            c.recv_end()
            c.wire.finish()
            ended = p.log.wait("session.end", 1)[-1]
            assert detail in ended["detail"], ended
        assert "identity" not in ended, name
    for text in (SECRET, line.split(":")[1], base64.b64encode(b"ada:").decode()[:-2]):
        assert text not in p.log.text(), "a secret in the log"
    got = scrape(p)
    equal(got.sum("sluice_auth_refusals_total", reason="unknown_user"), 2, "unknown users")
    equal(got.sum("sluice_auth_refusals_total", reason="wrong_password"), 5, "wrong passwords")


@case()
def refused_by_http(t):
    """A browser that may ask its user, and what a program may do then."""
    p = t.start(config(t, CHEAP, keys="on_refuse = http"))
    for headers in ({}, basic("bob", "Secret"), basic("zoe", "secret")):
        c = p.client("tls")
        c.send_raw(c.request("/r", **headers))
        response = c.read_response()
        equal((response.status, response.get("WWW-Authenticate")),
              (401, 'Basic realm="box", charset="UTF-8"'), "the answer")
        c.recv_end(FIN)
        c.wire.finish()
    visit(p, "bob", "secret")


@case()
def all_must_hold(t):
    """A token and a password; nobody hashes where the token is wrong already."""
    token = "Tr0ub4dor-and-3-sesame"
    machines = auth("machines", "type = tokens",
                    "file = " + write_secret(t, "tokens", "alice:%s\n" % digest(token)))
    text = config(t, CHEAP).replace("auth = box\nauth_from = basic",
                                    "auth = machines, box\nauth_from = query:t")
    p = t.start(text + machines)
    good = basic("bob", "secret")
    c = p.client().open("/r?t=" + token, **good)
    echo(c)
    c.end_cleanly()
    equal(p.one_end("client_close")["identity"], "alice", "who")
    refuse(p, token, "does not have the token", path="/r?t=another", **good)
    refuse(p, token, "the password is wrong", path="/r?t=" + token, **basic("bob", "Secret"))


@case()
def the_process(t):
    """Locked in, low in priority, without a way out, and there only when somebody needs it."""
    p = t.start(config(t, CHEAP, server="workers = 2"))
    both_started(p)
    pid = hasher(p)
    visit(p, "bob", "secret")
    status = status_of(pid)
    if not Settings.is_asan:
        equal((status["Seccomp"], status["NoNewPrivs"]), ("2", "1"), "the sandbox")
        equal(int(status["CapEff"], 16), 0, "rights")
        with open("/proc/%d/environ" % pid, "rb") as file:
            equal(file.read().strip(b"\0"), b"", "the environment")
    own = os.getpriority(os.PRIO_PROCESS, p.pid)
    assert os.getpriority(os.PRIO_PROCESS, pid) >= min(own + 5, 19), "its priority"
    open_fds = [os.readlink("/proc/%d/fd/%s" % (pid, fd))
                for fd in os.listdir("/proc/%d/fd" % pid)]
    equal(len([name for name in open_fds if name.startswith("socket:")]), 1, "sockets")
    p.stop()
    assert not is_alive(pid), "it outlives the program"


@case()
def a_reload_brings_the_first_one(t):
    plain = t.config(server="workers = 2", r=ECHO, open=ECHO) + HEALTH
    p = t.start(plain)
    both_started(p)
    equal(p.log.find("hasher.start"), [], "before")
    reload(p, config(t, CHEAP, server="workers = 2"))
    for _ in range(4):
        visit(p, "bob", "secret")
    pid = hasher(p)
    refuse(p, "secret", "does not have the user", path="/r", **basic("ann", "secret"))
    box(t, CHEAP, SLOW)
    reload(p)
    visit(p, "ann", "secret")
    equal(hasher(p), pid, "the process")
    equal(len(p.log.find("hasher.start")), 1, "processes")


@case()
def a_changed_line_counts_at_once(t):
    """The cache knows the old password; the file decides."""
    p = t.start(config(t, CHEAP))
    visit(p, "bob", "secret")
    box(t, openssl("bob", "new-secret", "-6"))
    reload(p)
    refuse(p, "secret", "the password is wrong", path="/r", **basic("bob", "secret"))
    visit(p, "bob", "new-secret")


@case(rows=[("on", "60s", True), ("off", "0", False), ("old", "1s", False)])
def cache(t, keys, is_cached):
    """The hasher is stopped; who was right a moment ago still comes in."""
    p = t.start(config(t, CHEAP, server="request_timeout = 3s",
                       auth_keys=("cache = " + keys,)))
    visit(p, "bob", "secret")
    if keys == "1s":
        time.sleep(1.1)
    pid = stop_hasher(p)
    try:
        c = begin(p, "bob")
        if is_cached:
            is_open(c)
        else:
            closed(c, 1013)
            p.log.wait("session.end", ending="full",
                       detail="the password was not checked within request_timeout")
        other = begin(p, "bob", "another")
        closed(other, 1013)
    finally:
        os.kill(pid, signal.SIGCONT)
    visit(p, "bob", "secret")


@case(timeout=90)
def it_dies(t):
    """Killed over a question: the next one answers it, and nobody notices."""
    p = t.start(config(t, SLOW, CHEAP))
    for count in (1, 2):
        waiting = [begin(p, password="secret" if i < 2 else "wrong") for i in range(3)]
        time.sleep(0.1)
        os.kill(hasher(p, count), signal.SIGKILL)
        for c in waiting[:2]:
            is_open(c)
            c.wire.reset()
        equal(closed(waiting[2], 1008), "not authorised", "the reason")
        line = p.log.wait("hasher.exit", count)[-1]
        equal((line["signal"], line["next_in_ms"]), ("9", "0" if count == 1 else "100"), "the line")
    equal(p.log.find("worker.exit"), [], "workers that ended")


@case()
def a_worker_dies(t):
    """What it asked is nobody's; the next worker asks anew."""
    p = t.start(config(t, SLOW))
    p.may_lose_workers = True
    waiting = [begin(p, password="wrong") for _ in range(20)]
    wait_until(lambda: scrape(p).sum("sluice_sessions_admitted") == 20, "all wait")
    os.kill(owner_of(p, waiting[0], "plain"), signal.SIGKILL)
    p.log.wait("worker.start", 2)
    start = time.monotonic()
    visit(p, "ann", "secret", "plain")
    took = time.monotonic() - start
    assert took < 10 * scale(), "%.1f s: it worked for the dead" % took
    equal(len(p.log.find("hasher.start")), 1, "processes that hash")


@case()
def the_client_goes(t):
    """While sluice waits for the answer: by FIN, by RST, and with bytes that it must not send."""
    p = t.start(config(t, SLOW, keys="on_refuse = http"))
    a, b, c = (begin(p, password="wrong") for _ in range(3))
    a.wire.half_close()
    b.wire.reset()
    c.send_raw(b"x")
    equal(c.read_response().status, 400, "the answer to bytes behind the head")
    ends = p.log.wait("session.end", 3)
    equal(sorted(e["ending"] for e in ends), ["bad_request", "client_cut", "client_reset"], "ends")
    equal(p.log.find("session.end", ending="client_cut")[0]["detail"],
          "FIN while sluice checked the password", "detail")
    visit(p, "ann", "secret")
    equal(scrape(p).sum("sluice_sessions_admitted"), 0, "sessions that count")


@case()
def it_drains_meanwhile(t):
    p = t.start(config(t, SLOW))
    waiting = [begin(p) for _ in range(4)]
    wait_until(lambda: scrape(p).sum("sluice_sessions_admitted") == 4, "all wait")
    p.send_signal(signal.SIGTERM)
    for c in waiting:
        equal(c.read_response(has_body=False).status, 101, "status")
        c.recv_close(1001)
        c.wire.reset()
    p.stop()
    equal({e["ending"] for e in p.ends()}, {"shutdown"}, "endings")


@case()
def it_reloads_meanwhile(t):
    """Who waits is judged as it began, unless the reload took the user or the password away."""
    off = ("cache = 0",)
    p = t.start(config(t, SLOW, CHEAP, auth_keys=off))

    def begin_and_reload(text):
        pid = stop_hasher(p)
        c = begin(p)
        wait_until(lambda: scrape(p).sum("sluice_sessions_admitted") == 1, "it waits")
        reload(p, text)
        os.kill(pid, signal.SIGCONT)
        return c

    c = begin_and_reload(config(t, SLOW, CHEAP, auth_keys=off, more=ECHO))
    is_open(c)
    c.end_cleanly()
    p.log.wait("session.end", ending="client_close")
    c = begin_and_reload(config(t, CHEAP, auth_keys=off))
    equal(closed(c, 1008), "not authorised", "the reason")
    p.log.wait("session.end", ending="auth",
               detail="a reload took the user or the password away")


@case(timeout=120)
def an_upgrade(t):
    """The new master has its own process; the old one's goes with the old workers."""
    u = Upgradable(t, config(t, SLOW, CHEAP, server="workers = 2"))
    p = u.p
    both_started(p)
    first = hasher(p)
    old = enter(p, "bob", "secret", "plain")
    upgrade(p)
    second = hasher(p, 2)
    assert second != first
    for _ in range(4):
        visit(p, "bob", "secret")
    echo(old)
    old.end_cleanly()
    p.log.wait("generation.gone", generation="1")
    wait_until(lambda: not is_alive(first), "the end of the first one")
    assert is_alive(second) and newest(p) != p.pid
    p.stop()
    wait_until(lambda: not is_alive(second), "the end of the second one")
